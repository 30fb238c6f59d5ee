//! The postings of a term that are too long for its entry: chunks of packed postings, and above them skip
//! pages that lead to a position or a rank in as many reads as the tree is high.
//!
//! ```text
//!                    page              height 2
//!            ┌────────┴───────┐
//!          page              page      height 1: ~400 nodes each
//!     ┌──────┼──────┐      ┌──┴──┐
//!   chunk  chunk  chunk  chunk chunk   height 0: 4 to 8 KiB of deltas each
//! ```
//! Written bottom-up in one pass: children always lie before their page.

use crate::bounds::Target;
use crate::error::Flaw;
use crate::packed::{Packed, put_delta};
use crate::run::seal::Output;
use crate::wire::{Reader, put_varint};

/// Deltas up to this many bytes stay in the term's entry.
pub(super) const INLINE_BYTES_MAX: usize = 512;
/// A chunk is written when it has this many bytes of deltas; joining pieces may make it twice as long.
const CHUNK_BYTES: usize = 4 << 10;
const CHUNK_BYTES_MAX: usize = 2 * CHUNK_BYTES;
const PAGE_BYTES: usize = 4 << 10;
/// A tree higher than this would have more postings than there are positions.
pub(super) const HEIGHT_MAX: u8 = 8;

/// A chunk or a page: what it holds and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) count: u64,
    pub(super) offset: u64,
    pub(super) len: usize,
}

/// Where the postings of a term ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// In the entry.
    Inline(Vec<u8>),
    /// In a tree of this height.
    Tree(u8, Node),
}

/// The postings of one term being written.
#[derive(Debug, Default)]
pub(super) struct TreeWriter {
    /// The chunk being filled.
    first: u64,
    last: u64,
    count: u64,
    deltas: Vec<u8>,
    /// The page being filled at each height from 1.
    pages: Vec<PageWriter>,
    total: u64,
    total_first: u64,
}

impl TreeWriter {
    /// Adds a piece that begins after everything so far.
    pub(super) fn push(&mut self, piece: &Packed<'_>, out: &mut Output) {
        let joined = self.deltas.len() + piece.deltas.len();
        if self.deltas.len() >= CHUNK_BYTES || (self.count > 0 && joined > CHUNK_BYTES_MAX) {
            self.write_chunk(out);
        }
        if self.count == 0 {
            self.first = piece.first;
        } else {
            put_delta(&mut self.deltas, self.last, piece.first);
        }
        self.deltas.extend_from_slice(piece.deltas);
        self.last = piece.last;
        self.count += piece.count;
        if self.total == 0 {
            self.total_first = piece.first;
        }
        self.total += piece.count;
    }

    /// Ends the list. Returns its first and last position, its count and where it is; ready for the next one.
    pub(super) fn finish(&mut self, out: &mut Output) -> Finished {
        let mut finished = Finished {
            first: self.total_first,
            last: self.last,
            count: self.total,
            stored: Stored::Inline(Vec::new()),
        };
        if self.pages.is_empty() && self.deltas.len() <= INLINE_BYTES_MAX {
            finished.stored = Stored::Inline(std::mem::take(&mut self.deltas));
            self.count = 0;
        } else {
            let mut node = self.seal_chunk(out);
            let mut height = 0;
            for mut page in std::mem::take(&mut self.pages) {
                page.push(&node);
                node = page.seal(out);
                height += 1;
            }
            finished.stored = Stored::Tree(height, node);
        }
        self.total = 0;
        finished
    }

    fn write_chunk(&mut self, out: &mut Output) {
        let mut node = self.seal_chunk(out);
        for page in &mut self.pages {
            page.push(&node);
            if page.bytes.len() < PAGE_BYTES {
                return;
            }
            node = std::mem::take(page).seal(out);
        }
        let mut page = PageWriter::default();
        page.push(&node);
        self.pages.push(page);
    }

    fn seal_chunk(&mut self, out: &mut Output) -> Node {
        let (offset, len) = out.put(&self.deltas);
        let node = Node { first: self.first, last: self.last, count: self.count, offset, len };
        self.deltas.clear();
        self.count = 0;
        node
    }
}

/// A list that is written.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) count: u64,
    pub(super) stored: Stored,
}

#[derive(Debug, Default)]
struct PageWriter {
    bytes: Vec<u8>,
    /// Totals of the nodes so far; offset and length are those of the last one.
    sum: Option<Node>,
}

impl PageWriter {
    fn push(&mut self, node: &Node) {
        let (last, end) = self.sum.map_or((0, 0), |sum| (sum.last, sum.offset + sum.len as u64));
        put_varint(&mut self.bytes, node.first - last);
        put_varint(&mut self.bytes, node.last - node.first);
        put_varint(&mut self.bytes, node.count);
        put_varint(&mut self.bytes, node.offset - end);
        put_varint(&mut self.bytes, node.len as u64);
        let (first, count) = self.sum.map_or((node.first, 0), |sum| (sum.first, sum.count));
        self.sum = Some(Node { first, count: count + node.count, ..*node });
    }

    fn seal(self, out: &mut Output) -> Node {
        let sum = self.sum.expect("a page is made for a node");
        let (offset, len) = out.put(&self.bytes);
        Node { offset, len, ..sum }
    }
}

/// Reads the nodes of a page and checks them against what is known of the page.
pub(super) fn read_page(payload: &[u8], page: &Node) -> Result<Vec<Node>, Flaw> {
    let mut reader = Reader::new(payload);
    let mut nodes: Vec<Node> = Vec::new();
    let (mut last, mut end, mut count) = (0, 0, 0);
    while !reader.is_empty() {
        let first = reader.varint_from(last)?;
        if first == last && !nodes.is_empty() {
            return Err(reader.flaw("a skip page has overlapping nodes"));
        }
        last = reader.varint_from(first)?;
        let node_count = reader.varint()?;
        let offset = reader.varint_from(end)?;
        let len = reader.length()?;
        count = reader.sum(count, node_count)?;
        end = reader.sum(offset, len as u64)?;
        if node_count == 0 || end > page.offset {
            return Err(reader.flaw("a skip page has an empty or misplaced node"));
        }
        nodes.push(Node { first, last, count: node_count, offset, len });
    }
    let agrees = nodes.first().is_some_and(|node| node.first == page.first)
        && (last, count) == (page.last, page.count);
    if agrees { Ok(nodes) } else { Err(reader.flaw("a skip page does not hold what its parent states")) }
}

/// Index of the node in which a walk to `target` goes on, and the postings before that node.
pub(super) fn choose(nodes: &[Node], rank_before: u64, target: Target) -> (usize, u64) {
    let last = nodes.len() - 1;
    let mut rank = rank_before;
    for (index, node) in nodes.iter().enumerate() {
        let beyond = match target {
            Target::After(position) => node.last <= position,
            Target::UpTo(position) => nodes.get(index + 1).is_some_and(|next| next.first <= position),
            Target::Rank(wanted) => rank + node.count <= wanted,
        };
        if !beyond || index == last {
            return (index, rank);
        }
        rank += node.count;
    }
    (last, rank)
}

#[cfg(test)]
mod tests;
