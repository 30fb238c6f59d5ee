//! Numbers that must never be mixed. All but [`Time`] count from a stated first value and end at 2⁶³ − 1.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// An event's number in the database's one total order, from 1; 0 is before everything.
    /// A position is also a version of the whole database.
    Position(u64)
}
number! {
    /// Dense number of a frame in the journal, from 1. Users never see it.
    Lsn(u64)
}
number! {
    /// Number of a record within a topic partition, from 0, given when the record is written.
    Offset(i64)
}
number! {
    /// Number of an event within its stream, from 0.
    Revision(u64)
}
number! {
    /// Number of a topic, never reused. Ids below 16 are the system's.
    TopicId(u32)
}
number! {
    /// Number of an entity, from 1, never reused.
    EntityId(u32)
}
number! {
    /// Number of a view, from 1, never reused.
    ViewId(u32)
}
number! {
    /// Number of a partition within its topic, from 0.
    Partition(u32)
}
number! {
    /// Number of an opening of the database for writing, from 1.
    Epoch(u64)
}
number! {
    /// An instant: µs since 1970-01-01T00:00:00Z, without leap seconds.
    Time(i64)
}

/// The largest position, revision or offset.
pub const NUMBER_MAX: u64 = i64::MAX as u64;

impl Position {
    /// Before every event.
    pub const ZERO: Position = Position(0);
    /// Beyond every event: "as of now" in a read.
    pub const MAX: Position = Position(NUMBER_MAX);

    /// The position after this one.
    pub fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

impl Lsn {
    /// The lsn after this one.
    pub fn next(self) -> Lsn {
        Lsn(self.0 + 1)
    }
}
