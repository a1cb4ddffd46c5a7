//! Smooth fictitious play with logit responses.

use serde::{Deserialize, Serialize};

use super::{AVERAGE, Answer, ITERATIONS, Run};
use crate::game::NormalForm;
use crate::play::Play;
use crate::solution::{
    Parameter, Profile, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Takes,
};

/// Smooth fictitious play: every round all players respond to the others' average so far by playing
/// action `a` with probability proportional to `exp(u(a) / temperature)`.
///
/// Rest points are the logit quantal response equilibria with `lambda = 1 / temperature`, not Nash
/// equilibria, so the certificate that ends a run is how far the answer is from its own logit
/// response: the largest difference of two probabilities.
/// The averages converge in zero-sum and potential games among others.
///
/// Source: Fudenberg and Kreps, "Learning mixed equilibria", Games and Economic Behavior 5 (1993);
/// Hofbauer and Sandholm, Econometrica 70 (2002) for convergence.
/// Unlike nashpy's version there is no payoff noise besides the logit choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmoothFictitiousPlay {
    /// Rounds at most.
    pub iterations: u64,
    /// Largest difference between the answer and its logit response that ends the run.
    pub tolerance: f64,
    /// Average or last strategies.
    pub answer: Answer,
    /// Noise of the responses, in units of payoff; positive.
    pub temperature: f64,
    /// Whether others see strategies or actions drawn from them.
    pub play: Play,
}

impl Default for SmoothFictitiousPlay {
    fn default() -> Self {
        Self {
            iterations: 100_000,
            tolerance: 1e-4,
            answer: Answer::Average,
            temperature: 0.1,
            play: Play::Deterministic,
        }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "smooth-fictitious-play",
    about: "fictitious play with logit responses, towards a quantal response equilibrium (Fudenberg, Kreps 1993)",
    takes: Takes::AnyGame,
    enumerates: true,
    parameters: &[
        ITERATIONS,
        Parameter {
            name: "tolerance",
            about: "difference of the answer from its logit response that ends the run, 0 for never (default 1e-4)",
        },
        AVERAGE,
        Parameter {
            name: "temperature",
            about: "noise of responses in units of payoff, positive (default 0.1)",
        },
        Parameter {
            name: "play",
            about: "Deterministic or Sampled: what others see (default Deterministic)",
        },
    ],
};

impl SmoothFictitiousPlay {
    /// Everybody's logit response to a profile.
    fn responses(&self, game: &NormalForm, profile: &Profile) -> Profile {
        let response = |player: usize| {
            let payoffs = game.deviation_payoffs(player, profile);
            let best = payoffs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> =
                payoffs.iter().map(|u| libm::exp((u - best) / self.temperature)).collect();
            let total: f64 = weights.iter().sum();
            weights.into_iter().map(|weight| weight / total).collect()
        };
        Profile::new((0..game.players()).map(response).collect())
    }
}

impl Solver for SmoothFictitiousPlay {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        None
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        let positive = f64::MIN_POSITIVE..f64::INFINITY;
        INFO.within("temperature", self.temperature, positive, "positive and finite")?;
        let mut run = Run::new(&INFO, game, self.iterations, self.tolerance, self.answer)?;
        run.play = self.play;
        run.bound = self.tolerance;
        run.play_to(
            options,
            |_, _, beliefs| self.responses(game, beliefs),
            |profile| profile.distance(&self.responses(game, profile)),
        )
    }
}
