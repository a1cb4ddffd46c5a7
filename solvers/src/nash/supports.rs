//! Sets of actions: in which order supports are looked at.

use crate::game::NormalForm;
use crate::solution::SolveError;

/// Supports are masks of one machine word.
const MOST_ACTIONS: usize = 63;

/// Refuses games whose supports do not fit.
pub(crate) fn check_actions(solver: &'static str, game: &NormalForm) -> Result<(), SolveError> {
    let most = game.shape().iter().copied().max().unwrap_or(0);
    if most > MOST_ACTIONS {
        return Err(SolveError::TooLarge {
            solver,
            what: "actions of one player",
            size: most as u64,
            limit: MOST_ACTIONS as u64,
        });
    }
    Ok(())
}

/// The subsets of `0..n` with `size` elements as bit masks, in the order of their numbers.
///
/// `n` is at most 63.
pub(crate) fn of_size(n: usize, size: usize) -> impl Iterator<Item = u64> {
    let first = (size <= n).then(|| (1_u64 << size) - 1);
    std::iter::successors(first, |&set| {
        if set == 0 {
            return None;
        }
        // Gosper's hack: the next number with as many bits.
        let lowest = set & set.wrapping_neg();
        let ripple = set.checked_add(lowest)?;
        Some(ripple | (((set ^ ripple) >> 2) / lowest))
    })
    .take_while(move |&set| set < 1 << n)
}

/// The set's elements, ascending.
pub(crate) fn members(set: u64) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(set), |&set| Some(set & set.wrapping_sub(1)))
        .take_while(|&set| set != 0)
        .map(|set| set.trailing_zeros() as usize)
}

/// The subset of `whole` that consists of its elements number `chosen`.
pub(crate) fn among(whole: u64, chosen: u64) -> u64 {
    members(whole)
        .enumerate()
        .filter(|(number, _)| chosen & (1 << number) != 0)
        .fold(0, |set, (_, element)| set | 1 << element)
}

/// All combinations of support sizes (from 1 on), in the order of Porter, Nudelman and Shoham,
/// "Simple search methods for finding a Nash equilibrium", Games and Economic Behavior 63 (2008).
///
/// Two players: balanced ones first, then small ones; more players: small ones first, then
/// balanced ones.
pub(crate) fn sizes(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for &actions in shape {
        all = all
            .into_iter()
            .flat_map(|sizes: Vec<usize>| {
                (1..=actions).map(move |size| [sizes.as_slice(), &[size]].concat())
            })
            .collect();
    }
    let key = |sizes: &Vec<usize>| {
        let total: usize = sizes.iter().sum();
        let least = sizes.iter().min().copied().unwrap_or(0);
        let imbalance = sizes.iter().max().copied().unwrap_or(0) - least;
        if shape.len() == 2 { (imbalance, total) } else { (total, imbalance) }
    };
    // Stable, so ties keep the lexicographic order.
    all.sort_by_key(key);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_by_size() {
        assert_eq!(of_size(4, 2).collect::<Vec<_>>(), [3, 5, 6, 9, 10, 12]);
        assert_eq!(of_size(3, 0).collect::<Vec<_>>(), [0]);
        assert_eq!(of_size(3, 3).collect::<Vec<_>>(), [7]);
        assert_eq!(of_size(3, 4).count(), 0);
        assert_eq!(of_size(63, 1).count(), 63);
        assert_eq!(of_size(63, 62).count(), 63);
        assert_eq!(members(0b1010_0001).collect::<Vec<_>>(), [0, 5, 7]);
        assert_eq!(among(0b1010_0001, 0b110), 0b1010_0000);
    }

    #[test]
    fn orders_of_sizes() {
        assert_eq!(sizes(&[2, 2]), [[1, 1], [2, 2], [1, 2], [2, 1]]);
        assert_eq!(sizes(&[2, 2, 1]), [[1, 1, 1], [1, 2, 1], [2, 1, 1], [2, 2, 1]]);
    }
}
