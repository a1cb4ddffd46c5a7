//! A primal active-set method for concave quadratic programs on the simplex.
//!
//! Maximises `c . z - z' Q z / 2` over `z >= 0, sum z = 1` with `Q` positive semidefinite, usually
//! singular (a covariance has at most the rank of the opponents' support).
//! The Cholesky factor of the free block is extended and shrunk, never built anew.
//! Adding `rho 1 1'` to `Q` changes nothing on the simplex and makes the block definite whenever
//! the problem restricted to it has one solution; where it has not, the method walks along the
//! flat direction until a variable drops out.
//!
//! Variables enter by the dozen and all that would go negative drop at once, which takes a tenth of
//! the steps of one change at a time but need not raise the objective; should it once not, the
//! method goes back and on by single changes, each of which does.

use super::dense::{dots_with, forward};
use crate::linear::dot;

/// Below this share of its diagonal entry, a pivot counts as zero.
const SINGULAR: f64 = 1e-12;
/// Gradient differences below this share of the problem's scale count as ties.
const TIE: f64 = 1e-13;
/// Variables that enter at once.
pub(super) const ENTER: usize = 32;

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
    /// Lower triangular factor `L` of `Q + rho 1 1'` on `free`.
    factor: Vec<Vec<f64>>,
    /// The solution of `L x = 1`, and of `L x = c` on `free`.
    ones: Vec<f64>,
    costs: Vec<f64>,
    /// The gradient that all free variables share.
    level: f64,
    rho: f64,
    steps: usize,
}

impl ActiveSet {
    /// An empty problem; `rho` should be of the size of `Q`'s diagonal and positive.
    pub(super) fn new(rho: f64) -> Self {
        Self { rho: if rho > 0.0 { rho } else { 1.0 }, ..Self::default() }
    }

    /// Adds one variable: its row of `Q` against all earlier variables and itself, and its `c`.
    pub(super) fn push(&mut self, row: &[f64], c: f64) {
        debug_assert_eq!(row.len(), self.q.len() + 1, "a row covers all variables so far");
        for (earlier, &entry) in self.q.iter_mut().zip(row) {
            earlier.push(entry);
        }
        self.q.push(row.to_vec());
        self.c.push(c);
        self.z.push(0.0);
        self.inside.push(false);
    }

    /// The current point.
    pub(super) fn point(&self) -> &[f64] {
        &self.z
    }

    /// The gradient that all shares above zero have in common; the others' are not larger.
    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// Newton steps taken so far, over all calls.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Moves to the maximum over the variables pushed so far.
    pub(super) fn solve(&mut self) {
        self.climb(false);
    }

    /// [`ActiveSet::solve`], from the start by single changes if `single`.
    fn climb(&mut self, mut single: bool) {
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
            self.append([best]);
            self.unevenness();
        }
        // Every change raises the objective, so the bound is for rounding only.
        let limit = self.steps + 40 * n + 200;
        let mut refined = 0;
        loop {
            let entering = self.entering(self.level + tie);
            if entering.is_empty() || self.steps >= limit {
                // Another full step is iterative refinement of the last one.
                if refined == 3 || self.unevenness() <= 0.01 * tie {
                    return;
                }
                refined += 1;
                self.settle();
            } else {
                refined = 0;
                single = single || !self.leap(&entering);
                if single {
                    self.enter(entering[0]);
                    self.settle();
                }
            }
        }
    }

    /// The first variables, by falling gradient, that would raise the objective.
    fn entering(&self, above: f64) -> Vec<usize> {
        let outside: Vec<usize> = (0..self.c.len()).filter(|&a| !self.inside[a]).collect();
        let gradient = self.gradients(&outside);
        let mut order: Vec<usize> = (0..outside.len()).filter(|&i| gradient[i] > above).collect();
        order.sort_by(|&i, &j| gradient[j].total_cmp(&gradient[i]).then(i.cmp(&j)));
        order.truncate(ENTER);
        order.into_iter().map(|i| outside[i]).collect()
    }

    fn gradients(&self, of: &[usize]) -> Vec<f64> {
        let products = dots_with(&self.z, of, |a| &self.q[a]);
        of.iter().zip(products).map(|(&a, product)| self.c[a] - product).collect()
    }

    /// Takes the level from the current point; how far free variables' gradients are from it.
    fn unevenness(&mut self) -> f64 {
        let gradients = self.gradients(&self.free);
        self.level = self.free.iter().zip(&gradients).map(|(&a, g)| self.z[a] * g).sum();
        gradients.iter().map(|gradient| (gradient - self.level).abs()).fold(0.0, f64::max)
    }

    /// The objective at a stationary point, where `z' Q z = c . z - level`.
    fn value(&self) -> f64 {
        0.5 * (dot(&self.c, &self.z) + self.level)
    }

    /// Lets all of `entering` in, as far as the block stays definite, and drops whatever is negative
    /// at the maximum over the free variables, all at once, until nothing is.
    ///
    /// False, and everything as before, if that does not raise the objective.
    fn leap(&mut self, entering: &[usize]) -> bool {
        let (value, level) = (self.value(), self.level);
        let (free, z) = (self.free.clone(), self.z.clone());
        self.append_all(entering);
        if self.free.len() > free.len() {
            loop {
                let shares = self.stationary();
                let negative = |&place: &usize| shares[place] <= 0.0;
                let dropping: Vec<usize> = (0..shares.len()).filter(negative).collect();
                if dropping.is_empty() {
                    for (&a, share) in self.free.iter().zip(shares) {
                        self.z[a] = share;
                    }
                    self.normalise();
                    break;
                }
                for &place in dropping.iter().rev() {
                    self.remove(place);
                }
            }
            if self.value() > value {
                return true;
            }
        }
        while !self.free.is_empty() {
            self.remove(self.free.len() - 1);
        }
        self.append_all(&free);
        (self.z, self.level) = (z, level);
        false
    }

    /// The maximum over the free variables, negative shares allowed, and its level.
    fn stationary(&mut self) -> Vec<f64> {
        self.steps += 1;
        let shift = (dot(&self.ones, &self.costs) - 1.0) / dot(&self.ones, &self.ones);
        self.level = shift + self.rho;
        let right = self.costs.iter().zip(&self.ones).map(|(cost, one)| cost - shift * one);
        self.backward(right.collect())
    }

    /// Newton steps on the free block until one ends inside, dropping what would go negative.
    fn settle(&mut self) {
        loop {
            let step = self.newton();
            if !self.walk(&step, 1.0) {
                self.unevenness();
                return;
            }
        }
    }

    /// The step to the maximum on the free block, whose entries sum to zero.
    fn newton(&mut self) -> Vec<f64> {
        self.steps += 1;
        let mut step = self.forward(&self.gradients(&self.free));
        let shift = dot(&self.ones, &step) / dot(&self.ones, &self.ones);
        for (entry, one) in step.iter_mut().zip(&self.ones) {
            *entry -= shift * one;
        }
        self.backward(step)
    }

    /// Lets one variable in, by way of flat directions where the block would become singular.
    fn enter(&mut self, a: usize) {
        while !self.append([a]) {
            self.steps += 1;
            let row: Vec<f64> = self.free.iter().map(|&b| -(self.q[a][b] + self.rho)).collect();
            let mut along = self.backward(self.forward(&row));
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

    /// Goes `length` along `step` (one entry per free variable) or until variables reach zero;
    /// those are dropped, and the answer says whether there were any.
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
                self.remove(place);
            }
        }
        self.normalise();
        blocked
    }

    /// Makes the shares sum to one again after rounding or drops.
    fn normalise(&mut self) {
        let total: f64 = self.z.iter().sum();
        if total > 0.0 {
            for z in &mut self.z {
                *z /= total;
            }
        } else {
            for &a in &self.free {
                self.z[a] = 1.0 / self.free.len() as f64;
            }
        }
    }

    fn append_all(&mut self, variables: &[usize]) {
        let (fours, rest) = variables.as_chunks::<4>();
        for &four in fours {
            self.append(four);
        }
        for &one in rest {
            self.append([one]);
        }
    }

    /// Adds rows to the factor, but none that would make the block singular; whether all were
    /// added.
    fn append<const R: usize>(&mut self, variables: [usize; R]) -> bool {
        let entry = |a: usize, b: usize| self.q[a][b] + self.rho;
        let mut right = variables.map(|a| self.free.iter().map(|&b| entry(a, b)).collect());
        let mut rows: [Vec<f64>; R] = [const { Vec::new() }; R];
        forward(&self.factor, &mut rows, &right);
        let known = self.free.len();
        for (r, &a) in variables.iter().enumerate() {
            // What this row has with the ones that went in just before.
            right[r].extend(self.free[known..].iter().map(|&b| self.q[a][b] + self.rho));
            let mut row = [std::mem::take(&mut rows[r])];
            forward(&self.factor, &mut row, &[std::mem::take(&mut right[r])]);
            let [mut row] = row;
            let diagonal = self.q[a][a] + self.rho;
            let pivot = diagonal - dot(&row, &row);
            if pivot <= SINGULAR * diagonal {
                continue;
            }
            let root = pivot.sqrt();
            self.ones.push((1.0 - dot(&row, &self.ones)) / root);
            self.costs.push((self.c[a] - dot(&row, &self.costs)) / root);
            row.push(root);
            self.factor.push(row);
            self.free.push(a);
            self.inside[a] = true;
        }
        self.free.len() == known + R
    }

    /// Drops a variable: takes its row and column out of the factor, by rotations of the rows below.
    fn remove(&mut self, place: usize) {
        let left = self.free.remove(place);
        self.inside[left] = false;
        self.z[left] = 0.0;
        self.factor.remove(place);
        // Rotation `k` mixes the columns `place + k` and the next one.
        let mut rotations: Vec<(f64, f64)> = Vec::with_capacity(self.factor.len() - place);
        for rows in self.factor[place..].chunks_mut(4) {
            let known = rotations.len();
            if let [a, b, c, d] = rows {
                // Each rotation waits for the one before it; four rows at a time fill the wait.
                for (k, &rotation) in (place..).zip(&rotations) {
                    for row in [&mut *a, &mut *b, &mut *c, &mut *d] {
                        rotate(row, k, rotation);
                    }
                }
            } else {
                for row in rows.iter_mut() {
                    for (k, &rotation) in (place..).zip(&rotations) {
                        rotate(row, k, rotation);
                    }
                }
            }
            for row in rows {
                for (k, &rotation) in (place + known..).zip(&rotations[known..]) {
                    rotate(row, k, rotation);
                }
                let k = place + rotations.len();
                let length = libm::hypot(row[k], row[k + 1]);
                let rotation = (row[k] / length, row[k + 1] / length);
                rotate(row, k, rotation);
                row.truncate(k + 1);
                rotations.push(rotation);
            }
        }
        let mut solved = [&mut self.ones, &mut self.costs].map(std::mem::take);
        for x in &mut solved {
            x.truncate(place);
        }
        let costs = self.free.iter().map(|&a| self.c[a]).collect();
        forward(&self.factor, &mut solved, &[vec![1.0; self.factor.len()], costs]);
        [self.ones, self.costs] = solved;
    }

    fn forward(&self, right: &[f64]) -> Vec<f64> {
        let mut x = [Vec::with_capacity(right.len())];
        forward(&self.factor, &mut x, &[right.to_vec()]);
        let [x] = x;
        x
    }

    /// Solves `L' x = right`.
    fn backward(&self, mut x: Vec<f64>) -> Vec<f64> {
        for (k, row) in self.factor.iter().enumerate().rev() {
            x[k] /= row[k];
            let solved = x[k];
            for (entry, value) in row[..k].iter().zip(&mut x) {
                *value -= entry * solved;
            }
        }
        x
    }
}

fn rotate(row: &mut [f64], k: usize, (cosine, sine): (f64, f64)) {
    let (left, right) = (row[k], row[k + 1]);
    row[k] = cosine * left + sine * right;
    row[k + 1] = cosine * right - sine * left;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Purpose, Streams, unit_f64};

    /// A problem of some rank whose rows and costs are drawn from a seed.
    fn problem(n: usize, rank: usize, seed: u64) -> ActiveSet {
        let mut rng = Streams::new(seed).at(Purpose::Generate, 0, 0);
        let rows: Vec<Vec<f64>> =
            (0..n).map(|_| (0..rank).map(|_| unit_f64(&mut rng) - 0.5).collect()).collect();
        let mut program = ActiveSet::new(1.0);
        for a in 0..n {
            let row: Vec<f64> = (0..=a).map(|b| dot(&rows[a], &rows[b])).collect();
            program.push(&row, 0.05 * unit_f64(&mut rng));
        }
        program
    }

    #[test]
    fn single_changes_and_leaps_reach_the_same_maximum() {
        for seed in 0..200 {
            let (n, rank) = (2 + seed as usize % 60, 1 + seed as usize % 37);
            let [mut leaps, mut singles] = [problem(n, rank, seed), problem(n, rank, seed)];
            leaps.climb(false);
            singles.climb(true);
            assert!((leaps.level - singles.level).abs() < 1e-12, "seed {seed}");
            for program in [leaps, singles] {
                let every: Vec<usize> = (0..n).collect();
                for (gradient, share) in program.gradients(&every).iter().zip(program.point()) {
                    assert!(*gradient <= program.level + 1e-12, "seed {seed}");
                    assert!(*share >= 0.0 && (*share <= 0.0 || *gradient >= program.level - 1e-12));
                }
            }
        }
    }

    #[test]
    fn a_leap_that_gains_nothing_is_taken_back() {
        let mut taken_back = 0;
        for seed in 0..50 {
            // The block of the free variables is as large as the rank allows, or nearly.
            let mut program = problem(12, 1 + seed as usize % 3, seed);
            program.solve();
            let state = |p: &ActiveSet| (p.free.clone(), p.z.clone(), p.level.to_bits());
            let before = state(&program);
            let outside: Vec<usize> = (0..12).filter(|&a| !program.inside[a]).collect();
            if !program.leap(&outside) {
                taken_back += 1;
                assert_eq!(state(&program), before, "seed {seed}");
                program.solve();
                assert_eq!(state(&program).1, before.1, "seed {seed}");
            }
        }
        assert!(taken_back > 10, "{taken_back}");
    }
}
