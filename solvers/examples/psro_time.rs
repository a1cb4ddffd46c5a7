//! PSRO on a sequential game of the catalogue, timed iteration by iteration, for `tests/peers/psro.py`.
//!
//! `psro_time GAME ITERATIONS SIMS SEED`: double oracle with the Nash equilibrium of the restricted game, from even
//! play; `SIMS` episodes a cell, 0 for exact payoffs.
//! Prints one JSON object: `NashConv` of every iteration's mixtures in the whole game, and the seconds of this process's
//! processor time until then, without those of measuring `NashConv`.
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use std::error::Error;

use gambol_solvers::SolverConfig;
use gambol_solvers::game::sequential;
use gambol_solvers::nash::linear_program::LinearProgram;
use gambol_solvers::psro::{BestResponse, Config, Event, Psro, Sampling, Target, TreeGame};
use gambol_solvers::seed::Streams;

#[cfg(unix)]
fn seconds() -> f64 {
    use rustix::time::{ClockId, clock_gettime};
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

#[cfg(not(unix))]
fn seconds() -> f64 {
    f64::NAN
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, iterations, sims, seed] = arguments.as_slice() else {
        return Err("usage: psro_time GAME ITERATIONS SIMS SEED".into());
    };
    let start = seconds();
    let entry = sequential::find(name).ok_or("there is no such game")?;
    let game = TreeGame::new(entry.tree()?);
    let first: u64 = sims.parse()?;
    let sampling = match first {
        0 => Sampling::Exact,
        first => Sampling::Episodes { first, most: first, interval: f64::INFINITY },
    };
    let config = Config {
        meta: SolverConfig::LinearProgram(LinearProgram {}),
        target: Target::Mixture,
        sampling,
        iterations: iterations.parse()?,
        warmup: 0,
        tolerance: 1e-9,
        repeats: None,
    };
    let populations = (0..2).map(|player| vec![game.tree().uniform(player)]).collect();
    let mut psro = Psro::new(config, vec![0, 1], populations, Streams::new(seed.parse()?))?;
    let (mut convs, mut times, mut measuring) = (Vec::new(), Vec::new(), 0.0);
    loop {
        let event = psro.advance(&game, &mut BestResponse(&game))?;
        if event == (Event::Solved { settled: true }) {
            let before = seconds();
            times.push(before - start - measuring);
            if let Some(meta) = &psro.state.meta {
                let roles = psro.state.table.roles();
                let mixed = game.behaviours(roles, &psro.state.populations, &meta.profile);
                convs.push(game.tree().nash_conv(&mixed));
            }
            measuring += seconds() - before;
        }
        if let Event::Finished(finish) = event {
            println!(
                "{{\"nash_conv\": {convs:?}, \"seconds\": {times:?}, \"stop\": \"{finish:?}\"}}"
            );
            return Ok(());
        }
    }
}
