//! Segments: names, locations, and the two bodies that belong to the journal itself, prologue and seal.

use std::fmt;

use recount_types::number::NUMBER_MAX;
use recount_types::{Epoch, Lsn};

/// Names a segment file: `{first_lsn:020}-{epoch:010}.journal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// The lsn of its first frame that uses one.
    pub first_lsn: Lsn,
    /// The opening that created it.
    pub epoch: Epoch,
}

impl SegmentName {
    /// The file's name.
    pub fn file_name(&self) -> String {
        format!("{self}.journal")
    }

    /// Reads `{first_lsn:020}-{epoch:010}`, in exactly that form; both count from 1.
    pub fn parse(text: &str) -> Option<SegmentName> {
        let (lsn, epoch) = text.split_once('-')?;
        let name = SegmentName { first_lsn: Lsn(lsn.parse().ok()?), epoch: Epoch(epoch.parse().ok()?) };
        let counts = |number: u64| (1..=NUMBER_MAX).contains(&number);
        (name.to_string() == text && counts(name.first_lsn.0) && counts(name.epoch.0)).then_some(name)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:010}", self.first_lsn.0, self.epoch.0)
    }
}

/// Where a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The segment.
    pub segment: SegmentName,
    /// Offset in it.
    pub offset: u64,
}

/// The end of the segment before: bytes beyond it are not the journal's, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Predecessor {
    /// The segment before.
    pub segment: SegmentName,
    /// Its proven end.
    pub end: u64,
}

/// The body of a prologue.
///
/// ```text
///  version u16 = 1 | segment_bytes u64 | has_predecessor u8 | first_lsn u64 | epoch u64 | end u64 | state bytes …
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prologue {
    /// The size of the segment file.
    pub segment_bytes: u64,
    /// The segment before, if any.
    pub predecessor: Option<Predecessor>,
    /// The store's state before the first frame of this segment. Opaque here.
    pub state: Vec<u8>,
}

const PROLOGUE_VERSION: u16 = 1;
const PROLOGUE_FIXED: usize = 2 + 8 + 1 + 8 + 8 + 8;

impl Prologue {
    /// Encodes the body.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(PROLOGUE_FIXED + self.state.len());
        out.extend_from_slice(&PROLOGUE_VERSION.to_le_bytes());
        out.extend_from_slice(&self.segment_bytes.to_le_bytes());
        out.push(self.predecessor.is_some().into());
        let (lsn, epoch, end) = match self.predecessor {
            Some(p) => (p.segment.first_lsn.0, p.segment.epoch.0, p.end),
            None => (0, 0, 0),
        };
        for number in [lsn, epoch, end] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.state);
        out
    }

    /// Decodes a body that passed its checksum; `None` if this version does not know it.
    pub fn decode(body: &[u8]) -> Option<Prologue> {
        let (fixed, state) = body.split_at_checked(PROLOGUE_FIXED)?;
        let number =
            |at: usize| fixed.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        if fixed[..2] != PROLOGUE_VERSION.to_le_bytes() {
            return None;
        }
        let (segment_bytes, lsn, epoch, end) = (number(2)?, number(11)?, number(19)?, number(27)?);
        let predecessor = match fixed[10] {
            0 if (lsn, epoch, end) == (0, 0, 0) => None,
            1 => Some(Predecessor { segment: SegmentName { first_lsn: Lsn(lsn), epoch: Epoch(epoch) }, end }),
            _ => return None,
        };
        Some(Prologue { segment_bytes, predecessor, state: state.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_one_form_only() {
        let name = SegmentName { first_lsn: Lsn(817), epoch: Epoch(3) };
        assert_eq!(name.to_string(), "00000000000000000817-0000000003");
        assert_eq!(SegmentName::parse(&name.to_string()), Some(name));
        let wrong = [
            "817-3",
            "00000000000000000817",
            "+0000000000000000817-0000000003",
            "00000000000000000000-0000000003",
            "00000000000000000817-0000000000",
            "18446744073709551615-0000000003",
            "x-y",
            "",
        ];
        for wrong in wrong {
            assert_eq!(SegmentName::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn prologue_golden_bytes_round_trip_and_reject() {
        let prologue = Prologue {
            segment_bytes: 4096,
            predecessor: Some(Predecessor {
                segment: SegmentName { first_lsn: Lsn(2), epoch: Epoch(3) },
                end: 256,
            }),
            state: vec![9],
        };
        let golden = [
            1, 0, 0, 16, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
            0, 0, 0, 9,
        ];
        assert_eq!(prologue.encode(), golden);
        assert_eq!(Prologue::decode(&golden), Some(prologue));
        assert_eq!(Prologue::decode(&golden[..34]), None);
        let mut newer = golden;
        newer[0] = 2;
        assert_eq!(Prologue::decode(&newer), None);
        let mut neither = golden;
        neither[10] = 2;
        assert_eq!(Prologue::decode(&neither), None);
        neither[10] = 0;
        assert_eq!(Prologue::decode(&neither), None, "no predecessor, yet its numbers are set");
    }
}
