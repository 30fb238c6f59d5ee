//! Clauses of time.

use expect_test::expect;

use crate::support::Bench;

#[test]
fn as_recorded_and_as_happened() {
    let bench = Bench::bank();
    expect![[r#"
        > SELECT amount FROM transactions FOR SYSTEM_TIME AS OF '2024-01-02T12:00:00Z'
        amount
        100.00
        -20.00
        > SELECT amount FROM transactions FOR SYSTEM_TIME AS OF now() - INTERVAL '36 hours'
        amount
        100.00
        > SELECT amount FROM transactions FOR SYSTEM_TIME AS OF TIMESTAMPTZ '2024-01-01T23:00:00-01:00'
        amount
        100.00
        -20.00
        > SELECT amount FROM transactions FOR VALID_TIME AS OF END OF '2023-12-13' AS t
        amount
        100.00
        7.25
        > SELECT amount FROM transactions FOR VALID_TIME AS OF END OF '2023-12-13' FOR SYSTEM_TIME AS OF '2024-01-02T12:00:00Z' t
        amount
        100.00
        > SELECT amount FROM transactions AS OF POSITION 3
        amount
        100.00
        -20.00
        > SELECT amount FROM transactions AS OF POSITION 0
        amount
        notice: 0 rows: the first event of transactions was appended at 2024-01-01T00:00:00.000001Z and happened at 2023-12-13T12:00:00Z
        > SELECT amount, _system_from, _system_to FROM transactions FOR SYSTEM_TIME ALL
        amount | _system_from | _system_to
        100.00 | 2024-01-01T00:00:00.000001Z | NULL
        -20.00 | 2024-01-02T00:00:00Z | NULL
        7.25 | 2024-01-03T00:00:00Z | NULL
        > SELECT amount, _system_from FROM transactions FOR SYSTEM_TIME FROM '2024-01-01T00:00:00Z' TO '2024-01-03T00:00:00Z'
        amount | _system_from
        100.00 | 2024-01-01T00:00:00.000001Z
        -20.00 | 2024-01-02T00:00:00Z
        > SELECT amount, _system_from FROM transactions FOR SYSTEM_TIME BETWEEN '2024-01-02T00:00:00Z' AND '2024-01-03T00:00:00Z' + INTERVAL '1 hour'
        error: line 1, column 98: '2024-01-03T00:00:00Z' + INTERVAL '1 hour' is not a time: cannot coerce arithmetic expression Utf8 + Interval(MonthDayNano) to valid types
        > SELECT *, _valid_from, _valid_to FROM transactions FOR VALID_TIME BETWEEN '2023-12-13T00:00:00Z' AND END OF '2023-12-13' AS OF POSITION 4
        accountid | amount | timestamp | _valid_from | _valid_to
        1 | 100.00 | 2023-12-13T12:00:00Z | 2023-12-13T12:00:00Z | NULL
        > SELECT count(*) FROM transactions FOR SYSTEM_TIME AS OF '2023-01-01T00:00:00Z'
        count(*)
        0
    "#]].assert_eq(&bench.script(&[
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
    expect![[r#"
        > SELECT * FROM transactions AS OF '2024-01-02T12:00:00Z'
        error: line 1, column 28: AS OF must say which time: FOR SYSTEM_TIME AS OF … = as it was recorded then, FOR VALID_TIME AS OF … = what had happened by then, as known now; or AS OF POSITION …
        > SELECT * FROM transactions AS OF now()
        error: line 1, column 28: AS OF must say which time: FOR SYSTEM_TIME AS OF … = as it was recorded then, FOR VALID_TIME AS OF … = what had happened by then, as known now; or AS OF POSITION …
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF '2024-01-02'
        error: line 1, column 50: '2024-01-02' is a whole day: write a time, or END OF 'date' for its last moment
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF DATE '2024-01-02'
        error: line 1, column 50: DATE '2024-01-02' is a whole day: write a time, or END OF 'date' for its last moment
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF '2024-01-02T00:00:00'
        error: line 1, column 50: '2024-01-02T00:00:00' has no zone: write it as '2023-12-13T12:00:00Z'
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-02T00:00:00'
        error: line 1, column 50: TIMESTAMP '2024-01-02T00:00:00' has no zone: write it as '2023-12-13T12:00:00Z'
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF 'yesterday'
        error: line 1, column 50: "yesterday" is not a time: write it as 2023-12-13T12:00:00Z
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF 5
        error: line 1, column 50: 5 is not a time: write it as '2023-12-13T12:00:00Z'
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF NULL
        error: line 1, column 50: NULL is NULL, which is no time
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF timestamp
        error: line 1, column 50: timestamp is not a time: schema error: No field named timestamp.
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF (SELECT 1)
        error: line 1, column 50: (SELECT 1) is not constant: a clause of time takes one time for all rows
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF '2099-01-01T00:00:00Z'
        error: that time has not come yet: nobody knows what will be appended until then
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF
        error: expected: an expression, found: EOF
        > SELECT * FROM transactions FOR SYSTEM_TIME AS '2024-01-01T00:00:00Z'
        error: line 1, column 47: found '2024-01-01T00:00:00Z', expected OF
        > SELECT * FROM transactions FOR SYSTEM_TIME FROM '2024-01-01T00:00:00Z'
        error: line 1, column 71: found the end, expected TO
        > SELECT * FROM transactions FOR SYSTEM_TIME FROM '2024-01-02T00:00:00Z' TO '2024-01-01T00:00:00Z'
        error: line 1, column 75: the stretch of time ends before it begins
        > SELECT * FROM transactions FOR VALID_TIME AS OF END OF 'today'
        error: line 1, column 56: END OF wants a day: END OF '2023-12-31'
        > SELECT * FROM transactions FOR SYSTEM_TIME ALL FOR SYSTEM_TIME ALL
        error: line 1, column 48: FOR SYSTEM_TIME is given twice
        > SELECT * FROM transactions FOR VALID_TIME ALL FOR VALID_TIME AS OF now()
        error: line 1, column 47: FOR VALID_TIME is given twice
        > SELECT * FROM transactions FOR SYSTEM_TIME AS OF now() AS OF POSITION 1
        error: line 1, column 56: FOR SYSTEM_TIME AS OF and AS OF POSITION both say as recorded when: give one of them
        > SELECT * FROM transactions AS OF POSITION 1 AS OF POSITION 1
        error: line 1, column 45: AS OF POSITION is given twice
        > SELECT * FROM transactions AS OF POSITION 99
        error: AS OF POSITION 99 has not come yet: the statement reads at position 4
        > SELECT * FROM transactions AS OF POSITION x
        error: line 1, column 43: found x, expected a position
        > SELECT * FROM transactions FOR VERSION 1
        error: transactions is a topic: it has no versions of a definition. Leave FOR VERSION out
        > SELECT * FROM transactions FOR VERSION 1 FOR VERSION 2
        error: line 1, column 42: FOR VERSION is given twice
        > SELECT * FROM a.transactions FOR SYSTEM_TIME ALL
        error: line 1, column 17: names have no schema before them: write a name with a period in it in double quotes, "a.b"
    "#]].assert_eq(&bench.script(&[
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
            format!(
                "{statement}\n  {}\n",
                answer
                    .trim()
                    .lines()
                    .skip(usize::from(!answer.starts_with("error")))
                    .collect::<Vec<_>>()
                    .join("\n  ")
            )
        })
        .collect();
    expect![[r#"
        SELECT count(*) FROM T
          2
        SELECT count(*) FROM T AS x
          2
        SELECT count(*) FROM (T)
          error: line 1, column 80: expected: joined table, found: )
        SELECT count(*) FROM ((T AS x))
          error: line 1, column 86: expected: joined table, found: )
        SELECT count(*) FROM (VALUES (1)) AS v, T
          2
        SELECT count(*) FROM (VALUES (1)) AS v CROSS JOIN T
          2
        SELECT count(*) FROM (VALUES (1)) AS v JOIN T ON true
          2
        SELECT count(*) FROM (VALUES (1)) AS v (accountid) JOIN T USING (accountid)
          2
        SELECT count(*) FROM (VALUES (1)) AS v (accountid) NATURAL JOIN T
          2
        SELECT count(*) FROM (VALUES (1)) AS v LEFT JOIN T ON true
          2
        SELECT count(*) FROM (VALUES (1)) AS v RIGHT JOIN T ON true
          2
        SELECT count(*) FROM (VALUES (1)) AS v FULL JOIN T ON v.column1 = accountid
          2
        SELECT count(*) FROM T AS x LEFT SEMI JOIN T AS y ON x.accountid = y.accountid
          2
        SELECT count(*) FROM T AS x LEFT ANTI JOIN T AS y ON x.accountid = y.accountid
          0
        SELECT count(*) FROM (T AS x JOIN T AS y ON x.accountid = y.accountid)
          4
        SELECT count(*) FROM (T AS x JOIN T AS y ON x.accountid = y.accountid) AS z (a, b, c, d, e, f)
          4
        SELECT count(*) FROM (SELECT * FROM T) AS s
          2
        SELECT count(*) FROM (SELECT * FROM (SELECT * FROM T) AS s) AS s
          2
        SELECT count(*) FROM (VALUES (1)) AS v WHERE 1 IN (SELECT accountid FROM T)
          1
        SELECT count(*) FROM (VALUES (1)) AS v WHERE EXISTS (SELECT * FROM T)
          1
        SELECT count(*) FROM (VALUES (1)) AS v WHERE column1 = (SELECT count(*) FROM T)
          0
        SELECT (SELECT count(*) FROM T)
          2
        SELECT count(*) FROM (VALUES (1)) AS v GROUP BY column1 HAVING count(*) = (SELECT count(*) FROM T)
          notice: 0 rows: the first event of transactions was appended at 2024-01-01T00:00:00.000001Z and happened at 2023-12-13T12:00:00Z
        SELECT 1 ORDER BY (SELECT count(*) FROM T)
          error: a subquery is not supported in this place: put it into FROM or WITH
        SELECT CASE WHEN true THEN (SELECT count(*) FROM T) END
          2
        WITH c AS (SELECT * FROM T) SELECT count(*) FROM c
          2
        WITH c AS (SELECT * FROM T), d AS (SELECT * FROM c) SELECT count(*) FROM c, d
          4
        WITH transactions AS (SELECT * FROM T) SELECT count(*) FROM transactions
          2
        SELECT count(*) FROM T UNION ALL SELECT count(*) FROM T
          2
          2
        SELECT accountid FROM T EXCEPT SELECT accountid FROM T
          notice: 0 rows: the first event of transactions was appended at 2024-01-01T00:00:00.000001Z and happened at 2023-12-13T12:00:00Z
        SELECT count(*) FROM (SELECT * FROM T UNION SELECT * FROM T) AS u
          2
        SELECT count(*) FROM (VALUES (1)) AS v, LATERAL (SELECT * FROM T) AS l
          2
        VALUES ((SELECT count(*) FROM T))
          error: a subquery is not supported in this place: put it into FROM or WITH
        EXPLAIN SELECT accountid FROM T
          Scan: topic transactions, whole, as of position 3, at most 3 events in memory; 1 of 3 columns decoded: [accountid]
        SELECT count(*) FROM (SELECT * FROM transactions) C
          error: line 1, column 51: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT count(*) FROM (SELECT * FROM transactions) AS s C
          error: line 1, column 56: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT count(*) FROM transactions AS x C
          error: line 1, column 40: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT count(*) FROM transactions x C
          error: line 1, column 37: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT count(*) FROM generate_series(1, 2) C
          error: line 1, column 44: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT count(*) FROM (transactions) C
          error: line 1, column 37: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        WITH c AS (SELECT 1) SELECT * FROM c C
          error: line 1, column 38: c is a query of WITH: clauses of time belong to the topics and entities inside it
        WITH c C AS (SELECT 1) SELECT * FROM c
          error: there is no topic, entity or view c. Do you mean transactions?
        SELECT amount C FROM transactions
          error: line 1, column 15: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT amount FROM transactions WHERE amount C > 1
          error: line 1, column 46: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT amount FROM transactions GROUP BY amount C
          error: line 1, column 49: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT amount FROM transactions ORDER BY amount C
          error: line 1, column 49: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        INSERT INTO transactions C VALUES (1, 2, now())
          error: line 1, column 26: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        INSERT INTO transactions (accountid C) VALUES (1)
          error: line 1, column 37: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT t.* C FROM transactions t
          error: line 1, column 12: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        C SELECT 1
          error: line 1, column 1: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
        SELECT 1 C
          error: line 1, column 10: a clause of time stands right behind the name of a topic or entity in FROM or JOIN, before its alias: FROM t FOR SYSTEM_TIME AS OF … AS x
    "#]].assert_eq(&shown);
}

#[test]
fn words_that_only_look_like_clauses_are_left_alone() {
    let bench = Bench::bank();
    expect![[r#"
        > SELECT amount AS of FROM transactions WHERE accountid = 2
        of
        7.25
        > SELECT substring('abc' FROM 2 FOR 1)
        SUBSTRING('abc' FROM 2 FOR 1)
        b
        > SELECT of.amount FROM transactions AS of WHERE of.accountid = 2
        amount
        7.25
        > SELECT 'FOR SYSTEM_TIME AS OF' -- FOR SYSTEM_TIME AS OF 'x'
        'FOR SYSTEM_TIME AS OF'
        FOR SYSTEM_TIME AS OF
        > SELECT "time of 0".amount FROM transactions FOR SYSTEM_TIME ALL AS "time of 0" WHERE accountid = 2
        amount
        7.25
    "#]].assert_eq(&bench.script(&[
        "SELECT amount AS of FROM transactions WHERE accountid = 2",
        "SELECT substring('abc' FROM 2 FOR 1)",
        "SELECT of.amount FROM transactions AS of WHERE of.accountid = 2",
        "SELECT 'FOR SYSTEM_TIME AS OF' -- FOR SYSTEM_TIME AS OF 'x'",
        "SELECT \"time of 0\".amount FROM transactions FOR SYSTEM_TIME ALL AS \"time of 0\" WHERE accountid = 2",
    ]));
}
