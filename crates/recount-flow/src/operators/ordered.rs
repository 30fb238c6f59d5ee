//! Rows in an order, each with how often it is there: few of them in a row, many in a tree. Those that the order leaves equal are ordered by all
//! of their columns.

use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::mem::{size_of, take};

use crate::codec::Damaged;
use crate::saved::{Reader, Saved, put_bytes, put_number};

/// More are kept in a tree.
const FEW_MAX: usize = 32;

/// A row, behind what it is sorted by.
///
/// That begins no other, so that the bytes of both sort as they do one after the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    bytes: Box<[u8]>,
    /// Bytes that it is sorted by.
    key: u32,
}

impl Place {
    pub(super) fn new(key: &[u8], row: &[u8]) -> Place {
        Place { bytes: [key, row].concat().into(), key: key.len() as u32 }
    }

    /// What it is sorted by.
    pub(super) fn key(&self) -> &[u8] {
        &self.bytes[..self.key as usize]
    }

    pub(super) fn row(&self) -> &[u8] {
        &self.bytes[self.key as usize..]
    }

    /// About the memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<(Place, i64)>() + self.bytes.len()
    }

    /// Whether it is before another.
    fn is_before(&self, key: &[u8], row: &[u8]) -> bool {
        (self.key(), self.row()) < (key, row)
    }
}

/// A row as often as it is there; one that goes before it comes is there no time.
fn repeated<'a>((place, count): (&'a Place, &i64)) -> impl Iterator<Item = &'a Place> + use<'a> {
    repeat_n(place, (*count).max(0) as usize)
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    few: Vec<(Place, i64)>,
    /// Where all of them are once there were many.
    many: BTreeMap<Place, i64>,
    bytes: usize,
    /// How often rows are there, all together.
    count: i64,
}

impl Ordered {
    /// Adds to how often a row is there.
    pub(super) fn change(&mut self, key: &[u8], row: &[u8], weight: i64) {
        self.count += weight;
        let place = if self.many.is_empty() {
            match self.few.binary_search_by(|(place, _)| (place.key(), place.row()).cmp(&(key, row))) {
                Ok(at) => {
                    self.few[at].1 += weight;
                    if self.few[at].1 == 0 {
                        self.bytes -= self.few.remove(at).0.bytes();
                    }
                    return;
                }
                Err(at) => {
                    let place = Place::new(key, row);
                    self.bytes += place.bytes();
                    if self.few.len() < FEW_MAX {
                        if self.few.is_empty() {
                            // Often it stays alone.
                            self.few.reserve_exact(1);
                        }
                        self.few.insert(at, (place, weight));
                        return;
                    }
                    self.many = take(&mut self.few).into_iter().collect();
                    self.many.insert(place, weight);
                    return;
                }
            }
        } else {
            Place::new(key, row)
        };
        let bytes = place.bytes();
        match self.many.get_mut(&place) {
            Some(count) => {
                *count += weight;
                if *count == 0 {
                    self.many.remove(&place);
                    self.bytes -= bytes;
                }
            }
            None => {
                self.many.insert(place, weight);
                self.bytes += bytes;
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = (&Place, &i64)> {
        self.few.iter().map(|(place, count)| (place, count)).chain(&self.many)
    }

    /// Where in the row those begin that are not before what is sorted by `key`.
    fn few_from(&self, key: &[u8]) -> usize {
        self.few.partition_point(|(place, _)| place.key() < key)
    }

    /// The rows, and how often each is there.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Place, u64)> {
        self.all().map(|(place, count)| (place, (*count).max(0) as u64))
    }

    /// The rows from some place in the order on, each as often as it is there.
    pub(super) fn from(&self, key: &[u8]) -> impl Iterator<Item = &Place> {
        let few = self.few[self.few_from(key)..].iter().map(|(place, count)| (place, count));
        few.chain(self.many.range(Place::new(key, &[])..)).flat_map(repeated)
    }

    /// The last so many rows before some place in the order, each as often as it is there, in order.
    pub(super) fn last_before(&self, key: &[u8], count: usize) -> Vec<&Place> {
        let few = self.few[..self.few_from(key)].iter().map(|(place, count)| (place, count)).rev();
        let many = self.many.range(..Place::new(key, &[])).rev();
        let mut last: Vec<&Place> = few.chain(many).flat_map(repeated).take(count).collect();
        last.reverse();
        last
    }

    /// The first row.
    pub(super) fn first(&self) -> Option<&Place> {
        self.all().find(|(_, count)| **count > 0).map(|(place, _)| place)
    }

    /// Whether a row is behind the first so many, and so for ever if no row goes.
    pub(super) fn is_behind(&self, first: u64, key: &[u8], row: &[u8]) -> bool {
        self.last_of(first).is_some_and(|last| last.is_before(key, row))
    }

    /// The same, of whatever is sorted by a key.
    pub(super) fn is_key_behind(&self, first: u64, key: &[u8]) -> bool {
        self.last_of(first).is_some_and(|last| last.key() < key)
    }

    /// The last row, if there are so many.
    fn last_of(&self, first: u64) -> Option<&Place> {
        let is_full = self.count >= i64::try_from(first).unwrap_or(i64::MAX);
        self.last().filter(|_| is_full).map(|(last, _)| last)
    }

    fn last(&self) -> Option<(&Place, i64)> {
        let last = self.many.last_key_value().or(self.few.last().map(|(place, count)| (place, count)));
        last.map(|(place, count)| (place, *count))
    }

    /// Forgets what is behind the first so many rows, each as often as it is there; none goes.
    pub(super) fn truncate(&mut self, count: u64) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        loop {
            let last = self.last().map_or(0, |(_, of_last)| of_last);
            // Without it there must be enough.
            if last == 0 || self.count - last < count {
                return;
            }
            let place = self.many.pop_last().or_else(|| self.few.pop());
            self.count -= last;
            self.bytes -= place.map_or(0, |(place, _)| place.bytes());
        }
    }

    /// Adds the rows to what a restart goes on from; their entries begin with `start`.
    pub(super) fn save(&self, start: &[u8], saved: &mut Saved) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for (place, count) in self.all() {
            key.clear();
            key.extend_from_slice(start);
            put_bytes(&mut key, place.key());
            key.extend_from_slice(place.row());
            value.clear();
            put_number(&mut value, *count);
            saved.push(&key, &value);
        }
    }

    /// Takes a row from its entry, whose key is told without `start`.
    pub(super) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damaged> {
        let (mut key, mut value) = (Reader(key), Reader(value));
        let sorted_by = key.bytes()?;
        self.change(sorted_by, key.0, value.number()?);
        value.end()
    }

    /// How many different rows there are.
    pub(super) fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// The memory that they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few of them lie in a row, with room for one; one more than that many are in a tree.
    #[test]
    fn few_and_many() {
        let mut ordered = Ordered::default();
        for row in 0..FEW_MAX as u8 {
            ordered.change(b"key", &[row], 1);
            assert_eq!((ordered.few.len(), ordered.many.len()), (row as usize + 1, 0));
        }
        ordered.change(b"key", &[77], 1);
        assert_eq!((ordered.few.len(), ordered.many.len()), (0, FEW_MAX + 1));
        let mut one = Ordered::default();
        one.change(b"key", b"row", 1);
        assert_eq!(one.few.capacity(), 1);
    }

    proptest! {
        /// Rows come and go, few and many: whatever is asked of them is what a sorted list of them says.
        #[test]
        fn rows_are_a_sorted_list(
            steps in prop::collection::vec((0u8..12, 0u8..6, -1i64..3), 1..150),
            (key, row) in (0u8..13, 0u8..6),
            few in 0usize..8,
            first in 1u64..90,
        ) {
            let (mut ordered, mut model) = (Ordered::default(), BTreeMap::<(u8, u8), i64>::new());
            for (key, row, weight) in steps {
                let count = model.entry((key, row)).or_default();
                let weight = weight.max(-*count);
                *count += weight;
                model.retain(|_, count| *count != 0);
                if weight != 0 {
                    ordered.change(&[key], &[row], weight);
                }
            }
            let of = |place: &Place| (place.key()[0], place.row()[0]);
            let list: Vec<(u8, u8)> =
                model.iter().flat_map(|(place, count)| repeat_n(*place, *count as usize)).collect();
            let before = list.iter().filter(|place| place.0 < key).count();
            prop_assert_eq!(ordered.from(&[key]).map(of).collect::<Vec<_>>(), &list[before..]);
            let last: Vec<_> = ordered.last_before(&[key], few).into_iter().map(of).collect();
            prop_assert_eq!(last, &list[before.saturating_sub(few)..before]);
            prop_assert_eq!(ordered.first().map(of), list.first().copied());
            prop_assert_eq!((ordered.len(), ordered.is_empty()), (model.len(), model.is_empty()));
            let full = list.last().filter(|_| list.len() as u64 >= first);
            prop_assert_eq!(ordered.is_behind(first, &[key], &[row]), full.is_some_and(|last| *last < (key, row)));
            prop_assert_eq!(ordered.is_key_behind(first, &[key]), full.is_some_and(|last| last.0 < key));
            prop_assert_eq!(ordered.bytes(), model.len() * (size_of::<(Place, i64)>() + 2));
            // Of the last one that the first ones reach all copies stay.
            ordered.truncate(first);
            let reached = list.get(first as usize - 1);
            model.retain(|place, _| reached.is_none_or(|last| place <= last));
            let rows: Vec<_> = ordered.iter().map(|(place, count)| (of(place), count as i64)).collect();
            prop_assert_eq!(rows, model.iter().map(|(place, count)| (*place, *count)).collect::<Vec<_>>());
            prop_assert_eq!(ordered.bytes(), model.len() * (size_of::<(Place, i64)>() + 2));
        }
    }

    #[test]
    fn the_memory_of_rows() {
        let mut ordered = Ordered::default();
        let mut change = |row: &[u8], weight| {
            ordered.change(b"key", row, weight);
            ordered.bytes()
        };
        let rows = [b"a row that is as long".as_slice(), b"another"];
        let bytes = rows.map(|row| size_of::<(Place, i64)>() + 3 + row.len());
        assert_eq!(change(rows[0], 1), bytes[0]);
        assert_eq!(change(rows[1], -1), bytes[0] + bytes[1]);
        assert_eq!(change(rows[1], 3), bytes[0] + bytes[1]);
        assert_eq!(change(rows[0], -1), bytes[1]);
        assert_eq!(
            ordered.iter().map(|(place, count)| (place.row(), count)).collect::<Vec<_>>(),
            [(rows[1], 2)]
        );
        ordered.change(b"key", rows[1], -2);
        assert!(ordered.is_empty() && ordered.bytes() == 0);
    }
}
