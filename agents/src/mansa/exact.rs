//! The switching problem of a finite game, solved exactly: the oracle for the learned switch.
//!
//! Two joint policies are given, the independent one and the centralised one; each makes of the team's game a
//! Markov chain with rewards. At every state the Global agent calls the centralised policy at a cost `c`, or lets
//! the independent one act. The value is the one solution of the quasi-variational inequality
//! `v >= M v`, `v >= L v`, `min(v - M v, v - L v) = 0`, with `M v = r_c - c + gamma P_c v` and
//! `L v = r_d + gamma P_d v`. (Reconstruction; see the module's documentation.)

use thiserror::Error;

/// A Markov chain with rewards: what one joint policy makes of a game.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// Expected reward of a step, `[states]`.
    pub rewards: Vec<f64>,
    /// For every state the states that follow, and their probabilities, which sum to 1; none after an end.
    pub next: Vec<Vec<(usize, f64)>>,
}

impl Chain {
    /// `r + gamma P v` at a state.
    fn backup(&self, state: usize, gamma: f64, value: &[f64]) -> f64 {
        let later: f64 = self.next[state].iter().map(|&(to, p)| p * value[to]).sum();
        self.rewards[state] + gamma * later
    }
}

/// Why there is no switching problem.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum SwitchingError {
    /// The two chains do not have the same states.
    #[error("the independent chain has {independent} states, the centralised one {centralised}")]
    States {
        /// Of the first.
        independent: usize,
        /// Of the second.
        centralised: usize,
    },
    /// A row is no distribution over states.
    #[error(
        "state {state}: the probabilities of what follows sum to {sum}, or lead out of the states"
    )]
    Row {
        /// Which state.
        state: usize,
        /// The sum; it has to be 1, or 0 after an end.
        sum: f64,
    },
    /// A number is out of its range.
    #[error("{name} is {number}, and has to be {range}")]
    OutOfRange {
        /// What it is.
        name: &'static str,
        /// The number.
        number: f64,
        /// What it may be.
        range: &'static str,
    },
}

/// The problem, whatever the cost of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Switching {
    independent: Chain,
    centralised: Chain,
    gamma: f64,
}

/// A solution.
#[derive(Clone, Debug, PartialEq)]
pub struct Solved {
    /// `v*`, `[states]`.
    pub value: Vec<f64>,
    /// `M v* - L v*`, `[states]`: what a call is worth beyond its cost.
    pub gain: Vec<f64>,
    /// Where to call; not where it makes no difference, so that calls are as few as they can be.
    pub switch: Vec<bool>,
    /// Expected discounted number of calls from each state.
    pub calls: Vec<f64>,
    /// Bound on the distance of `value` to the true one.
    pub error: f64,
}

/// A rule that is best, seen from one state, from a cost on until the next piece begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// The cost from which it is.
    pub from: f64,
    /// Discounted team reward of the rule.
    pub reward: f64,
    /// Expected discounted number of calls: the value at cost `c` is `reward - c calls`.
    pub calls: f64,
    /// Where it calls.
    pub switch: Vec<bool>,
}

/// Largest number of sweeps; with any `gamma` that is not next to 1 far fewer do.
const SWEEPS: u32 = 10_000_000;

impl Switching {
    /// Checks and joins two chains; `gamma` is at least 0 and below 1.
    ///
    /// # Errors
    /// [`SwitchingError`], the first one found.
    pub fn new(independent: Chain, centralised: Chain, gamma: f64) -> Result<Self, SwitchingError> {
        let states = independent.rewards.len();
        for chain in [&independent, &centralised] {
            if chain.rewards.len() != states || chain.next.len() != states {
                return Err(SwitchingError::States {
                    independent: states,
                    centralised: centralised.rewards.len(),
                });
            }
            for (state, row) in chain.next.iter().enumerate() {
                let sum: f64 = row.iter().map(|(_, p)| p).sum();
                let inside = row.iter().all(|&(to, p)| to < states && p >= 0.0);
                let whole = row.is_empty() || (sum - 1.0).abs() < 1e-9;
                if !(inside && whole && chain.rewards[state].is_finite()) {
                    return Err(SwitchingError::Row { state, sum });
                }
            }
        }
        if !(0.0..1.0).contains(&gamma) {
            let range = "at least 0 and below 1";
            return Err(SwitchingError::OutOfRange { name: "gamma", number: gamma, range });
        }
        Ok(Self { independent, centralised, gamma })
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.independent.rewards.len()
    }

    fn call(&self, cost: f64, state: usize, value: &[f64]) -> f64 {
        self.centralised.backup(state, self.gamma, value) - cost
    }

    fn wait(&self, state: usize, value: &[f64]) -> f64 {
        self.independent.backup(state, self.gamma, value)
    }

    /// The fixed point of a contraction, by sweeps that use each new value at once, and a bound on its error.
    fn fixed_point(&self, backup: impl Fn(usize, &[f64]) -> f64) -> (Vec<f64>, f64) {
        let mut value = vec![0.0; self.states()];
        let mut change = f64::INFINITY;
        for _ in 0..SWEEPS {
            let before = change;
            change = 0.0;
            for state in 0..value.len() {
                let new = backup(state, &value);
                change = f64::max(change, (new - value[state]).abs());
                value[state] = new;
            }
            // It falls geometrically until rounding keeps it where it is.
            let size = value.iter().fold(0.0, |size: f64, v| size.max(v.abs()));
            if change == 0.0 || (change >= before && change <= 1e-12 * size) {
                break;
            }
        }
        (value, change * self.gamma / (1.0 - self.gamma))
    }

    /// The best rule when a call costs `cost`.
    ///
    /// # Errors
    /// The cost is negative or not finite.
    pub fn solve(&self, cost: f64) -> Result<Solved, SwitchingError> {
        if !(cost.is_finite() && cost >= 0.0) {
            let range = "finite and at least 0";
            return Err(SwitchingError::OutOfRange { name: "cost", number: cost, range });
        }
        let best = |state: usize, value: &[f64]| {
            self.call(cost, state, value).max(self.wait(state, value))
        };
        let (value, error) = self.fixed_point(best);
        let gain: Vec<f64> = (0..self.states())
            .map(|state| self.call(cost, state, &value) - self.wait(state, &value))
            .collect();
        // What is not above rounding is no gain.
        let size = value.iter().fold(1.0, |size: f64, v| size.max(v.abs()));
        let least = 2.0 * error + 1e-12 * size;
        let switch: Vec<bool> = gain.iter().map(|&gain| gain > least).collect();
        let calls = self.discounted_calls(&switch);
        Ok(Solved { value, gain, switch, calls, error })
    }

    /// The discounted team reward of a rule, `[states]`, whatever its calls cost.
    pub fn reward_of(&self, switch: &[bool]) -> Vec<f64> {
        let backup = |state: usize, value: &[f64]| {
            if switch[state] { self.call(0.0, state, value) } else { self.wait(state, value) }
        };
        self.fixed_point(backup).0
    }

    /// Expected discounted number of calls of a rule, `[states]`.
    pub fn discounted_calls(&self, switch: &[bool]) -> Vec<f64> {
        let backup = |state: usize, calls: &[f64]| {
            let chain = if switch[state] { &self.centralised } else { &self.independent };
            let later: f64 = chain.next[state].iter().map(|&(to, p)| p * calls[to]).sum();
            f64::from(u8::from(switch[state])) + self.gamma * later
        };
        self.fixed_point(backup).0
    }

    /// The least cost at which no state calls: `max_s r_c - r_d + gamma (P_c - P_d) v_d`.
    pub fn never_from(&self) -> f64 {
        let never = self.reward_of(&vec![false; self.states()]);
        let gain = |state| self.call(0.0, state, &never) - self.wait(state, &never);
        (0..self.states()).map(gain).fold(0.0, f64::max)
    }

    /// Values with `0..=budget` calls left, `[budget + 1, states]`, at a cost of `cost` each.
    ///
    /// The budget holds on every path: without calls left none is made. A value need not be concave in the
    /// budget, so that dealing out calls one by one to where they gain most is not optimal in general.
    ///
    /// # Errors
    /// The cost is negative or not finite.
    pub fn with_budget(&self, budget: usize, cost: f64) -> Result<Vec<Solved>, SwitchingError> {
        if !(cost.is_finite() && cost >= 0.0) {
            let range = "finite and at least 0";
            return Err(SwitchingError::OutOfRange { name: "cost", number: cost, range });
        }
        let never = vec![false; self.states()];
        let (value, error) = self.fixed_point(|state, value| self.wait(state, value));
        let zero = vec![0.0; self.states()];
        let mut levels =
            vec![Solved { value, gain: zero.clone(), switch: never, calls: zero, error }];
        for _ in 0..budget {
            let Some(below) = levels.last() else { break };
            let called: Vec<f64> =
                (0..self.states()).map(|state| self.call(cost, state, &below.value)).collect();
            let best = |state: usize, value: &[f64]| called[state].max(self.wait(state, value));
            let (value, error) = self.fixed_point(best);
            let error = error + self.gamma * below.error;
            let waits = |state| self.wait(state, &value);
            let gain: Vec<f64> =
                (0..self.states()).map(|state| called[state] - waits(state)).collect();
            let size = value.iter().fold(1.0, |size: f64, v| size.max(v.abs()));
            let least = 2.0 * error + 1e-12 * size;
            let switch: Vec<bool> = gain.iter().map(|&gain| gain > least).collect();
            let spent: Vec<f64> = (0..self.states())
                .map(|state| {
                    let next = &self.centralised.next[state];
                    1.0 + self.gamma * next.iter().map(|&(to, p)| p * below.calls[to]).sum::<f64>()
                })
                .collect();
            let count = |state: usize, calls: &[f64]| {
                if switch[state] {
                    return spent[state];
                }
                let next = &self.independent.next[state];
                self.gamma * next.iter().map(|&(to, p)| p * calls[to]).sum::<f64>()
            };
            let (calls, _) = self.fixed_point(count);
            levels.push(Solved { value, gain, switch, calls, error });
        }
        Ok(levels)
    }

    /// The value of a state for every cost of a call: convex and piecewise linear, from cost 0 to the cost
    /// from which no call is worth it.
    ///
    /// # Errors
    /// None for a problem that was made by [`new`](Self::new).
    pub fn cost_sweep(&self, state: usize) -> Result<Vec<Piece>, SwitchingError> {
        let last = self.never_from();
        let line = |cost: f64| -> Result<Piece, SwitchingError> {
            let Solved { value, calls, switch, .. } = self.solve(cost)?;
            let reward = value[state] + cost * calls[state];
            Ok(Piece { from: cost, reward, calls: calls[state], switch })
        };
        let mut pieces = vec![line(0.0)?];
        // Two neighbours are next to each other if no rule is better where their lines meet.
        let mut open = vec![line(last)?];
        while let (Some(low), Some(high)) = (pieces.last(), open.last()) {
            let slope = low.calls - high.calls;
            if slope <= 1e-12 {
                open.pop();
                continue;
            }
            let meet = ((low.reward - high.reward) / slope).clamp(low.from, last);
            let (between, value) = (line(meet)?, low.reward - meet * low.calls);
            let better = between.reward - meet * between.calls - value;
            if better > 1e-10 * value.abs().max(1.0) {
                open.push(between);
            } else if let Some(next) = open.pop() {
                pieces.push(Piece { from: meet, ..next });
            }
        }
        Ok(pieces)
    }
}
