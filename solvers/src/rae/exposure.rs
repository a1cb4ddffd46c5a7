//! What one player faces: own payoffs against the opponents' mixed play, and its moments.

use ndarray::{Array1, Array2, ArrayView1};

use super::dense::{dots, dots_with};
use crate::solution::SolveError;

/// A player's payoffs against every joint action of the opponents, with their probabilities.
///
/// In the words of finance: own actions are assets, the opponents' joint actions are states of the
/// world, a mixed strategy is a portfolio.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// `[actions, states]`.
    payoffs: Array2<f64>,
    /// `[states]`, a distribution.
    weights: Array1<f64>,
    /// `[actions]`.
    mean: Array1<f64>,
    /// `[actions, states with positive weight]`, `sqrt(w_k) (M[a,k] - mean[a])`.
    centred: Array2<f64>,
    /// `[actions]`: variance that every unit of an action brings by itself (payoff noise).
    noise: Option<Array1<f64>>,
}

impl Exposure {
    /// The moments of `payoffs` (`[actions, states]`) under `weights` (`[states]`).
    ///
    /// # Errors
    ///
    /// [`SolveError`] if there is no action or state, if shapes differ, if a payoff is not finite,
    /// or if the weights are no distribution (non-negative, sum 1 within 1e-9).
    pub fn new(payoffs: Array2<f64>, weights: Array1<f64>) -> Result<Self, SolveError> {
        let (actions, states) = payoffs.dim();
        if actions == 0 || states == 0 {
            return Err(SolveError::Invalid {
                what: "an exposure without actions or states".into(),
            });
        }
        if states != weights.len() {
            return Err(SolveError::Invalid {
                what: format!("{states} states in the payoffs, {} weights", weights.len()),
            });
        }
        if payoffs.iter().any(|payoff| !payoff.is_finite()) {
            return Err(SolveError::NotFinite { what: "payoffs".into() });
        }
        let total = weights.sum();
        if weights.iter().any(|&weight| !(0.0..=1.0 + 1e-9).contains(&weight))
            || (total - 1.0).abs() > 1e-9
        {
            return Err(SolveError::Invalid {
                what: format!("weights that are no distribution (their sum is {total})"),
            });
        }
        let mean = payoffs.dot(&weights);
        let live: Vec<(usize, f64)> = weights
            .iter()
            .enumerate()
            .filter(|&(_, &weight)| weight > 0.0)
            .map(|(state, weight)| (state, weight.sqrt()))
            .collect();
        let mut entries = Vec::with_capacity(actions * live.len());
        for (row, &mean) in payoffs.rows().into_iter().zip(&mean) {
            entries.extend(live.iter().map(|&(state, root)| root * (row[state] - mean)));
        }
        let centred = Array2::from_shape_vec((actions, live.len()), entries)
            .map_err(|error| SolveError::Invalid { what: error.to_string() })?;
        Ok(Self { payoffs, weights, mean, centred, noise: None })
    }

    /// Adds to every action the variance of a noisy payoff, averaged over the states.
    ///
    /// `cells` (`[actions, states]`) holds the variance within each cell, as an empirical game
    /// knows it.
    /// By the law of total variance the strategic variance of a mix `x` grows by
    /// `sum_a x_a^2 sum_k w_k cells[a,k]`, which keeps the problem a concave quadratic program.
    /// This treats the noise of different actions as independent.
    ///
    /// # Errors
    ///
    /// [`SolveError`] if the shape differs from the payoffs' or a variance is negative or not
    /// finite.
    pub fn with_noise(mut self, cells: &Array2<f64>) -> Result<Self, SolveError> {
        check_cells(cells, &self.payoffs, "variances of the cells")?;
        self.noise = Some(cells.dot(&self.weights));
        Ok(self)
    }

    /// Takes off the variance that the payoffs' own errors pretend.
    ///
    /// `errors` (`[actions, states]`) holds the squared standard error of every payoff.
    /// With independent errors the variance of an action is too large by
    /// `sum_k w_k (1 - w_k) errors[a,k]` on average; the row of that action is scaled so that its
    /// variance is smaller by that, or 0, which keeps the covariance positive semidefinite where
    /// subtracting from the diagonal would not.
    /// (Covariances with other actions, which are right on average, shrink along: by the root of
    /// the shares that are left.)
    ///
    /// # Errors
    ///
    /// As [`with_noise`](Self::with_noise).
    pub fn corrected(mut self, errors: &Array2<f64>) -> Result<Self, SolveError> {
        check_cells(errors, &self.payoffs, "squared errors of the payoffs")?;
        for (mut centred, errors) in self.centred.rows_mut().into_iter().zip(errors.rows()) {
            let variance = centred.dot(&centred);
            let pretended: f64 =
                errors.iter().zip(&self.weights).map(|(e, w)| w * (1.0 - w) * e).sum();
            if pretended > 0.0 {
                let left = if variance > 0.0 { 1.0 - pretended / variance } else { 0.0 };
                centred *= left.max(0.0).sqrt();
            }
        }
        Ok(self)
    }

    /// Number of own actions.
    pub fn actions(&self) -> usize {
        self.mean.len()
    }

    /// Expected payoff of each own action, `mu = M w`.
    pub fn mean(&self) -> ArrayView1<'_, f64> {
        self.mean.view()
    }

    /// Probabilities of the opponents' joint actions.
    pub fn weights(&self) -> ArrayView1<'_, f64> {
        self.weights.view()
    }

    /// The action-utility covariance `Sigma = M diag(w) M' - mu mu'` (`[actions, actions]`),
    /// computed from centred payoffs so that it is positive semidefinite to rounding.
    pub fn covariance(&self) -> Array2<f64> {
        let every: Vec<usize> = (0..self.actions()).collect();
        let mut sigma = Array2::zeros((every.len(), every.len()));
        for some in every.chunks(4) {
            let known = &every[..some[0] + some.len()];
            for (&a, row) in some.iter().zip(self.covariances(some, known)) {
                for (b, entry) in row.into_iter().enumerate() {
                    sigma[[a, b]] = entry;
                    sigma[[b, a]] = entry;
                }
            }
        }
        sigma
    }

    /// For each of `rows` its entries of the covariance against each of `columns`.
    pub(super) fn covariances(&self, rows: &[usize], columns: &[usize]) -> Vec<Vec<f64>> {
        let mut found: Vec<Vec<f64>> = Vec::with_capacity(rows.len());
        // Four rows stay in the cache while the columns stream by.
        let (fours, rest) = rows.as_chunks::<4>();
        for four in fours {
            let mut entries = [const { Vec::new() }; 4];
            for &b in columns {
                let products = dots(self.centred_row(b), four.map(|a| self.centred_row(a)));
                entries.iter_mut().zip(products).for_each(|(row, product)| row.push(product));
            }
            found.extend(entries);
        }
        found.extend(
            rest.iter().map(|&a| dots_with(self.centred_row(a), columns, |b| self.centred_row(b))),
        );
        if let Some(noise) = &self.noise {
            for (&a, row) in rows.iter().zip(&mut found) {
                for (&b, entry) in columns.iter().zip(row) {
                    if a == b {
                        *entry += noise[a];
                    }
                }
            }
        }
        found
    }

    /// The diagonal of the covariance: what each action's payoff varies by itself.
    pub fn variances(&self) -> Array1<f64> {
        let noise = |a: usize| self.noise.as_ref().map_or(0.0, |noise| noise[a]);
        (0..self.actions())
            .map(|a| self.centred.row(a).dot(&self.centred.row(a)) + noise(a))
            .collect()
    }

    /// `Sigma x` in `O(actions * states)`, without forming `Sigma`.
    pub fn covariance_times(&self, x: ArrayView1<'_, f64>) -> Array1<f64> {
        let every: Vec<usize> = (0..self.actions()).collect();
        Array1::from(self.covariance_rows_times(&every, x))
    }

    /// The entries of `Sigma x` for these actions.
    pub(super) fn covariance_rows_times(
        &self,
        actions: &[usize],
        x: ArrayView1<'_, f64>,
    ) -> Vec<f64> {
        let deviations = self.deviations(x).to_vec();
        let mut product = dots_with(&deviations, actions, |a| self.centred_row(a));
        if let Some(noise) = &self.noise {
            for (entry, &a) in product.iter_mut().zip(actions) {
                *entry += noise[a] * x[a];
            }
        }
        product
    }

    fn centred_row(&self, a: usize) -> &[f64] {
        self.centred.row(a).to_slice().unwrap_or_default()
    }

    /// The mix's payoff deviation in each live state times the root of its weight.
    fn deviations(&self, x: ArrayView1<'_, f64>) -> Array1<f64> {
        mixed_rows(&self.centred, x)
    }

    /// Expected payoff of a mix, `x . mu`.
    pub fn expected(&self, x: ArrayView1<'_, f64>) -> f64 {
        x.dot(&self.mean)
    }

    /// Strategic variance `x' Sigma x`: only the opponents' mixing counts as risk.
    pub fn strategic_variance(&self, x: ArrayView1<'_, f64>) -> f64 {
        let sums = self.deviations(x);
        let own = self.noise.as_ref().map_or(0.0, |noise| {
            noise.iter().zip(&x).map(|(noise, share)| noise * share * share).sum()
        });
        sums.dot(&sums) + own
    }

    /// Variance of the payoff when the player draws an action as well: never below
    /// [`Exposure::strategic_variance`].
    pub fn total_variance(&self, x: ArrayView1<'_, f64>) -> f64 {
        let expected = self.expected(x);
        let mut total = 0.0;
        for (row, &share) in self.payoffs.rows().into_iter().zip(&x) {
            if share.abs() > 0.0 {
                let spread = row.iter().zip(&self.weights);
                total += share
                    * spread
                        .map(|(payoff, weight)| weight * (payoff - expected) * (payoff - expected))
                        .sum::<f64>();
            }
        }
        let noise = self.noise.as_ref().map_or(0.0, |noise| noise.dot(&x));
        total + noise
    }

    /// The mean-variance objective `x . mu - gamma x' Sigma x`.
    pub fn objective(&self, gamma: f64, x: ArrayView1<'_, f64>) -> f64 {
        self.expected(x) - gamma * self.strategic_variance(x)
    }

    /// Its gradient `mu - 2 gamma Sigma x`: the marginal score of each action beside the mix.
    pub fn gradient(&self, gamma: f64, x: ArrayView1<'_, f64>) -> Array1<f64> {
        &self.mean - &(2.0 * gamma * self.covariance_times(x))
    }

    /// Weights under which a risk-neutral player sees the gradient as plain payoffs:
    /// `w'_k = w_k (1 - 2 gamma (g_k - gbar))` with `g_k` the mix's payoff in state `k`.
    ///
    /// They sum to one and `M w' = mu - 2 gamma Sigma x`; where the mix does better than
    /// `1 / (2 gamma)` above its mean the weight is negative.
    /// Noise set by [`Exposure::with_noise`] has no part in them.
    pub fn reweighted(&self, gamma: f64, x: ArrayView1<'_, f64>) -> Array1<f64> {
        let in_state = mixed_rows(&self.payoffs, x);
        let mean = in_state.dot(&self.weights);
        let mut weights = self.weights.clone();
        weights.zip_mut_with(&in_state, |weight, payoff| {
            *weight *= 1.0 - 2.0 * gamma * (payoff - mean);
        });
        weights
    }

    /// The Frank-Wolfe gap of `x` over mixes with every share at least `floor`: an upper bound on
    /// what [`Exposure::objective`] could still gain.
    pub fn frank_wolfe_gap(&self, gamma: f64, floor: f64, x: ArrayView1<'_, f64>) -> f64 {
        let gradient = self.gradient(gamma, x);
        let best = gradient.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let free = 1.0 - floor * self.actions() as f64;
        (free * best + floor * gradient.sum() - x.dot(&gradient)).max(0.0)
    }
}

/// Refuses cells that are not of the payoffs' shape, negative or not finite.
fn check_cells(
    cells: &Array2<f64>,
    payoffs: &Array2<f64>,
    name: &'static str,
) -> Result<(), SolveError> {
    if cells.dim() != payoffs.dim() {
        let (found, shape) = (cells.dim(), payoffs.dim());
        return Err(SolveError::Invalid {
            what: format!("{name} of shape {found:?} for payoffs of shape {shape:?}"),
        });
    }
    if cells.iter().any(|&cell| !(cell >= 0.0 && cell.is_finite())) {
        return Err(SolveError::NotFinite { what: name.into() });
    }
    Ok(())
}

/// `x' rows`; sparse mixes are the rule, and sums of rows run along memory.
fn mixed_rows(rows: &Array2<f64>, x: ArrayView1<'_, f64>) -> Array1<f64> {
    let mut sums = Array1::zeros(rows.ncols());
    for (row, &share) in rows.rows().into_iter().zip(&x) {
        if share.abs() > 0.0 {
            sums.scaled_add(share, &row);
        }
    }
    sums
}
