//! Joins and windows in views that DataFusion's own tests brought to light: each view is what its query is.

use crate::views::Bank;

/// Two tables, and each of these queries as a view that is declared between their rows.
#[track_caller]
fn check(queries: &[&str]) {
    let bank = Bank::new();
    bank.declare(&["CREATE TOPIC a (x INT, y INT)", "CREATE TOPIC b (x INT, y INT)"]);
    let insert =
        ["INSERT INTO a VALUES (1, 10), (2, 20)", "INSERT INTO b VALUES (1, 9), (3, NULL), (NULL, 30)"];
    bank.declare(&insert[..1]);
    for (number, query) in queries.iter().enumerate() {
        let view = bank.run(&format!("CREATE MATERIALIZED VIEW v{number} AS {query}"));
        assert!(!view.starts_with("error"), "{query}: {view}");
    }
    bank.declare(&insert[1..]);
    for (number, query) in queries.iter().enumerate() {
        let of_view = bank.run(&format!("SELECT * FROM v{number} ORDER BY 1, 2"));
        assert_eq!(of_view, bank.run(&format!("SELECT * FROM ({query}) AS q ORDER BY 1, 2")), "{query}");
    }
}

/// A key that is computed on both sides had one name on both, where these have as many columns, and the view was refused.
#[test]
fn a_key_that_both_sides_compute() {
    check(&[
        "SELECT a.y, b.y AS other FROM a JOIN b ON a.x + 1 = b.x + 1",
        "SELECT a.y, b.y AS other FROM a FULL JOIN b ON a.x + 1 = b.x + 1 AND a.y - 1 = b.y",
        "SELECT a.y, b.y AS other FROM a JOIN b ON (a.x + 1) IS NOT DISTINCT FROM (b.x + 1) WHERE a.y > 0",
    ]);
}

/// A column of nothing but NULL has no type, nor does its array say of any row that it is null: the keys of two such columns were equal.
#[test]
fn null_is_not_equal_to_null() {
    check(&[
        "SELECT a.y, b.n FROM (SELECT y, NULL AS n FROM a) AS a JOIN (SELECT NULL AS n FROM b) AS b ON a.n = b.n",
        "SELECT a.y, b.n FROM (SELECT y, NULL AS n FROM a) AS a LEFT JOIN (SELECT NULL AS n FROM b) AS b ON a.n = b.n",
        "SELECT a.y, a.x FROM (SELECT x, y, NULL AS n FROM a) AS a WHERE EXISTS (SELECT 1 FROM (SELECT NULL AS n FROM b) AS b WHERE b.n = a.n)",
    ]);
}

/// The default was cast to the type of NULL, which is none, and the view was refused.
#[test]
fn lead_and_lag_of_null_have_the_type_of_their_default() {
    check(&[
        "SELECT y, lead(NULL, 1, false) OVER (ORDER BY y) AS next FROM a",
        "SELECT y, lag(NULL, 1, 7) OVER (ORDER BY y) AS before FROM a",
        "SELECT y, lag(NULL) OVER (ORDER BY y) AS before FROM a",
    ]);
}
