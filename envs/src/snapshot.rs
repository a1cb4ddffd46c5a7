//! Fixed byte layout of saved lanes: little-endian values, one after the other.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::batch::BatchError;

/// Appends values to a saved lane.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty lane of the kind `tag`; the tag names the environment and its layout.
    pub fn new(tag: &str) -> Self {
        let mut writer = Self::default();
        writer.u32(tag.len() as u32);
        writer.bytes.extend_from_slice(tag.as_bytes());
        writer
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends a 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a 128-bit number.
    pub fn u128(&mut self, value: u128) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends the bits of a number.
    pub fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }

    /// Appends the bits of a number.
    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Appends a generator: its key, stream and position.
    pub fn rng(&mut self, rng: &ChaCha8Rng) {
        self.bytes.extend_from_slice(&rng.get_seed());
        self.u64(rng.get_stream());
        self.u128(rng.get_word_pos());
    }

    /// The finished lane.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes values back from a saved lane, in the order in which they were written.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

fn damaged(why: impl Into<String>) -> BatchError {
    BatchError::Snapshot { why: why.into() }
}

impl<'a> Reader<'a> {
    /// Opens a saved lane of the kind `tag`.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] when the lane is of another kind.
    pub fn new(tag: &str, bytes: &'a [u8]) -> Result<Self, BatchError> {
        let mut reader = Self { bytes };
        let length = reader.u32()? as usize;
        let found = String::from_utf8_lossy(reader.take(length)?);
        if found == tag {
            Ok(reader)
        } else {
            Err(damaged(format!("it was saved by `{found}`, not by `{tag}`")))
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BatchError> {
        let (head, tail) =
            self.bytes.split_at_checked(length).ok_or_else(|| damaged("it ends too early"))?;
        self.bytes = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BatchError> {
        let (head, tail) =
            self.bytes.split_first_chunk().ok_or_else(|| damaged("it ends too early"))?;
        self.bytes = tail;
        Ok(*head)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] at the end of the bytes.
    pub fn u8(&mut self) -> Result<u8, BatchError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Takes a 32-bit number.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] at the end of the bytes.
    pub fn u32(&mut self) -> Result<u32, BatchError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Takes a 64-bit number.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] at the end of the bytes.
    pub fn u64(&mut self) -> Result<u64, BatchError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Takes a 128-bit number.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] at the end of the bytes.
    pub fn u128(&mut self) -> Result<u128, BatchError> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    /// Takes the bits of a number.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] at the end of the bytes.
    pub fn f32(&mut self) -> Result<f32, BatchError> {
        self.u32().map(f32::from_bits)
    }

    /// Takes the bits of a number.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] at the end of the bytes.
    pub fn f64(&mut self) -> Result<f64, BatchError> {
        self.u64().map(f64::from_bits)
    }

    /// Takes a generator.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] at the end of the bytes.
    pub fn rng(&mut self) -> Result<ChaCha8Rng, BatchError> {
        let mut rng = ChaCha8Rng::from_seed(self.array()?);
        rng.set_stream(self.u64()?);
        rng.set_word_pos(self.u128()?);
        Ok(rng)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`BatchError::Snapshot`] when bytes remain.
    pub fn finish(self) -> Result<(), BatchError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(damaged("it is too long")) }
    }
}
