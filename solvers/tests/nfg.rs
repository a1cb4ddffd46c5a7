//! The `.nfg` reader and writer, and the catalogue.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use gambol_solvers::game::catalogue::{self, GAMES};
use gambol_solvers::game::{NormalForm, nfg};
use ndarray::{Array2, ArrayD, IxDyn, array};
use proptest::prelude::*;

/// Both forms give back the game.
fn round_trips(game: &NormalForm) {
    let payoff_form = nfg::write(game);
    assert_eq!(nfg::read(&payoff_form).as_ref(), Ok(game), "{payoff_form}");
    let outcome_form = nfg::write_outcomes(game);
    assert_eq!(nfg::read(&outcome_form).as_ref(), Ok(game), "{outcome_form}");
}

#[test]
fn every_game_of_the_catalogue_reads_names_its_source_and_round_trips() {
    assert!(GAMES.windows(2).all(|pair| pair[0].name < pair[1].name), "alphabetical, no doubles");
    for entry in GAMES {
        let game = entry.game().unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        assert!(!game.title().is_empty(), "{} has no title", entry.name);
        assert!(!entry.source().unwrap().is_empty(), "{} names no source", entry.name);
        round_trips(&game);
    }
}

#[test]
fn the_catalogue_holds_every_file_of_its_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/games");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".nfg").map(str::to_owned))
        .collect();
    files.sort();
    let listed: Vec<&str> = GAMES.iter().map(|entry| entry.name).collect();
    assert_eq!(files, listed);
}

/// The small games whose equilibria other packages and the literature agree on, payoff by payoff.
#[test]
fn the_catalogue_has_the_games_of_the_literature() {
    let check = |name: &str, game: &NormalForm| {
        let found = catalogue::find(name).unwrap_or_else(|| panic!("no {name}")).game().unwrap();
        assert_eq!(found.matrices(), game.matrices(), "{name}");
    };
    let zero_sum = [
        ("matching_pennies", array![[1.0, -1.0], [-1.0, 1.0]]),
        ("asymmetric_matching_pennies", array![[2.0, -1.0], [-1.0, 1.0]]),
        ("zero_sum_2x3", array![[2.0, 1.0, 5.0], [-3.0, -4.0, -2.0]]),
        ("rock_paper_scissors", array![[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]),
        (
            "biased_rock_paper_scissors",
            array![[0.0, -25.0, 50.0], [25.0, 0.0, -5.0], [-50.0, 5.0, 0.0]],
        ),
        (
            "rock_paper_scissors_water",
            array![
                [0.0, -1.0, 1.0, 0.0],
                [1.0, 0.0, -1.0, 0.0],
                [-1.0, 1.0, 0.0, 0.0],
                [0.0, 0.0, 0.0, 0.0]
            ],
        ),
    ];
    for (name, own) in zero_sum {
        check(name, &NormalForm::zero_sum(own.view()).unwrap());
    }
    let symmetric = [
        ("prisoners_dilemma", array![[5.0, 0.0], [10.0, 1.0]]),
        ("chicken_dare", array![[0.0, 4.0], [1.0, 3.0]]),
        ("chicken", array![[0.0, -1.0], [1.0, -10.0]]),
        ("stag_hunt", array![[4.0, 0.0], [3.0, 2.0]]),
        ("stag_hunt_tied", array![[2.0, 0.0], [1.0, 1.0]]),
        ("hawk_3", array![[-3.0, 4.0, 3.0], [0.0, 2.0, 2.0], [0.5, 0.8, 0.8]]),
        ("marginal_oracle", array![[5.0, 4.0, -4.0], [-4.0, -3.0, 2.0], [-1.0, -3.0, -4.0]]),
        ("coordination_3x3", Array2::eye(3)),
    ];
    for (name, own) in symmetric {
        check(name, &NormalForm::symmetric(own.view()).unwrap());
    }
    let general = [
        ("battle_of_the_sexes", array![[3.0, 0.0], [0.0, 2.0]], array![[2.0, 0.0], [0.0, 3.0]]),
        (
            "shapley_1964",
            array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            array![[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
        ),
        (
            "von_stengel_3x2",
            array![[3.0, 3.0], [2.0, 5.0], [0.0, 6.0]],
            array![[3.0, 2.0], [2.0, 6.0], [3.0, 1.0]],
        ),
        (
            "shapley_1974_figure_3",
            array![[0.0, 3.0, 0.0], [2.0, 2.0, 0.0], [3.0, 0.0, 1.0]],
            array![[0.0, 2.0, 3.0], [3.0, 2.0, 0.0], [0.0, 0.0, 1.0]],
        ),
        (
            "shapley_1974_figure_2",
            array![[2.0, 2.0, 0.0], [0.0, 3.0, 0.0], [3.0, 0.0, 1.0]],
            array![[3.0, 0.0, 2.0], [0.0, 3.0, 2.0], [0.0, 0.0, 1.0]],
        ),
        (
            // The source minimises costs.
            "degenerate_3x5",
            -array![
                [0.0, 0.0, 6.0, 0.0, 0.0],
                [0.0, 0.0, 3.0, 2.0, 1.0],
                [4.0, 3.0, 0.0, 0.0, 1.0]
            ],
            -array![
                [3.0, 0.0, 2.0, 1.0, 0.0],
                [0.0, 2.0, 0.0, 0.0, 4.0],
                [4.0, 0.0, 2.0, 4.0, 4.0]
            ],
        ),
    ];
    for (name, own, other) in general {
        check(name, &NormalForm::bimatrix(own.view(), other.view()).unwrap());
    }
}

#[test]
fn known_cells_stand_where_they_should() {
    let game = catalogue::find("mckelvey_mclennan").unwrap().game().unwrap();
    assert_eq!(game.shape(), [2, 2, 2]);
    assert_eq!(game.pure_payoffs(&[0, 0, 0]).unwrap(), [9.0, 8.0, 12.0]);
    assert_eq!(game.pure_payoffs(&[1, 1, 0]).unwrap(), [9.0, 8.0, 2.0]);
    assert_eq!(game.pure_payoffs(&[0, 1, 1]).unwrap(), [3.0, 4.0, 6.0]);
    let game = catalogue::find("von_stengel_6x6").unwrap().game().unwrap();
    assert_eq!(game.pure_payoffs(&[1, 0]).unwrap(), [-111_771.0, -461_736.0]);
    let game = catalogue::find("stag_hunt_3").unwrap().game().unwrap();
    assert_eq!(game.pure_payoffs(&[0, 0, 1]).unwrap(), [0.0, 0.0, 2.0]);
    assert!(catalogue::find("no such game").is_none());
}

#[test]
fn gambits_own_examples_in_both_forms_are_the_same_game() {
    // Gambit documentation, e02.nfg: Selten (IJGT 75), figure 2.
    let payoffs = "NFG 1 R \"Selten (IJGT, 75), Figure 2, normal form\"\n\
        { \"Player 1\" \"Player 2\" } { 3 2 }\n\n1 1 0 2 0 2 1 1 0 3 2 0 \n";
    let outcomes = "NFG 1 R \"Selten (IJGT, 75), Figure 2, normal form\" { \"Player 1\" \"Player 2\" }\n\
        {\n{ \"1\" \"2\" \"3\" }\n{ \"1\" \"2\" }\n}\n\n\
        {\n{ \"\" 1, 1 }\n{ \"\" 0, 2 }\n{ \"\" 0, 2 }\n{ \"\" 1, 1 }\n{ \"\" 0, 3 }\n{ \"\" 2, 0 }\n}\n1 2 3 4 5 6 \n";
    let game = nfg::read(payoffs).unwrap();
    assert_eq!(nfg::read(outcomes).unwrap(), game);
    assert_eq!(game.pure_payoffs(&[1, 0]).unwrap(), [0.0, 2.0]);
    assert_eq!(game.pure_payoffs(&[1, 1]).unwrap(), [0.0, 3.0]);
    assert_eq!(game.pure_payoffs(&[2, 1]).unwrap(), [2.0, 0.0]);
}

#[test]
fn numbers_escapes_comments_and_the_null_outcome() {
    let text = "\u{feff}NFG 1 D \"A \\\"quoted\\\" title, C:\\\\dir\\new\"\r\n{\"a\",\"b\"}{{\"x\"}{\"y\" \"z\"}}\n\
        \"a comment { 1 2 } over\nlines\" { {\"win\" -1/3 2.5e-1} {\"\" .5 +7} } 2 0";
    let game = nfg::read(text).unwrap();
    assert_eq!(game.title(), "A \"quoted\" title, C:\\dir\\new");
    assert_eq!(game.comment(), "a comment { 1 2 } over\nlines");
    assert_eq!(game.pure_payoffs(&[0, 0]).unwrap(), [0.5, 7.0]);
    assert_eq!(game.pure_payoffs(&[0, 1]).unwrap(), [0.0, 0.0]);
    round_trips(&game);
    let ratio = nfg::read("NFG 1 R \"\" {\"\"} {1} -1/3").unwrap();
    assert_eq!(ratio.pure_payoffs(&[0]).unwrap(), [-1.0 / 3.0]);
}

fn check_error(text: &str, expected: &str) {
    assert_eq!(nfg::read(text).unwrap_err().to_string(), expected, "for {text:?}");
}

#[test]
fn errors_say_where_and_what_was_expected() {
    check_error(
        "",
        "line 1, column 1: expected `NFG`, with which a strategic game begins, found the end of the text",
    );
    check_error(
        "EFG 2 R",
        "line 1, column 1: expected `NFG`, with which a strategic game begins, found `EFG`",
    );
    check_error("NFG 2 R", "line 1, column 5: expected the format's version `1`, found `2`");
    check_error(
        "NFG 1 R\n title",
        "line 2, column 2: expected the title in double quotes, found `title`",
    );
    check_error("NFG 1 R \"t", "line 1, column 9: this quoted text has no closing `\"`");
    check_error("NFG 1 R \"t\" {} {}", "line 1, column 13: a game needs at least one player");
    check_error(
        "NFG 1 R \"t\" { \"p\" 3 }",
        "line 1, column 19: expected a player's name in double quotes or `}`, found `3`",
    );
    check_error(
        "NFG 1 R \"\" {\"a\"} {2 2} 1 2",
        "line 1, column 18: 2 players have actions, but 1 are named",
    );
    check_error("NFG 1 R \"\" {\"a\"\n\"b\"} {2 0} 1", "line 2, column 9: player 2 has no action");
    check_error(
        "NFG 1 R \"\" {\"a\"} {2}\n1 x",
        "line 2, column 3: `x` is not a number (an integer, a decimal such as -1.5 or 2e3, or a ratio such as 2/3)",
    );
    check_error(
        "NFG 1 R \"\" {\"a\"} {2}\n1",
        "line 2, column 2: expected payoff 2 of 2, found the end of the text",
    );
    check_error(
        "NFG 1 R \"\" {\"a\"} {1}\n1 2",
        "line 2, column 3: the body is complete, but the text goes on with `2`",
    );
    check_error("NFG 1 R \"\" {\"a\"} {1} 1/0", "line 1, column 22: `1/0` is not finite");
    check_error("NFG 1 R \"\" {\"a\"} {1} 1e999", "line 1, column 22: `1e999` is not finite");
    check_error(
        "NFG 1 R \"\" {\"a\"} {1} inf",
        "line 1, column 22: `inf` is not a number (an integer, a decimal such as -1.5 or 2e3, or a ratio such as 2/3)",
    );
    check_error(
        "NFG 1 R \"\" {\"a\"} {1} { {\"\" 1 2} } 1",
        "line 1, column 24: outcome 1 has 2 payoffs for 1 players",
    );
    check_error(
        "NFG 1 R \"\" {\"a\"} {1} { {\"\" 1} } 2",
        "line 1, column 33: outcome 2 does not exist: there are 1",
    );
    check_error(
        "NFG 1 R \"\" {\"a\"} {1} { {\"\" 1} } -1",
        "line 1, column 33: expected outcome index 1 of 1, found `-1`",
    );
    check_error(
        "NFG 1 R \"é\" {\"a\" \"b\"} {99999999 99999999} 1",
        "line 1, column 23: the body needs 19999999600000002 entries and the rest of the text has room for 2 at most",
    );
    let many = format!("NFG 1 R \"\" {{{}}} {{1}} 1", "\"\" ".repeat(65));
    check_error(&many, "line 1, column 12: 65 players are more than this reader takes (64)");
}

/// Any game of one to three players with any names and any finite payoffs.
fn any_game() -> impl Strategy<Value = NormalForm> {
    let name = "[ -~\\n\"\\\\äλ]{0,6}";
    prop::collection::vec(1_usize..4, 1..4).prop_flat_map(move |sizes| {
        let players = sizes.len();
        let cells: usize = sizes.iter().product();
        let payoff = prop_oneof![
            any::<f64>().prop_filter("finite", |x| x.is_finite()),
            (-5_i32..5).prop_map(f64::from),
        ]
        // The null outcome has no sign.
        .prop_map(|payoff| if payoff == 0.0 { 0.0 } else { payoff });
        let labels: Vec<_> = sizes.iter().map(|&n| prop::collection::vec(name, n)).collect();
        (
            prop::collection::vec(payoff, players * cells),
            name,
            name,
            prop::collection::vec(name, players),
            labels,
        )
            .prop_map(move |(payoffs, title, comment, names, actions)| {
                let tensors = payoffs
                    .chunks(cells)
                    .map(|own| ArrayD::from_shape_vec(IxDyn(&sizes), own.to_vec()).unwrap())
                    .collect();
                let game = NormalForm::new(tensors).unwrap();
                game.with_labels(title, names, actions).unwrap().with_comment(comment)
            })
    })
}

proptest! {
    #[test]
    fn any_game_round_trips(game in any_game()) {
        round_trips(&game);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[NFG 1R\"{}0-9./e,\\\\\\n-]{0,80}") {
        let _ = nfg::read(&format!("NFG 1 R {text}"));
        let _ = nfg::read(&text);
    }

    #[test]
    fn a_cut_text_is_an_error_that_points_inside_it(
        entry in 0..GAMES.len(),
        share in 0.0..1.0_f64,
    ) {
        let text = GAMES[entry].text.trim_end();
        let cut = text.floor_char_boundary((share * text.len() as f64) as usize);
        // A number may be cut into a shorter number, but then the last payoff is missing, unless
        // it is the last payoff itself that got shorter.
        if let Err(error) = nfg::read(&text[..cut]) {
            prop_assert!(error.line <= text[..cut].matches('\n').count() + 1);
        } else {
            prop_assert!(cut > text.len() - 8);
        }
    }
}
