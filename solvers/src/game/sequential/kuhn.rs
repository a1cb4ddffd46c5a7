//! Kuhn poker.

use super::{Node, Rules};

/// Kuhn poker for any number of players: one card each from a deck of one card more than players,
/// one chip ante, and one bet of one chip.
///
/// Players pass or bet in turn; after a bet every other player once calls (`bet`) or folds
/// (`pass`).
/// The highest card among those who bet takes the pot, or among all if nobody did.
///
/// Source: Kuhn, "A simplified two-person poker", Contributions to the Theory of Games 1, 1950;
/// for more players as in OpenSpiel's `kuhn_poker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kuhn {
    /// Number of players, 2 to 10.
    pub players: usize,
}

/// Passing, or folding after a bet.
const PASS: u16 = 0;
/// Betting, or calling a bet.
const BET: u16 = 1;

/// Cards dealt so far and moves made so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    cards: Vec<u16>,
    moves: Vec<u16>,
}

impl State {
    /// The move that was the first bet.
    fn first_bet(&self) -> Option<usize> {
        self.moves.iter().position(|&action| action == BET)
    }
}

impl Rules for Kuhn {
    type State = State;

    fn name(&self) -> String {
        format!("Kuhn poker for {} players", self.players)
    }

    fn players(&self) -> usize {
        self.players
    }

    fn root(&self) -> State {
        State { cards: Vec::new(), moves: Vec::new() }
    }

    fn node(&self, state: &State) -> Node {
        if state.cards.len() < self.players {
            return Node::Chance;
        }
        let last = state.first_bet().unwrap_or(0) + self.players;
        if state.moves.len() == last {
            Node::Terminal
        } else {
            Node::Decision(state.moves.len() % self.players)
        }
    }

    fn chance(&self, state: &State, out: &mut Vec<(u16, f64)>) {
        let left = self.players + 1 - state.cards.len();
        let cards = (0..=self.players as u16).filter(|card| !state.cards.contains(card));
        out.extend(cards.map(|card| (card, 1.0 / left as f64)));
    }

    fn legal(&self, _state: &State, out: &mut Vec<u16>) {
        out.extend([PASS, BET]);
    }

    fn apply(&self, state: &mut State, action: u16) {
        if state.cards.len() < self.players {
            state.cards.push(action);
        } else {
            state.moves.push(action);
        }
    }

    fn returns(&self, state: &State, out: &mut [f64]) {
        let bet = |player: usize| {
            let own = state.moves.iter().skip(player).step_by(self.players);
            own.into_iter().any(|&action| action == BET)
        };
        let anybody = state.first_bet().is_some();
        let mut winner = None;
        let mut pot = 0.0;
        for (player, paid) in out.iter_mut().enumerate() {
            *paid = if bet(player) { 2.0 } else { 1.0 };
            pot += *paid;
            let better = winner.is_none_or(|best| state.cards[player] > state.cards[best]);
            if (bet(player) || !anybody) && better {
                winner = Some(player);
            }
        }
        for (player, paid) in out.iter_mut().enumerate() {
            *paid = if winner == Some(player) { pot - *paid } else { -*paid };
        }
    }

    fn information(&self, state: &State, player: usize) -> String {
        let moves: String =
            state.moves.iter().map(|&action| if action == BET { 'b' } else { 'p' }).collect();
        format!("{}{moves}", state.cards[player])
    }

    fn action_name(&self, action: u16) -> String {
        if action == BET { "bet" } else { "pass" }.to_owned()
    }
}
