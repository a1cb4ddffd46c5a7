//! Foraging in the ECS: components, columns, saved lanes. The systems are in [`systems`].

use std::sync::Arc;

use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemState;
use serde_json::{Value, json};

use super::pcg64::Pcg64;
use super::{Mode, Rules, observe, systems};
use crate::batch::{Actions, BatchError};
use crate::ecs::{Clock, Dice, EcsGame, Frame, Reward, Scope, Seeds, Stages, column, whole};
use crate::seed::Streams;
use crate::snapshot::{Reader, Writer};
use crate::spec::EnvSpec;

/// On each player's and food's row: where it is.
#[derive(Component, Clone, Copy, Debug, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Row from the top.
    pub row: u8,
    /// Column from the left.
    pub col: u8,
}

/// In one comparison, for there are many.
impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Cell {
    /// Where eaten foods and players that were never placed are.
    pub const NOWHERE: Self = Self { row: u8::MAX, col: u8::MAX };

    /// Row and column in one number, so that cells are compared and moved in one operation.
    pub(super) fn key(self) -> u16 {
        u16::from_le_bytes([self.row, self.col])
    }

    pub(super) fn from_key(key: u16) -> Self {
        let [row, col] = key.to_le_bytes();
        Self { row, col }
    }

    pub(super) fn distance(self, other: Self) -> u8 {
        self.row.abs_diff(other.row).saturating_add(self.col.abs_diff(other.col))
    }
}

/// On each player's row: its level.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(pub u8);

/// On each player's row: the action chosen for this step, before rules are applied.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent(pub u8);

/// On each player's row: the cell it wants to be in after this step, from [`System::Aim`](super::systems::System::Aim) on.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(pub Cell);

/// On each player's row: whether it loads in this step, from [`System::Aim`](super::systems::System::Aim) on.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loads(pub bool);

/// On each player's row: bit `a` says whether action `a` has an effect; an action without becomes NONE.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Legal(pub u8);

/// On each player's row: how many cells it sees along each axis. Vector observations follow it;
/// grid observations keep the configured size.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight(pub u8);

/// On each food's row: its level, 0 when eaten.
///
/// The rows of one instance are kept in row-major order of their cells, so that eaten foods come last.
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
pub(super) struct Numpy(pub(super) Pcg64);

#[derive(Resource, Clone)]
pub(super) struct Setup(pub(super) Arc<Rules>);

pub(super) const TABLE: &str = "foraging's components are stored in tables";

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
        let (intent, target, loads) = (Intent(0), Target(Cell::NOWHERE), Loads(false));
        let seen = (Cell::NOWHERE, Level(1), Legal(1), Sight(sight));
        let player = (seen, intent, target, loads, Reward(0.0));
        world.spawn_batch(std::iter::repeat_n(player, envs * players));
        world.spawn_batch(std::iter::repeat_n((Cell::NOWHERE, Food(0)), envs * foods));
        Columns {
            see: SystemState::new(world),
            intents: world.query(),
            change: SystemState::new(world),
        }
    }

    fn systems(&self, stages: &mut Stages) {
        systems::add(stages, self.rules.reward);
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
        if !food_cells[lane * foods..(lane + 1) * foods].is_sorted() {
            return Err(bad("the foods are not in row-major order"));
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

    fn scenery(&self) -> Value {
        let Rules { rows, cols, sight, .. } = *self.rules;
        json!({ "rows": rows, "cols": cols, "sight": sight })
    }
}
