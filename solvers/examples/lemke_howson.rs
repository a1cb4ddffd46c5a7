//! Walks every Lemke-Howson path of random square games up to 50x50, and says how it went.
//!
//! `lemke_howson PER_SIZE` takes that many games of each size and family: payoffs uniform in
//! `[0, 1)`, integers in `-50..=50`, and integers in `-1..=1`, which tie all the time.

use std::error::Error;

use gambol_solvers::game::generate::Generator;
use gambol_solvers::nash::lemke_howson::LemkeHowson;
use gambol_solvers::seed::Streams;
use gambol_solvers::solution::{SolveOptions, Solver};

#[expect(clippy::print_stdout, reason = "its output")]
fn main() -> Result<(), Box<dyn Error>> {
    let per_size: u32 = std::env::args().nth(1).ok_or("usage: lemke_howson PER_SIZE")?.parse()?;
    let solver = LemkeHowson::default();
    for size in 2..=50_usize {
        let actions = vec![size, size];
        let families = [
            Generator::Uniform { actions: actions.clone(), low: 0.0, high: 1.0 },
            Generator::Integer { actions: actions.clone(), low: -50, high: 50 },
            Generator::Integer { actions, low: -1, high: 1 },
        ];
        let (mut paths, mut pivots, mut worst) = (0, 0, 0.0_f64);
        for family in &families {
            for index in 0..per_size {
                let game = family.generate(Streams::new(50), index)?;
                let found = solver.solve(&game, &SolveOptions::default().all())?;
                paths += 2 * size;
                pivots += found.iterations;
                let scale = game.spread().max(1.0);
                worst = found.equilibria.iter().fold(worst, |w, s| w.max(s.max_regret() / scale));
            }
        }
        println!(
            "{size:2}: {paths} paths, {pivots} pivots to new equilibria, regret at most {worst:.1e}"
        );
    }
    Ok(())
}
