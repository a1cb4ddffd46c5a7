//! What learners share that move a policy along its gradient: the rows of a rollout as tensors, the probabilities of
//! what was done, and passes through the rows in a drawn order.

use gambol_envs::batch::Actions;
use gambol_envs::seed::{Purpose, Streams, below};
use tch::{Kind, TchError, Tensor, no_grad};

use super::layers::Window;
use super::parameters::Layout;
use super::{upload, upload_indices};
use crate::learner::LearnError;
use crate::replay::FORBIDDEN;
use crate::rollout::Rollout;

/// `[agents, rows, width]`: `part(row, agent)` for each, with the agent's number behind it where the networks are told.
pub(super) fn inputs<'a>(
    agents: usize,
    rows: usize,
    identify: bool,
    device: tch::Device,
    part: impl Fn(usize, usize) -> &'a [f32],
) -> Result<Tensor, TchError> {
    let mut all = Vec::new();
    for agent in 0..agents {
        for row in 0..rows {
            all.extend_from_slice(part(row, agent));
            if identify {
                all.extend((0..agents).map(|other| if other == agent { 1.0 } else { 0.0 }));
            }
        }
    }
    upload(&all, &[agents as i64, rows as i64, -1], device)
}

/// Numbers `0..count`, shuffled by the streams, whatever libtorch's own generator would do.
pub(super) fn shuffled(streams: Streams, count: usize, updates: u64) -> Vec<i64> {
    // Every pass has an address of its own, so that a checkpoint need not hold a position.
    let mut rng = streams.at(Purpose::Learn, 0, updates as u32);
    let mut order: Vec<i64> = (0..count as i64).collect();
    for at in (1..count).rev() {
        order.swap(at, below(&mut rng, at as u32 + 1) as usize);
    }
    order
}

/// What was done in some rows of a rollout; the agent is the slowest index. A row's number is `step * envs + env`.
#[derive(Debug)]
pub(super) struct Deeds {
    /// `[agents, rows, ..]`: what the policy saw.
    pub(super) observations: Tensor,
    /// `[agents, rows, actions]`: 0 for an allowed action, else [`FORBIDDEN`]; `None` where masks do not count.
    masks: Option<Tensor>,
    /// `[agents, rows, 1]`.
    taken: Tensor,
    /// `[agents, rows]`: logarithm of the probability that the action had.
    pub(super) before: Tensor,
    /// How the rows of recurrent agents hang together.
    pub(super) window: Window,
}

impl Deeds {
    /// The rows of these numbers, seen as `observations`. The policy that did them has these parameters.
    pub(super) fn new(
        rollout: &Rollout,
        rows: &[usize],
        observations: Tensor,
        window: Window,
        masked: bool,
        (layout, tensors): (&Layout, &[Tensor]),
    ) -> Result<Self, LearnError> {
        let Rollout { agents, mask: actions, .. } = *rollout;
        let device = observations.device();
        let mut taken = vec![0; agents * rows.len()];
        let mut steps = Vec::with_capacity(rollout.steps);
        for t in 0..rollout.steps {
            let Actions::Discrete(step) = rollout.actions_at(t) else {
                return Err(LearnError::Other("the rollout has continuous actions".to_owned()));
            };
            steps.push(step);
        }
        for (at, &row) in rows.iter().enumerate() {
            let (step, env) = (row / rollout.envs, row % rollout.envs);
            for agent in 0..agents {
                taken[agent * rows.len() + at] = i64::from(steps[step][env * agents + agent]);
            }
        }
        let shape = [agents as i64, rows.len() as i64];
        let mut masks = None;
        if masked {
            let mut all = Vec::with_capacity(agents * rows.len() * actions);
            for agent in 0..agents {
                for &row in rows {
                    let open = &rollout.masks[(row * agents + agent) * actions..][..actions];
                    all.extend(open.iter().map(|&open| if open { 0.0 } else { FORBIDDEN }));
                }
            }
            masks = Some(upload(&all, &[shape[0], shape[1], actions as i64], device)?);
        }
        let taken = upload_indices(&taken, &[shape[0], shape[1], 1], device)?;
        let mut deeds = Self { observations, masks, taken, before: Tensor::new(), window };
        deeds.before = no_grad(|| deeds.log_taken(&deeds.log_probabilities(layout, tensors)?))?;
        Ok(deeds)
    }

    /// The rows of these numbers; with memory they are those of the numbered lanes.
    pub(super) fn part(&self, rows: &Tensor, lanes: &Tensor) -> Result<Self, TchError> {
        let part = |tensor: &Tensor| tensor.f_index_select(1, rows);
        Ok(Self {
            observations: part(&self.observations)?,
            masks: self.masks.as_ref().map(part).transpose()?,
            taken: part(&self.taken)?,
            before: part(&self.before)?,
            window: self.window.part(lanes)?,
        })
    }

    /// Logarithms of all actions' probabilities by the first network of these, `[agents, rows, actions]`.
    pub(super) fn log_probabilities(
        &self,
        layout: &Layout,
        tensors: &[Tensor],
    ) -> Result<Tensor, TchError> {
        let (logits, _) = layout.network(0, tensors).unroll(&self.observations, &self.window)?;
        let logits = match &self.masks {
            Some(masks) => logits.f_add(masks)?,
            None => logits,
        };
        logits.f_log_softmax(-1, Kind::Float)
    }

    /// Of all actions' logarithms those of what was done, `[agents, rows]`.
    pub(super) fn log_taken(&self, all: &Tensor) -> Result<Tensor, TchError> {
        all.f_gather(-1, &self.taken, false)?.f_squeeze_dim(-1)
    }
}

/// Entropy of each row's policy in nats, `[agents, rows]`, from the logarithms of all actions' probabilities.
pub(super) fn entropies(all: &Tensor) -> Result<Tensor, TchError> {
    let surprise = all.f_exp()?.f_mul(all)?;
    surprise.f_sum_dim_intlist(&[-1_i64][..], false, Kind::Float)?.f_neg()
}

/// The parts of one pass through `count` things in a drawn order, as tensors of row numbers and of lane numbers.
/// Without memory the things are rows, and stand for both; with it they are lanes of `steps` rows each.
pub(super) fn parts(
    streams: Streams,
    count: usize,
    steps: Option<usize>,
    minibatches: usize,
    updates: u64,
    device: tch::Device,
) -> Result<Vec<(Tensor, Tensor)>, TchError> {
    let order = shuffled(streams, count, updates);
    let size = count.div_ceil(minibatches).max(1);
    let part = |part: &[i64]| {
        let lanes = upload_indices(part, &[part.len() as i64], device)?;
        let Some(steps) = steps else {
            return Ok((lanes.shallow_clone(), lanes));
        };
        let first = (0..steps as i64).map(|step| step * count as i64);
        let rows: Vec<i64> =
            first.flat_map(|first| part.iter().map(move |lane| first + lane)).collect();
        Ok((upload_indices(&rows, &[rows.len() as i64], device)?, lanes))
    };
    order.chunks(size).map(part).collect()
}
