//! Functions and operators that are ours: exact arithmetic on decimals, days between times.
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
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF, WindowFunctionDefinition};
use sqlparser::ast::BinaryOperator;

mod arithmetic;
mod days;
mod exact;
mod operator;
mod round;
mod widen;

pub(crate) use round::quotients_under_round;

/// The functions that statements may name.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![
        Arc::new(ScalarUDF::from(days::Days::default())),
        Arc::new(ScalarUDF::from(round::Round::default())),
        Arc::new(ScalarUDF::from(round::RoundQuotient::default())),
    ]
}

/// Plans operators on decimals, and sums.
#[derive(Debug)]
pub(crate) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
        if !exact::is_decimal(&left) && !exact::is_decimal(&right) {
            return Ok(PlannerResult::Original(expr));
        }
        if is_float(&left) || is_float(&right) {
            return Err(DataFusionError::Plan(format!(
                "{} {} {}: a DECIMAL never becomes a DOUBLE by itself, CAST one of them to the type of the other",
                expr.left, expr.op, expr.right
            )));
        }
        let operator = match expr.op {
            BinaryOperator::Plus => operator::Operation::Add,
            BinaryOperator::Minus => operator::Operation::Subtract,
            BinaryOperator::Multiply => operator::Operation::Multiply,
            BinaryOperator::Divide => operator::Operation::Divide,
            BinaryOperator::Modulo => operator::Operation::Remainder,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        if !exact::is_exact(&left) || !exact::is_exact(&right) {
            return Ok(PlannerResult::Original(expr));
        }
        let function = Arc::new(ScalarUDF::from(operator::Operator::new(operator)));
        let args = vec![exact::literal(expr.left), exact::literal(expr.right)];
        Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(function, args))))
    }

    fn plan_aggregate(&self, mut expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        if matches!(expr.func.name(), "sum" | "avg") {
            expr.args = expr.args.into_iter().map(widen::widened).collect();
        }
        Ok(PlannerResult::Original(expr))
    }

    fn plan_window(&self, mut expr: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if let WindowFunctionDefinition::AggregateUDF(function) = &expr.func_def
            && matches!(function.name(), "sum" | "avg")
        {
            expr.args = expr.args.into_iter().map(widen::widened).collect();
        }
        Ok(PlannerResult::Original(expr))
    }
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float16 | DataType::Float32 | DataType::Float64)
}
