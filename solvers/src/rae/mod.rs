//! The Risk-Averse Equilibrium (RAE): play that trades expected payoff against the variance that
//! the *other* players' mixing causes.
//!
//! Player `i` with opponents' joint actions `k` of probability `w_k` and payoffs `M[a,k]` has the
//! mean vector `mu = M w` and the action-utility covariance `Sigma = M diag(w) M' - mu mu'`.
//! A mix `x` is worth `x . mu - gamma_i x' Sigma x`; an RAE is a profile in which every player's
//! mix is worth the most that it can be, given the others'.
//! `gamma = 0` gives Nash equilibria.
//!
//! **What is from the paper and what is not.**
//! Slumbers, Mguni, Blumberg and others, "A Game-Theoretic Framework for Managing Risk in
//! Multi-Agent Systems" (ICML 2023, PMLR 202, arXiv 2205.15434) defines the concept, proves that it
//! exists, and gives one algorithm of the fictitious-play kind for small games.
//! Only its abstracts could be read: the definition above is *our reconstruction*, which satisfies
//! every phrase of them; so are the two tremble models, the constrained form, smooth fictitious
//! play as written here, the enumeration, and the generator of high-risk games.
//!
//! One file per concept: [`Exposure`] (moments), [`best_response`] and [`min_variance`] (the
//! quadratic programs), [`fictitious_play`], [`enumerate()`], [`assess`] (the certificate).
//! `docs/rae.md` has definitions, algorithms and a worked example in one place.

mod active_set;
mod conditions;
mod dense;
mod enumerate;
mod exposure;
mod fictitious;
pub(crate) mod interior;
mod newton;
mod respond;
mod solver;
mod views;

use ndarray::ArrayView1;

pub use enumerate::{Enumerated, Enumeration, Equilibrium, enumerate};
pub use exposure::Exposure;
pub use fictitious::{FictitiousPlay, Played, fictitious_play};
pub use respond::{
    ACTIVE_SET_ACTIONS, FrontierPoint, Method, Response, best_response, min_variance,
};
pub use solver::{Rae, Start, Variance, critical_gamma, welfare_best};
pub use views::Views;

use crate::solution::{Profile, SolveError};

/// How low-probability actions enter.
///
/// Without trembles every strict pure Nash equilibrium is an RAE at every `gamma`, because pure
/// opponents cause no variance.
/// Which model the paper uses could not be found; both are reconstructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Tremble {
    /// Opponents are taken at their word.
    #[default]
    None,
    /// Every mix, the own one too, gives every action at least this probability.
    Floor(f64),
    /// Own mixes are free, but each opponent is believed to play every action with at least this
    /// probability: a mix `w` over `n` actions is seen as `(1 - n e) w + e`.
    Opponent(f64),
}

impl Tremble {
    /// The least share that own mixes give every action.
    pub fn floor(self) -> f64 {
        if let Self::Floor(floor) = self { floor } else { 0.0 }
    }

    /// An opponent's mix as it is believed to be played.
    pub fn seen(self, mix: &[f64]) -> Vec<f64> {
        match self {
            Self::Opponent(least) => {
                let kept = 1.0 - least * mix.len() as f64;
                mix.iter().map(|share| kept * share + least).collect()
            }
            Self::None | Self::Floor(_) => mix.to_vec(),
        }
    }

    fn least(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Floor(least) | Self::Opponent(least) => least,
        }
    }
}

/// The players' attitudes to risk.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskAversion {
    /// Weight of the variance for each player, `>= 0`; in units of one over payoff.
    pub gamma: Vec<f64>,
    /// How low-probability actions enter, the same for all.
    pub tremble: Tremble,
}

impl RiskAversion {
    /// The same `gamma` for every player.
    pub fn uniform(players: usize, gamma: f64, tremble: Tremble) -> Self {
        Self { gamma: vec![gamma; players], tremble }
    }

    /// # Errors
    ///
    /// [`SolveError`] if there is not one valid `gamma` per player or a floor leaves no mix.
    pub fn check(&self, sizes: &[usize]) -> Result<(), SolveError> {
        if self.gamma.len() != sizes.len() {
            return Err(SolveError::Invalid {
                what: format!("{} values of gamma for {} players", self.gamma.len(), sizes.len()),
            });
        }
        for (&gamma, &actions) in self.gamma.iter().zip(sizes) {
            respond::check(actions, gamma, self.tremble.least())?;
        }
        Ok(())
    }
}

/// What a profile is worth to risk-averse players: moments and the certificate.
///
/// All moments are under the opponents' play as the tremble model sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// Expected payoff of each player.
    pub mean: Vec<f64>,
    /// Strategic variance of each player, which RAE weighs.
    pub variance: Vec<f64>,
    /// Variance when own mixing counts too, never below `variance`.
    pub total_variance: Vec<f64>,
    /// RAE gap of each player: what a best response would add to the mean-variance objective.
    pub gap: Vec<f64>,
    /// Frank-Wolfe gap of each player: an upper bound on `gap` that no optimiser had a part in.
    pub bound: Vec<f64>,
}

impl Assessment {
    /// Sum of the gaps (NashConv if every `gamma` is 0).
    pub fn convergence(&self) -> f64 {
        self.gap.iter().sum()
    }
}

/// Measures a profile.
///
/// # Errors
///
/// [`SolveError`] if profile or risk attitudes do not fit the game.
pub fn assess(
    views: &Views,
    profile: &Profile,
    risk: &RiskAversion,
) -> Result<Assessment, SolveError> {
    let floor = risk.tremble.floor();
    let mut assessment = Assessment {
        mean: Vec::new(),
        variance: Vec::new(),
        total_variance: Vec::new(),
        gap: Vec::new(),
        bound: Vec::new(),
    };
    for ((exposure, mix), &gamma) in
        views.exposures(profile, risk)?.iter().zip(profile.iter()).zip(&risk.gamma)
    {
        let x = ArrayView1::from(mix);
        let best = best_response(exposure, gamma, floor, Method::Auto)?;
        assessment.mean.push(exposure.expected(x));
        assessment.variance.push(exposure.strategic_variance(x));
        assessment.total_variance.push(exposure.total_variance(x));
        assessment.gap.push((best.value - exposure.objective(gamma, x)).max(0.0));
        assessment.bound.push(exposure.frank_wolfe_gap(gamma, floor, x));
    }
    Ok(assessment)
}
