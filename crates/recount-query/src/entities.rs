//! Entities as relations: their rows at a moment or at each of many, and the steps of their folds over time.

use recount_entity::key::Key;
use recount_store::columns::form_of;
use recount_store::schema::ColumnType;
use recount_types::{Column, Position};
use recount_views::bind::RowColumn;
use recount_views::{EntityInfo, HeldRows, ViewError, Views, key_text};

use crate::error::QueryError;
use crate::moment::Moment;
use crate::relations::{Described, DescribedColumn, Given, Periods, Pinned, Relations, Rows, Wanted};

mod at_each;
mod rows_at;
mod steps;

use at_each::AtEach;
use rows_at::RowsAt;
use steps::{Over, Steps};

/// Rows in a batch.
const BATCH_ROWS: usize = 4096;

/// The entities of a database.
#[derive(Debug, Clone)]
pub struct Entities {
    views: Views,
}

/// Entities frozen at one position.
struct PinnedEntities {
    views: Views,
    position: Position,
    frozen: Vec<((String, Option<u32>), HeldRows)>,
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
    /// The time that is asked about.
    ValidAt,
}

impl Entities {
    /// The entities that `views` keeps.
    pub fn new(views: Views) -> Entities {
        Entities { views }
    }

    /// Entities that were frozen at a position.
    pub(crate) fn pinned(
        &self,
        position: Position,
        frozen: Vec<((String, Option<u32>), HeldRows)>,
    ) -> Box<dyn Pinned> {
        Box::new(PinnedEntities { views: self.views.clone(), position, frozen })
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
        Ok(Some(described(info.version, &info.columns, info.key_width, periods)))
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
        Ok((position, self.pinned(position, frozen)))
    }
}

/// What an entity is like whose rows have these columns, of which the first `key_width` are the key.
pub(crate) fn described(
    version: u32,
    columns: &[RowColumn],
    key_width: usize,
    periods: Periods,
) -> Described {
    let own = columns.iter().map(DescribedColumn::of);
    let hidden = hidden(periods).into_iter().map(|(name, column_type, _)| DescribedColumn {
        name: name.to_owned(),
        column_type,
        nullable: true,
        hidden: true,
    });
    let key = columns[..key_width].iter().map(|column| column.name.clone()).collect();
    Described { version: Some(version), columns: own.chain(hidden).collect(), key }
}

/// The columns that are not part of `*`.
fn hidden(periods: Periods) -> Vec<(&'static str, ColumnType, Place)> {
    let mut columns = vec![
        ("_position", ColumnType::BigInt, Place::Position),
        ("_event_time", ColumnType::TimestampTz, Place::EventTime),
    ];
    if periods.each {
        columns.push(("_valid_at", ColumnType::TimestampTz, Place::ValidAt));
    }
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
        let periods = Periods {
            system: moment.system_span.is_some(),
            valid: moment.valid_span.is_some(),
            each: moment.valid_each.is_some(),
        };
        let hidden = hidden(periods);
        // Rows are counted by one of their columns.
        let columns = if wanted.columns.is_empty() { &[0] } else { wanted.columns.as_slice() };
        let shape: Vec<(ColumnType, Place)> = columns
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
        if periods.system && (periods.valid || periods.each) {
            let what = "versions are over one axis: write AS OF for the other";
            return Err(QueryError::Invalid(what.to_owned()));
        }
        if periods.system || periods.valid {
            let over = Over { views: self.views.clone(), info, moment: moment.clone(), key };
            return Ok(Box::new(Steps::begin(over, shape, wanted.stopped)?));
        }
        if let Some(times) = &moment.valid_each {
            let (position, times) = (Some(moment.position), times.clone());
            let series = self.views.series(&wanted.name, wanted.version, key.as_ref(), position, times)?;
            return Ok(Box::new(AtEach::new(info, series, key, shape, wanted.stopped)));
        }
        let (name, version) = (wanted.name.as_str(), wanted.version);
        let (frozen, located) = match self.kept(wanted) {
            Some(frozen) => {
                let located = key.as_ref().and_then(|key| self.views.locate(name, version, key));
                (frozen.clone(), located)
            }
            None => (self.views.rows(name, version, key.as_ref(), as_of(moment))?.1, None),
        };
        Ok(Box::new(RowsAt::new(info, frozen, (key, located), shape, wanted.stopped)))
    }

    fn how(&self, wanted: &Wanted) -> Result<String, QueryError> {
        let moment = &wanted.moment;
        if self.kept(wanted).is_some() {
            return Ok("kept up to date".to_owned());
        }
        let key = wanted.key.clone().and_then(Key::of);
        let (name, version, key) = (wanted.name.as_str(), wanted.version, key.as_ref());
        if moment.system_span.is_some() || moment.valid_span.is_some() {
            let origin = self.views.origin_of_steps(name, version, key, as_of(moment))?;
            return Ok(format!("every step {origin}"));
        }
        let origin = match moment.valid_each {
            Some(_) => self.views.origin_of_steps(name, version, key, as_of(moment))?,
            None => self.views.origin(name, version, key, as_of(moment))?,
        };
        Ok(origin.to_string())
    }
}

impl PinnedEntities {
    /// The rows that were frozen, if those are the ones that are wanted.
    fn kept(&self, wanted: &Wanted) -> Option<&HeldRows> {
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
    fn next(&mut self) -> Result<Option<Given>, QueryError> {
        Ok(None)
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
