//! What each environment of highway-env 1.12.1 pays, and when it ends (fact sheet, 4.6), for each learner on its own.

use serde::{Deserialize, Serialize};

use super::cars::Cars;
use super::control::Meta;
use super::math::line;
use super::road::Network;
use super::vehicle::{Body, Goal};

/// Which environment's reward and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Rule {
    /// `collision * crash + right_lane * target lane / last lane + high_speed * clip(share of the forward speed)`,
    /// brought to [0, 1], times whether the vehicle is on the road.
    Highway,
    /// `high_speed * speed index / last index + left_lane * (last lane - target lane) / last lane`.
    TwoWay,
    /// A crash, the lane's number, the share of the speed (not clipped), lane changes and the summed lack of speed of all on
    /// the merging lane, each times its weight, brought to [0, 1]; a vehicle beyond 370 m along x has arrived.
    Merge,
    /// `collision * crash + high_speed * speed index / 2 + lane_change * changed`, brought to [0, 1], times on the road.
    Roundabout,
    /// `collision * crash + high_speed * clip(share of the speed)`, or `goal` from 25 m behind the crossing on,
    /// times on the road.
    Intersection,
    /// `goal * on the exit + high_speed * clip(share of the speed) + right_lane * target lane`, brought to [0, 1] and clipped.
    Exit,
    /// `collision * crash + left_lane * lane / last lane + high_speed * clip(share of the speed)`, brought to [0, 1],
    /// times on the road.
    UTurn,
    /// `goal / (1 + centering_cost r^2) + action * norm of the action + collision * crash`, brought to [0, 1],
    /// times on the road; leaving the road ends it.
    Racetrack,
}

/// A reward as a scenario file describes it; what is left out is what the reference has for the rule.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reward {
    /// Which environment's reward; the task's own.
    pub rule: Option<Rule>,
    /// Weight of a crash.
    pub collision: Option<f64>,
    /// Weight of driving on the right.
    pub right_lane: Option<f64>,
    /// Weight of driving on the left.
    pub left_lane: Option<f64>,
    /// Weight of speed.
    pub high_speed: Option<f64>,
    /// Weight of a lane change.
    pub lane_change: Option<f64>,
    /// Weight of the lack of speed on the merging lane.
    pub merging_speed: Option<f64>,
    /// Weight of the goal: arriving, the exit, or on a racetrack the middle of the lane.
    pub goal: Option<f64>,
    /// Weight of the action's norm.
    pub action: Option<f64>,
    /// How sharply the reward for centring falls with the offset, 1/m^2.
    pub centering_cost: Option<f64>,
    /// Speeds that count as 0 and 1, in m/s.
    pub speed_range: Option<(f64, f64)>,
    /// Whether it is brought to [0, 1].
    pub normalize: Option<bool>,
    /// Whether leaving the road ends the episode.
    pub offroad_terminal: Option<bool>,
}

/// A reward with nothing left open.
#[derive(Clone, Debug)]
pub(super) struct Pay {
    rule: Rule,
    collision: f64,
    right_lane: f64,
    left_lane: f64,
    high_speed: f64,
    lane_change: f64,
    merging_speed: f64,
    goal: f64,
    action: f64,
    centering_cost: f64,
    speed_range: (f64, f64),
    normalize: bool,
    pub(super) offroad_terminal: bool,
    /// The lane from which others merge.
    merging: Option<u16>,
    /// Lanes that count as the exit.
    exits: Vec<u16>,
}

impl Reward {
    /// Fills in what is left out from `other`.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            rule: self.rule.or(other.rule),
            collision: self.collision.or(other.collision),
            right_lane: self.right_lane.or(other.right_lane),
            left_lane: self.left_lane.or(other.left_lane),
            high_speed: self.high_speed.or(other.high_speed),
            lane_change: self.lane_change.or(other.lane_change),
            merging_speed: self.merging_speed.or(other.merging_speed),
            goal: self.goal.or(other.goal),
            action: self.action.or(other.action),
            centering_cost: self.centering_cost.or(other.centering_cost),
            speed_range: self.speed_range.or(other.speed_range),
            normalize: self.normalize.or(other.normalize),
            offroad_terminal: self.offroad_terminal.or(other.offroad_terminal),
        }
    }

    /// Checks and resolves.
    pub(super) fn resolve(&self, network: &Network, problems: &mut Vec<String>) -> Pay {
        let rule = self.rule.unwrap_or(Rule::Highway);
        // Collision, high speed, range of speeds, whether normalised.
        let (collision, high_speed, range, normalize) = match rule {
            Rule::Highway => (-1.0, 0.4, (20.0, 30.0), true),
            Rule::TwoWay => (0.0, 0.8, (20.0, 30.0), false),
            Rule::Merge => (-1.0, 0.2, (20.0, 30.0), true),
            Rule::Roundabout => (-1.0, 0.2, (0.0, 16.0), true),
            Rule::Intersection => (-5.0, 1.0, (7.0, 9.0), false),
            Rule::Exit => (0.0, 0.1, (20.0, 30.0), true),
            Rule::UTurn => (-1.0, 0.4, (8.0, 24.0), true),
            Rule::Racetrack => (-1.0, 0.0, (0.0, 10.0), true),
        };
        let range = self.speed_range.unwrap_or(range);
        let numbers = [
            self.collision,
            self.right_lane,
            self.left_lane,
            self.high_speed,
            self.lane_change,
            self.merging_speed,
            self.goal,
            self.action,
            self.centering_cost,
            Some(range.0),
            Some(range.1),
        ];
        if !numbers.into_iter().flatten().all(f64::is_finite) {
            problems.push("`reward`: every number must be finite".to_owned());
        }
        if range.0 >= range.1 {
            problems.push(format!("`reward.speed_range`: {range:?} does not grow"));
        }
        let exits = (0..network.lanes.len() as u16).filter(|&lane| {
            let (from, to, id) = network.index(lane);
            let last = usize::from(id) + 1 == network.beside(lane).len();
            (from, to) == ("2", "exit") || ((from, to) == ("1", "2") && last)
        });
        let pay = Pay {
            rule,
            collision: self.collision.unwrap_or(collision),
            right_lane: self.right_lane.unwrap_or(match rule {
                Rule::Highway | Rule::Merge => 0.1,
                _ => 0.0,
            }),
            left_lane: self.left_lane.unwrap_or(match rule {
                Rule::TwoWay => 0.2,
                Rule::UTurn => 0.1,
                _ => 0.0,
            }),
            high_speed: self.high_speed.unwrap_or(high_speed),
            lane_change: self.lane_change.unwrap_or(match rule {
                Rule::Merge | Rule::Roundabout => -0.05,
                _ => 0.0,
            }),
            merging_speed: self.merging_speed.unwrap_or(-0.5),
            goal: self.goal.unwrap_or(1.0),
            action: self.action.unwrap_or(-0.3),
            centering_cost: self.centering_cost.unwrap_or(4.0),
            speed_range: range,
            normalize: self.normalize.unwrap_or(normalize),
            offroad_terminal: self.offroad_terminal.unwrap_or(rule == Rule::Racetrack),
            merging: network.lane("b", "c", 2),
            exits: exits.collect(),
        };
        let (worst, best) = pay.bounds();
        if pay.normalize && worst >= best {
            problems.push(format!(
                "`reward`: it is brought from [{worst}, {best}] to [0, 1], which does not grow; use `normalize: false`"
            ));
        }
        pay
    }
}

/// What a learner did in the step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed {
    /// Its meta-action, if it has them.
    pub(super) meta: Option<Meta>,
    /// Euclidean norm of its continuous action.
    pub(super) norm: f64,
    /// Number of its target speeds.
    pub(super) speeds: usize,
}

fn share(part: f64, whole: usize) -> f64 {
    part / whole.saturating_sub(1).max(1) as f64
}

impl Pay {
    /// What normalisation takes to 0 and to 1.
    fn bounds(&self) -> (f64, f64) {
        match self.rule {
            Rule::Highway => (self.collision, self.high_speed + self.right_lane),
            Rule::UTurn => (self.collision, self.high_speed + self.left_lane),
            Rule::Merge => (self.collision + self.merging_speed, self.high_speed + self.right_lane),
            Rule::Roundabout => (self.collision, self.high_speed),
            Rule::Racetrack => (self.collision, 1.0),
            Rule::Intersection | Rule::Exit => (self.collision, self.goal),
            Rule::TwoWay => (0.0, 1.0),
        }
    }

    fn speed_share(&self, speed: f64) -> f64 {
        line(speed, self.speed_range, (0.0, 1.0))
    }

    /// Whether a vehicle has reached what it drives for.
    pub(super) fn arrived(&self, cars: &Cars<'_>, slot: usize) -> bool {
        match self.rule {
            Rule::Merge => cars.bodies[slot].x > 370.0,
            Rule::Intersection => cars.lane(slot).leaves && cars.tracks[slot].s >= 25.0,
            _ => false,
        }
    }

    /// The reward of one step for one vehicle.
    pub(super) fn pay(&self, cars: &Cars<'_>, slot: usize, deed: Deed) -> f64 {
        let Body { heading: _, speed, .. } = cars.bodies[slot];
        let (track, facing) = (cars.tracks[slot], cars.facings[slot]);
        let beside = cars.network.beside(track.lane).len();
        let controlled = cars.kinds[slot].controlled();
        let goal = if controlled {
            cars.goals[slot]
        } else {
            Goal { lane: track.lane, ..Goal::default() }
        };
        let number = |lane: u16| f64::from(cars.network.lanes[usize::from(lane)].id);
        let crash = f64::from(u8::from(cars.damages[slot].crashed));
        let on_road = f64::from(u8::from(cars.on_road(slot)));
        let changed = f64::from(u8::from(deed.meta.is_some_and(Meta::changes_lane)));
        // Continuous vehicles have no index; the reference takes the one of its default speeds.
        let index = if controlled {
            f64::from(goal.index)
        } else {
            ((speed - 20.0) / 5.0).round_ties_even().clamp(0.0, 2.0)
        };
        let collision = self.collision * crash;
        let (worst, best) = self.bounds();
        let unit = |raw: f64| {
            if self.normalize { line(raw, (worst, best), (0.0, 1.0)) } else { raw }
        };
        match self.rule {
            Rule::Highway => {
                let fast = self.speed_share(speed * facing.cos).clamp(0.0, 1.0);
                let right = share(number(goal.lane), beside);
                unit(collision + self.right_lane * right + self.high_speed * fast) * on_road
            }
            Rule::TwoWay => {
                let left = share(beside as f64 - 1.0 - number(goal.lane), beside);
                let raw =
                    collision + self.high_speed * share(index, deed.speeds) + self.left_lane * left;
                unit(raw)
            }
            Rule::Merge => {
                let lack: f64 = (0..cars.slots())
                    .filter(|&other| {
                        cars.kinds[other].controlled()
                            && Some(cars.tracks[other].lane) == self.merging
                    })
                    .map(|other| {
                        let target = cars.goals[other].speed;
                        // The reference divides by zero here.
                        if target == 0.0 {
                            0.0
                        } else {
                            (target - cars.bodies[other].speed) / target
                        }
                    })
                    .sum();
                unit(
                    collision
                        + self.right_lane * number(track.lane)
                        + self.high_speed * self.speed_share(speed)
                        + self.lane_change * changed
                        + self.merging_speed * lack,
                )
            }
            Rule::Roundabout => {
                let raw = collision + self.high_speed * index / 2.0 + self.lane_change * changed;
                unit(raw) * on_road
            }
            Rule::Intersection => {
                let fast = self.speed_share(speed).clamp(0.0, 1.0);
                let raw = if self.arrived(cars, slot) {
                    self.goal
                } else {
                    collision + self.high_speed * fast
                };
                unit(raw * on_road)
            }
            Rule::Exit => {
                let there = f64::from(u8::from(self.exits.contains(&goal.lane)));
                let fast = self.speed_share(speed).clamp(0.0, 1.0);
                let raw = collision
                    + self.goal * there
                    + self.high_speed * fast
                    + self.right_lane * number(goal.lane);
                if self.normalize { unit(raw).clamp(0.0, 1.0) } else { raw }
            }
            Rule::UTurn => {
                let fast = self.speed_share(speed).clamp(0.0, 1.0);
                let left = share(number(track.lane), beside);
                unit(collision + self.left_lane * left + self.high_speed * fast) * on_road
            }
            Rule::Racetrack => {
                let centred = self.goal / (1.0 + self.centering_cost * track.r * track.r);
                unit(centred + self.action * deed.norm + collision) * on_road
            }
        }
    }
}
