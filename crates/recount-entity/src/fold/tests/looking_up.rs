//! Folds that look things up; conditions and values that have no program.

use super::*;
use crate::expr::Comparison;
use crate::lookup::LookupTable;

/// An event: amount, product, the time to look up for, whether to look up at all.
type Given = (i64, Option<&'static str>, Option<i64>, bool);

fn given(of: &[(i64, Given)]) -> Events {
    let forms = [Form::Integer, Form::Text, Form::Integer, Form::Boolean];
    let mut events = Events { columns: forms.map(Column::new).into(), ..Events::default() };
    for (at, (key, (amount, product, time, wanted))) in of.iter().enumerate() {
        let product = product.map_or(Value::Null, |product| Value::Text(product.into()));
        let time = time.map_or(Value::Null, Value::Integer);
        for (column, value) in
            events.columns.iter_mut().zip([Value::Integer(*amount), product, time, Value::Boolean(*wanted)])
        {
            column.push(&value);
        }
        events.keys.push(Key::of([Value::Integer(*key)]).unwrap().as_bytes());
        events.numbers.push(NO_EVENT);
        events.positions.push(at as u64 + 1);
        events.times.push(at as i64);
        events.appended.push(at as i64);
        events.ends.push(at as u64);
    }
    events
}

fn text(text: &str) -> Expr {
    Expr::Literal(Value::Text(text.to_owned().into()))
}

fn add(left: Expr, right: Expr) -> Expr {
    Expr::Arithmetic(Operator::Add, Class::Integer, Box::new(left), Box::new(right))
}

fn by_zero() -> Expr {
    let quotient = Expr::Arithmetic(
        Operator::Divide,
        Class::Integer,
        Box::new(Expr::Event(0)),
        Box::new(Expr::Literal(Value::Integer(0))),
    );
    Expr::Compare(Comparison::Greater, Class::Integer, Box::new(quotient), Box::new(Expr::Event(0)))
}

/// Two look-ups, the second by what has no program; rules by what is found, the second by what has none.
fn fold() -> Fold {
    let column = |name: &str, domain, nullable, default| StateColumn {
        name: name.to_owned(),
        domain,
        nullable,
        default,
    };
    let rule = |condition, set| Rule { events: None, condition, action: Action::Set(set) };
    let concat = |left, right| Expr::Concat(Box::new(left), Box::new(right));
    let is_y = Expr::Compare(
        Comparison::Equal,
        Class::Text,
        Box::new(concat(Expr::Lookup(0, 1), text(""))),
        Box::new(text("y")),
    );
    Fold {
        state: vec![
            column("sum", Domain::Integer(-1000, 1000), false, Value::Integer(0)),
            column("last", Domain::Text, true, Value::Text("none".into())),
        ],
        lookups: vec![
            Lookup { condition: Some(Expr::Event(3)), key: vec![Expr::Event(1)], as_of: Expr::Event(2) },
            Lookup {
                condition: None,
                key: vec![concat(Expr::Event(1), text("!"))],
                as_of: Expr::Length(Box::new(Expr::Event(1))),
            },
        ],
        rules: vec![
            rule(
                Some(Expr::IsNull(Box::new(Expr::Lookup(0, 0)))),
                vec![(0, add(Expr::State(0), Expr::Event(0)))],
            ),
            rule(Some(is_y), vec![(0, add(Expr::Lookup(0, 0), Expr::Lookup(1, 0)))]),
            rule(None, vec![(1, concat(Expr::State(1), Expr::Upper(Box::new(Expr::Lookup(0, 1)))))]),
        ],
        otherwise: Action::Ignore,
        by_event_time: false,
        prepared: Prepared::default(),
    }
}

fn known() -> [LookupTable; 2] {
    let mut tables = [LookupTable::new(1), LookupTable::new(1)];
    let key = |text: &'static str| Key::of([Value::Text(text.into())]).unwrap();
    for (time, rate, name) in [(10, 100, "x"), (20, 200, "y")] {
        let values = [Value::Integer(rate), Value::Text(name.into())];
        tables[0].insert(key("a"), time, time as u64, values.into());
    }
    tables[1].insert(key("a!"), 1, 1, [Value::Integer(1)].into());
    tables
}

fn check(fold: &Fold, of: &[(i64, Given)], expected: Expect) {
    let mut table = Table::new(&fold.state, 1);
    let mut shown = String::new();
    fold.apply(&mut table, &known(), &given(of), |step| {
        let state = step.table.state(step.slot);
        shown.push_str(&format!("{:?} by {:?} {:?}: {state:?}\n", step.effect, step.rule, step.lookups));
    })
    .unwrap();
    for slot in table.slots() {
        let row = table.row(slot);
        let stopped = row.stopped.map(|stopped| (stopped.position, stopped.reason.as_str()));
        shown.push_str(&format!("{:?} looked up at {} {stopped:?}\n", row.key, row.lookup_time));
    }
    expected.assert_eq(&shown);
}

#[test]
fn rules_see_what_was_found_for_the_time() {
    check(
        &fold(),
        &[
            (1, (5, Some("a"), Some(15), true)),
            (1, (6, Some("a"), Some(25), true)),
            // Nothing is wanted, there is no time, no key, no such row, none yet.
            (1, (7, Some("a"), Some(30), false)),
            (1, (8, Some("a"), None, true)),
            (1, (9, None, Some(35), true)),
            (2, (1, Some("b"), Some(25), true)),
            (2, (2, Some("a"), Some(9), true)),
        ],
        expect![[r#"
            Set by Some(2) [Some([Integer(100), Text("x")]), Some([Integer(1)])]: [Integer(0), Text("noneX")]
            Set by Some(1) [Some([Integer(200), Text("y")]), Some([Integer(1)])]: [Integer(201), Text("noneX")]
            Set by Some(0) [None, Some([Integer(1)])]: [Integer(208), Text("noneX")]
            Set by Some(0) [None, Some([Integer(1)])]: [Integer(216), Text("noneX")]
            Set by Some(0) [None, None]: [Integer(225), Text("noneX")]
            Set by Some(0) [None, None]: [Integer(1), Text("none")]
            Set by Some(0) [None, Some([Integer(1)])]: [Integer(3), Text("none")]
            Key([Integer(1)]) looked up at 25 None
            Key([Integer(2)]) looked up at 25 None
        "#]],
    );
}

#[test]
fn an_error_of_a_look_up_stops_the_key() {
    let failing = |condition, as_of| Fold {
        lookups: vec![Lookup { condition, key: vec![Expr::Event(1)], as_of }],
        rules: Vec::new(),
        prepared: Prepared::default(),
        ..fold()
    };
    let of = [(1, (5, Some("a"), Some(15), true))];
    check(
        &failing(Some(by_zero()), Expr::Event(2)),
        &of,
        expect![[r#"
        Stopped by None [None]: [Integer(0), Text("none")]
        Key([Integer(1)]) looked up at -9223372036854775808 Some((1, "LOOKUP: division by zero"))
    "#]],
    );
    check(
        &failing(None, Expr::Event(1)),
        &of,
        expect![[r#"
        Stopped by None [None]: [Integer(0), Text("none")]
        Key([Integer(1)]) looked up at -9223372036854775808 Some((1, "LOOKUP: a value is not of the type that the rule was checked with"))
    "#]],
    );
}

#[test]
fn an_error_of_a_condition_stops_the_key_at_its_rule() {
    let mut fold = Fold { lookups: Vec::new(), ..fold() };
    let of = [(1, (5, Some("a"), Some(15), true)), (1, (6, Some("a"), Some(15), true))];
    fold.rules = vec![
        Rule { events: Some(vec![3]), condition: None, action: Action::Ignore },
        Rule { events: None, condition: Some(by_zero()), action: Action::Ignore },
    ];
    check(
        &fold,
        &of,
        expect![[r#"
        Stopped by Some(1) []: [Integer(0), Text("none")]
        Waits by None []: [Integer(0), Text("none")]
        Key([Integer(1)]) looked up at -9223372036854775808 Some((1, "WHEN: division by zero"))
    "#]],
    );
}
