//! What an environment is, as typed facts that learners and solvers check before they start.

use std::fmt;

/// When the agents move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turns {
    /// Every agent acts at every step.
    Simultaneous,
    /// One agent acts at a time; the masks of the others allow one idle action.
    Sequential,
}

/// How the agents' rewards relate to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payoff {
    /// Every agent receives the same number at every step.
    Common,
    /// The rewards of a step sum to zero.
    ZeroSum,
    /// Nothing is promised.
    General,
}

impl fmt::Display for Payoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Common => "common",
            Self::ZeroSum => "zero-sum",
            Self::General => "general-sum",
        })
    }
}

/// One agent's observation: a row of `f32`, the same layout for every agent.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationSpace {
    /// The shape that the flat row stands for, such as `[12]` or `[3, 5, 5]`; its product is the row's length.
    pub shape: Vec<usize>,
    /// Smallest value of each entry, `[obs]`.
    pub low: Vec<f32>,
    /// Largest value of each entry, `[obs]`.
    pub high: Vec<f32>,
}

impl ObservationSpace {
    /// Length of one flat row.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What one agent may do at a step; the same space for every agent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ActionSpace {
    /// One of `names.len()` actions, numbered from 0.
    Discrete {
        /// A name for each action, such as `NORTH`.
        names: Vec<String>,
    },
    /// A real vector with bounds for each entry.
    Box {
        /// Smallest value of each entry.
        low: Vec<f32>,
        /// Largest value of each entry.
        high: Vec<f32>,
    },
}

impl ActionSpace {
    /// Number of discrete actions, or `None` for a continuous space.
    pub fn actions(&self) -> Option<usize> {
        match self {
            Self::Discrete { names } => Some(names.len()),
            Self::Box { .. } => None,
        }
    }

    /// Entries of the mask row of one agent: one for each discrete action, none for a continuous space.
    pub fn mask_size(&self) -> usize {
        self.actions().unwrap_or(0)
    }

    /// Numbers that describe one agent's action: 1 for discrete, the dimension for continuous.
    pub fn action_size(&self) -> usize {
        match self {
            Self::Discrete { .. } => 1,
            Self::Box { low, .. } => low.len(),
        }
    }
}

/// Typed facts of an environment; everything that a buffer's size depends on is here.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvSpec {
    /// Full name, such as `Foraging-8x8-2p-2f-coop-v3`.
    pub name: String,
    /// Raised whenever the same seed and actions would give another trajectory.
    pub version: u32,
    /// Number of agents in one instance.
    pub agents: usize,
    /// What each agent is, `[agents]`; equal roles are interchangeable.
    pub roles: Vec<String>,
    /// Observation of one agent.
    pub observation: ObservationSpace,
    /// Action of one agent.
    pub action: ActionSpace,
    /// Length of the global state vector for centralised learners.
    pub state: usize,
    /// When the agents move.
    pub turns: Turns,
    /// How the rewards relate.
    pub payoff: Payoff,
    /// Steps after which an episode is truncated, if there is a limit.
    pub horizon: Option<u32>,
    /// What is counted over each episode beside the return, such as `betrayed`; for most environments nothing.
    pub tallies: Vec<String>,
}
