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

    #[test]
    fn few_and_many_rows() {
        let mut group = Group::default();
        let row = |number: usize| format!("{number:04}").into_bytes();
        for number in (0..2 * FEW_MAX).rev() {
            group.of(&row(number)).weight += 1;
            group.of(&row(number)).partners = number as i64;
        }
        let all: Vec<(Vec<u8>, i64)> =
            group.iter().map(|(row, known)| (row.to_vec(), known.partners)).collect();
        let expected: Vec<(Vec<u8>, i64)> =
            (0..2 * FEW_MAX).map(|number| (row(number), number as i64)).collect();
        assert_eq!(all, expected);
        assert_eq!(group.heap_bytes(), 2 * FEW_MAX * (size_of::<(Box<[u8]>, Known)>() + 4));
        for number in 0..2 * FEW_MAX {
            group.forget(&row(number));
            assert_eq!(group.iter().count(), 2 * FEW_MAX - number, "it weighs something");
            group.of(&row(number)).weight -= 1;
            group.forget(&row(number));
        }
        assert!(group.is_empty());
        assert_eq!(group.heap_bytes(), 0);
        group.of(b"again").weight += 1;
        assert_eq!(group.iter().map(|(row, _)| row).collect::<Vec<_>>(), [b"again"]);
    }
}
