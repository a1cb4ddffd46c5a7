//! Fictitious play.

use serde::{Deserialize, Serialize};

use super::{AVERAGE, Answer, ITERATIONS, Run, TOLERANCE};
use crate::game::NormalForm;
use crate::solution::{Profile, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Takes};

/// Fictitious play: every round all players play a best response to the others' average so far
/// (the first one among equals), starting from even beliefs that count as one round.
///
/// The averages converge in zero-sum games (Robinson 1951, slowly), in potential games and in
/// generic games of two players with two actions; in Shapley's game they cycle.
/// Source: Brown, "Iterative solution of games by fictitious play", 1951.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FictitiousPlay {
    /// Rounds at most.
    pub iterations: u64,
    /// Regret of the answer, relative to the largest difference between payoffs of a player (where
    /// that exceeds 1), that ends the run.
    pub tolerance: f64,
    /// Average or last strategies; the last ones are pure.
    pub answer: Answer,
}

impl Default for FictitiousPlay {
    fn default() -> Self {
        Self { iterations: 100_000, tolerance: 1e-4, answer: Answer::Average }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "fictitious-play",
    about: "fictitious play, average and last strategies (Brown 1951)",
    takes: Takes::AnyGame,
    enumerates: true,
    parameters: &[ITERATIONS, TOLERANCE, AVERAGE],
};

/// The first of the largest.
fn best(payoffs: &[f64]) -> usize {
    let better = |best: usize, at: usize| if payoffs[at] > payoffs[best] { at } else { best };
    (0..payoffs.len()).fold(0, better)
}

impl Solver for FictitiousPlay {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        let run = Run::new(&INFO, game, self.iterations, self.tolerance, self.answer)?;
        run.play(options, |_, _, beliefs| {
            let responses: Vec<usize> = (0..game.players())
                .map(|player| best(&game.deviation_payoffs(player, beliefs)))
                .collect();
            Profile::pure(game.shape(), &responses)
        })
    }
}
