//! From a position to its record: through the index to a group, through the group's order to a batch.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use recount_index::{FrameKey, FrameRef};
use recount_journal::{Frame, Location, Reader, SegmentName};
use recount_types::{Epoch, Lsn, Offset, Position, Time};

use crate::error::ReadError;
use crate::group::{self, Directory, Entry, GroupBody, GroupError};
use crate::store::{Inner, lock};

/// Consecutive positions of one append within one batch.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: u64,
    count: u32,
    append: u32,
    lsn_distance: u64,
    entry: u32,
    /// The record in the batch that has position `first`.
    record: u32,
}

/// A group with its order worked out.
pub(crate) struct PlacedGroup {
    pub(crate) frame: Arc<Frame>,
    body: Bytes,
    pub(crate) directory: Directory,
    spans: Vec<Span>,
    /// Where each append ends.
    append_ends: Vec<u64>,
    file: PathBuf,
    batches: Vec<Option<Arc<[RawRecord]>>>,
}

/// A record, its bytes shared with the group.
#[derive(Debug, Clone)]
pub(crate) struct RawRecord {
    pub(crate) offset: Offset,
    /// When it happened, ms; `None` = it has its append's time.
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(Bytes, Option<Bytes>)>,
}

/// A record with its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) position: Position,
    pub(crate) append_time: Time,
    pub(crate) entry: Entry,
    pub(crate) record: RawRecord,
}

impl PlacedGroup {
    /// Works out a group's order. Reads no record.
    pub(crate) fn new(reader: &Reader, frame: Arc<Frame>) -> Result<PlacedGroup, ReadError> {
        PlacedGroup::of(reader.path(frame.location.segment), frame)
    }

    /// The same, of a frame in `file`.
    pub(crate) fn of(file: PathBuf, frame: Arc<Frame>) -> Result<PlacedGroup, ReadError> {
        let damaged = |what: &GroupError| damaged(&file, &frame, what);
        let directory = GroupBody::decode(&frame.body).map_err(|e| damaged(&e))?.directory;
        let mut used = vec![0u32; directory.entries.len()];
        let mut spans = Vec::with_capacity(directory.appends.len());
        let mut append_ends = Vec::with_capacity(directory.appends.len());
        let mut position = frame.header.first_position.0;
        for (append, runs) in directory.appends.iter().enumerate() {
            for run in runs {
                let record = if run.lsn_distance == 0 {
                    let used = used.get_mut(run.entry as usize).ok_or_else(|| damaged(&MISSING))?;
                    let record = *used;
                    *used = used.checked_add(run.count).ok_or_else(|| damaged(&MISSING))?;
                    record
                } else {
                    0
                };
                let (first, count) = (position, run.count);
                let (append, entry) = (append as u32, run.entry);
                spans.push(Span { first, count, append, lsn_distance: run.lsn_distance, entry, record });
                position = position.checked_add(count.into()).ok_or_else(|| damaged(&MISSING))?;
            }
            append_ends.push(position - 1);
        }
        if position - frame.header.first_position.0 != u64::from(frame.header.count) {
            return Err(damaged(&GroupError("header gives another number of positions than its order")));
        }
        let body = Bytes::from_owner(FrameBody(frame.clone()));
        let batches = vec![None; directory.entries.len()];
        Ok(PlacedGroup { frame, body, directory, spans, append_ends, file, batches })
    }

    /// The positions that the group gives: first, and one past the last.
    pub(crate) fn positions(&self) -> (u64, u64) {
        let first = self.frame.header.first_position.0;
        (first, first + u64::from(self.frame.header.count))
    }

    /// The end of the last append that lies whole in positions up to `position`; `None` if there is none here.
    pub(crate) fn append_end_at_or_before(&self, position: u64) -> Option<u64> {
        self.append_ends.iter().copied().take_while(|&end| end <= position).last()
    }

    /// The end of the last append made at or before `time`; `None` if there is none here.
    pub(crate) fn append_end_at_time(&self, time: Time) -> Option<u64> {
        let made = |&(append, _): &(usize, &u64)| group::append_time(&self.frame.header, append) <= time;
        self.append_ends.iter().enumerate().take_while(made).last().map(|(_, &end)| end)
    }

    /// What `position` is, and where: its append's time, and the batch with the record's index.
    fn span(&self, position: u64) -> Option<Span> {
        let at = self.spans.partition_point(|span| span.first <= position).checked_sub(1)?;
        self.spans.get(at).copied().filter(|span| position - span.first < u64::from(span.count))
    }

    /// The topic of a position's record, if its batch is in this group.
    pub(crate) fn local_entry(&self, position: u64) -> Option<&Entry> {
        let span = self.span(position).filter(|span| span.lsn_distance == 0)?;
        self.directory.entries.get(span.entry as usize)
    }

    /// The records of a batch of this group.
    pub(crate) fn batch(&mut self, entry: usize) -> Result<Arc<[RawRecord]>, ReadError> {
        if let Some(Some(records)) = self.batches.get(entry) {
            return Ok(records.clone());
        }
        let records = self.decode_batch(entry).map_err(|e| damaged(&self.file, &self.frame, &e))?;
        if let Some(slot) = self.batches.get_mut(entry) {
            *slot = Some(records.clone());
        }
        Ok(records)
    }

    /// The producer of a batch of this group.
    pub(crate) fn producer_of(&self, entry: usize) -> Result<u64, ReadError> {
        let producer = GroupBody::decode(&self.body).and_then(|group| group.producer(entry));
        producer.map_err(|e| damaged(&self.file, &self.frame, &e))
    }

    /// The earlier group that has the record of a position; `None` if this one has it.
    pub(crate) fn earlier(&self, position: u64) -> Option<Lsn> {
        let span = self.span(position).filter(|span| span.lsn_distance > 0)?;
        Some(Lsn(self.frame.header.lsn.0.saturating_sub(span.lsn_distance)))
    }

    /// The record of a position, which is in this group.
    pub(crate) fn local(&mut self, position: u64) -> Result<Placed, ReadError> {
        let span = self.span(position).ok_or_else(|| self.missing())?;
        let records = self.batch(span.entry as usize)?;
        self.place(position, span, &self.directory, &records)
    }

    /// The record of a position, which is in an earlier group.
    pub(crate) fn in_group(&self, earlier: &mut PlacedGroup, position: u64) -> Result<Placed, ReadError> {
        let span = self.span(position).ok_or_else(|| self.missing())?;
        let records = earlier.batch(span.entry as usize)?;
        self.place(position, span, &earlier.directory, &records)
    }

    fn place(
        &self,
        position: u64,
        span: Span,
        directory: &Directory,
        records: &[RawRecord],
    ) -> Result<Placed, ReadError> {
        let index = span.record as usize + (position - span.first) as usize;
        let entry = directory.entries.get(span.entry as usize).copied();
        let (Some(entry), Some(record)) = (entry, records.get(index)) else { return Err(self.missing()) };
        let append_time = group::append_time(&self.frame.header, span.append as usize);
        Ok(Placed { position: Position(position), append_time, entry, record: record.clone() })
    }

    fn missing(&self) -> ReadError {
        damaged(&self.file, &self.frame, &MISSING)
    }

    fn decode_batch(&self, entry: usize) -> Result<Arc<[RawRecord]>, GroupError> {
        let group = GroupBody::decode(&self.body)?;
        let share = |bytes: &[u8]| self.body.slice_ref(bytes);
        let records = group.records(entry)?;
        let own_time = records.own_time;
        records
            .map(|record| {
                let (offset, record) = record?;
                let mut headers = Vec::with_capacity(record.header_count());
                for header in record.headers() {
                    let (name, value) = header.map_err(|_| GroupError("record header is malformed"))?;
                    headers.push((share(name), value.map(share)));
                }
                Ok(RawRecord {
                    offset,
                    timestamp_ms: own_time.then_some(record.timestamp_ms),
                    key: record.key.map(share),
                    value: record.value.map(share),
                    headers,
                })
            })
            .collect()
    }
}

const MISSING: GroupError = GroupError("order names records that are not there");

struct FrameBody(Arc<Frame>);

impl AsRef<[u8]> for FrameBody {
    fn as_ref(&self) -> &[u8] {
        &self.0.body
    }
}

fn damaged(file: &std::path::Path, frame: &Frame, error: &GroupError) -> ReadError {
    let corruption = group::corrupt(file.to_owned(), frame.location.offset, error);
    ReadError::Corrupt { what: corruption.to_string() }
}

/// Where groups are found: the index's frame tables.
pub(crate) trait Frames {
    /// The greatest frame known that does not exceed `key`.
    fn frame_at(&self, key: FrameKey) -> impl Future<Output = Result<Option<FrameRef>, ReadError>> + Send;
}

impl Frames for Inner {
    async fn frame_at(&self, key: FrameKey) -> Result<Option<FrameRef>, ReadError> {
        let runs = {
            let sequencer = lock(&self.sequencer);
            if let Some(found) = sequencer.memtables().rev().find_map(|memtable| memtable.frame_at(key)) {
                return Ok(Some(found));
            }
            sequencer.runs.clone()
        };
        Ok(runs.frame_at(key).await?)
    }
}

/// Reads the record at a position of a group, in whatever group its batch lies.
pub(crate) async fn placed(
    frames: &impl Frames,
    reader: &Reader,
    group: &mut PlacedGroup,
    position: u64,
) -> Result<Placed, ReadError> {
    let Some(lsn) = group.earlier(position) else { return group.local(position) };
    match group_of_lsn(frames, reader, lsn).await? {
        Some(mut earlier) => group.in_group(&mut earlier, position),
        None => Err(group.missing()),
    }
}

/// The group that gives `position`.
pub(crate) async fn group_of_position(
    frames: &impl Frames,
    reader: &Reader,
    position: u64,
) -> Result<Option<PlacedGroup>, ReadError> {
    let near = frames.frame_at(FrameKey::Position(position)).await?;
    let mut cursor = reader.frames(location(reader, near)?);
    let wanted = |header: &recount_journal::FrameHeader| {
        header.kind.uses_lsn()
            && header.first_position.0 <= position
            && position - header.first_position.0 < u64::from(header.count)
    };
    cursor.next_where(wanted).await?.map(|frame| PlacedGroup::new(reader, frame)).transpose()
}

/// The group of an lsn.
pub(crate) async fn group_of_lsn(
    frames: &impl Frames,
    reader: &Reader,
    lsn: Lsn,
) -> Result<Option<PlacedGroup>, ReadError> {
    let near = frames.frame_at(FrameKey::Lsn(lsn.0)).await?;
    let mut cursor = reader.frames(location(reader, near)?);
    let frame = cursor.next_where(|header| header.kind.uses_lsn() && header.lsn == lsn).await?;
    frame.map(|frame| PlacedGroup::new(reader, frame)).transpose()
}

/// Where a frame of the index lies; without one, where the journal begins.
pub(crate) fn location(reader: &Reader, near: Option<FrameRef>) -> Result<Location, ReadError> {
    match near {
        Some(frame) => Ok(location_of(&frame)),
        None => reader.first().ok_or(ReadError::Closed),
    }
}

/// Where a frame of the index lies.
pub(crate) fn location_of(frame: &FrameRef) -> Location {
    let segment = SegmentName { first_lsn: Lsn(frame.segment_first_lsn), epoch: Epoch(frame.segment_epoch) };
    Location { segment, offset: frame.offset }
}
