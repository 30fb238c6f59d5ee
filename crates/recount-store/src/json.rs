//! JSON payloads: checked and cut into typed values in one pass over their text, without a tree.
//!
//! ```text
//!  scan.rs     walks the text once: syntax, UTF-8, depth, duplicate keys; remembers where declared fields are
//!  value.rs    reads such a field as the type of its column, and writes canonical texts
//!  number.rs   decimal numbers of any notation, exact
//!  time.rs     the ways to write a time
//!  string.rs   escapes, in and out
//! ```
//!
//! The text is the truth: nothing is rewritten, unknown fields stay. A field that is missing is null.

use crate::schema::{Column, EventDefinition, TopicDefinition};

mod number;
mod scan;
mod string;
mod time;
mod value;

use scan::Raw;
pub(crate) use scan::{BadJson, validate};
pub(crate) use string::{push_quoted, quoted, strings};
pub(crate) use value::{BadValue, Value, check_default, read};

/// Where the values of a topic's columns are in one payload.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    definition: &'a TopicDefinition,
    found: Vec<Raw<'a>>,
}

/// Why a payload does not fit its topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPayload {
    /// Not JSON.
    #[error("the payload is not JSON: {0}")]
    Json(#[from] BadJson),
    /// JSON, but no object.
    #[error("the payload is not an object: the topic's columns are its fields")]
    NoObject,
}

impl<'a> Fields<'a> {
    /// Walks a payload. Its values are checked when they are read.
    pub(crate) fn find(definition: &'a TopicDefinition, payload: &'a [u8]) -> Result<Fields<'a>, BadPayload> {
        let found = scan::scan(payload, &definition.columns, &definition.events)?;
        match payload.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Ok(Fields { definition, found }),
            _ => Err(BadPayload::NoObject),
        }
    }

    /// The value of a column that every event has; null if there is no such column.
    pub(crate) fn value(&self, name: &str) -> Result<Value<'a>, BadValue> {
        let columns = &self.definition.columns;
        let found = columns.iter().zip(&self.found).find(|(column, _)| column.name == name);
        found.map_or(Ok(Value::Null), |(column, raw)| read(column, *raw))
    }

    /// Checks the columns that every event has, and those of `event`.
    pub(crate) fn check(&self, event: Option<&EventDefinition>) -> Result<(), (&'a Column, BadValue)> {
        let mut found = self.found.iter();
        for column in &self.definition.columns {
            check(column, found.next())?;
        }
        for other in &self.definition.events {
            for column in &other.columns {
                let raw = found.next();
                if event.is_some_and(|event| std::ptr::eq(event, other)) {
                    check(column, raw)?;
                }
            }
        }
        Ok(())
    }
}

fn check<'a>(column: &'a Column, raw: Option<&Raw<'a>>) -> Result<(), (&'a Column, BadValue)> {
    read(column, raw.copied().unwrap_or(Raw::Null)).map(drop).map_err(|error| (column, error))
}

#[cfg(test)]
mod tests;
