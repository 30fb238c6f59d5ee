//! From a position to its record: through the index to a group, through the group's order to a batch.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use recount_index::{FrameKey, FrameRef};
use recount_journal::{Frame, FrameCursor, Location, Reader, SegmentName};
use recount_types::batch::{RecordHeaders, RecordIndex};
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
    batches: Vec<Batch>,
    /// The earlier group whose records were asked for last.
    earlier: Option<Box<PlacedGroup>>,
}

/// A batch of a group: where it is in the body, and once it was verified, where its records are.
struct Batch {
    range: Range<usize>,
    index: Option<RecordIndex>,
}

/// Consecutive positions whose records lie one behind the other in a batch.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub(crate) positions: Range<u64>,
    pub(crate) append_time: Time,
    /// What the batch is.
    pub(crate) entry: Entry,
    span: Span,
}

/// A record, borrowed from the group that it lies in.
#[derive(Debug, Clone)]
pub(crate) struct RawRecord<'a> {
    pub(crate) offset: Offset,
    /// When it happened, ms; `None` = it has its append's time.
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Its headers, well-formed.
    pub(crate) headers: RecordHeaders<'a>,
    /// What all of it is part of.
    pub(crate) body: &'a Bytes,
}

/// A record with its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed<'a> {
    pub(crate) position: Position,
    pub(crate) append_time: Time,
    pub(crate) entry: Entry,
    pub(crate) record: RawRecord<'a>,
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
        // The batches are all that follows the directory.
        let batch_bytes: usize = directory.entries.iter().map(|entry| entry.bytes as usize).sum();
        let mut start = frame.body.len() - batch_bytes;
        let place = |entry: &Entry| {
            let range = start..start + entry.bytes as usize;
            start = range.end;
            Batch { range, index: None }
        };
        let batches = directory.entries.iter().map(place).collect();
        let body = Bytes::from_owner(FrameBody(frame.clone()));
        Ok(PlacedGroup { frame, body, directory, spans, append_ends, file, batches, earlier: None })
    }

    /// Its frame, for nobody reads records of it any more.
    pub(crate) fn into_frame(self) -> Arc<Frame> {
        self.frame
    }

    /// The positions that the group gives: first, and one past the last.
    pub(crate) fn positions(&self) -> (u64, u64) {
        let first = self.frame.header.first_position.0;
        (first, first + u64::from(self.frame.header.count))
    }

    /// Whether the group gives this position.
    pub(crate) fn gives(&self, position: u64) -> bool {
        let (first, end) = self.positions();
        (first..end).contains(&position)
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

    /// The producer of a batch of this group.
    pub(crate) fn producer_of(&self, entry: usize) -> Result<u64, ReadError> {
        let producer = GroupBody::decode(&self.body).and_then(|group| group.producer(entry));
        producer.map_err(|e| damaged(&self.file, &self.frame, &e))
    }

    /// The earlier group that has the record of a position and must be given first; `None` if nothing is missing.
    pub(crate) fn lacks(&self, position: u64) -> Option<Lsn> {
        let span = self.span(position).filter(|span| span.lsn_distance > 0)?;
        let earlier = self.earlier.as_deref();
        (!self.is_holder(earlier, &span)).then(|| self.holder_lsn(&span))
    }

    /// Gives it the earlier group that it lacks.
    pub(crate) fn give(&mut self, earlier: PlacedGroup) {
        self.earlier = Some(Box::new(earlier));
    }

    /// The lsn of the group that has the records of a span.
    fn holder_lsn(&self, span: &Span) -> Lsn {
        Lsn(self.frame.header.lsn.0.saturating_sub(span.lsn_distance))
    }

    fn is_holder(&self, group: Option<&PlacedGroup>, span: &Span) -> bool {
        group.is_some_and(|group| group.frame.header.lsn == self.holder_lsn(span))
    }

    /// The positions around this one whose records lie together.
    pub(crate) fn stretch(&self, position: u64) -> Result<Stretch, ReadError> {
        let span = self.span(position).ok_or_else(|| self.missing())?;
        let holder = if span.lsn_distance == 0 { Some(self) } else { self.earlier.as_deref() };
        let holder = holder.filter(|group| self.is_holder(Some(group), &span));
        let entry = holder.and_then(|group| group.directory.entries.get(span.entry as usize));
        Ok(Stretch {
            positions: span.first..span.first + u64::from(span.count),
            append_time: group::append_time(&self.frame.header, span.append as usize),
            entry: *entry.ok_or_else(|| self.missing())?,
            span,
        })
    }

    /// The record of a position of a stretch of this group.
    #[inline]
    pub(crate) fn record(&mut self, stretch: &Stretch, position: u64) -> Result<Placed<'_>, ReadError> {
        let Stretch { append_time, entry, span, .. } = *stretch;
        let index = u32::try_from(u64::from(span.record) + (position - span.first));
        let Some(index) = index.ok().filter(|&index| index < entry.count) else { return Err(self.missing()) };
        let record = if span.lsn_distance == 0 {
            self.local(span.entry as usize, index)?
        } else {
            let is_holder = self.is_holder(self.earlier.as_deref(), &span);
            match self.earlier.as_deref_mut().filter(|_| is_holder) {
                Some(earlier) => earlier.local(span.entry as usize, index)?,
                None => return Err(damaged(&self.file, &self.frame, &MISSING)),
            }
        };
        Ok(Placed { position: Position(position), append_time, entry, record })
    }

    /// The record of a position.
    pub(crate) fn at(&mut self, position: u64) -> Result<Placed<'_>, ReadError> {
        let stretch = self.stretch(position)?;
        self.record(&stretch, position)
    }

    /// A record of a batch of this group.
    pub(crate) fn local(&mut self, entry: usize, index: u32) -> Result<RawRecord<'_>, ReadError> {
        let PlacedGroup { file, frame, body, directory, batches, .. } = self;
        let (Some(entry), Some(batch)) = (directory.entries.get(entry), batches.get_mut(entry)) else {
            return Err(damaged(file, frame, &MISSING));
        };
        batch.record(body, entry, index).map_err(|e| damaged(file, frame, &e))
    }

    fn missing(&self) -> ReadError {
        damaged(&self.file, &self.frame, &MISSING)
    }
}

impl Batch {
    #[inline]
    fn record<'a>(
        &mut self,
        body: &'a Bytes,
        entry: &Entry,
        index: u32,
    ) -> Result<RawRecord<'a>, GroupError> {
        let bytes = body.get(self.range.clone()).ok_or(MISSING)?;
        let records = match &mut self.index {
            Some(records) => records,
            None => self.index.insert(group::index(entry, bytes)?),
        };
        let record = records.get(bytes, index).map_err(|_| GroupError("record is malformed"))?;
        for header in record.headers() {
            header.map_err(|_| GroupError("record header is malformed"))?;
        }
        let own_time = !records.header().is_log_append_time();
        Ok(RawRecord {
            offset: Offset(entry.base_offset.0 + i64::from(record.offset_delta)),
            timestamp_ms: own_time.then_some(record.timestamp_ms),
            key: record.key,
            value: record.value,
            headers: record.headers(),
            body,
        })
    }
}

impl RawRecord<'_> {
    /// Bytes of the record, shared with its group.
    pub(crate) fn share(&self, bytes: &[u8]) -> Bytes {
        self.body.slice_ref(bytes)
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
pub(crate) async fn placed<'a>(
    frames: &impl Frames,
    reader: &Reader,
    group: &'a mut PlacedGroup,
    position: u64,
) -> Result<Placed<'a>, ReadError> {
    reach(frames, reader, group, position).await?;
    group.at(position)
}

/// Reads the earlier group that has the record of a position, if there is one.
pub(crate) async fn reach(
    frames: &impl Frames,
    reader: &Reader,
    group: &mut PlacedGroup,
    position: u64,
) -> Result<(), ReadError> {
    let Some(lsn) = group.lacks(position) else { return Ok(()) };
    let earlier = group_of_lsn(frames, reader, lsn).await?.ok_or_else(|| group.missing())?;
    group.give(earlier);
    Ok(())
}

/// The group that gives `position`.
pub(crate) async fn group_of_position(
    frames: &impl Frames,
    reader: &Reader,
    position: u64,
) -> Result<Option<PlacedGroup>, ReadError> {
    Finder::default().group(frames, reader, position, None).await
}

/// Finds one group after the other, with the same file and the same memory as long as possible.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    cursor: Option<FrameCursor>,
    /// The group read last ends before this position.
    end: u64,
}

impl Finder {
    /// The group that gives `position`. `before` is one that is not needed any more.
    pub(crate) async fn group(
        &mut self,
        frames: &impl Frames,
        reader: &Reader,
        position: u64,
        before: Option<PlacedGroup>,
    ) -> Result<Option<PlacedGroup>, ReadError> {
        let near = location(reader, frames.frame_at(FrameKey::Position(position)).await?)?;
        let cursor = match &mut self.cursor {
            Some(cursor) => {
                // On the way there already: what lies between is not read again.
                if position < self.end || cursor.location() < near {
                    cursor.seek(near);
                }
                cursor
            }
            None => self.cursor.insert(reader.frames(near)),
        };
        if let Some(before) = before {
            cursor.give_back(before.into_frame());
        }
        let wanted = |header: &recount_journal::FrameHeader| {
            header.kind.uses_lsn()
                && header.first_position.0 <= position
                && position - header.first_position.0 < u64::from(header.count)
        };
        // Until it was found, nothing is known of where the cursor is.
        self.end = u64::MAX;
        let Some(frame) = cursor.next_where(wanted).await? else { return Ok(None) };
        let group = PlacedGroup::new(reader, frame)?;
        self.end = group.positions().1;
        Ok(Some(group))
    }
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
