//! `cargo xtask run`: the main job, from nothing.
use std::process::ExitCode;

use anyhow::Result;

use crate::{
    command::{Command, cargo, status_of},
    setup,
};

pub(crate) const COMMAND: Command = Command {
    name: "run",
    usage: "run [SCENARIO] [ARGS..]",
    about: "train and evaluate a benchmark scenario with `gambol run`",
    run,
};

/// The smallest task of the benchmark on which learning shows.
const SCENARIO: &str = "assets/scenarios/foraging-5x5-2p-1f-coop-iql.ron";

fn run(args: &[String]) -> Result<ExitCode> {
    if let Some(status) = setup::ensure()? {
        return Ok(status);
    }
    let named = args.first().is_some_and(|arg| !arg.starts_with('-'));
    let mut gambol = cargo();
    gambol.args(["run", "--package", "gambol-runner", "--bin", "gambol", "--", "run"]);
    if !named {
        gambol.arg(SCENARIO);
    }
    status_of(gambol.args(args))
}
