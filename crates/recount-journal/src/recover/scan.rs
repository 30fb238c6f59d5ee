//! Scanning the end of a journal: which segment is active, and how far its frames reach.

use std::path::Path;

use recount_env::{Env, OpenMode};

use super::create::Cut;
use super::*;

/// What the end of the journal looks like.
#[derive(Debug)]
pub(super) struct Scan {
    /// The segments that hold frames, oldest first; the last is the active one.
    pub(super) segments: Vec<Listed>,
    /// The active segment.
    pub(super) active: Listed,
    /// The store's state in the newest prologue.
    pub(super) state: Vec<u8>,
    /// Where the frames after that state begin, and the lsn of the first of them.
    pub(super) state_as_of: (Location, Lsn),
    /// Where the next frame would go.
    pub(super) place: Place,
    /// The last frame, if it is not proven to be on disk and has to be kept.
    pub(super) unproven: Option<Frame>,
    /// The place of the last frame, if that is not proven to be on disk.
    unproven_place: Option<Place>,
    /// The store's bytes in the seal that ends the journal.
    pub(super) seal_state: Option<Vec<u8>>,
    /// The marker of a clean close is there and right.
    pub(super) clean: bool,
    /// Bytes of a torn or dropped group.
    pub(super) cut: Option<Cut>,
    first: FirstFrame,
}

/// The prologue of the active segment, as far as it matters for whether it is proven.
#[derive(Debug, Clone, Copy)]
struct FirstFrame {
    end: u64,
    previous_crc: u32,
    predecessor: Option<Predecessor>,
}

impl Scan {
    /// The end of what is proven to be on disk.
    pub(super) fn proven_place(&self) -> Place {
        self.unproven_place.unwrap_or(self.place)
    }

    /// Of a segment that was only planned, the prologue is written with the first frame: if nothing follows
    /// them, neither is proven, and the segment before is where the proven journal ends.
    fn fall_back_to(&mut self, before: Listed) -> Result<(), String> {
        let Some(predecessor) = self.first.predecessor.filter(|p| p.segment == before.name) else {
            return Err("the prologue does not name the segment before it".to_owned());
        };
        let lsn = self.active.name.first_lsn;
        self.unproven_place = Some(Place {
            segment: before.name.first_lsn,
            offset: predecessor.end,
            lsn,
            epoch: before.name.epoch,
            previous_crc: self.first.previous_crc,
            ..self.place
        });
        self.state_as_of = (Location { segment: before.name, offset: predecessor.end }, lsn);
        self.active = before;
        Ok(())
    }
}

/// Reads the active segment.
pub(super) async fn scan_active(
    env: &Env,
    journal: &Path,
    manifest: &Manifest,
    closed: Option<&Closed>,
    decision: TailDecision,
) -> Result<Scan, OpenError> {
    check_sizes(env, journal, manifest).await?;
    let corrupt = |name: SegmentName, offset, what: String| {
        OpenError::Corrupt(Corruption { file: journal.join(name.file_name()), offset, what })
    };
    let Some(&last) = manifest.segments.last() else {
        return Err(OpenError::Corrupt(Corruption {
            file: manifest.path(journal),
            offset: 0,
            what: "lists no segment".to_owned(),
        }));
    };
    let proven_end = |name: SegmentName| closed.filter(|c| c.end.segment == name).map(|c| c.end.offset);
    let walked = walk(env, journal, manifest.journal, last, proven_end(last.name), decision).await?;
    let mut scan = match walked {
        Walked::Begun(scan) => {
            let mut scan = *scan;
            let nothing_proven =
                scan.unproven_place.map_or(scan.place.offset, |place| place.offset) <= scan.first.end;
            match manifest.segments.split_last() {
                Some((_, before)) if closed.is_none() && last.planned && nothing_proven => {
                    let first =
                        || corrupt(last.name, 0, "the first segment of the journal is planned".to_owned());
                    let active = before.last().copied().ok_or_else(first)?;
                    scan.fall_back_to(active).map_err(|what| corrupt(last.name, 0, what))?;
                    scan.segments = before.to_vec();
                }
                _ => scan.segments = manifest.segments.clone(),
            }
            scan
        }
        // Planned or just begun when the machine stopped: the segment before it is the active one.
        Walked::NotBegun(cut) => {
            let Some((_, before)) = manifest.segments.split_last() else { unreachable!("it has a last") };
            let Some(&active) = before.last() else {
                return Err(corrupt(last.name, 0, "the first segment of the journal is empty".to_owned()));
            };
            let Walked::Begun(scan) =
                walk(env, journal, manifest.journal, active, proven_end(active.name), decision).await?
            else {
                return Err(corrupt(
                    active.name,
                    0,
                    "a segment in the middle of the journal is empty".to_owned(),
                ));
            };
            let mut scan = *scan;
            let reached = scan.place.lsn;
            let expected = last.name.first_lsn;
            if reached > expected || (cut.is_some() && (reached < expected || scan.cut.is_some())) {
                let what =
                    format!("frames up to lsn {} are missing: the next segment was begun", expected.0 - 1);
                return Err(corrupt(active.name, scan.place.offset, what));
            }
            if cut.is_some() {
                // The write that began the next segment came after the sync of every frame before it.
                scan.unproven = None;
                scan.unproven_place = None;
                scan.cut = cut;
            }
            scan.segments = before.to_vec();
            scan
        }
    };
    if let Some(closed) = closed {
        let right = closed.journal == manifest.journal
            && closed.end.segment == scan.active.name
            && closed.end.offset == scan.place.offset
            && closed.last_lsn.next() == scan.place.lsn
            && scan.seal_state.is_some();
        if !right {
            let what = format!(
                "the database was closed at offset {} of segment {} with lsn {}, but frames end here with lsn {}",
                closed.end.offset,
                closed.end.segment,
                closed.last_lsn,
                scan.place.lsn.0 - 1
            );
            return Err(corrupt(scan.active.name, scan.place.offset, what));
        }
        scan.clean = true;
        scan.cut = None;
        scan.unproven_place = None;
    }
    scan.segments.iter_mut().for_each(|segment| segment.planned = false);
    Ok(scan)
}

/// Every listed segment must be there in full length.
async fn check_sizes(env: &Env, journal: &Path, manifest: &Manifest) -> Result<(), OpenError> {
    for segment in &manifest.segments {
        let file = journal.join(segment.name.file_name());
        let failed = || OpenError::io(format!("open {}", file.display()));
        let length = match env.files.open(&file, OpenMode::Read).await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let what = "the manifest lists this segment, but it is missing".to_owned();
                return Err(OpenError::Corrupt(Corruption { file, offset: 0, what }));
            }
            other => other.map_err(failed())?.len().await.map_err(failed())?,
        };
        if length < segment.bytes {
            let what = format!("the segment is cut: it has {length} bytes, its size is {}", segment.bytes);
            return Err(OpenError::Corrupt(Corruption { file, offset: length, what }));
        }
    }
    Ok(())
}

enum Walked {
    Begun(Box<Scan>),
    NotBegun(Option<Cut>),
}

/// Verifies the frames of one segment and classifies what stands after them.
async fn walk(
    env: &Env,
    journal: &Path,
    id: [u8; 16],
    segment: Listed,
    proven_end: Option<u64>,
    decision: TailDecision,
) -> Result<Walked, OpenError> {
    let file_path = journal.join(segment.name.file_name());
    let bytes = read_whole(env, &file_path, segment.bytes).await?;
    let corrupt = |offset, what| OpenError::Corrupt(Corruption { file: file_path.clone(), offset, what });
    let mut place = first_place(id, segment, &bytes);
    let mut before_last = place;
    let mut last: Option<(FrameHeader, u32, u64)> = None;
    let mut prologue = None;
    let mut first = FirstFrame { end: 0, previous_crc: place.previous_crc, predecessor: None };
    let cut = loop {
        let at = usize::try_from(place.offset).unwrap_or(usize::MAX).min(bytes.len());
        let rest = &bytes[at..];
        let what = match classify(&place, rest, proven_end) {
            Verdict::Frame(header, crc) => {
                let is_first = place.offset == 0;
                if is_first != (header.kind == FrameKind::Prologue) {
                    return Err(corrupt(place.offset, "a prologue is missing or misplaced".to_owned()));
                }
                if is_first {
                    let found = Prologue::decode(&body(&header, crc, rest));
                    let found = found.filter(|prologue| prologue.segment_bytes == segment.bytes);
                    let unknown = || corrupt(0, "the prologue does not fit its segment".to_owned());
                    let found = found.ok_or_else(unknown)?;
                    first.end = header.frame_bytes();
                    first.predecessor = found.predecessor;
                    prologue = Some(found);
                }
                before_last = place;
                last = Some((*header, crc, place.offset));
                place = place.after(&header, crc);
                continue;
            }
            Verdict::End => break None,
            Verdict::Corrupt(what) => return Err(corrupt(place.offset, what)),
            Verdict::Uncertain(what) if decision == TailDecision::Refuse => {
                return Err(OpenError::Uncertain { file: file_path, offset: place.offset, what });
            }
            Verdict::Torn(what) | Verdict::Uncertain(what) => what,
        };
        let used = rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        break Some(Cut { segment: segment.name, offset: place.offset, bytes: rest[..used].to_vec(), what });
    };
    let Some((header, crc, offset)) = last else { return Ok(Walked::NotBegun(cut)) };
    let stored = &bytes[offset as usize..];
    let is_seal = header.kind == FrameKind::Seal;
    let frame = Frame {
        header,
        crc,
        location: Location { segment: segment.name, offset },
        body: body(&header, crc, stored),
    };
    let keep = header.kind.uses_lsn();
    let start = Location { segment: segment.name, offset: 0 };
    Ok(Walked::Begun(Box::new(Scan {
        segments: Vec::new(),
        active: segment,
        state: prologue.map(|prologue| prologue.state).unwrap_or_default(),
        state_as_of: (start, segment.name.first_lsn),
        place,
        seal_state: is_seal.then(|| frame.body.clone()),
        unproven: keep.then_some(frame),
        // A seal proves what is before it, not itself.
        unproven_place: (keep || is_seal).then_some(before_last),
        clean: false,
        cut,
        first,
    })))
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
