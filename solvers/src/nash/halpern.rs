//! An anchored first-order method whose last iterate converges.

use serde::{Deserialize, Serialize};

use super::bimatrix::matrices;
pub use super::saddle::Progress;
use super::saddle::{Point, Saddle, distance_squared, step};
use crate::game::NormalForm;
use crate::linear::dot;
use crate::solution::{
    Parameter, Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop,
    Takes,
};

/// An approximate equilibrium of a two-player constant-sum game by Halpern's iteration on the
/// primal-dual hybrid gradient (PDHG) operator, for games too large for linear programming.
///
/// PDHG takes `z = (x, y)` to `T z`: `y+ = P(y - t A' x)`, `x+ = P(x + t A (2 y+ - y))` with
/// `t < 1 / |A|`, `P` the projection on a simplex.
/// `T` is firmly nonexpansive in the norm `|z|^2 = |x|^2/t + |y|^2/t - 2 x' A y`, so its reflection
/// `2 T - 1` is nonexpansive, and Halpern's iteration
/// `z[k+1] = z[0] / (k+2) + (k+1)/(k+2) (2 T z[k] - z[k])` has
/// `|z[k] - T z[k]| <= |z[0] - z*| / (k+1)` (Lieder 2021): the *last* iterate converges, at the
/// best possible rate, and its residual is known at every step.
/// It bounds the regrets: NashConv of `T z` is at most `|z - T z| sqrt(8 / t)`, because
/// `T z` solves the game that its residual disturbs; both numbers are in [`Progress`].
/// With `restart` the anchor moves to the present point whenever the residual has fallen by a
/// factor `e`, which makes convergence linear on games (Lu and Yang, "Restarted Halpern PDHG for
/// linear programming", 2024).
///
/// An iteration costs two products of the payoff matrix with a mix.
/// Sources: Halpern 1967; Lieder, "On the convergence rate of the Halpern-iteration", Optimization
/// Letters 15, 2021; Chambolle and Pock 2011 for PDHG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Halpern {
    /// NashConv, relative to the range of payoffs, at which to stop.
    pub tolerance: f64,
    /// Iterations at most.
    pub iterations: u64,
    /// Whether the anchor moves.
    pub restart: bool,
}

impl Default for Halpern {
    fn default() -> Self {
        Self { tolerance: 1e-6, iterations: 50_000, restart: true }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "halpern",
    about: "approximate equilibrium of a large constant-sum game: anchored (Halpern) primal-dual hybrid gradient, last iterate",
    takes: Takes::TwoPlayersConstantSum,
    enumerates: false,
    parameters: &[
        Parameter {
            name: "tolerance",
            about: "NashConv over the range of payoffs at which to stop (default 1e-6)",
        },
        Parameter { name: "iterations", about: "iterations at most (default 50000)" },
        Parameter {
            name: "restart",
            about: "move the anchor whenever the residual has fallen by a factor e (default true)",
        },
    ],
};

impl Solver for Halpern {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, _options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.solve_observed(game, |_| ()).map(Solutions::one)
    }
}

impl Halpern {
    /// Solves the game and shows every iteration on the way.
    ///
    /// # Errors
    ///
    /// As [`Solver::solve`].
    pub fn solve_observed(
        &self,
        game: &NormalForm,
        mut observe: impl FnMut(Progress),
    ) -> Result<Solution, SolveError> {
        self.check(game)?;
        INFO.within("tolerance", self.tolerance, 0.0.., "0 or more")?;
        let (payoffs, _) = matrices(INFO.name, game)?;
        let saddle = Saddle::new(payoffs);
        let mut iteration = Iteration::new(&saddle);
        let mut last = Progress {
            iteration: 0,
            since_anchor: 0,
            products: 0.0,
            residual: f64::INFINITY,
            bound: f64::INFINITY,
            nash_conv: f64::INFINITY,
        };
        let mut stop = Stop::IterationLimit;
        let mut found = iteration.point.clone();
        while last.iteration < self.iterations {
            let (image, residual) = iteration.image();
            last = Progress {
                iteration: last.iteration + 1,
                since_anchor: iteration.since_anchor,
                products: last.products + 2.0,
                residual,
                bound: residual * (8.0 / iteration.step).sqrt() * saddle.scale,
                nash_conv: image.nash_conv() * saddle.scale,
            };
            observe(last);
            if image.nash_conv() <= 2.0 * self.tolerance {
                found = image;
                stop = Stop::Converged;
                break;
            }
            found = image.clone();
            iteration.advance(image, residual, self.restart);
        }
        let profile = Profile::new(vec![found.x, found.y]);
        let mut solution = Solution::certify(game, profile, last.iteration, stop)?;
        solution.residual = Some(last.residual);
        Ok(solution)
    }
}

struct Iteration<'a> {
    saddle: &'a Saddle,
    /// `t`, for both players.
    step: f64,
    anchor: Point,
    point: Point,
    since_anchor: u64,
    /// Residual of the anchor.
    first_residual: f64,
}

impl<'a> Iteration<'a> {
    fn new(saddle: &'a Saddle) -> Self {
        let norm = saddle.norm_estimate();
        let start = saddle.even();
        Self {
            saddle,
            // The power method approaches the norm from below.
            step: 1.0 / (1.05 * norm).max(f64::MIN_POSITIVE.sqrt()),
            anchor: start.clone(),
            point: start,
            since_anchor: 0,
            first_residual: f64::INFINITY,
        }
    }

    /// The image of the present point and their distance.
    fn image(&mut self) -> (Point, f64) {
        loop {
            let (t, z) = (self.step, &self.point);
            let y = step(&z.y, -t, &z.columns);
            let rows = self.saddle.rows_against(&y);
            let ahead: Vec<f64> =
                rows.iter().zip(&z.rows).map(|(new, old)| 2.0 * new - old).collect();
            let x = step(&z.x, t, &ahead);
            let squares = distance_squared(&x, &z.x) + distance_squared(&y, &z.y);
            let dx: Vec<f64> = z.x.iter().zip(&x).map(|(old, new)| old - new).collect();
            let dy: Vec<f64> = z.rows.iter().zip(&rows).map(|(old, new)| old - new).collect();
            let residual_squared = squares / t - 2.0 * dot(&dx, &dy);
            // Not the square of a norm: the estimate of |A| was too low.
            if residual_squared < 0.0 && squares > 1e-24 {
                self.step /= 1.5;
                self.move_anchor(self.point.clone());
                continue;
            }
            let columns = self.saddle.columns_against(&x);
            return (Point { x, y, rows, columns }, residual_squared.max(0.0).sqrt());
        }
    }

    fn move_anchor(&mut self, to: Point) {
        self.anchor = to.clone();
        self.point = to;
        self.since_anchor = 0;
        self.first_residual = f64::INFINITY;
    }

    fn advance(&mut self, image: Point, residual: f64, restart: bool) {
        if self.since_anchor == 0 {
            self.first_residual = residual;
        } else if restart && residual * std::f64::consts::E <= self.first_residual {
            self.move_anchor(image);
            return;
        }
        let anchored = 1.0 / (self.since_anchor + 2) as f64;
        let free = 1.0 - anchored;
        self.point.combine(-free, (anchored, &self.anchor), (2.0 * free, &image));
        self.since_anchor += 1;
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::nash::linear_program::LinearProgram;
    use crate::seed::{Purpose, Streams, unit_f64};

    fn random(m: usize, n: usize) -> NormalForm {
        let mut rng = Streams::new(47).at(Purpose::Generate, (m * n) as u32, 0);
        let payoffs = Array2::from_shape_simple_fn((m, n), || 6.0 * unit_f64(&mut rng) - 1.0);
        NormalForm::zero_sum(payoffs.view()).unwrap()
    }

    /// Lieder's bound, in the operator's own norm, with the equilibrium from the linear program;
    /// and what the residual says about NashConv.
    #[test]
    fn the_residual_falls_as_one_over_k() {
        for (m, n) in [(2, 2), (5, 9), (40, 30)] {
            let game = random(m, n);
            let exact = LinearProgram {}.solve(&game, &SolveOptions::default()).unwrap();
            let exact = exact.equilibria[0].profile.clone().into_inner();
            let saddle = Saddle::new(game.matrices().unwrap().0);
            let iteration = Iteration::new(&saddle);
            let start = &iteration.anchor;
            let squares =
                distance_squared(&start.x, &exact[0]) + distance_squared(&start.y, &exact[1]);
            let dx: Vec<f64> = start.x.iter().zip(&exact[0]).map(|(a, b)| a - b).collect();
            let dy: Vec<f64> = start.y.iter().zip(&exact[1]).map(|(a, b)| a - b).collect();
            let distance =
                (squares / iteration.step - 2.0 * dot(&dx, &saddle.rows_against(&dy))).sqrt();
            let solver = Halpern { tolerance: 0.0, iterations: 2_000, restart: false };
            let mut seen = 0;
            solver
                .solve_observed(&game, |progress| {
                    let k = progress.since_anchor as f64;
                    assert!(progress.residual <= distance / (k + 1.0) + 1e-12, "{progress:?}");
                    assert!(progress.nash_conv <= progress.bound + 1e-12, "{progress:?}");
                    seen += 1;
                })
                .unwrap();
            assert_eq!(seen, 2_000);
        }
    }

    #[test]
    fn an_estimate_of_the_norm_that_is_too_low_is_noticed() {
        let game = random(12, 12);
        let saddle = Saddle::new(game.matrices().unwrap().0);
        let mut iteration = Iteration::new(&saddle);
        let right = iteration.step;
        iteration.step *= 20.0;
        for _ in 0..3_000 {
            let (image, residual) = iteration.image();
            iteration.advance(image, residual, true);
        }
        assert!(iteration.step < 4.0 * right && iteration.step > 0.5 * right);
        assert!(iteration.image().0.nash_conv() < 1e-6);
    }
}
