//! Known answers.

use gambol_solvers::game::NormalForm;
use gambol_solvers::nash::extreme::Extreme;
use gambol_solvers::nash::lemke_howson::LemkeHowson;
use gambol_solvers::nash::support_enumeration::SupportEnumeration;
use gambol_solvers::solution::{SolveOptions, Solver};
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

/// The expected equilibria in any order, and no other, by both methods that find them all.
fn check(game: &NormalForm, expected: &[[&[f64]; 2]]) {
    let expected: Vec<Vec<Vec<f64>>> =
        expected.iter().map(|pair| pair.iter().map(|x| x.to_vec()).collect()).collect();
    let methods: [&dyn Solver; 2] = [&Extreme::default(), &SupportEnumeration::default()];
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
