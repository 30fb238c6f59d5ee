//! GROUP BY: a row for each group, of functions of its rows. Without columns to group by there is one row, always.
//!
//! Rule: a group's row before an append goes, its row after it comes, unless both are the same. State: of each group how many rows it
//! has and what each function keeps. A group of which a function has no value has no row, and fails instead.

use std::mem::{size_of, take};

use arrow_schema::DataType;

use crate::codec::RowCodec;
use crate::delta::Delta;
use crate::expr::Failure;
use crate::operator::{Epoch, FlowError, Operator, Out};
use crate::state::{Held, Table};

mod call;
mod exact;
mod ordered;
mod value;
mod wide;

pub(super) use call::Kept;
pub use call::{Call, Function};
pub(super) use value::{Value, column};

/// See the module. Its result has the columns to group by, then one for each call.
#[derive(Debug)]
pub struct Aggregate {
    /// The columns to group by come first among those of the input.
    width: usize,
    codec: RowCodec,
    types: Vec<DataType>,
    calls: Vec<Call>,
    groups: Table<Group>,
    /// The groups that an append touched, as long as more of it may come, with what each was before.
    touched: Vec<(Box<[u8]>, Shown)>,
    /// Tells appends from one another.
    append: u64,
    /// Without columns to group by, its row was given.
    began: bool,
}

#[derive(Debug, Default)]
struct Group {
    /// How many rows.
    rows: i64,
    kept: Box<[Kept]>,
    /// The append that touched it last.
    append: u64,
}

/// What a group shows: nothing, a row, or a failure.
type Shown = Option<Result<Box<[Value]>, String>>;

impl Group {
    /// What it shows; the one of all rows even if there are none.
    fn shown(&self, calls: &[Call], is_one: bool) -> Shown {
        let values = || calls.iter().zip(&self.kept).map(|(call, kept)| call.value(kept)).collect();
        (is_one || self.rows > 0).then(values)
    }
}

impl Held for Group {
    fn heap_bytes(&self) -> usize {
        self.kept.iter().map(|kept| size_of::<Kept>() + kept.heap_bytes()).sum()
    }
}

/// Rows of the result on their way.
#[derive(Default)]
struct Given {
    keys: Vec<Box<[u8]>>,
    values: Vec<Box<[Value]>>,
    weights: Vec<i64>,
    stamps: Vec<u64>,
}

impl Aggregate {
    /// Of an input with columns of these types, of which the first `width` are grouped by; a type that a call cannot take, or that
    /// cannot be compared, otherwise.
    pub fn new(types: Vec<DataType>, width: usize, calls: Vec<Call>) -> Result<Aggregate, DataType> {
        let codec = RowCodec::new(types[..width].iter().cloned())?;
        calls.iter().try_for_each(|call| call.check(&types))?;
        let groups = Table::new();
        Ok(Aggregate { width, codec, types, calls, groups, touched: Vec::new(), append: 1, began: false })
    }

    /// Takes the row of a group; remembers what the group was before an append touched it.
    fn take_row(&mut self, key: &[u8], take: impl FnOnce(&mut Group)) {
        let Aggregate { groups, touched, append, .. } = self;
        let is_shown = self.began || self.width > 0;
        let (calls, types, is_one) = (&self.calls, &self.types, self.width == 0);
        self.began = true;
        groups.edit(
            key,
            || Group { rows: 0, kept: calls.iter().map(|call| call.begin(types)).collect(), append: 0 },
            |group| {
                if group.append != *append {
                    group.append = *append;
                    let before = if is_shown { group.shown(calls, is_one) } else { None };
                    touched.push((key.into(), before));
                }
                take(group);
            },
        );
    }

    /// Takes rows, and ends all of their appends but the last one, which it gives.
    fn take_rows(&mut self, rows: &Delta, given: &mut Given, failures: &mut Vec<Failure>) -> u64 {
        let keys = self.codec.encode(&rows.columns[..self.width], rows.len());
        let arguments = self.calls.iter().map(|call| call.argument(&rows.columns, rows.len()));
        let arguments: Vec<_> = arguments.collect();
        let mut append = rows.stamps[0];
        for (row, &stamp) in rows.stamps.iter().enumerate() {
            if stamp != append {
                self.end_append(append, given, failures);
                append = stamp;
            }
            let weight = rows.weights[row];
            self.take_row(keys.row(row), |group| {
                group.rows += weight;
                for (kept, argument) in group.kept.iter_mut().zip(&arguments) {
                    kept.take(argument, row, weight);
                }
            });
        }
        append
    }

    /// Gives what an append made of the groups that it touched.
    fn end_append(&mut self, stamp: u64, given: &mut Given, failures: &mut Vec<Failure>) {
        for (key, before) in take(&mut self.touched) {
            let group = self.groups.get(&key);
            let after = group.and_then(|group| group.shown(&self.calls, self.width == 0));
            if group.is_some_and(|group| group.rows == 0) {
                self.groups.remove(&key);
            }
            if before != after {
                given.add(&key, before, -1, stamp, failures);
                given.add(&key, after, 1, stamp, failures);
            }
        }
        self.append += 1;
    }
}

impl Given {
    fn add(&mut self, key: &[u8], shown: Shown, weight: i64, stamp: u64, failures: &mut Vec<Failure>) {
        match shown {
            Some(Ok(values)) => {
                self.keys.push(key.into());
                self.values.push(values);
                self.weights.push(weight);
                self.stamps.push(stamp);
            }
            Some(Err(reason)) => failures.push(Failure { weight, stamp, reason }),
            None => {}
        }
    }

    fn delta(self, codec: &RowCodec, calls: &[Call]) -> Result<Delta, FlowError> {
        let mut columns = codec.decode(self.keys.iter().map(|key| &**key))?;
        for (number, call) in calls.iter().enumerate() {
            columns.push(column(self.values.iter().map(|values| &values[number]), &call.result)?);
        }
        Ok(Delta { columns, weights: self.weights, stamps: self.stamps })
    }
}

impl Operator for Aggregate {
    fn step(&mut self, inputs: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError> {
        if self.width == 0 && !self.began {
            // Its row is there before its first event.
            self.take_row(&[], |_| {});
        }
        let mut given = Given::default();
        let mut stamp = epoch.stamp;
        if let Some(rows) = Delta::merged(inputs.into_iter().flatten().collect())? {
            stamp = self.take_rows(&rows, &mut given, &mut out.failures);
        }
        if epoch.ends {
            self.end_append(stamp, &mut given, &mut out.failures);
        }
        out.push(given.delta(&self.codec, &self.calls)?);
        Ok(())
    }

    fn name(&self) -> &'static str {
        "aggregate"
    }

    fn keeps(&self) -> Option<(usize, &'static str)> {
        Some((self.groups.len(), "groups"))
    }

    fn bytes(&self) -> usize {
        self.groups.bytes() + self.touched.capacity() * size_of::<(Box<[u8]>, Shown)>()
    }
}
