//! `gambol verify`: does a recorded run again and compares every step with its log.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::run::recorded;
use super::{DeviceName, Failure, note, print};
use crate::Registries;
use crate::digest::{Difference, LogError};
use crate::drivers::{self, DriverError};
use crate::machine::Build;
use crate::record::{Evaluations, Record, Status};

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The run directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Where tensors live [default: as recorded]
    #[arg(long, value_name = "D")]
    device: Option<DeviceName>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn read(path: &std::path::Path) -> Result<Value, Failure> {
    let failed = |why: String| Failure::Run(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| failed(format!("it is damaged: {error}")))
}

impl Verify {
    pub(super) fn work(self, registries: &Registries) -> Result<(), Failure> {
        let recorded_device = crate::record::manifest(&self.run)
            .map_or_else(|_| "auto".to_owned(), |manifest| manifest.build.device);
        let device = match self.device.clone() {
            Some(device) => device,
            None => recorded_device.parse().map_err(Failure::Input)?,
        };
        let (manifest, plan) = recorded(&self.run, registries, &device)?;
        let now = Build::here(&device.name);
        let (matters, harmless) = manifest.build.differences(&now);
        for difference in matters.iter().chain(&harmless) {
            note(&format!("differs from the recorded run, {difference}"));
        }
        if manifest.status == Status::Running {
            return Err(Failure::Run(format!(
                "{} was killed or is still running; `gambol run {} --resume` ends it first",
                self.run.display(),
                self.run.display()
            )));
        }
        let mut record = Record::compare(&self.run)?.with_bars(true);
        let outcome = drivers::run(&plan, &mut record);
        let entries = record.log.entries();
        let problem = match outcome {
            Err(DriverError::Log(LogError::Differs(difference))) => {
                // An interrupted run's log ends early; everything in it agreed.
                let early = manifest.status != Status::Complete
                    && matches!(*difference, Difference { logged: None, .. });
                (!early).then(|| difference.to_string())
            }
            Err(DriverError::Log(damaged @ LogError::Damaged { .. })) => Some(damaged.to_string()),
            Err(error) => return Err(error.into()),
            Ok(outcome) => match record.log.finish() {
                Ok(_) => self.files(&record, &outcome.results)?,
                Err(LogError::Differs(difference)) => Some(difference.to_string()),
                Err(error) => return Err(error.into()),
            },
        };
        let digest = record.log.digest();
        let problem = problem.or_else(|| {
            let recorded = manifest.digest.as_deref().unwrap_or("none");
            (recorded != digest).then(|| {
                format!("the manifest's digest is {recorded}, its log and this run have {digest}")
            })
        });
        let result = json!({
            "run": self.run,
            "verified": problem.is_none(),
            "complete": manifest.status == Status::Complete,
            "entries": entries,
            "digest": digest,
            "difference": problem,
            "conditions": matters,
        });
        if self.json {
            print(&format!("{result}\n"))?;
        } else if problem.is_none() {
            print(&format!(
                "{}: verified, {entries} entries, digest {digest}\n",
                self.run.display()
            ))?;
        }
        match problem {
            None => Ok(()),
            Some(problem) if matters.is_empty() => Err(Failure::Run(problem)),
            Some(problem) => Err(Failure::Run(format!(
                "{problem}\nthe conditions differ, which may be why: {}",
                matters.join("; ")
            ))),
        }
    }

    /// Compares the files that are not part of the log.
    fn files(&self, record: &Record, results: &Value) -> Result<Option<String>, Failure> {
        let evaluations = self.run.join("evaluations.json");
        // A run without evaluations writes no such file.
        let none = record.evaluations() == &Evaluations::default() && !evaluations.exists();
        if !none && read(&evaluations)? != *record.evaluations().value() {
            return Ok(Some(format!("{} differs from this run's", evaluations.display())));
        }
        let path = self.run.join("results.json");
        if read(&path)?["results"] != *results {
            return Ok(Some(format!("{} differs from this run's", path.display())));
        }
        for (name, hash) in results["files"].as_object().into_iter().flatten() {
            let path = self.run.join(name);
            let bytes = std::fs::read(&path).map_err(|error| {
                Failure::Run(format!("cannot read {}: {error}", path.display()))
            })?;
            if blake3::hash(&bytes).to_hex().as_str() != hash {
                return Ok(Some(format!("{} differs from this run's", path.display())));
            }
        }
        Ok(None)
    }
}
