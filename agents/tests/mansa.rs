//! The exact switching solver: worked cases and properties of the specification's 1.5 and 1.8.
#![allow(clippy::unwrap_used, reason = "tests")]

use gambol_agents::mansa::exact::{Chain, Switching, SwitchingError};
use gambol_envs::seed::{Purpose, Streams, below, unit_f64};

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() < tolerance, "{found} is not {expected}");
}

fn all_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        near(*f, *e, tolerance);
    }
}

fn chain(rows: &[(f64, &[(usize, f64)])]) -> Chain {
    Chain {
        rewards: rows.iter().map(|row| row.0).collect(),
        next: rows.iter().map(|row| row.1.to_vec()).collect(),
    }
}

/// Example A: a corridor whose last step independent learners rarely make.
fn corridor() -> Switching {
    let step: [(f64, &[(usize, f64)]); 2] = [(0.0, &[(1, 1.0)]), (0.0, &[(2, 1.0)])];
    let independent = chain(&[step[0], step[1], (0.2, &[(3, 0.2), (2, 0.8)]), (0.0, &[])]);
    let centralised = chain(&[step[0], step[1], (1.0, &[(3, 1.0)]), (0.0, &[])]);
    Switching::new(independent, centralised, 0.9).unwrap()
}

#[test]
fn example_a() {
    let problem = corridor();
    let free = [0.578_571, 0.642_857, 0.714_286, 0.0];
    for (cost, value, gain, calls) in [
        (0.0, [0.81, 0.9, 1.0, 0.0], 0.08, true),
        (0.1, [0.729, 0.81, 0.9, 0.0], 0.052, true),
        (0.28, [0.5832, 0.648, 0.72, 0.0], 0.0016, true),
        (2.0 / 7.0, free, 0.0, false),
        (0.3, free, -0.014_286, false),
    ] {
        let found = problem.solve(cost).unwrap();
        all_near(&found.value, &value, 1e-6);
        near(found.gain[2], gain, 1e-6);
        assert_eq!(found.switch, [false, false, calls, false], "{cost}");
        assert!(found.error < 1e-12);
        near(found.calls[0], if calls { 0.81 } else { 0.0 }, 1e-12);
    }
    near(problem.never_from(), 2.0 / 7.0, 1e-12);
    let sweep = problem.cost_sweep(0).unwrap();
    let costs: Vec<f64> = sweep.iter().map(|piece| piece.from).collect();
    all_near(&costs, &[0.0, 2.0 / 7.0], 1e-9);
    assert!(sweep[0].switch[2] && !sweep[1].switch[2]);
    near(sweep[0].calls, 0.81, 1e-12);
}

#[test]
fn examples_b_and_c_with_budgets() {
    let independent =
        chain(&[(0.2, &[(1, 0.2), (0, 0.8)]), (0.5, &[(2, 0.5), (1, 0.5)]), (0.0, &[])]);
    let centralised = chain(&[(1.0, &[(1, 1.0)]), (1.0, &[(2, 1.0)]), (0.0, &[])]);
    let problem = Switching::new(independent, centralised, 0.9).unwrap();
    let levels = problem.with_budget(4, 0.0).unwrap();
    all_near(&levels[0].value, &[1.298_701, 0.909_091, 0.0], 1e-6);
    all_near(&levels[1].value, &[1.818_182, 1.0, 0.0], 1e-6);
    for level in &levels[2..] {
        all_near(&level.value, &[1.9, 1.0, 0.0], 1e-12);
    }
    all_near(&problem.solve(0.0).unwrap().value, &[1.9, 1.0, 0.0], 1e-12);
    assert!(levels[1].switch[0]);
    // One call now and none later, discounted.
    near(levels[1].calls[0], 1.0, 1e-12);
    near(levels[2].calls[0], 1.9, 1e-12);

    let dead: (f64, &[(usize, f64)]) = (0.0, &[]);
    let independent = chain(&[(0.0, &[(3, 1.0)]), (0.0, &[(3, 1.0)]), dead, dead]);
    let centralised = chain(&[(0.0, &[(1, 1.0)]), (1.0, &[(2, 1.0)]), dead, dead]);
    let problem = Switching::new(independent, centralised, 0.9).unwrap();
    let levels = problem.with_budget(3, 0.0).unwrap();
    let found: Vec<f64> = levels.iter().map(|level| level.value[0]).collect();
    all_near(&found, &[0.0, 0.0, 0.9, 0.9], 1e-12);
}

/// Property 8.
#[test]
fn the_retry_stage() {
    for (gamma, p, expected) in
        [(0.9, 0.2, 0.285_714), (0.9, 0.25, 0.230_769), (0.99, 0.25, 0.029_126)]
    {
        let independent = chain(&[(p, &[(1, p), (0, 1.0 - p)]), (0.0, &[])]);
        let centralised = chain(&[(1.0, &[(1, 1.0)]), (0.0, &[])]);
        let problem = Switching::new(independent, centralised, gamma).unwrap();
        near(problem.never_from(), expected, 1e-6);
    }
}

fn random(states: usize, seed: u64) -> (Chain, Chain, f64) {
    let mut rng = Streams::new(seed).at(Purpose::Generate, 0, 0);
    let mut make = || {
        let mut next = Vec::new();
        for _ in 0..states {
            let mut row: Vec<(usize, f64)> = (0..3)
                .map(|_| (below(&mut rng, states as u32) as usize, 0.05 + unit_f64(&mut rng)))
                .collect();
            let sum: f64 = row.iter().map(|(_, p)| p).sum();
            for (_, p) in &mut row {
                *p /= sum;
            }
            next.push(row);
        }
        Chain { rewards: (0..states).map(|_| unit_f64(&mut rng)).collect(), next }
    };
    let (independent, centralised) = (make(), make());
    (independent, centralised, 0.8)
}

/// Properties 2 to 6: against all rules, bounds, shape in the cost.
#[test]
fn properties_on_random_games() {
    for seed in 0..20 {
        let (independent, centralised, gamma) = random(6, seed);
        let problem = Switching::new(independent, centralised, gamma).unwrap();
        let never = problem.reward_of(&[false; 6]);
        let always = problem.reward_of(&[true; 6]);
        let mut before: Option<(f64, Vec<f64>, Vec<f64>)> = None;
        for step in 0..8 {
            let cost = 0.1 * f64::from(step);
            let found = problem.solve(cost).unwrap();
            let mut best = [f64::NEG_INFINITY; 6];
            for rule in 0..64_u32 {
                let switch: Vec<bool> = (0..6).map(|state| rule >> state & 1 == 1).collect();
                let (reward, calls) =
                    (problem.reward_of(&switch), problem.discounted_calls(&switch));
                for state in 0..6 {
                    best[state] = best[state].max(reward[state] - cost * calls[state]);
                }
            }
            all_near(&found.value, &best, 1e-10);
            for state in 0..6 {
                assert!(found.value[state] >= never[state] - 1e-12);
                assert!(found.value[state] >= always[state] - cost / (1.0 - gamma) - 1e-10);
                if cost > 0.0 {
                    let bound =
                        (found.value[state] + cost * found.calls[state] - never[state]) / cost;
                    assert!(found.calls[state] <= bound + 1e-9);
                }
                if let Some((earlier, value, calls)) = &before {
                    // Falling, convex: the slope lies between the calls at both ends.
                    let slope = (value[state] - found.value[state]) / (cost - earlier);
                    assert!(slope <= calls[state] + 1e-9 && slope >= found.calls[state] - 1e-9);
                }
            }
            before = Some((cost, found.value, found.calls));
        }
        let threshold = problem.never_from();
        assert!(problem.solve(threshold + 1e-9).unwrap().switch.iter().all(|&switch| !switch));
        if threshold > 1e-6 {
            assert!(problem.solve(threshold - 1e-6).unwrap().switch.contains(&true));
        }
        // The value along a sweep is the upper envelope of its rules' lines.
        let sweep = problem.cost_sweep(0).unwrap();
        for cost in [0.03, 0.11, 0.27, 0.6] {
            let lines = sweep.iter().map(|piece| piece.reward - cost * piece.calls);
            let envelope = lines.fold(f64::NEG_INFINITY, f64::max);
            near(problem.solve(cost).unwrap().value[0], envelope, 1e-9);
        }
        // Property 9.
        let levels = problem.with_budget(40, 0.0).unwrap();
        for pair in levels.windows(2) {
            assert!((0..6).all(|state| pair[1].value[state] >= pair[0].value[state] - 1e-12));
        }
        let limit = problem.solve(0.0).unwrap();
        assert!((0..6).all(|state| (levels[40].value[state] - limit.value[state]).abs() < 1e-3));
    }
}

/// Property 7, and what is refused.
#[test]
fn equal_policies_are_never_switched_and_bad_chains_are_refused() {
    let (chain, _, gamma) = random(5, 3);
    let problem = Switching::new(chain.clone(), chain.clone(), gamma).unwrap();
    assert!(problem.solve(1e-6).unwrap().switch.iter().all(|&switch| !switch));
    assert!(problem.solve(0.0).unwrap().switch.iter().all(|&switch| !switch));
    assert!(problem.solve(-1.0).is_err());
    let mut broken = chain.clone();
    broken.next[2][0].1 += 0.1;
    let refused = Switching::new(broken, chain.clone(), gamma).unwrap_err();
    assert!(matches!(refused, SwitchingError::Row { state: 2, .. }));
    assert!(Switching::new(chain.clone(), chain, 1.0).is_err());
}

/// `r + gamma P v` of a chain, number by number.
fn backup(chain: &Chain, gamma: f64, value: &[f64]) -> Vec<f64> {
    let later = |row: &Vec<(usize, f64)>| row.iter().map(|&(to, p)| p * value[to]).sum::<f64>();
    chain.rewards.iter().zip(&chain.next).map(|(reward, row)| reward + gamma * later(row)).collect()
}

/// `M v` and `L v`.
fn operators(games: &(Chain, Chain, f64), cost: f64, value: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (independent, centralised, gamma) = games;
    let calls = backup(centralised, *gamma, value).into_iter().map(|value| value - cost);
    (calls.collect(), backup(independent, *gamma, value))
}

#[test]
fn fact_1_the_operator_is_a_contraction() {
    let mut rng = Streams::new(9).at(Purpose::Generate, 1, 0);
    let mut largest: f64 = 0.0;
    for seed in 0..5 {
        let games = random(6, seed);
        for _ in 0..300 {
            let mut draw = || (0..6).map(|_| 4.0 * unit_f64(&mut rng) - 2.0).collect::<Vec<_>>();
            let (one, other) = (draw(), draw());
            let operated = |value: &[f64]| -> Vec<f64> {
                let (call, wait) = operators(&games, 0.1, value);
                call.into_iter().zip(wait).map(|(call, wait)| call.max(wait)).collect()
            };
            let distance = |one: &[f64], other: &[f64]| {
                one.iter().zip(other).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
            };
            let ratio = distance(&operated(&one), &operated(&other)) / distance(&one, &other);
            largest = largest.max(ratio);
        }
    }
    // `random` discounts by 0.8.
    assert!(largest <= 0.8 + 1e-12 && largest > 0.5, "{largest}");
}

/// Solves `a x = b` by elimination with the largest pivots.
fn linear(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let size = b.len();
    for column in 0..size {
        let by_size =
            |&one: &usize, &other: &usize| a[one][column].abs().total_cmp(&a[other][column].abs());
        let pivot = (column..size).max_by(by_size).unwrap();
        a.swap(column, pivot);
        b.swap(column, pivot);
        let (pivot, known) = (a[column].clone(), b[column]);
        for row in (0..size).filter(|&row| row != column) {
            let factor = a[row][column] / pivot[column];
            a[row].iter_mut().zip(&pivot).for_each(|(x, y)| *x -= factor * y);
            b[row] -= factor * known;
        }
    }
    (0..size).map(|row| b[row] / a[row][row]).collect()
}

#[test]
fn facts_3_and_4_the_inequality_is_met_and_the_greedy_rule_has_its_value() {
    for seed in 0..20 {
        let games = random(6, seed);
        let problem = Switching::new(games.0.clone(), games.1.clone(), games.2).unwrap();
        for cost in [0.0, 0.05, 0.2, 0.7] {
            let found = problem.solve(cost).unwrap();
            let (call, wait) = operators(&games, cost, &found.value);
            for state in 0..6 {
                let (over_call, over_wait) =
                    (found.value[state] - call[state], found.value[state] - wait[state]);
                assert!(over_call > -1e-10 && over_wait > -1e-10);
                near(over_call.min(over_wait), 0.0, 1e-10);
                assert_eq!(found.switch[state], call[state] - wait[state] > 1e-11);
            }
            // `(1 - gamma P) v = r` of the chain that the rule makes.
            let (mut a, mut b) = (vec![vec![0.0; 6]; 6], vec![0.0; 6]);
            for state in 0..6 {
                let called = found.switch[state];
                let chain = if called { &games.1 } else { &games.0 };
                a[state][state] += 1.0;
                for &(to, p) in &chain.next[state] {
                    a[state][to] -= games.2 * p;
                }
                b[state] = chain.rewards[state] - if called { cost } else { 0.0 };
            }
            all_near(&linear(a, b), &found.value, 1e-9);
        }
    }
}
