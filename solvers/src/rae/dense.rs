//! Scalar products in a fixed order, several at once.
//!
//! A library's matrix product picks its kernel, and with it the bits of the result, by the CPU.

use crate::linear::dot;

/// Partial sums of a scalar product, so that they fit vector registers.
const LANES: usize = 8;

/// The scalar products of `x` with each of `rows`, whose first `x.len()` entries count.
#[inline]
pub(super) fn dots<const R: usize>(x: &[f64], rows: [&[f64]; R]) -> [f64; R] {
    let (chunks, tail) = x.as_chunks::<LANES>();
    let rows = rows.map(|row| row[..x.len()].as_chunks::<LANES>());
    let mut sums = [[0.0; LANES]; R];
    for (place, chunk) in chunks.iter().enumerate() {
        for (sums, (row, _)) in sums.iter_mut().zip(&rows) {
            for ((sum, a), b) in sums.iter_mut().zip(chunk).zip(&row[place]) {
                *sum += a * b;
            }
        }
    }
    let mut products = sums.map(total);
    for (product, (_, rest)) in products.iter_mut().zip(&rows) {
        *product += tail.iter().zip(*rest).map(|(a, b)| a * b).sum::<f64>();
    }
    products
}

/// Not inlined, for then the compiler would spread the loop before it over the rows, not the lanes,
/// which is two to three times slower.
#[inline(never)]
fn total(sums: [f64; LANES]) -> f64 {
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

/// The scalar products of `x` with the rows that `row` names, for each of `of`.
pub(super) fn dots_with<'a>(x: &[f64], of: &[usize], row: impl Fn(usize) -> &'a [f64]) -> Vec<f64> {
    let (fours, rest) = of.as_chunks::<4>();
    let mut products = Vec::with_capacity(of.len());
    for four in fours {
        products.extend(dots(x, four.map(&row)));
    }
    products.extend(rest.iter().map(|&a| dot(x, row(a))));
    products
}

/// Solves `L x = right` for several right-hand sides from the places on that `x` already has;
/// `factor` holds the rows of `L` up to the diagonal.
pub(super) fn forward<const R: usize>(
    factor: &[Vec<f64>],
    x: &mut [Vec<f64>; R],
    right: &[Vec<f64>; R],
) {
    let start = x.first().map_or(0, Vec::len);
    for (k, row) in factor.iter().enumerate().skip(start) {
        let done = dots(&row[..k], x.each_ref().map(Vec::as_slice));
        for ((x, right), done) in x.iter_mut().zip(right).zip(done) {
            x.push((right[k] - done) / row[k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_at_once_are_those_one_by_one() {
        for length in [0, 1, 7, 8, 9, 31] {
            let of = |seed: f64| (0..length).map(|i| seed + f64::from(i) / 7.0).collect::<Vec<_>>();
            let (x, rows) = (of(0.3), [1.0, 2.0, 3.0, 4.0, 5.0].map(of));
            let products = dots_with(&x, &[0, 1, 2, 3, 4], |a| &rows[a]);
            for (row, product) in rows.iter().zip(products) {
                let plain: f64 = x.iter().zip(row).map(|(a, b)| a * b).sum();
                assert!((product - plain).abs() < 1e-12 * (1.0 + plain));
            }
        }
    }

    #[test]
    fn forward_goes_on_from_what_is_there() {
        let factor = [vec![2.0], vec![1.0, 4.0], vec![3.0, 5.0, 8.0]];
        let right = [vec![2.0, 9.0, 29.0], vec![4.0, 6.0, 19.0]];
        let mut x = [vec![1.0], vec![2.0]];
        forward(&factor, &mut x, &right);
        assert_eq!(x, [vec![1.0, 2.0, 2.0], vec![2.0, 1.0, 1.0]]);
    }
}
