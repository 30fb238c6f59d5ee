//! A part of a snapshot: entries in the order of their keys, in sealed blocks, found through a sparse index.
//!
//! ```text
//!  ( block )* │ index │ footer 28
//!
//!  entry   varint: bytes shared with the key before │ varint: length of the rest │ the rest
//!          varint: length of the value │ the value                 nothing is shared at the start of a block
//!  block   entries, up to 8 KiB unless one has more │ seal
//!  index   for each block: varint length of its first key │ the key │ varint length of the block with its seal │ seal
//!  footer  offset of the index 8 │ its length with the seal 8 │ blocks 8 │ seal
//!  seal    CRC32C over the identity of the part, the offset of the piece (8), its bytes
//! ```
//!
//! Integers are little-endian. The identity makes bytes of another part, another snapshot or another place not pass.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use recount_env::{File, OpenMode, Signal};
use recount_types::varint::{put_u64, take_u64};

use super::SnapshotError;
use super::directory::{Directory, failed, temporary};

/// A block is closed when it has so many bytes.
const BLOCK_BYTES: usize = 8 << 10;
const CRC_BYTES: usize = 4;
const FOOTER_BYTES: usize = 3 * 8 + CRC_BYTES;
/// Written, and synced, so many bytes at a time: no sync has much to do, and disturbs nobody's append.
const WRITE_BYTES: usize = 1 << 20;
/// Pause after each stretch of output, so that appends find the disk and a core free.
const PAUSE: Duration = Duration::from_millis(1);

/// Who is told keys and values; what it says is wrong with them is damage.
pub(crate) type Tell<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), String> + Send + 'a;

/// What the seals of a part say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal(pub(super) u32);

impl Seal {
    fn of(self, offset: u64, bytes: &[u8]) -> [u8; CRC_BYTES] {
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &offset.to_le_bytes()), bytes).to_le_bytes()
    }
}

/// A part being written, under a temporary name until it is whole.
pub(super) struct PartWriter<'a> {
    directory: &'a Directory,
    name: String,
    file: Arc<dyn File>,
    path: PathBuf,
    seal: Seal,
    /// Bytes in the file, and those that are to follow.
    written: u64,
    pending: Vec<u8>,
    block: Vec<u8>,
    first_key: Vec<u8>,
    last_key: Vec<u8>,
    index: Vec<u8>,
    blocks: u64,
    is_empty: bool,
}

impl<'a> PartWriter<'a> {
    /// Begins the part that is to be the file `name`.
    pub(super) async fn create(
        directory: &'a Directory,
        name: &str,
        seal: Seal,
    ) -> Result<PartWriter<'a>, SnapshotError> {
        let path = temporary(&directory.path.join(name));
        let files = &directory.env.files;
        // Of an attempt that failed.
        let _ = files.remove(&path).await;
        let file = files.open(&path, OpenMode::CreateNew).await.map_err(|e| failed("create", &path, &e))?;
        Ok(PartWriter {
            directory,
            file,
            name: name.to_owned(),
            path,
            seal,
            written: 0,
            pending: Vec::new(),
            block: Vec::new(),
            first_key: Vec::new(),
            last_key: Vec::new(),
            index: Vec::new(),
            blocks: 0,
            is_empty: true,
        })
    }

    /// Adds an entry, whose key is greater than the one before. Lets others go first now and then.
    pub(super) async fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), SnapshotError> {
        assert!(self.is_empty || key > self.last_key.as_slice(), "keys of a part ascend");
        let shared = if self.block.is_empty() {
            self.first_key = key.to_vec();
            0
        } else {
            self.last_key.iter().zip(key).take_while(|(a, b)| a == b).count()
        };
        put_u64(&mut self.block, shared as u64);
        put_u64(&mut self.block, (key.len() - shared) as u64);
        self.block.extend_from_slice(&key[shared..]);
        put_u64(&mut self.block, value.len() as u64);
        self.block.extend_from_slice(value);
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.is_empty = false;
        if self.block.len() < BLOCK_BYTES {
            return Ok(());
        }
        self.close_block();
        if self.pending.len() < WRITE_BYTES {
            return Ok(());
        }
        self.write().await?;
        self.directory.env.tasks.wait(&Signal::new(), 0, Some(PAUSE)).await;
        Ok(())
    }

    /// Ends it, durably and under its name; its length in bytes.
    pub(super) async fn finish(mut self) -> Result<u64, SnapshotError> {
        if !self.block.is_empty() {
            self.close_block();
        }
        let index = std::mem::take(&mut self.index);
        let (offset, len) = self.put(&index);
        let mut footer = Vec::with_capacity(FOOTER_BYTES);
        for number in [offset, len, self.blocks] {
            footer.extend_from_slice(&number.to_le_bytes());
        }
        self.put(&footer);
        self.write().await?;
        self.directory.name(&self.name).await?;
        Ok(self.written)
    }

    fn close_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        let (_, len) = self.put(&block);
        put_u64(&mut self.index, self.first_key.len() as u64);
        self.index.extend_from_slice(&self.first_key);
        put_u64(&mut self.index, len);
        self.blocks += 1;
    }

    /// Adds a piece and its seal; where it is, and its length with the seal.
    fn put(&mut self, piece: &[u8]) -> (u64, u64) {
        let offset = self.written + self.pending.len() as u64;
        self.pending.extend_from_slice(piece);
        self.pending.extend_from_slice(&self.seal.of(offset, piece));
        (offset, (piece.len() + CRC_BYTES) as u64)
    }

    async fn write(&mut self) -> Result<(), SnapshotError> {
        let wrote = self.file.write_at(self.written, &self.pending).await;
        wrote.map_err(|error| failed("write", &self.path, &error))?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        self.file.sync_data().await.map_err(|error| failed("sync", &self.path, &error))
    }
}

/// A part that is read.
pub(super) struct Part {
    file: Arc<dyn File>,
    path: PathBuf,
    seal: Seal,
    bytes: u64,
    blocks: Vec<Block>,
    /// The first keys of the blocks, one behind the other.
    keys: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    /// Where its first key ends among those of all.
    key_end: usize,
    offset: u64,
    len: usize,
}

impl Part {
    /// Opens a part of `bytes` bytes: reads its footer and its index.
    pub(super) async fn open(
        directory: &Directory,
        name: &str,
        seal: Seal,
        bytes: u64,
    ) -> Result<Part, SnapshotError> {
        let path = directory.path.join(name);
        let file = directory.env.files.open(&path, OpenMode::Read).await;
        let file = file.map_err(|error| failed("open", &path, &error))?;
        let mut part = Part { file, path, seal, bytes, blocks: Vec::new(), keys: Vec::new() };
        let found = part.file.len().await.map_err(|error| failed("look at", &part.path, &error))?;
        let footer_at = bytes.checked_sub(FOOTER_BYTES as u64).filter(|_| found == bytes);
        let footer_at = footer_at
            .ok_or_else(|| part.damaged(0, format!("has {found} bytes where {bytes} were written")))?;
        let footer = part.piece(footer_at, FOOTER_BYTES).await?;
        let numbers: Vec<u64> = footer
            .chunks_exact(8)
            .map(|chunk| chunk.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
            .collect();
        let [offset, len, blocks] = numbers[..] else {
            return Err(part.damaged(footer_at, "has no footer"));
        };
        if offset.checked_add(len) != Some(footer_at) {
            return Err(part.damaged(footer_at, "says that its index lies elsewhere than before the footer"));
        }
        let index = part.piece(offset, len as usize).await?;
        part.read_index(&index, offset).map_err(|what| part.damaged(offset, what))?;
        if part.blocks.len() as u64 != blocks {
            return Err(part.damaged(offset, "has another number of blocks than its footer says"));
        }
        Ok(part)
    }

    fn read_index(&mut self, index: &[u8], end: u64) -> Result<(), &'static str> {
        let (mut rest, mut offset) = (index, 0u64);
        while !rest.is_empty() {
            let key = take_bytes(&mut rest).ok_or("has a block in its index without a key")?;
            let before = self.blocks.len().checked_sub(1).map(|last| self.first_key(last));
            if before.is_some_and(|before| before >= key) {
                return Err("has blocks in its index that are out of order");
            }
            let len = take_u64(&mut rest).map_err(|_| "has a block in its index without a length")?;
            self.keys.extend_from_slice(key);
            self.blocks.push(Block { key_end: self.keys.len(), offset, len: len as usize });
            offset = offset.checked_add(len).filter(|&to| to <= end).ok_or("has blocks beyond its end")?;
        }
        if offset == end { Ok(()) } else { Err("has bytes that are in no block") }
    }

    fn first_key(&self, block: usize) -> &[u8] {
        let start = if block == 0 { 0 } else { self.blocks[block - 1].key_end };
        &self.keys[start..self.blocks[block].key_end]
    }

    /// The value of a key.
    pub(super) async fn find(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SnapshotError> {
        // The last block that does not begin behind the key.
        let (mut low, mut high) = (0, self.blocks.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.first_key(middle) <= key { low = middle + 1 } else { high = middle }
        }
        let Some(block) = low.checked_sub(1) else { return Ok(None) };
        let mut found = None;
        self.entries_of(block, &mut |at, value| {
            if at == key {
                found = Some(value.to_vec());
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// How many blocks it has.
    pub(super) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Tells the entries of a block, in the order of keys.
    pub(super) async fn entries_of(&self, number: usize, tell: &mut Tell<'_>) -> Result<(), SnapshotError> {
        let block = self.blocks[number];
        let bytes = self.piece(block.offset, block.len).await?;
        let (mut rest, mut key) = (bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            let value = next_entry(&mut rest, &mut key);
            let value = value.ok_or_else(|| self.damaged(block.offset, "has a malformed entry"))?;
            tell(&key, value).map_err(|what| self.damaged(block.offset, what))?;
        }
        Ok(())
    }

    /// Reads a piece and checks its seal.
    async fn piece(&self, offset: u64, len: usize) -> Result<Vec<u8>, SnapshotError> {
        // So nothing is allocated for a length that was made up.
        if offset.checked_add(len as u64).is_none_or(|end| end > self.bytes) {
            return Err(self.damaged(offset, "ends in the middle of a piece"));
        }
        let mut bytes = vec![0; len];
        let read = self.file.read_at(offset, &mut bytes).await;
        let read = read.map_err(|error| failed("read", &self.path, &error))?;
        let payload = bytes.len().checked_sub(CRC_BYTES).filter(|_| read == len);
        let payload = payload.ok_or_else(|| self.damaged(offset, "ends in the middle of a piece"))?;
        if self.seal.of(offset, &bytes[..payload]) != bytes[payload..] {
            return Err(self.damaged(offset, "fails its checksum"));
        }
        bytes.truncate(payload);
        Ok(bytes)
    }

    pub(super) fn damaged(&self, offset: u64, what: impl Into<String>) -> SnapshotError {
        SnapshotError::Damaged { file: self.path.clone(), offset, what: what.into() }
    }
}

fn next_entry<'a>(rest: &mut &'a [u8], key: &mut Vec<u8>) -> Option<&'a [u8]> {
    let shared = usize::try_from(take_u64(rest).ok()?).ok().filter(|&shared| shared <= key.len())?;
    key.truncate(shared);
    key.extend_from_slice(take_bytes(rest)?);
    take_bytes(rest)
}

/// Takes a length and so many bytes off the front.
pub(super) fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take_u64(rest).ok()?).ok()?;
    let (taken, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests;
