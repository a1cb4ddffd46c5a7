//! Random games: termination, certificates, agreement of methods.

use gambol_solvers::game::NormalForm;
use gambol_solvers::nash::lemke_howson::LemkeHowson;
use gambol_solvers::solution::{SolveOptions, Solver};

use super::games;

fn certified(solver: &dyn Solver, game: &NormalForm, options: SolveOptions) -> usize {
    let solutions = solver.solve(game, &options).unwrap();
    let tolerance = solver.tolerance().unwrap() * game.largest_payoff().max(1.0);
    for solution in &solutions.equilibria {
        assert!(solution.max_regret() <= tolerance, "{:?}: {solution:?}", solver.info().name);
    }
    solutions.equilibria.len()
}

#[test]
fn lemke_howson_ends_from_every_label_up_to_50x50() {
    let all = SolveOptions::default().all();
    for (index, size) in [20, 35, 50].into_iter().enumerate() {
        let uniform = games::uniform(index as u32, size, size);
        assert!(certified(&LemkeHowson::default(), &uniform, all) > 0);
        let integer = games::integer(index as u32, size, size, 50);
        assert!(certified(&LemkeHowson::default(), &integer, all) > 0);
    }
    // Degenerate: three payoffs only.
    let tied = games::integer(0, 20, 20, 1);
    assert!(certified(&LemkeHowson::default(), &tied, all) > 0);
}

#[test]
fn exact_and_approximate_paths_end_at_the_same_equilibrium() {
    for index in 0..40 {
        let game = games::uniform(index, 3 + index as usize % 8, 2 + index as usize % 9);
        let [approximate, exact] = [false, true].map(|exact| {
            let solver = LemkeHowson { label: index as usize % 5, exact, chains: false };
            solver.solve(&game, &SolveOptions::default()).unwrap().equilibria.remove(0)
        });
        assert!(approximate.profile.distance(&exact.profile) < 1e-12);
        assert_eq!(approximate.iterations, exact.iterations);
    }
}
