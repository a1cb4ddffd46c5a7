//! The empirical game: what policies earn against each other, as far as it is known.

use std::collections::BTreeMap;

use ndarray::{ArrayD, Dimension, IxDyn};
use serde::{Deserialize, Serialize};

use crate::game::{GameError, Noise, NormalForm};
use crate::tree::Moments;

/// Returns of every player over the episodes of one cell, by Welford's method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Episodes.
    pub count: u64,
    /// Mean return of every player.
    pub mean: Vec<f64>,
    /// Sum of squared deviations from the mean, of every player.
    pub squares: Vec<f64>,
}

impl Statistics {
    /// No episodes yet.
    pub fn new(players: usize) -> Self {
        Self { count: 0, mean: vec![0.0; players], squares: vec![0.0; players] }
    }

    /// Counts one episode, with one return a player (Welford 1962).
    pub fn add(&mut self, returns: &[f64]) {
        self.count += 1;
        let count = self.count as f64;
        for ((mean, squares), &value) in self.mean.iter_mut().zip(&mut self.squares).zip(returns) {
            let before = value - *mean;
            *mean += before / count;
            *squares += before * (value - *mean);
        }
    }

    /// Counts the episodes of another (Chan, Golub and `LeVeque` 1979).
    ///
    /// The last bits depend on the order, so that merging has to keep to one.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let (own, theirs) = (self.count as f64, other.count as f64);
        let count = own + theirs;
        let sums = self.mean.iter_mut().zip(&mut self.squares);
        for ((mean, squares), (their_mean, their_squares)) in
            sums.zip(other.mean.iter().zip(&other.squares))
        {
            let apart = their_mean - *mean;
            *mean += apart * theirs / count;
            *squares += their_squares + apart * apart * own * theirs / count;
        }
        self.count += other.count;
    }

    /// Unbiased variance of a player's return; 0 for fewer than two episodes.
    pub fn variance(&self, player: usize) -> f64 {
        if self.count < 2 { 0.0 } else { self.squares[player] / (self.count - 1) as f64 }
    }
}

/// One cell: a joint choice of policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Number of the cell in the order of creation: the address of its episodes' randomness.
    pub number: u32,
    /// Returns by seat.
    pub returns: Returns,
}

/// What is known of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Returns {
    /// From episodes.
    Played(Statistics),
    /// Computed.
    Exact {
        /// Mean return by seat.
        mean: Vec<f64>,
        /// Variance of an episode's return by seat.
        variance: Vec<f64>,
    },
}

impl Returns {
    /// Means and variances computed.
    pub fn exact(moments: Moments) -> Self {
        Self::Exact { mean: moments.mean, variance: moments.variance }
    }

    /// Episodes behind it; none needed for what is exact.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Played(statistics) => Some(statistics.count),
            Self::Exact { .. } => None,
        }
    }

    fn mean(&self, seat: usize) -> f64 {
        match self {
            Self::Played(statistics) => statistics.mean[seat],
            Self::Exact { mean, .. } => mean[seat],
        }
    }

    fn variance(&self, seat: usize) -> f64 {
        match self {
            Self::Played(statistics) => statistics.variance(seat),
            Self::Exact { variance, .. } => variance[seat],
        }
    }
}

/// The cells of an empirical game.
///
/// Players of the same role share a population, and cells that differ only by who of them plays
/// what are one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    roles: Vec<usize>,
    /// By joint choice in canonical order; see [`Table::canonical`].
    #[serde(with = "as_list")]
    cells: BTreeMap<Vec<usize>, Cell>,
}

/// Maps whose keys are lists are written as lists of pairs.
mod as_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Cell;

    pub(super) fn serialize<S: Serializer>(
        cells: &BTreeMap<Vec<usize>, Cell>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        cells.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Vec<usize>, Cell>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

impl Table {
    /// No cells; `roles[p]` is the population of player `p`.
    pub fn new(roles: Vec<usize>) -> Self {
        Self { roles, cells: BTreeMap::new() }
    }

    /// The population of every player.
    pub fn roles(&self) -> &[usize] {
        &self.roles
    }

    /// Number of players.
    pub fn players(&self) -> usize {
        self.roles.len()
    }

    /// All cells, in the order of their joint choices.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = (&[usize], &Cell)> {
        self.cells.iter().map(|(profile, cell)| (profile.as_slice(), cell))
    }

    /// A cell by its canonical joint choice.
    pub(super) fn cell_mut(&mut self, canonical: &[usize]) -> Option<&mut Cell> {
        self.cells.get_mut(canonical)
    }

    /// Episodes of all cells.
    pub fn episodes(&self) -> u64 {
        self.cells.values().filter_map(|cell| cell.returns.count()).sum()
    }

    /// The joint choice as the table keeps it: choices of players of the same role in ascending
    /// order.
    pub fn canonical(&self, profile: &[usize]) -> Vec<usize> {
        let mut canonical = profile.to_vec();
        let populations = self.roles.iter().copied().max().map_or(0, |most| most + 1);
        for population in 0..populations {
            let seats: Vec<usize> =
                (0..self.roles.len()).filter(|&p| self.roles[p] == population).collect();
            let mut chosen: Vec<usize> = seats.iter().map(|&seat| profile[seat]).collect();
            chosen.sort_unstable();
            for (seat, choice) in seats.into_iter().zip(chosen) {
                canonical[seat] = choice;
            }
        }
        canonical
    }

    /// Adds a cell for every joint choice that has none yet; `sizes` by population.
    pub fn extend(&mut self, sizes: &[usize]) {
        let shape: Vec<usize> = self.roles.iter().map(|&role| sizes[role]).collect();
        for profile in ndarray::indices(IxDyn(&shape)) {
            let canonical = self.canonical(profile.as_array_view().as_slice().unwrap_or_default());
            let (number, players) = (self.cells.len() as u32, self.roles.len());
            self.cells.entry(canonical).or_insert_with(|| Cell {
                number,
                returns: Returns::Played(Statistics::new(players)),
            });
        }
    }

    /// The seats of a canonical cell in which `player`'s choice of `profile` is played.
    fn seats(&self, profile: &[usize], canonical: &[usize], player: usize) -> Vec<usize> {
        let same = |&seat: &usize| {
            self.roles[seat] == self.roles[player] && canonical[seat] == profile[player]
        };
        (0..self.roles.len()).filter(same).collect()
    }

    /// A number of every cell for one player, as the player's tensor over all joint choices.
    ///
    /// Seats that play the same policy in the same role are the same to the player: their mean.
    fn tensor(
        &self,
        shape: &[usize],
        player: usize,
        of: impl Fn(&Cell, usize) -> f64,
    ) -> ArrayD<f64> {
        ArrayD::from_shape_fn(IxDyn(shape), |index| {
            let view = index.as_array_view();
            let profile = view.as_slice().unwrap_or_default();
            let canonical = self.canonical(profile);
            let seats = self.seats(profile, &canonical, player);
            let cell = &self.cells[&canonical];
            seats.iter().map(|&seat| of(cell, seat)).sum::<f64>() / seats.len() as f64
        })
    }

    /// The empirical game, with its noise.
    ///
    /// # Errors
    ///
    /// [`GameError`] if a cell has no episode yet, or a return was not finite.
    pub fn game(&self, sizes: &[usize]) -> Result<NormalForm, GameError> {
        if let Some((profile, _)) = self.cells().find(|(_, cell)| cell.returns.count() == Some(0)) {
            let what = format!("the cell {profile:?} has no episode");
            return Err(GameError::Profile { what });
        }
        let shape: Vec<usize> = self.roles.iter().map(|&role| sizes[role]).collect();
        let players = 0..self.players();
        let all = |of: &dyn Fn(&Cell, usize) -> f64| -> Vec<ArrayD<f64>> {
            players.clone().map(|player| self.tensor(&shape, player, of)).collect()
        };
        let error = |cell: &Cell, seat: usize| match cell.returns.count() {
            Some(count) => cell.returns.variance(seat) / count as f64,
            None => 0.0,
        };
        NormalForm::new(all(&|cell, seat| cell.returns.mean(seat)))?.with_noise(Noise {
            variances: all(&|cell, seat| cell.returns.variance(seat)),
            errors: all(&error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_is_counting_both() {
        let values: Vec<[f64; 2]> =
            (0..37).map(|i| [f64::from(i * i % 11), f64::from(i % 5) - 0.3]).collect();
        let count = |values: &[[f64; 2]]| {
            let mut statistics = Statistics::new(2);
            for value in values {
                statistics.add(value);
            }
            statistics
        };
        let whole = count(&values);
        let mut parts = Statistics::new(2);
        for part in values.chunks(10) {
            parts.merge(&count(part));
        }
        parts.merge(&Statistics::new(2));
        assert_eq!(parts.count, 37);
        for player in 0..2 {
            let mean = values.iter().map(|v| v[player]).sum::<f64>() / 37.0;
            let squares: f64 = values.iter().map(|v| (v[player] - mean).powi(2)).sum();
            for statistics in [&whole, &parts] {
                assert!((statistics.mean[player] - mean).abs() < 1e-12);
                assert!((statistics.variance(player) - squares / 36.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn players_of_one_role_share_cells() {
        // Two hunters share a population, the prey has its own.
        let mut table = Table::new(vec![0, 0, 1]);
        table.extend(&[2, 3]);
        assert_eq!(table.cells().len(), 3 * 3);
        for (profile, cell) in &mut table.cells {
            let mean = vec![profile[0] as f64, 10.0 * profile[1] as f64, profile[2] as f64];
            cell.returns = Returns::Exact { mean, variance: vec![1.0; 3] };
        }
        let game = table.game(&[2, 3]).unwrap();
        assert_eq!(game.shape(), [2, 2, 3]);
        // (0, 1, z) and (1, 0, z) are one cell, in which seat 0 plays policy 0.
        assert_eq!(game.pure_payoffs(&[0, 1, 2]).unwrap(), [0.0, 10.0, 2.0]);
        assert_eq!(game.pure_payoffs(&[1, 0, 2]).unwrap(), [10.0, 0.0, 2.0]);
        // Where both play policy 1 their seats are pooled.
        assert_eq!(game.pure_payoffs(&[1, 1, 0]).unwrap(), [5.5, 5.5, 0.0]);
        // Growing keeps what there is and its numbers.
        let before: Vec<u32> = table.cells().map(|(_, cell)| cell.number).collect();
        table.extend(&[2, 4]);
        assert_eq!(table.cells().len(), 3 * 4);
        let kept = table.cells().filter(|(profile, _)| profile[2] < 3).map(|(_, cell)| cell.number);
        assert_eq!(kept.collect::<Vec<_>>(), before);
        assert!(table.game(&[2, 4]).unwrap_err().to_string().contains("has no episode"));
    }
}
