//! Anchored first-order methods against the linear program.

use gambol_solvers::game::{NormalForm, catalogue};
use gambol_solvers::nash::halpern::{Halpern, Progress};
use gambol_solvers::nash::halpern_reduced::VarianceReducedHalpern;
use gambol_solvers::nash::linear_program::LinearProgram;
use gambol_solvers::seed::{Purpose, Streams, unit_f64};
use gambol_solvers::solution::{Solution, SolveOptions, Solver, Stop};
use ndarray::{Array2, array};

use super::games;

fn one(solver: &dyn Solver, game: &NormalForm) -> Solution {
    solver.solve(game, &SolveOptions::default()).unwrap().equilibria.remove(0)
}

fn range(game: &NormalForm) -> f64 {
    let payoffs = game.payoff_tensor(0);
    let least = payoffs.iter().copied().fold(f64::INFINITY, f64::min);
    payoffs.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least
}

fn random(index: u32, m: usize, n: usize) -> NormalForm {
    let mut rng = Streams::new(59).at(Purpose::Generate, index, 0);
    let payoffs = Array2::from_shape_simple_fn((m, n), || 20.0 * unit_f64(&mut rng) + 3.0);
    games::zero_sum(&payoffs)
}

/// A last iterate within tolerance of the linear program's value, with its certificate.
fn agrees(solver: &dyn Solver, tolerance: f64, game: &NormalForm) -> Solution {
    let (found, exact) = (one(solver, game), one(&LinearProgram {}, game));
    assert_eq!(found.stop, Stop::Converged, "{:?}", game.shape());
    assert!(found.nash_conv() <= tolerance * range(game) * 1.001, "{:?}", found.regret);
    let error = (found.payoffs[0] - exact.payoffs[0]).abs();
    assert!(error <= tolerance * range(game) * 1.001, "{error}");
    found
}

#[test]
fn both_agree_with_the_linear_program() {
    let exact = Halpern { tolerance: 1e-9, ..Halpern::default() };
    let sampled = VarianceReducedHalpern { tolerance: 1e-3, ..VarianceReducedHalpern::default() };
    for (index, (m, n)) in [(1, 1), (1, 7), (6, 1), (2, 2), (3, 8), (20, 20), (15, 60), (90, 70)]
        .into_iter()
        .enumerate()
    {
        let game = random(index as u32, m, n);
        assert!(agrees(&exact, 1e-9, &game).residual.is_some());
        agrees(&sampled, 1e-3, &game);
    }
    for entry in catalogue::GAMES {
        let game = entry.game().unwrap();
        if game.players() == 2 && game.is_constant_sum() {
            agrees(&exact, 1e-9, &game);
            agrees(&sampled, 1e-3, &game);
        }
    }
    let flat = games::zero_sum(&Array2::from_elem((3, 4), 2.5));
    assert!(one(&exact, &flat).max_regret() <= 0.0 && one(&sampled, &flat).max_regret() <= 0.0);
}

/// On biased rock-paper-scissors the last iterate itself converges to the only equilibrium.
#[test]
fn the_last_iterate_converges() {
    let game = games::biased_rps();
    let solution = one(&Halpern { tolerance: 1e-12, ..Halpern::default() }, &game);
    for mix in &solution.profile {
        for (found, expected) in mix.iter().zip([1. / 16., 10. / 16., 5. / 16.]) {
            assert!((found - expected).abs() < 1e-9, "{mix:?}");
        }
    }
}

/// Moving the anchor makes convergence linear: the same precision in far fewer iterations.
#[test]
fn moving_the_anchor_helps() {
    let game = random(77, 30, 30);
    let moving = Halpern { tolerance: 1e-7, ..Halpern::default() };
    let fixed = Halpern { restart: false, tolerance: 1e-5, ..Halpern::default() };
    let (moving, fixed) = (one(&moving, &game), one(&fixed, &game));
    assert_eq!(moving.stop, Stop::Converged);
    assert!(2 * moving.iterations < fixed.iterations, "{} {}", moving.iterations, fixed.iterations);
}

#[test]
fn progress_is_certified_at_every_iteration() {
    let game = random(5, 12, 9);
    let mut seen: Vec<Progress> = Vec::new();
    let solver = Halpern { tolerance: 1e-6, ..Halpern::default() };
    let solution = solver.solve_observed(&game, |progress| seen.push(progress)).unwrap();
    assert_eq!(seen.len() as u64, solution.iterations);
    let last = seen[seen.len() - 1];
    assert!((last.nash_conv - solution.nash_conv()).abs() < 1e-12);
    assert_eq!(solution.residual, Some(last.residual));
    assert!(seen.iter().all(|p| p.nash_conv <= p.bound + 1e-12));
    let few = Halpern { tolerance: 0.0, iterations: 3, ..Halpern::default() };
    assert_eq!(one(&few, &game).stop, Stop::IterationLimit);
}

#[test]
fn samples_follow_the_seed() {
    let game = random(6, 10, 10);
    let solver = VarianceReducedHalpern::default();
    let run = |seed| solver.solve(&game, &SolveOptions::seeded(seed)).unwrap();
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// Variance reduction reads less of a matrix whose singular values fall off fast: to be ahead in
/// time, but not by far.
#[test]
fn variance_reduction_reads_less_of_a_smooth_matrix() {
    let payoffs = Array2::from_shape_fn((300, 300), |(i, j)| {
        let ahead = (i as f64 - j as f64) / 300.0;
        if i == j { 0.0 } else { ahead.signum() - 3.0 * ahead }
    });
    let game = games::zero_sum(&payoffs);
    let (mut full, mut sampled) = (0.0, 0.0);
    let tolerance = 1e-4;
    Halpern { tolerance, restart: false, ..Halpern::default() }
        .solve_observed(&game, |progress| full = progress.products)
        .unwrap();
    VarianceReducedHalpern { tolerance, restart: false, ..VarianceReducedHalpern::default() }
        .solve_observed(&game, &SolveOptions::default(), |progress| sampled = progress.products)
        .unwrap();
    assert!(sampled < 0.9 * full, "{sampled} {full}");
}

#[test]
fn what_does_not_fit_is_named() {
    let message = |solver: &dyn Solver, game: &NormalForm| {
        solver.solve(game, &SolveOptions::default()).unwrap_err().to_string()
    };
    let game = games::zero_sum(&array![[1.0, 0.0]]);
    let solver = Halpern { tolerance: -1.0, ..Halpern::default() };
    assert_eq!(message(&solver, &game), "halpern: tolerance is -1, it must be 0 or more");
    let solver = VarianceReducedHalpern { products: f64::NAN, ..VarianceReducedHalpern::default() };
    assert!(message(&solver, &game).contains("products is NaN"));
    assert!(message(&Halpern::default(), &games::prisoners()).contains("constant-sum"));
    assert!(
        message(&VarianceReducedHalpern::default(), &games::prisoners()).contains("constant-sum")
    );
}
