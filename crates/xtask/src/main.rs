//! cargo xtask check: all of CI.

fn main() {}
