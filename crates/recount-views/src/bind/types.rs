//! Types of expressions, and what each operation makes of them.

use std::fmt;

use recount_entity::decimal::DIGITS_MAX;
use recount_entity::expr::{Class, Expr};
use recount_entity::fold::Domain;
use recount_store::schema::ColumnType;

/// Digits after the point of a quotient that is not rounded at once.
pub(super) const QUOTIENT_SCALE: u8 = 12;

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// NULL, of any type.
    Null,
    Boolean,
    Integer,
    /// At most `precision` digits, `scale` of them after the point; at most 76 digits.
    Decimal {
        precision: u8,
        scale: u8,
    },
    Double,
    Text,
    Date,
    Timestamp,
    TimestampTz,
    Json,
}

/// An expression with its type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) kind: Type,
    /// A constant as written, which fits where a column would not: 0.5 beside a DOUBLE, '…' beside a time.
    pub(super) literal: Option<Literal>,
}

/// A constant as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Number(String),
    Text(String),
}

impl From<ColumnType> for Type {
    fn from(column: ColumnType) -> Type {
        match column {
            ColumnType::Boolean => Type::Boolean,
            ColumnType::SmallInt | ColumnType::Int | ColumnType::BigInt => Type::Integer,
            ColumnType::Decimal { precision, scale } => Type::Decimal { precision, scale },
            ColumnType::Double => Type::Double,
            ColumnType::Text => Type::Text,
            ColumnType::Date => Type::Date,
            ColumnType::Timestamp => Type::Timestamp,
            ColumnType::TimestampTz => Type::TimestampTz,
            ColumnType::Json => Type::Json,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Null => "NULL",
            Type::Boolean => "BOOLEAN",
            Type::Integer => "an integer",
            Type::Decimal { precision, scale } => return write!(f, "DECIMAL({precision},{scale})"),
            Type::Double => "DOUBLE",
            Type::Text => "TEXT",
            Type::Date => "DATE",
            Type::Timestamp => "TIMESTAMP",
            Type::TimestampTz => "TIMESTAMPTZ",
            Type::Json => "JSON",
        })
    }
}

impl Type {
    /// How its values are kept; NULL as anything.
    pub(super) fn class(self) -> Class {
        match self {
            Type::Boolean => Class::Boolean,
            Type::Null | Type::Integer | Type::Date | Type::Timestamp | Type::TimestampTz => Class::Integer,
            Type::Decimal { .. } => Class::Decimal,
            Type::Double => Class::Double,
            Type::Text | Type::Json => Class::Text,
        }
    }

    /// Digits after the point.
    pub(super) fn scale(self) -> u8 {
        if let Type::Decimal { scale, .. } = self { scale } else { 0 }
    }

    /// Digits before the point that a number of this type can have.
    fn whole_digits(self) -> u8 {
        match self {
            Type::Decimal { precision, scale } => precision.saturating_sub(scale),
            _ => 19,
        }
    }

    /// A decimal of so many digits before and after the point; what is beyond 76 is found when it is computed.
    pub(super) fn decimal(whole: u8, scale: u8) -> Type {
        Type::Decimal { precision: whole.saturating_add(scale).clamp(1, DIGITS_MAX), scale }
    }

    /// The decimal that a sum or difference is.
    pub(super) fn sum(self, other: Type) -> Type {
        let whole = self.whole_digits().max(other.whole_digits()).saturating_add(1);
        Type::decimal(whole, self.scale().max(other.scale()))
    }

    /// The decimal that a product is; `None` if it has more digits after the point than can be kept.
    pub(super) fn product(self, other: Type) -> Option<Type> {
        let scale = self.scale() + other.scale();
        (scale <= DIGITS_MAX)
            .then(|| Type::decimal(self.whole_digits().saturating_add(other.whole_digits()), scale))
    }

    /// The decimal that a quotient with `scale` digits after the point is.
    pub(super) fn quotient(self, divisor: Type, scale: u8) -> Type {
        Type::decimal(self.whole_digits().saturating_add(divisor.scale()), scale)
    }

    /// The decimal that rounding to `scale` digits after the point makes.
    pub(super) fn rounded(self, scale: u8) -> Type {
        Type::decimal(self.whole_digits().saturating_add(1), scale)
    }

    /// Whether it is a number.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Type::Integer | Type::Decimal { .. } | Type::Double)
    }
}

impl Typed {
    pub(super) fn new(expr: Expr, kind: Type) -> Typed {
        Typed { expr, kind, literal: None }
    }

    /// A number as a decimal of this scale, which is not less than its own.
    pub(super) fn at_scale(self, scale: u8) -> Expr {
        let is_integer = self.kind == Type::Integer;
        match scale - self.kind.scale() {
            0 if !is_integer => self.expr,
            digits => Expr::Widen(Box::new(self.expr), digits),
        }
    }
}

/// The values that a column can keep.
pub(super) fn domain(column: ColumnType) -> Domain {
    match column {
        ColumnType::Boolean => Domain::Boolean,
        ColumnType::SmallInt => Domain::Integer(i16::MIN.into(), i16::MAX.into()),
        ColumnType::Int => Domain::Integer(i32::MIN.into(), i32::MAX.into()),
        ColumnType::BigInt | ColumnType::Date | ColumnType::Timestamp | ColumnType::TimestampTz => {
            Domain::Integer(i64::MIN, i64::MAX)
        }
        ColumnType::Decimal { precision, scale } => Domain::Decimal(precision, scale),
        ColumnType::Double => Domain::Double,
        ColumnType::Text | ColumnType::Json => Domain::Text,
    }
}
