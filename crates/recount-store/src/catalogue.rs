//! The catalogue: the topics, entities and views that exist, as a fold over the events of the system topic `_catalog`.
//!
//! A value, never changed in place: a statement makes the next catalogue and the event that tells it, and both
//! take effect when that event is sequenced. Ids are never reused. Topics, entities and views share their names.
//!
//! Invariant: the catalogue keeps the text of an entity's or a view's definition and the topics it reads; what its
//! expressions mean is not known here.

use std::collections::BTreeMap;
use std::sync::Arc;

use recount_types::limits::{DEFINITIONS_BYTES_MAX, PARTITIONS_MAX, TOPICS_MAX};
use recount_types::{EntityId, Position, Time, TopicId, TopicName, ViewId};

use crate::ddl::{AlterTopic, CreateView, Statement};
use crate::error::DdlError;
use crate::json::Paths;
use crate::schema::TopicDefinition;

mod change;
mod entities;
mod saved;
mod views;

pub(crate) use change::Change;
use entities::Entities;
pub use entities::{EntityState, EntityVersion};
use views::Views;
pub use views::{EntityRead, Read, ViewState};

/// The topic of definitions.
pub const CATALOG: TopicId = TopicId(1);
/// The topic of import progress.
pub const IMPORTS: TopicId = TopicId(2);
/// The first id that a user's topic may get.
const FIRST_USER_TOPIC: u32 = 16;

/// Everything that is defined.
#[derive(Debug, Clone)]
pub struct Catalogue {
    by_name: BTreeMap<TopicName, Arc<TopicState>>,
    by_id: BTreeMap<TopicId, Arc<TopicState>>,
    next_id: u32,
    entities: Entities,
    views: Views,
    /// What the topics add to a prologue, about.
    definitions_bytes: usize,
}

/// A topic as defined at some position.
#[derive(Debug, Clone)]
pub struct TopicState {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: TopicName,
    /// The definition in force.
    pub definition: TopicDefinition,
    /// Where its columns are in payloads.
    pub(crate) paths: Paths,
    /// Number of that definition, from 1.
    pub schema: u32,
    /// Where it was created; `Position::ZERO` for the system's.
    pub created: Position,
    /// It was dropped: its events are hidden.
    pub dropped: bool,
}

/// A topic as shown to users.
#[derive(Debug, Clone)]
pub struct TopicInfo {
    /// Its name.
    pub name: TopicName,
    /// Its id.
    pub id: TopicId,
    /// Number of its partitions.
    pub partitions: u32,
    /// The definition in force.
    pub definition: TopicDefinition,
    /// Number of that definition, from 1.
    pub schema: u32,
    /// Where it was created.
    pub created: Position,
}

/// What a statement changes.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The topic, entity or view.
    pub(crate) name: TopicName,
    /// The version of the entity that it is about.
    pub(crate) version: Option<u32>,
    /// What becomes of it.
    pub(crate) change: Change,
}

impl Catalogue {
    /// That of a new database: only the system's topics.
    pub(crate) fn new() -> Catalogue {
        let mut catalogue = Catalogue {
            by_name: BTreeMap::new(),
            by_id: BTreeMap::new(),
            next_id: FIRST_USER_TOPIC,
            entities: Entities::new(),
            views: Views::new(),
            definitions_bytes: 0,
        };
        for (id, name) in [(CATALOG, "_catalog"), (IMPORTS, "_imports")] {
            let name = TopicName::parse(name).expect("the system's names are names");
            catalogue.put(TopicState {
                id,
                definition: TopicDefinition::untyped(name.clone()),
                paths: Paths::default(),
                name,
                schema: 1,
                created: Position::ZERO,
                dropped: false,
            });
        }
        catalogue
    }

    /// The live topic of this name.
    pub fn by_name(&self, name: &TopicName) -> Option<&Arc<TopicState>> {
        self.by_name.get(name)
    }

    /// The topic of this id, dropped ones included.
    pub fn by_id(&self, id: TopicId) -> Option<&Arc<TopicState>> {
        self.by_id.get(&id)
    }

    /// The live topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicState>> {
        self.by_name.values()
    }

    /// The entities that were not dropped, by name.
    pub fn entities(&self) -> impl Iterator<Item = &Arc<EntityState>> {
        self.entities.live()
    }

    /// The entity of this name, unless it was dropped.
    pub fn entity(&self, name: &TopicName) -> Option<&Arc<EntityState>> {
        self.entities.by_name(name)
    }

    /// The entity of this id, dropped ones included.
    pub fn entity_by_id(&self, id: EntityId) -> Option<&Arc<EntityState>> {
        self.entities.by_id(id)
    }

    /// The views that were not dropped, by name.
    pub fn views(&self) -> impl Iterator<Item = &Arc<ViewState>> {
        self.views.live()
    }

    /// The view of this name, unless it was dropped.
    pub fn view(&self, name: &TopicName) -> Option<&Arc<ViewState>> {
        self.views.by_name(name)
    }

    /// The catalogue as ALTER TOPIC would make it.
    pub fn altered(&self, alter: &AlterTopic) -> Result<Catalogue, DdlError> {
        let planned = self.plan(Statement::AlterTopic(alter.clone()))?;
        self.after(&planned.change, Position::ZERO).map_err(DdlError::Invalid)
    }

    /// The catalogue as CREATE MATERIALIZED VIEW would make it.
    pub fn with_view(&self, create: &CreateView) -> Result<Catalogue, DdlError> {
        let planned = self.plan(Statement::CreateView(Box::new(create.clone())))?;
        self.after(&planned.change, Position::ZERO).map_err(DdlError::Invalid)
    }

    /// The view of this id, unless it was dropped.
    pub fn view_by_id(&self, id: ViewId) -> Option<&Arc<ViewState>> {
        self.views.by_id(id)
    }

    /// Refuses a name that something has.
    fn is_free(&self, name: &TopicName) -> Result<(), DdlError> {
        let by = if self.by_name.contains_key(name) {
            "a topic"
        } else if self.entity(name).is_some() {
            "an entity"
        } else if self.view(name).is_some() {
            "a view"
        } else {
            return Ok(());
        };
        Err(DdlError::Taken { name: name.clone(), by })
    }

    /// What a statement changes.
    pub(crate) fn plan(&self, statement: Statement) -> Result<Planned, DdlError> {
        let (name, change) = match statement {
            Statement::CreateTopic(definition) => {
                let change = self.plan_create_topic(&definition)?;
                (definition.name, change)
            }
            Statement::AlterTopic(alter) => {
                let topic = self.live(&alter.name)?;
                let definition = topic.definition.altered(&alter).map_err(DdlError::Invalid)?;
                self.has_room(saved_bytes(&definition), saved_bytes(&topic.definition))?;
                let change = Change::AlterTopic { id: topic.id.0, schema: topic.schema + 1, definition };
                (topic.name.clone(), change)
            }
            Statement::DropTopic(name) => {
                let topic = self.live(&name)?;
                let entity = self.entities.reader_of(topic.id);
                let entity =
                    entity.map(|(entity, version)| format!("version {version} of entity {}", entity.name));
                let view = || self.views.reader_of(topic.id).map(|view| format!("view {}", view.name));
                if let Some(reader) = entity.or_else(view) {
                    return Err(DdlError::InUse { what: format!("topic {name}"), reader });
                }
                (topic.name.clone(), Change::DropTopic { id: topic.id.0 })
            }
            Statement::CreateEntity(create) => return self.plan_create_entity(&create),
            Statement::AlterEntity(alter) => return self.plan_skip(&alter),
            Statement::DropEntity(drop) => return self.plan_drop_entity(&drop),
            Statement::CreateView(create) => return self.plan_create_view(&create),
            Statement::DropView(drop) => return self.plan_drop_view(&drop),
        };
        Ok(Planned { name, version: None, change })
    }

    fn plan_create_topic(&self, definition: &TopicDefinition) -> Result<Change, DdlError> {
        let name = &definition.name;
        if self.by_name.contains_key(name) {
            return Err(DdlError::Exists(name.clone()));
        }
        self.is_free(name)?;
        self.has_room(saved_bytes(definition), 0)?;
        if self.by_name.len() >= TOPICS_MAX {
            return Err(DdlError::Invalid(format!("there are {TOPICS_MAX} topics, which is the limit")));
        }
        let partitions: u64 = self.by_name.values().map(|topic| u64::from(topic.definition.partitions)).sum();
        if partitions + u64::from(definition.partitions) > PARTITIONS_MAX as u64 {
            return Err(DdlError::Invalid(format!(
                "there are {partitions} partitions; with {} more, the limit of {PARTITIONS_MAX} is exceeded",
                definition.partitions
            )));
        }
        Ok(Change::CreateTopic { id: self.next_id, definition: definition.clone() })
    }

    /// Refuses a definition of so many bytes, in place of one of `before`, with which there would be too much to
    /// begin segments with.
    fn has_room(&self, bytes: usize, before: usize) -> Result<(), DdlError> {
        let bytes = self.definitions_bytes + self.others_bytes() + bytes - before;
        if bytes <= DEFINITIONS_BYTES_MAX {
            return Ok(());
        }
        Err(DdlError::Invalid(format!(
            "the definitions of all topics, entities and views, dropped topics included, would have {bytes} bytes, the limit is {DEFINITIONS_BYTES_MAX}"
        )))
    }

    /// What entities and views add to a prologue, about.
    fn others_bytes(&self) -> usize {
        self.entities.definitions_bytes() + self.views.definitions_bytes()
    }

    fn live(&self, name: &TopicName) -> Result<&Arc<TopicState>, DdlError> {
        match self.by_name.get(name) {
            Some(topic) if topic.name.is_system() => {
                Err(DdlError::Invalid(format!("topic {name} belongs to the system")))
            }
            Some(topic) => Ok(topic),
            None if self.entity(name).is_some() => {
                Err(DdlError::Invalid(format!("{name} is an entity, not a topic")))
            }
            None if self.view(name).is_some() => {
                Err(DdlError::Invalid(format!("{name} is a view, not a topic")))
            }
            None => Err(DdlError::NotFound(name.to_string())),
        }
    }

    /// The catalogue after a change recorded at `position`.
    pub(crate) fn after(&self, change: &Change, position: Position) -> Result<Catalogue, String> {
        let mut next = self.clone();
        match change {
            Change::CreateTopic { id, definition } => {
                if *id < next.next_id {
                    return Err(format!("topic id {id} was used before"));
                }
                next.next_id = id + 1;
                next.put(TopicState {
                    id: TopicId(*id),
                    name: definition.name.clone(),
                    definition: definition.clone(),
                    paths: Paths::default(),
                    schema: 1,
                    created: position,
                    dropped: false,
                });
            }
            Change::AlterTopic { id, schema, definition } => {
                let before =
                    next.by_id.get(&TopicId(*id)).ok_or_else(|| format!("there is no topic {id}"))?;
                let altered = TopicState {
                    definition: definition.clone(),
                    schema: *schema,
                    ..TopicState::clone(before)
                };
                next.put(altered);
            }
            Change::DropTopic { id } => {
                let before =
                    next.by_id.get(&TopicId(*id)).ok_or_else(|| format!("there is no topic {id}"))?;
                let dropped = TopicState { dropped: true, ..TopicState::clone(before) };
                next.by_name.remove(&dropped.name);
                next.put(dropped);
            }
            Change::CreateView { id, name, reads, entities, views, text } => {
                next.views.create(ViewState {
                    id: ViewId(*id),
                    name: name.clone(),
                    text: text.clone(),
                    reads: reads.clone(),
                    entities: entities.clone(),
                    views: views.iter().copied().map(ViewId).collect(),
                    created: position,
                    defined: position,
                })?;
                next.views.check()?;
            }
            Change::ReplaceView { id, reads, entities, views, text } => {
                next.views.replace(*id, |before| ViewState {
                    text: text.clone(),
                    reads: reads.clone(),
                    entities: entities.clone(),
                    views: views.iter().copied().map(ViewId).collect(),
                    defined: position,
                    ..before.clone()
                })?;
                next.views.check()?;
            }
            Change::DropView { id } => next.views.drop(*id)?,
            of_entities => next.entities.apply(of_entities, position)?,
        }
        Ok(next)
    }

    /// Puts a topic; its paths are found here.
    fn put(&mut self, topic: TopicState) {
        self.definitions_bytes += saved_bytes(&topic.definition);
        let topic = Arc::new(TopicState { paths: Paths::of(&topic.definition), ..topic });
        if !topic.dropped {
            self.by_name.insert(topic.name.clone(), topic.clone());
        }
        if let Some(before) = self.by_id.insert(topic.id, topic) {
            self.definitions_bytes -= saved_bytes(&before.definition);
        }
    }
}

/// What a topic adds to the state in a prologue, about: its definition and the next offset of each partition.
fn saved_bytes(definition: &TopicDefinition) -> usize {
    const OTHERS: usize = 80;
    const OFFSET: usize = 20;
    let json = serde_json::to_vec(definition).expect("definitions have a JSON form");
    json.len() + OTHERS + OFFSET * definition.partitions as usize
}

impl TopicState {
    /// As shown to users.
    pub fn info(&self) -> TopicInfo {
        TopicInfo {
            name: self.name.clone(),
            id: self.id,
            partitions: self.definition.partitions,
            definition: self.definition.clone(),
            schema: self.schema,
            created: self.created,
        }
    }
}

/// When the wall clock was seen, for judging jumps. Persisted in prologues and seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockReading {
    pub(crate) wall: Time,
    pub(crate) boottime_us: u64,
    pub(crate) boot_id: [u8; 16],
}

#[cfg(test)]
mod tests;
