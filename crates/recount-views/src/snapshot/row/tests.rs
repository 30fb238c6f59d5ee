//! Tests of rows as bytes: golden bytes, rows that come back, what is no row.

use proptest::prelude::*;
use recount_entity::fold::Domain;

use super::*;

fn columns() -> Vec<StateColumn> {
    let domains = [
        Domain::Boolean,
        Domain::Integer(i64::MIN, i64::MAX),
        Domain::Decimal(38, 2),
        Domain::Double,
        Domain::Text,
    ];
    let column = |domain| StateColumn { name: "c".into(), domain, nullable: true, default: Value::Null };
    domains.into_iter().map(column).collect()
}

fn row(key: i64) -> Row {
    Row::new(Key::of([Value::Integer(key)]).unwrap())
}

fn read(bytes: &[u8]) -> Option<(Row, Vec<Value<'static>>)> {
    read_row(
        row(1).key.as_bytes(),
        bytes,
        &columns(),
        &columns().iter().map(|_| Value::Null).collect::<Vec<_>>(),
    )
}

#[test]
fn a_row_is_these_bytes() {
    let mut out = Vec::new();
    let stopped = Arc::new(Stopped { position: 300, reason: "no".to_owned() });
    let full = Row {
        present: true,
        stopped: Some(stopped),
        position: 299,
        event_time: -1,
        lookup_time: 5,
        events: 7,
        ..row(1)
    };
    let state = [
        Value::Boolean(true),
        Value::Integer(-2),
        Value::Decimal(-64),
        Value::Double(1.0),
        Value::Text("ä".into()),
    ];
    put_row(&mut out, &full, &state);
    let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "07ab02010a07ac02026e6f020303047f0005000000000000f03f0602c3a4");
    assert_eq!(read(&out), Some((full, state.to_vec())));
    out.clear();
    let nothing = Row { position: 1, event_time: 2, events: 1, ..row(1) };
    put_row(&mut out, &nothing, &[]);
    assert_eq!(out, [0, 1, 4, 1]);
    assert_eq!(read(&out), Some((nothing, vec![Value::Null; 5])));
}

/// What no column of the state can hold, and what is cut or too long, is no row.
#[test]
fn what_is_no_row_is_refused() {
    let mut out = Vec::new();
    let present = Row { present: true, ..row(1) };
    put_row(&mut out, &present, &columns().iter().map(|_| Value::Null).collect::<Vec<_>>());
    assert!(read(&out).is_some());
    for at in 0..out.len() {
        assert_eq!(read(&out[..at]), None, "cut at {at}");
    }
    let mut longer = out.clone();
    longer.push(0);
    assert_eq!(read(&longer), None);
    let mut unknown = out.clone();
    unknown[0] |= 8;
    assert_eq!(read(&unknown), None);
    let cells = out.len() - 5;
    for (column, wrong) in [(0, &[3, 0][..]), (1, &[1]), (2, &[3, 0]), (3, &[3, 0]), (4, &[1]), (0, &[7])] {
        let mut other = out[..cells + column].to_vec();
        other.extend_from_slice(wrong);
        other.extend_from_slice(&out[cells + column + 1..]);
        assert_eq!(read(&other), None, "column {column} {wrong:?}");
    }
    assert_eq!(read_row(&[9], &out, &columns(), &vec![Value::Null; 5]), None, "no key");
    assert_eq!(read_looked_up(&[3, 0], &[Form::Text]), None);
    assert_eq!(read_looked_up(&[0, 0], &[Form::Text]), None);
    assert_eq!(read_looked_up_key(&[3; 24]), None);
}

fn value(column: usize) -> BoxedStrategy<Value<'static>> {
    let some = match column {
        0 => any::<bool>().prop_map(Value::Boolean).boxed(),
        1 => any::<i64>().prop_map(Value::Integer).boxed(),
        2 => (-10i128.pow(38) + 1..10i128.pow(38)).prop_map(Value::Decimal).boxed(),
        3 => any::<f64>().prop_map(Value::Double).boxed(),
        _ => ".{0,20}".prop_map(|text| Value::Text(text.into())).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 4 => some].boxed()
}

proptest! {
    #[test]
    fn rows_come_back(
        present: bool,
        stopped in proptest::option::of((any::<u64>(), ".{0,9}")),
        position: u64,
        event_time: i64,
        lookup_time: i64,
        events: u64,
        state in (value(0), value(1), value(2), value(3), value(4)),
    ) {
        let stopped = stopped.map(|(position, reason)| Arc::new(Stopped { position, reason }));
        let row = Row { present, stopped, position, event_time, lookup_time, events, ..row(1) };
        let state = if present { vec![state.0, state.1, state.2, state.3, state.4] } else { vec![Value::Null; 5] };
        let mut out = Vec::new();
        put_row(&mut out, &row, &state);
        prop_assert_eq!(read(&out), Some((row, state)));
    }

    #[test]
    fn rows_that_are_looked_up_come_back(key: i64, time: i64, position: u64, text in ".{0,9}", number: i128) {
        let key = Key::of([Value::Integer(key)]).unwrap();
        let bytes = looked_up_key(&key, time, position);
        prop_assert_eq!(read_looked_up_key(&bytes), Some((key, time, position)));
        let values = [Value::Text(text.into()), Value::Null, Value::Decimal(number)];
        let mut out = Vec::new();
        put_looked_up(&mut out, &values);
        let back = read_looked_up(&out, &[Form::Text, Form::Double, Form::Decimal]);
        prop_assert_eq!(back, Some(values.into()));
    }
}
