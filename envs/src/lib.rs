//! Gambol's environments: an ECS simulator, and the games that run on it.
//!
//! This crate knows no tensors, files, clocks or terminal; its only threads are rayon's around shards.
//! Everything outside sees an environment through [`BatchEnv`].

use std::fmt;
use std::ops::Range;

use thiserror::Error;

pub mod batch;
pub mod diffusion;
pub mod driving;
pub mod ecs;
pub mod foraging;
pub mod key_door;
pub mod matrix;
mod puzzle;
pub mod registry;
pub mod snapshot;
pub mod sokoban;
pub mod spec;
pub mod trust;

pub use gambol_solvers::seed;

use batch::BatchEnv;
use registry::{Registered, Registry};
use seed::Streams;
use spec::EnvSpec;

/// Why an environment cannot be built as configured: every problem at once.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}", .problems.join("; "))]
pub struct BuildError {
    /// One sentence each, starting with the field's name in backticks.
    pub problems: Vec<String>,
}

impl BuildError {
    /// `Ok` when there is no problem.
    ///
    /// # Errors
    /// The problems, if any.
    pub fn check(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

/// Adds a sentence for every number that is not finite.
fn finite(fields: &[(&str, f32)], problems: &mut Vec<String>) {
    for (field, value) in fields.iter().filter(|(_, value)| !value.is_finite()) {
        problems.push(format!("`{field}`: {value}, it must be a finite number"));
    }
}

/// A configured environment, as a scenario file names it.
pub trait EnvFactory: fmt::Debug + Send + Sync {
    /// Text files that the environment is made of, as the scenario gives their paths.
    /// This crate reads no files: the runner reads them and hands each to [`take_file`](Self::take_file).
    fn files(&self) -> Vec<String> {
        Vec::new()
    }

    /// Receives the text of one of [`files`](Self::files).
    fn take_file(&mut self, _path: &str, _text: &str) {}

    /// The typed facts; unless they are known without building, those of a batch of one.
    ///
    /// # Errors
    /// Every problem of the configuration.
    fn spec(&self) -> Result<EnvSpec, BuildError> {
        Ok(self.build(0..1, 1, Streams::new(0))?.spec().clone())
    }

    /// A batch with one instance for each global lane in `lanes`, `shard` instances to a world.
    ///
    /// The shard size changes nothing but speed.
    ///
    /// # Errors
    /// Every problem of the configuration.
    fn build(
        &self,
        lanes: Range<u32>,
        shard: usize,
        streams: Streams,
    ) -> Result<Box<dyn BatchEnv>, BuildError>;

    /// Rows and columns of the board that the agents are on, if they are on one.
    fn board(&self) -> Option<(usize, usize)> {
        None
    }

    /// What kind of moment [`BatchEnv::describe`] described; `None` where kinds are not told
    /// apart.
    fn moment(&self, _description: &serde_json::Value) -> Option<Moment> {
        None
    }
}

/// How reports tell one moment of an instance from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What kind of moment it is, such as `two agents beside one food`.
    pub class: &'static str,
    /// Where the agents are on the [`board`](EnvFactory::board), as row and column.
    pub cells: Vec<(usize, usize)>,
}

/// Instances in one ECS world unless told otherwise: enough to hide a schedule's fixed cost, small enough for L2.
pub const SHARD: usize = 256;

/// Every environment of this crate; a user's own are added with [`Registry::register`].
pub fn registry() -> Registry<dyn EnvFactory> {
    Registry::new(vec![
        foraging::Foraging::entry(),
        matrix::Matrix::entry(),
        driving::Driving::entry(),
        trust::MonsterHunt::entry(),
        trust::Escalation::entry(),
        sokoban::Sokoban::entry(),
        key_door::KeyDoor::entry(),
    ])
}
