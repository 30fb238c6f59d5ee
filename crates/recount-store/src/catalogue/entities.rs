//! The entities of a catalogue, as the fold of what statements changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use recount_types::{EntityId, Position, TopicId, TopicName};

use super::Change;

mod plan;

/// An entity as defined at some position.
#[derive(Debug, Clone)]
pub struct EntityState {
    /// Its id.
    pub id: EntityId,
    /// Its name.
    pub name: TopicName,
    /// Its versions that were not dropped, by number. None once the entity was dropped.
    pub versions: BTreeMap<u32, EntityVersion>,
    /// The version that answers.
    pub current: u32,
    /// The newest number of a version; never given again.
    pub last: u32,
    /// Events that no version folds, in order.
    pub skipped: Vec<Position>,
    /// Where it was created.
    pub created: Position,
    /// It was dropped.
    pub dropped: bool,
}

/// One definition of an entity.
#[derive(Debug, Clone)]
pub struct EntityVersion {
    /// The statement, as written.
    pub text: String,
    /// The topic that it folds.
    pub topic: TopicId,
    /// The topics that it looks up rows in, each once.
    pub lookups: Vec<TopicId>,
    /// Where it was defined.
    pub created: Position,
    /// Where it became current, if it ever did.
    pub switched: Option<Position>,
}

/// All entities.
#[derive(Debug, Clone)]
pub(super) struct Entities {
    by_name: BTreeMap<TopicName, Arc<EntityState>>,
    by_id: BTreeMap<EntityId, Arc<EntityState>>,
    next_id: u32,
    /// What all of them add to a prologue, about.
    definitions_bytes: usize,
}

impl Entities {
    pub(super) fn new() -> Entities {
        Entities { by_name: BTreeMap::new(), by_id: BTreeMap::new(), next_id: 1, definitions_bytes: 0 }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Arc<EntityState>> {
        self.by_name.values()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<EntityState>> {
        self.by_id.values()
    }

    pub(super) fn by_name(&self, name: &TopicName) -> Option<&Arc<EntityState>> {
        self.by_name.get(name)
    }

    pub(super) fn by_id(&self, id: EntityId) -> Option<&Arc<EntityState>> {
        self.by_id.get(&id)
    }

    /// An entity, and a version of it, that reads `topic`.
    pub(super) fn reader_of(&self, topic: TopicId) -> Option<(&Arc<EntityState>, u32)> {
        let reads = |version: &EntityVersion| version.topic == topic || version.lookups.contains(&topic);
        self.live().find_map(|entity| {
            let reader = entity.versions.iter().find(|(_, version)| reads(version));
            reader.map(|(&number, _)| (entity, number))
        })
    }

    /// The id that the next entity gets.
    pub(super) fn next_id(&self) -> u32 {
        self.next_id
    }

    pub(super) fn definitions_bytes(&self) -> usize {
        self.definitions_bytes
    }

    /// A change recorded at `position`; none about topics.
    pub(super) fn apply(&mut self, change: &Change, position: Position) -> Result<(), String> {
        match change {
            Change::CreateTopic { id, .. } | Change::AlterTopic { id, .. } | Change::DropTopic { id } => {
                unreachable!("topic {id} is no entity")
            }
            Change::CreateView { id, .. } | Change::ReplaceView { id, .. } | Change::DropView { id } => {
                unreachable!("view {id} is no entity")
            }
            Change::CreateEntity { id, version, name, topic, lookups, text } => {
                if *id < self.next_id {
                    return Err(format!("entity id {id} was used before"));
                }
                if self.by_name.contains_key(name) {
                    return Err(format!("entity {name} exists already"));
                }
                self.next_id = id + 1;
                let first = EntityVersion {
                    switched: Some(position),
                    ..EntityVersion::new(*topic, lookups, text, position)
                };
                self.put(EntityState {
                    id: EntityId(*id),
                    name: name.clone(),
                    versions: BTreeMap::from([(*version, first)]),
                    current: *version,
                    last: *version,
                    skipped: Vec::new(),
                    created: position,
                    dropped: false,
                });
            }
            Change::ReplaceEntity { id, version, topic, lookups, text } => {
                let mut entity = self.changed(*id)?;
                if *version <= entity.last {
                    return Err(format!("version {version} of entity {id} was used before"));
                }
                entity.last = *version;
                entity.versions.insert(*version, EntityVersion::new(*topic, lookups, text, position));
                self.put(entity);
            }
            Change::SwitchEntity { id, version } => {
                let mut entity = self.changed(*id)?;
                let next = entity.versions.get_mut(version).ok_or_else(|| no_version(*id, *version))?;
                next.switched = Some(position);
                entity.current = *version;
                self.put(entity);
            }
            Change::SkipEvent { id, position } => {
                let mut entity = self.changed(*id)?;
                if let Err(at) = entity.skipped.binary_search(&Position(*position)) {
                    entity.skipped.insert(at, Position(*position));
                }
                self.put(entity);
            }
            Change::DropEntity { id } => {
                let before = self.changed(*id)?;
                self.by_name.remove(&before.name);
                let (versions, skipped) = (BTreeMap::new(), Vec::new());
                self.put(EntityState { versions, skipped, dropped: true, ..before });
            }
            Change::DropEntityVersion { id, version } => {
                let mut entity = self.changed(*id)?;
                if *version == entity.current || entity.versions.remove(version).is_none() {
                    return Err(no_version(*id, *version));
                }
                self.put(entity);
            }
        }
        Ok(())
    }

    /// An entity as a snapshot has it; they come in the order of ids.
    pub(super) fn restore(&mut self, entity: EntityState, next_id: u32) -> Result<(), String> {
        let id = entity.id;
        if id.0 < self.next_id || id.0 >= next_id {
            return Err(format!("entity id {id} is out of order"));
        }
        self.next_id = id.0 + 1;
        let is_sound = if entity.dropped {
            entity.versions.is_empty()
        } else {
            entity.versions.contains_key(&entity.current) && !self.by_name.contains_key(&entity.name)
        };
        if !is_sound || entity.versions.keys().any(|version| *version > entity.last) {
            return Err(format!("entity {id} has not the versions that it must have"));
        }
        self.put(entity);
        Ok(())
    }

    /// Every id below was used.
    pub(super) fn begin_ids_at(&mut self, next_id: u32) {
        self.next_id = next_id;
    }

    /// A copy of an entity, to be changed.
    fn changed(&self, id: u32) -> Result<EntityState, String> {
        let entity = self.by_id.get(&EntityId(id)).filter(|entity| !entity.dropped);
        entity.map(|entity| EntityState::clone(entity)).ok_or_else(|| format!("there is no entity {id}"))
    }

    fn put(&mut self, entity: EntityState) {
        self.definitions_bytes += entity_bytes(&entity);
        let entity = Arc::new(entity);
        if !entity.dropped {
            self.by_name.insert(entity.name.clone(), entity.clone());
        }
        if let Some(before) = self.by_id.insert(entity.id, entity) {
            self.definitions_bytes -= entity_bytes(&before);
        }
    }
}

impl EntityVersion {
    fn new(topic: u32, lookups: &[u32], text: &str, created: Position) -> EntityVersion {
        let lookups = lookups.iter().copied().map(TopicId).collect();
        EntityVersion { text: text.to_owned(), topic: TopicId(topic), lookups, created, switched: None }
    }
}

fn no_version(id: u32, version: u32) -> String {
    format!("entity {id} has no version {version} of which this is true")
}

/// What an entity adds to the state in a prologue beside its versions, with the longest name.
const ENTITY_BYTES: usize = 400;
/// What a skipped event adds.
const SKIPPED_BYTES: usize = 20;

/// What an entity adds to the state in a prologue, about.
fn entity_bytes(entity: &EntityState) -> usize {
    let versions =
        entity.versions.values().map(|version| version_bytes(&version.text, version.lookups.len()));
    ENTITY_BYTES + SKIPPED_BYTES * entity.skipped.len() + versions.sum::<usize>()
}

fn version_bytes(text: &str, lookups: usize) -> usize {
    const OTHERS: usize = 150;
    const LOOKUP: usize = 11;
    serde_json::to_string(text).expect("a text has a JSON form").len() + OTHERS + LOOKUP * lookups
}
