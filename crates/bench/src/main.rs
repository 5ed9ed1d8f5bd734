//! Measures foretell beside its peers; never published.

fn main() {}
