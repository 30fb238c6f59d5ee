//! CloudEvents in structured mode: an event as one JSON object (CloudEvents 1.0.2, JSON event format,
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).
//!
//! ```text
//!  specversion                     must be "1.0"
//!  id, type, time                  the event's own
//!  datacontenttype                 its content type; absent = application/json
//!  data                            its payload: the text of the JSON value, byte for byte;
//!                                  of another content type, the string's characters. Absent = null
//!  data_base64                     its payload, as bytes
//!  partitionkey                    its stream's key
//!  source, subject, dataschema …   headers `ce_source` …, as the binding for Kafka names them; so are extensions
//! ```
//!
//! A header's value is the attribute's text: a string as it is, a boolean or an integer in its one form.
//! Attributes that are null are absent.

use std::fmt;

use bytes::Bytes;
use recount_types::NewEvent;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json;
use crate::time::parse_rfc3339;

mod base64;

pub use base64::decode as decode_base64;

/// The media type of one event in structured mode.
pub const STRUCTURED: &str = "application/cloudevents+json";

/// An event, and what names its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudEvent {
    /// The event.
    pub event: NewEvent,
    /// Its attribute `partitionkey`.
    pub key: Option<Bytes>,
}

/// Why a text is not an event in structured mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCloudEvent {
    /// Not JSON.
    #[error("it is not JSON: {0}")]
    Json(String),
    /// JSON, but no object.
    #[error("it is not an object: a CloudEvent is one, with its attributes as fields")]
    NoObject,
    /// An attribute that every event has.
    #[error("the attribute {0} is missing: CloudEvents demands specversion, id, source and type")]
    Missing(&'static str),
    /// Another version.
    #[error("specversion is {0:?}: only \"1.0\" is known")]
    Version(String),
    /// Not a name.
    #[error("{0:?} cannot name an attribute: use lower-case letters and digits")]
    Name(String),
    /// Not a value that attributes have.
    #[error("the attribute {name} is {found}: it must be {expected}")]
    Value {
        /// The attribute.
        name: String,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Payload twice.
    #[error("it has data and data_base64: give one of them")]
    TwoPayloads,
    /// Data that is not of its content type.
    #[error(
        "datacontenttype is {0:?}, so data must be a string, or data_base64 be used: only JSON stands there as it is"
    )]
    Data(String),
}

/// Reads an event in structured mode.
pub fn parse(text: &Bytes) -> Result<CloudEvent, BadCloudEvent> {
    json::validate(text).map_err(|error| BadCloudEvent::Json(error.to_string()))?;
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(BadCloudEvent::NoObject);
    }
    let members = serde_json::Deserializer::from_slice(text).deserialize_map(Members);
    let members = members.map_err(|error| BadCloudEvent::Json(error.to_string()))?;
    let mut event = NewEvent::default();
    let (mut version, mut source, mut key, mut data, mut data_base64) = (None, false, None, None, None);
    for (name, value) in &members {
        if value.get() == "null" && name != "data" {
            continue;
        }
        match name.as_str() {
            "specversion" => version = Some(string(name, value)?),
            "id" => event.id = Some(string(name, value)?),
            "type" => event.event_type = Some(string(name, value)?),
            "time" => {
                let expected = "a time as \"2023-12-13T12:00:00Z\"";
                let time = parse_rfc3339(&string(name, value)?);
                event.time = Some(time.map_err(|_| wrong(name, value, expected))?);
            }
            "datacontenttype" => event.content_type = Some(string(name, value)?),
            "partitionkey" => key = Some(string(name, value)?.into()),
            "data" => data = Some(*value),
            "data_base64" => {
                let bytes = decode_base64(&string(name, value)?);
                data_base64 = Some(bytes.ok_or_else(|| wrong(name, value, "base64 with padding"))?);
            }
            _ => {
                source |= name == "source";
                event.headers.push(attribute(name, value)?);
            }
        }
    }
    match version {
        None => return Err(BadCloudEvent::Missing("specversion")),
        Some(version) if version != "1.0" => return Err(BadCloudEvent::Version(version)),
        Some(_) => {}
    }
    for (there, name) in
        [(event.id.is_some(), "id"), (source, "source"), (event.event_type.is_some(), "type")]
    {
        if !there {
            return Err(BadCloudEvent::Missing(name));
        }
    }
    event.payload = match (data, data_base64) {
        (Some(_), Some(_)) => return Err(BadCloudEvent::TwoPayloads),
        (None, Some(bytes)) => bytes.into(),
        (data, None) => payload(text, data, event.content_type.as_deref())?,
    };
    Ok(CloudEvent { event, key })
}

/// Whether a header carries an attribute that events have no field of their own for.
pub(crate) fn is_other_attribute(header: &str) -> bool {
    const OWN: [&str; 7] = ["id", "type", "time", "datacontenttype", "partitionkey", "specversion", "data"];
    header.strip_prefix("ce_").is_some_and(|name| is_name(name) && !OWN.contains(&name))
}

/// Whether a media type is JSON: itself, or by its suffix.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

fn payload(
    text: &Bytes,
    data: Option<&RawValue>,
    content_type: Option<&str>,
) -> Result<Bytes, BadCloudEvent> {
    let other = content_type.filter(|content_type| !is_json(content_type));
    match (data.map(RawValue::get), other) {
        (None, None) => Ok(Bytes::from_static(b"null")),
        (None, Some(_)) => Ok(Bytes::new()),
        (Some(json), None) => Ok(text.slice_ref(json.as_bytes())),
        (Some(json), Some(content_type)) => {
            let string: Result<String, _> = serde_json::from_str(json);
            string.map(Bytes::from).map_err(|_| BadCloudEvent::Data(content_type.to_owned()))
        }
    }
}

fn attribute(name: &str, value: &RawValue) -> Result<(String, Bytes), BadCloudEvent> {
    if !is_name(name) {
        return Err(BadCloudEvent::Name(name.chars().take(80).collect()));
    }
    let expected = "a string, true, false or an integer of 32 bits";
    let text = match value.get() {
        json @ ("true" | "false") => json.to_owned(),
        json if json.starts_with('"') => string(name, value)?,
        json => json.parse::<i32>().map_err(|_| wrong(name, value, expected))?.to_string(),
    };
    Ok((format!("ce_{name}"), text.into()))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A string that is not empty.
fn string(name: &str, value: &RawValue) -> Result<String, BadCloudEvent> {
    match serde_json::from_str::<String>(value.get()) {
        Ok(text) if !text.is_empty() || name == "data_base64" => Ok(text),
        Ok(_) => Err(wrong(name, value, "a string that is not empty")),
        Err(_) => Err(wrong(name, value, "a string")),
    }
}

fn wrong(name: &str, value: &RawValue, expected: &'static str) -> BadCloudEvent {
    BadCloudEvent::Value { name: name.to_owned(), found: value.get().chars().take(80).collect(), expected }
}

/// The members of an object, their values as they are.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests;
