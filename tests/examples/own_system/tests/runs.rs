//! The example runs as its page says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn own_system(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_own-system"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_scenario_runs_and_the_environment_is_listed() {
    let out = format!("{}/run", env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::remove_dir_all(&out);
    let output = own_system(&["run", "fog.ron", "--out", &out]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&own_system(&["list"]).stdout).contains("FoggyForaging"));
}

#[test]
fn who_stands_in_the_fog_sees_only_its_neighbours_also_at_the_very_end() {
    let board = "layout: Fixed(players: [(row: 3, col: 3, level: 1), (row: 6, col: 6, level: 2)], \
                 foods: [(row: 1, col: 1, level: 1), (row: 5, col: 6, level: 3)]), steps: 2";
    let env = format!("env=FoggyForaging(forest: ({board}), from_row: 4, sight: 1)");
    let actions = format!("{}/actions.jsonl", env!("CARGO_TARGET_TMPDIR"));
    // The first player walks into the fog, and the episode is cut there.
    std::fs::write(&actions, "[2, 0]\n[2, 0]\n").unwrap();
    let output = own_system(&["trace", "fog.ron", "--set", &env, "--actions", &actions]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let seen: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["observations"].clone()
        })
        .collect();
    let absent = [-1.0, -1.0, 0.0];
    let clear = [[1.0, 1.0, 1.0], [5.0, 6.0, 3.0], [3.0, 3.0, 1.0], [6.0, 6.0, 2.0]].concat();
    let near = [[0.0, 1.0, 3.0], absent, [1.0, 1.0, 2.0], absent].concat();
    let alone = [absent, absent, [1.0, 1.0, 1.0], absent].concat();
    assert_eq!(seen[0], serde_json::json!([clear, near]));
    assert_eq!(seen[1][0], serde_json::json!(alone), "one step into the fog");
    assert_eq!(seen[2][0], serde_json::json!(alone), "the true last observation");
}
