//! Integers of a fixed number of 64-bit words, for exact pivoting without allocation.

use std::cmp::Ordering;

/// A two's complement integer of `W` words, least significant first; arithmetic wraps.
///
/// Fraction-free pivoting divides `a b - c d` by a known divisor, and the quotient is known to fit.
/// So all products may wrap: the low words determine the quotient (see [`Divisor`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wide<const W: usize>([u64; W]);

impl<const W: usize> Wide<W> {
    pub(crate) const ZERO: Self = Self([0; W]);

    /// The value of an `i128`, which must fit.
    pub(crate) fn from_i128(value: i128) -> Self {
        let fill = if value < 0 { u64::MAX } else { 0 };
        let mut words = [fill; W];
        for (word, part) in words.iter_mut().zip([value as u64, (value >> 64) as u64]) {
            *word = part;
        }
        Self(words)
    }

    #[inline]
    pub(crate) fn is_zero(self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    #[inline]
    pub(crate) fn is_negative(self) -> bool {
        self.0[W - 1] >> 63 != 0
    }

    #[inline]
    pub(crate) fn is_positive(self) -> bool {
        !self.is_negative() && !self.is_zero()
    }

    pub(crate) fn sign(self) -> Ordering {
        if self.is_negative() {
            Ordering::Less
        } else if self.is_zero() {
            Ordering::Equal
        } else {
            Ordering::Greater
        }
    }

    #[inline]
    pub(crate) fn sub(self, other: Self) -> Self {
        let mut words = self.0;
        let mut borrow = false;
        for (word, subtrahend) in words.iter_mut().zip(other.0) {
            let (difference, first) = word.overflowing_sub(subtrahend);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *word = difference;
            borrow = first | second;
        }
        Self(words)
    }

    #[inline]
    pub(crate) fn add(self, other: Self) -> Self {
        let mut words = self.0;
        let mut carry = false;
        for (word, summand) in words.iter_mut().zip(other.0) {
            let (sum, first) = word.overflowing_add(summand);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *word = sum;
            carry = first | second;
        }
        Self(words)
    }

    #[inline]
    pub(crate) fn neg(self) -> Self {
        Self::ZERO.sub(self)
    }

    /// The low words of the product.
    #[inline]
    pub(crate) fn mul(self, other: Self) -> Self {
        let mut words = [0_u64; W];
        for i in 0..W {
            let mut carry = 0_u64;
            for j in 0..W - i {
                let sum = u128::from(self.0[i]) * u128::from(other.0[j])
                    + u128::from(words[i + j])
                    + u128::from(carry);
                words[i + j] = sum as u64;
                carry = (sum >> 64) as u64;
            }
        }
        Self(words)
    }

    /// Number of zero bits below the lowest one; `64 W` for zero.
    fn trailing_zeros(self) -> u32 {
        let mut count = 0;
        for word in self.0 {
            if word != 0 {
                return count + word.trailing_zeros();
            }
            count += 64;
        }
        count
    }

    /// Shifted to the right, filling with `fill` words (0 or all ones).
    fn shift_right(self, bits: u32, fill: u64) -> Self {
        let (skip, bits) = ((bits / 64) as usize, bits % 64);
        let word = |index: usize| self.0.get(index).copied().unwrap_or(fill);
        let mut words = [0; W];
        for (index, target) in words.iter_mut().enumerate() {
            let low = word(index + skip) >> bits;
            let high = if bits == 0 { 0 } else { word(index + skip + 1) << (64 - bits) };
            *target = low | high;
        }
        Self(words)
    }

    fn shift_left(self, bits: u32) -> Self {
        let (skip, bits) = ((bits / 64) as usize, bits % 64);
        let word = |index: usize| if index < skip { 0 } else { self.0[index - skip] };
        let mut words = [0; W];
        for (index, target) in words.iter_mut().enumerate() {
            let high = word(index) << bits;
            let low = if bits == 0 || index == 0 { 0 } else { word(index - 1) >> (64 - bits) };
            *target = high | low;
        }
        Self(words)
    }

    /// The value as `m * 2^e` with `m` in `[0.5, 1)` times the sign, or `m = 0`; the relative
    /// error is below `2^-52`.
    pub(crate) fn to_scaled(self) -> Scaled {
        let magnitude = if self.is_negative() { self.neg() } else { self };
        let Some(top) = magnitude.0.iter().rposition(|&word| word != 0) else {
            return Scaled { mantissa: 0.0, exponent: 0 };
        };
        // 64 leading bits from the top two words.
        let lead = magnitude.0[top].leading_zeros();
        let below = if top > 0 { magnitude.0[top - 1] } else { 0 };
        let low = if lead == 0 { 0 } else { below >> (64 - lead) };
        let bits = (magnitude.0[top] << lead) | low;
        let mantissa = bits as f64 * (1.0 / 18_446_744_073_709_551_616.0);
        let mantissa = if self.is_negative() { -mantissa } else { mantissa };
        Scaled { mantissa, exponent: (top as i32 + 1) * 64 - lead as i32 }
    }
}

/// A floating-point number with an exponent of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaled {
    mantissa: f64,
    exponent: i32,
}

impl Scaled {
    /// The quotient as a double; below the smallest double it is 0, above the largest infinite.
    pub(crate) fn ratio(self, divisor: Self) -> f64 {
        libm::scalbn(self.mantissa / divisor.mantissa, self.exponent - divisor.exponent)
    }
}

/// A positive divisor, prepared for exact divisions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor<const W: usize> {
    /// Inverse of the odd part modulo `2^(64 W)`.
    inverse: Wide<W>,
    /// Power of two.
    shift: u32,
}

impl<const W: usize> Divisor<W> {
    /// Prepares a divisor other than zero.
    pub(crate) fn new(divisor: Wide<W>) -> Self {
        let shift = divisor.trailing_zeros();
        let odd = divisor.shift_right(shift, 0);
        // Newton: every step doubles the number of correct low bits, starting from 3.
        let two = Wide::from_i128(2);
        let mut inverse = odd;
        let mut correct = 3;
        while correct < 64 * W {
            inverse = inverse.mul(two.sub(odd.mul(inverse)));
            correct *= 2;
        }
        Self { inverse, shift }
    }

    /// Bits of every word of a quotient that a division cannot recover.
    pub(crate) const fn lost_bits(&self) -> u32 {
        self.shift
    }

    /// The quotient, given the low words of a multiple of the divisor.
    ///
    /// Correct if the true quotient fits in `64 W - lost_bits()` bits with its sign.
    #[inline]
    pub(crate) fn divide(&self, multiple: Wide<W>) -> Wide<W> {
        if self.shift == 0 {
            return multiple.mul(self.inverse);
        }
        let quotient = multiple.shift_right(self.shift, 0).mul(self.inverse);
        let lifted = quotient.shift_left(self.shift);
        lifted.shift_right(self.shift, if lifted.is_negative() { u64::MAX } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(wide: Wide<2>) -> i128 {
        (i128::from(wide.0[1] as i64) << 64) | i128::from(wide.0[0])
    }

    #[test]
    fn arithmetic_agrees_with_i128() {
        let samples: [i128; 8] =
            [0, 1, -1, 7, -12_345_678_901_234_567_890, 1 << 100, -(1 << 64), i128::MAX];
        for a in samples {
            for b in samples {
                let (x, y) = (Wide::<2>::from_i128(a), Wide::<2>::from_i128(b));
                assert_eq!(value(x.add(y)), a.wrapping_add(b));
                assert_eq!(value(x.sub(y)), a.wrapping_sub(b));
                assert_eq!(value(x.mul(y)), a.wrapping_mul(b));
            }
            let x = Wide::<2>::from_i128(a);
            assert_eq!(x.sign(), a.cmp(&0));
            for bits in [0, 1, 63, 64, 65, 127] {
                let fill = if a < 0 { u64::MAX } else { 0 };
                assert_eq!(value(x.shift_right(bits, fill)), a >> bits);
                assert_eq!(value(x.shift_left(bits)), a << bits);
            }
        }
    }

    #[test]
    fn exact_division_recovers_every_quotient() {
        for divisor in [1_i128, 3, 12, 96, 1 << 40, 12_345_678_901, 7 << 33] {
            let prepared = Divisor::new(Wide::<2>::from_i128(divisor));
            for quotient in [0_i128, 1, -1, 5, -987_654_321, 1 << 80, -(1 << 86)] {
                let multiple = Wide::from_i128(quotient.wrapping_mul(divisor));
                assert_eq!(value(prepared.divide(multiple)), quotient, "{quotient} * {divisor}");
            }
        }
    }

    #[test]
    fn division_works_although_the_product_wraps() {
        // 5 words; (3^100)^2 has 317 bits and leaves 256-bit arithmetic.
        let mut power = Wide::<4>::from_i128(1);
        for _ in 0..100 {
            power = power.mul(Wide::from_i128(3));
        }
        let prepared = Divisor::new(power);
        assert_eq!(prepared.divide(power.mul(power)), power);
        assert_eq!(prepared.divide(power.mul(power.neg())), power.neg());
    }

    #[test]
    fn ratios_of_large_numbers() {
        let mut big = Wide::<8>::from_i128(-7);
        for _ in 0..400 {
            big = big.add(big);
        }
        let mut half = Wide::<8>::from_i128(3);
        for _ in 0..399 {
            half = half.add(half);
        }
        assert!((big.to_scaled().ratio(half.to_scaled()) + 14.0 / 3.0).abs() < 1e-15);
        assert!(Wide::<8>::ZERO.to_scaled().ratio(half.to_scaled()).abs() < f64::MIN_POSITIVE);
    }
}
