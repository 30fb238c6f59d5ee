//! `GET /topics` and `GET /topics/{topic}`.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use recount_store::ReadError;
use recount_store::shown::topic_json;
use serde_json::{Value, json};

use crate::front::Front;
use crate::parameters::Parameters;
use crate::path;
use crate::problem::Problem;

/// Lists the topics.
pub(crate) fn list(front: &Front, request: &Request) -> Result<Response, Problem> {
    Parameters::parse(request.uri().query())?.finish(&[])?;
    let topics: Vec<Value> = front.store.topics().iter().map(topic_json).collect();
    Ok(json_response(&json!({ "topics": topics })))
}

/// Shows one topic.
pub(crate) fn show(front: &Front, request: &Request) -> Result<Response, Problem> {
    Parameters::parse(request.uri().query())?.finish(&[])?;
    let name = path::topic(request.uri().path())?;
    let unknown = || ReadError::UnknownTopic { topic: name.to_string() };
    let topic = front.store.topic(name.as_str()).ok_or_else(unknown)?;
    Ok(json_response(&topic_json(&topic)))
}

/// A success in JSON.
pub(crate) fn json_response(value: &Value) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
