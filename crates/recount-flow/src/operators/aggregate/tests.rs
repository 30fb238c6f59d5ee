//! Groups that come, change and go, given at once and in parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Decimal128Array, Int64Array};
use proptest::prelude::*;

use super::*;
use crate::codec::Order;

const NUMBER: DataType = DataType::Decimal128(9, 0);
const TOTAL: DataType = DataType::Decimal128(19, 0);

/// How often rows of the result are there.
type Rows = BTreeMap<(i64, i64, i128), i64>;

fn aggregate() -> Aggregate {
    let call = |function, argument, result| Call {
        function,
        argument,
        filter: None,
        distinct: false,
        order: Vec::new(),
        result,
        only_comes: false,
    };
    let count = call(Function::CountRows, None, DataType::Int64);
    let sum = call(Function::Sum, Some(1), TOTAL);
    Aggregate::new(vec![DataType::Int64, NUMBER], 1, vec![count, sum]).unwrap()
}

/// Rows by key and number, each with a weight.
fn delta(rows: &[(i64, i128, i64)], stamp: u64) -> Delta {
    let keys: Int64Array = rows.iter().map(|row| Some(row.0)).collect();
    let numbers: Decimal128Array = rows.iter().map(|row| Some(row.1)).collect();
    let columns: Vec<arrow_array::ArrayRef> = vec![Arc::new(keys), Arc::new(numbers.with_data_type(NUMBER))];
    Delta { columns, weights: rows.iter().map(|row| row.2).collect(), stamps: vec![stamp; rows.len()] }
}

/// Adds what an epoch gives, and how many parts it comes in.
fn run(aggregate: &mut Aggregate, rows: Delta, epoch: Epoch, result: &mut Rows) -> usize {
    let mut out = Out::default();
    aggregate.step(vec![vec![rows]], epoch, &mut out).unwrap();
    let mut parts = 1;
    loop {
        for delta in out.rows.drain(..) {
            let keys = delta.columns[0].as_primitive::<Int64Type>();
            let counts = delta.columns[1].as_primitive::<Int64Type>();
            let sums = delta.columns[2].as_primitive::<Decimal128Type>();
            for (row, weight) in delta.weights.iter().enumerate() {
                assert_eq!(delta.stamps[row], epoch.stamp);
                *result.entry((keys.value(row), counts.value(row), sums.value(row))).or_default() += weight;
            }
        }
        if !std::mem::take(&mut out.more) {
            result.retain(|_, weight| *weight != 0);
            return parts;
        }
        aggregate.go_on(epoch, &mut out).unwrap();
        parts += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Groups come, change and go in many epochs, which are given in parts: what was given is the groups that are there.
    #[test]
    fn what_is_given_in_parts_is_all(
        epochs in prop::collection::vec(
            prop::collection::vec((0i64..4000, -50i128..50, any::<bool>()), 0..3000), 1..6),
        part_bytes in prop::sample::select(vec![None, Some(0), Some(20_000), Some(1 << 30)]),
    ) {
        let (mut aggregate, mut result) = (aggregate(), Rows::new());
        let mut there = BTreeMap::<i64, Vec<i128>>::new();
        for (number, changes) in epochs.into_iter().enumerate() {
            let mut rows = Vec::new();
            for (key, value, goes) in changes {
                match there.get_mut(&key).filter(|_| goes).and_then(Vec::pop) {
                    Some(gone) => rows.push((key, gone, -1)),
                    None => {
                        there.entry(key).or_default().push(value);
                        rows.push((key, value, 1));
                    }
                }
            }
            there.retain(|_, values| !values.is_empty());
            let touched: std::collections::BTreeSet<i64> = rows.iter().map(|row| row.0).collect();
            let stamp = number as u64 + 1;
            let epoch = Epoch { stamp, ends: true, part_bytes };
            let parts = run(&mut aggregate, delta(&rows, stamp), epoch, &mut result);
            match part_bytes {
                Some(0) => prop_assert_eq!(parts, touched.len().max(1)),
                Some(20_000) => prop_assert!(parts >= touched.len() / 100),
                _ => prop_assert_eq!(parts, 1),
            }
            let expected: Rows = there.iter()
                .map(|(key, values)| ((*key, values.len() as i64, values.iter().sum()), 1)).collect();
            prop_assert_eq!(&result, &expected);
            prop_assert_eq!(aggregate.keeps(), Some((there.len(), "groups")));
        }
        let gone: Vec<(i64, i128, i64)> =
            there.into_iter().flat_map(|(key, values)| values.into_iter().map(move |value| (key, value, -1))).collect();
        run(&mut aggregate, delta(&gone, 99), Epoch { stamp: 99, ends: true, part_bytes }, &mut result);
        prop_assert!(result.is_empty());
        prop_assert_eq!(aggregate.bytes(), 0);
    }
}

/// Parts are of as many groups as may have their bytes; what is still to come of an epoch is memory, too.
#[test]
fn how_many_groups_a_part_has() {
    let rows: Vec<(i64, i128, i64)> = (0..1000).map(|key| (key, 1, 1)).collect();
    let mut aggregate = aggregate();
    let epoch = Epoch { stamp: 1, ends: true, part_bytes: Some(100 * 2 * 3 * (size_of::<Value>() + 16)) };
    let mut out = Out::default();
    aggregate.step(vec![vec![delta(&rows, 1)]], epoch, &mut out).unwrap();
    let is_between = aggregate.bytes();
    let mut parts = vec![out.rows.iter().map(Delta::len).sum::<usize>()];
    while std::mem::take(&mut out.more) {
        out.rows.clear();
        aggregate.go_on(epoch, &mut out).unwrap();
        parts.push(out.rows.iter().map(Delta::len).sum());
    }
    assert_eq!(parts, [100; 10]);
    let touched = is_between - aggregate.bytes();
    assert!(touched >= 900 * size_of::<Touched>() && touched < 4000 * size_of::<Touched>(), "{touched}");
}

/// A group without rows is not kept, but for the one of all rows.
#[test]
fn a_group_of_no_rows_is_damaged() {
    let mut grouped = aggregate();
    let mut none = Vec::new();
    put_number(&mut none, 0);
    assert_eq!(grouped.load(&[1, 2], &none), Err(Damaged));
    let mut all = Aggregate::new(vec![DataType::Int64], 0, vec![]).unwrap();
    assert_eq!(all.load(&[], &none), Ok(()));
}

/// Many groups come in the order of their keys, so that whoever keeps their rows finds them beside each other.
#[test]
fn many_groups_come_in_the_order_of_their_keys() {
    let rows: Vec<(i64, i128, i64)> = (0..5000).map(|row| (row * 7919 % 5000 - 2500, 1, 1)).collect();
    let mut out = Out::default();
    let epoch = Epoch { stamp: 1, ends: true, part_bytes: None };
    aggregate().step(vec![vec![delta(&rows, 1)]], epoch, &mut out).unwrap();
    let keys = out.rows[0].columns[0].as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(keys, (-2500..2500).collect::<Vec<i64>>());
}

/// Of rows that only come, the least, the greatest, the first and the last are what they are of all, and nothing else is kept.
#[test]
fn what_cannot_matter_any_more_is_forgotten() {
    let order = vec![(0, Order { descending: true, nulls_last: false })];
    let functions = [Function::Min, Function::Max, Function::First, Function::Last];
    let of = |only_comes: bool| {
        let call = |function: &Function| Call {
            function: function.clone(),
            argument: Some(1),
            filter: None,
            distinct: false,
            order: order.clone(),
            result: NUMBER,
            only_comes,
        };
        Aggregate::new(vec![DataType::Int64, NUMBER], 0, functions.iter().map(call).collect()).unwrap()
    };
    let (mut little, mut all) = (of(true), of(false));
    let mut first_bytes = None;
    for stamp in 1..200u64 {
        let number = stamp as i64 * 7919 % 1000;
        let rows: Vec<(i64, i128, i64)> =
            (0..5).map(|row| (number + row, i128::from(number * row % 501), 1)).collect();
        let epoch = Epoch { stamp, ends: true, part_bytes: None };
        let [one, other] = [&mut little, &mut all].map(|aggregate| {
            let mut out = Out::default();
            aggregate.step(vec![vec![delta(&rows, stamp)]], epoch, &mut out).unwrap();
            let rows = out.rows.iter().map(|delta| (delta.columns.clone(), delta.weights.clone()));
            rows.collect::<Vec<_>>()
        });
        assert_eq!(one, other, "{stamp}");
        assert_eq!(*first_bytes.get_or_insert(little.bytes()), little.bytes());
    }
    assert!(all.bytes() > 20 * little.bytes(), "{} and {}", all.bytes(), little.bytes());
}
