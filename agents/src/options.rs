//! Choices that several learners offer: what is learned from, and what counts as an end.

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
