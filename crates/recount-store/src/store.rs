//! The store: the handle that fronts hold, and what its parts share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use recount_env::{Env, Signal};
use recount_index::{Term, TermKind};
use recount_journal::Reader;
use recount_journal::directory::{HeldLock, Holder};
use recount_types::{Position, StreamName, Time, TopicId, TopicName};

use crate::append;
use crate::append::{AppendRequest, Appended, EventWrite};
use crate::background;
use crate::catalogue::{self, Catalogue, Planned, TopicInfo};
use crate::ddl::{self, Statement};
use crate::drive::Database;
use crate::error::{AppendError, CloseError, DdlError, ReadError, chain};
use crate::json::Shape;
use crate::open::{self, OpenOptions, OpenStoreError};
use crate::pieces::Pieces;
use crate::read::{self, EventCursor, Extent, ReadRequest};
use crate::sequencer::Sequencer;
use crate::state;
use crate::stats::Stats;
use crate::subscribe::{SubscribeRequest, Subscription};

/// An open database. Cheap to clone; the last clone dropped without [`Store::close`] leaves an unclean close.
#[derive(Clone)]
pub struct Store {
    pub(crate) database: Arc<Database>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("root", &self.inner().root).finish_non_exhaustive()
    }
}

/// What the parts of a store share.
pub(crate) struct Inner {
    pub(crate) env: Env,
    pub(crate) root: PathBuf,
    pub(crate) id: [u8; 16],
    /// Keeps others out until the store is closed.
    pub(crate) held: Mutex<Option<Arc<HeldLock>>>,
    pub(crate) reader: Reader,
    pub(crate) journal_counts: Arc<recount_journal::Counts>,
    pub(crate) sequencer: Mutex<Sequencer>,
    /// The sequencer's catalogue, for those who need not wait for its lock.
    pub(crate) catalogue: Arc<Mutex<Arc<Catalogue>>>,
    /// The newest visible position.
    pub(crate) head: AtomicU64,
    /// The journal ends with a seal.
    pub(crate) sealed: AtomicBool,
    /// Boot-time µs of the last sync.
    pub(crate) last_sync_us: AtomicU64,
    /// How many groups in a row had one append.
    pub(crate) alone: AtomicU32,
    /// The head moved, or the store was closed.
    pub(crate) visible: Arc<Signal>,
    /// How the background tasks are woken.
    pub(crate) signals: Arc<background::Signals>,
    pub(crate) index_counts: background::IndexCounts,
    /// Of batches that were read for single records.
    pub(crate) pieces: Pieces,
    pub(crate) notes: Vec<String>,
}

impl Inner {
    /// The catalogue of now. An append that was checked against an older one is checked again.
    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        lock(&self.catalogue).clone()
    }
}

/// A statement that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// What it was, such as `CREATE TOPIC`.
    pub statement: String,
    /// What it was about.
    pub defined: Defined,
    /// The name of that.
    pub name: TopicName,
    /// The version of an entity that it was about.
    pub version: Option<u32>,
    /// The position of the event that records it.
    pub position: Position,
}

/// What statements are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defined {
    /// A topic.
    Topic,
    /// An entity.
    Entity,
    /// A view.
    View,
}

impl Store {
    fn inner(&self) -> &Arc<Inner> {
        &self.database.inner
    }

    /// Opens the database in a directory. See [`OpenOptions`].
    pub async fn open(env: Env, root: &Path, options: OpenOptions) -> Result<Store, OpenStoreError> {
        let database = Arc::new(open::open(env, root, options).await?);
        background::start(&database);
        Ok(Store { database })
    }

    /// The database's directory.
    pub fn root(&self) -> &Path {
        &self.inner().root
    }

    /// What tells the database from all others; it never changes.
    pub fn id(&self) -> [u8; 16] {
        self.inner().id
    }

    /// What opening did that an operator should know, such as a torn tail that was cut.
    pub fn notes(&self) -> &[String] {
        &self.inner().notes
    }

    /// Writes into LOCK where this process serves the database.
    pub async fn announce(&self, address: &str) -> Result<(), OpenStoreError> {
        let holder = Holder { pid: std::process::id(), address: Some(address.to_owned()) };
        let held = lock(&self.inner().held).clone();
        match held {
            Some(held) => Ok(held.announce(&self.inner().env, &self.inner().root, &holder).await?),
            None => Err(OpenStoreError::Read(ReadError::Closed)),
        }
    }

    /// Appends events, all or none. When this resolves with an answer, they are on disk; when it resolves with a
    /// refusal, nothing was stored. It may be dropped at any time; the outcome is then unknown.
    pub async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        append::append(&self.database, request, append::Writer::User).await
    }

    /// Appends that may also write to `_imports`, for importers.
    pub async fn append_system(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        append::append(&self.database, request, append::Writer::Importer).await
    }

    /// Runs a statement about a topic: CREATE TOPIC, ALTER TOPIC, DROP TOPIC. Those about entities are run by whoever
    /// can tell what their expressions mean, with [`Store::define`].
    pub async fn execute(&self, sql: &str) -> Result<Executed, DdlError> {
        let statement = ddl::parse(sql).map_err(|error| DdlError::Syntax(error.to_string()))?;
        if statement.defines() != Defined::Topic {
            return Err(DdlError::Invalid(format!(
                "{} needs what evaluates expressions, and this is the store alone",
                statement.name()
            )));
        }
        self.define(statement, &|_| Ok(())).await
    }

    /// Runs a statement. `check` may refuse it, and sees the very catalogue that it changes; it is called again when
    /// the catalogue has become another one meanwhile.
    pub async fn define(
        &self,
        statement: Statement,
        check: &(dyn Fn(&Catalogue) -> Result<(), DdlError> + Sync),
    ) -> Result<Executed, DdlError> {
        let plan = |catalogue: &Catalogue| {
            let planned = catalogue.plan(statement.clone())?;
            check(catalogue)?;
            Ok(planned)
        };
        self.record(statement.name(), statement.defines(), &plan).await
    }

    /// Makes a version of an entity the current one: it has caught up. The system's own statement.
    pub async fn switch_entity(&self, name: &TopicName, version: u32) -> Result<Executed, DdlError> {
        let plan = |catalogue: &Catalogue| catalogue.plan_switch(name, version);
        self.record("SWITCH ENTITY", Defined::Entity, &plan).await
    }

    async fn record(
        &self,
        statement: &str,
        defined: Defined,
        plan: &(dyn Fn(&Catalogue) -> Result<Planned, DdlError> + Sync),
    ) -> Result<Executed, DdlError> {
        loop {
            let catalogue = self.inner().catalogue();
            let Planned { name, version, change } = plan(&catalogue)?;
            let payload =
                serde_json::to_vec(&change).map_err(|error| DdlError::Invalid(error.to_string()))?;
            let event = recount_types::NewEvent { payload: payload.into(), ..Default::default() };
            let write = EventWrite {
                topic: TopicName::parse("_catalog").map_err(|error| DdlError::Invalid(error.to_string()))?,
                key: Some(name.as_str().as_bytes().to_vec().into()),
                event,
            };
            let request = AppendRequest { events: vec![write], ..AppendRequest::default() };
            let definition = append::Definition { catalogue, change };
            if let Some(appended) = append::append_definition(&self.database, request, definition).await? {
                let (statement, position) = (statement.to_owned(), appended.position());
                return Ok(Executed { statement, defined, name, version, position });
            }
        }
    }

    /// Everything that is defined, as of now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.inner().catalogue()
    }

    /// The position of the event of a topic with an id that its client gave, if it is visible.
    pub async fn position_of_id(&self, topic: &TopicName, id: &str) -> Result<Option<Position>, ReadError> {
        let catalogue = self.inner().catalogue();
        let found = catalogue.by_name(topic);
        let found = found.ok_or_else(|| ReadError::UnknownTopic { topic: topic.to_string() })?;
        let term = Term::of(TermKind::ClientId, found.id, id.as_bytes());
        let position = append::position_of_id(self.inner(), term.as_bytes()).await?;
        Ok(position.filter(|position| *position <= self.head()))
    }

    /// The live topics that are not the system's, by name.
    pub fn topics(&self) -> Vec<TopicInfo> {
        let catalogue = self.inner().catalogue();
        catalogue.topics().filter(|topic| !topic.name.is_system()).map(|topic| topic.info()).collect()
    }

    /// Reads events. See [`ReadRequest`].
    pub async fn read(&self, request: ReadRequest) -> Result<EventCursor, ReadError> {
        read::begin(self.inner(), request).await
    }

    /// How much a read goes through, up to a position; nothing is read but the index.
    pub async fn extent(&self, request: &ReadRequest, until: Position) -> Result<Extent, ReadError> {
        read::extent(self.inner(), request, until).await
    }

    /// Follows events. See [`SubscribeRequest`].
    pub fn subscribe(&self, request: SubscribeRequest) -> Subscription {
        Subscription::new(self.inner().clone(), request)
    }

    /// The number of events that a stream has; 0 = there is no such stream.
    pub async fn stream_length(&self, stream: &StreamName) -> Result<u64, ReadError> {
        let topic = self.inner().catalogue().by_name(&stream.topic).map(|topic| topic.id);
        let topic = topic.ok_or_else(|| ReadError::UnknownTopic { topic: stream.topic.to_string() })?;
        let term = Term::of(TermKind::Stream, topic, &stream.key);
        self.inner().count_up_to(term.as_bytes(), self.inner().head()).await
    }

    /// The position as of a time: the end of the last append made at or before it. Later appends are made later
    /// than that. A time that has not come yet is an error.
    pub async fn position_at(&self, time: Time) -> Result<Position, ReadError> {
        let now = self.inner().env.clock.now_us();
        {
            let mut sequencer = lock(&self.inner().sequencer);
            if time.0 > now.max(sequencer.last_append_time.0) {
                let what =
                    "that time has not come yet: nobody knows what will be appended until then".to_owned();
                return Err(ReadError::BadRequest { what });
            }
            sequencer.raise_floor(time);
        }
        read::last_before(self.inner(), time).await
    }

    /// The key of the stream that an event would go to, as its topic declares it or as it is given.
    pub fn key_of(&self, write: &EventWrite) -> Result<Option<bytes::Bytes>, AppendError> {
        let catalogue = self.inner().catalogue();
        let topic = catalogue.by_name(&write.topic);
        let topic = topic.ok_or_else(|| AppendError::UnknownTopic { topic: write.topic.to_string() })?;
        let facts =
            crate::record::facts(&topic.definition, (&topic.paths, &mut Shape::default()), &write.event);
        let facts = facts.map_err(|what| AppendError::BadEvent { index: 0, what })?;
        Ok(facts.key.or_else(|| write.key.clone()))
    }

    /// One live topic.
    pub fn topic(&self, name: &str) -> Option<TopicInfo> {
        let name = TopicName::parse(name).ok()?;
        let catalogue = self.inner().catalogue();
        catalogue.by_name(&name).map(|topic: &Arc<catalogue::TopicState>| topic.info())
    }

    /// About how many events a topic has.
    pub fn topic_events(&self, topic: TopicId) -> u64 {
        read::events_of(&lock(&self.inner().sequencer), topic)
    }

    /// The newest visible position: every append up to it is on disk and readable.
    pub fn head(&self) -> Position {
        self.inner().head()
    }

    /// Notified when the head moved, and when the store was closed or dropped. Holding it keeps nothing open.
    pub fn visible(&self) -> Arc<Signal> {
        self.inner().visible.clone()
    }

    /// True once nothing can be appended any more.
    pub fn is_closed(&self) -> bool {
        self.inner().is_closed()
    }

    /// What the database's clock shows.
    pub fn now(&self) -> Time {
        Time(self.inner().env.clock.now_us())
    }

    /// Numbers, for metrics.
    pub fn stats(&self) -> Stats {
        let inner = self.inner();
        let counts = &inner.journal_counts;
        let relaxed = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sequencer = lock(&inner.sequencer);
        Stats {
            head: inner.head(),
            lsn: inner.reader.synced_lsn(),
            last_append_time: sequencer.last_append_time,
            appended_events: sequencer.counts.events,
            appends: sequencer.counts.appends,
            refusals: sequencer.counts.refusals,
            groups: relaxed(&counts.frames),
            group_bytes: relaxed(&counts.frame_bytes),
            syncs: relaxed(&counts.syncs),
            rolls: relaxed(&counts.rolls),
            roll_waits: relaxed(&counts.roll_waits),
            segments: inner.reader.segments().len() as u64,
            memtable_bytes: sequencer.memtables().map(|memtable| memtable.bytes() as u64).sum(),
            runs: sequencer.runs.runs().len() as u64,
            run_bytes: sequencer.runs.runs().iter().map(|run| run.file_bytes()).sum(),
            flushes: relaxed(&inner.index_counts.flushes),
            merges: relaxed(&inner.index_counts.merges),
            index_failures: relaxed(&inner.index_counts.failures),
            topics: sequencer.catalogue.topics().count() as u64,
        }
    }

    /// Finishes what was accepted, seals the journal and marks it as closed. Later calls of anything else fail; later
    /// calls of this do nothing.
    pub async fn close(&self) -> Result<(), CloseError> {
        let inner = self.inner();
        if std::mem::replace(&mut lock(&inner.sequencer).closing, true) {
            return Ok(());
        }
        inner.signals.stop();
        inner.visible.notify();
        self.database.drain().await;
        let Some(writer) = self.database.take_writer() else { return Ok(()) };
        inner.signals.stopped().await;
        let (position, seal) = {
            let sequencer = lock(&inner.sequencer);
            (sequencer.next_position(), state::encode_seal(sequencer.time_floor, &sequencer.clock))
        };
        let closed = writer.close(position, seal).await.map_err(|error| CloseError(chain(&error)));
        lock(&inner.held).take();
        closed
    }
}

impl Inner {
    /// The newest visible position.
    pub(crate) fn head(&self) -> Position {
        Position(self.head.load(Ordering::Acquire))
    }

    /// How many postings of a term are at positions up to `until`, all of them if `until` is the head.
    pub(crate) async fn count_up_to(&self, term: &[u8], until: Position) -> Result<u64, ReadError> {
        loop {
            let runs = lock(&self.sequencer).runs.clone();
            let covered = Position(runs.covered_to_position());
            let older = if until >= covered {
                runs.stream_length(term).await?
            } else {
                return Ok(runs.count_between(term, 0, until.0).await?);
            };
            let sequencer = lock(&self.sequencer);
            if sequencer.runs.covered_to_position() == covered.0 {
                let newer = sequencer.count_after(term, covered) - sequencer.count_after(term, until);
                return Ok(older + newer);
            }
        }
    }

    /// True if the journal ends with a seal.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// True once nothing can be appended any more.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.sequencer).refusal_of_all().is_some()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without a close: what was acknowledged is on disk; the next opening recovers.
        self.signals.stop();
        self.visible.notify();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
