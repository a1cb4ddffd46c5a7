//! The batch: the one interface through which anything outside sees an environment.

use thiserror::Error;

use crate::spec::{ActionSpace, EnvSpec};

/// How the step that was just made left an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum End {
    /// The episode goes on.
    #[default]
    Running = 0,
    /// The episode ended by the rules: the value after its last observation is zero.
    Terminated = 1,
    /// The episode was cut by its time limit: learners bootstrap from its last observation.
    Truncated = 2,
}

impl End {
    /// Whether the episode is over.
    pub fn is_over(self) -> bool {
        self != Self::Running
    }
}

/// One action for each row, in the form that the action space asks for.
#[derive(Clone, Copy, Debug)]
pub enum Actions<'a> {
    /// `[envs, agents]` action numbers.
    Discrete(&'a [u16]),
    /// `[envs, agents, dimension]` values.
    Continuous(&'a [f32]),
}

/// Why a batch call was refused; the batch is unchanged.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum BatchError {
    /// A buffer has the wrong length.
    #[error("`{buffer}` has {found} entries, expected {expected} ({shape})")]
    Shape {
        /// Which buffer.
        buffer: &'static str,
        /// Its meaning, such as `[envs, agents, obs]`.
        shape: &'static str,
        /// Length that the specification implies.
        expected: usize,
        /// Length that was passed.
        found: usize,
    },
    /// An action number is outside the action space.
    #[error("action {action} of agent {agent} in environment {env} is not below {actions}")]
    Action {
        /// Environment index in the batch.
        env: usize,
        /// Agent index.
        agent: usize,
        /// The offending number.
        action: u16,
        /// Size of the action space.
        actions: usize,
    },
    /// A continuous action is not a finite number.
    #[error("action {value} of row {row} is not finite")]
    NotFinite {
        /// Row, `env * agents + agent`.
        row: usize,
        /// The offending value.
        value: f32,
    },
    /// Discrete actions were given to a continuous space, or the reverse.
    #[error("the environment takes {expected} actions")]
    ActionKind {
        /// `discrete` or `continuous`.
        expected: &'static str,
    },
    /// A lane index is outside the batch.
    #[error("lane {lane} is not below {envs}")]
    Lane {
        /// The offending index.
        lane: usize,
        /// Number of environments in the batch.
        envs: usize,
    },
    /// A saved lane does not belong to this environment or is damaged.
    #[error("the saved lane does not fit this environment: {why}")]
    Snapshot {
        /// What does not fit.
        why: String,
    },
}

/// Caller-owned output of a batch call; row = `env * agents + agent`.
///
/// `masks`, `state`, the three `last_` slices and `tallies` may be empty: then they are not written.
#[derive(Debug, Default)]
pub struct Outbox<'a> {
    /// `[envs, agents, obs]`: what each agent sees now.
    pub observations: &'a mut [f32],
    /// `[envs, agents, actions]`: which actions have an effect of their own now.
    pub masks: &'a mut [bool],
    /// `[envs, agents]`: reward of the step just made.
    pub rewards: &'a mut [f32],
    /// `[envs]`: how the step just made left each instance.
    pub ends: &'a mut [End],
    /// `[envs, agents, obs]`: the true last observation of an episode that just ended; other rows are not written.
    pub last_observations: &'a mut [f32],
    /// `[envs, agents, actions]`: the masks that belong to `last_observations`, to bootstrap over allowed actions only.
    pub last_masks: &'a mut [bool],
    /// `[envs, state]`: global state now.
    pub state: &'a mut [f32],
    /// `[envs, state]`: the true last state of an episode that just ended; other rows are not written.
    pub last_state: &'a mut [f32],
    /// `[envs, tallies]`: what was counted over an episode that just ended; other rows are not written.
    pub tallies: &'a mut [f32],
}

#[expect(clippy::mut_mut, reason = "it shortens the caller's slice")]
fn split<'a, T>(slice: &mut &'a mut [T], at: usize) -> &'a mut [T] {
    let whole = std::mem::take(slice);
    let (head, tail) = whole.split_at_mut(at.min(whole.len()));
    *slice = tail;
    head
}

impl<'a> Outbox<'a> {
    /// Takes the part of the first `envs` instances off the front.
    pub fn split_front(&mut self, envs: usize, spec: &EnvSpec) -> Outbox<'a> {
        let rows = envs * spec.agents;
        let obs = spec.observation.size();
        Outbox {
            observations: split(&mut self.observations, rows * obs),
            masks: split(&mut self.masks, rows * spec.action.mask_size()),
            rewards: split(&mut self.rewards, rows),
            ends: split(&mut self.ends, envs),
            last_observations: split(&mut self.last_observations, rows * obs),
            last_masks: split(&mut self.last_masks, rows * spec.action.mask_size()),
            state: split(&mut self.state, envs * spec.state),
            last_state: split(&mut self.last_state, envs * spec.state),
            tallies: split(&mut self.tallies, envs * spec.tallies.len()),
        }
    }

    /// Checks every length against the specification.
    ///
    /// # Errors
    /// [`BatchError::Shape`] names the first buffer that does not fit.
    pub fn check(&self, envs: usize, spec: &EnvSpec) -> Result<(), BatchError> {
        let rows = envs * spec.agents;
        let obs = rows * spec.observation.size();
        let masks = rows * spec.action.mask_size();
        let state = envs * spec.state;
        let tallies = envs * spec.tallies.len();
        let lengths = [
            ("observations", "[envs, agents, obs]", self.observations.len(), obs, false),
            ("masks", "[envs, agents, actions]", self.masks.len(), masks, true),
            ("rewards", "[envs, agents]", self.rewards.len(), rows, false),
            ("ends", "[envs]", self.ends.len(), envs, false),
            ("last_observations", "[envs, agents, obs]", self.last_observations.len(), obs, true),
            ("last_masks", "[envs, agents, actions]", self.last_masks.len(), masks, true),
            ("state", "[envs, state]", self.state.len(), state, true),
            ("last_state", "[envs, state]", self.last_state.len(), state, true),
            ("tallies", "[envs, tallies]", self.tallies.len(), tallies, true),
        ];
        for (buffer, shape, found, expected, optional) in lengths {
            if found != expected && !(optional && found == 0) {
                return Err(BatchError::Shape { buffer, shape, expected, found });
            }
        }
        Ok(())
    }
}

/// Checks discrete or continuous actions against the specification.
///
/// # Errors
/// [`BatchError`] for a wrong kind, a wrong length, a number outside the space or a value that is not finite.
pub fn check_actions(actions: Actions<'_>, envs: usize, spec: &EnvSpec) -> Result<(), BatchError> {
    let rows = envs * spec.agents;
    let shape = |expected, found, shape| {
        if expected == found {
            Ok(())
        } else {
            Err(BatchError::Shape { buffer: "actions", shape, expected, found })
        }
    };
    match (actions, &spec.action) {
        (Actions::Discrete(given), ActionSpace::Discrete { names }) => {
            shape(rows, given.len(), "[envs, agents]")?;
            // One branch-free pass; the offender is only searched for when there is one.
            if given.iter().fold(0, |most, &action| most.max(action)) as usize >= names.len() {
                for (row, &action) in given.iter().enumerate() {
                    if action as usize >= names.len() {
                        let (env, agent) = (row / spec.agents, row % spec.agents);
                        return Err(BatchError::Action {
                            env,
                            agent,
                            action,
                            actions: names.len(),
                        });
                    }
                }
            }
            Ok(())
        }
        (Actions::Continuous(given), ActionSpace::Box { low, .. }) => {
            shape(rows * low.len(), given.len(), "[envs, agents, dimension]")?;
            match given.iter().position(|value| !value.is_finite()) {
                Some(at) => {
                    Err(BatchError::NotFinite { row: at / low.len().max(1), value: given[at] })
                }
                None => Ok(()),
            }
        }
        (_, ActionSpace::Discrete { .. }) => Err(BatchError::ActionKind { expected: "discrete" }),
        (_, ActionSpace::Box { .. }) => Err(BatchError::ActionKind { expected: "continuous" }),
    }
}

/// Owned storage for an [`Outbox`], all buffers present.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buffers {
    /// `[envs, agents, obs]`.
    pub observations: Vec<f32>,
    /// `[envs, agents, actions]`.
    pub masks: Vec<bool>,
    /// `[envs, agents]`.
    pub rewards: Vec<f32>,
    /// `[envs]`.
    pub ends: Vec<End>,
    /// `[envs, agents, obs]`; only rows of ended instances are meaningful.
    pub last_observations: Vec<f32>,
    /// `[envs, agents, actions]`; only rows of ended instances are meaningful.
    pub last_masks: Vec<bool>,
    /// `[envs, state]`.
    pub state: Vec<f32>,
    /// `[envs, state]`; only rows of ended instances are meaningful.
    pub last_state: Vec<f32>,
    /// `[envs, tallies]`; only rows of ended instances are meaningful.
    pub tallies: Vec<f32>,
}

impl Buffers {
    /// Zeroed buffers for `envs` instances.
    pub fn new(spec: &EnvSpec, envs: usize) -> Self {
        let rows = envs * spec.agents;
        let obs = rows * spec.observation.size();
        Self {
            observations: vec![0.0; obs],
            masks: vec![false; rows * spec.action.mask_size()],
            rewards: vec![0.0; rows],
            ends: vec![End::Running; envs],
            last_observations: vec![0.0; obs],
            last_masks: vec![false; rows * spec.action.mask_size()],
            state: vec![0.0; envs * spec.state],
            last_state: vec![0.0; envs * spec.state],
            tallies: vec![0.0; envs * spec.tallies.len()],
        }
    }

    /// Borrows every buffer for one batch call.
    pub fn outbox(&mut self) -> Outbox<'_> {
        Outbox {
            observations: &mut self.observations,
            masks: &mut self.masks,
            rewards: &mut self.rewards,
            ends: &mut self.ends,
            last_observations: &mut self.last_observations,
            last_masks: &mut self.last_masks,
            state: &mut self.state,
            last_state: &mut self.last_state,
            tallies: &mut self.tallies,
        }
    }
}

/// A batch of instances of one environment.
///
/// **Auto-reset.** When [`step`](Self::step) ends an episode, the same call begins the next one in that lane:
/// `rewards` and `ends` belong to the step that ended the episode, `observations`, `masks` and `state` to the first
/// moment of the next episode, `last_observations`, `last_masks` and `last_state` hold what the agents saw, and could
/// have done, at the very end, and `tallies` what was counted over the episode.
/// Every action therefore has an effect; no step is spent on resetting.
///
/// **Randomness.** Everything random is drawn from streams addressed by (purpose, global lane, episode),
/// so a lane's trajectory depends on nothing but the seed, its global number and its actions.
pub trait BatchEnv: Send {
    /// The typed facts.
    fn spec(&self) -> &EnvSpec;

    /// Number of instances in the batch.
    fn envs(&self) -> usize;

    /// Starts episode number `episode` in every lane; rewards become 0 and ends `Running`.
    ///
    /// # Errors
    /// [`BatchError::Shape`] when a buffer does not fit.
    fn reset(&mut self, episode: u32, out: Outbox<'_>) -> Result<(), BatchError>;

    /// Makes one step in every lane; see the auto-reset rule above.
    ///
    /// # Errors
    /// [`BatchError`] when a buffer or an action does not fit; the batch is then unchanged.
    fn step(&mut self, actions: Actions<'_>, out: Outbox<'_>) -> Result<(), BatchError>;

    /// Writes the present observations, masks and state again, for instance after [`restore`](Self::restore).
    /// Rewards become 0 and ends `Running`.
    ///
    /// # Errors
    /// [`BatchError::Shape`] when a buffer does not fit.
    fn observe(&mut self, out: Outbox<'_>) -> Result<(), BatchError>;

    /// Everything that decides the future of one lane, as bytes that [`restore`](Self::restore) takes back.
    /// Equal bytes mean equal futures under equal actions.
    ///
    /// # Errors
    /// [`BatchError::Lane`].
    fn save(&mut self, lane: usize) -> Result<Vec<u8>, BatchError>;

    /// Puts a saved lane, from this or another lane, into lane `lane`; saving and restoring into another lane clones.
    ///
    /// # Errors
    /// [`BatchError::Lane`], or [`BatchError::Snapshot`] when the bytes are not from this environment.
    fn restore(&mut self, lane: usize, saved: &[u8]) -> Result<(), BatchError>;

    /// From now on keeps the description of the last moment of each episode in this lane, which auto-reset would hide.
    ///
    /// # Errors
    /// [`BatchError::Lane`].
    fn watch(&mut self, lane: usize) -> Result<(), BatchError>;

    /// What [`describe`](Self::describe) would have said at the end of the last episode that ended in a watched lane;
    /// `None` when none has ended.
    fn describe_last(&self, lane: usize) -> Option<&serde_json::Value>;

    /// The lane's state in the environment's own words, for traces, replays and error messages.
    ///
    /// A state that holds `truncated: true` says that the time limit is reached, also where the rules end the episode at
    /// that very moment: an [`End`] says only one of the two.
    ///
    /// # Errors
    /// [`BatchError::Lane`].
    fn describe(&mut self, lane: usize) -> Result<serde_json::Value, BatchError>;

    /// What never changes and is needed to draw a description, such as roads or the size of a board; null where there is
    /// nothing of the kind.
    fn scenery(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
