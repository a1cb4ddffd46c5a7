//! Nash solvers on games with known equilibria, and against each other on random games.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod nash {
    mod dynamics;
    mod gambit;
    mod games;
    mod halpern;
    mod known;
    mod linear_program;
    mod random;
    mod thousand;
}
