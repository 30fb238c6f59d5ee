//! What DataFusion's rules take for granted and is not so.

use expect_test::expect;

use crate::support::Bench;

/// A condition without columns was pushed below a count of all rows, which then counted none, and was shown.
#[test]
fn a_count_of_all_rows_is_not_of_those_that_a_condition_left() {
    let bench = Bench::new();
    bench.execute("CREATE TOPIC some (k INT NOT NULL) KEY (k)");
    bench.append("some", r#"{"k": 1}"#);
    let count = "(SELECT count(*) AS c FROM some) AS a";
    expect![[r#"
        > SELECT b.k, a.c FROM (SELECT count(*) AS c FROM some) AS a LEFT JOIN (SELECT k FROM some WHERE false) AS b ON a.c = b.k WHERE b.k = 2
        k | c
        > SELECT b.k, a.c FROM (SELECT count(*) AS c FROM some) AS a LEFT JOIN (SELECT k FROM some WHERE false) AS b ON a.c = b.k WHERE b.k IS NULL
        k | c
        NULL | 1
        > SELECT b.k, a.c FROM (SELECT count(*) AS c FROM some HAVING count(*) < 5) AS a LEFT JOIN (SELECT k FROM some WHERE false) AS b ON a.c = b.k WHERE b.k = 2
        k | c
        > SELECT count(*) AS c FROM some HAVING 1 = 2
        c
        > SELECT k, count(*) AS c FROM some GROUP BY ROLLUP (k) HAVING count(*) > 0 AND 1 = 2
        k | c
    "#]].assert_eq(&bench.script(&[
        &format!("SELECT b.k, a.c FROM {count} LEFT JOIN (SELECT k FROM some WHERE false) AS b ON a.c = b.k WHERE b.k = 2"),
        &format!("SELECT b.k, a.c FROM {count} LEFT JOIN (SELECT k FROM some WHERE false) AS b ON a.c = b.k WHERE b.k IS NULL"),
        "SELECT b.k, a.c FROM (SELECT count(*) AS c FROM some HAVING count(*) < 5) AS a LEFT JOIN (SELECT k FROM some WHERE false) AS b ON a.c = b.k WHERE b.k = 2",
        "SELECT count(*) AS c FROM some HAVING 1 = 2",
        "SELECT k, count(*) AS c FROM some GROUP BY ROLLUP (k) HAVING count(*) > 0 AND 1 = 2",
    ]));
}

/// Different constants of no rows were counted as one each.
#[test]
fn no_rows_have_no_constants() {
    let bench = Bench::new();
    bench.execute("CREATE TOPIC some (k INT NOT NULL) KEY (k)");
    expect![[r#"
        > SELECT count(DISTINCT c) AS c, count(DISTINCT d) AS d FROM (SELECT 'x' AS c, 'y' AS d FROM some WHERE k > 5) AS s
        c | d
        0 | 0
        > SELECT count(DISTINCT 'x') AS c, count(*) AS n, min('y') AS d FROM some
        c | n | d
        0 | 0 | NULL
    "#]].assert_eq(&bench.script(&[
        "SELECT count(DISTINCT c) AS c, count(DISTINCT d) AS d FROM (SELECT 'x' AS c, 'y' AS d FROM some WHERE k > 5) AS s",
        "SELECT count(DISTINCT 'x') AS c, count(*) AS n, min('y') AS d FROM some",
    ]));
}

/// Columns that have one value on one side of a join or union, and others behind it, were taken for constant: nothing sorted by
/// them, and a LIMIT kept other rows.
#[test]
fn rows_sort_by_what_is_constant_in_one_input_only() {
    let bench = Bench::new();
    bench.execute("CREATE TOPIC some (k INT NOT NULL) KEY (k)");
    bench.execute("CREATE TOPIC others (k INT NOT NULL) KEY (k)");
    for k in 1..=4 {
        bench.append("some", &format!(r#"{{"k": {k}}}"#));
    }
    bench.append("others", r#"{"k": 3}"#);
    let flagged = "(SELECT k, 1 AS flag FROM others) AS o";
    expect![[r#"
        > SELECT flag, s.k FROM (SELECT k, 1 AS flag FROM others) AS o RIGHT JOIN some AS s ON s.k = o.k ORDER BY flag NULLS FIRST, s.k
        flag | k
        NULL | 1
        NULL | 2
        NULL | 4
        1 | 3
        > SELECT flag, s.k FROM (SELECT k, 1 AS flag FROM others) AS o FULL JOIN some AS s ON s.k = o.k ORDER BY flag NULLS FIRST, s.k LIMIT 1
        flag | k
        NULL | 1
        > SELECT flag, s.k FROM some AS s LEFT JOIN (SELECT k, 1 AS flag FROM others) AS o ON s.k = o.k ORDER BY flag NULLS FIRST, s.k LIMIT 1
        flag | k
        NULL | 1
        > SELECT k, c FROM (SELECT k, 1 AS c FROM some UNION ALL SELECT k, 2 AS c FROM others) AS u ORDER BY c DESC, k LIMIT 1
        k | c
        3 | 2
        > SELECT k, c FROM (SELECT k, 1 AS c FROM some UNION ALL SELECT 9 AS k, 2 AS c FROM others) AS u ORDER BY c DESC, k LIMIT 1
        k | c
        9 | 2
        > SELECT k, rank() OVER (ORDER BY c DESC) AS rank FROM (SELECT k, 1 AS c FROM some UNION ALL SELECT k, 2 AS c FROM others) AS u ORDER BY rank, k
        k | rank
        3 | 1
        1 | 2
        2 | 2
        3 | 2
        4 | 2
    "#]].assert_eq(&bench.script(&[
        &format!("SELECT flag, s.k FROM {flagged} RIGHT JOIN some AS s ON s.k = o.k ORDER BY flag NULLS FIRST, s.k"),
        &format!("SELECT flag, s.k FROM {flagged} FULL JOIN some AS s ON s.k = o.k ORDER BY flag NULLS FIRST, s.k LIMIT 1"),
        &format!("SELECT flag, s.k FROM some AS s LEFT JOIN {flagged} ON s.k = o.k ORDER BY flag NULLS FIRST, s.k LIMIT 1"),
        "SELECT k, c FROM (SELECT k, 1 AS c FROM some UNION ALL SELECT k, 2 AS c FROM others) AS u ORDER BY c DESC, k LIMIT 1",
        "SELECT k, c FROM (SELECT k, 1 AS c FROM some UNION ALL SELECT 9 AS k, 2 AS c FROM others) AS u ORDER BY c DESC, k LIMIT 1",
        "SELECT k, rank() OVER (ORDER BY c DESC) AS rank FROM (SELECT k, 1 AS c FROM some UNION ALL SELECT k, 2 AS c FROM others) AS u ORDER BY rank, k",
    ]));
}

/// Two conditions of one column, one of them with its constant in front: to DataFusion 55 these were two values, which no row has. DuckDB
/// found rows where there were none here, in queries of the law of views. And of two bounds the wrong one was kept, or one that is NULL.
#[test]
fn conditions_with_their_constants_in_front() {
    let bench = Bench::new();
    bench.execute("CREATE TOPIC some (n BIGINT, d DOUBLE)");
    for n in 1..=3 {
        bench.append("some", &format!(r#"{{"n": {n}, "d": {}}}"#, n - 1));
    }
    let bounds = "SELECT n, 2 AS two, CAST(NULL AS BIGINT) AS none, CAST(-0.0 AS DOUBLE) AS zero FROM some";
    expect![[r#"
        > SELECT s.n FROM some AS s JOIN some AS o ON 1 = s.n WHERE EXISTS (SELECT 1 FROM (SELECT n FROM some ORDER BY n LIMIT 2) AS v WHERE s.n = 1)
        n
        1
        1
        1
        > SELECT n FROM (SELECT n, 2 AS two, CAST(NULL AS BIGINT) AS none, CAST(-0.0 AS DOUBLE) AS zero FROM some) AS b WHERE two = n AND n = 2
        n
        2
        > SELECT n FROM (SELECT n, 2 AS two, CAST(NULL AS BIGINT) AS none, CAST(-0.0 AS DOUBLE) AS zero FROM some) AS b WHERE two <= n AND 2 < n
        n
        3
        > SELECT n FROM (SELECT n, 2 AS two, CAST(NULL AS BIGINT) AS none, CAST(-0.0 AS DOUBLE) AS zero FROM some) AS b WHERE 3 >= n AND two + 1 > n AND n > 1
        n
        2
        > SELECT n FROM (SELECT n, 2 AS two, CAST(NULL AS BIGINT) AS none, CAST(-0.0 AS DOUBLE) AS zero FROM some) AS b WHERE n > none AND n > 1
        n
        > SELECT b.n FROM (SELECT n, 2 AS two, CAST(NULL AS BIGINT) AS none, CAST(-0.0 AS DOUBLE) AS zero FROM some) AS b JOIN some AS s USING (n) WHERE s.d = zero AND s.d = CAST(0 AS DOUBLE)
        n
        1
    "#]].assert_eq(&bench.script(&[
        "SELECT s.n FROM some AS s JOIN some AS o ON 1 = s.n WHERE EXISTS (SELECT 1 FROM (SELECT n FROM some ORDER BY n LIMIT 2) AS v WHERE s.n = 1)",
        &format!("SELECT n FROM ({bounds}) AS b WHERE two = n AND n = 2"),
        &format!("SELECT n FROM ({bounds}) AS b WHERE two <= n AND 2 < n"),
        &format!("SELECT n FROM ({bounds}) AS b WHERE 3 >= n AND two + 1 > n AND n > 1"),
        &format!("SELECT n FROM ({bounds}) AS b WHERE n > none AND n > 1"),
        &format!("SELECT b.n FROM ({bounds}) AS b JOIN some AS s USING (n) WHERE s.d = zero AND s.d = CAST(0 AS DOUBLE)"),
    ]));
}
