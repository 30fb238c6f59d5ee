//! The HTTP front as its clients see it: over a loopback port, on a database in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod append;
mod append_many;
mod building;
mod client;
mod documents;
mod entities;
mod follow;
mod limits;
mod problems;
mod read;
mod server;
mod views;
