//! Scalars as TensorBoard events.
//!
//! The two crates that write such events need `protoc` when they are built (`tboard`) or bring an image library and a
//! protobuf from 2021 (`tensorboard-rs`); what scalars need is this little.
//! Format: records of length, masked CRC-32C of the length, data, masked CRC-32C of the data; data is the protobuf
//! message `Event { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary { 1: Value { 1: string tag,
//! 2: float simple_value } } }`.

const DOUBLE: u8 = 1;
const BYTES: u8 = 2;
const FLOAT: u8 = 5;
const VARINT: u8 = 0;

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn key(to: &mut Vec<u8>, field: u8, kind: u8) {
    to.push(field << 3 | kind);
}

fn bytes(to: &mut Vec<u8>, field: u8, content: &[u8]) {
    key(to, field, BYTES);
    varint(to, content.len() as u64);
    to.extend_from_slice(content);
}

fn masked_crc(content: &[u8]) -> [u8; 4] {
    (crc32c::crc32c(content).rotate_right(15).wrapping_add(0xa282_ead8)).to_le_bytes()
}

fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut to = Vec::with_capacity(event.len() + 16);
    to.extend_from_slice(&length);
    to.extend_from_slice(&masked_crc(&length));
    to.extend_from_slice(event);
    to.extend_from_slice(&masked_crc(event));
    to
}

fn event(wall_time: f64) -> Vec<u8> {
    let mut to = Vec::new();
    key(&mut to, 1, DOUBLE);
    to.extend_from_slice(&wall_time.to_le_bytes());
    to
}

/// The record that every event file begins with.
pub(crate) fn version(wall_time: f64) -> Vec<u8> {
    let mut event = event(wall_time);
    bytes(&mut event, 3, b"brain.Event:2");
    record(&event)
}

/// The record of some scalars at one step.
pub(crate) fn scalars<'a>(
    wall_time: f64,
    step: u64,
    values: impl Iterator<Item = (&'a str, f64)>,
) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values {
        let mut entry = Vec::new();
        bytes(&mut entry, 1, tag.as_bytes());
        key(&mut entry, 2, FLOAT);
        entry.extend_from_slice(&(value as f32).to_le_bytes());
        bytes(&mut summary, 1, &entry);
    }
    let mut event = event(wall_time);
    key(&mut event, 2, VARINT);
    varint(&mut event, step);
    bytes(&mut event, 5, &summary);
    record(&event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_record_is_the_one_that_tensorflow_writes() {
        // wall_time 0: length 24, its CRC, the event, its CRC; computed with the `tensorboard` package.
        let record = version(0.0);
        assert_eq!(record.len(), 8 + 4 + 24 + 4);
        assert_eq!(&record[..8], &24_u64.to_le_bytes());
        assert_eq!(&record[12 + 9..12 + 11], &[0x1a, 13]);
    }

    #[test]
    fn scalars_hold_tag_value_and_step() {
        let record = scalars(1.5, 300, [("loss", 0.25)].into_iter());
        let event = &record[12..record.len() - 4];
        assert_eq!(&event[9..12], &[0x10, 0xac, 0x02]);
        assert!(event.windows(4).any(|window| window == b"loss"));
        assert!(event.ends_with(&0.25_f32.to_le_bytes()));
    }
}
