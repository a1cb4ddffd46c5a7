//! Frozen policies: networks that act through our own forward pass, without libtorch.

use gambol_envs::registry::Registered;
use gambol_envs::spec::{ActionSpace, EnvSpec};
use serde::{Deserialize, Serialize};

use crate::choice::Choice;
use crate::learner::LearnError;
use crate::mlp::Activation;
use crate::network::{Form, Network};
use crate::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};
use crate::{Agent, AgentError, AgentFactory, Setting};

/// A network that maps each agent's observation to one value for each action, and a way to choose by them.
#[derive(Clone, Debug)]
pub struct Actor {
    form: Form,
    network: Network,
    agents: usize,
    obs: usize,
    /// Whether the input ends with the agent's number as a one-hot vector.
    identify: bool,
    masked: bool,
    /// How actions are chosen.
    pub choice: Choice,
    input: Vec<f32>,
    values: Vec<f32>,
    /// `[rows, memory]` of a recurrent network.
    memory: Vec<f32>,
}

impl Actor {
    /// An actor of this form, with all parameters 0.
    ///
    /// # Errors
    /// Every mismatch between the network and the environment.
    pub fn new(
        form: Form,
        spec: &EnvSpec,
        masked: bool,
        choice: Choice,
    ) -> Result<Self, AgentError> {
        let (agents, obs) = (spec.agents, spec.observation.size());
        let mut problems = Vec::new();
        let (inputs, outputs) = (form.widths[0], form.widths[form.widths.len() - 1]);
        let identify = inputs == obs + agents && form.sets == 1;
        if inputs != obs && !identify {
            problems.push(format!(
                "the network reads {inputs} numbers, {} gives {obs}, or {} with the agent's number behind them",
                spec.name,
                obs + agents
            ));
        }
        if form.sets != 1 && form.sets != agents {
            problems.push(format!(
                "the network has parameters for {} agents, {} has {agents}",
                form.sets, spec.name
            ));
        }
        match &spec.action {
            ActionSpace::Discrete { names } if names.len() == outputs => {}
            ActionSpace::Discrete { names } => problems.push(format!(
                "the network gives {outputs} values, {} has {} actions",
                spec.name,
                names.len()
            )),
            _ => problems.push(format!(
                "the network chooses discrete actions, {} takes continuous ones",
                spec.name
            )),
        }
        if !problems.is_empty() {
            return Err(AgentError { problems });
        }
        let network = Network::new(&form);
        let (input, values, memory) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { form, network, agents, obs, identify, masked, choice, input, values, memory })
    }

    /// A copy that has seen nothing and chooses in this way.
    pub fn fresh(&self, choice: Choice) -> Self {
        Self { choice, memory: Vec::new(), ..self.clone() }
    }

    /// The form of the network.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// Takes flat parameters in the order of the form's tensors.
    ///
    /// # Errors
    /// [`LearnError::Shape`] when there are too few or too many.
    pub fn fill(&mut self, flat: &[f32]) -> Result<(), LearnError> {
        self.network.fill(flat)
    }

    /// The values of every action, `[rows, actions]`. A recurrent network remembers the view: it is to see every moment
    /// once.
    ///
    /// # Errors
    /// [`PolicyError::Rows`] when the view is not one of the environment that the actor was made for.
    pub fn values(&mut self, view: &View<'_>) -> Result<&[f32], PolicyError> {
        let rows = view.rows();
        if view.agents != self.agents || view.observations.len() != rows * self.obs {
            return Err(PolicyError::Rows {
                expected: self.agents * self.obs,
                found: view.observations.len() / view.envs.max(1),
            });
        }
        self.values.resize(rows * self.network.outputs(), 0.0);
        let input = if self.identify {
            with_ids(view.observations, self.agents, self.obs, &mut self.input);
            &self.input
        } else {
            view.observations
        };
        let units = self.network.memory();
        if self.memory.len() != rows * units {
            self.memory.clear();
            self.memory.resize(rows * units, 0.0);
        }
        let lane = view.agents * units;
        for (env, _) in view.started.iter().enumerate().filter(|(_, started)| **started) {
            self.memory[env * lane..(env + 1) * lane].fill(0.0);
        }
        let forward = self.network.step(input, &mut self.memory, &mut self.values);
        forward.map_err(|error| PolicyError::Other(error.to_string()))?;
        Ok(&self.values)
    }
}

/// Writes each observation with the agent's number as a one-hot vector behind it: `[rows, obs + agents]`.
pub(crate) fn with_ids(observations: &[f32], agents: usize, obs: usize, input: &mut Vec<f32>) {
    let width = obs + agents;
    let rows = observations.len() / obs.max(1);
    if input.len() != rows * width {
        input.clear();
        input.resize(rows * width, 0.0);
        // The numbers stay in place from call to call; only observations are written again.
        for (row, input) in input.chunks_exact_mut(width).enumerate() {
            input[obs + row % agents] = 1.0;
        }
    }
    for (input, own) in input.chunks_exact_mut(width).zip(observations.chunks_exact(obs)) {
        input[..obs].copy_from_slice(own);
    }
}

impl Policy for Actor {
    fn fork(&self) -> Box<dyn Policy> {
        Box::new(self.fresh(self.choice))
    }

    fn memory(&self) -> Vec<f32> {
        self.memory.clone()
    }

    fn remember(&mut self, memory: &[f32]) {
        memory.clone_into(&mut self.memory);
    }

    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let (choice, masked, size) = (self.choice, self.masked, self.network.outputs());
        let values = self.values(view)?;
        view.choose_discrete(rngs, actions, |rng, row| {
            let range = row * size..(row + 1) * size;
            let mask = if masked { &view.masks[range.clone()] } else { &[] };
            choice.choose(rng, &values[range], mask, row)
        })
    }
}

/// A network whose parameters come from a safetensors file, such as the one that training leaves in its run directory.
///
/// The file holds `{prefix}.0.weight` (`[outputs, inputs]`, or `[agents, outputs, inputs]` for separate parameters),
/// `{prefix}.0.bias`, and so on for each layer; the one before the last may be recurrent, with `weight_ih`, `bias_ih`,
/// `weight_hh` and `bias_hh` as `torch.nn.GRU` has them. A network that reads `agents` numbers more than an observation
/// has is told the agent's number.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// The safetensors file.
    pub path: String,
    /// What stands before the layer numbers in the tensors' names.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// What follows each hidden layer.
    #[serde(default)]
    pub activation: Activation,
    /// How actions are chosen from the values.
    #[serde(default)]
    pub choice: Choice,
    /// Whether only actions that the mask allows are chosen.
    #[serde(default = "default_masked")]
    pub masked: bool,
}

fn default_prefix() -> String {
    "agent".to_owned()
}

fn default_masked() -> bool {
    true
}

impl Registered<dyn AgentFactory> for Frozen {
    const NAME: &'static str = "Frozen";
    const SUMMARY: &'static str = "acts by a network read from a safetensors file";

    fn examples() -> Vec<Self> {
        // It needs a file, so there is no example that stands on its own.
        Vec::new()
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl AgentFactory for Frozen {
    fn files(&self) -> Vec<String> {
        vec![self.path.clone()]
    }

    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        if let Choice::EpsilonGreedy(epsilon) = self.choice
            && !(0.0..=1.0).contains(&epsilon)
        {
            return Err(AgentError::new(format!("`choice`: {epsilon}, epsilon must be 0 to 1")));
        }
        let checkpoint = setting.files.get(&self.path).ok_or_else(|| {
            AgentError::new(format!("`path`: the file `{}` was not read", self.path))
        })?;
        let named =
            |error: LearnError| AgentError::new(format!("`path`: `{}`: {error}", self.path));
        let (form, flat) = Form::read(checkpoint, &self.prefix, self.activation).map_err(named)?;
        let mut actor = Actor::new(form, setting.spec, self.masked, self.choice)?;
        actor.fill(&flat).map_err(named)?;
        Ok(Agent::Policy(Box::new(actor)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gambol_envs::EnvFactory;
    use gambol_envs::foraging::{Foraging, Mode};
    use gambol_envs::seed::{Purpose, Streams};

    use super::*;
    use crate::learner::Checkpoint;

    fn spec() -> EnvSpec {
        Foraging::task("Foraging-5x5-2p-1f-coop-v3", Mode::Clean).spec().unwrap()
    }

    fn frozen(choice: Choice) -> Frozen {
        Frozen {
            path: "a.safetensors".to_owned(),
            prefix: default_prefix(),
            activation: Activation::Relu,
            choice,
            masked: true,
        }
    }

    fn build(frozen: &Frozen, spec: &EnvSpec, checkpoint: Checkpoint) -> Result<Agent, AgentError> {
        let files = BTreeMap::from([("a.safetensors".to_owned(), checkpoint)]);
        frozen.build(&Setting {
            spec,
            envs: 1,
            streams: Streams::new(0),
            device: crate::Device::Cpu,
            total_steps: 0,
            files: &files,
        })
    }

    /// One linear layer whose value of action `a` is `x[0] * a`, plus 10 for action 5.
    fn linear(inputs: usize) -> Checkpoint {
        let mut weights = vec![0.0; 6 * inputs];
        for action in 0..6 {
            weights[action * inputs] = action as f32;
        }
        let mut checkpoint = Checkpoint::default();
        checkpoint.put_f32("agent.0.weight", &[6, inputs], weights);
        checkpoint.put_f32("agent.0.bias", &[6], vec![0.0, 0.0, 0.0, 0.0, 0.0, 10.0]);
        checkpoint
    }

    #[test]
    fn a_frozen_policy_obeys_its_network_and_the_masks() {
        let spec = spec();
        let Ok(Agent::Policy(mut policy)) = build(&frozen(Choice::Greedy), &spec, linear(9)) else {
            panic!("it is a policy");
        };
        let mut observations = vec![0.0; 2 * 9];
        (observations[0], observations[9]) = (1.0, -3.0);
        let mut masks = vec![true; 12];
        masks[5] = false;
        let view = View {
            envs: 1,
            agents: 2,
            observations: &observations,
            masks: &masks,
            state: &[],
            started: &[true],
        };
        let mut rngs = LaneRngs::new(Streams::new(0), Purpose::Policy, 0, 1);
        let mut actions = ActionBuffer::new(&spec, 1);
        policy.act(&view, &mut rngs, &mut actions).unwrap();
        // Row 0 may not load, so the largest number left is 4; row 1 has 0 and 10 - 15.
        assert_eq!(actions, ActionBuffer::Discrete(vec![4, 0]));
    }

    #[test]
    fn misfits_are_named() {
        let spec = spec();
        let problem = |checkpoint| match build(&frozen(Choice::Greedy), &spec, checkpoint) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("it should not fit"),
        };
        assert_eq!(
            problem(linear(7)),
            "the network reads 7 numbers, Foraging-5x5-2p-1f-coop-v3 gives 9, or 11 with the agent's number behind them"
        );
        assert_eq!(
            problem(Checkpoint::default()),
            "`path`: `a.safetensors`: the checkpoint does not fit: there is no `agent.0.weight`"
        );
    }
}
