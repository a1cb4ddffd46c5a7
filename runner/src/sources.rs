//! The files that a scenario names: games, frozen parameters.
//!
//! They are read once, when the plan is made, and a run directory keeps a copy of each beside its blake3 hash.
//! Resuming and verifying read the copies, so that they need neither the scenario's folder nor the files as they were.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::record::{RecordError, write};

/// Folder of the copies in a run directory.
const FOLDER: &str = "files";

/// A file that a run directory keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its path as the scenario gives it.
    pub path: String,
    /// Name of the copy in the folder `files` of the run directory.
    pub copy: String,
    /// blake3 of its bytes, in hexadecimal.
    pub blake3: String,
}

#[derive(Clone, Debug)]
enum Origin {
    Folder(PathBuf),
    Run(PathBuf, Vec<Kept>),
    Given,
}

/// Where a scenario's files come from, and those that were read.
#[derive(Clone, Debug)]
pub struct Sources {
    origin: Origin,
    read: BTreeMap<String, Vec<u8>>,
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn differs(kept: &Kept) -> String {
    format!("`{}` is not what it was when the run was started", kept.path)
}

impl Sources {
    /// Files relative to the folder that the scenario stands in.
    pub fn folder(base: &Path) -> Self {
        Self { origin: Origin::Folder(base.to_owned()), read: BTreeMap::new() }
    }

    /// The copies that a run directory keeps, as its manifest lists them.
    pub fn run(dir: &Path, kept: &[Kept]) -> Self {
        Self { origin: Origin::Run(dir.to_owned(), kept.to_vec()), read: BTreeMap::new() }
    }

    /// Files that are in memory already, by their paths as the scenario gives them; there are no others.
    pub fn given(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { origin: Origin::Given, read: files }
    }

    /// The bytes of one file, by its path as the scenario gives it.
    ///
    /// # Errors
    /// A sentence when it cannot be read, or when a copy is not what was copied.
    pub fn bytes(&mut self, path: &str) -> Result<&[u8], String> {
        if !self.read.contains_key(path) {
            let bytes = self.load(path)?;
            self.read.insert(path.to_owned(), bytes);
        }
        Ok(&self.read[path])
    }

    /// The text of one file.
    ///
    /// # Errors
    /// As for [`bytes`](Self::bytes), and when it is not UTF-8.
    pub fn text(&mut self, path: &str) -> Result<&str, String> {
        let text = std::str::from_utf8(self.bytes(path)?);
        text.map_err(|error| format!("`{path}` is not UTF-8 text ({error})"))
    }

    fn load(&self, path: &str) -> Result<Vec<u8>, String> {
        let load = |file: &Path| {
            fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
        };
        match &self.origin {
            Origin::Folder(base) => load(&base.join(path)),
            Origin::Given => Err(format!("`{path}` is not among the files that were given")),
            Origin::Run(dir, kept) => {
                let kept = kept.iter().find(|kept| kept.path == path).ok_or_else(|| {
                    format!("{} keeps no copy of `{path}`", dir.join(FOLDER).display())
                })?;
                let file = dir.join(FOLDER).join(&kept.copy);
                let bytes = load(&file)?;
                if hash(&bytes) == kept.blake3 {
                    Ok(bytes)
                } else {
                    Err(format!("{}; its copy {} was changed", differs(kept), file.display()))
                }
            }
        }
    }

    /// Copies every file that was read into a new run directory.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub(crate) fn keep(&self, dir: &Path) -> Result<Vec<Kept>, RecordError> {
        let folder = dir.join(FOLDER);
        if !self.read.is_empty() {
            fs::create_dir_all(&folder).map_err(RecordError::io("create", &folder))?;
        }
        let keep = |(index, (path, bytes)): (usize, (&String, &Vec<u8>))| {
            // A number before the name, since two folders may hold files of the same name.
            let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
            let copy = format!("{index}-{name}");
            write(&folder.join(&copy), bytes)?;
            Ok(Kept { path: path.clone(), copy, blake3: hash(bytes) })
        };
        self.read.iter().enumerate().map(keep).collect()
    }

    /// What differs between the files that were read and those that a run directory keeps, in a sentence.
    pub(crate) fn difference(&self, kept: &[Kept]) -> Option<String> {
        let changed =
            |kept: &&Kept| self.read.get(&kept.path).is_none_or(|bytes| hash(bytes) != kept.blake3);
        kept.iter().find(changed).map(differs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_read_back_and_changes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (base, run) = (dir.path().join("base"), dir.path().join("run"));
        for (path, bytes) in [("a/game.nfg", "one"), ("b/game.nfg", "two"), ("c.bin", "\u{fe}")] {
            fs::create_dir_all(base.join(path).parent().unwrap()).unwrap();
            fs::write(base.join(path), bytes).unwrap();
        }
        fs::write(base.join("c.bin"), [0xfe]).unwrap();
        fs::create_dir(&run).unwrap();
        let mut sources = Sources::folder(&base);
        assert_eq!(sources.text("a/game.nfg").unwrap(), "one");
        assert_eq!(sources.text("b/game.nfg").unwrap(), "two");
        assert!(sources.text("c.bin").unwrap_err().contains("is not UTF-8"));
        assert!(sources.text("d.nfg").unwrap_err().starts_with("cannot read "));
        let kept = sources.keep(&run).unwrap();
        assert_eq!(kept.len(), 3);
        assert_eq!(sources.difference(&kept), None);

        // The originals may change or go; the copies stand for them.
        fs::write(base.join("b/game.nfg"), "TWO").unwrap();
        let mut copies = Sources::run(&run, &kept);
        assert_eq!(copies.text("b/game.nfg").unwrap(), "two");
        assert_eq!(copies.bytes("c.bin").unwrap(), [0xfe]);
        let mut changed = Sources::folder(&base);
        for kept in &kept {
            changed.bytes(&kept.path).unwrap();
        }
        let why = changed.difference(&kept).unwrap();
        assert_eq!(why, "`b/game.nfg` is not what it was when the run was started");

        // A copy that somebody changed is not taken for the file.
        fs::write(run.join("files").join(&kept[0].copy), "ONE").unwrap();
        let why = Sources::run(&run, &kept).bytes("a/game.nfg").unwrap_err();
        assert!(why.ends_with("0-game.nfg was changed"), "{why}");
        let why = Sources::run(&run, &[]).bytes("a/game.nfg").unwrap_err();
        assert!(why.contains("keeps no copy"), "{why}");
    }
}
