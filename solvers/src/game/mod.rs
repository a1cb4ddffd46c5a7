//! Descriptions of games.

pub mod catalogue;
pub mod generate;
pub mod joint;
pub mod nfg;
mod noise;
mod normal_form;
pub mod sequential;

pub use noise::Noise;
pub use normal_form::{GameError, NormalForm};
