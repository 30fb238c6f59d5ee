//! Entities as relations: their rows at a moment, and the steps of their folds over time.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use recount_entity::key::Key;
use recount_entity::table::{Frozen, Row, State};
use recount_store::columns::form_of;
use recount_store::schema::ColumnType;
use recount_types::{Column, Position, Value};
use recount_views::{EntityInfo, StepRow, ViewError, Views, key_text};

use crate::error::QueryError;
use crate::moment::{Moment, Span};
use crate::relations::{Described, DescribedColumn, Periods, Pinned, Relations, Rows, Wanted};

/// Rows in a batch.
const BATCH_ROWS: usize = 4096;
/// Batches of steps that are made ahead.
const BATCHES_AHEAD: usize = 2;

/// The entities of a database.
#[derive(Debug, Clone)]
pub struct Entities {
    views: Views,
}

/// Entities frozen at one position.
struct PinnedEntities {
    views: Views,
    position: Position,
    frozen: Vec<((String, Option<u32>), Frozen)>,
}

/// A column of a row or a version.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Of the key or the state.
    Own(usize),
    Position,
    EventTime,
    AppendTime,
    SystemFrom,
    SystemTo,
    ValidFrom,
    ValidTo,
}

impl Entities {
    /// The entities that `views` keeps.
    pub fn new(views: Views) -> Entities {
        Entities { views }
    }
}

impl Relations for Entities {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.views.entities().iter().map(|info| info.name.as_str().to_owned()).collect();
        names.dedup();
        names
    }

    fn describe(
        &self,
        name: &str,
        version: Option<u32>,
        periods: Periods,
    ) -> Result<Option<Described>, QueryError> {
        let info = match self.views.entity(name, version) {
            Ok(info) => info,
            Err(ViewError::NotFound(_)) if version.is_none() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let own = info.columns.iter().map(|column| DescribedColumn {
            name: column.name.clone(),
            column_type: column.column_type,
            nullable: column.nullable,
            hidden: false,
        });
        let hidden = hidden(periods).into_iter().map(|(name, column_type, _)| DescribedColumn {
            name: name.to_owned(),
            column_type,
            nullable: true,
            hidden: true,
        });
        let key = info.columns[..info.key_width].iter().map(|column| column.name.clone()).collect();
        Ok(Some(Described { version: Some(info.version), columns: own.chain(hidden).collect(), key }))
    }

    fn pin(
        &self,
        wanted: &[(String, Option<u32>)],
        at_least: Position,
    ) -> Result<(Position, Box<dyn Pinned>), QueryError> {
        let names: Vec<(&str, Option<u32>)> =
            wanted.iter().map(|(name, version)| (name.as_str(), *version)).collect();
        let (position, frozen) =
            if names.is_empty() { (at_least, Vec::new()) } else { self.views.freeze(&names, at_least)? };
        let frozen = wanted.iter().cloned().zip(frozen).collect();
        Ok((position, Box::new(PinnedEntities { views: self.views.clone(), position, frozen })))
    }
}

/// The columns that are not part of `*`.
fn hidden(periods: Periods) -> Vec<(&'static str, ColumnType, Place)> {
    let mut columns = vec![
        ("_position", ColumnType::BigInt, Place::Position),
        ("_event_time", ColumnType::TimestampTz, Place::EventTime),
    ];
    if periods.system || periods.valid {
        columns.push(("_append_time", ColumnType::TimestampTz, Place::AppendTime));
    }
    if periods.system {
        columns.push(("_system_from", ColumnType::TimestampTz, Place::SystemFrom));
        columns.push(("_system_to", ColumnType::TimestampTz, Place::SystemTo));
    }
    if periods.valid {
        columns.push(("_valid_from", ColumnType::TimestampTz, Place::ValidFrom));
        columns.push(("_valid_to", ColumnType::TimestampTz, Place::ValidTo));
    }
    columns
}

impl Pinned for PinnedEntities {
    fn rows(&self, wanted: &Wanted) -> Result<Box<dyn Rows>, QueryError> {
        let info = self.views.entity(&wanted.name, wanted.version)?;
        let moment = &wanted.moment;
        let periods = Periods { system: moment.system_span.is_some(), valid: moment.valid_span.is_some() };
        let hidden = hidden(periods);
        let shape: Vec<(ColumnType, Place)> = wanted
            .columns
            .iter()
            .map(|&column| match info.columns.get(column) {
                Some(own) => (own.column_type, Place::Own(column)),
                None => {
                    let (_, column_type, place) = hidden[column - info.columns.len()];
                    (column_type, place)
                }
            })
            .collect();
        let key = wanted.key.clone().map(Key::of);
        // No row has a null key.
        if let Some(None) = key {
            return Ok(Box::new(Nothing));
        }
        let key = key.flatten();
        if periods.system && periods.valid {
            let what = "versions are over one axis: write AS OF for the other";
            return Err(QueryError::Invalid(what.to_owned()));
        }
        if periods.system || periods.valid {
            return Ok(Box::new(Steps::begin(self.views.clone(), info, moment.clone(), key, shape)));
        }
        let frozen = match self.kept(wanted) {
            Some(frozen) => frozen.clone(),
            None => self.views.rows(&wanted.name, wanted.version, key.as_ref(), as_of(moment))?.1,
        };
        Ok(Box::new(RowsAt { info, frozen, page: 0, key, shape }))
    }

    fn how(&self, wanted: &Wanted) -> Result<String, QueryError> {
        let moment = &wanted.moment;
        if moment.system_span.is_some() || moment.valid_span.is_some() {
            return Ok("every step folded from the first event".to_owned());
        }
        if self.kept(wanted).is_some() {
            return Ok("kept up to date".to_owned());
        }
        let key = wanted.key.clone().and_then(Key::of);
        let begins = self.views.begins_at(&wanted.name, wanted.version, key.as_ref(), as_of(moment))?;
        Ok(match begins {
            Some(position) => {
                let further = moment.position.0.saturating_sub(position.0);
                format!("folded from the snapshot at position {position}, {further} positions on")
            }
            None => "folded from the first event".to_owned(),
        })
    }
}

impl PinnedEntities {
    /// The rows that were frozen, if those are the ones that are wanted.
    fn kept(&self, wanted: &Wanted) -> Option<&Frozen> {
        let is_it = |name: &(String, Option<u32>)| *name == (wanted.name.clone(), wanted.version);
        let pinned = self.frozen.iter().find(|(name, _)| is_it(name));
        pinned.filter(|_| wanted.moment == Moment::at(self.position)).map(|(_, frozen)| frozen)
    }
}

fn as_of(moment: &Moment) -> recount_views::Moment {
    recount_views::Moment { position: Some(moment.position), valid_until: moment.valid_time }
}

/// No rows.
struct Nothing;

impl Rows for Nothing {
    fn next(&mut self) -> Result<Option<Vec<Column>>, QueryError> {
        Ok(None)
    }
}

/// The rows at a moment.
struct RowsAt {
    info: EntityInfo,
    frozen: Frozen,
    page: usize,
    key: Option<Key>,
    shape: Vec<(ColumnType, Place)>,
}

impl Rows for RowsAt {
    fn next(&mut self) -> Result<Option<Vec<Column>>, QueryError> {
        let mut columns = empty(&self.shape);
        while let Some(rows) = self.frozen.page(self.page) {
            self.page += 1;
            for (row, state) in rows {
                if self.key.as_ref().is_some_and(|key| row.key != *key) {
                    continue;
                }
                if let Some(stopped) = row.stopped {
                    return Err(stopped_error(
                        &self.info,
                        &row.key.to_key(),
                        stopped.position,
                        &stopped.reason,
                    ));
                }
                if row.present {
                    push_row(&mut columns, &self.shape, &row, state);
                }
            }
            if columns.first().is_some_and(|column| column.len() >= BATCH_ROWS) {
                return Ok(Some(columns));
            }
        }
        Ok((!columns.first().is_none_or(Column::is_empty)).then_some(columns))
    }
}

fn push_row(columns: &mut [Column], shape: &[(ColumnType, Place)], row: &Row<'_>, state: State<'_>) {
    let key = row.key.values().unwrap_or_default();
    for (column, (_, place)) in columns.iter_mut().zip(shape) {
        match place {
            Place::Own(at) => match key.get(*at) {
                Some(value) => column.push(value),
                None => column.push(&state.get(at - key.len())),
            },
            Place::Position => column.push(&Value::Integer(row.position as i64)),
            Place::EventTime => column.push(&Value::Integer(row.event_time)),
            _ => column.push(&Value::Null),
        }
    }
}

/// The versions of rows over time, made on a thread of their own that ends when nobody wants more.
struct Steps {
    batches: Receiver<Batch>,
}

impl Steps {
    fn begin(
        views: Views,
        info: EntityInfo,
        moment: Moment,
        key: Option<Key>,
        shape: Vec<(ColumnType, Place)>,
    ) -> Steps {
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        let maker = Maker {
            columns: empty(&shape),
            shape,
            last: HashMap::new(),
            system: moment.system_span,
            valid: moment.valid_span,
            info,
            open: true,
            sender,
        };
        let worker = views.clone();
        views.beside("recount-versions", move || maker.run(&worker, &moment, key.as_ref()));
        Steps { batches }
    }
}

impl Rows for Steps {
    fn next(&mut self) -> Result<Option<Vec<Column>>, QueryError> {
        self.batches.recv().unwrap_or_else(|_| Err(QueryError::Failed("the versions broke off".to_owned())))
    }
}

/// Some rows; `None` = there are no more.
type Batch = Result<Option<Vec<Column>>, QueryError>;

/// Makes batches of steps.
struct Maker {
    columns: Vec<Column>,
    shape: Vec<(ColumnType, Place)>,
    /// The last step of each key, of which it is not known yet when its version ends.
    last: HashMap<Key, (StepRow, i64)>,
    system: Option<Span>,
    valid: Option<Span>,
    info: EntityInfo,
    open: bool,
    sender: SyncSender<Batch>,
}

impl Maker {
    fn run(mut self, views: &Views, moment: &Moment, key: Option<&Key>) {
        let as_of = as_of(moment);
        let (name, version) = (self.info.name.as_str().to_owned(), Some(self.info.version));
        let system = self.system.is_some();
        let mut visit = |step: StepRow| self.step(step);
        let done = if system {
            views.versions(&name, version, key, as_of, &mut visit)
        } else {
            views.steps(&name, version, key, as_of, &mut visit)
        };
        self.end_all();
        let rest = std::mem::replace(&mut self.columns, empty(&self.shape));
        let last = match done {
            Err(error) => Err(error.into()),
            Ok(_) => Ok(Some(rest)),
        };
        // Nobody may want it any more.
        let _ = self.sender.send(last).and_then(|()| self.sender.send(Ok(None)));
    }

    fn step(&mut self, step: StepRow) {
        if !self.open {
            return;
        }
        if let Some(reason) = &step.reason {
            let error = stopped_error(&self.info, &step.key, step.position.0, reason);
            self.open = false;
            let _ = self.sender.send(Err(error));
            return;
        }
        // Steps seen in the fold's order come key by key; versions as recorded come across keys.
        if self.system.is_none() && !self.last.contains_key(&step.key) {
            self.end_all();
        }
        // As seen now, a version is true from the greatest event time that it has seen.
        let before = self.last.remove(&step.key);
        let from = before.as_ref().map_or(step.event_time.0, |(_, before)| step.event_time.0.max(*before));
        if let Some((last, valid_from)) = before {
            self.end_version(&last, valid_from, Some((&step, from)));
        }
        self.last.insert(step.key.clone(), (step, from));
        if self.columns.first().is_some_and(|column| column.len() >= BATCH_ROWS) {
            let full = std::mem::replace(&mut self.columns, empty(&self.shape));
            self.open = self.sender.send(Ok(Some(full))).is_ok();
        }
    }

    /// Ends what goes on, in the order in which it began.
    fn end_all(&mut self) {
        let mut open: Vec<(StepRow, i64)> = self.last.drain().map(|(_, last)| last).collect();
        open.sort_by_key(|(step, _)| step.position);
        for (step, valid_from) in open {
            self.end_version(&step, valid_from, None);
        }
    }

    /// Adds the version that a step made, now that it is known when it ends.
    fn end_version(&mut self, step: &StepRow, valid_from: i64, next: Option<(&StepRow, i64)>) {
        let Some(after) = &step.after else { return };
        let (system_from, system_to) = (step.append_time.0, next.map(|(next, _)| next.append_time.0));
        let valid_to = next.map(|(_, from)| from);
        let overlaps = |span: Option<Span>, from: i64, to: Option<i64>| {
            span.is_none_or(|span| {
                span.before.is_none_or(|before| from < before.0)
                    && span.from.is_none_or(|start| to.is_none_or(|to| to > start.0))
            })
        };
        if !overlaps(self.system, system_from, system_to) || !overlaps(self.valid, valid_from, valid_to) {
            return;
        }
        let key = step.key.values().unwrap_or_default();
        let time = |time: Option<i64>| time.map_or(Value::Null, Value::Integer);
        for (column, (_, place)) in self.columns.iter_mut().zip(&self.shape) {
            match place {
                Place::Own(at) => column.push(key.get(*at).unwrap_or_else(|| &after[at - key.len()])),
                Place::Position => column.push(&Value::Integer(step.position.0 as i64)),
                Place::EventTime => column.push(&Value::Integer(step.event_time.0)),
                Place::AppendTime | Place::SystemFrom => column.push(&Value::Integer(system_from)),
                Place::SystemTo => column.push(&time(system_to)),
                Place::ValidFrom => column.push(&Value::Integer(valid_from)),
                Place::ValidTo => column.push(&time(valid_to)),
            }
        }
    }
}

fn stopped_error(info: &EntityInfo, key: &Key, position: u64, reason: &str) -> QueryError {
    ViewError::Stopped {
        entity: info.name.to_string(),
        key: key_text(key, &info.columns[..info.key_width]),
        position,
        reason: reason.to_owned(),
    }
    .into()
}

fn empty(shape: &[(ColumnType, Place)]) -> Vec<Column> {
    shape.iter().map(|(column_type, _)| Column::new(form_of(*column_type))).collect()
}
