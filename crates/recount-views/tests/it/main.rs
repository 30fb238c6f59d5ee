//! Entities in a database in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod changes;
mod entities;
mod law;
mod series;
mod snapshots;
mod support;
