//! Looking at a journal without opening it: nothing is locked, nothing is written, damage is told and stepped over.

use std::path::Path;

use recount_env::{Env, OpenMode};

use crate::directory::{Closed, Format, Listed, Manifest, Paths};
use crate::error::{Corruption, OpenError};
use crate::frame::{self, FrameHeader, HEADER_BYTES, HeaderError};
use crate::reader::Frame;
use crate::segment::{Location, Prologue, SegmentName};

/// What is found on the way, in the order in which it lies.
#[derive(Debug)]
pub enum Found {
    /// A segment begins; its file's length, or `None` if it is missing.
    Segment(Listed, Option<u64>),
    /// A valid frame. A group after which the journal went on elsewhere is told as [`Found::Superseded`].
    Frame(Frame),
    /// A valid frame behind the end that the next segment's prologue tells: its copy is there.
    Superseded(Location),
    /// Bytes that are no frame.
    Damage(Corruption),
}

/// The files beside the segments.
#[derive(Debug)]
pub struct Overview {
    /// FORMAT.
    pub format: Format,
    /// The current manifest.
    pub manifest: Manifest,
    /// The marker of a clean close.
    pub closed: Option<Closed>,
}

/// Reads the files beside the segments.
pub async fn overview(env: &Env, root: &Path) -> Result<Overview, OpenError> {
    let journal = Paths::new(root).journal();
    let format = Format::read(env, root).await?.ok_or_else(|| OpenError::NotADatabase(root.to_owned()))?;
    let manifest = Manifest::read_current(env, &journal).await?.ok_or_else(|| {
        OpenError::Corrupt(Corruption {
            file: journal.clone(),
            offset: 0,
            what: "has no MANIFEST file".to_owned(),
        })
    })?;
    let closed = Closed::read(env, &journal, manifest.epoch).await?;
    Ok(Overview { format, manifest, closed })
}

/// Walks all segments. `visit` returns false to stop.
pub async fn walk(
    env: &Env,
    root: &Path,
    overview: &Overview,
    mut visit: impl FnMut(Found) -> bool,
) -> Result<(), OpenError> {
    let journal = Paths::new(root).journal();
    let segments = &overview.manifest.segments;
    for (index, &listed) in segments.iter().enumerate() {
        let bytes = read(env, &journal, listed.name).await?;
        if !visit(Found::Segment(listed, bytes.as_ref().map(|bytes| bytes.len() as u64))) {
            return Ok(());
        }
        let Some(bytes) = bytes else { continue };
        let next = segments.get(index + 1).map(|next| next.name);
        let end = match next {
            Some(next) => end_told_by(env, &journal, next, listed.name).await?,
            None => None,
        };
        let segment = Segment {
            journal: overview.format.database,
            path: journal.join(listed.name.file_name()),
            name: listed.name,
        };
        if !segment.walk(&bytes, end, &mut visit) {
            return Ok(());
        }
    }
    Ok(())
}

struct Segment {
    journal: [u8; 16],
    path: std::path::PathBuf,
    name: SegmentName,
}

impl Segment {
    fn walk(&self, bytes: &[u8], end: Option<u64>, visit: &mut impl FnMut(Found) -> bool) -> bool {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let location = Location { segment: self.name, offset: at as u64 };
            let beyond = end.is_some_and(|end| at as u64 >= end);
            match self.frame(location, rest) {
                Ok(frame) => {
                    at += frame.header.frame_bytes() as usize;
                    let found = if beyond { Found::Superseded(location) } else { Found::Frame(frame) };
                    if !visit(found) {
                        return false;
                    }
                }
                Err(_) if beyond => return true,
                Err(what) => {
                    let next = self.next_frame(bytes, at);
                    let nothing_more = next.is_none() && rest.iter().all(|&byte| byte == 0);
                    let is_end = nothing_more && end.is_none_or(|end| at as u64 >= end);
                    let damage = Corruption { file: self.path.clone(), offset: at as u64, what };
                    if !is_end && !visit(Found::Damage(damage)) {
                        return false;
                    }
                    match next {
                        Some(next) => at = next,
                        None => return true,
                    }
                }
            }
        }
        true
    }

    fn frame(&self, location: Location, rest: &[u8]) -> Result<Frame, String> {
        let header = rest.first_chunk::<HEADER_BYTES>().ok_or("the segment ends within a header")?;
        let (header, crc) = FrameHeader::decode(header).map_err(|error: HeaderError| error.to_string())?;
        if !self.is_here(&header, location.offset) {
            return Err("a frame of another place lies here".to_owned());
        }
        let whole = usize::try_from(header.frame_bytes()).ok().and_then(|bytes| rest.get(..bytes));
        let whole = whole.ok_or("a frame reaches beyond the end of its segment")?;
        let body =
            frame::decode_body(&header, crc, &whole[HEADER_BYTES..]).map_err(|error| error.to_string())?;
        Ok(Frame { header, crc, location, body })
    }

    fn is_here(&self, header: &FrameHeader, offset: u64) -> bool {
        header.journal == self.journal && header.segment == self.name.first_lsn && header.offset == offset
    }

    /// Where the next valid header after `at` lies.
    fn next_frame(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let step = frame::ALIGN as usize;
        let mut at = (at + 1).next_multiple_of(step);
        while let Some(candidate) = bytes.get(at..).and_then(|rest| rest.first_chunk::<HEADER_BYTES>()) {
            if FrameHeader::decode(candidate).is_ok_and(|(header, _)| self.is_here(&header, at as u64)) {
                return Some(at);
            }
            at += step;
        }
        None
    }
}

/// Where a segment ends, if the prologue of the next one is there to tell.
async fn end_told_by(
    env: &Env,
    journal: &Path,
    next: SegmentName,
    segment: SegmentName,
) -> Result<Option<u64>, OpenError> {
    let Some(bytes) = read(env, journal, next).await? else { return Ok(None) };
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let Ok((header, crc)) = FrameHeader::decode(header) else { return Ok(None) };
    let stored =
        usize::try_from(header.frame_bytes()).ok().and_then(|length| bytes.get(HEADER_BYTES..length));
    let body = stored.and_then(|stored| frame::decode_body(&header, crc, stored).ok());
    let predecessor = body.and_then(|body| Prologue::decode(&body)).and_then(|prologue| prologue.predecessor);
    Ok(predecessor.filter(|predecessor| predecessor.segment == segment).map(|predecessor| predecessor.end))
}

async fn read(env: &Env, journal: &Path, name: SegmentName) -> Result<Option<Vec<u8>>, OpenError> {
    let path = journal.join(name.file_name());
    let failed = || OpenError::io(format!("read {}", path.display()));
    let file = match env.files.open(&path, OpenMode::Read).await {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed())?,
    };
    let length = file.len().await.map_err(failed())?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = file.read_at(0, &mut bytes).await.map_err(failed())?;
    bytes.truncate(read);
    Ok(Some(bytes))
}
