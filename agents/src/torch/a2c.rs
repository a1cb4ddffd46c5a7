//! Advantage actor-critics (Mnih et al. 2016, synchronous): one plain policy gradient for each rollout.

use gambol_envs::registry::Registered;
use serde::{Deserialize, Serialize};

use super::actor_critic::{ActorCritic, Critic, Passes, Plan};
use super::{LearnerPlan, Planned};
use crate::AgentFactory;
use crate::network::NetworkConfig;

/// Two learners that differ in what the critic sees.
macro_rules! advantage_actor_critic {
    ($name:ident, $critic:expr, $summary:literal, $about:literal) => {
        #[doc = $about]
        #[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// The agents' networks; the critics have the same hidden layers, without memory.
            pub network: NetworkConfig,
            /// How the policy is learned.
            pub learning: ActorCritic,
        }

        impl Registered<dyn AgentFactory> for $name {
            const NAME: &'static str = stringify!($name);
            const SUMMARY: &'static str = $summary;

            fn examples() -> Vec<Self> {
                vec![Self::default()]
            }

            fn boxed(self) -> Box<dyn AgentFactory> {
                Box::new(self)
            }
        }

        impl Planned for $name {
            fn plan(&self) -> Box<dyn LearnerPlan + '_> {
                Box::new(Plan {
                    name: Self::NAME,
                    network: &self.network,
                    learning: &self.learning,
                    critic: $critic,
                    passes: Passes { epochs: 1, minibatches: 1, ratio: None },
                })
            }
        }
    };
}

advantage_actor_critic!(
    Ia2c,
    Critic::Own,
    "independent advantage actor-critic",
    "Independent advantage actor-critic, as a scenario file configures it: the critic sees what its agent sees."
);
advantage_actor_critic!(
    Maa2c,
    Critic::Central,
    "advantage actor-critic with a centralised critic",
    "Multi-agent advantage actor-critic (Papoudakis et al. 2021), as a scenario file configures it: the critic sees the global state."
);
