//! Proximal policy optimisation (Schulman et al. 2017): several updates for each rollout, none of which gains from
//! moving an action's probability far.

use gambol_envs::registry::Registered;
use serde::{Deserialize, Serialize};

use super::actor_critic::{ActorCritic, Critic, Passes, Plan};
use super::{LearnerPlan, Planned};
use crate::AgentFactory;
use crate::network::NetworkConfig;

/// Two learners that differ in what the critic sees.
macro_rules! proximal_policy_optimisation {
    ($name:ident, $critic:expr, $summary:literal, $about:literal) => {
        #[doc = $about]
        #[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            /// The agents' networks; the critics have the same hidden layers, without memory.
            pub network: NetworkConfig,
            /// How the policy is learned.
            pub learning: ActorCritic,
            /// Times that a rollout is gone through.
            pub epochs: usize,
            /// Parts of one such time, each an update: shares of all steps, or for recurrent networks of the instances;
            /// `EPyMARL` has 1.
            pub minibatches: usize,
            /// How far the probability of an action may move in one rollout before it gains nothing more, as a share.
            pub ratio: f64,
        }

        impl Default for $name {
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
                let Self { epochs, minibatches, ratio, .. } = *self;
                Box::new(Plan {
                    name: Self::NAME,
                    network: &self.network,
                    learning: &self.learning,
                    critic: $critic,
                    passes: Passes { epochs, minibatches, ratio: Some(ratio) },
                })
            }
        }
    };
}

proximal_policy_optimisation!(
    Ippo,
    Critic::Own,
    "independent proximal policy optimisation",
    "Independent proximal policy optimisation (de Witt et al. 2020), as a scenario file configures it: the critic sees what its agent sees."
);
proximal_policy_optimisation!(
    Mappo,
    Critic::Central,
    "proximal policy optimisation with a centralised critic",
    "Multi-agent proximal policy optimisation (Yu et al. 2022), as a scenario file configures it: the critic sees the global state."
);
