//! What a topic's events look like.
use recount_types::TopicName;
use serde::{Deserialize, Serialize};

/// The definition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicDefinition {
    /// Its name.
    #[serde(with = "name")]
    pub name: TopicName,
    /// Number of partitions.
    pub partitions: u32,
}

impl TopicDefinition {
    /// Without columns.
    pub fn untyped(name: TopicName) -> TopicDefinition {
        TopicDefinition { name, partitions: 1 }
    }

    /// Altered.
    pub fn altered(&self, _alter: &crate::ddl::AlterTopic) -> Result<TopicDefinition, String> {
        Err("nothing to alter".to_owned())
    }
}

mod name {
    use super::*;
    pub(super) fn serialize<S: serde::Serializer>(name: &TopicName, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(name.as_str())
    }
    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<TopicName, D::Error> {
        let text = String::deserialize(d)?;
        TopicName::parse(&text).map_err(serde::de::Error::custom)
    }
}
