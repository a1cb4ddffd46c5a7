//! Each registered environment has a readable golden playthrough under `tests/playthroughs/`.
//!
//! `UPDATE_PLAYTHROUGHS=1 cargo test -p gambol-tests playthrough` writes them anew; the difference is reviewed.

use std::fmt::Write as _;
use std::path::PathBuf;

use gambol_envs::EnvFactory;
use gambol_envs::batch::{Actions, Buffers};
use gambol_envs::seed::Streams;
use gambol_envs::spec::ActionSpace;
use gambol_tests::RandomActions;

const STEPS: usize = 12;

fn rows(text: &mut String, what: &str, values: &[f32], length: usize) {
    if length == 0 {
        return;
    }
    for (index, row) in values.chunks_exact(length).enumerate() {
        writeln!(text, "  {what}[{index}] {row:?}").unwrap();
    }
}

fn play(factory: &dyn EnvFactory) -> String {
    let spec = factory.spec().unwrap();
    let streams = Streams::new(2026);
    let mut env = factory.build(0..1, 1, streams).unwrap();
    env.watch(0).unwrap();
    let mut out = Buffers::new(&spec, 1);
    let mut actions = RandomActions::new(streams, 0, 1);
    let mut text = String::new();
    writeln!(text, "{} version {}", spec.name, spec.version).unwrap();
    writeln!(text, "agents {:?}, {:?}, {} payoff", spec.roles, spec.turns, spec.payoff).unwrap();
    writeln!(text, "observation {:?}, state {}", spec.observation.shape, spec.state).unwrap();
    match &spec.action {
        ActionSpace::Discrete { names } => writeln!(text, "actions {names:?}").unwrap(),
        ActionSpace::Box { low, high } => writeln!(text, "actions {low:?} to {high:?}").unwrap(),
        other => writeln!(text, "actions {other:?}").unwrap(),
    }
    writeln!(text, "horizon {:?}, seed 2026, random actions", spec.horizon).unwrap();
    env.reset(0, out.outbox()).unwrap();
    for step in 0..=STEPS {
        writeln!(text, "\nstep {step}").unwrap();
        if step > 0 {
            let chosen = actions.draw(&spec);
            match chosen {
                Actions::Discrete(team) => writeln!(text, "  actions {team:?}").unwrap(),
                Actions::Continuous(team) => writeln!(text, "  actions {team:?}").unwrap(),
            }
            env.step(chosen, out.outbox()).unwrap();
            writeln!(text, "  rewards {:?}, {:?}", out.rewards, out.ends[0]).unwrap();
            if out.ends[0].is_over() {
                writeln!(text, "  ended as {}", env.describe_last(0).unwrap()).unwrap();
                rows(&mut text, "last", &out.last_observations, spec.observation.size());
            }
        }
        writeln!(text, "  {}", env.describe(0).unwrap()).unwrap();
        rows(&mut text, "sees", &out.observations, spec.observation.size());
        if spec.action.mask_size() > 0 {
            let allowed = |mask: &[bool]| -> Vec<usize> {
                mask.iter()
                    .enumerate()
                    .filter(|(_, open)| **open)
                    .map(|(action, _)| action)
                    .collect()
            };
            let masks: Vec<_> =
                out.masks.chunks_exact(spec.action.mask_size()).map(allowed).collect();
            writeln!(text, "  allowed {masks:?}").unwrap();
        }
    }
    text
}

#[test]
fn every_registered_environment_plays_as_its_playthrough_says() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("playthroughs");
    let update = std::env::var_os("UPDATE_PLAYTHROUGHS").is_some();
    let mut expected_files = Vec::new();
    for entry in gambol_envs::registry().entries() {
        for (index, example) in (entry.examples)().iter().enumerate() {
            let file = format!("{}-{index}.txt", entry.name.to_lowercase());
            let found = play(&**example);
            let path = folder.join(&file);
            if update {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &found).unwrap();
            }
            let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| {
                panic!("{file}: {error}; see the head of this test's file")
            });
            for (line, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
                assert_eq!(found, expected, "{file}:{}", line + 1);
            }
            assert_eq!(found.lines().count(), expected.lines().count(), "{file}");
            expected_files.push(file);
        }
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(expected_files.contains(&name), "{name} belongs to no registered environment");
    }
}
