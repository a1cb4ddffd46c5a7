//! `gambol advantage`: its contract, its errors.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn gambol(rows: &str, flags: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.jsonl");
    std::fs::write(&path, rows).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gambol"));
    command.arg("advantage").arg(path).args(flags).output().unwrap()
}

fn refused(rows: &str, flags: &[&str], expected: &str) {
    let output = gambol(rows, flags);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains(expected), "{message}");
    assert!(output.stdout.is_empty());
}

/// Example 1 of the specification's 1.7, with a field of the user's own.
fn example() -> String {
    let mut text = String::new();
    for (trajectory, states, last) in [("t1", "SAB", 10), ("t2", "SAAC", 0), ("t3", "SB", 10)] {
        for (step, state) in states.chars().enumerate() {
            let reward = if step + 1 == states.len() { last } else { 0 };
            writeln!(
                text,
                r#"{{"group": 0, "trajectory": "{trajectory}", "state": {{"at": "{state}"}}, "reward": {reward}, "step": {step}}}"#
            )
            .unwrap();
        }
    }
    text
}

fn field(output: &Output, name: &str) -> Vec<f64> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()[name].as_f64().unwrap())
        .collect()
}

#[test]
fn rows_come_back_in_order_with_their_advantages() {
    let rows = example();
    let output = gambol(
        &rows,
        &["--method", "gigpo", "--gamma", "0.95", "--omega", "1", "--norm", "none", "--json"],
    );
    assert!(output.status.success());
    let expected = [
        7.294_445,
        10.777_778,
        4.444_445,
        -11.730_555,
        -8.722_222,
        -8.722_222,
        -5.555_555,
        7.769_445,
        4.444_445,
    ];
    let found = field(&output, "advantage");
    assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-5), "{found:?}");
    assert_eq!(field(&output, "return")[..3], [9.025, 9.5, 10.0]);
    let (episode, step) = (field(&output, "episode_advantage"), field(&output, "step_advantage"));
    assert!((0..9).all(|row| (episode[row] + step[row] - found[row]).abs() < 1e-12));
    // Every row begins as it was written.
    let text = String::from_utf8(output.stdout).unwrap();
    for (written, printed) in rows.lines().zip(text.lines()) {
        assert!(printed.starts_with(written.trim_end_matches('}')), "{printed}");
    }
}

#[test]
fn methods_and_statistics_have_names() {
    let first =
        |flags: &[&str]| field(&gambol(&example(), &[flags, &["--json"]].concat()), "advantage")[0];
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-5, "{found}");
    near(first(&[]), 1.375_688);
    near(first(&["--statistics", "trajectories"]), 1.109_764);
    near(first(&["--method", "grpo"]), 0.843_274);
    near(first(&["--method", "rloo"]), 5.0);
    near(first(&["--omega", "0"]), 0.843_274);
}

#[test]
fn the_standard_input_is_read_and_a_summary_printed() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gambol"))
        .args(["advantage", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(example().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("9 rows, 3 trajectories, 1 groups\n4 anchor groups"), "{text}");
}

#[test]
fn similar_texts_are_one_state() {
    let row = |trajectory: u32, state: &str, reward: u32| {
        format!(
            r#"{{"group": "g", "trajectory": {trajectory}, "state": "{state}", "reward": {reward}}}"#
        )
    };
    let rows = [
        row(1, "You arrive at shelf 1. You see a mug.", 0),
        row(2, "You arrive at shelf 2. You see a mug.", 1),
    ]
    .join("\n");
    let step = |flags: &[&str]| {
        field(&gambol(&rows, &[flags, &["--json", "--norm", "none"]].concat()), "step_advantage")
    };
    assert_eq!(step(&[]), [0.0, 0.0]);
    assert_eq!(step(&["--similarity", "0.95"]), [-0.5, 0.5]);
}

#[test]
fn errors_name_the_line_and_the_fix() {
    let good = r#"{"group": 1, "trajectory": 1, "state": 1, "reward": 1}"#;
    let second = |row: &str| format!("{good}\n{row}\n");
    refused(
        &second(r#"{"group": 1, "trajectory": 1, "reward": 1}"#),
        &[],
        "rows.jsonl:2:42: missing field `state`",
    );
    refused(
        &second(r#"{"group": 1, "trajectory": 1, "state": null, "reward": 1}"#),
        &[],
        ":2:43: invalid type: null, expected a text, a number",
    );
    refused(&second(r#"{"group": 1, "#), &[], "rows.jsonl:2:12: EOF while parsing");
    refused(
        &second(r#"{"group": 1, "trajectory": 1, "state": 1, "reward": 1, "return": 0}"#),
        &[],
        ":2: the row has a field `return` already",
    );
    refused(&second(good), &["--method", "gae"], "rows.jsonl:1: the row has no `value`");
    refused(good, &["--gamma", "1.5"], "gamma is 1.5");
    refused(
        good,
        &["--method", "grpo", "--omega", "1"],
        "`--omega` goes with `--method gigpo` only",
    );
    refused(good, &["--similarity", "1"], "similarity is 1");
    refused(good, &["--similarity", "0.9"], "rows.jsonl:1:40: invalid type: integer `1`");
    let output = Command::new(env!("CARGO_BIN_EXE_gambol"))
        .args(["advantage", "none.jsonl"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
