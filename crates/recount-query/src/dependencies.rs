//! Which columns tell the rows of a relation apart, with care where DataFusion 55 has none:
//!
//! - It takes what was grouped by as a key still after `unnest`, which makes several rows of one: `DISTINCT` of them was left out, and
//!   groups by the key and by what was unnested were groups by the key only.
//! - A key that a join has made no key any more becomes one again when rows are grouped by it and by others.
//!
//! So what it has derived is derived again before a rule looks at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchemaRef, Dependency, FunctionalDependence, FunctionalDependencies};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Distinct, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use sqlparser::ast::TableFactor;

/// The same plan, whose schemas say what tells rows apart only where it does.
pub(crate) fn derived(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan
        .transform_up_with_subqueries(|node| Ok(Transformed::yes(of_node(node.recompute_schema()?)?)))?
        .data)
}

/// A node whose inputs are right already.
pub(crate) fn of_node(mut node: LogicalPlan) -> Result<LogicalPlan> {
    match &mut node {
        LogicalPlan::Unnest(unnest) => set(&mut unnest.schema, FunctionalDependencies::empty())?,
        LogicalPlan::Aggregate(aggregate) => {
            let known = aggregate.input.schema().functional_dependencies();
            let key: Vec<usize> = (0..aggregate.group_expr.len()).collect();
            let is_grouped = !aggregate.schema.functional_dependencies().is_empty();
            if is_grouped && known.iter().any(|known| known.mode == Dependency::Multi) {
                let fields = aggregate.schema.fields();
                let nullable = key.iter().any(|&column| fields[column].is_nullable());
                let one = FunctionalDependence::new(key, (0..fields.len()).collect(), nullable);
                let one = one.with_mode(Dependency::Single);
                set(&mut aggregate.schema, FunctionalDependencies::new(vec![one]))?;
            }
        }
        _ => {}
    }
    Ok(node)
}

fn set(schema: &mut DFSchemaRef, dependencies: FunctionalDependencies) -> Result<()> {
    *schema = Arc::new(schema.as_ref().clone().with_functional_dependencies(dependencies)?);
    Ok(())
}

/// DataFusion's rule on a plan that is derived again.
#[derive(Debug)]
pub(crate) struct OnDerived<R>(pub(crate) R);

impl<R: OptimizerRule> OptimizerRule for OnDerived<R> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // One that walks the plan itself gets it whole, another every node of it: that of DISTINCT looks at no other.
        let looked_at =
            self.apply_order().is_none() || matches!(plan, LogicalPlan::Distinct(Distinct::All(_)));
        let plan = if looked_at { derived(plan)? } else { plan };
        self.0.rewrite(plan, config)
    }
}

/// Plans each relation of FROM as ever, and derives it again before the query sees it: to what is grouped by it would add what it takes to
/// be one with it.
#[derive(Debug, Default)]
pub(crate) struct DerivedRelations {
    /// Whether the next relation is the one that this has passed on.
    is_passed_on: AtomicBool,
}

impl RelationPlanner for DerivedRelations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if self.is_passed_on.swap(false, Ordering::Relaxed) {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        self.is_passed_on.store(true, Ordering::Relaxed);
        let plan = derived(context.plan(relation)?)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}
