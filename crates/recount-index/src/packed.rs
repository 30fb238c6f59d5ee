//! Packed postings: ascending positions as deltas, the one shape they have in the memtable, in a term block
//! and in a chunk of a run. Flushing and merging copy them byte for byte.
//!
//! `deltas` holds `count − 1` varints, each the distance to the position before, less one, so that equal
//! positions cannot be written.

use crate::bounds::{Direction, Held, Target};
use crate::error::Flaw;
use crate::wire::{Reader, put_varint};

/// A piece of a list. `first`, `last` and `count` are kept beside the bytes so that it can be skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed<'a> {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) count: u64,
    pub(crate) deltas: &'a [u8],
}

impl Packed<'_> {
    /// Appends the positions to `out`. Checks that they are exactly what `first`, `last` and `count` say.
    pub(crate) fn expand(&self, out: &mut Vec<u64>) -> Result<(), Flaw> {
        let mut reader = Reader::new(self.deltas);
        let following = self.count.checked_sub(1).filter(|&n| n <= self.deltas.len() as u64);
        let Some(following) = following else { return Err(reader.flaw("postings are fewer than counted")) };
        out.reserve(self.count as usize);
        let mut position = self.first;
        out.push(position);
        for _ in 0..following {
            position = after(position, reader.varint()?, &reader)?;
            out.push(position);
        }
        if !reader.is_empty() {
            return Err(reader.flaw("postings are more than counted"));
        }
        if position != self.last {
            return Err(reader.flaw("postings end at another position than stated"));
        }
        Ok(())
    }
}

/// The position that a delta leads to.
#[inline]
fn after(position: u64, delta: u64, reader: &Reader<'_>) -> Result<u64, Flaw> {
    let sum = position.checked_add(delta).and_then(|sum| sum.checked_add(1));
    sum.ok_or_else(|| reader.flaw("a position exceeds 64 bits"))
}

/// Writes the step from one position to a later one.
#[inline]
pub(crate) fn put_delta(out: &mut Vec<u8>, from: u64, to: u64) {
    put_varint(out, to - from - 1);
}

/// The last position of postings whose deltas are known but not `last`.
pub(crate) fn last_of(first: u64, count: u64, deltas: &[u8]) -> Result<u64, Flaw> {
    let mut reader = Reader::new(deltas);
    let mut position = first;
    let mut counted = 1;
    while !reader.is_empty() {
        position = after(position, reader.varint()?, &reader)?;
        counted += 1;
    }
    if counted == count { Ok(position) } else { Err(reader.flaw("postings are not as many as counted")) }
}

/// One piece, expanded, and the place reached in it.
#[derive(Debug, Default)]
pub(crate) struct Window {
    positions: Vec<u64>,
    /// Rank of the first position here within its list.
    base_rank: u64,
    /// Forward: index of the next one. Backward: one more than that.
    at: usize,
}

impl Window {
    /// Replaces the content and stands before its first (forward) or behind its last posting (backward).
    pub(crate) fn load(
        &mut self,
        piece: &Packed<'_>,
        base_rank: u64,
        direction: Direction,
    ) -> Result<(), Flaw> {
        self.positions.clear();
        piece.expand(&mut self.positions)?;
        self.base_rank = base_rank;
        self.at = if direction == Direction::Forward { 0 } else { self.positions.len() };
        Ok(())
    }

    /// Stands so that the next posting taken is `target`.
    pub(crate) fn seek(&mut self, target: Target, direction: Direction) {
        self.at = match target {
            Target::After(position) | Target::UpTo(position) => {
                self.positions.partition_point(|&p| p <= position)
            }
            Target::Rank(rank) => {
                let index = rank.saturating_sub(self.base_rank) as usize;
                let taken = usize::from(direction == Direction::Backward);
                index.saturating_add(taken).min(self.positions.len())
            }
        };
    }

    /// The rank within the list of the place reached.
    pub(crate) fn rank(&self) -> u64 {
        self.base_rank + self.at as u64
    }

    /// The next posting, without taking it.
    pub(crate) fn peek(&self, direction: Direction) -> Option<Held> {
        let index = match direction {
            Direction::Forward => self.at,
            Direction::Backward => self.at.checked_sub(1)?,
        };
        let position = *self.positions.get(index)?;
        Some(Held { position, rank: self.base_rank + index as u64 })
    }

    /// Takes the next posting; `None` at the end of the piece.
    #[inline]
    pub(crate) fn take(&mut self, direction: Direction) -> Option<Held> {
        let held = self.peek(direction)?;
        match direction {
            Direction::Forward => self.at += 1,
            Direction::Backward => self.at -= 1,
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postings_round_trip_and_reject() {
        let positions = [5, 6, 300, 70_000, u64::MAX];
        let mut deltas = Vec::new();
        positions.windows(2).for_each(|w| put_delta(&mut deltas, w[0], w[1]));
        let piece = Packed { first: 5, last: u64::MAX, count: 5, deltas: &deltas };
        let mut out = Vec::new();
        piece.expand(&mut out).unwrap();
        assert_eq!(out, positions);
        assert_eq!(last_of(5, 5, &deltas), Ok(u64::MAX));

        let reject = |piece: Packed<'_>| assert!(piece.expand(&mut Vec::new()).is_err(), "{piece:?}");
        reject(Packed { count: 0, ..piece });
        reject(Packed { count: 4, ..piece });
        reject(Packed { count: 6, ..piece });
        reject(Packed { count: u64::MAX, ..piece });
        reject(Packed { last: 7, ..piece });
        reject(Packed { first: 6, ..piece });
        reject(Packed { deltas: &deltas[..deltas.len() - 1], ..piece });
        assert!(last_of(5, 4, &deltas).is_err());
        assert!(last_of(6, 5, &deltas).is_err());
    }
}
