//! Bases of a dense linear program through the inverse of their kernel.
//!
//! For `max c y` subject to `A y <= b`, `y >= 0`, a basis is a set `C` of columns that may be
//! positive and an equally large set `R` of rows that are tight; its *kernel* is `A[R, C]`.
//! Everything a simplex method asks for follows from the kernel's inverse and the matrix itself,
//! so a pivot costs about `k (m + n)` operations for a kernel of size `k`, where a full tableau
//! costs `m n` and writes all of it.
//!
//! Rows and columns are kept in an order in which `R` and `C` come first: positions below `k`
//! belong to the kernel, and every loop runs over consecutive memory.

use super::lu::Lu;
use super::{add_multiple, dot};

/// A variable of the program by its present position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// A column; basic below the kernel's size.
    Column(usize),
    /// The slack of a row; basic from the kernel's size on.
    Slack(usize),
}

/// A basis, its inverse, and the values of all variables.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// Number of rows of the program.
    pub(super) m: usize,
    /// Number of columns of the program.
    pub(super) n: usize,
    /// Size of the kernel.
    pub(super) size: usize,
    /// `[m, n]` row-major, by position.
    matrix: Vec<f64>,
    /// By position.
    pub(super) right: Vec<f64>,
    /// By position.
    pub(super) cost: Vec<f64>,
    /// The original row at each position.
    pub(super) rows: Vec<usize>,
    /// The original column at each position.
    pub(super) columns: Vec<usize>,
    /// The kernel's inverse, `[C, R]`, in rows of length `stride`.
    inverse: Vec<f64>,
    stride: usize,
    /// Inside the kernel the dual variable of a row, outside it the slack.
    pub(super) row_values: Vec<f64>,
    /// Inside the kernel the value of a column, outside it the reduced cost `c_j - x A_j`.
    pub(super) column_values: Vec<f64>,
}

/// What one unit of a nonbasic variable takes from the basic ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Direction {
    /// From the columns inside the kernel.
    pub(super) columns: Vec<f64>,
    /// From the slacks outside it, at index `position - size`.
    pub(super) slacks: Vec<f64>,
}

/// The row of the tableau that belongs to a basic variable.
#[derive(Clone, Debug, Default)]
pub(super) struct TableauRow {
    /// Entries of the columns outside the kernel, at index `position - size`.
    pub(super) columns: Vec<f64>,
    /// Entries of the slacks inside it: the row of the inverse, or minus the image under the
    /// inverse of the row whose slack it is.
    pub(super) slacks: Vec<f64>,
}

impl Kernel {
    /// The basis of all slacks.
    pub(super) fn new(
        m: usize,
        n: usize,
        matrix: Vec<f64>,
        right: Vec<f64>,
        cost: Vec<f64>,
    ) -> Self {
        Self {
            m,
            n,
            size: 0,
            matrix,
            row_values: right.clone(),
            column_values: cost.clone(),
            right,
            cost,
            rows: (0..m).collect(),
            columns: (0..n).collect(),
            inverse: Vec::new(),
            stride: 0,
        }
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.matrix[row * self.n..(row + 1) * self.n]
    }

    fn inverse_row(&self, row: usize) -> &[f64] {
        &self.inverse[row * self.stride..row * self.stride + self.size]
    }

    /// `inverse * right`.
    fn times_inverse(&self, right: &[f64]) -> Vec<f64> {
        (0..self.size).map(|row| dot(self.inverse_row(row), right)).collect()
    }

    /// `left * inverse`.
    fn inverse_times(&self, left: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.size];
        for (row, &weight) in left.iter().enumerate() {
            add_multiple(&mut sum, weight, self.inverse_row(row));
        }
        sum
    }

    /// What a nonbasic variable takes from the basic ones; `refined` corrects it once by its
    /// residual, for an inverse that has lost digits.
    pub(super) fn direction(&self, entering: Variable, refined: bool) -> Direction {
        let k = self.size;
        let inside: Vec<f64> = match entering {
            Variable::Column(q) => (0..k).map(|row| self.row(row)[q]).collect(),
            Variable::Slack(r) => unit(k, r),
        };
        let mut columns = match entering {
            Variable::Column(_) => self.times_inverse(&inside),
            Variable::Slack(r) => (0..k).map(|row| self.inverse_row(row)[r]).collect(),
        };
        if refined {
            self.correct_columns(&mut columns, &inside);
        }
        let slacks = (k..self.m)
            .map(|row| {
                let own = if let Variable::Column(q) = entering { self.row(row)[q] } else { 0.0 };
                own - dot(&self.row(row)[..k], &columns)
            })
            .collect();
        Direction { columns, slacks }
    }

    /// The row of the tableau of a basic variable; `refined` as for [`Kernel::direction`].
    pub(super) fn tableau_row(&self, leaving: Variable, refined: bool) -> TableauRow {
        let k = self.size;
        let (mut slacks, mut columns) = match leaving {
            Variable::Column(c) => (self.inverse_row(c).to_vec(), vec![0.0; self.n - k]),
            Variable::Slack(i) => {
                let row = self.row(i);
                let slacks: Vec<f64> =
                    self.inverse_times(&row[..k]).iter().map(|entry| -entry).collect();
                (slacks, row[k..].to_vec())
            }
        };
        if refined {
            let target = match leaving {
                Variable::Column(c) => unit(k, c),
                Variable::Slack(i) => self.row(i)[..k].iter().map(|entry| -entry).collect(),
            };
            self.correct_rows(&mut slacks, &target);
        }
        for (row, &weight) in slacks.iter().enumerate() {
            add_multiple(&mut columns, weight, &self.row(row)[k..]);
        }
        TableauRow { columns, slacks }
    }

    /// Brings `kernel * values` closer to `right`; gives the correction.
    fn correct_columns(&self, values: &mut [f64], right: &[f64]) -> Vec<f64> {
        let k = self.size;
        let short: Vec<f64> =
            (0..k).map(|row| right[row] - dot(&self.row(row)[..k], values)).collect();
        let correction = self.times_inverse(&short);
        add_multiple(values, 1.0, &correction);
        correction
    }

    /// Brings `values * kernel` closer to `right`; gives the correction.
    fn correct_rows(&self, values: &mut [f64], right: &[f64]) -> Vec<f64> {
        let mut short = right.to_vec();
        for (row, &weight) in values.iter().enumerate() {
            add_multiple(&mut short, -weight, &self.row(row)[..self.size]);
        }
        let correction = self.inverse_times(&short);
        add_multiple(values, 1.0, &correction);
        correction
    }

    /// Exchanges a nonbasic and a basic variable and brings all values up to date.
    ///
    /// `direction` and `tableau_row` are those of the two variables; their common entry must not
    /// be zero.
    pub(super) fn pivot(
        &mut self,
        (entering, direction): (Variable, &Direction),
        (leaving, row): (Variable, &TableauRow),
    ) {
        let k = self.size;
        let (pivot, leaving_value) = match leaving {
            Variable::Column(c) => (direction.columns[c], self.column_values[c]),
            Variable::Slack(i) => (direction.slacks[i - k], self.row_values[i]),
        };
        let step = leaving_value / pivot;
        add_multiple(&mut self.column_values[..k], -step, &direction.columns);
        add_multiple(&mut self.row_values[k..], -step, &direction.slacks);
        let reduced = match entering {
            Variable::Column(q) => self.column_values[q],
            Variable::Slack(r) => -self.row_values[r],
        };
        let price = reduced / pivot;
        add_multiple(&mut self.column_values[k..], -price, &row.columns);
        add_multiple(&mut self.row_values[..k], price, &row.slacks);

        let w = &direction.columns;
        match (entering, leaving) {
            (Variable::Column(q), Variable::Slack(i)) => {
                self.grow(w, &row.slacks, pivot);
                self.swap_columns(q, k);
                self.swap_rows(i, k);
                self.size = k + 1;
                self.column_values[k] = step;
                self.row_values[k] = price;
            }
            (Variable::Column(q), Variable::Column(c)) => {
                self.eliminate(w, &row.slacks, pivot, k);
                let inverse_row = &mut self.inverse[c * self.stride..c * self.stride + k];
                for (entry, &by) in inverse_row.iter_mut().zip(&row.slacks) {
                    *entry = by / pivot;
                }
                self.swap_columns(q, c);
                self.column_values[c] = step;
                self.column_values[q] = -price;
            }
            (Variable::Slack(r), Variable::Slack(i)) => {
                self.eliminate(w, &row.slacks, pivot, k);
                for (at, &by) in w.iter().enumerate() {
                    self.inverse[at * self.stride + r] = -by / pivot;
                }
                self.swap_rows(r, i);
                self.row_values[r] = price;
                self.row_values[i] = step;
            }
            (Variable::Slack(r), Variable::Column(c)) => {
                self.eliminate(w, &row.slacks, pivot, k);
                let last = k - 1;
                // Whatever stood last moves into the gaps, in the inverse as in the matrix.
                for at in 0..k {
                    self.inverse.swap(at * self.stride + r, at * self.stride + last);
                }
                for at in 0..last {
                    self.inverse.swap(c * self.stride + at, last * self.stride + at);
                }
                self.swap_rows(r, last);
                self.swap_columns(c, last);
                self.size = last;
                self.row_values[last] = step;
                self.column_values[last] = -price;
            }
        }
    }

    /// `inverse -= w row / pivot`, over the first `k` rows and columns.
    fn eliminate(&mut self, w: &[f64], row: &[f64], pivot: f64, k: usize) {
        if k == 0 {
            return;
        }
        for (inverse_row, &weight) in self.inverse.chunks_exact_mut(self.stride).zip(w) {
            add_multiple(&mut inverse_row[..k], -weight / pivot, row);
        }
    }

    /// The inverse of the kernel bordered by a column (with `w` its image under the inverse) and a
    /// row (with `-row` its image).
    fn grow(&mut self, w: &[f64], row: &[f64], pivot: f64) {
        let k = self.size;
        if k == self.stride {
            let stride = (2 * k).max(8).min(self.m.min(self.n));
            let mut wider = vec![0.0; stride * stride];
            for at in 0..k {
                wider[at * stride..at * stride + k].copy_from_slice(self.inverse_row(at));
            }
            (self.inverse, self.stride) = (wider, stride);
        }
        self.eliminate(w, row, pivot, k);
        for (at, &by) in w.iter().enumerate() {
            self.inverse[at * self.stride + k] = -by / pivot;
        }
        let last = &mut self.inverse[k * self.stride..=k * self.stride + k];
        for (entry, &by) in last.iter_mut().zip(row) {
            *entry = by / pivot;
        }
        last[k] = 1.0 / pivot;
    }

    fn swap_rows(&mut self, a: usize, b: usize) {
        let (a, b) = (a.min(b), a.max(b));
        if a == b {
            return;
        }
        let (above, below) = self.matrix.split_at_mut(b * self.n);
        above[a * self.n..(a + 1) * self.n].swap_with_slice(&mut below[..self.n]);
        self.right.swap(a, b);
        self.rows.swap(a, b);
        self.row_values.swap(a, b);
    }

    fn swap_columns(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        for row in self.matrix.chunks_exact_mut(self.n) {
            row.swap(a, b);
        }
        self.cost.swap(a, b);
        self.columns.swap(a, b);
        self.column_values.swap(a, b);
    }

    /// Computes all values from the inverse, each corrected once by its residual; gives the
    /// largest correction relative to the largest value, which measures how far the inverse has
    /// drifted.
    pub(super) fn revalue(&mut self) -> f64 {
        let k = self.size;
        let mut drift = 0.0_f64;
        let mut note = |values: &[f64], corrections: &[f64]| {
            let size = |v: &[f64]| v.iter().fold(0.0, |m: f64, z| m.max(z.abs()));
            let largest = size(values);
            drift = if largest > 0.0 { drift.max(size(corrections) / largest) } else { drift };
        };
        let mut y = self.times_inverse(&self.right[..k]);
        let correction = self.correct_columns(&mut y, &self.right[..k]);
        note(&y, &correction);
        let mut x = self.inverse_times(&self.cost[..k]);
        let correction = self.correct_rows(&mut x, &self.cost[..k]);
        note(&x, &correction);
        self.set_values(&y, &x);
        drift
    }

    /// Factors the kernel afresh and computes inverse and values from it; false if the kernel is
    /// singular to rounding.
    pub(super) fn refactor(&mut self) -> bool {
        let k = self.size;
        let kernel: Vec<f64> = (0..k).flat_map(|row| self.row(row)[..k].to_vec()).collect();
        let Some(lu) = Lu::new(k, kernel, f64::EPSILON) else { return false };
        for (row, fresh) in lu.inverse().chunks_exact(k.max(1)).enumerate() {
            self.inverse[row * self.stride..row * self.stride + k].copy_from_slice(fresh);
        }
        self.revalue_by(&lu);
        true
    }

    /// Computes all values by a fresh factorisation, without touching the inverse; false if the
    /// kernel is singular to rounding.
    pub(super) fn polish(&mut self) -> bool {
        let k = self.size;
        let kernel: Vec<f64> = (0..k).flat_map(|row| self.row(row)[..k].to_vec()).collect();
        let lu = Lu::new(k, kernel, f64::EPSILON);
        lu.inspect(|lu| self.revalue_by(lu)).is_some()
    }

    fn revalue_by(&mut self, lu: &Lu) {
        let k = self.size;
        let mut y = lu.solve(&self.right[..k]);
        let short: Vec<f64> =
            (0..k).map(|row| self.right[row] - dot(&self.row(row)[..k], &y)).collect();
        add_multiple(&mut y, 1.0, &lu.solve(&short));
        let mut x = lu.solve_transposed(&self.cost[..k]);
        let mut short = self.cost[..k].to_vec();
        for (row, &weight) in x.iter().enumerate() {
            add_multiple(&mut short, -weight, &self.row(row)[..k]);
        }
        add_multiple(&mut x, 1.0, &lu.solve_transposed(&short));
        self.set_values(&y, &x);
    }

    fn set_values(&mut self, y: &[f64], x: &[f64]) {
        let k = self.size;
        self.column_values[..k].copy_from_slice(y);
        self.row_values[..k].copy_from_slice(x);
        for row in k..self.m {
            self.row_values[row] = self.right[row] - dot(&self.row(row)[..k], y);
        }
        let mut reduced = self.cost[k..].to_vec();
        for (row, &weight) in x.iter().enumerate() {
            add_multiple(&mut reduced, -weight, &self.row(row)[k..]);
        }
        self.column_values[k..].copy_from_slice(&reduced);
    }

    /// Adds to every basic variable what `raise` gives for its value, by raising right-hand sides.
    pub(super) fn raise_basics(&mut self, mut raise: impl FnMut(f64) -> f64) {
        let k = self.size;
        let columns: Vec<f64> = self.column_values[..k].iter().map(|&value| raise(value)).collect();
        add_multiple(&mut self.column_values[..k], 1.0, &columns);
        for row in 0..self.m {
            self.right[row] += dot(&self.row(row)[..k], &columns);
            if row >= k {
                let by = raise(self.row_values[row]);
                self.right[row] += by;
                self.row_values[row] += by;
            }
        }
    }

    /// Takes from the reduced cost of every nonbasic variable what `lower` gives for it, by
    /// changing costs.
    pub(super) fn lower_reduced_costs(&mut self, mut lower: impl FnMut(f64) -> f64) {
        let k = self.size;
        for row in 0..k {
            let by = lower(-self.row_values[row]);
            self.row_values[row] += by;
            let (from, to) = (row * self.n, (row + 1) * self.n);
            add_multiple(&mut self.cost, by, &self.matrix[from..to]);
        }
        for column in k..self.n {
            let by = lower(self.column_values[column]);
            self.column_values[column] -= by;
            self.cost[column] -= by;
        }
    }
}

fn unit(size: usize, at: usize) -> Vec<f64> {
    let mut unit = vec![0.0; size];
    unit[at] = 1.0;
    unit
}
