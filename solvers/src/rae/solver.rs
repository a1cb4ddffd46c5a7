//! The Risk-Averse Equilibrium as a solver that command lines and scenarios can name.

use serde::{Deserialize, Serialize};

use super::enumerate::{Enumeration, Equilibrium, enumerate};
use super::newton::polish;
use super::{FictitiousPlay, RiskAversion, Tremble, Views, fictitious_play};
use crate::game::NormalForm;
use crate::solution::{
    Parameter, Profile, Risk, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo,
    Stop, Takes,
};

/// Risk-Averse Equilibria.
///
/// One answer: smooth fictitious play from even mixing, then Newton's method on the supports it
/// ends with; what has the smaller RAE gap is returned, whatever it is.
/// All answers: [`enumerate()`], for small games; `Stop::Stalled` says that the list need not be
/// complete.
/// `Solution::risk` holds gap and variances (under the tremble model), while regrets are those of
/// any profile, without risk aversion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rae {
    /// Weight of the variance for every player.
    pub gamma: f64,
    /// One weight per player instead; empty for `gamma`.
    pub gammas: Vec<f64>,
    /// How low-probability actions enter.
    pub tremble: Tremble,
    /// Rounds of fictitious play at most.
    pub rounds: u32,
    /// The sum of the RAE gaps below which an answer counts as converged.
    pub tolerance: f64,
    /// With `all`: only equilibria in which every player plays the same mix.
    pub symmetric: bool,
    /// What counts as risk in an empirical game.
    pub variance: Variance,
    /// In an empirical game: take off the variance that the payoffs' errors pretend.
    pub correct: bool,
}

/// What counts as risk in an empirical game; in a game whose payoffs are known both are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Variance {
    /// The opponents' mixing alone.
    #[default]
    Strategic,
    /// Also the variance of returns within each cell, by the law of total variance; it is not part
    /// of an enumeration (`all`).
    Total,
}

impl Default for Rae {
    fn default() -> Self {
        Self {
            gamma: 0.5,
            gammas: Vec::new(),
            tremble: Tremble::None,
            rounds: 2_000,
            tolerance: 1e-9,
            symmetric: false,
            variance: Variance::Strategic,
            correct: true,
        }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "rae",
    about: "Risk-Averse Equilibrium (Slumbers et al. 2023, reconstructed): smooth fictitious play, or enumeration",
    takes: Takes::AnyGame,
    enumerates: true,
    parameters: &[
        Parameter {
            name: "gamma",
            about: "weight of the strategic variance, >= 0, in one over payoff",
        },
        Parameter { name: "gammas", about: "one weight per player instead of gamma" },
        Parameter {
            name: "tremble",
            about: "None, Floor(e) or Opponent(e): least probability of an action",
        },
        Parameter { name: "rounds", about: "rounds of fictitious play at most" },
        Parameter { name: "tolerance", about: "sum of RAE gaps that counts as converged" },
        Parameter {
            name: "symmetric",
            about: "with all: only equilibria in which all play the same mix",
        },
        Parameter {
            name: "variance",
            about: "Strategic, or Total to count the variance within cells of an empirical game too",
        },
        Parameter {
            name: "correct",
            about: "whether to take off the variance that errors of an empirical game's payoffs pretend",
        },
    ],
};

impl Rae {
    /// The attitudes of the players of a game.
    pub fn attitudes(&self, players: usize) -> RiskAversion {
        if self.gammas.is_empty() {
            RiskAversion::uniform(players, self.gamma, self.tremble)
        } else {
            RiskAversion { gamma: self.gammas.clone(), tremble: self.tremble }
        }
    }
}

impl Solver for Rae {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        None
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.check(game)?;
        let risk = self.attitudes(game.players());
        let views = Views::noisy(game, self.variance == Variance::Total, self.correct);
        if options.all {
            if game.noise().is_some() {
                let what = "rae: an empirical game's equilibria are not enumerated; ask for one";
                return Err(SolveError::Invalid { what: what.to_owned() });
            }
            let parameters = Enumeration { symmetric: self.symmetric, ..Enumeration::default() };
            let found = enumerate(&views, &risk, parameters, options.streams)?;
            let stop = if found.is_complete() { Stop::Complete } else { Stop::Stalled };
            let iterations = found.equilibria.len() as u64;
            let equilibria = found
                .equilibria
                .into_iter()
                .map(|equilibrium| solution(game, equilibrium, 0, Stop::Converged))
                .collect::<Result<_, _>>()?;
            return Ok(Solutions { equilibria, iterations, stop });
        }
        let parameters =
            FictitiousPlay { rounds: self.rounds, tolerance: self.tolerance, ..Default::default() };
        let start = Profile::uniform(game.shape());
        let played = fictitious_play(&views, &risk, start, parameters, options.streams)?;
        let rounds = u64::from(played.rounds);
        let mut best = Equilibrium { profile: played.profile, assessment: played.assessment };
        if played.stop != Stop::Converged
            && let Some(polished) = polish(&views, &risk, &best.profile)?
            && polished.assessment.convergence() < best.assessment.convergence()
        {
            best = polished;
        }
        let converged = best.assessment.convergence() < self.tolerance;
        let stop = if converged { Stop::Converged } else { Stop::IterationLimit };
        Ok(Solutions::one(solution(game, best, rounds, stop)?))
    }
}

fn solution(
    game: &NormalForm,
    equilibrium: Equilibrium,
    iterations: u64,
    stop: Stop,
) -> Result<Solution, SolveError> {
    let mut solution = Solution::certify(game, equilibrium.profile, iterations, stop)?;
    let assessment = equilibrium.assessment;
    solution.risk = Some(Risk {
        gap: assessment.gap,
        variance: assessment.variance,
        total_variance: assessment.total_variance,
    });
    Ok(solution)
}
