//! Dense LU factors with row exchanges.

/// `P K = L U` of a square matrix, row-major.
#[derive(Clone, Debug)]
pub(crate) struct Lu {
    size: usize,
    /// `L` below the diagonal (its own diagonal is 1), `U` on and above it.
    entries: Vec<f64>,
    /// `order[t]` is the row of `K` that became row `t`.
    order: Vec<usize>,
}

impl Lu {
    /// Factors a matrix with partial pivoting; none if it is singular to rounding: no pivot above
    /// `smallest` times the largest entry.
    pub(crate) fn new(size: usize, mut entries: Vec<f64>, smallest: f64) -> Option<Self> {
        debug_assert_eq!(entries.len(), size * size, "a square matrix");
        let largest = entries.iter().fold(0.0, |m: f64, entry| m.max(entry.abs()));
        let mut order: Vec<usize> = (0..size).collect();
        for t in 0..size {
            let mut best = t;
            for row in t + 1..size {
                if entries[row * size + t].abs() > entries[best * size + t].abs() {
                    best = row;
                }
            }
            let pivot = entries[best * size + t];
            if pivot.is_nan() || pivot.abs() <= smallest * largest {
                return None;
            }
            if best != t {
                order.swap(best, t);
                let (above, below) = entries.split_at_mut(best * size);
                above[t * size..(t + 1) * size].swap_with_slice(&mut below[..size]);
            }
            let (above, below) = entries.split_at_mut((t + 1) * size);
            let pivot_row = &above[t * size + t + 1..];
            for row in below.chunks_exact_mut(size) {
                let factor = row[t] / pivot;
                row[t] = factor;
                if factor != 0.0 {
                    for (entry, &by) in row[t + 1..].iter_mut().zip(pivot_row) {
                        *entry -= factor * by;
                    }
                }
            }
        }
        Some(Self { size, entries, order })
    }

    /// `z` with `K z = right`.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = self.size;
        let mut z: Vec<f64> = self.order.iter().map(|&row| right[row]).collect();
        for t in 0..n {
            let (done, rest) = z.split_at_mut(t);
            rest[0] -= super::dot(&self.entries[t * n..t * n + t], done);
        }
        for t in (0..n).rev() {
            let (head, done) = z.split_at_mut(t + 1);
            let row = &self.entries[t * n..(t + 1) * n];
            head[t] = (head[t] - super::dot(&row[t + 1..], done)) / row[t];
        }
        z
    }

    /// `z` with `z K = right`.
    pub(crate) fn solve_transposed(&self, right: &[f64]) -> Vec<f64> {
        let n = self.size;
        let mut work = right.to_vec();
        for t in 0..n {
            let row = &self.entries[t * n..(t + 1) * n];
            work[t] /= row[t];
            let value = work[t];
            for (entry, &by) in work[t + 1..].iter_mut().zip(&row[t + 1..]) {
                *entry -= value * by;
            }
        }
        for t in (0..n).rev() {
            let value = work[t];
            for (entry, &by) in work[..t].iter_mut().zip(&self.entries[t * n..t * n + t]) {
                *entry -= value * by;
            }
        }
        let mut z = vec![0.0; n];
        for (&row, value) in self.order.iter().zip(work) {
            z[row] = value;
        }
        z
    }

    /// The inverse, row-major.
    pub(crate) fn inverse(&self) -> Vec<f64> {
        let n = self.size;
        // Row by row: `z K = e_t` gives row `t`.
        let mut unit = vec![0.0; n];
        let mut inverse = Vec::with_capacity(n * n);
        for t in 0..n {
            unit[t] = 1.0;
            inverse.extend(self.solve_transposed(&unit));
            unit[t] = 0.0;
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRIX: [f64; 9] = [0.0, 2.0, 1.0, 4.0, -1.0, 3.0, 2.0, 5.0, -2.0];

    #[test]
    fn both_sides_and_the_inverse() {
        let lu = Lu::new(3, MATRIX.to_vec(), 1e-13).unwrap();
        let z = lu.solve(&[7.0, 11.0, 6.0]);
        for (row, right) in MATRIX.chunks_exact(3).zip([7.0, 11.0, 6.0]) {
            assert!((super::super::dot(row, &z) - right).abs() < 1e-14);
        }
        let z = lu.solve_transposed(&[1.0, 2.0, 3.0]);
        for column in 0..3 {
            let sum: f64 = (0..3).map(|row| z[row] * MATRIX[3 * row + column]).sum();
            assert!((sum - (column + 1) as f64).abs() < 1e-14);
        }
        let inverse = lu.inverse();
        for row in 0..3 {
            for column in 0..3 {
                let sum: f64 = (0..3).map(|t| MATRIX[3 * row + t] * inverse[3 * t + column]).sum();
                assert!((sum - f64::from(u8::from(row == column))).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn singular_matrices_are_refused() {
        assert!(Lu::new(2, vec![1.0, 2.0, 2.0, 4.0], 1e-13).is_none());
        assert!(Lu::new(1, vec![f64::NAN], 1e-13).is_none());
        assert_eq!(Lu::new(0, vec![], 1e-13).unwrap().inverse(), Vec::<f64>::new());
    }
}
