//! PSRO in an environment: policies that the scenario's agent learns, payoffs from episodes.
//!
//! A response is learned by an ordinary learner in a world of its own: it plays one agent's part and takes the others
//! for a piece of the environment, in which each episode of each lane is against policies drawn anew.

use std::sync::Arc;

use gambol_agents::learner::{Checkpoint, LearnError, Learner};
use gambol_agents::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};
use gambol_agents::rollout::Rollout;
use gambol_agents::{Agent, AgentFactory, scripted};
use gambol_envs::batch::{Buffers, Outbox};
use gambol_envs::seed::{Purpose, Streams, pick, unit_f64};
use gambol_envs::spec::{EnvSpec, Payoff};
use gambol_solvers::psro::{Oracle, PayoffSource, Response, Task, WorldError};
use gambol_solvers::tree::Moments;
use rand::Rng;
use serde::Deserialize;

use super::Kept;
use crate::plan::{Arena, Player};

/// How responses are learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learn {
    /// Environment steps of one response, at least 1.
    pub steps: u64,
    /// Whether a response starts from the policy of its population that does best against the same opponents, with the
    /// optimiser as it was then.
    #[serde(default)]
    pub warm: bool,
    /// Whether policies play their best action instead of a drawn one.
    #[serde(default)]
    pub greedy: bool,
    /// Weight of the variance of an episode's return in what is learned, >= 0, in one over payoff; 0.
    ///
    /// The last reward of an episode is changed so that episodes are worth `R - variance (R^2 - 2 y R)`, with `y` the
    /// mean return of the last rollout: by Fenchel duality its maximum over `y` is mean minus variance times weight.
    #[serde(default)]
    pub variance: f64,
    /// Whether joint choices of the others with negative weights (see `target: RiskAverse`) are left out, instead of
    /// counting episodes against them negatively.
    #[serde(default)]
    pub clip: bool,
}

impl Learn {
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.steps == 0 {
            problems.push(("responses", "steps 0, it must be at least 1".to_owned()));
        }
        if !(self.variance >= 0.0 && self.variance.is_finite()) {
            let why = format!("variance {}, it must be finite and not negative", self.variance);
            problems.push(("responses", why));
        }
        problems
    }
}

/// A policy of a population.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Learned {
    /// Every action equally often.
    Random,
    /// One action, whatever is seen.
    Constant(u16),
    /// What a learner left.
    Parameters {
        /// What it acts by.
        parameters: Arc<Checkpoint>,
        /// All of it, where responses start from earlier ones.
        learner: Option<Arc<Checkpoint>>,
    },
}

impl Learned {
    /// The policy without what only learning needs.
    pub(super) fn without_learner(&self) -> Self {
        match self {
            Self::Parameters { parameters, .. } => {
                Self::Parameters { parameters: Arc::clone(parameters), learner: None }
            }
            other => other.clone(),
        }
    }
}

const RANDOM: i64 = -1;
const LEARNED: i64 = -2;

impl Kept for Learned {
    fn put(&self, prefix: &str, into: &mut Checkpoint) {
        let kind = match self {
            Self::Random => RANDOM,
            Self::Constant(action) => i64::from(*action),
            Self::Parameters { parameters, learner } => {
                into.put_part(&format!("{prefix}.parameters"), (**parameters).clone());
                if let Some(learner) = learner {
                    into.put_part(&format!("{prefix}.learner"), (**learner).clone());
                }
                LEARNED
            }
        };
        into.put_i64(format!("{prefix}.kind"), vec![kind]);
    }

    fn get(prefix: &str, from: &Checkpoint) -> Result<Self, LearnError> {
        let part = |name: &str| {
            let part = from.part(&format!("{prefix}.{name}"));
            (!part.tensors.is_empty()).then(|| Arc::new(part))
        };
        let damaged = || LearnError::Checkpoint(format!("`{prefix}` is no policy"));
        match *from.i64(&format!("{prefix}.kind"))? {
            [RANDOM] => Ok(Self::Random),
            [LEARNED] => Ok(Self::Parameters {
                parameters: part("parameters").ok_or_else(damaged)?,
                learner: part("learner"),
            }),
            [action] => Ok(Self::Constant(u16::try_from(action).map_err(|_| damaged())?)),
            _ => Err(damaged()),
        }
    }
}

/// Plays one action.
#[derive(Clone)]
struct Constant(u16);

impl Policy for Constant {
    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let action = self.0;
        view.choose_discrete(rngs, actions, |_, _| Ok(action))
    }

    fn fork(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

/// The scenario's environment with its agent, as one agent sees it.
pub(super) struct World<'a> {
    pub(super) arena: &'a Arena,
    pub(super) player: &'a Player,
    pub(super) learn: Learn,
    /// The environment's facts for one agent.
    solo: EnvSpec,
}

/// Streams of their own for an address of others: an environment and its learner use all purposes themselves.
pub(super) fn derived(streams: Streams, purpose: Purpose, lane: u32, episode: u32) -> Streams {
    Streams::new(streams.at(purpose, lane, episode).next_u64())
}

/// What is seen by one player of every lane, cut out of the batch.
#[derive(Default)]
struct Cut {
    observations: Vec<f32>,
    masks: Vec<bool>,
}

impl Cut {
    fn take(&mut self, buffers: &Buffers, player: usize, agents: usize, obs: usize, mask: usize) {
        own_rows(&buffers.observations, player, agents, obs, &mut self.observations);
        own_rows(&buffers.masks, player, agents, mask, &mut self.masks);
    }

    fn view<'a>(&'a self, started: &'a [bool]) -> View<'a> {
        View {
            envs: started.len(),
            agents: 1,
            observations: &self.observations,
            masks: &self.masks,
            state: &[],
            started,
        }
    }
}

/// The rows of one agent out of `[envs, agents, size]`.
fn own_rows<T: Copy>(all: &[T], player: usize, agents: usize, size: usize, own: &mut Vec<T>) {
    own.clear();
    if size > 0 {
        for row in all.chunks_exact(size).skip(player).step_by(agents) {
            own.extend_from_slice(row);
        }
    }
}

/// One agent's actions in a joint action.
fn put_actions(
    all: &mut ActionBuffer,
    own: &ActionBuffer,
    player: usize,
    (envs, agents): (usize, usize),
    lanes: impl Iterator<Item = usize>,
) {
    match (all, own) {
        (ActionBuffer::Discrete(all), ActionBuffer::Discrete(own)) => {
            for lane in lanes {
                all[lane * agents + player] = own[lane];
            }
        }
        (ActionBuffer::Continuous(all), ActionBuffer::Continuous(own)) => {
            // Both are dense: the joint one holds `agents` times as much.
            let size = own.len() / envs.max(1);
            for lane in lanes {
                let to = (lane * agents + player) * size;
                all[to..to + size].copy_from_slice(&own[lane * size..(lane + 1) * size]);
            }
        }
        _ => {}
    }
}

/// Returns and counts of some episodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Played {
    /// `[episodes, agents]`.
    pub(super) returns: Vec<f64>,
    /// `[episodes, tallies]`.
    pub(super) tallies: Vec<f32>,
}

impl<'a> World<'a> {
    pub(super) fn new(arena: &'a Arena, player: &'a Player, learn: Learn) -> Self {
        let solo = EnvSpec {
            agents: 1,
            roles: vec!["learner".to_owned()],
            payoff: Payoff::General,
            // The others' part of the state is not the learner's to see.
            state: 0,
            tallies: Vec::new(),
            ..arena.spec.clone()
        };
        Self { arena, player, learn, solo }
    }

    fn policy(
        &self,
        learned: &Learned,
        envs: usize,
        streams: Streams,
    ) -> Result<Box<dyn Policy>, WorldError> {
        match learned {
            Learned::Constant(action) => Ok(Box::new(Constant(*action))),
            Learned::Random => {
                let setting = self.player.setting_of(&self.solo, envs, streams);
                let masked = self.solo.action.actions().is_some();
                match (scripted::Random { masked }).build(&setting)? {
                    Agent::Policy(policy) => Ok(policy),
                    Agent::Learner(_) => Err("the random agent learns".into()),
                }
            }
            Learned::Parameters { parameters, .. } => {
                let setting = self.player.setting_of(&self.solo, envs, streams);
                Ok(self.player.factory.frozen(&setting, parameters, self.learn.greedy)?)
            }
        }
    }

    /// One episode a lane, lane `n` being episode `first + n`; `policies` has one for each player.
    pub(super) fn episodes(
        &self,
        policies: &[&Learned],
        streams: Streams,
        first: u64,
        count: u64,
    ) -> Result<Played, WorldError> {
        let spec = &self.arena.spec;
        let (agents, obs, mask) = (spec.agents, spec.observation.size(), spec.action.mask_size());
        let envs = usize::try_from(count)?;
        let lanes = u32::try_from(first)?..u32::try_from(first + count)?;
        let mut env = self.arena.env.build(lanes.clone(), self.arena.shard, streams)?;
        let mut seats = Vec::with_capacity(agents);
        for (player, policy) in policies.iter().enumerate() {
            let own = derived(streams, Purpose::Policy, player as u32, 0);
            let rngs = LaneRngs::new(own, Purpose::Evaluate, lanes.start, envs);
            seats.push((self.policy(policy, envs, own)?, rngs));
        }
        let mut buffers = Buffers::new(spec, envs);
        let mut joint = ActionBuffer::new(spec, envs);
        let mut own = ActionBuffer::new(&self.solo, envs);
        let mut cut = Cut::default();
        let mut started = vec![true; envs];
        let mut over = vec![false; envs];
        let mut played = Played {
            returns: vec![0.0; envs * agents],
            tallies: vec![0.0; envs * spec.tallies.len()],
        };
        env.reset(0, buffers.outbox())?;
        while over.contains(&false) {
            for (player, (policy, rngs)) in seats.iter_mut().enumerate() {
                rngs.begin(&started);
                cut.take(&buffers, player, agents, obs, mask);
                policy.act(&cut.view(&started), rngs, &mut own)?;
                put_actions(&mut joint, &own, player, (envs, agents), 0..envs);
            }
            let out = Outbox { last_state: &mut [], state: &mut [], ..buffers.outbox() };
            env.step(joint.as_actions(), out)?;
            for lane in 0..envs {
                started[lane] = buffers.ends[lane].is_over();
                if over[lane] {
                    continue;
                }
                let rewards = &buffers.rewards[lane * agents..(lane + 1) * agents];
                let sums = &mut played.returns[lane * agents..(lane + 1) * agents];
                for (sum, reward) in sums.iter_mut().zip(rewards) {
                    *sum += f64::from(*reward);
                }
                over[lane] = started[lane];
                if over[lane] {
                    let width = spec.tallies.len();
                    let place = lane * width..(lane + 1) * width;
                    played.tallies[place.clone()].copy_from_slice(&buffers.tallies[place]);
                }
            }
        }
        Ok(played)
    }
}

impl PayoffSource for World<'_> {
    type Policy = Learned;

    fn players(&self) -> usize {
        self.arena.spec.agents
    }

    fn play(
        &self,
        policies: &[&Learned],
        streams: Streams,
        cell: u32,
        first: u64,
        count: u64,
    ) -> Result<Vec<f64>, WorldError> {
        let streams = derived(streams, Purpose::Payoff, cell, 0);
        Ok(self.episodes(policies, streams, first, count)?.returns)
    }

    fn moments(&self, _policies: &[&Learned]) -> Option<Moments> {
        None
    }
}

/// Learns responses in a world.
pub(super) struct Learning<'a>(pub(super) &'a World<'a>);

/// Another player's seat: which of its policies plays in each lane, and all that may.
struct Seat {
    player: usize,
    policies: Vec<(usize, Box<dyn Policy>, LaneRngs)>,
}

/// A world in which a learner plays one part.
struct Solo<'a> {
    world: &'a World<'a>,
    player: usize,
    env: Box<dyn gambol_envs::batch::BatchEnv>,
    buffers: Buffers,
    joint: ActionBuffer,
    seats: Vec<Seat>,
    /// Joint choices of the others: share, whether returns count negatively, policies.
    choices: Vec<(f64, f32, Vec<usize>)>,
    /// `[envs]`: the choice of each lane's episode.
    chosen: Vec<usize>,
    draws: LaneRngs,
    started: Vec<bool>,
    /// `[envs]`: return so far.
    running: Vec<f64>,
    /// Mean of the returns of the last rollout, and what this one has.
    mean: f64,
    ended: (f64, f64),
}

impl Oracle<Learned> for Learning<'_> {
    fn respond(&mut self, task: &Task<'_, Learned>) -> Result<Response<Learned>, WorldError> {
        let (world, learn) = (self.0, self.0.learn);
        let streams = derived(task.streams, Purpose::Learn, task.call, 0);
        let envs = world.arena.envs as usize;
        let setting = world.player.setting_of(&world.solo, envs, streams);
        let Agent::Learner(mut learner) = world.player.factory.build(&setting)? else {
            return Err("the agent does not learn".into());
        };
        let role = task.roles[task.player];
        if learn.warm
            && let Learned::Parameters { learner: Some(saved), .. } =
                &task.populations[role][task.start]
        {
            warm(learner.as_mut(), saved)?;
        }
        let mut solo = Solo::new(world, task, streams)?;
        let mut rollout = Rollout::new(&world.solo, envs, learner.rollout_steps());
        let mut actions = ActionBuffer::new(&world.solo, envs);
        let mut rngs = LaneRngs::new(streams, Purpose::Explore, 0, envs);
        solo.reset(&mut rollout)?;
        let mut steps = 0;
        while steps < learn.steps {
            for t in 0..rollout.capacity() {
                let view = rollout.view(t);
                rngs.begin(view.started);
                learner.act(&view, &mut rngs, &mut actions)?;
                rollout.put_actions(t, &actions);
                solo.step(&actions, &mut rollout, t)?;
            }
            steps += rollout.capacity() as u64 * envs as u64;
            learner.learn(&rollout)?;
            rollout.carry_on();
            solo.turn();
        }
        let parameters = Arc::new(learner.parameters()?);
        let learner = if learn.warm { Some(Arc::new(learner.save()?)) } else { None };
        Ok(Response { policy: Learned::Parameters { parameters, learner }, value: None, steps })
    }
}

/// Starts from another learner, with schedules from their beginning.
fn warm(learner: &mut dyn Learner, saved: &Checkpoint) -> Result<(), WorldError> {
    let mut from = saved.clone();
    let fresh = learner.save()?;
    // Counters decide where schedules stand.
    if let Some(counters) = fresh.tensors.get("counters") {
        from.tensors.insert("counters".to_owned(), counters.clone());
    }
    learner.load(&from)?;
    Ok(())
}

impl<'a> Solo<'a> {
    fn new(
        world: &'a World<'a>,
        task: &Task<'_, Learned>,
        streams: Streams,
    ) -> Result<Self, WorldError> {
        let (arena, player) = (world.arena, task.player);
        let envs = arena.envs as usize;
        let counted = |weight: f64| if world.learn.clip { weight.max(0.0) } else { weight };
        let total: f64 = task.opponents.iter().map(|one| counted(one.weight).abs()).sum();
        if total <= 0.0 {
            return Err("no opponent counts".into());
        }
        let choices: Vec<(f64, f32, Vec<usize>)> = task
            .opponents
            .iter()
            .map(|one| {
                let weight = counted(one.weight);
                let sign = if weight < 0.0 { -1.0 } else { 1.0 };
                (weight.abs() / total, sign, one.policies.clone())
            })
            .filter(|(share, ..)| *share > 0.0)
            .collect();
        let mut seats = Vec::new();
        for other in (0..arena.spec.agents).filter(|&other| other != player) {
            let mut places: Vec<usize> = choices.iter().map(|(.., choice)| choice[other]).collect();
            places.sort_unstable();
            places.dedup();
            let mut policies = Vec::new();
            for place in places {
                let own = derived(streams, Purpose::Policy, other as u32, place as u32);
                let policy =
                    world.policy(&task.populations[task.roles[other]][place], envs, own)?;
                policies.push((place, policy, LaneRngs::new(own, Purpose::Policy, 0, envs)));
            }
            seats.push(Seat { player: other, policies });
        }
        Ok(Self {
            world,
            player,
            env: arena.env.build(0..arena.envs, arena.shard, streams)?,
            buffers: Buffers::new(&arena.spec, envs),
            joint: ActionBuffer::new(&arena.spec, envs),
            seats,
            choices,
            chosen: vec![0; envs],
            draws: LaneRngs::new(streams, Purpose::Payoff, 0, envs),
            started: vec![true; envs],
            running: vec![0.0; envs],
            mean: 0.0,
            ended: (0.0, 0.0),
        })
    }

    /// Draws whom every lane plays against that begins an episode.
    fn draw(&mut self) {
        self.draws.begin(&self.started);
        let shares: Vec<f64> = self.choices.iter().map(|(share, ..)| *share).collect();
        for (lane, _) in self.started.iter().enumerate().filter(|(_, started)| **started) {
            self.chosen[lane] = pick(&shares, unit_f64(self.draws.lane(lane)));
        }
    }

    fn reset(&mut self, rollout: &mut Rollout) -> Result<(), WorldError> {
        self.env.reset(0, self.buffers.outbox())?;
        self.draw();
        let (agents, obs, mask) = self.sizes();
        let first = rollout.first();
        copy_own(&self.buffers.observations, self.player, agents, obs, first.observations);
        copy_own(&self.buffers.masks, self.player, agents, mask, first.masks);
        Ok(())
    }

    fn sizes(&self) -> (usize, usize, usize) {
        let spec = &self.world.arena.spec;
        (spec.agents, spec.observation.size(), spec.action.mask_size())
    }

    fn step(
        &mut self,
        actions: &ActionBuffer,
        rollout: &mut Rollout,
        t: usize,
    ) -> Result<(), WorldError> {
        let (agents, obs, mask) = self.sizes();
        let envs = self.started.len();
        put_actions(&mut self.joint, actions, self.player, (envs, agents), 0..envs);
        let mut cut = Cut::default();
        let mut own = ActionBuffer::new(&self.world.solo, envs);
        for seat in &mut self.seats {
            cut.take(&self.buffers, seat.player, agents, obs, mask);
            for (place, policy, rngs) in &mut seat.policies {
                // All lanes, so that a policy's memory stays in step; only its own lanes hear it.
                rngs.begin(&self.started);
                policy.act(&cut.view(&self.started), rngs, &mut own)?;
                let lanes = (0..envs)
                    .filter(|&lane| self.choices[self.chosen[lane]].2[seat.player] == *place);
                put_actions(&mut self.joint, &own, seat.player, (envs, agents), lanes);
            }
        }
        self.env.step(self.joint.as_actions(), self.buffers.outbox())?;
        let out = rollout.outbox(t);
        copy_own(&self.buffers.observations, self.player, agents, obs, out.observations);
        copy_own(&self.buffers.masks, self.player, agents, mask, out.masks);
        copy_own(&self.buffers.last_observations, self.player, agents, obs, out.last_observations);
        copy_own(&self.buffers.last_masks, self.player, agents, mask, out.last_masks);
        for lane in 0..envs {
            let end = self.buffers.ends[lane];
            let sign = self.choices[self.chosen[lane]].1;
            let mut reward = sign * self.buffers.rewards[lane * agents + self.player];
            self.running[lane] += f64::from(reward);
            if end.is_over() {
                let value = self.running[lane];
                let weight = self.world.learn.variance;
                reward -= (weight * (value * value - 2.0 * self.mean * value)) as f32;
                self.ended.0 += value;
                self.ended.1 += 1.0;
                self.running[lane] = 0.0;
            }
            out.rewards[lane] = reward;
            out.ends[lane] = end;
            self.started[lane] = end.is_over();
        }
        self.draw();
        rollout.finish(t);
        Ok(())
    }

    /// Between two rollouts: the mean return that the variance is taken around moves on.
    fn turn(&mut self) {
        let (sum, count) = std::mem::take(&mut self.ended);
        if count > 0.0 {
            self.mean = sum / count;
        }
    }
}

/// As [`own_rows`], into a slice that is there.
fn copy_own<T: Copy>(all: &[T], player: usize, agents: usize, size: usize, own: &mut [T]) {
    if size > 0 {
        let rows = all.chunks_exact(size).skip(player).step_by(agents);
        for (to, from) in own.chunks_exact_mut(size).zip(rows) {
            to.copy_from_slice(from);
        }
    }
}
