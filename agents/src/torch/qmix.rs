//! QMIX (Rashid et al. 2018): the team's value is a network of the agents' values with weights that depend on the global
//! state and are never negative, so that the best joint action is made of each agent's best action.

use gambol_envs::registry::Registered;
use gambol_envs::seed::{Purpose, Streams, unit_f64};
use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor};

use super::parameters::{Layout, first_parameters, shrink_head};
use super::q::{Mixing, Plan, QLearning};
use super::{LearnerPlan, Planned};
use crate::AgentFactory;
use crate::mlp::Activation;
use crate::network::{Form, NetworkConfig};

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

impl Planned for Qmix {
    fn plan(&self) -> Box<dyn LearnerPlan + '_> {
        Box::new(Plan {
            name: Self::NAME,
            network: &self.network,
            learning: &self.learning,
            mixing: Mixing::Monotonic(self.mixer.clone()),
        })
    }
}

/// How the mixing network begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Start {
    /// Near the sum of the agents' values whatever the state, from where it learns to differ.
    #[default]
    Sum,
    /// With all layers as `PyTorch` draws them, which is what `EPyMARL` does. States are raw coordinates, so that the
    /// team's value begins far above every return, and a short training is spent on bringing it down.
    Drawn,
}

/// The form of the mixing network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixerConfig {
    /// Width of the mixing network's one hidden layer.
    pub embed: usize,
    /// Hidden widths of the networks that give its weights from the state.
    pub hypernet: Vec<usize>,
    /// How it begins.
    pub start: Start,
}

impl Default for MixerConfig {
    fn default() -> Self {
        Self { embed: 32, hypernet: vec![64], start: Start::default() }
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
    start: Start,
    agents: i64,
    embed: i64,
}

impl Mixer {
    pub(super) fn new(config: &MixerConfig, agents: usize, state: usize) -> Self {
        let form = |hidden: &[usize], outputs: usize| Form {
            sets: 1,
            widths: [&[state], hidden, &[outputs]].concat(),
            activation: Activation::Relu,
            recurrent: false,
        };
        let embed = config.embed;
        Self {
            forms: [
                form(&config.hypernet, agents * embed),
                form(&[], embed),
                form(&config.hypernet, embed),
                form(&[embed], 1),
            ],
            start: config.start,
            agents: agents as i64,
            embed: embed as i64,
        }
    }

    /// The networks, which stand behind the agents' network in the flat parameters.
    pub(super) fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// First parameters of all its networks, flat.
    pub(super) fn first_parameters(&self, streams: Streams) -> Vec<f32> {
        let mut flat = Vec::new();
        for (number, form) in self.forms.iter().enumerate() {
            let mut rng = streams.at(Purpose::Init, 1 + number as u32, 0);
            let mut own = first_parameters(form, &mut rng);
            if self.start == Start::Sum {
                shrink_head(form, &mut own);
                // Two weights in a row with `embed` ways between them: each about one over its root.
                if matches!(NAMES[number], "weight_1" | "weight_2") {
                    let size = 1.0 / (self.embed as f64).sqrt();
                    let biases = own.len() - form.widths[form.widths.len() - 1];
                    for bias in &mut own[biases..] {
                        *bias = ((0.5 + unit_f64(&mut rng)) * size) as f32;
                    }
                }
            }
            flat.extend(own);
        }
        flat
    }

    /// `[agents, batch]` values and `[batch, state]` to `[1, batch]`.
    pub(super) fn forward(
        &self,
        layout: &Layout,
        tensors: &[Tensor],
        values: &Tensor,
        state: &Tensor,
    ) -> Result<Tensor, TchError> {
        let of = |number: usize| layout.network(1 + number, tensors).forward(state);
        let first = of(0)?.f_abs()?.f_view(&[-1, self.agents, self.embed][..])?;
        let (bias, second, value) = (of(1)?, of(2)?.f_abs()?, of(3)?);
        // Products of numbers and sums: products of many small matrices are several times slower.
        let sum = |all: Tensor, dim: i64| all.f_sum_dim_intlist(&[dim][..], false, Kind::Float);
        let values = values.f_transpose(0, 1)?.f_unsqueeze(-1)?;
        let hidden = sum(first.f_mul(&values)?, 1)?.f_add(&bias)?.f_elu()?;
        sum(hidden.f_mul(&second)?, -1)?.f_add(&value.f_squeeze_dim(-1)?)?.f_unsqueeze(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torch::parameters::Parameters;

    const AGENTS: usize = 3;
    const STATE: usize = 5;
    const BATCH: usize = 64;

    /// Mixes `[BATCH, AGENTS]` values in `[BATCH, STATE]` states by a fresh mixer.
    fn team(start: Start, values: &Tensor, states: &[f32]) -> Tensor {
        let mixer = Mixer::new(&MixerConfig { start, ..MixerConfig::default() }, AGENTS, STATE);
        // A network in front, as the agents' own would stand there.
        let front =
            Form { sets: 1, widths: vec![1, 1], activation: Activation::Relu, recurrent: false };
        let forms: Vec<Form> = std::iter::once(&front).chain(mixer.forms()).cloned().collect();
        let flat = [vec![0.0; 2], mixer.first_parameters(Streams::new(8))].concat();
        let layout = Layout::new(forms);
        let tensors = Parameters::new(&layout, &flat, true, tch::Device::Cpu).unwrap().parts;
        let states = Tensor::from_slice(states).view([BATCH as i64, -1]);
        mixer.forward(&layout, &tensors, &values.transpose(0, 1), &states).unwrap()
    }

    fn numbers(lane: u32, count: usize, low: f64, high: f64) -> Vec<f32> {
        let mut rng = Streams::new(7).at(Purpose::Init, lane, 0);
        (0..count).map(|_| (low + unit_f64(&mut rng) * (high - low)) as f32).collect()
    }

    fn rows(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).view([BATCH as i64, -1])
    }

    /// The team's value never falls when an agent's value rises, and each agent's best action makes the best joint one.
    #[test]
    fn fact_58_the_mixer_rises_in_every_value() {
        let (actions, states) = (4, numbers(0, BATCH * STATE, -2.0, 2.0));
        let q = numbers(1, BATCH * AGENTS * actions, -3.0, 3.0);
        for start in [Start::Sum, Start::Drawn] {
            let chosen = |choice: &dyn Fn(usize, usize) -> usize| -> Vec<f32> {
                let mut values = Vec::new();
                for row in 0..BATCH {
                    for agent in 0..AGENTS {
                        values.push(q[(row * AGENTS + agent) * actions + choice(row, agent)]);
                    }
                }
                crate::torch::download(&team(start, &rows(&values), &states)).unwrap()
            };
            let best = |row: usize, agent: usize| -> usize {
                let own = &q[(row * AGENTS + agent) * actions..][..actions];
                (0..actions).max_by(|&a, &b| own[a].total_cmp(&own[b])).unwrap()
            };
            let greedy = chosen(&best);
            for joint in 0..actions.pow(AGENTS as u32) {
                let other = chosen(&|_, agent| joint / actions.pow(agent as u32) % actions);
                for row in 0..BATCH {
                    assert!(other[row] <= greedy[row] + 1e-5, "row {row}, joint action {joint}");
                }
            }
            // The derivative itself.
            let values = rows(&q[..BATCH * AGENTS]).set_requires_grad(true);
            let sum = team(start, &values, &states).sum(Kind::Float);
            let gradient = Tensor::run_backward(&[sum], &[&values], false, false);
            assert!(gradient[0].min().double_value(&[]) >= 0.0);
            assert!(gradient[0].max().double_value(&[]) > 0.0);
        }
    }

    /// On coordinates of a board and values about 0.2, as they are before anything is learned.
    #[test]
    fn the_first_team_value_is_near_the_sum_and_not_far_above_every_return() {
        let states = numbers(2, BATCH * STATE, 0.0, 8.0);
        let values = rows(&numbers(3, BATCH * AGENTS, -0.4, 0.4));
        let mean = |start: Start| team(start, &values, &states).abs().mean(Kind::Float);
        assert!(mean(Start::Drawn).double_value(&[]) > 5.0);
        let sum = values.sum_dim_intlist(&[1_i64][..], false, Kind::Float);
        let off = (team(Start::Sum, &values, &states).view([-1]) - sum).abs().max();
        assert!(off.double_value(&[]) < 0.5, "{off:?}");
    }
}
