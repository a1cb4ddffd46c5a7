//! Support enumeration for two players, exactly.

use serde::{Deserialize, Serialize};

use super::bimatrix::{Polytopes, matrices};
use super::supports::{among, check_actions, members, of_size, sizes};
use crate::game::NormalForm;
use crate::linear::dictionary::{MOST_WORDS, Polytope, at_width, words_for};
use crate::linear::face::point_inside;
use crate::solution::{
    Parameter, Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop,
    Takes,
};

/// For every pair of supports one equilibrium in which exactly these actions are played, if there
/// is any.
///
/// Whether there is one is a linear feasibility problem for each player (Porter, Nudelman and
/// Shoham 2008), solved here in exact integers, so there is no tolerance that could lose or invent
/// an equilibrium.
/// Supports with an action that another one dominates strictly, given the other player's support,
/// are passed over without solving.
///
/// In a non-degenerate game these are all equilibria, and their number is odd.
/// In a degenerate game the two supports of an equilibrium may differ in size (all sizes are
/// looked at, unlike in the textbook version) and some pairs of supports carry a continuum:
/// each pair is still reported once, by an equilibrium inside the continuum (an average of some of
/// its vertices), which need not be an extreme one.
/// So the answer then says exactly which pairs of supports occur in equilibrium, and
/// [`Extreme`](super::extreme::Extreme) describes the whole set.
///
/// Pairs come in the order of Porter, Nudelman and Shoham: balanced before unbalanced, small
/// before large.
/// Payoffs count as the fractions or decimals they look like, as in `Extreme`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupportEnumeration {
    /// Pairs of supports to look at before giving up.
    pub max_pairs: u64,
}

impl Default for SupportEnumeration {
    fn default() -> Self {
        Self { max_pairs: 20_000_000 }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "support-enumeration",
    about: "one equilibrium for every pair of supports that has any, exactly (Porter, Nudelman, Shoham 2008)",
    takes: Takes::TwoPlayers,
    enumerates: true,
    parameters: &[Parameter {
        name: "max_pairs",
        about: "pairs of supports to look at before giving up (default 20000000)",
    }],
};

/// One player's side: the polytope of that player's strategies, whose rows are the other player's
/// actions.
struct Side<'a> {
    polytope: &'a Polytope,
    columns: usize,
    /// `better[r * rows + s]`: at which of the own actions the other player's action `s` pays that
    /// player more than `r`.
    better: Vec<u64>,
}

impl<'a> Side<'a> {
    fn new(polytope: &'a Polytope) -> Self {
        let columns = polytope.variables.len();
        let rows: Vec<&[i128]> = polytope.matrix.chunks_exact(columns).collect();
        let beats = |worse: &[i128], better: &[i128]| {
            (0..columns).filter(|&c| better[c] > worse[c]).fold(0, |set, c| set | 1 << c)
        };
        let better =
            rows.iter().flat_map(|worse| rows.iter().map(|other| beats(worse, other))).collect();
        Self { polytope, columns, better }
    }

    fn rows(&self) -> usize {
        self.polytope.slacks.len()
    }

    /// The other player's actions that no other one dominates strictly, given the own support.
    fn undominated(&self, support: u64) -> u64 {
        let rows = self.rows();
        (0..rows)
            .filter(|row| {
                let better = &self.better[row * rows..(row + 1) * rows];
                !better.iter().any(|&set| set & support == support)
            })
            .fold(0, |set, row| set | 1 << row)
    }

    /// A strategy with this support to which all actions of `responses` are best responses.
    fn strategy(&self, support: u64, responses: u64) -> Result<Option<Vec<f64>>, SolveError> {
        let played: Vec<usize> = members(support).collect();
        let rows = self.rows();
        let face = Polytope {
            matrix: self
                .polytope
                .matrix
                .chunks_exact(self.columns)
                .flat_map(|row| played.iter().map(|&column| row[column]))
                .collect(),
            variables: (0..played.len()).collect(),
            slacks: (played.len()..played.len() + rows).collect(),
        };
        let bits = face.minor_bits();
        let bits = bits.get(played.len() + 2).or(bits.last()).copied().unwrap_or(0);
        let shares = at_width!(words_for(bits), point_inside(&face, responses)).ok_or(
            SolveError::TooLarge {
                solver: INFO.name,
                what: "bits of exact arithmetic",
                size: u64::from(bits),
                limit: 64 * MOST_WORDS as u64,
            },
        )?;
        Ok(shares.map(|shares| {
            let mut strategy = vec![0.0; self.columns];
            played.iter().zip(shares).for_each(|(&action, share)| strategy[action] = share);
            strategy
        }))
    }
}

/// An equilibrium with these supports.
fn profile(
    row: &Side<'_>,
    column: &Side<'_>,
    rows: u64,
    columns: u64,
) -> Result<Option<Profile>, SolveError> {
    // The player with the smaller support has more equations than unknowns, so that side is the
    // likelier to say no.
    if rows.count_ones() <= columns.count_ones() {
        let Some(x) = row.strategy(rows, columns)? else { return Ok(None) };
        Ok(column.strategy(columns, rows)?.map(|y| Profile::new(vec![x, y])))
    } else {
        let Some(y) = column.strategy(columns, rows)? else { return Ok(None) };
        Ok(row.strategy(rows, columns)?.map(|x| Profile::new(vec![x, y])))
    }
}

impl Solver for SupportEnumeration {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(1e-12)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.check(game)?;
        let (a, b) = matrices(INFO.name, game)?;
        let (m, n) = a.dim();
        check_actions(INFO.name, game)?;
        let polytopes = Polytopes::new(a, b);
        let (row, column) = (Side::new(&polytopes.row), Side::new(&polytopes.column));
        let mut pairs = 0;
        let mut equilibria = Vec::new();
        for size in sizes(&[m, n]) {
            for rows in of_size(m, size[0]) {
                let candidates = row.undominated(rows);
                for chosen in of_size(candidates.count_ones() as usize, size[1]) {
                    pairs += 1;
                    if pairs > self.max_pairs {
                        return Err(SolveError::TooLarge {
                            solver: INFO.name,
                            what: "pairs of supports",
                            size: pairs,
                            limit: self.max_pairs,
                        });
                    }
                    let columns = among(candidates, chosen);
                    if column.undominated(columns) & rows != rows {
                        continue;
                    }
                    let Some(profile) = profile(&row, &column, rows, columns)? else { continue };
                    equilibria.push(Solution::certify(game, profile, pairs, Stop::Complete)?);
                    if !options.all {
                        return Ok(Solutions {
                            equilibria,
                            iterations: pairs,
                            stop: Stop::Complete,
                        });
                    }
                }
            }
        }
        Ok(Solutions { equilibria, iterations: pairs, stop: Stop::Complete })
    }
}
