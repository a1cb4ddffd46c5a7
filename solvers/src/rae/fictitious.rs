//! Smooth fictitious play with mean-variance best responses.
//!
//! A reconstruction: the paper has one algorithm of the fictitious-play kind, with guarantees in
//! classes that include zero-sum and potential games, whose text could not be read.
//! Hofbauer and Sandholm's theorem (Econometrica 70(6), 2002) covers perturbations of the own mix
//! only, while this penalty depends on the opponents too, so convergence here is an observation
//! and the RAE gap its certificate.

use ndarray::Array1;

use super::{Assessment, Exposure, Method, RiskAversion, Views, assess, best_response};
use crate::play::{Draws, Play};
use crate::seed::Streams;
use crate::solution::{Profile, SolveError, Stop};

/// Parameters of [`fictitious_play`].
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FictitiousPlay {
    /// Mixed or drawn responses.
    pub play: Play,
    /// Rounds at most.
    pub rounds: u32,
    /// Stop when the sum of the RAE gaps is below this.
    pub tolerance: f64,
}

impl Default for FictitiousPlay {
    fn default() -> Self {
        Self { play: Play::Deterministic, rounds: 10_000, tolerance: 1e-9 }
    }
}

/// Where fictitious play ended.
#[derive(Clone, Debug)]
pub struct Played {
    /// The beliefs: empirical averages of the responses.
    pub profile: Profile,
    /// Their certificate.
    pub assessment: Assessment,
    /// Rounds played.
    pub rounds: u32,
    /// [`Stop::Converged`] or [`Stop::IterationLimit`].
    pub stop: Stop,
}

/// Plays from the beliefs `start`: each round every player responds to the others' averages, all
/// at once, and round `t` (from 1) moves the averages by `1 / (t + 1)` of the way.
///
/// Sampled play draws from `Purpose::Solve`, one lane per player.
///
/// # Errors
///
/// [`SolveError`] if start or risk attitudes do not fit the game.
pub fn fictitious_play(
    views: &Views,
    risk: &RiskAversion,
    start: Profile,
    parameters: FictitiousPlay,
    streams: Streams,
) -> Result<Played, SolveError> {
    let mut draws = Draws::new(streams, views.players());
    let mut profile = start;
    for round in 1..=parameters.rounds {
        let responses = respond(views, risk, &profile)?;
        let step = 1.0 / f64::from(round + 1);
        for (player, response) in responses.iter().enumerate() {
            let drawn = match parameters.play {
                Play::Deterministic => None,
                Play::Sampled => {
                    let slice = response.as_slice().unwrap_or_default();
                    Some(draws.action(player, slice))
                }
            };
            for (action, (belief, &share)) in profile[player].iter_mut().zip(response).enumerate() {
                let played = drawn.map_or(share, |drawn| f64::from(u8::from(drawn == action)));
                *belief += step * (played - *belief);
            }
        }
        // The gap costs as much as a round, so sampled play, which moves slowly, asks less often.
        let asked = parameters.play == Play::Deterministic || round % 64 == 0;
        if round == parameters.rounds || asked {
            let assessment = assess(views, &profile, risk)?;
            let converged = assessment.convergence() < parameters.tolerance;
            if converged || round == parameters.rounds {
                let stop = if converged { Stop::Converged } else { Stop::IterationLimit };
                return Ok(Played { profile, assessment, rounds: round, stop });
            }
        }
    }
    let assessment = assess(views, &profile, risk)?;
    Ok(Played { profile, assessment, rounds: 0, stop: Stop::IterationLimit })
}

/// Every player's best response to a profile.
fn respond(
    views: &Views,
    risk: &RiskAversion,
    profile: &Profile,
) -> Result<Vec<Array1<f64>>, SolveError> {
    let exposures: Vec<Exposure> = views.exposures(profile, risk)?;
    exposures
        .iter()
        .zip(&risk.gamma)
        .map(|(exposure, &gamma)| {
            best_response(exposure, gamma, risk.tremble.floor(), Method::Auto)
                .map(|response| response.strategy)
        })
        .collect()
}
