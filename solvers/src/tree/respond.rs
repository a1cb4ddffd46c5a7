//! Exact best responses over the tree, and how far a profile is from equilibrium.

use super::{Kind, Tree};

/// A best response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The action (from 0) in every information set.
    pub actions: Vec<usize>,
    /// What it earns against the weights that it was made for.
    pub value: f64,
}

impl Tree {
    /// How much every node counts for a player: chance times the others' mixed reaches.
    ///
    /// `states` are joint plays of the others: a weight, and the reaches of every other player.
    /// Weights need not be positive nor sum to 1: then the response is one to those weights.
    pub fn weights<'a>(&self, states: impl IntoIterator<Item = (f64, Vec<&'a [f64]>)>) -> Vec<f64> {
        let mut weights = vec![0.0; self.nodes()];
        for (weight, reaches) in states {
            if weight == 0.0 {
                continue;
            }
            for (node, sum) in weights.iter_mut().enumerate() {
                let product = reaches.iter().fold(weight, |product, reach| product * reach[node]);
                *sum += product;
            }
        }
        for (weight, chance) in weights.iter_mut().zip(&self.chance) {
            *weight *= chance;
        }
        weights
    }

    /// The best a player can do when nodes count as `weights` say.
    ///
    /// Among equally good actions the first is taken.
    /// In information sets that the weights do not reach any action is as good for them; there the
    /// response is one to chance and evenly playing others, which is what an opponent that comes
    /// there by surprise is taken for.
    pub fn best_response(&self, player: usize, weights: &[f64]) -> Response {
        let even: Vec<_> = (0..self.players)
            .filter(|&other| other != player)
            .map(|other| self.reach(other, &self.uniform(other)))
            .collect();
        let fallback = self.weights([(1.0, even.iter().map(Vec::as_slice).collect())]);
        self.respond(player, weights, &fallback)
    }

    fn respond(&self, player: usize, weights: &[f64], fallback: &[f64]) -> Response {
        const OPEN: usize = usize::MAX;
        let sets = &self.sets[player];
        let mut actions = vec![OPEN; sets.len()];
        // Weighted values of the best play from a node on, by the weights and by the fallback.
        let mut values = vec![[0.0_f64; 2]; self.nodes()];
        for &node in &self.orders[player] {
            let at = node as usize;
            values[at] = match self.kinds[at] {
                Kind::Terminal => {
                    let paid = self.paid(node)[player];
                    [weights[at] * paid, fallback[at] * paid]
                }
                Kind::Decision { player: mover, set } if mover == player => {
                    if actions[set] == OPEN {
                        let nodes = &sets[set].nodes;
                        let reached = nodes.iter().any(|&node| weights[node as usize] != 0.0);
                        let by = usize::from(!reached);
                        let worth = |action: usize| -> f64 {
                            let child = |&node: &u32| self.first[node as usize] as usize + action;
                            nodes.iter().map(|node| values[child(node)][by]).sum()
                        };
                        let mut best = (0, worth(0));
                        for action in 1..sets[set].entries.len() {
                            let value = worth(action);
                            if value > best.1 {
                                best = (action, value);
                            }
                        }
                        actions[set] = best.0;
                    }
                    values[self.first[at] as usize + actions[set]]
                }
                _ => self.range(at).fold([0.0; 2], |sum, child| {
                    [sum[0] + values[child][0], sum[1] + values[child][1]]
                }),
            };
        }
        Response { actions, value: values[0][0] }
    }

    /// What every player could still gain against a profile: all 0 is a Nash equilibrium.
    ///
    /// The sum is the profile's `NashConv`.
    pub fn gains(&self, profile: &[Vec<f64>]) -> Vec<f64> {
        let reaches: Vec<_> =
            profile.iter().enumerate().map(|(player, own)| self.reach(player, own)).collect();
        let all: Vec<&[f64]> = reaches.iter().map(Vec::as_slice).collect();
        let earned = self.moments(&all).mean;
        (0..self.players)
            .map(|player| {
                let others = (0..self.players).filter(|&p| p != player).map(|p| all[p]).collect();
                let weights = self.weights([(1.0, others)]);
                // The fallback decides nothing that counts for the value.
                let best = self.respond(player, &weights, &weights).value;
                (best - earned[player]).max(0.0)
            })
            .collect()
    }

    /// The sum of [`gains`](Self::gains).
    pub fn nash_conv(&self, profile: &[Vec<f64>]) -> f64 {
        self.gains(profile).iter().sum()
    }
}
