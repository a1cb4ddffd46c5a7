//! Several methods on the same paths of one problem.

use gambol_envs::diffusion::paths::{Paths, Sampling, Start};
use gambol_envs::diffusion::process::{Polynomial, Process, Scheme};
use gambol_envs::diffusion::value::{Value, call, polynomial};
use gambol_envs::seed::Streams;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::family::{Family, Linear, Points, Term};
use super::iterate::Iterate;
use super::method::{Method, Way, Weighting};
use super::moments::{Blocks, Discounting, Errors, Moments, Piece, Test, Tester};
use super::online::Online;

/// Steps of a path that are worked on at once; constant, so that results do not depend on memory or threads.
const CHUNK: usize = 1024;
/// Batches whose moments wait for the methods that take them in order.
const AHEAD: u32 = 64;
/// Paths along which the error of the values is measured, at most.
const MEASURED: u32 = 64;
/// Blocks of late iterates from whose spread an iterative method's standard error comes.
const TAILS: usize = 16;

/// Until when rewards count.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub enum Horizon {
    /// Until this time.
    Finite(f64),
    /// For ever; paths of so many steps are observed.
    Infinite {
        /// Steps of one path.
        steps: u64,
    },
}

/// What is paid at the horizon.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum Payoff {
    /// The sum over coordinates of a polynomial by its coefficients, constant first.
    Polynomial(Vec<f64>),
    /// `(x - strike)^+`, one coordinate.
    Call(f64),
}

/// A policy evaluation problem, and the methods to be compared on its paths.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename = "EvaluatePolicy")]
pub struct Study {
    /// The dynamics: `Ou(kappa: 1, sigma: 0.5)`, `Gbm(mu: 0.1, sigma: 0.2)` or `Brownian(sigma: 1)`, each with `dim`
    /// independent coordinates.
    pub process: Polynomial,
    /// Where paths begin: `At(x)`, or `Normal(mean: m, std: s)`.
    pub start: Start,
    /// `Finite(T)`, or `Infinite(steps: n)` with paths of so many steps.
    pub horizon: Horizon,
    /// Length of a step: the mesh. A finite horizon holds a whole number of them.
    pub dt: f64,
    /// Paths.
    pub episodes: u32,
    /// Discount rate `beta`, at least 0; 0.
    #[serde(default)]
    pub discount: f64,
    /// Reward rate: the sum over coordinates of a polynomial by its coefficients, constant first; none.
    #[serde(default)]
    pub reward: Vec<f64>,
    /// Payoff at a finite horizon: `Polynomial([..])`, or `Call(strike)`; none.
    #[serde(default = "nothing")]
    pub terminal: Payoff,
    /// Terms that the family adds up whatever its parameters; none.
    #[serde(default)]
    pub base: Vec<Term>,
    /// One term a parameter, at least one.
    pub features: Vec<Term>,
    /// The methods.
    pub methods: Vec<Method>,
    /// `Euler`, or `Exact` for the law of the transition itself; `Euler`.
    #[serde(default)]
    pub scheme: Scheme,
    /// Steps of the finest mesh in one step of this one: the same Brownian motion for the same `dt / refine`; 1.
    #[serde(default = "one")]
    pub refine: u32,
    /// Every second path is the mirror image of the one before; false.
    #[serde(default)]
    pub antithetic: bool,
    /// `Rate`: `J' - J + (r - beta J) dt`, or `Factor`: `exp(-beta dt) J' - J + r dt`; `Rate`.
    #[serde(default)]
    pub discounting: Discounting,
    /// Paths of one update of an iterative method, where the horizon is finite, and 1,024 steps where it is not; 256.
    #[serde(default = "batch")]
    pub batch: u32,
}

fn nothing() -> Payoff {
    Payoff::Polynomial(Vec::new())
}

fn one() -> u32 {
    1
}

fn batch() -> u32 {
    256
}

impl Study {
    /// The family of value functions.
    pub fn family(&self) -> Linear {
        Linear { base: self.base.clone(), features: self.features.clone() }
    }

    /// Steps of one path.
    pub fn steps(&self) -> u64 {
        match self.horizon {
            Horizon::Finite(end) => (end / self.dt).round() as u64,
            Horizon::Infinite { steps } => steps,
        }
    }

    fn end(&self) -> Option<f64> {
        match self.horizon {
            Horizon::Finite(end) => Some(end),
            Horizon::Infinite { .. } => None,
        }
    }

    /// Everything that is wrong with the process and what it pays.
    fn problems_of_process(&self) -> Vec<String> {
        let mut problems = self.process.problems();
        let mut check = |fits: bool, why: String| {
            if !fits {
                problems.push(why);
            }
        };
        let dt = self.dt;
        check(dt.is_finite() && dt > 0.0, format!("`dt` is {dt}, and has to be above 0"));
        let beta = self.discount;
        check(
            beta.is_finite() && beta >= 0.0,
            format!("`discount` is {beta}, and has to be finite and at least 0"),
        );
        if let Horizon::Finite(end) = self.horizon {
            let steps = end / dt;
            let whole = steps >= 0.5 && (steps - steps.round()).abs() < 1e-6 * steps;
            check(
                whole && steps < 1e7,
                format!(
                    "a horizon of {end} does not hold a whole number of steps of {dt} (1 to 10 million)"
                ),
            );
        }
        check(
            self.steps() > 0 || dt.is_nan() || dt <= 0.0,
            "a path needs at least 1 step".to_owned(),
        );
        check(
            self.refine.is_power_of_two(),
            format!("`refine` is {}, and has to be a power of 2", self.refine),
        );
        check(self.reward.iter().all(|c| c.is_finite()), "`reward` has to be finite".to_owned());
        match (&self.terminal, self.horizon) {
            (Payoff::Polynomial(list), _) if list.iter().any(|c| !c.is_finite()) => {
                problems.push("`terminal` has to be finite".to_owned());
            }
            (Payoff::Polynomial(list), Horizon::Infinite { .. }) if !list.is_empty() => {
                problems.push("an infinite horizon has no `terminal` payoff".to_owned());
            }
            (Payoff::Call(_), Horizon::Infinite { .. }) => {
                problems.push("an infinite horizon has no `terminal` payoff".to_owned());
            }
            (Payoff::Call(strike), _) => {
                if self.process.dim() != 1 {
                    problems.push("`Call` is for one coordinate".to_owned());
                }
                if !(strike.is_finite() && *strike > 0.0) {
                    problems.push(format!("`Call` of {strike}: a strike is above 0"));
                }
            }
            (Payoff::Polynomial(_), _) => {}
        }
        problems
    }

    fn rate(&self, x: &[f64]) -> f64 {
        x.iter().map(|&x| polynomial(&self.reward, x)).sum()
    }

    fn payoff(&self, x: &[f64]) -> f64 {
        match &self.terminal {
            Payoff::Polynomial(list) => x.iter().map(|&x| polynomial(list, x)).sum(),
            Payoff::Call(strike) => (x[0] - strike).max(0.0),
        }
    }

    /// The true value of a state, where it is known in closed form.
    pub fn truth(&self) -> Option<Truth> {
        match (&self.terminal, self.horizon) {
            (Payoff::Polynomial(terminal), Horizon::Finite(_)) => Some(Truth::Polynomial(
                Value::finite(&self.process, self.discount, &self.reward, terminal),
            )),
            (_, Horizon::Infinite { .. }) => {
                Value::infinite(&self.process, self.discount, &self.reward)
                    .ok()
                    .map(Truth::Polynomial)
            }
            (&Payoff::Call(strike), Horizon::Finite(_)) => match self.process {
                Polynomial::Gbm { mu, sigma, .. } if self.reward.iter().all(|&c| c == 0.0) => {
                    Some(Truth::Call { mu, sigma, discount: self.discount, strike })
                }
                _ => None,
            },
        }
    }
}

/// A true value function.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    /// A polynomial in the state.
    Polynomial(Value),
    /// That of a call on a geometric Brownian motion.
    Call {
        /// Growth rate.
        mu: f64,
        /// Relative volatility.
        sigma: f64,
        /// Discount rate.
        discount: f64,
        /// Strike.
        strike: f64,
    },
}

impl Truth {
    /// The values at every point.
    fn values(&self, points: Points<'_>) -> Vec<f64> {
        let tau = |step: usize| points.tau - step as f64 * points.dt;
        let states = points.states.chunks_exact(points.dim).enumerate();
        match self {
            Self::Polynomial(value) => states.map(|(step, x)| value.at(tau(step), x)).collect(),
            &Self::Call { mu, sigma, discount, strike } => {
                states.map(|(step, x)| call(mu, sigma, discount, strike, tau(step), x[0])).collect()
            }
        }
    }
}

/// What a method found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Its name.
    pub method: String,
    /// The parameters.
    pub theta: Vec<f64>,
    /// Their standard errors: from the spread between blocks of paths; for iterative methods from that between
    /// blocks of the last quarter of iterates, which are not independent. Not a number where there are too few.
    pub standard_error: Vec<f64>,
    /// Root mean square of `J(theta) - J` over visited times and states, where `J` is known.
    pub value_error: Option<f64>,
}

/// Why there is no estimate.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StudyError {
    /// The settings do not fit.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    /// A method's equations do not determine the parameters.
    #[error(
        "{method}: the features do not determine the parameters on these paths (one of them is a sum of others, or \
         0 everywhere)"
    )]
    Singular {
        /// Its name.
        method: String,
    },
    /// The parameters or the paths left the finite numbers.
    #[error("{method}: the parameters are no longer finite; smaller step sizes may help")]
    Diverged {
        /// Its name.
        method: String,
    },
}

/// An iterative method's iterates: the mean of the last quarter, and its standard error.
fn tail(iterates: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let late = &iterates[iterates.len() - iterates.len().div_ceil(4)..];
    let m = late.first().map_or(0, Vec::len);
    let mean = |list: &[Vec<f64>]| -> Vec<f64> {
        (0..m).map(|i| list.iter().map(|theta| theta[i]).sum::<f64>() / list.len() as f64).collect()
    };
    let theta = mean(late);
    let each = late.len() / TAILS;
    if each == 0 {
        return (theta, vec![f64::NAN; m]);
    }
    let blocks: Vec<Vec<f64>> = late.chunks_exact(each).map(mean).collect();
    let spread = |i: usize| -> f64 {
        let n = blocks.len() as f64;
        let center = blocks.iter().map(|block| block[i]).sum::<f64>() / n;
        let square: f64 = blocks.iter().map(|block| (block[i] - center).powi(2)).sum();
        (square / (n - 1.0) / n).sqrt()
    };
    (theta, (0..m).map(spread).collect())
}

/// Buffers of one walk along paths.
#[derive(Default)]
struct Buffers {
    rewards: Vec<f64>,
    errors: Errors,
}

impl Study {
    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.problems_of_process();
        let (dim, finite) = (self.process.dim(), self.end().is_some());
        let m = self.features.len();
        if m == 0 {
            problems.push("`features` is empty: there is nothing to estimate".to_owned());
        }
        let terms = self.base.iter().chain(&self.features);
        problems.extend(terms.flat_map(|term| term.problems(dim, finite)));
        problems.extend(self.methods.iter().flat_map(|method| method.problems(m, dim, finite)));
        for (name, number) in [("episodes", self.episodes), ("batch", self.batch)] {
            if number == 0 {
                problems.push(format!("`{name}` is 0"));
            }
        }
        problems
    }

    /// Walks paths `first..end`, handing over every piece of every path in order; `begin` is called before
    /// each path.
    fn walk(
        &self,
        streams: Streams,
        range: std::ops::Range<u32>,
        mut piece: impl FnMut(bool, &Piece<'_>, &Errors),
    ) {
        let Self { dt, refine, antithetic, scheme, .. } = *self;
        let (process, family) = (&self.process, self.family());
        let sampling = Sampling { scheme, dt, refine, antithetic };
        let mut paths = Paths::new(process, &self.start, sampling, streams);
        let mut buffers = Buffers::default();
        let (dim, steps) = (process.dim(), self.steps());
        for path in range {
            paths.begin(path);
            let mut taken = 0;
            while taken < steps {
                // The martingale loss looks back from the end, so a path with an end is one piece.
                let count = match self.end() {
                    Some(_) => steps,
                    None => (steps - taken).min(CHUNK as u64),
                } as usize;
                let (start, states) = paths.advance(count);
                let begins = taken == 0;
                taken += count as u64;
                let ends = self.end().filter(|_| taken == steps);
                buffers.rewards.clear();
                let rewarded = states.chunks_exact(dim).take(count);
                buffers.rewards.extend(rewarded.map(|x| self.rate(x)));
                let tau = self.end().map_or(0.0, |end| end - start);
                let now = Piece {
                    points: Points { tau, dt, states, dim },
                    rewards: &buffers.rewards,
                    terminal: ends.map(|_| self.payoff(&states[count * dim..])),
                    start,
                    discount: self.discount,
                    discounting: self.discounting,
                };
                buffers.errors.fill(&family, &now);
                piece(begins, &now, &buffers.errors);
            }
        }
    }

    /// Moments of a batch of paths for every test, and how many paths or steps each of them counts: one list a
    /// batch where the horizon is finite, one a piece where it is not.
    fn moments(
        &self,
        streams: Streams,
        range: std::ops::Range<u32>,
        tests: &[Test],
    ) -> Vec<(f64, Vec<Moments>)> {
        let m = self.features.len();
        let none = || -> Vec<Moments> {
            tests.iter().map(|test| Moments::new(test.equations(m), m)).collect()
        };
        let mut testers: Vec<Tester<'_>> = tests.iter().map(|test| Tester::new(test, m)).collect();
        let finite = self.end().is_some();
        let count = f64::from(range.end - range.start);
        let mut lists = if finite { vec![(count, none())] } else { Vec::new() };
        self.walk(streams, range, |begins, piece, errors| {
            if !finite {
                lists.push((piece.rewards.len() as f64, none()));
            }
            let Some((_, sums)) = lists.last_mut() else { return };
            for (tester, sums) in testers.iter_mut().zip(sums) {
                if begins {
                    tester.begin();
                }
                tester.add(piece, errors, 1.0, sums);
            }
        });
        lists
    }

    /// Runs every method on the same paths.
    ///
    /// # Errors
    /// [`StudyError`].
    pub fn run(&self, streams: Streams) -> Result<Vec<Estimate>, StudyError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(StudyError::Invalid(problems));
        }
        let m = self.features.len();
        let mut tests: Vec<Test> = Vec::new();
        let (mut solvers, mut iterates) = (Vec::new(), Vec::new());
        let mut online = Vec::new();
        for (index, method) in self.methods.iter().enumerate() {
            let way = method.way(self.discount, self.dt);
            if let Way::Online { lambda, steps } = way {
                online.push((index, Online::new(lambda, steps, m), Vec::new()));
                continue;
            }
            let test = method.test();
            let at = tests.iter().position(|other| *other == test).unwrap_or_else(|| {
                tests.push(test.clone());
                tests.len() - 1
            });
            match way {
                Way::Solve(weighting) => solvers.push((index, at, weighting)),
                Way::Batches(rule, steps) => {
                    let state = Iterate::new(rule, steps, test.equations(m), m);
                    iterates.push((index, at, state, Vec::new()));
                }
                Way::Online { .. } => {}
            }
        }
        let mut blocks: Vec<Blocks> = tests.iter().map(|_| Blocks::default()).collect();
        let batched = || {
            let batch = if self.end().is_some() { self.batch } else { 1 };
            let batches = self.episodes.div_ceil(batch);
            for first in (0..batches).step_by(AHEAD as usize) {
                let ahead: Vec<_> = (first..batches.min(first + AHEAD))
                    .into_par_iter()
                    .map(|number| {
                        let end = self.episodes.min((number + 1).saturating_mul(batch));
                        self.moments(streams, number * batch..end, &tests)
                    })
                    .collect();
                for (count, sums) in ahead.into_iter().flatten() {
                    for (_, at, state, list) in &mut iterates {
                        state.update(&sums[*at], count);
                        list.push(state.theta.clone());
                    }
                    for (blocks, sums) in blocks.iter_mut().zip(sums) {
                        blocks.push(sums);
                    }
                }
            }
        };
        let stepwise = || {
            if online.is_empty() {
                return;
            }
            self.walk(streams, 0..self.episodes, |begins, piece, errors| {
                for (_, state, list) in &mut online {
                    if begins {
                        state.begin();
                    }
                    state.learn(piece, errors);
                    list.push(state.theta.clone());
                }
            });
        };
        rayon::join(batched, stepwise);
        let mut found: Vec<(usize, Vec<f64>, Vec<f64>)> = Vec::new();
        for (index, at, weighting) in solvers {
            let inverse = weighting == Weighting::Inverse;
            let Some((theta, error)) = blocks[at].solve(inverse) else {
                return Err(StudyError::Singular { method: self.methods[index].name() });
            };
            found.push((index, theta, error));
        }
        let moved = iterates.into_iter().map(|(index, _, _, list)| (index, list));
        for (index, list) in moved.chain(online.into_iter().map(|(index, _, list)| (index, list))) {
            let (theta, error) = tail(&list);
            found.push((index, theta, error));
        }
        found.sort_by_key(|(index, ..)| *index);
        let mut estimates = Vec::new();
        let errors = self.value_errors(streams, &found);
        for ((index, theta, standard_error), value_error) in found.into_iter().zip(errors) {
            let method = self.methods[index].name();
            if theta.iter().any(|x| !x.is_finite()) {
                return Err(StudyError::Diverged { method });
            }
            estimates.push(Estimate { method, theta, standard_error, value_error });
        }
        Ok(estimates)
    }

    fn value_errors(
        &self,
        streams: Streams,
        found: &[(usize, Vec<f64>, Vec<f64>)],
    ) -> Vec<Option<f64>> {
        let Some(truth) = self.truth() else { return vec![None; found.len()] };
        let family = self.family();
        let (mut squares, mut points) = (vec![0.0; found.len()], 0.0);
        self.walk(streams, 0..self.episodes.min(MEASURED), |begins, piece, _| {
            // One piece of a path is enough where it has no end.
            if !begins {
                return;
            }
            let truth = truth.values(piece.points);
            let before = piece.rewards.len();
            points += before as f64;
            for (square, (_, theta, _)) in squares.iter_mut().zip(found) {
                let values = family.values(theta, piece.points);
                let errors = values.iter().zip(&truth).take(before);
                *square += errors.map(|(found, truth)| (found - truth).powi(2)).sum::<f64>();
            }
        });
        squares.into_iter().map(|square| Some((square / points).sqrt())).collect()
    }
}
