//! Payloads out of rows: each value at its column's path, written as the column reads it.

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use recount_store::schema::{Column, ColumnType, TimeUnit, TopicDefinition};
use recount_store::time::{parse_rfc3339, parse_without_zone};

use super::rfc3339;
use crate::arrays;
use crate::cells::{instant, is_null, push_json, push_quoted, push_text};
use crate::error::QueryError;
use crate::format::type_name;

/// Makes payloads.
#[derive(Debug)]
pub(super) struct Payloads<'a> {
    root: Node<'a>,
    /// A topic without columns: the place of its `data`.
    verbatim: Option<usize>,
}

/// An object of the payload, or a value in it.
#[derive(Debug)]
enum Node<'a> {
    Object(Vec<(&'a str, Node<'a>)>),
    Value { place: usize, column: &'a Column, field: Field },
}

impl<'a> Payloads<'a> {
    /// Payloads of a topic, from the columns at these places of rows. Refuses what cannot be written exactly.
    pub(super) fn new(
        definition: &'a TopicDefinition,
        columns: &[(usize, &str)],
        schema: &Schema,
    ) -> Result<Payloads<'a>, QueryError> {
        let mut root = Node::Object(Vec::new());
        if definition.is_untyped() {
            return Ok(Payloads { root, verbatim: columns.first().map(|(place, _)| *place) });
        }
        for &(place, name) in columns {
            let of_events = definition.events.iter().flat_map(|event| &event.columns);
            let mut found = definition.columns.iter().chain(of_events).filter(|column| column.name == name);
            let Some(column) = found.next() else { continue };
            if found.any(|other| other != column) {
                return Err(QueryError::Invalid(format!(
                    "column {name} is written in several ways by the events of {}: append JSON instead",
                    definition.name
                )));
            }
            let field = schema.field(place);
            check(column, field)?;
            root.insert(&column.path, place, column, field);
        }
        Ok(Payloads { root, verbatim: None })
    }

    /// The payload of a row.
    pub(super) fn payload(&self, batch: &RecordBatch, row: usize) -> Result<String, QueryError> {
        let mut out = String::new();
        match self.verbatim {
            Some(place) => push_text(&mut out, batch.column(place), row),
            None => {
                if !self.root.push(&mut out, batch, row)? {
                    out.push_str("{}");
                }
            }
        }
        Ok(out)
    }
}

impl<'a> Node<'a> {
    fn insert(&mut self, path: &'a [String], place: usize, column: &'a Column, field: &Field) {
        let (Node::Object(members), Some((name, rest))) = (self, path.split_first()) else { return };
        if rest.is_empty() {
            members.push((name, Node::Value { place, column, field: field.clone() }));
            return;
        }
        let known =
            members.iter().position(|(member, node)| member == name && matches!(node, Node::Object(_)));
        let known = known.unwrap_or_else(|| {
            members.push((name, Node::Object(Vec::new())));
            members.len() - 1
        });
        members[known].1.insert(rest, place, column, field);
    }

    /// Adds the value or object; nothing and false if there is none.
    fn push(&self, out: &mut String, batch: &RecordBatch, row: usize) -> Result<bool, QueryError> {
        match self {
            Node::Value { place, column, field } => {
                let array = batch.column(*place);
                if is_null(array, row) {
                    return Ok(false);
                }
                push_value(out, column, array, field, row)?;
                Ok(true)
            }
            Node::Object(members) => {
                let begin = out.len();
                for (name, node) in members {
                    let before = out.len();
                    out.push(if before == begin { '{' } else { ',' });
                    push_quoted(out, name);
                    out.push(':');
                    if !node.push(out, batch, row)? {
                        out.truncate(before);
                    }
                }
                let is_any = out.len() > begin;
                out.push_str(if is_any { "}" } else { "" });
                Ok(is_any)
            }
        }
    }
}

/// Refuses types that would lose something, or that nobody can write.
fn check(column: &Column, field: &Field) -> Result<(), QueryError> {
    let refused = |what: &str| {
        Err(QueryError::Invalid(format!(
            "column {} is {}, and the value is {}: {what}",
            column.name,
            column.column_type,
            type_name(field)
        )))
    };
    let data_type = field.data_type();
    let is_decimal = matches!(column.column_type, ColumnType::Decimal { .. });
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 if is_decimal => {
            refused("a DOUBLE becomes a DECIMAL only by CAST or round")
        }
        DataType::Timestamp(..) | DataType::Date32 if column.format.is_some() => {
            refused("write it as a text of the form that the column's FORMAT declares")
        }
        DataType::Date32 if !matches!(column.column_type, ColumnType::Date | ColumnType::Text) => {
            refused("a day is no time of a day, CAST it")
        }
        DataType::Timestamp(_, zone) => match (column.column_type, zone.is_some()) {
            (ColumnType::TimestampTz, true) | (ColumnType::Timestamp, false) | (ColumnType::Text, _) => {
                Ok(())
            }
            _ => refused("CAST it"),
        },
        _ => Ok(()),
    }
}

fn push_value(
    out: &mut String,
    column: &Column,
    array: &ArrayRef,
    field: &Field,
    row: usize,
) -> Result<(), QueryError> {
    let text = || {
        let mut text = String::new();
        push_text(&mut text, array, row);
        text
    };
    match (column.column_type, field.data_type()) {
        (ColumnType::Json, DataType::Utf8) => out.push_str(&text()),
        (ColumnType::Text, _) => push_quoted(out, &text()),
        (ColumnType::Timestamp | ColumnType::TimestampTz, DataType::Timestamp(unit, _)) => {
            push_time(out, column, instant(array, *unit, row).0);
        }
        (ColumnType::Timestamp | ColumnType::TimestampTz, DataType::Utf8) if column.unit.is_some() => {
            let text = text();
            let us = match column.column_type {
                ColumnType::TimestampTz => parse_rfc3339(&text).ok().map(|time| time.0),
                _ => parse_without_zone(&text),
            };
            let us = us.ok_or_else(|| {
                QueryError::Invalid(format!(
                    "column {}: '{text}' is not a time, write it as '{}'",
                    column.name,
                    if column.column_type == ColumnType::TimestampTz {
                        "2023-12-13T12:00:00Z"
                    } else {
                        "2023-12-13T12:00:00"
                    }
                ))
            })?;
            push_time(out, column, us);
        }
        _ => push_json(out, array, &arrays::field("", column.column_type, true), row),
    }
    Ok(())
}

/// Adds a time: as a count of the column's unit, or as RFC 3339.
fn push_time(out: &mut String, column: &Column, us: i64) {
    let text = match column.unit {
        None if column.column_type == ColumnType::TimestampTz => format!("\"{}\"", rfc3339(us)),
        None => format!("\"{}\"", rfc3339(us).trim_end_matches('Z')),
        Some(TimeUnit::Seconds) => scaled(us, 1_000_000, 6),
        Some(TimeUnit::Millis) => scaled(us, 1000, 3),
        Some(TimeUnit::Micros) => us.to_string(),
        Some(TimeUnit::Nanos) => (i128::from(us) * 1000).to_string(),
    };
    out.push_str(&text);
}

/// A number of µs as a count of a unit, exactly.
fn scaled(us: i64, unit: i64, digits: usize) -> String {
    let (sign, us, unit) = (if us < 0 { "-" } else { "" }, us.unsigned_abs(), unit.unsigned_abs());
    let (whole, part) = (us / unit, us % unit);
    if part == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part:0digits$}") }
}
