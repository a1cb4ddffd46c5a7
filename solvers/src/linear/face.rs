//! Points inside faces of a polytope, exactly.

use std::cmp::Ordering;

use super::Tableau;
use super::dictionary::{Dictionary, Polytope, Widen};

/// A point with every variable positive at which the rows of `tight` hold as equalities, scaled to
/// sum 1; none if there is no such point.
///
/// `tight` has bit `r` for row `r` and must not be 0; the polytope must be bounded, with its
/// variables numbered before its slacks.
/// If there are several such points, the answer is the average of vertices of that face, enough of
/// them for all variables to be positive; if there is one, it is that.
///
/// Linear programs one after another in one dictionary: every tight slack is minimised, and as soon
/// as its minimum is known to be 0, the variables that would raise it stay 0; then every variable
/// is raised that is still 0.
pub(crate) fn point_inside<const W: usize>(
    polytope: &Polytope,
    tight: u64,
) -> Result<Option<Vec<f64>>, Widen> {
    let count = polytope.variables.len();
    let mut dictionary = Dictionary::<W>::new(polytope)?;
    let mut fixed = vec![false; count + polytope.slacks.len()];
    for row in (0..polytope.slacks.len()).filter(|row| tight & (1 << row) != 0) {
        if !vanish(&mut dictionary, count + row, &mut fixed)? {
            return Ok(None);
        }
    }
    let Some(mut sum) = dictionary.distribution(0, count)? else { return Ok(None) };
    let mut vertices = 1.0;
    for variable in 0..count {
        if sum[variable] > 0.0 {
            continue;
        }
        let Some(vertex) = rise(&mut dictionary, variable, &fixed)? else { return Ok(None) };
        sum.iter_mut().zip(vertex).for_each(|(sum, share)| *sum += share);
        vertices += 1.0;
    }
    Ok(Some(sum.into_iter().map(|share| share / vertices).collect()))
}

/// Brings a slack to 0 and fixes what would raise it again; false if it cannot be 0.
fn vanish<const W: usize>(
    dictionary: &mut Dictionary<W>,
    slack: usize,
    fixed: &mut [bool],
) -> Result<bool, Widen> {
    loop {
        let Some(row) = dictionary.row_of(slack) else {
            fixed[slack] = true;
            return Ok(true);
        };
        let falls = |column: &usize| {
            !fixed[dictionary.cobasic()[*column]]
                && dictionary.sign(row, *column) == Ordering::Greater
        };
        if let Some(column) = (0..dictionary.columns()).find(falls) {
            // Its own row stops it at the latest.
            if let Some(leaving) = dictionary.leaving(column)? {
                dictionary.pivot(leaving, column)?;
            }
            continue;
        }
        if !dictionary.scaled_value(row).is_zero() {
            return Ok(false);
        }
        for (column, &variable) in dictionary.cobasic().iter().enumerate() {
            fixed[variable] |= dictionary.sign(row, column) != Ordering::Equal;
        }
        return Ok(true);
    }
}

/// Raises a variable until it is positive and gives the vertex; none if it cannot be.
fn rise<const W: usize>(
    dictionary: &mut Dictionary<W>,
    variable: usize,
    fixed: &[bool],
) -> Result<Option<Vec<f64>>, Widen> {
    let count = fixed.len() - dictionary.basic().len();
    loop {
        let column = if let Some(row) = dictionary.row_of(variable) {
            if !dictionary.scaled_value(row).is_zero() {
                return dictionary.distribution(0, count);
            }
            let rises = |column: &usize| {
                !fixed[dictionary.cobasic()[*column]]
                    && dictionary.sign(row, *column) == Ordering::Less
            };
            (0..dictionary.columns()).find(rises)
        } else {
            dictionary.column_of(variable).filter(|_| !fixed[variable])
        };
        let Some(column) = column else { return Ok(None) };
        let Some(leaving) = dictionary.leaving(column)? else { return Ok(None) };
        dictionary.pivot(leaving, column)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(columns: usize, matrix: &[i128], tight: u64) -> Option<Vec<f64>> {
        let rows = matrix.len() / columns;
        let polytope = Polytope {
            matrix: matrix.to_vec(),
            variables: (0..columns).collect(),
            slacks: (columns..columns + rows).collect(),
        };
        point_inside::<2>(&polytope, tight).unwrap()
    }

    #[test]
    fn one_point_several_and_none() {
        // 2x + y <= 1 and x + 2y <= 1 meet in (1/3, 1/3).
        assert_eq!(point(2, &[2, 1, 1, 2], 0b11), Some(vec![0.5, 0.5]));
        // On one of them alone, the ends (1/2, 0) and (1/3, 1/3), as distributions.
        assert_eq!(point(2, &[2, 1, 1, 2], 0b01), Some(vec![0.75, 0.25]));
        // 2x + y <= 1 holds nowhere as an equality where 3x + 2y <= 1.
        assert_eq!(point(2, &[2, 1, 3, 2], 0b01), None);
    }

    #[test]
    fn more_rows_than_variables() {
        // Three lines through (1/3, 1/3), then one that misses it.
        assert_eq!(point(2, &[2, 1, 1, 2, 4, -1], 0b111), Some(vec![0.5, 0.5]));
        assert_eq!(point(2, &[2, 1, 1, 2, 5, -3], 0b111), None);
        // Both rows are tight at (0, 1) alone, where x is not positive.
        assert_eq!(point(2, &[2, 1, 3, 1], 0b11), None);
        // The same row twice: a whole edge.
        assert_eq!(point(2, &[2, 1, 2, 1], 0b11), Some(vec![0.5, 0.5]));
    }
}
