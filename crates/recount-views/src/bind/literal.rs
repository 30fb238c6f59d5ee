//! Constants as written.

use recount_entity::decimal::DIGITS_MAX;
use recount_entity::expr::Expr;
use recount_store::time::{parse_date, parse_rfc3339, parse_without_zone};
use recount_types::column::Value;

use super::types::{Literal, Type, Typed};

const CONSTANT_DIGITS_MAX: usize = 38;

/// A number: an integer, or a decimal of exactly its digits.
pub(super) fn number(text: &str) -> Result<Typed, String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return Err(format!(
            "{text} is not a number here: write it with digits and a point only, as 1500 or 0.05"
        ));
    }
    let joined = format!("{whole}{part}");
    let joined = joined.trim_start_matches('0');
    let value = if joined.is_empty() { Some(0) } else { joined.parse::<i128>().ok() };
    let literal = Some(Literal::Number(text.to_owned()));
    let value = value.filter(|_| joined.len() <= CONSTANT_DIGITS_MAX);
    let value = value.ok_or_else(|| {
        format!("{text} has more digits than the {CONSTANT_DIGITS_MAX} that a constant can have")
    })?;
    match i64::try_from(value) {
        Ok(integer) if part.is_empty() => {
            Ok(Typed { expr: Expr::Literal(Value::Integer(integer)), kind: Type::Integer, literal })
        }
        _ if part.len() > usize::from(DIGITS_MAX) => {
            Err(format!("{text} has too many digits after the point"))
        }
        _ => {
            let scale = part.len() as u8;
            let kind = Type::decimal((joined.len() as u8).saturating_sub(scale), scale);
            Ok(Typed { expr: Expr::Literal(Value::Decimal(value)), kind, literal })
        }
    }
}

/// A text.
pub(super) fn text(text: &str) -> Typed {
    let expr = Expr::Literal(Value::Text(text.to_owned().into()));
    Typed { expr, kind: Type::Text, literal: Some(Literal::Text(text.to_owned())) }
}

/// A text that stands where a value of `kind` belongs; as it is if that is no kind of time.
pub(super) fn text_as(text: &str, kind: Type) -> Result<Option<Typed>, String> {
    let value = match kind {
        Type::Date => parse_date(text.as_bytes())
            .ok_or_else(|| format!("'{text}' is not a date: write it as '2023-12-13'"))?,
        Type::Timestamp => parse_without_zone(text).ok_or_else(|| {
            format!("'{text}' is not a time without a zone: write it as '2023-12-13T12:00:00'")
        })?,
        Type::TimestampTz => {
            let time = parse_rfc3339(text);
            time.map_err(|_| {
                format!("'{text}' is not an instant: write it as '2023-12-13T12:00:00Z', with its zone")
            })?
            .0
        }
        _ => return Ok(None),
    };
    Ok(Some(Typed::new(Expr::Literal(Value::Integer(value)), kind)))
}
