//! Constant-sum games by linear programming: known values, degenerate and odd shapes, refusals.

use gambol_solvers::game::{NormalForm, catalogue};
use gambol_solvers::nash::extreme::Extreme;
use gambol_solvers::nash::linear_program::LinearProgram;
use gambol_solvers::seed::{Purpose, Streams, below, unit_f64};
use gambol_solvers::solution::{Solution, SolveOptions, Solver, Stop};
use ndarray::{Array2, array};

use super::games;

fn solve(game: &NormalForm) -> Solution {
    let mut found = LinearProgram {}.solve(game, &SolveOptions::default()).unwrap().equilibria;
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// Solves, and checks the certificate.
fn certified(game: &NormalForm) -> Solution {
    let solution = solve(game);
    assert_eq!(solution.stop, Stop::Complete);
    let bound = 1e-9 * game.largest_payoff();
    assert!(solution.max_regret() <= bound, "{:?}: {:?}", game.shape(), solution.regret);
    solution
}

fn value(payoffs: &Array2<f64>) -> f64 {
    certified(&games::zero_sum(payoffs)).payoffs[0]
}

#[track_caller]
fn check(payoffs: &Array2<f64>, row: &[f64], column: &[f64], value: f64) {
    let solution = certified(&games::zero_sum(payoffs));
    for (found, expected) in solution.profile.iter().zip([row, column]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-14, "{:?}", solution.profile);
        }
    }
    assert!(
        (solution.payoffs[0] - value).abs()
            < 1e-13 * payoffs.iter().fold(1.0, |m: f64, a| m.max(a.abs()))
    );
}

#[test]
fn known_games() {
    let (half, third) = ([0.5; 2], [1.0 / 3.0; 3]);
    check(&array![[1., -1.], [-1., 1.]], &half, &half, 0.0);
    check(&array![[0., -1., 1.], [1., 0., -1.], [-1., 1., 0.]], &third, &third, 0.0);
    let biased = [1. / 16., 10. / 16., 5. / 16.];
    check(&array![[0., -25., 50.], [25., 0., -5.], [-50., 5., 0.]], &biased, &biased, 0.0);
    check(&array![[2., -1.], [-1., 1.]], &[0.4, 0.6], &[0.4, 0.6], 0.2);
    check(&array![[2., 1., 5.], [-3., -4., -2.]], &[1., 0.], &[0., 1., 0.], 1.0);
}

#[test]
fn every_constant_sum_game_of_the_catalogue() {
    let mut solved = 0;
    for entry in catalogue::GAMES {
        let game = entry.game().unwrap();
        if game.players() == 2 && game.is_constant_sum() {
            let exact = Extreme::default().solve(&game, &SolveOptions::default()).unwrap();
            let payoff = certified(&game).payoffs[0];
            assert!((payoff - exact.equilibria[0].payoffs[0]).abs() < 1e-12, "{}", entry.name);
            solved += 1;
        }
    }
    assert!(solved >= 6, "{solved}");
}

#[test]
fn general_sum_games_are_refused_with_their_sums() {
    let message = |game: &NormalForm| {
        LinearProgram {}.solve(game, &SolveOptions::default()).unwrap_err().to_string()
    };
    assert_eq!(
        message(&games::prisoners()),
        "linear-program takes constant-sum games, here payoffs sum to 2 at one profile and 10 at another"
    );
    let three = catalogue::find("mckelvey_mclennan").unwrap().game().unwrap();
    assert_eq!(message(&three), "linear-program takes games of 2 players, this one has 3");
}

#[test]
fn a_constant_that_is_not_zero() {
    let a = array![[2., -1.], [-1., 1.]];
    let game = games::bimatrix(&a, &a.mapv(|payoff| 7.0 - payoff));
    let solution = certified(&game);
    assert!((solution.payoffs[0] - 0.2).abs() < 1e-15);
    assert!((solution.payoffs[1] - 6.8).abs() < 1e-14);
}

#[test]
fn one_row_one_column_one_payoff() {
    let row = Array2::from_shape_fn((1, 50), |(_, j)| f64::from((j as u32 * 37) % 50) - 7.0);
    check(&row, &[1.0], &one_hot(50, 0), -7.0);
    let negative = row.t().mapv(|payoff| 0.0 - payoff);
    check(&negative, &one_hot(50, 0), &[1.0], 7.0);
    check(&array![[3.5]], &[1.0], &[1.0], 3.5);
    for shape in [(4, 4), (1, 5), (3, 9)] {
        assert!((value(&Array2::from_elem(shape, -2.0)) + 2.0).abs() < 1e-14);
    }
}

fn one_hot(length: usize, at: usize) -> Vec<f64> {
    (0..length).map(|i| f64::from(u8::from(i == at))).collect()
}

/// Odd cycles: action `i` beats the `n / 2` that follow it; even mixing is the only equilibrium.
#[test]
fn generalised_rock_paper_scissors() {
    for n in [5_usize, 25, 101] {
        let payoffs = Array2::from_shape_fn((n, n), |(i, j)| match (j + n - i) % n {
            0 => 0.0,
            ahead if ahead <= n / 2 => 1.0,
            _ => -1.0,
        });
        let even = vec![1.0 / n as f64; n];
        check(&payoffs, &even, &even, 0.0);
    }
}

/// Colonel Blotto with 3 fields and `troops` a side: many ties, many equilibria, value 0.
#[test]
fn colonel_blotto() {
    for troops in [4_i32, 9, 12] {
        let splits: Vec<[i32; 3]> = (0..=troops)
            .flat_map(|a| (0..=troops - a).map(move |b| [a, b, troops - a - b]))
            .collect();
        let payoffs = Array2::from_shape_fn((splits.len(), splits.len()), |(i, j)| {
            splits[i].iter().zip(&splits[j]).map(|(a, b)| f64::from((a - b).signum())).sum()
        });
        assert!(value(&payoffs).abs() < 1e-10);
    }
}

#[test]
fn random_degenerate_games_agree_with_exact_enumeration() {
    for index in 0..300 {
        let mut rng = Streams::new(29).at(Purpose::Generate, index, 0);
        let (m, n) = (1 + below(&mut rng, 6) as usize, 1 + below(&mut rng, 6) as usize);
        let bound = 1 + below(&mut rng, 4);
        let payoffs = Array2::from_shape_simple_fn((m, n), || {
            f64::from(below(&mut rng, 2 * bound + 1)) - f64::from(bound)
        });
        let game = games::zero_sum(&payoffs);
        let exact = Extreme::default().solve(&game, &SolveOptions::default()).unwrap();
        let payoff = certified(&game).payoffs[0];
        assert!((payoff - exact.equilibria[0].payoffs[0]).abs() < 1e-12, "game {index}");
    }
}

#[test]
fn larger_degenerate_and_rectangular_games() {
    for (index, (m, n, payoffs)) in
        [(60, 60, 2), (60, 60, 3), (100, 30, 3), (7, 200, 5), (150, 8, 2)].into_iter().enumerate()
    {
        let mut rng = Streams::new(31).at(Purpose::Generate, index as u32, 0);
        let a = Array2::from_shape_simple_fn((m, n), || f64::from(below(&mut rng, payoffs)));
        let forward = value(&a);
        let backward = value(&a.t().mapv(|payoff| 0.0 - payoff));
        assert!((forward + backward).abs() < 1e-10, "{m} x {n}");
        // The same game with every row and column twice, in another order.
        let twice = Array2::from_shape_fn((2 * m, 2 * n), |(i, j)| a[[(3 * i) % m, (7 * j) % n]]);
        if m % 3 != 0 && n % 7 != 0 {
            assert!((value(&twice) - forward).abs() < 1e-10, "{m} x {n} twice");
        }
        let stacked = Array2::from_shape_fn((2 * m, 2 * n), |(i, j)| a[[i / 2, j % n]]);
        assert!((value(&stacked) - forward).abs() < 1e-10, "{m} x {n} stacked");
    }
}

/// Rows that nearly repeat, as in populations of trained policies: bases are almost singular.
#[test]
fn rows_that_nearly_repeat() {
    for (index, noise) in [1e-5, 1e-8, 1e-10, 1e-12].into_iter().enumerate() {
        for copies in [2, 5] {
            let mut rng = Streams::new(67).at(Purpose::Generate, index as u32, copies);
            let kinds = 120 / copies as usize;
            let base = Array2::from_shape_simple_fn((kinds, 120), || unit_f64(&mut rng));
            let payoffs = Array2::from_shape_fn((120, 120), |(i, j)| {
                base[[i / copies as usize, j]] + noise * unit_f64(&mut rng)
            });
            let (near, exact) = (value(&payoffs), value(&base));
            assert!((near - exact).abs() <= noise + 1e-9, "{noise} {copies}");
        }
    }
}

#[test]
fn payoffs_of_any_size() {
    let base = array![[2., -1., 0.5], [-1., 1., 0.25], [0.3, -0.7, 0.9]];
    let value_of = value(&base);
    for scale in [1e-300, 1e-9, 1e12, 4e307] {
        assert!((value(&base.mapv(|a| a * scale)) / scale - value_of).abs() < 1e-13);
    }
    // Far from zero: what a range of 1 keeps beside a million.
    let shifted = certified(&games::zero_sum(&base.mapv(|a| a + 1e6)));
    assert!((shifted.payoffs[0] - 1e6 - value_of).abs() < 1e-8);
}

#[test]
fn two_hundred_actions_each() {
    let mut rng = Streams::new(37).at(Purpose::Generate, 0, 0);
    let payoffs = Array2::from_shape_simple_fn((200, 200), || unit_f64(&mut rng));
    let solution = certified(&games::zero_sum(&payoffs));
    assert!(solution.max_regret() < 1e-13, "{:?}", solution.regret);
    let support = |mix: &[f64]| mix.iter().filter(|&&p| p > 0.0).count();
    // In a game without ties supports are equally large.
    assert_eq!(support(&solution.profile[0]), support(&solution.profile[1]));
}
