//! Random games: termination, certificates, agreement of methods.

use gambol_solvers::game::NormalForm;
use gambol_solvers::nash::extreme::Extreme;
use gambol_solvers::nash::lemke_howson::LemkeHowson;
use gambol_solvers::nash::support_enumeration::SupportEnumeration;
use gambol_solvers::solution::{SolveOptions, Solver};

use std::collections::BTreeSet;

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

/// The actions played, as a mask.
fn support(strategy: &[f64]) -> u64 {
    (0..strategy.len()).filter(|&a| strategy[a] > 0.0).fold(0, |set, a| set | 1 << a)
}

/// All unions of some of the sets.
fn unions(sets: impl Iterator<Item = u64>) -> BTreeSet<u64> {
    sets.fold(BTreeSet::new(), |mut all, set| {
        all.extend(all.clone().iter().map(|other| other | set));
        all.insert(set);
        all
    })
}

/// Pairs of supports that occur in the convex hulls of the maximal Nash subsets.
fn supports_of_components(game: &NormalForm) -> BTreeSet<(u64, u64)> {
    let set = Extreme::default().enumerate(game).unwrap();
    let components = set.components(10_000).unwrap();
    let mut pairs = BTreeSet::new();
    for (rows, columns) in components.iter().flat_map(|component| &component.subsets) {
        let columns = unions(columns.iter().map(|&c| support(&set.columns[c])));
        for x in unions(rows.iter().map(|&r| support(&set.rows[r]))) {
            pairs.extend(columns.iter().map(|&y| (x, y)));
        }
    }
    pairs
}

#[test]
fn supports_of_degenerate_games_are_those_of_their_components() {
    let mut unequal = 0;
    // Payoffs in -1..=1 tie all the time.
    let random = (0..120).map(|i| games::integer(i, 1 + i as usize % 4, 2 + i as usize / 4 % 3, 1));
    for game in random.chain([games::nashpy_82()]) {
        let options = SolveOptions::default().all();
        let solver = SupportEnumeration::default();
        assert!(certified(&solver, &game, options) > 0);
        let found = solver.solve(&game, &options).unwrap().equilibria;
        let supports: BTreeSet<(u64, u64)> =
            found.iter().map(|s| (support(&s.profile[0]), support(&s.profile[1]))).collect();
        assert_eq!(supports.len(), found.len(), "a pair of supports twice");
        assert_eq!(supports, supports_of_components(&game));
        unequal += supports.iter().filter(|(x, y)| x.count_ones() != y.count_ones()).count();
    }
    assert!(unequal > 100, "the games were not degenerate enough: {unequal}");
}
