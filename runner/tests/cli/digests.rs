//! Digests: the same for ever, and every difference named.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::{folder, gambol, json, message, root};

fn run(scenario: &Path, out: &Path, sets: &[&str]) -> String {
    let mut arguments = vec!["run", scenario.to_str().unwrap(), "--out", out.to_str().unwrap()];
    arguments.push("--json");
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    let output = gambol(&arguments);
    assert!(output.status.success(), "{}", message(&output));
    json(&output)["digest"].as_str().unwrap().to_owned()
}

/// A network of fixed weights, 4 inputs, 8 hidden units and 2 outputs, as training would leave it.
fn network(path: &Path) {
    let (mut data, mut state) = (Vec::new(), 1_u32);
    let shapes = [
        ("0.weight", vec![8, 4]),
        ("0.bias", vec![8]),
        ("1.weight", vec![2, 8]),
        ("1.bias", vec![2]),
    ];
    for (name, shape) in shapes {
        let mut bytes = Vec::new();
        for _ in 0..shape.iter().product::<usize>() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let weight = (state >> 8) as f32 / 8_388_608.0 - 1.0;
            bytes.extend_from_slice(&weight.to_le_bytes());
        }
        data.push((format!("agent.{name}"), shape, bytes));
    }
    let views = data.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

const FROZEN: &str = r#"(
    version: 1,
    seed: 9,
    env: Matrix(game: Catalogue("prisoners_dilemma"), rounds: 20, memory: 1, stop: 0.05),
    agent: Frozen(path: "network.safetensors", activation: Tanh, choice: Softmax),
    run: Evaluate(episodes: 500),
)"#;

/// Simulation, drawing and acting promise the same bits on every machine and in every build: whatever profile runs
/// this test (`cargo test`, `cargo test --release`, with and without the feature `torch`) must find these numbers.
/// They change only when the rules of an environment, the streams or the digest itself change on purpose; then print
/// them anew and say so in CHANGELOG.md.
#[test]
fn digests_are_the_same_in_every_build() {
    let folder = folder("pinned");
    network(&folder.join("network.safetensors"));
    let frozen = folder.join("frozen.ron");
    fs::write(&frozen, FROZEN).unwrap();
    let scenarios = root().join("assets/scenarios");
    let found = [
        run(
            &scenarios.join("foraging-8x8-2p-2f-coop-random.ron"),
            &folder.join("random"),
            &["run.episodes=300"],
        ),
        run(
            &scenarios.join("foraging-10x10-3p-3f-collector.ron"),
            &folder.join("collector"),
            &["run.episodes=300"],
        ),
        run(&frozen, &folder.join("frozen"), &[]),
    ];
    assert_eq!(found, PINNED);
}

const PINNED: [&str; 3] = [
    "5c5476c7fd45c0856341f96764eb811f5b76e8e1dd9e4eb1fd474074264e12e3",
    "fad3e923c3e377ef0d2c12ee4aa31e6aba8218f8df11c8c7766e08c780147fd2",
    "f24b8dfcebfa801af80001762f3afee87cbdafe6651411e8e180423ca839d317",
];

/// A finished run of one agent in a matrix game.
fn finished(name: &str) -> PathBuf {
    let folder = folder(name);
    let scenario = folder.join("s.ron");
    let text = r#"(version: 1, seed: 2, env: Matrix(game: Catalogue("chicken"), rounds: 4),
        agent: Random, batch: (envs: 3), run: Evaluate(episodes: 9))"#;
    fs::write(&scenario, text).unwrap();
    let run_dir = folder.join("run");
    run(&scenario, &run_dir, &[]);
    run_dir
}

fn verify(run: &Path) -> (Option<i32>, Value, String) {
    let output = gambol(&["verify", run.to_str().unwrap(), "--json"]);
    (output.status.code(), json(&output), message(&output))
}

#[test]
fn tampered_digests_are_found_by_step_and_field() {
    const ENTRY: usize = 64;
    let run = finished("tampered");
    assert_eq!(verify(&run).0, Some(0));
    let path = run.join("digests.bin");
    let honest = fs::read(&path).unwrap();
    let entries = honest.len() / ENTRY;
    // The evaluation itself, its first moment, 12 steps, the results.
    assert_eq!((honest.len() % ENTRY, entries), (0, 15));
    let lanes = "evaluation at environment step 0, lanes from 0 on";
    // Byte 16 is where the first of six hashes begins.
    let cases = [
        (0, 16, "evaluation at environment step 0: it differs".to_owned()),
        (1, 16 + 4 * 8, format!("{lanes}, step 0: observations differ")),
        (2, 16, format!("{lanes}, step 1: actions differ")),
        (6, 16 + 8, format!("{lanes}, step 5: rewards differ")),
        (6, 16 + 2 * 8, format!("{lanes}, step 5: ends differ")),
        (9, 16 + 3 * 8, format!("{lanes}, step 8: last observations differ")),
        (12, 16 + 5 * 8 + 7, format!("{lanes}, step 11: masks differ")),
        (14, 16, "evaluation at environment step 0: the results differ".to_owned()),
        (4, 0, "the log is damaged at entry 4".to_owned()),
        (
            5,
            8,
            "entry 5: the log has GroupStep 5 of lane 0 on, the run makes GroupStep 4 of lane 0 on"
                .to_owned(),
        ),
    ];
    for (entry, byte, expected) in cases {
        let mut tampered = honest.clone();
        tampered[entry * ENTRY + byte] ^= 1 << if byte == 0 { 7 } else { 0 };
        fs::write(&path, tampered).unwrap();
        let output = gambol(&["verify", run.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{expected}");
        assert!(message(&output).contains(&expected), "{expected}: {}", message(&output));
        assert!(output.stdout.is_empty());
    }
    for (length, expected) in [
        (entries - 1, "the log ends after 14 entries, the run goes on"),
        (entries + 1, "the run ends after 15 entries, the log goes on"),
    ] {
        let mut tampered = honest.clone();
        tampered.resize(length * ENTRY, 0);
        if length > entries {
            tampered[entries * ENTRY] = 2;
        }
        fs::write(&path, tampered).unwrap();
        let (code, result, why) = verify(&run);
        assert_eq!(code, Some(1));
        assert_eq!((&result["verified"], &result["difference"]), (&false.into(), &expected.into()));
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn tampered_results_are_found_by_file() {
    let run = finished("tampered-results");
    for (file, from, to, expected) in [
        (
            "results.json",
            "\"episodes\": 9",
            "\"episodes\": 8",
            "results.json differs from this run's",
        ),
        ("evaluations.json", "\"step_count\": 0", "\"step_count\": 1", "evaluations.json differs"),
        ("manifest.json", "\"digest\": \"", "\"digest\": \"0", "the manifest's digest is 0"),
        ("scenario.ron", "seed: 2", "seed: 3", "step 1: actions differ"),
    ] {
        let path = run.join(file);
        let honest = fs::read_to_string(&path).unwrap();
        let tampered = honest.replacen(from, to, 1);
        assert_ne!(tampered, honest, "{file}");
        fs::write(&path, tampered).unwrap();
        let (code, result, why) = verify(&run);
        assert_eq!((code, &result["verified"]), (Some(1), &false.into()), "{file}: {why}");
        assert!(why.contains(expected), "{file}: {why}");
        fs::write(&path, honest).unwrap();
        assert_eq!(verify(&run).0, Some(0), "{file}");
    }
}
