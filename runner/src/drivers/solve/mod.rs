//! Solving games: one game or a family of random ones, several solvers, perhaps over the values of a parameter.
//!
//! A **case** is one solver with one value of the swept parameter on one game.
//! Cases run on all threads and are recorded in their order, solver by solver, value by value, game by game, so that
//! nothing depends on the threads.
//!
//! | in the run directory | |
//! |---|---|
//! | `solutions.jsonl` | one case a line, in the form of `gambol solve --json` without the seconds, and more |
//! | `table.md`, `table.csv` | payoffs, regrets and variances, rounded and exact |
//! | `frontier.svg` | expected payoff against strategic variance |
//!
//! The seconds of every case are in `metrics.jsonl`.

use gambol_envs::matrix::Source;
use gambol_envs::seed::Streams;
use gambol_solvers::SolverConfig;
use gambol_solvers::game::NormalForm;
use gambol_solvers::game::generate::Generator;
use gambol_solvers::rae::{Tremble, Views};
use gambol_solvers::solution::{Solution, Solutions, SolveError, Stop};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::Stopwatch;
use crate::digest::{Entry, Kind};
use crate::drivers::{DriverError, Outcome};
use crate::plan::Plan;
use crate::record::Record;
use crate::scenario::edit::Setting;
use crate::{machine, solvers};

pub(crate) mod plot;
mod report;

use report::Report;

/// Cases that are given to the threads at once; between two such groups the run may be stopped.
const GROUP: usize = 64;

/// Most cases of one run.
const MOST_CASES: usize = 1 << 20;

/// What is solved.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Game {
    /// A game of the catalogue, by name.
    Catalogue(String),
    /// A Gambit `.nfg` file, relative to the scenario.
    File(String),
    /// Two players, one matrix each; rows are the first player's actions.
    Bimatrix {
        /// The first player's payoffs.
        row: Vec<Vec<f64>>,
        /// The second player's payoffs.
        column: Vec<Vec<f64>>,
    },
    /// Any number of players.
    Tensors {
        /// Number of actions of each player.
        actions: Vec<usize>,
        /// One list for each player: its payoffs with the last player's action moving fastest.
        payoffs: Vec<Vec<f64>>,
    },
    /// Random games of a family, drawn from the scenario's seed; as many as `seeds` says.
    Generated(Generator),
}

/// A parameter of solvers that takes one value after another.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Its name, such as `gamma`; solvers without it run once, for comparison.
    pub parameter: String,
    /// Its values, at least one.
    pub values: Vec<f64>,
}

/// The text of a game file, once it was read.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Text(pub(crate) Option<String>);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "read" } else { "none" })
    }
}

/// `run: Solve(..)`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solve {
    /// What is solved.
    pub game: Game,
    /// The solvers, at least one, each with its parameters.
    pub solvers: Vec<SolverConfig>,
    /// A parameter that takes one value after another.
    #[serde(default)]
    pub sweep: Option<Sweep>,
    /// Games of a family, at least 1; for a given game, how often it is solved, with another seed each time. 1.
    #[serde(default = "one")]
    pub seeds: u32,
    /// Every equilibrium of the solvers that enumerate, instead of the first; the others give their one answer.
    #[serde(default)]
    pub all: bool,
    #[serde(skip)]
    text: Text,
}

fn one() -> u32 {
    1
}

/// One solver with one value of the swept parameter.
#[derive(Clone, Debug)]
struct Contender {
    /// Name, and what differs from the defaults apart from the swept parameter.
    label: String,
    /// Value of the swept parameter, if the solver has it.
    value: Option<f64>,
    config: SolverConfig,
}

/// A problem of the scenario: the field's path below `run`, and what is wrong.
type Wrong = (&'static str, String);

/// One answer as the tables need it, for every player.
#[derive(Clone, Debug)]
struct Answer {
    payoffs: Vec<f64>,
    regret: Vec<f64>,
    gap: Option<Vec<f64>>,
    /// Strategic variance; not defined for joint distributions.
    variance: Option<Vec<f64>>,
    total_variance: Vec<f64>,
    mixes: Vec<Vec<f64>>,
    /// Whether the method says that it came to its end.
    ended: bool,
}

/// A case that has run.
#[derive(Debug)]
struct Solved {
    contender: usize,
    /// What `solutions.jsonl` says of it.
    line: String,
    seconds: f64,
    answers: Result<Vec<Answer>, String>,
}

impl Game {
    fn source(&self) -> Option<Source> {
        Some(match self.clone() {
            Self::Catalogue(name) => Source::Catalogue(name),
            Self::File(path) => Source::File(path),
            Self::Bimatrix { row, column } => Source::Bimatrix { row, column },
            Self::Tensors { actions, payoffs } => Source::Tensors { actions, payoffs },
            Self::Generated(_) => return None,
        })
    }

    /// The game itself; number `index` of a family, from its seed.
    pub(crate) fn normal_form(
        &self,
        text: Option<&str>,
        seed: u64,
        index: u32,
    ) -> Result<NormalForm, String> {
        match self {
            Self::Generated(generator) => {
                generator.generate(Streams::new(seed), index).map_err(|error| error.to_string())
            }
            given => {
                let source = given.source().ok_or("no source")?;
                source.normal_form(text).map_err(|error| {
                    // The paths of these messages start from `game`, as ours do.
                    let text = error.problems.join("; ");
                    text.strip_prefix("`game`: ").map_or(text.clone(), str::to_owned)
                })
            }
        }
    }

    /// The one file that it names, if any.
    pub(crate) fn file(&self) -> Option<&str> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }

    /// A name for tables and the records.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Catalogue(name) | Self::File(name) => name.clone(),
            Self::Bimatrix { .. } | Self::Tensors { .. } => "inline".to_owned(),
            Self::Generated(generator) => generator.name().to_owned(),
        }
    }
}

impl Solve {
    /// Game number `index`.
    fn game(&self, seed: u64, index: u32) -> Result<NormalForm, String> {
        self.game.normal_form(self.text.0.as_deref(), seed, index)
    }

    /// Files that the scenario names.
    pub(crate) fn files(&self) -> Vec<String> {
        self.game.file().map(str::to_owned).into_iter().collect()
    }

    /// Receives the text of the one file.
    pub(crate) fn take_file(&mut self, text: &str) {
        self.text = Text(Some(text.to_owned()));
    }

    fn contenders(&self) -> Result<Vec<Contender>, Wrong> {
        let mut all: Vec<Contender> = Vec::new();
        let swept = self.sweep.as_ref().map(|sweep| sweep.parameter.as_str());
        for config in &self.solvers {
            let label = label(config, swept);
            let takes = |sweep: &&Sweep| {
                let parameters = config.solver().info().parameters;
                parameters.iter().any(|parameter| parameter.name == sweep.parameter)
            };
            match self.sweep.as_ref().filter(takes) {
                None => {
                    all.push(Contender { label, value: None, config: config.clone() });
                }
                Some(sweep) => {
                    for &value in &sweep.values {
                        let setting =
                            Setting { path: sweep.parameter.clone(), value: value.to_string() };
                        let config = solvers::changed(config, &setting)
                            .map_err(|error| ("sweep.values", error.to_string()))?;
                        all.push(Contender { label: label.clone(), value: Some(value), config });
                    }
                }
            }
        }
        Ok(all)
    }

    pub(crate) fn check(&self, seed: u64) -> Vec<Wrong> {
        let mut problems = Vec::new();
        if self.solvers.is_empty() {
            let names: Vec<_> = solvers::infos().into_iter().map(|info| info.name).collect();
            let why = format!("none; name at least one of {}", names.join(", "));
            problems.push(("solvers", why));
        }
        if self.seeds == 0 {
            problems.push(("seeds", "0, it must be at least 1".to_owned()));
        }
        if let Some(sweep) = &self.sweep {
            if sweep.values.is_empty() {
                problems.push(("sweep.values", "none; give at least one".to_owned()));
            }
            if sweep.values.iter().any(|value| !value.is_finite()) {
                problems.push(("sweep.values", "every value must be finite".to_owned()));
            }
            let known = self.solvers.iter().flat_map(|config| config.solver().info().parameters);
            let names: Vec<_> = known.map(|parameter| parameter.name).collect();
            if !self.solvers.is_empty() && !names.contains(&sweep.parameter.as_str()) {
                let hint = crate::suggest::hint(&sweep.parameter, names.iter().copied());
                let why = format!("no solver here has a parameter `{}`{hint}", sweep.parameter);
                problems.push(("sweep.parameter", why));
            }
        }
        if !problems.is_empty() {
            return problems;
        }
        let contenders = match self.contenders() {
            Ok(contenders) => contenders,
            Err(wrong) => return vec![wrong],
        };
        let mut labels = std::collections::BTreeSet::new();
        for config in &self.solvers {
            let text = solvers::written(config);
            if !labels.insert(text.clone()) {
                problems.push(("solvers", format!("{text} is named twice")));
            }
        }
        if contenders.len().saturating_mul(self.seeds as usize) > MOST_CASES {
            let why = format!("together more than {MOST_CASES} cases");
            problems.push(("seeds", why));
        }
        match self.game(seed, 0) {
            Err(why) => problems.push(("game", why)),
            Ok(game) => {
                let refused = self.solvers.iter().filter_map(|config| {
                    config.solver().check(&game).err().map(|error| ("solvers", error.to_string()))
                });
                problems.extend(refused);
            }
        }
        problems
    }

    fn case(&self, plan: &Plan, contender: (usize, &Contender), index: u32) -> Solved {
        let (number, contender) = contender;
        let seed = plan.seed.wrapping_add(u64::from(index));
        let watch = Stopwatch::start();
        let all = self.all && contender.config.solver().info().enumerates;
        let mut seconds = 0.0;
        let solved = self.game(plan.seed, index).and_then(|game| {
            let solutions = solvers::solve(&contender.config, &game, seed, all);
            seconds = watch.seconds();
            let solutions = solutions.map_err(|error| error.to_string())?;
            let answers = solutions.equilibria.iter().map(|solution| answer(&game, solution));
            let answers = answers.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
            Ok((solutions, answers))
        });
        let mut line = match &solved {
            Ok((solutions, answers)) => self.line(contender, solutions, answers),
            Err(why) => json!({
                "solver": contender.config.solver().info().name,
                "game": self.game.name(),
                "error": why,
            }),
        };
        line["config"] = json!(solvers::written(&contender.config));
        line["index"] = json!(index);
        line["seed"] = json!(seed);
        if let (Some(sweep), Some(value)) = (&self.sweep, contender.value) {
            line[format!("sweep.{}", sweep.parameter)] = json!(value);
        }
        Solved {
            contender: number,
            line: format!("{line}\n"),
            seconds,
            answers: solved.map(|(_, answers)| answers),
        }
    }

    fn line(&self, contender: &Contender, solutions: &Solutions, answers: &[Answer]) -> Value {
        let mut line = solvers::answer(&contender.config, &self.game.name(), solutions);
        for (answer, place) in
            answers.iter().zip(line["equilibria"].as_array_mut().into_iter().flatten())
        {
            place["played"] =
                json!({ "variance": answer.variance, "total_variance": answer.total_variance });
        }
        line
    }

    pub(crate) fn run(&self, plan: &Plan, record: &mut Record) -> Result<Outcome, DriverError> {
        let contenders = self.contenders().map_err(|(_, why)| DriverError::Solve(why))?;
        let first = self.game(plan.seed, 0).map_err(DriverError::Solve)?;
        let cases: Vec<(usize, u32)> = (0..contenders.len())
            .flat_map(|contender| (0..self.seeds).map(move |index| (contender, index)))
            .collect();
        let progress = record.progress(cases.len() as u64, "cases");
        let (mut done, mut lines) = (Vec::with_capacity(cases.len()), String::new());
        for group in cases.chunks(GROUP) {
            if machine::stopping() {
                break;
            }
            let solved: Vec<Solved> = group
                .par_iter()
                .map(|&(number, index)| {
                    let solved = self.case(plan, (number, &contenders[number]), index);
                    progress.advance(1);
                    solved
                })
                .collect();
            for solved in solved {
                let step = done.len() as u64 + 1;
                record.log.add(Entry::hashed(Kind::Solved, step, solved.line.as_bytes()))?;
                record.metrics(step, &[("solve_seconds", solved.seconds)])?;
                lines.push_str(&solved.line);
                done.push(solved);
            }
        }
        progress.finish();
        let complete = done.len() == cases.len();
        let report = Report::new(self, &first, &contenders, &done);
        let svg = plot::frontier(&report).map_err(DriverError::Plot)?;
        let mut files = serde_json::Map::new();
        for (name, text) in [
            ("solutions.jsonl", lines),
            ("table.md", report.markdown()),
            ("table.csv", report.csv()),
            ("frontier.svg", svg),
        ] {
            files.insert(name.to_owned(), json!(record.file(name, text.as_bytes())?));
        }
        let failed: Vec<_> =
            done.iter().filter_map(|solved| solved.answers.as_ref().err()).collect();
        if let (Some(why), true) = (failed.first(), failed.len() == done.len()) {
            return Err(DriverError::Solve(format!("no case could be solved; the first: {why}")));
        }
        let results = json!({
            "game": self.game.name(),
            "cases": done.len(),
            "failed": failed.len(),
            "first_failure": failed.first(),
            "table": report.value(),
            "files": files,
        });
        Ok(Outcome { results, complete })
    }
}

/// The solver's name, and every parameter that differs from its default but for the swept one.
fn label(config: &SolverConfig, swept: Option<&str>) -> String {
    let info = config.solver().info();
    let defaults = SolverConfig::named(info.name).map(|config| solvers::values(&config));
    let mut label = info.name.to_owned();
    for ((parameter, value), (_, default)) in
        solvers::values(config).into_iter().zip(defaults.into_iter().flatten())
    {
        if value != default && Some(parameter.name) != swept {
            label.push_str(&format!(" {}={value}", parameter.name));
        }
    }
    label
}

/// Payoffs and variances of an answer as it is played, without any tremble.
fn answer(game: &NormalForm, solution: &Solution) -> Result<Answer, SolveError> {
    let players = 0..game.players();
    let (variance, total_variance) = match &solution.joint {
        Some(joint) => {
            let spread = |player: usize| -> f64 {
                let mean = solution.payoffs[player];
                let payoffs = game.payoff_tensor(player).iter();
                joint.iter().zip(payoffs).map(|(share, u)| share * (u - mean) * (u - mean)).sum()
            };
            (None, players.map(spread).collect())
        }
        None => {
            let views = Views::new(game);
            let (mut own, mut total) = (Vec::new(), Vec::new());
            for player in players {
                let exposure = views.exposure(player, &solution.profile, Tremble::None)?;
                let mix = ndarray::ArrayView1::from(&solution.profile[player]);
                own.push(exposure.strategic_variance(mix));
                total.push(exposure.total_variance(mix));
            }
            (Some(own), total)
        }
    };
    Ok(Answer {
        payoffs: solution.payoffs.clone(),
        regret: solution.regret.clone(),
        gap: solution.risk.as_ref().map(|risk| risk.gap.clone()),
        variance,
        total_variance,
        mixes: solution.profile.as_slice().to_vec(),
        ended: matches!(solution.stop, Stop::Complete | Stop::Converged),
    })
}
