//! `+ - * / %` on decimals.

use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::{arithmetic, exact};

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operation {
    /// How it is written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Operation::Add => "+",
            Operation::Subtract => "-",
            Operation::Multiply => "*",
            Operation::Divide => "/",
            Operation::Remainder => "%",
        }
    }

    /// The operation on these, as it is written.
    pub(super) fn written(self, operands: &[Expr]) -> String {
        let [left, right] = operands else { return self.sign().to_owned() };
        format!("{} {} {}", left.schema_name(), self.sign(), right.schema_name())
    }
}

/// An operator on two exact numbers, at least one of them a decimal.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Operator {
    operation: Operation,
    signature: Signature,
}

impl Operator {
    pub(super) fn new(operation: Operation) -> Operator {
        Operator { operation, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Operator {
    fn name(&self) -> &str {
        self.operation.sign()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.operation.written(args))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else { return Err(exact::plan("an operator takes two operands")) };
        let ((precision, scale), (other_precision, other_scale)) =
            (exact::digits(left)?, exact::digits(right)?);
        let (scale, other_scale) = (u16::from(scale), u16::from(other_scale));
        let whole = u16::from(precision).saturating_sub(scale);
        let other_whole = u16::from(other_precision).saturating_sub(other_scale);
        match self.operation {
            Operation::Add | Operation::Subtract => {
                exact::decimal(whole.max(other_whole) + 1, scale.max(other_scale))
            }
            Operation::Multiply => exact::decimal(whole + other_whole, scale + other_scale),
            // The smallest divisor is one count of its scale.
            Operation::Divide => exact::decimal(whole + other_scale + 1, arithmetic::QUOTIENT_SCALE.into()),
            Operation::Remainder => exact::decimal(whole.max(other_whole), scale.max(other_scale)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = arrays.as_slice() else {
            return Err(exact::plan("an operator takes two operands"));
        };
        let (_, scale) = exact::digits(left.data_type())?;
        let (_, other_scale) = exact::digits(right.data_type())?;
        let (left, right) = (exact::numbers(left)?, exact::numbers(right)?);
        let values = exact::both(&left, &right).map(|row| {
            let Some((left, right)) = row else { return Ok(None) };
            let (left, right) = ((left, scale), (right, other_scale));
            match self.operation {
                Operation::Add => arithmetic::add(left, right),
                Operation::Subtract => arithmetic::subtract(left, right),
                Operation::Multiply => arithmetic::multiply(left.0, right.0),
                Operation::Divide => arithmetic::divide(left, right, arithmetic::QUOTIENT_SCALE),
                Operation::Remainder => arithmetic::remainder(left, right),
            }
            .map(Some)
        });
        Ok(ColumnarValue::Array(exact::array(values, args.return_field.data_type())?))
    }
}
