//! Term blocks: up to 512 bytes of terms in order, each with its postings or the way to them.
//!
//! ```text
//! entry = shared │ len │ suffix │ head │ [first revision] │ first │ rest
//! head  = count × 4 + (1 if a first revision follows) + (2 if the postings are in a tree)
//! first = first position − the run's from_position
//! rest  = nothing               one posting
//!         bytes │ deltas        in the entry
//!         last − first │ height │ offset │ len   of the tree's root
//! ```
//! All numbers are varints.

use std::cmp::Ordering;

use crate::error::Flaw;
use crate::packed::last_of;
use crate::run::front::{put_key, read_key, read_suffix, shared_bytes};
use crate::run::tree::{Finished, HEIGHT_MAX, Node, Stored};
use crate::wire::{Reader, put_varint};

/// A block is closed before an entry would make it longer than this (seal not counted).
pub(super) const BLOCK_BYTES: usize = 508;

const HAS_REVISION: u64 = 1;
const IS_TREE: u64 = 2;
const HEAD_BITS: u32 = 2;

/// Writes an entry behind one whose term is `before` (empty at the start of a block).
pub(super) fn put_entry(
    out: &mut Vec<u8>,
    before: &[u8],
    term: &[u8],
    first_revision: Option<u64>,
    list: &Finished,
    from_position: u64,
) {
    put_key(out, before, term);
    let revision_bit = if first_revision.is_some() { HAS_REVISION } else { 0 };
    let tree_bit = if matches!(list.stored, Stored::Tree(..)) { IS_TREE } else { 0 };
    put_varint(out, list.count << HEAD_BITS | revision_bit | tree_bit);
    if let Some(revision) = first_revision {
        put_varint(out, revision);
    }
    put_varint(out, list.first - from_position);
    match &list.stored {
        Stored::Inline(_) if list.count == 1 => {}
        Stored::Inline(deltas) => {
            put_varint(out, deltas.len() as u64);
            out.extend_from_slice(deltas);
        }
        Stored::Tree(height, root) => {
            put_varint(out, list.last - list.first);
            out.push(*height);
            put_varint(out, root.offset);
            put_varint(out, root.len as u64);
        }
    }
}

/// What a block says of one term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) first_revision: Option<u64>,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) count: u64,
    pub(super) stored: Stored,
}

/// An entry as it lies in the block; most are only passed by.
struct RawEntry<'a> {
    head: u64,
    first_revision: Option<u64>,
    first: u64,
    rest: Rest<'a>,
}

enum Rest<'a> {
    Inline(&'a [u8]),
    Tree { last: u64, height: u8, offset: u64, len: usize },
}

/// What an entry must agree with: the positions its run covers, and where its block begins.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) from_position: u64,
    pub(super) to_position: u64,
    pub(super) block_offset: u64,
}

/// Looks for one entry of a block.
#[derive(Debug)]
pub(super) struct BlockReader<'a> {
    reader: Reader<'a>,
    frame: Frame,
}

impl<'a> BlockReader<'a> {
    pub(super) fn new(payload: &'a [u8], frame: Frame) -> Self {
        BlockReader { reader: Reader::new(payload), frame }
    }

    /// The entry of `term`, if the block has it. Makes no key: of the key before, which is less than `term`, only
    /// the number of bytes it has in common with `term` matters.
    pub(super) fn find(mut self, term: &[u8]) -> Result<Option<Entry>, Flaw> {
        let mut common = 0;
        while !self.reader.is_empty() {
            let (shared, suffix) = read_suffix(&mut self.reader)?;
            let order = match shared.cmp(&common) {
                // It differs from `term` where the key before does.
                Ordering::Greater => Ordering::Less,
                // It is greater than the key before at a byte that `term` has in common with that.
                Ordering::Less => Ordering::Greater,
                Ordering::Equal => {
                    let rest = &term[common..];
                    let more = shared_bytes(suffix, rest);
                    common += more;
                    // At the end of one of them the shorter is the smaller.
                    suffix.get(more).cmp(&rest.get(more))
                }
            };
            let raw = self.body()?;
            match order {
                Ordering::Less => {}
                Ordering::Equal => return self.entry(&raw).map(Some),
                Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }

    /// What follows the key of an entry.
    #[inline]
    fn body(&mut self) -> Result<RawEntry<'a>, Flaw> {
        let reader = &mut self.reader;
        let head = reader.varint()?;
        let count = head >> HEAD_BITS;
        let first_revision = if head & HAS_REVISION != 0 { Some(reader.varint()?) } else { None };
        let first = reader.varint_from(self.frame.from_position)?;
        let rest = if head & IS_TREE != 0 {
            let last = reader.varint_from(first)?;
            let [height] = reader.array()?;
            Rest::Tree { last, height, offset: reader.varint()?, len: reader.length()? }
        } else if count == 1 {
            Rest::Inline(&[])
        } else {
            let len = reader.length()?;
            Rest::Inline(reader.take(len)?)
        };
        Ok(RawEntry { head, first_revision, first, rest })
    }

    fn entry(&self, raw: &RawEntry<'_>) -> Result<Entry, Flaw> {
        let count = raw.head >> HEAD_BITS;
        let (last, stored) = match raw.rest {
            Rest::Inline(deltas) => (last_of(raw.first, count, deltas)?, Stored::Inline(deltas.to_vec())),
            Rest::Tree { last, height, offset, len } => {
                let before = offset.checked_add(len as u64).is_some_and(|end| end <= self.frame.block_offset);
                if height > HEIGHT_MAX || count == 0 || !before {
                    return Err(self.reader.flaw("a term leads to postings that cannot be"));
                }
                (last, Stored::Tree(height, Node { first: raw.first, last, count, offset, len }))
            }
        };
        if raw.first <= self.frame.from_position || last > self.frame.to_position {
            return Err(self.reader.flaw("a term has positions that the run does not cover"));
        }
        if raw.first_revision.is_some_and(|revision| revision.checked_add(count).is_none()) {
            return Err(self.reader.flaw("a revision exceeds 64 bits"));
        }
        Ok(Entry { first_revision: raw.first_revision, first: raw.first, last, count, stored })
    }
}

/// Reads the entries of one block after the other, in order.
#[derive(Debug, Default)]
pub(super) struct BlockScan {
    payload: Vec<u8>,
    frame: Frame,
    /// Bytes read.
    at: usize,
    term: Vec<u8>,
}

impl BlockScan {
    /// Stands at the beginning of a block.
    pub(super) fn enter(&mut self, payload: Vec<u8>, frame: Frame) {
        (self.payload, self.frame, self.at) = (payload, frame, 0);
    }

    /// Reads the next entry; `None` at the end of the block.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Flaw> {
        let mut reader = Reader::new(&self.payload);
        reader.take(self.at)?;
        if reader.is_empty() {
            return Ok(None);
        }
        if self.at == 0 {
            self.term.clear();
        }
        read_key(&mut reader, &mut self.term, self.at == 0)?;
        let mut reader = BlockReader { reader, frame: self.frame };
        let raw = reader.body()?;
        let entry = reader.entry(&raw)?;
        self.at = self.payload.len() - reader.reader.left();
        Ok(Some(entry))
    }

    /// The term of the entry read last.
    pub(super) fn term(&self) -> &[u8] {
        &self.term
    }

    /// Where the block begins in its file.
    pub(super) fn offset(&self) -> u64 {
        self.frame.block_offset
    }
}

#[cfg(test)]
mod tests;
