//! `POST /topics/{topic}/events`: appends one event or many to one topic. What they are is said by the body's
//! content type; what they have in common by the query and by headers.

use std::str::FromStr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use recount_store::time::{format_rfc3339, parse_rfc3339};
use recount_store::{AppendRequest, Appended, Condition, EventWrite, Expected};
use recount_types::{NewEvent, Revision, StreamName, Tag};

use crate::body;
use crate::front::Front;
use crate::parameters::{Parameters, decoded_header, header, percent_decoded};
use crate::path;
use crate::problem::Problem;

mod limited;
pub(crate) mod many;
mod payloads;

/// The names of its parameters.
pub(crate) const PARAMETERS: &[&str] = &["key"];

/// Answers the request.
pub(crate) async fn answer(front: &Front, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let topic = path::topic(parts.uri.path())?;
    let mut parameters = Parameters::parse(parts.uri.query())?;
    let key = parameters.take_bytes("key")?.map(Bytes::from);
    parameters.finish(PARAMETERS)?;
    let expected = expected_revision(&parts.headers)?;
    let content_type = content_type(&parts.headers)?;
    let common = Common::read(&parts.headers, key)?;
    let body = body::collect(&front.large_bodies, &parts.headers, body).await?;
    let events = payloads::events(content_type, &body.bytes, common)?;
    let events: Vec<EventWrite> =
        events.into_iter().map(|(key, event)| EventWrite { topic: topic.clone(), key, event }).collect();
    let conditions = match expected {
        Expected::Any => Vec::new(),
        expected => vec![Condition::Stream { stream: one_stream(front, &events)?, expected }],
    };
    let appended = front.append(AppendRequest { events, conditions, deadline: None }).await?;
    Ok(appended_response(&appended))
}

/// What the query and the headers say of all events of the request.
#[derive(Debug)]
struct Common {
    key: Option<Bytes>,
    event: NewEvent,
}

impl Common {
    /// Reads the headers: `Recount-Tags`, and the attributes of CloudEvents' binary mode
    /// (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>, 3.1), of
    /// which all but `ce-id`, `ce-type` and `ce-time` are kept as headers of the event, and none is demanded.
    fn read(headers: &HeaderMap, key: Option<Bytes>) -> Result<Common, Problem> {
        let mut common = Common { key, event: NewEvent::default() };
        for name in headers.keys() {
            let name = name.as_str();
            match name.strip_prefix("ce-") {
                Some(attribute) => {
                    common.attribute(attribute, decoded_header(headers, name)?.unwrap_or_default())?
                }
                None if name == "recount-tags" => {
                    common.event.tags = tags(header(headers, name)?.unwrap_or_default())?
                }
                None => {}
            }
        }
        Ok(common)
    }

    fn attribute(&mut self, name: &str, value: String) -> Result<(), Problem> {
        match name {
            "specversion" if value != "1.0" => {
                return Err(Problem::bad_request(format!("ce-specversion is {value:?}: only 1.0 is known")));
            }
            "specversion" => {}
            "id" => self.event.id = Some(value),
            "type" => self.event.event_type = Some(value),
            "time" => {
                let time = parse_rfc3339(&value);
                self.event.time =
                    Some(time.map_err(|error| Problem::bad_request(format!("ce-time: {error}")))?);
            }
            "partitionkey" if self.key.as_ref().is_some_and(|key| *key != value) => {
                let what = "ce-partitionkey is another than the parameter key: give one of them";
                return Err(Problem::bad_request(what));
            }
            "partitionkey" => self.key = Some(value.into()),
            _ => self.event.headers.push((format!("ce_{name}"), value.into())),
        }
        Ok(())
    }
}

/// Tags between commas, percent-encoded.
fn tags(text: &str) -> Result<Vec<Tag>, Problem> {
    let read = |tag: &str| {
        let decoded = percent_decoded(tag).and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or_else(|| format!("{tag:?} is not percent-encoded UTF-8"))?;
        Tag::parse(&decoded).map_err(|error| error.to_string())
    };
    let tags: Result<_, String> =
        text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(read).collect();
    tags.map_err(|error| Problem::bad_request(format!("recount-tags: {error}")))
}

/// The header `Recount-Expected-Revision`.
fn expected_revision(headers: &HeaderMap) -> Result<Expected, Problem> {
    const NAME: &str = "recount-expected-revision";
    let Some(text) = header(headers, NAME)? else { return Ok(Expected::Any) };
    let wrong = || format!("the header {NAME} is {text:?}, it must be any, no-stream, exists or a revision");
    parse_expected(text).ok_or_else(|| Problem::bad_request(wrong()))
}

/// Reads `any`, `no-stream`, `exists` or a revision.
fn parse_expected(text: &str) -> Option<Expected> {
    match text {
        "any" => Some(Expected::Any),
        "no-stream" => Some(Expected::NoStream),
        "exists" => Some(Expected::Exists),
        revision => number(revision).map(|revision| Expected::Exact(Revision(revision))),
    }
}

/// A number of ours: decimal digits, at most 2⁶³ − 1.
pub(crate) fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    u64::from_str(text).ok().filter(|&number| digits && number <= recount_types::number::NUMBER_MAX)
}

/// The stream to which all events go.
fn one_stream(front: &Front, events: &[EventWrite]) -> Result<StreamName, Problem> {
    let mut stream = None;
    for (index, write) in events.iter().enumerate() {
        let none =
            || Problem::bad_event(index, "an expected revision needs a stream: give the parameter key");
        let key = front.store.key_of(write)?.ok_or_else(none)?;
        let this = StreamName { topic: write.topic.clone(), key };
        match &stream {
            None => stream = Some(this),
            Some(first) if *first == this => {}
            Some(first) => {
                let what = format!(
                    "it is of stream {this}, the first of {first}: an expected revision is for one stream"
                );
                return Err(Problem::bad_event(index, what));
            }
        }
    }
    stream.ok_or_else(|| Problem::bad_request("the body has no events"))
}

/// The media type of the body, lower case and without its parameters; JSON if it is not said.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<ContentType, Problem> {
    let whole = header(headers, header::CONTENT_TYPE.as_str())?.unwrap_or("application/json").trim();
    let essence = whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Ok(ContentType { essence, whole: whole.to_owned() })
}

/// A media type.
#[derive(Debug)]
pub(crate) struct ContentType {
    /// Without parameters, lower case.
    pub(crate) essence: String,
    /// As given.
    pub(crate) whole: String,
}

/// The answer to an append: 201, or 200 if it had been made before.
fn appended_response(appended: &Appended) -> Response {
    let mut json = String::with_capacity(96 + 80 * appended.events.len());
    let mut digits = itoa::Buffer::new();
    json.push_str("{\"position\":");
    json.push_str(digits.format(appended.position().0));
    json.push_str(",\"appendTime\":\"");
    json.push_str(&format_rfc3339(appended.append_time));
    json.push_str(if appended.duplicate { "\",\"duplicate\":true" } else { "\",\"duplicate\":false" });
    json.push_str(",\"events\":[");
    let mut last: Option<(&StreamName, String)> = None;
    for (index, event) in appended.events.iter().enumerate() {
        json.push_str(if index == 0 { "{\"position\":" } else { ",{\"position\":" });
        json.push_str(digits.format(event.position.0));
        if let Some(stream) = &event.stream {
            // Most often the same as before.
            let (_, text) = match last.take().filter(|(name, _)| *name == stream) {
                Some(same) => last.insert(same),
                None => last.insert((stream, serde_json::Value::String(stream.to_string()).to_string())),
            };
            json.push_str(",\"stream\":");
            json.push_str(text);
        }
        if let Some(revision) = event.revision {
            json.push_str(",\"revision\":");
            json.push_str(digits.format(revision.0));
        }
        json.push('}');
    }
    json.push_str("]}");
    let status = if appended.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(json)).into_response()
}
