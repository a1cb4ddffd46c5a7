//! Martingale evaluation against closed forms of the mesh and of the continuous limit.
#![allow(clippy::unwrap_used, reason = "tests")]

use gambol_agents::martingale::family::{Family, Linear, Points, Term};
use gambol_agents::martingale::iterate::{Iterate, Rule, Steps};
use gambol_agents::martingale::method::Method;
use gambol_agents::martingale::moments::{
    Blocks, Discounting, Errors, Moments, Piece, Test, Tester, martingale_loss, mean_square_error,
};
use gambol_agents::martingale::problem::{Estimate, Horizon, Payoff, Study, StudyError};
use gambol_envs::diffusion::paths::{Paths, Sampling, Start};
use gambol_envs::diffusion::process::{Polynomial, Scheme};
use gambol_envs::diffusion::value::{Value, polynomial};
use gambol_envs::seed::Streams;

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() < tolerance, "{found} is not {expected} within {tolerance}");
}

fn tests() -> [Test; 3] {
    [Test::Loss, Test::Features, Test::Slopes]
}

/// A whole path without reward and discount, on `[0, 1]`, with `h = x^2`.
fn whole(states: &[f64]) -> (Piece<'_>, Vec<f64>) {
    let steps = states.len() - 1;
    let points = Points { tau: 1.0, dt: 1.0 / steps as f64, states, dim: 1 };
    let piece = Piece {
        points,
        rewards: &[],
        terminal: Some(states[steps] * states[steps]),
        start: 0.0,
        discount: 0.0,
        discounting: Discounting::Rate,
    };
    (piece, vec![0.0; steps])
}

/// The parameter that a test process asks for on weighted paths of a family with one feature.
fn solved(family: &Linear, test: &Test, paths: &[(Vec<f64>, f64)]) -> f64 {
    let mut sums = Moments::new(1, 1);
    let mut tester = Tester::new(test, 1);
    let mut errors = Errors::default();
    for (states, weight) in paths {
        let (piece, rewards) = whole(states);
        let piece = Piece { rewards: &rewards, ..piece };
        errors.fill(family, &piece);
        tester.begin();
        tester.add(&piece, &errors, *weight, &mut sums);
    }
    -sums.b[0] / sums.a[0][0]
}

/// Toy B has features without noise, so that expectations are those of a path with `x_k^2 = t_k`.
fn toy_b(test: &Test, n: u32) -> f64 {
    let family = Linear { base: vec![Term::monomial(2, 0)], features: vec![Term::monomial(0, 2)] };
    let path = (0..=n).map(|k| (f64::from(k) / f64::from(n)).sqrt()).collect();
    solved(&family, test, &[(path, 1.0)])
}

#[test]
fn facts_20_21_25_toy_b() {
    let [loss, features, slopes] = tests();
    near(toy_b(&loss, 10), 1.194_095, 1e-6);
    near(toy_b(&features, 10), 0.679_612, 1e-6);
    near(toy_b(&slopes, 10), 0.751_880, 1e-6);
    near(toy_b(&Test::Trace(0.5), 10), 1.099_947, 1e-6);
    near(toy_b(&Test::Trace(0.5), 100), 1.148_062, 1e-6);
    near(toy_b(&loss, 100), 1.243_822, 1e-6);
    near(toy_b(&features, 100), 0.667_796, 1e-6);
    near(toy_b(&loss, 1000), 1.25, 7e-4);
    near(toy_b(&features, 1000), 2.0 / 3.0, 1.2e-4);
    near(toy_b(&slopes, 1000), 0.75, 1e-6);
    near(toy_b(&Test::Trace(0.1), 1000), 0.995_652, 1e-6);
    near(toy_b(&Test::Trace(0.5), 1000), 1.153_560, 1e-6);
    near(toy_b(&Test::Trace(1.0), 1000), toy_b(&loss, 1000), 1e-9);
}

/// Every path of `n` steps of a walk whose increments have the first five moments of the normal law.
fn walks(n: u32) -> Vec<(Vec<f64>, f64)> {
    let size = (3.0 / f64::from(n)).sqrt();
    let mut paths = vec![(vec![0.0], 1.0)];
    for _ in 0..n {
        paths = paths
            .into_iter()
            .flat_map(|(path, weight)| {
                [(-size, 1.0 / 6.0), (0.0, 2.0 / 3.0), (size, 1.0 / 6.0)].map(|(step, share)| {
                    let mut longer = path.clone();
                    longer.push(path[path.len() - 1] + step);
                    (longer, weight * share)
                })
            })
            .collect();
    }
    paths
}

#[test]
fn fact_22_toy_c_exactly() {
    let family = Linear { base: vec![Term::monomial(2, 0)], features: vec![Term::monomial(2, 1)] };
    let [loss, features, slopes] = tests();
    for n in [2, 4, 7] {
        let (paths, dt) = (walks(n), 1.0 / f64::from(n));
        near(solved(&family, &loss, &paths), (5.0 / 6.0) / (1.0 + dt * dt), 1e-12);
        near(solved(&family, &features, &paths), 1.0 / (1.0 + dt), 1e-12);
        near(solved(&family, &slopes, &paths), -(2.0 - dt) / (1.0 + dt).powi(2), 1e-12);
    }
}

#[test]
fn toy_a_exactly() {
    let family = Linear { base: vec![Term::monomial(1, 0)], features: vec![Term::monomial(1, 1)] };
    // h = x here, where the helper pays x^2: the base holds it, so the end pays what the base says.
    let mut paths = walks(6);
    let solve = |test: &Test, paths: &[(Vec<f64>, f64)]| {
        let mut sums = Moments::new(1, 1);
        let (mut tester, mut errors) = (Tester::new(test, 1), Errors::default());
        for (states, weight) in paths {
            let (piece, rewards) = whole(states);
            let terminal = states.last().copied();
            let piece = Piece { rewards: &rewards, terminal, ..piece };
            errors.fill(&family, &piece);
            tester.begin();
            tester.add(&piece, &errors, *weight, &mut sums);
        }
        -sums.b[0] / sums.a[0][0]
    };
    let [loss, features, slopes] = tests();
    near(solve(&loss, &paths), 0.0, 1e-12);
    near(solve(&features, &paths), 0.0, 1e-12);
    near(solve(&slopes, &paths), -1.5 / (1.0 + 1.0 / 6.0), 1e-12);
    // The order of the paths does not matter.
    paths.reverse();
    near(solve(&slopes, &paths), -1.5 / (1.0 + 1.0 / 6.0), 1e-12);
}

#[test]
fn fact_24_the_loss_descends_as_ctd_1() {
    let family = Linear {
        base: vec![Term::monomial(2, 0)],
        features: vec![Term::monomial(2, 1), Term::monomial(1, 1), Term::monomial(0, 2)],
    };
    let process = Polynomial::Brownian { drift: 0.3, sigma: 1.0, dim: 1 };
    let start = Start::At(0.4);
    let sampling = Sampling { scheme: Scheme::Euler, dt: 0.02, refine: 1, antithetic: false };
    let mut paths = Paths::new(&process, &start, sampling, Streams::new(3));
    let theta = [0.3, -0.7, 1.1];
    for path in 0..100 {
        paths.begin(path);
        let (_, states) = paths.advance(50);
        let (piece, _) = whole(states);
        let rewards: Vec<f64> = states[..50].iter().map(|x| x.abs()).collect();
        let piece = Piece { rewards: &rewards, ..piece };
        let mut errors = Errors::default();
        errors.fill(&family, &piece);
        let direction = |test: &Test| {
            let mut sums = Moments::new(3, 3);
            Tester::new(test, 3).add(&piece, &errors, 1.0, &mut sums);
            sums.residual(&theta)
        };
        let (loss, ctd) = (direction(&Test::Loss), direction(&Test::Trace(1.0)));
        let size = loss.iter().fold(0.0, |size: f64, x| size.max(x.abs()));
        for (a, b) in loss.iter().zip(&ctd) {
            near(*a, *b, 1e-12 * size.max(1e-3));
        }
        // And both are the gradient of the loss itself.
        for i in 0..3 {
            let shifted = |by: f64| {
                let mut theta = theta;
                theta[i] += by;
                martingale_loss(&piece, &errors, &theta)
            };
            near((shifted(-1e-4) - shifted(1e-4)) / 2e-4, loss[i], 1e-7 * size.max(1.0));
        }
    }
}

/// The expected moments of one transition of the stationary OU process with `phi = (x^2, 1)`.
fn ou(dt: f64, discounting: Discounting) -> Moments {
    let (kappa, sigma, discount): (f64, f64, f64) = (1.0, 0.5, 0.1);
    let family =
        Linear { base: Vec::new(), features: vec![Term::monomial(2, 0), Term::monomial(0, 0)] };
    let keep = (-kappa * dt).exp();
    let law = sigma / (2.0 * kappa).sqrt();
    let spread = law * (1.0 - keep * keep).sqrt();
    let nodes = [(-(3.0_f64.sqrt()), 1.0 / 6.0), (0.0, 2.0 / 3.0), (3.0_f64.sqrt(), 1.0 / 6.0)];
    let mut sums = Moments::new(2, 2);
    let (mut tester, mut errors) = (Tester::new(&Test::Features, 2), Errors::default());
    for (z, p) in nodes {
        for (noise, q) in nodes {
            let states = [law * z, keep * law * z + spread * noise];
            let rewards = [-states[0] * states[0]];
            let piece = Piece {
                points: Points { tau: 0.0, dt, states: &states, dim: 1 },
                rewards: &rewards,
                terminal: None,
                start: 0.0,
                discount,
                discounting,
            };
            errors.fill(&family, &piece);
            tester.add(&piece, &errors, p * q, &mut sums);
        }
    }
    sums
}

fn solution(sums: &Moments) -> Vec<f64> {
    let mut blocks = Blocks::default();
    blocks.push(sums.clone());
    blocks.solve(false).unwrap().0
}

#[test]
fn facts_26_27_fixed_points_of_the_mesh() {
    let check = |dt, discounting, a2, a0| {
        let found = solution(&ou(dt, discounting));
        near(found[0], a2, 1e-6);
        near(found[1], a0, 1e-6);
        found[0] + 0.476_190_476
    };
    let coarse = check(0.1, Discounting::Rate, -0.522_823, -1.184_647);
    let fine = check(0.05, Discounting::Rate, -0.499_188, -1.187_601);
    check(0.01, Discounting::Rate, -0.480_739, -1.189_908);
    check(0.001, Discounting::Rate, -0.476_644, -1.190_419);
    check(0.1, Discounting::Factor, -0.527_939, -1.190_268);
    near(coarse / fine, 2.03, 0.1);
}

#[test]
fn fact_28_gradient_methods_reach_the_same_point() {
    let sums = ou(0.1, Discounting::Rate);
    let steady = |rate| Steps { rate, power: 0.0, ..Steps::default() };
    let tdc = Rule::Tdc { dual: steady(0.5), discount: 0.01, dt: 0.1 };
    // CGTD(0) is taken per unit of time instead of per step: with W = I its pace falls with the mesh.
    for (rule, rate, count) in [
        (Rule::Gtd0 { dual: steady(0.5) }, 0.1, 0.1),
        (Rule::Gtd2 { dual: steady(0.5) }, 0.1, 1.0),
        (tdc, 0.5, 1.0),
    ] {
        let mut state = Iterate::new(rule, steady(rate), 2, 2);
        for _ in 0..400_000 {
            state.update(&sums, count);
        }
        near(state.theta[0], -0.522_823, 1e-6);
        near(state.theta[1], -1.184_647, 1e-6);
    }
}

fn study(process: Polynomial, dt: f64, terminal: &[f64]) -> Study {
    Study {
        process,
        start: Start::At(0.0),
        horizon: Horizon::Finite(1.0),
        dt,
        episodes: 1,
        discount: 0.0,
        reward: Vec::new(),
        terminal: Payoff::Polynomial(terminal.to_vec()),
        base: Vec::new(),
        features: Vec::new(),
        methods: solvers(),
        scheme: Scheme::Exact,
        refine: 1,
        antithetic: false,
        discounting: Discounting::Rate,
        batch: 1,
    }
}

fn toy(dt: f64, power: u32, methods: Vec<Method>, episodes: u32) -> Study {
    let mut terminal = vec![0.0; power as usize + 1];
    terminal[power as usize] = 1.0;
    Study {
        base: vec![Term::monomial(power, 0)],
        features: vec![Term::monomial(power, 1)],
        methods,
        episodes,
        batch: 256,
        ..study(Polynomial::Brownian { drift: 0.0, sigma: 1.0, dim: 1 }, dt, &terminal)
    }
}

fn solvers() -> Vec<Method> {
    vec![Method::MartingaleLoss, Method::Clstd { lambda: 0.0 }, Method::MeanSquareTd]
}

#[test]
fn facts_19_22_sampled_paths() {
    let found = toy(0.02, 1, solvers(), 200_000).run(Streams::new(1)).unwrap();
    near(found[0].theta[0], 0.0, 0.05);
    near(found[1].theta[0], 0.0, 0.05);
    near(found[2].theta[0], -1.470_588, 0.01);
    let found = toy(0.02, 2, solvers(), 200_000).run(Streams::new(2)).unwrap();
    let expected = [(0.833_000, 0.03), (0.980_392, 0.06), (-1.903_114, 0.005)];
    for (estimate, (theta, tolerance)) in found.iter().zip(expected) {
        near(estimate.theta[0], theta, tolerance);
    }
}

#[test]
fn standard_errors_are_the_spread_of_repetitions() {
    const RUNS: u32 = 40;
    let runs: Vec<Vec<Estimate>> = (0..RUNS)
        .map(|seed| toy(0.05, 2, solvers(), 256 * 40).run(Streams::new(seed.into())).unwrap())
        .collect();
    for method in 0..3 {
        let n = f64::from(RUNS);
        let mean = runs.iter().map(|run| run[method].theta[0]).sum::<f64>() / n;
        let square = runs.iter().map(|run| (run[method].theta[0] - mean).powi(2)).sum::<f64>();
        let spread = (square / (n - 1.0)).sqrt();
        let stated = runs.iter().map(|run| run[method].standard_error[0]).sum::<f64>() / n;
        // The spread of 40 numbers is known to 11 percent.
        near(stated / spread, 1.0, 0.35);
    }
}

#[test]
fn fact_23_gradient_steps_reach_the_same_points() {
    let steps = |rate| Steps { rate, power: 0.67, scale: 50.0 };
    let methods = vec![
        Method::MartingaleLossSgd { steps: steps(5.0) },
        Method::Ctd { lambda: 0.0, online: false, steps: steps(5.0) },
        Method::Ctd { lambda: 1.0, online: false, steps: steps(5.0) },
        Method::MeanSquareTdSgd { steps: steps(1.0) },
    ];
    let found = toy(0.02, 2, methods, 256 * 1200).run(Streams::new(4)).unwrap();
    near(found[0].theta[0], 0.833, 0.04);
    near(found[1].theta[0], 0.980, 0.05);
    near(found[2].theta[0], found[0].theta[0], 1e-9);
    near(found[3].theta[0], -1.903, 0.01);
}

#[test]
fn fact_26_sampled_transitions_and_all_methods_of_an_infinite_horizon() {
    let steady = |rate| Steps { rate, power: 0.5, scale: 200.0 };
    let study = Study {
        horizon: Horizon::Infinite { steps: 100_000 },
        start: Start::Normal { mean: 0.0, std: 0.353_553_390_6 },
        discount: 0.1,
        reward: vec![0.0, 0.0, -1.0],
        features: vec![Term::monomial(2, 0), Term::monomial(0, 0)],
        methods: vec![
            Method::Clstd { lambda: 0.0 },
            Method::Ctd { lambda: 0.0, online: false, steps: steady(10.0) },
            Method::Gmm {
                tests: vec![Term::monomial(2, 0), Term::monomial(0, 0), Term::monomial(4, 0)],
                weighting: gambol_agents::martingale::method::Weighting::Inverse,
            },
        ],
        episodes: 20,
        ..study(Polynomial::Ou { kappa: 1.0, mean: 0.0, sigma: 0.5, dim: 1 }, 0.1, &[])
    };
    let found = study.run(Streams::new(5)).unwrap();
    for Estimate { theta, value_error, .. } in &found[..1] {
        near(theta[0], -0.522_823, 0.01);
        near(theta[1], -1.184_647, 0.01);
        assert!(value_error.unwrap() < 0.03);
    }
    near(found[1].theta[0], -0.522_823, 0.05);
    near(found[1].theta[1], -1.184_647, 0.05);
    assert!(found[2].theta.iter().all(|x| x.is_finite()));
    let loss = Study { methods: vec![Method::MartingaleLoss], ..study };
    let refused = loss.run(Streams::new(5)).unwrap_err().to_string();
    assert!(refused.contains("needs paths that end"), "{refused}");
}

#[test]
fn facts_29_30_sampled_returns_are_the_closed_forms() {
    let check =
        |process: Polynomial, x: f64, tau: f64, discount: f64, reward: &[f64], terminal: &[f64]| {
            let value = Value::finite(&process, discount, reward, terminal).at(tau, &[x]);
            let start = Start::At(x);
            let steps = 200;
            let dt = tau / f64::from(steps);
            let sampling = Sampling { scheme: Scheme::Exact, dt, refine: 1, antithetic: true };
            let mut paths = Paths::new(&process, &start, sampling, Streams::new(6));
            let mut pairs = Vec::new();
            for pair in 0..4000 {
                let mut sum = 0.0;
                for path in [2 * pair, 2 * pair + 1] {
                    paths.begin(path);
                    let (_, states) = paths.advance(steps as usize);
                    // Trapezoids, whose error is far below that of the sample.
                    let paid = |k: usize| {
                        (-discount * k as f64 * dt).exp() * polynomial(reward, states[k])
                    };
                    sum += (0..steps as usize)
                        .map(|k| 0.5 * dt * (paid(k) + paid(k + 1)))
                        .sum::<f64>();
                    sum += (-discount * tau).exp() * polynomial(terminal, states[steps as usize]);
                }
                pairs.push(0.5 * sum);
            }
            let n = pairs.len() as f64;
            let mean = pairs.iter().sum::<f64>() / n;
            let variance = pairs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
            near(mean, value, 4.0 * (variance / n).sqrt());
        };
    let ou = |kappa, sigma| Polynomial::Ou { kappa, mean: 0.0, sigma, dim: 1 };
    check(ou(1.0, 0.5), 1.0, 1.0, 0.1, &[0.0, 0.0, -1.0], &[]);
    check(ou(2.0, 1.0), 0.7, 2.0, 0.5, &[0.0, 0.0, -1.0], &[0.0, 0.0, -0.5]);
    let gbm = Polynomial::Gbm { mu: 0.1, sigma: 0.2, dim: 1 };
    check(gbm.clone(), 1.0, 1.0, 0.05, &[], &[0.0, 0.0, 1.0]);
    check(gbm, 1.0, 1.0, 0.05, &[0.0, 1.0], &[0.0, 1.0]);
}

#[test]
fn fact_35_the_two_objectives() {
    let family = Linear { base: vec![Term::monomial(2, 0)], features: vec![Term::monomial(2, 1)] };
    let process = Polynomial::Brownian { drift: 0.0, sigma: 1.0, dim: 1 };
    let start = Start::At(0.0);
    let n = 200_u32;
    let sampling =
        Sampling { scheme: Scheme::Exact, dt: 1.0 / f64::from(n), refine: 1, antithetic: false };
    let mut paths = Paths::new(&process, &start, sampling, Streams::new(7));
    let mut errors = Errors::default();
    let (mut loss, mut square) = (0.0, [0.0; 2]);
    let episodes = 20_000;
    for path in 0..episodes {
        paths.begin(path);
        let (_, states) = paths.advance(n as usize);
        let (piece, rewards) = whole(states);
        let piece = Piece { rewards: &rewards, ..piece };
        errors.fill(&family, &piece);
        loss += martingale_loss(&piece, &errors, &[5.0 / 6.0]) / f64::from(episodes);
        for (sum, theta) in square.iter_mut().zip([-2.0, 0.0]) {
            *sum += mean_square_error(&errors, &[theta]) / f64::from(episodes);
        }
    }
    near(loss, 0.802_361, 0.05);
    near(square[0], 0.351_1, 0.03);
    near(square[1], 1.007_0, 0.03);
}

#[test]
fn fact_36_without_noise_all_objectives_agree() {
    for (n, expected) in [(10, 0.551_666), (100, 0.505_017), (1000, 0.500_500)] {
        let process = Polynomial::Ou { kappa: 1.0, mean: 0.0, sigma: 0.0, dim: 1 };
        let study = Study {
            start: Start::At(1.0),
            reward: vec![0.0, 0.0, 1.0],
            features: vec![Term { decay: Some(2.0), ..Term::monomial(2, 0) }],
            ..study(process, 1.0 / f64::from(n), &[])
        };
        for estimate in study.run(Streams::new(1)).unwrap() {
            near(estimate.theta[0], expected, 1e-6);
        }
    }
}

#[test]
fn a_mesh_is_refined_on_the_same_motion_and_threads_change_nothing() {
    let process = Polynomial::Ou { kappa: 1.0, mean: 0.2, sigma: 0.5, dim: 3 };
    let start = Start::Normal { mean: 0.0, std: 1.0 };
    let end = |dt: f64, refine: u32, antithetic: bool, path: u32| {
        let sampling = Sampling { scheme: Scheme::Exact, dt, refine, antithetic };
        let mut paths = Paths::new(&process, &start, sampling, Streams::new(8));
        paths.begin(path);
        let (_, states) = paths.advance((1.0 / dt).round() as usize);
        (states[..3].to_vec(), states[states.len() - 3..].to_vec())
    };
    let (fine, coarse) = (end(0.001, 1, false, 5), end(0.004, 4, false, 5));
    assert_eq!(fine.0, coarse.0);
    for (a, b) in fine.1.iter().zip(&coarse.1) {
        near(*a, *b, 0.01);
    }
    let (one, mirrored) = (end(0.1, 1, true, 4), end(0.1, 1, true, 5));
    for i in 0..3 {
        near(one.0[i], -mirrored.0[i], 1e-15);
        // Mean 0.2 (1 - exp(-1)) apart from the mirrored part.
        near(one.1[i] + mirrored.1[i], 0.4 * (1.0 - (-1.0_f64).exp()), 1e-12);
    }
    let mut methods = solvers();
    methods.push(Method::Ctd { lambda: 0.5, online: true, steps: Steps::default() });
    let study = toy(0.1, 2, methods, 3000);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| study.run(Streams::new(9)).unwrap())
    };
    assert_eq!(with(1), with(2));
}

#[test]
fn settings_that_do_not_fit_are_named_all_at_once() {
    let mut study = toy(0.3, 2, vec![Method::Clstd { lambda: 2.0 }], 0);
    study.features.push(Term { x: vec![1, 1], ..Term::default() });
    let StudyError::Invalid(problems) = study.run(Streams::new(1)).unwrap_err() else {
        panic!("not refused for its settings")
    };
    let all = problems.join("\n");
    for part in
        ["whole number of steps of 0.3", "`lambda` is 2", "`x` has 2 entries", "`episodes` is 0"]
    {
        assert!(all.contains(part), "{part} is not in\n{all}");
    }
    let mut study = toy(0.5, 2, solvers(), 10);
    study.features.push(study.features[0].clone());
    assert!(matches!(study.run(Streams::new(1)), Err(StudyError::Singular { .. })));
    assert_eq!(study.family().parameters(), 2);
}
