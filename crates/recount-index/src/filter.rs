//! Filters: a few bits per term that say "surely absent" or "perhaps here", so that a look-up opens only the
//! runs that have its term. Hashes are keyed per database: nobody can forge terms that all collide.
//!
//! A blocked Bloom filter over all terms of a run: one hash chooses a 64-byte line, the other seven bits in it, so that
//! a run without the term costs one cache line. 12 bits a term give about 0.5 % false positives. (Putze, Sanders,
//! Singler: "Cache-, Hash- and Space-Efficient Bloom Filters", 2007.)

use siphasher::sip128::{Hash128, SipHasher13};

use crate::error::Flaw;
use crate::wire::Reader;

const BITS_PER_TERM: u64 = 12;
const PROBES: usize = 7;
const LINE_BITS: usize = LINE_BYTES * 8;
/// 64 MiB, 12 bits for 44 million terms; more terms have fewer bits each.
const LINES_MAX: u64 = 1 << 20;
/// A filter made for more terms than came is folded up to four times.
const FOLDS: u64 = 16;

/// Bytes of a line.
pub(crate) const LINE_BYTES: usize = 64;

/// Hashes terms with the database's key.
#[derive(Clone)]
pub(crate) struct TermHasher(SipHasher13);

impl TermHasher {
    pub(crate) fn new(key: &[u8; 16]) -> TermHasher {
        TermHasher(SipHasher13::new_with_key(key))
    }

    #[inline]
    pub(crate) fn hash(&self, term: &[u8]) -> Hash128 {
        self.0.hash(term)
    }

    /// Tells keys apart: a filter read with another key than it was written with would hide terms.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.0.hash(b"recount index filter key").h1
    }
}

/// Eight words on one line of the processor's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(align(64))]
struct Line([u64; 8]);

/// A filter, or some successive lines of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    lines: Vec<Line>,
}

/// The line of a filter of `lines` lines that knows of a term.
#[inline]
pub(crate) fn line_of(hash: Hash128, lines: u64) -> u64 {
    ((u128::from(hash.h1) * u128::from(lines)) >> 64) as u64
}

impl Filter {
    /// An empty filter, large enough for `terms_max` terms.
    pub(crate) fn new(terms_max: u64) -> Filter {
        let lines = terms_max.saturating_mul(BITS_PER_TERM).div_ceil(LINE_BITS as u64).clamp(1, LINES_MAX);
        let lines = if lines < FOLDS { lines } else { lines.next_multiple_of(FOLDS) };
        Filter { lines: vec![Line::default(); lines as usize] }
    }

    pub(crate) fn insert(&mut self, hash: Hash128) {
        let line = line_of(hash, self.lines.len() as u64) as usize;
        for bit in probes(hash.h2) {
            self.lines[line].0[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// Halves the filter as long as that leaves enough for `terms` terms: two neighbours become one line, which is
    /// the line that a filter of half the lines has for the terms of both.
    pub(crate) fn fold(&mut self, terms: u64) {
        let enough = |lines: usize| (lines * LINE_BITS) as u64 >= terms * BITS_PER_TERM;
        while self.lines.len().is_multiple_of(2) && enough(self.lines.len() / 2) {
            let half = self.lines.len() / 2;
            for line in 0..half {
                let (one, other) = (self.lines[2 * line].0, self.lines[2 * line + 1].0);
                self.lines[line] = Line(std::array::from_fn(|word| one[word] | other[word]));
            }
            self.lines.truncate(half);
        }
    }

    /// False = the term was not among those inserted.
    #[inline]
    pub(crate) fn may_hold(&self, hash: Hash128) -> bool {
        self.line_may_hold(line_of(hash, self.lines.len() as u64) as usize, hash)
    }

    /// The same, given which of these lines knows of the term.
    #[inline]
    pub(crate) fn line_may_hold(&self, line: usize, hash: Hash128) -> bool {
        let Some(Line(words)) = self.lines.get(line) else { return true };
        // All seven, and no way out before the last: a branch that nobody can predict would keep the processor from
        // fetching the lines of the next runs while it waits for this one.
        probes(hash.h2).fold(1, |all, bit| all & (words[bit / 64] >> (bit % 64))) & 1 == 1
    }

    /// Some of its lines, as little-endian words; empty behind the last.
    pub(crate) fn page(&self, lines: std::ops::Range<usize>) -> Vec<u8> {
        let lines = self.lines.get(lines.start..lines.end.min(self.lines.len())).unwrap_or_default();
        lines.iter().flat_map(|line| line.0).flat_map(u64::to_le_bytes).collect()
    }

    /// No lines, with room for some.
    pub(crate) fn with_capacity(lines: usize) -> Filter {
        Filter { lines: Vec::with_capacity(lines) }
    }

    /// Adds lines as [`page`](Self::page) gave them.
    pub(crate) fn read_page(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let mut line = Line::default();
            for word in &mut line.0 {
                *word = reader.u64()?;
            }
            self.lines.push(line);
        }
        Ok(())
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.lines.capacity() * LINE_BYTES
    }
}

/// Seven numbers of nine bits.
#[inline]
fn probes(hash: u64) -> impl Iterator<Item = usize> {
    (0..PROBES).map(move |n| (hash >> (9 * n)) as usize % LINE_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(hasher: &TermHasher, terms_max: u64, terms: u32) -> Filter {
        let mut filter = Filter::new(terms_max);
        (0..terms).for_each(|n| filter.insert(hasher.hash(&n.to_be_bytes())));
        filter.fold(terms.into());
        filter
    }

    #[test]
    fn holds_every_term_and_few_others() {
        let hasher = TermHasher::new(b"0123456789abcdef");
        let hash = |n: u32| hasher.hash(&n.to_be_bytes());
        for (terms, terms_max, lines) in [
            (1, 1, 1),
            (2, 2, 1),
            (100, 100, 3),
            (100, 250, 3),
            (100, 800, 4),
            (8192, 8192, 192),
            (8192, 70_000, 206),
        ] {
            let filter = filled(&hasher, terms_max, terms);
            assert_eq!(filter.lines.len(), lines, "{terms} terms of up to {terms_max}");
            assert!((0..terms).all(|n| filter.may_hold(hash(n))));
            let false_positives = (terms..terms + 100_000).filter(|&n| filter.may_hold(hash(n))).count();
            assert!(false_positives <= 1000, "{false_positives} of 100000 with {terms} terms");

            let mut read = Filter::with_capacity(0);
            for first in (0..lines).step_by(5) {
                let page = filter.page(first..first + 5);
                read.read_page(&page).unwrap();
                assert!(read.clone().read_page(&page[1..]).is_err());
            }
            assert_eq!(read, filter);
            assert!(filter.page(lines..lines + 5).is_empty());
        }
        assert_ne!(hasher.fingerprint(), TermHasher::new(b"1123456789abcdef").fingerprint());
    }

    #[test]
    fn a_folded_filter_is_the_one_made_for_fewer_terms() {
        let hasher = TermHasher::new(b"0123456789abcdef");
        // 1,600 and 400 lines.
        assert_eq!(filled(&hasher, 68_000, 17_000), filled(&hasher, 17_000, 17_000));
    }

    #[test]
    fn more_terms_than_a_filter_may_be_made_for_have_fewer_bits_each() {
        assert_eq!(Filter::new(u64::MAX).lines.len() as u64, LINES_MAX);
    }

    #[test]
    fn it_costs_what_its_lines_take() {
        assert_eq!(Filter::with_capacity(0).heap_bytes(), 0);
        assert_eq!(Filter::with_capacity(3).heap_bytes(), 3 * 64);
    }
}
