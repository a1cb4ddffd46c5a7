//! Running mean and variance.

/// Mean and variance of everything seen, merged batch by batch.
///
/// Reference: `EPyMARL`'s `RunningMeanStd` (Chan et al. 1979): it begins with mean 0, variance 1 and a count of 1e-4,
/// and the variance of a batch is the unbiased one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Running {
    mean: f64,
    variance: f64,
    count: f64,
}

impl Default for Running {
    fn default() -> Self {
        Self { mean: 0.0, variance: 1.0, count: 1e-4 }
    }
}

impl Running {
    pub(crate) fn merge(&mut self, values: &[f32]) {
        let count = values.len() as f64;
        if count < 2.0 {
            return;
        }
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        let squares = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
        let variance = squares / (count - 1.0);
        let (delta, total) = (mean - self.mean, self.count + count);
        let squares = self.variance * self.count
            + variance * count
            + delta * delta * self.count * count / total;
        self.mean += delta * count / total;
        self.variance = squares / total;
        self.count = total;
    }

    pub(crate) fn apply(&self, values: &mut [f32]) {
        let deviation = self.variance.sqrt();
        for value in values {
            *value = ((f64::from(*value) - self.mean) / deviation) as f32;
        }
    }

    pub(crate) fn numbers(&self) -> Vec<f64> {
        vec![self.mean, self.variance, self.count]
    }

    pub(crate) fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let &[mean, variance, count] = numbers else { return None };
        Some(Self { mean, variance, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches are large: the unbiased variance of a batch of n weighs n here, so that the merged one is too large by
    /// a share of 1 / (n - 1).
    #[test]
    fn fact_60_merged_batches_are_the_pooled_numbers() {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0
        };
        let (mut running, mut all) = (Running::default(), Vec::new());
        for batch in 0..200 {
            let values: Vec<f32> = (0..2_000 + 10 * batch).map(|_| next() * 3.0 - 1.0).collect();
            running.merge(&values);
            all.extend(values.iter().map(|&value| f64::from(value)));
        }
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>()
            / (all.len() - 1) as f64;
        assert!((running.mean - mean).abs() < 1e-3);
        assert!((running.variance - variance).abs() < 1e-3);
        let mut values = vec![mean as f32, (mean + variance.sqrt()) as f32];
        running.apply(&mut values);
        assert!(values[0].abs() < 1e-2 && (values[1] - 1.0).abs() < 1e-2);
    }

    /// By hand: 1e-4 observations of mean 0 and variance 1, then {1, 3}: mean 2, unbiased variance 2.
    #[test]
    fn fact_60_one_batch_by_hand() {
        let mut running = Running::default();
        running.merge(&[1.0, 3.0]);
        let total = 2.0001;
        assert!((running.mean - 2.0 * 2.0 / total).abs() < 1e-12);
        assert!((running.variance - (1e-4 + 4.0 + 4.0 * 1e-4 * 2.0 / total) / total).abs() < 1e-12);
    }
}
