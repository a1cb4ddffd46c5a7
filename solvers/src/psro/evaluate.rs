//! What play is worth, and how much it risks.

use serde::Serialize;

use crate::game::NormalForm;
use crate::rae::{Tremble, Views};
use crate::solution::{Profile, SolveError};

/// What a mix gets against others' mixes, in a game or an empirical game.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Performance {
    /// Expected payoff.
    pub mean: f64,
    /// Variance of the mix's payoff over the others' choices.
    pub strategic_variance: f64,
    /// Variance over everybody's choices and, in an empirical game, within cells.
    pub total_variance: f64,
    /// What the mix gets against the joint choice, among those played, that hurts it most.
    pub worst: f64,
    /// Mean payoff of the worst twentieth of joint choices by probability, own ones included: the
    /// conditional value at risk at 5 %, of cell means.
    pub tail: f64,
}

/// Share of outcomes that [`Performance::tail`] looks at.
const TAIL: f64 = 0.05;

/// The mean of the worst outcomes of total probability `share`, which must be in `(0, 1]`.
///
/// Outcomes are values with probabilities of sum 1; the last one that is needed counts in part.
pub fn tail(outcomes: &[(f64, f64)], share: f64) -> f64 {
    let mut sorted = outcomes.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut left, mut sum) = (share, 0.0);
    for (value, probability) in sorted {
        let taken = probability.min(left);
        sum += taken * value;
        left -= taken;
    }
    // Rounding may leave a trace of the share.
    sum / (share - left.max(0.0))
}

/// Measures a player's part of a profile, by the game's payoffs and, if there is any, noise.
///
/// # Errors
///
/// [`SolveError`] if the profile is not one of this game.
pub fn performance(
    game: &NormalForm,
    player: usize,
    profile: &Profile,
) -> Result<Performance, SolveError> {
    game.check_profile(profile)?;
    // Noise counts in the total variance only: strategic variance is of cell means.
    let plain = Views::new(game).exposure(player, profile, Tremble::None)?;
    let noisy = Views::noisy(game, true, false).exposure(player, profile, Tremble::None)?;
    let mix = &profile[player];
    let x = ndarray::ArrayView1::from(mix);
    let views = Views::new(game);
    let payoffs = views.payoffs(player);
    let mut worst = f64::INFINITY;
    let mut outcomes = Vec::new();
    for (k, &weight) in plain.weights().iter().enumerate() {
        if weight <= 0.0 {
            continue;
        }
        let column = payoffs.column(k);
        worst = worst.min(x.dot(&column));
        let shares = column.iter().zip(mix).filter(|(_, share)| **share > 0.0);
        outcomes.extend(shares.map(|(&payoff, share)| (payoff, share * weight)));
    }
    Ok(Performance {
        mean: plain.expected(x),
        strategic_variance: plain.strategic_variance(x),
        total_variance: noisy.total_variance(x),
        worst,
        tail: tail(&outcomes, TAIL),
    })
}

/// The risk-dominant of two strict equilibria in a game of two players with two actions each: the
/// one with the larger product of what the players lose by leaving it alone.
///
/// None if the game is another one, has not two strict pure equilibria, or the products tie.
/// Source: Harsanyi and Selten, A General Theory of Equilibrium Selection in Games, 1988.
pub fn risk_dominant(game: &NormalForm) -> Option<[usize; 2]> {
    if game.shape() != [2, 2] {
        return None;
    }
    let payoff = |player: usize, at: [usize; 2]| game.payoff_tensor(player)[at.as_slice()];
    let product = |at: [usize; 2]| -> Option<f64> {
        let row = payoff(0, at) - payoff(0, [1 - at[0], at[1]]);
        let column = payoff(1, at) - payoff(1, [at[0], 1 - at[1]]);
        (row > 0.0 && column > 0.0).then_some(row * column)
    };
    for [one, other] in [[[0, 0], [1, 1]], [[0, 1], [1, 0]]] {
        if let (Some(first), Some(second)) = (product(one), product(other)) {
            return match first.partial_cmp(&second)? {
                std::cmp::Ordering::Greater => Some(one),
                std::cmp::Ordering::Less => Some(other),
                std::cmp::Ordering::Equal => None,
            };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_tail_is_the_mean_of_the_worst() {
        let outcomes = [(1.0, 0.5), (-10.0, 0.02), (0.0, 0.48)];
        assert!((tail(&outcomes, 0.05) - (-10.0 * 0.02) / 0.05).abs() < 1e-12);
        assert!((tail(&outcomes, 1.0) - 0.3).abs() < 1e-12);
        assert!((tail(&[(3.0, 1.0)], 0.05) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn hares_are_risk_dominant() {
        let stag = NormalForm::symmetric(array![[4.0, 0.0], [3.0, 2.0]].view()).unwrap();
        assert_eq!(risk_dominant(&stag), Some([1, 1]));
        // Products tie.
        let tied = NormalForm::symmetric(array![[2.0, 0.0], [1.0, 1.0]].view()).unwrap();
        assert_eq!(risk_dominant(&tied), None);
        let chicken = NormalForm::symmetric(array![[0.0, -1.0], [1.0, -10.0]].view()).unwrap();
        assert_eq!(risk_dominant(&chicken), None);
        let dilemma = NormalForm::symmetric(array![[5.0, 0.0], [10.0, 1.0]].view()).unwrap();
        assert_eq!(risk_dominant(&dilemma), None);
    }

    #[test]
    fn performance_at_the_interior_equilibrium_of_the_stag_hunt() {
        let stag = NormalForm::symmetric(array![[4.0, 0.0], [3.0, 2.0]].view()).unwrap();
        let p = 0.781_018_334;
        let profile = Profile::new(vec![vec![p, 1.0 - p]; 2]);
        let found = performance(&stag, 0, &profile).unwrap();
        for (found, expected) in [
            (found.mean, 3.048_951),
            (found.strategic_variance, 1.911_420),
            (found.total_variance, 2.194_805),
            (found.worst, 2.0 * (1.0 - p)),
            (found.tail, 0.0),
        ] {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
