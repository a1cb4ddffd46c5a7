//! Checkpoints as safetensors files.

use std::path::Path;

use gambol_agents::learner::{Checkpoint, Saved, Values};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::files::{RecordError, write};
use crate::digest::value_bytes;

fn dtype(values: &Values) -> Dtype {
    match values {
        Values::F32(_) => Dtype::F32,
        Values::F64(_) => Dtype::F64,
        Values::I64(_) => Dtype::I64,
        Values::U8(_) => Dtype::U8,
    }
}

/// The bytes of a checkpoint in the form of safetensors.
pub(crate) fn encode(path: &Path, checkpoint: &Checkpoint) -> Result<Vec<u8>, RecordError> {
    let damaged = |error: safetensors::SafeTensorError| {
        RecordError::damaged(path, format!("cannot be written: {error}"))
    };
    let mut views = Vec::with_capacity(checkpoint.tensors.len());
    for (name, Saved { shape, values }) in &checkpoint.tensors {
        let view = TensorView::new(dtype(values), shape.clone(), value_bytes(values));
        views.push((name, view.map_err(damaged)?));
    }
    safetensors::serialize(views, None).map_err(damaged)
}

/// Takes a checkpoint out of the bytes of a safetensors file.
pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Checkpoint, RecordError> {
    let damaged = |why: String| RecordError::damaged(path, why);
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| damaged(format!("is not a whole safetensors file: {error}")))?;
    let mut checkpoint = Checkpoint::default();
    for (name, view) in tensors.iter() {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => Values::F32(bytemuck::pod_collect_to_vec(data)),
            Dtype::F64 => Values::F64(bytemuck::pod_collect_to_vec(data)),
            Dtype::I64 => Values::I64(bytemuck::pod_collect_to_vec(data)),
            Dtype::U8 => Values::U8(data.to_vec()),
            other => {
                return Err(damaged(format!(
                    "holds `{name}` as {other:?}; F32, F64, I64 and U8 are known"
                )));
            }
        };
        checkpoint.tensors.insert(name.to_owned(), Saved { shape: view.shape().to_vec(), values });
    }
    Ok(checkpoint)
}

/// Reads a safetensors file.
///
/// # Errors
/// [`RecordError`] when it cannot be read or is not whole.
pub fn read(path: &Path) -> Result<Checkpoint, RecordError> {
    let bytes = std::fs::read(path).map_err(RecordError::io("read", path))?;
    decode(path, &bytes)
}

/// Writes a safetensors file and gives the blake3 hash of its bytes.
pub(crate) fn save(path: &Path, checkpoint: &Checkpoint) -> Result<String, RecordError> {
    let bytes = encode(path, checkpoint)?;
    write(path, &bytes)?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_write_read_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.safetensors");
        let mut checkpoint = Checkpoint::default();
        checkpoint.put_f32("a.weight", &[2, 3], vec![0.1, -0.0, f32::MIN_POSITIVE, 4.0, 5.0, 6.0]);
        checkpoint.put_f64("b", &[1], vec![std::f64::consts::PI]);
        checkpoint.put_i64("counters", vec![i64::MIN, 0, i64::MAX]);
        checkpoint.put_u8("lanes", (0..=255).collect());
        checkpoint.put_f32("empty", &[0], Vec::new());
        let hash = save(&path, &checkpoint).unwrap();
        let again = read(&path).unwrap();
        assert_eq!(again, checkpoint);
        assert_eq!(save(&path, &again).unwrap(), hash);
        // Half a file says so.
        let bytes = std::fs::read(&path).unwrap();
        let message = decode(&path, &bytes[..bytes.len() / 2]).unwrap_err().to_string();
        assert!(message.contains("is not a whole safetensors file"), "{message}");
    }
}
