//! JSON payloads: checked and cut into typed values in one pass over their text, without a tree.
//!
//! ```text
//!  paths.rs    which fields the columns of a topic are
//!  shape.rs    the keys of the payload before
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
mod paths;
mod scan;
mod shape;
mod string;
mod time;
mod value;

pub(crate) use paths::Paths;
use paths::all_columns;
use scan::Raw;
pub(crate) use scan::{BadJson, validate};
pub(crate) use shape::Shape;
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
    /// Walks a payload. Its values are checked when they are read. The paths are those of the definition, the shape that of
    /// other payloads of it.
    pub(crate) fn find(
        definition: &'a TopicDefinition,
        paths: &Paths,
        shape: &mut Shape,
        payload: &'a [u8],
    ) -> Result<Fields<'a>, BadPayload> {
        let found = scan::scan(payload, paths, shape)?;
        match payload.trim_ascii_start().first() {
            Some(b'{') => Ok(Fields { definition, found }),
            _ => Err(BadPayload::NoObject),
        }
    }

    /// The columns that were looked for, each with what stands at its path: those of every event, then those of
    /// one event after the other.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'a Column, Raw<'a>)> {
        all_columns(self.definition).zip(self.found.iter().copied())
    }

    /// The value of a column that every event has; null if there is no such column.
    pub(crate) fn value(&self, name: &str) -> Result<Value<'a>, BadValue> {
        let columns = &self.definition.columns;
        let found = columns.iter().zip(&self.found).find(|(column, _)| column.name == name);
        found.map_or(Ok(Value::Null), |(column, raw)| read(column, *raw))
    }

    /// Reads the columns that every event has, and checks those of `event`.
    pub(crate) fn check(
        &self,
        event: Option<&EventDefinition>,
    ) -> Result<Values<'a>, (&'a Column, BadValue)> {
        let columns = &self.definition.columns;
        let mut found = self.found.iter().copied();
        let mut values = Vec::with_capacity(columns.len());
        for column in columns {
            values.push(read_next(column, &mut found)?);
        }
        for other in &self.definition.events {
            for column in &other.columns {
                if event.is_some_and(|event| std::ptr::eq(event, other)) {
                    read_next(column, &mut found)?;
                } else {
                    found.next();
                }
            }
        }
        Ok(Values { columns, values })
    }
}

/// The values of the columns that every event of a topic has, in one payload.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    columns: &'a [Column],
    values: Vec<Value<'a>>,
}

impl<'a> Values<'a> {
    /// The value of a column; null if there is no such column.
    pub(crate) fn get(&self, name: &str) -> &Value<'a> {
        let found = self.columns.iter().zip(&self.values).find(|(column, _)| column.name == name);
        found.map_or(&Value::Null, |(_, value)| value)
    }
}

fn read_next<'a>(
    column: &'a Column,
    found: &mut impl Iterator<Item = Raw<'a>>,
) -> Result<Value<'a>, (&'a Column, BadValue)> {
    read(column, found.next().unwrap_or(Raw::Null)).map_err(|error| (column, error))
}

#[cfg(test)]
mod tests;
