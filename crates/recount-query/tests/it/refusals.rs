//! What is refused, and what is said about it.

use std::sync::Arc;

use expect_test::expect;
use recount_query::{NoRelations, Settings};

use crate::support::Bench;

#[test]
fn statements_that_there_are_not() {
    let bench = Bench::bank();
    expect![[]].assert_eq(&bench.script(&[
        "",
        ";",
        "SELECT 1; SELECT 2",
        "SELEC 1",
        "SELECT 'a",
        "SELECT (1",
        "UPDATE transactions SET amount = 1",
        "DELETE FROM transactions",
        "TRUNCATE transactions",
        "MERGE INTO transactions t USING transactions s ON true WHEN MATCHED THEN DELETE",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON transactions (amount)",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY transactions TO '/tmp/x'",
        "SET datafusion.execution.batch_size = 1",
        "SHOW TABLES",
        "BEGIN",
        "DROP TABLE transactions",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT 1 INTO t",
        "SELECT * FROM transactions FOR UPDATE",
        "TABLE transactions",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "WITH x AS (DELETE FROM transactions RETURNING *) SELECT * FROM x",
    ]));
}

#[test]
fn names_that_there_are_not() {
    let bench = Bench::bank();
    bench.execute("CREATE TOPIC \"Shop.orders\" (n INT)");
    let none = Bench::new();
    let mut shown = none.sql("SELECT * FROM transactions");
    shown += &bench.script(&[
        "SELECT * FROM transaction",
        "SELECT * FROM shop.orders",
        "SELECT * FROM \"Shop.orders\"",
        "SELECT * FROM \"shop.orders\"",
        "SELECT * FROM elephants",
        "SELECT * FROM _catalog",
        "SELECT ammount FROM transactions",
        "SELECT * FROM transactions TABLESAMPLE BERNOULLI (10)",
        "SELECT nothing(1)",
        "SELECT * FROM nothing(1)",
    ]);
    expect![[]].assert_eq(&shown);
}

#[test]
fn what_would_take_too_much() {
    let bench = Bench::with(Arc::new(NoRelations), Settings { memory_bytes: 1 << 20 });
    let deep = format!("SELECT {}1{}", "(".repeat(200), ")".repeat(200));
    let long = format!("SELECT 1 WHERE {}", vec!["1 = 1"; 600].join(" OR "));
    let fits = format!("SELECT 1 WHERE {}", vec!["1 = 1"; 200].join(" OR "));
    let shown = [
        bench.sql(&deep),
        bench.sql(&long),
        bench.sql(&fits),
        bench.sql("SELECT a.value, b.value, count(*) FROM generate_series(1, 3000) a, generate_series(1, 3000) b GROUP BY 1, 2"),
        bench.sql("SELECT a.value FROM generate_series(1, 1000000) a ORDER BY a.value DESC"),
    ];
    expect![[]].assert_eq(&shown.concat());
}
