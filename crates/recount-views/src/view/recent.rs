//! The last changes of a view's rows, for those who follow them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Their bytes, at most.
const BYTES_MAX: usize = 4 << 20;
/// About the memory of a change beside its row.
const CHANGE_BYTES: usize = 64;

/// A row that came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowChanged {
    /// The position of the last event of the append that did it.
    pub(crate) stamp: u64,
    /// The row, as bytes.
    pub(crate) row: Arc<[u8]>,
    /// How often it came, or went if that is negative.
    pub(crate) weight: i64,
}

/// See the module. Changes of one append come in the order of the rows' bytes, each row once.
#[derive(Debug)]
pub(super) struct Recent {
    changes: VecDeque<RowChanged>,
    /// All changes behind this position are there.
    from: u64,
    bytes: usize,
}

/// The changes of an epoch, added up.
pub(super) type OfEpoch = BTreeMap<(u64, Box<[u8]>), i64>;

impl Recent {
    /// None yet, from a position on.
    pub(super) fn new(from: u64) -> Recent {
        Recent { changes: VecDeque::new(), from, bytes: 0 }
    }

    /// Adds those of the next epoch, and forgets the oldest appends if there are too many.
    pub(super) fn add(&mut self, epoch: OfEpoch) {
        for ((stamp, row), weight) in epoch.into_iter().filter(|(_, weight)| *weight != 0) {
            self.bytes += row.len() + CHANGE_BYTES;
            self.changes.push_back(RowChanged { stamp, row: row.into(), weight });
        }
        while self.bytes > BYTES_MAX
            && let Some(first) = self.changes.pop_front()
        {
            self.bytes -= first.row.len() + CHANGE_BYTES;
            self.from = first.stamp;
        }
    }

    /// Those behind a position, without the first `told` of the next append, at most so many; `None` = some of them are forgotten.
    pub(super) fn after(&self, position: u64, told: usize, limit: usize) -> Option<Vec<RowChanged>> {
        if position < self.from {
            return None;
        }
        let first = self.changes.partition_point(|change| change.stamp <= position);
        Some(self.changes.iter().skip(first + told).take(limit).cloned().collect())
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(changes: &[(u64, &[u8], i64)]) -> OfEpoch {
        changes.iter().map(|(stamp, row, weight)| ((*stamp, (*row).into()), *weight)).collect()
    }

    fn shown(changes: Option<Vec<RowChanged>>) -> String {
        let Some(changes) = changes else { return "forgotten".to_owned() };
        let one = |change: &RowChanged| format!("{}{:+}{}", change.stamp, change.weight, change.row[0]);
        changes.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn changes_behind_a_position() {
        let mut recent = Recent::new(3);
        recent.add(epoch(&[(5, &[1], -1), (5, &[2], 1), (4, &[9], 2), (4, &[8], 0)]));
        recent.add(epoch(&[(7, &[3], 1)]));
        assert_eq!(shown(recent.after(2, 0, 9)), "forgotten");
        assert_eq!(shown(recent.after(3, 0, 9)), "4+29 5-11 5+12 7+13");
        assert_eq!(shown(recent.after(4, 1, 2)), "5+12 7+13");
        assert_eq!(shown(recent.after(6, 0, 9)), "7+13");
        assert_eq!(shown(recent.after(7, 0, 9)), "");
    }

    #[test]
    fn the_oldest_appends_are_forgotten_whole() {
        let mut recent = Recent::new(0);
        let large = vec![7; BYTES_MAX / 4];
        for stamp in 1..=5 {
            recent.add(epoch(&[(stamp, &large, 1), (stamp, &[1], 1)]));
        }
        assert!(recent.bytes() <= BYTES_MAX);
        assert_eq!(shown(recent.after(1, 0, 9)), "forgotten");
        // Of an append of which some changes are gone, none counts.
        assert_eq!(recent.from, 2);
        assert_eq!(shown(recent.after(2, 0, 9)), "3+11 3+17 4+11 4+17 5+11 5+17");
    }
}
