//! What a scenario can ask for: one variant of [`Run`] and one file each.

use gambol_agents::learner::LearnError;
use gambol_agents::martingale::problem::Study;
use gambol_agents::policy::PolicyError;
use gambol_agents::{Agent, AgentError};
use gambol_envs::BuildError;
use gambol_envs::batch::BatchError;
use serde::Deserialize;
use thiserror::Error;

use crate::digest::LogError;
use crate::plan::Plan;
use crate::record::{Record, RecordError};
use crate::scenario::Scenario;

pub mod calls;
pub mod evaluate;
pub mod evaluate_policy;
pub mod psro;
pub mod solve;
pub mod train;

/// The section `run` of a scenario.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Run {
    /// Plays a number of episodes and reports returns.
    Evaluate(evaluate::Evaluate),
    /// Estimates the value function of a diffusion by several methods.
    EvaluatePolicy(Study),
    /// Grows populations of policies by responses to themselves.
    Psro(psro::Psro),
    /// Finds equilibria of games.
    Solve(solve::Solve),
    /// Trains a learner, evaluating at fixed intervals.
    Train(train::Train),
}

/// Names of the variants of [`Run`], each with one line for `gambol list`.
pub const RUNS: &[(&str, &str)] = &[
    ("Evaluate", "plays a number of episodes and reports returns"),
    ("EvaluatePolicy", "estimates the value function of a diffusion by several methods"),
    ("Psro", "grows populations of policies by responses to themselves"),
    ("Solve", "finds equilibria of games, over sweeps of solvers and parameters"),
    ("Train", "trains a learner, evaluating at fixed intervals"),
];

impl Run {
    /// Problems of the section's values, as the field's path below `run` and what is wrong with it.
    pub(crate) fn check(&self, scenario: &Scenario) -> Vec<(&'static str, String)> {
        match self {
            Self::Evaluate(evaluate) => evaluate.check(),
            Self::EvaluatePolicy(study) => evaluate_policy::check(study),
            Self::Psro(psro) => psro.check(scenario.seed),
            Self::Solve(solve) => solve.check(scenario.seed),
            Self::Train(train) => train.check(),
        }
    }

    /// Whether there is an environment and an agent to be run.
    pub(crate) fn plays(&self) -> bool {
        match self {
            Self::Solve(_) | Self::EvaluatePolicy(_) => false,
            Self::Psro(psro) => psro.plays(),
            Self::Evaluate(_) | Self::Train(_) => true,
        }
    }

    /// Text files that the section names.
    pub(crate) fn files(&self) -> Vec<String> {
        match self {
            Self::Psro(psro) => psro.files(),
            Self::Solve(solve) => solve.files(),
            Self::Evaluate(_) | Self::EvaluatePolicy(_) | Self::Train(_) => Vec::new(),
        }
    }

    /// Receives the text of one of [`files`](Self::files).
    pub(crate) fn take_file(&mut self, text: &str) {
        match self {
            Self::Psro(psro) => psro.take_file(text),
            Self::Solve(solve) => solve.take_file(text),
            Self::Evaluate(_) | Self::EvaluatePolicy(_) | Self::Train(_) => {}
        }
    }

    /// Environment steps that a learner will train for; 0 when nothing is trained.
    pub fn training_steps(&self) -> u64 {
        match self {
            Self::Evaluate(_) | Self::EvaluatePolicy(_) | Self::Solve(_) => 0,
            Self::Psro(psro) => psro.training_steps(),
            Self::Train(train) => train.steps,
        }
    }

    /// Whether the agent fits.
    pub(crate) fn accepts(&self, name: &str, agent: &Agent) -> Result<(), String> {
        match (self, agent) {
            (Self::Train(_), Agent::Policy(_)) => {
                Err(format!("`{name}` does not learn; `run: Train` needs a learner"))
            }
            (Self::Psro(_), Agent::Policy(_)) => Err(format!(
                "`{name}` does not learn; `run: Psro` without a `game` needs a learner"
            )),
            _ => Ok(()),
        }
    }
}

/// Why a run failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The environment cannot be built.
    #[error("environment: {0}")]
    Build(#[from] BuildError),
    /// The agent cannot be built.
    #[error("agent: {0}")]
    Agent(#[from] AgentError),
    /// A policy could not act.
    #[error("agent: {0}")]
    Policy(#[from] PolicyError),
    /// The environment refused a call.
    #[error("environment: {0}")]
    Batch(#[from] BatchError),
    /// Learning stopped.
    #[error("learner: {0}")]
    Learn(#[from] LearnError),
    /// Something could not be recorded or read back.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The digest log stopped the run.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A game could not be made or solved.
    #[error("{0}")]
    Solve(String),
    /// A policy could not be evaluated.
    #[error("{0}")]
    Study(String),
    /// A plot could not be drawn.
    #[error("plot: {0}")]
    Plot(String),
    /// The scenario has no `run`, `env` or `agent`.
    #[error("the scenario has no `{0}`")]
    Missing(&'static str),
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The results, as printed and stored in `results.json`.
    pub results: serde_json::Value,
    /// Whether everything was done; otherwise the run was interrupted.
    pub complete: bool,
}

/// Runs a plan to its end, or until [`crate::machine::stopping`].
///
/// # Errors
/// [`DriverError`].
pub fn run(plan: &Plan, record: &mut Record) -> Result<Outcome, DriverError> {
    match plan.run.as_ref().ok_or(DriverError::Missing("run"))? {
        Run::Evaluate(evaluate) => evaluate.run(plan, record),
        Run::EvaluatePolicy(study) => evaluate_policy::run(study, plan, record),
        Run::Psro(psro) => psro.run(plan, record),
        Run::Solve(solve) => solve.run(plan, record),
        Run::Train(train) => train.run(plan, record),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::RUNS;
    use crate::Registries;
    use crate::scenario::Scenario;

    #[test]
    fn the_list_of_runs_is_that_of_the_parser() {
        let text = "(version: 1, seed: 1, run: Nothing)";
        let error = Scenario::parse(Path::new("s"), text, &[], &Registries::standard());
        let names: Vec<_> = RUNS.iter().map(|(name, _)| format!("`{name}`")).collect();
        let expected = format!("; the choices are {}\n", names.join(", "));
        let message = error.unwrap_err().to_string();
        assert!(message.contains(&expected), "{message}");
    }
}
