//! Partitions of many rows, of which some change: nothing is computed from their first row on, and all is as if it were.

use std::sync::Arc;

use arrow_array::{Decimal128Array, Int64Array};
use proptest::prelude::*;

use super::super::aggregate::{Call, Function};
use super::*;

const TYPES: [DataType; 3] = [DataType::Int64, DataType::Int64, DataType::Decimal128(9, 0)];

fn window(kinds: &[WindowKind]) -> Window {
    let function = |kind: &WindowKind| {
        let result = match kind {
            WindowKind::Aggregate(call, _) => call.result.clone(),
            WindowKind::Lag(..) | WindowKind::First(_) | WindowKind::Last(..) => TYPES[2].clone(),
            _ => DataType::UInt64,
        };
        WindowFunction { kind: kind.clone(), result }
    };
    let order = Order { descending: true, nulls_last: false };
    Window::new(TYPES.to_vec(), vec![0], vec![(1, order)], kinds.iter().map(function).collect()).unwrap()
}

fn call(function: Function, result: DataType) -> Call {
    Call {
        function,
        argument: Some(2),
        filter: None,
        distinct: false,
        order: Vec::new(),
        result,
        only_comes: false,
    }
}

/// Functions that look back, ahead, and at everything before; then those that look at everything, and that keep everything; at last numbers alone.
fn kinds() -> [Vec<WindowKind>; 6] {
    let total = || call(Function::Sum, DataType::Decimal128(19, 0));
    let sums = |frame| WindowKind::Aggregate(total(), frame);
    let least = WindowKind::Aggregate(call(Function::Min, TYPES[2].clone()), Frame::Rows);
    let most = WindowKind::Aggregate(call(Function::Max, TYPES[2].clone()), Frame::Range);
    let counted = Call { distinct: true, ..call(Function::Count, DataType::Int64) };
    let (last_of_peers, last) = (WindowKind::Last(2, Frame::Range), WindowKind::Last(2, Frame::Whole));
    let numbers = [WindowKind::RowNumber, WindowKind::Rank, WindowKind::DenseRank, WindowKind::First(2)];
    let near = [WindowKind::Lag(2, 2, [0].into()), WindowKind::Lag(2, -3, [0].into()), last_of_peers];
    [
        [&numbers[..], &[sums(Frame::Rows), least.clone()]].concat(),
        [&near[..], &[sums(Frame::Range), most, WindowKind::DenseRank]].concat(),
        [&numbers[..], &[sums(Frame::Whole), last, least]].concat(),
        vec![near[0].clone(), WindowKind::RowNumber],
        vec![WindowKind::Rank, WindowKind::Aggregate(counted, Frame::Rows), sums(Frame::Rows)],
        numbers[..3].to_vec(),
    ]
}

fn delta(rows: &[(i64, i64, i64, i64)], stamp: u64) -> Delta {
    let column = |of: fn(&(i64, i64, i64, i64)) -> i64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<Int64Array>())
    };
    let values: Decimal128Array = rows.iter().map(|row| Some(i128::from(row.2))).collect();
    let columns =
        vec![column(|row| row.0), column(|row| row.1), Arc::new(values.with_data_type(TYPES[2].clone()))];
    Delta { columns, weights: rows.iter().map(|row| row.3).collect(), stamps: vec![stamp; rows.len()] }
}

/// Adds what a step gives, whose rows are of this shape.
fn step(window: &mut Window, rows: Delta, stamp: u64, shown: &mut BTreeMap<Vec<u8>, i64>) -> usize {
    let mut out = Out::default();
    window.step(vec![vec![rows]], Epoch { stamp, ends: true, part_bytes: None }, &mut out).unwrap();
    let codec = window.result().unwrap();
    let mut changes = 0;
    for delta in &out.rows {
        for (row, weight) in codec.encode(&delta.columns, delta.len()).iter().zip(&delta.weights) {
            *shown.entry(row.to_vec()).or_default() += weight;
            changes += 1;
        }
    }
    shown.retain(|_, weight| *weight != 0);
    changes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn what_changes_is_as_if_all_were_computed(
        first in prop::collection::vec((0i64..2, 0i64..900, -9i64..9), 0..1500),
        steps in prop::collection::vec(prop::collection::vec((any::<prop::sample::Index>(), 0i64..2, 0i64..900, -9i64..9), 1..12), 1..8),
        kinds in prop::sample::select(kinds().to_vec()),
    ) {
        let mut there: Vec<(i64, i64, i64, i64)> = first.iter().map(|row| (row.0, row.1, row.2, 1)).collect();
        let (mut live, mut shown) = (window(&kinds), BTreeMap::new());
        step(&mut live, delta(&there, 1), 1, &mut shown);
        for (number, changes) in steps.into_iter().enumerate() {
            let mut rows = Vec::new();
            for (at, partition, order, value) in changes {
                if at.index(3) == 0 && !there.is_empty() {
                    let (partition, order, value, _) = there.swap_remove(at.index(there.len()));
                    rows.push((partition, order, value, -1));
                } else {
                    there.push((partition, order, value, 1));
                    rows.push((partition, order, value, 1));
                }
            }
            let stamp = number as u64 + 2;
            step(&mut live, delta(&rows, stamp), stamp, &mut shown);
            let (mut anew, mut expected) = (window(&kinds), BTreeMap::new());
            step(&mut anew, delta(&there, 1), 1, &mut expected);
            prop_assert_eq!(&shown, &expected);
        }
        let gone: Vec<(i64, i64, i64, i64)> = there.iter().map(|row| (row.0, row.1, row.2, -1)).collect();
        step(&mut live, delta(&gone, 99), 99, &mut shown);
        prop_assert!(shown.is_empty());
        prop_assert_eq!(live.partitions.len(), 0);
    }
}

/// Around a row that is noted, functions look at rows before it, and rows before it at what changes.
#[test]
fn rows_around_one_that_is_noted() {
    let around = NOTED_ROWS as i64 - 6..NOTED_ROWS as i64 + 6;
    for kinds in kinds() {
        let (mut live, mut shown, mut stamp) = (window(&kinds), BTreeMap::new(), 1);
        // Two rows at each place, in the descending order of places.
        let mut there: Vec<(i64, i64, i64, i64)> =
            (0..2 * NOTED_ROWS as i64).map(|row| (0, -row / 2, row * row % 17, 1)).collect();
        step(&mut live, delta(&there, 1), 1, &mut shown);
        let mut change = |row: (i64, i64, i64, i64), there: &[(i64, i64, i64, i64)]| {
            stamp += 1;
            step(&mut live, delta(&[row], stamp), stamp, &mut shown);
            let (mut anew, mut expected) = (window(&kinds), BTreeMap::new());
            step(&mut anew, delta(there, 1), 1, &mut expected);
            assert_eq!(shown, expected, "{row:?} {kinds:?}");
        };
        for number in around.clone() {
            let row = there.remove(number as usize);
            change((row.0, row.1, row.2, -1), &there);
            let other = (row.0, row.1, row.2 + 5, 1);
            there.insert(number as usize, other);
            change(other, &there);
        }
    }
}

/// Rows that come last in the order cost what a few rows cost, however many are before them.
#[test]
fn what_is_before_is_noted() {
    let [numbers, near, whole, back, distinct, alone] = kinds();
    for (kinds, is_noted) in
        [(numbers, true), (near, true), (whole, false), (back, true), (distinct, false), (alone, true)]
    {
        let mut live = window(&kinds);
        let rows: Vec<(i64, i64, i64, i64)> = (0..2000).map(|row| (1, -row, row % 7, 1)).collect();
        let mut shown = BTreeMap::new();
        step(&mut live, delta(&rows, 1), 1, &mut shown);
        let key = live.keys.encode(&delta(&rows[..1], 1).columns[..1], 1);
        let noted = live.partitions.get(key.row(0)).unwrap().noted.len();
        assert_eq!(noted, if is_noted { 2000usize.div_ceil(NOTED_ROWS) - 1 } else { 0 });
        let before = live.bytes();
        // In the middle, so that what is behind is noted anew; and at the end.
        assert!(step(&mut live, delta(&[(1, -1000, 3, 1)], 2), 2, &mut shown) > 0);
        step(&mut live, delta(&[(1, -1000, 3, -1)], 3), 3, &mut shown);
        let partition = live.partitions.get(key.row(0)).unwrap();
        assert_eq!((partition.noted.len(), live.bytes()), (noted, before));
        let (from, _) = partition.nearest(&[255; 9]);
        assert_eq!(partition.rows.from(from).count() < 2 * NOTED_ROWS, is_noted);
    }
}

/// Where rows only come, those behind the first ones take no memory; and what is given in parts is all that is to be given.
#[test]
fn rows_behind_the_first_ones_are_not_kept() {
    let first = |only_comes| window(&[WindowKind::RowNumber]).with_first(3, only_comes);
    let (mut few, mut all) = (first(true), first(false));
    let rows = |stamp: i64| (0..500).map(move |row| (row % 2, (row * 7919 + stamp * 31) % 1009, row, 1));
    let (mut shown, mut shown_of_all) = (BTreeMap::new(), BTreeMap::new());
    for stamp in 1..20 {
        let rows: Vec<_> = rows(stamp).collect();
        step(&mut few, delta(&rows, stamp as u64), stamp as u64, &mut shown);
        step(&mut all, delta(&rows, stamp as u64), stamp as u64, &mut shown_of_all);
        assert_eq!((&shown, shown.len()), (&shown_of_all, 6));
        assert!(few.partitions.values().all(|partition| partition.rows.len() == 3));
    }
    assert!(few.bytes() * 20 < all.bytes());
}

/// What is noted of the rows before others, and what comes, takes memory beside the rows.
#[test]
fn the_memory_of_what_is_noted() {
    let total = call(Function::Sum, DataType::Decimal128(19, 0));
    let mut window = window(&[WindowKind::Aggregate(total, Frame::Rows)]);
    let rows: Vec<_> = (0..2000).map(|row| (1, row, row, 1)).collect();
    step(&mut window, delta(&rows, 1), 1, &mut BTreeMap::new());
    let parts = |window: &Window| {
        let partition = window.partitions.values().next().unwrap();
        let kept = |before: &Before| {
            before.kept.iter().map(|kept| size_of::<Kept>() + kept.heap_bytes()).sum::<usize>()
        };
        let noted =
            partition.noted.iter().map(|(key, before)| key.len() + size_of::<Before>() + kept(before));
        let coming = partition.coming.iter().map(|(place, _)| place.bytes());
        (partition.heap_bytes(), partition.rows.bytes(), noted.sum::<usize>(), coming.sum::<usize>())
    };
    let (all, rows, noted, coming) = parts(&window);
    assert_eq!((all, coming), (rows + noted, 0));
    assert!(noted > 3 * size_of::<Before>(), "{noted}");
    let epoch = Epoch { stamp: 2, ends: false, part_bytes: None };
    window.step(vec![vec![delta(&[(1, 7000, 1, 1), (1, -1, 1, 1)], 2)]], epoch, &mut Out::default()).unwrap();
    let (all, rows, noted, coming) = parts(&window);
    assert_eq!(all, rows + noted + coming);
    assert!(coming > 0);
}

/// Only of numbers the first rows are enough, and of no rows there is nothing to keep them for.
#[test]
fn which_windows_keep_first_rows_only() {
    let name = |kind: WindowKind, first| window(&[kind]).with_first(first, false).name();
    let total = WindowKind::Aggregate(call(Function::Sum, DataType::Decimal128(19, 0)), Frame::Rows);
    assert_eq!(name(WindowKind::Rank, 3), "first rows");
    assert_eq!((name(WindowKind::Rank, 0), name(total, 3)), ("window", "window"));
}

/// A step of many partitions gives them in parts.
#[test]
fn partitions_are_given_in_parts() {
    let mut window = window(&[WindowKind::RowNumber]);
    let rows: Vec<_> = (0..100).map(|row| (row / 2, row, row, 1)).collect();
    let (mut out, mut parts, mut given) = (Out::default(), 0, 0);
    let epoch = Epoch { stamp: 1, ends: true, part_bytes: Some(1000) };
    window.step(vec![vec![delta(&rows, 1)]], epoch, &mut out).unwrap();
    loop {
        parts += 1;
        given += take(&mut out.rows).iter().map(Delta::len).sum::<usize>();
        if !take(&mut out.more) {
            break;
        }
        window.go_on(epoch, &mut out).unwrap();
    }
    assert_eq!(given, 100);
    assert!((3..20).contains(&parts), "{parts}");
    step(&mut window, delta(&[(0, 1, 0, 1)], 2), 2, &mut BTreeMap::new());
}
