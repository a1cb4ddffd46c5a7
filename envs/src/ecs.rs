//! The simulator: many instances of one game share a few ECS worlds, called shards.
//!
//! Rows are spawned once, in order, and never despawned or re-tagged, so that the agents of one instance are adjacent
//! rows of one table and hot systems can run over whole columns.
//! Threads go around shards, never inside a world: schedules are single-threaded chains and ambiguity is an error.
//!
//! A game implements [`EcsGame`]; a user extends a game from outside with a [`Plugin`].

use std::collections::BTreeMap;
use std::ops::Range;

use bevy_ecs::change_detection::ContiguousMut;
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::{
    LogLevel, ScheduleBuildSettings, ScheduleLabel, SingleThreadedExecutor, SystemSet,
};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::BuildError;
use crate::batch::{Actions, BatchEnv, BatchError, End, Outbox, check_actions};
use crate::seed::{Purpose, Streams};
use crate::snapshot::{Reader, Writer};
use crate::spec::EnvSpec;

/// The fixed order of a step. Between two phases stands [`After`] the first, for systems from outside.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Actions become intentions.
    Act,
    /// Things move.
    Dynamics,
    /// Things touch: loading, collisions.
    Interact,
    /// Rewards are paid and ends are decided.
    Reward,
    /// Instances whose episode is over begin the next one.
    Reset,
    /// What observations need is brought up to date.
    Observe,
}

/// Runs when all systems of that [`Phase`] have run.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct After(pub Phase);

/// Step schedule: `Act` to `Reward`, and what follows each.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Step;

/// Reset schedule: `Reset` and what follows it.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reset;

/// Observe schedule: `Observe` and what follows it.
#[derive(ScheduleLabel, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Observe;

/// The schedules of one shard, to which a game and its plugins add their systems.
///
/// `observe` runs once more, before `reset`, in a step that ends an episode whose last moment somebody wants to see;
/// so its systems draw no random numbers, and running them twice changes nothing.
pub struct Stages {
    /// [`Phase::Act`] to [`Phase::Reward`].
    pub step: Schedule,
    /// [`Phase::Reset`]: acts on the instances whose [`Clock::end`] says that the episode is over, and runs only when
    /// there are some.
    pub reset: Schedule,
    /// [`Phase::Observe`].
    pub observe: Schedule,
}

/// On each instance's own row: which lane it is and how far its episode is.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Global number of the instance.
    pub lane: u32,
    /// Number of the present episode.
    pub episode: u32,
    /// Steps made in this episode.
    pub step: u32,
    /// How the present step leaves the instance; set by systems in [`Phase::Reward`].
    pub end: End,
}

/// On each instance's own row: its generator, re-addressed at every episode start.
#[derive(Component, Clone, Debug)]
pub struct Dice(pub ChaCha8Rng);

/// On each agent's row: the reward of the present step.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Reward(pub f32);

/// The run's addressed streams.
#[derive(Resource, Clone, Copy, Debug)]
pub struct Seeds(pub Streams);

/// Which instances [`EcsGame::observe`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every instance.
    All,
    /// Only those whose [`Clock::end`] says that the episode is over.
    Ended,
}

/// Where [`EcsGame::observe`] writes; an empty slice is not wanted.
#[derive(Debug)]
pub struct Frame<'a> {
    /// `[envs, agents, obs]`.
    pub observations: &'a mut [f32],
    /// `[envs, agents, actions]`.
    pub masks: &'a mut [bool],
    /// `[envs, state]`.
    pub state: &'a mut [f32],
    /// `[envs, tallies]`; wanted with [`Scope::Ended`] only.
    pub tallies: &'a mut [f32],
}

impl Frame<'_> {
    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.observations.is_empty()
            && self.masks.is_empty()
            && self.state.is_empty()
            && self.tallies.is_empty()
    }
}

/// A game that is simulated by systems over components.
pub trait EcsGame: Clone + Send + Sync + 'static {
    /// Access to the columns from outside the schedule, one for each shard.
    type Columns: Send;

    /// The typed facts.
    fn spec(&self) -> &EnvSpec;

    /// Spawns the rows of `clocks.len()` instances in order: first all instance rows, each with its [`Clock`] and
    /// [`Dice`], then the agents' rows of each instance, each with a [`Reward`], then anything else, always instance
    /// by instance. Inserts the resources that its systems need.
    fn spawn(&self, world: &mut World, rows: Vec<(Clock, Dice)>) -> Self::Columns;

    /// Adds its systems, each in its [`Phase`] and ordered within it.
    fn systems(&self, stages: &mut Stages);

    /// Forgets all earlier episodes, before a [`BatchEnv::reset`] to `episode`; most games have nothing to forget.
    fn restart(&self, _columns: &mut Self::Columns, _world: &mut World, _episode: u32) {}

    /// Copies checked actions into the agents' rows.
    fn act(&self, columns: &mut Self::Columns, world: &mut World, actions: Actions<'_>);

    /// Writes what agents see. Must not change the world.
    fn observe(
        &self,
        columns: &mut Self::Columns,
        world: &mut World,
        scope: Scope,
        frame: Frame<'_>,
    );

    /// Appends what [`Clock`] and [`Dice`] do not hold of an instance.
    fn save(&self, columns: &mut Self::Columns, world: &mut World, lane: usize, to: &mut Writer);

    /// Takes back what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] when values are out of range or missing; the instance may then be half restored.
    fn restore(
        &self,
        columns: &mut Self::Columns,
        world: &mut World,
        lane: usize,
        from: &mut Reader<'_>,
    ) -> Result<(), BatchError>;

    /// The instance's state in the game's own words.
    fn describe(&self, columns: &mut Self::Columns, world: &mut World, lane: usize) -> Value;

    /// See [`BatchEnv::scenery`].
    fn scenery(&self) -> Value {
        Value::Null
    }
}

/// Systems added to a game from outside, without touching its source.
///
/// A plugin may insert resources, and components on rows of its own choice as long as all rows of a kind get them in
/// row order before the first step; later insertions would reorder rows.
pub trait Plugin: Send + Sync {
    /// Prepares one shard, whose rows are spawned, and adds systems in [`After`] sets (or in a [`Phase`], ordered
    /// against the game's systems).
    fn build(&self, world: &mut World, stages: &mut Stages);

    /// Appends the state that the plugin added to instance `lane`, so that saved lanes stay complete;
    /// a plugin that adds none has nothing to do.
    fn save(&self, _world: &mut World, _lane: usize, _to: &mut Writer) {}

    /// Takes back what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] when the bytes do not fit.
    fn restore(
        &self,
        _world: &mut World,
        _lane: usize,
        _from: &mut Reader<'_>,
    ) -> Result<(), BatchError> {
        Ok(())
    }
}

/// The single chunk of a dense query whose rows all live in one table.
///
/// # Panics
/// When rows were despawned or re-tagged against the rule of this module, so that there is none or more than one.
pub fn whole<T>(mut chunks: impl Iterator<Item = T>) -> T {
    let only = chunks.next().expect("rows of this kind are spawned before the first step");
    assert!(chunks.next().is_none(), "rows of one kind were split over several tables");
    only
}

/// A whole column to write to, without the change ticks that nothing here reads.
pub fn column<T>(chunk: ContiguousMut<'_, T>) -> &mut [T] {
    ContiguousMut::bypass_change_detection_split(chunk).0
}

struct Shard<G: EcsGame> {
    world: World,
    stages: Stages,
    columns: G::Columns,
    clocks: QueryState<(&'static mut Clock, &'static mut Dice)>,
    rewards: QueryState<&'static mut Reward>,
    /// Watched lanes, and how their last episodes ended.
    watched: BTreeMap<usize, Option<Value>>,
    envs: usize,
}

fn schedule(label: impl ScheduleLabel, phases: &[Phase]) -> Schedule {
    let mut schedule = Schedule::new(label);
    schedule.set_executor(SingleThreadedExecutor::new());
    schedule.set_build_settings(ScheduleBuildSettings {
        ambiguity_detection: LogLevel::Error,
        ..ScheduleBuildSettings::default()
    });
    for (index, &phase) in phases.iter().enumerate() {
        schedule.configure_sets((phase, After(phase)).chain());
        if let Some(&next) = phases.get(index + 1) {
            schedule.configure_sets((After(phase), next).chain());
        }
    }
    schedule
}

impl<G: EcsGame> Shard<G> {
    fn new(
        game: &G,
        plugins: &[Box<dyn Plugin>],
        lanes: Range<u32>,
        streams: Streams,
    ) -> Result<Self, BuildError> {
        let mut world = World::new();
        world.insert_resource(Seeds(streams));
        let envs = lanes.len();
        let rows = lanes
            .map(|lane| {
                let clock = Clock { lane, episode: 0, step: 0, end: End::Running };
                (clock, Dice(streams.at(Purpose::Episode, lane, 0)))
            })
            .collect();
        let columns = game.spawn(&mut world, rows);
        let mut stages = Stages {
            step: schedule(Step, &[Phase::Act, Phase::Dynamics, Phase::Interact, Phase::Reward]),
            reset: schedule(Reset, &[Phase::Reset]),
            observe: schedule(Observe, &[Phase::Observe]),
        };
        game.systems(&mut stages);
        for plugin in plugins {
            plugin.build(&mut world, &mut stages);
        }
        for schedule in [&mut stages.step, &mut stages.reset, &mut stages.observe] {
            schedule.initialize(&mut world).map_err(|error| BuildError {
                problems: vec![error.to_string(schedule.graph(), &world)],
            })?;
        }
        let clocks = world.query();
        let rewards = world.query();
        Ok(Self { world, stages, columns, clocks, rewards, watched: BTreeMap::new(), envs })
    }

    fn clocks(&mut self) -> (&mut [Clock], &mut [Dice]) {
        let chunks = self.clocks.contiguous_iter_mut(&mut self.world);
        let (clocks, dice) = whole(chunks.expect("components are stored in tables"));
        (column(clocks), column(dice))
    }

    /// Begins the episode after `Clock::episode` in every instance whose clock says that the present one is over.
    fn begin(&mut self, streams: Streams) {
        let (clocks, dice) = self.clocks();
        for (clock, dice) in clocks.iter_mut().zip(dice) {
            if clock.end.is_over() {
                clock.episode = clock.episode.wrapping_add(1);
                clock.step = 0;
                streams.readdress(&mut dice.0, Purpose::Episode, clock.lane, clock.episode);
            }
        }
        self.stages.reset.run(&mut self.world);
        for clock in self.clocks().0 {
            clock.end = End::Running;
        }
    }

    fn reset(&mut self, game: &G, streams: Streams, episode: u32, out: Outbox<'_>) {
        for clock in self.clocks().0 {
            // `begin` adds the one.
            clock.episode = episode.wrapping_sub(1);
            clock.end = End::Terminated;
        }
        game.restart(&mut self.columns, &mut self.world, episode);
        self.begin(streams);
        self.stages.observe.run(&mut self.world);
        self.observe(game, out);
    }

    fn observe(&mut self, game: &G, out: Outbox<'_>) {
        out.rewards.fill(0.0);
        out.ends.fill(End::Running);
        let frame = Frame {
            observations: out.observations,
            masks: out.masks,
            state: out.state,
            tallies: &mut [],
        };
        game.observe(&mut self.columns, &mut self.world, Scope::All, frame);
    }

    fn step(&mut self, game: &G, streams: Streams, actions: Actions<'_>, out: Outbox<'_>) {
        game.act(&mut self.columns, &mut self.world, actions);
        for clock in self.clocks().0 {
            clock.step += 1;
        }
        self.stages.step.run(&mut self.world);
        let chunks = self.rewards.contiguous_iter_mut(&mut self.world);
        let rewards = column(whole(chunks.expect("components are stored in tables")));
        for (out, reward) in out.rewards.iter_mut().zip(rewards) {
            *out = reward.0;
        }
        let mut over = false;
        for (out, clock) in out.ends.iter_mut().zip(self.clocks().0) {
            *out = clock.end;
            over |= clock.end.is_over();
        }
        if over {
            let last = Frame {
                observations: out.last_observations,
                masks: out.last_masks,
                state: out.last_state,
                tallies: out.tallies,
            };
            if !last.is_empty() {
                self.stages.observe.run(&mut self.world);
                game.observe(&mut self.columns, &mut self.world, Scope::Ended, last);
            }
            for (lane, last) in &mut self.watched {
                if out.ends[*lane].is_over() {
                    *last = Some(game.describe(&mut self.columns, &mut self.world, *lane));
                }
            }
            self.begin(streams);
        }
        self.stages.observe.run(&mut self.world);
        let frame = Frame {
            observations: out.observations,
            masks: out.masks,
            state: out.state,
            tallies: &mut [],
        };
        game.observe(&mut self.columns, &mut self.world, Scope::All, frame);
    }
}

/// A batch of instances of one [`EcsGame`], cut into shards of fixed size.
pub struct Sharded<G: EcsGame> {
    game: G,
    plugins: Vec<Box<dyn Plugin>>,
    streams: Streams,
    shards: Vec<Shard<G>>,
    envs: usize,
}

fn split_actions<'a>(
    actions: Actions<'a>,
    rows: usize,
    spec: &EnvSpec,
) -> (Actions<'a>, Actions<'a>) {
    match actions {
        Actions::Discrete(all) => {
            let (head, tail) = all.split_at(rows);
            (Actions::Discrete(head), Actions::Discrete(tail))
        }
        Actions::Continuous(all) => {
            let (head, tail) = all.split_at(rows * spec.action.action_size());
            (Actions::Continuous(head), Actions::Continuous(tail))
        }
    }
}

/// Halves the list of shards until one is left; `rayon::join` needs no allocation and no shared buffer.
fn each_shard<G: EcsGame>(
    shards: &mut [Shard<G>],
    spec: &EnvSpec,
    actions: Option<Actions<'_>>,
    mut out: Outbox<'_>,
    task: &(impl Fn(&mut Shard<G>, Option<Actions<'_>>, Outbox<'_>) + Sync),
) {
    if let [shard] = shards {
        task(shard, actions, out);
        return;
    }
    let (front, back) = shards.split_at_mut(shards.len() / 2);
    let envs = front.iter().map(|shard| shard.envs).sum::<usize>();
    let (head, tail) = match actions {
        Some(actions) => {
            let (head, tail) = split_actions(actions, envs * spec.agents, spec);
            (Some(head), Some(tail))
        }
        None => (None, None),
    };
    let first = out.split_front(envs, spec);
    if rayon::current_num_threads() == 1 {
        each_shard(front, spec, head, first, task);
        each_shard(back, spec, tail, out, task);
    } else {
        rayon::join(
            || each_shard(front, spec, head, first, task),
            || each_shard(back, spec, tail, out, task),
        );
    }
}

impl<G: EcsGame> Sharded<G> {
    /// One instance for each global lane, `shard` of them to a world (at least one).
    ///
    /// # Errors
    /// When the schedules cannot be built, for example because a plugin's system is not ordered against another that
    /// touches the same data.
    pub fn new(
        game: G,
        lanes: Range<u32>,
        shard: usize,
        streams: Streams,
        plugins: Vec<Box<dyn Plugin>>,
    ) -> Result<Self, BuildError> {
        if lanes.is_empty() {
            return Err(BuildError { problems: vec!["`envs` must be at least 1".to_owned()] });
        }
        let size = shard.max(1) as u32;
        let shards = lanes
            .clone()
            .step_by(size as usize)
            .map(|first| {
                let last = first.saturating_add(size).min(lanes.end);
                Shard::new(&game, &plugins, first..last, streams)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { game, plugins, streams, shards, envs: lanes.len() })
    }

    fn locate(
        &mut self,
        lane: usize,
    ) -> Result<(&G, &[Box<dyn Plugin>], &mut Shard<G>, usize), BatchError> {
        let envs = self.envs;
        let mut within = lane;
        for shard in &mut self.shards {
            if within < shard.envs {
                return Ok((&self.game, &self.plugins, shard, within));
            }
            within -= shard.envs;
        }
        Err(BatchError::Lane { lane, envs })
    }
}

/// What a saved lane begins with, so that it is not restored into another game.
fn tag(spec: &EnvSpec) -> String {
    format!("{} version {}", spec.name, spec.version)
}

impl<G: EcsGame> BatchEnv for Sharded<G> {
    fn spec(&self) -> &EnvSpec {
        self.game.spec()
    }

    fn envs(&self) -> usize {
        self.envs
    }

    fn reset(&mut self, episode: u32, out: Outbox<'_>) -> Result<(), BatchError> {
        let Self { game, shards, streams, envs, .. } = self;
        out.check(*envs, game.spec())?;
        let task = |shard: &mut Shard<G>, _: Option<Actions<'_>>, out: Outbox<'_>| {
            shard.reset(game, *streams, episode, out);
        };
        each_shard(shards, game.spec(), None, out, &task);
        Ok(())
    }

    fn step(&mut self, actions: Actions<'_>, out: Outbox<'_>) -> Result<(), BatchError> {
        let Self { game, shards, streams, envs, .. } = self;
        out.check(*envs, game.spec())?;
        check_actions(actions, *envs, game.spec())?;
        let task = |shard: &mut Shard<G>, actions: Option<Actions<'_>>, out: Outbox<'_>| {
            if let Some(actions) = actions {
                shard.step(game, *streams, actions, out);
            }
        };
        each_shard(shards, game.spec(), Some(actions), out, &task);
        Ok(())
    }

    fn observe(&mut self, out: Outbox<'_>) -> Result<(), BatchError> {
        let Self { game, shards, envs, .. } = self;
        out.check(*envs, game.spec())?;
        let task = |shard: &mut Shard<G>, _: Option<Actions<'_>>, out: Outbox<'_>| {
            shard.observe(game, out);
        };
        each_shard(shards, game.spec(), None, out, &task);
        Ok(())
    }

    fn save(&mut self, lane: usize) -> Result<Vec<u8>, BatchError> {
        let (game, plugins, shard, within) = self.locate(lane)?;
        let mut to = Writer::new(&tag(game.spec()));
        let (clocks, dice) = shard.clocks();
        to.u32(clocks[within].episode);
        to.u32(clocks[within].step);
        to.rng(&dice[within].0);
        game.save(&mut shard.columns, &mut shard.world, within, &mut to);
        for plugin in plugins {
            plugin.save(&mut shard.world, within, &mut to);
        }
        Ok(to.finish())
    }

    fn restore(&mut self, lane: usize, saved: &[u8]) -> Result<(), BatchError> {
        let before = self.save(lane)?;
        let result = self.restore_unchecked(lane, saved);
        if result.is_err() {
            // A damaged lane must not leave a half restored instance behind.
            self.restore_unchecked(lane, &before)?;
        }
        result
    }

    fn watch(&mut self, lane: usize) -> Result<(), BatchError> {
        let (_, _, shard, within) = self.locate(lane)?;
        shard.watched.entry(within).or_default();
        Ok(())
    }

    fn describe_last(&self, lane: usize) -> Option<&Value> {
        let mut within = lane;
        for shard in &self.shards {
            if within < shard.envs {
                return shard.watched.get(&within)?.as_ref();
            }
            within -= shard.envs;
        }
        None
    }

    fn describe(&mut self, lane: usize) -> Result<Value, BatchError> {
        let (game, _, shard, within) = self.locate(lane)?;
        Ok(game.describe(&mut shard.columns, &mut shard.world, within))
    }

    fn scenery(&self) -> Value {
        self.game.scenery()
    }
}

impl<G: EcsGame> Sharded<G> {
    fn restore_unchecked(&mut self, lane: usize, saved: &[u8]) -> Result<(), BatchError> {
        let (game, plugins, shard, within) = self.locate(lane)?;
        let mut from = Reader::new(&tag(game.spec()), saved)?;
        let (clocks, dice) = shard.clocks();
        clocks[within].episode = from.u32()?;
        clocks[within].step = from.u32()?;
        dice[within].0 = from.rng()?;
        game.restore(&mut shard.columns, &mut shard.world, within, &mut from)?;
        for plugin in plugins {
            plugin.restore(&mut shard.world, within, &mut from)?;
        }
        from.finish()
    }
}
