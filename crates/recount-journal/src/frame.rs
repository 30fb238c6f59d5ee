//! One frame: a fixed header of 128 bytes, a body, a trailer. A frame is one commit group.
//!
//! ```text
//!  offset o (multiple of 8)                                                     multiple of 8
//!  | header 128 | body (body_bytes) | zero padding to 8 | trailer 8: header CRC, "RCE1" |
//! ```
//!
//! All integers are little-endian. The header names where the frame lies (journal, segment, file offset),
//! so a copy at another place is not a frame. `docs/format.md` has the table of fields.

use recount_types::number::NUMBER_MAX;
use recount_types::{Epoch, Lsn, Position, Time};

use crate::mask;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 128;
/// Bytes of a trailer.
pub const TRAILER_BYTES: usize = 8;
/// Frames begin at multiples of this.
pub const ALIGN: u64 = 8;
/// Largest body. A commit group is smaller; a prologue may be as large.
pub const BODY_BYTES_MAX: usize = 16 << 20;

const MAGIC: [u8; 4] = *b"RCNT";
const HEADER_END: [u8; 4] = *b"RCH1";
const TRAILER_END: [u8; 4] = *b"RCE1";
const VERSION: u16 = 1;
const FLAG_MASKED: u16 = 1;

/// What a frame holds. Persisted; never reuse a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// Records that all have positions.
    Data = 1,
    /// Some records have no position yet.
    Pending = 2,
    /// Gives positions to records of earlier frames.
    Commit = 3,
    /// Ends transactions without giving positions to their records.
    Abort = 4,
    /// The first frame of a segment: what a restart needs. Uses no lsn.
    Prologue = 5,
    /// Proves that all before it was synced. Uses no lsn.
    Seal = 6,
}

impl FrameKind {
    fn from_u8(byte: u8) -> Option<FrameKind> {
        Some(match byte {
            1 => FrameKind::Data,
            2 => FrameKind::Pending,
            3 => FrameKind::Commit,
            4 => FrameKind::Abort,
            5 => FrameKind::Prologue,
            6 => FrameKind::Seal,
            _ => return None,
        })
    }

    /// Prologue and seal carry the next lsn without using it.
    pub fn uses_lsn(self) -> bool {
        !matches!(self, FrameKind::Prologue | FrameKind::Seal)
    }

    /// As written by `recount inspect`.
    pub fn name(self) -> &'static str {
        match self {
            FrameKind::Data => "data",
            FrameKind::Pending => "pending",
            FrameKind::Commit => "commit",
            FrameKind::Abort => "abort",
            FrameKind::Prologue => "prologue",
            FrameKind::Seal => "seal",
        }
    }
}

/// The fields of a header that a writer chooses or a reader uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame holds.
    pub kind: FrameKind,
    /// The body is stored masked (see `docs/format.md`).
    pub masked: bool,
    /// How many positions the frame gives: `first_position ..` of them.
    pub count: u32,
    /// The database's id.
    pub journal: [u8; 16],
    /// The opening of the database that wrote it.
    pub epoch: Epoch,
    /// First lsn of the segment that it lies in.
    pub segment: Lsn,
    /// Its offset in that segment.
    pub offset: u64,
    /// Its number; for prologue and seal the next one.
    pub lsn: Lsn,
    /// The first position it gives, or would.
    pub first_position: Position,
    /// Append time of its first append; append i has this + i µs.
    pub append_time: Time,
    /// Every frame up to this one was synced before this one was written.
    pub durable_before: Lsn,
    /// Random bytes, the key of later commitments to records.
    pub salt: [u8; 16],
    /// Length of the body.
    pub body_bytes: u32,
    /// CRC32C of the body as stored.
    pub body_crc: u32,
    /// Header CRC of the frame before it; 0 in the first frame of a journal.
    pub previous_crc: u32,
}

impl FrameHeader {
    /// Bytes of the whole frame.
    pub fn frame_bytes(&self) -> u64 {
        frame_bytes(self.body_bytes as usize)
    }

    /// Encodes the header; returns it and its CRC.
    pub fn encode(&self) -> ([u8; HEADER_BYTES], u32) {
        let mut out = [0; HEADER_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&MAGIC);
        put(&VERSION.to_le_bytes());
        put(&(HEADER_BYTES as u16).to_le_bytes());
        put(&[self.kind as u8, BODY_CODEC_PLAIN]);
        put(&(if self.masked { FLAG_MASKED } else { 0 }).to_le_bytes());
        put(&self.count.to_le_bytes());
        put(&self.journal);
        put(&self.epoch.0.to_le_bytes());
        put(&self.segment.0.to_le_bytes());
        put(&self.offset.to_le_bytes());
        put(&self.lsn.0.to_le_bytes());
        put(&self.first_position.0.to_le_bytes());
        put(&self.append_time.0.to_le_bytes());
        put(&self.durable_before.0.to_le_bytes());
        put(&self.salt);
        put(&self.body_bytes.to_le_bytes());
        put(&self.body_crc.to_le_bytes());
        put(&self.previous_crc.to_le_bytes());
        put(&[0; 4]);
        put(&HEADER_END);
        debug_assert_eq!(at, HEADER_BYTES - 4);
        let crc = crc32c::crc32c(&out[..HEADER_BYTES - 4]);
        out[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        (out, crc)
    }

    /// Decodes and verifies a header; returns it and its CRC. Looks at nothing but these 128 bytes: whether
    /// the frame belongs here is [`Place::check`]'s question.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<(FrameHeader, u32), HeaderError> {
        let u16_at = |at: usize| u16::from_le_bytes(array(bytes, at));
        let u32_at = |at: usize| u32::from_le_bytes(array(bytes, at));
        let u64_at = |at: usize| u64::from_le_bytes(array(bytes, at));
        if bytes[..4] != MAGIC || bytes[120..124] != HEADER_END {
            return Err(HeaderError::NotAFrame);
        }
        let crc = crc32c::crc32c(&bytes[..HEADER_BYTES - 4]);
        if crc != u32_at(124) {
            return Err(HeaderError::Checksum);
        }
        if u16_at(4) != VERSION {
            return Err(HeaderError::Unknown { what: "version", value: u16_at(4).into() });
        }
        if u16_at(6) as usize != HEADER_BYTES {
            return Err(HeaderError::Unknown { what: "header length", value: u16_at(6).into() });
        }
        let kind = FrameKind::from_u8(bytes[8])
            .ok_or(HeaderError::Unknown { what: "frame kind", value: bytes[8].into() })?;
        if bytes[9] != BODY_CODEC_PLAIN {
            return Err(HeaderError::Unknown { what: "body codec", value: bytes[9].into() });
        }
        if u16_at(10) & !FLAG_MASKED != 0 {
            return Err(HeaderError::Unknown { what: "flags", value: u16_at(10).into() });
        }
        if u32_at(116) != 0 {
            return Err(HeaderError::Unknown { what: "reserved bytes", value: u32_at(116).into() });
        }
        let header = FrameHeader {
            kind,
            masked: u16_at(10) & FLAG_MASKED != 0,
            count: u32_at(12),
            journal: array(bytes, 16),
            epoch: Epoch(u64_at(32)),
            segment: Lsn(u64_at(40)),
            offset: u64_at(48),
            lsn: Lsn(u64_at(56)),
            first_position: Position(u64_at(64)),
            append_time: Time(u64_at(72) as i64),
            durable_before: Lsn(u64_at(80)),
            salt: array(bytes, 88),
            body_bytes: u32_at(104),
            body_crc: u32_at(108),
            previous_crc: u32_at(112),
        };
        header.check_numbers()?;
        Ok((header, crc))
    }

    /// Nothing is added to a number from a disk before it is known to be in its range.
    fn check_numbers(&self) -> Result<(), HeaderError> {
        let position_max = NUMBER_MAX - u64::from(self.count);
        let in_range = [
            ("body length", u64::from(self.body_bytes), 0..=BODY_BYTES_MAX as u64),
            ("epoch", self.epoch.0, 1..=NUMBER_MAX),
            ("segment", self.segment.0, 1..=NUMBER_MAX),
            ("file offset", self.offset, 0..=NUMBER_MAX),
            ("lsn", self.lsn.0, 1..=NUMBER_MAX),
            ("first position", self.first_position.0, 0..=position_max),
            ("durable-before lsn", self.durable_before.0, 0..=self.lsn.0.saturating_sub(1)),
        ];
        match in_range.into_iter().find(|(_, value, range)| !range.contains(value)) {
            Some((what, value, _)) => Err(HeaderError::OutOfRange { what, value }),
            None => Ok(()),
        }
    }
}

/// The only body codec there is: the body as it is.
const BODY_CODEC_PLAIN: u8 = 0;

/// Bytes of a frame with a body of `body_bytes`.
pub fn frame_bytes(body_bytes: usize) -> u64 {
    (HEADER_BYTES + body_bytes.next_multiple_of(ALIGN as usize) + TRAILER_BYTES) as u64
}

/// Why 128 bytes are not a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Magic or end mark missing.
    #[error("no frame begins here")]
    NotAFrame,
    /// CRC differs.
    #[error("a frame header fails its checksum")]
    Checksum,
    /// A valid checksum over a value that this version does not know.
    #[error("unknown {what} {value}: written by a newer version")]
    Unknown {
        /// Which field.
        what: &'static str,
        /// Its value.
        value: u64,
    },
    /// A valid checksum over a number that no writer writes.
    #[error("{what} {value} is out of range")]
    OutOfRange {
        /// Which field.
        what: &'static str,
        /// Its value.
        value: u64,
    },
}

/// Where a frame must lie to be the next frame: all that the frame before it determines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The database's id.
    pub journal: [u8; 16],
    /// The segment's first lsn.
    pub segment: Lsn,
    /// Offset in the segment.
    pub offset: u64,
    /// Epoch of the frame before it: this one's is at least that.
    pub epoch: Epoch,
    /// The lsn that comes next.
    pub lsn: Lsn,
    /// CRC of the header before it.
    pub previous_crc: u32,
}

impl Place {
    /// Checks that a valid header belongs exactly here.
    pub fn check(&self, header: &FrameHeader) -> Result<(), Misplaced> {
        let fail = |what, found, expected| Err(Misplaced { what, found, expected });
        if header.journal != self.journal {
            return fail("journal id", 0, 0);
        }
        if header.segment != self.segment {
            return fail("segment", header.segment.0, self.segment.0);
        }
        if header.offset != self.offset {
            return fail("file offset", header.offset, self.offset);
        }
        if header.epoch < self.epoch {
            return fail("epoch", header.epoch.0, self.epoch.0);
        }
        if header.lsn != self.lsn {
            return fail("lsn", header.lsn.0, self.lsn.0);
        }
        if header.previous_crc != self.previous_crc {
            return fail(
                "checksum of the header before",
                header.previous_crc.into(),
                self.previous_crc.into(),
            );
        }
        Ok(())
    }

    /// The place after a frame that is here.
    pub fn after(&self, header: &FrameHeader, crc: u32) -> Place {
        Place {
            offset: self.offset + header.frame_bytes(),
            epoch: header.epoch,
            lsn: if header.kind.uses_lsn() { header.lsn.next() } else { header.lsn },
            previous_crc: crc,
            ..*self
        }
    }
}

/// A valid frame that belongs elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of another place lies here: its {what} is {found}, here it must be {expected}")]
pub struct Misplaced {
    what: &'static str,
    found: u64,
    expected: u64,
}

/// Encodes a whole frame: sets masking, lengths and CRCs in `header`. Appends it to `out`; returns the header's CRC.
pub fn encode_frame(header: &mut FrameHeader, body: &[u8], out: &mut Vec<u8>) -> u32 {
    assert!(header.offset.is_multiple_of(ALIGN), "frames begin at multiples of 8");
    assert!(body.len() <= BODY_BYTES_MAX, "the store bounds its groups");
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    out.extend_from_slice(body);
    let stored = &mut out[start + HEADER_BYTES..];
    header.masked = mask::needed(header.offset + HEADER_BYTES as u64, body);
    if header.masked {
        mask::apply(&header.salt, stored);
    }
    header.body_bytes = body.len() as u32;
    header.body_crc = crc32c::crc32c(stored);
    let (bytes, crc) = header.encode();
    out[start..start + HEADER_BYTES].copy_from_slice(&bytes);
    out.resize(start + HEADER_BYTES + body.len().next_multiple_of(ALIGN as usize), 0);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&TRAILER_END);
    crc
}

/// Verifies what follows a header: `stored` is body, padding and trailer.
pub fn verify_body(header: &FrameHeader, crc: u32, stored: &[u8]) -> Result<(), BodyError> {
    assert_eq!(
        stored.len() as u64,
        header.frame_bytes() - HEADER_BYTES as u64,
        "the caller has the whole frame"
    );
    let (body, rest) = stored.split_at(header.body_bytes as usize);
    if crc32c::crc32c(body) != header.body_crc {
        return Err(BodyError::Checksum);
    }
    let (padding, trailer) = rest.split_at(rest.len() - TRAILER_BYTES);
    if !mask::is_zero(padding) || trailer[..4] != crc.to_le_bytes() || trailer[4..] != TRAILER_END {
        return Err(BodyError::Trailer);
    }
    Ok(())
}

/// Verifies what follows a header and returns the body, unmasked.
pub fn decode_body(header: &FrameHeader, crc: u32, stored: &[u8]) -> Result<Vec<u8>, BodyError> {
    let mut body = stored.to_vec();
    into_body(header, crc, &mut body)?;
    Ok(body)
}

/// Verifies what follows a header and makes the body of it, unmasked.
pub(crate) fn into_body(header: &FrameHeader, crc: u32, stored: &mut Vec<u8>) -> Result<(), BodyError> {
    verify_body(header, crc, stored)?;
    stored.truncate(header.body_bytes as usize);
    if header.masked {
        mask::apply(&header.salt, stored);
    }
    Ok(())
}

/// Why a body is not what the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// CRC differs.
    #[error("a frame body fails its checksum")]
    Checksum,
    /// Padding or trailer differ.
    #[error("a frame's trailer is damaged")]
    Trailer,
}

fn array<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests;
