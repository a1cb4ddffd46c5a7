//! Games in normal form as sequential ones.

use super::{Node, Rules};
use crate::game::NormalForm;

/// A game in normal form in which players choose one after the other without seeing anything.
#[derive(Clone, Copy, Debug)]
pub struct OneMove<'a>(pub &'a NormalForm);

impl Rules for OneMove<'_> {
    type State = Vec<usize>;

    fn name(&self) -> String {
        self.0.title().to_owned()
    }

    fn players(&self) -> usize {
        self.0.players()
    }

    fn root(&self) -> Vec<usize> {
        Vec::new()
    }

    fn node(&self, state: &Vec<usize>) -> Node {
        if state.len() == self.0.players() { Node::Terminal } else { Node::Decision(state.len()) }
    }

    fn chance(&self, _state: &Vec<usize>, _out: &mut Vec<(u16, f64)>) {}

    fn legal(&self, state: &Vec<usize>, out: &mut Vec<u16>) {
        out.extend(0..self.0.shape()[state.len()] as u16);
    }

    fn apply(&self, state: &mut Vec<usize>, action: u16) {
        state.push(usize::from(action));
    }

    fn returns(&self, state: &Vec<usize>, out: &mut [f64]) {
        for (player, value) in out.iter_mut().enumerate() {
            *value = self.0.payoff_tensor(player)[state.as_slice()];
        }
    }

    fn information(&self, _state: &Vec<usize>, _player: usize) -> String {
        String::new()
    }

    fn action_name(&self, action: u16) -> String {
        // Players may name theirs differently; the tree asks by number only.
        (usize::from(action) + 1).to_string()
    }
}
