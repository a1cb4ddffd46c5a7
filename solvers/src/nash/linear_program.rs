//! Nash equilibria of two-player constant-sum games by linear programming.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::bimatrix::matrices;
use crate::game::NormalForm;
use crate::linear::simplex::Program;
use crate::solution::{
    Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop, Takes,
};

/// One equilibrium of a two-player game whose payoffs sum to a constant: an optimal mix of each
/// player, at a vertex of the set of optimal mixes.
///
/// Payoffs are mapped to `1..=2`, which makes the game's value positive; then the column player's
/// mix is the solution of `max sum y, A y <= 1, y >= 0` divided by its sum, and the row player's
/// that of the dual program.
/// The two are computed afresh from the last basis, so what remains of regret is rounding.
///
/// The program is solved by the library's own simplex method (`linear::simplex`), because the LP
/// crates measured are made for sparse programs: on uniform games of 200 and 1000 actions each, the
/// seconds of one core were 0.08 and 25 for `microlp` 0.7, 0.09 and 28 for `clarabel` 0.11, and
/// 0.01 and 2.3 here (one busy machine, 2026-11-24).
///
/// Source: Dantzig, "A proof of the equivalence of the programming problem and the game problem",
/// in Koopmans (ed.), Activity Analysis of Production and Allocation, 1951.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinearProgram {}

static INFO: SolverInfo = SolverInfo {
    name: "linear-program",
    about: "one equilibrium of a constant-sum game by the simplex method (Dantzig 1951)",
    takes: Takes::TwoPlayersConstantSum,
    enumerates: false,
    parameters: &[],
};

/// Regret, relative to the range of payoffs, of an answer that counts as complete.
const TOLERANCE: f64 = 1e-9;

impl Solver for LinearProgram {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(TOLERANCE)
    }

    fn solve(&self, game: &NormalForm, _options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.check(game)?;
        let (payoffs, _) = matrices(INFO.name, game)?;
        let optimum = program(payoffs).maximise().map_err(|_| SolveError::Invalid {
            what: format!("{}: the payoffs gave an unbounded program", INFO.name),
        })?;
        let (Some(row), Some(column)) = (normalised(&optimum.dual), normalised(&optimum.primal))
        else {
            return Err(SolveError::Invalid {
                what: format!("{}: rounding left no strategy", INFO.name),
            });
        };
        let stop = if optimum.optimal { Stop::Complete } else { Stop::Stalled };
        let profile = Profile::new(vec![row, column]);
        Ok(Solutions::one(Solution::certify(game, profile, optimum.pivots, stop)?))
    }
}

/// `max sum y, A y <= 1, y >= 0` with payoffs mapped to `1..=2`.
fn program(payoffs: ArrayView2<'_, f64>) -> Program {
    let (rows, columns) = payoffs.dim();
    // Halved first, so that the range of the largest doubles is finite.
    let halved = |payoff: f64| 0.5 * payoff;
    let fold =
        |start: f64, f: fn(f64, f64) -> f64| payoffs.iter().copied().map(halved).fold(start, f);
    let (least, most) = (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max));
    let range = if most > least { most - least } else { 1.0 };
    Program {
        rows,
        columns,
        matrix: payoffs.iter().map(|&payoff| 1.0 + (halved(payoff) - least) / range).collect(),
        right: vec![1.0; rows],
        cost: vec![1.0; columns],
    }
}

fn normalised(values: &[f64]) -> Option<Vec<f64>> {
    let total: f64 = values.iter().sum();
    (total > 0.0 && total.is_finite()).then(|| values.iter().map(|value| value / total).collect())
}
