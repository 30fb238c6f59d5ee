//! The index of a table: from hashes to the numbers of rows, by open addressing. It knows no keys; a look-up gives
//! candidates, to be compared by the table.
//!
//! ```text
//!  entry  = 32 bits of hash, 32 bits of number + 1; 0 = empty
//!  probe  = the hash's place, then one further, until an empty entry
//! ```
//!
//! Nothing is ever taken out.

/// The numbers of rows by hash.
#[derive(Debug)]
pub(crate) struct Index {
    entries: Vec<u64>,
    used: usize,
}

impl Index {
    pub(crate) fn new() -> Index {
        Index { entries: vec![0; 16], used: 0 }
    }

    /// Where the search for a hash begins.
    #[inline]
    pub(crate) fn start(&self, hash: u32) -> usize {
        // The upper bits, which are as good as the lower ones, are those that entries of one place differ in.
        hash as usize & (self.entries.len() - 1)
    }

    /// The next candidate for a hash from a place on, and the place behind it.
    #[inline]
    pub(crate) fn candidate(&self, hash: u32, mut place: usize) -> Option<(u32, usize)> {
        loop {
            let entry = self.entries[place & (self.entries.len() - 1)];
            if entry == 0 {
                return None;
            }
            place += 1;
            if (entry >> 32) as u32 == hash {
                return Some((entry as u32 - 1, place));
            }
        }
    }

    /// Adds a row.
    pub(crate) fn insert(&mut self, hash: u32, number: u32) {
        if (self.used + 1) * 3 > self.entries.len() * 2 {
            let entries = std::mem::take(&mut self.entries);
            self.entries = vec![0; entries.len() * 2];
            entries.into_iter().filter(|entry| *entry != 0).for_each(|entry| self.put(entry));
        }
        self.put(u64::from(hash) << 32 | u64::from(number + 1));
        self.used += 1;
    }

    fn put(&mut self, entry: u64) {
        let mask = self.entries.len() - 1;
        let mut place = (entry >> 32) as usize & mask;
        while self.entries[place] != 0 {
            place = (place + 1) & mask;
        }
        self.entries[place] = entry;
    }

    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.len() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number put in is a candidate of its hash, whatever collides with it.
    #[test]
    fn numbers_are_found_by_hash_among_others_of_the_same() {
        for hash_of in
            [|n: u32| n, |n: u32| n % 3, |n: u32| n.wrapping_mul(0x9E37_79B9), |n: u32| u32::MAX - n % 2]
        {
            let mut index = Index::new();
            for number in 0..2000 {
                index.insert(hash_of(number), number);
            }
            for number in (0..2000).step_by(7) {
                let (hash, mut found) = (hash_of(number), Vec::new());
                let mut place = index.start(hash);
                while let Some((candidate, after)) = index.candidate(hash, place) {
                    found.push(candidate);
                    place = after;
                }
                found.sort_unstable();
                let expected: Vec<u32> = (0..2000).filter(|other| hash_of(*other) == hash).collect();
                assert_eq!(found, expected);
            }
        }
        assert_eq!(Index::new().candidate(5, 5), None);
        assert_eq!(Index::new().bytes(), 128);
    }
}
