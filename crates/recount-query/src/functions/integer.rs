//! `+ - *` on integers: in 64 bits, and an error beyond them. DataFusion's own wrap around.

use datafusion::arrow::compute::kernels::{cast, numeric};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::exact;
use super::operator::Operation;
use crate::error::QueryError;

/// An operator on two integers.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct IntegerOperator {
    operation: Operation,
    signature: Signature,
}

impl IntegerOperator {
    /// The operator, if it is one that could go beyond 64 bits.
    pub(super) fn new(operation: Operation) -> Option<IntegerOperator> {
        let checked = matches!(operation, Operation::Add | Operation::Subtract | Operation::Multiply);
        checked.then(|| IntegerOperator { operation, signature: Signature::any(2, Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for IntegerOperator {
    fn name(&self) -> &str {
        self.operation.sign()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.operation.written(args))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = arrays.as_slice() else {
            return Err(exact::plan("an operator takes two operands"));
        };
        let (left, right) = (cast::cast(left, &DataType::Int64)?, cast::cast(right, &DataType::Int64)?);
        let result = match self.operation {
            Operation::Add => numeric::add(&left, &right),
            Operation::Subtract => numeric::sub(&left, &right),
            _ => numeric::mul(&left, &right),
        };
        let beyond = |_| {
            let what = "an integer is beyond 64 bits: make one side a DECIMAL".to_owned();
            DataFusionError::from(QueryError::Invalid(what))
        };
        Ok(ColumnarValue::Array(result.map_err(beyond)?))
    }
}
