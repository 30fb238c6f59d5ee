//! Where the rows go: into a database that is opened here, or through its server.

use recount::{
    AppendError, AppendRequest, Condition, Database, Direction, EventWrite, ReadRequest, Revision, Scope,
    StreamName,
};
use recount_env::block_on;
use recount_store::shown::base64;
use recount_store::time::format_rfc3339;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::remote::{Problem, Refused, Remote, encoded, expected_text};
use crate::cli::target::Target;

/// Why an append was refused, as far as an import can do something about it.
pub(super) enum Refusal {
    /// The id of a row is in the topic.
    KnownId(Failure),
    /// Another process imports the same file.
    Overtaken,
    /// A row is wrong.
    BadRow {
        /// Which of the append's events, from 0.
        index: usize,
        /// What is wrong and what to do.
        what: String,
    },
    /// Anything else.
    Other(Failure),
}

/// The last progress that was noted for a file: a line, and the revision in the stream of its progress.
pub(super) fn last_progress(
    target: &Target,
    source: &StreamName,
) -> Result<Option<(u64, Revision)>, Failure> {
    let (payload, revision) = match target {
        Target::Local(database) => {
            let scope = Scope::Stream(source.clone());
            let request =
                ReadRequest { direction: Direction::Backward, limit: Some(1), ..ReadRequest::all(scope) };
            let Some(last) = database.read_with(request)?.next().transpose()? else { return Ok(None) };
            (serde_json::from_slice(&last.payload).unwrap_or_default(), last.revision)
        }
        Target::Remote(remote) => {
            let path = format!("/streams/{}/{}", source.topic, encoded(&source.key));
            let query = [("direction", "backward".to_owned()), ("limit", "1".to_owned())];
            let Some(line) = remote.get(&path, &query, "application/x-ndjson")?.next().transpose()? else {
                return Ok(None);
            };
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let revision = event.get("revision").and_then(Value::as_u64).map(Revision);
            (event.get("data").cloned().unwrap_or_default(), revision)
        }
    };
    match (payload.get("line").and_then(Value::as_u64), revision) {
        (Some(line), Some(revision)) => Ok(Some((line, revision))),
        _ => Err(Failure::new(format!("the progress of this import, in stream {source}, names no line"))),
    }
}

/// Appends; returns whether the events are new.
pub(super) fn append(target: &Target, request: AppendRequest) -> Result<bool, Refusal> {
    match target {
        Target::Local(database) => append_here(database, request),
        Target::Remote(remote) => append_there(remote, &request),
    }
}

fn append_here(database: &Database, request: AppendRequest) -> Result<bool, Refusal> {
    match block_on(database.store().append_system(request)) {
        Ok(appended) => Ok(!appended.duplicate),
        Err(AppendError::WrongRevision { .. }) => Err(Refusal::Overtaken),
        Err(AppendError::BadEvent { index, what }) => Err(Refusal::BadRow { index, what }),
        Err(error @ AppendError::IdReused { .. }) => Err(Refusal::KnownId(error.into())),
        Err(error) => Err(Refusal::Other(error.into())),
    }
}

fn append_there(remote: &Remote, request: &AppendRequest) -> Result<bool, Refusal> {
    match remote.post("/append", &[], &[], "application/json", body(request).as_bytes()) {
        Ok(answer) => Ok(!answer.get("duplicate").and_then(Value::as_bool).unwrap_or(false)),
        Err(Refused::Problem(problem)) => Err(refusal(problem)),
        Err(Refused::Failed(failure)) => Err(Refusal::Other(failure)),
    }
}

fn refusal(problem: Problem) -> Refusal {
    match (problem.name.as_str(), problem.index) {
        ("wrong-revision", _) => Refusal::Overtaken,
        ("id-reused", _) => Refusal::KnownId(problem.into()),
        ("bad-event", Some(index)) => {
            // Said in the words of whoever sent one append; here it is a line.
            let what = problem.what.as_str();
            let what = what.strip_prefix(&format!("event {index}: ")).unwrap_or(what);
            let what = what.strip_suffix(". Nothing of this append was stored").unwrap_or(what);
            Refusal::BadRow { index, what: what.to_owned() }
        }
        _ => Refusal::Other(problem.into()),
    }
}

/// An append as `POST /append` takes it. Payloads are passed on byte for byte; what is no JSON is for the server to
/// refuse.
fn body(request: &AppendRequest) -> String {
    let mut body = String::from("{\"events\":[");
    for (index, EventWrite { topic, key, event }) in request.events.iter().enumerate() {
        let key = key.as_ref().map(|key| encoded(key));
        let time = event.time.map(format_rfc3339);
        let rest = json!({ "topic": topic.as_str(), "key": key, "id": event.id, "time": time }).to_string();
        body += if index == 0 { "" } else { "," };
        body += rest.trim_end_matches('}');
        match serde_json::from_slice::<&RawValue>(&event.payload) {
            Ok(payload) => body += &format!(",\"data\":{}}}", payload.get()),
            Err(_) => body += &format!(",\"dataBase64\":\"{}\"}}", base64(&event.payload)),
        }
    }
    let conditions: Vec<Value> = request.conditions.iter().filter_map(condition).collect();
    body += "],\"conditions\":";
    body += &Value::Array(conditions).to_string();
    body.push('}');
    body
}

/// The condition that an import makes: on the stream of its progress.
fn condition(condition: &Condition) -> Option<Value> {
    let Condition::Stream { stream, expected } = condition else { return None };
    Some(json!({ "stream": stream.to_string(), "expected": expected_text(*expected) }))
}
