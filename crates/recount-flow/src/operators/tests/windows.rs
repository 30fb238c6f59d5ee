//! Windows, step by step.

use super::*;

#[test]
fn partitions_are_computed_again_where_they_change() {
    let function = |kind, result| WindowFunction { kind, result };
    let sum = Call { filter: None, ..call(Function::Count, Some(1), DataType::Int64) };
    let functions = vec![
        function(WindowKind::RowNumber, DataType::UInt64),
        function(WindowKind::Rank, DataType::UInt64),
        function(WindowKind::DenseRank, DataType::Int64),
        function(WindowKind::Lag(1, 1, [0].into()), DataType::Int64),
        function(WindowKind::Lag(1, -1, [0].into()), DataType::Int64),
        function(WindowKind::First(1), DataType::Int64),
        function(WindowKind::Last(1, Frame::Range), DataType::Int64),
        function(WindowKind::Aggregate(sum.clone(), Frame::Rows), DataType::Int64),
        function(WindowKind::Aggregate(sum.clone(), Frame::Range), DataType::Int64),
        function(WindowKind::Aggregate(sum, Frame::Whole), DataType::Int64),
    ];
    let mut window = Window::new(PAIR.to_vec(), vec![], vec![(0, Order::default())], functions).unwrap();
    let mut given = |rows: &[Row], stamp| step(&mut window, &[rows], stamp, true);
    check(
        given(&[(Some(1), 5, 1, 1), (Some(1), 7, 1, 1), (Some(2), 6, 1, 1)], 1),
        expect![[r#"
        1 +1 1 5 1 1 1 - 7 5 7 1 2 3
        1 +1 1 7 2 1 1 5 6 5 7 2 2 3
        1 +1 2 6 3 3 2 7 - 5 6 3 3 3"#]],
    );
    check(
        given(&[(Some(1), 6, 1, 2), (Some(2), 6, -1, 3)], 3),
        expect![[r#"
        2 +1 1 5 1 1 1 - 6 5 7 1 3 4
        2 -1 1 5 1 1 1 - 7 5 7 1 2 3
        2 +1 1 6 2 1 1 5 7 5 7 2 3 4
        2 -1 1 7 2 1 1 5 6 5 7 2 2 3
        2 +1 1 7 3 1 1 6 6 5 7 3 3 4
        2 -1 2 6 3 3 2 7 - 5 6 3 3 3
        2 +1 2 6 4 4 2 7 - 5 6 4 4 4
        3 +1 1 5 1 1 1 - 6 5 7 1 3 3
        3 -1 1 5 1 1 1 - 6 5 7 1 3 4
        3 +1 1 6 2 1 1 5 7 5 7 2 3 3
        3 -1 1 6 2 1 1 5 7 5 7 2 3 4
        3 +1 1 7 3 1 1 6 - 5 7 3 3 3
        3 -1 1 7 3 1 1 6 6 5 7 3 3 4
        3 -1 2 6 4 4 2 7 - 5 6 4 4 4"#]],
    );
    assert!(window.bytes() > 0);
}

/// Rows for which a sum is beyond its type fail, as often as there are such rows, until others come or go.
#[test]
fn rows_fail_of_which_a_window_cannot_be_computed() {
    let types = || vec![DataType::Decimal128(2, 0), DataType::Int64];
    let sum = Call { filter: None, ..call(Function::Sum, Some(0), DataType::Decimal128(2, 0)) };
    let kind = WindowKind::Aggregate(sum, Frame::Rows);
    let functions = vec![WindowFunction { kind, result: DataType::Decimal128(2, 0) }];
    let mut window = Window::new(types(), vec![], vec![(1, Order::default())], functions).unwrap();
    let mut shown = Vec::new();
    let steps: [&[(i128, i64, i64)]; 3] =
        [&[(90, 1, 1), (9, 2, 1), (1, 3, 2)], &[(-50, 0, 1)], &[(-50, 0, -1), (9, 2, -1)]];
    for (stamp, rows) in (1..).zip(steps) {
        let money = Decimal128Array::from_iter_values(rows.iter().map(|row| row.0));
        let place = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
        let columns: Vec<ArrayRef> =
            vec![Arc::new(money.with_precision_and_scale(2, 0).unwrap()), Arc::new(place)];
        let weights = rows.iter().map(|row| row.2).collect();
        let (delta, mut out) = (Delta { columns, weights, stamps: vec![stamp; rows.len()] }, Out::default());
        window.step(vec![vec![delta]], Epoch { stamp, ends: true, part_bytes: None }, &mut out).unwrap();
        shown.push(given(out));
    }
    check(
        shown.join("\n"),
        expect![[r#"
        1 +1 9 2 99
        1 +1 90 1 90
        1 +2 fails: a sum has more than 2 digits
        2 +1 -50 0 -50
        2 +1 1 3 50
        2 +1 1 3 51
        2 +1 9 2 49
        2 -1 9 2 99
        2 +1 90 1 40
        2 -1 90 1 90
        2 -2 fails: a sum has more than 2 digits
        3 -1 -50 0 -50
        3 -1 1 3 50
        3 -1 1 3 51
        3 +1 1 3 91
        3 +1 1 3 92
        3 -1 9 2 49
        3 -1 90 1 40
        3 +1 90 1 90"#]],
    );
}
