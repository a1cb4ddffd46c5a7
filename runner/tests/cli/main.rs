//! The binary as a user meets it: scenarios of `assets/`, `trace` against a golden file, digests, exit codes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gambol_agents::Device;
use gambol_runner::Registries;
use gambol_runner::drivers::{self, Run};
use gambol_runner::plan::Plan;
use gambol_runner::record::Record;
use gambol_runner::scenario::Scenario;
use gambol_runner::scenario::edit::Setting;
use gambol_runner::sources::Sources;
use serde_json::Value;

mod bad_scenarios;
mod commands;
mod digests;
mod files;
mod fuzz;
mod interrupted;
mod psro;
mod replay;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn gambol(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gambol")).args(arguments).output().unwrap()
}

/// What it told the user.
fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Its results; nothing else may stand on the standard output.
fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Learners that are there only with libtorch.
const LIBTORCH: [&str; 9] =
    ["Iql", "Vdn", "Qmix", "Ia2c", "Maa2c", "Ippo", "Mappo", "Sac", "Gigpo"];

/// The scenarios of the assets that this build can plan: without libtorch there is little to learn with.
fn scenarios() -> Vec<String> {
    let learns = |file: &String| {
        let text = std::fs::read_to_string(file).unwrap();
        LIBTORCH.iter().any(|learner| text.contains(&format!(": {learner}(")))
    };
    let folder = root().join("assets/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ron"))
        .map(|path| path.to_str().unwrap().to_owned())
        .filter(|file| cfg!(feature = "torch") || !learns(file))
        .collect();
    files.sort();
    files
}

#[test]
fn every_scenario_of_the_assets_has_a_plan() {
    let files = scenarios();
    assert!(files.len() >= 20, "{}", files.len());
    let mut arguments = vec!["check", "--json"];
    arguments.extend(files.iter().map(String::as_str));
    let output = gambol(&arguments);
    assert!(output.status.success(), "{}", message(&output));
    assert_eq!(json(&output).as_array().unwrap().len(), files.len());
}

/// As short as a scenario can be made.
fn shortened(path: &Path) -> Plan {
    let read = |sets: &[&str]| {
        let sets: Vec<Setting> = sets.iter().map(|set| set.parse().unwrap()).collect();
        let scenario = Scenario::read(path, &sets, &Registries::standard()).unwrap();
        Plan::new(scenario, Sources::folder(path.parent().unwrap()), Device::Cpu).unwrap()
    };
    let plan = read(&[]);
    match plan.run {
        Some(Run::Evaluate(_)) => read(&["run.episodes=1"]),
        Some(Run::Train(_)) => read(&["run.steps=1", "run.evaluate.episodes=1"]),
        Some(Run::Psro(psro)) if psro.game.is_none() => read(&[
            "run.responses.steps=64",
            "run.iterations=1",
            "run.evaluate=4",
            "run.sampling.first=2",
        ]),
        Some(Run::Psro(_)) => read(&["run.iterations=1"]),
        _ => plan,
    }
}

#[test]
fn every_scenario_of_the_assets_plays() {
    let mut played = 0;
    for file in scenarios() {
        let plan = shortened(Path::new(&file));
        if matches!(plan.run, Some(Run::Evaluate(_) | Run::Train(_) | Run::Psro(_))) {
            let mut record = Record::digest_only();
            let outcome = drivers::run(&plan, &mut record).unwrap();
            assert!(outcome.complete, "{file}");
            // The evaluation, its first moment, at least one step, its results.
            assert!(record.log.entries() >= 4, "{file}");
            played += 1;
        }
    }
    assert!(played >= 18, "{played}");
}

#[test]
fn trace_prints_a_golden_trajectory() {
    let folder = folder("trace");
    let golden = root().join("tests/golden/foraging/foraging-10x10-3p-3f-seed100.jsonl");
    let text = std::fs::read_to_string(golden).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let scenario = folder.join("s.ron");
    std::fs::write(
        &scenario,
        "(version: 1, seed: 100, env: Foraging(task: \"Foraging-10x10-3p-3f-v3\", mode: Reference))",
    )
    .unwrap();
    let actions: String = lines[1..].iter().map(|line| format!("{}\n", line["actions"])).collect();
    let file = folder.join("a.jsonl");
    std::fs::write(&file, actions).unwrap();
    let output =
        gambol(&["trace", scenario.to_str().unwrap(), "--actions", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", message(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(printed.len(), lines.len());
    for (step, (found, expected)) in printed.iter().zip(&lines).enumerate() {
        assert_eq!(found["step"], step);
        assert_eq!(found["observations"], expected["observations"], "step {step}");
        assert_eq!(found["state"]["players"], expected["players"], "step {step}");
        assert_eq!(found["state"]["foods"], expected["foods"], "step {step}");
        let done = expected["done"].as_bool().unwrap_or(false);
        assert_eq!(
            (&found["terminated"], &found["truncated"]),
            (&Value::from(done), &Value::from(false))
        );
        for (found, expected) in found["rewards"]
            .as_array()
            .unwrap()
            .iter()
            .zip(expected["rewards"].as_array().into_iter().flatten())
        {
            assert!(
                (found.as_f64().unwrap() - expected.as_f64().unwrap()).abs() < 1e-6,
                "step {step}"
            );
        }
    }
}

/// Its last step is a crash in the last second: both flags are set, as in the reference.
#[test]
fn trace_prints_both_ends_of_a_recorded_drive() {
    let folder = folder("trace-recording");
    let golden = root().join("tests/golden/driving-more/u-turn-v1-seed501.jsonl");
    let text = std::fs::read_to_string(&golden).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    std::fs::copy(&golden, folder.join("r.jsonl")).unwrap();
    let scenario = folder.join("s.ron");
    std::fs::write(&scenario, "(version: 1, seed: 1, env: Driving(scene: Recorded(\"r.jsonl\")))")
        .unwrap();
    let actions: String = lines[1..].iter().map(|line| format!("[{}]\n", line["action"])).collect();
    let file = folder.join("a.jsonl");
    std::fs::write(&file, actions).unwrap();
    let output =
        gambol(&["trace", scenario.to_str().unwrap(), "--actions", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", message(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(printed.len(), lines.len());
    for (found, expected) in printed.iter().zip(&lines).skip(1) {
        assert_eq!(found["terminated"], expected["terminated"]);
        assert_eq!(found["truncated"], expected["truncated"]);
    }
    let last = printed.last().unwrap();
    assert_eq!((&last["terminated"], &last["truncated"]), (&Value::from(true), &Value::from(true)));
}

#[test]
fn digests_do_not_depend_on_threads_or_shards_and_verify_agrees() {
    let folder = folder("digests");
    let scenario = root().join("assets/scenarios/foraging-10x10-3p-3f-collector.ron");
    let mut digests = Vec::new();
    for (index, (threads, shard)) in [("1", "256"), ("2", "256"), ("2", "17")].iter().enumerate() {
        let out = folder.join(format!("run{index}"));
        let shard = format!("batch.shard={shard}");
        let output = gambol(&[
            "run",
            scenario.to_str().unwrap(),
            "--set",
            "run.episodes=600",
            "--set",
            &shard,
            "--threads",
            threads,
            "--out",
            out.to_str().unwrap(),
            "--json",
        ]);
        assert!(output.status.success(), "{}", message(&output));
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        digests.push(result["digest"].as_str().unwrap().to_owned());
    }
    assert!(digests.iter().all(|digest| digest == &digests[0]), "{digests:?}");
    let manifest = std::fs::read_to_string(folder.join("run0/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let (version, threads) = (&manifest["build"]["libtorch"], &manifest["build"]["torch_threads"]);
    if cfg!(feature = "torch") {
        assert!(version.is_string() && threads.is_u64(), "{version} {threads}");
    } else {
        assert!(version.is_null() && threads.is_null(), "{version} {threads}");
    }
    let output = gambol(&["verify", folder.join("run0").to_str().unwrap()]);
    assert!(output.status.success(), "{}", message(&output));
}
