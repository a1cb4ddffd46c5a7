//! The two best-response polytopes of a bimatrix game, in integers.
//!
//! With positive payoffs, `P = { x >= 0 : B^T x <= 1 }` and `Q = { y >= 0 : A y <= 1 }`.
//! Every variable's number is its *label*: label `i < m` is the row player's action `i` (unplayed
//! in `P`, a best response in `Q`), label `m + j` the column player's action `j` (a best response
//! in `P`, unplayed in `Q`).
//! A pair of vertices that together have all labels, other than `(0, 0)`, is an equilibrium.
//!
//! Source: von Stengel, "Computing equilibria for two-person games", Handbook of Game Theory 3,
//! 2002.

use ndarray::ArrayView2;

use crate::game::NormalForm;
use crate::linear::dictionary::Polytope;
use crate::linear::integers::proportional_integers;
use crate::solution::SolveError;

/// Both polytopes.
#[derive(Clone, Debug)]
pub(crate) struct Polytopes {
    /// `P`: the row player's strategies.
    pub(crate) row: Polytope,
    /// `Q`: the column player's strategies.
    pub(crate) column: Polytope,
}

/// Both players' matrices, or the error that names the number of players.
pub(crate) fn matrices<'a>(
    solver: &'static str,
    game: &'a NormalForm,
) -> Result<(ArrayView2<'a, f64>, ArrayView2<'a, f64>), SolveError> {
    let players = game.players();
    game.matrices().ok_or(SolveError::Players { solver, needed: 2, players })
}

impl Polytopes {
    /// The polytopes of a game given by both payoff matrices.
    pub(crate) fn new(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Self {
        let (m, n) = a.dim();
        let labels_of = |first: usize, count: usize| (first..first + count).collect::<Vec<_>>();
        let (rows, columns) = (labels_of(0, m), labels_of(m, n));
        Self {
            row: Polytope {
                matrix: positive_integers(b.t()),
                variables: rows.clone(),
                slacks: columns.clone(),
            },
            column: Polytope { matrix: positive_integers(a), variables: columns, slacks: rows },
        }
    }
}

/// Integers that differ from a multiple of the matrix by a constant, the least of them 1.
fn positive_integers(matrix: ArrayView2<'_, f64>) -> Vec<i128> {
    let entries: Vec<f64> = matrix.iter().copied().collect();
    let integers = proportional_integers(&entries);
    let least = integers.iter().copied().min().unwrap_or(0);
    integers.iter().map(|integer| integer - least + 1).collect()
}
