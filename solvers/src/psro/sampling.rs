//! How many episodes a cell needs.

use std::collections::BTreeMap;

use ndarray::{Dimension, IxDyn};
use serde::{Deserialize, Serialize};

use super::target::others;
use super::{Meta, Table};
use crate::game::NormalForm;
use crate::rae::{RiskAversion, Views};
use crate::solution::{Profile, SolveError};

/// Where payoffs come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Sampling {
    /// They are computed; only sources that can do so are taken.
    Exact,
    /// They are means over episodes.
    ///
    /// After the `first` episodes of every cell the meta-strategy is found, and cells in which it
    /// may be deceived get more, until every deviation's expected payoff against the meta-strategy
    /// is known to `interval` or is surely no improvement, or until cells have `most` episodes.
    /// Episodes go where they help most: to each cell in proportion to its weight times its
    /// standard deviation (Neyman 1934).
    /// With `Rae` as the meta-solver, episodes are also added until errors of the payoffs pretend
    /// less than 5 % of an action's variance, or less risk than `interval`.
    Episodes {
        /// Episodes of every cell, at least 2.
        first: u64,
        /// Episodes of a cell at most.
        #[serde(default = "most")]
        most: u64,
        /// Half-width of the 95 % interval of a deviation's expected payoff, in payoff; infinite
        /// for `first` episodes and no more.
        #[serde(default = "infinite")]
        interval: f64,
    },
}

fn most() -> u64 {
    100_000
}

fn infinite() -> f64 {
    f64::INFINITY
}

/// Half-width of a normal 95 % interval in standard errors.
const Z: f64 = 1.96;

/// Share of an action's variance that errors may pretend.
const PRETENDED: f64 = 0.05;

/// Cells that need more episodes, by canonical joint choice, with the number that they need.
pub(super) fn demands(
    table: &Table,
    game: &NormalForm,
    meta: &Meta,
    risk: Option<&RiskAversion>,
    interval: f64,
    most: u64,
) -> Result<BTreeMap<Vec<usize>, u64>, SolveError> {
    let mut wanted = BTreeMap::new();
    let Some(noise) = game.noise().filter(|_| interval.is_finite()) else { return Ok(wanted) };
    let counts: BTreeMap<&[usize], u64> = table
        .cells()
        .filter_map(|(profile, cell)| Some((profile, cell.returns.count()?)))
        .collect();
    let target = (interval / Z) * (interval / Z);
    for player in 0..game.players() {
        let weights = others(meta, game, player)?;
        let (payoffs, variances, errors) =
            (Views::new(game), &noise.variances[player], &noise.errors[player]);
        let payoffs = payoffs.payoffs(player);
        let mut own = game.shape().to_vec();
        own[player] = 1;
        let others: Vec<Vec<usize>> = ndarray::indices(IxDyn(&own))
            .into_iter()
            .map(|index| index.as_array_view().iter().copied().collect())
            .collect();
        let cell = |a: usize, k: usize| {
            let mut profile = others[k].clone();
            profile[player] = a;
            profile
        };
        let actions = game.shape()[player];
        let error = |a: usize| -> f64 {
            let of = |k: usize| weights[k] * weights[k] * errors[cell(a, k).as_slice()];
            (0..weights.len()).map(of).sum()
        };
        let worth: Vec<f64> = payoffs
            .rows()
            .into_iter()
            .map(|row| row.iter().zip(&weights).map(|(u, w)| u * w).sum())
            .collect();
        let best = (1..actions).fold(0, |best, a| if worth[a] > worth[best] { a } else { best });
        // Variance of the payoff to be reached, and the weights by which cells enter it.
        let mut goals: Vec<(usize, f64, Vec<f64>)> = Vec::new();
        for a in 0..actions {
            let known = error(a);
            let apart = worth[best] - worth[a];
            let decided =
                meta.profile[player][a] <= 0.0 && apart > Z * (known.sqrt() + error(best).sqrt());
            if known > target && !decided {
                let squares = weights.iter().map(|w| w * w).collect();
                goals.push((a, target, squares));
            }
        }
        if let Some(risk) = risk.filter(|risk| risk.gamma[player] > 0.0) {
            let profile = Profile::new(meta.profile.clone());
            let exposure = Views::new(game).exposure(player, &profile, risk.tremble)?;
            let seen = exposure.weights();
            let spread: Vec<f64> = seen.iter().map(|w| w * (1.0 - w)).collect();
            for (a, &variance) in exposure.variances().iter().enumerate() {
                let pretended: f64 =
                    (0..spread.len()).map(|k| spread[k] * errors[cell(a, k).as_slice()]).sum();
                let allowed = (PRETENDED * variance).max(interval / risk.gamma[player]);
                if meta.profile[player][a] > 0.0 && pretended > allowed {
                    goals.push((a, allowed, spread.clone()));
                }
            }
        }
        for (a, goal, squares) in goals {
            let roots: Vec<f64> = squares
                .iter()
                .enumerate()
                .map(|(k, square)| (square * variances[cell(a, k).as_slice()]).sqrt())
                .collect();
            let total: f64 = roots.iter().sum();
            for (k, root) in roots.iter().enumerate() {
                let canonical = table.canonical(&cell(a, k));
                let Some(&count) = counts.get(canonical.as_slice()) else { continue };
                // Variances are estimates: no cell more than doubles before they are looked at
                // again.
                let need = (root * total / goal).ceil().min(2.0 * count as f64) as u64;
                let need = need.min(most);
                if need > count {
                    let entry = wanted.entry(canonical).or_insert(need);
                    *entry = need.max(*entry);
                }
            }
        }
    }
    Ok(wanted)
}
