//! `GET /health/live`, `/health/ready` and `/metrics`.

use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::front::Front;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::topics::json_response;

/// The process answers.
pub(crate) fn live(request: &Request) -> Result<Response, Problem> {
    Parameters::parse(request.uri().query())?.finish(&[])?;
    Ok(json_response(&json!({ "status": "live" })))
}

/// Appends and reads are served.
pub(crate) fn ready(front: &Front, request: &Request) -> Result<Response, Problem> {
    Parameters::parse(request.uri().query())?.finish(&[])?;
    front.ready()?;
    Ok(json_response(&json!({ "status": "ready", "position": front.store.head().0 })))
}

/// All metrics.
pub(crate) fn metrics(front: &Front, request: &Request) -> Result<Response, Problem> {
    Parameters::parse(request.uri().query())?.finish(&[])?;
    let text = front.counts.text(&front.store.stats());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
