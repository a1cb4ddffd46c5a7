//! Small dense systems in double precision.

/// Solves `matrix * X = right` by Gaussian elimination with partial pivoting, entries measured by
/// the largest of their row; `right` holds the rows of the right-hand sides.
///
/// None if the matrix is singular to rounding: a pivot below 1e-13 times the largest entry that its
/// row had.
pub(crate) fn solve_all(
    mut matrix: Vec<Vec<f64>>,
    mut right: Vec<Vec<f64>>,
) -> Option<Vec<Vec<f64>>> {
    let n = right.len();
    let largest = |row: &Vec<f64>| row.iter().fold(0.0_f64, |most, entry| most.max(entry.abs()));
    let mut scales: Vec<f64> = matrix.iter().map(largest).collect();
    for k in 0..n {
        let size = |row: usize| matrix[row][k].abs() / scales[row].max(f64::MIN_POSITIVE);
        let pivot = (k..n).max_by(|&a, &b| size(a).total_cmp(&size(b)))?;
        if size(pivot).is_nan() || size(pivot) <= 1e-13 {
            return None;
        }
        scales.swap(k, pivot);
        matrix.swap(k, pivot);
        right.swap(k, pivot);
        for row in k + 1..n {
            let factor = matrix[row][k] / matrix[k][k];
            if factor != 0.0 {
                subtract(&mut matrix, row, k, factor);
                subtract(&mut right, row, k, factor);
            }
        }
    }
    for k in (0..n).rev() {
        for (column, &factor) in matrix[k].iter().enumerate().skip(k + 1) {
            subtract(&mut right, k, column, factor);
        }
        let pivot = matrix[k][k];
        for entry in &mut right[k] {
            *entry /= pivot;
        }
    }
    Some(right)
}

/// Solves `matrix * x = right`, as [`solve_all`].
pub(crate) fn solve(matrix: Vec<Vec<f64>>, right: Vec<f64>) -> Option<Vec<f64>> {
    let columns = right.into_iter().map(|entry| vec![entry]).collect();
    Some(solve_all(matrix, columns)?.into_iter().flatten().collect())
}

/// The inverse, as [`solve_all`].
pub(crate) fn inverse(matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let n = matrix.len();
    let unit = |k: usize| (0..n).map(|j| f64::from(u8::from(j == k))).collect();
    solve_all(matrix, (0..n).map(unit).collect())
}

/// Takes `factor` times row `by` from row `from`; the rows differ.
fn subtract(rows: &mut [Vec<f64>], from: usize, by: usize, factor: f64) {
    let (low, high) = rows.split_at_mut(from.max(by));
    let (target, source) =
        if from < by { (&mut low[from], &high[0]) } else { (&mut high[0], &low[by]) };
    target.iter_mut().zip(source).for_each(|(entry, by)| *entry -= factor * by);
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
