//! PSRO from the command line: threads, kills and resuming change nothing, and the files hold what they say.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::interrupted::{arguments, checkpoints, read, start, text, wait_until};
use crate::{folder, gambol, json, message, root};

/// Many small steps: one checkpoint after each.
const STEPS: [&str; 3] = [
    "run.checkpoint=1",
    "run.sampling=Episodes(first: 300, most: 50000, interval: 0.02)",
    "run.responses=TabularQ(episodes: 30000)",
];

fn stage(run: &Path) -> Value {
    let mut files: Vec<_> =
        fs::read_dir(run.join("checkpoints")).unwrap().flatten().map(|f| f.path()).collect();
    files.sort();
    let last = files
        .iter()
        .rfind(|file| file.extension().is_some_and(|end| end == "safetensors"))
        .unwrap();
    let bytes = fs::read(last).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let state: Value = serde_json::from_slice(tensors.tensor("state").unwrap().data()).unwrap();
    state["stage"].clone()
}

#[test]
fn psro_killed_in_the_middle_of_an_iteration_has_the_digest_of_an_uninterrupted_run() {
    let folder = folder("psro-killed");
    let scenario = root().join("assets/scenarios/psro-kuhn-sampled.ron");
    let whole = folder.join("whole");
    let output = gambol(&arguments(&scenario, &STEPS, "1", &whole));
    assert!(output.status.success(), "{}", message(&output));
    let digest = json(&output)["digest"].clone();
    let output = gambol(&arguments(&scenario, &STEPS, "2", &folder.join("threads")));
    assert_eq!(json(&output)["digest"], digest);

    let killed = folder.join("killed");
    let mut child = start(&arguments(&scenario, &STEPS, "2", &killed));
    wait_until(&mut child, || checkpoints(&killed) > 1);
    child.kill().unwrap();
    child.wait().unwrap();
    // With a checkpoint after every step, most of them stand in the middle of an iteration.
    let at = stage(&killed);
    assert!(["Play", "Solve", "Respond", "Grow"].iter().any(|stage| at == *stage), "{at}");
    let output = gambol(&["run", text(&killed), "--resume", "--json"]);
    assert!(output.status.success(), "{}", message(&output));
    assert_eq!(json(&output)["digest"], digest, "killed at {at}");
    let output = gambol(&["verify", text(&killed)]);
    assert!(output.status.success(), "{}", message(&output));
    for file in [
        "rounds.jsonl",
        "meta_game.json",
        "policies.json",
        "table.md",
        "heatmap.svg",
        "meta.svg",
        "frontier.svg",
    ] {
        assert_eq!(
            fs::read(killed.join(file)).unwrap(),
            fs::read(whole.join(file)).unwrap(),
            "{file}"
        );
    }
    let results = &read(whole.join("results.json"))["results"];
    let conv = results["nash_conv"].as_f64().unwrap();
    assert!(conv < 0.1, "{conv}");
    let lines = fs::read_to_string(whole.join("rounds.jsonl")).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert!((first["nash_conv"].as_f64().unwrap() - 11.0 / 12.0).abs() < 1e-12);
    assert_eq!(first["response_gains"].as_array().unwrap().len(), 2);
}

#[test]
fn the_double_oracle_solves_kuhn_in_an_instant() {
    let folder = folder("psro-kuhn");
    let scenario = root().join("assets/scenarios/psro-kuhn.ron");
    let output = gambol(&arguments(&scenario, &[], "1", &folder.join("run")));
    assert!(output.status.success(), "{}", message(&output));
    let results = &json(&output)["results"];
    assert_eq!(results["stop"], "converged");
    assert!(results["nash_conv"].as_f64().unwrap() < 1e-9);
    assert!((results["payoffs"][0].as_f64().unwrap() + 1.0 / 18.0).abs() < 1e-9);
    let map = fs::read_to_string(folder.join("run/heatmap.svg")).unwrap();
    assert!(map.starts_with("<svg") && map.matches("<rect").count() > 30);
}

/// Learned responses: warm starts, the variance of episodes, re-weighted opponents, roles that share a population.
const LEARNED: &str = r"(
    version: 1,
    seed: 4,
    env: MonsterHunt(size: (3, 3), apples: 1, steps: 20),
    agent: TabularQ(),
    batch: (envs: 8),
    run: Psro(
        meta: Rae(gamma: 0.05),
        target: RiskAverse,
        responses: Learn(steps: 4000, warm: true, greedy: true, variance: 0.01),
        sampling: Episodes(first: 64, most: 2000, interval: 2.0),
        shared: true,
        checkpoint: 1,
        iterations: 5,
        evaluate: 500,
    ),
)";

#[test]
fn learned_populations_do_not_depend_on_threads_or_kills() {
    let folder = folder("psro-learned");
    let scenario = folder.join("learned.ron");
    fs::write(&scenario, LEARNED).unwrap();
    let (whole, killed) = (folder.join("whole"), folder.join("killed"));
    let output = gambol(&arguments(&scenario, &[], "1", &whole));
    assert!(output.status.success(), "{}", message(&output));
    let result = json(&output);
    let digest = result["digest"].clone();
    assert_eq!(result["results"]["population_sizes"], serde_json::json!([6]));
    let evaluation = &result["results"]["evaluation"];
    assert_eq!(evaluation["episodes"], 500);
    let tallies = evaluation["tallies"].as_object().unwrap();
    assert!(tallies.keys().any(|name| name.starts_with("together")), "{tallies:?}");
    // The learned policies do better than the random one they began with.
    let lines = fs::read_to_string(whole.join("rounds.jsonl")).unwrap();
    let payoff =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["payoffs"][0].as_f64().unwrap();
    let payoffs: Vec<f64> = lines.lines().map(payoff).collect();
    assert!(payoffs[5] > payoffs[0] + 1.0, "{payoffs:?}");

    let mut child = start(&arguments(&scenario, &[], "2", &killed));
    wait_until(&mut child, || checkpoints(&killed) > 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let output = gambol(&["run", text(&killed), "--resume", "--threads", "2", "--json"]);
    assert!(output.status.success(), "{}", message(&output));
    assert_eq!(json(&output)["digest"], digest);
    let policies = |run: &Path| fs::read(run.join("population.safetensors")).unwrap();
    assert_eq!(policies(&killed), policies(&whole));
    let output = gambol(&["verify", text(&whole)]);
    assert!(output.status.success(), "{}", message(&output));

    let output = gambol(&["cross", text(&whole), text(&killed), "--episodes", "300", "--json"]);
    assert!(output.status.success(), "{}", message(&output));
    let pairs = json(&output)["pairs"].as_array().unwrap().clone();
    assert_eq!(pairs.len(), 4);
    let mean = |pair: &Value| pair["players"][0]["mean"].as_f64().unwrap();
    // The same population under two names: the same but for other boards.
    for pair in &pairs[1..] {
        let width = pair["players"][0]["interval_95"][1].as_f64().unwrap() - mean(pair);
        assert!((mean(pair) - mean(&pairs[0])).abs() < 3.0 * width, "{pairs:?}");
    }
    let output = gambol(&["cross", text(&folder.join("nothing"))]);
    assert_eq!(output.status.code(), Some(2), "{}", message(&output));
}

#[test]
fn sequential_games_are_solved_and_listed() {
    let output = gambol(&[
        "solve",
        "kuhn_poker",
        "--solver",
        "cfr-plus",
        "--param",
        "iterations=2000",
        "--json",
    ]);
    assert!(output.status.success(), "{}", message(&output));
    let answer = json(&output);
    let equilibrium = &answer["equilibria"][0];
    let regret: f64 =
        equilibrium["regret"].as_array().unwrap().iter().filter_map(Value::as_f64).sum();
    assert!(regret < 1e-3, "{regret}");
    assert_eq!(equilibrium["strategies"][1].as_array().unwrap().len(), 6);
    assert_eq!(answer["iterations"], 2000);
    let output = gambol(&["solve", "kuhn_poker", "--solver", "cfr", "--param", "tolerance=0.05"]);
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(told.contains("converged") && told.contains("player 1: payoff"), "{told}");
    for (arguments, expected) in [
        (vec!["solve", "kuhn_poker", "--solver", "lemke-howson"], "is a sequential game"),
        (
            vec!["solve", "stag_hunt", "--solver", "cfr"],
            "solves sequential games, which are kuhn_poker",
        ),
        (
            vec!["solve", "kuhn_poker", "--solver", "cfr", "--param", "rounds=3"],
            "cfr has iterations",
        ),
        (vec!["solve", "kuhn_poker", "--solver", "cfr", "--gamma", "1"], "of no use to cfr"),
    ] {
        let output = gambol(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(message(&output).contains(expected), "{}", message(&output));
    }
    let listed = gambol(&["list", "games"]);
    let listed = String::from_utf8(listed.stdout.clone()).unwrap();
    assert!(listed.contains("leduc_poker_ranks"), "{listed}");
}

/// Runs a scenario's text; its results and the lines of its iterations.
fn run_text(folder: &str, scenario: &str, sets: &[&str]) -> (Value, Vec<Value>) {
    let folder = crate::folder(folder);
    let file = folder.join("s.ron");
    fs::write(&file, scenario).unwrap();
    let out = folder.join("run");
    let output = gambol(&arguments(&file, sets, "2", &out));
    assert!(output.status.success(), "{}", message(&output));
    let lines = fs::read_to_string(out.join("rounds.jsonl")).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (json(&output)["results"].clone(), lines)
}

/// The trace of the sheet, with Q-learning in the place of exact responses.
#[test]
fn learned_responses_to_reweighted_opponents_grow_hawk_3_as_exact_ones_do() {
    let (results, lines) = run_text(
        "psro-hawk-learned",
        r#"(
            version: 1,
            seed: 5,
            env: Matrix(game: Catalogue("hawk_3"), rounds: 1),
            agent: TabularQ(rate: 1.0, visits: 0.8),
            batch: (envs: 16),
            run: Psro(
                meta: Rae(gamma: 0.25, tolerance: 1e-12),
                target: RiskAverse,
                responses: Learn(steps: 20000, greedy: true),
                sampling: Episodes(first: 8),
                first: [Action(2)],
                iterations: 2,
                evaluate: 20000,
            ),
        )"#,
        &[],
    );
    // Safe alone; aggressive joins; moderate joins: payoffs of constant policies have no noise.
    let payoff = |line: &Value| line["payoffs"][0].as_f64().unwrap();
    for (line, expected) in lines.iter().zip([0.8, 0.930_263, 1.833_281]) {
        assert!((payoff(line) - expected).abs() < 2e-5, "{line}");
    }
    for (found, expected) in
        lines[2]["meta"][0].as_array().unwrap().iter().zip([0.0, 0.182_603, 0.817_397])
    {
        assert!((found.as_f64().unwrap() - expected).abs() < 2e-6, "{found}");
    }
    // Episodes of the mixtures: means and total variance are those of the sheet.
    let own = &results["evaluation"]["players"][0];
    let half = own["interval_95"][1].as_f64().unwrap() - own["mean"].as_f64().unwrap();
    assert!((own["mean"].as_f64().unwrap() - 1.833_281).abs() < 2.0 * half, "{own}");
    assert!((own["variance"].as_f64().unwrap() - 1.999_874).abs() < 0.1, "{own}");
    let crash = results["evaluation"]["tallies"].as_object().unwrap().iter().next().unwrap().1;
    assert!((crash["mean"].as_f64().unwrap() - 0.033_344).abs() < 0.005, "{crash}");
}

/// One who varies and pays 1 on average, and one who is sure of 0.8, against an opponent who plays evenly.
#[test]
fn the_variance_of_episodes_is_learned_from() {
    let scenario = "(
        version: 1,
        seed: 6,
        env: Matrix(game: Bimatrix(row: [[3, -1], [0.8, 0.8]], column: [[0, 0], [0, 0]]), rounds: 1),
        agent: TabularQ(rate: 1.0, visits: 0.8),
        batch: (envs: 16),
        run: Psro(
            meta: Last(),
            responses: Learn(steps: 40000, greedy: true),
            sampling: Episodes(first: 4000),
            iterations: 1,
        ),
    )";
    for (variance, expected) in [("0.0", 0.1), ("0.5", -0.1)] {
        let set = format!("run.responses.variance={variance}");
        let (_, lines) = run_text(&format!("psro-variance-{variance}"), scenario, &[&set]);
        let gain = lines[0]["response_gains"][0].as_f64().unwrap();
        assert!((gain - expected).abs() < 0.09, "variance {variance}: {gain}");
    }
}
