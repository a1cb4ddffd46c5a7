//! Tabular Q-learning as an oracle on games that can be walked.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::tree_game::TreeGame;
use super::{Oracle, Response, Task, WorldError};
use crate::seed::{Purpose, below, pick, unit_f64};

/// Q-learning over the player's information sets, from drawn episodes alone (Watkins and Dayan
/// 1992).
///
/// An episode draws a joint choice of the others by the size of its weight; where the weight is
/// negative its returns count negatively.
/// A step moves towards the target by one over the number of visits to the power 0.8.
/// The greedy policy is the response.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TabularQ {
    /// Episodes of one response.
    pub episodes: u32,
    /// Chance of a random action, in `[0, 1]`.
    pub exploration: f64,
}

impl Default for TabularQ {
    fn default() -> Self {
        Self { episodes: 20_000, exploration: 0.2 }
    }
}

/// Power of the visits by which steps shrink.
const POWER: f64 = 0.8;

impl TabularQ {
    /// The oracle on a game.
    pub fn on(self, game: &TreeGame) -> impl Oracle<Vec<f64>> + '_ {
        Learner { config: self, game }
    }
}

struct Learner<'a> {
    config: TabularQ,
    game: &'a TreeGame,
}

impl Oracle<Vec<f64>> for Learner<'_> {
    fn respond(&mut self, task: &Task<'_, Vec<f64>>) -> Result<Response<Vec<f64>>, WorldError> {
        let tree = self.game.tree();
        let player = task.player;
        let total: f64 = task.opponents.iter().map(|opponents| opponents.weight.abs()).sum();
        let shares: Vec<f64> =
            task.opponents.iter().map(|opponents| opponents.weight.abs() / total).collect();
        let mut values = vec![0.0; tree.entries(player)];
        let mut visits = vec![0_u32; tree.entries(player)];
        let mut steps = 0;
        let mut rng = task.streams.at(Purpose::Learn, task.call, 0);
        for episode in 0..self.config.episodes {
            task.streams.readdress(&mut rng, Purpose::Learn, task.call, episode);
            let opponents = &task.opponents[pick(&shares, unit_f64(&mut rng))];
            let sign = opponents.weight.signum();
            let strategies: Vec<&[f64]> = (0..tree.players())
                .map(|p| if p == player { &[][..] } else { task.policy(opponents, p).as_slice() })
                .collect();
            let mut path: Vec<(Range<usize>, usize)> = Vec::new();
            let paid = tree.walk(&mut rng, |rng, mover, entries| {
                if mover != player {
                    return pick(&strategies[mover][entries], unit_f64(rng));
                }
                let action = if unit_f64(rng) < self.config.exploration {
                    below(rng, entries.len() as u32) as usize
                } else {
                    greedy(&values[entries.clone()])
                };
                path.push((entries, action));
                action
            });
            let mut target = sign * paid[player];
            for (entries, action) in path.into_iter().rev() {
                let entry = entries.start + action;
                visits[entry] += 1;
                let step = libm::pow(f64::from(visits[entry]), -POWER);
                values[entry] += step * (target - values[entry]);
                target = values[entries].iter().copied().fold(f64::NEG_INFINITY, f64::max);
                steps += 1;
            }
        }
        let actions: Vec<usize> =
            tree.sets(player).iter().map(|set| greedy(&values[set.entries.clone()])).collect();
        Ok(Response { policy: tree.pure(player, &actions)?, value: None, steps })
    }
}

fn greedy(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, a| if values[a] > values[best] { a } else { best })
}
