//! Learners: policies that improve from rollouts.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::policy::{Policy, PolicyError};
use crate::rollout::Rollout;

/// Numbers that a learner reports after an update, by name, in the order in which they are to be shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Name, such as `loss` or `epsilon`, and value.
    pub values: Vec<(&'static str, f64)>,
    /// What the learners report that this one is made of, by name.
    pub members: Vec<(&'static str, Report)>,
}

impl Report {
    /// These numbers, from a learner that is not made of others.
    pub fn of(values: Vec<(&'static str, f64)>) -> Self {
        Self { values, members: Vec::new() }
    }

    /// Every number with its whole name, such as `loss` or `independent/loss`.
    pub fn named(&self) -> Vec<(String, f64)> {
        let own = self.values.iter().map(|(name, value)| ((*name).to_owned(), *value));
        let inner = self.members.iter().flat_map(|(member, report)| {
            report.named().into_iter().map(move |(name, value)| (format!("{member}/{name}"), value))
        });
        own.chain(inner).collect()
    }
}

/// Why learning stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LearnError {
    /// A loss or a gradient is not a finite number; parameters are as before the update.
    #[error("{what} is {value} at update {update}; the parameters were left as they were")]
    NotFinite {
        /// Which quantity.
        what: &'static str,
        /// The offending number.
        value: f64,
        /// Number of the update.
        update: u64,
    },
    /// A rollout does not fit the learner.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// Which quantity.
        what: &'static str,
        /// What the learner was built for.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// A saved learner does not fit this one.
    #[error("the checkpoint does not fit: {0}")]
    Checkpoint(String),
    /// libtorch reported an error.
    #[error("libtorch: {0}")]
    Torch(String),
    /// A policy inside the learner could not act.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Anything else, from a learner of another crate.
    #[error("{0}")]
    Other(String),
}

/// The numbers of one saved tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
    /// 64-bit integers, for counters and positions.
    I64(Vec<i64>),
    /// Bytes, for masks and saved lanes.
    U8(Vec<u8>),
}

/// A saved tensor: its shape and its numbers, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// Length along each axis.
    pub shape: Vec<usize>,
    /// As many numbers as the shape says.
    pub values: Values,
}

/// Everything that decides a learner's future, by name; the runner writes it as safetensors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Tensors by name, such as `online.0.weight`; ordered, so that files and digests are the same every time.
    pub tensors: BTreeMap<String, Saved>,
}

impl Checkpoint {
    /// Adds all of another one, each tensor under `name` and a dot.
    pub fn put_part(&mut self, name: &str, part: Self) {
        let named =
            part.tensors.into_iter().map(|(tensor, saved)| (format!("{name}.{tensor}"), saved));
        self.tensors.extend(named);
    }

    /// What [`put_part`](Self::put_part) added under that name; empty when nothing was.
    pub fn part(&self, name: &str) -> Self {
        let own = |(tensor, saved): (&String, &Saved)| {
            let tensor = tensor.strip_prefix(name)?.strip_prefix('.')?;
            Some((tensor.to_owned(), saved.clone()))
        };
        Self { tensors: self.tensors.iter().filter_map(own).collect() }
    }

    /// Adds a vector of 32-bit floats.
    pub fn put_f32(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        self.tensors
            .insert(name.into(), Saved { shape: shape.to_vec(), values: Values::F32(values) });
    }

    /// Adds a vector of 64-bit floats.
    pub fn put_f64(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f64>) {
        self.tensors
            .insert(name.into(), Saved { shape: shape.to_vec(), values: Values::F64(values) });
    }

    /// Adds counters.
    pub fn put_i64(&mut self, name: impl Into<String>, values: Vec<i64>) {
        let shape = vec![values.len()];
        self.tensors.insert(name.into(), Saved { shape, values: Values::I64(values) });
    }

    /// Adds bytes.
    pub fn put_u8(&mut self, name: impl Into<String>, values: Vec<u8>) {
        let shape = vec![values.len()];
        self.tensors.insert(name.into(), Saved { shape, values: Values::U8(values) });
    }

    fn find(&self, name: &str) -> Result<&Saved, LearnError> {
        self.tensors.get(name).ok_or_else(|| LearnError::Checkpoint(format!("`{name}` is missing")))
    }

    /// The 32-bit floats of that name, which must have this shape.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`] when it is missing, of another type or another shape.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<&[f32], LearnError> {
        match self.find(name)? {
            Saved { shape: found, values: Values::F32(values) } if found == shape => Ok(values),
            other => Err(mismatch(name, &format!("f32 {shape:?}"), other)),
        }
    }

    /// The 64-bit floats of that name, which must have this shape.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`] when it is missing, of another type or another shape.
    pub fn f64(&self, name: &str, shape: &[usize]) -> Result<&[f64], LearnError> {
        match self.find(name)? {
            Saved { shape: found, values: Values::F64(values) } if found == shape => Ok(values),
            other => Err(mismatch(name, &format!("f64 {shape:?}"), other)),
        }
    }

    /// The counters of that name.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`] when it is missing or of another type.
    pub fn i64(&self, name: &str) -> Result<&[i64], LearnError> {
        match self.find(name)? {
            Saved { values: Values::I64(values), .. } => Ok(values),
            other => Err(mismatch(name, "i64", other)),
        }
    }

    /// The bytes of that name.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`] when it is missing or of another type.
    pub fn u8(&self, name: &str) -> Result<&[u8], LearnError> {
        match self.find(name)? {
            Saved { values: Values::U8(values), .. } => Ok(values),
            other => Err(mismatch(name, "u8", other)),
        }
    }
}

fn mismatch(name: &str, expected: &str, found: &Saved) -> LearnError {
    let kind = match found.values {
        Values::F32(_) => "f32",
        Values::F64(_) => "f64",
        Values::I64(_) => "i64",
        Values::U8(_) => "u8",
    };
    LearnError::Checkpoint(format!("`{name}` is {kind} {:?}, expected {expected}", found.shape))
}

/// A policy that explores and learns.
///
/// The driver repeats: collect [`rollout_steps`](Self::rollout_steps) batch steps with `act`, then call `learn`.
/// Everything random inside `learn` comes from the streams that the learner was built with, at positions that
/// [`save`](Self::save) records.
pub trait Learner: Policy {
    /// Batch steps of one rollout.
    fn rollout_steps(&self) -> usize;

    /// Lanes that begin every rollout in the same state: adjacent ones, the first of which says where. Their number
    /// divides that of the batch. The rollout ends when each lane has ended an episode, at the latest after
    /// [`rollout_steps`](Self::rollout_steps); what a lane did in its next episode is no part of the group.
    ///
    /// With 1, the default, nobody waits: a rollout goes on where the last one stopped.
    fn group(&self) -> usize {
        1
    }

    /// Learns from a rollout.
    ///
    /// # Errors
    /// [`LearnError`]; parameters, optimiser and counters are then as before the call. A learner with a replay may
    /// keep the rollout in it.
    fn learn(&mut self, rollout: &Rollout) -> Result<Report, LearnError>;

    /// A frozen copy that acts without libtorch; `greedy` asks for the best action instead of a drawn one.
    ///
    /// # Errors
    /// [`LearnError`] when parameters cannot be read from the device.
    fn policy(&self, greedy: bool) -> Result<Box<dyn Policy>, LearnError>;

    /// Everything that decides the learner's future: parameters, optimiser, replay, counters.
    ///
    /// # Errors
    /// [`LearnError`] when parameters cannot be read from the device.
    fn save(&self) -> Result<Checkpoint, LearnError>;

    /// Takes back what [`save`](Self::save) gave; training then goes on to the bit.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`]; the learner is then as it was before the call.
    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), LearnError>;

    /// Whether it may learn from steps whose actions another policy chose. A learner that does not say so is given
    /// only its own.
    fn off_policy(&self) -> bool {
        false
    }

    /// Takes over the networks that choose actions from another learner's [`parameters`](Self::parameters), and nothing
    /// else: critics, targets, optimiser and counters stay.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`] when they do not fit, or when this learner cannot; it is then as it was before.
    fn adopt(&mut self, _parameters: &Checkpoint) -> Result<(), LearnError> {
        Err(LearnError::Checkpoint("this learner takes over no networks from another".to_owned()))
    }

    /// The parameters alone, for the run's digest and for use elsewhere.
    ///
    /// # Errors
    /// [`LearnError`] when parameters cannot be read from the device.
    fn parameters(&self) -> Result<Checkpoint, LearnError>;
}
