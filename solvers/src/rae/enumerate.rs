//! All Risk-Averse Equilibria of small games.

use ndarray::ArrayView1;

use super::{Assessment, RiskAversion, Views, assess, two_by_two};
use crate::linear::dense::solve;
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

/// Parameters of [`enumerate`].
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Enumeration {
    /// Random starts of Newton's method per combination of supports, besides the evenly mixed one.
    pub starts: u32,
    /// An equilibrium's RAE gap, in shares of the payoffs' spread, is at most this.
    pub tolerance: f64,
    /// Only equilibria in which every player plays the same mix (for symmetric games).
    pub symmetric: bool,
    /// Combinations of supports at most.
    pub limit: u64,
}

impl Default for Enumeration {
    fn default() -> Self {
        Self { starts: 24, tolerance: 1e-9, symmetric: false, limit: 20_000 }
    }
}

/// Two profiles closer than this are one.
const SAME: f64 = 1e-6;

/// Finds equilibria: every one of a 2x2 game, and for others those that Newton's method reaches.
///
/// For two players with two actions each the conditions are polynomials and all their roots are
/// taken, so nothing is missed but the inside of continua.
/// Otherwise, for every combination of supports, the conditions that all supported actions share
/// the largest gradient are solved by Newton's method from several starts; what has an RAE gap
/// below the tolerance is kept.
/// That list is certified to hold equilibria only; it is not certified to be complete.
///
/// Equilibria come in the order of their supports (smallest first) and then of their shares.
///
/// # Errors
///
/// [`SolveError`] if the risk attitudes do not fit, or [`SolveError::TooLarge`] beyond the limit.
pub fn enumerate(
    views: &Views,
    risk: &RiskAversion,
    parameters: Enumeration,
    streams: Streams,
) -> Result<Vec<Equilibrium>, SolveError> {
    risk.check(views.sizes())?;
    let spread = spread(views);
    let mut found: Vec<Equilibrium> = Vec::new();
    let mut keep = |profile: Profile| -> Result<(), SolveError> {
        let even = || profile.iter().all(|mix| *mix == profile[0]);
        if parameters.symmetric && !even() {
            return Ok(());
        }
        if found.iter().any(|known| known.profile.distance(&profile) < SAME) {
            return Ok(());
        }
        let assessment = assess(views, &profile, risk)?;
        if assessment.gap.iter().all(|&gap| gap <= parameters.tolerance * spread) {
            found.push(Equilibrium { profile, assessment });
        }
        Ok(())
    };

    let system = System { views, risk, symmetric: parameters.symmetric };
    if views.sizes() == [2, 2] {
        for [x, y] in two_by_two::candidates(views, risk) {
            if parameters.symmetric && (x - y).abs() > SAME {
                continue;
            }
            let mixes = [x, y].map(|share| vec![share, 1.0 - share]);
            // Roots of the polynomial carry its rounding; Newton's method takes that off.
            let players = if parameters.symmetric { 1 } else { 2 };
            let rough = system.complete(mixes[..players].to_vec());
            let supports = &inside(&rough, risk.tremble.floor())[..players];
            let exact = system.newton(rough.clone(), supports)?;
            keep(exact.filter(|exact| exact.distance(&rough) < 1e-3).unwrap_or(rough))?;
        }
    } else {
        let players = if parameters.symmetric { 1 } else { views.players() };
        let combinations = views.sizes()[..players]
            .iter()
            .try_fold(1_u64, |product, &n| {
                (n < 32).then(|| (1_u64 << n) - 1).and_then(|sets| product.checked_mul(sets))
            })
            .unwrap_or(u64::MAX);
        if combinations > parameters.limit {
            return Err(SolveError::TooLarge {
                solver: "rae",
                what: "combinations of supports",
                size: combinations,
                limit: parameters.limit,
            });
        }
        for combination in 0..combinations {
            let supports = system.supports(combination);
            let mut draws = streams.at(Purpose::Solve, combination as u32, 0);
            for start in 0..=parameters.starts {
                let rough = system.start(&supports, |_, _| {
                    // Exponential draws, normalised, are uniform on the simplex.
                    if start == 0 { 1.0 } else { -libm::log(1.0 - unit_f64(&mut draws)) }
                });
                if let Some(profile) = system.newton(rough, &supports)? {
                    keep(profile)?;
                }
                if supports.iter().all(|support| support.len() == 1) {
                    break;
                }
            }
        }
    }
    found.sort_by(|a, b| order(&a.profile, &b.profile));
    Ok(found)
}

/// Newton's method from a profile that is close to an equilibrium, on the supports that it seems to
/// have: the result with the least gap, if any run ends.
pub(super) fn polish(
    views: &Views,
    risk: &RiskAversion,
    profile: &Profile,
) -> Result<Option<Equilibrium>, SolveError> {
    let system = System { views, risk, symmetric: false };
    let floor = risk.tremble.floor();
    let mut best: Option<Equilibrium> = None;
    // Averages leave dust of about one over the rounds on actions that are no longer played.
    for dust in [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4] {
        let supports: Vec<Vec<usize>> = profile
            .iter()
            .map(|mix| {
                let set: Vec<usize> = (0..mix.len()).filter(|&a| mix[a] > floor + dust).collect();
                if set.is_empty() {
                    inside(&Profile::new(vec![mix.clone()]), floor)[0].clone()
                } else {
                    set
                }
            })
            .collect();
        let start = system.start(&supports, |player, a| profile[player][a] - floor);
        let Some(profile) = system.newton(start, &supports)? else { continue };
        let assessment = assess(views, &profile, risk)?;
        let better = |best: &Equilibrium| assessment.convergence() < best.assessment.convergence();
        if best.as_ref().is_none_or(better) {
            best = Some(Equilibrium { profile, assessment });
        }
    }
    Ok(best)
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

/// Actions above the floor, per player; the first action where the floor leaves one mix only.
fn inside(profile: &Profile, floor: f64) -> Vec<Vec<usize>> {
    let of = |mix: &Vec<f64>| -> Vec<usize> {
        let set: Vec<usize> = (0..mix.len()).filter(|&a| mix[a] > floor + 1e-9).collect();
        if set.is_empty() { vec![0] } else { set }
    };
    profile.iter().map(of).collect()
}

/// The conditions that on every support all gradients are equal.
struct System<'a> {
    views: &'a Views,
    risk: &'a RiskAversion,
    /// All players play the first one's mix.
    symmetric: bool,
}

impl System<'_> {
    /// The supports that a number stands for, one per player (one in all if symmetric).
    fn supports(&self, combination: u64) -> Vec<Vec<usize>> {
        let players = if self.symmetric { 1 } else { self.views.players() };
        let mut rest = combination;
        let mut supports = Vec::new();
        for &actions in &self.views.sizes()[..players] {
            let sets = (1_u64 << actions) - 1;
            let set = rest % sets + 1;
            rest /= sets;
            supports.push((0..actions).filter(|a| set & (1 << a) != 0).collect());
        }
        supports
    }

    /// A profile on the supports with shares above the floor in the proportions drawn.
    fn start(&self, supports: &[Vec<usize>], mut draw: impl FnMut(usize, usize) -> f64) -> Profile {
        let floor = self.risk.tremble.floor();
        let mixes: Vec<Vec<f64>> = supports
            .iter()
            .zip(self.views.sizes())
            .enumerate()
            .map(|(player, (support, &actions))| {
                let drawn: Vec<f64> = support.iter().map(|&a| draw(player, a)).collect();
                let total: f64 = drawn.iter().sum();
                let mut mix = vec![floor; actions];
                for (&a, drawn) in support.iter().zip(&drawn) {
                    mix[a] += (1.0 - floor * actions as f64) * drawn / total;
                }
                mix
            })
            .collect();
        self.complete(mixes)
    }

    fn complete(&self, mut mixes: Vec<Vec<f64>>) -> Profile {
        if self.symmetric {
            mixes.resize(self.views.players(), mixes[0].clone());
        }
        Profile::new(mixes)
    }

    /// Gradient differences along each support, which vanish at an equilibrium on it.
    fn residual(&self, profile: &Profile, supports: &[Vec<usize>]) -> Result<Vec<f64>, SolveError> {
        let mut residual = Vec::new();
        for (player, support) in supports.iter().enumerate() {
            let exposure = self.views.exposure(player, profile, self.risk.tremble)?;
            let gradient =
                exposure.gradient(self.risk.gamma[player], ArrayView1::from(&profile[player]));
            residual.extend(support[1..].iter().map(|&a| gradient[a] - gradient[support[0]]));
        }
        Ok(residual)
    }

    /// Newton's method on the shares of all but the first action of each support, which takes up
    /// the rest. The Jacobian is by differences: the residual is exact, so that only costs steps.
    fn newton(
        &self,
        start: Profile,
        supports: &[Vec<usize>],
    ) -> Result<Option<Profile>, SolveError> {
        const STEPS: usize = 40;
        const NUDGE: f64 = 1e-7;
        let floor = self.risk.tremble.floor();
        let shares: Vec<(usize, usize, usize)> = supports
            .iter()
            .enumerate()
            .flat_map(|(player, set)| set[1..].iter().map(move |&a| (player, a, set[0])))
            .collect();
        let moved = |from: &Profile, step: &[f64]| -> Profile {
            let mut mixes = from.as_slice()[..supports.len()].to_vec();
            for (&(player, a, pivot), step) in shares.iter().zip(step) {
                mixes[player][a] += step;
                mixes[player][pivot] -= step;
            }
            self.complete(mixes)
        };
        let mut profile = start;
        for _ in 0..STEPS {
            let residual = self.residual(&profile, supports)?;
            let unknowns = shares.len();
            let mut jacobian = vec![vec![0.0; unknowns]; unknowns];
            for column in 0..unknowns {
                let mut step = vec![0.0; unknowns];
                step[column] = NUDGE;
                // Weights a nudge below zero would be refused as no distribution.
                let (player, _, pivot) = shares[column];
                let side = if profile[player][pivot] >= NUDGE { 1.0 } else { -1.0 };
                step[column] *= side;
                let nudged = self.residual(&clipped(&moved(&profile, &step)), supports)?;
                for row in 0..unknowns {
                    jacobian[row][column] = (nudged[row] - residual[row]) / (side * NUDGE);
                }
            }
            let gradient = residual.iter().map(|entry| -entry).collect();
            let Some(mut step) = solve(jacobian, gradient) else { return Ok(None) };
            // A step that leaves the simplex is shortened to end just inside it; roots on the
            // boundary belong to a smaller support.
            let mut length = 1.0_f64;
            let whole = moved(&profile, &step);
            for (before, after) in profile.iter().flatten().zip(whole.iter().flatten()) {
                if *after < floor {
                    length = length.min(0.9 * (before - floor).max(0.0) / (before - after));
                }
            }
            for entry in &mut step {
                *entry *= length;
            }
            profile = moved(&profile, &step);
            let largest = step.iter().fold(0.0_f64, |largest, entry| largest.max(entry.abs()));
            if largest < 1e-15 || (largest < 1e-12 && length >= 1.0) {
                break;
            }
            if length < 1e-9 {
                return Ok(None);
            }
        }
        Ok(Some(clipped(&profile)))
    }
}

/// Rounding taken off: no share below zero, sums of one.
fn clipped(profile: &Profile) -> Profile {
    let mixes = profile.iter().map(|mix| mix.iter().map(|share| share.max(0.0)).collect());
    Profile::new(mixes.collect()).normalised()
}
