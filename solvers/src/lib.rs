//! Gambol: solvers.
