//! Counterfactual regret minimisation.

use serde::{Deserialize, Serialize};

use super::{Kind, Tree};
use crate::solution::Stop;

/// Which of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Variant {
    /// Zinkevich, Johanson, Bowling and Piccione, "Regret minimization in games with incomplete
    /// information", NIPS 2007: average of all strategies by own reach.
    Cfr,
    /// CFR+ (Tammelin, "Solving large imperfect information games using CFR+", arXiv 1407.5042):
    /// regrets are cut at 0 after every iteration, and iteration `t` counts `t` times in the
    /// average.
    #[default]
    CfrPlus,
}

/// Counterfactual regret minimisation over the whole tree, players updated one after the other.
///
/// In two-player constant-sum games the average strategies come to equilibrium.
/// With more players there is no such promise; the gains say how far the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cfr {
    /// Which of the two.
    pub variant: Variant,
    /// Iterations at most; every player is updated once in each.
    pub iterations: u64,
    /// `NashConv` at which to stop, looked at after every 16th iteration; 0 for never.
    pub tolerance: f64,
}

impl Default for Cfr {
    fn default() -> Self {
        Self { variant: Variant::CfrPlus, iterations: 1_000, tolerance: 0.0 }
    }
}

/// Where it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct CfrRun {
    /// The average strategies, one a player.
    pub profile: Vec<Vec<f64>>,
    /// What every player could still gain, exactly.
    pub gains: Vec<f64>,
    /// Iterations made.
    pub iterations: u64,
    /// [`Stop::Converged`] or [`Stop::IterationLimit`].
    pub stop: Stop,
}

/// Iterations between two looks at the tolerance.
const LOOK_EVERY: u64 = 16;

impl Cfr {
    /// Minimises regret from even play.
    pub fn solve(&self, tree: &Tree) -> CfrRun {
        let players = tree.players();
        let zeros = || (0..players).map(|player| vec![0.0; tree.entries(player)]);
        let mut regrets: Vec<Vec<f64>> = zeros().collect();
        let mut sums: Vec<Vec<f64>> = zeros().collect();
        let mut current: Vec<_> = (0..players).map(|player| tree.uniform(player)).collect();
        let mut reaches: Vec<_> =
            (0..players).map(|player| tree.reach(player, &current[player])).collect();
        let mut values = vec![0.0; tree.nodes()];
        let average = |sums: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let mut profile = sums.to_vec();
            for (player, strategy) in profile.iter_mut().enumerate() {
                tree.normalise(player, strategy);
            }
            profile
        };
        let mut done = 0;
        let mut stop = Stop::IterationLimit;
        while done < self.iterations {
            done += 1;
            let weight = if self.variant == Variant::CfrPlus { done as f64 } else { 1.0 };
            for player in 0..players {
                tree.node_values(player, &current, &mut values);
                for (set, place) in tree.sets[player].iter().zip(0..) {
                    self.regret(tree, player, place, &reaches, &values, &mut regrets[player]);
                    let own = set.nodes.first().map_or(0.0, |&n| reaches[player][n as usize]);
                    let entries = set.entries.clone();
                    for (sum, share) in
                        sums[player][entries.clone()].iter_mut().zip(&current[player][entries])
                    {
                        *sum += weight * own * share;
                    }
                }
                let next = &mut current[player];
                for (share, regret) in next.iter_mut().zip(&regrets[player]) {
                    *share = regret.max(0.0);
                }
                tree.normalise(player, next);
                reaches[player] = tree.reach(player, &current[player]);
            }
            let look = self.tolerance > 0.0 && done % LOOK_EVERY == 0;
            if look && tree.nash_conv(&average(&sums)) <= self.tolerance {
                stop = Stop::Converged;
                break;
            }
        }
        let profile = average(&sums);
        let gains = tree.gains(&profile);
        CfrRun { profile, gains, iterations: done, stop }
    }

    /// Adds the counterfactual regrets of one information set.
    fn regret(
        &self,
        tree: &Tree,
        player: usize,
        set: usize,
        reaches: &[Vec<f64>],
        values: &[f64],
        regrets: &mut [f64],
    ) {
        let set = &tree.sets[player][set];
        for &node in &set.nodes {
            let node = node as usize;
            let mut weight = tree.chance[node];
            for (other, reach) in reaches.iter().enumerate() {
                if other != player {
                    weight *= reach[node];
                }
            }
            if weight > 0.0 {
                for (child, entry) in tree.range(node).zip(set.entries.clone()) {
                    regrets[entry] += weight * (values[child] - values[node]);
                }
            }
        }
        if self.variant == Variant::CfrPlus {
            for regret in &mut regrets[set.entries.clone()] {
                *regret = regret.max(0.0);
            }
        }
    }
}

impl Tree {
    /// What a player expects from every node on.
    fn node_values(&self, player: usize, profile: &[Vec<f64>], values: &mut [f64]) {
        for node in (0..self.nodes()).rev() {
            values[node] = match self.kinds[node] {
                Kind::Terminal => self.paid(node as u32)[player],
                Kind::Chance => {
                    let here = self.chance[node];
                    self.range(node).map(|child| self.chance[child] / here * values[child]).sum()
                }
                Kind::Decision { player: mover, set } => {
                    let mix = &profile[mover][self.sets[mover][set].entries.clone()];
                    self.range(node).zip(mix).map(|(child, share)| share * values[child]).sum()
                }
            };
        }
    }
}
