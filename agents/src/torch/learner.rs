//! What all learners on libtorch have in common: acting through the frozen network, checkpoints, and leaving everything
//! as it was when an update fails. A learner is a [`Core`] in a [`Trained`].

use tch::Tensor;

use super::parameters::{Adam, Layout, Parameters, Target, copy};
use super::{adopt, download, pin_threads};
use crate::choice::Choice;
use crate::frozen::Actor;
use crate::learner::{Checkpoint, LearnError, Learner, Report};
use crate::network::Form;
use crate::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};
use crate::rollout::Rollout;
use crate::standardise::Running;
use crate::{Agent, AgentError};

/// What updates change.
#[derive(Debug)]
pub(super) struct State {
    /// What is learned.
    pub(super) online: Parameters,
    /// What targets are made of, where it differs.
    pub(super) target: Option<Parameters>,
    pub(super) adam: Adam,
    /// Figures of the rewards so far, for learners that standardise them.
    pub(super) rewards: Running,
    /// Environment steps collected.
    pub(super) steps: u64,
    pub(super) updates: u64,
}

impl State {
    /// One update down the gradient of the loss; gives the loss and the gradient's norm.
    pub(super) fn descend(
        &mut self,
        loss: &Tensor,
        follow: Option<Target>,
    ) -> Result<(f64, f64), LearnError> {
        let found = self.adam.step(&mut self.online, loss, self.updates)?;
        self.updates += 1;
        if let (Some(target), Some(how)) = (&mut self.target, follow) {
            how.follow(&mut target.flat, &self.online.flat, self.updates)?;
        }
        Ok(found)
    }

    /// What [`back`](Self::back) needs.
    fn snapshot(&self) -> Result<Snapshot, LearnError> {
        let target = self.target.as_ref().map(|target| copy(&target.flat)).transpose()?;
        let (online, adam) = (copy(&self.online.flat)?, self.adam.duplicate()?);
        let Self { rewards, steps, updates, .. } = *self;
        Ok(Snapshot { online, target, adam, rewards, steps, updates })
    }

    /// Goes back to a snapshot.
    fn back(&mut self, before: Snapshot) -> Result<(), LearnError> {
        self.online.assign(&before.online)?;
        if let (Some(target), Some(before)) = (&mut self.target, &before.target) {
            target.assign(before)?;
        }
        (self.adam, self.rewards) = (before.adam, before.rewards);
        (self.steps, self.updates) = (before.steps, before.updates);
        Ok(())
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), LearnError> {
        let target = self.target.as_ref().map(|target| ("target", target));
        for (name, tensor) in std::iter::once(("online", &self.online)).chain(target) {
            let values = download(&tensor.flat)?;
            checkpoint.put_f32(name, &[values.len()], values);
        }
        self.adam.save("adam", checkpoint)?;
        let rewards = self.rewards.numbers();
        checkpoint.put_f64("rewards", &[rewards.len()], rewards);
        checkpoint.put_i64("counters", vec![self.steps as i64, self.updates as i64]);
        Ok(())
    }

    fn load(&self, layout: &Layout, checkpoint: &Checkpoint) -> Result<Self, LearnError> {
        let (size, device) = (self.online.flat.numel(), self.online.flat.device());
        let read = |name: &str, trained: bool| -> Result<Parameters, LearnError> {
            Ok(Parameters::new(layout, checkpoint.f32(name, &[size])?, trained, device)?)
        };
        let online = read("online", true)?;
        let target = self.target.as_ref().map(|_| read("target", false)).transpose()?;
        let adam = self.adam.load("adam", checkpoint)?;
        let rewards = Running::from_numbers(checkpoint.f64("rewards", &[3])?)
            .ok_or_else(|| LearnError::Checkpoint("`rewards` must have three entries".into()))?;
        let &[steps, updates] = checkpoint.i64("counters")? else {
            return Err(LearnError::Checkpoint("`counters` must have two entries".into()));
        };
        let (steps, updates) = (steps as u64, updates as u64);
        Ok(Self { online, target, adam, rewards, steps, updates })
    }
}

/// What a [`State`] was before an update.
struct Snapshot {
    online: Tensor,
    target: Option<Tensor>,
    adam: Adam,
    rewards: Running,
    steps: u64,
    updates: u64,
}

/// What one kind of learner does of its own.
pub(super) trait Core: std::fmt::Debug + Send + 'static {
    /// Batch steps of one rollout.
    fn rollout_steps(&self) -> usize;

    /// As [`Learner::group`].
    fn group(&self) -> usize {
        1
    }

    /// Where the networks lie in the flat parameters; the first one acts.
    fn layout(&self) -> &Layout;

    /// Names and forms of all networks, in that order.
    fn networks(&self) -> Vec<(String, &Form)>;

    /// Whether it learns from steps whose actions another policy chose.
    fn off_policy(&self) -> bool;

    /// How actions are chosen after so many environment steps.
    fn choice(&self, steps: u64, greedy: bool) -> Choice;

    /// Checks a rollout and stores what is kept of it. `memory` is what the actor remembered before it.
    fn take(&mut self, rollout: &Rollout, memory: &[f32], updates: u64) -> Result<(), LearnError>;

    /// Updates after a rollout that was taken; its steps are counted already.
    fn update(
        &mut self,
        state: &mut State,
        rollout: &Rollout,
        memory: &[f32],
    ) -> Result<Report, LearnError>;

    /// Adds what is kept of rollouts.
    fn save(&self, _checkpoint: &mut Checkpoint) {}

    /// Takes back what [`save`](Self::save) added; on an error nothing has changed.
    fn load(&mut self, _checkpoint: &Checkpoint) -> Result<(), LearnError> {
        Ok(())
    }
}

/// A learner with its whole state.
#[derive(Debug)]
pub(super) struct Trained<C> {
    core: C,
    state: State,
    actor: Actor,
    /// What the actor remembered before the rollout that is under way.
    memory: Vec<f32>,
}

impl<C: Core> Trained<C> {
    /// A learner whose networks begin with these parameters; `actor` is of the first one's form.
    pub(super) fn agent(
        core: C,
        mut actor: Actor,
        flat: &[f32],
        with_target: bool,
        (rate, clip): (f64, Option<f64>),
        device: tch::Device,
    ) -> Result<Agent, AgentError> {
        let wrong = |error: LearnError| AgentError::new(error.to_string());
        actor.fill(&flat[..actor.form().size()]).map_err(wrong)?;
        let state = || -> Result<State, tch::TchError> {
            let parameters = |trained| Parameters::new(core.layout(), flat, trained, device);
            let online = parameters(true)?;
            let target = with_target.then(|| parameters(false)).transpose()?;
            let adam = Adam::new(flat.len(), device, rate, clip, 1e-8)?;
            let rewards = Running::default();
            Ok(State { online, target, adam, rewards, steps: 0, updates: 0 })
        };
        let state = state().map_err(|error| wrong(error.into()))?;
        Ok(Agent::Learner(Box::new(Self { core, state, actor, memory: Vec::new() })))
    }

    /// Hands the parameters to the actor.
    fn refresh(&mut self) -> Result<(), LearnError> {
        let acting = self.state.online.flat.f_narrow(0, 0, self.actor.form().size() as i64)?;
        self.actor.fill(&download(&acting)?)?;
        self.actor.choice = self.core.choice(self.state.steps, false);
        Ok(())
    }
}

impl<C: Core> Policy for Trained<C> {
    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        self.actor.act(view, rngs, actions)
    }

    fn fork(&self) -> Box<dyn Policy> {
        self.actor.fork()
    }

    fn memory(&self) -> Vec<f32> {
        self.actor.memory()
    }

    fn remember(&mut self, memory: &[f32]) {
        memory.clone_into(&mut self.memory);
        self.actor.remember(memory);
    }
}

impl<C: Core> Learner for Trained<C> {
    fn rollout_steps(&self) -> usize {
        self.core.rollout_steps()
    }

    fn group(&self) -> usize {
        self.core.group()
    }

    fn learn(&mut self, rollout: &Rollout) -> Result<Report, LearnError> {
        // This thread need not be the one that built the learner.
        pin_threads(1);
        self.core.take(rollout, &self.memory, self.state.updates)?;
        let before = self.state.snapshot()?;
        let updates = before.updates;
        self.state.steps += (rollout.steps * rollout.envs) as u64;
        match self.core.update(&mut self.state, rollout, &self.memory) {
            Ok(report) => {
                if self.state.updates > updates {
                    self.refresh()?;
                }
                self.actor.choice = self.core.choice(self.state.steps, false);
                self.memory = self.actor.memory();
                Ok(report)
            }
            Err(error) => {
                self.state.back(before)?;
                Err(error)
            }
        }
    }

    fn policy(&self, greedy: bool) -> Result<Box<dyn Policy>, LearnError> {
        Ok(Box::new(self.actor.fresh(self.core.choice(self.state.steps, greedy))))
    }

    fn save(&self) -> Result<Checkpoint, LearnError> {
        let mut checkpoint = Checkpoint::default();
        self.state.save(&mut checkpoint)?;
        self.core.save(&mut checkpoint);
        Ok(checkpoint)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), LearnError> {
        let state = self.state.load(self.core.layout(), checkpoint)?;
        self.core.load(checkpoint)?;
        self.state = state;
        self.refresh()
    }

    fn off_policy(&self) -> bool {
        self.core.off_policy()
    }

    fn adopt(&mut self, parameters: &Checkpoint) -> Result<(), LearnError> {
        adopt(&mut self.state.online.flat, self.actor.form(), parameters)?;
        self.refresh()
    }

    fn parameters(&self) -> Result<Checkpoint, LearnError> {
        let mut checkpoint = Checkpoint::default();
        let flat = download(&self.state.online.flat)?;
        let mut rest = &flat[..];
        for (name, form) in self.core.networks() {
            let (own, others) = rest.split_at(form.size());
            form.write(own, &name, &mut checkpoint);
            rest = others;
        }
        Ok(checkpoint)
    }
}
