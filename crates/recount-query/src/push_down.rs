//! Conditions pushed towards the tables, but not through an aggregate that has a row whether there are others or not.
//!
//! DataFusion 55 pushes a condition without columns below `count(*)` without GROUP BY, as it may below one with: where the condition does
//! not hold, the count is then of no rows, and is shown.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
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
        if let LogicalPlan::Filter(filter) = &plan
            && let LogicalPlan::Aggregate(aggregate) = filter.input.as_ref()
            && (aggregate.group_expr.is_empty() || aggregate.group_expr.iter().any(is_of_several))
        {
            return Ok(Transformed::no(plan));
        }
        self.0.rewrite(plan, config)
    }
}

/// ROLLUP and its like: one of the groupings may be that of all rows.
fn is_of_several(expr: &Expr) -> bool {
    matches!(expr, Expr::GroupingSet(_))
}
