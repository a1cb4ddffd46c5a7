//! Gambol: agents.
