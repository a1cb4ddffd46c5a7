//! Replicator dynamics.

use serde::{Deserialize, Serialize};

use super::{Answer, ITERATIONS, Run, TOLERANCE};
use crate::game::NormalForm;
use crate::solution::{
    Parameter, Profile, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Takes,
};

/// The replicator dynamics, one population per player: `dx(a)/dt = x(a) (u(a) - u(x))`, by the
/// classical Runge-Kutta method from even mixing.
///
/// Time is measured in one over the largest difference between payoffs of a player.
/// Strict equilibria attract the last strategies; in zero-sum games with a mixed equilibrium the
/// strategies cycle and their average converges to it.
/// Actions never enter or leave, so from even mixing a symmetric game stays symmetric.
///
/// Source: Taylor and Jonker 1978; Hofbauer and Sigmund, "Evolutionary games and population
/// dynamics", 1998, chapters 7 and 11.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Replicator {
    /// Steps at most.
    pub iterations: u64,
    /// Regret of the answer, relative to the largest difference between payoffs of a player (where
    /// that exceeds 1), that ends the run.
    pub tolerance: f64,
    /// Average or last strategies.
    pub answer: Answer,
    /// Time per step, in `(0, 1]`.
    pub step: f64,
}

impl Default for Replicator {
    fn default() -> Self {
        Self { iterations: 100_000, tolerance: 1e-4, answer: Answer::Last, step: 0.1 }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "replicator",
    about: "replicator dynamics by Runge-Kutta, last and average strategies (Taylor, Jonker 1978)",
    takes: Takes::AnyGame,
    enumerates: true,
    parameters: &[
        ITERATIONS,
        TOLERANCE,
        Parameter {
            name: "answer",
            about: "Average or Last strategies; with `all` both, this one first (default Last)",
        },
        Parameter {
            name: "step",
            about: "time per step, in one over the payoffs' spread, in (0, 1] (default 0.1)",
        },
    ],
};

/// The velocity of every share, in payoffs.
pub(super) fn velocity(game: &NormalForm, profile: &Profile) -> Vec<Vec<f64>> {
    let of = |(player, mix): (usize, &Vec<f64>)| {
        let payoffs = game.deviation_payoffs(player, profile);
        let mean: f64 = payoffs.iter().zip(mix).map(|(u, x)| u * x).sum();
        mix.iter().zip(payoffs).map(|(x, u)| x * (u - mean)).collect()
    };
    profile.iter().enumerate().map(of).collect()
}

/// `profile + by * velocity`.
pub(super) fn moved(profile: &Profile, velocity: &[Vec<f64>], by: f64) -> Profile {
    let of = |(mix, velocity): (&Vec<f64>, &Vec<f64>)| {
        mix.iter().zip(velocity).map(|(x, v)| x + by * v).collect()
    };
    Profile::new(profile.iter().zip(velocity).map(of).collect())
}

impl Solver for Replicator {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        INFO.within("step", self.step, f64::MIN_POSITIVE..=1.0, "in (0, 1]")?;
        let run = Run::new(&INFO, game, self.iterations, self.tolerance, self.answer)?;
        let spread = game.spread();
        let time = if spread > 0.0 { self.step / spread } else { 0.0 };
        run.play(options, |_, last, _| {
            let first = velocity(game, last);
            let second = velocity(game, &moved(last, &first, 0.5 * time));
            let third = velocity(game, &moved(last, &second, 0.5 * time));
            let fourth = velocity(game, &moved(last, &third, time));
            let mut next = last.clone();
            for (part, share) in [first, second, third, fourth].iter().zip([1.0, 2.0, 2.0, 1.0]) {
                next = moved(&next, part, share * time / 6.0);
            }
            // Off the simplex the flow leads away from it where a player's payoff is negative.
            next.normalised()
        })
    }
}
