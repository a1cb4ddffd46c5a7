//! What foragers see: vectors, grid layers, masks and the global state (spec `mansa-lbf.md` 2.6).

use super::game::{Cell, Food, Level, Seen, Sight};
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
    for (lane, clock) in seen.clocks.iter().enumerate() {
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
        if let Some(out) = observations.get_mut(all.clone()) {
            match rules.view {
                View::Vector => vectors(rules, &scene, out),
                View::Grid => grids(rules, &scene, out),
            }
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
                    None => match rules.view {
                        View::Vector => vectors(rules, &scene, out),
                        View::Grid => grids(rules, &scene, out),
                    },
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

fn vectors(rules: &Rules, scene: &Scene<'_>, out: &mut [f32]) {
    let size = rules.player_size();
    let length = out.len() / scene.players.len();
    for (agent, row) in out.chunks_exact_mut(length).enumerate() {
        let (own, sight) = (scene.players[agent], scene.sights[agent].0);
        let origin = (own.row.saturating_sub(sight), own.col.saturating_sub(sight));
        let (food_part, player_part) = row.split_at_mut(3 * scene.foods.len());
        let mut slots = food_part.as_chunks_mut::<3>().0.iter_mut();
        for (food, level) in scene.foods.iter().zip(scene.food_levels) {
            // An eaten food is nowhere, which no sight reaches.
            if within(own, *food, sight)
                && let Some(slot) = slots.next()
            {
                *slot = triple(*food, origin, f32::from(level.0));
            }
        }
        slots.for_each(|slot| *slot = ABSENT);
        let (first, others) = player_part.split_at_mut(size);
        let own_triple = triple(own, origin, f32::from(scene.levels[agent].0));
        first.copy_from_slice(&own_triple[..size]);
        let mut slots = others.chunks_exact_mut(size);
        for (index, (player, level)) in scene.players.iter().zip(scene.levels).enumerate() {
            if index == agent {
                continue;
            }
            let visible = match rules.mode {
                Mode::Clean => within(own, *player, sight),
                Mode::Reference => in_window(*player, origin, sight),
            };
            if visible && let Some(slot) = slots.next() {
                let other = triple(*player, origin, f32::from(level.0));
                slot.copy_from_slice(&other[..size]);
            }
        }
        slots.for_each(|slot| slot.copy_from_slice(&ABSENT[..size]));
    }
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
