//! Any text as a game file: read, and if it is a game, written in both forms and read again.
//!
//! From the repository: `mkdir -p fuzz/corpus/nfg && cargo +nightly fuzz run nfg fuzz/corpus/nfg assets/games --
//! -dict=fuzz/nfg.dict -max_total_time=600`

#![no_main]

use gambol_solvers::game::nfg;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match nfg::read(text) {
        Ok(game) => {
            let again = nfg::write(&game);
            assert_eq!(nfg::read(&again).as_ref(), Ok(&game), "{again}");
            // The null outcome makes negative zeros positive, which equality does not see.
            let outcomes = nfg::write_outcomes(&game);
            assert_eq!(nfg::read(&outcomes).as_ref(), Ok(&game), "{outcomes}");
        }
        Err(error) => {
            let line = text.lines().nth(error.line - 1).unwrap_or_default();
            assert!(error.column <= line.chars().count() + 2, "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
});
