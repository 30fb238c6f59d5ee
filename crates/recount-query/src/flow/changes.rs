//! The changes of a topic: every event is a row that came with its append.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::datatypes::SchemaRef;
use recount_env::block_on;
use recount_flow::delta::Delta;
use recount_store::columns::ColumnDecoder;
use recount_store::{EventCursor, From, ReadRequest, Scope};
use recount_types::Position;
use recount_views::ViewError;
use recount_views::view;

use crate::error::QueryError;
use crate::scan::{Scan, Source};
use crate::topic::{TopicRows, TopicScan};

/// See the module.
pub(super) struct TopicChanges {
    scan: Arc<TopicScan>,
    schema: SchemaRef,
    cursor: Option<EventCursor>,
    decoder: Option<ColumnDecoder>,
    /// The positions that are read: behind the first, up to the last.
    after: u64,
    until: u64,
    /// The last one of the piece that the cursor is for.
    last: u64,
    /// Where the next piece begins of what several read.
    pieces: Option<Arc<AtomicU64>>,
    /// The appends of events that do not fit and were read since it last ended.
    misfits: Vec<u64>,
    unfit: u64,
}

/// As many are read at a time, at most.
const MISFITS_MAX: usize = 8192;
/// Positions of a piece.
const PIECE: u64 = 1 << 16;

impl TopicChanges {
    /// Some columns of a topic, by their places in its schema; `None` = all.
    pub(super) fn new(source: Arc<Source>, columns: Option<Vec<usize>>) -> Result<TopicChanges, QueryError> {
        let failed = |error| QueryError::from_datafusion(error, 0);
        let scan = Scan::of(source, columns).map_err(failed)?;
        let scan = scan.topic_scan();
        let scan = scan.ok_or_else(|| QueryError::Invalid("a view reads topics".to_owned()))?;
        Ok(TopicChanges::of(Arc::new(scan)))
    }

    fn of(scan: Arc<TopicScan>) -> TopicChanges {
        let (schema, cursor, pieces, misfits) = (scan.schema.clone(), None, None, Vec::new());
        TopicChanges {
            scan,
            schema,
            cursor,
            decoder: None,
            after: 0,
            until: 0,
            last: 0,
            pieces,
            misfits,
            unfit: 0,
        }
    }

    /// Opens a cursor for the positions in (`after`, `last`].
    fn open(&mut self, after: u64, last: u64) -> Result<(), ViewError> {
        let from = From::After(Position(after));
        let scope = Scope::Topic(self.scan.topic.name.clone());
        let request = ReadRequest { from, as_of: Position(self.until), ..ReadRequest::all(scope) };
        self.cursor = Some(block_on(self.scan.store.read(request))?);
        self.last = last;
        Ok(())
    }

    /// Begins the next piece, if several read and there is one left.
    fn next_piece(&mut self) -> Result<(), ViewError> {
        let after = self.pieces.as_ref().map(|pieces| pieces.fetch_add(PIECE, Ordering::Relaxed));
        match after.filter(|after| *after < self.until) {
            Some(after) => self.open(after, self.until.min(after + PIECE)),
            None => {
                self.cursor = None;
                Ok(())
            }
        }
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
        (self.after, self.until, self.pieces) = (after, until, None);
        self.open(after, until)
    }

    fn helpers(&mut self, most: usize) -> Result<Vec<Box<dyn view::Source>>, ViewError> {
        let helpers = most.min(((self.until - self.after) / PIECE) as usize);
        if helpers == 0 {
            return Ok(Vec::new());
        }
        let pieces = Arc::new(AtomicU64::new(self.after));
        let helper = |_| {
            let of = TopicChanges::of(self.scan.clone());
            let of = TopicChanges { until: self.until, pieces: Some(pieces.clone()), ..of };
            Box::new(of) as Box<dyn view::Source>
        };
        let helpers = (0..helpers).map(helper).collect();
        (self.cursor, self.pieces) = (None, Some(pieces));
        Ok(helpers)
    }

    fn take_back(&mut self, helper: Box<dyn view::Source>) {
        self.unfit += helper.unfit();
    }

    fn next(&mut self) -> Result<Option<Delta>, ViewError> {
        if self.cursor.is_none() {
            self.next_piece()?;
        }
        let scan = self.scan.clone();
        let mut rows = TopicRows::with(&scan, self.decoder.take());
        let mut stamps = Vec::new();
        while !rows.is_full() && self.misfits.len() < MISFITS_MAX {
            let Some(cursor) = &mut self.cursor else { break };
            let Some(event) = cursor.take()? else {
                if !block_on(cursor.load())? {
                    // No piece that is left has any.
                    (self.cursor, self.pieces) = (None, None);
                }
                continue;
            };
            if event.position.0 > self.last {
                // It is of a later piece, and comes again there.
                self.next_piece()?;
                continue;
            }
            let stamp = event.append_end.0;
            if rows.push(&event).map_err(of_query)? {
                stamps.push(stamp);
            } else {
                self.misfits.push(stamp);
            }
        }
        if self.cursor.is_none() && stamps.is_empty() {
            return Ok(None);
        }
        let batch = rows.batch(&self.schema).map_err(of_query)?;
        self.decoder = Some(rows.into_decoder());
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
