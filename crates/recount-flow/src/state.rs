//! What operators keep: values by key, in memory.

use std::hash::BuildHasher;
use std::mem::size_of;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::{Array, SmallVec};

/// A value, as far as the memory is concerned that it takes beside itself.
pub(crate) trait Held {
    /// Bytes on the heap.
    fn heap_bytes(&self) -> usize;
}

impl Held for i64 {
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Bytes of a key that need no memory beside its value: of two integers, or a decimal.
const KEY_INLINE: usize = 24;

type Key = SmallVec<[u8; KEY_INLINE]>;

/// Those of some bytes that are not where they are kept, but on the heap.
pub(crate) fn spilled<A: Array<Item = u8>>(bytes: &SmallVec<A>) -> usize {
    if bytes.spilled() { bytes.capacity() } else { 0 }
}

/// Values by key.
#[derive(Debug)]
pub(crate) struct Table<V> {
    values: HashTable<(Key, V)>,
    hasher: FixedState,
    /// Of keys, and of what values have on the heap.
    heap_bytes: usize,
}

impl<V: Held> Table<V> {
    pub(crate) fn new() -> Table<V> {
        Table { values: HashTable::new(), hasher: FixedState::default(), heap_bytes: 0 }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        let hash = self.hasher.hash_one(key);
        self.values.find(hash, |(known, _)| **known == *key).map(|(_, value)| value)
    }

    /// Changes the value of a key, which is made where there is none.
    pub(crate) fn edit<R>(
        &mut self,
        key: &[u8],
        make: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> R {
        let hasher = &self.hasher;
        let same = |(known, _): &(Key, V)| **known == *key;
        let entry = self.values.entry(hasher.hash_one(key), same, |(known, _)| hasher.hash_one(&**known));
        let mut entry = match entry {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => {
                let (key, value) = (Key::from_slice(key), make());
                self.heap_bytes += spilled(&key) + value.heap_bytes();
                entry.insert((key, value))
            }
        };
        let value = &mut entry.get_mut().1;
        let before = value.heap_bytes();
        let result = edit(value);
        self.heap_bytes = self.heap_bytes + value.heap_bytes() - before;
        result
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Keys and values, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &V)> {
        self.values.iter().map(|(key, value)| (&**key, value))
    }

    /// The values, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.iter().map(|(_, value)| value)
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        let same = |(known, _): &(Key, V)| **known == *key;
        if let Ok(entry) = self.values.find_entry(self.hasher.hash_one(key), same) {
            let ((key, value), _) = entry.remove();
            self.heap_bytes -= spilled(&key) + value.heap_bytes();
        }
    }

    /// About the memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.values.capacity() * (size_of::<(Key, V)>() + 1) + self.heap_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct OfBytes(usize);

    impl Held for OfBytes {
        fn heap_bytes(&self) -> usize {
            self.0
        }
    }

    /// Long keys are on the heap, as is what values have there; all of it is given back.
    #[test]
    fn the_memory_of_a_table() {
        let mut table = Table::new();
        let of_rows = |table: &Table<OfBytes>| table.values.capacity() * (size_of::<(Key, OfBytes)>() + 1);
        for number in 0..100u8 {
            table.edit(&[number; 50], || OfBytes(10), |value| value.0 += 5);
            table.edit(&[number], || OfBytes(0), |_| ());
        }
        assert_eq!((table.len(), table.bytes()), (200, of_rows(&table) + 100 * (50 + 15)));
        table.edit(&[7; 50], || OfBytes(99), |value| value.0 -= 12);
        assert_eq!((table.len(), table.bytes()), (200, of_rows(&table) + 100 * (50 + 15) - 12));
        for number in 0..100u8 {
            table.remove(&[number; 50]);
            table.remove(&[number]);
        }
        assert_eq!((table.len(), table.bytes()), (0, of_rows(&table)));
        let mut counts = Table::<i64>::new();
        counts.edit(b"short", || 0, |count| *count += 1);
        assert_eq!(counts.bytes(), counts.values.capacity() * (size_of::<(Key, i64)>() + 1));
    }
}
