//! Reads: events of a stream, of a topic, or of everything, in either direction, as of a position.

use recount_types::{Position, Revision, StreamName, Time, TopicName};

use crate::condition::QueryItem;

/// What to read.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// Whose events.
    pub scope: Scope,
    /// Where to begin.
    pub from: From,
    /// Which way.
    pub direction: Direction,
    /// At most so many events; `None` = all.
    pub limit: Option<usize>,
    /// Only events that match one of these; empty = all.
    pub filter: Vec<QueryItem>,
    /// As of this position: rounds down to a whole append; `Position::MAX` = now.
    pub as_of: Position,
}

impl ReadRequest {
    /// All events of `scope` from its beginning, as of now.
    pub fn all(scope: Scope) -> ReadRequest {
        ReadRequest {
            scope,
            from: From::Start,
            direction: Direction::Forward,
            limit: None,
            filter: Vec::new(),
            as_of: Position::MAX,
        }
    }
}

/// Whose events to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One stream's.
    Stream(StreamName),
    /// One topic's.
    Topic(TopicName),
    /// Everything; the system's topics only if asked for.
    All {
        /// With the topics whose names begin with `_`.
        system: bool,
    },
}

/// Where a read begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At the beginning; backwards: at the end.
    Start,
    /// At this revision, inclusive. Only on a stream.
    Revision(Revision),
    /// At this position, inclusive.
    Position(Position),
    /// Past this position, exclusive: after it, or before it when reading backwards.
    After(Position),
    /// At this append time, inclusive: the first event appended at or after it; backwards: the last at or before it.
    Time(Time),
}

/// Which way to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

mod cursor;
mod extent;
mod walk;

pub use cursor::EventCursor;
pub(crate) use cursor::{begin, last_before};
pub use extent::Extent;
pub(crate) use extent::{events_of, extent};
