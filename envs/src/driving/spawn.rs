//! Scenes that are drawn anew for every episode, by the laws of highway-env 1.12.1 (fact sheet, 4.6) and our own generator.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::cars::Cars;
use super::idm::Idm;
use super::math::norm;
use super::road::Network;
use super::roads::Road;
use super::routes::Routes;
use super::scene::Row;
use super::tick::Scratch;
use super::vehicle::{Body, Kind};
use crate::diffusion::normal::Normal;
use crate::seed::{below, unit_f64};

/// Who else is on the road in random scenes; what is left out is the task's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Population {
    /// Vehicles that no learner drives: highway, exit, racetrack and custom roads; on intersections those that are drawn
    /// before the episode begins.
    pub vehicles: Option<usize>,
    /// How dense they stand, 1 being usual.
    pub density: Option<f64>,
    /// How much room learners have ahead, 1 being usual.
    pub ego_spacing: Option<f64>,
    /// The lane in which learners begin on a highway; any.
    pub initial_lane: Option<usize>,
    /// Probability of a new vehicle in each step at an intersection.
    pub spawn_probability: Option<f64>,
    /// Where learners go at an intersection, `o1` to `o3`; any.
    pub destination: Option<String>,
    /// Whether vehicles without a learner look for collisions among each other.
    pub check_collisions: Option<bool>,
}

impl Population {
    /// Fills in what is left out from `other`.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            vehicles: self.vehicles.or(other.vehicles),
            density: self.density.or(other.density),
            ego_spacing: self.ego_spacing.or(other.ego_spacing),
            initial_lane: self.initial_lane.or(other.initial_lane),
            spawn_probability: self.spawn_probability.or(other.spawn_probability),
            destination: self.destination.clone().or_else(|| other.destination.clone()),
            check_collisions: self.check_collisions.or(other.check_collisions),
        }
    }
}

/// What is drawn, with nothing left open.
#[derive(Clone, Debug)]
pub(super) struct Spawn {
    pub(super) road: Road,
    pub(super) learners: usize,
    pub(super) vehicles: usize,
    pub(super) density: f64,
    pub(super) ego_spacing: f64,
    pub(super) initial_lane: Option<u16>,
    pub(super) arrivals: f64,
    pub(super) destination: Option<String>,
    pub(super) check_collisions: bool,
    /// How learners drive.
    pub(super) kind: Kind,
    pub(super) speeds: Vec<f64>,
    pub(super) idm: Idm,
    /// Frames a second.
    pub(super) frequency: u32,
    /// Frames between two looks at right of way, on regulated roads.
    pub(super) regulated: Option<u32>,
}

/// Seconds for which an intersection runs before an episode begins.
const WARM_UP: u32 = 3;

/// A uniform number between two bounds.
fn uniform(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * unit_f64(rng)
}

/// A standard normal number.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    Normal::get().draw(rng)
}

fn choose<'a, T>(rng: &mut ChaCha8Rng, list: &'a [T]) -> &'a T {
    &list[below(rng, list.len() as u32) as usize]
}

/// One scene in the making.
struct Draft<'a, 'b, 'c> {
    spawn: &'a Spawn,
    cars: &'a mut Cars<'b>,
    rng: &'c mut ChaCha8Rng,
    next: usize,
    /// Rows of the learners, in order.
    seats: &'c mut [u16],
    seated: usize,
    /// Largest x so far.
    front: f64,
}

impl Draft<'_, '_, '_> {
    /// The body of a vehicle in the middle of a lane.
    fn on_lane(&self, from: &str, to: &str, id: usize, s: f64, speed: f64) -> Body {
        let network = self.cars.network;
        let lane = &network.lanes[usize::from(network.lane(from, to, id).unwrap_or(0))];
        let [x, y] = lane.position(s, 0.0);
        Body { x, y, heading: lane.heading(s), speed }
    }

    fn row(&self, kind: Kind, body: Body, target: Option<f64>) -> Row {
        Row::new(self.cars.network, kind, body, target, &self.spawn.speeds)
    }

    fn put(&mut self, row: &Row) -> Option<usize> {
        let slot = self.next;
        if slot >= self.cars.slots() {
            return None;
        }
        self.cars.put(slot, row);
        self.front = if slot == 0 { row.body.x } else { self.front.max(row.body.x) };
        self.next += 1;
        Some(slot)
    }

    /// Seats the next learner in a vehicle that was put.
    fn seat(&mut self, slot: usize) {
        if let Some(seat) = self.seats.get_mut(self.seated) {
            *seat = slot as u16;
            self.seated += 1;
        }
    }

    /// Puts a learner's vehicle.
    fn learner(&mut self, body: Body, goal: Option<&str>) {
        let mut row = self.row(self.spawn.kind, body, None);
        if let (Some(goal), true) = (goal, row.kind == Kind::Meta) {
            self.plan(&mut row, goal);
        }
        if let Some(slot) = self.put(&row) {
            self.seat(slot);
        }
    }

    /// Gives a row the shortest route to a node.
    fn plan(&self, row: &mut Row, goal: &str) {
        if let Some(node) = self.cars.network.node(goal) {
            row.way = self.cars.routes.plan(row.goal.lane, node);
        }
    }

    /// A driver whose IDM exponent is drawn.
    fn random_mind(&mut self, row: &mut Row) {
        row.mind.exponent = uniform(self.rng, 3.5, 4.5);
    }

    /// Another driver's row.
    fn other(&self, body: Body, target: Option<f64>) -> Row {
        let mut row = self.row(Kind::Idm, body, target);
        row.mind.looks = self.spawn.check_collisions;
        row
    }

    /// A vehicle without a learner in which, if there are more learners than the road has places for, one sits instead.
    fn shared(&mut self, mut row: Row) {
        if self.seated < self.seats.len() {
            let way = row.way;
            row = self.row(self.spawn.kind, row.body, None);
            row.way = if row.kind == Kind::Meta { way } else { row.way };
            if let Some(slot) = self.put(&row) {
                self.seat(slot);
            }
        } else {
            self.put(&row);
        }
    }

    /// A place behind which nobody is, as far ahead as the speed asks for.
    fn ahead(&mut self, lane: usize, lanes: usize, speed: f64, spacing: f64) -> f64 {
        let _ = lane;
        let offset = spacing * (12.0 + speed) * libm::exp(-5.0 / 40.0 * lanes as f64);
        let from = if self.next == 0 { 3.0 * offset } else { self.front };
        from + offset * uniform(self.rng, 0.9, 1.1)
    }

    fn highway(&mut self) {
        let lanes = self.cars.network.lanes.len();
        let (each, more) =
            (self.spawn.vehicles / self.spawn.learners, self.spawn.vehicles % self.spawn.learners);
        for learner in 0..self.spawn.learners {
            let any = below(self.rng, lanes as u32) as usize;
            let lane = self.spawn.initial_lane.map_or(any, usize::from);
            let s = self.ahead(lane, lanes, 25.0, self.spawn.ego_spacing);
            self.learner(self.on_lane("0", "1", lane, s, 25.0), None);
            for _ in 0..each + usize::from(learner < more) {
                let lane = below(self.rng, lanes as u32) as usize;
                let limit = self.cars.network.lanes[lane].limit.unwrap_or(30.0);
                let speed = uniform(self.rng, 0.7 * limit, 0.8 * limit);
                let s = self.ahead(lane, lanes, speed, 1.0 / self.spawn.density);
                let mut row = self.other(self.on_lane("0", "1", lane, s, speed), None);
                self.random_mind(&mut row);
                self.put(&row);
            }
        }
    }

    fn exit(&mut self, lanes: usize) {
        for _ in 0..self.spawn.learners {
            let s = self.ahead(0, lanes, 25.0, self.spawn.ego_spacing);
            self.learner(self.on_lane("0", "1", 0, s, 25.0), None);
        }
        let weights = (lanes * (lanes - 1) / 2) as u32;
        for _ in 0..self.spawn.vehicles {
            // The lane's number is its weight.
            let mut left = below(self.rng, weights.max(1));
            let mut lane = 0;
            while lane + 1 < lanes && left >= lane as u32 {
                left -= lane as u32;
                lane += 1;
            }
            let speed = 26.0 - 3.4 * lane as f64;
            let s = self.ahead(lane, lanes, speed, 1.0 / self.spawn.density);
            let mut row = self.other(self.on_lane("0", "1", lane, s, speed), None);
            self.plan(&mut row, "3");
            row.mind.changes_lanes = false;
            self.put(&row);
        }
    }

    fn two_way(&mut self, length: f64) {
        self.learner(self.on_lane("a", "b", 1, 30.0, 30.0), None);
        // Oncoming vehicles are drawn last but learners take them first.
        let mut same = [None, None, None];
        for (index, row) in same.iter_mut().enumerate() {
            let s = 70.0 + 40.0 * index as f64 + 10.0 * normal(self.rng);
            let speed = 24.0 + 2.0 * normal(self.rng);
            let mut other = self.other(self.on_lane("a", "b", 1, s, speed), None);
            other.mind.changes_lanes = false;
            *row = Some(other);
        }
        let learning = self.spawn.learners;
        for (index, row) in same.into_iter().flatten().enumerate() {
            if learning > 3 + index {
                let slot = self.put(&self.row(self.spawn.kind, row.body, None));
                if let (Some(slot), Some(seat)) = (slot, self.seats.get_mut(3 + index)) {
                    *seat = slot as u16;
                }
            } else {
                self.put(&row);
            }
        }
        for index in 0..2 {
            let s = 200.0 + 100.0 * f64::from(index) + 10.0 * normal(self.rng);
            let speed = 20.0 + 5.0 * normal(self.rng);
            let mut row = self.other(self.on_lane("b", "a", 0, s.min(length), speed), None);
            row.mind.changes_lanes = false;
            if let Some(lane) = self.cars.network.lane("b", "a", 0) {
                row.goal.lane = lane;
            }
            self.shared(row);
        }
    }

    fn merge(&mut self) {
        self.learner(self.on_lane("a", "b", 1, 30.0, 30.0), None);
        let mut others = [None, None, None];
        for (row, (place, speed)) in
            others.iter_mut().zip([(90.0, 29.0), (70.0, 31.0), (5.0, 31.5)])
        {
            let lane = below(self.rng, 2) as usize;
            let s = place + uniform(self.rng, -5.0, 5.0);
            let speed = speed + uniform(self.rng, -1.0, 1.0);
            *row = Some(self.other(self.on_lane("a", "b", lane, s, speed), None));
        }
        // The second learner merges; further ones drive on the main road.
        let learning = self.spawn.learners;
        for (index, row) in others.into_iter().flatten().enumerate() {
            if learning > 2 + index {
                let slot = self.put(&self.row(self.spawn.kind, row.body, None));
                if let (Some(slot), Some(seat)) = (slot, self.seats.get_mut(2 + index)) {
                    *seat = slot as u16;
                }
            } else {
                self.put(&row);
            }
        }
        let mut row = self.other(self.on_lane("j", "k", 0, 110.0, 20.0), None);
        row.goal.speed = 30.0;
        self.shared(row);
    }

    fn roundabout(&mut self) {
        const EXITS: [&str; 3] = ["exr", "sxr", "nxr"];
        let mut body = self.on_lane("ser", "ses", 0, 125.0, 8.0);
        body.heading = self.on_lane("ser", "ses", 0, 140.0, 8.0).heading;
        self.learner(body, Some("nxs"));
        let places = [("we", "sx", 1, 5.0), ("we", "sx", 0, 20.0), ("we", "sx", 0, -20.0)];
        for (from, to, id, place) in places.into_iter().chain([("eer", "ees", 0, 50.0)]) {
            let s = place + 2.0 * normal(self.rng);
            let speed = 16.0 + 2.0 * normal(self.rng);
            let goal = *choose(self.rng, &EXITS);
            let mut row = self.other(self.on_lane(from, to, id, s, speed), None);
            self.plan(&mut row, goal);
            self.random_mind(&mut row);
            self.shared(row);
        }
    }

    fn u_turn(&mut self) {
        self.learner(self.on_lane("a", "b", 0, 0.0, 16.0), Some("d"));
        let others = [
            ("a", "b", 0, 25.0, 13.5),
            ("a", "b", 1, 56.0, 14.5),
            ("b", "c", 1, 0.5, 4.5),
            ("b", "c", 0, 17.5, 5.5),
            ("c", "d", 0, 1.0, 3.5),
            ("c", "d", 1, 30.0, 5.5),
        ];
        for (index, (from, to, id, place, speed)) in others.into_iter().enumerate() {
            let s = place + 2.0 * normal(self.rng);
            let speed = speed + 2.0 * normal(self.rng);
            let mut row = self.other(self.on_lane(from, to, id, s, speed), None);
            self.plan(&mut row, "d");
            if index == 0 {
                self.random_mind(&mut row);
            }
            self.shared(row);
        }
    }

    /// Anywhere: learners first, then others at least 20 m from everyone.
    fn anywhere(&mut self, racetrack: bool) {
        let mut first = 0;
        for learner in 0..self.spawn.learners {
            let (mut lane, _) = self.random_lane();
            if racetrack && learner == 0 {
                first = below(self.rng, 2) as u16;
                lane = first;
            }
            let at = &self.cars.network.lanes[usize::from(lane)];
            let (low, high) = if racetrack { (20.0, 50.0) } else { (0.0, at.length) };
            let s = uniform(self.rng, low, high);
            let [x, y] = at.position(s, 0.0);
            let speed = at.limit.unwrap_or(super::lane::LIMIT);
            self.learner(Body { x, y, heading: at.heading(s), speed }, None);
        }
        let mut left = self.spawn.vehicles;
        if racetrack && left > 0 {
            let network = self.cars.network;
            let length =
                network.lane("b", "c", 0).map(|lane| network.lanes[usize::from(lane)].length);
            let s = uniform(self.rng, 0.0, length.unwrap_or(1.0));
            let speed = 6.0 + uniform(self.rng, 0.0, 3.0);
            let row = self.other(self.on_lane("b", "c", usize::from(first), s, speed), None);
            self.put(&row);
            // The reference draws how many more there are, below their number.
            left = below(self.rng, left as u32) as usize;
        }
        for _ in 0..left {
            let (lane, length) = self.random_lane();
            let at = &self.cars.network.lanes[usize::from(lane)];
            let s = uniform(self.rng, 0.0, length);
            let speed = if racetrack {
                6.0 + uniform(self.rng, 0.0, 3.0)
            } else {
                at.limit.unwrap_or(super::lane::LIMIT) * uniform(self.rng, 0.7, 0.8)
            };
            let [x, y] = at.position(s, 0.0);
            if self.room(x, y, 20.0) {
                let row = self.other(Body { x, y, heading: at.heading(s), speed }, None);
                self.put(&row);
            }
        }
    }

    /// A node, one of its edges, one of its lanes.
    fn random_lane(&mut self) -> (u16, f64) {
        let network = self.cars.network;
        let edge = choose(self.rng, &network.edges);
        let lane = edge.lanes.start + below(self.rng, edge.lanes.len() as u32) as u16;
        (lane, network.lanes[usize::from(lane)].length)
    }

    /// Whether nobody is within a distance.
    fn room(&self, x: f64, y: f64, distance: f64) -> bool {
        self.cars.bodies[..self.next].iter().all(|body| {
            let (dx, dy) = (body.x - x, body.y - y);
            norm([dx, dy]) >= distance
        })
    }

    fn intersection(&mut self, scratch: &mut Scratch) {
        let spawn = self.spawn;
        for index in 0..spawn.vehicles.saturating_sub(1) {
            let place = 80.0 * index as f64 / (spawn.vehicles - 1) as f64;
            self.next += usize::from(self.arrival(place, 1.0, 1.0, 0.6, false));
        }
        for slot in self.next..self.cars.slots() {
            self.cars.clear(slot);
        }
        self.cars.settle();
        let dt = 1.0 / f64::from(spawn.frequency);
        for frame in 1..=WARM_UP * spawn.frequency {
            let regulate = spawn.regulated.is_some_and(|every| frame % every == 0);
            self.cars.frame(&spawn.idm, dt, regulate, scratch);
        }
        self.next += usize::from(self.arrival(60.0, 0.1, 0.0, 1.0, true));
        for learner in 0..spawn.learners {
            let arm = learner % 4;
            let (road, entry) = (ARMS[arm].0, ARMS[arm].1);
            let goal = match &spawn.destination {
                Some(goal) => goal.as_str(),
                None => ARMS[1 + below(self.rng, 3) as usize].0,
            };
            let s = 60.0 + 5.0 * (1.0 + normal(self.rng));
            let body = self.on_lane(road, entry, 0, s, 10.0);
            let mut row = self.row(spawn.kind, body, None);
            if row.kind == Kind::Meta {
                self.plan(&mut row, goal);
            }
            if let Some(slot) = self.put(&row) {
                self.seat(slot);
            }
            // Nobody may be so near that a crash could not be helped.
            let seats = &mut *self.seats;
            let seated = self.seated;
            self.cars.remove(
                |cars, slot| {
                    let other = &cars.bodies[slot];
                    let (dx, dy) = (other.x - body.x, other.y - body.y);
                    cars.kinds[slot] == Kind::Idm && norm([dx, dy]) < 20.0
                },
                |from, to| reseat(&mut seats[..seated], from, to),
            );
            self.next = self.cars.count();
        }
    }

    /// A vehicle that comes in on one of the arms, unless chance or another vehicle keeps it out.
    fn arrival(
        &mut self,
        place: f64,
        spread: f64,
        speed_spread: f64,
        probability: f64,
        straight: bool,
    ) -> bool {
        if unit_f64(self.rng) > probability {
            return false;
        }
        let from = below(self.rng, 4) as usize;
        let turn = 1 + below(self.rng, 3) as usize;
        let to = (from + if straight { 2 } else { turn }) % 4;
        let s = place + 5.0 + spread * normal(self.rng);
        let speed = 8.0 + speed_spread * normal(self.rng);
        let body = self.on_lane(ARMS[from].0, ARMS[from].1, 0, s, speed);
        if !self.room(body.x, body.y, 15.0) || self.next >= self.cars.slots() {
            return false;
        }
        let mut row = self.other(body, None);
        self.plan(&mut row, ARMS[to].0);
        self.random_mind(&mut row);
        self.cars.put(self.next, &row);
        true
    }
}

/// Outer and inner node of each arm of an intersection.
const ARMS: [(&str, &str); 4] = [("o0", "ir0"), ("o1", "ir1"), ("o2", "ir2"), ("o3", "ir3")];

/// Keeps learners in their vehicles when rows move up.
pub(super) fn reseat(seats: &mut [u16], from: usize, to: usize) {
    for seat in seats {
        if usize::from(*seat) == from {
            *seat = to as u16;
        }
    }
}

impl Spawn {
    /// Rows that the drawn scene can need; `steps` is the longest episode.
    pub(super) fn slots(&self, steps: Option<u32>) -> usize {
        match self.road {
            Road::TwoWay { .. } => 6,
            Road::Merge | Road::Roundabout => 5,
            Road::UTurn => 7,
            Road::Intersection => {
                let arrivals = if self.arrivals > 0.0 { steps.unwrap_or(30).min(30) } else { 0 };
                self.vehicles + 1 + self.learners + arrivals as usize
            }
            _ => self.learners + self.vehicles,
        }
    }

    /// Most learners that the road has vehicles for.
    pub(super) fn seats(&self) -> usize {
        match self.road {
            Road::TwoWay { .. } => 6,
            Road::Merge | Road::Roundabout => 5,
            Road::UTurn => 7,
            _ => 64,
        }
    }

    /// Nodes that routes lead to.
    pub(super) fn goals(&self) -> &'static [&'static str] {
        match self.road {
            Road::Roundabout => &["nxs", "exr", "sxr", "nxr"],
            Road::Intersection => &["o0", "o1", "o2", "o3"],
            Road::UTurn => &["d"],
            Road::Exit { .. } => &["3"],
            _ => &[],
        }
    }

    /// Adds all routes that drawn vehicles can have.
    pub(super) fn routes(&self, network: &Network, routes: &mut Routes) {
        for goal in self.goals() {
            if let Some(node) = network.node(goal) {
                routes.add_plans(network, node);
            }
        }
    }

    /// Draws a scene into the rows and seats the learners.
    pub(super) fn draw(
        &self,
        cars: &mut Cars<'_>,
        seats: &mut [u16],
        rng: &mut ChaCha8Rng,
        scratch: &mut Scratch,
    ) {
        for slot in 0..cars.slots() {
            cars.clear(slot);
        }
        let mut draft = Draft { spawn: self, cars, rng, next: 0, seats, seated: 0, front: 0.0 };
        match self.road {
            Road::Highway { .. } => draft.highway(),
            Road::TwoWay { length } => draft.two_way(length),
            Road::Merge => draft.merge(),
            Road::Roundabout => draft.roundabout(),
            Road::Intersection => draft.intersection(scratch),
            Road::Exit { lanes } => draft.exit(lanes),
            Road::UTurn => draft.u_turn(),
            Road::Racetrack => draft.anywhere(true),
            Road::Custom { .. } => draft.anywhere(false),
        }
        cars.settle();
    }

    /// A new vehicle at an intersection, if chance has it.
    pub(super) fn arrive(&self, cars: &mut Cars<'_>, rng: &mut ChaCha8Rng) -> bool {
        let next = cars.count();
        let mut draft =
            Draft { spawn: self, cars, rng, next, seats: &mut [], seated: 0, front: 0.0 };
        draft.arrival(0.0, 1.0, 1.0, self.arrivals, false)
    }
}

/// How many frames an intersection has run when an episode begins, so that right of way is looked at in step with it.
pub(super) fn warmed(frequency: u32) -> u32 {
    WARM_UP * frequency
}
