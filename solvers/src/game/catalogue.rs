//! A catalogue of games whose equilibria are known.
//!
//! Each is an `.nfg` text in `assets/games`, with what is known about it and its source in the
//! comment field; the texts are part of the library.

use super::NormalForm;
use super::nfg::{self, NfgError};

/// One game of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name: the file's, without `.nfg`.
    pub name: &'static str,
    /// The `.nfg` text.
    pub text: &'static str,
}

impl Entry {
    /// The game itself.
    ///
    /// # Errors
    ///
    /// None in a build that passes its tests: every text is read there.
    pub fn game(&self) -> Result<NormalForm, NfgError> {
        nfg::read(self.text)
    }

    /// Where the game is from: the comment field after `Source: `.
    ///
    /// # Errors
    ///
    /// As [`Entry::game`].
    pub fn source(&self) -> Result<String, NfgError> {
        let game = self.game()?;
        let source = game.comment().split_once("Source: ").map(|(_, source)| source);
        Ok(source.unwrap_or_default().to_owned())
    }
}

/// The game of that name, if the catalogue has it.
pub fn find(name: &str) -> Option<&'static Entry> {
    GAMES.iter().find(|entry| entry.name == name)
}

macro_rules! games {
    ($($name:literal,)+) => {
        /// All games, in alphabetical order.
        pub const GAMES: &[Entry] = &[$(Entry {
            name: $name,
            text: include_str!(concat!("../../../assets/games/", $name, ".nfg")),
        },)+];
    };
}

games! {
    "asymmetric_matching_pennies",
    "battle_of_the_sexes",
    "biased_rock_paper_scissors",
    "chicken",
    "chicken_dare",
    "coordination_3x3",
    "degenerate_3x5",
    "hawk_3",
    "marginal_oracle",
    "matching_pennies",
    "mckelvey_mclennan",
    "prisoners_dilemma",
    "rock_paper_scissors",
    "rock_paper_scissors_water",
    "shapley_1964",
    "shapley_1974_figure_2",
    "shapley_1974_figure_3",
    "stag_hunt",
    "stag_hunt_3",
    "stag_hunt_tied",
    "von_stengel_3x2",
    "von_stengel_6x6",
    "zero_sum_2x3",
}
