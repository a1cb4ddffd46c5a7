//! Advantages of logged rows: GiGPO, GRPO, RLOO and GAE on the same rows.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::grouping::{Grouping, Partition};
use super::rows::Rows;

/// What keeps a standard deviation of 0 from being divided by (the reference's `epsilon`).
const EPSILON: f64 = 1e-6;

/// How an advantage is made from returns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Method {
    /// `A = A_episode + omega * A_step` (Eq. 8).
    Gigpo {
        /// Weight of the step level, at least 0; the authors' scripts use 1.
        omega: f64,
    },
    /// The episode level alone: GiGPO with `omega: 0`, to the bit.
    Grpo,
    /// REINFORCE leave-one-out: the score minus the mean score of the others. Never divided by a deviation,
    /// so it goes with any [`Normalisation`] and ignores it.
    Rloo,
    /// Generalised advantage estimation along each trajectory, which ends in a terminal state; needs a
    /// `value` in every row.
    Gae {
        /// Mixes one-step and Monte-Carlo errors, in `[0, 1]`.
        lambda: f64,
    },
    /// What the reference's PPO does with rows: GAE inside each row only with gamma = lambda = 1, so the
    /// score minus the `value`, then whitened over all rows. No bootstrapping between steps.
    RowGae,
}

/// `F` of Eq. 3 and 7, for both levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Normalisation {
    /// `(x - mean) / (std + 1e-6)`, with the unbiased standard deviation.
    #[default]
    Std,
    /// `x - mean`: F = 1.
    Mean,
    /// `x` minus the mean of the others: F = 1 times `n / (n - 1)`. At the step level this factor differs
    /// between anchor groups. (A mode that the reference had until 2025-04-24.)
    LeaveOneOut,
}

/// Which entries make up the episode statistics of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statistics {
    /// Every row, so that a trajectory counts as often as it has steps: the reference's default
    /// (`compute_mean_std_cross_steps`).
    #[default]
    Rows,
    /// Every trajectory once, by its first row: Eq. 3. (Rows of one trajectory differ in score only where an
    /// invalid action was penalised; each row is normalised by its own score.)
    Trajectories,
    /// Every trajectory once, by the mean score of its rows, which is then the score of each of them
    /// (`DrMAS`).
    TrajectoryMeans,
}

/// The episode advantage in a group with a single entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoneGroup {
    /// The score itself, neither centred nor scaled (but for `1 / (1 + 1e-6)` under
    /// [`Normalisation::Std`]): the reference.
    #[default]
    Raw,
    /// 0, as Eq. 3 gives.
    Zero,
}

/// An advantage estimator with its settings. The defaults are those of the authors' scripts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Estimator {
    /// What is estimated.
    pub method: Method,
    /// `F`, for both levels.
    pub normalisation: Normalisation,
    /// What the episode statistics are made of.
    pub statistics: Statistics,
    /// What happens to a group with a single entry.
    pub lone_group: LoneGroup,
    /// Discount of step returns, in `[0, 1]`; episode scores are never discounted.
    pub gamma: f64,
    /// Subtracted from an invalid row's own score and own step return; not from those of earlier steps.
    pub invalid_penalty: f64,
}

impl Default for Estimator {
    fn default() -> Self {
        Self {
            method: Method::Gigpo { omega: 1.0 },
            normalisation: Normalisation::Std,
            statistics: Statistics::Rows,
            lone_group: LoneGroup::Raw,
            gamma: 0.95,
            invalid_penalty: 0.1,
        }
    }
}

/// Why advantages cannot be estimated.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum AdvantageError {
    /// A setting is out of its range.
    #[error("{name} is {number}, and has to be {range}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What it is.
        number: f64,
        /// What it may be.
        range: &'static str,
    },
    /// The method needs a critic's values, and a row has none.
    #[error("row {row} has no `value`, which this method needs in every row")]
    NoValue {
        /// The row, counted from 0.
        row: usize,
    },
}

/// Advantages, `[rows]` each, in the order of the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advantages {
    /// `A_episode`, Eq. 3; 0 for GAE.
    pub episode: Vec<f64>,
    /// `A_step`, Eq. 7, before it is weighed by omega; 0 for methods without a step level.
    pub step: Vec<f64>,
    /// What a policy is trained with.
    pub advantage: Vec<f64>,
    /// The discounted return from this step on, Eq. 5, less this row's own penalty; for GAE the value's
    /// target.
    pub returns: Vec<f64>,
}

impl Estimator {
    /// Checks the settings.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn check(&self) -> Result<(), AdvantageError> {
        let fraction = |name, number: f64| {
            let fits = (0.0..=1.0).contains(&number);
            if fits { Ok(()) } else { out_of_range(name, number, "between 0 and 1") }
        };
        let positive = |name, number: f64| {
            let fits = number.is_finite() && number >= 0.0;
            if fits { Ok(()) } else { out_of_range(name, number, "a finite number of at least 0") }
        };
        fraction("gamma", self.gamma)?;
        positive("invalid_penalty", self.invalid_penalty)?;
        match self.method {
            Method::Gigpo { omega } => positive("omega", omega),
            Method::Gae { lambda } => fraction("lambda", lambda),
            Method::Grpo | Method::Rloo | Method::RowGae => Ok(()),
        }
    }

    /// The advantage of every row.
    ///
    /// Sums run in the order of the rows, so the result is the same to the bit for the same rows.
    ///
    /// # Errors
    /// A setting is out of its range, or a `value` is missing.
    pub fn estimate(&self, rows: &Rows, grouping: &Grouping) -> Result<Advantages, AdvantageError> {
        self.check()?;
        let n = rows.len();
        let returns = self.step_returns(rows, &grouping.trajectories);
        let none = || vec![0.0; n];
        Ok(match self.method {
            Method::Gigpo { omega } => {
                let episode = self.episode_level(rows, grouping, self.normalisation);
                let step = self.step_level(&returns, &grouping.anchors);
                // Adding 0 would turn -0 into 0, and GRPO is to be met to the bit.
                let join = |(&e, &s): (&f64, &f64)| if omega == 0.0 { e } else { e + omega * s };
                let advantage = episode.iter().zip(&step).map(join).collect();
                Advantages { episode, step, advantage, returns }
            }
            Method::Grpo | Method::Rloo => {
                let normalisation = match self.method {
                    Method::Rloo => Normalisation::LeaveOneOut,
                    _ => self.normalisation,
                };
                let episode = self.episode_level(rows, grouping, normalisation);
                Advantages { advantage: episode.clone(), episode, step: none(), returns }
            }
            Method::Gae { lambda } => {
                let values = values(rows)?;
                let step = self.gae(rows, &values, &grouping.trajectories, lambda);
                let returns = step.iter().zip(&values).map(|(a, v)| a + v).collect();
                Advantages { episode: none(), advantage: step.clone(), step, returns }
            }
            Method::RowGae => {
                let values = values(rows)?;
                let scores = self.scores(rows, &grouping.trajectories);
                let errors: Vec<f64> = scores.iter().zip(&values).map(|(s, v)| s - v).collect();
                let all = Partition { of: vec![0; n], parts: 1 };
                let moments = Moments::of(&errors, &all);
                let whiten = |&x: &f64| (x - moments.mean[0]) / (moments.std[0] + EPSILON);
                let advantage: Vec<f64> = errors.iter().map(whiten).collect();
                Advantages { episode: none(), step: advantage.clone(), advantage, returns: scores }
            }
        })
    }

    fn penalty(&self, rows: &Rows, row: usize) -> f64 {
        if rows.invalid[row] { self.invalid_penalty } else { 0.0 }
    }

    /// Discounted returns (Eq. 5), each less its own row's penalty.
    fn step_returns(&self, rows: &Rows, trajectories: &Partition) -> Vec<f64> {
        let mut returns = vec![0.0; rows.len()];
        let mut later = vec![0.0; trajectories.parts];
        for row in (0..rows.len()).rev() {
            let later = &mut later[trajectories.of[row] as usize];
            *later = rows.rewards[row] + self.gamma * *later;
            returns[row] = *later - self.penalty(rows, row);
        }
        returns
    }

    /// Undiscounted returns of whole trajectories, each row's less its own penalty.
    fn scores(&self, rows: &Rows, trajectories: &Partition) -> Vec<f64> {
        let mut totals = vec![0.0; trajectories.parts];
        for (&trajectory, reward) in trajectories.of.iter().zip(&rows.rewards) {
            totals[trajectory as usize] += reward;
        }
        let score = |(row, &trajectory): (usize, &u32)| {
            totals[trajectory as usize] - self.penalty(rows, row)
        };
        trajectories.of.iter().enumerate().map(score).collect()
    }

    fn episode_level(
        &self,
        rows: &Rows,
        grouping: &Grouping,
        normalisation: Normalisation,
    ) -> Vec<f64> {
        let (groups, trajectories) = (&grouping.groups, &grouping.trajectories);
        let mut scores = self.scores(rows, trajectories);
        if self.statistics == Statistics::TrajectoryMeans {
            let means = Moments::of(&scores, trajectories).mean;
            for (score, &trajectory) in scores.iter_mut().zip(&trajectories.of) {
                *score = means[trajectory as usize];
            }
        }
        let moments = if self.statistics == Statistics::Rows {
            Moments::of(&scores, groups)
        } else {
            let mut seen = vec![false; trajectories.parts];
            let first =
                |&row: &usize| !std::mem::replace(&mut seen[trajectories.of[row] as usize], true);
            let firsts: Vec<usize> = (0..rows.len()).filter(first).collect();
            let of = firsts.iter().map(|&row| groups.of[row]).collect();
            let entries: Vec<f64> = firsts.iter().map(|&row| scores[row]).collect();
            Moments::of(&entries, &Partition { of, parts: groups.parts })
        };
        let lone = |score: f64| match (self.lone_group, normalisation) {
            (LoneGroup::Zero, _) => 0.0,
            (LoneGroup::Raw, Normalisation::Std) => score / (1.0 + EPSILON),
            (LoneGroup::Raw, _) => score,
        };
        moments.normalise(&scores, groups, normalisation, lone)
    }

    /// Step level (Eq. 7): each return against its anchor group; 0 for a state that was seen once.
    fn step_level(&self, returns: &[f64], anchors: &Partition) -> Vec<f64> {
        Moments::of(returns, anchors).normalise(returns, anchors, self.normalisation, |_| 0.0)
    }

    fn gae(&self, rows: &Rows, values: &[f64], of: &Partition, lambda: f64) -> Vec<f64> {
        let mut advantages = vec![0.0; rows.len()];
        // Value and advantage of the next step; behind the last one there is nothing.
        let mut next = vec![(0.0, 0.0); of.parts];
        for row in (0..rows.len()).rev() {
            let (next_value, next_advantage) = next[of.of[row] as usize];
            let reward = rows.rewards[row] - self.penalty(rows, row);
            let error = reward + self.gamma * next_value - values[row];
            advantages[row] = error + self.gamma * lambda * next_advantage;
            next[of.of[row] as usize] = (values[row], advantages[row]);
        }
        advantages
    }
}

fn out_of_range<T>(
    name: &'static str,
    number: f64,
    range: &'static str,
) -> Result<T, AdvantageError> {
    Err(AdvantageError::OutOfRange { name, number, range })
}

fn values(rows: &Rows) -> Result<Vec<f64>, AdvantageError> {
    let value = |(row, value): (usize, &Option<f64>)| value.ok_or(AdvantageError::NoValue { row });
    rows.values.iter().enumerate().map(value).collect()
}

/// Mean, unbiased standard deviation and number of entries of every part.
struct Moments {
    mean: Vec<f64>,
    std: Vec<f64>,
    count: Vec<f64>,
}

impl Moments {
    fn of(entries: &[f64], partition: &Partition) -> Self {
        let (mut mean, mut std) = (vec![0.0; partition.parts], vec![0.0; partition.parts]);
        let mut count = vec![0.0; partition.parts];
        let parts = || partition.of.iter().map(|&part| part as usize).zip(entries);
        for (part, entry) in parts() {
            mean[part] += entry;
            count[part] += 1.0;
        }
        for (mean, count) in mean.iter_mut().zip(&count) {
            *mean /= count;
        }
        // A second pass, because a sum of squares would cancel.
        for (part, entry) in parts() {
            std[part] += (entry - mean[part]) * (entry - mean[part]);
        }
        for (std, count) in std.iter_mut().zip(&count) {
            *std = if *count > 1.0 { (*std / (count - 1.0)).sqrt() } else { 0.0 };
        }
        Self { mean, std, count }
    }

    /// Every entry relative to its part; `lone` says what becomes of an entry that is alone.
    fn normalise(
        &self,
        entries: &[f64],
        partition: &Partition,
        normalisation: Normalisation,
        lone: impl Fn(f64) -> f64,
    ) -> Vec<f64> {
        let relative = |(&entry, &part): (&f64, &u32)| {
            let part = part as usize;
            let (mean, count) = (self.mean[part], self.count[part]);
            if count <= 1.0 {
                return lone(entry);
            }
            match normalisation {
                Normalisation::Std => (entry - mean) / (self.std[part] + EPSILON),
                Normalisation::Mean => entry - mean,
                Normalisation::LeaveOneOut => (entry - mean) * (count / (count - 1.0)),
            }
        };
        entries.iter().zip(&partition.of).map(relative).collect()
    }
}
