//! Matrices of doubles as integer matrices up to scale.

/// Largest denominator that is recognised in a decimal or a fraction.
const LARGEST_DENOMINATOR: i128 = 1 << 20;

/// Largest common denominator of a matrix of fractions.
const LARGEST_COMMON: i128 = 1 << 48;

/// Binary digits kept below the largest entry.
const DIGITS: i32 = 100;

/// A matrix of integers proportional to a matrix of finite doubles.
///
/// If every entry is the double nearest to a fraction with a denominator of at most 2^20, and the
/// common denominator is at most 2^48, the entries stand for these fractions: so `0.1` means 1/10,
/// and ties between decimals stay ties.
/// Otherwise every entry stands for exactly the binary fraction it is, except that entries are
/// rounded to multiples of 2^-100 times (a power of two near) the largest one, far below what a
/// double can resolve in any sum of such entries.
///
/// The integers are below 2^102 in absolute value.
pub(crate) fn proportional_integers(entries: &[f64]) -> Vec<i128> {
    as_fractions(entries).unwrap_or_else(|| as_binary(entries))
}

fn as_fractions(entries: &[f64]) -> Option<Vec<i128>> {
    let fractions: Vec<(i128, i128)> =
        entries.iter().map(|&entry| simplest_fraction(entry)).collect::<Option<_>>()?;
    let mut common = 1_i128;
    for &(_, denominator) in &fractions {
        common = common / gcd(common, denominator) * denominator;
        if common > LARGEST_COMMON {
            return None;
        }
    }
    Some(fractions.iter().map(|&(p, q)| p * (common / q)).collect())
}

/// The fraction of least denominator (among convergents of the continued fraction) whose nearest
/// double is `value`; none if that denominator exceeds [`LARGEST_DENOMINATOR`].
fn simplest_fraction(value: f64) -> Option<(i128, i128)> {
    // Numerators stay exact doubles.
    const LARGEST_VALUE: f64 = 9_007_199_254_740_992.0;
    if value.abs() > LARGEST_VALUE {
        return None;
    }
    let (mut p, mut p_before) = (1_i128, 0_i128);
    let (mut q, mut q_before) = (0_i128, 1_i128);
    let mut rest = value.abs();
    for _ in 0..40 {
        let whole = rest.floor();
        if whole > LARGEST_VALUE {
            return None;
        }
        let term = whole as i128;
        (p, p_before) = (term * p + p_before, p);
        (q, q_before) = (term * q + q_before, q);
        if q > LARGEST_DENOMINATOR {
            return None;
        }
        #[expect(clippy::float_cmp, reason = "the fraction must give back the very same double")]
        if p as f64 / q as f64 == value.abs() {
            return Some(if value < 0.0 { (-p, q) } else { (p, q) });
        }
        let fraction = rest - whole;
        if fraction <= 0.0 {
            return None;
        }
        rest = 1.0 / fraction;
    }
    None
}

fn as_binary(entries: &[f64]) -> Vec<i128> {
    let parts: Vec<(i64, i32)> = entries.iter().map(|&entry| decode(entry)).collect();
    let live = || parts.iter().filter(|part| part.0 != 0);
    let top = live().map(|&(mantissa, exponent)| exponent + bits(mantissa)).max().unwrap_or(0);
    let unit = live().map(|part| part.1).min().unwrap_or(0).max(top - DIGITS);
    parts
        .iter()
        .map(|&(mantissa, exponent)| {
            let shift = exponent - unit;
            if shift >= 0 {
                i128::from(mantissa) << shift.min(DIGITS)
            } else {
                // Rounded half up; beyond 63 places nothing is left.
                let places = (-shift).min(62);
                (i128::from(mantissa) + (1_i128 << (places - 1))) >> places
            }
        })
        .collect()
}

/// `value = mantissa * 2^exponent` with an odd mantissa, or `(0, 0)`.
fn decode(value: f64) -> (i64, i32) {
    let bits = value.to_bits();
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let biased = ((bits >> 52) & 0x7ff) as i32;
    let (mantissa, exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | (1 << 52), biased - 1075) };
    if mantissa == 0 {
        return (0, 0);
    }
    let zeros = mantissa.trailing_zeros();
    let odd = mantissa >> zeros;
    (if value < 0.0 { -odd } else { odd }, exponent + zeros as i32)
}

/// Binary digits of a number's absolute value.
fn bits(value: i64) -> i32 {
    64 - value.unsigned_abs().leading_zeros() as i32
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_decimals_and_fractions() {
        assert_eq!(proportional_integers(&[3.0, -20.0, 0.0]), [3, -20, 0]);
        assert_eq!(proportional_integers(&[0.1, -0.25, 1.0]), [2, -5, 20]);
        assert_eq!(proportional_integers(&[1.0 / 3.0, 2.0 / 7.0]), [7, 6]);
    }

    #[test]
    fn other_doubles_are_exact() {
        let entries = [std::f64::consts::PI, -std::f64::consts::E * 1e-6, 12.0];
        let integers = proportional_integers(&entries);
        for (integer, entry) in integers.iter().zip(entries) {
            let unit = entries[2] / integers[2] as f64;
            assert_eq!((*integer as f64 * unit).to_bits(), entry.to_bits());
        }
    }

    #[test]
    fn an_absurd_range_is_rounded() {
        let integers = proportional_integers(&[1e-300, std::f64::consts::PI * 1e10, -1e-300]);
        assert_eq!((integers[0], integers[2]), (0, 0));
        assert!(integers[1] > 1 << 40);
        assert!(proportional_integers(&[f64::MAX, -f64::MAX]).iter().all(|i| i.abs() < 1 << 102));
    }
}
