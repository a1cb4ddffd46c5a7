//! QMIX (Rashid et al. 2018): the team's value is a network of the agents' values with weights that depend on the global
//! state and are never negative, so that the best joint action is made of each agent's best action.

use gambol_envs::registry::Registered;
use serde::{Deserialize, Serialize};
use tch::{TchError, Tensor};

use super::parameters::Layout;
use super::q::{Mixing, Plan, QLearning};
use crate::learner::Checkpoint;
use crate::mlp::Activation;
use crate::network::{Form, NetworkConfig};
use crate::policy::Policy;
use crate::{Agent, AgentError, AgentFactory, Setting};

/// Monotonic value mixing, as a scenario file configures it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Qmix {
    /// The agents' networks.
    pub network: NetworkConfig,
    /// How values are learned.
    pub learning: QLearning,
    /// The network that mixes the agents' values.
    pub mixer: MixerConfig,
}

impl Qmix {
    fn mixing(&self) -> Mixing {
        Mixing::Monotonic(self.mixer.clone())
    }

    fn plan<'a>(&'a self, mixing: &'a Mixing) -> Plan<'a> {
        Plan { name: Self::NAME, network: &self.network, learning: &self.learning, mixing }
    }
}

impl Registered<dyn AgentFactory> for Qmix {
    const NAME: &'static str = "Qmix";
    const SUMMARY: &'static str = "deep Q-learning of a value that rises in the agents' values";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl AgentFactory for Qmix {
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        self.plan(&self.mixing()).build(setting)
    }

    fn frozen(
        &self,
        setting: &Setting<'_>,
        parameters: &Checkpoint,
        greedy: bool,
    ) -> Result<Box<dyn Policy>, AgentError> {
        self.plan(&self.mixing()).frozen(setting.spec, parameters, greedy)
    }
}

/// The form of the mixing network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixerConfig {
    /// Width of the mixing network's one hidden layer.
    pub embed: usize,
    /// Hidden widths of the networks that give its weights from the state.
    pub hypernet: Vec<usize>,
}

impl Default for MixerConfig {
    fn default() -> Self {
        Self { embed: 32, hypernet: vec![64] }
    }
}

impl MixerConfig {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let widths = std::iter::once(("`mixer.embed`", self.embed))
            .chain(self.hypernet.iter().map(|&width| ("`mixer.hypernet`", width)));
        for (field, width) in widths {
            if !(1..=4096).contains(&width) {
                problems.push(format!("{field}: {width}, it must be 1 to 4096"));
            }
        }
    }
}

/// Names of the mixer's networks in parameter files, in the order of [`Mixer::forms`].
pub(super) const NAMES: [&str; 4] = ["weight_1", "bias_1", "weight_2", "value"];

/// The mixing network: which networks of the state give its weights.
#[derive(Clone, Debug)]
pub(super) struct Mixer {
    forms: [Form; 4],
    agents: i64,
    embed: i64,
}

impl Mixer {
    pub(super) fn new(config: &MixerConfig, agents: usize, state: usize) -> Self {
        let form = |hidden: &[usize], outputs: usize| Form {
            sets: 1,
            widths: [&[state], hidden, &[outputs]].concat(),
            activation: Activation::Relu,
        };
        let embed = config.embed;
        Self {
            forms: [
                form(&config.hypernet, agents * embed),
                form(&[], embed),
                form(&config.hypernet, embed),
                form(&[embed], 1),
            ],
            agents: agents as i64,
            embed: embed as i64,
        }
    }

    /// The networks, which stand behind the agents' network in the flat parameters.
    pub(super) fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// `[agents, batch]` values and `[batch, state]` to `[1, batch]`.
    pub(super) fn forward(
        &self,
        layout: &Layout,
        tensors: &[Tensor],
        values: &Tensor,
        state: &Tensor,
    ) -> Result<Tensor, TchError> {
        let (agents, embed) = (self.agents, self.embed);
        let of = |number: usize| layout.network(1 + number, tensors).forward(state);
        let first = of(0)?.f_abs()?.f_view(&[-1, agents, embed][..])?;
        let bias = of(1)?.f_view(&[-1, 1, embed][..])?;
        let second = of(2)?.f_abs()?.f_view(&[-1, embed, 1][..])?;
        let value = of(3)?.f_view(&[-1, 1, 1][..])?;
        let values = values.f_transpose(0, 1)?.f_unsqueeze(1)?;
        let hidden = bias.f_baddbmm(&values, &first, 1.0, 1.0)?.f_elu()?;
        value.f_baddbmm(&hidden, &second, 1.0, 1.0)?.f_view(&[1, -1][..])
    }
}

#[cfg(test)]
mod tests {
    use gambol_envs::seed::{Purpose, Streams, unit_f64};

    use super::*;
    use crate::torch::parameters::{first_parameters, leaf};

    /// The team's value never falls when an agent's value rises, and each agent's best action makes the best joint one.
    #[test]
    fn fact_58_the_mixer_rises_in_every_value() {
        let (agents, state, batch) = (3, 5, 64);
        let mixer = Mixer::new(&MixerConfig { embed: 8, hypernet: vec![16] }, agents, state);
        // A network in front, as the agents' own would stand there.
        let front = Form { sets: 1, widths: vec![1, 1], activation: Activation::Relu };
        let forms: Vec<Form> = std::iter::once(&front).chain(mixer.forms()).cloned().collect();
        let mut rng = Streams::new(7).at(Purpose::Init, 0, 0);
        let mut numbers = |count: usize, scale: f64| -> Vec<f32> {
            (0..count).map(|_| ((unit_f64(&mut rng) - 0.5) * scale) as f32).collect()
        };
        let states = Tensor::from_slice(&numbers(batch * state, 4.0)).view([batch as i64, -1]);
        let actions = 4;
        let q = numbers(batch * agents * actions, 6.0);
        let mut rng = Streams::new(8).at(Purpose::Init, 0, 0);
        let flat: Vec<f32> =
            forms.iter().flat_map(|form| first_parameters(form, &mut rng)).collect();
        let layout = Layout::new(forms);
        let tensors = layout.split(&leaf(&flat, tch::Device::Cpu).unwrap()).unwrap();
        let team = |values: &[f32]| -> Vec<f32> {
            let values =
                Tensor::from_slice(values).view([batch as i64, agents as i64]).transpose(0, 1);
            crate::torch::download(&mixer.forward(&layout, &tensors, &values, &states).unwrap())
                .unwrap()
        };
        let chosen = |choice: &dyn Fn(usize, usize) -> usize| -> Vec<f32> {
            let mut values = Vec::new();
            for row in 0..batch {
                for agent in 0..agents {
                    values.push(q[(row * agents + agent) * actions + choice(row, agent)]);
                }
            }
            team(&values)
        };
        let best = |row: usize, agent: usize| -> usize {
            let own = &q[(row * agents + agent) * actions..][..actions];
            (0..actions).max_by(|&a, &b| own[a].total_cmp(&own[b])).unwrap()
        };
        let greedy = chosen(&best);
        for joint in 0..actions.pow(agents as u32) {
            let other = chosen(&|_, agent| joint / actions.pow(agent as u32) % actions);
            for row in 0..batch {
                assert!(other[row] <= greedy[row] + 1e-6, "row {row}, joint action {joint}");
            }
        }
        // The derivative itself.
        let values =
            Tensor::from_slice(&numbers_of(&q, batch * agents)).view([agents as i64, batch as i64]);
        let values = values.set_requires_grad(true);
        let sum = mixer.forward(&layout, &tensors, &values, &states).unwrap().sum(tch::Kind::Float);
        let gradient = Tensor::run_backward(&[sum], &[&values], false, false);
        assert!(gradient[0].min().double_value(&[]) >= 0.0);
        assert!(gradient[0].max().double_value(&[]) > 0.0);
    }

    fn numbers_of(q: &[f32], count: usize) -> Vec<f32> {
        q[..count].to_vec()
    }
}
