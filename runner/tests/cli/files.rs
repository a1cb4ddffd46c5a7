//! Files that a scenario names: read beside the scenario, kept in the run directory, found again.

use std::fs;
use std::path::Path;

use crate::{folder, gambol, json, message};

/// Two players, two actions; the payoffs are such that another game gives other rewards.
fn game(best: u32) -> String {
    format!("NFG 1 R \"coordination\" {{ \"a\" \"b\" }} {{ 2 2 }}\n\n{best} {best} 0 0 0 0 1 1\n")
}

const SCENARIO: &str = r#"(
    version: 1,
    seed: 5,
    env: Matrix(game: File("games/own.nfg"), rounds: 3, memory: 1),
    agent: Random,
    run: Evaluate(episodes: 100),
)"#;

fn place(name: &str) -> std::path::PathBuf {
    let folder = folder(name);
    fs::create_dir(folder.join("games")).unwrap();
    fs::write(folder.join("games/own.nfg"), game(2)).unwrap();
    fs::write(folder.join("own.ron"), SCENARIO).unwrap();
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_game_file_is_read_beside_the_scenario_and_its_content_is_kept() {
    let folder = place("files");
    let (scenario, run) = (folder.join("own.ron"), folder.join("run"));
    let arguments = ["run", text(&scenario), "--out", text(&run), "--json"];
    let first = gambol(&arguments);
    assert!(first.status.success(), "{}", message(&first));
    assert_eq!(json(&first)["env"], "Matrix-own-3r-1m");
    // The game is moved away and the directory renamed: the run stands on its own.
    fs::remove_file(folder.join("games/own.nfg")).unwrap();
    let moved = folder.join("moved");
    fs::rename(&run, &moved).unwrap();
    let verified = gambol(&["verify", text(&moved), "--json"]);
    assert!(verified.status.success(), "{}", message(&verified));
    assert_eq!(json(&verified)["digest"], json(&first)["digest"]);

    // Another game, another digest; so the file is really what is played.
    fs::write(folder.join("games/own.nfg"), game(3)).unwrap();
    let other = gambol(&arguments);
    assert!(other.status.success(), "{}", message(&other));
    assert_ne!(json(&other)["digest"], json(&first)["digest"]);

    // A copy that was changed is not mistaken for the game that was played.
    fs::write(moved.join("files/0-own.nfg"), game(3)).unwrap();
    let verified = gambol(&["verify", text(&moved)]);
    assert_eq!(verified.status.code(), Some(2));
    let why = message(&verified);
    assert!(why.contains("`games/own.nfg` is not what it was when the run was started"), "{why}");
}

#[test]
fn a_run_is_not_resumed_with_a_file_that_changed() {
    let folder = place("files-resume");
    let (scenario, run) = (folder.join("own.ron"), folder.join("run"));
    let first = gambol(&["run", text(&scenario), "--out", text(&run), "--json"]);
    assert!(first.status.success(), "{}", message(&first));
    // As if it had been killed.
    let manifest = run.join("manifest.json");
    let edited = fs::read_to_string(&manifest).unwrap().replace("\"complete\"", "\"running\"");
    fs::write(&manifest, edited).unwrap();
    fs::write(folder.join("games/own.nfg"), game(3)).unwrap();
    let resumed = gambol(&["run", text(&scenario), "--out", text(&run), "--resume"]);
    let why = message(&resumed);
    assert!(why.contains("`games/own.nfg` is not what it was"), "{why}");
    assert!(why.contains("--resume` continues with the copy kept there"), "{why}");
    assert_eq!(resumed.status.code(), Some(2));
    // What the message advises works.
    let resumed = gambol(&["run", text(&run), "--resume", "--json"]);
    assert!(resumed.status.success(), "{}", message(&resumed));
    assert_eq!(json(&resumed)["digest"], json(&first)["digest"]);
}

#[test]
fn a_missing_or_wrong_file_is_shown_where_it_is_named() {
    let folder = place("files-bad");
    let scenario = folder.join("own.ron");
    for (content, expected) in [
        (None, "own.ron:4:28: cannot read "),
        (Some("NFG 1 R \"x\" { \"a\" }"), "own.nfg, line 1, column 20: expected"),
    ] {
        let file = folder.join("games/own.nfg");
        match content {
            Some(content) => fs::write(file, content).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
        let checked = gambol(&["check", text(&scenario)]);
        assert_eq!(checked.status.code(), Some(2));
        let why = message(&checked);
        assert!(why.contains(expected), "{why}");
    }
}
