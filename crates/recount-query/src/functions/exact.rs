//! Exact numbers, integers and decimals, in and out of arrays.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal256Type, i256};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;

use super::arithmetic::NoResult;

/// Most digits of a decimal.
const DIGITS_MAX: u8 = 76;
/// Most digits of one in 128 bits.
const DIGITS_MAX_128: u8 = 38;

pub(crate) fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// Whether it is an integer, a decimal, or nothing.
pub(super) fn is_exact(data_type: &DataType) -> bool {
    data_type.is_integer() || is_decimal(data_type) || data_type.is_null()
}

/// Digits in all and behind the point.
pub(super) fn digits(data_type: &DataType) -> Result<(u8, u8)> {
    match data_type {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            let scale = u8::try_from(*scale).map_err(|_| plan("a decimal of negative scale"))?;
            Ok((*precision, scale))
        }
        DataType::Int8 | DataType::UInt8 => Ok((3, 0)),
        DataType::Int16 | DataType::UInt16 => Ok((5, 0)),
        DataType::Int32 | DataType::UInt32 => Ok((10, 0)),
        DataType::Int64 => Ok((19, 0)),
        DataType::UInt64 => Ok((20, 0)),
        DataType::Null => Ok((1, 0)),
        other => Err(plan(&format!("{other} is not an exact number"))),
    }
}

/// The type with so many digits before and behind the point.
pub(super) fn decimal(whole: u16, scale: u16) -> Result<DataType> {
    let scale = u8::try_from(scale).ok().filter(|&scale| scale <= DIGITS_MAX);
    let scale = scale.ok_or_else(|| {
        plan("the result would have more than 76 digits behind the point: round the operands first")
    })?;
    let precision = (whole + u16::from(scale)).clamp(1, DIGITS_MAX.into()) as u8;
    Ok(if precision <= DIGITS_MAX_128 {
        DataType::Decimal128(precision, scale as i8)
    } else {
        DataType::Decimal256(precision, scale as i8)
    })
}

/// An integer literal as a decimal of just its digits, so that results are not wider than need be.
pub(super) fn literal(expr: Expr) -> Expr {
    match &expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) => {
            let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as u8 + 1;
            Expr::Literal(ScalarValue::Decimal128(Some((*value).into()), digits, 0), metadata.clone())
        }
        _ => expr,
    }
}

/// A decimal constant as the floating point number nearest to it; anything else as it is.
pub(crate) fn constant_as_double(expr: Expr) -> Expr {
    match &expr {
        Expr::Literal(ScalarValue::Decimal128(Some(value), _, scale), metadata) => {
            match format!("{value}e{}", -i32::from(*scale)).parse() {
                Ok(double) => Expr::Literal(ScalarValue::Float64(Some(double)), metadata.clone()),
                Err(_) => expr,
            }
        }
        _ => expr,
    }
}

/// The numbers of an array, in 256 bits.
pub(super) fn numbers(array: &ArrayRef) -> Result<Decimal256Array> {
    let (_, scale) = digits(array.data_type())?;
    let wide = cast(array, &DataType::Decimal256(DIGITS_MAX, scale as i8))?;
    Ok(wide.as_primitive::<Decimal256Type>().clone())
}

/// Numbers as an array of a type; too large ones are an error.
pub(super) fn array(
    values: impl Iterator<Item = Result<Option<i256>, NoResult>>,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let values: Vec<Option<i256>> = values.collect::<Result<_, _>>().map_err(failed)?;
    match data_type {
        DataType::Decimal128(precision, scale) => {
            let narrow = values.into_iter().map(|value| match value {
                Some(value) => value.to_i128().map(Some).ok_or_else(|| failed(NoResult::TooLarge)),
                None => Ok(None),
            });
            let array = Decimal128Array::from(narrow.collect::<Result<Vec<_>>>()?);
            let array = array.with_precision_and_scale(*precision, *scale)?;
            array.validate_decimal_precision(*precision).map_err(|_| failed(NoResult::TooLarge))?;
            Ok(Arc::new(array))
        }
        DataType::Decimal256(precision, scale) => {
            let array = Decimal256Array::from(values).with_precision_and_scale(*precision, *scale)?;
            array.validate_decimal_precision(*precision).map_err(|_| failed(NoResult::TooLarge))?;
            Ok(Arc::new(array))
        }
        other => Err(plan(&format!("{other} is no type of decimals"))),
    }
}

pub(super) fn plan(what: &str) -> DataFusionError {
    DataFusionError::Plan(what.to_owned())
}

fn failed(error: NoResult) -> DataFusionError {
    DataFusionError::Execution(error.to_string())
}

/// Whether a row of either has none.
pub(super) fn both<'a>(
    left: &'a Decimal256Array,
    right: &'a Decimal256Array,
) -> impl Iterator<Item = Option<(i256, i256)>> + 'a {
    (0..left.len()).map(|row| {
        let valid = left.is_valid(row) && right.is_valid(row);
        valid.then(|| (left.value(row), right.value(row)))
    })
}
