//! Logit quantal response equilibria by path tracing.

use serde::{Deserialize, Serialize};

use crate::game::NormalForm;
use crate::linear::dense::solve;
use crate::solution::{
    Parameter, Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop,
    Takes,
};

/// The logit quantal response equilibrium on the principal branch at a precision `lambda`, or the
/// limit of that branch as `lambda` grows, which is a Nash equilibrium.
///
/// In a logit equilibrium every player plays action `a` with probability proportional to
/// `exp(lambda * u(a))`, where `u(a)` is what `a` pays against the others' strategies.
/// The principal branch is the connected curve of these equilibria that starts from even mixing at
/// `lambda = 0`.
/// It is followed in the logarithms of probabilities by predictor and corrector steps of
/// pseudo-arclength, so it may turn back in `lambda`; a given `lambda` is answered at the first
/// crossing.
///
/// The limit is taken where the regret falls below `tolerance`; if an equilibrium is mixed, the
/// regret falls like `1 / lambda` and so does the distance to it.
/// Which equilibrium that is depends on the payoffs' scale only through the speed of the trace.
///
/// Sources: McKelvey and Palfrey, "Quantal response equilibria for normal form games", Games and
/// Economic Behavior 10 (1995); Turocy, "A dynamic homotopy interpretation of the logistic quantal
/// response equilibrium correspondence", Games and Economic Behavior 51 (2005).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logit {
    /// Precision of the players, in one over payoff; without one, the limit is asked for.
    pub lambda: Option<f64>,
    /// Regret, relative to the largest difference between payoffs of a player (where that exceeds
    /// 1), at which the limit is taken as reached.
    pub tolerance: f64,
    /// Steps along the branch at most.
    pub max_steps: u32,
}

impl Default for Logit {
    fn default() -> Self {
        Self { lambda: None, tolerance: 1e-8, max_steps: 100_000 }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "logit",
    about: "logit quantal response equilibrium of a precision, or its limit (McKelvey, Palfrey 1995)",
    takes: Takes::AnyGame,
    enumerates: false,
    parameters: &[
        Parameter {
            name: "lambda",
            about: "precision in one over payoff, >= 0; none for the limit (default)",
        },
        Parameter {
            name: "tolerance",
            about: "relative regret that ends the limit (default 1e-8)",
        },
        Parameter { name: "max_steps", about: "steps along the branch at most (default 100000)" },
    ],
};

/// Actions of all players together: steps cost their cube.
const MOST_ACTIONS: usize = 600;

/// First step along the branch.
const FIRST_STEP: f64 = 0.03;

/// Steps shorter than this cannot be told from rounding.
const LEAST_STEP: f64 = 1e-12;

/// How much a point may be corrected, relative to the step that led to it, and the direction may
/// turn: more may be another branch.
///
/// A trace that gets lost starts again with the next, more cautious one.
const CAUTION: [f64; 3] = [0.02, 0.004, 0.0008];

/// A point of the branch, and the direction in which it goes on.
///
/// The unknowns are the logarithms of all probabilities, player by player, and last `lambda` times
/// the spread of payoffs.
struct Branch<'a> {
    game: &'a NormalForm,
    /// Largest difference between payoffs of a player; 1 if there is none.
    spread: f64,
    /// Where each player's unknowns begin.
    offsets: Vec<usize>,
    point: Vec<f64>,
    tangent: Vec<f64>,
    step: f64,
    caution: f64,
}

/// Residuals and their derivatives, one row an equation.
type Equations = (Vec<f64>, Vec<Vec<f64>>);

impl<'a> Branch<'a> {
    /// Even mixing at precision 0, going up.
    fn new(game: &'a NormalForm, caution: f64) -> Self {
        let mut point = Vec::new();
        let mut offsets = Vec::new();
        for &actions in game.shape() {
            offsets.push(point.len());
            point.extend(std::iter::repeat_n(-libm::log(actions as f64), actions));
        }
        let mut tangent = vec![0.0; point.len()];
        point.push(0.0);
        tangent.push(1.0);
        let spread = game.spread();
        let spread = if spread > 0.0 { spread } else { 1.0 };
        let step = FIRST_STEP;
        let mut branch = Self { game, spread, offsets, point, tangent, step, caution };
        // Going up is not yet the direction, but the system is regular at precision 0.
        if let Some(direction) = branch.direction(&branch.point) {
            branch.tangent = direction;
        }
        branch
    }

    fn precision(&self) -> f64 {
        self.point[self.point.len() - 1]
    }

    /// Probabilities that need not sum to 1 away from the branch.
    fn weights(&self, point: &[f64]) -> Profile {
        let of = |(&offset, &actions): (&usize, &usize)| {
            point[offset..offset + actions].iter().map(|&log| libm::exp(log)).collect()
        };
        Profile::new(self.offsets.iter().zip(self.game.shape()).map(of).collect())
    }

    fn profile(&self) -> Profile {
        self.weights(&self.point).normalised()
    }

    /// For every player that probabilities sum to 1 and that logarithms differ as payoffs do.
    fn equations(&self, point: &[f64]) -> Equations {
        let unknowns = point.len();
        let precision = point[unknowns - 1];
        let weights = self.weights(point);
        let mut residuals = Vec::with_capacity(unknowns);
        let mut slopes = Vec::with_capacity(unknowns);
        for (player, &offset) in self.offsets.iter().enumerate() {
            let own = &weights[player];
            residuals.push(own.iter().sum::<f64>() - 1.0);
            let mut row = vec![0.0; unknowns];
            row[offset..offset + own.len()].copy_from_slice(own);
            slopes.push(row);
            let payoffs = self.game.deviation_payoffs(player, &weights);
            let first = slopes.len();
            for action in 1..own.len() {
                let gain = (payoffs[action] - payoffs[0]) / self.spread;
                residuals.push(point[offset + action] - point[offset] - precision * gain);
                let mut row = vec![0.0; unknowns];
                row[offset + action] = 1.0;
                row[offset] = -1.0;
                row[unknowns - 1] = -gain;
                slopes.push(row);
            }
            for (other, &there) in self.offsets.iter().enumerate() {
                if other == player || own.len() == 1 {
                    continue;
                }
                let pairs = self.game.pair_payoffs(player, player, other, &weights);
                let width = weights[other].len();
                for (action, row) in slopes[first..].iter_mut().enumerate() {
                    let gains = pairs[(action + 1) * width..].iter().zip(&pairs[..width]);
                    for ((entry, (a, b)), weight) in
                        row[there..there + width].iter_mut().zip(gains).zip(&weights[other])
                    {
                        *entry = -precision * (a - b) / self.spread * weight;
                    }
                }
            }
        }
        (residuals, slopes)
    }

    /// Newton's method on the equations and the plane through `start` with this normal.
    fn correct(&self, start: Vec<f64>, normal: &[f64]) -> Option<Vec<f64>> {
        const ROUNDS: usize = 12;
        let mut point = start;
        for _ in 0..ROUNDS {
            let (residuals, mut slopes) = self.equations(&point);
            slopes.push(normal.to_vec());
            let mut right: Vec<f64> = residuals.iter().map(|residual| -residual).collect();
            right.push(0.0);
            let change = solve(slopes, right)?;
            let mut largest = 0.0_f64;
            for (unknown, change) in point.iter_mut().zip(change) {
                *unknown += change;
                largest = largest.max(change.abs() / (1.0 + unknown.abs()));
            }
            if !largest.is_finite() {
                return None;
            }
            // The precision multiplies the rounding of payoffs.
            if largest < 1e-11 + 1e-14 * point[point.len() - 1].abs() {
                return Some(point);
            }
        }
        None
    }

    /// The direction of the branch at a point, within a right angle of the direction so far.
    fn direction(&self, point: &[f64]) -> Option<Vec<f64>> {
        let (_, mut slopes) = self.equations(point);
        slopes.push(self.tangent.clone());
        let mut right = vec![0.0; point.len()];
        right[point.len() - 1] = 1.0;
        let direction = solve(slopes, right)?;
        let length = direction.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
        length.is_finite().then(|| direction.iter().map(|entry| entry / length).collect())
    }

    /// The next point and its direction, with shorter and shorter steps until one succeeds.
    fn advance(&mut self) -> Option<(Vec<f64>, Vec<f64>)> {
        while self.step > LEAST_STEP * (1.0 + self.precision().abs()) {
            let ahead: Vec<f64> =
                self.point.iter().zip(&self.tangent).map(|(x, t)| x + self.step * t).collect();
            if let Some(point) = self.correct(ahead.clone(), &self.tangent)
                && let Some(direction) = self.direction(&point)
            {
                let off = point.iter().zip(&ahead).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
                let straight: f64 = direction.iter().zip(&self.tangent).map(|(a, b)| a * b).sum();
                let off = off.sqrt() / self.step;
                let turn = 1.0 - straight;
                // Only even mixing has precision 0, so the branch never comes back there.
                if off < self.caution && turn < self.caution && point[point.len() - 1] > 0.0 {
                    let easy = off < 0.2 * self.caution && turn < 0.2 * self.caution;
                    self.step *= if easy { 2.0 } else { 1.0 };
                    return Some((point, direction));
                }
            }
            self.step *= 0.5;
        }
        None
    }

    /// The point of the branch at `precision`, which lies between this point and `next`.
    fn land(&self, next: &[f64], precision: f64) -> Option<Vec<f64>> {
        let unknowns = next.len();
        let share = (precision - self.precision()) / (next[unknowns - 1] - self.precision());
        let mut between: Vec<f64> =
            self.point.iter().zip(next).map(|(a, b)| a + share * (b - a)).collect();
        between[unknowns - 1] = precision;
        let mut level = vec![0.0; unknowns];
        level[unknowns - 1] = 1.0;
        self.correct(between, &level)
    }
}

impl Logit {
    fn check_parameters(&self) -> Result<(), SolveError> {
        if let Some(lambda) = self.lambda {
            INFO.within("lambda", lambda, 0.0..f64::INFINITY, "finite and not negative")?;
        }
        let positive = f64::MIN_POSITIVE..f64::INFINITY;
        INFO.within("tolerance", self.tolerance, positive, "positive and finite")
    }
}

impl Logit {
    /// Follows the branch to the precision or the regret asked for.
    fn trace(&self, mut branch: Branch<'_>, steps: &mut u32) -> (Profile, Stop) {
        let game = branch.game;
        let target = self.lambda.map(|lambda| lambda * branch.spread);
        let bound = self.tolerance * game.spread().max(1.0);
        let stop = loop {
            let done = match target {
                Some(target) => branch.precision() >= target,
                None => game.regret(&branch.profile()).iter().all(|&regret| regret <= bound),
            };
            if done {
                break if target.is_some() { Stop::Complete } else { Stop::Converged };
            }
            if *steps == self.max_steps {
                break Stop::IterationLimit;
            }
            *steps += 1;
            let Some((next, direction)) = branch.advance() else { break Stop::Stalled };
            let crossed = target.filter(|target| next[next.len() - 1] >= *target);
            branch.point = match crossed {
                Some(target) => match branch.land(&next, target) {
                    Some(point) => point,
                    None => break Stop::Stalled,
                },
                None => next,
            };
            branch.tangent = direction;
        };
        (branch.profile(), stop)
    }
}

impl Solver for Logit {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        self.lambda.is_none().then_some(self.tolerance)
    }

    fn solve(&self, game: &NormalForm, _options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.check(game)?;
        self.check_parameters()?;
        let actions: usize = game.shape().iter().sum();
        if actions > MOST_ACTIONS {
            return Err(SolveError::TooLarge {
                solver: INFO.name,
                what: "actions",
                size: actions as u64,
                limit: MOST_ACTIONS as u64,
            });
        }
        let mut steps = 0;
        let mut answer = (Profile::uniform(game.shape()), Stop::Stalled);
        for caution in CAUTION {
            if answer.1 == Stop::Stalled {
                answer = self.trace(Branch::new(game, caution), &mut steps);
            }
        }
        let (profile, stop) = answer;
        let solution = Solution::certify(game, profile, u64::from(steps), stop)?;
        Ok(Solutions::one(solution))
    }
}
