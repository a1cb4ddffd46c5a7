//! Roads: a directed graph whose edges hold ordered lanes.
//!
//! Order matters and is the reference's: edges are numbered by the first appearance of their start node, then of their
//! end node, so that the nearest lane of several equally near ones is the same; searches visit successors by name.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use petgraph::graph::{DiGraph, NodeIndex};
use serde::{Deserialize, Serialize};

use super::lane::{LIMIT, Lane, OVERHANG, Polar, Shape, WIDTH};
use super::near::Near;
use super::routes::Leg;

/// One lane of a road, as a scenario file describes it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Node where it starts.
    pub from: String,
    /// Node where it ends; lanes of the same two nodes lie side by side, numbered from the left in the order given.
    pub to: String,
    /// Its centre curve.
    pub shape: Shape,
    /// Width in metres; 4.
    #[serde(default = "width")]
    pub width: f64,
    /// Largest speed that IDM vehicles want on it, in m/s; 20.
    #[serde(default = "limit")]
    pub speed_limit: Option<f64>,
    /// Whether changing into it is forbidden.
    #[serde(default)]
    pub forbidden: bool,
    /// Right of way on regulated roads: the lower value yields.
    #[serde(default)]
    pub priority: i32,
}

fn width() -> f64 {
    WIDTH
}

#[expect(clippy::unnecessary_wraps, reason = "it is the default of an optional field")]
fn limit() -> Option<f64> {
    Some(LIMIT)
}

/// Something square that stands on a road: 2 by 2 metres.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Obstacle {
    /// Centre.
    pub x: f64,
    /// Centre.
    pub y: f64,
    /// Direction of its first side, in radians.
    #[serde(default)]
    pub heading: f64,
}

/// What a network is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) parts: Vec<Part>,
    pub(super) obstacles: Vec<Obstacle>,
}

/// Two nodes and the lanes between them.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) from: NodeIndex,
    pub(super) to: NodeIndex,
    /// Numbers of its lanes, all adjacent.
    pub(super) lanes: Range<u16>,
}

/// A road with all that is looked up in a step.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// Node names, and on each arc the number of its edge.
    graph: DiGraph<String, u16>,
    pub(super) edges: Vec<Edge>,
    pub(super) lanes: Vec<Lane>,
    pub(super) obstacles: Vec<Obstacle>,
    /// Edges out of each node, in the reference's order.
    successors: Vec<Vec<u16>>,
    near: Near,
}

/// Checks one lane.
fn check(problems: &mut Vec<String>, index: usize, part: &Part) {
    let mut refuse = |why: String| problems.push(format!("`road.lanes[{index}]`: {why}"));
    let lane = Lane::new(&part.shape, part.width, part.speed_limit);
    let numbers = match part.shape {
        Shape::Straight { start, end } => vec![start.0, start.1, end.0, end.1],
        Shape::Sine { start, end, amplitude, pulsation, phase } => {
            vec![start.0, start.1, end.0, end.1, amplitude, pulsation, phase]
        }
        Shape::Circular { center, radius, start_phase, end_phase, .. } => {
            vec![center.0, center.1, radius, start_phase, end_phase]
        }
    };
    if !numbers.iter().all(|number| number.is_finite()) {
        refuse("every number of its shape must be finite".to_owned());
    } else if !(lane.length > 0.0 && lane.length.is_finite()) {
        refuse(format!("its length is {}, it must be above 0", lane.length));
    }
    if !(part.width > 0.0 && part.width.is_finite()) {
        refuse(format!("its width is {}, it must be above 0", part.width));
    }
    if part.speed_limit.is_some_and(|limit| !(limit >= 0.0 && limit.is_finite())) {
        refuse("its speed limit must be a finite number from 0 on".to_owned());
    }
    if part.from == part.to {
        refuse(format!("it leads from `{}` to itself", part.from));
    }
}

impl Network {
    /// Checks and builds.
    ///
    /// # Errors
    /// Every problem.
    pub(super) fn new(plan: &Plan) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        if plan.parts.is_empty() {
            problems.push("`road.lanes` is empty, there must be at least one lane".to_owned());
        }
        if plan.parts.len() > 1000 {
            problems.push(format!("`road.lanes` has {} entries, at most 1000", plan.parts.len()));
        }
        for (index, part) in plan.parts.iter().enumerate() {
            check(&mut problems, index, part);
        }
        for (index, obstacle) in plan.obstacles.iter().enumerate() {
            if ![obstacle.x, obstacle.y, obstacle.heading].iter().all(|n| n.is_finite()) {
                problems.push(format!("`obstacles[{index}]`: every number must be finite"));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        // First appearance of a start node, then of an end node behind it.
        let mut order: Vec<(&str, Vec<(&str, Vec<&Part>)>)> = Vec::new();
        for part in &plan.parts {
            let at = order.iter().position(|(from, _)| *from == part.from);
            let at = at.unwrap_or_else(|| {
                order.push((&part.from, Vec::new()));
                order.len() - 1
            });
            let ends = &mut order[at].1;
            match ends.iter_mut().find(|(to, _)| *to == part.to) {
                Some((_, parts)) => parts.push(part),
                None => ends.push((&part.to, vec![part])),
            }
        }
        let mut graph = DiGraph::new();
        let mut nodes = BTreeMap::new();
        let mut node = |graph: &mut DiGraph<String, u16>, name: &str| {
            *nodes.entry(name.to_owned()).or_insert_with(|| graph.add_node(name.to_owned()))
        };
        let (mut edges, mut lanes) = (Vec::new(), Vec::new());
        for (from, ends) in order {
            let from = node(&mut graph, from);
            for (to, parts) in ends {
                let to = node(&mut graph, to);
                let (edge, first) = (edges.len() as u16, lanes.len() as u16);
                graph.add_edge(from, to, edge);
                for (id, part) in parts.iter().enumerate() {
                    let mut lane = Lane::new(&part.shape, part.width, part.speed_limit);
                    lane.forbidden = part.forbidden;
                    lane.priority = part.priority;
                    lane.edge = edge;
                    lane.id = id as u16;
                    // The reference's naming: from an inner node `il..` to an outer one `o..`.
                    lane.leaves = part.from.contains("il") && part.to.contains('o');
                    lanes.push(lane);
                }
                edges.push(Edge { from, to, lanes: first..lanes.len() as u16 });
            }
        }
        let mut successors = vec![Vec::new(); graph.node_count()];
        for (number, edge) in edges.iter().enumerate() {
            successors[edge.from.index()].push(number as u16);
        }
        let near = Near::new(&lanes);
        Ok(Self { graph, edges, lanes, obstacles: plan.obstacles.clone(), successors, near })
    }

    /// Name of a node.
    pub(super) fn name(&self, node: NodeIndex) -> &str {
        &self.graph[node]
    }

    /// The node of that name.
    pub(super) fn node(&self, name: &str) -> Option<NodeIndex> {
        self.graph.node_indices().find(|&node| self.graph[node] == name)
    }

    /// Number of nodes.
    #[cfg(test)]
    pub(super) fn nodes(&self) -> usize {
        self.graph.node_count()
    }

    /// The edge between two nodes.
    pub(super) fn edge(&self, from: &str, to: &str) -> Option<u16> {
        let arc = self.graph.find_edge(self.node(from)?, self.node(to)?)?;
        Some(self.graph[arc])
    }

    /// The lane (from, to, id).
    pub(super) fn lane(&self, from: &str, to: &str, id: usize) -> Option<u16> {
        let lanes = self.edges[usize::from(self.edge(from, to)?)].lanes.clone();
        (id < lanes.len()).then(|| lanes.start + id as u16)
    }

    /// All lanes of the edge that a lane belongs to.
    pub(super) fn beside(&self, lane: u16) -> Range<u16> {
        self.edges[usize::from(self.lanes[usize::from(lane)].edge)].lanes.clone()
    }

    /// (from, to, id) of a lane.
    pub(super) fn index(&self, lane: u16) -> (&str, &str, u16) {
        let lane = &self.lanes[usize::from(lane)];
        let edge = &self.edges[usize::from(lane.edge)];
        (self.name(edge.from), self.name(edge.to), lane.id)
    }

    /// Edges that begin where this one ends.
    pub(super) fn after(&self, edge: u16) -> &[u16] {
        &self.successors[self.edges[usize::from(edge)].to.index()]
    }

    /// Edges that end where this one begins.
    pub(super) fn before(&self, edge: u16) -> impl Iterator<Item = u16> + '_ {
        let start = self.edges[usize::from(edge)].from;
        let ends = move |&(_, other): &(usize, &Edge)| other.to == start;
        self.edges.iter().enumerate().filter(ends).map(|(number, _)| number as u16)
    }

    /// Fewest edges from one node to another, breadth first, successors by name; the nodes after `start`.
    pub(super) fn shortest(&self, start: NodeIndex, goal: NodeIndex) -> Option<Vec<NodeIndex>> {
        let mut came_from = BTreeMap::new();
        let mut seen = BTreeSet::from([start]);
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            let mut next: Vec<NodeIndex> = self.graph.neighbors(node).collect();
            next.sort_by(|one, two| self.graph[*one].cmp(&self.graph[*two]));
            for node_after in next {
                if !seen.insert(node_after) {
                    continue;
                }
                came_from.insert(node_after, node);
                if node_after == goal {
                    let mut path = vec![goal];
                    let mut node = node;
                    while node != start {
                        path.push(node);
                        node = came_from[&node];
                    }
                    path.reverse();
                    return Some(path);
                }
                queue.push_back(node_after);
            }
        }
        None
    }

    /// The lane that a vehicle is on, and (s, r) there: smallest L1 distance plus heading error, the first of equal ones.
    /// Calls `on(lane, s)` for every lane that holds it with a metre to spare.
    pub(super) fn survey(
        &self,
        point: [f64; 2],
        heading: f64,
        mut on: impl FnMut(u16, f64),
    ) -> (u16, (f64, f64)) {
        let (mut best, mut at) = ((f64::INFINITY, 0), (0.0, 0.0));
        let mut polar = Polar::default();
        for &number in self.near.at(point) {
            let lane = &self.lanes[usize::from(number)];
            if let Some((aside, outside)) = lane.glance(point) {
                let off = aside > lane.width / 2.0 + 1.0 || outside > OVERHANG;
                if off && aside + outside >= best.0 {
                    continue;
                }
            }
            let local = lane.local_with(point, &mut polar);
            if lane.holds(local, 1.0) {
                on(number, local.0);
            }
            let before = best.0;
            closer(&mut best, number, lane, local, heading);
            if best.0 < before {
                at = local;
            }
        }
        (best.1, at)
    }

    /// The lane that a vehicle is on.
    pub(super) fn closest(&self, point: [f64; 2], heading: f64) -> u16 {
        self.survey(point, heading, |_, _| ()).0
    }

    /// The lane to follow at the end of `lane`, and how many legs of the route that uses up.
    pub(super) fn next(&self, lane: u16, route: &[Leg], point: [f64; 2]) -> (u16, u32) {
        let here = &self.lanes[usize::from(lane)];
        let mut used = 0;
        if route.first().is_some_and(|leg| leg.edge == here.edge) {
            used = 1;
        }
        let planned = route.get(used as usize).filter(|leg| {
            self.edges[usize::from(leg.edge)].from == self.edges[usize::from(here.edge)].to
        });
        let (s, _) = here.local(point);
        let projected = here.position(s, 0.0);
        if let Some(leg) = planned {
            return (self.onto(lane, leg.edge, leg.id, projected).0, used);
        }
        let mut best = (f64::INFINITY, lane);
        for &edge in self.after(here.edge) {
            let (next, distance) = self.onto(lane, edge, None, projected);
            if distance < best.0 {
                best = (distance, next);
            }
        }
        (best.1, used)
    }

    /// The lane of the next edge to go to: the same number where both have equally many, otherwise the nearest.
    fn onto(&self, lane: u16, edge: u16, id: Option<u16>, point: [f64; 2]) -> (u16, f64) {
        let lanes = self.edges[usize::from(edge)].lanes.clone();
        let distance = |number: u16| {
            let lane = &self.lanes[usize::from(number)];
            lane.distance(lane.local(point))
        };
        if self.beside(lane).len() == lanes.len() {
            let id = id.unwrap_or(self.lanes[usize::from(lane)].id);
            let number = lanes.start + id;
            return (number, distance(number));
        }
        let mut best = (lanes.start, f64::INFINITY);
        for number in lanes {
            let away = distance(number);
            if away < best.1 {
                best = (number, away);
            }
        }
        best
    }

    /// Whether the road of `to` is the road of `from`, leads to it, or follows within `depth` edges along the route.
    pub(super) fn connected(&self, from: u16, to: u16, route: &[Leg], depth: u32) -> bool {
        let (edge, other) = (&self.edges[usize::from(from)], &self.edges[usize::from(to)]);
        if from == to || other.to == edge.from {
            return true;
        }
        if depth == 0 {
            return false;
        }
        match route.first() {
            Some(leg) if leg.edge == from => self.connected(from, to, &route[1..], depth),
            Some(leg) if self.edges[usize::from(leg.edge)].from == edge.to => {
                self.connected(leg.edge, to, &route[1..], depth - 1)
            }
            _ => self.after(from).iter().any(|&next| self.connected(next, to, route, depth - 1)),
        }
    }
}

/// Takes the lane into `best` if it is closer.
pub(super) fn closer(
    best: &mut (f64, u16),
    number: u16,
    lane: &Lane,
    local: (f64, f64),
    heading: f64,
) {
    let distance = lane.distance(local);
    if distance < best.0 {
        let distance = distance + lane.angle(heading, local.0).abs();
        if distance < best.0 {
            *best = (distance, number);
        }
    }
}
