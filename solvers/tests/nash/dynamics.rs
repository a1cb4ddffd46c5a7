//! Learning processes: numbers of other packages, and what theorems promise.

use gambol_solvers::game::NormalForm;
use gambol_solvers::nash::dynamics::Answer;
use gambol_solvers::nash::dynamics::fictitious_play::FictitiousPlay;
use gambol_solvers::nash::dynamics::projected_replicator::ProjectedReplicator;
use gambol_solvers::nash::dynamics::regret_matching::{RegretMatching, RegretMatchingPlus};
use gambol_solvers::nash::dynamics::replicator::Replicator;
use gambol_solvers::nash::dynamics::smooth_fictitious_play::SmoothFictitiousPlay;
use gambol_solvers::play::Play;
use gambol_solvers::solution::{Solution, SolveError, SolveOptions, Solver, Stop};
use ndarray::array;

use super::games;

fn run(solver: &dyn Solver, game: &NormalForm) -> Solution {
    solver.solve(game, &SolveOptions::default()).unwrap().equilibria.remove(0)
}

fn assert_near(mix: &[f64], expected: &[f64], tolerance: f64) {
    let near = mix.iter().zip(expected).all(|(a, b)| (a - b).abs() < tolerance);
    assert!(near, "{mix:?} instead of {expected:?}");
}

/// Biased rock paper scissors in units of 100.
fn biased_rps_in_hundreds() -> NormalForm {
    games::zero_sum(&array![[0.0, -0.25, 0.5], [0.25, 0.0, -0.05], [-0.5, 0.05, 0.0]])
}

#[test]
fn projected_replicator_gives_openspiels_numbers() {
    let solver = ProjectedReplicator { iterations: 20_000, tolerance: 0.0, ..Default::default() };
    let pennies = run(&solver, &games::asymmetric_pennies());
    assert_near(&pennies.profile[0][..1], &[0.400_477_45], 6e-9);
    assert_near(&pennies.profile[1][..1], &[0.391_217_62], 6e-9);
    assert_eq!((pennies.iterations, pennies.stop), (20_000, Stop::IterationLimit));
    assert_near(&run(&solver, &games::prisoners()).profile[0][..1], &[0.017_916_23], 6e-9);
    assert_near(&run(&solver, &games::stag_hunt()).profile[1][..1], &[0.034_671_64], 6e-9);
}

#[test]
fn regret_matching_gives_openspiels_numbers() {
    let solver = RegretMatching { iterations: 20_000, tolerance: 0.0, ..Default::default() };
    let pennies = run(&solver, &games::asymmetric_pennies());
    assert_near(&pennies.profile[0][..1], &[0.401_459_33], 6e-9);
    assert_near(&pennies.profile[1][..1], &[0.403_510_27], 6e-9);
    // In the biased game, which is symmetric, both players move alike for ever if sums are rounded
    // alike, and that path is unstable: OpenSpiel's x = (0.06221369, 0.62899885, 0.30878745) and
    // y = (0.06683575, 0.62235589, 0.31080836) come from how BLAS rounds a matrix and its transpose
    // (payoffs larger by 1e-15 for one player give it 0.06176 and 0.06449). So that much is asked.
    let biased = run(&solver, &biased_rps_in_hundreds());
    assert_eq!(biased.profile[0], biased.profile[1]);
    assert_near(&biased.profile[0], &[0.062_213_69, 0.628_998_85, 0.308_787_45], 6e-3);
    assert!(biased.nash_conv() < 2e-3);
}

#[test]
fn regret_matching_plus_is_far_ahead_in_zero_sum_games() {
    let game = biased_rps_in_hundreds();
    let plain = RegretMatching { iterations: 20_000, tolerance: 0.0, ..Default::default() };
    let plus = RegretMatchingPlus { iterations: 20_000, tolerance: 0.0, ..Default::default() };
    let (plain, plus) = (run(&plain, &game).nash_conv(), run(&plus, &game).nash_conv());
    assert!(plus < 1e-4 && plus < 0.02 * plain, "{plus} against {plain}");
}

#[test]
fn fictitious_play_by_hand() {
    // Beliefs (1/2, 1/2): the row player earns 1/2 and 0, the column player -1/2 and 0.
    // The averages are then (3/4, 1/4) and (1/4, 3/4): -1/4 and 1/2, -5/4 and 1/2.
    let rounds = |iterations| FictitiousPlay { iterations, tolerance: 0.0, ..Default::default() };
    let game = games::asymmetric_pennies();
    let first = run(&rounds(1), &game);
    assert_eq!(first.profile.as_slice(), [[0.75, 0.25], [0.25, 0.75]]);
    let second = run(&rounds(2), &game);
    assert_near(&second.profile[0], &[0.5, 0.5], 1e-15);
    assert_near(&second.profile[1], &[1.0 / 6.0, 5.0 / 6.0], 1e-15);
    let both = rounds(2).solve(&game, &SolveOptions::default().all()).unwrap().equilibria;
    assert_eq!(both[1].profile.as_slice(), [[0.0, 1.0], [0.0, 1.0]]);
}

#[test]
fn fictitious_play_settles_or_cycles() {
    let solver = FictitiousPlay { tolerance: 1e-2, ..Default::default() };
    for game in [games::asymmetric_pennies(), games::stag_hunt(), games::prisoners()] {
        let found = run(&solver, &game);
        assert_eq!(found.stop, Stop::Converged, "{found:?}");
        assert!(found.max_regret() <= 1e-2 * game.spread().max(1.0));
    }
    // Shapley's game, a little off symmetry, so that even beliefs are no resting place.
    let shapley = games::bimatrix(
        &array![[0., 0., 1.01], [1., 0., 0.], [0., 1., 0.]],
        &array![[0., 1., 0.], [0., 0., 1.], [1., 0., 0.]],
    );
    let found = run(&FictitiousPlay { iterations: 20_000, tolerance: 0.0, ..solver }, &shapley);
    assert_eq!(found.stop, Stop::IterationLimit);
    assert!(found.max_regret() > 0.05, "{found:?}");
}

#[test]
fn smooth_fictitious_play_ends_at_quantal_responses() {
    let solver = SmoothFictitiousPlay {
        temperature: 0.5,
        tolerance: 1e-4,
        ..SmoothFictitiousPlay::default()
    };
    let found = run(&solver, &games::asymmetric_pennies());
    assert_eq!(found.stop, Stop::Converged);
    assert_near(&found.profile[0][..1], &[0.449_132], 1e-4);
    assert_near(&found.profile[1][..1], &[0.379_582], 1e-4);
    assert!(solver.tolerance().is_none());
    let hunt = SmoothFictitiousPlay { temperature: 1.0, ..solver };
    assert_near(&run(&hunt, &games::stag_hunt()).profile[0][..1], &[0.195_846], 2e-3);
    let sampled = SmoothFictitiousPlay {
        temperature: 0.5,
        tolerance: 0.0,
        play: Play::Sampled,
        iterations: 50_000,
        ..SmoothFictitiousPlay::default()
    };
    let seeded = |seed| {
        let options = SolveOptions::seeded(seed);
        sampled.solve(&games::asymmetric_pennies(), &options).unwrap().equilibria.remove(0)
    };
    let found = seeded(1);
    // A frequency of 50,000 draws has a standard deviation of 0.0022.
    assert_near(&found.profile[0][..1], &[0.449_132], 0.02);
    assert_near(&found.profile[1][..1], &[0.379_582], 0.02);
    assert_eq!(found, seeded(1));
    assert_ne!(found.profile, seeded(2).profile);
}

#[test]
fn sampled_regret_matching_is_seeded_and_near() {
    let solver = RegretMatching {
        iterations: 50_000,
        tolerance: 0.0,
        play: Play::Sampled,
        ..RegretMatching::default()
    };
    let game = games::asymmetric_pennies();
    let found = run(&solver, &game);
    assert_eq!(found, run(&solver, &game));
    assert!(found.max_regret() < 0.05, "{found:?}");
}

#[test]
fn replicators() {
    let last = Replicator { tolerance: 1e-9, ..Replicator::default() };
    for (game, expected) in [(games::prisoners(), [0.0, 1.0]), (games::stag_hunt(), [0.0, 1.0])] {
        let found = run(&last, &game);
        assert_eq!(found.stop, Stop::Converged);
        assert_near(&found.profile[0], &expected, 1e-8);
    }
    // Around a mixed equilibrium the strategies keep their distance (the dynamics conserve
    // 2/5 ln x + 3/5 ln(1 - x) + the same for y) and their time average is the equilibrium.
    let cycling = Replicator {
        iterations: 40_000,
        tolerance: 0.0,
        answer: Answer::Average,
        ..Replicator::default()
    };
    let options = SolveOptions::default().all();
    let both = cycling.solve(&games::asymmetric_pennies(), &options).unwrap().equilibria;
    assert_near(&both[0].profile[0], &[0.4, 0.6], 1e-3);
    assert_near(&both[0].profile[1], &[0.4, 0.6], 1e-3);
    let conserved: f64 =
        both[1].profile.iter().map(|x| 0.4 * libm::log(x[0]) + 0.6 * libm::log(x[1])).sum();
    assert!((conserved - 2.0 * libm::log(0.5)).abs() < 1e-4, "{conserved}");
}

#[test]
fn three_players_learn_too() {
    let game = games::mckelvey_mclennan();
    let all: [&dyn Solver; 5] = [
        &RegretMatching::default(),
        &RegretMatchingPlus::default(),
        &FictitiousPlay::default(),
        &Replicator::default(),
        &ProjectedReplicator { step: 0.1, ..ProjectedReplicator::default() },
    ];
    for solver in all {
        let found = run(solver, &game);
        assert_eq!(found.stop, Stop::Converged, "{}: {found:?}", solver.info().name);
        assert!(found.max_regret() <= solver.tolerance().unwrap() * game.spread());
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    let game = games::stag_hunt();
    let refused = |solver: &dyn Solver| solver.solve(&game, &SolveOptions::default()).unwrap_err();
    let message = refused(&RegretMatching { exploration: 1.5, ..Default::default() }).to_string();
    assert_eq!(message, "regret-matching: exploration is 1.5, it must be in [0, 1]");
    let floor = ProjectedReplicator { floor: 0.5, ..Default::default() };
    assert_eq!(refused(&floor), SolveError::InfeasibleFloor { floor: 0.5, actions: 2 });
    for bad in [
        &FictitiousPlay { tolerance: -1.0, ..Default::default() } as &dyn Solver,
        &SmoothFictitiousPlay { temperature: 0.0, ..Default::default() },
        &Replicator { step: f64::NAN, ..Default::default() },
        &ProjectedReplicator { step: f64::INFINITY, ..Default::default() },
    ] {
        assert!(matches!(refused(bad), SolveError::Parameter { .. }));
    }
}
