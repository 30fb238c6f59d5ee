//! The bytes of one file: what reads see, what the disk has, and what lies between the two.
//!
//! A sector is old or new, never garbage. Of the sectors written since the last sync, any subset may have
//! reached the disk, each in any of its versions; of the lengths that the file had, any one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::SECTOR;
use crate::memory;
use crate::sim::rng::Rng;

#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// What reads see: the page cache.
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// Versions of each sector since the last sync, oldest first.
    dirty: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Lengths since the last sync, oldest first.
    lengths: Vec<usize>,
    /// Sectors whose latest write never reaches the disk, although a sync will say so.
    lost: BTreeSet<usize>,
}

impl Content {
    /// These bytes, on disk and in the cache.
    pub(super) fn durable(bytes: Vec<u8>) -> Content {
        Content { cached: bytes.clone(), durable: bytes, ..Content::default() }
    }

    /// The bytes that reads see.
    pub(super) fn cached(&self) -> &[u8] {
        &self.cached
    }

    /// The bytes that a power cut would leave if it lost all that is not synced.
    pub(super) fn on_disk(&self) -> &[u8] {
        &self.durable
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let before = self.cached.len();
        memory::write(&mut self.cached, offset, data)?;
        if self.cached.len() != before {
            self.lengths.push(self.cached.len());
        }
        for sector in sectors(offset, data.len()) {
            let version = sector_of(&self.cached, sector).to_vec();
            self.dirty.entry(sector).or_default().push(version);
            self.lost.remove(&sector);
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, len: u64) -> io::Result<()> {
        let before = self.cached.len();
        memory::set_len(&mut self.cached, len)?;
        let len = self.cached.len();
        if len != before {
            self.lengths.push(len);
        }
        if len < before {
            // What was cut off is zeros if the file ever grows again.
            for (&sector, versions) in self.dirty.range_mut(len / SECTOR..) {
                *versions = vec![sector_of(&self.cached, sector).to_vec()];
            }
        }
        Ok(())
    }

    /// Puts data over what is there, on disk and in the cache, as far as the file reaches.
    pub(super) fn overwrite(&mut self, offset: u64, data: &[u8]) {
        for bytes in [&mut self.durable, &mut self.cached] {
            let from = (offset as usize).min(bytes.len());
            let to = (from + data.len()).min(bytes.len());
            bytes[from..to].copy_from_slice(&data[..to - from]);
        }
    }

    /// The sectors of a write will never reach the disk.
    pub(super) fn lose(&mut self, offset: u64, bytes: usize) {
        self.lost.extend(sectors(offset, bytes));
    }

    /// Everything written is on disk, but for what the disk lost.
    pub(super) fn sync(&mut self) {
        for len in std::mem::take(&mut self.lengths) {
            self.durable.resize(len, 0);
        }
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if let (Some(latest), false) = (versions.last(), self.lost.contains(&sector)) {
                put_sector(&mut self.durable, sector, latest);
            }
        }
    }

    /// A sync fails: the pages count as clean, reads see what was written, and it never reaches the disk.
    pub(super) fn fail_sync(&mut self) {
        self.dirty.clear();
    }

    /// Flips a bit on disk and in the cache; false if neither has such a byte.
    pub(super) fn flip_bit(&mut self, offset: u64, bit: u8) -> bool {
        let flip = |bytes: &mut [u8]| {
            let byte = usize::try_from(offset).ok().and_then(|at| bytes.get_mut(at));
            byte.map(|byte| *byte ^= 1 << (bit % 8)).is_some()
        };
        let on_disk = flip(&mut self.durable);
        flip(&mut self.cached) || on_disk
    }

    /// The power fails. What was synced stays; what was not survives in part.
    pub(super) fn power_cut(&mut self, rng: &mut Rng) {
        // Sometimes nothing of what was not synced survives, sometimes nearly all of it.
        let mood = rng.below(4);
        let lengths = std::mem::take(&mut self.lengths);
        let changes = match mood {
            0 => 0,
            1 => lengths.len(),
            _ => rng.below(lengths.len() as u64 + 1) as usize,
        };
        for &len in lengths.iter().take(changes) {
            self.durable.resize(len, 0);
        }
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            let (survives, version) = match mood {
                0 => (false, 0),
                1 => (rng.below(8) > 0, versions.len() as u64 - 1),
                _ => (rng.below(2) == 0, rng.below(versions.len() as u64)),
            };
            if survives && !self.lost.contains(&sector) {
                put_sector(&mut self.durable, sector, &versions[version as usize]);
            }
        }
        self.lost.clear();
        self.cached.clone_from(&self.durable);
    }
}

/// The sectors that a write touches.
fn sectors(offset: u64, bytes: usize) -> std::ops::Range<usize> {
    let from = offset as usize;
    if bytes == 0 { 0..0 } else { from / SECTOR..(from + bytes).div_ceil(SECTOR) }
}

fn sector_of(bytes: &[u8], sector: usize) -> &[u8] {
    let from = (sector * SECTOR).min(bytes.len());
    &bytes[from..(from + SECTOR).min(bytes.len())]
}

/// Puts a sector where it belongs, as far as the file reaches. Past the version's end come zeros.
fn put_sector(bytes: &mut [u8], sector: usize, version: &[u8]) {
    let from = (sector * SECTOR).min(bytes.len());
    let to = (from + SECTOR).min(bytes.len());
    let (written, rest) = bytes[from..to].split_at_mut(version.len().min(to - from));
    written.copy_from_slice(&version[..written.len()]);
    rest.fill(0);
}
