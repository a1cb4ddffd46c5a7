//! Games of one agent whose whole state is one value, such as [`Sokoban`](crate::sokoban::Sokoban): what they need of
//! the simulator stands here once, and a game says by [`Puzzle`] what is its own.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemState;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::BuildError;
use crate::batch::{Actions, BatchEnv, BatchError, End};
use crate::ecs::{
    Clock, Dice, EcsGame, Frame, Phase, Plugin, Reward, Scope, Sharded, Stages, column, whole,
};
use crate::seed::Streams;
use crate::snapshot::{Reader, Writer};
use crate::spec::EnvSpec;

/// The rules of such a game. Its episodes terminate when it is solved, and are cut at the horizon of its facts.
pub(crate) trait Puzzle: Debug + Send + Sync + 'static {
    /// Everything that changes.
    type State: Copy + Default + Send + Sync + 'static;

    /// The typed facts: one agent, discrete actions, a horizon, and two tallies.
    fn spec(&self) -> EnvSpec;

    /// Where an episode begins.
    fn draw(&self, rng: &mut ChaCha8Rng) -> Self::State;

    /// One step; returns what it pays.
    fn go(&self, state: &mut Self::State, action: u8) -> f32;

    /// Whether the end is reached.
    fn solved(&self, state: &Self::State) -> bool;

    /// Whether an action would change anything.
    fn can(&self, state: &Self::State, action: u8) -> bool;

    /// The global state.
    fn show(&self, state: &Self::State, out: &mut [f32]);

    /// What the agent sees of it; all, unless a game says otherwise.
    fn observe(&self, state: &Self::State, out: &mut [f32]) {
        self.show(state, out);
    }

    /// What was counted so far.
    fn tallies(&self, state: &Self::State) -> [f32; 2];

    /// Appends the state.
    fn save(&self, state: &Self::State, to: &mut Writer);

    /// Takes back what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] when it is no state of this game.
    fn restore(&self, from: &mut Reader<'_>) -> Result<Self::State, BatchError>;

    /// The state in the game's own words.
    fn describe(&self, state: &Self::State) -> Value;

    /// Rows and columns of the board.
    fn size(&self) -> (u8, u8);
}

/// A batch of such games, as [`EnvFactory::build`](crate::EnvFactory::build), with systems from outside.
///
/// # Errors
/// No lanes, or a schedule that the plugins made ambiguous.
pub(crate) fn build<P: Puzzle>(
    rules: P,
    lanes: Range<u32>,
    shard: usize,
    streams: Streams,
    plugins: Vec<Box<dyn Plugin>>,
) -> Result<Box<dyn BatchEnv>, BuildError> {
    let game = Game { spec: Arc::new(rules.spec()), rules: Arc::new(rules) };
    Ok(Box::new(Sharded::new(game, lanes, shard, streams, plugins)?))
}

/// On each instance's row: the state.
#[derive(Component, Clone, Copy, Debug)]
struct Held<S: Send + Sync + 'static>(S);

/// On each agent's row: the action chosen for this step.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
struct Intent(u8);

#[derive(Resource)]
struct Setup<P: Puzzle> {
    rules: Arc<P>,
    horizon: Option<u32>,
}

const TABLE: &str = "components of puzzles are stored in tables";

fn play<P: Puzzle>(
    setup: Res<Setup<P>>,
    mut instances: Query<&mut Held<P::State>>,
    mut agents: Query<(&Intent, &mut Reward)>,
) {
    let states = column(whole(instances.contiguous_iter_mut().expect(TABLE)));
    let (intents, rewards) = whole(agents.contiguous_iter_mut().expect(TABLE));
    for ((state, intent), reward) in states.iter_mut().zip(intents).zip(column(rewards)) {
        reward.0 = setup.rules.go(&mut state.0, intent.0);
    }
}

fn judge<P: Puzzle>(setup: Res<Setup<P>>, mut instances: Query<(&mut Clock, &Held<P::State>)>) {
    let (clocks, states) = whole(instances.contiguous_iter_mut().expect(TABLE));
    for (clock, state) in column(clocks).iter_mut().zip(states) {
        clock.end = if setup.rules.solved(&state.0) {
            End::Terminated
        } else if setup.horizon.is_some_and(|horizon| clock.step >= horizon) {
            End::Truncated
        } else {
            End::Running
        };
    }
}

fn begin<P: Puzzle>(
    setup: Res<Setup<P>>,
    mut instances: Query<(&Clock, &mut Dice, &mut Held<P::State>)>,
) {
    let (clocks, dice, states) = whole(instances.contiguous_iter_mut().expect(TABLE));
    for ((clock, dice), state) in clocks.iter().zip(column(dice)).zip(column(states)) {
        if clock.end.is_over() {
            state.0 = setup.rules.draw(&mut dice.0);
        }
    }
}

/// Access to one shard's columns from outside its schedule.
struct Columns<S: Send + Sync + 'static> {
    states: SystemState<Query<'static, 'static, (&'static Clock, &'static mut Held<S>)>>,
    intents: QueryState<&'static mut Intent>,
}

impl<S: Send + Sync + 'static> Columns<S> {
    fn with<T>(
        &mut self,
        world: &mut World,
        task: impl FnOnce(&[Clock], &mut [Held<S>]) -> T,
    ) -> T {
        let mut query = self.states.get_mut(world).expect("queries need no resource");
        let (clocks, states) = whole(query.contiguous_iter_mut().expect(TABLE));
        task(clocks, column(states))
    }
}

struct Game<P> {
    spec: Arc<EnvSpec>,
    rules: Arc<P>,
}

// Derived, it would ask the rules to be clonable.
impl<P> Clone for Game<P> {
    fn clone(&self) -> Self {
        Self { spec: self.spec.clone(), rules: self.rules.clone() }
    }
}

impl<P: Puzzle> EcsGame for Game<P> {
    type Columns = Columns<P::State>;

    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn spawn(&self, world: &mut World, rows: Vec<(Clock, Dice)>) -> Self::Columns {
        let envs = rows.len();
        world.insert_resource(Setup { rules: self.rules.clone(), horizon: self.spec.horizon });
        let empty = Held(P::State::default());
        world.spawn_batch(rows.into_iter().map(move |(clock, dice)| (clock, dice, empty)));
        world.spawn_batch(std::iter::repeat_n((Intent(0), Reward(0.0)), envs));
        Columns { states: SystemState::new(world), intents: world.query() }
    }

    fn systems(&self, stages: &mut Stages) {
        stages
            .step
            .add_systems((play::<P>.in_set(Phase::Dynamics), judge::<P>.in_set(Phase::Reward)));
        stages.reset.add_systems(begin::<P>.in_set(Phase::Reset));
    }

    fn act(&self, columns: &mut Self::Columns, world: &mut World, actions: Actions<'_>) {
        let Actions::Discrete(actions) = actions else { return };
        let intents = column(whole(columns.intents.contiguous_iter_mut(world).expect(TABLE)));
        for (intent, &action) in intents.iter_mut().zip(actions) {
            intent.0 = action as u8;
        }
    }

    fn observe(
        &self,
        columns: &mut Self::Columns,
        world: &mut World,
        scope: Scope,
        frame: Frame<'_>,
    ) {
        let (rules, size) = (&*self.rules, self.spec.observation.size());
        let (shown, actions) = (self.spec.state, self.spec.action.mask_size());
        let Frame { observations, masks, state: global, tallies } = frame;
        columns.with(world, |clocks, states| {
            for (lane, (clock, Held(state))) in clocks.iter().zip(states).enumerate() {
                if scope == Scope::Ended && !clock.end.is_over() {
                    continue;
                }
                if let Some(out) = observations.get_mut(lane * size..(lane + 1) * size) {
                    rules.observe(state, out);
                }
                if let Some(out) = global.get_mut(lane * shown..(lane + 1) * shown) {
                    rules.show(state, out);
                }
                if let Some(mask) = masks.get_mut(lane * actions..(lane + 1) * actions) {
                    for (action, open) in mask.iter_mut().enumerate() {
                        *open = rules.can(state, action as u8);
                    }
                    // Who is walled in may do anything, which is nothing.
                    if !mask.contains(&true) {
                        mask.fill(true);
                    }
                }
                if let Some(out) = tallies.get_mut(lane * 2..(lane + 1) * 2) {
                    out.copy_from_slice(&rules.tallies(state));
                }
            }
        });
    }

    fn save(&self, columns: &mut Self::Columns, world: &mut World, lane: usize, to: &mut Writer) {
        columns.with(world, |_, states| self.rules.save(&states[lane].0, to));
    }

    fn restore(
        &self,
        columns: &mut Self::Columns,
        world: &mut World,
        lane: usize,
        from: &mut Reader<'_>,
    ) -> Result<(), BatchError> {
        let state = self.rules.restore(from)?;
        columns.with(world, |_, states| states[lane].0 = state);
        Ok(())
    }

    fn describe(&self, columns: &mut Self::Columns, world: &mut World, lane: usize) -> Value {
        columns.with(world, |_, states| self.rules.describe(&states[lane].0))
    }

    fn scenery(&self) -> Value {
        let (rows, cols) = self.rules.size();
        json!({ "rows": rows, "cols": cols })
    }
}
