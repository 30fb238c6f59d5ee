//! One field as the type of its column; and the texts under which values name streams and tags.

use std::borrow::Cow;
use std::fmt::Write;

use recount_types::Time;

use super::number::{Misfit, Number};
use super::scan::{Raw, single};
use super::string::{push_quoted, unescaped};
use super::time::{self, BadTime};
use crate::schema::{Column, ColumnType};
use crate::time::{civil_from_days, format_rfc3339_micros};

/// The value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    /// None.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// SMALLINT, INT, BIGINT.
    Integer(i64),
    /// DECIMAL, times ten to the power of the scale.
    Decimal(i128, u8),
    /// DOUBLE.
    Double(f64),
    /// TEXT.
    Text(Cow<'a, str>),
    /// DATE, days since 1970-01-01.
    Date(i64),
    /// TIMESTAMP, µs since 1970-01-01T00:00:00 on the same clock.
    Timestamp(i64),
    /// TIMESTAMPTZ.
    TimestampTz(Time),
    /// JSON, verbatim.
    Json(Cow<'a, str>),
}

/// Why a field is no value of its column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadValue {
    /// Missing or null where it must not be.
    #[error("{field} is missing or null, and the column is NOT NULL")]
    Null {
        /// The field.
        field: String,
    },
    /// Another kind of JSON value.
    #[error("{field} {value} is {kind}, and the column is {column_type}: {instead}")]
    Kind {
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// What it is.
        kind: &'static str,
        /// The type of the column.
        column_type: ColumnType,
        /// What to write.
        instead: &'static str,
    },
    /// A string that is not a number.
    #[error("{field} {value} is not a number")]
    NoNumber {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// More decimals than the type has.
    #[error("{field} {value} has {decimals} decimal{}, the column allows {scale}", if *decimals == 1 { "" } else { "s" })]
    Decimals {
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// How many it has.
        decimals: u64,
        /// How many it may have.
        scale: u8,
    },
    /// Beyond what the type holds.
    #[error("{field} {value} is too large for {column_type}")]
    Size {
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// The type of the column.
        column_type: ColumnType,
    },
    /// Not a time, or not the kind of time.
    #[error("{field} {value} {why}")]
    Time {
        /// The field.
        field: String,
        /// Its value.
        value: String,
        /// What is wrong.
        why: BadTime,
    },
}

/// Reads the value of a column; `raw` stands at its path.
pub(crate) fn read<'a>(column: &'a Column, raw: Raw<'a>) -> Result<Value<'a>, BadValue> {
    let raw = match (raw, &column.default) {
        // A default was checked when it was defined.
        (Raw::Null, Some(default)) => single(default).unwrap_or(Raw::Null),
        (raw, _) => raw,
    };
    if raw == Raw::Null {
        return if column.nullable { Ok(Value::Null) } else { Err(BadValue::Null { field: field(column) }) };
    }
    match (column.column_type, raw) {
        (ColumnType::Boolean, Raw::True) => Ok(Value::Boolean(true)),
        (ColumnType::Boolean, Raw::False) => Ok(Value::Boolean(false)),
        (ColumnType::SmallInt, Raw::Number(text)) => integer(column, text, i16::MIN.into(), i16::MAX.into()),
        (ColumnType::Int, Raw::Number(text)) => integer(column, text, i32::MIN.into(), i32::MAX.into()),
        (ColumnType::BigInt, Raw::Number(text)) => integer(column, text, i64::MIN, i64::MAX),
        (
            ColumnType::Decimal { precision, scale },
            Raw::Number(text) | Raw::String(text) | Raw::Escaped(text),
        ) => {
            let number = Number::parse(text).ok_or_else(|| no_number(column, raw))?;
            let scaled = number.and_then(|number| number.scaled(precision, scale));
            scaled
                .map(|value| Value::Decimal(value, scale))
                .map_err(|misfit| misfits(column, text, scale, misfit))
        }
        (ColumnType::Double, Raw::Number(text)) => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Double(value)),
            _ => Err(misfits(column, text, 0, Misfit::Size)),
        },
        (ColumnType::Text, Raw::String(inner)) => Ok(Value::Text(inner.into())),
        (ColumnType::Text, Raw::Escaped(inner)) => Ok(Value::Text(unescaped(inner))),
        // The quotes of a string belong to it: "12" is not 12.
        (ColumnType::Json, Raw::String(inner) | Raw::Escaped(inner)) => {
            Ok(Value::Json(format!("\"{inner}\"").into()))
        }
        (ColumnType::Json, raw) => Ok(Value::Json(verbatim(raw).into())),
        (ColumnType::Date, Raw::String(inner) | Raw::Escaped(inner)) => {
            time::date(column, &unescaped(inner)).map(Value::Date).map_err(|why| bad_time(column, raw, why))
        }
        (ColumnType::Timestamp, Raw::String(_) | Raw::Escaped(_) | Raw::Number(_)) => {
            time::timestamp(column, raw).map(Value::Timestamp).map_err(|why| bad_time(column, raw, why))
        }
        (ColumnType::TimestampTz, Raw::String(_) | Raw::Escaped(_) | Raw::Number(_)) => {
            time::instant(column, raw).map(Value::TimestampTz).map_err(|why| bad_time(column, raw, why))
        }
        _ => Err(wrong_kind(column, raw)),
    }
}

/// The text of `literal` as a value that `column` can have, as its default.
pub(crate) fn check_default(column: &Column, literal: &str) -> Result<(), BadDefault> {
    let raw = single(literal).map_err(|_| BadDefault::Number(literal.to_owned()))?;
    Ok(read(column, raw).map(drop)?)
}

/// Why a literal cannot be a default.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadDefault {
    /// A number that is none in JSON.
    #[error("write the number {0} as JSON has it: 0.5, not .5 or 5. or 05")]
    Number(String),
    /// Not of the type.
    #[error(transparent)]
    Value(#[from] BadValue),
}

impl Value<'_> {
    /// Adds the one text of this value. Nothing for null; DOUBLE and JSON have no one text.
    pub(crate) fn push_canonical(&self, out: &mut String) {
        match self {
            Value::Text(text) => out.push_str(text),
            Value::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Integer(value) => out.push_str(itoa::Buffer::new().format(*value)),
            Value::Decimal(value, scale) => push_decimal(out, *value, *scale),
            Value::Date(days) => {
                let (year, month, day) = civil_from_days(*days);
                push(out, format_args!("{year:04}-{month:02}-{day:02}"));
            }
            Value::Timestamp(us) => {
                let text = format_rfc3339_micros(Time(*us));
                out.push_str(text.trim_end_matches('Z'));
            }
            Value::TimestampTz(time) => out.push_str(&format_rfc3339_micros(*time)),
            Value::Null | Value::Double(_) | Value::Json(_) => {}
        }
    }

    /// Adds it as an element of a JSON array: a number or a boolean as it is, everything else as a string.
    pub(crate) fn push_canonical_json(&self, out: &mut String) {
        match self {
            Value::Boolean(_) | Value::Integer(_) | Value::Decimal(..) => self.push_canonical(out),
            Value::Text(text) => push_quoted(out, text),
            _ => {
                out.push('"');
                self.push_canonical(out);
                out.push('"');
            }
        }
    }
}

fn integer(column: &Column, text: &str, min: i64, max: i64) -> Result<Value<'static>, BadValue> {
    // Almost every integer is written as digits only.
    let value = match text.parse::<i64>() {
        Ok(value) => Ok(value),
        Err(_) => Number::parse(text).unwrap_or(Err(Misfit::Size)).and_then(Number::integer),
    };
    match value {
        Ok(value) if (min..=max).contains(&value) => Ok(Value::Integer(value)),
        Ok(_) => Err(misfits(column, text, 0, Misfit::Size)),
        Err(misfit) => Err(misfits(column, text, 0, misfit)),
    }
}

fn push_decimal(out: &mut String, value: i128, scale: u8) {
    if scale == 0 {
        return push(out, format_args!("{value}"));
    }
    let power = 10u128.pow(scale.into());
    let (sign, value) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
    let (whole, part, width) = (value / power, value % power, usize::from(scale));
    push(out, format_args!("{sign}{whole}.{part:0width$}"));
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(arguments);
}

/// The field of a column, as it is found in payloads.
fn field(column: &Column) -> String {
    column.path.join(".")
}

/// A value for a person: in quotes, not too long.
fn shown(raw: Raw<'_>) -> String {
    let text = match raw {
        Raw::String(text) | Raw::Escaped(text) => text,
        raw => verbatim(raw),
    };
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

fn verbatim(raw: Raw<'_>) -> &str {
    match raw {
        Raw::Null => "null",
        Raw::True => "true",
        Raw::False => "false",
        Raw::Number(text) | Raw::Nested(text) => text,
        Raw::String(inner) | Raw::Escaped(inner) => inner,
    }
}

fn no_number(column: &Column, raw: Raw<'_>) -> BadValue {
    BadValue::NoNumber { field: field(column), value: shown(raw) }
}

fn misfits(column: &Column, text: &str, scale: u8, misfit: Misfit) -> BadValue {
    let (field, value) = (field(column), shown(Raw::Number(text)));
    match misfit {
        Misfit::Decimals(decimals) => BadValue::Decimals { field, value, decimals, scale },
        Misfit::Size => BadValue::Size { field, value, column_type: column.column_type },
    }
}

fn bad_time(column: &Column, raw: Raw<'_>, why: BadTime) -> BadValue {
    BadValue::Time { field: field(column), value: shown(raw), why }
}

fn wrong_kind(column: &Column, raw: Raw<'_>) -> BadValue {
    let kind = match raw {
        Raw::Null => "null",
        Raw::True | Raw::False => "a boolean",
        Raw::Number(_) => "a number",
        Raw::String(_) | Raw::Escaped(_) => "a string",
        Raw::Nested(text) if text.starts_with('{') => "an object",
        Raw::Nested(_) => "an array",
    };
    let instead = match column.column_type {
        ColumnType::Boolean => "write true or false",
        ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt => "write a number without quotes",
        ColumnType::Decimal { .. } => "write a number, with or without quotes",
        ColumnType::Double => "write a number without quotes",
        ColumnType::Text => "write it in double quotes",
        ColumnType::Date => "write it as \"2023-12-13\"",
        ColumnType::Timestamp => "write it as \"2023-12-13T12:00:00\"",
        ColumnType::TimestampTz => "write it as \"2023-12-13T12:00:00Z\"",
        ColumnType::Json => "write any JSON",
    };
    let column_type = column.column_type;
    BadValue::Kind { field: field(column), value: shown(raw), kind, column_type, instead }
}
