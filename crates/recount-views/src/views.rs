//! The entities and views of a database: declared, kept up to date, asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use recount_entity::key::Key;
use recount_entity::table::Located;
use recount_env::{Env, Signal, block_on};
use recount_store::catalogue::{Catalogue, EntityState, EntityVersion};
use recount_store::ddl::{self, CreateEntity, SkipEvent, Statement};
use recount_store::schema::{ColumnType, TopicDefinition};
use recount_store::{DdlError, Executed, From, ReadError, ReadRequest, Scope, Store};
use recount_types::{EntityId, Position, TopicId, TopicName};

use crate::bind::{Bound, RowColumn, bind};
use crate::budget::{Budget, HeldRows};
use crate::error::ViewError;
use crate::key_text;
use crate::live::{Beside, Live, Status};
use crate::lock;
use crate::replica::{Confines, Plan, Replica, Source};
use crate::snapshot::{Snapshots, ViewSnapshots, plan_hash};
use crate::view::{Compiler, Feeds, KnownViews, NoCompiler, views_still_fit};

/// How entities are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Memory for the rows of all entities and views together, and for what the operators of views keep.
    pub entity_bytes: usize,
    /// How long a question waits for an entity that is behind.
    pub wait_ms: u64,
    /// Events of an entity from one snapshot of its rows to the next, at least.
    pub snapshot_events: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { entity_bytes: 2 << 30, wait_ms: 10_000, snapshot_events: 1 << 20 }
    }
}

/// A new version takes over when it is so near to the head.
const SWITCH_POSITIONS: u64 = 10_000;
/// Pause of the task beside, so that events are folded some at a time.
const PAUSE: Duration = Duration::from_millis(5);

/// The entities and views of a database. Cheap to clone. Its methods block while they read events.
#[derive(Clone)]
pub struct Views {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Views {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Views").finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) env: Env,
    pub(crate) settings: Settings,
    seed: u64,
    pub(crate) budget: Arc<Budget>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) view_snapshots: Arc<ViewSnapshots>,
    /// Plans the queries of views.
    pub(crate) compiler: Arc<dyn Compiler>,
    pub(crate) known: Mutex<Known>,
    /// Wakes the task beside.
    wake: Arc<Signal>,
    stop: AtomicBool,
    started: AtomicBool,
}

/// The entities and views of one catalogue.
#[derive(Default)]
pub(crate) struct Known {
    catalogue: Option<Arc<Catalogue>>,
    live: BTreeMap<(EntityId, u32), Arc<Live>>,
    /// Those that could not be bound, and why.
    broken: BTreeMap<(EntityId, u32), String>,
    pub(crate) views: KnownViews,
}

/// An entity as it is known.
#[derive(Debug, Clone)]
pub struct EntityInfo {
    /// Its name.
    pub name: TopicName,
    /// The version.
    pub version: u32,
    /// Whether it is the one that answers.
    pub current: bool,
    /// The columns of its rows: those of the key, then those of the state.
    pub columns: Vec<RowColumn>,
    /// How many of them are the key's.
    pub key_width: usize,
    /// The topics that it is made of: its own, then those that it looks up.
    pub topics: Vec<TopicName>,
    /// The statement that declares it.
    pub text: String,
    /// The columns that are kept of what each LOOKUP finds.
    pub lookups: Vec<Vec<(String, ColumnType)>>,
    /// The condition of each rule, as it was written.
    pub rules: Vec<String>,
}

/// A key that stopped at an event which could not be folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedKey {
    /// The entity.
    pub entity: TopicName,
    /// Its version.
    pub version: u32,
    /// The key, as it is written.
    pub key: String,
    /// The event.
    pub position: Position,
    /// Why it could not be folded.
    pub reason: String,
}

impl Views {
    /// The entities of a store, which are kept up to date from now on; without views.
    pub fn open(store: Store, env: Env, settings: Settings) -> Views {
        Views::open_with(store, env, settings, Arc::new(NoCompiler))
    }

    /// The entities and views of a store, which are kept up to date from now on.
    pub fn open_with(store: Store, env: Env, settings: Settings, compiler: Arc<dyn Compiler>) -> Views {
        let seed = u64::from_le_bytes(env.random());
        let budget = Budget::new(settings.entity_bytes);
        let (path, id) = (store.root().join("snapshots"), store.id());
        let snapshots = Snapshots::new(env.clone(), path.clone(), id);
        let view_snapshots = ViewSnapshots::new(env.clone(), path, id, settings.snapshot_events);
        let inner = Inner {
            store,
            env,
            settings,
            seed,
            budget,
            snapshots: Arc::new(snapshots),
            view_snapshots: Arc::new(view_snapshots),
            compiler,
            known: Mutex::default(),
            wake: Arc::new(Signal::new()),
            stop: AtomicBool::new(false),
            started: AtomicBool::new(false),
        };
        let views = Views { inner: Arc::new(inner) };
        views.inner.refresh();
        views.start();
        views
    }

    /// Ends the task beside, keeps snapshots of what would have to be folded again, and removes those of what was dropped. Questions are
    /// still answered.
    pub fn close(&self) {
        self.inner.stop.store(true, Ordering::Release);
        self.inner.wake.notify();
        let live: Vec<_> = lock(&self.inner.known).live.values().cloned().collect();
        live.iter().for_each(|live| live.keep_on_closing());
        self.inner.keep_views_on_closing();
        self.inner.remove_what_was_dropped(&self.inner.store.catalogue());
        self.inner.snapshots.close();
        self.inner.view_snapshots.close();
    }

    /// Runs a statement that defines something: a topic or an entity.
    pub fn execute(&self, sql: &str) -> Result<Executed, DdlError> {
        let statement = ddl::parse(sql).map_err(|error| DdlError::Syntax(error.to_string()))?;
        self.define(statement)
    }

    /// Runs a statement that was read already.
    pub fn define(&self, statement: Statement) -> Result<Executed, DdlError> {
        let store = &self.inner.store;
        let executed = match statement {
            Statement::CreateEntity(entity) => {
                let check = |catalogue: &Catalogue| {
                    let sources = sources_by_name(catalogue, &entity)?;
                    let bound = bind_all(&entity, &sources)?;
                    views_still_fit(catalogue, &entity.name, &bound.columns)
                };
                block_on(store.define(Statement::CreateEntity(entity.clone()), &check))?
            }
            Statement::AlterEntity(mut alter) => {
                let position = self.skippable(&alter.name, &alter.skip)?;
                alter.skip = SkipEvent::Position(position);
                block_on(store.define(Statement::AlterEntity(alter), &|_| Ok(())))?
            }
            Statement::AlterTopic(alter) => {
                let check = |catalogue: &Catalogue| {
                    let Some(topic) = catalogue.by_name(&alter.name) else { return Ok(()) };
                    let altered = topic.definition.altered(&alter).map_err(DdlError::Invalid)?;
                    still_bound(catalogue, topic.id, &altered)?;
                    self.inner.views_remain(catalogue, &alter)
                };
                block_on(store.define(Statement::AlterTopic(alter.clone()), &check))?
            }
            Statement::CreateView(view) => self.inner.create_view(view)?,
            other => block_on(store.define(other, &|_| Ok(())))?,
        };
        self.inner.refresh();
        self.start();
        self.inner.wake.notify();
        Ok(executed)
    }

    /// The position of an event that an entity is to pass over, which is one of its topic's.
    fn skippable(&self, entity: &TopicName, skip: &SkipEvent) -> Result<Position, DdlError> {
        let store = &self.inner.store;
        let catalogue = store.catalogue();
        let topic = catalogue
            .entity(entity)
            .and_then(|entity| catalogue.by_id(entity.versions.get(&entity.current)?.topic))
            .ok_or_else(|| DdlError::NoEntity(entity.clone()))?;
        let failed = |error: ReadError| DdlError::Invalid(error.to_string());
        let position = match skip {
            SkipEvent::Position(position) => *position,
            SkipEvent::Id(id) => {
                block_on(store.position_of_id(&topic.name, id)).map_err(failed)?.ok_or_else(|| {
                    DdlError::Invalid(format!("topic {} has no event with the id '{id}'", topic.name))
                })?
            }
        };
        let mut request = ReadRequest::all(Scope::Topic(topic.name.clone()));
        (request.from, request.limit) = (From::Position(position), Some(1));
        let found = block_on(async { store.read(request).await?.next().await }).map_err(failed)?;
        if found.is_none_or(|event| event.position != position) {
            return Err(DdlError::Invalid(format!(
                "topic {} has no event at position {position}",
                topic.name
            )));
        }
        Ok(position)
    }

    /// Every version of every entity.
    pub fn entities(&self) -> Vec<EntityInfo> {
        let known = self.inner.refresh();
        let catalogue = self.inner.store.catalogue();
        let info = |live: &Arc<Live>| {
            let entity = catalogue.entity_by_id(live.id)?;
            Some(EntityInfo {
                name: live.name.clone(),
                version: live.version,
                current: entity.current == live.version,
                columns: live.columns.clone(),
                key_width: live.key_width,
                topics: live.topics().cloned().collect(),
                text: entity.versions.get(&live.version)?.text.clone(),
                lookups: live.lookups.clone(),
                rules: live.rules.clone(),
            })
        };
        known.iter().filter_map(info).collect()
    }

    /// One entity; the version that answers unless another is asked for.
    pub fn entity(&self, name: &str, version: Option<u32>) -> Result<EntityInfo, ViewError> {
        let live = self.inner.find(name, version)?;
        let found =
            self.entities().into_iter().find(|info| info.name == live.name && info.version == live.version);
        found.ok_or_else(|| ViewError::NotFound(format!("there is no entity {name}")))
    }

    /// How far an entity has come.
    pub fn status(&self, name: &str, version: Option<u32>) -> Result<Status, ViewError> {
        Ok(self.inner.find(name, version)?.status())
    }

    /// Waits until the database is at a position.
    pub fn wait_for(&self, position: Position) -> Result<(), ViewError> {
        self.inner.head_at(position).map(drop)
    }

    /// The position that a version has come to, without waiting for it.
    pub fn progress(&self, name: &str, version: u32) -> Result<u64, ViewError> {
        self.inner.find(name, Some(version))?.progress()
    }

    /// The keys that stopped at an event, of every version.
    pub fn stopped(&self) -> Result<Vec<StoppedKey>, ViewError> {
        let mut all = Vec::new();
        for live in self.inner.refresh() {
            live.each_stopped(&mut |key, position, reason| {
                all.push(StoppedKey {
                    entity: live.name.clone(),
                    version: live.version,
                    key: key_text::shown(key, &live.columns[..live.key_width]),
                    position: Position(position),
                    reason: reason.to_owned(),
                });
            })?;
        }
        Ok(all)
    }

    /// The rows of several entities at one position, at or behind `wanted` and the head.
    pub fn freeze(
        &self,
        wanted: &[(&str, Option<u32>)],
        at_least: Position,
    ) -> Result<(Position, Vec<HeldRows>), ViewError> {
        let (position, rows, _) = self.freeze_all(wanted, &[], at_least)?;
        Ok((position, rows))
    }

    /// Where a key is among the rows that [`Views::freeze`] gives; `None` if that cannot be told at once.
    pub fn locate(&self, name: &str, version: Option<u32>, key: &Key) -> Option<Located> {
        self.inner.find(name, version).ok()?.locate(key)
    }

    /// Does something that may block beside the caller.
    pub fn beside(&self, name: &str, work: impl FnOnce() + Send + 'static) {
        self.inner.env.tasks.spawn(name, Box::pin(async move { work() }));
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Starts the task beside, once there is something to do for it.
    fn start(&self) {
        let nothing = {
            let known = lock(&self.inner.known);
            known.live.is_empty() && known.views.live.is_empty()
        };
        if nothing || self.inner.started.swap(true, Ordering::AcqRel) {
            return;
        }
        let env = self.inner.env.clone();
        let (wake, visible) = (self.inner.wake.clone(), self.inner.store.visible());
        let task = keep_up(Arc::downgrade(&self.inner), env.clone(), wake, visible);
        env.tasks.spawn("recount-views", Box::pin(task));
    }
}

impl Inner {
    /// Removes the snapshots of what is not in the catalogue any more.
    fn remove_what_was_dropped(&self, catalogue: &Catalogue) {
        self.snapshots.retain(&|id, version| is_there(catalogue, id, version));
        self.view_snapshots.retain(&|id| catalogue.view_by_id(id).is_some());
    }

    /// Whether to go on waiting, from now on.
    pub(crate) fn patience(&self) -> impl Fn() -> bool + use<> {
        let clock = self.env.clock.clone();
        let until = clock.boottime_us().saturating_add(self.settings.wait_ms.saturating_mul(1000));
        move || clock.boottime_us() < until
    }

    /// The head, once it is at `at_least`.
    pub(crate) fn head_at(&self, at_least: Position) -> Result<Position, ViewError> {
        let (visible, goes_on) = (self.store.visible(), self.patience());
        loop {
            let seen = visible.generation();
            let head = self.store.head();
            if head >= at_least {
                return Ok(head);
            }
            if !goes_on() || self.store.is_closed() {
                let entity = "the database".to_owned();
                return Err(ViewError::Behind { entity, position: head.0, wanted: at_least.0 });
            }
            block_on(self.env.tasks.wait(&visible, seen, Some(PAUSE)));
        }
    }

    /// The version of an entity that answers, or the one asked for.
    pub(crate) fn find(&self, name: &str, version: Option<u32>) -> Result<Arc<Live>, ViewError> {
        self.refresh();
        let catalogue = self.store.catalogue();
        let entity = TopicName::parse(name).ok().and_then(|name| catalogue.entity(&name).cloned());
        let Some(entity) = entity else {
            return Err(ViewError::NotFound(format!("there is no entity {name}")));
        };
        let version = version.unwrap_or(entity.current);
        let known = lock(&self.known);
        if let Some(live) = known.live.get(&(entity.id, version)) {
            return Ok(live.clone());
        }
        if let Some(why) = known.broken.get(&(entity.id, version)) {
            return Err(ViewError::BadRequest(format!("entity {name} cannot be read: {why}")));
        }
        let versions: Vec<_> = entity.versions.keys().map(u32::to_string).collect();
        Err(ViewError::NotFound(format!(
            "entity {name} has no version {version}: it has {}",
            versions.join(", ")
        )))
    }

    pub(crate) fn replica(&self, plan: Plan, confines: Confines) -> Replica {
        Replica::new(&self.store, plan, confines, self.seed, self.budget.share())
    }

    pub(crate) fn feeds(&self) -> Feeds {
        Feeds {
            seed: self.seed,
            budget: self.budget.clone(),
            snapshots: self.snapshots.clone(),
            snapshot_events: self.settings.snapshot_events,
        }
    }

    fn beside(&self) -> Beside {
        let interval = self.settings.snapshot_events;
        Beside { clock: self.env.clock.clone(), snapshots: self.snapshots.clone(), interval }
    }

    /// Follows the catalogue; the entities that are kept up to date by it.
    pub(crate) fn refresh(&self) -> Vec<Arc<Live>> {
        let mut known = lock(&self.known);
        // Read under the lock, so that nobody follows an older one afterwards.
        let catalogue = self.store.catalogue();
        if known.catalogue.as_ref().is_none_or(|before| !Arc::ptr_eq(before, &catalogue)) {
            known.follow(self, &catalogue);
            known.catalogue = Some(catalogue);
        }
        known.live.values().cloned().collect()
    }

    /// New versions that have caught up take over.
    fn switch(&self, head: u64) {
        let catalogue = self.store.catalogue();
        for entity in catalogue.entities() {
            let is_near = |version: &&u32| {
                let live = lock(&self.known).live.get(&(entity.id, **version)).cloned();
                let position = live.and_then(|live| live.progress().ok());
                position.is_some_and(|position| position > 0 && position + SWITCH_POSITIONS >= head)
            };
            let mut later = entity.versions.keys().rev().take_while(|version| **version > entity.current);
            if let Some(&newest) = later.find(is_near) {
                let switched = block_on(self.store.switch_entity(&entity.name, newest));
                if let Err(error) = switched {
                    tracing::warn!(entity = %entity.name, version = newest, %error, "the new version does not take over yet");
                }
            }
        }
    }
}

impl Known {
    fn follow(&mut self, inner: &Inner, catalogue: &Arc<Catalogue>) {
        self.live.retain(|(id, version), _| is_there(catalogue, *id, *version));
        self.broken.clear();
        for entity in catalogue.entities() {
            for (&number, version) in &entity.versions {
                let at = (entity.id, number);
                let plan = match plan(catalogue, entity, version) {
                    Ok(plan) => plan,
                    Err(why) => {
                        self.live.remove(&at);
                        self.broken.insert(at, why);
                        continue;
                    }
                };
                let known = self.live.get(&at);
                if known.is_none_or(|live| *live.plan() != plan) {
                    let before = known.filter(|live| live.plan().hash == plan.hash).cloned();
                    let replica = inner.replica(plan, Confines::default());
                    let beside = inner.beside();
                    let live = Live::new(entity.id, entity.name.clone(), number, replica, beside, before);
                    self.live.insert(at, Arc::new(live));
                }
            }
        }
        self.views.follow(inner, catalogue);
    }
}

fn is_there(catalogue: &Catalogue, id: EntityId, version: u32) -> bool {
    let entity = catalogue.entity_by_id(id);
    entity.is_some_and(|entity| !entity.dropped && entity.versions.contains_key(&version))
}

/// The task beside: folds what is new, some at a time, as long as there are entities and somebody holds them.
async fn keep_up(inner: Weak<Inner>, env: Env, wake: Arc<Signal>, visible: Arc<Signal>) {
    let mut followed: Option<Arc<Catalogue>> = None;
    loop {
        let (woken, moved) = (wake.generation(), visible.generation());
        let Some(held) = inner.upgrade() else { return };
        if held.stop.load(Ordering::Acquire) || held.store.is_closed() {
            return;
        }
        let head = held.store.head().0;
        let mut more = false;
        let all = held.refresh();
        let catalogue = held.store.catalogue();
        if !followed.as_ref().is_some_and(|followed| Arc::ptr_eq(followed, &catalogue)) {
            held.remove_what_was_dropped(&catalogue);
            followed = Some(catalogue);
        }
        for live in all {
            match live.epoch(head) {
                Ok(behind) => more |= behind,
                Err(error) => {
                    tracing::debug!(entity = %live.name, version = live.version, %error, "does not go on");
                }
            }
            live.keep_taken();
        }
        more |= held.views_come_nearer(head);
        held.switch(head);
        let idle = !more && held.store.head().0 == head;
        drop(held);
        if idle {
            visible.changed(moved).await;
        }
        if !more {
            env.tasks.wait(&wake, woken, Some(PAUSE)).await;
        }
    }
}

/// What a version folds, bound to the topics as they are now.
pub(crate) fn plan(
    catalogue: &Catalogue,
    entity: &EntityState,
    version: &EntityVersion,
) -> Result<Plan, String> {
    let statement = match ddl::parse(&version.text) {
        Ok(Statement::CreateEntity(statement)) => statement,
        Ok(_) => return Err("what declares it is not CREATE ENTITY".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let source = |id: &TopicId| {
        let topic = catalogue.by_id(*id).ok_or_else(|| format!("topic number {id} is gone"))?;
        Ok(Source { id: topic.id, name: topic.name.clone(), definition: topic.definition.clone() })
    };
    let topic = source(&version.topic)?;
    // The ids of the topics that are looked up, each once.
    let known: Result<Vec<Source>, String> = version.lookups.iter().map(source).collect();
    let sources = Sources { topic, lookups: in_order(&statement, &known?)? };
    let bound = bind_all(&statement, &sources).map_err(|error| error.to_string())?;
    let hash = plan_hash(&version.text, &bound, &sources.topic, &sources.lookups);
    Ok(Plan {
        hash,
        bound: Arc::new(bound),
        topic: Arc::new(sources.topic),
        lookups: sources.lookups.into(),
        skipped: entity.skipped.as_slice().into(),
    })
}

/// What each LOOKUP of a statement looks up.
fn in_order(statement: &CreateEntity, known: &[Source]) -> Result<Vec<Source>, String> {
    let source = |lookup: &ddl::Lookup| {
        let name = &lookup.relation.folded;
        let found = known.iter().find(|source| source.name.as_str() == name);
        found.cloned().ok_or_else(|| format!("topic {name} is gone"))
    };
    statement.lookups.iter().map(source).collect()
}

struct Sources {
    topic: Source,
    lookups: Vec<Source>,
}

fn sources_by_name(catalogue: &Catalogue, entity: &CreateEntity) -> Result<Sources, DdlError> {
    let source = |name: &ddl::Ident| {
        let found = TopicName::parse(&name.folded).ok().and_then(|name| catalogue.by_name(&name));
        let Some(topic) = found else {
            let is_entity =
                TopicName::parse(&name.folded).is_ok_and(|name| catalogue.entity(&name).is_some());
            let message = if is_entity {
                format!("{} is an entity: entities are made of topics", name.folded)
            } else {
                format!("there is no topic {}", name.folded)
            };
            return Err(DdlError::Syntax(ddl::ParseError::at(name.at, message).to_string()));
        };
        Ok(Source { id: topic.id, name: topic.name.clone(), definition: topic.definition.clone() })
    };
    let topic = source(&entity.topic)?;
    let lookups: Result<Vec<Source>, DdlError> =
        entity.lookups.iter().map(|lookup| source(&lookup.relation)).collect();
    Ok(Sources { topic, lookups: lookups? })
}

fn bind_all(entity: &CreateEntity, sources: &Sources) -> Result<Bound, DdlError> {
    let lookups: Vec<&TopicDefinition> = sources.lookups.iter().map(|source| &source.definition).collect();
    bind(entity, &sources.topic.definition, &lookups).map_err(|error| DdlError::Syntax(error.to_string()))
}

/// Refuses a definition of a topic with which an entity could not be bound any more.
fn still_bound(
    catalogue: &Catalogue,
    altered: TopicId,
    definition: &TopicDefinition,
) -> Result<(), DdlError> {
    for entity in catalogue.entities() {
        for (number, version) in &entity.versions {
            let Ok(Statement::CreateEntity(statement)) = ddl::parse(&version.text) else { continue };
            let source = |id: &TopicId| {
                let topic = catalogue.by_id(*id)?;
                let definition = if *id == altered { definition } else { &topic.definition };
                Some(Source { id: topic.id, name: topic.name.clone(), definition: definition.clone() })
            };
            let lookups: Option<Vec<Source>> = version.lookups.iter().map(source).collect();
            let lookups = lookups.and_then(|known| in_order(&statement, &known).ok());
            let (Some(topic), Some(lookups)) = (source(&version.topic), lookups) else { continue };
            if let Err(error) = bind_all(&statement, &Sources { topic, lookups }) {
                return Err(DdlError::Invalid(format!(
                    "entity {} (version {number}) would not fit the topic any more: {error}",
                    entity.name
                )));
            }
        }
    }
    Ok(())
}
