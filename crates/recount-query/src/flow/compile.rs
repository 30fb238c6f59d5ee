//! The query of a view as a circuit.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Dependency;
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use recount_flow::layout::RowLayout;
use recount_store::DdlError;
use recount_store::ddl::CreateView;
use recount_views::bind::RowColumn;
use recount_views::view::{self, Compiled, Compiler, EntityColumns, Ground};

use super::changes::TopicChanges;
use super::definition::{As, define};
use super::entity::EntityChanges;
use super::lower::{Lowered, Scanned, Tables, lower};
use super::rewrite::rewrite;
use crate::answer::Notices;
use crate::arrays;
use crate::dependencies;
use crate::entities::described;
use crate::error::QueryError;
use crate::moment::Moment;
use crate::plan;
use crate::relation::Kind;
use crate::relations::Periods;
use crate::scan::{Source, SourceTable};
use crate::settings::Stopped;

/// Memory for what is computed when a query is planned, bytes.
const PLANNING_BYTES: usize = 64 << 20;

/// Plans the queries of views.
#[derive(Debug, Default)]
pub struct QueryCompiler {
    /// Made when the first query is planned.
    session: OnceLock<SessionState>,
}

impl QueryCompiler {
    fn session(&self) -> Result<&SessionState, QueryError> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        let made = plan::session(PLANNING_BYTES);
        let made = made.map_err(|error| QueryError::from_datafusion(error, PLANNING_BYTES))?;
        Ok(self.session.get_or_init(|| made))
    }

    fn compiled(&self, ground: &Ground, view: &CreateView, declared: bool) -> Result<Compiled, QueryError> {
        let session = self.session()?;
        let Ground { store, catalogue, .. } = ground;
        let (moment, notices) = (Moment::at(store.head()), Notices::default());
        let nested = RefCell::default();
        let entities = |name: &str, version: Option<u32>| {
            let found = ground.entity(name, version)?;
            Ok(found.map(|EntityColumns { version, columns, key_width }| {
                described(version, &columns, key_width, Periods::default())
            }))
        };
        let of = As {
            catalogue,
            entities: &entities,
            moment: &moment,
            stopped: Stopped::Fail,
            notices: &notices,
            depth: 0,
            nested: &nested,
        };
        let definition = define(session, store, view, declared, &of)?;
        let failed = |error| QueryError::from_datafusion(error, PLANNING_BYTES);
        let rewritten = rewrite(definition.plan, session).map_err(failed)?;
        let Lowered { circuit, sources, schema } = lower(&rewritten, session, &Read).map_err(failed)?;
        let fields = schema.fields();
        let column = |field: &datafusion::arrow::datatypes::FieldRef| {
            let column_type = arrays::nearest(field)?;
            Some(RowColumn { name: field.name().clone(), column_type, nullable: field.is_nullable() })
        };
        let columns = fields.iter().map(column).collect::<Option<Vec<_>>>();
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        let layout = RowLayout::new(&types, &key(rewritten).map_err(failed)?);
        let (Some(columns), Ok(layout)) = (columns, layout) else {
            return Err(QueryError::Invalid(
                "the columns of the view have types that are not kept".to_owned(),
            ));
        };
        let changes = sources.into_iter().map(|Scanned { name, table, columns }| {
            let provider = source_as_provider(&table).map_err(failed)?;
            let Some(SourceTable(source)) = provider.downcast_ref::<SourceTable>() else {
                return Err(QueryError::Invalid(format!(
                    "a view reads topics, entities and views, and {name} is none"
                )));
            };
            let changes: Box<dyn view::Source> = match &source.relation.kind {
                Kind::Topic { .. } => Box::new(TopicChanges::new(source.clone(), columns)?),
                Kind::Kept { .. } => Box::new(EntityChanges::new(ground, &source.relation, columns)?),
            };
            Ok(changes)
        });
        let sources = changes.collect::<Result<Vec<_>, QueryError>>()?;
        let (reads, entities, views) = (definition.reads, definition.entities, definition.views);
        Ok(Compiled { circuit, sources, columns, layout, reads, entities, views })
    }
}

/// The columns of a result that tell its rows apart, as far as the plan shows it: what it is grouped by.
fn key(plan: LogicalPlan) -> Result<Vec<usize>, DataFusionError> {
    let plan = dependencies::derived(plan)?;
    let width = plan.schema().fields().len();
    let known = plan.schema().functional_dependencies().iter();
    let tells_apart = known.filter(|known| {
        known.mode == Dependency::Single && (0..width).all(|column| known.target_indices.contains(&column))
    });
    Ok(tells_apart.map(|known| known.source_indices.clone()).min_by_key(Vec::len).unwrap_or_default())
}

/// What views read.
pub(super) struct Read;

impl Tables for Read {
    /// Events are for ever, rows of entities are not.
    fn only_comes(&self, table: &Arc<dyn TableSource>) -> bool {
        with_source(table, |source| matches!(source.relation.kind, Kind::Topic { .. })).unwrap_or(false)
    }

    /// A topic that is named twice is read once.
    fn is_same(&self, one: &Arc<dyn TableSource>, other: &Arc<dyn TableSource>) -> bool {
        let topic = |source: &Source| match &source.relation.kind {
            Kind::Topic { topic, shown, .. } => {
                Some((topic.id, *shown, source.moment.clone(), source.relation.schema.clone()))
            }
            Kind::Kept { .. } => None,
        };
        let topic = |table| with_source(table, topic).flatten();
        Arc::ptr_eq(one, other) || topic(one).is_some_and(|one| Some(one) == topic(other))
    }
}

/// Something of the relation that a table is.
fn with_source<T>(table: &Arc<dyn TableSource>, of: impl FnOnce(&Source) -> T) -> Option<T> {
    let provider = source_as_provider(table).ok()?;
    provider.downcast_ref::<SourceTable>().map(|SourceTable(source)| of(source))
}

impl Compiler for QueryCompiler {
    fn compile(&self, ground: &Ground, view: &CreateView, declared: bool) -> Result<Compiled, DdlError> {
        self.compiled(ground, view, declared).map_err(|error| match error {
            QueryError::Ddl(error) => error,
            QueryError::At { .. } => DdlError::Syntax(error.to_string()),
            QueryError::NotFound(what) => DdlError::Unknown(what),
            other => DdlError::Invalid(other.to_string()),
        })
    }
}
