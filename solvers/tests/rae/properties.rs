//! Properties of Risk-Averse play that hold in every game.

use gambol_solvers::game::NormalForm;
use gambol_solvers::game::catalogue;
use gambol_solvers::game::generate::Generator;
use gambol_solvers::rae::{
    Enumeration, Exposure, Method, RiskAversion, Tremble, Views, assess, best_response, enumerate,
};
use gambol_solvers::seed::{Purpose, Streams, unit_f64};
use gambol_solvers::solution::Profile;
use ndarray::{Array1, Array2, array};
use proptest::prelude::*;

/// A random exposure, `low` to `high`, against a random mix of which some states have no weight.
fn exposure(actions: usize, states: usize, seed: u64) -> Exposure {
    let mut rng = Streams::new(seed).at(Purpose::Generate, 7, 0);
    let payoffs = Array2::from_shape_fn((actions, states), |_| 10.0 * unit_f64(&mut rng) - 5.0);
    let mut weights = Array1::from_shape_fn(states, |_| (unit_f64(&mut rng) - 0.25).max(0.0));
    weights[0] += 0.1;
    let total = weights.sum();
    Exposure::new(payoffs, weights / total).unwrap()
}

fn mix(actions: usize, seed: u64) -> Array1<f64> {
    let mut rng = Streams::new(seed).at(Purpose::Generate, 8, 0);
    let mix = Array1::from_shape_fn(actions, |_| unit_f64(&mut rng));
    let total = mix.sum();
    mix / total
}

/// An RAE of a game, or none if fictitious play's and Newton's starts all fail.
fn equilibria(game: &NormalForm, gamma: f64, tremble: Tremble) -> Vec<Profile> {
    let risk = RiskAversion::uniform(game.players(), gamma, tremble);
    let found = enumerate(&Views::new(game), &risk, Enumeration::default(), Streams::new(1));
    found.unwrap().equilibria.into_iter().map(|equilibrium| equilibrium.profile).collect()
}

fn random_game(actions: Vec<usize>, seed: u64) -> NormalForm {
    let generator = Generator::Uniform { actions, low: -3.0, high: 5.0 };
    generator.generate(Streams::new(seed), 0).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// P9: the gap of every method's answer is below its tolerance, and the methods agree.
    #[test]
    fn methods_agree_and_certify(
        (actions, states) in (2_usize..12, 1_usize..12),
        seed: u64,
        gamma in prop_oneof![Just(0.0), 0.001..10.0_f64],
        floor in prop_oneof![Just(0.0), 0.0..0.08_f64],
    ) {
        let exposure = exposure(actions, states, seed);
        let exact = best_response(&exposure, gamma, floor, Method::ActiveSet).unwrap();
        let scale = 1.0 + gamma * 25.0;
        prop_assert!(exact.gap <= 1e-11 * scale, "gap {}", exact.gap);
        prop_assert!(exact.strategy.iter().all(|&share| share >= floor - 1e-15));
        prop_assert!((exact.strategy.sum() - 1.0).abs() < 1e-12);
        let walk = best_response(&exposure, gamma, floor, Method::FrankWolfe).unwrap();
        prop_assert!(walk.gap <= 1e-11 * scale);
        prop_assert!((walk.value - exact.value).abs() <= 1e-11 * scale);
        let interior = best_response(&exposure, gamma, floor, Method::InteriorPoint).unwrap();
        prop_assert!(interior.gap <= 1e-6 * scale, "interior gap {}", interior.gap);
        prop_assert!(interior.value <= exact.value + 1e-11 * scale);
        if actions == 2 {
            let closed = best_response(&exposure, gamma, floor, Method::ClosedForm).unwrap();
            prop_assert!((closed.value - exact.value).abs() <= 1e-11 * scale);
        }
        // No random mix does better.
        let other = mix(actions, seed ^ 1).mapv(|p| floor + (1.0 - floor * actions as f64) * p);
        prop_assert!(exposure.objective(gamma, other.view()) <= exact.value + exact.gap + 1e-12);
        let bound = exposure.frank_wolfe_gap(gamma, floor, other.view());
        prop_assert!(exact.value - exposure.objective(gamma, other.view()) <= bound + 1e-11 * scale);
    }

    /// P7 and fact 11: value, mean and variance of the best response fall as gamma grows.
    #[test]
    fn more_aversion_never_means_more_risk(actions in 2_usize..9, states in 1_usize..9, seed: u64) {
        let exposure = exposure(actions, states, seed);
        let responses: Vec<_> = [0.0, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0]
            .map(|gamma| best_response(&exposure, gamma, 0.0, Method::Auto).unwrap())
            .into();
        for pair in responses.windows(2) {
            prop_assert!(pair[1].value <= pair[0].value + 1e-10);
            prop_assert!(pair[1].mean <= pair[0].mean + 1e-9);
            prop_assert!(pair[1].variance <= pair[0].variance + 1e-9);
        }
    }

    /// P8 and fact 13: the covariance is a covariance, and the gradient is an expectation under
    /// other weights.
    #[test]
    fn moments_fit_together(actions in 1_usize..9, states in 1_usize..9, seed: u64, gamma in 0.0..3.0_f64) {
        let exposure = exposure(actions, states, seed);
        let x = mix(actions, seed ^ 2);
        let sigma = exposure.covariance();
        let variance = exposure.strategic_variance(x.view());
        prop_assert!((x.dot(&sigma.dot(&x)) - variance).abs() < 1e-11);
        prop_assert!(variance >= 0.0);
        prop_assert!(variance <= exposure.total_variance(x.view()) + 1e-12);
        let direction = mix(actions, seed ^ 3) - &mix(actions, seed ^ 4);
        prop_assert!(direction.dot(&sigma.dot(&direction)) >= -1e-12);
        for (lazy, formed) in exposure.covariance_times(x.view()).iter().zip(&sigma.dot(&x)) {
            prop_assert!((lazy - formed).abs() < 1e-12);
        }
        let weights = exposure.reweighted(gamma, x.view());
        prop_assert!((weights.sum() - 1.0).abs() < 1e-12);
        let mut rng = Streams::new(seed).at(Purpose::Generate, 7, 0);
        let payoffs = Array2::from_shape_fn((actions, states), |_| 10.0 * unit_f64(&mut rng) - 5.0);
        for (plain, gradient) in payoffs.dot(&weights).iter().zip(&exposure.gradient(gamma, x.view())) {
            prop_assert!((plain - gradient).abs() < 1e-11, "{plain} {gradient}");
        }
    }

    /// P4 and P5: equilibria scale with the payoffs and ignore constants.
    #[test]
    fn equilibria_scale_and_shift(seed: u64, gamma in 0.0..2.0_f64, factor in 0.1..20.0_f64) {
        let game = random_game(vec![2, 2], seed);
        let tensors = |f: &dyn Fn(usize, f64) -> f64| {
            let tensors = (0..2).map(|p| game.payoff_tensor(p).mapv(|u| f(p, u))).collect();
            NormalForm::new(tensors).unwrap()
        };
        let scaled = tensors(&|_, u| factor * u);
        let shifted = tensors(&|player, u| u + 7.0 - 20.0 * player as f64);
        let before = equilibria(&game, gamma, Tremble::Floor(0.03));
        prop_assert!(!before.is_empty(), "existence");
        let same = |after: &[Profile]| {
            before.len() == after.len()
                && before.iter().zip(after).all(|(a, b)| a.distance(b) < 1e-6)
        };
        prop_assert!(same(&equilibria(&scaled, gamma / factor, Tremble::Floor(0.03))));
        prop_assert!(same(&equilibria(&shifted, gamma, Tremble::Floor(0.03))));
    }

    /// Existence, and P1: at gamma 0 what is found are Nash equilibria.
    #[test]
    fn two_by_two_games_have_equilibria(seed: u64, gamma in 0.0..5.0_f64, least in 0.0..0.3_f64) {
        let game = random_game(vec![2, 2], seed);
        for tremble in [Tremble::None, Tremble::Floor(least), Tremble::Opponent(least)] {
            prop_assert!(!equilibria(&game, gamma, tremble).is_empty(), "{tremble:?}");
        }
        for profile in equilibria(&game, 0.0, Tremble::None) {
            prop_assert!(game.nash_conv(&profile) < 1e-8);
        }
        // P2: strict pure equilibria stay at every gamma.
        let found = equilibria(&game, gamma, Tremble::None);
        for actions in [[0, 0], [0, 1], [1, 0], [1, 1]] {
            let pure = Profile::pure(&[2, 2], &actions);
            let own = |p: usize| game.pure_payoffs(&actions).unwrap()[p];
            let other = |p: usize| {
                let mut deviation = actions;
                deviation[p] = 1 - deviation[p];
                game.pure_payoffs(&deviation).unwrap()[p]
            };
            if (0..2).all(|p| own(p) > other(p)) {
                prop_assert!(found.iter().any(|profile| profile.distance(&pure) < 1e-9));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// P1 to P9 on larger games: whatever enumeration returns is certified, at gamma 0 it is Nash.
    #[test]
    fn larger_games_give_certified_equilibria(
        actions in prop_oneof![
            Just(vec![3, 3]), Just(vec![2, 4]), Just(vec![2, 2, 2]), Just(vec![4, 3]),
        ],
        seed: u64,
        gamma in prop_oneof![Just(0.0), 0.0..1.0_f64],
    ) {
        let game = random_game(actions, seed);
        let risk = RiskAversion::uniform(game.players(), gamma, Tremble::None);
        let views = Views::new(&game);
        let found = enumerate(&views, &risk, Enumeration::default(), Streams::new(2)).unwrap();
        prop_assert!(!found.equilibria.is_empty(), "existence");
        for equilibrium in found.equilibria {
            let again = assess(&views, &equilibrium.profile, &risk).unwrap();
            prop_assert!(again.convergence() <= 1e-7);
            prop_assert!(again.gap.iter().zip(&again.bound).all(|(gap, bound)| *gap <= bound + 1e-12));
            if gamma <= 0.0 {
                prop_assert!((again.convergence() - game.nash_conv(&equilibrium.profile)).abs() < 1e-9);
            }
        }
    }
}

/// A random mix per player; about a quarter of the shares are zero.
fn random_profile(shape: &[usize], seed: u64) -> Profile {
    let mut rng = Streams::new(seed).at(Purpose::Generate, 9, 0);
    let mix = |&actions: &usize| {
        let mut mix: Vec<f64> =
            (0..actions).map(|_| (unit_f64(&mut rng) - 0.25).max(0.0)).collect();
        mix[0] += 0.1;
        let total: f64 = mix.iter().sum();
        mix.iter().map(|share| share / total).collect()
    };
    Profile::new(shape.iter().map(mix).collect())
}

fn any_shape() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![2, 2]),
        Just(vec![3, 5]),
        Just(vec![6, 4]),
        Just(vec![2, 3, 2]),
        Just(vec![3, 2, 2, 2]),
    ]
}

fn any_tremble() -> impl Strategy<Value = Tremble> {
    prop_oneof![
        Just(Tremble::None),
        (0.0..0.15_f64).prop_map(Tremble::Floor),
        (0.0..0.15_f64).prop_map(Tremble::Opponent),
    ]
}

/// The game with every payoff of player `p` sent through a function of `p` and the payoff.
fn mapped(game: &NormalForm, f: impl Fn(usize, f64) -> f64) -> NormalForm {
    let tensors = (0..game.players()).map(|p| game.payoff_tensor(p).mapv(|u| f(p, u))).collect();
    NormalForm::new(tensors).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// P1 for whatever is played: with gamma 0 the RAE gap is the regret.
    #[test]
    fn without_aversion_the_gap_is_the_regret(shape in any_shape(), seed: u64) {
        let game = random_game(shape, seed);
        let profile = random_profile(game.shape(), seed);
        let risk = RiskAversion::uniform(game.players(), 0.0, Tremble::None);
        let assessment = assess(&Views::new(&game), &profile, &risk).unwrap();
        for (player, regret) in game.regret(&profile).iter().enumerate() {
            prop_assert!((assessment.gap[player] - regret).abs() < 1e-12);
            prop_assert!((assessment.mean[player] - game.payoffs(&profile)[player]).abs() < 1e-12);
        }
    }

    /// P2: strict pure equilibria have no variance and no gap at any gamma.
    #[test]
    fn strict_pure_equilibria_are_risk_averse_equilibria(
        shape in any_shape(), seed: u64, gamma in 0.0..50.0_f64,
    ) {
        let game = random_game(shape, seed);
        let views = Views::new(&game);
        let risk = RiskAversion::uniform(game.players(), gamma, Tremble::None);
        let mut actions = vec![0; game.players()];
        'profiles: loop {
            let pure = Profile::pure(game.shape(), &actions);
            let strict = (0..game.players()).all(|p| {
                let payoffs = game.deviation_payoffs(p, &pure);
                (0..payoffs.len()).all(|a| a == actions[p] || payoffs[a] < payoffs[actions[p]])
            });
            let assessment = assess(&views, &pure, &risk).unwrap();
            prop_assert!(assessment.variance.iter().all(|variance| *variance <= 0.0));
            prop_assert_eq!(strict, assessment.bound.iter().all(|bound| *bound <= 0.0));
            for (p, action) in actions.iter_mut().enumerate() {
                *action = (*action + 1) % game.shape()[p];
                if *action > 0 { continue 'profiles; }
            }
            break;
        }
    }

    /// P3: a zero-sum game built to have a fully mixed equilibrium in which both are indifferent to
    /// everything the other does keeps it at every gamma, without variance.
    #[test]
    fn fully_mixed_zero_sum_equilibria_stay(
        n in 2_usize..7, seed: u64, gamma in 0.0..50.0_f64, value in -3.0..3.0_f64,
    ) {
        let (x, y) = (mix(n, seed ^ 5), mix(n, seed ^ 6));
        let mut rng = Streams::new(seed).at(Purpose::Generate, 10, 0);
        let raw = Array2::from_shape_fn((n, n), |_| 10.0 * unit_f64(&mut rng) - 5.0);
        let (rows, columns) = (raw.dot(&y), x.dot(&raw));
        let both = x.dot(&rows);
        // Now `M y` and `x M` are `value` everywhere.
        let m = Array2::from_shape_fn((n, n), |(a, k)| {
            raw[[a, k]] - rows[a] - columns[k] + both + value
        });
        let game = NormalForm::zero_sum(m.view()).unwrap();
        let profile = Profile::new(vec![x.to_vec(), y.to_vec()]);
        let risk = RiskAversion::uniform(2, gamma, Tremble::None);
        let assessment = assess(&Views::new(&game), &profile, &risk).unwrap();
        prop_assert!(assessment.bound.iter().all(|bound| *bound < 1e-11), "{assessment:?}");
        prop_assert!(assessment.variance.iter().all(|variance| *variance < 1e-24));
        prop_assert!((assessment.mean[0] - value).abs() < 1e-12);
    }

    /// P4 and P5 for whatever is played: gaps scale with the payoffs, variances with their square,
    /// and a constant per player changes neither.
    #[test]
    fn gaps_scale_and_ignore_constants(
        shape in any_shape(), seed: u64, gamma in 0.0..3.0_f64, factor in 0.1..20.0_f64,
        tremble in any_tremble(),
    ) {
        let game = random_game(shape, seed);
        let least = tremble.floor();
        let profile = Profile::new(random_profile(game.shape(), seed).iter().map(|mix| {
            mix.iter().map(|share| least + (1.0 - least * mix.len() as f64) * share).collect()
        }).collect());
        let at = |game: &NormalForm, gamma| {
            let risk = RiskAversion::uniform(game.players(), gamma, tremble);
            assess(&Views::new(game), &profile, &risk).unwrap()
        };
        let plain = at(&game, gamma);
        let scaled = at(&mapped(&game, |_, u| factor * u), gamma / factor);
        let shifted = at(&mapped(&game, |p, u| u + 7.0 - 20.0 * p as f64), gamma);
        for p in 0..game.players() {
            let near = |a: f64, b: f64| (a - b).abs() < 1e-9 * (1.0 + factor * factor);
            prop_assert!(near(scaled.gap[p], factor * plain.gap[p]));
            prop_assert!(near(scaled.variance[p], factor * factor * plain.variance[p]));
            prop_assert!(near(scaled.total_variance[p], factor * factor * plain.total_variance[p]));
            prop_assert!(near(shifted.gap[p], plain.gap[p]));
            prop_assert!(near(shifted.variance[p], plain.variance[p]));
            prop_assert!(near(shifted.mean[p], plain.mean[p] + 7.0 - 20.0 * p as f64));
        }
    }

    /// P6: a term `c` that depends on the opponent's action only leaves all regrets alone, but
    /// adds `Var c + 2 Cov(g, c)` to the variance of a mix with payoffs `g`.
    #[test]
    fn a_term_of_the_opponent_changes_variance_but_no_regret(
        rows in 2_usize..6, columns in 2_usize..6, seed: u64,
    ) {
        let game = random_game(vec![rows, columns], seed);
        let (own, other) = game.matrices().unwrap();
        let term = 10.0 * mix(columns, seed ^ 7);
        let moved = NormalForm::bimatrix((&own + &term).view(), other).unwrap();
        let profile = random_profile(game.shape(), seed);
        for (before, after) in game.regret(&profile).iter().zip(moved.regret(&profile)) {
            prop_assert!((before - after).abs() < 1e-12);
        }
        let y = Array1::from(profile[1].clone());
        let g = Array1::from(profile[0].clone()).dot(&own);
        let mean = |v: &Array1<f64>| v.dot(&y);
        let covariance = |a: &Array1<f64>, b: &Array1<f64>| mean(&(a * b)) - mean(a) * mean(b);
        let risk = RiskAversion::uniform(2, 1.0, Tremble::None);
        let variance = |game: &NormalForm| {
            assess(&Views::new(game), &profile, &risk).unwrap().variance[0]
        };
        let added = variance(&moved) - variance(&game);
        let expected = covariance(&term, &term) + 2.0 * covariance(&g, &term);
        prop_assert!((added - expected).abs() < 1e-10, "{added} {expected}");
    }

    /// P9: a mix is a best response exactly if its supported actions share the largest gradient.
    #[test]
    fn best_responses_share_the_largest_gradient(
        actions in 2_usize..20, states in 1_usize..12, seed: u64, gamma in 0.0..5.0_f64,
        floor in prop_oneof![Just(0.0), 0.0..0.04_f64],
    ) {
        let exposure = exposure(actions, states, seed);
        let best = best_response(&exposure, gamma, floor, Method::Auto).unwrap();
        let gradient = exposure.gradient(gamma, best.strategy.view());
        let largest = gradient.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (share, gradient) in best.strategy.iter().zip(&gradient) {
            prop_assert!(*share <= floor + 1e-9 || *gradient >= largest - 1e-9 * (1.0 + gamma));
        }
        // And of another mix the gap is positive just where that fails.
        let other = mix(actions, seed ^ 8).mapv(|p| floor + (1.0 - floor * actions as f64) * p);
        let gradient = exposure.gradient(gamma, other.view());
        let largest = gradient.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let uneven = gradient.iter().any(|gradient| *gradient < largest - 1e-6);
        let missed = best.value - exposure.objective(gamma, other.view());
        prop_assert!(missed >= -1e-10 && (!uneven || missed > 0.0));
    }
}

/// P3: where the Nash mixes make every opponent indifferent to everything, they are RAE with no
/// variance at every gamma.
#[test]
fn equalisers_are_equilibria_at_every_gamma() {
    for (name, mixes) in [
        ("matching_pennies", vec![vec![0.5, 0.5]; 2]),
        ("asymmetric_matching_pennies", vec![vec![0.4, 0.6]; 2]),
        ("rock_paper_scissors", vec![vec![1.0 / 3.0; 3]; 2]),
        ("biased_rock_paper_scissors", vec![vec![0.0625, 0.625, 0.3125]; 2]),
    ] {
        let game = catalogue::find(name).unwrap().game().unwrap();
        let views = Views::new(&game);
        let profile = Profile::new(mixes);
        for gamma in [0.0, 0.1, 1.0, 10.0] {
            let risk = RiskAversion::uniform(2, gamma, Tremble::None);
            let assessment = assess(&views, &profile, &risk).unwrap();
            assert!(assessment.convergence() < 1e-12, "{name} at {gamma}");
            assert!(assessment.variance.iter().all(|variance| *variance < 1e-12));
        }
    }
}

/// P6: a constant per opponent action leaves Nash equilibria alone but changes risk.
#[test]
fn a_constant_per_opponent_action_changes_risk() {
    let half = array![0.5, 0.5];
    let plain = Exposure::new(array![[2.0, -1.0], [-1.0, 1.0]], half.clone()).unwrap();
    let moved = Exposure::new(array![[7.0, -1.0], [4.0, 1.0]], half).unwrap();
    let response = |exposure| best_response(exposure, 0.5, 0.0, Method::Auto).unwrap().strategy;
    let (plain, moved) = (response(&plain), response(&moved));
    assert!((plain[0] - 0.48).abs() < 1e-12);
    assert_eq!(moved, array![0.0, 1.0]);
}

/// P6 for equilibria: in many random games the set of RAE moves with such a term, while the Nash
/// equilibria stay.
#[test]
fn a_term_of_the_opponent_moves_equilibria() {
    let mut moved = 0;
    for seed in 0..50 {
        let game = random_game(vec![2, 2], seed);
        let (own, other) = game.matrices().unwrap();
        let term = array![4.0, 0.0];
        let after = NormalForm::bimatrix((&own + &term).view(), other).unwrap();
        let same = |gamma| {
            let of = |game| equilibria(game, gamma, Tremble::Floor(0.05));
            let (a, b) = (of(&game), of(&after));
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.distance(b) < 1e-6)
        };
        assert!(same(0.0), "seed {seed}");
        moved += i32::from(!same(1.0));
    }
    assert!(moved > 20, "{moved} of 50");
}

/// Why total variance is not the objective: in asymmetric matching pennies it leaves no
/// equilibrium, whatever grid point one tries.
#[test]
fn total_variance_leaves_no_equilibrium() {
    for (gamma, expected) in [(1.0, 0.205_571), (0.1, 0.002_433)] {
        let worst_regret = |p: f64, q: f64| {
            let value = |m: [[f64; 2]; 2], own: f64, other: f64| {
                let cells = [
                    own * other,
                    own * (1.0 - other),
                    (1.0 - own) * other,
                    (1.0 - own) * (1.0 - other),
                ];
                let payoffs = [m[0][0], m[0][1], m[1][0], m[1][1]];
                let mean: f64 = cells.iter().zip(payoffs).map(|(w, u)| w * u).sum();
                let square: f64 = cells.iter().zip(payoffs).map(|(w, u)| w * u * u).sum();
                mean - gamma * (square - mean * mean)
            };
            // The objective is convex in the own share, so a best response is pure.
            let regret = |m, own, other| {
                value(m, 0.0, other).max(value(m, 1.0, other)) - value(m, own, other)
            };
            let row = [[2.0, -1.0], [-1.0, 1.0]];
            let column = [[-2.0, 1.0], [1.0, -1.0]];
            regret(row, p, q).max(regret(column, q, p))
        };
        let mut best = (f64::INFINITY, 0.0, 0.0);
        for i in 0..=400 {
            for j in 0..=400 {
                let (p, q) = (f64::from(i) / 400.0, f64::from(j) / 400.0);
                let regret = worst_regret(p, q);
                if regret < best.0 {
                    best = (regret, p, q);
                }
            }
        }
        assert!((best.0 - expected).abs() < 6e-7, "{best:?}");
        if gamma >= 1.0 {
            assert!((best.1 - 0.2225).abs() < 1e-12 && (best.2 - 0.545).abs() < 1e-12);
        }
    }
}

/// Payoff noise of an empirical game enters on the diagonal and favours spreading.
#[test]
fn noise_makes_mixing_worth_while() {
    let calm = Exposure::new(array![[1.0, 1.0], [1.0, 1.0]], array![0.5, 0.5]).unwrap();
    let noisy = calm.clone().with_noise(&array![[4.0, 4.0], [1.0, 3.0]]).unwrap();
    // Variances 4 and 2: the least of 4 x^2 + 2 (1 - x)^2 is at 1/3.
    for method in [Method::ClosedForm, Method::ActiveSet, Method::FrankWolfe] {
        let response = best_response(&noisy, 1.0, 0.0, method).unwrap();
        assert!((response.strategy[0] - 1.0 / 3.0).abs() < 1e-12, "{method:?}");
        assert!((response.variance - 4.0 / 3.0).abs() < 1e-12);
        assert!(response.gap < 1e-12);
    }
    assert!(calm.clone().with_noise(&array![[4.0, 4.0]]).is_err());
    assert!(calm.with_noise(&array![[4.0, -4.0], [1.0, 3.0]]).is_err());
}

/// A thousand actions: the answer is certified, and the sparse methods agree.
#[test]
fn a_thousand_actions_are_certified() {
    for (gamma, floor) in [(0.1, 0.0), (1.0, 0.0), (20.0, 0.0), (1.0, 2e-4)] {
        let exposure = exposure(1000, 1000, 3);
        let response = best_response(&exposure, gamma, floor, Method::Auto).unwrap();
        let scale = 1.0 + gamma * 25.0;
        assert!(response.gap <= 1e-10 * scale, "gamma {gamma}: gap {}", response.gap);
    }
}
