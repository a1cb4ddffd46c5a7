//! What a learner is given of the steps that several policies made together: its own, as rollouts of the shape that it
//! asks for.

use gambol_envs::batch::{Actions, End};
use gambol_envs::spec::EnvSpec;

use crate::learner::{Checkpoint, LearnError, Learner, Report, Values};
use crate::policy::ActionBuffer;
use crate::rollout::Rollout;

/// What a learner is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Its own steps, each lasting until its next own moment: what the other policies do in between is part of the
    /// environment, and so are the rewards they find.
    Own,
    /// Its own steps, each lasting until the next moment, whoever acts then.
    OwnCut,
    /// Every step, as if it were its own.
    All,
}

/// Steps of one lane, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
struct Queue {
    /// Steps, the open one included.
    len: usize,
    /// Whether the newest step waits for its next own moment.
    open: bool,
    /// Whether an episode began since the newest step.
    fresh: bool,
    observations: Vec<f32>,
    masks: Vec<bool>,
    state: Vec<f32>,
    started: Vec<bool>,
    discrete: Vec<u16>,
    continuous: Vec<f32>,
    rewards: Vec<f32>,
    /// What the learner remembered before the step.
    memory: Vec<f32>,
    ends: Vec<End>,
    /// Whether a step ended at the moment at which the next one in the queue begins.
    linked: Vec<bool>,
    next_observations: Vec<f32>,
    next_masks: Vec<bool>,
    next_state: Vec<f32>,
}

impl Queue {
    /// Steps that can be handed over.
    fn closed(&self) -> usize {
        self.len - usize::from(self.open)
    }

    /// Ends the open step at a moment.
    fn close(&mut self, moment: Moment<'_>, end: End, linked: bool) {
        self.open = false;
        self.ends.push(end);
        self.linked.push(linked);
        self.next_observations.extend_from_slice(moment.observations);
        self.next_masks.extend_from_slice(moment.masks);
        self.next_state.extend_from_slice(moment.state);
    }

    /// Forgets the oldest steps.
    fn forget(&mut self, steps: usize) {
        fn cut<T>(all: &mut Vec<T>, steps: usize, len: usize) {
            let size = all.len().checked_div(len).unwrap_or(0);
            all.drain(..steps * size);
        }
        let (len, closed) = (self.len, self.closed());
        cut(&mut self.observations, steps, len);
        cut(&mut self.masks, steps, len);
        cut(&mut self.state, steps, len);
        cut(&mut self.started, steps, len);
        cut(&mut self.discrete, steps, len);
        cut(&mut self.continuous, steps, len);
        cut(&mut self.rewards, steps, len);
        cut(&mut self.memory, steps, len);
        cut(&mut self.ends, steps, closed);
        cut(&mut self.linked, steps, closed);
        cut(&mut self.next_observations, steps, closed);
        cut(&mut self.next_masks, steps, closed);
        cut(&mut self.next_state, steps, closed);
        self.len -= steps;
    }
}

/// What one instance shows at one moment.
#[derive(Clone, Copy)]
struct Moment<'a> {
    observations: &'a [f32],
    masks: &'a [bool],
    state: &'a [f32],
}

/// Row `number` of rows of this size.
fn row<T>(all: &[T], number: usize, size: usize) -> &[T] {
    &all[number * size..(number + 1) * size]
}

fn row_mut<T>(all: &mut [T], number: usize, size: usize) -> &mut [T] {
    &mut all[number * size..(number + 1) * size]
}

/// What an instance shows at moment `t`.
fn moment(rollout: &Rollout, t: usize, env: usize) -> Moment<'_> {
    let Rollout { agents, obs, mask, state_size, envs, .. } = *rollout;
    let number = t * envs + env;
    Moment {
        observations: row(&rollout.observations, number, agents * obs),
        masks: row(&rollout.masks, number, agents * mask),
        state: row(&rollout.state, number, state_size),
    }
}

/// What an instance showed at the end of the episode that step `t` ended.
fn last_moment(rollout: &Rollout, t: usize, env: usize) -> Moment<'_> {
    let Rollout { agents, obs, mask, state_size, envs, .. } = *rollout;
    let number = t * envs + env;
    Moment {
        observations: row(&rollout.last_observations, number, agents * obs),
        masks: row(&rollout.last_masks, number, agents * mask),
        state: row(&rollout.last_state, number, state_size),
    }
}

/// Gathers a learner's steps until there are enough for the rollout that it asks for.
///
/// A rollout's columns are lanes as far as these have enough steps; what is missing comes from lanes that have more.
/// Where two lanes meet in a column, the step before is marked as cut by the time limit, with the moment that truly
/// followed it, so that a learner with `TimeLimit::Bootstrap` learns the same as if it went on.
/// No step is left out or given twice. If every step of a rollout is the learner's own, it is given as it is.
///
/// A learner with memory is given each rollout with what it remembered before the first step of every column, and
/// afterwards has again what it remembers now. Inside a column it is told that an episode begins where two lanes meet;
/// moments at which others acted, which its memory saw when it acted, are not in the column.
#[derive(Clone, Debug)]
pub(super) struct Collector {
    share: Share,
    queues: Vec<Queue>,
    rollout: Rollout,
    /// `[envs, ..]`: what was remembered before the rollout; empty without memory.
    memory: Vec<f32>,
}

/// Which steps of a rollout are a learner's own.
#[derive(Clone, Copy)]
pub(super) struct Turns<'a> {
    /// `[steps + 1, envs]`: whether the learner acts at each moment.
    pub(super) own: &'a [bool],
    /// `[steps, envs, ..]`: what it remembered before each step; empty without memory.
    pub(super) memory: &'a [f32],
}

/// Lets a learner learn with this memory of what was before the rollout; empty without memory.
fn learn(
    learner: &mut dyn Learner,
    rollout: &Rollout,
    memory: &[f32],
) -> Result<Report, LearnError> {
    if memory.is_empty() {
        return learner.learn(rollout);
    }
    let now = learner.memory();
    learner.remember(memory);
    let report = learner.learn(rollout);
    learner.remember(&now);
    report
}

impl Collector {
    pub(super) fn new(share: Share, spec: &EnvSpec, envs: usize, steps: usize) -> Self {
        Self {
            share,
            queues: vec![Queue::default(); envs],
            rollout: Rollout::new(spec, envs, steps.max(1)),
            memory: Vec::new(),
        }
    }

    /// Gives a learner what is its own of a rollout, as soon as there is enough of it. Gives the last report, if the
    /// learner learned.
    ///
    /// # Errors
    /// [`LearnError::Shape`], or what the learner says.
    pub(super) fn feed(
        &mut self,
        rollout: &Rollout,
        turns: Turns<'_>,
        learner: &mut dyn Learner,
    ) -> Result<Option<Report>, LearnError> {
        if rollout.envs != self.queues.len() {
            let (what, expected) = ("instances", self.queues.len());
            return Err(LearnError::Shape { what, expected, found: rollout.envs });
        }
        let all = self.share == Share::All || turns.own.iter().all(|&own| own);
        if all
            && rollout.steps == self.rollout.capacity()
            && self.queues.iter().all(|queue| queue.len == 0)
        {
            self.queues.iter_mut().for_each(|queue| queue.fresh = false);
            let first = turns.memory.len() / rollout.steps;
            return learn(learner, rollout, &turns.memory[..first]).map(Some);
        }
        self.push(rollout, turns);
        let mut report = None;
        while self.queues.iter().map(Queue::closed).sum::<usize>() >= self.rollout.ends.len() {
            self.fill();
            report = Some(learn(learner, &self.rollout, &self.memory)?);
        }
        Ok(report)
    }

    fn push(&mut self, rollout: &Rollout, turns: Turns<'_>) {
        let Rollout { steps, envs, agents, action_size, .. } = *rollout;
        let own = |t: usize, env: usize| self.share == Share::All || turns.own[t * envs + env];
        let (width, units) = (agents * action_size, turns.memory.len() / (steps * envs).max(1));
        for t in 0..steps {
            for (env, queue) in self.queues.iter_mut().enumerate() {
                queue.fresh |= rollout.started[t * envs + env];
                let rewards = row(&rollout.rewards, t * envs + env, agents);
                if own(t, env) {
                    let now = moment(rollout, t, env);
                    queue.observations.extend_from_slice(now.observations);
                    queue.masks.extend_from_slice(now.masks);
                    queue.state.extend_from_slice(now.state);
                    queue.started.push(std::mem::take(&mut queue.fresh));
                    match rollout.actions_at(t) {
                        Actions::Discrete(all) => {
                            queue.discrete.extend_from_slice(row(all, env, width));
                        }
                        Actions::Continuous(all) => {
                            queue.continuous.extend_from_slice(row(all, env, width));
                        }
                    }
                    queue.rewards.extend_from_slice(rewards);
                    queue.memory.extend_from_slice(row(turns.memory, t * envs + env, units));
                    queue.len += 1;
                    queue.open = true;
                } else if queue.open {
                    let from = queue.rewards.len() - agents;
                    let so_far = &mut queue.rewards[from..];
                    so_far.iter_mut().zip(rewards).for_each(|(sum, reward)| *sum += reward);
                }
                let end = rollout.ends[t * envs + env];
                let next_is_own = own(t + 1, env);
                if !queue.open {
                } else if end.is_over() {
                    queue.close(last_moment(rollout, t, env), end, true);
                } else if next_is_own || self.share == Share::OwnCut {
                    queue.close(moment(rollout, t + 1, env), End::Running, next_is_own);
                }
            }
        }
    }

    /// Moves the oldest steps from the queues into the rollout.
    fn fill(&mut self) {
        let (steps, envs) = (self.rollout.capacity(), self.queues.len());
        self.memory.clear();
        let mut filled = vec![0; envs];
        for (lane, filled) in filled.iter_mut().enumerate() {
            *filled = self.queues[lane].closed().min(steps);
            self.column(lane, 0, lane, *filled);
        }
        let mut lane = 0;
        for (column, filled) in filled.iter_mut().enumerate() {
            while *filled < steps && lane < envs {
                let count = self.queues[lane].closed().min(steps - *filled);
                self.column(column, *filled, lane, count);
                *filled += count;
                lane += usize::from(*filled < steps);
            }
        }
        self.rollout.steps = steps;
    }

    /// Moves the oldest `count` steps of a lane to a column of the rollout, from step `from` on.
    fn column(&mut self, column: usize, from: usize, lane: usize, count: usize) {
        let Self { queues, rollout, memory, .. } = self;
        let Rollout { envs, agents, obs, mask, state_size, action_size, .. } = *rollout;
        let queue = &mut queues[lane];
        let width = agents * action_size;
        if from == 0 && count > 0 {
            let units = queue.memory.len() / queue.len;
            memory.resize(envs * units, 0.0);
            row_mut(memory, column, units).copy_from_slice(row(&queue.memory, 0, units));
        }
        for step in 0..count {
            let t = from + step;
            let (here, then) = (t * envs + column, (t + 1) * envs + column);
            if t > 0 {
                let before = (t - 1) * envs + column;
                let follows = step > 0 && queue.linked[step - 1];
                if rollout.ends[before] == End::Running && !follows {
                    rollout.ends[before] = End::Truncated;
                }
            }
            let begins = t > 0 && rollout.ends[(t - 1) * envs + column].is_over();
            rollout.started[here] = queue.started[step] || begins;
            row_mut(&mut rollout.observations, here, agents * obs).copy_from_slice(row(
                &queue.observations,
                step,
                agents * obs,
            ));
            row_mut(&mut rollout.masks, here, agents * mask).copy_from_slice(row(
                &queue.masks,
                step,
                agents * mask,
            ));
            row_mut(&mut rollout.state, here, state_size).copy_from_slice(row(
                &queue.state,
                step,
                state_size,
            ));
            match &mut rollout.actions {
                ActionBuffer::Discrete(all) => {
                    row_mut(all, here, width).copy_from_slice(row(&queue.discrete, step, width));
                }
                ActionBuffer::Continuous(all) => {
                    row_mut(all, here, width).copy_from_slice(row(&queue.continuous, step, width));
                }
            }
            row_mut(&mut rollout.rewards, here, agents).copy_from_slice(row(
                &queue.rewards,
                step,
                agents,
            ));
            rollout.ends[here] = queue.ends[step];
            rollout.started[then] = queue.ends[step].is_over();
            let next = row(&queue.next_observations, step, agents * obs);
            row_mut(&mut rollout.observations, then, agents * obs).copy_from_slice(next);
            row_mut(&mut rollout.last_observations, here, agents * obs).copy_from_slice(next);
            let next = row(&queue.next_masks, step, agents * mask);
            row_mut(&mut rollout.masks, then, agents * mask).copy_from_slice(next);
            row_mut(&mut rollout.last_masks, here, agents * mask).copy_from_slice(next);
            let next = row(&queue.next_state, step, state_size);
            row_mut(&mut rollout.state, then, state_size).copy_from_slice(next);
            row_mut(&mut rollout.last_state, here, state_size).copy_from_slice(next);
        }
        queue.forget(count);
    }

    /// Adds the steps that wait to a checkpoint.
    pub(super) fn save(&self, prefix: &str, checkpoint: &mut Checkpoint) {
        let mut numbers = Vec::new();
        let (mut floats, mut bytes) = (Vec::new(), Vec::new());
        let bools = |all: &[bool]| all.iter().map(|&set| u8::from(set)).collect::<Vec<_>>();
        for queue in &self.queues {
            let remembered = queue.memory.len() as i64;
            let flags = [queue.open, queue.fresh].map(i64::from);
            numbers.extend([queue.len as i64, flags[0], flags[1], remembered]);
            numbers.extend(queue.discrete.iter().map(|&action| i64::from(action)));
            for all in [
                &queue.observations,
                &queue.state,
                &queue.continuous,
                &queue.rewards,
                &queue.memory,
                &queue.next_observations,
                &queue.next_state,
            ] {
                floats.extend_from_slice(all);
            }
            for all in [&queue.masks, &queue.started, &queue.linked, &queue.next_masks] {
                bytes.extend(bools(all));
            }
            bytes.extend(queue.ends.iter().map(|&end| end as u8));
        }
        checkpoint.put_i64(format!("{prefix}.numbers"), numbers);
        checkpoint.put_f32(format!("{prefix}.floats"), &[floats.len()], floats);
        checkpoint.put_u8(format!("{prefix}.bytes"), bytes);
    }

    /// The steps that [`save`](Self::save) found waiting.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`].
    pub(super) fn load(&self, prefix: &str, checkpoint: &Checkpoint) -> Result<Self, LearnError> {
        let name = format!("{prefix}.floats");
        let floats = match checkpoint.tensors.get(&name).map(|saved| &saved.values) {
            Some(Values::F32(floats)) => &floats[..],
            _ => return Err(LearnError::Checkpoint(format!("`{name}` is missing"))),
        };
        let mut read = Parts {
            prefix,
            numbers: checkpoint.i64(&format!("{prefix}.numbers"))?,
            floats,
            bytes: checkpoint.u8(&format!("{prefix}.bytes"))?,
        };
        let mut fresh = self.clone();
        let Rollout { agents, obs, mask, state_size, action_size, .. } = self.rollout;
        let discrete = matches!(self.rollout.actions, ActionBuffer::Discrete(_));
        for queue in &mut fresh.queues {
            let (len, open, begins) = (read.number()?, read.number()?, read.number()?);
            let (len, open, remembered) = (len as usize, open != 0, read.number()? as usize);
            let closed = len.checked_sub(usize::from(open)).ok_or_else(|| read.misfit())?;
            let actions = len * agents * action_size;
            let mut discretes = Vec::new();
            if discrete {
                for _ in 0..actions {
                    discretes.push(read.number()? as u16);
                }
            }
            *queue = Queue {
                len,
                open,
                fresh: begins != 0,
                discrete: discretes,
                observations: read.floats(len * agents * obs)?,
                state: read.floats(len * state_size)?,
                continuous: read.floats(if discrete { 0 } else { actions })?,
                rewards: read.floats(len * agents)?,
                memory: read.floats(remembered)?,
                next_observations: read.floats(closed * agents * obs)?,
                next_state: read.floats(closed * state_size)?,
                masks: read.bools(len * agents * mask)?,
                started: read.bools(len)?,
                linked: read.bools(closed)?,
                next_masks: read.bools(closed * agents * mask)?,
                ends: read.ends(closed)?,
            };
        }
        if read.is_empty() { Ok(fresh) } else { Err(read.misfit()) }
    }
}

/// Three lists that are read from the front.
struct Parts<'a> {
    prefix: &'a str,
    numbers: &'a [i64],
    floats: &'a [f32],
    bytes: &'a [u8],
}

impl Parts<'_> {
    fn misfit(&self) -> LearnError {
        LearnError::Checkpoint(format!("the steps of `{}` have another length", self.prefix))
    }

    fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.floats.is_empty() && self.bytes.is_empty()
    }

    fn number(&mut self) -> Result<i64, LearnError> {
        let (&first, rest) = self.numbers.split_first().ok_or_else(|| self.misfit())?;
        self.numbers = rest;
        Ok(first)
    }

    fn floats(&mut self, count: usize) -> Result<Vec<f32>, LearnError> {
        let (own, rest) = self.floats.split_at_checked(count).ok_or_else(|| self.misfit())?;
        self.floats = rest;
        Ok(own.to_vec())
    }

    fn own_bytes(&mut self, count: usize) -> Result<&[u8], LearnError> {
        let (own, rest) = self.bytes.split_at_checked(count).ok_or_else(|| self.misfit())?;
        self.bytes = rest;
        Ok(own)
    }

    fn bools(&mut self, count: usize) -> Result<Vec<bool>, LearnError> {
        Ok(self.own_bytes(count)?.iter().map(|&byte| byte != 0).collect())
    }

    fn ends(&mut self, count: usize) -> Result<Vec<End>, LearnError> {
        let end = |&byte: &u8| match byte {
            0 => End::Running,
            1 => End::Terminated,
            _ => End::Truncated,
        };
        Ok(self.own_bytes(count)?.iter().map(end).collect())
    }
}
