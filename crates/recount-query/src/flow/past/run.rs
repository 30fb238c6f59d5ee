//! A circuit run over the past, on a thread that may block.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::iter::repeat_n;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use recount_env::block_on;
use recount_flow::circuit::{Circuit, Stepped};
use recount_flow::codec::Damaged;
use recount_flow::delta::Delta;
use recount_flow::layout::RowLayout;
use recount_flow::operator::FlowError;
use recount_flow::relation::Relation;
use recount_types::Time;
use recount_views::ViewError;
use tokio::runtime::Handle;

use super::feed::{ALWAYS, Stream, stamp, time};
use super::versions::{Changes, Version, Versions};
use super::{Asked, Axis, Of, Reads};
use crate::arrays::UTC;
use crate::error::QueryError;
use crate::kept;
use crate::relation::in_sql;

/// Versions given at a time, at least, if there are so many.
const BATCH_ROWS: usize = 4096;
/// A failure that is told, beside its reason.
const REASON_BYTES: usize = 64;

/// Hands a batch on; false if nobody wants more.
type Give<'a> = dyn Fn(RecordBatch) -> bool + 'a;

/// See the module.
pub(super) struct Run<'a> {
    of: &'a Of,
    circuit: Circuit,
    streams: Vec<Stream>,
    layout: RowLayout,
    memory: MemoryReservation,
    /// Where and why rows and groups cannot be computed, and how many.
    failures: BTreeMap<(usize, String), i64>,
    /// The first of them that there ever was, and how many.
    failed: Option<(String, u64)>,
    reason_bytes: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        of: &'a Of,
        circuit: Circuit,
        streams: Vec<(SendableRecordBatchStream, Reads)>,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<Run<'a>> {
        let types: Vec<DataType> = of.rows.fields().iter().map(|field| field.data_type().clone()).collect();
        let layout = RowLayout::new(&types, &[]);
        let layout =
            layout.map_err(|of| QueryError::Invalid(format!("rows with a column of {of} are not kept")))?;
        let runtime = Handle::current();
        let stream = |(rows, reads)| Stream::new(rows, reads, runtime.clone());
        let streams = streams.into_iter().map(stream).collect();
        let memory = MemoryConsumer::new("a view's past").register(pool);
        Ok(Run {
            of,
            circuit,
            streams,
            layout,
            memory,
            failures: BTreeMap::new(),
            failed: None,
            reason_bytes: 0,
        })
    }

    pub(super) fn run(mut self, give: &Give<'_>) -> Result<()> {
        match &self.of.asked {
            Asked::Rows => {
                let rows = self.at_once()?;
                self.tell_failures();
                self.give_rows(&rows, None, give).map(drop)
            }
            Asked::Errors => {
                self.at_once()?;
                self.give_errors(give)
            }
            Asked::Versions(axis, span) => self.versions(*axis, Versions::new(*span), give),
            Asked::Each(times) => self.each(times, give),
        }
    }

    /// The rows when everything has come.
    fn at_once(&mut self) -> Result<Relation> {
        let mut rows = Relation::new(self.layout.clone());
        for source in 0..self.streams.len() {
            while let Some(delta) = self.streams[source].at_once(ALWAYS)? {
                let mut changes = vec![Vec::new(); self.streams.len()];
                changes[source].push(delta);
                self.step(changes, (ALWAYS, false), &mut |run, stepped| run.add(stepped, &mut rows))?;
            }
        }
        let nothing = vec![Vec::new(); self.streams.len()];
        self.step(nothing, (ALWAYS, true), &mut |run, stepped| run.add(stepped, &mut rows))?;
        if rows.is_negative() { Err(flow(FlowError::Negative)) } else { Ok(rows) }
    }

    /// The versions of rows, a moment at a time.
    fn versions(mut self, axis: Axis, mut versions: Versions, give: &Give<'_>) -> Result<()> {
        let mut next = Some(ALWAYS);
        while let Some(stamp) = next {
            let changes = self.streams.iter_mut().map(|stream| stream.take(stamp)).collect::<Result<_>>()?;
            let mut of_stamp = Changes::new();
            self.step(changes, (stamp, true), &mut |run, stepped| {
                for delta in run.without_failures(stepped) {
                    let bytes = run.layout.encode(&delta.columns, delta.len());
                    for (row, weight) in bytes.iter().zip(&delta.weights) {
                        *of_stamp.entry(row.into()).or_default() += weight;
                    }
                }
                versions.bytes()
            })?;
            versions.step(of_stamp, stamp).map_err(flow)?;
            if versions.ended() >= BATCH_ROWS && !self.give_versions(&versions.take_ended(), axis, give)? {
                return Ok(());
            }
            next = self.next_stamp()?;
        }
        self.tell_failed();
        let ended = versions.take_ended();
        let mut rest = ended.into_iter().chain(versions.going_on());
        loop {
            let some: Vec<Version> = rest.by_ref().take(BATCH_ROWS).collect();
            if some.is_empty() || !self.give_versions(&some, axis, give)? {
                return Ok(());
            }
        }
    }

    /// The rows at each of many times.
    fn each(mut self, times: &[Time], give: &Give<'_>) -> Result<()> {
        let mut rows = Relation::new(self.layout.clone());
        let mut next = Some(ALWAYS);
        for at in times {
            while let Some(stamp) = next.filter(|next| *next <= stamp(at.0)) {
                let changes =
                    self.streams.iter_mut().map(|stream| stream.take(stamp)).collect::<Result<_>>()?;
                self.step(changes, (stamp, true), &mut |run, stepped| run.add(stepped, &mut rows))?;
                next = self.next_stamp()?;
            }
            if rows.is_negative() {
                return Err(flow(FlowError::Negative));
            }
            if !self.give_rows(&rows, Some(at.0), give)? {
                return Ok(());
            }
        }
        self.tell_failed();
        Ok(())
    }

    fn next_stamp(&mut self) -> Result<Option<u64>> {
        let stamps = self.streams.iter_mut().map(Stream::next_stamp).collect::<Result<Vec<_>>>()?;
        Ok(stamps.into_iter().flatten().min())
    }

    /// A step of the circuit. `take` takes what it gives, and says how much memory that is in all.
    fn step(
        &mut self,
        changes: Vec<Vec<Delta>>,
        epoch: (u64, bool),
        take: &mut dyn FnMut(&mut Self, Stepped) -> usize,
    ) -> Result<()> {
        let mut circuit = std::mem::take(&mut self.circuit);
        let of_streams: usize = self.streams.iter().map(Stream::bytes).sum();
        let before = circuit.bytes() + of_streams;
        let mut give = |stepped: Stepped| {
            let taken = take(self, stepped);
            // What operators keep more is seen with the next step.
            self.memory.try_resize(before + self.reason_bytes + taken).map_err(Broken)
        };
        circuit.step(changes, epoch, &mut give).map_err(|Broken(error)| error)?;
        self.circuit = circuit;
        Ok(())
    }

    /// Adds changes to rows.
    fn add(&mut self, stepped: Stepped, rows: &mut Relation) -> usize {
        for delta in self.without_failures(stepped) {
            rows.add(&delta);
        }
        rows.bytes()
    }

    /// Counts what could not be computed.
    fn without_failures(&mut self, Stepped { rows, failures }: Stepped) -> Vec<Delta> {
        for (operator, failure) in failures {
            if failure.weight > 0 {
                let (_, count) = self.failed.get_or_insert_with(|| (failure.reason.clone(), 0));
                *count += failure.weight.unsigned_abs();
            }
            let bytes = failure.reason.len() + REASON_BYTES;
            match self.failures.entry((operator, failure.reason)) {
                Entry::Vacant(new) => {
                    self.reason_bytes += bytes;
                    new.insert(failure.weight);
                }
                Entry::Occupied(mut known) => {
                    *known.get_mut() += failure.weight;
                    if *known.get() == 0 {
                        self.reason_bytes -= bytes;
                        known.remove();
                    }
                }
            }
        }
        rows
    }

    /// Says what could not be computed of the rows at the moment.
    fn tell_failures(&self) {
        let count = self.failures.values().sum::<i64>().unsigned_abs();
        if let Some((_, reason)) = self.failures.keys().next() {
            self.of.notices.add(kept::failed(&self.of.name, count, reason));
        }
    }

    /// Says what could not be computed at some time.
    fn tell_failed(&self) {
        let Some((reason, count)) = &self.failed else { return };
        let name = in_sql(&self.of.name);
        let what = match count {
            1 => "1 row or group could not be computed, and is left out as long as that was so".to_owned(),
            count => {
                format!(
                    "{count} rows or groups could not be computed, and are left out as long as that was so"
                )
            }
        };
        self.of.notices.add(format!("of view {name}, {what}: {reason}"));
    }

    /// Gives rows, with a time each behind them if there is one.
    fn give_rows(&self, rows: &Relation, at: Option<i64>, give: &Give<'_>) -> Result<bool> {
        let mut batches = rows.freeze().batches();
        while let Some((mut columns, count)) = batches.next_rows().map_err(damaged)? {
            columns.extend(at.map(|at| times(vec![Some(at); count])));
            if !self.give(&columns, count, give)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn give_versions(&self, versions: &[Version], axis: Axis, give: &Give<'_>) -> Result<bool> {
        let mut copies = versions.iter().flat_map(|version| repeat_n(version, version.count as usize));
        loop {
            let some: Vec<&Version> = copies.by_ref().take(BATCH_ROWS).collect();
            if some.is_empty() {
                return Ok(true);
            }
            let mut columns =
                self.layout.decode(some.iter().map(|version| &*version.row)).map_err(damaged)?;
            if axis == Axis::System {
                columns.push(self.positions(&some)?);
            }
            columns.push(times(some.iter().map(|version| time(version.from)).collect()));
            columns.push(times(some.iter().map(|version| version.to.and_then(time)).collect()));
            if !self.give(&columns, some.len(), give)? {
                return Ok(false);
            }
        }
    }

    /// The positions of the appends that made versions, if they are wanted.
    fn positions(&self, versions: &[&Version]) -> Result<ArrayRef> {
        if !self.of.projection.contains(&self.of.rows.fields().len()) {
            return Ok(new_null_array(&DataType::Int64, versions.len()));
        }
        let mut known: BTreeMap<i64, i64> = BTreeMap::new();
        let mut position = |version: &&Version| -> Result<Option<i64>> {
            let Some(from) = time(version.from) else { return Ok(None) };
            let found = match known.entry(from) {
                Entry::Occupied(found) => *found.get(),
                Entry::Vacant(new) => {
                    let found = block_on(self.of.store.position_at(Time(from)));
                    *new.insert(found.map_err(QueryError::from)?.0 as i64)
                }
            };
            Ok(Some(found))
        };
        let positions = versions.iter().map(&mut position).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Int64Array::from(positions)))
    }

    /// Gives what could not be computed.
    fn give_errors(&self, give: &Give<'_>) -> Result<()> {
        let number = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let reasons: Vec<&str> = self.failures.keys().map(|(_, reason)| reason.as_str()).collect();
        let columns = [
            number(self.failures.keys().map(|(operator, _)| *operator as i64).collect()),
            Arc::new(StringArray::from(reasons)),
            number(self.failures.values().copied().collect()),
        ];
        self.give(&columns, self.failures.len(), give).map(drop)
    }

    fn give(&self, columns: &[ArrayRef], count: usize, give: &Give<'_>) -> Result<bool> {
        let columns = self.of.projection.iter().map(|&place| columns[place].clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(self.of.given.clone(), columns, &options)?;
        Ok(give(batch))
    }
}

/// Why a step broke off.
struct Broken(DataFusionError);

impl From<FlowError> for Broken {
    fn from(error: FlowError) -> Broken {
        Broken(flow(error))
    }
}

fn flow(error: FlowError) -> DataFusionError {
    QueryError::View(ViewError::Flow(error)).into()
}

fn damaged(error: Damaged) -> DataFusionError {
    QueryError::Failed(error.to_string()).into()
}

fn times(times: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(times).with_timezone(UTC))
}
