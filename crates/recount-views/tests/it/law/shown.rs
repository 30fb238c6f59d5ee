//! Answers and what they should be, as texts that are the same if the answers are.

use recount_types::column::Value;
use recount_views::HeldRows;

use super::ast::{E, Entity, Fam, Kind, Topic, V};
use super::generate::{clock, date, digits};
use super::naive::{Row, Why};

/// Rows as texts, sorted.
pub(super) fn shown(frozen: &HeldRows) -> Vec<String> {
    let rows = frozen.rows().map(|(row, cells)| {
        let stopped = row.stopped.as_ref().map(|s| (s.position, kind_of(&s.reason)));
        format!(
            "{:?} {} {:?} stopped {stopped:?} at {} latest {} of {}{}",
            row.key.values().unwrap_or_default().iter().map(written).collect::<Vec<_>>(),
            row.present,
            cells.iter().map(|value| written(&value)).collect::<Vec<_>>(),
            row.position,
            row.event_time,
            row.events,
            if row.late { " late" } else { "" }
        )
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    rows
}

pub(super) fn expected_rows(definition: &Entity, rows: &[Row]) -> Vec<String> {
    let rows = rows.iter().map(|row| {
        let stopped = row.stopped.as_ref().map(|(position, why)| (*position, reason(why)));
        format!(
            "{:?} {} {:?} stopped {stopped:?} at {} latest {} of {}",
            values(&row.key),
            row.present,
            state(definition, &row.state),
            row.position,
            row.time,
            row.steps.len()
        )
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    rows
}

pub(super) fn state(definition: &Entity, state: &[V]) -> Vec<String> {
    debug_assert_eq!(definition.state.len(), state.len());
    values(state)
}

pub(super) fn values(values: &[V]) -> Vec<String> {
    values
        .iter()
        .map(|value| match value {
            V::Null => "null".to_owned(),
            V::Bool(value) => value.to_string(),
            V::Int(n) => n.to_string(),
            V::Dec(n, _) => format!("{n}d"),
            V::Dbl(n) => format!("{:?}f", n + 0.0),
            V::Text(text) => format!("{text:?}"),
        })
        .collect()
}

pub(super) fn written(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(n) => n.to_string(),
        Value::Decimal(n) => format!("{n}d"),
        Value::Double(n) => format!("{:?}f", n + 0.0),
        Value::Text(text) => format!("{text:?}"),
    }
}

/// The types of the columns of a key.
pub(super) fn kinds(entity: &Entity, topics: &[Topic]) -> Vec<Kind> {
    let topic = &topics[entity.topic];
    if entity.key.is_empty() {
        return topic.key.iter().map(|&at| topic.columns[at].kind).collect();
    }
    let kind = |e: &E| match e.ty.fam {
        Fam::Bool => Kind::Bool,
        Fam::Int => Kind::BigInt,
        Fam::Dec => Kind::Dec(38, e.ty.scale),
        Fam::Text => Kind::Text,
        Fam::Date => Kind::Date,
        Fam::Ts => Kind::Ts,
        _ => Kind::Tstz,
    };
    entity.key.iter().map(kind).collect()
}

/// A key as people write it: ruling 9.
pub(super) fn key_text(key: &[V], kinds: &[Kind]) -> String {
    let texts = key.iter().zip(kinds).map(|(value, kind)| match (value, kind) {
        (V::Bool(value), _) => (value.to_string(), false),
        (V::Int(day), Kind::Date) => (date(*day), true),
        (V::Int(us), Kind::Ts) => (clock(*us), true),
        (V::Int(us), Kind::Tstz) => (clock(*us) + "Z", true),
        (V::Int(n), _) => (n.to_string(), false),
        (V::Dec(n, scale), _) => (digits(n, *scale), false),
        (V::Text(text), _) => (text.clone(), true),
        (other, _) => panic!("{other:?} is no key"),
    });
    let texts: Vec<(String, bool)> = texts.collect();
    if let [(one, _)] = texts.as_slice() {
        return one.clone();
    }
    let quoted = |(text, is_text): &(String, bool)| match is_text {
        true => serde_json::Value::from(text.as_str()).to_string(),
        false => text.clone(),
    };
    format!("[{}]", texts.iter().map(quoted).collect::<Vec<_>>().join(","))
}

pub(super) fn reason(why: &Why) -> String {
    match why {
        Why::ByZero => "by zero".into(),
        Why::Integer => "integer".into(),
        Why::Time => "time".into(),
        Why::Null => "null".into(),
        Why::Size => "size".into(),
        Why::Said(text) => text.clone(),
    }
}

/// Which of the reasons a text gives.
pub(super) fn kind_of(text: &str) -> String {
    let known = [
        ("division by zero", "by zero"),
        ("an integer is beyond 64 bits", "integer"),
        ("a time is outside", "time"),
        ("the value is NULL", "null"),
        ("is beyond the column's type", "size"),
    ];
    let found = known.iter().find(|(part, _)| text.contains(part));
    found.map_or_else(|| text.to_owned(), |(_, kind)| (*kind).to_owned())
}
