//! Files in memory, with a real clock and real tasks: for a database that is not to be kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::real::{RealClock, RealEntropy, RealTasks, boot_id, now};
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

impl Files for MemoryFiles {
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> Io<'a, Arc<dyn File>> {
        let mut state = guard(&self.state);
        now(match (state.files.get(path), mode) {
            (Some(_), OpenMode::CreateNew) => Err(ErrorKind::AlreadyExists.into()),
            (Some(file), _) => Ok(file.clone()),
            (None, OpenMode::CreateNew) => {
                let file = Arc::new(MemoryFile::default());
                state.files.insert(path.to_owned(), file.clone());
                Ok(file)
            }
            (None, _) => Err(ErrorKind::NotFound.into()),
        })
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        let new = guard(&self.state).directories.insert(path.to_owned());
        now(if new { Ok(()) } else { Err(ErrorKind::AlreadyExists.into()) })
    }

    fn list<'a>(&'a self, path: &'a Path) -> Io<'a, Vec<String>> {
        let state = guard(&self.state);
        if !state.directories.contains(path) {
            return now(Err(ErrorKind::NotFound.into()));
        }
        let paths = state.files.keys().chain(&state.directories);
        let mut names: Vec<String> = paths
            .filter(|entry| entry.parent() == Some(path))
            .filter_map(|entry| entry.file_name()?.to_str().map(str::to_owned))
            .collect();
        names.sort();
        now(Ok(names))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Io<'a, ()> {
        let mut state = guard(&self.state);
        now(match state.files.remove(from) {
            Some(file) => {
                state.files.insert(to.to_owned(), file);
                Ok(())
            }
            None => Err(ErrorKind::NotFound.into()),
        })
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Io<'a, ()> {
        let removed = guard(&self.state).files.remove(path);
        now(removed.map(|_| ()).ok_or_else(|| ErrorKind::NotFound.into()))
    }

    fn sync_dir<'a>(&'a self, _path: &'a Path) -> Io<'a, ()> {
        now(Ok(()))
    }

    fn lock<'a>(&'a self, path: &'a Path) -> Io<'a, Box<dyn Lock>> {
        let mut state = guard(&self.state);
        if !state.locks.insert(path.to_owned()) {
            return now(Err(ErrorKind::WouldBlock.into()));
        }
        state.files.entry(path.to_owned()).or_default();
        now(Ok(Box::new(MemoryLock { files: self.clone(), path: path.to_owned() })))
    }

    fn zero_fill_pointless<'a>(&'a self, _path: &'a Path) -> Io<'a, Option<&'static str>> {
        now(Ok(None))
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
        now(Ok(read(&guard(&self.bytes), offset, buf)))
    }

    fn write_at<'a>(&'a self, offset: u64, data: &'a [u8]) -> Io<'a, ()> {
        now(write(&mut guard(&self.bytes), offset, data))
    }

    fn sync_data(&self) -> Io<'_, ()> {
        now(Ok(()))
    }

    fn set_len(&self, len: u64) -> Io<'_, ()> {
        now(usize::try_from(len).map(|len| guard(&self.bytes).resize(len, 0)).map_err(io::Error::other))
    }

    fn len(&self) -> Io<'_, u64> {
        now(Ok(guard(&self.bytes).len() as u64))
    }
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
    let from = usize::try_from(offset).map_err(io::Error::other)?;
    let to = from.checked_add(data.len()).ok_or(ErrorKind::FileTooLarge)?;
    if bytes.len() < to {
        bytes.resize(to, 0);
    }
    bytes[from..to].copy_from_slice(data);
    Ok(())
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
