//! The groups of an aggregate: what is kept of each, by number; and their numbers, by key.
//!
//! ```text
//!  index    hash, number         of each key
//!  chunk    1,024 groups         key, rows, the append that touched it last
//!           1,024 × calls        what each call keeps of it
//! ```
//!
//! A number stays with its group until that is removed; then another gets it. Nothing moves when groups become more.

use std::hash::BuildHasher;
use std::mem::size_of;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use super::call::Kept;
use crate::state::spilled;

/// Groups in a chunk.
const CHUNK: usize = 1024;
/// Bytes of a key that need no memory beside the group: of two integers, or a decimal.
const KEY_INLINE: usize = 24;

/// See the module.
#[derive(Debug)]
pub(super) struct Groups {
    index: HashTable<(u32, u32)>,
    hasher: FixedState,
    chunks: Vec<Chunk>,
    /// How many calls there are.
    calls: usize,
    /// Numbers below this one were given.
    used: u32,
    /// Those groups that were removed.
    free: Vec<u32>,
    /// Bytes on the heap of keys, and of what is kept.
    heap_bytes: usize,
}

#[derive(Debug)]
struct Chunk {
    groups: Vec<Group>,
    kept: Vec<Kept>,
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    key: SmallVec<[u8; KEY_INLINE]>,
    /// How many rows.
    pub(super) rows: i64,
    /// The append that touched it last.
    pub(super) append: u64,
}

impl Groups {
    pub(super) fn new(calls: usize) -> Groups {
        let (index, hasher, chunks) = (HashTable::new(), FixedState::default(), Vec::new());
        Groups { index, hasher, chunks, calls, used: 0, free: Vec::new(), heap_bytes: 0 }
    }

    /// The number of the group of a key, and whether it was there; `kept` makes what calls keep of a new one.
    pub(super) fn number(&mut self, key: &[u8], kept: impl Iterator<Item = Kept>) -> (u32, bool) {
        let hash = self.hasher.hash_one(key);
        let short = hash as u32;
        let chunks = &self.chunks;
        let same = |&(known, number): &(u32, u32)| known == short && *group(chunks, number).key == *key;
        // Of a hash that is kept in part, that part has to find the place.
        let place = u64::from(short).wrapping_mul(SPREAD);
        match self.index.entry(place, same, |&(known, _)| u64::from(known).wrapping_mul(SPREAD)) {
            Entry::Occupied(entry) => (entry.get().1, true),
            Entry::Vacant(entry) => {
                let number = self.free.pop().unwrap_or(self.used);
                entry.insert((short, number));
                if number == self.used {
                    self.used = self.used.checked_add(1).expect("memory has no room for so many groups");
                    if number as usize / CHUNK == self.chunks.len() {
                        self.chunks.push(Chunk::new(if number == 0 { 0 } else { CHUNK }, self.calls));
                    }
                }
                self.heap_bytes += self.chunks[number as usize / CHUNK].put(number, key, self.calls, kept);
                (number, false)
            }
        }
    }

    pub(super) fn group(&self, number: u32) -> (&Group, &[Kept]) {
        let place = number as usize % CHUNK;
        let chunk = &self.chunks[number as usize / CHUNK];
        (&chunk.groups[place], &chunk.kept[place * self.calls..][..self.calls])
    }

    pub(super) fn group_mut(&mut self, number: u32) -> &mut Group {
        &mut self.chunks[number as usize / CHUNK].groups[number as usize % CHUNK]
    }

    /// The numbers of all groups, in no order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.index.iter().map(|(_, number)| *number)
    }

    /// What one call keeps of a group.
    pub(super) fn kept_mut(&mut self, number: u32, call: usize) -> &mut Kept {
        &mut self.chunks[number as usize / CHUNK].kept[number as usize % CHUNK * self.calls + call]
    }

    /// That what is kept takes more bytes on the heap than before.
    pub(super) fn add_heap_bytes(&mut self, more: isize) {
        self.heap_bytes = self.heap_bytes.saturating_add_signed(more);
    }

    /// Forgets a group.
    pub(super) fn remove(&mut self, number: u32) {
        let Groups { index, chunks, hasher, calls, .. } = self;
        let chunk = &mut chunks[number as usize / CHUNK];
        let place = number as usize % CHUNK;
        let group = &mut chunk.groups[place];
        let short = hasher.hash_one(&*group.key) as u32;
        let found = index.find_entry(u64::from(short).wrapping_mul(SPREAD), |&(_, known)| known == number);
        let Ok(entry) = found else { return };
        entry.remove();
        let kept = &mut chunk.kept[place * *calls..][..*calls];
        self.heap_bytes -= spilled(&group.key) + kept.iter().map(Kept::heap_bytes).sum::<usize>();
        group.key = SmallVec::new();
        kept.fill(Kept::Count(0));
        self.free.push(number);
        if self.index.is_empty() {
            // So that what was large once is not for ever.
            *self = Groups::new(self.calls);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// About the memory that they take.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |groups: usize| groups * (size_of::<Group>() + self.calls * size_of::<Kept>());
        let chunks = match self.chunks.as_slice() {
            [first] => bytes(first.groups.capacity()),
            all => all.len() * bytes(CHUNK),
        };
        let index = self.index.capacity() * (size_of::<(u32, u32)>() + 1);
        chunks + index + self.free.capacity() * size_of::<u32>() + self.heap_bytes
    }
}

/// Makes of the half of a hash one that tells places and tags apart, which are taken from both of its ends.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

fn group(chunks: &[Chunk], number: u32) -> &Group {
    &chunks[number as usize / CHUNK].groups[number as usize % CHUNK]
}

impl Group {
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl Chunk {
    /// With room for so many groups.
    fn new(groups: usize, calls: usize) -> Chunk {
        Chunk { groups: Vec::with_capacity(groups), kept: Vec::with_capacity(groups * calls) }
    }

    /// Puts a new group; its bytes on the heap.
    fn put(&mut self, number: u32, key: &[u8], calls: usize, kept: impl Iterator<Item = Kept>) -> usize {
        let group = Group { key: SmallVec::from_slice(key), rows: 0, append: 0 };
        let place = number as usize % CHUNK;
        let of_key = spilled(&group.key);
        if place == self.groups.len() {
            self.groups.push(group);
            self.kept.extend(kept);
        } else {
            self.groups[place] = group;
            self.kept[place * calls..].iter_mut().zip(kept).for_each(|(place, kept)| *place = kept);
        }
        of_key + self.kept[place * calls..][..calls].iter().map(Kept::heap_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn kept(first: i64) -> impl Iterator<Item = Kept> {
        [Kept::Count(first), Kept::Count(first + 1)].into_iter()
    }

    fn key(number: u16) -> Vec<u8> {
        let bytes = number.to_be_bytes();
        if number.is_multiple_of(3) { bytes.repeat(20) } else { bytes.to_vec() }
    }

    proptest! {
        /// Groups come and go: as in a map, and a number stays with its group.
        #[test]
        fn groups_are_a_map(steps in prop::collection::vec((0u16..3000, any::<bool>()), 1..4000)) {
            let (mut groups, mut map) = (Groups::new(2), HashMap::<u16, (u32, i64)>::new());
            for (step, (name, goes)) in steps.into_iter().enumerate() {
                match (map.get(&name).copied(), goes) {
                    (Some((number, _)), true) => {
                        groups.remove(number);
                        map.remove(&name);
                    }
                    (Some((number, _)), false) => {
                        prop_assert_eq!(groups.number(&key(name), kept(0)), (number, true));
                    }
                    (None, _) => {
                        let (number, was_there) = groups.number(&key(name), kept(step as i64));
                        prop_assert!(!was_there);
                        groups.group_mut(number).rows = step as i64;
                        map.insert(name, (number, step as i64));
                    }
                }
                prop_assert_eq!(groups.len(), map.len());
            }
            let mut heap_bytes = 0;
            for (name, (number, step)) in &map {
                let (group, kept) = groups.group(*number);
                prop_assert_eq!((group.key(), group.rows), (&*key(*name), *step));
                prop_assert!(matches!(kept, [Kept::Count(a), Kept::Count(b)] if *a == *step && *b == step + 1));
                heap_bytes += spilled(&group.key);
            }
            prop_assert_eq!(groups.heap_bytes, heap_bytes);
        }
    }

    /// Keys whose hashes are one as far as these are kept are not one group.
    #[test]
    fn keys_of_one_hash() {
        let hasher = FixedState::default();
        let mut known = HashMap::<u32, [u8; 4]>::new();
        let keys = (0..u32::MAX).map(u32::to_be_bytes);
        let mut pairs =
            keys.filter_map(|key| Some((known.insert(hasher.hash_one(&key[..]) as u32, key)?, key)));
        let (one, other) = pairs.next().unwrap();
        let mut groups = Groups::new(2);
        let numbers = [&one, &other, &one, &other].map(|key| groups.number(key, kept(0)));
        assert_eq!(numbers, [(0, false), (1, false), (0, true), (1, true)]);
    }

    /// Of all groups their places, of all calls what they keep; the first chunk grows with its groups.
    #[test]
    fn the_memory_of_groups() {
        let place = size_of::<Group>() + 2 * size_of::<Kept>();
        let of_index = |groups: &Groups| groups.index.capacity() * (size_of::<(u32, u32)>() + 1);
        let mut groups = Groups::new(2);
        groups.number(b"one", kept(0));
        assert_eq!(groups.bytes(), groups.chunks[0].groups.capacity() * place + of_index(&groups));
        for name in 0..CHUNK as u16 {
            groups.number(&name.to_be_bytes(), kept(0));
        }
        assert_eq!((groups.len(), groups.bytes()), (CHUNK + 1, 2 * CHUNK * place + of_index(&groups)));
        groups.remove(0);
        let of_free = groups.free.capacity() * size_of::<u32>();
        assert_eq!(groups.bytes(), 2 * CHUNK * place + of_index(&groups) + of_free);
    }

    /// What is there no more takes no memory: neither one after the other nor all at once.
    #[test]
    fn places_are_used_again() {
        let mut groups = Groups::new(2);
        for name in 0..20_000u16 {
            let (number, _) = groups.number(&key(name), kept(0));
            if name >= 2000 {
                groups.number(&key(name - 2000), kept(0));
                let (old, _) = groups.number(&key(name - 2000), kept(0));
                groups.remove(old);
            }
            assert!(number < 3000);
        }
        assert!(groups.bytes() < 3000 * 400, "{}", groups.bytes());
        for name in 18_000..20_000 {
            let (number, _) = groups.number(&key(name), kept(0));
            groups.remove(number);
        }
        assert_eq!((groups.len(), groups.bytes()), (0, 0));
    }
}
