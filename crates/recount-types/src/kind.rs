//! What an error asks of the caller, coarse enough that each front end maps it in one `match`.

/// The kind of an error at the boundary of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong and will stay wrong: do not retry it unchanged.
    Invalid,
    /// A condition did not hold: read again and decide again.
    Conflict,
    /// The thing named does not exist.
    NotFound,
    /// Not allowed to this caller, or not in this mode.
    Denied,
    /// Too much at once, or a deadline passed: retry later.
    Busy,
    /// Cannot be served now (disk full, clock refused): an operator must act, then retry.
    Unavailable,
    /// Stored bytes are damaged: an operator must act.
    Corrupt,
    /// The database is closed, or closed itself after a failed write. The outcome of an append is unknown.
    Closed,
}
