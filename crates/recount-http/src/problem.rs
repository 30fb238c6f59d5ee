//! Problems: every answer that is not a success, as RFC 9457 problem details. The store says what happened; here
//! it is said in HTTP. Statuses come from one exhaustive match.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use recount_query::QueryError;
use recount_store::{AppendError, DdlError, Expected, ReadError};
use recount_types::Kind;
use recount_views::ViewError;
use serde_json::{Map, Value, json};

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    status: StatusCode,
    /// The last part of its `type`.
    name: &'static str,
    title: &'static str,
    detail: String,
    members: Map<String, Value>,
}

impl Problem {
    /// The request is wrong: 400.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::of(StatusCode::BAD_REQUEST, "bad-request", "The request is wrong", detail)
    }

    /// One event of the request is wrong: 400.
    pub(crate) fn bad_event(index: usize, what: impl std::fmt::Display) -> Problem {
        let detail = format!("event {index}: {what}. Nothing of this append was stored");
        Problem::of(StatusCode::BAD_REQUEST, "bad-event", "An event is wrong", detail).with("index", index)
    }

    /// No endpoint has this path: 404.
    pub(crate) fn no_such_path(path: &str) -> Problem {
        let path: String = path.chars().take(200).collect();
        let detail = format!("nothing is at {path}. GET /openapi.json lists what there is");
        Problem::of(StatusCode::NOT_FOUND, "no-such-path", "Nothing is here", detail)
    }

    /// The endpoint has another method: 405.
    pub(crate) fn no_such_method(method: &str, path: &str) -> Problem {
        let path: String = path.chars().take(200).collect();
        let detail = format!("{path} does not understand {method}. GET /openapi.json lists what there is");
        Problem::of(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", "The method is another one", detail)
    }

    /// The body did not come in time: 408.
    pub(crate) fn too_slow(seconds: u64) -> Problem {
        let detail = format!("the body did not arrive within {seconds} s. Nothing was stored");
        Problem::of(StatusCode::REQUEST_TIMEOUT, "too-slow", "The body came too slowly", detail)
    }

    /// The body is too large: 413.
    pub(crate) fn too_large(bytes_max: usize) -> Problem {
        let detail = format!("the body is larger than {bytes_max} bytes: split it. Nothing of it was stored");
        Problem::of(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
            .with("bytesMax", bytes_max)
    }

    /// The body is of a type that the endpoint does not take: 415.
    pub(crate) fn unsupported(content_type: &str, takes: &str) -> Problem {
        let content_type: String = content_type.chars().take(200).collect();
        let detail = format!("the body's content type is {content_type:?}, this takes {takes}");
        let title = "The body is of a type that is not taken here";
        Problem::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", title, detail)
    }

    /// There are too many connections: 503.
    pub(crate) fn too_many_connections(connections_max: usize) -> Problem {
        let detail =
            format!("{connections_max} connections are open, which is the limit: close some, or retry");
        Problem::of_kind(Kind::Busy, detail)
    }

    /// The server is stopping: 503.
    pub(crate) fn stopping() -> Problem {
        Problem::of_kind(Kind::Closed, "the server is stopping")
    }

    /// What a kind of error is in HTTP.
    pub(crate) fn of_kind(kind: Kind, detail: impl Into<String>) -> Problem {
        let (status, name, title) = match kind {
            Kind::Invalid => (StatusCode::BAD_REQUEST, "bad-request", "The request is wrong"),
            Kind::Conflict => (StatusCode::CONFLICT, "conflict", "A condition does not hold"),
            Kind::NotFound => (StatusCode::NOT_FOUND, "not-found", "What is named does not exist"),
            Kind::Denied => (StatusCode::FORBIDDEN, "denied", "This is not allowed"),
            Kind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much at once"),
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "An operator must act"),
            Kind::Corrupt => (StatusCode::INTERNAL_SERVER_ERROR, "corrupt", "Stored bytes are damaged"),
            Kind::Closed => (StatusCode::SERVICE_UNAVAILABLE, "closed", "The database is closed"),
        };
        Problem::of(status, name, title, detail)
    }

    fn of(status: StatusCode, name: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, name, title, detail: detail.into(), members: Map::new() }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Problem {
        let mut problem = Problem::of_kind(error.kind(), error.to_string());
        match error {
            AppendError::UnknownTopic { topic } => problem.with("topic", topic),
            AppendError::SystemTopic { topic } => problem.with("topic", topic.as_str()),
            AppendError::BadEvent { index, .. } => {
                (problem.name, problem.title) = ("bad-event", "An event is wrong");
                problem.with("index", index)
            }
            AppendError::WrongRevision { stream, expected, actual } => {
                (problem.name, problem.title) = ("wrong-revision", "The stream is not as expected");
                problem
                    .with("stream", stream.to_string())
                    .with("expected", expected_json(expected))
                    .with("actual", actual.map(|revision| revision.0))
            }
            AppendError::Matched { after, at } => {
                (problem.name, problem.title) = ("matched", "An event matches the condition");
                problem.with("after", after.0).with("position", at.0)
            }
            AppendError::IdReused { topic, id, at } => {
                (problem.name, problem.title) = ("id-reused", "The id belongs to another event");
                problem.with("topic", topic.as_str()).with("id", id).with("position", at.0)
            }
            AppendError::StorageFull { .. } => {
                problem.status = StatusCode::INSUFFICIENT_STORAGE;
                (problem.name, problem.title) = ("storage-full", "The disk is full");
                problem
            }
            _ => problem,
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Problem {
        let problem = Problem::of_kind(error.kind(), error.to_string());
        match error {
            ReadError::UnknownTopic { topic } => problem.with("topic", topic),
            _ => problem,
        }
    }
}

impl From<DdlError> for Problem {
    fn from(error: DdlError) -> Problem {
        match error {
            DdlError::Append(error) => error.into(),
            error => Problem::of_kind(error.kind(), error.to_string()),
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Problem {
        match error {
            QueryError::Append(error) => error.into(),
            QueryError::Read(error) => error.into(),
            QueryError::Ddl(error) => error.into(),
            QueryError::View(error) => error.into(),
            error => Problem::of_kind(error.kind(), error.to_string()),
        }
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Problem {
        let problem = Problem::of_kind(error.kind(), error.to_string());
        match error {
            ViewError::Read(error) => error.into(),
            ViewError::Stopped { entity, key, position, reason } => {
                let mut problem = problem.with("entity", entity).with("key", key);
                (problem.name, problem.title) = ("stopped", "The key stopped at an event");
                problem.with("position", position).with("reason", reason)
            }
            ViewError::FoldedAnew { version, .. } => {
                let mut problem = problem.with("version", version);
                (problem.name, problem.title) = ("folded-anew", "The rows became others");
                problem
            }
            ViewError::Behind { position, wanted, .. } => {
                problem.with("position", position).with("wanted", wanted)
            }
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut members = Map::new();
        members.insert("type".to_owned(), json!(format!("urn:recount:problem:{}", self.name)));
        members.insert("title".to_owned(), json!(self.title));
        members.insert("status".to_owned(), json!(self.status.as_u16()));
        members.insert("detail".to_owned(), json!(self.detail));
        members.extend(self.members);
        let mut response = Response::new(Body::from(Value::Object(members).to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.name == "busy" {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

fn expected_json(expected: Expected) -> Value {
    match expected {
        Expected::Any => json!("any"),
        Expected::NoStream => json!("no-stream"),
        Expected::Exists => json!("exists"),
        Expected::Exact(revision) => json!(revision.0),
    }
}
