//! An agent of one's own beside Gambol's: `cargo run -p own-agent -- run tests/examples/own_agent/eager.ron`.

use gambol_agents::choice::draw_allowed;
use gambol_agents::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};
use gambol_agents::{Agent, AgentError, AgentFactory, Setting};
use gambol_envs::registry::Registered;
use gambol_envs::seed::unit_f64;

/// Takes the last action (in foraging LOAD) where it is allowed, with a probability, and else any allowed one.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Eager {
    eagerness: f64,
}

impl Registered<dyn AgentFactory> for Eager {
    const NAME: &'static str = "Eager";
    const SUMMARY: &'static str = "prefers the last action where it is allowed";

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl AgentFactory for Eager {
    fn build(&self, _: &Setting<'_>) -> Result<Agent, AgentError> {
        if (0.0..=1.0).contains(&self.eagerness) {
            return Ok(Agent::Policy(Box::new(self.clone())));
        }
        Err(AgentError::new(format!("`eagerness`: {}, it is a probability", self.eagerness)))
    }
}

impl Policy for Eager {
    fn act(
        &mut self,
        view: &View,
        rngs: &mut LaneRngs,
        out: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        let size = view.masks.len() / view.rows();
        view.choose_discrete(rngs, out, |rng, row| {
            let mask = &view.masks[row * size..(row + 1) * size];
            let eager = mask[size - 1] && unit_f64(rng) < self.eagerness;
            if eager { Ok(size as u16 - 1) } else { draw_allowed(rng, mask, row) }
        })
    }

    fn fork(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

fn main() -> std::process::ExitCode {
    let mut registries = gambol_runner::Registries::standard();
    registries.agents.register::<Eager>();
    gambol_runner::main_with(registries)
}
