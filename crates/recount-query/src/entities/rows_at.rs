//! The rows of an entity at a moment.

use recount_entity::key::{Key, KeyRef};
use recount_entity::table::{Row, State};
use recount_store::schema::ColumnType;
use recount_types::{Column, Value};
use recount_views::{EntityInfo, HeldRows};

use super::{BATCH_ROWS, Place, empty, stopped_error};
use crate::error::QueryError;
use crate::left_out::LeftOut;
use crate::relations::Rows;
use crate::settings::Stopped;

/// The rows at a moment.
pub(super) struct RowsAt {
    info: EntityInfo,
    frozen: HeldRows,
    page: usize,
    key: Option<Key>,
    shape: Vec<(ColumnType, Place)>,
    /// The keys that stopped, if they are left out.
    left_out: Option<LeftOut>,
}

impl RowsAt {
    pub(super) fn new(
        info: EntityInfo,
        frozen: HeldRows,
        key: Option<Key>,
        shape: Vec<(ColumnType, Place)>,
        stopped: Stopped,
    ) -> RowsAt {
        let mut rows = RowsAt { info, frozen, page: 0, key, shape, left_out: None };
        if stopped == Stopped::Skip {
            let mut left_out = LeftOut::default();
            for (row, _) in rows.frozen.rows() {
                if let Some(stopped) = row.stopped.filter(|_| rows.is_wanted(&row.key)) {
                    left_out.add(&rows.info, &row.key.to_key(), stopped.position);
                }
            }
            rows.left_out = Some(left_out);
        }
        rows
    }

    fn is_wanted(&self, key: &KeyRef<'_>) -> bool {
        self.key.as_ref().is_none_or(|wanted| *key == *wanted)
    }
}

impl Rows for RowsAt {
    fn notice(&self) -> Option<String> {
        self.left_out.as_ref().and_then(|left_out| left_out.notice(&self.info))
    }

    fn next(&mut self) -> Result<Option<Vec<Column>>, QueryError> {
        let mut columns = empty(&self.shape);
        while let Some(rows) = self.frozen.page(self.page) {
            self.page += 1;
            for (row, state) in rows {
                if !self.is_wanted(&row.key) {
                    continue;
                }
                if let Some(stopped) = row.stopped {
                    if self.left_out.is_some() {
                        continue;
                    }
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
