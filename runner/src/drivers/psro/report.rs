//! What a run of PSRO leaves to be read.

use gambol_solvers::game::NormalForm;
use gambol_solvers::psro::{Meta, Performance, State, performance};
use gambol_solvers::solution::{Profile, SolveError};
use ndarray::Dimension;
use serde_json::{Value, json};

use crate::table::short;

/// Joint choices with what they count, of a product or a joint distribution.
pub(super) fn joint(meta: &Meta) -> Vec<(f64, Vec<usize>)> {
    let shape: Vec<usize> = meta.profile.iter().map(Vec::len).collect();
    ndarray::indices(shape)
        .into_iter()
        .enumerate()
        .map(|(place, index)| {
            let choice: Vec<usize> = index.as_array_view().iter().copied().collect();
            let weight = match &meta.joint {
                Some(joint) => joint[place],
                None => choice.iter().zip(&meta.profile).map(|(&at, mix)| mix[at]).product(),
            };
            (weight, choice)
        })
        .filter(|(weight, _)| *weight > 0.0)
        .collect()
}

/// One iteration as a line of `rounds.jsonl`; `gains` are exact ones in the whole game.
pub(super) fn line<P>(state: &State<P>, gains: Option<&[f64]>) -> Value {
    let Some(round) = state.rounds.last() else { return Value::Null };
    json!({
        "iteration": round.iteration,
        "population_sizes": state.sizes(),
        "meta": round.meta.profile,
        "joint": round.meta.joint,
        "payoffs": round.meta.payoffs,
        "meta_regret": round.meta.regret,
        "meta_gap": round.meta.gap,
        "episodes": round.episodes,
        "oracle_steps": round.steps,
        "nash_conv": gains.map(|gains| gains.iter().sum::<f64>()),
        "full_game_gains": gains,
    })
}

/// What every line lacks until the responses to it were made: their gains over the meta-strategy.
pub(super) fn fill_gains<P>(lines: &mut [Value], state: &State<P>) {
    for (line, round) in lines.iter_mut().zip(&state.rounds) {
        line["response_gains"] = json!(round.gains);
    }
}

/// The numbers of a line for `metrics.jsonl` and TensorBoard.
pub(super) fn metrics(line: &Value) -> Vec<(String, f64)> {
    let mut values = Vec::new();
    let mut push =
        |name: String, value: &Value| values.extend(value.as_f64().map(|value| (name, value)));
    push("psro/nash_conv".to_owned(), &line["nash_conv"]);
    push("psro/episodes".to_owned(), &line["episodes"]);
    push("psro/oracle_steps".to_owned(), &line["oracle_steps"]);
    for name in ["payoffs", "meta_gap", "population_sizes"] {
        for (place, value) in line[name].as_array().into_iter().flatten().enumerate() {
            push(format!("psro/{name}/{place}"), value);
        }
    }
    values
}

/// A point of the frontier.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) mean: f64,
    pub(super) variance: f64,
    /// Whether it is the population's mixture of an iteration, rather than one policy.
    pub(super) mixture: bool,
}

/// Everything that tables and plots show.
pub(super) struct Report<'a> {
    pub(super) name: &'a str,
    pub(super) lines: &'a [Value],
    pub(super) game: &'a NormalForm,
    /// One a player.
    pub(super) frontiers: Vec<Vec<Point>>,
    performance: Vec<Performance>,
}

impl<'a> Report<'a> {
    pub(super) fn new<P>(
        name: &'a str,
        game: &'a NormalForm,
        state: &State<P>,
        lines: &'a [Value],
    ) -> Result<Self, SolveError> {
        let padded = |meta: &Meta| -> Profile {
            let mixes = meta.profile.iter().zip(game.shape());
            Profile::new(
                mixes
                    .map(|(mix, &actions)| {
                        let mut mix = mix.clone();
                        mix.resize(actions, 0.0);
                        mix
                    })
                    .collect(),
            )
        };
        let (mut frontiers, mut performances) = (Vec::new(), Vec::new());
        let last = state.rounds.last().map(|round| padded(&round.meta));
        for player in 0..game.players() {
            let mut points = Vec::new();
            let Some(last) = &last else { break };
            // Every policy, and the mixture of every iteration, against what the others play last.
            let mut add = |own: Vec<f64>, mixture: bool| -> Result<Performance, SolveError> {
                let mut profile = last.clone();
                profile[player] = own;
                let found = performance(game, player, &profile)?;
                points.push(Point {
                    mean: found.mean,
                    variance: found.strategic_variance,
                    mixture,
                });
                Ok(found)
            };
            for action in 0..game.shape()[player] {
                let mut own = vec![0.0; game.shape()[player]];
                own[action] = 1.0;
                add(own, false)?;
            }
            let mut found = None;
            for round in &state.rounds {
                let own = padded(&round.meta)[player].clone();
                found = Some(add(own, true)?);
            }
            performances.extend(found);
            frontiers.push(points);
        }
        Ok(Self { name, lines, game, frontiers, performance: performances })
    }

    /// What every player's mixture is worth in the end, within the empirical game.
    pub(super) fn performance(&self) -> Value {
        json!(self.performance)
    }

    /// Head and rows of the table, one iteration a row.
    pub(super) fn value(&self) -> Value {
        let players = self.game.players();
        let mut head = vec!["iteration".to_owned(), "policies".to_owned(), "NashConv".to_owned()];
        head.extend((0..players).map(|player| format!("payoff {player}")));
        head.extend(["largest gain".to_owned(), "episodes".to_owned()]);
        let rows: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                let sizes: Vec<String> = line["population_sizes"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(Value::to_string)
                    .collect();
                let gains = line["response_gains"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_f64);
                let most = gains.fold(None, |most: Option<f64>, gain| {
                    Some(most.map_or(gain, |most| most.max(gain)))
                });
                let mut row = vec![
                    line["iteration"].clone(),
                    json!(sizes.join(" ")),
                    line["nash_conv"].clone(),
                ];
                row.extend((0..players).map(|player| line["payoffs"][player].clone()));
                row.extend([json!(most), line["episodes"].clone()]);
                json!(row)
            })
            .collect();
        json!({ "head": head, "rows": rows })
    }

    /// The same as Markdown.
    pub(super) fn markdown(&self) -> String {
        let table = self.value();
        let cells = |row: &Value| -> Vec<String> {
            let cell = |value: &Value| match value {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                value if value.is_f64() => short(value.as_f64().unwrap_or(f64::NAN)),
                value => value.to_string(),
            };
            row.as_array().into_iter().flatten().map(cell).collect()
        };
        let head = cells(&table["head"]);
        let mut text = format!(
            "# {}\n\n| {} |\n|{}\n",
            self.name,
            head.join(" | "),
            "---|".repeat(head.len())
        );
        for row in table["rows"].as_array().into_iter().flatten() {
            text.push_str(&format!("| {} |\n", cells(row).join(" | ")));
        }
        text
    }
}
