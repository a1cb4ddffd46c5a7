//! Policy evaluation in continuous time: several methods on the same paths of one diffusion.
//!
//! | in the run directory | |
//! |---|---|
//! | `estimates.json` | the results, as printed |

use gambol_agents::martingale::family::{Linear, Term};
use gambol_agents::martingale::method::Method;
use gambol_agents::martingale::moments::Discounting;
use gambol_agents::martingale::problem::{Estimate, Horizon, Payoff, Problem, Study};
use gambol_envs::diffusion::paths::Start;
use gambol_envs::diffusion::process::{Polynomial, Scheme};
use gambol_envs::seed::Streams;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::digest::{Entry, Kind};
use crate::drivers::{DriverError, Outcome};
use crate::plan::Plan;
use crate::record::Record;

/// `run: EvaluatePolicy(..)`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluatePolicy {
    /// The dynamics: `Ou(kappa: 1, sigma: 0.5)`, `Gbm(mu: 0.1, sigma: 0.2)` or `Brownian(sigma: 1)`, each with `dim`
    /// independent coordinates.
    pub process: Polynomial,
    /// Where paths begin: `At(x)`, or `Normal(mean: m, std: s)`.
    pub start: Start,
    /// `Finite(T)`, or `Infinite(steps: n)` with paths of so many steps.
    pub horizon: Horizon,
    /// Length of a step: the mesh.
    pub dt: f64,
    /// Paths.
    pub episodes: u32,
    /// Discount rate, at least 0; 0.
    #[serde(default)]
    pub discount: f64,
    /// Reward rate of each coordinate: a polynomial by its coefficients, constant first; none.
    #[serde(default)]
    pub reward: Vec<f64>,
    /// Payoff at a finite horizon: `Polynomial([..])`, or `Call(strike)`; none.
    #[serde(default = "nothing")]
    pub terminal: Payoff,
    /// Terms that the family adds up whatever its parameters; none.
    #[serde(default)]
    pub base: Vec<Term>,
    /// One term a parameter, at least one.
    pub features: Vec<Term>,
    /// The methods, at least one.
    pub methods: Vec<Method>,
    /// `Euler`, or `Exact` for the law of the transition itself; `Euler`.
    #[serde(default)]
    pub scheme: Scheme,
    /// Steps of the finest mesh in one step: runs with the same `dt / refine` see the same Brownian motion; 1.
    #[serde(default = "one")]
    pub refine: u32,
    /// Every second path is the mirror image of the one before; false.
    #[serde(default)]
    pub antithetic: bool,
    /// `Rate`: `J' - J + (r - beta J) dt`, or `Factor`: `exp(-beta dt) J' - J + r dt`; `Rate`.
    #[serde(default)]
    pub discounting: Discounting,
    /// Paths of one update of an iterative method, where the horizon is finite; 256.
    #[serde(default = "batch")]
    pub batch: u32,
}

fn nothing() -> Payoff {
    Payoff::Polynomial(Vec::new())
}

fn one() -> u32 {
    1
}

fn batch() -> u32 {
    256
}

impl EvaluatePolicy {
    fn study(&self) -> Study {
        Study {
            problem: Problem {
                process: self.process.clone(),
                start: self.start.clone(),
                horizon: self.horizon,
                dt: self.dt,
                discount: self.discount,
                reward: self.reward.clone(),
                terminal: self.terminal.clone(),
                scheme: self.scheme,
                refine: self.refine,
                antithetic: self.antithetic,
                discounting: self.discounting,
            },
            family: Linear { base: self.base.clone(), features: self.features.clone() },
            methods: self.methods.clone(),
            episodes: self.episodes,
            batch: self.batch,
        }
    }

    pub(crate) fn check(&self) -> Vec<(&'static str, String)> {
        let mut problems = self.study().problems();
        if self.methods.is_empty() {
            problems.push("`methods` is empty: there is nothing to do".to_owned());
        }
        problems.into_iter().map(|why| ("process", why)).collect()
    }

    pub(crate) fn run(&self, plan: &Plan, record: &mut Record) -> Result<Outcome, DriverError> {
        let found = self
            .study()
            .run(Streams::new(plan.seed))
            .map_err(|error| DriverError::Study(error.to_string()))?;
        let mut results = json!({
            "methods": found,
            "mesh": self.dt,
            "episodes": self.episodes,
        });
        let text = results.to_string();
        record.log.add(Entry::hashed(Kind::Results, 0, text.as_bytes()))?;
        let file = record.file("estimates.json", text.as_bytes())?;
        results["files"] = json!({ "estimates.json": file });
        results["table"] = table(&found);
        Ok(Outcome { results, complete: true })
    }
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
