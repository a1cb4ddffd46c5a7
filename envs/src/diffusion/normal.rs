//! Standard normal numbers, the same bits on every machine.

use std::sync::LazyLock;

use rand::Rng;

use crate::seed::unit_f64;

/// Boxes of equal area that cover the right half of the density.
const BOXES: usize = 256;
/// Where the lowest box ends and the tail begins, for 256 boxes (Doornik 2005, table 1).
const TAIL: f64 = 3.654_152_885_361_009;
/// The area of a box, that below the tail included.
const AREA: f64 = 0.004_928_673_233_974_654_6;

/// Draws from `N(0, 1)` by the ziggurat method (Marsaglia and Tsang 2000, in the form of Doornik 2005, which
/// uses each random bit once).
///
/// Of our own because `rand_distr` takes `exp` and `ln` from the system's library when any crate of the
/// build asks for that, and their last bits differ between systems.
#[derive(Debug)]
pub struct Normal {
    /// Right ends of the boxes, falling; the first is that of a box as wide as the lowest area needs.
    ends: [f64; BOXES + 1],
    /// The density (without its factor) at these ends.
    density: [f64; BOXES + 1],
}

fn density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x)
}

impl Normal {
    /// The sampler; its tables are made once.
    pub fn get() -> &'static Self {
        static NORMAL: LazyLock<Normal> = LazyLock::new(|| {
            let mut ends = [0.0; BOXES + 1];
            ends[0] = AREA / density(TAIL);
            ends[1] = TAIL;
            for i in 2..BOXES {
                let above = AREA / ends[i - 1] + density(ends[i - 1]);
                ends[i] = (-2.0 * libm::log(above)).sqrt();
            }
            Normal { ends, density: ends.map(density) }
        });
        &NORMAL
    }

    /// One number; about one draw of 64 bits each.
    #[inline]
    pub fn draw(&self, rng: &mut impl Rng) -> f64 {
        loop {
            let bits = rng.next_u64();
            let i = (bits & 0xFF) as usize;
            // The upper 52 bits, from -1 to 1.
            let u = (bits >> 12) as f64 * (2.0 / (1_u64 << 52) as f64) - 1.0;
            let x = u * self.ends[i];
            if x.abs() < self.ends[i + 1] {
                return x;
            }
            if let Some(x) = self.outside(i, x, rng) {
                return x;
            }
        }
    }

    /// The rare case that a point is not within its box's inner part: one in a hundred.
    #[cold]
    fn outside(&self, i: usize, x: f64, rng: &mut impl Rng) -> Option<f64> {
        if i == 0 {
            return Some(tail(rng).copysign(x));
        }
        let height = self.density[i] + (self.density[i + 1] - self.density[i]) * unit_f64(rng);
        (height < density(x)).then_some(x)
    }
}

/// A number beyond the lowest box (Marsaglia 1964).
fn tail(rng: &mut impl Rng) -> f64 {
    loop {
        // 1 - u is in (0, 1].
        let x = -libm::log(1.0 - unit_f64(rng)) / TAIL;
        let y = -libm::log(1.0 - unit_f64(rng));
        if y + y >= x * x {
            return TAIL + x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::{Purpose, Streams};

    #[test]
    fn boxes_have_equal_areas_and_close_at_the_top() {
        let normal = Normal::get();
        for i in 1..BOXES - 1 {
            let height = normal.density[i + 1] - normal.density[i];
            assert!((normal.ends[i] * height - AREA).abs() < 1e-12, "{i}");
        }
        let top = normal.ends[BOXES - 1] * (1.0 - normal.density[BOXES - 1]);
        assert!((top - AREA).abs() < 1e-9);
    }

    #[test]
    fn bits_are_pinned() {
        let mut rng = Streams::new(1).at(Purpose::Episode, 0, 0);
        let sum = (0..100_000)
            .fold(0_u64, |sum, _| sum.rotate_left(1) ^ Normal::get().draw(&mut rng).to_bits());
        assert_eq!(sum, 8_105_726_859_336_418_140);
    }

    #[test]
    fn moments_and_tails_are_those_of_the_normal_law() {
        const DRAWS: u32 = 4_000_000;
        let mut rng = Streams::new(2).at(Purpose::Episode, 0, 0);
        let (mut moments, mut beyond) = ([0.0; 4], [0_u32; 4]);
        for _ in 0..DRAWS {
            let x = Normal::get().draw(&mut rng);
            let mut power = 1.0;
            for moment in &mut moments {
                power *= x;
                *moment += power / f64::from(DRAWS);
            }
            for (count, from) in beyond.iter_mut().zip([1.0, 2.0, 3.0, 3.7]) {
                *count += u32::from(x.abs() > from);
            }
        }
        // Five standard errors each.
        let root = f64::from(DRAWS).sqrt();
        let expected = [(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0)];
        for (found, (mean, variance)) in moments.into_iter().zip(expected) {
            assert!((found - mean).abs() < 5.0 * f64::sqrt(variance) / root, "{moments:?}");
        }
        let shares = [0.317_310_507_9, 0.045_500_263_9, 0.002_699_796_1, 0.000_215_599_6];
        for (count, share) in beyond.into_iter().zip(shares) {
            let mean = share * f64::from(DRAWS);
            assert!((f64::from(count) - mean).abs() < 5.0 * mean.sqrt(), "{beyond:?}");
        }
    }
}
