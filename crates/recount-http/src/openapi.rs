//! The description of the endpoints in OpenAPI 3.1 (<https://spec.openapis.org/oas/v3.1.0>), made from the list.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::endpoints::{ENDPOINTS, Method};
use crate::parameters::Parameters;
use crate::problem::Problem;

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
        let entry = paths.entry(described.path).or_insert_with(|| json!({}));
        entry[method] = json!({ "operationId": described.id, "summary": described.summary });
    }
    let document = json!({ "openapi": "3.1.0", "paths": Value::Object(paths) });
    format!("{document:#}\n")
}
