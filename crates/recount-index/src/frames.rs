//! The sparse frame table: from positions, times and lsns back to places in the journal. It keeps the first
//! frame of every segment and then about one per 32 KiB, so that a look-up ends at most that far before the
//! frame wanted.

use crate::error::Flaw;
use crate::wire::{Reader, put_varint};

/// Within a segment, a frame is kept when it begins this far behind the last one kept.
pub const FRAME_SPACING_BYTES: u64 = 32 << 10;

/// Where a frame of the journal begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameRef {
    /// The frame's number.
    pub lsn: u64,
    /// First lsn of its segment, and with the epoch the segment's name.
    pub segment_first_lsn: u64,
    /// Epoch of its segment.
    pub segment_epoch: u64,
    /// Where it begins in the segment, bytes.
    pub offset: u64,
    /// Position of its first event, or the next position to be given if it has none.
    pub first_position: u64,
    /// Its append time, µs.
    pub append_time: i64,
}

/// What a frame is looked up by: the greatest one that does not exceed the value. All three ascend together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKey {
    /// The frame's first position.
    Position(u64),
    /// The frame's append time, µs.
    Time(i64),
    /// The frame's number.
    Lsn(u64),
}

impl FrameKey {
    pub(crate) fn admits(self, frame: &FrameRef) -> bool {
        match self {
            FrameKey::Position(position) => frame.first_position <= position,
            FrameKey::Time(time) => frame.append_time <= time,
            FrameKey::Lsn(lsn) => frame.lsn <= lsn,
        }
    }
}

/// The frames kept so far, in journal order.
#[derive(Debug, Default)]
pub(crate) struct FrameTable {
    kept: Vec<FrameRef>,
}

impl FrameTable {
    /// Keeps the frame if it is far enough from the last one kept.
    #[inline]
    pub(crate) fn add(&mut self, frame: FrameRef) {
        if let Some(last) = self.kept.last() {
            assert!(ascends(last, &frame), "frames are indexed in journal order: {last:?} then {frame:?}");
            let same_segment = (last.segment_first_lsn, last.segment_epoch)
                == (frame.segment_first_lsn, frame.segment_epoch);
            if same_segment && frame.offset < last.offset + FRAME_SPACING_BYTES {
                return;
            }
        }
        self.kept.push(frame);
    }

    pub(crate) fn kept(&self) -> &[FrameRef] {
        &self.kept
    }

    pub(crate) fn find(&self, key: FrameKey) -> Option<FrameRef> {
        find(&self.kept, key).map(|at| self.kept[at])
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.kept.capacity() * size_of::<FrameRef>()
    }
}

/// Index of the last frame that `key` admits.
pub(crate) fn find(frames: &[FrameRef], key: FrameKey) -> Option<usize> {
    frames.partition_point(|frame| key.admits(frame)).checked_sub(1)
}

fn ascends(before: &FrameRef, after: &FrameRef) -> bool {
    before.lsn < after.lsn
        && before.first_position <= after.first_position
        && before.append_time <= after.append_time
}

/// Writes `frame` as differences to `before` (all zero for the first of a page).
pub(crate) fn put_frame(out: &mut Vec<u8>, before: &FrameRef, frame: &FrameRef) {
    put_varint(out, frame.lsn.wrapping_sub(before.lsn));
    put_varint(out, frame.segment_first_lsn.wrapping_sub(before.segment_first_lsn));
    put_varint(out, frame.segment_epoch.wrapping_sub(before.segment_epoch));
    let offset_before = if same_segment(before, frame) { before.offset } else { 0 };
    put_varint(out, frame.offset.wrapping_sub(offset_before));
    put_varint(out, frame.first_position.wrapping_sub(before.first_position));
    put_varint(out, frame.append_time.wrapping_sub(before.append_time) as u64);
}

/// Reads what [`put_frame`] wrote.
fn read_frame(reader: &mut Reader<'_>, before: &FrameRef) -> Result<FrameRef, Flaw> {
    let mut frame = FrameRef {
        lsn: before.lsn.wrapping_add(reader.varint()?),
        segment_first_lsn: before.segment_first_lsn.wrapping_add(reader.varint()?),
        segment_epoch: before.segment_epoch.wrapping_add(reader.varint()?),
        ..FrameRef::default()
    };
    let offset_before = if same_segment(before, &frame) { before.offset } else { 0 };
    frame.offset = offset_before.wrapping_add(reader.varint()?);
    frame.first_position = before.first_position.wrapping_add(reader.varint()?);
    frame.append_time = before.append_time.wrapping_add(reader.varint()? as i64);
    Ok(frame)
}

/// Reads frames up to the end of the piece.
pub(crate) fn read_frames(reader: &mut Reader<'_>) -> Result<Vec<FrameRef>, Flaw> {
    let mut frames: Vec<FrameRef> = Vec::new();
    while !reader.is_empty() {
        let before = frames.last().copied();
        let frame = read_frame(reader, &before.unwrap_or_default())?;
        if before.is_some_and(|before| !ascends(&before, &frame)) {
            return Err(reader.flaw("frames are not in journal order"));
        }
        frames.push(frame);
    }
    Ok(frames)
}

/// The root of a frame table: the first frame of each page, and where the page is.
#[derive(Debug, Default)]
pub(crate) struct FrameRoot {
    pub(crate) firsts: Vec<FrameRef>,
    pub(crate) pages: Vec<(u64, usize)>,
}

impl FrameRoot {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut before = FrameRef::default();
        for (first, (offset, len)) in self.firsts.iter().zip(&self.pages) {
            put_frame(&mut out, &before, first);
            put_varint(&mut out, *offset);
            put_varint(&mut out, *len as u64);
            before = *first;
        }
        out
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<FrameRoot, Flaw> {
        let mut reader = Reader::new(payload);
        let mut root = FrameRoot::default();
        while !reader.is_empty() {
            let before = root.firsts.last().copied();
            let first = read_frame(&mut reader, &before.unwrap_or_default())?;
            if before.is_some_and(|before| !ascends(&before, &first)) {
                return Err(reader.flaw("frames are not in journal order"));
            }
            root.firsts.push(first);
            root.pages.push((reader.varint()?, reader.length()?));
        }
        Ok(root)
    }
}

fn same_segment(a: &FrameRef, b: &FrameRef) -> bool {
    (a.segment_first_lsn, a.segment_epoch) == (b.segment_first_lsn, b.segment_epoch)
}

#[cfg(test)]
mod tests;
