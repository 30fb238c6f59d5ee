//! The memory that all runs of an index share: at most 32 MiB. Up to three quarters of it are reserved by runs for
//! their whole filters; the rest is a cache of fences, frame tables and pages of filters that were refused a
//! reservation, filled when asked, emptied by second chance. Roots are with their runs, a thousandth of the files.
//! Blocks and postings never enter it; the system's page cache has those.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most bytes kept.
pub const CACHE_BYTES_MAX: usize = 32 << 20;
const SHARDS: usize = 8;
/// What an entry costs beside its page: two keys, a slot, their share of the tables.
const ENTRY_BYTES: usize = 128;

/// A cached piece, parsed.
pub(crate) trait Page: Send + Sync + fmt::Debug {
    fn heap_bytes(&self) -> usize;
}

/// Serial number of a run, and the offset of a piece in it.
pub(crate) type PageKey = (u64, u64);

/// Shared by all runs of an index.
#[derive(Debug)]
pub(crate) struct Cache<P> {
    shards: [Mutex<Shard<P>>; SHARDS],
    bytes_max: usize,
    /// Bytes that are reserved, and so not for pages.
    reserved: AtomicUsize,
    serial: AtomicU64,
    /// Term blocks, chunks and skip pages read from files, ever.
    pub(crate) block_reads: AtomicU64,
    /// Pieces that had to be read into this cache, ever.
    pub(crate) page_reads: AtomicU64,
}

#[derive(Debug)]
struct Shard<P> {
    slots: HashMap<PageKey, Slot<P>, BuildHasherDefault<KeyHasher>>,
    /// Every key once, the next to be considered for eviction in front.
    queue: VecDeque<PageKey>,
    bytes: usize,
}

/// Serials and offsets are ours: no client can choose ones that collide, and a look-up asks for several.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(26) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[derive(Debug)]
struct Slot<P> {
    page: Arc<P>,
    bytes: usize,
    used: bool,
}

impl<P: Page> Cache<P> {
    pub(crate) fn new(bytes_max: usize) -> Cache<P> {
        let shard = || Mutex::new(Shard { slots: HashMap::default(), queue: VecDeque::new(), bytes: 0 });
        Cache {
            shards: std::array::from_fn(|_| shard()),
            bytes_max,
            reserved: AtomicUsize::new(0),
            serial: AtomicU64::new(0),
            block_reads: AtomicU64::new(0),
            page_reads: AtomicU64::new(0),
        }
    }

    /// A number for a run, never used before.
    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn get(&self, key: PageKey) -> Option<Arc<P>> {
        let mut shard = self.shard(key);
        let slot = shard.slots.get_mut(&key)?;
        slot.used = true;
        Some(slot.page.clone())
    }

    /// Keeps a page, giving up others for it; one larger than a shard is not kept.
    pub(crate) fn put(&self, key: PageKey, page: &Arc<P>) {
        let bytes = page.heap_bytes() + ENTRY_BYTES;
        let mut shard = self.shard(key);
        let shard_bytes_max = self.shard_bytes_max();
        if bytes > shard_bytes_max || shard.slots.contains_key(&key) {
            return;
        }
        while shard.bytes + bytes > shard_bytes_max && shard.evict_one() {}
        shard.slots.insert(key, Slot { page: page.clone(), bytes, used: false });
        shard.queue.push_back(key);
        shard.bytes += bytes;
    }

    /// Forgets every page of a run.
    pub(crate) fn forget(&self, serial: u64) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let Shard { slots, queue, bytes } = &mut *shard;
            queue.retain(|key| key.0 != serial);
            slots.retain(|key, slot| {
                let keep = key.0 != serial;
                *bytes -= if keep { 0 } else { slot.bytes };
                keep
            });
        }
    }

    /// Takes bytes from those for pages, until the reservation is dropped. `None`: too few are left.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reserved<P>> {
        let most = self.bytes_max / 4 * 3;
        let taken = self.reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reserved| {
            reserved.checked_add(bytes).filter(|&reserved| reserved <= most)
        });
        taken.ok()?;
        let shard_bytes_max = self.shard_bytes_max();
        for shard in &self.shards {
            let mut shard = lock(shard);
            while shard.bytes > shard_bytes_max && shard.evict_one() {}
        }
        Some(Reserved { cache: self.clone(), bytes })
    }

    /// Bytes held now, reserved ones included.
    pub(crate) fn bytes(&self) -> usize {
        let pages: usize = self.shards.iter().map(|shard| lock(shard).bytes).sum();
        pages + self.reserved.load(Ordering::Relaxed)
    }

    fn shard_bytes_max(&self) -> usize {
        (self.bytes_max - self.reserved.load(Ordering::Relaxed)) / SHARDS
    }

    fn shard(&self, key: PageKey) -> MutexGuard<'_, Shard<P>> {
        let mixed = (key.0 ^ key.1.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        lock(&self.shards[(mixed >> 61) as usize])
    }
}

/// Bytes of a cache that are used otherwise. See [`Cache::reserve`].
#[derive(Debug)]
pub(crate) struct Reserved<P> {
    cache: Arc<Cache<P>>,
    bytes: usize,
}

impl<P> Drop for Reserved<P> {
    fn drop(&mut self) {
        self.cache.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl<P> Shard<P> {
    /// Gives up the first page in the queue that was not used since it was last considered.
    fn evict_one(&mut self) -> bool {
        while let Some(key) = self.queue.pop_front() {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            if std::mem::take(&mut slot.used) {
                self.queue.push_back(key);
                continue;
            }
            self.bytes -= slot.bytes;
            self.slots.remove(&key);
            return true;
        }
        false
    }
}

fn lock<P>(shard: &Mutex<Shard<P>>) -> MutexGuard<'_, Shard<P>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Page for u64 {
        fn heap_bytes(&self) -> usize {
            1000
        }
    }

    #[test]
    fn stays_within_its_bytes_and_keeps_what_is_used() {
        let cache: Cache<u64> = Cache::new(SHARDS * 10_000);
        cache.put((0, 0), &Arc::new(7));
        for n in 1..1000 {
            assert_eq!(cache.get((0, 0)).as_deref(), Some(&7), "used all the time, gone at {n}");
            cache.put((1, n), &Arc::new(n));
            assert!(cache.bytes() <= SHARDS * 10_000);
        }
        assert!((1..1000).any(|n| cache.get((1, n)).is_some()));
        cache.forget(1);
        assert!((1..1000).all(|n| cache.get((1, n)).is_none()));
        assert_eq!(cache.bytes(), 1000 + ENTRY_BYTES);
    }

    #[test]
    fn pages_give_way_to_reservations() {
        let cache: Arc<Cache<u64>> = Arc::new(Cache::new(SHARDS * 10_000));
        (0..1000).for_each(|n| cache.put((1, n), &Arc::new(n)));
        let before = cache.bytes();
        let reserved = cache.reserve(SHARDS * 7_500).unwrap();
        assert!(cache.bytes() <= SHARDS * 10_000);
        assert!(cache.reserve(1).is_none(), "more than three quarters");
        assert!(cache.reserve(usize::MAX).is_none());
        (0..1000).for_each(|n| cache.put((2, n), &Arc::new(n)));
        assert!(cache.bytes() <= SHARDS * 10_000);
        drop(reserved);
        (0..1000).for_each(|n| cache.put((3, n), &Arc::new(n)));
        assert_eq!(cache.bytes(), before);
    }

    #[test]
    fn does_not_keep_what_is_too_large() {
        let cache: Cache<u64> = Cache::new(SHARDS * 500);
        cache.put((0, 0), &Arc::new(7));
        assert_eq!(cache.bytes(), 0);
    }
}
