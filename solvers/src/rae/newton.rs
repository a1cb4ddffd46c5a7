//! Newton's method on the conditions that all actions of each support are worth the same.

use ndarray::ArrayView1;

use super::{Equilibrium, RiskAversion, Views, assess};
use crate::linear::dense::solve;
use crate::solution::{Profile, SolveError};

/// Newton's method from a profile that is close to an equilibrium, on the supports that it seems to
/// have: the result with the least gap, if any run ends.
pub(super) fn polish(
    views: &Views,
    risk: &RiskAversion,
    profile: &Profile,
) -> Result<Option<Equilibrium>, SolveError> {
    let newton = Newton { views, risk, symmetric: false };
    let floor = risk.tremble.floor();
    let mut best: Option<Equilibrium> = None;
    // Averages leave dust of about one over the rounds on actions that are no longer played.
    for dust in [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4] {
        let supports: Vec<Vec<usize>> = profile
            .iter()
            .map(|mix| {
                let most =
                    (1..mix.len()).fold(0, |most, a| if mix[a] > mix[most] { a } else { most });
                (0..mix.len()).filter(|&a| a == most || mix[a] > floor + dust).collect()
            })
            .collect();
        let start = newton.start(&supports, |player, a| profile[player][a] - floor);
        let Some(profile) = newton.solve(start, &supports)? else { continue };
        let assessment = assess(views, &profile, risk)?;
        let better = |best: &Equilibrium| assessment.convergence() < best.assessment.convergence();
        if best.as_ref().is_none_or(better) {
            best = Some(Equilibrium { profile, assessment });
        }
    }
    Ok(best)
}

/// The conditions that on every support all gradients are equal.
pub(super) struct Newton<'a> {
    pub(super) views: &'a Views,
    pub(super) risk: &'a RiskAversion,
    /// All players play the first one's mix, and supports are of that one only.
    pub(super) symmetric: bool,
}

impl Newton<'_> {
    /// A profile on the supports with shares above the floor in the proportions drawn.
    pub(super) fn start(
        &self,
        supports: &[Vec<usize>],
        mut draw: impl FnMut(usize, usize) -> f64,
    ) -> Profile {
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
                    // No mass above the floor at all: any proportions do.
                    let share =
                        if total > 0.0 { drawn / total } else { 1.0 / support.len() as f64 };
                    mix[a] += (1.0 - floor * actions as f64) * share;
                }
                mix
            })
            .collect();
        self.complete(mixes)
    }

    /// The profile with these shares of all but the first action of each support, as the roots of
    /// `Conditions` have them: of what is above the floor.
    pub(super) fn above_floor(&self, supports: &[Vec<usize>], shares: &[Vec<f64>]) -> Profile {
        let all = Self { symmetric: false, ..*self };
        all.start(supports, |player, a| {
            let share = match supports[player].iter().position(|&b| b == a) {
                Some(0) => 1.0 - shares[player].iter().sum::<f64>(),
                Some(place) => shares[player][place - 1],
                None => 0.0,
            };
            // Roots on the boundary may be a hair outside.
            share.max(0.0)
        })
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
    pub(super) fn solve(
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
