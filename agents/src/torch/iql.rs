//! Independent Q-learning (Tan 1993; deep: Tampuu et al. 2017): every agent learns the value of its own actions and takes
//! the others for a part of the world.

use gambol_envs::registry::Registered;
use serde::{Deserialize, Serialize};

use super::q::{Mixing, Plan, QLearning};
use super::{LearnerPlan, Planned};
use crate::AgentFactory;
use crate::network::NetworkConfig;

/// Independent deep Q-learning, as a scenario file configures it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Iql {
    /// The agents' networks.
    pub network: NetworkConfig,
    /// How values are learned.
    pub learning: QLearning,
}

impl Registered<dyn AgentFactory> for Iql {
    const NAME: &'static str = "Iql";
    const SUMMARY: &'static str = "independent deep Q-learning";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl Planned for Iql {
    fn plan(&self) -> Box<dyn LearnerPlan + '_> {
        Box::new(Plan {
            name: Self::NAME,
            network: &self.network,
            learning: &self.learning,
            mixing: Mixing::Independent,
        })
    }
}
