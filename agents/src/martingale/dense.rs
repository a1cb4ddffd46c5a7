//! Small dense matrices, by rows.

/// Solves `a x = b` for every column of `b`, `[n, columns]`, by elimination with partial pivoting; `None` if `a`
/// is singular to working precision.
pub(super) fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let n = a.len();
    let largest = a.iter().flatten().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs()))?;
        // A NaN or a zero relative to the whole matrix.
        if a[pivot][k].is_nan() || a[pivot][k].abs() <= largest * 1e-14 {
            return None;
        }
        a.swap(k, pivot);
        b.swap(k, pivot);
        for i in k + 1..n {
            let factor = a[i][k] / a[k][k];
            let (above, below) = a.split_at_mut(i);
            below[0][k..].iter_mut().zip(&above[k][k..]).for_each(|(x, y)| *x -= factor * y);
            let (above, below) = b.split_at_mut(i);
            below[0].iter_mut().zip(&above[k]).for_each(|(x, y)| *x -= factor * y);
        }
    }
    for k in (0..n).rev() {
        let row = std::mem::take(&mut a[k]);
        for (i, factor) in row.iter().enumerate().skip(k + 1) {
            let (above, below) = b.split_at_mut(i);
            above[k].iter_mut().zip(&below[0]).for_each(|(x, y)| *x -= factor * y);
        }
        for x in &mut b[k] {
            *x /= row[k];
        }
    }
    Some(b)
}

/// `a x` for a vector.
pub(super) fn apply(a: &[Vec<f64>], x: &[f64]) -> Vec<f64> {
    a.iter().map(|row| dot(row, x)).collect()
}

/// `a` times `b`.
pub(super) fn product(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let columns = transposed(b);
    a.iter().map(|row| columns.iter().map(|column| dot(row, column)).collect()).collect()
}

/// Rows become columns.
pub(super) fn transposed(a: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let columns = a.first().map_or(0, Vec::len);
    (0..columns).map(|j| a.iter().map(|row| row[j]).collect()).collect()
}

/// The sum of products, from left to right.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_solved_and_singular_ones_refused() {
        let a = vec![vec![0.0, 2.0, 1.0], vec![1.0, -1.0, 0.0], vec![3.0, 0.5, -2.0]];
        let x = vec![vec![1.0, -2.0], vec![0.5, 4.0], vec![-1.0, 0.25]];
        let found = solve(a.clone(), product(&a, &x)).unwrap();
        let worst = found.iter().flatten().zip(x.iter().flatten());
        assert!(worst.map(|(f, e)| (f - e).abs()).fold(0.0, f64::max) < 1e-14);
        assert!(solve(vec![vec![1.0, 2.0], vec![2.0, 4.0]], vec![vec![1.0], vec![1.0]]).is_none());
    }
}
