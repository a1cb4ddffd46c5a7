//! A ring of past transitions, drawn one by one or, for recurrent networks, as windows of one lane.

use gambol_envs::batch::{Actions, End};
use gambol_envs::seed::below;
use gambol_envs::spec::EnvSpec;
use rand_chacha::ChaCha8Rng;

use crate::learner::{Checkpoint, LearnError};
use crate::options::{counts, discrete_actions};
use crate::rollout::Rollout;

/// Lengths of one joint transition's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) agents: usize,
    pub(crate) obs: usize,
    pub(crate) actions: usize,
    /// 0 when nobody asked for the global state.
    pub(crate) state: usize,
    /// Numbers that an agent remembers; 0 when it does not.
    pub(crate) units: usize,
    /// Steps of a lane that are drawn together; 1 when agents do not remember.
    pub(crate) window: usize,
    /// Lanes of a rollout, each of which makes a window; 1 when agents do not remember.
    pub(crate) lanes: usize,
}

/// The last `capacity` joint transitions; the oldest gives way.
///
/// A window is the slots `first + lane, first + lanes + lane, ..` of a group of `window * lanes` slots: those of one lane in
/// one rollout.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    sizes: Sizes,
    capacity: usize,
    len: usize,
    /// Where the next transition goes.
    at: usize,
    /// `[capacity, agents, obs]`.
    observations: Vec<f32>,
    /// `[capacity, agents, obs]`: what was seen after the step, at an episode's end its true last observations.
    next_observations: Vec<f32>,
    /// `[capacity, agents, actions]`, 1 for an action allowed at the moment of `next_observations`.
    next_masks: Vec<u8>,
    /// `[capacity, agents, actions]`, as `next_masks` at the moment of `observations`; empty unless asked for.
    masks: Vec<u8>,
    /// `[capacity, state]`.
    state: Vec<f32>,
    /// `[capacity, state]`.
    next_state: Vec<f32>,
    /// `[capacity, agents]`.
    actions: Vec<u8>,
    /// `[capacity, agents]`.
    rewards: Vec<f32>,
    /// `[capacity]`, the numbers of [`End`].
    ends: Vec<u8>,
    /// `[capacity]`, 1 where an episode starts; empty when agents do not remember.
    started: Vec<u8>,
    /// `[windows, agents, units]`: what was remembered before the window.
    memory: Vec<f32>,
}

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    /// Transitions, rounded up to whole windows.
    pub(crate) size: usize,
    /// Whether the agent's number stands behind observations.
    pub(crate) id: bool,
    /// Whether masks count.
    pub(crate) masked: bool,
    /// Whether something follows the time limit.
    pub(crate) bootstrap_at_limit: bool,
}

/// A drawn batch; the agent is the slowest index, so that separate networks find their rows together.
/// Rows of windows are numbered `step * windows + window`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// Transitions.
    pub(crate) rows: usize,
    /// `[agents, batch, obs + id]`, ids behind the observation when asked for.
    pub(crate) observations: Vec<f32>,
    /// As `observations`.
    pub(crate) next_observations: Vec<f32>,
    /// `[agents, batch, actions]`: 0 for an allowed action, else [`FORBIDDEN`].
    pub(crate) next_masks: Vec<f32>,
    /// As `next_masks`, for `observations`; empty where the replay does not keep it.
    pub(crate) masks: Vec<f32>,
    /// `[batch, state]`.
    pub(crate) state: Vec<f32>,
    /// `[batch, state]`.
    pub(crate) next_state: Vec<f32>,
    /// `[agents, batch]`.
    pub(crate) actions: Vec<i64>,
    /// `[agents, batch]`.
    pub(crate) rewards: Vec<f32>,
    /// `[batch]`: 1 where the value of what follows counts.
    pub(crate) follows: Vec<f32>,
    /// `[batch]`: whether an episode starts; empty when agents do not remember.
    pub(crate) started: Vec<bool>,
    /// `[windows, agents, units]`: what was remembered before each window.
    pub(crate) memory: Vec<f32>,
    slots: Vec<usize>,
}

/// Added to the value of an action that may not be taken.
pub(crate) const FORBIDDEN: f32 = -1e30;

/// The number of discrete actions, which are kept as bytes; adds a sentence for the learner of that name, and gives 0,
/// when there are none.
pub(crate) fn kept_actions(name: &str, spec: &EnvSpec, problems: &mut Vec<String>) -> usize {
    let actions = discrete_actions(name, spec, problems);
    if actions > 256 {
        problems.push(format!("`{name}` takes at most 256 actions, {} has {actions}", spec.name));
    }
    actions
}

/// How much a learner with a replay collects, keeps and learns from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amounts {
    /// Joint transitions in one update.
    pub(crate) batch: usize,
    /// Joint transitions kept.
    pub(crate) replay: usize,
    /// Joint transitions collected before the first update.
    pub(crate) warm_up: usize,
    /// Environment steps for each update.
    pub(crate) steps_per_update: usize,
    /// Batch steps collected between two times of learning.
    pub(crate) rollout: usize,
}

impl Amounts {
    /// Adds what is wrong with them; `prefix` stands before the fields' names.
    pub(crate) fn check(self, prefix: &str, problems: &mut Vec<String>) {
        let Self { batch, replay, warm_up, steps_per_update, rollout } = self;
        let fields = [
            ("batch", batch, 1 << 20),
            ("replay", replay, 1 << 28),
            ("steps_per_update", steps_per_update, usize::MAX),
            ("rollout", rollout, 1 << 20),
        ];
        counts(prefix, &fields, problems);
        if warm_up > replay {
            problems.push(format!("`{prefix}warm_up`: {warm_up}, the replay holds only {replay}"));
        }
    }

    /// Updates that are due after so many environment steps.
    pub(crate) fn due(self, steps: u64) -> u64 {
        let warm_up = self.warm_up.max(1) as u64;
        if steps < warm_up { 0 } else { (steps - warm_up) / self.steps_per_update as u64 + 1 }
    }
}

impl Batch {
    /// Gives every agent the team's reward, the sum of all.
    pub(crate) fn share_rewards(&mut self) {
        let (first, others) = self.rewards.split_at_mut(self.rows);
        for other in others.chunks_exact(self.rows) {
            first.iter_mut().zip(other).for_each(|(sum, reward)| *sum += reward);
        }
        for other in others.chunks_exact_mut(self.rows) {
            other.copy_from_slice(first);
        }
    }
}

impl Replay {
    /// A ring of so many transitions, rounded down to whole rollouts where windows are drawn.
    pub(crate) fn new(sizes: Sizes, capacity: usize) -> Self {
        let group = sizes.window * sizes.lanes;
        let capacity = capacity / group * group;
        let remembered = if sizes.units > 0 { capacity } else { 0 };
        let (agents, obs) = (capacity * sizes.agents, capacity * sizes.agents * sizes.obs);
        Self {
            sizes,
            capacity,
            len: 0,
            at: 0,
            observations: vec![0.0; obs],
            next_observations: vec![0.0; obs],
            next_masks: vec![0; agents * sizes.actions],
            masks: Vec::new(),
            state: vec![0.0; capacity * sizes.state],
            next_state: vec![0.0; capacity * sizes.state],
            actions: vec![0; agents],
            rewards: vec![0.0; agents],
            ends: vec![0; capacity],
            started: vec![0; remembered],
            memory: vec![0.0; remembered / sizes.window * sizes.agents * sizes.units],
        }
    }

    /// The same, which also keeps what was allowed at the moment of the action, for learners of policies.
    pub(crate) fn with_masks(self) -> Self {
        Self { masks: vec![0; self.next_masks.len()], ..self }
    }

    /// Stores every transition of a rollout, step by step, lane by lane, and what agents remembered before it,
    /// `[lanes, agents, units]` or empty for nothing.
    ///
    /// # Errors
    /// [`LearnError::Shape`] or [`LearnError::NotFinite`]; nothing is stored then.
    pub(crate) fn push(
        &mut self,
        rollout: &Rollout,
        memory: &[f32],
        update: u64,
    ) -> Result<(), LearnError> {
        let Sizes { agents, obs, actions, state, units, window, lanes } = self.sizes;
        rollout.check(agents, obs, actions, update)?;
        if units > 0 {
            let numbers = lanes * agents * units;
            for (what, expected, found) in [
                ("steps of a rollout", window, rollout.steps),
                ("instances", lanes, rollout.envs),
                ("memory", numbers, if memory.is_empty() { numbers } else { memory.len() }),
            ] {
                if expected != found {
                    return Err(LearnError::Shape { what, expected, found });
                }
            }
            let group = self.at / window * agents * units;
            let place = &mut self.memory[group..group + numbers];
            if memory.is_empty() {
                place.fill(0.0);
            } else {
                place.copy_from_slice(memory);
            }
        }
        if state > 0 && rollout.state_size != state {
            let (what, expected, found) = ("state length", state, rollout.state_size);
            return Err(LearnError::Shape { what, expected, found });
        }
        let (steps, rows) = (rollout.steps, rollout.rows());
        for t in 0..steps {
            let Actions::Discrete(taken) = rollout.actions_at(t) else {
                return Err(LearnError::Other("the rollout has continuous actions".to_owned()));
            };
            let (now, then) = (rollout.view(t), rollout.view(t + 1));
            for env in 0..rollout.envs {
                let (end, slot) = (rollout.ends[t * rollout.envs + env], self.at);
                let team = env * agents..(env + 1) * agents;
                let over = end.is_over();
                let own = |all: &[f32], size: usize| -> std::ops::Range<usize> {
                    debug_assert!(all.len() >= (env + 1) * size);
                    env * size..(env + 1) * size
                };
                let wide = agents * obs;
                put(&mut self.observations, slot, &now.observations[own(now.observations, wide)]);
                let last = &rollout.last_observations[t * rows * obs..(t + 1) * rows * obs];
                let next = if over { last } else { then.observations };
                put(&mut self.next_observations, slot, &next[own(next, wide)]);
                if state > 0 {
                    put(&mut self.state, slot, &now.state[own(now.state, state)]);
                    let size = rollout.envs * state;
                    let last = &rollout.last_state[t * size..(t + 1) * size];
                    let next = if over { last } else { then.state };
                    put(&mut self.next_state, slot, &next[own(next, state)]);
                }
                let width = agents * actions;
                let masks = &mut self.next_masks[slot * width..(slot + 1) * width];
                let last = &rollout.last_masks[t * rows * actions..(t + 1) * rows * actions];
                let next = if over { last } else { then.masks };
                let open = &next[env * width..(env + 1) * width];
                masks.iter_mut().zip(open).for_each(|(mask, &open)| *mask = u8::from(open));
                if let Some(masks) = self.masks.get_mut(slot * width..(slot + 1) * width) {
                    let open = &now.masks[env * width..(env + 1) * width];
                    masks.iter_mut().zip(open).for_each(|(mask, &open)| *mask = u8::from(open));
                }
                for (agent, &action) in taken[team.clone()].iter().enumerate() {
                    self.actions[slot * agents + agent] = action as u8;
                }
                put(&mut self.rewards, slot, &rollout.rewards[t * rows..(t + 1) * rows][team]);
                self.ends[slot] = end as u8;
                if units > 0 {
                    self.started[slot] = u8::from(now.started[env]);
                }
                self.at = (self.at + 1) % self.capacity;
                self.len = (self.len + 1).min(self.capacity);
            }
        }
        Ok(())
    }

    /// Draws transitions, or windows of them, with replacement.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng, draw: Draw, batch: &mut Batch) {
        let Sizes { agents, obs, actions, state, units, window, lanes } = self.sizes;
        let windows = draw.size.div_ceil(window);
        let size = windows * window;
        batch.rows = size;
        let width = obs + if draw.id { agents } else { 0 };
        for list in [&mut batch.observations, &mut batch.next_observations] {
            list.clear();
            list.resize(agents * size * width, 0.0);
        }
        let kept = if self.masks.is_empty() { 0 } else { agents * size * actions };
        for (list, length) in
            [(&mut batch.next_masks, agents * size * actions), (&mut batch.masks, kept)]
        {
            list.clear();
            list.resize(length, 0.0);
        }
        for list in [&mut batch.state, &mut batch.next_state, &mut batch.follows, &mut batch.memory]
        {
            list.clear();
        }
        batch.started.clear();
        batch.actions.resize(agents * size, 0);
        batch.rewards.resize(agents * size, 0.0);
        // The slots of all rows, in order.
        batch.slots.resize(size, 0);
        for drawn in 0..windows {
            let number = below(rng, (self.len / window) as u32) as usize;
            let first = number / lanes * lanes * window + number % lanes;
            for step in 0..window {
                batch.slots[step * windows + drawn] = first + step * lanes;
            }
            let own = number * agents * units;
            batch.memory.extend_from_slice(&self.memory[own..own + agents * units]);
        }
        for row in 0..size {
            let slot = batch.slots[row];
            if units > 0 {
                batch.started.push(self.started[slot] == 1);
            }
            batch.state.extend_from_slice(&self.state[slot * state..(slot + 1) * state]);
            batch.next_state.extend_from_slice(&self.next_state[slot * state..(slot + 1) * state]);
            let end = self.ends[slot];
            let follows = end == End::Running as u8
                || (draw.bootstrap_at_limit && end == End::Truncated as u8);
            batch.follows.push(if follows { 1.0 } else { 0.0 });
            for agent in 0..agents {
                let (from, to) = (slot * agents + agent, agent * size + row);
                for (all, list) in [
                    (&self.observations, &mut batch.observations),
                    (&self.next_observations, &mut batch.next_observations),
                ] {
                    let line = &mut list[to * width..(to + 1) * width];
                    line[..obs].copy_from_slice(&all[from * obs..(from + 1) * obs]);
                    if draw.id {
                        line[obs + agent] = 1.0;
                    }
                }
                for (all, list) in
                    [(&self.next_masks, &mut batch.next_masks), (&self.masks, &mut batch.masks)]
                {
                    if draw.masked && !list.is_empty() {
                        let open = &all[from * actions..(from + 1) * actions];
                        let line = &mut list[to * actions..(to + 1) * actions];
                        for (value, &open) in line.iter_mut().zip(open) {
                            *value = if open == 1 { 0.0 } else { FORBIDDEN };
                        }
                    }
                }
                batch.actions[to] = i64::from(self.actions[from]);
                batch.rewards[to] = self.rewards[from];
            }
        }
    }

    /// Adds everything to a checkpoint under `replay.`.
    pub(crate) fn save(&self, checkpoint: &mut Checkpoint) {
        let Sizes { agents, obs, actions, state, units, window, .. } = self.sizes;
        let len = self.len;
        let mut floats = |name: &str, all: &[f32], width: usize| {
            checkpoint.put_f32(
                format!("replay.{name}"),
                &[len, width],
                all[..len * width].to_vec(),
            );
        };
        floats("observations", &self.observations, agents * obs);
        floats("next_observations", &self.next_observations, agents * obs);
        floats("state", &self.state, state);
        floats("next_state", &self.next_state, state);
        floats("rewards", &self.rewards, agents);
        if units > 0 {
            let (rows, width) = (len / window, agents * units);
            let memory = self.memory[..rows * width].to_vec();
            checkpoint.put_f32("replay.memory", &[rows, width], memory);
            checkpoint.put_u8("replay.started", self.started[..len].to_vec());
        }
        checkpoint.put_u8("replay.next_masks", self.next_masks[..len * agents * actions].to_vec());
        if !self.masks.is_empty() {
            checkpoint.put_u8("replay.masks", self.masks[..len * agents * actions].to_vec());
        }
        checkpoint.put_u8("replay.actions", self.actions[..len * agents].to_vec());
        checkpoint.put_u8("replay.ends", self.ends[..len].to_vec());
        checkpoint.put_i64("replay.position", vec![len as i64, self.at as i64]);
    }

    /// A ring as [`save`](Self::save) found it.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`].
    pub(crate) fn load(&self, checkpoint: &Checkpoint) -> Result<Self, LearnError> {
        let Sizes { agents, obs, actions, state, units, window, lanes } = self.sizes;
        let misfit = |why: &str| LearnError::Checkpoint(why.to_owned());
        let &[len, at] = checkpoint.i64("replay.position")? else {
            return Err(misfit("`replay.position` must have two entries"));
        };
        let (len, at) = (len as usize, at as usize);
        if len > self.capacity || at >= self.capacity {
            return Err(misfit("the replay has another capacity"));
        }
        if len % (window * lanes) != 0 || at % (window * lanes) != 0 {
            return Err(misfit("the replay holds windows of another length"));
        }
        let mut replay = Self::new(self.sizes, self.capacity);
        replay.masks.resize(self.masks.len(), 0);
        (replay.len, replay.at) = (len, at);
        for (name, all, width) in [
            ("replay.observations", &mut replay.observations, agents * obs),
            ("replay.next_observations", &mut replay.next_observations, agents * obs),
            ("replay.state", &mut replay.state, state),
            ("replay.next_state", &mut replay.next_state, state),
            ("replay.rewards", &mut replay.rewards, agents),
        ] {
            all[..len * width].copy_from_slice(checkpoint.f32(name, &[len, width])?);
        }
        for (name, all, width) in [
            ("replay.next_masks", &mut replay.next_masks, agents * actions),
            ("replay.masks", &mut replay.masks, agents * actions),
            ("replay.actions", &mut replay.actions, agents),
            ("replay.ends", &mut replay.ends, 1),
            ("replay.started", &mut replay.started, 1),
        ] {
            if all.is_empty() {
                continue;
            }
            let saved = checkpoint.u8(name)?;
            if saved.len() != len * width {
                return Err(LearnError::Checkpoint(format!("`{name}` has another length")));
            }
            all[..len * width].copy_from_slice(saved);
        }
        if units > 0 {
            let (rows, width) = (len / window, agents * units);
            let memory = checkpoint.f32("replay.memory", &[rows, width])?;
            replay.memory[..rows * width].copy_from_slice(memory);
        }
        Ok(replay)
    }
}

fn put(all: &mut [f32], slot: usize, values: &[f32]) {
    all[slot * values.len()..(slot + 1) * values.len()].copy_from_slice(values);
}

#[cfg(test)]
mod tests {
    use gambol_envs::seed::{Purpose, Streams};
    use gambol_envs::spec::{ActionSpace, EnvSpec, ObservationSpace, Payoff, Turns};

    use super::*;
    use crate::policy::ActionBuffer;

    const SIZES: Sizes =
        Sizes { agents: 2, obs: 3, actions: 2, state: 1, units: 0, window: 1, lanes: 1 };

    fn spec() -> EnvSpec {
        EnvSpec {
            name: "Numbered".to_owned(),
            version: 1,
            agents: 2,
            roles: vec!["player".to_owned(); 2],
            observation: ObservationSpace { shape: vec![3], low: vec![0.0; 3], high: vec![1e6; 3] },
            action: ActionSpace::Discrete { names: vec!["a".to_owned(), "b".to_owned()] },
            state: 1,
            turns: Turns::Simultaneous,
            payoff: Payoff::General,
            horizon: None,
            tallies: Vec::new(),
        }
    }

    /// One step of `envs` instances whose transitions are numbered from `first`; the number stands in every part.
    fn rollout(first: usize, envs: usize, end: End) -> Rollout {
        let mut rollout = Rollout::new(&spec(), envs, 1);
        let mut actions = vec![0; envs * 2];
        for (row, action) in actions.iter_mut().enumerate() {
            let (env, agent) = (row / 2, row % 2);
            let number = (first + env) as f32;
            let now = &mut rollout.observations[..envs * 6][row * 3..(row + 1) * 3];
            now.copy_from_slice(&[number, agent as f32, 0.0]);
            let then = &mut rollout.observations[envs * 6..][row * 3..(row + 1) * 3];
            then.copy_from_slice(&[number, agent as f32, 1.0]);
            rollout.last_observations[row * 3..(row + 1) * 3].copy_from_slice(&[
                number,
                agent as f32,
                2.0,
            ]);
            rollout.masks[envs * 4 + row * 2 + (first + env) % 2] = true;
            rollout.last_masks[row * 2 + (first + env + 1) % 2] = true;
            *action = ((first + env + agent) % 2) as u16;
            rollout.rewards[row] = number + 0.5 * agent as f32;
        }
        for env in 0..envs {
            let number = (first + env) as f32;
            rollout.state[env] = number;
            rollout.state[envs + env] = number + 0.25;
            rollout.last_state[env] = number + 0.75;
            rollout.ends[env] = end;
        }
        rollout.put_actions(0, &ActionBuffer::Discrete(actions));
        rollout.finish(0);
        rollout
    }

    /// Draws often and checks that every part of a row speaks of the same transition; gives the numbers seen, in order.
    fn numbers(replay: &Replay, draw: u32, end: End) -> Vec<usize> {
        let mut rng = Streams::new(5).at(Purpose::Learn, 0, draw);
        let mut batch = Batch::default();
        let draw = Draw { size: 400, id: true, masked: true, bootstrap_at_limit: true };
        replay.draw(&mut rng, draw, &mut batch);
        let mut seen = Vec::new();
        for row in 0..400 {
            let number = batch.state[row] as usize;
            let over = end != End::Running;
            let state = batch.state[row] + if over { 0.75 } else { 0.25 };
            assert_eq!(batch.next_state[row].to_bits(), state.to_bits());
            let follows = if end == End::Terminated { 0.0_f32 } else { 1.0 };
            assert_eq!(batch.follows[row].to_bits(), follows.to_bits());
            for agent in 0..2 {
                let line = |list: &[f32]| list[(agent * 400 + row) * 5..][..5].to_vec();
                let id = [1.0 - agent as f32, agent as f32];
                let whole =
                    |moment: f32| [&[number as f32, agent as f32, moment][..], &id].concat();
                assert_eq!(line(&batch.observations), whole(0.0));
                assert_eq!(line(&batch.next_observations), whole(if over { 2.0 } else { 1.0 }));
                let at = agent * 400 + row;
                assert_eq!(batch.actions[at], ((number + agent) % 2) as i64);
                let reward = number as f32 + 0.5 * agent as f32;
                assert_eq!(batch.rewards[at].to_bits(), reward.to_bits());
                let mut open = [false; 2];
                open[(number + usize::from(over)) % 2] = true;
                let masks = open.map(|open| if open { 0.0 } else { FORBIDDEN });
                assert_eq!(batch.next_masks[at * 2..at * 2 + 2], masks);
            }
            seen.push(number);
        }
        seen
    }

    fn distinct(mut numbers: Vec<usize>) -> Vec<usize> {
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    #[test]
    fn the_ring_keeps_the_newest_and_every_part_of_them() {
        for end in [End::Running, End::Terminated, End::Truncated] {
            // 10 is no multiple of 4, so that rollouts are cut by the ring's end.
            let mut replay = Replay::new(SIZES, 10);
            for pushed in 1..=7 {
                replay.push(&rollout((pushed - 1) * 4, 4, end), &[], 0).unwrap();
                let newest = (pushed * 4_usize).saturating_sub(10)..pushed * 4;
                let seen = distinct(numbers(&replay, pushed as u32, end));
                assert_eq!(seen, newest.collect::<Vec<_>>(), "after {pushed} rollouts");
            }
        }
    }

    #[test]
    fn a_rollout_larger_than_the_ring_leaves_its_end() {
        let mut replay = Replay::new(SIZES, 3);
        replay.push(&rollout(0, 8, End::Running), &[], 0).unwrap();
        assert_eq!(distinct(numbers(&replay, 0, End::Running)), [5, 6, 7]);
        let mut one = Replay::new(SIZES, 1);
        one.push(&rollout(0, 2, End::Running), &[], 0).unwrap();
        assert_eq!(distinct(numbers(&one, 0, End::Running)), [1]);
    }

    #[test]
    fn a_restored_ring_goes_on_to_the_bit_full_or_not() {
        for pushed in [0, 1, 2, 3, 5] {
            let mut whole = Replay::new(SIZES, 10);
            for rollout_number in 0..pushed {
                whole.push(&rollout(rollout_number * 4, 4, End::Running), &[], 0).unwrap();
            }
            let mut checkpoint = Checkpoint::default();
            whole.save(&mut checkpoint);
            let mut restored = Replay::new(SIZES, 10).load(&checkpoint).unwrap();
            for more in pushed..pushed + 4 {
                for replay in [&mut whole, &mut restored] {
                    replay.push(&rollout(more * 4, 4, End::Running), &[], 0).unwrap();
                }
                let [one, other] =
                    [&whole, &restored].map(|replay| numbers(replay, more as u32, End::Running));
                assert_eq!(one, other, "{pushed} rollouts before, {more} now");
            }
            let mut again = Checkpoint::default();
            restored.save(&mut again);
            whole.save(&mut checkpoint);
            assert_eq!(again, checkpoint);
        }
    }

    #[test]
    fn a_checkpoint_of_another_ring_is_refused() {
        let mut large = Replay::new(SIZES, 10);
        large.push(&rollout(0, 9, End::Running), &[], 0).unwrap();
        let mut checkpoint = Checkpoint::default();
        large.save(&mut checkpoint);
        assert!(Replay::new(SIZES, 8).load(&checkpoint).is_err());
        let mut short = checkpoint.clone();
        short.put_u8("replay.ends", vec![0; 8]);
        let error = large.load(&short).unwrap_err().to_string();
        assert!(error.contains("`replay.ends` has another length"), "{error}");
    }
    /// Four lanes of three steps: windows are one lane's steps in order with the memory before them, also after the ring has
    /// turned over and after a restart.
    #[test]
    fn windows_follow_one_lane() {
        const LANES: usize = 4;
        const STEPS: usize = 3;
        let sizes = Sizes { units: 2, window: STEPS, lanes: LANES, ..SIZES };
        // The number of a transition tells its rollout, step and lane; lane 1 starts an episode at step 2.
        let rollout = |number: usize| {
            let mut rollout = Rollout::new(&spec(), LANES, STEPS);
            for t in 0..STEPS {
                for lane in 0..LANES {
                    let name = (number * 100 + t * 10 + lane) as f32;
                    rollout.state[t * LANES + lane] = name;
                    rollout.observations[(t * LANES + lane) * 6] = name;
                    rollout.started[t * LANES + lane] = lane == 1 && t == 2;
                }
            }
            rollout.put_actions(0, &ActionBuffer::Discrete(vec![0; LANES * 2]));
            rollout.steps = STEPS;
            rollout
        };
        let memory = |number: usize| -> Vec<f32> {
            (0..LANES * 4).map(|at| (number * 100 + at / 4) as f32).collect()
        };
        // 30 transitions are rounded down to two rollouts of 12.
        let mut replay = Replay::new(sizes, 30);
        for number in 1..=3 {
            replay.push(&rollout(number), &memory(number), 0).unwrap();
        }
        let mut checkpoint = Checkpoint::default();
        replay.save(&mut checkpoint);
        let replay = Replay::new(sizes, 30).load(&checkpoint).unwrap();
        let mut rng = Streams::new(5).at(Purpose::Learn, 0, 0);
        let mut batch = Batch::default();
        // 100 transitions are rounded up to 34 windows.
        let draw = Draw { size: 100, id: false, masked: true, bootstrap_at_limit: true };
        replay.draw(&mut rng, draw, &mut batch);
        assert_eq!((batch.rows, batch.memory.len()), (102, 34 * 4));
        let mut seen = Vec::new();
        for window in 0..34 {
            let first = batch.state[window] as usize;
            let (number, lane) = (first / 100, first % 10);
            assert_eq!(batch.memory[window * 4..][..4], [(number * 100 + lane) as f32; 4]);
            for step in 0..STEPS {
                let row = step * 34 + window;
                let name = (number * 100 + step * 10 + lane) as f32;
                assert_eq!((batch.state[row], batch.observations[row * 3]), (name, name));
                assert_eq!(batch.started[row], lane == 1 && step == 2);
            }
            seen.push(first);
        }
        assert_eq!(distinct(seen), [200, 201, 202, 203, 300, 301, 302, 303]);
        let mut other = rollout(4);
        other.steps = 2;
        let mut replay = replay;
        let error = replay.push(&other, &memory(4), 0).unwrap_err().to_string();
        assert_eq!(error, "steps of a rollout: expected 3, found 2");
        let error = replay.push(&rollout(4), &[0.0; 3], 0).unwrap_err().to_string();
        assert_eq!(error, "memory: expected 16, found 3");
    }
}
