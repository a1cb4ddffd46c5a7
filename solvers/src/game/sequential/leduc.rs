//! Leduc hold'em.

use super::{Node, Rules};

/// Leduc hold'em for two players: six cards of three ranks and two suits, one chip ante, a round of
/// betting after the private cards and one after a public card.
///
/// A raise costs 2 in the first round and 4 in the second, with at most two raises a round; a
/// player may fold only when there is a raise to answer.
/// A pair with the public card wins, else the higher rank; equal ranks share the pot.
///
/// Source: Southey and others, "Bayes' bluff: opponent modelling in poker", UAI 2005; legal actions
/// as in OpenSpiel's `leduc_poker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leduc {
    /// Whether players see suits, which decide nothing: 936 information sets, otherwise 288.
    pub suits: bool,
}

const FOLD: u16 = 0;
const CALL: u16 = 1;
const RAISE: u16 = 2;

const RANKS: u16 = 3;
const CARDS: u16 = 2 * RANKS;
/// Raises allowed in a round.
const RAISES: usize = 2;
/// What a raise adds in each round.
const BETS: [f64; 2] = [2.0, 4.0];

/// Cards dealt and actions of both rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Private cards of both players, then the public one; ranks only where suits are not seen.
    cards: Vec<u16>,
    rounds: [Vec<u16>; 2],
    folded: Option<usize>,
}

impl State {
    fn round(&self) -> usize {
        usize::from(closed(&self.rounds[0]))
    }
}

/// Whether a round's betting is over without a fold: the last action called, and it was not the
/// first.
fn closed(actions: &[u16]) -> bool {
    actions.len() > 1 && actions.last() == Some(&CALL)
}

fn raises(actions: &[u16]) -> usize {
    actions.iter().filter(|&&action| action == RAISE).count()
}

impl Leduc {
    fn rank(self, card: u16) -> u16 {
        if self.suits { card / 2 } else { card }
    }
}

impl Rules for Leduc {
    type State = State;

    fn name(&self) -> String {
        if self.suits { "Leduc hold'em" } else { "Leduc hold'em without suits" }.to_owned()
    }

    fn players(&self) -> usize {
        2
    }

    fn root(&self) -> State {
        State { cards: Vec::new(), rounds: [Vec::new(), Vec::new()], folded: None }
    }

    fn node(&self, state: &State) -> Node {
        let round = state.round();
        if state.folded.is_some() || closed(&state.rounds[1]) {
            Node::Terminal
        } else if state.cards.len() < 2 + round {
            Node::Chance
        } else {
            Node::Decision(state.rounds[round].len() % 2)
        }
    }

    fn chance(&self, state: &State, out: &mut Vec<(u16, f64)>) {
        let left = f64::from(CARDS) - state.cards.len() as f64;
        let (cards, copies) = if self.suits { (CARDS, 1) } else { (RANKS, 2) };
        for card in 0..cards {
            let dealt = state.cards.iter().filter(|&&dealt| dealt == card).count();
            if dealt < copies {
                out.push((card, (copies - dealt) as f64 / left));
            }
        }
    }

    fn legal(&self, state: &State, out: &mut Vec<u16>) {
        let actions = &state.rounds[state.round()];
        if actions.last() == Some(&RAISE) {
            out.push(FOLD);
        }
        out.push(CALL);
        if raises(actions) < RAISES {
            out.push(RAISE);
        }
    }

    fn apply(&self, state: &mut State, action: u16) {
        let round = state.round();
        if state.cards.len() < 2 + round {
            state.cards.push(action);
        } else {
            if action == FOLD {
                state.folded = Some(state.rounds[round].len() % 2);
            }
            state.rounds[round].push(action);
        }
    }

    fn returns(&self, state: &State, out: &mut [f64]) {
        // Both have paid the ante and what was called; the last raise of a round in which somebody
        // folded was paid by the other alone.
        let paid: f64 = state.rounds.iter().zip(BETS).map(|(a, bet)| bet * raises(a) as f64).sum();
        let winner = match state.folded {
            Some(player) => Some(1 - player),
            None => {
                let rank = |place: usize| self.rank(state.cards[place]);
                let public = rank(2);
                // A pair beats every rank.
                let strength = |player| (rank(player) == public, rank(player));
                match strength(0).cmp(&strength(1)) {
                    std::cmp::Ordering::Equal => None,
                    std::cmp::Ordering::Greater => Some(0),
                    std::cmp::Ordering::Less => Some(1),
                }
            }
        };
        let lost = match state.folded {
            Some(_) => 1.0 + paid - BETS[state.round()],
            None => 1.0 + paid,
        };
        for (player, value) in out.iter_mut().enumerate() {
            *value = match winner {
                None => 0.0,
                Some(winner) if winner == player => lost,
                Some(_) => -lost,
            };
        }
    }

    fn information(&self, state: &State, player: usize) -> String {
        let word = |actions: &[u16]| -> String {
            actions.iter().map(|&action| ['f', 'c', 'r'][usize::from(action)]).collect()
        };
        let public = state.cards.get(2).map(|card| format!("/{card}")).unwrap_or_default();
        let [first, second] = &state.rounds;
        format!("{}{public}:{}/{}", state.cards[player], word(first), word(second))
    }

    fn action_name(&self, action: u16) -> String {
        ["fold", "call", "raise"][usize::from(action)].to_owned()
    }
}
