//! What a run leaves behind.
//!
//! | in the run directory | |
//! |---|---|
//! | `scenario.ron` | the scenario as resolved: every `--set` applied |
//! | `manifest.json` | build, machine, seed, status, digest |
//! | `files/` | a copy of every file that the scenario names, if any |
//! | `digests.bin` | the log that the digest is the hash of, see [`crate::digest`] |
//! | `metrics.jsonl`, `events.out.tfevents.gambol` | training metrics, as JSON lines and for TensorBoard |
//! | `evaluations.json` | evaluations in the form that `marl-eval` reads |
//! | `replay.json` | the actions of the last evaluation's first episodes, for `gambol replay` |
//! | `checkpoints/` | the last two, as safetensors, each beside a position in the files above |
//! | `best.safetensors`, `parameters.safetensors` | parameters of the best evaluation, and the last ones |
//! | `results.json` | what the run printed |
//!
//! Whole files are written beside, synced and renamed; growing files are synced before a checkpoint that names their
//! length, and cut back to it on `--resume`. A kill at any moment loses nothing before the last checkpoint.

use std::fs;
use std::path::{Path, PathBuf};

use gambol_agents::learner::Checkpoint;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::{self, Stopwatch};
use crate::digest::{Log, LogError};
use crate::drivers::evaluate::Evaluation;
use crate::machine::Build;
use crate::plan::{Arena, Plan};
use crate::replay::Tape;
use crate::sources::Kept;

pub mod checkpoint;
mod evaluations;
mod files;
pub mod progress;
mod tensorboard;

pub use evaluations::Evaluations;
pub use files::RecordError;
pub(crate) use files::write;

use files::Appended;
use progress::Progress;

/// Version of the run directory's form. 2: the log covers last observations, files are kept.
const FORMAT: u32 = 2;

/// Checkpoints that are kept.
const KEPT: usize = 2;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It has begun and neither ended nor been told to stop; perhaps it was killed.
    Running,
    /// It was told to stop, and did so in order.
    Interrupted,
    /// It did everything.
    Complete,
    /// It stopped with an error.
    Failed,
}

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the run directory's form, `FORMAT`.
    pub format: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Files that the scenario names, of which copies are kept.
    #[serde(default)]
    pub files: Vec<Kept>,
    /// The run's one seed.
    pub seed: u64,
    /// How far it is.
    pub status: Status,
    /// Digest of the whole run, once it is complete or interrupted.
    pub digest: Option<String>,
    /// Entries in the digest log.
    pub entries: Option<u64>,
    /// Environment steps at which it was resumed.
    pub resumed_at: Vec<u64>,
    /// Seconds since 1970 at the start.
    pub started: f64,
    /// Seconds of work, over all sittings.
    pub seconds: f64,
    /// What it depends on outside the scenario.
    pub build: Build,
}

/// Where the growing files were when a checkpoint was written; by default the very start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Position {
    step: u64,
    /// blake3 of the checkpoint's file.
    checkpoint: String,
    entries: u64,
    digest: String,
    metrics: u64,
    events: u64,
    seconds: f64,
}

fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, RecordError> {
    let text = fs::read_to_string(path).map_err(RecordError::io("read", path))?;
    serde_json::from_str(&text)
        .map_err(|error| RecordError::damaged(path, format!("is damaged: {error}")))
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The manifest of a run directory.
///
/// # Errors
/// [`RecordError`] when there is none or it is damaged.
pub fn manifest(dir: &Path) -> Result<Manifest, RecordError> {
    let path = dir.join("manifest.json");
    // The form decides what else the file must hold.
    let found: Value = json(&path)?;
    if found["format"] != FORMAT {
        let why = format!("has format {}, this build knows {FORMAT}", found["format"]);
        return Err(RecordError::damaged(&path, why));
    }
    json(&path)
}

/// The files of a run that is being recorded.
struct Directory {
    path: PathBuf,
    manifest: Manifest,
    metrics: Appended,
    events: Appended,
    before: f64,
}

/// What a driver writes to; with or without a run directory behind it.
pub struct Record {
    /// The log that decides the digest.
    pub log: Log,
    dir: Option<Directory>,
    evaluations: Evaluations,
    resumed: Option<(u64, Checkpoint)>,
    watch: Stopwatch,
    bars: bool,
}

impl Record {
    /// A record that keeps nothing but a digest.
    pub fn digest_only() -> Self {
        Self::without_directory(Log::digest_only())
    }

    /// A record that compares a run with the log in `dir` and writes nothing.
    ///
    /// # Errors
    /// [`LogError`] when there is no log.
    pub fn compare(dir: &Path) -> Result<Self, LogError> {
        Ok(Self::without_directory(Log::compare(&dir.join("digests.bin"))?))
    }

    fn without_directory(log: Log) -> Self {
        Self {
            log,
            dir: None,
            evaluations: Evaluations::default(),
            resumed: None,
            watch: Stopwatch::start(),
            bars: false,
        }
    }

    /// Shows progress bars.
    pub fn with_bars(mut self, bars: bool) -> Self {
        self.bars = bars;
        self
    }

    /// A new run directory.
    ///
    /// # Errors
    /// [`RecordError::Directory`] when it exists; [`RecordError::Io`] when it cannot be made.
    pub fn create(path: &Path, plan: &Plan, build: Build) -> Result<Self, RecordError> {
        if path.exists() {
            return Err(RecordError::Directory(format!(
                "{} exists; continue that run with --resume, or choose another --out",
                path.display()
            )));
        }
        let checkpoints = path.join("checkpoints");
        fs::create_dir_all(&checkpoints).map_err(RecordError::io("create", &checkpoints))?;
        let manifest = Manifest {
            format: FORMAT,
            scenario: plan.name.clone(),
            files: plan.sources.keep(path)?,
            seed: plan.seed,
            status: Status::Running,
            digest: None,
            entries: None,
            resumed_at: Vec::new(),
            started: clock::unix_seconds(),
            seconds: 0.0,
            build,
        };
        write(&path.join("scenario.ron"), plan.text.as_bytes())?;
        write(&path.join("manifest.json"), &pretty(&manifest))?;
        Self::open(path, manifest, &Position::default(), None)
    }

    /// Continues the run in `path` from its last checkpoint, or from the start when it had written none.
    ///
    /// # Errors
    /// [`RecordError`] when the directory belongs to another scenario, or its last checkpoint is damaged.
    pub fn resume(path: &Path, plan: &Plan, build: Build) -> Result<Self, RecordError> {
        let mut manifest = manifest(path)?;
        let scenario = path.join("scenario.ron");
        let text = fs::read_to_string(&scenario).map_err(RecordError::io("read", &scenario))?;
        if text != plan.text {
            return Err(RecordError::Directory(format!(
                "{} holds another scenario than the one given (with its --set and --seed); \
                 `gambol run {} --resume` continues with what it holds",
                path.display(),
                path.display()
            )));
        }
        if let Some(why) = plan.sources.difference(&manifest.files) {
            return Err(RecordError::Directory(format!(
                "{why}; `gambol run {} --resume` continues with the copy kept there",
                path.display()
            )));
        }
        let found = Self::last_checkpoint(path)?;
        let (position, checkpoint) = match found {
            Some((position, checkpoint)) => (position, Some(checkpoint)),
            None => (Position::default(), None),
        };
        manifest.status = Status::Running;
        manifest.digest = None;
        manifest.entries = None;
        manifest.resumed_at.push(position.step);
        manifest.build = build;
        write(&path.join("manifest.json"), &pretty(&manifest))?;
        Self::open(path, manifest, &position, checkpoint)
    }

    fn open(
        path: &Path,
        manifest: Manifest,
        position: &Position,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self, RecordError> {
        let digests = path.join("digests.bin");
        let log = Log::open(&digests, position.entries)
            .map_err(|error| RecordError::damaged(&digests, format!("cannot be used: {error}")))?;
        if checkpoint.is_some() && log.digest() != position.digest {
            let why = "differs from what it was when the checkpoint was written";
            return Err(RecordError::damaged(&digests, why));
        }
        let mut events = Appended::open(&path.join("events.out.tfevents.gambol"), position.events)?;
        if events.length() == 0 {
            events.append(&tensorboard::version(clock::unix_seconds()))?;
        }
        let evaluations = match checkpoint {
            Some(_) => Evaluations::read(&path.join("evaluations.json"), position.step)?,
            None => Evaluations::default(),
        };
        Ok(Self {
            log,
            evaluations,
            resumed: checkpoint.map(|checkpoint| (position.step, checkpoint)),
            watch: Stopwatch::start(),
            bars: false,
            dir: Some(Directory {
                metrics: Appended::open(&path.join("metrics.jsonl"), position.metrics)?,
                events,
                before: position.seconds,
                path: path.to_owned(),
                manifest,
            }),
        })
    }

    /// Names of all checkpoints in `dir`, oldest first.
    fn checkpoints(dir: &Path) -> Result<Vec<String>, RecordError> {
        let folder = dir.join("checkpoints");
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(RecordError::io("read", &folder))? {
            let entry = entry.map_err(RecordError::io("read", &folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix(".json") {
                names.push(name.to_owned());
            }
        }
        // Steps are written with leading zeros.
        names.sort_unstable();
        Ok(names)
    }

    fn last_checkpoint(dir: &Path) -> Result<Option<(Position, Checkpoint)>, RecordError> {
        let names = Self::checkpoints(dir)?;
        let Some(name) = names.last() else { return Ok(None) };
        let folder = dir.join("checkpoints");
        let file = folder.join(format!("{name}.safetensors"));
        let remedy = match names.iter().rev().nth(1) {
            Some(before) => format!(
                "; remove {name}.json beside it to continue from the checkpoint before, {before}"
            ),
            None => "; remove the run directory to start afresh".to_owned(),
        };
        let read = || {
            let position: Position = json(&folder.join(format!("{name}.json")))?;
            let bytes = fs::read(&file).map_err(RecordError::io("read", &file))?;
            if blake3::hash(&bytes).to_hex().as_str() != position.checkpoint {
                return Err(RecordError::damaged(&file, "is damaged"));
            }
            Ok((position, checkpoint::decode(&file, &bytes)?))
        };
        read().map(Some).map_err(|error: RecordError| {
            RecordError::Directory(format!("the last checkpoint cannot be used: {error}{remedy}"))
        })
    }

    /// The checkpoint to continue from and its environment steps; the first call takes it.
    pub fn take_resumed(&mut self) -> Option<(u64, Checkpoint)> {
        self.resumed.take()
    }

    /// Environment steps at which the run goes on, if it was resumed from a checkpoint.
    pub fn resumed_at(&self) -> Option<u64> {
        self.resumed.as_ref().map(|(step, _)| *step)
    }

    /// The run directory, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.dir.as_ref().map(|dir| dir.path.as_path())
    }

    /// A progress bar to `total`.
    pub fn progress(&self, total: u64, unit: &str) -> Progress {
        if self.bars { Progress::new(total, unit) } else { Progress::none() }
    }

    /// Seconds of work so far, over all sittings.
    pub fn seconds(&self) -> f64 {
        self.dir.as_ref().map_or(0.0, |dir| dir.before) + self.watch.seconds()
    }

    /// Writes one line of metrics.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn metrics(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), RecordError> {
        let seconds = self.seconds();
        let Some(dir) = &mut self.dir else { return Ok(()) };
        let mut line = serde_json::Map::new();
        line.insert("step".to_owned(), json!(step));
        line.insert("seconds".to_owned(), json!(seconds));
        for &(name, value) in values {
            line.insert(name.to_owned(), json!(value));
        }
        dir.metrics.append(format!("{}\n", Value::Object(line)).as_bytes())?;
        let now = clock::unix_seconds();
        dir.events.append(&tensorboard::scalars(now, step, values.iter().copied()))
    }

    /// Files one evaluation at `step` environment steps of training.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn evaluation(
        &mut self,
        arena: &Arena,
        agent: &str,
        seed: u64,
        step: u64,
        evaluation: &Evaluation,
    ) -> Result<(), RecordError> {
        self.evaluations.add(arena, agent, seed, step, evaluation);
        self.write_evaluations(step, evaluation)
    }

    /// Files the evaluation of the best parameters, with ten times as many episodes: `absolute_metrics`.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn absolute(
        &mut self,
        arena: &Arena,
        agent: &str,
        seed: u64,
        step: u64,
        evaluation: &Evaluation,
    ) -> Result<(), RecordError> {
        self.evaluations.absolute(arena, agent, seed, evaluation);
        self.write_evaluations(step, evaluation)
    }

    fn write_evaluations(&self, step: u64, evaluation: &Evaluation) -> Result<(), RecordError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        write(&dir.path.join("evaluations.json"), &pretty(self.evaluations.value()))?;
        let tape = Tape::new(step, evaluation.reels().to_vec());
        let text = serde_json::to_vec(&tape).unwrap_or_default();
        write(&dir.path.join("replay.json"), &text)
    }

    /// The episodes that the run in `dir` has kept, if it has.
    ///
    /// # Errors
    /// [`RecordError`].
    pub(crate) fn tape(dir: &Path) -> Result<Option<Tape>, RecordError> {
        let path = dir.join("replay.json");
        if path.exists() { json(&path).map(Some) } else { Ok(None) }
    }

    /// All evaluations so far, in the form of `evaluations.json`.
    pub fn evaluations(&self) -> &Evaluations {
        &self.evaluations
    }

    /// Whether checkpoints go anywhere, so that a driver can spare itself making them.
    pub fn keeps_checkpoints(&self) -> bool {
        self.dir.is_some()
    }

    /// Writes a checkpoint after `step` environment steps, and lets go of old ones.
    ///
    /// # Errors
    /// [`RecordError`], [`LogError`] through [`RecordError::Damaged`].
    pub fn checkpoint(&mut self, step: u64, checkpoint: &Checkpoint) -> Result<(), RecordError> {
        let seconds = self.seconds();
        let Some(dir) = &mut self.dir else { return Ok(()) };
        let digests = dir.path.join("digests.bin");
        self.log.sync().map_err(|error| RecordError::damaged(&digests, error.to_string()))?;
        dir.metrics.sync()?;
        dir.events.sync()?;
        let folder = dir.path.join("checkpoints");
        let name = format!("step-{step:012}");
        let hash = checkpoint::save(&folder.join(format!("{name}.safetensors")), checkpoint)?;
        let position = Position {
            step,
            checkpoint: hash,
            entries: self.log.entries(),
            digest: self.log.digest(),
            metrics: dir.metrics.length(),
            events: dir.events.length(),
            seconds,
        };
        // The position comes last: a checkpoint without one does not exist.
        write(&folder.join(format!("{name}.json")), &pretty(&position))?;
        let names = Self::checkpoints(&dir.path)?;
        for old in names.iter().rev().skip(KEPT) {
            for ending in ["json", "safetensors"] {
                let path = folder.join(format!("{old}.{ending}"));
                fs::remove_file(&path).map_err(RecordError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Writes parameters for use elsewhere, under that name.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn parameters(&self, name: &str, parameters: &Checkpoint) -> Result<(), RecordError> {
        match &self.dir {
            Some(dir) => {
                checkpoint::save(&dir.path.join(format!("{name}.safetensors")), parameters)
                    .map(drop)
            }
            None => Ok(()),
        }
    }

    /// Reads back what [`parameters`](Self::parameters) wrote.
    ///
    /// # Errors
    /// [`RecordError`]; also when there is no run directory.
    pub fn read_parameters(&self, name: &str) -> Result<Checkpoint, RecordError> {
        let dir = self.dir.as_ref().map(|dir| dir.path.clone()).unwrap_or_default();
        checkpoint::read(&dir.join(format!("{name}.safetensors")))
    }

    /// Writes a whole file of results under that name; the blake3 hash of its bytes, which belongs into `files` of the
    /// results, so that `gambol verify` can compare it.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> Result<String, RecordError> {
        if let Some(dir) = &self.dir {
            write(&dir.path.join(name), bytes)?;
        }
        Ok(blake3::hash(bytes).to_hex().to_string())
    }

    /// Closes the files, with the results and the digest of a run that ended as `status` says.
    ///
    /// # Errors
    /// [`RecordError`], or the log's own error through it.
    pub fn finish(&mut self, status: Status, results: &Value) -> Result<(), RecordError> {
        let seconds = self.seconds();
        let (digest, entries) = (self.log.digest(), self.log.entries());
        let Some(dir) = &mut self.dir else { return Ok(()) };
        let digests = dir.path.join("digests.bin");
        self.log.sync().map_err(|error| RecordError::damaged(&digests, error.to_string()))?;
        dir.metrics.sync()?;
        dir.events.sync()?;
        if !results.is_null() {
            write(&dir.path.join("results.json"), &pretty(results))?;
        }
        dir.manifest.status = status;
        dir.manifest.digest = Some(digest);
        dir.manifest.entries = Some(entries);
        dir.manifest.seconds = seconds;
        write(&dir.path.join("manifest.json"), &pretty(&dir.manifest))
    }
}
