//! Types of columns, in Postgres' spelling; kept as that text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most digits of a DECIMAL.
const DECIMAL_DIGITS_MAX: u8 = 38;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `true` or `false`.
    Boolean,
    /// 16 bits.
    SmallInt,
    /// 32 bits.
    Int,
    /// 64 bits.
    BigInt,
    /// At most `precision` digits, `scale` of them after the point; exact.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// IEEE 754, 64 bits.
    Double,
    /// UTF-8.
    Text,
    /// A day of the calendar.
    Date,
    /// What a clock on the wall shows, µs; no instant.
    Timestamp,
    /// An instant, µs.
    TimestampTz,
    /// A JSON text, verbatim.
    Json,
}

impl ColumnType {
    /// A DECIMAL, if there is one of this size.
    pub fn decimal(precision: u64, scale: u64) -> Option<ColumnType> {
        let fits = (1..=u64::from(DECIMAL_DIGITS_MAX)).contains(&precision) && scale <= precision;
        fits.then_some(ColumnType::Decimal { precision: precision as u8, scale: scale as u8 })
    }

    /// Whether every value of this type is one of `wider`, and is written the same in a payload.
    pub(crate) fn widens_to(self, wider: ColumnType) -> bool {
        let integer_digits = match self {
            ColumnType::SmallInt => 5,
            ColumnType::Int => 10,
            ColumnType::BigInt => 19,
            ColumnType::Decimal { precision, scale } => precision - scale,
            _ => return self == wider,
        };
        match wider {
            ColumnType::Decimal { precision, scale } => {
                scale >= self.scale() && precision - scale >= integer_digits
            }
            ColumnType::Int => matches!(self, ColumnType::SmallInt | ColumnType::Int),
            ColumnType::BigInt => {
                matches!(self, ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt)
            }
            _ => self == wider,
        }
    }

    /// Digits after the point of a DECIMAL; 0 for the rest.
    pub(crate) fn scale(self) -> u8 {
        match self {
            ColumnType::Decimal { scale, .. } => scale,
            _ => 0,
        }
    }

    /// Whether equal values have one text, so that it can name a stream or be a tag.
    pub(crate) fn has_canonical_text(self) -> bool {
        !matches!(self, ColumnType::Double | ColumnType::Json)
    }

    /// Whether it is a point in time, of whatever kind.
    pub(crate) fn is_time(self) -> bool {
        matches!(self, ColumnType::Timestamp | ColumnType::TimestampTz)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ColumnType::Boolean => "BOOLEAN",
            ColumnType::SmallInt => "SMALLINT",
            ColumnType::Int => "INT",
            ColumnType::BigInt => "BIGINT",
            ColumnType::Decimal { precision, scale } => return write!(f, "DECIMAL({precision},{scale})"),
            ColumnType::Double => "DOUBLE",
            ColumnType::Text => "TEXT",
            ColumnType::Date => "DATE",
            ColumnType::Timestamp => "TIMESTAMP",
            ColumnType::TimestampTz => "TIMESTAMPTZ",
            ColumnType::Json => "JSON",
        })
    }
}

/// A text that is not a type as [`ColumnType`] shows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a type of columns")]
pub struct BadColumnType(pub String);

impl FromStr for ColumnType {
    type Err = BadColumnType;

    /// Reads exactly what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<ColumnType, BadColumnType> {
        Ok(match text {
            "BOOLEAN" => ColumnType::Boolean,
            "SMALLINT" => ColumnType::SmallInt,
            "INT" => ColumnType::Int,
            "BIGINT" => ColumnType::BigInt,
            "DOUBLE" => ColumnType::Double,
            "TEXT" => ColumnType::Text,
            "DATE" => ColumnType::Date,
            "TIMESTAMP" => ColumnType::Timestamp,
            "TIMESTAMPTZ" => ColumnType::TimestampTz,
            "JSON" => ColumnType::Json,
            _ => decimal(text).ok_or_else(|| BadColumnType(text.chars().take(80).collect()))?,
        })
    }
}

fn decimal(text: &str) -> Option<ColumnType> {
    let (precision, scale) = text.strip_prefix("DECIMAL(")?.strip_suffix(')')?.split_once(',')?;
    ColumnType::decimal(precision.parse().ok()?, scale.parse().ok()?)
}

impl Serialize for ColumnType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ColumnType, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
