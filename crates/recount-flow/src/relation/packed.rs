//! Sorted rows, one behind the other. Where one is, its first bytes mostly tell, which are kept beside.

use std::cmp::Ordering;
use std::mem::size_of;
use std::ops::Range;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// What each begins with.
    starts: Vec<u128>,
}

/// The first bytes of a row, which sort as rows do; zeros behind a short one.
fn start_of(row: &[u8]) -> u128 {
    let mut start = [0; size_of::<u128>()];
    let length = row.len().min(start.len());
    start[..length].copy_from_slice(&row[..length]);
    u128::from_be_bytes(start)
}

impl Packed {
    /// One empty row, which takes as much memory as a copy of it.
    pub(super) fn of_nothing() -> Packed {
        Packed { bytes: Vec::new(), ends: vec![0], starts: vec![0] }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Of all rows.
    pub(super) fn row_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn row(&self, place: usize) -> &[u8] {
        &self.bytes[self.range(place)]
    }

    /// Where a row is; or else where it would be.
    pub(super) fn search(&self, row: &[u8]) -> Result<usize, usize> {
        let start = start_of(row);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.starts[middle].cmp(&start).then_with(|| self.row(middle).cmp(row)) {
                Ordering::Equal => return Ok(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Inserts a row. There is room for twice as many bytes as before then, if there was none, but for no more than `bytes_max` for the sake of
    /// others.
    pub(super) fn insert(&mut self, place: usize, row: &[u8], bytes_max: usize) {
        let start = self.start(place);
        let old = self.bytes.len();
        if self.bytes.capacity() - old < row.len() {
            let wanted = (2 * self.bytes.capacity()).min(bytes_max).max(old + row.len());
            self.bytes.reserve_exact(wanted - old);
        }
        self.bytes.resize(old + row.len(), 0);
        self.bytes.copy_within(start..old, start + row.len());
        self.bytes[start..start + row.len()].copy_from_slice(row);
        self.ends.insert(place, start);
        self.ends[place..].iter_mut().for_each(|end| *end += row.len());
        self.starts.insert(place, start_of(row));
    }

    /// Puts a row in the place of one that is as long.
    pub(super) fn overwrite(&mut self, place: usize, row: &[u8]) {
        let range = self.range(place);
        self.bytes[range].copy_from_slice(row);
        self.starts[place] = start_of(row);
    }

    pub(super) fn remove(&mut self, place: usize) {
        let range = self.range(place);
        let length = range.len();
        self.bytes.drain(range);
        self.ends.remove(place);
        self.starts.remove(place);
        self.ends[place..].iter_mut().for_each(|end| *end -= length);
    }

    /// The rows from one on.
    pub(super) fn split_off(&mut self, place: usize) -> Packed {
        let start = self.start(place);
        let bytes = self.bytes.split_off(start);
        let mut ends = self.ends.split_off(place);
        ends.iter_mut().for_each(|end| *end -= start);
        Packed { bytes, ends, starts: self.starts.split_off(place) }
    }

    /// Adds rows that are behind all others.
    pub(super) fn append(&mut self, rows: &Packed) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&rows.bytes);
        self.ends.extend(rows.ends.iter().map(|end| end + start));
        self.starts.extend_from_slice(&rows.starts);
    }

    /// The memory that they take.
    pub(super) fn bytes(&self) -> usize {
        let of_row = self.ends.capacity() * size_of::<usize>() + self.starts.capacity() * size_of::<u128>();
        self.bytes.capacity() + of_row
    }

    fn start(&self, place: usize) -> usize {
        if place == 0 { 0 } else { self.ends[place - 1] }
    }

    fn range(&self, place: usize) -> Range<usize> {
        self.start(place)..self.ends[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice as much room as before, up to a limit; beyond that for one row at a time.
    #[test]
    fn room_for_more_rows() {
        let mut packed = Packed::default();
        let capacities: Vec<usize> = (0..8)
            .map(|number| {
                packed.insert(number, &[number as u8; 10], 50);
                packed.bytes.capacity()
            })
            .collect();
        assert_eq!(capacities, [10, 20, 40, 40, 50, 60, 70, 80]);
        assert_eq!((packed.len(), packed.row_bytes(), packed.row(3)), (8, 80, &[3; 10][..]));
        let beside = packed.ends.capacity() * 8 + packed.starts.capacity() * 16;
        assert_eq!(packed.bytes(), 80 + beside);
    }

    #[test]
    fn what_rows_begin_with_sorts_as_they_do() {
        assert_eq!((start_of(b""), start_of(&[0, 1])), (0, 1 << 112));
        assert_eq!(start_of(&[7; 30]), start_of(&[7; 16]));
        assert!(start_of(b"a") < start_of(b"ab") && start_of(b"ab") < start_of(b"b"));
    }
}
