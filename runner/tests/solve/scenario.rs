//! `run: Solve(..)`: what it writes, that threads change nothing, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{folder, gambol, printed};

const FILES: [&str; 4] = ["solutions.jsonl", "table.md", "table.csv", "frontier.svg"];

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("assets")
}

/// Runs a scenario into `out`; what it printed as JSON.
fn run(scenario: &Path, out: &Path, more: &[&str]) -> Value {
    let mut arguments = vec!["run", scenario.to_str().unwrap(), "--json"];
    arguments.extend(["--out", out.to_str().unwrap()]);
    arguments.extend(more);
    serde_json::from_str(&printed(&gambol(&arguments))).unwrap()
}

fn lines(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("solutions.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A scenario file with that section `run`.
fn written(folder: &Path, name: &str, run: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("(\n    version: 1,\n    seed: 3,\n    run: {run},\n)\n")).unwrap();
    path
}

#[test]
fn the_frontier_of_the_stag_hunt() {
    let folder = folder("frontier");
    let scenario = assets().join("scenarios/solve-stag-hunt-frontier.ron");
    let (one, two) = (folder.join("one"), folder.join("two"));
    let first = run(&scenario, &one, &["--threads", "1"]);
    let second = run(&scenario, &two, &["--threads", "2"]);
    assert_eq!(first["digest"], second["digest"]);
    for file in FILES {
        assert_eq!(fs::read(one.join(file)).unwrap(), fs::read(two.join(file)).unwrap(), "{file}");
    }
    // Spec 1.6: the Stag corner is lost at gamma 0.774664.
    let count = |gamma: f64| {
        let lines = lines(&one);
        let line = lines.iter().find(|line| line["sweep.gamma"] == gamma).unwrap();
        assert_eq!(line["solver"], "rae");
        line["equilibria"].as_array().unwrap().len()
    };
    assert_eq!([0.0, 0.1, 0.774, 0.775, 5.0].map(count), [3, 3, 3, 1, 1]);
    let nash = lines(&one).into_iter().find(|line| line["solver"] == "extreme").unwrap();
    assert!(nash.get("sweep.gamma").is_none(), "the solver without gamma runs once");
    // Mixed play of the stag hunt: both variances, though `extreme` knows no risk.
    let mixed = &nash["equilibria"].as_array().unwrap()[2];
    assert!(mixed.get("variance").is_none());
    let own = mixed["played"]["variance"][0].as_f64().unwrap();
    assert!((own - 2.0).abs() < 1e-12, "{own}");
    let csv = fs::read_to_string(one.join("table.csv")).unwrap();
    assert!(csv.starts_with("solver,gamma,answer,player,payoff,regret,gap,variance,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 2 * (6 * 3 + 4 + 3));
    let svg = fs::read_to_string(one.join("frontier.svg")).unwrap();
    assert!(svg.contains("expected payoff") && svg.contains("stag_hunt: Column"), "{svg}");
    // A Nash point and a Risk-Averse one a player and an answer, and one in each legend.
    assert_eq!(svg.matches("<circle").count(), 2 * (6 * 3 + 4 + 3) + 2 * 2);

    printed(&gambol(&["verify", one.to_str().unwrap()]));
    let table = two.join("table.csv");
    fs::write(&table, format!("{csv}x")).unwrap();
    let output = gambol(&["verify", two.to_str().unwrap()]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("table.csv differs"), "{message}");
}

#[test]
fn generated_games_are_the_same_at_any_number_of_threads() {
    let folder = folder("generated");
    for name in ["solve-high-risk", "solve-covariant-gamma"] {
        let scenario = assets().join(format!("scenarios/{name}.ron"));
        let few = ["--set", "run.seeds=3", "--set", "run.sweep.values=[0.1, 1]"];
        let runs = ["1", "2"].map(|threads| {
            let out = folder.join(format!("{name}-{threads}"));
            let result = run(&scenario, &out, &[&few[..], &["--threads", threads]].concat());
            (result["digest"].clone(), fs::read(out.join("table.csv")).unwrap(), lines(&out))
        });
        assert!(runs[0] == runs[1], "{name}");
        let lines = &runs[0].2;
        assert_eq!(lines.len(), 3 * 3, "{name}: two values of gamma and a Nash solver");
        // The same games for every solver, others for every index.
        let payoffs = |line: &Value| line["equilibria"][0]["payoffs"].clone();
        assert_ne!(payoffs(&lines[0]), payoffs(&lines[1]));
        printed(&gambol(&["verify", folder.join(format!("{name}-1")).to_str().unwrap()]));
    }
}

#[test]
fn games_from_files_and_inline() {
    let folder = folder("sources");
    fs::copy(assets().join("games/stag_hunt.nfg"), folder.join("hunt.nfg")).unwrap();
    let solvers = "solvers: [Pure()], all: true";
    let expected = [[4.0, 4.0], [2.0, 2.0]];
    for (name, game) in [
        ("file", "File(\"hunt.nfg\")"),
        ("bimatrix", "Bimatrix(row: [[4, 0], [3, 2]], column: [[4, 3], [0, 2]])"),
        ("tensors", "Tensors(actions: [2, 2], payoffs: [[4, 0, 3, 2], [4, 3, 0, 2]])"),
    ] {
        let text = format!("Solve(game: {game}, {solvers})");
        let scenario = written(&folder, &format!("{name}.ron"), &text);
        let out = folder.join(name);
        run(&scenario, &out, &[]);
        let lines = lines(&out);
        let equilibria = lines[0]["equilibria"].as_array().unwrap();
        let payoffs: Vec<_> = equilibria.iter().map(|found| found["payoffs"].clone()).collect();
        assert_eq!(payoffs, expected.map(|payoffs| Value::from(payoffs.to_vec())), "{name}");
    }
    // Verifying needs neither the file nor its folder.
    fs::remove_file(folder.join("hunt.nfg")).unwrap();
    printed(&gambol(&["verify", folder.join("file").to_str().unwrap()]));
}

#[test]
fn what_cannot_be_solved_is_refused_where_it_stands() {
    let folder = folder("refused");
    let hunt = "game: Catalogue(\"stag_hunt\")";
    for (index, (run, place, message)) in [
        (
            format!("Solve({hunt}, solvers: [])"),
            "4:55",
            "`run.solvers`: none; name at least one of pure",
        ),
        (format!("Solve({hunt}, solvers: [Rea()])"), "4:56", "did you mean `Rae`?"),
        (format!("Solve({hunt}, solvers: [Rae(gama: 1)])"), "4:60", "did you mean `gamma`?"),
        (format!("Solve({hunt}, solvers: [Pure(), Pure()])"), "4:55", "Pure() is named twice"),
        (
            format!("Solve({hunt}, solvers: [Pure()], seeds: 0)"),
            "",
            "`run.seeds`: 0, it must be at least 1",
        ),
        (
            format!("Solve({hunt}, solvers: [Rae()], sweep: (parameter: \"gamm\", values: [1]))"),
            "",
            "no solver here has a parameter `gamm`; did you mean `gamma`?",
        ),
        (
            format!(
                "Solve({hunt}, solvers: [Rae()], sweep: (parameter: \"rounds\", values: [0.5]))"
            ),
            "",
            "rounds cannot be `0.5`",
        ),
        (
            format!("Solve({hunt}, solvers: [Rae()], sweep: (parameter: \"gamma\", values: []))"),
            "",
            "`run.sweep.values`: none",
        ),
        (
            "Solve(game: Catalogue(\"stag\"), solvers: [Pure()])".to_owned(),
            "4:22",
            "the catalogue has no `stag`",
        ),
        ("Solve(game: File(\"none.nfg\"), solvers: [Pure()])".to_owned(), "4:22", "cannot read"),
        (
            "Solve(game: Bimatrix(row: [[1]], column: [[1, 2]]), solvers: [Pure()])".to_owned(),
            "4:22",
            "shape",
        ),
        (
            "Solve(game: Generated(Uniform(actions: [])), solvers: [Pure()])".to_owned(),
            "4:22",
            "actions is [], it must be",
        ),
        (
            "Solve(game: Catalogue(\"stag_hunt_3\"), solvers: [Extreme()])".to_owned(),
            "",
            "extreme takes games of 2 players, this one has 3",
        ),
        (
            format!("Solve({hunt}, solvers: [Pure()]), agent: Random"),
            "",
            "this run has no use for `agent`",
        ),
    ]
    .iter()
    .enumerate()
    {
        let path = written(&folder, &format!("{index}.ron"), run);
        let output = gambol(&["check", path.to_str().unwrap()]);
        let found = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{run}: {found}");
        assert!(found.contains(message), "{run}: {found}");
        assert!(found.contains(&format!("{index}.ron:{place}")), "{run}: {found}");
    }
}

#[test]
fn cases_that_fail_are_counted_and_told() {
    let folder = folder("failed");
    // A third weight is one too many for two players, which only the solver itself knows.
    let text = "Solve(game: Catalogue(\"stag_hunt\"), solvers: [Rae(gammas: [1, 1, 1]), Pure()])";
    let out = folder.join("some");
    let result = run(&written(&folder, "some.ron", text), &out, &[]);
    assert_eq!((&result["results"]["cases"], &result["results"]["failed"]), (&2.into(), &1.into()));
    let error = lines(&out)[0]["error"].clone();
    assert_eq!(error, "3 values of gamma for 2 players");
    let text = "Solve(game: Catalogue(\"stag_hunt\"), solvers: [Rae(gammas: [1, 1, 1])])";
    let scenario = written(&folder, "all.ron", text);
    let output =
        gambol(&["run", scenario.to_str().unwrap(), "--out", folder.join("all").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("no case could be solved; the first: 3 values"), "{message}");
}
