//! The forward pass of small dense networks in our own code: no libtorch, the same bits on every machine.
//!
//! Every output is `bias + x[0] w[0] + x[1] w[1] + ..`, summed in that order in single precision and never fused.
//! Rows and outputs are worked on side by side, which does not change any sum.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Outputs computed side by side: two AVX2 registers.
const LANES: usize = 16;
/// Rows computed side by side, so that each weight that is read serves four of them.
const ROWS: usize = 4;
/// Rows of one unit of parallel work. A constant, though no sum depends on it.
pub(crate) const BLOCK: usize = 256;

/// What a hidden layer does to its sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Activation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Activation {
    fn apply(self, values: &mut [f32]) {
        match self {
            // Not `max`, which would turn a NaN into 0 and hide it.
            Self::Relu => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
            Self::Tanh => values.iter_mut().for_each(|x| *x = libm::tanhf(*x)),
        }
    }
}

/// One dense layer, held once for every set of parameters.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    sets: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// `[sets, output blocks, inputs, LANES]`, padded with zeros.
    weights: Vec<[f32; LANES]>,
    /// `[sets, output blocks, LANES]`.
    bias: Vec<[f32; LANES]>,
}

impl Dense {
    /// A layer of zeros.
    pub(crate) fn new(sets: usize, inputs: usize, outputs: usize) -> Self {
        let blocks = sets * outputs.div_ceil(LANES);
        let (weights, bias) = (vec![[0.0; LANES]; blocks * inputs], vec![[0.0; LANES]; blocks]);
        Self { sets, inputs, outputs, weights, bias }
    }

    /// Numbers that [`fill`](Self::fill) takes.
    pub(crate) fn size(&self) -> usize {
        self.sets * self.outputs * (self.inputs + 1)
    }

    /// Takes weights `[sets, outputs, inputs]` and then biases `[sets, outputs]`.
    pub(crate) fn fill(&mut self, flat: &[f32]) {
        let (weights, bias) = flat.split_at(self.sets * self.outputs * self.inputs);
        let blocks = self.outputs.div_ceil(LANES);
        for set in 0..self.sets {
            for output in 0..self.outputs {
                let (block, lane) = (set * blocks + output / LANES, output % LANES);
                let row = &weights[(set * self.outputs + output) * self.inputs..][..self.inputs];
                for (input, &weight) in row.iter().enumerate() {
                    self.weights[block * self.inputs + input][lane] = weight;
                }
                self.bias[block][lane] = bias[set * self.outputs + output];
            }
        }
    }

    /// `x`: `[rows, inputs]`, `y`: `[rows, outputs]`; row `i` belongs to parameter set `(first + i) % sets`.
    pub(crate) fn forward(&self, first: usize, x: &[f32], y: &mut [f32]) {
        let rows = y.len() / self.outputs.max(1);
        for set in 0..self.sets {
            let mut row = (set + self.sets - first % self.sets) % self.sets;
            while row + (ROWS - 1) * self.sets < rows {
                self.some_rows::<ROWS>(set, row, x, y);
                row += ROWS * self.sets;
            }
            while row < rows {
                self.some_rows::<1>(set, row, x, y);
                row += self.sets;
            }
        }
    }

    /// Rows `row`, `row + sets`, .., `N` of them.
    fn some_rows<const N: usize>(&self, set: usize, row: usize, x: &[f32], y: &mut [f32]) {
        let blocks = self.outputs.div_ceil(LANES);
        let inputs: [&[f32]; N] =
            std::array::from_fn(|n| &x[(row + n * self.sets) * self.inputs..][..self.inputs]);
        for block in 0..blocks {
            let at = set * blocks + block;
            let weights = &self.weights[at * self.inputs..][..self.inputs];
            let mut sums = [self.bias[at]; N];
            for (input, weights) in weights.iter().enumerate() {
                for (sums, x) in sums.iter_mut().zip(&inputs) {
                    let x = x[input];
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum += x * weight;
                    }
                }
            }
            let (from, to) = (block * LANES, self.outputs.min((block + 1) * LANES));
            for (n, sums) in sums.iter().enumerate() {
                let out = &mut y[(row + n * self.sets) * self.outputs..][from..to];
                out.copy_from_slice(&sums[..to - from]);
            }
        }
    }
}

/// Dense layers with an activation between them and a linear head, `[rows, inputs]` to `[rows, outputs]`.
///
/// With several parameter sets, row `i` uses set `i % sets`: with one set for each agent that is the agent's own.
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<Dense>,
    activation: Activation,
    width: usize,
    hidden: Vec<f32>,
}

impl Mlp {
    /// A network of zeros with these layer widths, inputs first; there are at least two widths.
    pub(crate) fn new(sets: usize, widths: &[usize], activation: Activation) -> Self {
        let layers: Vec<_> =
            widths.windows(2).map(|pair| Dense::new(sets.max(1), pair[0], pair[1])).collect();
        let hidden = &widths[1..widths.len().max(2) - 1];
        let width = hidden.iter().copied().max().unwrap_or(0);
        Self { layers, activation, width, hidden: Vec::new() }
    }

    /// Length of an input row.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.inputs)
    }

    /// Length of an output row.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    /// Takes all parameters, layer by layer: weights `[sets, outputs, inputs]`, then biases `[sets, outputs]`.
    pub(crate) fn fill(&mut self, mut flat: &[f32]) {
        for layer in &mut self.layers {
            let (own, rest) = flat.split_at(layer.size());
            layer.fill(own);
            flat = rest;
        }
    }

    /// Computes `[rows, outputs]` from `[rows, inputs]`. Allocates only when there are more rows than ever before.
    pub(crate) fn forward(&mut self, x: &[f32], y: &mut [f32]) {
        let Self { layers, activation, width, hidden } = self;
        let Some((head, body)) = layers.split_last() else { return };
        let outputs = head.outputs.max(1);
        let rows = y.len() / outputs;
        let inputs = body.first().unwrap_or(head).inputs;
        // Two rows of hidden values for each row; at least 1, for there are no chunks of nothing.
        let room = (2 * *width).max(1);
        if hidden.len() < rows * room {
            hidden.resize(rows * room, 0.0);
        }
        let work = |block: usize, x: &[f32], y: &mut [f32], hidden: &mut [f32]| {
            let (rows, first) = (y.len() / outputs, block * BLOCK);
            let (mut from, mut to) = hidden.split_at_mut(rows * *width);
            let mut present = x;
            for layer in body {
                let out = &mut to[..rows * layer.outputs];
                layer.forward(first, present, out);
                activation.apply(out);
                (from, to) = (to, from);
                present = &from[..rows * layer.outputs];
            }
            head.forward(first, present, y);
        };
        if rows <= BLOCK {
            work(0, x, y, &mut hidden[..rows * room]);
        } else {
            y.par_chunks_mut(BLOCK * outputs)
                .zip(x.par_chunks((BLOCK * inputs).max(1)))
                .zip(hidden[..rows * room].par_chunks_mut(BLOCK * room))
                .enumerate()
                .for_each(|(block, ((y, x), hidden))| work(block, x, y, hidden));
        }
    }
}
