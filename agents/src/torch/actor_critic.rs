//! The core of all actor-critic learners: collecting, advantages, updates, checkpoints. A learner differs by what its
//! critic sees and by how often and how far one rollout moves the policy.
//!
//! The value of every moment of a rollout, and of the true last observations of episodes that were cut, comes from one
//! call of the critic; advantages are computed here, in double precision and a fixed order.

use gambol_envs::batch::End;
use gambol_envs::seed::{Purpose, Streams};
use gambol_envs::spec::{EnvSpec, Payoff};
use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor, no_grad};

use super::layers::Window;
use super::learner::{Core, State, Trained};
use super::parameters::{Layout, first_parameters, shrink_head};
use super::policy_gradient::{Deeds, entropies, inputs, parts};
use super::{LearnerPlan, Target, device, download, saved_actor, upload};
use crate::advantage::Estimator;
use crate::choice::Choice;
use crate::frozen::Actor;
use crate::learner::{Checkpoint, LearnError, Report};
use crate::network::{Form, NetworkConfig, Sharing};
use crate::options::{
    Masks, RewardUse, TimeLimit, counts, discount, discrete_actions, not_negative, positive,
};
use crate::policy::Policy;
use crate::rollout::Rollout;
use crate::schedule::Decay;
use crate::{Agent, AgentError, Setting};

/// How an actor-critic learns, whatever the learner.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActorCritic {
    /// Discount per step, 0 to 1.
    pub gamma: f64,
    /// Adam's learning rate, for actor and critic.
    pub rate: f64,
    /// How it falls in the course of training.
    pub decay: Decay,
    /// Largest norm of the gradient of all parameters; `None` does not cut it.
    pub clip: Option<f64>,
    /// Batch steps of one rollout.
    pub rollout: usize,
    /// How returns are put together.
    pub estimator: Estimator,
    /// Weight of the critic's squared error in the loss.
    pub value_weight: f64,
    /// Weight of the policy's entropy, in nats.
    pub entropy: f64,
    /// How a second critic, whose values returns are made of, follows the first, as `EPyMARL` does with `Soft(0.01)` or
    /// `Hard(200)`; with `None` there is only one.
    pub target: Option<Target>,
    /// Which reward is learned from.
    pub reward: RewardUse,
    /// Whether rewards are brought to mean 0 and deviation 1 by running figures, as `EPyMARL` does.
    pub standardise_rewards: bool,
    /// Whether the advantages of a rollout are brought to mean 0 and deviation 1; `EPyMARL` does not.
    pub standardise_advantages: bool,
    /// What follows the time limit.
    pub time_limit: TimeLimit,
    /// Whether action masks count.
    pub masks: Masks,
    /// Whether actions are drawn from the policy also where the greedy ones are asked for, as `EPyMARL` tests.
    pub always_draw: bool,
}

impl Default for ActorCritic {
    fn default() -> Self {
        Self {
            gamma: 0.99,
            rate: 5e-4,
            decay: Decay::default(),
            clip: Some(0.5),
            rollout: 16,
            estimator: Estimator::default(),
            value_weight: 0.5,
            entropy: 0.01,
            target: None,
            reward: RewardUse::default(),
            standardise_rewards: false,
            standardise_advantages: true,
            time_limit: TimeLimit::default(),
            masks: Masks::default(),
            always_draw: false,
        }
    }
}

impl ActorCritic {
    fn check(&self, spec: &EnvSpec, problems: &mut Vec<String>) {
        const PREFIX: &str = "learning.";
        let Self { gamma, rate, clip, value_weight, entropy, rollout, .. } = *self;
        discount(PREFIX, gamma, problems);
        positive(PREFIX, &[("rate", Some(rate)), ("clip", clip)], problems);
        not_negative(PREFIX, &[("value_weight", value_weight), ("entropy", entropy)], problems);
        counts(PREFIX, &[("rollout", rollout, 1 << 20)], problems);
        self.estimator.check("learning.estimator", problems);
        if let Some(target) = self.target {
            target.check("learning.target", problems);
        }
        self.decay.check("learning.decay", problems);
        self.reward.check("learning.reward", spec, problems);
    }
}

/// What the critic sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Critic {
    /// The agent's own observation.
    Own,
    /// The global state.
    Central,
}

/// How a rollout moves the policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Passes {
    /// Times that the whole rollout is gone through.
    pub(super) epochs: usize,
    /// Parts of one such time, each an update.
    pub(super) minibatches: usize,
    /// How far the probability of an action may move from what it was, as a share; `None` takes the plain policy
    /// gradient, for a single update.
    pub(super) ratio: Option<f64>,
}

/// The configuration of one actor-critic learner.
#[derive(Clone, Debug)]
pub(super) struct Plan<'a> {
    pub(super) name: &'static str,
    pub(super) network: &'a NetworkConfig,
    pub(super) learning: &'a ActorCritic,
    pub(super) critic: Critic,
    pub(super) passes: Passes,
}

impl Plan<'_> {
    /// The forms of actor and critic.
    fn forms(&self, spec: &EnvSpec) -> Result<[Form; 2], AgentError> {
        let mut problems = Vec::new();
        self.network.check(&mut problems);
        self.learning.check(spec, &mut problems);
        let Passes { epochs, minibatches, ratio } = self.passes;
        let most = 1 << 16;
        counts("", &[("epochs", epochs, most), ("minibatches", minibatches, most)], &mut problems);
        if let Some(ratio) = ratio
            && !(ratio > 0.0 && ratio < 1.0)
        {
            problems.push(format!("`ratio`: {ratio}, it must be between 0 and 1"));
        }
        let actions = discrete_actions(self.name, spec, &mut problems);
        if self.critic == Critic::Central && spec.state == 0 {
            problems.push(format!("`{}` needs a global state, {} has none", self.name, spec.name));
        }
        if !problems.is_empty() {
            return Err(AgentError { problems });
        }
        let (agents, obs) = (spec.agents, spec.observation.size());
        let seen = if self.critic == Critic::Central { spec.state } else { obs };
        let critic = Form { recurrent: false, ..self.network.form(agents, seen, 1) };
        Ok([self.network.form(agents, obs, actions), critic])
    }

    fn masked(&self) -> bool {
        self.learning.masks == Masks::Use
    }
}

/// How actions are chosen.
fn choice(learning: &ActorCritic, greedy: bool) -> Choice {
    Choice::by_policy(greedy && !learning.always_draw)
}

impl LearnerPlan for Plan<'_> {
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        PolicyLearner::agent(self, self.forms(setting.spec)?, setting)
    }

    fn frozen(
        &self,
        spec: &EnvSpec,
        parameters: &Checkpoint,
        greedy: bool,
    ) -> Result<Box<dyn Policy>, AgentError> {
        let [form, _] = self.forms(spec)?;
        let choice = choice(self.learning, greedy);
        Ok(Box::new(saved_actor(form, parameters, spec, self.masked(), choice)?))
    }
}

/// An actor-critic learner without what [`Trained`] keeps.
#[derive(Debug)]
struct PolicyLearner {
    learning: ActorCritic,
    critic: Critic,
    passes: Passes,
    layout: Layout,
    forms: [Form; 2],
    identify: bool,
    common: bool,
    state: usize,
    actions: usize,
    streams: Streams,
    device: tch::Device,
    /// Environment steps that training will make in all.
    total_steps: u64,
}

/// A rollout as the updates see it; the agent is the slowest index.
struct Data {
    deeds: Deeds,
    /// `[agents, rows, ..]`: what the critic sees.
    seen: Tensor,
    /// `[agents, rows]`.
    advantages: Tensor,
    /// `[agents, rows]`.
    returns: Tensor,
}

impl Data {
    /// The rows of these numbers; with memory they are those of the numbered lanes.
    fn part(&self, rows: &Tensor, lanes: &Tensor) -> Result<Self, TchError> {
        let part = |tensor: &Tensor| tensor.f_index_select(1, rows);
        Ok(Self {
            deeds: self.deeds.part(rows, lanes)?,
            seen: part(&self.seen)?,
            advantages: part(&self.advantages)?,
            returns: part(&self.returns)?,
        })
    }
}

/// Parts of a loss, for the report.
struct Loss {
    whole: Tensor,
    policy: Tensor,
    value: Tensor,
    entropy: Tensor,
}

impl PolicyLearner {
    fn agent(
        plan: &Plan<'_>,
        forms: [Form; 2],
        setting: &Setting<'_>,
    ) -> Result<Agent, AgentError> {
        let Setting { spec, streams, .. } = *setting;
        let device = device(setting.device)?;
        let learning = plan.learning.clone();
        let [form, critic] = &forms;
        let mut flat = first_parameters(form, &mut streams.at(Purpose::Init, 0, 0));
        // All actions alike at first, however large the numbers that are seen.
        shrink_head(form, &mut flat);
        let actor = Actor::new(form.clone(), spec, plan.masked(), choice(&learning, false))?;
        flat.extend(first_parameters(critic, &mut streams.at(Purpose::Init, 1, 0)));
        let (descent, with_target) = ((learning.rate, learning.clip), learning.target.is_some());
        let core = Self {
            critic: plan.critic,
            passes: plan.passes,
            layout: Layout::new(forms.to_vec()),
            identify: plan.network.sharing == Sharing::Shared,
            common: spec.payoff == Payoff::Common,
            state: spec.state,
            actions: spec.action.mask_size(),
            streams,
            device,
            total_steps: setting.total_steps,
            forms,
            learning,
        };
        Trained::agent(core, actor, &flat, with_target, descent, device)
    }

    /// The rewards that are learned from, `[steps, envs, agents]`.
    fn learned_rewards(&self, state: &mut State, rollout: &Rollout) -> Vec<f32> {
        let mut rewards = rollout.rewards[..rollout.steps * rollout.rows()].to_vec();
        if self.learning.reward == RewardUse::Team && !self.common {
            for team in rewards.chunks_exact_mut(rollout.agents) {
                let sum = team.iter().sum();
                team.fill(sum);
            }
        }
        if self.learning.standardise_rewards {
            state.rewards.merge(&rewards);
            state.rewards.apply(&mut rewards);
        }
        rewards
    }

    /// The critic's values of rows, `[agents, rows]`, by these parameters.
    fn values(&self, tensors: &[Tensor], seen: &Tensor) -> Result<Vec<f32>, TchError> {
        download(&self.layout.network(1, tensors).forward(seen)?)
    }

    fn data(
        &self,
        state: &mut State,
        rollout: &Rollout,
        memory: &[f32],
    ) -> Result<Data, LearnError> {
        let Rollout { steps, envs, agents, obs, .. } = *rollout;
        let (size, width) = (steps * envs, self.state);
        let bootstrap = self.learning.time_limit == TimeLimit::Bootstrap;
        // Steps that the time limit cut; their last moments stand behind all others.
        let cut: Vec<usize> =
            (0..size).filter(|&step| bootstrap && rollout.ends[step] == End::Truncated).collect();
        let moments = size + envs;
        let whole = moments + cut.len();
        let observation = |row: usize, agent: usize| {
            let (all, row) = if row < moments {
                (&rollout.observations, row)
            } else {
                (&rollout.last_observations, cut[row - moments])
            };
            &all[(row * agents + agent) * obs..][..obs]
        };
        let observations = inputs(agents, whole, self.identify, self.device, observation)?;
        let seen = match self.critic {
            Critic::Own => observations.shallow_clone(),
            Critic::Central => inputs(agents, whole, self.identify, self.device, |row, _| {
                let (all, row) = if row < moments {
                    (&rollout.state, row)
                } else {
                    (&rollout.last_state, cut[row - moments])
                };
                &all[row * width..][..width]
            })?,
        };
        let (own, following) = no_grad(|| -> Result<_, TchError> {
            let own = self.values(&state.online.parts, &seen)?;
            let following = state.target.as_ref().map(|target| self.values(&target.parts, &seen));
            Ok((own, following.transpose()?))
        })?;
        let following = following.as_ref().unwrap_or(&own);
        let rewards = self.learned_rewards(state, rollout);
        let mut returns = vec![0.0_f32; agents * size];
        let mut advantages = returns.clone();
        let (mut lane, mut values) = (vec![0.0; steps], vec![0.0; steps + 1]);
        let (mut ended, mut out) = (vec![None; steps], vec![0.0; steps]);
        for agent in 0..agents {
            // What followed each step that was cut; 0 after all others.
            let mut after = vec![0.0; size];
            for (last, &step) in (moments..).zip(&cut) {
                after[step] = f64::from(following[agent * whole + last]);
            }
            for env in 0..envs {
                for t in 0..=steps {
                    values[t] = f64::from(following[agent * whole + t * envs + env]);
                }
                for t in 0..steps {
                    let step = t * envs + env;
                    lane[t] = f64::from(rewards[step * agents + agent]);
                    ended[t] = rollout.ends[step].is_over().then_some(after[step]);
                }
                self.learning.estimator.returns(
                    self.learning.gamma,
                    &lane,
                    &values,
                    &ended,
                    &mut out,
                );
                for (t, &value) in out.iter().enumerate() {
                    let step = t * envs + env;
                    returns[agent * size + step] = value as f32;
                    advantages[agent * size + step] =
                        (value - f64::from(own[agent * whole + step])) as f32;
                }
            }
        }
        if self.learning.standardise_advantages {
            standardise(&mut advantages);
        }
        let (count, rows) = (agents as i64, size as i64);
        let window = Window::new(
            &self.forms[0],
            agents,
            envs,
            &rollout.started[..size],
            memory,
            self.device,
        )?;
        let all: Vec<usize> = (0..size).collect();
        let done = observations.f_narrow(1, 0, rows)?.f_contiguous()?;
        let masked = self.learning.masks == Masks::Use;
        let online = (&self.layout, &state.online.parts[..]);
        Ok(Data {
            deeds: Deeds::new(rollout, &all, done, window, masked, online)?,
            seen: seen.f_narrow(1, 0, rows)?.f_contiguous()?,
            advantages: upload(&advantages, &[count, rows], self.device)?,
            returns: upload(&returns, &[count, rows], self.device)?,
        })
    }

    fn loss(&self, tensors: &[Tensor], data: &Data) -> Result<Loss, TchError> {
        let all = data.deeds.log_probabilities(&self.layout, tensors)?;
        let log = data.deeds.log_taken(&all)?;
        let gain = match self.passes.ratio {
            Some(share) => {
                let ratio = log.f_sub(&data.deeds.before)?.f_exp()?;
                let free = ratio.f_mul(&data.advantages)?;
                let cut = ratio.f_clamp(1.0 - share, 1.0 + share)?.f_mul(&data.advantages)?;
                free.f_minimum(&cut)?
            }
            None => log.f_mul(&data.advantages)?,
        };
        let policy = gain.f_mean(Kind::Float)?.f_neg()?;
        let entropy = entropies(&all)?.f_mean(Kind::Float)?;
        let values = self.layout.network(1, tensors).forward(&data.seen)?.f_squeeze_dim(-1)?;
        let value = values.f_sub(&data.returns)?.f_square()?.f_mean(Kind::Float)?;
        let whole = policy
            .f_add(&value.f_mul_scalar(self.learning.value_weight)?)?
            .f_sub(&entropy.f_mul_scalar(self.learning.entropy)?)?;
        Ok(Loss { whole, policy, value, entropy })
    }
}

impl Core for PolicyLearner {
    fn rollout_steps(&self) -> usize {
        self.learning.rollout
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn networks(&self) -> Vec<(String, &Form)> {
        ["agent", "critic"].map(str::to_owned).into_iter().zip(&self.forms).collect()
    }

    fn off_policy(&self) -> bool {
        false
    }

    fn choice(&self, _steps: u64, greedy: bool) -> Choice {
        choice(&self.learning, greedy)
    }

    fn take(&mut self, rollout: &Rollout, memory: &[f32], updates: u64) -> Result<(), LearnError> {
        let obs = self.forms[0].widths[0] - if self.identify { rollout.agents } else { 0 };
        rollout.check(rollout.agents, obs, self.actions, updates)?;
        if self.critic == Critic::Central && rollout.state_size != self.state {
            let (what, expected, found) = ("state length", self.state, rollout.state_size);
            return Err(LearnError::Shape { what, expected, found });
        }
        let expected = rollout.rows() * self.forms[0].memory();
        if !memory.is_empty() && memory.len() != expected {
            return Err(LearnError::Shape { what: "memory", expected, found: memory.len() });
        }
        Ok(())
    }

    fn update(
        &mut self,
        state: &mut State,
        rollout: &Rollout,
        memory: &[f32],
    ) -> Result<Report, LearnError> {
        let data = self.data(state, rollout, memory)?;
        state.adam.rate =
            self.learning.rate * self.learning.decay.at(state.steps, self.total_steps);
        let (mut last, mut norms, first) = (None, 0.0, state.updates);
        let mut step = |state: &mut State, data: &Data| -> Result<(), LearnError> {
            let loss = self.loss(&state.online.parts, data)?;
            let (_, norm) = state.descend(&loss.whole, self.learning.target)?;
            norms += norm;
            last = Some(loss);
            Ok(())
        };
        for _ in 0..self.passes.epochs {
            if self.passes.minibatches == 1 {
                step(state, &data)?;
                continue;
            }
            let remembers = data.deeds.window.remembers();
            let Rollout { steps, envs, .. } = *rollout;
            let (count, steps) = if remembers { (envs, Some(steps)) } else { (steps * envs, None) };
            let minibatches = self.passes.minibatches;
            let parts = parts(self.streams, count, steps, minibatches, state.updates, self.device)?;
            for (rows, lanes) in parts {
                step(state, &data.part(&rows, &lanes)?)?;
            }
        }
        let mut values = vec![("rate", state.adam.rate)];
        if let Some(Loss { policy, value, entropy, .. }) = last {
            for (name, part) in
                [("policy_loss", policy), ("value_loss", value), ("entropy", entropy)]
            {
                values.push((name, part.f_double_value(&[])?));
            }
            values.push(("gradient_norm", norms / (state.updates - first) as f64));
        }
        values.push(("updates", state.updates as f64));
        Ok(Report::of(values))
    }
}

/// Brings numbers to mean 0 and deviation 1.
fn standardise(values: &mut [f32]) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let square = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
    let deviation = (square / count).sqrt() + 1e-8;
    for value in values {
        *value = ((f64::from(*value) - mean) / deviation) as f32;
    }
}
