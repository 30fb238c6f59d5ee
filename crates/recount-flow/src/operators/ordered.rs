//! Rows in an order, each with how often it is there. Those that the order leaves equal are ordered by all of their columns.

use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::mem::size_of;

use crate::codec::Damaged;
use crate::saved::{Reader, Saved, put_bytes, put_number};

/// A row, behind what it is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) key: Box<[u8]>,
    pub(super) row: Box<[u8]>,
}

impl Place {
    /// About the memory that it takes, and its count.
    pub(super) fn bytes(&self) -> usize {
        size_of::<(Place, i64)>() + self.key.len() + self.row.len()
    }

    /// Before all rows that are sorted so.
    fn before(key: &[u8]) -> Place {
        Place { key: key.into(), row: Box::default() }
    }
}

/// A row as often as it is there; one that goes before it comes is there no time.
fn repeated<'a>((place, count): (&'a Place, &i64)) -> impl Iterator<Item = &'a Place> + use<'a> {
    repeat_n(place, (*count).max(0) as usize)
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    rows: BTreeMap<Place, i64>,
    bytes: usize,
}

impl Ordered {
    /// A row came or went.
    pub(super) fn change(&mut self, key: &[u8], row: &[u8], weight: i64) {
        let place = Place { key: key.into(), row: row.into() };
        let bytes = place.bytes();
        match self.rows.get_mut(&place) {
            Some(count) => {
                *count += weight;
                if *count == 0 {
                    self.rows.remove(&place);
                    self.bytes -= bytes;
                }
            }
            None => {
                self.rows.insert(place, weight);
                self.bytes += bytes;
            }
        }
    }

    /// The rows in their order; those that go before they come are there no time.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Place, u64)> {
        self.rows.iter().map(|(place, count)| (place, (*count).max(0) as u64))
    }

    /// The same from a place in the order on, each as often as it is there.
    pub(super) fn from(&self, key: &[u8]) -> impl Iterator<Item = &Place> {
        self.rows.range(Place::before(key)..).flat_map(repeated)
    }

    /// The last ones before a place in the order, so many at most, each as often as it is there.
    pub(super) fn last_before(&self, key: &[u8], count: usize) -> Vec<&Place> {
        let mut last: Vec<&Place> =
            self.rows.range(..Place::before(key)).rev().flat_map(repeated).take(count).collect();
        last.reverse();
        last
    }

    /// The first one that is there.
    pub(super) fn first(&self) -> Option<&Place> {
        self.rows.iter().find(|(_, count)| **count > 0).map(|(place, _)| place)
    }

    /// Forgets all but the first ones, so many, each as often as it is there.
    pub(super) fn truncate(&mut self, count: u64) {
        let mut before = 0;
        let behind = self.rows.iter().find(|(_, count_of)| {
            let is_behind = before >= count;
            before += (**count_of).max(0) as u64;
            is_behind
        });
        let Some(first) = behind.map(|(place, _)| place.clone()) else { return };
        for (place, _) in self.rows.split_off(&first) {
            self.bytes -= place.bytes();
        }
    }

    /// Adds the rows to what a restart goes on from, behind some bytes: what each is sorted by, and the row; how often.
    pub(super) fn save(&self, start: &[u8], saved: &mut Saved) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for (place, count) in &self.rows {
            key.clear();
            key.extend_from_slice(start);
            put_bytes(&mut key, &place.key);
            key.extend_from_slice(&place.row);
            value.clear();
            put_number(&mut value, *count);
            saved.push(&key, &value);
        }
    }

    /// Takes a row that was saved.
    pub(super) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damaged> {
        let (mut key, mut value) = (Reader(key), Reader(value));
        let sorted_by = key.bytes()?;
        self.change(sorted_by, key.0, value.number()?);
        value.end()
    }

    /// How many different ones there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// About the memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ordered.iter().map(|(place, count)| (&*place.row, count)).collect::<Vec<_>>(),
            [(rows[1], 2)]
        );
        ordered.change(b"key", rows[1], -2);
        assert!(ordered.is_empty() && ordered.bytes() == 0);
    }
}
