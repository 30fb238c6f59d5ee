//! Names of files and directories: as the running system sees them, and as the disk has them.
//!
//! A change is durable after the sync of its directory. At a power cut any subset of the other changes has
//! reached the disk, each as a whole: a rename shows the old name or the new one, never both and never none.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::FileId;
use crate::memory::is_root;
use crate::sim::rng::Rng;

#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    files: BTreeMap<PathBuf, FileId>,
    directories: BTreeSet<PathBuf>,
    durable_files: BTreeMap<PathBuf, FileId>,
    durable_directories: BTreeSet<PathBuf>,
    /// Not durable yet, oldest first.
    changes: Vec<Change>,
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
        self.path().parent()
    }

    /// The name that it gives or takes.
    fn path(&self) -> &Path {
        match self {
            Change::Create(path, _) | Change::Remove(path) | Change::Directory(path) => path,
            Change::Rename(_, to, _) => to,
        }
    }
}

impl Names {
    pub(super) fn find(&self, path: &Path) -> Option<FileId> {
        self.files.get(path).copied()
    }

    /// Every name with its file, sorted.
    pub(super) fn files(&self) -> &BTreeMap<PathBuf, FileId> {
        &self.files
    }

    /// The names that are durable, sorted.
    pub(super) fn durable_files(&self) -> &BTreeMap<PathBuf, FileId> {
        &self.durable_files
    }

    pub(super) fn create(&mut self, path: &Path, id: FileId) -> io::Result<()> {
        self.check_free(path)?;
        self.files.insert(path.to_owned(), id);
        self.changes.push(Change::Create(path.to_owned(), id));
        Ok(())
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        self.check_free(path)?;
        self.directories.insert(path.to_owned());
        self.changes.push(Change::Directory(path.to_owned()));
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.check_directory(path)?;
        let entries = self.files.keys().chain(&self.directories).filter(|entry| entry.parent() == Some(path));
        let names: BTreeSet<String> =
            entries.filter_map(|entry| entry.file_name()?.to_str().map(str::to_owned)).collect();
        Ok(names.into_iter().collect())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.check_parent(to)?;
        if self.directories.contains(to) {
            return Err(ErrorKind::IsADirectory.into());
        }
        let id = self.files.remove(from).ok_or(ErrorKind::NotFound)?;
        self.files.insert(to.to_owned(), id);
        self.changes.push(Change::Rename(from.to_owned(), to.to_owned(), id));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.files.remove(path).ok_or(ErrorKind::NotFound)?;
        self.changes.push(Change::Remove(path.to_owned()));
        Ok(())
    }

    /// Makes the changes of a directory durable.
    pub(super) fn sync(&mut self, path: &Path) -> io::Result<()> {
        for change in self.take_changes(path)? {
            self.make_durable(change);
        }
        Ok(())
    }

    /// The sync of a directory fails: its changes stay visible and never reach the disk.
    pub(super) fn fail_sync(&mut self, path: &Path) {
        // A directory that is not there has no changes to lose.
        let _ = self.take_changes(path);
    }

    /// The power fails.
    pub(super) fn power_cut(&mut self, rng: &mut Rng) {
        let changes = std::mem::take(&mut self.changes);
        // Half the time what survives is a prefix, as a file system that journals in order leaves it.
        let in_order = rng.below(2) == 0;
        let keep = rng.below(changes.len() as u64 + 1) as usize;
        for (at, change) in changes.into_iter().enumerate() {
            let survives = if in_order { at < keep } else { rng.below(2) == 0 };
            if survives {
                self.make_durable(change);
            }
        }
        self.forget_unreachable();
        self.files.clone_from(&self.durable_files);
        self.directories.clone_from(&self.durable_directories);
    }

    /// Gives a file a name, durably, without any operation of the machine.
    pub(super) fn tamper(&mut self, path: &Path, id: FileId) {
        self.changes.retain(|change| change.path() != path);
        self.files.insert(path.to_owned(), id);
        self.durable_files.insert(path.to_owned(), id);
    }

    /// Takes a file's name away, durably, without any operation of the machine.
    pub(super) fn tamper_remove(&mut self, path: &Path) {
        self.changes.retain(|change| change.path() != path);
        self.files.remove(path);
        self.durable_files.remove(path);
    }

    fn take_changes(&mut self, directory: &Path) -> io::Result<Vec<Change>> {
        self.check_directory(directory)?;
        let of_directory = |change: &Change| match change.directory() {
            Some(parent) => parent == directory || parent.as_os_str().is_empty() && is_root(directory),
            None => false,
        };
        let (taken, kept) = std::mem::take(&mut self.changes).into_iter().partition(of_directory);
        self.changes = kept;
        Ok(taken)
    }

    fn make_durable(&mut self, change: Change) {
        match change {
            Change::Create(path, id) => {
                self.durable_files.insert(path, id);
            }
            Change::Rename(from, to, id) => {
                if self.durable_files.get(&from) == Some(&id) {
                    self.durable_files.remove(&from);
                }
                self.durable_files.insert(to, id);
            }
            Change::Remove(path) => {
                self.durable_files.remove(&path);
            }
            Change::Directory(path) => {
                self.durable_directories.insert(path);
            }
        }
    }

    /// What lies in a directory whose own name was lost is lost with it.
    fn forget_unreachable(&mut self) {
        let mut reachable = BTreeSet::new();
        let under = |reachable: &BTreeSet<PathBuf>, path: &Path| {
            path.parent().is_some_and(|parent| is_root(parent) || reachable.contains(parent))
        };
        // Parents sort before what they hold.
        for directory in std::mem::take(&mut self.durable_directories) {
            if under(&reachable, &directory) {
                reachable.insert(directory);
            }
        }
        self.durable_files.retain(|path, _| under(&reachable, path));
        self.durable_directories = reachable;
    }

    fn check_directory(&self, path: &Path) -> io::Result<()> {
        if is_root(path) || self.directories.contains(path) {
            return Ok(());
        }
        Err(if self.files.contains_key(path) { ErrorKind::NotADirectory } else { ErrorKind::NotFound }.into())
    }

    fn check_parent(&self, path: &Path) -> io::Result<()> {
        self.check_directory(path.parent().ok_or(ErrorKind::NotFound)?)
    }

    fn check_free(&self, path: &Path) -> io::Result<()> {
        if is_root(path) || self.files.contains_key(path) || self.directories.contains(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.check_parent(path)
    }
}
