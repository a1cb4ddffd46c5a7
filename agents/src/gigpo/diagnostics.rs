//! What to look at before trusting grouped advantages.

use serde::Serialize;

use super::advantage::Advantages;
use super::grouping::Grouping;

/// Bounds of the classes of anchor-group sizes: 1, 2, 3 to 5, 6 to 9, 10 to 49, and more (the paper's
/// Fig. 5 speaks of 10 to 49 and of 50 and more).
const LARGEST: [usize; 5] = [1, 2, 5, 9, 49];

/// Counts and spreads of one batch. Where nearly every anchor group is a singleton, the step level is 0 and
/// GiGPO is GRPO: the key of the states is then too fine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnostics {
    /// Rows.
    pub rows: usize,
    /// Task groups (times agents, where these are apart).
    pub groups: usize,
    /// Trajectories.
    pub trajectories: usize,
    /// Anchor groups.
    pub anchor_groups: usize,
    /// Share of anchor groups with a single row, in `[0, 1]`.
    pub singleton_share: f64,
    /// Mean number of rows in an anchor group.
    pub mean_anchor_size: f64,
    /// Number of anchor groups of the sizes 1, 2, 3 to 5, 6 to 9, 10 to 49, 50 and more.
    pub anchor_sizes: [usize; LARGEST.len() + 1],
    /// Variance of the episode advantages over rows.
    pub episode_variance: f64,
    /// Variance of the step advantages over rows.
    pub step_variance: f64,
    /// Variance of the advantages over rows.
    pub advantage_variance: f64,
}

impl Diagnostics {
    /// Looks at a batch.
    pub fn new(grouping: &Grouping, advantages: &Advantages) -> Self {
        let mut anchor_sizes = [0; LARGEST.len() + 1];
        for size in grouping.anchors.sizes() {
            anchor_sizes[LARGEST.partition_point(|&largest| largest < size)] += 1;
        }
        let (rows, anchors) = (grouping.anchors.of.len(), grouping.anchors.parts);
        Self {
            rows,
            groups: grouping.groups.parts,
            trajectories: grouping.trajectories.parts,
            anchor_groups: anchors,
            singleton_share: share(anchor_sizes[0], anchors),
            mean_anchor_size: share(rows, anchors),
            anchor_sizes,
            episode_variance: variance(&advantages.episode),
            step_variance: variance(&advantages.step),
            advantage_variance: variance(&advantages.advantage),
        }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn variance(numbers: &[f64]) -> f64 {
    let count = numbers.len().max(1) as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    numbers.iter().map(|number| (number - mean) * (number - mean)).sum::<f64>() / count
}
