//! The plan of a view: bound, with subqueries as joins and conditions as keys.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::decorrelate_lateral_join::DecorrelateLateralJoin;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::rewrite_set_comparison::RewriteSetComparison;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerRule};

use crate::dependencies::OnDerived;
use crate::join_keys::{EliminateCrossJoinWithCare, ExtractEquijoinPredicateWithCare};
use crate::push_down::PushDownWithCare;

/// Rules that say the same in another way; none looks at statistics.
fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![
        Arc::new(RewriteSetComparison::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(DecorrelateLateralJoin::new()),
        Arc::new(ExtractEquijoinPredicateWithCare::default()),
        // Columns that are grouped by twice would be counted twice.
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateCrossJoinWithCare::default()),
        Arc::new(EliminateFilter::new()),
        Arc::new(PropagateEmptyRelation::new()),
        Arc::new(PushDownWithCare::default()),
        Arc::new(OnDerived(OptimizeProjections::new())),
    ]
}

/// Binds a plan and rewrites it.
pub(crate) fn rewrite(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    let bound = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?;
    Optimizer::with_rules(rules()).optimize(bound, state, |_, _| {})
}
