//! The events in the body of a `POST /topics/{topic}/events`. Payloads are cut out of the body as they are,
//! byte for byte; whether they are JSON and fit the topic is for the store to say.

use bytes::Bytes;
use recount_types::NewEvent;
use recount_types::limits::APPEND_EVENTS_MAX;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::ContentType;
use crate::problem::Problem;

/// The events of a body; `common` is what headers said of all of them.
pub(super) fn events(
    content_type: ContentType,
    body: Bytes,
    common: NewEvent,
) -> Result<Vec<NewEvent>, Problem> {
    let payloads = match content_type.essence.as_str() {
        "application/json" => json(&body)?,
        "application/x-ndjson" | "application/jsonl" => lines(&body)?,
        "application/x-www-form-urlencoded" | "multipart/form-data" => {
            let takes =
                "application/json, application/x-ndjson, CloudEvents, or a payload of any type but forms";
            return Err(Problem::unsupported(&content_type.essence, takes));
        }
        _ => {
            return Ok(vec![NewEvent { payload: body, content_type: Some(content_type.whole), ..common }]);
        }
    };
    if payloads.len() > 1 && common.id.is_some() {
        let what = "ce-id names one event, the body has several: use POST /append, where each has its own id";
        return Err(Problem::bad_request(what));
    }
    Ok(payloads.into_iter().map(|payload| NewEvent { payload, ..common.clone() }).collect())
}

/// An array is many payloads, anything else is one.
fn json(body: &Bytes) -> Result<Vec<Bytes>, Problem> {
    let trimmed = body.trim_ascii();
    if trimmed.first() != Some(&b'[') {
        return Ok(vec![body.slice_ref(trimmed)]);
    }
    let mut json = serde_json::Deserializer::from_slice(trimmed);
    let elements = json.deserialize_seq(Elements).and_then(|elements| json.end().map(|()| elements));
    let elements = elements
        .map_err(|error| Problem::bad_request(format!("the body is not an array of payloads: {error}")))?;
    Ok(elements.into_iter().map(|element| body.slice_ref(element.get().as_bytes())).collect())
}

/// A payload a line; lines without anything are passed over.
fn lines(body: &Bytes) -> Result<Vec<Bytes>, Problem> {
    let mut payloads = Vec::new();
    for line in body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if payloads.len() == APPEND_EVENTS_MAX {
            return Err(Problem::bad_request(too_many()));
        }
        payloads.push(body.slice_ref(line));
    }
    Ok(payloads)
}

fn too_many() -> String {
    format!("the body has more than {APPEND_EVENTS_MAX} events, which is the limit: split it")
}

/// The elements of an array, as they are, up to the limit.
struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of payloads")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = array.next_element()? {
            if elements.len() == APPEND_EVENTS_MAX {
                return Err(serde::de::Error::custom(too_many()));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}
