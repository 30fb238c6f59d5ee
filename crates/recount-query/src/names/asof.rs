//! `l ASOF JOIN r MATCH_CONDITION (l.t >= r.t) ON l.k = r.k`: each row of `l` with the one row of `r` that is nearest to it in time, of
//! those with its keys; without one, with nulls. Rows of one time come in the order in which they were recorded, and the last is taken.
//!
//! It becomes a left join with `r` and the time of the next row of the same keys:
//!
//! ```text
//!  l LEFT JOIN (SELECT *, lead(t) OVER (PARTITION BY k ORDER BY t, _position) AS _next FROM r) AS r
//!    ON l.k = r.k AND l.t >= r.t AND (r._next IS NULL OR l.t < r._next)
//! ```

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, SelectItem, TableWithJoins, Visit, Visitor,
};
use sqlparser::parser::Parser;

use super::wildcard::{Item, compound, quoted, subquery};
use super::{alias_of, folded};
use crate::dialect::DIALECT;
use crate::error::QueryError;

const SHAPE: &str = "write l ASOF JOIN r MATCH_CONDITION (l.time >= r.time) ON l.key = r.key";
/// The time of the next row of the same keys, or of the one before.
const NEXT: &str = "_next";

/// Rewrites the join, if it is one, of what is left of it and what is right.
pub(super) fn rewrite(join: &mut Join, left: &[Item], right: &mut [Item]) -> Result<(), QueryError> {
    let JoinOperator::AsOf { match_condition, constraint } = &join.join_operator else { return Ok(()) };
    let [item] = right else { return Err(wrong("its right side is one relation")) };
    let of = Sides { left, right: item };
    let (keys, on) = match constraint {
        JoinConstraint::On(on) => (of.keys(on)?, Some(on.clone())),
        JoinConstraint::None => (Vec::new(), None),
        _ => return Err(wrong("it takes ON")),
    };
    let (time, operator, other) = of.times(match_condition)?;
    let backwards = matches!(operator, BinaryOperator::GtEq | BinaryOperator::Gt);
    let columns = item.named().ok_or_else(|| wrong("the columns of its right side have names"))?;
    let ties: Vec<String> = match item.is_base {
        true => vec![compound(&item.alias, "_position").to_string()],
        false => columns.iter().map(|column| compound(&item.alias, column).to_string()).collect(),
    };
    let partition = match keys.as_slice() {
        [] => String::new(),
        keys => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            format!("PARTITION BY {} ", keys.join(", "))
        }
    };
    let function = if backwards { "lead" } else { "lag" };
    let next = format!("{function}({other}) OVER ({partition}ORDER BY {other}, {})", ties.join(", "));
    let mut projection: Vec<SelectItem> =
        columns.iter().map(|column| SelectItem::UnnamedExpr(compound(&item.alias, column))).collect();
    projection.push(SelectItem::ExprWithAlias { expr: parsed(&next)?, alias: quoted(NEXT) });
    let from = TableWithJoins { relation: join.relation.clone(), joins: Vec::new() };
    join.relation = subquery(from, projection, Some(alias_of(item.alias.clone())));
    let next = compound(&item.alias, NEXT);
    let until = match operator {
        BinaryOperator::GtEq => "<",
        BinaryOperator::Gt => "<=",
        BinaryOperator::LtEq => ">",
        _ => ">=",
    };
    let nearest = format!(
        "({time}) {operator} ({other}) AND (({next}) IS NULL OR ({time}) {until} ({next})){}",
        on.map(|on| format!(" AND ({on})")).unwrap_or_default()
    );
    join.join_operator = JoinOperator::Left(JoinConstraint::On(parsed(&nearest)?));
    item.is_base = false;
    Ok(())
}

struct Sides<'a> {
    left: &'a [Item],
    right: &'a Item,
}

impl Sides<'_> {
    /// The right sides of equalities.
    fn keys(&self, on: &Expr) -> Result<Vec<Expr>, QueryError> {
        match on {
            Expr::Nested(inner) => self.keys(inner),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                Ok([self.keys(left)?, self.keys(right)?].concat())
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                match (self.is_right(left)?, self.is_right(right)?) {
                    (false, true) => Ok(vec![(**right).clone()]),
                    (true, false) => Ok(vec![(**left).clone()]),
                    _ => Err(wrong(&format!("{on} does not compare its left side with its right"))),
                }
            }
            other => Err(wrong(&format!("its ON takes equalities, and {other} is none"))),
        }
    }

    /// The time of the left, how it is compared, and the time of the right.
    fn times(&self, condition: &Expr) -> Result<(Expr, BinaryOperator, Expr), QueryError> {
        let no_comparison = || wrong(&format!("{condition} does not compare two times"));
        let Expr::BinaryOp { left, op, right } = condition else { return Err(no_comparison()) };
        let turned = match op {
            BinaryOperator::GtEq => BinaryOperator::LtEq,
            BinaryOperator::Gt => BinaryOperator::Lt,
            BinaryOperator::LtEq => BinaryOperator::GtEq,
            BinaryOperator::Lt => BinaryOperator::Gt,
            _ => return Err(no_comparison()),
        };
        match (self.is_right(left)?, self.is_right(right)?) {
            (false, true) => Ok(((**left).clone(), op.clone(), (**right).clone())),
            (true, false) => Ok(((**right).clone(), turned, (**left).clone())),
            _ => Err(no_comparison()),
        }
    }

    /// Whether an expression is over columns of the right side; of both it may not be.
    fn is_right(&self, expr: &Expr) -> Result<bool, QueryError> {
        let mut found = Found { sides: self, left: false, right: false };
        let _ = expr.visit(&mut found);
        match (found.left, found.right) {
            (true, true) => Err(wrong(&format!("{expr} is of both sides"))),
            (_, right) => Ok(right),
        }
    }
}

struct Found<'a> {
    sides: &'a Sides<'a>,
    left: bool,
    right: bool,
}

impl Visitor for Found<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let has = |item: &Item, name: &String| item.named().is_some_and(|columns| columns.contains(name));
        let is_right = match expr {
            Expr::CompoundIdentifier(parts) => {
                parts.first().is_some_and(|alias| folded(alias) == folded(&self.sides.right.alias))
            }
            Expr::Identifier(name) => {
                let name = folded(name);
                has(self.sides.right, &name) && !self.sides.left.iter().any(|item| has(item, &name))
            }
            _ => return ControlFlow::Continue(()),
        };
        *(if is_right { &mut self.right } else { &mut self.left }) = true;
        ControlFlow::Continue(())
    }
}

fn parsed(text: &str) -> Result<Expr, QueryError> {
    let parser = Parser::new(&DIALECT).try_with_sql(text);
    parser.and_then(|mut parser| parser.parse_expr()).map_err(QueryError::from_parser)
}

fn wrong(what: &str) -> QueryError {
    QueryError::Invalid(format!("ASOF JOIN: {what}: {SHAPE}"))
}
