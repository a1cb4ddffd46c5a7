//! Group-in-Group Policy Optimization: advantages without a critic, from groups of episodes that
//! began in the same state.
//!
//! Feng, Xue, Liu and An, NeurIPS 2025 (arXiv 2505.10978); their code is `verl-agent`. Paper and code differ
//! in which entries make up a statistic, and both are here under names that say so ([`advantage::Statistics`],
//! [`advantage::LoneGroup`]); the defaults are the code's.
//!
//! The estimator is a pure function over [`rows::Rows`], wherever they were logged.

pub mod advantage;
pub mod diagnostics;
pub mod grouping;
pub mod rows;
pub mod similarity;
