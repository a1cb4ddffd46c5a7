//! A simplex method for dense linear programs with a feasible origin.
//!
//! For games and correlated play, whose programs are dense; crates made for sparse ones take ten
//! times as long on them (figures at [`LinearProgram`](crate::nash::linear_program)).

use super::kernel::{Direction, Kernel, TableauRow, Variable};

/// `max cost y` subject to `matrix y <= right`, `y >= 0`, with `right >= 0`.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Constraints.
    pub(crate) rows: usize,
    /// Variables.
    pub(crate) columns: usize,
    /// `[rows, columns]`, row-major; entries should be of the order of 1.
    pub(crate) matrix: Vec<f64>,
    /// One bound per row, none negative.
    pub(crate) right: Vec<f64>,
    /// One coefficient per column.
    pub(crate) cost: Vec<f64>,
}

/// A pair of optimal solutions.
#[derive(Clone, Debug)]
pub(crate) struct Optimum {
    /// Values of the variables.
    pub(crate) primal: Vec<f64>,
    /// Multipliers of the constraints.
    pub(crate) dual: Vec<f64>,
    /// Basis exchanges.
    pub(crate) pivots: u64,
    /// Whether both are feasible within [`TOLERANCE`]; if not, rounding stopped the method.
    pub(crate) optimal: bool,
}

/// No bound on the objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unbounded;

/// Violations of feasibility, primal or dual, that count as rounding.
pub(crate) const TOLERANCE: f64 = 1e-10;
/// Entries of a direction below this size are not pivoted on.
const SMALLEST_PIVOT: f64 = 1e-9;
/// Pivots between two corrections of the values, at least and at most.
const REVALUE: [u64; 2] = [2, 64];
/// Relative difference of a pivot in its row and in its column above which both are computed with
/// more care.
const AGREEMENT: f64 = 1e-7;
/// Relative drift of the values above which the kernel is factored afresh.
const DRIFT: f64 = 1e-8;
/// Consecutive pivots without progress after which the program is perturbed.
const STALL: u32 = 30;
/// Changes of the objective that count as none.
const NO_GAIN: f64 = 1e-13;
/// Size of a perturbation.
const PERTURBATION: f64 = 1e-7;

enum End {
    Optimal,
    Unbounded,
    Stalled,
    Limit,
}

struct Simplex {
    kernel: Kernel,
    /// Devex weights of slacks and columns by their original numbers: of the nonbasic ones in the
    /// primal method, of the basic ones in the dual.
    row_weights: Vec<f64>,
    column_weights: Vec<f64>,
    pivots: u64,
    /// Pivots since the kernel was last factored.
    age: u64,
    /// Pivots since the values were last corrected, and how many of them are allowed.
    uncorrected: u64,
    interval: u64,
    limit: u64,
    noise: u64,
}

impl Program {
    /// Solves the program.
    ///
    /// The primal method with Devex pricing and Harris' ratio test; where it stalls in a
    /// degenerate vertex, bounds are perturbed, and the dual method removes what the perturbation
    /// left.
    /// Values come from a fresh factorisation of the last basis.
    pub(crate) fn maximise(self) -> Result<Optimum, Unbounded> {
        let (m, n) = (self.rows, self.columns);
        let (right, cost) = (self.right.clone(), self.cost.clone());
        let mut simplex = Simplex {
            kernel: Kernel::new(m, n, self.matrix, self.right, self.cost),
            row_weights: vec![1.0; m],
            column_weights: vec![1.0; n],
            pivots: 0,
            age: 0,
            uncorrected: 0,
            interval: 8,
            limit: 100 * (m + n) as u64 + 1000,
            noise: 0,
        };
        let mut optimal = false;
        for _ in 0..20 {
            match simplex.primal() {
                End::Optimal => {}
                End::Unbounded => return Err(Unbounded),
                End::Stalled => {
                    simplex.perturb_right();
                    continue;
                }
                End::Limit => break,
            }
            simplex.restore_right(&right);
            let mut end = simplex.dual();
            for _ in 0..20 {
                if !matches!(end, End::Stalled) {
                    break;
                }
                simplex.perturb_cost();
                end = simplex.dual();
            }
            simplex.restore_cost(&cost);
            if simplex.is_optimal() {
                optimal = true;
                break;
            }
        }
        let kernel = &simplex.kernel;
        let mut primal = vec![0.0; n];
        let mut dual = vec![0.0; m];
        for at in 0..kernel.size {
            primal[kernel.columns[at]] = kernel.column_values[at].max(0.0);
            dual[kernel.rows[at]] = kernel.row_values[at].max(0.0);
        }
        Ok(Optimum { primal, dual, pivots: simplex.pivots, optimal })
    }
}

impl Simplex {
    fn reset_weights(&mut self) {
        self.row_weights.fill(1.0);
        self.column_weights.fill(1.0);
    }

    /// Numbers in 1..2, the same in every run.
    fn next_noise(noise: &mut u64) -> f64 {
        *noise = noise.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *noise;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        1.0 + ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn perturb_right(&mut self) {
        let noise = &mut self.noise;
        self.kernel.raise_basics(|_| PERTURBATION * Self::next_noise(noise));
    }

    fn perturb_cost(&mut self) {
        let noise = &mut self.noise;
        self.kernel.lower_reduced_costs(|_| PERTURBATION * Self::next_noise(noise));
    }

    fn restore_right(&mut self, right: &[f64]) {
        for (entry, &row) in self.kernel.right.iter_mut().zip(&self.kernel.rows) {
            *entry = right[row];
        }
        self.kernel.polish();
    }

    fn restore_cost(&mut self, cost: &[f64]) {
        for (entry, &column) in self.kernel.cost.iter_mut().zip(&self.kernel.columns) {
            *entry = cost[column];
        }
        self.kernel.polish();
    }

    fn is_optimal(&self) -> bool {
        let kernel = &self.kernel;
        let (k, bound) = (kernel.size, -TOLERANCE);
        kernel.row_values.iter().all(|&value| value >= bound)
            && kernel.column_values[..k].iter().all(|&value| value >= bound)
            && kernel.column_values[k..].iter().all(|&value| value <= TOLERANCE)
    }

    /// The primal method from a primal feasible basis.
    fn primal(&mut self) -> End {
        self.reset_weights();
        let mut idle = 0;
        loop {
            let Some(entering) = self.cheapest() else { return End::Optimal };
            let mut direction = self.kernel.direction(entering, self.is_delicate());
            let Some(mut leaving) = self.first_to_leave(&direction) else { return End::Unbounded };
            let mut row = self.kernel.tableau_row(leaving, self.is_delicate());
            if !self.agree(entering, &direction, leaving, &row) {
                direction = self.kernel.direction(entering, true);
                let Some(again) = self.first_to_leave(&direction) else { return End::Unbounded };
                leaving = again;
                row = self.kernel.tableau_row(leaving, true);
                if !self.agree(entering, &direction, leaving, &row) && self.refreshed() {
                    continue;
                }
            }
            let pivot = self.pivot_entry(&direction, leaving);
            let gain = self.basic_value(leaving) * self.reduced_cost(entering) / pivot;
            idle = if gain > NO_GAIN { 0 } else { idle + 1 };
            self.weigh_nonbasic(entering, leaving, &row, pivot);
            if self.exchange(entering, &direction, leaving, &row) {
                // What rounding has taken below zero is lifted, to be settled by the dual method.
                self.kernel.raise_basics(|value| if value < -TOLERANCE { -value } else { 0.0 });
            }
            if idle > STALL {
                return End::Stalled;
            }
            if self.pivots >= self.limit {
                return End::Limit;
            }
        }
    }

    /// The dual method from a dual feasible basis.
    fn dual(&mut self) -> End {
        self.reset_weights();
        let mut idle = 0;
        loop {
            let Some(leaving) = self.most_negative() else { return End::Optimal };
            let mut row = self.kernel.tableau_row(leaving, self.is_delicate());
            let Some(mut entering) = self.first_to_enter(&row) else { return End::Limit };
            let mut direction = self.kernel.direction(entering, self.is_delicate());
            if !self.agree(entering, &direction, leaving, &row) {
                row = self.kernel.tableau_row(leaving, true);
                let Some(again) = self.first_to_enter(&row) else { return End::Limit };
                entering = again;
                direction = self.kernel.direction(entering, true);
                if !self.agree(entering, &direction, leaving, &row) && self.refreshed() {
                    continue;
                }
            }
            let pivot = self.pivot_entry(&direction, leaving);
            let gain = self.basic_value(leaving) * self.reduced_cost(entering) / pivot;
            idle = if gain.abs() > NO_GAIN { 0 } else { idle + 1 };
            self.weigh_basic(entering, leaving, &direction, pivot);
            if self.exchange(entering, &direction, leaving, &row) {
                self.kernel.lower_reduced_costs(|cost| if cost > TOLERANCE { cost } else { 0.0 });
            }
            if idle > STALL {
                return End::Stalled;
            }
            if self.pivots >= self.limit {
                return End::Limit;
            }
        }
    }

    /// Whether the pivot is the same number in its row and in its column of the tableau, which
    /// come from different products with the inverse.
    fn agree(
        &self,
        entering: Variable,
        direction: &Direction,
        leaving: Variable,
        row: &TableauRow,
    ) -> bool {
        let in_column = self.pivot_entry(direction, leaving);
        let in_row = match entering {
            Variable::Column(q) => row.columns[q - self.kernel.size],
            Variable::Slack(r) => row.slacks[r],
        };
        (in_column - in_row).abs() <= AGREEMENT * in_column.abs()
    }

    /// Factors the kernel afresh, if that was not just done; whether it was.
    fn refreshed(&mut self) -> bool {
        let due = self.age > 0 && self.kernel.refactor();
        self.age = 0;
        due
    }

    /// Exchanges two variables; whether the values were computed afresh.
    fn exchange(
        &mut self,
        entering: Variable,
        direction: &Direction,
        leaving: Variable,
        row: &TableauRow,
    ) -> bool {
        self.kernel.pivot((entering, direction), (leaving, row));
        self.pivots += 1;
        self.age += 1;
        self.uncorrected += 1;
        if self.uncorrected < self.interval {
            return false;
        }
        self.uncorrected = 0;
        let drift = self.kernel.revalue();
        if drift > DRIFT {
            self.refreshed();
            self.interval = (self.interval / 2).max(REVALUE[0]);
        } else if drift < 0.01 * DRIFT {
            self.interval = (2 * self.interval).min(REVALUE[1]);
        }
        true
    }

    /// Whether the inverse loses digits so fast that all products are corrected.
    fn is_delicate(&self) -> bool {
        self.interval < 8
    }

    fn pivot_entry(&self, direction: &Direction, leaving: Variable) -> f64 {
        match leaving {
            Variable::Column(c) => direction.columns[c],
            Variable::Slack(i) => direction.slacks[i - self.kernel.size],
        }
    }

    fn weight(&mut self, variable: Variable) -> &mut f64 {
        match variable {
            Variable::Column(at) => &mut self.column_weights[self.kernel.columns[at]],
            Variable::Slack(at) => &mut self.row_weights[self.kernel.rows[at]],
        }
    }

    /// Devex for the primal method (Forrest and Goldfarb, "Steepest-edge simplex algorithms for
    /// linear programming", Mathematical Programming 57, 1992).
    fn weigh_nonbasic(
        &mut self,
        entering: Variable,
        leaving: Variable,
        row: &TableauRow,
        pivot: f64,
    ) {
        let k = self.kernel.size;
        let by = *self.weight(entering) / (pivot * pivot);
        for (entry, &column) in row.columns.iter().zip(&self.kernel.columns[k..]) {
            let weight = &mut self.column_weights[column];
            *weight = weight.max(entry * entry * by);
        }
        for (entry, &slack) in row.slacks.iter().zip(&self.kernel.rows[..k]) {
            let weight = &mut self.row_weights[slack];
            *weight = weight.max(entry * entry * by);
        }
        *self.weight(leaving) = by.max(1.0);
    }

    /// Devex for the dual method.
    fn weigh_basic(
        &mut self,
        entering: Variable,
        leaving: Variable,
        direction: &Direction,
        pivot: f64,
    ) {
        let k = self.kernel.size;
        let by = *self.weight(leaving) / (pivot * pivot);
        for (entry, &column) in direction.columns.iter().zip(&self.kernel.columns[..k]) {
            let weight = &mut self.column_weights[column];
            *weight = weight.max(entry * entry * by);
        }
        for (entry, &slack) in direction.slacks.iter().zip(&self.kernel.rows[k..]) {
            let weight = &mut self.row_weights[slack];
            *weight = weight.max(entry * entry * by);
        }
        *self.weight(entering) = by.max(1.0);
    }

    fn basic_value(&self, variable: Variable) -> f64 {
        match variable {
            Variable::Column(c) => self.kernel.column_values[c],
            Variable::Slack(i) => self.kernel.row_values[i],
        }
    }

    fn reduced_cost(&self, variable: Variable) -> f64 {
        match variable {
            Variable::Column(q) => self.kernel.column_values[q],
            Variable::Slack(r) => -self.kernel.row_values[r],
        }
    }

    /// The nonbasic variable with the best reduced cost in relation to its weight.
    fn cheapest(&self) -> Option<Variable> {
        let kernel = &self.kernel;
        let k = kernel.size;
        let mut best = (0.0_f64, None);
        for q in k..kernel.n {
            let reduced = kernel.column_values[q];
            if reduced > TOLERANCE {
                let score = reduced * reduced / self.column_weights[kernel.columns[q]];
                if score > best.0 {
                    best = (score, Some(Variable::Column(q)));
                }
            }
        }
        for r in 0..k {
            let reduced = -kernel.row_values[r];
            if reduced > TOLERANCE {
                let score = reduced * reduced / self.row_weights[kernel.rows[r]];
                if score > best.0 {
                    best = (score, Some(Variable::Slack(r)));
                }
            }
        }
        best.1
    }

    /// The basic variable that falls below zero the furthest in relation to its weight.
    fn most_negative(&self) -> Option<Variable> {
        let kernel = &self.kernel;
        let k = kernel.size;
        let mut best = (0.0_f64, None);
        for c in 0..k {
            let value = kernel.column_values[c];
            if value < -TOLERANCE {
                let score = value * value / self.column_weights[kernel.columns[c]];
                if score > best.0 {
                    best = (score, Some(Variable::Column(c)));
                }
            }
        }
        for i in k..kernel.m {
            let value = kernel.row_values[i];
            if value < -TOLERANCE {
                let score = value * value / self.row_weights[kernel.rows[i]];
                if score > best.0 {
                    best = (score, Some(Variable::Slack(i)));
                }
            }
        }
        best.1
    }

    /// Harris' test in two passes: among the variables that would leave no later than the first
    /// one may with a tolerance, the one with the largest pivot.
    fn first_to_leave(&self, direction: &Direction) -> Option<Variable> {
        let kernel = &self.kernel;
        let k = kernel.size;
        let columns = direction.columns.iter().zip(&kernel.column_values[..k]);
        let slacks = direction.slacks.iter().zip(&kernel.row_values[k..]);
        let bound = columns
            .clone()
            .chain(slacks.clone())
            .filter(|&(&entry, _)| entry > SMALLEST_PIVOT)
            .fold(f64::INFINITY, |bound, (&entry, &value)| {
                bound.min((value.max(0.0) + 0.1 * TOLERANCE) / entry)
            });
        let mut best = (0.0_f64, None);
        for (c, (&entry, &value)) in columns.enumerate() {
            if entry > best.0.max(SMALLEST_PIVOT) && value <= bound * entry {
                best = (entry, Some(Variable::Column(c)));
            }
        }
        for (i, (&entry, &value)) in slacks.enumerate() {
            if entry > best.0.max(SMALLEST_PIVOT) && value <= bound * entry {
                best = (entry, Some(Variable::Slack(k + i)));
            }
        }
        best.1
    }

    /// The same for the dual method: which nonbasic variable's reduced cost reaches zero first.
    fn first_to_enter(&self, row: &TableauRow) -> Option<Variable> {
        let kernel = &self.kernel;
        let k = kernel.size;
        // Reduced costs turned in sign, so that all are to stay above zero.
        let columns = row.columns.iter().zip(&kernel.column_values[k..]).map(|(e, d)| (-e, -d));
        let slacks = row.slacks.iter().zip(&kernel.row_values[..k]).map(|(e, x)| (-e, *x));
        let bound = columns
            .clone()
            .chain(slacks.clone())
            .filter(|&(entry, _)| entry > SMALLEST_PIVOT)
            .fold(f64::INFINITY, |bound, (entry, value)| {
                bound.min((value.max(0.0) + 0.1 * TOLERANCE) / entry)
            });
        let mut best = (0.0_f64, None);
        for (q, (entry, value)) in columns.enumerate() {
            if entry > best.0.max(SMALLEST_PIVOT) && value <= bound * entry {
                best = (entry, Some(Variable::Column(k + q)));
            }
        }
        for (r, (entry, value)) in slacks.enumerate() {
            if entry > best.0.max(SMALLEST_PIVOT) && value <= bound * entry {
                best = (entry, Some(Variable::Slack(r)));
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::dot;

    #[test]
    fn a_program_by_hand() {
        // max 3 x + 5 y; x <= 4, 2 y <= 12, 3 x + 2 y <= 18: (2, 6), 36, multipliers (0, 3/2, 1).
        let program = Program {
            rows: 3,
            columns: 2,
            matrix: vec![1.0, 0.0, 0.0, 2.0, 3.0, 2.0],
            right: vec![4.0, 12.0, 18.0],
            cost: vec![3.0, 5.0],
        };
        let optimum = program.maximise().unwrap();
        assert!(optimum.optimal);
        assert!(optimum.primal.iter().zip([2.0, 6.0]).all(|(z, by)| (z - by).abs() < 1e-14));
        assert!(optimum.dual.iter().zip([0.0, 1.5, 1.0]).all(|(z, by)| (z - by).abs() < 1e-14));
    }

    #[test]
    fn no_bound_is_noticed() {
        let program = Program {
            rows: 1,
            columns: 2,
            matrix: vec![1.0, -1.0],
            right: vec![1.0],
            cost: vec![1.0, 1.0],
        };
        assert_eq!(program.maximise().unwrap_err(), Unbounded);
    }

    /// Beale's program, on which the largest reduced cost with the first row on ties cycles.
    #[test]
    fn beales_example_ends() {
        let program = Program {
            rows: 3,
            columns: 4,
            matrix: vec![0.25, -8.0, -1.0, 9.0, 0.5, -12.0, -0.5, 3.0, 0.0, 0.0, 1.0, 0.0],
            right: vec![0.0, 0.0, 1.0],
            cost: vec![0.75, -20.0, 0.5, -6.0],
        };
        let cost = program.cost.clone();
        let optimum = program.maximise().unwrap();
        assert!(optimum.optimal && (dot(&cost, &optimum.primal) - 1.25).abs() < 1e-14);
    }

    #[test]
    fn all_bounds_zero_but_one() {
        // Cones: the origin is degenerate in every row, as in programs for correlated equilibria.
        for seed in 0..60 {
            let (rows, columns) = (12, 20);
            let mut noise = 1000 * seed;
            let mut matrix: Vec<f64> = (0..(rows - 1) * columns)
                .map(|_| (5.0 * (Simplex::next_noise(&mut noise) - 1.0)).floor() - 2.0)
                .collect();
            matrix.extend(vec![1.0; columns]);
            let mut right = vec![0.0; rows];
            right[rows - 1] = 1.0;
            let cost: Vec<f64> = (0..columns).map(|c| 1.0 + (c % 3) as f64).collect();
            let program = Program { rows, columns, matrix, right, cost };
            let (matrix, cost) = (program.matrix.clone(), program.cost.clone());
            let optimum = program.maximise().unwrap();
            assert!(optimum.optimal);
            for row in matrix[..(rows - 1) * columns].chunks_exact(columns) {
                assert!(dot(row, &optimum.primal) < 1e-10);
            }
            // Equal objectives of primal and dual prove both optimal.
            let value = dot(&cost, &optimum.primal);
            assert!((value - optimum.dual[rows - 1]).abs() < 1e-9, "{value}");
            for column in 0..columns {
                let worth: f64 =
                    (0..rows).map(|r| optimum.dual[r] * matrix[r * columns + column]).sum();
                assert!(worth > cost[column] - 1e-9);
            }
        }
    }
}
