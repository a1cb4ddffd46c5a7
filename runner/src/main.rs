//! The `gambol` binary.
fn main() {}
