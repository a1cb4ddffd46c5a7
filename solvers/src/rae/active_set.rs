//! A primal active-set method for concave quadratic programs on the simplex.
//!
//! Maximises `c . z - z' Q z / 2` over `z >= 0, sum z = 1` with `Q` positive semidefinite, usually
//! singular (a covariance has at most the rank of the opponents' support).
//! The Cholesky factor of the free block is extended and shrunk, never built anew.
//! Adding `rho 1 1'` to `Q` changes nothing on the simplex and makes the block definite whenever
//! the problem restricted to it has one solution; where it has not, the method walks along the
//! flat direction until an action drops out.

use ndarray::ArrayView1;

/// Below this share of its diagonal entry, a pivot counts as zero.
const SINGULAR: f64 = 1e-12;
/// Gradient differences below this share of the problem's scale count as ties.
const TIE: f64 = 1e-13;

/// The state of the method; rows may be added between calls of [`ActiveSet::solve`].
#[derive(Debug, Default)]
pub(super) struct ActiveSet {
    /// Full rows of `Q`.
    q: Vec<Vec<f64>>,
    c: Vec<f64>,
    z: Vec<f64>,
    /// Indices in the order of the factor's rows.
    free: Vec<usize>,
    /// Whether each variable is free.
    inside: Vec<bool>,
    /// Lower triangular factor of `Q + rho 1 1'` on `free`.
    factor: Vec<Vec<f64>>,
    rho: f64,
    steps: usize,
}

impl ActiveSet {
    /// An empty problem; `rho` should be of the size of `Q`'s diagonal and positive.
    pub(super) fn new(rho: f64) -> Self {
        Self { rho: if rho > 0.0 { rho } else { 1.0 }, ..Self::default() }
    }

    /// Adds one variable: its row of `Q` against all earlier variables and itself, and its `c`.
    pub(super) fn push(&mut self, row: Vec<f64>, c: f64) {
        debug_assert_eq!(row.len(), self.q.len() + 1, "a row covers all variables so far");
        for (earlier, &entry) in self.q.iter_mut().zip(&row) {
            earlier.push(entry);
        }
        self.q.push(row);
        self.c.push(c);
        self.z.push(0.0);
        self.inside.push(false);
    }

    /// The current point.
    pub(super) fn point(&self) -> &[f64] {
        &self.z
    }

    /// Steps taken so far, over all calls.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Moves to the maximum over the variables pushed so far.
    pub(super) fn solve(&mut self) {
        let n = self.c.len();
        if n == 0 {
            return;
        }
        let highest = self.c.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lowest = self.c.iter().copied().fold(f64::INFINITY, f64::min);
        let widest = (0..n).map(|a| self.q[a][a]).fold(0.0, f64::max);
        let tie = TIE * (highest - lowest).max(widest);
        if self.free.is_empty() {
            let value = |a: usize| self.c[a] - 0.5 * self.q[a][a];
            let best = (1..n).fold(0, |best, a| if value(a) > value(best) { a } else { best });
            self.z[best] = 1.0;
            self.append(best);
        }
        // Each entering action raises the objective, so the bound is for rounding only.
        let limit = self.steps + 40 * n + 200;
        let mut refined = 0;
        loop {
            self.settle();
            let level = self.level();
            let entering = (0..n).filter(|&a| !self.inside[a]).map(|a| (a, self.gradient(a))).fold(
                None,
                |best: Option<(usize, f64)>, next| {
                    if best.is_none_or(|best| next.1 > best.1) { Some(next) } else { best }
                },
            );
            match entering {
                Some((a, gradient)) if gradient > level + tie && self.steps < limit => {
                    self.enter(a);
                    refined = 0;
                }
                // Another full step is iterative refinement of the last one.
                _ if refined < 3 && self.unevenness(level) > 0.01 * tie => refined += 1,
                _ => return,
            }
        }
    }

    fn gradient(&self, a: usize) -> f64 {
        self.c[a] - dot(&self.q[a], &self.z)
    }

    /// The mean gradient of the current point, which all free actions share at a stationary one.
    fn level(&self) -> f64 {
        self.free.iter().map(|&a| self.z[a] * self.gradient(a)).sum()
    }

    /// How far the gradients of free actions are from being equal.
    fn unevenness(&self, level: f64) -> f64 {
        let off = self.free.iter().map(|&a| (self.gradient(a) - level).abs());
        off.fold(0.0, f64::max)
    }

    /// Newton steps on the free block until one ends inside, dropping what would go negative.
    fn settle(&mut self) {
        loop {
            self.steps += 1;
            let gradient: Vec<f64> = self.free.iter().map(|&a| self.gradient(a)).collect();
            let mut toward = self.solve_factored(&gradient);
            let mut ones = self.solve_factored(&vec![1.0; gradient.len()]);
            let shift = toward.iter().sum::<f64>() / ones.iter().sum::<f64>();
            for (step, one) in toward.iter_mut().zip(&mut ones) {
                *step -= shift * *one;
            }
            if !self.walk(&toward, 1.0) {
                return;
            }
        }
    }

    /// Lets action `a` in, by way of flat directions where the block would become singular.
    fn enter(&mut self, a: usize) {
        while !self.append(a) {
            self.steps += 1;
            let row: Vec<f64> = self.free.iter().map(|&b| -(self.q[a][b] + self.rho)).collect();
            let mut along = self.solve_factored(&row);
            // The exact direction sums to zero; what rounding adds would leave the simplex.
            let excess = (along.iter().sum::<f64>() + 1.0) / along.len() as f64;
            for step in &mut along {
                *step -= excess;
            }
            let longest = self
                .free
                .iter()
                .zip(&along)
                .filter(|&(_, &step)| step < 0.0)
                .map(|(&b, &step)| self.z[b] / -step)
                .fold(f64::INFINITY, f64::min);
            if !longest.is_finite() {
                return;
            }
            self.z[a] += longest;
            if !self.walk(&along, longest) {
                return;
            }
        }
    }

    /// Goes `length` along `step` (one entry per free action) or until actions reach zero; those
    /// are dropped, and the answer says whether there were any.
    fn walk(&mut self, step: &[f64], length: f64) -> bool {
        let ratios: Vec<f64> = self
            .free
            .iter()
            .zip(step)
            .map(|(&a, &step)| if step < 0.0 { self.z[a] / -step } else { f64::INFINITY })
            .collect();
        let shortest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let blocked = shortest <= length;
        let taken = if blocked { shortest } else { length };
        for (&a, &step) in self.free.iter().zip(step) {
            self.z[a] = (self.z[a] + taken * step).max(0.0);
        }
        if blocked {
            for place in (0..ratios.len()).rev().filter(|&place| ratios[place] <= shortest) {
                self.z[self.free[place]] = 0.0;
                self.remove(place);
            }
        }
        let total: f64 = self.z.iter().sum();
        for z in &mut self.z {
            *z /= total;
        }
        blocked
    }

    /// Adds a row to the factor; false where the block would be singular.
    fn append(&mut self, a: usize) -> bool {
        let entries: Vec<f64> = self.free.iter().map(|&b| self.q[a][b] + self.rho).collect();
        let mut row = forward(&self.factor, &entries);
        let diagonal = self.q[a][a] + self.rho;
        let pivot = diagonal - row.iter().map(|entry| entry * entry).sum::<f64>();
        if pivot <= SINGULAR * diagonal {
            return false;
        }
        row.push(pivot.sqrt());
        self.factor.push(row);
        self.free.push(a);
        self.inside[a] = true;
        true
    }

    /// Takes one row and column out of the factor, by rotations of the rows below.
    fn remove(&mut self, place: usize) {
        let left = self.free.remove(place);
        self.inside[left] = false;
        self.factor.remove(place);
        let n = self.factor.len();
        for k in place..n {
            let (diagonal, above) = (self.factor[k][k], self.factor[k][k + 1]);
            let length = libm::hypot(diagonal, above);
            let (cosine, sine) = (diagonal / length, above / length);
            for row in &mut self.factor[k..] {
                let (left, right) = (row[k], row[k + 1]);
                row[k] = cosine * left + sine * right;
                row[k + 1] = cosine * right - sine * left;
            }
            self.factor[k].truncate(k + 1);
        }
    }

    fn solve_factored(&self, right: &[f64]) -> Vec<f64> {
        let mut x = forward(&self.factor, right);
        for k in (0..x.len()).rev() {
            x[k] /= self.factor[k][k];
            let solved = x[k];
            for (entry, value) in self.factor[k][..k].iter().zip(&mut x) {
                *value -= entry * solved;
            }
        }
        x
    }
}

/// A scalar product in ndarray's fixed order, which the compiler can spread over lanes.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    ArrayView1::from(a).dot(&ArrayView1::from(b))
}

/// Solves `L x = right`.
fn forward(factor: &[Vec<f64>], right: &[f64]) -> Vec<f64> {
    let mut x: Vec<f64> = Vec::with_capacity(right.len());
    for (row, &value) in factor.iter().zip(right) {
        let done = dot(&row[..x.len()], &x);
        x.push((value - done) / row[x.len()]);
    }
    x
}
