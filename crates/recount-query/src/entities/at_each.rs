//! The rows of an entity at each of many times.

use recount_entity::key::Key;
use recount_store::schema::ColumnType;
use recount_types::{Column, Value};
use recount_views::{EntityInfo, Point, Series};

use super::{BATCH_ROWS, Place, empty, stopped_error};
use crate::error::QueryError;
use crate::left_out::{LeftOut, of_events};
use crate::relations::{Given, Rows};
use crate::settings::Stopped;

/// The rows, key by key, each at one time after the other.
pub(super) struct AtEach {
    info: EntityInfo,
    series: Series,
    /// The number of the next key.
    next: usize,
    key: Option<Key>,
    shape: Vec<(ColumnType, Place)>,
    /// The keys that stopped at one of the times, if they are left out there.
    left_out: Option<LeftOut>,
}

impl AtEach {
    pub(super) fn new(
        info: EntityInfo,
        series: Series,
        key: Option<Key>,
        shape: Vec<(ColumnType, Place)>,
        stopped: Stopped,
    ) -> AtEach {
        let mut rows = AtEach { info, series, next: 0, key, shape, left_out: None };
        if stopped == Stopped::Skip {
            let mut left_out = LeftOut::default();
            for (key, points) in rows.series.keys() {
                let stopped = points.iter().find_map(|point| point.stopped.as_ref());
                if let Some(stopped) = stopped.filter(|_| rows.is_wanted(key)) {
                    left_out.add(&rows.info, key, stopped.position);
                }
            }
            rows.left_out = Some(left_out);
        }
        rows
    }

    fn is_wanted(&self, key: &Key) -> bool {
        self.key.as_ref().is_none_or(|wanted| wanted == key)
    }
}

impl Rows for AtEach {
    fn notices(&self) -> Vec<String> {
        let keys = self.left_out.as_ref().and_then(|left_out| left_out.notice(&self.info));
        keys.into_iter().chain(of_events(&self.info, self.series.unfit())).collect()
    }

    fn next(&mut self) -> Result<Option<Given>, QueryError> {
        let mut columns = empty(&self.shape);
        while let Some((key, points)) = self.series.keys().get(self.next) {
            self.next += 1;
            if self.is_wanted(key) {
                self.push(&mut columns, key, points)?;
            }
            if columns.first().is_some_and(|column| column.len() >= BATCH_ROWS) {
                return Ok(Some(Given::Columns(columns)));
            }
        }
        Ok((!columns.first().is_none_or(Column::is_empty)).then_some(Given::Columns(columns)))
    }
}

impl AtEach {
    /// Adds the rows of one key.
    fn push(&self, columns: &mut [Column], key: &Key, points: &[Point]) -> Result<(), QueryError> {
        let values = key.values().unwrap_or_default();
        let times = self.series.times();
        for (number, point) in points.iter().enumerate() {
            let until = points.get(number + 1).map_or(times.len(), |next| next.from);
            for &asked in &times[point.from..until] {
                match &point.stopped {
                    Some(_) if self.left_out.is_some() => {}
                    Some(stopped) => {
                        return Err(stopped_error(&self.info, key, stopped.position, &stopped.reason));
                    }
                    None if point.present => push_point(columns, &self.shape, &values, point, asked),
                    None => {}
                }
            }
        }
        Ok(())
    }
}

fn push_point(
    columns: &mut [Column],
    shape: &[(ColumnType, Place)],
    key: &[Value<'_>],
    point: &Point,
    asked: i64,
) {
    for (column, (_, place)) in columns.iter_mut().zip(shape) {
        match place {
            Place::Own(at) => column.push(key.get(*at).unwrap_or_else(|| &point.state[at - key.len()])),
            Place::Position => column.push(&Value::Integer(point.position as i64)),
            Place::EventTime => column.push(&Value::Integer(point.event_time)),
            Place::ValidAt => column.push(&Value::Integer(asked)),
            _ => column.push(&Value::Null),
        }
    }
}
