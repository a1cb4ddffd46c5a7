//! Hypothesis: a step of `highway-v0` (51 vehicles, 15 frames, 4 lanes) in the ECS, in double precision and with every rule of
//! the reference, runs at half the speed of a C program in single precision that leaves most of them out
//! (`driving_ref.c`); and steps of the other tasks at 300 times the speed of highway-env.

use divan::Bencher;
use divan::counter::ItemsCount;
use gambol_envs::batch::{Actions, Buffers};
use gambol_envs::driving::Driving;
use gambol_envs::seed::{Purpose, Streams, below};
use gambol_envs::{EnvFactory, SHARD};

const ENVS: u32 = 256;

fn main() {
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    one.install(divan::main);
}

#[divan::bench(args = ["highway-v0", "highway-fast-v0", "two-way-v0", "merge-v0", "roundabout-v0", "intersection-v0"])]
fn step(bencher: Bencher<'_, '_>, task: &str) {
    let streams = Streams::new(1);
    let mut env = Driving::task(task).build(0..ENVS, SHARD, streams).expect("a published task");
    let agents = env.spec().agents;
    let choices = env.spec().action.actions().expect("meta-actions") as u32;
    let mut out = Buffers::new(env.spec(), ENVS as usize);
    (out.state, out.last_state) = (Vec::new(), Vec::new());
    env.reset(0, out.outbox()).expect("buffers fit");
    let mut rngs: Vec<_> = (0..ENVS).map(|lane| streams.at(Purpose::Policy, lane, 0)).collect();
    let mut actions = vec![0_u16; ENVS as usize * agents];
    bencher.counter(ItemsCount::new(ENVS)).bench_local(|| {
        for (team, rng) in actions.chunks_exact_mut(agents).zip(&mut rngs) {
            for action in team {
                *action = below(rng, choices) as u16;
            }
        }
        env.step(Actions::Discrete(&actions), out.outbox()).expect("actions fit");
    });
}
