//! Test models, comparers and fixtures; never published.
