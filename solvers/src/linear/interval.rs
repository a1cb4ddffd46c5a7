//! Interval arithmetic with outward rounding.

use std::ops::{Add, Mul, Sub};

/// All real numbers from `low` to `high`.
///
/// Every operation contains all results of exact arithmetic on its operands: bounds are rounded to
/// nearest and then moved to the next double outwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Interval {
    pub(crate) const ZERO: Self = Self::point(0.0);

    pub(crate) const fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    pub(crate) const fn point(value: f64) -> Self {
        Self { low: value, high: value }
    }

    fn outward(low: f64, high: f64) -> Self {
        Self { low: low.next_down(), high: high.next_up() }
    }

    pub(crate) fn mid(self) -> f64 {
        0.5 * (self.low + self.high)
    }

    pub(crate) fn width(self) -> f64 {
        self.high - self.low
    }

    /// The largest absolute value in it.
    pub(crate) fn magnitude(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    pub(crate) fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Whether it lies in the interior of the other.
    pub(crate) fn inside(self, other: Self) -> bool {
        other.low < self.low && self.high < other.high
    }

    pub(crate) fn intersection(self, other: Self) -> Option<Self> {
        let common = Self::new(self.low.max(other.low), self.high.min(other.high));
        (common.low <= common.high).then_some(common)
    }

    /// Longer at both ends by that share of its width.
    pub(crate) fn inflated(self, share: f64) -> Self {
        let by = share * self.width();
        Self::outward(self.low - by, self.high + by)
    }
}

impl Add for Interval {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::outward(self.low + other.low, self.high + other.high)
    }
}

impl Sub for Interval {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::outward(self.low - other.high, self.high - other.low)
    }
}

impl Mul for Interval {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let ends = [
            self.low * other.low,
            self.low * other.high,
            self.high * other.low,
            self.high * other.high,
        ];
        let low = ends.into_iter().fold(f64::INFINITY, f64::min);
        Self::outward(low, ends.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_contain_those_of_exact_arithmetic() {
        let tenth = Interval::point(0.1) + Interval::point(0.2);
        assert!(tenth.contains(0.3) && tenth.contains(0.3_f64.next_up()) && tenth.width() < 1e-15);
        let product = Interval::new(-1.0, 2.0) * Interval::new(-3.0, 0.5);
        assert!(product.contains(-6.0) && product.contains(3.0));
        assert!(product.low > -6.0 - 1e-12 && product.high < 3.0 + 1e-12);
        let difference = Interval::point(1.0) - Interval::new(0.0, 1.0);
        assert!(difference.contains(0.0) && difference.contains(1.0));
        assert!(difference.inside(Interval::new(-0.1, 1.1)));
        assert_eq!(Interval::point(1.0).intersection(Interval::ZERO), None);
    }
}
