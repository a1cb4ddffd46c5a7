//! Choices that several learners offer: what is learned from, and what counts as an end; and checks of their numbers.
//!
//! In the checks `prefix` stands before the fields' names, such as `learning.`.

use gambol_envs::spec::{EnvSpec, Payoff};
use serde::{Deserialize, Serialize};

/// Whether action masks count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Masks {
    /// Only allowed actions are taken and bootstrapped from, also at the last moment of an episode that was cut.
    #[default]
    Use,
    /// Every action is taken and bootstrapped from, as `EPyMARL` does on foraging.
    Ignore,
}

/// What follows an episode that was cut by its time limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum TimeLimit {
    /// The value of the true last observation: the cut is not a fact about the game.
    #[default]
    Bootstrap,
    /// Nothing, as if the game had ended: `EPyMARL` stores the cut as a terminal.
    Terminal,
}

/// Which reward an agent learns from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum RewardUse {
    /// The sum over all agents, as `EPyMARL` trains; where the environment's rewards are common already, that one.
    #[default]
    Team,
    /// Its own. Learners that mix values into one for the team refuse this.
    Individual,
}

impl RewardUse {
    /// Adds a sentence when nothing could be learned from this reward.
    pub(crate) fn check(self, field: &str, spec: &EnvSpec, problems: &mut Vec<String>) {
        if self == Self::Team && spec.payoff == Payoff::ZeroSum {
            problems.push(format!(
                "`{field}`: Team, but the rewards of {} always sum to zero; use Individual",
                spec.name
            ));
        }
    }
}

/// The number of discrete actions; adds a sentence for the learner of that name, and gives 0, when there are none.
pub(crate) fn discrete_actions(name: &str, spec: &EnvSpec, problems: &mut Vec<String>) -> usize {
    spec.action.actions().unwrap_or_else(|| {
        problems
            .push(format!("`{name}` learns discrete actions, {} takes continuous ones", spec.name));
        0
    })
}

/// Adds a sentence for every number that is not positive and finite.
#[cfg(feature = "torch")]
pub(crate) fn positive(prefix: &str, fields: &[(&str, Option<f64>)], problems: &mut Vec<String>) {
    for (field, value) in fields {
        if let Some(value) = value
            && !(value.is_finite() && *value > 0.0)
        {
            problems.push(format!("`{prefix}{field}`: {value}, it must be positive"));
        }
    }
}

/// Adds a sentence for every number that is not a finite one of at least 0.
#[cfg(feature = "torch")]
pub(crate) fn not_negative(prefix: &str, fields: &[(&str, f64)], problems: &mut Vec<String>) {
    for (field, value) in fields {
        if !(value.is_finite() && *value >= 0.0) {
            problems.push(format!("`{prefix}{field}`: {value}, it must not be negative"));
        }
    }
}

/// Adds a sentence when a discount is not from 0 to 1.
#[cfg(feature = "torch")]
pub(crate) fn discount(prefix: &str, gamma: f64, problems: &mut Vec<String>) {
    if !(0.0..=1.0).contains(&gamma) {
        problems.push(format!("`{prefix}gamma`: {gamma}, it must be 0 to 1"));
    }
}

/// Adds a sentence for every count that is not from 1 to its largest.
#[cfg(feature = "torch")]
pub(crate) fn counts(prefix: &str, fields: &[(&str, usize, usize)], problems: &mut Vec<String>) {
    for (field, value, most) in fields {
        if value < &1 || value > most {
            problems.push(format!("`{prefix}{field}`: {value}, it must be 1 to {most}"));
        }
    }
}
