//! Policy evaluation in continuous time through the martingale that the value function makes.
//!
//! For reward rate `r`, terminal payoff `h` and discount `beta`, `J` is the value function exactly if
//! `J(T, x) = h(x)` and `M_t = exp(-beta t) J(t, X_t) + int_0^t exp(-beta s) r_s ds` is a martingale (Jia and
//! Zhou, JMLR 23(154), 2022, arXiv 2108.06655, and JMLR 23(275), 2022, arXiv 2111.11232). The methods ask this in
//! different ways, and differ where the truth is outside the family; see `docs/martingale.md`.
//!
//! The updates are those of the second paper's text and of reconstructions from it: the first paper's own
//! lines were not available to us.

mod dense;
pub mod family;
pub mod iterate;
pub mod method;
pub mod moments;
pub mod online;
pub mod problem;
