//! Networks on libtorch: the forward pass whose gradient is taken, one moment of all rows at once or through time.

use tch::{TchError, Tensor};

use super::upload;
use crate::mlp::Activation;
use crate::network::Form;

/// Weights and biases of one network, as views into the flat tensor.
pub(super) struct Layers<'a> {
    pub(super) form: &'a Form,
    /// In the order of [`Form::parameters`].
    pub(super) tensors: &'a [Tensor],
}

/// Some steps of some lanes, for networks with memory. Rows are numbered `step * lanes + lane`.
///
/// Without memory a window says nothing, and every row stands for itself.
#[derive(Debug)]
pub(super) struct Window {
    memory: Option<Memory>,
}

#[derive(Debug)]
struct Memory {
    lanes: i64,
    /// `[agents, lanes, units]`: what was remembered before the first step.
    start: Tensor,
    /// For each step `[1, lanes, 1]`: 0 where an episode starts, which forgets what was before, else 1; `None` where none
    /// starts.
    keep: Vec<Option<Tensor>>,
}

impl Window {
    /// A window of lanes in which `started`, `[steps, lanes]`, says where episodes start, and `memory`,
    /// `[lanes, agents, units]`, is what was remembered before the first step.
    pub(super) fn new(
        form: &Form,
        agents: usize,
        lanes: usize,
        started: &[bool],
        memory: &[f32],
        device: tch::Device,
    ) -> Result<Self, TchError> {
        let units = form.memory();
        if units == 0 {
            return Ok(Self { memory: None });
        }
        let (agents, lanes) = (agents as i64, lanes as i64);
        let start = if memory.is_empty() {
            // Nobody has acted yet.
            Tensor::f_zeros([agents, lanes, units as i64], (tch::Kind::Float, device))?
        } else {
            let start = upload(memory, &[lanes, agents, units as i64], device)?;
            start.f_transpose(0, 1)?.f_contiguous()?
        };
        let keep = |started: &[bool]| -> Result<Option<Tensor>, TchError> {
            if !started.contains(&true) {
                return Ok(None);
            }
            let keep: Vec<f32> =
                started.iter().map(|&started| if started { 0.0 } else { 1.0 }).collect();
            upload(&keep, &[1, lanes, 1], device).map(Some)
        };
        let keep = started.chunks_exact(lanes as usize).map(keep).collect::<Result<_, _>>()?;
        Ok(Self { memory: Some(Memory { lanes, start, keep }) })
    }

    /// Whether rows hang together.
    pub(super) fn remembers(&self) -> bool {
        self.memory.is_some()
    }

    /// The lanes of these numbers.
    pub(super) fn part(&self, lanes: &Tensor) -> Result<Self, TchError> {
        let Some(Memory { start, keep, .. }) = &self.memory else {
            return Ok(Self { memory: None });
        };
        let part = |tensor: &Tensor| tensor.f_index_select(1, lanes);
        let keep = keep.iter().map(|keep| keep.as_ref().map(part).transpose());
        let (start, keep) = (part(start)?, keep.collect::<Result<_, _>>()?);
        Ok(Self { memory: Some(Memory { lanes: lanes.size()[0], start, keep }) })
    }
}

impl Layers<'_> {
    /// Layers before the recurrent one, or else before the head.
    fn body(&self) -> usize {
        self.form.widths.len() - 2 - usize::from(self.form.recurrent)
    }

    fn affine(&self, number: usize, x: &Tensor) -> Result<Tensor, TchError> {
        let (weight, bias) = (&self.tensors[number], &self.tensors[number + 1]);
        if self.form.sets == 1 {
            x.f_linear(weight, Some(bias))
        } else {
            bias.f_unsqueeze(1)?.f_baddbmm(x, &weight.f_transpose(1, 2)?, 1.0, 1.0)
        }
    }

    fn features(&self, x: &Tensor) -> Result<Tensor, TchError> {
        let mut present = x.shallow_clone();
        for layer in 0..self.body() {
            present = self.affine(2 * layer, &present)?;
            present = match self.form.activation {
                Activation::Relu => present.f_relu()?,
                Activation::Tanh => present.f_tanh()?,
            };
        }
        Ok(present)
    }

    fn head(&self, x: &Tensor) -> Result<Tensor, TchError> {
        self.affine(self.tensors.len() - 2, x)
    }

    /// The next memory, from what the inputs give the three gates and from the memory; as [`crate::gru`].
    fn remember(&self, input: &Tensor, memory: &Tensor) -> Result<Tensor, TchError> {
        let recurrent = self.affine(2 * self.body() + 2, memory)?;
        let units = self.form.memory() as i64;
        let gates = |all: &Tensor| all.f_narrow(-1, 0, 2 * units);
        let candidate = |all: &Tensor| all.f_narrow(-1, 2 * units, units);
        let open = gates(input)?.f_add(&gates(&recurrent)?)?.f_sigmoid()?;
        let (reset, update) = (open.f_narrow(-1, 0, units)?, open.f_narrow(-1, units, units)?);
        let candidate = candidate(input)?.f_addcmul(&reset, &candidate(&recurrent)?)?.f_tanh()?;
        candidate.f_lerp_tensor(memory, &update)
    }

    /// `x` is `[sets or 1, rows, inputs]`; gives `[.., rows, outputs]`, and `[.., rows, units]`: what is remembered after
    /// each row, when the network remembers.
    pub(super) fn unroll(
        &self,
        x: &Tensor,
        window: &Window,
    ) -> Result<(Tensor, Option<Tensor>), TchError> {
        let features = self.features(x)?;
        let Some(Memory { lanes, start, keep }) = &window.memory else {
            return Ok((self.head(&features)?, None));
        };
        let inputs = self.affine(2 * self.body(), &features)?.f_split(*lanes, 1)?;
        let (mut memory, mut all) = (start.shallow_clone(), Vec::with_capacity(inputs.len()));
        for (input, keep) in inputs.iter().zip(keep) {
            if let Some(keep) = keep {
                memory = memory.f_mul(keep)?;
            }
            memory = self.remember(input, &memory)?;
            all.push(memory.shallow_clone());
        }
        let all = Tensor::f_cat(&all, 1)?;
        Ok((self.head(&all)?, Some(all)))
    }

    /// One moment of rows that remember what [`unroll`](Self::unroll) gave for the moment before.
    pub(super) fn after(&self, x: &Tensor, memory: Option<&Tensor>) -> Result<Tensor, TchError> {
        let features = self.features(x)?;
        match memory {
            Some(memory) => {
                let input = self.affine(2 * self.body(), &features)?;
                self.head(&self.remember(&input, memory)?)
            }
            None => self.head(&features),
        }
    }

    /// `x` is `[sets or 1, rows, inputs]`; gives `[.., rows, outputs]`. For networks without memory.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, TchError> {
        self.after(x, None)
    }
}

#[cfg(test)]
mod tests {
    use gambol_envs::seed::{Purpose, Streams, unit_f64};
    use tch::Kind;

    use super::*;
    use crate::network::Network;
    use crate::torch::download;
    use crate::torch::parameters::{Layout, Parameters, first_parameters};

    /// The largest difference that the two forward passes may show; they sum in different orders.
    const CLOSE: f32 = 1e-5;

    fn numbers(lane: u32, count: usize, low: f64, high: f64) -> Vec<f32> {
        let mut rng = Streams::new(7).at(Purpose::Init, lane, 0);
        (0..count).map(|_| (low + unit_f64(&mut rng) * (high - low)) as f32).collect()
    }

    fn form(sets: usize, widths: &[usize], activation: Activation, recurrent: bool) -> Form {
        Form { sets, widths: widths.to_vec(), activation, recurrent }
    }

    fn drawn(form: &Form, seed: u64) -> Vec<f32> {
        first_parameters(form, &mut Streams::new(seed).at(Purpose::Init, 0, 0))
    }

    fn close(own: &[f32], theirs: &[f32]) {
        let mut largest: f32 = 0.0;
        assert_eq!(own.len(), theirs.len());
        for (own, theirs) in own.iter().zip(theirs) {
            assert!((own - theirs).abs() <= CLOSE * theirs.abs().max(1.0), "{own}, {theirs}");
            largest = largest.max(own.abs());
        }
        assert!(largest > 0.1, "the outputs are not all small");
    }

    #[test]
    fn libtorch_and_the_frozen_network_agree() {
        for (seed, sets, widths, activation) in [
            (0, 1, &[14, 64, 64, 6][..], Activation::Relu),
            (1, 2, &[12, 64, 64, 6][..], Activation::Relu),
            (2, 1, &[20, 128, 128, 5][..], Activation::Tanh),
            (3, 4, &[31, 33, 7][..], Activation::Tanh),
            (4, 3, &[5, 2][..], Activation::Relu),
        ] {
            let form = form(sets, widths, activation, false);
            let flat = drawn(&form, seed);
            let rows = 300 * sets;
            let x = numbers(1, rows * widths[0], -1.0, 15.0);
            let mut network = Network::new(&form);
            network.fill(&flat).unwrap();
            let outputs = widths[widths.len() - 1];
            let mut own = vec![0.0; rows * outputs];
            network.forward(&x, &mut own).unwrap();
            let layout = Layout::new(vec![form]);
            let tensors = Parameters::new(&layout, &flat, true, tch::Device::Cpu).unwrap().parts;
            // Row `i` belongs to set `i % sets`; libtorch takes the sets one after the other.
            let shape = [(rows / sets) as i64, sets as i64, widths[0] as i64];
            let sorted = Tensor::from_slice(&x).view(shape).transpose(0, 1).contiguous();
            let theirs = layout.network(0, &tensors).forward(&sorted).unwrap();
            close(&own, &download(&theirs.transpose(0, 1).contiguous()).unwrap());
        }
    }

    /// Weights as `torch.nn.GRU` takes them, for one set of parameters.
    fn torch_gru(tensors: &[Tensor], x: &Tensor, start: &Tensor) -> Tensor {
        // libtorch wants both weights before both biases.
        let [weight_ih, bias_ih, weight_hh, bias_hh] = tensors else { panic!("four tensors") };
        let parameters = [weight_ih, weight_hh, bias_ih, bias_hh];
        x.gru(&start.unsqueeze(0), &parameters, true, 1, 0.0, false, false, true).0
    }

    const LANES: usize = 5;
    const STEPS: usize = 40;

    /// `[STEPS, LANES]`.
    fn starts() -> Vec<bool> {
        numbers(9, STEPS * LANES, 0.0, 1.0).iter().map(|&draw| draw < 0.1).collect()
    }

    /// Forty steps with episodes that start in between: our own pass, ours on libtorch, and libtorch's own layer.
    #[test]
    fn recurrent_passes_agree_with_each_other_and_with_libtorchs_layer() {
        for (seed, sets, agents, widths) in [
            (0, 1, 2, &[14, 32, 24, 6][..]),
            (1, 3, 3, &[9, 20, 16, 5][..]),
            (2, 1, 1, &[7, 64, 2][..]),
        ] {
            let form = form(sets, widths, Activation::Relu, true);
            let (inputs, units) = (widths[0], widths[widths.len() - 2]);
            let outputs = widths[widths.len() - 1];
            let (flat, started) = (drawn(&form, seed), starts());
            let rows = LANES * agents;
            let x = numbers(1, STEPS * rows * inputs, -1.0, 6.0);
            let start = numbers(2, rows * units, -0.9, 0.9);
            let mut network = Network::new(&form);
            network.fill(&flat).unwrap();
            let (mut memory, mut own) = (start.clone(), vec![0.0; STEPS * rows * outputs]);
            let moments = x.chunks_exact(rows * inputs).zip(own.chunks_exact_mut(rows * outputs));
            for (t, (x, y)) in moments.enumerate() {
                for lane in (0..LANES).filter(|lane| started[t * LANES + lane]) {
                    memory[lane * agents * units..(lane + 1) * agents * units].fill(0.0);
                }
                network.step(x, &mut memory, y).unwrap();
            }
            let layout = Layout::new(vec![form.clone()]);
            let tensors = Parameters::new(&layout, &flat, true, tch::Device::Cpu).unwrap().parts;
            let window =
                Window::new(&form, agents, LANES, &started, &start, tch::Device::Cpu).unwrap();
            let shape = [(STEPS * LANES) as i64, agents as i64, inputs as i64];
            let x = Tensor::from_slice(&x).view(shape).transpose(0, 1).contiguous();
            let layers = layout.network(0, &tensors);
            let (theirs, all) = layers.unroll(&x, &window).unwrap();
            close(&own, &download(&theirs.transpose(0, 1).contiguous()).unwrap());
            // The last memories are those of our own pass, and one more moment follows them.
            let all = all.unwrap();
            let last = all.narrow(1, ((STEPS - 1) * LANES) as i64, LANES as i64);
            close(&memory, &download(&last.transpose(0, 1).contiguous()).unwrap());
            let more = numbers(3, rows * inputs, -1.0, 6.0);
            let mut own = vec![0.0; rows * outputs];
            network.step(&more, &mut memory, &mut own).unwrap();
            let more = Tensor::from_slice(&more).view([LANES as i64, agents as i64, inputs as i64]);
            let theirs = layers.after(&more.transpose(0, 1).contiguous(), Some(&last)).unwrap();
            close(&own, &download(&theirs.transpose(0, 1).contiguous()).unwrap());
            // libtorch's own layer knows no starts: compare up to the first of each lane.
            if sets > 1 {
                continue;
            }
            let features = layers.features(&x).unwrap();
            for agent in 0..agents {
                for lane in 0..LANES {
                    let at: Vec<i64> = (0..STEPS).map(|t| (t * LANES + lane) as i64).collect();
                    let of = |all: &Tensor| {
                        all.select(0, agent as i64).index_select(0, &Tensor::from_slice(&at))
                    };
                    let first = (0..STEPS).find(|t| started[t * LANES + lane]).unwrap_or(STEPS);
                    let from = &start[(lane * agents + agent) * units..][..units];
                    let from = Tensor::from_slice(from).unsqueeze(0);
                    let gru = &tensors[2 * layers.body()..2 * layers.body() + 4];
                    let theirs = torch_gru(gru, &of(&features).unsqueeze(0), &from).squeeze_dim(0);
                    let off = (theirs - of(&all)).narrow(0, 0, first as i64).abs();
                    assert!(first == 0 || off.max().double_value(&[]) < 1e-5);
                }
            }
        }
    }

    /// Backpropagation through 40 steps and through starts, against differences of the loss, in double precision.
    #[test]
    fn gradients_through_time_are_differences_of_the_loss() {
        for (sets, agents) in [(1, 2), (2, 2)] {
            let form = form(sets, &[4, 5, 3, 2], Activation::Tanh, true);
            let (flat, started) = (drawn(&form, 5), starts());
            let start = numbers(2, LANES * agents * 3, -0.9, 0.9);
            let mut window =
                Window::new(&form, agents, LANES, &started, &start, tch::Device::Cpu).unwrap();
            let memory = window.memory.as_mut().unwrap();
            memory.start = memory.start.to_kind(Kind::Double);
            for keep in memory.keep.iter_mut().flatten() {
                *keep = keep.to_kind(Kind::Double);
            }
            let x = numbers(1, STEPS * LANES * agents * 4, -1.0, 1.0);
            let shape = [agents as i64, (STEPS * LANES) as i64, 4];
            let x = Tensor::from_slice(&x).view(shape).to_kind(Kind::Double);
            let layout = Layout::new(vec![form]);
            let loss = |tensors: &[Tensor]| {
                let (y, _) = layout.network(0, tensors).unroll(&x, &window).unwrap();
                y.square().mean(Kind::Double)
            };
            let parts = Parameters::new(&layout, &flat, true, tch::Device::Cpu).unwrap().parts;
            let double =
                |part: &Tensor| part.detach().to_kind(Kind::Double).set_requires_grad(true);
            let parts: Vec<Tensor> = parts.iter().map(double).collect();
            let found = Tensor::run_backward(&[loss(&parts)], &parts, false, false);
            let mut largest: f64 = 0.0;
            for (number, found) in found.iter().enumerate() {
                for at in 0..found.numel() as i64 {
                    let shifted = |shift: f64| {
                        let mut parts: Vec<_> = parts.iter().map(Tensor::detach).collect();
                        let part = parts[number].copy();
                        let _ = part.view([-1]).get(at).g_add_scalar_(shift);
                        parts[number] = part;
                        loss(&parts).double_value(&[])
                    };
                    let expected = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
                    let found = found.reshape([-1]).double_value(&[at]);
                    assert!((found - expected).abs() < 1e-8, "{at}: {found}, {expected}");
                    largest = largest.max(found.abs());
                }
            }
            assert!(largest > 1e-2, "{largest}");
        }
    }
}
