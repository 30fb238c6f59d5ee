//! `POST /sql`: runs a statement, given as text or as `{"sql": "…"}`. Rows are answered as JSON, JSON lines, CSV or an
//! Arrow stream, by `Accept`, as they are computed.
//!
//! A request is a session of its own: its parameters, or SET statements before the statement, say what holds in it. What
//! should be known about the rows is a member of JSON; of the other forms it is the header `Recount-Notice`, a line a notice,
//! percent-encoded.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use recount_query::{Answer, Format, Formatted, Outcome, SessionSettings, Stopped};
use recount_store::shown::executed_json;
use serde::Deserialize;

use crate::append::content_type;
use crate::body::{self, Pipe};
use crate::front::Front;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::topics::json_response;

/// The names of the parameters.
const PARAMETERS: &[&str] = &["position", "min_position", "stopped"];
const AS_OF: HeaderName = HeaderName::from_static("recount-as-of");
const NOTICE: HeaderName = HeaderName::from_static("recount-notice");

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
    let position = parameters.take_position("position")?;
    let session = SessionSettings { position, ..settings(&mut parameters)? };
    parameters.finish(PARAMETERS)?;
    Ok(session)
}

/// What holds for a statement, apart from as of when it reads.
pub(crate) fn settings(parameters: &mut Parameters) -> Result<SessionSettings, Problem> {
    Ok(SessionSettings {
        min_position: parameters.take_position("min_position")?,
        stopped: parameters.take_as("stopped", "fail or skip", stopped)?.unwrap_or_default(),
        ..SessionSettings::default()
    })
}

fn stopped(text: &str) -> Option<Stopped> {
    match text {
        "fail" => Some(Stopped::Fail),
        "skip" => Some(Stopped::Skip),
        _ => None,
    }
}

/// The first format that is accepted; JSON if none is named.
pub(crate) fn format(headers: &HeaderMap) -> Format {
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
pub(crate) async fn rows(answer: Answer, format: Format) -> Result<Response, Problem> {
    let as_of = answer.position().to_string();
    let mut formatted = Formatted::new(answer, format);
    let first = formatted.next().await?;
    let notices = if format == Format::Json { Vec::new() } else { formatted.answer().notices().all() };
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
    let mut response = (head, body).into_response();
    for notice in notices {
        response.headers_mut().append(NOTICE, header_text(&notice));
    }
    Ok(response)
}

/// A text as a header: what is not visible ASCII or a space is percent-encoded, and so is `%`.
fn header_text(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => encoded.push_str("%25"),
            b' '..=b'~' => encoded.push(char::from(byte)),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    HeaderValue::from_str(&encoded).unwrap_or(HeaderValue::from_static(""))
}
