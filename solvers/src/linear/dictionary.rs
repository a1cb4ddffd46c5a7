//! Exact dictionaries with lexicographic ratio tests, by fraction-free (integer) pivoting.
//!
//! A system `A z <= b`, `z >= 0` with slacks is kept as: every basic variable equals its
//! right-hand side minus the cobasic variables times their entries, all over one common
//! denominator, the determinant of the basis.
//! Entries are minors of the original matrix, so they stay integers and Hadamard's inequality
//! bounds them beforehand: the number of words is chosen once and nothing can overflow.
//!
//! Sources: Edmonds 1967 and Bareiss 1968 for the integers; Avis' lrs and von Stengel's chapter
//! "Computing equilibria for two-person games" (2002) for their use in games.

use std::cmp::Ordering;

use super::Tableau;
use super::wide::{Divisor, Scaled, Wide};

/// The arithmetic needs more words than it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Widen;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Basic(usize),
    Cobasic(usize),
}

/// `A z <= b` in a basis; variables carry the numbers that the caller gave them.
#[derive(Clone, Debug)]
pub(crate) struct Dictionary<const W: usize> {
    /// `[rows, columns + 1]` row-major; the last column is the right-hand side.
    entries: Vec<Wide<W>>,
    columns: usize,
    determinant: Wide<W>,
    divisor: Divisor<W>,
    /// Bounds on minors by their order.
    bits: Vec<u32>,
    /// Whether a variable is not a slack.
    structural: Vec<bool>,
    /// Number of structural variables in the basis, the order of the determinant.
    order: usize,
    basic: Vec<usize>,
    cobasic: Vec<usize>,
    place: Vec<Place>,
    /// Slack variables in the order of the perturbation of their rows.
    slacks: Vec<usize>,
    candidates: Vec<usize>,
}

/// A problem from which dictionaries of any width are made: `A z <= 1`, `z >= 0`.
#[derive(Clone, Debug)]
pub(crate) struct Polytope {
    /// `[rows, columns]` row-major.
    pub(crate) matrix: Vec<i128>,
    /// Numbers of the variables `z`; together with `slacks` they are `0..rows + columns`.
    pub(crate) variables: Vec<usize>,
    /// Numbers of the slack variables, one per row.
    pub(crate) slacks: Vec<usize>,
}

impl Polytope {
    /// Bits that minors of `[A I 1]` may take, without their sign, by their order in `A`
    /// (Hadamard): entry `k` is for orders up to `k`, the last one for all.
    pub(crate) fn minor_bits(&self) -> Vec<u32> {
        let columns = self.variables.len().max(1);
        let rows: Vec<(f64, f64)> = self
            .matrix
            .chunks_exact(columns)
            .map(|row| {
                let squares: f64 = row.iter().map(|&entry| entry as f64 * entry as f64).sum();
                let largest =
                    row.iter().fold(1.0, |most: f64, &entry| most.max(entry.abs() as f64));
                (squares + 1.0, largest * largest)
            })
            .collect();
        (0..=rows.len())
            .map(|order| {
                // A row's part in such a minor has `order` entries.
                let norm = |&(whole, largest): &(f64, f64)| whole.min(largest * order as f64);
                let mut logarithms: Vec<f64> =
                    rows.iter().map(|row| 0.5 * libm::log2(norm(row).max(1.0))).collect();
                logarithms.sort_by(|a, b| b.total_cmp(a));
                // The 1 makes good for rounding in the logarithms.
                logarithms[..order].iter().sum::<f64>().ceil() as u32 + 1
            })
            .collect()
    }
}

/// Whether `W` words hold all numbers of a basis of this order, after a division that loses bits.
///
/// Entries are minors of one order more, comparisons of ratios of two more (Sylvester).
fn fits<const W: usize>(bits: &[u32], order: usize, lost: u32) -> bool {
    let needed = bits.get(order + 2).or(bits.last()).copied().unwrap_or(0);
    needed + 1 + lost <= 64 * W as u32
}

fn structural(polytope: &Polytope) -> Vec<bool> {
    let mut structural = vec![false; polytope.variables.len() + polytope.slacks.len()];
    for &variable in &polytope.variables {
        structural[variable] = true;
    }
    structural
}

impl<const W: usize> Dictionary<W> {
    /// The dictionary in which all slacks are basic.
    pub(crate) fn new(polytope: &Polytope) -> Result<Self, Widen> {
        let columns = polytope.variables.len();
        let bits = polytope.minor_bits();
        if !fits::<W>(&bits, 0, 0) {
            return Err(Widen);
        }
        let one = Wide::from_i128(1);
        let mut entries = Vec::with_capacity(polytope.slacks.len() * (columns + 1));
        for row in polytope.matrix.chunks_exact(columns) {
            entries.extend(row.iter().map(|&entry| Wide::from_i128(entry)));
            entries.push(one);
        }
        let mut place = vec![Place::Basic(0); columns + polytope.slacks.len()];
        for (row, &slack) in polytope.slacks.iter().enumerate() {
            place[slack] = Place::Basic(row);
        }
        for (column, &variable) in polytope.variables.iter().enumerate() {
            place[variable] = Place::Cobasic(column);
        }
        Ok(Self {
            entries,
            columns,
            determinant: one,
            divisor: Divisor::new(one),
            bits,
            structural: structural(polytope),
            order: 0,
            basic: polytope.slacks.clone(),
            cobasic: polytope.variables.clone(),
            place,
            slacks: polytope.slacks.clone(),
            candidates: Vec::new(),
        })
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Variables that are zero, column by column.
    pub(crate) fn cobasic(&self) -> &[usize] {
        &self.cobasic
    }

    /// The row of a variable, if it is basic.
    pub(crate) fn row_of(&self, variable: usize) -> Option<usize> {
        match self.place[variable] {
            Place::Basic(row) => Some(row),
            Place::Cobasic(_) => None,
        }
    }

    /// Whether the variable of `row` falls (`Greater`), stays or rises (`Less`) as that of `column`
    /// grows.
    pub(crate) fn sign(&self, row: usize, column: usize) -> Ordering {
        self.entry(row, column).sign()
    }

    /// The value of a basic variable times the (positive) determinant.
    pub(crate) fn scaled_value(&self, row: usize) -> Wide<W> {
        self.entry(row, self.columns)
    }

    #[inline]
    fn entry(&self, row: usize, column: usize) -> Wide<W> {
        self.entries[row * (self.columns + 1) + column]
    }

    /// Keeps the rows with the least ratio of entries `numerator` to `denominator`.
    fn keep_least(&self, candidates: &mut Vec<usize>, numerator: usize, denominator: usize) {
        let Some(&first) = candidates.first() else { return };
        let mut best = first;
        let mut kept = 1;
        for at in 1..candidates.len() {
            let row = candidates[at];
            let left = self.entry(row, numerator).mul(self.entry(best, denominator));
            let right = self.entry(best, numerator).mul(self.entry(row, denominator));
            match self.divisor.divide(left.sub(right)).sign() {
                Ordering::Less => {
                    best = row;
                    candidates[0] = row;
                    kept = 1;
                }
                Ordering::Equal => {
                    candidates[kept] = row;
                    kept += 1;
                }
                Ordering::Greater => {}
            }
        }
        candidates.truncate(kept);
    }
}

impl<const W: usize> Tableau for Dictionary<W> {
    type Failure = Widen;

    fn basic(&self) -> &[usize] {
        &self.basic
    }

    fn column_of(&self, variable: usize) -> Option<usize> {
        match self.place[variable] {
            Place::Cobasic(column) => Some(column),
            Place::Basic(_) => None,
        }
    }

    /// The row whose variable leaves when the variable of `column` enters: the least ratio, ties
    /// broken as if row `i`'s right-hand side (in the order of slacks) were raised by `eps^i`.
    ///
    /// None if the polyhedron is unbounded there.
    fn leaving(&mut self, column: usize) -> Result<Option<usize>, Widen> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        let rows = self.basic.len();
        candidates.extend((0..rows).filter(|&row| self.entry(row, column).is_positive()));
        self.keep_least(&mut candidates, self.columns, column);
        for &slack in &self.slacks {
            if candidates.len() <= 1 {
                break;
            }
            match self.place[slack] {
                // Its unit column raises this row's ratio alone.
                Place::Basic(row) => candidates.retain(|&candidate| candidate != row),
                Place::Cobasic(tie) if tie == column => {}
                Place::Cobasic(other) => self.keep_least(&mut candidates, other, column),
            }
        }
        let leaving = candidates.first().copied();
        self.candidates = candidates;
        Ok(leaving)
    }

    /// Exchanges the variable of `column` with that of `row`, whose entry must be positive.
    ///
    /// Doing it twice at the same place gives back the same dictionary.
    fn pivot(&mut self, row: usize, column: usize) -> Result<(), Widen> {
        let width = self.columns + 1;
        let pivot = self.entry(row, column);
        let next = Divisor::new(pivot);
        let order = self.order + usize::from(self.structural[self.cobasic[column]])
            - usize::from(self.structural[self.basic[row]]);
        if !fits::<W>(&self.bits, order, next.lost_bits()) {
            return Err(Widen);
        }
        self.order = order;
        let old = std::mem::replace(&mut self.divisor, next);
        // The pivot row stands apart while the others change.
        let (above, rest) = self.entries.split_at_mut(row * width);
        let (pivot_row, below) = rest.split_at_mut(width);
        for other in above.chunks_exact_mut(width).chain(below.chunks_exact_mut(width)) {
            let factor = other[column];
            if factor.is_zero() {
                for entry in other.iter_mut() {
                    *entry = old.divide(entry.mul(pivot));
                }
            } else {
                for (entry, &by) in other.iter_mut().zip(pivot_row.iter()) {
                    *entry = old.divide(entry.mul(pivot).sub(factor.mul(by)));
                }
            }
            other[column] = factor.neg();
        }
        pivot_row[column] = self.determinant;
        self.determinant = pivot;
        std::mem::swap(&mut self.basic[row], &mut self.cobasic[column]);
        self.place[self.basic[row]] = Place::Basic(row);
        self.place[self.cobasic[column]] = Place::Cobasic(column);
        Ok(())
    }

    /// The values of the variables `first..first + count`, scaled to sum 1.
    ///
    /// None if they are all zero.
    fn distribution(&mut self, first: usize, count: usize) -> Result<Option<Vec<f64>>, Widen> {
        let mut total = Wide::ZERO;
        let mut values: Vec<Option<Scaled>> = vec![None; count];
        for (row, &variable) in self.basic.iter().enumerate() {
            let value = self.scaled_value(row);
            if (first..first + count).contains(&variable) && !value.is_zero() {
                total = total.add(value);
                values[variable - first] = Some(value.to_scaled());
            }
        }
        if total.is_zero() {
            return Ok(None);
        }
        let total = total.to_scaled();
        let share = |value: &Option<Scaled>| value.map_or(0.0, |value| value.ratio(total));
        Ok(Some(values.iter().map(share).collect()))
    }
}

/// The widest numbers there are, in words of 64 bits.
pub(crate) const MOST_WORDS: usize = 80;

/// Calls `$function::<W>($arguments)` with the least of a ladder of widths that has `$words` words,
/// and again with a wider one as long as it answers `Err(Widen)`; `None` beyond the ladder.
macro_rules! at_width {
    ($words:expr, $function:ident $arguments:tt) => {
        $crate::linear::dictionary::at_width!(
            @try $words, $function $arguments, 1 2 3 4 6 8 11 16 24 32 48 80
        )
    };
    (@try $words:expr, $function:ident $arguments:tt, $($width:literal)+) => {
        'found: {
            let words: usize = $words;
            $(
                if words <= $width
                    && let Ok(answer) = $function::<$width> $arguments
                {
                    break 'found Some(answer);
                }
            )+
            None
        }
    };
}

pub(crate) use at_width;

/// Words for minors of so many bits, with some room for powers of two in determinants.
pub(crate) const fn words_for(bits: u32) -> usize {
    (bits as usize + 1 + 12).div_ceil(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square() -> Polytope {
        // x <= 1/2, y <= 1/3 as 2x <= 1, 3y <= 1.
        Polytope { matrix: vec![2, 0, 0, 3], variables: vec![0, 1], slacks: vec![2, 3] }
    }

    #[test]
    fn pivoting_walks_around_a_rectangle() {
        let mut dictionary = Dictionary::<1>::new(&square()).unwrap();
        assert_eq!(dictionary.leaving(0), Ok(Some(0)));
        dictionary.pivot(0, 0).unwrap();
        assert_eq!(dictionary.leaving(1), Ok(Some(1)));
        dictionary.pivot(1, 1).unwrap();
        // (1/2, 1/3), as a distribution (3/5, 2/5).
        assert_eq!(dictionary.distribution(0, 2), Ok(Some(vec![0.6, 0.4])));
        assert_eq!(dictionary.determinant, Wide::from_i128(6));
        dictionary.pivot(1, 1).unwrap();
        dictionary.pivot(0, 0).unwrap();
        assert_eq!(dictionary.entries, Dictionary::<1>::new(&square()).unwrap().entries);
        assert_eq!(dictionary.distribution(0, 2), Ok(None));
    }

    #[test]
    fn ties_follow_the_perturbation() {
        // Both rows bind at x = 1; the perturbed right-hand sides are 1 + eps and 1 + eps^2.
        let polytope =
            Polytope { matrix: vec![1, 0, 1, 1], variables: vec![0, 1], slacks: vec![2, 3] };
        let mut dictionary = Dictionary::<1>::new(&polytope).unwrap();
        assert_eq!(dictionary.leaving(0), Ok(Some(1)));
    }

    #[test]
    fn too_few_words_are_noticed() {
        let polytope = Polytope { matrix: vec![1 << 70], variables: vec![0], slacks: vec![1] };
        assert!(matches!(Dictionary::<1>::new(&polytope), Err(Widen)));
        let mut dictionary = Dictionary::<2>::new(&polytope).unwrap();
        // The determinant would be 2^70, of which division loses 70 bits.
        assert_eq!(dictionary.pivot(0, 0), Err(Widen));
        assert_eq!(Dictionary::<4>::new(&polytope).unwrap().pivot(0, 0), Ok(()));
    }
}
