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

#[cfg(test)]
mod tests {
    use super::*;

    /// What cargo would build torch-sys from, features included, when `selection` is built.
    fn torch_sys(selection: &[&str]) -> Option<Vec<String>> {
        let done = cargo()
            .args(["tree", "--no-dedupe", "--prefix", "depth", "--format", " {p} {f}"])
            .args(selection)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let text = String::from_utf8(done.stdout).unwrap();
        let mut lines = text.lines().filter_map(|line| {
            let (depth, package) = line.split_once(' ')?;
            Some((depth.parse::<usize>().ok()?, package))
        });
        let (top, name) = lines.find(|(_, package)| package.starts_with("torch-sys "))?;
        let below = lines.take_while(|&(depth, _)| depth > top);
        Some(
            [name].into_iter().chain(below.map(|(_, package)| package)).map(String::from).collect(),
        )
    }

    /// It compiles for minutes, and again for every set of features of a crate below it.
    #[test]
    fn every_selection_shares_one_build_of_torch_sys() {
        let everything = torch_sys(&["--workspace"]).expect("the workspace uses torch-sys");
        for package in ["gambol-agents", "gambol-runner", "gambol-tests"] {
            for edges in ["normal,build", "normal,build,dev"] {
                let selection = ["--package", package, "--edges", edges];
                let Some(alone) = torch_sys(&selection) else { continue };
                assert_eq!(alone, everything, "{selection:?}");
            }
        }
    }
}
