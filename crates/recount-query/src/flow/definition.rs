//! The query of a view, planned over its topics as of a moment.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Cast, Expr, LogicalPlan, LogicalPlanBuilder, TableSource, Volatility};
use recount_store::ddl::{CreateView, ViewEntity, ViewRead};
use recount_store::{Catalogue, Store, ViewState};
use recount_types::TopicName;
use recount_views::view;

use crate::answer::Notices;
use crate::arrays;
use crate::depth;
use crate::error::QueryError;
use crate::format::type_name;
use crate::moment::Moment;
use crate::names::{self, Named};
use crate::plan::Planner;
use crate::relation::{Relation, in_sql};
use crate::relations::{Described, NoRelations, Periods};
use crate::scan::{Source, SourceTable};
use crate::settings::Stopped;
use crate::statement::{self, Statement};
use crate::temporal::Cut;
use crate::topic::Misfit;

/// Most views that read one another.
const DEPTH_MAX: usize = 30;

/// A view's query.
pub(crate) struct Definition {
    /// As it was written; its columns have the names and types of the view's.
    pub(crate) plan: LogicalPlan,
    /// The topics that it reads, each once.
    pub(crate) reads: Vec<ViewRead>,
    /// The entities that it reads, each version once.
    pub(crate) entities: Vec<ViewEntity>,
    /// The views that it reads, each once.
    pub(crate) views: Vec<TopicName>,
}

/// Says what a relation of some name and version is like.
type Describe<'a> = dyn Fn(&str, Option<u32>) -> Result<Option<Described>, QueryError> + 'a;

/// As of when, and where notices go.
pub(crate) struct As<'a> {
    pub(crate) catalogue: &'a Catalogue,
    /// What an entity is like, or a version of it.
    pub(crate) entities: &'a Describe<'a>,
    pub(crate) moment: &'a Moment,
    /// What to do about keys of entities that stopped.
    pub(crate) stopped: Stopped,
    pub(crate) notices: &'a Notices,
    /// How many views read this one, one through the other.
    pub(crate) depth: usize,
    /// The queries of the views that are read, each planned once.
    pub(crate) nested: &'a RefCell<BTreeMap<TopicName, LogicalPlan>>,
}

/// Plans the query of a view, with those of the views that it reads in it. One that was `declared` before knows what it read then: `*` means
/// the same columns for ever.
pub(crate) fn define(
    state: &SessionState,
    store: &Store,
    view: &CreateView,
    declared: bool,
    of: &As<'_>,
) -> Result<Definition, QueryError> {
    let (statement, cuts) = statement::parse(&view.query)?;
    let Statement::Query(mut query) = statement else {
        return Err(QueryError::Invalid("a view is made by SELECT, WITH or VALUES".to_owned()));
    };
    let is_of_time = |cut: &&Cut| !cut.clauses.are_of_now();
    if let Some(cut) = cuts.iter().find(is_of_time) {
        let what = "a view has no time of its own: leave the clause out, and ask the view itself as of when";
        return Err(QueryError::at(cut.at, what));
    }
    let (nested, views) = (of.nested, RefCell::new(BTreeSet::new()));
    let find = |name: &str, version: Option<u32>, _: Periods| {
        let parsed = TopicName::parse(name).ok();
        let Some(read) = parsed.and_then(|name| of.catalogue.view(&name)).filter(|_| version.is_none())
        else {
            return find(store, view, name, version, declared, of);
        };
        views.borrow_mut().insert(read.name.clone());
        if let Some(plan) = nested.borrow().get(&read.name) {
            return Ok(Relation::of_plan(name, plan.schema()));
        }
        let plan = nested_plan(state, store, read, of)?;
        let relation = Relation::of_plan(name, plan.schema());
        nested.borrow_mut().insert(read.name.clone(), plan);
        Ok(relation)
    };
    let named = names::resolve(&mut query, cuts, &find)?;
    let mut sources: HashMap<String, Arc<dyn TableSource>> = HashMap::new();
    let (mut reads, mut entities): (Vec<ViewRead>, Vec<ViewEntity>) = (Vec::new(), Vec::new());
    for Named { key, relation, clauses } in named {
        let Ok(name) = TopicName::parse(&relation.name) else { continue };
        if let Some(plan) = nested.borrow().get(&name).filter(|_| views.borrow().contains(&name)) {
            sources.insert(key, provider_as_source(Arc::new(ViewTable::new(plan.clone(), None))));
            continue;
        }
        let columns = relation.visible_columns();
        if relation.is_kept() {
            let version = clauses.version;
            if !entities.iter().any(|read| read.entity == name && read.version == version) {
                entities.push(ViewEntity { entity: name, version, columns });
            }
        } else if !reads.iter().any(|read| read.topic == name) {
            reads.push(ViewRead { topic: name, columns });
        }
        let (store, notices) = (store.clone(), of.notices.clone());
        let (moment, stopped) = (of.moment.clone(), of.stopped);
        let source = Arc::new(Source { relation, moment, store, notices, stopped, misfit: Misfit::LeaveOut });
        sources.insert(key, provider_as_source(Arc::new(SourceTable(source))));
    }
    let planner = Planner::new(state, sources);
    let failed = |error: DataFusionError| QueryError::from_datafusion(error, 0);
    let plan = planner.query(*query).map_err(failed)?;
    drop(planner);
    always_the_same(&plan).map_err(failed)?;
    let plan = shaped(plan, view)?;
    depth::check(&plan).map_err(failed)?;
    let views = views.into_inner().into_iter().collect();
    Ok(Definition { plan, reads, entities, views })
}

/// The plan of a view that another one reads.
fn nested_plan(
    state: &SessionState,
    store: &Store,
    read: &ViewState,
    of: &As<'_>,
) -> Result<LogicalPlan, QueryError> {
    if of.depth == DEPTH_MAX {
        let what = format!("more than {DEPTH_MAX} views read one another: let them read topics");
        return Err(QueryError::Invalid(what));
    }
    let statement = view::definition(of.catalogue, read).map_err(QueryError::Invalid)?;
    let deeper = As { depth: of.depth + 1, ..*of };
    Ok(define(state, store, &statement, true, &deeper)?.plan)
}

/// The topic or entity of a name.
fn find(
    store: &Store,
    view: &CreateView,
    name: &str,
    version: Option<u32>,
    declared: bool,
    of: &As<'_>,
) -> Result<Relation, QueryError> {
    let parsed = TopicName::parse(name).ok();
    let topic =
        parsed.as_ref().and_then(|name| of.catalogue.by_name(name)).filter(|topic| !topic.name.is_system());
    if let Some(topic) = topic.filter(|_| version.is_none()) {
        let read = view.reads.iter().find(|read| declared && read.topic == topic.name);
        return Ok(Relation::of_topic_with(topic.info(), read.map(|read| read.columns.as_slice())));
    }
    if let Some(entity) = parsed.as_ref().filter(|name| of.catalogue.entity(name).is_some())
        && let Some(described) = (of.entities)(name, version)?
    {
        let is_it = |read: &&ViewEntity| declared && read.entity == *entity && read.version == version;
        let read = view.entities.iter().find(is_it);
        return Ok(Relation::kept_with(name, described, read.map(|read| read.columns.as_slice())));
    }
    match Relation::find(store, &NoRelations, name, version, Periods::default()) {
        Ok(_) => Err(QueryError::Invalid(format!(
            "{} is what does not fit a topic, and a view reads topics, entities and views",
            in_sql(name)
        ))),
        Err(error) => Err(error),
    }
}

/// Refuses functions that give another value each time.
fn always_the_same(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| match expr {
                Expr::ScalarFunction(function)
                    if function.func.signature().volatility != Volatility::Immutable =>
                {
                    let what = format!(
                        "{}() has another value each time, and the rows of a view depend on events alone: take a time of the events, such as _append_time",
                        function.func.name()
                    );
                    Err(QueryError::Invalid(what).into())
                }
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    })?;
    Ok(())
}

/// A plan whose columns have the view's names, and types that columns have.
fn shaped(plan: LogicalPlan, view: &CreateView) -> Result<LogicalPlan, QueryError> {
    let schema: &DFSchema = plan.schema();
    let count = schema.fields().len();
    if count == 0 {
        return Err(QueryError::Invalid("a view has columns: write what is selected".to_owned()));
    }
    if !view.columns.is_empty() && view.columns.len() != count {
        let given = view.columns.len();
        return Err(QueryError::Invalid(format!(
            "the query has {count} columns, and the view names {given}: name each of them, or none"
        )));
    }
    let mut names: Vec<String> = Vec::with_capacity(count);
    let mut exprs = Vec::with_capacity(count);
    for (at, field) in schema.fields().iter().enumerate() {
        let name = match view.columns.get(at) {
            Some(named) => named.folded.clone(),
            None => field.name().clone(),
        };
        if names.contains(&name) {
            return Err(QueryError::Invalid(format!(
                "column {name} is there twice: name one of them with AS"
            )));
        }
        if name.starts_with('_') {
            let what = "names that begin with an underscore are the system's: name the column with AS";
            return Err(QueryError::Invalid(format!("column {name}: {what}")));
        }
        let Some(column_type) = arrays::nearest(field) else {
            let what = format!("column {name} is {}, which no view keeps: cast it", type_name(field));
            return Err(QueryError::Invalid(what));
        };
        let wanted = arrays::field(&name, column_type, field.is_nullable());
        let mut expr = Expr::Column(Column::from(schema.qualified_field(at)));
        if field.data_type() != wanted.data_type() {
            expr = Expr::Cast(Cast::new(Box::new(expr), wanted.data_type().clone()));
        }
        exprs.push(expr.alias_with_metadata(&name, Some(wanted.metadata().clone().into())));
        names.push(name);
    }
    let project = |plan| LogicalPlanBuilder::from(plan).project(exprs)?.build();
    project(plan).map_err(|error| QueryError::from_datafusion(error, 0))
}
