//! The `thinveil` command.
fn main() {}
