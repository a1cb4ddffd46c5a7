//! Soft actor-critic for discrete actions (Haarnoja et al. 2018; discrete: Christodoulou 2019, arXiv 1910.07207), every
//! agent for itself: the policy maximises reward and its own entropy, two critics learn the values of all actions.
//!
//! Target `r + gamma sum_b pi(b|o') (min_i Q_i'(o', b) - alpha ln pi(b|o'))`, policy loss
//! `sum_b pi(b|o) (alpha ln pi(b|o) - min_i Q_i(o, b))`, over allowed actions, with the critics' parameters taken as they
//! are. Actor and critics share one optimiser, whose cut of the gradient's norm is for all.

use gambol_envs::registry::Registered;
use gambol_envs::seed::{Purpose, Streams};
use gambol_envs::spec::{EnvSpec, Payoff};
use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor, no_grad};

use super::learner::{Core, State, Trained};
use super::parameters::{Layout, first_parameters, shrink_head};
use super::{LearnerPlan, Planned, Target, device, download, saved_actor, upload, upload_indices};
use crate::choice::Choice;
use crate::frozen::Actor;
use crate::learner::{Checkpoint, LearnError, Report};
use crate::network::{Form, NetworkConfig, Sharing};
use crate::options::{Masks, RewardUse, TimeLimit, discount, positive};
use crate::policy::Policy;
use crate::replay::{Amounts, Batch, Draw, FORBIDDEN, Replay, Sizes, kept_actions};
use crate::rollout::Rollout;
use crate::schedule::Decay;
use crate::{Agent, AgentError, AgentFactory, Setting};

/// What entropy is worth.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Temperature {
    /// Always this much, in units of reward for a nat, at least 0.
    Fixed(f64),
    /// It begins as `first`, above 0, and its logarithm follows the gradient at `rate`, at least 0, so that the mean
    /// entropy becomes `share`, 0 to 1, of the largest that the allowed actions have.
    Entropy {
        /// Share of the largest entropy; near 1 the policy stays almost uniform.
        share: f64,
        /// The first temperature.
        first: f64,
        /// Steps of the logarithm for each nat that is missing, at every update.
        rate: f64,
    },
}

impl Default for Temperature {
    fn default() -> Self {
        Self::Entropy { share: 0.2, first: 0.05, rate: 2e-3 }
    }
}

/// Independent soft actor-critic, as a scenario file configures it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sac {
    /// The agents' networks; both critics have the same form. Recurrent ones are refused.
    pub network: NetworkConfig,
    /// Discount per step, 0 to 1.
    pub gamma: f64,
    /// Adam's learning rate, for actor and critics.
    pub rate: f64,
    /// How it falls in the course of training.
    pub decay: Decay,
    /// Largest norm of the gradient; `None` does not cut it.
    pub clip: Option<f64>,
    /// Joint transitions in one update.
    pub batch: usize,
    /// Joint transitions kept.
    pub replay: usize,
    /// Joint transitions collected before the first update.
    pub warm_up: usize,
    /// Environment steps (all instances counted) for each update.
    pub steps_per_update: usize,
    /// Batch steps collected between two times of learning.
    pub rollout: usize,
    /// How the target critics follow.
    pub target: Target,
    /// What entropy is worth.
    pub temperature: Temperature,
    /// Which reward is learned from.
    pub reward: RewardUse,
    /// What follows the time limit.
    pub time_limit: TimeLimit,
    /// Whether action masks count.
    pub masks: Masks,
}

impl Default for Sac {
    fn default() -> Self {
        Self {
            network: NetworkConfig::default(),
            gamma: 0.99,
            rate: 3e-4,
            decay: Decay::default(),
            clip: Some(10.0),
            batch: 256,
            replay: 100_000,
            warm_up: 2_000,
            steps_per_update: 16,
            rollout: 4,
            target: Target::Soft(0.005),
            temperature: Temperature::default(),
            reward: RewardUse::default(),
            time_limit: TimeLimit::default(),
            masks: Masks::default(),
        }
    }
}

impl Sac {
    fn amounts(&self) -> Amounts {
        let Self { batch, replay, warm_up, steps_per_update, rollout, .. } = *self;
        Amounts { batch, replay, warm_up, steps_per_update, rollout }
    }
}

impl Registered<dyn AgentFactory> for Sac {
    const NAME: &'static str = "Sac";
    const SUMMARY: &'static str = "independent soft actor-critic for discrete actions";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl Planned for Sac {
    fn plan(&self) -> Box<dyn LearnerPlan + '_> {
        Box::new(Plan(self))
    }
}

struct Plan<'a>(&'a Sac);

impl Plan<'_> {
    /// The form of the actor and of both critics.
    fn form(&self, spec: &EnvSpec) -> Result<Form, AgentError> {
        let config = self.0;
        let mut problems = Vec::new();
        config.network.check(&mut problems);
        if config.network.recurrent {
            problems.push("`network.recurrent`: true, but `Sac` learns without memory".to_owned());
        }
        discount("", config.gamma, &mut problems);
        positive("", &[("rate", Some(config.rate)), ("clip", config.clip)], &mut problems);
        let mut within = |field: &str, value: f64, fits: bool, range: &str| {
            if !fits {
                problems.push(format!("`{field}`: {value}, it must be {range}"));
            }
        };
        match config.temperature {
            Temperature::Fixed(value) => {
                let fits = value.is_finite() && value >= 0.0;
                within("temperature", value, fits, "finite and at least 0");
            }
            Temperature::Entropy { share, first, rate } => {
                within("temperature.share", share, (0.0..=1.0).contains(&share), "0 to 1");
                within("temperature.first", first, first.is_finite() && first > 0.0, "positive");
                let fits = rate.is_finite() && rate >= 0.0;
                within("temperature.rate", rate, fits, "finite and at least 0");
            }
        }
        config.amounts().check("", &mut problems);
        config.target.check("target", &mut problems);
        config.decay.check("decay", &mut problems);
        config.reward.check("reward", spec, &mut problems);
        let actions = kept_actions(Sac::NAME, spec, &mut problems);
        if !problems.is_empty() {
            return Err(AgentError { problems });
        }
        Ok(config.network.form(spec.agents, spec.observation.size(), actions))
    }

    fn masked(&self) -> bool {
        self.0.masks == Masks::Use
    }
}

impl LearnerPlan for Plan<'_> {
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        let form = self.form(setting.spec)?;
        let Setting { spec, streams, .. } = *setting;
        let device = device(setting.device)?;
        let config = self.0.clone();
        let sizes = Sizes {
            agents: spec.agents,
            obs: spec.observation.size(),
            actions: spec.action.mask_size(),
            state: 0,
            units: 0,
            window: 1,
            lanes: 1,
        };
        let actor = Actor::new(form.clone(), spec, self.masked(), Choice::by_policy(false))?;
        let mut flat = first_parameters(&form, &mut streams.at(Purpose::Init, 0, 0));
        // All actions alike at first.
        shrink_head(&form, &mut flat);
        for critic in 1..=2 {
            flat.extend(first_parameters(&form, &mut streams.at(Purpose::Init, critic, 0)));
        }
        let descent = (config.rate, config.clip);
        let temperature = match config.temperature {
            Temperature::Fixed(value) => value,
            Temperature::Entropy { first, .. } => first,
        };
        let core = SoftLearner {
            layout: Layout::new(vec![form.clone(); 3]),
            form,
            identify: config.network.sharing == Sharing::Shared,
            common: spec.payoff == Payoff::Common,
            sizes,
            streams,
            device,
            replay: Replay::new(sizes, config.replay).with_masks(),
            temperature,
            total_steps: setting.total_steps,
            batch: Batch::default(),
            config,
        };
        Trained::agent(core, actor, &flat, true, descent, device)
    }

    fn frozen(
        &self,
        spec: &EnvSpec,
        parameters: &Checkpoint,
        greedy: bool,
    ) -> Result<Box<dyn Policy>, AgentError> {
        let form = self.form(spec)?;
        Ok(Box::new(saved_actor(form, parameters, spec, self.masked(), Choice::by_policy(greedy))?))
    }
}

/// The learner without what [`Trained`] keeps.
#[derive(Debug)]
struct SoftLearner {
    config: Sac,
    form: Form,
    layout: Layout,
    identify: bool,
    common: bool,
    sizes: Sizes,
    streams: Streams,
    device: tch::Device,
    replay: Replay,
    temperature: f64,
    /// Environment steps that training will make in all.
    total_steps: u64,
    batch: Batch,
}

/// Parts of a loss, for the report.
struct Loss {
    whole: Tensor,
    policy: Tensor,
    value: Tensor,
    /// Mean entropy of the policy.
    entropy: Tensor,
}

impl SoftLearner {
    fn draw(&mut self, updates: u64) {
        let Self { config, batch, .. } = self;
        // Every update has an address of its own, so that a checkpoint need not hold a position.
        let mut rng = self.streams.at(Purpose::Learn, 0, updates as u32);
        let draw = Draw {
            size: config.batch,
            id: self.identify,
            masked: config.masks == Masks::Use,
            bootstrap_at_limit: config.time_limit == TimeLimit::Bootstrap,
        };
        self.replay.draw(&mut rng, draw, batch);
        if config.reward == RewardUse::Team && !self.common {
            batch.share_rewards();
        }
    }

    /// Network `number` without memory: 0 is the actor, 1 and 2 the critics.
    fn forward(&self, tensors: &[Tensor], number: usize, x: &Tensor) -> Result<Tensor, TchError> {
        self.layout.network(number, tensors).forward(x)
    }

    /// Logarithms of the probabilities of all actions, `[agents, batch, actions]`.
    fn log_policy(
        &self,
        tensors: &[Tensor],
        x: &Tensor,
        masks: Option<&Tensor>,
    ) -> Result<Tensor, TchError> {
        let logits = self.forward(tensors, 0, x)?;
        let logits = masks.map_or(Ok(logits.shallow_clone()), |masks| logits.f_add(masks))?;
        logits.f_log_softmax(-1, Kind::Float)
    }

    fn loss(&self, online: &[Tensor], target: &[Tensor]) -> Result<Loss, TchError> {
        let Self { batch, sizes, device, temperature, .. } = self;
        let (agents, rows, actions) =
            (sizes.agents as i64, batch.rows as i64, sizes.actions as i64);
        let observations = upload(&batch.observations, &[agents, rows, -1], *device)?;
        let next_observations = upload(&batch.next_observations, &[agents, rows, -1], *device)?;
        let taken = upload_indices(&batch.actions, &[agents, rows, 1], *device)?;
        let rewards = upload(&batch.rewards[..(agents * rows) as usize], &[agents, rows], *device)?;
        let follows = upload(&batch.follows, &[1, rows], *device)?;
        let masks = |list: &[f32]| -> Result<Option<Tensor>, TchError> {
            let used = self.config.masks == Masks::Use;
            used.then(|| upload(list, &[agents, rows, actions], *device)).transpose()
        };
        let (now, then) = (masks(&batch.masks)?, masks(&batch.next_masks)?);
        let sum = |tensor: Tensor| tensor.f_sum_dim_intlist(&[-1_i64][..], false, Kind::Float);
        let goal = no_grad(|| -> Result<Tensor, TchError> {
            let log = self.log_policy(online, &next_observations, then.as_ref())?;
            let one = self.forward(target, 1, &next_observations)?;
            let least = one.f_minimum(&self.forward(target, 2, &next_observations)?)?;
            let soft = least.f_sub(&log.f_mul_scalar(*temperature)?)?;
            let next = sum(log.f_exp()?.f_mul(&soft)?)?;
            rewards.f_add(&next.f_mul(&follows)?.f_mul_scalar(self.config.gamma)?)
        })?;
        let critics = [1, 2].map(|number| self.forward(online, number, &observations));
        let [one, other] = critics;
        let (one, other) = (one?, other?);
        let error = |values: &Tensor| -> Result<Tensor, TchError> {
            let values = values.f_gather(-1, &taken, false)?.f_squeeze_dim(-1)?;
            values.f_sub(&goal)?.f_square()?.f_mean(Kind::Float)
        };
        let value = error(&one)?.f_add(&error(&other)?)?;
        let log = self.log_policy(online, &observations, now.as_ref())?;
        let probabilities = log.f_exp()?;
        let least = one.f_minimum(&other)?.f_detach()?;
        let soft = log.f_mul_scalar(*temperature)?.f_sub(&least)?;
        let policy = sum(probabilities.f_mul(&soft)?)?.f_mean(Kind::Float)?;
        let entropy = sum(probabilities.f_mul(&log)?)?.f_mean(Kind::Float)?.f_neg()?.f_detach()?;
        Ok(Loss { whole: policy.f_add(&value)?, policy, value, entropy })
    }

    /// Mean over the batch of the largest entropy that the allowed actions have, in nats.
    fn largest_entropy(&self) -> f64 {
        let actions = self.sizes.actions;
        if self.config.masks == Masks::Ignore {
            return libm::log(actions as f64);
        }
        let rows = self.batch.masks.chunks_exact(actions);
        let count = rows.len() as f64;
        let open = |row: &[f32]| row.iter().filter(|&&mask| mask > FORBIDDEN).count();
        rows.map(|row| libm::log(open(row).max(1) as f64)).sum::<f64>() / count
    }

    fn updates(&mut self, state: &mut State) -> Result<Report, LearnError> {
        let due = self.config.amounts().due(state.steps);
        state.adam.rate = self.config.rate * self.config.decay.at(state.steps, self.total_steps);
        let mut values = Vec::new();
        while state.updates < due {
            self.draw(state.updates);
            let loss = {
                let target = state.target.as_ref().unwrap_or(&state.online);
                self.loss(&state.online.parts, &target.parts)?
            };
            let (_, norm) = state.descend(&loss.whole, Some(self.config.target))?;
            let entropy = f64::from(download(&loss.entropy)?[0]);
            if let Temperature::Entropy { share, rate, .. } = self.config.temperature {
                let missing = share * self.largest_entropy() - entropy;
                self.temperature *= libm::exp(rate * missing);
            }
            if state.updates == due {
                values.extend([
                    ("policy_loss", loss.policy.f_double_value(&[])?),
                    ("value_loss", loss.value.f_double_value(&[])?),
                    ("entropy", entropy),
                    ("gradient_norm", norm),
                ]);
            }
        }
        values.extend([("temperature", self.temperature), ("updates", state.updates as f64)]);
        Ok(Report::of(values))
    }
}

impl Core for SoftLearner {
    fn rollout_steps(&self) -> usize {
        self.config.rollout
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn networks(&self) -> Vec<(String, &Form)> {
        ["agent", "critic.0", "critic.1"].map(|name| (name.to_owned(), &self.form)).to_vec()
    }

    fn off_policy(&self) -> bool {
        true
    }

    fn choice(&self, _: u64, greedy: bool) -> Choice {
        Choice::by_policy(greedy)
    }

    fn take(&mut self, rollout: &Rollout, memory: &[f32], updates: u64) -> Result<(), LearnError> {
        self.replay.push(rollout, memory, updates)
    }

    fn update(
        &mut self,
        state: &mut State,
        _rollout: &Rollout,
        _memory: &[f32],
    ) -> Result<Report, LearnError> {
        let before = self.temperature;
        self.updates(state).inspect_err(|_| self.temperature = before)
    }

    fn save(&self, checkpoint: &mut Checkpoint) {
        self.replay.save(checkpoint);
        checkpoint.put_f64("temperature", &[1], vec![self.temperature]);
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), LearnError> {
        let temperature = checkpoint.f64("temperature", &[1])?[0];
        self.replay = self.replay.load(checkpoint)?;
        self.temperature = temperature;
        Ok(())
    }
}
