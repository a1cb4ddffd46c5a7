//! Tabular Q-learning (Watkins and Dayan 1992), every agent for itself: one value for each observation and action.
//!
//! `Q(o, a) += rate * (r + gamma max_b Q(o', b) - Q(o, a))`, in the order step, lane, agent.
//! Observations are told apart by their bits, so this is for games with few of them; agents that do not see the whole
//! state learn the values of their observations, which no theorem covers.

use std::collections::BTreeMap;
use std::sync::Arc;

use gambol_envs::batch::{Actions, End};
use gambol_envs::registry::Registered;
use gambol_envs::spec::{EnvSpec, Payoff};
use serde::{Deserialize, Serialize};

use crate::choice::Choice;
use crate::learner::{Checkpoint, LearnError, Learner, Report};
use crate::options::{Masks, RewardUse, TimeLimit, discrete_actions};
use crate::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};
use crate::rollout::Rollout;
use crate::schedule::{Decay, Epsilon};
use crate::{Agent, AgentError, AgentFactory, Setting};

/// Independent tabular Q-learning, as a scenario file configures it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TabularQ {
    /// Discount per step, 0 to 1.
    pub gamma: f64,
    /// Learning rate of the first update, above 0 and at most 1.
    pub rate: f64,
    /// How it falls in the course of training.
    pub decay: Decay,
    /// The rate of a value's `n`th update is also divided by `n` to this power, 0 to 1; above 0.5 values converge.
    pub visits: f64,
    /// Value of what was never done; above the largest return it drives the agents to try everything.
    pub initial: f64,
    /// Exploration.
    pub epsilon: Epsilon,
    /// Which reward is learned from.
    pub reward: RewardUse,
    /// What follows the time limit.
    pub time_limit: TimeLimit,
    /// Whether action masks count.
    pub masks: Masks,
    /// Batch steps collected between two times of learning.
    pub rollout: usize,
    /// Learning stops with an error once an agent's table holds more observations.
    pub most: usize,
}

impl Default for TabularQ {
    fn default() -> Self {
        Self {
            gamma: 0.95,
            rate: 0.2,
            decay: Decay::default(),
            visits: 0.0,
            initial: 0.0,
            epsilon: Epsilon::default(),
            reward: RewardUse::Individual,
            time_limit: TimeLimit::default(),
            masks: Masks::default(),
            rollout: 4,
            most: 1 << 20,
        }
    }
}

impl TabularQ {
    /// The number of actions.
    fn check(&self, spec: &EnvSpec) -> Result<usize, AgentError> {
        let mut problems = Vec::new();
        for (field, value) in [("gamma", self.gamma), ("visits", self.visits)] {
            if !(0.0..=1.0).contains(&value) {
                problems.push(format!("`{field}`: {value}, it must be 0 to 1"));
            }
        }
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            problems.push(format!("`rate`: {}, it must be above 0 and at most 1", self.rate));
        }
        if !self.initial.is_finite() {
            problems.push(format!("`initial`: {}, it must be a finite number", self.initial));
        }
        if !(1..=1 << 20).contains(&self.rollout) {
            problems.push(format!("`rollout`: {}, it must be 1 to {}", self.rollout, 1 << 20));
        }
        self.reward.check("reward", spec, &mut problems);
        self.decay.check("decay", &mut problems);
        self.epsilon.check("epsilon", &mut problems);
        let actions = discrete_actions(Self::NAME, spec, &mut problems);
        if problems.is_empty() { Ok(actions) } else { Err(AgentError { problems }) }
    }

    fn actor(&self, spec: &EnvSpec, actions: usize, choice: Choice) -> TableActor {
        TableActor {
            tables: Arc::new(vec![Table::default(); spec.agents]),
            obs: spec.observation.size(),
            actions,
            initial: self.initial,
            masked: self.masks == Masks::Use,
            choice,
            values: Vec::new(),
        }
    }
}

impl Registered<dyn AgentFactory> for TabularQ {
    const NAME: &'static str = "TabularQ";
    const SUMMARY: &'static str = "independent Q-learning with a table for each agent";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl AgentFactory for TabularQ {
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        let actions = self.check(setting.spec)?;
        let actor = self.actor(setting.spec, actions, Choice::EpsilonGreedy(self.epsilon.at(0)));
        Ok(Agent::Learner(Box::new(TableLearner {
            config: self.clone(),
            common: setting.spec.payoff == Payoff::Common,
            total_steps: setting.total_steps,
            actor,
            steps: 0,
            updates: 0,
        })))
    }

    fn frozen(
        &self,
        setting: &Setting<'_>,
        parameters: &Checkpoint,
        greedy: bool,
    ) -> Result<Box<dyn Policy>, AgentError> {
        let actions = self.check(setting.spec)?;
        let choice = if greedy { Choice::Greedy } else { Choice::EpsilonGreedy(self.epsilon.end) };
        let mut actor = self.actor(setting.spec, actions, choice);
        actor.tables =
            Arc::new(actor.read(parameters).map_err(|error| AgentError::new(error.to_string()))?);
        Ok(Box::new(actor))
    }
}

/// What an agent knows of one observation.
#[derive(Clone, Debug, PartialEq)]
struct Cell {
    /// One for each action.
    values: Box<[f64]>,
    /// How often each was updated.
    visits: Box<[u32]>,
}

/// One agent's values, by the bits of its observations; ordered, so that files are the same every time.
type Table = BTreeMap<Box<[u32]>, Cell>;

/// The bits by which observations are told apart. The two zeros are one.
fn key(observation: &[f32]) -> Box<[u32]> {
    observation.iter().map(|&number| (number + 0.0).to_bits()).collect()
}

/// Acts by tables.
#[derive(Clone, Debug)]
struct TableActor {
    /// One for each agent.
    tables: Arc<Vec<Table>>,
    obs: usize,
    actions: usize,
    initial: f64,
    masked: bool,
    choice: Choice,
    values: Vec<f32>,
}

impl TableActor {
    /// The largest value of an agent's allowed actions; `mask` may be empty, which allows everything.
    fn best(&self, agent: usize, observation: &[f32], mask: &[bool]) -> f64 {
        let Some(cell) = self.tables[agent].get(&key(observation)) else { return self.initial };
        let allowed = cell.values.iter().enumerate();
        let allowed = allowed.filter(|(action, _)| mask.is_empty() || mask[*action]);
        allowed.fold(f64::NEG_INFINITY, |most, (_, &value)| most.max(value))
    }

    /// Adds the tables to a checkpoint as `agent.{n}.observations` and `agent.{n}.values`.
    fn write(&self, checkpoint: &mut Checkpoint) {
        for (agent, table) in self.tables.iter().enumerate() {
            let observations = table.keys().flat_map(|key| key.iter().copied().map(f32::from_bits));
            let values = table.values().flat_map(|cell| cell.values.iter().copied());
            checkpoint.put_f32(
                format!("agent.{agent}.observations"),
                &[table.len(), self.obs],
                observations.collect(),
            );
            checkpoint.put_f64(
                format!("agent.{agent}.values"),
                &[table.len(), self.actions],
                values.collect(),
            );
        }
    }

    /// Tables from what [`write`](Self::write) wrote; nothing counts as visited.
    fn read(&self, checkpoint: &Checkpoint) -> Result<Vec<Table>, LearnError> {
        let read = |agent: usize| -> Result<Table, LearnError> {
            let name = format!("agent.{agent}.values");
            let count = checkpoint.tensors.get(&name).and_then(|saved| saved.shape.first());
            let count = *count.unwrap_or(&0);
            let values = checkpoint.f64(&name, &[count, self.actions])?;
            let name = format!("agent.{agent}.observations");
            let observations = checkpoint.f32(&name, &[count, self.obs])?;
            let mut table = Table::new();
            for (row, values) in values.chunks_exact(self.actions.max(1)).enumerate() {
                let visits = vec![0; self.actions].into();
                let cell = Cell { values: values.into(), visits };
                table.insert(key(&observations[row * self.obs..(row + 1) * self.obs]), cell);
            }
            if table.len() == count {
                Ok(table)
            } else {
                Err(LearnError::Checkpoint(format!("`{name}` has an observation twice")))
            }
        };
        (0..self.tables.len()).map(read).collect()
    }
}

impl Policy for TableActor {
    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let Self { tables, obs, actions: size, initial, masked, choice, values } = self;
        let (obs, size, agents) = (*obs, *size, tables.len());
        if view.agents != agents || view.observations.len() != view.rows() * obs {
            let found = view.observations.len() / view.envs.max(1);
            return Err(PolicyError::Rows { expected: agents * obs, found });
        }
        view.choose_discrete(rngs, actions, |rng, row| {
            let observation = &view.observations[row * obs..(row + 1) * obs];
            values.clear();
            match tables[row % agents].get(&key(observation)) {
                Some(cell) => values.extend(cell.values.iter().map(|&value| value as f32)),
                None => values.resize(size, *initial as f32),
            }
            let mask = if *masked { &view.masks[row * size..(row + 1) * size] } else { &[] };
            choice.choose(rng, values, mask, row)
        })
    }

    fn fork(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

/// The learner with its whole state.
#[derive(Debug)]
struct TableLearner {
    config: TabularQ,
    common: bool,
    total_steps: u64,
    actor: TableActor,
    /// Environment steps collected.
    steps: u64,
    /// Values updated.
    updates: u64,
}

impl TableLearner {
    fn rate(&self) -> f64 {
        self.config.rate * self.config.decay.at(self.steps, self.total_steps)
    }

    /// Moves the value of an agent's action after an observation towards `goal`; gives the size of the error.
    fn update(&mut self, at: (usize, &[f32], usize), goal: f64, rate: f64) -> f64 {
        let (agent, observation, action) = at;
        let TableActor { tables, actions, initial, .. } = &mut self.actor;
        // Copies the tables when a policy that was handed out still reads them.
        let cell = Arc::make_mut(tables)[agent].entry(key(observation)).or_insert_with(|| Cell {
            values: vec![*initial; *actions].into(),
            visits: vec![0; *actions].into(),
        });
        cell.visits[action] = cell.visits[action].saturating_add(1);
        let slower = libm::pow(f64::from(cell.visits[action]), self.config.visits);
        let error = goal - cell.values[action];
        cell.values[action] += rate / slower * error;
        self.updates += 1;
        error.abs()
    }
}

impl Policy for TableLearner {
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
}

impl Learner for TableLearner {
    fn rollout_steps(&self) -> usize {
        self.config.rollout
    }

    fn learn(&mut self, rollout: &Rollout) -> Result<Report, LearnError> {
        let (agents, obs, size) = (self.actor.tables.len(), self.actor.obs, self.actor.actions);
        rollout.check(agents, obs, size, self.updates)?;
        let (steps, envs, rows) = (rollout.steps, rollout.envs, rollout.rows());
        let most = self.config.most;
        if self.actor.tables.iter().any(|table| table.len() > most) {
            return Err(LearnError::Other(format!(
                "an agent's table holds more than {most} observations (`most`); a network learns what they have in common"
            )));
        }
        let (before, rate) = (self.updates, self.rate());
        let mut errors = 0.0;
        for t in 0..steps {
            let Actions::Discrete(taken) = rollout.actions_at(t) else {
                return Err(LearnError::Other("the rollout has continuous actions".to_owned()));
            };
            let (now, then) = (rollout.view(t), rollout.view(t + 1));
            let last = &rollout.last_observations[t * rows * obs..(t + 1) * rows * obs];
            let last_masks = &rollout.last_masks[t * rows * size..(t + 1) * rows * size];
            let rewards = &rollout.rewards[t * rows..(t + 1) * rows];
            for (row, &action) in taken.iter().enumerate() {
                let (env, agent) = (row / agents, row % agents);
                let own = row * obs..(row + 1) * obs;
                let end = rollout.ends[t * envs + env];
                let masks = if end.is_over() { last_masks } else { then.masks };
                let mask =
                    if self.actor.masked { &masks[row * size..(row + 1) * size] } else { &[] };
                let bootstrap = self.config.time_limit == TimeLimit::Bootstrap;
                let next = match end {
                    End::Running => self.actor.best(agent, &then.observations[own.clone()], mask),
                    End::Truncated if bootstrap => self.actor.best(agent, &last[own.clone()], mask),
                    _ => 0.0,
                };
                let team = &rewards[env * agents..(env + 1) * agents];
                let reward = if self.config.reward == RewardUse::Team && !self.common {
                    team.iter().map(|&reward| f64::from(reward)).sum()
                } else {
                    f64::from(team[agent])
                };
                let goal = reward + self.config.gamma * next;
                let at = (agent, &now.observations[own], action as usize);
                errors += self.update(at, goal, rate);
            }
        }
        self.steps += (steps * envs) as u64;
        self.actor.choice = Choice::EpsilonGreedy(self.config.epsilon.at(self.steps));
        let size: usize = self.actor.tables.iter().map(BTreeMap::len).sum();
        let updates = (self.updates - before).max(1) as f64;
        Ok(Report::of(vec![
            ("epsilon", self.config.epsilon.at(self.steps)),
            ("rate", rate),
            ("error", errors / updates),
            ("observations", size as f64),
            ("updates", self.updates as f64),
        ]))
    }

    fn policy(&self, greedy: bool) -> Result<Box<dyn Policy>, LearnError> {
        let mut actor = self.actor.clone();
        if greedy {
            actor.choice = Choice::Greedy;
        }
        Ok(Box::new(actor))
    }

    fn off_policy(&self) -> bool {
        true
    }

    fn save(&self) -> Result<Checkpoint, LearnError> {
        let mut checkpoint = self.parameters()?;
        for (agent, table) in self.actor.tables.iter().enumerate() {
            let visits = table.values().flat_map(|cell| cell.visits.iter().copied());
            checkpoint.put_i64(format!("agent.{agent}.visits"), visits.map(i64::from).collect());
        }
        checkpoint.put_i64("counters", vec![self.steps as i64, self.updates as i64]);
        Ok(checkpoint)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), LearnError> {
        let mut tables = self.actor.read(checkpoint)?;
        for (agent, table) in tables.iter_mut().enumerate() {
            let name = format!("agent.{agent}.visits");
            let visits = checkpoint.i64(&name)?;
            if visits.len() != table.len() * self.actor.actions {
                return Err(LearnError::Checkpoint(format!("`{name}` has another length")));
            }
            let cells = table.values_mut().flat_map(|cell| cell.visits.iter_mut());
            cells.zip(visits).for_each(|(to, &from)| *to = from as u32);
        }
        let &[steps, updates] = checkpoint.i64("counters")? else {
            return Err(LearnError::Checkpoint("`counters` must have two entries".into()));
        };
        self.actor.tables = Arc::new(tables);
        (self.steps, self.updates) = (steps as u64, updates as u64);
        self.actor.choice = Choice::EpsilonGreedy(self.config.epsilon.at(self.steps));
        Ok(())
    }

    fn parameters(&self) -> Result<Checkpoint, LearnError> {
        let mut checkpoint = Checkpoint::default();
        self.actor.write(&mut checkpoint);
        Ok(checkpoint)
    }
}
