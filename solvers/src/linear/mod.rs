//! Linear algebra and linear programs; knows no games.

pub(crate) mod approximate;
pub(crate) mod dense;
pub(crate) mod dictionary;
pub(crate) mod face;
pub(crate) mod integers;
pub(crate) mod interval;
pub(crate) mod isolate;
mod kernel;
pub(crate) mod lu;
pub(crate) mod projection;
pub(crate) mod simplex;
pub(crate) mod wide;

/// A system `A z <= b`, `z >= 0` with slacks, in a basis: what complementary pivoting needs of it.
pub(crate) trait Tableau: Clone {
    /// Why the arithmetic gives up.
    type Failure;

    /// Variables that may be positive, row by row.
    fn basic(&self) -> &[usize];

    /// The column of a variable, if it is cobasic.
    fn column_of(&self, variable: usize) -> Option<usize>;

    /// The row whose variable leaves when that of `column` enters; none if no row stops it.
    fn leaving(&mut self, column: usize) -> Result<Option<usize>, Self::Failure>;

    /// Exchanges the variables of `row` and `column`.
    fn pivot(&mut self, row: usize, column: usize) -> Result<(), Self::Failure>;

    /// The values of the variables `first..first + count` as a distribution, as exact as the
    /// arithmetic can make them; none if they are all zero.
    fn distribution(
        &mut self,
        first: usize,
        count: usize,
    ) -> Result<Option<Vec<f64>>, Self::Failure>;
}

/// Lanes of a scalar product: partial sums that a processor can form side by side.
const LANES: usize = 16;

/// The scalar product, in one fixed order that does not depend on the processor: entry `i` is
/// added to partial sum `i mod 16`, and the partial sums are added from left to right.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += a * b;
    }
    sums.iter().sum()
}

/// `a += factor * b`.
pub(crate) fn add_multiple(a: &mut [f64], factor: f64, b: &[f64]) {
    if factor != 0.0 {
        for (a, &b) in a.iter_mut().zip(b) {
            *a += factor * b;
        }
    }
}
