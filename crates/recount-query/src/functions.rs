//! Functions and operators that are ours: exact arithmetic on decimals and integers, days between times.
//!
//! An operator with a decimal on one side becomes one of these functions when it is planned, so that DataFusion
//! never computes with decimals by its own rules (it would round products and wrap sums).

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawWindowExpr,
};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, ScalarUDF, WindowFunctionDefinition};
use sqlparser::ast::BinaryOperator;

mod arithmetic;
mod average;
mod days;
mod deviation;
mod exact;
mod integer;
mod operator;
mod round;
mod widen;
mod window_starts;

pub(crate) use deviation::deviation;
pub(crate) use exact::{constant_as_double, is_decimal};
pub(crate) use round::quotients_under_round;
pub(crate) use window_starts::WINDOW_STARTS;

/// The functions that statements may name.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Arc::new(ScalarUDF::from(days::Days::default())),
        Arc::new(ScalarUDF::from(round::Round::default())),
        Arc::new(ScalarUDF::from(round::RoundQuotient::default())),
        Arc::new(ScalarUDF::from(window_starts::WindowStarts::default())),
    ]
}

/// The aggregate functions that statements may name, beside DataFusion's or in their place.
pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    deviation::all()
}

/// Plans operators on decimals, sums and averages.
#[derive(Debug)]
pub(crate) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let types = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
        let has_decimal = exact::is_decimal(&types.0) || exact::is_decimal(&types.1);
        if has_decimal && (is_float(&types.0) || is_float(&types.1)) {
            // A constant is a number as written, and money only in a column.
            expr.left = exact::constant_as_double(expr.left);
            expr.right = exact::constant_as_double(expr.right);
            if is_float(&expr.left.get_type(schema)?) && is_float(&expr.right.get_type(schema)?) {
                return Ok(PlannerResult::Original(expr));
            }
            return Err(DataFusionError::Plan(format!(
                "{} {} {}: a DECIMAL never becomes a DOUBLE by itself, CAST one of them to the type of the other",
                expr.left, expr.op, expr.right
            )));
        }
        let operation = match expr.op {
            BinaryOperator::Plus => operator::Operation::Add,
            BinaryOperator::Minus => operator::Operation::Subtract,
            BinaryOperator::Multiply => operator::Operation::Multiply,
            BinaryOperator::Divide => operator::Operation::Divide,
            BinaryOperator::Modulo => operator::Operation::Remainder,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        if types.0.is_integer() && types.1.is_integer() {
            let Some(checked) = integer::IntegerOperator::new(operation) else {
                return Ok(PlannerResult::Original(expr));
            };
            let function = Arc::new(ScalarUDF::from(checked));
            let args = vec![expr.left, expr.right];
            return Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(function, args))));
        }
        if !has_decimal || !exact::is_exact(&types.0) || !exact::is_exact(&types.1) {
            return Ok(PlannerResult::Original(expr));
        }
        let function = Arc::new(ScalarUDF::from(operator::Operator::new(operation)));
        let args = vec![exact::literal(expr.left), exact::literal(expr.right)];
        Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(function, args))))
    }

    fn plan_aggregate(&self, mut expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        match expr.func.name() {
            "avg" => return Ok(PlannerResult::Planned(average::of_group(expr))),
            "sum" => expr.args = expr.args.into_iter().map(widen::summed).collect(),
            "count" => expr.args = expr.args.into_iter().map(widen::counted).collect(),
            _ => {}
        }
        Ok(PlannerResult::Original(expr))
    }

    fn plan_window(&self, mut expr: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if let WindowFunctionDefinition::AggregateUDF(function) = &expr.func_def {
            match function.name() {
                "avg" => return Ok(PlannerResult::Planned(average::of_window(expr))),
                "sum" => expr.args = expr.args.into_iter().map(widen::summed).collect(),
                "count" => expr.args = expr.args.into_iter().map(widen::counted).collect(),
                _ => {}
            }
        }
        Ok(PlannerResult::Original(expr))
    }
}

pub(crate) fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float16 | DataType::Float32 | DataType::Float64)
}
