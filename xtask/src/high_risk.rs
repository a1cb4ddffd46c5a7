//! The study `high-risk` of `cargo xtask results`: Risk-Averse Equilibria in random games with
//! high-risk outcomes, beside other solutions.
//!
//! The numbers are those of `solvers/examples/high_risk.rs`; here they become tables.
use std::{fs, process::Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{cargo, root};

/// Games of every size and loss.
const GAMES: &str = "100";
/// What the tables show: a situation, its heading.
const SITUATIONS: [(&str, &str); 4] = [
    ("equilibrium", "Everybody plays the solution"),
    ("tremble 0.1", "The opponent plays evenly a tenth of the time"),
    ("others", "The opponent plays one of the other solutions"),
    ("held out", "The opponent plays what is no solution here"),
];
const MEASURES: [(&str, &str); 4] = [
    ("mean", "mean"),
    ("variance", "strategic variance"),
    ("total_variance", "total variance"),
    ("tail", "worst 5 %"),
];
const QUESTIONS: [(&str, &str); 6] = [
    ("equilibrium", "variance"),
    ("others", "variance"),
    ("held out", "variance"),
    ("equilibrium", "tail"),
    ("others", "tail"),
    ("held out", "tail"),
];
/// The solution that the claims are about, and what counts as its peers: no other RAE.
const RAE: &str = "rae gamma 5 tremble 0.2";

const ABOUT: &str = "\
Two-player games of the family `HighRisk`: payoffs are uniform in [0, 1), and a fifth of each player's actions (at least
one) pays 0.5 more, but against one action of the opponent, drawn for each, it pays minus the loss.
The family is a reconstruction, for the generator of the paper on Risk-Averse Equilibria could not be found.

`nash` is what Lemke-Howson finds from the first label, `logit` the logit quantal response equilibrium at a precision of 5,
`maximin` each player's optimal strategy in the zero-sum game on the own payoffs.
A Risk-Averse Equilibrium (`rae`) has the weight `gamma` of the variance and a tremble, the chance in all that the opponent
is believed to play evenly instead; it is the one that 500 rounds of smooth fictitious play from even mixing, then Newton's method end at.
`reached` counts the games in which a method reached its tolerance (for RAE a sum of gaps below 1e-6); games in which it did
not are not left out.

The strategic variance is that of the mix's expected payoff over the opponent's actions, the total variance counts the own
draw too; `worst 5 %` is the mean payoff in the worst twentieth of outcomes (CVaR).
The other solutions as opponents are `nash`, `logit`, `uniform`, `maximin` and the RAE of gamma 5 and tremble 0.2, but not
the solution itself, and an RAE meets no RAE.
Held out are logit equilibria at precisions of 1 and 20, a strategy drawn evenly from the simplex, and an action drawn evenly.
Numbers are means over the games and both players with 95 % intervals (normal approximation over games).
";

/// Runs the study and writes `docs/results/high-risk.md` and `.json`.
pub(crate) fn write() -> Result<()> {
    let output = cargo()
        .args(["run", "--package", "gambol-solvers", "--example", "high_risk", "--"])
        .arg(GAMES)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start `cargo`")?;
    if !output.status.success() {
        bail!("the example `high_risk` ended with {}", output.status);
    }
    let text = String::from_utf8(output.stdout).context("its output is not text")?;
    let document: Value = serde_json::from_str(&text).context("its output is not JSON")?;
    let dir = root().join("docs/results");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("high-risk.json"), text)?;
    fs::write(dir.join("high-risk.md"), markdown(&document)?)?;
    println!("{}", dir.join("high-risk.md").display());
    Ok(())
}

fn cells(document: &Value) -> Result<&Vec<Value>> {
    document["cells"].as_array().context("no cells")
}

fn solutions(cell: &Value) -> Result<&Vec<Value>> {
    cell["solutions"].as_array().context("no solutions")
}

/// Mean and half width of an interval.
fn pair(value: &Value) -> Result<(f64, f64)> {
    let at =
        |place: usize| value[place].as_f64().with_context(|| format!("{value} is no interval"));
    Ok((at(0)?, at(1)?))
}

fn title(cell: &Value) -> String {
    let actions = &cell["actions"];
    format!("{actions}x{actions}, loss {}", cell["loss"])
}

fn markdown(document: &Value) -> Result<String> {
    let mut text = format!(
        "# High-risk games\n\n\
         `cargo xtask results high-risk` ran {GAMES} games of every size and loss.\n\n{ABOUT}\n"
    );
    text += "## Is the Risk-Averse Equilibrium the safest?\n\n";
    text += &format!(
        "The first table compares `{RAE}`, the most averse of the RAEs, with the four other kinds of solution: which has the lowest\n\
         strategic variance and which the best worst 5 %.\n\
         Where it is not the RAE, the difference to it is given, game by game, with its interval.\n\n"
    );
    let heading = |first: &str| {
        let columns = QUESTIONS.iter().map(|(situation, measure)| {
            let what = if *measure == "tail" { "best worst 5 %" } else { "lowest variance" };
            format!(" {what}, {situation} |")
        });
        format!(
            "| {first} |{}\n|---|{}\n",
            columns.collect::<String>(),
            "---|".repeat(QUESTIONS.len())
        )
    };
    text += &heading("games");
    for cell in cells(document)? {
        text += &format!("| {} |", title(cell));
        for (situation, measure) in QUESTIONS {
            let (best, difference) = best(cell, situation, measure, RAE)?;
            text += &if best == RAE {
                " rae |".to_owned()
            } else {
                format!(" {best} ({}) |", shown(difference))
            };
        }
        text += "\n";
    }
    text += "\nIn how many of these each RAE by itself is first among the same four others:\n\n";
    text += &heading("solution");
    let first = cells(document)?.first().context("no cells")?;
    for rae in solutions(first)?.iter().filter_map(|solution| solution["solution"].as_str()) {
        if !rae.starts_with("rae") {
            continue;
        }
        text += &format!("| {rae} |");
        for (situation, measure) in QUESTIONS {
            let mut won = 0;
            for cell in cells(document)? {
                won += u32::from(best(cell, situation, measure, rae)?.0 == rae);
            }
            text += &format!(" {won} of {} |", cells(document)?.len());
        }
        text += "\n";
    }
    text += "\n";
    for cell in cells(document)? {
        text += &format!("## {}\n\n", title(cell));
        for (situation, heading) in SITUATIONS {
            text += &format!("{heading}.\n\n| solution | reached |");
            for (_, label) in MEASURES {
                text += &format!(" {label} |");
            }
            text += &format!("\n|---|---|{}\n", "---|".repeat(MEASURES.len()));
            for solution in solutions(cell)? {
                let name = solution["solution"].as_str().unwrap_or_default();
                text += &format!("| {name} | {} |", solution["reached"]);
                for (measure, _) in MEASURES {
                    text += &format!(" {} |", shown(pair(&solution[situation][measure])?));
                }
                text += "\n";
            }
            text += "\n";
        }
    }
    Ok(text.trim_end().to_owned() + "\n")
}

fn shown((mean, half): (f64, f64)) -> String {
    format!("{mean:.3} ± {half:.3}")
}

/// The solution with the lowest variance or the highest tail, of RAEs only the one named, and what
/// it has more than [`RAE`].
fn best(cell: &Value, situation: &str, measure: &str, rae: &str) -> Result<(String, (f64, f64))> {
    let mut first: Option<(f64, &Value)> = None;
    for solution in solutions(cell)? {
        let name = solution["solution"].as_str().unwrap_or_default();
        if name.starts_with("rae") && name != rae {
            continue;
        }
        let (mean, _) = pair(&solution[situation][measure])?;
        let worth = if measure == "tail" { mean } else { -mean };
        // What differs by rounding only is a tie, which goes to the RAE.
        let better = first
            .is_none_or(|(best, _)| worth > best + 1e-9 || (name == rae && worth > best - 1e-9));
        if better {
            first = Some((worth, solution));
        }
    }
    let (_, solution) = first.context("no solution")?;
    let difference = pair(&solution[situation][format!("{measure}_over_rae")])?;
    Ok((solution["solution"].as_str().unwrap_or_default().to_owned(), difference))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn solution(name: &str, variance: f64, tail: f64) -> Value {
        let of = |value: f64| json!([value, 0.1]);
        let mut solution = json!({"solution": name, "reached": 3});
        for (situation, _) in SITUATIONS {
            for (measure, _) in MEASURES {
                let value = if measure == "tail" { tail } else { variance };
                solution[situation][measure] = of(value);
                solution[situation][format!("{measure}_over_rae")] = of(value - 1.0);
            }
        }
        solution
    }

    #[test]
    fn the_table_says_who_is_best_and_by_how_much() {
        let document = json!({"cells": [{
            "actions": 2, "loss": 5.0, "games": 3, "solutions": [
                solution("nash", 1.0, 1.5), solution("rae gamma 0.1 tremble 0.1", 0.0, 9.0),
                solution(RAE, 1.0, 1.0), solution("uniform", 2.0, 0.0),
            ],
        }]});
        let text = markdown(&document).unwrap();
        let row = "| 2x2, loss 5.0 | rae | rae | rae | nash (0.500 ± 0.100) |";
        assert!(text.contains(row), "{text}");
        let row = format!("| {RAE} | 1 of 1 | 1 of 1 | 1 of 1 | 0 of 1 |");
        assert!(text.contains(&row), "{text}");
        assert!(text.contains("| uniform | 3 | 2.000 ± 0.100 |"), "{text}");
    }
}
