//! Routes: the edges that a vehicle wants to follow, in one table for all vehicles.

use std::collections::BTreeMap;
use std::ops::Range;

use bevy_ecs::prelude::Component;
use petgraph::graph::NodeIndex;

use super::road::Network;

/// One edge of a route, and the lane to take on it where that is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) edge: u16,
    pub(super) id: Option<u16>,
}

/// On each vehicle's row: what is left of its route.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Route {
    pub(super) next: u32,
    pub(super) end: u32,
}

/// Every leg that a vehicle of this environment can be given.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    legs: Vec<Leg>,
    plans: BTreeMap<(u16, NodeIndex), Route>,
}

impl Routes {
    /// The legs that are left.
    pub(super) fn left(&self, route: Route) -> &[Leg] {
        let range: Range<usize> = route.next as usize..route.end as usize;
        &self.legs[range]
    }

    /// Adds a route.
    pub(super) fn add(&mut self, legs: &[Leg]) -> Route {
        let next = self.legs.len() as u32;
        self.legs.extend_from_slice(legs);
        Route { next, end: self.legs.len() as u32 }
    }

    /// Adds the shortest routes from every lane to a node, as [`plan`](Self::plan) finds them.
    pub(super) fn add_plans(&mut self, network: &Network, goal: NodeIndex) {
        for lane in 0..network.lanes.len() as u16 {
            if !self.plans.contains_key(&(lane, goal)) {
                let legs = shortest(network, lane, goal);
                let route = self.add(&legs);
                self.plans.insert((lane, goal), route);
            }
        }
    }

    /// The shortest route from the end of a lane to a node, which must have been added.
    pub(super) fn plan(&self, lane: u16, goal: NodeIndex) -> Route {
        self.plans.get(&(lane, goal)).copied().unwrap_or_default()
    }

    /// Whether a saved route is a part of this table.
    pub(super) fn holds(&self, route: Route) -> bool {
        route.next <= route.end && route.end as usize <= self.legs.len()
    }
}

/// The lane itself, then the fewest edges from its end to the goal; the lane alone when there is no way.
pub(super) fn shortest(network: &Network, lane: u16, goal: NodeIndex) -> Vec<Leg> {
    let here = &network.lanes[usize::from(lane)];
    let mut legs = vec![Leg { edge: here.edge, id: Some(here.id) }];
    let mut node = network.edges[usize::from(here.edge)].to;
    for next in network.shortest(node, goal).unwrap_or_default() {
        if let Some(edge) = network.edge(network.name(node), network.name(next)) {
            legs.push(Leg { edge, id: None });
        }
        node = next;
    }
    legs
}
