//! Acting: the switch decides, then each of the two policies acts in the instances that are its own.

use super::switch::Decider;
use crate::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};

/// Where one of the two policies acts.
///
/// Both draw from the same generators, those of the lanes, and only the one that acts moves them: a switch that never
/// calls leaves the independent policy with the numbers that it would draw alone, one that always calls the
/// centralised one.
#[derive(Clone, Debug, Default)]
pub(super) struct Seat {
    /// Whether the policy remembers anything between steps; not known before it has acted once.
    /// One that does acts for every instance at every moment, so that its memory is of the whole episode; what it
    /// chooses where it is not its turn is thrown away. One that does not acts where it is its turn only.
    remembers: Option<bool>,
    /// What the policy remembered before it acted last; empty for one without memory.
    pub(super) before: Vec<f32>,
    lanes: Vec<usize>,
    observations: Vec<f32>,
    masks: Vec<bool>,
    state: Vec<f32>,
    started: Vec<bool>,
}

/// Room for actions of the same kind, for `part` of `whole` instances.
fn room(like: &ActionBuffer, part: usize, whole: usize) -> ActionBuffer {
    match like {
        ActionBuffer::Discrete(all) => ActionBuffer::Discrete(vec![0; all.len() / whole * part]),
        ActionBuffer::Continuous(all) => {
            ActionBuffer::Continuous(vec![0.0; all.len() / whole * part])
        }
    }
}

/// Copies the actions of one instance.
fn copy(from: &ActionBuffer, source: usize, to: &mut ActionBuffer, target: usize, width: usize) {
    let (source, target) = (source * width, target * width);
    match (from, to) {
        (ActionBuffer::Discrete(from), ActionBuffer::Discrete(to)) => {
            to[target..target + width].copy_from_slice(&from[source..source + width]);
        }
        (ActionBuffer::Continuous(from), ActionBuffer::Continuous(to)) => {
            to[target..target + width].copy_from_slice(&from[source..source + width]);
        }
        // A policy never changes the kind of a buffer.
        _ => {}
    }
}

/// Gathers the rows of some instances.
fn gather<T: Copy>(all: &[T], lanes: &[usize], envs: usize, to: &mut Vec<T>) {
    let size = all.len() / envs.max(1);
    to.clear();
    for &lane in lanes {
        to.extend_from_slice(&all[lane * size..(lane + 1) * size]);
    }
}

impl Seat {
    /// Looks whether a policy that has just acted remembers anything.
    fn look(&mut self, policy: &dyn Policy) {
        if self.remembers.is_none() {
            let size = policy.memory().len();
            self.remembers = Some(size > 0);
            // A memory that has not begun yet is one of zeros.
            self.before.resize(size, 0.0);
        }
    }

    /// Acts where `called` is `turn`.
    pub(super) fn act(
        &mut self,
        policy: &mut dyn Policy,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        (called, turn): (&[bool], bool),
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let envs = view.envs;
        self.lanes.clear();
        self.lanes.extend((0..envs).filter(|&env| called[env] == turn));
        let lanes = &self.lanes;
        if self.remembers != Some(false) {
            self.before = policy.memory();
        }
        if lanes.len() == envs {
            policy.act(view, rngs, actions)?;
            self.look(policy);
            return Ok(());
        }
        let width = match actions {
            ActionBuffer::Discrete(all) => all.len(),
            ActionBuffer::Continuous(all) => all.len(),
        } / envs.max(1);
        if self.remembers != Some(false) {
            let (mut drawn, mut chosen) = (rngs.clone(), room(actions, envs, envs));
            policy.act(view, &mut drawn, &mut chosen)?;
            rngs.put_back(lanes, drawn.pick(lanes));
            for &lane in lanes {
                copy(&chosen, lane, actions, lane, width);
            }
            self.look(policy);
            return Ok(());
        }
        if lanes.is_empty() {
            return Ok(());
        }
        gather(view.observations, lanes, envs, &mut self.observations);
        gather(view.masks, lanes, envs, &mut self.masks);
        gather(view.state, lanes, envs, &mut self.state);
        gather(view.started, lanes, envs, &mut self.started);
        let part = View {
            envs: lanes.len(),
            agents: view.agents,
            observations: &self.observations,
            masks: &self.masks,
            state: &self.state,
            started: &self.started,
        };
        let (mut drawn, mut chosen) = (rngs.pick(lanes), room(actions, lanes.len(), envs));
        policy.act(&part, &mut drawn, &mut chosen)?;
        rngs.put_back(lanes, drawn);
        for (source, &lane) in lanes.iter().enumerate() {
            copy(&chosen, source, actions, lane, width);
        }
        Ok(())
    }
}

/// The numbers of a word, 16 bits each, which a 32-bit float holds exactly.
fn spread(word: u64) -> [f32; 4] {
    [word, word >> 16, word >> 32, word >> 48].map(|part| f32::from(part as u16))
}

fn gathered(parts: &[f32; 4]) -> u64 {
    parts.iter().rev().fold(0, |word, &part| word << 16 | u64::from(part as u16))
}

/// What is remembered of an episode: the switch's part and those of the policies, each after its length.
pub(super) fn memory(decider: &Decider, policies: &[&dyn Policy]) -> Vec<f32> {
    let words: Vec<f32> = decider.words().into_iter().flat_map(spread).collect();
    let others = policies.iter().map(|policy| policy.memory());
    let parts: Vec<Vec<f32>> = std::iter::once(words).chain(others).collect();
    let lengths = parts.iter().flat_map(|part| spread(part.len() as u64));
    lengths.chain(parts.iter().flatten().copied()).collect()
}

/// Takes back what [`memory`] gave; anything else is passed over.
pub(super) fn remember(decider: &mut Decider, policies: &mut [&mut dyn Policy], memory: &[f32]) {
    let count = policies.len() + 1;
    let Some((lengths, mut rest)) = memory.split_at_checked(4 * count) else { return };
    let mut parts = Vec::new();
    for length in lengths.as_chunks::<4>().0 {
        let Some((part, others)) = rest.split_at_checked(gathered(length) as usize) else { return };
        parts.push(part);
        rest = others;
    }
    let words: Vec<u64> = parts[0].as_chunks::<4>().0.iter().map(gathered).collect();
    decider.set_words(&words);
    for (policy, part) in policies.iter_mut().zip(&parts[1..]) {
        policy.remember(part);
    }
}

/// A switch and its two policies, none of which learns.
pub(super) struct Switching {
    pub(super) decider: Decider,
    pub(super) global: Option<Box<dyn Policy>>,
    pub(super) independent: Box<dyn Policy>,
    pub(super) centralised: Box<dyn Policy>,
    seats: [Seat; 2],
}

impl Switching {
    pub(super) fn new(
        mut decider: Decider,
        global: Option<Box<dyn Policy>>,
        independent: Box<dyn Policy>,
        centralised: Box<dyn Policy>,
    ) -> Self {
        decider.purse.pays = false;
        Self { decider, global, independent, centralised, seats: <[Seat; 2]>::default() }
    }
}

impl Policy for Switching {
    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let begun = self.decider.meet(view.envs, rngs)?;
        let global = self.global.as_mut().map(|global| &mut **global as &mut dyn Policy);
        self.decider.decide(view, begun, global)?;
        let called = &self.decider.last.called;
        let [independent, centralised] = &mut self.seats;
        independent.act(&mut *self.independent, view, rngs, (called, false), actions)?;
        centralised.act(&mut *self.centralised, view, rngs, (called, true), actions)
    }

    fn fork(&self) -> Box<dyn Policy> {
        Box::new(Self::new(
            self.decider.fork(),
            self.global.as_ref().map(|global| global.fork()),
            self.independent.fork(),
            self.centralised.fork(),
        ))
    }

    fn memory(&self) -> Vec<f32> {
        let mut policies = vec![&*self.independent, &*self.centralised];
        policies.extend(self.global.as_deref());
        memory(&self.decider, &policies)
    }

    fn remember(&mut self, memory: &[f32]) {
        let mut policies: Vec<&mut dyn Policy> =
            vec![&mut *self.independent, &mut *self.centralised];
        policies.extend(self.global.iter_mut().map(|global| &mut **global as &mut dyn Policy));
        remember(&mut self.decider, &mut policies, memory);
    }

    fn called(&self) -> &[bool] {
        &self.decider.last.called
    }

    fn modes(&self) -> Vec<(&'static str, Box<dyn Policy>)> {
        vec![("independent", self.independent.fork()), ("centralised", self.centralised.fork())]
    }
}
