//! Schedules over the course of training: exploration and the learning rate.

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

    pub(crate) fn check(&self, field: &str, problems: &mut Vec<String>) {
        for (name, share) in [("start", self.start), ("end", self.end)] {
            if !(0.0..=1.0).contains(&share) {
                problems.push(format!("`{field}.{name}`: {share}, it must be 0 to 1"));
            }
        }
    }
}

/// How the learning rate falls in the course of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub enum Decay {
    /// It stays.
    #[default]
    None,
    /// In a line over all environment steps of the run, down to this share of the first rate, 0 to 1.
    /// The last updates then average over many batches, so that the final policy is steadier than those on the way.
    Linear(f64),
}

impl Decay {
    /// The share of the first rate after so many of `total` environment steps; 1 when nothing is known of the total.
    pub fn at(self, step: u64, total: u64) -> f64 {
        match self {
            Self::Linear(last) if total > 0 => {
                let done = step.min(total) as f64 / total as f64;
                1.0 + (last - 1.0) * done
            }
            _ => 1.0,
        }
    }

    pub(crate) fn check(self, field: &str, problems: &mut Vec<String>) {
        if let Self::Linear(last) = self
            && !(0.0..=1.0).contains(&last)
        {
            problems.push(format!("`{field}`: Linear({last}), it must be 0 to 1"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_in_a_line_over_the_run_and_stays() {
        let decay = Decay::Linear(0.1);
        for (step, expected) in [(0, 1.0), (50, 0.55), (100, 0.1), (116, 0.1)] {
            assert!((decay.at(step, 100) - expected).abs() < 1e-12, "step {step}");
        }
        for share in [Decay::None.at(70, 100), decay.at(70, 0)] {
            assert!((share - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn fact_59_epsilon_falls_in_a_line_and_stays() {
        let epsilon = Epsilon { start: 1.0, end: 0.05, steps: 200_000 };
        for (step, expected) in [(0, 1.0), (100_000, 0.525), (200_000, 0.05), (900_000, 0.05)] {
            assert!((epsilon.at(step) - expected).abs() < 1e-12, "step {step}");
        }
    }
}
