//! Fences: for a sorted sequence of pieces, a key for each that is greater than every term before the piece
//! and not greater than its first term; the shortest such key. They lead from a term to the one piece that may have it.
//!
//! Two levels of them lead to a term: the root has a fence for each group, a group has a fence for each of
//! its blocks.

use std::cmp::Ordering;

use crate::error::Flaw;
use crate::run::front::{put_key, read_key, shared_bytes};
use crate::wire::{Reader, put_varint};

/// Longest piece, and keys of all pieces together.
const BYTES_MAX: usize = u32::MAX as usize;

/// The shortest key `k` with `before < k ≤ term`.
pub(super) fn fence<'a>(before: &[u8], term: &'a [u8]) -> &'a [u8] {
    &term[..term.len().min(shared_bytes(before, term) + 1)]
}

/// Pieces in key order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fences {
    keys: Vec<u8>,
    pieces: Vec<Piece>,
    /// For [`find`](Self::find), made when read: how many bytes all keys begin with in common, and of each key the
    /// eight bytes behind them, which lie closer together than the keys.
    shared: usize,
    heads: Vec<u64>,
    /// Every sixteenth head.
    samples: Vec<u64>,
}

const SAMPLED: usize = 16;

/// Small: there is one for each term block of each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    offset: u64,
    len: u32,
    key_at: u32,
}

impl Fences {
    /// Adds a piece. Panics if it, or all keys, are longer than [`BYTES_MAX`], which no writer's are.
    pub(super) fn push(&mut self, key: &[u8], offset: u64, len: usize) {
        let narrow = |bytes: usize| u32::try_from(bytes).expect("pieces and keys are shorter than 4 GiB");
        self.pieces.push(Piece { offset, len: narrow(len), key_at: narrow(self.keys.len()) });
        self.keys.extend_from_slice(key);
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Offset and length of a piece.
    pub(super) fn piece(&self, index: usize) -> Option<(u64, usize)> {
        self.pieces.get(index).map(|piece| (piece.offset, piece.len as usize))
    }

    /// The key of the first piece.
    pub(super) fn first_key(&self) -> Option<&[u8]> {
        (!self.pieces.is_empty()).then(|| self.key(0))
    }

    /// The piece that may have `term`. Only of fences that were read.
    pub(super) fn find(&self, term: &[u8]) -> Option<(u64, usize)> {
        let first = self.first_key()?;
        let (common, rest) = term.split_at(self.shared.min(term.len()));
        let (mut low, mut high) = match common.cmp(&first[..self.shared]) {
            Ordering::Less => (0, 0),
            Ordering::Greater => (self.len(), self.len()),
            Ordering::Equal => {
                let head = head(rest);
                let low = self.heads_below(head);
                (low, low + self.heads[low..].iter().take_while(|&&other| other == head).count())
            }
        };
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle) <= term { low = middle + 1 } else { high = middle }
        }
        self.piece(low.checked_sub(1)?)
    }

    /// How many keys have a smaller head: first which sixteen, then which of them, since a search by halves would wait
    /// for one line of memory after the other.
    fn heads_below(&self, head: u64) -> usize {
        let begin = self.samples.partition_point(|&other| other < head).saturating_sub(1) * SAMPLED;
        let end = self.heads.len().min(begin + SAMPLED);
        begin + self.heads[begin..end].iter().map(|&other| usize::from(other < head)).sum::<usize>()
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
            end = piece.offset + u64::from(piece.len);
        }
    }

    /// Reads a piece that is nothing but fences, at `offset`.
    pub(super) fn decode_piece(payload: &[u8], offset: u64) -> Result<Fences, Flaw> {
        let mut reader = Reader::new(payload);
        let fences = Fences::decode(&mut reader, offset)?;
        if reader.is_empty() { Ok(fences) } else { Err(reader.flaw("bytes follow the last fence")) }
    }

    /// Reads fences of pieces that all lie before `limit`.
    pub(super) fn decode(reader: &mut Reader<'_>, limit: u64) -> Result<Fences, Flaw> {
        let count = reader.length()?;
        // A piece takes at least four bytes.
        if count > reader.left() / 4 {
            return Err(reader.flaw("fences are fewer than counted"));
        }
        let mut fences = Fences { pieces: Vec::with_capacity(count), ..Fences::default() };
        let (mut key, mut end) = (Vec::new(), 0);
        for index in 0..count {
            read_key(reader, &mut key, index == 0)?;
            let offset = reader.varint_from(end)?;
            let len = reader.length()?;
            end = reader.sum(offset, len as u64)?;
            if end > limit {
                return Err(reader.flaw("a fence leads to a place behind itself"));
            }
            if len > BYTES_MAX || fences.keys.len() > BYTES_MAX {
                return Err(reader.flaw("a piece or the keys of all are too long"));
            }
            fences.push(&key, offset, len);
        }
        // The keys ascend: what the first and the last have in common, all have.
        fences.shared = fences.first_key().map_or(0, |first| shared_bytes(first, &key));
        fences.heads = (0..count).map(|index| head(&fences.key(index)[fences.shared..])).collect();
        fences.samples = fences.heads.iter().copied().step_by(SAMPLED).collect();
        Ok(fences)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.keys.capacity()
            + self.pieces.capacity() * size_of::<Piece>()
            + (self.heads.capacity() + self.samples.capacity()) * size_of::<u64>()
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.pieces.clear();
    }

    fn key(&self, index: usize) -> &[u8] {
        let end = self.pieces.get(index + 1).map_or(self.keys.len(), |next| next.key_at as usize);
        &self.keys[self.pieces[index].key_at as usize..end]
    }
}

/// The first eight bytes, zeros where a key is shorter: of two keys, the one with the smaller head is smaller.
fn head(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = key.len().min(8);
    bytes[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        let mut bytes = Vec::new();
        fences.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        let read = Fences::decode(&mut reader, 32).unwrap();
        assert_eq!((&read.keys, &read.pieces), (&fences.keys, &fences.pieces));
        assert!(reader.is_empty());
        assert_eq!(read.find(b"a"), None);
        assert_eq!(read.find(b"b"), Some((0, 10)));
        assert_eq!(read.find(b"bcc"), Some((0, 10)));
        assert_eq!(read.find(b"bcd"), Some((15, 10)));
        assert_eq!(read.find(b"zz"), Some((25, 7)));
        assert!(Fences::decode(&mut Reader::new(&bytes), 31).is_err());
        for cut in 0..bytes.len() {
            assert!(Fences::decode(&mut Reader::new(&bytes[..cut]), 32).is_err());
        }
        let unsorted = [2, 0, 1, b'b', 0, 1, 0, 1, b'a', 0, 1];
        assert!(Fences::decode(&mut Reader::new(&unsorted), 32).is_err());
        assert!(Fences::decode(&mut Reader::new(&[0xff, 0xff, 0xff, 0x7f, 0]), 32).is_err());
    }

    proptest! {
        /// Keys with much in common, of which some are the beginning of others, and zeros, which heads are filled with.
        #[test]
        fn fences_find_what_a_linear_search_finds(
            keys in proptest::collection::btree_set(any_key(), 1..80),
            terms in proptest::collection::vec(any_key(), 1..20),
            shared in 0..12usize,
        ) {
            let long = |key: &Vec<u8>| [&b"\x01topic12345 "[..shared], key].concat();
            let keys: Vec<_> = keys.iter().map(long).collect();
            let mut fences = Fences::default();
            keys.iter().enumerate().for_each(|(n, key)| fences.push(key, n as u64 * 10, 10));
            let mut bytes = Vec::new();
            fences.encode(&mut bytes);
            let fences = Fences::decode_piece(&bytes, u64::MAX).unwrap();
            for term in terms.iter().map(long).chain(keys.clone()).chain(terms.iter().cloned()) {
                let before = keys.iter().filter(|&key| *key <= term).count();
                let expected = before.checked_sub(1).map(|n| (n as u64 * 10, 10));
                prop_assert_eq!(fences.find(&term), expected, "{:?} in {:?}", term, keys);
            }
        }
    }

    fn any_key() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(0u8), Just(1), Just(b'a'), Just(0xff)];
        proptest::collection::vec(byte, 1..12)
    }
}
