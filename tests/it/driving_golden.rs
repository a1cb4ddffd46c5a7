//! Trajectories recorded from highway-env 1.12.1 replay from the recorded scene: positions, lanes, crashes, rewards, ends
//! and observations.
//!
//! `GAMBOL_RECORDINGS=DIR` replays another folder of recordings too.

use std::path::{Path, PathBuf};

use gambol_envs::EnvFactory;
use gambol_envs::batch::{Actions, Buffers, End};
use gambol_envs::driving::Driving;
use gambol_envs::seed::Streams;
use serde_json::Value;

/// Metres, radians, m/s.
const TOLERANCE: f64 = 1e-6;

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
            if (found - expected).abs() > TOLERANCE {
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
        if (f64::from(found) - expected).abs() > TOLERANCE {
            return Err(format!("observation {index}: {found}, recorded {expected}"));
        }
    }
    Ok(())
}

/// Replays one recording; the steps compared and the largest difference of a vehicle's numbers.
fn replay(path: &Path) -> Result<(usize, f64), String> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let factory = Driving::recorded(&text);
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
            Value::Array(action) => {
                let action: Vec<f32> =
                    action.iter().map(|value| value.as_f64().unwrap() as f32).collect();
                env.step(Actions::Continuous(&action), out.outbox()).unwrap();
            }
            action => {
                let action = [action.as_u64().unwrap() as u16];
                env.step(Actions::Discrete(&action), out.outbox()).unwrap();
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
        let (found, expected) = (f64::from(out.rewards[0]), line["reward"].as_f64().unwrap());
        if (found - expected).abs() > TOLERANCE {
            return Err(at(format!("reward {found}, recorded {expected}")));
        }
        if out.ends[0] != end {
            return Err(at(format!("{:?}, recorded {end:?}", out.ends[0])));
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

#[test]
fn other_recordings_replay() {
    if let Some(folder) = std::env::var_os("GAMBOL_RECORDINGS") {
        let (steps, worst) = replay_all(&recordings(Path::new(&folder)));
        println!("{steps} steps, largest difference {worst:e}");
    }
}
