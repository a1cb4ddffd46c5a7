//! Actor-critics where the answer is known: values behind a cut, one update of PPO, drawn and greedy policies.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "tests")]

use gambol_agents::advantage::Estimator;
use gambol_agents::learner::Learner;
use gambol_agents::mlp::Activation;
use gambol_agents::network::{Form, Network};
use gambol_agents::options::{RewardUse, TimeLimit};
use gambol_agents::torch::{ActorCritic, Ia2c, Ippo, Maa2c, Target};
use gambol_envs::matrix::Matrix;

#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod common;

use common::{Session, evaluate};

fn matrix(text: &str) -> Matrix {
    ron::from_str(text).unwrap()
}

/// The critic's value of an input.
fn value(learner: &dyn Learner, input: &[f32]) -> f64 {
    let saved = learner.parameters().unwrap();
    let (form, flat) = Form::read(&saved, "critic", Activation::Relu).unwrap();
    let mut network = Network::new(&form);
    network.fill(&flat).unwrap();
    let mut out = [0.0];
    network.forward(input, &mut out).unwrap();
    f64::from(out[0])
}

/// One action, one point each round, five rounds: bootstrapped over the cut the value is `1 / (1 - gamma)`. With the cut
/// as an end and nothing that tells the rounds apart, it is the fixed point of `value = 1 + gamma * 4/5 * value`.
#[test]
fn critics_bootstrap_from_the_last_observation_of_a_cut_episode() {
    let env = matrix("(game: Tensors(actions: [1], payoffs: [[1.0]]), rounds: 5, memory: 0)");
    let (bootstrapped, ended) = (10.0, 1.0 / (1.0 - 0.72));
    for (time_limit, target, expected) in [
        (TimeLimit::Bootstrap, None, bootstrapped),
        (TimeLimit::Bootstrap, Some(Target::Soft(0.2)), bootstrapped),
        (TimeLimit::Terminal, None, ended),
    ] {
        let learning = ActorCritic {
            gamma: 0.9,
            rate: 5e-3,
            clip: None,
            rollout: 5,
            estimator: Estimator::Steps(1),
            target,
            time_limit,
            reward: RewardUse::Individual,
            ..ActorCritic::default()
        };
        let own = Ia2c { learning: learning.clone(), ..Ia2c::default() };
        let central = Maa2c { learning, ..Maa2c::default() };
        let mut sessions = [Session::of(&own, &env, 3, 4), Session::of(&central, &env, 3, 4)];
        for session in &mut sessions {
            for _ in 0..800 {
                session.advance().unwrap();
            }
            // The one observation, or state, is a 1; the one agent's number follows it.
            let found = value(&*session.learner, &[1.0, 1.0]);
            assert!(
                (found - expected).abs() < 0.02 * expected,
                "{found} instead of {expected}: {time_limit:?}, {target:?}"
            );
        }
    }
}

/// Before the policy has moved every ratio is 1, where the clipped objective has the plain policy gradient.
#[test]
fn the_first_update_of_ppo_is_the_plain_policy_gradient() {
    let env = matrix("(game: Catalogue(\"stag_hunt\"), rounds: 20, memory: 1)");
    let plain = Ia2c::default();
    let clipped = Ippo { epochs: 1, minibatches: 1, ..Ippo::default() };
    let mut sessions = [Session::of(&plain, &env, 5, 8), Session::of(&clipped, &env, 5, 8)];
    let before = sessions[0].learner.save().unwrap();
    let [one, other] = sessions.each_mut().map(|session| {
        session.advance().unwrap();
        let saved = session.learner.save().unwrap();
        let size = saved.tensors["online"].shape[0];
        saved.f32("online", &[size]).unwrap().to_vec()
    });
    for (one, other) in one.iter().zip(&other) {
        assert!((one - other).abs() < 1e-6, "{one}, {other}");
    }
    let size = one.len();
    let start = before.f32("online", &[size]).unwrap();
    assert!(one.iter().zip(start).any(|(now, then)| (now - then).abs() > 1e-5));
}

/// The first action pays each player one point whatever the other does.
#[test]
fn a_dominant_action_is_found_and_drawn_policies_still_draw() {
    let env = matrix(
        "(game: Bimatrix(row: [[1.0, 1.0], [0.0, 0.0]], column: [[1.0, 0.0], [1.0, 0.0]]), rounds: 10, memory: 0)",
    );
    for always_draw in [false, true] {
        let learning = ActorCritic {
            gamma: 0.5,
            rate: 1e-3,
            entropy: 0.3,
            standardise_advantages: false,
            reward: RewardUse::Individual,
            always_draw,
            ..ActorCritic::default()
        };
        let ippo = Ippo { learning, ..Ippo::default() };
        let mut session = Session::of(&ippo, &env, 1, 16);
        for _ in 0..60 {
            session.advance().unwrap();
        }
        let mut policy = session.learner.policy(true).unwrap();
        // Twenty points when both always take the first action; the entropy keeps the drawn ones off it at times.
        let found = evaluate(&mut *policy, &env, 2, 64);
        if always_draw {
            assert!(found > 12.0 && found < 19.99, "{found}");
        } else {
            assert!((found - 20.0).abs() < 1e-9, "{found}");
        }
    }
}
