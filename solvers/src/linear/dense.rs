//! Small dense systems in double precision, as rows.

use super::lu::Lu;

/// Solves `matrix * x = right`, entries measured by the largest of their row.
///
/// None if the matrix is singular to rounding: a pivot below 1e-13 times the largest entry that its
/// row had.
pub(crate) fn solve(matrix: Vec<Vec<f64>>, right: Vec<f64>) -> Option<Vec<f64>> {
    let (lu, scales) = factor(&matrix)?;
    let right: Vec<f64> = right.iter().zip(scales).map(|(entry, scale)| entry * scale).collect();
    Some(lu.solve(&right))
}

/// The inverse, as [`solve`].
pub(crate) fn inverse(matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let (lu, scales) = factor(&matrix)?;
    let scaled =
        |row: &[f64]| row.iter().zip(&scales).map(|(entry, scale)| entry * scale).collect();
    Some(lu.inverse().chunks_exact(matrix.len().max(1)).map(scaled).collect())
}

/// The factors of the matrix with rows scaled so that their largest entry is 1, and the scales.
fn factor(matrix: &[Vec<f64>]) -> Option<(Lu, Vec<f64>)> {
    let largest = |row: &Vec<f64>| row.iter().fold(0.0_f64, |most, entry| most.max(entry.abs()));
    let scales: Vec<f64> =
        matrix.iter().map(|row| 1.0 / largest(row).max(f64::MIN_POSITIVE)).collect();
    let entries = matrix
        .iter()
        .zip(&scales)
        .flat_map(|(row, scale)| row.iter().map(move |entry| entry * scale))
        .collect();
    Some((Lu::new(matrix.len(), entries, 1e-13)?, scales))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_inverts_and_refuses() {
        let matrix = vec![vec![0.0, 2.0, 1.0], vec![1.0, 1.0, 0.0], vec![3.0, 0.0, -1.0]];
        let solution = solve(matrix.clone(), vec![7.0, 3.0, 0.0]).unwrap();
        assert!(solution.iter().zip([1.0, 2.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-14));
        let inverse = inverse(matrix.clone()).unwrap();
        for (i, row) in matrix.iter().enumerate() {
            for j in 0..3 {
                let entry: f64 = row.iter().zip(&inverse).map(|(a, b)| a * b[j]).sum();
                assert!((entry - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
        assert!(solve(vec![vec![1.0, 2.0], vec![2.0, 4.0]], vec![1.0, 2.0]).is_none());
    }
}
