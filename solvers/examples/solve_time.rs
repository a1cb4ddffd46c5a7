//! Times a solver on games, for the comparison with other packages in `tests/peers/solvers.py`.
//!
//! `solve_time SOLVER REPEATS GAME.nfg...` prints one JSON object per game; `SOLVER` is a name
//! such as `extreme`, or a configuration in RON such as `LemkeHowson(exact: true)`.
//! The seconds are of the fastest of the repeats, without reading the file.

use std::error::Error;

use gambol_solvers::SolverConfig;
use gambol_solvers::game::nfg;
use gambol_solvers::solution::{SolveOptions, Solver};

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[expect(clippy::print_stdout, reason = "its output")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [solver, repeats, files @ ..] = arguments.as_slice() else {
        return Err("usage: solve_time SOLVER REPEATS GAME.nfg...".into());
    };
    let config = match SolverConfig::named(solver) {
        Some(config) => config,
        None => ron::Options::default()
            .with_default_extension(ron::extensions::Extensions::UNWRAP_VARIANT_NEWTYPES)
            .from_str(solver)?,
    };
    let solver: &dyn Solver = config.solver();
    let options = SolveOptions::default().all();
    for file in files {
        let game = nfg::read(&std::fs::read_to_string(file)?)?;
        let mut seconds = f64::INFINITY;
        let mut solutions = None;
        for _ in 0..repeats.parse::<u32>()? {
            let start = now();
            solutions = Some(solver.solve(&game, &options)?);
            seconds = seconds.min(start.elapsed().as_secs_f64());
        }
        let solutions = solutions.ok_or("no repeats")?;
        let equilibria: Vec<_> = solutions
            .equilibria
            .iter()
            .map(|s| serde_json::json!({"profile": s.profile, "payoffs": s.payoffs, "regret": s.regret}))
            .collect();
        let line = serde_json::json!({
            "solver": solver.info().name,
            "game": file,
            "equilibria": equilibria,
            "iterations": solutions.iterations,
            "stop": solutions.stop,
            "seconds": seconds,
        });
        println!("{line}");
    }
    Ok(())
}
