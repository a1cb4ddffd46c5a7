//! A minimal driver: collect, learn, evaluate. The runner's does the same with records and checkpoints.

use std::collections::BTreeMap;

use gambol_agents::learner::{Checkpoint, LearnError, Learner, Report};
use gambol_agents::policy::{ActionBuffer, LaneRngs, Policy};
use gambol_agents::rollout::Rollout;
use gambol_agents::{Agent, AgentError, AgentFactory, Device, Setting};
use gambol_envs::batch::{BatchEnv, Buffers};
use gambol_envs::foraging::{Foraging, Mode};
use gambol_envs::seed::{Purpose, Streams};
use gambol_envs::{EnvFactory, SHARD};

pub mod chains;
pub mod recall;

/// A learner in training.
pub struct Session {
    pub env: Box<dyn BatchEnv>,
    pub learner: Box<dyn Learner>,
    pub rngs: LaneRngs,
    pub rollout: Rollout,
    pub actions: ActionBuffer,
    pub steps: u64,
}

/// Builds the agent of a task.
pub fn build(
    factory: &dyn AgentFactory,
    env: &dyn EnvFactory,
    seed: u64,
    envs: usize,
) -> Result<Agent, AgentError> {
    build_on(Device::Cpu, factory, env, seed, envs)
}

/// As [`build`], with its tensors there.
pub fn build_on(
    device: Device,
    factory: &dyn AgentFactory,
    env: &dyn EnvFactory,
    seed: u64,
    envs: usize,
) -> Result<Agent, AgentError> {
    let files: BTreeMap<String, Checkpoint> = BTreeMap::new();
    factory.build(&Setting {
        spec: &env.spec().unwrap(),
        envs,
        streams: Streams::new(seed),
        device,
        total_steps: 0,
        files: &files,
    })
}

impl Session {
    pub fn new(factory: &dyn AgentFactory, task: &str, seed: u64, envs: usize) -> Self {
        Self::of(factory, &Foraging::task(task, Mode::Clean), seed, envs)
    }

    /// As [`new`](Self::new), for any environment.
    pub fn of(factory: &dyn AgentFactory, config: &dyn EnvFactory, seed: u64, envs: usize) -> Self {
        let Ok(Agent::Learner(learner)) = build(factory, config, seed, envs) else {
            panic!("{factory:?} is not a learner for {config:?}");
        };
        let streams = Streams::new(seed);
        let mut env = config.build(0..envs as u32, SHARD, streams).unwrap();
        let spec = env.spec().clone();
        let mut rollout = Rollout::new(&spec, envs, learner.rollout_steps());
        env.reset(0, rollout.first()).unwrap();
        let rngs = LaneRngs::new(streams, Purpose::Explore, 0, envs);
        let actions = ActionBuffer::new(&spec, envs);
        Self { env, learner, rngs, rollout, actions, steps: 0 }
    }

    /// Collects one rollout without learning.
    pub fn collect(&mut self) {
        for t in 0..self.rollout.capacity() {
            let view = self.rollout.view(t);
            self.rngs.begin(view.started);
            self.learner.act(&view, &mut self.rngs, &mut self.actions).unwrap();
            self.rollout.put_actions(t, &self.actions);
            self.env.step(self.actions.as_actions(), self.rollout.outbox(t)).unwrap();
            self.rollout.finish(t);
            self.steps += self.rollout.envs as u64;
        }
    }

    /// Collects one rollout and learns from it.
    pub fn advance(&mut self) -> Result<Report, LearnError> {
        self.collect();
        let report = self.learner.learn(&self.rollout)?;
        self.rollout.carry_on();
        Ok(report)
    }
}

/// Mean team return over `episodes` episodes, one in each lane.
pub fn evaluate(
    policy: &mut dyn Policy,
    config: &dyn EnvFactory,
    seed: u64,
    episodes: usize,
) -> f64 {
    let streams = Streams::new(seed ^ 0xe7a1);
    let mut env = config.build(0..episodes as u32, SHARD, streams).unwrap();
    let spec = env.spec().clone();
    let mut buffers = Buffers::new(&spec, episodes);
    env.reset(0, buffers.outbox()).unwrap();
    let mut rngs = LaneRngs::new(streams, Purpose::Evaluate, 0, episodes);
    let mut actions = ActionBuffer::new(&spec, episodes);
    let mut started = vec![true; episodes];
    let (mut over, mut sum) = (vec![false; episodes], 0.0);
    while over.contains(&false) {
        rngs.begin(&started);
        let view = gambol_agents::policy::View {
            envs: episodes,
            agents: spec.agents,
            observations: &buffers.observations,
            masks: &buffers.masks,
            state: &buffers.state,
            started: &started,
        };
        policy.act(&view, &mut rngs, &mut actions).unwrap();
        env.step(actions.as_actions(), buffers.outbox()).unwrap();
        for lane in 0..episodes {
            if !over[lane] {
                let team = &buffers.rewards[lane * spec.agents..(lane + 1) * spec.agents];
                sum += team.iter().map(|&reward| f64::from(reward)).sum::<f64>();
                over[lane] = buffers.ends[lane].is_over();
            }
            started[lane] = buffers.ends[lane].is_over();
        }
    }
    sum / episodes as f64
}
