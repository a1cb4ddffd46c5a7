//! The one integration binary.

mod conformance;
mod foraging_golden;
mod foraging_rules;
mod playthrough;
