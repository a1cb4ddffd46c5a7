//! The forward pass of gated recurrent units in our own code: no libtorch, the same bits on every machine.

use crate::mlp::Dense;

/// A layer of gated recurrent units (Cho et al. 2014) in `PyTorch`'s form, held once for every set of parameters.
///
/// From an input `x` and the memory `h`, with reset, update and candidate gates in that order:
/// `r = s(Wr x + br + Ur h + cr)`, `z = s(Wz x + bz + Uz h + cz)`, `n = tanh(Wn x + bn + r (Un h + cn))`,
/// and the new memory is `n + z (h - n)`.
#[derive(Clone, Debug)]
pub(crate) struct Gru {
    /// Inputs to the three gates.
    input: Dense,
    /// Memory to the three gates.
    memory: Dense,
    units: usize,
}

impl Gru {
    /// A layer of zeros.
    pub(crate) fn new(sets: usize, inputs: usize, units: usize) -> Self {
        let [input, memory] = [inputs, units].map(|inputs| Dense::new(sets, inputs, 3 * units));
        Self { input, memory, units }
    }

    /// Length of an input row.
    pub(crate) fn inputs(&self) -> usize {
        self.input.inputs
    }

    /// Numbers that one row's memory has.
    pub(crate) fn units(&self) -> usize {
        self.units
    }

    /// Numbers that one row needs as scratch.
    pub(crate) fn scratch(&self) -> usize {
        6 * self.units
    }

    /// Numbers that [`fill`](Self::fill) takes.
    pub(crate) fn size(&self) -> usize {
        self.input.size() + self.memory.size()
    }

    /// Takes weights `[sets, 3 units, inputs]` and biases `[sets, 3 units]` of the inputs, then those of the memory.
    pub(crate) fn fill(&mut self, flat: &[f32]) {
        let (input, memory) = flat.split_at(self.input.size());
        self.input.fill(input);
        self.memory.fill(memory);
    }

    /// `x`: `[rows, inputs]`; `memory`: `[rows, units]`, which takes its next value in place; row `i` belongs to parameter
    /// set `(first + i) % sets`.
    pub(crate) fn step(&self, first: usize, x: &[f32], memory: &mut [f32], scratch: &mut [f32]) {
        let units = self.units;
        let rows = memory.len() / units.max(1);
        let (from_input, from_memory) = scratch.split_at_mut(rows * 3 * units);
        let from_memory = &mut from_memory[..rows * 3 * units];
        self.input.forward(first, x, from_input);
        self.memory.forward(first, memory, from_memory);
        let gates = from_input.chunks_exact(3 * units).zip(from_memory.chunks_exact(3 * units));
        for (memory, (input, recurrent)) in memory.chunks_exact_mut(units).zip(gates) {
            for (unit, memory) in memory.iter_mut().enumerate() {
                let sum = |gate: usize| input[gate * units + unit] + recurrent[gate * units + unit];
                let (reset, update) = (sigmoid(sum(0)), sigmoid(sum(1)));
                let at = 2 * units + unit;
                let candidate = libm::tanhf(input[at] + reset * recurrent[at]);
                *memory = candidate + update * (*memory - candidate);
            }
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}
