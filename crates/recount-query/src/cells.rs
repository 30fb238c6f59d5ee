//! Values of an array as text: as JSON, and plain.
//!
//! Decimals keep their digits, times are RFC 3339, bytes base64. A JSON column stands verbatim.

use std::fmt::Write;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, GenericBinaryArray, GenericStringArray, OffsetSizeTrait,
};
use datafusion::arrow::datatypes::{
    ArrowTimestampType, DataType, Date32Type, Decimal128Type, Decimal256Type, DecimalType, Field,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use recount_store::shown::base64;
use recount_store::time::{civil_from_days, format_rfc3339};
use recount_types::Time;

use crate::arrays::is_json;

/// Adds the value of a row as JSON.
pub(crate) fn push_json(out: &mut String, array: &dyn Array, field: &Field, row: usize) {
    if is_null(array, row) {
        out.push_str("null");
        return;
    }
    match array.data_type() {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => push_text(out, array, row),
        DataType::Float64 if array.as_primitive::<Float64Type>().value(row).is_finite() => {
            push_text(out, array, row);
        }
        DataType::Float32 if array.as_primitive::<Float32Type>().value(row).is_finite() => {
            push_text(out, array, row);
        }
        DataType::Utf8 if is_json(field) => {
            // Line breaks in JSON stand between tokens only.
            let text = array.as_string::<i32>().value(row);
            out.extend(text.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
        }
        DataType::List(item) => push_list(out, &array.as_list::<i32>().value(row), item),
        DataType::LargeList(item) => push_list(out, &array.as_list::<i64>().value(row), item),
        DataType::Struct(fields) => {
            out.push('{');
            for (place, (column, field)) in array.as_struct().columns().iter().zip(fields).enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                push_quoted(out, field.name());
                out.push(':');
                push_json(out, column, field, row);
            }
            out.push('}');
        }
        _ => {
            let mut text = String::new();
            push_text(&mut text, array, row);
            push_quoted(out, &text);
        }
    }
}

/// Adds the value of a row as plain text; nothing for null.
pub(crate) fn push_text(out: &mut String, array: &dyn Array, row: usize) {
    if is_null(array, row) {
        return;
    }
    // Writing to a string cannot fail.
    let _ = match array.data_type() {
        DataType::Boolean => write!(out, "{}", array.as_boolean().value(row)),
        DataType::Int8 => write!(out, "{}", array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => write!(out, "{}", array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => write!(out, "{}", array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => write!(out, "{}", array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => write!(out, "{}", array.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => write!(out, "{}", array.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => write!(out, "{}", array.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => write!(out, "{}", array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => write!(out, "{:?}", array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => write!(out, "{:?}", array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(precision, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            out.write_str(&Decimal128Type::format_decimal(value, *precision, *scale))
        }
        DataType::Decimal256(precision, scale) => {
            let value = array.as_primitive::<Decimal256Type>().value(row);
            out.write_str(&Decimal256Type::format_decimal(value, *precision, *scale))
        }
        DataType::Utf8 => out.write_str(string::<i32>(array).value(row)),
        DataType::LargeUtf8 => out.write_str(string::<i64>(array).value(row)),
        DataType::Utf8View => out.write_str(array.as_string_view().value(row)),
        DataType::Binary => out.write_str(&base64(binary::<i32>(array).value(row))),
        DataType::LargeBinary => out.write_str(&base64(binary::<i64>(array).value(row))),
        DataType::BinaryView => out.write_str(&base64(array.as_binary_view().value(row))),
        DataType::Date32 => push_day(out, array.as_primitive::<Date32Type>().value(row).into()),
        DataType::Timestamp(unit, zone) => {
            let text = format_rfc3339(instant(array, *unit, row));
            out.write_str(if zone.is_some() { &text } else { text.trim_end_matches('Z') })
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) => {
            push_json(out, array, &Field::new("", array.data_type().clone(), true), row);
            Ok(())
        }
        _ => match ArrayFormatter::try_new(array, &FormatOptions::default()) {
            Ok(formatter) => write!(out, "{}", formatter.value(row)),
            Err(error) => write!(out, "{error}"),
        },
    };
}

/// Whether a row has no value; an array of nothing but nulls does not say so of each.
pub(crate) fn is_null(array: &dyn Array, row: usize) -> bool {
    array.is_null(row) || array.data_type().is_null()
}

/// Adds a JSON string.
pub(crate) fn push_quoted(out: &mut String, text: &str) {
    match serde_json::to_string(text) {
        Ok(quoted) => out.push_str(&quoted),
        Err(error) => unreachable!("a text is always JSON: {error}"),
    }
}

/// The time of a row, rounded down to µs.
pub(crate) fn instant(array: &dyn Array, unit: TimeUnit, row: usize) -> Time {
    fn value<T: ArrowTimestampType>(array: &dyn Array, row: usize) -> i64 {
        array.as_primitive::<T>().value(row)
    }
    Time(match unit {
        TimeUnit::Second => value::<TimestampSecondType>(array, row).saturating_mul(1_000_000),
        TimeUnit::Millisecond => value::<TimestampMillisecondType>(array, row).saturating_mul(1000),
        TimeUnit::Microsecond => value::<TimestampMicrosecondType>(array, row),
        TimeUnit::Nanosecond => value::<TimestampNanosecondType>(array, row).div_euclid(1000),
    })
}

fn push_list(out: &mut String, values: &ArrayRef, item: &Field) {
    out.push('[');
    for row in 0..values.len() {
        out.push_str(if row == 0 { "" } else { "," });
        push_json(out, values, item, row);
    }
    out.push(']');
}

fn push_day(out: &mut String, days: i64) -> std::fmt::Result {
    let (year, month, day) = civil_from_days(days);
    write!(out, "{year:04}-{month:02}-{day:02}")
}

fn string<O: OffsetSizeTrait>(array: &dyn Array) -> &GenericStringArray<O> {
    array.as_string::<O>()
}

fn binary<O: OffsetSizeTrait>(array: &dyn Array) -> &GenericBinaryArray<O> {
    array.as_binary::<O>()
}
