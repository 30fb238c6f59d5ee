//! The postings of one term in the memtable: the first few inline, then pieces of 256.

use crate::bounds::{Bounds, Direction, Held, Posting, Target};
use crate::packed::{Packed, Window, put_delta};

/// Bytes of deltas kept in the entry itself.
const INLINE_BYTES: usize = 15;
/// Postings of every piece but the last.
const PIECE_POSTINGS: usize = 256;
const UNKNOWN: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Postings {
    count: u32,
    first: u64,
    last: u64,
    /// Postings of the term in all that is older; [`UNKNOWN`] = not known.
    base: u64,
    deltas: Deltas,
}

#[derive(Debug)]
enum Deltas {
    Inline { len: u8, bytes: [u8; INLINE_BYTES] },
    Pieces(Vec<Piece>),
}

#[derive(Debug)]
struct Piece {
    first: u64,
    last: u64,
    deltas: Vec<u8>,
}

/// What the allocator holds for a block of `bytes`: 16-byte steps with a header of 8.
pub(super) fn heap_block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}

impl Postings {
    pub(super) fn new(position: u64, base: Option<u64>) -> Postings {
        let deltas = Deltas::Inline { len: 0, bytes: [0; INLINE_BYTES] };
        Postings { count: 1, first: position, last: position, base: base.unwrap_or(UNKNOWN), deltas }
    }

    pub(super) fn count(&self) -> u64 {
        self.count.into()
    }

    /// Notes how many postings are older, unless that is known.
    pub(super) fn set_base(&mut self, base: u64) {
        debug_assert!(self.base == UNKNOWN || self.base == base, "{} and {base} older postings", self.base);
        if self.base == UNKNOWN {
            self.base = base;
        }
    }

    /// Adds a position; returns by how many bytes the heap grew.
    #[inline]
    pub(super) fn push(&mut self, position: u64) -> usize {
        assert!(position > self.last, "positions of a term ascend: {} then {position}", self.last);
        let gap = position - self.last - 1;
        let grown = match &mut self.deltas {
            Deltas::Inline { len, bytes } if gap < 1 << 14 && usize::from(*len) + 2 <= INLINE_BYTES => {
                let at = usize::from(*len);
                if gap < 0x80 {
                    bytes[at] = gap as u8;
                    *len += 1;
                } else {
                    bytes[at] = gap as u8 | 0x80;
                    bytes[at + 1] = (gap >> 7) as u8;
                    *len += 2;
                }
                0
            }
            Deltas::Inline { len, bytes } => {
                let mut deltas = Vec::with_capacity(INLINE_BYTES + 17);
                deltas.extend_from_slice(&bytes[..usize::from(*len)]);
                put_delta(&mut deltas, self.last, position);
                self.deltas = Deltas::Pieces(vec![Piece { first: self.first, last: position, deltas }]);
                self.deltas.heap_bytes()
            }
            Deltas::Pieces(pieces) => push_piece(pieces, self.count as usize, position),
        };
        self.last = position;
        self.count = self.count.checked_add(1).expect("a memtable is written long before 2^32 postings");
        grown
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.deltas.heap_bytes()
    }

    fn pieces(&self) -> usize {
        match &self.deltas {
            Deltas::Inline { .. } => 1,
            Deltas::Pieces(pieces) => pieces.len(),
        }
    }

    fn piece(&self, index: usize) -> Packed<'_> {
        match &self.deltas {
            Deltas::Inline { len, bytes } => Packed {
                first: self.first,
                last: self.last,
                count: u64::from(self.count),
                deltas: &bytes[..usize::from(*len)],
            },
            Deltas::Pieces(pieces) => {
                let before = index * PIECE_POSTINGS;
                let count = (self.count as usize - before).min(PIECE_POSTINGS) as u64;
                let piece = &pieces[index];
                Packed { first: piece.first, last: piece.last, count, deltas: &piece.deltas }
            }
        }
    }

    /// The piece that has the target, or the nearest one.
    fn piece_of(&self, target: Target) -> usize {
        let Deltas::Pieces(pieces) = &self.deltas else { return 0 };
        let index = match target {
            Target::After(position) => pieces.partition_point(|piece| piece.last <= position),
            Target::UpTo(position) => {
                pieces.partition_point(|piece| piece.first <= position).saturating_sub(1)
            }
            Target::Rank(rank) => usize::try_from(rank).unwrap_or(usize::MAX) / PIECE_POSTINGS,
        };
        index.min(pieces.len() - 1)
    }
}

impl Deltas {
    fn heap_bytes(&self) -> usize {
        let Deltas::Pieces(pieces) = self else { return 0 };
        let bytes = pieces.iter().map(|piece| heap_block(piece.deltas.capacity())).sum::<usize>();
        heap_block(pieces.capacity() * size_of::<Piece>()) + bytes
    }
}

fn push_piece(pieces: &mut Vec<Piece>, count: usize, position: u64) -> usize {
    let vec_bytes = |pieces: &Vec<Piece>| heap_block(pieces.capacity() * size_of::<Piece>());
    let full = count.is_multiple_of(PIECE_POSTINGS);
    let last = pieces.last_mut().expect("a list in pieces has one");
    let before = heap_block(last.deltas.capacity());
    if !full {
        put_delta(&mut last.deltas, last.last, position);
        last.last = position;
        return heap_block(last.deltas.capacity()) - before;
    }
    last.deltas.shrink_to_fit();
    let shrunk = before - heap_block(last.deltas.capacity());
    let vec_before = vec_bytes(pieces);
    let deltas = Vec::with_capacity(PIECE_POSTINGS + PIECE_POSTINGS / 4);
    let opened = heap_block(deltas.capacity());
    pieces.push(Piece { first: position, last: position, deltas });
    // What was given back is small beside what the next piece takes; were it not, the count stays too high.
    (vec_bytes(pieces) - vec_before + opened).saturating_sub(shrunk)
}

/// The postings of one term in a memtable.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    pub(super) postings: &'a Postings,
}

impl<'a> List<'a> {
    /// Number of postings of the term in all that is older than this memtable, if known: for a stream the
    /// revision of the first event here.
    pub fn first_revision(&self) -> Option<u64> {
        (self.postings.base != UNKNOWN).then_some(self.postings.base)
    }

    /// Number of postings here.
    pub fn count(&self) -> u64 {
        u64::from(self.postings.count)
    }

    /// The smallest position.
    pub fn first_position(&self) -> u64 {
        self.postings.first
    }

    /// The greatest position.
    pub fn last_position(&self) -> u64 {
        self.postings.last
    }

    /// How many postings are at positions greater than `after`.
    pub fn count_after(&self, after: u64) -> u64 {
        if after >= self.postings.last {
            return 0;
        }
        if after < self.postings.first {
            return self.count();
        }
        let mut walk = self.postings(Bounds::between(after, u64::MAX));
        walk.seek(Target::After(after));
        self.count() - walk.window.rank()
    }

    /// The postings within bounds. Ranks count from 0 within this list.
    pub fn postings(&self, bounds: Bounds) -> ListPostings<'a> {
        ListPostings { list: *self, bounds, piece: 0, window: Window::default(), begun: false }
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = Packed<'a>> + use<'a> {
        let postings = self.postings;
        (0..postings.pieces()).map(move |index| postings.piece(index))
    }
}

/// A walk over a list of the memtable. See [`List::postings`].
#[derive(Debug)]
pub struct ListPostings<'a> {
    list: List<'a>,
    bounds: Bounds,
    piece: usize,
    window: Window,
    begun: bool,
}

impl ListPostings<'_> {
    fn begin(&mut self) {
        self.begun = true;
        let (target, other) = Target::candidates(&self.bounds, self.list.count());
        self.seek(target);
        let begins = self.window.peek(self.bounds.direction);
        if let (Some(other), Some(held)) = (other, begins)
            && !self.bounds.holds(held)
        {
            self.seek(other);
        }
    }

    fn seek(&mut self, target: Target) {
        self.load(self.list.postings.piece_of(target));
        self.window.seek(target, self.bounds.direction);
    }

    fn load(&mut self, piece: usize) {
        self.piece = piece;
        let loaded = self.window.load(
            &self.list.postings.piece(piece),
            (piece * PIECE_POSTINGS) as u64,
            self.bounds.direction,
        );
        loaded.expect("the memtable reads what it wrote");
    }

    fn held(&mut self) -> Option<Held> {
        if !self.begun {
            self.begin();
        }
        if let Some(held) = self.window.take(self.bounds.direction) {
            return Some(held);
        }
        let next = match self.bounds.direction {
            Direction::Forward => self.piece + 1,
            Direction::Backward => self.piece.checked_sub(1)?,
        };
        if next >= self.list.postings.pieces() {
            return None;
        }
        self.load(next);
        self.window.take(self.bounds.direction)
    }
}

impl Iterator for ListPostings<'_> {
    type Item = Posting;

    fn next(&mut self) -> Option<Posting> {
        let held = self.held()?;
        self.bounds.holds(held).then_some(Posting { position: held.position, rank: Some(held.rank) })
    }
}
