//! Any text as a scenario: parsed, validated, planned, and its problems written out; nothing is run.
//!
//! A first line `--set path=value` is applied as the command line would.
//! From the repository: `mkdir -p fuzz/corpus/scenario && cargo +nightly fuzz run scenario fuzz/corpus/scenario
//! assets/scenarios tests/bad_scenarios -- -dict=fuzz/scenario.dict -max_total_time=600`

#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use gambol_agents::Device;
use gambol_runner::Registries;
use gambol_runner::plan::Plan;
use gambol_runner::scenario::Scenario;
use gambol_runner::sources::Sources;
use libfuzzer_sys::fuzz_target;

static REGISTRIES: LazyLock<Registries> = LazyLock::new(Registries::standard);

/// The only file that the scenario can name; any other is missing.
const GAME: &str = "NFG 1 R \"g\" { \"a\" \"b\" } { 2 2 }\n\n1 1 0 0 0 0 1 1\n";

fuzz_target!(|text: &str| {
    let (sets, text) = match text.strip_prefix("--set ").and_then(|rest| rest.split_once('\n')) {
        Some((set, text)) => (set.parse().into_iter().collect(), text),
        None => (Vec::new(), text),
    };
    let files = BTreeMap::from([("g.nfg".to_owned(), GAME.into())]);
    let plan = Scenario::parse(Path::new("fuzz.ron"), text, &sets, &REGISTRIES)
        .and_then(|scenario| Plan::new(scenario, Sources::given(files), Device::Cpu));
    match plan {
        Ok(plan) => drop(plan.summary().to_string()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
