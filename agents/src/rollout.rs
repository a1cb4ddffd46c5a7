//! Rollouts: what happened in a batch over some steps, in flat storage that the environments write in place.

use gambol_envs::batch::{Actions, End, Outbox};
use gambol_envs::spec::EnvSpec;

use crate::learner::LearnError;
use crate::policy::{ActionBuffer, View};

/// `steps` batch steps of `envs` instances; time is the slowest index.
///
/// Moment `t` is what is seen before step `t`; there is one more moment than there are steps.
/// By auto-reset the moment after an episode's last step belongs to the next episode: what the agents saw, and could
/// have done, at the very end stands in `last_observations`, `last_masks` and `last_state`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Steps that are filled.
    pub steps: usize,
    /// Number of instances.
    pub envs: usize,
    /// Agents in one instance.
    pub agents: usize,
    /// Length of one observation.
    pub obs: usize,
    /// Entries of one mask.
    pub mask: usize,
    /// Length of the global state.
    pub state_size: usize,
    /// Numbers that describe one action.
    pub action_size: usize,
    /// `[steps + 1, envs, agents, obs]`.
    pub observations: Vec<f32>,
    /// `[steps + 1, envs, agents, actions]`.
    pub masks: Vec<bool>,
    /// `[steps + 1, envs, state]`.
    pub state: Vec<f32>,
    /// `[steps + 1, envs]`: whether an episode begins at that moment.
    pub started: Vec<bool>,
    /// `steps` joint actions, each `[envs, agents]` or `[envs, agents, dimension]`.
    pub actions: ActionBuffer,
    /// `[steps, envs, agents]`.
    pub rewards: Vec<f32>,
    /// `[steps, envs]`.
    pub ends: Vec<End>,
    /// `[steps, envs, agents, obs]`; meaningful where `ends` says that the episode is over.
    pub last_observations: Vec<f32>,
    /// `[steps, envs, agents, actions]`; meaningful where `ends` says that the episode is over.
    pub last_masks: Vec<bool>,
    /// `[steps, envs, state]`; meaningful where `ends` says that the episode is over.
    pub last_state: Vec<f32>,
}

impl Rollout {
    /// Room for `capacity` steps of `envs` instances; nothing is filled.
    pub fn new(spec: &EnvSpec, envs: usize, capacity: usize) -> Self {
        let (agents, obs, mask) = (spec.agents, spec.observation.size(), spec.action.mask_size());
        let (rows, moments) = (envs * agents, capacity + 1);
        Self {
            steps: 0,
            envs,
            agents,
            obs,
            mask,
            state_size: spec.state,
            action_size: spec.action.action_size(),
            observations: vec![0.0; moments * rows * obs],
            masks: vec![false; moments * rows * mask],
            state: vec![0.0; moments * envs * spec.state],
            started: vec![false; moments * envs],
            actions: ActionBuffer::new(spec, envs * capacity),
            rewards: vec![0.0; capacity * rows],
            ends: vec![End::Running; capacity * envs],
            last_observations: vec![0.0; capacity * rows * obs],
            last_masks: vec![false; capacity * rows * mask],
            last_state: vec![0.0; capacity * envs * spec.state],
        }
    }

    /// Number of rows at one moment.
    pub fn rows(&self) -> usize {
        self.envs * self.agents
    }

    /// Steps there is room for.
    pub fn capacity(&self) -> usize {
        self.ends.len() / self.envs.max(1)
    }

    /// What is seen at moment `t`.
    pub fn view(&self, t: usize) -> View<'_> {
        let (rows, envs) = (self.rows(), self.envs);
        View {
            envs,
            agents: self.agents,
            observations: part(&self.observations, t, rows * self.obs),
            masks: part(&self.masks, t, rows * self.mask),
            state: part(&self.state, t, envs * self.state_size),
            started: part(&self.started, t, envs),
        }
    }

    /// Where a reset writes moment 0; rewards and ends of step 0 serve as scratch.
    pub fn first(&mut self) -> Outbox<'_> {
        let (rows, envs) = (self.rows(), self.envs);
        self.steps = 0;
        self.started[..envs].fill(true);
        Outbox {
            observations: &mut self.observations[..rows * self.obs],
            masks: &mut self.masks[..rows * self.mask],
            rewards: &mut self.rewards[..rows],
            ends: &mut self.ends[..envs],
            last_observations: &mut [],
            last_masks: &mut [],
            state: &mut self.state[..envs * self.state_size],
            last_state: &mut [],
            tallies: &mut [],
        }
    }

    /// Stores the actions of step `t`.
    pub fn put_actions(&mut self, t: usize, actions: &ActionBuffer) {
        let size = self.rows() * self.action_size;
        match (&mut self.actions, actions) {
            (ActionBuffer::Discrete(all), ActionBuffer::Discrete(step)) => {
                all[t * size..(t + 1) * size].copy_from_slice(step);
            }
            (ActionBuffer::Continuous(all), ActionBuffer::Continuous(step)) => {
                all[t * size..(t + 1) * size].copy_from_slice(step);
            }
            _ => unreachable!("both were made for one specification"),
        }
    }

    /// The actions of step `t`.
    pub fn actions_at(&self, t: usize) -> Actions<'_> {
        let size = self.rows() * self.action_size;
        match &self.actions {
            ActionBuffer::Discrete(all) => Actions::Discrete(part(all, t, size)),
            ActionBuffer::Continuous(all) => Actions::Continuous(part(all, t, size)),
        }
    }

    /// Where step `t` writes: rewards, ends and last observations of step `t`, and moment `t + 1`.
    /// Call [`finish`](Self::finish) afterwards.
    pub fn outbox(&mut self, t: usize) -> Outbox<'_> {
        let (rows, envs) = (self.rows(), self.envs);
        Outbox {
            observations: part_mut(&mut self.observations, t + 1, rows * self.obs),
            masks: part_mut(&mut self.masks, t + 1, rows * self.mask),
            rewards: part_mut(&mut self.rewards, t, rows),
            ends: part_mut(&mut self.ends, t, envs),
            last_observations: part_mut(&mut self.last_observations, t, rows * self.obs),
            last_masks: part_mut(&mut self.last_masks, t, rows * self.mask),
            state: part_mut(&mut self.state, t + 1, envs * self.state_size),
            last_state: part_mut(&mut self.last_state, t, envs * self.state_size),
            tallies: &mut [],
        }
    }

    /// Counts step `t` as made.
    pub fn finish(&mut self, t: usize) {
        let envs = self.envs;
        for env in 0..envs {
            self.started[(t + 1) * envs + env] = self.ends[t * envs + env].is_over();
        }
        self.steps = t + 1;
    }

    /// Checks that the rollout fits a learner and that its numbers are finite; `update` is for the message.
    ///
    /// # Errors
    /// [`LearnError::Shape`] or [`LearnError::NotFinite`].
    pub(crate) fn check(
        &self,
        agents: usize,
        obs: usize,
        actions: usize,
        update: u64,
    ) -> Result<(), LearnError> {
        for (what, expected, found) in [
            ("agents", agents, self.agents),
            ("observation length", obs, self.obs),
            ("actions", actions, self.mask),
        ] {
            if expected != found {
                return Err(LearnError::Shape { what, expected, found });
            }
        }
        let (steps, rows) = (self.steps, self.rows());
        for (what, values) in [
            ("a reward", &self.rewards[..steps * rows]),
            ("an observation", &self.observations[..(steps + 1) * rows * obs]),
        ] {
            if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
                return Err(LearnError::NotFinite { what, value: f64::from(value), update });
            }
        }
        Ok(())
    }

    /// Whether episodes begin in all lanes, in the same state in each group of adjacent lanes, as far as is seen.
    #[cfg(feature = "torch")]
    pub(crate) fn begins_in_groups(&self, group: usize) -> bool {
        let view = self.view(0);
        let alike = |all: &[f32]| {
            let lane = all.len() / self.envs;
            lane == 0
                || all.chunks(group * lane).all(|group| {
                    let (first, others) = group.split_at(lane);
                    others.chunks_exact(lane).all(|other| other == first)
                })
        };
        view.started.iter().all(|&started| started) && alike(view.observations) && alike(view.state)
    }

    /// Makes the last moment the first, so that the next rollout goes on where this one stopped.
    pub fn carry_on(&mut self) {
        let (t, rows, envs) = (self.steps, self.rows(), self.envs);
        carry(&mut self.observations, t, rows * self.obs);
        carry(&mut self.masks, t, rows * self.mask);
        carry(&mut self.state, t, envs * self.state_size);
        carry(&mut self.started, t, envs);
        self.steps = 0;
    }
}

fn part<T>(all: &[T], t: usize, size: usize) -> &[T] {
    &all[t * size..(t + 1) * size]
}

fn part_mut<T>(all: &mut [T], t: usize, size: usize) -> &mut [T] {
    &mut all[t * size..(t + 1) * size]
}

fn carry<T: Copy>(all: &mut [T], t: usize, size: usize) {
    all.copy_within(t * size..(t + 1) * size, 0);
}
