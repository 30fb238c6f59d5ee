//! A database in memory whose clock is set by hand, and answers as text.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use recount_env::failing::failing;
use recount_env::{Clock, Env, block_on, memory::memory_env};
use recount_query::arrow::util::display::{ArrayFormatter, FormatOptions};
use recount_query::{
    Answer, Engine, Kept, NoRelations, QueryCompiler, QueryError, Relations, SessionSettings, Settings,
};
use recount_store::time::parse_rfc3339;
use recount_store::{AppendRequest, EventWrite, OpenOptions, Store};
use recount_types::{NewEvent, Time, TopicName};
use recount_views::Views;

/// A clock that stands still until it is set.
#[derive(Debug)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }

    fn boottime_us(&self) -> u64 {
        self.now_us().max(0) as u64
    }

    fn boot_id(&self) -> [u8; 16] {
        [0; 16]
    }
}

/// The bank of the examples.
pub(crate) const BANK: &str =
    "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
  timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS) KEY (accountId) TIMESTAMP BY timestamp";

/// A database and its engine.
pub(crate) struct Bench {
    pub(crate) env: Env,
    pub(crate) store: Store,
    engine: Engine,
    clock: Arc<ManualClock>,
    runtime: tokio::runtime::Runtime,
    pub(crate) session: SessionSettings,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(Arc::new(NoRelations), Settings::default())
    }

    pub(crate) fn with(relations: Arc<dyn Relations>, settings: Settings) -> Bench {
        let (env, clock) = new_env();
        Bench::of(&env, clock, |_| relations, settings)
    }

    /// A database with its entities.
    pub(crate) fn with_entities() -> (Bench, Views) {
        let (env, clock) = new_env();
        Bench::opened(&env, clock, recount_views::Settings::default())
    }

    /// A database with its entities and views, kept in some way.
    pub(crate) fn with_settings(settings: recount_views::Settings) -> (Bench, Views) {
        let (env, clock) = new_env();
        Bench::opened(&env, clock, settings)
    }

    /// A database whose entities have been folded by `statements`, closed and opened again; a snapshot each
    /// `snapshot_events` positions.
    pub(crate) fn reopened(statements: &[&str], snapshot_events: u64) -> (Bench, Views) {
        let (env, clock) = new_env();
        let settings = recount_views::Settings { snapshot_events, ..recount_views::Settings::default() };
        let (bench, views) = Bench::opened(&env, clock, settings.clone());
        for sql in statements {
            if views.execute(sql).is_err() {
                bench.answer(sql).unwrap();
            }
        }
        for entity in views.entities() {
            bench.sql(&format!("SELECT * FROM {}", entity.name));
        }
        bench.reopen(views, settings, |_| {})
    }

    /// A database of which the files in a folder fail, once so many more operations were done there.
    pub(crate) fn failing(
        env: &Env,
        folder: &'static str,
        left: &Arc<AtomicI64>,
        settings: recount_views::Settings,
    ) -> (Bench, Views) {
        let clock = Arc::new(ManualClock(AtomicI64::new(parse_rfc3339("2024-01-01T00:00:00Z").unwrap().0)));
        let env = Env { clock: clock.clone(), ..env.clone() };
        Bench::opened(&failing(&env, folder, left.clone()), clock, settings)
    }

    /// Closes the database, and opens it again; `between` sees its files.
    pub(crate) fn reopen(
        self,
        views: Views,
        settings: recount_views::Settings,
        between: impl FnOnce(&Env),
    ) -> (Bench, Views) {
        let (env, clock) = (self.env.clone(), self.clock.clone());
        views.close();
        block_on(self.store.close()).unwrap();
        drop((self, views));
        between(&env);
        Bench::opened(&env, clock, settings)
    }

    fn opened(env: &Env, clock: Arc<ManualClock>, settings: recount_views::Settings) -> (Bench, Views) {
        let mut kept = None;
        let relations = |store: &Store| {
            let views =
                Views::open_with(store.clone(), env.clone(), settings, Arc::new(QueryCompiler::default()));
            kept = Some(views.clone());
            Arc::new(Kept::new(views)) as Arc<dyn Relations>
        };
        let bench = Bench::of(env, clock, relations, Settings::default());
        (bench, kept.unwrap())
    }

    fn of(
        env: &Env,
        clock: Arc<ManualClock>,
        relations: impl FnOnce(&Store) -> Arc<dyn Relations>,
        settings: Settings,
    ) -> Bench {
        let open = Store::open(env.clone(), std::path::Path::new("/db"), OpenOptions::default());
        let store = block_on(open).unwrap();
        let engine = Engine::new(store.clone(), relations(&store), settings).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Bench { env: env.clone(), store, engine, clock, runtime, session: SessionSettings::default() }
    }

    /// A bank with three transactions, recorded on the first three days of 2024.
    pub(crate) fn bank() -> Bench {
        let bench = Bench::new();
        bench.execute(BANK);
        bench.append("transactions", r#"{"accountId": 1, "amount": 100.00, "timestamp": 1702468800}"#);
        bench.now("2024-01-02T00:00:00Z");
        bench.append("transactions", r#"{"accountId": 1, "amount": -20.0, "timestamp": 1702555200}"#);
        bench.now("2024-01-03T00:00:00Z");
        bench.append("transactions", r#"{"accountId": 2, "amount": 7.25, "timestamp": 1702382400}"#);
        bench
    }

    pub(crate) fn now(&self, time: &str) {
        self.clock.0.store(parse_rfc3339(time).unwrap().0, Ordering::Release);
    }

    pub(crate) fn execute(&self, sql: &str) {
        block_on(self.store.execute(sql)).unwrap();
    }

    pub(crate) fn append(&self, topic: &str, payload: &str) {
        let event = NewEvent { payload: payload.to_owned().into(), ..NewEvent::default() };
        self.append_event(topic, None, event);
    }

    pub(crate) fn append_event(&self, topic: &str, key: Option<&'static str>, event: NewEvent) {
        let key = key.map(|key| key.into());
        let events = vec![EventWrite { topic: TopicName::parse(topic).unwrap(), key, event }];
        block_on(self.store.append(AppendRequest { events, ..AppendRequest::default() })).unwrap();
    }

    pub(crate) fn answer(&self, sql: &str) -> Result<Answer, QueryError> {
        self.runtime.block_on(self.engine.query(sql, &self.session))
    }

    /// Runs something with the runtime of the bench.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The answer as text: names of columns, rows, notices; or the error.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.runtime.block_on(async {
            match self.engine.query(sql, &self.session).await {
                Ok(answer) => shown(answer).await.unwrap_or_else(|error| format!("error: {error}\n")),
                Err(error) => format!("error: {error}\n"),
            }
        })
    }

    /// Several statements, each with its answer.
    pub(crate) fn script(&self, statements: &[&str]) -> String {
        statements.iter().map(|sql| format!("> {sql}\n{}", self.sql(sql))).collect()
    }
}

pub(crate) async fn shown(mut answer: Answer) -> Result<String, QueryError> {
    let names: Vec<String> = answer.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut text = format!("{}\n", names.join(" | "));
    let options = FormatOptions::default().with_null("NULL");
    while let Some(batch) = answer.next().await? {
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            text.push_str(&format!("{}\n", values.join(" | ")));
        }
    }
    for notice in answer.notices().all() {
        text.push_str(&format!("notice: {notice}\n"));
    }
    Ok(text)
}

/// An environment in memory, and its clock.
fn new_env() -> (Env, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock(AtomicI64::new(time("2024-01-01T00:00:00Z").0)));
    (Env { clock: clock.clone(), ..memory_env() }, clock)
}

/// An instant.
pub(crate) fn time(text: &str) -> Time {
    parse_rfc3339(text).unwrap()
}
