//! ORDER BY … LIMIT: the first rows of an order.
//!
//! Rule: what is among the first rows after an append and was not before comes, and the other way round. State: all rows, in order.
//! Rows that the order leaves equal are ordered by all of their columns, so that which of them are first depends on nothing else.

use std::collections::BTreeMap;
use std::mem::{size_of, take};

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use crate::codec::{Order, RowCodec, Rows, sort_keys};
use crate::delta::Delta;
use crate::operator::{Epoch, FlowError, Operator, Out};

/// See the module.
#[derive(Debug)]
pub struct Top {
    codec: RowCodec,
    order: Vec<(usize, Order)>,
    skip: u64,
    fetch: u64,
    /// How often each row is there, by its place in the order.
    rows: BTreeMap<Place, i64>,
    bytes: usize,
    /// The rows that are shown, with how often; as of the last append that ended.
    shown: Shown,
    /// Something changed since.
    touched: bool,
}

/// A row, behind what it is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    key: Box<[u8]>,
    row: Box<[u8]>,
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
        let (rows, shown) = (BTreeMap::new(), Shown::new());
        Ok(Top { codec: RowCodec::new(types)?, order, skip, fetch, rows, bytes: 0, shown, touched: false })
    }

    fn change(&mut self, key: &[u8], row: &[u8], weight: i64) {
        let place = Place { key: key.into(), row: row.into() };
        let bytes = size_of::<(Place, i64)>() + key.len() + row.len();
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
        self.touched = true;
    }

    /// The rows that are to be shown now.
    fn first(&self) -> Shown {
        let (mut before, mut shown) = (0u64, Shown::new());
        let end = self.skip.saturating_add(self.fetch);
        for (place, &count) in &self.rows {
            if before >= end {
                break;
            }
            let until = before + count.max(0) as u64;
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
            given.add(row, now.get(row).copied().unwrap_or(0) - count, stamp);
        }
        for (row, count) in now.iter().filter(|(row, _)| !self.shown.contains_key(*row)) {
            given.add(row, *count, stamp);
        }
        self.shown = now;
    }
}

/// Rows of the result on their way.
#[derive(Default)]
struct Given {
    rows: Rows,
    weights: Vec<i64>,
    stamps: Vec<u64>,
}

impl Given {
    fn add(&mut self, row: &[u8], weight: i64, stamp: u64) {
        if weight != 0 {
            self.rows.push(row);
            self.weights.push(weight);
            self.stamps.push(stamp);
        }
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
                self.change(keys.row(row), rows.row(row), delta.weights[row]);
            }
        }
        if epoch.ends {
            self.end_append(stamp, &mut given);
        }
        let columns = self.codec.decode(given.rows.iter())?;
        out.push(Delta { columns, weights: given.weights, stamps: given.stamps });
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}
