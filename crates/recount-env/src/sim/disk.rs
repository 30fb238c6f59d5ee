//! The disk, and the page cache before it.
//!
//! A sector of 512 bytes is old or new, never garbage. Without a sync, any subset of the sectors written may
//! have reached the disk at a power cut, each in any of its versions since the last sync; a file's growth may
//! have, or not; and of the changes to a directory, any that did not wait for its sync.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::rng::Rng;
use crate::memory;

/// The grain of a write.
pub const SECTOR: usize = 512;

/// Numbers a file, whatever its name.
pub(crate) type FileId = u64;

/// Files and directories.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: BTreeMap<FileId, FileData>,
    /// Names as the running system sees them, and as the disk has them.
    names: BTreeMap<PathBuf, FileId>,
    durable_names: BTreeMap<PathBuf, FileId>,
    directories: BTreeSet<PathBuf>,
    durable_directories: BTreeSet<PathBuf>,
    changes: Vec<Change>,
    locks: BTreeSet<PathBuf>,
    next_file: FileId,
}

#[derive(Debug, Clone, Default)]
struct FileData {
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// Versions of each sector since the last sync, oldest first.
    dirty: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Writes that will never reach the disk, although a sync said so.
    lost: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
enum Change {
    Create(PathBuf, FileId),
    Rename(PathBuf, PathBuf, FileId),
    Remove(PathBuf),
    Directory(PathBuf),
}

impl Change {
    /// The directory whose sync makes it durable.
    fn directory(&self) -> Option<&Path> {
        match self {
            Change::Create(path, _) | Change::Remove(path) | Change::Directory(path) => path.parent(),
            Change::Rename(_, to, _) => to.parent(),
        }
    }
}

impl Disk {
    /// The file of a name.
    pub(crate) fn find(&self, path: &Path) -> Option<FileId> {
        self.names.get(path).copied()
    }

    pub(crate) fn create(&mut self, path: &Path) -> FileId {
        let id = self.next_file;
        self.next_file += 1;
        self.files.insert(id, FileData::default());
        self.names.insert(path.to_owned(), id);
        self.changes.push(Change::Create(path.to_owned(), id));
        id
    }

    pub(crate) fn create_dir(&mut self, path: &Path) -> bool {
        let new = self.directories.insert(path.to_owned());
        if new {
            self.changes.push(Change::Directory(path.to_owned()));
        }
        new
    }

    pub(crate) fn list(&self, path: &Path) -> Option<Vec<String>> {
        self.directories.contains(path).then(|| {
            let entries =
                self.names.keys().chain(&self.directories).filter(|entry| entry.parent() == Some(path));
            let names = entries.filter_map(|entry| entry.file_name()?.to_str().map(str::to_owned));
            let sorted: BTreeSet<String> = names.collect();
            sorted.into_iter().collect()
        })
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> bool {
        let Some(id) = self.names.remove(from) else { return false };
        self.names.insert(to.to_owned(), id);
        self.changes.push(Change::Rename(from.to_owned(), to.to_owned(), id));
        true
    }

    pub(crate) fn remove(&mut self, path: &Path) -> bool {
        let removed = self.names.remove(path).is_some();
        if removed {
            self.changes.push(Change::Remove(path.to_owned()));
        }
        removed
    }

    pub(crate) fn sync_dir(&mut self, path: &Path) {
        let (durable, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition(|change| change.directory() == Some(path));
        self.changes = kept;
        for change in durable {
            self.make_durable(change);
        }
    }

    fn make_durable(&mut self, change: Change) {
        match change {
            Change::Create(path, id) => {
                self.durable_names.insert(path, id);
            }
            Change::Rename(from, to, id) => {
                if self.durable_names.get(&from) == Some(&id) {
                    self.durable_names.remove(&from);
                }
                self.durable_names.insert(to, id);
            }
            Change::Remove(path) => {
                self.durable_names.remove(&path);
            }
            Change::Directory(path) => {
                self.durable_directories.insert(path);
            }
        }
    }

    /// Takes the lock of a path; false if it is held.
    pub(crate) fn lock(&mut self, path: &Path) -> bool {
        self.locks.insert(path.to_owned())
    }

    pub(crate) fn unlock(&mut self, path: &Path) {
        self.locks.remove(path);
    }

    pub(crate) fn release_locks(&mut self) {
        self.locks.clear();
    }

    pub(crate) fn read(&self, id: FileId, offset: u64, buf: &mut [u8]) -> usize {
        self.files.get(&id).map_or(0, |file| memory::read(&file.cached, offset, buf))
    }

    pub(crate) fn len(&self, id: FileId) -> u64 {
        self.files.get(&id).map_or(0, |file| file.cached.len() as u64)
    }

    pub(crate) fn write(&mut self, id: FileId, offset: u64, data: &[u8]) {
        if let Some(file) = self.files.get_mut(&id) {
            file.write(offset, data);
        }
    }

    pub(crate) fn set_len(&mut self, id: FileId, len: u64) {
        if let Some(file) = self.files.get_mut(&id) {
            file.cached.resize(len as usize, 0);
        }
    }

    /// The sectors of a write will never reach the disk.
    pub(crate) fn lose(&mut self, id: FileId, offset: u64, bytes: usize) {
        if let Some(file) = self.files.get_mut(&id) {
            let first = offset as usize / SECTOR;
            let last = (offset as usize + bytes.max(1) - 1) / SECTOR;
            file.lost.extend(first..=last);
        }
    }

    pub(crate) fn sync(&mut self, id: FileId) {
        if let Some(file) = self.files.get_mut(&id) {
            file.sync();
        }
    }

    /// The sync failed: the pages are clean, and the disk has the old bytes.
    pub(crate) fn fail_sync(&mut self, id: FileId) {
        if let Some(file) = self.files.get_mut(&id) {
            file.dirty.clear();
        }
    }

    /// Flips a bit of what the disk and the cache hold; false if there is no such byte.
    pub(crate) fn rot(&mut self, id: FileId, offset: u64, bit: u8) -> bool {
        let Some(file) = self.files.get_mut(&id) else { return false };
        let flip = |bytes: &mut Vec<u8>| {
            let byte = bytes.get_mut(offset as usize);
            byte.map(|byte| *byte ^= 1 << bit).is_some()
        };
        flip(&mut file.durable);
        flip(&mut file.cached)
    }

    /// Bytes of all files.
    pub(crate) fn used(&self) -> u64 {
        self.names.values().map(|&id| self.len(id)).sum()
    }

    pub(crate) fn power_cut(&mut self, rng: &mut Rng) {
        let changes = std::mem::take(&mut self.changes);
        let in_order = rng.below(2) == 0;
        let keep = rng.below(changes.len() as u64 + 1) as usize;
        for (at, change) in changes.into_iter().enumerate() {
            let survives = if in_order { at < keep } else { rng.below(2) == 0 };
            if survives {
                self.make_durable(change);
            }
        }
        self.names = self.durable_names.clone();
        self.directories = self.durable_directories.clone();
        let linked: BTreeSet<FileId> = self.names.values().copied().collect();
        self.files.retain(|id, _| linked.contains(id));
        for file in self.files.values_mut() {
            file.power_cut(rng);
        }
    }

    /// The names of all files, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.names.keys().cloned().collect()
    }

    /// The bytes of a file, as a process would read them.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.files.get(&self.find(path)?).map(|file| file.cached.clone())
    }

    /// Replaces the bytes of a file, on disk and in the cache; creates it if need be.
    pub fn tamper(&mut self, path: &Path, bytes: Vec<u8>) {
        let id = self.find(path).unwrap_or_else(|| self.create(path));
        self.durable_names.insert(path.to_owned(), id);
        let file = FileData { durable: bytes.clone(), cached: bytes, ..FileData::default() };
        self.files.insert(id, file);
    }

    /// Removes a file, on disk and in the cache.
    pub fn tamper_remove(&mut self, path: &Path) {
        self.names.remove(path);
        self.durable_names.remove(path);
    }

    /// A number that tells this disk from any other: FNV-1a over names and bytes.
    pub fn digest(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let mut eat = |bytes: &[u8]| {
            for &byte in bytes {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for (path, id) in &self.names {
            eat(path.as_os_str().as_encoded_bytes());
            if let Some(file) = self.files.get(id) {
                eat(&(file.cached.len() as u64).to_le_bytes());
                eat(&file.cached);
            }
        }
        hash
    }
}

impl FileData {
    fn write(&mut self, offset: u64, data: &[u8]) {
        memory::write(&mut self.cached, offset, data).expect("simulated files are small");
        let (from, to) = (offset as usize, offset as usize + data.len());
        for sector in from / SECTOR..to.div_ceil(SECTOR) {
            let version = sector_of(&self.cached, sector).to_vec();
            self.dirty.entry(sector).or_default().push(version);
            self.lost.remove(&sector);
        }
    }

    fn sync(&mut self) {
        self.durable.resize(self.cached.len(), 0);
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            if let (Some(latest), false) = (versions.last(), self.lost.contains(&sector)) {
                put_sector(&mut self.durable, sector, latest);
            }
        }
    }

    fn power_cut(&mut self, rng: &mut Rng) {
        if self.cached.len() != self.durable.len() && rng.below(2) == 0 {
            self.durable.resize(self.cached.len(), 0);
        }
        // Sometimes nothing of what was not synced survives, sometimes nearly all of it.
        let mood = rng.below(4);
        for (sector, versions) in std::mem::take(&mut self.dirty) {
            let survives = match mood {
                0 => false,
                1 => rng.below(8) > 0,
                _ => rng.below(2) == 0,
            };
            let version = &versions[rng.below(versions.len() as u64) as usize];
            let version = if mood == 1 { versions.last().unwrap_or(version) } else { version };
            if survives && !self.lost.contains(&sector) {
                put_sector(&mut self.durable, sector, version);
            }
        }
        self.lost.clear();
        self.cached = self.durable.clone();
    }
}

fn sector_of(bytes: &[u8], sector: usize) -> &[u8] {
    let from = (sector * SECTOR).min(bytes.len());
    &bytes[from..(from + SECTOR).min(bytes.len())]
}

/// Puts a sector where it belongs, as far as the file reaches.
fn put_sector(bytes: &mut [u8], sector: usize, version: &[u8]) {
    let from = (sector * SECTOR).min(bytes.len());
    let to = (from + version.len()).min(bytes.len());
    bytes[from..to].copy_from_slice(&version[..to - from]);
}
