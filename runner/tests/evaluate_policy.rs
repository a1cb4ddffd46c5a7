//! `run: EvaluatePolicy(..)`: its results and its errors.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn gambol(scenario: &str, flags: &[&str]) -> Output {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/scenarios");
    let dir = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_gambol"))
        .current_dir(dir.path())
        .args(["run", "--json"])
        .arg(assets.join(scenario))
        .args(flags)
        .output()
        .unwrap()
}

fn run(scenario: &str, flags: &[&str]) -> Value {
    let output = gambol(scenario, flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn several_methods_answer_on_the_same_paths() {
    let flags = ["--set", "run.episodes=20000", "--set", "run.dt=0.1", "--threads", "2"];
    let all = run("evaluate-policy-toy-c.ron", &flags);
    let results = &all["results"];
    assert_eq!((results["mesh"].as_f64(), results["episodes"].as_u64()), (Some(0.1), Some(20_000)));
    let methods = results["methods"].as_array().unwrap();
    let names: Vec<&str> = methods.iter().map(|one| one["method"].as_str().unwrap()).collect();
    assert_eq!(names, ["martingale_loss", "clstd(0.5)", "clstd(0)", "mean_square_td"]);
    let near = |index: usize, expected: f64| {
        let theta = methods[index]["theta"][0].as_f64().unwrap();
        let error = methods[index]["standard_error"][0].as_f64().unwrap();
        assert!((theta - expected).abs() < 5.0 * error, "{theta} +- {error}");
        assert!(methods[index]["value_error"].as_f64().unwrap() > 0.0);
    };
    near(0, (5.0 / 6.0) / 1.01);
    near(2, 1.0 / 1.1);
    near(3, -1.9 / (1.1 * 1.1));
    let again = run("evaluate-policy-toy-c.ron", &[&flags[..4], &["--threads", "1"]].concat());
    assert_eq!(all["digest"], again["digest"]);
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let refused = |flags: &[&str], expected: &str| {
        let output = gambol("evaluate-policy-ou.ron", flags);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    };
    refused(&["--set", "run.methods=[MartingaleLoss]"], "needs paths that end");
    refused(&["--set", "run.features=[(tau: 1)]"], "`tau` and `decay` need a finite horizon");
    refused(&["--set", "run.horizon=Finite(0.25)"], "whole number of steps of 0.1");
    refused(&["--set", "run.process=Ou(kappa: 1, sigma: -1)"], "`sigma` is -1");
}
