//! EXPLAIN.

use expect_test::expect;

use crate::support::{BANK, Bench};
use crate::views::Bank;

#[test]
fn how_a_topic_is_read() {
    let bench = Bench::bank();
    bench.execute("CREATE TOPIC orders (id INT NOT NULL, region TEXT NOT NULL, customer TEXT) KEY (region, id) TAG customer (customer)");
    let plan = |sql: &str| {
        let shown = bench.sql(&format!("EXPLAIN {sql}"));
        let scans: Vec<&str> = shown
            .lines()
            .filter(|line| line.contains("Scan:") || line.contains("error"))
            .map(str::trim)
            .collect();
        format!("> {sql}\n{}\n", scans.join("\n"))
    };
    let shown: String = [
        "SELECT * FROM transactions",
        "SELECT count(*) FROM transactions",
        "SELECT amount FROM transactions WHERE accountid = 1",
        "SELECT amount FROM transactions WHERE accountid = 1 AND _position > 2 AND _position < 10",
        "SELECT amount FROM transactions WHERE _stream = 'transactions/1'",
        "SELECT amount FROM transactions WHERE _type IN ('a', 'b')",
        "SELECT amount FROM transactions WHERE _append_time >= '2024-01-02T00:00:00Z' LIMIT 1",
        "SELECT amount FROM transactions ORDER BY _position LIMIT 1",
        "SELECT amount FROM transactions FOR VALID_TIME AS OF END OF '2023-12-31' AS OF POSITION 3 LIMIT 5",
        "SELECT amount FROM transactions FOR SYSTEM_TIME FROM '2024-01-01T00:00:00Z' TO '2024-01-02T00:00:00Z'",
        "SELECT id FROM orders WHERE region = 'EU' AND id = 7",
        "SELECT id FROM orders WHERE region = 'EU' AND customer = 'Ann'",
        "SELECT id FROM orders WHERE array_has(_tags, 'customer:Bob') AND _type = 'made'",
        "SELECT id FROM orders WHERE id = 7 OR region = 'EU'",
        "SELECT t.amount FROM transactions t WHERE t.accountid IN (SELECT id FROM orders)",
    ]
    .iter()
    .map(|sql| plan(sql))
    .collect();
    expect![[r#"
        > SELECT * FROM transactions
        Scan: topic transactions, whole, as of position 5, at most 3 events in memory; 3 of 3 columns decoded: [accountid, amount, timestamp]
        > SELECT count(*) FROM transactions
        Scan: topic transactions, whole, as of position 5, at most 3 events in memory; 0 of 3 columns decoded: []
        > SELECT amount FROM transactions WHERE accountid = 1
        Scan: topic transactions, by the index: stream transactions/1, as of position 5, 2 events in memory; 2 of 3 columns decoded: [accountid, amount]
        > SELECT amount FROM transactions WHERE accountid = 1 AND _position > 2 AND _position < 10
        Scan: topic transactions, by the index: stream transactions/1, positions 3 to 9, as of position 5, 1 event in memory; 2 of 3 columns decoded: [accountid, amount, _position]
        > SELECT amount FROM transactions WHERE _stream = 'transactions/1'
        Scan: topic transactions, by the index: stream transactions/1, as of position 5, 2 events in memory; 1 of 3 columns decoded: [amount, _stream]
        > SELECT amount FROM transactions WHERE _type IN ('a', 'b')
        Scan: topic transactions, by the index: types a, b, as of position 5, no events; 1 of 3 columns decoded: [amount, _type]
        > SELECT amount FROM transactions WHERE _append_time >= '2024-01-02T00:00:00Z' LIMIT 1
        Scan: topic transactions, whole, appended from 2024-01-02T00:00:00Z, as of position 5, at most 3 events in memory; 1 of 3 columns decoded: [amount, _append_time]
        > SELECT amount FROM transactions ORDER BY _position LIMIT 1
        Scan: topic transactions, whole, as of position 5, at most 3 events in memory; 1 of 3 columns decoded: [amount, _position]
        > SELECT amount FROM transactions FOR VALID_TIME AS OF END OF '2023-12-31' AS OF POSITION 3 LIMIT 5
        Scan: topic transactions, whole, as of position 3, what happened until 2023-12-31T23:59:59.999999Z, at most 3 events in memory; 1 of 3 columns decoded: [amount], at most 5 rows
        > SELECT amount FROM transactions FOR SYSTEM_TIME FROM '2024-01-01T00:00:00Z' TO '2024-01-02T00:00:00Z'
        Scan: topic transactions, whole, as of position 5, versions recorded from 2024-01-01T00:00:00Z to before 2024-01-02T00:00:00Z, at most 3 events in memory; 1 of 3 columns decoded: [amount]
        > SELECT id FROM orders WHERE region = 'EU' AND id = 7
        Scan: topic orders, by the index: stream orders/["EU",7], as of position 5, no events; 2 of 3 columns decoded: [id, region]
        > SELECT id FROM orders WHERE region = 'EU' AND customer = 'Ann'
        Scan: topic orders, by the index: tags customer:Ann, as of position 5, no events; 3 of 3 columns decoded: [id, region, customer]
        > SELECT id FROM orders WHERE array_has(_tags, 'customer:Bob') AND _type = 'made'
        Scan: topic orders, by the index: tags customer:Bob, as of position 5, no events; 1 of 3 columns decoded: [id, _type, _tags]
        > SELECT id FROM orders WHERE id = 7 OR region = 'EU'
        Scan: topic orders, whole, as of position 5, no events; 2 of 3 columns decoded: [id, region]
        > SELECT t.amount FROM transactions t WHERE t.accountid IN (SELECT id FROM orders)
        Scan: topic orders, whole, as of position 5, no events; 1 of 3 columns decoded: [id]
        Scan: topic transactions, whole, as of position 5, at most 3 events in memory; 2 of 3 columns decoded: [accountid, amount]
    "#]].assert_eq(&shown);
}

/// Eleven payments, a snapshot each five positions, and one of the moment of closing.
#[test]
fn how_an_entity_is_folded() {
    const ACCOUNT: &str = "CREATE ENTITY account FROM transactions
        STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0) WHEN ANY THEN SET balance = balance + amount";
    let payments: Vec<String> = (0..11)
        .map(|number| {
            format!(
                "INSERT INTO transactions VALUES ({}, 1, '2024-01-{:02}T00:00:00Z')",
                number % 2,
                number + 1
            )
        })
        .collect();
    let mut statements = vec![BANK, ACCOUNT];
    statements.extend(payments.iter().map(String::as_str));
    let (bench, _views) = Bench::reopened(&statements, 5);
    bench.sql("INSERT INTO transactions VALUES (1, 5, '2024-02-01T00:00:00Z')");
    let of = |rest: &str| format!("EXPLAIN SELECT balance FROM account {rest}");
    let shown = [
        of(""),
        of("WHERE accountid = 1"),
        of("AS OF POSITION 13"),
        of("AS OF POSITION 12"),
        of("AS OF POSITION 12 WHERE accountid = 1"),
        of("AS OF POSITION 4"),
        of("FOR VALID_TIME AS OF '2024-01-08T00:00:00Z'"),
        of("FOR VALID_TIME AS OF '2024-01-08T00:00:00Z' WHERE accountid = 1"),
        of("FOR VALID_TIME ALL"),
        of("FOR SYSTEM_TIME ALL WHERE accountid = 0"),
        of("FOR VALID_TIME AS OF EACH (VALUES ('2024-01-08T00:00:00Z'))"),
        of("FOR VERSION 1"),
    ];
    let scans = shown.iter().map(|sql| format!("> {sql}\n{}", bench.sql(sql)));
    expect![[r#"
        > EXPLAIN SELECT balance FROM account 
        plan
        Scan: account version 1, whole, as of position 14, kept up to date; 1 of 2 columns decoded: [balance]
        > EXPLAIN SELECT balance FROM account WHERE accountid = 1
        plan
        FilterExec: accountid@0 = 1, projection=[balance@1]
          Scan: account version 1, one accountid, as of position 14, kept up to date; 2 of 2 columns decoded: [accountid, balance]
        > EXPLAIN SELECT balance FROM account AS OF POSITION 13
        plan
        Scan: account version 1, whole, as of position 13, folded from the snapshot at position 13 and no events; 1 of 2 columns decoded: [balance]
        > EXPLAIN SELECT balance FROM account AS OF POSITION 12
        plan
        Scan: account version 1, whole, as of position 12, folded from the first event: at most 12 events in memory; 1 of 2 columns decoded: [balance]
        > EXPLAIN SELECT balance FROM account AS OF POSITION 12 WHERE accountid = 1
        plan
        FilterExec: accountid@0 = 1, projection=[balance@1]
          Scan: account version 1, one accountid, as of position 12, folded from the first event: 5 events in memory; 2 of 2 columns decoded: [accountid, balance]
        > EXPLAIN SELECT balance FROM account AS OF POSITION 4
        plan
        Scan: account version 1, whole, as of position 4, folded from the first event: at most 4 events in memory; 1 of 2 columns decoded: [balance]
        > EXPLAIN SELECT balance FROM account FOR VALID_TIME AS OF '2024-01-08T00:00:00Z'
        plan
        Scan: account version 1, whole, as of position 14, what happened until 2024-01-08T00:00:00Z, folded from the snapshot at position 13 and at most 1 event in memory; 1 of 2 columns decoded: [balance]
        > EXPLAIN SELECT balance FROM account FOR VALID_TIME AS OF '2024-01-08T00:00:00Z' WHERE accountid = 1
        plan
        FilterExec: accountid@0 = 1, projection=[balance@1]
          Scan: account version 1, one accountid, as of position 14, what happened until 2024-01-08T00:00:00Z, folded from the first event: 6 events in memory; 2 of 2 columns decoded: [accountid, balance]
        > EXPLAIN SELECT balance FROM account FOR VALID_TIME ALL
        plan
        Scan: account version 1, whole, as of position 14, versions valid at any time, every step folded from the first event: at most 12 events in memory; 1 of 2 columns decoded: [balance]
        > EXPLAIN SELECT balance FROM account FOR SYSTEM_TIME ALL WHERE accountid = 0
        plan
        FilterExec: accountid@0 = 0, projection=[balance@1]
          Scan: account version 1, one accountid, as of position 14, versions recorded at any time, every step folded from the first event: 6 events in memory; 2 of 2 columns decoded: [accountid, balance]
        > EXPLAIN SELECT balance FROM account FOR VALID_TIME AS OF EACH (VALUES ('2024-01-08T00:00:00Z'))
        plan
        Scan: account version 1, whole, as of position 14, in one pass at each of 1 times from 2024-01-08T00:00:00Z to 2024-01-08T00:00:00Z, folded from the first event: at most 12 events in memory; 1 of 2 columns decoded: [balance]
        > EXPLAIN SELECT balance FROM account FOR VERSION 1
        plan
        Scan: account version 1, whole, as of position 14, kept up to date; 1 of 2 columns decoded: [balance]
    "#]].assert_eq(&scans.collect::<String>());
}

#[test]
fn the_whole_plan() {
    let bench = Bench::bank();
    expect![[r#"
        plan
        ProjectionExec: expr=[accountid@0 as accountid, sum(transactions.amount)@1 as sum(amount)]
          SortExec: TopK(fetch=3), expr=[sum(transactions.amount)@1 ASC NULLS LAST], preserve_partitioning=[false]
            AggregateExec: mode=Single, gby=[accountid@0 as accountid], aggr=[sum(transactions.amount)]
              FilterExec: amount@1 > 0.00
                Scan: topic transactions, whole, as of position 4, at most 3 events in memory; 2 of 3 columns decoded: [accountid, amount]
    "#]].assert_eq(&bench.sql(
        "EXPLAIN SELECT accountid, sum(amount) FROM transactions WHERE amount > 0 GROUP BY accountid ORDER BY 2 LIMIT 3",
    ));
}

/// A topic that is read in several places is read once, and what is done with it in the same way is done once. Of rows that only come, those are
/// kept that a condition on row_number() asks for, and of rows that may go all; not if other rows could still fail.
#[test]
fn what_a_view_does_once() {
    let bank = Bank::new();
    bank.script(&[
        "CREATE TOPIC bids (auction INT NOT NULL, price INT NOT NULL, bidder TEXT)",
        "INSERT INTO bids SELECT value % 3, value % 100, 'b' FROM generate_series(1, 1000) AS s",
        "CREATE ENTITY last FROM bids KEY (auction) STATE (price INT) WHEN ANY THEN SET price = event.price",
    ]);
    let numbered = |relation: &str| {
        format!(
            "(SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM {relation}) AS n"
        )
    };
    let views = [
        "SELECT a.auction, b.bidder FROM bids AS a JOIN (SELECT max(price) AS price, bidder FROM bids GROUP BY bidder) AS b ON a.price = b.price".to_owned(),
        "SELECT a.n, b.n AS m FROM (SELECT auction, count(*) AS n FROM bids GROUP BY auction) AS a JOIN (SELECT auction, count(*) AS n FROM bids GROUP BY auction) AS b ON a.n = b.n".to_owned(),
        "SELECT a.bidder FROM bids AS a JOIN bids AS b ON a.bidder = b.bidder || ' @1' JOIN bids AS c ON a.bidder = c.bidder || ' @2'".to_owned(),
        format!("SELECT auction, price FROM {} WHERE place <= 2 AND bidder IS NOT NULL", numbered("bids")),
        format!("SELECT auction, price FROM {} WHERE place < 2", numbered("last")),
        format!("SELECT auction, price FROM {} WHERE place = 1 AND 1 / price >= 0", numbered("bids")),
        format!("SELECT auction, price FROM {} WHERE place <= 2 OR price > 98", numbered("bids")),
    ];
    let explained = |query: &String| {
        bank.script(&[&format!("CREATE MATERIALIZED VIEW v AS {query}"), "SELECT count(*) FROM v"]);
        let said = bank.script(&["EXPLAIN MATERIALIZED VIEW v"]);
        bank.script(&["DROP MATERIALIZED VIEW v"]);
        let short = |line: &str| {
            line.split(" | ")
                .map(|part| part.chars().take(90).collect::<String>())
                .take(2)
                .collect::<Vec<_>>()
                .join(" | ")
        };
        let lines: Vec<String> = said.lines().skip(1).map(short).collect();
        format!("> {query}\n{}\n", lines.join("\n"))
    };
    let said: String = views.iter().map(explained).collect();
    expect![[r#"
        > SELECT a.auction, b.bidder FROM bids AS a JOIN (SELECT max(price) AS price, bidder FROM bids GROUP BY bidder) AS b ON a.price = b.price
        operator | keeps
        6 project: a.auction AS auction, b.bidder AS bidder | 
          5 inner join: a.price = b.price | 1001 rows
            0 project: bids projection=[auction, price] | 
              topic bids: auction, price, bidder | 
            4 project: max(bids.price) AS price, bids.bidder | 
              3 aggregate: groupBy=[[bids.bidder]], aggr=[[max(bids.price)]] | 1 groups
                2 project | 
                  1 project: bids projection=[price, bidder] | 
                    topic bids: auction, price, bidder | 
        > SELECT a.n, b.n AS m FROM (SELECT auction, count(*) AS n FROM bids GROUP BY auction) AS a JOIN (SELECT auction, count(*) AS n FROM bids GROUP BY auction) AS b ON a.n = b.n
        operator | keeps
        4 project: a.n AS n, b.n AS m | 
          3 inner join: a.n = b.n | 4 rows
            2 project: count(Int64(1)) AS count(*) AS n | 
              1 aggregate: groupBy=[[bids.auction]], aggr=[[count(Int64(1))]] | 3 groups
                0 project | 
                  topic bids: auction | 
            2 project (the one above) | 
        > SELECT a.bidder FROM bids AS a JOIN bids AS b ON a.bidder = b.bidder || ' @1' JOIN bids AS c ON a.bidder = c.bidder || ' @2'
        operator | keeps
        7 project: a.bidder AS bidder | 
          6 project: a.bidder = c.bidder || Utf8() | 
            5 inner join | 1000 rows
              3 project: a.bidder | 
                2 project: a.bidder = b.bidder || Utf8() | 
                  1 inner join | 2000 rows
                    topic bids: bidder | 
                    0 project | 
                      topic bids: bidder | 
              4 project | 
                topic bids: bidder | 
        > SELECT auction, price FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM bids) AS n WHERE place <= 2 AND bidder IS NOT NULL
        operator | keeps
        3 project: n.auction AS auction, n.price AS price | 
          2 project: bids.auction, bids.price | 
            1 filter: row_number() PARTITION BY [bids.auction] ORDER BY [bids.price DESC NULLS FIR | 
              0 first rows: windowExpr=[[row_number() PARTITION BY [bids.auction] ORDER BY [bids.p | 3 partitions
                topic bids: auction, price, bidder | 
        > SELECT auction, price FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM last) AS n WHERE place < 2
        operator | keeps
        3 project: n.auction AS auction, n.price AS price | 
          2 project: last.auction, last.price | 
            1 filter: row_number() PARTITION BY [last.auction] ORDER BY [last.price DESC NULLS FIR | 
              0 first rows: windowExpr=[[row_number() PARTITION BY [last.auction] ORDER BY [last.p | 3 partitions
                entity last version 1: auction, price | 
        > SELECT auction, price FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM bids) AS n WHERE place = 1 AND 1 / price >= 0
        operator | keeps
        3 project: n.auction AS auction, n.price AS price | 
          2 project: bids.auction, bids.price | 
            1 filter: row_number() PARTITION BY [bids.auction] ORDER BY [bids.price DESC NULLS FIR | 
              0 window: windowExpr=[[row_number() PARTITION BY [bids.auction] ORDER BY [bids.price | 3 partitions
                topic bids: auction, price | 
        > SELECT auction, price FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM bids) AS n WHERE place <= 2 OR price > 98
        operator | keeps
        3 project: n.auction AS auction, n.price AS price | 
          2 project: bids.auction, bids.price | 
            1 filter: row_number() PARTITION BY [bids.auction] ORDER BY [bids.price DESC NULLS FIR | 
              0 window: windowExpr=[[row_number() PARTITION BY [bids.auction] ORDER BY [bids.price | 3 partitions
                topic bids: auction, price | 
    "#]].assert_eq(&said);
}

/// Two long lists of constants that differ in the middle only: what is the same of operators was told by a text that leaves that out.
#[test]
fn long_constants_are_not_taken_for_one_another() {
    let bank = Bank::new();
    let list = |middle: i64| {
        let values: Vec<String> =
            (0..40).map(|n| format!("({})", if n == 20 { middle } else { n })).collect();
        format!("SELECT v.x FROM (VALUES {}) AS v(x)", values.join(", "))
    };
    bank.script(&[
        "CREATE TOPIC t (n BIGINT NOT NULL)",
        &format!(
            "CREATE MATERIALIZED VIEW v AS {} UNION ALL {} UNION ALL SELECT n FROM t",
            list(1000),
            list(2000)
        ),
    ]);
    let said = bank.script(&["SELECT x FROM v WHERE x >= 1000 ORDER BY x"]);
    expect![[r#"
        > SELECT x FROM v WHERE x >= 1000 ORDER BY x
        x
        1000
        2000
    "#]]
    .assert_eq(&said);
}

/// Of a join the side with fewer events is the one that is kept in memory, whichever is written first.
#[test]
fn the_smaller_side_of_a_join() {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC many (k INT NOT NULL, x INT)",
        "CREATE TOPIC few (k INT NOT NULL, y INT)",
        "INSERT INTO few VALUES (1, 1)",
        "INSERT INTO many SELECT value, value + 1 FROM generate_series(1, 100)",
    ]);
    let scans = |sql: &str| {
        let explained = bank.run(&format!("EXPLAIN {sql}"));
        let topics = explained.lines().filter_map(|line| line.trim().strip_prefix("Scan: topic "));
        topics.map(|scan| scan.split(',').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(scans("SELECT x, y FROM many JOIN few ON many.k = few.k"), "few many");
    assert_eq!(scans("SELECT x, y FROM few JOIN many ON many.k = few.k"), "few many");
}
