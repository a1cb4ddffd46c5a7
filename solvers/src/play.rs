//! What a round of a learning process counts as played.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::seed::{Purpose, Streams, pick, unit_f64};
use crate::solution::Profile;

/// What others see of a mixed strategy in a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Play {
    /// The mixed strategy itself.
    #[default]
    Deterministic,
    /// One action drawn from it.
    Sampled,
}

/// One generator per player, from `Purpose::Solve` with the player as its lane.
#[derive(Clone, Debug)]
pub(crate) struct Draws(Vec<ChaCha8Rng>);

impl Draws {
    pub(crate) fn new(streams: Streams, players: usize) -> Self {
        Self((0..players).map(|lane| streams.at(Purpose::Solve, lane as u32, 0)).collect())
    }

    /// The action drawn by `player`.
    pub(crate) fn action(&mut self, player: usize, strategy: &[f64]) -> usize {
        pick(strategy, unit_f64(&mut self.0[player]))
    }

    /// An action of every player, as a pure profile.
    pub(crate) fn profile(&mut self, mixed: &Profile) -> Profile {
        let actions: Vec<usize> =
            mixed.iter().enumerate().map(|(player, mix)| self.action(player, mix)).collect();
        let shape: Vec<usize> = mixed.iter().map(Vec::len).collect();
        Profile::pure(&shape, &actions)
    }
}
