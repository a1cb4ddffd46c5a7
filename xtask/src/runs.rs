//! Runs of `gambol` that a study is made of, kept so that an interrupted study goes on where it stopped.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{program, root};

/// One run.
pub(crate) struct Run<'a> {
    /// What the user is told that it is.
    pub(crate) label: &'a str,
    /// Name in `assets/scenarios`, without ending.
    pub(crate) scenario: &'a str,
    /// Settings, `path=value` each.
    pub(crate) sets: &'a [&'a str],
    pub(crate) seed: u64,
    /// The run directory; notes stand beside it.
    pub(crate) dir: &'a Path,
    /// Whether it shows no progress, because others run beside it.
    pub(crate) quiet: bool,
}

impl Run<'_> {
    /// Makes the run, unless it is there, complete, of the same scenario and settings.
    pub(crate) fn ensure(&self, gambol: &Path) -> Result<()> {
        let Self { label, seed, sets, dir, .. } = *self;
        let scenario = root().join("assets/scenarios").join(self.scenario).with_extension("ron");
        let text = fs::read_to_string(&scenario)?;
        let asked = format!("seed {seed}\n{}\n{text}\n", sets.join("\n"));
        let note = dir.with_extension("asked");
        let complete =
            read_json(&dir.join("manifest.json")).is_ok_and(|found| found["status"] == "complete");
        if complete && fs::read_to_string(&note).is_ok_and(|before| before == asked) {
            return Ok(());
        }
        eprintln!("{label}, seed {seed}");
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::write(load_note(dir), load_average())?;
        // Not `cargo run`: it would wait for every other cargo of this folder before each run.
        let status = program(&gambol.to_string_lossy())
            .arg("run")
            .arg(&scenario)
            .args(sets.iter().flat_map(|set| ["--set", set]))
            .args(["--threads", "1", "--json", "--seed", &seed.to_string(), "--out"])
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(if self.quiet { Stdio::null() } else { Stdio::inherit() })
            .status()
            .context("cannot start `gambol`")?;
        if !status.success() {
            bail!("`gambol run` of {label} with seed {seed} ended with {status}");
        }
        Ok(fs::write(note, asked)?)
    }
}

/// Where the machine's load average at the beginning of a run is noted.
pub(crate) fn load_note(dir: &Path) -> PathBuf {
    dir.with_extension("load")
}

/// Processes that wanted to run in the last minute; empty where the system does not tell.
fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// A JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}
