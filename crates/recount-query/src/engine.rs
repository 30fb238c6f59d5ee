//! The engine: a statement from its text to its answer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use recount_store::Store;
use recount_store::ddl::CreateView;
use recount_types::Position;
use sqlparser::ast::{Insert, Query};
use tokio::sync::Semaphore;

use crate::answer::{Answer, Notices};
use crate::error::QueryError;
use crate::explain;
use crate::flow;
use crate::insert::Into;
use crate::moment::Moment;
use crate::names::{self, Named};
use crate::plan::{self, Planner};
use crate::relation::Relation;
use crate::relations::{OfView, Periods, Pinned, Relations};
use crate::scan::{self, Source, SourceTable};
use crate::settings::{SessionSettings, Settings, Stopped};
use crate::statement::{self, Statement};
use crate::temporal::{self, Cut};
use crate::topic::Misfit;
use crate::view_at::ViewAt;

mod moments;

/// How often a statement that waits for a position looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Runs statements on a database. Wants to be called within a Tokio runtime.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    relations: Arc<dyn Relations>,
    session: SessionState,
    memory_bytes: usize,
    /// Of statements that run the operators of views: they hold threads as long as they are read.
    turns: Arc<Semaphore>,
}

/// So many of them are read at once; others wait.
const TURNS: usize = 32;

/// A query that is planned.
struct Planned {
    state: SessionState,
    plan: LogicalPlan,
    notices: Notices,
    /// The topics that are read as of another moment.
    past: Vec<Arc<Source>>,
    /// The position that it reads at.
    at: Position,
    /// The relations that are not topics, at that position.
    pinned: Box<dyn Pinned>,
}

/// How often a statement is planned again, because what it reads was replaced meanwhile.
const PLANNED_AGAIN_MAX: usize = 10;

/// Where a statement reads, and how.
#[derive(Debug, Clone, Copy)]
struct ReadAt {
    /// At this position, or a later one.
    position: Position,
    /// At no later one.
    fixed: bool,
    /// What it does about keys that stopped.
    stopped: Stopped,
}

impl Engine {
    /// An engine for the topics of a store and the relations beside them.
    pub fn new(
        store: Store,
        relations: Arc<dyn Relations>,
        settings: Settings,
    ) -> Result<Engine, QueryError> {
        let memory_bytes = settings.memory_bytes;
        let session =
            plan::session(memory_bytes).map_err(|error| QueryError::from_datafusion(error, memory_bytes))?;
        Ok(Engine { store, relations, session, memory_bytes, turns: Arc::new(Semaphore::new(TURNS)) })
    }

    /// Runs one statement: SELECT, WITH, VALUES, EXPLAIN, or INSERT INTO a topic.
    pub async fn query(&self, sql: &str, session: &SessionSettings) -> Result<Answer, QueryError> {
        for _ in 0..PLANNED_AGAIN_MAX {
            match self.query_once(sql, session).await {
                Err(QueryError::Replaced(_)) => {}
                done => return done,
            }
        }
        self.query_once(sql, session).await
    }

    async fn query_once(&self, sql: &str, session: &SessionSettings) -> Result<Answer, QueryError> {
        let (statement, cuts) = statement::parse(sql)?;
        let at = self.read_position(session).await?;
        match statement {
            Statement::Query(query) => {
                let planned = self.plan(*query, cuts, at).await?;
                let physical = self.physical(&planned).await?;
                self.run(planned, physical).await
            }
            Statement::Explain(query) => {
                let planned = self.plan(*query, cuts, at).await?;
                let physical = self.physical(&planned).await?;
                let (at, pinned, plan) = (planned.at, planned.pinned, physical.clone());
                blocking(move || scan::ask(&plan, &*pinned)).await??;
                let lines: Vec<String> = explain::lines(physical.as_ref());
                let field = Field::new("plan", DataType::Utf8, false);
                let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(lines))];
                self.given(vec![field], columns, at)
            }
            Statement::Insert(insert) => self.insert(*insert, cuts, at).await,
        }
    }

    /// Appends the rows of an INSERT's query.
    async fn insert(&self, insert: Insert, cuts: Vec<Cut>, at: ReadAt) -> Result<Answer, QueryError> {
        let (into, source) = Into::new(insert)?;
        if let Some(cut) = cuts.iter().find(|cut| cut.made_up == into.topic) {
            return Err(temporal::misplaced(cut.at));
        }
        let topic = self.store.topic(&into.topic).filter(|topic| !topic.name.is_system());
        let Some(topic) = topic else {
            let name = &into.topic;
            Relation::find(&self.store, &*self.relations, name, None, Periods::default())?;
            return Err(QueryError::Invalid(format!(
                "{name} is not a topic: what it shows comes from events. Insert into the topic that it is made of"
            )));
        };
        let planned = self.plan(*source, cuts, at).await?;
        let physical = self.physical(&planned).await?;
        let rows = self.run(planned, physical).await?;
        let notices = rows.notices();
        let request = into.request(&topic, rows).await?;
        let mut position = at.position;
        let count = request.events.len();
        if count > 0 {
            let store = self.store.clone();
            position = blocking(move || recount_env::block_on(store.append(request))).await??.position();
        }
        let fields = ["inserted", "position"].map(|name| Field::new(name, DataType::Int64, false)).to_vec();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![count as i64])),
            Arc::new(Int64Array::from(vec![position.0 as i64])),
        ];
        let answer = self.given(fields, columns, position)?;
        Ok(Answer { inserted: Some(count as u64), notices, ..answer })
    }

    /// An answer of rows that are there already.
    pub(crate) fn given(
        &self,
        fields: Vec<Field>,
        columns: Vec<ArrayRef>,
        position: Position,
    ) -> Result<Answer, QueryError> {
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema.clone(), columns)
            .map_err(|error| QueryError::Failed(error.to_string()))?;
        let stream = MemoryStream::try_new(vec![batch], schema, None).map_err(|error| self.error(error))?;
        Ok(Answer {
            position,
            inserted: None,
            notices: Notices::default(),
            stream: Box::pin(stream),
            memory_bytes: self.memory_bytes,
            past: Vec::new(),
            _turn: None,
        })
    }

    /// Waits until the database has the position that a session wants at least.
    pub(crate) async fn wait_for(&self, session: &SessionSettings) -> Result<(), QueryError> {
        let Some(wanted) = session.min_position else { return Ok(()) };
        let come = async {
            while self.store.head() < wanted {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let waited = tokio::time::timeout(session.wait, come).await;
        waited.map_err(|_| {
            let head = self.store.head();
            QueryError::Behind { wanted, head, seconds: session.wait.as_secs() }
        })
    }

    /// The position that a statement reads at.
    async fn read_position(&self, session: &SessionSettings) -> Result<ReadAt, QueryError> {
        self.wait_for(session).await?;
        let (head, stopped) = (self.store.head(), session.stopped);
        match session.position {
            Some(wanted) if wanted > head => {
                Err(QueryError::Invalid(format!("position {wanted} has not come yet: the newest is {head}")))
            }
            Some(wanted) => Ok(ReadAt { position: wanted, fixed: true, stopped }),
            None => Ok(ReadAt { position: head, fixed: false, stopped }),
        }
    }

    /// Resolves and plans a query.
    async fn plan(&self, mut query: Query, cuts: Vec<Cut>, at: ReadAt) -> Result<Planned, QueryError> {
        let state = plan::of_statement(&self.session, self.store.now());
        let named = {
            let find = |name: &str, version, periods| {
                Relation::find(&self.store, &*self.relations, name, version, periods)
            };
            names::resolve(&mut query, cuts, &find)?
        };
        let notices = Notices::default();
        let mut planner = Planner::new(&state, HashMap::new());
        let mut timed = Vec::new();
        for Named { key, relation, clauses } in named {
            timed.push((key, relation, moments::evaluate(&planner, clauses).await?));
        }
        drop(planner);
        let mut past = Vec::new();
        let mut sources: HashMap<String, Arc<dyn TableSource>> = HashMap::new();
        let now = timed.iter().filter(|(_, relation, times)| relation.is_kept() && times.are_now());
        let now = now.map(|(_, relation, _)| (relation.name.clone(), relation.version)).collect();
        let (at, pinned) = self.pin(now, at).await?;
        for (key, relation, times) in timed {
            let is_now = times.are_now() && !at.fixed;
            let moment = times.resolve(&self.store, at.position).await?;
            let view = self.relations.definition(&relation.name)?.filter(|_| !is_now);
            let (store, notices, stopped) = (self.store.clone(), notices.clone(), at.stopped);
            let misfit = Misfit::Fail;
            let source = Source { relation, moment, store, notices, stopped, misfit };
            if let Some(view) = view {
                sources.insert(key, provider_as_source(self.past(&state, view, source)?));
                continue;
            }
            let source = Arc::new(source);
            past.extend(source.is_past_of_topic(at.position).then(|| source.clone()));
            sources.insert(key, provider_as_source(Arc::new(SourceTable(source))));
        }
        planner = Planner::new(&state, sources);
        let plan = planner.query(query).map_err(|error| self.error(error))?;
        drop(planner);
        Ok(Planned { state, plan, notices, past, at: at.position, pinned })
    }

    /// The table of a view at another moment than now, or over a stretch of time.
    fn past(
        &self,
        state: &SessionState,
        (view, of_view): (CreateView, OfView),
        source: Source,
    ) -> Result<Arc<dyn TableProvider>, QueryError> {
        let (name, moment) = (view.name.to_string(), source.moment.clone());
        let (asked, read) = flow::Asked::of(&name, of_view, &moment)?;
        let is_position = moment == Moment::at(moment.position);
        if is_position && of_view == OfView::Errors {
            return Ok(Arc::new(ViewAt { made: SourceTable(Arc::new(source)), query: None }));
        }
        let (catalogue, periods) = (self.store.catalogue(), asked.periods());
        let entities = |name: &str, version: Option<u32>| self.relations.describe(name, version, periods);
        let (catalogue, entities, nested) = (&*catalogue, &entities, RefCell::default());
        let (stopped, notices) = (source.stopped, &source.notices);
        let of = flow::As { catalogue, entities, moment: &read, stopped, notices, depth: 0, nested: &nested };
        let query = flow::define(state, &self.store, &view, true, &of)?.plan;
        let failed = |error| self.error(error);
        let plan = flow::rewrite(query.clone(), state).map_err(failed)?;
        let is_same = asked == flow::Asked::Rows && flow::is_same_by_both(&plan).map_err(failed)?;
        let query = is_same.then(|| ViewTable::new(query, None));
        if is_position {
            return Ok(Arc::new(ViewAt { made: SourceTable(Arc::new(source)), query }));
        }
        if let Some(query) = query {
            return Ok(Arc::new(query));
        }
        let (state, store, notices) = (state.clone(), self.store.clone(), notices.clone());
        Ok(Arc::new(flow::PastView { name, plan, asked, moment, state, store, notices }))
    }

    /// Takes the relations that a statement reads as they are now, and with them the position that it reads at.
    async fn pin(
        &self,
        wanted: Vec<(String, Option<u32>)>,
        at: ReadAt,
    ) -> Result<(ReadAt, Box<dyn Pinned>), QueryError> {
        let relations = self.relations.clone();
        let wanted = if at.fixed { Vec::new() } else { wanted };
        let (position, pinned) = blocking(move || relations.pin(&wanted, at.position)).await??;
        Ok((ReadAt { position, ..at }, pinned))
    }

    async fn physical(&self, planned: &Planned) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
        planned.state.create_physical_plan(&planned.plan).await.map_err(|error| self.error(error))
    }

    async fn run(&self, planned: Planned, physical: Arc<dyn ExecutionPlan>) -> Result<Answer, QueryError> {
        let at = planned.at;
        let turn = match flow::reads_by_operators(&physical) {
            true => self.turns.clone().acquire_owned().await.ok(),
            false => None,
        };
        if scan::reads_kept(&physical) {
            let (plan, pinned) = (physical.clone(), Arc::<dyn Pinned>::from(planned.pinned));
            // Whoever goes away wants no rows of before.
            let _asking = Asking(pinned.clone());
            blocking(move || scan::take(&plan, &*pinned)).await??;
        }
        let stream = execute_stream(physical, planned.state.task_ctx()).map_err(|error| self.error(error))?;
        Ok(Answer {
            position: at,
            inserted: None,
            notices: planned.notices,
            stream,
            memory_bytes: self.memory_bytes,
            past: planned.past,
            _turn: turn,
        })
    }

    fn error(&self, error: DataFusionError) -> QueryError {
        QueryError::from_datafusion(error, self.memory_bytes)
    }
}

/// Says when it is dropped that nobody asks any more.
struct Asking(Arc<dyn Pinned>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Runs something on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, QueryError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| QueryError::Failed(error.to_string()))
}
