//! Foraging in the ECS: components, the systems of a step, saved lanes.

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemState;
use serde_json::{Value, json};

use super::pcg64::Pcg64;
use super::place::{Board, Scratch};
use super::{Mode, Rules, observe};
use crate::batch::{Actions, BatchError, End};
use crate::ecs::{Clock, Dice, EcsGame, Frame, Phase, Reward, Scope, Seeds, column, whole};
use crate::seed::Streams;
use crate::snapshot::{Reader, Writer};
use crate::spec::EnvSpec;

/// On each player's and food's row: where it is.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Row from the top.
    pub row: u8,
    /// Column from the left.
    pub col: u8,
}

impl Cell {
    /// Where eaten foods and players that were never placed are.
    pub const NOWHERE: Self = Self { row: u8::MAX, col: u8::MAX };

    /// Row and column in one number, so that cells are compared and moved in one operation.
    fn key(self) -> u16 {
        u16::from_le_bytes([self.row, self.col])
    }

    fn from_key(key: u16) -> Self {
        let [row, col] = key.to_le_bytes();
        Self { row, col }
    }

    fn distance(self, other: Self) -> u8 {
        self.row.abs_diff(other.row).saturating_add(self.col.abs_diff(other.col))
    }
}

const NORTH: u8 = 1;
const SOUTH: u8 = 2;
const WEST: u8 = 3;
const EAST: u8 = 4;
const LOAD: u8 = 5;

/// What each action adds to a cell's key. A step off the board wraps around; masks forbid it.
const STEP: [u16; 6] = [0, 1_u16.wrapping_neg(), 1, 256_u16.wrapping_neg(), 256, 0];

/// On each player's row: its level.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(pub u8);

/// On each player's row: the action chosen for this step, before rules are applied.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent(pub u8);

/// On each player's row: bit `a` says whether action `a` has an effect; an action without becomes NONE.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Legal(pub u8);

/// On each player's row: how many cells it sees along each axis. Vector observations follow it;
/// grid observations keep the configured size.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight(pub u8);

/// On each food's row: its level, 0 when eaten.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Food(pub u16);

/// On each instance's row: what is left on the board.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Foods not eaten yet.
    pub left: u16,
    /// Summed levels of all foods at the start of the episode.
    pub spawned: u32,
}

/// On each instance's row in `Reference` mode: numpy's generator.
#[derive(Component, Clone, Copy, Debug)]
struct Numpy(Pcg64);

#[derive(Resource, Clone)]
struct Setup(Arc<Rules>);

/// The systems of this game, as sets, so that a plugin can order its own against them.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// [`Phase::Dynamics`]: players move.
    Advance,
    /// [`Phase::Interact`]: foods are loaded.
    Load,
    /// [`Phase::Reward`]: a common reward is shared.
    Share,
    /// [`Phase::Reward`]: ends are decided.
    Judge,
    /// [`Phase::Reset`]: new boards are laid.
    Begin,
    /// [`Phase::Observe`]: legal actions are found.
    Look,
}

const TABLE: &str = "foraging's components are stored in tables";

/// Most players of one instance; a validated configuration has no more.
const MOST: usize = 64;

/// Repeats an expression for the usual small counts, each as a constant, so that the loops over one instance's few
/// rows are unrolled; and once for any count.
macro_rules! specialize {
    ($count:expr, |$name:ident| $body:expr) => {
        match $count {
            1 => {
                let $name = 1;
                $body
            }
            2 => {
                let $name = 2;
                $body
            }
            3 => {
                let $name = 3;
                $body
            }
            4 => {
                let $name = 4;
                $body
            }
            5 => {
                let $name = 5;
                $body
            }
            $name => $body,
        }
    };
}
pub(super) use specialize;

fn advance(setup: Res<Setup>, mut players: Query<(&mut Cell, &Intent, &Legal), Without<Food>>) {
    let clean = setup.0.mode == Mode::Clean;
    let (cells, intents, legal) = whole(players.contiguous_iter_mut().expect(TABLE));
    let cells = column(cells);
    let mut targets = [0_u16; MOST];
    specialize!(setup.0.players, |count| {
        let teams = cells.chunks_exact_mut(count).zip(intents.chunks_exact(count));
        for ((team, intents), legal) in teams.zip(legal.chunks_exact(count)) {
            let targets = &mut targets[..count];
            for index in 0..count {
                let action = intents[index].0;
                let step =
                    if legal[index].0 >> action & 1 == 1 { STEP[action as usize] } else { 0 };
                targets[index] = team[index].key().wrapping_add(step);
            }
            if clean && count > 2 {
                hold_followers(team, targets);
            }
            for index in 0..count {
                let target = targets[index];
                let wanted: usize = targets.iter().map(|other| usize::from(*other == target)).sum();
                if wanted == 1 {
                    team[index] = Cell::from_key(target);
                }
            }
        }
    });
}

/// Turns moves that cannot happen into standing still, and then the moves into the cells of those who stand still,
/// until nothing changes. Without it a player could enter the cell of one that is blocked by a third;
/// so two players never need it.
fn hold_followers(team: &[Cell], targets: &mut [u16]) {
    let moves = |targets: &[u16], index: usize| targets[index] != team[index].key();
    loop {
        let blocked = (0..team.len()).find(|&index| {
            moves(targets, index)
                && (0..team.len()).any(|other| other != index && targets[other] == targets[index])
        });
        let Some(index) = blocked else { return };
        // All who want this cell stay where they are, so one of them may still be wanted elsewhere: look again.
        let wanted = targets[index];
        for (target, cell) in targets.iter_mut().zip(team) {
            if *target == wanted {
                *target = cell.key();
            }
        }
    }
}

type Loaders =
    (&'static Cell, &'static Level, &'static Intent, &'static Legal, &'static mut Reward);

/// The food that a player at `cell` loads: the first in the order N, S, W, E.
fn food_beside(cell: Cell, foods: &[Cell]) -> Option<usize> {
    [NORTH, SOUTH, WEST, EAST].iter().find_map(|&side| {
        let beside = cell.key().wrapping_add(STEP[side as usize]);
        // From the corner a step off the board would lead to where eaten foods are.
        foods.iter().position(|food| *food != Cell::NOWHERE && food.key() == beside)
    })
}

fn load(
    setup: Res<Setup>,
    mut players: Query<Loaders, Without<Food>>,
    mut foods: Query<(&mut Cell, &mut Food)>,
    mut fields: Query<&mut Field>,
) {
    let rules = &*setup.0;
    let (cells, levels, intents, legal, rewards) =
        whole(players.contiguous_iter_mut().expect(TABLE));
    let (food_cells, food_levels) = whole(foods.contiguous_iter_mut().expect(TABLE));
    let (food_cells, food_levels) = (column(food_cells), column(food_levels));
    let rewards = column(rewards);
    rewards.fill(Reward(0.0));
    let fields = column(whole(fields.contiguous_iter_mut().expect(TABLE)));
    for (lane, field) in fields.iter_mut().enumerate() {
        let rows = lane * rules.players..(lane + 1) * rules.players;
        let mut waiting = 0_u64;
        let chosen = intents[rows.clone()].iter().zip(&legal[rows.clone()]);
        for (index, (intent, legal)) in chosen.enumerate() {
            let loads = intent.0 == LOAD && legal.0 >> LOAD & 1 == 1;
            waiting |= u64::from(loads) << index;
        }
        if waiting == 0 {
            continue;
        }
        let (cells, levels) = (&cells[rows.clone()], &levels[rows.clone()]);
        let rewards = &mut rewards[rows];
        let foods = lane * rules.foods..(lane + 1) * rules.foods;
        let (food_cells, food_levels) = (&mut food_cells[foods.clone()], &mut food_levels[foods]);
        load_foods(rules, waiting, cells, levels, rewards, food_cells, food_levels, field);
    }
}

/// Players in the bit set `waiting` load, in groups, each at one food.
#[expect(clippy::too_many_arguments, reason = "the columns of one instance")]
fn load_foods(
    rules: &Rules,
    mut waiting: u64,
    cells: &[Cell],
    levels: &[Level],
    rewards: &mut [Reward],
    food_cells: &mut [Cell],
    food_levels: &mut [Food],
    field: &mut Field,
) {
    // Groups form on the board as it was, so that the order in which they are served cannot matter.
    let mut choice = [None; MOST];
    if rules.mode == Mode::Clean {
        for index in bits(waiting) {
            choice[index] = food_beside(cells[index], food_cells);
        }
    }
    while waiting != 0 {
        let first = waiting.trailing_zeros() as usize;
        let mine = match rules.mode {
            Mode::Clean => choice[first],
            Mode::Reference => food_beside(cells[first], food_cells),
        };
        let Some(food) = mine else {
            waiting &= waiting - 1;
            continue;
        };
        let target = food_cells[food];
        let mut group = 0_u64;
        for index in bits(waiting) {
            let joins = match rules.mode {
                Mode::Clean => choice[index] == Some(food),
                Mode::Reference => cells[index].distance(target) == 1,
            };
            group |= u64::from(joins) << index;
        }
        waiting &= !group;
        let level = u32::from(food_levels[food].0);
        let joined: u32 = bits(group).map(|index| u32::from(levels[index].0)).sum();
        if joined < level {
            for index in bits(group) {
                rewards[index].0 -= rules.penalty;
            }
            continue;
        }
        for index in bits(group) {
            let share = f64::from(u32::from(levels[index].0) * level);
            let whole = if rules.normalize { f64::from(joined * field.spawned) } else { 1.0 };
            rewards[index].0 = (share / whole) as f32;
        }
        food_cells[food] = Cell::NOWHERE;
        food_levels[food] = Food(0);
        field.left -= 1;
    }
}

/// Indices of the set bits, lowest first.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(lowest)
    })
}

fn share(setup: Res<Setup>, mut rewards: Query<&mut Reward>) {
    let rewards = column(whole(rewards.contiguous_iter_mut().expect(TABLE)));
    for team in rewards.chunks_exact_mut(setup.0.players) {
        let sum: f64 = team.iter().map(|reward| f64::from(reward.0)).sum();
        team.fill(Reward(sum as f32));
    }
}

fn judge(setup: Res<Setup>, mut instances: Query<(&mut Clock, &Field)>) {
    let (clocks, fields) = whole(instances.contiguous_iter_mut().expect(TABLE));
    // The reference sets `done` at the limit and never `truncated`.
    let limit = match setup.0.mode {
        Mode::Reference => End::Terminated,
        Mode::Clean => End::Truncated,
    };
    for (clock, field) in column(clocks).iter_mut().zip(fields) {
        clock.end = if field.left == 0 {
            End::Terminated
        } else if clock.step >= setup.0.steps {
            limit
        } else {
            End::Running
        };
    }
}

fn begin(
    setup: Res<Setup>,
    mut scratch: Local<Scratch>,
    mut instances: Query<(&Clock, &mut Dice, &mut Field)>,
    mut numpy: Query<&mut Numpy>,
    mut players: Query<(&mut Cell, &mut Level), Without<Food>>,
    mut foods: Query<(&mut Cell, &mut Food)>,
) {
    let rules = &*setup.0;
    let (clocks, dice, fields) = whole(instances.contiguous_iter_mut().expect(TABLE));
    if clocks.iter().all(|clock| !clock.end.is_over()) {
        return;
    }
    let (dice, fields) = (column(dice), column(fields));
    let (cells, levels) = whole(players.contiguous_iter_mut().expect(TABLE));
    let (cells, levels) = (column(cells), column(levels));
    let (food_cells, food_levels) = whole(foods.contiguous_iter_mut().expect(TABLE));
    let (food_cells, food_levels) = (column(food_cells), column(food_levels));
    let mut numpy = numpy.contiguous_iter_mut().expect(TABLE).next().map(column);
    for lane in (0..clocks.len()).filter(|&lane| clocks[lane].end.is_over()) {
        let rows = lane * rules.players..(lane + 1) * rules.players;
        let food_rows = lane * rules.foods..(lane + 1) * rules.foods;
        let mut board = Board {
            players: &mut cells[rows.clone()],
            levels: &mut levels[rows],
            foods: &mut food_cells[food_rows.clone()],
            food_levels: &mut food_levels[food_rows],
        };
        match (&rules.fixed, &mut numpy) {
            (Some((players, foods)), _) => board.fixed(players, foods),
            (None, Some(numpy)) => board.draw(rules, &mut numpy[lane].0, &mut scratch),
            (None, None) => board.draw(rules, &mut dice[lane].0, &mut scratch),
        }
        fields[lane] = Field {
            left: board.food_levels.iter().filter(|level| level.0 > 0).count() as u16,
            spawned: board.food_levels.iter().map(|level| u32::from(level.0)).sum(),
        };
    }
}

fn look(
    setup: Res<Setup>,
    mut players: Query<(&Cell, &mut Legal), Without<Food>>,
    foods: Query<&Cell, With<Food>>,
) {
    let rules = &*setup.0;
    let (cells, legal) = whole(players.contiguous_iter_mut().expect(TABLE));
    let foods = whole(foods.contiguous_iter().expect(TABLE));
    let legal = column(legal);
    let (last_row, last_col) = (rules.rows - 1, rules.cols - 1);
    specialize!(rules.foods, |count| {
        let teams = cells.chunks_exact(rules.players).zip(legal.chunks_exact_mut(rules.players));
        for ((team, legal), foods) in teams.zip(foods.chunks_exact(count)) {
            for (cell, legal) in team.iter().zip(legal) {
                let on_board = u8::from(cell.row > 0) << NORTH
                    | u8::from(cell.row < last_row) << SOUTH
                    | u8::from(cell.col > 0) << WEST
                    | u8::from(cell.col < last_col) << EAST;
                let key = cell.key();
                let mut food = 0;
                for other in foods {
                    for side in [NORTH, SOUTH, WEST, EAST] {
                        let beside = key.wrapping_add(STEP[side as usize]);
                        food |= u8::from(other.key() == beside) << side;
                    }
                }
                // A step off the board may wrap to where eaten foods are.
                food &= on_board;
                legal.0 = 1 | (on_board & !food) | u8::from(food != 0) << LOAD;
            }
        }
    });
}

type PlayerColumns = (&'static Cell, &'static Level, &'static Legal, &'static Sight);
type FoodColumns = (&'static Cell, &'static Food);

/// Access to one shard's columns from outside its schedule.
pub struct Columns {
    see: SystemState<(
        Query<'static, 'static, PlayerColumns, Without<Food>>,
        Query<'static, 'static, FoodColumns>,
        Query<'static, 'static, (&'static Clock, &'static Field)>,
    )>,
    intents: QueryState<&'static mut Intent>,
    change: SystemState<(
        Query<
            'static,
            'static,
            (&'static mut Cell, &'static mut Level, &'static mut Legal, &'static mut Sight),
            Without<Food>,
        >,
        Query<'static, 'static, (&'static mut Cell, &'static mut Food)>,
        Query<'static, 'static, &'static mut Field>,
        Query<'static, 'static, (&'static Clock, &'static mut Numpy)>,
    )>,
}

/// The columns of one shard, all instances.
pub(super) struct Seen<'a> {
    pub(super) cells: &'a [Cell],
    pub(super) levels: &'a [Level],
    pub(super) legal: &'a [Legal],
    pub(super) sights: &'a [Sight],
    pub(super) food_cells: &'a [Cell],
    pub(super) food_levels: &'a [Food],
    pub(super) clocks: &'a [Clock],
}

impl Columns {
    fn with<T>(&mut self, world: &World, use_columns: impl FnOnce(&Seen<'_>, &[Field]) -> T) -> T {
        let (players, foods, instances) = self.see.get(world).expect("queries need no resource");
        let (cells, levels, legal, sights) = whole(players.contiguous_iter().expect(TABLE));
        let (food_cells, food_levels) = whole(foods.contiguous_iter().expect(TABLE));
        let (clocks, fields) = whole(instances.contiguous_iter().expect(TABLE));
        let seen = Seen { cells, levels, legal, sights, food_cells, food_levels, clocks };
        use_columns(&seen, fields)
    }
}

/// Foraging with validated rules.
#[derive(Clone)]
pub struct Game {
    spec: Arc<EnvSpec>,
    rules: Arc<Rules>,
}

impl Game {
    pub(super) fn new(spec: EnvSpec, rules: Rules) -> Self {
        Self { spec: Arc::new(spec), rules: Arc::new(rules) }
    }
}

/// The reference's environment number `lane`, seeded as `reset(seed=root + lane)` does.
fn reference_rng(streams: Streams, lane: u32, episode: u32) -> Pcg64 {
    let seed = streams.root().wrapping_add(u64::from(lane));
    if episode == 0 { Pcg64::seeded(seed) } else { Pcg64::seeded_pair(seed, episode) }
}

impl EcsGame for Game {
    type Columns = Columns;

    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn spawn(&self, world: &mut World, rows: Vec<(Clock, Dice)>) -> Columns {
        let Rules { players, foods, sight, mode, .. } = *self.rules;
        let envs = rows.len();
        world.insert_resource(Setup(self.rules.clone()));
        for (clock, dice) in rows {
            match mode {
                Mode::Clean => world.spawn((clock, dice, Field::default())),
                Mode::Reference => {
                    let numpy = Numpy(Pcg64::seeded(0));
                    world.spawn((clock, dice, Field::default(), numpy))
                }
            };
        }
        let player = (Cell::NOWHERE, Level(1), Intent(0), Legal(1), Sight(sight), Reward(0.0));
        world.spawn_batch(std::iter::repeat_n(player, envs * players));
        world.spawn_batch(std::iter::repeat_n((Cell::NOWHERE, Food(0)), envs * foods));
        Columns {
            see: SystemState::new(world),
            intents: world.query(),
            change: SystemState::new(world),
        }
    }

    fn systems(&self, step: &mut Schedule, settle: &mut Schedule) {
        step.add_systems((
            advance.in_set(System::Advance).in_set(Phase::Dynamics),
            load.in_set(System::Load).in_set(Phase::Interact),
            judge.in_set(System::Judge).in_set(Phase::Reward),
        ));
        if self.rules.common {
            step.add_systems(
                share.in_set(System::Share).in_set(Phase::Reward).before(System::Judge),
            );
        }
        settle.add_systems((
            begin.in_set(System::Begin).in_set(Phase::Reset),
            look.in_set(System::Look).in_set(Phase::Observe),
        ));
    }

    fn restart(&self, columns: &mut Columns, world: &mut World, episode: u32) {
        if self.rules.mode == Mode::Clean {
            return;
        }
        let streams = world.resource::<Seeds>().0;
        let (mut players, _, _, mut numpy) =
            columns.change.get_mut(world).expect("queries need no resource");
        let (cells, ..) = whole(players.contiguous_iter_mut().expect(TABLE));
        column(cells).fill(Cell::NOWHERE);
        let (clocks, numpy) = whole(numpy.contiguous_iter_mut().expect(TABLE));
        for (clock, numpy) in clocks.iter().zip(column(numpy)) {
            numpy.0 = reference_rng(streams, clock.lane, episode);
        }
    }

    fn act(&self, columns: &mut Columns, world: &mut World, actions: Actions<'_>) {
        let Actions::Discrete(actions) = actions else { return };
        let intents = column(whole(columns.intents.contiguous_iter_mut(world).expect(TABLE)));
        for (intent, &action) in intents.iter_mut().zip(actions) {
            intent.0 = action as u8;
        }
    }

    fn observe(&self, columns: &mut Columns, world: &mut World, scope: Scope, frame: Frame<'_>) {
        columns.with(world, |seen, _| observe::write(&self.rules, &self.spec, seen, scope, frame));
    }

    fn save(&self, columns: &mut Columns, world: &mut World, lane: usize, to: &mut Writer) {
        let Rules { players, foods, .. } = *self.rules;
        columns.with(world, |seen, fields| {
            for row in lane * players..(lane + 1) * players {
                to.u8(seen.cells[row].row);
                to.u8(seen.cells[row].col);
                to.u8(seen.levels[row].0);
                to.u8(seen.legal[row].0);
                to.u8(seen.sights[row].0);
            }
            for row in lane * foods..(lane + 1) * foods {
                to.u8(seen.food_cells[row].row);
                to.u8(seen.food_cells[row].col);
                to.u32(u32::from(seen.food_levels[row].0));
            }
            to.u32(fields[lane].spawned);
        });
        let (.., numpy) = columns.change.get_mut(world).expect("queries need no resource");
        if let Some((_, numpy)) = numpy.contiguous_iter().expect(TABLE).next() {
            let (state, increment, half) = numpy[lane].0.parts();
            to.u128(state);
            to.u128(increment);
            to.u8(u8::from(half.is_some()));
            to.u32(half.unwrap_or(0));
        }
    }

    fn restore(
        &self,
        columns: &mut Columns,
        world: &mut World,
        lane: usize,
        from: &mut Reader<'_>,
    ) -> Result<(), BatchError> {
        let Rules { players, foods, rows, cols, .. } = *self.rules;
        let on_board = |cell: Cell| cell.row < rows && cell.col < cols;
        let bad = |why: &str| BatchError::Snapshot { why: why.to_owned() };
        let (mut player_rows, mut food_rows, mut fields, mut numpy) =
            columns.change.get_mut(world).expect("queries need no resource");
        let (cells, levels, legal, sights) = whole(player_rows.contiguous_iter_mut().expect(TABLE));
        let (cells, levels) = (column(cells), column(levels));
        let (legal, sights) = (column(legal), column(sights));
        for row in lane * players..(lane + 1) * players {
            let cell = Cell { row: from.u8()?, col: from.u8()? };
            if !on_board(cell) {
                return Err(bad("a player is outside the board"));
            }
            cells[row] = cell;
            levels[row].0 = from.u8()?;
            legal[row].0 = from.u8()?;
            sights[row].0 = from.u8()?;
        }
        let (food_cells, food_levels) = whole(food_rows.contiguous_iter_mut().expect(TABLE));
        let (food_cells, food_levels) = (column(food_cells), column(food_levels));
        let mut field = Field::default();
        for row in lane * foods..(lane + 1) * foods {
            let cell = Cell { row: from.u8()?, col: from.u8()? };
            let level =
                u16::try_from(from.u32()?).map_err(|_| bad("a food's level is too high"))?;
            let eaten = level == 0;
            if eaten != (cell == Cell::NOWHERE) || !(eaten || on_board(cell)) {
                return Err(bad("a food is outside the board"));
            }
            field.left += u16::from(!eaten);
            food_cells[row] = cell;
            food_levels[row].0 = level;
        }
        field.spawned = from.u32()?;
        column(whole(fields.contiguous_iter_mut().expect(TABLE)))[lane] = field;
        if let Some((_, numpy)) = numpy.contiguous_iter_mut().expect(TABLE).next() {
            let (state, increment) = (from.u128()?, from.u128()?);
            let (kept, half) = (from.u8()?, from.u32()?);
            column(numpy)[lane].0 =
                Pcg64::from_parts(state, increment, (kept == 1).then_some(half));
        }
        Ok(())
    }

    fn describe(&self, columns: &mut Columns, world: &mut World, lane: usize) -> Value {
        let Rules { players, foods, .. } = *self.rules;
        columns.with(world, |seen, _| {
            let player = |row: usize| {
                let Cell { row: at, col } = seen.cells[row];
                json!({ "row": at, "col": col, "level": seen.levels[row].0 })
            };
            let food = |row: usize| {
                let Cell { row: at, col } = seen.food_cells[row];
                json!({ "row": at, "col": col, "level": seen.food_levels[row].0 })
            };
            let left = |row: &usize| seen.food_levels[*row].0 > 0;
            json!({
                "players": (lane * players..(lane + 1) * players).map(player).collect::<Vec<_>>(),
                "foods": (lane * foods..(lane + 1) * foods).filter(left).map(food).collect::<Vec<_>>(),
            })
        })
    }
}
