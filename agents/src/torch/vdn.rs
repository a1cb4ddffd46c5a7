//! Value decomposition networks (Sunehag et al. 2018): the team's value is the sum of the agents' values, so that each
//! learns its share of the team's reward and acts alone.

use gambol_envs::registry::Registered;
use serde::{Deserialize, Serialize};

use super::q::{Mixing, Plan, QLearning};
use super::{LearnerPlan, Planned};
use crate::AgentFactory;
use crate::network::NetworkConfig;

/// Value decomposition, as a scenario file configures it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vdn {
    /// The agents' networks.
    pub network: NetworkConfig,
    /// How values are learned.
    pub learning: QLearning,
}

impl Registered<dyn AgentFactory> for Vdn {
    const NAME: &'static str = "Vdn";
    const SUMMARY: &'static str = "deep Q-learning of the sum of the agents' values";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl Planned for Vdn {
    fn plan(&self) -> Box<dyn LearnerPlan + '_> {
        Box::new(Plan {
            name: Self::NAME,
            network: &self.network,
            learning: &self.learning,
            mixing: Mixing::Sum,
        })
    }
}
