//! Nash equilibria.

pub mod pure;
