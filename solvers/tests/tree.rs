//! Small sequential games: what is known of them, best responses, counterfactual regret
//! minimisation.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gambol_solvers::game::sequential::{self, Kuhn, Node, OneMove, Rules};
use gambol_solvers::game::{NormalForm, catalogue};
use gambol_solvers::seed::{Purpose, Streams, unit_f64};
use gambol_solvers::solution::{Profile, Stop};
use gambol_solvers::tree::{Cfr, Tree, TreeError, Variant};

fn tree(name: &str) -> Tree {
    sequential::find(name).unwrap().tree().unwrap()
}

fn uniform(tree: &Tree) -> Vec<Vec<f64>> {
    (0..tree.players()).map(|player| tree.uniform(player)).collect()
}

fn first(tree: &Tree) -> Vec<Vec<f64>> {
    let zeros = |player| vec![0; tree.sets(player).len()];
    (0..tree.players()).map(|player| tree.pure(player, &zeros(player)).unwrap()).collect()
}

fn sets(tree: &Tree) -> usize {
    (0..tree.players()).map(|player| tree.sets(player).len()).sum()
}

/// Every game of the catalogue: nodes, information sets, `NashConv` of even play and of first
/// actions, as OpenSpiel 2.0.2 has them (`exploitability.nash_conv`).
#[test]
fn sizes_and_distances_are_those_of_open_spiel() {
    for (name, nodes, information, even, pure) in [
        ("kuhn_poker", 58, 12, 11.0 / 12.0, 2.0),
        ("kuhn_poker_3", 617, 48, 2.0625, 6.0),
        ("leduc_poker", 9_457, 936, 4.747_222_222_222_222, 2.0),
        ("leduc_poker_ranks", 1_939, 288, 4.747_222_222_222_222, 2.0),
    ] {
        let tree = tree(name);
        assert_eq!(sets(&tree), information, "{name}");
        assert!((tree.nash_conv(&uniform(&tree)) - even).abs() < 1e-12, "{name}");
        assert!((tree.nash_conv(&first(&tree)) - pure).abs() < 1e-12, "{name}");
        assert_eq!(tree.nodes(), nodes, "{name}");
    }
}

#[test]
fn kuhns_equilibria_are_equilibria() {
    let tree = tree("kuhn_poker");
    // The family of Kuhn (1950): the first player bets the jack with alpha, the king with 3 alpha,
    // and calls with the queen with alpha + 1/3.
    for alpha in [0.0, 0.1, 1.0 / 3.0] {
        let of = |key: &str| match key {
            "0" => alpha,
            "2" => 3.0 * alpha,
            "1pb" => alpha + 1.0 / 3.0,
            "2pb" | "2b" | "2p" => 1.0,
            "0p" | "1b" => 1.0 / 3.0,
            "0pb" | "1" | "1p" | "0b" => 0.0,
            other => panic!("{other}"),
        };
        let profile: Vec<Vec<f64>> = (0..2)
            .map(|player| {
                let bets = tree.sets(player).iter().map(|set| of(&set.key));
                bets.flat_map(|bet| [1.0 - bet, bet]).collect()
            })
            .collect();
        for (player, strategy) in profile.iter().enumerate() {
            tree.check(player, strategy).unwrap();
        }
        assert!(tree.nash_conv(&profile) < 1e-15, "{alpha}");
        let value = tree.play(&profile).mean[0];
        assert!((value + 1.0 / 18.0).abs() < 1e-15, "{value}");
    }
}

#[test]
fn regret_minimisation_comes_to_the_values_of_the_games() {
    let kuhn = tree("kuhn_poker");
    let of = |variant, iterations| Cfr { variant, iterations, tolerance: 0.0 };
    let run = of(Variant::Cfr, 300).solve(&kuhn);
    // OpenSpiel's own test asks for a value within 1e-3 after 300 iterations.
    assert!((kuhn.play(&run.profile).mean[0] + 1.0 / 18.0).abs() < 1e-3);
    let mut last = f64::INFINITY;
    for iterations in [10, 100, 1_000, 10_000] {
        let conv = of(Variant::Cfr, iterations).solve(&kuhn).gains.iter().sum::<f64>();
        assert!(conv < 0.5 * last, "{iterations}: {conv} after {last}");
        last = conv;
    }
    assert!(last < 2e-3, "{last}");
    let plus = of(Variant::CfrPlus, 1_000).solve(&kuhn);
    assert!(plus.gains.iter().sum::<f64>() < 1e-3, "{:?}", plus.gains);
    let early = Cfr { tolerance: 0.01, ..of(Variant::CfrPlus, 1_000) }.solve(&kuhn);
    assert_eq!(early.stop, Stop::Converged);
    assert!(early.iterations < 500 && early.gains.iter().sum::<f64>() <= 0.01);

    let leduc = tree("leduc_poker_ranks");
    let run = of(Variant::CfrPlus, 400).solve(&leduc);
    let conv = run.gains.iter().sum::<f64>();
    assert!(conv < 0.02, "{conv}");
    let value = leduc.play(&run.profile).mean[0];
    assert!((value + 0.085_606_424_078).abs() < 0.01, "{value}");
}

#[test]
fn suits_change_nothing() {
    let (with, without) = (tree("leduc_poker"), tree("leduc_poker_ranks"));
    let moments = [&with, &without].map(|tree| tree.play(&uniform(tree)));
    for (a, b) in moments[0].mean.iter().zip(&moments[1].mean) {
        assert!((a - b).abs() < 1e-12);
    }
    for (a, b) in moments[0].variance.iter().zip(&moments[1].variance) {
        assert!((a - b).abs() < 1e-12);
    }
}

#[test]
fn games_in_normal_form_are_trees_of_one_move() {
    for entry in catalogue::GAMES {
        let game = entry.game().unwrap();
        let tree = Tree::new(&OneMove(&game)).unwrap();
        let mut rng = Streams::new(5).at(Purpose::Solve, 0, 0);
        let profile: Vec<Vec<f64>> = game
            .shape()
            .iter()
            .map(|&actions| {
                let shares: Vec<f64> = (0..actions).map(|_| unit_f64(&mut rng)).collect();
                let total: f64 = shares.iter().sum();
                shares.iter().map(|share| share / total).collect()
            })
            .collect();
        let mixed = Profile::new(profile.clone());
        let scale = game.largest_payoff().max(1.0);
        let play = tree.play(&profile);
        for (a, b) in play.mean.iter().zip(game.payoffs(&mixed)) {
            assert!((a - b).abs() < 1e-12 * scale, "{}", entry.name);
        }
        for (a, b) in tree.gains(&profile).iter().zip(game.regret(&mixed)) {
            assert!((a - b).abs() < 1e-12 * scale, "{}", entry.name);
        }
    }
}

#[test]
fn drawn_plays_have_the_moments_that_were_computed() {
    let tree = tree("leduc_poker_ranks");
    let profile = uniform(&tree);
    let exact = tree.play(&profile);
    let mut rng = Streams::new(11).at(Purpose::Payoff, 0, 0);
    let strategies: Vec<&[f64]> = profile.iter().map(Vec::as_slice).collect();
    let plays = 200_000;
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..plays {
        let paid = tree.sample(&strategies, &mut rng);
        assert!((paid[0] + paid[1]).abs() < 1e-12);
        sum += paid[0];
        squares += paid[0] * paid[0];
    }
    let mean = sum / f64::from(plays);
    let variance = squares / f64::from(plays) - mean * mean;
    let error = (exact.variance[0] / f64::from(plays)).sqrt();
    assert!((mean - exact.mean[0]).abs() < 5.0 * error, "{mean} {exact:?}");
    assert!((variance / exact.variance[0] - 1.0).abs() < 0.02, "{variance} {exact:?}");
}

#[test]
fn mixtures_of_strategies_are_behaviours() {
    let tree = tree("kuhn_poker_3");
    let mut rng = Streams::new(3).at(Purpose::Solve, 0, 0);
    let mut random = |player: usize| -> Vec<f64> {
        let sets = tree.sets(player);
        let actions: Vec<usize> = sets
            .iter()
            .map(|set| usize::from(unit_f64(&mut rng) < 0.5).min(set.entries.len() - 1))
            .collect();
        tree.pure(player, &actions).unwrap()
    };
    let (one, two) = (random(1), random(1));
    let others = [random(0), random(2)];
    let weights = [0.3, 0.7];
    let mixed = tree.behaviour(1, &[(weights[0], &one), (weights[1], &two)]);
    tree.check(1, &mixed).unwrap();
    let play =
        |own: &Vec<f64>| tree.play(&[others[0].clone(), own.clone(), others[1].clone()]).mean;
    let (a, b, both) = (play(&one), play(&two), play(&mixed));
    for player in 0..3 {
        let expected = weights[0] * a[player] + weights[1] * b[player];
        assert!((both[player] - expected).abs() < 1e-12);
    }
}

/// Two moves of one player who forgets the first.
struct Forgetful;

impl Rules for Forgetful {
    type State = Vec<u16>;

    fn name(&self) -> String {
        "forgetful".to_owned()
    }
    fn players(&self) -> usize {
        1
    }
    fn root(&self) -> Vec<u16> {
        Vec::new()
    }
    fn node(&self, state: &Vec<u16>) -> Node {
        if state.len() == 2 { Node::Terminal } else { Node::Decision(0) }
    }
    fn chance(&self, _: &Vec<u16>, _: &mut Vec<(u16, f64)>) {}
    fn legal(&self, _: &Vec<u16>, out: &mut Vec<u16>) {
        out.extend([0, 1]);
    }
    fn apply(&self, state: &mut Vec<u16>, action: u16) {
        state.push(action);
    }
    fn returns(&self, state: &Vec<u16>, out: &mut [f64]) {
        out[0] = f64::from(state[0] + state[1]);
    }
    fn information(&self, state: &Vec<u16>, _: usize) -> String {
        state.len().to_string()
    }
    fn action_name(&self, action: u16) -> String {
        action.to_string()
    }
}

#[test]
fn what_is_no_tree_is_refused() {
    let error = Tree::new(&Forgetful).unwrap_err();
    assert_eq!(error, TreeError::Recall { player: 0, set: "1".to_owned() });
    let tree = Tree::new(&Kuhn { players: 2 }).unwrap();
    assert!(tree.pure(0, &[0]).unwrap_err().to_string().contains("one action for each of 6"));
    let mut bad = tree.uniform(1);
    bad[0] = 0.75;
    assert!(tree.check(1, &bad).unwrap_err().to_string().contains("is no distribution"));
    assert!(tree.check(7, &bad).is_err());
    let game = NormalForm::zero_sum(ndarray::array![[1.0]].view()).unwrap();
    assert_eq!(Tree::new(&OneMove(&game)).unwrap().nodes(), 3);
}
