//! Keys of joins, with care where DataFusion 55 has none.
//!
//! Inner joins beside one another are put into another order. It makes one list of all their keys, joins the first relation with one that has a key
//! in common with it, and so on:
//!
//! - A key that then belongs to no such step is lost: one of which a side is a constant, or made of two relations that are not joined yet.
//! - All keys are compared as those of the uppermost join, also of one where nulls are equal, and also what is equal in a WHERE above it.
//!
//! So before that, a key is a condition above the join unless each of its sides is of one relation; and a join where nulls are equal stands by
//! itself. Nor does a condition become a key of a join where nulls are equal: there `=` would be true of them, too.

use std::sync::Arc;

use datafusion::common::NullEquality;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Filter, Join, JoinType, LogicalPlan, Operator, binary_expr, lit};
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// DataFusion's rule, with its keys kept.
#[derive(Debug, Default)]
pub(crate) struct EliminateCrossJoinWithCare(EliminateCrossJoin);

impl OptimizerRule for EliminateCrossJoinWithCare {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let careful = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => apart(join),
            node => Ok(Transformed::no(node)),
        })?;
        let put_together = self.0.rewrite(careful.data, config)?;
        put_together.transform_data(|plan| plan.transform_up_with_subqueries(with_others_again))
    }
}

/// DataFusion's rule for conditions that are keys, where nulls are equal in none.
#[derive(Debug, Default)]
pub(crate) struct ExtractEquijoinPredicateWithCare(ExtractEquijoinPredicate);

impl OptimizerRule for ExtractEquijoinPredicateWithCare {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(join) if nulls_are_equal(&join) => Ok(Transformed::no(LogicalPlan::Join(join))),
            LogicalPlan::Join(join) if join.on.is_empty() => {
                let null_equality = NullEquality::NullEqualsNothing;
                self.0.rewrite(LogicalPlan::Join(Join { null_equality, ..join }), config)
            }
            plan => self.0.rewrite(plan, config),
        }
    }
}

fn nulls_are_equal(join: &Join) -> bool {
    join.null_equality == NullEquality::NullEqualsNull && !join.on.is_empty()
}

/// An inner join of which no key is lost.
fn apart(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let nulls_are_equal = nulls_are_equal(&join);
    if nulls_are_equal {
        for side in [&mut join.left, &mut join.right] {
            if matches!(&**side, LogicalPlan::Join(below) if below.join_type == JoinType::Inner) {
                *side = Arc::new(standing_alone(LogicalPlan::clone(side))?);
            }
        }
    }
    let mut relations = Vec::new();
    inputs(&join, &mut relations);
    let of_one = |side: &Expr| {
        let columns = side.column_refs();
        let has_all =
            |relation: &&LogicalPlan| columns.iter().all(|column| relation.schema().has_column(column));
        !columns.is_empty() && relations.iter().any(has_all)
    };
    let (keys, others): (Vec<_>, Vec<_>) =
        join.on.iter().cloned().partition(|(left, right)| of_one(left) && of_one(right));
    let equal = if nulls_are_equal { Operator::IsNotDistinctFrom } else { Operator::Eq };
    let others = conjunction(others.into_iter().map(|(left, right)| binary_expr(left, equal, right)));
    match others {
        None if nulls_are_equal => Ok(Transformed::yes(standing_alone(LogicalPlan::Join(join))?)),
        None => Ok(Transformed::no(LogicalPlan::Join(join))),
        Some(others) => {
            join.on = keys;
            if join.on.is_empty() {
                // What becomes its key later is compared as ever.
                join.null_equality = NullEquality::NullEqualsNothing;
            }
            let mut below = LogicalPlan::Join(join);
            if nulls_are_equal {
                below = standing_alone(below)?;
            }
            Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(others, Arc::new(below))?)))
        }
    }
}

/// What is joined by a join and the inner joins right below it.
fn inputs<'a>(join: &'a Join, found: &mut Vec<&'a LogicalPlan>) {
    for side in [&join.left, &join.right] {
        match &**side {
            LogicalPlan::Join(below) if below.join_type == JoinType::Inner => inputs(below, found),
            other => found.push(other),
        }
    }
}

/// A plan that is no join to what is above it.
fn standing_alone(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(LogicalPlan::Filter(Filter::try_new(lit(true), Arc::new(plan))?))
}

/// What stood alone does so no more.
fn with_others_again(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Filter(filter) if filter.predicate == lit(true) => {
            Ok(Transformed::yes(Arc::unwrap_or_clone(filter.input)))
        }
        node => Ok(Transformed::no(node)),
    }
}
