//! The rows of a key on one side of a join, where rows only come: one behind the other, as they came. Nothing is looked for among them.

use std::mem::size_of;

use crate::state::Held;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pile {
    bytes: Vec<u8>,
    /// Where each ends, and how often it came.
    rows: Vec<(usize, i64)>,
}

impl Held for Pile {
    fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.rows.capacity() * size_of::<(usize, i64)>()
    }
}

impl Pile {
    /// The rows, each with how often it came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], i64)> {
        let mut start = 0;
        self.rows.iter().map(move |&(end, weight)| {
            let row = &self.bytes[start..end];
            start = end;
            (row, weight)
        })
    }

    /// The same in their order, equal ones together.
    pub(super) fn sorted(&self) -> Vec<(&[u8], i64)> {
        let mut rows: Vec<(&[u8], i64)> = self.iter().collect();
        rows.sort_unstable();
        rows.dedup_by(|(row, weight), (before, of_before)| {
            let is_same = row == before;
            *of_before += if is_same { *weight } else { 0 };
            is_same
        });
        rows
    }

    /// How often rows came, all together.
    pub(super) fn count(&self) -> usize {
        usize::try_from(self.rows.iter().map(|(_, weight)| weight).sum::<i64>()).unwrap_or(0)
    }

    pub(super) fn push(&mut self, row: &[u8], weight: i64) {
        if self.bytes.capacity() - self.bytes.len() < row.len() {
            // Half as much again: most have few rows.
            self.bytes.reserve_exact(row.len().max(self.bytes.len() / 2));
        }
        if self.rows.len() == self.rows.capacity() {
            self.rows.reserve_exact(1 + self.rows.len() / 2);
        }
        self.bytes.extend_from_slice(row);
        self.rows.push((self.bytes.len(), weight));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_one_behind_the_other() {
        let mut pile = Pile::default();
        assert_eq!((pile.heap_bytes(), pile.sorted()), (0, vec![]));
        for (row, weight) in [(&b"bb"[..], 1), (b"a", 2), (b"", 1), (b"bb", 3)] {
            pile.push(row, weight);
        }
        let rows: Vec<(&[u8], i64)> = pile.iter().collect();
        assert_eq!(rows, [(&b"bb"[..], 1), (b"a", 2), (b"", 1), (b"bb", 3)]);
        assert_eq!(pile.sorted(), [(&b""[..], 1), (b"a", 2), (b"bb", 4)]);
        assert_eq!(pile.count(), 7);
        // They grow by half: most have few rows.
        let mut growing = Pile::default();
        let capacities: Vec<(usize, usize)> = (0..7)
            .map(|_| {
                growing.push(b"four", 1);
                (growing.bytes.capacity(), growing.rows.capacity())
            })
            .collect();
        assert_eq!(capacities, [(4, 1), (8, 2), (12, 4), (18, 4), (24, 7), (24, 7), (36, 7)]);
        let mut long = Pile::default();
        (0..1000).for_each(|_| long.push(&[7; 100], 1));
        assert!((116_000..180_000).contains(&long.heap_bytes()), "{}", long.heap_bytes());
    }
}
