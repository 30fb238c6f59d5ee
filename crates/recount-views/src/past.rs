//! Questions: a row, all rows, or the steps of a fold, now or as of any moment of either axis.
//!
//! About now the replica that is kept up to date answers, unless it is far behind. About the past a replica of its own is
//! folded, from the nearest snapshot on and confined to what is asked: one key's stream, what was recorded by a position, what
//! had happened by a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use recount_entity::fold::{Effect, Events, Step};
use recount_entity::key::Key;
use recount_entity::table::{Row, Slot};
use recount_env::block_on;
use recount_store::columns::stream_key;
use recount_store::time::format_rfc3339;
use recount_store::{Extent, From, ReadRequest, Scope};
use recount_types::column::Value;
use recount_types::{Position, StreamName, Time};

use crate::budget::HeldRows;
use crate::error::ViewError;
use crate::feed::rounded_down;
use crate::key_text;
use crate::live::Live;
use crate::replica::series::Series;
use crate::replica::{Confines, Plan, Replica};
use crate::snapshot::Snapshot;
use crate::snapshot::schedule::mark_positions;
use crate::views::{Inner, Views};

/// As of when a question is asked. Without either it is about now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// Only what was recorded up to this position.
    pub position: Option<Position>,
    /// Only what had happened by this time.
    pub valid_until: Option<Time>,
}

/// An answer about one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The position that it is true at.
    pub position: Position,
    /// The row.
    pub row: Result<RowState, Absent>,
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowState {
    /// The values of its columns: those of the key, then those of the state.
    pub values: Vec<Value<'static>>,
    /// The last event that was folded.
    pub position: Position,
    /// The greatest time of its events.
    pub event_time: Time,
}

/// Why there is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// No event ever.
    Never,
    /// Its first event happened later than asked.
    Later(Time),
    /// Its first event was recorded later than asked.
    RecordedLater(Position),
    /// Its events made no row, or ended it.
    Ended,
}

/// What was folded, and what was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folded {
    /// The position up to which.
    pub position: Position,
    /// Events that count nowhere, because they do not fit their topic's columns or have no key.
    pub unfit: u64,
}

/// What rows are folded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The snapshot that it begins with; `None` = it begins with the first event.
    pub snapshot: Option<Position>,
    /// The events further on.
    pub events: Extent,
}

/// Such as `folded from the snapshot at position 40 and 3 events in memory`.
impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.snapshot {
            Some(position) => {
                write!(f, "folded from the snapshot at position {position} and {}", self.events)
            }
            None => write!(f, "folded from the first event: {}", self.events),
        }
    }
}

/// One step of a fold.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// The key.
    pub key: Key,
    /// The event.
    pub position: Position,
    /// When it happened.
    pub event_time: Time,
    /// When it was appended.
    pub append_time: Time,
    /// What it did.
    pub effect: Effect,
    /// The rule that matched, from 0.
    pub rule: Option<usize>,
    /// The state before; `None` = no row.
    pub before: Option<Vec<Value<'static>>>,
    /// The state after.
    pub after: Option<Vec<Value<'static>>>,
    /// What each look-up found.
    pub lookups: Vec<Option<Vec<Value<'static>>>>,
    /// Why the key stopped here.
    pub reason: Option<String>,
}

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Absent::Never => f.write_str("no event has this key"),
            Absent::Later(time) => write!(f, "the first event happened at {}", format_rfc3339(*time)),
            Absent::RecordedLater(position) => {
                write!(f, "the first event was recorded at position {position}")
            }
            Absent::Ended => f.write_str("its events made no row, or ended it"),
        }
    }
}

impl Views {
    /// The row of a key, written as the stream is.
    pub fn row(
        &self,
        name: &str,
        version: Option<u32>,
        key: &str,
        moment: Moment,
        at_least: Position,
    ) -> Result<Answer, ViewError> {
        let inner = self.inner();
        let live = inner.find(name, version)?;
        let parsed = key_text::parse(key, &live.columns[..live.key_width]).map_err(ViewError::BadRequest)?;
        let wanted = inner.head_at(at_least)?;
        if moment == Moment::default() && !inner.is_far_behind(&live, wanted) {
            return live.at(wanted.0, &inner.patience(), |replica| {
                let row = row_of(&live, replica, &parsed, key)?;
                let known = block_on(replica.find(parsed.as_bytes()))?;
                let absent = if known.is_some() { Absent::Ended } else { Absent::Never };
                Ok(Answer { position: Position(replica.position), row: row.ok_or(absent) })
            });
        }
        let mut replica = inner.past(&live, Some(&parsed), moment)?;
        let position = Position(replica.position);
        let row = match row_of(&live, &mut replica, &parsed, key)? {
            Some(row) => Ok(row),
            None => Err(inner.why_absent(&live, &parsed, moment)?),
        };
        Ok(Answer { position, row })
    }

    /// All rows, or one key's.
    pub fn rows(
        &self,
        name: &str,
        version: Option<u32>,
        key: Option<&Key>,
        moment: Moment,
    ) -> Result<(Position, HeldRows), ViewError> {
        if moment == Moment::default() {
            let (position, mut rows) = self.freeze(&[(name, version)], Position::ZERO)?;
            let rows = rows.pop().ok_or_else(|| ViewError::NotFound(format!("there is no entity {name}")))?;
            return Ok((position, rows));
        }
        let inner = self.inner();
        let live = inner.find(name, version)?;
        let replica = inner.past(&live, key, moment)?;
        let position = Position(replica.position);
        // Confined to a stream it has no more rows than that one.
        Ok((position, block_on(replica.into_rows())?))
    }

    /// The steps of the fold as seen at the moment, each key's in the order in which they are folded: one for every
    /// event. `visit` is told each.
    pub fn steps(
        &self,
        name: &str,
        version: Option<u32>,
        key: Option<&Key>,
        moment: Moment,
        visit: &mut (dyn FnMut(StepRow) + Send),
    ) -> Result<Folded, ViewError> {
        let inner = self.inner();
        let live = inner.find(name, version)?;
        let mut replica = inner.past(&live, key, moment)?;
        let mut last: Option<(Key, Option<Vec<Value<'static>>>)> = None;
        let mut watch = |step: Step<'_>, events: &Events| {
            let row = step.table.row(step.slot);
            let before = last.take().filter(|(key, _)| row.key == *key).and_then(|(_, state)| state);
            let after = row.present.then(|| step.table.state(step.slot).to_vec());
            last = Some((row.key.to_key(), after.clone()));
            visit(step_row(step, events, &row, before, after));
        };
        block_on(replica.refold_again(key, &mut watch))?;
        Ok(Folded { position: Position(replica.position), unfit: replica.unfit })
    }

    /// The versions of rows in the order of recording: what the fold made of each key with each event, and what an
    /// event that was late, or a row that is looked up and was recorded later, made of it afterwards.
    pub fn versions(
        &self,
        name: &str,
        version: Option<u32>,
        key: Option<&Key>,
        moment: Moment,
        visit: &mut (dyn FnMut(StepRow) + Send),
    ) -> Result<Folded, ViewError> {
        let inner = self.inner();
        let live = inner.find(name, version)?;
        let plan = live.plan().clone();
        if !plan.bound.fold.is_retroactive() {
            return self.steps(name, version, key, moment, visit);
        }
        let until = inner.position_of(moment)?;
        let confines = inner.confines(&plan, key, moment);
        let mut replica = inner.replica(plan, confines);
        let mut states: HashMap<Slot, Option<Vec<Value<'static>>>> = HashMap::new();
        for (position, append_time) in block_on(replica.recorded(until.0))? {
            let mut touched: BTreeMap<Slot, StepRow> = BTreeMap::new();
            let mut watch = |step: Step<'_>, events: &Events| {
                let row = step.table.row(step.slot);
                let after = row.present.then(|| step.table.state(step.slot).to_vec());
                if step.effect == Effect::Waits
                    && touched.get(&step.slot).is_some_and(|known| known.reason.is_some())
                {
                    // What it stopped at says more than what waits behind.
                    return;
                }
                // Of a key that is folded again the last step is what it is now.
                touched.insert(step.slot, step_row(step, events, &row, None, after));
            };
            block_on(replica.advance(position.0, &mut watch))?;
            for (slot, mut step) in touched {
                let before = states.insert(slot, step.after.clone()).flatten();
                let own = step.position == position;
                (step.position, step.append_time) = (position, append_time);
                let wanted = key.is_none_or(|key| step.key == *key);
                if wanted && (own || before != step.after || step.reason.is_some()) {
                    visit(StepRow { before, ..step });
                }
            }
        }
        Ok(Folded { position: until, unfit: replica.unfit })
    }

    /// The rows, or one key's, at each of some times: made of what had happened by then, as recorded up to a position.
    pub fn series(
        &self,
        name: &str,
        version: Option<u32>,
        key: Option<&Key>,
        position: Option<Position>,
        times: Vec<Time>,
    ) -> Result<Series, ViewError> {
        let inner = self.inner();
        let live = inner.find(name, version)?;
        let moment = Moment { position, valid_until: None };
        let until = inner.position_of(moment)?;
        let plan = live.plan().clone();
        let confines = inner.confines(&plan, key, moment);
        let mut times: Vec<i64> = times.into_iter().map(|time| time.0).collect();
        times.sort_unstable();
        times.dedup();
        block_on(inner.replica(plan, confines).series(until.0, times))
    }

    /// What rows as of a moment, or one key's, are folded from.
    pub fn origin(
        &self,
        name: &str,
        version: Option<u32>,
        key: Option<&Key>,
        moment: Moment,
    ) -> Result<Origin, ViewError> {
        let inner = self.inner();
        let live = inner.find(name, version)?;
        let position = inner.position_of(moment)?;
        let stream_key = key.filter(|_| live.plan().bound.by_stream);
        let snapshot = block_on(inner.snapshot(&live, stream_key, moment, position));
        let snapshot = snapshot.map(|snapshot| Position(snapshot.manifest.position));
        inner.folded_from(&live, snapshot, key, moment, position)
    }

    /// What the steps of a fold are made of, of which no snapshot knows.
    pub fn origin_of_steps(
        &self,
        name: &str,
        version: Option<u32>,
        key: Option<&Key>,
        moment: Moment,
    ) -> Result<Origin, ViewError> {
        let inner = self.inner();
        let live = inner.find(name, version)?;
        inner.folded_from(&live, None, key, moment, inner.position_of(moment)?)
    }

    /// Reads a key as people write it.
    pub fn key(&self, name: &str, version: Option<u32>, text: &str) -> Result<Key, ViewError> {
        let live = self.inner().find(name, version)?;
        key_text::parse(text, &live.columns[..live.key_width]).map_err(ViewError::BadRequest)
    }
}

impl Inner {
    /// A replica as of a moment, of one key's events only if those are a stream.
    fn past(&self, live: &Live, key: Option<&Key>, moment: Moment) -> Result<Replica, ViewError> {
        let position = self.position_of(moment)?;
        let plan = live.plan();
        loop {
            let confines = self.confines(plan, key, moment);
            // What it is confined to may be one key's events.
            let key = key.filter(|_| confines.stream.is_some());
            let mut replica = self.replica(plan.clone(), confines);
            match block_on(self.advance_from_snapshot(live, &mut replica, key, moment, position)) {
                Err(ViewError::Snapshot(error)) => self.snapshots.discard(&error),
                done => return done.map(|()| replica),
            }
        }
    }

    async fn advance_from_snapshot(
        &self,
        live: &Live,
        replica: &mut Replica,
        key: Option<&Key>,
        moment: Moment,
        position: Position,
    ) -> Result<(), ViewError> {
        if let Some(snapshot) = self.snapshot(live, key, moment, position).await {
            replica.begin_from(snapshot, key).await?;
            if key.is_none() {
                // All of them are wanted.
                replica.load_all().await?;
            }
        }
        replica.advance(position.0, &mut |_: Step<'_>, _: &Events| {}).await
    }

    /// The newest snapshot that knows of nothing later than the moment.
    async fn snapshot(
        &self,
        live: &Live,
        key: Option<&Key>,
        moment: Moment,
        position: Position,
    ) -> Option<Arc<Snapshot>> {
        let wanted = live.wanted(position.0, moment.valid_until.map(|time| time.0));
        match key {
            None => self.snapshots.newest(wanted).await,
            Some(key) => self.snapshots.newest_of_key(wanted, key, &live.plan().bound.fold).await,
        }
    }

    fn folded_from(
        &self,
        live: &Live,
        snapshot: Option<Position>,
        key: Option<&Key>,
        moment: Moment,
        position: Position,
    ) -> Result<Origin, ViewError> {
        let plan = live.plan();
        let stream = self.confines(plan, key, moment).stream;
        let scope = stream.map_or_else(|| Scope::Topic(plan.topic.name.clone()), Scope::Stream);
        let from = snapshot.map_or(From::Start, From::After);
        let request = ReadRequest { from, ..ReadRequest::all(scope) };
        Ok(Origin { snapshot, events: block_on(self.store.extent(&request, position))? })
    }

    /// Whether the answer to a question about one key is nearer in its stream than in the rows that are kept up to date.
    fn is_far_behind(&self, live: &Live, wanted: Position) -> bool {
        let near = mark_positions(self.settings.snapshot_events);
        live.plan().bound.by_stream && live.position().saturating_add(near) < wanted.0
    }

    fn position_of(&self, moment: Moment) -> Result<Position, ViewError> {
        let head = self.store.head();
        match moment.position {
            Some(position) if position > head => Err(ViewError::BadRequest(format!(
                "position {position} does not exist yet: the newest is {head}"
            ))),
            Some(position) => Ok(block_on(rounded_down(&self.store, position))?),
            None => Ok(head),
        }
    }

    pub(crate) fn confines(&self, plan: &Plan, key: Option<&Key>, moment: Moment) -> Confines {
        let stream = key.filter(|_| plan.bound.by_stream).and_then(|key| {
            let key = stream_key(&plan.topic.definition, &key.values().ok()?)?;
            Some(StreamName { topic: plan.topic.name.clone(), key })
        });
        Confines { valid_until: moment.valid_until.map(|time| time.0), stream }
    }

    fn why_absent(&self, live: &Live, key: &Key, moment: Moment) -> Result<Absent, ViewError> {
        let (mut first_time, mut first_position) = (None, None);
        let plan = live.plan().clone();
        let confines = self.confines(&plan, Some(key), Moment::default());
        let mut replica = self.replica(plan, confines);
        let mut watch = |step: Step<'_>, events: &Events| {
            if step.table.row(step.slot).key == *key {
                let (time, position) = (events.times[step.event], events.positions[step.event]);
                // What was recorded later is not what was believed then.
                if moment.position.is_none_or(|asked| position <= asked.0) {
                    first_time = Some(first_time.map_or(time, |first: i64| first.min(time)));
                }
                first_position = Some(first_position.map_or(position, |first: u64| first.min(position)));
            }
        };
        block_on(replica.advance(self.store.head().0, &mut watch))?;
        Ok(match (first_time, first_position) {
            (_, None) => Absent::Never,
            (_, Some(position)) if moment.position.is_some_and(|asked| asked.0 < position) => {
                Absent::RecordedLater(Position(position))
            }
            (Some(time), _) if moment.valid_until.is_some_and(|asked| asked.0 < time) => {
                Absent::Later(Time(time))
            }
            _ => Absent::Ended,
        })
    }
}

/// The row of a key in a replica; an error if the key stopped.
fn row_of(live: &Live, replica: &mut Replica, key: &Key, text: &str) -> Result<Option<RowState>, ViewError> {
    let Some(slot) = block_on(replica.find(key.as_bytes()))? else { return Ok(None) };
    let row = replica.table().row(slot);
    if let Some(stopped) = row.stopped {
        return Err(ViewError::Stopped {
            entity: live.name.to_string(),
            key: text.to_owned(),
            position: stopped.position,
            reason: stopped.reason.clone(),
        });
    }
    if !row.present {
        return Ok(None);
    }
    let mut values = key.values().unwrap_or_default();
    values.extend(replica.table().state(slot).to_vec());
    Ok(Some(RowState { values, position: Position(row.position), event_time: Time(row.event_time) }))
}

fn step_row(
    step: Step<'_>,
    events: &Events,
    row: &Row<'_>,
    before: Option<Vec<Value<'static>>>,
    after: Option<Vec<Value<'static>>>,
) -> StepRow {
    let stopped_here = row.stopped.filter(|_| step.effect == Effect::Stopped);
    StepRow {
        key: row.key.to_key(),
        position: Position(events.positions[step.event]),
        event_time: Time(events.times[step.event]),
        append_time: Time(events.appended[step.event]),
        effect: step.effect,
        rule: step.rule,
        before,
        after,
        lookups: step.lookups.iter().map(|found| found.map(<[_]>::to_vec)).collect(),
        reason: stopped_here.map(|stopped| stopped.reason.clone()),
    }
}
