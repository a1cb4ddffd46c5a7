//! Mutated scenarios and game files: whatever the text, there is an answer and never a panic.
//!
//! Mutations know where values and fields stand, so that many texts get past the parser; a text whose complaint is of a
//! new form joins those that are mutated further. All of it follows from a seed.
//!
//! The tests make a fixed number of executions. For longer, with another seed if wanted, and a summary:
//! `FUZZ_SECONDS=600 FUZZ_SEED=1 cargo test -p gambol-runner --test cli fuzz -- --nocapture`
//! What it finds is printed, and becomes a test of its own before it is mended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use gambol_agents::Device;
use gambol_envs::registry::Registry;
use gambol_envs::seed::below;
use gambol_runner::Registries;
use gambol_runner::clock::Stopwatch;
use gambol_runner::plan::Plan;
use gambol_runner::scenario::Scenario;
use gambol_runner::scenario::edit::Setting;
use gambol_runner::scenario::tree::{Kind, Node};
use gambol_runner::sources::Sources;
use gambol_solvers::game::nfg;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::root;

/// Executions of an ordinary test run.
const RUNS: u64 = 4_000;

/// Texts longer than this are not mutated further.
const LONGEST: usize = 4_000;

/// Most texts that are kept besides the seeds.
const KEPT: usize = 1_000;

fn pick<'a, T>(rng: &mut ChaCha8Rng, items: &'a [T]) -> &'a T {
    &items[below(rng, items.len() as u32) as usize]
}

fn piece<'a>(rng: &mut ChaCha8Rng, items: &'a [impl AsRef<str>]) -> &'a str {
    pick(rng, items).as_ref()
}

/// A place between two characters.
fn place(rng: &mut ChaCha8Rng, text: &str) -> usize {
    let mut at = below(rng, text.len() as u32 + 1) as usize;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Changes that need to know nothing of the text.
fn scramble(rng: &mut ChaCha8Rng, text: &mut String, tokens: &[&str]) {
    let (one, two) = (place(rng, text), place(rng, text));
    let (from, to) = (one.min(two), one.max(two).min(one.min(two) + 40));
    let to = (from..=to).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(from);
    match below(rng, 5) {
        0 => text.insert_str(one, piece(rng, tokens)),
        1 => text.replace_range(from..to, ""),
        2 => {
            let part = text[from..to].to_owned();
            text.insert_str(two, &part);
        }
        3 => text.replace_range(from..to, piece(rng, tokens)),
        _ => text.insert(
            one,
            *pick(rng, &['(', ')', '{', '}', '[', ']', '"', '\\', ',', ':', '-', '0', 'é', '\0']),
        ),
    }
}

/// All values of a tree, the outermost first.
fn values(node: &Node) -> Vec<&Node> {
    let mut all = vec![node];
    let mut next = 0;
    while next < all.len() {
        all.extend(all[next].children());
        next += 1;
    }
    all
}

/// Changes of a scenario that keep it one: a value for another, a field more, a field less.
fn restructure(rng: &mut ChaCha8Rng, text: &mut String, pool: &[String], names: &[String]) {
    let Ok(tree) = Node::parse(text) else { return };
    let all = values(&tree);
    let node = *pick(rng, &all);
    match (below(rng, 4), &node.kind) {
        (0, Kind::Struct { fields, .. }) if !fields.is_empty() => {
            let field = pick(rng, fields);
            let mut range = field.at.start..field.value.span.end;
            if text[range.end..].starts_with(',') {
                range.end += 1;
            }
            text.replace_range(range, "");
        }
        (1, Kind::Struct { .. }) => {
            let field = format!("{}: {}, ", piece(rng, names), piece(rng, pool));
            let inside = match node.fields().first() {
                Some(field) => field.at.start,
                None => node.span.end - 1,
            };
            text.insert_str(inside, &field);
        }
        _ => text.replace_range(node.span.clone(), piece(rng, pool)),
    }
}

/// What a complaint says, without what it says it about.
fn form(complaint: &str) -> String {
    let first = complaint.lines().next().unwrap_or_default();
    let (own, _) = first.split_once(", found ").unwrap_or((first, ""));
    let mut quoted = None;
    own.chars()
        .filter(|&char| {
            let quote = matches!(char, '`' | '"' | '\'').then_some(char);
            match quoted {
                None => quoted = quote,
                Some(_) if quoted == quote => quoted = None,
                Some(_) => {}
            }
            quoted.is_none() && (char.is_ascii_lowercase() || char == ' ')
        })
        .take(60)
        .collect()
}

/// Mutates texts of a growing collection, with `mutate`, and hands each to `execute`, which says what came of it.
fn fuzz(
    seeds: &[String],
    mutate: impl Fn(&mut ChaCha8Rng, &mut String),
    execute: impl Fn(&str) -> Result<(), String>,
) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let (seconds, seed) = (number("FUZZ_SECONDS"), number("FUZZ_SEED").unwrap_or(0));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut kept, mut forms) = (Vec::new(), BTreeSet::new());
    let (watch, mut runs, mut good) = (Stopwatch::start(), 0_u64, 0_u64);
    let mut slowest = (0.0, String::new());
    while seconds.map_or(runs < RUNS, |seconds| watch.seconds() < seconds as f64) {
        // Half of all begin with a seed, so that what is kept does not drift into noise.
        let from = if kept.is_empty() || below(&mut rng, 2) == 0 { seeds } else { kept.as_slice() };
        let mut text = pick(&mut rng, from).clone();
        for _ in 0..=below(&mut rng, 4) {
            mutate(&mut rng, &mut text);
        }
        let before = watch.seconds();
        let outcome = catch_unwind(AssertUnwindSafe(|| execute(&text)));
        let outcome = outcome.unwrap_or_else(|_| panic!("run {runs} of seed {seed}:\n{text}\n"));
        let took = watch.seconds() - before;
        if took > slowest.0 {
            slowest = (took, text.clone());
        }
        runs += 1;
        good += u64::from(outcome.is_ok());
        let new = match &outcome {
            Ok(()) => good % 64 == 1,
            Err(complaint) => forms.insert(form(complaint)),
        };
        if new && text.len() < LONGEST && kept.len() < KEPT {
            kept.push(text);
        }
    }
    #[expect(clippy::print_stdout, reason = "the summary that --nocapture asks for")]
    {
        println!(
            "{runs} executions in {:.0} s, {good} of them fine, {} forms of complaints, {} texts kept; the slowest took {:.3} s:\n{}",
            watch.seconds(),
            forms.len(),
            kept.len(),
            slowest.0,
            slowest.1
        );
    }
    // A fuzzer that never gets through tests nothing behind the parser, and one that always does nothing before it.
    assert!(good > runs / 500 && good < runs / 2 + runs / 3, "{good} of {runs}");
    assert!(forms.len() > 15, "{forms:?}");
}

/// The texts of a folder's files with that ending.
fn texts(folder: &Path, ending: &str) -> Vec<String> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

const VALUES: [&str; 34] = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "1.5",
    "-0.0",
    "1e309",
    "NaN",
    "inf",
    "-inf",
    "255",
    "256",
    "65536",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "1_000",
    "0x10",
    "'a'",
    "b\"x\"",
    "\"\"",
    "r#\"x\"#",
    "()",
    "[]",
    "{}",
    "Some(1)",
    "None",
    "true",
    "Random",
    "{ 1: 2 }",
    "[[1, 2], [3, 4]]",
    "\"g.nfg\"",
];

const TOKENS: [&str; 14] = [
    "(",
    ")",
    ", ",
    ": ",
    "env: ",
    "// ",
    "/*",
    "*/",
    "#![enable(unwrap_newtypes)]",
    "r#\"",
    "b'",
    "\\u{",
    "\u{feff}",
    "--set env.size=(8, 8)\n",
];

/// The only file that there is for the scenarios.
const GAME: &str = "NFG 1 R \"g\" { \"a\" \"b\" } { 2 2 }\n\n1 1 0 0 0 0 1 1\n";

/// Parsed, validated, planned; nothing is run. A first line `--set path=value` is applied as the command line would.
fn plan(text: &str, registries: &Registries) -> Result<(), String> {
    let (sets, text) = match text.strip_prefix("--set ").and_then(|rest| rest.split_once('\n')) {
        Some((set, text)) => (set.parse::<Setting>().into_iter().collect(), text),
        None => (Vec::new(), text),
    };
    let files = BTreeMap::from([("g.nfg".to_owned(), GAME.into())]);
    let plan = Scenario::parse(Path::new("fuzz.ron"), text, &sets, registries)
        .and_then(|scenario| Plan::new(scenario, Sources::given(files), Device::Cpu));
    match plan {
        Ok(plan) => {
            assert!(plan.summary().is_object());
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn fuzz_scenarios() {
    let mut registries = Registries::standard();
    // Learners on libtorch would only build large networks.
    let light = registries.agents.entries().iter().filter(|entry| {
        ["Random", "Collector", "Frozen"].contains(&entry.name) || entry.name.starts_with("Tabular")
    });
    registries.agents = Registry::new(light.cloned().collect());
    let mut seeds = texts(&root().join("assets/scenarios"), "ron");
    seeds.extend(texts(&root().join("tests/bad_scenarios"), "ron"));
    let (mut pool, mut names) = (VALUES.map(str::to_owned).to_vec(), BTreeSet::new());
    for seed in &seeds {
        let Ok(tree) = Node::parse(seed) else { continue };
        for value in values(&tree) {
            pool.push(seed[value.span.clone()].to_owned());
            names.extend(value.fields().iter().map(|field| field.name.clone()));
        }
    }
    let names: Vec<_> = names.into_iter().collect();
    fuzz(
        &seeds,
        |rng, text| match below(rng, 8) {
            0 => scramble(rng, text, &TOKENS),
            1 => *text = format!("--set {}={}\n{text}", piece(rng, &names), piece(rng, &pool)),
            _ => restructure(rng, text, &pool, &names),
        },
        |text| plan(text, &registries),
    );
}

const NFG_TOKENS: [&str; 22] = [
    "NFG 1 R ",
    "NFG 1 D ",
    "{ ",
    " }",
    "\"\"",
    "\"a\"",
    "\\\"",
    "{ 2 2 }",
    "{ 1 }",
    "0",
    "1",
    "-1.5",
    "2e3",
    "1/2",
    "1/0",
    "1e400",
    "18446744073709551616",
    "4294967295",
    ",",
    "\n",
    "\u{feff}",
    "{ \"\" 1, 2 }",
];

/// Read, and if it is a game, written in both forms and read again.
fn read(text: &str) -> Result<(), String> {
    let game = match nfg::read(text) {
        Ok(game) => game,
        Err(error) => {
            let line = text.split('\n').nth(error.line - 1).unwrap_or_default();
            assert!(error.column <= line.chars().count() + 1, "{error}");
            return Err(error.to_string());
        }
    };
    assert_eq!(nfg::read(&nfg::write(&game)).as_ref(), Ok(&game));
    // The null outcome makes negative zeros positive, which equality does not see.
    assert_eq!(nfg::read(&nfg::write_outcomes(&game)).as_ref(), Ok(&game));
    Ok(())
}

#[test]
fn fuzz_game_files() {
    let mut seeds = texts(&root().join("assets/games"), "nfg");
    let outcomes: Vec<_> =
        seeds.iter().map(|seed| nfg::write_outcomes(&nfg::read(seed).unwrap())).collect();
    seeds.extend(outcomes);
    // Short ones, in which a change is likely to matter.
    seeds.retain(|seed| seed.len() < 600);
    fuzz(
        &seeds,
        |rng, text| {
            let words: Vec<_> = text.split(' ').collect();
            let word = pick(rng, &words).as_ptr() as usize - text.as_ptr() as usize;
            let end = text[word..].find(' ').map_or(text.len(), |length| word + length);
            match below(rng, 4) {
                0 => text.replace_range(word..end, piece(rng, &NFG_TOKENS)),
                1 => text.replace_range(word..end, ""),
                2 => text.insert_str(word, &format!("{} ", piece(rng, &NFG_TOKENS))),
                _ => scramble(rng, text, &NFG_TOKENS),
            }
        },
        read,
    );
}
