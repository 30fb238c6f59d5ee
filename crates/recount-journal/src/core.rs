//! The writer's state machine, without I/O: what bytes go where, in what order.
//!
//! One frame is in flight at most: after [`Input::Frame`] comes [`Input::Synced`] or [`Input::Failed`], and
//! after a failure nothing is accepted any more.
//!
//! ```text
//!  page k                          page k+1
//!  |..frame n-1|frame n            |frame n   |000000000|
//!  ^ write starts here: the page's earlier bytes are written again, unchanged, from our own copy
//! ```

use recount_types::{Epoch, Lsn, Position, Time};

use crate::frame::{self, FrameHeader, FrameKind, Place};
use crate::segment::{Location, Predecessor, Prologue, SegmentName};

/// Writes begin and end at multiples of this.
pub(crate) const PAGE: u64 = 4096;
/// Space kept free at the end of a segment for its last seals: one when idle, one when closing.
const SEAL_RESERVE: u64 = 2048;

/// What happened outside.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// The next segment exists and is listed; the next frame goes there.
    Roll { name: SegmentName, segment_bytes: u64, state: &'a [u8], salt: [u8; 16] },
    /// Write this frame.
    Frame(Draft<'a>),
    /// The write and its sync returned.
    Synced,
    /// The write or its sync failed.
    Failed(String),
}

/// What to frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) kind: FrameKind,
    pub(crate) first_position: Position,
    pub(crate) count: u32,
    pub(crate) append_time: Time,
    pub(crate) salt: [u8; 16],
    pub(crate) body: &'a [u8],
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Nothing yet.
    None,
    /// Write [`Core::bytes`] at this offset of the current segment, then sync it.
    Write { offset: u64 },
    /// This frame is durable.
    Durable { header: FrameHeader, crc: u32, location: Location },
}

/// The state of the writer.
#[derive(Debug)]
pub(crate) struct Core {
    epoch: Epoch,
    place: Place,
    name: SegmentName,
    segment_bytes: u64,
    /// From the start of the page in which `place` lies, up to `place`; in flight, the whole write.
    buffer: Vec<u8>,
    durable: Lsn,
    flight: Flight,
    sealed: bool,
    /// The buffer begins with a prologue that no write has taken along yet.
    unwritten: bool,
}

#[derive(Debug)]
enum Flight {
    Grounded,
    Underway { header: FrameHeader, crc: u32, next: Place },
    Failed(String),
}

impl Core {
    /// Goes on after `place` in the segment `name`; `page` holds the bytes of its page before `place`.
    pub(crate) fn resume(
        epoch: Epoch,
        name: SegmentName,
        segment_bytes: u64,
        place: Place,
        page: Vec<u8>,
        sealed: bool,
    ) -> Core {
        assert_eq!(page.len() as u64, place.offset % PAGE, "the page holds what lies before the place");
        let durable = Lsn(place.lsn.0 - 1);
        Core {
            epoch,
            place,
            name,
            segment_bytes,
            buffer: page,
            durable,
            flight: Flight::Grounded,
            sealed,
            unwritten: false,
        }
    }

    /// One step.
    pub(crate) fn step(&mut self, input: Input<'_>) -> Output {
        match input {
            Input::Roll { name, segment_bytes, state, salt } => self.roll(name, segment_bytes, state, salt),
            Input::Frame(draft) => self.frame(draft),
            Input::Synced => self.synced(),
            Input::Failed(what) => {
                self.flight = Flight::Failed(what);
                Output::None
            }
        }
    }

    /// Why nothing is accepted any more.
    pub(crate) fn failure(&self) -> Option<&str> {
        match &self.flight {
            Flight::Failed(what) => Some(what),
            _ => None,
        }
    }

    /// A frame was asked for, and neither its sync nor its failure was told.
    pub(crate) fn is_in_flight(&self) -> bool {
        matches!(self.flight, Flight::Underway { .. })
    }

    /// The journal rolled, and nothing was written into the new segment yet.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.unwritten
    }

    /// The bytes of the write in flight.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// The segment being written.
    pub(crate) fn segment(&self) -> SegmentName {
        self.name
    }

    /// The size of the segment being written.
    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// Where the next frame goes.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The journal ends with a seal.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// The largest body that fits into the segment after a frame with a body of `in_flight` bytes.
    pub(crate) fn body_room_after(&self, in_flight: Option<usize>) -> usize {
        let start = self.place.offset + in_flight.map_or(0, frame::frame_bytes);
        let fixed = frame::frame_bytes(0) + SEAL_RESERVE;
        let room = self.segment_bytes.saturating_sub(start).saturating_sub(fixed);
        usize::try_from(room & !(frame::ALIGN - 1)).unwrap_or(usize::MAX)
    }

    fn roll(&mut self, name: SegmentName, segment_bytes: u64, state: &[u8], salt: [u8; 16]) -> Output {
        assert!(matches!(self.flight, Flight::Grounded), "a roll waits for the frame before it");
        assert!(!self.unwritten, "a segment without its prologue on disk would stay in the middle");
        assert_eq!(name.first_lsn, self.place.lsn, "a segment is named by the first lsn in it");
        assert!(
            name > self.name && name.epoch >= self.epoch,
            "every segment has a name of its own, in order"
        );
        self.epoch = name.epoch;
        let predecessor = Some(Predecessor { segment: self.name, end: self.place.offset });
        self.begin(name, segment_bytes, predecessor, state, salt);
        Output::None
    }

    /// Puts the prologue into the buffer; the first frame's write takes it along.
    fn begin(
        &mut self,
        name: SegmentName,
        segment_bytes: u64,
        predecessor: Option<Predecessor>,
        state: &[u8],
        salt: [u8; 16],
    ) {
        let place = Place { segment: name.first_lsn, offset: 0, epoch: self.epoch, ..self.place };
        let body = Prologue { segment_bytes, predecessor, state: state.to_vec() }.encode();
        let draft = Draft {
            kind: FrameKind::Prologue,
            first_position: Position(0),
            count: 0,
            append_time: Time(0),
            salt,
            body: &body,
        };
        self.buffer.clear();
        let (header, crc) = encode(&place, self.epoch, self.durable, draft, &mut self.buffer);
        self.place = place.after(&header, crc);
        self.name = name;
        self.segment_bytes = segment_bytes;
        self.sealed = false;
        self.unwritten = true;
    }

    fn frame(&mut self, draft: Draft<'_>) -> Output {
        assert!(matches!(self.flight, Flight::Grounded), "one frame is in flight at most");
        let offset = self.place.offset - self.buffer.len() as u64;
        assert!(offset.is_multiple_of(PAGE), "the buffer begins at a page");
        let (header, crc) = encode(&self.place, self.epoch, self.durable, draft, &mut self.buffer);
        let next = self.place.after(&header, crc);
        assert!(next.offset <= self.segment_bytes, "the caller asked for the room first");
        self.buffer.resize(self.buffer.len().next_multiple_of(PAGE as usize), 0);
        self.flight = Flight::Underway { header, crc, next };
        Output::Write { offset }
    }

    fn synced(&mut self) -> Output {
        let Flight::Underway { header, crc, next } = std::mem::replace(&mut self.flight, Flight::Grounded)
        else {
            panic!("only a frame in flight can be synced");
        };
        let location = Location { segment: self.name, offset: self.place.offset };
        self.place = next;
        self.durable = Lsn(next.lsn.0 - 1);
        self.sealed = header.kind == FrameKind::Seal;
        self.unwritten = false;
        let page_bytes = (next.offset % PAGE) as usize;
        let written_to = self.buffer.len() - if page_bytes == 0 { 0 } else { PAGE as usize };
        self.buffer.copy_within(written_to..written_to + page_bytes, 0);
        self.buffer.truncate(page_bytes);
        Output::Durable { header, crc, location }
    }
}

/// The bytes of a new segment whose first frames are a prologue and, after a crash, the unproven frame of the
/// segment before, which keeps its lsn. Returns them with the place after them.
pub(crate) fn new_segment(
    start: &Place,
    name: SegmentName,
    segment_bytes: u64,
    predecessor: Option<Predecessor>,
    state: &[u8],
    copied: Option<Draft<'_>>,
    salt: [u8; 16],
) -> (Vec<u8>, Place) {
    let place =
        Place { offset: 0, segment: name.first_lsn, epoch: name.epoch, lsn: name.first_lsn, ..*start };
    let mut core = Core::resume(name.epoch, name, segment_bytes, place, Vec::new(), false);
    core.begin(name, segment_bytes, predecessor, state, salt);
    if let Some(draft) = copied {
        let (header, crc) = encode(&core.place, core.epoch, core.durable, draft, &mut core.buffer);
        core.place = core.place.after(&header, crc);
    }
    (core.buffer, core.place)
}

/// Bytes of the prologue of a new journal: it has no predecessor and no state.
pub(crate) fn first_prologue_bytes() -> usize {
    let body = Prologue { segment_bytes: 0, predecessor: None, state: Vec::new() }.encode();
    frame::frame_bytes(body.len()) as usize
}

fn encode(
    place: &Place,
    epoch: Epoch,
    durable: Lsn,
    draft: Draft<'_>,
    out: &mut Vec<u8>,
) -> (FrameHeader, u32) {
    let mut header = FrameHeader {
        kind: draft.kind,
        masked: false,
        count: draft.count,
        journal: place.journal,
        epoch,
        segment: place.segment,
        offset: place.offset,
        lsn: place.lsn,
        first_position: draft.first_position,
        append_time: draft.append_time,
        durable_before: durable,
        salt: draft.salt,
        body_bytes: draft.body.len() as u32,
        body_crc: 0,
        previous_crc: place.previous_crc,
    };
    let crc = frame::encode_frame(&mut header, draft.body, out);
    (header, crc)
}

#[cfg(test)]
mod tests;
