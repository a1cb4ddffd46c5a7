//! The learned switch as a learner among learners: exactness, budgets, what each member is given, checkpoints.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use gambol_agents::learner::{Checkpoint, LearnError, Learner, Report};
use gambol_agents::mansa::budget::{Budget, Limit, Saute, Scope};
use gambol_agents::mansa::exact::{Chain, Switching};
use gambol_agents::mansa::{Mansa, Member, Switch, Variant};
use gambol_agents::policy::{ActionBuffer, LaneRngs, Policy, PolicyError, View};
use gambol_agents::rollout::Rollout;
use gambol_agents::scripted::{Collector, Random};
use gambol_agents::tabular::TabularQ;
use gambol_agents::{Agent, AgentError, AgentFactory, Setting};
use gambol_envs::matrix::Matrix;

#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod common;

use common::Session;

const TASK: &str = "Foraging-5x5-2p-1f-coop-v3";

/// Rollouts that a member was given, in order.
type Given = Arc<Mutex<Vec<Rollout>>>;

/// A learner from outside: does what a rule says, remembers what it learned from, and reports how often.
#[derive(Clone, Debug)]
struct Spy {
    /// The action of a step of an episode; masks are not looked at.
    rule: fn(usize, usize) -> u16,
    rollout: usize,
    off_policy: bool,
    given: Given,
    learned: u64,
    /// `[envs]`: steps that it has seen of the episode; kept as memory if `remembers`.
    steps: Vec<usize>,
    remembers: bool,
}

impl Spy {
    fn new(rollout: usize, rule: fn(usize, usize) -> u16) -> Self {
        Self {
            rule,
            rollout,
            off_policy: false,
            given: Given::default(),
            learned: 0,
            steps: Vec::new(),
            remembers: true,
        }
    }

    fn given(&self) -> Vec<Rollout> {
        self.given.lock().unwrap().clone()
    }
}

impl AgentFactory for Spy {
    fn build(&self, _: &Setting<'_>) -> Result<Agent, AgentError> {
        Ok(Agent::Learner(Box::new(self.clone())))
    }
}

impl Policy for Spy {
    fn act(
        &mut self,
        view: &View<'_>,
        _: &mut LaneRngs,
        actions: &mut ActionBuffer,
    ) -> Result<(), PolicyError> {
        self.steps.resize(view.envs, 0);
        for (env, team) in actions.discrete()?.chunks_exact_mut(view.agents).enumerate() {
            if view.started[env] {
                self.steps[env] = 0;
            }
            team.fill((self.rule)(env, self.steps[env]));
            self.steps[env] += 1;
        }
        Ok(())
    }

    fn fork(&self) -> Box<dyn Policy> {
        Box::new(Self { steps: Vec::new(), ..self.clone() })
    }

    fn memory(&self) -> Vec<f32> {
        let steps = if self.remembers { &self.steps[..] } else { &[] };
        steps.iter().map(|&step| step as f32).collect()
    }

    fn remember(&mut self, memory: &[f32]) {
        self.steps = memory.iter().map(|&step| step as usize).collect();
    }
}

impl Learner for Spy {
    fn rollout_steps(&self) -> usize {
        self.rollout
    }

    fn learn(&mut self, rollout: &Rollout) -> Result<Report, LearnError> {
        assert_eq!(rollout.steps, self.rollout);
        self.given.lock().unwrap().push(rollout.clone());
        self.learned += 1;
        Ok(Report::of(vec![("learned", self.learned as f64)]))
    }

    fn policy(&self, _: bool) -> Result<Box<dyn Policy>, LearnError> {
        Ok(self.fork())
    }

    fn off_policy(&self) -> bool {
        self.off_policy
    }

    fn save(&self) -> Result<Checkpoint, LearnError> {
        let mut checkpoint = Checkpoint::default();
        checkpoint.put_i64("learned", vec![self.learned as i64]);
        Ok(checkpoint)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), LearnError> {
        self.learned = checkpoint.i64("learned")?[0] as u64;
        Ok(())
    }

    fn parameters(&self) -> Result<Checkpoint, LearnError> {
        self.save()
    }
}

fn advance_to(session: &mut Session, steps: u64) {
    while session.steps < steps {
        session.advance().unwrap();
    }
    assert_eq!(session.steps, steps);
}

fn tabular(rollout: usize) -> TabularQ {
    TabularQ { rollout, ..TabularQ::default() }
}

/// Every pair of learners that fits together, and each alone.
fn pairs() -> Vec<(&'static str, fn() -> Member, fn() -> Member, &'static [Variant])> {
    const ALL: &[Variant] = &[Variant::A, Variant::B, Variant::C];
    #[cfg_attr(not(feature = "torch"), expect(unused_mut, reason = "there is one pair"))]
    let mut pairs: Vec<(&str, fn() -> Member, fn() -> Member, &[Variant])> =
        vec![("tabular", || Member::of(tabular(6)), || Member::of(tabular(4)), &ALL[..2])];
    #[cfg(feature = "torch")]
    {
        use gambol_agents::network::NetworkConfig;
        use gambol_agents::torch::{ActorCritic, Ippo, Iql, Mappo, QLearning, Qmix, Vdn};
        fn quick(rollout: usize) -> QLearning {
            QLearning {
                batch: 32,
                warm_up: 100,
                replay: 500,
                steps_per_update: 8,
                rollout,
                ..QLearning::default()
            }
        }
        /// With memory, which is trained through time from what was remembered before each rollout.
        fn recurrent() -> NetworkConfig {
            NetworkConfig { hidden: vec![12], recurrent: true, ..NetworkConfig::default() }
        }
        fn policy(rollout: usize) -> ActorCritic {
            ActorCritic { rollout, ..ActorCritic::default() }
        }
        pairs.push((
            "iql, qmix",
            || Member::of(Iql { learning: quick(4), ..Iql::default() }),
            || Member::of(Qmix { learning: quick(6), ..Qmix::default() }),
            ALL,
        ));
        pairs.push((
            "iql, vdn",
            || Member::of(Iql { learning: quick(2), ..Iql::default() }),
            || Member::of(Vdn { learning: quick(2), ..Vdn::default() }),
            ALL,
        ));
        pairs.push((
            "ippo, mappo",
            || Member::of(Ippo { learning: policy(12), ..Ippo::default() }),
            || Member::of(Mappo { learning: policy(8), ..Mappo::default() }),
            &[Variant::A, Variant::C],
        ));
        pairs.push((
            "recurrent iql, qmix",
            || Member::of(Iql { learning: quick(4), network: recurrent() }),
            || Member::of(Qmix { learning: quick(6), network: recurrent(), ..Qmix::default() }),
            ALL,
        ));
        pairs.push((
            "recurrent ippo, mappo",
            || Member::of(Ippo { learning: policy(12), network: recurrent(), ..Ippo::default() }),
            || Member::of(Mappo { learning: policy(8), network: recurrent(), ..Mappo::default() }),
            &[Variant::A, Variant::C],
        ));
    }
    pairs
}

#[test]
fn fact_17_a_switch_that_never_calls_is_the_independent_learner_and_one_that_always_does_the_other()
{
    for (name, independent, centralised, variants) in pairs() {
        let alone = |member: fn() -> Member| {
            let mut session = Session::new(&*member().0.unwrap(), TASK, 5, 8);
            advance_to(&mut session, 576);
            (session.learner.parameters().unwrap(), session.rollout.view(0).observations.to_vec())
        };
        let (plain, central) = (alone(independent), alone(centralised));
        for &variant in variants {
            for (switch, which, expected) in [
                (Switch::Never, "independent", &plain),
                (Switch::Random(0.0), "independent", &plain),
                (Switch::Always, "centralised", &central),
                (Switch::Random(1.0), "centralised", &central),
                (Switch::Periodic(1.0), "centralised", &central),
            ] {
                let mansa = Mansa {
                    independent: independent(),
                    centralised: centralised(),
                    switch,
                    variant,
                    ..Mansa::default()
                };
                let mut session = Session::new(&mansa, TASK, 5, 8);
                advance_to(&mut session, 576);
                let found = session.learner.parameters().unwrap().part(which);
                assert_eq!(found, expected.0, "{name}, {switch:?}, {variant:?}");
                assert!(!found.tensors.is_empty());
                // The same game was played to the end.
                assert_eq!(session.rollout.view(0).observations, expected.1);
            }
        }
    }
}

#[test]
fn fact_18_the_counter_counts_and_the_global_agent_pays() {
    // Calls in a pattern that is not the same in any two instances.
    let global = Spy::new(4, |env, step| u16::from((step + env) % (3 + env) == 0));
    let mansa = Mansa {
        independent: Member::of(Collector::default()),
        centralised: Member::of(Random::default()),
        global: Member::of(global.clone()),
        cost: 0.25,
        ..Mansa::default()
    };
    let mut session = Session::new(&mansa, TASK, 1, 4);
    let (mut calls, mut steps, mut paid) = (0, 0, 0);
    for _ in 0..60 {
        session.collect();
        let played = session.rollout.clone();
        let report = session.learner.learn(&played).unwrap();
        session.rollout.carry_on();
        let seen = global.given().pop().unwrap();
        let ActionBuffer::Discrete(chosen) = &seen.actions else { panic!("two actions") };
        for (step, &call) in chosen.iter().enumerate() {
            let team: f32 = played.rewards[2 * step..2 * step + 2].iter().sum();
            let expected = team - 0.25 * f32::from(call);
            assert_eq!(seen.rewards[step].to_bits(), expected.to_bits());
            paid += u64::from(team > 0.0);
            calls += u64::from(call);
            steps += 1;
        }
        assert_eq!(seen.observations[..4 * 18], played.state[..4 * 18]);
        assert_eq!(report.values[0], ("calls", calls as f64));
        assert_eq!(report.values[1].1.to_bits(), (calls as f64 / f64::from(steps)).to_bits());
    }
    assert!(calls > 100 && paid > 0, "{calls} calls, {paid} times food");
}

/// One step as a learner sees it: observations, actions, reward and what followed.
type Step = (Vec<u32>, Vec<u16>, u32, Vec<u32>);

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The steps of rollouts, sorted.
fn steps_of(rollouts: &[Rollout]) -> Vec<Step> {
    let mut steps = Vec::new();
    for rollout in rollouts {
        let (envs, width) = (rollout.envs, rollout.agents * rollout.obs);
        let ActionBuffer::Discrete(actions) = &rollout.actions else { panic!("discrete") };
        for step in 0..rollout.steps * envs {
            let next = if rollout.ends[step].is_over() {
                &rollout.last_observations[step * width..][..width]
            } else {
                &rollout.observations[(step + envs) * width..][..width]
            };
            steps.push((
                bits(&rollout.observations[step * width..][..width]),
                actions[step * rollout.agents..][..rollout.agents].to_vec(),
                rollout.rewards[step * rollout.agents].to_bits(),
                bits(next),
            ));
        }
    }
    steps.sort();
    steps
}

/// How often each step occurs in `all` beyond how often it occurs in `some`; all of `some` must be in `all`.
fn missing(all: &[Step], some: &[Step]) -> usize {
    let mut counts: BTreeMap<&Step, i64> = BTreeMap::new();
    for (steps, sign) in [(all, 1), (some, -1)] {
        for step in steps {
            *counts.entry(step).or_default() += sign;
        }
    }
    assert!(counts.values().all(|&count| count >= 0), "a step was given that was not made");
    counts.values().sum::<i64>() as usize
}

/// By the definition: the steps of one lane after the other, each until the next own moment or the next one.
fn expected_steps(played: &[Rollout], called: &[bool], turn: bool, cut: bool) -> Vec<Step> {
    let (envs, agents, obs) = (played[0].envs, played[0].agents, played[0].obs);
    let (width, mut steps) = (agents * obs, Vec::new());
    for env in 0..envs {
        let mut open: Option<Step> = None;
        for (number, rollout) in played.iter().enumerate() {
            let ActionBuffer::Discrete(actions) = &rollout.actions else { panic!("discrete") };
            for t in 0..rollout.steps {
                let at = t * envs + env;
                let row = |all: &[f32], at: usize| bits(&all[at * width..][..width]);
                let own = called[number * rollout.steps * envs + at] == turn;
                let now = row(&rollout.observations, at);
                if own {
                    if let Some((seen, done, reward, _)) = open.take() {
                        steps.push((seen, done, reward, now.clone()));
                    }
                    let done = actions[at * agents..][..agents].to_vec();
                    open = Some((now, done, rollout.rewards[at * agents].to_bits(), Vec::new()));
                } else if let Some((_, _, reward, _)) = &mut open {
                    let sum = f32::from_bits(*reward) + rollout.rewards[at * agents];
                    *reward = sum.to_bits();
                }
                let over = rollout.ends[at].is_over();
                let next = if over {
                    row(&rollout.last_observations, at)
                } else {
                    row(&rollout.observations, at + envs)
                };
                if over || cut {
                    steps.extend(
                        open.take().map(|(seen, done, reward, _)| (seen, done, reward, next)),
                    );
                }
            }
        }
        // If the next moment, which nobody has acted at yet, is an own one, this one has ended too.
        if let (Some((seen, done, reward, _)), Some(rollout)) = (open, played.last()) {
            let next = &rollout.observations[(rollout.steps * envs + env) * width..][..width];
            steps.push((seen, done, reward, bits(next)));
        }
    }
    steps.sort();
    steps
}

fn stag_hunt() -> Matrix {
    let text = r#"(game: Catalogue("stag_hunt"), rounds: 7, memory: 2, stop: 0.1)"#;
    let options = ron::Options::default()
        .with_default_extension(ron::extensions::Extensions::UNWRAP_VARIANT_NEWTYPES);
    options.from_str(text).unwrap()
}

/// Each is given its own steps, in rollouts of the shape it asks for, none left out and none twice.
#[test]
fn fact_19_a_learner_is_given_its_own_steps_and_no_others() {
    const ENVS: usize = 5;
    let act: fn(usize, usize) -> u16 = |env, step| ((env * 7 + step * 5 + step / 3) % 2) as u16;
    for (variant, remembers) in [(Variant::A, true), (Variant::A, false), (Variant::B, true)] {
        let spy = |rollout| Spy { off_policy: true, remembers, ..Spy::new(rollout, act) };
        let (independent, centralised) = (spy(6), spy(4));
        let global = Spy::new(2, |env, step| u16::from((step + env) % (2 + env) == 0));
        let mansa = Mansa {
            independent: Member::of(independent.clone()),
            centralised: Member::of(centralised.clone()),
            global: Member::of(global.clone()),
            variant,
            ..Mansa::default()
        };
        let mut session = Session::of(&mansa, &stag_hunt(), 3, ENVS);
        assert_eq!(session.learner.rollout_steps(), 2);
        let mut played = Vec::new();
        for _ in 0..200 {
            session.collect();
            played.push(session.rollout.clone());
            session.learner.learn(&session.rollout).unwrap();
            session.rollout.carry_on();
        }
        let mut called = Vec::new();
        for seen in global.given() {
            let ActionBuffer::Discrete(chosen) = &seen.actions else { panic!("two actions") };
            called.extend(chosen.iter().map(|&call| call == 1));
        }
        let calls = called.iter().filter(|&&call| call).count();
        assert!(calls > 400 && calls < 1600, "{calls}");
        for (spy, turn) in [(&independent, false), (&centralised, true)] {
            let given = steps_of(&spy.given());
            let all = if variant == Variant::B {
                steps_of(&played)
            } else {
                expected_steps(&played, &called, turn, false)
            };
            let waiting = missing(&all, &given);
            assert!(waiting < (spy.rollout + 1) * ENVS, "{waiting} steps wait, {variant:?}");
            assert!(given.len() > 400);
        }
    }
}

/// The parameters themselves: nothing is learned while the others act.
#[test]
fn fact_19_a_learner_learns_nothing_from_the_others_steps() {
    let calls: fn(usize, usize) -> u16 = |_, step| u16::from(step % 16 >= 8);
    let mansa = Mansa {
        independent: Member::of(tabular(4)),
        centralised: Member::of(tabular(4)),
        global: Member::of(Spy::new(4, calls)),
        ..Mansa::default()
    };
    let mut session = Session::new(&mansa, TASK, 2, 4);
    let parts = |session: &Session| {
        let saved = session.learner.save().unwrap();
        ["independent", "centralised"].map(|name| saved.part(name))
    };
    for window in 0..8 {
        let before = parts(&session);
        session.advance().unwrap();
        let after = parts(&session);
        assert!(!session.rollout.started[..4].contains(&true), "no episode ended");
        // Windows 0, 1, 4 and 5 are the independent learner's, the others the centralised one's. The last step of a
        // turn ends at the learner's next own moment, with which the window before the next turn ends.
        let learned = [before[0] != after[0], before[1] != after[1]];
        match window {
            0 | 4 => assert_eq!(learned, [true, false], "window {window}"),
            1 => assert!(!learned[1], "window {window}"),
            2 | 6 => assert_eq!(learned, [false, true], "window {window}"),
            _ => {}
        }
    }
}

/// The largest number of calls of any episode, and whether all of the training run kept to a number, whatever the
/// Global agent does: this one calls everywhere, masked or not.
#[test]
fn fact_14_no_path_has_more_calls_than_the_budget() {
    let greedy: fn(usize, usize) -> u16 = |_, _| 1;
    for calls in [0, 1, 3, 49, 50] {
        for (switch, most) in [
            (Switch::Learned, calls),
            (Switch::Always, calls),
            (Switch::Random(0.5), calls),
            (Switch::Periodic(1.5), calls),
        ] {
            let global = Spy::new(4, greedy);
            let mansa = Mansa {
                independent: Member::of(Random::default()),
                centralised: Member::of(Random::default()),
                global: Member::of(global.clone()),
                switch,
                budget: Some(Budget { calls, ..Budget::default() }),
                ..Mansa::default()
            };
            let mut session = Session::new(&mansa, TASK, 1, 4);
            let mut policies = [session.learner.fork(), session.learner.policy(true).unwrap()];
            let mut found = [0; 4];
            let mut largest = 0;
            for _ in 0..160 {
                let view = session.rollout.view(0);
                for (env, _) in view.started.iter().enumerate().filter(|(_, started)| **started) {
                    found[env] = 0;
                }
                session.rngs.begin(view.started);
                for policy in &mut policies {
                    let mut rngs = session.rngs.clone();
                    policy.act(&view, &mut rngs, &mut session.actions).unwrap();
                }
                session.learner.act(&view, &mut session.rngs, &mut session.actions).unwrap();
                session.env.step(session.actions.as_actions(), session.rollout.outbox(0)).unwrap();
                session.rollout.finish(0);
                for (env, &call) in session.learner.called().iter().enumerate() {
                    found[env] += u64::from(call);
                    largest = largest.max(found[env]);
                }
                session.rollout.carry_on();
                for policy in &policies {
                    assert_eq!(policy.called().len(), 4);
                    if switch != Switch::Random(0.5) {
                        assert_eq!(policy.called(), session.learner.called());
                    }
                }
            }
            if matches!(switch, Switch::Random(_) | Switch::Periodic(_)) {
                assert!(largest <= most, "{largest} calls of {most}, {switch:?}");
            } else {
                assert_eq!(largest, most, "{switch:?}");
            }
        }
    }
    let global = Spy::new(4, greedy);
    let mansa = Mansa {
        independent: Member::of(Random::default()),
        centralised: Member::of(Random::default()),
        global: Member::of(global.clone()),
        budget: Some(Budget { calls: 103, scope: Scope::Training, ..Budget::default() }),
        ..Mansa::default()
    };
    let mut session = Session::new(&mansa, TASK, 1, 4);
    let mut last = Report::default();
    for rollout in 0..20 {
        last = session.advance().unwrap();
        let most = (16 * (rollout + 1)).min(103);
        assert!(last.values[0].1 <= f64::from(most));
    }
    assert_eq!(last.values[0], ("calls", 103.0));
    // What the Global agent saw of it, and what it was told it might do.
    let given = global.given();
    let share = |rollout: &Rollout| rollout.observations[18];
    assert!((share(&given[0]) - 1.0).abs() < 1e-6 && share(&given[19]).abs() < 1e-6);
    assert!(given[0].masks[1] && !given[19].masks[1]);
    // Evaluations call as long as something is left, and pay nothing: now nothing is.
    let mut policy = session.learner.policy(true).unwrap();
    let view = session.rollout.view(0);
    policy.act(&view, &mut session.rngs, &mut session.actions).unwrap();
    assert_eq!(policy.called(), [false; 4]);
}

#[test]
fn facts_15_and_16_the_share_of_a_soft_budget() {
    for (discount, expected) in [
        (1.0, &[0.666_667, 0.333_333, 0.0, -0.333_333][..]),
        (0.9, &[0.740_741, 0.452_675, 0.132_602, -0.223_035, -0.247_817, -0.275_352]),
    ] {
        let saute = Saute { budget: 3.0, discount };
        let mut left = 1.0;
        for (step, expected) in expected.iter().enumerate() {
            left = saute.next(left, if step < 4 { 1.0 } else { 0.0 });
            assert!((left - expected).abs() < 1e-6, "{left} is not {expected}");
        }
    }
    assert!(Saute { budget: 3.0, discount: 1.0 }.next(1.0, 3.0) <= 0.0, "three calls of three");
    // 50 steps discounted by 0.9, as the reference rescales.
    let saute = Saute::over(3.0, 0.9, Some(50));
    assert!((saute.budget - 3.0 * (1.0 - 0.9_f64.powi(50)) / (0.1 * 50.0)).abs() < 1e-12);
}

/// The Global agent's reward is the penalty from the call on that is one too many.
#[test]
fn a_soft_budget_is_overspent_at_a_price() {
    let global = Spy::new(4, |_, step| u16::from(step % 2 == 0));
    let mansa = Mansa {
        independent: Member::of(Random::default()),
        centralised: Member::of(Random::default()),
        global: Member::of(global.clone()),
        cost: 0.5,
        budget: Some(Budget {
            calls: 3,
            scope: Scope::Episode,
            limit: Limit::Soft { penalty: 7.0, discount: 1.0 },
        }),
        ..Mansa::default()
    };
    let mut session = Session::new(&mansa, TASK, 1, 1);
    for _ in 0..3 {
        session.advance().unwrap();
    }
    let rewards: Vec<f32> = global.given().iter().flat_map(|given| given.rewards.clone()).collect();
    let call = [-0.5, 0.0];
    let expected = [call, call, call, [-7.0, -7.0], [-7.0, -7.0], [-7.0, -7.0]].concat();
    assert_eq!(bits(&rewards), bits(&expected));
}

#[test]
fn fact_21_the_price_of_calling_always() {
    let next: Vec<Vec<(usize, f64)>> =
        (0..51).map(|step| if step < 50 { vec![(step + 1, 1.0)] } else { vec![] }).collect();
    let chain = Chain { rewards: vec![0.0; 51], next };
    let problem = Switching::new(chain.clone(), chain, 0.99).unwrap();
    let mut rule = vec![true; 51];
    rule[50] = false;
    assert!((problem.discounted_calls(&rule)[0] - 39.4994).abs() < 5e-5);
}

/// A policy with memory is shown every moment, whoever acts; one without only its own.
#[test]
fn memory_is_of_the_whole_episode() {
    let act: fn(usize, usize) -> u16 = |_, step| u16::from(step % 5 == 0);
    for remembers in [true, false] {
        let mansa = Mansa {
            independent: Member::of(Random::default()),
            centralised: Member::of(Spy { remembers, ..Spy::new(50, act) }),
            global: Member::of(Spy::new(10, |_, step| u16::from(step % 3 == 2))),
            ..Mansa::default()
        };
        let mut session = Session::new(&mansa, TASK, 1, 2);
        session.collect();
        let ActionBuffer::Discrete(chosen) = &session.rollout.actions else { panic!() };
        let centralised: Vec<u16> = [2, 5, 8].into_iter().map(|step| chosen[step * 4]).collect();
        // Steps 2, 5 and 8 of the episode; without memory its own clock has made step 0 with all, then 2 of its own.
        let expected = if remembers { [0, 1, 0] } else { [0, 0, 0] };
        assert_eq!(centralised, expected);
    }
}
