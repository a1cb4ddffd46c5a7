//! Games in normal (strategic) form, and what mixed play is worth in them.

use ndarray::{ArrayD, ArrayView2, ArrayViewD, Axis, Dimension, IxDyn, Zip};

use super::Noise;
use crate::solution::Profile;

/// Why numbers do not make a game.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GameError {
    /// No player at all.
    #[error("a game needs at least one player")]
    NoPlayers,
    /// A tensor's number of axes is not the number of players.
    #[error("the payoffs of player {player} have {axes} axes for {players} players")]
    Axes {
        /// Player (from 0) whose tensor it is.
        player: usize,
        /// Axes of that tensor.
        axes: usize,
        /// Number of tensors, hence of players.
        players: usize,
    },
    /// Two players' tensors differ in shape.
    #[error("the payoffs of player {player} have shape {found:?}, those of player 0 {expected:?}")]
    Shape {
        /// Player (from 0) whose tensor differs from player 0's.
        player: usize,
        /// Shape of player 0's tensor.
        expected: Vec<usize>,
        /// Shape of this player's tensor.
        found: Vec<usize>,
    },
    /// A player without actions.
    #[error("player {player} has no action")]
    NoActions {
        /// The player, from 0.
        player: usize,
    },
    /// A payoff that is NaN or infinite.
    #[error("the payoff of player {player} at profile {profile:?} is {payoff}")]
    NotFinite {
        /// The player, from 0.
        player: usize,
        /// The pure profile, one action index per player.
        profile: Vec<usize>,
        /// The offending number.
        payoff: f64,
    },
    /// The number of names is not the number of things to be named.
    #[error("{found} {what} for {expected}")]
    Labels {
        /// What is being named.
        what: String,
        /// How many names are needed.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A profile that does not fit the game.
    #[error("{what}")]
    Profile {
        /// What is wrong with it.
        what: String,
    },
}

/// A game of `n` players in normal form: one payoff tensor per player.
///
/// Axis `p` of every tensor is player `p`'s action, so `payoff_tensor(i)[[a0, a1, ..]]` is what
/// player `i` gets when player `p` plays `a_p`.
/// Payoffs are finite and every player has at least one action; construction checks both.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalForm {
    title: String,
    comment: String,
    player_labels: Vec<String>,
    action_labels: Vec<Vec<String>>,
    shape: Vec<usize>,
    /// In row-major order each.
    payoffs: Vec<ArrayD<f64>>,
    pub(super) noise: Option<Noise>,
}

impl NormalForm {
    /// A game from one tensor per player; players are named `1`, `2`, .. and so are actions.
    ///
    /// # Errors
    ///
    /// [`GameError`] if there is no player, if shapes differ or do not have one axis per player,
    /// if a player has no action, or if a payoff is not finite.
    pub fn new(payoffs: Vec<ArrayD<f64>>) -> Result<Self, GameError> {
        let players = payoffs.len();
        let Some(first) = payoffs.first() else { return Err(GameError::NoPlayers) };
        let shape = first.shape().to_vec();
        for (player, tensor) in payoffs.iter().enumerate() {
            if tensor.ndim() != players {
                return Err(GameError::Axes { player, axes: tensor.ndim(), players });
            }
            if tensor.shape() != shape {
                let found = tensor.shape().to_vec();
                return Err(GameError::Shape { player, expected: shape, found });
            }
        }
        if let Some(player) = shape.iter().position(|&actions| actions == 0) {
            return Err(GameError::NoActions { player });
        }
        for (player, tensor) in payoffs.iter().enumerate() {
            for (profile, &payoff) in tensor.indexed_iter() {
                if !payoff.is_finite() {
                    let profile = profile.as_array_view().to_vec();
                    return Err(GameError::NotFinite { player, profile, payoff });
                }
            }
        }
        let count = |n: usize| -> Vec<String> { (1..=n).map(|i| i.to_string()).collect() };
        Ok(Self {
            title: String::new(),
            comment: String::new(),
            player_labels: count(players),
            action_labels: shape.iter().map(|&actions| count(actions)).collect(),
            payoffs: payoffs
                .iter()
                .map(|tensor| tensor.as_standard_layout().into_owned())
                .collect(),
            shape,
            noise: None,
        })
    }

    /// A two-player game from both players' payoff matrices, rows being player 0's actions.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn bimatrix(
        row: ArrayView2<'_, f64>,
        column: ArrayView2<'_, f64>,
    ) -> Result<Self, GameError> {
        Self::new(vec![row.to_owned().into_dyn(), column.to_owned().into_dyn()])
    }

    /// A two-player game in which the column player gets minus what the row player gets.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn zero_sum(row: ArrayView2<'_, f64>) -> Result<Self, GameError> {
        // `0 - a` keeps zeros positive.
        let column = row.mapv(|payoff| 0.0 - payoff);
        Self::new(vec![row.to_owned().into_dyn(), column.into_dyn()])
    }

    /// A symmetric two-player game from the row player's square matrix.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn symmetric(row: ArrayView2<'_, f64>) -> Result<Self, GameError> {
        Self::bimatrix(row, row.t())
    }

    /// The game with a title, one name per player, and one name per action of every player.
    ///
    /// # Errors
    ///
    /// [`GameError::Labels`] if the numbers of names do not fit.
    pub fn with_labels(
        mut self,
        title: impl Into<String>,
        players: Vec<String>,
        actions: Vec<Vec<String>>,
    ) -> Result<Self, GameError> {
        let n = self.players();
        let wrong = |what: &str, expected, found| GameError::Labels {
            what: what.to_owned(),
            expected,
            found,
        };
        if players.len() != n {
            return Err(wrong("names of players", n, players.len()));
        }
        if actions.len() != n {
            return Err(wrong("lists of action names", n, actions.len()));
        }
        for (player, (names, &count)) in actions.iter().zip(&self.shape).enumerate() {
            if names.len() != count {
                return Err(wrong(&format!("action names of player {player}"), count, names.len()));
            }
        }
        self.title = title.into();
        self.player_labels = players;
        self.action_labels = actions;
        Ok(self)
    }

    /// The game with another title.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The game with a comment: where it comes from, what is known about it.
    #[must_use]
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = comment.into();
        self
    }

    /// The title; empty if none was given.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The comment (source, known equilibria); empty if none was given.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// One name per player.
    pub fn player_labels(&self) -> &[String] {
        &self.player_labels
    }

    /// One name per action of `player`; empty for a player that does not exist.
    pub fn action_labels(&self, player: usize) -> &[String] {
        self.action_labels.get(player).map_or(&[], Vec::as_slice)
    }

    /// Number of players.
    pub fn players(&self) -> usize {
        self.payoffs.len()
    }

    /// Number of actions of every player.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of pure profiles.
    pub fn profiles(&self) -> usize {
        self.shape.iter().product()
    }

    /// Payoffs of `player` over pure profiles, `shape()`, row-major.
    ///
    /// # Panics
    ///
    /// If there is no such player: an index out of bounds, as for a slice.
    pub fn payoff_tensor(&self, player: usize) -> &ArrayD<f64> {
        &self.payoffs[player]
    }

    /// Both players' payoff matrices (rows: player 0's actions); none unless there are two players.
    pub fn matrices(&self) -> Option<(ArrayView2<'_, f64>, ArrayView2<'_, f64>)> {
        let [row, column] = self.payoffs.as_slice() else { return None };
        let row = row.view().into_dimensionality().ok()?;
        let column = column.view().into_dimensionality().ok()?;
        Some((row, column))
    }

    /// Payoffs of all players at a pure profile (one action index per player).
    ///
    /// # Errors
    ///
    /// [`GameError::Profile`] if the profile is not one of this game.
    pub fn pure_payoffs(&self, profile: &[usize]) -> Result<Vec<f64>, GameError> {
        self.payoffs
            .iter()
            .map(|tensor| tensor.get(IxDyn(profile)).copied())
            .collect::<Option<_>>()
            .ok_or_else(|| GameError::Profile {
                what: format!("{profile:?} is no pure profile of a game of shape {:?}", self.shape),
            })
    }

    /// Checks that a profile is one of this game.
    ///
    /// Every player needs one finite, non-negative probability per action, and their sum must be 1
    /// within 1e-9.
    ///
    /// # Errors
    ///
    /// [`GameError::Profile`] naming the first player for which this fails.
    pub fn check_profile(&self, profile: &Profile) -> Result<(), GameError> {
        let wrong = |what: String| Err(GameError::Profile { what });
        if profile.players() != self.players() {
            return wrong(format!(
                "a profile of {} strategies for {} players",
                profile.players(),
                self.players()
            ));
        }
        for (player, (strategy, &actions)) in profile.iter().zip(&self.shape).enumerate() {
            if strategy.len() != actions {
                return wrong(format!(
                    "{} probabilities for the {actions} actions of player {player}",
                    strategy.len()
                ));
            }
            if let Some(bad) = strategy.iter().find(|p| !(0.0..=1.0 + 1e-9).contains(*p)) {
                return wrong(format!("{bad} as a probability of player {player}"));
            }
            let total: f64 = strategy.iter().sum();
            if (total - 1.0).abs() > 1e-9 {
                return wrong(format!("probabilities of player {player} with sum {total}"));
            }
        }
        Ok(())
    }

    /// What each action of `player` earns if all others play their part of the profile.
    ///
    /// Linear in every opponent's strategy and not restricted to distributions, so it also serves
    /// solvers that leave the simplex.
    /// `profile` needs one slice per player, of that player's number of actions; the entry of
    /// `player` is not read.
    pub fn deviation_payoffs(&self, player: usize, profile: &Profile) -> Vec<f64> {
        contract(self.payoffs[player].view(), profile, &[player]).into_raw_vec_and_offset().0
    }

    /// What each pair of actions of two players earns `earner`, the others playing the profile.
    ///
    /// The result is `[actions of first, actions of second]`, row-major; `first != second`.
    pub fn pair_payoffs(
        &self,
        earner: usize,
        first: usize,
        second: usize,
        profile: &Profile,
    ) -> Vec<f64> {
        let kept = [first.min(second), first.max(second)];
        let pairs = contract(self.payoffs[earner].view(), profile, &kept);
        let pairs = if first < second { pairs } else { pairs.reversed_axes() };
        pairs.iter().copied().collect()
    }

    /// Expected payoff of every player under independent mixing.
    pub fn payoffs(&self, profile: &Profile) -> Vec<f64> {
        (0..self.players())
            .map(|player| dot(&self.deviation_payoffs(player, profile), &profile[player]))
            .collect()
    }

    /// What every player could still gain by the best deviation: the certificate of a profile.
    ///
    /// `max_a u_p(a, sigma_-p) - u_p(sigma)`, never below 0 by more than rounding and clamped
    /// there.
    /// All entries 0 is a Nash equilibrium.
    pub fn regret(&self, profile: &Profile) -> Vec<f64> {
        (0..self.players())
            .map(|player| {
                let earned = self.deviation_payoffs(player, profile);
                let best = earned.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                // As a sum of shortfalls, so that nothing cancels near an equilibrium.
                let shortfall: f64 =
                    earned.iter().zip(&profile[player]).map(|(u, p)| p * (best - u)).sum();
                shortfall.max(0.0)
            })
            .collect()
    }

    /// The sum of all players' regrets.
    pub fn nash_conv(&self, profile: &Profile) -> f64 {
        self.regret(profile).iter().sum()
    }

    /// The sum of payoffs, if it is the same at every pure profile.
    ///
    /// "The same" within 1e-12 of the largest payoff in absolute value, for decimals such as 0.1
    /// that no binary fraction equals; the sum returned is the mid-range.
    pub fn constant_sum(&self) -> Option<f64> {
        let (low, high) = self.sum_range();
        let tolerance = 1e-12 * self.largest_payoff().max(f64::MIN_POSITIVE);
        (high - low <= tolerance).then_some(0.5 * (low + high))
    }

    /// Whether payoffs sum to the same number at every pure profile; see
    /// [`constant_sum`](Self::constant_sum).
    pub fn is_constant_sum(&self) -> bool {
        self.constant_sum().is_some()
    }

    /// Least and largest sum of payoffs over pure profiles.
    pub fn sum_range(&self) -> (f64, f64) {
        let mut sums = self.payoffs[0].clone();
        for tensor in &self.payoffs[1..] {
            sums += tensor;
        }
        sums.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &sum| {
            (low.min(sum), high.max(sum))
        })
    }

    /// The largest payoff in absolute value.
    pub fn largest_payoff(&self) -> f64 {
        self.payoffs.iter().flatten().fold(0.0, |largest, payoff| payoff.abs().max(largest))
    }

    /// The largest difference between two payoffs of one player.
    pub fn spread(&self) -> f64 {
        let of = |tensor: &ArrayD<f64>| {
            let least = tensor.iter().copied().fold(f64::INFINITY, f64::min);
            tensor.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least
        };
        self.payoffs.iter().map(of).fold(0.0, f64::max)
    }

    /// Whether exchanging any two players only exchanges their payoffs.
    ///
    /// All players must have equally many actions; compared to the bit.
    pub fn is_symmetric(&self) -> bool {
        if self.shape.iter().any(|&actions| actions != self.shape[0]) {
            return false;
        }
        // Exchanges with player 0 generate all permutations.
        (1..self.players()).all(|other| {
            (0..self.players()).all(|player| {
                let image = match player {
                    0 => other,
                    p if p == other => 0,
                    p => p,
                };
                let mut swapped = self.payoffs[image].view();
                swapped.swap_axes(0, other);
                #[expect(clippy::float_cmp, reason = "symmetry is meant to the bit")]
                let equal = Zip::from(&self.payoffs[player]).and(swapped).all(|a, b| a == b);
                equal
            })
        })
    }
}

/// Sums a tensor over every axis but the kept ones (ascending), weighted by the profile.
///
/// Axes are summed from the last to the first, entries in ascending order: one fixed order.
fn contract(tensor: ArrayViewD<'_, f64>, profile: &Profile, kept: &[usize]) -> ArrayD<f64> {
    let mut result: Option<ArrayD<f64>> = None;
    for axis in (0..tensor.ndim()).rev() {
        if kept.contains(&axis) {
            continue;
        }
        let source = result.as_ref().map_or(tensor.view(), |partial| partial.view());
        let mut sum = ArrayD::zeros(source.index_axis(Axis(axis), 0).raw_dim());
        for (slice, &weight) in source.axis_iter(Axis(axis)).zip(&profile[axis]) {
            if weight != 0.0 {
                sum.scaled_add(weight, &slice);
            }
        }
        result = Some(sum);
    }
    result.unwrap_or_else(|| tensor.to_owned())
}

/// The scalar product, summed from left to right.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn three_player() -> NormalForm {
        // Player 0 chooses 2, player 1 chooses 3, player 2 chooses 2 actions.
        let tensor = |f: fn(f64, f64, f64) -> f64| {
            ArrayD::from_shape_fn(IxDyn(&[2, 3, 2]), |i| f(i[0] as f64, i[1] as f64, i[2] as f64))
        };
        NormalForm::new(vec![
            tensor(|a, b, c| a + 10.0 * b + 100.0 * c),
            tensor(|a, b, c| a * b * c),
            tensor(|a, b, c| a - b + c),
        ])
        .unwrap()
    }

    #[test]
    fn what_is_no_game_is_refused_by_name() {
        let dyn2 = |rows, columns| ArrayD::zeros(IxDyn(&[rows, columns]));
        assert_eq!(NormalForm::new(vec![]), Err(GameError::NoPlayers));
        assert_eq!(
            NormalForm::new(vec![dyn2(2, 2)]),
            Err(GameError::Axes { player: 0, axes: 2, players: 1 })
        );
        assert_eq!(
            NormalForm::new(vec![dyn2(2, 2), dyn2(2, 3)]),
            Err(GameError::Shape { player: 1, expected: vec![2, 2], found: vec![2, 3] })
        );
        assert_eq!(
            NormalForm::new(vec![dyn2(2, 0), dyn2(2, 0)]),
            Err(GameError::NoActions { player: 1 })
        );
        let mut bad = dyn2(2, 2);
        bad[[1, 0]] = f64::NAN;
        let error = NormalForm::new(vec![dyn2(2, 2), bad]).unwrap_err();
        assert_eq!(error.to_string(), "the payoff of player 1 at profile [1, 0] is NaN");
        let error = NormalForm::zero_sum(array![[1.0]].view())
            .unwrap()
            .with_labels("", vec!["a".into()], vec![])
            .unwrap_err();
        assert_eq!(error.to_string(), "1 names of players for 2");
    }

    #[test]
    fn deviation_payoffs_agree_with_the_sum_over_profiles() {
        let game = three_player();
        let profile = Profile::new(vec![vec![0.25, 0.75], vec![0.5, 0.2, 0.3], vec![0.9, 0.1]]);
        game.check_profile(&profile).unwrap();
        for player in 0..3 {
            let mut by_hand = vec![0.0; game.shape()[player]];
            for (index, &payoff) in game.payoff_tensor(player).indexed_iter() {
                let weight: f64 =
                    (0..3).filter(|&p| p != player).map(|p| profile[p][index[p]]).product();
                by_hand[index[player]] += weight * payoff;
            }
            for (got, want) in game.deviation_payoffs(player, &profile).iter().zip(&by_hand) {
                assert!((got - want).abs() < 1e-12);
            }
        }
        let pairs = game.pair_payoffs(0, 2, 1, &profile);
        assert_eq!(pairs.len(), 6);
        assert!((pairs[5] - (0.75 + 20.0 + 100.0)).abs() < 1e-12);
        assert!((pairs[2] - (0.75 + 20.0)).abs() < 1e-12);
    }

    #[test]
    fn regret_is_what_the_best_deviation_gains() {
        let game = NormalForm::zero_sum(array![[1.0, -1.0], [-1.0, 1.0]].view()).unwrap();
        let profile = Profile::new(vec![vec![0.5, 0.5], vec![0.75, 0.25]]);
        assert_eq!(game.payoffs(&profile), vec![0.0, 0.0]);
        assert_eq!(game.regret(&profile), vec![0.5, 0.0]);
        assert!((game.nash_conv(&profile) - 0.5).abs() < 1e-15);
    }

    #[test]
    fn sums_and_symmetry() {
        let hawk = array![[-3.0, 4.0], [0.0, 2.0]];
        let game = NormalForm::symmetric(hawk.view()).unwrap();
        assert!(game.is_symmetric() && !game.is_constant_sum());
        assert_eq!(game.sum_range(), (-6.0, 4.0));
        let game = NormalForm::zero_sum(hawk.view()).unwrap();
        assert!(!game.is_symmetric() && game.is_constant_sum());
        // 0.1 + 0.2 and 0.3 + 0.0 differ in the last bit.
        let game =
            NormalForm::bimatrix(array![[0.1, 0.3]].view(), array![[0.2, 0.0]].view()).unwrap();
        assert!(game.is_constant_sum());
        assert!(!three_player().is_symmetric());
    }

    #[test]
    fn profiles_that_do_not_fit_are_named() {
        let game = three_player();
        let wrong = |strategies| game.check_profile(&Profile::new(strategies)).unwrap_err();
        let thirds = vec![1.0 / 3.0; 3];
        let half = vec![0.5, 0.5];
        assert!(wrong(vec![half.clone()]).to_string().contains("1 strategies for 3 players"));
        assert!(
            wrong(vec![half.clone(), half.clone(), half.clone()])
                .to_string()
                .contains("2 probabilities for the 3 actions of player 1")
        );
        assert!(
            wrong(vec![half, thirds, vec![0.5, 0.4]]).to_string().contains("player 2 with sum 0.9")
        );
    }
}
