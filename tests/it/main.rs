//! The one integration binary.

mod foraging_golden;
mod foraging_rules;
