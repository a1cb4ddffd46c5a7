//! Times solvers, for figures and for the comparisons with other packages in `tests/peers`.
//!
//! `solve_time SOLVER REPEATS [--first] GAME.nfg...` prints one JSON object per game; `SOLVER` is a
//! name such as `extreme`, or a configuration in RON such as `LemkeHowson(exact: true)`.
//! All answers are asked for, or with `--first` one.
//!
//! `solve_time case NAME REPEATS` runs a measurement of [`cases`] and prints one JSON object per
//! setting.
//!
//! Every object has `case`, `seconds` and `cpu_seconds`, one number a repeat: by the clock, and of
//! this thread on a core, which leaves out what other programs took (Unix only, else empty).
//! Reading and making games is left out of both.

use std::error::Error;

use gambol_solvers::SolverConfig;
use gambol_solvers::alpha_rank::{AlphaRank, Selection};
use gambol_solvers::game::{NormalForm, nfg};
use gambol_solvers::nash::halpern::Halpern;
use gambol_solvers::nash::linear_program::LinearProgram;
use gambol_solvers::rae::{Exposure, Method, best_response};
use gambol_solvers::seed::{Purpose, Streams, unit_f64};
use gambol_solvers::solution::{SolveOptions, Solver};
use ndarray::{Array1, Array2};
use serde_json::{Value, json};

type Lines = Result<Vec<Value>, Box<dyn Error>>;

#[expect(clippy::print_stdout, reason = "its output")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let lines = match arguments.as_slice() {
        [word, name, repeats] if word == "case" => cases(name, repeats.parse()?)?,
        [solver, repeats, flag, files @ ..] if flag == "--first" => {
            games(solver, repeats.parse()?, &SolveOptions::default(), files)?
        }
        [solver, repeats, files @ ..] if !files.is_empty() => {
            games(solver, repeats.parse()?, &SolveOptions::default().all(), files)?
        }
        _ => {
            return Err(
                "usage: solve_time SOLVER REPEATS [--first] GAME.nfg... | case NAME REPEATS".into(),
            );
        }
    };
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

/// Seconds of every repeat.
struct Seconds {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

/// Seconds that this thread has had a core.
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "not every system tells"))]
fn on_core() -> Option<f64> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9)
    }
    #[cfg(not(unix))]
    None
}

/// Runs something `repeats` times; the last result.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn timed<T, E: Into<Box<dyn Error>>>(
    repeats: u32,
    mut run: impl FnMut() -> Result<T, E>,
) -> Result<(Seconds, T), Box<dyn Error>> {
    let mut seconds = Seconds { wall: Vec::new(), cpu: Vec::new() };
    let mut last = None;
    for _ in 0..repeats {
        let (start, cpu) = (std::time::Instant::now(), on_core());
        last = Some(run().map_err(Into::into)?);
        seconds.wall.push(start.elapsed().as_secs_f64());
        seconds.cpu.extend(cpu.zip(on_core()).map(|(before, after)| after - before));
    }
    Ok((seconds, last.ok_or("no repeats")?))
}

fn games(solver: &str, repeats: u32, options: &SolveOptions, files: &[String]) -> Lines {
    let config = match SolverConfig::named(solver) {
        Some(config) => config,
        None => ron::Options::default()
            .with_default_extension(ron::extensions::Extensions::UNWRAP_VARIANT_NEWTYPES)
            .from_str(solver)?,
    };
    let solver: &dyn Solver = config.solver();
    let solve = |file: &String| {
        let game = nfg::read(&std::fs::read_to_string(file)?)?;
        let (seconds, solutions) = timed(repeats, || solver.solve(&game, options))?;
        let equilibria: Vec<_> = solutions
            .equilibria
            .iter()
            .map(|s| {
                let joint: Option<Vec<f64>> = s.joint.as_ref().map(|j| j.iter().copied().collect());
                json!({
                    "profile": s.profile, "payoffs": s.payoffs, "regret": s.regret, "joint": joint,
                })
            })
            .collect();
        Ok(json!({
            "case": file,
            "solver": solver.info().name,
            "equilibria": equilibria,
            "iterations": solutions.iterations,
            "stop": solutions.stop,
            "seconds": seconds.wall,
            "cpu_seconds": seconds.cpu,
        }))
    };
    files.iter().map(solve).collect()
}

/// Measurements without a file: `lp-SIZE` and `halpern-SIZE` on constant-sum games of that many
/// actions each, `alpha-rank-SIZE` on two populations of that many strategies each at alpha 1 and
/// size 50 (all with payoffs uniform in `[0, 1)`), and `rae-best-response`.
fn cases(name: &str, repeats: u32) -> Lines {
    if name == "rae-best-response" {
        return rae_best_response(repeats);
    }
    let sized = name.rsplit_once('-').and_then(|(what, size)| Some((what, size.parse().ok()?)));
    let (method, size): (&str, usize) =
        sized.ok_or("a case is rae-best-response, or METHOD-SIZE such as lp-200")?;
    let mut rng = Streams::new(1).at(Purpose::Generate, 0, 0);
    let mut matrix = || Array2::from_shape_simple_fn((size, size), || unit_f64(&mut rng));
    let row = matrix();
    let (game, solver): (_, Box<dyn Solver>) = match method {
        "lp" => (NormalForm::zero_sum(row.view())?, Box::new(LinearProgram {})),
        "halpern" => (NormalForm::zero_sum(row.view())?, Box::new(Halpern::default())),
        "alpha-rank" => {
            let rank = AlphaRank { selection: Selection::Finite(1.0), ..AlphaRank::default() };
            (NormalForm::bimatrix(row.view(), matrix().view())?, Box::new(rank))
        }
        _ => return Err(format!("no case {name}: lp-, halpern- or alpha-rank- and a size").into()),
    };
    let (seconds, solutions) = timed(repeats, || solver.solve(&game, &SolveOptions::default()))?;
    let regret = solutions.equilibria.first().ok_or("no answer")?.max_regret();
    let (wall, cpu) = (seconds.wall, seconds.cpu);
    Ok(vec![json!({"case": name, "seconds": wall, "cpu_seconds": cpu, "regret": regret})])
}

/// RAE best responses with 1,000 actions against 1,000 states, a quarter of them of no weight, at
/// rising risk aversion; the gap is the Frank-Wolfe gap, an upper bound on what the answer misses.
fn rae_best_response(repeats: u32) -> Lines {
    let mut rng = Streams::new(3).at(Purpose::Generate, 7, 0);
    let payoffs = Array2::from_shape_fn((1000, 1000), |_| 10.0 * unit_f64(&mut rng) - 5.0);
    let weights = Array1::from_shape_fn(1000, |_| (unit_f64(&mut rng) - 0.25).max(0.0));
    let total = weights.sum();
    let exposure = Exposure::new(payoffs, weights / total)?;
    let respond = |gamma: f64| {
        let (seconds, response) =
            timed(repeats, || best_response(&exposure, gamma, 0.0, Method::Auto))?;
        Ok(json!({
            "case": format!("rae best response, 1000 actions, gamma {gamma}"),
            "seconds": seconds.wall,
            "cpu_seconds": seconds.cpu,
            "gap": response.gap,
            "value": response.value,
            "support": response.strategy.iter().filter(|&&share| share > 0.0).count(),
            "iterations": response.iterations,
        }))
    };
    [0.0, 0.1, 1.0, 5.0, 20.0, 100.0, 1000.0].into_iter().map(respond).collect()
}
