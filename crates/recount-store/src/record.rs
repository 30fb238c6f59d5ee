//! A record as it goes into a batch, and the terms under which the index knows it.

use std::borrow::Cow;

use bytes::Bytes;
use recount_index::Term;
use recount_types::TopicId;

/// An event in the form of a record.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    /// When it happened, ms; unused in batches whose records have the append's time.
    pub(crate) timestamp_ms: i64,
    /// Its stream's key.
    pub(crate) key: Option<Bytes>,
    /// Its payload.
    pub(crate) value: Bytes,
    /// Its headers, the CloudEvents ones included.
    pub(crate) headers: Vec<(Cow<'static, str>, Bytes)>,
}

impl Encoded {
    /// A bound on its bytes in a batch.
    pub(crate) fn bytes_bound(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
        self.key.as_ref().map_or(0, |key| key.len()) + self.value.len() + headers + 40
    }
}

/// The terms of an event but its stream's and its id's.
pub(crate) fn terms<'a>(
    topic: TopicId,
    event_type: Option<&str>,
    tags: impl Iterator<Item = &'a str>,
) -> Vec<Vec<u8>> {
    let mut term = Term::new();
    let mut terms: Vec<Vec<u8>> =
        event_type.map(|t| term.event_type(topic, t).to_vec()).into_iter().collect();
    for tag in tags {
        terms.push(term.tag(topic, tag).to_vec());
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// What an event says of itself, once its topic's declarations were applied.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) key: Option<Bytes>,
    pub(crate) event_type: Option<String>,
    pub(crate) time: Option<recount_types::Time>,
    pub(crate) tags: Vec<recount_types::Tag>,
}

pub(crate) fn facts(
    _definition: &crate::schema::TopicDefinition,
    event: &recount_types::NewEvent,
) -> Result<Facts, String> {
    Ok(Facts { key: None, event_type: event.event_type.clone(), time: event.time, tags: event.tags.clone() })
}

pub(crate) fn encode(
    facts: Facts,
    key: Option<Bytes>,
    event: &recount_types::NewEvent,
) -> Result<Encoded, String> {
    let mut headers: Vec<(Cow<'static, str>, Bytes)> = Vec::new();
    if let Some(id) = &event.id {
        headers.push(("ce_id".into(), id.clone().into()));
    }
    if let Some(t) = facts.event_type {
        headers.push(("ce_type".into(), t.into()));
    }
    for tag in facts.tags {
        headers.push(("recount-tags".into(), tag.as_str().to_owned().into()));
    }
    Ok(Encoded {
        timestamp_ms: facts.time.map_or(0, |t| t.0.div_euclid(1000)),
        key,
        value: event.payload.clone(),
        headers,
    })
}

pub(crate) fn decode(
    placed: crate::locate::Placed,
    topic: &crate::catalogue::TopicState,
    revision: Option<recount_types::Revision>,
) -> Result<recount_types::Event, crate::error::ReadError> {
    let text = |name: &str| {
        placed
            .record
            .headers
            .iter()
            .filter(|(n, _)| &n[..] == name.as_bytes())
            .filter_map(|(_, v)| v.as_ref())
            .map(|v| String::from_utf8_lossy(v).into_owned())
            .collect::<Vec<_>>()
    };
    Ok(recount_types::Event {
        position: placed.position,
        topic: topic.name.clone(),
        key: placed.record.key.clone(),
        revision,
        partition: placed.entry.partition,
        offset: placed.record.offset,
        id: text("ce_id").pop(),
        event_type: text("ce_type").pop(),
        event_time: placed
            .record
            .timestamp_ms
            .map_or(placed.append_time, |ms| recount_types::Time(ms * 1000)),
        append_time: placed.append_time,
        tags: text("recount-tags").iter().filter_map(|t| recount_types::Tag::parse(t).ok()).collect(),
        content_type: None,
        headers: Vec::new(),
        payload: placed.record.value.unwrap_or_default(),
    })
}

pub(crate) fn all_terms(
    topic: TopicId,
    record: &crate::locate::RawRecord,
) -> Result<Vec<Vec<u8>>, crate::error::ReadError> {
    let text = |name: &str| {
        record
            .headers
            .iter()
            .filter(|(n, _)| &n[..] == name.as_bytes())
            .filter_map(|(_, v)| v.as_ref())
            .map(|v| String::from_utf8_lossy(v).into_owned())
            .collect::<Vec<_>>()
    };
    let tags = text("recount-tags");
    let mut out = terms(topic, text("ce_type").pop().as_deref(), tags.iter().map(String::as_str));
    if let Some(id) = text("ce_id").pop() {
        out.push(Term::new().client_id(topic, &id).to_vec());
    }
    if let Some(key) = &record.key {
        out.push(Term::new().stream(topic, key).to_vec());
    }
    Ok(out)
}

pub(crate) fn same(record: &crate::locate::RawRecord, encoded: &Encoded) -> bool {
    record.key == encoded.key && record.value.as_ref() == Some(&encoded.value)
}
