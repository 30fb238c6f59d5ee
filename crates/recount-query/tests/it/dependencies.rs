//! What tells rows apart. DataFusion takes the key of a GROUP BY for one still after `unnest`, and after a join and another GROUP BY: of what
//! was unnested DISTINCT was left out, and groups by it and the key were groups by the key alone. Found by the law of views (case 922272),
//! where the view was right and the query was not.

use crate::views::Bank;

/// Rows, and a row for each key with a list.
fn bank() -> Bank {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC a (k INT, x INT, t TIMESTAMPTZ)",
        "CREATE TOPIC b (k INT NOT NULL, y INT)",
        "INSERT INTO b VALUES (1, 3), (1, 4), (2, 5)",
        "INSERT INTO a VALUES (1, 10, '2024-01-01T00:00:00Z'), (1, 10, '2024-01-01T00:10:00Z'), (2, 20, '2024-01-01T00:20:00Z'), (2, 30, '2024-01-01T00:40:00Z'), (NULL, 20, '2024-01-01T00:40:00Z')",
    ]);
    bank
}

#[test]
fn what_was_unnested_is_told_apart() {
    bank().check(&[
        (
            "SELECT DISTINCT k, unnest(array_agg(x ORDER BY x)) AS x FROM a GROUP BY k",
            &["1 | 10", "2 | 20", "2 | 30", "NULL | 20"],
        ),
        (
            "SELECT count(*) AS n FROM (SELECT k, x FROM (SELECT k, unnest(array_agg(x ORDER BY x)) AS x FROM a GROUP BY k) AS l GROUP BY k, x) AS q",
            &["4"],
        ),
        (
            "WITH l AS (SELECT k, unnest(array_agg(x ORDER BY x)) AS x FROM a GROUP BY k) SELECT k, count(*) AS n FROM l GROUP BY k",
            &["1 | 2", "2 | 2", "NULL | 1"],
        ),
        (
            "SELECT k, sum(x) OVER (ORDER BY k) AS total FROM (SELECT k, unnest(array_agg(x ORDER BY x)) AS x FROM a GROUP BY k) AS l",
            &["1 | 20", "1 | 20", "2 | 70", "2 | 70", "NULL | 90"],
        ),
        (
            "WITH g AS (SELECT k, max(t) AS t FROM a GROUP BY k) SELECT DISTINCT k FROM hop(g, t, INTERVAL '10 minutes', INTERVAL '20 minutes') AS w",
            &["1", "2", "NULL"],
        ),
        // What is cast, or made simpler, is planned again on the way.
        (
            "SELECT DISTINCT k FROM (SELECT k, unnest(array_agg(x ORDER BY x)) AS x FROM a WHERE x > 0.5 AND x > 5 * 2 - 10 GROUP BY k) AS l",
            &["1", "2", "NULL"],
        ),
        (
            "SELECT a.x FROM a LEFT JOIN (SELECT k, unnest(array_agg(y ORDER BY y)) AS y FROM b WHERE y > 0.5 GROUP BY k) AS l ON a.k = l.k",
            &["10", "10", "10", "10", "20", "20", "30"],
        ),
    ]);
}

#[test]
fn a_key_that_a_join_has_ended_is_none_again() {
    bank().check(&[
        (
            "SELECT count(*) AS n FROM (SELECT k, x FROM (SELECT g.k, a.x, count(*) AS c FROM (SELECT k, sum(x) AS s FROM a GROUP BY k) AS g JOIN a ON g.k = a.k GROUP BY g.k, a.x) AS j GROUP BY k, x) AS q",
            &["3"],
        ),
        (
            "SELECT DISTINCT k, x FROM (SELECT g.k, g.s, a.x FROM (SELECT k, sum(x) AS s FROM a GROUP BY k) AS g JOIN a ON g.k = a.k GROUP BY g.k, g.s, a.x) AS j",
            &["1 | 10", "2 | 20", "2 | 30"],
        ),
    ]);
}

/// Where a key is one it is taken for one: a query of one group by its key has one row at most.
#[test]
fn a_key_is_taken_for_one() {
    bank().check(&[
        (
            "SELECT a.x, (SELECT s FROM (SELECT k, sum(y) AS s FROM b GROUP BY k) AS g WHERE g.k = a.k) AS s FROM a",
            &["10 | 7", "10 | 7", "20 | 5", "20 | NULL", "30 | 5"],
        ),
        (
            "SELECT k, s, count(*) AS n FROM (SELECT k, sum(y) AS s FROM b GROUP BY k) AS g GROUP BY k",
            &["1 | 7 | 1", "2 | 5 | 1"],
        ),
    ]);
    let bank = bank();
    let unnested = "SELECT a.x, (SELECT u FROM (SELECT k, unnest(array_agg(y)) AS u FROM b WHERE y > 0.5 GROUP BY k) AS l WHERE l.k = a.k) AS s FROM a";
    let said = bank.run(unnested);
    assert!(said.contains("must be aggregated to return at most one row"), "{said}");
}
