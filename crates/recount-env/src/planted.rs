//! Protocol bugs, planted to see the simulation catch them. Only in builds with `--cfg planted`; in all others
//! [`is`] is `false` at compile time and nothing of this remains.

/// A bug that a journal or store might have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// A group is answered before its sync.
    AckBeforeSync = 1,
    /// A frame is written before the sync of the one before it returned.
    WriteBeforeSync = 2,
    /// A failed sync is tried again, and believed.
    RetriedSync = 3,
    /// Directories are not synced.
    NoDirectorySync = 4,
    /// Damage in the middle of the journal is cut off like a torn tail.
    MidLogCut = 5,
    /// The records of a transaction get positions when they are written.
    PositionBeforeCommit = 6,
    /// A refusal is answered before what it depends on is synced.
    UnsyncedRefusal = 7,
}

/// All of them, with the names by which they are asked for.
pub const ALL: [(&str, Bug); 7] = [
    ("ack-before-sync", Bug::AckBeforeSync),
    ("write-before-sync", Bug::WriteBeforeSync),
    ("retried-sync", Bug::RetriedSync),
    ("no-directory-sync", Bug::NoDirectorySync),
    ("mid-log-cut", Bug::MidLogCut),
    ("position-before-commit", Bug::PositionBeforeCommit),
    ("unsynced-refusal", Bug::UnsyncedRefusal),
];

/// True if this bug is planted.
#[cfg(not(planted))]
#[inline(always)]
pub const fn is(_bug: Bug) -> bool {
    false
}

#[cfg(planted)]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// True if this bug is planted.
#[cfg(planted)]
pub fn is(bug: Bug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) == bug as u8
}

/// Plants a bug in this process.
#[cfg(planted)]
pub fn plant(bug: Bug) {
    PLANTED.store(bug as u8, std::sync::atomic::Ordering::Relaxed);
}
