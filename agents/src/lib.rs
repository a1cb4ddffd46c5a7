//! Gambol's agents: policies, learners and evaluation methods.
//!
//! Environments are seen only through the batch interface of `gambol-envs`.
//! All that needs libtorch sits in [`torch`], behind the feature of that name; everything else builds without it.

use std::collections::BTreeMap;
use std::fmt;

use gambol_envs::registry::{Registered, Registry};
use gambol_envs::seed::Streams;
use gambol_envs::spec::EnvSpec;
use thiserror::Error;

pub mod advantage;
pub mod choice;
pub mod frozen;
pub mod gigpo;
mod gru;
pub mod learner;
pub mod mansa;
pub mod martingale;
pub mod mlp;
pub mod network;
pub mod options;
pub mod policy;
#[cfg(feature = "torch")]
mod replay;
pub mod rollout;
pub mod schedule;
pub mod scripted;
#[cfg(feature = "torch")]
mod standardise;
pub mod tabular;
#[cfg(feature = "torch")]
pub mod torch;

use learner::{Checkpoint, Learner};
use policy::Policy;

/// Why an agent cannot be built for an environment: every problem at once.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}", .problems.join("; "))]
pub struct AgentError {
    /// One sentence each, naming the field or the mismatch.
    pub problems: Vec<String>,
}

impl AgentError {
    /// One problem.
    pub fn new(problem: impl Into<String>) -> Self {
        Self { problems: vec![problem.into()] }
    }
}

/// Where tensors live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// CUDA when libtorch has it, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of that number; refused when libtorch does not have it.
    Cuda(usize),
}

/// What an agent is built for.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The environment's typed facts.
    pub spec: &'a EnvSpec,
    /// Instances in the training batch; a policy must act for any number of them.
    pub envs: usize,
    /// The run's streams.
    pub streams: Streams,
    /// Where tensors live.
    pub device: Device,
    /// Environment steps that training will make in all, for schedules; 0 when nothing is trained.
    pub total_steps: u64,
    /// The files that [`AgentFactory::files`] asked for, by the path as the scenario gives it.
    pub files: &'a BTreeMap<String, Checkpoint>,
}

/// A built agent.
pub enum Agent {
    /// Acts and does not learn.
    Policy(Box<dyn Policy>),
    /// Acts and learns.
    Learner(Box<dyn Learner>),
}

/// A configured agent, as a scenario file names it.
pub trait AgentFactory: fmt::Debug + Send + Sync {
    /// Parameter files (safetensors) that the agent is made of, as the scenario gives their paths.
    /// This crate reads no files: the runner reads them and hands them over in [`Setting::files`].
    fn files(&self) -> Vec<String> {
        Vec::new()
    }

    /// Fields that name agents, such as the learners that a learner is made of.
    /// An agent's own parser passes over them: whoever reads the scenario reads each that is there by the registry, so
    /// that any agent can stand in it, and hands it to [`take_member`](Self::take_member).
    fn members(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Receives the agent that one of [`members`](Self::members) names.
    fn take_member(&mut self, _field: &str, _agent: Box<dyn AgentFactory>) {}

    /// Builds the agent for an environment.
    ///
    /// # Errors
    /// Every problem of the configuration, and every fact of the environment that does not fit.
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError>;

    /// A frozen policy from what [`Learner::parameters`] of this agent gave, without libtorch; `greedy` asks for the
    /// best action instead of a drawn one. An agent that does not learn gives its policy.
    ///
    /// # Errors
    /// What does not fit, or that the learner has no frozen form.
    fn frozen(
        &self,
        setting: &Setting<'_>,
        _parameters: &Checkpoint,
        _greedy: bool,
    ) -> Result<Box<dyn Policy>, AgentError> {
        match self.build(setting)? {
            Agent::Policy(policy) => Ok(policy),
            Agent::Learner(_) => Err(AgentError::new("this learner has no frozen form")),
        }
    }
}

/// Every agent of this crate; a user's own are added with [`Registry::register`].
pub fn registry() -> Registry<dyn AgentFactory> {
    let entries = vec![
        scripted::Random::entry(),
        scripted::Collector::entry(),
        frozen::Frozen::entry(),
        tabular::TabularQ::entry(),
        mansa::Mansa::entry(),
    ];
    #[cfg(feature = "torch")]
    let entries = [entries, torch::entries()].concat();
    Registry::new(entries)
}
