//! The bytes of long keys, one behind the other.

use super::words::LONG_KEY;

/// Long keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct LongKeys {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl LongKeys {
    /// Adds one; the words that it has here.
    pub(crate) fn push(&mut self, key: &[u8]) -> [u64; 2] {
        let number = self.ends.len() as u64;
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        [number, LONG_KEY]
    }

    /// The bytes of the one that has this first word.
    pub(crate) fn get(&self, word: u64) -> &[u8] {
        let number = word as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }

    /// Takes all of them away.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// About the memory that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.ends)
    }

    /// What a key adds to it.
    pub(crate) fn bytes_of(key: &[u8]) -> usize {
        key.len() + size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_by_their_words() {
        let mut keys = LongKeys::default();
        let all = [vec![1; 40], vec![2; 16], vec![3; 1000]];
        let words = all.each_ref().map(|key| keys.push(key));
        assert_eq!(words, [[0, LONG_KEY], [1, LONG_KEY], [2, LONG_KEY]]);
        assert_eq!(words.map(|words| keys.get(words[0]).to_vec()), all);
        assert_eq!(keys.bytes(), all.iter().map(|key| LongKeys::bytes_of(key)).sum::<usize>());
        assert_eq!(keys.bytes(), 1056 + 3 * 8);
        keys.clear();
        assert_eq!((keys.bytes(), keys.push(&all[1])), (0, [0, LONG_KEY]));
        assert_eq!(keys.get(0), all[1]);
    }
}
