//! PSRO on games that can be walked: exact payoffs, drawn episodes, exact responses.

use super::{Opponents, Oracle, PayoffSource, Response, Task, WorldError};
use crate::seed::{Purpose, Streams};
use crate::tree::{Moments, Tree, TreeError};

/// A game tree as a source of payoffs; policies are strategies in the form of [`Tree`].
#[derive(Clone, Debug)]
pub struct TreeGame {
    tree: Tree,
}

impl TreeGame {
    /// The game of a tree.
    pub fn new(tree: Tree) -> Self {
        Self { tree }
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The behaviours that play like every player's mixture over its population.
    ///
    /// `profile` is what a meta-strategy says; a joint distribution has no such behaviours.
    pub fn behaviours(
        &self,
        roles: &[usize],
        populations: &[Vec<Vec<f64>>],
        profile: &[Vec<f64>],
    ) -> Vec<Vec<f64>> {
        let of = |(player, shares): (usize, &Vec<f64>)| {
            let population = &populations[roles[player]];
            let mixture: Vec<(f64, &[f64])> =
                shares.iter().copied().zip(population.iter().map(Vec::as_slice)).collect();
            self.tree.behaviour(player, &mixture)
        };
        profile.iter().enumerate().map(of).collect()
    }

    /// How much every node counts against weighted joint choices of the others.
    pub(super) fn weights(&self, task: &Task<'_, Vec<f64>>) -> Vec<f64> {
        // Every policy's reaches once, however many joint choices hold it.
        let others: Vec<usize> = (0..task.roles.len()).filter(|&p| p != task.player).collect();
        let mut reaches: Vec<Vec<Option<Vec<f64>>>> =
            others.iter().map(|&p| vec![None; task.populations[task.roles[p]].len()]).collect();
        for opponents in task.opponents {
            for (slot, &other) in others.iter().enumerate() {
                let place = opponents.policies[other];
                reaches[slot][place]
                    .get_or_insert_with(|| self.tree.reach(other, task.policy(opponents, other)));
            }
        }
        let empty: &[f64] = &[];
        self.tree.weights(task.opponents.iter().map(|Opponents { weight, policies }| {
            let of = |(slot, &other): (usize, &usize)| {
                reaches[slot][policies[other]].as_deref().unwrap_or(empty)
            };
            (*weight, others.iter().enumerate().map(of).collect())
        }))
    }

    /// What every player could gain in the whole game against a joint play of populations, each by
    /// one strategy whatever it is told: for a product the regret of the profile, whose sum is
    /// `NashConv`, for a joint distribution the gains that make it a coarse correlated equilibrium.
    ///
    /// `weights` are those of all players' joint choices, row-major.
    pub fn gains(
        &self,
        roles: &[usize],
        populations: &[Vec<Vec<f64>>],
        weights: &[(f64, Vec<usize>)],
    ) -> Vec<f64> {
        let players = roles.len();
        let reach: Vec<Vec<Vec<f64>>> = (0..players)
            .map(|p| populations[roles[p]].iter().map(|own| self.tree.reach(p, own)).collect())
            .collect();
        let mut earned = vec![0.0; players];
        for (weight, choice) in weights {
            let reaches: Vec<&[f64]> =
                (0..players).map(|p| reach[p][choice[p]].as_slice()).collect();
            for (sum, mean) in earned.iter_mut().zip(self.tree.moments(&reaches).mean) {
                *sum += weight * mean;
            }
        }
        (0..players)
            .map(|player| {
                let states = weights.iter().map(|(weight, choice)| {
                    let others = (0..players).filter(|&other| other != player);
                    (*weight, others.map(|p| reach[p][choice[p]].as_slice()).collect())
                });
                let node_weights = self.tree.weights(states);
                let best = self.tree.best_response(player, &node_weights).value;
                (best - earned[player]).max(0.0)
            })
            .collect()
    }
}

impl PayoffSource for TreeGame {
    type Policy = Vec<f64>;

    fn players(&self) -> usize {
        self.tree.players()
    }

    fn play(
        &self,
        policies: &[&Vec<f64>],
        streams: Streams,
        cell: u32,
        first: u64,
        count: u64,
    ) -> Result<Vec<f64>, WorldError> {
        let strategies: Vec<&[f64]> = policies.iter().map(|own| own.as_slice()).collect();
        let mut rng = streams.at(Purpose::Payoff, cell, 0);
        let mut returns = Vec::with_capacity(count as usize * self.players());
        for episode in first..first + count {
            let episode = u32::try_from(episode)?;
            streams.readdress(&mut rng, Purpose::Payoff, cell, episode);
            returns.extend(self.tree.sample(&strategies, &mut rng));
        }
        Ok(returns)
    }

    fn moments(&self, policies: &[&Vec<f64>]) -> Option<Moments> {
        let reaches: Vec<Vec<f64>> =
            policies.iter().enumerate().map(|(player, own)| self.tree.reach(player, own)).collect();
        Some(self.tree.moments(&reaches.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    }
}

/// Exact best responses over the tree.
#[derive(Clone, Copy, Debug)]
pub struct BestResponse<'a>(pub &'a TreeGame);

impl Oracle<Vec<f64>> for BestResponse<'_> {
    fn respond(&mut self, task: &Task<'_, Vec<f64>>) -> Result<Response<Vec<f64>>, WorldError> {
        let tree = self.0.tree();
        let best = tree.best_response(task.player, &self.0.weights(task));
        let policy = tree.pure(task.player, &best.actions).map_err(|error: TreeError| error)?;
        Ok(Response { policy, value: Some(best.value), steps: 0 })
    }
}
