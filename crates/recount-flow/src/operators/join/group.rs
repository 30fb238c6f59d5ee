//! The rows of a key on one side of a join: few of them in a row, many in a tree, so that a key that most rows have costs no more a row.

use std::collections::BTreeMap;
use std::mem::{size_of, take};

use crate::state::Held;

/// More are kept in a tree.
const FEW_MAX: usize = 64;

/// See the module. In the order of their bytes.
#[derive(Debug, Default)]
pub(super) struct Group {
    few: Vec<(Box<[u8]>, Known)>,
    /// Where all of them are once there were many.
    many: BTreeMap<Box<[u8]>, Known>,
    /// Of the rows.
    bytes: usize,
}

/// What is kept of a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) weight: i64,
    /// How many partners it has, if its side asks.
    pub(super) partners: i64,
}

impl Held for Group {
    fn heap_bytes(&self) -> usize {
        self.len() * size_of::<(Box<[u8]>, Known)>() + self.bytes
    }
}

impl Group {
    /// The rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Known)> {
        let few = self.few.iter().map(|(row, known)| (&**row, *known));
        few.chain(self.many.iter().map(|(row, known)| (&**row, *known)))
    }

    /// How many different ones there are.
    pub(super) fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// A row, which is made if it is not known.
    pub(super) fn of(&mut self, row: &[u8]) -> &mut Known {
        if self.many.is_empty() {
            match self.few.binary_search_by(|(known, _)| (**known).cmp(row)) {
                Ok(place) => return &mut self.few[place].1,
                Err(place) if self.few.len() < FEW_MAX => {
                    self.bytes += row.len();
                    self.few.insert(place, (row.into(), Known::default()));
                    return &mut self.few[place].1;
                }
                Err(_) => self.many = take(&mut self.few).into_iter().collect(),
            }
        }
        if !self.many.contains_key(row) {
            self.bytes += row.len();
        }
        self.many.entry(row.into()).or_default()
    }

    /// Forgets a row that weighs nothing.
    pub(super) fn forget(&mut self, row: &[u8]) {
        if let Ok(place) = self.few.binary_search_by(|(known, _)| (**known).cmp(row))
            && self.few[place].1.weight == 0
        {
            self.few.remove(place);
            self.bytes -= row.len();
        }
        if self.many.get(row).is_some_and(|known| known.weight == 0) {
            self.many.remove(row);
            self.bytes -= row.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize) -> Vec<u8> {
        format!("{number:04}").into_bytes()
    }

    /// A group of so many rows, which came from the last one to the first.
    fn group(count: usize) -> Group {
        let mut group = Group::default();
        for number in (0..count).rev() {
            group.of(&row(number)).weight += 1;
            group.of(&row(number)).partners = number as i64;
        }
        group
    }

    fn bytes(count: usize) -> usize {
        count * (size_of::<(Box<[u8]>, Known)>() + 4)
    }

    #[test]
    fn few_and_many_rows() {
        for count in [3, FEW_MAX, FEW_MAX + 1, 2 * FEW_MAX] {
            let mut group = group(count);
            let all: Vec<(Vec<u8>, i64)> =
                group.iter().map(|(row, known)| (row.to_vec(), known.partners)).collect();
            let expected: Vec<(Vec<u8>, i64)> =
                (0..count).map(|number| (row(number), number as i64)).collect();
            assert_eq!(all, expected);
            for number in 0..count {
                group.forget(&row(number));
                group.forget(b"unknown");
                let left = count - number;
                assert_eq!((group.iter().count(), group.len()), (left, left), "it weighs something");
                assert_eq!((group.heap_bytes(), group.is_empty()), (bytes(left), false));
                group.of(&row(number)).weight -= 1;
                group.forget(&row(number));
            }
            assert_eq!((group.is_empty(), group.heap_bytes()), (true, 0));
            group.of(b"again").weight += 1;
            assert_eq!(group.iter().map(|(row, _)| row).collect::<Vec<_>>(), [b"again"]);
        }
    }

    #[test]
    fn many_rows_are_in_a_tree() {
        let sizes = |count| (group(count).few.len(), group(count).many.len());
        assert_eq!((sizes(FEW_MAX), sizes(FEW_MAX + 1)), ((64, 0), (0, 65)));
    }
}
