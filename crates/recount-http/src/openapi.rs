//! The description of the endpoints in OpenAPI 3.1 (<https://spec.openapis.org/oas/v3.1.0>), made from the list of
//! endpoints: what each takes and answers, every status included. `docs/openapi.json` is a copy of it.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::endpoints::{Described, ENDPOINTS, Endpoint, Method};
use crate::parameters::Parameters;
use crate::problem::Problem;

mod bodies;
mod inputs;
mod schemas;

static DOCUMENT: LazyLock<String> = LazyLock::new(document);

/// `GET /openapi.json`.
pub(crate) fn answer(request: &Request) -> Result<Response, Problem> {
    Parameters::parse(request.uri().query())?.finish(&[])?;
    Ok(([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response())
}

/// The description as JSON.
pub fn document() -> String {
    let mut paths = Map::new();
    for described in &ENDPOINTS {
        let method = match described.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        paths.entry(described.path).or_insert_with(|| json!({}))[method] = operation(described);
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Recount",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "An event-sourcing database. Every answer that is not a success is a problem (RFC 9457).",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:7400" }],
        "paths": paths,
        "components": { "schemas": schemas::all(), "responses": { "Problem": problem_response() } },
    });
    format!("{document:#}\n")
}

fn operation(described: &Described) -> Value {
    let mut operation = json!({
        "operationId": described.id,
        "summary": described.summary,
        "parameters": inputs::parameters(described.endpoint),
    });
    if let Some(body) = bodies::request(described.endpoint) {
        operation["requestBody"] = body;
    }
    let mut responses = bodies::successes(described.endpoint);
    for status in problems(described.endpoint) {
        responses[status.to_string()] = json!({ "$ref": "#/components/responses/Problem" });
    }
    operation["responses"] = responses;
    operation
}

/// The statuses that are not successes. 503 is also the answer on a connection beyond the limit.
fn problems(endpoint: Endpoint) -> &'static [u16] {
    match endpoint {
        Endpoint::AppendToTopic | Endpoint::Append | Endpoint::Sql => {
            &[400, 403, 404, 408, 409, 413, 415, 500, 503, 507]
        }
        Endpoint::ReadTopic | Endpoint::ReadStream => &[400, 404, 500, 503],
        Endpoint::ShowEntity | Endpoint::ReadEntity | Endpoint::ReadView => &[400, 404, 409, 500, 503],
        Endpoint::ReadEverything => &[400, 500, 503],
        Endpoint::ShowTopic => &[400, 404, 503],
        Endpoint::ListTopics
        | Endpoint::ListEntities
        | Endpoint::ListViews
        | Endpoint::Live
        | Endpoint::Ready
        | Endpoint::Metrics
        | Endpoint::OpenApi => &[400, 503],
    }
}

fn problem_response() -> Value {
    json!({
        "description": "Not done; `detail` says what was wrong and what to do.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}
