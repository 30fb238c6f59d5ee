//! Windows of which only the first rows are wanted: a filter above them says so.

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, Projection, Window};

/// The window of which a filter takes only rows up to a number, and that number. Nothing else of the filter may be left to fail for the others.
pub(super) fn first_rows(predicate: &Expr, input: &LogicalPlan) -> Option<(*const Window, u64)> {
    let parts = split_conjunction(predicate);
    let of_part = |part: &&Expr| {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = *part else { return None };
        let (Expr::Column(column), Expr::Literal(ScalarValue::UInt64(Some(number)), _)) = (&**left, &**right)
        else {
            return None;
        };
        let first = match op {
            Operator::LtEq | Operator::Eq => *number,
            Operator::Lt => number.checked_sub(1)?,
            _ => return None,
        };
        Some((numbered(column, input)? as *const _, first))
    };
    let found = parts.iter().filter_map(of_part).min_by_key(|(_, first)| *first);
    found.filter(|_| parts.iter().all(|part| never_fails(part)))
}

/// The window whose row_number() a column is, with nothing in between that could fail.
fn numbered<'p>(column: &Column, mut plan: &'p LogicalPlan) -> Option<&'p Window> {
    let mut place = plan.schema().maybe_index_of_column(column)?;
    loop {
        plan = match plan {
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            LogicalPlan::Projection(Projection { expr, input, .. }) => {
                let column = |expr: &Expr| match expr.clone().unalias() {
                    Expr::Column(column) => input.schema().maybe_index_of_column(&column),
                    _ => None,
                };
                place = expr.iter().map(column).collect::<Option<Vec<_>>>()?[place];
                input
            }
            LogicalPlan::Window(window) => {
                let own = place.checked_sub(window.input.schema().fields().len())?;
                let is_it = match window.window_expr[own].clone().unalias() {
                    Expr::WindowFunction(function) => function.fun.name() == "row_number",
                    _ => false,
                };
                return is_it.then_some(window);
            }
            _ => return None,
        }
    }
}

/// Whether an expression can be computed for every row: it compares columns.
fn never_fails(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::IsNull(of) | Expr::IsNotNull(of) | Expr::Not(of) => never_fails(of),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            (op.supports_propagation() || op.is_logic_operator()) && never_fails(left) && never_fails(right)
        }
        _ => false,
    }
}
