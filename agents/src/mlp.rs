//! The forward pass of dense layers in our own code: no libtorch, the same bits on every machine.
//!
//! Every output is `bias + x[0] w[0] + x[1] w[1] + ..`, summed in that order in single precision and never fused.
//! Rows and outputs are worked on side by side, which does not change any sum.

use serde::{Deserialize, Serialize};

/// Outputs computed side by side: two AVX2 registers.
const LANES: usize = 16;
/// Rows computed side by side, so that each weight that is read serves four of them.
const ROWS: usize = 4;

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
    pub(crate) fn apply(self, values: &mut [f32]) {
        match self {
            // Not `max`, which would turn a NaN into 0 and hide it.
            Self::Relu => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
            Self::Tanh => values.iter_mut().for_each(|x| *x = libm::tanhf(*x)),
        }
    }
}

/// `sums + x weights`, written out so that it is two vector operations in every profile.
#[expect(clippy::inline_always, reason = "a call would cost more than the sums")]
#[inline(always)]
fn add_scaled(s: [f32; LANES], x: f32, w: &[f32; LANES]) -> [f32; LANES] {
    [
        s[0] + x * w[0],
        s[1] + x * w[1],
        s[2] + x * w[2],
        s[3] + x * w[3],
        s[4] + x * w[4],
        s[5] + x * w[5],
        s[6] + x * w[6],
        s[7] + x * w[7],
        s[8] + x * w[8],
        s[9] + x * w[9],
        s[10] + x * w[10],
        s[11] + x * w[11],
        s[12] + x * w[12],
        s[13] + x * w[13],
        s[14] + x * w[14],
        s[15] + x * w[15],
    ]
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
                // No iterator: with the checks of the `dev` profile it would keep the sums out of registers.
                let mut n = 0;
                while n < N {
                    sums[n] = add_scaled(sums[n], inputs[n][input], weights);
                    n += 1;
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
