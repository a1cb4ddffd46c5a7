//! Two-player constant-sum games as saddle-point problems, for first-order methods.
//!
//! With the row player's payoffs shifted and scaled into `-1..=1` as `A`, the row player's mix `x`
//! maximises and the column player's `y` minimises `x' A y` over simplices.

use ndarray::ArrayView2;

use crate::linear::add_multiple;
use crate::linear::projection::project_to_simplex;

/// The payoffs, by rows and by columns.
#[derive(Clone, Debug)]
pub(super) struct Saddle {
    /// Actions of the row player.
    pub(super) m: usize,
    /// Actions of the column player.
    pub(super) n: usize,
    by_row: Vec<f64>,
    by_column: Vec<f64>,
    /// Payoff per unit of `A`; 0 if all payoffs are equal.
    pub(super) scale: f64,
}

/// A mix of each player and what every action earns against it.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// The row player's mix.
    pub(super) x: Vec<f64>,
    /// The column player's mix.
    pub(super) y: Vec<f64>,
    /// `A y`: what the row player's actions earn it.
    pub(super) rows: Vec<f64>,
    /// `A' x`: what the column player's actions cost it.
    pub(super) columns: Vec<f64>,
}

impl Saddle {
    /// The problem of a matrix of the row player's payoffs.
    pub(super) fn new(payoffs: ArrayView2<'_, f64>) -> Self {
        let (m, n) = payoffs.dim();
        // Halves, so that nothing overflows.
        let half = |payoff: f64| 0.5 * payoff;
        let fold =
            |start: f64, f: fn(f64, f64) -> f64| payoffs.iter().copied().map(half).fold(start, f);
        let (least, most) = (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max));
        let range = most - least;
        let entry = |payoff: f64| {
            if range > 0.0 { 2.0 * ((half(payoff) - least) / range) - 1.0 } else { 0.0 }
        };
        Self {
            m,
            n,
            by_row: payoffs.iter().map(|&payoff| entry(payoff)).collect(),
            by_column: payoffs.t().iter().map(|&payoff| entry(payoff)).collect(),
            scale: range,
        }
    }

    /// Row `i` of `A`.
    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.by_row[i * self.n..(i + 1) * self.n]
    }

    /// Column `j` of `A`.
    pub(super) fn column(&self, j: usize) -> &[f64] {
        &self.by_column[j * self.m..(j + 1) * self.m]
    }

    /// `A y`; columns without weight cost nothing.
    pub(super) fn rows_against(&self, y: &[f64]) -> Vec<f64> {
        let mut earned = vec![0.0; self.m];
        for (j, &weight) in y.iter().enumerate() {
            add_multiple(&mut earned, weight, self.column(j));
        }
        earned
    }

    /// `A' x`; rows without weight cost nothing.
    pub(super) fn columns_against(&self, x: &[f64]) -> Vec<f64> {
        let mut cost = vec![0.0; self.n];
        for (i, &weight) in x.iter().enumerate() {
            add_multiple(&mut cost, weight, self.row(i));
        }
        cost
    }

    /// Even mixing.
    pub(super) fn even(&self) -> Point {
        self.point(vec![1.0 / self.m as f64; self.m], vec![1.0 / self.n as f64; self.n])
    }

    /// A pair of mixes with what actions earn.
    pub(super) fn point(&self, x: Vec<f64>, y: Vec<f64>) -> Point {
        let (rows, columns) = (self.rows_against(&y), self.columns_against(&x));
        Point { x, y, rows, columns }
    }

    /// The square of the Frobenius norm of `A`.
    pub(super) fn frobenius_squared(&self) -> f64 {
        self.by_row.iter().map(|entry| entry * entry).sum()
    }

    /// An estimate of the largest singular value of `A` from below, by the power method.
    pub(super) fn norm_estimate(&self) -> f64 {
        // Multiples of the golden ratio: no direction is left out.
        let mut y: Vec<f64> =
            (0..self.n).map(|j| (0.618_033_988_749_895 * (j + 1) as f64).fract() - 0.5).collect();
        let mut norm = 0.0;
        for _ in 0..30 {
            let length = squared(&y).sqrt();
            if length <= 0.0 {
                break;
            }
            for entry in &mut y {
                *entry /= length;
            }
            let rows = self.rows_against(&y);
            norm = squared(&rows).sqrt();
            y = self.columns_against(&rows);
        }
        norm
    }
}

impl Point {
    /// NashConv in units of `A`: what both players together gain by best responses.
    pub(super) fn nash_conv(&self) -> f64 {
        let best = self.rows.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let worst = self.columns.iter().copied().fold(f64::INFINITY, f64::min);
        best - worst
    }

    /// `a * self + b * one + c * two`, products included.
    pub(super) fn combine(&mut self, a: f64, (b, one): (f64, &Self), (c, two): (f64, &Self)) {
        let parts = [
            (&mut self.x, &one.x, &two.x),
            (&mut self.y, &one.y, &two.y),
            (&mut self.rows, &one.rows, &two.rows),
            (&mut self.columns, &one.columns, &two.columns),
        ];
        for (own, one, two) in parts {
            for ((own, one), two) in own.iter_mut().zip(one).zip(two) {
                *own = a * *own + b * one + c * two;
            }
        }
    }
}

/// `point + factor * direction`, projected on the simplex.
pub(super) fn step(point: &[f64], factor: f64, direction: &[f64]) -> Vec<f64> {
    let mut moved = point.to_vec();
    add_multiple(&mut moved, factor, direction);
    project_to_simplex(&mut moved, 0.0);
    moved
}

/// The sum of squares.
pub(super) fn squared(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

/// The square of the distance.
pub(super) fn distance_squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// How far a first-order method has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Iterations so far.
    pub iteration: u64,
    /// Iterations since the anchor was last moved.
    pub since_anchor: u64,
    /// Products with the payoff matrix so far (a product with a part of it counts as that part).
    pub products: f64,
    /// Distance of the iterate to its image under the fixed-point operator, in the operator's own
    /// norm, for payoffs scaled to `-1..=1`: the quantity that the method's theory bounds.
    pub residual: f64,
    /// What `residual` proves about the NashConv of the image, in payoff.
    pub bound: f64,
    /// That NashConv, in payoff.
    pub nash_conv: f64,
}
