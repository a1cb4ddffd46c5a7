//! Nash equilibria.

mod bimatrix;
pub mod dynamics;
pub mod extreme;
pub mod lemke_howson;
pub mod linear_program;
pub mod logit;
pub mod polynomial;
pub mod pure;
pub mod support_enumeration;
mod supports;
