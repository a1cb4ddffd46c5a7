//! `gambol check`: every problem of every file at once.

use std::path::PathBuf;

use clap::Args;
use gambol_agents::Device;
use serde_json::{Value, json};

use super::{Changes, Failure, print};
use crate::Registries;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenario files
    #[arg(required = true, value_name = "SCENARIO.ron")]
    scenarios: Vec<PathBuf>,
    #[command(flatten)]
    changes: Changes,
    /// Print the plans as one JSON array
    #[arg(long)]
    json: bool,
}

fn lines(plan: &Value) -> String {
    let mut text = String::new();
    for (name, value) in plan.as_object().into_iter().flatten() {
        if let Some(inner) = value.as_object() {
            for (name, value) in inner {
                text.push_str(&format!("  {name}: {}\n", plain(value)));
            }
        } else if !value.is_null() {
            text.push_str(&format!("  {name}: {}\n", plain(value)));
        }
    }
    text
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Check {
    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        let (mut plans, mut problems) = (Vec::new(), Vec::new());
        for path in &self.scenarios {
            match self.changes.plan(path, registries, Device::Cpu) {
                Ok(plan) => {
                    let mut summary = plan.summary();
                    summary["file"] = json!(path);
                    if !self.json {
                        print(&format!("{}: fine\n{}", path.display(), lines(&plan.summary())))?;
                    }
                    plans.push(summary);
                }
                Err(failure) => problems.push(failure.to_string()),
            }
        }
        if self.json {
            print(&format!("{}\n", Value::Array(plans)))?;
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure::Input(problems.join("\n"))) }
    }
}
