//! A plan as a circuit.

use std::collections::BTreeSet;
use std::mem::take;
use std::sync::Arc;

use datafusion::arrow::array::new_null_array;
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, NullEquality};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{
    self, Aggregate, Distinct, Expr, ExprSchemable, FetchType, Filter, Join, JoinType, Limit, LogicalPlan,
    Projection, SkipType, Sort, TableScan, TableSource, Union, Unnest, lit,
};
use recount_flow::circuit::{Circuit, Input};
use recount_flow::expr::Expr as Evaluated;
use recount_flow::operator;
use recount_flow::operators::{self, Call, Function, JoinKind, On};

use super::expr::Evaluate;
use super::refusal::{instead, no_order, of_node, refused};
use crate::error::QueryError;

mod first;
mod functions;

use first::first_rows;
use functions::{call, order_of, windowed};

/// A relation that a circuit reads.
#[derive(Clone)]
pub(crate) struct Scanned {
    /// The plan's name for it.
    pub(crate) name: String,
    pub(crate) table: Arc<dyn TableSource>,
    /// Its columns by their places; `None` = all.
    pub(crate) columns: Option<Vec<usize>>,
}

/// A query as a circuit.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) circuit: Circuit,
    /// What each source is, by its number.
    pub(crate) sources: Vec<Scanned>,
    /// The columns of the result.
    pub(crate) schema: SchemaRef,
}

/// What is known of tables.
pub(crate) trait Tables {
    /// Whether no row of a table goes again.
    fn only_comes(&self, table: &Arc<dyn TableSource>) -> bool;

    /// Whether two tables have the same rows, and the same columns at the same places.
    fn is_same(&self, one: &Arc<dyn TableSource>, other: &Arc<dyn TableSource>) -> bool {
        Arc::ptr_eq(one, other)
    }
}

/// Makes a circuit of a plan that was rewritten. What it has twice is done once: a table that is read in several places is one source, with the
/// columns of all of them; an operator that does what another one does, with the same inputs, is that one.
pub(crate) fn lower(plan: &LogicalPlan, state: &SessionState, tables: &dyn Tables) -> Result<Lowered> {
    let mut lowering = Lowering {
        state,
        tables,
        circuit: Circuit::new(),
        added: Vec::new(),
        sources: Vec::new(),
        exprs: Vec::new(),
        used: Vec::new(),
        first: Vec::new(),
    };
    lowering.find_sources(plan)?;
    let result = lowering.plan(plan)?;
    if result != Input::Operator(lowering.added.len().wrapping_sub(1)) {
        lowering.circuit.add(Box::new(operators::Union), vec![result]);
    }
    let Lowering { circuit, sources, .. } = lowering;
    Ok(Lowered { circuit, sources, schema: plan.schema().inner().clone() })
}

impl std::fmt::Debug for Scanned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scanned")
            .field("name", &self.name)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

struct Lowering<'a> {
    state: &'a SessionState,
    tables: &'a dyn Tables,
    circuit: Circuit,
    /// The operators so far.
    added: Vec<Added>,
    sources: Vec<Scanned>,
    /// The expressions so far, whose columns are named by their places, over columns of these types.
    exprs: Vec<(Expr, Vec<DataType>, Arc<dyn Evaluated>)>,
    /// Those of the operator that is added next, by their numbers.
    used: Vec<usize>,
    /// Windows of which only so many rows of each partition are wanted.
    first: Vec<(*const logical_expr::Window, u64)>,
}

/// An operator that was added.
struct Added {
    /// What it does, its expressions, and its inputs.
    is: (String, Vec<usize>, Vec<Input>),
    /// Whether rows of its result only come.
    only_comes: bool,
}

impl Lowering<'_> {
    /// Finds the tables, and which of their columns are read anywhere.
    fn find_sources(&mut self, plan: &LogicalPlan) -> Result<()> {
        plan.apply(|node| {
            if let LogicalPlan::TableScan(TableScan { table_name, source, projection, .. }) = node {
                match self.source(source).map(|number| &mut self.sources[number].columns) {
                    Some(columns) => {
                        let both = columns.take().zip(projection.clone());
                        *columns = both.map(|(one, other)| {
                            one.into_iter().chain(other).collect::<BTreeSet<_>>().into_iter().collect()
                        });
                    }
                    None => {
                        let (name, table) = (table_name.table().to_owned(), source.clone());
                        self.sources.push(Scanned { name, table, columns: projection.clone() });
                    }
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map(drop)
    }

    /// The number of a table.
    fn source(&self, table: &Arc<dyn TableSource>) -> Option<usize> {
        self.sources.iter().position(|known| self.tables.is_same(&known.table, table))
    }

    fn plan(&mut self, plan: &LogicalPlan) -> Result<Input> {
        let before = self.added.len();
        let made = self.operators(plan)?;
        if self.added.len() > before && !matches!(plan, LogicalPlan::SubqueryAlias(_) | LogicalPlan::Sort(_))
        {
            self.circuit.label(written(&plan.display().to_string()));
        }
        Ok(made)
    }

    fn operators(&mut self, plan: &LogicalPlan) -> Result<Input> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input),
            LogicalPlan::Projection(Projection { expr, input, .. }) => {
                let from = self.plan(input)?;
                self.project(expr, input.schema(), from)
            }
            LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                self.first.extend(first_rows(predicate, input));
                let from = self.plan(input)?;
                let condition = self.evaluated(predicate, input.schema())?;
                Ok(self.add(operators::Filter::new(condition), vec![from]))
            }
            LogicalPlan::Union(Union { inputs, .. }) => {
                let inputs = inputs.iter().map(|input| self.plan(input)).collect::<Result<_>>()?;
                Ok(self.add(operators::Union, inputs))
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let from = self.plan(input)?;
                let distinct = operators::Distinct::new(types(input.schema()));
                Ok(self.add(distinct.map_err(|data_type| no_order(&data_type))?, vec![from]))
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::EmptyRelation(empty) => {
                let rows = usize::from(empty.produce_one_row);
                let types = types(&empty.schema);
                let columns = types.iter().map(|data_type| new_null_array(data_type, rows)).collect();
                Ok(self.add(operators::Constant::new(columns, rows), vec![]))
            }
            LogicalPlan::Values(values) => {
                let nothing = DFSchema::empty();
                let column = |at: usize| {
                    let wanted = values.schema.field(at).data_type();
                    let one = |row: &Vec<Expr>| {
                        let value = row[at].clone().cast_to(wanted, &nothing)?;
                        let value = Evaluate::new(&value, &nothing, self.state)?.evaluate(&[], 1);
                        value.map_err(|why| QueryError::Invalid(why).into())
                    };
                    let parts = values.values.iter().map(one).collect::<Result<Vec<_>>>()?;
                    Ok(concat(&parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>())?)
                };
                let columns = (0..values.schema.fields().len()).map(column).collect::<Result<Vec<_>>>()?;
                Ok(self.add(operators::Constant::new(columns, values.values.len()), vec![]))
            }
            // Rows of a view have no order.
            LogicalPlan::Sort(Sort { input, fetch: None, .. }) => self.plan(input),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            other => Err(of_node(other)),
        }
    }

    fn add(&mut self, operator: impl operator::Operator + 'static, inputs: Vec<Input>) -> Input {
        let is = (format!("{operator:?}"), take(&mut self.used), inputs);
        // What long constants are is not told in full.
        let known = self.added.iter().position(|added| added.is == is);
        if let Some(number) = known.filter(|_| !is.2.is_empty()) {
            return Input::Operator(number);
        }
        let inputs = is.2.clone();
        let only_comes = operator.is_monotone() && inputs.iter().all(|input| self.only_comes(*input));
        self.added.push(Added { is, only_comes });
        self.circuit.add(Box::new(operator), inputs)
    }

    /// Whether no row goes again that an operator reads there.
    fn only_comes(&self, input: Input) -> bool {
        match input {
            Input::Source(number) => self.tables.only_comes(&self.sources[number].table),
            Input::Operator(number) => self.added[number].only_comes,
        }
    }

    /// An expression, for the operator that is added next.
    fn evaluated(&mut self, expr: &Expr, input: &DFSchema) -> Result<Arc<dyn Evaluated>> {
        let by_place = |expr: Expr| match &expr {
            Expr::Column(column) => {
                let place = input.index_of_column(column)?;
                Ok(Transformed::yes(Expr::Column(Column::new_unqualified(place.to_string()))))
            }
            _ => Ok(Transformed::no(expr)),
        };
        let (is, types) = (expr.clone().unalias().transform(by_place)?.data, types(input));
        let known = self.exprs.iter().position(|(known, of, _)| *known == is && *of == types);
        let number = match known {
            Some(number) => number,
            None => {
                self.exprs.push((is, types, Arc::new(Evaluate::new(expr, input, self.state)?)));
                self.exprs.len() - 1
            }
        };
        self.used.push(number);
        Ok(self.exprs[number].2.clone())
    }

    fn project<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        input: &DFSchema,
        from: Input,
    ) -> Result<Input> {
        let columns = exprs.into_iter().map(|expr| self.evaluated(expr, input));
        let project = operators::Project::new(columns.collect::<Result<_>>()?);
        Ok(self.add(project, vec![from]))
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Input> {
        let number = self.source(&scan.source);
        let number = number.ok_or_else(|| refused(&format!("{} in such a place", scan.table_name)))?;
        let Scanned { columns, table, .. } = &self.sources[number];
        let schema = table.schema();
        let every: Vec<usize> = (0..schema.fields().len()).collect();
        let (all, wanted) = (columns.as_ref().unwrap_or(&every), scan.projection.as_ref().unwrap_or(&every));
        if all == wanted {
            return Ok(Input::Source(number));
        }
        // Others read other columns of it.
        let names = wanted.iter().map(|&place| schema.field(place).name());
        let wanted: Vec<Expr> =
            names.map(|name| Expr::Column(Column::new_unqualified(name.clone()))).collect();
        let given = DFSchema::try_from(schema.project(all)?)?;
        self.project(&wanted, &given, Input::Source(number))
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Input> {
        let Aggregate { input, group_expr, aggr_expr, .. } = aggregate;
        if group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_))) {
            return Err(instead(
                "GROUPING SETS, ROLLUP and CUBE",
                "write a SELECT for each set, with UNION ALL between them",
            ));
        }
        // The columns to group by, each once, then what functions are of.
        let mut columns: Vec<Expr> = Vec::new();
        for expr in group_expr {
            if !columns.contains(expr) {
                columns.push(expr.clone());
            }
        }
        let width = columns.len();
        let mut place = |expr: &Expr| {
            columns.push(expr.clone());
            columns.len() - 1
        };
        let mut calls = Vec::new();
        for (number, expr) in aggr_expr.iter().enumerate() {
            let result = aggregate.schema.field(width + number).data_type().clone();
            calls.push(call(expr, result, &mut place)?);
        }
        let from = self.plan(input)?;
        let only_comes = self.only_comes(from);
        calls.iter_mut().for_each(|call| call.only_comes = only_comes);
        let types = columns.iter().map(|expr| expr.get_type(input.schema())).collect::<Result<_>>()?;
        let from = self.project(&columns, input.schema(), from)?;
        let operator = operators::Aggregate::new(types, width, calls);
        Ok(self.add(operator.map_err(|data_type| no_order(&data_type))?, vec![from]))
    }

    fn join(&mut self, join: &Join) -> Result<Input> {
        let Join { left, right, on, filter, join_type, null_equality, null_aware, .. } = join;
        let (kind, turned) = match join_type {
            JoinType::Inner => (JoinKind::Inner, false),
            JoinType::Left => (JoinKind::Left, false),
            JoinType::Right => (JoinKind::Right, false),
            JoinType::Full => (JoinKind::Full, false),
            JoinType::LeftSemi => (JoinKind::Semi, false),
            JoinType::LeftAnti => (JoinKind::Anti, false),
            JoinType::RightSemi => (JoinKind::Semi, true),
            JoinType::RightAnti => (JoinKind::Anti, true),
            JoinType::LeftMark => return self.mark(join),
            JoinType::RightMark => return Err(instead("such a subquery", "write a join")),
        };
        let (left, right) = if turned { (right, left) } else { (left, right) };
        let pairs: Vec<(Expr, Expr)> =
            on.iter().cloned().map(|(a, b)| if turned { (b, a) } else { (a, b) }).collect();
        let (keys, other_keys): (Vec<Expr>, Vec<Expr>) = pairs.into_iter().unzip();
        let mut from = self.plan(left)?;
        let other = self.plan(right)?;
        if *null_aware {
            let ([key], [other_key]) = (keys.as_slice(), other_keys.as_slice()) else {
                return Err(instead("NOT IN of several columns", "write NOT EXISTS"));
            };
            from = self.not_in((key, left.schema(), from), (other_key, right.schema(), other))?;
        }
        let (left_input, left_keys) = self.keyed(&keys, left.schema(), from)?;
        let (right_input, right_keys) = self.keyed(&other_keys, right.schema(), other)?;
        let (left_schema, right_schema) = (
            with_keys(left.schema(), &keys, "_keys")?,
            with_keys(right.schema(), &other_keys, "_other_keys")?,
        );
        let both = left_schema.join(&right_schema)?;
        let condition = filter.as_ref().map(|filter| self.evaluated(filter, &both)).transpose()?;
        let nulls_are_equal = *null_equality == NullEquality::NullEqualsNull;
        let on = On { keys: [left_keys, right_keys], nulls_are_equal, condition };
        let operator = operators::Join::new(kind, on, [types(&left_schema), types(&right_schema)]);
        let operator = operator.map_err(|data_type| no_order(&data_type))?;
        let operator =
            operator.with_only_coming([left_input, right_input].map(|input| self.only_comes(input)));
        let joined = self.add(operator, vec![left_input, right_input]);
        // Without the columns that were only keys.
        let (result, given) = match kind {
            JoinKind::Semi | JoinKind::Anti => (columns_of(left.schema()), left_schema),
            _ => ([columns_of(left.schema()), columns_of(right.schema())].concat(), both),
        };
        if given.fields().len() == result.len() { Ok(joined) } else { self.project(&result, &given, joined) }
    }

    /// The rows of the left of which it can be that they are not among those of the right: all if there are none there; else, if no key
    /// there is null, those whose key is not.
    fn not_in(
        &mut self,
        (key, schema, from): (&Expr, &DFSchema, Input),
        (other_key, other_schema, other): (&Expr, &DFSchema, Input),
    ) -> Result<Input> {
        let columns = [lit(true), other_key.clone().is_null()];
        let columns = self.project(&columns, other_schema, other)?;
        let call = |argument| Call {
            function: Function::BoolOr,
            argument: Some(argument),
            filter: None,
            distinct: false,
            order: Vec::new(),
            result: DataType::Boolean,
            only_comes: false,
        };
        let types_of_both = vec![DataType::Boolean, DataType::Boolean];
        let summary = operators::Aggregate::new(types_of_both.clone(), 0, vec![call(0), call(1)]);
        let summary = self.add(summary.map_err(|data_type| no_order(&data_type))?, vec![columns]);
        let on = On { keys: [vec![], vec![]], nulls_are_equal: false, condition: None };
        let beside = operators::Join::new(JoinKind::Inner, on, [types(schema), types_of_both]);
        let beside = self.add(beside.map_err(|data_type| no_order(&data_type))?, vec![from, summary]);
        let flag = |name: &str| (Some("_not_in".into()), Arc::new(Field::new(name, DataType::Boolean, true)));
        let fields = schema.iter().map(|(qualifier, field)| (qualifier.cloned(), field.clone()));
        let fields = fields.chain([flag("some"), flag("nulls")]).collect();
        let wide = DFSchema::new_with_metadata(fields, Default::default())?;
        let flag = |name: &str| Expr::Column(Column::new(Some("_not_in"), name));
        let can_be = flag("some").is_null().or(key.clone().is_not_null().and(flag("nulls").is_false()));
        let condition = self.evaluated(&can_be, &wide)?;
        let filtered = self.add(operators::Filter::new(condition), vec![beside]);
        self.project(&columns_of(schema), &wide, filtered)
    }

    /// The rows of the left, each with whether it has a partner.
    fn mark(&mut self, join: &Join) -> Result<Input> {
        let mut parts = Vec::new();
        for (join_type, mark) in [(JoinType::LeftSemi, true), (JoinType::LeftAnti, false)] {
            let of = Join { join_type, schema: join.left.schema().clone(), ..join.clone() };
            let rows = self.join(&of)?;
            let mut columns = columns_of(join.left.schema());
            columns.push(lit(mark));
            parts.push(self.project(&columns, join.left.schema(), rows)?);
        }
        Ok(self.add(operators::Union, parts))
    }

    fn limit(&mut self, limit: &Limit) -> Result<Input> {
        // Other columns of the first rows are the first rows of other columns.
        let (mut between, mut below) = (Vec::new(), limit.input.as_ref());
        let (expr, input) = loop {
            below = match below {
                LogicalPlan::Projection(projection) => {
                    between.push(projection);
                    &projection.input
                }
                LogicalPlan::SubqueryAlias(alias) => &alias.input,
                LogicalPlan::Sort(Sort { expr, input, fetch: None }) => break (expr, input),
                _ => {
                    return Err(instead(
                        "LIMIT without ORDER BY",
                        "say by ORDER BY which rows are the first",
                    ));
                }
            };
        };
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Err(instead("LIMIT of what is no number", "write a number"));
        };
        let fetch = fetch.map_or(u64::MAX, |fetch| fetch as u64);
        let schema = input.schema();
        let from = self.plan(input)?;
        let only_comes = self.only_comes(from);
        let sorted: Vec<Expr> = expr.iter().map(|sort| sort.expr.clone()).collect();
        let (from, places) = self.keyed(&sorted, schema, from)?;
        let given = with_keys(schema, &sorted, "_keys")?;
        let order = places.into_iter().zip(expr).map(|(place, sort)| (place, order_of(sort))).collect();
        let top = operators::Top::new(types(&given), order, skip as u64, fetch, only_comes);
        let top = self.add(top.map_err(|data_type| no_order(&data_type))?, vec![from]);
        let result = columns_of(schema);
        let has_keys = given.fields().len() > result.len();
        let mut given = if has_keys { self.project(&result, &given, top)? } else { top };
        for projection in between.into_iter().rev() {
            given = self.project(&projection.expr, projection.input.schema(), given)?;
        }
        Ok(given)
    }

    fn window(&mut self, window: &logical_expr::Window) -> Result<Input> {
        let schema = window.input.schema();
        let from = self.plan(&window.input)?;
        let mut columns = columns_of(schema);
        let own = columns.len();
        let mut place = |expr: &Expr| match column_of(expr, schema) {
            Some(column) => column,
            None => {
                columns.push(expr.clone());
                columns.len() - 1
            }
        };
        let mut first: Option<(&Vec<Expr>, &Vec<logical_expr::SortExpr>)> = None;
        let mut functions = Vec::new();
        for (number, expr) in window.window_expr.iter().enumerate() {
            let result = window.schema.field(own + number).data_type().clone();
            let expr = if let Expr::Alias(alias) = expr { &alias.expr } else { expr };
            let Expr::WindowFunction(function) = expr else { return Err(refused(&format!("{expr} OVER"))) };
            let params = &function.params;
            let same = *first.get_or_insert((&params.partition_by, &params.order_by));
            if same != (&params.partition_by, &params.order_by) {
                return Err(refused("such a combination of OVER"));
            }
            functions.push(windowed(function, result, schema, &mut place)?);
        }
        let (partition, order) = first.ok_or_else(|| refused("OVER without a function"))?;
        let partition = partition.iter().map(&mut place).collect();
        let order = order.iter().map(|sort| (place(&sort.expr), order_of(sort))).collect();
        let results: Vec<DataType> = functions.iter().map(|function| function.result.clone()).collect();
        let types = columns.iter().map(|expr| expr.get_type(schema)).collect::<Result<Vec<_>>>()?;
        let from = if columns.len() == own { from } else { self.project(&columns, schema, from)? };
        let operator = operators::Window::new(types.clone(), partition, order, functions);
        let mut operator = operator.map_err(|data_type| no_order(&data_type))?;
        if let Some((_, first)) = self.first.iter().find(|(of, _)| std::ptr::eq(*of, window)) {
            operator = operator.with_first(*first, self.only_comes(from));
        }
        let given = self.add(operator, vec![from]);
        if columns.len() == own {
            return Ok(given);
        }
        let fields = types.iter().chain(&results).enumerate();
        let fields =
            fields.map(|(number, data_type)| Field::new(number.to_string(), data_type.clone(), true));
        let all = DFSchema::try_from(Schema::new(fields.collect::<Vec<_>>()))?;
        let kept = (0..own).chain(columns.len()..columns.len() + results.len());
        let kept: Vec<Expr> = kept.map(|at| Expr::Column(Column::from(all.qualified_field(at)))).collect();
        self.project(&kept, &all, given)
    }

    fn unnest(&mut self, unnest: &Unnest) -> Result<Input> {
        let Unnest { input, list_type_columns, struct_type_columns, schema, options, .. } = unnest;
        let is_plain = struct_type_columns.is_empty()
            && !options.preserve_nulls()
            && list_type_columns.iter().all(|(_, list)| list.depth == 1)
            && schema.fields().len() == input.schema().fields().len();
        if !is_plain {
            return Err(refused("unnest of what is no list of values"));
        }
        let from = self.plan(input)?;
        let lists = list_type_columns.iter().map(|(column, _)| *column).collect();
        Ok(self.add(operators::Unnest::new(lists), vec![from]))
    }

    /// An input with its keys as columns behind the others; and where the keys are.
    fn keyed(&mut self, keys: &[Expr], schema: &DFSchema, from: Input) -> Result<(Input, Vec<usize>)> {
        let computed = keys.iter().filter(|key| column_of(key, schema).is_none());
        let mut columns = columns_of(schema);
        let own = columns.len();
        columns.extend(computed.cloned());
        let mut next = own;
        let places = keys.iter().map(|key| {
            column_of(key, schema).unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        });
        let places = places.collect();
        let input = if columns.len() == own { from } else { self.project(&columns, schema, from)? };
        Ok((input, places))
    }
}

/// The schema of an input with its computed keys behind its columns. The sides of a join give them different qualifiers.
fn with_keys(schema: &DFSchema, keys: &[Expr], qualifier: &'static str) -> Result<DFSchema> {
    let mut fields: Vec<_> =
        schema.iter().map(|(qualifier, field)| (qualifier.cloned(), field.clone())).collect();
    for key in keys.iter().filter(|key| column_of(key, schema).is_none()) {
        let (_, field) = key.to_field(schema)?;
        let name = format!("_key_{}", fields.len());
        fields.push((Some(qualifier.into()), Arc::new(field.as_ref().clone().with_name(name))));
    }
    DFSchema::new_with_metadata(fields, Default::default())
}

/// The number of the column that a key is.
fn column_of(key: &Expr, schema: &DFSchema) -> Option<usize> {
    match key {
        Expr::Column(column) => schema.maybe_index_of_column(column),
        _ => None,
    }
}

fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

fn types(schema: &DFSchema) -> Vec<DataType> {
    schema.fields().iter().map(|field| field.data_type().clone()).collect()
}

/// What a plan says of a node, with the names that the query has: those of relations are numbered there.
fn written(node: &str) -> String {
    let (_, said) = node.split_once(": ").unwrap_or(("", ""));
    let mut parts = said.split(" @");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        text.push_str(if rest.len() < part.len() { "" } else { " @" });
        text.push_str(rest);
    }
    text.replace('"', "")
}
