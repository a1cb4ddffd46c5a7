//! All parameters of a learner as one flat tensor, and Adam on it.
//!
//! One tensor means one call for each step of the optimiser, for the gradient's norm, for a target copy and for a
//! checkpoint, however many layers there are; the layers are views into it, made once.

use gambol_envs::seed::unit_f64;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor, no_grad};

use super::layers::Layers;
use super::{download, upload};
use crate::learner::{Checkpoint, LearnError};
use crate::network::Form;

/// Draws first parameters: uniform within one over the root of the layer's inputs, or of its units where it is recurrent,
/// weights and biases alike, which is what `PyTorch` does.
pub(crate) fn first_parameters(form: &Form, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut flat = Vec::with_capacity(form.size());
    for parameter in form.parameters() {
        let bound = 1.0 / (parameter.fan_in.max(1) as f64).sqrt();
        flat.extend((0..parameter.size()).map(|_| ((2.0 * unit_f64(rng) - 1.0) * bound) as f32));
    }
    flat
}

/// Makes the last layer of a network a hundredth of what was drawn, so that its outputs begin near 0 for all inputs.
pub(crate) fn shrink_head(form: &Form, flat: &mut [f32]) {
    let &[.., inputs, outputs] = &form.widths[..] else { return };
    let head = flat.len() - form.sets * outputs * (inputs + 1);
    flat[head..].iter_mut().for_each(|weight| *weight *= 0.01);
}

/// How the target network follows the online one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub enum Target {
    /// A copy every so many updates.
    Hard(u64),
    /// After each update, this share of the way.
    Soft(f64),
}

impl Target {
    pub(crate) fn check(self, field: &str, problems: &mut Vec<String>) {
        match self {
            Self::Hard(0) => problems.push(format!("`{field}`: Hard(0), it must be at least 1")),
            Self::Soft(share) if !(share > 0.0 && share <= 1.0) => {
                problems
                    .push(format!("`{field}`: Soft({share}), it must be above 0 and at most 1"));
            }
            _ => {}
        }
    }

    /// Moves the target after the update of that number, counted from 1.
    pub(crate) fn follow(
        self,
        target: &mut Tensor,
        online: &Tensor,
        updates: u64,
    ) -> Result<(), TchError> {
        match self {
            Self::Hard(every) if updates.is_multiple_of(every) => {
                no_grad(|| target.f_copy_(online))
            }
            Self::Hard(_) => Ok(()),
            Self::Soft(share) => no_grad(|| target.f_lerp_(online, share)).map(drop),
        }
    }
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

    /// One network's part of what [`Parameters::parts`] holds.
    pub(crate) fn network<'a>(&'a self, number: usize, tensors: &'a [Tensor]) -> Layers<'a> {
        let (from, to) = self.ranges[number];
        Layers { form: &self.forms[number], tensors: &tensors[from..to] }
    }
}

/// All parameters of a learner.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// All numbers in a row.
    pub(crate) flat: Tensor,
    /// The tensors of a [`Layout`], each a leaf that shares its numbers with `flat`.
    pub(crate) parts: Vec<Tensor>,
}

impl Parameters {
    /// These numbers as the tensors of a layout; `trained` where gradients will be asked for.
    pub(crate) fn new(
        layout: &Layout,
        values: &[f32],
        trained: bool,
        device: tch::Device,
    ) -> Result<Self, TchError> {
        let flat = upload(values, &[values.len() as i64], device)?.f_to_kind(Kind::Float)?;
        let mut at = 0;
        let mut part = |(size, shape): (&i64, &Vec<i64>)| -> Result<Tensor, TchError> {
            let part = flat.f_narrow(0, at, *size)?.f_view(&shape[..])?.f_detach()?;
            at += size;
            part.f_set_requires_grad(trained)
        };
        let parts = layout.sizes.iter().zip(&layout.shapes);
        let parts = parts.map(&mut part).collect::<Result<_, _>>()?;
        Ok(Self { flat, parts })
    }

    /// Takes other numbers, in place.
    pub(crate) fn assign(&mut self, flat: &Tensor) -> Result<(), TchError> {
        no_grad(|| self.flat.f_copy_(flat))
    }

    /// The gradient of `loss`, flat.
    fn gradient(&self, loss: &Tensor) -> Result<Tensor, TchError> {
        let parts: Vec<&Tensor> = self.parts.iter().collect();
        let gradients = Tensor::f_run_backward(&[loss], &parts, false, false)?;
        let flat = gradients.iter().map(|part| part.f_reshape([-1]));
        Tensor::f_cat(&flat.collect::<Result<Vec<_>, _>>()?, 0)
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
        size: usize,
        device: tch::Device,
        rate: f64,
        clip: Option<f64>,
        epsilon: f64,
    ) -> Result<Self, TchError> {
        let zero = || Tensor::f_zeros([size as i64], (Kind::Float, device));
        Ok(Self { rate, clip, epsilon, mean: zero()?, square: zero()?, steps: 0 })
    }

    /// One step down the gradient of `loss`; returns the gradient's norm before it was cut.
    ///
    /// # Errors
    /// [`LearnError::NotFinite`] before anything is changed.
    pub(crate) fn step(
        &mut self,
        parameters: &mut Parameters,
        loss: &Tensor,
        update: u64,
    ) -> Result<(f64, f64), LearnError> {
        let gradient = parameters.gradient(loss)?;
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
            let _ = parameters.flat.f_sub_(&change)?;
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

/// A copy that shares nothing.
pub(crate) fn copy(tensor: &Tensor) -> Result<Tensor, TchError> {
    let mut fresh = tensor.f_empty_like()?;
    fresh.f_copy_(tensor)?;
    Ok(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of numbers for a loss of one's own.
    fn parameters(values: &[f32]) -> Parameters {
        let layout = Layout {
            forms: Vec::new(),
            sizes: vec![1, values.len() as i64 - 1],
            shapes: vec![vec![1], vec![1, values.len() as i64 - 1]],
            ranges: Vec::new(),
        };
        Parameters::new(&layout, values, true, tch::Device::Cpu).unwrap()
    }

    fn row(parameters: &Parameters) -> Tensor {
        Tensor::cat(&[parameters.parts[0].shallow_clone(), parameters.parts[1].view([-1])], 0)
    }

    /// Kingma and Ba (2015), algorithm 1, number by number in double precision, after the gradient's norm was cut as
    /// `PyTorch`'s `clip_grad_norm_` does.
    fn reference(start: &[f64], goal: &[f64], rates: &[f64], clip: Option<f64>) -> Vec<f64> {
        let mut x = start.to_vec();
        let (mut m, mut v) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for (step, rate) in rates.iter().enumerate() {
            let gradient: Vec<f64> = x.iter().zip(goal).map(|(x, goal)| 2.0 * (x - goal)).collect();
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            let scale = clip.map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0));
            let t = (step + 1) as i32;
            for (at, g) in gradient.iter().enumerate() {
                let g = g * scale;
                m[at] = 0.9 * m[at] + 0.1 * g;
                v[at] = 0.999 * v[at] + 0.001 * g * g;
                let (m, v) = (m[at] / (1.0 - 0.9_f64.powi(t)), v[at] / (1.0 - 0.999_f64.powi(t)));
                x[at] -= rate * m / (v.sqrt() + 1e-8);
            }
        }
        x
    }

    #[test]
    fn adam_follows_its_definition() {
        let (start, goal) = ([1.0, -2.0, 0.5, 3.0], [0.0, 1.0, 0.25, -10.0]);
        let rates = [0.1, 0.1, 0.1, 0.05, 0.05, 0.02, 0.02, 0.02];
        for clip in [None, Some(10.0)] {
            let flat: Vec<f32> = start.iter().map(|&x| x as f32).collect();
            let mut x = parameters(&flat);
            let target = Tensor::from_slice(&goal.map(|x| x as f32));
            let mut adam = Adam::new(4, tch::Device::Cpu, rates[0], clip, 1e-8).unwrap();
            for (update, &rate) in rates.iter().enumerate() {
                adam.rate = rate;
                let loss = (row(&x) - &target).square().sum(Kind::Float);
                let (_, norm) = adam.step(&mut x, &loss, update as u64).unwrap();
                assert!(norm > 20.0, "the cut at 10 is felt: {norm}");
            }
            let found = download(&x.flat).unwrap();
            for (found, expected) in found.iter().zip(reference(&start, &goal, &rates, clip)) {
                assert!((f64::from(*found) - expected).abs() < 2e-6, "{found}, {expected}");
            }
        }
    }

    #[test]
    fn a_loss_that_is_not_finite_changes_nothing() {
        let mut x = parameters(&[1.0, 2.0]);
        let mut adam = Adam::new(2, tch::Device::Cpu, 0.1, None, 1e-8).unwrap();
        let loss = (row(&x) * f64::INFINITY).sum(Kind::Float);
        let error = adam.step(&mut x, &loss, 7).unwrap_err().to_string();
        assert_eq!(error, "the loss is inf at update 7; the parameters were left as they were");
        assert_eq!(download(&x.flat).unwrap(), [1.0, 2.0]);
        assert_eq!(adam.steps, 0);
    }
}
