//! Games in normal form as users name them: a file, or an entry of the catalogue.

use std::path::{Path, PathBuf};

use gambol_solvers::game::nfg::{self, NfgError};
use gambol_solvers::game::{NormalForm, catalogue};
use thiserror::Error;

use crate::suggest;

/// Why there is no game.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GameFileError {
    /// Neither a file nor a name of the catalogue.
    #[error(
        "there is no file `{name}`, nor a game of that name in the catalogue{}; `gambol list games` names all",
        suggest::hint(.name, names())
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The catalogue has no such game.
    #[error(
        "the catalogue has no game `{name}`{}; `gambol list games` names all",
        suggest::hint(.name, names())
    )]
    NotInCatalogue {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not text.
    #[error("{} is not UTF-8 text from byte {at} on; save it as UTF-8", .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// First byte that is not, from 0.
        at: usize,
    },
    /// The text is not a game.
    #[error("{}", render(.name, .line, .source))]
    Nfg {
        /// The file or catalogue name.
        name: String,
        /// The offending line of its text.
        line: String,
        /// What is wrong, and where.
        source: NfgError,
    },
}

/// Longest part of an offending line that is shown, in characters.
const SHOWN: usize = 100;

fn render(name: &str, line: &str, error: &NfgError) -> String {
    let message = format!("{name}:{}:{}: {}", error.line, error.column, error.why);
    if line.chars().count() > SHOWN {
        return message;
    }
    // Tabs stay tabs before the caret, so that it stands below the right character.
    let before: String = line
        .chars()
        .take(error.column - 1)
        .map(|char| if char == '\t' { '\t' } else { ' ' })
        .collect();
    format!("{message}\n    {line}\n    {before}^")
}

fn names() -> impl Iterator<Item = &'static str> {
    catalogue::GAMES.iter().map(|entry| entry.name)
}

fn parse(name: &str, text: &str) -> Result<NormalForm, GameFileError> {
    nfg::read(text).map_err(|source| GameFileError::Nfg {
        name: name.to_owned(),
        line: text.lines().nth(source.line - 1).unwrap_or_default().to_owned(),
        source,
    })
}

/// The game of an `.nfg` file.
///
/// # Errors
/// [`GameFileError`].
pub fn file(path: &Path) -> Result<NormalForm, GameFileError> {
    let bytes = std::fs::read(path)
        .map_err(|source| GameFileError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|error| GameFileError::NotText {
        path: path.to_owned(),
        at: error.utf8_error().valid_up_to(),
    })?;
    parse(&path.display().to_string(), &text)
}

/// The game of that name in the catalogue.
///
/// # Errors
/// [`GameFileError::NotInCatalogue`].
pub fn named(name: &str) -> Result<NormalForm, GameFileError> {
    match catalogue::find(name) {
        Some(entry) => parse(entry.name, entry.text),
        None => Err(GameFileError::NotInCatalogue { name: name.to_owned() }),
    }
}

/// The game of a file if there is one of that name, otherwise of the catalogue.
///
/// # Errors
/// [`GameFileError`].
pub fn find(name: &str) -> Result<NormalForm, GameFileError> {
    let path = Path::new(name);
    // A folder that happens to have a game's name is no game.
    if path.exists() && !path.is_dir() {
        return file(path);
    }
    named(name).map_err(|_| match path.metadata() {
        Ok(_) => GameFileError::Read {
            path: path.to_owned(),
            source: std::io::Error::from(std::io::ErrorKind::IsADirectory),
        },
        Err(_) => GameFileError::Unknown { name: name.to_owned() },
    })
}
