//! The Lemke-Howson method.

use serde::{Deserialize, Serialize};

use super::bimatrix::{Polytopes, matrices};
use crate::game::NormalForm;
use crate::linear::Tableau;
use crate::linear::approximate::Approximate;
use crate::linear::dictionary::{Dictionary, MOST_WORDS, Widen, at_width};
use crate::solution::{
    Parameter, Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop,
    Takes,
};

/// One equilibrium of a two-player game by complementary pivoting from a missing label, or with
/// `all` those reached from every label in turn (each once, in the order of labels).
///
/// A path exists for every label and cannot cycle, because ties are broken lexicographically in
/// exact integer arithmetic: the method always ends, in degenerate games too.
/// Doubles take the path as long as no comparison is closer than 1e-9 and the answer's regret is
/// small; otherwise the path is walked exactly.
///
/// A first path ends at an equilibrium of positive index, so half of them are out of its reach.
/// With `chains`, every equilibrium found is left again by every label, which finds all that are
/// connected to the start; still, some games have equilibria that are not.
/// Use [`Extreme`](super::extreme::Extreme) for all.
/// Source: Lemke and Howson 1964; ties and integers as in von Stengel 2002, sections 2.3 to 2.6.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LemkeHowson {
    /// The label to start from, when not all are asked for.
    ///
    /// `0..m` are the row player's actions, `m..m + n` the column player's.
    pub label: usize,
    /// Whether to walk in exact arithmetic from the start.
    ///
    /// Rarely worth it, since doubtful walks are repeated exactly anyway, and slow for large games:
    /// on 50x50 games paths of about 100 pivots take 2 to 80 milliseconds instead of 0.2 to 2, most
    /// with payoffs of full double precision, and longer paths more in proportion.
    pub exact: bool,
    /// Whether `all` also starts from the equilibria found.
    pub chains: bool,
}

static INFO: SolverInfo = SolverInfo {
    name: "lemke-howson",
    about: "one equilibrium by complementary pivoting, or those of every label (Lemke, Howson 1964)",
    takes: Takes::TwoPlayers,
    enumerates: true,
    parameters: &[
        Parameter {
            name: "label",
            about: "missing label to start from: row actions, then column actions, from 0 (default 0)",
        },
        Parameter {
            name: "exact",
            about: "walk in integers from the start, not only when doubles are in doubt (default false)",
        },
        Parameter {
            name: "chains",
            about: "with `all`, start from the equilibria found as well (default false)",
        },
    ],
};

/// Regret, relative to the largest payoff, above which a walk in doubles is not believed.
const BELIEVED: f64 = 1e-11;

/// Largest difference of probabilities between two computations of one equilibrium; distinct
/// vertices differ by far more.
const SAME: f64 = 1e-9;

/// Pivots, as a multiple of the number of labels, after which a walk in doubles is handed over.
///
/// Rounding could make a path cycle; long honest ones are handed over as well.
const PATIENCE: usize = 200;

/// `P` and `Q` in complementary bases: every label is cobasic in exactly one of them.
type Pair<T> = [T; 2];

/// Walks from complementary bases by a missing label to other complementary bases; gives the
/// number of pivots.
///
/// `Ok(None)` if `patience` pivots did not do, or (for exact arithmetic: never) if a polytope
/// turned out unbounded.
fn walk<T: Tableau>(
    pair: &mut Pair<T>,
    label: usize,
    patience: usize,
) -> Result<Option<u64>, T::Failure> {
    let Some(mut side) = (0..2).find(|&side| pair[side].column_of(label).is_some()) else {
        return Ok(None);
    };
    let mut entering = label;
    for pivots in 1..=patience {
        let Some(column) = pair[side].column_of(entering) else { return Ok(None) };
        let Some(row) = pair[side].leaving(column)? else { return Ok(None) };
        entering = pair[side].basic()[row];
        pair[side].pivot(row, column)?;
        if entering == label {
            return Ok(Some(pivots as u64));
        }
        side = 1 - side;
    }
    Ok(None)
}

/// The strategies at complementary bases; none at the artificial equilibrium `(0, 0)`.
fn strategies<T: Tableau>(
    pair: &mut Pair<T>,
    (m, n): (usize, usize),
) -> Result<Option<Profile>, T::Failure> {
    let row = pair[0].distribution(0, m)?;
    let column = pair[1].distribution(m, n)?;
    Ok(row.zip(column).map(|(row, column)| Profile::new(vec![row, column])))
}

/// What to look for, and the game to judge it by.
struct Search<'a> {
    game: &'a NormalForm,
    polytopes: Polytopes,
    size: (usize, usize),
}

/// Equilibria with the number of pivots that led to each.
type Found = Vec<(Profile, u64)>;

impl Search<'_> {
    /// All that can be reached from the start by these labels, and with `chains` from there on.
    fn network<T: Tableau>(
        &self,
        start: Pair<T>,
        labels: &[usize],
        chains: bool,
        patience: usize,
    ) -> Result<Option<Found>, T::Failure> {
        let mut found: Found = Vec::new();
        let mut open = vec![start];
        while let Some(from) = open.pop() {
            for &label in labels {
                let mut pair = from.clone();
                let Some(pivots) = walk(&mut pair, label, patience)? else { return Ok(None) };
                let Some(profile) = strategies(&mut pair, self.size)? else { continue };
                if !found.iter().any(|(known, _)| known.distance(&profile) < SAME) {
                    found.push((profile, pivots));
                    if chains {
                        open.push(pair);
                    }
                }
            }
        }
        Ok(Some(found))
    }

    fn approximately(&self, labels: &[usize], chains: bool) -> Option<Found> {
        let start =
            [Approximate::new(&self.polytopes.row), Approximate::new(&self.polytopes.column)];
        let patience = PATIENCE * (self.size.0 + self.size.1);
        let found = self.network(start, labels, chains, patience).ok()??;
        let bound = BELIEVED * self.game.largest_payoff().max(f64::MIN_POSITIVE);
        let believed = |(profile, _): &(Profile, u64)| {
            self.game.regret(profile).iter().all(|&regret| regret <= bound)
        };
        found.iter().all(believed).then_some(found)
    }

    fn exactly(&self, labels: &[usize], chains: bool) -> Result<Found, SolveError> {
        // Paths rarely need bases of full order, so the width grows with the need.
        at_width!(1, exact_network(self, labels, chains)).flatten().ok_or(SolveError::TooLarge {
            solver: INFO.name,
            what: "or more words of exact arithmetic",
            size: MOST_WORDS as u64 + 1,
            limit: MOST_WORDS as u64,
        })
    }
}

fn exact_network<const W: usize>(
    search: &Search<'_>,
    labels: &[usize],
    chains: bool,
) -> Result<Option<Found>, Widen> {
    let polytopes = &search.polytopes;
    let start = [Dictionary::<W>::new(&polytopes.row)?, Dictionary::new(&polytopes.column)?];
    search.network(start, labels, chains, usize::MAX)
}

impl Solver for LemkeHowson {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(1e-10)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.check(game)?;
        let (a, b) = matrices(INFO.name, game)?;
        let labels = a.nrows() + a.ncols();
        if self.label >= labels {
            return Err(SolveError::Parameter {
                solver: INFO.name,
                parameter: "label",
                value: self.label as f64,
                range: "below the number of actions of both players",
            });
        }
        let search = Search { game, polytopes: Polytopes::new(a, b), size: a.dim() };
        let every: Vec<usize> = (0..labels).collect();
        // Chains are walked in one arithmetic, because it starts from its own bases; single paths
        // each choose theirs.
        let batches: Vec<&[usize]> = match (options.all, self.chains) {
            (false, _) => vec![std::slice::from_ref(&self.label)],
            (true, true) => vec![&every],
            (true, false) => every.chunks(1).collect(),
        };
        let mut equilibria: Vec<Solution> = Vec::new();
        let mut iterations = 0;
        for batch in batches {
            let chains = options.all && self.chains;
            let quick = if self.exact { None } else { search.approximately(batch, chains) };
            let found = quick.map_or_else(|| search.exactly(batch, chains), Ok)?;
            for (profile, pivots) in found {
                iterations += pivots;
                if !equilibria.iter().any(|known| known.profile.distance(&profile) < SAME) {
                    equilibria.push(Solution::certify(game, profile, pivots, Stop::Complete)?);
                }
            }
        }
        Ok(Solutions { equilibria, iterations, stop: Stop::Complete })
    }
}
