//! Stationary distributions of Markov chains without subtraction.
//!
//! The Grassmann-Taksar-Heyman elimination only adds, multiplies and divides positive numbers, so
//! every component of its answer has a relative error of a few roundings times the number of
//! states, however close the chain is to falling apart.
//! The same code runs on three kinds of numbers: plain `f64`; logarithms, where rates underflow;
//! and leading terms `c eps^k`, which give the limit of vanishing mutation exactly.
//!
//! Source: Grassmann, Taksar and Heyman, "Regenerative analysis and steady state distributions for
//! Markov chains", Operations Research 33(5), 1985.

use ndarray::Array2;

/// A non-negative rate of a chain.
pub(super) trait Rate: Copy {
    /// No transition.
    const ZERO: Self;
    /// The rate 1.
    const ONE: Self;
    fn is_zero(self) -> bool;
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// `self / other` for `other` not zero.
    fn over(self, other: Self) -> Self;
    /// The share of `self` in `total`, as a number.
    fn share(self, total: Self) -> f64;
    /// Whether this pivot is so small that roundings to zero may have taken part in it.
    fn doubtful(self) -> bool;
}

impl Rate for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    fn is_zero(self) -> bool {
        self <= 0.0
    }
    fn plus(self, other: Self) -> Self {
        self + other
    }
    fn times(self, other: Self) -> Self {
        self * other
    }
    fn over(self, other: Self) -> Self {
        self / other
    }
    fn share(self, total: Self) -> f64 {
        self / total
    }
    fn doubtful(self) -> bool {
        // What was lost to underflow is below 1e-307 per term.
        self < 1e-280
    }
}

/// A rate by its natural logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LogRate(pub(super) f64);

impl Rate for LogRate {
    const ZERO: Self = Self(f64::NEG_INFINITY);
    const ONE: Self = Self(0.0);
    fn is_zero(self) -> bool {
        self.0 <= f64::NEG_INFINITY
    }
    fn plus(self, other: Self) -> Self {
        let (high, low) = if self.0 >= other.0 { (self, other) } else { (other, self) };
        if low.is_zero() { high } else { Self(high.0 + libm::log1p(libm::exp(low.0 - high.0))) }
    }
    fn times(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
    fn over(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
    fn share(self, total: Self) -> f64 {
        libm::exp(self.0 - total.0)
    }
    fn doubtful(self) -> bool {
        false
    }
}

/// The leading term `coefficient * eps^order` of a rate for `eps` to zero from above.
///
/// Since nothing is ever subtracted, leading terms never cancel and their arithmetic is exact up
/// to the rounding of the coefficients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LeadingRate {
    pub(super) coefficient: f64,
    pub(super) order: i64,
}

impl Rate for LeadingRate {
    const ZERO: Self = Self { coefficient: 0.0, order: 0 };
    const ONE: Self = Self { coefficient: 1.0, order: 0 };
    fn is_zero(self) -> bool {
        self.coefficient <= 0.0
    }
    fn plus(self, other: Self) -> Self {
        if self.is_zero() {
            return other;
        }
        if other.is_zero() {
            return self;
        }
        match self.order.cmp(&other.order) {
            std::cmp::Ordering::Less => self,
            std::cmp::Ordering::Greater => other,
            std::cmp::Ordering::Equal => {
                Self { coefficient: self.coefficient + other.coefficient, order: self.order }
            }
        }
    }
    fn times(self, other: Self) -> Self {
        if self.is_zero() || other.is_zero() {
            return Self::ZERO;
        }
        Self { coefficient: self.coefficient * other.coefficient, order: self.order + other.order }
    }
    fn over(self, other: Self) -> Self {
        if self.is_zero() {
            return Self::ZERO;
        }
        Self { coefficient: self.coefficient / other.coefficient, order: self.order - other.order }
    }
    fn share(self, total: Self) -> f64 {
        if self.is_zero() || self.order > total.order {
            0.0
        } else {
            self.coefficient / total.coefficient
        }
    }
    fn doubtful(self) -> bool {
        false
    }
}

/// Why elimination gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// A pivot is zero or close to underflow: take another kind of number.
    Underflow,
}

/// The stationary distribution of the chain with these rates between different states (the
/// diagonal is not looked at; rows need not sum to one, any common scale will do).
pub(super) fn stationary<R: Rate>(mut rates: Array2<R>) -> Result<Vec<f64>, Lost> {
    let n = rates.nrows();
    let entries = rates.as_slice_mut().ok_or(Lost::Underflow)?;
    for k in (1..n).rev() {
        let (above, rest) = entries.split_at_mut(k * n);
        let pivot_row = &rest[..k];
        let pivot = pivot_row.iter().fold(R::ZERO, |sum, &rate| sum.plus(rate));
        if pivot.is_zero() || pivot.doubtful() {
            return Err(Lost::Underflow);
        }
        for row in above.chunks_exact_mut(n) {
            let into = row[k];
            if into.is_zero() {
                continue;
            }
            let factor = into.over(pivot);
            row[k] = factor;
            for (rate, &onward) in row[..k].iter_mut().zip(pivot_row) {
                *rate = rate.plus(factor.times(onward));
            }
        }
    }
    let mut masses = vec![R::ONE; n];
    for k in 1..n {
        masses[k] = (0..k)
            .map(|i| masses[i].times(entries[i * n + k]))
            .fold(R::ZERO, |sum, term| sum.plus(term));
    }
    let total = masses.iter().fold(R::ZERO, |sum, &mass| sum.plus(mass));
    Ok(masses.into_iter().map(|mass| mass.share(total)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two halves joined by rates of size `weak`: the halves' masses depend on nothing else.
    fn weakly_joined(weak: f64) -> Array2<f64> {
        ndarray::array![
            [0.0, 0.3, weak, 0.0],
            [0.1, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.2],
            [0.0, 3.0 * weak, 0.4, 0.0],
        ]
    }

    #[test]
    fn all_kinds_of_numbers_agree_and_the_weak_link_does_not_matter() {
        // By hand: inside the halves 1:3 and 2:1; flow across 1/4 p weak = 1/3 q 3 weak, so
        // p : q = 4 : 1.
        let expected = [0.2, 0.6, 2.0 / 15.0, 1.0 / 15.0];
        for weak in [1e-6, 1e-100, 1e-200] {
            let direct = stationary(weakly_joined(weak)).unwrap();
            let logs = stationary(weakly_joined(weak).mapv(|rate| LogRate(libm::log(rate)))).unwrap();
            let leading = stationary(weakly_joined(1.0).mapv(|rate| LeadingRate {
                coefficient: rate,
                order: i64::from(rate >= 1.0),
            }))
            .unwrap();
            for state in 0..4 {
                // The rates inside the halves also carry a share `weak`, hence 1e-5 at first.
                let tolerance = 10.0 * weak + 1e-12;
                assert!((direct[state] - expected[state]).abs() < tolerance, "{direct:?}");
                assert!((logs[state] - expected[state]).abs() < tolerance, "{logs:?}");
                assert!((leading[state] - expected[state]).abs() < 1e-14, "{leading:?}");
            }
        }
    }

    #[test]
    fn underflow_is_noticed() {
        let chain = ndarray::array![[0.0, 1e-300], [1e-300, 0.0]];
        assert_eq!(stationary(chain), Err(Lost::Underflow));
    }
}
