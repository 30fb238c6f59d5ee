//! The scan of a topic: events out of the store, their payloads into columns. Does file I/O on the calling thread.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use recount_store::columns::ColumnDecoder;
use recount_store::schema::OnError;
use recount_store::{EventView, Extent, From, QueryItem, ReadRequest, Scope, Store, TopicInfo};
use recount_types::{Column, Position};

use crate::answer::Notices;
use crate::arrays;
use crate::error::QueryError;
use crate::moment::Moment;
use crate::narrow::Narrow;
use crate::plan::BATCH_ROWS;
use crate::pseudo::{Pseudo, PseudoBuilder};
use crate::relation::{Shown, errors_of, in_sql};

/// Most bytes of payloads behind one batch.
const BATCH_BYTES: usize = 4 << 20;

/// What is to be scanned.
#[derive(Debug)]
pub(crate) struct TopicScan {
    pub(crate) store: Store,
    pub(crate) topic: TopicInfo,
    pub(crate) shown: Shown,
    pub(crate) moment: Moment,
    pub(crate) narrow: Narrow,
    pub(crate) columns: Vec<TopicColumn>,
    pub(crate) schema: SchemaRef,
    pub(crate) limit: Option<usize>,
    pub(crate) notices: Notices,
    pub(crate) misfit: Misfit,
}

/// A column of the scan.
#[derive(Debug, Clone)]
pub(crate) enum TopicColumn {
    /// Out of the payload.
    Declared(String),
    /// Beside it.
    Pseudo(Pseudo),
}

impl TopicScan {
    /// Hands batch after batch to `give`, until it says that nobody wants more. `wanted` says so in between.
    pub(crate) fn run(
        self,
        wanted: impl Fn() -> bool,
        mut give: impl FnMut(RecordBatch) -> bool,
    ) -> Result<(), QueryError> {
        recount_env::block_on(async {
            let mut rows = TopicRows::new(&self);
            let mut left = self.limit.unwrap_or(usize::MAX);
            let mut cursor = self.store.read(request(&self.topic, &self.moment, &self.narrow)).await?;
            while left > 0 && wanted() {
                let Some(event) = cursor.take()? else {
                    if cursor.load().await? {
                        continue;
                    }
                    break;
                };
                let before = self.moment.system_span.and_then(|span| span.before);
                if self.narrow.last.is_some_and(|last| event.position.0 > last)
                    || before.is_some_and(|before| event.append_time >= before)
                {
                    // Later positions were appended later.
                    break;
                }
                if !is_of(&self.moment, &event) || !rows.push(&event)? {
                    continue;
                }
                left -= 1;
                if rows.is_full() && !give(rows.batch(&self.schema)?) {
                    return Ok(());
                }
            }
            if rows.count > 0 {
                give(rows.batch(&self.schema)?);
            }
            if rows.misfits > 0 {
                let name = &self.topic.name;
                let what = match rows.misfits {
                    1 => format!("1 event of {name} does not fit its columns and is left out"),
                    count => format!("{count} events of {name} do not fit its columns and are left out"),
                };
                self.notices.add(format!("{what}: see {}", in_sql(&errors_of(name.as_str()))));
            }
            Ok(())
        })
    }
}

impl TopicScan {
    /// How much it goes through.
    pub(crate) fn extent(&self) -> Result<Extent, QueryError> {
        let request = request(&self.topic, &self.moment, &self.narrow);
        let last = self.narrow.last.map_or(Position::MAX, Position);
        let mut extent = recount_env::block_on(self.store.extent(&request, last))?;
        // It ends at the first event that was appended later.
        extent.exact &= self.moment.system_span.is_none_or(|span| span.before.is_none());
        Ok(extent)
    }
}

/// What the store is asked for.
pub(crate) fn request(topic: &TopicInfo, moment: &Moment, narrow: &Narrow) -> ReadRequest {
    let scope = match &narrow.stream {
        Some(stream) => Scope::Stream(stream.clone()),
        None => Scope::Topic(topic.name.clone()),
    };
    let since = narrow.since.max(moment.system_span.and_then(|span| span.from));
    let from = match (narrow.first, since) {
        (Some(first), _) => From::Position(Position(first)),
        (None, Some(since)) => From::Time(since),
        (None, None) => From::Start,
    };
    let mut filter = Vec::new();
    if narrow.types.is_some() || !narrow.tags.is_empty() {
        let types = narrow.types.clone().unwrap_or_default();
        filter.push(QueryItem { types, tags: narrow.tags.clone() });
    }
    ReadRequest { from, filter, as_of: moment.position, ..ReadRequest::all(scope) }
}

/// Whether an event that is recorded belongs to the moment.
fn is_of(moment: &Moment, event: &EventView<'_>) -> bool {
    moment.valid_time.is_none_or(|time| event.event_time <= time)
        && moment.valid_span.is_none_or(|span| span.contains(event.event_time))
        && moment.system_span.is_none_or(|span| span.contains(event.append_time))
}

/// What becomes of an event that does not fit its topic's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The read fails, unless the topic keeps such events.
    Fail,
    /// It is left out and counted.
    LeaveOut,
}

/// Rows as they are collected.
pub(crate) struct TopicRows<'a> {
    scan: &'a TopicScan,
    decoder: ColumnDecoder,
    /// Empty before the first row, and after a batch.
    decoded: Vec<Column>,
    /// For each column of the scan: the decoded one, or the builder of a pseudo-column.
    places: Vec<Result<usize, PseudoBuilder>>,
    count: usize,
    bytes: usize,
    /// Events that were left out because they do not fit.
    pub(crate) misfits: u64,
}

impl TopicRows<'_> {
    pub(crate) fn new(scan: &TopicScan) -> TopicRows<'_> {
        TopicRows::with(scan, None)
    }

    /// The same with the decoder of others of the same scan.
    pub(crate) fn with(scan: &TopicScan, decoder: Option<ColumnDecoder>) -> TopicRows<'_> {
        let mut names: Vec<&str> = Vec::new();
        let mut places = Vec::new();
        for column in &scan.columns {
            places.push(match column {
                TopicColumn::Declared(name) => {
                    names.push(name);
                    Ok(names.len() - 1)
                }
                TopicColumn::Pseudo(pseudo) => Err(PseudoBuilder::new(*pseudo)),
            });
        }
        let declared = recount_store::columns::columns_of(&scan.topic.definition);
        if scan.topic.definition.on_error == OnError::Keep || scan.shown == Shown::Misfits {
            // Whether an event fits must not depend on which columns are read.
            let others = declared.iter().map(|(name, ..)| name.as_str());
            let others: Vec<&str> = others.filter(|name| !names.contains(name)).collect();
            names.extend(others);
        }
        let decoder = decoder.unwrap_or_else(|| ColumnDecoder::new(&scan.topic.definition, &names));
        TopicRows { scan, decoder, decoded: Vec::new(), places, count: 0, bytes: 0, misfits: 0 }
    }

    /// Adds an event; false if it is not one of those that are shown.
    pub(crate) fn push(&mut self, event: &EventView<'_>) -> Result<bool, QueryError> {
        let Some(error) = self.decode(event.position, event.event_type, event.payload)? else {
            return Ok(false);
        };
        for place in &mut self.places {
            if let Err(builder) = place {
                builder.push(event, &error);
            }
        }
        Ok(true)
    }

    /// Adds what a payload says, or nulls and why it does not fit; none if such an event is not shown.
    fn decode(
        &mut self,
        position: Position,
        event_type: Option<&str>,
        payload: &[u8],
    ) -> Result<Option<String>, QueryError> {
        if self.decoded.is_empty() {
            self.decoded = self.decoder.empty();
        }
        let decoded = self.decoder.decode(event_type, payload, &mut self.decoded);
        let error = match (decoded, self.scan.shown) {
            (Ok(()), Shown::Fitting) => String::new(),
            (Ok(()), Shown::Misfits) => {
                self.decoded.iter_mut().for_each(Column::clear);
                return Ok(None);
            }
            (Err(what), Shown::Misfits) => what.to_string(),
            (Err(what), Shown::Fitting) => {
                let name = &self.scan.topic.name;
                let is_kept = self.scan.topic.definition.on_error == OnError::Keep;
                if is_kept || self.scan.misfit == Misfit::LeaveOut {
                    self.misfits += 1;
                    return Ok(None);
                }
                return Err(QueryError::Failed(format!(
                    "the event at position {position} does not fit the columns of {name}: {what}. All such events: {}",
                    in_sql(&errors_of(name.as_str()))
                )));
            }
        };
        self.count += 1;
        self.bytes += payload.len();
        Ok(Some(error))
    }

    /// The decoder, for others.
    pub(crate) fn into_decoder(self) -> ColumnDecoder {
        self.decoder
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count == BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    /// The rows so far; none are left.
    pub(crate) fn batch(&mut self, schema: &SchemaRef) -> Result<RecordBatch, QueryError> {
        if self.decoded.is_empty() {
            self.decoded = self.decoder.empty();
        }
        let decoded = std::mem::take(&mut self.decoded);
        self.decoder.filled(&decoded);
        let mut decoded: Vec<Option<Column>> = decoded.into_iter().map(Some).collect();
        let types = self.decoder.types();
        let arrays: Result<Vec<ArrayRef>, _> = self
            .places
            .iter_mut()
            .map(|place| match place {
                Ok(place) => match decoded[*place].take() {
                    Some(column) => arrays::array(column, types[*place]),
                    None => unreachable!("each column is read once"),
                },
                Err(builder) => Ok(builder.finish()),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        (self.count, self.bytes) = (0, 0);
        arrays
            .and_then(|arrays| RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options))
            .map_err(|error| QueryError::Failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use recount_env::{block_on, memory::memory_env};
    use recount_store::OpenOptions;

    use super::*;
    use crate::plan;

    /// Pushes payloads as rows of `count(*)`; no front can store what does not fit yet.
    fn push(on_error: &str, payloads: &[&'static str]) -> String {
        let open = Store::open(memory_env(), std::path::Path::new("/db"), OpenOptions::default());
        let store = block_on(open).unwrap();
        let sql = format!("CREATE TOPIC t (n BIGINT NOT NULL, s TEXT) ON ERROR {on_error}");
        block_on(store.execute(&sql)).unwrap();
        let topic = store.topic("t").unwrap();
        let scan = TopicScan {
            moment: Moment::at(store.head()),
            narrow: Narrow::default(),
            columns: Vec::new(),
            schema: Arc::new(datafusion::arrow::datatypes::Schema::empty()),
            limit: None,
            notices: Notices::default(),
            misfit: Misfit::Fail,
            topic: topic.clone(),
            shown: Shown::Fitting,
            store,
        };
        let mut rows = TopicRows::new(&scan);
        let pushed =
            payloads.iter().map(|payload| match rows.decode(Position(7), None, payload.as_bytes()) {
                Ok(error) => format!("{}", error.is_some()),
                Err(error) => error.to_string(),
            });
        let shown = pushed.collect::<Vec<_>>().join("\n");
        let batch = rows.batch(&scan.schema).unwrap();
        assert!(batch.num_rows() <= plan::BATCH_ROWS);
        format!("{shown}\n{} rows, {} left out\n", batch.num_rows(), rows.misfits)
    }

    #[test]
    fn what_does_not_fit_is_left_out_of_topics_that_keep_it_whatever_is_read() {
        let payloads = [r#"{"n": 1}"#, r#"{"s": "a"}"#, "no json", r#"{"n": 1, "s": 2}"#];
        expect![[r#"
            true
            false
            false
            false
            1 rows, 3 left out
        "#]]
        .assert_eq(&push("KEEP", &payloads));
        // Elsewhere nothing is stored that does not fit: what is not read is not looked at again.
        expect![[r#"
            true
            true
            2 rows, 0 left out
        "#]]
        .assert_eq(&push("REFUSE", &payloads[..2]));
    }
}
