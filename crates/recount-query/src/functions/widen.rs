//! What SUM adds up: exact numbers in 256 bits, which no number of events exceeds.

use std::sync::Arc;

use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::exact;
use crate::format::type_name;

/// The operand of a sum.
pub(super) fn summed(operand: Expr) -> Expr {
    widened(operand, true)
}

/// The operand of a count: of a cast it says so, which DataFusion would leave out of its name.
pub(super) fn counted(operand: Expr) -> Expr {
    if matches!(operand, Expr::Cast(_)) { widened(operand, false) } else { operand }
}

fn widened(operand: Expr, only_numbers: bool) -> Expr {
    let widen = Widen { only_numbers, signature: Signature::any(1, Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::from(widen));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![operand]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Widen {
    only_numbers: bool,
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
            [DataType::Float64 | DataType::Null | DataType::Interval(_) | DataType::Duration(_)] => {
                Ok(types[0].clone())
            }
            [other] if !self.only_numbers => Ok(other.clone()),
            [other] => {
                let name = type_name(&Field::new("", other.clone(), true));
                Err(exact::plan(&format!("SUM and AVG take numbers, not {name}")))
            }
            _ => Err(exact::plan("a sum takes one operand")),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        Ok(ColumnarValue::Array(cast(&arrays[0], args.return_field.data_type())?))
    }
}
