//! Known answers.

use gambol_solvers::game::NormalForm;
use gambol_solvers::nash::extreme::Extreme;
use gambol_solvers::nash::lemke_howson::LemkeHowson;
use gambol_solvers::nash::logit::Logit;
use gambol_solvers::nash::polynomial::Polynomial;
use gambol_solvers::nash::support_enumeration::SupportEnumeration;
use gambol_solvers::solution::{Solution, SolveOptions, Solver, Stop};
use ndarray::array;

use super::games;

fn all_by(solver: &dyn Solver, game: &NormalForm) -> Vec<Vec<Vec<f64>>> {
    let solutions = solver.solve(game, &SolveOptions::default().all()).unwrap();
    for solution in &solutions.equilibria {
        assert!(solution.max_regret() <= 1e-9 * game.largest_payoff().max(1.0), "{solution:?}");
    }
    solutions.equilibria.into_iter().map(|solution| solution.profile.into_inner()).collect()
}

fn near(a: &[Vec<f64>], b: &[Vec<f64>]) -> bool {
    a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-12)
}

/// The expected equilibria in any order, and no other, by the methods that find them all.
fn check(game: &NormalForm, expected: &[[&[f64]; 2]]) {
    let expected: Vec<Vec<Vec<f64>>> =
        expected.iter().map(|pair| pair.iter().map(|x| x.to_vec()).collect()).collect();
    let methods: [&dyn Solver; 3] =
        [&Extreme::default(), &SupportEnumeration::default(), &Polynomial::default()];
    for method in methods {
        let found = all_by(method, game);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for equilibrium in &expected {
            let hits = found.iter().filter(|other| near(other, equilibrium)).count();
            assert_eq!(hits, 1, "{equilibrium:?} in {found:?}");
        }
    }
}

const THIRD: f64 = 1.0 / 3.0;

#[test]
fn small_games() {
    let half: &[f64] = &[0.5, 0.5];
    let thirds: &[f64] = &[THIRD; 3];
    check(&games::zero_sum(&array![[1., -1.], [-1., 1.]]), &[[half, half]]);
    check(&games::asymmetric_pennies(), &[[&[0.4, 0.6], &[0.4, 0.6]]]);
    let rps = array![[0., -1., 1.], [1., 0., -1.], [-1., 1., 0.]];
    check(&games::zero_sum(&rps), &[[thirds, thirds]]);
    let biased: &[f64] = &[1. / 16., 10. / 16., 5. / 16.];
    check(&games::biased_rps(), &[[biased, biased]]);
    check(&games::zero_sum(&array![[2., 1., 5.], [-3., -4., -2.]]), &[[&[1., 0.], &[0., 1., 0.]]]);
    check(&games::prisoners(), &[[&[0., 1.], &[0., 1.]]]);
    check(
        &games::stag_hunt(),
        &[
            [&[1., 0.], &[1., 0.]],
            [&[0., 1.], &[0., 1.]],
            [&[2. * THIRD, THIRD], &[2. * THIRD, THIRD]],
        ],
    );
    check(
        &games::symmetric(&array![[0., -1.], [1., -10.]]),
        &[[&[1., 0.], &[0., 1.]], [&[0., 1.], &[1., 0.]], [&[0.9, 0.1], &[0.9, 0.1]]],
    );
    check(
        &games::symmetric(&array![[0., 4.], [1., 3.]]),
        &[[&[1., 0.], &[0., 1.]], [&[0., 1.], &[1., 0.]], [half, half]],
    );
    check(
        &games::bimatrix(&array![[3., 0.], [0., 2.]], &array![[2., 0.], [0., 3.]]),
        &[[&[1., 0.], &[1., 0.]], [&[0., 1.], &[0., 1.]], [&[0.6, 0.4], &[0.4, 0.6]]],
    );
    check(
        &games::bimatrix(
            &array![[0., 0., 1.], [1., 0., 0.], [0., 1., 0.]],
            &array![[0., 1., 0.], [0., 0., 1.], [1., 0., 0.]],
        ),
        &[[thirds, thirds]],
    );
}

#[test]
fn hawk_dove_safe_has_three() {
    let game = games::symmetric(&array![[-3., 4., 3.], [0., 2., 2.], [0.5, 0.8, 0.8]]);
    let mixed: &[f64] = &[0.4, 0.6, 0.0];
    let (hawk, safe): (&[f64], &[f64]) = (&[1., 0., 0.], &[0., 0., 1.]);
    check(&game, &[[mixed, mixed], [hawk, safe], [safe, hawk]]);
}

#[test]
fn von_stengel_3x2() {
    check(
        &games::von_stengel_3x2(),
        &[
            [&[1., 0., 0.], &[1., 0.]],
            [&[0.8, 0.2, 0.], &[2. * THIRD, THIRD]],
            [&[0., THIRD, 2. * THIRD], &[THIRD, 2. * THIRD]],
        ],
    );
}

#[test]
fn shapleys_figures() {
    check(
        &games::shapley_fig_3(),
        &[
            [&[0., 0., 1.], &[0., 0., 1.]],
            [&[THIRD, 2. * THIRD, 0.], &[THIRD, 2. * THIRD, 0.]],
            [&[1. / 6., THIRD, 0.5], &[1. / 6., THIRD, 0.5]],
        ],
    );
    check(
        &games::bimatrix(
            &array![[2., 2., 0.], [0., 3., 0.], [3., 0., 1.]],
            &array![[3., 0., 2.], [0., 3., 2.], [0., 0., 1.]],
        ),
        &[
            [&[0., 1., 0.], &[0., 1., 0.]],
            [&[0., 0.5, 0.5], &[0., 0.25, 0.75]],
            [&[0., 0., 1.], &[0., 0., 1.]],
        ],
    );
}

#[test]
fn coordination_has_seven() {
    let game = games::symmetric(&ndarray::Array2::eye(3));
    assert_eq!(all_by(&Extreme::default(), &game).len(), 7);
    assert_eq!(all_by(&SupportEnumeration::default(), &game).len(), 7);
}

#[test]
fn the_6x6_game_has_75() {
    let game = games::von_stengel_6x6();
    let extreme = all_by(&Extreme::default(), &game);
    let supports = all_by(&SupportEnumeration::default(), &game);
    assert_eq!((extreme.len(), supports.len()), (75, 75));
    assert!(extreme.iter().all(|e| supports.iter().any(|other| near(e, other))));
}

#[test]
fn nashpy_82_has_eight_extreme_equilibria() {
    assert_eq!(all_by(&Extreme::default(), &games::nashpy_82()).len(), 8);
}

#[test]
fn rock_paper_scissors_water_is_a_continuum() {
    let game = games::zero_sum(&array![
        [0., -1., 1., 0.],
        [1., 0., -1., 0.],
        [-1., 1., 0., 0.],
        [0., 0., 0., 0.]
    ]);
    let set = Extreme::default().enumerate(&game).unwrap();
    let components = set.components(100).unwrap();
    // Optimal strategies of a zero-sum game are a product of convex sets: one Nash subset.
    assert_eq!(components.len(), 1);
    assert_eq!(components[0].subsets.len(), 1);
    let (rows, columns) = &components[0].subsets[0];
    assert_eq!((rows.len(), columns.len()), (2, 2));
    assert!(set.rows.contains(&vec![0., 0., 0., 1.]));
}

#[test]
fn lemke_howson_reaches_one_of_shapleys_three() {
    let found = all_by(&LemkeHowson::default(), &games::shapley_fig_3());
    assert_eq!(found, [[[0., 0., 1.], [0., 0., 1.]]]);
}

#[test]
fn chains_of_lemke_howson_find_the_middle_one() {
    // nashpy issue 64. Its index is -1, so no first path ends there.
    let game = games::von_stengel_3x2();
    assert_eq!(all_by(&LemkeHowson::default(), &game).len(), 2);
    let chains = LemkeHowson { chains: true, ..LemkeHowson::default() };
    let found = all_by(&chains, &game);
    assert_eq!(found.len(), 3);
    assert!(found.iter().any(|e| near(e, &[vec![0.8, 0.2, 0.], vec![2. * THIRD, THIRD]])));
    // Shapley's figure 3: the others are connected to each other, but not to the start.
    assert_eq!(all_by(&chains, &games::shapley_fig_3()).len(), 1);
}

#[test]
fn mckelvey_and_mclennan_have_nine() {
    let game = games::mckelvey_mclennan();
    let solutions = Polynomial::default().solve(&game, &SolveOptions::default().all()).unwrap();
    // Nine and no other: the search proves it.
    assert_eq!(solutions.stop, Stop::Complete);
    let expected = [
        [1., 1., 1.],
        [1., 0., 0.],
        [0., 1., 0.],
        [0., 0., 1.],
        [0.5, 0.5, 1.],
        [THIRD, 1., 0.25],
        [0., 0.25, THIRD],
        [0.5, 0.4, 0.25],
        [0.4, 0.5, THIRD],
    ];
    assert_eq!(solutions.equilibria.len(), expected.len());
    for firsts in expected {
        let profile: Vec<Vec<f64>> = firsts.iter().map(|&p| vec![p, 1. - p]).collect();
        let hit = solutions.equilibria.iter().find(|s| near(s.profile.as_slice(), &profile));
        let hit = hit.unwrap_or_else(|| panic!("{firsts:?} in {:?}", solutions.equilibria));
        assert!(hit.max_regret() < 1e-13);
        let payoffs = match firsts {
            [0.5, 0.4, _] => [2.25, 2.5, 3.],
            [0.4, 0.5, _] => [2.5, 8. / 3., 3.],
            _ => continue,
        };
        assert!(near(std::slice::from_ref(&hit.payoffs), &[payoffs.to_vec()]), "{hit:?}");
    }
}

/// The one answer of a method.
fn one_by(solver: &dyn Solver, game: &NormalForm) -> Solution {
    solver.solve(game, &SolveOptions::default()).unwrap().equilibria.remove(0)
}

#[test]
fn logit_equilibria_at_given_precision() {
    let pennies = games::asymmetric_pennies();
    let expected =
        [(1.0, 0.488_674, 0.390_938), (2.0, 0.449_132, 0.379_582), (5.0, 0.418_426, 0.386_831)];
    for (lambda, x, y) in expected {
        let logit = Logit { lambda: Some(lambda), ..Logit::default() };
        let found = one_by(&logit, &pennies);
        assert_eq!(found.stop, Stop::Complete);
        assert!((found.profile[0][0] - x).abs() < 5e-7, "{lambda}: {found:?}");
        assert!((found.profile[1][0] - y).abs() < 5e-7, "{lambda}: {found:?}");
    }
    for (lambda, stag) in [(0.5, 0.402_052), (1.0, 0.195_846)] {
        let logit = Logit { lambda: Some(lambda), ..Logit::default() };
        let found = one_by(&logit, &games::stag_hunt());
        assert!(found.profile.iter().all(|mix| (mix[0] - stag).abs() < 5e-7), "{found:?}");
    }
    let even = one_by(&Logit { lambda: Some(0.0), ..Logit::default() }, &games::biased_rps());
    assert!(even.profile.iter().flatten().all(|p| (p - THIRD).abs() < 1e-15));
}

#[test]
fn limits_of_logit_equilibria() {
    let limit = |game: &NormalForm| {
        let found = one_by(&Logit::default(), game);
        assert_eq!(found.stop, Stop::Converged, "{found:?}");
        assert!(found.max_regret() <= 1e-8 * game.spread().max(1.0));
        found
    };
    // The risk-dominant equilibrium of a stag hunt; the unique ones of zero-sum games.
    assert!(limit(&games::stag_hunt()).profile[0][1] > 1.0 - 1e-8);
    assert!((limit(&games::asymmetric_pennies()).profile[0][0] - 0.4).abs() < 1e-7);
    let biased = limit(&games::biased_rps());
    for mix in &biased.profile {
        let errors = mix.iter().zip([1. / 16., 10. / 16., 5. / 16.]).map(|(a, b)| (a - b).abs());
        assert!(errors.fold(0.0, f64::max) < 1e-6, "{mix:?}");
    }
    limit(&games::von_stengel_3x2());
    limit(&games::shapley_fig_3());
    limit(&games::mckelvey_mclennan());
    limit(&games::nashpy_82());
    limit(&games::von_stengel_6x6());
}

#[test]
fn a_logit_equilibrium_is_one() {
    // The defining equation, away from all the machinery, in a game of three players.
    let (game, lambda) = (games::mckelvey_mclennan(), 0.7);
    let found = one_by(&Logit { lambda: Some(lambda), ..Logit::default() }, &game);
    for (player, mix) in found.profile.iter().enumerate() {
        let payoffs = game.deviation_payoffs(player, &found.profile);
        let odds = libm::exp(lambda * (payoffs[1] - payoffs[0]));
        assert!((mix[1] / mix[0] - odds).abs() < 1e-9 * odds);
    }
}
