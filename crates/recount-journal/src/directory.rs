//! The database directory: FORMAT, LOCK, the journal's manifest, and the marker of a clean close.
//!
//! ```text
//!  bank.db/FORMAT                       what it is: versions, database id, hash key. Written last when created
//!  bank.db/LOCK                         locked by the one process that has it open; names it
//!  bank.db/journal/MANIFEST-0000000007  the segments, in order; numbered, created, never changed in place
//!  bank.db/journal/CLOSED               exists only between a clean close and the next opening
//!  bank.db/quarantine/                  bytes that recovery cut from a torn tail
//! ```

mod closed;
mod format;
mod lock;
mod manifest;

pub use closed::Closed;
pub use format::Format;
pub use lock::{HeldLock, Holder};
pub use manifest::{Listed, Manifest};

use std::path::{Path, PathBuf};

use recount_types::number::NUMBER_MAX;

/// The paths within a database directory.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The directory itself.
    pub root: PathBuf,
}

impl Paths {
    /// The paths under `root`.
    pub fn new(root: &Path) -> Paths {
        Paths { root: root.to_owned() }
    }

    /// `journal/`.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// `index/`.
    pub fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    /// `quarantine/`.
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }
}

/// `name value` from a line, the name being expected.
fn field<'a>(line: Option<&'a str>, name: &str) -> Result<&'a str, String> {
    line.and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .ok_or_else(|| format!("has no line {name:?} where it belongs"))
}

fn number(text: &str, name: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(value) if value.to_string() == text && value <= NUMBER_MAX => Ok(value),
        _ => Err(format!("has no number in its line {name:?}")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex<const N: usize>(text: &str, name: &str) -> Result<[u8; N], String> {
    let wrong = || format!("has no {N} bytes in hex in its line {name:?}");
    let mut out = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(wrong());
    }
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(out)
}
