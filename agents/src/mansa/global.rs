//! The Global agent of a switch that learns: what it is given of every rollout.

use super::learner::Table;
use super::steps::{Collector, Share, Turns};
use super::switch::Decision;
use crate::learner::{Checkpoint, LearnError, Learner, Report, Values};
use crate::policy::ActionBuffer;
use crate::rollout::Rollout;

/// Decisions of successive moments, as the Global agent will learn from them.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) moments: usize,
    pub(super) decisions: Decision,
}

impl Log {
    pub(super) fn push(&mut self, decision: &Decision) {
        let Decision { called, seen, masks, left, open, penalty } = &mut self.decisions;
        called.extend_from_slice(&decision.called);
        seen.extend_from_slice(&decision.seen);
        masks.extend_from_slice(&decision.masks);
        left.extend_from_slice(&decision.left);
        open.extend_from_slice(&decision.open);
        penalty.extend_from_slice(&decision.penalty);
        self.moments += 1;
    }

    /// Forgets all but the newest moments.
    pub(super) fn keep(&mut self, moments: usize) {
        fn cut<T>(all: &mut Vec<T>, old: usize, of: usize) {
            let size = all.len() / of.max(1);
            all.drain(..old * size);
        }
        let (old, of) = (self.moments.saturating_sub(moments), self.moments);
        let Decision { called, seen, masks, left, open, penalty } = &mut self.decisions;
        cut(called, old, of);
        cut(seen, old, of);
        cut(masks, old, of);
        cut(left, old, of);
        cut(open, old, of);
        cut(penalty, old, of);
        self.moments -= old;
    }
}

/// A learner of one agent with two actions, and the steps that it will learn from.
pub(super) struct Global {
    pub(super) learner: Box<dyn Learner>,
    pub(super) collector: Collector,
    rollout: Rollout,
    /// `[moments, envs, ..]`: what it remembered before each moment of the log; empty without memory.
    pub(super) memory: Vec<f32>,
}

impl Global {
    pub(super) fn new(learner: Box<dyn Learner>, table: &Table<'_>, steps: usize) -> Self {
        let Table { global_spec, envs, .. } = *table;
        let asked = learner.rollout_steps();
        Self {
            learner,
            collector: Collector::new(Share::All, global_spec, envs, asked),
            rollout: Rollout::new(global_spec, envs, steps),
            memory: Vec::new(),
        }
    }

    /// Notes what was remembered before a moment that was decided now.
    pub(super) fn noted(&mut self, mut before: Vec<f32>) {
        if before.is_empty() {
            // A memory that has not begun yet is one of zeros.
            before.resize(self.learner.memory().len(), 0.0);
        }
        self.memory.extend_from_slice(&before);
    }

    /// Forgets what was noted.
    pub(super) fn forget(&mut self) {
        self.memory.clear();
    }

    /// Gives the learner a rollout with the decisions that the log has of it, and of the moment after it.
    ///
    /// The reward is the team's less `cost` for a call, or the penalty of an overspent budget.
    pub(super) fn learn(
        &mut self,
        rollout: &Rollout,
        log: &Log,
        cost: f32,
        common: bool,
    ) -> Result<Option<Report>, LearnError> {
        self.write(rollout, &log.decisions, cost, common);
        let moment = self.memory.len() / log.moments.max(1);
        let next = self.memory.split_off(moment * rollout.steps);
        let turns = Turns { own: &[], memory: &self.memory };
        let report = self.collector.feed(&self.rollout, turns, &mut *self.learner);
        self.memory = next;
        report
    }

    fn write(&mut self, rollout: &Rollout, decisions: &Decision, cost: f32, common: bool) {
        let to = &mut self.rollout;
        let Rollout { steps, envs, agents, .. } = *rollout;
        let Decision { called, seen, masks, left, open, penalty } = decisions;
        let size = to.obs;
        to.observations[..seen.len()].copy_from_slice(seen);
        to.masks[..masks.len()].copy_from_slice(masks);
        let moments = (steps + 1) * envs;
        to.started[..moments].copy_from_slice(&rollout.started[..moments]);
        to.ends[..steps * envs].copy_from_slice(&rollout.ends[..steps * envs]);
        let (last, width) = if rollout.state_size > 0 {
            (&rollout.last_state, rollout.state_size)
        } else {
            (&rollout.last_observations, agents * rollout.obs)
        };
        for step in 0..steps * envs {
            let team = &rollout.rewards[step * agents..(step + 1) * agents];
            let reward = if common { team[0] } else { team.iter().sum() };
            let cost = if called[step] { cost } else { 0.0 };
            to.rewards[step] = penalty[step].map_or(reward - cost, |penalty| -penalty);
            let row = &mut to.last_observations[step * size..(step + 1) * size];
            row[..width].copy_from_slice(&last[step * width..(step + 1) * width]);
            if let Some(share) = row.get_mut(width) {
                *share = left[step];
            }
            to.last_masks[2 * step..2 * step + 2].copy_from_slice(&[true, open[step]]);
            if let ActionBuffer::Discrete(actions) = &mut to.actions {
                actions[step] = u16::from(called[step]);
            }
        }
        to.steps = steps;
    }

    /// Adds the steps that wait to a checkpoint, and what was remembered before them.
    pub(super) fn save(&self, checkpoint: &mut Checkpoint) {
        self.collector.save("switch.global", checkpoint);
        let size = self.memory.len();
        checkpoint.put_f32("switch.global.memory", &[size], self.memory.clone());
    }

    /// What [`save`](Self::save) added.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`].
    pub(super) fn read(
        &self,
        checkpoint: &Checkpoint,
    ) -> Result<(Collector, Vec<f32>), LearnError> {
        let name = "switch.global.memory";
        match checkpoint.tensors.get(name).map(|saved| &saved.values) {
            Some(Values::F32(memory)) => {
                Ok((self.collector.load("switch.global", checkpoint)?, memory.clone()))
            }
            _ => Err(LearnError::Checkpoint(format!("`{name}` is missing"))),
        }
    }
}
