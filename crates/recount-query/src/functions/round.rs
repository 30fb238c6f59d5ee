//! `round(x, n)`: exact on decimals, half away from zero. A quotient or an average right under it is rounded once.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, i256};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use sqlparser::ast::{
    BinaryOperator, Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName, VisitMut, VisitorMut,
};

use super::{arithmetic, exact};

const QUOTIENT: &str = "round_quotient";

/// `round(x)`, `round(x, n)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Round {
    signature: Signature,
}

impl Default for Round {
    fn default() -> Round {
        Round { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Round {
    fn name(&self) -> &str {
        "round"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [value] => Ok(vec![number(value)?]),
            [value, digits] if digits.is_integer() || digits.is_null() => {
                Ok(vec![number(value)?, DataType::Int64])
            }
            _ => Err(exact::plan("round takes a number, and how many digits to keep behind the point")),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(exact::plan("the type of round depends on the digits that it keeps"))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let value = args.arg_fields[0].data_type();
        let data_type = match value {
            DataType::Float64 => DataType::Float64,
            _ => {
                let (precision, scale) = exact::digits(value)?;
                let kept = kept(args.scalar_arguments.get(1).copied())?;
                let whole = u16::from(precision).saturating_sub(scale.into()) + 1;
                exact::decimal(whole, kept.max(0) as u16)?
            }
        };
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let kept = kept_of(args.args.get(1))?;
        if let DataType::Float64 = args.return_field.data_type() {
            let values = arrays[0].as_primitive::<Float64Type>();
            let rounded: Float64Array = values.unary(|value| round_double(value, kept));
            return Ok(ColumnarValue::Array(Arc::new(rounded)));
        }
        let (_, scale) = exact::digits(arrays[0].data_type())?;
        let (_, shown) = exact::digits(args.return_field.data_type())?;
        let values = exact::numbers(&arrays[0])?;
        let values = values.iter().map(|value| {
            let Some(value) = value else { return Ok(None) };
            let less = i64::from(scale) - kept;
            let rounded = match u8::try_from(less) {
                Ok(less) => arithmetic::rounded(value, less)?,
                Err(_) if less > 0 => return Ok(Some(i256::ZERO)),
                Err(_) => arithmetic::widened(value, less.unsigned_abs().min(255) as u8)?,
            };
            // Of digits before the point there are zeros left.
            let zeros = u8::try_from(i64::from(shown) - kept).unwrap_or(0);
            arithmetic::widened(rounded, zeros).map(Some)
        });
        Ok(ColumnarValue::Array(exact::array(values, args.return_field.data_type())?))
    }
}

/// `round(a / b, n)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct RoundQuotient {
    signature: Signature,
}

impl Default for RoundQuotient {
    fn default() -> RoundQuotient {
        RoundQuotient { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for RoundQuotient {
    fn name(&self) -> &str {
        QUOTIENT
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [left, right, rest @ ..] = args else { return Ok(self.name().to_owned()) };
        let mut name = format!("round({} / {}", left.schema_name(), right.schema_name());
        rest.iter().for_each(|digits| name.push_str(&format!(",{}", digits.schema_name())));
        Ok(name + ")")
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right, rest @ ..] = types else {
            return Err(exact::plan("round takes a number, and how many digits to keep behind the point"));
        };
        let (left, right) = (number(left)?, number(right)?);
        let is_double = |data_type: &DataType| *data_type == DataType::Float64;
        let mut coerced = match (is_double(&left), is_double(&right)) {
            (true, false) if exact::is_decimal(&right) => return Err(mixed()),
            (false, true) if exact::is_decimal(&left) => return Err(mixed()),
            (false, false) => vec![left, right],
            _ => vec![DataType::Float64, DataType::Float64],
        };
        coerced.extend(rest.iter().map(|_| DataType::Int64));
        Ok(coerced)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(exact::plan("the type of round depends on the digits that it keeps"))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let (left, right) = (args.arg_fields[0].data_type(), args.arg_fields[1].data_type());
        let data_type = if *left == DataType::Float64 {
            DataType::Float64
        } else {
            let ((precision, scale), (_, other_scale)) = (exact::digits(left)?, exact::digits(right)?);
            let kept = kept(args.scalar_arguments.get(2).copied())?;
            let whole = u16::from(precision).saturating_sub(scale.into()) + u16::from(other_scale) + 1;
            exact::decimal(whole, kept.max(0) as u16)?
        };
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let kept = kept_of(args.args.get(2))?;
        if let DataType::Float64 = args.return_field.data_type() {
            let (left, right) =
                (arrays[0].as_primitive::<Float64Type>(), arrays[1].as_primitive::<Float64Type>());
            let rows = left.iter().zip(right);
            let rounded: Float64Array = rows.map(|(a, b)| Some(round_double(a? / b?, kept))).collect();
            return Ok(ColumnarValue::Array(Arc::new(rounded)));
        }
        let (_, scale) = exact::digits(arrays[0].data_type())?;
        let (_, other_scale) = exact::digits(arrays[1].data_type())?;
        // Integers among themselves divide as integers do.
        let are_integers = arrays[0].data_type().is_integer() && arrays[1].data_type().is_integer();
        let (_, shown) = exact::digits(args.return_field.data_type())?;
        let (left, right) = (exact::numbers(&arrays[0])?, exact::numbers(&arrays[1])?);
        let values = exact::both(&left, &right).map(|row| {
            let Some((left, right)) = row else { return Ok(None) };
            if are_integers {
                let rest = arithmetic::remainder((left, 0), (right, 0))?;
                let whole = arithmetic::subtract((left, 0), (rest, 0))?;
                let quotient = arithmetic::divide((whole, 0), (right, 0), 0)?;
                let less = u8::try_from(-kept).unwrap_or(0);
                return arithmetic::widened(arithmetic::rounded(quotient, less)?, less + shown).map(Some);
            }
            // Digits before the point that go: as if the divisor were larger.
            let less = u8::try_from(-kept).unwrap_or(0);
            let divisor = arithmetic::widened(right, less)?;
            let rounded = arithmetic::divide((left, scale), (divisor, other_scale), kept.max(0) as u8)?;
            arithmetic::widened(rounded, less).map(Some)
        });
        Ok(ColumnarValue::Array(exact::array(values, args.return_field.data_type())?))
    }
}

/// Makes every `round(a / b, n)` and `round(avg(x), n)` of a statement one function.
pub(crate) fn quotients_under_round(statement: &mut impl VisitMut) {
    let _: ControlFlow<()> = statement.visit(&mut Quotients);
}

struct Quotients;

impl VisitorMut for Quotients {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Ast) -> ControlFlow<()> {
        let Ast::Function(function) = expr else { return ControlFlow::Continue(()) };
        let is_round = is_named(function, "round");
        let FunctionArguments::List(list) = &mut function.args else { return ControlFlow::Continue(()) };
        let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = list.args.first() else {
            return ControlFlow::Continue(());
        };
        let mut inner = first;
        while let Ast::Nested(nested) = inner {
            inner = nested;
        }
        if let Some(both) = quotient_of(inner).filter(|_| is_round) {
            let arguments = both.map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)));
            list.args.splice(..1, arguments);
            function.name = ObjectName::from(vec![Ident::new(QUOTIENT)]);
        }
        ControlFlow::Continue(())
    }
}

/// What is divided by what.
fn quotient_of(expr: &Ast) -> Option<[Ast; 2]> {
    match expr {
        Ast::BinaryOp { left, op: BinaryOperator::Divide, right } => Some([*left.clone(), *right.clone()]),
        Ast::Function(average) if is_named(average, "avg") => Some(["sum", "count"].map(|name| {
            let name = ObjectName::from(vec![Ident::new(name)]);
            Ast::Function(Function { name, ..average.clone() })
        })),
        _ => None,
    }
}

fn is_named(function: &Function, wanted: &str) -> bool {
    let [name] = function.name.0.as_slice() else { return false };
    name.as_ident().is_some_and(|name| name.value.eq_ignore_ascii_case(wanted))
}

/// The type in which a number is rounded.
fn number(data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Ok(DataType::Float64),
        DataType::Null => Ok(DataType::Float64),
        exact if exact::is_exact(exact) => Ok(exact.clone()),
        other => Err(exact::plan(&format!("round takes a number, not {other}"))),
    }
}

fn mixed() -> datafusion::error::DataFusionError {
    exact::plan("a DECIMAL never becomes a DOUBLE by itself, CAST one of them to the type of the other")
}

/// How many digits behind the point stay, when it is planned.
fn kept(argument: Option<Option<&ScalarValue>>) -> Result<i64> {
    match argument {
        None => Ok(0),
        Some(Some(ScalarValue::Int64(Some(digits)))) if digits.abs() <= 76 => Ok(*digits),
        Some(Some(value)) if !value.is_null() => match value.cast_to(&DataType::Int64)? {
            ScalarValue::Int64(Some(digits)) if digits.abs() <= 76 => Ok(digits),
            _ => Err(exact::plan("round keeps -76 to 76 digits")),
        },
        Some(_) => {
            Err(exact::plan("round on decimals wants a literal number of digits, as its type depends on it"))
        }
    }
}

/// How many digits behind the point stay, when it is computed.
fn kept_of(argument: Option<&ColumnarValue>) -> Result<i64> {
    match argument {
        None => Ok(0),
        Some(ColumnarValue::Scalar(value)) => kept(Some(Some(value))),
        Some(ColumnarValue::Array(_)) => Err(exact::plan("round wants a literal number of digits")),
    }
}

fn round_double(value: f64, kept: i64) -> f64 {
    let power = 10f64.powi(kept.unsigned_abs() as i32);
    if kept >= 0 { (value * power).round() / power } else { (value / power).round() * power }
}
