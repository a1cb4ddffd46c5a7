//! Risk-Averse Equilibria against other solutions in random games with high-risk outcomes.
//!
//! `high_risk GAMES [ACTIONS...]` prints one JSON document: for every size and loss what each
//! solution earns over that many games, in equilibrium, against trembling opponents, against the
//! other solutions' strategies, and against strategies that none of them is.
//! `cargo xtask results high-risk` writes it to `docs/results`.

use std::error::Error;

use gambol_solvers::game::NormalForm;
use gambol_solvers::game::generate::Generator;
use gambol_solvers::nash::lemke_howson::LemkeHowson;
use gambol_solvers::nash::linear_program::LinearProgram;
use gambol_solvers::nash::logit::Logit;
use gambol_solvers::rae::{Exposure, Rae, Tremble, Views};
use gambol_solvers::seed::{Purpose, Streams, below, unit_f64};
use gambol_solvers::solution::{Profile, SolveOptions, Solver, Stop};
use ndarray::ArrayView1;
use rayon::prelude::*;
use serde_json::{Value, json};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Sizes of games, the same for both players.
const ACTIONS: [usize; 4] = [2, 5, 10, 25];
/// What the bad outcome of a tempting action costs.
const LOSSES: [f64; 2] = [5.0, 10.0];
/// Weights of the variance of the Risk-Averse Equilibria, and their trembles: in all, spread evenly
/// over the opponent's actions.
const GAMMAS: [f64; 3] = [0.5, 2.0, 5.0];
const BELIEVED: [f64; 3] = [0.0, 0.1, 0.2];
/// The one of them, as a solution's number, that others are compared with: the most averse.
const RAE: usize = 4 + GAMMAS.len() * BELIEVED.len() - 1;
/// Precision of the logit equilibrium, in one over payoff.
const LAMBDA: f64 = 5.0;
/// How often opponents play evenly instead of as they should.
const TREMBLES: [f64; 3] = [0.05, 0.1, 0.2];
/// The tail.
const WORST: f64 = 0.05;

/// A solution by name: the profile, and whether the method reached its tolerance.
struct Played {
    profile: Profile,
    reached: bool,
}

/// Weight and tremble of every Risk-Averse Equilibrium.
fn raes() -> impl Iterator<Item = (f64, f64)> {
    GAMMAS.into_iter().flat_map(|gamma| BELIEVED.map(|tremble| (gamma, tremble)))
}

fn names() -> Vec<String> {
    let raes = raes().map(|(gamma, tremble)| format!("rae gamma {gamma} tremble {tremble}"));
    ["nash", "logit", "uniform", "maximin"].map(String::from).into_iter().chain(raes).collect()
}

fn solve(game: &NormalForm, solver: &dyn Solver) -> Fallible<Played> {
    let mut solutions = solver.solve(game, &SolveOptions::seeded(0))?;
    let reached = matches!(solutions.stop, Stop::Complete | Stop::Converged);
    if solutions.equilibria.is_empty() {
        return Err(format!("{} gave no answer", solver.info().name).into());
    }
    Ok(Played { profile: solutions.equilibria.swap_remove(0).profile, reached })
}

/// All solutions of a game, in the order of [`names`].
fn solutions(game: &NormalForm) -> Fallible<Vec<Played>> {
    let (own, other) = game.matrices().ok_or("two players")?;
    // What a player can make sure of is the value of the zero-sum game on the own payoffs.
    let secure = |payoffs| -> Fallible<Vec<f64>> {
        let game = NormalForm::zero_sum(payoffs)?;
        Ok(solve(&game, &LinearProgram {})?.profile[0].clone())
    };
    let maximin = Profile::new(vec![secure(own)?, secure(other.t())?]);
    let mut all = vec![
        solve(game, &LemkeHowson::default())?,
        solve(game, &Logit { lambda: Some(LAMBDA), ..Logit::default() })?,
        Played { profile: Profile::uniform(game.shape()), reached: true },
        Played { profile: maximin, reached: true },
    ];
    for (gamma, tremble) in raes() {
        let least = tremble / game.shape()[0] as f64;
        let tremble = if tremble > 0.0 { Tremble::Opponent(least) } else { Tremble::None };
        let rae = Rae { gamma, tremble, rounds: 500, tolerance: 1e-6, ..Rae::default() };
        all.push(solve(game, &rae)?);
    }
    Ok(all)
}

/// Strategies that are no solution's: logit equilibria of a low and a high precision, a mix drawn
/// evenly from the simplex, and an action drawn evenly.
fn held_out(game: &NormalForm, number: u32) -> Fallible<Vec<Profile>> {
    let mut held = Vec::new();
    for lambda in [1.0, 20.0] {
        let logit = Logit { lambda: Some(lambda), ..Logit::default() };
        held.push(solve(game, &logit)?.profile);
    }
    let mut rng = Streams::new(0).at(Purpose::Evaluate, number, 0);
    let mut drawn = Vec::new();
    for &actions in game.shape() {
        let weights: Vec<f64> =
            (0..actions).map(|_| -libm::log(1.0 - unit_f64(&mut rng))).collect();
        let total: f64 = weights.iter().sum();
        drawn.push(weights.iter().map(|weight| weight / total).collect());
    }
    held.push(Profile::new(drawn));
    let actions: Vec<usize> =
        game.shape().iter().map(|&n| below(&mut rng, n as u32) as usize).collect();
    held.push(Profile::pure(game.shape(), &actions));
    Ok(held)
}

/// What a mix earns against an opponent: mean, strategic and total variance, least payoff that
/// happens, and mean of the worst twentieth.
fn measures(exposure: &Exposure, payoffs: &ndarray::Array2<f64>, mix: &[f64]) -> [f64; 5] {
    let x = ArrayView1::from(mix);
    let mut outcomes: Vec<(f64, f64)> = Vec::new();
    for (row, share) in payoffs.rows().into_iter().zip(mix) {
        outcomes.extend(row.iter().zip(exposure.weights()).map(|(u, w)| (*u, share * w)));
    }
    outcomes.retain(|&(_, chance)| chance > 1e-12);
    outcomes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut left, mut tail) = (WORST, 0.0);
    for &(payoff, chance) in &outcomes {
        let taken = chance.min(left);
        tail += taken * payoff;
        left -= taken;
    }
    [
        exposure.expected(x),
        exposure.strategic_variance(x),
        exposure.total_variance(x),
        outcomes.first().map_or(0.0, |outcome| outcome.0),
        tail / (WORST - left),
    ]
}

const MEASURES: [&str; 5] = ["mean", "variance", "total_variance", "least", "tail"];

/// Situations by name: what the opponent plays.
fn situations() -> Vec<String> {
    let trembles = TREMBLES.iter().map(|tremble| format!("tremble {tremble}"));
    let unseen = ["others".into(), "held out".into()];
    std::iter::once("equilibrium".into()).chain(trembles).chain(unseen).collect()
}

/// `[solution][situation][measure]`, averaged over both players (and over the opponents met).
fn play(game: &NormalForm, all: &[Played], held: &[Profile]) -> Fallible<Vec<Vec<[f64; 5]>>> {
    let views = Views::new(game);
    let against = |player: usize, own: &Profile, opponent: &[f64]| -> Fallible<[f64; 5]> {
        let mut mixes = own.clone();
        mixes[1 - player] = opponent.to_vec();
        let exposure = views.exposure(player, &mixes, Tremble::None)?;
        Ok(measures(&exposure, views.payoffs(player), &own[player]))
    };
    let mut found = Vec::new();
    for (number, solution) in all.iter().enumerate() {
        let own = &solution.profile;
        let mut situations = Vec::new();
        for tremble in [0.0].iter().chain(&TREMBLES) {
            let mut sum = [0.0; 5];
            for player in 0..2 {
                let other = &own[1 - player];
                let even = tremble / other.len() as f64;
                let opponent: Vec<f64> = other.iter().map(|p| (1.0 - tremble) * p + even).collect();
                add(&mut sum, against(player, own, &opponent)?, 0.5);
            }
            situations.push(sum);
        }
        // The others: of the Risk-Averse Equilibria one only, and none meets another.
        let others: Vec<&Profile> = (0..all.len())
            .filter(|&other| other != number && (other < 4 || (other == RAE && number < 4)))
            .map(|other| &all[other].profile)
            .collect();
        let strangers: Vec<&Profile> = held.iter().collect();
        for met in [others, strangers] {
            let mut sum = [0.0; 5];
            for stranger in &met {
                for player in 0..2 {
                    let value = against(player, own, &stranger[1 - player])?;
                    add(&mut sum, value, 0.5 / met.len() as f64);
                }
            }
            situations.push(sum);
        }
        found.push(situations);
    }
    Ok(found)
}

fn add(sum: &mut [f64; 5], values: [f64; 5], weight: f64) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

/// Mean and half of the 95 % interval (normal approximation over games).
fn interval(values: &[f64]) -> Value {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    json!([mean, 1.96 * (spread / n).sqrt()])
}

fn cell(actions: usize, loss: f64, games: u32) -> Fallible<Value> {
    let family = Generator::HighRisk { actions: vec![actions; 2], loss, tempting: 0.2, bonus: 0.5 };
    let played: Vec<(Vec<bool>, Vec<Vec<[f64; 5]>>)> = (0..games)
        .into_par_iter()
        .map(|number| {
            let game = family.generate(Streams::new(0), number)?;
            let all = solutions(&game)?;
            let reached = all.iter().map(|solution| solution.reached).collect();
            Ok((reached, play(&game, &all, &held_out(&game, number)?)?))
        })
        .collect::<Fallible<_>>()?;
    let mut solutions = Vec::new();
    for (number, name) in names().into_iter().enumerate() {
        let mut entry = json!({
            "solution": name,
            "reached": played.iter().filter(|(reached, _)| reached[number]).count(),
        });
        for (situation, label) in situations().into_iter().enumerate() {
            for (measure, what) in MEASURES.into_iter().enumerate() {
                let of = |number: usize| -> Vec<f64> {
                    played.iter().map(|(_, found)| found[number][situation][measure]).collect()
                };
                entry[&label][what] = interval(&of(number));
                // Paired, game by game: how much more than that RAE.
                let pairs = of(number).into_iter().zip(of(RAE)).map(|(a, b)| a - b);
                entry[&label][format!("{what}_over_rae")] = interval(&pairs.collect::<Vec<_>>());
            }
        }
        solutions.push(entry);
    }
    Ok(json!({"actions": actions, "loss": loss, "games": games, "solutions": solutions}))
}

#[expect(clippy::print_stdout, reason = "its output")]
fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [games, sizes @ ..] = arguments.as_slice() else {
        return Err("usage: high_risk GAMES [ACTIONS...]".into());
    };
    let mut sizes: Vec<usize> = sizes.iter().map(|n| n.parse()).collect::<Result<_, _>>()?;
    if sizes.is_empty() {
        sizes = ACTIONS.to_vec();
    }
    let mut cells = Vec::new();
    for actions in sizes {
        for loss in LOSSES {
            cells.push(cell(actions, loss, games.parse()?)?);
        }
    }
    let document = json!({
        "family": {"tempting": 0.2, "bonus": 0.5, "seed": 0},
        "lambda": LAMBDA,
        "worst": WORST,
        "cells": cells,
    });
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}
