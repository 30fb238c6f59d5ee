//! The parameters of the endpoints.

use serde_json::{Value, json};

use super::schemas::named;
use crate::endpoints::Endpoint;
use crate::read::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::views::{LIMIT_DEFAULT as VIEW_LIMIT_DEFAULT, LIMIT_MAX as VIEW_LIMIT_MAX};

/// The parameters of an endpoint, those in its path included.
pub(super) fn parameters(endpoint: Endpoint) -> Value {
    let topic = || in_path("topic", named("Topic"));
    match endpoint {
        Endpoint::AppendToTopic => {
            let mut list = vec![topic()];
            list.extend(of_append());
            Value::Array(list)
        }
        Endpoint::ReadTopic => of_read([topic()], false),
        Endpoint::ReadStream => {
            let key = json!({ "type": "string", "minLength": 1, "description": "Percent-encoded bytes." });
            of_read([topic(), in_path("key", key)], false)
        }
        Endpoint::ReadEverything => of_read([], true),
        Endpoint::ShowTopic => json!([topic()]),
        Endpoint::ShowEntity => {
            let mut list = vec![in_path("entity", named("Topic")), of_version()];
            list.extend(of_changes());
            Value::Array(list)
        }
        Endpoint::ReadEntity => of_entity(),
        Endpoint::Sql => json!([
            in_query("position", "Read as of this position.", named("Position")),
            in_query("min_position", "Read at this position at least: wait for it.", named("Position")),
            of_stopped(),
        ]),
        Endpoint::ReadView => of_view(),
        Endpoint::Append
        | Endpoint::ListEntities
        | Endpoint::ListViews
        | Endpoint::ListTopics
        | Endpoint::Live
        | Endpoint::Ready
        | Endpoint::Metrics
        | Endpoint::OpenApi => json!([]),
    }
}

fn of_entity() -> Value {
    let key = json!({ "type": "string", "minLength": 1, "description": "As the stream's key is written; percent-encoded." });
    let mut list = vec![
        in_path("entity", named("Topic")),
        in_path("key", key),
        of_version(),
        in_query("position", "As of this position.", named("Position")),
        in_query("system_as_of", "As recorded by this time.", named("Time")),
        in_query("valid_as_of", "As true at this time.", named("Time")),
        in_query("min_position", "At this position at least: wait for it.", named("Position")),
        in_query(
            "steps",
            "The steps that led to it, in the place of the row.",
            json!({ "type": "boolean", "default": false }),
        ),
    ];
    list.extend(of_changes());
    Value::Array(list)
}

fn of_view() -> Value {
    let rows = |maximum: Option<u64>, default: u64| {
        let mut schema = json!({ "type": "integer", "minimum": 0, "default": default });
        if let Some(maximum) = maximum {
            schema["maximum"] = maximum.into();
        }
        schema
    };
    json!([
        in_path("view", named("Topic")),
        {
            "name": "columns",
            "in": "query",
            "style": "form",
            "explode": true,
            "description": "Only rows with this value in the column of this name.",
            "schema": { "type": "object", "additionalProperties": { "type": "string" } },
        },
        in_query("position", "As of this position.", named("Position")),
        in_query("system_as_of", "As recorded by this time.", named("Time")),
        in_query("valid_as_of", "As true at this time.", named("Time")),
        in_query("min_position", "At this position at least: wait for it.", named("Position")),
        of_stopped(),
        in_query("limit", "At most so many rows, in the order of their columns.", rows(Some(VIEW_LIMIT_MAX), VIEW_LIMIT_DEFAULT)),
        in_header(
            "Last-Event-ID",
            "Resume a subscription behind what was told with this id; of an `Accept: text/event-stream` only.",
            json!({ "type": "string", "pattern": "^[0-9]+:[0-9]+(\\+[0-9]+)?$" }),
        ),
        in_query("offset", "Without so many rows before them; give position as well, so that pages are of one moment.", rows(None, 0)),
    ])
}

fn of_stopped() -> Value {
    in_query(
        "stopped",
        "What to do about keys of entities that stopped at an event: fail, or leave them out with a notice.",
        json!({ "enum": ["fail", "skip"], "default": "fail" }),
    )
}

fn of_version() -> Value {
    in_query("version", "Of this version.", json!({ "type": "integer", "minimum": 1 }))
}

/// Of subscriptions to changes.
fn of_changes() -> [Value; 3] {
    [
        in_query(
            "from",
            "Changes from this position on; of an `Accept: text/event-stream` only.",
            named("Position"),
        ),
        in_query(
            "after",
            "Changes behind this position; of an `Accept: text/event-stream` only.",
            named("Position"),
        ),
        in_header(
            "Last-Event-ID",
            "Resume a subscription behind what was told with this id; of an `Accept: text/event-stream` only.",
            json!({ "type": "string", "pattern": "^[0-9]+\\.[0-9]+:[0-9]+(\\+[0-9]+)?$" }),
        ),
    ]
}

fn of_append() -> [Value; 6] {
    let text = || json!({ "type": "string", "pattern": "^[!-$&-~]+$", "maxLength": 255 });
    [
        in_query("key", "Key of the stream; its bytes percent-encoded.", json!({ "type": "string" })),
        in_header(
            "Recount-Expected-Revision",
            "What the one stream of all events must be like: any, no-stream, exists, or its last revision.",
            json!({ "type": "string", "pattern": "^(any|no-stream|exists|[0-9]{1,18})$" }),
        ),
        in_header("ce-id", "Id of the one event, unique within the topic; percent-encoded.", text()),
        in_header("ce-type", "Type of all events; percent-encoded.", text()),
        in_header("ce-time", "When all events happened.", named("Time")),
        in_header(
            "Recount-Tags",
            "Tags of all events, name:value, between commas; percent-encoded.",
            json!({ "type": "string", "pattern": "^[a-z]+:[a-z0-9]+(,[a-z]+:[a-z0-9]+)*$", "maxLength": 255 }),
        ),
    ]
}

fn of_read<const N: usize>(in_path: [Value; N], everything: bool) -> Value {
    let list = |item: Value| json!({ "type": "array", "items": item });
    let mut parameters = Vec::from(in_path);
    parameters.extend([
        in_query("from", "Begin at this position.", named("Position")),
        in_query("after", "Begin after this position; backward: before it.", named("Position")),
        in_query("revision", "Begin at this revision of the stream.", named("Revision")),
        in_query("time", "Begin at this append time.", named("Time")),
        in_query(
            "direction",
            "Oldest or newest first.",
            json!({ "enum": ["forward", "backward"], "default": "forward" }),
        ),
        in_query(
            "limit",
            "At most so many events.",
            json!({
                "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT,
            }),
        ),
        in_query("type", "Only events of one of these types.", list(json!({ "type": "string" }))),
        in_query("tag", "Only events with all of these tags.", list(named("Tag"))),
        in_query("position", "As of this position; rounds down to a whole append.", named("Position")),
        in_query("system_as_of", "As recorded by this time.", named("Time")),
    ]);
    if everything {
        let schema = json!({ "type": "boolean", "default": false });
        parameters.push(in_query("system", "With the topics whose names begin with _.", schema));
    }
    parameters.push(in_header(
        "Last-Event-ID",
        "Resume a subscription after this position; of an `Accept: text/event-stream` only.",
        named("Position"),
    ));
    Value::Array(parameters)
}

fn in_path(name: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn in_query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

fn in_header(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "description": description, "schema": schema })
}
