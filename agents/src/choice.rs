//! From values to actions: greedy, epsilon-greedy and softmax, with our own generator.

use gambol_envs::seed::{below, unit_f64};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::policy::PolicyError;

/// How an action is chosen from one value for each action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub enum Choice {
    /// The largest value; the first of equals.
    #[default]
    Greedy,
    /// With this probability any allowed action, all alike; else the largest value.
    EpsilonGreedy(f64),
    /// In proportion to the exponential of the value, which is then a logit.
    Softmax,
}

impl Choice {
    /// From the logits of a policy: drawn, or the most probable one.
    #[cfg(feature = "torch")]
    pub(crate) fn by_policy(greedy: bool) -> Self {
        if greedy { Self::Greedy } else { Self::Softmax }
    }

    /// Chooses one action for a row. `mask` may be empty: then everything is allowed.
    ///
    /// # Errors
    /// [`PolicyError::NotFinite`] when a value is not a finite number, [`PolicyError::NoAction`] when the mask allows
    /// nothing.
    pub(crate) fn choose(
        self,
        rng: &mut ChaCha8Rng,
        values: &[f32],
        mask: &[bool],
        row: usize,
    ) -> Result<u16, PolicyError> {
        let best = argmax(values, mask, row)?;
        match self {
            Self::Greedy => Ok(best),
            Self::EpsilonGreedy(epsilon) => {
                if unit_f64(rng) >= epsilon {
                    Ok(best)
                } else if mask.is_empty() {
                    Ok(below(rng, values.len() as u32) as u16)
                } else {
                    draw_allowed(rng, mask, row)
                }
            }
            Self::Softmax => {
                let top = f64::from(values[best as usize]);
                let weight = |(action, value): (usize, &f32)| {
                    if mask.is_empty() || mask[action] {
                        libm::exp(f64::from(*value) - top)
                    } else {
                        0.0
                    }
                };
                let mut left = unit_f64(rng) * values.iter().enumerate().map(weight).sum::<f64>();
                for (action, value) in values.iter().enumerate() {
                    let own = weight((action, value));
                    if left < own {
                        return Ok(action as u16);
                    }
                    left -= own;
                }
                // Rounding may leave a crumb at the end.
                Ok(best)
            }
        }
    }
}

/// The allowed action of the largest value; the first of equals. An empty mask allows everything.
///
/// # Errors
/// As [`Choice::choose`].
pub(crate) fn argmax(values: &[f32], mask: &[bool], row: usize) -> Result<u16, PolicyError> {
    let mut best = None;
    for (action, &value) in values.iter().enumerate() {
        if !value.is_finite() {
            return Err(PolicyError::NotFinite { what: "the value of an action", row, value });
        }
        if (mask.is_empty() || mask[action]) && best.is_none_or(|(_, most)| value > most) {
            best = Some((action as u16, value));
        }
    }
    best.map(|(action, _)| action).ok_or(PolicyError::NoAction { row })
}

/// Draws one of the actions that a mask row allows, all alike.
///
/// # Errors
/// [`PolicyError::NoAction`] when it allows none.
pub fn draw_allowed(rng: &mut ChaCha8Rng, mask: &[bool], row: usize) -> Result<u16, PolicyError> {
    let allowed = mask.iter().filter(|&&allowed| allowed).count() as u32;
    if allowed == 0 {
        return Err(PolicyError::NoAction { row });
    }
    let chosen = below(rng, allowed) as usize;
    let mut open = mask.iter().enumerate().filter(|(_, allowed)| **allowed);
    open.nth(chosen).map(|(action, _)| action as u16).ok_or(PolicyError::NoAction { row })
}

#[cfg(test)]
mod tests {
    use gambol_envs::seed::{Purpose, Streams};

    use super::*;

    fn rng() -> ChaCha8Rng {
        Streams::new(1).at(Purpose::Explore, 0, 0)
    }

    #[test]
    fn greedy_takes_the_first_of_equals_among_the_allowed() {
        let values = [1.0, 3.0, 3.0, 5.0];
        assert_eq!(argmax(&values, &[], 0).unwrap(), 3);
        assert_eq!(argmax(&values, &[true, true, true, false], 0).unwrap(), 1);
        assert!(matches!(argmax(&values, &[false; 4], 7), Err(PolicyError::NoAction { row: 7 })));
        let error = argmax(&[0.0, f32::NAN], &[], 4).unwrap_err();
        assert_eq!(error.to_string(), "the value of an action of row 4 is NaN");
    }

    fn frequencies(choice: Choice, values: &[f32], mask: &[bool]) -> Vec<f64> {
        let (mut rng, mut counts) = (rng(), vec![0_u32; values.len()]);
        for _ in 0..40_000 {
            counts[choice.choose(&mut rng, values, mask, 0).unwrap() as usize] += 1;
        }
        counts.into_iter().map(|count| f64::from(count) / 40_000.0).collect()
    }

    /// Four standard errors of a share near one half.
    const CLOSE: f64 = 0.01;

    #[test]
    fn epsilon_greedy_and_softmax_have_their_frequencies() {
        let check = |found: Vec<f64>, expected: &[f64]| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < CLOSE, "{found} instead of {expected}");
            }
        };
        let mask = [true, true, false];
        check(frequencies(Choice::EpsilonGreedy(0.3), &[0.0, 1.0, 9.0], &mask), &[0.15, 0.85, 0.0]);
        check(frequencies(Choice::EpsilonGreedy(0.3), &[0.0, 1.0, 9.0], &[]), &[0.1, 0.1, 0.8]);
        // Logits ln 1, ln 3, and a masked one.
        let logits = [0.0, 1.098_612_3, 4.0];
        check(frequencies(Choice::Softmax, &logits, &mask), &[0.25, 0.75, 0.0]);
        // Large logits neither overflow nor lose the order.
        check(frequencies(Choice::Softmax, &[500.0, 500.0, -500.0], &[]), &[0.5, 0.5, 0.0]);
    }
}
