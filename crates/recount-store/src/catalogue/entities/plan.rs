//! What statements about entities change, and what of them is refused.

use std::sync::Arc;

use recount_types::limits::ENTITIES_MAX;
use recount_types::{TopicId, TopicName};

use super::{ENTITY_BYTES, EntityState, SKIPPED_BYTES, version_bytes};
use crate::catalogue::{Catalogue, Change, Planned};
use crate::ddl::{AlterEntity, CreateEntity, DropEntity, Ident, SkipEvent};
use crate::error::DdlError;

impl Catalogue {
    /// A version that became ready is to be the current one.
    pub(crate) fn plan_switch(&self, name: &TopicName, version: u32) -> Result<Planned, DdlError> {
        let entity = self.live_entity(name)?;
        known(entity, version)?;
        if version <= entity.current {
            let current = entity.current;
            return Err(DdlError::Invalid(format!(
                "version {version} of entity {name} cannot become current: version {current} is"
            )));
        }
        let change = Change::SwitchEntity { id: entity.id.0, version };
        Ok(Planned { name: name.clone(), version: Some(version), change })
    }

    pub(in crate::catalogue) fn plan_create_entity(
        &self,
        create: &CreateEntity,
    ) -> Result<Planned, DdlError> {
        let name = create.name.clone();
        if self.by_name(&name).is_some() {
            return Err(DdlError::Taken { name, by: "a topic" });
        }
        if self.view(&name).is_some() {
            return Err(DdlError::Taken { name, by: "a view" });
        }
        let topic = self.topic_read(&create.topic, "folds")?.0;
        let mut lookups = Vec::with_capacity(create.lookups.len());
        for lookup in &create.lookups {
            let id = self.topic_read(&lookup.relation, "looks up")?.0;
            if !lookups.contains(&id) {
                lookups.push(id);
            }
        }
        let text = create.text.clone();
        let (version, change) = match self.entity(&name) {
            Some(_) if !create.or_replace => return Err(DdlError::EntityExists(name)),
            Some(entity) => {
                let (id, version) = (entity.id.0, entity.last + 1);
                (version, Change::ReplaceEntity { id, version, topic, lookups, text })
            }
            None if self.entities.by_name.len() >= ENTITIES_MAX => {
                return Err(DdlError::Invalid(format!(
                    "there are {ENTITIES_MAX} entities, which is the limit"
                )));
            }
            None => {
                let (id, name) = (self.entities.next_id, name.clone());
                (1, Change::CreateEntity { id, version: 1, name, topic, lookups, text })
            }
        };
        self.has_room(ENTITY_BYTES + version_bytes(&create.text, create.lookups.len()), 0)?;
        Ok(Planned { name, version: Some(version), change })
    }

    pub(in crate::catalogue) fn plan_skip(&self, alter: &AlterEntity) -> Result<Planned, DdlError> {
        let entity = self.live_entity(&alter.name)?;
        let position = match &alter.skip {
            SkipEvent::Position(position) => *position,
            SkipEvent::Id(id) => {
                return Err(DdlError::Invalid(format!(
                    "the position of the event with the id '{id}' was not looked up: name the event by its position"
                )));
            }
        };
        if entity.skipped.binary_search(&position).is_ok() {
            return Err(DdlError::Invalid(format!(
                "entity {} skips the event at position {position} already",
                alter.name
            )));
        }
        self.has_room(SKIPPED_BYTES, 0)?;
        let change = Change::SkipEvent { id: entity.id.0, position: position.0 };
        Ok(Planned { name: alter.name.clone(), version: None, change })
    }

    pub(in crate::catalogue) fn plan_drop_entity(&self, drop: &DropEntity) -> Result<Planned, DdlError> {
        let entity = self.live_entity(&drop.name)?;
        let id = entity.id.0;
        if let Some(reader) = self.views.reader_of_entity(entity.id, drop.version) {
            let what = match drop.version {
                Some(version) => format!("version {version} of entity {}", drop.name),
                None => format!("entity {}", drop.name),
            };
            return Err(DdlError::InUse { what, reader: format!("view {}", reader.name) });
        }
        let change = match drop.version {
            None => Change::DropEntity { id },
            Some(version) => {
                known(entity, version)?;
                if version == entity.current {
                    return Err(DdlError::Invalid(format!(
                        "version {version} of entity {} is the current one: drop the entity, or create a replacement first",
                        drop.name
                    )));
                }
                Change::DropEntityVersion { id, version }
            }
        };
        Ok(Planned { name: drop.name.clone(), version: drop.version, change })
    }

    /// The topic that a definition reads.
    fn topic_read(&self, name: &Ident, how: &str) -> Result<TopicId, DdlError> {
        let not_found = || DdlError::NotFound(name.folded.clone());
        let name = TopicName::parse(&name.folded).map_err(|_| not_found())?;
        if self.entity(&name).is_some() {
            return Err(DdlError::Invalid(format!("{name} is an entity, and an entity {how} topics only")));
        }
        if self.view(&name).is_some() {
            return Err(DdlError::Invalid(format!("{name} is a view, and an entity {how} topics only")));
        }
        self.live(&name).map(|topic| topic.id)
    }

    pub(in crate::catalogue) fn live_entity(&self, name: &TopicName) -> Result<&Arc<EntityState>, DdlError> {
        match self.entity(name) {
            Some(entity) => Ok(entity),
            None if self.by_name(name).is_some() => {
                Err(DdlError::Invalid(format!("{name} is a topic, not an entity")))
            }
            None if self.view(name).is_some() => {
                Err(DdlError::Invalid(format!("{name} is a view, not an entity")))
            }
            None => Err(DdlError::NoEntity(name.clone())),
        }
    }
}

fn known(entity: &EntityState, version: u32) -> Result<(), DdlError> {
    if entity.versions.contains_key(&version) {
        return Ok(());
    }
    let known: Vec<String> = entity.versions.keys().map(u32::to_string).collect();
    Err(DdlError::Invalid(format!(
        "entity {} has no version {version}: there are {}",
        entity.name,
        known.join(", ")
    )))
}
