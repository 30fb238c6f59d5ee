//! Files in memory, with a real clock and real tasks: for a database that is not to be kept.
//!
//! Paths are plain keys: `a/../b` is not `b`, and what is above a path need not exist. `/`, `.` and the empty
//! path are directories from the start. Nothing fails but for want of memory, and nothing is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::real::{RealClock, RealEntropy, RealTasks, boot_id, when_polled};
use crate::{Env, File, Files, Io, Lock, OpenMode};

/// This machine, with files in memory. Each call makes an empty file system of its own.
pub fn memory_env() -> Env {
    Env {
        files: Arc::new(MemoryFiles::default()),
        clock: Arc::new(RealClock { boot_id: boot_id() }),
        entropy: Arc::new(RealEntropy),
        tasks: Arc::new(RealTasks),
    }
}

#[derive(Default, Clone)]
struct MemoryFiles {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<PathBuf, Arc<MemoryFile>>,
    directories: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
}

impl State {
    fn check_free(&self, path: &Path) -> io::Result<()> {
        let taken = is_root(path) || self.files.contains_key(path) || self.directories.contains(path);
        if taken { Err(ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }

    fn open(&mut self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        match mode {
            OpenMode::Read | OpenMode::ReadScattered | OpenMode::ReadWrite => {
                Ok(self.files.get(path).cloned().ok_or(ErrorKind::NotFound)?)
            }
            OpenMode::CreateNew => {
                self.check_free(path)?;
                let file = Arc::new(MemoryFile::default());
                self.files.insert(path.to_owned(), file.clone());
                Ok(file)
            }
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        if !is_root(path) && !self.directories.contains(path) {
            return Err(ErrorKind::NotFound.into());
        }
        let mut names: Vec<String> = (self.files.keys().chain(&self.directories))
            .filter(|entry| entry.parent() == Some(path))
            .filter_map(|entry| entry.file_name()?.to_str().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if self.directories.contains(to) {
            return Err(ErrorKind::IsADirectory.into());
        }
        let file = self.files.remove(from).ok_or(ErrorKind::NotFound)?;
        self.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn lock(&mut self, path: &Path) -> io::Result<()> {
        if !self.files.contains_key(path) {
            self.open(path, OpenMode::CreateNew)?;
        }
        if self.locks.insert(path.to_owned()) { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
    }
}

impl Files for MemoryFiles {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> Io<'a, Arc<dyn File>> {
        when_polled(move || guard(&self.state).open(path, mode))
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        when_polled(move || {
            let mut state = guard(&self.state);
            state.check_free(path)?;
            state.directories.insert(path.to_owned());
            Ok(())
        })
    }

    fn list<'a>(&'a self, path: &'a Path) -> Io<'a, Vec<String>> {
        when_polled(move || guard(&self.state).list(path))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Io<'a, ()> {
        when_polled(move || guard(&self.state).rename(from, to))
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        when_polled(move || {
            guard(&self.state).files.remove(path).ok_or(ErrorKind::NotFound)?;
            Ok(())
        })
    }

    fn sync_dir<'a>(&'a self, _path: &'a Path) -> Io<'a, ()> {
        when_polled(|| Ok(()))
    }

    fn lock<'a>(&'a self, path: &'a Path) -> Io<'a, Box<dyn Lock>> {
        when_polled(move || {
            guard(&self.state).lock(path)?;
            Ok(Box::new(MemoryLock { files: self.clone(), path: path.to_owned() }) as Box<dyn Lock>)
        })
    }

    fn zero_fill_pointless<'a>(&'a self, _path: &'a Path) -> Io<'a, Option<&'static str>> {
        when_polled(|| Ok(None))
    }
}

struct MemoryLock {
    files: MemoryFiles,
    path: PathBuf,
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        guard(&self.files.state).locks.remove(&self.path);
    }
}

#[derive(Default)]
struct MemoryFile {
    bytes: Mutex<Vec<u8>>,
}

impl File for MemoryFile {
    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Io<'a, usize> {
        when_polled(move || Ok(read(&guard(&self.bytes), offset, buf)))
    }

    fn write_at<'a>(&'a self, offset: u64, data: &'a [u8]) -> Io<'a, ()> {
        when_polled(move || write(&mut guard(&self.bytes), offset, data))
    }

    fn sync_data(&self) -> Io<'_, ()> {
        when_polled(|| Ok(()))
    }

    fn set_len(&self, len: u64) -> Io<'_, ()> {
        when_polled(move || set_len(&mut guard(&self.bytes), len))
    }

    fn len(&self) -> Io<'_, u64> {
        when_polled(|| Ok(guard(&self.bytes).len() as u64))
    }
}

/// Directories that are always there.
pub(crate) fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new(".") || path == Path::new("/")
}

/// Copies what `bytes` has at `offset` into `buf`; returns how much.
pub(crate) fn read(bytes: &[u8], offset: u64, buf: &mut [u8]) -> usize {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let found = &bytes[from..];
    let count = found.len().min(buf.len());
    buf[..count].copy_from_slice(&found[..count]);
    count
}

/// Puts `data` at `offset`, growing `bytes` as needed.
pub(crate) fn write(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) -> io::Result<()> {
    if data.is_empty() {
        return Ok(());
    }
    let end = offset.checked_add(data.len() as u64).ok_or(ErrorKind::FileTooLarge)?;
    if end > bytes.len() as u64 {
        set_len(bytes, end)?;
    }
    let end = end as usize;
    bytes[end - data.len()..end].copy_from_slice(data);
    Ok(())
}

/// Cuts `bytes`, or grows them with zeros; `StorageFull` if there is no memory for that.
pub(crate) fn set_len(bytes: &mut Vec<u8>, len: u64) -> io::Result<()> {
    let len = usize::try_from(len).map_err(|_| ErrorKind::FileTooLarge)?;
    bytes.try_reserve(len.saturating_sub(bytes.len())).map_err(|_| ErrorKind::StorageFull)?;
    bytes.resize(len, 0);
    Ok(())
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
