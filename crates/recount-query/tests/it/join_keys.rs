//! Keys of inner joins beside one another. DataFusion joins them in another order, and lost keys that belong to no step of it (a side is a constant,
//! or made of two relations), and compared all of them as those of the uppermost join: where nulls are equal in one, in all, or in none. Both in
//! queries and in views. Found by the law of views (case 2154346), whose reference and view were wrong in different ways.

use crate::views::Bank;

fn bank() -> Bank {
    let bank = Bank::new();
    bank.declare(&[
        "CREATE TOPIC a (x INT, y INT)",
        "CREATE TOPIC b (x INT, y INT)",
        "CREATE TOPIC c (x INT, y INT)",
        "INSERT INTO a VALUES (NULL, 1), (1, 1), (2, NULL)",
        "INSERT INTO b VALUES (NULL, 1), (1, 1), (2, NULL)",
        "INSERT INTO c VALUES (1, 1), (2, 1), (1, 3), (1, 2)",
    ]);
    bank
}

#[test]
fn a_side_that_becomes_a_constant() {
    bank().check(&[
        (
            "SELECT a.y, b.y AS z FROM (SELECT y, CAST(1.5 - 0.5 AS DECIMAL(18,2)) AS one FROM a) AS a
             JOIN (SELECT '' AS t, x AS y FROM c UNION SELECT '' AS t, 7 AS y FROM c) AS b
             ON CASE WHEN a.one = a.one THEN 7 ELSE a.y END = b.y",
            &["1 | 7", "1 | 7", "NULL | 7"],
        ),
        (
            "SELECT count(*) AS n FROM (SELECT y, CAST(1.5 - 0.5 AS DECIMAL(18,2)) AS one FROM a) AS a
             JOIN (SELECT '' AS t, x AS y FROM c UNION SELECT '' AS t, 7 AS y FROM c) AS b
             ON CASE WHEN a.one = a.one THEN 8 ELSE a.y END = b.y",
            &["0"],
        ),
    ]);
}

#[test]
fn a_side_of_two_relations() {
    bank().check(&[
        (
            "SELECT a.x, b.y, c.y AS z FROM a JOIN b ON true JOIN c ON a.x + b.y = c.y AND a.y = c.x",
            &["1 | 1 | 2", "1 | 1 | 2"],
        ),
        (
            "SELECT a.x, b.y, c.y AS z FROM a, b, c WHERE a.x + b.y = c.y AND a.y = c.x",
            &["1 | 1 | 2", "1 | 1 | 2"],
        ),
    ]);
}

#[test]
fn nulls_that_are_equal_in_one_of_several_joins() {
    bank().check(&[
        ("SELECT b.y FROM a JOIN b ON a.x IS NOT DISTINCT FROM b.x", &["1", "1", "NULL"]),
        (
            "SELECT b.x, c.x AS z FROM a JOIN b ON a.x IS NOT DISTINCT FROM b.x JOIN c ON b.y = c.y",
            &["1 | 1", "1 | 2", "NULL | 1", "NULL | 2"],
        ),
        ("SELECT a.x FROM a JOIN b ON a.x IS NOT DISTINCT FROM b.x WHERE a.y = b.y", &["1", "NULL"]),
        (
            "SELECT a.x, c.x AS z FROM b JOIN c ON b.y = c.y JOIN a ON a.x IS NOT DISTINCT FROM b.x",
            &["1 | 1", "1 | 2", "NULL | 1", "NULL | 2"],
        ),
        (
            "SELECT a.x, c.x AS z FROM b JOIN c ON b.y IS NOT DISTINCT FROM c.y JOIN a ON a.x IS NOT DISTINCT FROM b.x AND 1 = c.x",
            &["1 | 1", "NULL | 1"],
        ),
        (
            "SELECT a.y, b.y AS z FROM (SELECT x, y, CAST(1.5 - 0.5 AS DECIMAL(18,2)) AS one FROM a) AS a
             JOIN (SELECT '' AS t, x, x AS y FROM b UNION SELECT '' AS t, x, 7 AS y FROM b) AS b
             ON CASE WHEN a.one = a.one THEN 7 ELSE a.y END IS NOT DISTINCT FROM b.y WHERE a.x = b.x",
            &["1 | 7", "NULL | 7"],
        ),
        (
            "SELECT a.y, b.y AS z, c.y AS w FROM a JOIN b ON a.y = b.y JOIN c ON a.x IS NOT DISTINCT FROM b.x AND b.x + 1 IS NOT DISTINCT FROM c.y",
            &["1 | 1 | 2"],
        ),
    ]);
}
