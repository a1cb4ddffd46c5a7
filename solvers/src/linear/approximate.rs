//! Dictionaries in double precision that know when they do not know.
//!
//! The same systems as [`dictionary`](super::dictionary), hundreds of times faster for large ones.
//! Whenever a decision hangs on a difference that rounding could have made, the answer is
//! [`Unsure`] and the caller starts again in exact arithmetic.

use super::Tableau;
use super::dictionary::Polytope;

/// Rounding may have decided; ask the exact arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsure;

/// Relative differences below this are not trusted.
const MARGIN: f64 = 1e-9;

/// Pivots after which the dictionary is computed afresh from the original matrix.
const REFRESH: usize = 40;

/// `A z <= 1`, `z >= 0` in a basis, like the exact dictionary but with determinant 1.
#[derive(Clone, Debug)]
pub(crate) struct Approximate {
    /// `[rows, columns + 1]` row-major; the last column is the right-hand side.
    entries: Vec<f64>,
    original: Vec<f64>,
    columns: usize,
    basic: Vec<usize>,
    cobasic: Vec<usize>,
    original_basic: Vec<usize>,
    original_cobasic: Vec<usize>,
    age: usize,
}

impl Approximate {
    /// The dictionary in which all slacks are basic, the matrix mapped affinely to `1..=2`.
    ///
    /// The map only moves the polytope projectively: paths along its edges stay the same.
    pub(crate) fn new(polytope: &Polytope) -> Self {
        let columns = polytope.variables.len();
        let least = polytope.matrix.iter().copied().min().unwrap_or(0);
        let largest = polytope.matrix.iter().copied().max().unwrap_or(1);
        let range = (largest - least).max(1) as f64;
        let mut entries = Vec::with_capacity(polytope.slacks.len() * (columns + 1));
        for row in polytope.matrix.chunks_exact(columns) {
            entries.extend(row.iter().map(|&entry| 1.0 + (entry - least) as f64 / range));
            entries.push(1.0);
        }
        Self {
            original: entries.clone(),
            entries,
            columns,
            basic: polytope.slacks.clone(),
            cobasic: polytope.variables.clone(),
            original_basic: polytope.slacks.clone(),
            original_cobasic: polytope.variables.clone(),
            age: 0,
        }
    }

    fn entry(&self, row: usize, column: usize) -> f64 {
        self.entries[row * (self.columns + 1) + column]
    }

    fn exchange(&mut self, row: usize, column: usize) {
        let width = self.columns + 1;
        let (above, rest) = self.entries.split_at_mut(row * width);
        let (pivot_row, below) = rest.split_at_mut(width);
        let inverse = 1.0 / pivot_row[column];
        for entry in pivot_row.iter_mut() {
            *entry *= inverse;
        }
        pivot_row[column] = inverse;
        for other in above.chunks_exact_mut(width).chain(below.chunks_exact_mut(width)) {
            let factor = other[column];
            if factor != 0.0 {
                other[column] = 0.0;
                for (entry, &by) in other.iter_mut().zip(pivot_row.iter()) {
                    *entry -= factor * by;
                }
            }
        }
        std::mem::swap(&mut self.basic[row], &mut self.cobasic[column]);
    }

    /// Computes the dictionary of the present basis from the original matrix, by Gauss-Jordan
    /// elimination with the largest pivot available.
    ///
    /// # Errors
    ///
    /// [`Unsure`] if the basis is nearly singular or if values had drifted.
    fn refresh(&mut self) -> Result<(), Unsure> {
        let target = std::mem::replace(&mut self.basic, self.original_basic.clone());
        self.cobasic.clone_from(&self.original_cobasic);
        let drifted = std::mem::replace(&mut self.entries, self.original.clone());
        let mut is_wanted = vec![false; target.len() + self.columns];
        for &variable in &target {
            is_wanted[variable] = true;
        }
        let wanted = |variable: usize| is_wanted[variable];
        loop {
            let mut largest = MARGIN;
            let mut place = None;
            let mut left = false;
            for (column, &entering) in self.cobasic.iter().enumerate() {
                if !wanted(entering) {
                    continue;
                }
                left = true;
                for (row, &leaving) in self.basic.iter().enumerate() {
                    let size = self.entry(row, column).abs();
                    if size > largest && !wanted(leaving) {
                        largest = size;
                        place = Some((row, column));
                    }
                }
            }
            match place {
                Some((row, column)) => self.exchange(row, column),
                None if left => return Err(Unsure),
                None => break,
            }
        }
        self.age = 0;
        let width = self.columns + 1;
        let largest =
            (0..target.len()).fold(0.0, |m: f64, row| m.max(self.entry(row, self.columns)));
        for (row, variable) in self.basic.iter().enumerate() {
            let was = target.iter().position(|old| old == variable).ok_or(Unsure)?;
            let drift = self.entry(row, self.columns) - drifted[was * width + self.columns];
            if drift.abs() > 0.01 * MARGIN * largest {
                return Err(Unsure);
            }
        }
        Ok(())
    }
}

impl Tableau for Approximate {
    type Failure = Unsure;

    fn basic(&self) -> &[usize] {
        &self.basic
    }

    fn column_of(&self, variable: usize) -> Option<usize> {
        self.cobasic.iter().position(|&cobasic| cobasic == variable)
    }

    /// The row of least ratio for an entering column, if it is least beyond doubt.
    fn leaving(&mut self, column: usize) -> Result<Option<usize>, Unsure> {
        let rows = self.basic.len();
        let largest = (0..rows).fold(0.0, |m: f64, row| m.max(self.entry(row, column).abs()));
        let mut best = f64::INFINITY;
        let mut second = f64::INFINITY;
        let mut leaving = None;
        // The least ratio that a row could have whose entry may as well be zero.
        let mut doubtful = f64::INFINITY;
        for row in 0..rows {
            let entry = self.entry(row, column);
            if entry.abs() <= MARGIN * largest {
                doubtful = doubtful.min(self.entry(row, self.columns) / (MARGIN * largest));
            } else if entry > 0.0 {
                let ratio = self.entry(row, self.columns) / entry;
                if ratio < best {
                    second = best;
                    best = ratio;
                    leaving = Some(row);
                } else if ratio < second {
                    second = ratio;
                }
            }
        }
        let second = second.min(doubtful);
        if (second.is_finite() && second - best <= MARGIN * second) || best <= 0.0 {
            return Err(Unsure);
        }
        Ok(leaving)
    }

    /// Exchanges the variables of `row` and `column`.
    fn pivot(&mut self, row: usize, column: usize) -> Result<(), Unsure> {
        self.exchange(row, column);
        self.age += 1;
        if self.age >= REFRESH { self.refresh() } else { Ok(()) }
    }

    fn distribution(&mut self, first: usize, count: usize) -> Result<Option<Vec<f64>>, Unsure> {
        self.refresh()?;
        let mut values = vec![0.0; count];
        for (row, &variable) in self.basic.iter().enumerate() {
            if (first..first + count).contains(&variable) {
                values[variable - first] = self.entry(row, self.columns).max(0.0);
            }
        }
        let total: f64 = values.iter().sum();
        Ok((total > 0.0).then(|| values.iter().map(|value| value / total).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_and_zeros_are_not_decided() {
        let tie = Polytope { matrix: vec![2, 1, 2, 3], variables: vec![0, 1], slacks: vec![2, 3] };
        let mut dictionary = Approximate::new(&tie);
        assert_eq!(dictionary.leaving(0), Err(Unsure));
        assert_eq!(dictionary.leaving(1), Ok(Some(1)));
        // After `0` entered, the entries of column 1 are 1 - 1 = 0 and 2.
        let zero = Polytope { matrix: vec![2, 2, 1, 3], variables: vec![0, 1], slacks: vec![2, 3] };
        let mut dictionary = Approximate::new(&zero);
        let row = dictionary.leaving(0).unwrap().unwrap();
        dictionary.pivot(row, 0).unwrap();
        dictionary.entries[1] = 1e-12;
        dictionary.entries[2] = 1e-12;
        assert_eq!(dictionary.leaving(1), Err(Unsure));
    }

    #[test]
    fn a_fresh_dictionary_equals_the_pivoted_one() {
        let polytope = Polytope {
            matrix: vec![3, 1, 2, 5, 2, 7, 1, 4, 6],
            variables: vec![0, 1, 2],
            slacks: vec![3, 4, 5],
        };
        let mut pivoted = Approximate::new(&polytope);
        for column in [0, 2] {
            let row = pivoted.leaving(column).unwrap().unwrap();
            pivoted.exchange(row, column);
        }
        let shares = |tableau: &Approximate| -> Vec<f64> {
            (0..3).map(|row| tableau.entry(row, 3)).collect()
        };
        let mut fresh = pivoted.clone();
        fresh.refresh().unwrap();
        let (old, new) = (shares(&pivoted), shares(&fresh));
        assert!(old.iter().zip(&new).all(|(a, b)| (a - b).abs() < 1e-14));
    }
}
