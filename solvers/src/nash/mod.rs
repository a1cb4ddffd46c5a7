//! Nash equilibria.

mod bimatrix;
pub mod dynamics;
pub mod extreme;
pub mod halpern;
pub mod halpern_reduced;
pub mod lemke_howson;
pub mod linear_program;
pub mod logit;
pub mod polynomial;
pub mod pure;
mod saddle;
pub mod support_enumeration;
mod supports;
