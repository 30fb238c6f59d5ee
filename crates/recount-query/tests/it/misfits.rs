//! Events that do not fit their topic's columns. A column that was added later may find other things in events of before.

use expect_test::expect;

use crate::support::Bench;

#[test]
fn they_are_a_relation_of_their_own() {
    let (bench, _views) = Bench::with_entities();
    for topic in ["kept", "refused"] {
        let on_error = if topic == "kept" { "KEEP" } else { "REFUSE" };
        bench.execute(&format!("CREATE TOPIC {topic} (k INT NOT NULL) KEY (k) ON ERROR {on_error}"));
        for payload in
            [r#"{"k": 1, "n": 5}"#, r#"{"k": 2, "n": "five"}"#, r#"{"k": 3}"#, r#"{"k": 2, "n": 1.5}"#]
        {
            bench.append(topic, payload);
        }
        bench.execute(&format!("ALTER TOPIC {topic} ADD COLUMN n INT"));
    }
    bench.execute("CREATE TOPIC \"odd-name\" (k INT)");
    expect![[r#"
        > SELECT * FROM kept
        k | n
        1 | 5
        3 | NULL
        notice: 2 events of kept do not fit its columns and are left out: see kept_errors
        > SELECT * FROM refused
        error: the event at position 9 does not fit the columns of refused: n "five" is a string, and the column is INT: write a number without quotes. All such events: refused_errors
        > SELECT _position, _stream, CAST(_value AS TEXT) AS value, error FROM kept_errors
        _position | _stream | value | error
        3 | kept/2 | {"k": 2, "n": "five"} | n "five" is a string, and the column is INT: write a number without quotes
        5 | kept/2 | {"k": 2, "n": 1.5} | n "1.5" has 1 decimal, the column allows 0
        > SELECT count(*) FROM refused_errors
        count(*)
        2
        > SELECT count(*) FROM kept_errors WHERE _stream = 'kept/2' AND _position > 4
        count(*)
        1
        > SELECT error, _offset FROM kept_errors AS OF POSITION 3
        error | _offset
        n "five" is a string, and the column is INT: write a number without quotes | 1
        > SELECT _position, _system_to FROM kept_errors FOR SYSTEM_TIME ALL LIMIT 1
        _position | _system_to
        3 | NULL
        > EXPLAIN SELECT error FROM kept_errors
        plan
        Scan: topic kept_errors, whole, as of position 13, at most 4 events in memory; 1 of 5 columns decoded: [error]
        > SELECT n FROM kept_errors
        error: schema error: No field named n.
        Valid fields are kept_errors._position, kept_errors._append_time, kept_errors._stream, kept_errors._value, kept_errors.error, kept_errors._revision, kept_errors._partition, kept_errors._offset, kept_errors._id, kept_errors._type, kept_errors._tags, kept_errors._event_time, kept_errors._key, kept_errors._headers.
        > SELECT _revision FROM kept_errors
        error: _revision is known only where one stream is read: add WHERE _stream = 'kept/…', or leave it out
        > SELECT * FROM kept_errors FOR VERSION 1
        error: there is no entity kept_errors
        > SELECT * FROM kept_errors FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))
        error: kept_errors has events, and AS OF EACH is for entities: events up to a time are those WHERE _event_time <= it
        > SELECT count(*) FROM "odd-name_errors"
        count(*)
        0
        > SELECT * FROM other_errors
        error: there is no topic, entity or view other_errors
        > SELECT * FROM _catalog_errors
        error: there is no topic, entity or view _catalog_errors
        > INSERT INTO kept_errors VALUES (1)
        error: kept_errors is not a topic: what it shows comes from events. Insert into the topic that it is made of
    "#]].assert_eq(&bench.script(&[
        "SELECT * FROM kept",
        "SELECT * FROM refused",
        "SELECT _position, _stream, CAST(_value AS TEXT) AS value, error FROM kept_errors",
        "SELECT count(*) FROM refused_errors",
        "SELECT count(*) FROM kept_errors WHERE _stream = 'kept/2' AND _position > 4",
        "SELECT error, _offset FROM kept_errors AS OF POSITION 3",
        "SELECT _position, _system_to FROM kept_errors FOR SYSTEM_TIME ALL LIMIT 1",
        "EXPLAIN SELECT error FROM kept_errors",
        "SELECT n FROM kept_errors",
        "SELECT _revision FROM kept_errors",
        "SELECT * FROM kept_errors FOR VERSION 1",
        "SELECT * FROM kept_errors FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))",
        "SELECT count(*) FROM \"odd-name_errors\"",
        "SELECT * FROM other_errors",
        "SELECT * FROM _catalog_errors",
        "INSERT INTO kept_errors VALUES (1)",
    ]));
    let columns = bench.sql("SELECT * FROM kept_errors LIMIT 0");
    assert_eq!(columns.lines().next(), Some("_position | _append_time | _stream | _value | error"));
}

/// Entities left such events out and said nothing: a sum without one of its events looked like any other.
#[test]
fn an_answer_about_an_entity_says_that_they_are_left_out() {
    let (bench, views) = Bench::with_entities();
    bench.execute("CREATE TOPIC moves (k INT NOT NULL) KEY (k)");
    for payload in [r#"{"k": 1, "n": 5}"#, r#"{"k": 1, "n": "five"}"#, r#"{"k": 2, "n": 2}"#] {
        bench.append("moves", payload);
    }
    bench.execute("ALTER TOPIC moves ADD COLUMN n INT");
    bench.execute("CREATE TOPIC rates (k INT NOT NULL) KEY (k) ON ERROR KEEP");
    bench.append("rates", r#"{"k": 1, "rate": "high"}"#);
    bench.execute("ALTER TOPIC rates ADD COLUMN rate INT");
    let any = "WHEN ANY THEN SET";
    let sum = "STATE (n INT NOT NULL DEFAULT 0)";
    let entity = |sql: &str| drop(views.execute(sql).unwrap());
    entity(&format!("CREATE ENTITY sums FROM moves {sum} {any} n = state.n + event.n"));
    entity(&format!(
        "CREATE ENTITY rated FROM moves LOOKUP rates AS r ON r.k = k AS OF _event_time STATE (rate INT) {any} rate = r.rate"
    ));
    entity(&format!("CREATE ENTITY counts FROM moves {sum} {any} n = state.n + 1"));
    expect![[r#"
        > SELECT * FROM sums
        k | n
        1 | 5
        2 | 2
        notice: of sums version 1, events that do not fit their topic's columns, or have no key, are left out: see moves_errors
        > SELECT * FROM sums WHERE k = 2
        k | n
        2 | 2
        notice: of sums version 1, events that do not fit their topic's columns, or have no key, are left out: see moves_errors
        > SELECT * FROM sums AS OF POSITION 2
        k | n
        1 | 5
        > SELECT * FROM sums AS OF POSITION 3
        k | n
        1 | 5
        notice: of sums version 1, events that do not fit their topic's columns, or have no key, are left out: see moves_errors
        > SELECT k, n, _position FROM sums FOR SYSTEM_TIME ALL
        k | n | _position
        1 | 5 | 2
        2 | 2 | 4
        notice: of sums version 1, events that do not fit their topic's columns, or have no key, are left out: see moves_errors
        > SELECT k, n, _position FROM sums FOR VALID_TIME ALL AS OF POSITION 2
        k | n | _position
        1 | 5 | 2
        > SELECT k, n FROM sums FOR VALID_TIME AS OF EACH (VALUES ('2099-01-01T00:00:00Z'))
        k | n
        1 | 5
        2 | 2
        notice: of sums version 1, events that do not fit their topic's columns, or have no key, are left out: see moves_errors
        > SELECT * FROM rated
        k | rate
        1 | NULL
        2 | NULL
        notice: of rated version 1, events that do not fit their topic's columns, or have no key, are left out: see moves_errors, rates_errors
        > SELECT k, n FROM counts
        k | n
        1 | 2
        2 | 1
    "#]].assert_eq(&bench.script(&[
        "SELECT * FROM sums",
        "SELECT * FROM sums WHERE k = 2",
        "SELECT * FROM sums AS OF POSITION 2",
        "SELECT * FROM sums AS OF POSITION 3",
        "SELECT k, n, _position FROM sums FOR SYSTEM_TIME ALL",
        "SELECT k, n, _position FROM sums FOR VALID_TIME ALL AS OF POSITION 2",
        "SELECT k, n FROM sums FOR VALID_TIME AS OF EACH (VALUES ('2099-01-01T00:00:00Z'))",
        "SELECT * FROM rated",
        "SELECT k, n FROM counts",
    ]));
}
