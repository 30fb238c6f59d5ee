//! Reading back: frames in order from a location, each verified. Sees only what was synced.
//!
//! A reader never waits and takes no lock that a write holds during I/O.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use recount_env::{Env, File, OpenMode};
use recount_types::Lsn;

use crate::error::{Corruption, JournalError};
use crate::frame::{self, FrameHeader, HEADER_BYTES, Place};
use crate::segment::{Location, Prologue, SegmentName};
use crate::tail::Tail;

/// A verified frame.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its header.
    pub header: FrameHeader,
    /// Its header's CRC.
    pub crc: u32,
    /// Where it lies.
    pub location: Location,
    /// Its body, unmasked.
    pub body: Vec<u8>,
}

/// A frame whose header was verified. Its body was not read yet, unless it is among the newest.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its header.
    pub header: FrameHeader,
    /// Where it lies.
    pub location: Location,
    /// All of it, if it is in memory.
    pub frame: Option<Arc<Frame>>,
    crc: u32,
    /// End of what may be read of its segment.
    end: u64,
    /// What the frame before it determined.
    place: Option<Place>,
}

/// What readers and the writer share.
pub(crate) struct Shared {
    pub(crate) env: Env,
    pub(crate) directory: PathBuf,
    pub(crate) journal: [u8; 16],
    table: Mutex<Table>,
    tail: Mutex<Tail>,
}

/// The segments that hold frames, oldest first; the last is the active one.
struct Table {
    segments: Vec<Entry>,
    /// End of what is synced in the last segment.
    synced_end: u64,
    synced_lsn: Lsn,
}

struct Entry {
    name: SegmentName,
    /// Known for all but the last once a reader has needed it.
    end: Option<u64>,
}

impl Shared {
    pub(crate) fn new(
        env: Env,
        directory: PathBuf,
        journal: [u8; 16],
        segments: Vec<SegmentName>,
        synced_end: u64,
        synced_lsn: Lsn,
        tail_bytes_max: usize,
    ) -> Shared {
        let segments = segments.into_iter().map(|name| Entry { name, end: None }).collect();
        let table = Mutex::new(Table { segments, synced_end, synced_lsn });
        Shared { env, directory, journal, table, tail: Mutex::new(Tail::new(tail_bytes_max)) }
    }

    /// A frame was synced.
    pub(crate) fn synced(&self, frame: Arc<Frame>, place: &Place) {
        lock(&self.tail).push(frame);
        let mut table = lock(&self.table);
        table.synced_end = place.offset;
        table.synced_lsn = Lsn(place.lsn.0 - 1);
    }

    /// The writer went on to a new segment, synced up to `place`; `end` is where the one before it ends.
    pub(crate) fn rolled(&self, name: SegmentName, end: u64, synced_end: u64, synced_lsn: Lsn) {
        let mut table = lock(&self.table);
        if let Some(last) = table.segments.last_mut() {
            last.end = Some(end);
        }
        table.segments.push(Entry { name, end: None });
        table.synced_end = synced_end;
        table.synced_lsn = synced_lsn;
    }

    pub(crate) fn path(&self, name: SegmentName) -> PathBuf {
        self.directory.join(name.file_name())
    }

    /// What comes after `name`, and where `name` ends if that is known. A segment that is not listed was
    /// replaced by recovery and has no frames: they are in the one after it.
    fn extent(&self, name: SegmentName) -> Extent {
        let table = lock(&self.table);
        let (end, after) = match table.segments.binary_search_by_key(&name, |entry| entry.name) {
            Ok(at) if at + 1 == table.segments.len() => (Some(table.synced_end), at + 1),
            Ok(at) => (table.segments.get(at).and_then(|entry| entry.end), at + 1),
            Err(at) => (Some(0), at),
        };
        Extent { end, next: table.segments.get(after).map(|entry| entry.name) }
    }

    fn learn_end(&self, name: SegmentName, end: u64) {
        let mut table = lock(&self.table);
        if let Some(entry) = table.segments.iter_mut().find(|entry| entry.name == name) {
            entry.end = Some(end);
        }
    }
}

struct Extent {
    end: Option<u64>,
    next: Option<SegmentName>,
}

/// A handle for reading. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Reader {
        Reader { shared }
    }

    /// The file of a segment.
    pub fn path(&self, segment: SegmentName) -> PathBuf {
        self.shared.path(segment)
    }

    /// The segments that hold frames, oldest first.
    pub fn segments(&self) -> Vec<SegmentName> {
        lock(&self.shared.table).segments.iter().map(|entry| entry.name).collect()
    }

    /// The last lsn that is synced.
    pub fn synced_lsn(&self) -> Lsn {
        lock(&self.shared.table).synced_lsn
    }

    /// Where the next frame will be written, for showing.
    pub fn synced_end(&self) -> Option<Location> {
        let table = lock(&self.shared.table);
        table.segments.last().map(|last| Location { segment: last.name, offset: table.synced_end })
    }

    /// The beginning of the oldest segment.
    pub fn first(&self) -> Option<Location> {
        let table = lock(&self.shared.table);
        table.segments.first().map(|entry| Location { segment: entry.name, offset: 0 })
    }

    /// Reads frames in order from the one that begins at `from`, prologues and seals included. A location that
    /// was good once stays good: if recovery copied its frame elsewhere, reading begins with the next one there is.
    pub fn frames(&self, from: Location) -> FrameCursor {
        FrameCursor::new(self.shared.clone(), from)
    }
}

/// Reads frames in order. After `None` it can be asked again: there may be more by then.
pub struct FrameCursor {
    shared: Arc<Shared>,
    segment: SegmentName,
    offset: u64,
    /// What the frame before determined; `None` before the first.
    place: Option<Place>,
    file: Option<Arc<dyn File>>,
    window: Window,
    /// The memory of a body that is used no more.
    spare: Vec<u8>,
}

impl std::fmt::Debug for FrameCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameCursor").field("segment", &self.segment).field("offset", &self.offset).finish()
    }
}

impl FrameCursor {
    fn new(shared: Arc<Shared>, from: Location) -> FrameCursor {
        let Location { segment, offset } = from;
        let (window, spare) = (Window::default(), Vec::new());
        FrameCursor { shared, segment, offset, place: None, file: None, window, spare }
    }

    /// Goes to another frame, as [`Reader::frames`] does, and keeps the file open if it lies in the same one.
    pub fn seek(&mut self, to: Location) {
        if to.segment != self.segment {
            self.file = None;
            self.window = Window::default();
        }
        (self.segment, self.offset, self.place) = (to.segment, to.offset, None);
    }

    /// Where the next frame begins, if one does.
    pub fn location(&self) -> Location {
        Location { segment: self.segment, offset: self.offset }
    }

    /// Gives it the memory of a body that is used no more.
    pub fn give_back(&mut self, body: Vec<u8>) {
        self.spare = body;
    }

    /// Takes that memory for something else.
    pub fn take_memory(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// The next frame, or `None` at the synced end.
    pub async fn next(&mut self) -> Result<Option<Arc<Frame>>, JournalError> {
        self.next_where(|_| true).await
    }

    /// The next frame whose header satisfies `want`; the bodies of others are not read.
    pub async fn next_where(
        &mut self,
        want: impl Fn(&FrameHeader) -> bool,
    ) -> Result<Option<Arc<Frame>>, JournalError> {
        match self.find_where(want).await? {
            Some(found) => self.read(found).await.map(Some),
            None => Ok(None),
        }
    }

    /// The same without its body.
    pub async fn find_where(
        &mut self,
        want: impl Fn(&FrameHeader) -> bool,
    ) -> Result<Option<Found>, JournalError> {
        loop {
            let Some(end) = self.reach_frame().await? else { return Ok(None) };
            let (place, location) = (self.place, self.location());
            let frame = lock(&self.shared.tail).get(&location);
            let (header, crc) = match &frame {
                Some(frame) => (frame.header, frame.crc),
                None => self.read_header(end).await?,
            };
            self.advance(&header, crc);
            if want(&header) {
                return Ok(Some(Found { header, location, frame, crc, end, place }));
            }
        }
    }

    /// All of the frame that was found last. If it cannot be read, it is the next frame again.
    pub async fn read(&mut self, found: Found) -> Result<Arc<Frame>, JournalError> {
        let Found { header, location, frame, crc, end, place } = found;
        if let Some(frame) = frame {
            return Ok(frame);
        }
        match self.read_body(&header, crc, location.offset, end).await {
            Ok(body) => Ok(Arc::new(Frame { header, crc, location, body })),
            Err(error) => {
                (self.offset, self.place) = (location.offset, place);
                Err(error)
            }
        }
    }

    /// Bytes of the body of the frame that was found last and is not in memory, as `into`, **as they lie in the
    /// file**: for a caller that verifies them by checksums that are part of the body. Such a frame is not masked.
    pub async fn read_part(
        &mut self,
        found: &Found,
        part: Range<usize>,
        into: &mut Vec<u8>,
    ) -> Result<(), JournalError> {
        assert!(
            !found.header.masked && found.location.segment == self.segment,
            "found last, and readable in parts"
        );
        let Location { offset, .. } = found.location;
        if part.start > part.end || part.end > found.header.body_bytes as usize {
            return Err(self.corrupt(offset, "a part of a frame's body reaches beyond its end"));
        }
        let (from, length) = (offset + (HEADER_BYTES + part.start) as u64, part.len());
        self.fill(from, length, found.end, into).await?;
        if into.len() < length { Err(self.corrupt(offset, CUT)) } else { Ok(()) }
    }

    /// Moves to the next segment if this one is read to its end; returns the end of the segment that holds a frame here.
    async fn reach_frame(&mut self) -> Result<Option<u64>, JournalError> {
        loop {
            let extent = self.shared.extent(self.segment);
            let end = match (extent.end, extent.next) {
                (Some(end), _) => end,
                (None, Some(next)) => self.read_end(next).await?,
                (None, None) => return Ok(None),
            };
            if self.offset < end {
                return Ok(Some(end));
            }
            let Some(next) = extent.next else { return Ok(None) };
            self.segment = next;
            self.offset = 0;
            self.file = None;
            self.window = Window::default();
            if let Some(place) = &mut self.place {
                place.segment = next.first_lsn;
                place.offset = 0;
            }
        }
    }

    /// Reads from the prologue of `next` where the segment before it ends.
    async fn read_end(&self, next: SegmentName) -> Result<u64, JournalError> {
        let mut cursor = FrameCursor::new(self.shared.clone(), Location { segment: next, offset: 0 });
        let (header, crc) = cursor.read_header(u64::MAX).await?;
        let body = cursor.read_body(&header, crc, 0, u64::MAX).await?;
        let predecessor = Prologue::decode(&body).and_then(|prologue| prologue.predecessor);
        match predecessor {
            Some(predecessor) if predecessor.segment == self.segment => {
                self.shared.learn_end(self.segment, predecessor.end);
                Ok(predecessor.end)
            }
            _ => Err(cursor.corrupt(0, "does not name the segment before it")),
        }
    }

    async fn read_header(&mut self, end: u64) -> Result<(FrameHeader, u32), JournalError> {
        let bytes = self.bytes(self.offset, HEADER_BYTES, end).await?;
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(self.corrupt(self.offset, "a frame is missing: the file ends here"));
        };
        let (header, crc) = match FrameHeader::decode(bytes) {
            Ok(decoded) => decoded,
            Err(error) => return Err(self.corrupt(self.offset, error.to_string())),
        };
        let place = self.place.unwrap_or(Place {
            journal: self.shared.journal,
            segment: self.segment.first_lsn,
            offset: self.offset,
            epoch: header.epoch,
            lsn: header.lsn,
            previous_crc: header.previous_crc,
        });
        if let Err(misplaced) = place.check(&header) {
            return Err(self.corrupt(self.offset, misplaced.to_string()));
        }
        if end.checked_sub(self.offset).is_none_or(|rest| header.frame_bytes() > rest) {
            return Err(self.corrupt(self.offset, "a frame reaches beyond the end of its segment"));
        }
        Ok((header, crc))
    }

    /// The body of the frame at `offset`.
    async fn read_body(
        &mut self,
        header: &FrameHeader,
        crc: u32,
        offset: u64,
        end: u64,
    ) -> Result<Vec<u8>, JournalError> {
        let length = header.frame_bytes() as usize - HEADER_BYTES;
        let mut body = std::mem::take(&mut self.spare);
        self.fill(offset + HEADER_BYTES as u64, length, end, &mut body).await?;
        if body.len() < length {
            return Err(self.corrupt(offset, CUT));
        }
        match frame::into_body(header, crc, &mut body) {
            Ok(()) => Ok(body),
            Err(error) => Err(self.corrupt(offset, error.to_string())),
        }
    }

    /// Makes `into` the `length` bytes at `offset`, or fewer at the end of the file.
    async fn fill(
        &mut self,
        offset: u64,
        length: usize,
        end: u64,
        into: &mut Vec<u8>,
    ) -> Result<(), JournalError> {
        if length > READ_DIRECTLY_BYTES && !self.window.holds(offset, length) {
            return self.read_directly(offset, length, into).await;
        }
        into.clear();
        into.extend_from_slice(self.bytes(offset, length, end).await?);
        Ok(())
    }

    /// Reads a large frame's bytes to where they are wanted, but for those that the window holds already.
    async fn read_directly(
        &mut self,
        offset: u64,
        length: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), JournalError> {
        let held = self.window.get_from(offset, length);
        let held_bytes = held.len();
        into.truncate(length);
        let kept = into.len().min(held_bytes);
        into[..kept].copy_from_slice(&held[..kept]);
        into.extend_from_slice(&held[kept..]);
        into.resize(length, 0);
        let file = self.file().await?;
        let read = file.read_at(offset + held_bytes as u64, &mut into[held_bytes..]).await;
        let read = read.map_err(|error| self.unreadable(error))?;
        into.truncate(held_bytes + read);
        self.window.skip_to(offset + length as u64);
        Ok(())
    }

    fn advance(&mut self, header: &FrameHeader, crc: u32) {
        let place = Place {
            journal: self.shared.journal,
            segment: self.segment.first_lsn,
            offset: self.offset,
            epoch: header.epoch,
            lsn: header.lsn,
            previous_crc: header.previous_crc,
        };
        let after = place.after(header, crc);
        self.offset = after.offset;
        self.place = Some(after);
    }

    /// `length` bytes at `offset` of the current segment, fewer only at the end of the file. Nothing is kept
    /// from beyond `end`, where the writer may be writing.
    async fn bytes(&mut self, offset: u64, length: usize, end: u64) -> Result<&[u8], JournalError> {
        if !self.window.holds(offset, length) {
            let file = self.file().await?;
            let read = self.window.read(&*file, offset, length, end).await;
            read.map_err(|error| self.unreadable(error))?;
        }
        Ok(self.window.get(offset, length))
    }

    /// The file of the current segment.
    async fn file(&mut self) -> Result<Arc<dyn File>, JournalError> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let path = self.shared.path(self.segment);
        match self.shared.env.files.open(&path, OpenMode::Read).await {
            Ok(file) => Ok(self.file.insert(file).clone()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(self.corrupt(0, "the segment is missing")),
            Err(e) => Err(JournalError::io(format!("open {}", path.display()))(e)),
        }
    }

    fn unreadable(&self, error: io::Error) -> JournalError {
        JournalError::io(format!("read {}", self.shared.path(self.segment).display()))(error)
    }

    fn corrupt(&self, offset: u64, what: impl Into<String>) -> JournalError {
        let file = self.shared.path(self.segment);
        JournalError::Corrupt(Corruption { file, offset, what: what.into() })
    }
}

/// A buffered part of a file; grows while reads are sequential.
#[derive(Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
    next_read: usize,
}

const CUT: &str = "a frame is cut: the file ends within it";

const READ_BYTES_MIN: usize = 4 << 10;
/// So much at once is read to where it is wanted.
const READ_DIRECTLY_BYTES: usize = 16 << 10;
const READ_BYTES_MAX: usize = 512 << 10;

impl Window {
    fn holds(&self, offset: u64, length: usize) -> bool {
        offset >= self.start && offset + length as u64 <= self.start + self.bytes.len() as u64
    }

    fn get(&self, offset: u64, length: usize) -> &[u8] {
        let from = (offset.saturating_sub(self.start) as usize).min(self.bytes.len());
        let to = (from + length).min(self.bytes.len());
        &self.bytes[from..to]
    }

    /// Those bytes from `offset` that it holds, up to `length`.
    fn get_from(&self, offset: u64, length: usize) -> &[u8] {
        if self.holds(offset, 0) { self.get(offset, length) } else { &[] }
    }

    /// Gives up what it holds for what follows at `offset`: of frames as large as this one was, little is read ahead.
    fn skip_to(&mut self, offset: u64) {
        (self.start, self.next_read) = (offset, 0);
        self.bytes.clear();
    }

    /// Reads `length` bytes and, up to `end`, more.
    async fn read(&mut self, file: &dyn File, offset: u64, length: usize, end: u64) -> io::Result<()> {
        let sequential = offset >= self.start && offset <= self.start + self.bytes.len() as u64;
        self.next_read = if sequential {
            (self.next_read * 2).clamp(READ_BYTES_MIN, READ_BYTES_MAX)
        } else {
            READ_BYTES_MIN
        };
        self.start = offset;
        let up_to_end = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.bytes.resize(length.max(self.next_read.min(up_to_end)), 0);
        let read = file.read_at(offset, &mut self.bytes).await?;
        self.bytes.truncate(read);
        Ok(())
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
