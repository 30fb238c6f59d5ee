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
        // Of several conditions it makes one first.
        let mut below = &plan;
        while let LogicalPlan::Filter(filter) = below {
            below = filter.input.as_ref();
        }
        if has_a_row_always(below) { Ok(Transformed::no(plan)) } else { self.0.rewrite(plan, config) }
    }
}

/// Whether one of its groups is that of all rows; of ROLLUP and its like it may be.
fn has_a_row_always(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(aggregate) = plan else { return false };
    let groups = &aggregate.group_expr;
    groups.is_empty() || groups.iter().any(|group| matches!(group, Expr::GroupingSet(_)))
}
