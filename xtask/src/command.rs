//! What all commands share: their form, the repository's root, other programs.
use std::{
    env,
    path::{Path, PathBuf},
    process::{self, ExitCode},
};

use anyhow::{Context, Result};

/// One command of `cargo xtask`.
pub(crate) struct Command {
    /// The word that selects it.
    pub(crate) name: &'static str,
    /// The word with its arguments, as the help shows it.
    pub(crate) usage: &'static str,
    /// One line of help.
    pub(crate) about: &'static str,
    /// Does it; gets what follows the word, gives the exit status.
    pub(crate) run: fn(&[String]) -> Result<ExitCode>,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// A program that sees the environment as the user set it.
///
/// `cargo xtask` runs under cargo, which adds variables: a cargo started from here would take them for
/// the user's, and build again what a plain cargo has built (torch-sys above all).
pub(crate) fn program(name: &str) -> process::Command {
    let mut command = process::Command::new(name);
    if users_libtorch().is_none() {
        command.env_remove("LIBTORCH");
    }
    for (key, _) in env::vars_os() {
        if key.to_str().is_some_and(|key| {
            key == "CARGO" || key.starts_with("CARGO_PKG_") || key.starts_with("CARGO_MANIFEST_")
        }) {
            command.env_remove(key);
        }
    }
    command
}

/// Cargo, in the repository's root.
pub(crate) fn cargo() -> process::Command {
    let mut cargo = program("cargo");
    cargo.current_dir(root());
    cargo
}

/// `LIBTORCH`, if the user set it and not `.cargo/config.toml`.
pub(crate) fn users_libtorch() -> Option<PathBuf> {
    let value = env::var_os("LIBTORCH").filter(|value| !value.is_empty()).map(PathBuf::from)?;
    let ours = value.file_name().is_some_and(|name| name == ".libtorch")
        && value.parent().and_then(|parent| parent.canonicalize().ok())
            == root().canonicalize().ok();
    (!ours).then_some(value)
}

/// Runs `command` to its end and gives its exit status; also when a signal ended it.
pub(crate) fn status_of(command: &mut process::Command) -> Result<ExitCode> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start `{program}`"))?;
    Ok(status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(code as u8)))
}
