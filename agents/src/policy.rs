//! Policies: what maps a batch of observations to a batch of actions.

use gambol_envs::batch::{Actions, BatchError};
use gambol_envs::seed::{Purpose, Streams};
use gambol_envs::spec::{ActionSpace, EnvSpec};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

/// What a batch of agents sees at one moment; row = `env * agents + agent`.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Number of instances.
    pub envs: usize,
    /// Agents in one instance.
    pub agents: usize,
    /// `[envs, agents, obs]`.
    pub observations: &'a [f32],
    /// `[envs, agents, actions]`; empty for continuous actions.
    pub masks: &'a [bool],
    /// `[envs, state]`; empty when nobody asked for it.
    pub state: &'a [f32],
    /// `[envs]`: whether this is the first moment of an episode, so that memory of the last one must go.
    pub started: &'a [bool],
}

impl View<'_> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.envs * self.agents
    }

    /// Chooses a discrete action for every row, lane by lane in agent order, as [`Policy::act`] promises;
    /// `choose` gets the lane's generator and the row.
    ///
    /// # Errors
    /// [`PolicyError::ActionKind`] when the space is continuous, or the first error of `choose`.
    pub fn choose_discrete(
        &self,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
        mut choose: impl FnMut(&mut ChaCha8Rng, usize) -> Result<u16, PolicyError>,
    ) -> Result<(), PolicyError> {
        for (env, team) in actions.discrete()?.chunks_exact_mut(self.agents).enumerate() {
            let rng = rngs.lane(env);
            for (agent, action) in team.iter_mut().enumerate() {
                *action = choose(rng, env * self.agents + agent)?;
            }
        }
        Ok(())
    }
}

/// Room for one action for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionBuffer {
    /// `[envs, agents]` action numbers.
    Discrete(Vec<u16>),
    /// `[envs, agents, dimension]` values.
    Continuous(Vec<f32>),
}

impl ActionBuffer {
    /// Zeroed room for `envs` instances.
    pub fn new(spec: &EnvSpec, envs: usize) -> Self {
        let rows = envs * spec.agents;
        match &spec.action {
            ActionSpace::Box { low, .. } => Self::Continuous(vec![0.0; rows * low.len()]),
            _ => Self::Discrete(vec![0; rows]),
        }
    }

    /// The actions as the batch takes them.
    pub fn as_actions(&self) -> Actions<'_> {
        match self {
            Self::Discrete(actions) => Actions::Discrete(actions),
            Self::Continuous(actions) => Actions::Continuous(actions),
        }
    }

    /// The discrete actions.
    ///
    /// # Errors
    /// [`PolicyError::ActionKind`] when the space is continuous.
    pub fn discrete(&mut self) -> Result<&mut [u16], PolicyError> {
        match self {
            Self::Discrete(actions) => Ok(actions),
            Self::Continuous(_) => Err(PolicyError::ActionKind { expected: "discrete" }),
        }
    }

    /// The continuous actions.
    ///
    /// # Errors
    /// [`PolicyError::ActionKind`] when the space is discrete.
    pub fn continuous(&mut self) -> Result<&mut [f32], PolicyError> {
        match self {
            Self::Continuous(actions) => Ok(actions),
            Self::Discrete(_) => Err(PolicyError::ActionKind { expected: "continuous" }),
        }
    }
}

/// One generator for each lane of a batch, re-addressed at every episode start.
///
/// A policy draws for the agents of a lane in agent order, so its draws depend on the lane and the episode alone.
#[derive(Clone, Debug)]
pub struct LaneRngs {
    streams: Streams,
    purpose: Purpose,
    first: u32,
    episodes: Vec<u32>,
    rngs: Vec<ChaCha8Rng>,
}

impl LaneRngs {
    /// Generators for the global lanes `first..first + envs`, all before episode 0.
    pub fn new(streams: Streams, purpose: Purpose, first: u32, envs: usize) -> Self {
        let rngs = (0..envs as u32).map(|lane| streams.at(purpose, first + lane, 0)).collect();
        Self { streams, purpose, first, episodes: vec![u32::MAX; envs], rngs }
    }

    /// Moves every lane in which an episode starts to the numbers of that episode.
    /// To be called once for each moment, before the policies act.
    pub fn begin(&mut self, started: &[bool]) {
        for (lane, _) in started.iter().enumerate().filter(|(_, started)| **started) {
            self.episodes[lane] = self.episodes[lane].wrapping_add(1);
            let (rng, episode) = (&mut self.rngs[lane], self.episodes[lane]);
            self.streams.readdress(rng, self.purpose, self.first + lane as u32, episode);
        }
    }

    /// The generator of one lane.
    pub fn lane(&mut self, lane: usize) -> &mut ChaCha8Rng {
        &mut self.rngs[lane]
    }

    /// Generators of another purpose for the same lanes, at the beginning of the same episodes.
    pub fn beside(&self, purpose: Purpose) -> Self {
        let Self { streams, first, ref episodes, .. } = *self;
        let at =
            |(lane, &episode): (usize, &u32)| streams.at(purpose, first + lane as u32, episode);
        let rngs = episodes.iter().enumerate().map(at).collect();
        Self { streams, purpose, first, episodes: episodes.clone(), rngs }
    }

    /// Copies of the generators of some lanes, in this order, for a policy that acts for these alone.
    /// To be handed back to [`put_back`](Self::put_back) and not to be moved to other episodes.
    pub fn pick(&self, lanes: &[usize]) -> Self {
        Self {
            streams: self.streams,
            purpose: self.purpose,
            first: self.first,
            episodes: lanes.iter().map(|&lane| self.episodes[lane]).collect(),
            rngs: lanes.iter().map(|&lane| self.rngs[lane].clone()).collect(),
        }
    }

    /// Takes the generators of these lanes back from where [`pick`](Self::pick) put them.
    pub fn put_back(&mut self, lanes: &[usize], picked: Self) {
        for (&lane, rng) in lanes.iter().zip(picked.rngs) {
            self.rngs[lane] = rng;
        }
    }

    /// Episode number and word position of every lane, for checkpoints.
    pub fn positions(&self) -> Vec<(u32, u64)> {
        let position = |rng: &ChaCha8Rng| rng.get_word_pos() as u64;
        self.episodes.iter().copied().zip(self.rngs.iter().map(position)).collect()
    }

    /// Puts every lane back to where [`positions`](Self::positions) found it.
    ///
    /// # Errors
    /// [`PolicyError::Rows`] when there is not one position for each lane.
    pub fn restore(&mut self, positions: &[(u32, u64)]) -> Result<(), PolicyError> {
        if positions.len() != self.rngs.len() {
            return Err(PolicyError::Rows { expected: self.rngs.len(), found: positions.len() });
        }
        for (lane, &(episode, position)) in positions.iter().enumerate() {
            self.episodes[lane] = episode;
            let rng = &mut self.rngs[lane];
            self.streams.readdress(rng, self.purpose, self.first + lane as u32, episode);
            rng.set_word_pos(u128::from(position));
        }
        Ok(())
    }
}

/// Why a policy could not act.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The policy chooses actions of another kind.
    #[error("the policy chooses {expected} actions, the environment takes another kind")]
    ActionKind {
        /// `discrete` or `continuous`.
        expected: &'static str,
    },
    /// The batch has another number of rows than the policy was built for.
    #[error("the policy was built for {expected} rows and was asked to act for {found}")]
    Rows {
        /// Rows that the policy has memory for.
        expected: usize,
        /// Rows of the view.
        found: usize,
    },
    /// A value or a preference is not a finite number.
    #[error("{what} of row {row} is {value}")]
    NotFinite {
        /// Which quantity.
        what: &'static str,
        /// Row, `env * agents + agent`.
        row: usize,
        /// The offending number.
        value: f32,
    },
    /// Every action of a row is masked.
    #[error("no action is allowed for row {row}")]
    NoAction {
        /// Row, `env * agents + agent`.
        row: usize,
    },
    /// The environment refused what the policy chose.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Anything else, from a policy of another crate.
    #[error("{0}")]
    Other(String),
}

/// Maps a batch of observations to a batch of actions. Object safe and batch first.
pub trait Policy: Send {
    /// Chooses an action for every row; every random number comes from `rngs`, lane by lane in agent order.
    /// A policy with memory takes this as the next moment of every lane, whether or not its actions are then taken.
    ///
    /// # Errors
    /// [`PolicyError`].
    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError>;

    /// An independent copy with fresh memory, for another group of lanes.
    fn fork(&self) -> Box<dyn Policy>;

    /// What the policy remembers between steps (recurrent memory), for exact checkpoints in the middle of episodes.
    /// Empty for a policy without memory, else row-major with the instance first, `[envs, ..]`.
    fn memory(&self) -> Vec<f32> {
        Vec::new()
    }

    /// Takes back what [`memory`](Self::memory) gave.
    fn remember(&mut self, _memory: &[f32]) {}

    /// `[envs]`: whether the last [`act`](Self::act) called on the costlier of the policies that this one is made of;
    /// empty for a policy that is not made of others.
    fn called(&self) -> &[bool] {
        &[]
    }

    /// Other ways in which this policy can play, by name, such as one of the policies that it is made of, alone.
    fn modes(&self) -> Vec<(&'static str, Box<dyn Policy>)> {
        Vec::new()
    }
}
