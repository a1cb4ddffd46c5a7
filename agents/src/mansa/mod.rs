//! MANSA (Multi-Agent Network Selection Algorithm): a Global agent that decides at which states a centralised
//! learner is called, at a cost, while independent learners act everywhere else (Mguni et al., ICML 2023,
//! arXiv 2302.05910).
//!
//! The paper's text was not available to us beyond its abstract: the formalism here is a **reconstruction** as
//! standard switching control.

pub mod exact;
