//! `gambol solve` on sequential games: counterfactual regret minimisation over the tree.

use gambol_solvers::game::sequential::{self, Entry};
use gambol_solvers::tree::{Cfr, CfrRun, Tree, Variant};
use serde_json::{Value, json};

use super::{Failure, Solve, input};
use crate::clock::Stopwatch;
use crate::commands::print;
use crate::scenario::ron_options;
use crate::table::{Table, short};

/// The solvers of sequential games.
const SOLVERS: [(&str, Variant); 2] = [("cfr", Variant::Cfr), ("cfr-plus", Variant::CfrPlus)];

/// The sequential game that is asked for, or a solver of such games on another one; none if neither.
pub(super) fn asked(solve: &Solve) -> Option<Result<(&'static Entry, Variant), Failure>> {
    let (game, solver) = (solve.game.as_deref()?, solve.solver.as_deref().unwrap_or_default());
    let variant = SOLVERS.iter().find(|(name, _)| *name == solver).map(|(_, variant)| *variant);
    // A file of that name is the user's own.
    let entry = sequential::find(game).filter(|_| !std::path::Path::new(game).exists());
    match (entry, variant) {
        (None, None) => None,
        (Some(entry), Some(variant)) => Some(Ok((entry, variant))),
        (Some(_), None) => Some(Err(Failure::Input(format!(
            "{game} is a sequential game, which --solver cfr and cfr-plus solve; `run: Psro(..)` grows populations in it"
        )))),
        (None, Some(_)) => {
            let games: Vec<_> = sequential::GAMES.iter().map(|entry| entry.name).collect();
            Some(Err(Failure::Input(format!(
                "{solver} solves sequential games, which are {}; {game} is none",
                games.join(", ")
            ))))
        }
    }
}

/// Solves it and prints the answer.
pub(super) fn work(solve: &Solve, entry: &Entry, variant: Variant) -> Result<(), Failure> {
    if solve.all || solve.gamma.is_some() || solve.tremble.is_some() {
        let why =
            "--all, --gamma and --tremble are of no use to cfr; it has iterations and tolerance";
        return Err(Failure::Input(why.to_owned()));
    }
    let mut config = Cfr { variant, ..Cfr::default() };
    for setting in &solve.param {
        let wrong = |why: String| {
            let fix = "cfr has iterations (at most) and tolerance (NashConv at which to stop)";
            Failure::Input(format!("--param {}: {why}; {fix}", setting.path))
        };
        if setting.path == "variant" {
            return Err(wrong("the variant is chosen by the solver's name".to_owned()));
        }
        let text = ron_options().to_string(&config).map_err(|error| wrong(error.to_string()))?;
        let text = setting.put(&text).map_err(wrong)?;
        config = ron_options().from_str(&text).map_err(|error| wrong(error.code.to_string()))?;
    }
    if !(config.tolerance >= 0.0 && config.tolerance.is_finite()) {
        return Err(Failure::Input("tolerance must be finite and not negative".to_owned()));
    }
    let tree = entry.tree().map_err(input)?;
    let watch = Stopwatch::start();
    let run = config.solve(&tree);
    let seconds = watch.seconds();
    let payoffs = tree.play(&run.profile).mean;
    if solve.json {
        let answer = json!({
            "solver": solve.solver,
            "game": entry.name,
            "equilibria": [{ "strategies": strategies(&tree, &run), "payoffs": payoffs, "regret": run.gains }],
            "iterations": run.iterations,
            "stop": run.stop,
            "seconds": seconds,
        });
        return print(&format!("{answer}\n"));
    }
    let conv: f64 = run.gains.iter().sum();
    let mut text = format!(
        "{}: {} nodes, {} iterations, {}, {} s\nNashConv {}\n",
        tree.name(),
        tree.nodes(),
        run.iterations,
        run.stop,
        short(seconds),
        short(conv)
    );
    for (player, (payoff, gain)) in payoffs.iter().zip(&run.gains).enumerate() {
        text.push_str(&format!(
            "\nplayer {player}: payoff {}, could gain {}\n",
            short(*payoff),
            short(*gain)
        ));
        let mut table = Table::new(&["knows", "plays"]);
        for set in tree.sets(player) {
            let shares = &run.profile[player][set.entries.clone()];
            let words = set.actions.iter().zip(shares);
            let words: Vec<_> =
                words.map(|(action, share)| format!("{action}: {}", short(*share))).collect();
            table.row(vec![set.key.clone(), words.join(", ")]);
        }
        text.push_str(&table.text());
    }
    print(&text)
}

/// One object for every information set, player by player.
fn strategies(tree: &Tree, run: &CfrRun) -> Value {
    let of = |(player, strategy): (usize, &Vec<f64>)| -> Value {
        let sets = tree.sets(player).iter();
        sets.map(|set| {
            json!({
                "information": set.key,
                "actions": set.actions,
                "probabilities": strategy[set.entries.clone()],
            })
        })
        .collect()
    };
    run.profile.iter().enumerate().map(of).collect()
}
