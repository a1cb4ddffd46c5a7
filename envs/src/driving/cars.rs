//! The columns of one instance, seen together.

use super::collision::Block;
use super::lane::Lane;
use super::road::Network;
use super::routes::{Leg, Route, Routes};
use super::traffic::{Member, Traffic};
use super::vehicle::{
    BREADTH, Body, Command, Damage, Drift, Facing, Goal, Kind, LENGTH, Mind, Track,
};

/// Side of an obstacle, in metres.
pub(super) const BLOCK: f64 = 2.0;

/// All rows of one instance, in the order in which the reference would list its vehicles.
#[derive(Debug)]
pub(super) struct Cars<'a> {
    pub(super) network: &'a Network,
    pub(super) routes: &'a Routes,
    pub(super) kinds: &'a mut [Kind],
    pub(super) bodies: &'a mut [Body],
    pub(super) facings: &'a mut [Facing],
    pub(super) tracks: &'a mut [Track],
    pub(super) goals: &'a mut [Goal],
    pub(super) commands: &'a mut [Command],
    pub(super) minds: &'a mut [Mind],
    pub(super) damages: &'a mut [Damage],
    pub(super) drifts: &'a mut [Drift],
    pub(super) ways: &'a mut [Route],
    pub(super) traffic: &'a mut Traffic,
    /// Whether neighbours are also looked for on the edges before and after.
    pub(super) connected: bool,
}

/// Somebody ahead, and how far if that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leader {
    pub(super) who: u16,
    pub(super) gap: Option<f64>,
}

impl Leader {
    /// At a distance that is still to be found.
    pub(super) fn anywhere(who: u16) -> Self {
        Self { who, gap: None }
    }
}

impl<'a> Cars<'a> {
    /// Rows, filled or not.
    pub(super) fn slots(&self) -> usize {
        self.kinds.len()
    }

    /// The vehicle that is the obstacle's number, if it is one.
    fn vehicle(&self, who: u16) -> Option<usize> {
        (usize::from(who) < self.slots()).then_some(usize::from(who))
    }

    /// Centre of a vehicle or an obstacle.
    pub(super) fn point(&self, who: u16) -> [f64; 2] {
        match self.vehicle(who) {
            Some(slot) => [self.bodies[slot].x, self.bodies[slot].y],
            None => {
                let obstacle = &self.network.obstacles[usize::from(who) - self.slots()];
                [obstacle.x, obstacle.y]
            }
        }
    }

    /// Velocity of a vehicle (slip ignored) or an obstacle.
    pub(super) fn velocity(&self, who: u16) -> [f64; 2] {
        self.vehicle(who).map_or([0.0; 2], |slot| {
            let (speed, facing) = (self.bodies[slot].speed, self.facings[slot]);
            [speed * facing.cos, speed * facing.sin]
        })
    }

    /// Speed of a vehicle or an obstacle.
    pub(super) fn speed(&self, who: u16) -> f64 {
        self.vehicle(who).map_or(0.0, |slot| self.bodies[slot].speed)
    }

    /// The rectangle of a vehicle.
    pub(super) fn block(&self, slot: usize) -> Block {
        let (body, facing) = (&self.bodies[slot], self.facings[slot]);
        Block {
            centre: [body.x, body.y],
            cos: facing.cos,
            sin: facing.sin,
            length: LENGTH,
            width: BREADTH,
            velocity: [body.speed * facing.cos, body.speed * facing.sin],
        }
    }

    /// The rectangle of an obstacle.
    pub(super) fn obstacle(&self, index: usize) -> Block {
        let obstacle = &self.network.obstacles[index];
        let (sin, cos) = libm::sincos(obstacle.heading);
        Block {
            centre: [obstacle.x, obstacle.y],
            cos,
            sin,
            length: BLOCK,
            width: BLOCK,
            velocity: [0.0; 2],
        }
    }

    /// The lane that a vehicle is on.
    pub(super) fn lane(&self, slot: usize) -> &'a Lane {
        let network: &'a Network = self.network;
        &network.lanes[usize::from(self.tracks[slot].lane)]
    }

    /// A vehicle's place on any lane.
    pub(super) fn local(&self, slot: usize, lane: u16) -> (f64, f64) {
        let track = &self.tracks[slot];
        if track.lane == lane {
            return (track.s, track.r);
        }
        let body = &self.bodies[slot];
        self.network.lanes[usize::from(lane)].local([body.x, body.y])
    }

    /// How far `who` is ahead of a vehicle, along that vehicle's lane.
    pub(super) fn gap(&self, slot: usize, who: u16) -> f64 {
        self.lane(slot).local(self.point(who)).0 - self.tracks[slot].s
    }

    /// What is left of a vehicle's route.
    pub(super) fn route(&self, slot: usize) -> &'a [Leg] {
        let routes: &'a Routes = self.routes;
        routes.left(self.ways[slot])
    }

    /// Whether a vehicle is on its lane, half the width to both sides.
    pub(super) fn on_road(&self, slot: usize) -> bool {
        self.lane(slot).holds((self.tracks[slot].s, self.tracks[slot].r), 0.0)
    }

    /// Leader and follower of a vehicle on a lane, which need not be its own.
    pub(super) fn neighbours(&self, slot: usize, lane: u16) -> (Option<Leader>, Option<u16>) {
        let (s, _) = self.local(slot, lane);
        let (mut leader, mut follower) = self.traffic.neighbours(lane, s, slot as u16);
        if self.connected {
            self.neighbours_beyond(slot, lane, s, &mut leader, &mut follower);
        }
        // On the own lane the difference is what `gap` would find by projecting the leader again.
        let known = !self.connected && lane == self.tracks[slot].lane;
        let leader =
            leader.map(|member| Leader { who: member.who, gap: known.then_some(member.s - s) });
        (leader, follower.map(|member| member.who))
    }

    /// Takes those on the next and previous edges into account; each counts on the first of these lanes that holds it.
    fn neighbours_beyond(
        &self,
        slot: usize,
        lane: u16,
        s: f64,
        leader: &mut Option<Member>,
        follower: &mut Option<Member>,
    ) {
        let network = self.network;
        let here = &network.lanes[usize::from(lane)];
        let same = |edge: u16| {
            let lanes = &network.edges[usize::from(edge)].lanes;
            if usize::from(here.id) < lanes.len() { lanes.start + here.id } else { lanes.start }
        };
        let searched = || {
            let ahead = network.after(here.edge).iter().map(|&edge| (same(edge), here.length));
            let behind = network.before(here.edge).map(|edge| {
                let lane = same(edge);
                (lane, -network.lanes[usize::from(lane)].length)
            });
            ahead.chain(behind)
        };
        for (index, (other, offset)) in searched().enumerate() {
            for member in self.traffic.on(other) {
                if usize::from(member.who) == slot {
                    continue;
                }
                let point = self.point(member.who);
                let holds = |lane: u16| {
                    let lane = &network.lanes[usize::from(lane)];
                    lane.holds(lane.local(point), 1.0)
                };
                if holds(lane) || searched().take(index).any(|(lane, _)| holds(lane)) {
                    continue;
                }
                let member = Member { s: member.s + offset, who: member.who };
                if s <= member.s {
                    let first = leader
                        .is_none_or(|leader| (member.s, leader.who) <= (leader.s, member.who));
                    if first {
                        *leader = Some(member);
                    }
                } else {
                    let first = follower.is_none_or(|follower| {
                        member.s > follower.s
                            || (member.s >= follower.s && member.who < follower.who)
                    });
                    if first {
                        *follower = Some(member);
                    }
                }
            }
        }
    }
}
