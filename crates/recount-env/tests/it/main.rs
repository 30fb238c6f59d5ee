//! Tests of the outside world, real and simulated.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod conformance;
mod crash;
mod damage;
mod machine;
mod tasks;
