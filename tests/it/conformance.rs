//! Every registered environment passes the conformance suite, and no step allocates.

use gambol_envs::batch::Buffers;
use gambol_envs::seed::Streams;
use gambol_tests::{RandomActions, conformance};

#[test]
fn every_registered_environment_conforms() {
    for entry in gambol_envs::registry().entries() {
        let examples = (entry.examples)();
        assert!(!examples.is_empty(), "{} has no example", entry.name);
        for example in examples {
            conformance(&*example);
        }
    }
}

#[test]
fn no_step_allocates() {
    let counts = allocation_counter::measure(|| drop(std::hint::black_box(vec![0_u8; 64])));
    assert!(counts.count_total > 0, "the counting allocator is in place");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for entry in gambol_envs::registry().entries() {
            for example in (entry.examples)() {
                let streams = Streams::new(1);
                let mut env = example.build(0..40, 16, streams).unwrap();
                let spec = env.spec().clone();
                let mut out = Buffers::new(&spec, 40);
                let mut actions = RandomActions::new(streams, 0, 40);
                env.reset(0, out.outbox()).unwrap();
                // Warm-up: every scratch buffer has its size after one episode of every lane.
                let warm = spec.horizon.unwrap_or(50) as usize + 10;
                for _ in 0..warm {
                    env.step(actions.draw(&spec), out.outbox()).unwrap();
                }
                for step in 0..warm {
                    let chosen = actions.draw(&spec);
                    let counted = allocation_counter::measure(|| {
                        env.step(chosen, out.outbox()).unwrap();
                    });
                    assert_eq!(counted.count_total, 0, "{}, step {step}", spec.name);
                }
            }
        }
    });
}
