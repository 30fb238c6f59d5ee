//! Views that read entities: rows that change and go, rules that are replaced, keys that stop.

use expect_test::expect;

use crate::support::BANK;
use crate::views::Bank;

const ACCOUNT: &str = "CREATE ENTITY account FROM transactions
    STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, n BIGINT NOT NULL DEFAULT 0)
    WHEN (amount = 0) THEN DELETE
    WHEN ANY THEN SET balance = balance + amount, n = n + 1";

#[test]
fn a_view_of_an_entity_is_what_its_query_is() {
    let bank = Bank::new();
    let said = bank.script(&[
        BANK,
        ACCOUNT,
        "INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')",
        "CREATE MATERIALIZED VIEW rich AS SELECT accountid, balance FROM account WHERE balance > 50",
        "CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS balance, count(*) AS accounts, max(_position) AS last FROM account",
        "SELECT * FROM rich",
        "SELECT * FROM total",
        "INSERT INTO transactions VALUES (1, -60, '2023-12-13T00:00:00Z'), (2, 70, '2023-12-13T00:00:00Z'), (2, 30, '2023-12-13T00:00:00Z')",
        "SELECT * FROM rich",
        "SELECT * FROM total",
        "INSERT INTO transactions VALUES (1, 0, '2023-12-14T00:00:00Z'), (3, 1, '2023-12-14T00:00:00Z')",
        "SELECT t.*, r.* FROM total t, rich r",
        "SELECT * FROM total AS OF POSITION 4",
        "SELECT * FROM rich FOR VALID_TIME AS OF '2023-12-13T12:00:00Z'",
        "SHOW VIEWS",
        "DROP ENTITY account",
        "DROP TOPIC transactions",
        "CREATE MATERIALIZED VIEW steps AS SELECT * FROM account FOR SYSTEM_TIME ALL",
    ]);
    expect![[r#"
        > CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
          timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS) KEY (accountId) TIMESTAMP BY timestamp
        CREATE TOPIC transactions at 1
        > CREATE ENTITY account FROM transactions
            STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, n BIGINT NOT NULL DEFAULT 0)
            WHEN (amount = 0) THEN DELETE
            WHEN ANY THEN SET balance = balance + amount, n = n + 1
        CREATE ENTITY account at 2
        > INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')
        inserted | position
        2 | 4
        > CREATE MATERIALIZED VIEW rich AS SELECT accountid, balance FROM account WHERE balance > 50
        CREATE MATERIALIZED VIEW rich at 5
        > CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS balance, count(*) AS accounts, max(_position) AS last FROM account
        CREATE MATERIALIZED VIEW total at 6
        > SELECT * FROM rich
        accountid | balance
        1 | 100.00
        > SELECT * FROM total
        balance | accounts | last
        107.25 | 2 | 4
        > INSERT INTO transactions VALUES (1, -60, '2023-12-13T00:00:00Z'), (2, 70, '2023-12-13T00:00:00Z'), (2, 30, '2023-12-13T00:00:00Z')
        inserted | position
        3 | 9
        > SELECT * FROM rich
        accountid | balance
        2 | 107.25
        > SELECT * FROM total
        balance | accounts | last
        147.25 | 2 | 9
        > INSERT INTO transactions VALUES (1, 0, '2023-12-14T00:00:00Z'), (3, 1, '2023-12-14T00:00:00Z')
        inserted | position
        2 | 11
        > SELECT t.*, r.* FROM total t, rich r
        balance | accounts | last | accountid | balance
        108.25 | 2 | 11 | 2 | 107.25
        > SELECT * FROM total AS OF POSITION 4
        balance | accounts | last
        107.25 | 2 | 4
        > SELECT * FROM rich FOR VALID_TIME AS OF '2023-12-13T12:00:00Z'
        accountid | balance
        2 | 107.25
        > SHOW VIEWS
        name | columns | state | rows | position | behind | per_second | bytes | snapshot | errors | unfit_events | error
        rich | accountid BIGINT, balance DECIMAL(18,2) | live | 1 | 11 | 0 | NULL | 154 | NULL | 0 | 0 | 
        total | balance DECIMAL(28,2), accounts BIGINT, last BIGINT | live | 1 | 11 | 0 | NULL | 1200 | NULL | 0 | 0 | 
        > DROP ENTITY account
        error: entity account cannot be dropped: view rich reads it. Drop that first
        > DROP TOPIC transactions
        error: topic transactions cannot be dropped: version 1 of entity account reads it. Drop that first
        > CREATE MATERIALIZED VIEW steps AS SELECT * FROM account FOR SYSTEM_TIME ALL
        error: line 1, column 57: a view has no time of its own: leave the clause out, and ask the view itself as of when
    "#]].assert_eq(&said);
}

/// A rule that is replaced: the view follows the version that answers, and the columns that it reads have to stay. A view of one version
/// keeps to it.
#[test]
fn an_entity_that_is_replaced() {
    let bank = Bank::new();
    bank.declare(&[
        BANK,
        ACCOUNT,
        "INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')",
        "CREATE MATERIALIZED VIEW today AS SELECT * FROM account",
        "CREATE MATERIALIZED VIEW first AS SELECT * FROM account FOR VERSION 1",
        "CREATE OR REPLACE ENTITY account FROM transactions
           STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, n BIGINT NOT NULL DEFAULT 0, fee DECIMAL(18,2) NOT NULL DEFAULT 0)
           WHEN ANY THEN SET balance = balance + amount - 1, n = n + 1, fee = fee + 1",
    ]);
    bank.until("SELECT DISTINCT fee FROM account", "fee\n1.00\n");
    let said = bank.script(&[
        "SELECT * FROM today ORDER BY accountid",
        "SELECT * FROM first ORDER BY accountid",
        "INSERT INTO transactions VALUES (1, 50, '2023-12-03T00:00:00Z')",
        "SELECT * FROM today ORDER BY accountid",
        "SELECT * FROM first ORDER BY accountid",
        "SELECT * FROM today AS OF POSITION 4 ORDER BY accountid",
        "CREATE OR REPLACE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
           WHEN ANY THEN SET balance = balance + amount",
        "CREATE OR REPLACE ENTITY account FROM transactions STATE (balance BIGINT NOT NULL DEFAULT 0, n BIGINT NOT NULL DEFAULT 0)
           WHEN ANY THEN SET n = n + 1",
        "DROP ENTITY account VERSION 1",
        "DROP MATERIALIZED VIEW first",
        "DROP ENTITY account VERSION 1",
    ]);
    expect![[r#"
        > SELECT * FROM today ORDER BY accountid
        accountid | balance | n
        1 | 99.00 | 1
        2 | 6.25 | 1
        > SELECT * FROM first ORDER BY accountid
        accountid | balance | n
        1 | 100.00 | 1
        2 | 7.25 | 1
        > INSERT INTO transactions VALUES (1, 50, '2023-12-03T00:00:00Z')
        inserted | position
        1 | 9
        > SELECT * FROM today ORDER BY accountid
        accountid | balance | n
        1 | 148.00 | 2
        2 | 6.25 | 1
        > SELECT * FROM first ORDER BY accountid
        accountid | balance | n
        1 | 150.00 | 2
        2 | 7.25 | 1
        > SELECT * FROM today AS OF POSITION 4 ORDER BY accountid
        accountid | balance | n
        1 | 99.00 | 1
        2 | 6.25 | 1
        > CREATE OR REPLACE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
                   WHEN ANY THEN SET balance = balance + amount
        error: view today reads column n of entity account, which would be gone or of another type: keep the column, or drop the view first
        > CREATE OR REPLACE ENTITY account FROM transactions STATE (balance BIGINT NOT NULL DEFAULT 0, n BIGINT NOT NULL DEFAULT 0)
                   WHEN ANY THEN SET n = n + 1
        error: view today reads column balance of entity account, which would be gone or of another type: keep the column, or drop the view first
        > DROP ENTITY account VERSION 1
        error: version 1 of entity account cannot be dropped: view first reads it. Drop that first
        > DROP MATERIALIZED VIEW first
        DROP MATERIALIZED VIEW first at 10
        > DROP ENTITY account VERSION 1
        DROP ENTITY account at 11
    "#]].assert_eq(&said);
}

/// A key that stops takes its row out of the view, and the view says so as the entity does.
#[test]
fn a_key_that_stops() {
    let bank = Bank::new();
    bank.declare(&[
        BANK,
        "CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
           WHEN (balance + amount < 0) THEN ERROR 'overdrawn' WHEN ANY THEN SET balance = balance + amount",
        "CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS balance, count(*) AS n FROM account",
        "CREATE MATERIALIZED VIEW double AS SELECT 2 * balance AS balance FROM total",
        "INSERT INTO transactions VALUES (1, 100, '2023-12-01T00:00:00Z'), (2, 7.25, '2023-12-02T00:00:00Z')",
    ]);
    let said = bank.script(&[
        "SELECT * FROM total",
        "INSERT INTO transactions VALUES (2, -8, '2023-12-03T00:00:00Z'), (1, 1, '2023-12-03T00:00:00Z')",
        "SELECT * FROM total",
        "SELECT * FROM double",
        "SELECT * FROM total AS OF POSITION 7",
        "ALTER ENTITY account SKIP EVENT 7",
        "SELECT * FROM total",
    ]);
    expect![[r#"
        > SELECT * FROM total
        balance | n
        107.25 | 2
        > INSERT INTO transactions VALUES (2, -8, '2023-12-03T00:00:00Z'), (1, 1, '2023-12-03T00:00:00Z')
        inserted | position
        2 | 8
        > SELECT * FROM total
        error: account/2 stopped at position 7: overdrawn. Look at it with recount why account/2; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 7
        > SELECT * FROM double
        error: account/2 stopped at position 7: overdrawn. Look at it with recount why account/2; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 7
        > SELECT * FROM total AS OF POSITION 7
        balance | n
        107.25 | 2
        > ALTER ENTITY account SKIP EVENT 7
        ALTER ENTITY account at 9
        > SELECT * FROM total
        balance | n
        108.25 | 2
    "#]].assert_eq(&said);
    let said = bank.with_stopped_left_out(&[
        "INSERT INTO transactions VALUES (2, -8, '2023-12-03T00:00:00Z')",
        "SELECT * FROM double",
        "SELECT * FROM total AS OF POSITION 6",
    ]);
    expect![[r#"
        > INSERT INTO transactions VALUES (2, -8, '2023-12-03T00:00:00Z')
        inserted | position
        1 | 10
        > SELECT * FROM double
        balance
        202.00
        notice: view double is made without 1 key that stopped: account/2 stopped at position 10: overdrawn. Look at it with recount why account/2; then correct the rule with CREATE OR REPLACE ENTITY, or pass the event over: ALTER ENTITY account SKIP EVENT 10
        > SELECT * FROM total AS OF POSITION 6
        balance | n
        107.25 | 2
    "#]].assert_eq(&said);
}
