//! Correlated and coarse correlated equilibria of games of any number of players.
//!
//! Both are sets cut out of the distributions over pure profiles by linear constraints (no
//! deviation gains), so the best of them for a linear objective is found by a linear program and
//! the most mixed one by a quadratic program.
//!
//! Sources: Aumann, "Subjectivity and correlation in randomized strategies", Journal of
//! Mathematical Economics 1, 1974; Moulin and Vial, "Strategically zero-sum games", International
//! Journal of Game Theory 7, 1978; for the largest Gini impurity as the choice among them, Marris,
//! Muller, Lanctot, Tuyls and Graepel, "Multi-agent training beyond zero-sum with correlated
//! equilibrium meta-solvers", ICML 2021.

use clarabel::solver::{NonnegativeConeT, ZeroConeT};
use ndarray::{Array2, ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

use crate::game::NormalForm;
use crate::game::joint::Deviations;
use crate::linear::simplex::Program;
use crate::rae::interior;
use crate::solution::{
    Parameter, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop, Takes,
};

/// Which equilibrium of the set to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Objective {
    /// The largest sum of payoffs.
    #[default]
    Welfare,
    /// The largest payoff of the player who gets least (payoffs of different players compared as
    /// they are).
    Egalitarian,
    /// The largest Gini impurity `1 - sum sigma^2`: the one nearest to the uniform distribution,
    /// and the only one of these three that is always unique.
    ///
    /// By interior points: the impurity is right within 1e-11, hence probabilities within 1e-5 or
    /// so, while regrets are as small as for the others.
    Gini,
}

/// One correlated equilibrium: no player gains by a deviation that may depend on the action
/// recommended to it.
///
/// `Solution::joint` is the distribution, `profile` its marginals, and `regret` what conditional
/// deviations gain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Correlated {
    /// Which of them.
    pub objective: Objective,
}

/// One coarse correlated equilibrium: no player gains by committing to an action before it hears
/// the recommendation.
///
/// `Solution::joint` is the distribution, `profile` its marginals, and `regret` what unconditional
/// deviations gain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoarseCorrelated {
    /// Which of them.
    pub objective: Objective,
}

const PARAMETERS: &[Parameter] = &[Parameter {
    name: "objective",
    about: "which of them: Welfare (largest sum of payoffs), Egalitarian (largest least payoff) or Gini (nearest to uniform)",
}];

static CORRELATED: SolverInfo = SolverInfo {
    name: "correlated",
    about: "the best correlated equilibrium for an objective, by linear or quadratic programming (Aumann 1974)",
    takes: Takes::AnyGame,
    enumerates: false,
    parameters: PARAMETERS,
};

static COARSE: SolverInfo = SolverInfo {
    name: "coarse-correlated",
    about: "the best coarse correlated equilibrium for an objective, by linear or quadratic programming (Moulin, Vial 1978)",
    takes: Takes::AnyGame,
    enumerates: false,
    parameters: PARAMETERS,
};

/// Entries of the constraint matrix that a call takes on.
const MOST_ENTRIES: u64 = 50_000_000;

/// Pure profiles for which a call solves the quadratic program.
const MOST_PROFILES: u64 = 4_000;

impl Solver for Correlated {
    fn info(&self) -> &'static SolverInfo {
        &CORRELATED
    }

    fn tolerance(&self) -> Option<f64> {
        None
    }

    fn solve(&self, game: &NormalForm, _options: &SolveOptions) -> Result<Solutions, SolveError> {
        solve(CORRELATED.name, game, Deviations::Conditional, self.objective)
    }
}

impl Solver for CoarseCorrelated {
    fn info(&self) -> &'static SolverInfo {
        &COARSE
    }

    fn tolerance(&self) -> Option<f64> {
        None
    }

    fn solve(&self, game: &NormalForm, _options: &SolveOptions) -> Result<Solutions, SolveError> {
        solve(COARSE.name, game, Deviations::Unconditional, self.objective)
    }
}

fn solve(
    solver: &'static str,
    game: &NormalForm,
    deviations: Deviations,
    objective: Objective,
) -> Result<Solutions, SolveError> {
    let profiles = game.profiles();
    let too_large = |what, size, limit| SolveError::TooLarge { solver, what, size, limit };
    let rows: u64 = game
        .shape()
        .iter()
        .map(|&n| match deviations {
            Deviations::Conditional => n as u64 * (n as u64 - 1),
            Deviations::Unconditional => n as u64,
        })
        .sum();
    let entries = rows.saturating_mul(profiles as u64);
    if entries > MOST_ENTRIES {
        return Err(too_large("constraint entries", entries, MOST_ENTRIES));
    }
    if objective == Objective::Gini && profiles as u64 > MOST_PROFILES {
        return Err(too_large("pure profiles", profiles as u64, MOST_PROFILES));
    }
    let gains = gains(game, deviations);
    let (weights, iterations, stop) = match objective {
        Objective::Gini => {
            let (weights, iterations) = most_mixed(profiles, &gains)?;
            (weights, iterations, Stop::Converged)
        }
        Objective::Welfare | Objective::Egalitarian => {
            let program = program(game, &gains, objective);
            let optimum = program.maximise().map_err(|_| SolveError::Invalid {
                what: format!("{solver}: the payoffs gave an unbounded program"),
            })?;
            let mut weights = optimum.primal;
            weights.truncate(profiles);
            let stop = if optimum.optimal { Stop::Complete } else { Stop::Stalled };
            (weights, optimum.pivots, stop)
        }
    };
    let clipped: Vec<f64> = weights.iter().map(|weight| weight.max(0.0)).collect();
    let total: f64 = clipped.iter().sum();
    let weights = clipped.iter().map(|weight| weight / total).collect();
    let joint = ArrayD::from_shape_vec(IxDyn(game.shape()), weights)
        .map_err(|error| SolveError::Invalid { what: error.to_string() })?;
    let solution = Solution::certify_joint(game, joint, deviations, iterations, stop)?;
    Ok(Solutions::one(solution))
}

/// One row of gains per deviation, over pure profiles in row-major order, each player's payoffs
/// scaled to a range of 1.
fn gains(game: &NormalForm, deviations: Deviations) -> Vec<Vec<f64>> {
    let shape = game.shape();
    let mut rows = Vec::new();
    for player in 0..game.players() {
        let payoffs: Vec<f64> = game.payoff_tensor(player).iter().copied().collect();
        let scale = 1.0 / range(&payoffs).1;
        // In row-major order, an action of `player` takes `stride` consecutive profiles.
        let stride: usize = shape[player + 1..].iter().product();
        let action = |profile: usize| profile / stride % shape[player];
        let gain = |profile: usize, played: usize| {
            let base = profile - action(profile) * stride;
            (payoffs[base + played * stride] - payoffs[profile]) * scale
        };
        for played in 0..shape[player] {
            match deviations {
                Deviations::Unconditional => {
                    rows.push((0..payoffs.len()).map(|profile| gain(profile, played)).collect());
                }
                Deviations::Conditional => {
                    for recommended in (0..shape[player]).filter(|&a| a != played) {
                        let row = (0..payoffs.len()).map(|profile| {
                            if action(profile) == recommended { gain(profile, played) } else { 0.0 }
                        });
                        rows.push(row.collect());
                    }
                }
            }
        }
    }
    rows
}

/// The least number and the difference to the largest, 1 if there is none.
fn range(numbers: &[f64]) -> (f64, f64) {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (least, if most > least { most - least } else { 1.0 })
}

/// The linear program over weights of total at most 1.
///
/// The objective is mapped to be positive everywhere, so that the best weights have total 1
/// (equilibria exist).
fn program(game: &NormalForm, gains: &[Vec<f64>], objective: Objective) -> Program {
    let profiles = game.profiles();
    let payoffs = |player: usize| game.payoff_tensor(player).iter();
    // The last column, if any, is the level that every player's payoff is to reach.
    let columns = profiles + usize::from(objective == Objective::Egalitarian);
    let mut matrix = Vec::new();
    let mut push = |row: &mut dyn Iterator<Item = f64>, level: f64| {
        matrix.extend(row);
        matrix.extend((columns > profiles).then_some(level));
    };
    for row in gains {
        push(&mut row.iter().copied(), 0.0);
    }
    let mut rows = gains.len() + 1;
    let cost = if objective == Objective::Egalitarian {
        let all: Vec<f64> = (0..game.players()).flat_map(payoffs).copied().collect();
        let (least, range) = range(&all);
        for player in 0..game.players() {
            push(&mut payoffs(player).map(|payoff| -1.0 - (payoff - least) / range), 1.0);
        }
        rows += game.players();
        let mut cost = vec![0.0; columns];
        cost[profiles] = 1.0;
        cost
    } else {
        let mut welfare = vec![0.0; profiles];
        for player in 0..game.players() {
            for (sum, payoff) in welfare.iter_mut().zip(payoffs(player)) {
                *sum += payoff;
            }
        }
        let (least, range) = range(&welfare);
        welfare.iter().map(|sum| 1.0 + (sum - least) / range).collect()
    };
    push(&mut std::iter::repeat_n(1.0, profiles), 0.0);
    let mut right = vec![0.0; rows];
    right[rows - 1] = 1.0;
    Program { rows, columns, matrix, right, cost }
}

/// `min sum sigma^2` over the equilibria, by interior points.
fn most_mixed(profiles: usize, gains: &[Vec<f64>]) -> Result<(Vec<f64>, u64), SolveError> {
    let hessian = Array2::from_diag_elem(profiles, 2.0);
    // Rows: the total, the gains, and from here on the signs.
    let signs = 1 + gains.len();
    let columns: Vec<Vec<(usize, f64)>> = (0..profiles)
        .map(|profile| {
            let total = std::iter::once((0, 1.0));
            let gains = gains
                .iter()
                .enumerate()
                .map(|(row, gains)| (1 + row, gains[profile]))
                .filter(|&(_, gain)| gain.abs() > 0.0);
            let sign = std::iter::once((signs + profile, -1.0));
            total.chain(gains).chain(sign).collect()
        })
        .collect();
    let mut right = vec![0.0; signs + profiles];
    right[0] = 1.0;
    let cones = [ZeroConeT(1), NonnegativeConeT(gains.len() + profiles)];
    let cost = vec![0.0; profiles];
    let (weights, iterations) = interior::solve(&hessian, &cost, &columns, &right, &cones)?;
    Ok((weights, iterations as u64))
}
