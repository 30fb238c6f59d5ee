//! Entities at many times in one statement.

use expect_test::expect;
use recount_query::Stopped;

use crate::support::{BANK, Bench};

const ACCOUNT: &str =
    "CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
    WHEN (balance + amount < -100) THEN ERROR 'overdrawn' WHEN ANY THEN SET balance = balance + amount";
/// The last moment of each month, from December to February.
const MONTH_ENDS: &str = "SELECT month - INTERVAL '1 microsecond'
    FROM generate_series(TIMESTAMPTZ '2024-01-01T00:00:00Z', TIMESTAMPTZ '2024-03-01T00:00:00Z', INTERVAL '1 month') AS g(month)";

/// A month without transactions, one on the very edge of a month, one that came late, two at the same time.
fn bench() -> (Bench, recount_views::Views) {
    let (bench, views) = Bench::with_entities();
    views.execute(BANK).unwrap();
    views.execute(ACCOUNT).unwrap();
    for (account, amount, time) in [
        (1, "100", "2023-12-01T12:00:00Z"),
        (2, "7.25", "2023-12-31T23:59:59.999999Z"),
        (3, "1", "2024-01-01T00:00:00Z"),
        (1, "-20", "2024-02-10T12:00:00Z"),
        (1, "0.5", "2023-12-24T00:00:00Z"),
        (2, "3", "2024-01-15T00:00:00Z"),
        (2, "4", "2024-01-15T00:00:00Z"),
        (3, "5", "2024-03-01T00:00:00Z"),
    ] {
        bench.answer(&format!("INSERT INTO transactions VALUES ({account}, {amount}, '{time}')")).unwrap();
    }
    (bench, views)
}

#[test]
fn the_ends_of_months() {
    let (bench, _views) = bench();
    let statements = [
        format!("SELECT _valid_at, accountid, balance, _position FROM account FOR VALID_TIME AS OF EACH ({MONTH_ENDS}) ORDER BY 1, 2"),
        format!("SELECT _valid_at, sum(balance) FROM account FOR SYSTEM_TIME AS OF '2023-01-01T00:00:00Z' FOR VALID_TIME AS OF EACH ({MONTH_ENDS}) GROUP BY 1 ORDER BY 1"),
        format!("SELECT * FROM account AS OF POSITION 6 FOR VALID_TIME AS OF EACH ({MONTH_ENDS}) AS a WHERE a.accountid = 1 ORDER BY _valid_at"),
        format!("EXPLAIN SELECT balance FROM account FOR VALID_TIME AS OF EACH ({MONTH_ENDS})"),
        "SELECT _valid_at, balance FROM account FOR VALID_TIME AS OF EACH (VALUES ('2024-02-01T00:00:00Z'), ('2023-12-31T00:00:00Z'), ('2024-02-01T00:00:00Z')) WHERE accountid = 1 ORDER BY 1".to_owned(),
        "SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT TIMESTAMPTZ '2024-02-01T00:00:00Z' WHERE false)".to_owned(),
    ];
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    expect![[r#"
        > SELECT _valid_at, accountid, balance, _position FROM account FOR VALID_TIME AS OF EACH (SELECT month - INTERVAL '1 microsecond'
            FROM generate_series(TIMESTAMPTZ '2024-01-01T00:00:00Z', TIMESTAMPTZ '2024-03-01T00:00:00Z', INTERVAL '1 month') AS g(month)) ORDER BY 1, 2
        _valid_at | accountid | balance | _position
        2023-12-31T23:59:59.999999Z | 1 | 100.50 | 7
        2023-12-31T23:59:59.999999Z | 2 | 7.25 | 4
        2024-01-31T23:59:59.999999Z | 1 | 100.50 | 7
        2024-01-31T23:59:59.999999Z | 2 | 14.25 | 9
        2024-01-31T23:59:59.999999Z | 3 | 1.00 | 5
        2024-02-29T23:59:59.999999Z | 1 | 80.50 | 7
        2024-02-29T23:59:59.999999Z | 2 | 14.25 | 9
        2024-02-29T23:59:59.999999Z | 3 | 1.00 | 5
        > SELECT _valid_at, sum(balance) FROM account FOR SYSTEM_TIME AS OF '2023-01-01T00:00:00Z' FOR VALID_TIME AS OF EACH (SELECT month - INTERVAL '1 microsecond'
            FROM generate_series(TIMESTAMPTZ '2024-01-01T00:00:00Z', TIMESTAMPTZ '2024-03-01T00:00:00Z', INTERVAL '1 month') AS g(month)) GROUP BY 1 ORDER BY 1
        _valid_at | sum(balance)
        > SELECT * FROM account AS OF POSITION 6 FOR VALID_TIME AS OF EACH (SELECT month - INTERVAL '1 microsecond'
            FROM generate_series(TIMESTAMPTZ '2024-01-01T00:00:00Z', TIMESTAMPTZ '2024-03-01T00:00:00Z', INTERVAL '1 month') AS g(month)) AS a WHERE a.accountid = 1 ORDER BY _valid_at
        accountid | balance
        1 | 100.00
        1 | 100.00
        1 | 80.00
        > EXPLAIN SELECT balance FROM account FOR VALID_TIME AS OF EACH (SELECT month - INTERVAL '1 microsecond'
            FROM generate_series(TIMESTAMPTZ '2024-01-01T00:00:00Z', TIMESTAMPTZ '2024-03-01T00:00:00Z', INTERVAL '1 month') AS g(month))
        plan
        Scan: account version 1, whole, as of position 10, in one pass at each of 3 times from 2023-12-31T23:59:59.999999Z to 2024-02-29T23:59:59.999999Z, folded from the first event: at most 8 events in memory; 1 of 2 columns decoded: [balance]
        > SELECT _valid_at, balance FROM account FOR VALID_TIME AS OF EACH (VALUES ('2024-02-01T00:00:00Z'), ('2023-12-31T00:00:00Z'), ('2024-02-01T00:00:00Z')) WHERE accountid = 1 ORDER BY 1
        _valid_at | balance
        2023-12-31T00:00:00Z | 100.50
        2024-02-01T00:00:00Z | 100.50
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT TIMESTAMPTZ '2024-02-01T00:00:00Z' WHERE false)
        accountid | balance
    "#]].assert_eq(&bench.script(&statements));
}

/// The judge is a statement for each time.
#[test]
fn each_time_is_as_if_it_were_asked_alone() {
    let (bench, _views) = bench();
    let ends = ["2023-12-31T23:59:59.999999Z", "2024-01-31T23:59:59.999999Z", "2024-02-29T23:59:59.999999Z"];
    let rows =
        |sql: String| bench.sql(&sql).lines().skip(1).map(|row| format!("{row}\n")).collect::<String>();
    let alone: String = ends
        .iter()
        .map(|end| {
            rows(format!(
                "SELECT '{end}' AS at, accountid, balance, _position, _event_time FROM account FOR VALID_TIME AS OF '{end}' ORDER BY 2"
            ))
        })
        .collect();
    let together = rows(format!(
        "SELECT _valid_at, accountid, balance, _position, _event_time FROM account FOR VALID_TIME AS OF EACH ({MONTH_ENDS}) ORDER BY 1, 2"
    ));
    assert_eq!(together, alone);
    assert_eq!(alone.lines().count(), 8);
}

#[test]
fn a_key_that_stopped_fails_or_is_left_out() {
    let (mut bench, _views) = bench();
    bench.answer("INSERT INTO transactions VALUES (2, -500, '2024-02-01T00:00:00Z')").unwrap();
    let each = format!("SELECT count(*), sum(balance) FROM account FOR VALID_TIME AS OF EACH ({MONTH_ENDS})");
    let before =
        "SELECT sum(balance) FROM account FOR VALID_TIME AS OF EACH (VALUES ('2024-01-15T00:00:00Z'))";
    let failing = bench.script(&[&each, before]);
    bench.session.stopped = Stopped::Skip;
    let skipping = bench.script(&[&each, before]);
    expect![[r#"
        > SELECT count(*), sum(balance) FROM account FOR VALID_TIME AS OF EACH (SELECT month - INTERVAL '1 microsecond'
            FROM generate_series(TIMESTAMPTZ '2024-01-01T00:00:00Z', TIMESTAMPTZ '2024-03-01T00:00:00Z', INTERVAL '1 month') AS g(month))
        error: account/2 stopped at position 11: overdrawn. Look at it with recount why account/2; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 11
        > SELECT sum(balance) FROM account FOR VALID_TIME AS OF EACH (VALUES ('2024-01-15T00:00:00Z'))
        sum(balance)
        115.75
        > SELECT count(*), sum(balance) FROM account FOR VALID_TIME AS OF EACH (SELECT month - INTERVAL '1 microsecond'
            FROM generate_series(TIMESTAMPTZ '2024-01-01T00:00:00Z', TIMESTAMPTZ '2024-03-01T00:00:00Z', INTERVAL '1 month') AS g(month))
        count(*) | sum(balance)
        7 | 305.00
        notice: of account version 1, 1 key that stopped is left out: 2 (position 11). See SHOW STOPPED
        > SELECT sum(balance) FROM account FOR VALID_TIME AS OF EACH (VALUES ('2024-01-15T00:00:00Z'))
        sum(balance)
        115.75
    "#]].assert_eq(&format!("{failing}{skipping}"));
}

#[test]
fn what_is_no_series_is_refused() {
    let (bench, _views) = bench();
    let asked = |clause: &str| format!("SELECT * FROM account {clause}");
    let statements = [
        asked("FOR VALID_TIME AS OF EACH"),
        asked("FOR VALID_TIME AS OF EACH ()"),
        asked("FOR VALID_TIME AS OF EACH (SELECT 1"),
        asked("FOR VALID_TIME AS OF EACH (SELECT 1)"),
        asked("FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01'))"),
        asked("FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'), (NULL))"),
        asked("FOR VALID_TIME AS OF EACH (SELECT 1, 2)"),
        asked("FOR VALID_TIME AS OF EACH (SELECT timestamp FROM transactions)"),
        asked("FOR VALID_TIME AS OF EACH (SELECT _event_time FROM transactions FOR SYSTEM_TIME ALL)"),
        asked("FOR VALID_TIME AS OF EACH (SELECT TIMESTAMPTZ '2024-01-01T00:00:00Z' FROM generate_series(1, 10001))"),
        asked("FOR VALID_TIME AS OF EACH (SELECT TIMESTAMPTZ '2024-01-01T00:00:00Z' FROM generate_series(1, 9223372036854775807))"),
        asked("FOR SYSTEM_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))"),
        asked("FOR SYSTEM_TIME ALL FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))"),
        asked("FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z')) FOR VALID_TIME ALL"),
        asked("FOR VALID_TIME AS OF EACH (SELECT (SELECT max(timestamp) FROM transactions))"),
        "SELECT * FROM transactions FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))".to_owned(),
        "SELECT _valid_at FROM account".to_owned(),
        "WITH w AS (SELECT * FROM account) SELECT * FROM w FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))".to_owned(),
    ];
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    expect![[r#"
        > SELECT * FROM account FOR VALID_TIME AS OF EACH
        error: line 1, column 44: EACH is not a time: schema error: No field named each.
        > SELECT * FROM account FOR VALID_TIME AS OF EACH ()
        error: line 1, column 50: expected: SELECT, VALUES, or a subquery in the query body, found: )
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT 1
        error: expected: ), found: EOF
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT 1)
        error: line 1, column 44: 1 is not a time: write it as '2023-12-13T12:00:00Z'
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01'))
        error: line 1, column 44: 2024-01-01 is a whole day: write a time, or END OF 'date' for its last moment
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'), (NULL))
        error: line 1, column 44: NULL is NULL, which is no time
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT 1, 2)
        error: line 1, column 44: EACH wants one column of times, and is given 2
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT timestamp FROM transactions)
        error: line 1, column 44: the times of EACH come from VALUES or generate_series, not from a topic or entity such as transactions
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT _event_time FROM transactions FOR SYSTEM_TIME ALL)
        error: line 1, column 91: expected: one of UPDATE or SHARE, found: SYSTEM_TIME
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT TIMESTAMPTZ '2024-01-01T00:00:00Z' FROM generate_series(1, 10001))
        error: line 1, column 44: EACH is for at most 10000 times
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT TIMESTAMPTZ '2024-01-01T00:00:00Z' FROM generate_series(1, 9223372036854775807))
        error: line 1, column 44: EACH is for at most 10000 times
        > SELECT * FROM account FOR SYSTEM_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))
        error: line 1, column 45: EACH is for FOR VALID_TIME: FOR SYSTEM_TIME ALL has every version, from _system_from to before _system_to
        > SELECT * FROM account FOR SYSTEM_TIME ALL FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))
        error: versions are over one axis: write AS OF for the other
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z')) FOR VALID_TIME ALL
        error: line 1, column 83: FOR VALID_TIME is given twice
        > SELECT * FROM account FOR VALID_TIME AS OF EACH (SELECT (SELECT max(timestamp) FROM transactions))
        error: line 1, column 44: the times of EACH come from VALUES or generate_series, not from a topic or entity such as transactions
        > SELECT * FROM transactions FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))
        error: transactions has events, and AS OF EACH is for entities: events up to a time are those WHERE _event_time <= it
        > SELECT _valid_at FROM account
        error: schema error: No field named _valid_at.
        Valid fields are account.accountid, account.balance, account._position, account._event_time.
        > WITH w AS (SELECT * FROM account) SELECT * FROM w FOR VALID_TIME AS OF EACH (VALUES ('2024-01-01T00:00:00Z'))
        error: line 1, column 51: w is a query of WITH: clauses of time belong to the topics and entities inside it
    "#]].assert_eq(&bench.script(&statements));
}
