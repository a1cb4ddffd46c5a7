//! Advantage actor-critics (Mnih et al. 2016, synchronous): one plain policy gradient for each rollout.
//! The critic of the independent one sees what its agent sees, that of the multi-agent one the global state
//! (Papoudakis et al. 2021).

use gambol_envs::registry::Registered;
use serde::{Deserialize, Serialize};

use super::actor_critic::{ActorCritic, Critic, Passes, Plan};
use super::{LearnerPlan, Planned};
use crate::AgentFactory;
use crate::network::NetworkConfig;

/// Independent advantage actor-critic, as a scenario file configures it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ia2c {
    /// The agents' networks; the critics have the same hidden layers.
    pub network: NetworkConfig,
    /// How the policy is learned.
    pub learning: ActorCritic,
}

impl Registered<dyn AgentFactory> for Ia2c {
    const NAME: &'static str = "Ia2c";
    const SUMMARY: &'static str = "independent advantage actor-critic";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl Planned for Ia2c {
    fn plan(&self) -> Box<dyn LearnerPlan + '_> {
        Box::new(Plan {
            name: Self::NAME,
            network: &self.network,
            learning: &self.learning,
            critic: Critic::Own,
            passes: Passes { epochs: 1, minibatches: 1, ratio: None },
        })
    }
}

/// Advantage actor-critic with a critic of the global state, as a scenario file configures it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Maa2c {
    /// The agents' networks; the critics have the same hidden layers.
    pub network: NetworkConfig,
    /// How the policy is learned.
    pub learning: ActorCritic,
}

impl Registered<dyn AgentFactory> for Maa2c {
    const NAME: &'static str = "Maa2c";
    const SUMMARY: &'static str = "advantage actor-critic with a centralised critic";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl Planned for Maa2c {
    fn plan(&self) -> Box<dyn LearnerPlan + '_> {
        Box::new(Plan {
            name: Self::NAME,
            network: &self.network,
            learning: &self.learning,
            critic: Critic::Central,
            passes: Passes { epochs: 1, minibatches: 1, ratio: None },
        })
    }
}
