//! Nearest points of simplices.

/// Replaces a vector by the nearest one whose entries are at least `floor` and sum to 1.
///
/// `floor * len <= 1` is the caller's business.
/// Michelot's method: entries that the common shift would take below the floor are put there, and
/// the shift is computed again until none is left; it ends after at most `len` rounds, in practice
/// a handful.
/// Source: Michelot, "A finite algorithm for finding the projection of a point onto the canonical
/// simplex of R^n", Journal of Optimization Theory and Applications 50, 1986.
pub(crate) fn project_to_simplex(values: &mut [f64], floor: f64) {
    if values.is_empty() {
        return;
    }
    let mass = 1.0 - floor * values.len() as f64;
    let shift_of = |sum: f64, count: usize| (sum - mass) / count as f64;
    let mut shift = shift_of(values.iter().map(|value| value - floor).sum(), values.len());
    let mut count = values.len();
    loop {
        let mut sum = 0.0;
        let mut kept = 0;
        for value in values.iter() {
            if value - floor > shift {
                sum += value - floor;
                kept += 1;
            }
        }
        // The shift only grows, so the same number means the same entries.
        if kept == 0 || kept == count {
            break;
        }
        count = kept;
        shift = shift_of(sum, kept);
    }
    for value in values.iter_mut() {
        *value = floor + (*value - floor - shift).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Purpose, Streams, unit_f64};

    fn projected(values: &[f64], floor: f64) -> Vec<f64> {
        let mut values = values.to_vec();
        project_to_simplex(&mut values, floor);
        values
    }

    #[track_caller]
    fn near(found: &[f64], expected: &[f64]) {
        let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15);
        assert!(close, "{found:?} is not {expected:?}");
    }

    #[test]
    fn by_hand() {
        // Testable fact 23.
        near(&projected(&[0.4, 0.7, 0.6], 0.2), &[0.2, 0.45, 0.35]);
        near(&projected(&[0.2, 0.3, 0.5], 0.0), &[0.2, 0.3, 0.5]);
        near(&projected(&[5.0, 0.0, 4.5], 0.0), &[0.75, 0.0, 0.25]);
        near(&projected(&[-3.0], 0.0), &[1.0]);
        near(&projected(&[7.0, 7.0, 7.0, 7.0], 0.0), &[0.25; 4]);
    }

    #[test]
    fn nothing_is_nearer() {
        let mut rng = Streams::new(3).at(Purpose::Generate, 0, 0);
        for length in 2..40 {
            let point: Vec<f64> = (0..length).map(|_| 3.0 * unit_f64(&mut rng) - 1.0).collect();
            let floor = 0.5 / length as f64;
            let found = projected(&point, floor);
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-13);
            assert!(found.iter().all(|&p| p >= floor));
            // The rest `point - found` is largest exactly where mass may leave the floor: no
            // direction from the projection into the set has an acute angle with it.
            let rest: Vec<f64> = point.iter().zip(&found).map(|(a, b)| a - b).collect();
            let best = rest.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for (rest, p) in rest.iter().zip(&found) {
                assert!(*p <= floor || (best - rest).abs() < 1e-13);
            }
        }
    }
}
