//! Shared helpers of the integration tests: the conformance suite that every environment must pass.
//!
//! A user's own environment can be put through [`conformance`] from a test of their own.

use gambol_envs::EnvFactory;
use gambol_envs::batch::{Actions, BatchEnv, BatchError, Buffers, End};
use gambol_envs::seed::{Purpose, Streams, below, unit_f64};
use gambol_envs::spec::{ActionSpace, EnvSpec, Payoff};
use rand_chacha::ChaCha8Rng;

/// Joint actions drawn from one generator for each lane, so that they do not depend on how lanes are split.
pub struct RandomActions {
    rngs: Vec<ChaCha8Rng>,
    discrete: Vec<u16>,
    continuous: Vec<f32>,
}

impl RandomActions {
    /// For the global lanes `first..first + envs`.
    pub fn new(streams: Streams, first: u32, envs: u32) -> Self {
        let rngs = (first..first + envs).map(|lane| streams.at(Purpose::Policy, lane, 0)).collect();
        Self { rngs, discrete: Vec::new(), continuous: Vec::new() }
    }

    /// Draws uniformly, legal or not.
    pub fn draw(&mut self, spec: &EnvSpec) -> Actions<'_> {
        self.discrete.clear();
        self.continuous.clear();
        for rng in &mut self.rngs {
            for _ in 0..spec.agents {
                match &spec.action {
                    ActionSpace::Discrete { names } => {
                        self.discrete.push(below(rng, names.len() as u32) as u16);
                    }
                    ActionSpace::Box { low, high } => {
                        for (low, high) in low.iter().zip(high) {
                            self.continuous.push(low + (high - low) * unit_f64(rng) as f32);
                        }
                    }
                    _ => unreachable!("a new kind of action space needs its draws here"),
                }
            }
        }
        match spec.action {
            ActionSpace::Box { .. } => Actions::Continuous(&self.continuous),
            _ => Actions::Discrete(&self.discrete),
        }
    }
}

/// Names the first entry in which two slices differ.
pub fn first_difference<T: PartialEq + std::fmt::Debug>(
    what: &str,
    one: &[T],
    two: &[T],
) -> Option<String> {
    if one.len() != two.len() {
        return Some(format!("{what}: {} entries against {}", one.len(), two.len()));
    }
    let at = one.iter().zip(two).position(|(one, two)| one != two)?;
    Some(format!("{what}[{at}]: {:?} against {:?}", one[at], two[at]))
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Names the first field and entry in which two batches differ, bit for bit.
/// What was seen last is compared where an episode ended.
pub fn buffers_differ(spec: &EnvSpec, one: &Buffers, two: &Buffers) -> Option<String> {
    let float =
        |what: &str, one: &[f32], two: &[f32]| first_difference(what, &bits(one), &bits(two));
    let mut found = float("observations", &one.observations, &two.observations)
        .or_else(|| first_difference("masks", &one.masks, &two.masks))
        .or_else(|| float("rewards", &one.rewards, &two.rewards))
        .or_else(|| first_difference("ends", &one.ends, &two.ends))
        .or_else(|| float("state", &one.state, &two.state));
    let row = spec.agents * spec.observation.size();
    for (env, end) in one.ends.iter().enumerate() {
        if end.is_over() {
            let part = env * row..(env + 1) * row;
            found = found.or_else(|| {
                let what = format!("last_observations of env {env}");
                float(
                    &what,
                    &one.last_observations[part.clone()],
                    &two.last_observations[part.clone()],
                )
            });
            let masks = spec.agents * spec.action.mask_size();
            let part = env * masks..(env + 1) * masks;
            found = found.or_else(|| {
                let what = format!("last_masks of env {env}");
                first_difference(&what, &one.last_masks[part.clone()], &two.last_masks[part])
            });
            let counted = spec.tallies.len();
            let part = env * counted..(env + 1) * counted;
            found = found.or_else(|| {
                let what = format!("tallies of env {env}");
                float(&what, &one.tallies[part.clone()], &two.tallies[part])
            });
            let part = env * spec.state..(env + 1) * spec.state;
            found = found.or_else(|| {
                let what = format!("last_state of env {env}");
                float(&what, &one.last_state[part.clone()], &two.last_state[part.clone()])
            });
        }
    }
    found
}

/// Several batches that together hold the lanes of one, written into one set of buffers.
struct Split {
    parts: Vec<(Box<dyn BatchEnv>, RandomActions)>,
    threads: usize,
}

impl Split {
    fn new(
        factory: &dyn EnvFactory,
        cuts: &[u32],
        shard: usize,
        threads: usize,
        streams: Streams,
    ) -> Self {
        let part = |lanes: &[u32]| {
            let env =
                factory.build(lanes[0]..lanes[1], shard, streams).expect("the example is valid");
            (env, RandomActions::new(streams, lanes[0], lanes[1] - lanes[0]))
        };
        Self { parts: cuts.windows(2).map(part).collect(), threads }
    }

    fn run(&mut self, spec: &EnvSpec, step: Option<()>, out: &mut Buffers) {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(self.threads).build().expect("threads");
        let parts = &mut self.parts;
        pool.install(|| {
            let mut rest = out.outbox();
            for (env, actions) in parts {
                let mine = rest.split_front(env.envs(), spec);
                match step {
                    None => env.reset(0, mine),
                    Some(()) => env.step(actions.draw(spec), mine),
                }
                .expect("buffers and actions fit");
            }
        });
    }
}

/// The number of lanes of the suite, and its steps.
const LANES: u32 = 24;
const STEPS: usize = 120;

/// Every promise of the batch interface, checked on one configuration.
///
/// # Panics
/// With the first broken promise.
pub fn conformance(factory: &dyn EnvFactory) {
    let spec = factory.spec().expect("the example is valid");
    declared(&spec);
    keeps_its_word(factory, &spec);
    does_not_depend_on_how_it_runs(factory, &spec);
    saves_and_restores(factory, &spec);
    refuses_what_does_not_fit(factory, &spec);
}

fn declared(spec: &EnvSpec) {
    let size = spec.observation.size();
    assert!(spec.agents > 0 && size > 0, "{}: nobody or nothing", spec.name);
    assert_eq!(spec.roles.len(), spec.agents, "{}: roles", spec.name);
    assert_eq!(spec.observation.low.len(), size, "{}: low", spec.name);
    assert_eq!(spec.observation.high.len(), size, "{}: high", spec.name);
    if let ActionSpace::Box { low, high } = &spec.action {
        assert_eq!(low.len(), high.len(), "{}: action bounds", spec.name);
    }
}

fn keeps_its_word(factory: &dyn EnvFactory, spec: &EnvSpec) {
    let name = &spec.name;
    let streams = Streams::new(11);
    let mut env = factory.build(0..LANES, 7, streams).expect("the example is valid");
    assert_eq!(env.spec(), spec, "{name}: the batch and the factory disagree");
    assert_eq!(env.envs(), LANES as usize);
    let mut out = Buffers::new(spec, LANES as usize);
    let mut actions = RandomActions::new(streams, 0, LANES);
    env.reset(0, out.outbox()).expect("buffers fit");
    let mut lengths = vec![0_u32; LANES as usize];
    let mut ended = false;
    for step in 0..STEPS {
        let size = spec.observation.size();
        for (row, observation) in out.observations.chunks_exact(size).enumerate() {
            for (entry, &value) in observation.iter().enumerate() {
                let (low, high) = (spec.observation.low[entry], spec.observation.high[entry]);
                assert!(
                    low <= value && value <= high,
                    "{name}, step {step}: observation {entry} of row {row} is {value}, declared {low} to {high}"
                );
            }
        }
        if spec.action.mask_size() > 0 {
            for mask in out.masks.chunks_exact(spec.action.mask_size()) {
                assert!(mask.contains(&true), "{name}, step {step}: no action is allowed");
            }
        }
        assert!(out.state.iter().all(|value| value.is_finite()), "{name}, step {step}: state");
        for (env, rewards) in out.rewards.chunks_exact(spec.agents).enumerate() {
            assert!(
                rewards.iter().all(|reward| reward.is_finite()),
                "{name}, step {step}, env {env}"
            );
            match spec.payoff {
                Payoff::Common => {
                    assert!(
                        rewards.iter().all(|reward| reward.to_bits() == rewards[0].to_bits()),
                        "{name}: {rewards:?}"
                    );
                }
                Payoff::ZeroSum => {
                    let sum: f64 = rewards.iter().map(|&reward| f64::from(reward)).sum();
                    assert!(sum.abs() < 1e-6, "{name}: {rewards:?}");
                }
                _ => {}
            }
        }
        out.last_observations.fill(f32::NAN);
        out.last_masks.fill(false);
        out.last_state.fill(f32::NAN);
        out.tallies.fill(f32::NAN);
        env.step(actions.draw(spec), out.outbox()).expect("actions fit");
        for (lane, end) in out.ends.iter().enumerate() {
            last_moment(spec, &out, lane, end.is_over());
        }
        for (length, end) in lengths.iter_mut().zip(&out.ends) {
            *length += 1;
            if let Some(horizon) = spec.horizon {
                assert!(*length <= horizon, "{name}: an episode of more than {horizon} steps");
                assert!(*length < horizon || end.is_over(), "{name}: the horizon passed");
            }
            if end.is_over() {
                *length = 0;
                ended = true;
            }
        }
    }
    assert!(ended || spec.horizon.is_none_or(|horizon| horizon as usize > STEPS), "{name}: no end");
}

/// The last moment of an ended instance is written, as declared; nobody else's is touched.
fn last_moment(spec: &EnvSpec, out: &Buffers, lane: usize, over: bool) {
    let name = &spec.name;
    let size = spec.observation.size();
    for agent in lane * spec.agents..(lane + 1) * spec.agents {
        let seen = &out.last_observations[agent * size..(agent + 1) * size];
        for (entry, value) in seen.iter().enumerate() {
            let (low, high) = (spec.observation.low[entry], spec.observation.high[entry]);
            let fits = if over { (low..=high).contains(value) } else { value.is_nan() };
            assert!(fits, "{name}: last observation {entry} of row {agent} is {value}");
        }
        let actions = spec.action.mask_size();
        let mask = &out.last_masks[agent * actions..(agent + 1) * actions];
        assert!(actions == 0 || mask.contains(&true) == over, "{name}: last mask of row {agent}");
    }
    let state = &out.last_state[lane * spec.state..(lane + 1) * spec.state];
    let fits = |value: &f32| if over { value.is_finite() } else { value.is_nan() };
    assert!(state.iter().all(fits), "{name}: last state of lane {lane}");
    let counted = spec.tallies.len();
    let tallies = &out.tallies[lane * counted..(lane + 1) * counted];
    assert!(tallies.iter().all(fits), "{name}: tallies of lane {lane}");
}

fn does_not_depend_on_how_it_runs(factory: &dyn EnvFactory, spec: &EnvSpec) {
    let streams = Streams::new(5);
    let mut runs = [
        Split::new(factory, &[0, LANES], 256, 1, streams),
        Split::new(factory, &[0, LANES], 5, 2, streams),
        Split::new(factory, &[0, LANES], 1, 3, streams),
        Split::new(factory, &[0, 1, 10, LANES], 4, 2, streams),
    ];
    let mut outs: Vec<_> = runs.iter().map(|_| Buffers::new(spec, LANES as usize)).collect();
    for step in 0..STEPS {
        for (run, out) in runs.iter_mut().zip(&mut outs) {
            run.run(spec, (step > 0).then_some(()), out);
        }
        for (index, out) in outs.iter().enumerate().skip(1) {
            if let Some(difference) = buffers_differ(spec, &outs[0], out) {
                panic!(
                    "{}: way {index} of running differs at step {step}: {difference}",
                    spec.name
                );
            }
        }
    }
    // A reset takes everything back to the beginning.
    let Split { parts, .. } = &mut runs[0];
    let (env, _) = &mut parts[0];
    let (mut again, mut fresh) =
        (Buffers::new(spec, LANES as usize), Buffers::new(spec, LANES as usize));
    env.reset(0, again.outbox()).expect("buffers fit");
    let mut other = factory.build(0..LANES, 256, streams).expect("the example is valid");
    other.reset(0, fresh.outbox()).expect("buffers fit");
    assert_eq!(buffers_differ(spec, &again, &fresh), None, "{}: reset against fresh", spec.name);
}

fn saves_and_restores(factory: &dyn EnvFactory, spec: &EnvSpec) {
    let name = &spec.name;
    let streams = Streams::new(3);
    let lanes = 3_u32;
    let mut env = factory.build(0..lanes, 2, streams).expect("the example is valid");
    let mut out = Buffers::new(spec, lanes as usize);
    let mut actions = RandomActions::new(streams, 0, lanes);
    env.reset(0, out.outbox()).expect("buffers fit");
    for _ in 0..5 {
        env.step(actions.draw(spec), out.outbox()).expect("actions fit");
    }
    // Lane 0 is cloned into a lane of another shard, and into another batch.
    let saved = env.save(0).expect("lane 0 exists");
    env.restore(2, &saved).expect("it is from this environment");
    assert_eq!(
        env.save(2).expect("lane 2 exists"),
        saved,
        "{name}: what was restored is what was saved"
    );
    let mut other = factory.build(0..1, 1, Streams::new(99)).expect("the example is valid");
    let mut other_out = Buffers::new(spec, 1);
    other.reset(0, other_out.outbox()).expect("buffers fit");
    other.restore(0, &saved).expect("it is from this environment");
    env.observe(out.outbox()).expect("buffers fit");
    other.observe(other_out.outbox()).expect("buffers fit");
    let row = spec.agents * spec.observation.size();
    let mut single = RandomActions::new(streams, 7, 1);
    for step in 0..STEPS {
        let first = &out.observations[..row];
        assert_eq!(
            first_difference("clone", first, &out.observations[2 * row..]),
            None,
            "{name}, step {step}"
        );
        let difference = first_difference("restored", first, &other_out.observations);
        assert_eq!(difference, None, "{name}, step {step}");
        assert_eq!(env.save(0), other.save(0), "{name}, step {step}: states");
        let action = single.draw(spec);
        other.step(action, other_out.outbox()).expect("actions fit");
        match action {
            Actions::Discrete(team) => env.step(Actions::Discrete(&team.repeat(3)), out.outbox()),
            Actions::Continuous(team) => {
                env.step(Actions::Continuous(&team.repeat(3)), out.outbox())
            }
        }
        .expect("actions fit");
        if out.ends[0] != End::Running {
            // The next episode is drawn from each lane's own address.
            break;
        }
    }
    let mut damaged = saved.clone();
    damaged.pop();
    let before = env.save(1).expect("lane 1 exists");
    for bad in [&damaged[..], &[], &[saved.clone(), vec![0]].concat()] {
        let error = env.restore(1, bad).expect_err("the bytes are damaged");
        assert!(matches!(error, BatchError::Snapshot { .. }), "{name}: {error}");
        assert_eq!(
            env.save(1).expect("lane 1 exists"),
            before,
            "{name}: a refused lane changes nothing"
        );
    }
}

fn refuses_what_does_not_fit(factory: &dyn EnvFactory, spec: &EnvSpec) {
    let mut env = factory.build(0..2, 1, Streams::new(1)).expect("the example is valid");
    let mut out = Buffers::new(spec, 2);
    env.reset(0, out.outbox()).expect("buffers fit");
    let before = env.save(0);
    let mut short = Buffers::new(spec, 1);
    assert!(matches!(env.observe(short.outbox()), Err(BatchError::Shape { .. })));
    assert!(matches!(env.save(2), Err(BatchError::Lane { lane: 2, envs: 2 })));
    let rows = 2 * spec.agents * spec.action.action_size();
    let (numbers, values) = (vec![u16::MAX; rows], vec![f32::NAN; rows]);
    let (numbers, values) = (Actions::Discrete(&numbers), Actions::Continuous(&values));
    let (wrong, bad) = match &spec.action {
        ActionSpace::Box { .. } => (numbers, values),
        _ => (values, numbers),
    };
    assert!(matches!(env.step(wrong, out.outbox()), Err(BatchError::ActionKind { .. })));
    let error = env.step(bad, out.outbox()).expect_err("the actions are out of range");
    assert!(matches!(error, BatchError::Action { .. } | BatchError::NotFinite { .. }), "{error}");
    assert!(env.step(Actions::Discrete(&[]), out.outbox()).is_err());
    assert_eq!(env.save(0), before, "{}: a refused step changes nothing", spec.name);
}
