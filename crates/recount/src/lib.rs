//! The embedded library.
