//! The store as its fronts see it, on memory and on the simulated machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod appends;
mod entities;
mod equal_reads;
mod files;
mod reads;
mod subscriptions;
mod support;
mod topics;
mod transactions;
