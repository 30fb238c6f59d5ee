//! `POST /append`: events to several streams and topics, all or none, under conditions. Events of `_imports` may be
//! among them: an import appends its progress together with its rows.

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use recount_store::cloudevents::decode_base64;
use recount_store::time::parse_rfc3339;
use recount_store::{AppendRequest, Condition, EventQuery, EventWrite, Expected, QueryItem};
use recount_types::limits::APPEND_EVENTS_MAX;
use recount_types::name::decode_key;
use recount_types::number::NUMBER_MAX;
use recount_types::{NewEvent, Position, Revision, StreamName, Tag, TopicName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::limited::Limited;
use super::{appended_response, content_type, parse_expected};
use crate::body;
use crate::front::Front;
use crate::parameters::Parameters;
use crate::problem::Problem;

/// Most conditions in a request.
pub(crate) const CONDITIONS_MAX: usize = 1000;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    events: Limited<Event<'a>, APPEND_EVENTS_MAX>,
    #[serde(default)]
    conditions: Limited<Asked, CONDITIONS_MAX>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Event<'a> {
    topic: String,
    key: Option<String>,
    r#type: Option<String>,
    id: Option<String>,
    time: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    content_type: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    data_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Asked {
    stream: Option<String>,
    expected: Option<AskedRevision>,
    no_match: Option<Query>,
    after: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AskedRevision {
    Number(u64),
    Word(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// A member that is there, which `null` is too.
fn present<'de, D: serde::Deserializer<'de>>(member: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(member).map(Some)
}

/// Answers the request.
pub(crate) async fn answer(front: &Front, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    Parameters::parse(parts.uri.query())?.finish(&[])?;
    let content_type = content_type(&parts.headers)?;
    if content_type.essence != "application/json" {
        return Err(Problem::unsupported(&content_type.essence, "application/json"));
    }
    let body = body::collect(&front.large_bodies, &parts.headers, body).await?;
    let appended = front.append_with_progress(parse(&body.bytes)?).await?;
    Ok(appended_response(&appended))
}

fn parse(body: &Bytes) -> Result<AppendRequest, Problem> {
    let parsed: Body<'_> = serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the body is not an append: {error}")))?;
    let mut request = AppendRequest::default();
    for (index, event) in parsed.events.0.into_iter().enumerate() {
        request.events.push(event.write(body).map_err(|what| Problem::bad_event(index, what))?);
    }
    for (index, asked) in parsed.conditions.0.into_iter().enumerate() {
        let condition = asked.condition();
        request
            .conditions
            .push(condition.map_err(|what| Problem::bad_request(format!("condition {index}: {what}")))?);
    }
    Ok(request)
}

impl Event<'_> {
    fn write(self, body: &Bytes) -> Result<EventWrite, String> {
        let topic = TopicName::parse(&self.topic).map_err(|error| error.to_string())?;
        let payload = match (self.data, self.data_base64) {
            (Some(data), None) => body.slice_ref(data.get().as_bytes()),
            (None, Some(text)) => decode_base64(&text).ok_or("dataBase64 is not base64 with padding")?.into(),
            (Some(_), Some(_)) => return Err("it has data and dataBase64: give one of them".to_owned()),
            (None, None) => return Err("it has no data".to_owned()),
        };
        let time =
            self.time.map(|time| parse_rfc3339(&time)).transpose().map_err(|error| error.to_string())?;
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in self.headers {
            let wrong = || format!("the header {name:?} has a % without two hex digits");
            let value = decode_key(&value).ok_or_else(wrong)?;
            headers.push((name, value.into()));
        }
        let event = NewEvent {
            payload,
            content_type: self.content_type,
            id: self.id,
            event_type: self.r#type,
            time,
            tags: tags(&self.tags)?,
            headers,
        };
        Ok(EventWrite { topic, key: key(self.key)?, event })
    }
}

impl Asked {
    fn condition(self) -> Result<Condition, String> {
        match self {
            Asked { stream: Some(stream), expected: Some(expected), no_match: None, after: None } => {
                let stream = StreamName::parse(&stream).map_err(|error| error.to_string())?;
                Ok(Condition::Stream { stream, expected: expected.parse()? })
            }
            Asked { stream: None, expected: None, no_match: Some(query), after: Some(after) } => {
                if after > NUMBER_MAX {
                    return Err(format!("after is {after}, which is beyond every position"));
                }
                Ok(Condition::NoMatch { query: query.parse()?, after: Position(after) })
            }
            _ => Err("it must have stream and expected, or noMatch and after".to_owned()),
        }
    }
}

impl AskedRevision {
    fn parse(self) -> Result<Expected, String> {
        match self {
            AskedRevision::Number(revision) if revision <= NUMBER_MAX => {
                Ok(Expected::Exact(Revision(revision)))
            }
            AskedRevision::Number(revision) => {
                Err(format!("expected is {revision}, which is beyond every revision"))
            }
            AskedRevision::Word(word) => parse_expected(&word).ok_or_else(|| {
                format!("expected is {word:?}, it must be any, no-stream, exists or a revision")
            }),
        }
    }
}

impl Query {
    fn parse(self) -> Result<EventQuery, String> {
        let topics =
            self.topics.iter().map(|topic| TopicName::parse(topic).map_err(|error| error.to_string()));
        let items =
            self.items.into_iter().map(|item| Ok(QueryItem { types: item.types, tags: tags(&item.tags)? }));
        Ok(EventQuery {
            topics: topics.collect::<Result<_, String>>()?,
            items: items.collect::<Result<_, String>>()?,
        })
    }
}

fn tags(tags: &[String]) -> Result<Vec<Tag>, String> {
    tags.iter().map(|tag| Tag::parse(tag).map_err(|error| error.to_string())).collect()
}

/// A key as events show it: bytes other than printable ASCII, and `%`, are percent-encoded.
fn key(key: Option<String>) -> Result<Option<Bytes>, String> {
    let Some(text) = key else { return Ok(None) };
    let key = decode_key(&text)
        .ok_or_else(|| format!("key {text:?} has a % without two hex digits: write % as %25"))?;
    Ok(Some(key.into()))
}
