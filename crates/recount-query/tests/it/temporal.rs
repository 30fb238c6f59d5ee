//! Clauses of time.

use expect_test::expect;

use crate::support::Bench;

#[test]
fn as_recorded_and_as_happened() {
    let bench = Bench::bank();
    expect![[]].assert_eq(&bench.script(&[
        "SELECT amount FROM transactions FOR SYSTEM_TIME AS OF '2024-01-02T12:00:00Z'",
        "SELECT amount FROM transactions FOR SYSTEM_TIME AS OF now() - INTERVAL '36 hours'",
        "SELECT amount FROM transactions FOR SYSTEM_TIME AS OF TIMESTAMPTZ '2024-01-01T23:00:00-01:00'",
        "SELECT amount FROM transactions FOR VALID_TIME AS OF END OF '2023-12-13' AS t",
        "SELECT amount FROM transactions FOR VALID_TIME AS OF END OF '2023-12-13' FOR SYSTEM_TIME AS OF '2024-01-02T12:00:00Z' t",
        "SELECT amount FROM transactions AS OF POSITION 3",
        "SELECT amount FROM transactions AS OF POSITION 0",
        "SELECT amount, _system_from, _system_to FROM transactions FOR SYSTEM_TIME ALL",
        "SELECT amount, _system_from FROM transactions FOR SYSTEM_TIME FROM '2024-01-01T00:00:00Z' TO '2024-01-03T00:00:00Z'",
        "SELECT amount, _system_from FROM transactions FOR SYSTEM_TIME BETWEEN '2024-01-02T00:00:00Z' AND '2024-01-03T00:00:00Z' + INTERVAL '1 hour'",
        "SELECT *, _valid_from, _valid_to FROM transactions FOR VALID_TIME BETWEEN '2023-12-13T00:00:00Z' AND END OF '2023-12-13' AS OF POSITION 4",
        "SELECT count(*) FROM transactions FOR SYSTEM_TIME AS OF '2023-01-01T00:00:00Z'",
    ]));
}

#[test]
fn clauses_that_say_too_little_or_too_much() {
    let bench = Bench::bank();
    expect![[]].assert_eq(&bench.script(&[
        "SELECT * FROM transactions AS OF '2024-01-02T12:00:00Z'",
        "SELECT * FROM transactions AS OF now()",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF '2024-01-02'",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF DATE '2024-01-02'",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF '2024-01-02T00:00:00'",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-02T00:00:00'",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF 'yesterday'",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF 5",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF NULL",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF timestamp",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF (SELECT 1)",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF '2099-01-01T00:00:00Z'",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS '2024-01-01T00:00:00Z'",
        "SELECT * FROM transactions FOR SYSTEM_TIME FROM '2024-01-01T00:00:00Z'",
        "SELECT * FROM transactions FOR SYSTEM_TIME FROM '2024-01-02T00:00:00Z' TO '2024-01-01T00:00:00Z'",
        "SELECT * FROM transactions FOR VALID_TIME AS OF END OF 'today'",
        "SELECT * FROM transactions FOR SYSTEM_TIME ALL FOR SYSTEM_TIME ALL",
        "SELECT * FROM transactions FOR VALID_TIME ALL FOR VALID_TIME AS OF now()",
        "SELECT * FROM transactions FOR SYSTEM_TIME AS OF now() AS OF POSITION 1",
        "SELECT * FROM transactions AS OF POSITION 1 AS OF POSITION 1",
        "SELECT * FROM transactions AS OF POSITION 99",
        "SELECT * FROM transactions AS OF POSITION x",
        "SELECT * FROM transactions FOR VERSION 1",
        "SELECT * FROM transactions FOR VERSION 1 FOR VERSION 2",
        "SELECT * FROM a.transactions FOR SYSTEM_TIME ALL",
    ]));
}

/// Every place in which a relation can stand, and others. `T` stands for a relation with its
/// clause, `C` for the clause alone.
#[test]
fn wherever_a_clause_stands_it_is_applied_or_an_error() {
    let bench = Bench::bank();
    let statements = [
        "SELECT count(*) FROM T",
        "SELECT count(*) FROM T AS x",
        "SELECT count(*) FROM (T)",
        "SELECT count(*) FROM ((T AS x))",
        "SELECT count(*) FROM (VALUES (1)) AS v, T",
        "SELECT count(*) FROM (VALUES (1)) AS v CROSS JOIN T",
        "SELECT count(*) FROM (VALUES (1)) AS v JOIN T ON true",
        "SELECT count(*) FROM (VALUES (1)) AS v (accountid) JOIN T USING (accountid)",
        "SELECT count(*) FROM (VALUES (1)) AS v (accountid) NATURAL JOIN T",
        "SELECT count(*) FROM (VALUES (1)) AS v LEFT JOIN T ON true",
        "SELECT count(*) FROM (VALUES (1)) AS v RIGHT JOIN T ON true",
        "SELECT count(*) FROM (VALUES (1)) AS v FULL JOIN T ON v.column1 = accountid",
        "SELECT count(*) FROM T AS x LEFT SEMI JOIN T AS y ON x.accountid = y.accountid",
        "SELECT count(*) FROM T AS x LEFT ANTI JOIN T AS y ON x.accountid = y.accountid",
        "SELECT count(*) FROM (T AS x JOIN T AS y ON x.accountid = y.accountid)",
        "SELECT count(*) FROM (T AS x JOIN T AS y ON x.accountid = y.accountid) AS z (a, b, c, d, e, f)",
        "SELECT count(*) FROM (SELECT * FROM T) AS s",
        "SELECT count(*) FROM (SELECT * FROM (SELECT * FROM T) AS s) AS s",
        "SELECT count(*) FROM (VALUES (1)) AS v WHERE 1 IN (SELECT accountid FROM T)",
        "SELECT count(*) FROM (VALUES (1)) AS v WHERE EXISTS (SELECT * FROM T)",
        "SELECT count(*) FROM (VALUES (1)) AS v WHERE column1 = (SELECT count(*) FROM T)",
        "SELECT (SELECT count(*) FROM T)",
        "SELECT count(*) FROM (VALUES (1)) AS v GROUP BY column1 HAVING count(*) = (SELECT count(*) FROM T)",
        "SELECT 1 ORDER BY (SELECT count(*) FROM T)",
        "SELECT CASE WHEN true THEN (SELECT count(*) FROM T) END",
        "WITH c AS (SELECT * FROM T) SELECT count(*) FROM c",
        "WITH c AS (SELECT * FROM T), d AS (SELECT * FROM c) SELECT count(*) FROM c, d",
        "WITH transactions AS (SELECT * FROM T) SELECT count(*) FROM transactions",
        "SELECT count(*) FROM T UNION ALL SELECT count(*) FROM T",
        "SELECT accountid FROM T EXCEPT SELECT accountid FROM T",
        "SELECT count(*) FROM (SELECT * FROM T UNION SELECT * FROM T) AS u",
        "SELECT count(*) FROM (VALUES (1)) AS v, LATERAL (SELECT * FROM T) AS l",
        "VALUES ((SELECT count(*) FROM T))",
        "EXPLAIN SELECT accountid FROM T",
        // Where no relation stands.
        "SELECT count(*) FROM (SELECT * FROM transactions) C",
        "SELECT count(*) FROM (SELECT * FROM transactions) AS s C",
        "SELECT count(*) FROM transactions AS x C",
        "SELECT count(*) FROM transactions x C",
        "SELECT count(*) FROM generate_series(1, 2) C",
        "SELECT count(*) FROM (transactions) C",
        "WITH c AS (SELECT 1) SELECT * FROM c C",
        "WITH c C AS (SELECT 1) SELECT * FROM c",
        "SELECT amount C FROM transactions",
        "SELECT amount FROM transactions WHERE amount C > 1",
        "SELECT amount FROM transactions GROUP BY amount C",
        "SELECT amount FROM transactions ORDER BY amount C",
        "INSERT INTO transactions C VALUES (1, 2, now())",
        "INSERT INTO transactions (accountid C) VALUES (1)",
        "SELECT t.* C FROM transactions t",
        "C SELECT 1",
        "SELECT 1 C",
    ];
    let clause = "FOR SYSTEM_TIME AS OF '2024-01-02T12:00:00Z'";
    let shown: String = statements
        .iter()
        .map(|statement| {
            let words = statement.split(' ').map(|word| {
                let bare = word.trim_matches(['(', ')', ',', ';']);
                match bare {
                    "T" => word.replace('T', &format!("transactions {clause}")),
                    "C" => word.replace('C', clause),
                    _ => word.to_owned(),
                }
            });
            let sql = words.collect::<Vec<_>>().join(" ");
            let answer = bench.sql(&sql);
            format!("{statement}\n  {}\n", answer.trim().lines().skip(usize::from(!answer.starts_with("error"))).collect::<Vec<_>>().join("\n  "))
        })
        .collect();
    expect![[]].assert_eq(&shown);
}

#[test]
fn words_that_only_look_like_clauses_are_left_alone() {
    let bench = Bench::bank();
    expect![[]].assert_eq(&bench.script(&[
        "SELECT amount AS of FROM transactions WHERE accountid = 2",
        "SELECT substring('abc' FROM 2 FOR 1)",
        "SELECT of.amount FROM transactions AS of WHERE of.accountid = 2",
        "SELECT 'FOR SYSTEM_TIME AS OF' -- FOR SYSTEM_TIME AS OF 'x'",
        "SELECT \"time of 0\".amount FROM transactions FOR SYSTEM_TIME ALL AS \"time of 0\" WHERE accountid = 2",
    ]));
}
