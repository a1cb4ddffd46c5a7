//! `cargo xtask setup`: makes sure that libtorch is there (the work is in `xtask/libtorch/`).
use std::{env, fs, path::Path, process::ExitCode, process::Stdio};

use anyhow::{Result, bail};

use crate::command::{Command, program, root, status_of, users_libtorch};

pub(crate) const COMMAND: Command = Command {
    name: "setup",
    usage: "setup [--fetch | --python]",
    about: "fetch libtorch, or link the one that is there (docs/setup.md)",
    run: setup,
};

/// What torch-sys 0.24 accepts; xtask/libtorch/pins.py states the same.
const VERSION: &str = "2.11.0";

fn setup(args: &[String]) -> Result<ExitCode> {
    let python = python()?;
    // `-B`: no `__pycache__` beside the sources.
    let script = root().join("xtask/libtorch");
    status_of(program(python).arg("-B").arg(script).arg("--root").arg(root()).args(args))
}

/// For the commands that need libtorch: `None` if it is there now, else the status to end with.
pub(crate) fn ensure() -> Result<Option<ExitCode>> {
    let chosen = users_libtorch().is_some() || env::var_os("LIBTORCH_USE_PYTORCH").is_some();
    if !chosen && is_ready(&root().join(".libtorch")) {
        return Ok(None);
    }
    let status = setup(&[])?;
    Ok((status != ExitCode::SUCCESS).then_some(status))
}

fn is_ready(folder: &Path) -> bool {
    folder.join("lib/libtorch_cpu.so").exists()
        && folder.join("include/torch/csrc/api/include/torch/torch.h").exists()
        && fs::read_to_string(folder.join("build-version")).is_ok_and(|v| v.trim() == VERSION)
}

fn python() -> Result<&'static str> {
    for name in ["python3", "python"] {
        let works = program(name)
            .args(["-c", "import sys; sys.exit(sys.version_info < (3, 9))"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if works.is_ok_and(|status| status.success()) {
            return Ok(name);
        }
    }
    bail!(
        "no Python 3.9 or newer found as `python3` or `python`; libtorch comes from the Python \
         package index. Install Python with pip, or set LIBTORCH to a libtorch {VERSION}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_the_pinned_one() {
        let pins = fs::read_to_string(root().join("xtask/libtorch/pins.py")).unwrap();
        assert!(pins.contains(&format!("\nVERSION = \"{VERSION}\"\n")));
    }

    #[test]
    fn an_empty_folder_is_not_ready() {
        assert!(!is_ready(Path::new(env!("CARGO_MANIFEST_DIR"))));
    }
}
