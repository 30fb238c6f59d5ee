//! Where a DOUBLE and a DECIMAL have to become of one type, in CASE, COALESCE and the like, IN, BETWEEN, UNION, VALUES and USING, DataFusion makes
//! both a decimal with 15 digits behind the point: what a double has beyond them is lost, and a great one is an error. Here a constant
//! beside a double is a double, as beside an operator; any other decimal is refused.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Projection, Union};
use sqlparser::ast::{
    CastKind, DataType as AstType, ExactNumberInfo, Expr as Ast, Query, SetExpr, UnaryOperator, Value,
    VisitMut, VisitorMut,
};

use crate::dependencies;
use crate::functions::{constant_as_double, is_decimal, is_float};

/// Functions whose arguments are of one type.
const OF_ONE_TYPE: &[&str] = &["coalesce", "greatest", "least", "nullif", "nvl", "make_array"];

/// The same plan, in which no double becomes a decimal by itself.
pub(crate) fn unmixed(plan: LogicalPlan) -> Result<LogicalPlan> {
    let unmixed = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| of_expr(expr, &schema))?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?
        .map_data(of_node)?
        .map_data(LogicalPlan::recompute_schema)?
        .map_data(dependencies::of_node)
    })?;
    Ok(unmixed.data)
}

fn of_expr(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match &mut expr {
        Expr::Case(case) => {
            let mut results: Vec<&mut Expr> = Vec::new();
            let mut compared: Vec<&mut Expr> = Vec::new();
            for (when, then) in &mut case.when_then_expr {
                compared.push(when);
                results.push(then);
            }
            results.extend(case.else_expr.as_deref_mut());
            one_type(&mut results, schema)?;
            if let Some(operand) = case.expr.as_deref_mut() {
                compared.push(operand);
                one_type(&mut compared, schema)?;
            }
        }
        Expr::ScalarFunction(function) if OF_ONE_TYPE.contains(&function.func.name()) => {
            one_type(&mut function.args.iter_mut().collect::<Vec<_>>(), schema)?;
        }
        Expr::InList(within) => {
            let list = within.list.iter_mut();
            one_type(&mut std::iter::once(&mut *within.expr).chain(list).collect::<Vec<_>>(), schema)?;
        }
        Expr::Between(between) => {
            one_type(&mut [&mut *between.expr, &mut *between.low, &mut *between.high], schema)?;
        }
        Expr::InSubquery(within) => beside_subquery(&mut within.expr, &within.subquery.subquery, schema)?,
        Expr::SetComparison(compared) => {
            beside_subquery(&mut compared.expr, &compared.subquery.subquery, schema)?;
        }
        _ => return Ok(Transformed::no(expr)),
    }
    Ok(Transformed::yes(expr))
}

/// Expressions that will have one type.
fn one_type(exprs: &mut [&mut Expr], schema: &DFSchema) -> Result<()> {
    let types = exprs.iter().map(|expr| expr.get_type(schema)).collect::<Result<Vec<_>>>()?;
    if !types.iter().any(is_float) {
        return Ok(());
    }
    for (expr, _) in exprs.iter_mut().zip(&types).filter(|(_, data_type)| is_decimal(data_type)) {
        let constant = constant_as_double(std::mem::take(&mut **expr));
        **expr = constant;
        if is_decimal(&expr.get_type(schema)?) {
            return Err(mixed(expr));
        }
    }
    Ok(())
}

fn beside_subquery(expr: &mut Expr, subquery: &LogicalPlan, schema: &DFSchema) -> Result<()> {
    let column = subquery.schema().field(0).data_type();
    let data_type = expr.get_type(schema)?;
    if is_float(column) && is_decimal(&data_type) {
        *expr = constant_as_double(std::mem::take(expr));
    }
    let still_decimal = is_float(column) && is_decimal(&expr.get_type(schema)?);
    if still_decimal || is_float(&data_type) && is_decimal(column) {
        return Err(mixed(expr));
    }
    Ok(())
}

fn of_node(node: LogicalPlan) -> Result<LogicalPlan> {
    match node {
        LogicalPlan::Union(union) => of_union(union),
        LogicalPlan::Join(join) => {
            for (left, right) in &join.on {
                let types = [left.get_type(join.left.schema())?, right.get_type(join.right.schema())?];
                if types.iter().any(is_float) && types.iter().any(is_decimal) {
                    return Err(mixed(left));
                }
            }
            Ok(LogicalPlan::Join(join))
        }
        other => Ok(other),
    }
}

/// Where an input has a double, all have.
fn of_union(mut union: Union) -> Result<LogicalPlan> {
    let mut changed = false;
    for column in 0..union.schema.fields().len() {
        let of = |input: &LogicalPlan| input.schema().field(column).data_type().clone();
        if !union.inputs.iter().any(|input| is_float(&of(input))) {
            continue;
        }
        for input in union.inputs.iter_mut().filter(|input| !is_float(&of(input))) {
            *input = Arc::new(with_double(input, column)?);
            changed = true;
        }
    }
    Ok(LogicalPlan::Union(if changed { Union::try_new_with_loose_types(union.inputs)? } else { union }))
}

/// An input with a double in the place of a column.
fn with_double(input: &LogicalPlan, column: usize) -> Result<LogicalPlan> {
    let schema = input.schema();
    let (qualifier, field) = schema.qualified_field(column);
    let doubled = |expr: Expr| expr.alias_qualified(qualifier.cloned(), field.name());
    if is_decimal(field.data_type()) {
        let LogicalPlan::Projection(projection) = input else {
            return Err(mixed(&Expr::Column(schema.columns().swap_remove(column))));
        };
        let mut exprs = projection.expr.clone();
        exprs[column] = doubled(constant_as_double(exprs[column].clone().unalias()));
        if is_decimal(&exprs[column].get_type(projection.input.schema())?) {
            return Err(mixed(&projection.expr[column]));
        }
        return Ok(LogicalPlan::Projection(Projection::try_new(exprs, projection.input.clone())?));
    }
    let mut exprs: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    exprs[column] = doubled(exprs[column].clone().cast_to(&DataType::Float64, schema)?);
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input.clone()))?))
}

fn mixed(expr: &Expr) -> DataFusionError {
    DataFusionError::Plan(format!(
        "a DOUBLE and a DECIMAL at {expr}: neither becomes the other by itself, CAST one of them to the type of the other"
    ))
}

/// Numbers in VALUES, in a column where something is cast to DOUBLE, are cast to it too.
pub(crate) fn doubles_in_values(query: &mut Query) {
    let _: ControlFlow<()> = query.visit(&mut Doubles);
}

struct Doubles;

impl VisitorMut for Doubles {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let SetExpr::Values(values) = &mut *query.body else { return ControlFlow::Continue(()) };
        let columns = values.rows.iter().map(|row| row.len()).min().unwrap_or(0);
        for column in 0..columns {
            let is_double =
                |row: &[Ast]| matches!(&row[column], Ast::Cast { data_type, .. } if double(data_type));
            if values.rows.iter().any(|row| is_double(row)) {
                let cells = values.rows.iter_mut().map(|row| &mut row[column]);
                cells.filter(|cell| is_number(cell)).for_each(|cell| *cell = as_double(cell.clone()));
            }
        }
        ControlFlow::Continue(())
    }
}

fn double(data_type: &AstType) -> bool {
    matches!(data_type, AstType::Double(ExactNumberInfo::None) | AstType::DoublePrecision | AstType::Float8)
}

fn is_number(expr: &Ast) -> bool {
    match expr {
        Ast::Value(value) => matches!(value.value, Value::Number(..)),
        Ast::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => is_number(expr),
        Ast::Nested(expr) => is_number(expr),
        _ => false,
    }
}

fn as_double(expr: Ast) -> Ast {
    Ast::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: AstType::DoublePrecision,
        array: false,
        format: None,
    }
}
