//! The exploration schedule.

use serde::{Deserialize, Serialize};

/// How much is explored: linear in environment steps, then constant.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Epsilon {
    /// Share of random actions at the beginning, 0 to 1.
    pub start: f64,
    /// Share of random actions at the end, 0 to 1.
    pub end: f64,
    /// Environment steps (all instances counted) from the one to the other.
    pub steps: u64,
}

impl Default for Epsilon {
    fn default() -> Self {
        Self { start: 1.0, end: 0.05, steps: 50_000 }
    }
}

impl Epsilon {
    /// The share after so many environment steps.
    pub fn at(&self, step: u64) -> f64 {
        if step >= self.steps {
            self.end
        } else {
            self.start + (self.end - self.start) * (step as f64 / self.steps as f64)
        }
    }

    #[cfg_attr(not(feature = "torch"), allow(dead_code, reason = "only learners use it"))]
    pub(crate) fn check(&self, field: &str, problems: &mut Vec<String>) {
        for (name, share) in [("start", self.start), ("end", self.end)] {
            if !(0.0..=1.0).contains(&share) {
                problems.push(format!("`{field}.{name}`: {share}, it must be 0 to 1"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fact_59_epsilon_falls_in_a_line_and_stays() {
        let epsilon = Epsilon { start: 1.0, end: 0.05, steps: 200_000 };
        for (step, expected) in [(0, 1.0), (100_000, 0.525), (200_000, 0.05), (900_000, 0.05)] {
            assert!((epsilon.at(step) - expected).abs() < 1e-12, "step {step}");
        }
    }
}
