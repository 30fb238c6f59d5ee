//! Arithmetic and functions, on values that are some.

use super::{Class, Datum, EvalError, Expr, Operator, Scope, compare, time};
use crate::decimal::Number;

/// Which way digits are taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, halves away from zero.
    Nearest,
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
}

/// Which of several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extreme {
    /// The greatest.
    Greatest,
    /// The least.
    Least,
}

pub(super) fn arithmetic<'a>(
    operator: Operator,
    class: Class,
    left: Datum<'a>,
    right: Datum<'a>,
) -> Result<Datum<'a>, EvalError> {
    match (class, left, right) {
        (Class::Decimal, Datum::Decimal(left), Datum::Decimal(right)) => {
            let result = match operator {
                Operator::Add => left.add(&right),
                Operator::Subtract => left.subtract(&right),
                Operator::Multiply => left.multiply(&right),
                Operator::Remainder if right.is_zero() => return Err(EvalError::DivisionByZero),
                Operator::Remainder => left.remainder(&right),
                Operator::Divide => return Err(EvalError::Kind),
            };
            decimal(result)
        }
        (Class::Integer, Datum::Integer(left), Datum::Integer(right)) => {
            let result = match operator {
                Operator::Add => left.checked_add(right),
                Operator::Subtract => left.checked_sub(right),
                Operator::Multiply => left.checked_mul(right),
                Operator::Divide | Operator::Remainder if right == 0 => {
                    return Err(EvalError::DivisionByZero);
                }
                Operator::Divide => left.checked_div(right),
                // The one quotient beyond 64 bits has a remainder of zero.
                Operator::Remainder => Some(left.checked_rem(right).unwrap_or(0)),
            };
            result.map(Datum::Integer).ok_or(EvalError::Integer)
        }
        (Class::Double, Datum::Double(left), Datum::Double(right)) => Ok(Datum::Double(match operator {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            Operator::Divide | Operator::Remainder if right == 0.0 => return Err(EvalError::DivisionByZero),
            Operator::Divide => left / right,
            Operator::Remainder => left % right,
        })),
        _ => Err(EvalError::Kind),
    }
}

pub(super) fn divide(dividend: &Number, divisor: &Number, digits: i16) -> Result<Datum<'static>, EvalError> {
    if divisor.is_zero() {
        return Err(EvalError::DivisionByZero);
    }
    decimal(dividend.divide(divisor, digits))
}

pub(super) fn extreme<'a>(
    extreme: Extreme,
    class: Class,
    values: &'a [Expr],
    scope: &Scope<'a>,
) -> Result<Datum<'a>, EvalError> {
    let mut best = Datum::Null;
    for value in values {
        let value = value.eval(scope)?;
        if value == Datum::Null {
            continue;
        }
        let better = best == Datum::Null || {
            let order = compare(class, &value, &best)?;
            match extreme {
                Extreme::Greatest => order.is_gt(),
                Extreme::Least => order.is_lt(),
            }
        };
        if better {
            best = value;
        }
    }
    Ok(best)
}

/// The functions of one value.
pub(super) fn of_one<'a>(function: &Expr, value: Datum<'a>) -> Result<Datum<'a>, EvalError> {
    match (function, value) {
        (Expr::Widen(_, digits), Datum::Integer(value)) => decimal(Number::from(value).shift(*digits)),
        (Expr::Widen(_, digits), Datum::Decimal(value)) => decimal(value.shift(*digits)),
        (Expr::Float(..), Datum::Integer(value)) => Ok(Datum::Double(value as f64)),
        (Expr::Float(_, scale), Datum::Decimal(value)) => Ok(Datum::Double(float(&value, *scale)?)),
        (Expr::Shorten(_, digits, rounding), Datum::Decimal(value)) => decimal(match rounding {
            Rounding::Nearest => value.round_off(*digits),
            Rounding::Down => value.cut_off(*digits, false),
            Rounding::Up => value.cut_off(*digits, true),
        }),
        (Expr::Power(Class::Decimal, _, exponent), Datum::Decimal(value)) => decimal(value.power(*exponent)),
        (Expr::Power(Class::Integer, _, exponent), Datum::Integer(value)) => {
            integer(value.checked_pow(*exponent))
        }
        (Expr::Negate(Class::Decimal, _), Datum::Decimal(value)) => decimal(value.negate()),
        (Expr::Negate(Class::Integer, _), Datum::Integer(value)) => integer(value.checked_neg()),
        (Expr::Negate(Class::Double, _), Datum::Double(value)) => Ok(Datum::Double(-value)),
        (Expr::Absolute(Class::Decimal, _), Datum::Decimal(value)) => decimal(value.abs()),
        (Expr::Absolute(Class::Integer, _), Datum::Integer(value)) => integer(value.checked_abs()),
        (Expr::Absolute(Class::Double, _), Datum::Double(value)) => Ok(Datum::Double(value.abs())),
        (Expr::Day(_), Datum::Integer(micros)) => Ok(Datum::Integer(time::day(micros))),
        (Expr::Midnight(_), Datum::Integer(day)) => time::midnight(day).map(Datum::Integer),
        (Expr::Truncate(unit, _), Datum::Integer(micros)) => {
            time::truncate(*unit, micros).map(Datum::Integer)
        }
        (Expr::Lower(_), Datum::Text(text)) => Ok(Datum::Text(text.to_lowercase().into())),
        (Expr::Upper(_), Datum::Text(text)) => Ok(Datum::Text(text.to_uppercase().into())),
        (Expr::Length(_), Datum::Text(text)) => Ok(Datum::Integer(text.chars().count() as i64)),
        _ => Err(EvalError::Kind),
    }
}

/// The floating point number nearest to a decimal: by its text, which the standard library rounds once.
fn float(value: &Number, scale: u8) -> Result<f64, EvalError> {
    format!("{}e-{scale}", value.wide()).parse().map_err(|_| EvalError::Kind)
}

fn decimal(result: Option<Number>) -> Result<Datum<'static>, EvalError> {
    result.map(Datum::Decimal).ok_or(EvalError::Decimal)
}

fn integer(result: Option<i64>) -> Result<Datum<'static>, EvalError> {
    result.map(Datum::Integer).ok_or(EvalError::Integer)
}
