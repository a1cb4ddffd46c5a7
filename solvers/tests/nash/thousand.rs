//! A thousand random bimatrix games of sizes 2 to 8, and random games of three and four players.
//!
//! Fast methods solve all of them; slow ones solve a stated part.

use gambol_solvers::SolverConfig;
use gambol_solvers::game::NormalForm;
use gambol_solvers::game::generate::Generator;
use gambol_solvers::nash::extreme::Extreme;
use gambol_solvers::nash::lemke_howson::LemkeHowson;
use gambol_solvers::nash::polynomial::Polynomial;
use gambol_solvers::nash::support_enumeration::SupportEnumeration;
use gambol_solvers::seed::Streams;
use gambol_solvers::solution::{Profile, SolveOptions, Solver, Stop};
use ndarray::{ArrayD, Dimension, IxDyn};

/// Game `index` of the thousand: all 49 pairs of sizes take turns.
fn game(index: u32) -> NormalForm {
    let actions = vec![2 + index as usize % 7, 2 + index as usize / 7 % 7];
    let family = Generator::Uniform { actions, low: 0.0, high: 1.0 };
    family.generate(Streams::new(1000), index).unwrap()
}

/// The answers, each certified where it claims to be an equilibrium, and how many do.
fn solve(solver: &dyn Solver, game: &NormalForm) -> (Vec<Profile>, usize) {
    let name = solver.info().name;
    let solutions = solver.solve(game, &SolveOptions::default().all()).unwrap();
    assert!(!solutions.equilibria.is_empty() || name == "pure", "{name}: no answer");
    let mut claims = 0;
    for solution in &solutions.equilibria {
        if let Some(tolerance) = solver.tolerance()
            && matches!(solution.stop, Stop::Complete | Stop::Converged)
        {
            claims += 1;
            let bound = tolerance * game.spread().max(1.0);
            assert!(solution.max_regret() <= bound, "{name}, {}: {solution:?}", game.title());
        }
    }
    (solutions.equilibria.into_iter().map(|solution| solution.profile).collect(), claims)
}

/// Whether every profile of the first list is in the second.
fn among(some: &[Profile], others: &[Profile]) -> bool {
    some.iter().all(|one| others.iter().any(|other| one.distance(other) < 1e-9))
}

#[test]
fn enumerations_agree_and_lemke_howson_finds_some_of_theirs() {
    let mut equilibria = 0;
    for index in 0..1000 {
        let game = game(index);
        let (extreme, _) = solve(&Extreme::default(), &game);
        let (supports, _) = solve(&SupportEnumeration::default(), &game);
        // Payoffs drawn at random are not degenerate.
        assert_eq!(extreme.len(), supports.len(), "{}", game.title());
        assert!(extreme.len() % 2 == 1, "{}: {} equilibria", game.title(), extreme.len());
        assert!(among(&extreme, &supports), "{}", game.title());
        let (reached, _) = solve(&LemkeHowson::default(), &game);
        assert!(among(&reached, &extreme), "{}", game.title());
        equilibria += extreme.len();
    }
    // As found; a change of the generator would change the games.
    assert_eq!(equilibria, 2684);
}

#[test]
fn polynomials_agree_with_vertices() {
    for index in (0..1000).filter(|index| index % 7 < 3 && index / 7 % 7 < 3) {
        let game = game(index);
        let found = Polynomial::default().solve(&game, &SolveOptions::default().all()).unwrap();
        assert_eq!(found.stop, Stop::Complete, "{}", game.title());
        let (polynomial, _) = solve(&Polynomial::default(), &game);
        let (extreme, _) = solve(&Extreme::default(), &game);
        assert_eq!(polynomial.len(), extreme.len(), "{}", game.title());
        assert!(among(&polynomial, &extreme), "{}", game.title());
    }
}

/// The solver with so few rounds that a test can afford it; its answers may stop short.
fn hurried(config: SolverConfig) -> SolverConfig {
    let rounds = 4_000;
    match config {
        SolverConfig::RegretMatching(mut solver) => {
            solver.iterations = rounds;
            SolverConfig::RegretMatching(solver)
        }
        SolverConfig::RegretMatchingPlus(mut solver) => {
            solver.iterations = rounds;
            SolverConfig::RegretMatchingPlus(solver)
        }
        SolverConfig::FictitiousPlay(mut solver) => {
            solver.iterations = rounds;
            SolverConfig::FictitiousPlay(solver)
        }
        SolverConfig::SmoothFictitiousPlay(mut solver) => {
            solver.iterations = rounds;
            SolverConfig::SmoothFictitiousPlay(solver)
        }
        SolverConfig::Replicator(mut solver) => {
            solver.iterations = rounds;
            SolverConfig::Replicator(solver)
        }
        SolverConfig::ProjectedReplicator(mut solver) => {
            solver.iterations = rounds;
            solver.step = 0.05;
            SolverConfig::ProjectedReplicator(solver)
        }
        other => other,
    }
}

#[test]
fn every_solver_keeps_its_tolerance() {
    for config in SolverConfig::defaults().into_iter().map(hurried) {
        let solver = config.solver();
        if solver.tolerance().is_none() {
            continue;
        }
        // The enumerations and Lemke-Howson solve all thousand in the test above.
        let (stride, most_actions) = match solver.info().name {
            "pure" => (1, 8),
            "logit" => (10, 8),
            "polynomial" => (10, 4),
            _ => (40, 8),
        };
        let mut claims = 0;
        for index in (0..1000).step_by(stride) {
            let game = game(index);
            if solver.check(&game).is_ok() && game.shape().iter().all(|&n| n <= most_actions) {
                claims += solve(solver, &game).1;
            }
        }
        let name = solver.info().name;
        assert!(claims > 0 || solver.check(&game(0)).is_err(), "{name} answered nothing");
    }
}

#[test]
fn learning_converges_in_zero_sum_games() {
    let names = ["regret-matching", "regret-matching-plus", "fictitious-play", "linear-program"];
    for index in 0..49 {
        let (rows, columns) = (2 + index as usize % 7, 2 + index as usize / 7 % 7);
        let family = Generator::ZeroSum { rows, columns, low: -1.0, high: 1.0 };
        let game = family.generate(Streams::new(1001), index).unwrap();
        for name in names {
            let solver = match SolverConfig::named(name).unwrap() {
                // The only ones with a rate of one over the square root of rounds, or worse.
                SolverConfig::RegretMatching(mut solver) => {
                    solver.tolerance = 1e-2;
                    SolverConfig::RegretMatching(solver)
                }
                SolverConfig::FictitiousPlay(mut solver) => {
                    solver.tolerance = 1e-2;
                    SolverConfig::FictitiousPlay(solver)
                }
                other => other,
            };
            let answer = solver.solver().solve(&game, &SolveOptions::default()).unwrap();
            assert!(matches!(answer.stop, Stop::Converged | Stop::Complete), "{name}: {answer:?}");
            let bound = solver.solver().tolerance().unwrap() * game.spread().max(1.0);
            assert!(answer.equilibria[0].max_regret() <= bound, "{name}: {answer:?}");
        }
    }
}

#[test]
fn more_players() {
    let all = SolveOptions::default().all();
    for index in 0..40 {
        let actions = match index % 4 {
            0 => vec![2, 2, 2, 2],
            1 => vec![2, 3, 2],
            2 => vec![3, 2, 3],
            _ => vec![2, 2, 2],
        };
        let family = Generator::Uniform { actions, low: 0.0, high: 1.0 };
        let game = family.generate(Streams::new(1003), index).unwrap();
        let found = Polynomial::default().solve(&game, &all).unwrap();
        assert_eq!(found.stop, Stop::Complete, "{}", game.title());
        // Wilson 1971: the number of equilibria of almost every game is odd.
        assert!(found.equilibria.len() % 2 == 1, "{}: {found:?}", game.title());
        let profiles: Vec<Profile> = found.equilibria.into_iter().map(|s| s.profile).collect();
        // Where the logit branch ends is one of them.
        let limit = SolverConfig::named("logit").unwrap();
        let limit = limit.solver().solve(&game, &all).unwrap().equilibria.remove(0);
        assert_eq!(limit.stop, Stop::Converged, "{}", game.title());
        let nearest = profiles.iter().map(|profile| profile.distance(&limit.profile));
        assert!(nearest.fold(f64::INFINITY, f64::min) < 1e-3, "{}: {limit:?}", game.title());
    }
}

#[test]
fn odd_shapes_and_ties() {
    let game = |shape: &[usize], payoff: &dyn Fn(usize, &[usize]) -> f64| {
        let tensor = |player: usize| {
            ArrayD::from_shape_fn(IxDyn(shape), |at| {
                payoff(player, at.as_array_view().as_slice().unwrap())
            })
        };
        NormalForm::new((0..shape.len()).map(tensor).collect()).unwrap()
    };
    let games = [
        // One player with a best action, and one with two.
        game(&[3], &|_, at| at[0] as f64),
        game(&[3], &|_, at| [1.0, 0.0, 1.0][at[0]]),
        // A player without a choice, and nobody with one.
        game(&[1, 3], &|p, at| [0.5, at[1] as f64][p]),
        game(&[1, 1, 1], &|p, _| p as f64),
        // Nothing matters.
        game(&[2, 2], &|_, _| 0.0),
        game(&[2, 2, 2], &|p, _| -3.0 * p as f64),
        // Agreement of three, and a continuum: the third player decides nothing.
        game(&[2, 2, 2], &|_, at| f64::from(u8::from(at[0] == at[1] && at[1] == at[2]))),
        game(&[2, 2, 2], &|_, at| f64::from(u8::from(at[0] == at[1]))),
    ];
    for game in &games {
        for config in SolverConfig::defaults().into_iter().map(hurried) {
            let solver = config.solver();
            if solver.check(game).is_ok() {
                solve(solver, game);
            }
        }
    }
    // The continuum is seen, and nothing more is claimed.
    let all = SolveOptions::default().all();
    let found = Polynomial::default().solve(&games[7], &all).unwrap();
    assert_eq!(found.stop, Stop::Stalled);
    assert!(found.equilibria.len() > 6);
    assert_eq!(Polynomial::default().solve(&games[0], &all).unwrap().stop, Stop::Complete);
}
