//! Trajectories recorded from highway-env 1.12.1 replay from the recorded scene: positions, lanes, crashes, rewards, ends
//! and observations.
//!
//! `GAMBOL_RECORDINGS=DIR` replays another folder of recordings too, within `GAMBOL_TOLERANCE` if that is set.

use std::path::{Path, PathBuf};

use gambol_envs::EnvFactory;
use gambol_envs::batch::{Actions, Buffers, End};
use gambol_envs::driving::{Car, Driving, Scene};
use gambol_envs::seed::Streams;
use serde_json::{Value, json};

/// Metres, radians, m/s.
const TOLERANCE: f64 = 1e-6;

fn tolerance() -> f64 {
    std::env::var("GAMBOL_TOLERANCE").map_or(TOLERANCE, |text| text.parse().unwrap())
}

fn recordings(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn flatten(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, into)),
        number => into.push(number.as_f64().unwrap()),
    }
}

/// Compares one moment; the errors name what differs.
fn compare(found: &Value, seen: &[f32], line: &Value, worst: &mut f64) -> Result<(), String> {
    let (found, expected) = (&found["vehicles"], &line["vehicles"]);
    let (found, expected) = (found.as_array().unwrap(), expected.as_array().unwrap());
    if found.len() != expected.len() {
        return Err(format!("{} vehicles, recorded {}", found.len(), expected.len()));
    }
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        for field in ["x", "y", "heading", "speed"] {
            let (found, expected) =
                (found[field].as_f64().unwrap(), expected[field].as_f64().unwrap());
            *worst = worst.max((found - expected).abs());
            if (found - expected).abs() > tolerance() {
                return Err(format!("vehicle {index}: {field} {found}, recorded {expected}"));
            }
        }
        let aims = expected.get("target_lane").is_some();
        let fields =
            if aims { &["crashed", "lane", "target_lane"][..] } else { &["crashed", "lane"] };
        for field in fields {
            // Lane numbers that numpy made were recorded as text.
            let plain = |value: &Value| value.to_string().replace('"', "");
            if plain(&found[field]) != plain(&expected[field]) {
                return Err(format!(
                    "vehicle {index}: {field} {}, recorded {}",
                    found[field], expected[field]
                ));
            }
        }
    }
    let mut expected = Vec::new();
    flatten(&line["observation"], &mut expected);
    if seen.len() != expected.len() {
        return Err(format!("{} observed numbers, recorded {}", seen.len(), expected.len()));
    }
    for (index, (&found, &expected)) in seen.iter().zip(&expected).enumerate() {
        if (f64::from(found) - expected).abs() > tolerance() {
            return Err(format!("observation {index}: {found}, recorded {expected}"));
        }
    }
    Ok(())
}

/// Replays one recording; the steps compared and the largest difference of a vehicle's numbers.
fn replay(path: &Path) -> Result<(usize, f64), String> {
    let text = std::fs::read_to_string(path).unwrap();
    replay_in(&Driving::recorded(&text), &text)
}

fn replay_in(factory: &Driving, text: &str) -> Result<(usize, f64), String> {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut env = factory.build(0..1, 1, Streams::new(0)).map_err(|error| error.to_string())?;
    let mut out = Buffers::new(env.spec(), 1);
    env.watch(0).unwrap();
    env.reset(0, out.outbox()).unwrap();
    let mut worst = 0.0;
    compare(&env.describe(0).unwrap(), &out.observations, &lines[0], &mut worst)
        .map_err(|error| format!("step 0: {error}"))?;
    for (step, line) in lines.iter().enumerate().skip(1) {
        let at = |error: String| format!("step {step}: {error}");
        match &line["action"] {
            // One learner's throttle and wheel, or several learners' meta-actions.
            Value::Array(action) if action[0].is_f64() => {
                let action: Vec<f32> =
                    action.iter().map(|value| value.as_f64().unwrap() as f32).collect();
                env.step(Actions::Continuous(&action), out.outbox()).unwrap();
            }
            action => {
                let mut actions = Vec::new();
                flatten(action, &mut actions);
                let actions: Vec<u16> = actions.iter().map(|&action| action as u16).collect();
                env.step(Actions::Discrete(&actions), out.outbox()).unwrap();
            }
        }
        let end = match (line["terminated"].as_bool(), line["truncated"].as_bool()) {
            (Some(true), _) => End::Terminated,
            (_, Some(true)) => End::Truncated,
            _ => End::Running,
        };
        let (state, seen) = if out.ends[0].is_over() {
            (env.describe_last(0).unwrap().clone(), &out.last_observations)
        } else {
            (env.describe(0).unwrap(), &out.observations)
        };
        compare(&state, seen, line, &mut worst).map_err(at)?;
        let rewards: Vec<f64> = match &line["agents_rewards"] {
            Value::Array(rewards) => {
                rewards.iter().map(|reward| reward.as_f64().unwrap()).collect()
            }
            _ => vec![line["reward"].as_f64().unwrap()],
        };
        assert_eq!(out.rewards.len(), rewards.len());
        for (&found, expected) in out.rewards.iter().zip(rewards) {
            if (f64::from(found) - expected).abs() > tolerance() {
                return Err(at(format!("reward {found}, recorded {expected}")));
            }
        }
        if out.ends[0] != end {
            return Err(at(format!("{:?}, recorded {end:?}", out.ends[0])));
        }
        // Both flags are set where a crash falls on the last step; then the state says so.
        let late = end == End::Truncated || state["truncated"] == true;
        if Some(late) != line["truncated"].as_bool() {
            return Err(at(format!("truncated is {late}, recorded {}", line["truncated"])));
        }
    }
    Ok((lines.len() - 1, worst))
}

fn replay_all(files: &[PathBuf]) -> (usize, f64) {
    let (mut steps, mut worst, mut failed) = (0, 0.0_f64, Vec::new());
    for path in files {
        match replay(path) {
            Ok((count, difference)) => {
                steps += count;
                worst = worst.max(difference);
            }
            Err(error) => {
                failed.push(format!("{}: {error}", path.file_name().unwrap().to_string_lossy()));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), files.len(), failed.join("\n"));
    (steps, worst)
}

#[test]
fn golden_scenes_replay() {
    let files = recordings(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/driving"));
    assert_eq!(files.len(), 10);
    let (steps, worst) = replay_all(&files);
    assert!(steps > 50, "{steps}");
    assert!(worst <= TOLERANCE, "{worst}");
}

/// Recorded with the same program, its tasks and settings changed, to try what the ten do not: continuous actions with
/// and without tyre friction, grids, times to collision, rays, other features, rewards, frequencies and target speeds,
/// later versions, two learners, and episodes that crash at their time limit.
#[test]
fn recordings_of_other_tasks_and_settings_replay() {
    let files = recordings(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/driving-more"));
    assert_eq!(files.len(), 21);
    let both = |path: &&PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        last["terminated"] == true && last["truncated"] == true
    };
    assert_eq!(files.iter().filter(both).count(), 2, "some end both ways at once");
    let (steps, worst) = replay_all(&files);
    assert!(steps > 100, "{steps}");
    assert!(worst <= TOLERANCE, "{worst}");
}

/// A scenario may hold a recording's vehicles as they are written there.
#[test]
fn a_fixed_scene_takes_the_vehicles_of_a_recording() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/driving");
    let text = std::fs::read_to_string(folder.join("merge-v0-seed100.jsonl")).unwrap();
    let head: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let vehicles = head["vehicles"].as_array().unwrap().iter().map(|vehicle| {
        let mut vehicle = vehicle.clone();
        if vehicle["id"] == head["ego"] {
            vehicle["role"] = Value::from("ego");
        }
        serde_json::from_value::<Car>(vehicle).unwrap()
    });
    let scene = Scene::Fixed { vehicles: vehicles.collect() };
    let mut factory = Driving { scene, ..Driving::task("merge-v0") };
    assert_eq!(replay_in(&factory, &text).map(|(steps, _)| steps), Ok(text.lines().count() - 1));
    // A list of speeds that the learner does not have is refused, not ignored.
    let Scene::Fixed { vehicles } = &mut factory.scene else { unreachable!() };
    vehicles[0].target_speeds = vec![1.0, 2.0];
    let problems = factory.spec().unwrap_err().problems;
    assert_eq!(
        problems,
        [
            "`scene.vehicles[0]`: `target_speeds` are [1.0, 2.0], the learners' `actions` say [20.0, 25.0, 30.0]"
        ]
    );
}

#[test]
fn settings_that_cannot_be_kept_are_refused() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/driving");
    let text = std::fs::read_to_string(folder.join("highway-v0-seed100.jsonl")).unwrap();
    let mut head: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    for (setting, value, why) in [
        ("observation", json!({"type": "Kinematics", "order": "shuffled"}), "`sorted`"),
        ("observation", json!({"type": "OccupancyGrid", "absolute": true}), "absolute"),
        ("observation", json!({"type": "GrayscaleObservation"}), "GrayscaleObservation"),
        ("action", json!({"type": "ContinuousAction", "speed_range": [0, 20]}), "speed_range"),
        ("action", json!({"type": "DiscreteAction"}), "DiscreteAction"),
    ] {
        let before = head["config"].clone();
        head["config"][setting] = value;
        let message = Driving::recorded(&head.to_string()).spec().unwrap_err().problems.join("; ");
        assert!(message.contains(why), "{message}");
        head["config"] = before;
    }
}

#[test]
fn other_recordings_replay() {
    if let Some(folder) = std::env::var_os("GAMBOL_RECORDINGS") {
        let (steps, worst) = replay_all(&recordings(Path::new(&folder)));
        println!("{steps} steps, largest difference {worst:e}");
    }
}
