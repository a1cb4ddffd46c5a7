//! Gambol: envs.
