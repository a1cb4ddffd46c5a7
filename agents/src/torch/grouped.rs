//! Training with grouped advantages: several episodes from one initial state judge each other, no critic is needed.
//!
//! Lanes of a group begin every rollout in the same state, and each makes one episode (the driver sees to both, see
//! [`Learner::group`](crate::learner::Learner::group)). The advantages of the steps come from
//! [`crate::gigpo::advantage`], and the policy follows a clipped surrogate with a dual clip, the divergence from a
//! reference policy and its entropy (Feng et al. 2025, Eq. 9; `compute_policy_loss` and `dp_actor.py` of the authors'
//! code).

use gambol_envs::batch::Actions;
use gambol_envs::registry::Registered;
use gambol_envs::seed::{Purpose, Streams};
use gambol_envs::spec::{EnvSpec, Payoff};
use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor, no_grad};

use super::layers::Window;
use super::learner::{Core, State, Trained};
use super::parameters::{Layout, first_parameters, shrink_head};
use super::policy_gradient::{Deeds, entropies, inputs, parts};
use super::{LearnerPlan, Planned, Target, device, saved_actor, upload};
use crate::choice::Choice;
use crate::frozen::Actor;
use crate::gigpo::advantage::{Estimator, Method};
use crate::gigpo::diagnostics::Diagnostics;
use crate::gigpo::grouping::{Agents, Grouping};
use crate::gigpo::rows::{Key, Row, Rows};
use crate::learner::{Checkpoint, LearnError, Report};
use crate::network::{Form, NetworkConfig, Sharing};
use crate::options::{Masks, RewardUse, counts, discrete_actions, not_negative, positive};
use crate::policy::Policy;
use crate::rollout::Rollout;
use crate::schedule::Decay;
use crate::{Agent, AgentError, AgentFactory, Setting};

/// What makes two states the same anchor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Anchor {
    /// The global state.
    #[default]
    State,
    /// What the agent sees; where it does not see everything, different states are then taken for one.
    Observation,
}

/// How far a policy may move on one rollout.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clip {
    /// How far the probability of an action may fall before that gains nothing more, as a share.
    pub low: f64,
    /// How far it may rise; DAPO has 0.28.
    pub high: f64,
    /// Largest factor of a bad action's loss (the dual clip), above 1; `None` for no such bound.
    pub dual: Option<f64>,
}

impl Default for Clip {
    fn default() -> Self {
        Self { low: 0.2, high: 0.2, dual: Some(3.0) }
    }
}

impl Clip {
    /// Loss of each row, from logarithms of the probabilities now and before, and advantages, all of one shape.
    fn loss(self, log: &Tensor, before: &Tensor, advantages: &Tensor) -> Result<Tensor, TchError> {
        let ratio = log.f_sub(before)?.f_exp()?;
        let free = ratio.f_mul(advantages)?.f_neg()?;
        let cut = ratio.f_clamp(1.0 - self.low, 1.0 + self.high)?.f_mul(advantages)?.f_neg()?;
        let loss = free.f_maximum(&cut)?;
        let Some(most) = self.dual else { return Ok(loss) };
        let bound = loss.f_minimum(&advantages.f_mul_scalar(-most)?)?;
        bound.f_where_self(&advantages.f_lt(0.0)?, &loss)
    }
}

/// The estimate `exp(d) - d - 1` of the divergence from a reference policy (k3 of J. Schulman's note), with
/// `d = log reference - log policy` between -10 and 10 as in the authors' code.
fn divergence(log: &Tensor, reference: &Tensor) -> Result<Tensor, TchError> {
    // Beyond 20 nothing changes but that no exponential overflows.
    let difference = reference.f_sub(log)?.f_clamp(-20.0, 20.0)?;
    let estimate = difference.f_exp()?.f_sub(&difference)?.f_sub_scalar(1.0)?;
    estimate.f_clamp(-10.0, 10.0)
}

/// Group-in-group policy optimisation, GRPO or RLOO, as a scenario file configures it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gigpo {
    /// The agents' networks.
    pub network: NetworkConfig,
    /// Episodes from one initial state, at least 2; the batch is made of such groups.
    pub group: usize,
    /// How advantages are made; `method: Grpo` or `Rloo` for those.
    pub estimator: Estimator,
    /// What makes two states the same anchor.
    pub anchor: Anchor,
    /// Whose rewards add up, and who is compared with whom.
    pub agents: Agents,
    /// Which reward is learned from.
    pub reward: RewardUse,
    /// Whether groups whose episodes all earned the same are left out of the updates: they say nothing at the level of
    /// episodes. (The reference draws others in their place; here they are only left out.)
    pub drop_uninformative: bool,
    /// Adam's learning rate.
    pub rate: f64,
    /// How it falls in the course of training.
    pub decay: Decay,
    /// Largest norm of the gradient of all parameters; `None` does not cut it.
    pub norm: Option<f64>,
    /// Times that a rollout is gone through.
    pub epochs: usize,
    /// Parts of one such time, each an update: shares of all steps, or for recurrent networks of the instances.
    pub minibatches: usize,
    /// How far the policy may move on one rollout.
    pub clip: Clip,
    /// Weight of the divergence from the reference policy, which is the first one.
    pub divergence: f64,
    /// Updates after which the reference policy becomes the present one; `None` for never.
    pub refresh: Option<u64>,
    /// Weight of the policy's entropy, in nats.
    pub entropy: f64,
    /// Whether action masks count; where they do not, actions that a mask forbids are the invalid ones that the
    /// estimator penalises.
    pub masks: Masks,
}

impl Default for Gigpo {
    fn default() -> Self {
        Self {
            network: NetworkConfig::default(),
            group: 8,
            estimator: Estimator::default(),
            anchor: Anchor::default(),
            agents: Agents::default(),
            reward: RewardUse::default(),
            drop_uninformative: false,
            rate: 1e-3,
            decay: Decay::default(),
            norm: Some(1.0),
            epochs: 4,
            minibatches: 4,
            clip: Clip::default(),
            divergence: 0.0,
            refresh: None,
            entropy: 0.01,
            masks: Masks::default(),
        }
    }
}

impl Registered<dyn AgentFactory> for Gigpo {
    const NAME: &'static str = "Gigpo";
    const SUMMARY: &'static str = "grouped advantages without a critic: GiGPO, GRPO, RLOO";

    fn examples() -> Vec<Self> {
        vec![
            Self::default(),
            Self {
                estimator: Estimator { method: Method::Grpo, ..Estimator::default() },
                divergence: 0.01,
                ..Self::default()
            },
        ]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl Planned for Gigpo {
    fn plan(&self) -> Box<dyn LearnerPlan + '_> {
        Box::new(self.clone())
    }
}

impl Gigpo {
    fn form(&self, spec: &EnvSpec) -> Result<Form, AgentError> {
        let mut problems = Vec::new();
        self.network.check(&mut problems);
        self.decay.check("decay", &mut problems);
        self.reward.check("reward", spec, &mut problems);
        if let Err(error) = self.estimator.check() {
            problems.push(format!("`estimator`: {error}"));
        }
        if matches!(self.estimator.method, Method::Gae { .. } | Method::RowGae) {
            problems.push(
                "`estimator.method`: it needs a critic's values; `Ippo` and `Mappo` have one"
                    .to_owned(),
            );
        }
        if self.group < 2 {
            problems.push(format!("`group`: {}, it must be at least 2", self.group));
        }
        let Self { rate, norm, divergence, entropy, epochs, minibatches, .. } = *self;
        positive("", &[("rate", Some(rate)), ("norm", norm)], &mut problems);
        let weights = [("divergence", divergence), ("entropy", entropy)];
        not_negative("", &weights, &mut problems);
        let Clip { low, high, dual } = self.clip;
        if !(low > 0.0 && low < 1.0 && high > 0.0 && high.is_finite()) {
            problems
                .push(format!("`clip`: {low} and {high}, they must be positive, `low` below 1"));
        }
        if dual.is_some_and(|most| !(most.is_finite() && most > 1.0)) {
            problems.push(format!("`clip.dual`: {dual:?}, it must be above 1"));
        }
        let most = 1 << 16;
        counts("", &[("epochs", epochs, most), ("minibatches", minibatches, most)], &mut problems);
        if self.refresh == Some(0) {
            problems.push("`refresh`: 0, it must be at least 1".to_owned());
        }
        let actions = discrete_actions(Self::NAME, spec, &mut problems);
        if self.anchor == Anchor::State && spec.state == 0 {
            problems.push(format!(
                "`anchor`: State, but {} has no global state; use Observation",
                spec.name
            ));
        }
        if spec.horizon.is_none() {
            problems.push(format!(
                "`{}` waits until every episode is over, and those of {} may never be",
                Self::NAME,
                spec.name
            ));
        }
        if !problems.is_empty() {
            return Err(AgentError { problems });
        }
        Ok(self.network.form(spec.agents, spec.observation.size(), actions))
    }

    fn masked(&self) -> bool {
        self.masks == Masks::Use
    }
}

impl LearnerPlan for Gigpo {
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        let Setting { spec, streams, envs, .. } = *setting;
        let form = self.form(spec)?;
        if envs == 0 || !envs.is_multiple_of(self.group) {
            return Err(AgentError::new(format!(
                "`group`: {} does not divide the {envs} instances of the batch",
                self.group
            )));
        }
        let device = device(setting.device)?;
        let mut flat = first_parameters(&form, &mut streams.at(Purpose::Init, 0, 0));
        // All actions alike at first, however large the numbers that are seen.
        shrink_head(&form, &mut flat);
        let actor = Actor::new(form.clone(), spec, self.masked(), Choice::by_policy(false))?;
        let core = GroupLearner {
            steps: spec.horizon.unwrap_or(1) as usize,
            identify: self.network.sharing == Sharing::Shared,
            common: spec.payoff == Payoff::Common,
            state: spec.state,
            layout: Layout::new(vec![form.clone()]),
            form,
            streams,
            device,
            total_steps: setting.total_steps,
            config: self.clone(),
        };
        let descent = (self.rate, self.norm);
        Trained::agent(core, actor, &flat, self.divergence > 0.0, descent, device)
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
struct GroupLearner {
    config: Gigpo,
    layout: Layout,
    form: Form,
    /// The longest episode.
    steps: usize,
    identify: bool,
    common: bool,
    state: usize,
    streams: Streams,
    device: tch::Device,
    /// Environment steps that training will make in all.
    total_steps: u64,
}

/// A rollout, or a part of it, as the updates see it; the agent is the slowest index.
struct Data {
    deeds: Deeds,
    /// `[agents, rows]`.
    advantages: Tensor,
    /// `[agents, rows]`: logarithms of the probabilities by the reference policy.
    reference: Option<Tensor>,
    /// `[1, rows]`: 1 for the rows that count, 0 for those that only stand between them; `None` where all count.
    weights: Option<Tensor>,
}

impl Data {
    fn part(&self, rows: &Tensor, lanes: &Tensor) -> Result<Self, TchError> {
        let part = |tensor: &Tensor| tensor.f_index_select(1, rows);
        Ok(Self {
            deeds: self.deeds.part(rows, lanes)?,
            advantages: part(&self.advantages)?,
            reference: self.reference.as_ref().map(part).transpose()?,
            weights: self.weights.as_ref().map(part).transpose()?,
        })
    }

    /// Mean over the rows that count.
    fn mean(&self, values: &Tensor) -> Result<Tensor, TchError> {
        match &self.weights {
            None => values.f_mean(Kind::Float),
            Some(weights) => {
                let count = weights.f_sum(Kind::Float)?.f_mul_scalar(values.size()[0])?;
                // A part of a recurrent rollout may hold no row that counts.
                let count = count.f_clamp_min(1.0)?;
                values.f_mul(weights)?.f_sum(Kind::Float)?.f_div(&count)
            }
        }
    }
}

/// Parts of a loss, for the report.
struct Loss {
    whole: Tensor,
    policy: Tensor,
    divergence: Option<Tensor>,
    entropy: Tensor,
}

/// A rollout's steps as rows of the estimator: of each lane those of its first episode.
struct Groups {
    rows: Rows,
    /// Row numbers of the rollout, `step * envs + env`, in the order in which agents' rows follow each other.
    steps: Vec<usize>,
}

impl GroupLearner {
    /// Whether actions against the mask are penalised.
    fn invalid(&self, rollout: &Rollout, row: usize, taken: &[u16]) -> bool {
        self.config.masks == Masks::Ignore
            && !rollout.masks[row * rollout.mask + usize::from(taken[row % rollout.rows()])]
    }

    fn groups(&self, rollout: &Rollout) -> Result<Groups, LearnError> {
        let Rollout { steps, envs, agents, obs, .. } = *rollout;
        let mut over = vec![false; envs];
        let (mut rows, mut numbers) = (Rows::default(), Vec::new());
        for t in 0..steps {
            let Actions::Discrete(taken) = rollout.actions_at(t) else {
                return Err(LearnError::Other("the rollout has continuous actions".to_owned()));
            };
            for env in (0..envs).filter(|&env| !over[env]) {
                let step = t * envs + env;
                numbers.push(step);
                let team = &rollout.rewards[step * agents..(step + 1) * agents];
                let sum: f64 = team.iter().map(|&reward| f64::from(reward)).sum();
                let shared = self.config.reward == RewardUse::Team && !self.common;
                for (agent, &own) in team.iter().enumerate() {
                    let row = step * agents + agent;
                    let anchor = match self.config.anchor {
                        Anchor::State => &rollout.state[step * self.state..][..self.state],
                        Anchor::Observation => &rollout.observations[row * obs..][..obs],
                    };
                    let pushed = rows.push(Row {
                        group: Key::integer((env / self.config.group) as i128),
                        trajectory: Key::integer(env as i128),
                        agent: (agents > 1).then(|| Key::integer(agent as i128)),
                        state: Key::floats(anchor),
                        reward: if shared { sum } else { f64::from(own) },
                        invalid: self.invalid(rollout, row, taken),
                        value: None,
                    });
                    pushed.map_err(|error| LearnError::Other(error.to_string()))?;
                }
            }
            for (over, end) in over.iter_mut().zip(&rollout.ends[t * envs..(t + 1) * envs]) {
                *over |= end.is_over();
            }
        }
        Ok(Groups { rows, steps: numbers })
    }

    fn data(
        &self,
        state: &State,
        rollout: &Rollout,
        memory: &[f32],
    ) -> Result<(Option<Data>, Vec<(&'static str, f64)>), LearnError> {
        let Rollout { steps, envs, agents, obs, .. } = *rollout;
        let Groups { rows, steps: numbers } = self.groups(rollout)?;
        let grouping = Grouping::new(&rows, self.config.agents);
        let advantages = self
            .config
            .estimator
            .estimate(&rows, &grouping)
            .map_err(|error| LearnError::Other(error.to_string()))?;
        let found = Diagnostics::new(&grouping, &advantages);
        let informative = grouping.informative(&rows);
        let says = informative.iter().filter(|&&says| says).count();
        let report = vec![
            ("informative_rows", says as f64 / rows.len().max(1) as f64),
            ("anchor_size", found.mean_anchor_size),
            ("singleton_share", found.singleton_share),
            ("episode_variance", found.episode_variance),
            ("step_variance", found.step_variance),
            ("used_steps", numbers.len() as f64 / (steps * envs) as f64),
        ];
        // A step is left out when all its agents' groups are.
        let counts = |at: usize| {
            !self.config.drop_uninformative || informative[at * agents..][..agents].contains(&true)
        };
        let kept: Vec<usize> = (0..numbers.len()).filter(|&at| counts(at)).collect();
        if kept.is_empty() {
            return Ok((None, report));
        }
        // With memory whole lanes are run through, and what does not count has no weight.
        let remembers = self.form.recurrent;
        let whole: Vec<usize> = if remembers {
            (0..steps * envs).collect()
        } else {
            kept.iter().map(|&at| numbers[at]).collect()
        };
        let size = whole.len();
        let mut values = vec![0.0_f32; agents * size];
        let mut weights = vec![0.0_f32; size];
        for (place, &at) in kept.iter().enumerate() {
            let row = if remembers { numbers[at] } else { place };
            weights[row] = 1.0;
            for agent in 0..agents {
                values[agent * size + row] = advantages.advantage[at * agents + agent] as f32;
            }
        }
        let observations = inputs(agents, size, self.identify, self.device, |row, agent| {
            &rollout.observations[(whole[row] * agents + agent) * obs..][..obs]
        })?;
        let started = &rollout.started[..steps * envs];
        let window = Window::new(&self.form, agents, envs, started, memory, self.device)?;
        let online = (&self.layout, &state.online.parts[..]);
        let deeds =
            Deeds::new(rollout, &whole, observations, window, self.config.masked(), online)?;
        let reference = state.target.as_ref().map(|target| {
            no_grad(|| deeds.log_taken(&deeds.log_probabilities(&self.layout, &target.parts)?))
        });
        let shape = [agents as i64, size as i64];
        let data = Data {
            advantages: upload(&values, &shape, self.device)?,
            reference: reference.transpose()?,
            weights: remembers
                .then(|| upload(&weights, &[1, size as i64], self.device))
                .transpose()?,
            deeds,
        };
        Ok((Some(data), report))
    }

    fn loss(&self, tensors: &[Tensor], data: &Data) -> Result<Loss, TchError> {
        let all = data.deeds.log_probabilities(&self.layout, tensors)?;
        let log = data.deeds.log_taken(&all)?;
        let losses = self.config.clip.loss(&log, &data.deeds.before, &data.advantages)?;
        let policy = data.mean(&losses)?;
        let entropy = data.mean(&entropies(&all)?)?;
        let mut whole = policy.f_sub(&entropy.f_mul_scalar(self.config.entropy)?)?;
        let apart = data
            .reference
            .as_ref()
            .map(|reference| -> Result<_, TchError> { data.mean(&divergence(&log, reference)?) });
        let divergence = apart.transpose()?;
        if let Some(divergence) = &divergence {
            whole = whole.f_add(&divergence.f_mul_scalar(self.config.divergence)?)?;
        }
        Ok(Loss { whole, policy, divergence, entropy })
    }
}

impl Core for GroupLearner {
    fn rollout_steps(&self) -> usize {
        self.steps
    }

    fn group(&self) -> usize {
        self.config.group
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn networks(&self) -> Vec<(String, &Form)> {
        vec![("agent".to_owned(), &self.form)]
    }

    fn off_policy(&self) -> bool {
        false
    }

    fn choice(&self, _steps: u64, greedy: bool) -> Choice {
        Choice::by_policy(greedy)
    }

    fn take(&mut self, rollout: &Rollout, _memory: &[f32], updates: u64) -> Result<(), LearnError> {
        let obs = self.form.widths[0] - if self.identify { rollout.agents } else { 0 };
        let actions = self.form.widths[self.form.widths.len() - 1];
        rollout.check(rollout.agents, obs, actions, updates)?;
        if self.config.anchor == Anchor::State && rollout.state_size != self.state {
            let (what, expected, found) = ("state length", self.state, rollout.state_size);
            return Err(LearnError::Shape { what, expected, found });
        }
        if !rollout.begins_in_groups(self.config.group) {
            return Err(LearnError::Other(format!(
                "the rollout does not begin in groups of {} lanes in the same state; `{}` is trained by `Train(..)` alone, \
                 neither inside another agent nor as a response of `Psro(..)`",
                self.config.group,
                Gigpo::NAME
            )));
        }
        Ok(())
    }

    fn update(
        &mut self,
        state: &mut State,
        rollout: &Rollout,
        memory: &[f32],
    ) -> Result<Report, LearnError> {
        let (data, report) = self.data(state, rollout, memory)?;
        state.adam.rate = self.config.rate * self.config.decay.at(state.steps, self.total_steps);
        let mut values = vec![("rate", state.adam.rate)];
        values.extend(report);
        let Some(data) = data else {
            values.push(("updates", state.updates as f64));
            return Ok(Report::of(values));
        };
        let (mut last, mut norms, first) = (None, 0.0, state.updates);
        let follow = self.config.refresh.map(Target::Hard);
        let mut step = |state: &mut State, data: &Data| -> Result<(), LearnError> {
            let loss = self.loss(&state.online.parts, data)?;
            let (_, norm) = state.descend(&loss.whole, follow)?;
            norms += norm;
            last = Some(loss);
            Ok(())
        };
        for _ in 0..self.config.epochs {
            if self.config.minibatches == 1 {
                step(state, &data)?;
                continue;
            }
            let steps = self.form.recurrent.then_some(rollout.steps);
            let count =
                if steps.is_some() { rollout.envs } else { data.advantages.size()[1] as usize };
            let minibatches = self.config.minibatches;
            let parts = parts(self.streams, count, steps, minibatches, state.updates, self.device)?;
            for (rows, lanes) in parts {
                step(state, &data.part(&rows, &lanes)?)?;
            }
        }
        if let Some(Loss { policy, divergence, entropy, .. }) = last {
            values.push(("policy_loss", policy.f_double_value(&[])?));
            if let Some(divergence) = divergence {
                values.push(("divergence", divergence.f_double_value(&[])?));
            }
            values.push(("entropy", entropy.f_double_value(&[])?));
            values.push(("gradient_norm", norms / (state.updates - first) as f64));
        }
        values.push(("updates", state.updates as f64));
        Ok(Report::of(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(tensor: &Tensor) -> Vec<f64> {
        (0..tensor.numel() as i64).map(|at| tensor.double_value(&[at])).collect()
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found}, {expected}");
        }
    }

    /// Oracle 15 of the fact sheet: the authors' loss, row by row.
    #[test]
    fn oracle_15_the_clipped_loss_with_its_dual_clip() {
        let log = Tensor::from_slice(&[-0.6_f32, -1.4, -0.6, -1.4, 0.5]);
        let before = Tensor::from_slice(&[-1.0_f32; 5]);
        let advantages = Tensor::from_slice(&[1.0_f32, 1.0, -1.0, -1.0, -2.0]);
        let loss = Clip::default().loss(&log, &before, &advantages).unwrap();
        close(&values(&loss), &[-1.2, -0.670_320, 1.491_825, 0.8, 6.0]);
        close(&[loss.mean(Kind::Float).double_value(&[])], &[1.284_301]);
        let free = Clip { dual: None, ..Clip::default() };
        let loss = free.loss(&log, &before, &advantages).unwrap();
        close(&values(&loss)[4..], &[8.963_378]);
    }

    #[test]
    fn oracle_15_the_divergence_from_a_reference() {
        let log = Tensor::from_slice(&[0.4_f32, -0.4, 1.5, 20.0]);
        let reference = Tensor::from_slice(&[0.0_f32; 4]);
        let found = divergence(&log, &reference).unwrap();
        close(&values(&found), &[0.070_320, 0.091_825, 0.723_130, 10.0]);
    }
}
