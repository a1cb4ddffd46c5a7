//! Files that are whole or absent: written beside, synced, renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why something could not be recorded or read back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} {why}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The run directory cannot be used for this.
    #[error("{0}")]
    Directory(String),
}

impl RecordError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn damaged(path: &Path, why: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.into() }
    }
}

/// Writes a whole file, or leaves the old one as it was.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = (|| {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The new name is only safe when the folder is.
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    })();
    if written.is_err() {
        // Half a file is of no use; that it may stay behind is no second error.
        let _ = fs::remove_file(&beside);
    }
    written.map_err(RecordError::io("write", path))
}

/// A file that grows line by line, or record by record, and can be cut back to a known length.
#[derive(Debug)]
pub(crate) struct Appended {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Appended {
    /// Opens the file and cuts it to `length` bytes.
    pub(crate) fn open(path: &Path, length: u64) -> Result<Self, RecordError> {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .map_err(RecordError::io("write", path))?;
        let found = file.metadata().map_err(RecordError::io("read", path))?.len();
        if found < length {
            let why = format!("has {found} bytes, the checkpoint was written when it had {length}");
            return Err(RecordError::damaged(path, why));
        }
        file.set_len(length).map_err(RecordError::io("write", path))?;
        file.flush().map_err(RecordError::io("write", path))?;
        Ok(Self { path: path.to_owned(), file, length })
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.file.write_all(bytes).map_err(RecordError::io("write", &self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&self) -> Result<(), RecordError> {
        self.file.sync_all().map_err(RecordError::io("write", &self.path))
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write(&path, b"one").unwrap();
        // A folder in the way of the file beside makes the second write fail.
        fs::create_dir(dir.path().join("a.json.part")).unwrap();
        let message = write(&path, b"two").unwrap_err().to_string();
        assert!(message.starts_with("cannot write"), "{message}");
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn appended_files_are_cut_and_never_stretched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.jsonl");
        let mut file = Appended::open(&path, 0).unwrap();
        file.append(b"one\ntwo\n").unwrap();
        let mut file = Appended::open(&path, 4).unwrap();
        file.append(b"2\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\n2\n");
        assert!(matches!(Appended::open(&path, 99), Err(RecordError::Damaged { .. })));
    }

    #[test]
    fn a_full_disk_is_an_error_and_not_a_panic() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let mut file = Appended {
            path: full.to_owned(),
            file: File::options().write(true).open(full).unwrap(),
            length: 0,
        };
        let message = file.append(b"x").unwrap_err().to_string();
        assert!(message.contains("No space left"), "{message}");
    }
}
