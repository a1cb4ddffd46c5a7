//! Recurrent networks: every learner solves with memory what it cannot solve without, and rollouts end anywhere.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "tests")]

use gambol_agents::network::{NetworkConfig, Sharing};
use gambol_agents::schedule::Epsilon;
use gambol_agents::torch::{
    ActorCritic, Ia2c, Ippo, Iql, Maa2c, Mappo, MixerConfig, QLearning, Qmix, Vdn,
};
use gambol_agents::{AgentError, AgentFactory};

#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod common;

use common::recall::Recall;
use common::{Session, evaluate};

/// Instances and environment steps that suffice, for each learner.
fn learners(recurrent: bool) -> Vec<(Box<dyn AgentFactory>, usize, u64)> {
    let network = |sharing| NetworkConfig {
        hidden: vec![16, 16],
        recurrent,
        sharing,
        ..NetworkConfig::default()
    };
    let (shared, separate) = (network(Sharing::Shared), network(Sharing::Separate));
    let values = QLearning {
        gamma: 0.9,
        rate: 3e-3,
        batch: 96,
        replay: 5_000,
        warm_up: 500,
        steps_per_update: 16,
        // Windows of six steps begin within episodes of four.
        rollout: 6,
        epsilon: Epsilon { steps: 5_000, ..Epsilon::default() },
        ..QLearning::default()
    };
    let policy = ActorCritic { gamma: 0.9, rate: 3e-3, rollout: 6, ..ActorCritic::default() };
    let mixer = MixerConfig::default();
    vec![
        (Box::new(Iql { network: shared.clone(), learning: values.clone() }), 8, 12_000),
        (Box::new(Vdn { network: separate.clone(), learning: values.clone() }), 8, 12_000),
        (Box::new(Qmix { network: shared.clone(), learning: values, mixer }), 8, 12_000),
        (Box::new(Ia2c { network: separate.clone(), learning: policy.clone() }), 16, 40_000),
        (Box::new(Maa2c { network: shared.clone(), learning: policy.clone() }), 16, 40_000),
        (
            Box::new(Ippo { network: shared, learning: policy.clone(), ..Ippo::default() }),
            16,
            25_000,
        ),
        (Box::new(Mappo { network: separate, learning: policy, ..Mappo::default() }), 16, 40_000),
    ]
}

/// The most that is to be had without memory is half of the points; with it all.
#[test]
fn only_agents_with_memory_recall() {
    for recurrent in [true, false] {
        for (factory, envs, steps) in learners(recurrent) {
            let mut session = Session::of(&*factory, &Recall, 1, envs);
            while session.steps < if recurrent { steps } else { steps / 4 } {
                session.advance().unwrap();
            }
            let value = evaluate(&mut *session.learner.policy(true).unwrap(), &Recall, 1, 400);
            if recurrent {
                assert!(value > 0.95, "{value} after {} steps with {factory:?}", session.steps);
            } else {
                assert!(value < 0.6, "{value} with {factory:?}");
            }
        }
    }
}

/// A restart in the middle of episodes, which the runner makes of `save`, `memory` and their opposites.
#[test]
fn memory_and_checkpoint_together_go_on_to_the_bit() {
    for (factory, envs, _) in learners(true) {
        let mut whole = Session::of(&*factory, &Recall, 3, envs);
        for _ in 0..25 {
            whole.advance().unwrap();
        }
        let mut resumed = Session::of(&*factory, &Recall, 3, envs).learner;
        resumed.load(&whole.learner.save().unwrap()).unwrap();
        let memory = whole.learner.memory();
        // 150 steps are no multiple of an episode's four: there is something to remember.
        assert_eq!(memory.len(), envs * 2 * 16);
        assert!(memory.iter().any(|unit| unit.abs() > 1e-3));
        resumed.remember(&memory);
        for _ in 0..5 {
            whole.collect();
            // The resumed one acts on the same views, and would act alike.
            for t in 0..whole.rollout.steps {
                let mut rngs = whole.rngs.clone();
                let mut actions = whole.actions.clone();
                resumed.act(&whole.rollout.view(t), &mut rngs, &mut actions).unwrap();
            }
            assert_eq!(resumed.memory(), whole.learner.memory(), "{factory:?}");
            let (one, other) = (
                whole.learner.learn(&whole.rollout).unwrap(),
                resumed.learn(&whole.rollout).unwrap(),
            );
            assert_eq!(one, other, "{factory:?}");
            whole.rollout.carry_on();
        }
        assert_eq!(whole.learner.save().unwrap(), resumed.save().unwrap(), "{factory:?}");
        // A copy for other lanes begins with nothing.
        assert!(whole.learner.fork().memory().is_empty());
    }
}

#[test]
fn misfits_of_memory_are_named() {
    let network = NetworkConfig { recurrent: true, ..NetworkConfig::default() };
    let problem = |factory: &dyn AgentFactory| -> AgentError {
        match common::build(factory, &Recall, 0, 16) {
            Err(error) => error,
            Ok(_) => panic!("it was built"),
        }
    };
    let none = NetworkConfig { hidden: Vec::new(), ..network.clone() };
    assert_eq!(
        problem(&Ippo { network: none, ..Ippo::default() }).to_string(),
        "`network.recurrent`: true, but `hidden` has no layer that could remember"
    );
    let learning = QLearning { replay: 100, warm_up: 10, rollout: 8, ..QLearning::default() };
    assert_eq!(
        problem(&Iql { network, learning }).to_string(),
        "`learning.replay`: 100, but one rollout of a recurrent network has 128"
    );
}
