//! The core of all Q-learners: replay, targets, exploration, checkpoints. A learner differs by how it mixes the agents'
//! values into what is learned.

use gambol_envs::seed::{Purpose, Streams};
use gambol_envs::spec::{EnvSpec, Payoff};
use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor, no_grad};

use super::layers::Window;
use super::learner::{Core, State, Trained};
use super::parameters::{Layout, first_parameters};
use super::qmix::{Mixer, MixerConfig, NAMES};
use super::{LearnerPlan, Target, device, saved_actor, upload, upload_indices};
use crate::choice::Choice;
use crate::frozen::Actor;
use crate::learner::{Checkpoint, LearnError, Report};
use crate::network::{Form, NetworkConfig, Sharing};
use crate::options::{Masks, RewardUse, TimeLimit, discount, positive};
use crate::policy::Policy;
use crate::replay::{Amounts, Batch, Draw, Replay, Sizes, kept_actions};
use crate::rollout::Rollout;
use crate::schedule::{Decay, Epsilon};
use crate::{Agent, AgentError, Setting};

/// How values are learned, whatever the learner.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct QLearning {
    /// Discount per step, 0 to 1.
    pub gamma: f64,
    /// Adam's learning rate.
    pub rate: f64,
    /// How it falls in the course of training.
    pub decay: Decay,
    /// Largest norm of the gradient; `None` does not cut it.
    pub clip: Option<f64>,
    /// Joint transitions in one update. Recurrent networks take them as whole windows of `rollout` steps of one
    /// instance, which begin with the memory that the agents had there (Kapturowski et al. 2019, "stored state").
    pub batch: usize,
    /// Joint transitions kept.
    pub replay: usize,
    /// Joint transitions collected before the first update.
    pub warm_up: usize,
    /// Environment steps (all instances counted) for each update.
    pub steps_per_update: usize,
    /// Batch steps collected between two times of learning; for recurrent networks also the steps through which gradients
    /// go back, 50 for whole episodes of foraging as `EPyMARL` takes them.
    pub rollout: usize,
    /// Whether the online network chooses the action whose target value counts (van Hasselt, Guez, Silver 2016).
    pub double: bool,
    /// How the target network follows.
    pub target: Target,
    /// Exploration.
    pub epsilon: Epsilon,
    /// Which reward is learned from.
    pub reward: RewardUse,
    /// Whether rewards are brought to mean 0 and deviation 1 by running figures, as `EPyMARL` does.
    pub standardise_rewards: bool,
    /// What follows the time limit.
    pub time_limit: TimeLimit,
    /// Whether action masks count.
    pub masks: Masks,
}

impl Default for QLearning {
    fn default() -> Self {
        Self {
            gamma: 0.99,
            rate: 5e-4,
            decay: Decay::default(),
            clip: Some(10.0),
            batch: 256,
            replay: 100_000,
            warm_up: 2_000,
            steps_per_update: 16,
            rollout: 4,
            double: true,
            target: Target::Hard(200),
            epsilon: Epsilon::default(),
            reward: RewardUse::default(),
            standardise_rewards: false,
            time_limit: TimeLimit::default(),
            masks: Masks::default(),
        }
    }
}

impl QLearning {
    fn amounts(&self) -> Amounts {
        let Self { batch, replay, warm_up, steps_per_update, rollout, .. } = *self;
        Amounts { batch, replay, warm_up, steps_per_update, rollout }
    }

    fn check(&self, problems: &mut Vec<String>) {
        const PREFIX: &str = "learning.";
        discount(PREFIX, self.gamma, problems);
        positive(PREFIX, &[("rate", Some(self.rate)), ("clip", self.clip)], problems);
        self.amounts().check(PREFIX, problems);
        self.target.check("learning.target", problems);
        self.decay.check("learning.decay", problems);
        self.epsilon.check("learning.epsilon", problems);
    }
}

/// How the agents' values become what is learned.
#[derive(Clone, Debug)]
pub(super) enum Mixing {
    /// Every agent learns its own value.
    Independent,
    /// The team's value is the sum of the agents' values.
    Sum,
    /// The team's value is a function of the state that rises in every agent's value.
    Monotonic(MixerConfig),
}

/// The configuration of one Q-learner.
#[derive(Clone, Debug)]
pub(super) struct Plan<'a> {
    pub(super) name: &'static str,
    pub(super) network: &'a NetworkConfig,
    pub(super) learning: &'a QLearning,
    pub(super) mixing: Mixing,
}

impl Plan<'_> {
    /// The acting network's form.
    ///
    /// # Errors
    /// Every problem of the configuration, and every fact of the environment that does not fit.
    fn form(&self, spec: &EnvSpec) -> Result<Form, AgentError> {
        let mut problems = Vec::new();
        self.network.check(&mut problems);
        self.learning.check(&mut problems);
        let actions = kept_actions(self.name, spec, &mut problems);
        self.learning.reward.check("learning.reward", spec, &mut problems);
        if !matches!(self.mixing, Mixing::Independent)
            && self.learning.reward == RewardUse::Individual
        {
            problems.push(format!(
                "`learning.reward`: Individual, but `{}` learns one value for the team; use Team",
                self.name
            ));
        }
        if let Mixing::Monotonic(config) = &self.mixing {
            config.check(&mut problems);
            if spec.state == 0 {
                problems
                    .push(format!("`{}` needs a global state, {} has none", self.name, spec.name));
            }
        }
        if !problems.is_empty() {
            return Err(AgentError { problems });
        }
        Ok(self.network.form(spec.agents, spec.observation.size(), actions))
    }

    fn masked(&self) -> bool {
        self.learning.masks == Masks::Use
    }
}

impl LearnerPlan for Plan<'_> {
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        QLearner::agent(self, self.form(setting.spec)?, setting)
    }

    fn frozen(
        &self,
        spec: &EnvSpec,
        parameters: &Checkpoint,
        greedy: bool,
    ) -> Result<Box<dyn Policy>, AgentError> {
        let choice =
            if greedy { Choice::Greedy } else { Choice::EpsilonGreedy(self.learning.epsilon.end) };
        let form = self.form(spec)?;
        Ok(Box::new(saved_actor(form, parameters, spec, self.masked(), choice)?))
    }
}

/// A Q-learner without what [`Trained`] keeps.
#[derive(Debug)]
struct QLearner {
    learning: QLearning,
    mixing: Mixing,
    mixer: Option<Mixer>,
    form: Form,
    layout: Layout,
    identify: bool,
    common: bool,
    sizes: Sizes,
    streams: Streams,
    device: tch::Device,
    replay: Replay,
    /// Environment steps that training will make in all.
    total_steps: u64,
    batch: Batch,
}

impl QLearner {
    fn agent(plan: &Plan<'_>, form: Form, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        let Setting { spec, streams, .. } = *setting;
        let device = device(setting.device)?;
        let learning = plan.learning.clone();
        let sizes = Sizes {
            agents: spec.agents,
            obs: spec.observation.size(),
            actions: spec.action.mask_size(),
            state: if matches!(plan.mixing, Mixing::Monotonic(_)) { spec.state } else { 0 },
            units: form.memory(),
            // Without memory every transition stands for itself.
            window: if form.recurrent { learning.rollout } else { 1 },
            lanes: if form.recurrent { setting.envs } else { 1 },
        };
        let rollout = sizes.window * sizes.lanes;
        if learning.replay < rollout {
            return Err(AgentError::new(format!(
                "`learning.replay`: {}, but one rollout of a recurrent network has {rollout}",
                learning.replay
            )));
        }
        let mixer = match &plan.mixing {
            Mixing::Monotonic(config) => Some(Mixer::new(config, spec.agents, spec.state)),
            _ => None,
        };
        let choice = Choice::EpsilonGreedy(learning.epsilon.at(0));
        let actor = Actor::new(form.clone(), spec, plan.masked(), choice)?;
        let mut flat = first_parameters(&form, &mut streams.at(Purpose::Init, 0, 0));
        let mut forms = vec![form.clone()];
        if let Some(mixer) = &mixer {
            flat.extend(mixer.first_parameters(streams));
            forms.extend_from_slice(mixer.forms());
        }
        let descent = (learning.rate, learning.clip);
        let core = Self {
            mixing: plan.mixing.clone(),
            mixer,
            form,
            layout: Layout::new(forms),
            identify: plan.network.sharing == Sharing::Shared,
            common: spec.payoff == Payoff::Common,
            sizes,
            streams,
            device,
            replay: Replay::new(sizes, learning.replay),
            total_steps: setting.total_steps,
            batch: Batch::default(),
            learning,
        };
        Trained::agent(core, actor, &flat, true, descent, device)
    }

    /// Draws the batch of the next update.
    fn draw(&mut self, state: &mut State) {
        let Self { learning, batch, .. } = self;
        // Every update has an address of its own, so that a checkpoint need not hold a position.
        let mut rng = self.streams.at(Purpose::Learn, 0, state.updates as u32);
        let draw = Draw {
            size: learning.batch,
            id: self.identify,
            masked: learning.masks == Masks::Use,
            bootstrap_at_limit: learning.time_limit == TimeLimit::Bootstrap,
        };
        self.replay.draw(&mut rng, draw, batch);
        if learning.reward == RewardUse::Team && !self.common {
            batch.share_rewards();
        }
        if learning.standardise_rewards {
            state.rewards.merge(&batch.rewards);
            state.rewards.apply(&mut batch.rewards);
        }
    }

    /// The loss of the drawn batch by these tensors, and the values of what was done.
    fn loss(&self, online: &[Tensor], target: &[Tensor]) -> Result<(Tensor, Tensor), TchError> {
        let Self { batch, device, sizes, .. } = self;
        let (agents, size, actions) =
            (sizes.agents as i64, batch.rows as i64, sizes.actions as i64);
        let shape = [agents, size, -1];
        let observations = upload(&batch.observations, &shape, *device)?;
        let next_observations = upload(&batch.next_observations, &shape, *device)?;
        let taken = upload_indices(&batch.actions, &[agents, size, 1], *device)?;
        let windows = batch.rows / sizes.window;
        let window =
            Window::new(&self.form, sizes.agents, windows, &batch.started, &batch.memory, *device)?;
        // A mixed value belongs to the team, whose reward stands in every agent's row.
        let learned = if matches!(self.mixing, Mixing::Independent) { agents } else { 1 };
        let rewards =
            upload(&batch.rewards[..(learned * size) as usize], &[learned, size], *device)?;
        let follows = upload(&batch.follows, &[1, size], *device)?;
        let network = self.layout.network(0, online);
        let (values, memory) = network.unroll(&observations, &window)?;
        let goal = no_grad(|| -> Result<Tensor, TchError> {
            let allowed = |values: Tensor| -> Result<Tensor, TchError> {
                if self.learning.masks == Masks::Use {
                    let masks = upload(&batch.next_masks, &[agents, size, actions], *device)?;
                    values.f_add(&masks)
                } else {
                    Ok(values)
                }
            };
            let network_then = self.layout.network(0, target);
            let remembered = if window.remembers() {
                network_then.unroll(&observations, &window)?.1
            } else {
                None
            };
            let then = network_then.after(&next_observations, remembered.as_ref())?;
            let next = if self.learning.double {
                let online = network.after(&next_observations, memory.as_ref())?;
                let best = allowed(online)?.f_argmax(-1, true)?;
                then.f_gather(-1, &best, false)?.f_squeeze_dim(-1)?
            } else {
                allowed(then)?.f_amax(-1, false)?
            };
            let next = self.mix(target, &next, &batch.next_state)?;
            let next = next.f_mul(&follows)?.f_mul_scalar(self.learning.gamma)?;
            rewards.f_add(&next)
        })?;
        let values = values.f_gather(-1, &taken, false)?.f_squeeze_dim(-1)?;
        let values = self.mix(online, &values, &batch.state)?;
        let loss = values.f_sub(&goal)?.f_square()?.f_mean(Kind::Float)?;
        Ok((loss, values.f_detach()?))
    }

    /// `[agents, batch]` values of the agents to what is learned, `[agents, batch]` or `[1, batch]`.
    fn mix(&self, tensors: &[Tensor], values: &Tensor, state: &[f32]) -> Result<Tensor, TchError> {
        match (&self.mixing, &self.mixer) {
            (Mixing::Monotonic(_), Some(mixer)) => {
                let shape = [self.batch.rows as i64, self.sizes.state as i64];
                let state = upload(state, &shape, self.device)?;
                mixer.forward(&self.layout, tensors, values, &state)
            }
            (Mixing::Sum, _) => values.f_sum_dim_intlist(&[0_i64][..], true, Kind::Float),
            _ => Ok(values.shallow_clone()),
        }
    }
}

impl Core for QLearner {
    fn rollout_steps(&self) -> usize {
        self.learning.rollout
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn networks(&self) -> Vec<(String, &Form)> {
        let mixer = self.mixer.iter().flat_map(|mixer| NAMES.iter().zip(mixer.forms()));
        let mixer = mixer.map(|(name, form)| (format!("mixer.{name}"), form));
        std::iter::once(("agent".to_owned(), &self.form)).chain(mixer).collect()
    }

    fn off_policy(&self) -> bool {
        true
    }

    fn choice(&self, steps: u64, greedy: bool) -> Choice {
        if greedy { Choice::Greedy } else { Choice::EpsilonGreedy(self.learning.epsilon.at(steps)) }
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
        let (mut loss_sum, mut norm_sum, mut last) = (0.0, 0.0, None);
        let (first, due) = (state.updates, self.learning.amounts().due(state.steps));
        state.adam.rate =
            self.learning.rate * self.learning.decay.at(state.steps, self.total_steps);
        while state.updates < due {
            self.draw(state);
            let target = state.target.as_ref().unwrap_or(&state.online);
            let (loss, done) = self.loss(&state.online.parts, &target.parts)?;
            let (loss, norm) = state.descend(&loss, Some(self.learning.target))?;
            loss_sum += loss;
            norm_sum += norm;
            last = Some(done);
        }
        let mut values = vec![("epsilon", self.learning.epsilon.at(state.steps))];
        if let Some(done) = last {
            let count = (state.updates - first) as f64;
            values.push(("loss", loss_sum / count));
            values.push(("gradient_norm", norm_sum / count));
            values.push(("mean_value", done.f_mean(Kind::Float)?.f_double_value(&[])?));
        }
        values.push(("updates", state.updates as f64));
        Ok(Report::of(values))
    }

    fn save(&self, checkpoint: &mut Checkpoint) {
        self.replay.save(checkpoint);
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), LearnError> {
        self.replay = self.replay.load(checkpoint)?;
        Ok(())
    }
}
