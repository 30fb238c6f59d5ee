//! Filters: a few bits per term that say "surely absent" or "perhaps here", so that a look-up opens only the
//! runs that have its term. Hashes are keyed per database: nobody can forge terms that all collide.
//!
//! A blocked Bloom filter: one hash chooses a 64-byte line, the other seven bits in it, so a probe costs one
//! cache line. 12 bits a term give about 0.5 % false positives. (Putze, Sanders, Singler: "Cache-, Hash- and
//! Space-Efficient Bloom Filters", 2007.)

use siphasher::sip128::{Hash128, SipHasher13};

use crate::error::Flaw;
use crate::wire::Reader;

const BITS_PER_TERM: usize = 12;
const PROBES: usize = 7;
const LINE_BYTES: usize = 64;
const LINE_BITS: usize = LINE_BYTES * 8;

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

/// Eight words on one cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(align(64))]
struct Line([u64; 8]);

/// A filter over a known set of hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    lines: Vec<Line>,
}

impl Filter {
    pub(crate) fn build(hashes: &[Hash128]) -> Filter {
        let lines = (hashes.len() * BITS_PER_TERM).div_ceil(LINE_BITS).max(1);
        let mut filter = Filter { lines: vec![Line::default(); lines] };
        for hash in hashes {
            let line = filter.line(hash.h1);
            for bit in probes(hash.h2) {
                filter.lines[line].0[bit / 64] |= 1 << (bit % 64);
            }
        }
        filter
    }

    /// False = the term was not among those the filter was built from.
    #[inline]
    pub(crate) fn may_hold(&self, hash: Hash128) -> bool {
        let line = &self.lines[self.line(hash.h1)].0;
        probes(hash.h2).all(|bit| line[bit / 64] & (1 << (bit % 64)) != 0)
    }

    /// Little-endian words, in order.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for line in &self.lines {
            line.0.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Filter, Flaw> {
        let mut reader = Reader::new(bytes);
        if bytes.is_empty() || !bytes.len().is_multiple_of(LINE_BYTES) {
            return Err(reader.flaw("a filter is not whole lines"));
        }
        let mut lines = vec![Line::default(); bytes.len() / LINE_BYTES];
        for word in lines.iter_mut().flat_map(|line| &mut line.0) {
            *word = reader.u64()?;
        }
        Ok(Filter { lines })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.lines.len() * LINE_BYTES
    }

    #[inline]
    fn line(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.lines.len() as u128) >> 64) as usize
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

    #[test]
    fn holds_every_term_and_few_others() {
        let hasher = TermHasher::new(b"0123456789abcdef");
        let hash = |n: u32| hasher.hash(&n.to_be_bytes());
        for terms in [1, 2, 100, 8192] {
            let filter = Filter::build(&(0..terms).map(hash).collect::<Vec<_>>());
            assert!((0..terms).all(|n| filter.may_hold(hash(n))));
            let false_positives = (terms..terms + 100_000).filter(|&n| filter.may_hold(hash(n))).count();
            assert!(false_positives <= 1000, "{false_positives} of 100000 with {terms} terms");

            let mut bytes = Vec::new();
            filter.encode(&mut bytes);
            assert_eq!(Filter::decode(&bytes).unwrap(), filter);
            assert!(Filter::decode(&bytes[1..]).is_err());
        }
        assert!(Filter::decode(&[]).is_err());
        assert_ne!(hasher.fingerprint(), TermHasher::new(b"1123456789abcdef").fingerprint());
    }
}
