//! `gambol solve` as other programs and people meet it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use gambol_runner::solvers;
use gambol_solvers::SolverConfig;
use gambol_solvers::game::{NormalForm, catalogue};
use gambol_solvers::solution::{Profile, SolveError, Stop};
use rayon::prelude::*;
use serde_json::Value;

mod scenario;

fn gambol(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gambol")).args(arguments).output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What `gambol solve .. --json` prints.
fn solve(arguments: &[&str]) -> Value {
    let arguments: Vec<_> = ["solve"].iter().chain(arguments).chain(&["--json"]).copied().collect();
    serde_json::from_str(&printed(&gambol(&arguments))).unwrap()
}

/// The message of a call that must be refused as wrong input.
fn refused(arguments: &[&str]) -> String {
    let output = gambol(&[&["solve"], arguments].concat());
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed results");
    message
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn profile(equilibrium: &Value) -> Profile {
    Profile::new(equilibrium["profile"].as_array().unwrap().iter().map(numbers).collect())
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn near(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

#[test]
fn the_json_contract() {
    let answer = solve(&["stag_hunt", "--solver", "extreme", "--all"]);
    let top = ["solver", "game", "equilibria", "iterations", "stop", "seconds"];
    assert_eq!(keys(&answer), BTreeSet::from(top));
    assert_eq!((&answer["solver"], &answer["game"]), (&"extreme".into(), &"stag_hunt".into()));
    assert!(answer["iterations"].is_u64() && answer["seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(answer["stop"], "complete");
    let equilibria = answer["equilibria"].as_array().unwrap();
    assert_eq!(equilibria.len(), 3);
    let game = catalogue::find("stag_hunt").unwrap().game().unwrap();
    for equilibrium in equilibria {
        assert_eq!(keys(equilibrium), BTreeSet::from(["profile", "payoffs", "regret"]));
        let profile = profile(equilibrium);
        game.check_profile(&profile).unwrap();
        assert!(near(&numbers(&equilibrium["payoffs"]), &game.payoffs(&profile), 1e-12));
        assert!(near(&numbers(&equilibrium["regret"]), &game.regret(&profile), 1e-12));
    }

    // Spec 1.6, stag hunt with a floor of 0.05: beyond the critical gamma only Hare is left.
    let answer = solve(&[
        "stag_hunt",
        "--solver",
        "rae",
        "--gamma",
        "1",
        "--tremble",
        "floor:0.05",
        "--all",
    ]);
    let equilibria = answer["equilibria"].as_array().unwrap();
    assert_eq!(equilibria.len(), 1);
    let with_risk = ["profile", "payoffs", "regret", "variance", "total_variance", "gap"];
    assert_eq!(keys(&equilibria[0]), BTreeSet::from(with_risk));
    assert!(near(&numbers(&equilibria[0]["profile"][0]), &[0.05, 0.95], 1e-9));
    assert!(near(&numbers(&equilibria[0]["payoffs"]), &[1.9575; 2], 1e-9));
    assert!(near(&numbers(&equilibria[0]["variance"]), &[0.062_819; 2], 1e-6));

    // The same through a parameter, with one weight a player, from a file.
    let path = folder("contract").join("game.nfg");
    std::fs::write(&path, catalogue::find("stag_hunt").unwrap().text).unwrap();
    let path = path.to_str().unwrap();
    let same = solve(&[
        path,
        "--solver",
        "rae",
        "--gamma",
        "1,1",
        "--param",
        "tremble=Floor(0.05)",
        "--all",
    ]);
    assert_eq!(same["game"], path);
    assert_eq!(same["equilibria"], answer["equilibria"]);
}

/// What a person reads.
#[test]
fn the_table_has_labels() {
    let text = printed(&gambol(&["solve", "stag_hunt", "--solver", "extreme", "--all"]));
    assert!(
        text.starts_with("stag_hunt: Stag Hunt (2 x 2)\nextreme: 3 answers, complete,"),
        "{text}"
    );
    assert!(text.contains("#  player  payoff    regret"), "{text}");
    assert!(text.contains("Stag: 0.666667, Hare: 0.333333"), "{text}");
    let text = printed(&gambol(&["solve", "matching_pennies", "--solver", "pure", "--all"]));
    assert!(text.contains("pure: nothing found, complete"), "{text}");
}

/// How many answers a solver has to a game of the catalogue, each checked to be what it claims to be; none when the
/// game is too large for it.
fn answers(config: &SolverConfig, name: &str, game: &NormalForm, all: bool) -> Option<usize> {
    let solver = config.solver().info().name;
    let found = match solvers::solve(config, game, 0, all) {
        Ok(found) => found,
        Err(SolveError::TooLarge { .. }) if all => return None,
        Err(error) => panic!("{solver} on {name}: {error}"),
    };
    let scale = game.largest_payoff().max(1.0);
    for solution in &found.equilibria {
        game.check_profile(&solution.profile).unwrap();
        let value = solvers::equilibrium(solution);
        assert_eq!(value["profile"].as_array().unwrap().len(), game.players());
        assert!(numbers(&value["regret"]).iter().all(|&regret| regret >= 0.0));
        if solution.joint.is_none() {
            assert!(near(&solution.regret, &game.regret(&solution.profile), 1e-12 * scale));
        }
        let claimed = matches!(solution.stop, Stop::Complete | Stop::Converged);
        if let (true, Some(tolerance)) = (claimed, config.solver().tolerance()) {
            let regret = solution.max_regret();
            assert!(regret <= tolerance * 2.0 * scale, "{solver} on {name}: {regret}");
        }
    }
    Some(found.equilibria.len())
}

fn check(entry: &catalogue::Entry, config: &SolverConfig) {
    let (game, name) = (entry.game().unwrap(), entry.name);
    let info = config.solver().info();
    if let Err(error) = config.solver().check(&game) {
        let error = error.to_string();
        assert!(error.contains(info.name), "{error}");
        assert_eq!(solvers::solve(config, &game, 0, false).unwrap_err().to_string(), error);
        return;
    }
    let one = answers(config, name, &game, false).unwrap();
    if !info.enumerates {
        assert_eq!(one, 1, "{} on {name}", info.name);
        return;
    }
    assert!(one <= 1, "{} on {name}: {one} first answers", info.name);
    // Newton's method from every pair of supports takes minutes on the larger games.
    if info.name != "rae" || game.profiles() <= 9 {
        let all = answers(config, name, &game, true);
        assert!(all.is_none_or(|all| all >= one), "{} on {name}: {all:?}", info.name);
    }
}

#[test]
fn every_game_of_the_catalogue_with_every_solver() {
    // Where learning does not converge, two thousand rounds show that as well as a hundred thousand.
    let short = "iterations=2000".parse().unwrap();
    let configs: Vec<_> = SolverConfig::defaults()
        .into_iter()
        .map(|config| solvers::changed(&config, &short).unwrap_or(config))
        .collect();
    let pairs = catalogue::GAMES
        .par_iter()
        .flat_map(|entry| configs.par_iter().map(move |config| (entry, config)));
    pairs.for_each(|(entry, config)| check(entry, config));
}

/// Every solver through the binary, on a game that all of them take.
#[test]
fn every_solver_answers_on_the_command_line() {
    let list: Value =
        serde_json::from_str(&printed(&gambol(&["solve", "--list", "--json"]))).unwrap();
    let names: Vec<_> =
        list["solvers"].as_array().unwrap().iter().map(|solver| &solver["name"]).collect();
    let expected: Vec<_> = solvers::infos().into_iter().map(|info| info.name).collect();
    assert_eq!(names, expected);
    let text = printed(&gambol(&["solve", "--list"]));
    for solver in list["solvers"].as_array().unwrap() {
        let name = solver["name"].as_str().unwrap();
        assert!(text.contains(name), "{name}");
        for parameter in solver["parameters"].as_array().unwrap() {
            let (field, default) = (&parameter["name"], &parameter["default"]);
            assert!(text.contains(field.as_str().unwrap()), "{name}: {field}");
            assert_ne!(default, "", "{name}: {field}");
        }
        let answer = solve(&["zero_sum_2x3", "--solver", name, "--seed", "3"]);
        assert_eq!(answer["solver"], name);
        assert_eq!(answer["equilibria"].as_array().unwrap().len(), 1, "{name}");
    }
}

#[test]
fn the_page_on_solvers_names_all_of_them() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/solvers.md")).unwrap();
    for info in solvers::infos() {
        let name = format!("`{}`", info.name);
        assert!(page.contains(&name), "docs/solvers.md has no row for {name}");
    }
}

#[test]
fn wrong_input_is_answered_with_the_fix() {
    let folder = folder("wrong");
    let bad = folder.join("bad.nfg");
    std::fs::write(&bad, "NFG 1 R \"x\" { \"a\" \"b\" } { 2 2 }\n1 1 2 x 3 3 4 4\n").unwrap();
    let message = refused(&[bad.to_str().unwrap(), "--solver", "pure"]);
    assert!(message.contains("bad.nfg:2:7: `x` is not a number"), "{message}");
    assert!(message.contains("\n    1 1 2 x 3 3 4 4\n          ^"), "{message}");
    let binary = folder.join("binary.nfg");
    std::fs::write(&binary, b"NFG 1 R \"\xff\"").unwrap();
    let folder = folder.to_str().unwrap();
    for (arguments, parts) in [
        (
            &["stag_hnt", "--solver", "pure"][..],
            &["did you mean `stag_hunt`?", "gambol list games"][..],
        ),
        (&["none.nfg", "--solver", "pure"], &["there is no file `none.nfg`"]),
        (&[binary.to_str().unwrap(), "--solver", "pure"], &["is not UTF-8 text from byte 9 on"]),
        (&[folder, "--solver", "pure"], &["cannot read"]),
        (&["stag_hunt"], &["--solver NAME is missing", "lemke-howson"]),
        (&["stag_hunt", "--solver", "lemkehowson"], &["did you mean `lemke-howson`?", "extreme"]),
        (
            &["stag_hunt", "--solver", "rae", "--param", "gama=1"],
            &["did you mean `gamma`?", "tremble"],
        ),
        (&["stag_hunt", "--solver", "rae", "--param", "gamma=x"], &["rae: gamma cannot be `x`"]),
        (&["stag_hunt", "--solver", "rae", "--param", "gamma"], &["not of the form"]),
        (&["stag_hunt", "--solver", "rae", "--gamma", "-1"], &["`-1` is not a number >= 0"]),
        (&["stag_hunt", "--solver", "rae", "--param", "gamma=-1"], &["gamma = -1 (it must be"]),
        (
            &["stag_hunt", "--solver", "rae", "--gamma", "1,2,3"],
            &["3 values of gamma for 2 players"],
        ),
        (
            &["stag_hunt", "--solver", "pure", "--gamma", "1"],
            &["pure has no parameter `gamma`", "rae has that one"],
        ),
        (&["stag_hunt", "--solver", "rae", "--tremble", "floor"], &["floor:E or opponent:E"]),
        (&["stag_hunt", "--solver", "rae", "--tremble", "floor:0.7"], &["leaves no strategy"]),
        (&["stag_hunt_3", "--solver", "extreme"], &["takes games of 2 players, this one has 3"]),
        (&["--list", "--solver", "rea"], &["did you mean `rae`?"]),
        (&[], &["GAME.nfg"]),
    ] {
        let message = refused(arguments);
        for part in parts {
            assert!(message.contains(part), "{arguments:?}: {message}");
        }
    }
    if let Some(info) = solvers::infos().into_iter().find(|info| !info.enumerates) {
        let message = refused(&["zero_sum_2x3", "--solver", info.name, "--all"]);
        assert!(message.contains("gives one answer, so --all does not fit"), "{message}");
    }
}

#[test]
fn the_same_answer_at_any_number_of_threads() {
    // In this process: starting the binary costs more than solving.
    let pools =
        [1, 2].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
    for config in SolverConfig::defaults() {
        for name in ["zero_sum_2x3", "coordination_3x3", "mckelvey_mclennan"] {
            let game = catalogue::find(name).unwrap().game().unwrap();
            if config.solver().check(&game).is_ok() {
                let answers = pools.each_ref().map(|pool| {
                    let found = pool.install(|| solvers::solve(&config, &game, 5, false)).unwrap();
                    solvers::answer(&config, name, &found).to_string()
                });
                assert_eq!(answers[0], answers[1], "{} on {name}", config.solver().info().name);
            }
        }
    }
    let answers = ["1", "2"].map(|threads| {
        let mut answer = solve(&["hawk_3", "--solver", "rae", "--threads", threads]);
        answer["seconds"].take();
        answer
    });
    assert_eq!(answers[0], answers[1]);
}

/// The numbers that the literature states, as printed by the binary.
#[test]
fn known_numbers_of_equilibria() {
    let game = |name: &str| catalogue::find(name).unwrap().game().unwrap();
    let count = |name: &str, solver: &str| {
        let answer = solve(&[name, "--solver", solver, "--all"]);
        let equilibria = answer["equilibria"].as_array().unwrap().clone();
        for equilibrium in &equilibria {
            let regret = game(name).regret(&profile(equilibrium)).into_iter().fold(0.0, f64::max);
            assert!(regret <= 1e-9 * game(name).largest_payoff().max(1.0), "{name}: {regret}");
        }
        equilibria.len()
    };
    // Von Stengel 1999.
    assert_eq!(count("von_stengel_6x6", "extreme"), 75);
    // nashpy issue 82: eight extreme equilibria of a degenerate game.
    assert_eq!(count("degenerate_3x5", "extreme"), 8);
    assert_eq!(count("coordination_3x3", "extreme"), 7);
    assert_eq!(count("von_stengel_3x2", "extreme"), 3);
    assert_eq!(count("shapley_1974_figure_2", "extreme"), 3);
    assert_eq!(count("shapley_1974_figure_3", "extreme"), 3);
    assert_eq!(count("chicken_dare", "pure"), 2);
    assert_eq!(count("mckelvey_mclennan", "pure"), 4);
    // McKelvey and McLennan 1996, three players.
    assert_eq!(count("mckelvey_mclennan", "polynomial"), 9);
    // The two enumerations agree where nothing is degenerate.
    assert_eq!(count("von_stengel_6x6", "support-enumeration"), 75);
}
