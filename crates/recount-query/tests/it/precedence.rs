//! What binds tighter than what.

use expect_test::expect;

use crate::support::Bench;

/// What followed `IS DISTINCT FROM`, an OR too, was taken for its right side: another question was answered.
#[test]
fn operators_bind_as_in_postgres() {
    let bench = Bench::new();
    expect![[r#"
        > SELECT true IS DISTINCT FROM false OR true AS a, false IS NOT DISTINCT FROM true AND false AS b
        a | b
        true | false
        > SELECT 1 IS DISTINCT FROM 1 + 1 AS a, 1 < 2 IS NOT DISTINCT FROM 2 < 3 AS b, NOT 1 IS DISTINCT FROM 1 AS c
        a | b | c
        true | true | true
        > SELECT CASE WHEN NULL IS NOT DISTINCT FROM NULL OR false THEN 'same' ELSE 'other' END AS a
        a
        same
        > SELECT 2 BETWEEN 1 AND 3 AND false AS a, 'a' LIKE 'b' OR true AS b, 2 IN (1, 2) = true AND false AS c
        a | b | c
        false | true | false
    "#]].assert_eq(&bench.script(&[
        "SELECT true IS DISTINCT FROM false OR true AS a, false IS NOT DISTINCT FROM true AND false AS b",
        "SELECT 1 IS DISTINCT FROM 1 + 1 AS a, 1 < 2 IS NOT DISTINCT FROM 2 < 3 AS b, NOT 1 IS DISTINCT FROM 1 AS c",
        "SELECT CASE WHEN NULL IS NOT DISTINCT FROM NULL OR false THEN 'same' ELSE 'other' END AS a",
        "SELECT 2 BETWEEN 1 AND 3 AND false AS a, 'a' LIKE 'b' OR true AS b, 2 IN (1, 2) = true AND false AS c",
    ]));
}
