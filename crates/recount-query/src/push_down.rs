//! Conditions pushed towards the tables, with care where DataFusion 55 has none:
//!
//! - It pushes a condition without columns below `count(*)` without GROUP BY, as it may below one with: where the condition does not hold,
//!   the count is then of no rows, and is shown.
//! - Of several conditions of one column it keeps the narrowest. `1 = n` and `n = 1` are two values to it, which nothing has; of `5 <= n`
//!   and `5 < n` it keeps the wrong one; and `n > NULL` is wider than `n > 5`. So each is written with its constant behind, and what compares
//!   with NULL as what it is.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// DataFusion's rule, where it may.
#[derive(Debug, Default)]
pub(crate) struct PushDownWithCare(PushDownFilter);

impl OptimizerRule for PushDownWithCare {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // Of several conditions it makes one first.
        let mut below = &plan;
        while let LogicalPlan::Filter(filter) = below {
            below = filter.input.as_ref();
        }
        if has_a_row_always(below) {
            return Ok(Transformed::no(plan));
        }
        self.0.rewrite(plainly_compared(plan), config)
    }
}

/// The conditions of filters above one another, with their constants behind.
fn plainly_compared(plan: LogicalPlan) -> LogicalPlan {
    let LogicalPlan::Filter(mut filter) = plan else { return plan };
    let conditions = split_conjunction_owned(filter.predicate.clone()).into_iter().map(plain);
    if let Some(predicate) = conjunction(conditions) {
        filter.predicate = predicate;
    }
    filter.input = Arc::new(plainly_compared(Arc::unwrap_or_clone(filter.input)));
    LogicalPlan::Filter(filter)
}

/// A comparison with its constant behind; any other condition as it is.
fn plain(condition: Expr) -> Expr {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return condition };
    let (left, op, right) = match (left.as_literal(), op.swap()) {
        (Some(_), Some(swapped)) if right.as_literal().is_none() => (right, swapped, left),
        _ => (left, op, right),
    };
    match right.as_literal() {
        Some(constant) if constant.is_null() && compares(op) => {
            Expr::Literal(ScalarValue::Boolean(None), None)
        }
        // It equals 0, and is written in one way.
        Some(ScalarValue::Float64(Some(-0.0))) => {
            let zero = Box::new(Expr::Literal(ScalarValue::Float64(Some(0.0)), None));
            Expr::BinaryExpr(BinaryExpr { left, op, right: zero })
        }
        _ => Expr::BinaryExpr(BinaryExpr { left, op, right }),
    }
}

/// Whether it is NULL of NULL.
fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// Whether one of its groups is that of all rows; of ROLLUP and its like it may be.
fn has_a_row_always(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(aggregate) = plan else { return false };
    let groups = &aggregate.group_expr;
    groups.is_empty() || groups.iter().any(|group| matches!(group, Expr::GroupingSet(_)))
}
