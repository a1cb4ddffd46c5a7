//! Small arithmetic, in the reference's order of operations.
//!
//! Steering is unstable below about 1 m/s: there differences in the last bit grow by ten orders of magnitude before they
//! are bounded. Recordings of such scenes replay only if nearly all roundings are the same, so products are fused where
//! numpy's are, and angles take the reference's way through tangents and arcs even where algebra has a shorter one.

use std::f64::consts::{PI, TAU};

/// `ax bx + ay by`, with the second product fused, as numpy's `dot` of two numbers does.
pub(super) fn dot(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[1].mul_add(b[1], a[0] * b[0])
}

/// Euclidean length.
pub(super) fn norm(a: [f64; 2]) -> f64 {
    dot(a, a).sqrt()
}

/// An angle brought to [-pi, pi).
pub(super) fn wrap(angle: f64) -> f64 {
    let shifted = angle + PI;
    if (0.0..TAU).contains(&shifted) { shifted - PI } else { shifted.rem_euclid(TAU) - PI }
}

/// `x`, kept away from 0 by a hundredth.
pub(super) fn not_zero(x: f64) -> f64 {
    if x.abs() > 0.01 {
        x
    } else if x >= 0.0 {
        0.01
    } else {
        -0.01
    }
}

/// The line through (`from`, `to`) at `value`.
pub(super) fn line(value: f64, from: (f64, f64), to: (f64, f64)) -> f64 {
    to.0 + (value - from.0) * (to.1 - to.0) / (from.1 - from.0)
}

/// The product and its rounding error (Dekker 1971).
fn product(a: f64, b: f64) -> (f64, f64) {
    let high = a * b;
    (high, a.mul_add(b, -high))
}

/// A power with an exponent of at least 1; the usual exponent 4 is quick and rounded once.
pub(super) fn power(base: f64, exponent: f64) -> f64 {
    #[expect(clippy::float_cmp, reason = "drivers that were not drawn have exactly this exponent")]
    if exponent == 4.0 {
        let (square, error) = product(base, base);
        let (fourth, rest) = product(square, square);
        fourth + (rest + 2.0 * square * error)
    } else {
        libm::pow(base, exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_wrap_to_a_half_open_interval() {
        let cases = [
            (0.0, 0.0),
            (PI, -PI),
            (-PI, -PI),
            (3.0 * PI, -PI),
            (7.0, 7.0 - TAU),
            (-4.0, TAU - 4.0),
        ];
        for (angle, wrapped) in cases {
            assert!((wrap(angle) - wrapped).abs() < 1e-12, "{angle}: {}", wrap(angle));
        }
    }

    #[test]
    fn fourth_powers_are_rounded_once() {
        for index in 0..1000 {
            let base = f64::from(index) * 0.001_37;
            let (found, expected) = (power(base, 4.0), libm::pow(base, 4.0));
            assert!((found - expected).abs() <= expected * f64::EPSILON, "{base}");
        }
        assert!((power(1.3, 3.7) - 2.639_917_795_301).abs() < 1e-9);
    }
}
