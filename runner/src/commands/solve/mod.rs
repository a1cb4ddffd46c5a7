//! `gambol solve`: equilibria of one game, with their certificates.

use clap::Args;
use gambol_solvers::SolverConfig;
use gambol_solvers::game::NormalForm;
use gambol_solvers::solution::{Solution, Solutions};
use serde_json::{Value, json};

use super::{Failure, print};
use crate::clock::Stopwatch;
use crate::scenario::edit::Setting;
use crate::table::{Table, mix, one_line, short};
use crate::{games, solvers};

mod tree;

#[derive(Debug, Args)]
pub(super) struct Solve {
    /// A game: an .nfg file, or a name of the catalogue, sequential ones (with cfr, cfr-plus) included (`gambol list games`)
    #[arg(value_name = "GAME.nfg", required_unless_present = "list")]
    game: Option<String>,
    /// The solver, one of those that --list names
    #[arg(long, value_name = "NAME")]
    solver: Option<String>,
    /// Risk aversion: one weight of the variance, or one a player separated by commas
    #[arg(long, value_name = "G", allow_hyphen_values = true)]
    gamma: Option<String>,
    /// How low-probability actions enter: none, floor:E or opponent:E
    #[arg(long, value_name = "MODEL")]
    tremble: Option<String>,
    /// A parameter of the solver and its value in RON, such as rounds=500; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    param: Vec<Setting>,
    /// Seed of methods that draw random numbers
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Every equilibrium that the method can find, instead of the first
    #[arg(long)]
    all: bool,
    /// List the solvers with their parameters and defaults; with --solver only that one
    #[arg(long, conflicts_with_all = ["game", "gamma", "tremble", "param", "all"])]
    list: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn input(error: impl ToString) -> Failure {
    Failure::Input(error.to_string())
}

/// The settings that `--gamma` stands for, in the order of players.
fn gamma(text: &str) -> Result<Setting, Failure> {
    let numbers: Vec<_> = text.split(',').map(str::trim).collect();
    for number in &numbers {
        let value: Result<f64, _> = number.parse();
        if !value.is_ok_and(|value| value.is_finite() && value >= 0.0) {
            return Err(Failure::Input(format!(
                "--gamma {text}: `{number}` is not a number >= 0; give one, or one a player as in 0.5,1"
            )));
        }
    }
    Ok(match numbers.as_slice() {
        [one] => Setting { path: "gamma".to_owned(), value: (*one).to_owned() },
        many => Setting { path: "gammas".to_owned(), value: format!("[{}]", many.join(", ")) },
    })
}

/// The setting that `--tremble` stands for.
fn tremble(text: &str) -> Result<Setting, Failure> {
    let value = match text.split_once(':') {
        None if text == "none" => Some("None".to_owned()),
        Some((model @ ("floor" | "opponent"), number)) => {
            let least = number.trim().parse::<f64>().ok().filter(|least| least.is_finite());
            let name = if model == "floor" { "Floor" } else { "Opponent" };
            least.map(|least| format!("{name}({least})"))
        }
        _ => None,
    };
    let value = value.ok_or_else(|| {
        Failure::Input(format!(
            "--tremble {text}: expected none, floor:E or opponent:E, with the least probability E of an action, such as floor:0.05"
        ))
    })?;
    Ok(Setting { path: "tremble".to_owned(), value })
}

impl Solve {
    pub(super) fn work(self) -> Result<(), Failure> {
        if self.list {
            return self.list();
        }
        if let Some(asked) = tree::asked(&self) {
            let (entry, variant) = asked?;
            return tree::work(&self, entry, variant);
        }
        let config = self.config()?;
        let info = config.solver().info();
        if self.all && !info.enumerates {
            let others = solvers::infos().into_iter().filter(|info| info.enumerates);
            let others: Vec<_> = others.map(|info| info.name).collect();
            return Err(Failure::Input(format!(
                "{} gives one answer, so --all does not fit; leave it out, or take one of {}",
                info.name,
                others.join(", ")
            )));
        }
        let name = self.game.as_deref().unwrap_or_default();
        let game = games::find(name)?;
        let watch = Stopwatch::start();
        let solved = solvers::solve(&config, &game, self.seed, self.all);
        let seconds = watch.seconds();
        let solutions = solved.map_err(|error| {
            let message = format!("{name}: {error}");
            if solvers::is_input(&error) { Failure::Input(message) } else { Failure::Run(message) }
        })?;
        if self.json {
            let mut answer = solvers::answer(&config, name, &solutions);
            answer["seconds"] = json!(seconds);
            return print(&format!("{answer}\n"));
        }
        print(&report(name, &game, &config, &solutions, seconds))
    }

    fn config(&self) -> Result<SolverConfig, Failure> {
        let Some(name) = &self.solver else {
            let names: Vec<_> = solvers::infos().into_iter().map(|info| info.name).collect();
            return Err(Failure::Input(format!(
                "--solver NAME is missing; the solvers are {}",
                names.join(", ")
            )));
        };
        let mut config = solvers::named(name).map_err(input)?;
        if let Some(text) = &self.gamma {
            config = solvers::changed(&config, &gamma(text)?)
                .map_err(|error| Failure::Input(format!("--gamma {text}: {error}")))?;
        }
        if let Some(text) = &self.tremble {
            config = solvers::changed(&config, &tremble(text)?)
                .map_err(|error| Failure::Input(format!("--tremble {text}: {error}")))?;
        }
        for setting in &self.param {
            config = solvers::changed(&config, setting)
                .map_err(|error| Failure::Input(format!("--param {}: {error}", setting.path)))?;
        }
        Ok(config)
    }

    fn list(&self) -> Result<(), Failure> {
        let listed = match &self.solver {
            Some(name) => vec![solvers::named(name).map_err(input)?],
            None => SolverConfig::defaults(),
        };
        if self.json {
            let list: Value = listed.iter().map(described).collect();
            return print(&format!("{}\n", json!({ "solvers": list })));
        }
        let mut text = String::new();
        for config in &listed {
            let info = config.solver().info();
            let answers = if info.enumerates { "one or --all" } else { "one answer" };
            text.push_str(&format!(
                "{} ({}; {answers})\n  {}\n",
                info.name, info.takes, info.about
            ));
            let mut table = Table::new(&["    parameter", "default", "meaning"]);
            for (parameter, value) in solvers::values(config) {
                let name = format!("    {}", parameter.name);
                table.row(vec![name, value, parameter.about.to_owned()]);
            }
            if !info.parameters.is_empty() {
                text.push_str(&table.text());
            }
        }
        print(&text)
    }
}

fn described(config: &SolverConfig) -> Value {
    let info = config.solver().info();
    let parameters: Vec<_> = solvers::values(config)
        .into_iter()
        .map(|(parameter, value)| {
            json!({ "name": parameter.name, "default": value, "about": parameter.about })
        })
        .collect();
    json!({
        "name": info.name,
        "about": info.about,
        "takes": info.takes.to_string(),
        "enumerates": info.enumerates,
        "parameters": parameters,
        "tolerance": config.solver().tolerance(),
        "scenario": solvers::written(config),
    })
}

/// The pure profiles that a joint distribution plays, most likely first.
fn joint(game: &NormalForm, solution: &Solution) -> String {
    let Some(joint) = &solution.joint else { return String::new() };
    let mut played: Vec<(f64, String)> = joint
        .indexed_iter()
        .filter(|(_, share)| **share > 0.0)
        .map(|(at, share)| {
            let labels: Vec<_> = (0..game.players())
                .map(|player| one_line(&game.action_labels(player)[at[player]]))
                .collect();
            (*share, labels.join(", "))
        })
        .collect();
    played.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut table = Table::new(&["", "together", "profile"]);
    for (share, labels) in played {
        table.row(vec![String::new(), short(share), labels]);
    }
    table.text()
}

fn report(
    name: &str,
    game: &NormalForm,
    config: &SolverConfig,
    solutions: &Solutions,
    seconds: f64,
) -> String {
    let info = config.solver().info();
    let sizes: Vec<_> = game.shape().iter().map(usize::to_string).collect();
    let title = if game.title().is_empty() {
        name.to_owned()
    } else {
        format!("{name}: {}", one_line(game.title()))
    };
    let found = match solutions.equilibria.len() {
        0 => "nothing found".to_owned(),
        1 => "1 answer".to_owned(),
        count => format!("{count} answers"),
    };
    let mut text = format!(
        "{title} ({})\n{}: {found}, {}, {} iterations, {} s\n",
        sizes.join(" x "),
        info.name,
        solutions.stop,
        solutions.iterations,
        short(seconds)
    );
    let risk = solutions.equilibria.iter().any(|solution| solution.risk.is_some());
    let mut head = vec!["#", "player", "payoff", "regret"];
    if risk {
        head.extend(["gap", "variance", "total variance"]);
    }
    head.push("strategy");
    let mut table = Table::new(&head);
    let mut together = String::new();
    for (number, solution) in solutions.equilibria.iter().enumerate() {
        for player in 0..game.players() {
            let number = if player == 0 { (number + 1).to_string() } else { String::new() };
            let mut cells = vec![
                number,
                one_line(&game.player_labels()[player]),
                short(solution.payoffs[player]),
                short(solution.regret[player]),
            ];
            if let Some(risk) = &solution.risk {
                cells.push(short(risk.gap[player]));
                cells.push(short(risk.variance[player]));
                cells.push(short(risk.total_variance[player]));
            } else if risk {
                cells.extend(std::iter::repeat_n(String::new(), 3));
            }
            cells.push(mix(game, player, &solution.profile[player]));
            table.row(cells);
        }
        if solution.joint.is_some() {
            together.push_str(&format!("answer {}\n{}", number + 1, joint(game, solution)));
        }
    }
    if !solutions.equilibria.is_empty() {
        text.push_str(&table.text());
    }
    text.push_str(&together);
    text
}
