//! Methods that move their parameters a little for every batch of paths, parameters frozen within it.

use serde::{Deserialize, Serialize};

use super::dense::{apply, transposed};
use super::moments::Moments;

/// Step sizes `rate (1 + j / scale)^(-power)` of the updates `j = 0, 1, ..`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Steps {
    /// The first step size.
    pub rate: f64,
    /// 0 keeps it; convergence to a point needs more than 1/2 and at most 1.
    pub power: f64,
    /// Updates before it begins to fall.
    pub scale: f64,
}

impl Default for Steps {
    fn default() -> Self {
        Self { rate: 0.1, power: 0.67, scale: 50.0 }
    }
}

impl Steps {
    /// The size of update `j`.
    pub fn at(&self, j: u64) -> f64 {
        if self.power == 0.0 {
            return self.rate;
        }
        self.rate * libm::pow(1.0 + j as f64 / self.scale, -self.power)
    }

    /// What is wrong with it.
    pub fn problems(&self, name: &str) -> Vec<String> {
        let fields = [
            ("rate", self.rate, self.rate > 0.0),
            ("power", self.power, self.power >= 0.0),
            ("scale", self.scale, self.scale > 0.0),
        ];
        let wrong = fields.into_iter().filter(|(_, x, fits)| !(x.is_finite() && *fits));
        wrong
            .map(|(field, x, _)| format!("`{name}.{field}` is {x}, which is no step size"))
            .collect()
    }
}

/// A rule that turns moments, averaged over a batch, into a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `theta += s (A theta + b)`: gradient of the martingale loss, CTD(0), CTD(lambda).
    Ascend,
    /// `theta -= s (A theta + b)`: gradient of the mean-square error.
    Descend,
    /// CGTD(0), the GMM objective with `W = I`: `u += s_u (A theta + b - u)`, `theta -= s A^T u`.
    Gtd0 {
        /// Step sizes of `u`.
        dual: Steps,
    },
    /// CGTD2, `W = (E sum xi xi^T dt)^-1`: `u += s_u (A theta + b - C u)`, `theta -= s A^T u`.
    Gtd2 {
        /// Step sizes of `u`.
        dual: Steps,
    },
    /// TDC: with `g = 1 / (1 + beta dt)`, `w += s_w (g (A theta + b) - C w / dt)` and
    /// `theta += s (g (A theta + b) - g D w)`, where `D = sum phi_{k+1} phi_k^T`.
    Tdc {
        /// Step sizes of `w`.
        dual: Steps,
        /// `beta dt`.
        discount: f64,
        /// `dt`.
        dt: f64,
    },
}

/// Parameters on their way.
#[derive(Clone, Debug, PartialEq)]
pub struct Iterate {
    rule: Rule,
    steps: Steps,
    updates: u64,
    /// The parameters.
    pub theta: Vec<f64>,
    dual: Vec<f64>,
}

impl Iterate {
    /// Begins at 0, with `l` equations in `m` parameters.
    pub fn new(rule: Rule, steps: Steps, l: usize, m: usize) -> Self {
        Self { rule, steps, updates: 0, theta: vec![0.0; m], dual: vec![0.0; l] }
    }

    /// One update from the moments of a batch, which are divided by `count`.
    pub fn update(&mut self, moments: &Moments, count: f64) {
        let step = self.steps.at(self.updates) / count;
        let residual = moments.residual(&self.theta);
        let (theta, dual) = (&mut self.theta, &mut self.dual);
        let mut add = |scale: f64, direction: &[f64]| {
            theta.iter_mut().zip(direction).for_each(|(x, d)| *x += scale * d);
        };
        match self.rule {
            Rule::Ascend => add(step, &residual),
            Rule::Descend => add(-step, &residual),
            Rule::Gtd0 { dual: sizes } => {
                let size = sizes.at(self.updates);
                dual.iter_mut().zip(&residual).for_each(|(u, r)| *u += size * (r / count - *u));
                add(-step, &apply(&transposed(&moments.a), dual));
            }
            Rule::Gtd2 { dual: sizes } => {
                let size = sizes.at(self.updates) / count;
                let shrunk = apply(&moments.c, dual);
                for ((u, r), c) in dual.iter_mut().zip(&residual).zip(shrunk) {
                    *u += size * (r - c);
                }
                add(-step, &apply(&transposed(&moments.a), dual));
            }
            Rule::Tdc { dual: sizes, discount, dt } => {
                let g = 1.0 / (1.0 + discount);
                let size = sizes.at(self.updates) / count;
                // phi phi^T, and from A = D^T - (1 + beta dt) phi phi^T what carries w to the next state.
                let square = apply(&moments.c, dual);
                let carried = apply(&transposed(&moments.a), dual);
                for i in 0..dual.len() {
                    dual[i] += size * (g * residual[i] - square[i] / dt);
                }
                let correct = |i: usize| {
                    g * residual[i] - g * (carried[i] + (1.0 + discount) * square[i] / dt)
                };
                add(step, &(0..residual.len()).map(correct).collect::<Vec<_>>());
            }
        }
        self.updates += 1;
    }
}
