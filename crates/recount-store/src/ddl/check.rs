//! What a definition must fulfil by itself.

use std::collections::{HashMap, HashSet};

use recount_types::limits::{TAG_BYTES_MAX, TYPE_BYTES_MAX};
use sqlparser::tokenizer::Location;

use super::Ident;
use super::error::{ParseError, Problem};
use super::tokens::error_at;
use crate::schema::{Column, ColumnType, TopicDefinition};

/// What a statement names, and where.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// The columns in the order written: of which event, or of the topic; and where.
    pub(super) columns: Vec<(Option<usize>, Location)>,
    pub(super) events: Vec<Ident>,
    pub(super) key: Vec<Ident>,
    pub(super) type_by: Option<Ident>,
    pub(super) timestamp_by: Option<Ident>,
    /// Each tag's name, and its column's.
    pub(super) tags: Vec<(Ident, Ident)>,
}

/// Checks the columns and events of `definition`, and what its clauses name.
pub(super) fn check(definition: &TopicDefinition, declared: &Declared) -> Result<(), ParseError> {
    column_names(definition, declared)?;
    event_names(definition, declared)?;
    let mut keys = HashSet::new();
    for name in &declared.key {
        let column = named(definition, "KEY", name)?;
        canonical(column, "KEY", name)?;
        if column.nullable {
            return Err(error_at(name.at, Problem::NullableKey { name: name.folded.clone() }));
        }
        if !keys.insert(&name.folded) {
            return Err(duplicate("column of KEY", name));
        }
    }
    if let Some(name) = &declared.type_by {
        let column = named(definition, "TYPE", name)?;
        fits(column.column_type == ColumnType::Text, column, "TYPE", "TEXT", name)?;
    }
    if let Some(name) = &declared.timestamp_by {
        let column = named(definition, "TIMESTAMP BY", name)?;
        let must = "TIMESTAMPTZ: an instant, not a date or a clock on the wall";
        fits(column.column_type == ColumnType::TimestampTz, column, "TIMESTAMP BY", must, name)?;
    }
    let mut tags = HashSet::new();
    for (tag, name) in &declared.tags {
        if tag.folded.contains(':') || tag.folded.len() > TAG_BYTES_MAX / 2 {
            return Err(error_at(tag.at, Problem::TagName { name: tag.folded.clone() }));
        }
        if !tags.insert(&tag.folded) {
            return Err(duplicate("tag", tag));
        }
        canonical(named(definition, "TAG", name)?, "TAG", name)?;
    }
    Ok(())
}

/// Checks the options of a column against its type.
pub(super) fn options(column: &Column) -> Result<(), Problem> {
    let misplaced = |option, to| Problem::Option {
        option,
        to,
        name: column.name.clone(),
        column_type: column.column_type,
    };
    if column.unit.is_some() && !column.column_type.is_time() {
        return Err(misplaced("UNIT", "TIMESTAMPTZ and TIMESTAMP"));
    }
    let Some(format) = &column.format else { return Ok(()) };
    if column.unit.is_some() {
        return Err(Problem::FormatOf("UNIT is for numbers and FORMAT for texts: a column has one of them"));
    }
    match column.column_type {
        ColumnType::Date if format.has_clock() => {
            Err(Problem::FormatOf("the FORMAT of a DATE has no time of day: use TIMESTAMPTZ or TIMESTAMP"))
        }
        ColumnType::Timestamp if format.has_zone() => {
            Err(Problem::FormatOf("the FORMAT of a TIMESTAMP has no zone: use TIMESTAMPTZ"))
        }
        ColumnType::TimestampTz if !format.has_zone() => Err(Problem::FormatOf(
            "the FORMAT of a TIMESTAMPTZ needs its zone: TZH:TZM, or \"Z\" in double quotes",
        )),
        ColumnType::Date | ColumnType::Timestamp | ColumnType::TimestampTz => Ok(()),
        _ => Err(misplaced("FORMAT", "TIMESTAMPTZ, TIMESTAMP and DATE")),
    }
}

fn column_names(definition: &TopicDefinition, declared: &Declared) -> Result<(), ParseError> {
    // The topic's columns first: clauses and events may come in any order, but it is always written first.
    let of_events = definition.events.iter().flat_map(|event| &event.columns);
    let mut types: HashMap<&str, ColumnType> = HashMap::new();
    let mut seen: HashSet<(Option<usize>, &str)> = HashSet::new();
    for (column, &(event, at)) in definition.columns.iter().chain(of_events).zip(&declared.columns) {
        let name = column.name.as_str();
        if seen.contains(&(None, name)) || !seen.insert((event, name)) {
            return Err(error_at(at, Problem::Duplicate { what: "column", name: name.to_owned() }));
        }
        match types.insert(name, column.column_type) {
            Some(there) if there != column.column_type => {
                let name = name.to_owned();
                return Err(error_at(at, Problem::TwoTypes { name, here: column.column_type, there }));
            }
            _ => {}
        }
    }
    Ok(())
}

fn event_names(definition: &TopicDefinition, declared: &Declared) -> Result<(), ParseError> {
    let (mut names, mut types) = (HashSet::new(), HashSet::new());
    for (event, name) in definition.events.iter().zip(&declared.events) {
        if !names.insert(&event.name) {
            return Err(duplicate("event", name));
        }
        if !types.insert(&event.type_name) {
            let problem = Problem::Duplicate { what: "event type", name: event.type_name.clone() };
            return Err(error_at(name.at, problem));
        }
        if event.type_name.len() > TYPE_BYTES_MAX {
            return Err(error_at(name.at, Problem::EventType));
        }
    }
    Ok(())
}

fn named<'a>(
    definition: &'a TopicDefinition,
    clause: &'static str,
    name: &Ident,
) -> Result<&'a Column, ParseError> {
    definition.column(&name.folded).ok_or_else(|| {
        let columns: Vec<&str> = definition.columns.iter().map(|column| column.name.as_str()).collect();
        let known = match columns.as_slice() {
            [] => "are none".to_owned(),
            columns => format!("are {}", columns.join(", ")),
        };
        error_at(name.at, Problem::UnknownColumn { clause, name: name.folded.clone(), known })
    })
}

fn canonical(column: &Column, clause: &'static str, name: &Ident) -> Result<(), ParseError> {
    let must = "a type whose values have one text each: not DOUBLE or JSON";
    fits(column.column_type.has_canonical_text(), column, clause, must, name)
}

fn fits(
    fits: bool,
    column: &Column,
    clause: &'static str,
    must: &'static str,
    name: &Ident,
) -> Result<(), ParseError> {
    if fits {
        return Ok(());
    }
    let problem =
        Problem::UnfitColumn { clause, name: name.folded.clone(), column_type: column.column_type, must };
    Err(error_at(name.at, problem))
}

fn duplicate(what: &'static str, name: &Ident) -> ParseError {
    error_at(name.at, Problem::Duplicate { what, name: name.folded.clone() })
}
