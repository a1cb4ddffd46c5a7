//! Alpha-Rank: strategies ranked by how often evolution has them.
//!
//! One population per player (or one for all players of a symmetric game) plays one pure strategy;
//! now and then a mutant appears and takes over with its *fixation probability*.
//! The share of time that this Markov chain spends in each state is the ranking.
//!
//! Source: Omidshafiei, Papadimitriou, Piliouras, Tuyls, Rowland, Lespiau, Czarnecki, Lanctot,
//! Perolat and Munos, "alpha-Rank: Multi-Agent Evaluation by Evolution", Scientific Reports 9,
//! 2019; the variant of selection against the resident only, and the shares `1 - epsilon`, 1/2 and
//! `epsilon` at infinite alpha, as in OpenSpiel's `egt/alpharank.py`.

mod stationary;

use ndarray::{Array2, ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

use crate::game::NormalForm;
use crate::game::joint::Deviations;
use crate::solution::{
    Parameter, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop, Takes,
};
use stationary::{LeadingRate, LogRate, Lost, Rate, stationary};

/// How strongly better strategies are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Selection {
    /// With this intensity alpha, `> 0`, in one over payoff.
    ///
    /// The fixation probability of a mutant that gains `d` in a population of `m` is
    /// `(1 - exp(-alpha d)) / (1 - exp(-m alpha d))`, or `1 / m` for `d = 0`.
    Finite(f64),
    /// The limit of strong selection: mutants that gain take over at rate `1 - epsilon`, those
    /// that neither gain nor lose at rate `tie`, those that lose at rate `epsilon`.
    Infinite {
        /// Rate of losing mutants, in `[0, 1)`; 0 for the limit from above, computed exactly.
        #[serde(default)]
        epsilon: f64,
        /// Rate of neutral mutants, `> 0`.
        #[serde(default = "half")]
        tie: f64,
    },
}

fn half() -> f64 {
    0.5
}

/// Who evolves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Populations {
    /// A population for each player; states are pure profiles.
    #[default]
    PerPlayer,
    /// One population that plays a symmetric game of two players against itself; states are
    /// actions.
    ///
    /// A mutant's gain then depends on how many mutants there are: payoffs are averages over
    /// meetings with the `m - 1` others.
    /// At infinite alpha, what the mutant gets against the resident is compared to what the
    /// resident gets against it.
    One,
    /// The same, but payoffs are those of a meeting of mutant and resident.
    OneLocal,
}

/// The stationary distribution of alpha-Rank's chain.
///
/// It is not an equilibrium in general.
/// `Solution::joint` is the distribution over pure profiles (for one population both players' play
/// the same action, so it is diagonal), `profile` its marginals, and `regret` what unconditional
/// deviations from it gain.
/// Chains that nearly fall apart are solved as accurately as any other: the elimination never
/// subtracts, and takes to logarithms where rates underflow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlphaRank {
    /// How strongly better strategies are preferred.
    pub selection: Selection,
    /// Individuals in a population, `m >= 2`; of no effect at infinite alpha.
    pub size: u32,
    /// Who evolves.
    pub populations: Populations,
}

impl Default for AlphaRank {
    fn default() -> Self {
        Self {
            selection: Selection::Infinite { epsilon: 0.0, tie: 0.5 },
            size: 50,
            populations: Populations::PerPlayer,
        }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "alpha-rank",
    about: "shares of time of pure profiles under evolution (Omidshafiei et al. 2019); no equilibrium in general",
    takes: Takes::AnyGame,
    enumerates: false,
    parameters: &[
        Parameter {
            name: "selection",
            about: "Finite(alpha) in one over payoff, or Infinite(epsilon: rate of losing mutants, tie: rate of neutral ones) (default Infinite(epsilon: 0, tie: 0.5))",
        },
        Parameter { name: "size", about: "individuals in a population, at least 2 (default 50)" },
        Parameter {
            name: "populations",
            about: "PerPlayer, or for symmetric two-player games One or OneLocal (default PerPlayer)",
        },
    ],
};

/// States that a chain may have.
const MOST_STATES: u64 = 4_000;

impl Solver for AlphaRank {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        None
    }

    fn solve(&self, game: &NormalForm, _options: &SolveOptions) -> Result<Solutions, SolveError> {
        let masses = self.masses(game)?;
        let joint = if self.populations == Populations::PerPlayer {
            ArrayD::from_shape_vec(IxDyn(game.shape()), masses)
                .map_err(|error| SolveError::Invalid { what: error.to_string() })?
        } else {
            Array2::from_diag(&ndarray::Array1::from(masses)).into_dyn()
        };
        let stop = Stop::Complete;
        Ok(Solutions::one(Solution::certify_joint(
            game,
            joint,
            Deviations::Unconditional,
            0,
            stop,
        )?))
    }
}

/// What a mutant gains: the same whatever its number, or on average over its number.
enum Gain {
    Constant(f64),
    /// From `first` for a single mutant to `last` for `m - 1` of them, in equal steps.
    Linear {
        first: f64,
        last: f64,
    },
}

impl AlphaRank {
    /// The share of time of each state: of pure profiles in row-major order, or of actions if there
    /// is one population.
    ///
    /// # Errors
    ///
    /// [`SolveError`] if a parameter is out of its range, if one population is asked for and the
    /// game is not symmetric for two players, or if there are more than 4,000 states.
    pub fn masses(&self, game: &NormalForm) -> Result<Vec<f64>, SolveError> {
        self.check_parameters()?;
        let one = self.populations != Populations::PerPlayer;
        if one && game.players() != 2 {
            let players = game.players();
            return Err(SolveError::Players { solver: INFO.name, needed: 2, players });
        }
        if one && !game.is_symmetric() {
            return Err(SolveError::Invalid {
                what: "alpha-rank with one population takes symmetric games, this one is not: use PerPlayer".to_owned(),
            });
        }
        let states = if one { game.shape()[0] } else { game.profiles() };
        if states as u64 > MOST_STATES {
            return Err(SolveError::TooLarge {
                solver: INFO.name,
                what: "states",
                size: states as u64,
                limit: MOST_STATES,
            });
        }
        let gains = if one { self.mutants(game) } else { deviations(game) };
        let found = match self.selection {
            Selection::Infinite { epsilon, tie } if epsilon > 0.0 => {
                solve(states, &gains, |gain| by_sign(gain, 1.0 - epsilon, tie, epsilon))
            }
            Selection::Infinite { tie, .. } => {
                let term = |coefficient, order| LeadingRate { coefficient, order };
                let (up, tie, down) = (term(1.0, 0), term(tie, 0), term(1.0, 1));
                solve(states, &gains, |gain| by_sign(gain, up, tie, down))
            }
            Selection::Finite(alpha) => solve(states, &gains, |gain| self.fixation(alpha, gain))
                .or_else(|_| solve(states, &gains, |gain| LogRate(self.log_fixation(alpha, gain)))),
        };
        found.map_err(|_| SolveError::Invalid {
            what: "alpha-rank: the chain's rates are out of range".to_owned(),
        })
    }

    fn check_parameters(&self) -> Result<(), SolveError> {
        let wrong = |parameter, value, range| {
            Err(SolveError::Parameter { solver: INFO.name, parameter, value, range })
        };
        if self.size < 2 {
            return wrong("size", f64::from(self.size), "at least 2");
        }
        match self.selection {
            Selection::Finite(alpha) if !(alpha > 0.0 && alpha.is_finite()) => {
                wrong("selection: Finite", alpha, "positive and finite")
            }
            Selection::Infinite { epsilon, .. } if !(0.0..1.0).contains(&epsilon) => {
                wrong("selection: epsilon", epsilon, "in [0, 1)")
            }
            Selection::Infinite { tie, .. } if !(tie > 0.0 && tie.is_finite()) => {
                wrong("selection: tie", tie, "positive and finite")
            }
            _ => Ok(()),
        }
    }

    /// Every mutant (resident, mutant) of one population.
    fn mutants(&self, game: &NormalForm) -> Vec<([usize; 2], Gain)> {
        let payoffs = game.payoff_tensor(0);
        let n = game.shape()[0];
        let m = f64::from(self.size);
        let local = self.populations == Populations::OneLocal
            || matches!(self.selection, Selection::Infinite { .. });
        let mut gains = Vec::with_capacity(n * n);
        for resident in 0..n {
            for mutant in (0..n).filter(|&mutant| mutant != resident) {
                let between = |a: usize, b: usize| payoffs[[a, b]];
                let gain = if local {
                    Gain::Constant(between(mutant, resident) - between(resident, mutant))
                } else {
                    // Meetings of one individual with the m - 1 others, `mutants` in all.
                    let gain = |mutants: f64| {
                        ((mutants - 1.0) * between(mutant, mutant)
                            + (m - mutants) * between(mutant, resident)
                            - (m - mutants - 1.0) * between(resident, resident)
                            - mutants * between(resident, mutant))
                            / (m - 1.0)
                    };
                    Gain::Linear { first: gain(1.0), last: gain(m - 1.0) }
                };
                gains.push(([resident, mutant], gain));
            }
        }
        gains
    }

    fn fixation(&self, alpha: f64, gain: &Gain) -> f64 {
        let m = f64::from(self.size);
        match *gain {
            Gain::Constant(gain) => {
                let u = alpha * gain;
                if u.abs() < f64::MIN_POSITIVE {
                    1.0 / m
                } else {
                    libm::expm1(-u) / libm::expm1(-m * u)
                }
            }
            Gain::Linear { .. } => libm::exp(self.log_fixation(alpha, gain)),
        }
    }

    /// The logarithm of the fixation probability `1 / sum_{l < m} exp(-alpha (g_1 + .. + g_l))`,
    /// with `g_k` the gain among `k` mutants.
    fn log_fixation(&self, alpha: f64, gain: &Gain) -> f64 {
        let m = f64::from(self.size);
        match *gain {
            Gain::Constant(gain) => {
                let u = alpha * gain;
                let log_share = |v: f64| libm::log(-libm::expm1(-v));
                if u.abs() < f64::MIN_POSITIVE {
                    -libm::log(m)
                } else if u > 0.0 {
                    log_share(u) - log_share(m * u)
                } else {
                    (m - 1.0) * u + log_share(-u) - log_share(-m * u)
                }
            }
            Gain::Linear { first, last } => {
                let slope = if self.size > 2 { (last - first) / (m - 2.0) } else { 0.0 };
                let exponents = (0..self.size).map(|l| {
                    let l = f64::from(l);
                    -alpha * (l * first + slope * 0.5 * l * (l - 1.0))
                });
                let highest = exponents.clone().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = exponents.map(|exponent| libm::exp(exponent - highest)).sum();
                -(highest + libm::log(sum))
            }
        }
    }
}

/// Every player's deviations (profile, other profile) and what they gain.
fn deviations(game: &NormalForm) -> Vec<([usize; 2], Gain)> {
    let shape = game.shape();
    let mut gains = Vec::new();
    for player in 0..game.players() {
        let payoffs: Vec<f64> = game.payoff_tensor(player).iter().copied().collect();
        let stride: usize = shape[player + 1..].iter().product();
        for from in 0..payoffs.len() {
            let own = from / stride % shape[player];
            for action in (0..shape[player]).filter(|&action| action != own) {
                let to = from - own * stride + action * stride;
                gains.push(([from, to], Gain::Constant(payoffs[to] - payoffs[from])));
            }
        }
    }
    gains
}

fn by_sign<R>(gain: &Gain, up: R, tie: R, down: R) -> R {
    let (Gain::Constant(gain) | Gain::Linear { first: gain, .. }) = *gain;
    if gain > 0.0 {
        up
    } else if gain < 0.0 {
        down
    } else {
        tie
    }
}

/// The stationary distribution of the chain in which each (from, to) has a rate.
fn solve<R: Rate>(
    states: usize,
    gains: &[([usize; 2], Gain)],
    rate: impl Fn(&Gain) -> R,
) -> Result<Vec<f64>, Lost> {
    let mut rates = Array2::from_elem((states, states), R::ZERO);
    for (at, gain) in gains {
        rates[*at] = rate(gain);
    }
    stationary(rates)
}
