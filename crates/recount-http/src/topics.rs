//! `GET /topics` and `GET /topics/{topic}`.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use recount_store::{ReadError, TopicInfo};
use serde_json::{Value, json};

use crate::front::Front;
use crate::parameters::Parameters;
use crate::path;
use crate::problem::Problem;

/// Lists the topics.
pub(crate) fn list(front: &Front, request: &Request) -> Result<Response, Problem> {
    Parameters::parse(request.uri().query())?.finish(&[])?;
    let topics: Vec<Value> = front.store.topics().iter().map(shown).collect();
    Ok(json_response(&json!({ "topics": topics })))
}

/// Shows one topic.
pub(crate) fn show(front: &Front, request: &Request) -> Result<Response, Problem> {
    Parameters::parse(request.uri().query())?.finish(&[])?;
    let name = path::topic(request.uri().path())?;
    let unknown = || ReadError::UnknownTopic { topic: name.to_string() };
    let topic = front.store.topic(name.as_str()).ok_or_else(unknown)?;
    Ok(json_response(&shown(&topic)))
}

fn shown(topic: &TopicInfo) -> Value {
    json!({
        "name": topic.name.as_str(),
        "id": topic.id.0,
        "partitions": topic.partitions,
        "created": topic.created.0,
        "definition": topic.definition,
    })
}

/// A success in JSON.
pub(crate) fn json_response(value: &Value) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
