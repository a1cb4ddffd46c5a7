//! PSRO on games that can be walked.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gambol_solvers::SolverConfig;
use gambol_solvers::alpha_rank::AlphaRank;
use gambol_solvers::correlated::{CoarseCorrelated, Correlated, Objective};
use gambol_solvers::game::sequential::{self, OneMove};
use gambol_solvers::game::{NormalForm, catalogue};
use gambol_solvers::meta::{Last, Uniform};
use gambol_solvers::nash::dynamics::projected_replicator::ProjectedReplicator;
use gambol_solvers::nash::dynamics::regret_matching::RegretMatching;
use gambol_solvers::nash::linear_program::LinearProgram;
use gambol_solvers::psro::{
    BestResponse, Config, Event, Finish, Psro, Sampling, State, TabularQ, Target, TreeGame,
};
use gambol_solvers::rae::{Rae, Variance, Views};
use gambol_solvers::seed::Streams;
use gambol_solvers::solution::SolveOptions;
use gambol_solvers::tree::Tree;
use ndarray::array;

type Policies = Vec<Vec<Vec<f64>>>;

fn normal(game: &NormalForm) -> TreeGame {
    TreeGame::new(Tree::new(&OneMove(game)).unwrap())
}

fn sequential(name: &str) -> TreeGame {
    TreeGame::new(sequential::find(name).unwrap().tree().unwrap())
}

fn named(name: &str) -> NormalForm {
    catalogue::find(name).unwrap().game().unwrap()
}

fn config(meta: SolverConfig, iterations: u32) -> Config {
    Config {
        meta,
        target: Target::Mixture,
        sampling: Sampling::Exact,
        iterations,
        warmup: 0,
        tolerance: 1e-9,
        repeats: None,
    }
}

fn program() -> SolverConfig {
    SolverConfig::LinearProgram(LinearProgram {})
}

/// One population of the pure strategies `first` for two players of a symmetric game.
fn shared(game: &TreeGame, first: &[usize]) -> Policies {
    vec![first.iter().map(|&action| game.tree().pure(0, &[action]).unwrap()).collect()]
}

fn uniform(game: &TreeGame) -> Policies {
    (0..game.tree().players()).map(|player| vec![game.tree().uniform(player)]).collect()
}

/// Joint choices with their weights, of a product or a joint distribution.
fn joint(psro: &Psro<Vec<f64>>, round: usize) -> Vec<(f64, Vec<usize>)> {
    let meta = &psro.state.rounds[round].meta;
    let shape: Vec<usize> = meta.profile.iter().map(Vec::len).collect();
    ndarray::indices(shape.as_slice())
        .into_iter()
        .enumerate()
        .map(|(place, index)| {
            let choice: Vec<usize> =
                ndarray::Dimension::as_array_view(&index).iter().copied().collect();
            let weight = meta.joint.as_ref().map_or_else(
                || choice.iter().zip(&meta.profile).map(|(&at, mix)| mix[at]).product(),
                |joint| joint[place],
            );
            (weight, choice)
        })
        .filter(|(weight, _)| *weight > 0.0)
        .collect()
}

/// Sum of all players' gains in the whole game, iteration by iteration.
fn convs(game: &TreeGame, psro: &Psro<Vec<f64>>) -> Vec<f64> {
    let state = &psro.state;
    (0..state.rounds.len())
        .map(|round| {
            let weights = joint(psro, round);
            game.gains(state.table.roles(), &state.populations, &weights).iter().sum()
        })
        .collect()
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance;
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(close),
        "{found:?} is not {expected:?}"
    );
}

fn actions(psro: &Psro<Vec<f64>>, role: usize) -> Vec<usize> {
    let one = |policy: &Vec<f64>| policy.iter().position(|&share| share > 0.5).unwrap();
    psro.state.populations[role].iter().map(one).collect()
}

#[test]
fn hawk_3_grows_as_recorded() {
    let game = normal(&named("hawk_3"));
    // Aggressive 0, moderate 1, safe 2.
    for (gamma, second, gap, last) in [
        (0.25, 0.236_845, 0.538_325, [0.182_603, 0.817_397]),
        (1.0, 0.135_304, 0.442_937, [0.074_209, 0.925_791]),
    ] {
        let meta = SolverConfig::Rae(Rae { gamma, tolerance: 1e-15, ..Rae::default() });
        let config = Config { target: Target::RiskAverse, ..config(meta, 10) };
        let mut psro = Psro::new(config, vec![0, 0], shared(&game, &[2]), Streams::new(1)).unwrap();
        let finish = psro.run(&game, &mut BestResponse(&game)).unwrap();
        assert_eq!((finish, psro.state.rounds.len()), (Finish::Converged, 3));
        assert_eq!(actions(&psro, 0), [2, 0, 1]);
        let mix = |round: usize| &psro.state.rounds[round].meta.profile;
        near(&mix(1)[0], &[1.0 - second, second], 6e-7);
        near(&mix(2)[0], &[0.0, last[0], last[1]], 6e-7);
        for round in 0..3 {
            assert_eq!(mix(round)[0], mix(round)[1], "one mix for both");
        }
        // The gap in the whole game; a response's gain in the marginal score bounds it from above.
        let whole = named("hawk_3");
        let risk = Rae { gamma, ..Rae::default() }.attitudes(2);
        for (round, expected) in [(0, 2.2), (1, gap), (2, 0.0)] {
            let mut own = vec![0.0; 3];
            for (&action, share) in actions(&psro, 0).iter().zip(&mix(round)[0]) {
                own[action] = *share;
            }
            let profile = gambol_solvers::solution::Profile::new(vec![own; 2]);
            let found = gambol_solvers::rae::assess(&Views::new(&whole), &profile, &risk).unwrap();
            near(&found.gap[..1], &[expected], 6e-7);
            let gains = &psro.state.rounds[round].gains;
            assert_eq!(gains.len(), 1, "players of one role who face the same need one response");
            assert!(gains[0] >= found.gap[0] - 1e-9, "{gains:?} {:?}", found.gap);
        }
        // The marginal scores that the sheet has: (0.684211, 1.228070, 0.684211) at gamma 0.25.
        if gamma < 0.5 {
            near(&psro.state.rounds[1].gains, &[1.228_070 - 0.684_211], 2e-6);
        }
    }
}

#[test]
fn the_double_oracle_goes_through_the_known_rounds() {
    let biased = {
        let game = named("biased_rock_paper_scissors");
        let (own, _) = game.matrices().unwrap();
        NormalForm::zero_sum((&own / 100.0).view()).unwrap()
    };
    for (game, expected) in
        [(biased, [0.5, 0.1, 0.0]), (named("rock_paper_scissors"), [2.0, 2.0, 0.0])]
    {
        let game = normal(&game);
        // Both ways: one population for both players, and one for each.
        let apart = |player| vec![game.tree().pure(player, &[0]).unwrap()];
        for (roles, populations) in
            [(vec![0, 0], shared(&game, &[0])), (vec![0, 1], vec![apart(0), apart(1)])]
        {
            let config = config(program(), 10);
            let mut psro = Psro::new(config, roles, populations, Streams::new(1)).unwrap();
            let finish = psro.run(&game, &mut BestResponse(&game)).unwrap();
            assert_eq!(finish, Finish::Converged);
            near(&convs(&game, &psro), &expected, 1e-9);
            // Rock, paper, scissors: the catalogue has them as rock 0, paper 1 or in its own order.
            assert_eq!(psro.state.sizes().iter().max(), Some(&3));
        }
    }
}

/// The stand-alone score `mu_a - gamma Sigma_aa` would stop here, with a gap of 2.195.
#[test]
fn the_marginal_score_finds_what_the_stand_alone_score_misses() {
    let game = normal(&named("marginal_oracle"));
    let meta = SolverConfig::Rae(Rae::default());
    let config = Config { target: Target::RiskAverse, ..config(meta, 10) };
    let mut psro = Psro::new(config, vec![0, 0], shared(&game, &[1, 2]), Streams::new(1)).unwrap();
    assert_eq!(psro.run(&game, &mut BestResponse(&game)).unwrap(), Finish::Converged);
    near(&psro.state.rounds[0].meta.profile[0], &[0.5, 0.5], 1e-9);
    near(&psro.state.rounds[0].gains, &[7.0], 1e-9);
    assert_eq!(actions(&psro, 0), [1, 2, 0]);
    near(&psro.state.rounds[1].meta.profile[0], &[0.0, 0.0, 1.0], 1e-9);
}

#[test]
fn kuhn_is_solved_and_leduc_falls() {
    let kuhn = sequential("kuhn_poker");
    let mut psro =
        Psro::new(config(program(), 50), vec![0, 1], uniform(&kuhn), Streams::new(1)).unwrap();
    assert_eq!(psro.run(&kuhn, &mut BestResponse(&kuhn)).unwrap(), Finish::Converged);
    let found = convs(&kuhn, &psro);
    assert!((found[0] - 11.0 / 12.0).abs() < 1e-12);
    assert!(*found.last().unwrap() < 1e-9, "{found:?}");
    assert!(found.len() <= 20, "{found:?}");
    let value = psro.state.meta.as_ref().unwrap().payoffs[0];
    assert!((value + 1.0 / 18.0).abs() < 1e-9, "{value}");
    // Behaviours play like the mixtures.
    let meta = psro.state.meta.as_ref().unwrap();
    let behaviours = kuhn.behaviours(&[0, 1], &psro.state.populations, &meta.profile);
    assert!(kuhn.tree().nash_conv(&behaviours) < 1e-9);

    let leduc = sequential("leduc_poker_ranks");
    let mut psro =
        Psro::new(config(program(), 60), vec![0, 1], uniform(&leduc), Streams::new(1)).unwrap();
    psro.run(&leduc, &mut BestResponse(&leduc)).unwrap();
    let found = convs(&leduc, &psro);
    assert!((found[0] - 4.747_222_222_222).abs() < 1e-9);
    assert!(found[20] < 0.75 * found[0] && found[60] < 0.25 * found[0], "{found:?}");
}

#[test]
fn every_meta_solver_drives_the_loop() {
    let kuhn = sequential("kuhn_poker");
    let coarse = CoarseCorrelated { objective: Objective::Gini };
    let correlated = Correlated { objective: Objective::Gini };
    let quick = ProjectedReplicator { iterations: 20_000, step: 0.02, ..Default::default() };
    let mean_variance = Rae { gamma: 0.05, ..Rae::default() };
    for (meta, target, iterations, below) in [
        (program(), Target::Mixture, 12, 0.02),
        (SolverConfig::Uniform(Uniform {}), Target::Mixture, 60, 0.15),
        (SolverConfig::Last(Last {}), Target::Mixture, 12, 3.0),
        (SolverConfig::ProjectedReplicator(quick), Target::Mixture, 12, 0.1),
        (SolverConfig::RegretMatching(RegretMatching::default()), Target::Mixture, 12, 0.1),
        (SolverConfig::AlphaRank(AlphaRank::default()), Target::Mixture, 12, 1.5),
        (program(), Target::Rectified, 20, 0.6),
        (SolverConfig::CoarseCorrelated(coarse), Target::Mixture, 20, 0.1),
        (SolverConfig::Correlated(correlated), Target::Recommendation, 12, 0.3),
        (SolverConfig::Rae(mean_variance), Target::RiskAverse, 12, 0.6),
    ] {
        let name = format!("{} {target:?}", meta.solver().info().name);
        let config = Config { target, ..config(meta, iterations) };
        let mut psro = Psro::new(config, vec![0, 1], uniform(&kuhn), Streams::new(1)).unwrap();
        psro.run(&kuhn, &mut BestResponse(&kuhn)).unwrap();
        let found = convs(&kuhn, &psro);
        let last = found.last().unwrap();
        assert!(*last < below, "{name}: {found:?}");
    }
}

#[test]
fn three_players_come_to_coarse_correlated_play() {
    let kuhn = sequential("kuhn_poker_3");
    let meta = SolverConfig::CoarseCorrelated(CoarseCorrelated { objective: Objective::Welfare });
    let mut psro =
        Psro::new(config(meta, 40), vec![0, 1, 2], uniform(&kuhn), Streams::new(1)).unwrap();
    let finish = psro.run(&kuhn, &mut BestResponse(&kuhn)).unwrap();
    let found = convs(&kuhn, &psro);
    assert!((found[0] - 2.0625).abs() < 1e-12);
    assert!(finish == Finish::Converged || *found.last().unwrap() < 0.1, "{finish:?} {found:?}");
}

fn sampled(interval: f64, iterations: u32) -> Config {
    let sampling = Sampling::Episodes { first: 100, most: 20_000, interval };
    Config { sampling, ..config(program(), iterations) }
}

#[test]
fn cells_are_played_until_deviations_are_known() {
    let kuhn = sequential("kuhn_poker");
    let interval = 0.05;
    let mut psro =
        Psro::new(sampled(interval, 6), vec![0, 1], uniform(&kuhn), Streams::new(3)).unwrap();
    psro.run(&kuhn, &mut BestResponse(&kuhn)).unwrap();
    let game = psro.game().unwrap();
    let meta = psro.state.meta.clone().unwrap();
    let noise = game.noise().unwrap();
    for player in 0..2 {
        let weights = &meta.profile[1 - player];
        let payoffs = game.payoff_tensor(player);
        let at = |a: usize, k: usize| if player == 0 { [a, k] } else { [k, a] };
        let actions = meta.profile[player].len();
        let sum = |a: usize, of: &dyn Fn([usize; 2], f64) -> f64| -> f64 {
            weights.iter().enumerate().map(|(k, &w)| of(at(a, k), w)).sum()
        };
        let worth = |a: usize| sum(a, &|cell, w| w * payoffs[cell.as_slice()]);
        let error =
            |a: usize| sum(a, &|cell, w| w * w * noise.errors[player][cell.as_slice()]).sqrt();
        let best = (0..actions).max_by(|&a, &b| worth(a).total_cmp(&worth(b))).unwrap();
        for a in 0..actions {
            let known = 1.96 * error(a) <= interval * 1.000_001;
            let beaten = meta.profile[player][a] <= 0.0
                && worth(best) - worth(a) > 1.96 * (error(a) + error(best));
            assert!(known || beaten, "player {player}, policy {a}: {} {}", worth(a), error(a));
        }
    }
    // Cells differ in what they needed; and the truth is where it should be.
    let counts: Vec<u64> =
        psro.state.table.cells().filter_map(|(_, cell)| cell.returns.count()).collect();
    assert!(counts.contains(&100) && counts.iter().any(|&count| count > 500));
    let (mut within, mut cells) = (0, 0);
    for (profile, _) in psro.state.table.cells() {
        let policies: Vec<Vec<f64>> =
            (0..2).map(|p| psro.state.populations[p][profile[p]].clone()).collect();
        let truth = kuhn.tree().play(&policies).mean[0];
        let found = game.payoff_tensor(0)[profile];
        let error = noise.errors[0][profile].sqrt();
        cells += 1;
        within += u32::from((found - truth).abs() <= 3.0 * error + 1e-12);
    }
    assert!(f64::from(within) >= 0.95 * f64::from(cells), "{within} of {cells}");
}

fn text(state: &State<Vec<f64>>) -> String {
    serde_json::to_string(state).unwrap()
}

#[test]
fn threads_and_resuming_change_nothing() {
    let kuhn = sequential("kuhn_poker");
    let begin = || Psro::new(sampled(0.1, 4), vec![0, 1], uniform(&kuhn), Streams::new(9)).unwrap();
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut psro = begin();
            psro.run(&kuhn, &mut BestResponse(&kuhn)).unwrap();
            text(&psro.state)
        })
    };
    let whole = with_threads(1);
    assert_eq!(with_threads(2), whole);
    // Saved, thrown away and read back after every single step.
    let mut psro = begin();
    let mut events = Vec::new();
    loop {
        let event = psro.advance(&kuhn, &mut BestResponse(&kuhn)).unwrap();
        let done = matches!(event, Event::Finished(_));
        events.push(event);
        let state: State<Vec<f64>> = serde_json::from_str(&text(&psro.state)).unwrap();
        psro = Psro::resume(sampled(0.1, 4), Streams::new(9), state);
        if done {
            break;
        }
    }
    assert_eq!(text(&psro.state), whole);
    // There were steps in the middle of iterations.
    assert!(events.contains(&Event::Solved { settled: false }), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Responded { player: 0, .. })));
    let mapped = psro.state.clone().try_map(|policy| Ok::<_, ()>(policy.len())).unwrap();
    assert_eq!(mapped.sizes(), psro.state.sizes());
}

#[test]
fn q_learning_comes_close_to_the_best_response() {
    let kuhn = sequential("kuhn_poker");
    let config = config(program(), 1);
    let best = {
        let mut psro =
            Psro::new(config.clone(), vec![0, 1], uniform(&kuhn), Streams::new(2)).unwrap();
        psro.run(&kuhn, &mut BestResponse(&kuhn)).unwrap();
        psro.state.rounds[0].gains.clone()
    };
    let mut psro = Psro::new(config, vec![0, 1], uniform(&kuhn), Streams::new(2)).unwrap();
    let mut oracle = TabularQ::default().on(&kuhn);
    psro.run(&kuhn, &mut oracle).unwrap();
    let learned = &psro.state.rounds[0].gains;
    assert_eq!(learned.len(), 2, "filled in once the responses were played");
    for (learned, best) in learned.iter().zip(&best) {
        assert!(*learned <= best + 1e-12 && *learned > 0.9 * best, "{learned} {best}");
    }
    assert!(psro.state.rounds[1].steps > 20_000);
}

#[test]
fn what_is_rectified_and_recommended() {
    // Rock beats scissors, scissors beat paper, paper beats rock; all three are played.
    let game = normal(&named("rock_paper_scissors"));
    let mut psro = Psro::new(
        Config { target: Target::Rectified, ..config(program(), 1) },
        vec![0, 0],
        shared(&game, &[0, 1, 2]),
        Streams::new(1),
    )
    .unwrap();
    psro.run(&game, &mut BestResponse(&game)).unwrap();
    // Each trains against itself and what it beats: of rock and scissors, rock gains most, 1/2,
    // which is what it has against these two. Nothing is gained.
    near(&psro.state.rounds[0].gains, &[0.0, 0.0, 0.0], 1e-9);

    // Chicken: told to dare, the other surely swerves; told to swerve, it may do either.
    let game = named("chicken_dare");
    let tree = normal(&game);
    let meta = SolverConfig::Correlated(Correlated { objective: Objective::Welfare });
    let all = |player| (0..2).map(|a| tree.tree().pure(player, &[a]).unwrap()).collect();
    let mut psro = Psro::new(
        Config { target: Target::Recommendation, ..config(meta, 1) },
        vec![0, 1],
        vec![all(0), all(1)],
        Streams::new(1),
    )
    .unwrap();
    assert_eq!(psro.run(&tree, &mut BestResponse(&tree)).unwrap(), Finish::Converged);
    assert_eq!(psro.state.rounds[0].gains.len(), 4, "two recommendations a player");
    near(&psro.state.rounds[0].gains, &[0.0; 4], 1e-7);
}

#[test]
fn noise_within_cells_counts_when_asked() {
    // Two actions of the same mean; the second one's returns vary.
    let zeros = || array![[0.0, 0.0], [0.0, 0.0]].into_dyn();
    let noise = gambol_solvers::game::Noise {
        variances: vec![array![[0.0, 0.0], [4.0, 4.0]].into_dyn(), zeros()],
        errors: vec![zeros(), zeros()],
    };
    let own = array![[1.0, 1.0], [1.5, 1.5]];
    let game = NormalForm::bimatrix(own.view(), array![[0.0, 0.0], [0.0, 0.0]].view())
        .unwrap()
        .with_noise(noise)
        .unwrap();
    let solve = |variance| {
        let rae = Rae { gamma: 1.0, variance, ..Rae::default() };
        SolverConfig::Rae(rae).solver().solve(&game, &SolveOptions::default()).unwrap().equilibria
    };
    near(&solve(Variance::Strategic)[0].profile[0], &[0.0, 1.0], 1e-9);
    // 1 + x/2 - 4 x^2 is largest at x = 1/16.
    near(&solve(Variance::Total)[0].profile[0], &[15.0 / 16.0, 1.0 / 16.0], 1e-6);
}

/// What episodes pretend is taken off, on average.
#[test]
fn errors_of_payoffs_are_corrected_for() {
    use gambol_solvers::rae::Exposure;
    use gambol_solvers::seed::{Purpose, unit_f64};

    let weights = ndarray::Array1::from(vec![0.5, 0.3, 0.2]);
    let truth = [1.0, 0.4, -0.2];
    let mut rng = Streams::new(12).at(Purpose::Generate, 0, 0);
    let errors = ndarray::Array2::from_elem((1, 3), 1.0 / 12.0);
    let rounds = 40_000;
    let (mut raw, mut corrected) = (0.0, 0.0);
    for _ in 0..rounds {
        let row =
            ndarray::Array2::from_shape_fn((1, 3), |(_, k)| truth[k] + unit_f64(&mut rng) - 0.5);
        let exposure = Exposure::new(row, weights.clone()).unwrap();
        raw += exposure.variances()[0] / f64::from(rounds);
        corrected += exposure.corrected(&errors).unwrap().variances()[0] / f64::from(rounds);
    }
    let row = ndarray::Array2::from_shape_fn((1, 3), |(_, k)| truth[k]);
    let exact = Exposure::new(row, weights).unwrap().variances()[0];
    // Cut at zero, so that a little more than nothing is left of the bias.
    assert!((raw - exact) > 0.045, "{raw} {exact}");
    assert!((corrected - exact).abs() < 0.01, "{corrected} {exact}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let kuhn = sequential("kuhn_poker");
    let bad = Config { target: Target::RiskAverse, ..config(program(), 1) };
    let error = Psro::new(bad, vec![0, 1], uniform(&kuhn), Streams::new(1)).unwrap_err();
    assert!(error.to_string().contains("must be Rae"), "{error}");
    for (roles, populations) in [(vec![], vec![]), (vec![0, 1], vec![vec![vec![1.0]]])] {
        let error = Psro::new(config(program(), 1), roles, populations, Streams::new(1));
        assert!(error.unwrap_err().to_string().contains("every player needs a population"));
    }
}

/// Two conventions, of which each is found only in answer to a policy that plays it.
#[test]
fn a_warm_up_finds_every_convention() {
    let game = named("coordination_3x3");
    let tree = normal(&game);
    let rounds = |warmup| {
        // Populations of the first player's even play alone would never leave what they meet first.
        let config = Config { warmup, ..config(SolverConfig::Last(Last {}), warmup + 1) };
        let first = vec![
            vec![tree.tree().pure(0, &[0]).unwrap(), tree.tree().pure(0, &[2]).unwrap()],
            vec![tree.tree().pure(1, &[1]).unwrap()],
        ];
        let mut psro = Psro::new(config, vec![0, 1], first, Streams::new(1)).unwrap();
        psro.run(&tree, &mut BestResponse(&tree)).unwrap();
        let mut found: Vec<usize> = actions(&psro, 1);
        found.sort_unstable();
        found.dedup();
        (found, psro.state.rounds[0].gains.len())
    };
    // One response of the first player to action 1, one of the second to each of actions 0 and 2.
    assert_eq!(rounds(1), (vec![0, 1, 2], 3));
    assert_eq!(rounds(0), (vec![1, 2], 2));
}
