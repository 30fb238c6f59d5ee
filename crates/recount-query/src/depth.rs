//! How large and deep a plan may be: optimizing and running it takes stack for each level, and time for each node.
//!
//! A query of WITH is planned once for each place that names it, so that a short statement can make a large plan.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// Most levels of nodes and of expressions in them, one below the other.
const DEPTH_MAX: usize = 300;
/// Most nodes.
const NODES_MAX: usize = 5_000;

/// Refuses a plan that is too large or too deep.
pub(crate) fn check(plan: &LogicalPlan) -> Result<()> {
    let mut open = vec![(plan.clone(), 0)];
    let mut nodes = 0;
    while let Some((node, above)) = open.pop() {
        nodes += 1;
        let mut below = Vec::new();
        let mut deepest = 0;
        node.apply_expressions(|expr| {
            deepest = deepest.max(depth(expr, &mut below)?);
            Ok(TreeNodeRecursion::Continue)
        })?;
        let depth = above + 1 + deepest;
        if depth > DEPTH_MAX || nodes > NODES_MAX {
            return Err(DataFusionError::Plan(
                "the statement is too large or too deep: fewer queries inside each other and in WITH, fewer UNIONs, or several statements".to_owned(),
            ));
        }
        below.extend(node.inputs().into_iter().cloned());
        open.extend(below.into_iter().map(|plan| (plan, depth)));
    }
    Ok(())
}

/// How deep an expression is; the plans of its subqueries are added to `plans`. The tokens of a statement bound it.
fn depth(expr: &Expr, plans: &mut Vec<LogicalPlan>) -> Result<usize> {
    match expr {
        Expr::ScalarSubquery(subquery) => plans.push((*subquery.subquery).clone()),
        Expr::Exists(exists) => plans.push((*exists.subquery.subquery).clone()),
        Expr::InSubquery(within) => plans.push((*within.subquery.subquery).clone()),
        Expr::SetComparison(compared) => plans.push((*compared.subquery.subquery).clone()),
        _ => {}
    }
    let mut deepest = 0;
    expr.apply_children(|child| {
        deepest = deepest.max(depth(child, plans)?);
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(deepest + 1)
}
