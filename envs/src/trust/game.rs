//! The grid in the ECS: components, the systems of a step, saved lanes.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemState;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{ACTIONS, Escalation, Kind, Layout, MonsterHunt, Rules};
use crate::batch::{Actions, BatchError, End};
use crate::ecs::{Clock, Dice, EcsGame, Frame, Phase, Reward, Scope, Stages, column, whole};
use crate::seed::below;
use crate::snapshot::{Reader, Writer};
use crate::spec::EnvSpec;

const LEFT: u8 = 0;
const RIGHT: u8 = 1;
const UP: u8 = 2;
const DOWN: u8 = 3;
const STAY: u8 = 4;

/// On each agent's row: where it is.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Row from the top.
    pub row: u8,
    /// Column from the left.
    pub col: u8,
}

/// On each thing's row: where it is. The first of an instance is the monster or the light, apples follow.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thing(pub Place);

/// On each agent's row: the action chosen for this step.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent(pub u8);

/// On each agent's row: what it did in the last step of this episode; [`Past::NOTHING`] at its start.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past(pub u8);

impl Past {
    /// Before the first step.
    pub const NOTHING: Self = Self(u8::MAX);
}

/// On each instance's row: what was done in this episode.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Times the monster was hunted, or the light was stepped on, together.
    pub together: u32,
    /// Agents who were left alone with the monster or the light.
    pub betrayed: u32,
    /// Apples eaten.
    pub safe: u32,
    /// Steps together in a row on the light.
    pub run: u32,
    /// Whether a betrayal ends the episode now.
    over: bool,
}

impl Tally {
    /// In the order of [`Kind::tallies`], which leaves out those that cannot happen.
    fn counts(self) -> [f32; 3] {
        [self.together, self.betrayed, self.safe].map(|count| count as f32)
    }
}

#[derive(Resource, Clone)]
struct Setup(Arc<Rules>);

/// The systems of this game, as sets, so that a plugin can order its own against them.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// [`Phase::Dynamics`]: the monster moves.
    Chase,
    /// [`Phase::Dynamics`]: the agents walk.
    Walk,
    /// [`Phase::Interact`]: who meets what.
    Meet,
    /// [`Phase::Reward`]: ends are decided.
    Judge,
    /// [`Phase::Reset`]: new boards are laid.
    Begin,
}

const TABLE: &str = "components of the grid are stored in tables";

impl Place {
    /// Where a thing is that is gone.
    pub const NOWHERE: Self = Self { row: u8::MAX, col: u8::MAX };

    /// One step, unless it leads off the board. Without branches, for nobody can guess where an agent goes.
    fn moved(self, action: u8, rules: &Rules) -> Self {
        let goes = |direction: u8| u8::from(action == direction);
        Self {
            row: self.row.saturating_sub(goes(UP)).saturating_add(goes(DOWN)).min(rules.rows - 1),
            col: self
                .col
                .saturating_sub(goes(LEFT))
                .saturating_add(goes(RIGHT))
                .min(rules.cols - 1),
        }
    }

    fn square_distance(self, other: Self) -> u32 {
        let (rows, cols) = (self.row.abs_diff(other.row), self.col.abs_diff(other.col));
        u32::from(rows) * u32::from(rows) + u32::from(cols) * u32::from(cols)
    }
}

/// One instance's rows.
struct Board<'a> {
    rules: &'a Rules,
    rng: &'a mut ChaCha8Rng,
    places: &'a mut [Place],
    things: &'a mut [Thing],
}

impl Board<'_> {
    /// A cell without agents and things, all alike. At most half of the board is taken, so that one is found soon.
    fn free(&mut self) -> Place {
        let Rules { rows, cols, .. } = *self.rules;
        loop {
            let cell = below(self.rng, u32::from(rows) * u32::from(cols));
            let cell =
                Place { row: (cell / u32::from(cols)) as u8, col: (cell % u32::from(cols)) as u8 };
            if !self.places.contains(&cell) && !self.things.contains(&Thing(cell)) {
                return cell;
            }
        }
    }

    /// All agents, then all things, on cells of their own or on the given ones.
    fn lay(&mut self) {
        if let Layout::Fixed { agents, things } = &self.rules.layout {
            let at = |&(row, col): &(u8, u8)| Place { row, col };
            for (place, cell) in self.places.iter_mut().zip(agents) {
                *place = at(cell);
            }
            for (thing, cell) in self.things.iter_mut().zip(things) {
                *thing = Thing(at(cell));
            }
            return;
        }
        self.places.fill(Place::NOWHERE);
        self.things.fill(Thing(Place::NOWHERE));
        for agent in 0..self.places.len() {
            self.places[agent] = self.free();
        }
        for thing in 0..self.things.len() {
            self.things[thing] = Thing(self.free());
        }
    }

    fn chase(&mut self) {
        let monster = self.things[0].0;
        let closest = self.places.iter().min_by_key(|place| place.square_distance(monster));
        let Some(&closest) = closest.filter(|_| monster != Place::NOWHERE) else { return };
        let Place { row, col } = monster;
        let vertical = if closest.row < row { UP } else { DOWN };
        let horizontal = if closest.col < col { LEFT } else { RIGHT };
        let step = match (closest.row != row, closest.col != col) {
            (false, false) => STAY,
            (true, false) => vertical,
            (false, true) => horizontal,
            (true, true) => {
                let [first, second] = if below(self.rng, 2) == 0 {
                    [vertical, horizontal]
                } else {
                    [horizontal, vertical]
                };
                let there = Thing(monster.moved(first, self.rules));
                if self.things[1..].contains(&there) { second } else { first }
            }
        };
        self.things[0] = Thing(monster.moved(step, self.rules));
    }

    /// Number of agents on a cell.
    fn on(&self, cell: Place) -> usize {
        self.places.iter().map(|place| usize::from(*place == cell)).sum()
    }

    fn hunt(&mut self, hunt: &MonsterHunt, rewards: &mut [Reward], tally: &mut Tally) {
        let monster = self.things[0].0;
        let met = self.on(monster);
        if met > 0 {
            let pays = if met < hunt.needed { hunt.alone } else { hunt.together };
            for (place, reward) in self.places.iter().zip(&mut *rewards) {
                if *place == monster {
                    reward.0 += pays;
                }
            }
            if met >= hunt.needed {
                tally.together += 1;
            } else {
                tally.betrayed += met as u32;
            }
            self.things[0] = Thing(Place::NOWHERE);
        }
        for apple in 1..self.things.len() {
            let cell = self.things[apple].0;
            let several = self.on(cell);
            if several == 0 {
                continue;
            }
            let chosen = if several == 1 { 0 } else { below(self.rng, several as u32) as usize };
            let mut eaters = self.places.iter().enumerate().filter(|(_, place)| **place == cell);
            if let Some((eater, _)) = eaters.nth(chosen) {
                rewards[eater].0 += hunt.apple;
                tally.safe += 1;
            }
            self.things[apple] = Thing(Place::NOWHERE);
        }
        if hunt.respawn {
            for thing in 0..self.things.len() {
                if self.things[thing].0 == Place::NOWHERE {
                    self.things[thing] = Thing(self.free());
                }
            }
        }
    }

    fn escalate(&mut self, rules: &Escalation, rewards: &mut [Reward], tally: &mut Tally) {
        let light = self.things[0].0;
        let on_it = self.on(light);
        if on_it == self.places.len() {
            rewards.fill(Reward(rules.together));
            tally.together += 1;
            tally.run += 1;
            loop {
                let next = light.moved(below(self.rng, 4) as u8, self.rules);
                if next != light {
                    self.things[0] = Thing(next);
                    return;
                }
            }
        }
        if on_it == 0 || tally.run == 0 {
            return;
        }
        for (place, reward) in self.places.iter().zip(rewards) {
            if *place == light {
                reward.0 = rules.alone * tally.run as f32;
            }
        }
        tally.betrayed += on_it as u32;
        tally.run = 0;
        tally.over = rules.ends;
        if !rules.ends {
            self.things[0] = Thing(self.free());
        }
    }
}

type Instances = (&'static Clock, &'static mut Dice, &'static mut Tally);

fn chase(
    setup: Res<Setup>,
    mut instances: Query<&mut Dice>,
    mut places: Query<&mut Place>,
    mut things: Query<&mut Thing>,
) {
    let rules = &*setup.0;
    let dice = column(whole(instances.contiguous_iter_mut().expect(TABLE)));
    let places = column(whole(places.contiguous_iter_mut().expect(TABLE)));
    let things = column(whole(things.contiguous_iter_mut().expect(TABLE)));
    let boards = places.chunks_exact_mut(rules.agents).zip(things.chunks_exact_mut(rules.things));
    for (dice, (places, things)) in dice.iter_mut().zip(boards) {
        Board { rules, rng: &mut dice.0, places, things }.chase();
    }
}

fn walk(setup: Res<Setup>, mut agents: Query<(&mut Place, &Intent, &mut Past)>) {
    let (places, intents, past) = whole(agents.contiguous_iter_mut().expect(TABLE));
    for ((place, intent), past) in column(places).iter_mut().zip(intents).zip(column(past)) {
        *place = place.moved(intent.0, &setup.0);
        past.0 = intent.0;
    }
}

fn meet(
    setup: Res<Setup>,
    mut instances: Query<(&mut Dice, &mut Tally)>,
    mut agents: Query<(&mut Place, &mut Reward)>,
    mut things: Query<&mut Thing>,
) {
    let rules = &*setup.0;
    let (dice, tallies) = whole(instances.contiguous_iter_mut().expect(TABLE));
    let (places, rewards) = whole(agents.contiguous_iter_mut().expect(TABLE));
    let rewards = column(rewards);
    rewards.fill(Reward(0.0));
    let things = column(whole(things.contiguous_iter_mut().expect(TABLE)));
    let teams = column(places).chunks_exact_mut(rules.agents);
    let boards = teams.zip(things.chunks_exact_mut(rules.things));
    let paid = column(tallies).iter_mut().zip(rewards.chunks_exact_mut(rules.agents));
    for ((dice, (places, things)), (tally, rewards)) in
        column(dice).iter_mut().zip(boards).zip(paid)
    {
        let mut board = Board { rules, rng: &mut dice.0, places, things };
        match &rules.kind {
            Kind::Hunt(hunt) => board.hunt(hunt, rewards, tally),
            Kind::Escalation(escalation) => board.escalate(escalation, rewards, tally),
        }
    }
}

fn judge(setup: Res<Setup>, mut instances: Query<(&mut Clock, &Tally)>) {
    let (clocks, tallies) = whole(instances.contiguous_iter_mut().expect(TABLE));
    for (clock, tally) in column(clocks).iter_mut().zip(tallies) {
        clock.end = if tally.over {
            End::Terminated
        } else if clock.step >= setup.0.steps {
            End::Truncated
        } else {
            End::Running
        };
    }
}

fn begin(
    setup: Res<Setup>,
    mut instances: Query<Instances>,
    mut agents: Query<(&mut Place, &mut Past)>,
    mut things: Query<&mut Thing>,
) {
    let rules = &*setup.0;
    let (clocks, dice, tallies) = whole(instances.contiguous_iter_mut().expect(TABLE));
    let (places, past) = whole(agents.contiguous_iter_mut().expect(TABLE));
    let things = column(whole(things.contiguous_iter_mut().expect(TABLE)));
    let teams = column(places).chunks_exact_mut(rules.agents);
    let boards = teams.zip(things.chunks_exact_mut(rules.things));
    let memories = column(tallies).iter_mut().zip(column(past).chunks_exact_mut(rules.agents));
    let lanes = clocks.iter().zip(column(dice)).zip(boards).zip(memories);
    for (((clock, dice), (places, things)), (tally, past)) in lanes {
        if clock.end.is_over() {
            Board { rules, rng: &mut dice.0, places, things }.lay();
            *tally = Tally::default();
            past.fill(Past::NOTHING);
        }
    }
}

type AgentColumns = (&'static mut Place, &'static mut Intent, &'static mut Past);

/// Access to one shard's columns from outside its schedule.
pub(super) struct Columns {
    all: SystemState<(
        Query<'static, 'static, AgentColumns>,
        Query<'static, 'static, &'static mut Thing>,
        Query<'static, 'static, (&'static Clock, &'static mut Tally)>,
    )>,
}

/// The columns of one shard, all instances.
struct Table<'a> {
    places: &'a mut [Place],
    intents: &'a mut [Intent],
    past: &'a mut [Past],
    things: &'a mut [Thing],
    clocks: &'a [Clock],
    tallies: &'a mut [Tally],
}

impl Columns {
    fn with<T>(&mut self, world: &mut World, task: impl FnOnce(Table<'_>) -> T) -> T {
        let (mut agents, mut things, mut instances) =
            self.all.get_mut(world).expect("queries need no resource");
        let (places, intents, past) = whole(agents.contiguous_iter_mut().expect(TABLE));
        let (clocks, tallies) = whole(instances.contiguous_iter_mut().expect(TABLE));
        task(Table {
            places: column(places),
            intents: column(intents),
            past: column(past),
            things: column(whole(things.contiguous_iter_mut().expect(TABLE))),
            clocks,
            tallies: column(tallies),
        })
    }
}

/// A grid with validated rules.
#[derive(Clone)]
pub(super) struct Game {
    pub(super) spec: Arc<EnvSpec>,
    pub(super) rules: Arc<Rules>,
}

/// One agent's view of its instance, without the memory.
fn see(rules: &Rules, agent: usize, places: &[Place], things: &[Thing], run: u32, out: &mut [f32]) {
    // The highest bit is free for a sign, so that what is gone is at (-1, -1).
    let shown = |place: Place| [place.row, place.col].map(|here| f32::from(here.cast_signed()));
    let (pairs, _) = out.as_chunks_mut::<2>();
    let (agents, rest) = pairs.split_at_mut(places.len());
    agents[0] = shown(places[agent]);
    let (before, after) = (&places[..agent], &places[agent + 1..]);
    for (pair, &place) in agents[1..].iter_mut().zip(before) {
        *pair = shown(place);
    }
    for (pair, &place) in agents[agent + 1..].iter_mut().zip(after) {
        *pair = shown(place);
    }
    for (pair, thing) in rest.iter_mut().zip(things) {
        *pair = shown(thing.0);
    }
    if matches!(rules.kind, Kind::Escalation(_)) {
        out[rules.places() - 1] = run as f32 / rules.steps as f32;
    }
}

impl EcsGame for Game {
    type Columns = Columns;

    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn spawn(&self, world: &mut World, rows: Vec<(Clock, Dice)>) -> Columns {
        let envs = rows.len();
        world.insert_resource(Setup(self.rules.clone()));
        world.spawn_batch(rows.into_iter().map(|(clock, dice)| (clock, dice, Tally::default())));
        let agent = (Place::NOWHERE, Intent(STAY), Past::NOTHING, Reward(0.0));
        world.spawn_batch(std::iter::repeat_n(agent, envs * self.rules.agents));
        world.spawn_batch(std::iter::repeat_n(Thing(Place::NOWHERE), envs * self.rules.things));
        Columns { all: SystemState::new(world) }
    }

    fn systems(&self, stages: &mut Stages) {
        stages.step.add_systems((
            walk.in_set(System::Walk).in_set(Phase::Dynamics),
            meet.in_set(System::Meet).in_set(Phase::Interact),
            judge.in_set(System::Judge).in_set(Phase::Reward),
        ));
        if matches!(&self.rules.kind, Kind::Hunt(hunt) if hunt.chases) {
            let chase = chase.in_set(System::Chase).in_set(Phase::Dynamics);
            stages.step.add_systems(chase.before(System::Walk));
        }
        stages.reset.add_systems(begin.in_set(System::Begin).in_set(Phase::Reset));
    }

    fn act(&self, columns: &mut Columns, world: &mut World, actions: Actions<'_>) {
        let Actions::Discrete(actions) = actions else { return };
        columns.with(world, |table| {
            for (intent, &action) in table.intents.iter_mut().zip(actions) {
                intent.0 = action as u8;
            }
        });
    }

    fn observe(&self, columns: &mut Columns, world: &mut World, scope: Scope, frame: Frame<'_>) {
        let rules = &*self.rules;
        let (agents, size, state) = (rules.agents, self.spec.observation.size(), self.spec.state);
        let (size_of_mask, memory) = (ACTIONS.len(), rules.places());
        let counted = self.spec.tallies.len();
        columns.with(world, |table| {
            for (lane, clock) in table.clocks.iter().enumerate() {
                if scope == Scope::Ended && !clock.end.is_over() {
                    continue;
                }
                let places = &table.places[lane * agents..(lane + 1) * agents];
                let past = &table.past[lane * agents..(lane + 1) * agents];
                let things = &table.things[lane * rules.things..(lane + 1) * rules.things];
                let run = table.tallies[lane].run;
                for (agent, place) in places.iter().enumerate() {
                    let row = lane * agents + agent;
                    if let Some(out) = frame.observations.get_mut(row * size..(row + 1) * size) {
                        see(rules, agent, places, things, run, out);
                        let others = past.iter().enumerate().filter(|(other, _)| *other != agent);
                        let slots = out[memory..].as_chunks_mut::<{ ACTIONS.len() }>().0.iter_mut();
                        for (slot, (_, past)) in slots.zip(others) {
                            *slot = std::array::from_fn(|action| {
                                f32::from(u8::from(action == past.0 as usize))
                            });
                        }
                    }
                    let mask = row * size_of_mask..(row + 1) * size_of_mask;
                    if let Some(out) = frame.masks.get_mut(mask) {
                        // In the order of the actions.
                        let Place { row, col } = *place;
                        out.copy_from_slice(&[
                            col > 0,
                            col + 1 < rules.cols,
                            row > 0,
                            row + 1 < rules.rows,
                            true,
                        ]);
                    }
                }
                if let Some(out) = frame.state.get_mut(lane * state..(lane + 1) * state) {
                    see(rules, 0, places, things, run, out);
                }
                let tallies = lane * counted..(lane + 1) * counted;
                if let Some(out) = frame.tallies.get_mut(tallies) {
                    out.copy_from_slice(&table.tallies[lane].counts()[..counted]);
                }
            }
        });
    }

    fn save(&self, columns: &mut Columns, world: &mut World, lane: usize, to: &mut Writer) {
        let Rules { agents, things, .. } = *self.rules;
        columns.with(world, |table| {
            for row in lane * agents..(lane + 1) * agents {
                to.u8(table.places[row].row);
                to.u8(table.places[row].col);
                to.u8(table.past[row].0);
            }
            for Thing(place) in &table.things[lane * things..(lane + 1) * things] {
                to.u8(place.row);
                to.u8(place.col);
            }
            let Tally { together, betrayed, safe, run, over: _ } = table.tallies[lane];
            for count in [together, betrayed, safe, run] {
                to.u32(count);
            }
        });
    }

    fn restore(
        &self,
        columns: &mut Columns,
        world: &mut World,
        lane: usize,
        from: &mut Reader<'_>,
    ) -> Result<(), BatchError> {
        let Rules { agents, things, rows, cols, .. } = *self.rules;
        let bad = |why: &str| BatchError::Snapshot { why: why.to_owned() };
        let on_board = |place: Place| place.row < rows && place.col < cols;
        columns.with(world, |table| {
            for row in lane * agents..(lane + 1) * agents {
                table.places[row] = Place { row: from.u8()?, col: from.u8()? };
                if !on_board(table.places[row]) {
                    return Err(bad("an agent is outside the board"));
                }
                table.past[row] = Past(from.u8()?);
            }
            for Thing(place) in &mut table.things[lane * things..(lane + 1) * things] {
                *place = Place { row: from.u8()?, col: from.u8()? };
                if !on_board(*place) && *place != Place::NOWHERE {
                    return Err(bad("a thing is outside the board"));
                }
            }
            table.tallies[lane] = Tally {
                together: from.u32()?,
                betrayed: from.u32()?,
                safe: from.u32()?,
                run: from.u32()?,
                over: false,
            };
            Ok(())
        })
    }

    fn describe(&self, columns: &mut Columns, world: &mut World, lane: usize) -> Value {
        let Rules { agents, things, .. } = *self.rules;
        columns.with(world, |table| {
            let cell = |place: Place| {
                (place != Place::NOWHERE).then(|| json!({ "row": place.row, "col": place.col }))
            };
            let places = &table.places[lane * agents..(lane + 1) * agents];
            let things = &table.things[lane * things..(lane + 1) * things];
            let Tally { together, betrayed, safe, run, .. } = table.tallies[lane];
            let mut state = json!({
                "agents": places.iter().map(|place| cell(*place)).collect::<Vec<_>>(),
                "together": together,
                "betrayed": betrayed,
            });
            let rest: Vec<_> = things[1..].iter().map(|thing| cell(thing.0)).collect();
            let first = cell(things[0].0);
            let more = match self.rules.kind {
                Kind::Hunt(_) => {
                    vec![("monster", json!(first)), ("apples", json!(rest)), ("safe", json!(safe))]
                }
                Kind::Escalation(_) => vec![("light", json!(first)), ("run", json!(run))],
            };
            for (name, value) in more {
                state[name] = value;
            }
            state
        })
    }

    fn scenery(&self) -> Value {
        json!({ "rows": self.rules.rows, "cols": self.rules.cols })
    }
}
