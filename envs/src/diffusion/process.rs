//! Drift and volatility.

use serde::{Deserialize, Serialize};

/// How a step is taken over an interval `dt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Scheme {
    /// `x + b dt + sigma sqrt(dt) z`: weak order 1.
    #[default]
    Euler,
    /// The transition's own law, where it is known.
    Exact,
}

/// A diffusion; a user's own needs [`dim`](Self::dim), [`drift`](Self::drift) and
/// [`volatility`](Self::volatility).
pub trait Process: std::fmt::Debug + Send + Sync {
    /// Numbers in a state, and Brownian motions that drive it: noise is diagonal, one motion a coordinate.
    fn dim(&self) -> usize;

    /// `b(t, x)` of every coordinate, `[dim]`.
    fn drift(&self, t: f64, x: &[f64], out: &mut [f64]);

    /// `sigma(t, x)` of every coordinate, `[dim]`.
    fn volatility(&self, t: f64, x: &[f64], out: &mut [f64]);

    /// Whether [`Scheme::Exact`] is known.
    fn has_exact(&self) -> bool {
        false
    }

    /// One exact step of one coordinate; called only if [`has_exact`](Self::has_exact).
    fn exact(&self, x: f64, _dt: f64, _z: f64) -> f64 {
        x
    }

    /// Fills `states` (`[steps + 1, dim]`, of which the first row is given) along normal numbers
    /// (`[steps, dim]`), from time `t` on.
    fn advance(&self, scheme: Scheme, t: f64, dt: f64, states: &mut [f64], noise: &[f64]) {
        let dim = self.dim();
        let root = dt.sqrt();
        let (mut drift, mut volatility) = (vec![0.0; dim], vec![0.0; dim]);
        for (step, z) in noise.chunks_exact(dim).enumerate() {
            let (past, next) = states.split_at_mut((step + 1) * dim);
            let (x, next) = (&past[step * dim..], &mut next[..dim]);
            if scheme == Scheme::Exact {
                for i in 0..dim {
                    next[i] = self.exact(x[i], dt, z[i]);
                }
                continue;
            }
            // Not a running sum, so that a mesh's times do not depend on where a chunk begins.
            let now = t + step as f64 * dt;
            self.drift(now, x, &mut drift);
            self.volatility(now, x, &mut volatility);
            for i in 0..dim {
                next[i] = x[i] + drift[i] * dt + volatility[i] * root * z[i];
            }
        }
    }
}

/// The processes with coordinates that are independent copies of one another, and polynomial in it:
/// `b = b0 + b1 x` and `sigma^2 = s0 + s2 x^2`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Polynomial {
    /// `dX = drift dt + sigma dW`.
    Brownian {
        /// Slope of the mean.
        #[serde(default)]
        drift: f64,
        /// Volatility.
        sigma: f64,
        /// Coordinates.
        #[serde(default = "one")]
        dim: usize,
    },
    /// Ornstein-Uhlenbeck: `dX = kappa (mean - X) dt + sigma dW`.
    Ou {
        /// Speed of return.
        kappa: f64,
        /// Where it returns to.
        #[serde(default)]
        mean: f64,
        /// Volatility.
        sigma: f64,
        /// Coordinates.
        #[serde(default = "one")]
        dim: usize,
    },
    /// Geometric Brownian motion: `dX = mu X dt + sigma X dW`.
    Gbm {
        /// Growth rate.
        mu: f64,
        /// Relative volatility.
        sigma: f64,
        /// Coordinates.
        #[serde(default = "one")]
        dim: usize,
    },
}

fn one() -> usize {
    1
}

/// `(1 - exp(-a s)) / a`, also where `a` is 0.
pub(super) fn decayed(a: f64, s: f64) -> f64 {
    if a == 0.0 { s } else { -libm::expm1(-a * s) / a }
}

impl Polynomial {
    /// `[b0, b1]`: drift, of each coordinate.
    pub fn drift_coefficients(&self) -> [f64; 2] {
        match *self {
            Self::Brownian { drift, .. } => [drift, 0.0],
            Self::Ou { kappa, mean, .. } => [kappa * mean, -kappa],
            Self::Gbm { mu, .. } => [0.0, mu],
        }
    }

    /// `[s0, s2]`: squared volatility, of each coordinate.
    pub fn variance_coefficients(&self) -> [f64; 2] {
        match *self {
            Self::Brownian { sigma, .. } | Self::Ou { sigma, .. } => [sigma * sigma, 0.0],
            Self::Gbm { sigma, .. } => [0.0, sigma * sigma],
        }
    }

    /// What is wrong with the coefficients.
    pub fn problems(&self) -> Vec<String> {
        let (Self::Brownian { sigma, dim, .. }
        | Self::Ou { sigma, dim, .. }
        | Self::Gbm { sigma, dim, .. }) = *self;
        let [b0, b1] = self.drift_coefficients();
        let mut problems = Vec::new();
        if !(b0.is_finite() && b1.is_finite()) {
            problems.push("the drift's coefficients have to be finite".to_owned());
        }
        if !(sigma.is_finite() && sigma >= 0.0) {
            problems.push(format!("`sigma` is {sigma}, and has to be finite and at least 0"));
        }
        if !(1..=1000).contains(&dim) {
            problems.push(format!("`dim` is {dim}, and has to be 1 to 1000"));
        }
        problems
    }
}

impl Process for Polynomial {
    fn dim(&self) -> usize {
        let (Self::Brownian { dim, .. } | Self::Ou { dim, .. } | Self::Gbm { dim, .. }) = *self;
        dim
    }

    fn drift(&self, _t: f64, x: &[f64], out: &mut [f64]) {
        let [b0, b1] = self.drift_coefficients();
        for (out, x) in out.iter_mut().zip(x) {
            *out = b0 + b1 * x;
        }
    }

    fn volatility(&self, _t: f64, x: &[f64], out: &mut [f64]) {
        let [s0, s2] = self.variance_coefficients();
        for (out, x) in out.iter_mut().zip(x) {
            *out = (s0 + s2 * x * x).sqrt();
        }
    }

    fn has_exact(&self) -> bool {
        true
    }

    fn exact(&self, x: f64, dt: f64, z: f64) -> f64 {
        match *self {
            Self::Brownian { drift, sigma, .. } => x + drift * dt + sigma * dt.sqrt() * z,
            Self::Ou { kappa, mean, sigma, .. } => {
                let spread = sigma * decayed(2.0 * kappa, dt).sqrt();
                mean + (x - mean) * libm::exp(-kappa * dt) + spread * z
            }
            Self::Gbm { mu, sigma, .. } => {
                x * libm::exp((mu - 0.5 * sigma * sigma) * dt + sigma * dt.sqrt() * z)
            }
        }
    }

    fn advance(&self, scheme: Scheme, _t: f64, dt: f64, states: &mut [f64], noise: &[f64]) {
        let dim = self.dim();
        let root = dt.sqrt();
        let [b0, b1] = self.drift_coefficients();
        // Everything that does not change from step to step is taken out of the loop.
        let affine = |keep: f64, shift: f64, spread: f64, states: &mut [f64]| {
            for (at, z) in noise.iter().enumerate() {
                states[at + dim] = states[at] * keep + shift + spread * z;
            }
        };
        match (self, scheme) {
            (&Self::Ou { kappa, mean, sigma, .. }, Scheme::Exact) => {
                let keep = libm::exp(-kappa * dt);
                let spread = sigma * decayed(2.0 * kappa, dt).sqrt();
                affine(keep, mean * (1.0 - keep), spread, states);
            }
            (&Self::Gbm { .. }, Scheme::Exact) => {
                for (at, &z) in noise.iter().enumerate() {
                    states[at + dim] = self.exact(states[at], dt, z);
                }
            }
            (&Self::Gbm { sigma, .. }, Scheme::Euler) => {
                for (at, z) in noise.iter().enumerate() {
                    states[at + dim] = states[at] * (1.0 + b1 * dt + sigma * root * z);
                }
            }
            (&Self::Brownian { sigma, .. } | &Self::Ou { sigma, .. }, _) => {
                affine(1.0 + b1 * dt, b0 * dt, sigma * root, states);
            }
        }
    }
}
