//! The events in the body of a `POST /topics/{topic}/events`. Payloads are cut out of the body as they are,
//! byte for byte; whether they are JSON and fit the topic is for the store to say.

use bytes::Bytes;
use recount_store::cloudevents::{self, CloudEvent};
use recount_types::NewEvent;
use recount_types::limits::APPEND_EVENTS_MAX;
use serde_json::value::RawValue;

use super::limited::Limited;
use super::{Common, ContentType};
use crate::problem::Problem;

/// An event, and its stream's key.
pub(super) type Keyed = (Option<Bytes>, NewEvent);

/// The events of a body; `common` is what the query and the headers said of all of them.
pub(super) fn events(content_type: ContentType, body: &Bytes, common: Common) -> Result<Vec<Keyed>, Problem> {
    match content_type.essence.as_str() {
        "application/json" => all_alike(json(body)?, common),
        "application/x-ndjson" | "application/jsonl" => all_alike(lines(body)?, common),
        cloudevents::STRUCTURED => cloud_events(vec![body.clone()], &common),
        "application/cloudevents-batch+json" => cloud_events(elements(body)?, &common),
        "application/x-www-form-urlencoded" | "multipart/form-data" => {
            let takes =
                "application/json, application/x-ndjson, CloudEvents, or one payload of any type but forms";
            Err(Problem::unsupported(&content_type.essence, takes))
        }
        _ => {
            let event =
                NewEvent { payload: body.clone(), content_type: Some(content_type.whole), ..common.event };
            Ok(vec![(common.key, event)])
        }
    }
}

fn all_alike(payloads: Vec<Bytes>, common: Common) -> Result<Vec<Keyed>, Problem> {
    if payloads.len() > 1 && common.event.id.is_some() {
        let what = "ce-id names one event, the body has several: use POST /append, where each has its own id";
        return Err(Problem::bad_request(what));
    }
    let event = |payload| (common.key.clone(), NewEvent { payload, ..common.event.clone() });
    Ok(payloads.into_iter().map(event).collect())
}

/// Events in structured mode, which say themselves what they are; tags are ours.
fn cloud_events(texts: Vec<Bytes>, common: &Common) -> Result<Vec<Keyed>, Problem> {
    let mut events = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let parsed = cloudevents::parse(text).map_err(|error| Problem::bad_event(index, error))?;
        let CloudEvent { event, key } = parsed;
        let key = match (key, &common.key) {
            (Some(own), Some(given)) if own != *given => {
                let what = "its partitionkey is another than the parameter key: give one of them";
                return Err(Problem::bad_event(index, what));
            }
            (own, given) => own.or_else(|| given.clone()),
        };
        events.push((key, NewEvent { tags: common.event.tags.clone(), ..event }));
    }
    Ok(events)
}

/// An array is many payloads, anything else is one.
fn json(body: &Bytes) -> Result<Vec<Bytes>, Problem> {
    let trimmed = body.trim_ascii();
    if trimmed.first() == Some(&b'[') { elements(body) } else { Ok(vec![body.slice_ref(trimmed)]) }
}

/// The elements of an array.
fn elements(body: &Bytes) -> Result<Vec<Bytes>, Problem> {
    let wrong = |error| Problem::bad_request(format!("the body is not an array of events: {error}"));
    let elements: Limited<&RawValue, APPEND_EVENTS_MAX> = serde_json::from_slice(body).map_err(wrong)?;
    Ok(elements.0.into_iter().map(|element| body.slice_ref(element.get().as_bytes())).collect())
}

/// A payload a line; lines without anything are passed over.
fn lines(body: &Bytes) -> Result<Vec<Bytes>, Problem> {
    let mut payloads = Vec::new();
    for line in body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if payloads.len() == APPEND_EVENTS_MAX {
            let what = format!("the body has more than {APPEND_EVENTS_MAX} lines, the limit: split it");
            return Err(Problem::bad_request(what));
        }
        payloads.push(body.slice_ref(line));
    }
    Ok(payloads)
}
