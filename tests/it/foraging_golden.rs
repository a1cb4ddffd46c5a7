//! Trajectories recorded from lbforaging 2.0.0 replay exactly: from the recorded board, and from the seed alone.

use std::path::PathBuf;

use gambol_envs::EnvFactory;
use gambol_envs::batch::{Actions, Buffers, End};
use gambol_envs::foraging::{Foraging, Item, Layout, Mode};
use gambol_envs::seed::Streams;
use serde_json::Value;

fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/foraging");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn items(list: &Value) -> Vec<Item> {
    let number = |item: &Value, key: &str| item[key].as_u64().unwrap() as u8;
    let item = |item: &Value| Item {
        row: number(item, "row"),
        col: number(item, "col"),
        level: number(item, "level"),
    };
    list.as_array().unwrap().iter().map(item).collect()
}

fn numbers(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

fn rows(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().flat_map(numbers).collect()
}

fn config(head: &Value, layout: Layout) -> Foraging {
    let size = head["size"].as_u64().unwrap() as u8;
    Foraging {
        mode: Mode::Reference,
        size: Some((size, size)),
        players: Some(head["players"].as_array().unwrap().len()),
        foods: Some(head["max_num_food"].as_u64().unwrap() as usize),
        sight: Some(head["sight"].as_u64().unwrap() as u8),
        coop: head["force_coop"].as_bool(),
        penalty: Some(head["penalty"].as_f64().unwrap() as f32),
        normalize: head["normalize_reward"].as_bool().unwrap(),
        steps: head["max_episode_steps"].as_u64().unwrap() as u32,
        layout,
        ..Foraging::default()
    }
}

/// Replays one file and returns the number of steps compared.
fn replay(path: &PathBuf, from_seed: bool) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let head = &lines[0];
    let layout = if from_seed {
        Layout::Random
    } else {
        Layout::Fixed { players: items(&head["players"]), foods: items(&head["foods"]) }
    };
    let streams = Streams::new(head["seed"].as_u64().unwrap());
    let mut env = config(head, layout).build(0..1, 1, streams).unwrap();
    let mut out = Buffers::new(env.spec(), 1);
    env.reset(0, out.outbox()).unwrap();
    env.watch(0).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    let same = |step: usize, what: &str, found: &Value, expected: &Value| {
        assert_eq!(found, expected, "{name}, step {step}, {what}, from seed: {from_seed}");
    };
    let board = env.describe(0).unwrap();
    same(0, "players", &board["players"], &head["players"]);
    same(0, "foods", &board["foods"], &head["foods"]);
    assert_eq!(out.observations, rows(&head["observations"]), "{name}, step 0");
    for (step, line) in lines.iter().enumerate().skip(1) {
        let actions: Vec<u16> = line["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a.as_u64().unwrap() as u16)
            .collect();
        env.step(Actions::Discrete(&actions), out.outbox()).unwrap();
        let done = line["done"].as_bool().unwrap();
        assert_eq!(out.ends[0], if done { End::Terminated } else { End::Running }, "{name} {step}");
        let seen = if done { &out.last_observations } else { &out.observations };
        assert_eq!(*seen, rows(&line["observations"]), "{name}, step {step}, observations");
        assert_eq!(out.rewards, numbers(&line["rewards"]), "{name}, step {step}, rewards");
        let board =
            if done { env.describe_last(0).unwrap().clone() } else { env.describe(0).unwrap() };
        same(step, "players", &board["players"], &line["players"]);
        same(step, "foods", &board["foods"], &line["foods"]);
        assert_eq!(done, step + 1 == lines.len(), "{name}, step {step}");
    }
    lines.len() - 1
}

#[test]
fn golden_trajectories_replay_from_the_recorded_board() {
    let files = files();
    assert_eq!(files.len(), 24);
    let steps: usize = files.iter().map(|path| replay(path, false)).sum();
    assert!(steps > 500, "{steps}");
}

#[test]
fn golden_trajectories_replay_from_the_seed_alone() {
    for path in files() {
        replay(&path, true);
    }
}
