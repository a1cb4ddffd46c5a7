//! The learned switch against the exact one, exact resumption, and the frozen form.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use gambol_agents::learner::{Checkpoint, Learner};
use gambol_agents::mansa::budget::Budget;
use gambol_agents::mansa::exact::{Chain, Switching};
use gambol_agents::mansa::{Mansa, Member, Switch};
use gambol_agents::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};
use gambol_agents::schedule::Epsilon;
use gambol_agents::tabular::TabularQ;
use gambol_agents::{Agent, AgentError, AgentFactory, Device, Setting};
use gambol_envs::EnvFactory;
use gambol_envs::foraging::{Foraging, Mode};
use gambol_envs::seed::Streams;

#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod common;

use common::chains::ChainGame;
use common::{Session, evaluate};

/// A policy from outside that always does the same.
#[derive(Clone, Debug)]
struct Fixed(u16);

impl AgentFactory for Fixed {
    fn build(&self, _: &Setting<'_>) -> Result<Agent, AgentError> {
        Ok(Agent::Policy(Box::new(self.clone())))
    }
}

impl Policy for Fixed {
    fn act(
        &mut self,
        _: &View<'_>,
        _: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        actions.discrete()?.fill(self.0);
        Ok(())
    }

    fn fork(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

fn chain(rows: &[(f64, &[(usize, f64)])]) -> Chain {
    Chain {
        rewards: rows.iter().map(|row| row.0).collect(),
        next: rows.iter().map(|row| row.1.to_vec()).collect(),
    }
}

/// Example A of the specification: a corridor whose last step independent learners rarely make.
fn corridor() -> (ChainGame, Switching) {
    let step: [(f64, &[(usize, f64)]); 2] = [(0.0, &[(1, 1.0)]), (0.0, &[(2, 1.0)])];
    let independent = chain(&[step[0], step[1], (0.2, &[(3, 0.2), (2, 0.8)]), (0.0, &[])]);
    let centralised = chain(&[step[0], step[1], (1.0, &[(3, 1.0)]), (0.0, &[])]);
    let problem = Switching::new(independent.clone(), centralised.clone(), 0.9).unwrap();
    (ChainGame::new([independent, centralised], 3, 40), problem)
}

/// Two stages, each of which independent learners pass with probability 0.25 and 0.5; the first pays 0.3, the second 1.
fn stages() -> (ChainGame, Switching) {
    let independent = chain(&[
        (0.075, &[(1, 0.25), (0, 0.75)]),
        (0.0, &[(2, 1.0)]),
        (0.5, &[(3, 0.5), (2, 0.5)]),
        (0.0, &[]),
    ]);
    let centralised =
        chain(&[(0.3, &[(1, 1.0)]), (0.0, &[(2, 1.0)]), (1.0, &[(3, 1.0)]), (0.0, &[])]);
    let problem = Switching::new(independent.clone(), centralised.clone(), 0.9).unwrap();
    (ChainGame::new([independent, centralised], 3, 40), problem)
}

fn mansa(global: impl AgentFactory + 'static, cost: f64, budget: Option<Budget>) -> Mansa {
    Mansa {
        independent: Member::of(Fixed(0)),
        centralised: Member::of(Fixed(1)),
        global: Member::of(global),
        cost,
        budget,
        ..Mansa::default()
    }
}

fn trained(mansa: &Mansa, game: &ChainGame, envs: usize, steps: u64) -> Session {
    let mut session = Session::of(mansa, game, 7, envs);
    while session.steps < steps {
        session.advance().unwrap();
    }
    session
}

fn table(exploring: u64) -> TabularQ {
    TabularQ {
        gamma: 0.9,
        rate: 1.0,
        visits: 0.7,
        epsilon: Epsilon { start: 1.0, end: 1.0, steps: exploring },
        ..TabularQ::default()
    }
}

/// Values of the Global agent's two actions, by the state and what is left of the budget.
fn global_values(learner: &dyn Learner) -> BTreeMap<(usize, u32), [f64; 2]> {
    let saved = learner.parameters().unwrap();
    let name = "global.agent.0.observations";
    let shape = saved.tensors[name].shape.clone();
    let (rows, width) = (shape[0], shape[1]);
    let seen = saved.f32(name, &shape).unwrap();
    let values = saved.f64("global.agent.0.values", &[rows, 2]).unwrap();
    let states = 4;
    (0..rows)
        .map(|row| {
            let seen = &seen[row * width..(row + 1) * width];
            let state = seen[..states].iter().position(|&on| on > 0.5).unwrap();
            let left = seen.get(states).copied().unwrap_or(0.0);
            ((state, (left * 1000.0).round() as u32), [values[2 * row], values[2 * row + 1]])
        })
        .collect()
}

#[test]
fn fact_10_tabular_switching_finds_the_values_of_example_a() {
    let (game, problem) = corridor();
    let session = trained(&mansa(table(1), 0.1, None), &game, 8, 400_000);
    let values = global_values(&*session.learner);
    for (state, expected) in [(0, [0.729, 0.629]), (1, [0.81, 0.71]), (2, [0.848, 0.9])] {
        for action in 0..2 {
            let found = values[&(state, 0)][action];
            assert!((found - expected[action]).abs() < 0.01, "state {state}, {found}");
        }
    }
    let solved = problem.solve(0.1).unwrap();
    for state in 0..3 {
        let [wait, call] = values[&(state, 0)];
        assert_eq!(call > wait, solved.switch[state]);
        assert!((call.max(wait) - solved.value[state]).abs() < 0.01);
    }
}

/// The values with 0, 1 and 2 calls left, and where they are made.
#[test]
fn a_budget_is_spent_where_the_exact_solver_spends_it() {
    let (game, problem) = stages();
    let budget = Budget { calls: 2, ..Budget::default() };
    let session = trained(&mansa(table(1), 0.0, Some(budget)), &game, 8, 600_000);
    let values = global_values(&*session.learner);
    let levels = problem.with_budget(2, 0.0).unwrap();
    let mut compared = 0;
    for (left, level) in levels.iter().enumerate() {
        for state in 0..3 {
            // An episode begins with all calls, so that not every pair is met.
            let Some([wait, call]) = values.get(&(state, 500 * left as u32)) else { continue };
            let best = if left == 0 { *wait } else { call.max(*wait) };
            let expected = level.value[state];
            assert!((best - expected).abs() < 0.015, "{state}, {left}: {best}, not {expected}");
            if left > 0 && level.gain[state].abs() > 0.02 {
                assert_eq!(call > wait, level.switch[state], "{state} with {left} left");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

/// Where a policy calls, by state.
#[cfg(feature = "torch")]
fn region(policy: &mut dyn Policy, states: usize) -> Vec<bool> {
    (0..states)
        .map(|state| {
            let mut seen = vec![0.0; states];
            seen[state] = 1.0;
            let view = View {
                envs: 1,
                agents: 1,
                observations: &seen,
                masks: &[true, true],
                state: &seen,
                started: &[true],
            };
            let mut rngs =
                LaneRngs::new(Streams::new(0), gambol_envs::seed::Purpose::Evaluate, 0, 1);
            rngs.begin(&[true]);
            let mut actions = ActionBuffer::Discrete(vec![0]);
            policy.fork().act(&view, &mut rngs, &mut actions).unwrap();
            let mut policy = policy.fork();
            policy.act(&view, &mut rngs, &mut actions).unwrap();
            policy.called()[0]
        })
        .collect()
}

/// Checks a learned rule: where the exact gain is clear it is the exact one's, and its exact value is the best one.
#[cfg(feature = "torch")]
fn check_region(global: impl AgentFactory + Clone + 'static, what: &str) {
    for (game, problem) in [corridor(), stages()] {
        // One cost at which calls pay and one at which they do not, each by a clear margin.
        for cost in [0.02, 0.4] {
            let session = trained(&mansa(global.clone(), cost, None), &game, 16, 24_000);
            let found = region(&mut *session.learner.policy(true).unwrap(), 4);
            let solved = problem.solve(cost).unwrap();
            for (state, &found) in found[..3].iter().enumerate() {
                if solved.gain[state].abs() > 0.03 {
                    assert_eq!(
                        found, solved.switch[state],
                        "{what}, cost {cost}, state {state}, gain {:?}",
                        solved.gain
                    );
                }
            }
            let mut rule = found.clone();
            rule[3] = false;
            let (reward, calls) = (problem.reward_of(&rule), problem.discounted_calls(&rule));
            for state in 0..3 {
                let value = reward[state] - cost * calls[state];
                assert!((solved.value[state] - value).abs() < 0.025, "{what}, {cost}, {found:?}");
            }
        }
    }
}

#[cfg(feature = "torch")]
mod deep {
    use gambol_agents::network::NetworkConfig;
    use gambol_agents::scripted::{Collector, Random};
    use gambol_agents::torch::{Iql, QLearning, Sac, Target, Temperature};

    use super::*;

    pub(super) fn double_dqn() -> Iql {
        Iql {
            network: NetworkConfig { hidden: vec![32], ..NetworkConfig::default() },
            learning: QLearning {
                gamma: 0.9,
                rate: 3e-3,
                target: Target::Soft(0.02),
                batch: 64,
                warm_up: 500,
                replay: 20_000,
                steps_per_update: 16,
                epsilon: Epsilon { start: 1.0, end: 0.1, steps: 12_000 },
                ..QLearning::default()
            },
        }
    }

    #[test]
    fn double_dqn_finds_the_exact_switching_region() {
        check_region(double_dqn(), "double DQN");
    }

    #[test]
    fn discrete_sac_finds_the_exact_switching_region() {
        let sac = Sac {
            network: NetworkConfig { hidden: vec![32], ..NetworkConfig::default() },
            gamma: 0.9,
            rate: 3e-3,
            target: Target::Soft(0.02),
            batch: 64,
            warm_up: 500,
            replay: 20_000,
            steps_per_update: 8,
            temperature: Temperature::Fixed(0.005),
            ..Sac::default()
        };
        check_region(sac, "discrete SAC");
    }

    /// Share of calls of the greedy switch over episodes of foraging.
    fn call_share(mansa: &Mansa, steps: u64) -> f64 {
        let mut session = Session::new(mansa, "Foraging-5x5-2p-1f-coop-v3", 3, 16);
        while session.steps < steps {
            session.advance().unwrap();
        }
        let mut policy = session.learner.policy(true).unwrap();
        let (mut calls, mut moments) = (0, 0);
        for _ in 0..200 {
            let view = session.rollout.view(0);
            session.rngs.begin(view.started);
            policy.act(&view, &mut session.rngs, &mut session.actions).unwrap();
            calls += policy.called().iter().filter(|&&called| called).count();
            moments += policy.called().len();
            session.env.step(session.actions.as_actions(), session.rollout.outbox(0)).unwrap();
            session.rollout.finish(0);
            session.rollout.carry_on();
        }
        calls as f64 / moments as f64
    }

    /// A return of at most 1 repays no call that costs 1; a free call of a competent team against a random one is made.
    #[test]
    fn fact_20_calls_that_cannot_pay_are_not_made_and_free_ones_that_help_are() {
        let mansa = |cost| Mansa {
            independent: Member::of(Random::default()),
            centralised: Member::of(Collector::default()),
            global: Member::of(Iql {
                learning: QLearning {
                    // A step that is waited costs a tenth, so that it is soon seen to matter.
                    gamma: 0.9,
                    epsilon: Epsilon { start: 1.0, end: 0.05, steps: 10_000 },
                    ..double_dqn().learning
                },
                ..double_dqn()
            }),
            cost,
            ..Mansa::default()
        };
        let (dear, free) = (call_share(&mansa(1.0), 24_000), call_share(&mansa(0.0), 24_000));
        assert!(dear < 1e-9, "{dear}");
        // Not quite everywhere: a random step is as good as any where the team waits for the other one.
        assert!(free > 0.8, "{free}");
    }
}

fn setting<'a>(
    spec: &'a gambol_envs::spec::EnvSpec,
    files: &'a BTreeMap<String, Checkpoint>,
) -> Setting<'a> {
    Setting { spec, envs: 8, streams: Streams::new(3), device: Device::Cpu, total_steps: 0, files }
}

/// Mixed switches of every kind over learners, with every kind of memory.
fn mixed() -> Vec<Mansa> {
    let base = |rollout| Member::of(TabularQ { rollout, ..TabularQ::default() });
    let tables = |switch| Mansa {
        independent: base(6),
        centralised: base(4),
        global: base(2),
        switch,
        budget: Some(Budget { calls: 20, ..Budget::default() }),
        ..Mansa::default()
    };
    #[cfg_attr(not(feature = "torch"), expect(unused_mut, reason = "more are added with it"))]
    let mut all =
        vec![tables(Switch::Learned), tables(Switch::Random(0.3)), tables(Switch::Periodic(2.5))];
    #[cfg(feature = "torch")]
    {
        use gambol_agents::mansa::Variant;
        use gambol_agents::mansa::budget::{Limit, Scope};
        use gambol_agents::network::NetworkConfig;
        use gambol_agents::torch::{Ippo, Iql, Mappo, QLearning, Qmix};
        let quick = || QLearning {
            batch: 32,
            warm_up: 64,
            replay: 500,
            steps_per_update: 8,
            ..QLearning::default()
        };
        let iql = || Member::of(Iql { learning: quick(), ..Iql::default() });
        for variant in [Variant::A, Variant::B, Variant::C] {
            all.push(Mansa {
                independent: iql(),
                centralised: Member::of(Qmix { learning: quick(), ..Qmix::default() }),
                global: iql(),
                variant,
                budget: Some(Budget {
                    calls: 900,
                    scope: Scope::Training,
                    limit: Limit::Soft { penalty: 0.5, discount: 1.0 },
                }),
                ..Mansa::default()
            });
        }
        all.push(Mansa {
            independent: Member::of(Ippo::default()),
            centralised: Member::of(Mappo::default()),
            global: iql(),
            ..Mansa::default()
        });
        let network =
            || NetworkConfig { hidden: vec![12], recurrent: true, ..NetworkConfig::default() };
        all.push(Mansa {
            independent: Member::of(Ippo { network: network(), ..Ippo::default() }),
            centralised: Member::of(Mappo { network: network(), ..Mappo::default() }),
            global: Member::of(Iql { learning: quick(), network: network() }),
            ..Mansa::default()
        });
        all.push(Mansa {
            independent: Member::of(Iql { learning: quick(), network: network() }),
            centralised: Member::of(Qmix {
                learning: quick(),
                network: network(),
                ..Qmix::default()
            }),
            global: Member::of(Iql { learning: quick(), network: network() }),
            variant: Variant::C,
            ..Mansa::default()
        });
    }
    all
}

#[test]
fn a_resumed_switch_goes_on_to_the_bit_in_the_middle_of_episodes() {
    for mansa in mixed() {
        let task = "Foraging-5x5-2p-1f-coop-v3";
        let mut whole = Session::new(&mansa, task, 3, 8);
        while whole.steps < 8 * 16 * 7 {
            whole.advance().unwrap();
        }
        let saved = whole.learner.save().unwrap();
        let mut resumed = Session::new(&mansa, task, 3, 8);
        for lane in 0..8 {
            let bytes = whole.env.save(lane).unwrap();
            resumed.env.restore(lane, &bytes).unwrap();
        }
        resumed.env.observe(resumed.rollout.first()).unwrap();
        let envs = whole.rollout.envs;
        resumed.rollout.started[..envs].copy_from_slice(&whole.rollout.started[..envs]);
        resumed.rngs.restore(&whole.rngs.positions()).unwrap();
        resumed.learner.load(&saved).unwrap();
        resumed.learner.remember(&whole.learner.memory());
        assert_eq!(resumed.learner.save().unwrap(), saved, "{mansa:?}");
        assert_eq!(resumed.learner.memory(), whole.learner.memory());
        for rollout in 0..20 {
            let [one, other] = [&mut whole, &mut resumed].map(|session| session.advance().unwrap());
            assert_eq!(one, other, "report of rollout {rollout}, {mansa:?}");
        }
        let [one, other] = [&whole, &resumed].map(|session| session.learner.save().unwrap());
        assert_eq!(one, other, "{mansa:?}");
        assert_ne!(one, saved);
        // Nothing of a checkpoint that does not fit is taken.
        let mut broken = saved.clone();
        broken.tensors.remove("switch.recent");
        assert!(whole.learner.load(&broken).is_err());
        let mut broken = saved;
        broken.tensors.retain(|name, _| !name.starts_with("centralised."));
        assert!(whole.learner.load(&broken).is_err());
        assert_eq!(whole.learner.save().unwrap(), one);
    }
}

#[test]
fn frozen_parameters_act_as_the_learner_does_and_without_libtorch() {
    for mansa in mixed() {
        let config = Foraging::task("Foraging-5x5-2p-1f-coop-v3", Mode::Clean);
        let mut session = Session::of(&mansa, &config, 3, 8);
        while session.steps < 8 * 16 * 10 {
            session.advance().unwrap();
        }
        let (spec, files) = (config.spec().unwrap(), BTreeMap::new());
        let saved = session.learner.parameters().unwrap();
        let mut frozen = mansa.frozen(&setting(&spec, &files), &saved, true).unwrap();
        let mut own = session.learner.policy(true).unwrap();
        let [one, other] =
            [&mut frozen, &mut own].map(|policy| evaluate(&mut **policy, &config, 1, 64).to_bits());
        assert_eq!(one, other, "{mansa:?}");
        // The three ways to play it.
        let modes = own.modes();
        assert_eq!(
            modes.iter().map(|mode| mode.0).collect::<Vec<_>>(),
            ["independent", "centralised"]
        );
        assert!(mansa.frozen(&setting(&spec, &files), &Checkpoint::default(), true).is_err());
    }
}

#[test]
fn what_does_not_fit_is_named_where_it_stands() {
    let config = Foraging::task("Foraging-5x5-2p-1f-coop-v3", Mode::Clean);
    let (spec, files) = (config.spec().unwrap(), BTreeMap::new());
    let problems = |mansa: Mansa| match mansa.build(&setting(&spec, &files)) {
        Err(error) => error.problems,
        Ok(_) => panic!("it was built"),
    };
    let base = || Member::of(TabularQ::default());
    assert_eq!(
        problems(Mansa {
            independent: Member::default(),
            centralised: base(),
            global: Member::default(),
            cost: -1.0,
            ..Mansa::default()
        }),
        [
            "`independent` names no agent, such as `independent: TabularQ`",
            "`global` names no agent, such as `global: TabularQ`",
            "`cost`: -1, it must be finite and at least 0",
        ]
    );
    let wrong = || Member::of(TabularQ { rate: 2.0, ..TabularQ::default() });
    assert_eq!(
        problems(Mansa {
            independent: wrong(),
            centralised: base(),
            global: wrong(),
            switch: Switch::Learned,
            ..Mansa::default()
        }),
        [
            "`independent.rate`: 2, it must be above 0 and at most 1",
            "`global.rate`: 2, it must be above 0 and at most 1",
        ]
    );
    for switch in [Switch::Random(1.5), Switch::Periodic(0.5)] {
        let mansa = Mansa { independent: base(), centralised: base(), switch, ..Mansa::default() };
        assert!(problems(mansa)[0].starts_with("`switch`: "));
    }
    #[cfg(feature = "torch")]
    {
        use gambol_agents::mansa::Variant;
        use gambol_agents::torch::{Ippo, Mappo};
        let mansa = |variant| Mansa {
            independent: Member::of(Ippo::default()),
            centralised: Member::of(Mappo::default()),
            variant,
            ..Mansa::default()
        };
        let found = problems(mansa(Variant::B));
        assert!(
            found.len() == 2 && found[0].starts_with("`independent`: this learner learns only")
        );
        let found = problems(Mansa { independent: base(), ..mansa(Variant::C) });
        assert!(found[0].starts_with("`variant`: C, but"), "{found:?}");
    }
}
