//! Functions and casts of rules.

use recount_entity::expr::{Expr, Extreme, Operator, Rounding, TimeUnit};
use recount_store::ddl::ParseError;
use sqlparser::ast::{
    self, BinaryOperator, CastKind, CeilFloorKind, DataType, DateTimeField, ExactNumberInfo, FunctionArg,
    FunctionArgExpr, FunctionArguments, TimezoneInfo,
};

use super::expression::Binder;
use super::literal;
use super::names::folded;
use super::types::{Literal, Type, Typed};

/// Every function, as the errors list them.
const FUNCTIONS: &str = "abs, ceil, coalesce, date_trunc, days, floor, greatest, least, length, lower, nullif, power, round and upper";

/// Most digits that can be rounded to.
const SCALE_MAX: u64 = 38;

type Bound = Result<Typed, ParseError>;

/// A call of a function.
pub(super) fn call(binder: &mut Binder<'_, '_>, call: &ast::Function) -> Bound {
    let name = match call.name.0.as_slice() {
        [part] => part.as_ident().map(folded),
        _ => None,
    };
    let Some(name) = name else { return binder.wrong(format!("there is no function {}", call.name)) };
    let plain = call.filter.is_none() && call.over.is_none() && call.within_group.is_empty();
    let arguments = arguments(&call.args).filter(|_| plain);
    let Some(arguments) = arguments else {
        return binder.wrong(format!("{name} in a rule takes values only: no *, DISTINCT, FILTER or OVER"));
    };
    match (name.as_str(), arguments.as_slice()) {
        ("round", [value]) => round(binder, value, 0),
        ("round", [value, digits]) => match constant(digits) {
            Some(digits) if digits <= SCALE_MAX => round(binder, value, digits as u8),
            _ => {
                binder.wrong(format!("round takes the number of digits as a constant from 0 to {SCALE_MAX}"))
            }
        },
        ("coalesce", [_, ..]) => {
            let values = all(binder, &arguments)?;
            let (values, kind) = binder.unified(values, "an argument of coalesce beside")?;
            Ok(Typed::new(Expr::Coalesce(values), kind))
        }
        ("greatest" | "least", [_, ..]) => {
            let values = all(binder, &arguments)?;
            let (values, kind) = binder.unified(values, "compared with")?;
            let extreme = if name == "greatest" { Extreme::Greatest } else { Extreme::Least };
            Ok(Typed::new(Expr::Extreme(extreme, kind.class(), values), kind))
        }
        ("nullif", [value, other]) => {
            let (value, other) = (binder.bind(value)?, binder.bind(other)?);
            let equal = binder.compare(recount_entity::expr::Comparison::Equal, value.clone(), other)?;
            let null = Expr::Literal(recount_types::column::Value::Null);
            Ok(Typed::new(Expr::Case(vec![(equal, null)], Box::new(value.expr)), value.kind))
        }
        ("abs", [value]) => {
            let value = number(binder, value, "abs")?;
            Ok(Typed::new(Expr::Absolute(value.kind.class(), Box::new(value.expr)), value.kind))
        }
        ("floor" | "ceil" | "ceiling", [value]) => whole(binder, value, &name),
        ("power", [value, exponent]) => power(binder, value, exponent),
        ("days", [from, to]) => {
            let (from, to) = (day(binder, from)?, day(binder, to)?);
            let class = Type::Integer.class();
            Ok(Typed::new(
                Expr::Arithmetic(Operator::Subtract, class, Box::new(to), Box::new(from)),
                Type::Integer,
            ))
        }
        ("date_trunc", [unit, time]) => truncate(binder, unit, time),
        ("lower" | "upper" | "length", [value]) => {
            let value = binder.bind(value)?;
            if !matches!(value.kind, Type::Text | Type::Null) {
                return binder.wrong(format!("{name} takes a TEXT, and this is {}", value.kind));
            }
            let value = Box::new(value.expr);
            Ok(match name.as_str() {
                "lower" => Typed::new(Expr::Lower(value), Type::Text),
                "upper" => Typed::new(Expr::Upper(value), Type::Text),
                _ => Typed::new(Expr::Length(value), Type::Integer),
            })
        }
        (
            "round" | "coalesce" | "greatest" | "least" | "nullif" | "abs" | "floor" | "ceil" | "ceiling"
            | "power" | "days" | "date_trunc" | "lower" | "upper" | "length",
            arguments,
        ) => binder.wrong(format!("{name} does not take {} arguments", arguments.len())),
        ("now" | "current_timestamp" | "random" | "uuid" | "gen_random_uuid", _) => binder.wrong(format!(
            "{name}() would give another state at each replay: use _append_time, or a column of the event"
        )),
        _ => binder.wrong(format!("rules have no function {name}: they have {FUNCTIONS}")),
    }
}

/// `FLOOR(x)` and `CEIL(x)`, which the parser knows by themselves.
pub(super) fn floor(
    binder: &mut Binder<'_, '_>,
    value: &ast::Expr,
    field: &CeilFloorKind,
    name: &str,
) -> Bound {
    match field {
        CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => whole(binder, value, name),
        _ => binder.wrong(format!("{name} takes one number")),
    }
}

/// A cast.
pub(super) fn cast(binder: &mut Binder<'_, '_>, value: &ast::Expr, to: &DataType, kind: &CastKind) -> Bound {
    if !matches!(kind, CastKind::Cast | CastKind::DoubleColon) {
        return binder.wrong("write CAST(… AS type)");
    }
    let Some(to_type) = cast_type(to) else {
        return binder.wrong(format!(
            "rules cannot cast to {to}: to BIGINT, DECIMAL(p,s), DOUBLE, DATE, TIMESTAMP and TIMESTAMPTZ they can"
        ));
    };
    let value = binder.bind(value)?;
    if let (Some(Literal::Text(text)), Type::Date | Type::Timestamp | Type::TimestampTz) =
        (&value.literal, to_type)
    {
        return match literal::text_as(text, to_type) {
            Ok(Some(constant)) => Ok(constant),
            Ok(None) => Ok(value),
            Err(message) => binder.wrong(message),
        };
    }
    let expr = Box::new(value.expr.clone());
    Ok(match (value.kind, to_type) {
        (from, to) if from == to => value,
        (Type::Null, to) => Typed::new(*expr, to),
        (from @ (Type::Integer | Type::Decimal { .. }), Type::Double) => {
            Typed::new(Expr::Float(expr, from.scale()), Type::Double)
        }
        (from @ (Type::Integer | Type::Decimal { .. }), Type::Decimal { scale, .. })
            if scale >= from.scale() =>
        {
            // The digits before the point are counted where it is stored.
            Typed::new(value.at_scale(scale), to_type)
        }
        (from @ Type::Decimal { .. }, Type::Decimal { scale, .. }) => {
            Typed::new(Expr::Shorten(expr, from.scale() - scale, Rounding::Nearest), from.rounded(scale))
        }
        (Type::Timestamp | Type::TimestampTz, Type::Date) => Typed::new(Expr::Day(expr), Type::Date),
        (Type::Date, Type::Timestamp | Type::TimestampTz) => Typed::new(Expr::Midnight(expr), to_type),
        (from, to) => return binder.wrong(format!("{from} cannot be cast to {to}")),
    })
}

/// The type that a cast names, if values can be cast to it.
pub(super) fn cast_type(to: &DataType) -> Option<Type> {
    Some(match to {
        DataType::BigInt(None) | DataType::Int8(None) => Type::Integer,
        DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale))
        | DataType::Numeric(ExactNumberInfo::PrecisionAndScale(precision, scale)) => {
            let scale = u64::try_from(*scale).ok()?;
            recount_store::schema::ColumnType::decimal(*precision, scale)?.into()
        }
        DataType::Double(ExactNumberInfo::None) | DataType::DoublePrecision | DataType::Float8 => {
            Type::Double
        }
        DataType::Text => Type::Text,
        DataType::Date => Type::Date,
        DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Type::Timestamp,
        DataType::Timestamp(None, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => Type::TimestampTz,
        _ => return None,
    })
}

/// `round`: the direct operand of a quotient is rounded once, to these digits.
fn round(binder: &mut Binder<'_, '_>, value: &ast::Expr, digits: u8) -> Bound {
    let mut inner = value;
    while let ast::Expr::Nested(nested) = inner {
        inner = nested;
    }
    let value = match inner {
        ast::Expr::BinaryOp { left, op: BinaryOperator::Divide, right } => {
            binder.divide(left, right, digits)?
        }
        _ => binder.bind(value)?,
    };
    match value.kind {
        Type::Decimal { scale, .. } if scale > digits => {
            let expr = Expr::Shorten(Box::new(value.expr), scale - digits, Rounding::Nearest);
            Ok(Typed::new(expr, value.kind.rounded(digits)))
        }
        Type::Decimal { .. } | Type::Integer | Type::Null => Ok(Typed::new(value.expr, value.kind)),
        Type::Double => {
            binder.wrong("round is for DECIMAL, and a DOUBLE is not exact: declare the column as DECIMAL")
        }
        other => binder.wrong(format!("round takes a number, and this is {other}")),
    }
}

/// `floor` and `ceil`.
fn whole(binder: &mut Binder<'_, '_>, value: &ast::Expr, name: &str) -> Bound {
    let value = number(binder, value, name)?;
    match value.kind {
        Type::Decimal { scale, .. } if scale > 0 => {
            let rounding = if name == "floor" { Rounding::Down } else { Rounding::Up };
            Ok(Typed::new(Expr::Shorten(Box::new(value.expr), scale, rounding), value.kind.rounded(0)))
        }
        Type::Double => binder.wrong(format!("{name} is for DECIMAL, and this is DOUBLE")),
        _ => Ok(Typed::new(value.expr, value.kind)),
    }
}

fn power(binder: &mut Binder<'_, '_>, value: &ast::Expr, exponent: &ast::Expr) -> Bound {
    let value = number(binder, value, "power")?;
    let Some(exponent) = constant(exponent).and_then(|exponent| u8::try_from(exponent).ok()) else {
        return binder.wrong("power takes the exponent as a constant from 0 to 255");
    };
    let kind = match value.kind {
        Type::Decimal { scale, .. } => {
            let Some(scale) = scale.checked_mul(exponent).filter(|scale| u64::from(*scale) <= SCALE_MAX)
            else {
                return binder.wrong(format!(
                    "the power has more than {SCALE_MAX} digits after the point: round(…) its base first"
                ));
            };
            Type::decimal(recount_entity::decimal::DIGITS_MAX, scale)
        }
        Type::Double => return binder.wrong("power is for integers and DECIMAL, and this is DOUBLE"),
        kind => kind,
    };
    Ok(Typed::new(Expr::Power(value.kind.class(), Box::new(value.expr), exponent.into()), kind))
}

/// A time as the day it lies in.
fn day(binder: &mut Binder<'_, '_>, value: &ast::Expr) -> Result<Expr, ParseError> {
    let value = binder.bind(value)?;
    match value.kind {
        Type::Date | Type::Null => Ok(value.expr),
        Type::Timestamp | Type::TimestampTz => Ok(Expr::Day(Box::new(value.expr))),
        other => binder.wrong(format!("days takes dates or times, and this is {other}")),
    }
}

fn truncate(binder: &mut Binder<'_, '_>, unit: &ast::Expr, time: &ast::Expr) -> Bound {
    const UNITS: [(&str, TimeUnit); 8] = [
        ("second", TimeUnit::Second),
        ("minute", TimeUnit::Minute),
        ("hour", TimeUnit::Hour),
        ("day", TimeUnit::Day),
        ("week", TimeUnit::Week),
        ("month", TimeUnit::Month),
        ("quarter", TimeUnit::Quarter),
        ("year", TimeUnit::Year),
    ];
    let wanted = match binder.bind(unit)?.literal {
        Some(Literal::Text(text)) => text.to_ascii_lowercase(),
        _ => String::new(),
    };
    let Some((_, unit)) = UNITS.into_iter().find(|(name, _)| *name == wanted) else {
        return binder.wrong(
            "date_trunc takes 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter' or 'year', then a time",
        );
    };
    let time = binder.bind(time)?;
    match time.kind {
        Type::Timestamp | Type::TimestampTz => {
            Ok(Typed::new(Expr::Truncate(unit, Box::new(time.expr)), time.kind))
        }
        other => binder.wrong(format!("date_trunc takes a TIMESTAMP or TIMESTAMPTZ, and this is {other}")),
    }
}

fn number(binder: &mut Binder<'_, '_>, value: &ast::Expr, name: &str) -> Bound {
    let value = binder.bind(value)?;
    if value.kind.is_number() || value.kind == Type::Null {
        return Ok(Typed { literal: None, ..value });
    }
    binder.wrong(format!("{name} takes a number, and this is {}", value.kind))
}

fn all(binder: &mut Binder<'_, '_>, arguments: &[&ast::Expr]) -> Result<Vec<Typed>, ParseError> {
    arguments.iter().map(|argument| binder.bind(argument)).collect()
}

/// The arguments, if they are plain values.
fn arguments(arguments: &FunctionArguments) -> Option<Vec<&ast::Expr>> {
    match arguments {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => {
            list.args
                .iter()
                .map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}

/// A whole number as a constant.
fn constant(expr: &ast::Expr) -> Option<u64> {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
