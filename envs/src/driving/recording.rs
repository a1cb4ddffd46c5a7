//! What the first line of a recording of highway-env says: the task, its settings, and every vehicle.
//!
//! Settings have the reference's names and, where they are left out, its defaults: an `action` or `observation` that is
//! given replaces the task's whole. Settings that only decide how a random scene is drawn have no effect on a given one.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::observe::{Feature, Grid, Kinematics, Lidar, Look, Ttc};
use super::reward::{Reward, Rule};
use super::roads::Road;
use super::scene::Car;
use super::task::{Action, MetaActions, WheelActions};
use super::{Driving, Task, TaskError};

/// A recording's head, checked.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub(super) task: Task,
    pub(super) cars: Vec<Car>,
    /// Everything that the task and the recording set.
    pub(super) config: Driving,
}

#[derive(Deserialize)]
struct Head {
    env: String,
    #[serde(default)]
    config: Settings,
    ego: Value,
    vehicles: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    simulation_frequency: Option<u32>,
    policy_frequency: Option<u32>,
    duration: Option<f64>,
    lanes_count: Option<usize>,
    spawn_probability: Option<f64>,
    neighbour_vehicles_connected_lanes: Option<bool>,
    action: Option<Acting>,
    observation: Option<Seeing>,
    collision_reward: Option<f64>,
    right_lane_reward: Option<f64>,
    left_lane_reward: Option<f64>,
    high_speed_reward: Option<f64>,
    lane_change_reward: Option<f64>,
    merging_speed_reward: Option<f64>,
    goal_reward: Option<f64>,
    arrived_reward: Option<f64>,
    lane_centering_reward: Option<f64>,
    lane_centering_cost: Option<f64>,
    action_reward: Option<f64>,
    reward_speed_range: Option<(f64, f64)>,
    normalize_reward: Option<bool>,
    offroad_terminal: Option<bool>,
    terminate_off_road: Option<bool>,
}

/// The reference's `action`.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Acting {
    #[serde(rename = "DiscreteMetaAction")]
    Meta(MetaSettings),
    #[serde(rename = "ContinuousAction")]
    Continuous(WheelSettings),
    #[serde(rename = "MultiAgentAction")]
    Several { action_config: Box<Acting> },
}

#[derive(Deserialize)]
struct MetaSettings {
    longitudinal: Option<bool>,
    lateral: Option<bool>,
    target_speeds: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct WheelSettings {
    longitudinal: Option<bool>,
    lateral: Option<bool>,
    acceleration_range: Option<(f64, f64)>,
    steering_range: Option<(f64, f64)>,
    speed_range: Option<(f64, f64)>,
    dynamical: Option<bool>,
    clip: Option<bool>,
}

/// The reference's `observation`.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Seeing {
    Kinematics(KinematicsSettings),
    #[serde(rename = "ExitObservation")]
    Exit(KinematicsSettings),
    OccupancyGrid(GridSettings),
    TimeToCollision {
        horizon: Option<u32>,
    },
    #[serde(rename = "LidarObservation")]
    Lidar {
        cells: Option<usize>,
        maximum_range: Option<f64>,
        normalize: Option<bool>,
    },
    #[serde(rename = "MultiAgentObservation")]
    Several {
        observation_config: Box<Seeing>,
    },
}

type Ranges = BTreeMap<Feature, (f64, f64)>;

#[derive(Deserialize)]
struct KinematicsSettings {
    features: Option<Vec<Feature>>,
    vehicles_count: Option<usize>,
    features_range: Option<Ranges>,
    absolute: Option<bool>,
    order: Option<String>,
    normalize: Option<bool>,
    clip: Option<bool>,
    see_behind: Option<bool>,
    observe_intentions: Option<bool>,
    include_obstacles: Option<bool>,
}

#[derive(Deserialize)]
struct GridSettings {
    features: Option<Vec<Feature>>,
    grid_size: Option<((f64, f64), (f64, f64))>,
    grid_step: Option<(f64, f64)>,
    features_range: Option<Ranges>,
    absolute: Option<bool>,
    align_to_vehicle_axes: Option<bool>,
    clip: Option<bool>,
    as_image: Option<bool>,
}

/// Refuses a setting that has no counterpart here.
fn refuse(wrong: bool, what: &str) -> Result<(), String> {
    if wrong { Err(format!("{what} is not supported")) } else { Ok(()) }
}

impl Acting {
    fn action(&self) -> Result<Action, String> {
        Ok(match self {
            Self::Several { action_config } => action_config.action()?,
            Self::Meta(given) => {
                let default = MetaActions::default();
                Action::Meta(MetaActions {
                    longitudinal: given.longitudinal.unwrap_or(default.longitudinal),
                    lateral: given.lateral.unwrap_or(default.lateral),
                    target_speeds: given.target_speeds.clone().unwrap_or(default.target_speeds),
                })
            }
            Self::Continuous(given) => {
                refuse(given.speed_range.is_some(), "`speed_range` of the action")?;
                refuse(given.clip == Some(false), "`clip: false` of the action")?;
                let default = WheelActions::default();
                Action::Continuous(WheelActions {
                    longitudinal: given.longitudinal.unwrap_or(default.longitudinal),
                    lateral: given.lateral.unwrap_or(default.lateral),
                    acceleration_range: given
                        .acceleration_range
                        .unwrap_or(default.acceleration_range),
                    steering_range: given.steering_range.unwrap_or(default.steering_range),
                    dynamical: given.dynamical.unwrap_or(default.dynamical),
                })
            }
        })
    }
}

impl KinematicsSettings {
    fn look(&self) -> Result<Kinematics, String> {
        let sorted = self.order.as_deref().unwrap_or("sorted") == "sorted";
        refuse(!sorted, "an `order` of the observation other than `sorted`")?;
        let default = Kinematics::default();
        Ok(Kinematics {
            vehicles: self.vehicles_count.unwrap_or(default.vehicles),
            features: self.features.clone().unwrap_or(default.features),
            ranges: self.features_range.clone().unwrap_or_default(),
            absolute: self.absolute.unwrap_or(default.absolute),
            normalize: self.normalize.unwrap_or(default.normalize),
            clip: self.clip.unwrap_or(default.clip),
            see_behind: self.see_behind.unwrap_or(default.see_behind),
            observe_intentions: self.observe_intentions.unwrap_or(default.observe_intentions),
            include_obstacles: self.include_obstacles.unwrap_or(default.include_obstacles),
            ego_x_along: None,
        })
    }
}

impl Seeing {
    fn look(&self) -> Result<Look, String> {
        Ok(match self {
            Self::Several { observation_config } => observation_config.look()?,
            Self::Kinematics(given) => Look::Kinematics(given.look()?),
            Self::Exit(given) => Look::Kinematics(Kinematics {
                include_obstacles: false,
                ego_x_along: Some(("1".to_owned(), "2".to_owned())),
                ..given.look()?
            }),
            Self::OccupancyGrid(given) => {
                refuse(given.absolute == Some(true), "an absolute occupancy grid")?;
                refuse(given.as_image == Some(true), "an occupancy grid as an image")?;
                let default = Grid::default();
                let align = given.align_to_vehicle_axes;
                Look::OccupancyGrid(Grid {
                    features: given.features.clone().unwrap_or(default.features),
                    size: given.grid_size.unwrap_or(default.size),
                    step: given.grid_step.unwrap_or(default.step),
                    ranges: given.features_range.clone().unwrap_or_default(),
                    align_to_vehicle_axes: align.unwrap_or(default.align_to_vehicle_axes),
                    clip: given.clip.unwrap_or(default.clip),
                })
            }
            Self::TimeToCollision { horizon } => {
                let default = Ttc::default();
                Look::TimeToCollision(Ttc { horizon: horizon.unwrap_or(default.horizon) })
            }
            Self::Lidar { cells, maximum_range, normalize } => {
                let default = Lidar::default();
                Look::Lidar(Lidar {
                    cells: cells.unwrap_or(default.cells),
                    maximum_range: maximum_range.unwrap_or(default.maximum_range),
                    normalize: normalize.unwrap_or(default.normalize),
                })
            }
        })
    }
}

impl Settings {
    /// The reward's weights; those that the task's rule does not read in the reference are left out.
    fn reward(&self, rule: Option<Rule>) -> Reward {
        let goal = match rule {
            Some(Rule::Intersection) => self.arrived_reward,
            Some(Rule::Racetrack) => self.lane_centering_reward,
            _ => self.goal_reward,
        };
        Reward {
            rule: None,
            collision: self.collision_reward.filter(|_| rule != Some(Rule::TwoWay)),
            right_lane: self.right_lane_reward,
            left_lane: self.left_lane_reward,
            high_speed: self.high_speed_reward,
            lane_change: self.lane_change_reward,
            merging_speed: self.merging_speed_reward,
            goal,
            action: self.action_reward,
            centering_cost: self.lane_centering_cost,
            speed_range: self.reward_speed_range,
            normalize: self.normalize_reward,
            offroad_terminal: match rule {
                Some(Rule::Highway | Rule::Intersection) => self.offroad_terminal,
                Some(Rule::Racetrack) => self.terminate_off_road,
                _ => None,
            },
        }
    }

    /// The task's configuration with these settings in place of its own.
    fn apply(&self, mut config: Driving) -> Result<Driving, String> {
        config.reward = self.reward(config.reward.rule).or(&config.reward);
        config.simulation_frequency = self.simulation_frequency.or(config.simulation_frequency);
        config.policy_frequency = self.policy_frequency.or(config.policy_frequency);
        config.duration = self.duration.or(config.duration);
        config.connected_neighbours =
            self.neighbour_vehicles_connected_lanes.or(config.connected_neighbours);
        config.population.spawn_probability =
            self.spawn_probability.or(config.population.spawn_probability);
        if let (Some(Road::Highway { lanes, .. } | Road::Exit { lanes }), Some(count)) =
            (&mut config.road, self.lanes_count)
        {
            *lanes = count;
        }
        if let Some(action) = &self.action {
            config.actions = Some(action.action()?);
        }
        if let Some(observation) = &self.observation {
            config.observation = Some(observation.look()?);
        }
        Ok(config)
    }
}

/// Lane numbers that numpy made were written as text.
fn number(value: &mut Value) {
    if let Some(parsed) = value.as_str().and_then(|text| text.parse::<u16>().ok()) {
        *value = Value::from(parsed);
    }
}

impl Recording {
    /// Reads the head of a recording: a JSON object with `env`, `config`, `ego` (an id or a list of ids) and `vehicles`.
    ///
    /// # Errors
    /// In words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let line = text.lines().next().unwrap_or_default();
        let head: Head = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let task: Task = head.env.parse().map_err(|error: TaskError| error.to_string())?;
        let mut config = head.config.apply(task.config())?;
        let egos = match &head.ego {
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        // The reference's fast highway switches this off after it has drawn its vehicles.
        let looks = config.population.check_collisions.unwrap_or(true);
        let mut cars = Vec::new();
        for mut vehicle in head.vehicles {
            let learns = egos.contains(&vehicle["id"]);
            if let Value::Object(fields) = &mut vehicle {
                let speeds = fields.remove("target_speeds").filter(|_| learns);
                if let (Some(speeds), Some(Action::Meta(meta))) = (speeds, &mut config.actions) {
                    meta.target_speeds = serde_json::from_value(speeds)
                        .map_err(|error| format!("`target_speeds`: {error}"))?;
                }
                for name in ["lane", "target_lane"] {
                    if let Some(Value::Array(lane)) = fields.get_mut(name) {
                        lane.iter_mut().skip(2).for_each(number);
                    }
                }
                if let Some(Value::Array(route)) = fields.get_mut("route") {
                    for leg in route.iter_mut().filter_map(Value::as_array_mut) {
                        leg.iter_mut().skip(2).for_each(number);
                    }
                }
                if learns {
                    fields.insert("role".to_owned(), Value::from("ego"));
                    // Continuous vehicles have a class of their own, which follows from the actions.
                    fields.remove("kind");
                } else if !looks {
                    fields.entry("check_collisions").or_insert(Value::from(false));
                }
            }
            cars.push(serde_json::from_value(vehicle).map_err(|error| error.to_string())?);
        }
        Ok(Self { task, cars, config })
    }
}
