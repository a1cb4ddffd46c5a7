//! Enumeration against brute force: a scan of the best-response map, and a search from a grid.

use gambol_solvers::game::NormalForm;
use gambol_solvers::game::generate::Generator;
use gambol_solvers::rae::{
    Enumeration, Method, RiskAversion, Tremble, Views, assess, best_response, enumerate,
};
use gambol_solvers::seed::Streams;
use gambol_solvers::solution::Profile;

fn random_game(actions: Vec<usize>, seed: u32) -> NormalForm {
    let generator = Generator::Uniform { actions, low: -3.0, high: 5.0 };
    generator.generate(Streams::new(77), seed).unwrap()
}

/// The profiles, and whether the list is complete.
fn equilibria(views: &Views, risk: &RiskAversion) -> (Vec<Profile>, bool) {
    let found = enumerate(views, risk, Enumeration::default(), Streams::new(5)).unwrap();
    let complete = found.is_complete();
    let profiles = found.equilibria.into_iter().map(|equilibrium| equilibrium.profile);
    (profiles.collect(), complete)
}

/// In 2x2 games with a floor and aversion best responses are unique and continuous, so equilibria
/// are where the second player's response to the response crosses the diagonal.
#[test]
fn two_by_two_games_have_as_many_equilibria_as_the_response_map_has_crossings() {
    const CELLS: usize = 4000;
    let floor = 0.02;
    let mut counts = [0; 8];
    for seed in 0..40 {
        let views = Views::new(&random_game(vec![2, 2], seed));
        for gamma in [0.1, 0.5, 2.0] {
            let risk = RiskAversion::uniform(2, gamma, Tremble::Floor(floor));
            let respond = |player: usize, share: f64| {
                let mixes = vec![vec![share, 1.0 - share]; 2];
                let exposure = views.exposure(player, &Profile::new(mixes), Tremble::None).unwrap();
                best_response(&exposure, gamma, floor, Method::Auto).unwrap().strategy[0]
            };
            let off = |y: f64| respond(1, respond(0, y)) - y;
            let at = |cell: usize| floor + (1.0 - 2.0 * floor) * cell as f64 / CELLS as f64;
            let values: Vec<f64> = (0..=CELLS).map(|cell| off(at(cell))).collect();
            let ends = [values[0], values[CELLS]].into_iter().filter(|v| v.abs() < 1e-12).count();
            let inside = &values[usize::from(values[0].abs() < 1e-12)
                ..=CELLS - usize::from(values[CELLS].abs() < 1e-12)];
            let crossings = inside.windows(2).filter(|w| (w[0] > 0.0) != (w[1] > 0.0)).count();
            let (found, complete) = equilibria(&views, &risk);
            assert!(complete, "seed {seed}, gamma {gamma}");
            assert_eq!(found.len(), ends + crossings, "seed {seed}, gamma {gamma}: {found:?}");
            for profile in &found {
                assert!(off(profile[1][0]).abs() < 1e-7);
            }
            counts[found.len()] += 1;
        }
    }
    // Not one kind of game only.
    assert!(counts[1] > 10 && counts[3] > 10, "{counts:?}");
}

/// All mixes over `actions` with shares that are multiples of `1 / parts`, above the floor.
fn grid(actions: usize, parts: usize, floor: f64) -> Vec<Vec<f64>> {
    let mut whole: Vec<Vec<usize>> = vec![Vec::new()];
    for action in 0..actions {
        whole = whole
            .into_iter()
            .flat_map(|head| {
                let left = parts - head.iter().sum::<usize>();
                let least = if action + 1 == actions { left } else { 0 };
                (least..=left).map(move |n| [head.as_slice(), &[n]].concat())
            })
            .collect();
    }
    let free = 1.0 - floor * actions as f64;
    let share = |n: usize| floor + free * n as f64 / parts as f64;
    whole.into_iter().map(|mix| mix.into_iter().map(share).collect()).collect()
}

/// Moves mass between two actions of a player as long as that lowers the sum of the gaps, by ever
/// smaller amounts.
fn descend(
    gap: &impl Fn(&Profile) -> f64,
    start: Profile,
    floor: f64,
    first: f64,
) -> (Profile, f64) {
    let (mut profile, mut amount) = (start, first);
    let mut value = gap(&profile);
    while amount > 1e-7 && value > 1e-13 {
        let mut best: Option<(Profile, f64)> = None;
        for player in 0..profile.players() {
            let actions = profile[player].len();
            for (from, to) in (0..actions).flat_map(|a| (0..actions).map(move |b| (a, b))) {
                let mass = amount.min(profile[player][from] - floor);
                if from == to || mass <= 0.0 {
                    continue;
                }
                let mut moved = profile.clone();
                moved[player][from] -= mass;
                moved[player][to] += mass;
                let there = gap(&moved);
                if there < best.as_ref().map_or(value, |best| best.1) {
                    best = Some((moved, there));
                }
            }
        }
        match best {
            Some((moved, there)) => (profile, value) = (moved, there),
            None => amount *= 0.5,
        }
    }
    (profile, value)
}

/// Larger games: whatever a search from the best points of a grid ends at is in the list.
#[test]
fn nothing_that_a_search_from_a_grid_finds_is_missing() {
    let cases: [(&[usize], usize); 4] =
        [(&[2, 3], 12), (&[3, 3], 6), (&[2, 2, 2], 8), (&[2, 2, 3], 4)];
    let (mut hits, mut proved) = (0, Vec::new());
    for (shape, parts) in cases {
        for seed in 0..6 {
            let views = Views::new(&random_game(shape.to_vec(), seed));
            let tremble = if seed % 2 == 0 { Tremble::None } else { Tremble::Floor(0.03) };
            let gamma = [0.05, 0.3, 1.0][seed as usize % 3];
            let risk = RiskAversion::uniform(shape.len(), gamma, tremble);
            let floor = tremble.floor();
            let gap = |profile: &Profile| assess(&views, profile, &risk).unwrap().convergence();
            let mut points = vec![Vec::new()];
            for &actions in shape {
                let mixes = grid(actions, parts, floor);
                points = points
                    .into_iter()
                    .flat_map(|head: Vec<Vec<f64>>| {
                        mixes
                            .iter()
                            .map(move |mix| [head.as_slice(), std::slice::from_ref(mix)].concat())
                    })
                    .collect();
            }
            let mut ranked: Vec<(f64, Profile)> = points
                .into_iter()
                .map(|mixes| {
                    let profile = Profile::new(mixes);
                    (gap(&profile), profile)
                })
                .collect();
            ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (found, complete) = equilibria(&views, &risk);
            assert!(!found.is_empty());
            proved.push((shape, seed, complete));
            for (_, start) in ranked.into_iter().take(24) {
                let (end, value) = descend(&gap, start, floor, 1.0 / parts as f64);
                if value > 1e-11 {
                    continue;
                }
                hits += 1;
                let nearest =
                    found.iter().map(|known| known.distance(&end)).fold(f64::INFINITY, f64::min);
                assert!(nearest < 2e-3, "{shape:?} seed {seed}: {end:?} is not in {found:?}");
            }
        }
    }
    assert!(hits > 100, "{hits}");
    let complete = proved.iter().filter(|(.., complete)| *complete).count();
    assert!(complete >= 20, "{complete} lists proved complete of {proved:?}");
}
