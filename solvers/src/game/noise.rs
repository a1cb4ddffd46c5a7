//! What episodes leave unknown about the payoffs of an empirical game.

use ndarray::{ArrayD, Dimension};

use super::{GameError, NormalForm};

/// How uncertain the payoffs of an empirical game are, one tensor a player, of the game's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// Variance of a single episode's return within each cell.
    pub variances: Vec<ArrayD<f64>>,
    /// Squared standard error of each payoff: the variance over the number of episodes, or 0 where
    /// the payoff is exact.
    pub errors: Vec<ArrayD<f64>>,
}

impl NormalForm {
    /// The game with what is known of its payoffs' noise.
    ///
    /// # Errors
    ///
    /// [`GameError::Shape`] or [`GameError::NotFinite`] if the tensors are not of the game's shape,
    /// or if an entry is negative or not finite.
    pub fn with_noise(mut self, noise: Noise) -> Result<Self, GameError> {
        for tensors in [&noise.variances, &noise.errors] {
            if tensors.len() != self.players() {
                let axes = tensors.len();
                return Err(GameError::Axes { player: 0, axes, players: self.players() });
            }
            for (player, tensor) in tensors.iter().enumerate() {
                if tensor.shape() != self.shape() {
                    let (expected, found) = (self.shape().to_vec(), tensor.shape().to_vec());
                    return Err(GameError::Shape { player, expected, found });
                }
                let bad = |value: f64| !(value >= 0.0 && value.is_finite());
                if let Some((at, &payoff)) = tensor.indexed_iter().find(|(_, value)| bad(**value)) {
                    let profile = at.as_array_view().to_vec();
                    return Err(GameError::NotFinite { player, profile, payoff });
                }
            }
        }
        self.noise = Some(noise);
        Ok(self)
    }

    /// The noise of an empirical game's payoffs; none for a game whose payoffs are known.
    pub fn noise(&self) -> Option<&Noise> {
        self.noise.as_ref()
    }
}
