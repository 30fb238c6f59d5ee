//! The group being formed: batches that grow, and the order of positions over them.
//!
//! One batch a partition is open at a time. It is closed, and another opened, when it is full or when the next
//! record differs in what a batch says once: its schema, its transaction, whether its records have times of
//! their own (else they have the append's).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use recount_journal::{FrameHeader, FrameSpec};
use recount_types::batch::BatchBuilder;
use recount_types::{Offset, Partition, Position, Time, TopicId};

use crate::append::Appended;
use crate::error::AppendError;
use crate::group::{self, AppendRuns, Directory, Entry, Mark, Run};
use crate::pending::{PartitionId, Ready};
use crate::record::Encoded;
use crate::slot::{Answer, Slot};

/// Batches of our own are closed at this size, so that reading one event reads little more.
const BATCH_BYTES_TARGET: usize = 128 << 10;
/// Bound on what a batch adds to the body beside its records.
pub(crate) const BATCH_OVERHEAD_BYTES: usize = 160;
/// Bound on what an append and each of its runs add to the directory.
const RUN_OVERHEAD_BYTES: usize = 24;

/// What the records of a batch have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchKey {
    pub(crate) topic: TopicId,
    pub(crate) partition: Partition,
    pub(crate) schema: u32,
    /// The records say when they happened.
    pub(crate) own_time: bool,
    /// The producer whose transaction they belong to.
    pub(crate) transaction: Option<u64>,
    /// They have positions.
    pub(crate) positioned: bool,
}

/// An append that waits for this group, and what it will be told.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) slot: Arc<Slot>,
    pub(crate) answer: Result<Appended, AppendError>,
    /// Its index among the group's appends, if it got positions here.
    pub(crate) append: Option<usize>,
}

#[derive(Debug)]
struct OpenBatch {
    key: BatchKey,
    control: bool,
    base_offset: Offset,
    base_position: Option<Position>,
    builder: BatchBuilder,
}

/// A group that is not written yet.
#[derive(Debug)]
pub(crate) struct Forming {
    first_position: Position,
    count: u64,
    room_bytes: usize,
    bytes: usize,
    appends: Vec<AppendRuns>,
    marks: Vec<Mark>,
    batches: Vec<OpenBatch>,
    current: BTreeMap<PartitionId, usize>,
    /// Topics with positions in this group.
    pub(crate) topics: BTreeSet<TopicId>,
    pub(crate) waiters: Vec<Waiter>,
}

impl Forming {
    /// Bound on the body of an empty group.
    pub(crate) const EMPTY_BYTES: usize = 64;

    /// An empty group whose body may have `room_bytes`.
    pub(crate) fn new(first_position: Position, room_bytes: usize) -> Forming {
        Forming {
            first_position,
            count: 0,
            room_bytes,
            bytes: Forming::EMPTY_BYTES,
            appends: Vec::new(),
            marks: Vec::new(),
            batches: Vec::new(),
            current: BTreeMap::new(),
            topics: BTreeSet::new(),
            waiters: Vec::new(),
        }
    }

    /// True if there is nothing to write: at most answers wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.marks.is_empty() && self.appends.is_empty()
    }

    /// True if `bytes` more, as [`cost`] bounds them, fit in.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.bytes + bytes <= self.room_bytes
    }

    /// A bound on the bytes of the body.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The position that the next record with one gets.
    pub(crate) fn next_position(&self) -> Position {
        Position(self.first_position.0 + self.count)
    }

    /// How many appends get positions here.
    pub(crate) fn append_count(&self) -> usize {
        self.appends.len()
    }

    /// Begins an append; the records pushed next belong to it. Returns its index.
    pub(crate) fn begin_append(&mut self) -> usize {
        self.bytes += RUN_OVERHEAD_BYTES;
        self.appends.push(Vec::new());
        self.appends.len() - 1
    }

    /// Adds a record at `offset`; returns its batch's index, and its position if it gets one.
    pub(crate) fn push(
        &mut self,
        key: BatchKey,
        offset: Offset,
        record: &Encoded,
    ) -> (u32, Option<Position>) {
        let at = self.batch_for(key, offset, record.bytes_bound());
        let position = key.positioned.then(|| self.next_position());
        let batch = &mut self.batches[at];
        batch.builder.push(
            record.timestamp_ms,
            record.key.as_deref(),
            Some(&record.value),
            record.headers.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_ref()))),
        );
        self.bytes += record.bytes_bound();
        if key.positioned {
            self.count += 1;
            self.topics.insert(key.topic);
            self.extend_run(at as u32);
        }
        (at as u32, position)
    }

    /// A batch of a producer stands alone: the next record of its partition begins another.
    pub(crate) fn close_batches(&mut self, partition: PartitionId) {
        self.current.remove(&partition);
    }

    fn batch_for(&mut self, key: BatchKey, offset: Offset, bytes: usize) -> usize {
        let partition = (key.topic, key.partition);
        if let Some(&at) = self.current.get(&partition)
            && let Some(batch) = self.batches.get(at)
            && batch.key == key
            && (!key.positioned || batch.builder.len_bytes() + bytes <= BATCH_BYTES_TARGET.max(bytes))
        {
            return at;
        }
        let base_position = key.positioned.then(|| self.next_position());
        let mut builder = BatchBuilder::new(offset.0);
        if let Some(producer) = key.transaction {
            builder = builder.transactional(producer as i64, 0);
        }
        self.open(OpenBatch { key, control: false, base_offset: offset, base_position, builder })
    }

    fn open(&mut self, batch: OpenBatch) -> usize {
        let at = self.batches.len();
        self.current.insert((batch.key.topic, batch.key.partition), at);
        self.batches.push(batch);
        self.bytes += BATCH_OVERHEAD_BYTES;
        at
    }

    fn extend_run(&mut self, entry: u32) {
        let runs = self.appends.last_mut().expect("records with positions belong to an append");
        match runs.last_mut() {
            Some(run) if run.entry == entry && run.lsn_distance == 0 => run.count += 1,
            _ => {
                runs.push(Run { lsn_distance: 0, entry, count: 1 });
                self.bytes += RUN_OVERHEAD_BYTES;
            }
        }
    }

    /// Adds the end of a transaction, and its control record in each of its partitions.
    pub(crate) fn end_transaction(
        &mut self,
        producer: u64,
        committed: bool,
        controls: impl Iterator<Item = (PartitionId, Offset)>,
    ) {
        self.marks.push(Mark { producer_id: producer, producer_epoch: 0, committed });
        self.bytes += RUN_OVERHEAD_BYTES;
        for ((topic, partition), offset) in controls {
            let key = BatchKey {
                topic,
                partition,
                schema: 0,
                own_time: false,
                transaction: Some(producer),
                positioned: false,
            };
            let builder = BatchBuilder::control(offset.0, producer as i64, 0, committed);
            self.open(OpenBatch { key, control: true, base_offset: offset, base_position: None, builder });
            self.current.remove(&(topic, partition));
        }
    }

    /// Gives positions to a component of earlier records: one append. `lsn` is this group's. Returns the first position.
    pub(crate) fn place(&mut self, lsn: u64, component: &Ready) -> Position {
        let first = self.next_position();
        self.begin_append();
        let mut runs = Vec::with_capacity(component.len());
        for batch in component {
            runs.push(Run { lsn_distance: lsn - batch.lsn.0, entry: batch.entry, count: batch.count });
            self.bytes += RUN_OVERHEAD_BYTES;
            self.count += u64::from(batch.count);
        }
        *self.appends.last_mut().expect("an append was begun") = runs;
        first
    }

    /// The group as it is written, and who waits for it. `append_time` is its first append's.
    pub(crate) fn finish(self, append_time: Time) -> (FrameSpec, Vec<Waiter>) {
        let mut entries = Vec::with_capacity(self.batches.len());
        let mut batches = Vec::with_capacity(self.batches.len());
        for batch in self.batches {
            let count = batch.builder.count();
            let builder = if batch.key.own_time || batch.control {
                batch.builder
            } else {
                batch.builder.log_append_time(append_time.0.div_euclid(1000))
            };
            let bytes = builder.finish();
            entries.push(Entry {
                topic: batch.key.topic,
                partition: batch.key.partition,
                base_offset: batch.base_offset,
                base_position: batch.base_position,
                count,
                bytes: bytes.len() as u32,
                schema: batch.key.schema,
                transactional: batch.key.transaction.is_some(),
                control: batch.control,
                crc: crc32c::crc32c(&bytes),
            });
            batches.push(bytes);
        }
        let directory = Directory { appends: self.appends, marks: self.marks, entries };
        let spec = FrameSpec {
            kind: directory.kind(),
            first_position: self.first_position,
            count: self.count as u32,
            append_time,
            body: group::encode(&directory, &batches),
        };
        (spec, self.waiters)
    }
}

impl Waiter {
    /// Gives the answer: the group with this header is durable.
    pub(crate) fn durable(mut self, header: &FrameHeader) {
        if let (Ok(appended), Some(index)) = (&mut self.answer, self.append) {
            appended.append_time = group::append_time(header, index);
        }
        self.slot.answer(Answer::Done(self.answer));
    }

    /// The group was not written, or nobody knows.
    pub(crate) fn failed(self, error: AppendError) {
        self.slot.answer(Answer::Done(Err(error)));
    }
}

/// A bound on what records add to a body: their own bytes, the batches that they begin, their runs.
pub(crate) fn cost(record_bytes: usize, batches: usize, runs: usize) -> usize {
    let full_batches = record_bytes / (BATCH_BYTES_TARGET / 2) + 1;
    record_bytes
        + (batches + full_batches) * BATCH_OVERHEAD_BYTES
        + (runs + full_batches + 1) * RUN_OVERHEAD_BYTES
}
