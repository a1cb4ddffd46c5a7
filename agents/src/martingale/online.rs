//! CTD(lambda) step by step, parameters moving along the path.

use super::iterate::Steps;
use super::moments::{Errors, Piece};

/// `z = lambda^dt z + phi dt`, `theta += s z delta`; with `lambda` 0, `theta += s phi delta`. A step size is for
/// one path: it does not change within it.
#[derive(Clone, Debug)]
pub struct Online {
    lambda: f64,
    steps: Steps,
    paths: u64,
    /// The parameters.
    pub theta: Vec<f64>,
    trace: Vec<f64>,
}

impl Online {
    /// Begins at 0.
    pub fn new(lambda: f64, steps: Steps, parameters: usize) -> Self {
        let zero = vec![0.0; parameters];
        Self { lambda, steps, paths: 0, theta: zero.clone(), trace: zero }
    }

    /// Starts another path.
    pub fn begin(&mut self) {
        self.trace.fill(0.0);
        self.paths += 1;
    }

    /// Learns along a piece; pieces of one path in order.
    pub fn learn(&mut self, piece: &Piece<'_>, errors: &Errors) {
        let m = self.theta.len();
        let step = self.steps.at(self.paths.saturating_sub(1));
        let (fade, gain) = if self.lambda > 0.0 {
            (libm::pow(self.lambda, piece.points.dt), piece.points.dt)
        } else {
            (0.0, 1.0)
        };
        let (theta, trace) = (&mut self.theta, &mut self.trace);
        for ((phi, slope), error) in
            errors.features.chunks_exact(m).zip(errors.slopes.chunks_exact(m)).zip(&errors.errors)
        {
            let mut delta = *error;
            for i in 0..m {
                delta += slope[i] * theta[i];
                trace[i] = fade * trace[i] + gain * phi[i];
            }
            for i in 0..m {
                theta[i] += step * trace[i] * delta;
            }
        }
    }
}
