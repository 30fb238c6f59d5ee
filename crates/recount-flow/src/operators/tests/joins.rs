//! Joins, step by step.

use super::*;

#[test]
fn rows_join_append_by_append() {
    let left: &[Row] = &[(Some(1), 10, 1, 1), (None, 11, 1, 1), (Some(2), 12, 2, 3)];
    let right: &[Row] = &[(Some(1), 20, 1, 2), (Some(2), 21, 1, 2), (None, 22, 1, 2), (Some(1), 20, -1, 4)];
    let mut all = String::new();
    for kind in JOINS {
        let mut join = Join::new(kind, on(), [PAIR.to_vec(), PAIR.to_vec()]).unwrap();
        all += &format!("{kind:?}\n{}\n", step(&mut join, &[left, right], 4, true));
        all += &format!(
            "then\n{}\n",
            step(&mut join, &[&[(Some(2), 12, -2, 5)], &[(Some(2), 21, -1, 5)]], 5, true)
        );
    }
    check(
        all,
        expect![[r#"
        Inner
        3 +2 2 12 2 21
        2 +1 1 10 1 20
        4 -1 1 10 1 20
        then
        5 -2 2 12 2 21
        Left
        3 +2 2 12 2 21
        2 +1 1 10 1 20
        4 -1 1 10 1 20
        1 +1 1 10 - -
        1 +1 - 11 - -
        2 -1 1 10 - -
        4 +1 1 10 - -
        then
        5 -2 2 12 2 21
        Right
        3 +2 2 12 2 21
        2 +1 1 10 1 20
        4 -1 1 10 1 20
        2 +1 - - 2 21
        2 +1 - - - 22
        3 -1 - - 2 21
        then
        5 -2 2 12 2 21
        5 +1 - - 2 21
        5 -1 - - 2 21
        Full
        3 +2 2 12 2 21
        2 +1 1 10 1 20
        4 -1 1 10 1 20
        1 +1 1 10 - -
        1 +1 - 11 - -
        2 -1 1 10 - -
        4 +1 1 10 - -
        2 +1 - - 2 21
        2 +1 - - - 22
        3 -1 - - 2 21
        then
        5 -2 2 12 2 21
        5 +1 - - 2 21
        5 -1 - - 2 21
        Semi
        2 +1 1 10
        3 +2 2 12
        4 -1 1 10
        then
        5 -2 2 12
        Anti
        1 +1 1 10
        1 +1 - 11
        2 -1 1 10
        4 +1 1 10
        then

    "#]],
    );
}

/// A step that would make too much at once: rows of a key that many others have. Of one append it comes in parts; several appends have to
/// be taken one by one.
#[test]
fn joins_of_many_rows_come_in_parts() {
    let left: Vec<Row> = (0..20).map(|number| (Some(number % 3), number, 1, 7)).collect();
    let right: Vec<Row> = (0..30).map(|number| (Some(number % 4), number, 1, 7)).collect();
    for kind in JOINS {
        let mut given = Vec::new();
        for part_bytes in [None, Some(0), Some(1000)] {
            let mut join = Join::new(kind, on(), [PAIR.to_vec(), PAIR.to_vec()]).unwrap();
            let epoch = Epoch { stamp: 7, ends: true, part_bytes };
            let (mut out, mut parts) = (Out::default(), 1);
            join.step(vec![delta(&left), delta(&right)], epoch, &mut out).unwrap();
            while std::mem::take(&mut out.more) {
                join.go_on(epoch, &mut out).unwrap();
                parts += 1;
            }
            // What remains is the same as well.
            let after = step(&mut join, &[&[], &[(Some(0), 0, -1, 8), (Some(2), 77, 1, 8)]], 8, true);
            let mut rows: std::collections::BTreeMap<String, i64> = Default::default();
            for (number, delta) in out.rows.iter().enumerate() {
                assert!(part_bytes != Some(0) || delta.len() <= 30, "part {number} has {}", delta.len());
                for row in 0..delta.len() {
                    let values: Vec<String> = delta.columns.iter().map(|column| shown(column, row)).collect();
                    *rows.entry(values.join(" ")).or_default() += delta.weights[row];
                }
            }
            rows.retain(|_, weight| *weight != 0);
            assert_eq!(parts > 1, part_bytes.is_some());
            given.push((rows, after));
        }
        assert_eq!(given[0], given[1], "{kind:?}");
        assert_eq!(given[0], given[2], "{kind:?}");
    }
    // A pair has the bytes of both rows, 18 each, and 40: of 1000 bytes those that came with the 14th are the last.
    let (left, right): (Vec<Row>, Vec<Row>) =
        (vec![(Some(1), 0, 1, 7)], (0..30).map(|number| (Some(1), number, 1, 7)).collect());
    let mut join = Join::new(JoinKind::Inner, on(), [PAIR.to_vec(), PAIR.to_vec()]).unwrap();
    let (epoch, mut out) = (Epoch { stamp: 7, ends: true, part_bytes: Some(1000) }, Out::default());
    join.step(vec![delta(&left), delta(&right)], epoch, &mut out).unwrap();
    while std::mem::take(&mut out.more) {
        join.go_on(epoch, &mut out).unwrap();
    }
    assert_eq!(out.rows.iter().map(Delta::len).collect::<Vec<_>>(), [14, 14, 2]);
    let many = |stamp| (0..1000).map(move |number| (Some(1), number, 1, stamp)).collect::<Vec<Row>>();
    let mut join = Join::new(JoinKind::Inner, on(), [PAIR.to_vec(), PAIR.to_vec()]).unwrap();
    let epoch = Epoch { stamp: 2, ends: true, part_bytes: None };
    let stepped = join.step(vec![delta(&many(1)), delta(&many(2))], epoch, &mut Out::default());
    assert_eq!(stepped, Err(FlowError::TooLarge));
}

#[test]
fn pairs_for_which_the_condition_cannot_be_computed_fail() {
    // The second column is the left one's.
    let condition: Option<Arc<dyn Expr>> = Some(Arc::new(IsAboveZero(Of(odd))));
    let on = On { keys: [vec![], vec![]], nulls_are_equal: false, condition };
    let mut join = Join::new(JoinKind::Left, on, [PAIR.to_vec(), PAIR.to_vec()]).unwrap();
    let left: &[Row] = &[(Some(1), 1, 1, 1), (Some(2), 2, 1, 1), (Some(5), 5, 1, 1)];
    check(
        step(&mut join, &[left, &[(None, 0, 1, 2)]], 2, true),
        expect![[r#"
        2 +1 5 5 - 0
        1 +1 1 1 - -
        1 +1 2 2 - -
        1 +1 5 5 - -
        2 -1 5 5 - -
        2 +1 fails: 2 is even"#]],
    );
}

#[test]
fn nulls_join_where_they_are_equal() {
    let on = On { keys: [vec![0], vec![0]], nulls_are_equal: true, condition: None };
    let mut join = Join::new(JoinKind::Inner, on, [PAIR.to_vec(), PAIR.to_vec()]).unwrap();
    check(step(&mut join, &[&[(None, 1, 1, 1)], &[(None, 2, 3, 1)]], 1, true), expect!["1 +3 - 1 - 2"]);
}
