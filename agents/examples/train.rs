//! Trains a learner on a foraging task and prints its evaluation returns: a driver for trying out settings.
//!
//! `cargo run -p gambol-agents --example train -- 'Iql(network: (hidden: [64, 64]))' Foraging-5x5-2p-1f-coop-v3 16 100000 10000 0,1,2`
//! (agent, task, instances, environment steps, steps between evaluations, seeds).
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a tool for developers")]
#![allow(clippy::disallowed_methods, reason = "it reports how long it took")]

use std::time::Instant;

use gambol_agents::AgentFactory;
use gambol_envs::foraging::{Foraging, Mode};

#[allow(dead_code, unreachable_pub, reason = "shared with the tests")]
#[path = "../tests/common/mod.rs"]
mod common;

fn parse(text: &str) -> Box<dyn AgentFactory> {
    let (name, rest) = text.split_at(text.find('(').unwrap());
    let registry = gambol_agents::registry();
    let entry = registry.get(name).unwrap_or_else(|| panic!("no agent `{name}`"));
    let options =
        ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    let mut deserializer = ron::Deserializer::from_str_with_options(rest, &options).unwrap();
    (entry.parse)(&mut <dyn erased_serde::Deserializer>::erase(&mut deserializer)).unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [agent, task, envs, steps, every, seeds] = &arguments[..] else {
        panic!("agent, task, instances, steps, steps between evaluations, seeds")
    };
    let factory = parse(agent);
    let config = Foraging::task(task, Mode::Clean);
    let (envs, steps, every): (usize, u64, u64) =
        (envs.parse().unwrap(), steps.parse().unwrap(), every.parse().unwrap());
    let episodes: usize = std::env::var("EPISODES").map_or(200, |text| text.parse().unwrap());
    for seed in seeds.split(',').map(|seed| seed.parse().unwrap()) {
        let begin = Instant::now();
        let mut session = common::Session::new(&*factory, task, seed, envs);
        let (mut next, mut curve) = (every, Vec::new());
        while session.steps < steps {
            let report = session.advance().unwrap();
            if session.steps >= next {
                next += every;
                let returns = [true, false].map(|greedy| {
                    let mut policy = session.learner.policy(greedy).unwrap();
                    common::evaluate(&mut *policy, &config, seed, episodes)
                });
                curve.push(returns[0]);
                let values: Vec<String> = report
                    .values
                    .iter()
                    .map(|(name, value)| format!("{name} {value:.4}"))
                    .collect();
                println!(
                    "seed {seed} steps {} {:.1}s greedy {:.3} drawn {:.3} | {}",
                    session.steps,
                    begin.elapsed().as_secs_f64(),
                    returns[0],
                    returns[1],
                    values.join(" ")
                );
            }
        }
        let solved = curve.iter().position(|&value| value > 0.9);
        println!(
            "seed {seed} final {:.3} best {:.3} above 0.9 after {:?} in {:.1}s ({:.0} steps/s)",
            curve.last().unwrap(),
            curve.iter().copied().fold(0.0, f64::max),
            solved.map(|at| (at as u64 + 1) * every),
            begin.elapsed().as_secs_f64(),
            session.steps as f64 / begin.elapsed().as_secs_f64()
        );
    }
}
