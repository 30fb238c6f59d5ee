//! An event where it lies: what its record says, borrowed from the group that was read.

use std::borrow::Cow;

use bytes::Bytes;
use recount_types::{Event, Offset, Partition, Position, Revision, StreamName, Tag, Time, TopicName};

use super::{BadHeader, OwnHeaders, TAGS, TIME, is_own};
use crate::catalogue::TopicState;
use crate::condition::{QueryItem, any_matches};
use crate::error::ReadError;
use crate::json;
use crate::locate::{Placed, RawRecord};
use crate::time::parse_rfc3339;

/// An event as [`Event`] has it, not copied. It holds the group that it lies in.
#[derive(Debug, Clone)]
pub struct EventView<'a> {
    /// Where it stands in the total order.
    pub position: Position,
    /// Its topic.
    pub topic: &'a TopicName,
    /// Its stream's key; `None` = of no stream.
    pub key: Option<&'a [u8]>,
    /// Its number within its stream; given by reads of one stream.
    pub revision: Option<Revision>,
    /// Its partition.
    pub partition: Partition,
    /// Its offset in the partition.
    pub offset: Offset,
    /// The id that the client gave.
    pub id: Option<&'a str>,
    /// Its type.
    pub event_type: Option<&'a str>,
    /// When it happened: said by the event, else `append_time`.
    pub event_time: Time,
    /// When it was appended.
    pub append_time: Time,
    /// The last position of its append.
    pub append_end: Position,
    /// Media type of the payload; `None` is `application/json`.
    pub content_type: Option<&'a str>,
    /// The payload.
    pub payload: &'a [u8],
    /// Its tags, a checked JSON array.
    tags: Option<&'a str>,
    /// How many headers are not ours.
    others: usize,
    record: RawRecord<'a>,
}

/// Reads a record as an event. `revision` is given by who knows the stream.
#[inline]
pub(crate) fn view<'a>(
    placed: &Placed<'a>,
    topic: &'a TopicState,
    revision: Option<Revision>,
) -> Result<EventView<'a>, ReadError> {
    let Placed { position, append_time, append_end, entry, record } = placed;
    let damaged = |error: BadHeader| ReadError::Corrupt {
        what: format!("the event at position {position} of topic {}: {error}", topic.name),
    };
    let own = OwnHeaders::read(record.headers.clone()).map_err(damaged)?;
    if own.tags.is_some_and(|array| json::strings(array).any(|tag| !tag.is_some_and(|tag| Tag::is_one(&tag))))
    {
        return Err(damaged(BadHeader(TAGS)));
    }
    let time = own.time.map(parse_rfc3339).transpose().map_err(|_| damaged(BadHeader(TIME)))?;
    let stamped = match record.timestamp_ms {
        Some(ms) => Some(Time(ms.checked_mul(1000).ok_or_else(|| damaged(BadHeader("timestamp")))?)),
        None => None,
    };
    if own.others > 0 && record.headers.clone().flatten().any(|(name, _)| std::str::from_utf8(name).is_err())
    {
        return Err(damaged(BadHeader("name")));
    }
    Ok(EventView {
        position: *position,
        topic: &topic.name,
        key: record.key,
        revision,
        partition: entry.partition,
        offset: record.offset,
        id: own.id,
        event_type: own.event_type,
        event_time: time.or(stamped).unwrap_or(*append_time),
        append_time: *append_time,
        append_end: *append_end,
        content_type: own.content_type,
        payload: record.value.unwrap_or_default(),
        tags: own.tags,
        others: own.others,
        record: record.clone(),
    })
}

/// Reads a record as an event of its own.
pub(crate) fn decode(
    placed: &Placed<'_>,
    topic: &TopicState,
    revision: Option<Revision>,
) -> Result<Event, ReadError> {
    Ok(view(placed, topic, revision)?.to_event())
}

impl<'a> EventView<'a> {
    /// Its tags, in the order given.
    pub fn tags(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.tags.into_iter().flat_map(json::strings).flatten()
    }

    /// Further headers, in the order given.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        // Most events have none: nothing is looked for then.
        let all = (self.others > 0).then(|| self.record.headers.clone());
        let others = all.into_iter().flatten().flatten().filter(|(name, _)| !is_own(name));
        others.filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value.unwrap_or_default())))
    }

    /// `topic/key`, if it belongs to a stream.
    pub fn stream(&self) -> Option<StreamName> {
        self.key.map(|key| StreamName { topic: self.topic.clone(), key: self.record.share(key) })
    }

    /// The same as an event of its own. Keys, payloads and headers share the memory of the group.
    pub fn to_event(&self) -> Event {
        let share = |bytes: &[u8]| self.record.share(bytes);
        let headers = self.headers().map(|(name, value)| (name.to_owned(), shared(value, share)));
        Event {
            position: self.position,
            topic: self.topic.clone(),
            key: self.key.map(share),
            revision: self.revision,
            partition: self.partition,
            offset: self.offset,
            id: self.id.map(str::to_owned),
            event_type: self.event_type.map(str::to_owned),
            event_time: self.event_time,
            append_time: self.append_time,
            tags: self.own_tags(),
            content_type: self.content_type.map(str::to_owned),
            headers: headers.collect(),
            payload: shared(self.payload, share),
        }
    }

    /// True if one of the alternatives matches, or there are none.
    pub(crate) fn matches(&self, items: &[QueryItem]) -> bool {
        items.is_empty() || any_matches(items, self.event_type, &self.own_tags())
    }

    fn own_tags(&self) -> Vec<Tag> {
        self.tags().filter_map(|tag| Tag::parse(&tag).ok()).collect()
    }
}

/// Nothing is part of no group.
fn shared(bytes: &[u8], share: impl Fn(&[u8]) -> Bytes) -> Bytes {
    if bytes.is_empty() { Bytes::new() } else { share(bytes) }
}
