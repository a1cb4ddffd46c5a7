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
    /// Whether this total overflowed.
    fn overflowed(self) -> bool;
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
    fn overflowed(self) -> bool {
        !self.is_finite()
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
        // Beyond 37 below, the sum is the larger term to the last bit.
        if low.0 - high.0 > -37.0 {
            Self(high.0 + libm::log1p(libm::exp(low.0 - high.0)))
        } else {
            high
        }
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
    fn overflowed(self) -> bool {
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
    fn overflowed(self) -> bool {
        false
    }
}

/// Why elimination gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// A pivot is close to underflow, or a mass overflowed: take another kind of number.
    Range,
}

/// The stationary distribution of the chain with these rates between different states (the
/// diagonal is not looked at; rows need not sum to one, any common scale will do).
pub(super) fn stationary<R: Rate>(rates: Array2<R>) -> Result<Vec<f64>, Lost> {
    let n = rates.nrows();
    let mut entries = rates.into_raw_vec_and_offset().0;
    let mut k = n.saturating_sub(1);
    // Two states at a time, which halves the traffic of memory.
    while k >= 2 {
        let (above, rest) = entries.split_at_mut((k - 1) * n);
        let (second, first) = rest.split_at_mut(n);
        let first = &first[..k];
        let pivot = row_sum(first)?;
        let factor = second[k].over(pivot);
        second[k] = factor;
        add_multiple(&mut second[..k - 1], factor, &first[..k - 1]);
        let second = &second[..k - 1];
        let second_pivot = row_sum(second)?;
        for row in above.chunks_exact_mut(n) {
            let by_first = row[k].over(pivot);
            row[k] = by_first;
            let by_second = row[k - 1].plus(by_first.times(first[k - 1])).over(second_pivot);
            row[k - 1] = by_second;
            for ((rate, &one), &two) in row[..k - 1].iter_mut().zip(first).zip(second) {
                *rate = rate.plus(by_first.times(one)).plus(by_second.times(two));
            }
        }
        k -= 2;
    }
    if k == 1 {
        let pivot = row_sum(&entries[n..=n])?;
        entries[1] = entries[1].over(pivot);
    }
    let mut masses = vec![R::ZERO; n];
    masses[0] = R::ONE;
    for i in 0..n {
        let (done, rest) = masses.split_at_mut(i + 1);
        add_multiple(rest, done[i], &entries[i * n + i + 1..(i + 1) * n]);
    }
    let total = masses.iter().fold(R::ZERO, |sum, &mass| sum.plus(mass));
    if total.overflowed() {
        return Err(Lost::Range);
    }
    Ok(masses.into_iter().map(|mass| mass.share(total)).collect())
}

fn row_sum<R: Rate>(row: &[R]) -> Result<R, Lost> {
    let sum = row.iter().fold(R::ZERO, |sum, &rate| sum.plus(rate));
    if sum.is_zero() || sum.doubtful() { Err(Lost::Range) } else { Ok(sum) }
}

fn add_multiple<R: Rate>(sum: &mut [R], factor: R, terms: &[R]) {
    for (sum, &term) in sum.iter_mut().zip(terms) {
        *sum = sum.plus(factor.times(term));
    }
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
            let logs =
                stationary(weakly_joined(weak).mapv(|rate| LogRate(libm::log(rate)))).unwrap();
            let leading = stationary(
                weakly_joined(1.0)
                    .mapv(|rate| LeadingRate { coefficient: rate, order: i64::from(rate >= 1.0) }),
            )
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
    fn leaving_the_range_is_noticed() {
        let chain = ndarray::array![[0.0, 1e-300], [1e-300, 0.0]];
        assert_eq!(stationary(chain), Err(Lost::Range));
        let chain = ndarray::array![[0.0, 1e200, 0.0], [1e-200, 0.0, 1e200], [0.0, 1e-200, 0.0]];
        assert_eq!(stationary(chain.clone()), Err(Lost::Range));
        let logs = stationary(chain.mapv(|rate| LogRate(libm::log(rate)))).unwrap();
        assert_eq!(logs, [0.0, 0.0, 1.0]);
        assert_eq!(stationary(ndarray::array![[0.0]]), Ok(vec![1.0]));
    }

    #[test]
    fn balance_holds_for_random_chains() {
        let mut rng = crate::seed::Streams::new(5).at(crate::seed::Purpose::Generate, 0, 0);
        for n in 2..9 {
            let rates =
                Array2::from_shape_simple_fn((n, n), || crate::seed::unit_f64(&mut rng).powi(8));
            let masses = stationary(rates.clone()).unwrap();
            for state in 0..n {
                let others = || (0..n).filter(|&other| other != state);
                let inward: f64 = others().map(|o| masses[o] * rates[[o, state]]).sum();
                let outward: f64 = others().map(|o| masses[state] * rates[[state, o]]).sum();
                assert!((inward - outward).abs() < 1e-14 * outward, "{n} states");
            }
        }
    }
}
