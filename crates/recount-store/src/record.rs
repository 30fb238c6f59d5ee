//! A record as it goes into a batch, and the terms under which the index knows it.
//!
//! What an event says beside its key and payload is in headers, by the names of the CloudEvents binding for Kafka:
//!
//! ```text
//!  ce_id          the id that the client gave            absent = none
//!  ce_type        the event type                         absent = none
//!  ce_time        when it happened, RFC 3339             only if the record's timestamp, in ms, does not say it
//!  content-type   media type of the payload              absent = application/json
//!  recount-tags   JSON array of strings, no white space  absent = none
//!  others         the client's own, verbatim
//! ```
//!
//! [`facts`] works out what an event says, by its topic's definition; [`encode`] writes it, [`view`] reads it where it
//! lies, and [`decode`] makes an event of its own of that.
//! Reading trusts nothing: a header that `encode` would not have written so is damage.

use std::borrow::Cow;

use bytes::Bytes;
use recount_index::Term;
use recount_types::batch::RecordHeaders;
use recount_types::{NewEvent, Tag, TopicId};

use crate::error::ReadError;
use crate::json;
use crate::locate::RawRecord;
use crate::time::format_rfc3339;

mod facts;
mod view;

pub(crate) use facts::{Facts, facts, key_text};
pub use view::EventView;
pub(crate) use view::{decode, view};

/// An event in the form of a record.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    /// When it happened, ms; unused in batches whose records have the append's time.
    pub(crate) timestamp_ms: i64,
    /// Whether it says when it happened.
    pub(crate) own_time: bool,
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

/// Writes an event.
pub(crate) fn encode(facts: Facts, key: Option<Bytes>, event: &NewEvent) -> Result<Encoded, String> {
    let mut headers = Vec::new();
    let mut header = |name: &'static str, value: Bytes| headers.push((Cow::Borrowed(name), value));
    if let Some(id) = &event.id {
        header(ID, id.clone().into());
    }
    if let Some(event_type) = facts.event_type {
        header(TYPE, event_type.into());
    }
    if let Some(time) = facts.time.filter(|time| time.0.rem_euclid(1000) != 0) {
        header(TIME, format_rfc3339(time).into());
    }
    if let Some(content_type) = event.content_type.as_ref().filter(|text| !facts::is_plain_json(text)) {
        header(CONTENT_TYPE, content_type.clone().into());
    }
    if !facts.tags.is_empty() {
        header(TAGS, encode_tags(&facts.tags).into());
    }
    headers.extend(event.headers.iter().map(|(name, value)| (Cow::Owned(name.clone()), value.clone())));
    let timestamp_ms = facts.time.map_or(0, |time| time.0.div_euclid(1000));
    let own_time = facts.time.is_some();
    Ok(Encoded { timestamp_ms, own_time, key, value: event.payload.clone(), headers })
}

/// The terms of a record: its stream's, its id's, its type's and its tags'.
pub(crate) fn all_terms(topic: TopicId, record: &RawRecord<'_>) -> Result<Vec<Vec<u8>>, ReadError> {
    let damaged = |error: BadHeader| ReadError::Corrupt {
        what: format!("the record at offset {} of topic number {topic}: {error}", record.offset),
    };
    let own = OwnHeaders::read(record.headers.clone()).map_err(damaged)?;
    let mut term = Term::new();
    let mut terms = Vec::with_capacity(3);
    terms.extend(record.key.map(|key| term.stream(topic, key).to_vec()));
    terms.extend(own.id.map(|id| term.client_id(topic, id).to_vec()));
    terms.extend(own.event_type.map(|name| term.event_type(topic, name).to_vec()));
    for tag in own.tags.into_iter().flat_map(json::strings) {
        let tag = tag.ok_or_else(|| damaged(BadHeader(TAGS)))?;
        let term = term.tag(topic, &tag);
        if !terms.iter().any(|known: &Vec<u8>| known == term) {
            terms.push(term.to_vec());
        }
    }
    Ok(terms)
}

/// Whether a record is what this event was written as: key, payload, type, tags, time and headers.
pub(crate) fn same(record: &RawRecord<'_>, encoded: &Encoded) -> bool {
    let headers = encoded.headers.iter().map(|(name, value)| Ok((name.as_bytes(), Some(&value[..]))));
    record.key == encoded.key.as_deref()
        && record.value == Some(&encoded.value[..])
        && record.timestamp_ms == encoded.own_time.then_some(encoded.timestamp_ms)
        && record.headers.clone().eq(headers)
}

const ID: &str = "ce_id";
const TYPE: &str = "ce_type";
const TIME: &str = "ce_time";
const CONTENT_TYPE: &str = "content-type";
const TAGS: &str = "recount-tags";

/// A header that is not as [`encode`] writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its header {0} is malformed")]
struct BadHeader(&'static str);

/// The headers of a record that are ours.
#[derive(Debug, Default)]
struct OwnHeaders<'a> {
    id: Option<&'a str>,
    event_type: Option<&'a str>,
    time: Option<&'a str>,
    content_type: Option<&'a str>,
    tags: Option<&'a str>,
    /// How many are not ours.
    others: usize,
}

impl<'a> OwnHeaders<'a> {
    fn read(headers: RecordHeaders<'a>) -> Result<OwnHeaders<'a>, BadHeader> {
        let mut own = OwnHeaders::default();
        for (name, value) in headers.flatten() {
            let (slot, name) = match name {
                b"ce_id" => (&mut own.id, ID),
                b"ce_type" => (&mut own.event_type, TYPE),
                b"ce_time" => (&mut own.time, TIME),
                b"content-type" => (&mut own.content_type, CONTENT_TYPE),
                b"recount-tags" => (&mut own.tags, TAGS),
                _ => {
                    own.others += 1;
                    continue;
                }
            };
            let text = value.and_then(|value| std::str::from_utf8(value).ok());
            if slot.replace(text.ok_or(BadHeader(name))?).is_some() {
                return Err(BadHeader(name));
            }
        }
        Ok(own)
    }
}

fn is_own(name: &[u8]) -> bool {
    matches!(name, b"ce_id" | b"ce_type" | b"ce_time" | b"content-type" | b"recount-tags")
}

fn encode_tags(tags: &[Tag]) -> String {
    let mut array = String::with_capacity(tags.iter().map(|tag| tag.as_str().len() + 3).sum::<usize>() + 1);
    for tag in tags {
        array.push(if array.is_empty() { '[' } else { ',' });
        json::push_quoted(&mut array, tag.as_str());
    }
    array + "]"
}

#[cfg(test)]
mod tests;
