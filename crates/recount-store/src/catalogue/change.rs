//! What an event of `_catalog` says. Its JSON form is part of the format: members are only ever added.

use recount_types::TopicName;
use serde::{Deserialize, Serialize};

use super::views::{EntityRead, Read};
use crate::schema::{TopicDefinition, name};

/// What an event of `_catalog` says. Persisted as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    /// A topic came to be.
    CreateTopic {
        /// Its id.
        id: u32,
        /// Its definition, with its name.
        definition: TopicDefinition,
    },
    /// A topic has a new definition.
    AlterTopic {
        /// Its id.
        id: u32,
        /// Number of the definition.
        schema: u32,
        /// The whole definition.
        definition: TopicDefinition,
    },
    /// A topic is hidden.
    DropTopic {
        /// Its id.
        id: u32,
    },
    /// An entity came to be. Its first version is current at once.
    CreateEntity {
        /// Its id.
        id: u32,
        /// Number of the version: 1.
        version: u32,
        /// Its name.
        #[serde(with = "name")]
        name: TopicName,
        /// The topic that it folds.
        topic: u32,
        /// The topics that it looks up rows in.
        lookups: Vec<u32>,
        /// The statement.
        text: String,
    },
    /// An entity has a further version, not current yet.
    ReplaceEntity {
        /// Its id.
        id: u32,
        /// Number of the version.
        version: u32,
        /// The topic that it folds.
        topic: u32,
        /// The topics that it looks up rows in.
        lookups: Vec<u32>,
        /// The statement.
        text: String,
    },
    /// A version is the current one from here on.
    SwitchEntity {
        /// Id of the entity.
        id: u32,
        /// Number of the version.
        version: u32,
    },
    /// An entity does not fold an event.
    SkipEvent {
        /// Id of the entity.
        id: u32,
        /// Position of the event.
        position: u64,
    },
    /// An entity is gone.
    DropEntity {
        /// Its id.
        id: u32,
    },
    /// A version of an entity is gone.
    DropEntityVersion {
        /// Id of the entity.
        id: u32,
        /// Number of the version.
        version: u32,
    },
    /// A view came to be.
    CreateView {
        /// Its id.
        id: u32,
        /// Its name.
        #[serde(with = "name")]
        name: TopicName,
        /// The topics that it reads.
        reads: Vec<Read>,
        /// The entities that it reads.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entities: Vec<EntityRead>,
        /// The views that it reads.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        views: Vec<u32>,
        /// The statement.
        text: String,
    },
    /// A view is of another query from here on.
    ReplaceView {
        /// Its id.
        id: u32,
        /// The topics that it reads.
        reads: Vec<Read>,
        /// The entities that it reads.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entities: Vec<EntityRead>,
        /// The views that it reads.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        views: Vec<u32>,
        /// The statement.
        text: String,
    },
    /// A view is gone.
    DropView {
        /// Its id.
        id: u32,
    },
}
