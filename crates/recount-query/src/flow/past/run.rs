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
use recount_flow::failures::Failures;
use recount_flow::layout::RowLayout;
use recount_flow::operator::FlowError;
use recount_flow::relation::Relation;
use recount_types::Time;
use recount_views::ViewError;
use tokio::runtime::Handle;

use super::feed::{ALWAYS, Stream, stamp, time};
use super::versions::{Changes, VERSION_BYTES, Version, Versions};
use super::{Asked, Axis, Of, Reads};
use crate::arrays::UTC;
use crate::error::QueryError;
use crate::kept;
use crate::moment::Span;
use crate::relation::in_sql;

/// Versions given at a time, at least, if there are so many.
const BATCH_ROWS: usize = 4096;

/// Hands a batch on; false if nobody wants more.
type Give<'a> = dyn Fn(RecordBatch) -> bool + 'a;
/// Takes what a step gave, and says how much memory that is in all.
type Take<'t, 'a> = dyn FnMut(&mut Run<'a>, Stepped) -> usize + 't;

/// See the module.
pub(super) struct Run<'a> {
    of: &'a Of,
    circuit: Circuit,
    streams: Vec<Stream>,
    layout: RowLayout,
    memory: MemoryReservation,
    /// What could not be computed; a moment at a time, what the last one changed of that.
    failures: Failures,
    /// The first that there ever was, and how many.
    failed: Option<(String, u64)>,
    /// The memory of what was given.
    taken: usize,
    /// Whether somebody still wants it.
    wanted: &'a (dyn Fn() -> bool + Sync),
}

impl<'a> Run<'a> {
    pub(super) fn new(
        of: &'a Of,
        circuit: Circuit,
        streams: Vec<(SendableRecordBatchStream, Reads)>,
        pool: &Arc<dyn MemoryPool>,
        wanted: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Run<'a>> {
        let types: Vec<DataType> = of.rows.fields().iter().map(|field| field.data_type().clone()).collect();
        let layout = RowLayout::new(&types, &[]);
        let layout =
            layout.map_err(|of| QueryError::Invalid(format!("rows with a column of {of} are not kept")))?;
        let runtime = Handle::current();
        let stream = |(rows, reads)| {
            let memory = MemoryConsumer::new("an entity's versions").register(pool);
            Stream::new(rows, reads, runtime.clone(), memory)
        };
        let streams = streams.into_iter().map(stream).collect();
        let memory = MemoryConsumer::new("a view's past").register(pool);
        Ok(Run {
            of,
            circuit,
            streams,
            layout,
            memory,
            failures: Failures::default(),
            failed: None,
            taken: 0,
            wanted,
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
            Asked::Versions(axis, span) => self.versions(*axis, *span, give),
            Asked::Each(times) => self.each(times, give),
        }
    }

    /// The rows when everything has come.
    fn at_once(&mut self) -> Result<Relation> {
        let mut rows = Relation::new(self.layout.clone());
        for source in 0..self.streams.len() {
            while let Some(delta) = self.streams[source].at_once()? {
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
    fn versions(mut self, axis: Axis, span: Span, give: &Give<'_>) -> Result<()> {
        let (mut versions, mut next) = (Versions::new(span), Some(ALWAYS));
        while let Some(stamp) = next {
            let (mut of_stamp, mut bytes) = (Changes::new(), 0);
            self.moment(stamp, &mut |run, stepped| {
                for delta in run.without_failures(stepped) {
                    let rows = run.layout.encode(&delta.columns, delta.len());
                    for (row, weight) in rows.iter().zip(&delta.weights) {
                        *of_stamp.entry(row.into()).or_insert_with(|| {
                            bytes += row.len() + VERSION_BYTES;
                            0
                        }) += weight;
                    }
                }
                versions.bytes() + bytes
            })?;
            if span.before.is_none_or(|before| time(stamp).is_none_or(|at| at < before.0)) {
                self.count_failed();
            }
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
                self.moment(stamp, &mut |run, stepped| run.add(stepped, &mut rows))?;
                self.count_failed();
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

    /// Everything of a stamp, a part after the other.
    fn moment(&mut self, stamp: u64, take: &mut Take<'_, 'a>) -> Result<()> {
        self.failures = Failures::default();
        loop {
            let changes = self.streams.iter_mut().map(|stream| stream.take(stamp)).collect::<Result<_>>()?;
            let more = self.next_stamp()?.is_some_and(|next| next <= stamp);
            self.step(changes, (stamp, !more), take)?;
            if !more {
                return Ok(());
            }
        }
    }

    /// A step of the circuit.
    fn step(&mut self, changes: Vec<Vec<Delta>>, epoch: (u64, bool), take: &mut Take<'_, 'a>) -> Result<()> {
        if !(self.wanted)() {
            return Err(QueryError::Failed("nobody wants the rows any more".to_owned()).into());
        }
        let mut circuit = std::mem::take(&mut self.circuit);
        let before = circuit.bytes();
        let mut give = |stepped: Stepped| {
            self.taken = take(self, stepped);
            self.hold(before).map_err(Broken)
        };
        circuit.step(changes, epoch, &mut give).map_err(|Broken(error)| error)?;
        self.circuit = circuit;
        self.hold(self.circuit.bytes())
    }

    /// Takes as much memory as there is in use, of which the operators have so much.
    fn hold(&self, of_operators: usize) -> Result<()> {
        let of_streams: usize = self.streams.iter().map(Stream::bytes).sum();
        self.memory.try_resize(of_operators + of_streams + self.failures.bytes() + self.taken)
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
        failures.into_iter().for_each(|(operator, failure)| self.failures.add(operator, failure));
        rows
    }

    /// Counts what can no longer be computed with the moment that was last.
    fn count_failed(&mut self) {
        for (_, reason, weight) in self.failures.iter().filter(|(.., weight)| *weight > 0) {
            let (_, count) = self.failed.get_or_insert_with(|| (reason.to_owned(), 0));
            *count += weight.unsigned_abs();
        }
    }

    /// Says what could not be computed of the rows at the moment.
    fn tell_failures(&self) {
        if let Some((_, reason, _)) = self.failures.iter().next() {
            self.of.notices.add(kept::failed(&self.of.name, self.failures.count(), reason));
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
        let all: Vec<(usize, &str, i64)> = self.failures.iter().collect();
        let columns = [
            number(all.iter().map(|(operator, ..)| *operator as i64).collect()),
            Arc::new(all.iter().map(|(_, reason, _)| Some(*reason)).collect::<StringArray>()),
            number(all.iter().map(|(.., count)| *count).collect()),
        ];
        self.give(&columns, all.len(), give).map(drop)
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
