//! ORDER BY … LIMIT: the first rows of an order.
//!
//! Rule: what is among the first rows after an append and was not before comes, and the other way round. State: all rows, in order; where rows only
//! come, the first ones.
//! Which of the rows that the order leaves equal are first depends on their columns, and on nothing else.

use std::collections::BTreeMap;
use std::mem::take;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::given::Given;
use super::ordered::Ordered;
use crate::codec::{Damaged, Order, RowCodec, sort_keys};
use crate::delta::Delta;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::Saved;

/// See the module.
#[derive(Debug)]
pub struct Top {
    codec: RowCodec,
    order: Vec<(usize, Order)>,
    skip: u64,
    fetch: u64,
    /// No row goes again: those behind the first ones are forgotten.
    only_comes: bool,
    rows: Ordered,
    /// The rows that are shown, with how often; as of the last append that ended.
    shown: Shown,
    /// Something changed since.
    touched: bool,
}

type Shown = BTreeMap<Box<[u8]>, i64>;

impl Top {
    /// The rows after the first `skip`, at most `fetch`, of an input with columns of these types, sorted by some of them; a type that
    /// cannot be compared otherwise. Where rows of the input only come, no more of them are kept.
    pub fn new(
        types: Vec<DataType>,
        order: Vec<(usize, Order)>,
        skip: u64,
        fetch: u64,
        only_comes: bool,
    ) -> Result<Top, DataType> {
        let (rows, shown) = (Ordered::default(), Shown::new());
        Ok(Top { codec: RowCodec::new(types)?, order, skip, fetch, only_comes, rows, shown, touched: false })
    }

    /// The rows that are to be shown now.
    fn first(&self) -> Shown {
        let (mut before, mut shown) = (0u64, Shown::new());
        let end = self.skip.saturating_add(self.fetch);
        for (place, count) in self.rows.iter() {
            if before >= end {
                break;
            }
            let until = before + count;
            let visible = until.min(end).saturating_sub(before.max(self.skip));
            if visible > 0 {
                *shown.entry(place.row().into()).or_default() += visible as i64;
            }
            before = until;
        }
        shown
    }

    /// Gives what an append changed.
    fn end_append(&mut self, stamp: u64, given: &mut Given) {
        if !take(&mut self.touched) {
            return;
        }
        if self.only_comes {
            self.rows.truncate(self.skip.saturating_add(self.fetch));
        }
        let now = self.first();
        for (row, count) in &self.shown {
            let more = now.get(row).copied().unwrap_or(0) - count;
            if more != 0 {
                given.push(row, more, stamp);
            }
        }
        for (row, count) in now.iter().filter(|(row, _)| !self.shown.contains_key(*row)) {
            given.push(row, *count, stamp);
        }
        self.shown = now;
    }
}

impl Operator for Top {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        let mut given = Given::default();
        let mut stamp = epoch.stamp;
        if let Some(delta) = Delta::merged(inputs.into_iter().flatten().collect())? {
            let sorted: Vec<(ArrayRef, Order)> =
                self.order.iter().map(|&(column, order)| (delta.columns[column].clone(), order)).collect();
            let keys = sort_keys(&sorted, delta.len());
            let rows = self.codec.encode(&delta.columns, delta.len());
            stamp = delta.stamps[0];
            for row in 0..delta.len() {
                if delta.stamps[row] != stamp {
                    self.end_append(stamp, &mut given);
                    stamp = delta.stamps[row];
                }
                self.rows.change(keys.row(row), rows.row(row), delta.weights[row]);
                self.touched = true;
            }
        }
        if epoch.ends {
            self.end_append(stamp, &mut given);
        }
        out.push(given.delta(&self.codec)?);
        Ok(())
    }

    fn name(&self) -> &'static str {
        "top"
    }

    fn keeps(&self) -> Option<(usize, &'static str)> {
        Some((self.rows.len(), "rows"))
    }

    fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    fn save(&self, saved: &mut Saved) {
        self.rows.save(&[], saved);
    }

    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damaged> {
        self.rows.load(key, value)
    }

    fn loaded(&mut self) {
        self.shown = self.first();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;

    use super::*;

    /// Of rows that only come no more are kept than are shown, and what is shown is the same.
    #[test]
    fn rows_behind_the_first_ones_are_forgotten() {
        let top = |only_comes| {
            Top::new(vec![DataType::Int64], vec![(0, Order::default())], 2, 5, only_comes).unwrap()
        };
        let (mut few, mut all) = (top(true), top(false));
        for stamp in 1..300u64 {
            let value = 100_000 - (stamp as i64 * 7919) % 1009 - stamp as i64 / 7;
            let given = [&mut few, &mut all].map(|top| {
                let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![value, value + 1]))];
                let rows = Delta { columns, weights: vec![1, 3], stamps: vec![stamp; 2] };
                let mut out = Out::default();
                top.step(vec![vec![rows]], Epoch { stamp, ends: true, part_bytes: None }, &mut out).unwrap();
                out.rows.into_iter().map(|delta| (delta.columns, delta.weights)).collect::<Vec<_>>()
            });
            assert_eq!(given[0], given[1], "{stamp}");
            assert!(few.rows.len() <= 7);
        }
        assert!(few.bytes() * 20 < all.bytes());
    }
}
