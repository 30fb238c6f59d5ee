//! Operators, step by step: rows of two integers, with weights and stamps.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Decimal256Array, Float64Array, Int64Array, StringArray,
    cast::AsArray,
};
use arrow_schema::{DataType, Field};
use expect_test::{Expect, expect};

use super::*;
use crate::codec::Order;
use crate::delta::Delta;
use crate::expr::Expr;
use crate::operator::{Epoch, FlowError, Operator, Out};

mod joins;
mod kept;
mod law;
mod naive;
mod windows;

/// A row: two columns, its weight, its stamp.
type Row = (Option<i64>, i64, i64, u64);

fn delta(rows: &[Row]) -> Vec<Delta> {
    let first: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
    let second: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>());
    let weights = rows.iter().map(|row| row.2).collect();
    let stamps = rows.iter().map(|row| row.3).collect();
    if rows.is_empty() { vec![] } else { vec![Delta { columns: vec![first, second], weights, stamps }] }
}

/// What a step gave: stamp, weight and columns of each row, then what failed.
fn step(operator: &mut dyn Operator, inputs: &[&[Row]], stamp: u64, ends: bool) -> String {
    let mut out = Out::default();
    let inputs = inputs.iter().map(|rows| delta(rows)).collect();
    operator.step(inputs, Epoch { stamp, ends, part_bytes: None }, &mut out).unwrap();
    given(out)
}

/// What was given, a line each.
fn given(out: Out) -> String {
    let mut lines = Vec::new();
    for delta in out.rows {
        for row in 0..delta.len() {
            let values: Vec<String> = delta.columns.iter().map(|column| shown(column, row)).collect();
            lines.push(format!("{} {:+} {}", delta.stamps[row], delta.weights[row], values.join(" ")));
        }
    }
    lines.extend(
        out.failures
            .iter()
            .map(|failure| format!("{} {:+} fails: {}", failure.stamp, failure.weight, failure.reason)),
    );
    lines.join("\n")
}

fn shown(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "-".to_owned();
    }
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).to_owned(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<arrow_array::types::UInt64Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<arrow_array::types::Float64Type>().value(row).to_string(),
        DataType::Decimal128(..) => {
            column.as_primitive::<arrow_array::types::Decimal128Type>().value(row).to_string()
        }
        DataType::Decimal256(..) => {
            column.as_primitive::<arrow_array::types::Decimal256Type>().value(row).to_string()
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>().value(row);
            (0..list.len()).map(|item| shown(&list, item)).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// A function of the second column, which cannot be computed for some values.
struct Of(fn(i64) -> Result<i64, String>);

impl std::fmt::Debug for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Of")
    }
}

impl Expr for Of {
    fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
        let values = columns[1].as_primitive::<Int64Type>();
        let values = (0..rows).map(|row| self.0(values.value(row))).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Int64Array::from(values)))
    }
}

/// Whether a function of the second column is above 0.
#[derive(Debug)]
struct IsAboveZero(Of);

impl Expr for IsAboveZero {
    fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
        let values = self.0.evaluate(columns, rows)?;
        let values = values.as_primitive::<Int64Type>().values().iter().map(|value| *value > 0);
        Ok(Arc::new(values.map(Some).collect::<BooleanArray>()))
    }
}

fn odd(value: i64) -> Result<i64, String> {
    if value % 2 == 0 { Err(format!("{value} is even")) } else { Ok(value - 3) }
}

fn check(shown: String, expected: Expect) {
    expected.assert_eq(&shown);
}

const PAIR: [DataType; 2] = [DataType::Int64, DataType::Int64];

const JOINS: [JoinKind; 6] =
    [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full, JoinKind::Semi, JoinKind::Anti];

/// The first columns are equal.
fn on() -> On {
    On { keys: [vec![0], vec![0]], nulls_are_equal: false, condition: None }
}

#[test]
fn rows_that_cannot_be_computed_fail_and_others_go_on() {
    let rows: Vec<Row> =
        (1..=7).map(|value| (Some(value), value, if value == 4 { -2 } else { 1 }, 9)).collect();
    check(
        step(&mut Project::new(vec![Arc::new(Of(odd)), Arc::new(Of(Ok))]), &[&rows], 9, true),
        expect![[r#"
            9 +1 -2 1
            9 +1 0 3
            9 +1 2 5
            9 +1 4 7
            9 +1 fails: 2 is even
            9 -2 fails: 4 is even
            9 +1 fails: 6 is even"#]],
    );
    check(
        step(&mut Filter::new(Arc::new(IsAboveZero(Of(odd)))), &[&rows], 9, true),
        expect![[r#"
        9 +1 5 5
        9 +1 7 7
        9 +1 fails: 2 is even
        9 -2 fails: 4 is even
        9 +1 fails: 6 is even"#]],
    );
    let even = [(None, 2, 1, 9), (None, 4, 1, 9)];
    check(
        step(&mut Project::new(vec![Arc::new(Of(odd))]), &[&even], 9, true),
        expect![[r#"
        9 +1 fails: 2 is even
        9 +1 fails: 4 is even"#]],
    );
}

#[test]
fn a_row_is_distinct_as_long_as_it_is_there() {
    let mut distinct = Distinct::new(PAIR.to_vec()).unwrap();
    let mut given = |rows: &[Row], ends| step(&mut distinct, &[rows], 0, ends);
    check(
        given(&[(Some(1), 1, 1, 1), (Some(1), 1, 1, 2), (None, 1, 2, 2)], true),
        expect![[r#"
        1 +1 1 1
        2 +1 - 1"#]],
    );
    check(
        given(&[(Some(1), 1, -1, 3), (None, 1, -2, 3), (Some(1), 1, -1, 4)], true),
        expect![[r#"
        3 -1 - 1
        4 -1 1 1"#]],
    );
    // It goes before it comes.
    check(given(&[(Some(7), 7, -1, 5)], false), expect![[r#""#]]);
    check(given(&[(Some(7), 7, 2, 5)], true), expect!["5 +1 7 7"]);
    check(given(&[(Some(7), 7, -1, 6)], true), expect!["6 -1 7 7"]);
    let place = std::mem::size_of::<(smallvec::SmallVec<[u8; 24]>, i64)>() + 1;
    assert_eq!(distinct.bytes() % place, 0, "no row is kept");
}

fn call(function: Function, argument: Option<usize>, result: DataType) -> Call {
    Call { function, argument, filter: None, distinct: false, order: Vec::new(), result, only_comes: false }
}

#[test]
fn groups_are_given_once_an_append() {
    let calls = vec![
        call(Function::CountRows, None, DataType::Int64),
        call(Function::Min, Some(1), DataType::Int64),
        Call { distinct: true, ..call(Function::Count, Some(1), DataType::Int64) },
    ];
    let mut groups = Aggregate::new(PAIR.to_vec(), 1, calls).unwrap();
    let mut given = |rows: &[Row], stamp, ends| step(&mut groups, &[rows], stamp, ends);
    // One append in three steps.
    check(given(&[(Some(1), 5, 1, 1), (Some(2), 5, 1, 1)], 1, false), expect![[r#""#]]);
    check(given(&[(Some(1), 3, 1, 1), (Some(1), 5, 1, 1)], 1, false), expect![[r#""#]]);
    check(
        given(&[], 1, true),
        expect![[r#"
        1 +1 1 3 3 2
        1 +1 2 1 5 1"#]],
    );
    // Several appends in one step.
    let rows =
        [(Some(1), 3, -1, 2), (Some(2), 5, -1, 3), (None, 9, 1, 3), (Some(1), 8, 1, 4), (Some(1), 8, -1, 4)];
    check(
        given(&rows, 4, true),
        expect![[r#"
        2 -1 1 3 3 2
        2 +1 1 2 5 1
        3 -1 2 1 5 1
        3 +1 - 1 9 1"#]],
    );
    assert!(groups.bytes() > 0);
}

/// Rows of one place are ordered by the value, so that it does not matter which came first.
#[test]
fn functions_of_an_order() {
    let order = vec![(0, Order { descending: true, nulls_last: false })];
    let ordered = |function| Call { order: order.clone(), ..call(function, Some(1), DataType::Int64) };
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    let calls = vec![
        ordered(Function::First),
        ordered(Function::Last),
        Call { result: list, ..ordered(Function::ArrayAgg) },
    ];
    let mut all = Aggregate::new(PAIR.to_vec(), 0, calls).unwrap();
    let mut given = |rows: &[Row], stamp| step(&mut all, &[rows], stamp, true);
    check(given(&[(Some(1), 5, 1, 1), (Some(2), 7, 2, 1)], 1), expect!["1 +1 7 5 7,7,5"]);
    check(
        given(&[(None, 9, 1, 2), (Some(2), 6, 1, 2), (Some(1), 5, -1, 2)], 2),
        expect![[r#"
        2 -1 7 5 7,7,5
        2 +1 9 7 9,6,7,7"#]],
    );
    check(
        given(&[(None, 9, -1, 3), (Some(2), 6, -1, 3), (Some(2), 7, -2, 3)], 3),
        expect![[r#"
        3 -1 9 7 9,6,7,7
        3 +1 - - -"#]],
    );
    assert_eq!(all.bytes(), 0);
}

#[test]
fn texts_are_joined_in_an_order() {
    let texts = |values: &[(Option<&str>, i64, i64)], stamp: u64| {
        let text: ArrayRef = Arc::new(values.iter().map(|value| value.0).collect::<StringArray>());
        let place: ArrayRef = Arc::new(Int64Array::from_iter_values(values.iter().map(|value| value.1)));
        let weights = values.iter().map(|value| value.2).collect();
        vec![Delta { columns: vec![text, place], weights, stamps: vec![stamp; values.len()] }]
    };
    let join = Call {
        order: vec![(1, Order::default())],
        ..call(Function::StringAgg(", ".into()), Some(0), DataType::LargeUtf8)
    };
    let types = vec![DataType::Utf8, DataType::Int64];
    let mut joined = Aggregate::new(types.clone(), 0, vec![join.clone()]).unwrap();
    let mut shown = Vec::new();
    let steps: [&[(Option<&str>, i64, i64)]; 4] = [
        &[(Some("b"), 2, 1), (Some("a"), 1, 2), (None, 0, 1)],
        &[(Some(""), 3, 1), (Some("a"), 1, -1)],
        &[(Some("b"), 2, -1), (Some("a"), 1, -1), (Some(""), 3, -1)],
        &[(Some("z"), 9, 1)],
    ];
    for (stamp, values) in steps.into_iter().enumerate() {
        let (stamp, mut out) = (stamp as u64 + 1, Out::default());
        joined
            .step(vec![texts(values, stamp)], Epoch { stamp, ends: true, part_bytes: None }, &mut out)
            .unwrap();
        for delta in &out.rows {
            let text = delta.columns[0].as_string::<i64>();
            let row =
                |row: usize| format!("{stamp} {:+} {:?}", delta.weights[row], text.iter().nth(row).unwrap());
            shown.extend((0..delta.len()).map(row));
        }
    }
    expect![[r#"
        1 +1 Some("a, a, b")
        2 -1 Some("a, a, b")
        2 +1 Some("a, b, ")
        3 -1 Some("a, b, ")
        3 +1 None
        4 -1 None
        4 +1 Some("z")"#]]
    .assert_eq(&shown.join("\n"));
    let numbers = Call { argument: Some(1), ..join };
    assert_eq!(Aggregate::new(types, 0, vec![numbers]).err(), Some(DataType::Int64));
}

#[test]
fn all_rows_are_a_group_that_is_always_there() {
    let calls =
        vec![call(Function::CountRows, None, DataType::Int64), call(Function::Max, Some(1), DataType::Int64)];
    let mut all = Aggregate::new(PAIR.to_vec(), 0, calls).unwrap();
    check(step(&mut all, &[&[]], 7, true), expect!["7 +1 0 -"]);
    check(
        step(&mut all, &[&[(None, 1, 1, 8), (None, 4, 1, 9)]], 9, true),
        expect![[r#"
        8 -1 0 -
        8 +1 1 1
        9 -1 1 1
        9 +1 2 4"#]],
    );
    check(
        step(&mut all, &[&[(None, 1, -1, 10), (None, 4, -1, 10)]], 10, true),
        expect![[r#"
        10 -1 2 4
        10 +1 0 -"#]],
    );
}

/// A sum that its type cannot hold fails, and comes back.
#[test]
fn sums_are_checked_when_they_are_given() {
    let decimals = |values: &[i128], weight: i64, stamp: u64| {
        let array =
            Decimal128Array::from_iter_values(values.iter().copied()).with_precision_and_scale(3, 0).unwrap();
        let doubles: ArrayRef =
            Arc::new(Float64Array::from_iter_values(values.iter().map(|value| *value as f64 / 8.0)));
        let (weights, stamps) = (vec![weight; values.len()], vec![stamp; values.len()]);
        vec![Delta { columns: vec![Arc::new(array), doubles], weights, stamps }]
    };
    let types = vec![DataType::Decimal128(3, 0), DataType::Float64];
    let calls = vec![
        call(Function::Sum, Some(0), DataType::Decimal128(3, 0)),
        call(Function::Sum, Some(1), DataType::Float64),
    ];
    let mut sums = Aggregate::new(types, 0, calls).unwrap();
    let mut shown = Vec::new();
    for (stamp, (values, weight)) in
        [(&[999][..], 1), (&[1], 1), (&[-5], 1), (&[999, 1, -5], -1), (&[-999], 1), (&[-1], 1)]
            .into_iter()
            .enumerate()
    {
        let mut out = Out::default();
        let stamp = stamp as u64 + 1;
        sums.step(
            vec![decimals(values, weight, stamp)],
            Epoch { stamp, ends: true, part_bytes: None },
            &mut out,
        )
        .unwrap();
        shown.push(given(out));
    }
    check(
        shown.join("\n"),
        expect![[r#"
        1 +1 999 124.875
        2 -1 999 124.875
        2 +1 fails: a sum has more than 3 digits
        3 +1 995 124.375
        3 -1 fails: a sum has more than 3 digits
        4 -1 995 124.375
        4 +1 - -
        5 -1 - -
        5 +1 -999 -124.875
        6 -1 -999 -124.875
        6 +1 fails: a sum has more than 3 digits"#]],
    );
}

#[test]
fn the_first_rows_of_an_order() {
    let down = Order { descending: true, nulls_last: true };
    let mut top = Top::new(PAIR.to_vec(), vec![(0, down)], 1, 2, false).unwrap();
    let mut given = |rows: &[Row], stamp| step(&mut top, &[rows], stamp, true);
    check(
        given(&[(Some(5), 1, 1, 1), (None, 1, 1, 1), (Some(5), 0, 1, 2)], 2),
        expect![[r#"
        1 +1 - 1
        2 +1 5 1"#]],
    );
    check(
        given(&[(Some(9), 1, 3, 3)], 3),
        expect![[r#"
        3 -1 - 1
        3 -1 5 1
        3 +2 9 1"#]],
    );
    check(
        given(&[(Some(9), 1, -2, 4), (Some(5), 0, -1, 4)], 4),
        expect![[r#"
        4 -2 9 1
        4 +1 - 1
        4 +1 5 1"#]],
    );
    assert!(top.bytes() > 0);
}

#[test]
fn constants_come_once() {
    let mut constant = Constant::new(vec![Arc::new(Int64Array::from(vec![1, 2]))], 2);
    check(
        step(&mut constant, &[], 5, true),
        expect![[r#"
        5 +1 1
        5 +1 2"#]],
    );
    check(step(&mut constant, &[], 6, true), expect![[r#""#]]);
}
