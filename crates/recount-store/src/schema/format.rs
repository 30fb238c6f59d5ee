//! How a text in a column of times is written: Postgres' template patterns, those of them that are numbers.
//!
//! `YYYY YY MM DD HH24 MI SS MS US TZH TZM`, text in double quotes, and any other character but a letter or digit
//! for itself. `YY` is the year nearest to 2020; `TZH` has a sign. Source: Postgres, "Data Type Formatting Functions".

use serde::{Deserialize, Deserializer, Serialize};

use crate::time::days_from_civil;

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TimeFormat(String);

/// A text that is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFormat {
    /// It has letters or digits without a meaning.
    #[error(
        "{0:?} means nothing in a FORMAT: use YYYY YY MM DD HH24 MI SS MS US TZH TZM, and other text in double quotes"
    )]
    Unknown(String),
    /// It leaves the date open.
    #[error("a FORMAT needs a year, MM and DD")]
    NoDate,
    /// It says the same twice.
    #[error("{0} is said twice in the FORMAT")]
    Twice(&'static str),
}

/// One part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Field(Field),
    Literal(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Year,
    ShortYear,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millis,
    Micros,
    ZoneHour,
    ZoneMinute,
}

/// Longest first where one begins another.
const FIELDS: [(&str, Field, usize); 11] = [
    ("YYYY", Field::Year, 4),
    ("YY", Field::ShortYear, 2),
    ("MM", Field::Month, 2),
    ("DD", Field::Day, 2),
    ("HH24", Field::Hour, 2),
    ("MI", Field::Minute, 2),
    ("SS", Field::Second, 2),
    ("MS", Field::Millis, 3),
    ("US", Field::Micros, 6),
    ("TZH", Field::ZoneHour, 2),
    ("TZM", Field::ZoneMinute, 2),
];

/// What a text says, by its pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CivilTime {
    /// µs since 1970-01-01T00:00:00 of the clock that is shown.
    pub(crate) shown_us: i64,
    /// By how much that clock is ahead of UTC, µs; 0 if the pattern has no zone.
    pub(crate) ahead_us: i64,
}

impl TimeFormat {
    /// Checks a pattern.
    pub fn parse(text: &str) -> Result<TimeFormat, BadFormat> {
        let mut seen = [false; FIELDS.len()];
        let mut rest = text;
        while let Some((part, after)) = next_part(rest)? {
            if let Part::Field(field) = part {
                let at = FIELDS.iter().position(|(_, known, _)| *known == field).unwrap_or_default();
                if std::mem::replace(&mut seen[at], true) {
                    return Err(BadFormat::Twice(FIELDS[at].0));
                }
            }
            rest = after;
        }
        let [year, short_year, month, day, ..] = seen;
        if year && short_year {
            return Err(BadFormat::Twice("the year"));
        }
        if (year || short_year) && month && day {
            Ok(TimeFormat(text.to_owned()))
        } else {
            Err(BadFormat::NoDate)
        }
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says the zone: by `TZH`, or by a `"Z"` in quotes.
    pub(crate) fn has_zone(&self) -> bool {
        self.parts().any(|part| matches!(part, Part::Field(Field::ZoneHour) | Part::Literal("Z")))
    }

    /// Whether it says anything of the time of day.
    pub(crate) fn has_clock(&self) -> bool {
        use Field::{Day, Month, ShortYear, Year};
        self.parts().any(
            |part| matches!(part, Part::Field(field) if !matches!(field, Year | ShortYear | Month | Day)),
        )
    }

    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            let (part, after) = next_part(rest).ok()??;
            rest = after;
            Some(part)
        })
    }

    /// Reads a text; `None` if it is not written so.
    pub(crate) fn read(&self, text: &str) -> Option<CivilTime> {
        let (mut pattern, mut text) = (self.0.as_str(), text);
        let (mut year, mut month, mut day, mut clock_us) = (0, 0, 0, 0);
        let (mut zone_sign, mut ahead_s) = (1, 0);
        while let Some((part, after)) = next_part(pattern).ok()? {
            pattern = after;
            let field = match part {
                Part::Literal(literal) => {
                    text = text.strip_prefix(literal)?;
                    continue;
                }
                Part::Field(field) => field,
            };
            if field == Field::ZoneHour {
                zone_sign = if text.starts_with('-') { -1 } else { 1 };
                text = text.strip_prefix(['+', '-'])?;
            }
            let digits = FIELDS.iter().find(|(_, known, _)| *known == field)?.2;
            let (number, after) = text.split_at_checked(digits)?;
            if !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let number: i64 = number.parse().ok()?;
            text = after;
            let within = |limit: i64| (number < limit).then_some(number);
            match field {
                Field::Year => year = number,
                Field::ShortYear => year = if number < 70 { 2000 + number } else { 1900 + number },
                Field::Month => month = number,
                Field::Day => day = number,
                Field::Hour => clock_us += within(24)? * 3_600_000_000,
                Field::Minute => clock_us += within(60)? * 60_000_000,
                Field::Second => clock_us += within(60)? * 1_000_000,
                Field::Millis => clock_us += number * 1000,
                Field::Micros => clock_us += number,
                Field::ZoneHour => ahead_s += within(24)? * 3600,
                Field::ZoneMinute => ahead_s += within(60)? * 60,
            }
        }
        let is_date = (1..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1;
        let days = days_from_civil(year, month, day);
        if !text.is_empty() || !is_date || crate::time::civil_from_days(days) != (year, month, day) {
            return None;
        }
        Some(CivilTime {
            shown_us: days * 86_400_000_000 + clock_us,
            ahead_us: zone_sign * ahead_s * 1_000_000,
        })
    }
}

/// The first part of a pattern and what follows; `None` at its end.
fn next_part(pattern: &str) -> Result<Option<(Part<'_>, &str)>, BadFormat> {
    if let Some((name, field, _)) = FIELDS.iter().find(|(name, ..)| pattern.starts_with(name)) {
        return Ok(Some((Part::Field(*field), &pattern[name.len()..])));
    }
    let Some(first) = pattern.chars().next() else { return Ok(None) };
    if first == '"' {
        let quoted = &pattern[1..];
        let Some((literal, after)) = quoted.split_once('"') else {
            return Err(BadFormat::Unknown(pattern.to_owned()));
        };
        return Ok(Some((Part::Literal(literal), after)));
    }
    if first.is_alphanumeric() {
        let word = pattern.split(|c: char| !c.is_alphanumeric()).next().unwrap_or(pattern);
        return Err(BadFormat::Unknown(word.to_owned()));
    }
    let (literal, after) = pattern.split_at(first.len_utf8());
    Ok(Some((Part::Literal(literal), after)))
}

impl<'de> Deserialize<'de> for TimeFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TimeFormat, D::Error> {
        TimeFormat::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
