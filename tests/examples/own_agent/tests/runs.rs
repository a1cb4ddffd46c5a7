//! The example runs as its page says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn own_agent(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_own-agent"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

fn mean_return(agent: &str) -> f64 {
    let out = format!("{}/{}", env!("CARGO_TARGET_TMPDIR"), agent.len());
    let _ = std::fs::remove_dir_all(&out);
    let agent = format!("agent={agent}");
    let output = own_agent(&["run", "eager.ron", "--json", "--out", &out, "--set", &agent]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    result["results"]["return"]["mean"].as_f64().unwrap_or_else(|| panic!("{result}"))
}

#[test]
fn the_agent_acts_and_its_parameter_counts() {
    // Who loads whenever it can meets its partner at the food more often than who moves on.
    let (eager, idle) =
        (mean_return("Eager(eagerness: 0.9)"), mean_return("Eager(eagerness: 0.0)"));
    assert!(eager > idle + 0.05, "{eager} against {idle}");
}

#[test]
fn it_is_listed_and_its_errors_are_told_like_any_others() {
    let output = own_agent(&["list"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("Eager"));
    let output = own_agent(&["check", "eager.ron", "--set", "agent=Eager(eagerness: 7.0)"]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("`agent.eagerness`: 7, it is a probability"), "{message}");
}
