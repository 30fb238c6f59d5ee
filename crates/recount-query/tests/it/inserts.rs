//! INSERT INTO a topic.

use expect_test::expect;

use crate::support::{BANK, Bench};

#[test]
fn rows_become_events_written_as_their_columns_read_them() {
    let bench = Bench::new();
    bench.execute(BANK);
    bench.execute(
        "CREATE TOPIC every (b BOOLEAN, i INT FROM 'nested.i', t TEXT FROM 'nested.t', d DECIMAL(9,3), f DOUBLE, day DATE,
         w TIMESTAMP, z TIMESTAMPTZ, ms TIMESTAMPTZ UNIT MILLIS, ns TIMESTAMP UNIT NANOS, j JSON)",
    );
    bench.execute("CREATE TOPIC notes");
    bench.execute("CREATE TOPIC typed (account BIGINT NOT NULL) EVENT deposited (amount DECIMAL(18,2) NOT NULL) KEY (account)");
    expect![[r#"
        > INSERT INTO transactions (accountId, amount, timestamp) VALUES (1, 100.00, '2023-12-13T12:00:00Z'), (2, -20.5, '2023-12-13T12:00:00.25Z')
        inserted | position
        2 | 6
        > INSERT INTO transactions SELECT accountId, amount * 2, timestamp FROM transactions WHERE accountId = 1
        inserted | position
        1 | 7
        > INSERT INTO transactions SELECT * FROM transactions WHERE false
        inserted | position
        0 | 7
        > SELECT accountid, amount, timestamp, CAST(_value AS TEXT), _stream FROM transactions
        accountid | amount | timestamp | CAST(_value AS TEXT) | _stream
        1 | 100.00 | 2023-12-13T12:00:00Z | {"accountId":1,"amount":100.00,"timestamp":1702468800} | transactions/1
        2 | -20.50 | 2023-12-13T12:00:00.250Z | {"accountId":2,"amount":-20.50,"timestamp":1702468800.250000} | transactions/2
        1 | 200.00 | 2023-12-13T12:00:00Z | {"accountId":1,"amount":200.00,"timestamp":1702468800} | transactions/1
        > INSERT INTO every VALUES (true, 5, 'a"b', 1.5, 0.1, '2024-02-29', '2024-02-29T12:00:00', now(), '2024-01-01T00:00:00.001Z', TIMESTAMP '1970-01-01T00:00:00.000001', '{"a": [1]}')
        inserted | position
        1 | 8
        > INSERT INTO every (t) VALUES (12)
        inserted | position
        1 | 9
        > INSERT INTO every (b) VALUES (NULL)
        inserted | position
        1 | 10
        > SELECT CAST(_value AS TEXT) FROM every
        CAST(_value AS TEXT)
        {"b":true,"nested":{"i":5,"t":"a\"b"},"d":1.5,"f":0.1,"day":"2024-02-29","w":"2024-02-29T12:00:00","z":"2024-01-01T00:00:00Z","ms":1704067200001,"ns":1000,"j":{"a": [1]}}
        {"nested":{"t":"12"}}
        {}
        > INSERT INTO notes VALUES ('{"n": 1}')
        inserted | position
        1 | 11
        > INSERT INTO notes (data, _key, _type, _id, _event_time) VALUES ('[2]', 'k', 'made', 'a', '2023-01-01T00:00:00Z')
        inserted | position
        1 | 12
        > SELECT data, _stream, _type, _id, _event_time FROM notes
        data | _stream | _type | _id | _event_time
        {"n": 1} | NULL | NULL | NULL | 2024-01-01T00:00:00.000009Z
        [2] | notes/k | made | a | 2023-01-01T00:00:00Z
        > INSERT INTO typed (account, amount, _type) VALUES (1, 5, 'deposited')
        inserted | position
        1 | 13
        > SELECT * FROM typed
        account | amount
        1 | 5.00
    "#]].assert_eq(&bench.script(&[
        "INSERT INTO transactions (accountId, amount, timestamp) VALUES (1, 100.00, '2023-12-13T12:00:00Z'), (2, -20.5, '2023-12-13T12:00:00.25Z')",
        "INSERT INTO transactions SELECT accountId, amount * 2, timestamp FROM transactions WHERE accountId = 1",
        "INSERT INTO transactions SELECT * FROM transactions WHERE false",
        "SELECT accountid, amount, timestamp, CAST(_value AS TEXT), _stream FROM transactions",
        "INSERT INTO every VALUES (true, 5, 'a\"b', 1.5, 0.1, '2024-02-29', '2024-02-29T12:00:00', now(), '2024-01-01T00:00:00.001Z', TIMESTAMP '1970-01-01T00:00:00.000001', '{\"a\": [1]}')",
        "INSERT INTO every (t) VALUES (12)",
        "INSERT INTO every (b) VALUES (NULL)",
        "SELECT CAST(_value AS TEXT) FROM every",
        "INSERT INTO notes VALUES ('{\"n\": 1}')",
        "INSERT INTO notes (data, _key, _type, _id, _event_time) VALUES ('[2]', 'k', 'made', 'a', '2023-01-01T00:00:00Z')",
        "SELECT data, _stream, _type, _id, _event_time FROM notes",
        "INSERT INTO typed (account, amount, _type) VALUES (1, 5, 'deposited')",
        "SELECT * FROM typed",
    ]));
}

#[test]
fn what_does_not_fit_stores_nothing() {
    let bench = Bench::bank();
    bench.execute("CREATE TOPIC formed (at TIMESTAMPTZ FORMAT 'YYYY-MM-DD HH24:MI:SS TZH:TZM')");
    let rows: Vec<String> = (0..10_001).map(|n| format!("({n}, 1, now())")).collect();
    let large = format!("INSERT INTO transactions VALUES {}", rows.join(", "));
    let mut shown = bench.sql(&large);
    shown += &bench.script(&[
        "INSERT INTO transactions VALUES (1, 2, now()), (1, 2.345, now())",
        "INSERT INTO transactions VALUES (1, CAST(2 AS DOUBLE), now())",
        "INSERT INTO transactions VALUES (1, 2)",
        "INSERT INTO transactions (accountId) VALUES (1)",
        "INSERT INTO transactions (accountId, amount, timestamp) VALUES (1, 2, '2023-12-13')",
        "INSERT INTO transactions (accountId, amount, timestamp) VALUES (1, 2, DATE '2023-12-13')",
        "INSERT INTO transactions (accountId, amount, timestamp) VALUES ('x', 2, now())",
        "INSERT INTO transactions (nothing) VALUES (1)",
        "INSERT INTO transactions (accountId, accountId) VALUES (1, 1)",
        "INSERT INTO nothing VALUES (1)",
        "INSERT INTO transactions VALUES (1, 2, now()) RETURNING *",
        "INSERT INTO transactions VALUES (1, 2, now()) ON CONFLICT DO NOTHING",
        "INSERT INTO transactions (accountId, amount, timestamp, _key) VALUES (1, 2, now(), '7')",
        "INSERT INTO _catalog VALUES (1)",
        "SELECT count(*) FROM transactions",
    ]);
    expect![[r#"
        error: the statement makes more than 10000 events, the limit of one append: insert them in parts. Nothing was stored
        > INSERT INTO transactions VALUES (1, 2, now()), (1, 2.345, now())
        error: event 1: amount "2.345" has 3 decimals, the column allows 2. Round it, or widen the column: ALTER TOPIC transactions ALTER COLUMN amount TYPE DECIMAL(19,3). Nothing of this append was stored
        > INSERT INTO transactions VALUES (1, CAST(2 AS DOUBLE), now())
        error: column amount is DECIMAL(18,2), and the value is DOUBLE: a DOUBLE becomes a DECIMAL only by CAST or round
        > INSERT INTO transactions VALUES (1, 2)
        error: the rows have 2 values, and 3 columns are to be filled
        > INSERT INTO transactions (accountId) VALUES (1)
        error: event 0: amount is missing or null, and the column is NOT NULL. Nothing of this append was stored
        > INSERT INTO transactions (accountId, amount, timestamp) VALUES (1, 2, '2023-12-13')
        error: column timestamp: '2023-12-13' is not a time, write it as '2023-12-13T12:00:00Z'
        > INSERT INTO transactions (accountId, amount, timestamp) VALUES (1, 2, DATE '2023-12-13')
        error: column timestamp is TIMESTAMPTZ, and the value is DATE: a day is no time of a day, CAST it
        > INSERT INTO transactions (accountId, amount, timestamp) VALUES ('x', 2, now())
        error: event 0: accountId "x" is a string, and the column is BIGINT: write a number without quotes. Nothing of this append was stored
        > INSERT INTO transactions (nothing) VALUES (1)
        error: topic transactions has no column nothing: there are accountid, amount, timestamp; and _key, _type, _id and _event_time can be given
        > INSERT INTO transactions (accountId, accountId) VALUES (1, 1)
        error: column accountid is named twice
        > INSERT INTO nothing VALUES (1)
        error: there is no topic, entity or view nothing
        > INSERT INTO transactions VALUES (1, 2, now()) RETURNING *
        error: INSERT appends events and nothing else: INSERT INTO topic (columns) VALUES (…) or SELECT …
        > INSERT INTO transactions VALUES (1, 2, now()) ON CONFLICT DO NOTHING
        error: INSERT appends events and nothing else: INSERT INTO topic (columns) VALUES (…) or SELECT …
        > INSERT INTO transactions (accountId, amount, timestamp, _key) VALUES (1, 2, now(), '7')
        error: event 0: the key 7 was given, but the topic's KEY makes it 1: leave it out, or change the payload. Nothing of this append was stored
        > INSERT INTO _catalog VALUES (1)
        error: there is no topic, entity or view _catalog
        > SELECT count(*) FROM transactions
        count(*)
        3
    "#]].assert_eq(&shown);
}
