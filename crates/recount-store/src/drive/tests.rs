//! Who leads, and when it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use recount_env::{block_on, memory::memory_env};

use super::*;
use crate::open::{OpenOptions, open};

/// A database was closed while the background task was about to ask for a seal, past its look at the sign to stop. It
/// led, found no writer and work that nobody would do, and looked again for ever; closing waited for it (once in
/// some 80,000 closings). What is asked for once the writer is gone is no work.
#[test]
fn a_lead_ends_when_the_writer_is_gone() {
    let database = block_on(open(memory_env(), Path::new("/db"), OpenOptions::default())).unwrap();
    lock(&database.inner.sequencer).closing = true;
    block_on(database.drain());
    let writer = database.take_writer().unwrap();
    lock(&database.inner.sequencer).seal_requested = true;
    block_on(database.drive());
    assert!(!lock(&database.inner.sequencer).driving, "it does not lead any more");
    block_on(database.drain());
    assert!(database.take_writer().is_none(), "it was taken once");
    drop(writer);
}
