//! Regret matching and regret matching plus.

use serde::{Deserialize, Serialize};

use super::{AVERAGE, Answer, ITERATIONS, Run, TOLERANCE};
use crate::game::NormalForm;
use crate::play::Play;
use crate::solution::{
    Parameter, Profile, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Takes,
};

/// Regret matching: every action is played in proportion to how much the player would have gained
/// by always having played it, if that is positive; all players move at once.
///
/// The average converges to equilibrium in zero-sum games; in general only the joint play does, to
/// the coarse correlated equilibria.
/// Sampled play is the process of the source; deterministic play uses expectations, with OpenSpiel's
/// conventions: an initial regret of 1e-6 for every action, and a share `exploration` of even
/// mixing.
///
/// Source: Hart and Mas-Colell, "A simple adaptive procedure leading to correlated equilibrium",
/// Econometrica 68 (2000), its unconditional form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegretMatching {
    /// Rounds at most.
    pub iterations: u64,
    /// Regret of the answer, relative to the largest difference between payoffs of a player (where
    /// that exceeds 1), that ends the run.
    pub tolerance: f64,
    /// Average or last strategies.
    pub answer: Answer,
    /// Share of even mixing in every strategy, in `[0, 1]`.
    pub exploration: f64,
    /// Whether others see strategies or actions drawn from them.
    pub play: Play,
}

impl Default for RegretMatching {
    fn default() -> Self {
        Self {
            iterations: 100_000,
            tolerance: 1e-4,
            answer: Answer::Average,
            exploration: 1e-6,
            play: Play::Deterministic,
        }
    }
}

/// Regret matching plus: regrets never fall below zero, players move one after another, and round
/// `t` weighs `t` times as much in the average.
///
/// Much faster than regret matching in zero-sum games; there is no randomness in it.
/// Source: Tammelin, Burch, Johanson and Bowling, "Solving heads-up limit Texas Hold'em", IJCAI
/// 2015.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegretMatchingPlus {
    /// Rounds at most.
    pub iterations: u64,
    /// Regret of the answer, relative to the largest difference between payoffs of a player (where
    /// that exceeds 1), that ends the run.
    pub tolerance: f64,
    /// Average or last strategies.
    pub answer: Answer,
}

impl Default for RegretMatchingPlus {
    fn default() -> Self {
        Self { iterations: 100_000, tolerance: 1e-4, answer: Answer::Average }
    }
}

static PLAIN: SolverInfo = SolverInfo {
    name: "regret-matching",
    about: "regret matching, average and last strategies (Hart, Mas-Colell 2000)",
    takes: Takes::AnyGame,
    enumerates: true,
    parameters: &[
        ITERATIONS,
        TOLERANCE,
        AVERAGE,
        Parameter {
            name: "exploration",
            about: "share of even mixing in every strategy, in [0, 1] (default 1e-6)",
        },
        Parameter {
            name: "play",
            about: "Deterministic or Sampled: what others see (default Deterministic)",
        },
    ],
};

static PLUS: SolverInfo = SolverInfo {
    name: "regret-matching-plus",
    about: "regret matching plus, average and last strategies (Tammelin et al. 2015)",
    takes: Takes::AnyGame,
    enumerates: true,
    parameters: &[ITERATIONS, TOLERANCE, AVERAGE],
};

/// Regret that every action starts with.
const INITIAL_REGRET: f64 = 1e-6;

/// Adds what every action would have gained over what was played.
fn accumulate(regrets: &mut [f64], game: &NormalForm, player: usize, played: &Profile) {
    let payoffs = game.deviation_payoffs(player, played);
    let earned: f64 = payoffs.iter().zip(&played[player]).map(|(u, p)| u * p).sum();
    for (regret, payoff) in regrets.iter_mut().zip(payoffs) {
        *regret += payoff - earned;
    }
}

/// Probabilities in proportion to positive regrets, even if there are none.
fn matched(regrets: &[f64]) -> Vec<f64> {
    let total: f64 = regrets.iter().map(|regret| regret.max(0.0)).sum();
    let even = 1.0 / regrets.len() as f64;
    let share = |regret: &f64| if total > 0.0 { regret.max(0.0) / total } else { even };
    regrets.iter().map(share).collect()
}

fn initial_regrets(game: &NormalForm) -> Vec<Vec<f64>> {
    game.shape().iter().map(|&actions| vec![INITIAL_REGRET; actions]).collect()
}

impl Solver for RegretMatching {
    fn info(&self) -> &'static SolverInfo {
        &PLAIN
    }

    fn tolerance(&self) -> Option<f64> {
        Some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        PLAIN.within("exploration", self.exploration, 0.0..=1.0, "in [0, 1]")?;
        let mut run = Run::new(&PLAIN, game, self.iterations, self.tolerance, self.answer)?;
        run.play = self.play;
        let mut regrets = initial_regrets(game);
        run.play(options, |_, played, _| {
            let strategies = regrets.iter_mut().enumerate().map(|(player, regrets)| {
                accumulate(regrets, game, player, played);
                let even = self.exploration / regrets.len() as f64;
                let explored = |share: f64| even + (1.0 - self.exploration) * share;
                matched(regrets).into_iter().map(explored).collect()
            });
            Profile::new(strategies.collect())
        })
    }
}

impl Solver for RegretMatchingPlus {
    fn info(&self) -> &'static SolverInfo {
        &PLUS
    }

    fn tolerance(&self) -> Option<f64> {
        Some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        let mut run = Run::new(&PLUS, game, self.iterations, self.tolerance, self.answer)?;
        run.linear_average = true;
        let mut regrets = initial_regrets(game);
        run.play(options, |_, played, _| {
            let mut strategies = played.clone();
            for (player, regrets) in regrets.iter_mut().enumerate() {
                accumulate(regrets, game, player, &strategies);
                for regret in regrets.iter_mut() {
                    *regret = regret.max(0.0);
                }
                strategies[player] = matched(regrets);
            }
            strategies
        })
    }
}
