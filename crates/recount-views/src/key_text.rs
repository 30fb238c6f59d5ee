//! Keys as people write them: the text that names the stream, `1`, or `["a",2]` where KEY has several columns.

use recount_entity::key::Key;
use recount_store::columns::key_text;
use recount_store::schema::ColumnType;
use recount_store::time::{parse_date, parse_rfc3339, parse_without_zone};
use recount_types::column::Value;

use crate::bind::RowColumn;

/// Reads a key of these columns. The error says what a key looks like.
pub(crate) fn parse(text: &str, columns: &[RowColumn]) -> Result<Key, String> {
    let parts: Vec<String> = match columns {
        [_] => vec![text.to_owned()],
        _ => json_texts(text).filter(|parts| parts.len() == columns.len()).ok_or_else(|| {
            let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
            format!("{text:?} is not a key: write a JSON array of {}", names.join(", "))
        })?,
    };
    let values: Option<Vec<Value<'_>>> =
        parts.iter().zip(columns).map(|(part, column)| value(part, column.column_type)).collect();
    values.and_then(Key::of).ok_or_else(|| {
        let types: Vec<_> =
            columns.iter().map(|column| format!("{} {}", column.name, column.column_type)).collect();
        format!("{text:?} is not a key: it is of {}", types.join(", "))
    })
}

/// The text of a key: what names its stream, if it has one.
pub fn shown(key: &Key, columns: &[RowColumn]) -> String {
    let types: Vec<ColumnType> = columns.iter().map(|column| column.column_type).collect();
    let text = key.values().ok().and_then(|values| key_text(&types, &values));
    text.map_or_else(|| format!("{key:?}"), |text| String::from_utf8_lossy(&text).into_owned())
}

fn value(text: &str, column_type: ColumnType) -> Option<Value<'_>> {
    Some(match column_type {
        ColumnType::Boolean => Value::Boolean(text.parse().ok()?),
        ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt => Value::Integer(text.parse().ok()?),
        ColumnType::Decimal { scale, .. } => Value::Decimal(decimal(text, scale)?),
        ColumnType::Text => Value::Text(text.into()),
        ColumnType::Date => Value::Integer(parse_date(text.as_bytes())?),
        ColumnType::Timestamp => Value::Integer(parse_without_zone(text)?),
        ColumnType::TimestampTz => Value::Integer(parse_rfc3339(text).ok()?.0),
        ColumnType::Double | ColumnType::Json => return None,
    })
}

fn decimal(text: &str, scale: u8) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) || part.len() > usize::from(scale) {
        return None;
    }
    let value: i128 = format!("{whole}{part:0<width$}", width = usize::from(scale)).parse().ok()?;
    Some(sign * value)
}

/// A decimal with all the digits of its scale.
pub(crate) fn decimal_text(value: i128, scale: u8) -> String {
    if scale == 0 {
        return value.to_string();
    }
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, part) = digits.split_at(digits.len() - usize::from(scale));
    format!("{}{whole}.{part}", if value < 0 { "-" } else { "" })
}

/// The members of a JSON array, texts without their quotes.
fn json_texts(text: &str) -> Option<Vec<String>> {
    let members: Vec<serde_json::Value> = serde_json::from_str(text).ok()?;
    let texts = members.into_iter().map(|member| match member {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(value) => Some(value.to_string()),
        _ => None,
    });
    texts.collect()
}
