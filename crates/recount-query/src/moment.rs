//! Moments: as of when, or over which time, a statement reads a relation.

use std::fmt;

use recount_store::time::format_rfc3339;
use recount_types::{Position, Time};

/// As of when a relation is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// As recorded at this position.
    pub position: Position,
    /// Of the events recorded by then, only those that happened until this time, inclusive.
    pub valid_time: Option<Time>,
    /// Not the rows at a moment, but those at each of many such times.
    pub valid_each: Option<Vec<Time>>,
    /// Not the rows at a moment, but their versions over a time of recording.
    pub system_span: Option<Span>,
    /// Not the rows at a moment, but their versions over a time of happening.
    pub valid_span: Option<Span>,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// From this time on, inclusive; `None` = from the beginning.
    pub from: Option<Time>,
    /// Until before this time; `None` = without an end.
    pub before: Option<Time>,
}

impl Moment {
    /// As of a position, whatever happened when.
    pub fn at(position: Position) -> Moment {
        Moment { position, valid_time: None, valid_each: None, system_span: None, valid_span: None }
    }
}

impl Span {
    /// Whether a time lies in it.
    pub fn contains(&self, time: Time) -> bool {
        self.from.is_none_or(|from| from <= time) && self.before.is_none_or(|before| time < before)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "as of position {}", self.position)?;
        if let Some(time) = self.valid_time {
            write!(f, ", what happened until {}", format_rfc3339(time))?;
        }
        if let Some(times) = &self.valid_each {
            write!(f, ", in one pass at each of {} times", times.len())?;
            if let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) {
                write!(f, " from {} to {}", format_rfc3339(*first), format_rfc3339(*last))?;
            }
        }
        if let Some(span) = self.system_span {
            write!(f, ", versions recorded {span}")?;
        }
        if let Some(span) = self.valid_span {
            write!(f, ", versions valid {span}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.before) {
            (None, None) => f.write_str("at any time"),
            (Some(from), None) => write!(f, "from {}", format_rfc3339(from)),
            (None, Some(before)) => write!(f, "before {}", format_rfc3339(before)),
            (Some(from), Some(before)) => {
                write!(f, "from {} to before {}", format_rfc3339(from), format_rfc3339(before))
            }
        }
    }
}
