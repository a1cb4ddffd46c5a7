//! The methods by their names in a scenario.

use serde::{Deserialize, Serialize};

use super::family::{Linear, Term};
use super::iterate::{Rule, Steps};
use super::moments::Test;

/// A way to estimate the parameters of a family.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Method {
    /// Least squares of the martingale loss: the projection of the true values along the paths.
    MartingaleLoss,
    /// CLSTD(lambda): the equations of CTD(lambda), solved.
    Clstd {
        /// Fading of the trace in a unit of time, 0 to 1.
        #[serde(default)]
        lambda: f64,
    },
    /// Generalised moments: `A theta + b` made small for a list of test functions.
    Gmm {
        /// Test functions, at least as many as parameters.
        tests: Vec<Term>,
        /// Weighting, where there are more.
        #[serde(default)]
        weighting: Weighting,
    },
    /// Least squares of the one-step errors. Its limit is wrong unless the dynamics are deterministic: here as
    /// the baseline.
    MeanSquareTd,
    /// Stochastic gradient of the martingale loss.
    MartingaleLossSgd {
        /// Step sizes.
        #[serde(default)]
        steps: Steps,
    },
    /// CTD(lambda).
    Ctd {
        /// Fading of the trace in a unit of time, 0 to 1.
        #[serde(default)]
        lambda: f64,
        /// Step by step along a path, instead of once a batch.
        #[serde(default)]
        online: bool,
        /// Step sizes.
        #[serde(default)]
        steps: Steps,
    },
    /// CGTD(0): gradient descent of the GMM objective with `W = I`.
    Cgtd0 {
        /// Step sizes of the parameters.
        #[serde(default)]
        steps: Steps,
        /// Step sizes of the second iterate.
        #[serde(default)]
        dual: Steps,
    },
    /// CGTD2: the same with `W = (E int xi xi^T dt)^-1`.
    Cgtd2 {
        /// Step sizes of the parameters.
        #[serde(default)]
        steps: Steps,
        /// Step sizes of the second iterate.
        #[serde(default)]
        dual: Steps,
    },
    /// TD with gradient correction.
    Tdc {
        /// Step sizes of the parameters.
        #[serde(default)]
        steps: Steps,
        /// Step sizes of the second iterate.
        #[serde(default)]
        dual: Steps,
    },
    /// Stochastic gradient of the mean-square error.
    MeanSquareTdSgd {
        /// Step sizes.
        #[serde(default)]
        steps: Steps,
    },
}

/// What the moments of [`Method::Gmm`] are weighted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Weighting {
    /// All alike.
    #[default]
    Identity,
    /// `(E int xi xi^T dt)^-1`.
    Inverse,
}

/// How a method uses its moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// Solves the equations.
    Solve(Weighting),
    /// Moves once a batch.
    Batches(Rule, Steps),
    /// Moves along the path.
    Online {
        /// Fading of the trace.
        lambda: f64,
        /// Step sizes.
        steps: Steps,
    },
}

impl Method {
    /// Its name in tables and results.
    pub fn name(&self) -> String {
        let lambda = |name: &str, lambda: f64| format!("{name}({lambda})");
        match self {
            Self::MartingaleLoss => "martingale_loss".to_owned(),
            Self::Clstd { lambda: l } => lambda("clstd", *l),
            Self::Gmm { weighting: Weighting::Identity, .. } => "gmm_identity".to_owned(),
            Self::Gmm { weighting: Weighting::Inverse, .. } => "gmm_inverse".to_owned(),
            Self::MeanSquareTd => "mean_square_td".to_owned(),
            Self::MartingaleLossSgd { .. } => "martingale_loss_sgd".to_owned(),
            Self::Ctd { lambda: l, online: false, .. } => lambda("ctd", *l),
            Self::Ctd { lambda: l, online: true, .. } => lambda("ctd_online", *l),
            Self::Cgtd0 { .. } => "cgtd0".to_owned(),
            Self::Cgtd2 { .. } => "cgtd2".to_owned(),
            Self::Tdc { .. } => "tdc".to_owned(),
            Self::MeanSquareTdSgd { .. } => "mean_square_td_sgd".to_owned(),
        }
    }

    /// Its test process.
    pub fn test(&self) -> Test {
        match self {
            Self::MartingaleLoss | Self::MartingaleLossSgd { .. } => Test::Loss,
            Self::Clstd { lambda } | Self::Ctd { lambda, .. } if *lambda > 0.0 => {
                Test::Trace(*lambda)
            }
            Self::Gmm { tests, .. } => {
                Test::Functions(Linear { base: Vec::new(), features: tests.clone() })
            }
            Self::MeanSquareTd | Self::MeanSquareTdSgd { .. } => Test::Slopes,
            _ => Test::Features,
        }
    }

    /// What it does with its moments, at a discount rate and step length.
    pub fn way(&self, discount: f64, dt: f64) -> Way {
        match *self {
            Self::MartingaleLoss | Self::Clstd { .. } | Self::MeanSquareTd => {
                Way::Solve(Weighting::Identity)
            }
            Self::Gmm { weighting, .. } => Way::Solve(weighting),
            Self::Ctd { lambda, online: true, steps } => Way::Online { lambda, steps },
            Self::MartingaleLossSgd { steps } | Self::Ctd { steps, .. } => {
                Way::Batches(Rule::Ascend, steps)
            }
            Self::MeanSquareTdSgd { steps } => Way::Batches(Rule::Descend, steps),
            Self::Cgtd0 { steps, dual } => Way::Batches(Rule::Gtd0 { dual }, steps),
            Self::Cgtd2 { steps, dual } => Way::Batches(Rule::Gtd2 { dual }, steps),
            Self::Tdc { steps, dual } => {
                Way::Batches(Rule::Tdc { dual, discount: discount * dt, dt }, steps)
            }
        }
    }

    /// What does not fit a family of so many parameters, a process of `dim` coordinates, or the horizon.
    pub fn problems(&self, parameters: usize, dim: usize, finite: bool) -> Vec<String> {
        let mut problems = Vec::new();
        match self {
            Self::Clstd { lambda } | Self::Ctd { lambda, .. } if !(0.0..=1.0).contains(lambda) => {
                problems.push(format!("`lambda` is {lambda}, and has to be between 0 and 1"));
            }
            Self::Gmm { tests, .. } => {
                if tests.len() < parameters {
                    problems.push(format!(
                        "{} `tests` do not determine {parameters} parameters",
                        tests.len()
                    ));
                }
                problems.extend(tests.iter().flat_map(|term| term.problems(dim, finite)));
            }
            Self::MartingaleLoss | Self::MartingaleLossSgd { .. } if !finite => {
                let why = "the martingale loss needs paths that end: a finite horizon";
                problems.push(why.to_owned());
            }
            _ => {}
        }
        match self {
            Self::MartingaleLossSgd { steps }
            | Self::Ctd { steps, .. }
            | Self::MeanSquareTdSgd { steps } => problems.extend(steps.problems("steps")),
            Self::Cgtd0 { steps, dual }
            | Self::Cgtd2 { steps, dual }
            | Self::Tdc { steps, dual } => {
                problems.extend(steps.problems("steps"));
                problems.extend(dual.problems("dual"));
            }
            _ => {}
        }
        problems.into_iter().map(|why| format!("{}: {why}", self.name())).collect()
    }
}
