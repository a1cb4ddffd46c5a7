//! The anchored method with variance reduction: most steps see one row and one column.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::bimatrix::matrices;
use super::saddle::{Point, Progress, Saddle, distance_squared, squared};
use crate::game::NormalForm;
use crate::linear::add_multiple;
use crate::linear::projection::project_to_simplex;
use crate::seed::{Purpose, unit_f64};
use crate::solution::{
    Parameter, Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop,
    Takes,
};

/// An approximate equilibrium of a two-player constant-sum game by inexact Halpern iteration on a
/// resolvent that variance-reduced steps compute.
///
/// The game's operator `F(x, y) = (-A y, A' x)` is the mean of `F_ij`, which see column `j` and row
/// `i` only; `i` and `j` are drawn in proportion to the squared norms, which makes the `F_ij`
/// Lipschitz on average with the Frobenius norm `L`.
/// Outer iterations are `z[k+1] = z[0] / (k+2) + (k+1)/(k+2) J z[k]` with the resolvent
/// `J = (1 + eta F)^-1` on the simplices, so that `|z[k] - J z[k]| <= 2 |z[0] - z*| / (k+1)` up to
/// the errors of `J`, each kept below `0.1 |z - J z| / (k+2)`.
/// `w = J z` has a NashConv of at most `2 |z - w| / eta`.
/// `eta = 1 / (L sqrt(p))`, where `p` is the cost of `F_ij` over that of `F`: then a resolvent takes
/// a few evaluations of `F`, and the total is what Cai and others prove nearly best possible,
/// `n + sqrt(n) L / epsilon` evaluations of a component for `n` components.
///
/// Outer scheme: Cai, Alacaoglu and Diakonikolas, "Variance reduced Halpern iteration for finite-sum
/// monotone inclusions", ICLR 2024 (their algorithm 2).
/// They compute resolvents by a forward-reflected-backward method; here it is the loopless
/// extragradient method of Alacaoglu and Malitsky, "Stochastic variance reduction for variational
/// inequality methods", COLT 2022 (their algorithm 1), which has the same rate, with a test of the
/// error at every full evaluation in place of a number of steps fixed beforehand.
///
/// It pays off where the spectrum of payoffs falls off fast (`L` not far above the largest singular
/// value), games are large, and reading payoffs is what costs.
/// On games of 300 actions it read 0.8 times what [`Halpern`](super::halpern::Halpern) reads where
/// payoffs are smooth, but 5 to 50 times that on others, and projecting after every sample takes
/// ten times as long as the reading: for a matrix in memory, prefer `Halpern`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VarianceReducedHalpern {
    /// NashConv, relative to the range of payoffs, at which to stop.
    pub tolerance: f64,
    /// Products of the payoff matrix with a mix at most, parts of products counted as such.
    pub products: f64,
    /// Whether the anchor moves to the present point when the residual has fallen by a factor `e`.
    pub restart: bool,
}

impl Default for VarianceReducedHalpern {
    fn default() -> Self {
        Self { tolerance: 1e-4, products: 20_000.0, restart: true }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "halpern-variance-reduced",
    about: "approximate equilibrium of a large constant-sum game: Halpern iteration with variance-reduced steps of one row and column (Cai et al. 2024)",
    takes: Takes::TwoPlayersConstantSum,
    enumerates: false,
    parameters: &[
        Parameter {
            name: "tolerance",
            about: "NashConv over the range of payoffs at which to stop (default 1e-4)",
        },
        Parameter {
            name: "products",
            about: "products of the payoff matrix with a mix at most (default 20000)",
        },
        Parameter {
            name: "restart",
            about: "move the anchor whenever the residual has fallen by a factor e (default true)",
        },
    ],
};

/// Share of the residual, divided by the iteration since the anchor, that a resolvent may err by.
const INEXACT: f64 = 0.1;

/// Full evaluations at most for one resolvent.
const MOST_SNAPSHOTS: u32 = 400;

impl Solver for VarianceReducedHalpern {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.solve_observed(game, options, |_| ()).map(Solutions::one)
    }
}

impl VarianceReducedHalpern {
    /// Solves the game and shows every outer iteration on the way.
    ///
    /// # Errors
    ///
    /// As [`Solver::solve`].
    pub fn solve_observed(
        &self,
        game: &NormalForm,
        options: &SolveOptions,
        mut observe: impl FnMut(Progress),
    ) -> Result<Solution, SolveError> {
        self.check(game)?;
        INFO.within("tolerance", self.tolerance, 0.0.., "0 or more")?;
        if self.products.is_nan() {
            return Err(SolveError::Parameter {
                solver: INFO.name,
                parameter: "products",
                value: self.products,
                range: "a number",
            });
        }
        let (payoffs, _) = matrices(INFO.name, game)?;
        let saddle = Saddle::new(payoffs);
        let mut sampler = Sampler::new(&saddle, options.streams.at(Purpose::Solve, 0, 0));
        let (mut anchor, mut z) = (Mixes::even(&saddle), Mixes::even(&saddle));
        let mut w = saddle.even();
        let mut last = Progress {
            iteration: 0,
            since_anchor: 0,
            products: 2.0,
            residual: f64::INFINITY,
            bound: f64::INFINITY,
            nash_conv: w.nash_conv() * saddle.scale,
        };
        let mut first_residual = f64::INFINITY;
        let mut since_anchor = 0;
        let mut stop = Stop::IterationLimit;
        while last.products < self.products {
            if w.nash_conv() <= 2.0 * self.tolerance {
                stop = Stop::Converged;
                break;
            }
            let inexact = INEXACT / (since_anchor + 2) as f64;
            let products = sampler.resolvent(&z, &mut w, inexact);
            let residual = z.distance_to(&w);
            last = Progress {
                iteration: last.iteration + 1,
                since_anchor,
                products: last.products + products,
                residual,
                bound: residual * 2.0 / sampler.eta * saddle.scale,
                nash_conv: w.nash_conv() * saddle.scale,
            };
            observe(last);
            let image = Mixes { x: w.x.clone(), y: w.y.clone() };
            if since_anchor == 0 {
                first_residual = residual;
            }
            if self.restart && since_anchor > 0 && residual * std::f64::consts::E <= first_residual
            {
                (anchor, z) = (image.clone(), image);
                since_anchor = 0;
            } else {
                let anchored = 1.0 / (since_anchor + 2) as f64;
                z = Mixes::between(anchored, &anchor, &image);
                since_anchor += 1;
            }
        }
        let profile = Profile::new(vec![w.x, w.y]);
        let mut solution = Solution::certify(game, profile, last.iteration, stop)?;
        solution.residual = Some(last.residual);
        Ok(solution)
    }
}

/// A mix of each player.
#[derive(Clone, Debug)]
struct Mixes {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Mixes {
    fn even(saddle: &Saddle) -> Self {
        let even = |actions: usize| vec![1.0 / actions as f64; actions];
        Self { x: even(saddle.m), y: even(saddle.n) }
    }

    /// `share * a + (1 - share) * b`.
    fn between(share: f64, a: &Self, b: &Self) -> Self {
        let mix = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).map(|(a, b)| share * a + (1.0 - share) * b).collect()
        };
        Self { x: mix(&a.x, &b.x), y: mix(&a.y, &b.y) }
    }

    fn distance_to(&self, point: &Point) -> f64 {
        (distance_squared(&self.x, &point.x) + distance_squared(&self.y, &point.y)).sqrt()
    }
}

/// Draws components of the operator and computes resolvents by them.
struct Sampler<'a> {
    saddle: &'a Saddle,
    rng: ChaCha8Rng,
    /// Running sums of the rows' and columns' shares of the squared norm.
    rows: Vec<f64>,
    columns: Vec<f64>,
    /// Probability of a full evaluation after a step; cost of a component over that of the whole.
    p: f64,
    eta: f64,
    /// Largest step that the inner method allows.
    tau: f64,
}

impl<'a> Sampler<'a> {
    fn new(saddle: &'a Saddle, rng: ChaCha8Rng) -> Self {
        let (m, n) = (saddle.m, saddle.n);
        let total = saddle.frobenius_squared();
        let running = |count: usize, line: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..count)
                .scan(0.0, |sum, at| {
                    *sum += if total > 0.0 { line(at) / total } else { 1.0 / count as f64 };
                    Some(*sum)
                })
                .collect()
        };
        // A component takes one column and one row, m + n entries; the whole takes 2 m n.
        let p = ((m + n) as f64 / (2 * m * n) as f64).min(1.0);
        let lipschitz = total.sqrt().max(f64::MIN_POSITIVE.sqrt());
        let eta = 1.0 / (lipschitz * p.sqrt());
        Self {
            saddle,
            rng,
            rows: running(m, &|i| squared(saddle.row(i))),
            columns: running(n, &|j| squared(saddle.column(j))),
            p,
            eta,
            tau: 0.99 * p.sqrt() / (eta * lipschitz),
        }
    }

    /// A line and its probability.
    fn draw(running: &[f64], rng: &mut ChaCha8Rng) -> (usize, f64) {
        let last = running.len() - 1;
        let u = unit_f64(rng) * running[last];
        let at = running.partition_point(|&sum| sum <= u).min(last);
        let before = if at == 0 { 0.0 } else { running[at - 1] };
        (at, running[at] - before)
    }

    /// Moves `w` close to the resolvent at `z`, and gives the products spent.
    ///
    /// Loopless extragradient steps on `w + eta F(w) - z`, whose part without `F` is taken
    /// implicitly; `w` is always a point with its products known.
    fn resolvent(&mut self, z: &Mixes, w: &mut Point, inexact: f64) -> f64 {
        let (m, n) = (self.saddle.m, self.saddle.n);
        let component = (m + n) as f64 / (m * n) as f64;
        let mut products = 0.0;
        let mut v = Mixes { x: w.x.clone(), y: w.y.clone() };
        for _ in 0..MOST_SNAPSHOTS {
            if self.error(z, w) <= inexact * z.distance_to(w) {
                break;
            }
            loop {
                let middle = Mixes {
                    x: self.implicit(&v.x, &w.x, &z.x, &w.rows, 1.0, &[]),
                    y: self.implicit(&v.y, &w.y, &z.y, &w.columns, -1.0, &[]),
                };
                let (i, row_share) = Self::draw(&self.rows, &mut self.rng);
                let (j, column_share) = Self::draw(&self.columns, &mut self.rng);
                let to_x = (middle.y[j] - w.y[j]) / column_share;
                let to_y = (middle.x[i] - w.x[i]) / row_share;
                let column = [(to_x, self.saddle.column(j))];
                let row = [(to_y, self.saddle.row(i))];
                v = Mixes {
                    x: self.implicit(&v.x, &w.x, &z.x, &w.rows, 1.0, &column),
                    y: self.implicit(&v.y, &w.y, &z.y, &w.columns, -1.0, &row),
                };
                products += component;
                if unit_f64(&mut self.rng) < self.p {
                    break;
                }
            }
            *w = self.saddle.point(v.x.clone(), v.y.clone());
            products += 2.0;
        }
        products
    }

    /// `argmin |u - (1-p) v - p w - s tau eta (earned + parts)|^2 / 2 + tau |u - z|^2 / 2` over the
    /// simplex.
    fn implicit(
        &self,
        v: &[f64],
        w: &[f64],
        z: &[f64],
        earned: &[f64],
        sign: f64,
        parts: &[(f64, &[f64])],
    ) -> Vec<f64> {
        let (p, tau) = (self.p, self.tau);
        let (force, share) = (sign * tau * self.eta, 1.0 / (1.0 + tau));
        let mut u: Vec<f64> = v
            .iter()
            .zip(w)
            .zip(z.iter().zip(earned))
            .map(|((v, w), (z, e))| share * ((1.0 - p) * v + p * w + force * e + tau * z))
            .collect();
        for &(weight, line) in parts {
            add_multiple(&mut u, share * force * weight, line);
        }
        project_to_simplex(&mut u, 0.0);
        u
    }

    /// A bound, up to a constant, of the distance of `w` to the resolvent at `z`: the residual of a
    /// full implicit step, zero at the resolvent only.
    fn error(&self, z: &Mixes, w: &Point) -> f64 {
        let x = super::saddle::step(&z.x, self.eta, &w.rows);
        let y = super::saddle::step(&z.y, -self.eta, &w.columns);
        (distance_squared(&x, &w.x) + distance_squared(&y, &w.y)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::nash::linear_program::LinearProgram;
    use crate::seed::Streams;

    fn random(m: usize, n: usize) -> NormalForm {
        let mut rng = Streams::new(53).at(Purpose::Generate, (m * n) as u32, 0);
        let payoffs = Array2::from_shape_simple_fn((m, n), || unit_f64(&mut rng));
        NormalForm::zero_sum(payoffs.view()).unwrap()
    }

    #[test]
    fn components_have_the_operator_as_their_mean() {
        let game = random(4, 6);
        let saddle = Saddle::new(game.matrices().unwrap().0);
        let sampler = Sampler::new(&saddle, Streams::new(0).at(Purpose::Solve, 0, 0));
        // The mean over columns of column times weight over probability is the product.
        let y = [0.1, 0.2, 0.05, 0.3, 0.25, 0.1];
        let mut mean = vec![0.0; 4];
        let mut before = 0.0;
        for (j, &running) in sampler.columns.iter().enumerate() {
            let share = running - before;
            before = running;
            add_multiple(&mut mean, share * (y[j] / share), saddle.column(j));
        }
        let whole = saddle.rows_against(&y);
        assert!(mean.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-15));
        assert!((sampler.columns[5] - 1.0).abs() < 1e-15 && (sampler.rows[3] - 1.0).abs() < 1e-15);
        // And lines are drawn as often as their shares say.
        let mut rng = Streams::new(1).at(Purpose::Solve, 0, 0);
        let mut counts = [0.0; 4];
        for _ in 0..40_000 {
            let (i, share) = Sampler::draw(&sampler.rows, &mut rng);
            counts[i] += 1.0 / (40_000.0 * share);
        }
        assert!(counts.iter().all(|count| (count - 1.0_f64).abs() < 0.05), "{counts:?}");
    }

    #[test]
    fn resolvents_solve_their_inclusion() {
        let game = random(20, 30);
        let saddle = Saddle::new(game.matrices().unwrap().0);
        let mut sampler = Sampler::new(&saddle, Streams::new(0).at(Purpose::Solve, 0, 0));
        let mut rng = Streams::new(9).at(Purpose::Generate, 0, 0);
        let mut z = Mixes::even(&saddle);
        z.x.iter_mut().chain(&mut z.y).for_each(|share| *share += 0.3 * unit_f64(&mut rng));
        let mut w = saddle.even();
        let products = sampler.resolvent(&z, &mut w, 1e-9);
        assert!(sampler.error(&z, &w) < 1e-9 && products > 4.0, "{products}");
        // Two different ways there meet in one point: the resolvent is a function.
        let mut other = saddle.point(vec![0.05; 20], [vec![1.0], vec![0.0; 29]].concat());
        sampler.resolvent(&z, &mut other, 1e-9);
        assert!(distance_squared(&w.x, &other.x) + distance_squared(&w.y, &other.y) < 1e-15);
    }

    /// Halpern's bound with the equilibrium from the linear program; half again as much for the
    /// errors of the resolvents.
    #[test]
    fn the_residual_falls_as_one_over_k() {
        for (m, n) in [(3, 3), (25, 40)] {
            let game = random(m, n);
            let exact = LinearProgram {}.solve(&game, &SolveOptions::default()).unwrap();
            let exact = exact.equilibria[0].profile.clone().into_inner();
            let saddle = Saddle::new(game.matrices().unwrap().0);
            let start = Mixes::even(&saddle);
            let distance = (distance_squared(&start.x, &exact[0])
                + distance_squared(&start.y, &exact[1]))
            .sqrt();
            let solver =
                VarianceReducedHalpern { tolerance: 0.0, products: 6_000.0, restart: false };
            let mut seen = 0;
            solver
                .solve_observed(&game, &SolveOptions::default(), |progress| {
                    let k = progress.since_anchor as f64;
                    assert!(progress.residual <= 1.5 * 2.0 * distance / (k + 1.0), "{progress:?}");
                    assert!(progress.nash_conv <= 1.5 * progress.bound, "{progress:?}");
                    seen += 1;
                })
                .unwrap();
            assert!(seen > 50, "{seen}");
        }
    }
}
