//! MANSA (Multi-Agent Network Selection Algorithm): a Global agent that decides at which states a centralised
//! learner is called, at a cost, while independent learners act everywhere else (Mguni et al., ICML 2023,
//! arXiv 2302.05910).
//!
//! The paper's text was not available to us beyond its abstract: the formalism here is a **reconstruction** as
//! standard switching control.

//!
//! [`Mansa`] wraps any two agents through the traits of this crate, a user's own too, and a learner that decides
//! between them. What is our own choice where the paper's text is not known stands in `docs/mansa.md`.

mod act;
mod agent;
pub mod budget;
pub mod exact;
mod global;
mod learner;
mod steps;
mod switch;

pub use agent::{Mansa, Member, Variant};
pub use switch::Switch;
