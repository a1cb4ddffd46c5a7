//! Driving: vehicles on a road network, some of which learn, among others that follow IDM and MOBIL.
//!
//! Roads, vehicle dynamics, controllers, drivers, collisions, rewards and observations are those of highway-env 1.12.1
//! (Leurent 2018), with its constants, order of events and quirks; every rule is listed in the project's fact sheet
//! `rae-psro-driving.md`, part 4. Fixed scenes replay its recordings; random scenes follow its laws but are drawn by our
//! own generator.
//!
//! **One step.** Learners act once; then, `simulation_frequency / policy_frequency` times, every vehicle in list order
//! decides, on regulated roads right of way is enforced, every vehicle moves, and all pairs that can touch are tested.
//! Each of these frames is a set of systems ([`Frame`], [`AfterFrame`]), so that a plugin can act between them.
//!
//! **Differences from the reference.**
//!
//! | reference | here |
//! |---|---|
//! | Rewards and ends look at the first learner only (but at intersections) | every learner has its own reward; the episode ends when one crashes or all have arrived |
//! | An intersection changes IDM's constants for all environments of the process | its constants are its own |
//! | Each vehicle is projected on each lane in each frame | only on lanes that can matter, with the same result |
//! | All pairs are tested for collisions, all vehicles searched for neighbours | sorted orders, with the same result |
//! | Numbers that are not finite spread | the instance ends (truncated, reward 0) and `describe` says why |
//! | `merge-v0` and `two-way-v0` end by a wrapper or never | `two-way-v0` is truncated after 15 steps, `merge-v0` never |
//! | Linear drivers draw their weights | they have the classes' weights |
//!
//! **Numbers.** Positions are `f64`, transcendental functions come from `libm`; recorded trajectories replay to 1e-6 m over
//! whole episodes (rounding differs: the reference goes through steering angles where this goes through the sine of
//! the slip), single formulas to 1e-8.
//!
//! **Version history.** 1: first.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::batch::BatchEnv;
use crate::ecs::{Plugin, Sharded};
use crate::registry::Registered;
use crate::seed::Streams;
use crate::spec::{ActionSpace, EnvSpec, ObservationSpace, Payoff, Turns};
use crate::{BuildError, EnvFactory};

mod angles;
mod cars;
mod collision;
mod control;
mod dynamics;
mod game;
mod idm;
mod lane;
mod math;
mod near;
mod observe;
mod recording;
mod regulation;
mod reward;
mod road;
mod roads;
mod routes;
mod scene;
mod spawn;
mod stored;
mod task;
mod tick;
mod traffic;
mod vehicle;

pub use game::{AfterFrame, Frame, Game, Seat};
pub use idm::Idm;
pub use lane::Shape;
pub use observe::{Feature, Grid, Kinematics, Lidar, Look, Ttc};
pub use reward::{Reward, Rule};
pub use road::{Obstacle, Part};
pub use roads::Road;
pub use scene::{Car, Driver, LaneIndex};
pub use spawn::Population;
pub use task::{Action, MetaActions, Task, TaskError, WheelActions};
pub use traffic::Traffic;
pub use vehicle::{Body, Command, Damage, Drift, Facing, Goal, Kind, Mind, Route, Track};

use recording::Recording;
use reward::Pay;
use road::Network;
use routes::Routes;
use scene::Row;
use spawn::Spawn;
use task::Controls;

/// Raised when the same seed and actions give another trajectory.
const VERSION: u32 = 1;

/// Where an episode begins.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Scene {
    /// Drawn anew for every episode.
    #[default]
    Random,
    /// The same vehicles for every episode.
    Fixed {
        /// In list order, which decides who acts first.
        vehicles: Vec<Car>,
    },
    /// The vehicles of a recording of highway-env, a file of JSON lines beside the scenario.
    Recorded(String),
}

/// Driving as a scenario file configures it: a task's name, single settings, or both, where a setting overrides what the
/// name says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Driving {
    /// A task's name, such as `merge-v0`; `highway-v0`, or the recording's.
    pub task: Option<String>,
    /// The road.
    pub road: Option<Road>,
    /// Where an episode begins.
    pub scene: Scene,
    /// Vehicles that learn, in random scenes.
    pub learners: Option<usize>,
    /// What the learners are called, in order; the task's names.
    pub roles: Vec<String>,
    /// How learners drive.
    pub actions: Option<Action>,
    /// What learners see.
    pub observation: Option<Look>,
    /// What learners are paid.
    pub reward: Reward,
    /// What learners of a role are paid, where it differs.
    pub rewards: BTreeMap<String, Reward>,
    /// Who else drives in random scenes.
    pub population: Population,
    /// Parameters of drivers who do not learn.
    pub idm: Option<Idm>,
    /// Whether drivers also see leaders and followers on the next and previous edges.
    pub connected_neighbours: Option<bool>,
    /// Whether drivers give way by the lanes' priorities.
    pub regulated: Option<bool>,
    /// Frames a second.
    pub simulation_frequency: Option<u32>,
    /// Steps a second.
    pub policy_frequency: Option<u32>,
    /// Seconds after which an episode is cut; `inf` for never.
    pub duration: Option<f64>,
    /// The recording's text; [`EnvFactory::take_file`] puts it here.
    #[serde(skip)]
    pub recording: Option<String>,
}

/// Where episodes begin, resolved.
#[derive(Clone, Debug)]
enum Start {
    Fixed { rows: Vec<Row>, seats: Vec<u16> },
    Random,
}

/// A validated configuration, with nothing left open.
#[derive(Clone, Debug)]
struct Rules {
    network: Network,
    routes: Routes,
    start: Start,
    spawn: Spawn,
    /// Rows of one instance.
    slots: usize,
    roles: Vec<String>,
    pays: Vec<Pay>,
    controls: Controls,
    look: Look,
    observation: usize,
    idm: Idm,
    connected: bool,
    /// Frames between two looks at right of way.
    regulated: Option<u32>,
    /// Whether vehicles come and go at an intersection.
    flows: bool,
    frames: u32,
    dt: f64,
    frequency: u32,
    policy: f64,
    horizon: Option<u32>,
}

/// Steps until the clock, which adds up steps as the reference does, reaches the duration.
fn horizon(duration: f64, policy: u32) -> Option<u32> {
    if !duration.is_finite() {
        return None;
    }
    let (mut time, mut steps) = (0.0, 0);
    while time < duration {
        time += 1.0 / f64::from(policy);
        steps += 1;
    }
    Some(steps)
}

impl Driving {
    /// A task of the reference.
    pub fn task(name: &str) -> Self {
        Self { task: Some(name.to_owned()), ..Self::default() }
    }

    /// A recording's scene, from its text.
    pub fn recorded(text: &str) -> Self {
        let scene = Scene::Recorded("(given as text)".to_owned());
        Self { scene, recording: Some(text.to_owned()), ..Self::default() }
    }

    /// Resolves and validates everything.
    fn rules(&self) -> Result<(String, Rules), BuildError> {
        let one = |why: String| BuildError { problems: vec![why] };
        let recording = match (&self.scene, &self.recording) {
            (Scene::Recorded(path), None) => {
                return Err(one(format!("`scene`: the recording `{path}` was not read")));
            }
            (Scene::Recorded(path), Some(text)) => Some(
                Recording::parse(text)
                    .map_err(|error| one(format!("`scene`: the recording `{path}`: {error}")))?,
            ),
            _ => None,
        };
        let task: Task = match &self.task {
            Some(name) => name.parse().map_err(|error| one(format!("`task`: {error}")))?,
            None => recording.as_ref().map_or(Task::ALL[0], |recording| recording.task),
        };
        // A recording holds its task's settings; another task's name overrides them.
        let base = match &recording {
            Some(recording) if recording.task == task => recording.config.clone(),
            _ => task.config(),
        };
        let mut problems = Vec::new();
        let road = self.road.clone().or(base.road).unwrap_or(Road::UTurn);
        let counted = match &road {
            Road::Highway { lanes, .. } | Road::Exit { lanes } => *lanes,
            _ => 1,
        };
        if !(1..=100).contains(&counted) {
            problems.push(format!("`road`: {counted} lanes, there must be 1 to 100"));
        }
        BuildError::check(std::mem::take(&mut problems))?;
        let network = Network::new(&road.plan()).map_err(|problems| BuildError { problems })?;
        let actions = self.actions.clone().or(base.actions).unwrap_or_default();
        let controls = actions.resolve(&mut problems);
        let idm = self.idm.or(base.idm).unwrap_or_default();
        let frequency = self.simulation_frequency.or(base.simulation_frequency).unwrap_or(15);
        let policy = self.policy_frequency.or(base.policy_frequency).unwrap_or(1);
        if policy == 0 || frequency < policy || frequency / policy > 100 {
            problems.push(format!(
                "`simulation_frequency` {frequency} and `policy_frequency` {policy}: there must be 1 to 100 frames a step"
            ));
        }
        let duration = self.duration.or(base.duration).unwrap_or(f64::INFINITY);
        if !(duration > 0.0 && (duration <= 1e6 || duration.is_infinite())) {
            problems
                .push(format!("`duration`: {duration}, it must be above 0, at most 1e6, or inf"));
        }
        BuildError::check(std::mem::take(&mut problems))?;
        let horizon = horizon(duration, policy);
        let regulated = self.regulated.or(base.regulated).unwrap_or(false);
        // `int(1 / dt / 2)` of the reference: twice a second.
        let regulated = regulated.then_some((frequency / 2).max(1));
        let population = self.population.or(&base.population);
        let learners = self.learners.or(base.learners).unwrap_or(1);
        let spawn = Spawn {
            road: road.clone(),
            learners,
            vehicles: population.vehicles.unwrap_or(10),
            density: population.density.unwrap_or(1.0),
            ego_spacing: population.ego_spacing.unwrap_or(1.0),
            initial_lane: population.initial_lane.map(|lane| lane as u16),
            arrivals: population.spawn_probability.unwrap_or(0.0),
            destination: population.destination.clone(),
            check_collisions: population.check_collisions.unwrap_or(true),
            kind: controls.kind(),
            speeds: controls.speeds().to_vec(),
            idm,
            frequency,
            regulated,
        };
        self.check_spawn(&mut problems, &spawn, counted);
        let mut routes = Routes::default();
        spawn.routes(&network, &mut routes);
        let given = match (&self.scene, &recording) {
            (Scene::Fixed { vehicles }, _) => Some(vehicles),
            (_, Some(recording)) => Some(&recording.cars),
            _ => None,
        };
        let flows = matches!(road, Road::Intersection);
        let (start, roles, slots) = match given {
            Some(cars) => {
                let found = scene::resolve(cars, &network, &mut routes, &controls, &mut problems);
                if found.seats.is_empty() {
                    problems.push("`scene`: no vehicle has a `role`, nobody learns".to_owned());
                }
                let (seats, roles): (Vec<u16>, Vec<String>) = found.seats.into_iter().unzip();
                let more = if flows && spawn.arrivals > 0.0 {
                    horizon.unwrap_or(30).min(30) as usize
                } else {
                    0
                };
                let slots = found.rows.len() + more;
                (Start::Fixed { rows: found.rows, seats }, roles, slots)
            }
            None => {
                let roles = (0..learners).map(|learner| task.role(learner).to_owned()).collect();
                (Start::Random, roles, spawn.slots(horizon))
            }
        };
        let roles = if self.roles.is_empty() { roles } else { self.roles.clone() };
        let agents = match &start {
            Start::Fixed { seats, .. } => seats.len(),
            Start::Random => learners,
        };
        if agents > MOST {
            problems.push(format!("`scene`: {agents} learners, at most {MOST}"));
        }
        if roles.len() != agents {
            problems
                .push(format!("`roles` has {} entries, there are {agents} learners", roles.len()));
        }
        if !(1..=20_000).contains(&slots) {
            problems.push(format!("`scene`: {slots} vehicles, there must be 1 to 20000"));
        }
        for role in self.rewards.keys().filter(|role| !roles.contains(role)) {
            problems.push(format!("`rewards`: no learner is called `{role}`"));
        }
        let pays = roles
            .iter()
            .map(|role| {
                let own = self.rewards.get(role).cloned().unwrap_or_default();
                let all = own.or(&self.reward).or(&base.reward);
                all.resolve(&network, &mut problems)
            })
            .collect();
        let look = self.observation.clone().or(base.observation).unwrap_or_default();
        let speeds = controls.speeds().len();
        let (shape, ..) = look.space(&network, policy, speeds, &mut problems);
        BuildError::check(problems)?;
        let rules = Rules {
            network,
            routes,
            start,
            spawn,
            slots,
            roles,
            pays,
            controls,
            look,
            observation: shape.iter().product(),
            idm,
            connected: self.connected_neighbours.or(base.connected_neighbours).unwrap_or(false),
            regulated,
            flows,
            frames: frequency / policy,
            dt: 1.0 / f64::from(frequency),
            frequency,
            policy: f64::from(policy),
            horizon,
        };
        Ok((task.name().to_owned(), rules))
    }

    fn check_spawn(&self, problems: &mut Vec<String>, spawn: &Spawn, lanes: usize) {
        if self.scene != Scene::Random {
            return;
        }
        if !(1..=spawn.seats()).contains(&spawn.learners) {
            problems.push(format!(
                "`learners`: {}, this road takes 1 to {}",
                spawn.learners,
                spawn.seats()
            ));
        }
        if spawn.vehicles > 10_000 {
            problems.push(format!("`population.vehicles`: {}, at most 10000", spawn.vehicles));
        }
        for (name, value) in [("density", spawn.density), ("ego_spacing", spawn.ego_spacing)] {
            if !(value > 0.0 && value.is_finite()) {
                problems.push(format!("`population.{name}`: {value}, it must be above 0"));
            }
        }
        if !(0.0..=1.0).contains(&spawn.arrivals) {
            problems.push(format!(
                "`population.spawn_probability`: {}, it must be 0 to 1",
                spawn.arrivals
            ));
        }
        if let Some(lane) = spawn.initial_lane.filter(|&lane| usize::from(lane) >= lanes) {
            problems.push(format!("`population.initial_lane`: {lane}, there are {lanes} lanes"));
        }
        if let Some(goal) = &spawn.destination
            && !["o1", "o2", "o3"].contains(&goal.as_str())
        {
            problems.push(format!("`population.destination`: `{goal}`, there are o1, o2, o3"));
        }
    }

    /// Like [`EnvFactory::build`], with systems from outside added to every shard.
    ///
    /// # Errors
    /// Every problem of the configuration, or a schedule that the plugins made ambiguous.
    pub fn build_with(
        &self,
        lanes: Range<u32>,
        shard: usize,
        streams: Streams,
        plugins: Vec<Box<dyn Plugin>>,
    ) -> Result<Box<dyn BatchEnv>, BuildError> {
        let (name, rules) = self.rules()?;
        // A shard's vehicles should stay in the cache over all frames of a step.
        let shard = shard.min((ROWS / rules.slots).max(1));
        let game = Game::new(spec(name, &rules), rules);
        Ok(Box::new(Sharded::new(game, lanes, shard, streams, plugins)?))
    }
}

/// Most learners of one instance.
const MOST: usize = 64;

/// Vehicle rows of a shard.
const ROWS: usize = 4096;

fn spec(name: String, rules: &Rules) -> EnvSpec {
    let speeds = rules.controls.speeds().len();
    let (shape, low, high) =
        rules.look.space(&rules.network, rules.policy as u32, speeds, &mut Vec::new());
    let action = match &rules.controls {
        Controls::Meta { actions, .. } => ActionSpace::Discrete {
            names: actions.iter().map(|action| action.name().to_owned()).collect(),
        },
        Controls::Wheel(_) => {
            let size = rules.controls.dimension();
            ActionSpace::Box { low: vec![-1.0; size], high: vec![1.0; size] }
        }
    };
    EnvSpec {
        name,
        version: VERSION,
        agents: rules.roles.len(),
        roles: rules.roles.clone(),
        state: rules.roles.len() * rules.observation,
        observation: ObservationSpace { shape, low, high },
        action,
        turns: Turns::Simultaneous,
        payoff: Payoff::General,
        horizon: rules.horizon,
        tallies: crashes(&rules.roles),
    }
}

/// Whether each learner crashed, by role and, where several have one role, by number.
fn crashes(roles: &[String]) -> Vec<String> {
    let name = |(agent, role): (usize, &String)| {
        let same = |other: &&String| *other == role;
        if roles.iter().filter(same).count() == 1 {
            return format!("crashed {role}");
        }
        format!("crashed {role} {}", roles[..agent].iter().filter(same).count())
    };
    roles.iter().enumerate().map(name).collect()
}

impl EnvFactory for Driving {
    fn files(&self) -> Vec<String> {
        match &self.scene {
            Scene::Recorded(path) => vec![path.clone()],
            _ => Vec::new(),
        }
    }

    fn take_file(&mut self, _path: &str, text: &str) {
        self.recording = Some(text.to_owned());
    }

    fn spec(&self) -> Result<EnvSpec, BuildError> {
        let (name, rules) = self.rules()?;
        Ok(spec(name, &rules))
    }

    fn build(
        &self,
        lanes: Range<u32>,
        shard: usize,
        streams: Streams,
    ) -> Result<Box<dyn BatchEnv>, BuildError> {
        self.build_with(lanes, shard, streams, Vec::new())
    }
}

impl Registered<dyn EnvFactory> for Driving {
    const NAME: &'static str = "Driving";
    const SUMMARY: &'static str = "vehicles on highways, merges, two-way roads, roundabouts, intersections (highway-env 1.12.1)";

    fn examples() -> Vec<Self> {
        vec![
            Self {
                population: Population { vehicles: Some(12), ..Population::default() },
                learners: Some(2),
                ..Self::task("highway-v0")
            },
            Self { learners: Some(2), ..Self::task("two-way-v0") },
            Self { learners: Some(2), ..Self::task("merge-v0") },
            Self::task("roundabout-v1"),
            Self::task("intersection-multi-agent-v1"),
            Self::task("intersection-v1"),
            Self {
                population: Population { vehicles: Some(8), ..Population::default() },
                ..Self::task("exit-v0")
            },
            Self { observation: Some(Look::Lidar(Lidar::default())), ..Self::task("u-turn-v0") },
            Self { duration: Some(20.0), ..Self::task("racetrack-v0") },
        ]
    }

    fn boxed(self) -> Box<dyn EnvFactory> {
        Box::new(self)
    }
}
