//! Statements about entities: how they are read, and what is said of those that are none.

use std::fmt::Write;

use expect_test::{Expect, expect};

use super::*;
use crate::ddl::{Statement, parse};

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

#[test]
fn clauses_that_are_none() {
    check("CREATE OR TOPIC t", expect!["line 1, column 11: found TOPIC, expected REPLACE"]);
    check("CREATE OR REPLACE TOPIC t", expect!["line 1, column 19: found TOPIC, expected ENTITY"]);
    check(
        "ALTER OR REPLACE ENTITY e",
        expect![
            "line 1, column 7: found OR; the statements are CREATE, ALTER and DROP TOPIC, and CREATE, ALTER and DROP ENTITY"
        ],
    );
    check("CREATE ENTITY", expect!["line 1, column 14: found the end, expected the name of an entity"]);
    check(
        "CREATE ENTITY _e FROM t STATE (a INT) WHEN ANY THEN DELETE",
        expect![[
            r#"line 1, column 15: "_e" is reserved: names that begin with an underscore are the system's"#
        ]],
    );
    check(
        "CREATE ENTITY e_errors FROM t STATE (a INT) WHEN ANY THEN DELETE",
        expect![[
            r#"line 1, column 15: "e_errors" is reserved: names that end in _errors show the errors of another topic or view"#
        ]],
    );
    check(
        "CREATE ENTITY a.b FROM t STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 16: found ., expected a name of letters, digits and underscores, or any name in double quotes"
        ],
    );
    check(
        "CREATE ENTITY \"a b\" FROM t STATE (a INT) WHEN ANY THEN DELETE",
        expect![[
            r#"line 1, column 15: "a b" is not a topic name: use 1 to 249 letters, digits, dots, underscores or dashes"#
        ]],
    );
    check("CREATE ENTITY e STATE (a INT)", expect!["line 1, column 17: found STATE, expected FROM"]);
    check("CREATE ENTITY e FROM", expect!["line 1, column 21: found the end, expected the name of a topic"]);
    check(
        "CREATE ENTITY e FROM t",
        expect!["line 1, column 23: found the end, expected KEY, ORDER BY EVENT TIME, LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t AS 1",
        expect!["line 1, column 27: found 1, expected another name for the topic"],
    );
    check(
        "CREATE ENTITY e FROM t WHEN ANY THEN DELETE",
        expect!["line 1, column 24: found WHEN, expected KEY, ORDER BY EVENT TIME, LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t x y STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 26: found y, expected KEY, ORDER BY EVENT TIME, LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t KEY a STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 28: found a, expected ("],
    );
    check(
        "CREATE ENTITY e FROM t KEY (a b) STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 31: found b, expected a comma or a closing parenthesis"],
    );
    check(
        "CREATE ENTITY e FROM t KEY () STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 29: found ), expected an expression"],
    );
    check(
        "CREATE ENTITY e FROM t KEY (a) ORDER BY TIME STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 41: found TIME, expected EVENT"],
    );
    check(
        "CREATE ENTITY e FROM t KEY (a) KEY (b) STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 32: found KEY, expected ORDER BY EVENT TIME, LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t ORDER BY EVENT TIME KEY (a) STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 44: found KEY, expected LOOKUP or STATE"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r ON a = b AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 33: found ON, expected AS"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 38: found AS, expected ON"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a = b STATE (a INT)",
        expect!["line 1, column 47: found STATE, expected AS OF and a time"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a = b AS RECORDED STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 50: LOOKUP … AS RECORDED is not supported yet: write AS OF and the time to look at, such as AS OF timestamp"
        ],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a = b AS c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 50: found c, expected OF"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a = b AS OF STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 62: found INT, expected )"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS x ON a AS OF c LOOKUP s AS x ON a AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 63: name x is defined twice"],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS t ON a AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 36: name t is defined twice"],
    );
    check(
        "CREATE ENTITY e FROM t AS x LOOKUP r AS X ON a AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect!["line 1, column 41: name x is defined twice"],
    );
    check(
        "CREATE ENTITY e FROM t AS state STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 27: state cannot be another name: state, event and param mean something in expressions"
        ],
    );
    check(
        "CREATE ENTITY e FROM t LOOKUP r AS event ON a AS OF c STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 36: event cannot be another name: state, event and param mean something in expressions"
        ],
    );
    check(
        "CREATE ENTITY e FROM t param STATE (a INT) WHEN ANY THEN DELETE",
        expect![
            "line 1, column 24: param cannot be another name: state, event and param mean something in expressions"
        ],
    );
    check("CREATE ENTITY e FROM t STATE a INT", expect!["line 1, column 30: found a, expected ("]);
    check(
        "CREATE ENTITY e FROM t STATE ()",
        expect!["line 1, column 31: found ), expected the name of a column"],
    );
    check("CREATE ENTITY e FROM t STATE (a)", expect!["line 1, column 32: found ), expected a type"]);
    check(
        "CREATE ENTITY e FROM t STATE (a MONEY)",
        expect!["line 1, column 33: MONEY is not a type here: write DECIMAL(18,2)"],
    );
    check("CREATE ENTITY e FROM t STATE (a INT NOT)", expect!["line 1, column 40: found ), expected NULL"]);
    check(
        "CREATE ENTITY e FROM t STATE (a INT UNIT SECONDS)",
        expect![
            "line 1, column 37: found UNIT, expected NOT NULL, DEFAULT, a comma or a closing parenthesis"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT NOT NULL UNIT)",
        expect!["line 1, column 46: found UNIT, expected DEFAULT, a comma or a closing parenthesis"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT 0 NOT NULL)",
        expect![
            "line 1, column 47: found NOT, expected a comma or a closing parenthesis (NOT NULL stands before DEFAULT)"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT b)",
        expect![
            "line 1, column 45: found b, expected a number, a text in single quotes, TRUE, FALSE or NULL"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT -'x')",
        expect![
            "line 1, column 46: found 'x', expected a number, a text in single quotes, TRUE, FALSE or NULL"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT 1 + 1)",
        expect![
            "line 1, column 47: found +, expected a comma or a closing parenthesis (NOT NULL stands before DEFAULT)"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT 'x')",
        expect![[
            r#"line 1, column 37: the default does not fit: a "x" is a string, and the column is INT: write a number without quotes"#
        ]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT 2147483648)",
        expect![[r#"line 1, column 37: the default does not fit: a "2147483648" is too large for INT"#]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a DECIMAL(4,2) DEFAULT 0.005)",
        expect![[
            r#"line 1, column 46: the default does not fit: a "0.005" has 3 decimals, the column allows 2"#
        ]],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT NOT NULL DEFAULT NULL)",
        expect![
            "line 1, column 46: the default does not fit: a is missing or null, and the column is NOT NULL"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a TIMESTAMPTZ DEFAULT 5)",
        expect![
            "line 1, column 45: the default does not fit: write a time in single quotes, as '2023-12-13T12:00:00Z'"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT DEFAULT .5)",
        expect![
            "line 1, column 37: the default does not fit: write the number .5 as JSON has it: 0.5, not .5 or 5. or 05"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, A TEXT) WHEN ANY THEN DELETE",
        expect!["line 1, column 38: column a is defined twice"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (_a INT) WHEN ANY THEN DELETE",
        expect![[
            r#"line 1, column 31: "_a" is reserved: columns that begin with an underscore are the system's; use another name"#
        ]],
    );
}

#[test]
fn rules_that_are_none() {
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT)",
        expect![
            "line 1, column 45: found the end, expected WHEN: an entity needs a rule, such as WHEN ANY THEN SET …"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) ELSE DELETE",
        expect![
            "line 1, column 46: found ELSE, expected WHEN: an entity needs a rule, such as WHEN ANY THEN SET …"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN",
        expect![
            "line 1, column 50: found the end, expected ANY, the name of an event, or a condition in parentheses"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN 'x' THEN DELETE",
        expect![
            "line 1, column 51: found 'x', expected ANY, the name of an event, or a condition in parentheses"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN a b THEN DELETE",
        expect!["line 1, column 53: found b, expected a comma, AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN a, THEN DELETE",
        expect!["line 1, column 59: found DELETE, expected a comma, AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN a = 1 THEN DELETE",
        expect!["line 1, column 53: found =, expected a comma, AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY b THEN DELETE",
        expect!["line 1, column 55: found b, expected AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY, b THEN DELETE",
        expect!["line 1, column 54: found ,, expected AND (condition) or THEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x AND a = 1 THEN DELETE",
        expect!["line 1, column 57: found a, expected a condition in parentheses"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN (a) = 1 THEN DELETE",
        expect!["line 1, column 55: found =, expected THEN (all of a condition stands in parentheses)"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN (a b) THEN DELETE",
        expect!["line 1, column 54: found b, expected an operator or a closing parenthesis"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN (a",
        expect!["line 1, column 53: found the end, expected an operator or a closing parenthesis"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x, y, X THEN DELETE",
        expect!["line 1, column 57: this WHEN names the event x twice"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN",
        expect!["line 1, column 59: found the end, expected SET, DELETE, IGNORE or ERROR"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN UPDATE",
        expect!["line 1, column 60: found UPDATE, expected SET, DELETE, IGNORE or ERROR"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN ERROR",
        expect!["line 1, column 65: found the end, expected what is wrong, in single quotes"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET",
        expect!["line 1, column 63: found the end, expected the name of a column"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a + 1",
        expect!["line 1, column 66: found +, expected ="],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a =",
        expect!["line 1, column 67: found the end, expected an expression"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = 1,",
        expect!["line 1, column 70: found the end, expected the name of a column"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = 1 b = 2",
        expect!["line 1, column 70: found b, expected WHEN, ELSE or the end"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET c = 1",
        expect!["line 1, column 64: SET names c, which is not a column of STATE: there are a, b"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = 1, b = 'x', A = 2",
        expect![
            "line 1, column 80: SET names a twice: every column gets one value, computed from the row as it was"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN IGNORE ELSE SET z = 1",
        expect!["line 1, column 74: SET names z, which is not a column of STATE: there are a, b"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN IGNORE WHEN x THEN DELETE",
        expect![
            "line 1, column 67: nothing after WHEN ANY is ever reached: put it before, or write WHEN ANY AND (condition)"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN IGNORE ELSE DELETE",
        expect![
            "line 1, column 67: nothing after WHEN ANY is ever reached: put it before, or write WHEN ANY AND (condition)"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN IGNORE ELSE DELETE ELSE IGNORE",
        expect!["line 1, column 77: ELSE is the last rule, and there is one: put ELSE before it"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN IGNORE ELSE DELETE WHEN y THEN IGNORE",
        expect!["line 1, column 77: ELSE is the last rule, and there is one: put WHEN before it"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN DELETE COMMAND c () EMIT x",
        expect!["line 1, column 65: found COMMAND, expected WHEN, ELSE or the end"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN DELETE ELSE IGNORE COMMAND c () EMIT x",
        expect!["line 1, column 77: found COMMAND, expected the end"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN x THEN DELETE; DROP ENTITY e",
        expect!["line 1, column 66: found DROP after the end of the statement: run one statement at a time"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) 
WHEN ANY THEN SET a = 1 +
  * 2",
        expect!["line 3, column 3: found *, expected an expression"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = round(1, ",
        expect!["line 1, column 77: found the end, expected an expression"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = CASE x END",
        expect!["line 1, column 75: found END, expected WHEN"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = (SELECT 1)",
        expect![
            "line 1, column 68: a query cannot stand here: for rows of other relations write LOOKUP, and a name that is such a word in double quotes"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY AND (EXISTS (VALUES (1))) THEN DELETE",
        expect![
            "line 1, column 67: a query cannot stand here: for rows of other relations write LOOKUP, and a name that is such a word in double quotes"
        ],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = CAST(x AS ARRAY<INT>)",
        expect!["line 1, column 78: ARRAY is not a type here: write JSON"],
    );
    check(
        "CREATE ENTITY e FROM t STATE (a INT, b TEXT) WHEN ANY THEN SET a = 'x",
        expect!["line 1, column 68: Unterminated string literal"],
    );
}

#[test]
fn changes_that_are_none() {
    check("ALTER ENTITY", expect!["line 1, column 13: found the end, expected the name of an entity"]);
    check("ALTER ENTITY e", expect!["line 1, column 15: found the end, expected SKIP"]);
    check("ALTER ENTITY e SKIP 1", expect!["line 1, column 21: found 1, expected EVENT"]);
    check(
        "ALTER ENTITY e SKIP EVENT x",
        expect!["line 1, column 27: found x, expected the position of an event, or its id in single quotes"],
    );
    check(
        "ALTER ENTITY e SKIP EVENT 0",
        expect![
            "line 1, column 27: no event has this position or id: positions begin at 1, and an id is not empty"
        ],
    );
    check(
        "ALTER ENTITY e SKIP EVENT ''",
        expect![
            "line 1, column 27: no event has this position or id: positions begin at 1, and an id is not empty"
        ],
    );
    check(
        "ALTER ENTITY e SKIP EVENT 9223372036854775808",
        expect![
            "line 1, column 27: no event has this position or id: positions begin at 1, and an id is not empty"
        ],
    );
    check(
        "ALTER ENTITY e SKIP EVENT -1",
        expect!["line 1, column 27: found -, expected the position of an event, or its id in single quotes"],
    );
    check("ALTER ENTITY e SKIP EVENT 1 2", expect!["line 1, column 29: found 2, expected the end"]);
    check("DROP ENTITY", expect!["line 1, column 12: found the end, expected the name of an entity"]);
    check("DROP ENTITY e CASCADE", expect!["line 1, column 15: found CASCADE, expected VERSION or the end"]);
    check(
        "DROP ENTITY e VERSION",
        expect!["line 1, column 22: found the end, expected the number of a version"],
    );
    check(
        "DROP ENTITY e VERSION 0",
        expect!["line 1, column 23: no entity has a version 0: they begin at 1"],
    );
    check(
        "DROP ENTITY e VERSION 4294967296",
        expect!["line 1, column 23: no entity has a version 4294967296: they begin at 1"],
    );
    check("DROP ENTITY e VERSION 1 2", expect!["line 1, column 25: found 2, expected the end"]);
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
