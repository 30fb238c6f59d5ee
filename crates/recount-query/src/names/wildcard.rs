//! `*`: the columns that a relation declares, without its pseudo-columns; and joins that go by the names of columns.

use sqlparser::ast::{
    ExcludeSelectItem, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, TableWithJoins,
    WildcardAdditionalOptions,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::folded;
use crate::error::QueryError;

/// What FROM has in one place.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// By which name its columns are addressed.
    pub(super) alias: Ident,
    /// Its columns, as far as they are known: those of `*`; one whose name is unknown is empty.
    pub(super) columns: Option<Vec<String>>,
    /// It has pseudo-columns too.
    pub(super) is_base: bool,
    /// Columns that `*` shows of another one already, by USING.
    pub(super) merged: Vec<String>,
    /// Columns of USING that are null where this side of an outer join has no row: what is shown then.
    pub(super) filled: Vec<(String, Filled)>,
}

/// What is shown of a column of USING.
#[derive(Debug, Clone)]
pub(super) enum Filled {
    /// The column of the right side.
    Right(Ident),
    /// The one that is not null.
    Either(Ident),
}

impl Item {
    pub(super) fn new(alias: Ident, columns: Option<Vec<String>>) -> Item {
        Item { alias, columns, is_base: false, merged: Vec::new(), filled: Vec::new() }
    }

    /// Its columns, if each has a name.
    pub(super) fn named(&self) -> Option<&[String]> {
        self.columns.as_deref().filter(|columns| columns.iter().all(|column| !column.is_empty()))
    }

    /// What `*` shows of it.
    fn expanded(&self) -> Vec<SelectItem> {
        let Some(columns) = self.named() else {
            let excluded = self.merged.iter().map(|name| ObjectName::from(vec![quoted(name)])).collect();
            let opt_exclude = (!self.merged.is_empty()).then_some(ExcludeSelectItem::Multiple(excluded));
            let options = WildcardAdditionalOptions { opt_exclude, ..WildcardAdditionalOptions::default() };
            let name = ObjectName::from(vec![self.alias.clone()]);
            return vec![SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            )];
        };
        let shown = columns.iter().filter(|column| !self.merged.contains(column));
        shown
            .map(|column| match self.filled.iter().find(|(filled, _)| filled == column) {
                Some((_, Filled::Right(other))) => SelectItem::UnnamedExpr(compound(other, column)),
                Some((_, Filled::Either(other))) => SelectItem::ExprWithAlias {
                    expr: coalesce(compound(&self.alias, column), compound(other, column)),
                    alias: quoted(column),
                },
                None => SelectItem::UnnamedExpr(compound(&self.alias, column)),
            })
            .collect()
    }

    fn shown_columns(&self) -> Option<Vec<String>> {
        let columns = self.columns.as_ref()?;
        Some(columns.iter().filter(|column| !self.merged.contains(column)).cloned().collect())
    }
}

/// Expands every `*` that would show pseudo-columns. Returns the names of the columns, as far as they are known.
pub(super) fn expand(
    projection: &mut Vec<SelectItem>,
    items: &[Item],
) -> Result<Option<Vec<String>>, QueryError> {
    let mut expanded = Vec::with_capacity(projection.len());
    let mut names = Some(Vec::new());
    let mut name = |columns: Option<Vec<String>>| match (&mut names, columns) {
        (Some(names), Some(columns)) => names.extend(columns),
        (names, _) => *names = None,
    };
    for item in std::mem::take(projection) {
        match &item {
            SelectItem::Wildcard(options) => {
                check_options(options)?;
                for item in items {
                    name(item.shown_columns());
                }
                if items.iter().any(|item| item.is_base) {
                    expanded.extend(items.iter().flat_map(Item::expanded));
                } else {
                    expanded.push(item);
                }
            }
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(qualifier),
                options,
            ) => {
                check_options(options)?;
                let wanted = match qualifier.0.as_slice() {
                    [part] => part.as_ident().map(folded),
                    _ => None,
                };
                match items.iter().find(|item| Some(folded(&item.alias)) == wanted) {
                    Some(found) => {
                        name(found.columns.clone());
                        let whole = Item { merged: Vec::new(), filled: Vec::new(), ..found.clone() };
                        expanded.extend(whole.expanded());
                    }
                    None => return Err(QueryError::Invalid(format!("{qualifier} is not in FROM"))),
                }
            }
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => {
                name(Some(vec![folded(ident)]));
                expanded.push(item);
            }
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                name(Some(vec![parts.last().map(folded).unwrap_or_default()]));
                expanded.push(item);
            }
            SelectItem::ExprWithAlias { alias, .. } => {
                name(Some(vec![folded(alias)]));
                expanded.push(item);
            }
            SelectItem::UnnamedExpr(expr) => {
                let text = expr.to_string();
                let is_shown =
                    !text.contains("(SELECT ") && !expanded.iter().any(|item| is_alias(item, &text));
                name(Some(vec![if is_shown { text.clone() } else { String::new() }]));
                // A column without a name is called what is written; DataFusion's own names are harder to read.
                expanded.push(match is_shown {
                    true => SelectItem::ExprWithAlias { expr: expr.clone(), alias: quoted(&text) },
                    false => item,
                });
            }
            _ => {
                name(Some(vec![String::new()]));
                expanded.push(item);
            }
        }
    }
    *projection = expanded;
    Ok(names)
}

fn is_alias(item: &SelectItem, name: &str) -> bool {
    matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value == name)
}

fn check_options(options: &WildcardAdditionalOptions) -> Result<(), QueryError> {
    let plain = options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none();
    if plain { Ok(()) } else { Err(QueryError::Invalid("write the columns instead of * and options".into())) }
}

/// NATURAL goes by the columns of `*`: it becomes USING.
pub(super) fn natural_as_using(
    constraint: &mut JoinConstraint,
    left: &[Item],
    right: &[Item],
) -> Result<(), QueryError> {
    let is_base = left.iter().chain(right).any(|item| item.is_base);
    if *constraint != JoinConstraint::Natural || !is_base {
        return Ok(());
    }
    let known = |items: &[Item]| -> Option<Vec<String>> {
        let columns: Option<Vec<Vec<String>>> = items.iter().map(Item::shown_columns).collect();
        Some(columns?.concat())
    };
    let (Some(left), Some(right)) = (known(left), known(right)) else {
        return Err(QueryError::Invalid(
            "NATURAL JOIN: not all columns are known here, name them with USING".into(),
        ));
    };
    let common = left.into_iter().filter(|column| !column.is_empty() && right.contains(column));
    let common: Vec<ObjectName> = common.map(|column| ObjectName::from(vec![quoted(&column)])).collect();
    if common.is_empty() {
        return Err(QueryError::Invalid(
            "NATURAL JOIN: both sides have no column of the same name, use CROSS JOIN or ON".into(),
        ));
    }
    *constraint = JoinConstraint::Using(common);
    Ok(())
}

/// Notes which columns `*` shows only once, because a join goes by them.
pub(super) fn merge(operator: &JoinOperator, left: &mut [Item], right: &mut [Item]) {
    let is_right = matches!(operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_));
    let is_full = matches!(operator, JoinOperator::FullOuter(_));
    let constraint = match operator {
        JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint) => constraint,
        _ => return,
    };
    let JoinConstraint::Using(columns) = constraint else { return };
    for column in columns {
        let Some(column) = column.0.last().and_then(|part| part.as_ident()).map(folded) else { continue };
        let has = |item: &Item| item.columns.as_ref().is_none_or(|columns| columns.contains(&column));
        let Some(other) = right.iter_mut().find(|item| has(item)) else { continue };
        other.merged.push(column.clone());
        let shown = left.iter_mut().find(|item| has(item) && !item.merged.contains(&column));
        let other = other.alias.clone();
        match shown {
            Some(item) if is_right => item.filled.push((column, Filled::Right(other))),
            Some(item) if is_full => item.filled.push((column, Filled::Either(other))),
            _ => {}
        }
    }
}

/// A relation whose alias renames its columns: as a subquery of these columns.
pub(super) fn derived(factor: &TableFactor, item: &Item) -> TableFactor {
    let mut inner = factor.clone();
    let mut outer = None;
    if let TableFactor::Table { alias, .. } = &mut inner {
        outer = alias.take();
    }
    let alias = super::alias_of(item.alias.clone());
    if let TableFactor::Table { alias: inner_alias, .. } = &mut inner {
        *inner_alias = Some(alias);
    }
    subquery(TableWithJoins { relation: inner, joins: Vec::new() }, item.expanded(), outer)
}

/// A join in parentheses with an alias: as a subquery.
pub(super) fn nested_as_derived(factor: &TableFactor) -> TableFactor {
    let TableFactor::NestedJoin { table_with_joins, alias } = factor else { return factor.clone() };
    let all = SelectItem::Wildcard(WildcardAdditionalOptions::default());
    subquery((**table_with_joins).clone(), vec![all], alias.clone())
}

pub(super) fn subquery(
    from: TableWithJoins,
    projection: Vec<SelectItem>,
    alias: Option<TableAlias>,
) -> TableFactor {
    let mut query = empty_query();
    if let SetExpr::Select(select) = &mut *query.body {
        let select: &mut Select = select;
        select.projection = projection;
        select.from = vec![from];
    }
    TableFactor::Derived { lateral: false, subquery: query, alias, sample: None }
}

/// `SELECT 1`, to be filled.
fn empty_query() -> Box<Query> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql("SELECT 1")
        .and_then(|mut parser| parser.parse_query());
    match parsed {
        Ok(query) => query,
        Err(error) => unreachable!("SELECT 1 is a query: {error}"),
    }
}

pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

pub(super) fn compound(alias: &Ident, column: &str) -> Expr {
    Expr::CompoundIdentifier(vec![alias.clone(), quoted(column)])
}

fn coalesce(first: Expr, second: Expr) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("coalesce")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(first), argument(second)],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
