//! All views of a database: the catalogue followed, questions answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use recount_store::catalogue::{Catalogue, EntityRead, Read, ViewState};
use recount_store::columns::columns_of;
use recount_store::ddl::{self, AlterTopic, CreateView, Statement, ViewEntity, ViewRead};
use recount_store::schema::ColumnType;
use recount_store::{DdlError, Executed};
use recount_types::{EntityId, Position, TopicId, TopicName, ViewId};

use super::live::Held;
use super::{Explained, Ground, LiveView, ViewInfo, ViewRows, ViewStatus};
use crate::bind::RowColumn;
use crate::budget::{HeldRows, Share};
use crate::error::ViewError;
use crate::live::Live;
use crate::lock;
use crate::views::{Inner, Views, plan};

/// A position, and the rows of entities and of views there.
pub type FrozenAll = (Position, Vec<HeldRows>, Vec<ViewRows>);

/// The views of one catalogue.
#[derive(Default)]
pub(crate) struct KnownViews {
    pub(crate) live: BTreeMap<ViewId, Arc<LiveView>>,
    /// Those whose query cannot be planned, and why.
    broken: BTreeMap<ViewId, String>,
    /// One with another query, which is to take the place of the one that is live.
    prepared: BTreeMap<ViewId, LiveView>,
}

impl KnownViews {
    pub(crate) fn follow(&mut self, inner: &Inner, catalogue: &Arc<Catalogue>) {
        self.live.retain(|id, _| catalogue.views().any(|view| view.id == *id));
        self.broken.clear();
        for view in catalogue.views() {
            let read = WhatIsRead::of(catalogue, view);
            if self.live.get(&view.id).is_some_and(|live| live.read == read) {
                continue;
            }
            let prepared = self.prepared.remove(&view.id).filter(|live| live.info.text == view.text);
            if let Some(mut live) = prepared.filter(|live| live.read.is_but_for(view.id, &read)) {
                live.read = read;
                self.live.insert(view.id, Arc::new(live));
                continue;
            }
            match inner.made(catalogue, view, inner.budget.share()) {
                Ok(live) => drop(self.live.insert(view.id, Arc::new(live))),
                Err(why) => {
                    self.live.remove(&view.id);
                    self.broken.insert(view.id, why);
                }
            }
        }
    }
}

impl Inner {
    /// A view as the catalogue has it.
    pub(super) fn made(
        &self,
        catalogue: &Arc<Catalogue>,
        view: &ViewState,
        memory: Share,
    ) -> Result<LiveView, String> {
        let statement = definition(catalogue, view)?;
        let (compiler, ground) = (self.compiler.clone(), self.ground(catalogue));
        let make = move || compiler.compile(&ground, &statement, true);
        let compiled = make().map_err(|error| error.to_string())?;
        let read = WhatIsRead::of(catalogue, view);
        let topics = read.topics(catalogue);
        let of = (view.id, view.name.clone(), view.text.clone(), topics);
        let with = (self.store.clone(), self.env.clone(), memory);
        Ok(LiveView::new(of, read, (Box::new(make), compiled), with, self.view_snapshots.clone()))
    }

    fn ground(&self, catalogue: &Arc<Catalogue>) -> Ground {
        Ground::new(self.store.clone(), catalogue.clone(), self.feeds())
    }

    pub(super) fn find_view(&self, name: &str) -> Result<Arc<LiveView>, ViewError> {
        self.refresh();
        let catalogue = self.store.catalogue();
        let view = TopicName::parse(name).ok().and_then(|name| catalogue.view(&name).cloned());
        let Some(view) = view else {
            return Err(ViewError::NotFound(format!("there is no view {name}")));
        };
        let known = lock(&self.known);
        if let Some(live) = known.views.live.get(&view.id) {
            return Ok(live.clone());
        }
        let why = known.views.broken.get(&view.id).map_or("it was only just declared", String::as_str);
        Err(ViewError::BadRequest(format!("view {name} cannot be read: {why}")))
    }

    fn live_views(&self) -> Vec<Arc<LiveView>> {
        lock(&self.known).views.live.values().cloned().collect()
    }

    /// Takes every view nearer to the head, and keeps beside what is due; whether there is more to do.
    pub(crate) fn views_come_nearer(&self, head: u64) -> bool {
        let mut more = false;
        for view in self.live_views() {
            match view.epoch(head) {
                Ok(behind) => more |= behind,
                Err(error) => tracing::debug!(view = %view.info.name, %error, "does not go on"),
            }
            if view.take(self.settings.snapshot_events, false) {
                let keep = async move { view.keep_taken() };
                self.env.tasks.spawn("recount-view-snapshot", Box::pin(keep));
            }
        }
        more
    }

    /// Keeps what would have to be read again.
    pub(crate) fn keep_views_on_closing(&self) {
        for view in self.live_views() {
            view.keep_taken();
            if view.take(self.settings.snapshot_events, true) {
                view.keep_taken();
            }
        }
    }

    /// Declares a view.
    pub(crate) fn create_view(&self, mut create: Box<CreateView>) -> Result<Executed, DdlError> {
        let planned_on = self.store.catalogue();
        let compiled = self.compiler.compile(&self.ground(&planned_on), &create, false)?;
        (create.reads, create.entities, create.views) = (compiled.reads, compiled.entities, compiled.views);
        let check = |catalogue: &Catalogue| {
            if std::ptr::eq(catalogue, &*planned_on) {
                return Ok(());
            }
            let ground = self.ground(&Arc::new(catalogue.clone()));
            let again = self.compiler.compile(&ground, &create, false)?;
            if (&again.reads, &again.entities, &again.views)
                == (&create.reads, &create.entities, &create.views)
            {
                return Ok(());
            }
            Err(DdlError::Invalid(
                "a topic or entity that the view reads was altered meanwhile: try again".to_owned(),
            ))
        };
        let replaced = planned_on.view(&create.name).filter(|_| create.or_replace).cloned();
        if let Some(before) = &replaced {
            self.prepare(&planned_on, before, &create, &compiled.columns)?;
        }
        let defined = recount_env::block_on(self.store.define(Statement::CreateView(create.clone()), &check));
        if let (Err(_), Some(before)) = (&defined, &replaced) {
            lock(&self.known).views.prepared.remove(&before.id);
        }
        defined
    }

    /// Brings a view with another query to the head, while the one before answers; it takes over with the statement.
    fn prepare(
        &self,
        catalogue: &Arc<Catalogue>,
        before: &ViewState,
        create: &CreateView,
        columns: &[RowColumn],
    ) -> Result<(), DdlError> {
        let reader = catalogue.views().find(|reader| reader.views.contains(&before.id));
        if let (Some(reader), Ok(live)) = (reader, self.find_view(before.name.as_str()))
            && live.info.columns != columns
        {
            let (name, reader) = (&before.name, &reader.name);
            return Err(DdlError::Invalid(format!(
                "view {reader} reads view {name}, whose columns have to stay: name them as before and cast them, or drop {reader} first"
            )));
        }
        let catalogue = Arc::new(catalogue.with_view(create)?);
        let Some(view) = catalogue.view(&create.name) else { return Ok(()) };
        let live = self.made(&catalogue, view, self.budget.share()).map_err(DdlError::Invalid)?;
        let failed = |error: ViewError| {
            DdlError::Invalid(format!("view {} stays as it is: the new query fails: {error}", create.name))
        };
        // It goes on behind the head once it has taken over.
        live.at(self.store.head().0, &|| !self.store.is_closed()).map_err(failed).map(drop)?;
        lock(&self.known).views.prepared.insert(before.id, live);
        Ok(())
    }

    /// Refuses to alter a topic in a way in which a view cannot be kept any more.
    pub(crate) fn views_remain(&self, catalogue: &Catalogue, alter: &AlterTopic) -> Result<(), DdlError> {
        let Some(topic) = catalogue.by_name(&alter.name) else { return Ok(()) };
        let reads_it = |view: &&Arc<ViewState>| WhatIsRead::of(catalogue, view).reads_topic(topic.id);
        let mut readers = catalogue.views().filter(reads_it).peekable();
        if readers.peek().is_none() {
            return Ok(());
        }
        let altered = Arc::new(catalogue.altered(alter)?);
        for view in readers {
            self.made(&altered, view, self.budget.share()).map_err(|why| {
                DdlError::Invalid(format!("view {} could not be kept any more: {why}", view.name))
            })?;
        }
        Ok(())
    }
}

impl Views {
    /// Every view, by name; without those whose query cannot be planned any more.
    pub fn views(&self) -> Vec<ViewInfo> {
        self.inner().refresh();
        let known = lock(&self.inner().known);
        let mut views: Vec<ViewInfo> = known.views.live.values().map(|live| live.info.clone()).collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }

    /// The views whose query cannot be planned any more, and why.
    pub fn broken_views(&self) -> Vec<(TopicName, String)> {
        self.inner().refresh();
        let catalogue = self.inner().store.catalogue();
        let known = lock(&self.inner().known);
        let named =
            |(id, why): (&ViewId, &String)| Some((catalogue.view_by_id(*id)?.name.clone(), why.clone()));
        known.views.broken.iter().filter_map(named).collect()
    }

    /// One view.
    pub fn view(&self, name: &str) -> Result<ViewInfo, ViewError> {
        Ok(self.inner().find_view(name)?.info.clone())
    }

    /// The statement that declares a view, with what it read then; `None` = there is no such view.
    pub fn view_definition(&self, name: &str) -> Result<Option<CreateView>, ViewError> {
        let catalogue = self.inner().store.catalogue();
        let view = TopicName::parse(name).ok().and_then(|name| catalogue.view(&name).cloned());
        let Some(view) = view else { return Ok(None) };
        let failed = |why| ViewError::BadRequest(format!("view {name} cannot be read: {why}"));
        Ok(Some(definition(&catalogue, &view).map_err(failed)?))
    }

    /// The operators of a view, the last one first, each above what it reads.
    pub fn explain_view(&self, name: &str) -> Result<Vec<Explained>, ViewError> {
        Ok(self.inner().find_view(name)?.explained())
    }

    /// How a view is.
    pub fn view_status(&self, name: &str) -> Result<ViewStatus, ViewError> {
        Ok(self.inner().find_view(name)?.status())
    }

    /// The rows of several entities and views at one position, at or behind `at_least` and the head.
    pub fn freeze_all(
        &self,
        entities: &[(&str, Option<u32>)],
        views: &[&str],
        at_least: Position,
    ) -> Result<FrozenAll, ViewError> {
        let inner = self.inner();
        let goes_on = inner.patience();
        loop {
            let (found, frozen) = self.freeze_once(entities, views, at_least, &goes_on)?;
            let catalogue = inner.store.catalogue();
            let is_of_now = |live: &Arc<LiveView>| {
                let view = catalogue.view_by_id(live.id);
                view.is_none_or(|view| WhatIsRead::of(&catalogue, view) == live.read)
            };
            // Of a topic that was altered meanwhile, it may have read events as the topic was before.
            let Some(before) = found.iter().find(|live| !is_of_now(live)) else { return Ok(frozen) };
            if !goes_on() {
                let (entity, at) = (format!("view {}", before.info.name), frozen.0.0);
                return Err(ViewError::Behind { entity, position: at, wanted: at });
            }
        }
    }

    fn freeze_once(
        &self,
        entities: &[(&str, Option<u32>)],
        views: &[&str],
        at_least: Position,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(Vec<Arc<LiveView>>, FrozenAll), ViewError> {
        let inner = self.inner();
        let mut position = inner.head_at(at_least)?.0;
        let live: Result<Vec<_>, _> =
            entities.iter().map(|(name, version)| inner.find(name, *version)).collect();
        let live = live?;
        let found: Vec<Arc<LiveView>> =
            views.iter().map(|name| inner.find_view(name)).collect::<Result<_, _>>()?;
        // Always locked in the same order, and each once. Whoever holds a view moves it: entities are where it is soon.
        let mut held: BTreeMap<ViewId, Held<'_>> = BTreeMap::new();
        let ordered: BTreeMap<ViewId, &Arc<LiveView>> = found.iter().map(|view| (view.id, view)).collect();
        for (id, view) in ordered {
            let view = view.at(position, goes_on)?;
            position = position.max(view.position());
            held.insert(id, view);
        }
        let mut rows = Vec::new();
        if !live.is_empty() {
            let all: Vec<&Live> = live.iter().map(AsRef::as_ref).collect();
            (position, rows) = Live::freeze(&all, position, goes_on)?;
        }
        for view in held.values_mut() {
            view.catch_up(position, goes_on)?;
        }
        let of_views = found.iter().filter_map(|view| held.get(&view.id).map(Held::rows)).collect();
        drop(held);
        Ok((found, (Position(position), rows, of_views)))
    }
}

/// The statement that declares a view, with what it reads.
pub fn definition(catalogue: &Catalogue, view: &ViewState) -> Result<CreateView, String> {
    let statement = match ddl::parse(&view.text) {
        Ok(Statement::CreateView(statement)) => *statement,
        Ok(_) => return Err("what declares it is not CREATE MATERIALIZED VIEW".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let read = |read: &Read| {
        let topic = catalogue.by_id(read.topic());
        let topic = topic.ok_or_else(|| format!("topic number {} is gone", read.topic()))?;
        Ok(ViewRead { topic: topic.name.clone(), columns: read.columns.clone() })
    };
    let reads = view.reads.iter().map(read).collect::<Result<Vec<_>, String>>()?;
    let entity = |read: &EntityRead| {
        let entity = catalogue.entity_by_id(read.entity()).filter(|entity| !entity.dropped);
        let entity = entity.ok_or_else(|| format!("entity number {} is gone", read.entity()))?;
        let (version, columns) = (read.version, read.columns.clone());
        Ok(ViewEntity { entity: entity.name.clone(), version, columns })
    };
    let entities = view.entities.iter().map(entity).collect::<Result<Vec<_>, String>>()?;
    let views = view.views.iter().filter_map(|id| catalogue.view_by_id(*id));
    let views = views.map(|view| view.name.clone()).collect();
    Ok(CreateView { reads, entities, views, ..statement })
}

/// Refuses rows of an entity without what a view reads of them.
pub(crate) fn views_still_fit(
    catalogue: &Catalogue,
    entity: &TopicName,
    columns: &[RowColumn],
) -> Result<(), DdlError> {
    let Some(entity) = catalogue.entity(entity) else { return Ok(()) };
    let Some(current) = entity.versions.get(&entity.current) else { return Ok(()) };
    let before = plan(catalogue, entity, current).map_err(DdlError::Invalid)?;
    for view in catalogue.views() {
        let of_today = |read: &&EntityRead| read.entity() == entity.id && read.version.is_none();
        for read in view.entities.iter().filter(of_today) {
            let column_type = |of: &[RowColumn], name: &String| {
                of.iter().find(|column| column.name == *name).map(|column| column.column_type)
            };
            let differs =
                |name: &&String| column_type(columns, name) != column_type(&before.bound.columns, name);
            if let Some(name) = read.columns.iter().find(differs) {
                let (view, entity) = (&view.name, &entity.name);
                return Err(DdlError::Invalid(format!(
                    "view {view} reads column {name} of entity {entity}, which would be gone or of another type: keep the column, or drop the view first"
                )));
            }
        }
    }
    Ok(())
}

/// How many events a version of an entity passes over, and its topics with their schemas.
type MadeOf = (usize, Vec<(TopicId, u32)>);

/// What a view reads, itself or through others, and how that is. Once it is another, the view is made again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WhatIsRead {
    /// The columns of each topic, with their types and whether they may be null.
    topics: BTreeMap<TopicId, Vec<(String, ColumnType, bool)>>,
    /// Of each version of an entity the events that it passes over, and the topics that it is made of with their schemas.
    entities: BTreeMap<(EntityId, u32), MadeOf>,
    /// Where each view, itself too, was declared.
    views: BTreeMap<ViewId, Position>,
}

impl WhatIsRead {
    fn of(catalogue: &Catalogue, view: &ViewState) -> WhatIsRead {
        let mut read =
            WhatIsRead { topics: BTreeMap::new(), entities: BTreeMap::new(), views: BTreeMap::new() };
        let mut open: Vec<&ViewState> = vec![view];
        while let Some(view) = open.pop() {
            if read.views.insert(view.id, view.defined).is_some() {
                continue;
            }
            for of_topic in &view.reads {
                let all = catalogue.by_id(of_topic.topic()).map(|topic| columns_of(&topic.definition));
                let mut columns = all.unwrap_or_default();
                columns.retain(|(name, ..)| of_topic.columns.contains(name));
                read.topics.entry(of_topic.topic()).or_default().append(&mut columns);
            }
            for of_entity in &view.entities {
                let Some(entity) = catalogue.entity_by_id(of_entity.entity()) else { continue };
                let version = of_entity.version.unwrap_or(entity.current);
                let Some(definition) = entity.versions.get(&version) else { continue };
                let topics = std::iter::once(&definition.topic).chain(&definition.lookups);
                let schema = |id: &TopicId| (*id, catalogue.by_id(*id).map_or(0, |topic| topic.schema));
                let made_of = (entity.skipped.len(), topics.map(schema).collect());
                read.entities.insert((entity.id, version), made_of);
            }
            open.extend(view.views.iter().filter_map(|id| catalogue.view_by_id(*id)).map(|view| &**view));
        }
        read
    }

    /// Whether it is the same, wherever the view itself was declared.
    fn is_but_for(&self, view: ViewId, other: &WhatIsRead) -> bool {
        let others = |read: &WhatIsRead| {
            let others = read.views.iter().filter(|(id, _)| **id != view);
            others.map(|(id, defined)| (*id, *defined)).collect::<Vec<_>>()
        };
        (&self.topics, &self.entities, others(self)) == (&other.topics, &other.entities, others(other))
    }

    fn reads_topic(&self, topic: TopicId) -> bool {
        let of_entities = self.entities.values().flat_map(|(_, topics)| topics);
        self.topics.contains_key(&topic) || of_entities.into_iter().any(|(read, _)| *read == topic)
    }

    /// The names of all topics that it comes from.
    fn topics(&self, catalogue: &Catalogue) -> Vec<TopicName> {
        let of_entities = self.entities.values().flat_map(|(_, topics)| topics).map(|(topic, _)| *topic);
        let all: BTreeSet<TopicId> = self.topics.keys().copied().chain(of_entities).collect();
        all.into_iter().filter_map(|id| catalogue.by_id(id)).map(|topic| topic.name.clone()).collect()
    }
}
