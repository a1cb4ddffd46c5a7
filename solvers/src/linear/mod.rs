//! Linear algebra and linear programs; knows no games.

pub(crate) mod approximate;
pub(crate) mod dense;
pub(crate) mod dictionary;
pub(crate) mod face;
pub(crate) mod integers;
pub(crate) mod interval;
pub(crate) mod isolate;
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
