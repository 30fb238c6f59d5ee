//! Files and directories, with exactly the promises that POSIX makes and Linux keeps:
//! a write is durable after `sync_data`, a new name, a rename or a removal after `sync_dir` of its directory.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

/// A pending I/O. Dropping it before it ends leaves the operation done or not done.
pub type Io<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Must exist; reads only.
    Read,
    /// Must exist; reads only, here and there: the system need not read ahead.
    ReadScattered,
    /// Must exist; reads and writes.
    ReadWrite,
    /// Must not exist (else `AlreadyExists`); reads and writes; mode 0600.
    CreateNew,
}

/// An exclusive advisory lock on a file. Released on drop.
pub trait Lock: Send + Sync {}

/// An open file. Reads and writes name their offset; there is no cursor.
#[expect(clippy::len_without_is_empty, reason = "nobody asks whether a file is empty")]
pub trait File: Send + Sync {
    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the file. Retries `EINTR` and short reads.
    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Io<'a, usize>;

    /// Writes all of `data` at `offset`, extending the file if needed. Retries `EINTR` and short writes only.
    fn write_at<'a>(&'a self, offset: u64, data: &'a [u8]) -> Io<'a, ()>;

    /// `fdatasync`: all written bytes, and the size if it changed, are durable when this returns `Ok`.
    /// After an error nothing is known about any write since the last success, for ever.
    fn sync_data(&self) -> Io<'_, ()>;

    /// Sets the length; new bytes are zero and may be unallocated.
    fn set_len(&self, len: u64) -> Io<'_, ()>;

    /// The length in bytes.
    fn len(&self) -> Io<'_, u64>;
}

/// A file system.
pub trait Files: Send + Sync {
    /// Opens a file.
    fn open<'a>(&'a self, path: &'a Path, mode: OpenMode) -> Io<'a, Arc<dyn File>>;

    /// Creates one directory; its parent must exist; an existing directory is `AlreadyExists`.
    fn create_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()>;

    /// The names in a directory, sorted.
    fn list<'a>(&'a self, path: &'a Path) -> Io<'a, Vec<String>>;

    /// Renames, replacing `to` if it exists. Durable after `sync_dir`.
    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Io<'a, ()>;

    /// Removes a file. Durable after `sync_dir`.
    fn remove<'a>(&'a self, path: &'a Path) -> Io<'a, ()>;

    /// Makes the names in a directory durable.
    fn sync_dir<'a>(&'a self, path: &'a Path) -> Io<'a, ()>;

    /// Takes the exclusive lock of a file, creating the file if needed; `WouldBlock` if another holds it.
    fn lock<'a>(&'a self, path: &'a Path) -> Io<'a, Box<dyn Lock>>;

    /// The name of the file system that holds `path`, if zero-filling a file gains nothing there: later writes
    /// go to other blocks (it copies on write), or there are no blocks (tmpfs).
    fn zero_fill_pointless<'a>(&'a self, path: &'a Path) -> Io<'a, Option<&'static str>>;
}
