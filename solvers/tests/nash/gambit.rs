//! Numbers of extreme equilibria that Gambit's exact enumeration finds in 200 random games.
//!
//! Made by `tests/peers/enumeration.py` with pygambit 16.7.0, which also compares the equilibria
//! themselves; here our enumeration is held to the numbers.

use gambol_solvers::game::generate::Generator;
use gambol_solvers::nash::extreme::Extreme;
use gambol_solvers::seed::Streams;
use gambol_solvers::solution::{SolveOptions, Solver};

const SIZE_3: [usize; 67] = [
    3, 1, 1, 3, 3, 1, 1, 1, 5, 1, 1, 1, 1, 1, 1, 1, 2, 3, 1, 1, 1, 1, 1, 3, 1, 1, 3, 1, 1, 1, 1, 1,
    1, 3, 1, 3, 1, 1, 1, 3, 1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 1, 3, 1, 1, 1, 3, 1,
    1, 3, 3,
];

const SIZE_4: [usize; 67] = [
    3, 1, 1, 1, 1, 3, 3, 3, 5, 1, 1, 3, 3, 3, 1, 1, 1, 1, 1, 1, 3, 1, 3, 5, 1, 3, 1, 1, 1, 3, 1, 3,
    1, 3, 3, 3, 7, 1, 1, 1, 1, 1, 1, 1, 1, 3, 1, 3, 3, 5, 3, 3, 3, 1, 1, 1, 3, 3, 1, 5, 1, 1, 3, 1,
    1, 1, 1,
];

const SIZE_5: [usize; 66] = [
    8, 2, 3, 5, 4, 5, 2, 3, 1, 2, 1, 3, 3, 1, 3, 1, 1, 3, 1, 3, 1, 5, 3, 1, 1, 3, 1, 3, 3, 3, 5, 1,
    3, 3, 1, 1, 3, 3, 6, 3, 1, 3, 1, 3, 7, 5, 3, 1, 1, 3, 7, 1, 1, 3, 1, 1, 3, 3, 3, 1, 3, 5, 5, 2,
    1, 3,
];

#[test]
fn as_many_equilibria_as_gambit_finds() {
    let all = SolveOptions::default().all();
    for (size, counts) in [(3, &SIZE_3[..]), (4, &SIZE_4[..]), (5, &SIZE_5[..])] {
        let family = Generator::Integer { actions: vec![size; 2], low: -50, high: 50 };
        for (index, &count) in counts.iter().enumerate() {
            let game = family.generate(Streams::new(50), index as u32).unwrap();
            let found = Extreme::default().solve(&game, &all).unwrap().equilibria;
            assert_eq!(found.len(), count, "{}", game.title());
            assert!(found.iter().all(|s| s.max_regret() < 1e-12 * game.spread()));
        }
    }
}
