//! `tumble(t, time, size)` and `hop(t, time, slide, size)` in FROM: each row of `t` once for every window of time that it is in, with
//! `window_start` and `window_end`. They become queries: a window is a group like any other, so a late event changes it.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query, TableAlias, TableFactor,
    TableFunctionArgs, VisitMut, VisitorMut,
};
use sqlparser::parser::Parser;

use crate::dialect::DIALECT;
use crate::error::QueryError;
use crate::functions::WINDOW_STARTS;
use crate::names::folded;

/// Rewrites the windows of a query.
pub(crate) fn expand(query: &mut Query) -> Result<(), QueryError> {
    match query.visit(&mut Windows) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Windows;

impl VisitorMut for Windows {
    type Break = Box<QueryError>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        let TableFactor::Table { name, alias, args: Some(TableFunctionArgs { args, .. }), .. } = factor
        else {
            return ControlFlow::Continue(());
        };
        match windows(name, args, alias.as_ref()) {
            Ok(Some(expanded)) => *factor = expanded,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(Box::new(error)),
        }
        ControlFlow::Continue(())
    }
}

/// What a call in FROM means; none if it is of another function.
fn windows(
    name: &ObjectName,
    args: &[FunctionArg],
    alias: Option<&TableAlias>,
) -> Result<Option<TableFactor>, QueryError> {
    let [part] = name.0.as_slice() else { return Ok(None) };
    let function = part.as_ident().map(folded).unwrap_or_default();
    let shape = match function.as_str() {
        "tumble" => "tumble(relation, time, INTERVAL 'size')",
        "hop" => "hop(relation, time, INTERVAL 'slide', INTERVAL 'size')",
        _ => return Ok(None),
    };
    let wrong = |what: &str| QueryError::Invalid(format!("{what}: write {shape}"));
    let args: Option<Vec<&Expr>> = args.iter().map(plain).collect();
    let args = args.ok_or_else(|| wrong(&format!("{function} takes a relation and expressions")))?;
    let (relation, time, slide, size) = match (function.as_str(), args.as_slice()) {
        ("tumble", &[relation, time, size]) => (relation, time, size, size),
        ("hop", &[relation, time, slide, size]) => (relation, time, slide, size),
        (_, args) => return Err(wrong(&format!("{function} has {} arguments", args.len()))),
    };
    let Expr::Identifier(relation) = relation else {
        return Err(wrong(&format!(
            "{relation} is not the name of a relation (one made by a query is named in WITH)"
        )));
    };
    if let Some(other) = [slide, size].into_iter().find(|length| !matches!(length, Expr::Interval(_))) {
        return Err(wrong(&format!("{other} is not an INTERVAL")));
    }
    let time = described(time);
    // The names of the function are names of the statement, too.
    let text = format!(
        "(SELECT w.*, w.window_start + {size} AS window_end \
         FROM (SELECT *, unnest({WINDOW_STARTS}({time}, {slide}, {size})) AS window_start FROM {relation}) AS w)"
    );
    let mut parser = Parser::new(&DIALECT).try_with_sql(&text).map_err(QueryError::from_parser)?;
    let mut expanded = parser.parse_table_factor().map_err(QueryError::from_parser)?;
    if let TableFactor::Derived { alias: of_query, .. } = &mut expanded {
        let named = || TableAlias {
            explicit: true,
            name: Ident::with_quote('"', folded(relation)),
            columns: Vec::new(),
            at: None,
        };
        *of_query = Some(alias.cloned().unwrap_or_else(named));
    }
    Ok(Some(expanded))
}

fn plain(arg: &FunctionArg) -> Option<&Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// The time, which others write as `DESCRIPTOR(time)`.
fn described(time: &Expr) -> &Expr {
    let Expr::Function(function) = time else { return time };
    let FunctionArguments::List(list) = &function.args else { return time };
    match list.args.as_slice() {
        [arg] if function.name.to_string().eq_ignore_ascii_case("descriptor") => plain(arg).unwrap_or(time),
        _ => time,
    }
}
