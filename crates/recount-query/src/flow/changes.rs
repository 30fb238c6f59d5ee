//! The changes of a topic: every event is a row that came with its append.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use recount_env::block_on;
use recount_flow::delta::Delta;
use recount_store::{EventCursor, From, ReadRequest, Scope};
use recount_types::Position;
use recount_views::ViewError;
use recount_views::view;

use crate::error::QueryError;
use crate::scan::{Scan, Source};
use crate::topic::{Misfit, TopicRows, TopicScan};

/// See the module.
pub(super) struct TopicChanges {
    scan: TopicScan,
    schema: SchemaRef,
    cursor: Option<EventCursor>,
    /// The appends of events that do not fit and were read since it last ended.
    misfits: Vec<u64>,
    unfit: u64,
}

/// As many are read at a time, at most.
const MISFITS_MAX: usize = 8192;

impl TopicChanges {
    /// Some columns of a topic, by their places in its schema; `None` = all.
    pub(super) fn new(source: Arc<Source>, columns: Option<Vec<usize>>) -> Result<TopicChanges, QueryError> {
        let failed = |error| QueryError::from_datafusion(error, 0);
        let scan = Scan::of(source, columns).map_err(failed)?;
        let scan = scan.topic_scan();
        let scan = scan.ok_or_else(|| QueryError::Invalid("a view reads topics".to_owned()))?;
        Ok(TopicChanges { schema: scan.schema.clone(), scan, cursor: None, misfits: Vec::new(), unfit: 0 })
    }
}

impl std::fmt::Debug for TopicChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicChanges").field("topic", &self.scan.topic.name).finish_non_exhaustive()
    }
}

impl view::Source for TopicChanges {
    fn name(&self) -> String {
        let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        format!("topic {}: {}", self.scan.topic.name, columns.join(", "))
    }

    fn resume(&mut self, _: u64) -> Result<bool, ViewError> {
        Ok(true)
    }

    fn left_out(&mut self, unfit: u64) {
        self.unfit = unfit;
    }

    fn begin(&mut self, after: u64, until: u64) -> Result<(), ViewError> {
        self.misfits.clear();
        let name = &self.scan.topic.name;
        if self.scan.store.topic(name.as_str()).is_none_or(|topic| topic.id != self.scan.topic.id) {
            return Err(ViewError::NotFound(format!("topic {name} is another one now")));
        }
        let scope = Scope::Topic(name.clone());
        let from = From::After(Position(after));
        let request = ReadRequest { from, as_of: Position(until), ..ReadRequest::all(scope) };
        self.cursor = Some(block_on(self.scan.store.read(request))?);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Delta>, ViewError> {
        let Some(cursor) = &mut self.cursor else { return Ok(None) };
        let mut rows = TopicRows::new(&self.scan, Misfit::LeaveOut);
        let mut stamps = Vec::new();
        let mut ends = false;
        while !rows.is_full() && self.misfits.len() < MISFITS_MAX {
            let Some(event) = cursor.take()? else {
                if block_on(cursor.load())? {
                    continue;
                }
                ends = true;
                break;
            };
            let stamp = event.append_end.0;
            if rows.push(&event).map_err(of_query)? {
                stamps.push(stamp);
            } else {
                self.misfits.push(stamp);
            }
        }
        if ends && stamps.is_empty() {
            self.cursor = None;
            return Ok(None);
        }
        let batch = rows.batch(&self.schema).map_err(of_query)?;
        Ok(Some(Delta { columns: batch.columns().to_vec(), weights: vec![1; stamps.len()], stamps }))
    }

    fn end(&mut self, until: u64) -> Result<(), ViewError> {
        self.unfit += self.misfits.drain(..).filter(|&stamp| stamp <= until).count() as u64;
        Ok(())
    }

    fn unfit(&self) -> u64 {
        self.unfit
    }
}

fn of_query(error: QueryError) -> ViewError {
    match error {
        QueryError::Read(error) => ViewError::Read(error),
        other => ViewError::BadRequest(other.to_string()),
    }
}
