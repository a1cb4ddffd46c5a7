//! Growing a population of strategies by the marginal score, as PSRO with RAE does.
//!
//! The loop is here only, on games whose whole payoffs are known: the best response that PSRO
//! trains is then the best of all actions against the re-weighted opponent.

use gambol_solvers::game::{NormalForm, catalogue};
use gambol_solvers::rae::{Enumeration, RiskAversion, Tremble, Views, assess, enumerate};
use gambol_solvers::seed::Streams;
use gambol_solvers::solution::Profile;
use ndarray::{Array1, Array2, ArrayView1, Axis};

fn game(name: &str) -> NormalForm {
    catalogue::find(name).unwrap().game().unwrap()
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance;
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(close),
        "{found:?} is not {expected:?}"
    );
}

/// One round: what the population plays, how far that is from an RAE of the whole game, and the
/// marginal score of every action.
struct Round {
    mix: Vec<f64>,
    gap: f64,
    marginal: Vec<f64>,
}

/// The rounds of a symmetric game from one action on, until no action beats the population's score.
fn grow(game: &NormalForm, first: usize, gamma: f64) -> (Vec<usize>, Vec<Round>) {
    let views = Views::new(game);
    let own = views.payoffs(0).clone();
    let risk = RiskAversion::uniform(2, gamma, Tremble::None);
    let mut population = vec![first];
    let mut rounds = Vec::new();
    loop {
        let within: Array2<f64> = own.select(Axis(0), &population).select(Axis(1), &population);
        let meta = NormalForm::symmetric(within.view()).unwrap();
        let parameters = Enumeration { symmetric: true, ..Enumeration::default() };
        let found = enumerate(&Views::new(&meta), &risk, parameters, Streams::new(0)).unwrap();
        let found = found.equilibria;
        assert_eq!(found.len(), 1, "the meta-game of {population:?}");
        let mut mix = vec![0.0; own.nrows()];
        for (&action, share) in population.iter().zip(&found[0].profile[0]) {
            mix[action] = *share;
        }
        let profile = Profile::new(vec![mix.clone(); 2]);
        let gap = assess(&views, &profile, &risk).unwrap().gap[0];
        let exposure = views.exposure(0, &profile, Tremble::None).unwrap();
        let x = ArrayView1::from(&mix);
        let marginal = exposure.gradient(gamma, x);
        // The same as plain expected payoffs against the re-weighted opponent.
        let reweighted = own.dot(&exposure.reweighted(gamma, x));
        near(reweighted.as_slice().unwrap(), marginal.as_slice().unwrap(), 1e-12);
        let best = (0..mix.len()).fold(0, |a, b| if marginal[b] > marginal[a] { b } else { a });
        let grows = marginal[best] > x.dot(&marginal) + 1e-9;
        rounds.push(Round { mix, gap, marginal: marginal.to_vec() });
        if !grows {
            return (population, rounds);
        }
        assert!(!population.contains(&best), "{best} is in {population:?}");
        population.push(best);
    }
}

#[test]
fn hawk_3_grows_as_recorded() {
    let game = game("hawk_3");
    // Aggressive 0, moderate 1, safe 2.
    let (population, rounds) = grow(&game, 2, 0.25);
    assert_eq!(population, [2, 0, 1]);
    near(&rounds[0].mix, &[0.0, 0.0, 1.0], 0.0);
    near(&[rounds[0].gap], &[2.2], 1e-12);
    near(&rounds[1].mix, &[0.236_845, 0.0, 0.763_155], 6e-7);
    near(&[rounds[1].gap], &[0.538_325], 6e-7);
    near(&rounds[1].marginal, &[0.684_211, 1.228_070, 0.684_211], 6e-7);
    near(&rounds[2].mix, &[0.182_603, 0.817_397, 0.0], 6e-7);
    near(&[rounds[2].gap], &[0.0], 1e-9);
    near(&rounds[2].marginal, &[1.2, 1.2, 0.68], 6e-7);

    let (population, rounds) = grow(&game, 2, 1.0);
    assert_eq!(population, [2, 0, 1]);
    near(&rounds[1].mix, &[0.135_304, 0.0, 0.864_696], 6e-7);
    near(&[rounds[1].gap], &[0.442_937], 6e-7);
    near(&rounds[2].mix, &[0.074_209, 0.925_791, 0.0], 6e-7);
    near(&[rounds[2].gap], &[0.0], 1e-9);
}

/// The double oracle of two players is the same loop without risk aversion, here from the
/// exact equilibria of the restricted game.
#[test]
fn the_double_oracle_is_the_loop_without_risk_aversion() {
    let scaled = {
        let game = game("biased_rock_paper_scissors");
        let (own, _) = game.matrices().unwrap();
        NormalForm::zero_sum((&own / 100.0).view()).unwrap()
    };
    for (game, expected) in
        [(scaled, [0.5, 0.1, 0.0]), (game("rock_paper_scissors"), [2.0, 2.0, 0.0])]
    {
        let (_, rounds) = grow(&game, 0, 0.0);
        let conv: Vec<f64> = rounds
            .iter()
            .map(|round| game.nash_conv(&Profile::new(vec![round.mix.clone(); 2])))
            .collect();
        near(&conv, &expected, 1e-9);
    }
}

/// The stand-alone score `mu_a - gamma Sigma_aa` overlooks what the marginal score adds.
#[test]
fn the_stand_alone_score_stops_too_early() {
    let game = game("marginal_oracle");
    let risk = RiskAversion::uniform(2, 0.5, Tremble::None);
    let views = Views::new(&game);
    let profile = Profile::new(vec![vec![0.0, 0.5, 0.5]; 2]);
    let exposure = views.exposure(0, &profile, Tremble::None).unwrap();
    let alone: Array1<f64> = &exposure.mean() - &(0.5 * &exposure.variances());
    near(alone.as_slice().unwrap(), &[-8.0, -3.625, -3.625], 1e-12);
    let x = ArrayView1::from(&profile[0]);
    near(exposure.gradient(0.5, x).as_slice().unwrap(), &[4.0, -3.0, -3.0], 1e-12);
    near(exposure.reweighted(0.5, x).as_slice().unwrap(), &[0.0, 1.0, 0.0], 1e-12);
    near(&assess(&views, &profile, &risk).unwrap().gap, &[2.195_266; 2], 6e-7);
    // With action 0 in it the population reaches the RAE of the whole game.
    let parameters = Enumeration { symmetric: true, ..Enumeration::default() };
    let found = enumerate(&views, &risk, parameters, Streams::new(0)).unwrap().equilibria;
    assert_eq!(found.len(), 1, "{found:?}");
    near(&found[0].profile[0], &[1.0, 0.0, 0.0], 0.0);
}

/// Payoffs that are means of few episodes exaggerate variances: independent noise of variance `s2`
/// a cell and `n` episodes each adds `sum_k w_k (1 - w_k) s2 / n` on the diagonal, on average.
#[test]
fn noise_of_estimated_payoffs_inflates_the_diagonal() {
    use gambol_solvers::rae::Exposure;
    use gambol_solvers::seed::{Purpose, unit_f64};

    let weights = Array1::from(vec![0.5, 0.3, 0.2]);
    let truth = [1.0, 0.4, -0.2];
    // Uniform noise on [-1/2, 1/2) has variance 1/12.
    let mut rng = Streams::new(11).at(Purpose::Generate, 0, 0);
    let rounds = 40_000;
    let mut mean = 0.0;
    for _ in 0..rounds {
        let row = Array2::from_shape_fn((1, 3), |(_, k)| truth[k] + unit_f64(&mut rng) - 0.5);
        mean += Exposure::new(row, weights.clone()).unwrap().variances()[0] / f64::from(rounds);
    }
    let exact = Exposure::new(Array2::from_shape_fn((1, 3), |(_, k)| truth[k]), weights.clone());
    let added: f64 = weights.iter().map(|w| w * (1.0 - w) / 12.0).sum();
    let expected = exact.unwrap().variances()[0] + added;
    // The standard error of the mean is below 0.001.
    assert!((mean - expected).abs() < 0.004, "{mean} {expected}");
    assert!(added > 0.04);
}
