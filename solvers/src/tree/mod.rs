//! Sequential games walked into flat arrays: reaches, values, best responses, regret minimisation.
//!
//! Nodes are numbered breadth first, so that parents come before children and siblings lie side by
//! side; every computation is a pass over arrays.
//! A strategy of one player is a behaviour: one list of numbers, the probabilities of each of its
//! information sets one after the other, in the order of [`Tree::sets`].

mod cfr;
mod respond;

use std::collections::BTreeMap;
use std::ops::Range;

pub use cfr::{Cfr, CfrRun, Variant};
pub use respond::Response;

use rand::Rng;

use crate::game::sequential::{Node, Rules};
use crate::seed::unit_f64;

/// Most nodes of a tree.
pub const MOST_NODES: usize = 1 << 22;

/// Why rules make no tree, or a strategy does not fit one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// More nodes than are walked.
    #[error("the game has more than {MOST_NODES} nodes")]
    TooLarge,
    /// A player forgets.
    #[error(
        "player {player} comes to `{set}` after different actions of its own: its information sets must tell what it did"
    )]
    Recall {
        /// The player, from 0.
        player: usize,
        /// Its information set.
        set: String,
    },
    /// The rules contradict themselves.
    #[error("{what}")]
    Rules {
        /// How.
        what: String,
    },
    /// A strategy that does not fit.
    #[error("{what}")]
    Strategy {
        /// What is wrong with it.
        what: String,
    },
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Chance,
    /// A player's move in one of its information sets.
    Decision {
        player: usize,
        set: usize,
    },
    Terminal,
}

/// An information set: positions that its player cannot tell apart.
#[derive(Clone, Debug, PartialEq)]
pub struct InformationSet {
    /// What the player knows.
    pub key: String,
    /// Names of the actions.
    pub actions: Vec<String>,
    /// Where its probabilities stand in a strategy.
    pub entries: Range<usize>,
    nodes: Vec<u32>,
}

/// A game tree.
#[derive(Clone, Debug)]
pub struct Tree {
    name: String,
    players: usize,
    kinds: Vec<Kind>,
    parents: Vec<u32>,
    /// First child; a node's children are this many from there on.
    first: Vec<u32>,
    children: Vec<u32>,
    /// Probability that chance plays along to the node.
    chance: Vec<f64>,
    /// `[nodes, players]`, zero but at the ends.
    returns: Vec<f64>,
    ends: Vec<u32>,
    sets: Vec<Vec<InformationSet>>,
    /// For each player, all nodes in an order in which its best response can be computed.
    orders: Vec<Vec<u32>>,
}

/// Mean and variance of every player's return.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// One mean a player.
    pub mean: Vec<f64>,
    /// One variance a player.
    pub variance: Vec<f64>,
}

impl Tree {
    /// Walks a game.
    ///
    /// # Errors
    ///
    /// [`TreeError`] if the game is too large, if a player lacks perfect recall, or if the rules
    /// contradict themselves (no action, actions that differ within an information set,
    /// probabilities that are none, returns that are not finite).
    pub fn new<R: Rules>(rules: &R) -> Result<Self, TreeError> {
        let players = rules.players();
        let wrong = |what: String| TreeError::Rules { what };
        if players == 0 {
            return Err(wrong("a game without players".to_owned()));
        }
        let mut tree = Self {
            name: rules.name(),
            players,
            kinds: Vec::new(),
            parents: vec![0],
            first: Vec::new(),
            children: Vec::new(),
            chance: vec![1.0],
            returns: Vec::new(),
            ends: Vec::new(),
            sets: vec![Vec::new(); players],
            orders: Vec::new(),
        };
        let mut places: Vec<BTreeMap<String, usize>> = vec![BTreeMap::new(); players];
        // What each player did last, as entry + 1, and how often it has moved.
        let mut did: Vec<Vec<(u32, u32)>> = vec![vec![(0, 0); players]];
        let mut arrived: Vec<Vec<u32>> = vec![Vec::new(); players];
        let mut states = std::collections::VecDeque::from([rules.root()]);
        let (mut outcomes, mut legal) = (Vec::new(), Vec::new());
        while let Some(state) = states.pop_front() {
            let node = tree.kinds.len();
            tree.first.push(tree.parents.len() as u32);
            let mut paid = vec![0.0; players];
            let children = match rules.node(&state) {
                Node::Terminal => {
                    rules.returns(&state, &mut paid);
                    if let Some(bad) = paid.iter().find(|value| !value.is_finite()) {
                        return Err(wrong(format!("a return of {bad}")));
                    }
                    tree.kinds.push(Kind::Terminal);
                    tree.ends.push(node as u32);
                    0
                }
                Node::Chance => {
                    outcomes.clear();
                    rules.chance(&state, &mut outcomes);
                    let total: f64 = outcomes.iter().map(|(_, p)| p).sum();
                    if (total - 1.0).abs() > 1e-9 || outcomes.iter().any(|(_, p)| *p <= 0.0) {
                        return Err(wrong(format!("chance with probabilities of sum {total}")));
                    }
                    tree.kinds.push(Kind::Chance);
                    for &(action, probability) in &outcomes {
                        let mut next = state.clone();
                        rules.apply(&mut next, action);
                        states.push_back(next);
                        tree.parents.push(node as u32);
                        tree.chance.push(tree.chance[node] * probability);
                        did.push(did[node].clone());
                    }
                    outcomes.len()
                }
                Node::Decision(player) => {
                    legal.clear();
                    rules.legal(&state, &mut legal);
                    if player >= players || legal.is_empty() {
                        return Err(wrong(format!("player {player} to move without an action")));
                    }
                    let key = rules.information(&state, player);
                    let own = &mut tree.sets[player];
                    let set = *places[player].entry(key.clone()).or_insert(own.len());
                    let names = || legal.iter().map(|&a| rules.action_name(a)).collect::<Vec<_>>();
                    if set == own.len() {
                        let start = own.last().map_or(0, |set| set.entries.end);
                        let entries = start..start + legal.len();
                        let nodes = Vec::new();
                        own.push(InformationSet { key, actions: names(), entries, nodes });
                        arrived[player].push(did[node][player].0);
                    } else if own[set].actions != names() {
                        let key = &own[set].key;
                        return Err(wrong(format!("`{key}` offers different actions")));
                    } else if arrived[player][set] != did[node][player].0 {
                        return Err(TreeError::Recall { player, set: own[set].key.clone() });
                    }
                    own[set].nodes.push(node as u32);
                    tree.kinds.push(Kind::Decision { player, set });
                    let entries = own[set].entries.clone();
                    for (&action, entry) in legal.iter().zip(entries) {
                        let mut next = state.clone();
                        rules.apply(&mut next, action);
                        states.push_back(next);
                        tree.parents.push(node as u32);
                        tree.chance.push(tree.chance[node]);
                        let mut mine = did[node].clone();
                        mine[player] = (entry as u32 + 1, mine[player].1 + 1);
                        did.push(mine);
                    }
                    legal.len()
                }
            };
            tree.children.push(children as u32);
            tree.returns.extend(paid);
            if tree.parents.len() > MOST_NODES {
                return Err(TreeError::TooLarge);
            }
        }
        tree.orders = (0..players)
            .map(|player| {
                let mut order: Vec<u32> = (0..tree.kinds.len() as u32).rev().collect();
                // Stable: among equals children still come before parents.
                order.sort_by_key(|&node| std::cmp::Reverse(did[node as usize][player].1));
                order
            })
            .collect();
        Ok(tree)
    }

    /// Name of the game.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of players.
    pub fn players(&self) -> usize {
        self.players
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.kinds.len()
    }

    /// The information sets of a player.
    pub fn sets(&self, player: usize) -> &[InformationSet] {
        &self.sets[player]
    }

    /// Length of a player's strategy.
    pub fn entries(&self, player: usize) -> usize {
        self.sets[player].last().map_or(0, |set| set.entries.end)
    }

    fn range(&self, node: usize) -> Range<usize> {
        let first = self.first[node] as usize;
        first..first + self.children[node] as usize
    }

    fn paid(&self, node: u32) -> &[f64] {
        let start = node as usize * self.players;
        &self.returns[start..start + self.players]
    }

    /// The strategy that plays every action of an information set equally often.
    pub fn uniform(&self, player: usize) -> Vec<f64> {
        let sets = self.sets[player].iter();
        sets.flat_map(|set| {
            let actions = set.entries.len();
            std::iter::repeat_n(1.0 / actions as f64, actions)
        })
        .collect()
    }

    /// The strategy that always plays the action of that number, one for each information set.
    ///
    /// # Errors
    ///
    /// [`TreeError::Strategy`] if there is not one action a set.
    pub fn pure(&self, player: usize, actions: &[usize]) -> Result<Vec<f64>, TreeError> {
        let sets = &self.sets[player];
        let fits = actions.len() == sets.len()
            && sets.iter().zip(actions).all(|(set, &action)| action < set.entries.len());
        if !fits {
            let what = format!("{actions:?} is not one action for each of {} sets", sets.len());
            return Err(TreeError::Strategy { what });
        }
        let mut strategy = vec![0.0; self.entries(player)];
        for (set, action) in sets.iter().zip(actions) {
            strategy[set.entries.start + action] = 1.0;
        }
        Ok(strategy)
    }

    /// Checks that a strategy is one of a player: finite, not negative, sums of 1 within 1e-9.
    ///
    /// # Errors
    ///
    /// [`TreeError::Strategy`].
    pub fn check(&self, player: usize, strategy: &[f64]) -> Result<(), TreeError> {
        let wrong = |what: String| Err(TreeError::Strategy { what });
        if player >= self.players {
            return wrong(format!("there is no player {player} among {}", self.players));
        }
        if strategy.len() != self.entries(player) {
            let (found, expected) = (strategy.len(), self.entries(player));
            return wrong(format!("{found} probabilities for player {player}, not {expected}"));
        }
        for set in &self.sets[player] {
            let mix = &strategy[set.entries.clone()];
            let total: f64 = mix.iter().sum();
            if mix.iter().any(|p| !(0.0..=1.0 + 1e-9).contains(p)) || (total - 1.0).abs() > 1e-9 {
                return wrong(format!("{mix:?} is no distribution, in `{}`", set.key));
            }
        }
        Ok(())
    }

    /// For every node the probability that a player's own moves lead to it.
    pub fn reach(&self, player: usize, strategy: &[f64]) -> Vec<f64> {
        let mut reach = vec![1.0; self.nodes()];
        for node in 0..self.nodes() {
            let here = reach[node];
            let children = self.range(node);
            match self.kinds[node] {
                Kind::Decision { player: mover, set } if mover == player => {
                    let mix = &strategy[self.sets[player][set].entries.clone()];
                    for (child, probability) in children.zip(mix) {
                        reach[child] = here * probability;
                    }
                }
                _ => reach[children].fill(here),
            }
        }
        reach
    }

    /// Means and variances of a play's returns, from every player's reach of every node.
    pub fn moments(&self, reaches: &[&[f64]]) -> Moments {
        let mut mean = vec![0.0; self.players];
        let weight = |node: u32| {
            let node = node as usize;
            reaches.iter().fold(self.chance[node], |product, reach| product * reach[node])
        };
        for &end in &self.ends {
            let weight = weight(end);
            if weight > 0.0 {
                for (mean, paid) in mean.iter_mut().zip(self.paid(end)) {
                    *mean += weight * paid;
                }
            }
        }
        let mut variance = vec![0.0; self.players];
        for &end in &self.ends {
            let weight = weight(end);
            if weight > 0.0 {
                for ((variance, mean), paid) in variance.iter_mut().zip(&mean).zip(self.paid(end)) {
                    *variance += weight * (paid - mean) * (paid - mean);
                }
            }
        }
        Moments { mean, variance }
    }

    /// [`moments`](Self::moments) of one strategy a player.
    pub fn play(&self, profile: &[Vec<f64>]) -> Moments {
        let reaches: Vec<_> =
            profile.iter().enumerate().map(|(player, own)| self.reach(player, own)).collect();
        self.moments(&reaches.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// One play, drawn: what every player gets.
    ///
    /// `choose` picks the action of a player, from 0, in the information set whose probabilities
    /// stand at these entries of a strategy; chance draws one uniform number a move.
    pub fn walk<R: Rng>(
        &self,
        rng: &mut R,
        mut choose: impl FnMut(&mut R, usize, Range<usize>) -> usize,
    ) -> &[f64] {
        let mut node = 0;
        loop {
            let children = self.range(node);
            let first = children.start;
            let chosen = match self.kinds[node] {
                Kind::Terminal => return self.paid(node as u32),
                Kind::Chance => {
                    let here = self.chance[node];
                    pick(children.map(|child| self.chance[child] / here), unit_f64(rng))
                }
                Kind::Decision { player, set } => {
                    choose(rng, player, self.sets[player][set].entries.clone())
                }
            };
            node = first + chosen;
        }
    }

    /// One play of a profile, drawn: what every player gets.
    pub fn sample<R: Rng>(&self, profile: &[&[f64]], rng: &mut R) -> &[f64] {
        self.walk(rng, |rng, player, entries| {
            pick(profile[player][entries].iter().copied(), unit_f64(rng))
        })
    }

    /// The behaviour that plays like a mixture of strategies of one player (Kuhn's theorem).
    ///
    /// At every information set the strategies count by weight times probability of getting there;
    /// sets that none of them reaches are played evenly.
    pub fn behaviour(&self, player: usize, mixture: &[(f64, &[f64])]) -> Vec<f64> {
        let mut sums = vec![0.0; self.entries(player)];
        for &(weight, strategy) in mixture {
            if weight == 0.0 {
                continue;
            }
            let reach = self.reach(player, strategy);
            for set in &self.sets[player] {
                // By perfect recall all nodes of a set have the same own reach.
                let own = set.nodes.first().map_or(0.0, |&node| reach[node as usize]);
                for entry in set.entries.clone() {
                    sums[entry] += weight * own * strategy[entry];
                }
            }
        }
        self.normalise(player, &mut sums);
        sums
    }

    /// Divides every information set's numbers by their sum; even where that is not positive.
    fn normalise(&self, player: usize, strategy: &mut [f64]) {
        for set in &self.sets[player] {
            let mix = &mut strategy[set.entries.clone()];
            let total: f64 = mix.iter().sum();
            let even = 1.0 / mix.len() as f64;
            for share in mix {
                *share = if total > 0.0 { *share / total } else { even };
            }
        }
    }
}

/// The place of the distribution on which `u` falls; the last positive one if rounding leaves none.
fn pick(distribution: impl Iterator<Item = f64>, u: f64) -> usize {
    let (mut sum, mut last) = (0.0, 0);
    for (index, probability) in distribution.enumerate() {
        if probability > 0.0 {
            last = index;
            sum += probability;
            if u < sum {
                break;
            }
        }
    }
    last
}
