//! What a column of the state can hold.

use std::borrow::Cow;

use recount_types::column::Value;

use crate::decimal::Number;
use crate::expr::Datum;

/// A column of the state.
#[derive(Debug, Clone, PartialEq)]
pub struct StateColumn {
    /// Its name.
    pub name: String,
    /// The values that it can have.
    pub domain: Domain,
    /// Whether it can have none.
    pub nullable: bool,
    /// Its value before the first event.
    pub default: Value<'static>,
}

/// The values of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Booleans.
    Boolean,
    /// Integers from the first to the second; dates and times too.
    Integer(i64, i64),
    /// Decimals of so many digits, of which so many are after the point.
    Decimal(u8, u8),
    /// Floating point numbers.
    Double,
    /// Texts, and JSON.
    Text,
}

/// Why a value cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is none.
    #[error("the value is NULL, and the column is NOT NULL: use coalesce(…, a default)")]
    Null,
    /// Beyond the type.
    #[error("{0} is beyond the column's type: declare a wider one")]
    Size(String),
    /// Of another type.
    #[error("the value is not of the column's type")]
    Kind,
}

impl StateColumn {
    /// The value to keep.
    pub fn value(&self, datum: Datum<'_>) -> Result<Value<'static>, Unfit> {
        match (self.domain, datum) {
            (_, Datum::Null) if self.nullable => Ok(Value::Null),
            (_, Datum::Null) => Err(Unfit::Null),
            (Domain::Boolean, Datum::Boolean(value)) => Ok(Value::Boolean(value)),
            (Domain::Integer(least, greatest), Datum::Integer(value)) => {
                let fits = (least..=greatest).contains(&value);
                if fits { Ok(Value::Integer(value)) } else { Err(Unfit::Size(value.to_string())) }
            }
            (Domain::Decimal(precision, scale), Datum::Decimal(value)) => {
                let fitting = value.within(precision).map(Value::Decimal);
                fitting.ok_or_else(|| Unfit::Size(with_point(&value, scale)))
            }
            (Domain::Double, Datum::Double(value)) => Ok(Value::Double(value)),
            (Domain::Text, Datum::Text(text)) => Ok(Value::Text(Cow::Owned(text.into_owned()))),
            _ => Err(Unfit::Kind),
        }
    }
}

/// A datum as a value; `None` for a decimal beyond 128 bits.
pub(super) fn plain(datum: Datum<'_>) -> Option<Value<'_>> {
    Some(match datum {
        Datum::Null => Value::Null,
        Datum::Boolean(value) => Value::Boolean(value),
        Datum::Integer(value) => Value::Integer(value),
        Datum::Decimal(Number::Small(value)) => Value::Decimal(value),
        Datum::Decimal(Number::Big(_)) => return None,
        Datum::Double(value) => Value::Double(value),
        Datum::Text(text) => Value::Text(text),
    })
}

/// A datum as an integer; `None` if it is something else.
pub(super) fn integer(datum: Datum<'_>) -> Option<Option<i64>> {
    match datum {
        Datum::Null => Some(None),
        Datum::Integer(value) => Some(Some(value)),
        _ => None,
    }
}

fn with_point(value: &Number, scale: u8) -> String {
    let digits = value.wide().to_string();
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let scale = usize::from(scale);
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_if_they_fit() {
        let column =
            |domain, nullable| StateColumn { name: "c".into(), domain, nullable, default: Value::Null };
        let check = |domain, datum: Datum<'_>| match column(domain, false).value(datum) {
            Ok(value) => format!("{value:?}"),
            Err(unfit) => unfit.to_string(),
        };
        let decimal = |value: i128| Datum::Decimal(Number::Small(value));
        assert_eq!(column(Domain::Text, true).value(Datum::Null), Ok(Value::Null));
        assert_eq!(column(Domain::Text, false).value(Datum::Null), Err(Unfit::Null));
        assert_eq!(check(Domain::Boolean, Datum::Boolean(true)), "Boolean(true)");
        assert_eq!(check(Domain::Integer(-5, 5), Datum::Integer(5)), "Integer(5)");
        let beyond = " is beyond the column's type: declare a wider one";
        assert_eq!(check(Domain::Integer(-5, 5), Datum::Integer(6)), format!("6{beyond}"));
        assert_eq!(check(Domain::Decimal(4, 2), decimal(9999)), "Decimal(9999)");
        assert_eq!(check(Domain::Decimal(4, 2), decimal(10000)), format!("100.00{beyond}"));
        assert_eq!(check(Domain::Decimal(4, 0), decimal(-10000)), format!("-10000{beyond}"));
        assert_eq!(check(Domain::Decimal(1, 3), decimal(-12)), format!("-0.012{beyond}"));
        let big = Number::Small(i128::MAX).add(&Number::Small(1)).unwrap();
        let shown = "170141183460469231731687303715884105.728";
        assert_eq!(check(Domain::Decimal(38, 3), Datum::Decimal(big.clone())), format!("{shown}{beyond}"));
        assert_eq!(plain(Datum::Decimal(big)), None);
        assert_eq!(check(Domain::Double, Datum::Double(0.5)), "Double(0.5)");
        assert_eq!(check(Domain::Text, Datum::Text("a".into())), "Text(\"a\")");
        assert_eq!(check(Domain::Text, Datum::Integer(1)), Unfit::Kind.to_string());
    }
}
