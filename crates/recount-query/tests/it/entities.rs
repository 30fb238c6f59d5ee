//! Entities in SQL, on both axes of time.

use expect_test::expect;
use recount_query::Stopped;

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

/// What would have failed without them, and nothing else, is left out; the notice says so before the first row.
#[test]
fn stopped_keys_are_left_out_where_that_is_set() {
    let (mut bench, views) = Bench::with_entities();
    views.execute(BANK).unwrap();
    let overdrawn = "WHEN (balance + amount < 0) THEN ERROR 'overdrawn' WHEN ANY";
    views.execute(&ACCOUNT.replace("WHEN ANY", overdrawn)).unwrap();
    for account in 1..=14 {
        let event = format!(r#"{{"accountId": {account}, "amount": 5, "timestamp": 1701432000}}"#);
        bench.append("transactions", &event);
    }
    bench.append("transactions", r#"{"accountId": 2, "amount": -7, "timestamp": 1702382400}"#);
    let statements = [
        "SELECT sum(balance), count(*) FROM account",
        "SELECT count(*) FROM account WHERE accountid = 1",
        "SELECT count(*) FROM account WHERE accountid = 2",
        "SELECT count(*), max(_system_to) FROM account FOR SYSTEM_TIME ALL",
        "SELECT count(*), max(_valid_to) FROM account FOR VALID_TIME ALL",
        "SELECT count(*) FROM account FOR VALID_TIME AS OF '2023-12-11T00:00:00Z'",
        "SELECT count(*) FROM account AS OF POSITION 16 AS then, account AS now WHERE then.accountid = now.accountid",
        "SELECT count(*) FROM transactions",
        "INSERT INTO transactions SELECT accountid, -balance, '2024-01-01T00:00:00Z' FROM account WHERE accountid < 3",
        "EXPLAIN SELECT balance FROM account",
    ];
    let failing = bench.script(&statements[..1]);
    assert!(failing.contains("error: account/2 stopped at position 17: overdrawn"), "{failing}");
    bench.session.stopped = Stopped::Skip;
    expect![[r#"
        > SELECT sum(balance), count(*) FROM account
        sum(balance) | count(*)
        65.00 | 13
        notice: of account version 1, 1 key that stopped is left out: 2 (position 17). See SHOW STOPPED
        > SELECT count(*) FROM account WHERE accountid = 1
        count(*)
        1
        > SELECT count(*) FROM account WHERE accountid = 2
        count(*)
        0
        notice: of account version 1, 1 key that stopped is left out: 2 (position 17). See SHOW STOPPED
        > SELECT count(*), max(_system_to) FROM account FOR SYSTEM_TIME ALL
        count(*) | max(_system_to)
        13 | NULL
        notice: of account version 1, 1 key that stopped is left out: 2 (position 17). See SHOW STOPPED
        > SELECT count(*), max(_valid_to) FROM account FOR VALID_TIME ALL
        count(*) | max(_valid_to)
        13 | NULL
        notice: of account version 1, 1 key that stopped is left out: 2 (position 17). See SHOW STOPPED
        > SELECT count(*) FROM account FOR VALID_TIME AS OF '2023-12-11T00:00:00Z'
        count(*)
        14
        > SELECT count(*) FROM account AS OF POSITION 16 AS then, account AS now WHERE then.accountid = now.accountid
        count(*)
        13
        notice: of account version 1, 1 key that stopped is left out: 2 (position 17). See SHOW STOPPED
        > SELECT count(*) FROM transactions
        count(*)
        15
        > INSERT INTO transactions SELECT accountid, -balance, '2024-01-01T00:00:00Z' FROM account WHERE accountid < 3
        inserted | position
        1 | 18
        notice: of account version 1, 1 key that stopped is left out: 2 (position 17). See SHOW STOPPED
        > EXPLAIN SELECT balance FROM account
        plan
        Scan: account version 1, whole, as of position 18, kept up to date, without stopped keys; 1 of 2 columns decoded: [balance]
    "#]].assert_eq(&bench.script(&statements));
    for account in 3..=14 {
        let event = format!(r#"{{"accountId": {account}, "amount": -7, "timestamp": 1702382400}}"#);
        bench.append("transactions", &event);
    }
    expect![[r#"
        > SELECT balance FROM account
        balance
        0.00
        notice: of account version 1, 13 keys that stopped are left out: 2 (position 17), 3 (position 19), 4 (position 20), 5 (position 21), 6 (position 22), 7 (position 23), 8 (position 24), 9 (position 25), 10 (position 26), 11 (position 27), and 3 more. See SHOW STOPPED
    "#]].assert_eq(&bench.script(&["SELECT balance FROM account"]));
}

/// A late event may start a key again that had stopped: its versions fail in the middle, so none of them comes.
#[test]
fn a_key_that_stopped_for_a_while_is_left_out_of_versions() {
    let (mut bench, views) = Bench::with_entities();
    views.execute(BANK).unwrap();
    let entity = "CREATE ENTITY account FROM transactions ORDER BY EVENT TIME STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
        WHEN (balance + amount < 0) THEN ERROR 'overdrawn' WHEN ANY THEN SET balance = balance + amount";
    views.execute(entity).unwrap();
    for (account, amount, time) in [(1, 5, 2), (2, 1, 1), (2, -5, 3), (2, 6, 2)] {
        let event = format!(r#"{{"accountId": {account}, "amount": {amount}, "timestamp": {time}}}"#);
        bench.append("transactions", &event);
    }
    let statements = [
        "SELECT * FROM account ORDER BY 1",
        "SELECT * FROM account AS OF POSITION 5",
        "SELECT *, _position FROM account FOR SYSTEM_TIME ALL",
        "SELECT *, _position FROM account FOR VALID_TIME ALL ORDER BY 1, 3",
    ];
    bench.session.stopped = Stopped::Skip;
    expect![[r#"
        > SELECT * FROM account ORDER BY 1
        accountid | balance
        1 | 5.00
        2 | 2.00
        > SELECT * FROM account AS OF POSITION 5
        accountid | balance
        1 | 5.00
        notice: of account version 1, 1 key that stopped is left out: 2 (position 5). See SHOW STOPPED
        > SELECT *, _position FROM account FOR SYSTEM_TIME ALL
        accountid | balance | _position
        1 | 5.00 | 3
        notice: of account version 1, 1 key that stopped is left out: 2 (position 5). See SHOW STOPPED
        > SELECT *, _position FROM account FOR VALID_TIME ALL ORDER BY 1, 3
        accountid | balance | _position
        1 | 5.00 | 3
        2 | 1.00 | 4
        2 | 2.00 | 5
        2 | 7.00 | 6
    "#]]
    .assert_eq(&bench.script(&statements));
}
