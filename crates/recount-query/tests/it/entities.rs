//! Entities in SQL, on both axes of time.

use expect_test::expect;

use crate::support::{BANK, Bench};

const ACCOUNT: &str =
    "CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
    WHEN ANY THEN SET balance = balance + amount";
const RATES: &str =
    "CREATE TOPIC rates (product TEXT NOT NULL, rate DECIMAL(9,6) NOT NULL, since TIMESTAMPTZ NOT NULL)
    KEY (product) TIMESTAMP BY since";
const INTEREST: &str = "CREATE OR REPLACE ENTITY account FROM transactions
    LOOKUP rates AS r ON r.product = 'savings' AS OF timestamp
    STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, last TIMESTAMPTZ)
    WHEN ANY THEN SET last = timestamp, balance = balance + amount
      + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2)";

#[test]
fn a_bank_on_both_axes() {
    let (bench, views) = Bench::with_entities();
    for statement in [BANK, ACCOUNT, RATES] {
        views.execute(statement).unwrap();
    }
    let transaction = |account: u32, amount: &str, seconds: u64| {
        let event = format!(r#"{{"accountId": {account}, "amount": {amount}, "timestamp": {seconds}}}"#);
        bench.append("transactions", &event);
    };
    transaction(1, "100", 1_701_432_000); // 2023-12-01T12:00:00Z
    bench.now("2024-01-02T00:00:00Z");
    transaction(1, "-20", 1_702_468_800); // 2023-12-13T12:00:00Z
    bench.now("2024-01-03T00:00:00Z");
    transaction(2, "7.25", 1_701_500_000);
    bench.now("2024-01-04T00:00:00Z");
    bench.append("rates", r#"{"product": "savings", "rate": 0.05, "since": "2023-01-01T00:00:00Z"}"#);
    expect![[r#"
        > SELECT * FROM account ORDER BY accountid
        accountid | balance
        1 | 80.00
        2 | 7.25
        > SELECT accountid, _position, _event_time FROM account WHERE balance > 10
        accountid | _position | _event_time
        1 | 5 | 2023-12-13T12:00:00Z
        > SELECT * FROM account WHERE accountId = 2
        accountid | balance
        2 | 7.25
        > SELECT * FROM account FOR SYSTEM_TIME AS OF '2024-01-01T12:00:00Z'
        accountid | balance
        1 | 100.00
        > SELECT * FROM account FOR VALID_TIME AS OF '2023-12-12T00:00:00Z' ORDER BY 1
        accountid | balance
        1 | 100.00
        2 | 7.25
        > SELECT * FROM account FOR VALID_TIME AS OF END OF '2023-12-13' FOR SYSTEM_TIME AS OF '2024-01-01T12:00:00Z'
        accountid | balance
        1 | 100.00
        > SELECT *, _system_from, _system_to FROM account FOR SYSTEM_TIME ALL ORDER BY _position
        accountid | balance | _system_from | _system_to
        1 | 100.00 | 2024-01-01T00:00:00.000003Z | 2024-01-02T00:00:00Z
        1 | 80.00 | 2024-01-02T00:00:00Z | NULL
        2 | 7.25 | 2024-01-03T00:00:00Z | NULL
        > SELECT accountid, balance, _valid_from, _valid_to FROM account FOR VALID_TIME ALL WHERE accountid = 1
        accountid | balance | _valid_from | _valid_to
        1 | 100.00 | 2023-12-01T12:00:00Z | 2023-12-13T12:00:00Z
        1 | 80.00 | 2023-12-13T12:00:00Z | NULL
        > SELECT * FROM account AS OF POSITION 7 ORDER BY 1
        accountid | balance
        1 | 80.00
        2 | 7.25
        > SELECT n.accountid, n.balance - o.balance AS since FROM account n JOIN account AS OF POSITION 4 AS o USING (accountid)
        accountid | since
        1 | -20.00
        > SELECT sum(balance), (SELECT sum(amount) FROM transactions) AS same FROM account
        sum(balance) | same
        87.25 | 87.25
        > SELECT balance FROM account FOR VERSION 2
        error: entity account has no version 2: it has 1
        > SELECT * FROM account FOR SYSTEM_TIME ALL FOR VALID_TIME ALL
        error: versions are over one axis: write AS OF for the other
        > EXPLAIN SELECT balance FROM account WHERE accountid = 1
        plan
        FilterExec: accountid@0 = 1, projection=[balance@1]
          Scan: account version 1, one accountid, as of position 7, kept up to date; 2 of 2 columns decoded: [accountid, balance]
    "#]]
    .assert_eq(&bench.script(&[
        "SELECT * FROM account ORDER BY accountid",
        "SELECT accountid, _position, _event_time FROM account WHERE balance > 10",
        "SELECT * FROM account WHERE accountId = 2",
        "SELECT * FROM account FOR SYSTEM_TIME AS OF '2024-01-01T12:00:00Z'",
        "SELECT * FROM account FOR VALID_TIME AS OF '2023-12-12T00:00:00Z' ORDER BY 1",
        "SELECT * FROM account FOR VALID_TIME AS OF END OF '2023-12-13' FOR SYSTEM_TIME AS OF '2024-01-01T12:00:00Z'",
        "SELECT *, _system_from, _system_to FROM account FOR SYSTEM_TIME ALL ORDER BY _position",
        "SELECT accountid, balance, _valid_from, _valid_to FROM account FOR VALID_TIME ALL WHERE accountid = 1",
        "SELECT * FROM account AS OF POSITION 7 ORDER BY 1",
        "SELECT n.accountid, n.balance - o.balance AS since FROM account n JOIN account AS OF POSITION 4 AS o USING (accountid)",
        "SELECT sum(balance), (SELECT sum(amount) FROM transactions) AS same FROM account",
        "SELECT balance FROM account FOR VERSION 2",
        "SELECT * FROM account FOR SYSTEM_TIME ALL FOR VALID_TIME ALL",
        "EXPLAIN SELECT balance FROM account WHERE accountid = 1",
    ]));
    views.execute(INTEREST).unwrap();
    while !views.entities().iter().any(|entity| entity.version == 2 && entity.current) {
        std::thread::yield_now();
    }
    expect![[r#"
        > SELECT accountid, balance FROM account ORDER BY accountid
        accountid | balance
        1 | 80.16
        2 | 7.25
        > SELECT o._position, o.balance AS old, n.balance AS new FROM account FOR VERSION 1 FOR VALID_TIME ALL AS o
                   JOIN account FOR VALID_TIME ALL AS n ON n._position = o._position WHERE n.accountId = 1 ORDER BY 1
        _position | old | new
        4 | 100.00 | 100.00
        5 | 80.00 | 80.16
        > SELECT balance, _position FROM account FOR SYSTEM_TIME ALL WHERE accountid = 1 ORDER BY _position
        balance | _position
        100.00 | 4
        80.00 | 5
        80.16 | 7
        > SELECT balance FROM account FOR SYSTEM_TIME AS OF '2024-01-03T12:00:00Z' WHERE accountid = 1
        balance
        80.00
    "#]]
    .assert_eq(&bench.script(&[
        "SELECT accountid, balance FROM account ORDER BY accountid",
        "SELECT o._position, o.balance AS old, n.balance AS new FROM account FOR VERSION 1 FOR VALID_TIME ALL AS o
           JOIN account FOR VALID_TIME ALL AS n ON n._position = o._position WHERE n.accountId = 1 ORDER BY 1",
        "SELECT balance, _position FROM account FOR SYSTEM_TIME ALL WHERE accountid = 1 ORDER BY _position",
        "SELECT balance FROM account FOR SYSTEM_TIME AS OF '2024-01-03T12:00:00Z' WHERE accountid = 1",
    ]));
}

#[test]
fn a_stopped_key_fails_what_reads_it() {
    let (bench, views) = Bench::with_entities();
    views.execute(BANK).unwrap();
    let declared = ACCOUNT
        .replace("WHEN ANY", "WHEN (amount < 0 AND balance + amount < 0) THEN ERROR 'overdrawn' WHEN ANY");
    views.execute(&declared).unwrap();
    bench.append("transactions", r#"{"accountId": 1, "amount": 5, "timestamp": 1701432000}"#);
    bench.append("transactions", r#"{"accountId": 2, "amount": -5, "timestamp": 1701432000}"#);
    expect![[r#"
        > SELECT * FROM account
        error: account/2 stopped at position 4: overdrawn. Look at it with recount why account/2; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 4
        > SELECT * FROM account WHERE accountid = 1
        accountid | balance
        1 | 5.00
        > SELECT * FROM account FOR SYSTEM_TIME ALL WHERE accountid = 2
        error: account/2 stopped at position 4: overdrawn. Look at it with recount why account/2; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 4
        > SELECT * FROM account AS OF POSITION 3
        accountid | balance
        1 | 5.00
    "#]]
    .assert_eq(&bench.script(&[
        "SELECT * FROM account",
        "SELECT * FROM account WHERE accountid = 1",
        "SELECT * FROM account FOR SYSTEM_TIME ALL WHERE accountid = 2",
        "SELECT * FROM account AS OF POSITION 3",
    ]));
}
