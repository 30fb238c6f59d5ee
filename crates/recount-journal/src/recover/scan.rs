//! Scanning the end of a journal: which segment is active, and how far its frames reach and are proven.
//!
//! ```text
//!  | prologue | group 1 | group 2 | group 3 | 000     group 3 is unproven: copied
//!  | prologue | group 1 | seal | 000                  the seal proves group 1 and not itself: left out
//!  | prologue | group 1 | 000                         nothing is proven, the two are one write: the segment is
//!                                                     replaced, the proven journal ends in the segment before
//!  | 000                                              planned and not begun: dropped
//! ```

use std::path::Path;

use recount_env::{Env, OpenMode};

use super::create::Cut;
use super::*;

/// What the end of the journal looks like.
#[derive(Debug)]
pub(super) struct Scan {
    /// The segments that stay, oldest first; in the last one the proven journal ends.
    pub(super) segments: Vec<Listed>,
    /// The last of them.
    pub(super) active: Listed,
    /// The store's state in the newest prologue.
    pub(super) state: Vec<u8>,
    /// Where the frames after that state begin, and the lsn of the first of them.
    pub(super) state_as_of: (Location, Lsn),
    /// The end of what is proven to be on disk.
    pub(super) proven: Place,
    /// The last lsn found, proven or not.
    pub(super) last_lsn: Lsn,
    /// The last frame, if it is not proven to be on disk and has to be kept.
    pub(super) unproven: Option<Frame>,
    /// The store's bytes in the seal that ends the journal.
    pub(super) seal_state: Option<Vec<u8>>,
    /// All of it is proven and nothing stands behind it: writing may go on in place.
    pub(super) complete: bool,
    /// Bytes of a torn or dropped group.
    pub(super) cut: Option<Cut>,
}

/// The frames of one segment.
struct Walk {
    segment: Listed,
    prologue: Prologue,
    /// The place of the prologue.
    start: Place,
    /// The place of the last frame.
    last_place: Place,
    last: Frame,
    /// The place after it.
    place: Place,
    /// Frames behind the prologue.
    groups: u64,
    cut: Option<Cut>,
}

enum Walked {
    Begun(Box<Walk>),
    /// Only of a planned segment.
    NotBegun(Option<Cut>),
}

/// Finds the active segment and reads it.
pub(super) async fn scan_active(
    env: &Env,
    journal: &Path,
    manifest: &Manifest,
    closed: Option<&Closed>,
    decision: TailDecision,
) -> Result<Scan, OpenError> {
    check_sizes(env, journal, manifest).await?;
    let Some((&last, before)) = manifest.segments.split_last() else {
        return Err(corrupt(manifest.path(journal), 0, "lists no segment"));
    };
    let walker = Walker { env, journal, id: manifest.journal, closed };
    // A planned segment behind the end of a clean close was not begun, whatever its bytes are by now.
    let is_behind_close = last.planned && closed.is_some_and(|closed| closed.end.segment != last.name);
    let walked = if is_behind_close { Walked::NotBegun(None) } else { walker.walk(last, decision).await? };
    let mut scan = match walked {
        Walked::Begun(walk) => scan_of(journal, &manifest.segments, *walk, closed.is_some())?,
        Walked::NotBegun(cut) => {
            let Some(&active) = before.last() else {
                return Err(corrupt(journal.join(last.name.file_name()), 0, "the first segment is empty"));
            };
            // What stands there proves that every group before it was synced; then no damage is a matter of opinion.
            let opinion = if cut.is_some() { TailDecision::AcceptLoss } else { decision };
            let Walked::Begun(walk) = walker.walk(active, opinion).await? else {
                let file = journal.join(active.name.file_name());
                return Err(corrupt(file, 0, "a segment in the middle of the journal is empty"));
            };
            match cut {
                None => scan_of(journal, before, *walk, closed.is_some())?,
                Some(cut) => scan_before_torn_roll(journal, before, *walk, last.name, cut, decision)?,
            }
        }
    };
    if let Some(closed) = closed {
        scan.check_closed(journal, manifest.journal, closed)?;
    }
    // From now on they are what they are.
    scan.segments.iter_mut().for_each(|segment| segment.planned = false);
    Ok(scan)
}

/// What the walk of the last segment that was begun says. After a clean close all of it is proven.
fn scan_of(journal: &Path, segments: &[Listed], walk: Walk, closed: bool) -> Result<Scan, OpenError> {
    let is_seal = walk.last.header.kind == FrameKind::Seal;
    let is_untouched = walk.groups == 0 && walk.prologue.predecessor.is_none() && walk.cut.is_none();
    let mut scan = Scan {
        segments: segments.to_vec(),
        active: walk.segment,
        state_as_of: (Location { segment: walk.segment.name, offset: 0 }, walk.start.lsn),
        proven: if walk.groups == 0 { walk.place } else { walk.last_place },
        last_lsn: Lsn(walk.place.lsn.0 - 1),
        seal_state: is_seal.then(|| walk.last.body.clone()),
        unproven: walk.last.header.kind.uses_lsn().then_some(walk.last),
        complete: closed || is_untouched,
        state: walk.prologue.state,
        cut: walk.cut,
    };
    if scan.complete {
        scan.proven = walk.place;
        scan.unproven = None;
    } else if let Some(predecessor) = walk.prologue.predecessor.filter(|_| walk.groups <= 1) {
        let before = segments.iter().rev().nth(1).filter(|before| before.name == predecessor.segment);
        let Some(&before) = before else {
            let file = journal.join(walk.segment.name.file_name());
            return Err(corrupt(file, 0, "the prologue does not name the segment before it"));
        };
        scan.segments.pop();
        scan.active = before;
        scan.proven = Place { segment: before.name.first_lsn, offset: predecessor.end, ..walk.start };
        scan.state_as_of.0 = Location { segment: before.name, offset: predecessor.end };
    }
    Ok(scan)
}

/// The first write of the segment `torn` did not reach the disk whole; `walk` is of the segment before it.
fn scan_before_torn_roll(
    journal: &Path,
    segments: &[Listed],
    walk: Walk,
    torn: SegmentName,
    cut: Cut,
    decision: TailDecision,
) -> Result<Scan, OpenError> {
    let reached = walk.place.lsn;
    if reached == torn.first_lsn {
        let mut scan = scan_of(journal, segments, walk, true)?;
        scan.complete = false;
        scan.cut = Some(cut);
        return Ok(scan);
    }
    if let Some(damage) = &walk.cut {
        let what = format!("{}; the next segment, from lsn {}, was begun", damage.what, torn.first_lsn);
        return Err(corrupt(journal.join(walk.segment.name.file_name()), walk.place.offset, what));
    }
    if decision == TailDecision::Refuse {
        let what = format!(
            "bytes where nothing was to be written before lsn {}, but the journal ends with lsn {}",
            torn.first_lsn,
            reached.0 - 1
        );
        return Err(OpenError::Uncertain { file: journal.join(torn.file_name()), offset: cut.offset, what });
    }
    let mut scan = scan_of(journal, segments, walk, false)?;
    scan.complete = false;
    scan.cut = Some(cut);
    Ok(scan)
}

impl Scan {
    /// The marker of a clean close must say what was found.
    fn check_closed(&mut self, journal: &Path, id: [u8; 16], closed: &Closed) -> Result<(), OpenError> {
        let end = Location { segment: self.active.name, offset: self.proven.offset };
        let right = self.complete
            && closed.journal == id
            && closed.end == end
            && closed.last_lsn == self.last_lsn
            && self.seal_state.is_some();
        if right {
            return Ok(());
        }
        let what = format!(
            "the database was closed at offset {} of segment {} with lsn {}, but frames end here with lsn {}",
            closed.end.offset, closed.end.segment, closed.last_lsn, self.last_lsn
        );
        Err(corrupt(journal.join(self.active.name.file_name()), self.proven.offset, what))
    }
}

/// Every listed segment must be there in full length.
async fn check_sizes(env: &Env, journal: &Path, manifest: &Manifest) -> Result<(), OpenError> {
    for segment in &manifest.segments {
        let file = journal.join(segment.name.file_name());
        let failed = || OpenError::io(format!("open {}", file.display()));
        let length = match env.files.open(&file, OpenMode::Read).await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(corrupt(file, 0, "the manifest lists this segment, but it is missing"));
            }
            other => other.map_err(failed())?.len().await.map_err(failed())?,
        };
        if length < segment.bytes {
            let what = format!("the segment is cut: it has {length} bytes, its size is {}", segment.bytes);
            return Err(corrupt(file, length, what));
        }
    }
    Ok(())
}

struct Walker<'a> {
    env: &'a Env,
    journal: &'a Path,
    id: [u8; 16],
    closed: Option<&'a Closed>,
}

impl Walker<'_> {
    /// Verifies the frames of one segment and classifies what stands after them.
    async fn walk(&self, segment: Listed, decision: TailDecision) -> Result<Walked, OpenError> {
        let file = self.journal.join(segment.name.file_name());
        let damaged = |offset, what: &str| corrupt(file.clone(), offset, what);
        let bytes = read_whole(self.env, &file, segment.bytes).await?;
        let proven_end = self.closed.filter(|c| c.end.segment == segment.name).map(|c| c.end.offset);
        let start = first_place(self.id, segment, &bytes);
        let mut place = start;
        let mut last: Option<(FrameHeader, u32, Place)> = None;
        let mut groups = 0;
        let cut = loop {
            let at = usize::try_from(place.offset).unwrap_or(usize::MAX).min(bytes.len());
            let rest = &bytes[at..];
            let is_first = place.offset == 0;
            let what = match classify(&place, rest, proven_end) {
                Verdict::Frame(header, crc) => {
                    if is_first != (header.kind == FrameKind::Prologue) {
                        return Err(damaged(place.offset, "a prologue is missing or misplaced"));
                    }
                    last = Some((*header, crc, place));
                    place = place.after(&header, crc);
                    groups += u64::from(!is_first);
                    continue;
                }
                Verdict::Corrupt(what) => return Err(damaged(place.offset, &what)),
                Verdict::End if is_first && !segment.planned => {
                    return Err(damaged(0, "a segment that was begun is empty"));
                }
                Verdict::Torn(what) | Verdict::Uncertain(what) if is_first && !segment.planned => {
                    return Err(damaged(
                        0,
                        &format!("{what}; this one had been synced before it was listed"),
                    ));
                }
                Verdict::End => break None,
                Verdict::Uncertain(what) if decision == TailDecision::Refuse => {
                    return Err(OpenError::Uncertain { file, offset: place.offset, what });
                }
                Verdict::Torn(what) | Verdict::Uncertain(what) => what,
            };
            let used = rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let bytes = rest[..used].to_vec();
            break Some(Cut { segment: segment.name, offset: place.offset, bytes, what });
        };
        let Some((header, crc, last_place)) = last else { return Ok(Walked::NotBegun(cut)) };
        let frame_of = |header, crc, offset: u64| Frame {
            header,
            crc,
            location: Location { segment: segment.name, offset },
            body: body(&header, crc, &bytes[offset as usize..]),
        };
        let prologue = self
            .prologue(segment, &bytes)
            .ok_or_else(|| damaged(0, "the prologue does not fit its segment"))?;
        let last = frame_of(header, crc, last_place.offset);
        Ok(Walked::Begun(Box::new(Walk { segment, prologue, start, last_place, last, place, groups, cut })))
    }

    /// The prologue of a segment whose first frame was verified.
    fn prologue(&self, segment: Listed, bytes: &[u8]) -> Option<Prologue> {
        let (header, crc) = FrameHeader::decode(bytes.first_chunk()?).ok()?;
        let prologue = Prologue::decode(&body(&header, crc, bytes))?;
        (prologue.segment_bytes == segment.bytes).then_some(prologue)
    }
}

/// The body of a frame that was verified.
fn body(header: &FrameHeader, crc: u32, frame: &[u8]) -> Vec<u8> {
    let stored = &frame[HEADER_BYTES..header.frame_bytes() as usize];
    frame::decode_body(header, crc, stored).expect("classify verified this body")
}

/// Where the prologue of a segment must lie. What only the segment before could tell is taken from it.
fn first_place(journal: [u8; 16], segment: Listed, bytes: &[u8]) -> Place {
    let previous_crc = bytes
        .first_chunk::<HEADER_BYTES>()
        .and_then(|header| FrameHeader::decode(header).ok())
        .map_or(0, |(header, _)| header.previous_crc);
    Place {
        journal,
        segment: segment.name.first_lsn,
        offset: 0,
        epoch: segment.name.epoch,
        lsn: segment.name.first_lsn,
        previous_crc,
    }
}

async fn read_whole(env: &Env, path: &Path, length: u64) -> Result<Vec<u8>, OpenError> {
    let failed = || OpenError::io(format!("read {}", path.display()));
    let file = env.files.open(path, OpenMode::Read).await.map_err(failed())?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = file.read_at(0, &mut bytes).await.map_err(failed())?;
    bytes.truncate(read);
    Ok(bytes)
}

fn corrupt(file: std::path::PathBuf, offset: u64, what: impl Into<String>) -> OpenError {
    OpenError::Corrupt(Corruption { file, offset, what: what.into() })
}
