//! All views of a database: the catalogue followed, questions answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use recount_store::catalogue::{Catalogue, Read, ViewState};
use recount_store::columns::columns_of;
use recount_store::ddl::{self, AlterTopic, CreateView, Statement, ViewRead};
use recount_store::schema::ColumnType;
use recount_store::{DdlError, Executed};
use recount_types::{Position, TopicId, TopicName, ViewId};

use super::live::Held;
use super::{LiveView, ViewInfo, ViewRows, ViewStatus};
use crate::budget::HeldRows;
use crate::error::ViewError;
use crate::live::Live;
use crate::lock;
use crate::views::{Inner, Views};

/// A position, and the rows of entities and of views there.
pub type FrozenAll = (Position, Vec<HeldRows>, Vec<ViewRows>);

/// The views of one catalogue.
#[derive(Default)]
pub(crate) struct KnownViews {
    pub(crate) live: BTreeMap<ViewId, Arc<LiveView>>,
    /// Those whose query cannot be planned, and why.
    broken: BTreeMap<ViewId, String>,
}

impl KnownViews {
    pub(crate) fn follow(&mut self, inner: &Inner, catalogue: &Arc<Catalogue>) {
        self.live.retain(|id, _| catalogue.views().any(|view| view.id == *id));
        self.broken.clear();
        for view in catalogue.views() {
            let schemas = schemas(catalogue, view);
            if self.live.get(&view.id).is_some_and(|live| live.schemas == schemas) {
                continue;
            }
            match inner.made(catalogue, view) {
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
    fn made(&self, catalogue: &Arc<Catalogue>, view: &ViewState) -> Result<LiveView, String> {
        let statement = definition(catalogue, view)?;
        let (store, compiler, catalogue) = (self.store.clone(), self.compiler.clone(), catalogue.clone());
        let (schemas, catalogue_topics) = (schemas(&catalogue, view), catalogue.clone());
        let make = move || compiler.compile(&store, &catalogue, &statement, Some(&statement.reads));
        let compiled = make().map_err(|error| error.to_string())?;
        let topics = schemas.iter().filter_map(|(id, _)| catalogue_topics.by_id(*id));
        let topics = topics.map(|topic| topic.name.clone()).collect();
        let of = (view.id, view.name.clone(), view.text.clone(), topics);
        let with = (self.store.clone(), self.env.clock.clone(), self.budget.share());
        Ok(LiveView::new(of, schemas, (Box::new(make), compiled), with))
    }

    fn find_view(&self, name: &str) -> Result<Arc<LiveView>, ViewError> {
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

    /// Declares a view.
    pub(crate) fn create_view(&self, mut create: Box<CreateView>) -> Result<Executed, DdlError> {
        let planned_on = self.store.catalogue();
        let compiled = self.compiler.compile(&self.store, &planned_on, &create, None)?;
        (create.reads, create.views) = (compiled.reads, compiled.views);
        let check = |catalogue: &Catalogue| {
            if std::ptr::eq(catalogue, &*planned_on) {
                return Ok(());
            }
            let again = self.compiler.compile(&self.store, catalogue, &create, None)?;
            if again.reads == create.reads && again.views == create.views {
                return Ok(());
            }
            Err(DdlError::Invalid("a topic that the view reads was altered meanwhile: try again".to_owned()))
        };
        recount_env::block_on(self.store.define(Statement::CreateView(create.clone()), &check))
    }

    /// Refuses to alter a topic in a way in which a view cannot be kept any more.
    pub(crate) fn views_remain(&self, catalogue: &Catalogue, alter: &AlterTopic) -> Result<(), DdlError> {
        let Some(topic) = catalogue.by_name(&alter.name) else { return Ok(()) };
        let reads_it =
            |view: &&Arc<ViewState>| schemas(catalogue, view).iter().any(|(read, _)| *read == topic.id);
        let mut readers = catalogue.views().filter(reads_it).peekable();
        if readers.peek().is_none() {
            return Ok(());
        }
        let altered = Arc::new(catalogue.altered(alter)?);
        for view in readers {
            self.made(&altered, view).map_err(|why| {
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
                view.is_none_or(|view| schemas(&catalogue, view) == live.schemas)
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
    let views = view.views.iter().filter_map(|id| catalogue.view_by_id(*id));
    Ok(CreateView { reads, views: views.map(|view| view.name.clone()).collect(), ..statement })
}

/// A topic that a view reads: its columns there, with their types and whether they may be null.
pub(crate) type TopicRead = (TopicId, Vec<(String, ColumnType, bool)>);

/// The topics that a view reads, itself or through others.
fn schemas(catalogue: &Catalogue, view: &ViewState) -> Vec<TopicRead> {
    let mut schemas: BTreeMap<TopicId, Vec<(String, ColumnType, bool)>> = BTreeMap::new();
    let mut open: Vec<&ViewState> = vec![view];
    let mut seen: BTreeSet<ViewId> = BTreeSet::new();
    while let Some(view) = open.pop() {
        for read in &view.reads {
            let all = catalogue.by_id(read.topic()).map(|topic| columns_of(&topic.definition));
            let mut columns = all.unwrap_or_default();
            columns.retain(|(name, ..)| read.columns.contains(name));
            schemas.entry(read.topic()).or_default().append(&mut columns);
        }
        let others = view.views.iter().filter(|id| seen.insert(**id));
        open.extend(others.filter_map(|id| catalogue.view_by_id(*id)).map(|view| &**view));
    }
    schemas.into_iter().collect()
}
