//! Games with known equilibria (sources in the catalogue), and random ones.

use gambol_solvers::game::NormalForm;
use gambol_solvers::game::generate::Generator;
use gambol_solvers::seed::Streams;
use ndarray::{Array2, ArrayD, IxDyn, array};

pub(crate) fn bimatrix(a: &Array2<f64>, b: &Array2<f64>) -> NormalForm {
    NormalForm::bimatrix(a.view(), b.view()).unwrap()
}

pub(crate) fn zero_sum(a: &Array2<f64>) -> NormalForm {
    NormalForm::zero_sum(a.view()).unwrap()
}

pub(crate) fn symmetric(a: &Array2<f64>) -> NormalForm {
    NormalForm::symmetric(a.view()).unwrap()
}

pub(crate) fn asymmetric_pennies() -> NormalForm {
    zero_sum(&array![[2.0, -1.0], [-1.0, 1.0]])
}

pub(crate) fn stag_hunt() -> NormalForm {
    symmetric(&array![[4.0, 0.0], [3.0, 2.0]])
}

pub(crate) fn prisoners() -> NormalForm {
    symmetric(&array![[5.0, 0.0], [10.0, 1.0]])
}

pub(crate) fn biased_rps() -> NormalForm {
    zero_sum(&array![[0.0, -25.0, 50.0], [25.0, 0.0, -5.0], [-50.0, 5.0, 0.0]])
}

pub(crate) fn von_stengel_6x6() -> NormalForm {
    bimatrix(
        &array![
            [9504., -660., 19976., -20526., 1776., -8976.],
            [-111_771., 31680., -130_944., 168_124., -8514., 52764.],
            [397_584., -113_850., 451_176., -586_476., 29216., -178_761.],
            [171_204., -45936., 208_626., -263_076., 14124., -84436.],
            [1_303_104., -453_420., 1_227_336., -1_718_376., 72336., -461_736.],
            [737_154., -227_040., 774_576., -1_039_236., 48081., -300_036.]
        ],
        &array![
            [72336., 48081., 29216., 14124., 1776., -8514.],
            [-461_736., -300_036., -178_761., -84436., -8976., 52764.],
            [1_227_336., 774_576., 451_176., 208_626., 19976., -130_944.],
            [-1_718_376., -1_039_236., -586_476., -263_076., -20526., 168_124.],
            [1_303_104., 737_154., 397_584., 171_204., 9504., -111_771.],
            [-453_420., -227_040., -113_850., -45936., -660., 31680.]
        ],
    )
}

/// nashpy issue 82; both players minimise there.
pub(crate) fn nashpy_82() -> NormalForm {
    bimatrix(
        &-array![[0., 0., 6., 0., 0.], [0., 0., 3., 2., 1.], [4., 3., 0., 0., 1.]],
        &-array![[3., 0., 2., 1., 0.], [0., 2., 0., 0., 4.], [4., 0., 2., 4., 4.]],
    )
}

pub(crate) fn shapley_fig_3() -> NormalForm {
    bimatrix(
        &array![[0., 3., 0.], [2., 2., 0.], [3., 0., 1.]],
        &array![[0., 2., 3.], [3., 2., 0.], [0., 0., 1.]],
    )
}

pub(crate) fn von_stengel_3x2() -> NormalForm {
    bimatrix(&array![[3., 3.], [2., 5.], [0., 6.]], &array![[3., 2.], [2., 6.], [3., 1.]])
}

/// The 2x2x2 game of `McKelvey` and `McLennan` with nine equilibria.
pub(crate) fn mckelvey_mclennan() -> NormalForm {
    let nothing = [0.0; 3];
    // The first player's action changes fastest.
    let listed = [
        [9., 8., 12.],
        nothing,
        nothing,
        [9., 8., 2.],
        nothing,
        [3., 4., 6.],
        [3., 4., 6.],
        nothing,
    ];
    let tensor = |player: usize| {
        ArrayD::from_shape_fn(IxDyn(&[2, 2, 2]), |i| listed[i[0] + 2 * i[1] + 4 * i[2]][player])
    };
    NormalForm::new((0..3).map(tensor).collect()).unwrap()
}

/// A random bimatrix game with payoffs uniform in `[0, 1)`.
pub(crate) fn uniform(index: u32, rows: usize, columns: usize) -> NormalForm {
    let family = Generator::Uniform { actions: vec![rows, columns], low: 0.0, high: 1.0 };
    family.generate(Streams::new(17), index).unwrap()
}

/// A random bimatrix game with integer payoffs in `-bound..=bound`.
pub(crate) fn integer(index: u32, rows: usize, columns: usize, bound: i32) -> NormalForm {
    let family = Generator::Integer { actions: vec![rows, columns], low: -bound, high: bound };
    family.generate(Streams::new(18), index).unwrap()
}
