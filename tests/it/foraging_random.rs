//! Random play of every benchmark task against the reference's own figures (spec `mansa-lbf.md` 2.8, fact 56).
//!
//! `UPDATE_RESULTS=1 cargo test -p gambol-tests fact_56` writes docs/results/foraging-random.md anew.

use std::fmt::Write as _;
use std::path::PathBuf;

use gambol_envs::EnvFactory;
use gambol_envs::batch::{Actions, Buffers};
use gambol_envs::foraging::{Foraging, Mode};
use gambol_envs::seed::{Purpose, Streams};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

const LANES: u32 = 1024;
/// Of each lane, so that 100,352 in all are counted, long ones as readily as short ones.
const EPISODES: u32 = 98;

/// Task, mean team return with half its 95 % interval, and share of episodes with any food, of 700 episodes of the
/// Python package. The spec measured the tasks with sight 2 together with those without: random play does not see.
const REFERENCE: [(&str, f64, f64, f64); 9] = [
    ("Foraging-8x8-2p-2f-coop-v3", 0.0036, 0.0031, 0.007),
    ("Foraging-2s-8x8-2p-2f-coop-v3", 0.0036, 0.0031, 0.007),
    ("Foraging-10x10-3p-3f-v3", 0.1016, 0.0122, 0.409),
    ("Foraging-2s-10x10-3p-3f-v3", 0.1016, 0.0122, 0.409),
    ("Foraging-15x15-3p-5f-v3", 0.0440, 0.0057, 0.329),
    ("Foraging-15x15-4p-3f-v3", 0.0696, 0.0097, 0.283),
    ("Foraging-15x15-4p-5f-v3", 0.0638, 0.0067, 0.434),
    ("Foraging-5x5-2p-1f-coop-v3", 0.0271, 0.0120, 0.027),
    ("Foraging-5x5-2p-1f-v3", 0.4457, 0.0368, 0.446),
];

/// A mean and its standard error.
#[derive(Clone, Copy)]
struct Mean {
    mean: f64,
    error: f64,
}

impl Mean {
    fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, error: (squares / (count - 1.0) / count).sqrt() }
    }

    /// How many standard errors of the difference lie between the two.
    fn apart(self, other: Self) -> f64 {
        (self.mean - other.mean).abs() / (self.error.powi(2) + other.error.powi(2)).sqrt()
    }
}

/// Sixteen bits for each action; a bias of one part in ten thousand is far below the standard errors.
fn draw(rng: &mut ChaCha8Rng, bytes: &mut [u8], actions: &mut [u16]) {
    rng.fill_bytes(bytes);
    for (action, bytes) in actions.iter_mut().zip(bytes.as_chunks().0) {
        *action = ((u32::from(u16::from_le_bytes(*bytes)) * 6) >> 16) as u16;
    }
}

/// Team return, whether any food was eaten, and length of the first [`EPISODES`] episodes of each lane.
fn play(task: &str) -> [Vec<f64>; 3] {
    let streams = Streams::new(1);
    let mut env = Foraging::task(task, Mode::Reference).build(0..LANES, 256, streams).unwrap();
    let spec = env.spec().clone();
    let mut out = Buffers::new(&spec, LANES as usize);
    env.reset(0, out.outbox()).unwrap();
    let mut rng = streams.at(Purpose::Policy, 0, 0);
    let mut actions = vec![0; LANES as usize * spec.agents];
    let mut bytes = vec![0; 2 * actions.len()];
    let mut lanes = vec![(0_u32, 0.0_f64, 0_u32); LANES as usize];
    let mut found = [const { Vec::new() }; 3];
    while lanes.iter().any(|&(episodes, ..)| episodes < EPISODES) {
        draw(&mut rng, &mut bytes, &mut actions);
        env.step(Actions::Discrete(&actions), out.outbox()).unwrap();
        let teams = out.rewards.chunks_exact(spec.agents).zip(&out.ends);
        for ((episodes, sum, steps), (team, end)) in lanes.iter_mut().zip(teams) {
            *sum += team.iter().map(|&reward| f64::from(reward)).sum::<f64>();
            *steps += 1;
            if end.is_over() {
                if *episodes < EPISODES {
                    let ate = if *sum > 0.0 { 1.0 } else { 0.0 };
                    let values = [*sum, ate, f64::from(*steps)];
                    found.iter_mut().zip(values).for_each(|(list, value)| list.push(value));
                }
                (*episodes, *sum, *steps) = (*episodes + 1, 0.0, 0);
            }
        }
    }
    found
}

#[test]
fn fact_56_random_play_earns_what_it_earns_in_the_reference() {
    let mut text = String::from(
        "# Random play of level-based foraging\n\n\
         Uniformly random actions in mode `Reference`, 100,352 episodes of each task, beside 700 episodes of lbforaging \
         2.0.0 in Python (spec `mansa-lbf.md` 2.8).\n\
         The difference is in standard errors of the difference; the test `fact_56` allows 4.\n\
         `UPDATE_RESULTS=1 cargo test -p gambol-tests fact_56` writes this page, and without the variable compares it.\n\n\
         | task | return | reference | apart | any food | reference | apart | length |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for (task, mean, half, food) in REFERENCE {
        let [returns, ate, lengths] = play(task);
        assert!(returns.len() >= 100_000);
        let [found, ate, length] = [&returns, &ate, &lengths].map(|values| Mean::of(values));
        let expected = Mean { mean, error: half / 1.96 };
        // The spec's shares have three digits, which counts where they are small.
        let error = (food * (1.0 - food) / 700.0 + 0.0005_f64.powi(2)).sqrt();
        let expected_ate = Mean { mean: food, error };
        let (one, two) = (found.apart(expected), ate.apart(expected_ate));
        writeln!(
            text,
            "| {task} | {:.4} ± {:.4} | {mean:.4} ± {:.4} | {one:.1} | {:.4} | {food:.3} | {two:.1} | {:.2} |",
            found.mean, found.error, expected.error, ate.mean, length.mean
        )
        .unwrap();
        assert!(one < 4.0 && two < 4.0, "{task}: {one} and {two} standard errors apart\n{text}");
    }
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/results/foraging-random.md");
    if std::env::var_os("UPDATE_RESULTS").is_some() {
        std::fs::write(file, text).unwrap();
    } else {
        assert_eq!(std::fs::read_to_string(file).unwrap(), text);
    }
}
