//! The mean-variance best response: a concave quadratic program on the floored simplex.

use ndarray::{Array1, Array2};

use super::active_set::{ActiveSet, ENTER};
use super::exposure::Exposure;
use super::interior;
use crate::solution::SolveError;

/// How [`best_response`] computes its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Method {
    /// The closed form for two actions, the active set up to [`ACTIVE_SET_ACTIONS`], then
    /// Frank-Wolfe.
    #[default]
    Auto,
    /// The closed form; two actions only.
    ClosedForm,
    /// A primal active-set method on the full covariance: exact, and the fastest up to some
    /// hundred actions.
    ActiveSet,
    /// The interior-point method of the `clarabel` crate; an independent check of the others.
    InteriorPoint,
    /// Fully corrective Frank-Wolfe (simplicial decomposition): actions enter by their gradient,
    /// the weights of those that entered are re-optimised exactly, and the Frank-Wolfe gap says
    /// when to stop. The covariance is only ever formed for actions that entered.
    FrankWolfe,
}

/// Up to this many actions [`Method::Auto`] forms the whole covariance.
pub const ACTIVE_SET_ACTIONS: usize = 64;

/// Frank-Wolfe stops when its gap is below this share of the payoffs' spread.
const GAP: f64 = 1e-12;

/// A best response and its certificate.
#[derive(Clone, Debug)]
pub struct Response {
    /// The mix, `[actions]`.
    pub strategy: Array1<f64>,
    /// The mean-variance objective.
    pub value: f64,
    /// Expected payoff.
    pub mean: f64,
    /// Strategic variance.
    pub variance: f64,
    /// Frank-Wolfe gap: the true maximum lies between `value` and `value + gap`.
    pub gap: f64,
    /// Steps of the method (0 for the closed form).
    pub iterations: usize,
}

impl Response {
    pub(super) fn at(
        exposure: &Exposure,
        gamma: f64,
        floor: f64,
        strategy: Array1<f64>,
        iterations: usize,
    ) -> Self {
        let x = strategy.view();
        let (mean, variance) = (exposure.expected(x), exposure.strategic_variance(x));
        let gap = exposure.frank_wolfe_gap(gamma, floor, x);
        Self { value: mean - gamma * variance, mean, variance, gap, iterations, strategy }
    }
}

/// Maximises `x . mu - gamma x' Sigma x` over mixes whose every share is at least `floor`.
///
/// Where several mixes are best the answer is one of them, the same on every run; with
/// `gamma = 0` it is the first of the best actions.
///
/// # Errors
///
/// [`SolveError`] if `gamma` is negative or not finite, if `floor` is not in `[0, 1/actions]`, or
/// if the method does not take this number of actions or fails.
pub fn best_response(
    exposure: &Exposure,
    gamma: f64,
    floor: f64,
    method: Method,
) -> Result<Response, SolveError> {
    check(exposure.actions(), gamma, floor)?;
    let actions = exposure.actions();
    let linear = LinearTerm::new(exposure, gamma, floor);
    let method = match method {
        Method::Auto if actions == 2 => Method::ClosedForm,
        Method::Auto if actions <= ACTIVE_SET_ACTIONS => Method::ActiveSet,
        Method::Auto => Method::FrankWolfe,
        chosen => chosen,
    };
    let (z, iterations) = match method {
        Method::ClosedForm if actions != 2 => {
            return Err(SolveError::Invalid {
                what: format!("the closed form for {actions} actions (it is for two)"),
            });
        }
        Method::ClosedForm => (two_actions(exposure, &linear), 0),
        Method::ActiveSet | Method::Auto => {
            active_set(&(2.0 * linear.curvature * exposure.covariance()), &linear.c)
        }
        Method::InteriorPoint => interior::simplex(exposure, &linear)?,
        Method::FrankWolfe => frank_wolfe(exposure, &linear),
    };
    let strategy = z.mapv(|z| floor + linear.free * z);
    Ok(Response::at(exposure, gamma, floor, strategy, iterations))
}

/// What holds for every best response's parameters.
pub(super) fn check(actions: usize, gamma: f64, floor: f64) -> Result<(), SolveError> {
    if !(gamma >= 0.0 && gamma.is_finite()) {
        return Err(SolveError::Invalid {
            what: format!("gamma = {gamma} (it must be finite and not negative)"),
        });
    }
    if !(floor >= 0.0 && floor * actions as f64 <= 1.0) {
        return Err(SolveError::InfeasibleFloor { floor, actions });
    }
    Ok(())
}

/// The program in `z`, where `x = floor + (1 - n floor) z` and `z` lives on the plain simplex:
/// maximise `c . z - curvature z' Sigma z`, both divided by `free`.
pub(super) struct LinearTerm {
    pub(super) c: Array1<f64>,
    /// Factor of `z' Sigma z`.
    pub(super) curvature: f64,
    /// Mass above the floor, `1 - n floor`.
    pub(super) free: f64,
}

impl LinearTerm {
    fn new(exposure: &Exposure, gamma: f64, floor: f64) -> Self {
        let actions = exposure.actions();
        // A floor of exactly 1/n may round to a hair less than nothing.
        let free = (1.0 - floor * actions as f64).max(0.0);
        let base = Array1::from_elem(actions, floor);
        let c = exposure.gradient(gamma, base.view());
        // A constant in `c` shifts the objective only; without it the differences keep their digits.
        let highest = c.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { c: c - highest, curvature: gamma * free, free }
    }
}

/// With two actions the objective is a parabola in the first one's share.
fn two_actions(exposure: &Exposure, linear: &LinearTerm) -> Array1<f64> {
    let sigma = exposure.covariance();
    let (aa, ab, bb) = (sigma[[0, 0]], sigma[[0, 1]], sigma[[1, 1]]);
    let spread = (aa - 2.0 * ab + bb).max(0.0);
    let bend = 2.0 * linear.curvature * spread;
    // Slope at share 0, and at share 1 if the objective is a line.
    let slope = linear.c[0] - linear.c[1] - 2.0 * linear.curvature * (ab - bb);
    let share = if slope >= bend {
        1.0
    } else if slope <= 0.0 {
        0.0
    } else {
        slope / bend
    };
    Array1::from(vec![share, 1.0 - share])
}

/// The maximum of `c . z - z' Q z / 2` over the simplex, and the steps to it.
fn active_set(q: &Array2<f64>, c: &Array1<f64>) -> (Array1<f64>, usize) {
    let mut program = ActiveSet::new(q.diag().sum() / c.len() as f64);
    for (a, row) in q.rows().into_iter().enumerate() {
        program.push(&row.to_vec()[..=a], c[a]);
    }
    program.solve();
    (Array1::from(program.point().to_vec()), program.steps())
}

fn frank_wolfe(exposure: &Exposure, linear: &LinearTerm) -> (Array1<f64>, usize) {
    let actions = exposure.actions();
    let scale = 2.0 * linear.curvature;
    let diagonal = scale * exposure.variances();
    let mean_diagonal = diagonal.sum() / actions as f64;
    let lowest = linear.c.iter().copied().fold(f64::INFINITY, f64::min);
    let tolerance = GAP * (-lowest).max(mean_diagonal);
    let value = |a: usize| linear.c[a] - 0.5 * diagonal[a];
    let first = (1..actions).fold(0, |best, a| if value(a) > value(best) { a } else { best });

    let mut program = ActiveSet::new(mean_diagonal);
    let mut entered: Vec<usize> = Vec::new();
    let mut inside = vec![false; actions];
    let mut entering = vec![first];
    let mut z = Array1::zeros(actions);
    loop {
        let known = entered.len();
        entered.extend(&entering);
        let rows = exposure.covariances(&entering, &entered);
        for (place, (&a, mut row)) in entering.iter().zip(rows).enumerate() {
            row.truncate(known + place + 1);
            for entry in &mut row {
                *entry *= scale;
            }
            program.push(&row, linear.c[a]);
            inside[a] = true;
        }
        program.solve();
        for (&a, &share) in entered.iter().zip(program.point()) {
            z[a] = share;
        }
        let outside: Vec<usize> = (0..actions).filter(|&a| !inside[a]).collect();
        let products = exposure.covariance_rows_times(&outside, z.view());
        let level = program.level();
        let mut gradients: Vec<(f64, usize)> = outside
            .iter()
            .zip(products)
            .map(|(&a, product)| (linear.c[a] - scale * product, a))
            .filter(|&(gradient, _)| gradient > level + tolerance)
            .collect();
        if gradients.is_empty() {
            return (z, program.steps());
        }
        gradients.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        gradients.truncate(ENTER);
        entering = gradients.into_iter().map(|(_, a)| a).collect();
    }
}

/// The least strategic variance that still gives a required expected payoff.
#[derive(Clone, Debug)]
pub struct FrontierPoint {
    /// The mix, with mean, variance and the Frank-Wolfe gap at [`FrontierPoint::gamma`].
    pub response: Response,
    /// The multiplier of the utility constraint, `d variance / d required`; 0 where the
    /// constraint does not bind.
    pub lambda: f64,
    /// The risk aversion whose best response this is, `1 / lambda`; infinite where the constraint
    /// does not bind, 0 where only the best actions meet it.
    pub gamma: f64,
}

/// Minimises `x' Sigma x` subject to `x . mu >= required`, every share at least `floor`
/// (Markowitz's frontier with the opponents' play fixed).
///
/// Best responses to `tau mu - Sigma` are piecewise linear in `tau = 1 / gamma` with a rising
/// mean; the piece that crosses `required` is found by bisection and read off exactly.
///
/// # Errors
///
/// [`SolveError::InfeasibleUtility`] if no allowed mix has that mean, and as [`best_response`].
pub fn min_variance(
    exposure: &Exposure,
    required: f64,
    floor: f64,
) -> Result<FrontierPoint, SolveError> {
    check(exposure.actions(), 0.0, floor)?;
    if !required.is_finite() {
        return Err(SolveError::NotFinite { what: "required utility".into() });
    }
    let best = best_response(exposure, 0.0, floor, Method::Auto)?;
    let scale = exposure.mean().iter().fold(0.0_f64, |scale, mean| scale.max(mean.abs()));
    let slack = 1e-12 * scale.max(required.abs());
    if best.mean < required - slack {
        return Err(SolveError::InfeasibleUtility { required, best: best.mean });
    }
    let sigma = exposure.covariance();
    let trace = sigma.diag().sum() / exposure.actions() as f64;
    let at = |tau: f64| frontier_mix(exposure, &sigma, tau, floor);

    let mut low = (0.0, at(0.0));
    if exposure.expected(low.1.view()) >= required || trace <= 0.0 {
        // Among mixes of least variance one with more mean may exist, but none is needed.
        let mix = if trace <= 0.0 { best.strategy } else { low.1 };
        let mut response = Response::at(exposure, 0.0, floor, mix, 0);
        response.gap = 0.0;
        response.value = -response.variance;
        return Ok(FrontierPoint { response, lambda: 0.0, gamma: f64::INFINITY });
    }
    // The mean reaches its maximum at a finite `tau`, unless only rounding separates the two.
    let spread = best.mean - exposure.expected(low.1.view());
    let mut high = (trace / spread.max(slack), Array1::zeros(0));
    for _ in 0..80 {
        high.1 = at(high.0);
        if exposure.expected(high.1.view()) >= required - slack {
            break;
        }
        low = high.clone();
        high.0 *= 2.0;
    }
    let support = |mix: &Array1<f64>| mix.mapv(|share| share > floor + 1e-13);
    for _ in 0..200 {
        if support(&low.1) == support(&high.1) || high.0 - low.0 <= 1e-15 * high.0 {
            break;
        }
        let middle = 0.5 * (low.0 + high.0);
        let mix = at(middle);
        if exposure.expected(mix.view()) >= required {
            high = (middle, mix);
        } else {
            low = (middle, mix);
        }
    }
    let (below, above) = (exposure.expected(low.1.view()), exposure.expected(high.1.view()));
    let part =
        if above > below { ((required - below) / (above - below)).clamp(0.0, 1.0) } else { 1.0 };
    let mix = (1.0 - part) * &low.1 + part * &high.1;
    let lambda = (1.0 - part) * low.0 + part * high.0;
    let gamma = 1.0 / lambda;
    let response = Response::at(exposure, gamma, floor, mix, 0);
    Ok(FrontierPoint { response, lambda, gamma })
}

/// The mix that maximises `tau x . mu - x' Sigma x`.
fn frontier_mix(exposure: &Exposure, sigma: &Array2<f64>, tau: f64, floor: f64) -> Array1<f64> {
    let actions = exposure.actions();
    let free = (1.0 - floor * actions as f64).max(0.0);
    let base = Array1::from_elem(actions, floor);
    let c = tau * &exposure.mean() - 2.0 * exposure.covariance_times(base.view());
    let highest = c.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (z, _) = active_set(&(2.0 * free * sigma), &(c - highest));
    z.mapv(|z| floor + free * z)
}
