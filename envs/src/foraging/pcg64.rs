//! numpy's `default_rng(seed)`, bit for bit: `PCG64` (XSL-RR 128/64) seeded through `SeedSequence`.
//!
//! Only foraging's `Reference` mode uses it, to reproduce boards of `lbforaging` from their seed.
//! Sources: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random
//! Number Generation" (2014); the documentation of `numpy.random`; spec `mansa-lbf.md` 2.4.

const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;

/// A numpy-compatible generator of 64-bit and 32-bit draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pcg64 {
    state: u128,
    increment: u128,
    /// The unused high half of the last 64-bit output.
    half: Option<u32>,
}

/// numpy's `SeedSequence(entropy).generate_state(4, uint64)`.
fn seed_sequence(entropy: &[u32]) -> [u64; 4] {
    const POOL: usize = 4;
    let mut multiplier = 0x43b0_d7e5_u32;
    let mut hash = |mut value: u32| {
        value ^= multiplier;
        multiplier = multiplier.wrapping_mul(0x931e_8875);
        value = value.wrapping_mul(multiplier);
        value ^ (value >> 16)
    };
    let mix = |x: u32, y: u32| {
        let value = 0xca01_f9dd_u32.wrapping_mul(x).wrapping_sub(0x4973_f715_u32.wrapping_mul(y));
        value ^ (value >> 16)
    };
    let mut pool = [0_u32; POOL];
    for (index, slot) in pool.iter_mut().enumerate() {
        *slot = hash(entropy.get(index).copied().unwrap_or(0));
    }
    for source in 0..POOL {
        for target in 0..POOL {
            if source != target {
                pool[target] = mix(pool[target], hash(pool[source]));
            }
        }
    }
    for &word in entropy.iter().skip(POOL) {
        for slot in &mut pool {
            *slot = mix(*slot, hash(word));
        }
    }
    let mut multiplier = 0x8b51_f9dd_u32;
    let mut words = [0_u32; 8];
    for (index, word) in words.iter_mut().enumerate() {
        let mut value = pool[index % POOL] ^ multiplier;
        multiplier = multiplier.wrapping_mul(0x58f3_8ded);
        value = value.wrapping_mul(multiplier);
        *word = value ^ (value >> 16);
    }
    std::array::from_fn(|index| u64::from(words[2 * index]) | u64::from(words[2 * index + 1]) << 32)
}

/// numpy splits an integer into 32-bit words, lowest first, without leading zero words (0 is one word).
fn push_words(entropy: &mut Vec<u32>, value: u64) {
    entropy.push(value as u32);
    if value >> 32 != 0 {
        entropy.push((value >> 32) as u32);
    }
}

impl Pcg64 {
    /// `numpy.random.default_rng(seed)`.
    pub fn seeded(seed: u64) -> Self {
        let mut entropy = Vec::with_capacity(2);
        push_words(&mut entropy, seed);
        Self::from_entropy(&entropy)
    }

    /// `numpy.random.default_rng([seed, episode])`.
    pub fn seeded_pair(seed: u64, episode: u32) -> Self {
        let mut entropy = Vec::with_capacity(3);
        push_words(&mut entropy, seed);
        entropy.push(episode);
        Self::from_entropy(&entropy)
    }

    fn from_entropy(entropy: &[u32]) -> Self {
        let [state_high, state_low, stream_high, stream_low] =
            seed_sequence(entropy).map(u128::from);
        let increment = ((stream_high << 64 | stream_low) << 1) | 1;
        let mut rng = Self { state: 0, increment, half: None };
        rng.advance();
        rng.state = rng.state.wrapping_add(state_high << 64 | state_low);
        rng.advance();
        rng
    }

    fn advance(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// The next 64-bit output; does not touch a kept half.
    pub fn next_u64(&mut self) -> u64 {
        self.advance();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    /// The next 32-bit draw: the low half of an output first, then its high half.
    pub fn next_u32(&mut self) -> u32 {
        if let Some(high) = self.half.take() {
            return high;
        }
        let both = self.next_u64();
        self.half = Some((both >> 32) as u32);
        both as u32
    }

    /// State, increment and kept half, for saved lanes.
    pub fn parts(&self) -> (u128, u128, Option<u32>) {
        (self.state, self.increment, self.half)
    }

    /// The generator with these [`parts`](Self::parts).
    pub fn from_parts(state: u128, increment: u128, half: Option<u32>) -> Self {
        Self { state, increment, half }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fact_23_start_values_and_first_outputs_are_numpys() {
        let mut zero = Pcg64::seeded(0);
        assert_eq!(zero.state, 35_399_562_948_360_463_058_890_781_895_381_311_971);
        assert_eq!(zero.increment, 87_136_372_517_582_989_555_478_159_403_783_844_777);
        assert_eq!(
            [zero.next_u64(), zero.next_u64(), zero.next_u64()],
            [11_749_869_230_777_074_271, 4_976_686_463_289_251_617, 755_828_109_848_996_024]
        );
        let mut one = Pcg64::seeded(1);
        assert_eq!(one.state, 207_833_532_711_051_698_738_587_646_355_624_148_094);
        assert_eq!(
            [one.next_u64(), one.next_u64()],
            [9_441_442_522_235_856_127, 17_532_960_557_476_522_086]
        );
    }

    #[test]
    fn a_32_bit_draw_takes_the_low_half_first() {
        let (mut halves, mut whole) = (Pcg64::seeded(7), Pcg64::seeded(7));
        let both = whole.next_u64();
        assert_eq!(halves.next_u32(), both as u32);
        assert_eq!(halves.next_u32(), (both >> 32) as u32);
        assert_eq!(halves.next_u32(), whole.next_u64() as u32);
    }
}
