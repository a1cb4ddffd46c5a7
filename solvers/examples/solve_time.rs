//! Times a solver on games, for the comparison with other packages in `tests/peers/solvers.py`.
//!
//! `solve_time SOLVER REPEATS GAME.nfg...` prints one JSON object per game; `SOLVER` is a name
//! such as `extreme`, or a configuration in RON such as `LemkeHowson(exact: true)`.
//! The seconds are of the fastest of the repeats, without reading the file.
//!
//! `solve_time case NAME REPEATS` prints `{"case", "seconds": [..], "regret"}` for a generated game
//! (payoffs uniform in `[0, 1)`): `lp-SIZE` and `halpern-SIZE` are constant-sum games of that many
//! actions each, `alpha-rank-SIZE` two populations of that many strategies each, at alpha 1 and
//! size 50.

use std::error::Error;

use gambol_solvers::SolverConfig;
use gambol_solvers::alpha_rank::{AlphaRank, Selection};
use gambol_solvers::game::{NormalForm, nfg};
use gambol_solvers::nash::halpern::Halpern;
use gambol_solvers::nash::linear_program::LinearProgram;
use gambol_solvers::seed::{Purpose, Streams, unit_f64};
use gambol_solvers::solution::{SolveOptions, Solver};
use ndarray::Array2;

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// A generated game and the solver to time on it.
fn case(name: &str) -> Result<(NormalForm, Box<dyn Solver>), Box<dyn Error>> {
    let (method, size) = name.rsplit_once('-').ok_or("a case is METHOD-SIZE, such as lp-200")?;
    let size: usize = size.parse()?;
    let mut rng = Streams::new(1).at(Purpose::Generate, 0, 0);
    let mut matrix = || Array2::from_shape_simple_fn((size, size), || unit_f64(&mut rng));
    let row = matrix();
    Ok(match method {
        "lp" => (NormalForm::zero_sum(row.view())?, Box::new(LinearProgram {})),
        "halpern" => (NormalForm::zero_sum(row.view())?, Box::new(Halpern::default())),
        "alpha-rank" => {
            let rank = AlphaRank { selection: Selection::Finite(1.0), ..AlphaRank::default() };
            (NormalForm::bimatrix(row.view(), matrix().view())?, Box::new(rank))
        }
        _ => return Err(format!("no case {name}: lp-, halpern- or alpha-rank- and a size").into()),
    })
}

#[expect(clippy::print_stdout, reason = "its output")]
fn time_case(name: &str, repeats: u32) -> Result<(), Box<dyn Error>> {
    let (game, solver) = case(name)?;
    let mut seconds = Vec::new();
    let mut regret = f64::NAN;
    for _ in 0..repeats {
        let start = now();
        let solutions = solver.solve(&game, &SolveOptions::default())?;
        seconds.push(start.elapsed().as_secs_f64());
        regret = solutions.equilibria.first().ok_or("no answer")?.max_regret();
    }
    println!("{}", serde_json::json!({"case": name, "seconds": seconds, "regret": regret}));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "its output")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, name, repeats] = arguments.as_slice()
        && first == "case"
    {
        return time_case(name, repeats.parse()?);
    }
    let [solver, repeats, files @ ..] = arguments.as_slice() else {
        return Err("usage: solve_time SOLVER REPEATS GAME.nfg... | case NAME REPEATS".into());
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
            .map(|s| {
                let joint: Option<Vec<f64>> = s.joint.as_ref().map(|j| j.iter().copied().collect());
                serde_json::json!({
                    "profile": s.profile, "payoffs": s.payoffs, "regret": s.regret, "joint": joint,
                })
            })
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
