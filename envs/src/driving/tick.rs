//! One frame of the simulation, after everyone has decided: motion, lanes, contacts.

use super::cars::Cars;
use super::collision::{contact, radius, reach};
use super::dynamics;
use super::idm::Idm;
use super::math::norm;
use super::regulation::Forecast;
use super::scene::Row;
use super::vehicle::{BREADTH, Command, Damage, Drift, Facing, Goal, Kind, LENGTH, Mind, Track};

/// How far from every lane a vehicle may be, in metres.
pub(super) const LOST: f64 = 1000.0;

/// Why an instance had to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A position, heading or speed that is not a finite number.
    NotFinite,
    /// Farther than [`LOST`] from every lane.
    Lost,
}

/// Buffers that every instance of a shard uses in turn.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) pairs: Vec<(u16, u16)>,
    pub(super) forecasts: Vec<Forecast>,
}

impl Scratch {
    /// With room for `slots` rows; pairs grow to what the densest traffic needs.
    pub(super) fn new(slots: usize) -> Self {
        Self {
            pairs: Vec::with_capacity(slots * slots.min(64)),
            forecasts: Vec::with_capacity(slots),
        }
    }
}

impl Cars<'_> {
    /// Fills a row.
    pub(super) fn put(&mut self, slot: usize, row: &Row) {
        self.kinds[slot] = row.kind;
        self.bodies[slot] = row.body;
        self.facings[slot] = Facing::new(row.body.heading);
        let (x, y) = (row.body.x, row.body.y);
        let lane = self.network.closest([x, y], row.body.heading);
        let (s, r) = self.network.lanes[usize::from(lane)].local([x, y]);
        self.tracks[slot] = Track { lane, s, r };
        self.goals[slot] = row.goal;
        self.commands[slot] = Command::default();
        self.minds[slot] = row.mind;
        self.damages[slot] = Damage { crashed: row.crashed, ..Damage::default() };
        self.drifts[slot] = Drift::default();
        self.ways[slot] = row.way;
    }

    /// Empties a row.
    pub(super) fn clear(&mut self, slot: usize) {
        self.kinds[slot] = Kind::Absent;
        self.bodies[slot] = super::vehicle::Body::default();
        self.facings[slot] = Facing::default();
        self.tracks[slot] = Track::default();
        self.goals[slot] = Goal::default();
        self.commands[slot] = Command::default();
        self.minds[slot] = Mind::default();
        self.damages[slot] = Damage::default();
        self.drifts[slot] = Drift::default();
        self.ways[slot] = super::routes::Route::default();
    }

    /// Takes vehicles off the road and closes the gaps, so that the others stay in order.
    /// `moved(from, to)` is told of every row that changes its place.
    pub(super) fn remove(
        &mut self,
        leaves: impl Fn(&Self, usize) -> bool,
        mut moved: impl FnMut(usize, usize),
    ) {
        let mut to = 0;
        for from in 0..self.slots() {
            if self.kinds[from] == Kind::Absent || leaves(self, from) {
                continue;
            }
            if from != to {
                self.kinds[to] = self.kinds[from];
                self.bodies[to] = self.bodies[from];
                self.facings[to] = self.facings[from];
                self.tracks[to] = self.tracks[from];
                self.goals[to] = self.goals[from];
                self.commands[to] = self.commands[from];
                self.minds[to] = self.minds[from];
                self.damages[to] = self.damages[from];
                self.drifts[to] = self.drifts[from];
                self.ways[to] = self.ways[from];
                moved(from, to);
            }
            to += 1;
        }
        for slot in to..self.slots() {
            self.clear(slot);
        }
    }

    /// Vehicles on the road; they fill the first rows.
    pub(super) fn count(&self) -> usize {
        self.kinds.iter().take_while(|&&kind| kind != Kind::Absent).count()
    }

    /// Finds lanes and orders after vehicles were put or removed.
    pub(super) fn settle(&mut self) {
        self.traffic.rebuild();
        self.locate();
    }

    /// Finds lanes and orders after vehicles moved.
    pub(super) fn locate(&mut self) {
        let slots = self.slots();
        self.traffic.locate(self.network, self.kinds, self.bodies, self.tracks, slots);
    }

    /// Moves everyone by one frame.
    pub(super) fn advance(&mut self, dt: f64) {
        for slot in 0..self.slots() {
            let kind = self.kinds[slot];
            if kind == Kind::Absent {
                continue;
            }
            if kind.decides() {
                self.minds[slot].timer += dt;
            }
            if kind == Kind::DynamicWheel {
                dynamics::dynamical(
                    &mut self.bodies[slot],
                    &mut self.facings[slot],
                    &mut self.drifts[slot],
                    &self.damages[slot],
                    &mut self.commands[slot],
                    dt,
                );
            } else {
                dynamics::kinematic(
                    &mut self.bodies[slot],
                    &mut self.facings[slot],
                    &mut self.damages[slot],
                    &mut self.commands[slot],
                    dt,
                );
            }
        }
        self.locate();
    }

    /// The first vehicle that must not go on, if there is one.
    pub(super) fn trouble(&self) -> Option<(usize, Trouble)> {
        (0..self.slots()).filter(|&slot| self.kinds[slot] != Kind::Absent).find_map(|slot| {
            let lost = {
                let (lane, track) = (self.lane(slot), &self.tracks[slot]);
                // False for what is not a number.
                lane.distance((track.s, track.r)) <= LOST
            };
            if !self.bodies[slot].is_finite() {
                Some((slot, Trouble::NotFinite))
            } else if lost {
                None
            } else {
                Some((slot, Trouble::Lost))
            }
        })
    }

    /// Tests all pairs that can meet within a frame, in the reference's order: later ones overwrite pushes of earlier ones.
    pub(super) fn touch(&mut self, dt: f64, scratch: &mut Scratch) {
        let fastest = self.bodies.iter().fold(0.0_f64, |most, body| most.max(body.speed));
        self.traffic.pairs(self.bodies, reach(fastest, dt), &mut scratch.pairs);
        let own = radius(LENGTH, BREADTH);
        for &(one, two) in &scratch.pairs {
            let (one, two) = (usize::from(one), usize::from(two));
            if !self.near(one, [self.bodies[two].x, self.bodies[two].y], 2.0 * own, dt)
                || !(self.minds[one].looks || self.minds[two].looks)
            {
                continue;
            }
            let found = contact(&self.block(one), &self.block(two), dt);
            if let Some(push) = found.push {
                let [x, y] = push.map(|part| part / 2.0);
                for (slot, push) in [(one, [x, y]), (two, [-x, -y])] {
                    self.damages[slot].hit = true;
                    self.damages[slot].push = push;
                }
            }
            if found.now {
                self.damages[one].crashed = true;
                self.damages[two].crashed = true;
            }
        }
        for index in 0..self.network.obstacles.len() {
            let obstacle = self.obstacle(index);
            let apart = own + radius(obstacle.length, obstacle.width);
            for slot in 0..self.slots() {
                if self.kinds[slot] == Kind::Absent || !self.near(slot, obstacle.centre, apart, dt)
                {
                    continue;
                }
                let found = contact(&self.block(slot), &obstacle, dt);
                if let Some(push) = found.push {
                    // The vehicle takes all of it.
                    self.damages[slot].hit = true;
                    self.damages[slot].push = push;
                }
                self.damages[slot].crashed |= found.now;
            }
        }
    }

    /// Whether a point is near enough to a vehicle for a contact within the frame.
    fn near(&self, slot: usize, [x, y]: [f64; 2], apart: f64, dt: f64) -> bool {
        let body = &self.bodies[slot];
        let (dx, dy) = (x - body.x, y - body.y);
        norm([dx, dy]) <= apart + body.speed * dt
    }

    /// One whole frame without learners, for the time before an episode begins.
    pub(super) fn frame(&mut self, idm: &Idm, dt: f64, regulate: bool, scratch: &mut Scratch) {
        self.decide(idm);
        if regulate {
            self.regulate(&mut scratch.forecasts);
        }
        self.advance(dt);
        self.touch(dt, scratch);
    }
}
