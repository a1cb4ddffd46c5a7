//! Sine, cosine and arctangent that are rounded correctly all but once in a thousand times.
//!
//! `libm` rounds these otherwise once in twenty to thirty times. That is as good for driving as such, but recordings that
//! were made with other libraries can only be replayed where both round alike (see [`super::math`]).
//! Arithmetic in pairs of numbers after Dekker (1971); Taylor's series on an eighth of a turn.

use std::f64::consts::FRAC_2_PI;

/// A number and what its rounding left over.
#[derive(Clone, Copy)]
struct Pair {
    high: f64,
    low: f64,
}

/// Sum and rounding error, where `a` is at least as large as `b` (Dekker 1971).
fn quick_sum(a: f64, b: f64) -> Pair {
    let high = a + b;
    Pair { high, low: b - (high - a) }
}

/// Sum and rounding error (Knuth).
fn sum(a: f64, b: f64) -> Pair {
    let high = a + b;
    let part = high - a;
    Pair { high, low: (a - (high - part)) + (b - part) }
}

/// Product and rounding error.
fn product(a: f64, b: f64) -> Pair {
    // Halves of 26 bits, whose products are exact.
    let half = |x: f64| {
        let wide = 134_217_729.0 * x;
        let high = wide - (wide - x);
        (high, x - high)
    };
    let ((a1, a2), (b1, b2)) = (half(a), half(b));
    let high = a * b;
    Pair { high, low: ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2 }
}

fn times(a: Pair, b: Pair) -> Pair {
    let Pair { high, low } = product(a.high, b.high);
    quick_sum(high, low + (a.high * b.low + a.low * b.high))
}

/// Beyond this the reduction by multiples of half of pi is no longer exact.
const FAR: f64 = 1e5;

/// Half of pi in three parts, of which the first two have 33 bits.
const PARTS: [f64; 3] =
    [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];
const SIXTH: Pair = Pair { high: 0.166_666_666_666_666_66, low: 9.251_858_538_542_97e-18 };
const TWENTY_FOURTH: Pair =
    Pair { high: 0.041_666_666_666_666_664, low: 2.312_964_634_635_742_7e-18 };

/// Sine and cosine as pairs, for |x| below a hundred thousand.
fn sincos_pairs(x: f64) -> (Pair, Pair) {
    let turns = (x * FRAC_2_PI).round_ties_even();
    // The first two products are exact.
    let rest = sum(x - turns * PARTS[0], -(turns * PARTS[1]));
    let r = quick_sum(rest.high, rest.low - turns * PARTS[2]);
    let h = r.high;
    let square = times(r, r);
    let p = square.high;
    // Taylor's series; on an eighth of a turn the terms left out are below 2^-60.
    let cube = times(r, square);
    let third = times(cube, SIXTH);
    let tail = 1.0 / 120.0
        + p * (-1.0 / 5_040.0
            + p * (1.0 / 362_880.0
                + p * (-1.0 / 39_916_800.0
                    + p * (1.0 / 6_227_020_800.0
                        + p * (-1.0 / 1_307_674_368_000.0 + p * (1.0 / 355_687_428_096_000.0))))));
    let low = p * cube.high * tail;
    let sin = quick_sum(h, -third.high);
    let sin = quick_sum(sin.high, sin.low + (r.low - third.low + low));
    let fourth = times(times(square, square), TWENTY_FOURTH);
    let tail = -1.0 / 720.0
        + p * (1.0 / 40_320.0
            + p * (-1.0 / 3_628_800.0
                + p * (1.0 / 479_001_600.0
                    + p * (-1.0 / 87_178_291_200.0
                        + p * (1.0 / 20_922_789_888_000.0
                            + p * (-1.0 / 6_402_373_705_728_000.0))))));
    let cos = quick_sum(1.0, -0.5 * square.high);
    let more = sum(cos.low, fourth.high);
    let both = quick_sum(cos.high, more.high);
    let cos = quick_sum(
        both.high,
        both.low + (more.low - 0.5 * square.low + fourth.low + p * p * p * tail),
    );
    let minus = |pair: Pair| Pair { high: -pair.high, low: -pair.low };
    match (turns as i64).rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, minus(sin)),
        2 => (minus(sin), minus(cos)),
        _ => (minus(cos), sin),
    }
}

/// Sine and cosine.
pub(super) fn sincos(x: f64) -> (f64, f64) {
    if x.is_nan() || x.abs() >= FAR {
        return libm::sincos(x);
    }
    let (sin, cos) = sincos_pairs(x);
    (sin.high + sin.low, cos.high + cos.low)
}

/// Arctangent: one step of Newton's method from `libm`'s.
pub(super) fn atan(x: f64) -> f64 {
    let near = libm::atan(x);
    if x.is_nan() || x.abs() >= FAR {
        return near;
    }
    let (s, c) = sincos_pairs(near);
    // tan(a - b) of the small difference: (x cos - sin) / (cos + x sin).
    let scaled = product(x, c.high);
    let over = (scaled.high - s.high) + (scaled.low + (x * c.low - s.low));
    near + over / (c.high + x * s.high)
}

/// Direction of a point.
pub(super) fn atan2(y: f64, x: f64) -> f64 {
    let near = libm::atan2(y, x);
    let norm = x * x + y * y;
    if !norm.is_normal() {
        return near;
    }
    let (s, c) = sincos_pairs(near);
    // The sine of what is left, times the length.
    let (one, two) = (product(y, c.high), product(x, s.high));
    let over = (one.high - two.high) + ((one.low - two.low) + (y * c.low - x * s.low));
    near + over / (x * c.high + y * s.high)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "exact bits are what is tested")]
    use super::*;

    /// Bits of correctly rounded values.
    #[test]
    fn values_are_rounded_correctly() {
        let cases: [(f64, u64, u64, u64); 12] = [
            (0.1, 4_591_858_176_471_321_388, 4_607_137_420_321_232_833, 4_591_846_303_962_680_397),
            (
                -0.7,
                13_827_349_853_472_430_520,
                4_605_064_305_524_579_731,
                13_827_048_186_851_349_677,
            ),
            (
                0.785,
                4_604_541_734_789_760_835,
                4_604_546_806_636_131_738,
                4_604_169_757_840_410_443,
            ),
            (1.2, 4_606_570_281_305_789_892, 4_600_199_276_910_049_748, 4_606_066_048_965_734_310),
            (
                -1.5,
                13_830_531_892_500_000_139,
                4_589_761_573_224_315_303,
                13_830_399_475_291_649_691,
            ),
            (2.5, 4_603_565_777_395_632_817, 13_828_763_316_576_947_069, 4_608_039_408_546_500_008),
            (
                -3.0,
                13_817_624_441_271_014_747,
                13_830_464_316_077_630_930,
                13_831_676_058_102_564_192,
            ),
            (
                3.2,
                13_811_945_458_549_402_930,
                13_830_539_096_360_602_550,
                4_608_388_984_744_325_669,
            ),
            (5.5, 13_827_902_198_694_719_575, 4_604_558_349_408_130_120, 4_608_943_068_770_028_668),
            (
                -12.25,
                4_599_276_247_962_548_936,
                4_606_735_399_130_711_930,
                13_832_758_266_383_066_675,
            ),
            (
                100.5,
                13_807_952_861_134_786_545,
                4_607_178_100_976_832_194,
                4_609_708_246_466_901_949,
            ),
            (
                0.003,
                4_569_063_941_177_664_658,
                4_607_182_378_267_651_161,
                4_569_063_930_801_478_510,
            ),
        ];
        for (x, sin, cos, atan) in cases {
            let found = sincos(x);
            assert_eq!(found.0.to_bits(), sin, "sin {x}");
            assert_eq!(found.1.to_bits(), cos, "cos {x}");
            assert_eq!(super::atan(x).to_bits(), atan, "atan {x}");
            assert_eq!(atan2(x, 1.0).to_bits(), atan, "atan2 {x}");
        }
    }

    #[test]
    fn far_and_odd_arguments_are_left_to_libm() {
        assert_eq!(sincos(1e6), libm::sincos(1e6));
        assert!(sincos(f64::NAN).0.is_nan() && sincos(f64::INFINITY).1.is_nan());
        assert_eq!(atan(f64::INFINITY).to_bits(), std::f64::consts::FRAC_PI_2.to_bits());
        assert_eq!(sincos(0.0), (0.0, 1.0));
        assert_eq!(atan2(0.0, -2.0).to_bits(), std::f64::consts::PI.to_bits());
        assert_eq!(atan2(-3.0, 0.0).to_bits(), (-std::f64::consts::FRAC_PI_2).to_bits());
        assert_eq!(atan2(0.0, 0.0).to_bits(), 0.0_f64.to_bits());
    }
}
