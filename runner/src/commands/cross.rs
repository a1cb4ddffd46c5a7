//! `gambol cross`: populations of several runs of PSRO against each other.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::run::recorded;
use super::{DeviceName, Failure, print};
use crate::Registries;
use crate::drivers::psro::cross::{Population, all_pairs};
use crate::table::{Table, short};

#[derive(Debug, Args)]
pub(super) struct Cross {
    /// Run directories of `run: Psro(..)` with learned responses, all of one environment
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Episodes of every pair
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=1 << 28))]
    episodes: u64,
    /// Seed of the episodes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Cross {
    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        // Acting is not done by libtorch, so that the device matters to nothing.
        let device: DeviceName = "cpu".parse().map_err(Failure::Input)?;
        let mut plans = Vec::new();
        let mut populations = Vec::new();
        for run in &self.runs {
            plans.push(recorded(run, registries, &device)?.1);
            populations
                .push(Population::read(run).map_err(|error| Failure::Input(error.to_string()))?);
        }
        let found = all_pairs(&plans, &populations, self.seed, self.episodes)
            .map_err(|error| Failure::Run(error.to_string()))?;
        let names: Vec<String> = self.runs.iter().map(|run| run.display().to_string()).collect();
        if self.json {
            let pairs: Vec<Value> = found
                .into_iter()
                .map(|(row, column, mut value)| {
                    value["first"] = json!(names[row]);
                    value["others"] = json!(names[column]);
                    value
                })
                .collect();
            return print(&format!("{}\n", json!({ "pairs": pairs })));
        }
        let tallies: Vec<String> = found
            .first()
            .and_then(|(.., value)| Some(value["tallies"].as_object()?.keys().cloned().collect()))
            .unwrap_or_default();
        let mut head = vec!["first", "others", "return", "worst 5 %", "others' return"];
        head.extend(tallies.iter().map(String::as_str));
        let mut table = Table::new(&head);
        for (row, column, value) in &found {
            let number = |value: &Value| value.as_f64().map_or(String::new(), short);
            let mut cells = vec![
                names[*row].clone(),
                names[*column].clone(),
                number(&value["players"][0]["mean"]),
                number(&value["players"][0]["worst_5_percent"]),
                number(&value["players"][1]["mean"]),
            ];
            cells.extend(tallies.iter().map(|name| number(&value["tallies"][name]["mean"])));
            table.row(cells);
        }
        print(&table.text())
    }
}
