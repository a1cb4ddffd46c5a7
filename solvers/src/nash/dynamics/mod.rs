//! Learning processes and evolutionary dynamics, for any number of players.
//!
//! They share one loop: from a start, every round gives all players new strategies; the answer is
//! the average of all strategies so far, the start included, or the last one.
//! A run ends as converged when the certificate of its answer is small enough.
//! No such process converges in every game (Shapley's game makes fictitious play cycle), and then
//! the answer carries `Stop::IterationLimit` and the regret it has.

pub mod fictitious_play;
pub mod projected_replicator;
pub mod regret_matching;
pub mod replicator;
pub mod smooth_fictitious_play;

use serde::{Deserialize, Serialize};

use crate::game::NormalForm;
use crate::play::{Draws, Play};
use crate::solution::{
    Parameter, Profile, Solution, Solutions, SolveError, SolveOptions, SolverInfo, Stop,
};

/// Which strategies of a run are the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The average over all rounds, the start included.
    #[default]
    Average,
    /// Those of the last round.
    Last,
}

/// Rounds between two looks at the certificate, which costs about as much as a round.
const LOOK_EVERY: u64 = 16;

const ITERATIONS: Parameter =
    Parameter { name: "iterations", about: "rounds at most (default 100000)" };

const TOLERANCE: Parameter = Parameter {
    name: "tolerance",
    about: "relative regret of the answer that ends the run, 0 for never (default 1e-4)",
};

const AVERAGE: Parameter = Parameter {
    name: "answer",
    about: "Average or Last strategies; with `all` both, this one first (default Average)",
};

/// A run and its end.
struct Run<'a> {
    solver: &'static SolverInfo,
    game: &'a NormalForm,
    /// Rounds at most.
    iterations: u64,
    answer: Answer,
    play: Play,
    /// Whether round `t` weighs `t + 1` in the average, instead of all rounds the same.
    linear_average: bool,
    /// The largest certificate with which the answer counts as converged.
    bound: f64,
}

impl<'a> Run<'a> {
    /// A run whose certificate is the regret.
    ///
    /// # Errors
    ///
    /// [`SolveError::Parameter`] if the tolerance is negative or not finite.
    fn new(
        solver: &'static SolverInfo,
        game: &'a NormalForm,
        iterations: u64,
        tolerance: f64,
        answer: Answer,
    ) -> Result<Self, SolveError> {
        solver.within("tolerance", tolerance, 0.0..f64::INFINITY, "finite and not negative")?;
        let bound = tolerance * game.spread().max(1.0);
        let play = Play::Deterministic;
        Ok(Self { solver, game, iterations, answer, play, linear_average: false, bound })
    }

    /// Plays from even mixing; `step` gets the round (from 1), what was played last and the average
    /// so far, and gives the new strategies.
    fn play(
        &self,
        options: &SolveOptions,
        step: impl FnMut(u64, &Profile, &Profile) -> Profile,
    ) -> Result<Solutions, SolveError> {
        let regret = |profile: &Profile| self.game.regret(profile).into_iter().fold(0.0, f64::max);
        self.play_to(options, step, regret)
    }

    /// The same with another certificate.
    fn play_to(
        &self,
        options: &SolveOptions,
        mut step: impl FnMut(u64, &Profile, &Profile) -> Profile,
        certificate: impl Fn(&Profile) -> f64,
    ) -> Result<Solutions, SolveError> {
        self.solver.check(self.game)?;
        let mut draws = Draws::new(options.streams, self.game.players());
        let mut last = Profile::uniform(self.game.shape());
        let mut played = last.clone();
        let mut average = last.clone();
        let mut weights = 1.0;
        let mut round = 0;
        loop {
            let answer = if self.answer == Answer::Average { &average } else { &last };
            let looked = round % LOOK_EVERY == 0 || round == self.iterations;
            if round == self.iterations || (looked && certificate(answer) <= self.bound) {
                break;
            }
            round += 1;
            last = step(round, &played, &average);
            played = match self.play {
                Play::Deterministic => last.clone(),
                Play::Sampled => draws.profile(&last),
            };
            let weight = if self.linear_average { round as f64 + 1.0 } else { 1.0 };
            weights += weight;
            for player in 0..self.game.players() {
                for (mean, new) in average[player].iter_mut().zip(&played[player]) {
                    *mean += (new - *mean) * weight / weights;
                }
            }
        }
        let answers = match self.answer {
            Answer::Average => [average, last],
            Answer::Last => [last, average],
        };
        let kept = if options.all { 2 } else { 1 };
        let equilibria: Vec<Solution> = answers
            .into_iter()
            .take(kept)
            .map(|profile| {
                let converged = certificate(&profile) <= self.bound;
                let stop = if converged { Stop::Converged } else { Stop::IterationLimit };
                Solution::certify(self.game, profile.normalised(), round, stop)
            })
            .collect::<Result<_, _>>()?;
        let stop = equilibria.first().map_or(Stop::IterationLimit, |answer| answer.stop);
        Ok(Solutions { equilibria, iterations: round, stop })
    }
}
