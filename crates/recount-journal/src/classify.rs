//! What damage means: the one function that decides whether bytes that are not a valid frame are the end of
//! the journal, a torn write, or damage.
//!
//! Three facts make the decision possible. Group N + 1 is written only after the sync of group N returned, so
//! *any valid frame later in the file proves that the damage before it hit synced bytes*; only the prologue
//! and the first group of a segment are one write, so a damaged prologue needs a second one. Segments are
//! zero-filled before use and no sector of a written frame is zero or nearly so (see `mask`), so *a zero piece
//! inside a frame proves that the write did not reach it*. And a clean close leaves a marker of the end.
//!
//! ```text
//!  piece = part of a frame within one 512-byte sector
//!  |......sector......|......sector......|......sector......|
//!       |header|body  |body              |body   |trailer|00000
//!       |<- piece 1 ->|<---- piece 2 --->|<- piece 3 --->|
//! ```
//!
//! What remains undecidable is stated in `docs/durability.md`: a crash under load, together with a disk that
//! returns a piece of the last acknowledged group as the zeros it held before.

use recount_env::planted::{self, Bug};

use crate::frame::{self, FrameHeader, HEADER_BYTES, HeaderError, Place};
use crate::mask::{SECTOR, is_zero};

/// What stands at a place where the next frame would begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A valid frame, and its header's CRC.
    Frame(Box<FrameHeader>, u32),
    /// Nothing was ever written here: the end.
    End,
    /// The last group was written in part and never acknowledged: cut it.
    Torn(String),
    /// The last group is complete in length and damaged; whether it was acknowledged, nothing tells.
    Uncertain(String),
    /// Damage to bytes that had been synced.
    Corrupt(String),
}

/// Looks at `rest`, the segment's bytes from `place` to its end.
/// `proven_end` is the offset up to which the marker of a clean close says that frames reach.
pub fn classify(place: &Place, rest: &[u8], proven_end: Option<u64>) -> Verdict {
    let found = examine(place, rest);
    if matches!(found, Found::Frame(..) | Found::Foreign(_)) {
        return found.into_verdict();
    }
    if let Some(end) = proven_end {
        return if place.offset < end {
            Verdict::Corrupt(format!(
                "{}; the database was closed with frames up to offset {end}",
                found.what()
            ))
        } else {
            Verdict::End
        };
    }
    match later_frame(place, rest) {
        Some(_) if planted::is(Bug::MidLogCut) => Verdict::Torn(found.what().to_owned()),
        Some(later) => {
            Verdict::Corrupt(format!("{}; a later frame at offset {later} is valid", found.what()))
        }
        None => found.into_verdict(),
    }
}

/// What stands at the place itself, without regard to what comes later.
enum Found {
    Frame(Box<FrameHeader>, u32),
    Nothing,
    Part(String),
    Damaged(String),
    /// Written whole, by something that is not this version: never to be cut.
    Foreign(String),
}

impl Found {
    fn what(&self) -> &str {
        match self {
            Found::Frame(..) => "a valid frame",
            Found::Nothing => "a frame is missing",
            Found::Part(what) | Found::Damaged(what) | Found::Foreign(what) => what,
        }
    }

    fn into_verdict(self) -> Verdict {
        match self {
            Found::Frame(header, crc) => Verdict::Frame(header, crc),
            Found::Nothing => Verdict::End,
            Found::Part(what) => Verdict::Torn(what),
            Found::Damaged(what) => Verdict::Uncertain(what),
            Found::Foreign(what) => Verdict::Corrupt(what),
        }
    }
}

fn examine(place: &Place, rest: &[u8]) -> Found {
    let Some(header_bytes) = rest.first_chunk::<HEADER_BYTES>() else {
        return if is_zero(rest) {
            Found::Nothing
        } else {
            Found::Damaged("bytes that are no frame at the end of the segment".to_owned())
        };
    };
    let (header, crc) = match FrameHeader::decode(header_bytes) {
        Ok(decoded) => decoded,
        Err(error @ (HeaderError::Unknown { .. } | HeaderError::OutOfRange { .. })) => {
            return Found::Foreign(format!("a frame that this version cannot have written: {error}"));
        }
        Err(error @ (HeaderError::NotAFrame | HeaderError::Checksum)) => {
            return if is_zero(rest) {
                Found::Nothing
            } else if has_zero_piece(place.offset, header_bytes) {
                Found::Part("the last group was not written whole: its header is missing".to_owned())
            } else {
                Found::Damaged(error.to_string())
            };
        }
    };
    if let Err(misplaced) = place.check(&header) {
        return Found::Damaged(misplaced.to_string());
    }
    let Some(whole) = usize::try_from(header.frame_bytes()).ok().and_then(|bytes| rest.get(..bytes)) else {
        return Found::Damaged("a frame reaches beyond the end of its segment".to_owned());
    };
    match frame::verify_body(&header, crc, &whole[HEADER_BYTES..]) {
        Ok(()) => Found::Frame(Box::new(header), crc),
        Err(_) if has_zero_piece(place.offset, whole) => {
            Found::Part("the last group was not written whole: parts of it are still zero".to_owned())
        }
        Err(error) => Found::Damaged(error.to_string()),
    }
}

/// True if a piece (the part within one sector) of `bytes`, which lie at file offset `at`, is all zero.
fn has_zero_piece(at: u64, mut bytes: &[u8]) -> bool {
    let mut length = (SECTOR - at % SECTOR) as usize;
    while !bytes.is_empty() {
        let (piece, after) = bytes.split_at(length.min(bytes.len()));
        if is_zero(piece) {
            return true;
        }
        bytes = after;
        length = SECTOR as usize;
    }
    false
}

/// The file offset of the first valid header after the place that lies where it says, and was written after
/// the sync of what is at the place: the group behind a prologue was not, it is part of the same write.
fn later_frame(place: &Place, rest: &[u8]) -> Option<u64> {
    let mut may_share_the_write = place.offset == 0;
    let mut at = frame::ALIGN as usize;
    while let Some(candidate) = rest.get(at..).and_then(|bytes| bytes.first_chunk::<HEADER_BYTES>()) {
        let offset = place.offset + at as u64;
        if let Ok((header, _)) = FrameHeader::decode(candidate) {
            let here = header.journal == place.journal
                && header.segment == place.segment
                && header.offset == offset
                && header.epoch >= place.epoch
                && header.lsn >= place.lsn;
            if here && !(may_share_the_write && header.lsn == place.lsn) {
                return Some(offset);
            }
            may_share_the_write &= !here;
        }
        at += frame::ALIGN as usize;
    }
    None
}

#[cfg(test)]
mod tests;
