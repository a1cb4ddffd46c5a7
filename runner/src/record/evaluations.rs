//! `evaluations.json`: evaluations in the form that the package `marl-eval` reads.
//!
//! `{environment: {task: {algorithm: {"seed_N": {"step_K": {"step_count", metric: [one value an episode]}, ..,
//! "absolute_metrics": {metric: [..]}}}}}}`; `step_count` counts environment steps, never agents' steps.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{RecordError, json as read_json};
use crate::drivers::evaluate::Evaluation;
use crate::plan::Arena;

/// All evaluations of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluations(Value);

impl Default for Evaluations {
    fn default() -> Self {
        Self(Value::Object(Map::new()))
    }
}

fn metrics(evaluation: &Evaluation) -> Map<String, Value> {
    let mut metrics = Map::new();
    metrics.insert("return".to_owned(), evaluation.team_returns().collect());
    metrics.insert("episode_length".to_owned(), evaluation.lengths().collect());
    metrics
}

impl Evaluations {
    /// As JSON.
    pub fn value(&self) -> &Value {
        &self.0
    }

    fn seed(&mut self, arena: &Arena, agent: &str, seed: u64) -> &mut Value {
        &mut self.0[&arena.name][&arena.spec.name][agent][format!("seed_{seed}")]
    }

    pub(super) fn add(
        &mut self,
        arena: &Arena,
        agent: &str,
        seed: u64,
        step: u64,
        evaluation: &Evaluation,
    ) {
        let run = self.seed(arena, agent, seed);
        let count = run
            .as_object()
            .map_or(0, |run| run.keys().filter(|key| key.starts_with("step_")).count());
        let mut entry = metrics(evaluation);
        entry.insert("step_count".to_owned(), json!(step));
        run[format!("step_{count}")] = Value::Object(entry);
    }

    pub(super) fn absolute(
        &mut self,
        arena: &Arena,
        agent: &str,
        seed: u64,
        evaluation: &Evaluation,
    ) {
        self.seed(arena, agent, seed)["absolute_metrics"] = Value::Object(metrics(evaluation));
    }

    /// Reads the evaluations up to `step` environment steps; later ones will be made again.
    pub(super) fn read(path: &Path, step: u64) -> Result<Self, RecordError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let mut all: Value = read_json(path)?;
        let runs = all
            .as_object_mut()
            .into_iter()
            .flat_map(|envs| envs.values_mut())
            .filter_map(Value::as_object_mut)
            .flat_map(|tasks| tasks.values_mut())
            .filter_map(Value::as_object_mut)
            .flat_map(|agents| agents.values_mut())
            .filter_map(Value::as_object_mut)
            .flat_map(|seeds| seeds.values_mut())
            .filter_map(Value::as_object_mut);
        for run in runs {
            run.retain(|_, entry| entry["step_count"].as_u64().is_some_and(|at| at <= step));
        }
        Ok(Self(all))
    }
}
