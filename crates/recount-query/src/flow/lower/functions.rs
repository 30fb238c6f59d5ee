//! Functions of a plan: aggregates, and those over windows.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::logical_expr::{
    self, Expr, ExprSchemable, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use recount_flow::codec::{Order, RowCodec};
use recount_flow::operators::{Call, Frame, Function, WindowFunction, WindowKind};

use super::super::refusal::{instead, no_order, refused};
use crate::functions::deviation;

/// An aggregate function; `place` adds a column that it reads.
pub(super) fn call(expr: &Expr, result: DataType, place: &mut impl FnMut(&Expr) -> usize) -> Result<Call> {
    let expr = if let Expr::Alias(alias) = expr { &alias.expr } else { expr };
    let Expr::AggregateFunction(AggregateFunction { func, params }) = expr else {
        return Err(refused(&format!("{expr} as an aggregate function")));
    };
    if params.null_treatment == Some(NullTreatment::IgnoreNulls) {
        return Err(instead(&format!("{} IGNORE NULLS", func.name()), "write FILTER (WHERE … IS NOT NULL)"));
    }
    let is_constant = |expr: &Expr| matches!(expr, Expr::Literal(value, _) if !value.is_null());
    let function = match (func.name(), params.args.as_slice()) {
        ("count", []) => Function::CountRows,
        ("count", [one]) if is_constant(one) && !params.distinct => Function::CountRows,
        ("count", [_]) => Function::Count,
        ("sum", [_]) => Function::Sum,
        ("min", [_]) => Function::Min,
        ("max", [_]) => Function::Max,
        ("bool_and", [_]) => Function::BoolAnd,
        ("bool_or", [_]) => Function::BoolOr,
        ("first_value", [_]) => Function::First,
        ("last_value", [_]) => Function::Last,
        ("array_agg", [_]) => Function::ArrayAgg,
        ("string_agg", [_, Expr::Literal(between, _)]) => {
            let text = between.try_as_str().flatten().unwrap_or_default();
            Function::StringAgg(text.into())
        }
        (name, [_]) if let Some(of) = deviation(name) => match result {
            DataType::Float64 => return Err(instead(&format!("{name} of DOUBLE"), "CAST it to a DECIMAL")),
            _ => Function::Deviation(of),
        },
        (name, _) => return Err(refused(&format!("the aggregate function {name}"))),
    };
    let depends_on_order =
        matches!(function, Function::First | Function::Last | Function::ArrayAgg | Function::StringAgg(_));
    if depends_on_order && params.order_by.is_empty() {
        let what = format!("{} without ORDER BY inside its parentheses", func.name());
        return Err(instead(&what, &format!("write {}(x ORDER BY y)", func.name())));
    }
    if depends_on_order && params.distinct {
        return Err(instead(&format!("{}(DISTINCT …)", func.name()), "take it of a subquery with DISTINCT"));
    }
    let argument = params.args.first().filter(|_| function != Function::CountRows).map(&mut *place);
    let filter = params.filter.as_deref().map(&mut *place);
    // Elsewhere the order does not matter.
    let order = match depends_on_order {
        true => params.order_by.iter().map(|sort| (place(&sort.expr), order_of(sort))).collect(),
        false => Vec::new(),
    };
    // The least of some values is the least of the same ones each once.
    let distinct = params.distinct && !matches!(function, Function::Min | Function::Max);
    Ok(Call { function, argument, filter, distinct, order, result, only_comes: false })
}

pub(super) fn order_of(sort: &logical_expr::SortExpr) -> Order {
    Order { descending: !sort.asc, nulls_last: !sort.nulls_first }
}

/// A function over a window; `place` adds a column that it reads.
pub(super) fn windowed(
    function: &logical_expr::expr::WindowFunction,
    result: DataType,
    schema: &DFSchema,
    place: &mut impl FnMut(&Expr) -> usize,
) -> Result<WindowFunction> {
    let params = &function.params;
    if params.null_treatment.is_some_and(|treatment| treatment == NullTreatment::IgnoreNulls) {
        return Err(refused("IGNORE NULLS"));
    }
    let frame = || frame_of(&params.window_frame);
    let args = params.args.as_slice();
    let kind = match (&function.fun, function.fun.name(), args) {
        (WindowFunctionDefinition::AggregateUDF(func), ..) => {
            let aggregate = AggregateFunction::new_udf(
                func.clone(),
                params.args.clone(),
                params.distinct,
                params.filter.clone(),
                vec![],
                None,
            );
            let call = call(&Expr::AggregateFunction(aggregate), result.clone(), place)?;
            WindowKind::Aggregate(call, frame()?)
        }
        (_, "row_number", []) => WindowKind::RowNumber,
        (_, "rank", []) => WindowKind::Rank,
        (_, "dense_rank", []) => WindowKind::DenseRank,
        (_, name @ ("lag" | "lead"), [column, rest @ ..]) => {
            let offset = match rest.first() {
                None => 1,
                Some(Expr::Literal(value, _)) => match value.cast_to(&DataType::Int64)? {
                    ScalarValue::Int64(Some(offset)) => offset,
                    _ => return Err(instead(&format!("{name} by NULL"), "write a number")),
                },
                Some(_) => return Err(instead(&format!("{name} by what is no number"), "write a number")),
            };
            // NULL has no type of its own: it is of the default's.
            let column = match column.get_type(schema)?.is_null() {
                true => &column.clone().cast_to(&result, schema)?,
                false => column,
            };
            let data_type = column.get_type(schema)?;
            let none = match rest.get(1) {
                None => ScalarValue::try_from(&data_type)?,
                Some(Expr::Literal(value, _)) => value.cast_to(&data_type)?,
                Some(_) => {
                    return Err(instead(
                        &format!("{name} with a default that is no constant"),
                        "write coalesce() around it",
                    ));
                }
            };
            let codec = RowCodec::new([data_type]).map_err(|data_type| no_order(&data_type))?;
            let none = codec.encode(&[none.to_array()?], 1);
            let offset = if name == "lag" { offset } else { offset.saturating_neg() };
            WindowKind::Lag(place(column), offset, none.row(0).into())
        }
        (_, "first_value", [column]) => frame().map(|_| WindowKind::First(place(column)))?,
        (_, "last_value", [column]) => WindowKind::Last(place(column), frame()?),
        (_, name, _) => return Err(refused(&format!("{name} OVER"))),
    };
    Ok(WindowFunction { kind, result })
}

fn frame_of(frame: &WindowFrame) -> Result<Frame> {
    let unbounded = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) => value.is_null(),
        WindowFrameBound::CurrentRow => false,
    };
    let begins = matches!(frame.start_bound, WindowFrameBound::Preceding(_)) && unbounded(&frame.start_bound);
    match (&frame.end_bound, frame.units) {
        _ if !begins => Err(refused("a frame that does not begin with UNBOUNDED PRECEDING")),
        (WindowFrameBound::CurrentRow, WindowFrameUnits::Rows) => Ok(Frame::Rows),
        (WindowFrameBound::CurrentRow, WindowFrameUnits::Range) => Ok(Frame::Range),
        (end @ WindowFrameBound::Following(_), _) if unbounded(end) => Ok(Frame::Whole),
        _ => Err(refused("a frame that ends neither at the current row nor with UNBOUNDED FOLLOWING")),
    }
}
