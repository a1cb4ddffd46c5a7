//! What networks look like, and networks that act without libtorch.

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::gru::Gru;
use crate::learner::{Checkpoint, LearnError, Saved};
use crate::mlp::{Activation, Dense};

/// Whether agents share their parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Sharing {
    /// One network for all agents; which agent it is stands behind the observation as a one-hot vector.
    #[default]
    Shared,
    /// One network for each agent.
    Separate,
}

/// The form of an agent's network, as a scenario file gives it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Widths of the hidden layers, from the input on.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// Whether the last hidden layer is one of gated recurrent units, whose memory lasts for an episode; `EPyMARL`'s
    /// recurrent agents are `hidden: [128, 128], recurrent: true`.
    pub recurrent: bool,
    /// Whether agents share their parameters.
    pub sharing: Sharing,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            hidden: vec![64, 64],
            activation: Activation::default(),
            recurrent: false,
            sharing: Sharing::default(),
        }
    }
}

impl NetworkConfig {
    /// Adds what is wrong with the configuration to `problems`.
    #[cfg_attr(not(feature = "torch"), allow(dead_code, reason = "only learners use it"))]
    pub(crate) fn check(&self, problems: &mut Vec<String>) {
        for (layer, &width) in self.hidden.iter().enumerate() {
            if !(1..=4096).contains(&width) {
                problems.push(format!("`network.hidden[{layer}]`: {width}, it must be 1 to 4096"));
            }
        }
        if self.hidden.len() > 16 {
            problems.push(format!(
                "`network.hidden`: {} layers, there must be at most 16",
                self.hidden.len()
            ));
        }
        if self.recurrent && self.hidden.is_empty() {
            problems.push(
                "`network.recurrent`: true, but `hidden` has no layer that could remember".into(),
            );
        }
    }

    /// The network of agents that see `obs` numbers each.
    #[cfg_attr(not(feature = "torch"), allow(dead_code, reason = "only learners use it"))]
    pub(crate) fn form(&self, agents: usize, obs: usize, outputs: usize) -> Form {
        let (sets, id) = match self.sharing {
            Sharing::Shared => (1, agents),
            Sharing::Separate => (agents, 0),
        };
        let mut widths = vec![obs + id];
        widths.extend(&self.hidden);
        widths.push(outputs);
        Form { sets, widths, activation: self.activation, recurrent: self.recurrent }
    }
}

/// The exact form of a network: which tensors it has, in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Parameter sets: 1, or one for each agent.
    pub sets: usize,
    /// Layer widths, inputs first.
    pub widths: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// Whether the last hidden layer is one of gated recurrent units.
    pub recurrent: bool,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.recurrent { "recurrent layers" } else { "layers" };
        write!(f, "{kind} {:?} in {} sets", self.widths, self.sets)
    }
}

/// One parameter tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Name without the network's prefix, such as `0.weight`.
    pub(crate) name: String,
    /// `[outputs, inputs]` or `[outputs]`, with the sets in front when there are several.
    pub(crate) shape: Vec<usize>,
    /// What scales the first values: inputs of the layer, for recurrent ones its units.
    pub(crate) fan_in: usize,
}

impl Parameter {
    pub(crate) fn size(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Form {
    /// Which layer is one of gated recurrent units.
    fn recurrent_layer(&self) -> Option<usize> {
        if self.recurrent { self.widths.len().checked_sub(3) } else { None }
    }

    /// Numbers that the network remembers for each row; 0 when it is not recurrent.
    pub fn memory(&self) -> usize {
        self.recurrent_layer().map_or(0, |layer| self.widths[layer + 1])
    }

    /// Every tensor in the order in which flat parameters hold them.
    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let recurrent = self.recurrent_layer();
        let layers = self.widths.windows(2).enumerate();
        let layers = layers.map(|(layer, pair)| tensors(layer, pair, recurrent == Some(layer)));
        let sets = if self.sets == 1 { &[][..] } else { std::slice::from_ref(&self.sets) };
        let stacked = |parameter: Parameter| {
            let shape = [sets, &parameter.shape].concat();
            Parameter { shape, ..parameter }
        };
        layers.flatten().map(stacked).collect()
    }

    /// Number of parameters.
    pub fn size(&self) -> usize {
        self.parameters().iter().map(Parameter::size).sum()
    }

    /// Reads the form off the tensors `{prefix}.{n}.weight` and, of a recurrent layer, `{prefix}.{n}.weight_ih`, whose
    /// numbers `n` need not be consecutive, so that what `torch.nn.Sequential` saved fits too.
    /// Also gives the parameters, flat.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`] when there is no layer or shapes do not follow each other.
    pub fn read(
        checkpoint: &Checkpoint,
        prefix: &str,
        activation: Activation,
    ) -> Result<(Self, Vec<f32>), LearnError> {
        let mut layers: Vec<(usize, &str, &Saved)> = checkpoint
            .tensors
            .iter()
            .filter_map(|(name, saved)| {
                let (number, kind) =
                    name.strip_prefix(prefix)?.strip_prefix('.')?.split_once('.')?;
                let first = matches!(kind, "weight" | "weight_ih");
                first.then_some((number.parse().ok()?, kind, saved))
            })
            .collect();
        layers.sort_unstable_by_key(|(number, ..)| *number);
        let misfit = |why: String| Err(LearnError::Checkpoint(why));
        let mut form = Self { sets: 1, widths: Vec::new(), activation, recurrent: false };
        let mut flat = Vec::new();
        for (at, &(number, kind, saved)) in layers.iter().enumerate() {
            let name = format!("{prefix}.{number}.{kind}");
            let recurrent = kind == "weight_ih";
            let (sets, outputs, inputs) = match saved.shape[..] {
                [outputs, inputs] => (1, outputs, inputs),
                [sets, outputs, inputs] => (sets, outputs, inputs),
                _ => {
                    return misfit(format!(
                        "`{name}` has shape {:?}, expected [outputs, inputs] or [sets, outputs, inputs]",
                        saved.shape
                    ));
                }
            };
            if sets == 0 || outputs == 0 || inputs == 0 {
                return misfit(format!("`{name}` is empty: {:?}", saved.shape));
            }
            if recurrent && (outputs % 3 != 0 || at + 2 != layers.len()) {
                return misfit(format!(
                    "`{name}` of shape {:?}: a recurrent layer has three gates and stands before the last layer",
                    saved.shape
                ));
            }
            match form.widths.last() {
                None => {
                    form.sets = sets;
                    form.widths.push(inputs);
                }
                Some(&width) if width == inputs && sets == form.sets => {}
                Some(width) => {
                    return misfit(format!(
                        "`{name}` has shape {:?}, the layer before gives {width} numbers in {} sets",
                        saved.shape, form.sets
                    ));
                }
            }
            form.recurrent |= recurrent;
            form.widths.push(if recurrent { outputs / 3 } else { outputs });
            let stacked = &saved.shape[..saved.shape.len() - 2];
            for tensor in tensors(number, &form.widths[form.widths.len() - 2..], recurrent) {
                let shape = [stacked, &tensor.shape].concat();
                let values = checkpoint.f32(&format!("{prefix}.{}", tensor.name), &shape)?;
                let numbers = shape.iter().product::<usize>();
                if values.len() != numbers {
                    return misfit(format!(
                        "`{prefix}.{}` has {} numbers for shape {shape:?}",
                        tensor.name,
                        values.len()
                    ));
                }
                flat.extend_from_slice(values);
            }
        }
        if form.widths.is_empty() {
            return misfit(format!("there is no `{prefix}.0.weight`"));
        }
        if let Some(value) = flat.iter().find(|value| !value.is_finite()) {
            return misfit(format!("a parameter of `{prefix}` is {value}"));
        }
        Ok((form, flat))
    }

    /// Adds the flat parameters to a checkpoint as `{prefix}.{n}.weight` and `{prefix}.{n}.bias`.
    #[cfg_attr(not(feature = "torch"), allow(dead_code, reason = "only learners use it"))]
    pub(crate) fn write(&self, flat: &[f32], prefix: &str, checkpoint: &mut Checkpoint) {
        let mut rest = flat;
        for parameter in self.parameters() {
            let (own, tail) = rest.split_at(parameter.size());
            checkpoint.put_f32(
                format!("{prefix}.{}", parameter.name),
                &parameter.shape,
                own.to_vec(),
            );
            rest = tail;
        }
    }
}

/// The tensors of one layer with these inputs and outputs, of one set, in the order in which flat parameters hold them;
/// names and shapes are `PyTorch`'s.
fn tensors(layer: usize, pair: &[usize], recurrent: bool) -> Vec<Parameter> {
    let (inputs, outputs) = (pair[0], pair[1]);
    let of = |kind: &str, shape: &[usize], fan_in: usize| Parameter {
        name: format!("{layer}.{kind}"),
        shape: shape.to_vec(),
        fan_in,
    };
    if recurrent {
        let (gates, units) = (3 * outputs, outputs);
        vec![
            of("weight_ih", &[gates, inputs], units),
            of("bias_ih", &[gates], units),
            of("weight_hh", &[gates, units], units),
            of("bias_hh", &[gates], units),
        ]
    } else {
        vec![of("weight", &[outputs, inputs], inputs), of("bias", &[outputs], inputs)]
    }
}

/// Rows of one unit of parallel work. A constant, though no sum depends on it.
const BLOCK: usize = 256;

/// A network that acts without libtorch: dense layers with an activation between them, perhaps one of gated recurrent
/// units behind them, and a linear head, `[rows, inputs]` to `[rows, outputs]`.
///
/// With several parameter sets, row `i` uses set `i % sets`: with one set for each agent that is the agent's own.
#[derive(Clone, Debug)]
pub struct Network {
    body: Vec<Dense>,
    gru: Option<Gru>,
    head: Dense,
    activation: Activation,
    size: usize,
    /// Widest layer of the body.
    width: usize,
    /// `[rows, room]`.
    scratch: Vec<f32>,
}

impl Network {
    /// A network of zeros.
    pub fn new(form: &Form) -> Self {
        let sets = form.sets.max(1);
        let dense = |pair: &[usize]| Dense::new(sets, pair[0], pair[1]);
        let pairs: Vec<&[usize]> = form.widths.windows(2).collect();
        let (last, before) = pairs.split_last().map_or((&[0, 0][..], &[][..]), |(l, b)| (*l, b));
        let recurrent = form.recurrent_layer();
        let body = &before[..recurrent.unwrap_or(before.len())];
        Self {
            body: body.iter().map(|pair| dense(pair)).collect(),
            gru: recurrent.map(|layer| Gru::new(sets, before[layer][0], before[layer][1])),
            head: dense(last),
            activation: form.activation,
            size: form.size(),
            width: body.iter().map(|pair| pair[1]).max().unwrap_or(0),
            scratch: Vec::new(),
        }
    }

    /// Length of an input row.
    pub fn inputs(&self) -> usize {
        let after = self.gru.as_ref().map_or(self.head.inputs, Gru::inputs);
        self.body.first().map_or(after, |layer| layer.inputs)
    }

    /// Length of an output row.
    pub fn outputs(&self) -> usize {
        self.head.outputs
    }

    /// Numbers that are remembered for each row; 0 when the network is not recurrent.
    pub fn memory(&self) -> usize {
        self.gru.as_ref().map_or(0, Gru::units)
    }

    /// Takes flat parameters in the order of the form's tensors.
    ///
    /// # Errors
    /// [`LearnError::Shape`] when there are too few or too many.
    pub fn fill(&mut self, mut flat: &[f32]) -> Result<(), LearnError> {
        let (expected, found) = (self.size, flat.len());
        if found != expected {
            return Err(LearnError::Shape { what: "parameters", expected, found });
        }
        let mut take = |size: usize| {
            let (own, rest) = flat.split_at(size);
            flat = rest;
            own
        };
        for layer in &mut self.body {
            layer.fill(take(layer.size()));
        }
        if let Some(gru) = &mut self.gru {
            gru.fill(take(gru.size()));
        }
        self.head.fill(take(self.head.size()));
        Ok(())
    }

    /// Computes `[rows, outputs]` from `[rows, inputs]`; row `i` uses parameter set `i % sets`.
    ///
    /// # Errors
    /// [`LearnError::Shape`] when the slices do not hold the same number of rows, or the network is recurrent.
    pub fn forward(&mut self, x: &[f32], y: &mut [f32]) -> Result<(), LearnError> {
        self.step(x, &mut [], y)
    }

    /// As [`forward`](Self::forward) for one moment of a sequence: `memory`, `[rows, memory]`, is what was remembered and
    /// becomes what is to be remembered. Allocates only when there are more rows than ever before.
    ///
    /// # Errors
    /// [`LearnError::Shape`] when the slices do not hold the same number of rows.
    pub fn step(&mut self, x: &[f32], memory: &mut [f32], y: &mut [f32]) -> Result<(), LearnError> {
        let rows = y.len() / self.outputs().max(1);
        for (what, expected, found) in [
            ("network inputs", rows * self.inputs(), x.len()),
            ("network memory", rows * self.memory(), memory.len()),
            ("network outputs", rows * self.outputs(), y.len()),
        ] {
            if expected != found {
                return Err(LearnError::Shape { what, expected, found });
            }
        }
        let (inputs, units, outputs) = (self.inputs().max(1), self.memory(), self.outputs());
        // Two rows of hidden values for each row; at least 1, for there are no chunks of nothing.
        let room = (2 * self.width + self.gru.as_ref().map_or(0, Gru::scratch)).max(1);
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.len() < rows * room {
            scratch.resize(rows * room, 0.0);
        }
        let own = &mut scratch[..rows * room];
        if rows <= BLOCK {
            self.block(0, x, memory, y, own);
        } else {
            let blocks = y
                .par_chunks_mut((BLOCK * outputs).max(1))
                .zip(x.par_chunks(BLOCK * inputs))
                .zip(own.par_chunks_mut(BLOCK * room))
                .enumerate();
            let this = &*self;
            if units == 0 {
                blocks.for_each(|(block, ((y, x), own))| this.block(block, x, &mut [], y, own));
            } else {
                let memory = memory.par_chunks_mut(BLOCK * units);
                blocks.zip(memory).for_each(|((block, ((y, x), own)), memory)| {
                    this.block(block, x, memory, y, own);
                });
            }
        }
        self.scratch = scratch;
        Ok(())
    }

    fn block(&self, number: usize, x: &[f32], memory: &mut [f32], y: &mut [f32], own: &mut [f32]) {
        let (rows, first) = (y.len() / self.head.outputs.max(1), number * BLOCK);
        let (mut from, rest) = own.split_at_mut(rows * self.width);
        let (mut to, gates) = rest.split_at_mut(rows * self.width);
        let mut present = x;
        for layer in &self.body {
            let out = &mut to[..rows * layer.outputs];
            layer.forward(first, present, out);
            self.activation.apply(out);
            (from, to) = (to, from);
            present = &from[..rows * layer.outputs];
        }
        if let Some(gru) = &self.gru {
            gru.step(first, present, memory, gates);
            present = memory;
        }
        self.head.forward(first, present, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters from a small congruential generator, the same everywhere.
    pub(crate) fn some_numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0 - 0.5
        };
        (0..count).map(|_| next()).collect()
    }

    fn form(sets: usize, widths: &[usize], activation: Activation) -> Form {
        Form { sets, widths: widths.to_vec(), activation, recurrent: false }
    }

    /// The definition, one number at a time.
    fn plainly(form: &Form, flat: &[f32], x: &[f32], set: usize) -> Vec<f32> {
        let (mut present, mut rest) = (x.to_vec(), flat);
        for (layer, pair) in form.widths.windows(2).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            let (weights, tail) = rest.split_at(form.sets * outputs * inputs);
            let (bias, tail) = tail.split_at(form.sets * outputs);
            rest = tail;
            present = (0..outputs)
                .map(|output| {
                    let mut sum = bias[set * outputs + output];
                    for (input, x) in present.iter().enumerate() {
                        sum += x * weights[(set * outputs + output) * inputs + input];
                    }
                    if layer + 2 == form.widths.len() {
                        sum
                    } else if form.activation == Activation::Relu {
                        sum.max(0.0)
                    } else {
                        libm::tanhf(sum)
                    }
                })
                .collect();
        }
        present
    }

    #[test]
    fn forward_is_the_plain_sum_to_the_bit_for_every_row_count() {
        for (sets, activation) in
            [(1, Activation::Relu), (1, Activation::Tanh), (3, Activation::Relu)]
        {
            let form = form(sets, &[7, 33, 20, 5], activation);
            let flat = some_numbers(form.size(), 1);
            let mut network = Network::new(&form);
            network.fill(&flat).unwrap();
            // 700 rows is more than two blocks, and not a multiple of the sets or of the rows side by side.
            for rows in [1, 2, 3, 4, 5, 11, 257, 700] {
                let (x, mut y) = (some_numbers(rows * 7, 2), vec![0.0; rows * 5]);
                network.forward(&x, &mut y).unwrap();
                for (row, x) in x.chunks_exact(7).enumerate() {
                    let expected = plainly(&form, &flat, x, row % sets);
                    let bits = |values: &[f32]| -> Vec<u32> {
                        values.iter().map(|value| value.to_bits()).collect()
                    };
                    assert_eq!(
                        bits(&y[row * 5..(row + 1) * 5]),
                        bits(&expected),
                        "row {row} of {rows}, {sets} sets, {activation:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn threads_change_no_bit() {
        let form = form(2, &[12, 64, 64, 6], Activation::Tanh);
        let flat = some_numbers(form.size(), 3);
        let x = some_numbers(1000 * 12, 4);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut network = Network::new(&form);
            network.fill(&flat).unwrap();
            let mut y = vec![0.0; 1000 * 6];
            pool.install(|| network.forward(&x, &mut y)).unwrap();
            y
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn written_parameters_are_read_back() {
        for sets in [1, 3] {
            let form = form(sets, &[4, 8, 2], Activation::Tanh);
            let flat = some_numbers(form.size(), 5);
            let mut checkpoint = Checkpoint::default();
            form.write(&flat, "agent", &mut checkpoint);
            assert_eq!(Form::read(&checkpoint, "agent", Activation::Tanh).unwrap(), (form, flat));
        }
    }

    #[test]
    fn damaged_parameters_are_refused() {
        let form = form(1, &[4, 8, 2], Activation::Relu);
        let mut flat = some_numbers(form.size(), 5);
        let mut good = Checkpoint::default();
        form.write(&flat, "agent", &mut good);
        let refused = |checkpoint: &Checkpoint| {
            Form::read(checkpoint, "agent", Activation::Relu).unwrap_err().to_string()
        };
        assert_eq!(
            refused(&Checkpoint::default()),
            "the checkpoint does not fit: there is no `agent.0.weight`"
        );
        let mut bad = good.clone();
        bad.tensors.remove("agent.1.bias");
        assert_eq!(refused(&bad), "the checkpoint does not fit: `agent.1.bias` is missing");
        let mut bad = good.clone();
        bad.put_f32("agent.1.weight", &[2, 9], vec![0.0; 18]);
        assert_eq!(
            refused(&bad),
            "the checkpoint does not fit: `agent.1.weight` has shape [2, 9], the layer before gives 8 numbers in 1 sets"
        );
        flat[3] = f32::NAN;
        let mut bad = Checkpoint::default();
        form.write(&flat, "agent", &mut bad);
        assert_eq!(refused(&bad), "the checkpoint does not fit: a parameter of `agent` is NaN");
    }
}
