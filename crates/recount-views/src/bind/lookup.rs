//! LOOKUP: which row of another topic a rule sees.
//!
//! ON is a conjunction: `row column = value of the event` (at least one, or a comparison with a constant) says which
//! row, conditions on the row alone say which rows count, conditions on the event alone when to look at all.

use recount_entity::expr::{Class, Comparison, Expr};
use recount_entity::fold;
use recount_store::ddl::{Lookup, ParseError};
use recount_store::schema::ColumnType;
use sqlparser::ast::{self, BinaryOperator, Spanned, visit_expressions};
use std::ops::ControlFlow;

use super::expression::Binder;
use super::names::{Names, Place};
use super::types::Type;

/// What is kept of the rows of a topic that is looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundLookup {
    /// The columns that are kept, in the order in which expressions number them.
    pub columns: Vec<(String, ColumnType)>,
    /// The key of a row, of these columns as columns of an event.
    pub key: Vec<Expr>,
    /// Which rows count.
    pub filter: Option<Expr>,
}

/// A look-up, bound.
pub(super) struct Both {
    pub(super) fold: fold::Lookup,
    pub(super) rows: BoundLookup,
}

/// Binds the look-up of this number.
pub(super) fn bind(lookup: &Lookup, number: usize, names: &mut Names<'_>) -> Result<Both, ParseError> {
    let at = lookup.alias.at;
    let mut both = Both {
        fold: fold::Lookup { condition: None, key: Vec::new(), as_of: Expr::Event(0) },
        rows: BoundLookup { columns: Vec::new(), key: Vec::new(), filter: None },
    };
    let mut conjuncts = Vec::new();
    conjunction(&lookup.on, &mut conjuncts);
    for conjunct in conjuncts {
        let here = if conjunct.span().start.line == 0 { at } else { conjunct.span().start };
        let side = |expr: &ast::Expr, names: &Names<'_>| belongs(expr, number, names);
        match (side(conjunct, names), conjunct) {
            (Side::Event, _) => {
                let mut binder = Binder { names, place: Place::Event("ON"), at: here };
                let condition = binder.condition(conjunct)?;
                both.fold.condition = Some(and(both.fold.condition.take(), condition));
            }
            (Side::Row, _) => {
                let mut binder = Binder { names, place: Place::Lookup(number), at: here };
                let condition = binder.condition(conjunct)?;
                both.rows.filter = Some(and(both.rows.filter.take(), condition));
            }
            (Side::Both, ast::Expr::BinaryOp { left, op: BinaryOperator::Eq, right }) => {
                let (row, event) = match (side(left, names), side(right, names)) {
                    (Side::Row, Side::Event) => (left, right),
                    (Side::Event, Side::Row) => (right, left),
                    _ => return Err(unsupported(lookup, here)),
                };
                let row = Binder { names: &mut *names, place: Place::Lookup(number), at: here }.bind(row)?;
                let mut binder = Binder { names, place: Place::Event("ON"), at: here };
                let event = binder.bind(event)?;
                // Bound as a comparison, so that both sides are made to be of one type.
                if let Expr::Compare(_, class, row, event) = binder.compare(Comparison::Equal, row, event)? {
                    if class == Class::Double {
                        let message = "ON cannot find rows by a DOUBLE, which is not exact: declare the column as DECIMAL";
                        return Err(ParseError::at(here, message.to_owned()));
                    }
                    both.rows.key.push(*row);
                    both.fold.key.push(*event);
                }
            }
            (Side::Both, _) => return Err(unsupported(lookup, here)),
        }
    }
    let here = if lookup.as_of.span().start.line == 0 { at } else { lookup.as_of.span().start };
    let as_of = Binder { names, place: Place::Event("AS OF"), at }.bind(&lookup.as_of)?;
    if as_of.kind != Type::TimestampTz {
        let message = format!("AS OF needs a TIMESTAMPTZ of the event, and this is {}", as_of.kind);
        return Err(ParseError::at(here, message));
    }
    both.fold.as_of = as_of.expr;
    Ok(both)
}

fn unsupported(lookup: &Lookup, at: sqlparser::tokenizer::Location) -> ParseError {
    let alias = &lookup.alias.folded;
    let message = format!(
        "ON joins conditions with AND, each of them {alias}.column = a value of the event, or about {alias} alone, or about the event alone"
    );
    ParseError::at(at, message)
}

fn conjunction<'e>(expr: &'e ast::Expr, into: &mut Vec<&'e ast::Expr>) {
    match expr {
        ast::Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjunction(left, into);
            conjunction(right, into);
        }
        ast::Expr::Nested(inner) => conjunction(inner, into),
        other => into.push(other),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Names columns of the event only, or nothing.
    Event,
    /// Names columns of the row only.
    Row,
    Both,
}

fn belongs(expr: &ast::Expr, number: usize, names: &Names<'_>) -> Side {
    let (mut row, mut event) = (false, false);
    let _: ControlFlow<()> = visit_expressions(expr, |expr| {
        match expr {
            ast::Expr::CompoundIdentifier(parts)
                if parts.first().and_then(|first| names.lookup_number(first)) == Some(number) =>
            {
                row = true;
            }
            ast::Expr::CompoundIdentifier(_) | ast::Expr::Identifier(_) => event = true,
            _ => {}
        }
        ControlFlow::Continue(())
    });
    match (row, event) {
        (true, true) => Side::Both,
        (true, false) => Side::Row,
        (false, _) => Side::Event,
    }
}

fn and(known: Option<Expr>, more: Expr) -> Expr {
    match known {
        Some(known) => Expr::And(Box::new(known), Box::new(more)),
        None => more,
    }
}
