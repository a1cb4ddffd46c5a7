//! Right of way on regulated roads: who will meet, and who gives way (fact sheet, 4.6).

use super::cars::Cars;
use super::dynamics;
use super::math::{dot, norm};
use super::vehicle::{BREADTH, Kind, LENGTH};

/// Times at which positions are predicted: 0.25 s to 2.75 s.
pub(super) const SAMPLES: usize = 11;
const STEP: f64 = 0.25;

/// A predicted centre and direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pose {
    point: [f64; 2],
    heading: f64,
}

/// Where one vehicle will be.
pub(super) type Forecast = [Pose; SAMPLES];

/// Corners, middles of the sides and centre of a rectangle of unit half sides.
const MARKS: [(f64, f64); 9] = [
    (-1.0, -1.0),
    (-1.0, 1.0),
    (1.0, 1.0),
    (1.0, -1.0),
    (0.0, 0.0),
    (-1.0, 0.0),
    (1.0, 0.0),
    (0.0, -1.0),
    (0.0, 1.0),
];

/// Whether a mark of one rectangle lies in the other, as the reference tests it: it turns the mark by the other's
/// heading instead of back by it.
fn reaches(one: &Pose, two: &Pose) -> bool {
    let (l, w) = (1.5 * LENGTH / 2.0, 0.9 * BREADTH / 2.0);
    let (sin, cos) = libm::sincos(one.heading);
    let (turn_sin, turn_cos) = libm::sincos(two.heading);
    MARKS.iter().any(|&(x, y)| {
        let (x, y) = (x * l, y * w);
        let dx = cos * x - sin * y + one.point[0] - two.point[0];
        let dy = sin * x + cos * y + one.point[1] - two.point[1];
        (turn_cos * dx - turn_sin * dy).abs() <= l && (turn_sin * dx + turn_cos * dy).abs() <= w
    })
}

fn meet(one: &Forecast, two: &Forecast) -> bool {
    one.iter().zip(two).any(|(one, two)| {
        let (dx, dy) = (two.point[0] - one.point[0], two.point[1] - one.point[1]);
        norm([dx, dy]) <= LENGTH && (reaches(one, two) || reaches(two, one))
    })
}

impl Cars<'_> {
    /// Where a vehicle will be at constant speed: along its route, or straight on with its present steering.
    fn forecast(&self, slot: usize) -> Forecast {
        let mut poses = [Pose::default(); SAMPLES];
        if !self.kinds[slot].controlled() {
            self.coast(slot, &mut poses);
            return poses;
        }
        let track = self.tracks[slot];
        let route = self.route(slot);
        let here = self.lane(slot);
        for (index, pose) in poses.iter_mut().enumerate() {
            let mut s = track.s + self.bodies[slot].speed * (STEP * (index + 1) as f64);
            let mut legs = route.iter();
            // Where the route leaves the lane open, the present lane's number is assumed.
            let lane_of = |edge: u16, id: Option<u16>| {
                let lanes = &self.network.edges[usize::from(edge)].lanes;
                let id = usize::from(id.unwrap_or(here.id)).min(lanes.len() - 1);
                &self.network.lanes[usize::from(lanes.start) + id]
            };
            let mut lane = legs.next().map_or(here, |leg| lane_of(leg.edge, leg.id));
            while s > lane.length {
                let Some(leg) = legs.next() else { break };
                s -= lane.length;
                lane = lane_of(leg.edge, leg.id);
            }
            *pose = Pose { point: lane.position(s, 0.0), heading: lane.heading(s) };
        }
        poses
    }

    fn coast(&self, slot: usize, poses: &mut Forecast) {
        let (mut body, mut facing) = (self.bodies[slot], self.facings[slot]);
        let (mut damage, mut drift) = (self.damages[slot], self.drifts[slot]);
        let mut command = self.commands[slot];
        command.acceleration = 0.0;
        for pose in poses {
            if self.kinds[slot] == Kind::DynamicWheel {
                dynamics::dynamical(
                    &mut body,
                    &mut facing,
                    &mut drift,
                    &damage,
                    &mut command,
                    STEP,
                );
            } else {
                dynamics::kinematic(&mut body, &mut facing, &mut damage, &mut command, STEP);
            }
            *pose = Pose { point: [body.x, body.y], heading: body.heading };
        }
    }

    /// Who of two gives way: the lower priority, and among equal ones the one behind.
    fn gives_way(&self, one: usize, two: usize) -> usize {
        let (first, second) = (self.lane(one).priority, self.lane(two).priority);
        if first != second {
            return if first > second { two } else { one };
        }
        let (a, b) = (&self.bodies[one], &self.bodies[two]);
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let facing = |slot: usize| [self.facings[slot].cos, self.facings[slot].sin];
        let ahead_of_one = dot(facing(one), [dx, dy]);
        let ahead_of_two = dot(facing(two), [-dx, -dy]);
        if ahead_of_one > ahead_of_two { one } else { two }
    }

    /// Lets go whoever gave way, and stops whoever has to now. Learners never have to.
    pub(super) fn regulate(&mut self, forecasts: &mut Vec<Forecast>) {
        for slot in 0..self.slots() {
            if self.minds[slot].yields {
                self.minds[slot].yields = false;
                if let Some(limit) = self.lane(slot).limit {
                    self.goals[slot].speed = limit;
                }
            }
        }
        forecasts.clear();
        forecasts.extend((0..self.slots()).map(|slot| match self.kinds[slot] {
            Kind::Absent => [Pose::default(); SAMPLES],
            _ => self.forecast(slot),
        }));
        for one in 0..self.slots() {
            for two in one + 1..self.slots() {
                let both = self.kinds[one] != Kind::Absent && self.kinds[two] != Kind::Absent;
                if both && meet(&forecasts[one], &forecasts[two]) {
                    let slot = self.gives_way(one, two);
                    if self.kinds[slot].decides() {
                        self.goals[slot].speed = 0.0;
                        self.minds[slot].yields = true;
                    }
                }
            }
        }
    }
}
