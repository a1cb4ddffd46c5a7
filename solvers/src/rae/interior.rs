//! Quadratic programs through the interior-point method of the `clarabel` crate.
//!
//! Sums inside clarabel run in a fixed order on one thread, so its answers repeat to the bit.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettingsBuilder, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus,
    SupportedConeT, ZeroConeT,
};
use ndarray::{Array1, Array2};

use super::exposure::Exposure;
use super::respond::LinearTerm;
use crate::solution::SolveError;

/// Maximises `c . z - curvature z' Sigma z` over the simplex; the point and the iterations.
pub(super) fn simplex(
    exposure: &Exposure,
    linear: &LinearTerm,
) -> Result<(Array1<f64>, usize), SolveError> {
    let n = exposure.actions();
    let hessian = 2.0 * linear.curvature * exposure.covariance();
    let cost: Vec<f64> = linear.c.iter().map(|c| -c).collect();
    // Row 0: the shares sum to one; then one row per share: -z_a + s = 0 with s >= 0.
    let columns: Vec<Vec<(usize, f64)>> = (0..n).map(|a| vec![(0, 1.0), (a + 1, -1.0)]).collect();
    let mut right = vec![0.0; n + 1];
    right[0] = 1.0;
    let cones = [ZeroConeT(1), NonnegativeConeT(n)];
    let (z, iterations) = solve(&hessian, &cost, &columns, &right, &cones)?;
    // Interior points stop a hair short of the boundary and of sum one.
    let clipped = Array1::from(z).mapv(|z| z.max(0.0));
    let total = clipped.sum();
    Ok((clipped / total, iterations))
}

/// Minimises `z' P z / 2 + cost . z` subject to `A z + s = right`, `s` in the cones; `columns`
/// holds `A` by column as (row, entry) with rising rows.
pub(crate) fn solve(
    hessian: &Array2<f64>,
    cost: &[f64],
    columns: &[Vec<(usize, f64)>],
    right: &[f64],
    cones: &[SupportedConeT<f64>],
) -> Result<(Vec<f64>, usize), SolveError> {
    let upper: Vec<Vec<(usize, f64)>> = (0..cost.len())
        .map(|b| {
            (0..=b).map(|a| (a, hessian[[a, b]])).filter(|&(_, entry)| entry.abs() > 0.0).collect()
        })
        .collect();
    let p = sparse(cost.len(), &upper);
    let a = sparse(right.len(), columns);
    let failed = |why: String| SolveError::Backend { backend: "clarabel", why };
    let settings = DefaultSettingsBuilder::default()
        .verbose(false)
        .tol_gap_abs(1e-12)
        .tol_gap_rel(1e-12)
        .tol_feas(1e-12)
        .max_threads(1)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let mut solver = DefaultSolver::new(&p, cost, &a, right, cones, settings)
        .map_err(|error| failed(error.to_string()))?;
    solver.solve();
    match solver.solution.status {
        // Tolerances this tight end in "almost solved" where rounding stops the progress; what
        // the point is worth is measured by the caller.
        SolverStatus::Solved | SolverStatus::AlmostSolved | SolverStatus::InsufficientProgress => {
            Ok((solver.solution.x.clone(), solver.solution.iterations as usize))
        }
        status => Err(failed(format!("{status:?}"))),
    }
}

fn sparse(rows: usize, columns: &[Vec<(usize, f64)>]) -> CscMatrix<f64> {
    let mut starts = vec![0];
    let mut places = Vec::new();
    let mut entries = Vec::new();
    for column in columns {
        for &(row, entry) in column {
            places.push(row);
            entries.push(entry);
        }
        starts.push(places.len());
    }
    CscMatrix::new(rows, columns.len(), starts, places, entries)
}
