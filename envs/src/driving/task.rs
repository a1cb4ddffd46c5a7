//! The registered tasks of highway-env 1.12.1 and what each sets.

use std::f64::consts::{FRAC_PI_3, FRAC_PI_4};
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Driving;
use super::control::Meta;
use super::idm::Idm;
use super::observe::{Feature, Grid, Kinematics, Look, Ttc};
use super::reward::{Reward, Rule};
use super::roads::Road;
use super::spawn::Population;
use super::vehicle::Kind;

/// Meta-actions: lanes and target speeds.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetaActions {
    /// Whether there are `FASTER` and `SLOWER`; true.
    pub longitudinal: bool,
    /// Whether there are `LANE_LEFT` and `LANE_RIGHT`; true.
    pub lateral: bool,
    /// m/s, evenly spaced; 20, 25, 30.
    pub target_speeds: Vec<f64>,
}

impl Default for MetaActions {
    fn default() -> Self {
        Self { longitudinal: true, lateral: true, target_speeds: vec![20.0, 25.0, 30.0] }
    }
}

/// Throttle and steering in [-1, 1], in this order.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WheelActions {
    /// Whether there is a throttle; true.
    pub longitudinal: bool,
    /// Whether there is a wheel; true.
    pub lateral: bool,
    /// m/s^2 at -1 and at 1; 5.
    pub acceleration_range: (f64, f64),
    /// Radians at -1 and at 1; pi/4.
    pub steering_range: (f64, f64),
    /// Whether tyres slip.
    pub dynamical: bool,
}

impl Default for WheelActions {
    fn default() -> Self {
        Self {
            longitudinal: true,
            lateral: true,
            acceleration_range: (-5.0, 5.0),
            steering_range: (-FRAC_PI_4, FRAC_PI_4),
            dynamical: false,
        }
    }
}

/// How learners drive, as a scenario file describes it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum Action {
    /// Discrete lane and speed changes.
    Meta(MetaActions),
    /// Continuous throttle and steering.
    Continuous(WheelActions),
}

impl Default for Action {
    fn default() -> Self {
        Self::Meta(MetaActions::default())
    }
}

/// How learners drive, checked.
#[derive(Clone, Debug)]
pub(super) enum Controls {
    Meta { actions: &'static [Meta], speeds: Vec<f64> },
    Wheel(WheelActions),
}

impl Action {
    /// Checks.
    pub(super) fn resolve(&self, problems: &mut Vec<String>) -> Controls {
        match self {
            Self::Meta(meta) => {
                let actions: &[Meta] = match (meta.longitudinal, meta.lateral) {
                    (true, true) => &Meta::ALL,
                    (true, false) => &Meta::ALONG,
                    (false, true) => &Meta::ACROSS,
                    (false, false) => {
                        problems
                            .push("`actions`: `longitudinal` or `lateral` must be true".to_owned());
                        &Meta::ALL
                    }
                };
                let speeds = &meta.target_speeds;
                let grows = speeds.windows(2).all(|pair| pair[0] < pair[1]);
                if speeds.len() < 2
                    || speeds.len() > 255
                    || !grows
                    || !speeds.iter().all(|s| s.is_finite())
                {
                    problems.push(
                        "`actions.target_speeds` must be 2 to 255 growing numbers".to_owned(),
                    );
                }
                Controls::Meta { actions, speeds: speeds.clone() }
            }
            Self::Continuous(wheel) => {
                if !(wheel.longitudinal || wheel.lateral) {
                    problems.push("`actions`: `longitudinal` or `lateral` must be true".to_owned());
                }
                let ends = [wheel.acceleration_range, wheel.steering_range];
                if !ends.iter().all(|(low, high)| low.is_finite() && high.is_finite()) {
                    problems.push("`actions`: ranges must be finite".to_owned());
                }
                Controls::Wheel(wheel.clone())
            }
        }
    }
}

impl Controls {
    /// Target speeds; none for continuous control.
    pub(super) fn speeds(&self) -> &[f64] {
        match self {
            Self::Meta { speeds, .. } => speeds,
            Self::Wheel(_) => &[],
        }
    }

    /// The kind of vehicle that learners drive.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Meta { .. } => Kind::Meta,
            Self::Wheel(wheel) if wheel.dynamical => Kind::DynamicWheel,
            Self::Wheel(_) => Kind::Wheel,
        }
    }

    /// Numbers of one continuous action.
    pub(super) fn dimension(&self) -> usize {
        match self {
            Self::Meta { .. } => 0,
            Self::Wheel(wheel) => usize::from(wheel.longitudinal) + usize::from(wheel.lateral),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Highway,
    HighwayFast,
    TwoWay,
    Merge,
    Roundabout,
    Intersection,
    IntersectionContinuous,
    IntersectionMultiAgent,
    Exit,
    UTurn,
    Racetrack,
}

/// A registered task of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    name: &'static str,
    base: Base,
    connected: bool,
}

const fn task(name: &'static str, base: Base, connected: bool) -> Task {
    Task { name, base, connected }
}

impl Task {
    /// Every task that can be named.
    pub const ALL: [Self; 19] = [
        task("highway-v0", Base::Highway, false),
        task("highway-fast-v0", Base::HighwayFast, false),
        task("two-way-v0", Base::TwoWay, false),
        task("merge-v0", Base::Merge, false),
        task("merge-v1", Base::Merge, true),
        task("roundabout-v0", Base::Roundabout, false),
        task("roundabout-v1", Base::Roundabout, true),
        task("intersection-v0", Base::Intersection, false),
        task("intersection-v1", Base::IntersectionContinuous, false),
        task("intersection-v2", Base::Intersection, true),
        task("intersection-multi-agent-v0", Base::IntersectionMultiAgent, false),
        task("intersection-multi-agent-v1", Base::IntersectionMultiAgent, false),
        task("intersection-multi-agent-v2", Base::IntersectionMultiAgent, true),
        task("exit-v0", Base::Exit, false),
        task("exit-v1", Base::Exit, true),
        task("u-turn-v0", Base::UTurn, false),
        task("u-turn-v1", Base::UTurn, true),
        task("racetrack-v0", Base::Racetrack, false),
        task("racetrack-v1", Base::Racetrack, true),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// A configuration in which everything is what this task sets.
    pub(super) fn config(self) -> Driving {
        let highway = Road::Highway { lanes: 4, length: 10_000.0, speed_limit: 30.0 };
        let mut config = Driving {
            task: Some(self.name.to_owned()),
            road: Some(highway),
            actions: Some(Action::default()),
            observation: Some(Look::default()),
            idm: Some(Idm::default()),
            connected_neighbours: Some(self.connected),
            simulation_frequency: Some(15),
            policy_frequency: Some(1),
            duration: Some(f64::INFINITY),
            learners: Some(1),
            ..Driving::default()
        };
        let rule = |rule| Reward { rule: Some(rule), ..Reward::default() };
        let speeds = |speeds: [f64; 3]| {
            Some(Action::Meta(MetaActions {
                target_speeds: speeds.to_vec(),
                ..MetaActions::default()
            }))
        };
        let square = |speed: f64| {
            [
                (Feature::X, (-100.0, 100.0)),
                (Feature::Y, (-100.0, 100.0)),
                (Feature::Vx, (-speed, speed)),
                (Feature::Vy, (-speed, speed)),
            ]
            .into()
        };
        let with_heading = || {
            let mut features = Kinematics::default().features;
            features.extend([Feature::CosH, Feature::SinH]);
            features
        };
        match self.base {
            Base::Highway | Base::HighwayFast => {
                let fast = self.base == Base::HighwayFast;
                config.reward = rule(Rule::Highway);
                config.duration = Some(40.0);
                config.population = Population {
                    vehicles: Some(50),
                    density: Some(1.0),
                    ego_spacing: Some(2.0),
                    ..Population::default()
                };
                if fast {
                    config.road =
                        Some(Road::Highway { lanes: 3, length: 10_000.0, speed_limit: 30.0 });
                    config.simulation_frequency = Some(5);
                    config.duration = Some(30.0);
                    config.population.vehicles = Some(20);
                    config.population.ego_spacing = Some(1.5);
                    config.population.check_collisions = Some(false);
                }
            }
            Base::TwoWay => {
                config.road = Some(Road::TwoWay { length: 800.0 });
                config.reward = rule(Rule::TwoWay);
                config.observation = Some(Look::TimeToCollision(Ttc { horizon: 5 }));
                config.duration = Some(15.0);
            }
            Base::Merge => {
                config.road = Some(Road::Merge);
                config.reward = rule(Rule::Merge);
            }
            Base::Roundabout => {
                config.road = Some(Road::Roundabout);
                config.reward = rule(Rule::Roundabout);
                config.actions = speeds([0.0, 8.0, 16.0]);
                config.duration = Some(11.0);
                config.observation = Some(Look::Kinematics(Kinematics {
                    absolute: true,
                    ranges: square(15.0),
                    ..Kinematics::default()
                }));
            }
            Base::Intersection | Base::IntersectionContinuous | Base::IntersectionMultiAgent => {
                config.road = Some(Road::Intersection);
                config.reward = rule(Rule::Intersection);
                config.idm = Some(Idm::intersection());
                config.regulated = Some(true);
                config.duration = Some(13.0);
                config.population = Population {
                    vehicles: Some(10),
                    spawn_probability: Some(0.6),
                    destination: Some("o1".to_owned()),
                    ..Population::default()
                };
                config.actions = Some(Action::Meta(MetaActions {
                    lateral: false,
                    target_speeds: vec![0.0, 4.5, 9.0],
                    ..MetaActions::default()
                }));
                let mut look = Kinematics {
                    vehicles: 15,
                    features: with_heading(),
                    ranges: square(20.0),
                    absolute: true,
                    ..Kinematics::default()
                };
                if self.base == Base::IntersectionMultiAgent {
                    config.learners = Some(2);
                }
                if self.base == Base::IntersectionContinuous {
                    look.vehicles = 5;
                    look.features = Kinematics::default().features;
                    look.features.extend([Feature::LongOff, Feature::LatOff, Feature::AngOff]);
                    config.actions = Some(Action::Continuous(WheelActions {
                        steering_range: (-FRAC_PI_3, FRAC_PI_3),
                        dynamical: true,
                        ..WheelActions::default()
                    }));
                }
                config.observation = Some(Look::Kinematics(look));
            }
            Base::Exit => {
                config.road = Some(Road::Exit { lanes: 6 });
                config.reward = rule(Rule::Exit);
                config.actions = speeds([18.0, 24.0, 30.0]);
                config.simulation_frequency = Some(5);
                config.duration = Some(18.0);
                config.population = Population {
                    vehicles: Some(20),
                    density: Some(1.5),
                    ego_spacing: Some(2.0),
                    ..Population::default()
                };
                config.observation = Some(Look::Kinematics(Kinematics {
                    vehicles: 15,
                    features: with_heading(),
                    clip: false,
                    include_obstacles: false,
                    ego_x_along: Some(("1".to_owned(), "2".to_owned())),
                    ..Kinematics::default()
                }));
            }
            Base::UTurn => {
                config.road = Some(Road::UTurn);
                config.reward = rule(Rule::UTurn);
                config.actions = speeds([8.0, 16.0, 24.0]);
                config.observation = Some(Look::TimeToCollision(Ttc { horizon: 16 }));
                config.duration = Some(10.0);
            }
            Base::Racetrack => {
                config.road = Some(Road::Racetrack);
                config.reward = rule(Rule::Racetrack);
                config.policy_frequency = Some(5);
                config.duration = Some(300.0);
                config.population.vehicles = Some(1);
                config.actions = Some(Action::Continuous(WheelActions {
                    longitudinal: false,
                    ..WheelActions::default()
                }));
                config.observation = Some(Look::OccupancyGrid(Grid {
                    features: vec![Feature::Presence, Feature::OnRoad],
                    size: ((-18.0, 18.0), (-18.0, 18.0)),
                    step: (3.0, 3.0),
                    align_to_vehicle_axes: true,
                    ..Grid::default()
                }));
            }
        }
        config
    }

    /// What learners are called when a scenario gives them no roles.
    pub(super) fn role(self, learner: usize) -> &'static str {
        match (self.base, learner) {
            (Base::TwoWay, 0) => "overtaker",
            (Base::TwoWay, 1 | 2) => "oncoming",
            (Base::Merge, 1) => "merger",
            (Base::TwoWay | Base::Merge, 3..) => "traffic",
            _ => "ego",
        }
    }
}

/// A name that is no task.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{name}` is no driving task; there are {}", Task::ALL.map(|task| task.name).join(", "))]
#[non_exhaustive]
pub struct TaskError {
    /// The name as given.
    pub name: String,
}

impl std::str::FromStr for Task {
    type Err = TaskError;

    fn from_str(name: &str) -> Result<Self, TaskError> {
        let found = Self::ALL.iter().find(|task| task.name == name);
        found.copied().ok_or_else(|| TaskError { name: name.to_owned() })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
