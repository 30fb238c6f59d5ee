//! Fences: for a sorted sequence of pieces, a key for each that is greater than every term before the piece
//! and not greater than its first term; the shortest such key. They lead from a term to the one piece that may have it.
//!
//! Two levels of them lead to a term: the root has a fence for each group, a group has a fence for each of
//! its blocks.

use std::cmp::Ordering;

use crate::error::Flaw;
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
    /// Where the key of each piece ends.
    key_ends: Vec<u32>,
    /// Made when read, as heads are: what all keys but the first begin with in common, up to sixteen bytes.
    common: [u8; COMMON_MAX],
    common_len: usize,
    /// The heads of every sixteenth piece.
    samples: Vec<u64>,
}

/// Small: there is one for each term block of each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// The eight bytes of its key behind what is common: they decide most comparisons. 0 for the first piece.
    head: u64,
    /// Offset × 2²⁰ + length.
    place: u64,
}

const COMMON_MAX: usize = 16;
const SAMPLED: usize = 16;
const LEN_BITS: u32 = 20;

impl Piece {
    /// `None` if the piece is too long or too far away.
    fn new(offset: u64, len: usize) -> Option<Piece> {
        let fits = len < 1 << LEN_BITS && offset < 1 << (u64::BITS - LEN_BITS);
        fits.then_some(Piece { head: 0, place: offset << LEN_BITS | len as u64 })
    }

    fn offset(self) -> u64 {
        self.place >> LEN_BITS
    }

    fn len(self) -> usize {
        (self.place & ((1 << LEN_BITS) - 1)) as usize
    }
}

impl Fences {
    /// Adds a piece. Panics if it is longer than 1 MiB or lies beyond 16 TiB, or keys are longer than 4 GiB: no run is
    /// so large.
    pub(super) fn push(&mut self, key: &[u8], offset: u64, len: usize) {
        self.pieces.push(Piece::new(offset, len).expect("pieces are shorter than 1 MiB"));
        self.keys.extend_from_slice(key);
        self.key_ends.push(u32::try_from(self.keys.len()).expect("keys are shorter than 4 GiB"));
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Offset and length of a piece.
    pub(super) fn piece(&self, index: usize) -> Option<(u64, usize)> {
        self.pieces.get(index).map(|piece| (piece.offset(), piece.len()))
    }

    /// The key of the first piece.
    pub(super) fn first_key(&self) -> Option<&[u8]> {
        (!self.pieces.is_empty()).then(|| self.key(0))
    }

    /// The piece that may have `term`. Only of fences that were read.
    pub(super) fn find(&self, term: &[u8]) -> Option<(u64, usize)> {
        let (begin, rest) = term.split_at(self.common_len.min(term.len()));
        let (mut low, mut high) = match begin.cmp(&self.common[..self.common_len]) {
            Ordering::Less => (0, 1),
            Ordering::Greater => (self.len(), self.len()),
            Ordering::Equal => self.keys_with_head(head(rest)),
        };
        high = high.min(self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle) <= term { low = middle + 1 } else { high = middle }
        }
        self.piece(low.checked_sub(1)?)
    }

    /// All keys before these are smaller than one with this head, all behind them are greater: first which sixteen, then
    /// which of them, since a search by halves would wait for one line of memory after the other.
    fn keys_with_head(&self, head: u64) -> (usize, usize) {
        let begin = self.samples.partition_point(|&other| other < head).saturating_sub(1) * SAMPLED;
        let end = self.len().min(begin + SAMPLED);
        let below: usize = self.pieces[begin..end].iter().map(|piece| usize::from(piece.head < head)).sum();
        let low = begin + below;
        let same = |piece: &Piece| piece.head == head;
        let high = match self.pieces.get(low) {
            Some(piece) if same(piece) => low + self.pieces[low..].partition_point(same),
            _ => low,
        };
        // The first key may have another beginning, and no head.
        if low <= 1 { (0, high.max(1)) } else { (low, high) }
    }

    /// Appends count and pieces, keys front-coded, offsets as gaps.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.pieces.len() as u64);
        let (mut before, mut end): (&[u8], u64) = (&[], 0);
        for (index, piece) in self.pieces.iter().enumerate() {
            put_key(out, before, self.key(index));
            put_varint(out, piece.offset() - end);
            put_varint(out, piece.len() as u64);
            before = self.key(index);
            end = piece.offset() + piece.len() as u64;
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
            if Piece::new(offset, len).is_none() || fences.keys.len() + key.len() > u32::MAX as usize {
                return Err(reader.flaw("a fence leads to a piece that is too long or too far away"));
            }
            fences.push(&key, offset, len);
        }
        fences.prepare_search(&key);
        Ok(fences)
    }

    fn prepare_search(&mut self, last: &[u8]) {
        // The keys ascend: what the second and the last have in common, all but the first have. The first of a run is
        // one byte, whatever the others are.
        let second = if self.len() > 1 { self.key(1) } else { &[] };
        let len = shared_bytes(second, last).min(COMMON_MAX);
        let mut common = [0; COMMON_MAX];
        common[..len].copy_from_slice(&second[..len]);
        (self.common, self.common_len) = (common, len);
        for index in 1..self.len() {
            self.pieces[index].head = head(&self.key(index)[len..]);
        }
        self.samples = self.pieces.iter().map(|piece| piece.head).step_by(SAMPLED).collect();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.keys.capacity()
            + self.pieces.capacity() * (size_of::<Piece>() + size_of::<u32>())
            + self.samples.capacity() * size_of::<u64>()
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.pieces.clear();
        self.key_ends.clear();
    }

    fn key(&self, index: usize) -> &[u8] {
        let begin = index.checked_sub(1).map_or(0, |before| self.key_ends[before]);
        &self.keys[begin as usize..self.key_ends[index] as usize]
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
        assert_eq!((&read.keys, read.piece(1)), (&fences.keys, Some((15, 10))));
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

    #[test]
    fn fences_that_cannot_be_are_rejected() {
        let what = |bytes: &[u8]| Fences::decode(&mut Reader::new(bytes), u64::MAX).unwrap_err().what;
        // Three in eight bytes, of at least four each.
        assert_eq!(what(&[3, 0, 1, b'a', 0, 1, 0, 1, b'b']), "fences are fewer than counted");
        // A piece of 1 MiB, and one at 16 TiB.
        let far = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 4];
        for wrong in [&[1, 0, 1, b'a', 0, 0x80, 0x80, 0x40][..], &[&[1, 0, 1, b'a'][..], &far, &[1]].concat()]
        {
            assert_eq!(what(wrong), "a fence leads to a piece that is too long or too far away");
        }
        let none = Fences::decode(&mut Reader::new(&[0]), 0).unwrap();
        assert_eq!((none.len(), none.find(b"a")), (0, None));
    }

    #[test]
    fn what_keys_have_in_common_is_not_compared_again() {
        let mut fences = Fences::default();
        for (n, key) in [&b"\x01"[..], b"\x01abc1", b"\x01abc2", b"\x01abd"].iter().enumerate() {
            fences.push(key, n as u64, 1);
        }
        let mut bytes = Vec::new();
        fences.encode(&mut bytes);
        let fences = Fences::decode(&mut Reader::new(&bytes), u64::MAX).unwrap();
        assert_eq!(&fences.common[..fences.common_len], b"\x01ab");
        let heads: Vec<_> = fences.pieces.iter().map(|piece| piece.head.to_be_bytes()).collect();
        assert_eq!(heads, [[0; 8], *b"c1\0\0\0\0\0\0", *b"c2\0\0\0\0\0\0", *b"d\0\0\0\0\0\0\0"]);
    }

    #[test]
    fn fences_cost_what_they_hold() {
        assert_eq!(Fences::default().heap_bytes(), 0);
        let fences = Fences {
            keys: Vec::with_capacity(100),
            pieces: Vec::with_capacity(10),
            samples: Vec::with_capacity(3),
            ..Fences::default()
        };
        assert_eq!(fences.heap_bytes(), 100 + 10 * (16 + 4) + 3 * 8);
    }

    proptest! {
        /// Keys with much in common, of which some are the beginning of others, and zeros, which heads are filled with.
        #[test]
        fn fences_find_what_a_linear_search_finds(
            keys in proptest::collection::btree_set(any_key(), 1..80),
            terms in proptest::collection::vec(any_key(), 1..20),
            shared in 0..20usize,
            short_first in any::<bool>(),
        ) {
            let long = |key: &Vec<u8>| [&b"\x01topic12345 customer-"[..shared], key].concat();
            let mut keys: Vec<_> = keys.iter().map(long).collect();
            if short_first {
                keys[0].truncate(1);
            }
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
