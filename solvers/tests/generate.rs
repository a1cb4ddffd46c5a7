//! Random games: what their families promise, and that they never change.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use gambol_solvers::game::NormalForm;
use gambol_solvers::game::generate::Generator;
use gambol_solvers::seed::Streams;
use ndarray::{Axis, Dimension};

fn make(ron: &str, index: u32) -> NormalForm {
    let generator: Generator = ron::from_str(ron).unwrap_or_else(|error| panic!("{ron}: {error}"));
    generator.generate(Streams::new(5), index).unwrap_or_else(|error| panic!("{ron}: {error}"))
}

fn refused(ron: &str) -> String {
    match ron::from_str::<Generator>(ron) {
        Ok(generator) => generator.generate(Streams::new(5), 0).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

const FAMILIES: [&str; 7] = [
    "Uniform(actions: [3, 2, 4], low: -1, high: 2)",
    "Integer(actions: [4, 5], low: -50, high: 50)",
    "ZeroSum(rows: 3, columns: 5)",
    "Covariant(actions: [3, 3, 3], correlation: -0.4)",
    "Potential(actions: [3, 4, 2], scale: 2)",
    "Congestion(players: 3, resources: 4, uses: 2)",
    "HighRisk(actions: [10, 10], loss: 5)",
];

#[test]
fn a_game_depends_on_seed_and_index_alone() {
    for family in FAMILIES {
        assert_eq!(make(family, 3), make(family, 3));
        assert_ne!(make(family, 3).payoff_tensor(0), make(family, 4).payoff_tensor(0), "{family}");
        let generator: Generator = ron::from_str(family).unwrap();
        let text = ron::to_string(&generator).unwrap();
        assert_eq!(ron::from_str::<Generator>(&text).unwrap(), generator);
    }
}

/// A number that changes with any bit of any payoff.
fn fingerprint(game: &NormalForm) -> u64 {
    let bits = (0..game.players()).flat_map(|player| game.payoff_tensor(player));
    bits.fold(0xcbf2_9ce4_8422_2325, |hash, payoff| {
        (hash ^ payoff.to_bits()).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn values_are_stable() {
    let found: Vec<u64> = FAMILIES.iter().map(|family| fingerprint(&make(family, 0))).collect();
    let pinned: [u64; 7] = [
        10_888_412_545_935_236_589,
        9_739_770_922_561_592_389,
        6_522_046_469_494_107_877,
        12_964_400_627_168_661_875,
        1_841_098_076_877_932_181,
        15_076_672_322_274_973_193,
        549_207_698_379_501_920,
    ];
    assert_eq!(found, pinned);
}

#[test]
fn ranges_hold() {
    let game = make(FAMILIES[0], 0);
    assert!((0..3).flat_map(|p| game.payoff_tensor(p)).all(|u| (-1.0..2.0).contains(u)));
    let game = make(FAMILIES[1], 0);
    assert!(game.payoff_tensor(1).iter().all(|u| u.fract() == 0.0 && u.abs() <= 50.0));
    assert_eq!(make(FAMILIES[2], 0).constant_sum(), Some(0.0));
}

#[test]
fn covariant_payoffs_have_the_moments_asked_for() {
    for (correlation, players) in [(-0.45, 3), (0.0, 2), (0.7, 3), (1.0, 2), (-1.0, 2)] {
        let actions: Vec<&str> = vec!["25"; players];
        let game = make(
            &format!("Covariant(actions: [{}], correlation: {correlation})", actions.join(", ")),
            0,
        );
        let n = game.profiles() as f64;
        let mean = |p: usize| game.payoff_tensor(p).sum() / n;
        let moment = |p: usize, q: usize| {
            let product = game.payoff_tensor(p) * game.payoff_tensor(q);
            product.sum() / n - mean(p) * mean(q)
        };
        // Five standard errors of a correlation at the smallest size, 625.
        assert!(mean(0).abs() < 0.2 && (moment(0, 0) - 1.0).abs() < 0.3);
        assert!((moment(0, 1) - correlation).abs() < 0.2, "{correlation}: {}", moment(0, 1));
    }
}

/// Whether a game has an exact potential: around every square of two players' deviations the
/// gains sum to zero (Monderer and Shapley 1996, corollary 2.9).
fn has_exact_potential(game: &NormalForm) -> bool {
    let shape = game.shape();
    game.payoff_tensor(0).indexed_iter().all(|(at, _)| {
        let base = at.as_array_view().to_vec();
        (0..shape.len()).all(|i| {
            (0..shape.len()).filter(|&j| j != i).all(|j| {
                (0..shape[i]).all(|a| {
                    (0..shape[j]).all(|b| {
                        let value = |player: usize, move_i: bool, move_j: bool| {
                            let mut profile = base.clone();
                            if move_i {
                                profile[i] = a;
                            }
                            if move_j {
                                profile[j] = b;
                            }
                            game.pure_payoffs(&profile).unwrap()[player]
                        };
                        let circle = value(i, true, false) - value(i, false, false)
                            + value(j, true, true)
                            - value(j, true, false)
                            + value(i, false, true)
                            - value(i, true, true)
                            + value(j, false, false)
                            - value(j, false, true);
                        circle.abs() < 1e-12
                    })
                })
            })
        })
    })
}

#[test]
fn potential_and_congestion_games_have_a_potential() {
    assert!(has_exact_potential(&make(FAMILIES[4], 0)));
    let congestion = make(FAMILIES[5], 0);
    assert_eq!(congestion.shape(), [6, 6, 6]);
    assert!(has_exact_potential(&congestion) && congestion.is_symmetric());
    assert!(!has_exact_potential(&make(FAMILIES[0], 0)));
}

#[test]
fn high_risk_games_have_their_share_of_tempting_actions() {
    for (actions, tempting) in [(2, 1), (5, 1), (10, 2), (25, 5)] {
        let game = make(&format!("HighRisk(actions: [{actions}, {actions}], loss: 10)"), 1);
        for player in 0..2 {
            let tensor = game.payoff_tensor(player);
            let mut risky = 0;
            for row in tensor.axis_iter(Axis(player)) {
                let losses = row.iter().filter(|&&u| u <= -10.0).count();
                let raised = row.iter().filter(|&&u| u >= 0.5).count();
                assert!(losses <= 1);
                risky += losses;
                assert!(losses == 0 || raised == actions - 1);
            }
            assert_eq!(risky, tempting);
        }
    }
}

#[test]
fn what_makes_no_game_is_refused_by_name() {
    assert_eq!(
        refused("Uniform(actions: [])"),
        "Uniform: actions is [], it must be one positive number per player"
    );
    assert_eq!(
        refused("Uniform(actions: [100000, 100000])"),
        "Uniform: a game with more than 50000000 payoffs"
    );
    assert!(
        refused("Covariant(actions: [2, 2, 2], correlation: -0.6)")
            .contains("[-1/(players - 1), 1]")
    );
    assert!(refused("Integer(actions: [2, 2], low: 3, high: 2)").starts_with("Integer: high is 2"));
    assert!(
        refused("HighRisk(actions: [2, 2], loss: 5, tempting: 1.5)").contains("tempting is 1.5")
    );
    assert!(refused("Congestion(players: 2, resources: 3, uses: 4)").contains("uses is 4"));
    assert!(refused("Uniform(actions: [2], loww: 3)").contains("loww"));
}
