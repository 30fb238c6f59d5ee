//! The views of a catalogue, as the fold of what statements changed; and what of those statements is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use recount_types::limits::VIEWS_MAX;
use recount_types::{EntityId, Position, TopicId, TopicName, ViewId};
use serde::{Deserialize, Serialize};

use super::{Catalogue, Change, Planned};
use crate::ddl::{CreateView, DropView};
use crate::error::DdlError;

/// A view as it was declared.
#[derive(Debug, Clone)]
pub struct ViewState {
    /// Its id.
    pub id: ViewId,
    /// Its name.
    pub name: TopicName,
    /// The statement, as written.
    pub text: String,
    /// The topics that it reads, each once.
    pub reads: Vec<Read>,
    /// The entities that it reads, each once with each version.
    pub entities: Vec<EntityRead>,
    /// The views that it reads, each once; none of them reads it.
    pub views: Vec<ViewId>,
    /// Where it was created.
    pub created: Position,
    /// Where its query was declared: there, or where it was replaced last.
    pub defined: Position,
}

/// A topic that a view reads. Persisted as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    topic: u32,
    /// The columns that `*` stands for.
    pub columns: Vec<String>,
}

/// An entity that a view reads. Persisted as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityRead {
    entity: u32,
    /// This version; the one that answers otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The columns that `*` stands for.
    pub columns: Vec<String>,
}

/// All views.
#[derive(Debug, Clone)]
pub(super) struct Views {
    by_name: BTreeMap<TopicName, Arc<ViewState>>,
    next_id: u32,
    /// What all of them add to a prologue, about.
    definitions_bytes: usize,
}

impl Read {
    /// The topic.
    pub fn topic(&self) -> TopicId {
        TopicId(self.topic)
    }
}

impl EntityRead {
    /// The entity.
    pub fn entity(&self) -> EntityId {
        EntityId(self.entity)
    }
}

impl ViewState {
    /// What it adds to the state in a prologue, about.
    fn bytes(&self) -> usize {
        view_bytes(&self.text, &self.reads, &self.entities)
    }
}

impl Views {
    pub(super) fn new() -> Views {
        Views { by_name: BTreeMap::new(), next_id: 1, definitions_bytes: 0 }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Arc<ViewState>> {
        self.by_name.values()
    }

    pub(super) fn by_name(&self, name: &TopicName) -> Option<&Arc<ViewState>> {
        self.by_name.get(name)
    }

    pub(super) fn by_id(&self, id: ViewId) -> Option<&Arc<ViewState>> {
        self.live().find(|view| view.id == id)
    }

    /// A view that reads `topic`.
    pub(super) fn reader_of(&self, topic: TopicId) -> Option<&Arc<ViewState>> {
        self.live().find(|view| view.reads.iter().any(|read| read.topic() == topic))
    }

    /// A view that reads an entity; if it is of one version, that one.
    pub(super) fn reader_of_entity(&self, entity: EntityId, version: Option<u32>) -> Option<&Arc<ViewState>> {
        let reads =
            |read: &EntityRead| read.entity() == entity && (version.is_none() || read.version == version);
        self.live().find(|view| view.entities.iter().any(reads))
    }

    pub(super) fn next_id(&self) -> u32 {
        self.next_id
    }

    pub(super) fn definitions_bytes(&self) -> usize {
        self.definitions_bytes
    }

    /// One more view.
    pub(super) fn create(&mut self, view: ViewState) -> Result<(), String> {
        let ViewState { id, name, .. } = &view;
        if id.0 < self.next_id {
            return Err(format!("view id {id} was used before"));
        }
        if self.by_name.contains_key(name) {
            return Err(format!("view {name} exists already"));
        }
        self.next_id = id.0 + 1;
        self.definitions_bytes += view.bytes();
        self.by_name.insert(name.clone(), Arc::new(view));
        Ok(())
    }

    /// Another query for a view.
    pub(super) fn replace(
        &mut self,
        id: u32,
        with: impl FnOnce(&ViewState) -> ViewState,
    ) -> Result<(), String> {
        let found = self.by_id(ViewId(id)).cloned();
        let before = found.ok_or_else(|| format!("there is no view {id}"))?;
        let view = with(&before);
        self.definitions_bytes = self.definitions_bytes + view.bytes() - before.bytes();
        self.by_name.insert(view.name.clone(), Arc::new(view));
        Ok(())
    }

    /// Refuses views that read one that is not there, or each other.
    pub(super) fn check(&self) -> Result<(), String> {
        for view in self.live() {
            let all = self.read_by(&view.views);
            if let Some(unknown) = all.iter().find(|read| self.by_id(**read).is_none()) {
                return Err(format!("view {} reads view {unknown}, which is not there", view.name));
            }
            if all.contains(&view.id) {
                return Err(format!("view {} reads itself", view.name));
            }
        }
        Ok(())
    }

    /// These views, and all that they read.
    fn read_by(&self, views: &[ViewId]) -> BTreeSet<ViewId> {
        let (mut open, mut all) = (views.to_vec(), BTreeSet::new());
        while let Some(id) = open.pop() {
            if all.insert(id) {
                open.extend(self.by_id(id).iter().flat_map(|view| view.views.iter().copied()));
            }
        }
        all
    }

    /// One view less.
    pub(super) fn drop(&mut self, id: u32) -> Result<(), String> {
        let found = self.by_id(ViewId(id)).cloned();
        let view = found.ok_or_else(|| format!("there is no view {id}"))?;
        self.by_name.remove(&view.name);
        self.definitions_bytes -= view.bytes();
        Ok(())
    }

    /// Every id below was used.
    pub(super) fn begin_ids_at(&mut self, next_id: u32) {
        self.next_id = self.next_id.max(next_id);
    }
}

impl Catalogue {
    pub(super) fn plan_create_view(&self, create: &CreateView) -> Result<Planned, DdlError> {
        let name = create.name.clone();
        let before = self.view(&name);
        if before.is_some() && !create.or_replace {
            return Err(DdlError::ViewExists(name));
        }
        if before.is_none() {
            self.is_free(&name)?;
        }
        if before.is_none() && self.views.by_name.len() >= VIEWS_MAX {
            return Err(DdlError::Invalid(format!("there are {VIEWS_MAX} views, which is the limit")));
        }
        let mut reads: Vec<Read> = Vec::with_capacity(create.reads.len());
        for read in &create.reads {
            let topic = self.live(&read.topic)?.id.0;
            reads.push(Read { topic, columns: read.columns.clone() });
        }
        let mut entities = Vec::with_capacity(create.entities.len());
        for read in &create.entities {
            let entity = self.live_entity(&read.entity)?.id.0;
            entities.push(EntityRead { entity, version: read.version, columns: read.columns.clone() });
        }
        let mut views = Vec::with_capacity(create.views.len());
        for read in &create.views {
            let view = self.view(read).ok_or_else(|| DdlError::NoView(read.clone()))?;
            views.push(view.id.0);
        }
        let bytes = view_bytes(&create.text, &reads, &entities);
        self.has_room(bytes, before.map_or(0, |before| before.bytes()))?;
        let text = create.text.clone();
        if let Some(before) = before {
            let read: Vec<ViewId> = views.iter().copied().map(ViewId).collect();
            if self.views.read_by(&read).contains(&before.id) {
                return Err(DdlError::Invalid(format!(
                    "view {name} would read itself, directly or through others"
                )));
            }
            let change = Change::ReplaceView { id: before.id.0, reads, entities, views, text };
            return Ok(Planned { name, version: None, change });
        }
        let id = self.views.next_id;
        let change = Change::CreateView { id, name: name.clone(), reads, entities, views, text };
        Ok(Planned { name, version: None, change })
    }

    pub(super) fn plan_drop_view(&self, drop: &DropView) -> Result<Planned, DdlError> {
        let name = &drop.name;
        match self.view(name) {
            Some(view) => {
                if let Some(reader) = self.views.live().find(|reader| reader.views.contains(&view.id)) {
                    let (what, reader) = (format!("view {name}"), format!("view {}", reader.name));
                    return Err(DdlError::InUse { what, reader });
                }
                let change = Change::DropView { id: view.id.0 };
                Ok(Planned { name: name.clone(), version: None, change })
            }
            None if self.by_name(name).is_some() => {
                Err(DdlError::Invalid(format!("{name} is a topic, not a view")))
            }
            None if self.entity(name).is_some() => {
                Err(DdlError::Invalid(format!("{name} is an entity, not a view")))
            }
            None => Err(DdlError::NoView(name.clone())),
        }
    }
}

/// What a view adds to the state in a prologue, about, with the longest name.
fn view_bytes(text: &str, reads: &[Read], entities: &[EntityRead]) -> usize {
    const OTHERS: usize = 400;
    let json = |text: &str| serde_json::to_string(text).expect("a text has a JSON form").len();
    let reads = serde_json::to_string(reads).expect("names have a JSON form").len();
    let entities = serde_json::to_string(entities).expect("names have a JSON form").len();
    json(text) + reads + entities + OTHERS
}
