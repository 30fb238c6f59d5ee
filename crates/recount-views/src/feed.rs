//! Feeds: the events of a topic as a fold takes them, a batch at a time, and the rows of a topic that is looked up.
//!
//! What does not fit the topic's columns (a topic that keeps such records may have some) is left out and counted.
//! So is, without a count, what happened after the moment that is asked about, and what the entity skips.

use std::sync::Arc;

use recount_entity::expr::Scope as Columns;
use recount_entity::fold::{Events, NO_EVENT, key_of};
use recount_entity::lookup::LookupTable;
use recount_store::columns::{ColumnDecoder, form_of};
use recount_store::schema::TopicDefinition;
use recount_store::{Direction, EventCursor, EventView, From, ReadError, ReadRequest, Scope, Store};
use recount_types::column::{Column, Value};
use recount_types::{Event, Position, TopicName};

use crate::bind::{Bound, BoundLookup, EventColumn};
use crate::error::ViewError;

/// Events in a batch.
pub(crate) const BATCH_EVENTS: usize = 4096;
/// A batch ends when its texts have so many bytes.
const BATCH_BYTES: usize = 4 << 20;

/// Which events of a topic are read.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) scope: Scope,
    /// Only those behind this position.
    pub(crate) after: u64,
    /// Only those up to this one.
    pub(crate) until: u64,
    /// Only those that happened up to this time, µs.
    pub(crate) valid_until: Option<i64>,
}

/// Reads events for a fold.
pub(crate) struct Feed {
    cursor: EventCursor,
    span: Span,
    bound: Arc<Bound>,
    skipped: Arc<[Position]>,
    decoder: ColumnDecoder,
    decoded: Vec<Column>,
    others: Vec<Column>,
    /// Events that were read, whatever became of them.
    pub(crate) seen: u64,
    /// Events that do not fit the topic's columns, or whose key cannot be computed.
    pub(crate) unfit: u64,
}

impl Feed {
    pub(crate) async fn begin(
        store: &Store,
        bound: &Arc<Bound>,
        topic: &TopicDefinition,
        skipped: &Arc<[Position]>,
        span: Span,
    ) -> Result<Feed, ReadError> {
        let names: Vec<&str> = bound
            .event_columns
            .iter()
            .filter_map(
                |column| if let EventColumn::Topic(name, _) = column { Some(name.as_str()) } else { None },
            )
            .collect();
        let decoder = ColumnDecoder::new(topic, &names);
        let others = bound.event_columns.iter().filter(|column| !matches!(column, EventColumn::Topic(..)));
        let others = others.map(|column| Column::new(form_of(column.column_type()))).collect();
        Ok(Feed {
            cursor: cursor(store, &span).await?,
            span,
            bound: bound.clone(),
            skipped: skipped.clone(),
            decoded: decoder.empty(),
            decoder,
            others,
            seen: 0,
            unfit: 0,
        })
    }

    /// Fills `events` with the next ones; leaves it empty at the end.
    pub(crate) async fn next(&mut self, events: &mut Events) -> Result<(), ReadError> {
        events.clear();
        self.take_back(events);
        let mut bytes = 0;
        while events.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
            let Feed { cursor, span, bound, skipped, decoder, decoded, others, unfit, seen } = &mut *self;
            let Some(event) = cursor.take()? else {
                if cursor.load().await? {
                    continue;
                }
                break;
            };
            if event.position.0 > span.until {
                break;
            }
            *seen += 1;
            if !span.happened(&event) || skipped.binary_search(&event.position).is_ok() {
                continue;
            }
            let number = decoder.event_number(event.event_type);
            if decoder.decode_event(number, event.payload, decoded).is_err() {
                *unfit += 1;
                continue;
            }
            push_others(bound, others, &event);
            events.numbers.push(number.and_then(|number| u16::try_from(number).ok()).unwrap_or(NO_EVENT));
            events.positions.push(event.position.0);
            events.times.push(event.event_time.0);
            events.appended.push(event.append_time.0);
            events.ends.push(event.append_end.0);
            bytes += event.payload.len();
        }
        self.hand_over(events);
        // Without a key it belongs to no row, and is passed over by the fold.
        self.unfit += events.keys.extend_of(&self.bound.key, &events.columns, events.positions.len());
        Ok(())
    }

    /// Gives the columns to `events`, in the order in which expressions number them.
    fn hand_over(&mut self, events: &mut Events) {
        let (mut decoded, mut others) = (self.decoded.drain(..), self.others.drain(..));
        events.columns = self
            .bound
            .event_columns
            .iter()
            .filter_map(|column| match column {
                EventColumn::Topic(..) => decoded.next(),
                _ => others.next(),
            })
            .collect();
    }

    /// Takes them back, to be filled again.
    fn take_back(&mut self, events: &mut Events) {
        for (column, kept) in self.bound.event_columns.iter().zip(events.columns.drain(..)) {
            match column {
                EventColumn::Topic(..) => self.decoded.push(kept),
                _ => self.others.push(kept),
            }
        }
    }
}

/// Adds what events say beside their payloads.
fn push_others(bound: &Bound, others: &mut [Column], event: &EventView<'_>) {
    let mut others = others.iter_mut();
    for column in &bound.event_columns {
        let value = match column {
            EventColumn::Topic(..) => continue,
            EventColumn::Position => Value::Integer(event.position.0 as i64),
            EventColumn::EventTime => Value::Integer(event.event_time.0),
            EventColumn::AppendTime => Value::Integer(event.append_time.0),
            EventColumn::EventType => event.event_type.map_or(Value::Null, |text| Value::Text(text.into())),
        };
        if let Some(other) = others.next() {
            other.push(&value);
        }
    }
}

/// Rows of a topic that is looked up were read.
pub(crate) struct RowsRead {
    /// The least time from which one of them is in force.
    pub(crate) least: Option<i64>,
    /// Events that do not fit the topic's columns.
    pub(crate) unfit: u64,
}

/// Memory is looked at after so many of them.
const ROWS_BETWEEN_CHECKS: u64 = 4096;

/// Reads the rows of a topic that is looked up into `table`, as long as `room` has room for its bytes.
pub(crate) async fn read_rows(
    store: &Store,
    lookup: &BoundLookup,
    topic: &TopicDefinition,
    span: Span,
    table: &mut LookupTable,
    room: &mut (dyn FnMut(usize) -> Result<(), ViewError> + Send),
) -> Result<RowsRead, ViewError> {
    let names: Vec<&str> = lookup.columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut decoder = ColumnDecoder::new(topic, &names);
    let mut columns = decoder.empty();
    let mut cursor = cursor(store, &span).await?;
    let mut read = RowsRead { least: None, unfit: 0 };
    let mut count = 0u64;
    loop {
        let Some(event) = cursor.take()? else {
            if cursor.load().await? {
                continue;
            }
            break;
        };
        if event.position.0 > span.until {
            break;
        }
        columns.iter_mut().for_each(Column::clear);
        if !span.happened(&event) {
            continue;
        }
        if decoder.decode(event.event_type, event.payload, &mut columns).is_err() {
            read.unfit += 1;
            continue;
        }
        let scope = Columns { state: &[], event: &columns, row: 0, lookups: &[] };
        // A row whose conditions cannot be computed is none.
        if !lookup.filter.as_ref().is_none_or(|filter| filter.holds(&scope).unwrap_or(false)) {
            continue;
        }
        let Ok(Some(key)) = key_of(&lookup.key, &scope) else { continue };
        let values = columns.iter().map(|column| column.get(0).into_owned()).collect();
        let time = event.event_time.0;
        table.insert(key, time, event.position.0, values);
        count += 1;
        if count.is_multiple_of(ROWS_BETWEEN_CHECKS) {
            room(table.bytes())?;
        }
        read.least = Some(read.least.map_or(time, |least| least.min(time)));
    }
    room(table.bytes())?;
    Ok(read)
}

/// Reads the events of a span, and those behind it.
pub(crate) async fn cursor(store: &Store, span: &Span) -> Result<EventCursor, ReadError> {
    let mut request = ReadRequest::all(span.scope.clone());
    request.from = From::After(Position(span.after));
    store.read(request).await
}

/// The last event of any topic up to a position: it and its append time tell this history of the journal from others.
pub(crate) async fn last_recorded(store: &Store, until: u64) -> Result<Option<Event>, ReadError> {
    let mut request = ReadRequest::all(Scope::All { system: true });
    (request.from, request.direction) = (From::Position(Position(until)), Direction::Backward);
    request.limit = Some(1);
    store.read(request).await?.next().await
}

/// The end of the last append that lies whole in positions up to this one.
pub(crate) async fn rounded_down(store: &Store, position: Position) -> Result<Position, ReadError> {
    let mut request = ReadRequest::all(Scope::All { system: true });
    (request.as_of, request.limit) = (position, Some(0));
    Ok(store.read(request).await?.as_of())
}

impl Span {
    /// All events of a topic behind `after` and up to `until`.
    pub(crate) fn of_topic(topic: &TopicName, after: u64, until: u64) -> Span {
        Span { scope: Scope::Topic(topic.clone()), after, until, valid_until: None }
    }

    fn happened(&self, event: &EventView<'_>) -> bool {
        self.valid_until.is_none_or(|until| event.event_time.0 <= until)
    }
}
