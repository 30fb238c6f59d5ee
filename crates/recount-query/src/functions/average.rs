//! `avg(x)`: the quotient of a sum and a count. Of exact numbers that is a quotient as any other, half away from zero;
//! DataFusion's own is cut off.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{
    AggregateFunction, ScalarFunction, WindowFunction, WindowFunctionParams,
};
use datafusion::logical_expr::planner::{RawAggregateExpr, RawWindowExpr};
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    WindowFunctionDefinition,
};

use super::exact;
use super::operator::{Operation, Operator};
use super::widen::{counted, summed};

/// The average of a group.
pub(super) fn of_group(expr: RawAggregateExpr) -> Expr {
    let of = |func: Arc<AggregateUDF>, args: Vec<Expr>| {
        let RawAggregateExpr { distinct, filter, order_by, null_treatment, .. } = expr.clone();
        Expr::AggregateFunction(AggregateFunction::new_udf(
            func,
            args,
            distinct,
            filter,
            order_by,
            null_treatment,
        ))
    };
    quotient(&expr.args, of)
}

/// The average of the rows in a window.
pub(super) fn of_window(expr: RawWindowExpr) -> Expr {
    let of = |func: Arc<AggregateUDF>, args: Vec<Expr>| {
        let RawWindowExpr { partition_by, order_by, window_frame, filter, null_treatment, distinct, .. } =
            expr.clone();
        let fun = WindowFunctionDefinition::AggregateUDF(func);
        let params = WindowFunctionParams {
            args,
            partition_by,
            order_by,
            window_frame,
            filter,
            null_treatment,
            distinct,
        };
        Expr::WindowFunction(Box::new(WindowFunction { fun, params }))
    };
    quotient(&expr.args, of)
}

/// The quotient of the sum and the count, each made by `of`.
fn quotient(args: &[Expr], of: impl Fn(Arc<AggregateUDF>, Vec<Expr>) -> Expr) -> Expr {
    let sum = of(sum_udaf(), args.iter().cloned().map(summed).collect());
    let count = of(count_udaf(), args.iter().cloned().map(counted).collect());
    let function = Arc::new(ScalarUDF::from(Average::default()));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![sum, count]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    quotient: Operator,
}

impl Default for Average {
    fn default() -> Average {
        Average { quotient: Operator::new(Operation::Divide) }
    }
}

impl ScalarUDFImpl for Average {
    fn name(&self) -> &str {
        "avg"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let sum = args.first().map(|sum| sum.schema_name().to_string()).unwrap_or_default();
        Ok(sum.strip_prefix("sum").map_or(sum.clone(), |operand| format!("avg{operand}")))
    }

    fn signature(&self) -> &Signature {
        self.quotient.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Float64, _] => Ok(DataType::Float64),
            [sum, _] if exact::is_decimal(sum) => self.quotient.return_type(types),
            _ => Err(exact::plan("avg takes numbers")),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if *args.return_field.data_type() != DataType::Float64 {
            return self.quotient.invoke_with_args(args);
        }
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let counts = cast(&arrays[1], &DataType::Float64)?;
        let rows = arrays[0].as_primitive::<Float64Type>().iter().zip(counts.as_primitive::<Float64Type>());
        let averages: Float64Array = rows.map(|(sum, count)| Some(sum? / count?)).collect();
        Ok(ColumnarValue::Array(Arc::new(averages)))
    }
}
