//! PSRO in random games with high-risk outcomes: populations grown by several meta-solvers, each against every other's.
//!
//! `psro_high_risk GAMES`: prints a Markdown report (`docs/results/psro-high-risk.md`).
//! Populations start with even play; responses are exact; every method has at most 30 iterations.
#![allow(clippy::print_stdout, reason = "an example prints its results")]

use std::error::Error;

use gambol_solvers::SolverConfig;
use gambol_solvers::game::NormalForm;
use gambol_solvers::game::generate::Generator;
use gambol_solvers::game::sequential::OneMove;
use gambol_solvers::meta::Uniform;
use gambol_solvers::nash::lemke_howson::LemkeHowson;
use gambol_solvers::psro::{
    BestResponse, Config, Performance, Psro, Sampling, Target, TreeGame, performance,
};
use gambol_solvers::rae::{Rae, Tremble};
use gambol_solvers::seed::{Purpose, Streams, below, unit_f64};
use gambol_solvers::solution::Profile;
use gambol_solvers::tree::Tree;
use rayon::prelude::*;

/// Least probability that risk-averse meta-solvers give the others' policies.
const TREMBLE: f64 = 0.02;

fn methods() -> Vec<(String, SolverConfig, Target)> {
    let mut methods = vec![
        ("nash".to_owned(), SolverConfig::LemkeHowson(LemkeHowson::default()), Target::Mixture),
        ("uniform".to_owned(), SolverConfig::Uniform(Uniform {}), Target::Mixture),
    ];
    for gamma in [0.1, 0.5, 2.0] {
        let tremble = Tremble::Opponent(TREMBLE);
        let rae = Rae { gamma, tremble, rounds: 500, ..Rae::default() };
        methods.push((format!("rae {gamma}"), SolverConfig::Rae(rae), Target::RiskAverse));
    }
    methods
}

/// What each player plays in the end, over the game's actions.
fn grown(game: &NormalForm, meta: SolverConfig, target: Target) -> Result<Vec<Vec<f64>>, String> {
    let text = |error: &dyn Error| error.to_string();
    let tree = TreeGame::new(Tree::new(&OneMove(game)).map_err(|e| text(&e))?);
    let populations = (0..2).map(|player| vec![tree.tree().uniform(player)]).collect();
    let (sampling, repeats, warmup) = (Sampling::Exact, None, 0);
    let config =
        Config { meta, target, sampling, iterations: 30, warmup, tolerance: 1e-6, repeats };
    let mut psro =
        Psro::new(config, vec![0, 1], populations, Streams::new(1)).map_err(|e| text(&e))?;
    psro.run(&tree, &mut BestResponse(&tree)).map_err(|e| text(&e))?;
    let meta = psro.state.meta.as_ref().ok_or("no meta-strategy")?;
    Ok(tree.behaviours(&[0, 1], &psro.state.populations, &meta.profile))
}

/// Opponents that no method had a part in: a strategy drawn evenly from the simplex, an action, even play.
fn held_out(game: &NormalForm, player: usize, index: u32) -> Vec<Vec<f64>> {
    let actions = game.shape()[player];
    let mut rng = Streams::new(99).at(Purpose::Generate, player as u32, index);
    let drawn: Vec<f64> = (0..actions).map(|_| -libm::log(1.0 - unit_f64(&mut rng))).collect();
    let total: f64 = drawn.iter().sum();
    let mut one = vec![0.0; actions];
    one[below(&mut rng, actions as u32) as usize] = 1.0;
    vec![drawn.iter().map(|x| x / total).collect(), one, vec![1.0 / actions as f64; actions]]
}

const MEASURES: [(&str, fn(&Performance) -> f64); 4] = [
    ("mean", |found| found.mean),
    ("strategic variance", |found| found.strategic_variance),
    ("worst 5 %", |found| found.tail),
    ("worst opponent action", |found| found.worst),
];

/// Mean and half-width of its 95 % interval.
fn interval(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, 1.96 * (squares / (count - 1.0) / count).sqrt())
}

fn main() -> Result<(), Box<dyn Error>> {
    let games: u32 = std::env::args().nth(1).ok_or("usage: psro_high_risk GAMES")?.parse()?;
    println!(
        "# PSRO in random games with high-risk outcomes\n\n\
         Made by `cargo run -p gambol-solvers --example psro_high_risk -- {games}`.\n\n\
         Games of the family `HighRisk` with a loss of 10 (see [high-risk.md](high-risk.md)), {games} of each size.\n\
         Populations start with even play and grow by exact responses, 30 iterations at most.\n\
         `rae` is the Risk-Averse Equilibrium of that gamma, each policy of the others believed to be played with at least {TREMBLE}, with re-weighted opponents for the responses; all of that is a reconstruction.\n\
         *others*: the opponent is each of the other methods' populations; *held out*: a strategy drawn from the simplex, one action drawn, even play.\n\
         Means over games, players and opponents with 95 % intervals (normal, over games).\n"
    );
    for size in [5, 10] {
        let generator =
            Generator::HighRisk { actions: vec![size; 2], loss: 10.0, tempting: 0.2, bonus: 0.5 };
        let methods = methods();
        let found: Result<Vec<_>, String> = (0..games)
            .into_par_iter()
            .map(|index| {
                let game = generator
                    .generate(Streams::new(7), index)
                    .map_err(|error| error.to_string())?;
                let grown: Result<Vec<_>, String> = methods
                    .iter()
                    .map(|(_, meta, target)| grown(&game, meta.clone(), *target))
                    .collect();
                Ok((game, grown?))
            })
            .collect();
        let found = found?;
        for against in ["itself", "others", "held out"] {
            let head: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
            println!("## {size}x{size}, against {against}\n\n| method | {} |", head.join(" | "));
            println!("|---|{}", "---|".repeat(head.len()));
            for (place, (name, ..)) in methods.iter().enumerate() {
                let mut values = vec![Vec::new(); MEASURES.len()];
                for (index, (game, grown)) in found.iter().enumerate() {
                    let mut all: Vec<Performance> = Vec::new();
                    for player in 0..2 {
                        let opponents: Vec<Vec<f64>> = match against {
                            "itself" => vec![grown[place][1 - player].clone()],
                            "others" => grown
                                .iter()
                                .enumerate()
                                .filter(|&(other, _)| other != place)
                                .map(|(_, profile)| profile[1 - player].clone())
                                .collect(),
                            _ => held_out(game, 1 - player, index as u32),
                        };
                        for opponent in opponents {
                            let mut profile = vec![opponent.clone(), opponent];
                            profile[player].clone_from(&grown[place][player]);
                            all.push(performance(game, player, &Profile::new(profile))?);
                        }
                    }
                    for (values, (_, of)) in values.iter_mut().zip(MEASURES) {
                        values.push(all.iter().map(of).sum::<f64>() / all.len() as f64);
                    }
                }
                let cells: Vec<String> = values
                    .iter()
                    .map(|values| {
                        let (mean, half) = interval(values);
                        format!("{mean:.3} ± {half:.3}")
                    })
                    .collect();
                println!("| {name} | {} |", cells.join(" | "));
            }
            println!();
        }
    }
    Ok(())
}
