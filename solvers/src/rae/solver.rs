//! The Risk-Averse Equilibrium as a solver that command lines and scenarios can name.

use serde::{Deserialize, Serialize};

use super::enumerate::{Enumeration, Equilibrium, enumerate};
use super::newton::polish;
use super::{FictitiousPlay, RiskAversion, Tremble, Views, fictitious_play};
use ndarray::Dimension;

use crate::game::NormalForm;
use crate::solution::{
    Parameter, Profile, Risk, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo,
    Stop, Takes,
};

/// Risk-Averse Equilibria.
///
/// One answer: smooth fictitious play from even mixing (or from where `start` says), then Newton's method on the supports it
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
    /// Where fictitious play starts.
    pub start: Start,
    /// In an empirical game: take off the variance that the payoffs' errors pretend.
    pub correct: bool,
}

/// Where fictitious play starts, which decides among several equilibria.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Every action equally often.
    #[default]
    Even,
    /// The pure profile with the largest sum of payoffs, the first of equals: what is best for all
    /// together stays if it is an equilibrium.
    Welfare,
}

impl Start {
    fn profile(self, game: &NormalForm) -> Profile {
        match self {
            Self::Even => Profile::uniform(game.shape()),
            Self::Welfare => Profile::pure(game.shape(), &welfare_best(game)),
        }
    }
}

/// The pure profile with the largest sum of payoffs, the first of equals in row-major order.
pub fn welfare_best(game: &NormalForm) -> Vec<usize> {
    let mut best = (f64::NEG_INFINITY, vec![0; game.players()]);
    for (index, _) in game.payoff_tensor(0).indexed_iter() {
        let view = index.as_array_view();
        let profile = view.as_slice().unwrap_or_default();
        let sum: f64 = (0..game.players()).map(|p| game.payoff_tensor(p)[profile]).sum();
        if sum > best.0 {
            best = (sum, profile.to_vec());
        }
    }
    best.1
}

/// For each player the largest `gamma` at which its part of a pure profile is still a best response
/// to the others', who tremble: above it the profile is no Risk-Averse Equilibrium.
///
/// The objective's gradient at the pure strategy `h` is `mu_a - 2 gamma Sigma_ah`, so that `h` is
/// best as long as `mu_h - mu_a >= 2 gamma (Sigma_hh - Sigma_ah)` for every `a`.
/// Infinite where no `gamma` changes that, negative where the profile is no equilibrium at all.
/// With [`Tremble::Floor`] the own strategy is taken at its largest share, for games of two actions
/// a player as in the closed form.
///
/// # Errors
///
/// [`SolveError`] if the profile is not one of this game.
pub fn critical_gamma(
    game: &NormalForm,
    profile: &[usize],
    tremble: Tremble,
) -> Result<Vec<f64>, SolveError> {
    game.pure_payoffs(profile)?;
    let floored = |mix: &Vec<f64>| -> Vec<f64> {
        let floor = tremble.floor();
        mix.iter().map(|share| floor + (1.0 - floor * mix.len() as f64) * share).collect()
    };
    let played = Profile::pure(game.shape(), profile);
    let played = Profile::new(played.iter().map(floored).collect());
    let views = Views::new(game);
    (0..game.players())
        .map(|player| {
            let exposure = views.exposure(player, &played, tremble)?;
            let own = profile[player];
            let x = ndarray::ArrayView1::from(&played[player]);
            let (mean, risk) = (exposure.mean(), exposure.covariance_times(x));
            let mut critical = f64::INFINITY;
            for a in (0..mean.len()).filter(|&a| a != own) {
                let (better, riskier) = (mean[own] - mean[a], risk[own] - risk[a]);
                if better < 0.0 {
                    critical = f64::NEG_INFINITY;
                } else if riskier > 0.0 {
                    critical = critical.min(better / (2.0 * riskier));
                }
            }
            Ok(critical)
        })
        .collect()
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
            start: Start::Even,
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
            name: "start",
            about: "where fictitious play starts: Even, or Welfare for the pure profile of the largest sum of payoffs",
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
        let start = self.start.profile(game);
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
