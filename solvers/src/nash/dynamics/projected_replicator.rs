//! Projected replicator dynamics.

use serde::{Deserialize, Serialize};

use super::replicator::{moved, velocity};
use super::{AVERAGE, Answer, ITERATIONS, Run, TOLERANCE, within};
use crate::game::NormalForm;
use crate::solution::{
    Parameter, Profile, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Takes,
};

/// Projected replicator dynamics: Euler steps of the replicator dynamics, after each of which every
/// player's strategy is projected to the nearest one that plays no action with less than `floor`.
///
/// The floor keeps actions alive that would die out.
/// The same steps as OpenSpiel's `projected_replicator_dynamics`, bit for bit but for the order of
/// sums: payoffs as they are, from even mixing, the Euclidean projection, and the average over the
/// start and all steps as the answer.
///
/// Source: Lanctot et al., "A unified game-theoretic approach to multiagent reinforcement learning",
/// NIPS 2017.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectedReplicator {
    /// Steps at most.
    pub iterations: u64,
    /// Regret of the answer, relative to the largest difference between payoffs of a player (where
    /// that exceeds 1), that ends the run.
    pub tolerance: f64,
    /// Average or last strategies.
    pub answer: Answer,
    /// Time per step, in one over payoff; positive.
    pub step: f64,
    /// Least probability of an action, below one over the largest number of actions.
    pub floor: f64,
}

impl Default for ProjectedReplicator {
    fn default() -> Self {
        Self {
            iterations: 100_000,
            tolerance: 1e-4,
            answer: Answer::Average,
            step: 1e-3,
            floor: 1e-6,
        }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "projected-replicator",
    about: "projected replicator dynamics, average and last strategies (Lanctot et al. 2017)",
    takes: Takes::AnyGame,
    enumerates: true,
    parameters: &[
        ITERATIONS,
        TOLERANCE,
        AVERAGE,
        Parameter {
            name: "step",
            about: "time per step, in one over payoff, positive (default 1e-3)",
        },
        Parameter { name: "floor", about: "least probability of an action, >= 0 (default 1e-6)" },
    ],
};

/// The point nearest to `values` among the distributions with no entry below `floor`.
///
/// `floor` must be at most one over the number of values.
/// Source: Wang and Carreira-Perpinan, "Projection onto the probability simplex", arXiv 1309.1541.
pub fn project_to_simplex(values: &[f64], floor: f64) -> Vec<f64> {
    let n = values.len() as f64;
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut sum = 0.0;
    let mut shift = 0.0;
    for (rank, &value) in sorted.iter().enumerate() {
        sum += value;
        let above = rank as f64 + 1.0;
        let candidate = (1.0 - sum - (n - above) * floor) / above;
        // The shift for which just the largest `above` values stay above the floor.
        if rank > 0 && value + candidate <= floor {
            break;
        }
        shift = candidate;
    }
    values.iter().map(|value| (value + shift).max(floor)).collect()
}

impl Solver for ProjectedReplicator {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        within(&INFO, "step", self.step, f64::MIN_POSITIVE..=f64::MAX, "positive and finite")?;
        within(&INFO, "floor", self.floor, 0.0..=1.0, "in [0, 1 / actions)")?;
        let actions = game.shape().iter().copied().max().unwrap_or(1);
        if self.floor * actions as f64 >= 1.0 && actions > 1 {
            return Err(SolveError::InfeasibleFloor { floor: self.floor, actions });
        }
        let run = Run::new(&INFO, game, self.iterations, self.tolerance, self.answer)?;
        run.play(options, |_, last, _| {
            let ahead = moved(last, &velocity(game, last), self.step);
            Profile::new(ahead.iter().map(|mix| project_to_simplex(mix, self.floor)).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projections() {
        let near = |values: &[f64], floor, expected: &[f64]| {
            let projected = project_to_simplex(values, floor);
            projected.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15)
        };
        assert!(near(&[0.4, 0.7, 0.6], 0.2, &[0.2, 0.45, 0.35]));
        assert!(near(&[0.25, 0.75], 0.0, &[0.25, 0.75]));
        assert!(near(&[5.0, 0.0, 0.0], 0.1, &[0.8, 0.1, 0.1]));
        assert!(near(&[-3.0], 0.5, &[1.0]));
    }
}
