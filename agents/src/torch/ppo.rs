//! Proximal policy optimisation (Schulman et al. 2017): several updates for each rollout, none of which gains from
//! moving an action's probability far.
//! The critic of the independent one (de Witt et al. 2020) sees what its agent sees, that of the multi-agent one
//! (Yu et al. 2022) the global state.

use gambol_envs::registry::Registered;
use serde::{Deserialize, Serialize};

use super::actor_critic::{ActorCritic, Critic, Passes, Plan};
use super::{LearnerPlan, Planned};
use crate::AgentFactory;
use crate::network::NetworkConfig;

/// Independent proximal policy optimisation, as a scenario file configures it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ippo {
    /// The agents' networks; the critics have the same hidden layers.
    pub network: NetworkConfig,
    /// How the policy is learned.
    pub learning: ActorCritic,
    /// Times that a rollout is gone through.
    pub epochs: usize,
    /// Parts of one such time, each an update; `EPyMARL` has 1.
    pub minibatches: usize,
    /// How far the probability of an action may move in one rollout before it gains nothing more, as a share.
    pub ratio: f64,
}

impl Default for Ippo {
    fn default() -> Self {
        Self {
            network: NetworkConfig::default(),
            learning: ActorCritic::default(),
            epochs: 4,
            minibatches: 4,
            ratio: 0.2,
        }
    }
}

impl Registered<dyn AgentFactory> for Ippo {
    const NAME: &'static str = "Ippo";
    const SUMMARY: &'static str = "independent proximal policy optimisation";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl Planned for Ippo {
    fn plan(&self) -> Box<dyn LearnerPlan + '_> {
        Box::new(Plan {
            name: Self::NAME,
            network: &self.network,
            learning: &self.learning,
            critic: Critic::Own,
            passes: Passes {
                epochs: self.epochs,
                minibatches: self.minibatches,
                ratio: Some(self.ratio),
            },
        })
    }
}

/// Proximal policy optimisation with a critic of the global state, as a scenario file configures it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mappo {
    /// The agents' networks; the critics have the same hidden layers.
    pub network: NetworkConfig,
    /// How the policy is learned.
    pub learning: ActorCritic,
    /// Times that a rollout is gone through.
    pub epochs: usize,
    /// Parts of one such time, each an update; `EPyMARL` has 1.
    pub minibatches: usize,
    /// How far the probability of an action may move in one rollout before it gains nothing more, as a share.
    pub ratio: f64,
}

impl Default for Mappo {
    fn default() -> Self {
        Self {
            network: NetworkConfig::default(),
            learning: ActorCritic::default(),
            epochs: 4,
            minibatches: 4,
            ratio: 0.2,
        }
    }
}

impl Registered<dyn AgentFactory> for Mappo {
    const NAME: &'static str = "Mappo";
    const SUMMARY: &'static str = "proximal policy optimisation with a centralised critic";

    fn examples() -> Vec<Self> {
        vec![Self::default()]
    }

    fn boxed(self) -> Box<dyn AgentFactory> {
        Box::new(self)
    }
}

impl Planned for Mappo {
    fn plan(&self) -> Box<dyn LearnerPlan + '_> {
        Box::new(Plan {
            name: Self::NAME,
            network: &self.network,
            learning: &self.learning,
            critic: Critic::Central,
            passes: Passes {
                epochs: self.epochs,
                minibatches: self.minibatches,
                ratio: Some(self.ratio),
            },
        })
    }
}
