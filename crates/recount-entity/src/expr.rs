//! Expressions as rules evaluate them: bound, typed, every conversion written out. Whoever makes one sees to it
//! that the types fit; here a value of another kind than asked for is an error, never a guess.
//!
//! Three-valued logic, and left to right: the right side of AND, OR and COALESCE and the branches of CASE are
//! looked at only if they decide, so that `d <> 0 AND n / d > 1` cannot fail.

use std::borrow::Cow;
use std::cmp::Ordering;

use recount_types::column::{Column, Value};

use crate::decimal::Number;

mod function;
mod program;
mod time;

pub use function::{Extreme, Rounding};
pub(crate) use program::{Inputs, Program, Registers, Wanted};
pub use time::TimeUnit;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A value.
    Literal(Value<'static>),
    /// A column of the state, before the event.
    State(usize),
    /// A column of the event.
    Event(usize),
    /// A column of the row that a look-up found: the number of the look-up, then the column's.
    Lookup(usize, usize),
    /// An integer or decimal with so many more digits after the point.
    Widen(Box<Expr>, u8),
    /// An integer, or a decimal of this scale, as a floating point number.
    Float(Box<Expr>, u8),
    /// Arithmetic on two values of a class.
    Arithmetic(Operator, Class, Box<Expr>, Box<Expr>),
    /// A quotient of decimals: dividend times ten to the power of the number, by divisor, rounded.
    Divide(Box<Expr>, Box<Expr>, i16),
    /// A decimal with so many digits fewer.
    Shorten(Box<Expr>, u8, Rounding),
    /// A decimal or integer raised to a power.
    Power(Class, Box<Expr>, u32),
    /// The sign turned.
    Negate(Class, Box<Expr>),
    /// Without the sign.
    Absolute(Class, Box<Expr>),
    /// A comparison of two values of a class.
    Compare(Comparison, Class, Box<Expr>, Box<Expr>),
    /// Both.
    And(Box<Expr>, Box<Expr>),
    /// One or both.
    Or(Box<Expr>, Box<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// Whether there is no value.
    IsNull(Box<Expr>),
    /// The value behind the first condition that holds, or else the last.
    Case(Vec<(Expr, Expr)>, Box<Expr>),
    /// The first value that is one.
    Coalesce(Vec<Expr>),
    /// The greatest or least of the values that are some.
    Extreme(Extreme, Class, Vec<Expr>),
    /// The day, in UTC, of a time.
    Day(Box<Expr>),
    /// The beginning of a day.
    Midnight(Box<Expr>),
    /// The beginning of the unit that a time lies in.
    Truncate(TimeUnit, Box<Expr>),
    /// Two texts joined.
    Concat(Box<Expr>, Box<Expr>),
    /// In small letters.
    Lower(Box<Expr>),
    /// In capital letters.
    Upper(Box<Expr>),
    /// The number of characters.
    Length(Box<Expr>),
}

/// How the values of an operation are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Booleans.
    Boolean,
    /// Integers, dates and times.
    Integer,
    /// Decimals of one scale.
    Decimal,
    /// Floating point numbers.
    Double,
    /// Texts, by their bytes.
    Text,
}

/// An operator of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/` of integers, cut towards zero, or of floating point numbers.
    Divide,
    /// `%`, with the sign of the dividend.
    Remainder,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// Most bytes of a text that an expression makes; else a state could double with each event.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// Why an expression has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// By zero.
    #[error("division by zero")]
    DivisionByZero,
    /// Beyond 64 bits.
    #[error("an integer is beyond 64 bits: make one side a DECIMAL")]
    Integer,
    /// Beyond 256 bits.
    #[error("a decimal has more digits than 256 bits hold: round its parts first")]
    Decimal,
    /// Longer than a text may be.
    #[error("a text is longer than {TEXT_BYTES_MAX} bytes")]
    Text,
    /// Beyond the times that there are.
    #[error("a time is outside the years 0001 to 9999")]
    Time,
    /// Not what the expression was made for.
    #[error("a value is not of the type that the rule was checked with")]
    Kind,
}

/// What an expression may look at.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The state before the event.
    pub state: &'a [Value<'a>],
    /// The columns of events.
    pub event: &'a [Column],
    /// The event among them.
    pub row: usize,
    /// The row that each look-up found.
    pub lookups: &'a [Option<&'a [Value<'static>]>],
}

/// A value on its way through an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum<'a> {
    /// None.
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer, a date, a time.
    Integer(i64),
    /// A decimal, of up to 256 bits.
    Decimal(Number),
    /// A floating point number.
    Double(f64),
    /// A text.
    Text(Cow<'a, str>),
}

impl<'a> From<Value<'a>> for Datum<'a> {
    #[inline]
    fn from(value: Value<'a>) -> Datum<'a> {
        match value {
            Value::Null => Datum::Null,
            Value::Boolean(value) => Datum::Boolean(value),
            Value::Integer(value) => Datum::Integer(value),
            Value::Decimal(value) => Datum::Decimal(Number::Small(value)),
            Value::Double(value) => Datum::Double(value),
            Value::Text(text) => Datum::Text(text),
        }
    }
}

impl Expr {
    /// Its value in `scope`.
    pub fn eval<'a>(&'a self, scope: &Scope<'a>) -> Result<Datum<'a>, EvalError> {
        Ok(match self {
            Expr::Literal(value) => value.borrowed().into(),
            Expr::State(column) => scope.state[*column].borrowed().into(),
            Expr::Event(column) => scope.event[*column].get(scope.row).into(),
            Expr::Lookup(lookup, column) => match scope.lookups[*lookup] {
                Some(row) => row[*column].borrowed().into(),
                None => Datum::Null,
            },
            Expr::Arithmetic(operator, class, left, right) => {
                let (left, right) = (left.eval(scope)?, right.eval(scope)?);
                if left == Datum::Null || right == Datum::Null {
                    return Ok(Datum::Null);
                }
                function::arithmetic(*operator, *class, left, right)?
            }
            Expr::Compare(comparison, class, left, right) => {
                let (left, right) = (left.eval(scope)?, right.eval(scope)?);
                if left == Datum::Null || right == Datum::Null {
                    return Ok(Datum::Null);
                }
                Datum::Boolean(comparison.holds(compare(*class, &left, &right)?))
            }
            Expr::And(left, right) => match truth(left.eval(scope)?)? {
                Some(false) => Datum::Boolean(false),
                left => match (left, truth(right.eval(scope)?)?) {
                    (_, Some(false)) => Datum::Boolean(false),
                    (Some(true), Some(true)) => Datum::Boolean(true),
                    _ => Datum::Null,
                },
            },
            Expr::Or(left, right) => match truth(left.eval(scope)?)? {
                Some(true) => Datum::Boolean(true),
                left => match (left, truth(right.eval(scope)?)?) {
                    (_, Some(true)) => Datum::Boolean(true),
                    (Some(false), Some(false)) => Datum::Boolean(false),
                    _ => Datum::Null,
                },
            },
            Expr::Not(value) => {
                truth(value.eval(scope)?)?.map_or(Datum::Null, |value| Datum::Boolean(!value))
            }
            Expr::IsNull(value) => Datum::Boolean(value.eval(scope)? == Datum::Null),
            Expr::Case(branches, otherwise) => {
                for (condition, value) in branches {
                    if truth(condition.eval(scope)?)? == Some(true) {
                        return value.eval(scope);
                    }
                }
                otherwise.eval(scope)?
            }
            Expr::Coalesce(values) => {
                for value in values {
                    let value = value.eval(scope)?;
                    if value != Datum::Null {
                        return Ok(value);
                    }
                }
                Datum::Null
            }
            Expr::Extreme(extreme, class, values) => function::extreme(*extreme, *class, values, scope)?,
            Expr::Divide(dividend, divisor, digits) => {
                let (dividend, divisor) = (dividend.eval(scope)?, divisor.eval(scope)?);
                match (dividend, divisor) {
                    (Datum::Null, _) | (_, Datum::Null) => Datum::Null,
                    (Datum::Decimal(dividend), Datum::Decimal(divisor)) => {
                        function::divide(&dividend, &divisor, *digits)?
                    }
                    _ => return Err(EvalError::Kind),
                }
            }
            Expr::Concat(left, right) => match (left.eval(scope)?, right.eval(scope)?) {
                (Datum::Null, _) | (_, Datum::Null) => Datum::Null,
                (Datum::Text(left), Datum::Text(right)) if left.len() + right.len() > TEXT_BYTES_MAX => {
                    return Err(EvalError::Text);
                }
                (Datum::Text(left), Datum::Text(right)) => Datum::Text(left + right),
                _ => return Err(EvalError::Kind),
            },
            Expr::Widen(value, _)
            | Expr::Float(value, _)
            | Expr::Shorten(value, ..)
            | Expr::Power(_, value, _)
            | Expr::Negate(_, value)
            | Expr::Absolute(_, value)
            | Expr::Day(value)
            | Expr::Midnight(value)
            | Expr::Truncate(_, value)
            | Expr::Lower(value)
            | Expr::Upper(value)
            | Expr::Length(value) => match value.eval(scope)? {
                Datum::Null => Datum::Null,
                value => function::of_one(self, value)?,
            },
        })
    }

    /// Whether it is true; nothing and false are not.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, EvalError> {
        Ok(truth(self.eval(scope)?)? == Some(true))
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::Unequal => order != Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::AtMost => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::AtLeast => order != Ordering::Less,
        }
    }
}

fn truth(value: Datum<'_>) -> Result<Option<bool>, EvalError> {
    match value {
        Datum::Null => Ok(None),
        Datum::Boolean(value) => Ok(Some(value)),
        _ => Err(EvalError::Kind),
    }
}

/// How two values that are some compare. Floating point numbers as in Postgres: −0 is 0, NaN is the greatest.
fn compare(class: Class, left: &Datum<'_>, right: &Datum<'_>) -> Result<Ordering, EvalError> {
    Ok(match (class, left, right) {
        (Class::Boolean, Datum::Boolean(left), Datum::Boolean(right)) => left.cmp(right),
        (Class::Integer, Datum::Integer(left), Datum::Integer(right)) => left.cmp(right),
        (Class::Decimal, Datum::Decimal(left), Datum::Decimal(right)) => left.cmp(right),
        (Class::Text, Datum::Text(left), Datum::Text(right)) => left.cmp(right),
        (Class::Double, Datum::Double(left), Datum::Double(right)) => {
            let nan = left.is_nan().cmp(&right.is_nan());
            left.partial_cmp(right).unwrap_or(nan)
        }
        _ => return Err(EvalError::Kind),
    })
}

#[cfg(test)]
mod tests;
