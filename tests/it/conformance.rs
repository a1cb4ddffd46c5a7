//! Every registered environment passes the conformance suite, and no step allocates.

use gambol_envs::EnvFactory;
use gambol_envs::batch::Buffers;
use gambol_envs::driving::{Driving, Population, Task};
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

/// Fails where a step allocates once every scratch buffer has its size, after one episode of every lane.
fn allocates_nothing(example: &dyn EnvFactory) {
    let streams = Streams::new(1);
    let mut env = example.build(0..40, 16, streams).unwrap();
    let spec = env.spec().clone();
    let mut out = Buffers::new(&spec, 40);
    let mut actions = RandomActions::new(streams, 0, 40);
    env.reset(0, out.outbox()).unwrap();
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

/// Runs on one thread, the one whose allocations are counted.
fn counted(work: impl FnOnce() + Send) {
    let counts = allocation_counter::measure(|| drop(std::hint::black_box(vec![0_u8; 64])));
    assert!(counts.count_total > 0, "the counting allocator is in place");
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work);
}

#[test]
fn no_step_allocates() {
    counted(|| {
        for entry in gambol_envs::registry().entries() {
            for example in (entry.examples)() {
                allocates_nothing(&*example);
            }
        }
    });
}

/// The registry's examples of driving are a choice; here is every task that a scenario can name, with its own
/// observation, and short.
#[test]
fn every_driving_task_conforms_and_does_not_allocate() {
    let tasks: Vec<Driving> = Task::ALL
        .iter()
        .map(|task| Driving {
            duration: Some(6.0),
            population: Population { vehicles: Some(8), ..Population::default() },
            ..Driving::task(task.name())
        })
        .collect();
    for task in &tasks {
        conformance(task);
    }
    counted(|| tasks.iter().for_each(|task| allocates_nothing(task)));
}
