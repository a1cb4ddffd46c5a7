//! The Risk-Averse Equilibrium: worked numbers, properties, enumeration, and growing a population.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rae {
    mod enumeration;
    mod expansion;
    mod properties;
    mod worked;
}
