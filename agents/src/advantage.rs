//! How much better a step was than expected: returns and advantages from a fragment of one agent's experience.

use serde::{Deserialize, Serialize};

/// How a step's return is put together from rewards and from the critic's values.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub enum Estimator {
    /// Generalised advantage estimation (Schulman et al. 2016) with this lambda, 0 to 1.
    Gae(f64),
    /// The discounted rewards of so many steps and the value after them, as `EPyMARL` takes it with 5.
    Steps(usize),
}

impl Default for Estimator {
    fn default() -> Self {
        Self::Gae(0.95)
    }
}

impl Estimator {
    /// What the value of each moment should have been, `[steps]`; minus that value it is the advantage.
    ///
    /// `values` are those of all `steps + 1` moments. `ended[t]` is `Some` where an episode ended with step `t`, and
    /// holds what followed: 0, or after a cut the value of the true last observation.
    pub fn returns(
        self,
        gamma: f64,
        rewards: &[f64],
        values: &[f64],
        ended: &[Option<f64>],
        out: &mut [f64],
    ) {
        let steps = rewards.len();
        let next = |t: usize| ended[t].unwrap_or(values[t + 1]);
        match self {
            Self::Gae(lambda) => {
                let mut advantage = 0.0;
                for t in (0..steps).rev() {
                    if ended[t].is_some() {
                        advantage = 0.0;
                    }
                    let error = rewards[t] + gamma * next(t) - values[t];
                    advantage = error + gamma * lambda * advantage;
                    out[t] = advantage + values[t];
                }
            }
            Self::Steps(count) => {
                for (t, out) in out.iter_mut().enumerate().take(steps) {
                    let (mut sum, mut discount, mut at) = (0.0, 1.0, t);
                    loop {
                        sum += discount * rewards[at];
                        discount *= gamma;
                        if ended[at].is_some() || at + 1 == steps || at + 1 == t + count.max(1) {
                            break;
                        }
                        at += 1;
                    }
                    *out = sum + discount * next(at);
                }
            }
        }
    }

    #[cfg_attr(not(feature = "torch"), allow(dead_code, reason = "only learners use it"))]
    pub(crate) fn check(self, field: &str, problems: &mut Vec<String>) {
        match self {
            Self::Gae(lambda) if !(0.0..=1.0).contains(&lambda) => {
                problems.push(format!("`{field}`: Gae({lambda}), it must be 0 to 1"));
            }
            Self::Steps(0) => {
                problems.push(format!("`{field}`: Steps(0), it must be at least 1"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAMMA: f64 = 0.9;
    const REWARDS: [f64; 5] = [1.0, 0.0, 2.0, 0.0, 3.0];
    const VALUES: [f64; 6] = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0];

    fn returns(estimator: Estimator, ended: [Option<f64>; 5]) -> [f64; 5] {
        let mut out = [0.0; 5];
        estimator.returns(GAMMA, &REWARDS, &VALUES, &ended, &mut out);
        out
    }

    fn close(found: [f64; 5], expected: [f64; 5]) {
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
        }
    }

    #[test]
    fn one_step_is_lambda_0_and_all_steps_are_lambda_1() {
        for ended in [[None; 5], [None, Some(0.0), None, Some(7.0), None]] {
            close(returns(Estimator::Steps(1), ended), returns(Estimator::Gae(0.0), ended));
            close(returns(Estimator::Steps(99), ended), returns(Estimator::Gae(1.0), ended));
        }
    }

    #[test]
    fn n_steps_by_hand() {
        // Two steps; step 1 ends the game, step 3 is cut before a value of 7.
        let ended = [None, Some(0.0), None, Some(7.0), None];
        let expected = [1.0, 0.0, 2.0 + 0.81 * 7.0, 0.9 * 7.0, 3.0 + 0.9 * 3.0];
        close(returns(Estimator::Steps(2), ended), expected);
    }

    /// The defining sum over errors, cut at the end of the episode.
    #[test]
    fn gae_by_its_definition() {
        let (lambda, ended) = (0.8, [None, None, Some(0.0), None, None]);
        let error = |t: usize| REWARDS[t] + GAMMA * ended[t].unwrap_or(VALUES[t + 1]) - VALUES[t];
        let sum = |from: usize, to: usize| -> f64 {
            (from..=to).map(|t| (GAMMA * lambda).powi((t - from) as i32) * error(t)).sum()
        };
        let expected = [sum(0, 2), sum(1, 2), sum(2, 2), sum(3, 4), sum(4, 4)];
        let expected = std::array::from_fn(|t| expected[t] + VALUES[t]);
        close(returns(Estimator::Gae(lambda), ended), expected);
    }
}
