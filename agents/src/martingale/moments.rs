//! The moments that every linear method is made of.
//!
//! With `J = base + theta . phi` the one-step error is affine in the parameters,
//! `delta_k = delta0_k + d_k . theta`. A test process `xi` then asks for `A theta + b = 0` with
//! `A = E sum xi_k d_k^T` and `b = E sum xi_k delta0_k`; the methods differ in `xi` alone.

use super::dense;
use super::family::{Family, Points};

/// Blocks kept for standard errors; neighbours are joined when there would be twice as many.
const BLOCKS: usize = 64;

/// How a value at the end of a step is discounted to its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Discounting {
    /// `J_{k+1} - J_k + (r_k - beta J_k) dt`: the papers' form.
    #[default]
    Rate,
    /// `exp(-beta dt) J_{k+1} - J_k + r_k dt`.
    Factor,
}

/// A piece of a path.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Its states, `[steps + 1, dim]`, and times.
    pub points: Points<'a>,
    /// Reward rate at the beginning of each step, `[steps]`.
    pub rewards: &'a [f64],
    /// What is paid at the last state, if the path ends there.
    pub terminal: Option<f64>,
    /// Time passed at the first point, for discounts of the martingale loss.
    pub start: f64,
    /// Discount rate.
    pub discount: f64,
    /// Form of the one-step error.
    pub discounting: Discounting,
}

/// Errors and their derivatives along a piece; buffers are used again.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    /// `base` at every point, the terminal payoff at an end, `[steps + 1]`.
    pub base: Vec<f64>,
    /// Features at every point, 0 at an end, `[steps + 1, m]`.
    pub features: Vec<f64>,
    /// `delta0`, `[steps]`.
    pub errors: Vec<f64>,
    /// `d`, `[steps, m]`.
    pub slopes: Vec<f64>,
}

impl Errors {
    /// Evaluates a family along a piece.
    pub fn fill(&mut self, family: &dyn Family, piece: &Piece<'_>) {
        let m = family.parameters();
        self.base.clear();
        self.features.clear();
        family.evaluate(piece.points, &mut self.base, &mut self.features);
        let (steps, dt) = (piece.rewards.len(), piece.points.dt);
        if let Some(terminal) = piece.terminal {
            self.base[steps] = terminal;
            self.features[steps * m..].fill(0.0);
        }
        let (next, now) = match piece.discounting {
            Discounting::Rate => (1.0, 1.0 + piece.discount * dt),
            Discounting::Factor => (libm::exp(-piece.discount * dt), 1.0),
        };
        self.errors.clear();
        let ends = self.base[1..].iter().zip(&self.base).zip(piece.rewards);
        self.errors.extend(ends.map(|((later, here), r)| next * later - now * here + r * dt));
        self.slopes.clear();
        let ends = self.features[m..].iter().zip(&self.features);
        self.slopes.extend(ends.map(|(later, here)| next * later - now * here));
    }
}

/// Which test process.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `xi_k = phi_k`.
    Features,
    /// `xi_k = sum_{l <= k} lambda^((k - l) dt) phi_l dt`, with lambda above 0 and at most 1.
    Trace(f64),
    /// `xi_k = d_k`: the gradient of the mean-square error, whose limit is wrong.
    Slopes,
    /// The gradient of the martingale loss, `1/2 E int |M_T - M_t|^2 dt`; whole paths with an end only.
    Loss,
    /// A list of functions of time and state, at least as many as parameters.
    Functions(super::family::Linear),
}

impl Test {
    /// Number of equations.
    pub fn equations(&self, parameters: usize) -> usize {
        match self {
            Self::Functions(list) => list.features.len(),
            _ => parameters,
        }
    }
}

/// Sums over steps: `a`, `[l, m]`; `b`, `[l]`; and `c = sum xi xi^T dt`, `[l, l]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Slope.
    pub a: Vec<Vec<f64>>,
    /// Constant part.
    pub b: Vec<f64>,
    /// Size of the test process, for weightings.
    pub c: Vec<Vec<f64>>,
    /// Sum of the weights of what was added.
    pub weight: f64,
}

impl Moments {
    /// No sums yet, for `l` equations in `m` parameters.
    pub fn new(l: usize, m: usize) -> Self {
        Self { a: vec![vec![0.0; m]; l], b: vec![0.0; l], c: vec![vec![0.0; l]; l], weight: 0.0 }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        let both = self.a.iter_mut().chain(&mut self.c).flatten().chain(&mut self.b);
        let others = other.a.iter().chain(&other.c).flatten().chain(&other.b);
        both.zip(others).for_each(|(x, y)| *x += y);
        self.weight += other.weight;
    }

    fn outer(&mut self, xi: &[f64], slope: &[f64], error: f64, dt: f64) {
        for (l, &test) in xi.iter().enumerate() {
            self.a[l].iter_mut().zip(slope).for_each(|(a, d)| *a += test * d);
            self.b[l] += test * error;
            self.c[l].iter_mut().zip(xi).for_each(|(c, x)| *c += test * x * dt);
        }
    }

    /// `A theta + b`.
    pub fn residual(&self, theta: &[f64]) -> Vec<f64> {
        self.a.iter().zip(&self.b).map(|(a, b)| dense::dot(a, theta) + b).collect()
    }
}

/// A test process on its way along a path.
#[derive(Clone, Debug)]
pub struct Tester<'a> {
    test: &'a Test,
    trace: Vec<f64>,
    values: (Vec<f64>, Vec<f64>),
}

impl<'a> Tester<'a> {
    /// At the beginning of a path.
    pub fn new(test: &'a Test, parameters: usize) -> Self {
        Self { test, trace: vec![0.0; parameters], values: Default::default() }
    }

    /// Starts another path.
    pub fn begin(&mut self) {
        self.trace.fill(0.0);
    }

    /// Adds a piece with a weight; pieces of one path in order.
    pub fn add(&mut self, piece: &Piece<'_>, errors: &Errors, weight: f64, sums: &mut Moments) {
        let (m, dt) = (self.trace.len(), piece.points.dt);
        let steps = || {
            errors.features.chunks_exact(m).zip(errors.slopes.chunks_exact(m)).zip(&errors.errors)
        };
        let mut own = Moments::new(sums.b.len(), m);
        match self.test {
            Test::Features => {
                for ((phi, slope), &error) in steps() {
                    own.outer(phi, slope, error, dt);
                }
            }
            Test::Slopes => {
                for ((_, slope), &error) in steps() {
                    own.outer(slope, slope, error, dt);
                }
            }
            Test::Trace(lambda) => {
                let fade = libm::pow(*lambda, dt);
                for ((phi, slope), &error) in steps() {
                    self.trace.iter_mut().zip(phi).for_each(|(z, phi)| *z = fade * *z + phi * dt);
                    own.outer(&self.trace, slope, error, dt);
                }
            }
            Test::Loss => loss(piece, errors, &mut own),
            Test::Functions(list) => {
                let (unused, values) = &mut self.values;
                unused.clear();
                values.clear();
                list.evaluate(piece.points, unused, values);
                let l = own.b.len();
                for (((_, slope), &error), xi) in steps().zip(values.chunks_exact(l)) {
                    own.outer(xi, slope, error, dt);
                }
            }
        }
        let scaled = own.a.iter_mut().chain(&mut own.c).flatten().chain(&mut own.b);
        scaled.for_each(|x| *x *= weight);
        own.weight = weight;
        sums.add(&own);
    }
}

/// Gradient of the martingale loss: `sum_k w_k (target_k - w_k J_k) phi_k dt`, with `w_k = exp(-beta t_k)` and
/// `target_k` what is still paid, discounted to time 0.
fn loss(piece: &Piece<'_>, errors: &Errors, sums: &mut Moments) {
    let (steps, m, dt) = (piece.rewards.len(), sums.b.len(), piece.points.dt);
    let weight = |step: usize| libm::exp(-piece.discount * (piece.start + step as f64 * dt));
    let mut target = weight(steps) * errors.base[steps];
    for step in (0..steps).rev() {
        let w = weight(step);
        target += w * piece.rewards[step] * dt;
        let phi = &errors.features[step * m..][..m];
        for (l, &test) in phi.iter().enumerate() {
            let test = w * test * dt;
            sums.a[l].iter_mut().zip(phi).for_each(|(a, phi)| *a -= test * w * phi);
            sums.b[l] += test * (target - w * errors.base[step]);
            sums.c[l].iter_mut().zip(phi).for_each(|(c, phi)| *c += test * w * phi);
        }
    }
}

/// The martingale loss of one whole path, `1/2 sum_k (M_T - M_k)^2 dt` at the left points.
pub fn martingale_loss(piece: &Piece<'_>, errors: &Errors, theta: &[f64]) -> f64 {
    let (steps, m, dt) = (piece.rewards.len(), theta.len(), piece.points.dt);
    let weight = |step: usize| libm::exp(-piece.discount * (piece.start + step as f64 * dt));
    let mut target = weight(steps) * errors.base[steps];
    let mut loss = 0.0;
    for step in (0..steps).rev() {
        let w = weight(step);
        target += w * piece.rewards[step] * dt;
        let value = errors.base[step] + dense::dot(theta, &errors.features[step * m..][..m]);
        loss += 0.5 * (target - w * value) * (target - w * value) * dt;
    }
    loss
}

/// The mean-square one-step error of a piece, `1/2 sum_k delta_k^2`: it tends to half the quadratic variation.
pub fn mean_square_error(errors: &Errors, theta: &[f64]) -> f64 {
    let deltas = errors.slopes.chunks_exact(theta.len()).zip(&errors.errors);
    deltas.map(|(slope, error)| 0.5 * (dense::dot(slope, theta) + error).powi(2)).sum()
}

/// Moments in blocks of equal size, from whose spread the standard errors come.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    /// Moments that make up one block.
    each: usize,
    /// Moments in the last block.
    filled: usize,
    sums: Vec<Moments>,
}

impl Blocks {
    /// Adds independent, or nearly independent, moments of equal weight.
    pub fn push(&mut self, moments: Moments) {
        self.each = self.each.max(1);
        match self.sums.last_mut() {
            Some(last) if self.filled < self.each => {
                last.add(&moments);
                self.filled += 1;
                return;
            }
            _ => {}
        }
        if self.sums.len() == 2 * BLOCKS {
            let join = |pair: &[Moments]| {
                let mut joined = pair[0].clone();
                joined.add(&pair[1]);
                joined
            };
            self.sums = self.sums.chunks_exact(2).map(join).collect();
            self.each *= 2;
        }
        self.sums.push(moments);
        self.filled = 1;
    }

    /// All of it.
    pub fn total(&self) -> Option<Moments> {
        let (first, others) = self.sums.split_first()?;
        let mut total = first.clone();
        for block in others {
            total.add(block);
        }
        Some(total)
    }

    /// The parameters with `A theta + b = 0`, or with the least `|A theta + b|` in a weighting, and their
    /// standard errors; `None` if they are not determined.
    pub fn solve(&self, inverse_weighting: bool) -> Option<(Vec<f64>, Vec<f64>)> {
        let Moments { a, b, c, .. } = self.total()?;
        let m = a.first()?.len();
        let column = |list: &[f64]| list.iter().map(|&x| vec![x]).collect::<Vec<_>>();
        // theta = -P b with P = A^-1, or (A^T W A)^-1 A^T W.
        let p = if a.len() == m {
            let identity = |i| (0..m).map(|j| f64::from(u8::from(i == j))).collect();
            dense::solve(a, (0..m).map(identity).collect())?
        } else {
            let weighed = if inverse_weighting { dense::solve(c, a.clone())? } else { a.clone() };
            let weighed = dense::transposed(&weighed);
            dense::solve(dense::product(&weighed, &a), weighed)?
        };
        let theta: Vec<f64> = dense::product(&p, &column(&b)).iter().map(|x| -x[0]).collect();
        // A last block that is not full has no weight of its own.
        let full = self.sums.len() - usize::from(self.filled < self.each);
        let mut variance = vec![0.0; m];
        for block in &self.sums[..full] {
            let error = dense::apply(&p, &block.residual(&theta));
            variance.iter_mut().zip(error).for_each(|(v, e)| *v += e * e);
        }
        let scale = if full > 1 { full as f64 / (full as f64 - 1.0) } else { f64::NAN };
        Some((theta, variance.iter().map(|v| (v * scale).sqrt()).collect()))
    }
}
