//! What must hold of a store, whatever happened before. Each check says what it found wrong.

use std::collections::{BTreeMap, BTreeSet};

use recount_store::{
    Condition, Direction, From, ReadError, ReadRequest, Scope, Store, condition::any_matches,
};
use recount_types::{Event, Position, StreamName, Tag, TopicName};

use crate::model::{Fate, Model, Outcome, Seen, holds};

/// Why a check could not be finished, or what it found.
#[derive(Debug)]
pub enum Finding {
    /// The store refused with a typed error: right if bytes were damaged.
    Refused(String),
    /// Something that must never be.
    Wrong(String),
}

impl std::convert::From<ReadError> for Finding {
    fn from(error: ReadError) -> Finding {
        Finding::Refused(error.to_string())
    }
}

/// All events, the system's included.
pub async fn read_all(store: &Store, request: ReadRequest) -> Result<Vec<Event>, ReadError> {
    let mut cursor = store.read(request).await?;
    let mut events = Vec::new();
    while let Some(event) = cursor.next().await? {
        events.push(event);
    }
    Ok(events)
}

/// The log by itself: contiguous, in order, complete appends, nothing refused, nothing forgotten.
/// `settled`: no transaction is open, so everything that was acknowledged has its position.
pub fn check_log(model: &mut Model, events: &[Event], head: Position, settled: bool) -> Result<(), String> {
    let last = events.last().map_or(0, |event| event.position.0);
    if last != head.0 {
        return Err(format!("the head is {head}, the last event read is at {last}"));
    }
    if head.0 < model.head {
        return Err(format!("the head went back from {} to {head}", model.head));
    }
    for (index, event) in events.iter().enumerate() {
        if event.position.0 != index as u64 + 1 {
            return Err(format!("position {} follows {index}", event.position));
        }
        model.observe(event);
    }
    if let Some(what) = model.failure.clone() {
        return Err(what);
    }
    check_order(events)?;
    check_revisions(model, events)?;
    let placed = placed_ops(events)?;
    check_fates(model, &placed, settled)?;
    check_transactions(model, &placed, events)?;
    check_conditions(model, events, &placed)
}

/// Append times rise from append to append, offsets within each partition with positions.
fn check_order(events: &[Event]) -> Result<(), String> {
    let mut offsets: BTreeMap<(String, u32), i64> = BTreeMap::new();
    for pair in events.windows(2) {
        if pair[1].append_time < pair[0].append_time {
            return Err(format!("append time falls at position {}", pair[1].position));
        }
    }
    for event in events {
        let partition = (event.topic.to_string(), event.partition.0);
        if let Some(before) = offsets.insert(partition, event.offset.0)
            && before >= event.offset.0
        {
            return Err(format!("offset {} at position {} follows {before}", event.offset, event.position));
        }
    }
    Ok(())
}

/// Positions of each operation's events, in the order of its events.
type PlacedOps = BTreeMap<u64, Vec<u64>>;

fn placed_ops(events: &[Event]) -> Result<PlacedOps, String> {
    let mut placed = PlacedOps::new();
    for event in events {
        let Some((op, index)) = Seen::of(event).op else { continue };
        let positions = placed.entry(op).or_default();
        if positions.len() != index {
            return Err(format!(
                "event {index} of operation {op} stands at {} after {positions:?}",
                event.position
            ));
        }
        positions.push(event.position.0);
    }
    Ok(placed)
}

fn check_fates(model: &Model, placed: &PlacedOps, settled: bool) -> Result<(), String> {
    for (op, positions) in placed {
        let Some(known) = model.ops.get(op) else {
            return Err(format!("operation {op} was never asked for"));
        };
        if positions.len() != known.count {
            return Err(format!(
                "operation {op} is half there: {} of {} events",
                positions.len(),
                known.count
            ));
        }
        if known.fate == Fate::Refused {
            return Err(format!("operation {op} was refused and is at {positions:?}"));
        }
    }
    for (op, known) in &model.ops {
        let Fate::Done(answered) = &known.fate else { continue };
        let found = placed.get(op);
        if !known.batch {
            let answered: Vec<u64> = answered.iter().map(|position| position.0).collect();
            if found != Some(&answered) {
                return Err(format!("operation {op} was acknowledged at {answered:?} and is at {found:?}"));
            }
        } else if settled && known.transaction.is_none() && found.is_none() {
            return Err(format!("the batch of operation {op} was acknowledged and is lost"));
        }
    }
    Ok(())
}

fn check_transactions(model: &Model, placed: &PlacedOps, events: &[Event]) -> Result<(), String> {
    for (&producer, &outcome) in &model.transactions {
        let ops: Vec<_> = model.ops.iter().filter(|(_, op)| op.transaction == Some(producer)).collect();
        let visible: Vec<u64> = ops.iter().filter_map(|(op, _)| placed.get(op)).flatten().copied().collect();
        if matches!(outcome, Outcome::Open | Outcome::Aborted | Outcome::MaybeAborted) && !visible.is_empty()
        {
            return Err(format!("transaction {producer} is {outcome:?} and visible at {visible:?}"));
        }
        if !visible.is_empty() {
            let lost = ops
                .iter()
                .find(|(op, known)| matches!(known.fate, Fate::Done(_)) && !placed.contains_key(op));
            if let Some((op, _)) = lost {
                return Err(format!("transaction {producer} is visible without operation {op}"));
            }
            let time = |position: &u64| events[*position as usize - 1].append_time;
            if visible.iter().any(|position| time(position) != time(&visible[0])) {
                return Err(format!("transaction {producer} is not one append: {visible:?}"));
            }
        }
    }
    Ok(())
}

/// Every committed transaction whose batches were acknowledged is there; asked when none is open.
pub fn check_settled(model: &Model, events: &[Event]) -> Result<(), String> {
    let placed = placed_ops(events)?;
    for (op, known) in &model.ops {
        let committed =
            known.transaction.is_some_and(|p| model.transactions.get(&p) == Some(&Outcome::Committed));
        if committed && matches!(known.fate, Fate::Done(_)) && !placed.contains_key(op) {
            return Err(format!("operation {op} of a committed transaction is lost"));
        }
    }
    Ok(())
}

/// In the order of positions, each operation's conditions held when it was appended.
fn check_conditions(model: &Model, events: &[Event], placed: &PlacedOps) -> Result<(), String> {
    let mut lengths: BTreeMap<StreamName, u64> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        if let Some((op, 0)) = Seen::of(event).op
            && let Some(known) = model.ops.get(&op)
            && placed.get(&op).and_then(|positions| positions.first()) == Some(&event.position.0)
        {
            for condition in &known.conditions {
                let held = match condition {
                    Condition::Stream { stream, expected } => {
                        holds(*expected, lengths.get(stream).copied().unwrap_or(0))
                    }
                    Condition::NoMatch { query, after } => !events[..index].iter().any(|earlier| {
                        earlier.position > *after
                            && (query.topics.is_empty() || query.topics.contains(&earlier.topic))
                            && !earlier.topic.is_system()
                            && any_matches(&query.items, earlier.event_type.as_deref(), &earlier.tags)
                    }),
                };
                if !held {
                    return Err(format!(
                        "operation {op} was appended at {} although {condition:?}",
                        event.position
                    ));
                }
            }
        }
        if let Some(stream) = event.stream() {
            *lengths.entry(stream).or_default() += 1;
        }
    }
    for (stream, told) in &model.lengths {
        let there = lengths.get(stream).copied().unwrap_or(0);
        if there < *told {
            return Err(format!("a refusal told of {told} events of {stream}, there are {there}"));
        }
    }
    Ok(())
}

/// The revisions that answers told are the places of events in their streams.
fn check_revisions(model: &Model, events: &[Event]) -> Result<(), String> {
    let mut lengths: BTreeMap<StreamName, u64> = BTreeMap::new();
    for event in events {
        let Some(stream) = event.stream() else { continue };
        let length = lengths.entry(stream).or_default();
        match model.revisions.get(&event.position.0) {
            Some(told) if told.0 != *length => {
                return Err(format!(
                    "position {} has revision {length}, its append was told {told}",
                    event.position
                ));
            }
            _ => *length += 1,
        }
    }
    Ok(())
}

/// Every other way to read gives the same as reading everything.
pub async fn check_reads(store: &Store, events: &[Event], live: &BTreeSet<String>) -> Result<(), Finding> {
    let mut streams: BTreeMap<StreamName, Vec<u64>> = BTreeMap::new();
    let mut topics: BTreeMap<TopicName, Vec<u64>> = BTreeMap::new();
    let mut tags: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in events.iter().filter(|event| live.contains(event.topic.as_str())) {
        topics.entry(event.topic.clone()).or_default().push(event.position.0);
        if let Some(stream) = event.stream() {
            streams.entry(stream).or_default().push(event.position.0);
        }
        for tag in &event.tags {
            tags.entry(tag.as_str().to_owned()).or_default().push(event.position.0);
        }
    }
    for (stream, expected) in streams {
        let length = store.stream_length(&stream).await?;
        if length != expected.len() as u64 {
            return Err(Finding::Wrong(format!("{stream} has {} events and says {length}", expected.len())));
        }
        let read = expect_read(store, ReadRequest::all(Scope::Stream(stream.clone())), &expected).await?;
        for (revision, event) in read.iter().enumerate() {
            if event.revision.map(|r| r.0) != Some(revision as u64) {
                let what =
                    format!("revision {:?} of {stream} at {} is {revision}", event.revision, event.position);
                return Err(Finding::Wrong(what));
            }
        }
        let half = expected.len() as u64 / 2;
        let from = From::Revision(recount_types::Revision(half));
        let request = ReadRequest { from, ..ReadRequest::all(Scope::Stream(stream)) };
        expect_read(store, request, &expected[half as usize..]).await?;
    }
    for (topic, expected) in topics {
        expect_read(store, ReadRequest::all(Scope::Topic(topic.clone())), &expected).await?;
        let middle = expected[expected.len() / 2];
        let later: Vec<u64> = expected.iter().copied().filter(|&position| position > middle).collect();
        let from = From::After(Position(middle));
        expect_read(store, ReadRequest { from, ..ReadRequest::all(Scope::Topic(topic)) }, &later).await?;
    }
    for (tag, expected) in tags {
        let item =
            recount_store::QueryItem { types: Vec::new(), tags: Tag::parse(&tag).into_iter().collect() };
        let request = ReadRequest { filter: vec![item], ..ReadRequest::all(Scope::All { system: false }) };
        expect_read(store, request, &expected).await?;
    }
    Ok(())
}

/// Reads in both directions and compares positions; returns the events, oldest first.
async fn expect_read(store: &Store, request: ReadRequest, expected: &[u64]) -> Result<Vec<Event>, Finding> {
    let forward = read_all(store, request.clone()).await?;
    let positions = |events: &[Event]| events.iter().map(|event| event.position.0).collect::<Vec<_>>();
    if positions(&forward) != expected {
        let what = format!("{request:?} gives {:?}, not {expected:?}", positions(&forward));
        return Err(Finding::Wrong(what));
    }
    if request.from == From::Start {
        let backward = ReadRequest { direction: Direction::Backward, ..request.clone() };
        let mut found = positions(&read_all(store, backward).await?);
        found.reverse();
        if found != expected {
            return Err(Finding::Wrong(format!("{request:?} backwards gives {found:?}, not {expected:?}")));
        }
    }
    Ok(forward)
}
