//! Small sequential games with hidden information, by their rules.
//!
//! A game says who moves, what chance does, which actions are legal, what they lead to and what a
//! play is worth; [`Tree`] walks it once into flat arrays on which everything is computed.

mod kuhn;
mod leduc;
mod one_move;

pub use kuhn::Kuhn;
pub use leduc::Leduc;
pub use one_move::OneMove;

use crate::tree::{Tree, TreeError};

/// Who moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// Chance draws.
    Chance,
    /// This player chooses.
    Decision(usize),
    /// The play is over.
    Terminal,
}

/// A sequential game small enough to be walked.
///
/// Players must remember what they knew and did (perfect recall), which [`Tree::new`] checks.
pub trait Rules {
    /// A position, with everything that happened.
    type State: Clone;

    /// Name of the game.
    fn name(&self) -> String;

    /// Number of players, at least 1.
    fn players(&self) -> usize;

    /// The position at the start.
    fn root(&self) -> Self::State;

    /// Who moves in a position.
    fn node(&self, state: &Self::State) -> Node;

    /// What chance may do where it moves: outcomes with their positive probabilities, of sum 1.
    fn chance(&self, state: &Self::State, out: &mut Vec<(u16, f64)>);

    /// The actions of the player who moves, at least one.
    ///
    /// They are the same in every position of an information set.
    fn legal(&self, state: &Self::State, out: &mut Vec<u16>);

    /// Moves on by a legal action or an outcome of chance.
    fn apply(&self, state: &mut Self::State, action: u16);

    /// What every player gets where the play is over.
    fn returns(&self, state: &Self::State, out: &mut [f64]);

    /// All that `player` knows where it moves: the name of its information set.
    fn information(&self, state: &Self::State, player: usize) -> String;

    /// An action in words.
    fn action_name(&self, action: u16) -> String;
}

/// A sequential game of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// One line: what it is, and what is known about it.
    pub about: &'static str,
    walk: fn() -> Result<Tree, TreeError>,
}

impl Entry {
    /// The game's tree.
    ///
    /// # Errors
    ///
    /// None in a build that passes its tests: every game is walked there.
    pub fn tree(&self) -> Result<Tree, TreeError> {
        (self.walk)()
    }
}

/// The sequential games that a command line or a scenario may name.
pub const GAMES: &[Entry] = &[
    Entry {
        name: "kuhn_poker",
        about: "Kuhn's poker of three cards, value -1/18 for the first player (Kuhn 1950)",
        walk: || Tree::new(&Kuhn { players: 2 }),
    },
    Entry {
        name: "kuhn_poker_3",
        about: "the same for three players and four cards (Abou Risk and Szafron 2010)",
        walk: || Tree::new(&Kuhn { players: 3 }),
    },
    Entry {
        name: "leduc_poker",
        about: "Leduc hold'em, 936 information sets, value -0.085606 (Southey and others 2005)",
        walk: || Tree::new(&Leduc { suits: true }),
    },
    Entry {
        name: "leduc_poker_ranks",
        about: "the same without suits, which decide nothing: 288 information sets",
        walk: || Tree::new(&Leduc { suits: false }),
    },
];

/// The sequential game of that name, if the catalogue has it.
pub fn find(name: &str) -> Option<&'static Entry> {
    GAMES.iter().find(|entry| entry.name == name)
}
