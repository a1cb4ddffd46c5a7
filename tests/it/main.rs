//! The one integration binary.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test fails by panicking, and exactness is what is tested"
)]

mod conformance;
mod driving_golden;
mod driving_rules;
mod foraging_golden;
mod foraging_random;
mod foraging_rules;
mod playthrough;
mod trust_rules;
