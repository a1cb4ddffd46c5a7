//! Hypothesis: a foraging step in the ECS, with random actions, observations, masks, rewards and auto-reset, runs at
//! half the speed of a C program that does the same without an ECS (`gambol bench --reference` sets them side by side).

use divan::Bencher;
use divan::counter::ItemsCount;
use gambol_envs::batch::{Actions, Buffers};
use gambol_envs::foraging::{Foraging, Mode};
use gambol_envs::seed::{Purpose, Streams};
use gambol_envs::{EnvFactory, SHARD};
use rand::Rng;

const ENVS: u32 = 1024;

fn main() {
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    one.install(divan::main);
}

#[divan::bench(args = ["Foraging-8x8-2p-2f-coop-v3", "Foraging-2s-8x8-2p-2f-coop-v3", "Foraging-15x15-4p-5f-v3"])]
fn step(bencher: Bencher<'_, '_>, task: &str) {
    let streams = Streams::new(1);
    let config = Foraging::task(task, Mode::Clean);
    let mut env = config.build(0..ENVS, SHARD, streams).expect("a published task");
    let agents = env.spec().agents;
    let mut out = Buffers::new(env.spec(), ENVS as usize);
    (out.state, out.last_state) = (Vec::new(), Vec::new());
    env.reset(0, out.outbox()).expect("buffers fit");
    let mut rng = streams.at(Purpose::Policy, 0, 0);
    let mut bytes = vec![0_u8; 2 * ENVS as usize * agents];
    let mut actions = vec![0_u16; ENVS as usize * agents];
    bencher.counter(ItemsCount::new(ENVS)).bench_local(|| {
        rng.fill_bytes(&mut bytes);
        for (action, bytes) in actions.iter_mut().zip(bytes.as_chunks().0) {
            *action = ((u32::from(u16::from_le_bytes(*bytes)) * 6) >> 16) as u16;
        }
        env.step(Actions::Discrete(&actions), out.outbox()).expect("actions fit");
    });
}
