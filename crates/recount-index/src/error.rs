//! What can go wrong. The index is disposable: after [`IndexDamage`] the answer is to rebuild from the
//! journal ([`RunSet::drop_from`](crate::RunSet::drop_from)), never to go on with fewer results.

use std::io;

/// A run file whose bytes are not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("index file {file} is damaged at offset {offset}: {what}; the index can be rebuilt from the journal")]
pub struct IndexDamage {
    /// The file's name within the index directory.
    pub file: String,
    /// Where the damaged piece begins.
    pub offset: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Why a read of the index has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not what was written.
    #[error(transparent)]
    Damage(#[from] IndexDamage),
    /// The file could not be read.
    #[error("cannot read index file {file}: {source}")]
    Io {
        /// The file's name within the index directory.
        file: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Why the index directory could not be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A run that had to be read could not be.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// The file or directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A piece of bytes that does not parse: where in the piece, and why. [`Run`](crate::Run) adds the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}
