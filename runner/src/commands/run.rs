//! `gambol run`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Changes, DeviceName, Failure, note, print};
use crate::Registries;
use crate::drivers::{self, Outcome};
use crate::machine::Build;
use crate::plan::Plan;
use crate::record::{self, Record, Status};
use crate::scenario::Scenario;
use crate::sources::Sources;
use crate::table::{Table, short};

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The scenario; with --resume also a run directory
    #[arg(value_name = "SCENARIO.ron")]
    scenario: PathBuf,
    #[command(flatten)]
    changes: Changes,
    /// The run directory [default: runs/NAME-SEED, with a number behind it when that exists]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue the run in the run directory from its last checkpoint
    #[arg(long)]
    resume: bool,
    /// Where tensors live: auto, cpu or cuda:N
    #[arg(long, value_name = "D", default_value = "auto")]
    device: DeviceName,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// `runs/NAME-SEED`, `runs/NAME-SEED-2`, and so on.
fn numbered(plan: &Plan, number: usize) -> PathBuf {
    let name = format!("{}-{}", plan.name, plan.seed);
    let name = if number == 1 { name } else { format!("{name}-{number}") };
    Path::new("runs").join(name)
}

/// The first of those directories that does not exist.
fn free(plan: &Plan) -> PathBuf {
    (1..usize::MAX)
        .map(|number| numbered(plan, number))
        .find(|path| !path.exists())
        .unwrap_or_default()
}

/// The last of those directories that exists.
fn newest(plan: &Plan) -> Option<PathBuf> {
    (1..usize::MAX).map(|number| numbered(plan, number)).take_while(|path| path.exists()).last()
}

/// A recorded run's plan, from what its directory holds.
pub(super) fn recorded(
    dir: &Path,
    registries: &Registries,
    device: &DeviceName,
) -> Result<(record::Manifest, Plan), Failure> {
    let manifest = record::manifest(dir).map_err(|error| {
        Failure::Input(format!("{} cannot be used as a run directory: {error}", dir.display()))
    })?;
    let scenario = Scenario::read(&dir.join("scenario.ron"), &[], registries)?;
    let sources = Sources::run(dir, &manifest.files);
    let mut plan = Plan::new(scenario, sources, device.device)?;
    plan.name.clone_from(&manifest.scenario);
    Ok((manifest, plan))
}

impl Run {
    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        let build = Build::here(&self.device.name);
        let (plan, mut record) = if self.resume {
            match self.resume(registries, build)? {
                Some(found) => found,
                None => return Ok(()),
            }
        } else {
            if self.scenario.is_dir() {
                return Err(Failure::Input(format!(
                    "{0} is a folder; `gambol run {0} --resume` continues the run in it",
                    self.scenario.display()
                )));
            }
            let plan = self.changes.plan(&self.scenario, registries, self.device.device)?;
            if plan.run.is_none() {
                return Err(Failure::Input(format!(
                    "{}: there is nothing to run; add for example `run: Evaluate(episodes: 1000)`",
                    self.scenario.display()
                )));
            }
            let dir = self.out.clone().unwrap_or_else(|| free(&plan));
            if dir.exists() {
                return Err(Failure::Input(format!(
                    "{} exists; continue that run with --resume, or choose another --out",
                    dir.display()
                )));
            }
            let record = Record::create(&dir, &plan, build)?;
            (plan, record)
        };
        record = record.with_bars(true);
        match drivers::run(&plan, &mut record) {
            Ok(outcome) => self.finish(&plan, &mut record, &outcome),
            Err(error) => {
                // The first error is the one to report, whatever becomes of the record.
                if let Err(second) = record.finish(Status::Failed, &Value::Null) {
                    note(&format!("the record could not be closed either: {second}"));
                }
                Err(error.into())
            }
        }
    }

    /// The plan and record to go on with; `None` when the run is complete and was only printed again.
    fn resume(
        &self,
        registries: &Registries,
        build: Build,
    ) -> Result<Option<(Plan, Record)>, Failure> {
        let (dir, plan) = if self.scenario.is_dir() {
            if !self.changes.settings().is_empty() {
                return Err(Failure::Input(
                    "a run directory is continued as it was started, without --set and --seed"
                        .to_owned(),
                ));
            }
            let (_, plan) = recorded(&self.scenario, registries, &self.device)?;
            (self.scenario.clone(), plan)
        } else {
            let plan = self.changes.plan(&self.scenario, registries, self.device.device)?;
            let dir = self.out.clone().or_else(|| newest(&plan)).ok_or_else(|| {
                Failure::Input(format!(
                    "there is no {} to resume; leave --resume out to start it",
                    numbered(&plan, 1).display()
                ))
            })?;
            (dir, plan)
        };
        let manifest = record::manifest(&dir).map_err(|error| {
            Failure::Input(format!("{} cannot be resumed: {error}", dir.display()))
        })?;
        if manifest.status == Status::Complete {
            note(&format!("{} is complete already; these are its results", dir.display()));
            let path = dir.join("results.json");
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Failure::Run(format!("cannot read {}: {error}", path.display()))
            })?;
            let results: Value = serde_json::from_str(&text)
                .map_err(|error| Failure::Run(format!("{} is damaged: {error}", path.display())))?;
            self.show(&results)?;
            return Ok(None);
        }
        let (matters, _) = manifest.build.differences(&build);
        for difference in matters {
            note(&format!("the run goes on under other conditions, {difference}"));
        }
        let record = Record::resume(&dir, &plan, build)?;
        match record.resumed_at() {
            Some(step) => note(&format!("resuming {} at environment step {step}", dir.display())),
            None => {
                note(&format!(
                    "{} has no checkpoint yet: starting from the beginning",
                    dir.display()
                ));
            }
        }
        Ok(Some((plan, record)))
    }

    fn show(&self, results: &Value) -> Result<(), Failure> {
        if self.json { print(&format!("{results}\n")) } else { print(&report(results)) }
    }

    fn finish(&self, plan: &Plan, record: &mut Record, outcome: &Outcome) -> Result<(), Failure> {
        let digest = record.log.finish()?;
        let dir = record.path().map(Path::to_path_buf).unwrap_or_default();
        let all = json!({
            "scenario": plan.name,
            "seed": plan.seed,
            "env": plan.arena.as_ref().map(|arena| &arena.spec.name),
            "agent": plan.player.as_ref().map(|player| &player.name),
            "results": outcome.results,
            "digest": digest,
            "directory": dir,
            "seconds": record.seconds(),
        });
        let status = if outcome.complete { Status::Complete } else { Status::Interrupted };
        record.finish(status, &all)?;
        self.show(&all)?;
        if outcome.complete {
            return Ok(());
        }
        Err(Failure::Run(format!(
            "interrupted; what was done is in {0}, continue with `gambol run {0} --resume`",
            dir.display()
        )))
    }
}

/// One `name: value` line for each number, with the path of its names.
fn flatten(path: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let inside = |name: &str| {
        if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
    };
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                flatten(&inside(name), value, lines);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&inside(&index.to_string()), value, lines);
            }
        }
        Value::Null => {}
        Value::String(text) => lines.push((path.to_owned(), text.clone())),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            lines.push((path.to_owned(), format!("{number:.6}")));
        }
        other => lines.push((path.to_owned(), other.to_string())),
    }
}

/// A table in the results, `{"head": [..], "rows": [[..]..]}`, as text; taken out of them.
fn tabled(all: &mut Value) -> String {
    let table = all["results"].as_object_mut().and_then(|results| results.remove("table"));
    let Some(table) = table else { return String::new() };
    let cells = |row: &Value| -> Vec<String> {
        let cell = |cell: &Value| match cell {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_f64() => short(number.as_f64().unwrap_or(f64::NAN)),
            other => other.to_string(),
        };
        row.as_array().into_iter().flatten().map(cell).collect()
    };
    let head = cells(&table["head"]);
    let mut text = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for row in table["rows"].as_array().into_iter().flatten() {
        text.row(cells(row));
    }
    format!("\n{}", text.text())
}

fn report(all: &Value) -> String {
    let (mut lines, mut all) = (Vec::new(), all.clone());
    let table = tabled(&mut all);
    flatten("", &all, &mut lines);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).chain([table]).collect()
}
