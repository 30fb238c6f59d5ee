//! `append`: a JSON payload a line, each line an append of its own.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;

use recount::{Condition, Database, EventWrite, Expected, NewEvent, Revision, StreamName, Tag, TopicName};
use serde_json::Value;

use super::failure::Failure;
use super::lines::next_line;
use super::remote::{Remote, encoded, expected_text};
use super::target::Target;

/// Arguments of `append`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory or URL
    #[arg(value_name = "DB")]
    database: String,
    /// The topic
    topic: String,
    /// File with a JSON payload a line; - or nothing is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The stream's key; leave it out where the topic declares a KEY
    #[arg(long)]
    key: Option<String>,
    /// What the stream must be like: any, no-stream, exists, or the revision of its last event
    #[arg(long, value_parser = parse_expected, default_value = "any")]
    expected: Expected,
    /// Event type
    #[arg(long = "type")]
    event_type: Option<String>,
    /// Event id; the same append with the same id is made once
    #[arg(long)]
    id: Option<String>,
    /// Tag, name:value; may be repeated
    #[arg(long = "tag")]
    tags: Vec<String>,
}

fn parse_expected(text: &str) -> Result<Expected, String> {
    match text {
        "any" => Ok(Expected::Any),
        "no-stream" => Ok(Expected::NoStream),
        "exists" => Ok(Expected::Exists),
        revision => {
            let wrong = || format!("{revision:?} is not any, no-stream, exists or a revision");
            revision.parse().map(|revision| Expected::Exact(Revision(revision))).map_err(|_| wrong())
        }
    }
}

/// Appends line after line; stops at the first that is refused.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let input: Box<dyn Read> = if arguments.file.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        let name = arguments.file.display().to_string();
        Box::new(File::open(&arguments.file).map_err(|error| Failure::new(error.to_string()).context(&name))?)
    };
    Target::with(&arguments.database, false, |target| {
        let (mut input, mut line) = (BufReader::new(input), Vec::new());
        for number in 1u64.. {
            let context = |failure: Failure| failure.context(&format!("{} line {number}", arguments.topic));
            if next_line(&mut input, &mut line).map_err(Failure::from).map_err(context)? == 0 {
                break;
            }
            let payload = line.trim_ascii();
            if !payload.is_empty() {
                append(target, arguments, payload).map_err(context)?;
            }
        }
        Ok(())
    })
}

fn append(target: &Target, arguments: &Arguments, payload: &[u8]) -> Result<(), Failure> {
    match target {
        Target::Local(database) => local(database, arguments, payload),
        Target::Remote(remote) => over_http(remote, arguments, payload),
    }
}

fn local(database: &Database, arguments: &Arguments, payload: &[u8]) -> Result<(), Failure> {
    let topic = TopicName::parse(&arguments.topic).map_err(|error| Failure::usage(error.to_string()))?;
    let tags = arguments.tags.iter().map(|tag| Tag::parse(tag)).collect::<Result<Vec<_>, _>>();
    let event = NewEvent {
        payload: payload.to_vec().into(),
        id: arguments.id.clone(),
        event_type: arguments.event_type.clone(),
        tags: tags.map_err(|error| Failure::usage(error.to_string()))?,
        ..NewEvent::default()
    };
    let key = arguments.key.clone().map(|key| key.into_bytes().into());
    let write = EventWrite { topic: topic.clone(), key, event };
    let conditions = match arguments.expected {
        Expected::Any => Vec::new(),
        expected => {
            let key = database.store().key_of(&write)?;
            let key = key.ok_or_else(|| Failure::usage("--expected needs a stream: give its --key"))?;
            vec![Condition::Stream { stream: StreamName { topic, key }, expected }]
        }
    };
    let appended = database.append_if(vec![write], conditions)?;
    for event in &appended.events {
        let revision = event.revision.map(|revision| revision.0);
        let stream = event.stream.as_ref().map(ToString::to_string);
        tell(&arguments.topic, stream.as_deref(), revision, event.position.0, appended.duplicate)?;
    }
    Ok(())
}

fn over_http(remote: &Remote, arguments: &Arguments, payload: &[u8]) -> Result<(), Failure> {
    let query: Vec<_> = arguments.key.iter().map(|key| ("key", key.clone())).collect();
    let mut headers = vec![("Recount-Expected-Revision", expected_text(arguments.expected))];
    headers.extend(arguments.event_type.iter().map(|name| ("ce-type", encoded(name.as_bytes()))));
    headers.extend(arguments.id.iter().map(|id| ("ce-id", encoded(id.as_bytes()))));
    if !arguments.tags.is_empty() {
        let tags: Vec<String> = arguments.tags.iter().map(|tag| encoded(tag.as_bytes())).collect();
        headers.push(("Recount-Tags", tags.join(",")));
    }
    let path = format!("/topics/{}/events", encoded(arguments.topic.as_bytes()));
    let answer = remote.post(&path, &query, &headers, "application/json", payload)?;
    let duplicate = answer.get("duplicate").and_then(Value::as_bool).unwrap_or(false);
    for event in answer.get("events").and_then(Value::as_array).into_iter().flatten() {
        let stream = event.get("stream").and_then(Value::as_str);
        let revision = event.get("revision").and_then(Value::as_u64);
        let position = event.get("position").and_then(Value::as_u64).unwrap_or(0);
        tell(&arguments.topic, stream, revision, position, duplicate)?;
    }
    Ok(())
}

/// One line an event: words for a person, JSON for a program.
fn tell(
    topic: &str,
    stream: Option<&str>,
    revision: Option<u64>,
    position: u64,
    duplicate: bool,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        let revision = revision.map_or(String::new(), |revision| format!("  revision {revision}"));
        let how = if duplicate { "was there before" } else { "fsynced" };
        writeln!(out, "{}{revision}  position {position}  {how}", stream.unwrap_or(topic))?;
    } else {
        let line = serde_json::json!({
            "stream": stream, "revision": revision, "position": position, "duplicate": duplicate
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
