//! Views at other moments than now, and over stretches of time: by their circuits, so that what cannot be computed is left out as it is now.

use expect_test::expect;

use crate::support::BANK;
use crate::views::Bank;

const BALANCES: &str = "CREATE MATERIALIZED VIEW balances AS
    SELECT accountid, sum(amount) AS balance, count(*) AS n FROM transactions GROUP BY accountid";

/// Of each row since when it was there and until when, whatever the view knew of itself then: it is declared last.
#[test]
fn versions_of_rows() {
    let bank = Bank::new();
    bank.declare(&[
        BANK,
        "INSERT INTO transactions VALUES (1, 100, '2023-12-02T00:00:00Z'), (2, 7.25, '2023-12-01T00:00:00Z')",
    ]);
    bank.now("2024-01-02T00:00:00Z");
    bank.declare(&["INSERT INTO transactions VALUES (1, -20, '2023-11-30T00:00:00Z')"]);
    bank.now("2024-01-03T00:00:00Z");
    bank.declare(&["INSERT INTO transactions VALUES (1, 0, '2023-12-31T00:00:00Z')", BALANCES]);
    let all = "accountid, balance, n, _position, _system_from, _system_to";
    let said = bank.script(&[
        "SELECT * FROM balances FOR SYSTEM_TIME ALL ORDER BY accountid, n",
        &format!("SELECT {all} FROM balances FOR SYSTEM_TIME ALL ORDER BY accountid, n"),
        "SELECT accountid, n FROM balances FOR SYSTEM_TIME FROM '2024-01-01T00:00:02Z' TO '2024-01-03T00:00:00Z' ORDER BY accountid, n",
        "SELECT n, _system_to FROM balances FOR SYSTEM_TIME FROM '2024-01-01T00:00:02Z' TO '2024-01-02T12:00:00Z' WHERE accountid = 1 ORDER BY n",
        "SELECT n, _valid_to FROM balances FOR VALID_TIME FROM '2023-12-01T00:00:00Z' TO '2023-12-03T00:00:00Z' WHERE accountid = 1 ORDER BY n",
        "SELECT accountid, n, _position FROM balances FOR SYSTEM_TIME BETWEEN '2024-01-02T12:00:00Z' AND '2024-01-03T00:00:00Z' ORDER BY accountid, n",
        "SELECT accountid, n FROM balances FOR SYSTEM_TIME ALL FOR VALID_TIME AS OF '2023-12-01T00:00:00Z' ORDER BY accountid, n",
        "SELECT accountid, balance, n, _valid_from, _valid_to FROM balances FOR VALID_TIME ALL ORDER BY accountid, n",
        "SELECT accountid, n FROM balances FOR VALID_TIME FROM '2023-12-01T00:00:00Z' TO '2023-12-02T00:00:00Z' ORDER BY accountid, n",
        "SELECT accountid, n, _valid_to FROM balances FOR VALID_TIME ALL AS OF POSITION 3 ORDER BY accountid, n",
        "SELECT accountid, balance, _valid_at FROM balances FOR VALID_TIME AS OF EACH (VALUES ('2023-12-31T00:00:00Z'), ('2023-11-30T00:00:00Z'), ('2023-01-01T00:00:00Z')) ORDER BY _valid_at, accountid",
        "EXPLAIN SELECT n, _valid_from FROM balances FOR VALID_TIME ALL",
    ]);
    expect![[r#"
        > SELECT * FROM balances FOR SYSTEM_TIME ALL ORDER BY accountid, n
        accountid | balance | n
        1 | 100.00 | 1
        1 | 80.00 | 2
        1 | 80.00 | 3
        2 | 7.25 | 1
        > SELECT accountid, balance, n, _position, _system_from, _system_to FROM balances FOR SYSTEM_TIME ALL ORDER BY accountid, n
        accountid | balance | n | _position | _system_from | _system_to
        1 | 100.00 | 1 | 3 | 2024-01-01T00:00:00.000001Z | 2024-01-02T00:00:00Z
        1 | 80.00 | 2 | 4 | 2024-01-02T00:00:00Z | 2024-01-03T00:00:00Z
        1 | 80.00 | 3 | 5 | 2024-01-03T00:00:00Z | NULL
        2 | 7.25 | 1 | 3 | 2024-01-01T00:00:00.000001Z | NULL
        > SELECT accountid, n FROM balances FOR SYSTEM_TIME FROM '2024-01-01T00:00:02Z' TO '2024-01-03T00:00:00Z' ORDER BY accountid, n
        accountid | n
        1 | 1
        1 | 2
        2 | 1
        > SELECT n, _system_to FROM balances FOR SYSTEM_TIME FROM '2024-01-01T00:00:02Z' TO '2024-01-02T12:00:00Z' WHERE accountid = 1 ORDER BY n
        n | _system_to
        1 | 2024-01-02T00:00:00Z
        2 | 2024-01-03T00:00:00Z
        > SELECT n, _valid_to FROM balances FOR VALID_TIME FROM '2023-12-01T00:00:00Z' TO '2023-12-03T00:00:00Z' WHERE accountid = 1 ORDER BY n
        n | _valid_to
        1 | 2023-12-02T00:00:00Z
        2 | 2023-12-31T00:00:00Z
        > SELECT accountid, n, _position FROM balances FOR SYSTEM_TIME BETWEEN '2024-01-02T12:00:00Z' AND '2024-01-03T00:00:00Z' ORDER BY accountid, n
        accountid | n | _position
        1 | 2 | 4
        1 | 3 | 5
        2 | 1 | 3
        > SELECT accountid, n FROM balances FOR SYSTEM_TIME ALL FOR VALID_TIME AS OF '2023-12-01T00:00:00Z' ORDER BY accountid, n
        accountid | n
        1 | 1
        2 | 1
        > SELECT accountid, balance, n, _valid_from, _valid_to FROM balances FOR VALID_TIME ALL ORDER BY accountid, n
        accountid | balance | n | _valid_from | _valid_to
        1 | -20.00 | 1 | 2023-11-30T00:00:00Z | 2023-12-02T00:00:00Z
        1 | 80.00 | 2 | 2023-12-02T00:00:00Z | 2023-12-31T00:00:00Z
        1 | 80.00 | 3 | 2023-12-31T00:00:00Z | NULL
        2 | 7.25 | 1 | 2023-12-01T00:00:00Z | NULL
        > SELECT accountid, n FROM balances FOR VALID_TIME FROM '2023-12-01T00:00:00Z' TO '2023-12-02T00:00:00Z' ORDER BY accountid, n
        accountid | n
        1 | 1
        2 | 1
        > SELECT accountid, n, _valid_to FROM balances FOR VALID_TIME ALL AS OF POSITION 3 ORDER BY accountid, n
        accountid | n | _valid_to
        1 | 1 | NULL
        2 | 1 | NULL
        > SELECT accountid, balance, _valid_at FROM balances FOR VALID_TIME AS OF EACH (VALUES ('2023-12-31T00:00:00Z'), ('2023-11-30T00:00:00Z'), ('2023-01-01T00:00:00Z')) ORDER BY _valid_at, accountid
        accountid | balance | _valid_at
        1 | -20.00 | 2023-11-30T00:00:00Z
        1 | 80.00 | 2023-12-31T00:00:00Z
        2 | 7.25 | 2023-12-31T00:00:00Z
        > EXPLAIN SELECT n, _valid_from FROM balances FOR VALID_TIME ALL
        plan
        Operators: view balances, as of position 6, versions valid at any time
          SortExec: expr=[_event_time@2 ASC NULLS LAST], preserve_partitioning=[false]
            Scan: topic transactions, whole, as of position 6, at most 4 events in memory; 2 of 3 columns decoded: [accountid, amount, _event_time]
    "#]].assert_eq(&said);
}

/// A row goes when its partner comes, and comes again when that goes; two equal rows are two.
#[test]
fn versions_where_rows_go() {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC orders (id INT NOT NULL, item TEXT NOT NULL)",
        "CREATE TOPIC shipments (id INT NOT NULL)",
        "CREATE MATERIALIZED VIEW open AS SELECT item FROM orders WHERE id NOT IN (SELECT id FROM shipments)",
        "CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM orders",
        "INSERT INTO orders VALUES (1, 'a'), (2, 'a'), (3, 'b')",
        "INSERT INTO shipments VALUES (1)",
        "INSERT INTO shipments VALUES (2), (9)",
        "INSERT INTO orders VALUES (9, 'c')",
    ]);
    let said = bank.script(&[
        "SELECT item, _position, _system_to IS NULL AS goes_on FROM open FOR SYSTEM_TIME ALL ORDER BY item, goes_on",
        "SELECT n, _position, _system_from IS NULL AS always FROM total FOR SYSTEM_TIME ALL ORDER BY n",
        "SELECT count(*) FROM open FOR SYSTEM_TIME ALL",
        "SELECT n FROM total AS OF POSITION 0",
        "SELECT n FROM total FOR SYSTEM_TIME AS OF '2000-01-01T00:00:00Z'",
        "SELECT n FROM total FOR VALID_TIME AS OF '2000-01-01T00:00:00Z'",
    ]);
    expect![[r#"
        > SELECT item, _position, _system_to IS NULL AS goes_on FROM open FOR SYSTEM_TIME ALL ORDER BY item, goes_on
        item | _position | goes_on
        a | 7 | false
        a | 7 | false
        b | 7 | true
        > SELECT n, _position, _system_from IS NULL AS always FROM total FOR SYSTEM_TIME ALL ORDER BY n
        n | _position | always
        0 | NULL | true
        3 | 7 | false
        4 | 11 | false
        > SELECT count(*) FROM open FOR SYSTEM_TIME ALL
        count(*)
        3
        > SELECT n FROM total AS OF POSITION 0
        n
        0
        > SELECT n FROM total FOR SYSTEM_TIME AS OF '2000-01-01T00:00:00Z'
        n
        0
        > SELECT n FROM total FOR VALID_TIME AS OF '2000-01-01T00:00:00Z'
        n
        0
    "#]].assert_eq(&said);
}

/// Read as of a moment, a view failed at a row that it leaves out when it is kept up to date: the same rows were two answers. So did it at
/// events that do not fit their topic.
#[test]
fn what_could_not_be_computed_then_is_left_out_then() {
    let bank = Bank::new();
    bank.declare(&[
        BANK,
        "CREATE MATERIALIZED VIEW shares AS SELECT accountid, 100 / sum(amount) AS share FROM transactions GROUP BY accountid",
        "INSERT INTO transactions VALUES (1, 5, '2023-12-01T00:00:00Z'), (2, 4, '2023-12-02T00:00:00Z')",
        "INSERT INTO transactions VALUES (1, -5, '2023-12-03T00:00:00Z'), (3, 0, '2023-12-03T00:00:00Z')",
        "INSERT INTO transactions VALUES (1, 10, '2023-12-04T00:00:00Z'), (3, 1, '2023-12-04T00:00:00Z')",
    ]);
    let said = bank.script(&[
        "SELECT * FROM shares ORDER BY accountid",
        "SELECT accountid, share FROM shares AS OF POSITION 6 ORDER BY accountid",
        "SELECT share FROM shares AS OF POSITION 6 WHERE accountid = 2",
        "SELECT count(*) FROM shares FOR VALID_TIME AS OF '2023-12-03T00:00:00Z'",
        "SELECT * FROM shares_errors AS OF POSITION 6",
        "SELECT * FROM shares_errors",
        "SELECT count, reason FROM shares_errors FOR VALID_TIME AS OF '2023-12-03T00:00:00Z'",
        "SELECT accountid, share, _position FROM shares FOR SYSTEM_TIME ALL ORDER BY accountid, _position",
        "EXPLAIN SELECT share FROM shares AS OF POSITION 6",
        "EXPLAIN SELECT reason FROM shares_errors AS OF POSITION 6",
        "SELECT * FROM shares_errors FOR SYSTEM_TIME ALL",
        "SELECT * FROM shares FOR SYSTEM_TIME ALL FOR VALID_TIME ALL",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, shares AS OF POSITION 6 WHERE n < 3) SELECT * FROM r",
    ]);
    expect![[r#"
        > SELECT * FROM shares ORDER BY accountid
        accountid | share
        1 | 10.000000000000
        2 | 25.000000000000
        3 | 100.000000000000
        > SELECT accountid, share FROM shares AS OF POSITION 6 ORDER BY accountid
        accountid | share
        2 | 25.000000000000
        notice: of view shares, 2 rows or groups could not be computed, and are left out: division by zero. All of them: shares_errors
        > SELECT share FROM shares AS OF POSITION 6 WHERE accountid = 2
        share
        25.000000000000
        notice: of view shares, 2 rows or groups could not be computed, and are left out: division by zero. All of them: shares_errors
        > SELECT count(*) FROM shares FOR VALID_TIME AS OF '2023-12-03T00:00:00Z'
        count(*)
        1
        notice: of view shares, 2 rows or groups could not be computed, and are left out: division by zero. All of them: shares_errors
        > SELECT * FROM shares_errors AS OF POSITION 6
        operator | reason | count
        2 | division by zero | 2
        > SELECT * FROM shares_errors
        operator | reason | count
        > SELECT count, reason FROM shares_errors FOR VALID_TIME AS OF '2023-12-03T00:00:00Z'
        count | reason
        2 | division by zero
        > SELECT accountid, share, _position FROM shares FOR SYSTEM_TIME ALL ORDER BY accountid, _position
        accountid | share | _position
        1 | 20.000000000000 | 4
        1 | 10.000000000000 | 8
        2 | 25.000000000000 | 4
        3 | 100.000000000000 | 8
        notice: of view shares, 2 rows or groups could not be computed, and are left out as long as that was so: division by zero
        > EXPLAIN SELECT share FROM shares AS OF POSITION 6
        plan
        Scan: shares, whole, as of position 6, made anew; 1 of 2 columns decoded: [share]
        > EXPLAIN SELECT reason FROM shares_errors AS OF POSITION 6
        plan
        Scan: shares_errors, whole, as of position 6, made anew; 1 of 3 columns decoded: [reason]
        > SELECT * FROM shares_errors FOR SYSTEM_TIME ALL
        error: shares: what a view could not compute is known of one moment: ask with AS OF
        > SELECT * FROM shares FOR SYSTEM_TIME ALL FOR VALID_TIME ALL
        error: shares: versions are over one axis: write AS OF for the other
        > WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, shares AS OF POSITION 6 WHERE n < 3) SELECT * FROM r
        error: shares cannot be read again and again: read it once in WITH, outside the recursive query
    "#]].assert_eq(&said);
}

/// What could not be computed as long as the other topic was not read is no failure.
#[test]
fn what_can_be_computed_in_the_end() {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC p (k INT NOT NULL)",
        "CREATE TOPIC q (k INT NOT NULL, x INT NOT NULL)",
        "CREATE MATERIALIZED VIEW shares AS SELECT p.k, 10 / coalesce(q.x, 0) AS share FROM p LEFT JOIN q ON p.k = q.k",
        "INSERT INTO p VALUES (1), (2), (3)",
        "INSERT INTO q VALUES (1, 5), (2, 2)",
    ]);
    let said = bank.script(&[
        "SELECT * FROM shares FOR VALID_TIME AS OF '2024-01-02T00:00:00Z' ORDER BY k",
        "SELECT * FROM shares_errors FOR VALID_TIME AS OF '2024-01-02T00:00:00Z'",
        "SELECT * FROM shares_errors",
    ]);
    expect![[r#"
        > SELECT * FROM shares FOR VALID_TIME AS OF '2024-01-02T00:00:00Z' ORDER BY k
        k | share
        1 | 2
        2 | 5
        notice: of view shares, 1 row or group could not be computed, and is left out: Divide by zero error. All of them: shares_errors
        > SELECT * FROM shares_errors FOR VALID_TIME AS OF '2024-01-02T00:00:00Z'
        operator | reason | count
        1 | Divide by zero error | 1
        > SELECT * FROM shares_errors
        operator | reason | count
        1 | Divide by zero error | 1
    "#]].assert_eq(&said);
}

/// A view by its key, which may be computed by its query, is what the whole one is by its operators: where rows tie, and where doubles are added, too.
#[test]
fn a_row_by_its_key_is_that_of_all_rows() {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC prices (item INT NOT NULL, price INT NOT NULL, half DOUBLE NOT NULL, day INT NOT NULL, id BIGINT NOT NULL) KEY (item)",
        "CREATE MATERIALIZED VIEW latest AS SELECT item, first_value(price ORDER BY day DESC) AS price FROM prices GROUP BY item",
        "CREATE MATERIALIZED VIEW added AS SELECT item, sum(half) AS half FROM prices GROUP BY item",
        "CREATE MATERIALIZED VIEW counted AS SELECT item, count(*) AS n, sum(price) AS s FROM prices WHERE day = id GROUP BY item",
        "INSERT INTO prices VALUES (1, 5, 0.1, 7, 7), (1, 3, 0.2, 7, 7), (1, 4, 0.3, 6, 7), (2, 9, 0.5, 1, 1)",
        "INSERT INTO prices VALUES (1, 1, 0.25, 9, 9)",
    ]);
    let said = bank.script(&[
        "SELECT * FROM latest AS OF POSITION 8 ORDER BY item",
        "SELECT * FROM latest AS OF POSITION 8 WHERE item = 1",
        "SELECT * FROM latest FOR VALID_TIME AS OF '2024-01-01T00:00:00.000005Z' WHERE item = 1",
        "SELECT half FROM added AS OF POSITION 8 WHERE item = 1",
        "SELECT * FROM counted AS OF POSITION 8 ORDER BY item",
        "SELECT * FROM counted AS OF POSITION 8 WHERE item = 1",
        "SELECT * FROM counted FOR VALID_TIME AS OF '2024-01-01T12:00:00Z' ORDER BY item",
        "EXPLAIN SELECT * FROM latest AS OF POSITION 8 WHERE item = 1",
        "EXPLAIN SELECT * FROM counted AS OF POSITION 8 WHERE item = 1",
        "SELECT * FROM counted AS OF POSITION 9 ORDER BY item",
        "EXPLAIN SELECT n FROM counted AS OF POSITION 9",
    ]);
    expect![[r#"
        > SELECT * FROM latest AS OF POSITION 8 ORDER BY item
        item | price
        1 | 3
        2 | 9
        > SELECT * FROM latest AS OF POSITION 8 WHERE item = 1
        item | price
        1 | 3
        > SELECT * FROM latest FOR VALID_TIME AS OF '2024-01-01T00:00:00.000005Z' WHERE item = 1
        item | price
        1 | 1
        > SELECT half FROM added AS OF POSITION 8 WHERE item = 1
        half
        0.6
        > SELECT * FROM counted AS OF POSITION 8 ORDER BY item
        item | n | s
        1 | 2 | 8
        2 | 1 | 9
        > SELECT * FROM counted AS OF POSITION 8 WHERE item = 1
        item | n | s
        1 | 2 | 8
        > SELECT * FROM counted FOR VALID_TIME AS OF '2024-01-01T12:00:00Z' ORDER BY item
        item | n | s
        1 | 3 | 9
        2 | 1 | 9
        > EXPLAIN SELECT * FROM latest AS OF POSITION 8 WHERE item = 1
        plan
        FilterExec: item@0 = 1
          Scan: latest, one item, as of position 8, made anew; 2 of 2 columns decoded: [item, price]
        > EXPLAIN SELECT * FROM counted AS OF POSITION 8 WHERE item = 1
        plan
        ProjectionExec: expr=[item@0 as item, count(Int64(1))@1 as n, CAST(sum(prices.price)@2 AS Decimal128(20, 0)) as s]
          AggregateExec: mode=Single, gby=[item@0 as item], aggr=[count(Int64(1)), sum(prices.price)], ordering_mode=Sorted
            FilterExec: item@0 = 1 AND CAST(day@2 AS Int64) = id@3 AND item@0 = 1, projection=[item@0, price@1]
              Scan: topic prices, by the index: stream prices/1, as of position 8, 3 events in memory; 4 of 5 columns decoded: [item, price, day, id]
        > SELECT * FROM counted AS OF POSITION 9 ORDER BY item
        item | n | s
        1 | 3 | 9
        2 | 1 | 9
        > EXPLAIN SELECT n FROM counted AS OF POSITION 9
        plan
        Scan: counted, whole, as of position 9, made anew; 1 of 3 columns decoded: [n]
    "#]].assert_eq(&said);
}

/// Of rows that are only counted as many come at a time as of others.
#[test]
fn rows_of_which_no_column_is_wanted() {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC a (k INT NOT NULL)",
        "CREATE MATERIALIZED VIEW v AS SELECT 7 AS seven FROM a",
        "INSERT INTO a SELECT value FROM generate_series(1, 10000)",
        "INSERT INTO a SELECT value FROM generate_series(1, 10000)",
    ]);
    let said = bank.script(&[
        "SELECT count(*) FROM v",
        "SELECT count(x) FROM (SELECT 'x' AS x FROM v)",
        "SELECT 1 AS one FROM v LIMIT 2",
        "SELECT count(*) FROM v AS OF POSITION 10002",
    ]);
    expect![[r#"
        > SELECT count(*) FROM v
        count(*)
        20000
        > SELECT count(x) FROM (SELECT 'x' AS x FROM v)
        count(x)
        20000
        > SELECT 1 AS one FROM v LIMIT 2
        one
        1
        1
        > SELECT count(*) FROM v AS OF POSITION 10002
        count(*)
        10000
    "#]]
    .assert_eq(&said);
}

/// What an entity was is known as it was recorded.
#[test]
fn over_an_entity() {
    let bank = Bank::new();
    bank.declare(&[
        BANK,
        "CREATE ENTITY account FROM transactions STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0)
         WHEN (amount = -999) THEN DELETE WHEN ANY THEN SET balance = balance + amount",
        "CREATE MATERIALIZED VIEW rich AS SELECT accountid, 100 / balance AS share FROM account WHERE balance > 10",
        "INSERT INTO transactions VALUES (1, 20, '2023-12-01T00:00:00Z'), (2, 5, '2023-12-02T00:00:00Z')",
        "INSERT INTO transactions VALUES (2, 45, '2023-12-03T00:00:00Z'), (3, 0, '2023-12-03T00:00:00Z')",
        "INSERT INTO transactions VALUES (1, -999, '2023-12-04T00:00:00Z'), (2, 0, '2023-12-04T00:00:00Z')",
    ]);
    let said = bank.script(&[
        "SELECT * FROM rich ORDER BY accountid",
        "SELECT * FROM rich AS OF POSITION 7 ORDER BY accountid",
        "SELECT accountid, share, _position, _system_to IS NULL AS goes_on FROM rich FOR SYSTEM_TIME ALL ORDER BY accountid",
        "SELECT * FROM rich FOR VALID_TIME AS OF '2023-12-03T00:00:00Z' ORDER BY accountid",
        "SELECT * FROM rich FOR VALID_TIME ALL",
        "SELECT * FROM rich FOR VALID_TIME AS OF EACH (VALUES ('2023-12-03T00:00:00Z'))",
    ]);
    expect![[r#"
        > SELECT * FROM rich ORDER BY accountid
        accountid | share
        2 | 2.000000000000
        > SELECT * FROM rich AS OF POSITION 7 ORDER BY accountid
        accountid | share
        1 | 5.000000000000
        2 | 2.000000000000
        > SELECT accountid, share, _position, _system_to IS NULL AS goes_on FROM rich FOR SYSTEM_TIME ALL ORDER BY accountid
        accountid | share | _position | goes_on
        1 | 5.000000000000 | 5 | false
        2 | 2.000000000000 | 7 | true
        > SELECT * FROM rich FOR VALID_TIME AS OF '2023-12-03T00:00:00Z' ORDER BY accountid
        accountid | share
        1 | 5.000000000000
        2 | 2.000000000000
        > SELECT * FROM rich FOR VALID_TIME ALL
        error: view rich reads entity account: what had happened by each of many times is known of topics. Ask for one time, FOR VALID_TIME AS OF
        > SELECT * FROM rich FOR VALID_TIME AS OF EACH (VALUES ('2023-12-03T00:00:00Z'))
        error: view rich reads entity account: what had happened by each of many times is known of topics. Ask for one time, FOR VALID_TIME AS OF
    "#]].assert_eq(&said);
}
