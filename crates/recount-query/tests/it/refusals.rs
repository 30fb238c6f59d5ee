//! What is refused, and what is said about it.

use std::sync::Arc;

use expect_test::expect;
use recount_query::{NoRelations, Settings};

use crate::support::Bench;

#[test]
fn statements_that_there_are_not() {
    let bench = Bench::bank();
    expect![[r#"
        > 
        error: there is no statement
        > ;
        error: there is no statement
        > SELECT 1; SELECT 2
        error: line 1, column 11: found SELECT after the end of the statement: run one statement at a time
        > SELEC 1
        error: line 1, column 1: expected: an SQL statement, found: SELEC
        > SELECT 'a
        error: line 1, column 8: Unterminated string literal
        > SELECT (1
        error: expected: ), found: EOF
        > UPDATE transactions SET amount = 1
        error: events are never changed or removed: append one that corrects the others, with INSERT INTO topic (…) VALUES (…) or an append
        > DELETE FROM transactions
        error: events are never changed or removed: append one that corrects the others, with INSERT INTO topic (…) VALUES (…) or an append
        > TRUNCATE transactions
        error: events are never changed or removed: append one that corrects the others, with INSERT INTO topic (…) VALUES (…) or an append
        > MERGE INTO transactions t USING transactions s ON true WHEN MATCHED THEN DELETE
        error: events are never changed or removed: append one that corrects the others, with INSERT INTO topic (…) VALUES (…) or an append
        > CREATE TABLE t (a INT)
        error: there are no tables: events live in topics, see CREATE TOPIC
        > CREATE TABLE t AS SELECT 1
        error: there are no tables: events live in topics, see CREATE TOPIC
        > CREATE VIEW v AS SELECT 1
        error: a view is declared alone: CREATE MATERIALIZED VIEW … AS SELECT …
        > CREATE INDEX i ON transactions (amount)
        error: there are no indexes to create: KEY, TYPE and TAG of a topic are indexed, see CREATE TOPIC
        > CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'
        error: line 1, column 35: expected: fileformat, found: CSV
        > COPY transactions TO '/tmp/x'
        error: COPY is not there: use INSERT INTO topic, an append, or recount import
        > SET datafusion.execution.batch_size = 1
        error: SET datafusion.execution.batch_size is not a statement here: those are SELECT, WITH, VALUES, EXPLAIN, INSERT INTO topic, SHOW TOPICS, ENTITIES, VIEWS or STOPPED, SET before one of them, CREATE, ALTER and DROP of TOPIC and ENTITY, and CREATE and DROP MATERIALIZED VIEW
        > SHOW TABLES
        error: SHOW TABLES is not a statement here: those are SELECT, WITH, VALUES, EXPLAIN, INSERT INTO topic, SHOW TOPICS, ENTITIES, VIEWS or STOPPED, SET before one of them, CREATE, ALTER and DROP of TOPIC and ENTITY, and CREATE and DROP MATERIALIZED VIEW
        > BEGIN
        error: every statement reads at one position and every INSERT is one append: there are no transactions over several statements
        > DROP TABLE transactions
        error: DROP TABLE is not a statement here: those are SELECT, WITH, VALUES, EXPLAIN, INSERT INTO topic, SHOW TOPICS, ENTITIES, VIEWS or STOPPED, SET before one of them, CREATE, ALTER and DROP of TOPIC and ENTITY, and CREATE and DROP MATERIALIZED VIEW
        > EXPLAIN ANALYZE SELECT 1
        error: EXPLAIN ANALYZE is not there: use EXPLAIN
        > SELECT 1 INTO t
        error: SELECT INTO makes a table, and there are none: use INSERT INTO topic
        > SELECT * FROM transactions FOR UPDATE
        error: FOR UPDATE and FOR SHARE: reads take no locks, leave it out
        > TABLE transactions
        error: line 1, column 1: expected: an SQL statement, found: TABLE
        > SELECT * FROM information_schema.tables
        error: information_schema.tables: names have no schema before them; a name with a period in it is written "information_schema.tables"
        > SELECT * FROM '/etc/passwd'
        error: there is no topic, entity or view "/etc/passwd"
        > SELECT * FROM "/etc/passwd"
        error: there is no topic, entity or view "/etc/passwd"
        > WITH x AS (DELETE FROM transactions RETURNING *) SELECT * FROM x
        error: a query changes nothing: INSERT is a statement of its own
    "#]].assert_eq(&bench.script(&[
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
    expect![[r#"
        error: there is no topic, entity or view transactions: none exists yet, see CREATE TOPIC
        > SELECT * FROM transaction
        error: there is no topic, entity or view transaction. Do you mean transactions?
        > SELECT * FROM shop.orders
        error: shop.orders: names have no schema before them; a name with a period in it is written "shop.orders"
        > SELECT * FROM "Shop.orders"
        n
        > SELECT * FROM "shop.orders"
        error: there is no topic, entity or view "shop.orders". Do you mean "Shop.orders"?
        > SELECT * FROM elephants
        error: there is no topic, entity or view elephants
        > SELECT * FROM _catalog
        error: there is no topic, entity or view _catalog
        > SELECT ammount FROM transactions
        error: schema error: No field named ammount. Did you mean 'transactions.amount'?
        Valid fields are transactions.accountid, transactions.amount, transactions.timestamp, transactions._position, transactions._stream, transactions._revision, transactions._partition, transactions._offset, transactions._id, transactions._type, transactions._tags, transactions._event_time, transactions._append_time, transactions._key, transactions._value, transactions._headers.
        > SELECT * FROM transactions TABLESAMPLE BERNOULLI (10)
        error: hints, samples, partitions and ordinality are not supported behind transactions
        > SELECT nothing(1)
        error: invalid function 'nothing'.
        Did you mean 'contains'?
        > SELECT * FROM nothing(1)
        error: there is no table function nothing
    "#]].assert_eq(&shown);
}

#[test]
fn what_would_take_too_much() {
    let bench = Bench::with(Arc::new(NoRelations), Settings { memory_bytes: 1 << 20 });
    let deep = format!("SELECT {}1{}", "(".repeat(200), ")".repeat(200));
    let long = format!("SELECT 1 WHERE {}", vec!["1 = 1"; 600].join(" OR "));
    let fits = format!(
        "SELECT count(*) FROM generate_series(1, 2) AS s (n) WHERE {}",
        vec!["n"; 90].join(" + ") + " > 0"
    );
    let unions = vec!["SELECT 1"; 98].join(" UNION ALL ");
    let nested = format!(
        "SELECT count(*) FROM {}(VALUES (1)) AS v{}",
        "(SELECT * FROM ".repeat(12),
        ") AS s".repeat(12)
    );
    let fan: String =
        (1..30).map(|n| format!(", c{n} AS (SELECT x.a FROM c{} x, c{} y)", n - 1, n - 1)).collect();
    let fan = format!("WITH c0 AS (SELECT 1 AS a) {fan} SELECT * FROM c29");
    let chain: String = (1..150).map(|n| format!(", c{n} AS (SELECT a + 1 AS a FROM c{})", n - 1)).collect();
    let chain = format!("WITH c0 AS (SELECT 1 AS a) {chain} SELECT * FROM c149");
    let shown = [
        bench.sql(&deep),
        bench.sql(&long),
        bench.sql(&fits),
        bench.sql(&format!("SELECT count(*) FROM ({unions}) AS u")),
        bench.sql(&nested),
        bench.sql(&format!("SELECT {}1{}", "abs(".repeat(40), ")".repeat(40))).lines().last().unwrap_or_default().to_owned() + "\n",
        bench.sql(&fan),
        bench.sql(&chain),
        bench.sql("SELECT a.value, b.value, count(*) FROM generate_series(1, 3000) a, generate_series(1, 3000) b GROUP BY 1, 2"),
        bench.sql("SELECT a.value FROM generate_series(1, 1000000) a ORDER BY a.value DESC"),
    ];
    expect![[r#"
        error: line 1, column 309: more than 100 operators and parentheses around each other: use IN, a list of VALUES, or several statements
        error: line 1, column 468: more than 100 operators and parentheses around each other: use IN, a list of VALUES, or several statements
        count(*)
        2
        count(*)
        98
        count(*)
        1
        1
        error: the statement reads more than 500 relations, those of a query in WITH as often as it is named: use several statements
        error: the statement is too large or too deep: fewer queries inside each other and in WITH, fewer UNIONs, or several statements
        error: the statement needs more memory than the 1 MiB that all statements share: narrow it, or serve with more --query-memory
        error: the statement needs more memory than the 1 MiB that all statements share: narrow it, or serve with more --query-memory
    "#]].assert_eq(&shown.concat());
}

/// DataFusion said which of its own structures it cannot compute.
#[test]
fn subqueries_where_there_can_be_none() {
    let bench = Bench::bank();
    let said = bench.script(&[
        "SELECT accountid IN (SELECT 1) FROM transactions",
        "SELECT accountid NOT IN (SELECT accountid FROM transactions) FROM transactions",
        "SELECT EXISTS (SELECT 1 FROM transactions)",
        "SELECT sum((SELECT 1)) FROM transactions",
        "SELECT count(*) FROM transactions WHERE accountid IN (SELECT 1) OR EXISTS (SELECT 1 FROM transactions)",
    ]);
    expect![[r#"
        > SELECT accountid IN (SELECT 1) FROM transactions
        error: IN (SELECT …) and EXISTS are conditions of WHERE: in this place, join what is selected
        > SELECT accountid NOT IN (SELECT accountid FROM transactions) FROM transactions
        error: IN (SELECT …) and EXISTS are conditions of WHERE: in this place, join what is selected
        > SELECT EXISTS (SELECT 1 FROM transactions)
        error: IN (SELECT …) and EXISTS are conditions of WHERE: in this place, join what is selected
        > SELECT sum((SELECT 1)) FROM transactions
        error: a subquery is not supported in this place: put it into FROM or WITH
        > SELECT count(*) FROM transactions WHERE accountid IN (SELECT 1) OR EXISTS (SELECT 1 FROM transactions)
        count(*)
        3
    "#]].assert_eq(&said);
}
