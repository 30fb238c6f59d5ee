//! Events, topics and answers to statements as JSON: the one form in which every front shows them.

use std::fmt::Write;

use recount_types::{Event, name::KeyText};
use serde_json::{Value, json};

use crate::catalogue::TopicInfo;
use crate::store::{Defined, Executed};
use crate::time::format_rfc3339;

/// A topic and its definition.
pub fn topic_json(topic: &TopicInfo) -> Value {
    json!({
        "name": topic.name.as_str(),
        "id": topic.id.0,
        "partitions": topic.partitions,
        "created": topic.created.0,
        "definition": topic.definition,
    })
}

/// What a statement did.
pub fn executed_json(executed: &Executed) -> Value {
    let about = match executed.defined {
        Defined::Topic => "topic",
        Defined::Entity => "entity",
        Defined::View => "view",
    };
    let mut shown = json!({
        "statement": executed.statement,
        about: executed.name.as_str(),
        "position": executed.position.0,
    });
    if let Some(version) = executed.version {
        shown["version"] = version.into();
    }
    shown
}

/// An event as one line of JSON. A JSON payload stands in it verbatim as `data`; any other as `dataBase64`.
pub fn event_json(event: &Event) -> String {
    let mut out = String::with_capacity(event.payload.len() + 256);
    let _ = write!(out, "{{\"position\":{}", event.position);
    if let Some(stream) = event.stream() {
        text(&mut out, "stream", &stream.to_string());
    }
    text(&mut out, "topic", event.topic.as_str());
    if let Some(key) = &event.key {
        text(&mut out, "key", &KeyText(key).to_string());
    }
    if let Some(revision) = event.revision {
        let _ = write!(out, ",\"revision\":{revision}");
    }
    let _ = write!(out, ",\"partition\":{},\"offset\":{}", event.partition, event.offset);
    if let Some(id) = &event.id {
        text(&mut out, "id", id);
    }
    if let Some(event_type) = &event.event_type {
        text(&mut out, "type", event_type);
    }
    text(&mut out, "eventTime", &format_rfc3339(event.event_time));
    text(&mut out, "appendTime", &format_rfc3339(event.append_time));
    if !event.tags.is_empty() {
        let tags: Vec<&str> = event.tags.iter().map(|tag| tag.as_str()).collect();
        let _ = write!(out, ",\"tags\":{}", json(&tags));
    }
    if !event.headers.is_empty() {
        let headers: Vec<(&str, String)> =
            event.headers.iter().map(|(name, value)| (name.as_str(), KeyText(value).to_string())).collect();
        let _ = write!(out, ",\"headers\":{}", json(&headers));
    }
    if let Some(content_type) = &event.content_type {
        text(&mut out, "contentType", content_type);
    }
    match std::str::from_utf8(&event.payload) {
        // A payload without a content type was checked to be JSON when it was appended.
        Ok(payload) if event.content_type.is_none() && !payload.contains(['\n', '\r']) => {
            let _ = write!(out, ",\"data\":{payload}}}");
        }
        Ok(payload) if event.content_type.is_none() => {
            // Line breaks in JSON stand between tokens only.
            let _ = write!(out, ",\"data\":{}}}", payload.replace(['\n', '\r'], " "));
        }
        _ => {
            text(&mut out, "dataBase64", &base64(&event.payload));
            out.push('}');
        }
    }
    out
}

fn text(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, ",\"{name}\":{}", json(&value));
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit <= chunk.len() { char::from(DIGITS[index]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
