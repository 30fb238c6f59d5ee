//! The rows of a result: the sum of its changes, readable as of one moment while it changes.

use std::mem::take;
use std::sync::Arc;

use arrow_array::ArrayRef;

use crate::codec::{Damaged, Rows};
use crate::delta::Delta;
use crate::layout::RowLayout;
use crate::saved::{Reader, Saved, put_number};

mod packed;
mod tree;

use tree::{At, Tree};

/// Rows given at a time, at most.
const BATCH_ROWS: usize = 4096;
/// Their bytes, at most, unless one row alone has more.
const BATCH_BYTES: usize = 8 << 20;

/// The rows of a result, in the order of their bytes.
#[derive(Debug)]
pub struct Relation {
    layout: Arc<RowLayout>,
    tree: Tree,
    /// Rows, each as often as it is there.
    rows: i64,
    /// Different rows that went more often than they came.
    negative: u64,
    /// The memory that they take.
    bytes: usize,
}

/// The rows as they were at one moment.
#[derive(Debug, Clone)]
pub struct Frozen {
    layout: Arc<RowLayout>,
    tree: Tree,
}

/// The rows of a result, some at a time. See [`Frozen::batches`].
#[derive(Debug)]
pub struct Batches {
    frozen: Frozen,
    /// What they begin with.
    prefix: Vec<u8>,
    /// The next row, and how many copies of it were given.
    next: At,
    given: i64,
}

impl Relation {
    /// Without rows.
    pub fn new(layout: RowLayout) -> Relation {
        Relation { layout: Arc::new(layout), tree: Tree::default(), rows: 0, negative: 0, bytes: 0 }
    }

    /// Adds changes, and gives their rows as bytes. Between the changes of an epoch a row may have gone more often than it came.
    pub fn add(&mut self, changes: &Delta) -> Rows {
        let rows = self.layout.encode(&changes.columns, changes.len());
        let mut number = 0;
        while let Some(&weight) = changes.weights.get(number) {
            // What a row was, and what it is: most changes are such pairs.
            let is_pair = weight == -1 && changes.weights.get(number + 1) == Some(&1);
            if is_pair && self.tree.replace(rows.row(number), rows.row(number + 1)) {
                number += 2;
                continue;
            }
            self.change(rows.row(number), weight);
            number += 1;
        }
        rows
    }

    /// Takes a row that was saved, which was there; faster in the order of rows.
    pub fn load(&mut self, row: &[u8], value: &[u8]) -> Result<(), Damaged> {
        let mut value = Reader(value);
        let count = value.number()?;
        value.end()?;
        if count <= 0 {
            return Err(Damaged);
        }
        self.change(row, count);
        Ok(())
    }

    fn change(&mut self, row: &[u8], weight: i64) {
        let (before, more) = self.tree.change(row, weight);
        let after = before + weight;
        self.rows += weight;
        self.negative = self.negative + u64::from(after < 0) - u64::from(before < 0);
        self.bytes = self.bytes.saturating_add_signed(more);
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        *self = Relation::new(RowLayout::clone(&self.layout));
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.rows).unwrap_or(0)
    }

    /// Whether some row went more often than it came: at the end of an epoch that is an error of an operator.
    pub fn is_negative(&self) -> bool {
        self.negative > 0
    }

    /// The memory that they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows as they are now.
    pub fn freeze(&self) -> Frozen {
        Frozen { layout: self.layout.clone(), tree: self.tree.clone() }
    }
}

impl Frozen {
    /// How its rows are kept.
    pub fn layout(&self) -> &RowLayout {
        &self.layout
    }

    /// Adds the rows to what a restart goes on from, with how often each is there.
    pub fn save(&self, saved: &mut Saved) {
        let (mut at, mut value) = (self.tree.at(&[]), Vec::new());
        while let Some((row, count)) = self.tree.row(&mut at) {
            value.clear();
            put_number(&mut value, count);
            saved.push(row, &value);
            at = at.next();
        }
    }

    /// The rows, some at a time.
    pub fn batches(self) -> Batches {
        self.starting_with(Vec::new())
    }

    /// Those of one key, given as a row of its columns.
    pub fn batches_of(self, key: &[ArrayRef]) -> Batches {
        let prefix = self.layout.key_bytes(key);
        self.starting_with(prefix)
    }

    fn starting_with(self, prefix: Vec<u8>) -> Batches {
        let next = self.tree.at(&prefix);
        Batches { frozen: self, prefix, next, given: 0 }
    }
}

impl Batches {
    /// How many rows come yet; after that, none.
    pub fn count(&mut self) -> usize {
        let Batches { frozen: Frozen { tree, .. }, prefix, next, given } = self;
        let mut all = -take(given);
        while let Some((_, count)) = tree.row(next).filter(|(row, _)| row.starts_with(prefix)) {
            all += count.max(0);
            *next = next.next();
        }
        usize::try_from(all).unwrap_or(0)
    }

    /// The next rows: their columns, and how many they are; `None` at the end.
    pub fn next_rows(&mut self) -> Result<Option<(Vec<ArrayRef>, usize)>, Damaged> {
        let Batches { frozen: Frozen { layout, tree }, prefix, next, given } = self;
        let (mut rows, mut bytes): (Vec<&[u8]>, usize) = (Vec::new(), 0);
        while let Some((row, count)) = tree.row(next).filter(|(row, _)| row.starts_with(prefix)) {
            if *given >= count {
                (*next, *given) = (next.next(), 0);
                continue;
            }
            if rows.len() == BATCH_ROWS || (bytes + row.len() > BATCH_BYTES && !rows.is_empty()) {
                break;
            }
            rows.push(row);
            bytes += row.len();
            *given += 1;
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let count = rows.len();
        let columns = layout.decode(rows)?;
        // What was read is given back.
        tree.forget(*next);
        Ok(Some((columns, count)))
    }
}

#[cfg(test)]
mod tests;
