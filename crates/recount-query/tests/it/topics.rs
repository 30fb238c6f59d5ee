//! Topics as tables.

use expect_test::expect;
use recount_types::{NewEvent, Tag};

use crate::support::{Bench, time};

#[test]
fn a_topic_has_its_columns_and_pseudo_columns_beside_them() {
    let bench = Bench::bank();
    expect![[r#"
        > SELECT * FROM transactions
        accountid | amount | timestamp
        1 | 100.00 | 2023-12-13T12:00:00Z
        1 | -20.00 | 2023-12-14T12:00:00Z
        2 | 7.25 | 2023-12-12T12:00:00Z
        > SELECT *, _position FROM transactions AS t WHERE accountId = 1
        accountid | amount | timestamp | _position
        1 | 100.00 | 2023-12-13T12:00:00Z | 2
        1 | -20.00 | 2023-12-14T12:00:00Z | 3
        > SELECT _stream, _partition, _offset, _id, _type, _tags, _event_time, _append_time, _key, _headers FROM transactions t LIMIT 1
        _stream | _partition | _offset | _id | _type | _tags | _event_time | _append_time | _key | _headers
        transactions/1 | 0 | 0 | NULL | NULL | [] | 2023-12-13T12:00:00Z | 2024-01-01T00:00:00.000001Z | 31 | []
        > SELECT accountId, sum(amount) AS balance, count(*) AS n FROM transactions GROUP BY accountId ORDER BY 1
        accountid | balance | n
        1 | 80.00 | 2
        2 | 7.25 | 1
        > SELECT count(*) FROM transactions
        count(*)
        3
        > SELECT _revision, amount FROM transactions WHERE accountId = 1
        _revision | amount
        0 | 100.00
        1 | -20.00
        > SELECT _revision, amount FROM transactions WHERE _stream = 'transactions/1'
        _revision | amount
        0 | 100.00
        1 | -20.00
        > SELECT _revision FROM transactions
        error: _revision is known only where one stream is read: add WHERE _stream = 'transactions/…', or leave it out
        > SELECT amount FROM transactions ORDER BY _position DESC LIMIT 2
        amount
        7.25
        -20.00
    "#]].assert_eq(&bench.script(&[
        "SELECT * FROM transactions",
        "SELECT *, _position FROM transactions AS t WHERE accountId = 1",
        "SELECT _stream, _partition, _offset, _id, _type, _tags, _event_time, _append_time, _key, _headers FROM transactions t LIMIT 1",
        "SELECT accountId, sum(amount) AS balance, count(*) AS n FROM transactions GROUP BY accountId ORDER BY 1",
        "SELECT count(*) FROM transactions",
        "SELECT _revision, amount FROM transactions WHERE accountId = 1",
        "SELECT _revision, amount FROM transactions WHERE _stream = 'transactions/1'",
        "SELECT _revision FROM transactions",
        "SELECT amount FROM transactions ORDER BY _position DESC LIMIT 2",
    ]));
}

#[test]
fn every_type_of_column_and_null() {
    let bench = Bench::new();
    bench.execute(
        "CREATE TOPIC every (b BOOLEAN, s SMALLINT, i INT, l BIGINT, d DECIMAL(38,3), f DOUBLE, t TEXT, day DATE,
         w TIMESTAMP, z TIMESTAMPTZ, j JSON)",
    );
    bench.append(
        "every",
        r#"{"b": true, "s": -1, "i": 2, "l": 9007199254740993, "d": 12345678901234567890123456789012345.678,
        "f": 0.1, "t": "ä", "day": "2024-02-29", "w": "2024-02-29T12:00:00", "z": "2024-02-29T12:00:00.5Z", "j": {"a": [1, 2]}}"#,
    );
    bench.append("every", "{}");
    expect![[r#"
        > SELECT * FROM every
        b | s | i | l | d | f | t | day | w | z | j
        true | -1 | 2 | 9007199254740993 | 12345678901234567890123456789012345.678 | 0.1 | ä | 2024-02-29 | 2024-02-29T12:00:00 | 2024-02-29T12:00:00.500Z | {"a": [1, 2]}
        NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL
        > SELECT count(*), count(b), count(s), count(i), count(l), count(d), count(f), count(t), count(day), count(w), count(z), count(j) FROM every
        count(*) | count(b) | count(s) | count(i) | count(l) | count(d) | count(f) | count(t) | count(day) | count(w) | count(z) | count(j)
        2 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1
    "#]].assert_eq(&bench.script(&[
        "SELECT * FROM every",
        "SELECT count(*), count(b), count(s), count(i), count(l), count(d), count(f), count(t), count(day), count(w), count(z), count(j) FROM every",
    ]));
}

#[test]
fn topics_without_columns_with_events_and_with_what_does_not_fit() {
    let bench = Bench::new();
    bench.execute("CREATE TOPIC notes");
    let tag = |text: &str| Tag::parse(text).unwrap();
    let note = NewEvent {
        payload: r#"{"n": 1}"#.into(),
        id: Some("a".into()),
        event_type: Some("made".into()),
        time: Some(time("2023-05-01T00:00:00Z")),
        tags: vec![tag("color:red"), tag("size:1")],
        headers: vec![("user".into(), "me".into())],
        ..NewEvent::default()
    };
    bench.append_event("notes", Some("k/1"), note.clone());
    bench.append_event("notes", None, NewEvent { payload: "[2]".into(), ..NewEvent::default() });
    bench.execute(
        "CREATE TOPIC bank (account BIGINT NOT NULL) EVENT deposited (amount DECIMAL(18,2) NOT NULL) EVENT closed KEY (account)",
    );
    for (event_type, payload) in
        [("deposited", r#"{"account": 1, "amount": 5}"#), ("closed", r#"{"account": 1}"#)]
    {
        let event_type = Some(event_type.to_owned());
        let event = NewEvent { payload: payload.into(), event_type, ..NewEvent::default() };
        bench.append_event("bank", None, event);
    }
    expect![[r#"
        > SELECT * FROM notes
        data
        {"n": 1}
        [2]
        > SELECT _id, _type, _tags, _event_time, _key, _stream, _headers, _value FROM notes
        _id | _type | _tags | _event_time | _key | _stream | _headers | _value
        a | made | [color:red, size:1] | 2023-05-01T00:00:00Z | 6b2f31 | notes/k/1 | [{name: user, value: 6d65}] | 7b226e223a20317d
        NULL | NULL | [] | 2024-01-01T00:00:00.000002Z | NULL | NULL | [] | 5b325d
        > SELECT data FROM notes WHERE _type = 'made'
        data
        {"n": 1}
        > SELECT data FROM notes WHERE _type IN ('made', 'other')
        data
        {"n": 1}
        > SELECT data FROM notes WHERE array_has(_tags, 'color:red')
        data
        {"n": 1}
        > SELECT data FROM notes WHERE array_has(_tags, 'color:blue')
        data
        > SELECT data FROM notes WHERE _stream = 'notes/k/1'
        data
        {"n": 1}
        > SELECT data FROM notes WHERE _stream = 'bank/1'
        data
        > SELECT *, _type FROM bank
        account | amount | _type
        1 | 5.00 | deposited
        1 | NULL | closed
    "#]].assert_eq(&bench.script(&[
        "SELECT * FROM notes",
        "SELECT _id, _type, _tags, _event_time, _key, _stream, _headers, _value FROM notes",
        "SELECT data FROM notes WHERE _type = 'made'",
        "SELECT data FROM notes WHERE _type IN ('made', 'other')",
        "SELECT data FROM notes WHERE array_has(_tags, 'color:red')",
        "SELECT data FROM notes WHERE array_has(_tags, 'color:blue')",
        "SELECT data FROM notes WHERE _stream = 'notes/k/1'",
        "SELECT data FROM notes WHERE _stream = 'bank/1'",
        "SELECT *, _type FROM bank",
    ]));
}

#[test]
fn positions_and_times_of_append_narrow_exactly() {
    let bench = Bench::bank();
    expect![[r#"
        > SELECT _position FROM transactions WHERE _position = 3
        _position
        3
        > SELECT _position FROM transactions WHERE _position > 2 AND _position < 4
        _position
        3
        > SELECT _position FROM transactions WHERE 3 <= _position
        _position
        3
        4
        > SELECT _position FROM transactions WHERE _position <= 0
        _position
        > SELECT _position, _append_time FROM transactions WHERE _append_time >= '2024-01-02T00:00:00Z'
        _position | _append_time
        3 | 2024-01-02T00:00:00Z
        4 | 2024-01-03T00:00:00Z
        > SELECT _position FROM transactions WHERE _append_time > TIMESTAMPTZ '2024-01-02T00:00:00Z'
        _position
        4
        > SELECT _position FROM transactions WHERE _append_time < now() - INTERVAL '36 hours'
        _position
        2
    "#]]
    .assert_eq(&bench.script(&[
        "SELECT _position FROM transactions WHERE _position = 3",
        "SELECT _position FROM transactions WHERE _position > 2 AND _position < 4",
        "SELECT _position FROM transactions WHERE 3 <= _position",
        "SELECT _position FROM transactions WHERE _position <= 0",
        "SELECT _position, _append_time FROM transactions WHERE _append_time >= '2024-01-02T00:00:00Z'",
        "SELECT _position FROM transactions WHERE _append_time > TIMESTAMPTZ '2024-01-02T00:00:00Z'",
        "SELECT _position FROM transactions WHERE _append_time < now() - INTERVAL '36 hours'",
    ]));
}

#[test]
fn a_statement_reads_at_one_position() {
    let mut bench = Bench::bank();
    let answer = bench.answer("SELECT count(*) FROM transactions").unwrap();
    assert_eq!(answer.position().0, 4);
    bench.session.position = Some(recount_types::Position(2));
    let at_two = bench.sql("SELECT count(*) FROM transactions");
    bench.session.position = Some(recount_types::Position(99));
    let beyond = bench.sql("SELECT 1");
    bench.session.position = None;
    bench.session.min_position = Some(recount_types::Position(5));
    bench.session.wait = std::time::Duration::from_millis(10);
    let late = bench.sql("SELECT 1");
    expect![[r#"
        count(*)
        1
        error: position 99 has not come yet: the newest is 4
        error: the database is at position 4, and 5 did not come within 0 s: ask again later
    "#]]
    .assert_eq(&[at_two, beyond, late].concat());
}

#[test]
fn a_dropped_answer_stops_its_scan_and_a_large_topic_comes_in_batches() {
    let bench = Bench::new();
    bench.execute("CREATE TOPIC numbers (n BIGINT NOT NULL)");
    for hundred in 0..3 {
        let rows: Vec<String> = (0..9_000).map(|n| format!("({})", hundred * 9_000 + n)).collect();
        bench.sql(&format!("INSERT INTO numbers VALUES {}", rows.join(", ")));
    }
    let mut answer = bench.answer("SELECT n FROM numbers").unwrap();
    let first = bench.block_on(answer.next()).unwrap().unwrap();
    assert_eq!(first.num_rows(), 8192);
    drop(answer);
    expect![[r#"
        count(*) | min(n) | max(n) | sum(n)
        27000 | 0 | 26999 | 364486500
    "#]]
    .assert_eq(&bench.sql("SELECT count(*), min(n), max(n), sum(n) FROM numbers"));
}

/// Filters that the scan uses give what they give when it does not see them.
#[test]
fn what_the_scan_is_told_changes_no_answer() {
    let bench = Bench::new();
    bench.execute(
        "CREATE TOPIC many (k BIGINT NOT NULL, region TEXT NOT NULL, kind TEXT, d DECIMAL(9,2), at TIMESTAMPTZ) KEY (k, region) TYPE (kind) TAG region (region) TAG d (d)",
    );
    bench.execute("CREATE TOPIC one (t TEXT NOT NULL, n INT) KEY (t)");
    for n in 0..200u32 {
        bench.now(&format!("2024-01-01T00:{:02}:{:02}Z", n / 60, n % 60));
        let region = ["\"EU\"", "\"a b/%\"", "\"é\""][n as usize % 3];
        let kind = ["\"made\"", "\"moved\"", "null"][n as usize / 3 % 3];
        bench.append(
            "many",
            &format!("{{\"k\": {}, \"region\": {region}, \"kind\": {kind}, \"d\": {}.50}}", n % 4, n % 5),
        );
        bench.append("one", &format!("{{\"t\": \"x{}\", \"n\": {n}}}", n % 7));
    }
    let filters = [
        ("many", "k = 1 AND region = 'EU'"),
        ("many", "k = 1 AND region = 'a b/%'"),
        ("many", "k = 1"),
        ("many", "region = 'EU' AND _position > 100"),
        ("many", "region = 'EU' AND kind = 'made'"),
        ("many", "_type = 'made'"),
        ("many", "_type IN ('made', 'moved') AND _position < 200"),
        ("many", "_type = 'made' AND _type = 'moved'"),
        ("many", "_type <> 'made'"),
        ("many", "_type IS NULL"),
        ("many", "d = 1.5"),
        ("many", "d = 1.50 AND array_has(_tags, 'region:EU')"),
        ("many", "array_has(_tags, 'd:1.50')"),
        ("many", "NOT array_has(_tags, 'd:1.50')"),
        ("many", "_stream = 'many/[1,\"EU\"]'"),
        ("many", "_append_time >= '2024-01-01T00:02:00Z' AND k = 2 AND region = 'EU'"),
        ("many", "_append_time = '2024-01-01T00:02:00Z'"),
        ("many", "_append_time > '2024-01-01T00:01:00Z' AND _append_time < '2024-01-01T00:02:00Z'"),
        ("many", "_position BETWEEN 50 AND 60 OR _position = 70"),
        ("many", "_position >= 50 AND _position = 51"),
        ("many", "_position > -5 AND _position < -1"),
        ("one", "t = 'x3'"),
        ("one", "t = 'x3' AND t = 'x4'"),
        ("one", "t IN ('x3', 'x4')"),
        ("one", "_stream = 'one/x5' AND t = 'x5'"),
        ("one", "_stream = 'one/x5' AND t = 'x6'"),
        ("one", "t = 'x3' AND n > 100"),
        ("one", "'x3' = t AND 20 > _position"),
    ];
    let mut counts = Vec::new();
    for (topic, filter) in filters {
        let rows = |filter: &str| {
            bench.sql(&format!("SELECT _position FROM {topic} WHERE {filter} ORDER BY _position"))
        };
        let told = rows(filter);
        assert_eq!(told, rows(&format!("CASE WHEN {filter} THEN true ELSE false END")), "{filter}");
        counts.push(told.lines().count() - 1);
    }
    expect!["[16, 17, 50, 50, 23, 68, 66, 0, 66, 66, 40, 13, 40, 160, 16, 7, 1, 59, 5, 1, 0, 29, 0, 57, 28, 0, 15, 1]"].assert_eq(&format!("{counts:?}"));
}
