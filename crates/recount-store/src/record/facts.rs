//! What an event says of itself, by its topic's definition: its key, type, time and tags.
//!
//! What the topic declares is read from the payload. What the client says beside it is used where the topic
//! declares nothing or the payload has none, and must agree where both say it.

use bytes::Bytes;
use recount_types::limits::{HEADERS_BYTES_MAX, ID_BYTES_MAX, TYPE_BYTES_MAX};
use recount_types::{NewEvent, Tag, Time};

use crate::cloudevents;
use crate::json::{self, BadValue, Fields, Paths, Shape, Value, Values};
use crate::schema::{Column, ColumnType, EventDefinition, TopicDefinition};
use crate::time::{TIME_MAX, TIME_MIN, format_rfc3339};

/// What an event says of itself, once its topic's declarations were applied.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The key that the topic's KEY makes of the payload; `None` = it declares none.
    pub(crate) key: Option<Bytes>,
    pub(crate) event_type: Option<String>,
    /// When it happened; `None` = nobody says.
    pub(crate) time: Option<Time>,
    pub(crate) tags: Vec<Tag>,
}

/// Checks an event against its topic, whose columns are at `paths` (`shape` is that of others of the topic), and the limits, and works out what it says. The error says what is wrong
/// and what to do.
pub(crate) fn facts(
    definition: &TopicDefinition,
    (paths, shape): (&Paths, &mut Shape),
    event: &NewEvent,
) -> Result<Facts, String> {
    check_given(event)?;
    let is_json = event.content_type.as_ref().is_none_or(|text| is_json(text));
    if definition.is_untyped() {
        if is_json {
            json::validate(&event.payload).map_err(|error| {
                format!("the payload is not JSON: {error}. Correct it, or give its content type")
            })?;
        }
        let event_type = event.event_type.clone();
        chosen(definition, event_type.as_deref())?;
        return Ok(Facts { key: None, event_type, time: event.time, tags: event.tags.clone() });
    }
    if !is_json {
        let given = event.content_type.as_deref().unwrap_or_default();
        return Err(format!(
            "the content type is {given:?}, and topic {} has columns: send JSON",
            definition.name
        ));
    }
    let fields = Fields::find(definition, paths, shape, &event.payload).map_err(|error| error.to_string())?;
    let event_type = event_type(definition, event, &fields)?;
    let event_columns = chosen(definition, event_type.as_deref())?;
    let values = fields.check(event_columns).map_err(|(column, error)| advise(definition, column, &error))?;
    Ok(Facts {
        key: key(definition, &values),
        event_type,
        time: time(definition, event, &values)?,
        tags: tags(definition, event, &values)?,
    })
}

/// Whether a media type is JSON.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    let suffix = essence.len().checked_sub(5).and_then(|at| essence.get(at..));
    essence.eq_ignore_ascii_case("application/json")
        || suffix.is_some_and(|end| end.eq_ignore_ascii_case("+json"))
}

/// Whether a media type is the one that need not be said. The payload was checked to be UTF-8.
pub(super) fn is_plain_json(content_type: &str) -> bool {
    essence(content_type).eq_ignore_ascii_case("application/json")
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn check_given(event: &NewEvent) -> Result<(), String> {
    within("id", event.id.as_deref(), ID_BYTES_MAX)?;
    within("event type", event.event_type.as_deref(), TYPE_BYTES_MAX)?;
    within("content type", event.content_type.as_deref(), TYPE_BYTES_MAX)?;
    if let Some(time) = event.time
        && !(TIME_MIN..=TIME_MAX).contains(&time)
    {
        return Err("the event's time is outside the years 0001 to 9999".to_owned());
    }
    let mut bytes = 0;
    for (name, value) in &event.headers {
        if is_reserved(name) && !cloudevents::is_other_attribute(name) {
            return Err(format!(
                "the header {name:?} is reserved: names that begin with ce_ or recount- and content-type are. Rename it"
            ));
        }
        bytes += name.len() + value.len();
    }
    if bytes > HEADERS_BYTES_MAX {
        return Err(format!("the event's headers have {bytes} bytes, the limit is {HEADERS_BYTES_MAX}"));
    }
    Ok(())
}

fn is_reserved(header: &str) -> bool {
    let begins = |start: &str| header.get(..start.len()).is_some_and(|name| name.eq_ignore_ascii_case(start));
    begins("ce_") || begins("recount-") || header.eq_ignore_ascii_case("content-type")
}

fn within(what: &str, text: Option<&str>, bytes_max: usize) -> Result<(), String> {
    match text.map(str::len) {
        Some(0) => Err(format!("the {what} is empty: give one, or leave it out")),
        Some(bytes) if bytes > bytes_max => {
            Err(format!("the {what} has {bytes} bytes, the limit is {bytes_max}"))
        }
        _ => Ok(()),
    }
}

/// The topic's definition of this type of events; `None` if it has none at all.
fn chosen<'a>(
    definition: &'a TopicDefinition,
    event_type: Option<&str>,
) -> Result<Option<&'a EventDefinition>, String> {
    if definition.events.is_empty() {
        return Ok(None);
    }
    let found = event_type.and_then(|name| definition.events.iter().find(|event| event.type_name == name));
    if found.is_some() {
        return Ok(found);
    }
    let known: Vec<&str> = definition.events.iter().map(|event| event.type_name.as_str()).collect();
    let known = known.join(", ");
    Err(match event_type {
        Some(name) => format!("the event type is {name:?}, and topic {} has only {known}", definition.name),
        None => format!("the event has no type; those of topic {} are {known}", definition.name),
    })
}

fn event_type(
    definition: &TopicDefinition,
    event: &NewEvent,
    fields: &Fields<'_>,
) -> Result<Option<String>, String> {
    let given = &event.event_type;
    let Some(column) = &definition.type_by else { return Ok(given.clone()) };
    let Value::Text(declared) = fields.value(column).map_err(|error| error.to_string())? else {
        return Ok(given.clone());
    };
    within("event type", Some(&declared), TYPE_BYTES_MAX)?;
    match given {
        Some(given) if **given != *declared => Err(format!(
            "the event type {given:?} was given, but the topic's TYPE makes it {declared:?}: leave it out, or change the payload"
        )),
        _ => Ok(Some(declared.into_owned())),
    }
}

fn key(definition: &TopicDefinition, values: &Values<'_>) -> Option<Bytes> {
    let parts: Vec<_> = definition.key.iter().map(|column| values.get(column)).collect();
    key_text(&parts)
}

/// The text that names a stream by the values of its KEY; none without any.
pub(crate) fn key_text(values: &[&Value<'_>]) -> Option<Bytes> {
    let mut text = String::new();
    match values {
        [] => return None,
        [Value::Integer(value)] => {
            return Some(Bytes::copy_from_slice(itoa::Buffer::new().format(*value).as_bytes()));
        }
        [one] => one.push_canonical(&mut text),
        several => {
            for value in several {
                text.push(if text.is_empty() { '[' } else { ',' });
                value.push_canonical_json(&mut text);
            }
            text.push(']');
        }
    }
    Some(text.into())
}

fn time(definition: &TopicDefinition, event: &NewEvent, values: &Values<'_>) -> Result<Option<Time>, String> {
    let Some(column) = &definition.timestamp_by else { return Ok(event.time) };
    let Value::TimestampTz(declared) = *values.get(column) else {
        return Ok(event.time);
    };
    match event.time {
        Some(given) if given != declared => Err(format!(
            "the time {} was given, but the topic's TIMESTAMP BY makes it {}: leave it out, or change the payload",
            format_rfc3339(given),
            format_rfc3339(declared)
        )),
        _ => Ok(Some(declared)),
    }
}

fn tags(definition: &TopicDefinition, event: &NewEvent, values: &Values<'_>) -> Result<Vec<Tag>, String> {
    let mut tags = Vec::with_capacity(event.tags.len() + definition.tags.len());
    tags.extend_from_slice(&event.tags);
    for declared in &definition.tags {
        let value = values.get(&declared.column);
        if *value == Value::Null {
            continue;
        }
        let mut text = format!("{}:", declared.name);
        let name_bytes = text.len();
        value.push_canonical(&mut text);
        let of_this_name = |tag: &&Tag| tag.as_str().starts_with(&text[..name_bytes]);
        // Of a name that the topic declares there is one tag: the declared one, given or not.
        match event.tags.iter().filter(of_this_name).find(|given| given.as_str() != text) {
            Some(given) => {
                return Err(format!(
                    "the tag {:?} was given, but the topic's TAG makes it {text:?}: leave it out, or change the payload",
                    given.as_str()
                ));
            }
            None if event.tags.iter().any(|given| given.as_str() == text) => {}
            None => tags.push(Tag::parse(&text).map_err(|error| error.to_string())?),
        }
    }
    Ok(tags)
}

/// What is wrong with a value, and what can be done about it.
fn advise(definition: &TopicDefinition, column: &Column, error: &BadValue) -> String {
    let BadValue::Decimals { decimals, .. } = *error else { return error.to_string() };
    match widened(definition, column, decimals) {
        Some(wider) => format!(
            "{error}. Round it, or widen the column: ALTER TOPIC {} ALTER COLUMN {} TYPE {wider}",
            in_sql(definition.name.as_str()),
            in_sql(&column.name)
        ),
        None => format!("{error}. Round it"),
    }
}

/// The type that has as many digits before the point, and so many decimals; `None` if the column cannot have it.
fn widened(definition: &TopicDefinition, column: &Column, decimals: u64) -> Option<ColumnType> {
    let ColumnType::Decimal { precision, scale } = column.column_type else { return None };
    if definition.is_frozen(&column.name) {
        return None;
    }
    ColumnType::decimal(u64::from(precision - scale).checked_add(decimals)?, decimals)
}

/// A name as a statement has it: in double quotes unless it is a plain word.
fn in_sql(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
