//! What foragers see: vectors, grid layers, masks and the global state (spec `mansa-lbf.md` 2.6).

use std::cmp::Ordering;

use super::game::{Cell, Food, Level, Seen, Sight, specialize};
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

/// Writes observations, masks and state of the instances in `scope`.
pub(super) fn write(
    rules: &Rules,
    spec: &EnvSpec,
    seen: &Seen<'_>,
    scope: Scope,
    frame: Frame<'_>,
) {
    let Rules { players, foods, .. } = *rules;
    let obs = spec.observation.size();
    let Frame { observations, masks, state } = frame;
    let far = rules.rows.max(rules.cols) - 1;
    let whole = scope == Scope::All
        && rules.view == View::Vector
        && rules.observe_levels
        && !observations.is_empty()
        && seen.sights.iter().all(|sight| sight.0 >= far);
    if whole {
        let out = observations.as_chunks_mut::<3>().0;
        specialize!(players, |players| {
            specialize!(foods, |foods| whole_boards(seen, players, foods, out));
        });
    }
    // Where whole boards say everything that is wanted, no instance is left to look at.
    let clocks = if whole && state.is_empty() { &[] } else { seen.clocks };
    for (lane, clock) in clocks.iter().enumerate() {
        if scope == Scope::Ended && !clock.end.is_over() {
            continue;
        }
        let rows = lane * players..(lane + 1) * players;
        let food_rows = lane * foods..(lane + 1) * foods;
        let scene = Scene {
            players: &seen.cells[rows.clone()],
            levels: &seen.levels[rows.clone()],
            sights: &seen.sights[rows.clone()],
            foods: &seen.food_cells[food_rows.clone()],
            food_levels: &seen.food_levels[food_rows],
        };
        let all = rows.start * obs..rows.end * obs;
        if let Some(out) = observations.get_mut(all.clone()).filter(|_| !whole) {
            see(rules, &scene, out);
        }
        let out = state.get_mut(lane * spec.state..(lane + 1) * spec.state);
        if let Some(out) = out {
            match rules.state {
                StateMode::Board => {
                    board(&scene, out);
                    out[spec.state - 1] = clock.step as f32 / rules.steps as f32;
                }
                StateMode::Observations => match observations.get(all) {
                    Some(observed) => out.copy_from_slice(observed),
                    None => see(rules, &scene, out),
                },
            }
        }
    }
    if !masks.is_empty() {
        for (mask, legal) in masks.as_chunks_mut::<{ ACTIONS.len() }>().0.iter_mut().zip(seen.legal)
        {
            *mask = std::array::from_fn(|action| legal.0 >> action & 1 == 1);
        }
    }
}

/// All agents' observations of one instance.
fn see(rules: &Rules, scene: &Scene<'_>, out: &mut [f32]) {
    match rules.view {
        View::Vector => vectors(rules, scene, out),
        View::Grid => grids(rules, scene, out),
    }
}

fn vectors(rules: &Rules, scene: &Scene<'_>, out: &mut [f32]) {
    let size = rules.player_size();
    let length = out.len() / scene.players.len();
    for (agent, row) in out.chunks_exact_mut(length).enumerate() {
        let (food_part, player_part) = row.split_at_mut(3 * scene.foods.len());
        windowed_foods(scene, agent, food_part.as_chunks_mut().0);
        if size == 3 {
            let slots = player_part.as_chunks_mut().0.iter_mut();
            windowed_players(rules.mode, scene, agent, slots, |slot, triple| *slot = triple);
        } else {
            let slots = player_part.as_chunks_mut().0.iter_mut();
            let pair = |slot: &mut [f32; 2], triple: [f32; 3]| *slot = [triple[0], triple[1]];
            windowed_players(rules.mode, scene, agent, slots, pair);
        }
    }
}

/// Everyone sees everything: the foods' part is the same for all agents and positions are absolute.
#[expect(clippy::inline_always, reason = "the counts are constants only when inlined")]
#[inline(always)]
fn whole_boards(seen: &Seen<'_>, players: usize, foods: usize, out: &mut [[f32; 3]]) {
    let teams = seen.cells.chunks_exact(players).zip(seen.levels.chunks_exact(players));
    let boards = seen.food_cells.chunks_exact(foods).zip(seen.food_levels.chunks_exact(foods));
    let rows = out.chunks_exact_mut(players * (players + foods));
    for (((cells, levels), (food_cells, food_levels)), out) in teams.zip(boards).zip(rows) {
        let mut left = 0;
        for index in 0..foods {
            let food = food_cells[index];
            // A slot is written in any case and kept only if the food is there.
            out[left] = triple(food, (0, 0), f32::from(food_levels[index].0));
            left += usize::from(food != Cell::NOWHERE);
        }
        for slot in &mut out[left..foods] {
            *slot = ABSENT;
        }
        for agent in 1..players {
            let row = agent * (players + foods);
            for index in 0..foods {
                out[row + index] = out[index];
            }
        }
        for player in 0..players {
            let seen = triple(cells[player], (0, 0), f32::from(levels[player].0));
            for agent in 0..players {
                // The own triple first, then the others in index order.
                let place = match player.cmp(&agent) {
                    Ordering::Less => player + 1,
                    Ordering::Equal => 0,
                    Ordering::Greater => player,
                };
                out[agent * (players + foods) + foods + place] = seen;
            }
        }
    }
}

/// The corner of the window around an agent, cut at the board's edge.
fn corner(own: Cell, sight: u8) -> (u8, u8) {
    (own.row.saturating_sub(sight), own.col.saturating_sub(sight))
}

fn windowed_foods(scene: &Scene<'_>, agent: usize, out: &mut [[f32; 3]]) {
    let (own, sight) = (scene.players[agent], scene.sights[agent].0);
    let mut left = 0;
    for (food, level) in scene.foods.iter().zip(scene.food_levels) {
        // An eaten food is nowhere, which no sight reaches.
        if within(own, *food, sight) {
            out[left] = triple(*food, corner(own, sight), f32::from(level.0));
            left += 1;
        }
    }
    out[left..].fill(ABSENT);
}

fn windowed_players<'a, T: 'a>(
    mode: Mode,
    scene: &Scene<'_>,
    agent: usize,
    mut slots: impl Iterator<Item = &'a mut T>,
    put: impl Fn(&mut T, [f32; 3]),
) {
    let (own, sight) = (scene.players[agent], scene.sights[agent].0);
    let origin = corner(own, sight);
    let mut add = |cell: Cell, level: Level| {
        if let Some(slot) = slots.next() {
            put(slot, triple(cell, origin, f32::from(level.0)));
        }
    };
    add(own, scene.levels[agent]);
    for (index, (player, level)) in scene.players.iter().zip(scene.levels).enumerate() {
        let visible = match mode {
            Mode::Clean => within(own, *player, sight),
            Mode::Reference => in_window(*player, origin, sight),
        };
        if visible && index != agent {
            add(*player, *level);
        }
    }
    slots.for_each(|slot| put(slot, ABSENT));
}

fn triple(cell: Cell, origin: (u8, u8), level: f32) -> [f32; 3] {
    [f32::from(cell.row.wrapping_sub(origin.0)), f32::from(cell.col.wrapping_sub(origin.1)), level]
}

fn within(own: Cell, other: Cell, sight: u8) -> bool {
    own.row.abs_diff(other.row) <= sight && own.col.abs_diff(other.col) <= sight
}

/// The reference measures players from the window's corner, which reaches too far where the board cuts the window.
fn in_window(other: Cell, origin: (u8, u8), sight: u8) -> bool {
    let reach = 2 * sight;
    other.row.checked_sub(origin.0).is_some_and(|row| row <= reach)
        && other.col.checked_sub(origin.1).is_some_and(|col| col <= reach)
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
    let players = scene
        .players
        .iter()
        .zip(scene.levels)
        .map(|(cell, level)| triple(*cell, (0, 0), f32::from(level.0)));
    let foods = scene.foods.iter().zip(scene.food_levels).map(|(cell, level)| {
        if *cell == Cell::NOWHERE { ABSENT } else { triple(*cell, (0, 0), f32::from(level.0)) }
    });
    for (slot, values) in out.as_chunks_mut::<3>().0.iter_mut().zip(players.chain(foods)) {
        *slot = values;
    }
}
