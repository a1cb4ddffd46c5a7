//! What networks look like, and networks that act without libtorch.

use serde::{Deserialize, Serialize};

use crate::learner::{Checkpoint, LearnError, Saved, Values};
use crate::mlp::{Activation, Mlp};

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
    /// Whether agents share their parameters.
    pub sharing: Sharing,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            hidden: vec![64, 64],
            activation: Activation::default(),
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
        Form { sets, widths, activation: self.activation }
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
}

/// One parameter tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Name without the network's prefix, such as `0.weight`.
    pub(crate) name: String,
    /// `[outputs, inputs]` or `[outputs]`, with the sets in front when there are several.
    pub(crate) shape: Vec<usize>,
    /// Inputs of the layer, which scale the first values.
    pub(crate) fan_in: usize,
}

impl Parameter {
    pub(crate) fn size(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Form {
    /// Every tensor in the order in which flat parameters hold them.
    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let stacked = |shape: &[usize]| {
            let sets = if self.sets == 1 { &[][..] } else { std::slice::from_ref(&self.sets) };
            [sets, shape].concat()
        };
        let layers = self.widths.windows(2).enumerate();
        layers
            .flat_map(|(layer, pair)| {
                let (inputs, outputs) = (pair[0], pair[1]);
                [("weight", vec![outputs, inputs]), ("bias", vec![outputs])].map(|(kind, shape)| {
                    let (name, shape) = (format!("{layer}.{kind}"), stacked(&shape));
                    Parameter { name, shape, fan_in: inputs }
                })
            })
            .collect()
    }

    /// Number of parameters.
    pub fn size(&self) -> usize {
        self.parameters().iter().map(Parameter::size).sum()
    }

    /// Reads the form off the tensors `{prefix}.{n}.weight`, whose numbers `n` need not be consecutive,
    /// so that what `torch.nn.Sequential` saved fits too. Also gives the parameters, flat.
    ///
    /// # Errors
    /// [`LearnError::Checkpoint`] when there is no layer or shapes do not follow each other.
    pub fn read(
        checkpoint: &Checkpoint,
        prefix: &str,
        activation: Activation,
    ) -> Result<(Self, Vec<f32>), LearnError> {
        let mut layers: Vec<(usize, &Saved)> = checkpoint
            .tensors
            .iter()
            .filter_map(|(name, saved)| {
                let number =
                    name.strip_prefix(prefix)?.strip_prefix('.')?.strip_suffix(".weight")?;
                Some((number.parse().ok()?, saved))
            })
            .collect();
        layers.sort_unstable_by_key(|(number, _)| *number);
        let misfit = |why: String| Err(LearnError::Checkpoint(why));
        let mut form = Self { sets: 1, widths: Vec::new(), activation };
        let mut flat = Vec::new();
        for (number, saved) in layers {
            let name = format!("{prefix}.{number}.weight");
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
            form.widths.push(outputs);
            let Values::F32(weights) = &saved.values else {
                return misfit(format!("`{name}` does not hold 32-bit floats"));
            };
            if weights.len() != sets * outputs * inputs {
                return misfit(format!(
                    "`{name}` has {} numbers for shape {:?}",
                    weights.len(),
                    saved.shape
                ));
            }
            flat.extend_from_slice(weights);
            let shape = if saved.shape.len() == 2 { vec![outputs] } else { vec![sets, outputs] };
            flat.extend_from_slice(checkpoint.f32(&format!("{prefix}.{number}.bias"), &shape)?);
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

/// A network that acts without libtorch.
#[derive(Clone, Debug)]
pub enum Network {
    /// Dense layers.
    Mlp(Mlp),
}

impl Network {
    /// A network of zeros.
    pub fn new(form: &Form) -> Self {
        Self::Mlp(Mlp::new(form.sets, &form.widths, form.activation))
    }

    /// Length of an input row.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Mlp(mlp) => mlp.inputs(),
        }
    }

    /// Length of an output row.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Mlp(mlp) => mlp.outputs(),
        }
    }

    /// Takes flat parameters in the order of the form's tensors.
    ///
    /// # Errors
    /// [`LearnError::Shape`] when there are too few or too many.
    pub fn fill(&mut self, form: &Form, flat: &[f32]) -> Result<(), LearnError> {
        let expected = form.size();
        if flat.len() != expected {
            return Err(LearnError::Shape { what: "parameters", expected, found: flat.len() });
        }
        match self {
            Self::Mlp(mlp) => mlp.fill(flat),
        }
        Ok(())
    }

    /// Computes `[rows, outputs]` from `[rows, inputs]`; row `i` uses parameter set `i % sets`.
    ///
    /// # Errors
    /// [`LearnError::Shape`] when the slices do not hold the same number of rows.
    pub fn forward(&mut self, x: &[f32], y: &mut [f32]) -> Result<(), LearnError> {
        let rows = y.len() / self.outputs().max(1);
        for (what, expected, found) in [
            ("network inputs", rows * self.inputs(), x.len()),
            ("network outputs", rows * self.outputs(), y.len()),
        ] {
            if expected != found {
                return Err(LearnError::Shape { what, expected, found });
            }
        }
        match self {
            Self::Mlp(mlp) => mlp.forward(x, y),
        }
        Ok(())
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
        Form { sets, widths: widths.to_vec(), activation }
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
            network.fill(&form, &flat).unwrap();
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
            network.fill(&form, &flat).unwrap();
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
