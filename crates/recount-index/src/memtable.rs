//! The memtable: the newest part of the index, in memory. Terms are added in position order; then it is
//! frozen, written as a run ([`RunSet::write_run`](crate::RunSet::write_run)) and dropped.
//!
//! Sharded by hash so that growing one table or one arena never stops an append for long. Within a shard:
//!
//! ```text
//! slots: hash → index      entries[index]: place in keys, base, count, first, last, deltas      keys: bytes
//! ```
//! Invariants: the positions of a term ascend; iteration order of the hash tables is never visible.

mod list;

use std::fmt;
use std::ops::Range;

use hashbrown::HashTable;

use crate::filter::TermHasher;
use crate::frames::{FrameKey, FrameRef, FrameTable};
use crate::term::TERM_BYTES_MAX;

pub use list::{List, ListPostings};
use list::{Postings, heap_block};

const SHARDS: usize = 32;

/// Terms → positions, mutable.
pub struct Memtable {
    hasher: TermHasher,
    shards: [Shard; SHARDS],
    frames: FrameTable,
    /// Heap bytes of shards and postings, capacities and the allocator's own share.
    heap_bytes: usize,
    postings: u64,
}

#[derive(Default)]
struct Shard {
    slots: HashTable<Slot>,
    entries: Vec<Entry>,
    keys: Vec<u8>,
}

/// Part of the hash beside the index: tells most other terms apart without a visit, and is enough to grow.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    entry: u32,
}

/// 64 bytes.
struct Entry {
    key_at: u32,
    key_len: u16,
    postings: Postings,
}

impl Memtable {
    /// An empty memtable. `hash_key` is the database's, so that no client can choose terms that collide.
    pub fn new(hash_key: &[u8; 16]) -> Memtable {
        Memtable {
            hasher: TermHasher::new(hash_key),
            shards: std::array::from_fn(|_| Shard::default()),
            frames: FrameTable::default(),
            heap_bytes: 0,
            postings: 0,
        }
    }

    /// Adds a posting. The positions of a term must ascend. `before` is the number of postings of this term before
    /// this one, in this memtable and in everything older; `None` = unknown.
    pub fn add(&mut self, term: &[u8], position: u64, before: Option<u64>) {
        self.add_range(term, position..position + 1, before);
    }

    /// Adds a posting at each of some positions, as [`add`](Self::add) does; `before` is for the first.
    pub fn add_range(&mut self, term: &[u8], mut positions: Range<u64>, before: Option<u64>) {
        let hash = self.hasher.hash(term).h1;
        let shard = &mut self.shards[shard_of(hash)];
        self.postings += positions.end - positions.start;
        let entry = match shard.find(hash, term) {
            Some(entry) => {
                let postings = &mut shard.entries[entry].postings;
                if let Some(before) = before {
                    postings.set_base(before - postings.count());
                }
                entry
            }
            None => {
                let Some(first) = positions.next() else { return };
                let heap_bytes = shard.heap_bytes();
                let entry = shard.insert(hash, term, Postings::new(first, before));
                self.heap_bytes += shard.heap_bytes() - heap_bytes;
                entry
            }
        };
        let postings = &mut shard.entries[entry].postings;
        self.heap_bytes += positions.map(|position| postings.push(position)).sum::<usize>();
    }

    /// Notes the number of postings of a term in everything older than this memtable, if the term is here and the
    /// number was unknown.
    pub fn set_base(&mut self, term: &[u8], base: u64) {
        let hash = self.hasher.hash(term).h1;
        let shard = &mut self.shards[shard_of(hash)];
        if let Some(entry) = shard.find(hash, term) {
            shard.entries[entry].postings.set_base(base);
        }
    }

    /// Notes where a frame of the journal begins. Call it for every frame, in journal order; few are kept.
    pub fn frame(&mut self, frame: FrameRef) {
        self.frames.add(frame);
    }

    /// The postings of a term.
    pub fn list(&self, term: &[u8]) -> Option<List<'_>> {
        let hash = self.hasher.hash(term).h1;
        let shard = &self.shards[shard_of(hash)];
        shard.find(hash, term).map(|entry| List { postings: &shard.entries[entry].postings })
    }

    /// How many postings of a term are at positions greater than `after`.
    pub fn count_after(&self, term: &[u8], after: u64) -> u64 {
        self.list(term).map_or(0, |list| list.count_after(after))
    }

    /// The greatest frame kept that does not exceed `key`.
    pub fn frame_at(&self, key: FrameKey) -> Option<FrameRef> {
        self.frames.find(key)
    }

    /// Heap memory held, bytes: capacities, not lengths, and the allocator's own share.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.heap_bytes + self.frames.heap_bytes()
    }

    /// Number of distinct terms.
    pub fn terms(&self) -> usize {
        self.shards.iter().map(|shard| shard.entries.len()).sum()
    }

    /// Number of postings of all terms.
    pub fn postings(&self) -> u64 {
        self.postings
    }

    /// Whether nothing was added, neither a posting nor a frame.
    pub fn is_empty(&self) -> bool {
        self.postings == 0 && self.frames.kept().is_empty()
    }

    /// Every term and its list, in term order.
    pub(crate) fn sorted(&self) -> Sorted<'_> {
        let mut order = Vec::with_capacity(self.terms());
        for (number, shard) in self.shards.iter().enumerate() {
            for (index, entry) in shard.entries.iter().enumerate() {
                order.push((prefix(shard.key(entry)), number as u32, index as u32));
            }
        }
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| {
                let key = |&(_, shard, entry): &(_, u32, u32)| {
                    let shard = &self.shards[shard as usize];
                    shard.key(&shard.entries[entry as usize])
                };
                key(a).cmp(key(b))
            })
        });
        Sorted { memtable: self, order: order.into_iter() }
    }

    pub(crate) fn frames(&self) -> &[FrameRef] {
        self.frames.kept()
    }
}

impl fmt::Debug for Memtable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memtable({} terms, {} postings, {} bytes)", self.terms(), self.postings, self.bytes())
    }
}

/// The terms of a memtable in order.
pub(crate) struct Sorted<'a> {
    memtable: &'a Memtable,
    order: std::vec::IntoIter<([u64; 3], u32, u32)>,
}

impl<'a> Iterator for Sorted<'a> {
    type Item = (&'a [u8], List<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (_, shard, entry) = self.order.next()?;
        let shard = &self.memtable.shards[shard as usize];
        let entry = &shard.entries[entry as usize];
        Some((shard.key(entry), List { postings: &entry.postings }))
    }
}

impl Shard {
    #[inline]
    fn find(&self, hash: u64, term: &[u8]) -> Option<usize> {
        let wanted = hash as u32;
        let same = |slot: &Slot| slot.hash == wanted && self.key(&self.entries[slot.entry as usize]) == term;
        self.slots.find(spread(wanted), same).map(|slot| slot.entry as usize)
    }

    fn insert(&mut self, hash: u64, term: &[u8], postings: Postings) -> usize {
        const SMALL: &str = "a memtable is written long before a shard has 4 GiB of terms";
        assert!(term.len() <= TERM_BYTES_MAX, "a term has {} bytes, more than {TERM_BYTES_MAX}", term.len());
        let key_len = term.len() as u16;
        let key_at = u32::try_from(self.keys.len()).expect(SMALL);
        let slot = Slot { hash: hash as u32, entry: u32::try_from(self.entries.len()).expect(SMALL) };
        self.keys.extend_from_slice(term);
        self.entries.push(Entry { key_at, key_len, postings });
        self.slots.insert_unique(spread(slot.hash), slot, |slot| spread(slot.hash));
        slot.entry as usize
    }

    #[inline]
    fn key(&self, entry: &Entry) -> &[u8] {
        let at = entry.key_at as usize;
        &self.keys[at..at + usize::from(entry.key_len)]
    }

    fn heap_bytes(&self) -> usize {
        heap_block(self.slots.allocation_size())
            + heap_block(self.entries.capacity() * size_of::<Entry>())
            + heap_block(self.keys.capacity())
    }
}

/// The shard takes the top bits of the hash, the slots its low half.
#[inline]
fn shard_of(hash: u64) -> usize {
    (hash >> 59) as usize
}

/// The tables want 64 bits.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The first 24 bytes of a term as numbers that sort the same way. They decide most comparisons without a visit
/// to the term.
fn prefix(term: &[u8]) -> [u64; 3] {
    let mut bytes = [0; 24];
    let n = term.len().min(24);
    bytes[..n].copy_from_slice(&term[..n]);
    [0, 8, 16].map(|at| u64::from_be_bytes(std::array::from_fn(|n| bytes[at + n])))
}

#[cfg(test)]
mod tests;
