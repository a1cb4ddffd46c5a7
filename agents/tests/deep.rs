//! Learners on libtorch on the real environment: they learn, they resume to the bit, and they refuse what does not fit.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "tests")]

use gambol_agents::advantage::Estimator;
use gambol_agents::learner::{LearnError, Learner};
use gambol_agents::network::{NetworkConfig, Sharing};
use gambol_agents::options::{Masks, RewardUse, TimeLimit};
use gambol_agents::policy::ActionBuffer;
use gambol_agents::schedule::Epsilon;
use gambol_agents::torch::{
    ActorCritic, Ia2c, Ippo, Iql, Maa2c, Mappo, MixerConfig, QLearning, Qmix, Sac, Target,
    Temperature, Vdn,
};
use gambol_agents::{Agent, AgentFactory, Device, Setting};
use gambol_envs::EnvFactory;
use gambol_envs::foraging::{Foraging, Mode};
use gambol_envs::seed::Streams;
use gambol_envs::spec::{ActionSpace, Payoff};

#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod common;

use common::{Session, evaluate};

const TASK: &str = "Foraging-5x5-2p-1f-coop-v3";

/// Small and quick, so that updates begin after a few rollouts.
fn quick() -> QLearning {
    QLearning { batch: 32, warm_up: 100, replay: 500, steps_per_update: 8, ..QLearning::default() }
}

/// What `EPyMARL` does, as options.
fn reference() -> ActorCritic {
    ActorCritic {
        rollout: 8,
        estimator: Estimator::Steps(5),
        target: Some(Target::Soft(0.01)),
        standardise_rewards: true,
        standardise_advantages: false,
        time_limit: TimeLimit::Terminal,
        masks: Masks::Ignore,
        ..ActorCritic::default()
    }
}

fn learners() -> Vec<Box<dyn AgentFactory>> {
    let network = |sharing| NetworkConfig { hidden: vec![24], sharing, ..NetworkConfig::default() };
    let recurrent = |sharing| NetworkConfig { recurrent: true, ..network(sharing) };
    let odd = QLearning {
        target: Target::Soft(0.1),
        double: false,
        masks: Masks::Ignore,
        time_limit: TimeLimit::Terminal,
        standardise_rewards: true,
        ..quick()
    };
    let individual = QLearning { reward: RewardUse::Individual, ..quick() };
    let soft = || Sac {
        network: network(Sharing::Shared),
        batch: 32,
        warm_up: 100,
        replay: 500,
        steps_per_update: 8,
        ..Sac::default()
    };
    let mixer = MixerConfig { embed: 8, hypernet: vec![16], ..MixerConfig::default() };
    vec![
        Box::new(Iql { network: network(Sharing::Shared), learning: quick() }),
        Box::new(Iql { network: network(Sharing::Separate), learning: individual }),
        Box::new(Iql { network: network(Sharing::Shared), learning: odd.clone() }),
        Box::new(Iql { network: recurrent(Sharing::Separate), learning: quick() }),
        Box::new(Vdn { network: network(Sharing::Separate), learning: quick() }),
        Box::new(Qmix {
            network: network(Sharing::Shared),
            learning: quick(),
            mixer: mixer.clone(),
        }),
        Box::new(Qmix {
            network: network(Sharing::Separate),
            learning: odd.clone(),
            mixer: mixer.clone(),
        }),
        Box::new(Qmix { network: recurrent(Sharing::Shared), learning: odd, mixer }),
        Box::new(soft()),
        Box::new(Sac {
            network: network(Sharing::Separate),
            temperature: Temperature::Fixed(0.05),
            target: Target::Hard(20),
            masks: Masks::Ignore,
            time_limit: TimeLimit::Terminal,
            reward: RewardUse::Individual,
            ..soft()
        }),
        Box::new(Ia2c {
            network: network(Sharing::Shared),
            learning: ActorCritic { rollout: 8, ..ActorCritic::default() },
        }),
        Box::new(Maa2c { network: network(Sharing::Separate), learning: reference() }),
        Box::new(Ippo {
            network: network(Sharing::Separate),
            learning: ActorCritic {
                rollout: 8,
                reward: RewardUse::Individual,
                target: Some(Target::Hard(3)),
                ..ActorCritic::default()
            },
            // 64 rows in parts of 22, 22 and 20.
            minibatches: 3,
            ..Ippo::default()
        }),
        Box::new(Mappo {
            network: network(Sharing::Shared),
            learning: reference(),
            minibatches: 1,
            ..Mappo::default()
        }),
        Box::new(Mappo {
            network: recurrent(Sharing::Separate),
            learning: ActorCritic { rollout: 8, ..ActorCritic::default() },
            // 8 lanes in parts of 3, 3 and 2.
            minibatches: 3,
            ..Mappo::default()
        }),
    ]
}

#[test]
fn a_resumed_learner_goes_on_to_the_bit() {
    for factory in learners() {
        let mut whole = Session::new(&*factory, TASK, 3, 8);
        for _ in 0..12 {
            whole.advance().unwrap();
        }
        let saved = whole.learner.save().unwrap();
        // The ring of 500 turns over in the second half.
        let mut resumed = Session::new(&*factory, TASK, 3, 8).learner;
        resumed.load(&saved).unwrap();
        assert_eq!(resumed.save().unwrap(), saved, "{factory:?}");
        for rollout in 0..12 {
            // It does not act itself.
            resumed.remember(&whole.learner.memory());
            whole.collect();
            let (one, other) = (
                whole.learner.learn(&whole.rollout).unwrap(),
                resumed.learn(&whole.rollout).unwrap(),
            );
            assert_eq!(one, other, "report of rollout {rollout}, {factory:?}");
            whole.rollout.carry_on();
        }
        let (one, other) = (whole.learner.save().unwrap(), resumed.save().unwrap());
        assert_eq!(one, other, "{factory:?}");
        assert_ne!(
            one.tensors["online"], saved.tensors["online"],
            "nothing was learned: {factory:?}"
        );
        assert_eq!(whole.learner.parameters().unwrap(), resumed.parameters().unwrap());
    }
}

#[test]
fn the_same_seed_gives_the_same_parameters_and_another_seed_others() {
    for factory in learners() {
        let run = |seed| {
            let mut session = Session::new(&*factory, TASK, seed, 8);
            for _ in 0..10 {
                session.advance().unwrap();
            }
            session.learner.parameters().unwrap()
        };
        assert_eq!(run(1), run(1), "{factory:?}");
        assert_ne!(run(1), run(2), "{factory:?}");
    }
}

/// The team's reward is the sum of the agents', and masks that are ignored change nothing.
#[test]
fn fact_57_the_common_reward_is_the_sum_and_masks_may_be_ignored() {
    let with = |reward, masks| -> [Box<dyn AgentFactory>; 2] {
        let values = QLearning { reward, masks, ..quick() };
        let policy = ActorCritic { reward, masks, rollout: 8, ..ActorCritic::default() };
        [
            Box::new(Iql { learning: values, ..Iql::default() }),
            Box::new(Ippo { learning: policy, ..Ippo::default() }),
        ]
    };
    let teams = with(RewardUse::Team, Masks::Ignore);
    for (team, own) in teams.iter().zip(with(RewardUse::Individual, Masks::Ignore)) {
        let mut session = Session::new(&**team, TASK, 3, 8);
        let mut other = Session::new(&*own, TASK, 3, 8).learner;
        let mut masked = 0;
        for number in 0..10 {
            session.collect();
            let mut rollout = session.rollout.clone();
            // Rewards of the environment's own are rare, and here differ between the agents.
            let rewards = rollout.rewards.iter_mut().enumerate();
            rewards.for_each(|(at, reward)| *reward = ((at + number) % 5) as f32);
            session.learner.learn(&rollout).unwrap();
            for team in rollout.rewards.chunks_exact_mut(2) {
                team.fill(team[0] + team[1]);
            }
            // Each action alone is allowed, or none is.
            rollout.masks.iter_mut().for_each(|open| *open = !*open);
            rollout.last_masks.fill(false);
            other.learn(&rollout).unwrap();
            let ActionBuffer::Discrete(actions) = &session.rollout.actions else { panic!() };
            let taken = actions.iter().enumerate();
            masked += taken
                .filter(|&(row, &action)| !session.rollout.masks[row * 6 + usize::from(action)])
                .count();
            session.rollout.carry_on();
        }
        assert_eq!(parameters(&*session.learner), parameters(&*other), "{team:?}");
        assert!(masked > 100, "actions are taken whatever the mask: {masked}");
    }
}

/// On a machine with CUDA every learner goes there, and finds what it finds on the CPU.
#[test]
fn learners_train_on_cuda_as_on_the_cpu() {
    if !gambol_agents::torch::build_info().cuda {
        eprintln!("skipped: libtorch sees no CUDA device here");
        return;
    }
    let config = Foraging::task(TASK, Mode::Clean);
    for factory in learners() {
        let mut session = Session::new(&*factory, TASK, 3, 8);
        let built = common::build_on(Device::Cuda(0), &*factory, &config, 3, 8);
        let Ok(Agent::Learner(mut other)) = built else { panic!("{factory:?}") };
        for _ in 0..8 {
            other.remember(&session.learner.memory());
            session.collect();
            session.learner.learn(&session.rollout).unwrap();
            other.learn(&session.rollout).unwrap();
            session.rollout.carry_on();
        }
        let (one, other) = (session.learner.parameters().unwrap(), other.parameters().unwrap());
        for (name, saved) in &one.tensors {
            let [one, other] = [&one, &other].map(|all| all.f32(name, &saved.shape).unwrap());
            for (one, other) in one.iter().zip(other) {
                assert!((one - other).abs() < 1e-2, "{name}: {one}, {other}, {factory:?}");
            }
        }
    }
}

fn parameters(learner: &dyn Learner) -> (gambol_agents::learner::Saved, Vec<i64>) {
    let saved = learner.save().unwrap();
    (saved.tensors["online"].clone(), saved.i64("adam.steps").unwrap().to_vec())
}

#[test]
fn numbers_that_are_not_finite_stop_learning_and_change_no_parameter() {
    for factory in learners() {
        let mut session = Session::new(&*factory, TASK, 3, 8);
        for _ in 0..8 {
            session.advance().unwrap();
        }
        let before = parameters(&*session.learner);
        session.collect();
        let good = session.rollout.clone();
        session.rollout.rewards[5] = f32::NAN;
        let error = session.learner.learn(&session.rollout).unwrap_err();
        assert!(matches!(error, LearnError::NotFinite { what: "a reward", .. }), "{error}");
        // Finite, but its square is not.
        session.rollout = good.clone();
        session.rollout.rewards.fill(1e30);
        if let Err(error) = session.learner.learn(&session.rollout) {
            assert!(matches!(error, LearnError::NotFinite { what: "the loss", .. }), "{error}");
            assert!(error.to_string().contains("is inf at update"), "{error}");
        } else {
            // Standardised rewards are never that large.
            assert!(format!("{factory:?}").contains("standardise_rewards: true"));
            continue;
        }
        assert_eq!(parameters(&*session.learner), before, "{factory:?}");
    }
}

#[test]
fn frozen_parameters_act_as_the_learner_does() {
    for factory in learners() {
        let config = Foraging::task(TASK, Mode::Clean);
        let mut session = Session::new(&*factory, TASK, 3, 8);
        for _ in 0..20 {
            session.advance().unwrap();
        }
        let spec = config.spec().unwrap();
        let files = std::collections::BTreeMap::new();
        let setting = Setting {
            spec: &spec,
            envs: 8,
            streams: Streams::new(3),
            device: Device::Cpu,
            total_steps: 0,
            files: &files,
        };
        let saved = session.learner.parameters().unwrap();
        let mut frozen = factory.frozen(&setting, &saved, true).unwrap();
        let mut own = session.learner.policy(true).unwrap();
        let [one, other] =
            [&mut frozen, &mut own].map(|policy| evaluate(&mut **policy, &config, 1, 64).to_bits());
        assert_eq!(one, other, "{factory:?}");
    }
}

#[test]
fn misfits_are_all_named() {
    let config = Foraging::task(TASK, Mode::Clean);
    let mut spec = config.spec().unwrap();
    spec.action = ActionSpace::Box { low: vec![0.0], high: vec![1.0] };
    spec.state = 0;
    let files = std::collections::BTreeMap::new();
    let setting = Setting {
        spec: &spec,
        envs: 8,
        streams: Streams::new(3),
        device: Device::Cuda(77),
        total_steps: 0,
        files: &files,
    };
    let problems = |factory: &dyn AgentFactory| match factory.build(&setting) {
        Err(error) => error.problems,
        Ok(_) => panic!("it was built"),
    };
    let learning = QLearning {
        gamma: 1.5,
        rate: 0.0,
        batch: 0,
        target: Target::Soft(2.0),
        reward: RewardUse::Individual,
        epsilon: Epsilon { start: -1.0, ..Epsilon::default() },
        ..QLearning::default()
    };
    let network = NetworkConfig { hidden: vec![0], ..NetworkConfig::default() };
    let qmix =
        Qmix { network, learning, mixer: MixerConfig { embed: 0, ..MixerConfig::default() } };
    assert_eq!(
        problems(&qmix),
        [
            "`network.hidden[0]`: 0, it must be 1 to 4096",
            "`learning.gamma`: 1.5, it must be 0 to 1",
            "`learning.rate`: 0, it must be positive",
            "`learning.batch`: 0, it must be 1 to 1048576",
            "`learning.target`: Soft(2), it must be above 0 and at most 1",
            "`learning.epsilon.start`: -1, it must be 0 to 1",
            "`Qmix` learns discrete actions, Foraging-5x5-2p-1f-coop-v3 takes continuous ones",
            "`learning.reward`: Individual, but `Qmix` learns one value for the team; use Team",
            "`mixer.embed`: 0, it must be 1 to 4096",
            "`Qmix` needs a global state, Foraging-5x5-2p-1f-coop-v3 has none",
        ]
    );
    let spec = config.spec().unwrap();
    let setting = Setting { spec: &spec, ..setting };
    let Err(error) = Iql::default().build(&setting) else { panic!("there is no such device") };
    assert!(error.to_string().starts_with("`device`: cuda:77 is not there"), "{error}");
}

#[test]
fn misfits_of_actor_critics_are_all_named() {
    let config = Foraging::task(TASK, Mode::Clean);
    let mut spec = config.spec().unwrap();
    spec.action = ActionSpace::Box { low: vec![0.0], high: vec![1.0] };
    spec.state = 0;
    spec.payoff = Payoff::ZeroSum;
    let files = std::collections::BTreeMap::new();
    let setting = Setting {
        spec: &spec,
        envs: 8,
        streams: Streams::new(3),
        device: Device::Cpu,
        total_steps: 0,
        files: &files,
    };
    let learning = ActorCritic {
        gamma: -0.5,
        clip: Some(f64::INFINITY),
        entropy: -0.1,
        rollout: 0,
        estimator: Estimator::Gae(1.2),
        target: Some(Target::Hard(0)),
        ..ActorCritic::default()
    };
    let mappo = Mappo { learning, epochs: 0, ratio: 1.0, ..Mappo::default() };
    let Err(error) = mappo.build(&setting) else { panic!("it was built") };
    assert_eq!(
        error.problems,
        [
            "`learning.gamma`: -0.5, it must be 0 to 1",
            "`learning.clip`: inf, it must be positive",
            "`learning.entropy`: -0.1, it must not be negative",
            "`learning.rollout`: 0, it must be 1 to 1048576",
            "`learning.estimator`: Gae(1.2), it must be 0 to 1",
            "`learning.target`: Hard(0), it must be at least 1",
            "`learning.reward`: Team, but the rewards of Foraging-5x5-2p-1f-coop-v3 always sum to zero; use Individual",
            "`epochs`: 0, it must be 1 to 65536",
            "`ratio`: 1, it must be between 0 and 1",
            "`Mappo` learns discrete actions, Foraging-5x5-2p-1f-coop-v3 takes continuous ones",
            "`Mappo` needs a global state, Foraging-5x5-2p-1f-coop-v3 has none",
        ]
    );
}

/// The registered learners solve a small task within a few seconds; the scenarios in `assets/` train the larger ones.
#[test]
fn each_learner_solves_a_small_task() {
    let learning = QLearning {
        gamma: 0.95,
        rate: 1e-3,
        batch: 128,
        steps_per_update: 8,
        epsilon: Epsilon { steps: 20_000, ..Epsilon::default() },
        ..QLearning::default()
    };
    let network = NetworkConfig::default();
    let config = Foraging::task(TASK, Mode::Clean);
    let policy = ActorCritic { gamma: 0.95, rate: 2e-3, ..ActorCritic::default() };
    let plain = ActorCritic { rollout: 5, ..policy.clone() };
    // Instances and environment steps: on-policy learners collect from many at once.
    let factories: [(Box<dyn AgentFactory>, usize, u64); 7] = [
        (Box::new(Iql { network: network.clone(), learning: learning.clone() }), 16, 30_000),
        (Box::new(Vdn { network: network.clone(), learning: learning.clone() }), 16, 30_000),
        (
            Box::new(Qmix { network: network.clone(), learning, mixer: MixerConfig::default() }),
            16,
            30_000,
        ),
        (Box::new(Ia2c { network: network.clone(), learning: plain.clone() }), 32, 150_000),
        (Box::new(Maa2c { network, learning: plain }), 32, 150_000),
        (Box::new(Ippo { learning: policy.clone(), ..Ippo::default() }), 64, 60_000),
        (Box::new(Mappo { learning: policy, ..Mappo::default() }), 64, 60_000),
    ];
    for (factory, envs, steps) in factories {
        let mut session = Session::new(&*factory, TASK, 0, envs);
        while session.steps < steps {
            session.advance().unwrap();
        }
        let Ok(mut policy) = session.learner.policy(true) else { panic!("it has parameters") };
        let value = evaluate(&mut *policy, &config, 0, 300);
        assert!(value > 0.85, "{value} after {} steps with {factory:?}", session.steps);
        let Agent::Policy(mut random) =
            common::build(&gambol_agents::scripted::Random::default(), &config, 0, 16).unwrap()
        else {
            panic!("it does not learn")
        };
        assert!(evaluate(&mut *random, &config, 0, 300) < 0.1);
    }
}
