//! Tabular Q-learning: values known by hand, a small task, exact checkpoints, refusals.
#![allow(clippy::unwrap_used, reason = "tests")]

use gambol_agents::learner::{Checkpoint, Learner};
use gambol_agents::options::{Masks, RewardUse, TimeLimit};
use gambol_agents::schedule::{Decay, Epsilon};
use gambol_agents::tabular::TabularQ;
use gambol_agents::{AgentFactory, Device, Setting};
use gambol_envs::EnvFactory;
use gambol_envs::foraging::{Foraging, Levels};
use gambol_envs::matrix::Matrix;
use gambol_envs::seed::Streams;

#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod common;

use common::{Session, evaluate};

fn matrix(text: &str) -> Matrix {
    ron::from_str(text).unwrap()
}

fn trained(config: &TabularQ, env: &dyn EnvFactory, envs: usize, steps: u64) -> Session {
    let mut session = Session::of(config, env, 3, envs);
    while session.steps < steps {
        session.advance().unwrap();
    }
    session
}

fn values(learner: &dyn Learner, agent: usize) -> Vec<f64> {
    let saved = learner.parameters().unwrap();
    let name = format!("agent.{agent}.values");
    let shape = saved.tensors[&name].shape.clone();
    saved.f64(&name, &shape).unwrap().to_vec()
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
    }
}

/// One action, one point each round, five rounds: bootstrapped over the cut the value is `1 / (1 - gamma)`. With the cut
/// as an end and nothing that tells the rounds apart, it is the fixed point of `value = 1 + gamma * 4/5 * value`.
#[test]
fn a_cut_episode_is_bootstrapped_from_its_last_observation() {
    let env = matrix("(game: Tensors(actions: [1], payoffs: [[1.0]]), rounds: 5, memory: 0)");
    let config = TabularQ { gamma: 0.9, rate: 0.5, ..TabularQ::default() };
    close(&values(&*trained(&config, &env, 1, 2_000).learner, 0), &[10.0]);
    let terminal = TabularQ { time_limit: TimeLimit::Terminal, visits: 0.7, ..config };
    let found = values(&*trained(&terminal, &env, 1, 40_000).learner, 0)[0];
    assert!((found - 1.0 / (1.0 - 0.72)).abs() < 0.1, "{found}");
}

/// The second player's other column does not exist and keeps its high first value, which must not be bootstrapped from:
/// neither within an episode nor from the last moment of one that was cut.
#[test]
fn a_cut_episode_is_bootstrapped_over_allowed_actions() {
    let env = matrix(
        "(game: Tensors(actions: [2, 1], payoffs: [[1.0, 1.0], [1.0, 1.0]]), rounds: 5, memory: 0)",
    );
    let config = TabularQ { gamma: 0.9, rate: 0.5, initial: 100.0, ..TabularQ::default() };
    close(&values(&*trained(&config, &env, 1, 4_000).learner, 1), &[10.0, 100.0]);
}

/// A game that stops by itself has no value behind the stop.
#[test]
fn an_ended_episode_is_not_bootstrapped() {
    let env = matrix("(game: Tensors(actions: [2, 1], payoffs: [[3.0, -1.0], [5.0, 2.0]]))");
    let config = TabularQ { rate: 0.5, ..TabularQ::default() };
    let session = trained(&config, &env, 4, 2_000);
    close(&values(&*session.learner, 0), &[3.0, -1.0]);
    // The second player's other column does not exist: the mask forbids it, and it keeps its first value.
    let second = values(&*session.learner, 1);
    assert!(second[0] > 1.9 && second[0] < 5.1 && second[1] == 0.0, "{second:?}");
    let team = TabularQ { reward: RewardUse::Team, rate: 0.5, ..config };
    close(&values(&*trained(&team, &env, 4, 2_000).learner, 0), &[8.0, 1.0]);
}

/// Against itself, with the last round remembered, the repeated dilemma is learned to the bit the same way twice, and
/// what is learned is worth at least mutual defection.
#[test]
fn the_repeated_dilemma_is_worth_at_least_mutual_defection() {
    let env = matrix("(game: Catalogue(\"prisoners_dilemma\"), rounds: 20, memory: 1)");
    let config = TabularQ {
        visits: 0.6,
        rate: 1.0,
        epsilon: Epsilon { start: 1.0, end: 0.01, steps: 30_000 },
        ..TabularQ::default()
    };
    let session = trained(&config, &env, 8, 40_000);
    let again = trained(&config, &env, 8, 40_000);
    assert_eq!(session.learner.save().unwrap(), again.learner.save().unwrap());
    let mut greedy = session.learner.policy(true).unwrap();
    let defect = env.normal_form().unwrap();
    let floor = 20.0 * (0..2).map(|player| defect.payoff_tensor(player)[[1, 1]]).sum::<f64>();
    let found = evaluate(&mut *greedy, &env, 1, 8);
    assert!(found >= floor - 1e-3, "{found} below {floor}");
}

fn small_task() -> Foraging {
    Foraging {
        size: Some((4, 4)),
        players: Some(2),
        foods: Some(1),
        coop: Some(true),
        steps: 30,
        player_levels: vec![Levels { min: 1, max: Some(1) }],
        ..Foraging::default()
    }
}

fn small_learner() -> TabularQ {
    TabularQ {
        gamma: 0.9,
        rate: 0.2,
        decay: Decay::Linear(0.1),
        reward: RewardUse::Team,
        epsilon: Epsilon { start: 1.0, end: 0.05, steps: 100_000 },
        ..TabularQ::default()
    }
}

#[test]
fn two_players_learn_to_lift_one_food_together() {
    let env = small_task();
    let session = trained(&small_learner(), &env, 32, 150_000);
    let mut greedy = session.learner.policy(true).unwrap();
    let found = evaluate(&mut *greedy, &env, 1, 500);
    assert!(found > 0.9, "{found}");
    let mut fresh = Session::of(&small_learner(), &env, 3, 32).learner.policy(true).unwrap();
    assert!(evaluate(&mut *fresh, &env, 1, 500) < 0.5);
    // Frozen parameters act the same.
    let spec = env.spec().unwrap();
    let files = std::collections::BTreeMap::new();
    let setting = Setting {
        spec: &spec,
        envs: 32,
        streams: Streams::new(3),
        device: Device::Cpu,
        total_steps: 0,
        files: &files,
    };
    let saved = session.learner.parameters().unwrap();
    let mut frozen = small_learner().frozen(&setting, &saved, true).unwrap();
    assert_eq!(evaluate(&mut *frozen, &env, 1, 500).to_bits(), found.to_bits());
}

#[test]
fn a_resumed_learner_goes_on_to_the_bit() {
    for masks in [Masks::Use, Masks::Ignore] {
        let config = TabularQ { masks, visits: 0.5, ..small_learner() };
        let mut whole = trained(&config, &small_task(), 8, 5_000);
        let saved = whole.learner.save().unwrap();
        let mut resumed = Session::of(&config, &small_task(), 3, 8).learner;
        resumed.load(&saved).unwrap();
        assert_eq!(resumed.save().unwrap(), saved);
        for _ in 0..50 {
            whole.collect();
            let one = whole.learner.learn(&whole.rollout).unwrap();
            assert_eq!(one, resumed.learn(&whole.rollout).unwrap());
            whole.rollout.carry_on();
        }
        assert_eq!(resumed.save().unwrap(), whole.learner.save().unwrap());
        assert_ne!(resumed.save().unwrap(), saved);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let config = TabularQ {
        gamma: 1.5,
        visits: -1.0,
        rate: 0.0,
        initial: f64::NAN,
        rollout: 0,
        reward: RewardUse::Team,
        decay: Decay::Linear(2.0),
        ..TabularQ::default()
    };
    let zero_sum = matrix("(game: Catalogue(\"rock_paper_scissors\"))");
    let Err(error) = common::build(&config, &zero_sum, 0, 1) else { panic!("it was built") };
    assert_eq!(
        error.problems,
        [
            "`gamma`: 1.5, it must be 0 to 1",
            "`visits`: -1, it must be 0 to 1",
            "`rate`: 0, it must be above 0 and at most 1",
            "`initial`: NaN, it must be a finite number",
            "`rollout`: 0, it must be 1 to 1048576",
            "`reward`: Team, but the rewards of Matrix-rock_paper_scissors-1r-0m always sum to zero; use Individual",
            "`decay`: Linear(2), it must be 0 to 1",
        ]
    );
    let mut session = Session::of(&TabularQ { most: 50, ..small_learner() }, &small_task(), 0, 8);
    let error = loop {
        if let Err(error) = session.advance() {
            break error.to_string();
        }
    };
    assert!(error.starts_with("an agent's table holds more than 50 observations"), "{error}");
    // A damaged checkpoint leaves the learner as it was.
    let before = session.learner.save().unwrap();
    let mut bad = before.clone();
    let name = "agent.1.observations";
    let shape = bad.tensors[name].shape.clone();
    bad.put_f32(name, &shape, vec![0.0; shape.iter().product()]);
    let error = session.learner.load(&bad).unwrap_err().to_string();
    assert!(error.contains("has an observation twice"), "{error}");
    assert!(session.learner.load(&Checkpoint::default()).is_err());
    assert_eq!(session.learner.save().unwrap(), before);
}
