//! Alpha-Rank and response graphs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gambol_solvers::alpha_rank::{AlphaRank, Populations, Selection};
use gambol_solvers::game::{NormalForm, catalogue};
use gambol_solvers::nash::pure::Pure;
use gambol_solvers::response_graph::{Improvement, ResponseGraph, Responses};
use gambol_solvers::seed::{Purpose, Streams, below, unit_f64};
use gambol_solvers::solution::{SolveOptions, Solver};
use ndarray::{Array2, ArrayD, IxDyn, array};

fn finite(alpha: f64, size: u32, populations: Populations) -> AlphaRank {
    AlphaRank { selection: Selection::Finite(alpha), size, populations }
}

fn named(name: &str) -> NormalForm {
    catalogue::find(name).unwrap().game().unwrap()
}

fn symmetric(payoffs: &Array2<f64>) -> NormalForm {
    NormalForm::symmetric(payoffs.view()).unwrap()
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance);
    assert!(close, "{found:?} is not {expected:?}");
}

/// Testable fact 26: the five strategies of Han et al. 2013, as in OpenSpiel's test.
#[test]
fn five_strategies() {
    let game = symmetric(&array![
        [0.875, 0.75, 0., 2.75, 0.75],
        [1., 1., -1., -1., -1.],
        [0., 2., 0., 0., 0.],
        [-2., 2., 0., 0., 0.],
        [1., 2., 0., 0., 0.]
    ]);
    let masses = finite(0.1, 20, Populations::One).masses(&game).unwrap();
    near(&masses, &[0.409_667_87, 0.079_598_41, 0.205_069_98, 0.085_059_83, 0.220_603_9], 1e-8);
    let solution = finite(0.1, 20, Populations::One)
        .solve(&game, &SolveOptions::default())
        .unwrap()
        .equilibria
        .remove(0);
    near(&solution.profile[0], &masses, 1e-15);
    near(&solution.profile[1], &masses, 1e-15);
    let joint = solution.joint.unwrap();
    assert!((joint[[2, 2]] - masses[2]).abs() < 1e-15 && joint[[2, 3]].abs() < 1e-300);
}

#[test]
fn two_populations() {
    let rank = finite(1.0, 50, Populations::PerPlayer);
    let masses = |name: &str| rank.masses(&named(name)).unwrap();
    let found = masses("asymmetric_matching_pennies");
    near(&found, &[0.238_216, 0.261_784, 0.238_216, 0.261_784], 1e-6);
    near(&masses("matching_pennies"), &[0.25; 4], 1e-15);
    near(&masses("prisoners_dilemma"), &[0.0, 0.0, 0.0, 1.0], 1e-15);
}

#[test]
fn infinite_alpha() {
    let masses = |game: &NormalForm| AlphaRank::default().masses(game).unwrap();
    near(&masses(&symmetric(&array![[0., 4.], [1., 3.]])), &[0.0, 0.5, 0.5, 0.0], 0.0);
    near(&masses(&named("stag_hunt")), &[0.5, 0.0, 0.0, 0.5], 0.0);
    near(&masses(&named("matching_pennies")), &[0.25; 4], 1e-16);
    near(&masses(&named("prisoners_dilemma")), &[0.0, 0.0, 0.0, 1.0], 0.0);
    // What a small epsilon tends to.
    let small = AlphaRank {
        selection: Selection::Infinite { epsilon: 1e-9, tie: 0.5 },
        ..AlphaRank::default()
    };
    for (index, entry) in catalogue::GAMES.iter().enumerate() {
        let game = entry.game().unwrap();
        near(&small.masses(&game).unwrap(), &masses(&game), 1e-7);
        assert!(index > 0 || game.players() == 2);
    }
}

/// Where OpenSpiel finds two stationary vectors: the stag hunt at alpha 1 and size 50.
///
/// By hand, the flow from (Stag, Stag) to (Hare, Hare) against that back: their shares are as 1 to
/// `exp(49) (1 - exp(-100)) / (1 - exp(-50))`.
#[test]
fn chains_that_nearly_fall_apart() {
    let game = named("stag_hunt");
    let masses = finite(1.0, 50, Populations::PerPlayer).masses(&game).unwrap();
    assert!((masses[0] * libm::exp(49.0) - 1.0).abs() < 1e-12, "{masses:?}");
    assert!((masses[3] - 1.0).abs() < 1e-15);
    // Rates below the least double: logarithms take over.
    let masses = finite(100.0, 50, Populations::PerPlayer).masses(&game).unwrap();
    near(&masses, &[0.0, 0.0, 0.0, 1.0], 0.0);
    // Equally deep wells keep equal shares whatever the depth.
    let coordination = symmetric(&Array2::eye(3));
    for alpha in [1.0, 10.0, 1e3, 1e5] {
        let masses = finite(alpha, 50, Populations::PerPlayer).masses(&coordination).unwrap();
        near(&[masses[0], masses[4], masses[8]], &[1.0 / 3.0; 3], 1e-9);
    }
}

#[test]
fn one_population() {
    let third = [1.0 / 3.0; 3];
    for populations in [Populations::One, Populations::OneLocal] {
        let rank = finite(0.7, 30, populations);
        near(&rank.masses(&named("rock_paper_scissors")).unwrap(), &third, 1e-15);
        let limit = AlphaRank { populations, ..AlphaRank::default() };
        near(&limit.masses(&named("rock_paper_scissors")).unwrap(), &third, 1e-15);
    }
    // Constant sum: a mutant that beats the resident by `a` gains `a m / (m - 1)` whatever its
    // number (OpenSpiel's closed form); among residents only, `2 a` in a meeting.
    let (a, alpha, m) = (0.3, 0.9, 12.0_f64);
    let game = symmetric(&array![[0.0, a], [-a, 0.0]]);
    let ratio = |u: f64| {
        let fixation = |u: f64| (1.0 - libm::exp(-u)) / (1.0 - libm::exp(-m * u));
        fixation(u) / fixation(-u)
    };
    let masses = finite(alpha, 12, Populations::One).masses(&game).unwrap();
    assert!((masses[0] / masses[1] / ratio(alpha * m / (m - 1.0) * a) - 1.0).abs() < 1e-12);
    let masses = finite(alpha, 12, Populations::OneLocal).masses(&game).unwrap();
    assert!((masses[0] / masses[1] / ratio(2.0 * alpha * a) - 1.0).abs() < 1e-12);
}

/// Random games, half of them with ties.
fn random(index: u32) -> NormalForm {
    let mut rng = Streams::new(43).at(Purpose::Generate, index, 0);
    let players = 2 + below(&mut rng, 2) as usize;
    let shape: Vec<usize> = (0..players).map(|_| 2 + below(&mut rng, 3) as usize).collect();
    let mut payoff = || match index % 2 {
        0 => unit_f64(&mut rng),
        _ => f64::from(below(&mut rng, 3)),
    };
    let tensors =
        (0..players).map(|_| ArrayD::from_shape_simple_fn(IxDyn(&shape), &mut payoff)).collect();
    NormalForm::new(tensors).unwrap()
}

#[test]
fn infinite_alpha_lives_on_the_sinks() {
    for index in 0..60 {
        let game = random(index);
        let masses = AlphaRank::default().masses(&game).unwrap();
        let graph = ResponseGraph::new(&game, Responses::Better, Improvement::Weak).unwrap();
        let mut sinks: Vec<Vec<usize>> = graph.sinks().into_iter().flatten().collect();
        sinks.sort();
        let support: Vec<Vec<usize>> = graph
            .graph()
            .node_weights()
            .zip(&masses)
            .filter(|&(_, &mass)| mass > 0.0)
            .map(|(profile, _)| profile.clone())
            .collect();
        assert_eq!(support, sinks, "game {index}");
    }
}

#[test]
fn sinks_of_one_profile_are_the_pure_equilibria() {
    for index in 0..60 {
        let game = random(index);
        let pure = Pure {}.solve(&game, &SolveOptions::default().all()).unwrap();
        for responses in [Responses::Better, Responses::Best] {
            let graph = ResponseGraph::new(&game, responses, Improvement::Strict).unwrap();
            let sinks = graph.sinks();
            assert!(!sinks.is_empty());
            let single: Vec<&Vec<Vec<usize>>> = sinks.iter().filter(|s| s.len() == 1).collect();
            assert_eq!(single.len(), pure.equilibria.len(), "game {index}");
            for (sink, equilibrium) in single.iter().zip(&pure.equilibria) {
                for (&action, mix) in sink[0].iter().zip(equilibrium.profile.iter()) {
                    assert!(mix[action] > 0.5);
                }
            }
        }
    }
}

#[test]
fn graphs_by_hand() {
    let make = |name, responses, improvement| {
        ResponseGraph::new(&named(name), responses, improvement).unwrap()
    };
    // Rock-paper-scissors: best responses go round the six wins, better ones through ties as well.
    let best = make("rock_paper_scissors", Responses::Best, Improvement::Strict);
    assert_eq!(best.sinks().len(), 1);
    let wins = [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]].map(Vec::from);
    assert_eq!(best.sinks()[0], wins);
    // From each tie both players have one best response, from each win the loser has one.
    assert_eq!(best.graph().edge_count(), 3 * 2 + 6);
    let better = make("rock_paper_scissors", Responses::Better, Improvement::Strict);
    assert_eq!(better.sinks()[0].len(), 9);
    // From a win the loser has two better responses.
    assert_eq!(better.graph().edge_count(), 3 * 2 + 6 * 2);
    let hunt = make("stag_hunt", Responses::Better, Improvement::Strict);
    assert_eq!(hunt.sinks(), [[vec![0, 0]], [vec![1, 1]]]);
    // A constant game: weak steps everywhere, strict ones nowhere.
    let flat = NormalForm::zero_sum(Array2::zeros((2, 3)).view()).unwrap();
    let weak = ResponseGraph::new(&flat, Responses::Best, Improvement::Weak).unwrap();
    assert_eq!((weak.sinks().len(), weak.graph().edge_count()), (1, 6 * 3));
    let strict = ResponseGraph::new(&flat, Responses::Best, Improvement::Strict).unwrap();
    assert_eq!((strict.sinks().len(), strict.graph().edge_count()), (6, 0));
}

#[test]
fn dot_names_actions_and_gains() {
    let game = symmetric(&array![[4., 0.], [3., 2.]])
        .with_labels(
            "",
            vec!["Ann \"A\"".into(), "Bob".into()],
            vec![vec!["Stag".into(), "Hare".into()], vec!["Stag".into(), "Hare".into()]],
        )
        .unwrap();
    let graph = ResponseGraph::new(&game, Responses::Better, Improvement::Strict).unwrap();
    let dot = graph.to_dot(&game);
    assert!(dot.starts_with("digraph {"), "{dot}");
    for part in [
        r#"0 [ label="Stag, Stag" peripheries=2]"#,
        r#"1 [ label="Stag, Hare"]"#,
        r#"1 -> 3 [ label="Ann \"A\": 2"]"#,
        r#"1 -> 0 [ label="Bob: 1"]"#,
    ] {
        assert!(dot.contains(part), "{part} is not in {dot}");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let pennies = named("matching_pennies");
    let message = |rank: AlphaRank, game: &NormalForm| rank.masses(game).unwrap_err().to_string();
    let one = finite(1.0, 50, Populations::One);
    assert!(message(one, &pennies).contains("takes symmetric games"));
    assert_eq!(
        message(one, &named("mckelvey_mclennan")),
        "alpha-rank takes games of 2 players, this one has 3"
    );
    let negative = finite(-1.0, 50, Populations::PerPlayer);
    assert_eq!(
        message(negative, &pennies),
        "alpha-rank: selection: Finite is -1, it must be positive and finite"
    );
    let alone = finite(1.0, 1, Populations::PerPlayer);
    assert!(message(alone, &pennies).contains("size is 1, it must be at least 2"));
    let large = NormalForm::new(vec![ArrayD::zeros(IxDyn(&[70, 70])); 2]).unwrap();
    assert!(message(AlphaRank::default(), &large).contains("4900 states"));
}

#[test]
fn scenarios_name_its_parameters() {
    let text = "(selection: Finite(0.5), size: 10, populations: One)";
    let read: AlphaRank = ron::from_str(text).unwrap();
    assert_eq!(read, finite(0.5, 10, Populations::One));
    let read: AlphaRank = ron::from_str("(selection: Infinite())").unwrap();
    assert_eq!(read, AlphaRank::default());
}
