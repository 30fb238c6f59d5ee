//! `*`, and joins that go by names.

use expect_test::expect;

use crate::support::Bench;

#[test]
fn a_star_has_the_declared_columns_in_every_kind_of_from() {
    let bench = Bench::bank();
    bench.execute("CREATE TOPIC owners (accountId BIGINT NOT NULL, name TEXT) KEY (accountId)");
    bench.append("owners", r#"{"accountId": 1, "name": "Ann"}"#);
    bench.append("owners", r#"{"accountId": 3, "name": "Cid"}"#);
    expect![[]].assert_eq(&bench.script(&[
        "SELECT * FROM transactions t JOIN owners o ON t.accountid = o.accountid WHERE t.amount > 0",
        "SELECT * FROM transactions JOIN owners USING (accountid)",
        "SELECT * FROM transactions NATURAL JOIN owners",
        "SELECT * FROM transactions t RIGHT JOIN owners o USING (accountid) ORDER BY o.accountid, amount",
        "SELECT * FROM transactions t FULL JOIN owners o USING (accountid) ORDER BY 1, 2",
        "SELECT o.*, t.amount FROM transactions t, owners o WHERE t.accountid = o.accountid",
        "SELECT *, o._position FROM owners o, (SELECT amount AS _x, _position FROM transactions) AS s WHERE o._position = s._position + 4",
        "SELECT * FROM (SELECT _position AS _p, name FROM owners) AS s",
        "WITH c AS (SELECT *, _stream FROM owners) SELECT * FROM c NATURAL JOIN owners",
        "SELECT * FROM owners AS o (id, who)",
        "SELECT * FROM (owners CROSS JOIN generate_series(1, 1))",
        "SELECT * FROM owners, UNNEST([7]) AS u (n)",
        "SELECT x.* FROM owners o",
        "SELECT * FROM owners NATURAL JOIN (SELECT 1 AS other) AS s",
        "SELECT * FROM transactions t LEFT SEMI JOIN owners o ON t.accountid = o.accountid",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
        "SELECT * FROM owners WHERE EXISTS (SELECT * FROM transactions t WHERE t.accountid = owners.accountid)",
        "SELECT * FROM owners o WHERE (SELECT count(*) FROM transactions t WHERE t.accountid = o.accountid) = 0",
    ]));
}
