//! What a solver answers: profiles with their certificates, and why it may refuse.

use std::fmt;
use std::ops::{Index, IndexMut, RangeBounds};

use ndarray::ArrayD;
use serde::{Deserialize, Serialize};

use crate::game::joint::{Deviations, marginals};
use crate::game::{GameError, NormalForm};
use crate::seed::Streams;

/// One mixed strategy per player: `profile[p][a]` is the probability of player `p`'s action `a`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Profile(Vec<Vec<f64>>);

impl Profile {
    /// A profile from one probability vector per player (not checked; see
    /// [`NormalForm::check_profile`]).
    pub const fn new(strategies: Vec<Vec<f64>>) -> Self {
        Self(strategies)
    }

    /// Every action equally likely.
    pub fn uniform(shape: &[usize]) -> Self {
        Self(shape.iter().map(|&actions| vec![1.0 / actions as f64; actions]).collect())
    }

    /// Every player plays one action; `actions[p] < shape[p]`.
    pub fn pure(shape: &[usize], actions: &[usize]) -> Self {
        let one_hot = |(&count, &action): (&usize, &usize)| {
            (0..count).map(|a| f64::from(u8::from(a == action))).collect()
        };
        Self(shape.iter().zip(actions).map(one_hot).collect())
    }

    /// Number of strategies.
    pub fn players(&self) -> usize {
        self.0.len()
    }

    /// The strategies, player by player.
    pub fn iter(&self) -> std::slice::Iter<'_, Vec<f64>> {
        self.0.iter()
    }

    /// The strategies as slices of a slice.
    pub fn as_slice(&self) -> &[Vec<f64>] {
        &self.0
    }

    /// The strategies, given away.
    pub fn into_inner(self) -> Vec<Vec<f64>> {
        self.0
    }

    /// Every strategy divided by its sum, which must not be 0.
    pub(crate) fn normalised(self) -> Self {
        let of = |mix: Vec<f64>| {
            let total: f64 = mix.iter().sum();
            mix.into_iter().map(|share| share / total).collect()
        };
        Self(self.0.into_iter().map(of).collect())
    }

    /// Largest difference of two probabilities; infinite if the shapes differ.
    pub fn distance(&self, other: &Self) -> f64 {
        let same_shape = self.players() == other.players()
            && self.iter().zip(other.iter()).all(|(a, b)| a.len() == b.len());
        if !same_shape {
            return f64::INFINITY;
        }
        let pairs = self.iter().flatten().zip(other.iter().flatten());
        pairs.fold(0.0, |largest, (a, b)| (a - b).abs().max(largest))
    }
}

impl<'a> IntoIterator for &'a Profile {
    type Item = &'a Vec<f64>;
    type IntoIter = std::slice::Iter<'a, Vec<f64>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Index<usize> for Profile {
    type Output = Vec<f64>;

    fn index(&self, player: usize) -> &Vec<f64> {
        &self.0[player]
    }
}

impl IndexMut<usize> for Profile {
    fn index_mut(&mut self, player: usize) -> &mut Vec<f64> {
        &mut self.0[player]
    }
}

/// Why a solver stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stop {
    /// The method ran to its end: an exact answer, or for an enumeration all of them.
    Complete,
    /// The certificate fell below the tolerance asked for.
    Converged,
    /// The iterations allowed were used up first.
    IterationLimit,
    /// As many solutions were found as were asked for; there may be more.
    SolutionLimit,
    /// No further progress is possible in double precision.
    Stalled,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Converged => "converged",
            Self::IterationLimit => "iteration limit",
            Self::SolutionLimit => "solution limit",
            Self::Stalled => "stalled",
        })
    }
}

/// Variances of a profile and how far it is from a Risk-Averse Equilibrium, per player.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    /// What the player could still gain in the mean-variance objective.
    pub gap: Vec<f64>,
    /// Strategic variance: of the mixture's payoff over the opponents' actions.
    pub variance: Vec<f64>,
    /// Variance of the payoff over everybody's actions, own ones included.
    pub total_variance: Vec<f64>,
}

/// An answer with its proof: `regret[p]` is what player `p` could still gain.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// What is to be played; for a joint distribution, its marginals.
    pub profile: Profile,
    /// Expected payoff of every player.
    pub payoffs: Vec<f64>,
    /// Gain of every player's best deviation, by [`NormalForm::regret`]; for a joint distribution
    /// by [`NormalForm::joint_regret`], of the deviations that its concept allows.
    pub regret: Vec<f64>,
    /// Iterations (in the solver's own unit) spent on this answer.
    pub iterations: u64,
    /// Why the solver stopped here.
    pub stop: Stop,
    /// The joint distribution over pure profiles, for concepts that are not products.
    pub joint: Option<ArrayD<f64>>,
    /// Variances, for risk-averse concepts.
    pub risk: Option<Risk>,
    /// For fixed-point methods, how far the last iterate is from its image, in the method's norm.
    pub residual: Option<f64>,
}

impl Solution {
    /// A profile with its payoffs and regrets computed here: a solver cannot vouch for itself.
    ///
    /// # Errors
    ///
    /// [`SolveError::Game`] if the profile is not one of this game, which includes probabilities
    /// that are not finite or do not sum to 1.
    pub fn certify(
        game: &NormalForm,
        profile: Profile,
        iterations: u64,
        stop: Stop,
    ) -> Result<Self, SolveError> {
        game.check_profile(&profile)?;
        let payoffs = game.payoffs(&profile);
        let regret = game.regret(&profile);
        Ok(Self {
            profile,
            payoffs,
            regret,
            iterations,
            stop,
            joint: None,
            risk: None,
            residual: None,
        })
    }

    /// A joint distribution with its marginals as the profile, and payoffs and regrets computed
    /// here: [`NormalForm::joint_payoffs`] and [`NormalForm::joint_regret`].
    ///
    /// # Errors
    ///
    /// [`SolveError::Game`] if the distribution is not one over this game's pure profiles.
    pub fn certify_joint(
        game: &NormalForm,
        joint: ArrayD<f64>,
        deviations: Deviations,
        iterations: u64,
        stop: Stop,
    ) -> Result<Self, SolveError> {
        game.check_joint(&joint)?;
        let profile = Profile::new(marginals(&joint));
        let payoffs = game.joint_payoffs(&joint);
        let regret = game.joint_regret(&joint, deviations);
        Ok(Self {
            profile,
            payoffs,
            regret,
            iterations,
            stop,
            joint: Some(joint),
            risk: None,
            residual: None,
        })
    }

    /// The largest regret of a player.
    pub fn max_regret(&self) -> f64 {
        self.regret.iter().copied().fold(0.0, f64::max)
    }

    /// The sum of regrets.
    pub fn nash_conv(&self) -> f64 {
        self.regret.iter().sum()
    }
}

/// All answers of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Solutions {
    /// The answers, in the order the method finds them (enumerations document theirs).
    pub equilibria: Vec<Solution>,
    /// Iterations of the whole call, in the solver's own unit.
    pub iterations: u64,
    /// Why the call ended.
    pub stop: Stop,
}

impl Solutions {
    /// The one answer of a method that gives one.
    pub fn one(solution: Solution) -> Self {
        let (iterations, stop) = (solution.iterations, solution.stop);
        Self { equilibria: vec![solution], iterations, stop }
    }
}

/// What a caller may ask of any solver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SolveOptions {
    /// Randomness, for methods that draw.
    pub streams: Streams,
    /// All the answers the method can find, instead of the first.
    pub all: bool,
}

impl SolveOptions {
    /// One answer, from this seed.
    pub const fn seeded(seed: u64) -> Self {
        Self { streams: Streams::new(seed), all: false }
    }

    /// The same, asking for all answers.
    #[must_use]
    pub const fn all(mut self) -> Self {
        self.all = true;
        self
    }
}

impl Default for SolveOptions {
    fn default() -> Self {
        Self::seeded(0)
    }
}

/// Which games a solver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Takes {
    /// Any number of players.
    AnyGame,
    /// Two players.
    TwoPlayers,
    /// Two players whose payoffs sum to a constant.
    TwoPlayersConstantSum,
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyGame => "any game",
            Self::TwoPlayers => "two players",
            Self::TwoPlayersConstantSum => "two players, constant sum",
        })
    }
}

/// A parameter of a solver, as a scenario names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Field name.
    pub name: &'static str,
    /// Meaning, unit and range in one line.
    pub about: &'static str,
}

/// What a solver is, for lists and for refusing games.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SolverInfo {
    /// Name on the command line, in kebab case.
    pub name: &'static str,
    /// One line: the method and its source.
    pub about: &'static str,
    /// The games it takes.
    pub takes: Takes,
    /// Whether `all` gives more than one answer.
    pub enumerates: bool,
    /// Its parameters, which are the fields of its struct.
    pub parameters: &'static [Parameter],
}

/// A method that finds equilibria of games in normal form; a value holds its parameters.
pub trait Solver: fmt::Debug + Send + Sync {
    /// What this solver is.
    fn info(&self) -> &'static SolverInfo;

    /// The largest regret (relative to the range of payoffs, where that exceeds 1) that an answer
    /// with [`Stop::Complete`] or [`Stop::Converged`] may have; none if the answer is not a Nash
    /// equilibrium, or is one only in the limit.
    fn tolerance(&self) -> Option<f64>;

    /// Solves the game.
    ///
    /// # Errors
    ///
    /// [`SolveError`] if the game or a parameter does not fit, or if a bound of the method is
    /// exceeded.
    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError>;

    /// Whether this solver takes the game.
    ///
    /// # Errors
    ///
    /// [`SolveError`] naming what does not fit.
    fn check(&self, game: &NormalForm) -> Result<(), SolveError> {
        self.info().check(game)
    }
}

impl SolverInfo {
    /// Refuses a parameter outside its range, which `range` describes.
    pub(crate) fn within(
        &self,
        parameter: &'static str,
        value: f64,
        allowed: impl RangeBounds<f64>,
        range: &'static str,
    ) -> Result<(), SolveError> {
        if allowed.contains(&value) {
            Ok(())
        } else {
            Err(SolveError::Parameter { solver: self.name, parameter, value, range })
        }
    }

    /// Whether the game is one that this solver takes.
    ///
    /// # Errors
    ///
    /// [`SolveError::Players`] or [`SolveError::NotConstantSum`].
    pub fn check(&self, game: &NormalForm) -> Result<(), SolveError> {
        if self.takes != Takes::AnyGame && game.players() != 2 {
            let players = game.players();
            return Err(SolveError::Players { solver: self.name, needed: 2, players });
        }
        if self.takes == Takes::TwoPlayersConstantSum && !game.is_constant_sum() {
            let (low, high) = game.sum_range();
            return Err(SolveError::NotConstantSum { solver: self.name, low, high });
        }
        Ok(())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The numbers do not make a game, or a profile does not fit it.
    #[error(transparent)]
    Game(#[from] GameError),
    /// The wrong number of players.
    #[error("{solver} takes games of {needed} players, this one has {players}")]
    Players {
        /// The solver.
        solver: &'static str,
        /// Players it takes.
        needed: usize,
        /// Players of the game.
        players: usize,
    },
    /// A general-sum game for a constant-sum solver.
    #[error(
        "{solver} takes constant-sum games, here payoffs sum to {low} at one profile and {high} at another"
    )]
    NotConstantSum {
        /// The solver.
        solver: &'static str,
        /// Least sum.
        low: f64,
        /// Largest sum.
        high: f64,
    },
    /// A NaN or infinite number.
    #[error("{what} must be finite")]
    NotFinite {
        /// What is not finite.
        what: String,
    },
    /// An input that makes no sense.
    #[error("{what}")]
    Invalid {
        /// What it is.
        what: String,
    },
    /// A parameter out of its range.
    #[error("{solver}: {parameter} is {value}, it must be {range}")]
    Parameter {
        /// The solver.
        solver: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// Its value.
        value: f64,
        /// The range.
        range: &'static str,
    },
    /// A floor on probabilities that leaves no strategy.
    #[error("a floor of {floor} on each of {actions} actions leaves no strategy")]
    InfeasibleFloor {
        /// The floor.
        floor: f64,
        /// Number of actions.
        actions: usize,
    },
    /// A required utility that no allowed strategy reaches.
    #[error("no allowed strategy has mean {required}, the best has {best}")]
    InfeasibleUtility {
        /// What was required.
        required: f64,
        /// The largest mean.
        best: f64,
    },
    /// More work or memory than the method is willing to take on.
    #[error("{solver}: {size} {what} are more than the limit of {limit}")]
    TooLarge {
        /// The solver.
        solver: &'static str,
        /// What is counted.
        what: &'static str,
        /// How many there are.
        size: u64,
        /// How many it takes.
        limit: u64,
    },
    /// A library underneath gave no answer.
    #[error("{backend}: {why}")]
    Backend {
        /// The library.
        backend: &'static str,
        /// What it said.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_solution_is_certified_by_the_game() {
        let game = NormalForm::zero_sum(array![[2.0, -1.0], [-1.0, 1.0]].view()).unwrap();
        let profile = Profile::new(vec![vec![0.4, 0.6], vec![0.4, 0.6]]);
        let solution = Solution::certify(&game, profile, 3, Stop::Complete).unwrap();
        assert!((solution.payoffs[0] - 0.2).abs() < 1e-15);
        assert!(solution.max_regret() < 1e-15);
        let nan = Profile::new(vec![vec![f64::NAN, 0.6], vec![0.4, 0.6]]);
        assert!(matches!(
            Solution::certify(&game, nan, 0, Stop::Complete),
            Err(SolveError::Game(GameError::Profile { .. }))
        ));
    }

    #[test]
    fn games_that_do_not_fit_are_refused_by_name() {
        let info = SolverInfo {
            name: "zero-sum",
            about: "",
            takes: Takes::TwoPlayersConstantSum,
            enumerates: false,
            parameters: &[],
        };
        let game = NormalForm::symmetric(array![[4.0, 0.0], [3.0, 2.0]].view()).unwrap();
        assert_eq!(
            info.check(&game).unwrap_err().to_string(),
            "zero-sum takes constant-sum games, here payoffs sum to 3 at one profile and 8 at another"
        );
        let solo = NormalForm::new(vec![array![1.0, 2.0].into_dyn()]).unwrap();
        assert_eq!(
            info.check(&solo).unwrap_err().to_string(),
            "zero-sum takes games of 2 players, this one has 1"
        );
    }

    #[test]
    fn distances_of_profiles() {
        let shape = [2, 3];
        let pure = Profile::pure(&shape, &[1, 2]);
        assert_eq!(pure.as_slice(), [vec![0.0, 1.0], vec![0.0, 0.0, 1.0]]);
        assert!((pure.distance(&Profile::uniform(&shape)) - 2.0 / 3.0).abs() < 1e-15);
        assert!(pure.distance(&Profile::uniform(&[2, 2])).is_infinite());
    }
}
