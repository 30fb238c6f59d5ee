//! `POST /sql`: runs a statement, given as text or as `{"sql": "…"}`. Rows are answered as JSON, JSON lines, CSV or an
//! Arrow stream, by `Accept`, as they are computed.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use recount_query::{Answer, Format, Formatted, Outcome, SessionSettings};
use recount_store::shown::executed_json;
use recount_types::Position;
use serde::Deserialize;

use crate::append::{content_type, number};
use crate::body::{self, Pipe};
use crate::front::Front;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::topics::json_response;

/// The names of the parameters.
const PARAMETERS: &[&str] = &["position", "min_position"];
const AS_OF: HeaderName = HeaderName::from_static("recount-as-of");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    sql: String,
}

/// Runs the statement.
pub(crate) async fn answer(front: &Arc<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let session = session(Parameters::parse(parts.uri.query())?)?;
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
    drop(body);
    match front.sql.run(&sql, &session).await? {
        Outcome::Executed(executed) => Ok(json_response(&executed_json(&executed))),
        Outcome::Rows(answer) => rows(answer, format(&parts.headers)).await,
    }
}

fn session(mut parameters: Parameters) -> Result<SessionSettings, Problem> {
    let what = "a position: digits, at most 9223372036854775807";
    let session = SessionSettings {
        position: parameters.take_as("position", what, number)?.map(Position),
        min_position: parameters.take_as("min_position", what, number)?.map(Position),
        ..SessionSettings::default()
    };
    parameters.finish(PARAMETERS)?;
    Ok(session)
}

/// The first format that is accepted; JSON if none is named.
fn format(headers: &HeaderMap) -> Format {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let named =
        values.flat_map(|value| value.split(',')).map(|one| one.split(';').next().unwrap_or_default());
    let known = named.filter_map(|media_type| match media_type.trim() {
        "application/json" => Some(Format::Json),
        "application/x-ndjson" | "application/jsonl" => Some(Format::JsonLines),
        "text/csv" => Some(Format::Csv),
        "application/vnd.apache.arrow.stream" => Some(Format::Arrow),
        _ => None,
    });
    known.into_iter().next().unwrap_or(Format::Json)
}

/// The first piece comes before the head, so that most errors are answers; one that comes later breaks the connection.
async fn rows(answer: Answer, format: Format) -> Result<Response, Problem> {
    let as_of = answer.position().to_string();
    let mut formatted = Formatted::new(answer, format);
    let first = formatted.next().await?;
    let (pipe, body) = Pipe::new();
    tokio::spawn(async move {
        let mut piece = first;
        while let Some(bytes) = piece {
            if pipe.write(bytes).await.is_err() {
                return;
            }
            piece = match formatted.next().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "a query failed half-way");
                    return pipe.fail(error).await;
                }
            };
        }
    });
    let head = [(header::CONTENT_TYPE, format.content_type().to_owned()), (AS_OF, as_of)];
    Ok((head, body).into_response())
}
