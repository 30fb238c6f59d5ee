//! EXPLAIN.

use expect_test::expect;

use crate::support::Bench;

#[test]
fn how_a_topic_is_read() {
    let bench = Bench::bank();
    bench.execute("CREATE TOPIC orders (id INT NOT NULL, region TEXT NOT NULL, customer TEXT) KEY (region, id) TAG customer (customer)");
    let plan = |sql: &str| {
        let shown = bench.sql(&format!("EXPLAIN {sql}"));
        let scans: Vec<&str> = shown.lines().filter(|line| line.contains("Scan:") || line.contains("error")).map(str::trim).collect();
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
    expect![[]].assert_eq(&shown);
}

#[test]
fn the_whole_plan() {
    let bench = Bench::bank();
    expect![[]].assert_eq(&bench.sql(
        "EXPLAIN SELECT accountid, sum(amount) FROM transactions WHERE amount > 0 GROUP BY accountid ORDER BY 2 LIMIT 3",
    ));
}
