//! Statements about entities: how they are read, and what is said of those that are none.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::*;
use crate::ddl::{Statement, parse};

mod refusals;

/// Reads `sql`; expressions are shown in `‹ ›`.
fn check(sql: &str, expected: Expect) {
    let shown = match parse(sql) {
        Ok(Statement::CreateEntity(create)) => shown(&create),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&shown);
}

fn shown(create: &CreateEntity) -> String {
    let mut out = format!(
        "{}{} from {}",
        if create.or_replace { "or replace " } else { "" },
        create.name,
        create.topic.folded
    );
    let exprs = |exprs: &[Expr]| exprs.iter().map(|expr| format!(" ‹{expr}›")).collect::<String>();
    if let Some(alias) = &create.alias {
        let _ = write!(out, " as {}", alias.folded);
    }
    if !create.key.is_empty() {
        let _ = write!(out, " key{}", exprs(&create.key));
    }
    if create.order_by_event_time {
        out.push_str(" by event time");
    }
    for Lookup { relation, alias, on, as_of } in &create.lookups {
        let _ = write!(out, "\nlookup {} as {} on ‹{on}› as of ‹{as_of}›", relation.folded, alias.folded);
    }
    for StateColumn { name, column_type, nullable, default } in &create.state {
        let _ =
            write!(out, "\nstate {} {column_type}{}", name.folded, if *nullable { "" } else { " not null" });
        if let Some(default) = default {
            let _ = write!(out, " default ‹{default}›");
        }
    }
    for Rule { events, condition, action, at } in &create.rules {
        let events = events.as_ref().map_or("any".to_owned(), |events| {
            events.iter().map(|event| event.folded.as_str()).collect::<Vec<_>>().join("|")
        });
        let _ = write!(out, "\n{at:?} {events}{}", exprs(condition.as_slice()));
        out.push_str(&of_action(action));
    }
    if let Some(action) = &create.otherwise {
        let _ = write!(out, "\nelse{}", of_action(action));
    }
    out
}

fn of_action(action: &Action) -> String {
    match action {
        Action::Set(columns) => {
            let set = columns.iter().map(|(name, expr)| format!(" {} = ‹{expr}›", name.folded));
            format!(" -> set{}", set.collect::<String>())
        }
        other => format!(" -> {other:?}"),
    }
}

#[test]
fn definitions() {
    check(
        "CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
  WHEN ANY THEN SET balance = balance + amount;",
        expect![[r#"
            account from transactions
            state balance DECIMAL(18,2) not null default ‹0›
            Location(2,3) any -> set balance = ‹balance + amount›"#]],
    );
    check("CREATE OR REPLACE ENTITY account FROM transactions LOOKUP rates AS r ON r.product = 'savings' AS OF timestamp
  STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, last TIMESTAMPTZ)
  WHEN ANY THEN SET last = timestamp, balance = balance + amount
    + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2);", expect![[r#"
        or replace account from transactions
        lookup rates as r on ‹r.product = 'savings'› as of ‹timestamp›
        state balance DECIMAL(18,2) not null default ‹0›
        state last TIMESTAMPTZ
        Location(3,3) any -> set last = ‹timestamp› balance = ‹balance + amount + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2)›"#]]);
    check(
        "CREATE ENTITY acct FROM bank STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
  WHEN deposited THEN SET balance = balance + amount
  WHEN withdrawn THEN SET balance = balance - amount
  WHEN closed THEN DELETE
  ELSE ERROR 'unknown event'",
        expect![[r#"
            acct from bank
            state balance DECIMAL(18,2) not null default ‹0›
            Location(2,3) deposited -> set balance = ‹balance + amount›
            Location(3,3) withdrawn -> set balance = ‹balance - amount›
            Location(4,3) closed -> Delete
            else -> Error("unknown event")"#]],
    );
    check("create entity \"E.1\" from \"T\" as x key (a, lower(b) || '!') order by event time
 lookup l1 as p on p.k = x.k and p.day is not null as of t.timestamp
 lookup l2 as q on q.k = x.k as of timestamp + interval '1' day
 state (\"A\" text default 'x', n smallint default -1, d double default 1.5, b boolean not null default true, j json, z date default null)
 when a, b and (n > 0) then ignore when (case when n = 1 then true else false end) then set n = case n when 1 then 2 else 3 end, b = not b when \"any\" then delete when any and (b) then error 'it''s' else ignore", expect![[r#"
     E.1 from T as x key ‹a› ‹lower(b) || '!'› by event time
     lookup l1 as p on ‹p.k = x.k AND p.day IS NOT NULL› as of ‹t.timestamp›
     lookup l2 as q on ‹q.k = x.k› as of ‹timestamp + INTERVAL '1' DAY›
     state A TEXT default ‹'x'›
     state n SMALLINT default ‹-1›
     state d DOUBLE default ‹1.5›
     state b BOOLEAN not null default ‹true›
     state j JSON
     state z DATE default ‹NULL›
     Location(5,2) a|b ‹n > 0› -> Ignore
     Location(5,36) any ‹CASE WHEN n = 1 THEN true ELSE false END› -> set n = ‹CASE n WHEN 1 THEN 2 ELSE 3 END› b = ‹NOT b›
     Location(5,140) any -> Delete
     Location(5,163) any ‹b› -> Error("it's")
     else -> Ignore"#]]);
}

#[test]
fn where_sqlparser_could_read_too_far() {
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS r2 ON true AS OF timestamp STATE (a INT) WHEN ANY THEN DELETE",
        expect![[r#"
            e from t
            lookup r as r2 on ‹true› as of ‹timestamp›
            state a INT
            Location(1,77) any -> Delete"#]],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS r2 ON r2.date = date AS OF t.timestamp LOOKUP s AS s2 ON s2.x AS OF date STATE (a INT) WHEN ANY THEN DELETE",
        expect![[r#"
            e from t
            lookup r as r2 on ‹r2.date = date› as of ‹t.timestamp›
            lookup s as s2 on ‹s2.x› as of ‹date›
            state a INT
            Location(1,123) any -> Delete"#]],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS r2 ON r2.a IN (1, 2) AS OF TIMESTAMPTZ '2024-01-01T00:00:00Z' STATE (a INT) WHEN ANY THEN DELETE",
        expect![[r#"
            e from t
            lookup r as r2 on ‹r2.a IN (1, 2)› as of ‹TIMESTAMPTZ '2024-01-01T00:00:00Z'›
            state a INT
            Location(1,112) any -> Delete"#]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, c INT) WHEN x THEN SET a = b, c = d ELSE DELETE",
        expect![[r#"
            e from t
            state a INT
            state c INT
            Location(1,45) x -> set a = ‹b› c = ‹d›
            else -> Delete"#]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, c INT) WHEN x THEN SET a = b + 1 WHEN closed THEN SET c = timestamp WHEN ANY THEN SET a = date, c = a",
        expect![[r#"
            e from t
            state a INT
            state c INT
            Location(1,45) x -> set a = ‹b + 1›
            Location(1,71) closed -> set c = ‹timestamp›
            Location(1,106) any -> set a = ‹date› c = ‹a›"#]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, c INT) WHEN x THEN SET a = a = c, c = interval ELSE DELETE",
        expect![[r#"
            e from t
            state a INT
            state c INT
            Location(1,45) x -> set a = ‹a = c› c = ‹interval›
            else -> Delete"#]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT) WHEN (a > 1 AND (b OR NOT c)) THEN SET a = b::BIGINT ELSE IGNORE",
        expect![[r#"
            e from t
            state a INT
            Location(1,38) any ‹a > 1 AND (b OR NOT c)› -> set a = ‹b::BIGINT›
            else -> Ignore"#]],
    );
    check(
        "CREATE ENTITY e FROM t key STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 28: found STATE, expected ("],
    );
    check(
        "CREATE ENTITY e FROM t state STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 30: found STATE, expected ("],
    );
    check(
        "CREATE ENTITY e FROM t STATE (state INT, event INT) WHEN ANY THEN SET state = state.state + event.x, event = CAST(event.event AS INT)",
        expect![[r#"
            e from t
            state state INT
            state event INT
            Location(1,53) any -> set state = ‹state.state + event.x› event = ‹CAST(event.event AS INT)›"#]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a TEXT) WHEN ANY THEN SET a = substring(x FROM 1 FOR 2) || trim(both ' ' from y) || extract(year from z)::text",
        expect![[r#"
            e from t
            state a TEXT
            Location(1,39) any -> set a = ‹SUBSTRING(x FROM 1 FOR 2) || TRIM(BOTH ' ' FROM y) || EXTRACT(YEAR FROM z)::TEXT›"#]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a BOOLEAN) WHEN ANY THEN SET a = x BETWEEN 1 AND 2 AND y LIKE 'a%' AND z IS DISTINCT FROM 3 OR w AT TIME ZONE 'UTC' > v",
        expect![[r#"
            e from t
            state a BOOLEAN
            Location(1,42) any -> set a = ‹x BETWEEN 1 AND 2 AND y LIKE 'a%' AND z IS DISTINCT FROM 3 OR w AT TIME ZONE 'UTC' > v›"#]],
    );
    check(
        "ALTER ENTITY e SKIP EVENT 12",
        expect![[r#"AlterEntity(AlterEntity { name: TopicName("e"), skip: Position(Position(12)) })"#]],
    );
    check(
        "ALTER ENTITY e SKIP EVENT 'id-1';",
        expect![[r#"AlterEntity(AlterEntity { name: TopicName("e"), skip: Id("id-1") })"#]],
    );
    check("DROP ENTITY e", expect![[r#"DropEntity(DropEntity { name: TopicName("e"), version: None })"#]]);
    check(
        "DROP ENTITY e VERSION 3;",
        expect![[r#"DropEntity(DropEntity { name: TopicName("e"), version: Some(3) })"#]],
    );
}

/// Its own text says the same again, without what stands around it.
#[test]
fn the_text_of_a_statement() {
    let entity = |sql: &str| match parse(sql).unwrap() {
        Statement::CreateEntity(create) => *create,
        other => panic!("{other:?}"),
    };
    let written = "CREATE ENTITY e FROM t -- ä\r\n  STATE (a TEXT)\n WHEN x /* ; */ THEN SET a = 'ö;\n'";
    for around in ["{}", "  {} ; ", "-- before\n\t{}\n;\n -- after", "{};"] {
        let create = entity(&around.replace("{}", written));
        assert_eq!(create.text, written);
        assert_eq!(shown(&entity(&create.text)), shown(&entity(written)));
    }
}

/// Nothing that is small as a text takes long, or more of the stack than there is.
#[test]
fn expressions_are_bounded() {
    let error = |expr: &str| {
        let sql = format!("CREATE ENTITY e FROM t STATE (a INT) WHEN ANY THEN SET a = {expr}");
        parse(&sql).map(drop).map_err(|error| error.to_string())
    };
    let too_large = error(&"(".repeat(1000)).unwrap_err();
    expect!["line 1, column 60: the expression is too large: it may have 1000 words, numbers and signs, nested 50 levels deep. Split it over several columns"].assert_eq(&too_large);
    let nested = |before: &str, depth: usize, middle: &str, after: &str| {
        format!("{}{middle}{}", before.repeat(depth), after.repeat(depth))
    };
    for (before, after) in
        [("f(", ")"), ("(", ")"), ("f(1 + ", ")"), ("CASE WHEN ", " THEN 1 END"), ("coalesce(1, ", ")")]
    {
        assert_eq!(error(&nested(before, 10, "a", after)), Ok(()), "{before}");
        assert_eq!(error(&nested(before, 60, "a", after)), Err(too_large.clone()), "{before}");
    }
    for beyond in [
        nested("NOT ", 60, "a", ""),
        nested("- ", 60, "a", ""),
        nested("a + ", 600, "a", ""),
        nested("", 600, "a", " IS NULL"),
        nested("", 600, "a", "::INT"),
        nested("a AND ", 10_000, "a", ""),
        nested("", 600, "a", "[1]"),
        nested("INTERVAL ", 300, "a", ""),
        nested("", 300, "CAST(a AS INT", "[])"),
    ] {
        assert!(error(&beyond).is_err(), "{}", &beyond[..40]);
    }
    for strange in [
        "floor(",
        "f(x => ",
        "CAST(",
        "EXTRACT(",
        "INTERVAL (",
        "CASE ",
        "{fn f(",
        "TRIM(",
        "a[",
        "ARRAY[",
        "x IN (",
        "ANY(",
        "f(DISTINCT ",
        "f() OVER (PARTITION BY ",
        "ROW(",
        "CONVERT(",
        "OVERLAY(",
        "POSITION(",
    ] {
        for depth in [9, 45, 200] {
            assert!(error(&strange.repeat(depth)).is_err(), "{strange}");
            assert!(error(&format!("{} b", nested(strange, depth, "a b", ")"))).is_err(), "{strange}");
        }
    }
    let many = vec!["a"; 1000].join(", ");
    assert_eq!(error(&format!("f({many})")), Err(too_large));
    let long = format!("'{}'", "x".repeat(64 << 10));
    expect!["line 1, column 1: the statement has 65597 bytes, the limit is 65536"]
        .assert_eq(&error(&long).unwrap_err());
}
