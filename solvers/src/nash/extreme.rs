//! All extreme equilibria of a bimatrix game, exactly, degenerate games included.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bimatrix::{Polytopes, matrices};
use crate::game::NormalForm;
use crate::linear::Tableau;
use crate::linear::dictionary::{Dictionary, MOST_WORDS, Polytope, Widen, at_width, words_for};
use crate::solution::{
    Parameter, Profile, Solution, Solutions, SolveError, SolveOptions, Solver, SolverInfo, Stop,
    Takes,
};

/// Every extreme equilibrium of a two-player game, by enumerating the vertices of both
/// best-response polytopes in exact integer arithmetic.
///
/// Extreme equilibria are pairs of vertices with all labels; the set of all equilibria is the union
/// of the convex hulls of their maximal Nash subsets (the connected components).
/// In a non-degenerate game these are all equilibria.
/// Vertices are found by walking the lexicographically feasible bases from the origin, so ties cost
/// time and lose nothing.
/// Answers come in the order of the row player's vertices by label set, then the column player's.
///
/// Payoffs count as the fractions or decimals they look like, otherwise as the exact binary
/// fractions they are.
/// Source: Mangasarian 1964 for the method; the walk is in the spirit of lrs (Avis, Rosenberg,
/// Savani, von Stengel, "Enumeration of Nash equilibria for two-player games", 2010).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Extreme {
    /// Bases that may be visited in one polytope before giving up.
    pub max_bases: u64,
}

impl Default for Extreme {
    fn default() -> Self {
        Self { max_bases: 10_000_000 }
    }
}

static INFO: SolverInfo = SolverInfo {
    name: "extreme",
    about: "all extreme equilibria by exact vertex enumeration, degenerate games included",
    takes: Takes::TwoPlayers,
    enumerates: true,
    parameters: &[Parameter {
        name: "max_bases",
        about: "bases that may be visited in one polytope before giving up (default 10000000)",
    }],
};

/// Labels fit one machine word of this many bits.
const MOST_LABELS: usize = 128;

/// A vertex of a best-response polytope other than the origin.
#[derive(Clone, Debug)]
struct Vertex {
    labels: u128,
    strategy: Vec<f64>,
}

/// The vertices of a polytope, ascending by labels, and the number of bases visited.
type Vertices = (Vec<Vertex>, u64);

/// The extreme equilibria of a game as pairs of vertices.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtremeSet {
    /// The row player's strategies that are part of an extreme equilibrium.
    pub rows: Vec<Vec<f64>>,
    /// The column player's.
    pub columns: Vec<Vec<f64>>,
    /// The equilibria, as indices into `rows` and `columns`, ascending.
    pub pairs: Vec<(usize, usize)>,
    /// Bases visited in both polytopes.
    pub bases: u64,
}

impl Extreme {
    /// The extreme equilibria as pairs of vertices.
    ///
    /// # Errors
    ///
    /// [`SolveError::Players`] unless there are two players, [`SolveError::TooLarge`] if the game
    /// has more than 128 actions in total, if more than `max_bases` bases are met, or if exact
    /// numbers would take more than 5120 bits.
    pub fn enumerate(&self, game: &NormalForm) -> Result<ExtremeSet, SolveError> {
        let (a, b) = matrices(INFO.name, game)?;
        let (m, n) = a.dim();
        let too_large =
            |what, size, limit| SolveError::TooLarge { solver: INFO.name, what, size, limit };
        if m + n > MOST_LABELS {
            return Err(too_large("actions", (m + n) as u64, MOST_LABELS as u64));
        }
        let polytopes = Polytopes::new(a, b);
        let limit = self.max_bases;
        let enumerate = |polytope: &Polytope, first, count| -> Result<Vertices, SolveError> {
            let bits = polytope.minor_bits().last().copied().unwrap_or(0);
            at_width!(words_for(bits), vertices(polytope, first, count, limit))
                .ok_or_else(|| {
                    too_large("bits of exact arithmetic", u64::from(bits), 64 * MOST_WORDS as u64)
                })?
                .ok_or_else(|| too_large("bases", limit.saturating_add(1), limit))
        };
        let (row_vertices, row_bases) = enumerate(&polytopes.row, 0, m)?;
        let (column_vertices, column_bases) = enumerate(&polytopes.column, m, n)?;
        let all = u128::MAX >> (MOST_LABELS - m - n);
        let pairs = complete_pairs(&row_vertices, m, &column_vertices, n, all);
        Ok(compact(row_vertices, column_vertices, &pairs, row_bases + column_bases))
    }
}

/// Vertices other than the origin, ascending by labels, and the number of bases; none beyond the
/// limit. The strategy variables are `first..first + count`.
fn vertices<const W: usize>(
    polytope: &Polytope,
    first: usize,
    count: usize,
    limit: u64,
) -> Result<Option<Vertices>, Widen> {
    let mut dictionary = Dictionary::<W>::new(polytope)?;
    let mut basis = polytope.slacks.iter().fold(0_u128, |mask, &slack| mask | 1 << slack);
    let mut visited = BTreeSet::from([basis]);
    let mut found: BTreeMap<u128, Vec<f64>> = BTreeMap::new();
    // Pivots from the origin to here; a second pivot at the same place undoes one.
    let mut path: Vec<(usize, usize)> = Vec::new();
    let mut column = 0;
    loop {
        if column == dictionary.columns() {
            let Some((row, from)) = path.pop() else { break };
            basis ^= 1 << dictionary.basic()[row] | 1 << dictionary.cobasic()[from];
            dictionary.pivot(row, from)?;
            column = from + 1;
            continue;
        }
        // Bounded, so some row always leaves.
        if let Some(row) = dictionary.leaving(column)? {
            let next = basis ^ (1 << dictionary.basic()[row] | 1 << dictionary.cobasic()[column]);
            if visited.insert(next) {
                if visited.len() as u64 > limit {
                    return Ok(None);
                }
                dictionary.pivot(row, column)?;
                basis = next;
                path.push((row, column));
                record(&mut dictionary, first, count, &mut found)?;
                column = 0;
                continue;
            }
        }
        column += 1;
    }
    let vertices = found.into_iter().map(|(labels, strategy)| Vertex { labels, strategy });
    Ok(Some((vertices.collect(), visited.len() as u64)))
}

fn record<const W: usize>(
    dictionary: &mut Dictionary<W>,
    first: usize,
    count: usize,
    found: &mut BTreeMap<u128, Vec<f64>>,
) -> Result<(), Widen> {
    let mut labels = dictionary.cobasic().iter().fold(0_u128, |mask, &zero| mask | 1 << zero);
    for (row, &variable) in dictionary.basic().iter().enumerate() {
        if dictionary.scaled_value(row).is_zero() {
            labels |= 1 << variable;
        }
    }
    if let std::collections::btree_map::Entry::Vacant(entry) = found.entry(labels)
        && let Some(strategy) = dictionary.distribution(first, count)?
    {
        entry.insert(strategy);
    }
    Ok(())
}

/// Pairs of vertices (given ascending by labels) that have all labels together, ascending.
fn complete_pairs(
    rows: &[Vertex],
    row_dimension: usize,
    columns: &[Vertex],
    column_dimension: usize,
    all: u128,
) -> Vec<(usize, usize)> {
    // A vertex with exactly as many labels as dimensions is met by its complement alone, unless
    // the partner is degenerate; only degenerate vertices need a scan.
    let degenerate = |vertex: &Vertex, dimension| vertex.labels.count_ones() as usize > dimension;
    let scanned: Vec<usize> =
        (0..columns.len()).filter(|&at| degenerate(&columns[at], column_dimension)).collect();
    let mut pairs = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let missing = all & !row.labels;
        let complete = |column: &usize| columns[*column].labels & missing == missing;
        if degenerate(row, row_dimension) {
            pairs.extend((0..columns.len()).filter(complete).map(|column| (at, column)));
        } else {
            let exact = columns.binary_search_by_key(&missing, |column| column.labels).ok();
            let mut partners: Vec<usize> = scanned.iter().copied().filter(complete).collect();
            if let Some(exact) = exact
                && !partners.contains(&exact)
            {
                partners.push(exact);
                partners.sort_unstable();
            }
            pairs.extend(partners.into_iter().map(|column| (at, column)));
        }
    }
    pairs
}

/// Drops vertices that are in no pair.
fn compact(
    rows: Vec<Vertex>,
    columns: Vec<Vertex>,
    pairs: &[(usize, usize)],
    bases: u64,
) -> ExtremeSet {
    let used = |indices: BTreeSet<usize>, vertices: Vec<Vertex>| {
        let mut number = vec![usize::MAX; vertices.len()];
        let mut kept = Vec::with_capacity(indices.len());
        for (index, vertex) in vertices.into_iter().enumerate() {
            if indices.contains(&index) {
                number[index] = kept.len();
                kept.push(vertex.strategy);
            }
        }
        (number, kept)
    };
    let (row_number, rows) = used(pairs.iter().map(|pair| pair.0).collect(), rows);
    let (column_number, columns) = used(pairs.iter().map(|pair| pair.1).collect(), columns);
    let pairs = pairs.iter().map(|&(row, column)| (row_number[row], column_number[column]));
    ExtremeSet { rows, columns, pairs: pairs.collect(), bases }
}

/// A connected piece of the set of equilibria.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its maximal Nash subsets: every strategy in the convex hull of the first (indices into
    /// [`ExtremeSet::rows`]) is in equilibrium with every one in the hull of the second.
    pub subsets: Vec<(Vec<usize>, Vec<usize>)>,
}

impl ExtremeSet {
    /// The connected components of the set of all equilibria, each as its maximal Nash subsets.
    ///
    /// Maximal Nash subsets are the maximal bicliques of the graph of pairs; they are closed under
    /// "all partners of all partners", which is how they are found.
    /// Exponential in the worst case, so there is a limit on their number.
    ///
    /// # Errors
    ///
    /// [`SolveError::TooLarge`] if there are more than `limit` maximal Nash subsets.
    pub fn components(&self, limit: usize) -> Result<Vec<Component>, SolveError> {
        let mut partners: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.rows.len()];
        for &(row, column) in &self.pairs {
            partners[row].insert(column);
        }
        // All intersections of partner sets, closed under intersection.
        let mut closed: BTreeSet<BTreeSet<usize>> = BTreeSet::new();
        for set in &partners {
            let mut new = vec![set.clone()];
            new.extend(closed.iter().map(|other| other & set).filter(|common| !common.is_empty()));
            closed.extend(new);
            if closed.len() > limit {
                return Err(SolveError::TooLarge {
                    solver: INFO.name,
                    what: "maximal Nash subsets",
                    size: closed.len() as u64,
                    limit: limit as u64,
                });
            }
        }
        let subsets: Vec<(Vec<usize>, Vec<usize>)> = closed
            .iter()
            .map(|columns| {
                let rows = (0..partners.len()).filter(|&row| partners[row].is_superset(columns));
                (rows.collect(), columns.iter().copied().collect())
            })
            .collect();
        let mut component: Vec<usize> = (0..subsets.len()).collect();
        for left in 0..subsets.len() {
            for right in 0..left {
                let touch = |a: &[usize], b: &[usize]| a.iter().any(|index| b.contains(index));
                // Two subsets with a common pair overlap; sharing just one side is not enough.
                if touch(&subsets[left].0, &subsets[right].0)
                    && touch(&subsets[left].1, &subsets[right].1)
                {
                    let (from, to) = (component[left], component[right]);
                    component.iter_mut().filter(|c| **c == from).for_each(|c| *c = to);
                }
            }
        }
        let mut components: BTreeMap<usize, Component> = BTreeMap::new();
        for (subset, root) in subsets.into_iter().zip(component) {
            components
                .entry(root)
                .or_insert_with(|| Component { subsets: Vec::new() })
                .subsets
                .push(subset);
        }
        Ok(components.into_values().collect())
    }
}

impl Solver for Extreme {
    fn info(&self) -> &'static SolverInfo {
        &INFO
    }

    fn tolerance(&self) -> Option<f64> {
        Some(1e-12)
    }

    fn solve(&self, game: &NormalForm, options: &SolveOptions) -> Result<Solutions, SolveError> {
        self.check(game)?;
        let set = self.enumerate(game)?;
        let limit = if options.all { usize::MAX } else { 1 };
        let equilibria = set
            .pairs
            .iter()
            .take(limit)
            .map(|&(row, column)| {
                let profile =
                    Profile::new(vec![set.rows[row].clone(), set.columns[column].clone()]);
                Solution::certify(game, profile, set.bases, Stop::Complete)
            })
            .collect::<Result<_, _>>()?;
        Ok(Solutions { equilibria, iterations: set.bases, stop: Stop::Complete })
    }
}
