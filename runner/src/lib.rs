//! Gambol: runner.
