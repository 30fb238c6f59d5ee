//! Rows, entities and steps as JSON: the one form in which every front shows them.

use std::fmt::Write;

use recount_entity::fold::Effect;
use recount_store::schema::ColumnType;
use recount_store::time::{civil_from_days, format_rfc3339};
use recount_types::column::Value;
use recount_types::{Position, Time};

use crate::bind::RowColumn;
use crate::changes::Change;
use crate::error::ViewError;
use crate::key_text::{self, decimal_text};
use crate::live::Status;
use crate::past::{Absent, Moment, RowState, StepRow};
use crate::view::{ViewInfo, ViewStatus};
use crate::views::{EntityInfo, Views};

/// A value as JSON; decimals as numbers of exactly their digits.
pub fn value_json(value: &Value<'_>, column_type: ColumnType) -> String {
    match (value, column_type) {
        (Value::Null, _) => "null".to_owned(),
        (Value::Boolean(value), _) => value.to_string(),
        (Value::Integer(time), ColumnType::TimestampTz) => quoted(&format_rfc3339(Time(*time))),
        (Value::Integer(time), ColumnType::Timestamp) => {
            quoted(format_rfc3339(Time(*time)).trim_end_matches('Z'))
        }
        (Value::Integer(days), ColumnType::Date) => {
            let (year, month, day) = civil_from_days(*days);
            format!("\"{year:04}-{month:02}-{day:02}\"")
        }
        (Value::Integer(value), _) => value.to_string(),
        (Value::Decimal(value), ColumnType::Decimal { scale, .. }) => decimal_text(*value, scale),
        (Value::Decimal(value), _) => value.to_string(),
        // JSON has no other numbers.
        (Value::Double(value), _) if !value.is_finite() => quoted(&value.to_string()),
        (Value::Double(value), _) => serde_json::json!(value).to_string(),
        (Value::Text(text), ColumnType::Json) => text.to_string(),
        (Value::Text(text), _) => quoted(text),
    }
}

/// Values as an object.
pub fn values_json(values: &[Value<'_>], columns: &[RowColumn]) -> String {
    let mut out = String::from("{");
    for (value, column) in values.iter().zip(columns) {
        let comma = if out.len() > 1 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(out, "{comma}{}:{}", quoted(&column.name), value_json(value, column.column_type));
    }
    out.push('}');
    out
}

/// A row: its columns, and from which event it is.
pub fn row_json(row: &RowState, columns: &[RowColumn]) -> String {
    format!(
        "{{\"row\":{},\"lastPosition\":{},\"lastEventTime\":{}}}",
        values_json(&row.values, columns),
        row.position,
        quoted(&format_rfc3339(row.event_time))
    )
}

/// Most steps in an answer.
const STEPS_MAX: usize = 100_000;

/// The row of a key, as an answer that says what was asked and at which position it is true; `None`, with the
/// reason, if there is none.
pub fn row_answer(
    views: &Views,
    (entity, version, key): (&str, Option<u32>, &str),
    moment: Moment,
    at_least: Position,
) -> Result<Result<String, Absent>, ViewError> {
    let info = views.entity(entity, version)?;
    let answer = views.row(entity, Some(info.version), key, moment, at_least)?;
    let head = head(&info, key, answer.position);
    Ok(answer.row.map(|row| format!("{head},{}", &row_json(&row, &info.columns)[1..])))
}

/// The steps that led to the row of a key, likewise.
pub fn steps_answer(
    views: &Views,
    (entity, version, key): (&str, Option<u32>, &str),
    moment: Moment,
    at_least: Position,
) -> Result<String, ViewError> {
    let info = views.entity(entity, version)?;
    views.wait_for(at_least)?;
    let version = Some(info.version);
    let parsed = views.key(entity, version, key)?;
    let (mut steps, mut count) = (String::new(), 0usize);
    let folded = views.steps(entity, version, Some(&parsed), moment, &mut |step| {
        count += 1;
        if count <= STEPS_MAX {
            let comma = if steps.is_empty() { "" } else { "," };
            let _ = write!(steps, "{comma}{}", step_json(&step, &info));
        }
    })?;
    if count > STEPS_MAX {
        return Err(ViewError::BadRequest(format!(
            "the key has {count} steps, and an answer has at most {STEPS_MAX}: ask as of an earlier moment"
        )));
    }
    Ok(format!("{},\"steps\":[{steps}]}}", head(&info, key, folded.position)))
}

/// What every answer about a key begins with.
fn head(info: &EntityInfo, key: &str, position: Position) -> String {
    let (entity, key) = (quoted(info.name.as_str()), quoted(key));
    format!("{{\"entity\":{entity},\"version\":{},\"key\":{key},\"position\":{position}", info.version)
}

/// A version of an entity, and how far it has come.
pub fn entity_json(info: &EntityInfo, status: &Status, head: u64) -> serde_json::Value {
    let columns: Vec<_> = info
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            serde_json::json!({
                "name": column.name,
                "type": column.column_type.to_string(),
                "nullable": column.nullable,
                "key": at < info.key_width,
            })
        })
        .collect();
    let behind = head.saturating_sub(status.position);
    serde_json::json!({
        "name": info.name.as_str(),
        "version": info.version,
        "current": info.current,
        "columns": columns,
        "statement": info.text,
        "position": status.position,
        "head": head,
        "behind": behind,
        "eventsPerSecond": status.per_second,
        "secondsLeft": seconds_left(behind, status.per_second),
        "keys": status.keys,
        "stopped": status.stopped,
        "bytes": status.bytes,
        "unfitEvents": status.unfit,
    })
}

/// A view, and how far it has come.
pub fn view_json(info: &ViewInfo, status: &ViewStatus, head: u64) -> serde_json::Value {
    let column = |column: &RowColumn| {
        serde_json::json!({
            "name": column.name,
            "type": column.column_type.to_string(),
            "nullable": column.nullable,
        })
    };
    let columns: Vec<_> = info.columns.iter().map(column).collect();
    let topics: Vec<_> = info.topics.iter().map(|topic| topic.as_str()).collect();
    let behind = head.saturating_sub(status.position);
    serde_json::json!({
        "name": info.name.as_str(),
        "columns": columns,
        "topics": topics,
        "statement": info.text,
        "state": status.state(),
        "rows": status.rows,
        "position": status.position,
        "head": head,
        "behind": behind,
        "eventsPerSecond": status.per_second,
        "secondsLeft": seconds_left(behind, status.per_second),
        "bytes": status.bytes,
        "snapshot": status.kept,
        "errors": status.errors,
        "unfitEvents": status.unfit,
        "error": status.failed.as_ref().map(ToString::to_string),
    })
}

/// How long it takes to the head, if that can be told.
fn seconds_left(behind: u64, per_second: Option<u64>) -> Option<u64> {
    match per_second {
        _ if behind == 0 => Some(0),
        Some(per_second) => Some(behind.div_ceil(per_second)),
        None => None,
    }
}

/// A change: where, when, and the row from then on; `null` if there is none, with the reason if it stopped.
pub fn change_json(change: &Change, info: &EntityInfo) -> String {
    let columns = &info.columns;
    let row = change.state.as_ref().map(|state| {
        let mut values = change.key.values().unwrap_or_default();
        values.extend_from_slice(state);
        values_json(&values, columns)
    });
    let mut out = format!(
        "{{\"position\":{},\"appendTime\":{},\"eventTime\":{},\"key\":{},\"row\":{}",
        change.place.position,
        quoted(&format_rfc3339(change.append_time)),
        quoted(&format_rfc3339(change.event_time)),
        quoted(&key_text::shown(&change.key, &columns[..info.key_width])),
        row.as_deref().unwrap_or("null"),
    );
    if let Some(stopped) = &change.stopped {
        let _ = write!(
            out,
            ",\"stopped\":{{\"position\":{},\"reason\":{}}}",
            stopped.position,
            quoted(&stopped.reason)
        );
    }
    out.push('}');
    out
}

/// A step: the event, the state before and after it, the rule, and what was looked up.
pub fn step_json(step: &StepRow, info: &EntityInfo) -> String {
    let state_columns = &info.columns[info.key_width..];
    let state = |state: &Option<Vec<Value<'static>>>| match state {
        Some(values) => values_json(values, state_columns),
        None => "null".to_owned(),
    };
    let effect = match step.effect {
        Effect::Set => "set",
        Effect::Deleted => "deleted",
        Effect::Ignored => "ignored",
        Effect::Stopped => "stopped",
        Effect::Waits => "waits",
        Effect::Late => "late",
    };
    let mut out = format!(
        "{{\"position\":{},\"eventTime\":{},\"appendTime\":{},\"effect\":\"{effect}\",\"before\":{},\"after\":{}",
        step.position,
        quoted(&format_rfc3339(step.event_time)),
        quoted(&format_rfc3339(step.append_time)),
        state(&step.before),
        state(&step.after),
    );
    if let Some(rule) = step.rule.and_then(|rule| info.rules.get(rule)) {
        let _ = write!(out, ",\"rule\":{}", quoted(rule));
    }
    if !step.lookups.is_empty() {
        let found = step.lookups.iter().zip(&info.lookups).map(|(row, columns)| match row {
            None => "null".to_owned(),
            Some(values) => {
                let columns: Vec<RowColumn> = columns
                    .iter()
                    .map(|(name, column_type)| RowColumn {
                        name: name.clone(),
                        column_type: *column_type,
                        nullable: true,
                    })
                    .collect();
                values_json(values, &columns)
            }
        });
        let _ = write!(out, ",\"lookups\":[{}]", found.collect::<Vec<_>>().join(","));
    }
    if let Some(reason) = &step.reason {
        let _ = write!(out, ",\"reason\":{}", quoted(reason));
    }
    out.push('}');
    out
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_an_entity_has_come() {
        let info = EntityInfo {
            name: "account".parse().unwrap(),
            version: 2,
            current: false,
            columns: Vec::new(),
            key_width: 0,
            topics: Vec::new(),
            text: String::new(),
            lookups: Vec::new(),
            rules: Vec::new(),
        };
        for (position, per_second, expected) in [
            (250, Some(100), "[750,100,8]"),
            (250, None, "[750,null,null]"),
            (1000, None, "[0,null,0]"),
            (1200, Some(7), "[0,7,0]"),
        ] {
            let status = Status { position, keys: 1, stopped: 0, bytes: 1, unfit: 0, per_second };
            let shown = entity_json(&info, &status, 1000);
            let progress =
                serde_json::json!([shown["behind"], shown["eventsPerSecond"], shown["secondsLeft"]]);
            assert_eq!(progress.to_string(), expected);
        }
    }

    #[test]
    fn values() {
        let decimal = ColumnType::Decimal { precision: 18, scale: 2 };
        for (value, column_type, expected) in [
            (Value::Null, ColumnType::Text, "null"),
            (Value::Boolean(true), ColumnType::Boolean, "true"),
            (Value::Integer(-7), ColumnType::BigInt, "-7"),
            (
                Value::Integer(1_702_468_800_000_001),
                ColumnType::TimestampTz,
                "\"2023-12-13T12:00:00.000001Z\"",
            ),
            (Value::Integer(1_702_468_800_000_000), ColumnType::Timestamp, "\"2023-12-13T12:00:00\""),
            (Value::Integer(19_704), ColumnType::Date, "\"2023-12-13\""),
            (Value::Decimal(-5), decimal, "-0.05"),
            (Value::Decimal(123_456), decimal, "1234.56"),
            (Value::Decimal(12), ColumnType::Decimal { precision: 2, scale: 0 }, "12"),
            (Value::Double(0.5), ColumnType::Double, "0.5"),
            (Value::Double(f64::INFINITY), ColumnType::Double, "\"inf\""),
            (Value::Text("a\"b".into()), ColumnType::Text, r#""a\"b""#),
            (Value::Text("{\"a\": 1.50}".into()), ColumnType::Json, "{\"a\": 1.50}"),
        ] {
            assert_eq!(value_json(&value, column_type), expected);
        }
    }
}
