//! Correlated and coarse correlated equilibria: known answers and certificates.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gambol_solvers::correlated::{CoarseCorrelated, Correlated, Objective};
use gambol_solvers::game::{NormalForm, catalogue};
use gambol_solvers::nash::extreme::Extreme;
use gambol_solvers::seed::{Purpose, Streams, below, unit_f64};
use gambol_solvers::solution::{Profile, Solution, SolveOptions, Solver, Stop};
use ndarray::{ArrayD, IxDyn, array};

const OBJECTIVES: [Objective; 3] = [Objective::Welfare, Objective::Egalitarian, Objective::Gini];

fn solve(solver: &dyn Solver, game: &NormalForm) -> Solution {
    let mut found = solver.solve(game, &SolveOptions::default()).unwrap().equilibria;
    assert_eq!(found.len(), 1);
    let solution = found.remove(0);
    assert!(matches!(solution.stop, Stop::Complete | Stop::Converged));
    let bound = 1e-9 * game.largest_payoff().max(1.0);
    assert!(solution.max_regret() <= bound, "{}: {:?}", game.title(), solution.regret);
    solution
}

fn correlated(game: &NormalForm, objective: Objective) -> Solution {
    solve(&Correlated { objective }, game)
}

fn coarse(game: &NormalForm, objective: Objective) -> Solution {
    solve(&CoarseCorrelated { objective }, game)
}

fn joint(solution: &Solution) -> Vec<f64> {
    solution.joint.as_ref().unwrap().iter().copied().collect()
}

fn welfare(solution: &Solution) -> f64 {
    solution.payoffs.iter().sum()
}

fn gini(solution: &Solution) -> f64 {
    1.0 - joint(solution).iter().map(|p| p * p).sum::<f64>()
}

fn least(solution: &Solution) -> f64 {
    solution.payoffs.iter().copied().fold(f64::INFINITY, f64::min)
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance);
    assert!(close, "{found:?} is not {expected:?}");
}

fn named(name: &str) -> NormalForm {
    catalogue::find(name).unwrap().game().unwrap()
}

/// Testable fact 21: welfare 16/3 by a third on each cell but (Dare, Dare).
#[test]
fn chicken_dare() {
    let game = NormalForm::symmetric(array![[0.0, 4.0], [1.0, 3.0]].view()).unwrap();
    let third = 1.0 / 3.0;
    for solution in [correlated(&game, Objective::Welfare), coarse(&game, Objective::Welfare)] {
        near(&joint(&solution), &[0.0, third, third, third], 1e-14);
        near(&[welfare(&solution)], &[16.0 / 3.0], 1e-13);
        near(&solution.profile[0], &[third, 2.0 * third], 1e-14);
    }
    // The game is symmetric and 16/3 the most, so 8/3 is the most for the one who gets least.
    near(&[least(&correlated(&game, Objective::Egalitarian))], &[8.0 / 3.0], 1e-13);
}

#[test]
fn battle_of_the_sexes() {
    let game = named("battle_of_the_sexes");
    near(&[welfare(&correlated(&game, Objective::Welfare))], &[5.0], 1e-13);
    let fair = correlated(&game, Objective::Egalitarian);
    near(&joint(&fair), &[0.5, 0.0, 0.0, 0.5], 1e-14);
    near(&fair.payoffs, &[2.5, 2.5], 1e-14);
}

#[test]
fn games_with_one_correlated_equilibrium() {
    // Strictly competitive with a unique completely mixed equilibrium: that is the only one.
    for (name, expected) in [
        ("matching_pennies", vec![0.25; 4]),
        ("rock_paper_scissors", vec![1.0 / 9.0; 9]),
        ("asymmetric_matching_pennies", vec![0.16, 0.24, 0.24, 0.36]),
        ("prisoners_dilemma", vec![0.0, 0.0, 0.0, 1.0]),
    ] {
        let game = named(name);
        for objective in OBJECTIVES {
            let tolerance = if objective == Objective::Gini { 1e-6 } else { 1e-13 };
            near(&joint(&correlated(&game, objective)), &expected, tolerance);
        }
    }
}

#[test]
fn the_most_mixed_is_uniform_where_that_is_an_equilibrium() {
    for name in ["coordination_3x3", "shapley_1964"] {
        let game = named(name);
        near(&joint(&correlated(&game, Objective::Gini)), &[1.0 / 9.0; 9], 1e-6);
        near(&joint(&coarse(&game, Objective::Gini)), &[1.0 / 9.0; 9], 1e-6);
    }
}

/// By hand: with weights p (Dare, Dare), q (each of the asymmetric cells) and r the two
/// constraints are p <= q and r <= q, so (1/4, 1/4, 1/4, 1/4) is one.
#[test]
fn the_most_mixed_of_chicken_dare_is_uniform() {
    let game = NormalForm::symmetric(array![[0.0, 4.0], [1.0, 3.0]].view()).unwrap();
    near(&joint(&correlated(&game, Objective::Gini)), &[0.25; 4], 1e-6);
}

/// Moulin and Vial's point: commitment to a plan can do what no correlated equilibrium does.
///
/// Rock-paper-scissors where a tie costs both half a point.
/// Even play of the six other cells is coarse correlated: it gives 0, any action against it -1/6.
/// It is not correlated: told to play rock, scissors do better; by rotation and symmetry, no
/// correlated equilibrium avoids ties.
#[test]
fn coarse_is_strictly_more() {
    let rock = array![[-0.5, -1.0, 1.0], [1.0, -0.5, -1.0], [-1.0, 1.0, -0.5]];
    let game = NormalForm::symmetric(rock.view()).unwrap();
    near(&[welfare(&coarse(&game, Objective::Welfare))], &[0.0], 1e-13);
    assert!(welfare(&correlated(&game, Objective::Welfare)) < -0.01);
}

fn product(profile: &Profile) -> f64 {
    let squares: f64 = profile.iter().map(|mix| mix.iter().map(|p| p * p).sum::<f64>()).product();
    1.0 - squares
}

#[test]
fn no_nash_equilibrium_does_better() {
    for entry in catalogue::GAMES {
        let game = entry.game().unwrap();
        if game.players() != 2 {
            continue;
        }
        let scale = game.largest_payoff().max(1.0);
        let best = OBJECTIVES.map(|objective| correlated(&game, objective));
        let freer = OBJECTIVES.map(|objective| coarse(&game, objective));
        let nash = Extreme::default().solve(&game, &SolveOptions::default().all()).unwrap();
        for equilibrium in &nash.equilibria {
            assert!(welfare(equilibrium) <= welfare(&best[0]) + 1e-9 * scale, "{}", entry.name);
            assert!(least(equilibrium) <= least(&best[1]) + 1e-9 * scale, "{}", entry.name);
            assert!(product(&equilibrium.profile) <= gini(&best[2]) + 1e-6, "{}", entry.name);
        }
        assert!(welfare(&best[0]) <= welfare(&freer[0]) + 1e-9 * scale, "{}", entry.name);
        assert!(least(&best[1]) <= least(&freer[1]) + 1e-9 * scale, "{}", entry.name);
        assert!(gini(&best[2]) <= gini(&freer[2]) + 1e-6, "{}", entry.name);
    }
}

#[test]
fn three_players() {
    let game = named("mckelvey_mclennan");
    let best = correlated(&game, Objective::Welfare);
    // (9, 8, 12) is a pure equilibrium and the largest sum of the game.
    near(&best.payoffs, &[9.0, 8.0, 12.0], 1e-12);
    for objective in OBJECTIVES {
        coarse(&game, objective);
        correlated(&game, objective);
    }
}

#[test]
fn random_games_of_two_to_four_players() {
    let mut strictly = 0;
    for index in 0..60 {
        let mut rng = Streams::new(41).at(Purpose::Generate, index, 0);
        let players = 2 + below(&mut rng, 3) as usize;
        let shape: Vec<usize> = (0..players).map(|_| 1 + below(&mut rng, 3) as usize).collect();
        // Half of them with few payoffs, hence full of ties.
        let mut payoff = || match index % 2 {
            0 => 10.0 * unit_f64(&mut rng) - 5.0,
            _ => f64::from(below(&mut rng, 3)),
        };
        let tensors = (0..players)
            .map(|_| ArrayD::from_shape_simple_fn(IxDyn(&shape), &mut payoff))
            .collect();
        let game = NormalForm::new(tensors).unwrap();
        let fine = OBJECTIVES.map(|objective| correlated(&game, objective));
        let free = OBJECTIVES.map(|objective| coarse(&game, objective));
        assert!(welfare(&fine[0]) >= welfare(&fine[1]).max(welfare(&fine[2])) - 1e-6);
        assert!(least(&fine[1]) >= least(&fine[0]).max(least(&fine[2])) - 1e-6);
        assert!(gini(&fine[2]) >= gini(&fine[0]).max(gini(&fine[1])) - 1e-6);
        assert!(welfare(&free[0]) >= welfare(&fine[0]) - 1e-9);
        strictly += u32::from(welfare(&free[0]) > welfare(&fine[0]) + 1e-3);
    }
    assert!(strictly > 5, "{strictly}");
}

#[test]
fn games_too_large_are_refused() {
    let game = NormalForm::new(vec![ArrayD::zeros(IxDyn(&[100, 100])); 2]).unwrap();
    let refused = Correlated { objective: Objective::Gini };
    let message = refused.solve(&game, &SolveOptions::default()).unwrap_err().to_string();
    assert!(message.contains("correlated: 198000000 constraint entries"), "{message}");
}
