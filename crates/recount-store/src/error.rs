//! Errors, one enum per operation, and what kind each is.

use recount_journal::JournalError;
use recount_types::{Kind, Position, Revision, StreamName, TopicName};

/// Why an append was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// There is no such topic.
    #[error("there is no topic {topic}. Create it first: CREATE TOPIC {topic}")]
    UnknownTopic {
        /// The name.
        topic: String,
    },
    /// The topic belongs to the system.
    #[error("topic {topic} belongs to the system; only Recount itself writes to it")]
    SystemTopic {
        /// The name.
        topic: TopicName,
    },
    /// An event does not fit its topic or a limit.
    #[error("event {index}: {what}. Nothing of this append was stored")]
    BadEvent {
        /// Its number in the request, from 0.
        index: usize,
        /// What is wrong and what to do.
        what: String,
    },
    /// The request itself is wrong.
    #[error("{what}. Nothing of this append was stored")]
    BadRequest {
        /// What is wrong and what to do.
        what: String,
    },
    /// A stream is not at the expected revision.
    #[error(
        "conflict: {stream} {}, you expected {}. Read {} and decide again",
        describe_actual(actual),
        describe_expected(expected),
        read_from(expected, *actual, stream)
    )]
    WrongRevision {
        /// The stream.
        stream: StreamName,
        /// What was expected.
        expected: crate::condition::Expected,
        /// The revision of its last event; `None` = it has no event.
        actual: Option<Revision>,
    },
    /// An event matches the query after the position that the caller had seen.
    #[error("conflict: an event that matches the condition was appended at position {at}, after {after}. Read from {} and decide again", after.0 + 1)]
    Matched {
        /// Up to where the caller had seen everything.
        after: Position,
        /// The position of a matching event.
        at: Position,
    },
    /// An id was used before, for other content or in another append.
    #[error(
        "conflict: the id {id:?} was used in topic {topic} at position {at}, for other content or in another append. Use a new id"
    )]
    IdReused {
        /// The topic.
        topic: TopicName,
        /// The id.
        id: String,
        /// The event that has it.
        at: Position,
    },
    /// A query condition would have to look at too many events.
    #[error(
        "the condition would look at more than {limit} events after position {after}. Name a rarer tag, or a later position"
    )]
    ScanLimit {
        /// How many it may look at.
        limit: usize,
        /// After which position.
        after: Position,
    },
    /// Waited for an open transaction until the deadline.
    #[error(
        "the append waited for an open transaction of producer {producer} on {topic} partition {partition} until its deadline. Nothing of it was stored; retry, or end the transaction"
    )]
    TransactionOpen {
        /// Who holds the partition.
        producer: i64,
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: u32,
    },
    /// Too many appends wait.
    #[error("too many appends wait to be written. Nothing of this one was stored; retry")]
    Busy,
    /// The wall clock jumped ahead.
    #[error(
        "appends are stopped: the clock jumped ahead by {ahead_s} s. Set it right, or confirm it with `recount serve --accept-clock`"
    )]
    ClockJumped {
        /// By how much, seconds.
        ahead_s: i64,
    },
    /// The disk is full.
    #[error("the disk is full: {what}. Nothing of this append was stored; free space and retry")]
    StorageFull {
        /// What could not be made.
        what: String,
    },
    /// Stored bytes that a condition needs are damaged.
    #[error("{what}")]
    Corrupt {
        /// File, offset, what.
        what: String,
    },
    /// A read that a condition needs failed.
    #[error("{what}. Nothing of this append was stored")]
    Io {
        /// What failed.
        what: String,
    },
    /// The database closed itself after a failed write, or was closed.
    #[error("{what}. Whether this append was stored is unknown: restart, then read it back")]
    Closed {
        /// Why.
        what: String,
    },
}

fn describe_actual(actual: &Option<Revision>) -> String {
    match actual {
        Some(revision) => format!("is at revision {revision}"),
        None => "has no events".to_owned(),
    }
}

fn describe_expected(expected: &crate::condition::Expected) -> String {
    use crate::condition::Expected::{Any, Exact, Exists, NoStream};
    match expected {
        Any => "anything".to_owned(),
        NoStream => "no stream".to_owned(),
        Exists => "an existing stream".to_owned(),
        Exact(revision) => format!("{revision}"),
    }
}

/// Where the caller has something to learn: behind what was expected, if the stream is that long.
fn read_from(expected: &crate::condition::Expected, actual: Option<Revision>, stream: &StreamName) -> String {
    match expected {
        crate::condition::Expected::Exact(revision) if actual > Some(*revision) => {
            format!("from {}", revision.0 + 1)
        }
        _ => format!("{stream}"),
    }
}

impl AppendError {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            AppendError::UnknownTopic { .. } => Kind::NotFound,
            AppendError::SystemTopic { .. } => Kind::Denied,
            AppendError::BadEvent { .. } | AppendError::BadRequest { .. } | AppendError::ScanLimit { .. } => {
                Kind::Invalid
            }
            AppendError::WrongRevision { .. }
            | AppendError::Matched { .. }
            | AppendError::IdReused { .. } => Kind::Conflict,
            AppendError::TransactionOpen { .. } | AppendError::Busy => Kind::Busy,
            AppendError::ClockJumped { .. } | AppendError::StorageFull { .. } | AppendError::Io { .. } => {
                Kind::Unavailable
            }
            AppendError::Corrupt { .. } => Kind::Corrupt,
            AppendError::Closed { .. } => Kind::Closed,
        }
    }
}

impl From<ReadError> for AppendError {
    fn from(error: ReadError) -> AppendError {
        match error {
            ReadError::Corrupt { what } => AppendError::Corrupt { what },
            other => AppendError::Io { what: other.to_string() },
        }
    }
}

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no such topic.
    #[error("there is no topic {topic}")]
    UnknownTopic {
        /// The name.
        topic: String,
    },
    /// The request itself is wrong.
    #[error("{what}")]
    BadRequest {
        /// What is wrong and what to do.
        what: String,
    },
    /// Damage met on the way.
    #[error("{what}")]
    Corrupt {
        /// File, offset, what.
        what: String,
    },
    /// The operating system refused a read.
    #[error("{what}")]
    Io {
        /// What failed.
        what: String,
    },
    /// The database was closed.
    #[error("the database is closed")]
    Closed,
}

impl ReadError {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            ReadError::UnknownTopic { .. } => Kind::NotFound,
            ReadError::BadRequest { .. } => Kind::Invalid,
            ReadError::Corrupt { .. } => Kind::Corrupt,
            ReadError::Io { .. } => Kind::Unavailable,
            ReadError::Closed => Kind::Closed,
        }
    }
}

impl From<JournalError> for ReadError {
    fn from(error: JournalError) -> ReadError {
        match error {
            JournalError::Corrupt(corruption) => ReadError::Corrupt { what: corruption.to_string() },
            JournalError::Io { .. } | JournalError::StorageFull { .. } | JournalError::Failed { .. } => {
                ReadError::Io { what: chain(&error) }
            }
        }
    }
}

impl From<recount_index::ReadError> for ReadError {
    fn from(error: recount_index::ReadError) -> ReadError {
        match error {
            recount_index::ReadError::Damage(damage) => ReadError::Corrupt {
                what: format!("{damage}: close the database, delete the folder index, open it again"),
            },
            recount_index::ReadError::Io { .. } => ReadError::Io { what: chain(&error) },
        }
    }
}

/// An error with its sources, for a person.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

/// Why a statement was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DdlError {
    /// The text is not a statement that exists.
    #[error("{0}")]
    Syntax(String),
    /// The topic exists already.
    #[error("topic {0} exists already")]
    Exists(TopicName),
    /// There is no such topic.
    #[error("there is no topic {0}")]
    NotFound(String),
    /// The entity exists already.
    #[error("entity {0} exists already: write CREATE OR REPLACE ENTITY to give it another definition")]
    EntityExists(TopicName),
    /// There is no such entity.
    #[error("there is no entity {0}")]
    NoEntity(TopicName),
    /// Its query names what does not exist.
    #[error("{0}")]
    Unknown(String),
    /// The view exists already.
    #[error("view {0} exists already: drop it first")]
    ViewExists(TopicName),
    /// There is no such view.
    #[error("there is no view {0}")]
    NoView(TopicName),
    /// Topics, entities and views share their names.
    #[error("{name} is the name of {by}: topics, entities and views share their names, choose another one")]
    Taken {
        /// The name.
        name: TopicName,
        /// What has it.
        by: &'static str,
    },
    /// Something reads it.
    #[error("{what} cannot be dropped: {reader} reads it. Drop that first")]
    InUse {
        /// The topic or view.
        what: String,
        /// What reads it.
        reader: String,
    },
    /// A limit or rule forbids it.
    #[error("{0}")]
    Invalid(String),
    /// Recording it failed.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl DdlError {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            DdlError::Syntax(_) | DdlError::Invalid(_) => Kind::Invalid,
            DdlError::Exists(_)
            | DdlError::EntityExists(_)
            | DdlError::ViewExists(_)
            | DdlError::Taken { .. }
            | DdlError::InUse { .. } => Kind::Conflict,
            DdlError::NotFound(_) | DdlError::NoEntity(_) | DdlError::NoView(_) | DdlError::Unknown(_) => {
                Kind::NotFound
            }
            DdlError::Append(error) => error.kind(),
        }
    }
}

/// Why a clean close did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database was not closed cleanly: {0}. The next opening recovers it")]
pub struct CloseError(pub String);
