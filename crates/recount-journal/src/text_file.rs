//! Small files that a person can read and a program can trust: lines of text, the last one a checksum.
//!
//! ```text
//!  recount format 1          first line: what it is, and the version of its form
//!  database 6f0a…            `name value` lines, each parsed strictly by the file's own module
//!  crc32c 1a2b3c4d           over every byte before this line
//! ```
//!
//! They are created under a temporary name, synced, renamed, and the directory synced; never changed in place.

use std::path::Path;

use recount_env::{Env, OpenMode};

use crate::error::{Corruption, OpenError};

/// Larger files are not ours.
const BYTES_MAX: u64 = 16 << 20;

/// Adds the checksum line.
pub(crate) fn encode(lines: &str) -> Vec<u8> {
    debug_assert!(lines.ends_with('\n'));
    format!("{lines}crc32c {:08x}\n", crc32c::crc32c(lines.as_bytes())).into_bytes()
}

/// Checks the checksum line; returns the lines before it.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not text")?;
    let body = text.strip_suffix('\n').ok_or("does not end with its checksum line")?;
    let start = body.rfind('\n').map_or(0, |at| at + 1);
    let (lines, last) = text.split_at(start);
    if last == format!("crc32c {:08x}\n", crc32c::crc32c(lines.as_bytes())) {
        Ok(lines)
    } else {
        Err("fails its checksum")
    }
}

/// Reads and checks a file; `None` if it does not exist.
pub(crate) async fn read(env: &Env, path: &Path) -> Result<Option<String>, OpenError> {
    let Some(bytes) = read_bytes(env, path).await? else { return Ok(None) };
    match decode(&bytes) {
        Ok(lines) => Ok(Some(lines.to_owned())),
        Err(what) => Err(damaged(path, what)),
    }
}

/// The error for a file whose text is not in its form.
pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> OpenError {
    OpenError::Corrupt(Corruption { file: path.to_owned(), offset: 0, what: what.into() })
}

async fn read_bytes(env: &Env, path: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    let failed = || format!("read {}", path.display());
    let file = match env.files.open(path, OpenMode::Read).await {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(OpenError::io(failed()))?,
    };
    let len = file.len().await.map_err(OpenError::io(failed()))?;
    if len > BYTES_MAX {
        return Err(damaged(path, format!("is {len} bytes long, far larger than such a file can be")));
    }
    let mut bytes = vec![0; len as usize];
    let read = file.read_at(0, &mut bytes).await.map_err(OpenError::io(failed()))?;
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Creates or replaces a file, durably.
pub(crate) async fn write(env: &Env, directory: &Path, name: &str, lines: &str) -> Result<(), OpenError> {
    let path = directory.join(name);
    let temporary = directory.join(format!("{name}.tmp"));
    let failed = |what: &str| format!("{what} {}", path.display());
    match env.files.remove(&temporary).await {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(OpenError::io(format!("remove {}", temporary.display()))(e));
        }
        _ => {}
    }
    let file =
        env.files.open(&temporary, OpenMode::CreateNew).await.map_err(OpenError::io(failed("create")))?;
    file.write_at(0, &encode(lines)).await.map_err(OpenError::io(failed("write")))?;
    file.sync_data().await.map_err(OpenError::io(failed("sync")))?;
    env.files.rename(&temporary, &path).await.map_err(OpenError::io(failed("rename to")))?;
    env.files.sync_dir(directory).await.map_err(OpenError::io(failed("sync the directory of")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_byte_and_every_truncation_is_noticed() {
        let golden = encode("recount test 1\nname value\n");
        assert_eq!(golden, b"recount test 1\nname value\ncrc32c 827ebd75\n");
        assert_eq!(decode(&golden), Ok("recount test 1\nname value\n"));
        for at in 0..golden.len() {
            for bit in 0..8 {
                let mut bytes = golden.clone();
                bytes[at] ^= 1 << bit;
                assert!(decode(&bytes).is_err(), "bit {bit} of byte {at}");
            }
            assert!(decode(&golden[..at]).is_err(), "cut at {at}");
        }
    }
}
