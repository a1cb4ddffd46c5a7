//! What foragers see: vectors, grid layers, masks and the global state (spec `mansa-lbf.md` 2.6).

use std::cmp::Ordering;

use super::game::{Cell, Food, Level, Seen, Sight};
use super::systems::specialize;
use super::{ACTIONS, Mode, Rules, StateMode, View};
use crate::ecs::{Frame, Scope};
use crate::spec::EnvSpec;

/// The columns of one instance.
struct Scene<'a> {
    players: &'a [Cell],
    levels: &'a [Level],
    sights: &'a [Sight],
    foods: &'a [Cell],
    food_levels: &'a [Food],
}

const ABSENT: [f32; 3] = [-1.0, -1.0, 0.0];

/// The mask that belongs to each value of [`Legal`](super::game::Legal).
const MASKS: [[bool; ACTIONS.len()]; 1 << ACTIONS.len()] = {
    let mut masks = [[false; ACTIONS.len()]; 1 << ACTIONS.len()];
    let mut entry = 0;
    while entry < masks.len() * ACTIONS.len() {
        let (legal, action) = (entry / ACTIONS.len(), entry % ACTIONS.len());
        masks[legal][action] = legal >> action & 1 == 1;
        entry += 1;
    }
    masks
};

/// The instances in order.
#[expect(clippy::inline_always, reason = "the counts are constants only when inlined")]
#[inline(always)]
fn scenes<'a>(
    seen: &Seen<'a>,
    players: usize,
    foods: usize,
) -> impl Iterator<Item = Scene<'a>> + use<'a> {
    let teams = seen.cells.chunks_exact(players).zip(seen.levels.chunks_exact(players));
    let boards = seen.food_cells.chunks_exact(foods).zip(seen.food_levels.chunks_exact(foods));
    let sights = seen.sights.chunks_exact(players);
    teams.zip(sights).zip(boards).map(|(((players, levels), sights), (foods, food_levels))| Scene {
        players,
        levels,
        sights,
        foods,
        food_levels,
    })
}

/// Writes observations, masks and state of the instances in `scope`.
pub(super) fn write(
    rules: &Rules,
    spec: &EnvSpec,
    seen: &Seen<'_>,
    scope: Scope,
    frame: Frame<'_>,
) {
    let Frame { observations, masks, state, tallies: _ } = frame;
    let wanted = |lane: usize| scope == Scope::All || seen.clocks[lane].end.is_over();
    for (row, (mask, legal)) in masks.as_chunks_mut().0.iter_mut().zip(seen.legal).enumerate() {
        if scope == Scope::All || wanted(row / rules.players) {
            *mask = MASKS[legal.0 as usize % MASKS.len()];
        }
    }
    let every = scope == Scope::All && rules.view == View::Vector && rules.observe_levels;
    if every && !observations.is_empty() {
        every_instance(rules, seen, observations.as_chunks_mut().0);
    } else {
        let size = rules.players * spec.observation.size();
        each_instance(rules, seen, wanted, observations, size, |scene, out| see(rules, scene, out));
    }
    match rules.state {
        StateMode::Observations if every && observations.len() == state.len() => {
            state.copy_from_slice(observations);
        }
        StateMode::Observations => {
            each_instance(rules, seen, wanted, state, spec.state, |scene, out| {
                see(rules, scene, out);
            });
        }
        StateMode::Board => {
            each_instance(rules, seen, wanted, state, spec.state, board);
            let ages = seen.clocks.iter().map(|clock| clock.step as f32 / rules.steps as f32);
            for (lane, (out, age)) in state.chunks_exact_mut(spec.state).zip(ages).enumerate() {
                if wanted(lane) {
                    out[spec.state - 1] = age;
                }
            }
        }
    }
}

/// Writes `size` numbers for each instance that is wanted.
fn each_instance(
    rules: &Rules,
    seen: &Seen<'_>,
    wanted: impl Fn(usize) -> bool,
    out: &mut [f32],
    size: usize,
    write: impl Fn(&Scene<'_>, &mut [f32]),
) {
    let scenes = scenes(seen, rules.players, rules.foods);
    for (lane, (scene, out)) in scenes.zip(out.chunks_exact_mut(size)).enumerate() {
        if wanted(lane) {
            write(&scene, out);
        }
    }
}

/// Vector observations with levels. Counts are constants, so that the loops over one instance's few rows are unrolled.
fn every_instance(rules: &Rules, seen: &Seen<'_>, out: &mut [[f32; 3]]) {
    let far = rules.rows.max(rules.cols) - 1;
    let whole = seen.sights.iter().map(|sight| sight.0).min() >= Some(far);
    specialize!(rules.players, |players| specialize!(rules.foods, |foods| {
        let rows = out.chunks_exact_mut(players * (players + foods));
        if whole {
            for (scene, out) in scenes(seen, players, foods).zip(rows) {
                whole_board(&scene, players, foods, out);
            }
        } else {
            for (scene, out) in scenes(seen, players, foods).zip(rows) {
                windows(rules.mode, &scene, players, foods, out);
            }
        }
    }));
}

/// All agents' observations of one instance.
fn see(rules: &Rules, scene: &Scene<'_>, out: &mut [f32]) {
    let (players, foods) = (rules.players, rules.foods);
    match rules.view {
        View::Vector if rules.observe_levels => {
            windows(rules.mode, scene, players, foods, out.as_chunks_mut().0);
        }
        View::Vector => {
            for (agent, row) in out.chunks_exact_mut(3 * foods + 2 * players).enumerate() {
                let (food_part, player_part) = row.split_at_mut(3 * foods);
                windowed_foods(scene, agent, food_part.as_chunks_mut().0);
                let pairs = player_part.as_chunks_mut().0;
                windowed_players(rules.mode, scene, agent, pairs, |[row, col, _]| [row, col]);
            }
        }
        View::Grid => grids(rules, scene, out),
    }
}

/// Everyone sees everything: the foods' part is the same for all agents and positions are absolute.
#[expect(clippy::inline_always, reason = "the counts are constants only when inlined")]
#[inline(always)]
fn whole_board(scene: &Scene<'_>, players: usize, foods: usize, out: &mut [[f32; 3]]) {
    for index in 0..foods {
        let food = triple(scene.foods[index], scene.food_levels[index].0);
        for agent in 0..players {
            out[agent * (players + foods) + index] = food;
        }
    }
    for index in 0..players {
        let player = triple(scene.players[index], u16::from(scene.levels[index].0));
        for agent in 0..players {
            // The own triple first, then the others in index order.
            let place = match index.cmp(&agent) {
                Ordering::Less => index + 1,
                Ordering::Equal => 0,
                Ordering::Greater => index,
            };
            out[agent * (players + foods) + foods + place] = player;
        }
    }
}

/// Everyone sees what is in a window around it.
#[expect(clippy::inline_always, reason = "the counts are constants only when inlined")]
#[inline(always)]
fn windows(mode: Mode, scene: &Scene<'_>, players: usize, foods: usize, out: &mut [[f32; 3]]) {
    for (agent, row) in out.chunks_exact_mut(players + foods).enumerate() {
        let (food_part, player_part) = row.split_at_mut(foods);
        windowed_foods(scene, agent, food_part);
        windowed_players(mode, scene, agent, player_part, |triple| triple);
    }
}

/// The corner of the window around an agent, cut at the board's edge.
fn corner(own: Cell, sight: u8) -> Cell {
    Cell { row: own.row.saturating_sub(sight), col: own.col.saturating_sub(sight) }
}

/// A cell that is seen from the corner of a window, and its level; else [`Cell::NOWHERE`].
///
/// Who is in view is as good as random, and a wrong guess costs more than to compute both: callers write every slot,
/// and keep it if it holds something.
fn through(window: Cell, cell: Cell, level: u16, seen: bool) -> [f32; 3] {
    let row = cell.row.wrapping_sub(window.row);
    let col = cell.col.wrapping_sub(window.col);
    let cell = if seen { Cell { row, col } } else { Cell::NOWHERE };
    triple(cell, if seen { level } else { 0 })
}

#[expect(clippy::inline_always, reason = "the counts are constants only when inlined")]
#[inline(always)]
fn windowed_foods(scene: &Scene<'_>, agent: usize, out: &mut [[f32; 3]]) {
    let (own, sight) = (scene.players[agent], scene.sights[agent].0);
    let window = corner(own, sight);
    out.fill(ABSENT);
    let mut kept = 0;
    for (food, level) in scene.foods.iter().zip(scene.food_levels) {
        // An eaten food is nowhere, which no sight reaches.
        let seen = within(own, *food, sight);
        out[kept] = through(window, *food, level.0, seen);
        kept += usize::from(seen);
    }
}

/// The own slot first; `cut` leaves out what is not observed of a player.
#[expect(clippy::inline_always, reason = "the counts are constants only when inlined")]
#[inline(always)]
fn windowed_players<const SIZE: usize>(
    mode: Mode,
    scene: &Scene<'_>,
    agent: usize,
    out: &mut [[f32; SIZE]],
    cut: impl Fn([f32; 3]) -> [f32; SIZE],
) {
    let (own, sight) = (scene.players[agent], scene.sights[agent].0);
    let window = corner(own, sight);
    out.fill(cut(ABSENT));
    out[0] = cut(through(window, own, u16::from(scene.levels[agent].0), true));
    let mut kept = 1;
    for (index, (player, level)) in scene.players.iter().zip(scene.levels).enumerate() {
        if index == agent {
            continue;
        }
        let seen = match mode {
            Mode::Clean => within(own, *player, sight),
            Mode::Reference => in_window(*player, window, sight),
        };
        out[kept] = cut(through(window, *player, u16::from(level.0), seen));
        kept += usize::from(seen);
    }
}

/// What is said of a cell; [`Cell::NOWHERE`] with level 0 gives [`ABSENT`], for boards have at most 127 rows and
/// columns, so that the highest bit is free for a sign.
fn triple(cell: Cell, level: u16) -> [f32; 3] {
    [f32::from(cell.row.cast_signed()), f32::from(cell.col.cast_signed()), f32::from(level)]
}

fn within(own: Cell, other: Cell, sight: u8) -> bool {
    (own.row.abs_diff(other.row) <= sight) & (own.col.abs_diff(other.col) <= sight)
}

/// The reference measures players from the window's corner, which reaches too far where the board cuts the window.
fn in_window(other: Cell, window: Cell, sight: u8) -> bool {
    // Above and left of the corner a difference wraps beyond every reach.
    let reach = |here: u8, origin: u8| here.wrapping_sub(origin) <= 2 * sight;
    reach(other.row, window.row) & reach(other.col, window.col)
}

fn grids(rules: &Rules, scene: &Scene<'_>, out: &mut [f32]) {
    let sight = i32::from(rules.sight);
    let side = 2 * sight + 1;
    let layer = (side * side) as usize;
    for (own, layers) in scene.players.iter().zip(out.chunks_exact_mut(3 * layer)) {
        let at = |cell: &Cell| {
            let row = i32::from(cell.row) - i32::from(own.row) + sight;
            let col = i32::from(cell.col) - i32::from(own.col) + sight;
            let inside = (0..side).contains(&row) && (0..side).contains(&col);
            inside.then_some((row * side + col) as usize)
        };
        layers.fill(0.0);
        let (agents, rest) = layers.split_at_mut(layer);
        let (food_layer, free) = rest.split_at_mut(layer);
        for row in 0..rules.rows {
            for col in 0..rules.cols {
                if let Some(index) = at(&Cell { row, col }) {
                    free[index] = 1.0;
                }
            }
        }
        for (player, level) in scene.players.iter().zip(scene.levels) {
            if let Some(index) = at(player) {
                agents[index] = if rules.observe_levels { f32::from(level.0) } else { 1.0 };
                free[index] = 0.0;
            }
        }
        for (food, level) in scene.foods.iter().zip(scene.food_levels) {
            if let Some(index) = at(food) {
                food_layer[index] = f32::from(level.0);
                free[index] = 0.0;
            }
        }
    }
}

/// Triples of all players and foods; the last entry, the elapsed share, is the caller's.
fn board(scene: &Scene<'_>, out: &mut [f32]) {
    let players = scene.players.iter().zip(scene.levels);
    let foods = scene.foods.iter().zip(scene.food_levels);
    let players = players.map(|(cell, level)| triple(*cell, u16::from(level.0)));
    let foods = foods.map(|(cell, level)| triple(*cell, level.0));
    for (slot, values) in out.as_chunks_mut::<3>().0.iter_mut().zip(players.chain(foods)) {
        *slot = values;
    }
}
