//! The log of everything that a run did, as hashes, and the digest that stands for the whole log.
//!
//! Every batch step is one [`Entry`]: the xxh3 hashes of its actions, rewards, ends, observations, masks and the true
//! last observations of episodes that ended, over the lanes in order. Learned parameters and evaluation results are entries too.
//! The **digest** of a run is the blake3 hash of all entries' bytes in order.
//! Nothing in an entry depends on threads, shards or time: equal digests mean equal runs.
//!
//! Entries are kept in `digests.bin`, [`Entry::BYTES`] bytes each, so that `gambol verify` can name the first step and
//! field that differ.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use gambol_agents::learner::{Checkpoint, Values};
use gambol_envs::batch::{Actions, End};
use thiserror::Error;
use twox_hash::XxHash3_64;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// First moment of a training batch; only observations and masks.
    Start = 1,
    /// One training step; `step` counts batch steps from 1.
    Step = 2,
    /// Parameters of the learner; `step` counts environment steps.
    Parameters = 3,
    /// An evaluation begins; `step` counts environment steps of training made so far.
    Evaluation = 4,
    /// First moment of a group of evaluation lanes; `group` is its first lane's place in the batch.
    GroupStart = 5,
    /// One step of such a group; `step` counts from 1.
    GroupStep = 6,
    /// Returns, lengths and ends of all episodes of an evaluation.
    Results = 7,
    /// Answers of a solver to one game; `step` counts the cases from 1.
    Solved = 8,
    /// One step of PSRO: a meta-strategy, a response, cells that were played; `step` counts from 1.
    Psro = 9,
}

impl Kind {
    fn from_number(number: u32) -> Option<Self> {
        use Kind::{
            Evaluation, GroupStart, GroupStep, Parameters, Psro, Results, Solved, Start, Step,
        };
        [Start, Step, Parameters, Evaluation, GroupStart, GroupStep, Results, Solved, Psro]
            .into_iter()
            .find(|&kind| kind as u32 == number)
    }
}

/// Names of an entry's fields, in the order in which a step causes them.
pub const FIELDS: [&str; 6] =
    ["actions", "rewards", "ends", "last observations", "observations", "masks"];

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub kind: Kind,
    /// First lane of the group, 0 outside evaluations.
    pub group: u32,
    /// Which step; see [`Kind`].
    pub step: u64,
    /// Hashes of [`FIELDS`]; entries that are not steps use the first four for a blake3 hash.
    pub fields: [u64; FIELDS.len()],
}

impl Entry {
    /// Size on disk.
    pub const BYTES: usize = 16 + 8 * FIELDS.len();

    /// An entry that holds the blake3 hash of `bytes`.
    pub fn hashed(kind: Kind, step: u64, bytes: &[u8]) -> Self {
        let hash = blake3::hash(bytes);
        let mut fields = [0; FIELDS.len()];
        let (words, _) = hash.as_bytes().as_chunks::<8>();
        for (field, word) in fields.iter_mut().zip(words) {
            *field = u64::from_le_bytes(*word);
        }
        Self { kind, group: 0, step, fields }
    }

    /// The entry as it is hashed and stored: little-endian numbers, one after the other.
    pub fn bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.group.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.step.to_le_bytes());
        let (words, _) = bytes[16..].as_chunks_mut::<8>();
        for (word, field) in words.iter_mut().zip(self.fields) {
            *word = field.to_le_bytes();
        }
        bytes
    }

    /// Reads back what [`bytes`](Self::bytes) gave; `None` for an unknown kind.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (halves, _) = bytes[..8].as_chunks::<4>();
        let (words, _) = bytes[8..].as_chunks::<8>();
        let word = |index: usize| u64::from_le_bytes(words[index]);
        Some(Self {
            kind: Kind::from_number(u32::from_le_bytes(halves[0]))?,
            group: u32::from_le_bytes(halves[1]),
            step: word(0),
            fields: std::array::from_fn(|field| word(1 + field)),
        })
    }
}

/// The hash of one buffer.
fn hash<T: bytemuck::NoUninit>(buffer: &[T]) -> u64 {
    XxHash3_64::oneshot(bytemuck::must_cast_slice(buffer))
}

/// Hash of a joint action.
fn hash_actions(actions: Actions<'_>) -> u64 {
    match actions {
        Actions::Discrete(actions) => hash(actions),
        Actions::Continuous(actions) => hash(actions),
    }
}

/// What a batch call wrote, as far as the log looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// `[envs, agents, obs]`.
    pub observations: &'a [f32],
    /// `[envs, agents, actions]`.
    pub masks: &'a [bool],
    /// `[envs, agents]`.
    pub rewards: &'a [f32],
    /// `[envs]`.
    pub ends: &'a [End],
    /// `[envs, agents, obs]`; only rows of ended instances are looked at.
    pub last_observations: &'a [f32],
}

/// Makes entries of batch steps; keeps a little memory between them.
#[derive(Clone, Debug, Default)]
pub struct StepHasher {
    ends: Vec<u8>,
    last: Vec<f32>,
}

impl StepHasher {
    /// The entry of a first moment.
    pub fn start(kind: Kind, group: u32, seen: &Seen<'_>) -> Entry {
        let fields = [0, 0, 0, 0, hash(seen.observations), hash(seen.masks)];
        Entry { kind, group, step: 0, fields }
    }

    /// The entry of one step.
    pub fn step(
        &mut self,
        kind: Kind,
        group: u32,
        step: u64,
        actions: Actions<'_>,
        seen: &Seen<'_>,
    ) -> Entry {
        self.ends.clear();
        self.ends.extend(seen.ends.iter().map(|&end| end as u8));
        self.last.clear();
        let width = seen.last_observations.len() / seen.ends.len().max(1);
        let lanes = seen.last_observations.chunks_exact(width.max(1)).zip(seen.ends);
        for (last, _) in lanes.filter(|(_, end)| end.is_over()) {
            self.last.extend_from_slice(last);
        }
        let fields = [
            hash_actions(actions),
            hash(seen.rewards),
            hash(&self.ends),
            hash(&self.last),
            hash(seen.observations),
            hash(seen.masks),
        ];
        Entry { kind, group, step, fields }
    }
}

/// The entry of a learner's parameters.
pub fn parameters(step: u64, parameters: &Checkpoint) -> Entry {
    let mut bytes = Vec::new();
    for (name, saved) in &parameters.tensors {
        bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&(saved.shape.len() as u64).to_le_bytes());
        for &length in &saved.shape {
            bytes.extend_from_slice(&(length as u64).to_le_bytes());
        }
        bytes.extend_from_slice(value_bytes(&saved.values));
    }
    Entry::hashed(Kind::Parameters, step, &bytes)
}

/// The bytes of saved numbers, little-endian.
pub fn value_bytes(values: &Values) -> &[u8] {
    match values {
        Values::F32(values) => bytemuck::must_cast_slice(values),
        Values::F64(values) => bytemuck::must_cast_slice(values),
        Values::I64(values) => bytemuck::must_cast_slice(values),
        Values::U8(values) => values,
    }
}

/// The first difference between a run and its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Place in the log, from 0.
    pub index: u64,
    /// What the log says; `None` when it has already ended.
    pub logged: Option<Entry>,
    /// What the run does now; `None` when it has already ended.
    pub now: Option<Entry>,
    /// Environment steps of training before the evaluation that is under way, if one is.
    pub evaluation: Option<u64>,
}

impl Difference {
    /// The first field that differs, in causal order.
    pub fn field(&self) -> Option<&'static str> {
        let (logged, now) = (self.logged?, self.now?);
        if matches!(now.kind, Kind::Parameters | Kind::Results | Kind::Evaluation | Kind::Solved) {
            return None;
        }
        let differs = |&(field, _): &(usize, _)| logged.fields[field] != now.fields[field];
        FIELDS.into_iter().enumerate().find(differs).map(|(_, name)| name)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (logged, now) = match (self.logged, self.now) {
            (Some(logged), Some(now)) => (logged, now),
            (None, _) => {
                return write!(f, "the log ends after {} entries, the run goes on", self.index);
            }
            (_, None) => {
                return write!(f, "the run ends after {} entries, the log goes on", self.index);
            }
        };
        if (logged.kind, logged.group, logged.step) != (now.kind, now.group, now.step) {
            return write!(
                f,
                "entry {}: the log has {:?} {} of lane {} on, the run makes {:?} {} of lane {} on",
                self.index, logged.kind, logged.step, logged.group, now.kind, now.step, now.group
            );
        }
        let field = self.field().unwrap_or("content");
        match now.kind {
            Kind::Start => write!(f, "training, first moment: {field} differ"),
            Kind::Step => write!(f, "training, batch step {}: {field} differ", now.step),
            Kind::Parameters => {
                write!(f, "after {} environment steps: the learned parameters differ", now.step)
            }
            Kind::Evaluation => {
                write!(f, "evaluation at environment step {}: it differs", now.step)
            }
            Kind::GroupStart | Kind::GroupStep => write!(
                f,
                "evaluation at environment step {}, lanes from {} on, step {}: {field} differ",
                self.evaluation.unwrap_or(0),
                now.group,
                now.step
            ),
            Kind::Solved => write!(f, "case {}: the answers differ", now.step),
            Kind::Psro => write!(f, "step {} of PSRO: it differs", now.step),
            Kind::Results => write!(
                f,
                "evaluation at environment step {}: the results differ",
                self.evaluation.unwrap_or(0)
            ),
        }
    }
}

/// Why the log stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file cannot be read or written.
    #[error("{what}: {source}")]
    Io {
        /// The file, and what was done with it.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The log holds bytes that no run writes.
    #[error("the log is damaged at entry {index}")]
    Damaged {
        /// Place in the log, from 0.
        index: u64,
    },
    /// The run does something else than the log says.
    #[error("{0}")]
    Differs(Box<Difference>),
}

enum Sink {
    /// Only the digest is wanted.
    None,
    /// Entries are appended.
    Write(BufWriter<File>),
    /// Entries are compared with those of an earlier run.
    Compare(BufReader<File>),
}

/// The log of a run as it is made.
pub struct Log {
    sink: Sink,
    hasher: blake3::Hasher,
    entries: u64,
    evaluation: Option<u64>,
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> LogError {
    let what = what.into();
    move |source| LogError::Io { what, source }
}

impl Log {
    fn new(sink: Sink) -> Self {
        Self { sink, hasher: blake3::Hasher::new(), entries: 0, evaluation: None }
    }

    /// A log of which only the digest is kept.
    pub fn digest_only() -> Self {
        Self::new(Sink::None)
    }

    /// A log in a new file, or in one that held `entries` entries when a checkpoint was written and is cut to that.
    ///
    /// # Errors
    /// [`LogError::Io`]; [`LogError::Damaged`] when fewer entries are there.
    pub fn open(path: &Path, entries: u64) -> Result<Self, LogError> {
        let what = || format!("cannot write {}", path.display());
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(entries == 0)
            .open(path)
            .map_err(failed(what()))?;
        let mut hasher = blake3::Hasher::new();
        let length = entries * Entry::BYTES as u64;
        let found = io::copy(&mut (&mut file).take(length), &mut hasher).map_err(failed(what()))?;
        if found != length {
            return Err(LogError::Damaged { index: found / Entry::BYTES as u64 });
        }
        // The cursor stands behind the last entry that is kept.
        file.set_len(length).map_err(failed(what()))?;
        let sink = Sink::Write(BufWriter::new(file));
        Ok(Self { sink, hasher, entries, evaluation: None })
    }

    /// Compares everything that is added with the log of an earlier run.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn compare(path: &Path) -> Result<Self, LogError> {
        let file = File::open(path).map_err(failed(format!("cannot read {}", path.display())))?;
        Ok(Self::new(Sink::Compare(BufReader::new(file))))
    }

    /// Appends, or compares, one entry.
    ///
    /// # Errors
    /// [`LogError::Io`] for a full disk and the like; [`LogError::Differs`] at the first difference.
    pub fn add(&mut self, entry: Entry) -> Result<(), LogError> {
        if entry.kind == Kind::Evaluation {
            self.evaluation = Some(entry.step);
        }
        let bytes = entry.bytes();
        match &mut self.sink {
            Sink::None => {}
            Sink::Write(file) => {
                file.write_all(&bytes).map_err(failed("cannot write the digest log"))?;
            }
            Sink::Compare(file) => {
                let logged = read_entry(file, self.entries)?;
                if logged != Some(entry) {
                    return Err(LogError::Differs(Box::new(Difference {
                        index: self.entries,
                        logged,
                        now: Some(entry),
                        evaluation: self.evaluation,
                    })));
                }
            }
        }
        self.hasher.update(&bytes);
        self.entries += 1;
        Ok(())
    }

    /// Entries so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The digest of all entries so far, in hexadecimal.
    pub fn digest(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// Makes sure that all entries are on disk.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn sync(&mut self) -> Result<(), LogError> {
        if let Sink::Write(file) = &mut self.sink {
            let synced = file.flush().and_then(|()| file.get_ref().sync_all());
            synced.map_err(failed("cannot write the digest log"))?;
        }
        Ok(())
    }

    /// Ends the run: the digest; when comparing, the old log must have ended too.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn finish(&mut self) -> Result<String, LogError> {
        self.sync()?;
        if let Sink::Compare(file) = &mut self.sink
            && let Some(logged) = read_entry(file, self.entries)?
        {
            return Err(LogError::Differs(Box::new(Difference {
                index: self.entries,
                logged: Some(logged),
                now: None,
                evaluation: self.evaluation,
            })));
        }
        Ok(self.digest())
    }
}

/// The next entry; `None` at the end of the file.
fn read_entry(file: &mut impl Read, index: u64) -> Result<Option<Entry>, LogError> {
    let mut bytes = Vec::with_capacity(Entry::BYTES);
    file.take(Entry::BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(failed("cannot read the digest log"))?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let entry = bytes.first_chunk().and_then(Entry::from_bytes);
    entry.map(Some).ok_or(LogError::Damaged { index })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(step: u64) -> Entry {
        Entry { kind: Kind::Step, group: 0, step, fields: [1, 2, 3, 4, 5, step] }
    }

    #[test]
    fn entries_survive_write_read_write() {
        let entry =
            Entry { kind: Kind::GroupStep, group: 256, step: 9, fields: [1, 2, 3, 4, 5, u64::MAX] };
        assert_eq!(Entry::from_bytes(&entry.bytes()), Some(entry));
        let mut bytes = entry.bytes();
        bytes[0] = 99;
        assert_eq!(Entry::from_bytes(&bytes), None);
    }

    #[test]
    fn a_log_is_continued_and_compared() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("digests.bin");
        let whole = {
            let mut log = Log::open(&path, 0).unwrap();
            for step in 1..=5 {
                log.add(entry(step)).unwrap();
            }
            log.finish().unwrap()
        };
        // Cut to the third entry and continued, it is the same log.
        let mut log = Log::open(&path, 3).unwrap();
        log.add(entry(4)).unwrap();
        log.add(entry(5)).unwrap();
        assert_eq!(log.finish().unwrap(), whole);
        assert!(matches!(Log::open(&path, 6), Err(LogError::Damaged { index: 5 })));

        let mut log = Log::compare(&path).unwrap();
        log.add(entry(1)).unwrap();
        let mut other = entry(2);
        other.fields[4] = 9;
        let Err(LogError::Differs(difference)) = log.add(other) else { panic!("accepted") };
        assert_eq!(difference.field(), Some("observations"));
        assert_eq!(difference.to_string(), "training, batch step 2: observations differ");
        let mut log = Log::compare(&path).unwrap();
        log.add(entry(1)).unwrap();
        let Err(LogError::Differs(difference)) = log.finish() else { panic!("accepted") };
        assert_eq!(difference.to_string(), "the run ends after 1 entries, the log goes on");
    }

    #[test]
    fn a_step_hashes_to_the_same_numbers_for_ever() {
        let mut seen = Seen {
            observations: &[1.0, -0.5],
            masks: &[true, false],
            rewards: &[0.25],
            ends: &[End::Truncated],
            last_observations: &[2.0, -3.0],
        };
        let mut hasher = StepHasher::default();
        let mut fields =
            |seen: &Seen<'_>| hasher.step(Kind::Step, 0, 1, Actions::Discrete(&[5]), seen).fields;
        assert_eq!(fields(&seen), PINNED);
        // The end of an episode is looked at, and nothing is where none ended.
        seen.last_observations = &[2.0, -3.5];
        assert_ne!(fields(&seen)[3], PINNED[3]);
        seen.ends = &[End::Running];
        let running = fields(&seen);
        seen.last_observations = &[7.0, 7.0];
        assert_eq!(fields(&seen), running);
    }

    const PINNED: [u64; 6] = [
        2_597_309_697_680_638_508,
        9_449_233_312_971_711_839,
        14_552_307_339_992_752_127,
        4_186_658_343_505_857_019,
        11_258_894_006_694_854_510,
        12_363_696_039_452_112_576,
    ];
}
