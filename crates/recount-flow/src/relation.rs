//! The rows of a result: the sum of its changes, readable as of one moment while it changes.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::mem::size_of;
use std::ops::Bound;
use std::sync::Arc;

use arrow_array::ArrayRef;
use foldhash::fast::FixedState;

use crate::codec::{Damaged, RowCodec, Rows};
use crate::delta::Delta;

/// Rows in a page, on average, at most.
const PAGE_ROWS: u64 = 256;
/// About the memory that a row takes beside its bytes.
const ROW_BYTES: usize = size_of::<(Box<[u8]>, i64)>() + 16;

/// Rows given at a time, at most.
const BATCH_ROWS: usize = 4096;
/// Their bytes, at most, unless one row alone has more.
const BATCH_BYTES: usize = 8 << 20;

/// Some of the rows, with how often each is there.
type Page = BTreeMap<Box<[u8]>, i64>;

/// The rows of a result. A page is copied when it changes while somebody reads it.
#[derive(Debug)]
pub struct Relation {
    codec: RowCodec,
    pages: Vec<Arc<Page>>,
    hasher: FixedState,
    /// Different rows.
    distinct: u64,
    /// Rows, each as often as it is there.
    rows: i64,
    /// Different rows that went more often than they came.
    negative: u64,
    /// Of all rows, each once.
    row_bytes: usize,
}

/// The rows as they were at one moment.
#[derive(Debug, Clone)]
pub struct Frozen {
    codec: RowCodec,
    pages: Vec<Arc<Page>>,
}

/// The rows of a result, some at a time. See [`Frozen::batches`].
#[derive(Debug)]
pub struct Batches {
    frozen: Frozen,
    page: usize,
    /// The row of the page that was begun, and how many copies of it were given.
    begun: Option<(Box<[u8]>, i64)>,
}

impl Relation {
    /// Without rows.
    pub fn new(codec: RowCodec) -> Relation {
        let (pages, hasher) = (vec![Arc::default()], FixedState::default());
        Relation { codec, pages, hasher, distinct: 0, rows: 0, negative: 0, row_bytes: 0 }
    }

    /// Adds changes, and gives their rows as bytes. Between the changes of an epoch a row may have gone more often than it came.
    pub fn add(&mut self, changes: &Delta) -> Rows {
        let rows = self.codec.encode(&changes.columns, changes.len());
        for (row, &weight) in rows.iter().zip(&changes.weights) {
            self.change(row, weight);
        }
        self.grow();
        rows
    }

    fn change(&mut self, row: &[u8], weight: i64) {
        let page = self.hasher.hash_one(row) as usize & (self.pages.len() - 1);
        let page = Arc::make_mut(&mut self.pages[page]);
        self.rows += weight;
        let (before, after) = match page.get_mut(row) {
            Some(count) => {
                let before = *count;
                *count += weight;
                (before, *count)
            }
            None => {
                page.insert(row.into(), weight);
                (0, weight)
            }
        };
        if before == 0 {
            self.distinct += 1;
            self.row_bytes += row.len();
        }
        if after == 0 {
            page.remove(row);
            self.distinct -= 1;
            self.row_bytes -= row.len();
        }
        self.negative = self.negative + u64::from(after < 0) - u64::from(before < 0);
    }

    /// Twice as many pages, once they are too large.
    fn grow(&mut self) {
        while self.distinct > self.pages.len() as u64 * PAGE_ROWS {
            let mut pages = vec![Page::new(); self.pages.len() * 2];
            let mask = pages.len() - 1;
            for page in self.pages.drain(..) {
                let rows = Arc::try_unwrap(page).unwrap_or_else(|shared| Page::clone(&shared));
                for (row, count) in rows {
                    pages[self.hasher.hash_one(&*row) as usize & mask].insert(row, count);
                }
            }
            self.pages = pages.into_iter().map(Arc::new).collect();
        }
    }

    /// How its rows are bytes.
    pub fn codec(&self) -> &RowCodec {
        &self.codec
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.rows).unwrap_or(0)
    }

    /// Whether some row went more often than it came: at the end of an epoch that is an error of an operator.
    pub fn is_negative(&self) -> bool {
        self.negative > 0
    }

    /// About the memory that they take.
    pub fn bytes(&self) -> usize {
        self.row_bytes + self.distinct as usize * ROW_BYTES + self.pages.len() * size_of::<Arc<Page>>()
    }

    /// The rows as they are now.
    pub fn freeze(&self) -> Frozen {
        Frozen { codec: self.codec.clone(), pages: self.pages.clone() }
    }
}

impl Frozen {
    /// The rows, some at a time, in no order.
    pub fn batches(self) -> Batches {
        Batches { frozen: self, page: 0, begun: None }
    }
}

impl Batches {
    /// The next rows: their columns, and how many they are; `None` at the end.
    pub fn next_rows(&mut self) -> Result<Option<(Vec<ArrayRef>, usize)>, Damaged> {
        let Batches { frozen: Frozen { codec, pages }, page, begun } = self;
        let (mut rows, mut bytes): (Vec<&[u8]>, usize) = (Vec::new(), 0);
        let (first, mut next) = (*page, None);
        'pages: while let Some(of_page) = pages.get(*page) {
            let (from, mut given) = match begun.as_ref().filter(|_| *page == first) {
                Some((row, given)) => (Bound::Included(&**row), *given),
                None => (Bound::Unbounded, 0),
            };
            for (row, &count) in of_page.range::<[u8], _>((from, Bound::Unbounded)) {
                while given < count {
                    if rows.len() == BATCH_ROWS || (bytes + row.len() > BATCH_BYTES && !rows.is_empty()) {
                        next = Some((row.clone(), given));
                        break 'pages;
                    }
                    rows.push(row);
                    bytes += row.len();
                    given += 1;
                }
                given = 0;
            }
            *page += 1;
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let count = rows.len();
        let columns = codec.decode(rows)?;
        // What was read is given back.
        pages[first..*page].iter_mut().for_each(|page| *page = Arc::default());
        *begun = next;
        Ok(Some((columns, count)))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Array, Int64Array};
    use arrow_schema::DataType;

    use super::*;

    fn codec() -> RowCodec {
        RowCodec::new([DataType::Int64]).unwrap()
    }

    fn delta(changes: &[(i64, i64)]) -> Delta {
        let (values, weights): (Vec<i64>, Vec<i64>) = changes.iter().copied().unzip();
        let stamps = vec![1; weights.len()];
        Delta { columns: vec![Arc::new(Int64Array::from(values))], weights, stamps }
    }

    fn rows(frozen: Frozen) -> Vec<i64> {
        let mut batches = frozen.batches();
        let mut rows = Vec::new();
        while let Some((columns, count)) = batches.next_rows().unwrap() {
            assert_eq!(columns[0].len(), count);
            assert!(count <= BATCH_ROWS, "{count}");
            rows.extend(columns[0].as_primitive::<Int64Type>().values());
        }
        rows.sort_unstable();
        rows
    }

    #[test]
    fn rows_are_the_sum_of_changes() {
        let mut relation = Relation::new(codec());
        assert_eq!((relation.rows(), rows(relation.freeze())), (0, vec![]));
        relation.add(&delta(&[(7, 2), (8, 1), (7, -1), (9, -1)]));
        assert!(relation.is_negative());
        relation.add(&delta(&[(9, 1), (7, 1), (6, 1), (6, -1)]));
        assert!(!relation.is_negative());
        assert_eq!((relation.rows(), rows(relation.freeze())), (3, vec![7, 7, 8]));
        relation.add(&delta(&[(7, -2), (8, -1)]));
        let empty = Relation::new(codec());
        assert_eq!((relation.rows(), relation.bytes()), (0, empty.bytes()));
    }

    /// One row may be there a million times: it is not given all at once.
    #[test]
    fn copies_of_a_row_are_given_some_at_a_time() {
        let mut relation = Relation::new(codec());
        relation.add(&delta(&[(1, 10_000), (2, 1), (3, 5_000), (4, -1), (5, 4096)]));
        let mut expected = [vec![1; 10_000], vec![2], vec![3; 5_000], vec![5; 4096]].concat();
        expected.sort_unstable();
        assert_eq!(rows(relation.freeze()), expected);
    }

    /// Pages are copied when they change, and are more when rows are more: whoever reads sees nothing of it.
    #[test]
    fn what_is_frozen_does_not_change() {
        let mut relation = Relation::new(codec());
        let mut frozen = vec![(0, relation.freeze())];
        for number in 0..20i64 {
            let more: Vec<(i64, i64)> = (0..1000).map(|row| (number * 1000 + row, 1)).collect();
            relation.add(&delta(&more));
            frozen.push((number as u64 * 1000 + 1000, relation.freeze()));
        }
        assert_eq!((relation.rows(), relation.pages.len()), (20_000, 128));
        relation.add(&delta(&[(5, -1)]));
        assert_eq!(rows(relation.freeze()).len(), 19_999);
        for (count, frozen) in frozen {
            assert_eq!(rows(frozen), (0..count as i64).collect::<Vec<_>>());
        }
        assert!(relation.bytes() > 19_999 * (9 + 24));
    }
}
