//! The catalogue as it stands in a prologue: JSON. Its form is part of the format.

use std::collections::BTreeMap;

use recount_types::{EntityId, Position, TopicId, TopicName, ViewId};
use serde::{Deserialize, Serialize};

use super::views::{EntityRead, Read};
use super::{Catalogue, EntityState, EntityVersion, FIRST_USER_TOPIC, TopicState, ViewState};
use crate::json::Paths;
use crate::schema::{TopicDefinition, name};

/// All of it. Before the first entity or view is created it is the array of topics alone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    topics: Vec<SavedTopic>,
    entities: Vec<SavedEntity>,
    next_entity: u32,
    /// Since there are views; absent before the first one was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    views: Option<SavedViews>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedViews {
    views: Vec<SavedView>,
    next_view: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedView {
    id: u32,
    #[serde(with = "name")]
    name: TopicName,
    created: u64,
    /// Absent unless it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    defined: Option<u64>,
    reads: Vec<Read>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entities: Vec<EntityRead>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    views: Vec<u32>,
    text: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedTopic {
    id: u32,
    schema: u32,
    created: u64,
    dropped: bool,
    definition: TopicDefinition,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedEntity {
    id: u32,
    #[serde(with = "name")]
    name: TopicName,
    created: u64,
    dropped: bool,
    current: u32,
    last: u32,
    skipped: Vec<u64>,
    versions: Vec<SavedVersion>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedVersion {
    version: u32,
    topic: u32,
    lookups: Vec<u32>,
    created: u64,
    switched: Option<u64>,
    text: String,
}

impl Catalogue {
    /// All of it as JSON, for the state in a prologue. The system's topics are not part of it.
    pub(crate) fn save(&self) -> Vec<u8> {
        let topics: Vec<SavedTopic> = self
            .by_id
            .values()
            .filter(|topic| topic.id.0 >= FIRST_USER_TOPIC)
            .map(|topic| SavedTopic {
                id: topic.id.0,
                schema: topic.schema,
                created: topic.created.0,
                dropped: topic.dropped,
                definition: topic.definition.clone(),
            })
            .collect();
        let entities: Vec<SavedEntity> = self.entities.all().map(|entity| save_entity(entity)).collect();
        let next_view = self.views.next_id();
        let views = (next_view > 1).then(|| SavedViews {
            views: self.views.live().map(|view| save_view(view)).collect(),
            next_view,
        });
        let saved = if entities.is_empty() && views.is_none() {
            serde_json::to_vec(&topics)
        } else {
            serde_json::to_vec(&Saved { topics, entities, next_entity: self.entities.next_id(), views })
        };
        saved.expect("definitions have a JSON form")
    }

    /// Reads what [`Catalogue::save`] made.
    pub(crate) fn load(bytes: &[u8]) -> Result<Catalogue, String> {
        let saved = if bytes.first() == Some(&b'[') {
            let topics = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
            Saved { topics, entities: Vec::new(), next_entity: 1, views: None }
        } else {
            serde_json::from_slice(bytes).map_err(|e| e.to_string())?
        };
        let mut catalogue = Catalogue::new();
        for topic in saved.topics {
            if topic.id < catalogue.next_id {
                return Err(format!("topic id {} is out of order", topic.id));
            }
            catalogue.next_id = topic.id + 1;
            let state = TopicState {
                id: TopicId(topic.id),
                name: topic.definition.name.clone(),
                definition: topic.definition,
                paths: Paths::default(),
                schema: topic.schema,
                created: Position(topic.created),
                dropped: topic.dropped,
            };
            catalogue.put(state);
        }
        for entity in saved.entities {
            catalogue.entities.restore(load_entity(entity), saved.next_entity)?;
        }
        catalogue.entities.begin_ids_at(saved.next_entity);
        if let Some(SavedViews { mut views, next_view }) = saved.views {
            views.sort_by_key(|view| view.id);
            for SavedView { id, name, created, defined, reads, entities, views, text } in views {
                let (id, created) = (ViewId(id), Position(created));
                let defined = defined.map_or(created, Position);
                let views = views.into_iter().map(ViewId).collect();
                let view = ViewState { id, name, text, reads, entities, views, created, defined };
                catalogue.views.create(view)?;
            }
            catalogue.views.check()?;
            catalogue.views.begin_ids_at(next_view);
        }
        Ok(catalogue)
    }
}

fn save_view(view: &ViewState) -> SavedView {
    SavedView {
        id: view.id.0,
        name: view.name.clone(),
        created: view.created.0,
        defined: (view.defined != view.created).then_some(view.defined.0),
        reads: view.reads.clone(),
        entities: view.entities.clone(),
        views: view.views.iter().map(|view| view.0).collect(),
        text: view.text.clone(),
    }
}

fn save_entity(entity: &EntityState) -> SavedEntity {
    let versions = entity.versions.iter().map(|(&version, definition)| SavedVersion {
        version,
        topic: definition.topic.0,
        lookups: definition.lookups.iter().map(|topic| topic.0).collect(),
        created: definition.created.0,
        switched: definition.switched.map(|position| position.0),
        text: definition.text.clone(),
    });
    SavedEntity {
        id: entity.id.0,
        name: entity.name.clone(),
        created: entity.created.0,
        dropped: entity.dropped,
        current: entity.current,
        last: entity.last,
        skipped: entity.skipped.iter().map(|position| position.0).collect(),
        versions: versions.collect(),
    }
}

fn load_entity(saved: SavedEntity) -> EntityState {
    let version = |saved: SavedVersion| {
        let definition = EntityVersion {
            text: saved.text,
            topic: TopicId(saved.topic),
            lookups: saved.lookups.into_iter().map(TopicId).collect(),
            created: Position(saved.created),
            switched: saved.switched.map(Position),
        };
        (saved.version, definition)
    };
    let mut skipped: Vec<Position> = saved.skipped.into_iter().map(Position).collect();
    skipped.sort_unstable();
    skipped.dedup();
    EntityState {
        id: EntityId(saved.id),
        name: saved.name,
        versions: saved.versions.into_iter().map(version).collect::<BTreeMap<_, _>>(),
        current: saved.current,
        last: saved.last,
        skipped,
        created: Position(saved.created),
        dropped: saved.dropped,
    }
}
