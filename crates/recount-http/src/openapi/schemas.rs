//! The shapes of what goes in and out.

use recount_types::limits::{APPEND_EVENTS_MAX, TAG_BYTES_MAX, TAGS_MAX, TYPE_BYTES_MAX};
use recount_types::number::NUMBER_MAX;
use serde_json::{Value, json};

/// A schema of this document.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// All schemas.
pub(super) fn all() -> Value {
    json!({
        "Position": number("A number in the total order of all events; 0 is before everything."),
        "Revision": number("A number within a stream, from 0."),
        "Time": {
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339, at most six digits of a second.",
            "example": "2023-12-13T12:00:00Z",
        },
        "Topic": { "type": "string", "pattern": "^[a-zA-Z0-9._-]+$", "maxLength": 249, "example": "transactions" },
        "Key": {
            "type": "string",
            "description": "Key of a stream: bytes other than printable ASCII, and %, are percent-encoded.",
            "pattern": "^([ -$&-~]|%[0-9A-Fa-f]{2})*$",
        },
        "Stream": {
            "type": "string",
            "description": "topic/key; the key as in Key.",
            "pattern": "^[a-zA-Z0-9._-]+/([ -$&-~]|%[0-9A-Fa-f]{2})*$",
            "example": "transactions/1",
        },
        "Tag": {
            "type": "string",
            "description": "name:value",
            "pattern": "^[^:]+:",
            "maxLength": TAG_BYTES_MAX,
            "example": "customer:7",
        },
        "Headers": {
            "type": "array",
            "description": "Names and values; values as in Key.",
            "items": { "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2 },
        },
        "CloudEvent": {
            "type": "object",
            "description": "A CloudEvent 1.0 in structured mode; partitionkey is its stream's key.",
            "required": ["specversion", "id", "source", "type"],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": { "type": "string", "minLength": 1 },
                "source": { "type": "string", "minLength": 1 },
                "type": { "type": "string", "minLength": 1 },
                "time": named("Time"),
                "datacontenttype": { "type": "string" },
                "partitionkey": { "type": "string", "minLength": 1 },
                "data": {},
                "data_base64": { "type": "string", "contentEncoding": "base64" },
            },
        },
        "Event": event(),
        "Events": events(),
        "Append": append(),
        "Appended": appended(),
        "Expected": {
            "description": "What a stream must be like: anything, without events, with one, or at this revision.",
            "anyOf": [{ "enum": ["any", "no-stream", "exists"] }, named("Revision")],
        },
        "Definition": topic(),
        "Executed": {
            "type": "object",
            "description": "What a statement did: to a topic, an entity or a view, whose names are alike.",
            "required": ["statement", "position"],
            "properties": {
                "statement": { "type": "string", "example": "CREATE TOPIC" },
                "topic": named("Topic"),
                "entity": named("Topic"),
                "view": named("Topic"),
                "version": { "type": "integer", "minimum": 1, "description": "The version of the entity." },
                "position": named("Position"),
            },
        },
        "Rows": {
            "type": "object",
            "description": "Rows of an answer, all read at one position.",
            "required": ["position", "columns", "rows", "notices"],
            "properties": {
                "position": named("Position"),
                "columns": { "type": "array", "items": {
                    "type": "object",
                    "required": ["name", "type"],
                    "properties": { "name": { "type": "string" }, "type": { "type": "string" } },
                } },
                "rows": { "type": "array", "items": { "type": "array" } },
                "notices": { "type": "array", "items": { "type": "string" } },
            },
        },
        "Problem": problem(),
    })
}

fn number(description: &str) -> Value {
    json!({
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "maximum": NUMBER_MAX,
        "description": description,
    })
}

fn event() -> Value {
    json!({
        "type": "object",
        "required": ["position", "topic", "partition", "offset", "eventTime", "appendTime"],
        "properties": {
            "position": named("Position"),
            "stream": named("Stream"),
            "topic": named("Topic"),
            "key": named("Key"),
            "revision": named("Revision"),
            "partition": number("A part of the topic."),
            "offset": number("A number within the partition."),
            "id": { "type": "string" },
            "type": { "type": "string" },
            "eventTime": named("Time"),
            "appendTime": named("Time"),
            "tags": { "type": "array", "items": named("Tag") },
            "headers": named("Headers"),
            "contentType": { "type": "string" },
            "data": { "description": "The payload, if it is JSON." },
            "dataBase64": { "type": "string", "contentEncoding": "base64", "description": "The payload otherwise." },
        },
    })
}

fn events() -> Value {
    json!({
        "type": "object",
        "required": ["events", "asOf", "next"],
        "properties": {
            "events": { "type": "array", "items": named("Event") },
            "asOf": named("Position"),
            "next": { "type": ["string", "null"], "description": "Path and query of the next page; null = no more." },
        },
    })
}

fn append() -> Value {
    let event = json!({
        "type": "object",
        "required": ["topic"],
        "additionalProperties": false,
        "properties": {
            "topic": named("Topic"),
            "key": named("Key"),
            "type": { "type": "string", "maxLength": TYPE_BYTES_MAX },
            "id": { "type": "string", "description": "Unique within the topic; the same id makes the same append once." },
            "time": named("Time"),
            "tags": { "type": "array", "items": named("Tag"), "maxItems": TAGS_MAX },
            "headers": named("Headers"),
            "contentType": { "type": "string" },
            "data": { "description": "A payload in JSON, kept byte for byte." },
            "dataBase64": { "type": "string", "contentEncoding": "base64", "description": "Any payload." },
        },
        "oneOf": [{ "required": ["data"] }, { "required": ["dataBase64"] }],
    });
    let of_stream = json!({
        "type": "object",
        "required": ["stream", "expected"],
        "additionalProperties": false,
        "properties": { "stream": named("Stream"), "expected": named("Expected") },
    });
    let item = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "types": { "type": "array", "items": { "type": "string" }, "description": "The event has one of them." },
            "tags": { "type": "array", "items": named("Tag"), "description": "The event has all of them." },
        },
    });
    let no_match = json!({
        "type": "object",
        "description": "No event after the position matches one of the items.",
        "required": ["noMatch", "after"],
        "additionalProperties": false,
        "properties": {
            "noMatch": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "topics": { "type": "array", "items": named("Topic") },
                    "items": { "type": "array", "items": item },
                },
            },
            "after": named("Position"),
        },
    });
    json!({
        "type": "object",
        "required": ["events"],
        "additionalProperties": false,
        "properties": {
            "events": { "type": "array", "items": event, "minItems": 1, "maxItems": APPEND_EVENTS_MAX },
            "conditions": {
                "type": "array",
                "items": { "oneOf": [of_stream, no_match] },
                "maxItems": crate::append::many::CONDITIONS_MAX,
            },
        },
    })
}

fn appended() -> Value {
    let event = json!({
        "type": "object",
        "required": ["position"],
        "properties": {
            "position": named("Position"),
            "stream": named("Stream"),
            "revision": {
                "$ref": "#/components/schemas/Revision",
                "description": "Absent if the event belongs to no stream, or if the index could not be read: the event is stored all the same.",
            },
        },
    });
    json!({
        "type": "object",
        "required": ["position", "appendTime", "duplicate", "events"],
        "properties": {
            "position": named("Position"),
            "appendTime": named("Time"),
            "duplicate": { "type": "boolean", "description": "It had been made before; nothing was added." },
            "events": { "type": "array", "items": event },
        },
    })
}

fn topic() -> Value {
    json!({
        "type": "object",
        "required": ["name", "id", "partitions", "created", "definition"],
        "properties": {
            "name": named("Topic"),
            "id": number("Never used again for another topic."),
            "partitions": number("How many parts it has."),
            "created": named("Position"),
            "definition": { "type": "object" },
        },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string", "format": "uri", "example": "urn:recount:problem:wrong-revision" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What was wrong, where, and what to do." },
            "index": { "type": "integer", "description": "Which event of the request." },
            "stream": named("Stream"),
            "topic": { "type": "string" },
            "expected": named("Expected"),
            "actual": {
                "type": ["integer", "null"],
                "description": "The revision of the stream's last event; null = it has none.",
            },
            "position": named("Position"),
        },
    })
}
