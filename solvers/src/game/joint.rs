//! Joint distributions over pure profiles: correlated play and what deviating from it gains.

use ndarray::{ArrayD, Axis, Dimension};

use super::{GameError, NormalForm};

/// Which deviations from a joint distribution a player may choose from.
///
/// No gain for anybody from `Conditional` deviations is a correlated equilibrium (Aumann 1974,
/// 1987), from `Unconditional` ones a coarse correlated equilibrium (Moulin and Vial 1978).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Deviations {
    /// Another action for every action recommended, chosen after the recommendation is known
    /// (swap regret).
    Conditional,
    /// One action whatever is recommended, chosen before (external regret).
    Unconditional,
}

impl NormalForm {
    /// Checks that a joint distribution is one over this game's pure profiles.
    ///
    /// It needs one finite, non-negative probability per pure profile, of the game's shape, and a
    /// sum of 1 within 1e-9.
    ///
    /// # Errors
    ///
    /// [`GameError::Profile`] naming what is wrong.
    pub fn check_joint(&self, joint: &ArrayD<f64>) -> Result<(), GameError> {
        let wrong = |what: String| Err(GameError::Profile { what });
        if joint.shape() != self.shape() {
            return wrong(format!(
                "a joint distribution of shape {:?} for a game of shape {:?}",
                joint.shape(),
                self.shape()
            ));
        }
        if let Some((at, bad)) =
            joint.indexed_iter().find(|(_, p)| !(0.0..=1.0 + 1e-9).contains(*p))
        {
            return wrong(format!("{bad} as the probability of profile {:?}", at.as_array_view()));
        }
        let total: f64 = joint.iter().sum();
        if (total - 1.0).abs() > 1e-9 {
            return wrong(format!("a joint distribution with sum {total}"));
        }
        Ok(())
    }

    /// Every player's expected payoff under a joint distribution of the game's shape.
    pub fn joint_payoffs(&self, joint: &ArrayD<f64>) -> Vec<f64> {
        (0..self.players())
            .map(|player| {
                self.payoff_tensor(player).iter().zip(joint).map(|(payoff, p)| payoff * p).sum()
            })
            .collect()
    }

    /// What every player gains by its best deviation from a joint distribution of the game's
    /// shape: the certificate of correlated play.
    ///
    /// With recommendations `a` of probability `sigma(a, b)`, `b` being the others' actions:
    /// the sum over `a` of `max_c sum_b sigma(a, b) (u(c, b) - u(a, b))` for conditional
    /// deviations, and `max_c sum_{a, b} sigma(a, b) (u(c, b) - u(a, b))`, not below 0, for
    /// unconditional ones.
    pub fn joint_regret(&self, joint: &ArrayD<f64>, deviations: Deviations) -> Vec<f64> {
        (0..self.players())
            .map(|player| {
                let actions = self.shape()[player];
                let payoffs = self.payoff_tensor(player);
                // gains[a][c]: what playing c instead of a gains.
                let gains = (0..actions).map(|recommended| {
                    let weights = joint.index_axis(Axis(player), recommended);
                    let obeyed = payoffs.index_axis(Axis(player), recommended);
                    (0..actions)
                        .map(|played| {
                            let deviated = payoffs.index_axis(Axis(player), played);
                            weights
                                .iter()
                                .zip(deviated.iter().zip(&obeyed))
                                .map(|(p, (u, v))| p * (u - v))
                                .sum::<f64>()
                        })
                        .collect::<Vec<_>>()
                });
                let best = |gains: &[f64]| gains.iter().copied().fold(0.0, f64::max);
                match deviations {
                    Deviations::Conditional => gains.map(|gains| best(&gains)).sum(),
                    Deviations::Unconditional => {
                        let mut totals = vec![0.0; actions];
                        for gains in gains {
                            for (total, gain) in totals.iter_mut().zip(gains) {
                                *total += gain;
                            }
                        }
                        best(&totals)
                    }
                }
            })
            .collect()
    }
}

/// Every player's own distribution under a joint one.
pub fn marginals(joint: &ArrayD<f64>) -> Vec<Vec<f64>> {
    (0..joint.ndim())
        .map(|player| joint.axis_iter(Axis(player)).map(|slice| slice.iter().sum()).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::{IxDyn, array};

    use super::*;
    use crate::solution::Profile;

    fn product(profile: &Profile) -> ArrayD<f64> {
        let shape: Vec<usize> = profile.iter().map(Vec::len).collect();
        ArrayD::from_shape_fn(IxDyn(&shape), |at| {
            (0..shape.len()).map(|player| profile[player][at[player]]).product()
        })
    }

    fn three_player() -> NormalForm {
        let tensor = |f: fn(f64, f64, f64) -> f64| {
            ArrayD::from_shape_fn(IxDyn(&[2, 3, 2]), |i| f(i[0] as f64, i[1] as f64, i[2] as f64))
        };
        NormalForm::new(vec![
            tensor(|a, b, c| a * (b - c) + c),
            tensor(|a, b, c| (a - 0.3) * b - b * c),
            tensor(|a, b, c| (a - b) * (c - 0.4)),
        ])
        .unwrap()
    }

    #[test]
    fn products_gain_what_profiles_do() {
        let game = three_player();
        let profile = Profile::new(vec![vec![0.25, 0.75], vec![0.5, 0.2, 0.3], vec![0.9, 0.1]]);
        let joint = product(&profile);
        game.check_joint(&joint).unwrap();
        // Recommendations of a product say nothing about the others, so all three gains are one.
        for gains in [Deviations::Conditional, Deviations::Unconditional] {
            for (gain, regret) in game.joint_regret(&joint, gains).iter().zip(game.regret(&profile))
            {
                assert!((gain - regret).abs() < 1e-14, "{gains:?}");
            }
        }
        for (joint, own) in game.joint_payoffs(&joint).iter().zip(game.payoffs(&profile)) {
            assert!((joint - own).abs() < 1e-14);
        }
        for (sum, own) in marginals(&joint).iter().flatten().zip(profile.iter().flatten()) {
            assert!((sum - own).abs() < 1e-15);
        }
    }

    #[test]
    fn conditional_deviations_can_do_more() {
        // Matching pennies on the diagonal: knowing the recommendation, the loser wins.
        let game = NormalForm::zero_sum(array![[1.0, -1.0], [-1.0, 1.0]].view()).unwrap();
        let joint = array![[0.5, 0.0], [0.0, 0.5]].into_dyn();
        assert_eq!(game.joint_regret(&joint, Deviations::Conditional), [0.0, 2.0]);
        assert_eq!(game.joint_regret(&joint, Deviations::Unconditional), [0.0, 1.0]);
    }

    #[test]
    fn what_is_no_distribution_is_named() {
        let game = NormalForm::zero_sum(array![[1.0, -1.0], [-1.0, 1.0]].view()).unwrap();
        let message = |joint: ndarray::Array2<f64>| {
            game.check_joint(&joint.into_dyn()).unwrap_err().to_string()
        };
        assert!(message(array![[0.5, 0.5, 0.0]]).contains("shape [1, 3]"));
        assert!(message(array![[0.5, 0.5], [-0.1, 0.1]]).contains("-0.1 as the probability"));
        assert!(message(array![[0.5, 0.25], [0.0, 0.0]]).contains("sum 0.75"));
    }
}
