//! The index of a table: from hashes to the numbers of rows, by open addressing. It knows no keys; a look-up gives
//! candidates, to be compared by the table.
//!
//! ```text
//!  entry  = as many of the hash's upper bits as there is room for, then the number + 1, in 32 bits; 0 = empty
//!  probe  = the place that the hash's lower bits say, then one further, until an empty entry
//! ```
//!
//! Entries are small so that more of them are at hand. Nothing is ever taken out.

use std::num::NonZeroU32;

use prefetch_index::prefetch_index;

/// The numbers of rows by hash.
#[derive(Debug)]
pub(crate) struct Index {
    entries: Vec<u32>,
    used: usize,
    /// The bits of an entry that are the number's.
    number_bits: u32,
}

/// A row that may be the one that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// As it lies in its entry.
    number: NonZeroU32,
    /// Where the search goes on.
    pub(crate) after: usize,
}

impl Candidate {
    /// The number of the row.
    #[inline]
    pub(crate) fn row(self) -> u32 {
        self.number.get() - 1
    }
}

impl Index {
    /// An index with place for so many numbers, those from 0 on.
    pub(crate) fn with_places(numbers: usize) -> Index {
        // Half of it stays empty, so that most searches end where they begin.
        let entries = (numbers.max(8) * 2).next_power_of_two();
        let number_bits = (entries / 2 + 1).next_power_of_two().trailing_zeros().min(32);
        Index { entries: vec![0; entries], used: 0, number_bits }
    }

    /// Whether there is no place for another number.
    pub(crate) fn is_full(&self) -> bool {
        self.used * 2 >= self.entries.len()
    }

    /// Where the search for a hash begins.
    #[inline]
    fn start(&self, hash: u64) -> usize {
        hash as usize & (self.entries.len() - 1)
    }

    /// Lets the processor fetch the entry where the search for a hash begins.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch_index(&self.entries, self.start(hash));
    }

    /// The first candidate for a hash.
    #[inline]
    pub(crate) fn first(&self, hash: u64) -> Option<Candidate> {
        self.next(hash, self.start(hash))
    }

    /// The next candidate for a hash from a place on.
    #[inline]
    pub(crate) fn next(&self, hash: u64, mut place: usize) -> Option<Candidate> {
        let tag = self.tag(hash);
        loop {
            let entry = self.entries[place & (self.entries.len() - 1)];
            if entry == 0 {
                return None;
            }
            place += 1;
            // What is left of the same tag is a number alone.
            let number = entry ^ tag;
            if u64::from(number) < 1 << self.number_bits
                && let Some(number) = NonZeroU32::new(number)
            {
                return Some(Candidate { number, after: place });
            }
        }
    }

    /// Adds a row. There is place for it.
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        assert!(!self.is_full(), "whoever adds a row makes place for it");
        let mask = self.entries.len() - 1;
        let mut place = self.start(hash);
        while self.entries[place] != 0 {
            place = (place + 1) & mask;
        }
        self.entries[place] = self.tag(hash) | (number + 1);
        self.used += 1;
    }

    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.len() * size_of::<u32>()
    }

    /// The upper bits, which are as good as the lower ones, are those that entries of one place differ in.
    #[inline]
    fn tag(&self, hash: u64) -> u32 {
        ((hash >> 32) >> self.number_bits << self.number_bits) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number put in is a candidate of its hash, whatever collides with it.
    #[test]
    fn numbers_are_found_by_hash_among_others_of_the_same() {
        for hash_of in [
            |n: u32| u64::from(n),
            |n: u32| u64::from(n % 3) << 40,
            |n: u32| u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            |n: u32| u64::MAX - u64::from(n % 2),
        ] {
            let mut index = Index::with_places(2000);
            for number in 0..2000 {
                index.insert(hash_of(number), number);
            }
            for number in (0..2000).step_by(7) {
                let (hash, mut found) = (hash_of(number), Vec::new());
                let mut next = index.first(hash);
                while let Some(candidate) = next {
                    found.push(candidate.row());
                    next = index.next(hash, candidate.after);
                }
                found.sort_unstable();
                assert!(found.windows(2).all(|two| two[0] != two[1]), "each of them once");
                let mut same = (0..2000).filter(|other| hash_of(*other) == hash);
                assert!(same.all(|other| found.binary_search(&other).is_ok()));
            }
        }
        let index = Index::with_places(0);
        assert_eq!(index.first(5), None);
        assert_eq!((index.bytes(), index.is_full()), (64, false));
    }

    /// Where numbers take all bits there are no tags, and every entry is a candidate.
    #[test]
    fn entries_have_room_for_the_greatest_number() {
        for numbers in [0, 8, 9, 2000, 1 << 20] {
            let mut index = Index::with_places(numbers);
            let greatest = index.entries.len() as u32 / 2 - 1;
            for hash in [0, u64::MAX, 0x1234_5678_9ABC_DEF0] {
                index.insert(hash, greatest);
                assert_eq!(index.first(hash).map(Candidate::row), Some(greatest));
            }
        }
    }

    /// Half of it stays empty, and no bit is the number's that could tell hashes apart.
    #[test]
    fn it_is_full_when_half_of_it_is_used() {
        let mut index = Index::with_places(8);
        for number in 0..8 {
            assert!(!index.is_full(), "with {number}");
            index.insert(u64::from(number), number);
        }
        assert!(index.is_full());
        assert_eq!([0, 1, 15, 16, 17].map(|hash| index.start(hash)), [0, 1, 15, 0, 1]);
        assert_eq!([8, 9, 1 << 20].map(|numbers| Index::with_places(numbers).number_bits), [4, 5, 21]);
    }
}
