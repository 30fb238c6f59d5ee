//! What operators are called, how much they keep, and what they refuse.

use super::*;

/// Rows of a text of 1000 bytes and a number from 0 to 9, which come or go.
fn texts(weight: i64) -> Vec<Delta> {
    let texts = StringArray::from_iter_values((0..ROWS).map(|row| format!("{row:01000}")));
    let numbers = Int64Array::from_iter_values((0..ROWS).map(|row| row % 10));
    let (weights, stamps) = (vec![weight; ROWS as usize], vec![1; ROWS as usize]);
    vec![Delta { columns: vec![Arc::new(texts), Arc::new(numbers)], weights, stamps }]
}

const ROWS: i64 = 200;

/// What a row takes beside its texts, at most.
const BESIDE: usize = 400;

#[test]
fn the_memory_of_what_is_kept() {
    let types = || vec![DataType::Utf8, DataType::Int64];
    let order = || vec![(0, Order::default())];
    let aggregate = |width, call| Box::new(Aggregate::new(types(), width, vec![call]).unwrap());
    let count = || call(Function::CountRows, None, DataType::Int64);
    let of_text = |function| call(function, Some(0), DataType::Utf8);
    let on = On { keys: [vec![0], vec![0]], nulls_are_equal: false, condition: None };
    // An operator, how much of what it keeps, and how often each text is among it.
    let operators: Vec<(Box<dyn Operator>, usize, usize)> = vec![
        (Box::new(Distinct::new(types()).unwrap()), 200, 1),
        (Box::new(Top::new(types(), order(), 0, 1, false).unwrap()), 200, 2),
        (Box::new(Window::new(types(), vec![1], order(), vec![]).unwrap()), 10, 2),
        (Box::new(Window::new(types(), vec![0], vec![], vec![]).unwrap()), 200, 2),
        (Box::new(Join::new(JoinKind::Semi, on, [types(), types()]).unwrap()), 400, 4),
        (aggregate(1, count()), 200, 1),
        (aggregate(0, of_text(Function::Min)), 1, 1),
        (aggregate(0, Call { distinct: true, ..of_text(Function::Count) }), 1, 1),
        (aggregate(0, of_text(Function::Last)), 1, 2),
    ];
    for (mut operator, kept, often) in operators {
        let name = operator.name();
        let mut step = |weight| {
            let epoch = Epoch { stamp: 1, ends: true, part_bytes: None };
            operator.step(vec![texts(weight), texts(weight)], epoch, &mut Out::default()).unwrap();
            (operator.bytes(), operator.keeps().unwrap().0)
        };
        let texts = often * ROWS as usize * 1000;
        let (bytes, keeps) = step(1);
        assert!((texts..texts + ROWS as usize * BESIDE * often).contains(&bytes), "{name}: {bytes} {texts}");
        assert_eq!(keeps, kept, "{name}");
        let (bytes, keeps) = step(-1);
        assert!(bytes < ROWS as usize * BESIDE, "{name}: {bytes}");
        assert!(keeps <= 1, "{name}: {keeps}");
    }
}

/// Where rows only come they lie one behind the other; of the other side they are found by their key.
#[test]
fn the_memory_of_rows_that_only_come() {
    let bytes = [[false, false], [true, true], [true, false]].map(|only_comes| {
        let on = On { keys: [vec![1], vec![1]], nulls_are_equal: false, condition: None };
        let mut join = Join::new(JoinKind::Inner, on, [PAIR.to_vec(), PAIR.to_vec()]).unwrap();
        join = join.with_only_coming(only_comes);
        let rows: Vec<Row> = (0..1000).map(|row| (Some(row), row, 1, 1)).collect();
        step(&mut join, &[&rows, &rows], 1, true);
        assert_eq!(join.keeps(), Some((2000, "rows")));
        join.bytes()
    });
    let [found, piled, mixed] = bytes;
    assert!(piled > 1000 * 2 * 18 && mixed > piled && found > mixed, "{bytes:?}");
}

#[test]
fn what_operators_are_called() {
    let none = || Vec::<DataType>::new();
    let on = || On { keys: [vec![], vec![]], nulls_are_equal: false, condition: None };
    let join = |kind| Box::new(Join::new(kind, on(), [none(), none()]).unwrap());
    let of_none: Vec<Box<dyn Operator>> = vec![
        Box::new(Project::new(vec![])),
        Box::new(Filter::new(Arc::new(IsAboveZero(Of(odd))))),
        Box::new(Union),
        Box::new(Constant::new(vec![], 0)),
        Box::new(Unnest::new(vec![])),
    ];
    let others: Vec<Box<dyn Operator>> = vec![
        Box::new(Distinct::new(none()).unwrap()),
        Box::new(Aggregate::new(none(), 0, vec![]).unwrap()),
        Box::new(Top::new(none(), vec![], 0, 0, false).unwrap()),
        Box::new(Window::new(none(), vec![], vec![], vec![]).unwrap()),
        Box::new(Window::new(none(), vec![], vec![], vec![]).unwrap().with_first(1, false)),
    ];
    assert!(of_none.iter().all(|operator| (operator.bytes(), operator.keeps()) == (0, None)));
    let joins = JOINS.map(|kind| join(kind) as Box<dyn Operator>);
    let all = of_none.iter().chain(&others).chain(&joins);
    let names: Vec<String> = all
        .map(|operator| {
            let kept = operator.keeps().map(|(_, what)| format!(": {what}")).unwrap_or_default();
            let only_comes = if operator.is_monotone() { ", of rows that only come only such" } else { "" };
            format!("{}{kept}{only_comes}", operator.name())
        })
        .collect();
    expect![[r#"
        project, of rows that only come only such
        filter, of rows that only come only such
        union, of rows that only come only such
        constant, of rows that only come only such
        unnest, of rows that only come only such
        distinct: rows, of rows that only come only such
        aggregate: groups
        top: rows
        window: partitions
        first rows: partitions
        inner join: rows, of rows that only come only such
        left join: rows
        right join: rows
        full join: rows
        semi join: rows, of rows that only come only such
        anti join: rows"#]]
    .assert_eq(&names.join("\n"));
}

/// A call of a type that it cannot take, and an order of one that cannot be compared.
#[test]
fn calls_are_refused_by_type() {
    let interval = DataType::Interval(arrow_schema::IntervalUnit::MonthDayNano);
    let types = vec![DataType::Int64, DataType::Utf8, DataType::Boolean, interval.clone(), DataType::Float64];
    let deviation = Function::Deviation(crate::moments::Deviation { of_all: true, is_root: true });
    let refused = |function: Function, argument: usize, order: Vec<(usize, Order)>| {
        let call = Call { order, ..call(function, Some(argument), DataType::Int64) };
        let of_window = WindowKind::Aggregate(call.clone(), Frame::Whole);
        let of_window = vec![WindowFunction { kind: of_window, result: DataType::Int64 }];
        let refused = Aggregate::new(types.clone(), 0, vec![call]).err();
        let without_interval = types.iter().map(|data_type| match data_type {
            DataType::Interval(_) => DataType::Null,
            other => other.clone(),
        });
        if refused != Some(interval.clone()) {
            let window = Window::new(without_interval.collect(), vec![], vec![], of_window).err();
            assert_eq!(window, refused);
        }
        refused
    };
    let order = vec![(3, Order::default())];
    for (function, argument, expected) in [
        (Function::Sum, 0, Some(0)),
        (Function::Sum, 4, None),
        (deviation, 4, Some(4)),
        (Function::BoolAnd, 1, Some(1)),
        (Function::BoolOr, 0, Some(0)),
        (Function::BoolOr, 2, None),
        (Function::StringAgg("".into()), 2, Some(2)),
        (Function::StringAgg("".into()), 1, None),
        (Function::Min, 3, Some(3)),
        (Function::Min, 1, None),
    ] {
        let expected = expected.map(|column: usize| types[column].clone());
        assert_eq!(refused(function.clone(), argument, vec![]), expected, "{function:?} of {argument}");
    }
    assert_eq!(refused(Function::Last, 0, order), Some(interval));
}
