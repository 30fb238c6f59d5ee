//! OVER: columns beside a row that are computed from the rows of its partition, in an order.
//!
//! Rule: the rows of a partition that an append touches are computed again; what they were goes, what they are comes, and what is the same
//! stays. State: the rows of each partition, in order. Rows that the order leaves equal are ordered by all of their columns.

use std::collections::BTreeMap;
use std::mem::take;

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::aggregate::{Call, Kept, Value, column};
use super::given::Given;
use super::ordered::{Ordered, Place};
use crate::codec::{Order, RowCodec, sort_keys};
use crate::delta::Delta;
use crate::expr::Failure;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::state::{Held, Table};

/// See the module. Its result has the columns of the input, then one for each function.
#[derive(Debug)]
pub struct Window {
    /// The columns of a row.
    codec: RowCodec,
    /// Those by which rows are parted.
    partition: Vec<usize>,
    keys: RowCodec,
    order: Vec<(usize, Order)>,
    functions: Vec<WindowFunction>,
    partitions: Table<Partition>,
    /// The partitions that an append touched, with what they showed before.
    touched: Vec<(Box<[u8]>, Shown)>,
    /// Tells appends from one another.
    append: u64,
}

/// A function of a row and its partition.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowFunction {
    /// What it is.
    pub kind: WindowKind,
    /// The type of its result.
    pub result: DataType,
}

/// What a window function is.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowKind {
    /// The number of the row, from 1.
    RowNumber,
    /// The number of the first row that the order leaves equal to it.
    Rank,
    /// How many different places in the order come up to it.
    DenseRank,
    /// The value of a column so many rows before, or behind if that is negative; without one a value as a row of its type.
    Lag(usize, i64, Box<[u8]>),
    /// The value of a column in the first row.
    First(usize),
    /// The value of a column in the last row of the frame.
    Last(usize, Frame),
    /// An aggregate function of the frame.
    Aggregate(Call, Frame),
}

/// Which rows of the partition count, from the first one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Up to the row.
    Rows,
    /// Up to the last one that the order leaves equal to it.
    Range,
    /// All.
    Whole,
}

#[derive(Debug, Default)]
struct Partition {
    rows: Ordered,
    /// The append that touched it last.
    append: u64,
}

impl Held for Partition {
    fn heap_bytes(&self) -> usize {
        self.rows.bytes()
    }
}

/// Rows of the result with how often each is there, and what could not be computed.
#[derive(Debug, Default)]
struct Shown {
    rows: BTreeMap<Box<[u8]>, i64>,
    failures: BTreeMap<String, i64>,
}

impl Window {
    /// Of an input with columns of these types; a type that cannot be compared otherwise.
    pub fn new(
        types: Vec<DataType>,
        partition: Vec<usize>,
        order: Vec<(usize, Order)>,
        functions: Vec<WindowFunction>,
    ) -> Result<Window, DataType> {
        for function in &functions {
            if let WindowKind::Aggregate(call, _) = &function.kind {
                call.check(&types)?;
            }
        }
        let keys = RowCodec::new(partition.iter().map(|&column| types[column].clone()))?;
        let (codec, partitions) = (RowCodec::new(types)?, Table::new());
        Ok(Window { codec, partition, keys, order, functions, partitions, touched: Vec::new(), append: 1 })
    }

    /// The result's rows.
    fn result(&self) -> Result<RowCodec, FlowError> {
        let results = self.functions.iter().map(|function| &function.result);
        RowCodec::new(self.codec.types().iter().chain(results).cloned())
            .map_err(|data_type| FlowError::Arrow(format!("no column of {data_type}")))
    }

    /// Remembers what a partition showed before an append touched it.
    fn touch(&mut self, key: &[u8]) -> Result<(), FlowError> {
        let partition = self.partitions.get(key);
        if partition.is_some_and(|partition| partition.append == self.append) {
            return Ok(());
        }
        let before = self.shown(partition)?;
        self.touched.push((key.into(), before));
        let append = self.append;
        self.partitions.edit(key, Partition::default, |partition| partition.append = append);
        Ok(())
    }

    /// What a partition shows.
    fn shown(&self, partition: Option<&Partition>) -> Result<Shown, FlowError> {
        let mut shown = Shown::default();
        let Some(partition) = partition else { return Ok(shown) };
        let places = partition.rows.iter();
        let places: Vec<&Place> =
            places.flat_map(|(place, count)| std::iter::repeat_n(place, count as usize)).collect();
        if places.is_empty() {
            return Ok(shown);
        }
        let columns = self.codec.decode(places.iter().map(|place| &*place.row))?;
        let peers = peers(&places);
        let results = self.functions.iter().map(|function| function.values(&columns, &peers));
        let results: Vec<Vec<Result<Value, String>>> = results.collect::<Result<_, FlowError>>()?;
        let failed = |row: usize| results.iter().find_map(|values| values[row].as_ref().err());
        let mut good = Vec::new();
        for row in 0..places.len() {
            match failed(row) {
                Some(reason) => *shown.failures.entry(reason.clone()).or_default() += 1,
                None => good.push(row),
            }
        }
        let mut all = self.codec.decode(good.iter().map(|&row| &*places[row].row))?;
        for (function, values) in self.functions.iter().zip(&results) {
            let null = Value::Null;
            let values: Vec<&Value> = good.iter().map(|&row| values[row].as_ref().unwrap_or(&null)).collect();
            all.push(column(values.into_iter(), &function.result)?);
        }
        for row in self.result()?.encode(&all, good.len()).iter() {
            *shown.rows.entry(row.into()).or_default() += 1;
        }
        Ok(shown)
    }

    /// Gives what an append changed.
    fn end_append(
        &mut self,
        stamp: u64,
        given: &mut Given,
        failures: &mut Vec<Failure>,
    ) -> Result<(), FlowError> {
        for (key, before) in take(&mut self.touched) {
            let partition = self.partitions.get(&key);
            let now = self.shown(partition)?;
            if partition.is_some_and(|partition| partition.rows.is_empty()) {
                self.partitions.remove(&key);
            }
            for (row, weight) in differences(before.rows, now.rows) {
                given.push(&row, weight, stamp);
            }
            for (reason, weight) in differences(before.failures, now.failures) {
                failures.push(Failure { weight, stamp, reason });
            }
        }
        self.append += 1;
        Ok(())
    }

    fn take_rows(
        &mut self,
        delta: &Delta,
        given: &mut Given,
        failures: &mut Vec<Failure>,
    ) -> Result<u64, FlowError> {
        let parted: Vec<ArrayRef> =
            self.partition.iter().map(|&column| delta.columns[column].clone()).collect();
        let partitions = self.keys.encode(&parted, delta.len());
        let sorted: Vec<(ArrayRef, Order)> =
            self.order.iter().map(|&(column, order)| (delta.columns[column].clone(), order)).collect();
        let keys = sort_keys(&sorted, delta.len());
        let rows = self.codec.encode(&delta.columns, delta.len());
        let mut append = delta.stamps[0];
        for row in 0..delta.len() {
            if delta.stamps[row] != append {
                self.end_append(append, given, failures)?;
                append = delta.stamps[row];
            }
            let key = partitions.row(row);
            self.touch(key)?;
            let (key_row, weight) = (keys.row(row), delta.weights[row]);
            self.partitions.edit(key, Partition::default, |partition| {
                partition.rows.change(key_row, rows.row(row), weight)
            });
        }
        Ok(append)
    }
}

impl WindowFunction {
    /// Its value for each row of a partition.
    fn values(
        &self,
        columns: &[ArrayRef],
        peers: &[(usize, usize)],
    ) -> Result<Vec<Result<Value, String>>, FlowError> {
        let count = peers.len();
        let number = |number: usize| Ok(Value::Integer(number as i64));
        let at = |column: usize, place: &dyn Fn(usize) -> Option<usize>, none: &[u8]| {
            let values = &columns[column];
            let codec = RowCodec::new([values.data_type().clone()]);
            let codec = codec.map_err(|data_type| FlowError::Arrow(format!("no column of {data_type}")))?;
            let bytes = codec.encode(std::slice::from_ref(values), count);
            let value = |row| Ok(Value::Bytes(place(row).map_or(none, |row| bytes.row(row)).into()));
            Ok((0..count).map(value).collect())
        };
        Ok(match &self.kind {
            WindowKind::RowNumber => (1..=count).map(number).collect(),
            WindowKind::Rank => peers.iter().map(|(first, _)| number(first + 1)).collect(),
            WindowKind::DenseRank => {
                let mut rank = 0;
                let rank_of = |(row, (first, _)): (usize, &(usize, usize))| {
                    rank += usize::from(row == *first);
                    number(rank)
                };
                peers.iter().enumerate().map(rank_of).collect()
            }
            WindowKind::Lag(column, offset, none) => {
                let place = |row: usize| {
                    let row = i64::try_from(row).ok()?.checked_sub(*offset)?;
                    usize::try_from(row).ok().filter(|row| *row < count)
                };
                return at(*column, &place, none);
            }
            WindowKind::First(column) => return at(*column, &|_| Some(0), &[]),
            WindowKind::Last(column, frame) => {
                let place = |row: usize| Some(frame.end(row, peers) - 1);
                return at(*column, &place, &[]);
            }
            WindowKind::Aggregate(call, frame) => {
                let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
                let argument = call.argument(columns, count);
                let mut kept: Kept = call.begin(&types);
                let mut taken = 0;
                let value = |row: usize| {
                    while taken < frame.end(row, peers) {
                        kept.take(&argument, taken, 1);
                        taken += 1;
                    }
                    call.value(&kept)
                };
                (0..count).map(value).collect()
            }
        })
    }
}

impl Frame {
    /// Where the frame of a row ends.
    fn end(self, row: usize, peers: &[(usize, usize)]) -> usize {
        match self {
            Frame::Rows => row + 1,
            Frame::Range => peers[row].1,
            Frame::Whole => peers.len(),
        }
    }
}

impl Operator for Window {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        let mut given = Given::default();
        let mut stamp = epoch.stamp;
        if let Some(delta) = Delta::merged(inputs.into_iter().flatten().collect())? {
            stamp = self.take_rows(&delta, &mut given, &mut out.failures)?;
        }
        if epoch.ends {
            self.end_append(stamp, &mut given, &mut out.failures)?;
        }
        out.push(given.delta(&self.result()?)?);
        Ok(())
    }

    fn name(&self) -> &'static str {
        "window"
    }

    fn keeps(&self) -> Option<(usize, &'static str)> {
        Some((self.partitions.len(), "partitions"))
    }

    fn bytes(&self) -> usize {
        self.partitions.bytes()
    }
}

/// For each row the first that the order leaves equal to it, and the one behind the last.
fn peers(places: &[&Place]) -> Vec<(usize, usize)> {
    let mut peers = Vec::with_capacity(places.len());
    for equal in places.chunk_by(|a, b| a.key == b.key) {
        let first = peers.len();
        peers.extend(std::iter::repeat_n((first, first + equal.len()), equal.len()));
    }
    peers
}

/// What came and went.
fn differences<T: Ord>(before: BTreeMap<T, i64>, now: BTreeMap<T, i64>) -> BTreeMap<T, i64> {
    let mut differences = now;
    for (value, count) in before {
        *differences.entry(value).or_default() -= count;
    }
    differences.retain(|_, weight| *weight != 0);
    differences
}
