//! `cargo xtask test`: every test of the workspace, from nothing.
use std::process::ExitCode;

use anyhow::Result;

use crate::{
    command::{Command, cargo, status_of},
    setup,
};

pub(crate) const COMMAND: Command = Command {
    name: "test",
    usage: "test [ARGS..]",
    about: "run all tests and documentation examples (`cargo test --workspace`)",
    run,
};

fn run(args: &[String]) -> Result<ExitCode> {
    if let Some(status) = setup::ensure()? {
        return Ok(status);
    }
    status_of(cargo().args(["test", "--workspace"]).args(args))
}
