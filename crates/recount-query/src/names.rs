//! Names of relations in a statement: each is resolved once, where it stands.
//!
//! The walk knows which names are those of WITH, meets every made-up name of [`crate::temporal`], and expands `*`,
//! so that pseudo-columns are never part of it. Each relation gets a key of its own, under which the planner finds
//! it. What DataFusion would ignore silently is refused.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Fetch, Ident, JoinConstraint, JoinOperator, LimitClause, ObjectName, Query, Select, SetExpr,
    TableAlias, TableFactor, TableWithJoins, VisitMut, VisitorMut,
};

use crate::error::QueryError;
use crate::relation::{Relation, in_sql};
use crate::relations::Periods;
use crate::temporal::{Axis, Clauses, Cut, misplaced};

mod asof;
mod wildcard;

use wildcard::Item;

/// Most relations that a statement reads.
const RELATIONS_MAX: usize = 500;

/// A relation of a statement.
#[derive(Debug)]
pub(crate) struct Named {
    /// The name that the statement has for it now.
    pub(crate) key: String,
    pub(crate) relation: Relation,
    pub(crate) clauses: Clauses,
}

/// Finds a relation by its name, version and periods.
pub(crate) type Find<'a> = &'a dyn Fn(&str, Option<u32>, Periods) -> Result<Relation, QueryError>;

/// Resolves the names of a query. The relations are in the order in which they are met.
pub(crate) fn resolve(query: &mut Query, cuts: Vec<Cut>, find: Find<'_>) -> Result<Vec<Named>, QueryError> {
    let cuts = cuts.into_iter().map(|cut| (cut.made_up.clone(), cut)).collect();
    let mut names = Names { find, cuts, scopes: Vec::new(), read: 0, named: Vec::new() };
    names.query(query)?;
    let left = names.cuts.into_values().min_by_key(|cut| cut.at);
    match left {
        Some(cut) => Err(misplaced(cut.at)),
        None => Ok(names.named),
    }
}

/// The names of a query's columns, as far as they are known; an unknown one is empty.
type Columns = Option<Vec<String>>;

struct Names<'a> {
    find: Find<'a>,
    /// The clauses of time that are still to be met, by made-up name.
    cuts: HashMap<String, Cut>,
    /// The names of WITH, innermost last: the columns of each, and how many relations it reads.
    scopes: Vec<HashMap<String, (Columns, usize)>>,
    /// How many relations are read so far, those of WITH as often as they are named.
    read: usize,
    named: Vec<Named>,
}

impl Names<'_> {
    fn query(&mut self, query: &mut Query) -> Result<Columns, QueryError> {
        if !query.locks.is_empty() {
            return Err(QueryError::Invalid(
                "FOR UPDATE and FOR SHARE: reads take no locks, leave it out".into(),
            ));
        }
        if query.settings.is_some() || query.format_clause.is_some() || query.for_clause.is_some() {
            return Err(QueryError::Invalid("SETTINGS, FORMAT and FOR XML or JSON are not there".into()));
        }
        if let Some(fetch) = query.fetch.take() {
            fetch_as_limit(query, fetch)?;
        }
        self.scopes.push(HashMap::new());
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                let name = folded(&cte.alias.name);
                let declared = alias_columns(&cte.alias);
                if with.recursive {
                    self.define(name.clone(), declared.clone(), 0);
                }
                let before = self.read;
                let columns = self.query(&mut cte.query)?;
                // It is read where it is named, not here.
                let read = std::mem::replace(&mut self.read, before) - before;
                self.define(name, declared.or(columns), read);
            }
        }
        let columns = self.set_expr(&mut query.body)?;
        self.expressions(&mut query.order_by)?;
        self.expressions(&mut query.limit_clause)?;
        self.expressions(&mut query.pipe_operators)?;
        self.scopes.pop();
        Ok(columns)
    }

    fn define(&mut self, name: String, columns: Columns, read: usize) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name, (columns, read));
        }
    }

    /// Counts relations that are read. The planner copies a query of WITH wherever it is named.
    fn count(&mut self, read: usize) -> Result<(), QueryError> {
        self.read = self.read.saturating_add(read);
        if self.read > RELATIONS_MAX {
            return Err(QueryError::Invalid(format!(
                "the statement reads more than {RELATIONS_MAX} relations, those of a query in WITH as often as it is named: use several statements"
            )));
        }
        Ok(())
    }

    fn set_expr(&mut self, body: &mut SetExpr) -> Result<Columns, QueryError> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let columns = self.set_expr(left)?;
                self.set_expr(right)?;
                Ok(columns)
            }
            SetExpr::Values(values) => {
                self.expressions(&mut values.rows)?;
                let width = values.rows.first().map_or(0, |row| row.content.len());
                Ok(Some((1..=width).map(|number| format!("column{number}")).collect()))
            }
            SetExpr::Table(_) => Err(QueryError::Invalid("write SELECT * FROM t instead of TABLE t".into())),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(QueryError::Invalid("a query changes nothing: INSERT is a statement of its own".into()))
            }
        }
    }

    fn select(&mut self, select: &mut Select) -> Result<Columns, QueryError> {
        if select.into.is_some() {
            return Err(QueryError::Invalid(
                "SELECT INTO makes a table, and there are none: use INSERT INTO topic".into(),
            ));
        }
        let mut from = std::mem::take(&mut select.from);
        let mut items = Vec::new();
        for table in &mut from {
            items.extend(self.joined(table)?);
        }
        let columns = wildcard::expand(&mut select.projection, &items)?;
        self.expressions(select)?;
        select.from = from;
        Ok(columns)
    }

    fn joined(&mut self, table: &mut TableWithJoins) -> Result<Vec<Item>, QueryError> {
        let mut items = self.factor(&mut table.relation)?;
        for join in &mut table.joins {
            let mut right = self.factor(&mut join.relation)?;
            asof::rewrite(join, &items, &mut right)?;
            if let Some(constraint) = constraint(&mut join.join_operator) {
                if let JoinConstraint::On(on) = constraint {
                    self.expressions(on)?;
                }
                wildcard::natural_as_using(constraint, &items, &right)?;
            }
            wildcard::merge(&join.join_operator, &mut items, &mut right);
            match join.join_operator {
                JoinOperator::Semi(_)
                | JoinOperator::LeftSemi(_)
                | JoinOperator::Anti(_)
                | JoinOperator::LeftAnti(_) => {}
                JoinOperator::RightSemi(_) | JoinOperator::RightAnti(_) => items = right,
                _ => items.extend(right),
            }
        }
        Ok(items)
    }

    fn factor(&mut self, factor: &mut TableFactor) -> Result<Vec<Item>, QueryError> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let shown = name.clone();
                let (item, renamed) = self.relation(name, alias.as_ref())?;
                let is_base = item.is_base;
                check_plain(factor, &shown)?;
                if let TableFactor::Table { alias, .. } = factor {
                    if alias.is_none() {
                        *alias = Some(alias_of(item.alias.clone()));
                    }
                    if renamed.is_some() && is_base {
                        // Only the columns of `*` are renamed: the others are not there.
                        *factor = wildcard::derived(factor, &item);
                    }
                }
                Ok(vec![Item {
                    columns: renamed.or(item.columns),
                    is_base: is_base && !matches!(factor, TableFactor::Derived { .. }),
                    ..item
                }])
            }
            TableFactor::Table { name, alias, args: Some(_), .. } => {
                let alias = alias.get_or_insert_with(|| alias_of(last(name)));
                let item = Item::new(alias.name.clone(), alias_columns(alias));
                self.expressions(factor)?;
                Ok(vec![item])
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let columns = self.query(subquery)?;
                let alias = alias.get_or_insert_with(|| alias_of(Ident::with_quote('"', "subquery")));
                Ok(vec![Item::new(alias.name.clone(), alias_columns(alias).or(columns))])
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.joined(table_with_joins),
            TableFactor::NestedJoin { .. } => {
                *factor = wildcard::nested_as_derived(factor);
                self.factor(factor)
            }
            TableFactor::UNNEST { alias, .. } => {
                let alias = alias.get_or_insert_with(|| alias_of(Ident::new("unnest")));
                let item = Item::new(alias.name.clone(), alias_columns(alias));
                self.expressions(factor)?;
                Ok(vec![item])
            }
            TableFactor::Function { name, alias, .. } => {
                let alias = alias.get_or_insert_with(|| alias_of(last(name)));
                let item = Item::new(alias.name.clone(), alias_columns(alias));
                self.expressions(factor)?;
                Ok(vec![item])
            }
            other => Err(QueryError::Invalid(format!("{other} is not supported in FROM"))),
        }
    }

    /// Resolves the name of a relation, which gets its key. Also says how an alias renames its columns.
    fn relation(
        &mut self,
        name: &mut ObjectName,
        alias: Option<&TableAlias>,
    ) -> Result<(Item, Columns), QueryError> {
        let [part] = name.0.as_slice() else {
            let dotted: Vec<String> = name.0.iter().map(ToString::to_string).collect();
            return Err(QueryError::NotFound(format!(
                "{name}: names have no schema before them; a name with a period in it is written {}",
                in_sql(&dotted.join("."))
            )));
        };
        let ident = part.as_ident().ok_or_else(|| QueryError::Invalid(format!("{name} is not a name")))?;
        let cut = self.cuts.remove(&ident.value);
        let ident = cut.as_ref().map_or_else(|| ident.clone(), |cut| cut.name.clone());
        let known = folded(&ident);
        let renamed = alias.and_then(alias_columns);
        let shown = alias.map_or_else(|| Ident::with_quote('"', known.clone()), |alias| alias.name.clone());
        let of_with = self.scopes.iter().rev().find_map(|scope| scope.get(&known)).cloned();
        self.count(1)?;
        if let Some((columns, read)) = of_with {
            self.count(read)?;
            if let Some(cut) = cut {
                return Err(QueryError::at(
                    cut.at,
                    format!(
                        "{ident} is a query of WITH: clauses of time belong to the topics and entities inside it"
                    ),
                ));
            }
            return Ok((Item::new(shown, columns), renamed));
        }
        let clauses = cut.map(|cut| cut.clauses).unwrap_or_default();
        let spans = |axis: &Option<Axis>| matches!(axis, Some(Axis::Span(_)));
        let each = matches!(clauses.valid, Some(Axis::Each(..)));
        let periods = Periods { system: spans(&clauses.system), valid: spans(&clauses.valid), each };
        let relation = (self.find)(&known, clauses.version, periods)?;
        let item = Item { is_base: true, ..Item::new(shown, Some(relation.visible_columns())) };
        let key = format!("{known} @{}", self.named.len());
        *name = ObjectName::from(vec![Ident::with_quote('"', key.clone())]);
        self.named.push(Named { key, relation, clauses });
        Ok((item, renamed))
    }

    /// Resolves the names in the subqueries of expressions.
    fn expressions(&mut self, node: &mut impl VisitMut) -> Result<(), QueryError> {
        match node.visit(&mut Subqueries { names: self, depth: 0 }) {
            ControlFlow::Break(error) => Err(*error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

/// Visits the outermost queries of expressions.
struct Subqueries<'a, 'b> {
    names: &'a mut Names<'b>,
    depth: usize,
}

impl VisitorMut for Subqueries<'_, '_> {
    type Break = Box<QueryError>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        if self.depth == 1
            && let Err(error) = self.names.query(query)
        {
            return ControlFlow::Break(Box::new(error));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

/// A name as it is known: folded, unless it was quoted.
pub(crate) fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}

fn last(name: &ObjectName) -> Ident {
    name.0.last().and_then(|part| part.as_ident()).cloned().unwrap_or_else(|| Ident::new("t"))
}

fn alias_of(name: Ident) -> TableAlias {
    TableAlias { explicit: true, name, columns: Vec::new(), at: None }
}

fn alias_columns(alias: &TableAlias) -> Columns {
    let columns: Vec<String> = alias.columns.iter().map(|column| folded(&column.name)).collect();
    (!columns.is_empty()).then_some(columns)
}

fn constraint(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint) => Some(constraint),
        _ => None,
    }
}

/// Refuses what DataFusion would ignore.
fn check_plain(factor: &TableFactor, name: &ObjectName) -> Result<(), QueryError> {
    let TableFactor::Table {
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
        ..
    } = factor
    else {
        return Ok(());
    };
    let plain = with_hints.is_empty()
        && version.is_none()
        && !with_ordinality
        && partitions.is_empty()
        && json_path.is_none()
        && sample.is_none()
        && index_hints.is_empty();
    if plain {
        return Ok(());
    }
    Err(QueryError::Invalid(format!(
        "hints, samples, partitions and ordinality are not supported behind {name}"
    )))
}

fn fetch_as_limit(query: &mut Query, fetch: Fetch) -> Result<(), QueryError> {
    let Fetch { with_ties: false, percent: false, quantity } = fetch else {
        return Err(QueryError::Invalid("FETCH takes neither PERCENT nor WITH TIES".into()));
    };
    let one = || Expr::Value(sqlparser::ast::Value::Number("1".into(), false).with_empty_span());
    let fetched = Some(quantity.unwrap_or_else(one));
    match &mut query.limit_clause {
        None => {
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: fetched, offset: None, limit_by: Vec::new() });
            Ok(())
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => {
            *limit = fetched;
            Ok(())
        }
        Some(_) => Err(QueryError::Invalid("LIMIT and FETCH say the same: give one of them".into())),
    }
}
