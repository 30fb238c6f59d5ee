//! Checks a request against the catalogue, and evaluates its conditions on the immutable runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use recount_index::{Term, TermKind};
use recount_types::limits::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, BATCH_BYTES_MAX, GROUP_BYTES_MAX, KEY_BYTES_MAX, TAGS_MAX,
    TYPE_BYTES_MAX,
};
use recount_types::{Partition, Position, StreamName, TopicId, TopicName};

use super::duplicate::{self, Known};
use super::later::{LATER_MAX, Later};
use super::{AppendRequest, Appended, EventWrite, Writer, query};
use crate::catalogue::{CATALOG, Catalogue, IMPORTS, TopicState};
use crate::condition::{Condition, Expected};
use crate::error::AppendError;
use crate::forming;
use crate::json::Shape;
use crate::partition::partition_of;
use crate::record;
use crate::sequencer::{Prepared, PreparedEvent, PreparedStream, Produce};
use crate::store::{Inner, lock};

/// The largest record: it fits into a batch of its own.
const EVENT_BYTES_MAX: usize = BATCH_BYTES_MAX - recount_types::batch::HEADER_BYTES;

/// How long an append waits for an open transaction unless it says.
const DEADLINE: Duration = Duration::from_secs(30);

/// A request that passed every check which needs no lock.
pub(super) enum Checked {
    /// To be sequenced, and what is still to be looked up for its answer.
    New(Box<Prepared>, Later),
    /// It was made before.
    Duplicate(Appended),
}

pub(super) async fn prepare(
    inner: &Arc<Inner>,
    request: &AppendRequest,
    writer: Writer,
) -> Result<Checked, AppendError> {
    check_counts(request)?;
    let catalogue = inner.catalogue();
    let mut streams = Streams::default();
    let mut events = Vec::with_capacity(request.events.len());
    for (index, write) in request.events.iter().enumerate() {
        let topic = writable(&catalogue, &write.topic, writer)?;
        let event = prepare_event(topic, write, &mut streams)
            .map_err(|what| AppendError::BadEvent { index, what })?;
        events.push(event);
    }
    let bytes = cost(&events)?;
    let mut expected = Vec::new();
    let mut queries = Vec::new();
    for condition in &request.conditions {
        match condition {
            Condition::Stream { expected: Expected::Any, .. } => {}
            Condition::Stream { stream, expected: what } => {
                let topic = known(&catalogue, &stream.topic)?;
                expected.push((streams.index(topic, &stream.key), *what));
            }
            Condition::NoMatch { query, after } => queries.extend(query::prepare(&catalogue, query, *after)?),
        }
    }
    let mut streams = streams.list;
    let (runs, in_memory) = {
        let sequencer = lock(&inner.sequencer);
        if let Some(error) = sequencer.refusal_of_all() {
            return Err(error);
        }
        let in_memory: Vec<Option<u64>> =
            streams.iter().map(|stream| sequencer.length_in_runs(&stream.term)).collect();
        (sequencer.runs.clone(), in_memory)
    };
    if let Some(answer) = duplicate::find(inner, request, &events, &streams).await? {
        match answer {
            Known::Same(appended) => return Ok(Checked::Duplicate(appended)),
            Known::Other(error) => return Err(error),
        }
    }
    let covered = Position(runs.covered_to_position());
    for query in &queries {
        query::check_on_runs(&runs, query).await?;
    }
    for (stream, in_memory) in streams.iter_mut().zip(in_memory) {
        stream.base = in_memory;
    }
    let unknown = streams.iter().filter(|stream| stream.base.is_none()).count();
    for (at, stream) in streams.iter_mut().enumerate().filter(|(_, stream)| stream.base.is_none()) {
        if unknown > LATER_MAX || expected.iter().any(|(expected, _)| *expected == at) {
            let length = runs.stream_length(&stream.term).await.map_err(crate::error::ReadError::from)?;
            stream.base = Some(length);
        }
    }
    let deadline = request.deadline.unwrap_or(DEADLINE);
    let later = Later::new(runs, &streams, &events);
    let prepared = Prepared {
        catalogue,
        covered,
        streams,
        expected,
        queries,
        events,
        bytes,
        change: None,
        deadline_us: inner.env.clock.boottime_us().saturating_add(deadline.as_micros() as u64),
    };
    Ok(Checked::New(Box::new(prepared), later))
}

fn check_counts(request: &AppendRequest) -> Result<(), AppendError> {
    let count = request.events.len();
    if count == 0 {
        return Err(AppendError::BadRequest { what: "the append has no events".to_owned() });
    }
    if count > APPEND_EVENTS_MAX {
        let what = format!("the append has {count} events, the limit is {APPEND_EVENTS_MAX}: split it");
        return Err(AppendError::BadRequest { what });
    }
    Ok(())
}

fn known<'a>(catalogue: &'a Catalogue, name: &TopicName) -> Result<&'a Arc<TopicState>, AppendError> {
    catalogue.by_name(name).ok_or_else(|| AppendError::UnknownTopic { topic: name.to_string() })
}

fn writable<'a>(
    catalogue: &'a Catalogue,
    name: &TopicName,
    writer: Writer,
) -> Result<&'a Arc<TopicState>, AppendError> {
    let topic = known(catalogue, name)?;
    let allowed = match topic.id {
        CATALOG => writer == Writer::Catalogue,
        IMPORTS => writer == Writer::Importer,
        _ => true,
    };
    if allowed { Ok(topic) } else { Err(AppendError::SystemTopic { topic: name.clone() }) }
}

/// The streams of a request, each once.
#[derive(Default)]
struct Streams {
    list: Vec<PreparedStream>,
    by_key: HashMap<(TopicId, Bytes), usize>,
    /// The one asked for last, which is most often asked for next.
    last: Option<(TopicId, usize)>,
    /// What the payloads of each topic look like.
    shapes: HashMap<TopicId, Shape>,
}

impl Streams {
    /// What the payloads of a topic look like.
    fn shape(&mut self, topic: TopicId) -> &mut Shape {
        self.shapes.entry(topic).or_default()
    }

    /// The same key, in the memory of the stream asked for last if it is that one's.
    fn shared(&self, topic: &TopicState, key: Bytes) -> Bytes {
        let last = self.last.filter(|&(id, _)| id == topic.id).and_then(|(_, at)| self.list.get(at));
        last.filter(|stream| stream.name.key == key).map_or(key, |stream| stream.name.key.clone())
    }

    fn index(&mut self, topic: &TopicState, key: &Bytes) -> usize {
        if let Some((id, at)) = self.last
            && id == topic.id
            && self.list.get(at).is_some_and(|stream| stream.name.key == *key)
        {
            return at;
        }
        let at = *self.by_key.entry((topic.id, key.clone())).or_insert_with(|| {
            let name = StreamName { topic: topic.name.clone(), key: key.clone() };
            let term = Term::of(TermKind::Stream, topic.id, key).as_bytes().to_vec();
            self.list.push(PreparedStream { name, term, base: None });
            self.list.len() - 1
        });
        self.last = Some((topic.id, at));
        at
    }
}

fn prepare_event(
    topic: &TopicState,
    write: &EventWrite,
    streams: &mut Streams,
) -> Result<PreparedEvent, String> {
    let mut facts = record::facts(&topic.definition, (&topic.paths, streams.shape(topic.id)), &write.event)?;
    let key = match (facts.key.take(), &write.key) {
        (Some(declared), Some(given)) if declared != given => {
            return Err(format!(
                "the key {} was given, but the topic's KEY makes it {}: leave it out, or change the payload",
                recount_types::name::KeyText(given),
                recount_types::name::KeyText(&declared)
            ));
        }
        (declared, given) => declared.or_else(|| given.clone()),
    };
    let key = key.map(|key| streams.shared(topic, key));
    if let Some(key) = &key
        && key.len() > KEY_BYTES_MAX
    {
        return Err(format!("the key has {} bytes, the limit is {KEY_BYTES_MAX}", key.len()));
    }
    if facts.tags.len() > TAGS_MAX {
        return Err(format!("the event has {} tags, the limit is {TAGS_MAX}", facts.tags.len()));
    }
    if facts.event_type.as_ref().is_some_and(|name| name.len() > TYPE_BYTES_MAX) {
        return Err(format!("the event type is longer than {TYPE_BYTES_MAX} bytes"));
    }
    let terms =
        record::terms(topic.id, facts.event_type.as_deref(), facts.tags.iter().map(|tag| tag.as_str()));
    let id_term = write
        .event
        .id
        .as_ref()
        .map(|id| Term::of(TermKind::ClientId, topic.id, id.as_bytes()).as_bytes().to_vec());
    let stream = key.as_ref().map(|key| streams.index(topic, key));
    let partition: Partition = partition_of(key.as_deref(), topic.definition.partitions);
    let record = record::encode(facts, key, &write.event)?;
    let bytes = record.bytes_bound();
    if bytes > EVENT_BYTES_MAX {
        return Err(format!(
            "the event has {bytes} bytes with its key and headers, the limit is {EVENT_BYTES_MAX}: keep what is so large elsewhere, and its address here"
        ));
    }
    Ok(PreparedEvent { topic: topic.id, partition, schema: topic.schema, stream, record, terms, id_term })
}

/// Checks a producer's batch. Its events' streams are among their terms: their revisions are not asked for.
pub(crate) fn prepare_batch(
    inner: &Inner,
    topic: &TopicName,
    partition: Partition,
    transaction: Option<u64>,
    writes: &[EventWrite],
) -> Result<Produce, AppendError> {
    let catalogue = inner.catalogue();
    let topic = writable(&catalogue, topic, Writer::User)?;
    if partition.0 >= topic.definition.partitions {
        let what = format!(
            "topic {} has {} partitions, there is no partition {partition}",
            topic.name, topic.definition.partitions
        );
        return Err(AppendError::BadRequest { what });
    }
    let mut streams = Streams::default();
    let mut events = Vec::with_capacity(writes.len());
    for (index, write) in writes.iter().enumerate() {
        let mut event = prepare_event(topic, write, &mut streams)
            .map_err(|what| AppendError::BadEvent { index, what })?;
        event.partition = partition;
        let stream = event.stream.take().and_then(|at| streams.list.get(at));
        event.terms.extend(stream.map(|stream| stream.term.clone()));
        event.terms.extend(event.id_term.take());
        events.push(event);
    }
    if events.windows(2).any(|pair| pair[0].record.own_time != pair[1].record.own_time) {
        let what =
            "some events of the batch say when they happened and some do not: in one batch all must, or none";
        return Err(AppendError::BadRequest { what: what.to_owned() });
    }
    let records: usize = events.iter().map(|event| event.record.bytes_bound()).sum();
    if records > EVENT_BYTES_MAX {
        let what =
            format!("the batch has {records} bytes of records, the limit is {EVENT_BYTES_MAX}: split it");
        return Err(AppendError::BadRequest { what });
    }
    let bytes = cost(&events)?;
    Ok(Produce { topic: topic.id, partition, schema: topic.schema, transaction, events, bytes })
}

/// A bound on what the events add to a group.
fn cost(events: &[PreparedEvent]) -> Result<usize, AppendError> {
    let bytes: usize = events.iter().map(|event| event.record.bytes_bound()).sum();
    let too_large = |bytes: usize, limit: usize| {
        let what = format!("the append has {bytes} bytes, the limit is {limit}: split it");
        Err(AppendError::BadRequest { what })
    };
    if bytes > APPEND_BYTES_MAX {
        return too_large(bytes, APPEND_BYTES_MAX);
    }
    let mut last: HashMap<(TopicId, Partition), (u32, bool)> = HashMap::new();
    let (mut batches, mut runs) = (0, 0);
    let mut before = None;
    for event in events {
        let partition = (event.topic, event.partition);
        let kind = (event.schema, event.record.own_time);
        if before.replace((partition, kind)) == Some((partition, kind)) {
            continue;
        }
        runs += 1;
        if last.insert(partition, kind) != Some(kind) {
            batches += 1;
        }
    }
    let cost = forming::cost(bytes, batches, runs);
    if cost > GROUP_BYTES_MAX - forming::Forming::EMPTY_BYTES {
        return too_large(cost, GROUP_BYTES_MAX);
    }
    Ok(cost)
}
