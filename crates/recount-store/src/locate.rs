//! From a position to its record: through the index to a group, through the group's order to a batch.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use recount_index::{FrameKey, FrameRef};
use recount_journal::{Found, Frame, FrameCursor, FrameHeader, Location, Reader, SegmentName};
use recount_types::batch::{RecordHeaders, RecordIndex};
use recount_types::{Epoch, Lsn, Offset, Position, Time};

use crate::error::ReadError;
use crate::group::{self, Directory, Entry, GroupError, Head};
use crate::pieces::Pieces;
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
    pub(crate) header: FrameHeader,
    pub(crate) directory: Directory,
    spans: Vec<Span>,
    /// Where each append ends.
    append_ends: Vec<u64>,
    origin: Origin,
    batches: Vec<Batch>,
    /// What the batches are of, if it was read as a whole.
    frame: Option<Arc<Frame>>,
    /// The earlier group whose records were asked for last.
    earlier: Option<Box<PlacedGroup>>,
}

/// Where a frame lies, for whoever has to be told of damage.
#[derive(Debug, Clone)]
struct Origin {
    file: File,
    location: Location,
}

#[derive(Debug, Clone)]
enum File {
    OfJournal(Reader),
    Named(PathBuf),
}

/// A batch of a group: where it is in the body, and once it was verified, where its records are.
struct Batch {
    range: Range<usize>,
    /// It itself, or a piece of it; `None` = not read yet.
    bytes: Option<Bytes>,
    index: Option<RecordIndex>,
    /// What part of the batch was read, if not all.
    piece: Option<Range<usize>>,
}

/// Consecutive positions whose records lie one behind the other in a batch.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub(crate) positions: Range<u64>,
    pub(crate) append_time: Time,
    /// The last position of the append.
    pub(crate) append_end: Position,
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
    pub(crate) batch: &'a Bytes,
}

/// A record with its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed<'a> {
    pub(crate) position: Position,
    pub(crate) append_time: Time,
    /// The last position of the append.
    pub(crate) append_end: Position,
    pub(crate) entry: Entry,
    pub(crate) record: RawRecord<'a>,
}

impl PlacedGroup {
    /// Works out a group's order. Reads no record.
    pub(crate) fn new(reader: &Reader, frame: Arc<Frame>) -> Result<PlacedGroup, ReadError> {
        PlacedGroup::of_frame(File::OfJournal(reader.clone()), frame)
    }

    /// The same, of a frame in `file`.
    pub(crate) fn of(file: PathBuf, frame: Arc<Frame>) -> Result<PlacedGroup, ReadError> {
        PlacedGroup::of_frame(File::Named(file), frame)
    }

    fn of_frame(file: File, frame: Arc<Frame>) -> Result<PlacedGroup, ReadError> {
        let origin = Origin { file, location: frame.location };
        let head = Head::decode(&frame.body, frame.body.len()).map_err(|e| origin.damaged(&e))?;
        let mut group = PlacedGroup::of_head(origin, frame.header, head)?;
        let body = Bytes::from_owner(FrameBody(frame.clone()));
        for batch in &mut group.batches {
            batch.bytes = Some(body.slice(batch.range.clone()));
        }
        group.frame = Some(frame);
        Ok(group)
    }

    /// Works out the order of a group whose batches were not read.
    fn of_head(origin: Origin, header: FrameHeader, head: Head) -> Result<PlacedGroup, ReadError> {
        let damaged = |what: &GroupError| origin.damaged(what);
        let Head { directory, ranges } = head;
        let mut used = vec![0u32; directory.entries.len()];
        let mut spans = Vec::with_capacity(directory.appends.len());
        let mut append_ends = Vec::with_capacity(directory.appends.len());
        let mut position = header.first_position.0;
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
        if position - header.first_position.0 != u64::from(header.count) {
            return Err(damaged(&GroupError("header gives another number of positions than its order")));
        }
        let batches =
            ranges.into_iter().map(|range| Batch { range, bytes: None, index: None, piece: None }).collect();
        let (frame, earlier) = (None, None);
        Ok(PlacedGroup { header, directory, spans, append_ends, origin, batches, frame, earlier })
    }

    /// The memory of its body or of a batch, now that nobody reads records of it any more.
    fn into_memory(self) -> Option<Vec<u8>> {
        let PlacedGroup { batches, frame, .. } = self;
        let Some(frame) = frame else {
            let bytes = batches.into_iter().find_map(|batch| batch.bytes)?;
            return bytes.is_unique().then(|| bytes.into());
        };
        drop(batches);
        Arc::try_unwrap(frame).ok().map(|frame| frame.body)
    }

    /// Gives its memory to who reads the next one.
    pub(crate) fn give_back(self, cursor: &mut FrameCursor) {
        if let Some(memory) = self.into_memory() {
            cursor.give_back(memory);
        }
    }

    /// The positions that the group gives: first, and one past the last.
    pub(crate) fn positions(&self) -> (u64, u64) {
        let first = self.header.first_position.0;
        (first, first + u64::from(self.header.count))
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
        let made = |&(append, _): &(usize, &u64)| group::append_time(&self.header, append) <= time;
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
        let batch = self.batches.get(entry).and_then(|batch| batch.bytes.as_deref()).ok_or(MISSING);
        batch.and_then(group::producer).map_err(|e| self.origin.damaged(&e))
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
        Lsn(self.header.lsn.0.saturating_sub(span.lsn_distance))
    }

    fn is_holder(&self, group: Option<&PlacedGroup>, span: &Span) -> bool {
        group.is_some_and(|group| group.header.lsn == self.holder_lsn(span))
    }

    /// The positions around this one whose records lie together.
    pub(crate) fn stretch(&self, position: u64) -> Result<Stretch, ReadError> {
        let span = self.span(position).ok_or_else(|| self.missing())?;
        let holder = if span.lsn_distance == 0 { Some(self) } else { self.earlier.as_deref() };
        let holder = holder.filter(|group| self.is_holder(Some(group), &span));
        let entry = holder.and_then(|group| group.directory.entries.get(span.entry as usize));
        let append_end = self.append_ends.get(span.append as usize).ok_or_else(|| self.missing())?;
        Ok(Stretch {
            positions: span.first..span.first + u64::from(span.count),
            append_time: group::append_time(&self.header, span.append as usize),
            append_end: Position(*append_end),
            entry: *entry.ok_or_else(|| self.missing())?,
            span,
        })
    }

    /// The record of a position of a stretch of this group.
    #[inline]
    pub(crate) fn record(&mut self, stretch: &Stretch, position: u64) -> Result<Placed<'_>, ReadError> {
        let Stretch { append_time, append_end, entry, span, .. } = *stretch;
        let index = stretch.record(position).filter(|&index| index < entry.count);
        let Some(index) = index else { return Err(self.missing()) };
        let record = if span.lsn_distance == 0 {
            self.local(span.entry as usize, index)?
        } else {
            let is_holder = self.is_holder(self.earlier.as_deref(), &span);
            match self.earlier.as_deref_mut().filter(|_| is_holder) {
                Some(earlier) => earlier.local(span.entry as usize, index)?,
                None => return Err(self.origin.damaged(&MISSING)),
            }
        };
        Ok(Placed { position: Position(position), append_time, append_end, entry, record })
    }

    /// The record of a position.
    pub(crate) fn at(&mut self, position: u64) -> Result<Placed<'_>, ReadError> {
        let stretch = self.stretch(position)?;
        self.record(&stretch, position)
    }

    /// A record of a batch of this group.
    pub(crate) fn local(&mut self, entry: usize, index: u32) -> Result<RawRecord<'_>, ReadError> {
        let (Some(entry), Some(batch)) = (self.directory.entries.get(entry), self.batches.get_mut(entry))
        else {
            return Err(self.origin.damaged(&MISSING));
        };
        batch.record(entry, index).map_err(|e| self.origin.damaged(&e))
    }

    fn missing(&self) -> ReadError {
        self.origin.damaged(&MISSING)
    }
}

impl Batch {
    #[inline]
    fn record(&mut self, entry: &Entry, index: u32) -> Result<RawRecord<'_>, GroupError> {
        let bytes = self.bytes.as_ref().ok_or(MISSING)?;
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
            batch: bytes,
        })
    }
}

impl RawRecord<'_> {
    /// Bytes of the record, shared with its batch.
    pub(crate) fn share(&self, bytes: &[u8]) -> Bytes {
        self.batch.slice_ref(bytes)
    }
}

const MISSING: GroupError = GroupError("order names records that are not there");

struct FrameBody(Arc<Frame>);

impl AsRef<[u8]> for FrameBody {
    fn as_ref(&self) -> &[u8] {
        &self.0.body
    }
}

impl Origin {
    fn damaged(&self, error: &GroupError) -> ReadError {
        let file = match &self.file {
            File::OfJournal(reader) => reader.path(self.location.segment),
            File::Named(file) => file.clone(),
        };
        ReadError::Corrupt { what: group::corrupt(file, self.location.offset, error).to_string() }
    }
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
    let near = frames.frame_at(FrameKey::Position(position)).await?;
    let mut cursor = reader.frames(location(reader, near)?);
    let frame = cursor.next_where(|header| gives(header, position)).await?;
    frame.map(|frame| PlacedGroup::new(reader, frame)).transpose()
}

/// Whether a frame gives `position`.
fn gives(header: &FrameHeader, position: u64) -> bool {
    header.kind.uses_lsn()
        && header.first_position.0 <= position
        && position - header.first_position.0 < u64::from(header.count)
}

/// Finds one group after the other, with the same file and the same memory as long as possible. Of a group it reads the
/// directory, and of the batches those that are asked for (docs/decisions/0010-pieces-of-batches.md).
#[derive(Debug, Default)]
pub(crate) struct Finder {
    cursor: Option<FrameCursor>,
    /// The frame found last; the cursor is behind it.
    found: Option<Found>,
    /// Memory for directories.
    head: Vec<u8>,
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
        let cursor = self.cursor.get_or_insert_with(|| reader.frames(near));
        if let Some(before) = before {
            before.give_back(cursor);
        }
        // On the way there already, what lies between is not read again.
        let is_behind =
            |found: &Found| position >= found.header.first_position.0 + u64::from(found.header.count);
        let last = self.found.take();
        if cursor.location() < near || !last.as_ref().is_some_and(is_behind) {
            cursor.seek(near);
        }
        let Some(found) = cursor.find_where(|header| gives(header, position)).await? else { return Ok(None) };
        if found.frame.is_some() || found.header.masked {
            let frame = cursor.read(found.clone()).await?;
            self.found = Some(found);
            return PlacedGroup::new(reader, frame).map(Some);
        }
        let origin = Origin { file: File::OfJournal(reader.clone()), location: found.location };
        let body_bytes = found.header.body_bytes as usize;
        cursor.read_part(&found, 0..Head::PREFIX_BYTES.min(body_bytes), &mut self.head).await?;
        let head_bytes = Head::bytes(&self.head).map_err(|e| origin.damaged(&e))?;
        cursor.read_part(&found, 0..head_bytes.min(body_bytes), &mut self.head).await?;
        let head = Head::decode(&self.head, body_bytes).map_err(|e| origin.damaged(&e))?;
        let group = PlacedGroup::of_head(origin, found.header, head)?;
        self.found = Some(found);
        Ok(Some(group))
    }

    /// Reads the records of some positions of a stretch of the group that was found last, unless they are there: the
    /// batch, or for one position a piece of it.
    pub(crate) async fn load(
        &mut self,
        pieces: &Pieces,
        group: &mut PlacedGroup,
        stretch: &Stretch,
        positions: &Range<u64>,
    ) -> Result<(), ReadError> {
        let (Some(cursor), Some(found)) = (&mut self.cursor, &self.found) else { return Ok(()) };
        let PlacedGroup { batches, directory, origin, .. } = group;
        let Span { entry: number, lsn_distance, .. } = stretch.span;
        let (Some(batch), Some(entry)) =
            (batches.get_mut(number as usize), directory.entries.get(number as usize))
        else {
            return Ok(());
        };
        if lsn_distance > 0 || (batch.bytes.is_some() && batch.piece.is_none()) {
            return Ok(());
        }
        let key = (found.location, number);
        let one_only = positions.end - positions.start == 1;
        let known = if one_only { pieces.get(&key) } else { None };
        let piece = known.as_ref().and_then(|known| known.find(stretch.record(positions.start)?));
        if batch.bytes.is_some() && batch.piece == piece.as_ref().map(|(_, range)| range.clone()) {
            return Ok(());
        }
        let mut bytes = match batch.bytes.take() {
            Some(before) if before.is_unique() => before.into(),
            _ => cursor.take_memory(),
        };
        (batch.index, batch.piece) = (None, None);
        let Range { start, end } = batch.range;
        if let (Some(known), Some((at, piece))) = (known, piece) {
            cursor.read_part(found, start + piece.start..start + piece.end, &mut bytes).await?;
            batch.index = Some(known.verify(at, &bytes).map_err(|e| origin.damaged(&e))?);
            batch.piece = Some(piece);
        } else {
            cursor.read_part(found, start..end, &mut bytes).await?;
            let mut records = group::index(entry, &bytes).map_err(|e| origin.damaged(&e))?;
            if one_only {
                pieces.learn(key, &bytes, &mut records).map_err(|e| origin.damaged(&e))?;
            }
            batch.index = Some(records);
        }
        batch.bytes = Some(bytes.into());
        Ok(())
    }
}

impl Stretch {
    /// The number in its batch of a position's record.
    fn record(&self, position: u64) -> Option<u32> {
        u32::try_from(u64::from(self.span.record) + position.checked_sub(self.span.first)?).ok()
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
