//! Real polynomials of one variable and their roots in an interval.

use std::ops::{Add, Mul, Sub};

/// A polynomial by its coefficients, lowest degree first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Polynomial(Vec<f64>);

impl Polynomial {
    pub(super) fn new(coefficients: impl Into<Vec<f64>>) -> Self {
        Self(coefficients.into())
    }

    pub(super) fn at(&self, x: f64) -> f64 {
        self.0.iter().rev().fold(0.0, |value, coefficient| value * x + coefficient)
    }

    fn derivative(&self) -> Self {
        Self(self.0.iter().enumerate().skip(1).map(|(power, c)| power as f64 * c).collect())
    }

    fn zip(&self, other: &Self, with: impl Fn(f64, f64) -> f64) -> Self {
        let entry = |polynomial: &Self, k: usize| polynomial.0.get(k).copied().unwrap_or(0.0);
        let length = self.0.len().max(other.0.len());
        Self((0..length).map(|k| with(entry(self, k), entry(other, k))).collect())
    }

    /// Every root in `[low, high]`, in rising order.
    ///
    /// Between neighbouring roots of the derivative the polynomial is monotone, so bisection finds
    /// all simple roots to the last bit.
    /// Extrema within rounding of zero are returned as well: double roots never change sign, and
    /// the caller checks what it gets. The zero polynomial gives no roots.
    pub(super) fn roots(&self, low: f64, high: f64) -> Vec<f64> {
        let degree = self.0.iter().rposition(|&c| c.abs() > 0.0).unwrap_or(0);
        if degree == 0 {
            return Vec::new();
        }
        let reach = low.abs().max(high.abs()).max(1.0);
        let scale: f64 = self.0.iter().rev().fold(0.0, |sum, c| sum * reach + c.abs());
        let mut marks = vec![low];
        marks.extend(Self(self.0[..=degree].to_vec()).derivative().roots(low, high));
        marks.push(high);
        let mut roots: Vec<f64> = Vec::new();
        for &mark in &marks {
            if self.at(mark).abs() <= 1e-10 * scale {
                roots.push(mark);
            }
        }
        for pair in marks.windows(2) {
            let (mut a, mut b) = (pair[0], pair[1]);
            let rising = self.at(a) < 0.0;
            if rising == (self.at(b) < 0.0) {
                continue;
            }
            loop {
                let middle = 0.5 * (a + b);
                if middle <= a || middle >= b {
                    break;
                }
                if (self.at(middle) < 0.0) == rising {
                    a = middle;
                } else {
                    b = middle;
                }
            }
            roots.push(b);
        }
        roots.sort_by(f64::total_cmp);
        roots.dedup();
        roots
    }
}

impl Add for &Polynomial {
    type Output = Polynomial;
    fn add(self, other: Self) -> Polynomial {
        self.zip(other, |a, b| a + b)
    }
}

impl Sub for &Polynomial {
    type Output = Polynomial;
    fn sub(self, other: Self) -> Polynomial {
        self.zip(other, |a, b| a - b)
    }
}

impl Mul for &Polynomial {
    type Output = Polynomial;
    fn mul(self, other: Self) -> Polynomial {
        let mut product = vec![0.0; (self.0.len() + other.0.len()).saturating_sub(1)];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                product[i + j] += a * b;
            }
        }
        Polynomial(product)
    }
}

impl Mul<f64> for &Polynomial {
    type Output = Polynomial;
    fn mul(self, factor: f64) -> Polynomial {
        Polynomial(self.0.iter().map(|c| factor * c).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_roots(roots: &[f64]) -> Polynomial {
        roots.iter().fold(Polynomial::new([1.0]), |product, &root| {
            &product * &Polynomial::new([-root, 1.0])
        })
    }

    #[test]
    fn finds_all_roots_inside_and_none_outside() {
        let found = with_roots(&[-2.0, 0.1, 0.3, 0.35, 0.9, 7.0]).roots(0.0, 1.0);
        assert_eq!(found.len(), 4, "{found:?}");
        for (root, expected) in found.iter().zip([0.1, 0.3, 0.35, 0.9]) {
            assert!((root - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn finds_double_roots_and_roots_at_the_ends() {
        let found = with_roots(&[0.0, 0.5, 0.5, 1.0]).roots(0.0, 1.0);
        for expected in [0.0, 0.5, 1.0] {
            assert!(found.iter().any(|root: &f64| (root - expected).abs() < 1e-7), "{found:?}");
        }
        assert!(Polynomial::new([0.0, 0.0]).roots(0.0, 1.0).is_empty());
        assert!(Polynomial::new([1.0]).roots(0.0, 1.0).is_empty());
    }
}
