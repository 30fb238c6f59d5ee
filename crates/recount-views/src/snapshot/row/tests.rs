//! Tests of rows as bytes: golden bytes, rows that come back, what is no row.

use proptest::prelude::*;
use recount_entity::fold::Domain;
use recount_entity::table::Table;

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

fn key() -> Vec<u8> {
    Key::of([Value::Integer(1)]).unwrap().as_bytes().to_vec()
}

fn nothing() -> Vec<Value<'static>> {
    vec![Value::Null; columns().len()]
}

fn row() -> SavedRow {
    SavedRow {
        present: false,
        stopped: None,
        position: 0,
        event_time: i64::MIN,
        lookup_time: i64::MIN,
        events: 1,
        state: nothing(),
    }
}

/// The bytes of a row, as a table has it.
fn written(row: &SavedRow) -> Vec<u8> {
    let mut table = Table::new(&columns(), 7);
    let slot = table.restore(&key(), row.clone()).unwrap();
    let mut out = Vec::new();
    put_row(&mut out, &table.row(slot), table.state(slot));
    out
}

fn read(bytes: &[u8]) -> Option<SavedRow> {
    read_row(&key(), bytes, &columns(), &nothing())
}

#[test]
fn a_row_is_these_bytes() {
    let full = SavedRow {
        present: true,
        stopped: Some(Stopped { position: 300, reason: "no".to_owned() }),
        position: 299,
        event_time: -1,
        lookup_time: 5,
        events: 7,
        state: vec![
            Value::Boolean(true),
            Value::Integer(-2),
            Value::Decimal(-64),
            Value::Double(1.0),
            Value::Text("ä".into()),
        ],
    };
    let hex: String = written(&full).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "07ab02010a07ac02026e6f020303047f0005000000000000f03f0602c3a4");
    assert_eq!(read(&written(&full)), Some(full));
    let without_state = SavedRow { position: 1, event_time: 2, ..row() };
    assert_eq!(written(&without_state), [0, 1, 4, 1]);
    assert_eq!(read(&[0, 1, 4, 1]), Some(without_state));
}

/// What no column of the state can hold, and what is cut or too long, is no row.
#[test]
fn what_is_no_row_is_refused() {
    let out = written(&SavedRow { present: true, ..row() });
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
    assert_eq!(read_row(&[9], &out, &columns(), &nothing()), None, "no key");
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
        events in 0..1u64 << 40,
        state in (value(0), value(1), value(2), value(3), value(4)),
    ) {
        let stopped = stopped.map(|(position, reason)| Stopped { position, reason });
        let state = if present { vec![state.0, state.1, state.2, state.3, state.4] } else { nothing() };
        let row = SavedRow { present, stopped, position, event_time, lookup_time, events, state };
        prop_assert_eq!(read(&written(&row)), Some(row));
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
