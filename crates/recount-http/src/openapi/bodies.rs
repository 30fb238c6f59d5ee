//! The bodies of requests, and those of answers that are successes.

use serde_json::{Value, json};

use super::schemas::named;
use crate::endpoints::Endpoint;

/// The body that an endpoint takes.
pub(super) fn request(endpoint: Endpoint) -> Option<Value> {
    let content = match endpoint {
        Endpoint::AppendToTopic => json!({
            "application/json": { "schema": {
                "description": "An object is one payload; an array is many.",
                "oneOf": [
                    { "type": "object" },
                    { "type": "array", "items": { "type": "object" }, "minItems": 1 },
                ],
            } },
            "application/x-ndjson": { "schema": { "type": "string", "description": "A payload a line." } },
            "application/cloudevents+json": { "schema": named("CloudEvent") },
            "application/cloudevents-batch+json": { "schema": { "type": "array", "items": named("CloudEvent") } },
            "application/octet-stream": { "schema": { "type": "string", "description": "One payload as it is; any other type likewise." } },
        }),
        Endpoint::Append => json!({ "application/json": { "schema": named("Append") } }),
        Endpoint::Sql => json!({
            "text/plain": { "schema": { "type": "string", "example": "CREATE TOPIC transactions" } },
            "application/json": { "schema": {
                "type": "object",
                "required": ["sql"],
                "additionalProperties": false,
                "properties": { "sql": { "type": "string" } },
            } },
        }),
        _ => return None,
    };
    Some(json!({ "required": true, "content": content }))
}

/// The successes of an endpoint, by status.
pub(super) fn successes(endpoint: Endpoint) -> Value {
    match endpoint {
        Endpoint::AppendToTopic | Endpoint::Append => json!({
            "200": in_json("The same append had been made before.", named("Appended")),
            "201": in_json("Appended, and on disk.", named("Appended")),
        }),
        Endpoint::ReadTopic | Endpoint::ReadStream | Endpoint::ReadEverything => json!({ "200": {
            "description": "The events.",
            "content": {
                "application/json": { "schema": named("Events") },
                "application/x-ndjson": { "schema": { "type": "string", "description": "An Event a line." } },
                "text/event-stream": { "schema": {
                    "type": "string",
                    "description": "A subscription: an Event a message, its position as id; caught-up messages between.",
                } },
            },
        } }),
        Endpoint::Sql => json!({ "200": in_forms(
            "A definition: done, and on disk. Anything else: its rows, in the form that was accepted.",
            json!({ "oneOf": [named("Executed"), named("Rows")] }),
        ) }),
        Endpoint::ListViews => ok(
            "The views, by name.",
            json!({
                "type": "object",
                "required": ["views"],
                "properties": { "views": { "type": "array", "items": { "type": "object" } } },
            }),
        ),
        Endpoint::ReadView => {
            let mut answer =
                json!({ "200": in_forms("The rows, in the form that was accepted.", named("Rows")) });
            answer["200"]["content"]["text/event-stream"] = json!({ "schema": {
                "type": "string",
                "description": "A subscription: all rows, then a message for each that came or went, with position, weight (how often it came, negative if it went) and row; caught-up messages between; ended, with the reason, when the rows are to be read again.",
            } });
            answer
        }
        Endpoint::ListTopics => ok(
            "The topics, by name.",
            json!({
                "type": "object",
                "required": ["topics"],
                "properties": { "topics": { "type": "array", "items": named("Definition") } },
            }),
        ),
        Endpoint::ShowTopic => ok("The topic.", named("Definition")),
        Endpoint::ListEntities => ok("The versions of the entities, by name.", entities()),
        Endpoint::ShowEntity => or_changes(ok("The versions of the entity.", entities())),
        Endpoint::ReadEntity => {
            let row = json!({ "type": "object", "required": ["entity", "position"] });
            or_changes(ok("The row, or the steps.", row))
        }
        Endpoint::Live => ok("It does.", status("live")),
        Endpoint::Ready => ok("They are.", status("ready")),
        Endpoint::Metrics => json!({ "200": {
            "description": "The metrics.",
            "content": { "text/plain": { "schema": { "type": "string" } } },
        } }),
        Endpoint::OpenApi => ok("This.", json!({ "type": "object" })),
    }
}

/// Rows in every form, of which JSON is `json`.
fn in_forms(description: &str, json: Value) -> Value {
    json!({
        "description": description,
        "headers": {
            "Recount-As-Of": { "schema": named("Position"), "description": "Of rows: the position that they are read at." },
            "Recount-Notice": {
                "schema": { "type": "string" },
                "description": "What should be known about the rows, percent-encoded, of forms that have no other place for it.",
            },
        },
        "content": {
            "application/json": { "schema": json },
            "application/x-ndjson": { "schema": { "type": "string", "description": "An object a row." } },
            "text/csv": { "schema": { "type": "string", "description": "RFC 4180, with a line of names." } },
            "application/vnd.apache.arrow.stream": { "schema": { "type": "string", "format": "binary" } },
        },
    })
}

fn entities() -> Value {
    json!({
        "type": "object",
        "required": ["entities"],
        "properties": { "entities": { "type": "array", "items": { "type": "object" } } },
    })
}

/// The same, or a subscription.
fn or_changes(mut answer: Value) -> Value {
    answer["200"]["content"]["text/event-stream"] = json!({ "schema": {
        "type": "string",
        "description": "A subscription: a change a message, with position, appendTime, eventTime, key, and the row from then on, null if there is none; caught-up messages between; ended, with the reason, when the rows became others.",
    } });
    answer
}

fn ok(description: &str, schema: Value) -> Value {
    json!({ "200": in_json(description, schema) })
}

fn in_json(description: &str, schema: Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn status(word: &str) -> Value {
    json!({
        "type": "object",
        "required": ["status"],
        "properties": { "status": { "const": word }, "position": named("Position") },
    })
}
