//! Value functions in closed form.
//!
//! For a process with affine drift and `sigma^2 = s0 + s2 x^2` the generator maps polynomials to polynomials
//! of no higher degree. With polynomial rewards the value function is then a polynomial in `x` whose
//! coefficients solve a linear differential equation in the time left, `c' = (L - beta) c + r`, `c(0) = h`.

use super::process::Polynomial;

/// A value function `J(tau, x) = sum_i c_i(tau) x^i`, of each coordinate; that of a state is the sum over them.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// `L - beta`, on coefficients, `[degree + 1, degree + 1]`.
    generator: Vec<Vec<f64>>,
    reward: Vec<f64>,
    terminal: Vec<f64>,
    /// The coefficients of an infinite horizon, where it is one.
    stationary: Option<Vec<f64>>,
}

/// Why an infinite horizon has no value.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "the reward's moment of degree {degree} grows at rate {rate} or does not fade, which the discount {discount} \
     does not outweigh"
)]
pub struct Unbounded {
    /// Degree of the monomial.
    pub degree: usize,
    /// Its growth rate.
    pub rate: f64,
    /// The discount rate.
    pub discount: f64,
}

impl Value {
    /// The value of reward rate `reward(x)` until the horizon and `terminal(x)` there, discounted at rate
    /// `discount`; polynomials by coefficients, constant first.
    pub fn finite(process: &Polynomial, discount: f64, reward: &[f64], terminal: &[f64]) -> Self {
        let size = reward.len().max(terminal.len()).max(1);
        let padded = |list: &[f64]| {
            let mut list = list.to_vec();
            list.resize(size, 0.0);
            list
        };
        Self {
            generator: generator(process, discount, size),
            reward: padded(reward),
            terminal: padded(terminal),
            stationary: None,
        }
    }

    /// The value of reward rate `reward(x)` for ever.
    ///
    /// # Errors
    /// The discounted reward does not add up to a finite value.
    pub fn infinite(
        process: &Polynomial,
        discount: f64,
        reward: &[f64],
    ) -> Result<Self, Unbounded> {
        let mut value = Self::finite(process, discount, reward, &[]);
        let (m, size) = (&value.generator, value.reward.len());
        // Upper triangular, so the growth rates stand on the diagonal.
        let mut c = vec![0.0; size];
        for i in (0..size).rev() {
            if m[i][i] >= 0.0 && (i..size).any(|j| value.reward[j] != 0.0) {
                return Err(Unbounded { degree: i, rate: m[i][i] + discount, discount });
            }
            let later: f64 = (i + 1..size).map(|j| m[i][j] * c[j]).sum();
            if m[i][i] < 0.0 {
                c[i] = -(value.reward[i] + later) / m[i][i];
            }
        }
        value.stationary = Some(c);
        Ok(value)
    }

    /// The coefficients with `tau` left, constant first.
    pub fn coefficients(&self, tau: f64) -> Vec<f64> {
        if let Some(c) = &self.stationary {
            return c.clone();
        }
        // The pair (c, 1) solves one linear equation without a source.
        let size = self.reward.len();
        let mut m = self.generator.clone();
        for (row, &reward) in m.iter_mut().zip(&self.reward) {
            row.push(reward);
        }
        m.push(vec![0.0; size + 1]);
        let start: Vec<f64> = self.terminal.iter().copied().chain([1.0]).collect();
        let mut c = flow(&m, tau, start);
        c.truncate(size);
        c
    }

    /// `J` of a state.
    pub fn at(&self, tau: f64, x: &[f64]) -> f64 {
        let c = self.coefficients(tau);
        x.iter().map(|&x| polynomial(&c, x)).sum()
    }
}

/// A polynomial by its coefficients, constant first.
pub fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// `L - discount` on the monomials `1, x, .., x^(size - 1)`; column `i` holds the image of `x^i`.
fn generator(process: &Polynomial, discount: f64, size: usize) -> Vec<Vec<f64>> {
    let [b0, b1] = process.drift_coefficients();
    let [s0, s2] = process.variance_coefficients();
    let mut m = vec![vec![0.0; size]; size];
    for i in 0..size {
        let n = i as f64;
        let second = 0.5 * n * (n - 1.0);
        m[i][i] = n * b1 + second * s2 - discount;
        if i >= 1 {
            m[i - 1][i] = n * b0;
        }
        if i >= 2 {
            m[i - 2][i] = second * s0;
        }
    }
    m
}

/// `exp(m tau) start`, by steps so short that a Taylor series ends at machine precision.
fn flow(m: &[Vec<f64>], tau: f64, start: Vec<f64>) -> Vec<f64> {
    let norm = m.iter().map(|row| row.iter().map(|x| x.abs()).sum::<f64>()).fold(0.0, f64::max);
    let steps = (norm * tau).ceil().max(1.0);
    let h = tau / steps;
    let mut c = start;
    for _ in 0..steps as u64 {
        let mut term = c.clone();
        for order in 1..=20 {
            let scale = h / f64::from(order);
            term = m
                .iter()
                .map(|row| scale * row.iter().zip(&term).map(|(m, t)| m * t).sum::<f64>())
                .collect();
            c.iter_mut().zip(&term).for_each(|(c, t)| *c += t);
        }
    }
    c
}

/// The value of `(X_T - strike)^+` for a geometric Brownian motion, discounted at rate `discount`.
pub fn call(mu: f64, sigma: f64, discount: f64, strike: f64, tau: f64, x: f64) -> f64 {
    let forward = x * libm::exp(mu * tau);
    let spread = sigma * tau.sqrt();
    if spread == 0.0 {
        return libm::exp(-discount * tau) * (forward - strike).max(0.0);
    }
    let d1 = libm::log(forward / strike) / spread + 0.5 * spread;
    let cdf = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
    libm::exp(-discount * tau) * (forward * cdf(d1) - strike * cdf(d1 - spread))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() < tolerance, "{found} is not {expected}");
    }

    /// Fact 29: V1 of the specification's 2.6.
    #[test]
    fn ou_with_quadratic_rewards() {
        let rows = [
            (1.0, 0.5, 0.1, -1.0, 0.0, 1.0, 1.0, -0.417_877_891, -0.066_718_491, -0.484_596_382),
            (1.0, 0.5, 0.1, -1.0, 0.0, 0.5, 0.3, -0.309_553_453, -0.022_269_038, -0.050_128_849),
            (2.0, 1.0, 0.5, -1.0, -0.5, 2.0, 0.7, -0.222_256_503, -0.306_481_084, -0.415_386_770),
            (0.5, 1.0, 0.0, 1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 2.0),
        ];
        for (kappa, sigma, discount, q, c, tau, x, a2, a0, j) in rows {
            let process = Polynomial::Ou { kappa, mean: 0.0, sigma, dim: 1 };
            let value = Value::finite(&process, discount, &[0.0, 0.0, q], &[0.0, 0.0, c]);
            let found = value.coefficients(tau);
            near(found[2], a2, 1e-9);
            near(found[0], a0, 1e-9);
            near(value.at(tau, &[x]), j, 1e-9);
        }
    }

    /// Fact 30: V2.
    #[test]
    fn geometric_brownian_motion() {
        let process = Polynomial::Gbm { mu: 0.1, sigma: 0.2, dim: 1 };
        let value = |reward: &[f64], terminal: &[f64]| {
            Value::finite(&process, 0.05, reward, terminal).at(1.0, &[1.0])
        };
        near(value(&[], &[0.0, 1.0]), 1.051_271, 1e-6);
        near(value(&[], &[0.0, 0.0, 1.0]), 1.209_250, 1e-6);
        near(value(&[0.0, 1.0], &[]), 1.025_422, 1e-6);
        near(call(0.1, 0.2, 0.05, 1.0, 1.0, 1.0), 0.139_500, 1e-6);
        let process = Polynomial::Gbm { mu: 0.05, sigma: 0.3, dim: 1 };
        let value = |reward: &[f64], terminal: &[f64]| {
            Value::finite(&process, 0.05, reward, terminal).at(1.0, &[100.0])
        };
        near(value(&[], &[0.0, 1.0]), 100.0, 1e-6);
        near(value(&[], &[0.0, 0.0, 1.0]), 11_502.737_989, 1e-6);
        near(value(&[0.0, 1.0], &[]), 100.0, 1e-6);
        near(call(0.05, 0.3, 0.05, 105.0, 1.0, 100.0), 11.976_881, 1e-6);
    }

    /// V5.
    #[test]
    fn brownian_motion() {
        let process = Polynomial::Brownian { drift: 0.0, sigma: 0.7, dim: 2 };
        let square = Value::finite(&process, 0.0, &[], &[0.0, 0.0, 1.0]);
        near(square.at(0.5, &[1.0, -2.0]), 5.0 + 2.0 * 0.49 * 0.5, 1e-12);
        let running = Value::finite(&process, 0.0, &[0.0, 0.0, 1.0], &[]);
        near(running.at(2.0, &[1.0, 0.0]), 2.0 + 0.49 * 4.0, 1e-12);
    }

    #[test]
    fn an_infinite_horizon_has_a_value_where_it_is_finite() {
        let process = Polynomial::Ou { kappa: 1.0, mean: 0.0, sigma: 0.5, dim: 1 };
        let value = Value::infinite(&process, 0.1, &[0.0, 0.0, -1.0]).unwrap();
        let c = value.coefficients(1.0);
        near(c[2], -0.476_190_476, 1e-9);
        near(c[0], -1.190_476_190, 1e-9);
        assert!(Value::infinite(&process, 0.0, &[0.0, 0.0, -1.0]).is_err());
        let growing = Polynomial::Gbm { mu: 0.1, sigma: 0.2, dim: 1 };
        let refused = Value::infinite(&growing, 0.05, &[0.0, 1.0]).unwrap_err();
        assert_eq!(refused.degree, 1);
    }
}
