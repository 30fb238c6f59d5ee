//! A view at another moment than now, or over a stretch of time, by its circuit.
//!
//! The circuit reads what had been recorded, or had happened, by then. So what cannot be computed is left out as it is of the view of now; and
//! as a circuit tells with what each change came, the versions of rows are known too, and the rows at each of many times.
//!
//! ```text
//!  scan of a topic, in the order of time ─┐
//!  versions of an entity ─────────────────┴─► feed.rs ─► circuit ─► versions.rs ─► rows
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use recount_flow::circuit::Circuit;
use recount_store::Store;
use recount_types::Time;

use super::compile::Read;
use super::lower::{Lowered, Scanned, lower};
use crate::answer::Notices;
use crate::arrays;
use crate::error::QueryError;
use crate::moment::{Moment, Span};
use crate::pseudo::Pseudo;
use crate::relation::{Kind, in_sql};
use crate::relations::{DescribedColumn, OfView, Periods};
use crate::scan::{Scan, SourceTable, read_again};

mod feed;
mod run;
mod versions;

use feed::Stamped;
use run::Run;

/// Batches that are made ahead.
const BATCHES_AHEAD: usize = 2;

/// What is asked of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Its rows at a moment.
    Rows,
    /// What could not be computed at a moment.
    Errors,
    /// The versions of its rows over a stretch of time.
    Versions(Axis, Span),
    /// Its rows at each of these times of happening, which rise.
    Each(Vec<Time>),
}

/// Which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Of recording.
    System,
    /// Of happening.
    Valid,
}

impl Asked {
    /// What is asked of a view at a moment, and the moment at which what it reads is read for it.
    pub(crate) fn of(name: &str, of: OfView, moment: &Moment) -> Result<(Asked, Moment), QueryError> {
        let refused = |what: &str| Err(QueryError::Invalid(format!("{}: {what}", in_sql(name))));
        let mut read = Moment { valid_each: None, system_span: None, valid_span: None, ..moment.clone() };
        let asked = match (moment.system_span, moment.valid_span, &moment.valid_each) {
            (None, None, None) if of == OfView::Errors => Asked::Errors,
            (None, None, None) => Asked::Rows,
            _ if of == OfView::Errors => {
                return refused("what a view could not compute is known of one moment: ask with AS OF");
            }
            (Some(span), None, None) => {
                // When a version ended may be behind the stretch.
                read.system_span = Some(Span::default());
                Asked::Versions(Axis::System, span)
            }
            (None, Some(span), None) => Asked::Versions(Axis::Valid, span),
            (None, None, Some(times)) => {
                let mut times = times.clone();
                times.sort_unstable();
                times.dedup();
                read.valid_time = times.last().copied();
                Asked::Each(times)
            }
            _ => return refused("versions are over one axis: write AS OF for the other"),
        };
        Ok((asked, read))
    }

    /// The axis whose moments come one after the other.
    fn axis(&self) -> Option<Axis> {
        match self {
            Asked::Rows | Asked::Errors => None,
            Asked::Versions(axis, _) => Some(*axis),
            Asked::Each(_) => Some(Axis::Valid),
        }
    }

    /// For which periods the entities are read that a view reads.
    pub(crate) fn periods(&self) -> Periods {
        Periods { system: self.axis() == Some(Axis::System), ..Periods::default() }
    }
}

/// The columns that rows of a view have over periods, not part of `*`: names, types.
pub(crate) fn hidden(periods: Periods) -> Vec<DescribedColumn> {
    use recount_store::schema::ColumnType::{BigInt, TimestampTz};
    let mut columns = Vec::new();
    if periods.system {
        columns.extend([("_position", BigInt), ("_system_from", TimestampTz), ("_system_to", TimestampTz)]);
    }
    if periods.valid {
        columns.extend([("_valid_from", TimestampTz), ("_valid_to", TimestampTz)]);
    }
    if periods.each {
        columns.push(("_valid_at", TimestampTz));
    }
    let column = |(name, column_type): (&str, _)| DescribedColumn {
        name: name.to_owned(),
        column_type,
        nullable: true,
        hidden: true,
    };
    columns.into_iter().map(column).collect()
}

/// The table that a view is then.
#[derive(Debug)]
pub(crate) struct PastView {
    pub(crate) name: String,
    /// Its query, rewritten, over what it reads.
    pub(crate) plan: LogicalPlan,
    pub(crate) asked: Asked,
    pub(crate) moment: Moment,
    pub(crate) state: SessionState,
    pub(crate) store: Store,
    pub(crate) notices: Notices,
}

impl PastView {
    /// The columns of all rows.
    fn columns(&self) -> Vec<FieldRef> {
        let field = |column: DescribedColumn| -> FieldRef {
            Arc::new(arrays::field(&column.name, column.column_type, column.nullable))
        };
        match &self.asked {
            Asked::Errors => OfView::error_columns().into_iter().map(field).collect(),
            asked => {
                let periods = Periods {
                    system: matches!(asked, Asked::Versions(Axis::System, _)),
                    valid: matches!(asked, Asked::Versions(Axis::Valid, _)),
                    each: matches!(asked, Asked::Each(_)),
                };
                let own = self.plan.schema().fields().iter().cloned();
                own.chain(hidden(periods).into_iter().map(field)).collect()
            }
        }
    }

    /// The scan of what the circuit reads, and where each row says when it came or went.
    fn scan_of(&self, scanned: &Scanned) -> Result<(Arc<dyn ExecutionPlan>, Reads)> {
        let provider = source_as_provider(&scanned.table)?;
        let Some(SourceTable(source)) = provider.downcast_ref::<SourceTable>() else {
            let what = format!("a view reads topics, entities and views, and {} is none", scanned.name);
            return Err(QueryError::Invalid(what).into());
        };
        let schema = &source.relation.schema;
        let mut columns: Vec<usize> =
            scanned.columns.clone().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let width = columns.len();
        let mut also = |name: &str| -> Result<usize> {
            columns.push(schema.index_of(name)?);
            Ok(columns.len() - 1)
        };
        let is_topic = matches!(source.relation.kind, Kind::Topic { .. });
        let stamped = match self.asked.axis() {
            None => Stamped::AtOnce,
            Some(Axis::System) if is_topic => Stamped::At(also(Pseudo::AppendTime.name())?),
            Some(Axis::Valid) if is_topic => Stamped::At(also(Pseudo::EventTime.name())?),
            Some(Axis::System) => {
                Stamped::FromTo(also(Pseudo::SystemFrom.name())?, also(Pseudo::SystemTo.name())?)
            }
            Some(Axis::Valid) => {
                let (view, entity) = (in_sql(&self.name), in_sql(&source.relation.name));
                return Err(QueryError::Invalid(format!(
                    "view {view} reads entity {entity}: what had happened by each of many times is known of topics. Ask for one time, FOR VALID_TIME AS OF"
                ))
                .into());
            }
        };
        // What is appended later is recorded later.
        let is_sorted = self.asked.axis() != Some(Axis::Valid);
        Ok((Arc::new(Scan::of(source.clone(), Some(columns))?), Reads { width, stamped, is_sorted }))
    }
}

/// What is read of a scan.
#[derive(Debug, Clone, Copy)]
struct Reads {
    /// So many of its columns are the circuit's.
    width: usize,
    stamped: Stamped,
    /// It comes in the order of its stamps, without being asked to.
    is_sorted: bool,
}

#[async_trait::async_trait]
impl TableProvider for PastView {
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns()))
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Lowered { circuit, sources, schema } = lower(&self.plan, &self.state, &Read)?;
        let scans = sources.iter().map(|scanned| self.scan_of(scanned)).collect::<Result<Vec<_>>>()?;
        let (scans, reads) = scans.into_iter().unzip();
        let columns = self.columns();
        let projection = projection.cloned().unwrap_or_else(|| (0..columns.len()).collect());
        let fields: Vec<FieldRef> = projection.iter().map(|&place| columns[place].clone()).collect();
        let given = Arc::new(Schema::new(fields));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(given.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let of = Of {
            name: self.name.clone(),
            asked: self.asked.clone(),
            moment: self.moment.clone(),
            rows: schema,
            given,
            projection,
            store: self.store.clone(),
            notices: self.notices.clone(),
        };
        let circuit = Arc::new(Mutex::new(Some(circuit)));
        Ok(Arc::new(PastScan { of: Arc::new(of), circuit, scans, reads, properties: Arc::new(properties) }))
    }
}

/// Whether a plan reads a view by its operators: each holds a thread, and one for each scan below it.
pub(crate) fn reads_by_operators(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.downcast_ref::<PastScan>().is_some() || plan.children().into_iter().any(reads_by_operators)
}

/// What is asked of which view.
struct Of {
    name: String,
    asked: Asked,
    moment: Moment,
    /// The columns of the view's rows.
    rows: SchemaRef,
    /// Those that are given, and which of all they are.
    given: SchemaRef,
    projection: Vec<usize>,
    store: Store,
    notices: Notices,
}

/// The scan of it.
struct PastScan {
    of: Arc<Of>,
    /// Taken by whoever runs it.
    circuit: Arc<Mutex<Option<Circuit>>>,
    scans: Vec<Arc<dyn ExecutionPlan>>,
    reads: Vec<Reads>,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for PastScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PastScan").field("view", &self.of.name).finish_non_exhaustive()
    }
}

impl DisplayAs for PastScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.of.asked == Asked::Errors { "what could not be computed of view" } else { "view" };
        write!(f, "Operators: {what} {}, {}", in_sql(&self.of.name), self.of.moment)
    }
}

impl ExecutionPlan for PastScan {
    fn name(&self) -> &'static str {
        "PastScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.scans.iter().collect()
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let ordered = |(scan, reads): (&Arc<dyn ExecutionPlan>, &Reads)| {
            let Stamped::At(place) = reads.stamped else { return None };
            if reads.is_sorted {
                return None;
            }
            let schema = scan.schema();
            let time: Arc<dyn PhysicalExpr> = Arc::new(Column::new(Field::name(schema.field(place)), place));
            let rising = LexOrdering::new([PhysicalSortExpr::new(time, SortOptions::new(false, false))]);
            rising.map(OrderingRequirements::from)
        };
        self.scans.iter().zip(&self.reads).map(ordered).collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        scans: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let PastScan { of, circuit, reads, properties, .. } = &*self;
        let (of, circuit, reads) = (of.clone(), circuit.clone(), reads.clone());
        Ok(Arc::new(PastScan { of, circuit, scans, reads, properties: properties.clone() }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let circuit = self.circuit.lock().unwrap_or_else(PoisonError::into_inner).take();
        let circuit = circuit.ok_or_else(|| read_again(&self.of.name))?;
        let streams = self.scans.iter().map(|scan| scan.execute(partition, context.clone()));
        let streams = streams.zip(&self.reads).map(|(stream, reads)| Ok((stream?, *reads)));
        let streams = streams.collect::<Result<Vec<_>>>()?;
        let mut builder = RecordBatchReceiverStream::builder(self.of.given.clone(), BATCHES_AHEAD);
        let (of, batches, pool) = (self.of.clone(), builder.tx(), context.memory_pool().clone());
        builder.spawn_blocking(move || {
            let wanted = || !batches.is_closed();
            let give = |batch| batches.blocking_send(Ok(batch)).is_ok();
            Run::new(&of, circuit, streams, &pool, &wanted)?.run(&give)
        });
        Ok(builder.build())
    }
}
