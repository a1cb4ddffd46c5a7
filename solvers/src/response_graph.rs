//! Response graphs: pure profiles, and the steps by which single players improve.
//!
//! The strongly connected components that nothing leads out of are what improving play ends in:
//! pure equilibria (components of one profile) and cycles.
//! They are the Markov-Conley chains of Omidshafiei, Papadimitriou, Piliouras and others,
//! "alpha-Rank: Multi-Agent Evaluation by Evolution", Scientific Reports 9, 2019, and the sink
//! equilibria of Goemans, Mirrokni and Vetta, "Sink equilibria and convergence", FOCS 2005.

use std::collections::BTreeSet;

use petgraph::algo::kosaraju_scc;
use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::game::NormalForm;
use crate::solution::SolveError;

/// Which of a player's other actions a step may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responses {
    /// Any that is an improvement.
    Better,
    /// Only best responses that are one.
    Best,
}

/// What counts as an improvement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Improvement {
    /// A gain above zero.
    Strict,
    /// A gain of zero or more: between equally good actions steps lead both ways.
    Weak,
}

/// One player's change of action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Who moves.
    pub player: usize,
    /// What the move gains, in payoff.
    pub gain: f64,
}

/// The response graph of a game.
#[derive(Clone, Debug)]
pub struct ResponseGraph {
    graph: DiGraph<Vec<usize>, Step>,
}

/// Steps that a graph may have to be considered.
const MOST_STEPS: u64 = 20_000_000;

impl ResponseGraph {
    /// The graph of a game; payoffs are compared to the bit.
    ///
    /// # Errors
    ///
    /// [`SolveError::TooLarge`] if more than 20 million changes of action would be looked at.
    pub fn new(
        game: &NormalForm,
        responses: Responses,
        improvement: Improvement,
    ) -> Result<Self, SolveError> {
        let shape = game.shape();
        let others: usize = shape.iter().map(|actions| actions - 1).sum();
        let steps = (game.profiles() as u64).saturating_mul(others as u64);
        if steps > MOST_STEPS {
            return Err(SolveError::TooLarge {
                solver: "response graph",
                what: "changes of action",
                size: steps,
                limit: MOST_STEPS,
            });
        }
        let mut graph = DiGraph::new();
        for profile in 0..game.profiles() {
            graph.add_node(actions_of(profile, shape));
        }
        for player in 0..game.players() {
            let payoffs: Vec<f64> = game.payoff_tensor(player).iter().copied().collect();
            let stride: usize = shape[player + 1..].iter().product();
            for from in 0..payoffs.len() {
                let own = from / stride % shape[player];
                let first = from - own * stride;
                let choices = || (0..shape[player]).map(|action| first + action * stride);
                let best = choices().map(|to| payoffs[to]).fold(f64::NEG_INFINITY, f64::max);
                for to in choices().filter(|&to| to != from) {
                    let improves = match improvement {
                        Improvement::Strict => payoffs[to] > payoffs[from],
                        Improvement::Weak => payoffs[to] >= payoffs[from],
                    };
                    if improves && (responses == Responses::Better || payoffs[to] >= best) {
                        let gain = payoffs[to] - payoffs[from];
                        graph.add_edge(
                            NodeIndex::new(from),
                            NodeIndex::new(to),
                            Step { player, gain },
                        );
                    }
                }
            }
        }
        Ok(Self { graph })
    }

    /// The graph itself: nodes are pure profiles in row-major order, one action index per player.
    pub fn graph(&self) -> &DiGraph<Vec<usize>, Step> {
        &self.graph
    }

    /// The sink components: strongly connected, with no step out.
    ///
    /// Each as its pure profiles in row-major order; components in the order of their first
    /// profiles.
    pub fn sinks(&self) -> Vec<Vec<Vec<usize>>> {
        let mut component_of = vec![0; self.graph.node_count()];
        let mut components = kosaraju_scc(&self.graph);
        for (index, component) in components.iter_mut().enumerate() {
            component.sort_unstable();
            for node in component {
                component_of[node.index()] = index;
            }
        }
        let leaves: BTreeSet<usize> = self
            .graph
            .edge_references()
            .map(|step| (component_of[step.source().index()], component_of[step.target().index()]))
            .filter(|(from, to)| from != to)
            .map(|(from, _)| from)
            .collect();
        let mut sinks: Vec<Vec<NodeIndex>> = components
            .into_iter()
            .enumerate()
            .filter(|(index, _)| !leaves.contains(index))
            .map(|(_, component)| component)
            .collect();
        sinks.sort_unstable();
        let profiles =
            |sink: Vec<NodeIndex>| sink.into_iter().map(|node| self.graph[node].clone()).collect();
        sinks.into_iter().map(profiles).collect()
    }

    /// The graph in the DOT language of Graphviz.
    ///
    /// Nodes carry the names of the actions, sinks a double border; steps carry the player and its
    /// gain.
    /// `game` must be the one the graph was made from.
    pub fn to_dot(&self, game: &NormalForm) -> String {
        let sinks: BTreeSet<Vec<usize>> = self.sinks().into_iter().flatten().collect();
        let step_attributes = |_, step: petgraph::graph::EdgeReference<'_, Step>| {
            let Step { player, gain } = *step.weight();
            format!("label={}", quoted(&format!("{}: {gain}", game.player_labels()[player])))
        };
        let node_attributes = |_, (_, profile): (NodeIndex, &Vec<usize>)| {
            let names: Vec<&str> = profile
                .iter()
                .enumerate()
                .map(|(player, &action)| game.action_labels(player)[action].as_str())
                .collect();
            let border = if sinks.contains(profile) { " peripheries=2" } else { "" };
            format!("label={}{border}", quoted(&names.join(", ")))
        };
        let dot = Dot::with_attr_getters(
            &self.graph,
            &[Config::NodeNoLabel, Config::EdgeNoLabel],
            &step_attributes,
            &node_attributes,
        );
        format!("{dot:?}")
    }
}

/// A string of the DOT language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The actions of a pure profile, from its row-major number.
pub(crate) fn actions_of(profile: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = profile;
    let mut actions: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&count| {
            let action = rest % count;
            rest /= count;
            action
        })
        .collect();
    actions.reverse();
    actions
}
