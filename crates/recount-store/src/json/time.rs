//! The ways in which a payload writes a time: RFC 3339, a FORMAT, or a number that counts a UNIT.

use recount_types::Time;

use super::number::{Misfit, Number};
use super::scan::Raw;
use super::string::unescaped;
use crate::schema::{Column, TimeUnit};
use crate::time::{TIME_MAX, TIME_MIN, format_rfc3339, parse_date, parse_rfc3339, parse_without_zone};

const DAY_US: i64 = 86_400_000_000;

/// Why a value is not the time that its column wants. Completes the sentence "field value …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTime {
    /// A number without a unit.
    #[error(
        "is a bare number: declare what it counts, UNIT SECONDS, MILLIS, MICROS or NANOS{hint}; or write it as \"2023-12-13T12:00:00Z\""
    )]
    NoUnit {
        /// What it might be.
        hint: String,
    },
    /// A string where numbers are counted.
    #[error("is a string, and the column counts {0:?}: write a number")]
    NotCounted(TimeUnit),
    /// A number that is none, or too precise.
    #[error("is more precise than a microsecond")]
    TooPrecise,
    /// Out of the calendar.
    #[error("is outside the years 0001 to 9999")]
    OutOfRange,
    /// An instant without its zone.
    #[error("has no zone: write it as \"2023-12-13T12:00:00Z\"; without a zone it fits only a TIMESTAMP")]
    NoZone,
    /// A zone where none can be.
    #[error("has a zone, and the column is TIMESTAMP: leave the zone out, or make the column TIMESTAMPTZ")]
    Zone,
    /// Not written as declared.
    #[error("is not of the form {0:?} that the column's FORMAT declares")]
    NotOfFormat(String),
    /// Not a time.
    #[error("is not a time: write it as {0}")]
    Unreadable(&'static str),
}

/// An instant.
pub(super) fn instant(column: &Column, raw: Raw<'_>) -> Result<Time, BadTime> {
    let us = match raw {
        Raw::Number(text) => counted(column, text)?,
        Raw::String(inner) | Raw::Escaped(inner) => {
            let text = &unescaped(inner);
            if let Some(unit) = column.unit {
                return Err(BadTime::NotCounted(unit));
            }
            match &column.format {
                Some(format) => {
                    let civil =
                        format.read(text).ok_or_else(|| BadTime::NotOfFormat(format.as_str().to_owned()))?;
                    civil.shown_us - civil.ahead_us
                }
                None => match parse_rfc3339(text) {
                    Ok(time) => time.0,
                    Err(_) if is_local(text) => return Err(BadTime::NoZone),
                    Err(_) => return Err(BadTime::Unreadable("\"2023-12-13T12:00:00Z\"")),
                },
            }
        }
        _ => return Err(BadTime::Unreadable("\"2023-12-13T12:00:00Z\"")),
    };
    in_range(us).map(Time)
}

/// What a clock on the wall shows, µs since 1970-01-01T00:00:00.
pub(super) fn timestamp(column: &Column, raw: Raw<'_>) -> Result<i64, BadTime> {
    let us = match raw {
        Raw::Number(text) => counted(column, text)?,
        Raw::String(inner) | Raw::Escaped(inner) => {
            let text = &unescaped(inner);
            if let Some(unit) = column.unit {
                return Err(BadTime::NotCounted(unit));
            }
            match &column.format {
                Some(format) => {
                    let civil =
                        format.read(text).ok_or_else(|| BadTime::NotOfFormat(format.as_str().to_owned()))?;
                    civil.shown_us
                }
                None => match parse_without_zone(text) {
                    Some(us) => us,
                    None if parse_rfc3339(text).is_ok() => return Err(BadTime::Zone),
                    None => return Err(BadTime::Unreadable("\"2023-12-13T12:00:00\"")),
                },
            }
        }
        _ => return Err(BadTime::Unreadable("\"2023-12-13T12:00:00\"")),
    };
    in_range(us)
}

/// Days since 1970-01-01.
pub(super) fn date(column: &Column, text: &str) -> Result<i64, BadTime> {
    match &column.format {
        Some(format) => {
            let civil = format.read(text).ok_or_else(|| BadTime::NotOfFormat(format.as_str().to_owned()))?;
            Ok(civil.shown_us.div_euclid(DAY_US))
        }
        None => parse_date(text.as_bytes()).ok_or(BadTime::Unreadable("\"2023-12-13\"")),
    }
}

fn counted(column: &Column, text: &str) -> Result<i64, BadTime> {
    let number = Number::parse(text).unwrap_or(Err(Misfit::Size));
    let Some(unit) = column.unit else {
        return Err(BadTime::NoUnit { hint: number.map_or(String::new(), hint) });
    };
    match number.and_then(|number| micros(number, unit)) {
        Ok(us) => Ok(us),
        Err(Misfit::Decimals(_)) => Err(BadTime::TooPrecise),
        Err(Misfit::Size) => Err(BadTime::OutOfRange),
    }
}

fn micros(number: Number, unit: TimeUnit) -> Result<i64, Misfit> {
    let us = match unit {
        TimeUnit::Seconds => number.scaled(38, 6)?,
        TimeUnit::Millis => number.scaled(38, 3)?,
        TimeUnit::Micros => number.scaled(38, 0)?,
        TimeUnit::Nanos => i128::from(number.integer()?.div_euclid(1000)),
    };
    i64::try_from(us).map_err(|_| Misfit::Size)
}

/// The unit that would put a number into a time near ours.
fn hint(number: Number) -> String {
    let near = |us: &i64| (DAY_US * 365 * 20..DAY_US * 365 * 130).contains(us);
    let units = [
        ("SECONDS", TimeUnit::Seconds),
        ("MILLIS", TimeUnit::Millis),
        ("MICROS", TimeUnit::Micros),
        ("NANOS", TimeUnit::Nanos),
    ];
    let fitting =
        units.into_iter().find_map(|(word, unit)| Some((word, micros(number, unit).ok().filter(near)?)));
    fitting
        .map_or(String::new(), |(word, us)| format!(" (UNIT {word} makes it {})", format_rfc3339(Time(us))))
}

/// Whether a zone is all that an instant lacks; a date lacks the time of day too.
fn is_local(text: &str) -> bool {
    parse_without_zone(text).is_some() || parse_date(text.as_bytes()).is_some()
}

fn in_range(us: i64) -> Result<i64, BadTime> {
    if (TIME_MIN.0..=TIME_MAX.0).contains(&us) { Ok(us) } else { Err(BadTime::OutOfRange) }
}
