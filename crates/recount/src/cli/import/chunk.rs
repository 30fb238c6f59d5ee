//! Rows that become one append, together with how far they reach.

use recount::{AppendRequest, Condition, EventWrite, Expected, NewEvent, Revision, StreamName, TopicName};
use recount_types::Kind;
use serde_json::Value;

use super::destination::{self, Refusal};
use super::rows::Row;
use super::{Arguments, parse_time};
use crate::cli::failure::Failure;
use crate::cli::target::Target;

/// Rows of one append.
const ROWS_MAX: usize = 500;
/// Bytes of payloads of one append.
const BYTES_MAX: usize = 1 << 20;

/// How far an import has come.
pub(super) struct Progress {
    source: StreamName,
    /// The last line that is imported.
    pub(super) line: u64,
    expected: Expected,
}

impl Progress {
    /// As it was noted by the imports of this file until now.
    pub(super) fn read(target: &Target, source: StreamName) -> Result<Progress, Failure> {
        let (line, expected) = match destination::last_progress(target, &source)? {
            Some((line, revision)) => (line, Expected::Exact(revision)),
            None => (0, Expected::NoStream),
        };
        Ok(Progress { source, line, expected })
    }

    /// The event that notes progress up to `line`, with so many new rows.
    fn event(&self, line: u64, rows: u64) -> EventWrite {
        let payload = format!("{{\"line\":{line},\"rows\":{rows}}}");
        let event = NewEvent { payload: payload.into(), ..NewEvent::default() };
        EventWrite { topic: self.source.topic.clone(), key: Some(self.source.key.clone()), event }
    }

    /// Nobody else notes progress meanwhile.
    fn condition(&self) -> Condition {
        Condition::Stream { stream: self.source.clone(), expected: self.expected }
    }

    fn advance(&mut self, line: u64) {
        self.line = line;
        self.expected = match self.expected {
            Expected::Exact(revision) => Expected::Exact(Revision(revision.0 + 1)),
            _ => Expected::Exact(Revision(0)),
        };
    }
}

/// Rows that wait to be appended.
#[derive(Default)]
pub(super) struct Chunk {
    events: Vec<EventWrite>,
    lines: Vec<u64>,
    bytes: usize,
}

impl Chunk {
    /// Whether `row` has to wait for the next append.
    pub(super) fn is_full(&self, row: &Row) -> bool {
        self.events.len() == ROWS_MAX
            || (!self.events.is_empty() && self.bytes + row.payload.len() > BYTES_MAX)
    }

    /// Takes a row.
    pub(super) fn push(
        &mut self,
        arguments: &Arguments,
        topic: &TopicName,
        row: Row,
        name: &str,
    ) -> Result<(), Failure> {
        let Row { line, payload, fields, .. } = row;
        let column = |column: &String| match fields.get(column) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Null) | None => {
                Err(Failure::usage(format!("{name} line {line}: there is no value in column {column}")))
            }
            Some(other) => Ok(other.to_string()),
        };
        let time = arguments.time.as_ref().map(column).transpose()?;
        let time = time.map(|text| parse_time(&text).map_err(|e| e.context(&format!("{name} line {line}"))));
        self.bytes += payload.len();
        let event = NewEvent {
            id: arguments.id.as_ref().map(column).transpose()?,
            time: time.transpose()?,
            payload: payload.into(),
            ..NewEvent::default()
        };
        let key = arguments.key.as_ref().map(column).transpose()?.map(|key| key.into_bytes().into());
        self.lines.push(line);
        self.events.push(EventWrite { topic: topic.clone(), key, event });
        Ok(())
    }

    /// Appends the rows and how far they reach; returns how many were new. The chunk is empty afterwards.
    pub(super) fn append(
        &mut self,
        target: &Target,
        name: &str,
        progress: &mut Progress,
    ) -> Result<u64, Failure> {
        let Chunk { events, lines, .. } = std::mem::take(self);
        let Some(&last) = lines.last() else { return Ok(0) };
        let mut new = events.len() as u64;
        let mut all = events.clone();
        all.push(progress.event(last, new));
        match append(target, all, vec![progress.condition()]) {
            Ok(_) => {}
            Err(Refusal::KnownId(_)) => {
                new = append_new(target, &events, &lines, name)?;
                append(target, vec![progress.event(last, new)], vec![progress.condition()])
                    .map_err(|refusal| failure(refusal, &lines, name))?;
            }
            Err(refusal) => return Err(failure(refusal, &lines, name)),
        }
        progress.advance(last);
        Ok(new)
    }
}

/// Appends rows of which some may be in the topic, by their ids; returns how many were not. An append of which all is
/// there is answered as made before, so halves are tried until it is all or nothing.
fn append_new(target: &Target, events: &[EventWrite], lines: &[u64], name: &str) -> Result<u64, Failure> {
    match append(target, events.to_vec(), Vec::new()) {
        Ok(true) => Ok(events.len() as u64),
        Ok(false) => Ok(0),
        Err(Refusal::KnownId(_)) if events.len() > 1 => {
            let middle = events.len() / 2;
            let before = append_new(target, &events[..middle], &lines[..middle], name)?;
            Ok(before + append_new(target, &events[middle..], &lines[middle..], name)?)
        }
        Err(refusal) => Err(failure(refusal, lines, name)),
    }
}

fn append(target: &Target, events: Vec<EventWrite>, conditions: Vec<Condition>) -> Result<bool, Refusal> {
    destination::append(target, AppendRequest { events, conditions, deadline: None })
}

/// A refusal in the words of the file.
fn failure(refusal: Refusal, lines: &[u64], name: &str) -> Failure {
    match refusal {
        Refusal::Overtaken => {
            let what = format!("{name} is being imported by another process: let that one end");
            Failure::Of { what, kind: Kind::Conflict }
        }
        Refusal::BadRow { index, what } => {
            let line = lines.get(index).or(lines.last()).copied().unwrap_or(0);
            let first = lines.first().copied().unwrap_or(line);
            Failure::usage(format!("{name} line {line}: {what}. Nothing from line {first} on was stored"))
        }
        Refusal::KnownId(failure) => {
            let line = lines.first().copied().unwrap_or(0);
            failure.context(&format!("{name} line {line}"))
        }
        Refusal::Other(failure) => failure,
    }
}
