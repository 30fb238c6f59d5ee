//! Events: as handed in ([`NewEvent`]) and as read back ([`Event`]).

use bytes::Bytes;

use crate::name::{StreamName, TopicName};
use crate::number::{Offset, Partition, Position, Revision, Time};

/// A name and a value by which conditions and reads select events, written `name:value`.
/// The name is not empty and has no colon; together at most 256 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// Checks and makes a tag from `name:value`.
    pub fn parse(text: &str) -> Result<Tag, InvalidTag> {
        if Tag::is_one(text) {
            Ok(Tag(text.to_owned()))
        } else {
            Err(InvalidTag(text.chars().take(80).collect()))
        }
    }

    /// Whether a text is a tag.
    pub fn is_one(text: &str) -> bool {
        text.len() <= crate::limits::TAG_BYTES_MAX && matches!(text.find(':'), Some(n) if n > 0)
    }

    /// `name:value`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tag {0:?} is not of the form name:value of at most 256 bytes")]
pub struct InvalidTag(pub String);

/// An event to append. The stream it goes to is named beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewEvent {
    /// The payload, kept byte for byte.
    pub payload: Bytes,
    /// Media type of the payload; `None` is `application/json`.
    pub content_type: Option<String>,
    /// Id given by the client, unique within the topic; `None` = derived from the position.
    pub id: Option<String>,
    /// Event type.
    pub event_type: Option<String>,
    /// When it happened, as far as the client says.
    pub time: Option<Time>,
    /// Tags, in the order given.
    pub tags: Vec<Tag>,
    /// Further headers, in the order given. Names that begin with `ce_`, `recount-` and `content-type` are reserved.
    pub headers: Vec<(String, Bytes)>,
}

/// An event as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where it stands in the total order.
    pub position: Position,
    /// Its topic.
    pub topic: TopicName,
    /// Its stream's key; `None` = of no stream.
    pub key: Option<Bytes>,
    /// Its number within its stream; given by reads of one stream.
    pub revision: Option<Revision>,
    /// Its partition.
    pub partition: Partition,
    /// Its offset in the partition.
    pub offset: Offset,
    /// The id that the client gave.
    pub id: Option<String>,
    /// Its type.
    pub event_type: Option<String>,
    /// When it happened: said by the event, else `append_time`.
    pub event_time: Time,
    /// When it was appended; strictly increasing from append to append.
    pub append_time: Time,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Media type of the payload; `None` is `application/json`.
    pub content_type: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, Bytes)>,
    /// The payload.
    pub payload: Bytes,
}

impl Event {
    /// `topic/key`, if it belongs to a stream.
    pub fn stream(&self) -> Option<StreamName> {
        self.key.as_ref().map(|key| StreamName { topic: self.topic.clone(), key: key.clone() })
    }
}
