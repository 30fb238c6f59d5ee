//! Fences: for a sorted sequence of pieces, a key for each that is greater than every term before the piece
//! and not greater than its first term; the shortest such key. They lead from a term to the one piece that may have it.
//!
//! Two levels of them lead to a term: the root has a fence for each group, a group has a fence for each of
//! its blocks, and the filter over all terms of its blocks.

use siphasher::sip128::Hash128;

use crate::error::Flaw;
use crate::filter::Filter;
use crate::run::front::{put_key, read_key, shared_bytes};
use crate::wire::{Reader, put_varint};

/// The shortest key `k` with `before < k ≤ term`.
pub(super) fn fence<'a>(before: &[u8], term: &'a [u8]) -> &'a [u8] {
    &term[..term.len().min(shared_bytes(before, term) + 1)]
}

/// Pieces in key order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fences {
    keys: Vec<u8>,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    key_at: usize,
    offset: u64,
    len: usize,
}

impl Fences {
    pub(super) fn push(&mut self, key: &[u8], offset: u64, len: usize) {
        self.pieces.push(Piece { key_at: self.keys.len(), offset, len });
        self.keys.extend_from_slice(key);
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Offset and length of a piece.
    pub(super) fn piece(&self, index: usize) -> Option<(u64, usize)> {
        self.pieces.get(index).map(|piece| (piece.offset, piece.len))
    }

    /// The key of the first piece.
    pub(super) fn first_key(&self) -> Option<&[u8]> {
        (!self.pieces.is_empty()).then(|| self.key(0))
    }

    /// The piece that may have `term`.
    pub(super) fn find(&self, term: &[u8]) -> Option<(u64, usize)> {
        let (mut low, mut high) = (0, self.pieces.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle) <= term { low = middle + 1 } else { high = middle }
        }
        self.piece(low.checked_sub(1)?)
    }

    /// Appends count and pieces, keys front-coded, offsets as gaps.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.pieces.len() as u64);
        let (mut before, mut end): (&[u8], u64) = (&[], 0);
        for (index, piece) in self.pieces.iter().enumerate() {
            put_key(out, before, self.key(index));
            put_varint(out, piece.offset - end);
            put_varint(out, piece.len as u64);
            before = self.key(index);
            end = piece.offset + piece.len as u64;
        }
    }

    /// Reads fences of pieces that all lie before `limit`.
    pub(super) fn decode(reader: &mut Reader<'_>, limit: u64) -> Result<Fences, Flaw> {
        let count = reader.length()?;
        // A piece takes at least four bytes.
        if count > reader.left() / 4 {
            return Err(reader.flaw("fences are fewer than counted"));
        }
        let mut fences = Fences { keys: Vec::new(), pieces: Vec::with_capacity(count) };
        let (mut key, mut end) = (Vec::new(), 0);
        for index in 0..count {
            read_key(reader, &mut key, index == 0)?;
            let offset = reader.varint_from(end)?;
            let len = reader.length()?;
            end = reader.sum(offset, len as u64)?;
            if end > limit {
                return Err(reader.flaw("a fence leads to a place behind itself"));
            }
            fences.push(&key, offset, len);
        }
        Ok(fences)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.keys.capacity() + self.pieces.capacity() * size_of::<Piece>()
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.pieces.clear();
    }

    fn key(&self, index: usize) -> &[u8] {
        let end = self.pieces.get(index + 1).map_or(self.keys.len(), |next| next.key_at);
        &self.keys[self.pieces[index].key_at..end]
    }
}

/// Some blocks in sequence: their fences and their filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(super) blocks: Fences,
    filter: Filter,
}

impl Group {
    pub(super) fn encode(blocks: &Fences, hashes: &[Hash128]) -> Vec<u8> {
        let mut out = Vec::new();
        blocks.encode(&mut out);
        Filter::build(hashes).encode(&mut out);
        out
    }

    pub(super) fn decode(payload: &[u8], offset: u64) -> Result<Group, Flaw> {
        let mut reader = Reader::new(payload);
        let blocks = Fences::decode(&mut reader, offset)?;
        let filter = Filter::decode(reader.take(reader.left())?)?;
        Ok(Group { blocks, filter })
    }

    /// The block that may have `term`.
    pub(super) fn find(&self, term: &[u8], hash: Hash128) -> Option<(u64, usize)> {
        if self.filter.may_hold(hash) { self.blocks.find(term) } else { None }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.blocks.heap_bytes() + self.filter.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_find_and_reject() {
        assert_eq!(fence(b"", b"abc"), b"a");
        assert_eq!(fence(b"abc", b"abd"), b"abd");
        assert_eq!(fence(b"abc", b"abcdef"), b"abcd");
        let mut fences = Fences::default();
        fences.push(b"b", 0, 10);
        fences.push(b"bcd", 15, 10);
        fences.push(b"c", 25, 7);
        assert_eq!(fences.find(b"a"), None);
        assert_eq!(fences.find(b"b"), Some((0, 10)));
        assert_eq!(fences.find(b"bcc"), Some((0, 10)));
        assert_eq!(fences.find(b"bcd"), Some((15, 10)));
        assert_eq!(fences.find(b"zz"), Some((25, 7)));

        let mut bytes = Vec::new();
        fences.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Fences::decode(&mut reader, 32).unwrap(), fences);
        assert!(reader.is_empty());
        assert!(Fences::decode(&mut Reader::new(&bytes), 31).is_err());
        for cut in 0..bytes.len() {
            assert!(Fences::decode(&mut Reader::new(&bytes[..cut]), 32).is_err());
        }
        let unsorted = [2, 0, 1, b'b', 0, 1, 0, 1, b'a', 0, 1];
        assert!(Fences::decode(&mut Reader::new(&unsorted), 32).is_err());
        assert!(Fences::decode(&mut Reader::new(&[0xff, 0xff, 0xff, 0x7f, 0]), 32).is_err());
    }
}
