//! Each player's side of a game: own payoffs against the opponents' joint actions.

use ndarray::{Array1, Array2, ArrayD};

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
    /// Variances within cells, where they count as risk.
    variances: Option<Vec<Array2<f64>>>,
    /// Squared standard errors of the payoffs, where they are corrected for.
    errors: Option<Vec<Array2<f64>>>,
}

/// A player's tensor as `[own actions, joint actions of the others]`.
fn own_first(tensor: &ArrayD<f64>, player: usize) -> Array2<f64> {
    let own = tensor.shape()[player];
    let others = tensor.len() / own;
    let mut own_first = tensor.view();
    // Moving the axis to the front keeps the others in order.
    for axis in (0..player).rev() {
        own_first.swap_axes(axis, axis + 1);
    }
    let entries: Vec<f64> = own_first.iter().copied().collect();
    Array2::from_shape_fn((own, others), |(a, k)| entries[a * others + k])
}

impl Views {
    /// The views of all players of a game.
    pub fn new(game: &NormalForm) -> Self {
        Self {
            sizes: game.shape().to_vec(),
            payoffs: (0..game.players())
                .map(|player| own_first(game.payoff_tensor(player), player))
                .collect(),
            variances: None,
            errors: None,
        }
    }

    /// The views of an empirical game whose [noise](NormalForm::noise) counts.
    ///
    /// `total` adds the variance within cells to what counts as risk
    /// ([`Exposure::with_noise`]); `correct` takes off what the error of the payoffs adds to the
    /// covariance ([`Exposure::corrected`]).
    /// Without noise both change nothing.
    pub fn noisy(game: &NormalForm, total: bool, correct: bool) -> Self {
        let of = |tensors: &[ArrayD<f64>]| {
            tensors.iter().zip(0..).map(|(tensor, player)| own_first(tensor, player)).collect()
        };
        let noise = game.noise();
        Self {
            variances: noise.filter(|_| total).map(|noise| of(&noise.variances)),
            errors: noise.filter(|_| correct).map(|noise| of(&noise.errors)),
            ..Self::new(game)
        }
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
        let mut exposure = Exposure::new(self.payoffs[player].clone(), weights)?;
        if let Some(errors) = &self.errors {
            exposure = exposure.corrected(&errors[player])?;
        }
        match &self.variances {
            Some(variances) => exposure.with_noise(&variances[player]),
            None => Ok(exposure),
        }
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
