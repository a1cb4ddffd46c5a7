//! Set-up and maintenance commands.
fn main() {}
