//! All parameters of a learner as one flat tensor, and Adam on it.
//!
//! One tensor means one call for each step of the optimiser, for the gradient's norm, for a target copy and for a
//! checkpoint, however many layers there are; the layers are views into it.

use gambol_envs::seed::unit_f64;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, TchError, Tensor, no_grad};

use super::{download, upload};
use crate::learner::{Checkpoint, LearnError};
use crate::mlp::Activation;
use crate::network::Form;

/// Draws first parameters: uniform within one over the root of the layer's inputs, weights and biases alike, which is
/// what `PyTorch` does for dense layers.
pub(crate) fn first_parameters(form: &Form, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut flat = Vec::with_capacity(form.size());
    for parameter in form.parameters() {
        let bound = 1.0 / (parameter.fan_in.max(1) as f64).sqrt();
        flat.extend((0..parameter.size()).map(|_| ((2.0 * unit_f64(rng) - 1.0) * bound) as f32));
    }
    flat
}

/// Where the networks of a learner lie in its flat tensor.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    forms: Vec<Form>,
    sizes: Vec<i64>,
    shapes: Vec<Vec<i64>>,
    /// For each form, its first tensor and the one behind its last.
    ranges: Vec<(usize, usize)>,
}

/// Weights and biases of one network, as views into the flat tensor.
pub(crate) struct Layers<'a> {
    form: &'a Form,
    tensors: &'a [Tensor],
}

impl Layout {
    pub(crate) fn new(forms: Vec<Form>) -> Self {
        let (mut sizes, mut shapes, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
        for form in &forms {
            let first = sizes.len();
            for parameter in form.parameters() {
                sizes.push(parameter.size() as i64);
                shapes.push(parameter.shape.iter().map(|&length| length as i64).collect());
            }
            ranges.push((first, sizes.len()));
        }
        Self { forms, sizes, shapes, ranges }
    }

    /// Views of all tensors. Its gradient is one concatenation.
    pub(crate) fn split(&self, flat: &Tensor) -> Result<Vec<Tensor>, TchError> {
        let parts = flat.f_split_with_sizes(&self.sizes[..], 0)?;
        parts.iter().zip(&self.shapes).map(|(part, shape)| part.f_view(&shape[..])).collect()
    }

    /// One network's part of what [`split`](Self::split) gave.
    pub(crate) fn network<'a>(&'a self, number: usize, tensors: &'a [Tensor]) -> Layers<'a> {
        let (from, to) = self.ranges[number];
        Layers { form: &self.forms[number], tensors: &tensors[from..to] }
    }
}

impl Layers<'_> {
    /// `x` is `[sets, rows, inputs]`; gives `[sets, rows, outputs]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        let mut present = x.shallow_clone();
        let layers = self.tensors.len() / 2;
        for (layer, pair) in self.tensors.chunks_exact(2).enumerate() {
            let (weight, bias) = (&pair[0], &pair[1]);
            present = if self.form.sets == 1 {
                present.f_linear(weight, Some(bias))?
            } else {
                bias.f_unsqueeze(1)?.f_baddbmm(&present, &weight.f_transpose(1, 2)?, 1.0, 1.0)?
            };
            if layer + 1 < layers {
                present = match self.form.activation {
                    Activation::Relu => present.f_relu()?,
                    Activation::Tanh => present.f_tanh()?,
                };
            }
        }
        Ok(present)
    }
}

/// Adam (Kingma and Ba 2015) with `PyTorch`'s defaults, after cutting the gradient to a largest norm.
#[derive(Debug)]
pub(crate) struct Adam {
    /// Learning rate of the next step.
    pub(crate) rate: f64,
    clip: Option<f64>,
    epsilon: f64,
    mean: Tensor,
    square: Tensor,
    steps: i64,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;

impl Adam {
    pub(crate) fn new(
        flat: &Tensor,
        rate: f64,
        clip: Option<f64>,
        epsilon: f64,
    ) -> Result<Self, TchError> {
        let zero = || flat.f_detach()?.f_zeros_like();
        Ok(Self { rate, clip, epsilon, mean: zero()?, square: zero()?, steps: 0 })
    }

    /// One step down the gradient of `loss`; returns the gradient's norm before it was cut.
    ///
    /// # Errors
    /// [`LearnError::NotFinite`] before anything is changed.
    pub(crate) fn step(
        &mut self,
        flat: &mut Tensor,
        loss: &Tensor,
        update: u64,
    ) -> Result<(f64, f64), LearnError> {
        let gradient = Tensor::f_run_backward(&[loss], &[&*flat], false, false)?;
        let gradient = &gradient[0];
        let value = loss.f_double_value(&[])?;
        let norm = gradient.f_norm()?.f_double_value(&[])?;
        for (what, value) in [("the loss", value), ("the gradient's norm", norm)] {
            if !value.is_finite() {
                return Err(LearnError::NotFinite { what, value, update });
            }
        }
        let scale = self.clip.map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0));
        self.steps += 1;
        no_grad(|| -> Result<(), TchError> {
            let gradient =
                if scale < 1.0 { gradient.f_mul_scalar(scale)? } else { gradient.shallow_clone() };
            let _ = self.mean.f_lerp_(&gradient, 1.0 - BETA_1)?;
            let squared = gradient.f_square()?;
            let _ = self.square.f_lerp_(&squared, 1.0 - BETA_2)?;
            let power = |beta: f64| 1.0 - libm::pow(beta, self.steps as f64);
            let mut below = self.square.f_sqrt()?;
            let _ = below.f_div_scalar_(power(BETA_2).sqrt())?;
            let _ = below.f_add_scalar_(self.epsilon)?;
            let mut change = self.mean.f_div(&below)?;
            let _ = change.f_mul_scalar_(self.rate / power(BETA_1))?;
            let _ = flat.f_sub_(&change)?;
            Ok(())
        })?;
        Ok((value, norm))
    }

    pub(crate) fn save(&self, prefix: &str, checkpoint: &mut Checkpoint) -> Result<(), LearnError> {
        for (name, tensor) in [("mean", &self.mean), ("square", &self.square)] {
            let values = download(tensor)?;
            checkpoint.put_f32(format!("{prefix}.{name}"), &[values.len()], values);
        }
        checkpoint.put_i64(format!("{prefix}.steps"), vec![self.steps]);
        Ok(())
    }

    pub(crate) fn load(&self, prefix: &str, checkpoint: &Checkpoint) -> Result<Self, LearnError> {
        let size = self.mean.numel();
        let read = |name: &str| -> Result<Tensor, LearnError> {
            let values = checkpoint.f32(&format!("{prefix}.{name}"), &[size])?;
            Ok(upload(values, &[size as i64], self.mean.device())?)
        };
        let &[steps] = checkpoint.i64(&format!("{prefix}.steps"))? else {
            return Err(LearnError::Checkpoint(format!("`{prefix}.steps` must have one entry")));
        };
        let Self { rate, clip, epsilon, .. } = *self;
        Ok(Self { rate, clip, epsilon, mean: read("mean")?, square: read("square")?, steps })
    }

    /// A copy that shares nothing.
    pub(crate) fn duplicate(&self) -> Result<Self, TchError> {
        let Self { rate, clip, epsilon, steps, .. } = *self;
        Ok(Self {
            rate,
            clip,
            epsilon,
            mean: copy(&self.mean)?,
            square: copy(&self.square)?,
            steps,
        })
    }
}

/// A copy that shares nothing and has no gradient.
pub(crate) fn copy(tensor: &Tensor) -> Result<Tensor, TchError> {
    let source = tensor.f_detach()?;
    let mut fresh = source.f_zeros_like()?;
    fresh.f_copy_(&source)?;
    Ok(fresh)
}

/// A flat leaf whose gradient is asked for.
pub(crate) fn leaf(values: &[f32], device: tch::Device) -> Result<Tensor, TchError> {
    let tensor = upload(values, &[values.len() as i64], device)?.f_to_kind(Kind::Float)?;
    tensor.f_set_requires_grad(true)
}
