//! What SUM and AVG add up: exact numbers in 256 bits, which no number of events exceeds.

use std::sync::Arc;

use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::exact;
use crate::format::type_name;

/// The operand of a sum.
pub(super) fn widened(operand: Expr) -> Expr {
    let widen = Widen { signature: Signature::any(1, Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::from(widen));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![operand]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Widen {
    signature: Signature,
}

impl ScalarUDFImpl for Widen {
    fn name(&self) -> &str {
        "widen"
    }

    /// Nobody sees it; but a cast is seen, so that two sums of different types have different names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let name = |arg: &Expr| match arg {
            Expr::Cast(cast) => {
                format!("CAST({} AS {})", cast.expr.schema_name(), type_name(&cast.field))
            }
            arg => arg.schema_name().to_string(),
        };
        Ok(args.iter().map(name).collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [exact] if exact::is_exact(exact) && !exact.is_null() => {
                let (precision, scale) = exact::digits(exact)?;
                Ok(DataType::Decimal256(precision, scale as i8))
            }
            [other] => Ok(other.clone()),
            _ => Err(exact::plan("a sum takes one operand")),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        Ok(ColumnarValue::Array(cast(&arrays[0], args.return_field.data_type())?))
    }
}
