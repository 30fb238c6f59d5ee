//! `POST /sql`: runs a statement, given as text or as `{"sql": "…"}`.

use axum::extract::Request;
use axum::response::Response;
use recount_store::shown::executed_json;
use serde::Deserialize;

use crate::append::content_type;
use crate::body;
use crate::front::Front;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::read::batch;
use crate::topics::json_response;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    sql: String,
}

/// Runs the statement.
pub(crate) async fn answer(front: &Front, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    Parameters::parse(parts.uri.query())?.finish(&[])?;
    let content_type = content_type(&parts.headers)?.essence;
    let body = body::collect(&front.large_bodies, &parts.headers, body).await?;
    let sql = match content_type.as_str() {
        "application/json" => serde_json::from_slice::<Statement>(&body.bytes)
            .map(|statement| statement.sql)
            .map_err(|error| Problem::bad_request(format!("the body is not {{\"sql\": \"…\"}}: {error}")))?,
        "text/plain" | "application/sql" => String::from_utf8(body.bytes.to_vec())
            .map_err(|error| Problem::bad_request(format!("the statement is not UTF-8: {error}")))?,
        other => return Err(Problem::unsupported(other, "text/plain or application/json")),
    };
    let views = front.views.clone();
    let executed = batch(async move || views.execute(&sql)).await?;
    Ok(json_response(&executed_json(&executed)))
}
