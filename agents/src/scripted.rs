//! Agents that do not learn: a uniform random policy, and a collector for foraging.

use gambol_envs::registry::Registered;
use gambol_envs::seed::{below, unit_f64};
use gambol_envs::spec::{ActionSpace, EnvSpec};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::choice::draw_allowed;
use crate::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};
use crate::{Agent, AgentError, AgentFactory, Setting};

/// Uniform over all actions, or over the box.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Random {
    /// Whether only actions that the mask allows are drawn; otherwise all, as the reference's random policy does.
    pub masked: bool,
}

impl Registered<dyn AgentFactory> for Random {
    const NAME: &'static str = "Random";
    const SUMMARY: &'static str = "draws every action uniformly";

    fn examples() -> Vec<Self> {
        vec![Self { masked: false }, Self { masked: true }]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl AgentFactory for Random {
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        Ok(Agent::Policy(match &setting.spec.action {
            ActionSpace::Discrete { names } => {
                Box::new(RandomDiscrete { actions: names.len() as u32, masked: self.masked })
            }
            ActionSpace::Box { low, high } => Box::new(RandomBox {
                bounds: low.iter().copied().zip(high.iter().copied()).collect(),
            }),
            _ => return Err(AgentError::new("`Random` does not know this action space")),
        }))
    }
}

#[derive(Clone)]
struct RandomDiscrete {
    actions: u32,
    masked: bool,
}

impl Policy for RandomDiscrete {
    fn fork(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let size = self.actions as usize;
        view.choose_discrete(rngs, actions, |rng, row| {
            if self.masked {
                draw_allowed(rng, &view.masks[row * size..(row + 1) * size], row)
            } else {
                Ok(below(rng, self.actions) as u16)
            }
        })
    }
}

#[derive(Clone)]
struct RandomBox {
    bounds: Vec<(f32, f32)>,
}

impl Policy for RandomBox {
    fn fork(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let width = view.agents * self.bounds.len();
        for (env, team) in actions.continuous()?.chunks_exact_mut(width).enumerate() {
            let rng = rngs.lane(env);
            for action in team.chunks_exact_mut(self.bounds.len()) {
                for (value, &(low, high)) in action.iter_mut().zip(&self.bounds) {
                    *value = low + (high - low) * unit_f64(rng) as f32;
                }
            }
        }
        Ok(())
    }
}

/// A heuristic for foraging with vector observations: every player walks to the food that is nearest to all players
/// it sees and loads beside it. Players that see the same agree without a word.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collector {
    /// Share of moves drawn at random, 0 to 1: what frees players that stand in each other's way.
    pub noise: f64,
}

impl Default for Collector {
    fn default() -> Self {
        Self { noise: 0.1 }
    }
}

impl Registered<dyn AgentFactory> for Collector {
    const NAME: &'static str = "Collector";
    const SUMMARY: &'static str =
        "heuristic for foraging: walks to the food nearest to the team and loads";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl AgentFactory for Collector {
    fn build(&self, setting: &Setting<'_>) -> Result<Agent, AgentError> {
        let mut problems = Vec::new();
        let EnvSpec { name, agents, observation, .. } = setting.spec;
        let length = observation.size();
        if !name.starts_with("Foraging-") {
            problems.push(format!("`Collector` plays foraging, not {name}"));
        } else if observation.shape.len() != 1 || length % 3 != 0 || length / 3 <= *agents {
            problems.push(
                "`Collector` reads vector observations with levels; set `observation: Vector` and `observe_levels: true`"
                    .to_owned(),
            );
        }
        if !(0.0..=1.0).contains(&self.noise) {
            problems.push(format!("`noise`: {}, it must be 0 to 1", self.noise));
        }
        if problems.is_empty() {
            let foods = length / 3 - agents;
            Ok(Agent::Policy(Box::new(Walker { foods, noise: self.noise })))
        } else {
            Err(AgentError { problems })
        }
    }
}

#[derive(Clone)]
struct Walker {
    foods: usize,
    noise: f64,
}

const LOAD: u16 = 5;
const MOVES: usize = 6;

/// The food with the smallest summed distance to the players in view, as row and column.
fn nearest(triples: &[[f32; 3]], foods: usize) -> Option<(f32, f32)> {
    let (foods, players) = triples.split_at(foods);
    let cost = |food: &[f32; 3]| -> f32 {
        let seen = players.iter().filter(|player| player[0] >= 0.0);
        seen.map(|player| (player[0] - food[0]).abs() + (player[1] - food[1]).abs()).sum()
    };
    let mut best: Option<(&[f32; 3], f32)> = None;
    for food in foods.iter().filter(|food| food[2] > 0.0) {
        let cost = cost(food);
        if best.is_none_or(|(_, least)| cost < least) {
            best = Some((food, cost));
        }
    }
    best.map(|(food, _)| (food[0], food[1]))
}

impl Walker {
    fn choose(
        &self,
        observation: &[f32],
        mask: &[bool],
        rng: &mut ChaCha8Rng,
        row: usize,
    ) -> Result<u16, PolicyError> {
        let (triples, _) = observation.as_chunks::<3>();
        let own = triples[self.foods];
        let target = nearest(triples, self.foods);
        let Some((rows, cols)) = target.map(|(row, col)| (row - own[0], col - own[1])) else {
            return draw_allowed(rng, mask, row);
        };
        if rows.abs() + cols.abs() < 1.5 {
            return Ok(LOAD);
        }
        if unit_f64(rng) < self.noise {
            return draw_allowed(rng, mask, row);
        }
        // NORTH, SOUTH, WEST, EAST: those that come nearer and are open.
        let nearer = [rows < 0.0, rows > 0.0, cols < 0.0, cols > 0.0];
        let mut useful = [false; MOVES];
        for (move_, nearer) in nearer.into_iter().enumerate() {
            useful[move_ + 1] = nearer && mask[move_ + 1];
        }
        if useful.contains(&true) {
            draw_allowed(rng, &useful, row)
        } else {
            draw_allowed(rng, mask, row)
        }
    }
}

impl Policy for Walker {
    fn fork(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    fn act(
        &mut self,
        view: &View<'_>,
        rngs: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let length = view.observations.len() / view.rows();
        view.choose_discrete(rngs, actions, |rng, row| {
            let observation = &view.observations[row * length..(row + 1) * length];
            let mask = &view.masks[row * MOVES..(row + 1) * MOVES];
            self.choose(observation, mask, rng, row)
        })
    }
}
