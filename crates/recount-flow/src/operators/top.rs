//! ORDER BY … LIMIT: the first rows of an order.
//!
//! Rule: what is among the first rows after an append and was not before comes, and the other way round. State: all rows, in order.
//! Which of the rows that the order leaves equal are first depends on their columns, and on nothing else.

use std::collections::BTreeMap;
use std::mem::take;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::given::Given;
use super::ordered::Ordered;
use crate::codec::{Order, RowCodec, sort_keys};
use crate::delta::Delta;
use crate::operator::{Epoch, FlowError, Operator, Out};

/// See the module.
#[derive(Debug)]
pub struct Top {
    codec: RowCodec,
    order: Vec<(usize, Order)>,
    skip: u64,
    fetch: u64,
    rows: Ordered,
    /// The rows that are shown, with how often; as of the last append that ended.
    shown: Shown,
    /// Something changed since.
    touched: bool,
}

type Shown = BTreeMap<Box<[u8]>, i64>;

impl Top {
    /// The rows after the first `skip`, at most `fetch`, of an input with columns of these types, sorted by some of them; a type that
    /// cannot be compared otherwise.
    pub fn new(
        types: Vec<DataType>,
        order: Vec<(usize, Order)>,
        skip: u64,
        fetch: u64,
    ) -> Result<Top, DataType> {
        let (rows, shown) = (Ordered::default(), Shown::new());
        Ok(Top { codec: RowCodec::new(types)?, order, skip, fetch, rows, shown, touched: false })
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
                *shown.entry(place.row.clone()).or_default() += visible as i64;
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
}
