//! Numbers about a store, for metrics and people.

use recount_types::{Lsn, Position, Time};

/// A snapshot of numbers about a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// The newest visible position.
    pub head: Position,
    /// The newest synced lsn.
    pub lsn: Lsn,
    /// When the newest append was made.
    pub last_append_time: Time,
    /// Events appended by this process.
    pub appended_events: u64,
    /// Appends made by this process.
    pub appends: u64,
    /// Appends refused by this process.
    pub refusals: u64,
    /// Commit groups written.
    pub groups: u64,
    /// Bytes of those groups.
    pub group_bytes: u64,
    /// Syncs of the journal.
    pub syncs: u64,
    /// Segment rolls.
    pub rolls: u64,
    /// Segment rolls that waited for the next segment.
    pub roll_waits: u64,
    /// Segments of the journal.
    pub segments: u64,
    /// Bytes of the memtable, estimated.
    pub memtable_bytes: u64,
    /// Index runs.
    pub runs: u64,
    /// Bytes of those runs.
    pub run_bytes: u64,
    /// Runs written from memtables.
    pub flushes: u64,
    /// Merges of runs.
    pub merges: u64,
    /// Times that the index could not be written.
    pub index_failures: u64,
    /// Topics, the system's included.
    pub topics: u64,
}
