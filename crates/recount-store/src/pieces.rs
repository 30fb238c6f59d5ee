//! Pieces: checksums of parts of large batches, so that one record is read without all of its batch.
//!
//! ```text
//!  batch  | header | record 0 … 24 | record 25 … 50 | record 51 … |        verified whole by its CRC32C, once
//!                  └── piece 0 ────┴── piece 1 ─────┴── piece 2          then each by its own, made of verified bytes
//! ```
//!
//! Derived and in memory only; docs/decisions/0010-pieces-of-batches.md says why this is as safe as reading the batch.
//! Bounded: the older half is forgotten for what is new.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use recount_journal::Location;
use recount_types::batch::{BatchHeader, RecordIndex};

use crate::group::GroupError;
use crate::store::lock;

/// Smaller batches are read whole.
const BATCH_BYTES_MIN: usize = 16 << 10;
/// A piece ends with the record that makes it so long.
const PIECE_BYTES: usize = 2 << 10;
/// Memory for all pieces, in two halves.
const BYTES_MAX: usize = 16 << 20;

/// A frame, and the number of a batch in it.
pub(crate) type BatchKey = (Location, u32);

/// The pieces of a batch.
#[derive(Debug)]
pub(crate) struct BatchPieces {
    header: BatchHeader,
    pieces: Vec<Piece>,
    bytes: u32,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Its first record.
    record: u32,
    /// Where that begins in the batch.
    start: u32,
    /// CRC32C of its bytes.
    crc: u32,
}

/// The pieces of many batches.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    newer: HashMap<BatchKey, Arc<BatchPieces>>,
    older: HashMap<BatchKey, Arc<BatchPieces>>,
    newer_bytes: usize,
}

impl Pieces {
    /// The pieces of a batch, if they are known.
    pub(crate) fn get(&self, key: &BatchKey) -> Option<Arc<BatchPieces>> {
        let mut halves = lock(&self.0);
        if let Some(found) = halves.newer.get(key) {
            return Some(found.clone());
        }
        let found = halves.older.remove(key)?;
        halves.put(*key, found.clone());
        Some(found)
    }

    /// Remembers the pieces of a batch, which was verified, if it is large.
    pub(crate) fn learn(
        &self,
        key: BatchKey,
        batch: &[u8],
        records: &mut RecordIndex,
    ) -> Result<(), GroupError> {
        if batch.len() >= BATCH_BYTES_MIN {
            let pieces = BatchPieces::new(batch, records)?;
            lock(&self.0).put(key, Arc::new(pieces));
        }
        Ok(())
    }
}

impl Halves {
    fn put(&mut self, key: BatchKey, pieces: Arc<BatchPieces>) {
        self.newer_bytes += pieces.heap_bytes();
        self.newer.insert(key, pieces);
        if self.newer_bytes > BYTES_MAX / 2 {
            self.older = std::mem::take(&mut self.newer);
            self.newer_bytes = 0;
        }
    }
}

impl BatchPieces {
    fn new(batch: &[u8], records: &mut RecordIndex) -> Result<BatchPieces, GroupError> {
        let header = *records.header();
        let malformed = |_| GroupError("record is malformed");
        let mut pieces: Vec<Piece> = Vec::with_capacity(batch.len() / PIECE_BYTES + 1);
        for record in 0..header.record_count() {
            let start = records.start(batch, record).map_err(malformed)?;
            if pieces.last().is_none_or(|last| start - last.start >= PIECE_BYTES as u32) {
                pieces.push(Piece { record, start, crc: 0 });
            }
        }
        let mut known = BatchPieces { header, pieces, bytes: batch.len() as u32 };
        for at in 0..known.pieces.len() {
            known.pieces[at].crc = crc32c::crc32c(batch.get(known.range(at)).unwrap_or_default());
        }
        Ok(known)
    }

    /// Which piece has a record, and where it lies in the batch.
    pub(crate) fn find(&self, record: u32) -> Option<(usize, Range<usize>)> {
        let at = self.pieces.partition_point(|piece| piece.record <= record).checked_sub(1)?;
        Some((at, self.range(at)))
    }

    /// Verifies the bytes of a piece, to find records in them.
    pub(crate) fn verify(&self, at: usize, bytes: &[u8]) -> Result<RecordIndex, GroupError> {
        match self.pieces.get(at) {
            Some(piece) if crc32c::crc32c(bytes) == piece.crc => {
                Ok(RecordIndex::of_part(self.header, piece.record))
            }
            _ => Err(GroupError("batch is not the one that was verified before: a part fails its checksum")),
        }
    }

    fn range(&self, at: usize) -> Range<usize> {
        let end = self.pieces.get(at + 1).map_or(self.bytes, |next| next.start);
        self.pieces[at].start as usize..end as usize
    }

    fn heap_bytes(&self) -> usize {
        const ENTRY_BYTES: usize = 96;
        ENTRY_BYTES + size_of::<BatchPieces>() + self.pieces.capacity() * size_of::<Piece>()
    }
}

#[cfg(test)]
mod tests {
    use recount_journal::SegmentName;
    use recount_types::batch::BatchBuilder;
    use recount_types::{Epoch, Lsn};

    use super::*;

    const RECORDS: u32 = 1000;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new(7);
        for number in 0..RECORDS {
            let value = "x".repeat(number as usize % 90);
            builder.push(
                number.into(),
                Some(&number.to_le_bytes()),
                Some(value.as_bytes()),
                std::iter::empty(),
            );
        }
        builder.finish()
    }

    fn key(offset: u64) -> BatchKey {
        let segment = SegmentName { first_lsn: Lsn(1), epoch: Epoch(1) };
        (Location { segment, offset }, 0)
    }

    #[test]
    fn every_record_is_found_in_its_piece() {
        let batch = batch();
        let known = BatchPieces::new(&batch, &mut RecordIndex::new(&batch).unwrap()).unwrap();
        let mut whole = RecordIndex::new(&batch).unwrap();
        for record in 0..RECORDS {
            let (at, range) = known.find(record).unwrap();
            assert!(range.len() < PIECE_BYTES + 200, "{range:?}");
            let piece = &batch[range];
            let found = known.verify(at, piece).unwrap().get(piece, record).unwrap();
            let expected = whole.get(&batch, record).unwrap();
            assert_eq!(
                (found.key, found.value, found.timestamp_ms),
                (expected.key, expected.value, expected.timestamp_ms)
            );
            assert_eq!((found.offset_delta, found.key), (record as i32, Some(&record.to_le_bytes()[..])));
        }
        assert_eq!(known.pieces.last().map(|_| known.range(known.pieces.len() - 1).end), Some(batch.len()));
    }

    #[test]
    fn every_change_of_a_piece_is_noticed() {
        let batch = batch();
        let known = BatchPieces::new(&batch, &mut RecordIndex::new(&batch).unwrap()).unwrap();
        let (at, range) = known.find(500).unwrap();
        for byte in range.clone() {
            let mut changed = batch[range.clone()].to_vec();
            changed[byte - range.start] ^= 1;
            assert!(known.verify(at, &changed).is_err(), "byte {byte}");
        }
        assert!(known.verify(at, &batch[range.start..range.end - 1]).is_err(), "cut");
        assert!(known.verify(at + 1, &batch[range]).is_err(), "another piece");
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let batch = batch();
        let pieces = Pieces::default();
        for offset in 0..40_000 {
            pieces.learn(key(offset), &batch, &mut RecordIndex::new(&batch).unwrap()).unwrap();
            assert!(pieces.get(&key(0)).is_some(), "used all the time, gone at {offset}");
            let halves = lock(&pieces.0);
            let bytes = halves.newer.values().chain(halves.older.values()).map(|known| known.heap_bytes());
            if offset % 5000 == 0 {
                assert!(bytes.sum::<usize>() <= BYTES_MAX + 2048);
            }
        }
        assert!(pieces.get(&key(1)).is_none());
        let small = &batch[..100];
        let mut records = RecordIndex::new(&batch).unwrap();
        pieces.learn(key(70_000), small, &mut records).unwrap();
        assert!(pieces.get(&key(70_000)).is_none(), "it is read whole");
    }
}
