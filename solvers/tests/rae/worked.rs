//! The Risk-Averse Equilibrium against worked numbers.
//!
//! The numbers were computed once outside this repository (exact active-set programs, bracketed
//! roots, Newton on supports) and are given to the digits that stand here.
#![expect(clippy::unreadable_literal, reason = "digits as the tables have them")]

use gambol_solvers::game::NormalForm;
use gambol_solvers::game::catalogue;
use gambol_solvers::play::Play;
use gambol_solvers::rae::{
    Assessment, Enumeration, Equilibrium, Exposure, FictitiousPlay, Method, Rae, RiskAversion,
    Start, Tremble, Views, assess, best_response, critical_gamma, enumerate, fictitious_play,
    min_variance,
};
use gambol_solvers::seed::Streams;
use gambol_solvers::solution::{Profile, SolveError, SolveOptions, Solver, Stop};
use ndarray::{Array1, array};

const DIGITS: f64 = 6e-10;

fn game(name: &str) -> NormalForm {
    catalogue::find(name).unwrap_or_else(|| panic!("no game {name}")).game().unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} within {tolerance}");
}

fn all(name: &str, gamma: f64, tremble: Tremble, symmetric: bool) -> Vec<Equilibrium> {
    let game = game(name);
    let risk = RiskAversion::uniform(game.players(), gamma, tremble);
    let parameters = Enumeration { symmetric, ..Enumeration::default() };
    let found =
        enumerate(&Views::new(&game), &risk, parameters, Streams::new(0)).unwrap().equilibria;
    for equilibrium in &found {
        let Assessment { gap, variance, total_variance, .. } = &equilibrium.assessment;
        for player in 0..game.players() {
            assert!(gap[player] <= 1e-8, "gap {gap:?}");
            assert!(variance[player] <= total_variance[player] + 1e-12);
        }
    }
    found
}

fn against(name: &str, opponent: &[f64]) -> Exposure {
    let game = game(name);
    let mixes = vec![vec![1.0 / game.shape()[0] as f64; game.shape()[0]], opponent.to_vec()];
    Views::new(&game).exposure(0, &Profile::new(mixes), Tremble::None).unwrap()
}

#[test]
fn interior_equilibria_of_the_two_action_games() {
    let gammas = [0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];
    let table = [
        (
            "stag_hunt",
            [
                0.666666667,
                0.781018334,
                0.870374764,
                0.925887937,
                0.960587457,
                0.979720690,
                0.991754244,
            ],
        ),
        (
            "stag_hunt_tied",
            [0.5, 0.554814657, 0.647798871, 0.771844506, 0.877438833, 0.937775176, 0.975016414],
        ),
        (
            "chicken",
            [0.9, 0.924499800, 0.942590252, 0.957680332, 0.971413920, 0.982228938, 0.991495290],
        ),
    ];
    for (name, shares) in table {
        for (gamma, share) in gammas.into_iter().zip(shares) {
            let symmetric = all(name, gamma, Tremble::None, true);
            let inside = |e: &&Equilibrium| e.profile[0][0] > 1e-6 && e.profile[0][0] < 1.0 - 1e-6;
            let interior: Vec<_> = symmetric.iter().filter(inside).collect();
            assert_eq!(interior.len(), 1, "{name} at gamma {gamma}");
            close(interior[0].profile[0][0], share, DIGITS);
            // The pure equilibria remain at every gamma.
            assert_eq!(all(name, gamma, Tremble::None, false).len(), 3, "{name} at gamma {gamma}");
        }
    }
}

#[test]
fn moments_at_the_interior_equilibria() {
    let table = [
        ("stag_hunt", 0.1, 3.048951, 1.911420, 2.194805),
        ("stag_hunt", 0.5, 3.645917, 0.979251, 1.063127),
        ("stag_hunt", 1.0, 3.807597, 0.570465, 0.612801),
        ("stag_hunt", 2.0, 3.899837, 0.308293, 0.329369),
        ("chicken", 0.1, -0.057003, 0.214986, 0.706379),
        ("chicken", 0.5, -0.017910, 0.082090, 0.259832),
        ("chicken", 1.0, -0.008172, 0.045914, 0.137187),
        ("chicken", 5.0, -0.000723, 0.009928, 0.024097),
    ];
    for (name, gamma, mean, variance, total) in table {
        let found = all(name, gamma, Tremble::None, true);
        let interior = found.iter().find(|e| e.profile[0].iter().all(|&p| p > 1e-6)).unwrap();
        for player in 0..2 {
            close(interior.assessment.mean[player], mean, 6e-7);
            close(interior.assessment.variance[player], variance, 6e-7);
            close(interior.assessment.total_variance[player], total, 6e-7);
        }
    }
}

/// Without risk aversion: the Nash equilibria of the worked games, with what they pay.
#[test]
fn risk_neutral_equilibria_and_their_payoffs() {
    let check = |name: &str, expected: &[([f64; 2], [f64; 2])]| {
        let mut found = all(name, 0.0, Tremble::None, false);
        found.sort_by(|a, b| a.profile[0][0].total_cmp(&b.profile[0][0]));
        assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
        for (equilibrium, (shares, payoffs)) in found.iter().zip(expected) {
            for player in 0..2 {
                close(equilibrium.profile[player][0], shares[player], 1e-12);
                close(equilibrium.assessment.mean[player], payoffs[player], 1e-12);
            }
        }
    };
    let two_thirds = 2.0 / 3.0;
    let eight_thirds = 8.0 / 3.0;
    check(
        "stag_hunt",
        &[([0.0; 2], [2.0; 2]), ([two_thirds; 2], [eight_thirds; 2]), ([1.0; 2], [4.0; 2])],
    );
    check("stag_hunt_tied", &[([0.0; 2], [1.0; 2]), ([0.5; 2], [1.0; 2]), ([1.0; 2], [2.0; 2])]);
    check(
        "chicken",
        &[([0.0, 1.0], [1.0, -1.0]), ([0.9; 2], [-0.1; 2]), ([1.0, 0.0], [-1.0, 1.0])],
    );
    check("matching_pennies", &[([0.5; 2], [0.0; 2])]);
    check("asymmetric_matching_pennies", &[([0.4; 2], [0.2, -0.2])]);
    // Both drive straight into each other with a chance of 1/100.
    let swerve = all("chicken", 0.0, Tremble::None, true)[0].profile[0][1];
    close(swerve * swerve, 0.01, 1e-12);
}

/// Harsanyi and Selten's risk dominance: the larger product of the losses from deviating.
/// Above the critical gamma only the risk-dominant equilibrium of the stag hunt is left.
#[test]
fn risk_aversion_selects_the_risk_dominant_equilibrium() {
    let products = |name: &str| {
        let game = game(name);
        let own = game.payoff_tensor(0);
        let loss = |a: usize| own[[a, a].as_slice()] - own[[1 - a, a].as_slice()];
        (loss(0) * loss(0), loss(1) * loss(1))
    };
    assert_eq!(products("stag_hunt"), (1.0, 4.0));
    assert_eq!(products("stag_hunt_tied"), (1.0, 1.0));
    for tremble in [Tremble::Floor(0.05), Tremble::Opponent(0.05)] {
        let left = all("stag_hunt", 1.0, tremble, false);
        assert_eq!(left.len(), 1, "{left:?}");
        close(left[0].profile[0][0], tremble.floor(), 1e-12);
        // Without a risk-dominant equilibrium variance favours Hare all the same.
        let left = all("stag_hunt_tied", 3.0, tremble, false);
        assert_eq!(left.len(), 1, "{left:?}");
        close(left[0].profile[0][0], tremble.floor(), 1e-12);
    }
}

/// All equilibria of a two-action game under a floor of 0.05, by the shares of the first actions.
fn check_floor(name: &str, gamma: f64, expected: &[(f64, f64)]) -> Vec<Equilibrium> {
    let mut found = all(name, gamma, Tremble::Floor(0.05), false);
    found.sort_by(|a, b| a.profile[0][0].total_cmp(&b.profile[0][0]));
    assert_eq!(found.len(), expected.len(), "{name} at gamma {gamma}: {found:?}");
    for (equilibrium, &(p, q)) in found.iter().zip(expected) {
        close(equilibrium.profile[0][0], p, 6e-7);
        close(equilibrium.profile[1][0], q, 6e-7);
    }
    found
}

#[test]
fn the_floor_model_lists_exactly_these_equilibria() {
    let stag = [(0.1, 0.781018, 3.048951, 1.911420), (0.5, 0.925888, 3.645917, 0.979251)];
    for (gamma, interior, mean, variance) in stag {
        let expected = [(0.05, 0.05), (interior, interior), (0.95, 0.95)];
        let found = check_floor("stag_hunt", gamma, &expected);
        let means = [1.9575, mean, 3.7575];
        let variances = [0.062819, variance, 0.704069];
        for (equilibrium, (mean, variance)) in found.iter().zip(means.into_iter().zip(variances)) {
            for player in 0..2 {
                close(equilibrium.assessment.mean[player], mean, 6e-7);
                close(equilibrium.assessment.variance[player], variance, 6e-7);
            }
        }
    }
    for gamma in [1.0, 2.0, 5.0] {
        let found = check_floor("stag_hunt", gamma, &[(0.05, 0.05)]);
        close(found[0].assessment.mean[0], 1.9575, 6e-7);
        close(found[0].assessment.variance[0], 0.062819, 6e-7);
    }
    let expected = [(0.573684, 0.95), (0.924500, 0.924500), (0.95, 0.573684)];
    let found = check_floor("chicken", 0.1, &expected);
    close(found[0].assessment.mean[0], 0.163158, 6e-7);
    close(found[0].assessment.mean[1], -0.589474, 6e-7);
    close(found[0].assessment.variance[0], 1.315789, 6e-7);
    close(found[0].assessment.variance[1], 0.550284, 6e-7);
    close(found[1].assessment.variance[0], 0.214986, 6e-7);
    for gamma in [0.5, 1.0, 2.0, 5.0] {
        let found = check_floor("chicken", gamma, &[(0.95, 0.95)]);
        close(found[0].assessment.mean[0], -0.025, 1e-12);
        close(found[0].assessment.variance[0], 0.106875, 6e-7);
    }
    for gamma in [0.0, 0.1, 0.5, 1.0, 5.0] {
        check_floor("matching_pennies", gamma, &[(0.5, 0.5)]);
        let found = check_floor("asymmetric_matching_pennies", gamma, &[(0.4, 0.4)]);
        close(found[0].assessment.mean[0], 0.2, 1e-12);
        close(found[0].assessment.variance[0], 0.0, 1e-12);
        close(found[0].assessment.total_variance[0], 1.44, 1e-12);
    }
}

/// Whether the corner where both play the first action as often as allowed is an equilibrium.
fn corner_holds(name: &str, gamma: f64, tremble: Tremble) -> bool {
    let game = game(name);
    let high = 1.0 - tremble.floor();
    let risk = RiskAversion::uniform(2, gamma, tremble);
    let corner = Profile::new(vec![vec![high, 1.0 - high]; 2]);
    // The Frank-Wolfe gap, since the gap itself grows only with the square of the excess.
    assess(&Views::new(&game), &corner, &risk).unwrap().bound.iter().sum::<f64>() < 1e-10
}

#[test]
fn the_stag_corner_is_lost_at_the_critical_gamma() {
    let table = [
        (0.01, 4.113342, 4.082492),
        (0.02, 2.028730, 1.998299),
        (0.05, 0.774664, 0.745614),
        (0.10, 0.350350, 0.324074),
        (0.20, 0.122549, 0.104167),
    ];
    for (least, floor, opponent) in table {
        for (tremble, critical) in
            [(Tremble::Floor(least), floor), (Tremble::Opponent(least), opponent)]
        {
            assert!(corner_holds("stag_hunt", critical - 1e-6, tremble), "{tremble:?}");
            assert!(!corner_holds("stag_hunt", critical + 1e-6, tremble), "{tremble:?}");
        }
    }
    for (tremble, critical) in
        [(Tremble::Floor(0.05), 2.493075), (Tremble::Opponent(0.05), 2.368421)]
    {
        assert!(corner_holds("stag_hunt_tied", critical - 1e-6, tremble));
        assert!(!corner_holds("stag_hunt_tied", critical + 1e-6, tremble));
    }
    // In chicken the other way round: both swerving becomes an equilibrium at 20/57.
    let critical = 20.0 / 57.0;
    assert!(!corner_holds("chicken", critical - 1e-6, Tremble::Floor(0.05)));
    assert!(corner_holds("chicken", critical + 1e-6, Tremble::Floor(0.05)));
    let exposure = against("stag_hunt", &[0.95, 0.05]);
    let response = |gamma| best_response(&exposure, gamma, 0.05, Method::Auto).unwrap().strategy[0];
    let critical = 0.85 / (0.285 * 3.85);
    close(response(critical - 1e-4), 0.95, 1e-12);
    close(response(critical + 1e-4), 0.949834358, DIGITS);
}

#[test]
fn symmetric_equilibria_of_hawk_3() {
    // floor, gamma, shares, mean, variance, total variance, chance of a crash
    let table = [
        (0.0, 0.0, [0.4, 0.6, 0.0], 1.2, 3.84, 5.28, 0.16),
        (
            0.0,
            0.05,
            [0.321343933, 0.678656067, 0.0],
            1.483690384,
            2.836903844,
            4.059628536,
            0.103261923,
        ),
        (
            0.0,
            0.1,
            [0.268633754, 0.731366246, 0.0],
            1.639179532,
            2.195897659,
            3.245668211,
            0.072164094,
        ),
        (
            0.0,
            0.25,
            [0.182602972, 0.817397028, 0.0],
            1.833280772,
            1.266561544,
            1.999873853,
            0.033343846,
        ),
        (
            0.0,
            0.5,
            [0.121551692, 0.878448308, 0.0],
            1.926125931,
            0.726125931,
            1.218127995,
            0.014774814,
        ),
        (
            0.0,
            1.0,
            [0.074208968, 0.925791032, 0.0],
            1.972465145,
            0.386232573,
            0.686532083,
            0.005506971,
        ),
        (
            0.0,
            2.0,
            [0.042233610, 0.957766390, 0.0],
            1.991081611,
            0.197770403,
            0.368111865,
            0.001783678,
        ),
        (
            0.0,
            5.0,
            [0.018570219, 0.981429781, 0.0],
            1.998275735,
            0.079827573,
            0.154421284,
            0.000344853,
        ),
        (0.02, 0.0, [0.396, 0.584, 0.02], 1.197464, 3.702635729, 5.169583169, 0.156816),
        (
            0.02,
            0.5,
            [0.121753740, 0.858246260, 0.02],
            1.903584687,
            0.707647632,
            1.230468435,
            0.014823973,
        ),
        (
            0.02,
            1.0,
            [0.074509504, 0.905490496, 0.02],
            1.949284802,
            0.376706432,
            0.707458048,
            0.005551666,
        ),
        (
            0.02,
            2.0,
            [0.042485052, 0.937514948, 0.02],
            1.967569893,
            0.192926870,
            0.393053709,
            0.001804980,
        ),
        (0.02, 5.0, [0.02, 0.96, 0.02], 1.974280000, 0.083634562, 0.192462482, 0.0004),
    ];
    for (floor, gamma, shares, mean, variance, total, crash) in table {
        let tremble = if floor > 0.0 { Tremble::Floor(floor) } else { Tremble::None };
        let found = all("hawk_3", gamma, tremble, true);
        assert_eq!(found.len(), 1, "floor {floor}, gamma {gamma}");
        let (profile, assessment) = (&found[0].profile, &found[0].assessment);
        for (&share, expected) in profile[0].iter().zip(shares) {
            close(share, expected, DIGITS);
        }
        close(assessment.mean[0], mean, DIGITS);
        close(assessment.variance[0], variance, 2.0 * DIGITS);
        close(assessment.total_variance[1], total, 2.0 * DIGITS);
        close(profile[0][0] * profile[1][0], crash, DIGITS);
    }
}

#[test]
fn asymmetric_equilibria_of_hawk_3() {
    for gamma in [0.0, 0.5, 1.0, 5.0] {
        let found = all("hawk_3", gamma, Tremble::None, false);
        for pair in [[0, 2], [2, 0]] {
            let pure = Profile::pure(&[3, 3], &pair);
            let hit = found.iter().find(|e| e.profile.distance(&pure) < 1e-9);
            let hit = hit.unwrap_or_else(|| panic!("{pair:?} at gamma {gamma}"));
            close(hit.assessment.mean[usize::from(pair[0] == 2)], 3.0, 1e-12);
            close(hit.assessment.mean[usize::from(pair[0] == 0)], 0.5, 1e-12);
        }
    }
    let found = all("hawk_3", 1.0, Tremble::Floor(0.02), false);
    let x = vec![0.936621, 0.043379, 0.02];
    let y = vec![0.02, 0.02, 0.96];
    for (profile, first) in [(vec![x.clone(), y.clone()], 0), (vec![y, x], 1)] {
        let profile = Profile::new(profile);
        let hit = found.iter().find(|e| e.profile.distance(&profile) < 1e-6).unwrap();
        let other = 1 - first;
        close(hit.assessment.mean[first], 2.817103, 6e-7);
        close(hit.assessment.mean[other], 0.449262, 6e-7);
        close(hit.assessment.variance[first], 0.661071, 6e-7);
        close(hit.assessment.variance[other], 0.012659, 6e-7);
    }
}

/// Three equilibria, and of 49 pairs of supports all but the full ones are decided.
#[test]
fn the_equilibria_of_hawk_3_are_proved_up_to_full_supports() {
    let risk = RiskAversion::uniform(2, 1.0, Tremble::None);
    let views = Views::new(&game("hawk_3"));
    let found = enumerate(&views, &risk, Enumeration::default(), Streams::new(0)).unwrap();
    assert_eq!(found.equilibria.len(), 3);
    assert!(found.undecided.iter().all(|supports| *supports == [[0, 1, 2], [0, 1, 2]]));
    assert_eq!(found.is_complete(), found.undecided.is_empty());
}

#[test]
fn moments_and_best_responses_in_hawk_3() {
    let exposure = against("hawk_3", &[0.5, 0.3, 0.2]);
    for (found, expected) in exposure.mean().iter().zip([0.3, 1.0, 0.65]) {
        close(*found, expected, 1e-14);
    }
    let sigma = array![[11.01, 3.3, 0.495], [3.3, 1.0, 0.15], [0.495, 0.15, 0.0225]];
    for (found, expected) in exposure.covariance().iter().zip(&sigma) {
        close(*found, *expected, 1e-13);
    }
    // Characteristic polynomial at the known eigenvalues 0, 0.010206039, 12.022293961.
    let found = exposure.covariance();
    let minors = found[[0, 0]] * found[[1, 1]] - found[[0, 1]] * found[[1, 0]]
        + found[[0, 0]] * found[[2, 2]]
        - found[[0, 2]] * found[[2, 0]]
        + found[[1, 1]] * found[[2, 2]]
        - found[[1, 2]] * found[[2, 1]];
    close(found.diag().sum(), 0.010206039 + 12.022293961, 2e-9);
    close(minors, 0.010206039 * 12.022293961, 2e-8);
    let cofactor = |i: usize, j: usize, k: usize| {
        found[[0, i]] * (found[[1, j]] * found[[2, k]] - found[[1, k]] * found[[2, j]])
    };
    close(cofactor(0, 1, 2) + cofactor(1, 2, 0) + cofactor(2, 0, 1), 0.0, 1e-12);

    let table = [
        (0.1, 0.0, [0.0, 1.0, 0.0], 0.9, 1.0, 1.0),
        (0.25, 0.0, [0.0, 0.792387543, 0.207612457], 0.757785467, 0.927335640, 0.678200692),
        (0.5, 0.0, [0.0, 0.307958478, 0.692041522], 0.673010381, 0.757785467, 0.169550173),
        (1.0, 0.0, [0.0, 0.065743945, 0.934256055], 0.630622837, 0.673010381, 0.042387543),
        (5.0, 0.0, [0.0, 0.0, 1.0], 0.5375, 0.65, 0.0225),
        (0.1, 0.05, [0.05, 0.9, 0.05], 0.832444375, 0.9475, 1.15055625),
        (0.5, 0.05, [0.05, 0.122664360, 0.827335640], 0.590507439, 0.675432526, 0.169850173),
    ];
    for (gamma, floor, shares, value, mean, variance) in table {
        let exact = [Method::Auto, Method::ActiveSet, Method::FrankWolfe];
        let methods =
            exact.into_iter().map(|method| (method, DIGITS)).chain([(Method::InteriorPoint, 1e-7)]);
        for (method, tolerance) in methods {
            let response = best_response(&exposure, gamma, floor, method).unwrap();
            for (&share, expected) in response.strategy.iter().zip(shares) {
                close(share, expected, tolerance);
            }
            close(response.value, value, tolerance);
            close(response.mean, mean, tolerance);
            close(response.variance, variance, tolerance);
            assert!(response.gap <= 1e-10_f64.max(tolerance), "{method:?}: gap {}", response.gap);
        }
    }
}

#[test]
fn the_constrained_form_is_the_frontier() {
    let exposure = against("hawk_3", &[0.5, 0.3, 0.2]);
    let table = [
        (0.80, [0.0, 3.0 / 7.0, 4.0 / 7.0], 0.264489796, 0.400327),
        (0.90, [0.0, 5.0 / 7.0, 2.0 / 7.0], 0.573265306, 0.271920),
        (0.95, [0.0, 6.0 / 7.0, 1.0 / 7.0], 0.771887755, 0.234338),
        (0.68, [0.0, 0.085714286, 0.914285714], 0.049665306, 0.923831),
    ];
    for (required, shares, variance, gamma) in table {
        let point = min_variance(&exposure, required, 0.0).unwrap();
        for (&share, expected) in point.response.strategy.iter().zip(shares) {
            close(share, expected, DIGITS);
        }
        close(point.response.mean, required, 1e-12);
        close(point.response.variance, variance, DIGITS);
        close(point.gamma, gamma, 6e-7);
        assert!(point.response.gap < 1e-10);
        // The same mix is the best response at that gamma.
        let response = best_response(&exposure, point.gamma, 0.0, Method::Auto).unwrap();
        close(response.variance, variance, DIGITS);
    }
    close(min_variance(&exposure, 0.8, 0.0).unwrap().lambda, 2.497959, 6e-7);
    let loose = min_variance(&exposure, -10.0, 0.0).unwrap();
    assert_eq!(loose.response.strategy, array![0.0, 0.0, 1.0]);
    close(loose.response.variance, 0.0225, 1e-14);
    assert!(loose.gamma.is_infinite() && loose.lambda <= 0.0);
    let tight = min_variance(&exposure, 1.0, 0.0).unwrap();
    close(tight.response.mean, 1.0, 1e-12);
    assert_eq!(
        min_variance(&exposure, 1.01, 0.0).unwrap_err(),
        SolveError::InfeasibleUtility { required: 1.01, best: 1.0 }
    );
    assert!(matches!(
        min_variance(&exposure, 0.99, 0.05),
        Err(SolveError::InfeasibleUtility { .. })
    ));
    let floored = min_variance(&exposure, 0.9, 0.05).unwrap();
    close(floored.response.mean, 0.9, 1e-12);
    assert!(floored.response.strategy.iter().all(|&share| share >= 0.05));
}

#[test]
fn a_floor_that_leaves_no_mix_and_other_bad_input_are_errors() {
    let exposure = against("hawk_3", &[0.5, 0.3, 0.2]);
    assert_eq!(
        best_response(&exposure, 1.0, 0.34, Method::Auto).unwrap_err(),
        SolveError::InfeasibleFloor { floor: 0.34, actions: 3 }
    );
    assert!(best_response(&exposure, 1.0, 1.0 / 3.0, Method::Auto).is_ok());
    for gamma in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            best_response(&exposure, gamma, 0.0, Method::Auto),
            Err(SolveError::Invalid { .. })
        ));
    }
    assert!(best_response(&exposure, 1.0, 0.0, Method::ClosedForm).is_err());
    let weights = |w: [f64; 2]| Exposure::new(array![[1.0, 2.0]], Array1::from(w.to_vec()));
    assert!(weights([0.5, 0.4]).is_err() && weights([1.5, -0.5]).is_err());
    assert!(weights([0.5, f64::NAN]).is_err() && weights([0.5, 0.5]).is_ok());
    assert!(Exposure::new(array![[f64::INFINITY, 2.0]], array![0.5, 0.5]).is_err());
    let risk = RiskAversion { gamma: vec![1.0], tremble: Tremble::None };
    let views = Views::new(&game("hawk_3"));
    assert!(assess(&views, &Profile::uniform(&[3, 3]), &risk).is_err());
    let risk = RiskAversion::uniform(2, 1.0, Tremble::Opponent(0.4));
    assert!(matches!(
        assess(&views, &Profile::uniform(&[3, 3]), &risk),
        Err(SolveError::InfeasibleFloor { .. })
    ));
}

#[test]
fn three_players() {
    let game = game("stag_hunt_3");
    let profile = Profile::new(vec![vec![0.5, 0.5], vec![0.9, 0.1], vec![0.9, 0.1]]);
    let exposure = Views::new(&game).exposure(0, &profile, Tremble::None).unwrap();
    close(exposure.mean()[0], 4.86, 1e-12);
    close(exposure.mean()[1], 2.0, 1e-12);
    let sigma = exposure.covariance();
    close(sigma[[0, 0]], 5.5404, 1e-12);
    close(sigma[[0, 1]].abs() + sigma[[1, 1]].abs(), 0.0, 1e-12);
    for (gamma, share) in
        [(0.1, 1.0), (0.25, 1.0), (0.5, 0.516208), (1.0, 0.258104), (2.0, 0.129052)]
    {
        let response = best_response(&exposure, gamma, 0.0, Method::Auto).unwrap();
        close(response.strategy[0], share, 6e-7);
    }
    // Every equilibrium of the whole game carries its certificate; both strict ones are there.
    let found = all("stag_hunt_3", 0.5, Tremble::None, false);
    for actions in [[0, 0, 0], [1, 1, 1]] {
        let pure = Profile::pure(&[2, 2, 2], &actions);
        assert!(found.iter().any(|e| e.profile.distance(&pure) < 1e-12));
    }
    // Players may differ in gamma: the risk-neutral third responds with all of Stag.
    let risk = RiskAversion { gamma: vec![0.5, 2.0, 0.0], tremble: Tremble::Opponent(0.05) };
    let views = Views::new(&game);
    let found =
        enumerate(&views, &risk, Enumeration::default(), Streams::new(0)).unwrap().equilibria;
    assert!(!found.is_empty() && found.iter().all(|e| e.assessment.convergence() < 1e-8));
}

#[test]
fn fictitious_play_follows_the_recorded_path() {
    let game = game("asymmetric_matching_pennies");
    let views = Views::new(&game);
    let table = [
        (0.1, 1, 0.95, 0.4, 0.1815, 1.081),
        (0.1, 2, 0.766666667, 0.266666667, 0.498617, 0.425284),
        (0.1, 3, 0.575, 0.2, 0.523250, 0.101687),
        (0.1, 10, 0.263374523, 0.463812069, 0.096131, 0.193652),
        (0.1, 1000, 0.396534273, 0.401527327, 5.795e-5, 1.0042e-4),
        (0.5, 1, 0.9, 0.4, 0.75, 0.82),
        (0.5, 3, 0.615909091, 0.214772727, 0.399952, 2.14e-5),
        (0.5, 10, 0.371625392, 0.300680756, 0.011482, 0.044609),
        (0.5, 1000, 0.401002953, 0.400639610, 6.637e-7, 6.530e-6),
    ];
    for (gamma, rounds, x, y, first, second) in table {
        let risk = RiskAversion::uniform(2, gamma, Tremble::None);
        let start = Profile::new(vec![vec![0.9, 0.1], vec![0.8, 0.2]]);
        let parameters = FictitiousPlay { rounds, tolerance: 0.0, play: Play::Deterministic };
        let played = fictitious_play(&views, &risk, start, parameters, Streams::new(0)).unwrap();
        assert_eq!((played.rounds, played.stop), (rounds, Stop::IterationLimit));
        close(played.profile[0][0], x, DIGITS);
        close(played.profile[1][0], y, DIGITS);
        // Gaps are given to six places, or four digits where small.
        close(played.assessment.gap[0], first, 6e-7_f64.min(5e-4 * first).max(5e-11));
        close(played.assessment.gap[1], second, 6e-7_f64.min(3e-3 * second).max(5e-11));
    }
}

#[test]
fn sampled_play_converges_and_repeats_to_the_bit() {
    let game = game("asymmetric_matching_pennies");
    let views = Views::new(&game);
    let risk = RiskAversion::uniform(2, 0.5, Tremble::None);
    let parameters = FictitiousPlay { rounds: 40_000, tolerance: 0.0, play: Play::Sampled };
    let run = |seed| {
        let start = Profile::uniform(game.shape());
        fictitious_play(&views, &risk, start, parameters, Streams::new(seed)).unwrap()
    };
    let played = run(3);
    assert_eq!(played.profile, run(3).profile);
    assert_ne!(played.profile, run(4).profile);
    // The standard error of an average of 40,000 draws is 0.0025.
    close(played.profile[0][0], 0.4, 0.02);
    close(played.profile[1][0], 0.4, 0.02);
}

#[test]
fn the_solver_finds_certified_equilibria_in_every_catalogue_game() {
    for entry in catalogue::GAMES {
        let game = entry.game().unwrap();
        let scale = game.largest_payoff();
        // Risk aversion in proportion to the payoffs, so that the large games are not all risk.
        let solver = Rae { gamma: 1.0 / scale, tolerance: 1e-9 * scale, ..Rae::default() };
        let solutions = solver.solve(&game, &SolveOptions::default()).unwrap();
        let [solution] = solutions.equilibria.as_slice() else { panic!("{}", entry.name) };
        let risk = solution.risk.as_ref().unwrap();
        let gap: f64 = risk.gap.iter().sum();
        if solution.stop == Stop::Converged {
            assert!(gap <= 1e-9 * scale, "{}: gap {gap}", entry.name);
        } else {
            // Shapley's game is the one in which fictitious play is known to cycle.
            assert_eq!(entry.name, "shapley_1964", "gap {gap}");
        }
        for (variance, total) in risk.variance.iter().zip(&risk.total_variance) {
            assert!(*variance <= total + 1e-9 * scale * scale);
        }
    }
}

/// The largest gamma at which stag hunters stay: both columns of the table, and the tied game.
#[test]
fn conventions_are_lost_at_the_critical_gamma() {
    let stag = catalogue::find("stag_hunt").unwrap().game().unwrap();
    for (least, floor, opponent) in [
        (0.01, 4.113_342, 4.082_492),
        (0.02, 2.028_730, 1.998_299),
        (0.05, 0.774_664, 0.745_614),
        (0.10, 0.350_350, 0.324_074),
        (0.20, 0.122_549, 0.104_167),
    ] {
        for (tremble, expected) in
            [(Tremble::Floor(least), floor), (Tremble::Opponent(least), opponent)]
        {
            let found = critical_gamma(&stag, &[0, 0], tremble).unwrap();
            assert!(
                (found[0] - expected).abs() < 6e-7 && (found[1] - expected).abs() < 6e-7,
                "{tremble:?}: {found:?}"
            );
            // Hunting hares is safe at any gamma, and one of each is no equilibrium.
            assert_eq!(critical_gamma(&stag, &[1, 1], tremble).unwrap(), [f64::INFINITY; 2]);
            assert!(critical_gamma(&stag, &[0, 1], tremble).unwrap()[0] < 0.0);
        }
        // Fictitious play from the best convention stays below it and leaves above it.
        for (gamma, stays) in [(0.97 * opponent, true), (1.03 * opponent, false)] {
            let (tremble, start) = (Tremble::Opponent(least), Start::Welfare);
            let rae = Rae { gamma, tremble, start, ..Rae::default() };
            let found = rae.solve(&stag, &SolveOptions::default()).unwrap().equilibria;
            let share = found[0].profile[0][0];
            assert!(if stays { share > 0.999 } else { share < 0.5 }, "{least} {gamma}: {share}");
        }
    }
    let tied = catalogue::find("stag_hunt_tied").unwrap().game().unwrap();
    let found = critical_gamma(&tied, &[0, 0], Tremble::Opponent(0.05)).unwrap();
    assert!((found[0] - 2.368_421).abs() < 6e-7, "{found:?}");
}
