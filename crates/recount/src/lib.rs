//! Recount, embedded: an event-sourcing database in your own process.
//!
//! ```
//! use recount::{Database, EventWrite, NewEvent, Scope};
//!
//! let db = Database::memory()?;
//! db.execute("CREATE TOPIC transactions")?;
//! for cents in [10000, -2000] {
//!     let event = NewEvent { payload: format!("{{\"cents\":{cents}}}").into(), ..NewEvent::default() };
//!     db.append(vec![EventWrite { topic: "transactions".parse()?, key: Some("1".into()), event }])?;
//! }
//! let stream = Scope::Stream("transactions/1".parse()?);
//! let payloads: Vec<_> = db.read(stream)?.map(|event| Ok(event?.payload)).collect::<Result<_, recount::ReadError>>()?;
//! assert_eq!(payloads, ["{\"cents\":10000}", "{\"cents\":-2000}"]);
//! db.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything is durable when it is answered. The methods here block; [`Database::store`] has the futures.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use recount_env::{Clock, Env, block_on, memory, real};
use recount_query::arrow::array::RecordBatch;
use recount_query::arrow::datatypes::SchemaRef;
use recount_query::{Answer as Answered, Formatted, Outcome, QueryCompiler, Sql};
use recount_types::Time;
use recount_views::Settings;
use tokio::runtime::{self, Runtime};

pub use recount_query::{Format, QueryError, SessionSettings, Stopped, arrow};
pub use recount_store::{
    AppendError, AppendRequest, Appended, AppendedEvent, CloseError, Condition, DdlError, Defined, Delivery,
    Direction, EventCursor, EventQuery, EventWrite, Executed, Expected, From, OpenOptions, OpenStoreError,
    QueryItem, ReadError, ReadRequest, Scope, Stats, Store, SubscribeRequest, Subscription, TopicInfo,
};
pub use recount_types::{Event, NewEvent, Position, Revision, StreamName, Tag, TopicName};
pub use recount_views::{Answer, EntityInfo, Moment, RowState, StepRow, ViewError, Views};

/// How long a question waits for an entity that is behind.
const WAIT_MS: u64 = 3_600_000;

/// An open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    store: Store,
    views: Views,
    /// Made when the first query comes.
    queries: Arc<OnceLock<Queries>>,
}

/// What runs queries, and the threads that it needs.
#[derive(Debug)]
struct Queries {
    sql: Sql,
    /// Always there until it is dropped.
    runtime: Option<Runtime>,
}

impl Queries {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        match &self.runtime {
            Some(runtime) => runtime.block_on(future),
            None => block_on(future),
        }
    }
}

impl Drop for Queries {
    fn drop(&mut self) {
        // Without waiting, because it may be dropped where nobody may block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Database {
    /// Opens the database in a directory, creating it if the directory is empty or absent. `:memory:` is a
    /// database in memory.
    pub fn open(directory: impl AsRef<Path>) -> Result<Database, OpenStoreError> {
        Database::open_with(directory, OpenOptions::default())
    }

    /// Opens the database in a directory.
    pub fn open_with(directory: impl AsRef<Path>, options: OpenOptions) -> Result<Database, OpenStoreError> {
        let directory = directory.as_ref();
        let env = if directory == Path::new(":memory:") { memory::memory_env() } else { real::env() };
        Database::open_in(env, directory, options)
    }

    /// A new database in memory.
    pub fn memory() -> Result<Database, OpenStoreError> {
        Database::open(":memory:")
    }

    /// A new database in memory whose clock is set by hand, for tests.
    pub fn memory_with_clock(clock: &ManualClock) -> Result<Database, OpenStoreError> {
        let env = Env { clock: Arc::new(clock.clone()), ..memory::memory_env() };
        Database::open_in(env, Path::new(":memory:"), OpenOptions::default())
    }

    fn open_in(env: Env, directory: &Path, options: OpenOptions) -> Result<Database, OpenStoreError> {
        let store = block_on(Store::open(env.clone(), directory, options))?;
        // Whoever has the database to himself waits for what has to be folded first.
        let settings = Settings { wait_ms: WAIT_MS, ..Settings::default() };
        let views = Views::open_with(store.clone(), env, settings, Arc::new(QueryCompiler::default()));
        Ok(Database { store, views, queries: Arc::default() })
    }

    /// Appends events, all or none.
    pub fn append(&self, events: Vec<EventWrite>) -> Result<Appended, AppendError> {
        self.append_if(events, Vec::new())
    }

    /// Appends events, all or none, if the conditions hold.
    pub fn append_if(
        &self,
        events: Vec<EventWrite>,
        conditions: Vec<Condition>,
    ) -> Result<Appended, AppendError> {
        block_on(self.store.append(AppendRequest { events, conditions, deadline: None }))
    }

    /// Appends without blocking while other appends are written. The future does file I/O when polled.
    pub async fn append_async(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.store.append(request).await
    }

    /// Reads all events of a scope, oldest first.
    pub fn read(&self, scope: Scope) -> Result<Events, ReadError> {
        self.read_with(ReadRequest::all(scope))
    }

    /// Reads events.
    pub fn read_with(&self, request: ReadRequest) -> Result<Events, ReadError> {
        Ok(Events { cursor: block_on(self.store.read(request))?, failed: false })
    }

    /// Follows events: the iterator waits for more. It ends when the database is closed.
    pub fn subscribe(&self, request: SubscribeRequest) -> Deliveries {
        Deliveries { subscription: self.store.subscribe(request) }
    }

    /// Runs a statement that defines a topic or an entity: CREATE, ALTER and DROP of either.
    pub fn execute(&self, sql: &str) -> Result<Executed, DdlError> {
        self.views.execute(sql)
    }

    /// Runs a statement: a definition, a query, INSERT INTO a topic, SHOW. Rows are computed as they are taken.
    pub fn sql(&self, statement: &str) -> Result<Output, QueryError> {
        self.sql_with(statement, &SessionSettings::default())
    }

    /// The same with settings, which SET statements before the statement may change.
    pub fn sql_with(&self, statement: &str, settings: &SessionSettings) -> Result<Output, QueryError> {
        let queries = self.queries()?;
        Ok(match queries.block_on(queries.sql.run(statement, settings))? {
            Outcome::Executed(executed) => Output::Executed(executed),
            Outcome::Rows(answer) => Output::Rows(Rows { answer, queries: self.queries.clone() }),
        })
    }

    fn queries(&self) -> Result<&Queries, QueryError> {
        if let Some(queries) = self.queries.get() {
            return Ok(queries);
        }
        let sql = Sql::new(self.store.clone(), self.views.clone(), recount_query::Settings::default())?;
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let runtime = runtime.map_err(|error| QueryError::Failed(error.to_string()))?;
        Ok(self.queries.get_or_init(|| Queries { sql, runtime: Some(runtime) }))
    }

    /// The entities: rows now and as of any moment, and the steps that led to them.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// The topics.
    pub fn topics(&self) -> Vec<TopicInfo> {
        self.store.topics()
    }

    /// The number of events that a stream has.
    pub fn stream_length(&self, stream: &StreamName) -> Result<u64, ReadError> {
        block_on(self.store.stream_length(stream))
    }

    /// The newest visible position.
    pub fn head(&self) -> Position {
        self.store.head()
    }

    /// The store itself, with futures in the place of blocking calls.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Finishes what was accepted, and marks the database as closed.
    pub fn close(&self) -> Result<(), CloseError> {
        self.views.close();
        block_on(self.store.close())
    }
}

/// What a statement did.
#[derive(Debug)]
pub enum Output {
    /// It defined something.
    Executed(Executed),
    /// It has rows for an answer.
    Rows(Rows),
}

/// The rows of an answer, a batch at a time. Ends after an error.
#[derive(Debug)]
pub struct Rows {
    answer: Answered,
    queries: Arc<OnceLock<Queries>>,
}

impl Rows {
    /// The position that it was read at.
    pub fn position(&self) -> Position {
        self.answer.position()
    }

    /// The names and types of its columns.
    pub fn schema(&self) -> SchemaRef {
        self.answer.schema()
    }

    /// What should be known about the rows taken so far.
    pub fn notices(&self) -> Vec<String> {
        self.answer.notices().all()
    }

    /// The rows as bytes in a format, a piece at a time.
    pub fn formatted(self, format: Format) -> Pieces {
        Pieces { formatted: Formatted::new(self.answer, format), queries: self.queries }
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.queries.get()?.block_on(self.answer.next()).transpose()
    }
}

/// The bytes of an answer. Ends after an error: what was given is then not whole.
#[derive(Debug)]
pub struct Pieces {
    formatted: Formatted,
    queries: Arc<OnceLock<Queries>>,
}

impl Pieces {
    /// What should be known about the rows given so far.
    pub fn notices(&self) -> Vec<String> {
        self.formatted.answer().notices().all()
    }
}

impl Iterator for Pieces {
    type Item = Result<bytes::Bytes, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.queries.get()?.block_on(self.formatted.next()).transpose()
    }
}

/// The events of a read. Ends after an error.
#[derive(Debug)]
pub struct Events {
    cursor: EventCursor,
    failed: bool,
}

impl Events {
    /// The position as of which it reads.
    pub fn as_of(&self) -> Position {
        self.cursor.as_of()
    }
}

impl Iterator for Events {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = block_on(self.cursor.next()).transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

/// The deliveries of a subscription.
#[derive(Debug)]
pub struct Deliveries {
    subscription: Subscription,
}

impl Iterator for Deliveries {
    type Item = Result<Delivery, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match block_on(self.subscription.next()) {
            Err(ReadError::Closed) => None,
            delivery => Some(delivery),
        }
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now_us: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows `time`.
    pub fn new(time: Time) -> ManualClock {
        ManualClock { now_us: Arc::new(AtomicI64::new(time.0)) }
    }

    /// Sets it.
    pub fn set(&self, time: Time) {
        self.now_us.store(time.0, Ordering::Release);
    }
}

impl Clock for ManualClock {
    fn now_us(&self) -> i64 {
        self.now_us.load(Ordering::Acquire)
    }

    /// As far as the wall clock, so that setting it is no jump.
    fn boottime_us(&self) -> u64 {
        self.now_us().max(0) as u64
    }

    fn boot_id(&self) -> [u8; 16] {
        [0; 16]
    }
}
