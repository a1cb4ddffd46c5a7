//! Policy evaluation in continuous time: several methods on the same paths of one diffusion.
//!
//! | in the run directory | |
//! |---|---|
//! | `estimates.json` | the results, as printed |

use gambol_agents::martingale::problem::{Estimate, Study};
use gambol_envs::seed::Streams;
use serde_json::{Value, json};

use crate::digest::{Entry, Kind};
use crate::drivers::{DriverError, Outcome};
use crate::plan::Plan;
use crate::record::Record;

pub(super) fn check(study: &Study) -> Vec<(&'static str, String)> {
    let mut problems = study.problems();
    if study.methods.is_empty() {
        problems.push("`methods` is empty: there is nothing to do".to_owned());
    }
    problems.into_iter().map(|why| ("process", why)).collect()
}

pub(super) fn run(study: &Study, plan: &Plan, record: &mut Record) -> Result<Outcome, DriverError> {
    let found = study
        .run(Streams::new(plan.seed))
        .map_err(|error| DriverError::Study(error.to_string()))?;
    let mut results = json!({
        "methods": found,
        "mesh": study.dt,
        "episodes": study.episodes,
    });
    let text = results.to_string();
    record.log.add(Entry::hashed(Kind::Results, 0, text.as_bytes()))?;
    let file = record.file("estimates.json", text.as_bytes())?;
    results["files"] = json!({ "estimates.json": file });
    results["table"] = table(&found);
    Ok(Outcome { results, complete: true })
}

/// One row a method.
fn table(found: &[Estimate]) -> Value {
    let parameters = found.iter().map(|estimate| estimate.theta.len()).max().unwrap_or(0);
    let mut head = vec!["method".to_owned()];
    head.extend((0..parameters).flat_map(|i| [format!("theta {i}"), "+-".to_owned()]));
    head.push("value error".to_owned());
    let row = |estimate: &Estimate| {
        let mut row = vec![json!(estimate.method)];
        for (theta, error) in estimate.theta.iter().zip(&estimate.standard_error) {
            row.extend([json!(theta), json!(error)]);
        }
        row.push(json!(estimate.value_error));
        row
    };
    json!({ "head": head, "rows": found.iter().map(row).collect::<Vec<_>>() })
}
