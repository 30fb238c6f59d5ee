//! Names in the path of a URL. Taken from the path as it was sent, because keys are bytes, which a `%2F` or `%FF`
//! of theirs must reach.

use recount_types::{StreamName, TopicName};

use crate::parameters::percent_decoded;
use crate::problem::Problem;

/// The topic of `/topics/{topic}` and what is below it.
pub(crate) fn topic(path: &str) -> Result<TopicName, Problem> {
    let rest = path.strip_prefix("/topics/").unwrap_or_default();
    decode_topic(rest.split('/').next().unwrap_or_default())
}

/// The stream of `/streams/{topic}/{key}`; the key may be empty and may have slashes.
pub(crate) fn stream(path: &str) -> Result<StreamName, Problem> {
    let rest = path.strip_prefix("/streams/").unwrap_or_default();
    let (topic, key) = rest.split_once('/').unwrap_or((rest, ""));
    let key = percent_decoded(key);
    let key =
        key.ok_or_else(|| Problem::bad_request("the key in the path has a % without two hex digits"))?;
    Ok(StreamName { topic: decode_topic(topic)?, key: key.into() })
}

/// The entity of `/entities/{entity}`.
pub(crate) fn entity(path: &str) -> Result<String, Problem> {
    Ok(entity_and_key(path)?.0)
}

/// The view of `/views/{view}`.
pub(crate) fn view(path: &str) -> Result<String, Problem> {
    decoded(path.strip_prefix("/views/").unwrap_or_default())
}

/// The entity and the key of `/entities/{entity}/{key}`; the key may have slashes.
pub(crate) fn entity_and_key(path: &str) -> Result<(String, String), Problem> {
    let rest = path.strip_prefix("/entities/").unwrap_or_default();
    let (entity, key) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((decoded(entity)?, decoded(key)?))
}

fn decoded(text: &str) -> Result<String, Problem> {
    let text = percent_decoded(text).and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Problem::bad_request("the path has a % without two hex digits, or is not UTF-8"))
}

fn decode_topic(segment: &str) -> Result<TopicName, Problem> {
    let decoded = percent_decoded(segment).unwrap_or_default();
    TopicName::parse(&String::from_utf8_lossy(&decoded))
        .map_err(|error| Problem::bad_request(error.to_string()))
}
