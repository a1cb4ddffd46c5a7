//! Each player's side of a game: own payoffs against the opponents' joint actions.

use ndarray::{Array1, Array2};

use super::exposure::Exposure;
use super::{RiskAversion, Tremble};
use crate::game::NormalForm;
use crate::solution::{Profile, SolveError};

/// The payoff matrices `[own actions, joint actions of the others]` of all players, computed once
/// so that exposures to many profiles are cheap.
#[derive(Clone, Debug)]
pub struct Views {
    sizes: Vec<usize>,
    payoffs: Vec<Array2<f64>>,
}

impl Views {
    /// The views of all players of a game.
    pub fn new(game: &NormalForm) -> Self {
        let sizes = game.shape().to_vec();
        let payoffs = (0..game.players())
            .map(|player| {
                let mut own_first = game.payoff_tensor(player).view();
                // Moving the axis to the front keeps the others in order.
                for axis in (0..player).rev() {
                    own_first.swap_axes(axis, axis + 1);
                }
                let others = sizes.iter().product::<usize>() / sizes[player];
                let entries: Vec<f64> = own_first.iter().copied().collect();
                Array2::from_shape_fn((sizes[player], others), |(a, k)| entries[a * others + k])
            })
            .collect();
        Self { sizes, payoffs }
    }

    /// Number of players.
    pub fn players(&self) -> usize {
        self.sizes.len()
    }

    /// Number of actions of each player.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Own payoffs of `player`, `[own actions, joint actions of the others]`; the others' actions
    /// are in row-major order with the lowest player slowest.
    pub fn payoffs(&self, player: usize) -> &Array2<f64> {
        &self.payoffs[player]
    }

    /// What `player` faces when the others play their part of `profile`, under a tremble model.
    ///
    /// # Errors
    ///
    /// [`SolveError`] if the profile does not fit the game.
    pub fn exposure(
        &self,
        player: usize,
        profile: &Profile,
        tremble: Tremble,
    ) -> Result<Exposure, SolveError> {
        let mut weights = vec![1.0];
        for (other, mix) in profile.iter().enumerate().filter(|&(other, _)| other != player) {
            if mix.len() != self.sizes[other] {
                return Err(SolveError::Invalid {
                    what: format!("a mix of {} actions for player {other}", mix.len()),
                });
            }
            let seen = tremble.seen(mix);
            weights =
                weights.iter().flat_map(|weight| seen.iter().map(move |p| weight * p)).collect();
        }
        let weights = Array1::from(weights);
        Exposure::new(self.payoffs[player].clone(), weights)
    }

    /// [`Views::exposure`] for every player.
    ///
    /// # Errors
    ///
    /// [`SolveError`] if the profile or the risk attitudes do not fit the game.
    pub fn exposures(
        &self,
        profile: &Profile,
        risk: &RiskAversion,
    ) -> Result<Vec<Exposure>, SolveError> {
        risk.check(&self.sizes)?;
        if profile.players() != self.players() {
            return Err(SolveError::Invalid {
                what: format!("{} mixes for {} players", profile.players(), self.players()),
            });
        }
        (0..self.players()).map(|player| self.exposure(player, profile, risk.tremble)).collect()
    }
}
