//! Statements that declare entities: what they become, and what is said of those that cannot be bound.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use expect_test::{Expect, expect};
use recount_store::ddl::{Statement, parse};

use super::*;

const TRANSACTIONS: &str = "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL, note TEXT,
    timestamp TIMESTAMPTZ NOT NULL, day DATE, at TIMESTAMP, share DOUBLE, ok BOOLEAN, more JSON, count INT) KEY (accountId)";
const RATES: &str = "CREATE TOPIC rates (product TEXT NOT NULL, rate DECIMAL(9,6) NOT NULL, since TIMESTAMPTZ NOT NULL) KEY (product)";
const BANK: &str = "CREATE TOPIC bank (account_id BIGINT NOT NULL) EVENT deposited (amount DECIMAL(18,2) NOT NULL) EVENT closed KEY (account_id)";

fn topic(sql: &str) -> TopicDefinition {
    match parse(sql).unwrap() {
        Statement::CreateTopic(definition) => definition,
        other => panic!("{other:?}"),
    }
}

fn bound(sql: &str) -> Result<Bound, String> {
    let entity = match parse(sql).map_err(|error| error.to_string())? {
        Statement::CreateEntity(entity) => entity,
        other => panic!("{other:?}"),
    };
    let of = if entity.topic.folded == "bank" { BANK } else { TRANSACTIONS };
    let (of, rates) = (topic(of), topic(RATES));
    let looked_up: Vec<&TopicDefinition> = entity.lookups.iter().map(|_| &rates).collect();
    bind(&entity, &of, &looked_up).map_err(|error| error.to_string())
}

/// What is said of a statement.
fn check(sql: &str, expected: Expect) {
    let shown = match bound(sql) {
        Ok(bound) => format!("{bound:?}"),
        Err(error) => error,
    };
    expected.assert_eq(&shown);
}

/// What is said of one expression for a column of a type.
fn value(column: &str, expression: &str, expected: Expect) {
    let sql =
        format!("CREATE ENTITY e FROM transactions STATE (s {column}) WHEN ANY THEN SET s = {expression}");
    let shown = match bound(&sql) {
        Ok(bound) => match &bound.fold.rules[0].action {
            fold::Action::Set(columns) => format!("{:?}", columns[0].1),
            other => panic!("{other:?}"),
        },
        Err(error) => error.split_once(": ").map_or(error.clone(), |(_, message)| message.to_owned()),
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_example_is_bound() {
    let bound = bound(
        "CREATE OR REPLACE ENTITY account FROM transactions LOOKUP rates AS r ON r.product = 'savings' AS OF timestamp
          STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, last TIMESTAMPTZ)
          WHEN ANY THEN SET last = timestamp, balance = balance + amount
            + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2)",
    )
    .unwrap();
    assert!(bound.by_stream && bound.fold.is_retroactive());
    let columns: Vec<_> =
        bound.columns.iter().map(|c| format!("{} {} {}", c.name, c.column_type, c.nullable)).collect();
    assert_eq!(columns, ["accountid BIGINT false", "balance DECIMAL(18,2) false", "last TIMESTAMPTZ true"]);
    let names: Vec<_> = bound.lookups[0].columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["product", "rate"], "what is kept of a row");
    assert_eq!(bound.rules, ["WHEN ANY"]);
    assert_eq!(bound.fold.defaults(), [Value::Decimal(0), Value::Null]);
}

#[test]
fn keys() {
    let shape = |clause: &str| {
        let sql = format!(
            "CREATE ENTITY e FROM transactions {clause} STATE (n INT NOT NULL DEFAULT 0) WHEN ANY THEN SET n = n + 1"
        );
        bound(&sql).map(|bound| {
            let columns: Vec<_> =
                bound.columns.iter().map(|c| format!("{} {}", c.name, c.column_type)).collect();
            format!("{} {}", columns.join(", "), bound.by_stream)
        })
    };
    assert_eq!(shape(""), Ok("accountid BIGINT, n INT true".to_owned()));
    assert_eq!(shape("KEY (accountId)"), Ok("accountid BIGINT, n INT true".to_owned()));
    assert_eq!(shape("AS t KEY (t.accountId)"), Ok("accountid BIGINT, n INT true".to_owned()));
    assert_eq!(shape("KEY (note)"), Ok("note TEXT, n INT false".to_owned()));
    assert_eq!(shape("KEY (accountId, day)"), Ok("accountid BIGINT, day DATE, n INT false".to_owned()));
    assert_eq!(shape("KEY (date_trunc('month', timestamp))"), Ok("key TIMESTAMPTZ, n INT false".to_owned()));
    assert_eq!(shape("KEY (note, amount * 2)"), Ok("note TEXT, key2 DECIMAL(37,2), n INT false".to_owned()));
    for (clause, expected) in [
        ("KEY (share)", "line 1, column 40: KEY cannot be DOUBLE: equal ones must have one text"),
        ("KEY (note, note)", "line 1, column 46: KEY names note twice"),
        (
            "KEY (n)",
            "line 1, column 40: there is no column n: the event has accountid, amount, note, timestamp, day, at, share, ok, more, count",
        ),
        ("KEY (state.n)", "line 1, column 40: there is no state here: columns belong to event, transactions"),
    ] {
        assert_eq!(shape(clause), Err(expected.to_owned()));
    }
    check(
        "CREATE ENTITY e FROM transactions STATE (accountId INT) WHEN ANY THEN IGNORE",
        expect!["line 1, column 42: accountid is the entity's key already: give the state another name"],
    );
}

#[test]
fn statements_that_cannot_be_bound() {
    check(
        "CREATE ENTITY e FROM transactions STATE (n INT NOT NULL) WHEN ANY THEN SET n = 1",
        expect!["line 1, column 42: n is NOT NULL: add DEFAULT and its value before the first event"],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n SMALLINT DEFAULT 40000) WHEN ANY THEN SET n = 1",
        expect![[r#"line 1, column 53: the default does not fit: n "40000" is too large for SMALLINT"#]],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n DECIMAL(3,1) DEFAULT 0.25) WHEN ANY THEN SET n = 1",
        expect![[
            r#"line 1, column 57: the default does not fit: n "0.25" has 2 decimals, the column allows 1"#
        ]],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n TIMESTAMPTZ DEFAULT '2023-01-01') WHEN ANY THEN SET n = timestamp",
        expect![[
            r#"line 1, column 56: the default does not fit: n "2023-01-01" has no zone: write it as "2023-12-13T12:00:00Z"; without a zone it fits only a TIMESTAMP"#
        ]],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n INT) WHEN deposited THEN SET n = 1",
        expect![
            "line 1, column 54: topic transactions declares no events: write WHEN ANY, or WHEN (a condition)"
        ],
    );
    check(
        "CREATE ENTITY e FROM bank STATE (n INT) WHEN deposited, opened THEN SET n = 1",
        expect!["line 1, column 57: topic bank has no event opened: it has deposited, closed"],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n INT) WHEN (amount) THEN SET n = 1",
        expect!["line 1, column 55: a condition is needed here, and this is DECIMAL(18,2)"],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (amount DECIMAL(18,2)) WHEN ANY THEN SET amount = amount",
        expect![
            "line 1, column 91: amount is a column of the state and of the event: write state.amount or event.amount"
        ],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n INT) WHEN ANY\n  THEN SET n = m + 1",
        expect![
            "line 2, column 16: there is no column m: the event has accountid, amount, note, timestamp, day, at, share, ok, more, count, the state n"
        ],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n INT) WHEN ANY THEN SET n = state.m",
        expect!["line 1, column 71: the state has no column m: it has n"],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n INT) WHEN ANY THEN SET n = event.m",
        expect![
            "line 1, column 71: there is no column m: the event has accountid, amount, note, timestamp, day, at, share, ok, more, count"
        ],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n INT) WHEN ANY THEN SET n = x.m",
        expect!["line 1, column 71: there is no x here: columns belong to state, event, transactions"],
    );
    check(
        "CREATE ENTITY e FROM transactions STATE (n INT) WHEN ANY THEN SET n = a.b.c",
        expect!["line 1, column 71: a column is written as name or qualifier.name"],
    );
}

#[test]
fn lookups() {
    let on = |on: &str, as_of: &str, expected: Expect| {
        let sql = format!(
            "CREATE ENTITY e FROM transactions LOOKUP rates AS r ON {on} AS OF {as_of} STATE (n DECIMAL(9,6)) WHEN ANY THEN SET n = r.rate"
        );
        let shown = match bound(&sql) {
            Ok(bound) => format!("{:?} {:?}", bound.fold.lookups[0], bound.lookups[0]),
            Err(error) => error,
        };
        expected.assert_eq(&shown);
    };
    on(
        "r.product = note",
        "timestamp",
        expect![[
            r#"Lookup { condition: None, key: [Event(1)], as_of: Event(2) } BoundLookup { columns: [("product", Text), ("rate", Decimal { precision: 9, scale: 6 })], key: [Event(0)], filter: None }"#
        ]],
    );
    on(
        "note = r.product AND r.rate > 0 AND ok",
        "timestamp",
        expect![[
            r#"Lookup { condition: Some(Event(2)), key: [Event(1)], as_of: Event(3) } BoundLookup { columns: [("product", Text), ("rate", Decimal { precision: 9, scale: 6 })], key: [Event(0)], filter: Some(Compare(Greater, Decimal, Event(1), Widen(Literal(Integer(0)), 6))) }"#
        ]],
    );
    on(
        "(r.rate = amount) AND (r.since < '2024-01-01T00:00:00Z')",
        "_append_time",
        expect![[
            r#"Lookup { condition: None, key: [Widen(Event(1), 4)], as_of: Event(2) } BoundLookup { columns: [("rate", Decimal { precision: 9, scale: 6 }), ("since", TimestampTz)], key: [Event(0)], filter: Some(Compare(Less, Integer, Event(1), Literal(Integer(1704067200000000)))) }"#
        ]],
    );
    on(
        "r.product = note OR r.product = 'x'",
        "timestamp",
        expect![
            "line 1, column 56: ON joins conditions with AND, each of them r.column = a value of the event, or about r alone, or about the event alone"
        ],
    );
    on(
        "r.rate < amount",
        "timestamp",
        expect![
            "line 1, column 56: ON joins conditions with AND, each of them r.column = a value of the event, or about r alone, or about the event alone"
        ],
    );
    on(
        "r.product = amount",
        "timestamp",
        expect!["line 1, column 56: TEXT cannot be compared with DECIMAL(18,2)"],
    );
    on(
        "r.products = note",
        "timestamp",
        expect!["line 1, column 56: r has no column products: it has product, rate, since"],
    );
    on(
        "product = note",
        "timestamp",
        expect![
            "line 1, column 56: there is no column product: the event has accountid, amount, note, timestamp, day, at, share, ok, more, count"
        ],
    );
    on(
        "r.product = n",
        "timestamp",
        expect![
            "line 1, column 68: there is no column n: the event has accountid, amount, note, timestamp, day, at, share, ok, more, count"
        ],
    );
    on(
        "r.product = note",
        "day",
        expect!["line 1, column 79: AS OF needs a TIMESTAMPTZ of the event, and this is DATE"],
    );
    on(
        "r.product = note",
        "r.since",
        expect!["line 1, column 79: AS OF can use columns of the event only, and r.since is looked up"],
    );
    on(
        "r.product = note",
        "n",
        expect![
            "line 1, column 79: there is no column n: the event has accountid, amount, note, timestamp, day, at, share, ok, more, count"
        ],
    );
}

#[test]
fn types_of_values() {
    value("INT", "1", expect!["Literal(Integer(1))"]);
    value("BIGINT", "count + 1", expect!["Arithmetic(Add, Integer, Event(1), Literal(Integer(1)))"]);
    value(
        "DECIMAL(18,2)",
        "amount + count",
        expect!["Arithmetic(Add, Decimal, Event(1), Widen(Event(2), 2))"],
    );
    value(
        "DECIMAL(18,4)",
        "amount * 1.05",
        expect!["Arithmetic(Multiply, Decimal, Event(1), Literal(Decimal(105)))"],
    );
    value(
        "DECIMAL(18,2)",
        "amount * 1.05",
        expect!["the value has 4 digits after the point, and s keeps 2: write round(…, 2)"],
    );
    value(
        "DECIMAL(18,2)",
        "amount / 3",
        expect!["the value has 12 digits after the point, and s keeps 2: write round(…, 2)"],
    );
    value(
        "DECIMAL(18,2)",
        "round(amount / 3, 2)",
        expect!["Divide(Event(1), Widen(Literal(Integer(3)), 0), 0)"],
    );
    value(
        "DECIMAL(18,2)",
        "round((amount * 1.005 / 3) + 1, 2)",
        expect![
            "Shorten(Arithmetic(Add, Decimal, Divide(Arithmetic(Multiply, Decimal, Event(1), Literal(Decimal(1005))), Widen(Literal(Integer(3)), 0), 7), Widen(Literal(Integer(1)), 12)), 10, Nearest)"
        ],
    );
    value(
        "DECIMAL(18,2)",
        "amount % 7",
        expect!["Arithmetic(Remainder, Decimal, Event(1), Widen(Literal(Integer(7)), 2))"],
    );
    value(
        "DOUBLE",
        "share * 0.5 + count",
        expect![
            "Arithmetic(Add, Double, Arithmetic(Multiply, Double, Event(1), Float(Literal(Decimal(5)), 1)), Float(Event(2), 0))"
        ],
    );
    value(
        "DOUBLE",
        "amount",
        expect![
            "the value is a DECIMAL, and s is DOUBLE, which is not exact: declare it as DECIMAL, or write CAST(… AS DOUBLE)"
        ],
    );
    value("DOUBLE", "CAST(amount AS DOUBLE)", expect!["Float(Event(1), 2)"]);
    value(
        "DOUBLE",
        "share * amount",
        expect![
            "a DECIMAL cannot be combined with a DOUBLE, which is not exact: write CAST(… AS DOUBLE) around the DECIMAL if that is meant"
        ],
    );
    value("DECIMAL(18,2)", "share", expect!["the value is DOUBLE, and s is DECIMAL(18,2)"]);
    value("INT", "amount", expect!["the value is DECIMAL(18,2), and s is INT"]);
    value("BIGINT", "'1'", expect!["the value is TEXT, and s is BIGINT"]);
    value("TEXT", "note || 'x'", expect![[r#"Concat(Event(1), Literal(Text("x")))"#]]);
    value("TEXT", "note || count", expect!["|| joins texts, and this is an integer"]);
    value("TEXT", "note + 'x'", expect!["+ needs numbers, and this is TEXT: || joins texts"]);
    value(
        "BIGINT",
        "timestamp - timestamp",
        expect!["- needs numbers, and this is TIMESTAMPTZ: days(a, b) counts the days between two"],
    );
    value(
        "BIGINT",
        "days(timestamp, day)",
        expect!["Arithmetic(Subtract, Integer, Event(2), Day(Event(1)))"],
    );
    value(
        "BOOLEAN",
        "amount > 0 AND NOT ok OR note IS NULL",
        expect![
            "Or(And(Compare(Greater, Decimal, Event(1), Widen(Literal(Integer(0)), 2)), Not(Event(2))), IsNull(Event(3)))"
        ],
    );
    value("BOOLEAN", "amount AND ok", expect!["a condition is needed here, and this is DECIMAL(18,2)"]);
    value("BOOLEAN", "ok IS NOT TRUE", expect!["Not(Coalesce([Event(1), Literal(Boolean(false))]))"]);
    value(
        "BOOLEAN",
        "day = '2023-12-13'",
        expect!["Compare(Equal, Integer, Event(1), Literal(Integer(19704)))"],
    );
    value("BOOLEAN", "day = 'yesterday'", expect!["'yesterday' is not a date: write it as '2023-12-13'"]);
    value(
        "BOOLEAN",
        "timestamp < '2023-12-13T12:00:00'",
        expect!["'2023-12-13T12:00:00' is not an instant: write it as '2023-12-13T12:00:00Z', with its zone"],
    );
    value("BOOLEAN", "timestamp < at", expect!["TIMESTAMPTZ cannot be compared with TIMESTAMP"]);
    value("BOOLEAN", "note = amount", expect!["TEXT cannot be compared with DECIMAL(18,2)"]);
    value("BOOLEAN", "more = more", expect!["JSON has no order and no equality"]);
    value("BOOLEAN", "more = note", expect!["JSON cannot be compared with TEXT"]);
    value(
        "BOOLEAN",
        "share = amount",
        expect![
            "a DECIMAL cannot be compared with a DOUBLE, which is not exact: write CAST(… AS DOUBLE) around the DECIMAL if that is meant"
        ],
    );
    value(
        "BOOLEAN",
        "count BETWEEN 1 AND 2.5",
        expect![
            "And(Compare(AtLeast, Integer, Event(1), Literal(Integer(1))), Compare(AtMost, Decimal, Widen(Event(1), 1), Literal(Decimal(25))))"
        ],
    );
    value(
        "BOOLEAN",
        "count NOT IN (1, 2)",
        expect![
            "Not(Or(Or(Literal(Boolean(false)), Compare(Equal, Integer, Event(1), Literal(Integer(1)))), Compare(Equal, Integer, Event(1), Literal(Integer(2)))))"
        ],
    );
    value("DATE", "CAST(timestamp AS DATE)", expect!["Day(Event(1))"]);
    value("TIMESTAMP", "day::timestamp", expect!["Midnight(Event(1))"]);
    value("TIMESTAMPTZ", "TIMESTAMPTZ '2023-12-13T12:00:00Z'", expect!["Literal(Integer(1702468800000000))"]);
    value("DATE", "DATE '2023-12-13'", expect!["Literal(Integer(19704))"]);
    value(
        "INT",
        "CASE count WHEN 1 THEN 2 ELSE 3 END",
        expect![
            "Case([(Compare(Equal, Integer, Event(1), Literal(Integer(1))), Literal(Integer(2)))], Literal(Integer(3)))"
        ],
    );
    value("TEXT", "CASE WHEN ok THEN note END", expect!["Case([(Event(1), Event(2))], Literal(Null))"]);
    value(
        "TEXT",
        "CASE WHEN ok THEN note ELSE 1 END",
        expect!["TEXT cannot be a result of one CASE beside an integer"],
    );
    value("JSON", "more", expect!["Event(1)"]);
    value("JSON", "note", expect!["the value is TEXT, and s is JSON"]);
    value("BIGINT", "-9223372036854775808", expect!["Literal(Integer(-9223372036854775808))"]);
    value("BIGINT", "-count", expect!["Negate(Integer, Event(1))"]);
    value("BIGINT", "-note", expect!["- needs a number, and this is TEXT"]);
}

#[test]
fn functions() {
    value(
        "DECIMAL(18,2)",
        "coalesce(amount, 0)",
        expect!["Coalesce([Event(1), Widen(Literal(Integer(0)), 2)])"],
    );
    value(
        "DECIMAL(18,2)",
        "coalesce(amount, note)",
        expect!["DECIMAL(18,2) cannot be an argument of coalesce beside TEXT"],
    );
    value(
        "DECIMAL(18,2)",
        "greatest(amount, 1.5, count)",
        expect!["Extreme(Greatest, Decimal, [Event(1), Widen(Literal(Decimal(15)), 1), Widen(Event(2), 2)])"],
    );
    value(
        "DECIMAL(18,2)",
        "nullif(amount, 0)",
        expect![
            "Case([(Compare(Equal, Decimal, Event(1), Widen(Literal(Integer(0)), 2)), Literal(Null))], Event(1))"
        ],
    );
    value("DECIMAL(18,2)", "abs(amount)", expect!["Absolute(Decimal, Event(1))"]);
    value("DECIMAL(18,2)", "floor(amount)", expect!["Widen(Shorten(Event(1), 2, Down), 2)"]);
    value("BIGINT", "ceil(count)", expect!["Event(1)"]);
    value("DECIMAL(18,4)", "power(amount, 2)", expect!["Power(Decimal, Event(1), 2)"]);
    value(
        "DECIMAL(18,4)",
        "power(amount, count)",
        expect!["power takes the exponent as a constant from 0 to 255"],
    );
    value(
        "DECIMAL(18,4)",
        "power(amount, 30)",
        expect!["the power has more than 38 digits after the point: round(…) its base first"],
    );
    value("DOUBLE", "power(share, 2)", expect!["power is for integers and DECIMAL, and this is DOUBLE"]);
    value("TIMESTAMPTZ", "date_trunc('month', timestamp)", expect!["Truncate(Month, Event(1))"]);
    value(
        "TIMESTAMPTZ",
        "date_trunc('decade', timestamp)",
        expect![
            "date_trunc takes 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter' or 'year', then a time"
        ],
    );
    value(
        "TIMESTAMPTZ",
        "date_trunc('month', day)",
        expect!["date_trunc takes a TIMESTAMP or TIMESTAMPTZ, and this is DATE"],
    );
    value("TEXT", "upper(lower(note))", expect!["Upper(Lower(Event(1)))"]);
    value("INT", "length(note)", expect!["Length(Event(1))"]);
    value("INT", "length(count)", expect!["length takes a TEXT, and this is an integer"]);
    value(
        "DECIMAL(18,2)",
        "round(amount, count)",
        expect!["round takes the number of digits as a constant from 0 to 38"],
    );
    value(
        "DECIMAL(18,2)",
        "round(amount, 39)",
        expect!["round takes the number of digits as a constant from 0 to 38"],
    );
    value("DECIMAL(18,1)", "round(amount, 1)", expect!["Shorten(Event(1), 1, Nearest)"]);
    value(
        "DOUBLE",
        "round(share, 1)",
        expect!["round is for DECIMAL, and a DOUBLE is not exact: declare the column as DECIMAL"],
    );
    value("TEXT", "round(note, 1)", expect!["round takes a number, and this is TEXT"]);
    value("BIGINT", "round(count)", expect!["Event(1)"]);
    value("BIGINT", "round()", expect!["round does not take 0 arguments"]);
    value("BIGINT", "abs(note)", expect!["abs takes a number, and this is TEXT"]);
    value("BIGINT", "days(1, day)", expect!["days takes dates or times, and this is an integer"]);
    value(
        "TIMESTAMPTZ",
        "now()",
        expect!["now() would give another state at each replay: use _append_time, or a column of the event"],
    );
    value(
        "DOUBLE",
        "random()",
        expect![
            "random() would give another state at each replay: use _append_time, or a column of the event"
        ],
    );
    value(
        "BIGINT",
        "sum(count)",
        expect![
            "rules have no function sum: they have abs, ceil, coalesce, date_trunc, days, floor, greatest, least, length, lower, nullif, power, round and upper"
        ],
    );
    value(
        "BIGINT",
        "abs(DISTINCT count)",
        expect!["abs in a rule takes values only: no *, DISTINCT, FILTER or OVER"],
    );
    value(
        "BIGINT",
        "abs(count) OVER ()",
        expect!["abs in a rule takes values only: no *, DISTINCT, FILTER or OVER"],
    );
    value("BIGINT", "count & 1", expect!["rules do not support the operator &"]);
    value("BOOLEAN", "note LIKE 'a%'", expect!["rules do not support note LIKE 'a%'"]);
    value("BIGINT", "CAST(note AS BIGINT)", expect!["TEXT cannot be cast to an integer"]);
    value(
        "TEXT",
        "CAST(count AS VARCHAR)",
        expect![
            "rules cannot cast to VARCHAR: to BIGINT, DECIMAL(p,s), DOUBLE, DATE, TIMESTAMP and TIMESTAMPTZ they can"
        ],
    );
    value("DECIMAL(18,1)", "CAST(amount AS DECIMAL(18,1))", expect!["Shorten(Event(1), 1, Nearest)"]);
    value("DECIMAL(18,3)", "CAST(amount AS DECIMAL(18,3))", expect!["Widen(Event(1), 1)"]);
    value(
        "DOUBLE",
        "1e3",
        expect!["1e3 is not a number here: write it with digits and a point only, as 1500 or 0.05"],
    );
    value(
        "DECIMAL(38,0)",
        "123456789012345678901234567890123456789",
        expect![
            "123456789012345678901234567890123456789 has more digits than the 38 that a constant can have"
        ],
    );
}
