//! Projected replicator dynamics.

use serde::{Deserialize, Serialize};

use super::replicator::{moved, velocity};
use super::{AVERAGE, Answer, ITERATIONS, Run, TOLERANCE};
use crate::game::NormalForm;
use crate::linear::projection::project_to_simplex;
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

impl Solver for ProjectedReplicator {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        INFO.within("step", self.step, f64::MIN_POSITIVE..f64::INFINITY, "positive and finite")?;
        INFO.within("floor", self.floor, 0.0..=1.0, "in [0, 1 / actions)")?;
        let actions = game.shape().iter().copied().max().unwrap_or(1);
        if self.floor * actions as f64 >= 1.0 && actions > 1 {
            return Err(SolveError::InfeasibleFloor { floor: self.floor, actions });
        }
        let run = Run::new(&INFO, game, self.iterations, self.tolerance, self.answer)?;
        run.play(options, |_, last, _| {
            let mut ahead = moved(last, &velocity(game, last), self.step).into_inner();
            for mix in &mut ahead {
                project_to_simplex(mix, self.floor);
            }
            Profile::new(ahead)
        })
    }
}
