//! The low-level controllers of lane-keeping vehicles, and meta-actions (fact sheet, 4.3).

use std::f64::consts::{FRAC_PI_3, FRAC_PI_4};

use super::cars::Cars;
use super::math::{not_zero, wrap};
use super::vehicle::{Command, LENGTH};

/// Gain of the speed controller, 1/s.
const KP_SPEED: f64 = 1.0 / 0.6;
/// Gain of the heading controller, 1/s.
const KP_HEADING: f64 = 1.0 / 0.2;
/// Gain of the lateral position controller, 1/s.
const KP_LATERAL: f64 = 1.0 / 0.6;
/// How far ahead the lane's heading is read, in seconds.
const PURSUIT: f64 = 0.1;
/// Largest steering angle.
const MAX_STEERING: f64 = FRAC_PI_3;

/// What a learner may ask of a [`Kind::Meta`](super::vehicle::Kind::Meta) vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meta {
    /// Aim at the next lane to the left.
    Left,
    /// Keep lane and speed.
    Idle,
    /// Aim at the next lane to the right.
    Right,
    /// One target speed up from the present speed.
    Faster,
    /// One target speed down from the present speed.
    Slower,
}

impl Meta {
    /// All, in the reference's order.
    pub(super) const ALL: [Self; 5] =
        [Self::Left, Self::Idle, Self::Right, Self::Faster, Self::Slower];
    /// Those along the lane, in the reference's order.
    pub(super) const ALONG: [Self; 3] = [Self::Slower, Self::Idle, Self::Faster];
    /// Those across the lane, in the reference's order.
    pub(super) const ACROSS: [Self; 3] = [Self::Left, Self::Idle, Self::Right];

    /// The reference's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Left => "LANE_LEFT",
            Self::Idle => "IDLE",
            Self::Right => "LANE_RIGHT",
            Self::Faster => "FASTER",
            Self::Slower => "SLOWER",
        }
    }

    /// Whether it changes the lane.
    pub(super) fn changes_lane(self) -> bool {
        matches!(self, Self::Left | Self::Right)
    }
}

/// Position of the target speed nearest to a speed; the list is evenly spaced.
pub(super) fn speed_index(speeds: &[f64], speed: f64) -> usize {
    let (Some(&first), Some(&last)) = (speeds.first(), speeds.last()) else { return 0 };
    let top = (speeds.len() - 1) as f64;
    let share = (speed - first) / (last - first) * top;
    share.round_ties_even().clamp(0.0, top) as usize
}

impl Cars<'_> {
    /// Aims at the next lane when the target lane ends.
    pub(super) fn follow_road(&mut self, slot: usize) {
        let lane = self.goals[slot].lane;
        let (s, _) = self.local(slot, lane);
        if !self.network.lanes[usize::from(lane)].ends_at(s) {
            return;
        }
        let body = &self.bodies[slot];
        let (next, used) = self.network.next(lane, self.route(slot), [body.x, body.y]);
        self.ways[slot].next += used;
        self.aim(slot, next);
    }

    /// Sets the target lane.
    pub(super) fn aim(&mut self, slot: usize, lane: u16) {
        self.goals[slot].lane = lane;
        self.traffic.changing.push(slot as u16);
    }

    /// The lane beside the target lane, and whether it can be reached; at the edge of the road the lane itself.
    pub(super) fn beside(&self, slot: usize, right: bool) -> (u16, bool) {
        let lane = self.goals[slot].lane;
        let all = self.network.beside(lane);
        let beside =
            if right { (lane + 1).min(all.end - 1) } else { lane.saturating_sub(1).max(all.start) };
        let reachable = self.network.lanes[usize::from(beside)].reachable(self.local(slot, beside));
        (beside, reachable)
    }

    /// A learner's meta-action.
    pub(super) fn meta(&mut self, slot: usize, action: Meta, speeds: &[f64]) {
        self.follow_road(slot);
        match action {
            Meta::Idle => {}
            Meta::Left | Meta::Right => {
                let (beside, reachable) = self.beside(slot, action == Meta::Right);
                if reachable {
                    self.aim(slot, beside);
                }
            }
            Meta::Faster | Meta::Slower => {
                // From the actual speed, not from the last index.
                let now = speed_index(speeds, self.bodies[slot].speed);
                let index = if action == Meta::Faster {
                    (now + 1).min(speeds.len() - 1)
                } else {
                    now.saturating_sub(1)
                };
                let goal = &mut self.goals[slot];
                goal.index = index as u8;
                goal.speed = speeds[index];
            }
        }
    }

    /// Towards the target speed.
    pub(super) fn cruise(&self, slot: usize) -> f64 {
        KP_SPEED * (self.goals[slot].speed - self.bodies[slot].speed)
    }

    /// Towards the target lane: the steering angle.
    pub(super) fn keep_lane(&self, slot: usize) -> f64 {
        let lane = self.goals[slot].lane;
        let (s, r) = self.local(slot, lane);
        let body = &self.bodies[slot];
        let speed = not_zero(body.speed);
        let ahead = self.network.lanes[usize::from(lane)].heading(s + body.speed * PURSUIT);
        let across = (-KP_LATERAL * r / speed).clamp(-1.0, 1.0);
        let towards = if across == 0.0 { 0.0 } else { libm::asin(across) };
        let heading = ahead + towards.clamp(-FRAC_PI_4, FRAC_PI_4);
        let rate = KP_HEADING * wrap(heading - body.heading);
        if rate == 0.0 {
            return 0.0;
        }
        let slip = libm::asin((LENGTH / 2.0 / speed * rate).clamp(-1.0, 1.0));
        libm::atan(2.0 * libm::tan(slip)).clamp(-MAX_STEERING, MAX_STEERING)
    }

    /// Towards the target lane by the linear law.
    pub(super) fn keep_lane_linearly(&self, slot: usize, acceleration: f64) -> Command {
        let lane = self.goals[slot].lane;
        let (s, r) = self.local(slot, lane);
        let body = &self.bodies[slot];
        let speed = not_zero(body.speed);
        let ahead = self.network.lanes[usize::from(lane)].heading(s + body.speed * PURSUIT);
        let steering = KP_HEADING * (wrap(ahead - body.heading) * LENGTH / speed)
            + KP_HEADING * KP_LATERAL * (-r * LENGTH / (speed * speed));
        Command { acceleration, steering: steering.clamp(-MAX_STEERING, MAX_STEERING) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_speeds_are_found_as_numpy_rounds() {
        let speeds = [20.0, 25.0, 30.0];
        for (speed, index) in
            [(-5.0, 0), (22.4, 0), (22.5, 0), (22.6, 1), (27.5, 2), (27.4, 1), (90.0, 2)]
        {
            assert_eq!(speed_index(&speeds, speed), index, "{speed}");
        }
    }
}
