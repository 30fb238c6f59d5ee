//! What cannot be kept up to date, and what to write instead.

use datafusion::arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Distinct, LogicalPlan};

use crate::error::QueryError;

/// What always can be done instead: a query over a view may be any.
const ASK: &str = "keep the rows that it is of in a view, and ask for it in queries of that view";

/// A refusal without anything that means the same.
pub(super) fn refused(what: &str) -> DataFusionError {
    instead(what, ASK)
}

/// A refusal with something to write instead.
pub(super) fn instead(what: &str, write: &str) -> DataFusionError {
    QueryError::Invalid(format!("{what} cannot be kept up to date: {write}")).into()
}

/// Of a node of a plan that there is no operator for.
pub(super) fn of_node(plan: &LogicalPlan) -> DataFusionError {
    match plan {
        LogicalPlan::Sort(_) => refused("such an ORDER BY"),
        LogicalPlan::RecursiveQuery(_) => refused("WITH RECURSIVE"),
        LogicalPlan::Distinct(Distinct::On(_)) => instead(
            "DISTINCT ON",
            "number the rows by row_number() OVER (PARTITION BY … ORDER BY …), and take those with 1",
        ),
        LogicalPlan::Subquery(_) => instead("such a subquery", "write a join"),
        _ => refused("this clause"),
    }
}

/// Of values that have no order.
pub(super) fn no_order(data_type: &DataType) -> DataFusionError {
    let what = format!("values of type {data_type} that are grouped, joined or compared");
    instead(&what, "CAST them to a type of columns")
}
