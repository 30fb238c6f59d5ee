//! The rows of an entity at a moment.

use recount_entity::key::{Key, KeyRef};
use recount_entity::table::{Located, Row, Slot, State};
use recount_store::schema::ColumnType;
use recount_types::{Column, Value};
use recount_views::{EntityInfo, HeldRows};

use super::{BATCH_ROWS, Place, empty, stopped_error};
use crate::error::QueryError;
use crate::left_out::{LeftOut, of_events};
use crate::relations::{Given, Rows};
use crate::settings::Stopped;

/// The rows at a moment.
pub(super) struct RowsAt {
    info: EntityInfo,
    frozen: HeldRows,
    next: Next,
    key: Option<Key>,
    shape: Vec<(ColumnType, Place)>,
    /// The keys that stopped, if they are left out.
    left_out: Option<LeftOut>,
}

/// Which rows come next.
enum Next {
    /// Those of this page, then those behind it.
    Page(usize),
    /// One.
    Row(Slot),
    Nothing,
}

impl RowsAt {
    /// All rows, or one key's. `located` is where that is, if it is known.
    pub(super) fn new(
        info: EntityInfo,
        frozen: HeldRows,
        (key, located): (Option<Key>, Option<Located>),
        shape: Vec<(ColumnType, Place)>,
        stopped: Stopped,
    ) -> RowsAt {
        let next = match located.and_then(|located| frozen.slot(&located)) {
            Some(Some(slot)) => Next::Row(slot),
            Some(None) => Next::Nothing,
            None => Next::Page(0),
        };
        let mut rows = RowsAt { info, frozen, next, key, shape, left_out: None };
        if stopped == Stopped::Skip {
            rows.left_out = Some(rows.all_left_out());
        }
        rows
    }

    /// The keys that stopped, of those that are wanted.
    fn all_left_out(&self) -> LeftOut {
        let mut left_out = LeftOut::default();
        let mut add = |row: Row<'_>| {
            if let Some(stopped) = row.stopped.filter(|_| self.is_wanted(&row.key)) {
                left_out.add(&self.info, &row.key.to_key(), stopped.position);
            }
        };
        match self.next {
            Next::Page(_) => self.frozen.rows().for_each(|(row, _)| add(row)),
            Next::Row(slot) => self.frozen.at(slot).into_iter().for_each(|(row, _)| add(row)),
            Next::Nothing => {}
        }
        left_out
    }

    fn is_wanted(&self, key: &KeyRef<'_>) -> bool {
        self.key.as_ref().is_none_or(|wanted| *key == *wanted)
    }

    /// Adds a row, if it is wanted.
    fn push(&self, columns: &mut [Column], row: &Row<'_>, state: State<'_>) -> Result<(), QueryError> {
        if !self.is_wanted(&row.key) {
            return Ok(());
        }
        match row.stopped {
            Some(_) if self.left_out.is_some() => {}
            Some(stopped) => {
                let key = row.key.to_key();
                return Err(stopped_error(&self.info, &key, stopped.position, &stopped.reason));
            }
            None if row.present => push_row(columns, &self.shape, row, state),
            None => {}
        }
        Ok(())
    }
}

impl Rows for RowsAt {
    fn notices(&self) -> Vec<String> {
        let keys = self.left_out.as_ref().and_then(|left_out| left_out.notice(&self.info));
        keys.into_iter().chain(of_events(&self.info, self.frozen.unfit())).collect()
    }

    fn next(&mut self) -> Result<Option<Given>, QueryError> {
        let mut columns = empty(&self.shape);
        while let Next::Page(page) = self.next {
            let Some(rows) = self.frozen.page(page) else { break };
            self.next = Next::Page(page + 1);
            for (row, state) in rows {
                self.push(&mut columns, &row, state)?;
            }
            if columns.first().is_some_and(|column| column.len() >= BATCH_ROWS) {
                return Ok(Some(Given::Columns(columns)));
            }
        }
        if let Next::Row(slot) = self.next {
            self.next = Next::Nothing;
            if let Some((row, state)) = self.frozen.at(slot) {
                self.push(&mut columns, &row, state)?;
            }
        }
        Ok((!columns.first().is_none_or(Column::is_empty)).then_some(Given::Columns(columns)))
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
