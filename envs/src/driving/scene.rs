//! Scenes in which every vehicle is given.

use serde::{Deserialize, Serialize};

use super::Controls;
use super::control::speed_index;
use super::road::Network;
use super::routes::{Leg, Route, Routes};
use super::vehicle::{Body, Goal, Kind, Mind};

/// (from, to, id) of a lane.
pub type LaneIndex = (String, String, u16);

/// Who drives a vehicle that no learner drives; the reference's class names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Driver {
    /// Cruise and lane keeping towards its target lane and speed.
    MDPVehicle,
    /// IDM and MOBIL.
    #[default]
    IDMVehicle,
    /// Constant command: it goes straight on.
    Vehicle,
    /// The linear law.
    LinearVehicle,
    /// The linear law of an aggressive driver.
    AggressiveVehicle,
    /// The linear law of a defensive driver.
    DefensiveVehicle,
    /// Constant command, with tyre friction.
    BicycleVehicle,
}

impl Driver {
    fn kind(self) -> Kind {
        match self {
            Self::MDPVehicle => Kind::Meta,
            Self::IDMVehicle => Kind::Idm,
            Self::Vehicle => Kind::Constant,
            Self::LinearVehicle => Kind::Linear,
            Self::AggressiveVehicle => Kind::Aggressive,
            Self::DefensiveVehicle => Kind::Defensive,
            Self::BicycleVehicle => Kind::DynamicWheel,
        }
    }
}

/// One vehicle of a fixed scene. Field names are those of the recordings in `tests/golden/driving`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Car {
    /// Who drives; a learner if `role` is given.
    #[serde(default)]
    pub kind: Driver,
    /// Centre, in metres.
    pub x: f64,
    /// Centre, in metres.
    pub y: f64,
    /// Radians.
    #[serde(default)]
    pub heading: f64,
    /// m/s.
    #[serde(default)]
    pub speed: f64,
    /// Whether it has crashed already.
    #[serde(default)]
    pub crashed: bool,
    /// Its number in a recording; not used, vehicles are numbered by their order.
    #[serde(default)]
    pub id: Option<u32>,
    /// The lane it is on in a recording; not used, for that follows from the position and the heading.
    #[serde(default)]
    pub lane: Option<LaneIndex>,
    /// The learner that drives it, such as `ego`; learners are numbered in the order of their vehicles.
    #[serde(default)]
    pub role: Option<String>,
    /// The lane it aims at; the one it is on.
    #[serde(default)]
    pub target_lane: Option<LaneIndex>,
    /// The speed it aims at, in m/s; the one it has.
    #[serde(default)]
    pub target_speed: Option<f64>,
    /// For learners with meta-actions: the position of the target speed in the list; the nearest.
    #[serde(default)]
    pub speed_index: Option<usize>,
    /// For learners with meta-actions: the list of target speeds of a recording, which must be that of `actions`.
    #[serde(default)]
    pub target_speeds: Vec<f64>,
    /// Seconds since its last decision on a lane change; `(x + y) pi mod 1`.
    #[serde(default)]
    pub timer: Option<f64>,
    /// Exponent of IDM's speed term; 4.
    #[serde(default)]
    pub idm_delta_exponent: Option<f64>,
    /// Whether it changes lanes on its own; true.
    #[serde(default = "yes")]
    pub lane_change_enabled: bool,
    /// Whether it looks for collisions; two vehicles that do not look pass through each other; true.
    #[serde(default = "yes")]
    pub check_collisions: bool,
    /// What is left of its route: (from, to, lane or nothing).
    #[serde(default)]
    pub route: Vec<(String, String, Option<u16>)>,
}

fn yes() -> bool {
    true
}

/// A row as an episode begins.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) body: Body,
    pub(super) goal: Goal,
    pub(super) mind: Mind,
    pub(super) crashed: bool,
    pub(super) way: Route,
}

/// The reference's first timer of a vehicle at that place.
pub(super) fn first_timer(x: f64, y: f64) -> f64 {
    ((x + y) * std::f64::consts::PI).rem_euclid(1.0)
}

impl Row {
    /// A vehicle as the reference's constructors make it: it aims at its own lane and the given speed, or its own.
    pub(super) fn new(
        network: &Network,
        kind: Kind,
        body: Body,
        target: Option<f64>,
        speeds: &[f64],
    ) -> Self {
        let lane = network.closest([body.x, body.y], body.heading);
        let speed = target.filter(|&speed| speed != 0.0).unwrap_or(body.speed);
        let mut goal = Goal { lane, index: 0, speed };
        if kind == Kind::Meta && !speeds.is_empty() {
            let index = speed_index(speeds, speed);
            goal = Goal { index: index as u8, speed: speeds[index], ..goal };
        }
        let mind = Mind { timer: first_timer(body.x, body.y), ..Mind::default() };
        Self { kind, body, goal, mind, crashed: false, way: Route::default() }
    }
}

/// The vehicles of a fixed scene, checked, and the rows that learners drive with their roles.
pub(super) struct Resolved {
    pub(super) rows: Vec<Row>,
    pub(super) seats: Vec<(u16, String)>,
}

/// Checks and resolves the vehicles of a fixed scene.
pub(super) fn resolve(
    cars: &[Car],
    network: &Network,
    routes: &mut Routes,
    controls: &Controls,
    problems: &mut Vec<String>,
) -> Resolved {
    let (mut rows, mut seats) = (Vec::new(), Vec::new());
    let speeds = controls.speeds();
    for (index, car) in cars.iter().enumerate() {
        let mut refuse = |why: String| problems.push(format!("`scene.vehicles[{index}]`: {why}"));
        let body = Body { x: car.x, y: car.y, heading: car.heading, speed: car.speed };
        let numbers = [car.target_speed, car.timer, car.idm_delta_exponent];
        if !body.is_finite() || !numbers.into_iter().flatten().all(f64::is_finite) {
            refuse("every number must be finite".to_owned());
            continue;
        }
        let kind = match &car.role {
            Some(role) => {
                seats.push((index as u16, role.clone()));
                controls.kind()
            }
            None => car.kind.kind(),
        };
        if car.role.is_some() && !car.target_speeds.is_empty() && car.target_speeds != speeds {
            refuse(format!(
                "`target_speeds` are {:?}, the learners' `actions` say {speeds:?}",
                car.target_speeds
            ));
        }
        // A stated target of 0 is meant, unlike in the constructors, where it stands for none.
        let mut row = Row::new(network, kind, body, car.target_speed, speeds);
        if let (Some(target), false) = (car.target_speed, kind == Kind::Meta && car.role.is_some())
        {
            row.goal.speed = target;
        }
        if let Some(position) = car.speed_index.filter(|_| kind == Kind::Meta) {
            match speeds.get(position) {
                Some(&speed) => {
                    row.goal.index = position as u8;
                    row.goal.speed = speed;
                }
                None => refuse(format!(
                    "`speed_index` is {position}, there are {} target speeds",
                    speeds.len()
                )),
            }
        }
        if let Some((from, to, id)) = &car.target_lane {
            match network.lane(from, to, usize::from(*id)) {
                Some(lane) => row.goal.lane = lane,
                None => {
                    refuse(format!(
                        "`target_lane`: the road has no lane (\"{from}\", \"{to}\", {id})"
                    ));
                }
            }
        }
        row.crashed = car.crashed;
        row.mind.timer = car.timer.unwrap_or(row.mind.timer);
        row.mind.exponent = car.idm_delta_exponent.unwrap_or(row.mind.exponent);
        row.mind.changes_lanes = car.lane_change_enabled;
        row.mind.looks = car.check_collisions;
        // On regulated roads only vehicles that give way aim at 0.
        row.mind.yields = kind.decides() && car.target_speed == Some(0.0);
        let mut legs = Vec::new();
        for (from, to, id) in &car.route {
            let lanes = network
                .edge(from, to)
                .map(|edge| (edge, network.edges[usize::from(edge)].lanes.len()));
            match lanes {
                Some((edge, count)) if id.is_none_or(|id| usize::from(id) < count) => {
                    legs.push(Leg { edge, id: *id });
                }
                Some((_, count)) => refuse(format!(
                    "`route`: (\"{from}\", \"{to}\") has {count} lanes, there is no lane {}",
                    id.unwrap_or(0)
                )),
                None => refuse(format!("`route`: the road does not lead from `{from}` to `{to}`")),
            }
        }
        row.way = routes.add(&legs);
        rows.push(row);
    }
    Resolved { rows, seats }
}
