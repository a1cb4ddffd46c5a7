//! The testable facts 22 to 56 of the foraging fact sheet (`mansa-lbf.md`, part 4) that golden files do not hold.
//! A test's name carries the numbers of its facts.

use gambol_envs::EnvFactory;
use gambol_envs::batch::{Actions, BatchEnv, Buffers, End};
use gambol_envs::foraging::{
    Foraging, Item, Layout, Levels, Mode, RewardMode, RuleSet, StateMode, View,
};
use gambol_envs::seed::{Purpose, Streams, below};
use gambol_envs::spec::Payoff;
use serde_json::Value;

const NONE: u16 = 0;
const NORTH: u16 = 1;
const SOUTH: u16 = 2;
const WEST: u16 = 3;
const EAST: u16 = 4;
const LOAD: u16 = 5;

type Triple = (u8, u8, u8);
/// Task, seed, and players and foods of two boards in a row.
type Golden<'a> = (&'a str, u64, [&'a [Triple]; 4]);
/// Task, players, and positions after 10, 20, 30, 40 and 50 steps.
type Expected<'a> = (&'a str, usize, [&'a [(u8, u8)]; 5]);

fn items(triples: &[Triple]) -> Vec<Item> {
    triples.iter().map(|&(row, col, level)| Item { row, col, level }).collect()
}

fn fixed(size: u8, players: &[Triple], foods: &[Triple], mode: Mode) -> Foraging {
    Foraging {
        size: Some((size, size)),
        mode,
        layout: Layout::Fixed { players: items(players), foods: items(foods) },
        ..Foraging::default()
    }
}

/// A one-lane environment with its buffers.
struct Game {
    env: Box<dyn BatchEnv>,
    out: Buffers,
}

impl Game {
    fn new(config: &Foraging, seed: u64) -> Self {
        let mut env = config.build(0..1, 1, Streams::new(seed)).unwrap();
        let mut out = Buffers::new(env.spec(), 1);
        env.reset(0, out.outbox()).unwrap();
        env.watch(0).unwrap();
        Self { env, out }
    }

    fn step(&mut self, actions: &[u16]) -> &[f32] {
        self.env.step(Actions::Discrete(actions), self.out.outbox()).unwrap();
        &self.out.rewards
    }

    fn triples(&mut self, key: &str) -> Vec<Triple> {
        triples(&self.env.describe(0).unwrap()[key])
    }

    fn cells(&mut self) -> Vec<(u8, u8)> {
        self.triples("players").iter().map(|&(row, col, _)| (row, col)).collect()
    }

    /// Ends the episode by idling and begins the next.
    fn next_board(&mut self) {
        let idle = vec![NONE; self.env.spec().agents];
        loop {
            self.step(&idle);
            if self.out.ends[0].is_over() {
                break;
            }
        }
    }

    fn observation(&self, agent: usize) -> &[f32] {
        let size = self.env.spec().observation.size();
        &self.out.observations[agent * size..(agent + 1) * size]
    }

    fn mask(&self, agent: usize) -> &[bool] {
        &self.out.masks[agent * 6..(agent + 1) * 6]
    }
}

fn triples(list: &Value) -> Vec<Triple> {
    let number = |item: &Value, key: &str| item[key].as_u64().unwrap() as u8;
    let triple = |item: &Value| (number(item, "row"), number(item, "col"), number(item, "level"));
    list.as_array().unwrap().iter().map(triple).collect()
}

/// Positions after one step from a board without food in the way.
fn moved(size: u8, cells: &[(u8, u8)], actions: &[u16], mode: Mode) -> Vec<(u8, u8)> {
    let players: Vec<_> = cells.iter().map(|&(row, col)| (row, col, 1)).collect();
    let corner = (size - 1, size - 1, 1);
    let mut game = Game::new(&fixed(size, &players, &[corner], mode), 0);
    game.step(actions);
    game.cells()
}

const BOTH: [Mode; 2] = [Mode::Reference, Mode::Clean];

/// Boards of many lanes and seeds: players and foods.
fn boards(config: &Foraging, count: u32) -> Vec<(Vec<Triple>, Vec<Triple>)> {
    let mut env = config.build(0..count, 256, Streams::new(9)).unwrap();
    let mut out = Buffers::new(env.spec(), count as usize);
    env.reset(0, out.outbox()).unwrap();
    (0..count as usize)
        .map(|lane| {
            let board = env.describe(lane).unwrap();
            (triples(&board["players"]), triples(&board["foods"]))
        })
        .collect()
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn facts_22_and_30_golden_boards_of_two_resets() {
    let golden: [Golden<'_>; 6] = [
        (
            "Foraging-8x8-2p-2f-coop-v3",
            0,
            [
                &[(5, 4, 1), (2, 0, 1)],
                &[(2, 5, 2), (4, 6, 2)],
                &[(4, 7, 2), (5, 4, 2)],
                &[(2, 5, 4), (5, 1, 4)],
            ],
        ),
        (
            "Foraging-8x8-2p-2f-coop-v3",
            1,
            [
                &[(4, 6, 2), (0, 1, 2)],
                &[(2, 2, 4), (6, 3, 4)],
                &[(6, 2, 1), (5, 4, 1)],
                &[(5, 2, 2), (6, 5, 2)],
            ],
        ),
        (
            "Foraging-8x8-2p-2f-coop-v3",
            2,
            [
                &[(2, 0, 1), (3, 6, 1)],
                &[(3, 4, 2), (5, 5, 2)],
                &[(1, 7, 1), (4, 2, 1)],
                &[(2, 1, 2), (2, 4, 2)],
            ],
        ),
        (
            "Foraging-8x8-2p-2f-coop-v3",
            3,
            [
                &[(0, 1, 1), (1, 6, 2)],
                &[(1, 1, 3), (2, 3, 3)],
                &[(3, 2, 1), (5, 5, 1)],
                &[(3, 3, 2), (6, 4, 2)],
            ],
        ),
        (
            "Foraging-10x10-3p-3f-v3",
            0,
            [
                &[(3, 0, 1), (0, 1, 2), (6, 9, 2)],
                &[(1, 4, 5), (5, 8, 2), (6, 6, 3)],
                &[(8, 1, 1), (8, 0, 2), (0, 2, 1)],
                &[(1, 1, 1), (3, 5, 4), (6, 5, 3)],
            ],
        ),
        (
            "Foraging-10x10-3p-3f-v3",
            1,
            [
                &[(0, 1, 2), (9, 2, 1), (8, 4, 1)],
                &[(1, 7, 4), (6, 5, 1), (7, 3, 2)],
                &[(3, 1, 1), (9, 1, 1), (4, 9, 1)],
                &[(1, 7, 1), (3, 4, 2), (6, 8, 1)],
            ],
        ),
    ];
    for (task, seed, [players, foods, next_players, next_foods]) in golden {
        let mut game = Game::new(&Foraging::task(task, Mode::Reference), seed);
        // The published table counts resets, so no step lies between the two boards there; players that stand still
        // leave the same board behind.
        assert_eq!(game.triples("players"), players, "{task} {seed}");
        assert_eq!(game.triples("foods"), foods, "{task} {seed}");
        game.next_board();
        assert_eq!(game.triples("players"), next_players, "{task} {seed}, second board");
        assert_eq!(game.triples("foods"), next_foods, "{task} {seed}, second board");
    }
}

#[test]
fn facts_24_and_25_boards_are_spaced_and_reach_every_edge() {
    for mode in BOTH {
        for set in [RuleSet::V0, RuleSet::V1, RuleSet::V2, RuleSet::V3] {
            let config = Foraging {
                rules: Some(set),
                players: Some(3),
                foods: Some(3),
                mode,
                ..Foraging::default()
            };
            let (mut last_row, mut last_col, mut first) = (false, false, false);
            for (players, foods) in boards(&config, 3000) {
                for (index, &(row, col, _)) in foods.iter().enumerate() {
                    assert!((1..7).contains(&row) && (1..7).contains(&col));
                    for &(other_row, other_col, _) in &foods[..index] {
                        let (rows, cols) = (row.abs_diff(other_row), col.abs_diff(other_col));
                        assert!(rows + cols >= 3, "{foods:?}");
                        assert!(rows != 1 || cols != 1, "{foods:?}");
                    }
                }
                let cells: Vec<_> =
                    players.iter().chain(&foods).map(|&(row, col, _)| (row, col)).collect();
                for (index, cell) in cells.iter().enumerate() {
                    assert!(!cells[..index].contains(cell), "{players:?} {foods:?}");
                }
                last_row |= players.iter().any(|player| player.0 == 7);
                last_col |= players.iter().any(|player| player.1 == 7);
                first |= players.iter().any(|player| player.0 == 0 && player.1 == 0);
            }
            let reaches = set >= RuleSet::V2;
            assert_eq!((last_row, last_col, first), (reaches, reaches, true), "{set:?} {mode:?}");
        }
    }
}

#[test]
fn fact_26_food_levels_follow_their_laws() {
    let law = |set: RuleSet, players: usize, coop: bool, law: &[(u8, f64)]| {
        for mode in BOTH {
            let config = Foraging {
                players: Some(players),
                foods: Some(1),
                coop: Some(coop),
                rules: Some(set),
                mode,
                ..Foraging::default()
            };
            let count = 20_000;
            let boards = boards(&config, count);
            let mut total = 0;
            for &(level, share) in law {
                let seen = boards.iter().filter(|(_, foods)| foods[0].2 == level).count();
                total += seen;
                let deviation = (share * (1.0 - share) / f64::from(count)).sqrt();
                let found = seen as f64 / f64::from(count);
                let what = format!("{set:?}, {players} players, coop {coop}, level {level}");
                near(found, share, 4.0 * deviation, &what);
            }
            assert_eq!(total, count as usize, "levels outside the law");
        }
    };
    law(RuleSet::V3, 2, true, &[(2, 0.25), (3, 0.5), (4, 0.25)]);
    law(RuleSet::V3, 3, true, &[(3, 0.125), (4, 0.375), (5, 0.375), (6, 0.125)]);
    law(
        RuleSet::V3,
        4,
        true,
        &[(3, 5.0 / 16.0), (4, 6.0 / 16.0), (5, 4.0 / 16.0), (6, 1.0 / 16.0)],
    );
    let quarter = 1.0 / 48.0;
    law(
        RuleSet::V3,
        2,
        false,
        &[(1, 17.0 * quarter), (2, 17.0 * quarter), (3, 11.0 * quarter), (4, 3.0 * quarter)],
    );
    law(
        RuleSet::V3,
        3,
        false,
        &[(1, 0.23125), (2, 0.23125), (3, 0.23125), (4, 0.189_583), (5, 0.095_833), (6, 0.020_833)],
    );
    law(RuleSet::V2, 2, false, &[(1, 7.0 / 12.0), (2, 1.0 / 3.0), (3, 1.0 / 12.0)]);
    // v0 joins all players: with four of them coop foods reach 8, which v1 cuts at three players' 6.
    let all = [1.0, 4.0, 6.0, 4.0, 1.0].map(|ways| ways / 16.0);
    law(RuleSet::V0, 4, true, &[(4, all[0]), (5, all[1]), (6, all[2]), (7, all[3]), (8, all[4])]);
}

#[test]
fn fact_27_coop_foods_need_the_three_lowest_players() {
    for (players, foods) in boards(&Foraging::task("Foraging-8x8-3p-2f-coop-v3", Mode::Clean), 500)
    {
        let sum: u8 = players.iter().map(|player| player.2).sum();
        assert!(foods.iter().all(|food| food.2 == sum));
    }
    let one = Levels { min: 1, max: Some(1) };
    let two = Levels { min: 2, max: Some(2) };
    let config = Foraging {
        player_levels: vec![one, one, one, two],
        ..Foraging::task("Foraging-8x8-4p-2f-coop-v3", Mode::Reference)
    };
    for (players, foods) in boards(&config, 200) {
        let mut levels: Vec<_> = players.iter().map(|player| player.2).collect();
        levels.sort_unstable();
        assert_eq!(levels, [1, 1, 1, 2]);
        assert!(foods.iter().all(|food| food.2 == 3));
    }
}

#[test]
fn fact_28_small_boards_hold_fewer_foods() {
    for mode in BOTH {
        let small = boards(&Foraging::task("Foraging-5x5-2p-3f-v3", mode), 300);
        assert!(small.iter().all(|(_, foods)| foods.len() < 3));
        let large = boards(&Foraging::task("Foraging-8x8-2p-4f-v3", mode), 1000);
        assert!(large.iter().all(|(_, foods)| foods.len() == 4));
    }
    // What could not be placed does not count: clearing the board still pays 1 in all.
    let mut game = Game::new(
        &Foraging {
            foods: Some(3),
            ..fixed(5, &[(1, 2, 2), (3, 2, 2)], &[(2, 2, 4)], Mode::Reference)
        },
        0,
    );
    assert_eq!(game.step(&[LOAD, LOAD]), [0.5, 0.5]);
    assert_eq!(game.out.ends[0], End::Terminated);
}

#[test]
fn fact_29_only_the_reference_remembers_where_players_stood() {
    let task = "Foraging-5x5-4p-1f-v3";
    let mut game = Game::new(&Foraging::task(task, Mode::Reference), 4);
    let mut reused = 0;
    for _ in 0..300 {
        let before = game.cells();
        game.next_board();
        let after = game.cells();
        for (player, cell) in after.iter().enumerate() {
            assert!(!before[player..].contains(cell), "player {player}: {before:?} {after:?}");
            reused += usize::from(before[..player].contains(cell));
        }
    }
    assert!(reused > 0, "cells of players placed earlier are free again");
    let config = Foraging::task(task, Mode::Clean);
    let (mut used, mut fresh) = (Game::new(&config, 4), Game::new(&config, 4));
    used.step(&[NORTH, WEST, SOUTH, EAST]);
    used.next_board();
    for game in [&mut used, &mut fresh] {
        let Game { env, out } = game;
        env.reset(7, out.outbox()).unwrap();
    }
    assert_eq!(used.env.describe(0).unwrap(), fresh.env.describe(0).unwrap());
    assert_eq!(used.out.observations, fresh.out.observations);
    assert_eq!(used.out.masks, fresh.out.masks);
}

#[test]
fn fact_31_swaps_rotations_and_following_succeed() {
    for mode in BOTH {
        assert_eq!(moved(5, &[(1, 1), (1, 2)], &[EAST, WEST], mode), [(1, 2), (1, 1)]);
        assert_eq!(
            moved(5, &[(1, 1), (1, 2), (2, 2), (2, 1)], &[EAST, SOUTH, WEST, NORTH], mode),
            [(1, 2), (2, 2), (2, 1), (1, 1)]
        );
        assert_eq!(
            moved(5, &[(1, 0), (1, 1), (1, 2)], &[EAST, EAST, EAST], mode),
            [(1, 1), (1, 2), (1, 3)]
        );
    }
}

#[test]
fn fact_32_a_cell_that_two_want_is_entered_by_neither() {
    for mode in BOTH {
        assert_eq!(moved(5, &[(1, 1), (1, 3)], &[EAST, WEST], mode), [(1, 1), (1, 3)]);
        assert_eq!(moved(5, &[(1, 1), (1, 2)], &[EAST, NONE], mode), [(1, 1), (1, 2)]);
        assert_eq!(moved(5, &[(1, 1), (1, 2)], &[EAST, LOAD], mode), [(1, 1), (1, 2)]);
    }
}

#[test]
fn fact_33_the_chain_case_overlaps_in_reference_mode_only() {
    let (cells, actions) = ([(1, 1), (1, 2), (1, 4)], [EAST, EAST, WEST]);
    assert_eq!(moved(6, &cells, &actions, Mode::Reference), [(1, 2), (1, 2), (1, 4)]);
    assert_eq!(moved(6, &cells, &actions, Mode::Clean), cells);
    // A longer chain is held back to its end.
    let cells = [(1, 0), (1, 1), (1, 2), (1, 4)];
    assert_eq!(moved(6, &cells, &[EAST, EAST, EAST, WEST], Mode::Clean), cells);
}

#[test]
fn fact_33_players_never_overlap_in_clean_mode() {
    for task in ["Foraging-5x5-4p-1f-v3", "Foraging-8x8-4p-2f-v3", "Foraging-5x5-2p-1f-v3"] {
        let config = Foraging::task(task, Mode::Clean);
        let lanes = 64;
        let mut env = config.build(0..lanes, 16, Streams::new(1)).unwrap();
        let mut out = Buffers::new(env.spec(), lanes as usize);
        env.reset(0, out.outbox()).unwrap();
        let mut rng = Streams::new(1).at(Purpose::Explore, 0, 0);
        let rows = lanes as usize * env.spec().agents;
        for _ in 0..200 {
            let actions: Vec<u16> = (0..rows).map(|_| below(&mut rng, 6) as u16).collect();
            env.step(Actions::Discrete(&actions), out.outbox()).unwrap();
            for lane in 0..lanes as usize {
                let players = triples(&env.describe(lane).unwrap()["players"]);
                let mut cells: Vec<_> = players.iter().map(|&(row, col, _)| (row, col)).collect();
                cells.sort_unstable();
                cells.dedup();
                assert_eq!(cells.len(), players.len(), "{task}: {players:?}");
            }
        }
    }
}

#[test]
fn fact_34_a_blocked_leader_blocks_its_follower() {
    for mode in BOTH {
        assert_eq!(moved(5, &[(1, 3), (1, 4)], &[EAST, EAST], mode), [(1, 3), (1, 4)]);
        let mut game = Game::new(&fixed(5, &[(2, 0, 1), (2, 1, 1)], &[(2, 2, 1)], mode), 0);
        game.step(&[EAST, EAST]);
        assert_eq!(game.cells(), [(2, 0), (2, 1)]);
    }
}

#[test]
fn fact_35_masks_ignore_players_and_illegal_moves_do_nothing() {
    for mode in BOTH {
        let mut game = Game::new(&fixed(5, &[(0, 0, 1), (0, 1, 1)], &[(1, 1, 2)], mode), 0);
        assert_eq!(game.mask(0), [true, false, true, false, true, false]);
        assert_eq!(game.mask(1), [true, false, false, true, true, true]);
        game.step(&[NORTH, SOUTH]);
        assert_eq!(game.cells(), [(0, 0), (0, 1)]);
    }
}

#[test]
fn fact_36_loading_nothing_costs_nothing() {
    for mode in BOTH {
        let config = Foraging {
            penalty: Some(0.1),
            ..fixed(6, &[(0, 0, 1), (5, 5, 1)], &[(2, 2, 2)], mode)
        };
        assert_eq!(Game::new(&config, 0).step(&[LOAD, LOAD]), [0.0, 0.0]);
    }
}

#[test]
fn fact_37_a_failed_load_costs_its_participants_the_penalty() {
    for mode in BOTH {
        let config = Foraging {
            penalty: Some(0.1),
            ..fixed(6, &[(2, 1, 1), (2, 3, 1)], &[(2, 2, 3)], mode)
        };
        let mut game = Game::new(&config, 0);
        assert_eq!(game.step(&[LOAD, LOAD]), [-0.1, -0.1]);
        assert_eq!(game.step(&[LOAD, NONE]), [-0.1, 0.0]);
        assert_eq!(game.triples("foods"), [(2, 2, 3)]);
    }
}

#[test]
fn fact_38_rewards_are_shared_by_level() {
    for mode in BOTH {
        let config = fixed(7, &[(2, 1, 2), (2, 3, 1)], &[(2, 2, 3), (5, 5, 1)], mode);
        assert_eq!(Game::new(&config, 0).step(&[LOAD, LOAD]), [0.5, 0.25]);
        let raw = Foraging { normalize: false, ..config };
        assert_eq!(Game::new(&raw, 0).step(&[LOAD, LOAD]), [6.0, 3.0]);
    }
}

#[test]
fn fact_39_all_loaders_share_an_easy_food() {
    for mode in BOTH {
        let players = [(2, 1, 2), (2, 3, 1), (1, 2, 1)];
        let mut game = Game::new(&fixed(6, &players, &[(2, 2, 1)], mode), 0);
        assert_eq!(game.step(&[LOAD, LOAD, LOAD]), [0.5, 0.25, 0.25]);
        assert_eq!(game.out.ends[0], End::Terminated);
    }
}

#[test]
fn fact_40_groups_in_one_step_are_independent() {
    for mode in BOTH {
        let players = [(1, 2, 2), (3, 2, 2), (5, 4, 2), (5, 6, 2)];
        let mut game = Game::new(&fixed(8, &players, &[(2, 2, 2), (5, 5, 4)], mode), 0);
        let (sixth, third) = (1.0 / 6.0, 1.0 / 3.0);
        assert_eq!(game.step(&[LOAD; 4]), [sixth, sixth, third, third]);
        assert_eq!(game.out.ends[0], End::Terminated);
    }
}

#[test]
fn fact_41_bystanders_earn_nothing() {
    for mode in BOTH {
        let mut game = Game::new(&fixed(6, &[(2, 1, 2), (2, 3, 1)], &[(2, 2, 1)], mode), 0);
        assert_eq!(game.step(&[LOAD, NONE]), [1.0, 0.0]);
    }
}

#[test]
fn fact_42_who_arrives_in_the_same_step_does_not_help() {
    for mode in BOTH {
        let config = Foraging {
            penalty: Some(0.1),
            ..fixed(6, &[(2, 1, 1), (2, 4, 1)], &[(2, 2, 2)], mode)
        };
        let mut game = Game::new(&config, 0);
        assert_eq!(game.step(&[LOAD, WEST]), [-0.1, 0.0]);
        assert_eq!(game.cells(), [(2, 1), (2, 3)]);
        assert_eq!(game.step(&[LOAD, LOAD]), [0.5, 0.5]);
    }
}

#[test]
fn facts_43_and_57_returns_stay_within_bounds_and_a_common_reward_is_the_sum() {
    for mode in BOTH {
        let task = Foraging::task("Foraging-8x8-4p-2f-v3", mode);
        let common = Foraging { reward: RewardMode::Common, ..task.clone() };
        let (mut own, mut shared) = (Game::new(&task, 3), Game::new(&common, 3));
        let mut rng = Streams::new(2).at(Purpose::Explore, 0, 0);
        let (mut team, mut cleared) = (0.0_f64, 0);
        for _ in 0..60_000 {
            let before: u32 = own.triples("foods").iter().map(|food| u32::from(food.2)).sum();
            // Loading whenever it is possible clears boards often enough.
            let actions: Vec<u16> = (0..4)
                .map(|agent| if own.mask(agent)[5] { LOAD } else { below(&mut rng, 5) as u16 })
                .collect();
            let rewards = own.step(&actions).to_vec();
            shared.step(&actions);
            let sum: f64 = rewards.iter().map(|&reward| f64::from(reward)).sum();
            assert!(rewards.iter().all(|&reward| reward >= 0.0));
            assert_eq!(shared.out.rewards, [sum as f32; 4]);
            assert!(sum == 0.0 || before > 0);
            team += sum;
            if own.out.ends[0].is_over() {
                let left = triples(&own.env.describe_last(0).unwrap()["foods"]);
                if left.is_empty() {
                    near(team, 1.0, 1e-6, "return of a cleared board");
                    cleared += 1;
                }
                assert!(team <= 1.0 + 1e-6);
                team = 0.0;
            }
        }
        assert!(cleared > 20, "{cleared}");
    }
}

#[test]
fn fact_44_the_limit_truncates_in_clean_mode_and_terminates_in_reference_mode() {
    for (mode, expected) in [(Mode::Reference, End::Terminated), (Mode::Clean, End::Truncated)] {
        let config = fixed(6, &[(2, 1, 1), (2, 3, 1)], &[(2, 2, 2)], mode);
        let mut game = Game::new(&config, 0);
        for step in 1..=50 {
            game.step(&[NONE, NONE]);
            assert_eq!(game.out.ends[0], if step == 50 { expected } else { End::Running });
        }
        for _ in 1..50 {
            game.step(&[NONE, NONE]);
        }
        game.step(&[LOAD, LOAD]);
        assert_eq!(game.out.ends[0], End::Terminated, "the last food was loaded at the limit");
    }
}

#[test]
fn fact_45_golden_and_pseudo_action_trajectories() {
    let mut game = Game::new(&Foraging::task("Foraging-8x8-2p-2f-coop-v3", Mode::Reference), 0);
    let first = [1, 1, 1, 0, 0, 0, 5, 2, 2, 4, 5];
    let second = [1, 4, 4, 4, 4, 4, 5, 4, 2, 2, 5];
    let cells = [
        [(4, 4), (1, 0)],
        [(3, 4), (1, 1)],
        [(2, 4), (1, 2)],
        [(2, 4), (1, 3)],
        [(2, 4), (1, 4)],
        [(2, 4), (1, 5)],
        [(2, 4), (1, 5)],
        [(3, 4), (1, 6)],
        [(4, 4), (2, 6)],
        [(4, 5), (3, 6)],
    ];
    for step in 0..11 {
        let reward = if step == 6 || step == 10 { 0.25 } else { 0.0 };
        assert_eq!(game.step(&[first[step], second[step]]), [reward; 2], "step {}", step + 1);
        assert_eq!(game.out.ends[0].is_over(), step == 10);
        if step < 10 {
            assert_eq!(game.cells(), cells[step], "step {}", step + 1);
        }
    }
    let runs: [Expected<'_>; 2] = [
        (
            "Foraging-8x8-2p-2f-coop-v3",
            2,
            [
                &[(2, 7), (0, 2)],
                &[(1, 7), (1, 4)],
                &[(0, 7), (0, 6)],
                &[(0, 7), (1, 7)],
                &[(0, 7), (2, 7)],
            ],
        ),
        (
            "Foraging-10x10-3p-3f-v3",
            3,
            [
                &[(0, 4), (9, 3), (8, 3)],
                &[(0, 6), (8, 5), (9, 1)],
                &[(0, 9), (6, 9), (8, 0)],
                &[(0, 9), (5, 9), (7, 0)],
                &[(0, 9), (3, 9), (8, 0)],
            ],
        ),
    ];
    for (task, players, expected) in runs {
        let mut game = Game::new(&Foraging::task(task, Mode::Reference), 1);
        for t in 0..50 {
            let actions: Vec<u16> =
                (0..players).map(|i| ((7 * t + 3 * i + t * i + t * t / 5) % 6) as u16).collect();
            assert!(game.step(&actions).iter().all(|&reward| reward == 0.0));
            if t % 10 == 9 {
                let cells = if t == 49 {
                    let last = triples(&game.env.describe_last(0).unwrap()["players"]);
                    last.iter().map(|&(row, col, _)| (row, col)).collect()
                } else {
                    game.cells()
                };
                assert_eq!(cells, expected[t / 10], "{task} after {} steps", t + 1);
            }
        }
    }
}

#[test]
fn facts_46_and_47_players_are_interchangeable() {
    let order = [2, 0, 3, 1];
    let mut rng = Streams::new(5).at(Purpose::Generate, 0, 0);
    let source = Foraging::task("Foraging-8x8-4p-3f-v3", Mode::Clean);
    for mode in BOTH {
        for (players, foods) in boards(&source, 300) {
            let permuted: Vec<_> = order.iter().map(|&index| players[index]).collect();
            let mut one = Game::new(&fixed(8, &players, &foods, mode), 0);
            let mut two = Game::new(&fixed(8, &permuted, &foods, mode), 0);
            for _ in 0..40 {
                let actions: Vec<u16> = (0..4)
                    .map(|agent| if one.mask(agent)[5] { LOAD } else { below(&mut rng, 6) as u16 })
                    .collect();
                let swapped: Vec<_> = order.iter().map(|&index| actions[index]).collect();
                let rewards = one.step(&actions).to_vec();
                let expected: Vec<_> = order.iter().map(|&index| rewards[index]).collect();
                assert_eq!(two.step(&swapped), expected);
                let (cells, other) = (one.cells(), two.cells());
                let expected: Vec<_> = order.iter().map(|&index| cells[index]).collect();
                assert_eq!(other, expected);
                if one.out.ends[0].is_over() {
                    break;
                }
            }
        }
    }
}

#[test]
fn fact_48_lengths_of_observations_and_states() {
    for (task, length, state) in [
        ("Foraging-8x8-2p-2f-coop-v3", 12, 24),
        ("Foraging-10x10-3p-3f-v3", 18, 54),
        ("Foraging-15x15-3p-5f-v3", 24, 72),
        ("Foraging-15x15-4p-3f-v3", 21, 84),
        ("Foraging-15x15-4p-5f-v3", 27, 108),
    ] {
        let config = Foraging::task(task, Mode::Clean);
        let spec = config.spec().unwrap();
        assert_eq!((spec.observation.size(), spec.state), (length, state), "{task}");
        assert_eq!(spec.name, task);
        let blind = Foraging { observe_levels: false, ..config };
        assert_eq!(blind.spec().unwrap().observation.size(), length - spec.agents);
    }
}

#[test]
fn facts_49_51_and_52_observation_vectors() {
    for mode in BOTH {
        let config = fixed(8, &[(5, 4, 2), (1, 6, 1)], &[(5, 5, 3), (2, 6, 1)], mode);
        let mut game = Game::new(&config, 0);
        let full = [2.0, 6.0, 1.0, 5.0, 5.0, 3.0];
        assert_eq!(game.observation(0), [&full[..], &[5.0, 4.0, 2.0, 1.0, 6.0, 1.0]].concat());
        assert_eq!(game.observation(1), [&full[..], &[1.0, 6.0, 1.0, 5.0, 4.0, 2.0]].concat());
        assert_eq!(game.out.state, game.out.observations);
        // The first food in order disappears and the second moves up.
        game.step(&[NONE, LOAD]);
        let expected = [5.0, 5.0, 3.0, -1.0, -1.0, 0.0, 5.0, 4.0, 2.0, 1.0, 6.0, 1.0];
        assert_eq!(game.observation(0), expected);
        let near = Game::new(&Foraging { sight: Some(2), ..config.clone() }, 0);
        assert_eq!(
            near.observation(0),
            [2.0, 3.0, 3.0, -1.0, -1.0, 0.0, 2.0, 2.0, 2.0, -1.0, -1.0, 0.0]
        );
        assert_eq!(
            near.observation(1),
            [2.0, 2.0, 1.0, -1.0, -1.0, 0.0, 1.0, 2.0, 1.0, -1.0, -1.0, 0.0]
        );
        let blind = Game::new(&Foraging { observe_levels: false, ..config }, 0);
        assert_eq!(blind.observation(0), [&full[..], &[5.0, 4.0, 1.0, 6.0]].concat());
    }
}

#[test]
fn fact_50_the_sight_asymmetry_is_the_references_own() {
    let see = |mode, own: (u8, u8), other: (u8, u8)| {
        let players = [(own.0, own.1, 1), (other.0, other.1, 1)];
        let config = Foraging { sight: Some(2), ..fixed(8, &players, &[(3, 3, 2)], mode) };
        let game = Game::new(&config, 0);
        let seen = game.observation(0);
        (seen[..3].to_vec(), seen[6..9].to_vec())
    };
    let (nothing, hidden) = (vec![-1.0, -1.0, 0.0], vec![-1.0, -1.0, 0.0]);
    let reference = |own, other| see(Mode::Reference, own, other);
    assert_eq!(reference((0, 0), (4, 4)), (nothing.clone(), vec![4.0, 4.0, 1.0]));
    assert_eq!(reference((1, 1), (4, 1)).1, [4.0, 1.0, 1.0]);
    assert_eq!(reference((4, 4), (7, 4)).1, hidden);
    assert_eq!(reference((4, 4), (6, 4)).1, [4.0, 2.0, 1.0]);
    assert_eq!(see(Mode::Clean, (0, 0), (4, 4)), (nothing, hidden.clone()));
    assert_eq!(see(Mode::Clean, (1, 1), (4, 1)).1, hidden);
    assert_eq!(see(Mode::Clean, (1, 1), (3, 1)).1, [3.0, 1.0, 1.0]);
}

#[test]
fn fact_53_grid_layers() {
    for mode in BOTH {
        let config = Foraging {
            observation: Some(View::Grid),
            sight: Some(1),
            ..fixed(5, &[(0, 0, 2), (1, 1, 1)], &[(1, 2, 3)], mode)
        };
        let spec = config.spec().unwrap();
        assert_eq!(spec.observation.shape, [3, 3, 3]);
        let game = Game::new(&config, 0);
        #[rustfmt::skip]
        let corner = [
            0., 0., 0.,  0., 2., 0.,  0., 0., 1.,
            0., 0., 0.,  0., 0., 0.,  0., 0., 0.,
            0., 0., 0.,  0., 0., 1.,  0., 1., 0.,
        ];
        assert_eq!(game.observation(0), corner);
        #[rustfmt::skip]
        let inside = [
            2., 0., 0.,  0., 1., 0.,  0., 0., 0.,
            0., 0., 0.,  0., 0., 3.,  0., 0., 0.,
            0., 1., 1.,  1., 0., 0.,  1., 1., 1.,
        ];
        assert_eq!(game.observation(1), inside);
        let blind = Game::new(&Foraging { observe_levels: false, ..config }, 0);
        assert_eq!(blind.observation(0)[4], 1.0);
    }
}

#[test]
fn fact_54_boards_need_not_be_square_in_clean_mode() {
    for size in [(6, 9), (9, 6)] {
        let config = Foraging { size: Some(size), ..Foraging::default() };
        let mut widest = (0, 0);
        for (players, _) in boards(&config, 500) {
            for (row, col, _) in players {
                widest = (widest.0.max(row), widest.1.max(col));
            }
        }
        assert_eq!(widest, (size.0 - 1, size.1 - 1));
        let refused = Foraging { mode: Mode::Reference, ..config }.spec().unwrap_err();
        assert!(refused.to_string().contains("the reference cannot build a board of"), "{refused}");
    }
}

#[test]
fn fact_55_names_switch_the_rules() {
    let spec = |task: &str| Foraging::task(task, Mode::Clean).spec().unwrap();
    assert_eq!(spec("Foraging-2s-8x8-2p-2f-coop-v3").horizon, Some(50));
    for name in [
        "Foraging-2s-8x8-2p-2f-coop-v3",
        "Foraging-15x15-4p-5f-v0",
        "Foraging-grid-2s-10x10-3p-3f-pen-v2",
    ] {
        assert_eq!(spec(name).name, name);
    }
}

#[test]
fn the_board_state_holds_everything_on_the_board() {
    let config = Foraging {
        state: StateMode::Board,
        foods: Some(2),
        sight: Some(2),
        steps: 10,
        ..fixed(8, &[(5, 4, 2), (1, 6, 1)], &[(2, 6, 1)], Mode::Clean)
    };
    let mut game = Game::new(&config, 0);
    let board = [5.0, 4.0, 2.0, 1.0, 6.0, 1.0, 2.0, 6.0, 1.0, -1.0, -1.0, 0.0];
    assert_eq!(game.out.state, [&board[..], &[0.0]].concat());
    game.step(&[NORTH, NONE]);
    assert_eq!((game.out.state[0], game.out.state[12]), (4.0, 0.1));
}

#[test]
fn the_last_moment_of_a_cut_episode_is_what_a_longer_one_sees_on_its_way() {
    for (sight, observation) in [(8, View::Vector), (2, View::Vector), (2, View::Grid)] {
        let config = |steps| Foraging {
            task: Some("Foraging-8x8-3p-3f-v3".to_owned()),
            sight: Some(sight),
            observation: Some(observation),
            steps,
            ..Foraging::default()
        };
        let (streams, lanes) = (Streams::new(8), 64);
        let mut long = config(50).build(0..lanes, 16, streams).unwrap();
        let mut short = config(9).build(0..lanes, 16, streams).unwrap();
        let spec = long.spec().clone();
        let [mut on_its_way, mut cut] = [0, 1].map(|_| Buffers::new(&spec, lanes as usize));
        long.reset(0, on_its_way.outbox()).unwrap();
        short.reset(0, cut.outbox()).unwrap();
        let mut rng = streams.at(Purpose::Policy, 0, 0);
        let mut alive = vec![true; lanes as usize];
        for step in 1..=9 {
            let actions: Vec<u16> = (0..lanes * 3).map(|_| below(&mut rng, 6) as u16).collect();
            long.step(Actions::Discrete(&actions), on_its_way.outbox()).unwrap();
            short.step(Actions::Discrete(&actions), cut.outbox()).unwrap();
            for (alive, end) in alive.iter_mut().zip(&on_its_way.ends) {
                *alive &= !end.is_over();
            }
            assert_eq!(step == 9, cut.ends.contains(&End::Truncated));
        }
        let (obs, masks) = (3 * spec.observation.size(), 3 * spec.action.mask_size());
        assert!(alive.iter().filter(|alive| **alive).count() > 32);
        for lane in (0..lanes as usize).filter(|&lane| alive[lane]) {
            let [obs, masks] = [obs, masks].map(|size| lane * size..(lane + 1) * size);
            assert_eq!(cut.last_observations[obs.clone()], on_its_way.observations[obs]);
            assert_eq!(cut.last_masks[masks.clone()], on_its_way.masks[masks]);
            let state = lane * spec.state..(lane + 1) * spec.state;
            assert_eq!(cut.last_state[state.clone()], on_its_way.state[state]);
        }
    }
}

/// Sparse mode: nothing is paid before the last food, and then 1 to everybody.
#[test]
fn the_completed_reward_is_paid_with_the_last_food() {
    let layout = Layout::Fixed {
        players: items(&[(0, 0, 1), (0, 3, 1)]),
        foods: items(&[(0, 1, 1), (0, 4, 1)]),
    };
    let config = Foraging {
        size: Some((5, 5)),
        layout,
        reward: RewardMode::Completed,
        ..Foraging::default()
    };
    assert_eq!(config.spec().unwrap().payoff, Payoff::Common);
    let mut game = Game::new(&config, 1);
    assert_eq!(game.step(&[LOAD, NONE]), [0.0, 0.0]);
    assert_eq!(game.step(&[NONE, LOAD]), [1.0, 1.0]);
    assert_eq!(game.out.ends, [End::Terminated]);
}
