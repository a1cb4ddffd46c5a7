//! Temporary.
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Episode = 1,
    Explore = 2,
    Learn = 3,
    Solve = 4,
    Evaluate = 5,
    Switch = 6,
    Payoff = 7,
    Generate = 8,
    Policy = 9,
    Init = 10,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    root: u64,
}
impl Streams {
    pub const fn new(root: u64) -> Self {
        Self { root }
    }
    pub const fn root(self) -> u64 {
        self.root
    }
    pub fn at(self, purpose: Purpose, lane: u32, episode: u32) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.root);
        self.readdress(&mut rng, purpose, lane, episode);
        rng
    }
    pub fn readdress(self, rng: &mut ChaCha8Rng, purpose: Purpose, lane: u32, episode: u32) {
        rng.set_stream(((purpose as u64) << 48) | u64::from(lane));
        rng.set_word_pos(u128::from(episode) << 32);
    }
}
pub fn below(rng: &mut ChaCha8Rng, n: u32) -> u32 {
    let mut product = u64::from(rng.next_u32()) * u64::from(n);
    if (product as u32) < n {
        let threshold = n.wrapping_neg() % n;
        while (product as u32) < threshold {
            product = u64::from(rng.next_u32()) * u64::from(n);
        }
    }
    (product >> 32) as u32
}
pub fn unit_f64(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}
