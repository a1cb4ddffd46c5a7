//! What the commands print, and where: results on the standard output, all else on the error output.

use std::fs;

use gambol_runner::Registries;
use serde_json::Value;

use crate::{folder, gambol, json, message, root};

#[test]
fn list_names_everything_that_a_scenario_may_name() {
    let scenarios = root().join("assets/scenarios");
    let output = gambol(&["list", "--json", "--scenarios", scenarios.to_str().unwrap()]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", message(&output));
    let lists = json(&output);
    let names = |list: &str| -> Vec<&str> {
        let items = lists[list].as_array().unwrap();
        let about = |item: &&Value| !item["about"].as_str().unwrap().is_empty();
        assert!(items.iter().all(|item| about(&item)), "{list}");
        items.iter().map(|item| item["name"].as_str().unwrap()).collect()
    };
    let registries = Registries::standard();
    assert_eq!(names("envs"), registries.envs.names());
    assert_eq!(names("agents"), registries.agents.names());
    assert!(names("runs").contains(&"Evaluate"));
    assert!(names("solvers").contains(&"rae") && names("games").contains(&"chicken"));
    assert!(names("scenarios").iter().any(|name| name.ends_with("trace-fixed-layout.ron")));
    for list in ["envs", "agents"] {
        for item in lists[list].as_array().unwrap() {
            assert!(!item["fields"].as_array().unwrap().is_empty(), "{item}");
        }
    }
    let output = gambol(&["list", "envs"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("envs\n  Foraging  ") && text.contains(" player_levels,"), "{text}");
    let wide = |line: &&str| line.starts_with("       ") && line.chars().count() > 100;
    assert_eq!(text.lines().find(wide), None);
    let output = gambol(&["list", "scenarios", "--scenarios", "nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains("cannot read nowhere: "), "{}", message(&output));
}

#[test]
fn check_prints_plans_and_problems_as_json() {
    let folder = folder("check");
    let (good, bad, none) =
        (folder.join("good.ron"), folder.join("bad.ron"), folder.join("none.ron"));
    let (good, bad, none) = (good.to_str().unwrap(), bad.to_str().unwrap(), none.to_str().unwrap());
    fs::write(good, "(version: 1, seed: 4, env: Matrix(game: Catalogue(\"chicken\")))").unwrap();
    fs::write(bad, "(version: 1, seed: 4,\n  env: Matrix(gam: 3),\n  batch: (envs: 0x))").unwrap();
    let output = gambol(&["check", "--json", good, bad, none]);
    assert_eq!(output.status.code(), Some(2));
    let found = json(&output);
    assert_eq!((&found[0]["file"], &found[0]["valid"]), (&good.into(), &true.into()));
    assert_eq!(found[0]["plan"]["arena"]["env"], "Matrix-chicken-1r-0m");
    assert_eq!(found[1]["valid"], false);
    assert_eq!(found[1]["problems"][0]["line"], 3);
    assert_eq!(found[2]["problems"][0]["line"], Value::Null);
    let said = message(&output);
    assert!(said.starts_with("error: ") && said.contains("bad.ron:3:"), "{said}");

    // A change on the command line reaches sections that the file leaves out, and is checked like the rest.
    let output = gambol(&["check", good, "--set", "batch.envs=8"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", message(&output));
    assert!(text.contains("batch        8 instances, 256 in one world"), "{text}");
    let output = gambol(&["check", good, "--set", "batch.env=8"]);
    let said = message(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("`batch` has no field `env`; did you mean `envs`?"), "{said}");
    assert!(said.ends_with("(lines and columns are those of the text after every --set)\n"));
}

#[test]
fn run_and_resume_print_results_in_the_form_that_was_asked_for() {
    let folder = folder("results");
    let scenario = folder.join("s.ron");
    let text = "(version: 1, seed: 4, env: Matrix(game: Catalogue(\"chicken\")), agent: Random,
        run: Evaluate(episodes: 10))";
    fs::write(&scenario, text).unwrap();
    let (scenario, run) = (scenario.to_str().unwrap(), folder.join("run"));
    let run = run.to_str().unwrap();
    let output = gambol(&["run", scenario, "--out", run]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("results.agent_returns.1.standard_error "), "{printed}");
    assert!(printed.lines().any(|line| line.starts_with("digest ")), "{printed}");
    // A complete run is only printed again.
    let again = gambol(&["run", run, "--resume", "--json"]);
    assert!(again.status.success());
    assert!(message(&again).contains("is complete already"), "{}", message(&again));
    assert_eq!(String::from_utf8_lossy(&again.stdout).lines().count(), 1);
    let digest = json(&again)["digest"].as_str().unwrap().to_owned();
    assert!(printed.contains(&digest));

    for (arguments, code, expected) in [
        (&["run", scenario, "--out", run][..], 2, "exists; continue that run with --resume"),
        (&["run", run], 2, "is a folder; `gambol run "),
        (&["run", scenario, "--resume"], 2, "to resume; leave --resume out to start it"),
        (&["run", run, "--resume", "--seed", "5"], 2, "without --set and --seed"),
        (&["verify", scenario], 2, "cannot be used as a run directory"),
        (&["run", "nothing.ron"], 2, "cannot read nothing.ron"),
        (&["run", scenario, "--set", "seed"], 2, "is not of the form path=value"),
        (&["trace", scenario, "--actions", "nothing.jsonl"], 2, "cannot read nothing.jsonl"),
        (&["verfy", run], 2, "verify"),
    ] {
        let output = gambol(arguments);
        let said = message(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_names_every_command_and_exit_code() {
    let output = gambol(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for word in ["run", "check", "list", "trace", "solve", "verify", "bench", "Exit code 0: done"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn bench_measures_and_names_what_it_cannot() {
    let output = gambol(&[
        "bench",
        "Foraging-5x5-2p-1f-v3",
        "--instances",
        "64",
        "--seconds",
        "0.05",
        "--repeats",
        "1",
        "--threads",
        "1",
        "--json",
    ]);
    assert!(output.status.success(), "{}", message(&output));
    let bench = json(&output)["bench"][0].clone();
    assert_eq!((&bench["env"], &bench["instances"]), (&"Foraging-5x5-2p-1f-v3".into(), &64.into()));
    assert!(bench["env_steps_per_second"].as_f64().unwrap() > 1000.0, "{bench}");
    let output = gambol(&["bench", "Forging-8x8-2p-2f-v3"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains("did you mean `Foraging`?"), "{}", message(&output));
}

/// Two rooms of two by three: only the goal is paid, and random play finds it once in a while. The step level tells
/// which of an episode's many steps earned that.
#[cfg(feature = "torch")]
#[test]
fn grouped_advantages_learn_a_task_that_only_the_end_pays() {
    let folder = folder("gigpo");
    let scenario = root().join("assets/scenarios/key-door-2-gigpo.ron");
    let solved = ["Gigpo(omega: 1.0)", "Grpo"].map(|method| {
        let out = folder.join(&method[..4]);
        let sets = [
            "env.room=(2, 3)".to_owned(),
            "run.steps=150000".to_owned(),
            "run.evaluate.every=150000".to_owned(),
            format!("agent.estimator.method={method}"),
        ];
        let mut arguments = vec!["run", scenario.to_str().unwrap(), "--json", "--out"];
        arguments.push(out.to_str().unwrap());
        arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
        let output = gambol(&arguments);
        assert!(output.status.success(), "{}", message(&output));
        json(&output)["results"]["last"]["tallies"]["solved"]["mean"].as_f64().unwrap()
    });
    assert!(solved[0] > 0.9 && solved[1] < solved[0], "{solved:?}");
}
