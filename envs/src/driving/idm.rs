//! How other drivers drive: IDM along the lane, MOBIL across lanes, and the linear law (fact sheet, 4.4).

use serde::{Deserialize, Serialize};

use super::cars::{Cars, Leader};
use super::math::{dot, not_zero, power};
use super::vehicle::{Command, Kind};

/// Parameters of the intelligent driver model and of MOBIL, in metres and seconds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Idm {
    /// Largest acceleration and braking that is carried out; 6.
    pub acc_max: f64,
    /// Wanted acceleration; 3.
    pub comfort_acc_max: f64,
    /// Wanted braking, negative; -5.
    pub comfort_acc_min: f64,
    /// Wanted distance of centres when standing; 10.
    pub distance_wanted: f64,
    /// Wanted time gap; 1.5.
    pub time_wanted: f64,
    /// Weight of the followers' gains in a lane change; 0.
    pub politeness: f64,
    /// Least gain for which the lane is changed; 0.2.
    pub lane_change_min_acc_gain: f64,
    /// Largest braking that a lane change may impose; 2.
    pub lane_change_max_braking_imposed: f64,
    /// Seconds between two decisions on a lane change; 1.
    pub lane_change_delay: f64,
}

impl Default for Idm {
    fn default() -> Self {
        Self {
            acc_max: 6.0,
            comfort_acc_max: 3.0,
            comfort_acc_min: -5.0,
            distance_wanted: 10.0,
            time_wanted: 1.5,
            politeness: 0.0,
            lane_change_min_acc_gain: 0.2,
            lane_change_max_braking_imposed: 2.0,
            lane_change_delay: 1.0,
        }
    }
}

impl Idm {
    /// What the reference's intersection sets for the whole process; here it is the intersection's own.
    pub(super) fn intersection() -> Self {
        Self {
            distance_wanted: 7.0,
            comfort_acc_max: 6.0,
            comfort_acc_min: -3.0,
            ..Self::default()
        }
    }

    /// The same, as a linear driver sees them.
    fn of(&self, kind: Kind) -> Self {
        match kind {
            Kind::Linear => Self { time_wanted: 2.5, ..*self },
            Kind::Aggressive | Kind::Defensive => {
                Self { time_wanted: 2.5, lane_change_min_acc_gain: 1.0, ..*self }
            }
            _ => *self,
        }
    }
}

/// Weights of the linear law: speed error, approach of the leader, missing distance.
fn weights(kind: Kind) -> Option<[f64; 3]> {
    let merging = |gain: f64, distance: f64| {
        Some([gain / ((1.0 - 0.75) * 30.0), gain / (0.75 * 30.0), distance])
    };
    match kind {
        Kind::Linear => Some([0.3, 0.3, 2.0]),
        Kind::Aggressive => merging(0.8, 0.5),
        Kind::Defensive => merging(1.2, 2.0),
        _ => None,
    }
}

/// A driver who judges: its law and its parameters.
#[derive(Clone, Copy)]
struct Judge {
    idm: Idm,
    weights: Option<[f64; 3]>,
    exponent: f64,
}

impl Cars<'_> {
    /// The gap that a driver wants behind `who`.
    fn wanted_gap(&self, idm: &Idm, slot: usize, who: u16) -> f64 {
        let (own, other) = (self.velocity(slot as u16), self.velocity(who));
        let facing = self.facings[slot];
        let approach = dot([own[0] - other[0], own[1] - other[1]], [facing.cos, facing.sin]);
        let speed = self.bodies[slot].speed;
        let comfort = -idm.comfort_acc_max * idm.comfort_acc_min;
        idm.distance_wanted + speed * idm.time_wanted + speed * approach / (2.0 * comfort.sqrt())
    }

    /// What `judge` thinks that `who` would accelerate by, behind `leader`; 0 for nobody.
    fn acceleration(&self, judge: &Judge, who: Option<u16>, leader: Option<Leader>) -> f64 {
        let Some(slot) = who.map(usize::from) else { return 0.0 };
        if slot >= self.slots() {
            // An obstacle has no driver.
            return 0.0;
        }
        if let Some(weights) = judge.weights {
            return self.linear(&judge.idm, weights, slot, leader);
        }
        let controlled = self.kinds[slot].controlled();
        // Vehicles without a target speed are judged as if they wanted to stand.
        let mut target = if controlled { self.goals[slot].speed } else { 0.0 };
        if let Some(limit) = self.lane(slot).limit {
            target = target.clamp(0.0, limit);
        }
        let idm = &judge.idm;
        let speed = self.bodies[slot].speed;
        let share = speed.max(0.0) / not_zero(target).abs();
        let mut wanted = idm.comfort_acc_max * (1.0 - power(share, judge.exponent));
        if let Some(leader) = leader {
            let gap = leader.gap.unwrap_or_else(|| self.gap(slot, leader.who));
            let ratio = self.wanted_gap(idm, slot, leader.who) / not_zero(gap);
            wanted -= idm.comfort_acc_max * (ratio * ratio);
        }
        wanted
    }

    fn linear(&self, idm: &Idm, weights: [f64; 3], slot: usize, leader: Option<Leader>) -> f64 {
        let speed = self.bodies[slot].speed;
        let target = if self.kinds[slot].controlled() { self.goals[slot].speed } else { speed };
        let mut wanted = weights[0] * (target - speed);
        if let Some(leader) = leader {
            let safe = idm.distance_wanted + speed.max(0.0) * idm.time_wanted;
            wanted += weights[1] * (self.speed(leader.who) - speed).min(0.0);
            let gap = leader.gap.unwrap_or_else(|| self.gap(slot, leader.who));
            wanted += weights[2] * (gap - safe).min(0.0);
        }
        wanted
    }

    fn judge(&self, idm: &Idm, slot: usize) -> Judge {
        let kind = self.kinds[slot];
        Judge { idm: idm.of(kind), weights: weights(kind), exponent: self.minds[slot].exponent }
    }

    /// The command of a driver who decides on its own.
    fn drive(&mut self, idm: &Idm, slot: usize) {
        if self.damages[slot].crashed {
            return;
        }
        let judge = self.judge(idm, slot);
        let me = Some(slot as u16);
        self.follow_road(slot);
        if self.minds[slot].changes_lanes {
            self.consider_lane_change(&judge, slot);
        }
        let (lane, goal) = (self.tracks[slot].lane, self.goals[slot].lane);
        let mut acceleration = self.acceleration(&judge, me, self.neighbours(slot, lane).0);
        if goal != lane {
            let other = self.acceleration(&judge, me, self.neighbours(slot, goal).0);
            acceleration = acceleration.min(other);
        }
        let acceleration = acceleration.clamp(-judge.idm.acc_max, judge.idm.acc_max);
        if judge.weights.is_some() {
            self.commands[slot] = self.keep_lane_linearly(slot, acceleration);
        } else {
            self.commands[slot] = Command { acceleration, steering: self.keep_lane(slot) };
        }
    }

    /// Aborts a lane change, or begins one.
    fn consider_lane_change(&mut self, judge: &Judge, slot: usize) {
        let (lane, goal) = (self.tracks[slot].lane, self.goals[slot].lane);
        if lane != goal {
            if self.network.beside(lane).contains(&goal) && self.contested(judge, slot) {
                self.aim(slot, lane);
            }
            return;
        }
        if judge.idm.lane_change_delay >= self.minds[slot].timer {
            return;
        }
        self.minds[slot].timer = 0.0;
        let all = self.network.beside(lane);
        let left = (lane > all.start).then(|| lane - 1);
        let right = (lane + 1 < all.end).then_some(lane + 1);
        for beside in left.into_iter().chain(right) {
            let reachable =
                self.network.lanes[usize::from(beside)].reachable(self.local(slot, beside));
            if reachable && self.bodies[slot].speed.abs() >= 1.0 && self.mobil(judge, slot, beside)
            {
                self.aim(slot, beside);
            }
        }
    }

    /// Whether somebody ahead, nearer than the wanted gap, is changing into the same lane.
    fn contested(&self, judge: &Judge, slot: usize) -> bool {
        let goal = self.goals[slot].lane;
        self.traffic.changing.iter().any(|&who| {
            let other = usize::from(who);
            if other == slot
                || self.tracks[other].lane == goal
                || self.goals[other].lane != goal
                || !self.kinds[other].controlled()
            {
                return false;
            }
            let gap = self.gap(slot, who);
            0.0 < gap && gap < self.wanted_gap(&judge.idm, slot, who)
        })
    }

    /// Minimizing overall braking induced by lane changes: whether to change into a lane.
    fn mobil(&self, judge: &Judge, slot: usize, beside: u16) -> bool {
        let idm = &judge.idm;
        let me = Some(slot as u16);
        let (new_leader, new_follower) = self.neighbours(slot, beside);
        let behind_me = Some(Leader::anywhere(slot as u16));
        let new_follower_behind_me = self.acceleration(judge, new_follower, behind_me);
        if new_follower_behind_me < -idm.lane_change_max_braking_imposed {
            return false;
        }
        let (old_leader, old_follower) = self.neighbours(slot, self.tracks[slot].lane);
        let then = self.acceleration(judge, me, new_leader);
        if let Some(id) = self.route(slot).first().and_then(|leg| leg.id) {
            let number = |lane: u16| i32::from(self.network.lanes[usize::from(lane)].id);
            let aim = number(self.goals[slot].lane);
            let wrong_way = (number(beside) - aim).signum() != (i32::from(id) - aim).signum();
            return !wrong_way && then >= -idm.lane_change_max_braking_imposed;
        }
        let now = self.acceleration(judge, me, old_leader);
        let mut gain = then - now;
        if idm.politeness != 0.0 {
            let from_there =
                |leader: Option<Leader>| leader.map(|leader| Leader::anywhere(leader.who));
            let new_follower_now = self.acceleration(judge, new_follower, from_there(new_leader));
            let old_follower_now = self.acceleration(judge, old_follower, behind_me);
            let old_follower_then = self.acceleration(judge, old_follower, from_there(old_leader));
            gain += idm.politeness
                * (new_follower_behind_me - new_follower_now + old_follower_then
                    - old_follower_now);
        }
        gain >= idm.lane_change_min_acc_gain
    }

    /// Every vehicle's command, in list order: later ones see the decisions of earlier ones, but nobody has moved yet.
    pub(super) fn decide(&mut self, idm: &Idm) {
        self.traffic.changing.clear();
        for slot in 0..self.slots() {
            if self.kinds[slot].controlled() && self.tracks[slot].lane != self.goals[slot].lane {
                self.traffic.changing.push(slot as u16);
            }
        }
        for slot in 0..self.slots() {
            match self.kinds[slot] {
                Kind::Meta => {
                    self.follow_road(slot);
                    let acceleration = self.cruise(slot);
                    self.commands[slot] = Command { acceleration, steering: self.keep_lane(slot) };
                }
                kind if kind.decides() => self.drive(idm, slot),
                _ => {}
            }
        }
    }
}
