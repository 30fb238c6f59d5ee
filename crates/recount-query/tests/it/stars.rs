//! `*`, and joins that go by names.

use expect_test::expect;

use crate::support::Bench;

#[test]
fn a_star_has_the_declared_columns_in_every_kind_of_from() {
    let bench = Bench::bank();
    bench.execute("CREATE TOPIC owners (accountId BIGINT NOT NULL, name TEXT) KEY (accountId)");
    bench.append("owners", r#"{"accountId": 1, "name": "Ann"}"#);
    bench.append("owners", r#"{"accountId": 3, "name": "Cid"}"#);
    expect![[r#"
        > SELECT * FROM transactions t JOIN owners o ON t.accountid = o.accountid WHERE t.amount > 0
        accountid | amount | timestamp | accountid | name
        1 | 100.00 | 2023-12-13T12:00:00Z | 1 | Ann
        > SELECT * FROM transactions JOIN owners USING (accountid)
        accountid | amount | timestamp | name
        1 | 100.00 | 2023-12-13T12:00:00Z | Ann
        1 | -20.00 | 2023-12-14T12:00:00Z | Ann
        > SELECT * FROM transactions NATURAL JOIN owners
        accountid | amount | timestamp | name
        1 | 100.00 | 2023-12-13T12:00:00Z | Ann
        1 | -20.00 | 2023-12-14T12:00:00Z | Ann
        > SELECT * FROM transactions t RIGHT JOIN owners o USING (accountid) ORDER BY o.accountid, amount
        accountid | amount | timestamp | name
        1 | -20.00 | 2023-12-14T12:00:00Z | Ann
        1 | 100.00 | 2023-12-13T12:00:00Z | Ann
        3 | NULL | NULL | Cid
        > SELECT * FROM transactions t FULL JOIN owners o USING (accountid) ORDER BY 1, 2
        accountid | amount | timestamp | name
        1 | -20.00 | 2023-12-14T12:00:00Z | Ann
        1 | 100.00 | 2023-12-13T12:00:00Z | Ann
        2 | 7.25 | 2023-12-12T12:00:00Z | NULL
        3 | NULL | NULL | Cid
        > SELECT o.*, t.amount FROM transactions t, owners o WHERE t.accountid = o.accountid
        accountid | name | amount
        1 | Ann | 100.00
        1 | Ann | -20.00
        > SELECT *, o._position FROM owners o, (SELECT amount AS _x, _position FROM transactions) AS s WHERE o._position = s._position + 4
        accountid | name | _x | _position | _position
        1 | Ann | 100.00 | 2 | 6
        3 | Cid | -20.00 | 3 | 7
        > SELECT * FROM (SELECT _position AS _p, name FROM owners) AS s
        _p | name
        6 | Ann
        7 | Cid
        > WITH c AS (SELECT *, _stream FROM owners) SELECT * FROM c NATURAL JOIN owners
        accountid | name | _stream
        1 | Ann | owners/1
        3 | Cid | owners/3
        > SELECT * FROM owners AS o (id, who)
        id | who
        1 | Ann
        3 | Cid
        > SELECT * FROM (owners CROSS JOIN generate_series(1, 1))
        accountid | name | value
        1 | Ann | 1
        3 | Cid | 1
        > SELECT * FROM owners, UNNEST([7]) AS u (n)
        accountid | name | n
        1 | Ann | 7
        3 | Cid | 7
        > SELECT x.* FROM owners o
        error: x is not in FROM
        > SELECT * FROM owners NATURAL JOIN (SELECT 1 AS other) AS s
        error: NATURAL JOIN: both sides have no column of the same name, use CROSS JOIN or ON
        > SELECT * FROM transactions t LEFT SEMI JOIN owners o ON t.accountid = o.accountid
        accountid | amount | timestamp
        1 | 100.00 | 2023-12-13T12:00:00Z
        1 | -20.00 | 2023-12-14T12:00:00Z
        > WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r
        n
        1
        2
        3
        > SELECT * FROM owners WHERE EXISTS (SELECT * FROM transactions t WHERE t.accountid = owners.accountid)
        accountid | name
        1 | Ann
        > SELECT * FROM owners o WHERE (SELECT count(*) FROM transactions t WHERE t.accountid = o.accountid) = 0
        accountid | name
        3 | Cid
    "#]].assert_eq(&bench.script(&[
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
