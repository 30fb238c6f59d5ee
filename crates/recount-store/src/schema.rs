//! What the events of a topic look like: its columns, its typed events, and what they say of an event.
//!
//! A value made by [`crate::ddl`] and kept as JSON in `_catalog` and in prologues: the JSON form is part of the
//! format, so fields are only ever added, left out at their default, and unknown ones refused.
//!
//! Invariants of a definition that `ddl` made: names are folded and unique; `key`, `type_by`, `timestamp_by` and
//! `tags` name columns of the topic itself; a name that two events share has one type.

use recount_types::TopicName;
use serde::{Deserialize, Serialize};

use crate::ddl::{AlterTopic, Alteration};

mod column_type;
mod format;

pub use column_type::{BadColumnType, ColumnType};
pub use format::{BadFormat, TimeFormat};

/// The definition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicDefinition {
    /// Its name.
    #[serde(with = "name")]
    pub name: TopicName,
    /// The columns of every event. Without any, and without events that have some, the payload is opaque.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// The types of events, each with further columns. If there are none, any type is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventDefinition>,
    /// The columns that name an event's stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The column that says an event's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_by: Option<String>,
    /// The column that says when it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_by: Option<String>,
    /// The columns that become tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagDefinition>,
    /// Number of partitions.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub partitions: u32,
    /// What becomes of records that do not fit.
    #[serde(default, skip_serializing_if = "OnError::is_refuse")]
    pub on_error: OnError,
}

/// A column: a typed view of one field of the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name, folded as Postgres does.
    pub name: String,
    /// Names of the fields that lead to its value.
    pub path: Vec<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether it may be missing or null.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub nullable: bool,
    /// What a number in a column of times counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<TimeUnit>,
    /// How a text in a column of times or dates is written, if not as RFC 3339 says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<TimeFormat>,
    /// Its value where an event has none, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// A type of events with its own columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDefinition {
    /// Its name in statements, folded.
    pub name: String,
    /// The event type that chooses it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Columns beside those of the topic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
}

/// A tag whose value a column says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagDefinition {
    /// Its name, before the colon.
    pub name: String,
    /// The column.
    pub column: String,
}

/// What a bare number counts, since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TimeUnit {
    /// Seconds, with up to six decimals.
    Seconds,
    /// Milliseconds, with up to three decimals.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds; times are kept to the microsecond they lie in.
    Nanos,
}

/// What becomes of Kafka records that do not fit their topic. Appends of our own are refused either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OnError {
    /// They are refused.
    #[default]
    Refuse,
    /// They are kept and shown in `<topic>_errors`.
    Keep,
}

impl OnError {
    fn is_refuse(&self) -> bool {
        *self == OnError::Refuse
    }
}

impl TopicDefinition {
    /// A topic without columns, with one partition.
    pub fn untyped(name: TopicName) -> TopicDefinition {
        TopicDefinition {
            name,
            columns: Vec::new(),
            events: Vec::new(),
            key: Vec::new(),
            type_by: None,
            timestamp_by: None,
            tags: Vec::new(),
            partitions: 1,
            on_error: OnError::Refuse,
        }
    }

    /// Whether payloads are opaque: no columns are declared, not even an event's.
    pub fn is_untyped(&self) -> bool {
        self.columns.is_empty() && self.events.iter().all(|event| event.columns.is_empty())
    }

    /// The column of this name that every event has.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Every column of a name: the topic's, or that of one or more of its events.
    pub(crate) fn columns_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Column> {
        let of_events = self.events.iter().flat_map(|event| &event.columns);
        self.columns.iter().chain(of_events).filter(move |column| column.name == name)
    }

    /// Whether the text of a column's values is kept in keys or tags, and so cannot change.
    pub(crate) fn is_frozen(&self, column: &str) -> bool {
        self.key.iter().any(|name| name == column) || self.tags.iter().any(|tag| tag.column == column)
    }

    /// The definition after an ALTER TOPIC.
    pub fn altered(&self, alter: &AlterTopic) -> Result<TopicDefinition, String> {
        let mut next = self.clone();
        match &alter.alteration {
            Alteration::AddColumn(column) => {
                if self.is_untyped() {
                    return Err(format!(
                        "topic {} has no columns: its payloads are opaque. Create a topic with columns",
                        self.name
                    ));
                }
                if self.columns_named(&column.name).next().is_some() {
                    return Err(format!("topic {} has a column {} already", self.name, column.name));
                }
                next.columns.push(column.clone());
            }
            Alteration::WidenColumn { column, column_type } => next.widen(column, *column_type)?,
        }
        Ok(next)
    }

    fn widen(&mut self, name: &str, to: ColumnType) -> Result<(), String> {
        let frozen = self.is_frozen(name);
        let of_events = self.events.iter_mut().flat_map(|event| &mut event.columns);
        let mut found = false;
        for column in self.columns.iter_mut().chain(of_events).filter(|column| column.name == name) {
            found = true;
            if !column.column_type.widens_to(to) {
                return Err(format!(
                    "column {name} is {}: not every value of it is one of {to}. Add a column of another name",
                    column.column_type
                ));
            }
            // A decimal's text has the digits of its scale: streams and tags would be other ones.
            if frozen && column.column_type.scale() != to.scale() {
                return Err(format!("column {name} is in KEY or TAG: its scale cannot change"));
            }
            column.column_type = to;
        }
        if found { Ok(()) } else { Err(format!("topic {} has no column {name}", self.name)) }
    }
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_yes(flag: &bool) -> bool {
    *flag
}

/// A name as JSON.
pub(crate) mod name {
    use super::{Deserialize, TopicName};

    pub(crate) fn serialize<S: serde::Serializer>(name: &TopicName, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(name.as_str())
    }

    pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<TopicName, D::Error> {
        let text = String::deserialize(d)?;
        TopicName::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
