//! Whom a new policy is trained against.

use ndarray::{ArrayD, Axis, Dimension, IxDyn};
use serde::{Deserialize, Serialize};

use super::Meta;
use crate::game::NormalForm;
use crate::rae::{RiskAversion, Views};
use crate::solution::{Profile, SolveError};

/// Whom the oracle's responses are made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The others' meta-strategies (Lanctot and others 2017); for joint distributions, what they
    /// play whatever is recommended to the player (JPSRO(CCE), Marris and others 2021).
    #[default]
    Mixture,
    /// One response for every policy that is played, against those of the others' policies that it
    /// does not lose to: where it gets at least the players' average
    /// (`PSRO_rN`, Balduzzi and others 2019).
    Rectified,
    /// One response for every joint choice of the others that is played, against that alone
    /// (`exhaustive` in OpenSpiel).
    Each,
    /// One response for every policy that is recommended, against what the others play then
    /// (JPSRO(CE)).
    Recommendation,
    /// The others re-weighted by how much they hurt: `w_k (1 - 2 gamma (g_k - gbar))` with `g_k`
    /// what the player's mixture gets.
    ///
    /// An ordinary best response to these weights has the largest marginal score
    /// `mu - 2 gamma Sigma x`, which is the gradient of the mean-variance objective.
    /// A stand-alone score (own mean minus own variance) would miss policies whose covariance with
    /// the mixture is low.
    /// `gamma` and the tremble model are those of the meta-solver, which must be `Rae`.
    /// This is a reconstruction: how the paper trains is not known to us.
    RiskAverse,
}

/// A joint choice of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Opponents {
    /// How much it counts; negative where the player's mixture gets more than `1 / (2 gamma)` above
    /// its mean (see [`Target::RiskAverse`]), otherwise a probability.
    pub weight: f64,
    /// The policy of every player, as its place in the population of that player's role; the
    /// responding player's own entry means nothing.
    pub policies: Vec<usize>,
}

/// A response to be made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Job {
    pub(super) player: usize,
    pub(super) opponents: Vec<Opponents>,
    /// What the meta-strategy gets by the same weights: a response has to get more.
    pub(super) baseline: f64,
    /// The own policy that gets most.
    pub(super) start: usize,
}

/// Joint choices of the others with weights below this share are left out.
const NOTHING: f64 = 1e-12;

/// The responses that a meta-strategy asks for, player by player.
pub(super) fn jobs(
    target: Target,
    roles: &[usize],
    game: &NormalForm,
    meta: &Meta,
    risk: Option<&RiskAversion>,
) -> Result<Vec<Job>, SolveError> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut seen: Vec<(usize, Vec<(Vec<(usize, usize)>, f64)>)> = Vec::new();
    let views = Views::new(game);
    for player in 0..roles.len() {
        let targets = match target {
            Target::Mixture => {
                let weights = others(meta, game, player)?;
                let baseline = meta.payoffs[player];
                vec![(weights, baseline)]
            }
            Target::Each => each(game, &views, meta, player)?,
            Target::Rectified => rectified(game, &views, meta, player)?,
            Target::Recommendation => recommendations(game, &views, meta, player)?,
            Target::RiskAverse => {
                let risk = risk.ok_or_else(|| SolveError::Invalid {
                    what: "risk-averse responses need `Rae` as the meta-solver".to_owned(),
                })?;
                vec![reweighted(game, meta, player, risk)?]
            }
        };
        for (weights, baseline) in targets {
            let payoffs = views.payoffs(player);
            let worth: Vec<f64> = payoffs
                .rows()
                .into_iter()
                .map(|row| row.iter().zip(&weights).map(|(u, w)| u * w).sum())
                .collect();
            let start =
                (1..worth.len()).fold(0, |best, a| if worth[a] > worth[best] { a } else { best });
            let opponents = spread(game.shape(), player, &weights);
            // Players of one role who face the same need one response.
            let faced = faced(roles, player, &opponents);
            let role = roles[player];
            if seen.iter().any(|(other, by)| *other == role && same(by, &faced)) {
                continue;
            }
            seen.push((role, faced));
            jobs.push(Job { player, opponents, baseline, start });
        }
    }
    Ok(jobs)
}

/// Probabilities of the others' joint choices, row-major with the lowest player slowest.
pub(super) fn others(
    meta: &Meta,
    game: &NormalForm,
    player: usize,
) -> Result<Vec<f64>, SolveError> {
    match &meta.joint {
        Some(joint) => Ok(joint_tensor(game, joint)?.sum_axis(Axis(player)).into_iter().collect()),
        None => {
            let mut weights = vec![1.0];
            for (other, mix) in meta.profile.iter().enumerate() {
                if other != player {
                    weights = weights.iter().flat_map(|w| mix.iter().map(move |p| w * p)).collect();
                }
            }
            Ok(weights)
        }
    }
}

fn joint_tensor(game: &NormalForm, joint: &[f64]) -> Result<ArrayD<f64>, SolveError> {
    ArrayD::from_shape_vec(IxDyn(game.shape()), joint.to_vec())
        .map_err(|error| SolveError::Invalid { what: error.to_string() })
}

/// Weights on the others' joint choices for one policy at a time, with what it gets by them.
type Targets = Vec<(Vec<f64>, f64)>;

fn rectified(
    game: &NormalForm,
    views: &Views,
    meta: &Meta,
    player: usize,
) -> Result<Targets, SolveError> {
    let weights = others(meta, game, player)?;
    // What all players get on average, seen from the player.
    let mut average = views.payoffs(player).clone();
    average.fill(0.0);
    let players = game.players() as f64;
    for other in 0..game.players() {
        let tensor = game.payoff_tensor(other);
        for (index, payoff) in tensor.indexed_iter() {
            let view = index.as_array_view();
            let profile = view.as_slice().unwrap_or_default();
            let own = profile[player];
            average[[own, place(game.shape(), player, profile)]] += payoff / players;
        }
    }
    let mut targets = Vec::new();
    for (own, &share) in meta.profile[player].iter().enumerate() {
        if share <= NOTHING {
            continue;
        }
        let row = views.payoffs(player).row(own);
        let mut kept: Vec<f64> = weights
            .iter()
            .zip(row.iter().zip(average.row(own)))
            .map(|(weight, (own, average))| if own >= average { *weight } else { 0.0 })
            .collect();
        let total: f64 = kept.iter().sum();
        // A policy that loses to everybody that is played improves against all of them.
        if total <= NOTHING {
            kept.clone_from(&weights);
        } else {
            for weight in &mut kept {
                *weight /= total;
            }
        }
        let baseline = row.iter().zip(&kept).map(|(u, w)| u * w).sum();
        targets.push((kept, baseline));
    }
    Ok(targets)
}

fn each(
    game: &NormalForm,
    views: &Views,
    meta: &Meta,
    player: usize,
) -> Result<Targets, SolveError> {
    let weights = others(meta, game, player)?;
    let payoffs = views.payoffs(player);
    let alone = |(k, _): (usize, &f64)| {
        let mut one = vec![0.0; weights.len()];
        one[k] = 1.0;
        let own = payoffs.column(k).to_vec();
        let baseline = own.iter().zip(&meta.profile[player]).map(|(u, x)| u * x).sum();
        (one, baseline)
    };
    Ok(weights.iter().enumerate().filter(|(_, weight)| **weight > NOTHING).map(alone).collect())
}

fn recommendations(
    game: &NormalForm,
    views: &Views,
    meta: &Meta,
    player: usize,
) -> Result<Targets, SolveError> {
    let joint = match &meta.joint {
        Some(joint) => joint_tensor(game, joint)?,
        None => {
            let mixes = &meta.profile;
            ArrayD::from_shape_fn(IxDyn(game.shape()), |at| {
                mixes.iter().enumerate().map(|(player, mix)| mix[at[player]]).product()
            })
        }
    };
    let mut targets = Vec::new();
    for (own, slice) in joint.axis_iter(Axis(player)).enumerate() {
        let total: f64 = slice.iter().sum();
        if total > NOTHING {
            let weights: Vec<f64> = slice.iter().map(|weight| weight / total).collect();
            let row = views.payoffs(player).row(own);
            let baseline = row.iter().zip(&weights).map(|(u, w)| u * w).sum();
            targets.push((weights, baseline));
        }
    }
    Ok(targets)
}

fn reweighted(
    game: &NormalForm,
    meta: &Meta,
    player: usize,
    risk: &RiskAversion,
) -> Result<(Vec<f64>, f64), SolveError> {
    if meta.joint.is_some() {
        let what = "risk-averse responses are to independent mixtures, not to a joint distribution";
        return Err(SolveError::Invalid { what: what.to_owned() });
    }
    let profile = Profile::new(meta.profile.clone());
    let exposure = Views::new(game).exposure(player, &profile, risk.tremble)?;
    let x = ndarray::ArrayView1::from(&meta.profile[player]);
    let gamma = risk.gamma[player];
    let weights = exposure.reweighted(gamma, x);
    let baseline = x.dot(&exposure.gradient(gamma, x));
    Ok((weights.to_vec(), baseline))
}

/// The place of a joint choice among the others' of `player`.
fn place(shape: &[usize], player: usize, profile: &[usize]) -> usize {
    let others = (0..shape.len()).filter(|&other| other != player);
    others.fold(0, |place, other| place * shape[other] + profile[other])
}

/// The others' joint choices that count, from row-major weights.
fn spread(shape: &[usize], player: usize, weights: &[f64]) -> Vec<Opponents> {
    let mut others = shape.to_vec();
    others[player] = 1;
    ndarray::indices(IxDyn(&others))
        .into_iter()
        .zip(weights)
        .filter(|(_, weight)| weight.abs() > NOTHING)
        .map(|(index, &weight)| Opponents {
            weight,
            policies: index.as_array_view().iter().copied().collect(),
        })
        .collect()
}

/// What a player faces, whoever of a role plays it: policies by role, in order, with weights.
fn faced(
    roles: &[usize],
    player: usize,
    opponents: &[Opponents],
) -> Vec<(Vec<(usize, usize)>, f64)> {
    let mut faced: Vec<(Vec<(usize, usize)>, f64)> = opponents
        .iter()
        .map(|opponents| {
            let mut by_role: Vec<(usize, usize)> = (0..roles.len())
                .filter(|&other| other != player)
                .map(|other| (roles[other], opponents.policies[other]))
                .collect();
            by_role.sort_unstable();
            (by_role, opponents.weight)
        })
        .collect();
    faced.sort_by(|a, b| a.0.cmp(&b.0));
    faced.dedup_by(|next, kept| {
        let equal = next.0 == kept.0;
        if equal {
            kept.1 += next.1;
        }
        equal
    });
    faced
}

fn same(a: &[(Vec<(usize, usize)>, f64)], b: &[(Vec<(usize, usize)>, f64)]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() <= 1e-9)
}
