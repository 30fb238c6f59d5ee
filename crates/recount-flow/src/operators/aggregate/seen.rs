//! Different values, and how often each came.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use crate::codec::Damaged;
use crate::saved::{Reader, put_bytes, put_number};
use crate::state::spilled;

/// Bytes of a value that need no memory beside its place: of an integer, a time, a short text.
const INLINE: usize = 16;

type Value = SmallVec<[u8; INLINE]>;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(in crate::operators) struct Seen {
    values: HashTable<(Value, i64)>,
    /// Bytes of values beside their places.
    spilled: usize,
}

impl Seen {
    /// Counts a value; how often it was there before and afterwards.
    pub(super) fn count(&mut self, value: &[u8], weight: i64) -> (i64, i64) {
        let hash = |value: &[u8]| FixedState::default().hash_one(value);
        let same = |(known, _): &(Value, i64)| **known == *value;
        match self.values.entry(hash(value), same, |(known, _)| hash(known)) {
            Entry::Occupied(mut entry) => {
                let before = entry.get().1;
                entry.get_mut().1 += weight;
                if before + weight == 0 {
                    let ((value, _), _) = entry.remove();
                    self.spilled -= spilled(&value);
                }
                (before, before + weight)
            }
            Entry::Vacant(entry) => {
                let value = Value::from_slice(value);
                self.spilled += spilled(&value);
                entry.insert((value, weight));
                (0, weight)
            }
        }
    }

    /// Appends them, in their order, to what a restart goes on from.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        let mut values: Vec<(&[u8], i64)> =
            self.values.iter().map(|(value, count)| (&**value, *count)).collect();
        values.sort_unstable();
        put_number(out, values.len() as i64);
        for (value, count) in values {
            put_bytes(out, value);
            put_number(out, count);
        }
    }

    /// What was saved.
    pub(super) fn load(from: &mut Reader<'_>) -> Result<Seen, Damaged> {
        let mut seen = Seen::default();
        for _ in 0..from.count()? {
            let (value, count) = (from.bytes()?, from.number()?);
            if count == 0 || seen.count(value, count).0 != 0 {
                return Err(Damaged);
            }
        }
        Ok(seen)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.values.allocation_size() + self.spilled
    }
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;

    #[test]
    fn values_come_and_go() {
        let mut seen = Seen::default();
        assert_eq!(
            (seen.count(b"a", 2), seen.count(b"a", -1), seen.count(b"b", -1)),
            ((0, 2), (2, 1), (0, -1))
        );
        let long = [7; 100];
        assert_eq!(seen.count(&long, 1), (0, 1));
        let few = seen.heap_bytes();
        assert!(few > 100 + 3 * size_of::<(Value, i64)>(), "{few}");
        assert_eq!((seen.count(&long, -1), seen.count(b"b", 1)), ((1, 0), (-1, 0)));
        assert_eq!(seen.spilled, 0, "nothing is left of what went");
        let mut saved = Vec::new();
        seen.count(b"0", 5);
        seen.save(&mut saved);
        let loaded = Seen::load(&mut Reader(&saved)).unwrap();
        let mut again = Vec::new();
        loaded.save(&mut again);
        assert_eq!(saved, again);
        assert!(
            saved.windows(1).position(|byte| byte == b"0") < saved.windows(1).position(|byte| byte == b"a")
        );
        // Twice the same value, and one that never came.
        for (value, count) in [(b"a", 1), (b"b", 0)] {
            let mut damaged = Vec::new();
            put_number(&mut damaged, 2);
            for (value, count) in [(b"a", 1), (value, count)] {
                put_bytes(&mut damaged, value);
                put_number(&mut damaged, count);
            }
            assert!(Seen::load(&mut Reader(&damaged)).is_err());
        }
    }
}
