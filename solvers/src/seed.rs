//! Addressed randomness: every draw of a run has an address (purpose, lane, episode).
//!
//! One `u64` seeds a run.
//! A generator for an address is `ChaCha8`, keyed by the seed, on the stream
//! `purpose << 48 | lane`, from word `episode << 32` on.
//! The address is packed, not hashed, so two addresses share no numbers as long as an episode
//! draws fewer than 2^32 words of 32 bits.
//! Any episode can therefore be drawn again without drawing the ones before it, and results do not
//! depend on how work is split over threads.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for; purposes never share numbers.
///
/// The discriminants are part of the format: they never change, new ones are appended.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Purpose {
    /// What happens inside an environment during an episode.
    Episode = 1,
    /// Exploration noise of learning policies.
    Explore = 2,
    /// Minibatch order and other draws of a learner.
    Learn = 3,
    /// Draws of an equilibrium solver (restarts, sampled play).
    Solve = 4,
    /// Episodes and draws of an evaluation.
    Evaluate = 5,
    /// MANSA's switching agent.
    Switch = 6,
    /// Simulated entries of an empirical payoff table.
    Payoff = 7,
    /// Random games and levels.
    Generate = 8,
    /// Draws of actions by a frozen or scripted policy.
    Policy = 9,
    /// Initial parameters.
    Init = 10,
}

/// All randomness of a run: the root seed, from which every address gets its generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    root: u64,
}

impl Streams {
    /// The streams of one root seed.
    pub const fn new(root: u64) -> Self {
        Self { root }
    }

    /// The root seed.
    pub const fn root(self) -> u64 {
        self.root
    }

    /// A generator at the start of an address.
    ///
    /// `lane` is a global environment index, an agent, a restart: whatever the purpose counts.
    pub fn at(self, purpose: Purpose, lane: u32, episode: u32) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.root);
        self.readdress(&mut rng, purpose, lane, episode);
        rng
    }

    /// Moves a generator made by [`at`](Self::at) of the same streams to another address.
    ///
    /// Cheaper than a new generator, but still 20 times a draw: for episode starts, not for steps.
    pub fn readdress(self, rng: &mut ChaCha8Rng, purpose: Purpose, lane: u32, episode: u32) {
        rng.set_stream(((purpose as u64) << 48) | u64::from(lane));
        rng.set_word_pos(u128::from(episode) << 32);
    }
}

/// A uniform integer in `0..n` without bias (Lemire 2019, "Fast Random Integer Generation in an
/// Interval", with rejection).
///
/// To the bit: draw `r` by `next_u32` and form the 64-bit product `r * n`; while its low half is
/// below `2^32 mod n`, draw again; the result is its high half.
/// `n = 0` gives 0 after one draw.
pub fn below(rng: &mut (impl Rng + ?Sized), n: u32) -> u32 {
    let mut product = u64::from(rng.next_u32()) * u64::from(n);
    if (product as u32) < n {
        let threshold = n.wrapping_neg() % n;
        while (product as u32) < threshold {
            product = u64::from(rng.next_u32()) * u64::from(n);
        }
    }
    (product >> 32) as u32
}

/// A uniform number in `[0, 1)`: the upper 53 bits of `next_u64`, times `2^-53`.
pub fn unit_f64(rng: &mut (impl Rng + ?Sized)) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
    (rng.next_u64() >> 11) as f64 * SCALE
}

/// The index that a uniform number `u` in `[0, 1)` picks from a distribution.
///
/// The first index whose running sum (left to right) exceeds `u`; rounding that leaves the total
/// at or below `u` gives the last index with positive probability.
/// An empty slice gives 0.
pub fn pick(distribution: &[f64], u: f64) -> usize {
    let mut sum = 0.0;
    let mut last = 0;
    for (index, &probability) in distribution.iter().enumerate() {
        if probability > 0.0 {
            last = index;
            sum += probability;
            if u < sum {
                return index;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_stable() {
        let mut rng = Streams::new(7).at(Purpose::Solve, 3, 2);
        assert_eq!(
            [rng.next_u64(), rng.next_u64(), rng.next_u64()],
            [7_855_555_511_233_075_074, 15_085_605_751_452_820_517, 11_456_301_319_490_841_621]
        );
        let mut rng = Streams::new(7).at(Purpose::Generate, 0, 0);
        let drawn: Vec<u32> = (0..8).map(|_| below(&mut rng, 10)).collect();
        assert_eq!(drawn, [7, 2, 3, 4, 3, 6, 2, 5]);
        assert_eq!(unit_f64(&mut rng).to_bits(), 4_598_275_558_582_972_860);
    }

    #[test]
    fn an_address_is_packed_as_documented() {
        let mut by_hand = ChaCha8Rng::seed_from_u64(11);
        by_hand.set_stream((4 << 48) | 9);
        by_hand.set_word_pos(5 << 32);
        let mut addressed = Streams::new(11).at(Purpose::Solve, 9, 5);
        assert_eq!(by_hand.next_u64(), addressed.next_u64());
    }

    #[test]
    fn readdressing_equals_a_new_generator() {
        let streams = Streams::new(1);
        let mut rng = streams.at(Purpose::Episode, 0, 0);
        rng.next_u32();
        for (lane, episode) in [(0, 1), (5, 0), (u32::MAX, u32::MAX)] {
            streams.readdress(&mut rng, Purpose::Explore, lane, episode);
            let mut fresh = streams.at(Purpose::Explore, lane, episode);
            for _ in 0..40 {
                assert_eq!(rng.next_u32(), fresh.next_u32());
            }
        }
    }

    #[test]
    fn neighbouring_addresses_share_no_numbers() {
        let streams = Streams::new(0);
        let mut seen = std::collections::BTreeSet::new();
        let purposes = [Purpose::Episode, Purpose::Explore, Purpose::Init];
        for purpose in purposes {
            for lane in 0..20 {
                for episode in 0..20 {
                    assert!(seen.insert(streams.at(purpose, lane, episode).next_u64()));
                }
            }
        }
        assert_eq!(seen.len(), 1200);
    }

    #[test]
    fn below_is_uniform_and_in_range() {
        let mut rng = Streams::new(3).at(Purpose::Solve, 0, 0);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[below(&mut rng, 7) as usize] += 1;
        }
        // Binomial standard deviation 92.6; five of them.
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 463), "{counts:?}");
        assert_eq!(below(&mut rng, 1), 0);
        assert_eq!(below(&mut rng, 0), 0);
    }

    #[test]
    fn pick_follows_the_running_sum() {
        let distribution = [0.25, 0.0, 0.75];
        assert_eq!(pick(&distribution, 0.0), 0);
        assert_eq!(pick(&distribution, 0.25), 2);
        assert_eq!(pick(&distribution, 0.999), 2);
        assert_eq!(pick(&[0.5, 0.4, 0.0], 0.95), 1);
    }
}
