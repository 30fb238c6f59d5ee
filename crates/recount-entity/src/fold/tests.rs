//! Folds, step by step.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use expect_test::{Expect, expect};
use recount_types::column::Form;

use super::*;
use crate::expr::{Class, Comparison, Operator};
use crate::key::Key;

mod looking_up;

fn events(of: &[(i64, u16, i64, i64)]) -> Events {
    let mut events = Events { columns: vec![Column::new(Form::Integer)], ..Events::default() };
    for (at, (key, number, time, amount)) in of.iter().enumerate() {
        events.columns[0].push(&Value::Integer(*amount));
        events.keys.push(Key::of([Value::Integer(*key)]).unwrap().as_bytes());
        events.numbers.push(*number);
        events.positions.push(at as u64 + 1);
        events.times.push(*time);
        events.appended.push(at as i64);
        events.ends.push(at as u64);
    }
    events
}

fn sum() -> Expr {
    Expr::Arithmetic(Operator::Add, Class::Integer, Box::new(Expr::State(0)), Box::new(Expr::Event(0)))
}

/// `WHEN 0 THEN SET sum = sum + amount, last = sum`, `WHEN 1 THEN DELETE`, `WHEN 2 THEN IGNORE`, else an error.
fn fold() -> Fold {
    let column = |name: &str, nullable, default| StateColumn {
        name: name.to_owned(),
        domain: Domain::Integer(-1000, 1000),
        nullable,
        default,
    };
    let rule = |number, action| Rule { events: Some(vec![number]), condition: None, action };
    Fold {
        state: vec![column("sum", false, Value::Integer(0)), column("last", true, Value::Null)],
        lookups: Vec::new(),
        rules: vec![
            rule(0, Action::Set(vec![(0, sum()), (1, Expr::State(0))])),
            rule(1, Action::Delete),
            rule(2, Action::Ignore),
        ],
        otherwise: Action::Error("unknown".to_owned()),
        by_event_time: false,
        prepared: Prepared::default(),
    }
}

/// Each step, and the rows at the end.
fn check(fold: &Fold, of: &[(i64, u16, i64, i64)], expected: Expect) {
    let mut table = Table::new(&fold.state, 1);
    let mut shown = String::new();
    fold.apply(&mut table, &[], &events(of), |step| {
        let row = step.table.row(step.slot);
        let state = step.table.state(step.slot);
        let rule = step.rule.map_or("-".to_owned(), |rule| rule.to_string());
        shown.push_str(&format!("{:?} {:?} by {rule}: {state:?}\n", row.key, step.effect));
    })
    .unwrap();
    for slot in table.slots() {
        let row = table.row(slot);
        let stopped =
            row.stopped.map(|stopped| format!(" stopped at {}: {}", stopped.position, stopped.reason));
        shown.push_str(&format!(
            "{:?} present {} position {} time {} events {} late {}{}\n",
            row.key,
            row.present,
            row.position,
            row.event_time,
            row.events,
            row.late,
            stopped.unwrap_or_default()
        ));
    }
    expected.assert_eq(&shown);
}

#[test]
fn rules_see_the_state_as_it_was_and_a_deleted_one_begins_anew() {
    check(
        &fold(),
        &[(1, 0, 10, 5), (1, 0, 9, 2), (2, 2, 1, 9), (1, 1, 12, 0), (1, 0, 11, 7)],
        expect![[r#"
        Key([Integer(1)]) Set by 0: [Integer(5), Integer(0)]
        Key([Integer(1)]) Set by 0: [Integer(7), Integer(5)]
        Key([Integer(2)]) Ignored by 2: [Integer(0), Null]
        Key([Integer(1)]) Deleted by 1: [Integer(0), Null]
        Key([Integer(1)]) Set by 0: [Integer(7), Integer(0)]
        Key([Integer(1)]) present true position 5 time 12 events 4 late false
        Key([Integer(2)]) present false position 3 time 1 events 1 late false
    "#]],
    );
}

#[test]
fn a_bad_event_stops_its_key_and_no_other() {
    check(
        &fold(),
        &[(1, 0, 1, 5), (1, 0, 2, 2000), (1, 0, 3, 1), (2, 7, 4, 1), (3, 0, 5, 1)],
        expect![[r#"
        Key([Integer(1)]) Set by 0: [Integer(5), Integer(0)]
        Key([Integer(1)]) Stopped by 0: [Integer(5), Integer(0)]
        Key([Integer(1)]) Waits by -: [Integer(5), Integer(0)]
        Key([Integer(2)]) Stopped by -: [Integer(0), Null]
        Key([Integer(3)]) Set by 0: [Integer(1), Integer(0)]
        Key([Integer(1)]) present true position 1 time 3 events 3 late false stopped at 2: SET sum: 2005 is beyond the column's type: declare a wider one
        Key([Integer(2)]) present false position 0 time 4 events 1 late false stopped at 4: unknown
        Key([Integer(3)]) present true position 5 time 5 events 1 late false
    "#]],
    );
}

#[test]
fn by_event_time_what_comes_late_makes_its_key_wait_to_be_folded_again() {
    let fold = Fold { by_event_time: true, ..fold() };
    let of = [(1, 0, 10, 5), (1, 0, 9, 2), (1, 0, 11, 1), (2, 0, 3, 1), (2, 0, 3, 2)];
    check(
        &fold,
        &of,
        expect![[r#"
        Key([Integer(1)]) Set by 0: [Integer(5), Integer(0)]
        Key([Integer(1)]) Late by -: [Integer(5), Integer(0)]
        Key([Integer(1)]) Late by -: [Integer(5), Integer(0)]
        Key([Integer(2)]) Set by 0: [Integer(1), Integer(0)]
        Key([Integer(2)]) Set by 0: [Integer(3), Integer(1)]
        Key([Integer(1)]) present true position 1 time 11 events 3 late true
        Key([Integer(2)]) present true position 5 time 3 events 2 late false
    "#]],
    );
    let (mut table, events) = (Table::new(&fold.state, 1), events(&of));
    fold.apply(&mut table, &[], &events, |_| {}).unwrap();
    let slot = table.find(events.key(0).as_bytes()).unwrap();
    fold.refold(&mut table, slot, &[], &events, [1, 0, 2], |_| {});
    assert_eq!(table.state(slot), [Value::Integer(8), Value::Integer(7)]);
    let row = table.row(slot);
    assert_eq!((row.late, row.events, row.event_time, row.position), (false, 3, 11, 3));
}

#[test]
fn events_without_a_key_belong_to_no_row() {
    let mut events = events(&[(1, 0, 1, 1)]);
    events.keys.clear();
    events.keys.push(&[]);
    let mut table = Table::new(&fold().state, 1);
    fold().apply(&mut table, &[], &events, |_| panic!("there is no step")).unwrap();
    assert!(table.is_empty());
}

#[test]
fn where_batches_are_cut_makes_no_difference() {
    let fold = fold();
    let of: Vec<_> = (0..1000).map(|n| (n % 7, (n % 11 / 10) as u16, n, n % 13 - 6)).collect();
    let whole = events(&of);
    let mut expected = Table::new(&fold.state, 1);
    fold.apply(&mut expected, &[], &whole, |_| {}).unwrap();
    for size in [1, 3, 128, 129, 500] {
        let mut table = Table::new(&fold.state, 9);
        for first in (0..of.len()).step_by(size) {
            let mut part = Events::default();
            (first..(first + size).min(of.len())).for_each(|event| part.push_from(&whole, event));
            fold.apply(&mut table, &[], &part, |_| {}).unwrap();
        }
        let rows = |table: &Table| {
            let rows = table.slots().map(|slot| format!("{:?} {:?}", table.row(slot), table.state(slot)));
            rows.collect::<Vec<_>>()
        };
        assert_eq!(rows(&table), rows(&expected), "batches of {size}");
    }
}

#[test]
fn a_key_is_of_its_own_events_columns() {
    let mut columns = [Column::new(Form::Integer), Column::new(Form::Text)];
    for (number, text) in [(1, Value::Text("a".into())), (-2, Value::Text("b".into())), (3, Value::Null)] {
        columns[0].push(&Value::Integer(number));
        columns[1].push(&text);
    }
    let exprs = [Expr::Event(0), Expr::Literal(Value::Boolean(true)), Expr::Event(1)];
    let key = |row| key_of(&exprs, &Scope { state: &[], event: &columns, row, lookups: &[] }).unwrap();
    let of = |number, text: &'static str| {
        Key::of([Value::Integer(number), Value::Boolean(true), Value::Text(text.into())])
    };
    assert_eq!([0, 1, 2].map(key), [of(1, "a"), of(-2, "b"), None]);
    let mut bytes = vec![7];
    let scope = Scope { state: &[], event: &columns, row: 2, lookups: &[] };
    assert_eq!(push_key(&mut bytes, &exprs, &scope), Ok(false));
    assert_eq!(bytes, [7], "no part of a key is left");
}

#[test]
fn events_are_counted_and_taken_away() {
    let mut some = events(&[(1, 0, 1, 5), (2, 0, 2, 6), (3, 0, 3, 7)]);
    assert!(!some.is_empty() && Events::default().is_empty());
    assert_eq!(some.len(), 3);
    let of_columns = some.columns[0].bytes();
    some.columns.push(Column::new(Form::Text));
    for text in ["a", "bc", ""] {
        some.columns[1].push(&Value::Text(text.into()));
    }
    // A number, and four times 64 bits; keys as two words.
    assert_eq!(some.bytes(), of_columns + some.columns[1].bytes() + 3 * (2 + 32) + 3 * 16);
    some.clear();
    assert!(some.is_empty() && some.keys.is_empty());
    assert!(some.columns.iter().all(Column::is_empty));
    assert_eq!((some.bytes(), some.numbers.len(), some.ends.len(), some.appended.len()), (0, 0, 0, 0));
}

#[test]
fn what_comes_later_matters_to_folds_by_event_time_and_with_look_ups() {
    let plain = fold();
    assert_eq!(plain.defaults(), [Value::Integer(0), Value::Null]);
    assert!(!plain.is_retroactive());
    assert!(Fold { by_event_time: true, ..fold() }.is_retroactive());
    let lookup = Lookup { condition: None, key: Vec::new(), as_of: Expr::Event(0) };
    assert!(Fold { lookups: vec![lookup], ..fold() }.is_retroactive());
}

/// Every column sees the state as it was, however many there are: one, few, and more than are computed together.
#[test]
fn columns_are_set_together() {
    for columns in [1, 2, 3, 8, 9, 20] {
        let column = |number| StateColumn {
            name: format!("c{number}"),
            domain: Domain::Integer(-1000, 1000),
            nullable: false,
            default: Value::Integer(number),
        };
        let next = |number: usize| {
            let (left, right) = (Expr::State((number + 1) % columns), Expr::Event(0));
            (number, Expr::Arithmetic(Operator::Add, Class::Integer, Box::new(left), Box::new(right)))
        };
        let set = Action::Set((0..columns).map(next).collect());
        let fold = Fold {
            state: (0..columns as i64).map(column).collect(),
            rules: vec![Rule { events: None, condition: None, action: set }],
            ..fold()
        };
        let mut table = Table::new(&fold.state, 1);
        fold.apply(&mut table, &[], &events(&[(1, 0, 1, 10), (1, 0, 2, 100), (1, 0, 3, 1)]), |_| {}).unwrap();
        let mut expected: Vec<i64> = (0..columns as i64).collect();
        for amount in [10, 100, 1] {
            expected.rotate_left(1);
            expected.iter_mut().for_each(|value| *value += amount);
        }
        let slot = table.find(events(&[(1, 0, 1, 0)]).key(0).as_bytes()).unwrap();
        let expected: Vec<_> = expected.into_iter().map(Value::Integer).collect();
        assert_eq!(table.state(slot).to_vec(), expected, "{columns} columns");
    }
}

/// Programs see the texts of the state, where one column is set and where there are more.
#[test]
fn columns_are_set_by_texts_of_the_state() {
    let column =
        |name: &str, domain, default| StateColumn { name: name.to_owned(), domain, nullable: false, default };
    let integer = Domain::Integer(-1000, 1000);
    let is = |text: &'static str| {
        let text = Expr::Literal(Value::Text(text.into()));
        Expr::Compare(Comparison::Equal, Class::Text, Box::new(Expr::State(2)), Box::new(text))
    };
    let chosen =
        |text| Expr::Case(vec![(is(text), Expr::Event(0))], Box::new(Expr::Literal(Value::Integer(-1))));
    for (set, expected) in
        [(vec![(0, chosen("open"))], [7, 0]), (vec![(0, chosen("open")), (1, chosen("closed"))], [7, -1])]
    {
        let fold = Fold {
            state: vec![
                column("a", integer, Value::Integer(0)),
                column("b", integer, Value::Integer(0)),
                column("status", Domain::Text, Value::Text("open".into())),
            ],
            rules: vec![
                Rule { events: None, condition: Some(is("closed")), action: Action::Ignore },
                Rule { events: None, condition: Some(is("open")), action: Action::Set(set) },
            ],
            ..fold()
        };
        let (mut table, events) = (Table::new(&fold.state, 1), events(&[(1, 0, 1, 7)]));
        fold.apply(&mut table, &[], &events, |step| assert_eq!(step.effect, Effect::Set)).unwrap();
        let slot = table.find(events.key(0).as_bytes()).unwrap();
        let [a, b] = expected.map(Value::Integer);
        assert_eq!(table.state(slot), [a, b, Value::Text("open".into())]);
    }
}

/// What programs tell is not evaluated again, which would give the same and take longer.
#[test]
fn columns_are_set_by_programs_where_they_can_be() {
    let column = |domain, nullable| StateColumn {
        name: "c".to_owned(),
        domain,
        nullable,
        default: if nullable { Value::Null } else { Value::Integer(0) },
    };
    let small = Domain::Integer(-1000, 1000);
    let fold_of = |columns: Vec<StateColumn>, set: Vec<(usize, Expr)>| {
        let rules = vec![Rule { events: None, condition: None, action: Action::Set(set) }];
        Fold { state: columns, rules, ..fold() }
    };
    let sets = |fold: &Fold, amount: Value<'static>| {
        let mut events = Events { columns: vec![Column::new(Form::Integer)], ..Events::default() };
        events.columns[0].push(&amount);
        let mut table = Table::new(&fold.state, 1);
        let slot = table.find_or_add(b"k").unwrap();
        let prepared = Prepared::default();
        let set = &prepared.programs(fold).rules[0].set;
        let inputs = Inputs { words: &[], texts: &[], event: &events.columns, row: 0, lookups: &[] };
        let done = set.run(&mut table.edit(slot), inputs, &mut Registers::default());
        (done, table.state(slot).to_vec())
    };
    let one = fold_of(vec![column(small, false)], vec![(0, sum())]);
    for (amount, done) in [(-1001, false), (-1000, true), (7, true), (1000, true), (1001, false)] {
        let expected = vec![Value::Integer(if done { amount } else { 0 })];
        assert_eq!(sets(&one, Value::Integer(amount)), (done, expected));
    }
    assert_eq!(sets(&one, Value::Null), (false, vec![Value::Integer(0)]));
    let nullable = fold_of(vec![column(small, true)], vec![(0, Expr::Event(0))]);
    assert_eq!(sets(&nullable, Value::Null), (true, vec![Value::Null]));
    for (count, expected) in [(2, true), (8, true), (9, false)] {
        let columns = (0..count).map(|_| column(small, true)).collect();
        let several = fold_of(columns, (0..count).map(|column| (column, Expr::Event(0))).collect());
        let value = if expected { Value::Integer(7) } else { Value::Null };
        assert_eq!(sets(&several, Value::Integer(7)), (expected, vec![value; count]), "{count} columns");
        // One that does not fit leaves all as they were.
        assert_eq!(sets(&several, Value::Integer(1001)), (false, vec![Value::Null; count]));
    }
}

/// Decimals of each number of digits are kept up to their bounds and not beyond, within 64 bits and within 128.
#[test]
fn a_program_gives_what_its_column_can_keep() {
    for digits in [1, 18, 19, 38] {
        let column = StateColumn {
            name: "c".to_owned(),
            domain: Domain::Decimal(digits, 0),
            nullable: false,
            default: Value::Decimal(0),
        };
        let set = Action::Set(vec![(0, Expr::Event(0))]);
        let rules = vec![Rule { events: None, condition: None, action: set }];
        let fold = Fold { state: vec![column], rules, ..fold() };
        let greatest = 10i128.pow(digits.into()) - 1;
        let prepared = Prepared::default();
        let assignment = prepared.programs(&fold).rules[0].set.assignments[0].as_ref().unwrap();
        let value = |value: Value<'static>| {
            let mut events = [Column::new(Form::Decimal)];
            events[0].push(&value);
            let inputs = Inputs { words: &[], texts: &[], event: &events, row: 0, lookups: &[] };
            let mut registers = Registers::default();
            (assignment.value(&inputs, &mut registers), assignment.small(&inputs, &mut registers))
        };
        for number in [greatest, -greatest, 0] {
            let small = i64::try_from(number).ok().map(Some);
            assert_eq!(
                value(Value::Decimal(number)),
                (Some(Value::Decimal(number)), small),
                "{digits} digits"
            );
        }
        for number in [greatest + 1, -greatest - 1] {
            assert_eq!(value(Value::Decimal(number)), (None, None), "{digits} digits");
        }
        assert_eq!(value(Value::Null), (None, None));
    }
}

/// Truths too are told by programs, as truths.
#[test]
fn a_program_gives_truths() {
    let column =
        StateColumn { name: "c".to_owned(), domain: Domain::Boolean, nullable: true, default: Value::Null };
    let set = Action::Set(vec![(0, Expr::Event(0))]);
    let rules = vec![Rule { events: None, condition: None, action: set }];
    let fold = Fold { state: vec![column], rules, ..fold() };
    let prepared = Prepared::default();
    let assignment = prepared.programs(&fold).rules[0].set.assignments[0].as_ref().unwrap();
    for truth in [Value::Boolean(true), Value::Boolean(false), Value::Null] {
        let mut events = [Column::new(Form::Boolean)];
        events[0].push(&truth);
        let inputs = Inputs { words: &[], texts: &[], event: &events, row: 0, lookups: &[] };
        assert_eq!(assignment.value(&inputs, &mut Registers::default()), Some(truth));
    }
}

/// Folds are the same whether they were applied already or not.
#[test]
fn what_was_prepared_makes_no_difference() {
    let (one, other) = (fold(), fold());
    one.prepared.programs(&one);
    assert_eq!(one, other);
}
