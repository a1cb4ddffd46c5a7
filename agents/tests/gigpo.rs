//! The estimator against the worked oracles of the reference's functions, and its invariants.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::float_cmp,
    clippy::approx_constant,
    reason = "exact where exactness is meant; oracles as printed"
)]

use gambol_agents::gigpo::advantage::{
    AdvantageError, Advantages, Estimator, LoneGroup, Method, Normalisation, Statistics,
};
use gambol_agents::gigpo::diagnostics::Diagnostics;
use gambol_agents::gigpo::grouping::{Agents, Grouping};
use gambol_agents::gigpo::rows::{Key, Row, RowError, Rows};
use gambol_agents::gigpo::similarity::{Clusters, ratio};
use proptest::prelude::*;

/// Printed oracles are float32 results rounded to 6 digits.
const TOLERANCE: f64 = 1e-5;

fn row(group: &str, trajectory: &str, state: &str, reward: f64) -> Row {
    Row {
        group: Key::text(group),
        trajectory: Key::text(trajectory),
        agent: None,
        state: Key::text(state),
        reward,
        invalid: false,
        value: None,
    }
}

fn rows(list: &[Row]) -> Rows {
    let mut rows = Rows::default();
    for &row in list {
        rows.push(row).unwrap();
    }
    rows
}

fn estimate(estimator: &Estimator, list: &[Row]) -> Advantages {
    let rows = rows(list);
    estimator.estimate(&rows, &Grouping::new(&rows, Agents::Apart)).unwrap()
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (row, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() < TOLERANCE, "row {row}: {f} is not {e}\n{found:?}");
    }
}

fn with(normalisation: Normalisation, statistics: Statistics) -> Estimator {
    Estimator { normalisation, statistics, ..Estimator::default() }
}

/// Example 1 of the specification's 1.7.
fn first() -> Vec<Row> {
    let steps = [
        ("t1", "S", 0.0),
        ("t1", "A", 0.0),
        ("t1", "B", 10.0),
        ("t2", "S", 0.0),
        ("t2", "A", 0.0),
        ("t2", "A", 0.0),
        ("t2", "C", 0.0),
        ("t3", "S", 0.0),
        ("t3", "B", 10.0),
    ];
    steps.iter().map(|&(trajectory, state, reward)| row("g", trajectory, state, reward)).collect()
}

/// Example 2: three groups, a penalty, singletons.
fn second() -> Vec<Row> {
    let mut list = vec![
        row("g0", "t1", "X0", -0.1),
        row("g0", "t1", "X1", -0.1),
        row("g0", "t1", "X2", 10.9),
        row("g0", "t2", "X0", -0.1),
        row("g0", "t2", "X1", -0.1),
        row("g0", "t2", "X1", -0.1),
        row("g1", "t3", "X0", 0.0),
        row("g1", "t3", "Y1", 0.0),
        row("g1", "t4", "X0", 0.0),
        row("g1", "t4", "Y2", 0.0),
        row("g2", "t5", "Z0", 3.0),
    ];
    list[4].invalid = true;
    list
}

/// Example 3: grid cells, rows interleaved by time.
fn third() -> Vec<Row> {
    let steps = [
        ("t1", "0,0", 0.0),
        ("t2", "0,0", 0.0),
        ("t3", "0,0", 0.0),
        ("t4", "0,0", 0.0),
        ("t1", "0,1", 0.0),
        ("t2", "1,0", 0.25),
        ("t3", "0,1", 0.0),
        ("t4", "1,0", 0.25),
        ("t1", "1,1", 0.5),
        ("t2", "1,1", 0.0),
        ("t3", "0,0", 0.0),
        ("t2", "1,1", 0.5),
        ("t3", "1,0", 0.25),
    ];
    steps.iter().map(|&(trajectory, state, reward)| row("g", trajectory, state, reward)).collect()
}

#[test]
fn facts_1_to_3_one_group() {
    let std_rows = estimate(&Estimator::default(), &first());
    let mean_rows = estimate(&with(Normalisation::Mean, Statistics::Rows), &first());
    let std_trajectories = estimate(&with(Normalisation::Std, Statistics::Trajectories), &first());
    let mean_trajectories =
        estimate(&with(Normalisation::Mean, Statistics::Trajectories), &first());
    close(
        &mean_rows.advantage,
        &[
            7.294_445,
            10.777_778,
            4.444_445,
            -11.730_555,
            -8.722_222,
            -8.722_222,
            -5.555_555,
            7.769_445,
            4.444_445,
        ],
    );
    close(
        &std_rows.advantage,
        &[
            1.375_688, 1.997_974, 0.843_274, -2.207_655, -1.631_443, -1.631_443, -1.054_092,
            1.464_423, 0.843_274,
        ],
    );
    close(
        &std_trajectories.advantage,
        &[
            1.109_764, 1.732_050, 0.577_350, -2.308_263, -1.732_050, -1.732_050, -1.154_700,
            1.198_500, 0.577_350,
        ],
    );
    close(
        &mean_trajectories.advantage,
        &[
            6.183_333,
            9.666_666,
            3.333_333,
            -12.841_666,
            -9.833_333,
            -9.833_333,
            -6.666_667,
            6.658_334,
            3.333_333,
        ],
    );
    close(&std_rows.returns, &[9.025, 9.5, 10.0, 0.0, 0.0, 0.0, 0.0, 9.5, 10.0]);
    close(
        &mean_rows.step,
        &[2.85, 6.333_333, 0.0, -6.175, -3.166_667, -3.166_667, 0.0, 3.325, 0.0],
    );
    close(
        &std_rows.step,
        &[0.532_414, 1.154_7, 0.0, -1.153_563, -0.577_35, -0.577_35, 0.0, 0.621_149, 0.0],
    );
}

#[test]
fn fact_4_leave_one_out() {
    let expect = |statistics, high: f64, low: f64| {
        let estimator = Estimator { method: Method::Rloo, statistics, ..Estimator::default() };
        let found = estimate(&estimator, &first());
        close(&found.advantage, &[high, high, high, low, low, low, low, high, high]);
        assert!(found.step.iter().all(|&step| step == 0.0));
    };
    expect(Statistics::Rows, 5.0, -6.25);
    expect(Statistics::Trajectories, 5.0, -10.0);
    let estimator = Estimator { method: Method::Rloo, ..Estimator::default() };
    let found = estimate(&estimator, &second()).advantage;
    close(&found[..6], &[6.62, 6.62, 6.62, -6.58, -6.70, -6.58]);
}

#[test]
fn fact_5_groups_penalty_and_singletons() {
    let mean = estimate(&with(Normalisation::Mean, Statistics::Rows), &second());
    close(
        &mean.advantage,
        &[10.480_415, 12.484_999, 5.516_666, -10.447_084, -9.165, -8.87, 0.0, 0.0, 0.0, 0.0, 3.0],
    );
    let std = estimate(&Estimator::default(), &second());
    close(
        &std.advantage,
        &[
            1.619_961, 2.067_404, 0.912_854, -1.614_445, -1.517_315, -1.468_459, 0.0, 0.0, 0.0,
            0.0, 2.999_997,
        ],
    );
    assert!(mean.advantage[6..10].iter().chain(&std.advantage[6..10]).all(|&zero| zero == 0.0));
    assert_eq!(mean.advantage[10], 3.0);
    close(&std.returns[..6], &[9.642_25, 10.255, 10.9, -0.285_25, -0.295, -0.1]);
    let mean = estimate(&with(Normalisation::Mean, Statistics::Trajectories), &second());
    close(&mean.advantage[..6], &[10.463_75, 12.468_333, 5.5, -10.463_751, -9.181_666, -8.886_666]);
    let std = estimate(&with(Normalisation::Std, Statistics::Trajectories), &second());
    close(
        &std.advantage[..6],
        &[1.414_213, 1.861_657, 0.707_107, -1.414_213, -1.313_392, -1.268_227],
    );
}

#[test]
fn fact_6_a_penalty_stays_in_its_row() {
    let mut free = second();
    free[4].invalid = false;
    let found = estimate(&Estimator::default(), &free);
    close(&found.returns[3..6], &[-0.285_25, -0.195, -0.1]);
}

#[test]
fn fact_7_interleaved_rows_and_another_omega() {
    let estimator = |normalisation, statistics| Estimator {
        method: Method::Gigpo { omega: 0.5 },
        gamma: 0.9,
        ..with(normalisation, statistics)
    };
    let mean = estimate(&estimator(Normalisation::Mean, Statistics::Rows), &third());
    close(
        &mean.advantage,
        &[
            0.078_287, 0.420_537, -0.283_088, -0.261_713, 0.100_337, 0.423_462, -0.273_413,
            -0.279_038, 0.046_795, 0.271_795, -0.261_713, 0.296_795, -0.279_038,
        ],
    );
    let std = estimate(&estimator(Normalisation::Std, Statistics::Rows), &third());
    close(
        &std.advantage,
        &[
            0.404_303, 2.056_989, -1.360_334, -1.235_213, 0.524_735, 1.861_223, -1.295_060,
            -1.230_183, 0.459_848, 0.706_545, -1.235_213, 1.572_541, -1.230_183,
        ],
    );
    let mean = estimate(&estimator(Normalisation::Mean, Statistics::Trajectories), &third());
    close(
        &mean.advantage,
        &[
            0.102_325, 0.444_575, -0.259_05, -0.237_675, 0.124_375, 0.4475, -0.249_375, -0.255,
            0.070_833, 0.295_833, -0.237_675, 0.320_833, -0.255,
        ],
    );
    let std = estimate(&estimator(Normalisation::Std, Statistics::Trajectories), &third());
    close(
        &std.advantage,
        &[
            0.494_235, 2.078_691, -1.202_171, -1.077_050, 0.614_667, 1.882_925, -1.136_898,
            -1.072_020, 0.549_780, 0.728_246, -1.077_050, 1.594_242, -1.072_020,
        ],
    );
}

#[test]
fn facts_8_and_9_single_entries_and_pairs() {
    let lone = [row("g", "t", "a", 1.0), row("g", "t", "b", 2.0)];
    let raw = |normalisation| estimate(&with(normalisation, Statistics::Trajectories), &lone);
    assert_eq!(raw(Normalisation::Mean).advantage, [3.0, 3.0]);
    assert_eq!(raw(Normalisation::LeaveOneOut).advantage, [3.0, 3.0]);
    close(&raw(Normalisation::Std).advantage, &[3.0 / (1.0 + 1e-6); 2]);
    assert!(raw(Normalisation::Std).step.iter().all(|&step| step == 0.0));
    let zero = Estimator {
        lone_group: LoneGroup::Zero,
        ..with(Normalisation::Std, Statistics::Trajectories)
    };
    assert_eq!(estimate(&zero, &lone).advantage, [0.0, 0.0]);
    for gap in [0.25, 1.0, 40.0] {
        let pair = [row("g", "t1", "a", 0.0), row("g", "t2", "a", gap)];
        close(&estimate(&Estimator::default(), &pair).step, &[-0.707_107, 0.707_107]);
    }
}

#[test]
fn fact_14_ratcliff_obershelp_as_python_has_it() {
    let near = |a: &str, b: &str, expected: f64| {
        assert!((ratio(a, b) - expected).abs() < 1e-6, "{a:.20} {b:.20} {}", ratio(a, b));
    };
    near("abcd", "bcde", 0.75);
    near("tide", "diet", 0.25);
    near("diet", "tide", 0.5);
    near("", "", 1.0);
    near("", "a", 0.0);
    let long = |start: &str, repeats| format!("{start}{}", "ab".repeat(repeats));
    near(&long("x", 150), &long("y", 150), 0.0);
    near(&long("x", 90), &long("y", 90), 0.994_475);
    let texts = [
        "You arrive at shelf 1. You see a mug.",
        "You arrive at shelf 2. You see a mug.",
        "You arrive at shelf 12. You see a mug and a pen.",
        "Nothing happens.",
    ];
    near(texts[1], texts[0], 0.972_973);
    for (threshold, expected) in [(0.95, [0, 0, 1, 2]), (0.9, [0, 0, 1, 2]), (0.8, [0, 0, 0, 1])] {
        let mut clusters = Clusters::new(threshold);
        assert_eq!(texts.map(|text| clusters.join(text)), expected, "{threshold}");
    }
}

#[test]
fn other_normalisations_and_statistics() {
    // The paper's own equation for a trajectory with a penalised row, and DrMAS's mean of row scores.
    let means = estimate(&with(Normalisation::Mean, Statistics::TrajectoryMeans), &second());
    let (high, low) = (10.7, -1.0 / 3.0);
    close(&means.episode[..6], &[[(high - low) / 2.0; 3], [(low - high) / 2.0; 3]].concat());
    let left_out = estimate(&with(Normalisation::LeaveOneOut, Statistics::Trajectories), &first());
    close(&left_out.step[..3], &[2.85 * 1.5, 6.333_333 * 1.5, 0.0]);
    close(&left_out.episode[..1], &[5.0]);
}

#[test]
fn agents_are_compared_with_themselves() {
    let agent = |name: &str, trajectory: &str, reward| Row {
        agent: Some(Key::text(name)),
        ..row("g", trajectory, "s", reward)
    };
    let list = [
        agent("a", "t1", 1.0),
        agent("b", "t1", 10.0),
        agent("a", "t2", 3.0),
        agent("b", "t2", 30.0),
    ];
    let rows = rows(&list);
    let by = |agents| {
        let estimator = with(Normalisation::Mean, Statistics::Rows);
        estimator.estimate(&rows, &Grouping::new(&rows, agents)).unwrap().episode
    };
    assert_eq!(by(Agents::Apart), [-1.0, -10.0, 1.0, 10.0]);
    assert_eq!(by(Agents::Pooled), [-10.0, -1.0, -8.0, 19.0]);
    assert_eq!(by(Agents::Team), [-11.0, -11.0, 11.0, 11.0]);
}

#[test]
fn generalised_advantages() {
    let valued = |mut list: Vec<Row>| {
        for (row, value) in list.iter_mut().zip([0.5, 1.0, 2.0]) {
            row.value = Some(value);
        }
        list
    };
    let list =
        valued(vec![row("g", "t", "a", 0.0), row("g", "t", "b", 0.0), row("g", "t", "c", 10.0)]);
    let estimator = |method| Estimator { method, gamma: 0.9, ..Estimator::default() };
    let found = estimate(&estimator(Method::Gae { lambda: 0.5 }), &list);
    let errors = [0.9 * 1.0 - 0.5, 0.9 * 2.0 - 1.0, 10.0 - 2.0];
    let last = errors[2];
    let middle = errors[1] + 0.45 * last;
    close(&found.advantage, &[errors[0] + 0.45 * middle, middle, last]);
    close(&found.returns, &[0.5 + errors[0] + 0.45 * middle, 1.0 + middle, 10.0]);
    let whitened = estimate(&estimator(Method::RowGae), &list).advantage;
    // 9.5, 9, 8 have mean 8.833333 and standard deviation 0.763763.
    close(&whitened, &[0.872_871, 0.218_217, -1.091_089]);
    let bare = rows(&first());
    let grouping = Grouping::new(&bare, Agents::Apart);
    let refused = estimator(Method::Gae { lambda: 0.5 }).estimate(&bare, &grouping);
    assert_eq!(refused, Err(AdvantageError::NoValue { row: 0 }));
}

#[test]
fn what_is_refused() {
    let mut rows = Rows::default();
    let refused = rows.push(row("g", "t", "s", f64::NAN)).unwrap_err();
    assert!(matches!(refused, RowError { field: "reward", .. }) && rows.is_empty());
    let bad = |estimator: Estimator| estimator.check().unwrap_err().to_string();
    let default = Estimator::default;
    assert!(bad(Estimator { gamma: 1.5, ..default() }).starts_with("gamma is 1.5"));
    assert!(bad(Estimator { invalid_penalty: -1.0, ..default() }).starts_with("invalid_penalty"));
    let method = Method::Gigpo { omega: f64::INFINITY };
    assert!(bad(Estimator { method, ..default() }).starts_with("omega is inf"));
}

#[test]
fn diagnostics_count_anchor_groups() {
    let rows = rows(&first());
    let grouping = Grouping::new(&rows, Agents::Apart);
    let advantages = Estimator::default().estimate(&rows, &grouping).unwrap();
    let found = Diagnostics::new(&grouping, &advantages);
    assert_eq!((found.rows, found.groups, found.trajectories), (9, 1, 3));
    assert_eq!((found.anchor_groups, found.anchor_sizes), (4, [1, 1, 2, 0, 0, 0]));
    assert!((found.singleton_share - 0.25).abs() < 1e-12 && found.step_variance > 0.0);
}

#[test]
fn keys_are_equal_as_python_has_it() {
    let key = |text: &str| ron::from_str::<Key>(text).unwrap();
    assert_eq!(key("1"), key("1.0"));
    assert_eq!(key("1"), key("true"));
    assert_eq!(key("0.0"), key("-0.0"));
    assert_eq!(key(r#"{"a": 1, "b": [2, "c"]}"#), key(r#"{"b": [2.0, "c"], "a": 1}"#));
    assert_ne!(key("1"), key("\"1\""));
    assert_ne!(key("[1, 2]"), key("[[1], 2]"));
    assert_ne!(key("[1, 2]"), key("[2, 1]"));
    assert_ne!(key("9007199254740993"), key("9007199254740992"));
}

/// Small random batches: two groups, four trajectories each, few states.
fn batches() -> impl Strategy<Value = Vec<Row>> {
    let step = (0..2u8, 0..4u8, 0..4u8, -2..3i8, any::<bool>());
    let make = |(group, trajectory, state, reward, invalid)| Row {
        group: Key::integer(i128::from(group)),
        trajectory: Key::integer(i128::from(trajectory)),
        agent: None,
        state: Key::integer(i128::from(state)),
        reward: f64::from(reward) * 0.25,
        invalid,
        value: None,
    };
    prop::collection::vec(step.prop_map(make), 1..40)
}

proptest! {
    #[test]
    fn facts_7_and_13_order_and_other_groups_do_not_matter(list in batches()) {
        let estimator = Estimator::default();
        let whole = estimate(&estimator, &list);
        // Trajectory after trajectory instead of interleaved: a stable sort keeps the time order.
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by_key(|&row| (list[row].group, list[row].trajectory));
        let sorted: Vec<Row> = order.iter().map(|&row| list[row]).collect();
        let found = estimate(&estimator, &sorted);
        for (place, &row) in order.iter().enumerate() {
            prop_assert!((found.advantage[place] - whole.advantage[row]).abs() < 1e-9);
        }
        let own: Vec<usize> =
            (0..list.len()).filter(|&row| list[row].group == list[0].group).collect();
        let alone = estimate(&estimator, &own.iter().map(|&row| list[row]).collect::<Vec<_>>());
        for (place, &row) in own.iter().enumerate() {
            prop_assert_eq!(alone.advantage[place].to_bits(), whole.advantage[row].to_bits());
        }
    }

    #[test]
    fn fact_10_omega_0_is_grpo_to_the_bit(list in batches()) {
        let by = |method| estimate(&Estimator { method, ..Estimator::default() }, &list).advantage;
        let bits = |list: Vec<f64>| list.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(by(Method::Gigpo { omega: 0.0 })), bits(by(Method::Grpo)));
    }

    #[test]
    fn fact_11_advantages_sum_to_0(list in batches(), std in any::<bool>()) {
        let normalisation = if std { Normalisation::Std } else { Normalisation::Mean };
        let found = estimate(&with(normalisation, Statistics::Rows), &list);
        let groups: Vec<Key> = list.iter().map(|row| row.group).collect();
        for &group in &groups {
            let rows: Vec<usize> = (0..list.len()).filter(|&row| groups[row] == group).collect();
            if rows.len() > 1 {
                let sum: f64 = rows.iter().map(|&row| found.episode[row]).sum();
                prop_assert!(sum.abs() < 1e-9 * rows.len() as f64);
            }
            for row in &rows {
                let anchor: Vec<usize> =
                    rows.iter().copied().filter(|&r| list[r].state == list[*row].state).collect();
                let sum: f64 = anchor.iter().map(|&row| found.step[row]).sum();
                prop_assert!(sum.abs() < 1e-5 * anchor.len() as f64);
            }
        }
    }

    #[test]
    fn fact_12_leave_one_out_is_the_mean_of_the_others(list in batches()) {
        let estimator = Estimator { method: Method::Rloo, invalid_penalty: 0.0, ..Estimator::default() };
        let found = estimate(&estimator, &list).advantage;
        let score = |row: &Row| -> f64 {
            let same = |r: &&Row| r.group == row.group && r.trajectory == row.trajectory;
            list.iter().filter(same).map(|r| r.reward).sum()
        };
        for (index, row) in list.iter().enumerate() {
            let others: Vec<f64> = list
                .iter()
                .enumerate()
                .filter(|&(other, r)| other != index && r.group == row.group)
                .map(|(_, r)| score(r))
                .collect();
            if !others.is_empty() {
                let expected = score(row) - others.iter().sum::<f64>() / others.len() as f64;
                prop_assert!((found[index] - expected).abs() < 1e-12);
            }
        }
    }
}
