//! GROUP BY: a row for each group, of functions of its rows. Without columns to group by there is one row, always.
//!
//! Rule: a group's row before an append goes, its row after it comes, unless both are the same. State: of each group how many rows it
//! has and what each function keeps, saved by the group's key. A group of which a function has no value has no row, and fails instead.

use std::collections::VecDeque;
use std::mem::size_of;

use arrow_schema::DataType;

use crate::codec::{Damaged, RowCodec, Rows};
use crate::delta::Delta;
use crate::expr::Failure;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::saved::{Reader, Saved, put_number};

mod call;
mod exact;
mod groups;
mod ordered;
mod seen;
mod value;
mod wide;

pub(super) use call::Kept;
pub use call::{Call, Function};
use groups::Groups;
pub(super) use value::{Value, column};

/// About the bytes of a value of a function, and of a key, on their way.
const VALUE_BYTES: usize = size_of::<Value>() + 16;
/// So many groups are brought into the order of their keys before they are given: what keeps them has them one beside the other then.
const SORTED: usize = 1024;

/// See the module. Its result has the columns to group by, then one for each call.
#[derive(Debug)]
pub struct Aggregate {
    /// The columns to group by come first among those of the input.
    width: usize,
    codec: RowCodec,
    types: Vec<DataType>,
    calls: Vec<Call>,
    groups: Groups,
    /// The groups that an append touched, as long as more of it may come.
    touched: VecDeque<Touched>,
    /// Tells appends from one another.
    append: u64,
    /// Without columns to group by, its row was given.
    began: bool,
}

/// A group that an append touched, and what it was before.
#[derive(Debug)]
struct Touched {
    number: u32,
    before: Shown,
}

/// What a group shows: nothing, a row, or a failure.
type Shown = Option<Result<Box<[Value]>, String>>;

/// Rows of the result on their way, column by column.
struct Given {
    keys: Rows,
    values: Vec<Vec<Value>>,
    weights: Vec<i64>,
    stamps: Vec<u64>,
}

impl Aggregate {
    /// Of an input with columns of these types, of which the first `width` are grouped by; a type that a call cannot take, or that
    /// cannot be compared, otherwise.
    pub fn new(types: Vec<DataType>, width: usize, calls: Vec<Call>) -> Result<Aggregate, DataType> {
        let codec = RowCodec::new(types[..width].iter().cloned())?;
        calls.iter().try_for_each(|call| call.check(&types))?;
        let groups = Groups::new(calls.len());
        Ok(Aggregate {
            width,
            codec,
            types,
            calls,
            groups,
            touched: VecDeque::new(),
            append: 1,
            began: false,
        })
    }

    /// The number of a group that an append touches; what it was before is remembered.
    fn touch(&mut self, key: &[u8]) -> u32 {
        let Aggregate { calls, types, groups, .. } = self;
        let (number, was_there) = groups.number(key, calls.iter().map(|call| call.begin(types)));
        if groups.group(number).0.append != self.append {
            // The row of all rows is there before its first one comes, but for the first time.
            let is_shown = if self.width == 0 { self.began } else { was_there };
            let before = if is_shown { self.shown(number) } else { None };
            self.groups.group_mut(number).append = self.append;
            self.touched.push_back(Touched { number, before });
        }
        self.began = true;
        number
    }

    /// What a group shows; the one of all rows even if there are none.
    fn shown(&self, number: u32) -> Shown {
        let (group, kept) = self.groups.group(number);
        let values = || self.calls.iter().zip(kept).map(|(call, kept)| call.value(kept)).collect();
        (self.width == 0 || group.rows > 0).then(values)
    }

    /// Takes rows, and ends all of their appends but the last one, which it gives.
    fn take_rows(&mut self, rows: &Delta, given: &mut Given, failures: &mut Vec<Failure>) -> u64 {
        let keys = self.codec.encode(&rows.columns[..self.width], rows.len());
        let arguments = self.calls.iter().map(|call| call.argument(&rows.columns, rows.len()));
        let arguments: Vec<_> = arguments.collect();
        let mut numbers = Vec::with_capacity(rows.len());
        let mut first = 0;
        for of_append in rows.stamps.chunk_by(|a, b| a == b) {
            if first > 0 {
                self.end_append(rows.stamps[first - 1], usize::MAX, given, failures);
            }
            let range = first..first + of_append.len();
            numbers.clear();
            for row in range.clone() {
                let number = self.touch(keys.row(row));
                self.groups.group_mut(number).rows += rows.weights[row];
                numbers.push(number);
            }
            for (call, argument) in arguments.iter().enumerate() {
                let grows = self.calls[call].grows();
                for (row, &number) in range.clone().zip(&numbers) {
                    let kept = self.groups.kept_mut(number, call);
                    let before = if grows { kept.heap_bytes() } else { 0 };
                    self.calls[call].take(kept, argument, row, rows.weights[row]);
                    if grows {
                        let more = kept.heap_bytes() as isize - before as isize;
                        self.groups.add_heap_bytes(more);
                    }
                }
            }
            first = range.end;
        }
        rows.stamps[rows.len() - 1]
    }

    /// Gives what an append made of the groups that it touched, at most so many of them.
    fn end_append(&mut self, stamp: u64, count: usize, given: &mut Given, failures: &mut Vec<Failure>) {
        for _ in 0..count.min(self.touched.len()) {
            let Some(Touched { number, before }) = self.touched.pop_front() else { break };
            let after = self.shown(number);
            let (group, _) = self.groups.group(number);
            if before != after {
                given.add(group.key(), before, -1, stamp, failures);
                given.add(group.key(), after, 1, stamp, failures);
            }
            if group.rows == 0 {
                self.groups.remove(number);
            }
        }
        if self.touched.is_empty() {
            self.append += 1;
        }
    }

    /// In the order of their keys, as far as the first bytes tell it.
    fn sort_touched(&mut self) {
        let start = |key: &[u8]| {
            let mut start = [0; 8];
            let length = key.len().min(8);
            start[..length].copy_from_slice(&key[..length]);
            u64::from_be_bytes(start)
        };
        // The first byte of a value says whether it is null, and seldom tells anything apart.
        let of =
            |touched: &Touched| start(self.groups.group(touched.number).0.key().get(1..).unwrap_or_default());
        let mut touched = std::mem::take(&mut self.touched);
        touched.make_contiguous().sort_by_cached_key(of);
        self.touched = touched;
    }
}

impl Given {
    fn new(calls: usize) -> Given {
        let values = (0..calls).map(|_| Vec::new()).collect();
        Given { keys: Rows::default(), values, weights: Vec::new(), stamps: Vec::new() }
    }

    fn add(&mut self, key: &[u8], shown: Shown, weight: i64, stamp: u64, failures: &mut Vec<Failure>) {
        match shown {
            Some(Ok(values)) => {
                self.keys.push(key);
                self.values.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
                self.weights.push(weight);
                self.stamps.push(stamp);
            }
            Some(Err(reason)) => failures.push(Failure { weight, stamp, reason }),
            None => {}
        }
    }

    fn delta(self, codec: &RowCodec, calls: &[Call]) -> Result<Delta, FlowError> {
        let mut columns = codec.decode(self.keys.iter())?;
        for (call, values) in calls.iter().zip(&self.values) {
            columns.push(column(values.iter(), &call.result)?);
        }
        Ok(Delta { columns, weights: self.weights, stamps: self.stamps })
    }
}

impl Operator for Aggregate {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        if self.width == 0 && !self.began {
            // Its row is there before its first event.
            self.touch(&[]);
        }
        let mut given = Given::new(self.calls.len());
        let mut stamp = epoch.stamp;
        if let Some(rows) = Delta::merged(inputs.into_iter().flatten().collect())? {
            stamp = self.take_rows(&rows, &mut given, &mut out.failures);
        }
        if !epoch.ends {
            out.push(given.delta(&self.codec, &self.calls)?);
            return Ok(());
        }
        if self.touched.len() > SORTED {
            self.sort_touched();
        }
        self.end(stamp, epoch, given, out)
    }

    fn go_on(&mut self, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        self.end(epoch.stamp, epoch, Given::new(self.calls.len()), out)
    }

    fn name(&self) -> &'static str {
        "aggregate"
    }

    fn keeps(&self) -> Option<(usize, &'static str)> {
        Some((self.groups.len(), "groups"))
    }

    fn bytes(&self) -> usize {
        self.groups.bytes() + self.touched.capacity() * size_of::<Touched>()
    }

    fn save(&self, saved: &mut Saved) {
        let mut value = Vec::new();
        for number in self.groups.numbers() {
            let (group, kept) = self.groups.group(number);
            value.clear();
            put_number(&mut value, group.rows);
            kept.iter().for_each(|kept| kept.save(&mut value));
            saved.push(group.key(), &value);
        }
        if self.began && self.groups.len() == 0 && self.width == 0 {
            // The row of no rows.
            value.clear();
            put_number(&mut value, 0);
            saved.push(&[], &value);
        }
    }

    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), Damaged> {
        self.began = true;
        let mut value = Reader(value);
        let rows = value.number()?;
        if rows == 0 && self.width > 0 {
            return Err(Damaged);
        }
        if rows != 0 {
            let begun = self.calls.iter().map(|call| call.begin(&self.types));
            let kept = begun.map(|begun| begun.loaded(&mut value)).collect::<Result<Vec<Kept>, Damaged>>()?;
            let (number, was_there) = self.groups.number(key, kept.into_iter());
            if was_there {
                return Err(Damaged);
            }
            self.groups.group_mut(number).rows = rows;
        }
        value.end()
    }
}

impl Aggregate {
    /// Gives what the last append of an epoch made of groups, or a part of that.
    fn end(&mut self, stamp: u64, epoch: Epoch, mut given: Given, out: &mut Out) -> Result<(), FlowError> {
        let group_bytes = 2 * VALUE_BYTES * (1 + self.calls.len());
        let count = epoch.part_bytes.map_or(usize::MAX, |bytes| (bytes / group_bytes).max(1));
        self.end_append(stamp, count, &mut given, &mut out.failures);
        out.more = !self.touched.is_empty();
        if !out.more {
            // The first epoch touches all groups there are, later ones few.
            self.touched = VecDeque::new();
        }
        out.push(given.delta(&self.codec, &self.calls)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
