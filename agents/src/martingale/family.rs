//! Value functions that are linear in their parameters: `J(t, x) = base(t, x) + sum_i theta_i feature_i(t, x)`.

use serde::{Deserialize, Serialize};

/// A product of factors; without any it is 1.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Term {
    /// A number.
    pub coefficient: f64,
    /// Powers of the coordinates: `[2, 1]` is `x_0^2 x_1`.
    pub x: Vec<u32>,
    /// Power of `|x|^2`, the sum of the squares of all coordinates.
    pub norm: u32,
    /// Power of the time left, `tau = T - t`; 0 when the horizon is infinite.
    pub tau: u32,
    /// `1 - exp(-decay tau)`, if given.
    pub decay: Option<f64>,
    /// `cos(frequency . x + phase)`, if given.
    pub fourier: Option<Fourier>,
    /// `exp(-|x - center|^2 / (2 width^2))`, if given.
    pub radial: Option<Radial>,
}

/// A wave.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fourier {
    /// Of each coordinate; the coordinates that are left out have 0.
    pub frequency: Vec<f64>,
    /// 0 is a cosine, `-pi/2` a sine.
    #[serde(default)]
    pub phase: f64,
}

/// A bump.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Radial {
    /// Of each coordinate; the coordinates that are left out do not matter.
    pub center: Vec<f64>,
    /// Above 0.
    pub width: f64,
}

impl Default for Term {
    fn default() -> Self {
        Self {
            coefficient: 1.0,
            x: Vec::new(),
            norm: 0,
            tau: 0,
            decay: None,
            fourier: None,
            radial: None,
        }
    }
}

impl Term {
    /// `x_0^power tau^tau`.
    pub fn monomial(power: u32, tau: u32) -> Self {
        Self { x: vec![power], tau, ..Self::default() }
    }

    /// The term at a time left and a state.
    pub fn at(&self, tau: f64, x: &[f64]) -> f64 {
        let mut value = self.coefficient;
        for (&power, &x) in self.x.iter().zip(x) {
            value *= raised(x, power);
        }
        if self.norm > 0 {
            value *= raised(x.iter().map(|x| x * x).sum(), self.norm);
        }
        value *= raised(tau, self.tau);
        if let Some(rate) = self.decay {
            value *= -libm::expm1(-rate * tau);
        }
        if let Some(Fourier { frequency, phase }) = &self.fourier {
            let angle: f64 = frequency.iter().zip(x).map(|(f, x)| f * x).sum();
            value *= libm::cos(angle + phase);
        }
        if let Some(Radial { center, width }) = &self.radial {
            let far: f64 = center.iter().zip(x).map(|(c, x)| (x - c) * (x - c)).sum();
            value *= libm::exp(-0.5 * far / (width * width));
        }
        value
    }

    /// What does not fit a process of `dim` coordinates with or without a horizon.
    pub fn problems(&self, dim: usize, finite: bool) -> Vec<String> {
        let mut problems = Vec::new();
        let lists = [
            ("x", self.x.len()),
            ("frequency", self.fourier.as_ref().map_or(0, |wave| wave.frequency.len())),
            ("center", self.radial.as_ref().map_or(0, |bump| bump.center.len())),
        ];
        for (name, length) in lists {
            if length > dim {
                problems
                    .push(format!("`{name}` has {length} entries, the process {dim} coordinates"));
            }
        }
        if !finite && (self.tau > 0 || self.decay.is_some()) {
            problems.push("`tau` and `decay` need a finite horizon".to_owned());
        }
        if self.radial.as_ref().is_some_and(|bump| bump.width.is_nan() || bump.width <= 0.0) {
            problems.push("`width` has to be above 0".to_owned());
        }
        problems
    }
}

fn raised(x: f64, power: u32) -> f64 {
    (0..power).fold(1.0, |product, _| product * x)
}

/// Points of a path: what a family is evaluated at.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// Time left at the first point.
    pub tau: f64,
    /// Length of a step.
    pub dt: f64,
    /// States, `[points, dim]`.
    pub states: &'a [f64],
    /// Coordinates of a state.
    pub dim: usize,
}

impl Points<'_> {
    fn each(&self) -> impl Iterator<Item = (f64, &[f64])> {
        let time = |(step, x)| (self.tau - step as f64 * self.dt, x);
        self.states.chunks_exact(self.dim).enumerate().map(time)
    }
}

/// A family that is linear in its parameters; a user's own implements this.
pub trait Family: std::fmt::Debug + Send + Sync {
    /// Number of parameters.
    fn parameters(&self) -> usize;

    /// Appends `base`, `[points]`, and the features, `[points, parameters]`.
    fn evaluate(&self, points: Points<'_>, base: &mut Vec<f64>, features: &mut Vec<f64>);

    /// `J` with these parameters at every point.
    fn values(&self, theta: &[f64], points: Points<'_>) -> Vec<f64> {
        let (mut base, mut features) = (Vec::new(), Vec::new());
        self.evaluate(points, &mut base, &mut features);
        for (value, features) in base.iter_mut().zip(features.chunks_exact(theta.len().max(1))) {
            *value += super::dense::dot(theta, features);
        }
        base
    }
}

/// The family that a scenario writes down.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Linear {
    /// Terms that are added up.
    pub base: Vec<Term>,
    /// One term a parameter.
    pub features: Vec<Term>,
}

impl Family for Linear {
    fn parameters(&self) -> usize {
        self.features.len()
    }

    fn evaluate(&self, points: Points<'_>, base: &mut Vec<f64>, features: &mut Vec<f64>) {
        for (tau, x) in points.each() {
            base.push(self.base.iter().map(|term| term.at(tau, x)).sum());
            features.extend(self.features.iter().map(|term| term.at(tau, x)));
        }
    }
}
