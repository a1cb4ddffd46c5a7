//! All Risk-Averse Equilibria of small games.

use super::conditions::Conditions;
use super::newton::Newton;
use super::{Assessment, RiskAversion, Views, assess};
use crate::linear::isolate::Effort;
use crate::seed::{Purpose, Streams, unit_f64};
use crate::solution::{Profile, SolveError};

/// An equilibrium and its certificate.
#[derive(Clone, Debug)]
pub struct Equilibrium {
    /// The profile.
    pub profile: Profile,
    /// Moments and gaps.
    pub assessment: Assessment,
}

/// What [`enumerate()`] found.
#[derive(Clone, Debug)]
pub struct Enumerated {
    /// The equilibria, in the order of their supports (smallest first) and then of their shares.
    pub equilibria: Vec<Equilibrium>,
    /// The combinations of supports (one set of actions per player) that may hold others.
    pub undecided: Vec<Vec<Vec<usize>>>,
}

impl Enumerated {
    /// Whether there are no other equilibria, by proof: see [`enumerate()`].
    pub fn is_complete(&self) -> bool {
        self.undecided.is_empty()
    }
}

/// Parameters of [`enumerate()`].
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Enumeration {
    /// An equilibrium's RAE gap, in shares of the payoffs' spread, is at most this.
    pub tolerance: f64,
    /// Only equilibria in which every player plays the same mix (for symmetric games).
    pub symmetric: bool,
    /// Combinations of supports at most.
    pub limit: u64,
    /// Parts of the space of profiles to look at for one combination of supports.
    pub boxes: u64,
    /// Random starts of Newton's method for a combination of supports that this leaves undecided.
    pub starts: u32,
}

impl Default for Enumeration {
    fn default() -> Self {
        Self { tolerance: 1e-9, symmetric: false, limit: 20_000, boxes: 20_000, starts: 24 }
    }
}

/// Two profiles closer than this are one.
const SAME: f64 = 1e-6;
/// Parts of the space of profiles narrower than this are not cut further.
const LEAST_WIDTH: f64 = 1e-5;

/// Finds the equilibria of a game with any number of players, and says whether these are all.
///
/// For every combination of supports the conditions are polynomials ([`super`]'s gradient with
/// each player's expected payoff as one more unknown), affine in each mix and each such unknown.
/// Their roots are isolated by subdivision with interval arithmetic: parts without a root are
/// dropped, and Krawczyk's test proves that a part holds exactly one.
/// If every part of every combination was decided the list is complete: there are no other
/// equilibria, up to the tolerance by which an unplayed action may be worth more.
///
/// It is not where equilibria form a continuum or where the Jacobian is singular at one, as at a
/// critical `gamma` or where a player's payoffs tie, and where `boxes` were not enough (from about
/// five unknowns a combination on, that is beyond 3x3 and 2x2x2 games).
/// Undecided combinations are searched by Newton's method from the undecided parts, from the even
/// mix and from random starts; the list then holds equilibria only but need not hold all.
///
/// # Errors
///
/// [`SolveError`] if the risk attitudes do not fit, or [`SolveError::TooLarge`] beyond the limit.
pub fn enumerate(
    views: &Views,
    risk: &RiskAversion,
    parameters: Enumeration,
    streams: Streams,
) -> Result<Enumerated, SolveError> {
    risk.check(views.sizes())?;
    let combinations = combinations(views, parameters.symmetric);
    if combinations > parameters.limit {
        return Err(SolveError::TooLarge {
            solver: "rae",
            what: "combinations of supports",
            size: combinations,
            limit: parameters.limit,
        });
    }
    let spread = spread(views);
    let mut equilibria: Vec<Equilibrium> = Vec::new();
    let mut keep = |profile: Profile| -> Result<(), SolveError> {
        let differs =
            |mix: &Vec<f64>| mix.iter().zip(&profile[0]).any(|(a, b)| (a - b).abs() > SAME);
        if parameters.symmetric && profile.iter().any(differs) {
            return Ok(());
        }
        if equilibria.iter().any(|known| known.profile.distance(&profile) < SAME) {
            return Ok(());
        }
        let assessment = assess(views, &profile, risk)?;
        if assessment.gap.iter().all(|&gap| gap <= parameters.tolerance * spread) {
            equilibria.push(Equilibrium { profile, assessment });
        }
        Ok(())
    };

    let conditions = Conditions::new(views, risk);
    let newton = Newton { views, risk, symmetric: parameters.symmetric };
    let effort = Effort { least_width: LEAST_WIDTH, most_boxes: parameters.boxes };
    let mut undecided = Vec::new();
    for combination in 0..combinations {
        let supports = supports(views, combination, parameters.symmetric);
        if conditions.impossible(&supports, effort) {
            continue;
        }
        let system = conditions.system(&supports, parameters.symmetric);
        let found = system.isolate(effort);
        for root in &found.roots {
            keep(newton.above_floor(&supports, root))?;
        }
        if found.doubtful.is_empty() && !found.cut_short {
            continue;
        }
        for place in &found.doubtful {
            if let Some(root) = system.nearby(place) {
                keep(newton.above_floor(&supports, &root))?;
            }
        }
        let players = &supports[..if parameters.symmetric { 1 } else { supports.len() }];
        let mut draws = streams.at(Purpose::Solve, combination as u32, 0);
        for start in 0..=parameters.starts {
            let rough = newton.start(players, |_, _| {
                // Exponential draws, normalised, are uniform on the simplex.
                if start == 0 { 1.0 } else { -libm::log(1.0 - unit_f64(&mut draws)) }
            });
            if let Some(profile) = newton.solve(rough, players)? {
                keep(profile)?;
            }
        }
        undecided.push(supports);
    }
    equilibria.sort_by(|a, b| order(&a.profile, &b.profile));
    Ok(Enumerated { equilibria, undecided })
}

/// Number of combinations of supports; of supports if all players have the same.
fn combinations(views: &Views, symmetric: bool) -> u64 {
    let players = if symmetric { 1 } else { views.players() };
    let sets = |n: usize| (n < 32).then(|| (1_u64 << n) - 1);
    views.sizes()[..players]
        .iter()
        .try_fold(1_u64, |product, &n| sets(n).and_then(|sets| product.checked_mul(sets)))
        .unwrap_or(u64::MAX)
}

/// The supports that a number stands for, one per player.
fn supports(views: &Views, combination: u64, symmetric: bool) -> Vec<Vec<usize>> {
    let mut rest = combination;
    views
        .sizes()
        .iter()
        .map(|&actions| {
            let sets = (1_u64 << actions) - 1;
            let set = rest % sets + 1;
            if !symmetric {
                rest /= sets;
            }
            (0..actions).filter(|a| set & (1 << a) != 0).collect()
        })
        .collect()
}

/// Smaller supports first, then shares from the first player's first action on.
fn order(a: &Profile, b: &Profile) -> std::cmp::Ordering {
    let support = |profile: &Profile| profile.iter().flatten().filter(|&&p| p > SAME).count();
    support(a).cmp(&support(b)).then_with(|| {
        let pairs = a.iter().flatten().zip(b.iter().flatten());
        pairs.map(|(a, b)| b.total_cmp(a)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    })
}

/// Largest difference between two payoffs of one player.
fn spread(views: &Views) -> f64 {
    let of = |player: usize| {
        let fold = |(low, high): (f64, f64), &payoff: &f64| (low.min(payoff), high.max(payoff));
        let (low, high) =
            views.payoffs(player).iter().fold((f64::INFINITY, f64::NEG_INFINITY), fold);
        high - low
    };
    (0..views.players()).map(of).fold(f64::MIN_POSITIVE, f64::max)
}
