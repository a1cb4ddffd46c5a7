//! The first episodes of an evaluation, as actions: played again they are those episodes, for a lane depends on nothing
//! but the seed, its number and its actions.

use gambol_envs::batch::{Actions, End};
use serde::{Deserialize, Serialize};

/// Episodes that an evaluation keeps.
const EPISODES: u64 = 8;

/// Steps of one lane that are kept; an episode that is longer is cut.
const STEPS: usize = 10_000;

/// Version of the file's form.
pub(super) const FORMAT: u32 = 1;

/// `replay.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tape {
    /// Version of the form, `FORMAT`.
    pub(super) format: u32,
    /// Environment steps of training before the evaluation.
    pub(super) step: u64,
    pub(super) reels: Vec<Reel>,
}

/// What was done in one lane from its first episode on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reel {
    /// Global number of the lane.
    pub(super) lane: u32,
    /// How its episodes ended, in order.
    pub(super) episodes: Vec<Ending>,
    pub(super) actions: Steps,
}

/// Actions, one row a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Steps {
    /// `[steps][agents]`.
    Discrete(Vec<Vec<u16>>),
    /// `[steps][agents * dimension]`; `f64` holds every `f32` as it is.
    Continuous(Vec<Vec<f64>>),
}

impl Steps {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Discrete(steps) => steps.len(),
            Self::Continuous(steps) => steps.len(),
        }
    }
}

/// How an episode ended, by which a replay is checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(super) length: u32,
    pub(super) end: How,
    /// Undiscounted, one for each agent.
    pub(super) returns: Vec<f64>,
}

/// How an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum How {
    Terminated,
    Truncated,
    /// The recording stopped before the episode did.
    Cut,
}

impl How {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Terminated => "terminated",
            Self::Truncated => "truncated",
            Self::Cut => "recorded no further",
        }
    }

    pub(super) fn of(end: End) -> Self {
        match end {
            End::Terminated => Self::Terminated,
            End::Truncated => Self::Truncated,
            End::Running => Self::Cut,
        }
    }
}

/// One lane under way.
struct Take {
    reel: Reel,
    /// Episodes that are still wanted.
    wanted: u64,
    length: u32,
    returns: Vec<f64>,
}

/// Films the first lanes of a batch.
pub(crate) struct Camera {
    agents: usize,
    takes: Vec<Take>,
}

impl Camera {
    /// For lanes from `first` on, which will play `quotas` episodes each.
    pub(crate) fn new(first: u32, quotas: &[u64], agents: usize) -> Self {
        let lanes = quotas.iter().take_while(|&&quota| quota > 0).take(EPISODES as usize).count();
        let each = EPISODES / (lanes as u64).max(1);
        let takes = quotas[..lanes].iter().zip(first..).map(|(&quota, lane)| Take {
            reel: Reel { lane, episodes: Vec::new(), actions: Steps::Discrete(Vec::new()) },
            wanted: quota.min(each),
            length: 0,
            returns: vec![0.0; agents],
        });
        Self { agents, takes: takes.collect() }
    }

    /// Keeps one step of the whole batch.
    pub(crate) fn take(&mut self, actions: Actions<'_>, rewards: &[f32], ends: &[End]) {
        for (lane, take) in self.takes.iter_mut().enumerate() {
            if take.wanted == 0 {
                continue;
            }
            let rows = lane * self.agents..(lane + 1) * self.agents;
            match actions {
                Actions::Discrete(actions) => {
                    if let Steps::Discrete(steps) = &mut take.reel.actions {
                        steps.push(actions[rows.clone()].to_vec());
                    }
                }
                Actions::Continuous(actions) => {
                    let size = actions.len() / rewards.len().max(1);
                    let row = &actions[rows.start * size..rows.end * size];
                    let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
                    match &mut take.reel.actions {
                        Steps::Continuous(steps) => steps.push(row),
                        empty @ Steps::Discrete(_) => *empty = Steps::Continuous(vec![row]),
                    }
                }
            }
            take.length += 1;
            for (sum, reward) in take.returns.iter_mut().zip(&rewards[rows]) {
                *sum += f64::from(*reward);
            }
            let long = take.reel.actions.len() >= STEPS;
            if ends[lane].is_over() || long {
                take.end(How::of(ends[lane]));
                take.wanted = if long { 0 } else { take.wanted - 1 };
            }
        }
    }

    /// What was kept; an episode under way is cut.
    pub(crate) fn reels(mut self) -> Vec<Reel> {
        for take in &mut self.takes {
            if take.wanted > 0 && take.length > 0 {
                take.end(How::Cut);
            }
        }
        self.takes.into_iter().map(|take| take.reel).collect()
    }
}

impl Take {
    fn end(&mut self, end: How) {
        let returns = self.returns.clone();
        self.reel.episodes.push(Ending { length: self.length, end, returns });
        self.returns.fill(0.0);
        self.length = 0;
    }
}

impl Tape {
    /// Of an evaluation after so many environment steps of training.
    pub(crate) fn new(step: u64, reels: Vec<Reel>) -> Self {
        Self { format: FORMAT, step, reels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_survives_the_way_to_json_and_back() {
        let mut camera = Camera::new(5, &[2, 2, 0], 2);
        let ends = [End::Running, End::Truncated, End::Running];
        camera.take(Actions::Discrete(&[0, 1, 2, 3, 4, 4]), &[0.5, 0.0, 1.0, 2.0, 9.0, 9.0], &ends);
        camera.take(Actions::Discrete(&[1, 1, 0, 0, 4, 4]), &[0.5, 0.0, 1.0, 2.0, 9.0, 9.0], &ends);
        camera.take(Actions::Discrete(&[1, 1, 0, 0, 4, 4]), &[0.5, 0.0, 1.0, 2.0, 9.0, 9.0], &ends);
        let tape = Tape::new(7, camera.reels());
        let [one, two] = &tape.reels[..] else { panic!("{tape:?}") };
        assert_eq!((one.lane, two.lane), (5, 6));
        assert_eq!(one.episodes, [Ending { length: 3, end: How::Cut, returns: vec![1.5, 0.0] }]);
        // Two episodes were wanted of that lane, so the third is not kept.
        let end = Ending { length: 1, end: How::Truncated, returns: vec![1.0, 2.0] };
        assert_eq!(two.episodes, [end.clone(), end]);
        assert_eq!(two.actions, Steps::Discrete(vec![vec![2, 3], vec![0, 0]]));
        let text = serde_json::to_string(&tape).unwrap();
        assert_eq!(serde_json::from_str::<Tape>(&text).unwrap(), tape);
    }

    #[test]
    fn continuous_actions_keep_every_bit() {
        let mut camera = Camera::new(0, &[1], 1);
        let action = [0.1_f32, -1.0 / 3.0, 1.0];
        camera.take(Actions::Continuous(&action), &[0.0], &[End::Terminated]);
        let text = serde_json::to_string(&Tape::new(0, camera.reels())).unwrap();
        let tape: Tape = serde_json::from_str(&text).unwrap();
        let Steps::Continuous(steps) = &tape.reels[0].actions else { panic!("{text}") };
        let back: Vec<u32> = steps[0].iter().map(|&value| (value as f32).to_bits()).collect();
        assert_eq!(back, action.map(f32::to_bits));
    }
}
