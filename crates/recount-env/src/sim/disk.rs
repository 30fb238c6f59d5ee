//! The disk, and the page cache before it: [`content`] has the bytes of each file, [`names`] the directories.
//!
//! The model is the strictest that POSIX allows, with sectors of 512 bytes that are old or new, never garbage.
//! A file's sync does not make its name durable, nor the other way round.
//! A clone is a snapshot; assigning it puts everything back.

mod content;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use self::content::Content;
use self::names::Names;
use super::rng::Rng;
use crate::{OpenMode, memory};

/// The grain of a write.
pub const SECTOR: usize = 512;

/// Numbers a file, whatever its name.
pub(crate) type FileId = u64;

/// Files and directories.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: BTreeMap<FileId, Content>,
    names: Names,
    locks: BTreeSet<PathBuf>,
    next_file: FileId,
    /// Since the sync of a directory failed, until the power is cut.
    read_only: bool,
}

/// To look at the disk and tamper with it, while no process runs.
impl Disk {
    /// The names of all files, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.names.files().keys().cloned().collect()
    }

    /// The bytes of a file, as a process would read them.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.content(path).map(|file| file.cached().to_vec())
    }

    /// The bytes of a file that surely survive a power cut.
    pub fn durable_bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.content(path).map(|file| file.on_disk().to_vec())
    }

    /// The sync of a directory failed: nothing can be changed before the machine boots again.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Replaces the bytes of a file, on disk and in the cache; creates it if need be.
    pub fn tamper(&mut self, path: &Path, bytes: Vec<u8>) {
        let id = self.names.find(path).unwrap_or_else(|| self.next_id());
        self.names.tamper(path, id);
        self.files.insert(id, Content::durable(bytes));
    }

    /// Removes a file, on disk and in the cache.
    pub fn tamper_remove(&mut self, path: &Path) {
        self.names.tamper_remove(path);
    }

    /// Cuts a file to `len` bytes, on disk and in the cache; false if there is no such file.
    pub fn truncate(&mut self, path: &Path, len: usize) -> bool {
        let Some(mut bytes) = self.bytes(path) else { return false };
        bytes.truncate(len);
        self.tamper(path, bytes);
        true
    }

    /// Flips a bit, on disk and in the cache; false if there is no such byte.
    pub fn flip_bit(&mut self, path: &Path, offset: u64, bit: u8) -> bool {
        self.find(path).is_some_and(|id| self.rot(id, offset, bit))
    }

    /// A number that tells this disk from any other: FNV-1a over names and bytes, durable and not.
    pub fn digest(&self) -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        for names in [self.names.files(), self.names.durable_files()] {
            for (path, id) in names {
                hash.eat(path.as_os_str().as_encoded_bytes());
                hash.eat(&id.to_le_bytes());
            }
        }
        for (id, file) in &self.files {
            hash.eat(&id.to_le_bytes());
            for bytes in [file.cached(), file.on_disk()] {
                hash.eat(&(bytes.len() as u64).to_le_bytes());
                hash.eat(bytes);
            }
        }
        hash.0
    }

    fn content(&self, path: &Path) -> Option<&Content> {
        self.files.get(&self.names.find(path)?)
    }
}

/// What the operations of a process do.
impl Disk {
    /// The file of a name.
    pub(crate) fn find(&self, path: &Path) -> Option<FileId> {
        self.names.find(path)
    }

    /// Every file that has a name, sorted by it.
    pub(crate) fn named(&self) -> Vec<FileId> {
        self.names.files().values().copied().collect()
    }

    /// Fails if nothing may be changed.
    pub(crate) fn check_writable(&self) -> io::Result<()> {
        if self.read_only { Err(ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }

    pub(crate) fn open(&mut self, path: &Path, mode: OpenMode) -> io::Result<FileId> {
        if matches!(mode, OpenMode::ReadWrite | OpenMode::CreateNew) {
            self.check_writable()?;
        }
        match mode {
            OpenMode::Read | OpenMode::ReadScattered | OpenMode::ReadWrite => {
                Ok(self.find(path).ok_or(ErrorKind::NotFound)?)
            }
            OpenMode::CreateNew => {
                let id = self.next_id();
                self.names.create(path, id)?;
                self.files.insert(id, Content::default());
                Ok(id)
            }
        }
    }

    pub(crate) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        self.check_writable()?;
        self.names.create_dir(path)
    }

    pub(crate) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.names.list(path)
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.check_writable()?;
        self.names.rename(from, to)
    }

    pub(crate) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.check_writable()?;
        self.names.remove(path)
    }

    pub(crate) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.check_writable()?;
        self.names.sync(path)
    }

    pub(crate) fn fail_sync_dir(&mut self, path: &Path, read_only: bool) {
        self.names.fail_sync(path);
        self.read_only |= read_only;
    }

    /// Takes the lock of a file, creating the file if needed.
    pub(crate) fn lock(&mut self, path: &Path) -> io::Result<()> {
        if self.find(path).is_none() {
            self.open(path, OpenMode::CreateNew)?;
        }
        if self.locks.insert(path.to_owned()) { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
    }

    pub(crate) fn unlock(&mut self, path: &Path) {
        self.locks.remove(path);
    }

    pub(crate) fn release_locks(&mut self) {
        self.locks.clear();
    }

    pub(crate) fn read(&self, id: FileId, offset: u64, buf: &mut [u8]) -> usize {
        self.files.get(&id).map_or(0, |file| memory::read(file.cached(), offset, buf))
    }

    pub(crate) fn len(&self, id: FileId) -> u64 {
        self.files.get(&id).map_or(0, |file| file.cached().len() as u64)
    }

    pub(crate) fn write(&mut self, id: FileId, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_writable()?;
        self.files.get_mut(&id).map_or(Ok(()), |file| file.write(offset, data))
    }

    pub(crate) fn set_len(&mut self, id: FileId, len: u64) -> io::Result<()> {
        self.check_writable()?;
        self.files.get_mut(&id).map_or(Ok(()), |file| file.set_len(len))
    }

    /// Puts data over what is there, on disk and in the cache, as far as the file reaches.
    pub(crate) fn overwrite(&mut self, id: FileId, offset: u64, data: &[u8]) {
        if let Some(file) = self.files.get_mut(&id) {
            file.overwrite(offset, data);
        }
    }

    /// The sectors of a write will never reach the disk.
    pub(crate) fn lose(&mut self, id: FileId, offset: u64, bytes: usize) {
        if let Some(file) = self.files.get_mut(&id) {
            file.lose(offset, bytes);
        }
    }

    pub(crate) fn sync(&mut self, id: FileId) -> io::Result<()> {
        self.check_writable()?;
        if let Some(file) = self.files.get_mut(&id) {
            file.sync();
        }
        Ok(())
    }

    pub(crate) fn fail_sync(&mut self, id: FileId) {
        if let Some(file) = self.files.get_mut(&id) {
            file.fail_sync();
        }
    }

    /// Flips a bit of what the disk and the cache hold; false if there is no such byte.
    pub(crate) fn rot(&mut self, id: FileId, offset: u64, bit: u8) -> bool {
        self.files.get_mut(&id).is_some_and(|file| file.flip_bit(offset, bit))
    }

    /// Bytes of all files.
    pub(crate) fn used(&self) -> u64 {
        self.names.files().values().map(|&id| self.len(id)).sum()
    }

    pub(crate) fn power_cut(&mut self, rng: &mut Rng) {
        self.read_only = false;
        self.names.power_cut(rng);
        let linked: BTreeSet<FileId> = self.names.files().values().copied().collect();
        self.files.retain(|id, _| linked.contains(id));
        for file in self.files.values_mut() {
            file.power_cut(rng);
        }
    }

    fn next_id(&mut self) -> FileId {
        self.next_file += 1;
        self.next_file - 1
    }
}

struct Fnv(u64);

impl Fnv {
    fn eat(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
