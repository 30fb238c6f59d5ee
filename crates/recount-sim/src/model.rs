//! The model: every operation that was asked for, and every answer and observation, kept outside the machine.

use std::collections::{BTreeMap, BTreeSet};

use recount_store::{Condition, Expected};
use recount_types::{Event, Position, Revision, StreamName, Time};

/// Numbers an operation; part of the payload of every event that it appends.
pub type OpId = u64;

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Asked for; no answer yet, or an answer that tells nothing.
    Unknown,
    /// Acknowledged; appends know their positions.
    Done(Vec<Position>),
    /// Refused: it must never be seen.
    Refused,
}

/// An operation that appends.
#[derive(Debug, Clone)]
pub struct Op {
    /// How many events it has.
    pub count: usize,
    /// The streams of its events, in order.
    pub streams: Vec<Option<StreamName>>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// The producer's transaction that it is part of.
    pub transaction: Option<u64>,
    /// It is a producer's batch: it may get positions later than its answer.
    pub batch: bool,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not ended.
    Open,
    /// Asked to commit, no answer.
    MaybeCommitted,
    /// Asked to abort, no answer.
    MaybeAborted,
    /// Committed.
    Committed,
    /// Aborted.
    Aborted,
}

/// An event as it was seen; it must look like this for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which operation, and which of its events.
    pub op: Option<(OpId, usize)>,
    /// `topic/key`.
    pub stream: Option<StreamName>,
    /// Its topic.
    pub topic: String,
    /// Its type.
    pub event_type: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its id.
    pub id: Option<String>,
    /// Its partition and offset.
    pub offset: (u32, i64),
    /// When it was appended.
    pub append_time: Time,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Seen {
    /// What is compared of an event.
    pub fn of(event: &Event) -> Seen {
        Seen {
            op: op_of(&event.payload),
            stream: event.stream(),
            topic: event.topic.to_string(),
            event_type: event.event_type.clone(),
            tags: event.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
            id: event.id.clone(),
            offset: (event.partition.0, event.offset.0),
            append_time: event.append_time,
            payload: event.payload.to_vec(),
        }
    }
}

/// The payload of an operation's event. `padding` makes it large, or full of zeros.
pub fn payload(op: OpId, index: usize, padding: usize) -> Vec<u8> {
    let mut text = format!("{{\"op\":{op},\"i\":{index},\"pad\":\"").into_bytes();
    text.extend(std::iter::repeat_n(b'0', padding));
    text.extend_from_slice(b"\"}");
    text
}

fn op_of(payload: &[u8]) -> Option<(OpId, usize)> {
    let text = std::str::from_utf8(payload).ok()?;
    let rest = text.strip_prefix("{\"op\":")?;
    let (op, rest) = rest.split_once(',')?;
    let index = rest.strip_prefix("\"i\":")?.split(',').next()?;
    Some((op.parse().ok()?, index.parse().ok()?))
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Model {
    /// Operations that append, by number.
    pub ops: BTreeMap<OpId, Op>,
    /// Transactions by producer's number, which is used once.
    pub transactions: BTreeMap<u64, Outcome>,
    /// Every event ever seen, by position.
    pub seen: BTreeMap<u64, Seen>,
    /// The greatest head ever seen: it never goes back.
    pub head: u64,
    /// Revisions that answers told of, by position.
    pub revisions: BTreeMap<u64, Revision>,
    /// Lengths of streams that refusals told of.
    pub lengths: BTreeMap<StreamName, u64>,
    /// Topics that exist, and those whose creation is not known to have happened.
    pub topics: BTreeSet<String>,
    /// Operations of all kinds.
    pub operations: u64,
    /// What is read may be damaged, or not to be had.
    pub reads_fail: bool,
    /// What failed, if something did.
    pub failure: Option<String>,
    next: OpId,
}

impl Model {
    /// Nothing is known yet.
    pub fn new(reads_fail: bool) -> Model {
        Model { reads_fail, ..Model::default() }
    }

    /// A new operation's number.
    pub fn begin(&mut self, op: Op) -> OpId {
        self.next += 1;
        self.ops.insert(self.next, op);
        self.next
    }

    /// The number that the next operation will get.
    pub fn next_id(&self) -> OpId {
        self.next + 1
    }

    /// Notes what became of an operation.
    pub fn end(&mut self, op: OpId, fate: Fate) {
        if let Some(found) = self.ops.get_mut(&op) {
            found.fate = fate;
        }
    }

    /// Fails the run.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failure.get_or_insert_with(|| what.into());
    }

    /// Compares an event with what was seen at its position before.
    pub fn observe(&mut self, event: &Event) {
        let seen = Seen::of(event);
        match self.seen.get(&event.position.0) {
            None => {
                self.seen.insert(event.position.0, seen);
            }
            Some(before) if *before == seen => {}
            Some(before) => {
                let what = format!("position {} changed from {before:?} to {seen:?}", event.position);
                self.fail(what);
            }
        }
        self.head = self.head.max(event.position.0);
    }

    /// A refusal told that a stream has at least so many events.
    pub fn told_length(&mut self, stream: &StreamName, actual: Option<Revision>) {
        let length = actual.map_or(0, |revision| revision.0 + 1);
        let known = self.lengths.entry(stream.clone()).or_default();
        *known = (*known).max(length);
    }
}

/// Whether a stream with `length` events is as expected.
pub fn holds(expected: Expected, length: u64) -> bool {
    match expected {
        Expected::Any => true,
        Expected::NoStream => length == 0,
        Expected::Exists => length > 0,
        Expected::Exact(revision) => length == revision.0 + 1,
    }
}
