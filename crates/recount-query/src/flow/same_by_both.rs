//! Whether a plan has the same rows by DataFusion as by operators, whatever rows it reads: nothing in it divides, overflows, or reads a number out of
//! a text, which operators leave out; nor depends on which of equal rows comes first, or on the order in which doubles are added.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator, WindowFunctionDefinition};

/// Functions of a row of which no value is beyond them.
const OF_ROWS: [&str; 9] =
    ["btrim", "character_length", "coalesce", "concat", "lower", "nullif", "starts_with", "upper", "widen"];
/// Functions of many rows of which none is beyond them, in whatever order they are.
const OF_MANY: [&str; 7] = ["bool_and", "bool_or", "count", "dense_rank", "max", "min", "rank"];
/// As many more digits hold the sum of any number of events.
const MORE_DIGITS: u8 = 10;

/// Whether that is certain of a plan that was rewritten.
pub(crate) fn is_same_by_both(plan: &LogicalPlan) -> Result<bool> {
    let mut same = true;
    plan.apply(|node| {
        if let LogicalPlan::TableScan(_) = node {
            // Its conditions are those of the filter above.
            return Ok(TreeNodeRecursion::Continue);
        }
        let input = merge_schema(&node.inputs());
        same &= is_known(node);
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                same &= is_safe(expr, &input)?;
                Ok(if same { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })
        })?;
        Ok(if same { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(same)
}

fn is_known(node: &LogicalPlan) -> bool {
    use LogicalPlan::{
        Aggregate, Distinct, EmptyRelation, Filter, Join, Projection, Sort, SubqueryAlias, Union, Values,
        Window,
    };
    matches!(
        node,
        Aggregate(_)
            | Distinct(_)
            | EmptyRelation(_)
            | Filter(_)
            | Join(_)
            | Projection(_)
            | Sort(_)
            | SubqueryAlias(_)
            | Union(_)
            | Values(_)
            | Window(_)
    )
}

/// Whether an expression has a value whatever its operands are.
fn is_safe(expr: &Expr, input: &DFSchema) -> Result<bool> {
    Ok(match expr {
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Alias(_)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Between(_)
        | Expr::InList(_)
        | Expr::Case(_)
        | Expr::TryCast(_) => true,
        Expr::BinaryExpr(binary) => compares_or_joins(binary.op),
        Expr::Cast(cast) => has_all_values(&cast.expr.get_type(input)?, cast.field.data_type()),
        Expr::ScalarFunction(function) => OF_ROWS.contains(&function.name()),
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            OF_MANY.contains(&func.name()) || (func.name() == "sum" && holds_sum(expr, &params.args, input)?)
        }
        Expr::WindowFunction(function) => {
            let WindowFunction { fun, params } = &**function;
            match fun {
                WindowFunctionDefinition::AggregateUDF(func) if func.name() == "sum" => {
                    holds_sum(expr, &params.args, input)?
                }
                fun => OF_MANY.contains(&fun.name()),
            }
        }
        _ => false,
    })
}

fn compares_or_joins(op: Operator) -> bool {
    use Operator::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or, StringConcat};
    matches!(
        op,
        And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom | StringConcat
    )
}

/// Whether a sum is never beyond its type.
fn holds_sum(sum: &Expr, args: &[Expr], input: &DFSchema) -> Result<bool> {
    let [of] = args else { return Ok(false) };
    Ok(match (of.get_type(input)?, sum.get_type(input)?) {
        (DataType::Decimal256(digits, _), DataType::Decimal256(of_sum, _)) => {
            of_sum.saturating_sub(digits) >= MORE_DIGITS
        }
        _ => false,
    })
}

/// Whether a type has a value for each value of another one.
fn has_all_values(of: &DataType, to: &DataType) -> bool {
    if of == to || of.is_null() {
        return true;
    }
    if *to == DataType::Utf8 {
        return of.is_numeric() || of.is_temporal() || *of == DataType::Boolean;
    }
    match (digits(of, 0), digits(to, 1)) {
        (Some((whole, scale)), Some((whole_to, scale_to))) => whole <= whole_to && scale <= scale_to,
        (Some(_), None) => *to == DataType::Float64 && of.is_integer(),
        _ => false,
    }
}

/// How many digits an exact number may have before the point and behind it; of an integer, of whose longest not all are there, `fewer`.
fn digits(of: &DataType, fewer: i16) -> Option<(i16, i16)> {
    Some(match of {
        DataType::Int16 => (5 - fewer, 0),
        DataType::Int32 => (10 - fewer, 0),
        DataType::Int64 => (19 - fewer, 0),
        DataType::Decimal128(digits, scale) | DataType::Decimal256(digits, scale) => {
            (i16::from(*digits) - i16::from(*scale), i16::from(*scale))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_all_values_of_another() {
        use DataType::{Date32, Decimal128, Decimal256, Float64, Int16, Int32, Int64, Null, Utf8};
        let safe = [
            (Int64, Int64),
            (Int16, Int32),
            (Int32, Int64),
            (Int64, Float64),
            (Int64, Decimal128(19, 0)),
            (Decimal128(18, 0), Int64),
            (Decimal256(28, 2), Decimal128(28, 2)),
            (Decimal128(18, 2), Decimal128(20, 4)),
            (Decimal128(18, 2), Utf8),
            (Date32, Utf8),
            (Null, Date32),
        ];
        for (of, to) in safe {
            assert!(has_all_values(&of, &to), "{of} to {to}");
        }
        let unsafe_ = [
            (Int64, Int32),
            (Int64, Decimal128(18, 0)),
            (Int64, Decimal128(20, 2)),
            (Decimal128(19, 0), Int64),
            (Decimal128(4, 2), Int64),
            (Decimal256(38, 2), Decimal128(28, 2)),
            (Decimal128(18, 2), Decimal128(18, 1)),
            (Decimal128(18, 2), Float64),
            (Float64, Int64),
            (Utf8, Int64),
            (Utf8, Date32),
        ];
        for (of, to) in unsafe_ {
            assert!(!has_all_values(&of, &to), "{of} to {to}");
        }
    }
}
