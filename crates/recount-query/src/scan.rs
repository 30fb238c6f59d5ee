//! The scan of a relation in DataFusion's plan.
//!
//! Planning says what is wanted: columns, keys, positions. The rows of relations that others keep are then handed to
//! their scans ([`take`]). A scan does its work on a thread that may block, at
//! most two batches ahead of whoever takes them.

use std::fmt;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column as ColumnExpr;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions, Statistics, StatisticsArgs,
};
use recount_store::schema::ColumnType;
use recount_store::time::format_rfc3339;
use recount_store::{ReadRequest, Scope, Store};
use recount_types::{Column, Event, Position};

use crate::answer::Notices;
use crate::arrays;
use crate::engine::blocking;
use crate::error::QueryError;
use crate::explain;
use crate::moment::Moment;
use crate::narrow::Narrow;
use crate::pseudo::Pseudo;
use crate::relation::{Kind, Relation};
use crate::relations::{Given, Pinned, Rows, Wanted};
use crate::settings::Stopped;
use crate::topic::{Misfit, TopicColumn, TopicScan};

/// How many batches a scan is ahead.
const BATCHES_AHEAD: usize = 2;

/// A relation at a moment.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) relation: Relation,
    pub(crate) moment: Moment,
    pub(crate) store: Store,
    pub(crate) notices: Notices,
    pub(crate) stopped: Stopped,
    /// What becomes of events that do not fit their topic.
    pub(crate) misfit: Misfit,
}

impl Source {
    /// Whether it is a topic at another moment than that of the statement.
    pub(crate) fn is_past_of_topic(&self, at: Position) -> bool {
        matches!(self.relation.kind, Kind::Topic { .. }) && self.moment != Moment::at(at)
    }

    /// Why no row may have come of a topic.
    pub(crate) async fn why_empty(self: Arc<Source>) -> Result<String, QueryError> {
        let name = self.relation.name.clone();
        let first = blocking(move || self.first_event()).await??;
        Ok(match first {
            Some(event) => format!(
                "0 rows: the first event of {name} was appended at {} and happened at {}",
                format_rfc3339(event.append_time),
                format_rfc3339(event.event_time)
            ),
            None => format!("0 rows: {name} has no events"),
        })
    }

    /// Rows that others keep as arrays of some columns, and how many they are.
    fn arrays(&self, columns: &[usize], given: Given) -> Result<(usize, Vec<ArrayRef>), ArrowError> {
        match given {
            Given::Counted(count) => Ok((count, Vec::new())),
            Given::Arrays(arrays) => Ok((arrays.first().map_or(0, |array| array.len()), arrays)),
            Given::Columns(given) => {
                let count = given.first().map_or(0, |column| column.len());
                let array = |(&place, column): (&usize, Column)| {
                    let column_type = self.relation.column_type(self.relation.schema.field(place).name());
                    arrays::array(column, column_type.unwrap_or(ColumnType::Text))
                };
                Ok((count, columns.iter().zip(given).map(array).collect::<Result<_, _>>()?))
            }
        }
    }

    fn first_event(&self) -> Result<Option<Event>, QueryError> {
        let Kind::Topic { topic, .. } = &self.relation.kind else { return Ok(None) };
        let request = ReadRequest { limit: Some(1), ..ReadRequest::all(Scope::Topic(topic.name.clone())) };
        recount_env::block_on(async { Ok(self.store.read(request).await?.next().await?) })
    }
}

/// The table that a relation is to DataFusion.
#[derive(Debug)]
pub(crate) struct SourceTable(pub(crate) Arc<Source>);

#[async_trait::async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        self.0.relation.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.0.relation.schema.fields().len()).collect(),
        };
        let narrow = Narrow::new(&self.0.relation, filters);
        Ok(Arc::new(Scan::new(self.0.clone(), columns, narrow, limit)?))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// A scan.
pub(crate) struct Scan {
    pub(crate) source: Arc<Source>,
    /// Places in the relation's schema.
    pub(crate) columns: Vec<usize>,
    pub(crate) narrow: Narrow,
    pub(crate) limit: Option<usize>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    /// The rows of a relation that others keep, once it is frozen.
    rows: Mutex<Option<Box<dyn Rows>>>,
    /// How rows are come by, once it was asked.
    how: Mutex<Option<String>>,
}

impl Scan {
    /// How its rows are come by, if it was asked.
    pub(crate) fn how(&self) -> Option<String> {
        lock(&self.how).clone()
    }

    /// All of some columns; `None` = of all.
    pub(crate) fn of(source: Arc<Source>, columns: Option<Vec<usize>>) -> Result<Scan> {
        let columns = columns.unwrap_or_else(|| (0..source.relation.schema.fields().len()).collect());
        Scan::new(source, columns, Narrow::default(), None)
    }

    fn new(source: Arc<Source>, columns: Vec<usize>, narrow: Narrow, limit: Option<usize>) -> Result<Scan> {
        let schema = Arc::new(source.relation.schema.project(&columns)?);
        if let Kind::Topic { topic, .. } = &source.relation.kind
            && narrow.stream.is_none()
            && schema.column_with_name(Pseudo::Revision.name()).is_some()
        {
            return Err(QueryError::Invalid(format!(
                "_revision is known only where one stream is read: add WHERE _stream = '{}/…', or leave it out",
                topic.name
            ))
            .into());
        }
        let mut equivalences = EquivalenceProperties::new(schema.clone());
        if matches!(source.relation.kind, Kind::Topic { .. })
            && let Some((place, _)) = schema.column_with_name(Pseudo::Position.name())
        {
            let position = Arc::new(ColumnExpr::new(Pseudo::Position.name(), place));
            equivalences.add_ordering([PhysicalSortExpr::new(position, SortOptions::new(false, false))]);
        }
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let properties = Arc::new(properties);
        Ok(Scan {
            source,
            columns,
            narrow,
            limit,
            schema,
            properties,
            rows: Mutex::default(),
            how: Mutex::default(),
        })
    }

    /// Whether it looks at one key alone.
    pub(crate) fn is_of_one_key(&self) -> bool {
        match &self.source.relation.kind {
            Kind::Topic { .. } => self.narrow.stream.is_some(),
            Kind::Kept { described, .. } => self.narrow.values(&described.key).is_some(),
        }
    }

    /// What is wanted of a relation that others keep.
    fn wanted(&self) -> Option<Wanted> {
        let Kind::Kept { described, places } = &self.source.relation.kind else { return None };
        Some(Wanted {
            name: self.source.relation.name.clone(),
            version: self.source.relation.version,
            moment: self.source.moment.clone(),
            types: self.source.relation.version.is_none().then(|| {
                let columns = described.columns.iter();
                columns.map(|column| (column.name.clone(), column.column_type)).collect()
            }),
            columns: self.columns.iter().map(|&column| places[column]).collect(),
            key: self.narrow.values(&described.key),
            stopped: self.source.stopped,
        })
    }

    /// The scan of a topic.
    pub(crate) fn topic_scan(&self) -> Option<TopicScan> {
        let Kind::Topic { topic, columns, pseudo, shown } = &self.source.relation.kind else { return None };
        let wanted = self.columns.iter().map(|&place| match columns.get(place) {
            Some((name, _)) => TopicColumn::Declared(name.clone()),
            None => TopicColumn::Pseudo(pseudo[place - columns.len()]),
        });
        Some(TopicScan {
            store: self.source.store.clone(),
            topic: topic.clone(),
            shown: *shown,
            moment: self.source.moment.clone(),
            narrow: self.narrow.clone(),
            columns: wanted.collect(),
            schema: self.schema.clone(),
            limit: self.limit,
            notices: self.source.notices.clone(),
            misfit: self.source.misfit,
        })
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("relation", &self.source.relation.name).finish_non_exhaustive()
    }
}

impl DisplayAs for Scan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        explain::describe(self, f)
    }
}

impl ExecutionPlan for Scan {
    fn name(&self) -> &'static str {
        "Scan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    /// About how many rows a whole topic has, by which the smaller side of a join is known.
    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        if let Kind::Topic { topic, .. } = &self.source.relation.kind
            && self.narrow == Narrow::default()
        {
            let events = self.source.store.topic_events(topic.id).min(self.source.moment.position.0);
            statistics.num_rows = Precision::Inexact(usize::try_from(events).unwrap_or(usize::MAX));
        }
        Ok(Arc::new(statistics))
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut builder = RecordBatchReceiverStream::builder(self.schema.clone(), BATCHES_AHEAD);
        let batches = builder.tx();
        if let Some(scan) = self.topic_scan() {
            builder.spawn_blocking(move || {
                let give = |batch| batches.blocking_send(Ok(batch)).is_ok();
                scan.run(|| !batches.is_closed(), give).map_err(DataFusionError::from)
            });
            return Ok(builder.build());
        }
        let mut rows = lock(&self.rows).take().ok_or_else(|| read_again(&self.source.relation.name))?;
        let (source, columns, schema) = (self.source.clone(), self.columns.clone(), self.schema.clone());
        let mut left = self.limit.unwrap_or(usize::MAX);
        builder.spawn_blocking(move || {
            while left > 0 {
                let Some(next) = rows.next()? else {
                    source.notices.add_all(rows.notices());
                    break;
                };
                let (count, arrays) = source.arrays(&columns, next)?;
                let options = RecordBatchOptions::new().with_row_count(Some(count));
                let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?;
                left = left.saturating_sub(count);
                if batches.blocking_send(Ok(batch)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        Ok(builder.build())
    }
}

/// Gives each scan of a relation that others keep its rows. May take long.
pub(crate) fn take(plan: &Arc<dyn ExecutionPlan>, pinned: &dyn Pinned) -> Result<(), QueryError> {
    for scan in scans(plan) {
        if let Some(wanted) = scan.wanted() {
            let rows = pinned.rows(&wanted)?;
            scan.source.notices.add_all(rows.notices());
            *lock(&scan.rows) = Some(rows);
        }
    }
    Ok(())
}

/// Asks how the rows of each scan are come by, for [`Scan::how`].
pub(crate) fn ask(plan: &Arc<dyn ExecutionPlan>, pinned: &dyn Pinned) -> Result<(), QueryError> {
    for scan in scans(plan) {
        let how = match (scan.wanted(), scan.topic_scan()) {
            (Some(wanted), _) => pinned.how(&wanted)?,
            (None, Some(topic)) => topic.extent()?.to_string(),
            (None, None) => continue,
        };
        *lock(&scan.how) = Some(how);
    }
    Ok(())
}

/// All scans of a plan.
pub(crate) fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<&Scan> {
    let mut found = Vec::new();
    let mut open = vec![plan];
    while let Some(node) = open.pop() {
        found.extend(node.downcast_ref::<Scan>());
        open.extend(node.children().into_iter().rev());
    }
    found
}

/// Whether a plan reads a relation that others keep.
pub(crate) fn reads_kept(plan: &Arc<dyn ExecutionPlan>) -> bool {
    scans(plan).iter().any(|scan| matches!(scan.source.relation.kind, Kind::Kept { .. }))
}

/// The refusal of what can be read once in a statement.
pub(crate) fn read_again(name: &str) -> QueryError {
    let what = "cannot be read again and again: read it once in WITH, outside the recursive query";
    QueryError::Invalid(format!("{name} {what}"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
