//! What can go wrong, each error naming file, offset and what to do.

use std::io;
use std::path::PathBuf;

/// Stored bytes that are not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: offset {offset}: {what}. Nothing was changed; look at it with `recount inspect`, save what is readable with `recount export --salvage`",
    file.display()
)]
pub struct Corruption {
    /// The damaged file.
    pub file: PathBuf,
    /// Byte offset within it.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

/// A write, sync or read failed, or the journal had already failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A read, or an operation before any byte of a group was handed to the disk, failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the file's name.
        what: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The disk is full. Nothing was written; the append can be retried when space returns.
    #[error(
        "the disk is full: no space for the next journal segment of {bytes} bytes. Free space, then retry"
    )]
    StorageFull {
        /// Size of the segment that found no room.
        bytes: u64,
    },
    /// A write or sync of a frame failed: the journal closed itself. Whether that frame is durable is unknown.
    #[error(
        "the journal closed itself after a failed write: {what}. The outcome of the last append is unknown; restart, then read it back"
    )]
    Failed {
        /// What failed.
        what: String,
    },
    /// Damage met while reading.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
}

impl JournalError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> JournalError {
        let what = what.into();
        move |source| JournalError::Io { what, source }
    }
}

/// Why a database directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is in use by {holder}. Stop it, or pass its address instead of the directory", directory.display())]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// Who holds it, as far as the LOCK file says.
        holder: String,
        /// Address of the server that holds it, if it serves.
        address: Option<String>,
    },
    /// There is nothing there and opening must not create it.
    #[error("{} is not a Recount database: it has no FORMAT file", .0.display())]
    NotADatabase(PathBuf),
    /// The directory has files of something else.
    #[error("{} is not empty and has no FORMAT file: choose another directory, or restore FORMAT from a backup", .0.display())]
    NotEmpty(PathBuf),
    /// Written by a newer version.
    #[error("{}: {what}: written by a newer version of Recount. Upgrade to open it", file.display())]
    TooNew {
        /// The file.
        file: PathBuf,
        /// What is unknown.
        what: String,
    },
    /// The last group is complete in length but fails its checksum, and nothing proves it was acknowledged.
    #[error(
        "{}: offset {offset}: {what}. It is the last group of the journal, and nothing tells whether it had been acknowledged. \
         Decide: open once with --accept-tail-loss to drop it (its bytes are kept in quarantine/), or restore the disk",
        file.display()
    )]
    Uncertain {
        /// The damaged segment.
        file: PathBuf,
        /// Where the damaged group begins.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Damage.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// An operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the file's name.
        what: String,
        /// The operating system's error.
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> OpenError {
        let what = what.into();
        move |source| OpenError::Io { what, source }
    }
}

impl From<JournalError> for OpenError {
    fn from(error: JournalError) -> OpenError {
        match error {
            JournalError::Corrupt(corruption) => OpenError::Corrupt(corruption),
            JournalError::Io { what, source } => OpenError::Io { what, source },
            JournalError::StorageFull { bytes } => OpenError::Io {
                what: format!("a journal segment of {bytes} bytes"),
                source: io::ErrorKind::StorageFull.into(),
            },
            JournalError::Failed { what } => OpenError::Io { what, source: io::Error::other("write failed") },
        }
    }
}
