//! Every file of `tests/bad_scenarios` and the message that a user gets for it, to the letter.
//!
//! `UPDATE_EXPECTED=1 cargo test -p gambol-runner --test cli bad_scenarios` writes the messages anew, to be read before
//! they are committed.
//! The registries are small and fixed, so that a new environment or agent changes no message.

use std::fs;
use std::path::{Path, PathBuf};

use gambol_agents::frozen::Frozen;
use gambol_agents::scripted::{Collector, Random};
use gambol_agents::{AgentFactory, Device};
use gambol_envs::EnvFactory;
use gambol_envs::foraging::Foraging;
use gambol_envs::matrix::Matrix;
use gambol_envs::registry::{Entry, Registered, Registry};
use gambol_runner::Registries;
use gambol_runner::plan::Plan;
use gambol_runner::scenario::Scenario;
use gambol_runner::sources::Sources;

use crate::{gambol, message, root};

/// The agents that a scenario of this name needs beside the fixed ones.
fn added(name: &str) -> &'static [&'static str] {
    match name.split_once('-') {
        Some(("iql", _)) => &["Iql"],
        Some(("mansa", _)) => &["TabularQ", "Mansa"],
        _ => &[],
    }
}

fn registries(with: &[&str]) -> Registries {
    let mut registries = Registries::standard();
    let added = with.iter().map(|name| registries.agents.get(name).unwrap().clone());
    let added: Vec<_> = added.collect();
    registries.envs = Registry::<dyn EnvFactory>::new(vec![Foraging::entry(), Matrix::entry()]);
    let mut agents: Vec<Entry<dyn AgentFactory>> =
        vec![Random::entry(), Collector::entry(), Frozen::entry()];
    agents.extend(added);
    registries.agents = Registry::new(agents);
    registries
}

fn folder() -> PathBuf {
    root().join("tests/bad_scenarios")
}

/// Every bad scenario; those of learners only where there is libtorch.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "ron"))
        .filter(|path| cfg!(feature = "torch") || !name(path).starts_with("iql-"))
        .collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// What `gambol check` would say, with paths relative to the folder.
fn complaint(path: &Path, registries: &Registries) -> String {
    let text = fs::read_to_string(path).unwrap();
    let plan = Scenario::parse(Path::new(&name(path)), &text, &[], registries)
        .and_then(|scenario| Plan::new(scenario, Sources::folder(&folder()), Device::Cpu));
    match plan {
        Ok(_) => panic!("{} is a good scenario", path.display()),
        Err(error) => format!("{error}\n").replace(&format!("{}/", folder().display()), ""),
    }
}

#[test]
fn every_bad_scenario_gives_its_message() {
    let files = files();
    assert!(files.len() >= 60, "{}", files.len());
    let mut wrong = String::new();
    for path in files {
        let found = complaint(&path, &registries(added(&name(&path))));
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if found != expected {
            wrong.push_str(&format!("{}:\n{found}instead of\n{expected}\n", name(&path)));
        }
    }
    assert!(wrong.is_empty(), "{wrong}UPDATE_EXPECTED=1 writes these anew");
}

#[test]
fn check_reports_all_files_at_once() {
    let files = files();
    let mut arguments = vec!["check"];
    arguments.extend(files.iter().map(|path| path.to_str().unwrap()));
    let output = gambol(&arguments);
    assert_eq!(output.status.code(), Some(2));
    let said = message(&output);
    for path in files {
        assert!(said.contains(&format!("{}:", path.display())), "{} is missing", path.display());
    }
}
