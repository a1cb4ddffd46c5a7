//! `gambol check`: every problem of every file at once.

use std::path::{Path, PathBuf};

use clap::Args;
use gambol_agents::Device;
use gambol_envs::spec::ActionSpace;
use serde_json::{Value, json};

use super::{Changes, Failure, print};
use crate::Registries;
use crate::plan::{Arena, Plan};
use crate::scenario::{Problem, ScenarioError};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenario files
    #[arg(required = true, value_name = "SCENARIO.ron")]
    scenarios: Vec<PathBuf>,
    #[command(flatten)]
    changes: Changes,
    /// Print one JSON array: for each file its plan, or its problems with line and column
    #[arg(long)]
    json: bool,
}

/// What a scenario means, for people.
fn lines(plan: &Plan) -> String {
    let mut lines = Vec::new();
    if let Some(Arena { spec, envs, shard, .. }) = &plan.arena {
        let action = match &spec.action {
            ActionSpace::Discrete { names } => names.join(", "),
            space => format!("{} numbers each", space.action_size()),
        };
        let horizon =
            spec.horizon.map_or_else(|| "none".to_owned(), |horizon| format!("{horizon} steps"));
        lines.extend([
            ("environment", format!("{}, version {}", spec.name, spec.version)),
            ("agents", spec.agents.to_string()),
            ("observation", format!("{:?} each", spec.observation.shape)),
            ("actions", action),
            ("state", spec.state.to_string()),
            ("payoff", spec.payoff.to_string()),
            ("horizon", horizon),
            ("batch", format!("{envs} instances, {shard} in one world")),
        ]);
    }
    if let Some(player) = &plan.player {
        lines.push(("agent", format!("{:?}", player.factory)));
    }
    if let Some(run) = &plan.run {
        lines.push(("run", format!("{run:?}")));
    }
    lines.push(("seed", plan.seed.to_string()));
    lines.iter().map(|(name, value)| format!("  {name:12} {value}\n")).collect()
}

/// Problems as data, those without a place too.
fn problems(error: &ScenarioError) -> Value {
    let ScenarioError::Invalid { problems, .. } = error else {
        return json!([{ "line": null, "column": null, "message": error.to_string() }]);
    };
    let problem = |Problem { at, message }: &Problem| {
        let (line, column) = at.unzip();
        json!({ "line": line, "column": column, "message": message })
    };
    problems.iter().map(problem).collect()
}

impl Check {
    fn one(&self, path: &Path, registries: &Registries) -> Result<Plan, ScenarioError> {
        self.changes.plan(path, registries, Device::Cpu)
    }

    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        let (mut found, mut wrong) = (Vec::new(), Vec::new());
        for path in &self.scenarios {
            let checked = self.one(path, registries);
            if self.json {
                found.push(match &checked {
                    Ok(plan) => json!({ "file": path, "valid": true, "plan": plan.summary() }),
                    Err(error) => {
                        json!({ "file": path, "valid": false, "problems": problems(error) })
                    }
                });
            } else if let Ok(plan) = &checked {
                print(&format!("{}: fine\n{}", path.display(), lines(plan)))?;
            }
            if let Err(error) = checked {
                wrong.push(error.to_string());
            }
        }
        if self.json {
            print(&format!("{}\n", Value::Array(found)))?;
        }
        if wrong.is_empty() { Ok(()) } else { Err(Failure::Input(wrong.join("\n"))) }
    }
}
