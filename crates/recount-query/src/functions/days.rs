//! `days(a, b)`: how many days of the calendar lie from the UTC day of `a` to that of `b`.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::exact;
use crate::arrays::timestamptz;

const DAY_US: i64 = 86_400_000_000;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Days {
    signature: Signature,
}

impl Default for Days {
    fn default() -> Days {
        Days { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Days {
    fn name(&self) -> &str {
        "days"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let coerced: Option<Vec<DataType>> = types
            .iter()
            .map(|data_type| match data_type {
                DataType::Timestamp(_, Some(_)) | DataType::Null => Some(timestamptz()),
                DataType::Timestamp(_, None) | DataType::Date32 => {
                    Some(DataType::Timestamp(TimeUnit::Microsecond, None))
                }
                _ => None,
            })
            .collect();
        coerced
            .filter(|coerced| coerced.len() == 2)
            .ok_or_else(|| exact::plan("days takes two times or dates: days(from, to)"))
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (from, to) = (cast(&arrays[0], &DataType::Int64)?, cast(&arrays[1], &DataType::Int64)?);
        let day = |us: i64| us.div_euclid(DAY_US);
        let rows = from.as_primitive::<Int64Type>().iter().zip(to.as_primitive::<Int64Type>());
        let days: Int64Array = rows.map(|(from, to)| Some(day(to?) - day(from?))).collect();
        Ok(ColumnarValue::Array(Arc::new(days)))
    }
}
