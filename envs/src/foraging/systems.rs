//! The systems of a foraging step (spec `mansa-lbf.md` 2.2 to 2.5).

use bevy_ecs::prelude::*;

use super::game::{Cell, Field, Food, Intent, Legal, Level, Loads, Numpy, Setup, TABLE, Target};
use super::place::{Board, Scratch};
use super::{Mode, RewardMode, Rules};
use crate::batch::End;
use crate::ecs::{Clock, Dice, Phase, Reward, Stages, column, whole};

const NORTH: u8 = 1;
const SOUTH: u8 = 2;
const WEST: u8 = 3;
const EAST: u8 = 4;
const LOAD: u8 = 5;

/// What a step to the north, south, west and east adds to a cell's key. Off the board it wraps around.
const SIDES: [u16; 4] = [1_u16.wrapping_neg(), 1, 256_u16.wrapping_neg(), 256];

/// The systems of this game, as sets, so that a plugin can order its own against them.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum System {
    /// [`Phase::Dynamics`]: intentions become targets.
    Aim,
    /// [`Phase::Dynamics`]: players move, unless two want the same cell.
    Advance,
    /// [`Phase::Interact`]: foods are loaded.
    Load,
    /// [`Phase::Reward`]: a common reward is paid out.
    Share,
    /// [`Phase::Reward`]: ends are decided.
    Judge,
    /// [`Phase::Reset`]: new boards are laid.
    Begin,
    /// [`Phase::Observe`]: legal actions are found.
    Look,
}

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

/// Adds all systems.
pub(super) fn add(stages: &mut Stages, reward: RewardMode) {
    stages.step.add_systems((
        (aim.in_set(System::Aim), advance.in_set(System::Advance)).chain().in_set(Phase::Dynamics),
        load.in_set(System::Load).in_set(Phase::Interact),
        judge.in_set(System::Judge).in_set(Phase::Reward),
    ));
    match reward {
        RewardMode::Individual => {}
        RewardMode::Common => {
            let share = share.in_set(System::Share).in_set(Phase::Reward);
            stages.step.add_systems(share.before(System::Judge));
        }
        RewardMode::Completed => {
            let complete = complete.in_set(System::Share).in_set(Phase::Reward);
            stages.step.add_systems(complete.before(System::Judge));
        }
    }
    stages.reset.add_systems(begin.in_set(System::Begin).in_set(Phase::Reset));
    stages.observe.add_systems(look.in_set(System::Look).in_set(Phase::Observe));
}

/// Whole columns are walked without look-ups or branches, so that many rows are handled at a time.
fn aim(mut players: Query<(&Cell, &Intent, &Legal, &mut Target, &mut Loads), Without<Food>>) {
    let (cells, intents, legal, targets, loads) =
        whole(players.contiguous_iter_mut().expect(TABLE));
    let chosen = intents.iter().zip(legal);
    // 1 if the row does that action; one without an effect becomes NONE.
    let does = |(intent, legal): (&Intent, &Legal), action: u8| {
        u8::from(intent.0 == action) & (legal.0 >> action)
    };
    for ((target, cell), row) in column(targets).iter_mut().zip(cells).zip(chosen.clone()) {
        target.0 = Cell {
            row: cell.row.wrapping_add(does(row, SOUTH)).wrapping_sub(does(row, NORTH)),
            col: cell.col.wrapping_add(does(row, EAST)).wrapping_sub(does(row, WEST)),
        };
    }
    for (loads, row) in column(loads).iter_mut().zip(chosen) {
        loads.0 = does(row, LOAD) == 1;
    }
}

fn advance(setup: Res<Setup>, mut players: Query<(&mut Cell, &mut Target), Without<Food>>) {
    let clean = setup.0.mode == Mode::Clean;
    let (cells, targets) = whole(players.contiguous_iter_mut().expect(TABLE));
    let (cells, targets) = (column(cells), column(targets));
    specialize!(setup.0.players, |count| {
        let teams = cells.chunks_exact_mut(count).zip(targets.chunks_exact_mut(count));
        for (team, targets) in teams {
            let mut crowded = false;
            for index in 1..count {
                for other in 0..index {
                    crowded |= targets[index] == targets[other];
                }
            }
            if crowded {
                if clean {
                    hold_followers(team, targets);
                }
                advance_crowd(team, targets);
            } else {
                for index in 0..count {
                    team[index] = targets[index].0;
                }
            }
        }
    });
}

/// Moves those whose target nobody else wants.
fn advance_crowd(team: &mut [Cell], targets: &[Target]) {
    for (cell, target) in team.iter_mut().zip(targets) {
        if targets.iter().filter(|other| *other == target).count() == 1 {
            *cell = target.0;
        }
    }
}

/// Turns moves that cannot happen into standing still, and then the moves into the cells of those who stand still,
/// until nothing changes. Without it a player could enter the cell of one that is blocked by a third.
fn hold_followers(team: &[Cell], targets: &mut [Target]) {
    let moves = |targets: &[Target], index: usize| targets[index].0 != team[index];
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
                target.0 = *cell;
            }
        }
    }
}

type Loaders = (&'static Cell, &'static Level, &'static Loads, &'static mut Reward);

/// Where the food is that a player at `cell` loads: the first in the order N, S, W, E; nowhere without one.
fn food_beside(cell: Cell, foods: &[Cell]) -> Cell {
    let beside = SIDES.map(|step| Cell::from_key(cell.key().wrapping_add(step)));
    // From the corner a step off the board leads to where eaten foods are.
    let there = |beside: &Cell| *beside != Cell::NOWHERE && foods.contains(beside);
    beside.into_iter().find(there).unwrap_or(Cell::NOWHERE)
}

fn load(
    setup: Res<Setup>,
    mut players: Query<Loaders, Without<Food>>,
    mut foods: Query<(&mut Cell, &mut Food)>,
    mut fields: Query<&mut Field>,
) {
    let rules = &*setup.0;
    let (cells, levels, loads, rewards) = whole(players.contiguous_iter_mut().expect(TABLE));
    let (food_cells, food_levels) = whole(foods.contiguous_iter_mut().expect(TABLE));
    let (food_cells, food_levels) = (column(food_cells), column(food_levels));
    let rewards = column(rewards);
    rewards.fill(Reward(0.0));
    let fields = column(whole(fields.contiguous_iter_mut().expect(TABLE)));
    for (lane, loads) in loads.chunks_exact(rules.players).enumerate() {
        if !loads.contains(&Loads(true)) {
            continue;
        }
        let rows = lane * rules.players..(lane + 1) * rules.players;
        let bit = |(index, loads): (usize, &Loads)| u64::from(loads.0) << index;
        let waiting = loads.iter().enumerate().map(bit).sum();
        let (cells, levels) = (&cells[rows.clone()], &levels[rows.clone()]);
        let rewards = &mut rewards[rows];
        let foods = lane * rules.foods..(lane + 1) * rules.foods;
        let (food_cells, food_levels) = (&mut food_cells[foods.clone()], &mut food_levels[foods]);
        let field = &mut fields[lane];
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
    let mut choice = [Cell::NOWHERE; MOST];
    if rules.mode == Mode::Clean {
        for index in bits(waiting) {
            choice[index] = food_beside(cells[index], food_cells);
        }
    }
    while waiting != 0 {
        let first = waiting.trailing_zeros() as usize;
        let target = match rules.mode {
            Mode::Clean => choice[first],
            Mode::Reference => food_beside(cells[first], food_cells),
        };
        let place = food_cells.iter().position(|food| *food == target);
        let Some(place) = place.filter(|_| target != Cell::NOWHERE) else {
            // The reference looks again, and the food that was beside this player may be eaten.
            waiting &= waiting - 1;
            continue;
        };
        let mut group = 0_u64;
        for index in bits(waiting) {
            let joins = match rules.mode {
                Mode::Clean => choice[index] == target,
                Mode::Reference => cells[index].distance(target) == 1,
            };
            group |= u64::from(joins) << index;
        }
        waiting &= !group;
        let level = u32::from(food_levels[place].0);
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
        food_cells[place] = Cell::NOWHERE;
        food_levels[place] = Food(0);
        food_cells[place..].rotate_left(1);
        food_levels[place..].rotate_left(1);
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

fn complete(setup: Res<Setup>, fields: Query<&Field>, mut rewards: Query<&mut Reward>) {
    let fields = whole(fields.contiguous_iter().expect(TABLE));
    let rewards = column(whole(rewards.contiguous_iter_mut().expect(TABLE)));
    for (team, field) in rewards.chunks_exact_mut(setup.0.players).zip(fields) {
        team.fill(Reward(f32::from(u8::from(field.left == 0))));
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
    for (cell, legal) in cells.iter().zip(&mut *legal) {
        legal.0 = u8::from(cell.row > 0) << NORTH
            | u8::from(cell.row < last_row) << SOUTH
            | u8::from(cell.col > 0) << WEST
            | u8::from(cell.col < last_col) << EAST;
    }
    specialize!(rules.foods, |count| {
        let teams = cells.chunks_exact(rules.players).zip(legal.chunks_exact_mut(rules.players));
        for ((team, legal), foods) in teams.zip(foods.chunks_exact(count)) {
            for (cell, legal) in team.iter().zip(legal) {
                let beside = SIDES.map(|step| cell.key().wrapping_add(step));
                let mut hits = [0_u16; 4];
                for food in foods {
                    for (hit, beside) in hits.iter_mut().zip(beside) {
                        *hit |= u16::from(food.key() == beside);
                    }
                }
                let food = hits[0] << NORTH | hits[1] << SOUTH | hits[2] << WEST | hits[3] << EAST;
                // A step off the board may wrap to where eaten foods are.
                let food = food as u8 & legal.0;
                legal.0 = 1 | (legal.0 & !food) | u8::from(food != 0) << LOAD;
            }
        }
    });
}
