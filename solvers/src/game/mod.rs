//! Descriptions of games.

mod normal_form;

pub use normal_form::{GameError, NormalForm};
