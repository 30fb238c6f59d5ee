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
    expect![[]].assert_eq(&bench.script(&[
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
    expect![[]].assert_eq(&shown);
}
