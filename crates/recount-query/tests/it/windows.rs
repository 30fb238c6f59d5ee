//! Windows of time in FROM, and variances that are exact: asked, and kept up to date.

use expect_test::expect;

use crate::views::Bank;

#[test]
fn windows_of_time() {
    let bank = Bank::new();
    let said = bank.script(&[
        "CREATE TOPIC trips (id BIGINT NOT NULL, at TIMESTAMPTZ, day DATE)",
        "INSERT INTO trips VALUES (1, '2024-01-01T00:00:00Z', NULL), (2, '2024-01-01T00:09:59.999999Z', NULL), (3, '2024-01-01T00:10:00Z', NULL), (4, NULL, NULL)",
        "CREATE MATERIALIZED VIEW tens AS SELECT window_start, window_end, count(*) AS n FROM tumble(trips, at, INTERVAL '10 minutes') GROUP BY 1, 2",
        "CREATE MATERIALIZED VIEW moving AS SELECT window_start, count(*) AS n, max(id) AS last FROM hop(trips, DESCRIPTOR(at), INTERVAL '5' MINUTE, INTERVAL '10' MINUTE) AS w GROUP BY window_start",
        "SELECT * FROM tens ORDER BY 1",
        "SELECT * FROM moving ORDER BY 1",
        "INSERT INTO trips VALUES (5, '2024-01-01T00:05:00Z', NULL), (6, '1969-12-31T23:59:59Z', NULL)",
        "SELECT * FROM tens ORDER BY 1",
        "SELECT * FROM moving ORDER BY 1",
        "SELECT * FROM tumble(trips, _event_time, INTERVAL '1 day') LIMIT 0",
        "WITH long AS (SELECT id, at FROM trips WHERE id > 2) SELECT id, window_end FROM TUMBLE(long, at, INTERVAL '1 day') t ORDER BY id",
        "SELECT trips.id, other.window_start FROM trips JOIN tumble(trips, at, INTERVAL '1 hour') AS other ON trips.id = other.id WHERE trips.id = 1",
        "SELECT count(*) FROM tumble(trips AS OF POSITION 4, at, INTERVAL '1 hour') AS t",
        "SELECT * FROM tumble(trips, at)",
        "SELECT * FROM hop(trips, at, INTERVAL '1 hour')",
        "SELECT * FROM tumble(trips, at, 10)",
        "SELECT * FROM tumble(trips, day, INTERVAL '1 day')",
        "SELECT * FROM tumble(trips, at, INTERVAL '1 month')",
        "SELECT * FROM tumble(trips, at, INTERVAL '0 days')",
        "SELECT * FROM hop(trips, at, INTERVAL '1 second', INTERVAL '1 year')",
        "SELECT * FROM hop(trips, at, INTERVAL '1 second', INTERVAL '100 days')",
        "SELECT * FROM tumble((SELECT * FROM trips), at, INTERVAL '1 day')",
        "SELECT * FROM tumble(nothing, at, INTERVAL '1 day')",
    ]);
    expect![[r#"
        > CREATE TOPIC trips (id BIGINT NOT NULL, at TIMESTAMPTZ, day DATE)
        CREATE TOPIC trips at 1
        > INSERT INTO trips VALUES (1, '2024-01-01T00:00:00Z', NULL), (2, '2024-01-01T00:09:59.999999Z', NULL), (3, '2024-01-01T00:10:00Z', NULL), (4, NULL, NULL)
        inserted | position
        4 | 5
        > CREATE MATERIALIZED VIEW tens AS SELECT window_start, window_end, count(*) AS n FROM tumble(trips, at, INTERVAL '10 minutes') GROUP BY 1, 2
        CREATE MATERIALIZED VIEW tens at 6
        > CREATE MATERIALIZED VIEW moving AS SELECT window_start, count(*) AS n, max(id) AS last FROM hop(trips, DESCRIPTOR(at), INTERVAL '5' MINUTE, INTERVAL '10' MINUTE) AS w GROUP BY window_start
        CREATE MATERIALIZED VIEW moving at 7
        > SELECT * FROM tens ORDER BY 1
        window_start | window_end | n
        2024-01-01T00:00:00Z | 2024-01-01T00:10:00Z | 2
        2024-01-01T00:10:00Z | 2024-01-01T00:20:00Z | 1
        > SELECT * FROM moving ORDER BY 1
        window_start | n | last
        2023-12-31T23:55:00Z | 1 | 1
        2024-01-01T00:00:00Z | 2 | 2
        2024-01-01T00:05:00Z | 2 | 3
        2024-01-01T00:10:00Z | 1 | 3
        > INSERT INTO trips VALUES (5, '2024-01-01T00:05:00Z', NULL), (6, '1969-12-31T23:59:59Z', NULL)
        inserted | position
        2 | 9
        > SELECT * FROM tens ORDER BY 1
        window_start | window_end | n
        1969-12-31T23:50:00Z | 1970-01-01T00:00:00Z | 1
        2024-01-01T00:00:00Z | 2024-01-01T00:10:00Z | 3
        2024-01-01T00:10:00Z | 2024-01-01T00:20:00Z | 1
        > SELECT * FROM moving ORDER BY 1
        window_start | n | last
        1969-12-31T23:50:00Z | 1 | 6
        1969-12-31T23:55:00Z | 1 | 6
        2023-12-31T23:55:00Z | 1 | 1
        2024-01-01T00:00:00Z | 3 | 5
        2024-01-01T00:05:00Z | 3 | 5
        2024-01-01T00:10:00Z | 1 | 3
        > SELECT * FROM tumble(trips, _event_time, INTERVAL '1 day') LIMIT 0
        id | at | day | window_start | window_end
        > WITH long AS (SELECT id, at FROM trips WHERE id > 2) SELECT id, window_end FROM TUMBLE(long, at, INTERVAL '1 day') t ORDER BY id
        id | window_end
        3 | 2024-01-02T00:00:00Z
        5 | 2024-01-02T00:00:00Z
        6 | 1970-01-01T00:00:00Z
        > SELECT trips.id, other.window_start FROM trips JOIN tumble(trips, at, INTERVAL '1 hour') AS other ON trips.id = other.id WHERE trips.id = 1
        id | window_start
        1 | 2024-01-01T00:00:00Z
        > SELECT count(*) FROM tumble(trips AS OF POSITION 4, at, INTERVAL '1 hour') AS t
        count(*)
        0
        > SELECT * FROM tumble(trips, at)
        error: tumble has 2 arguments: write tumble(relation, time, INTERVAL 'size')
        > SELECT * FROM hop(trips, at, INTERVAL '1 hour')
        error: hop has 3 arguments: write hop(relation, time, INTERVAL 'slide', INTERVAL 'size')
        > SELECT * FROM tumble(trips, at, 10)
        error: 10 is not an INTERVAL: write tumble(relation, time, INTERVAL 'size')
        > SELECT * FROM tumble(trips, day, INTERVAL '1 day')
        error: windows of time are of a TIMESTAMPTZ or a TIMESTAMP
        > SELECT * FROM tumble(trips, at, INTERVAL '1 month')
        error: windows have a fixed length, which months have not: group by date_trunc('month', time) instead
        > SELECT * FROM tumble(trips, at, INTERVAL '0 days')
        error: the length of a window is at least one microsecond, and a multiple of it
        > SELECT * FROM hop(trips, at, INTERVAL '1 second', INTERVAL '1 year')
        error: windows have a fixed length, which months have not: group by date_trunc('month', time) instead
        > SELECT * FROM hop(trips, at, INTERVAL '1 second', INTERVAL '100 days')
        error: a row would be in more than 1440 windows: let them slide farther
        > SELECT * FROM tumble((SELECT * FROM trips), at, INTERVAL '1 day')
        error: (SELECT * FROM trips) is not the name of a relation (one made by a query is named in WITH): write tumble(relation, time, INTERVAL 'size')
        > SELECT * FROM tumble(nothing, at, INTERVAL '1 day')
        error: there is no topic, entity or view nothing
    "#]].assert_eq(&said);
}

#[test]
fn unnested_lists() {
    let bank = Bank::new();
    let said = bank.script(&[
        "CREATE TOPIC t (id BIGINT NOT NULL, a TEXT, b TEXT)",
        "CREATE MATERIALIZED VIEW items AS SELECT id, unnest(make_array(a, b, 'c')) AS item FROM t",
        "CREATE MATERIALIZED VIEW words AS SELECT id, unnest(string_to_array(a, ' ')) AS word, unnest(make_array(1, 2)) AS n FROM t",
        "INSERT INTO t VALUES (1, 'one two three', 'b'), (2, NULL, NULL)",
        "SELECT * FROM items ORDER BY 1, 2",
        "SELECT * FROM words ORDER BY 1, 2",
        "SELECT id, unnest(string_to_array(a, ' ')) AS word, unnest(make_array(1, 2)) AS n FROM t ORDER BY 1, 2",
        "CREATE MATERIALIZED VIEW x AS SELECT unnest(make_array(make_array(1))) AS item FROM t",
        "CREATE MATERIALIZED VIEW x AS SELECT unnest(named_struct('a', id)) FROM t",
    ]);
    expect![[r#"
        > CREATE TOPIC t (id BIGINT NOT NULL, a TEXT, b TEXT)
        CREATE TOPIC t at 1
        > CREATE MATERIALIZED VIEW items AS SELECT id, unnest(make_array(a, b, 'c')) AS item FROM t
        CREATE MATERIALIZED VIEW items at 2
        > CREATE MATERIALIZED VIEW words AS SELECT id, unnest(string_to_array(a, ' ')) AS word, unnest(make_array(1, 2)) AS n FROM t
        CREATE MATERIALIZED VIEW words at 3
        > INSERT INTO t VALUES (1, 'one two three', 'b'), (2, NULL, NULL)
        inserted | position
        2 | 5
        > SELECT * FROM items ORDER BY 1, 2
        id | item
        1 | b
        1 | c
        1 | one two three
        2 | c
        2 | NULL
        2 | NULL
        > SELECT * FROM words ORDER BY 1, 2
        id | word | n
        1 | one | 1
        1 | three | NULL
        1 | two | 2
        2 | NULL | 1
        2 | NULL | 2
        > SELECT id, unnest(string_to_array(a, ' ')) AS word, unnest(make_array(1, 2)) AS n FROM t ORDER BY 1, 2
        id | word | n
        1 | one | 1
        1 | three | NULL
        1 | two | 2
        2 | NULL | 1
        2 | NULL | 2
        > CREATE MATERIALIZED VIEW x AS SELECT unnest(make_array(make_array(1))) AS item FROM t
        error: column item is BIGINT[], which no view keeps: cast it
        > CREATE MATERIALIZED VIEW x AS SELECT unnest(named_struct('a', id)) FROM t
        error: unnest of what is no list of values cannot be kept up to date: keep the rows that it is of in a view, and ask for it in queries of that view
    "#]].assert_eq(&said);
}

#[test]
fn variances_are_exact() {
    let bank = Bank::new();
    let said = bank.script(&[
        "CREATE TOPIC t (k BIGINT NOT NULL, n BIGINT, v DECIMAL(18,2), d DOUBLE)",
        "CREATE MATERIALIZED VIEW kept AS SELECT k, stddev(v) AS s, stddev_pop(n) AS p, var_samp(v) AS v, var_pop(DISTINCT n) AS w, stddev_samp(v) FILTER (WHERE n > 2) AS f FROM t GROUP BY k",
        "INSERT INTO t VALUES (1, 2, 2, 2), (1, 4, 4, 4), (1, 4, 4, 4), (1, 4, 4, 4), (1, 5, 5, 5), (1, 5, 5, 5), (1, 7, 7, 7), (1, 9, 9, 9), (2, NULL, 0.01, 0)",
        "SELECT * FROM kept ORDER BY k",
        "SELECT k, stddev(v) AS s, stddev_pop(n) AS p, var_samp(v) AS v, var_pop(DISTINCT n) AS w, stddev_samp(v) FILTER (WHERE n > 2) AS f FROM t GROUP BY k ORDER BY k",
        "SELECT stddev(d), round(stddev(v), 2), stddev(v) * 2 AS twice, stddev(1.5 * d) FROM t WHERE k = 1",
        "SELECT n, stddev_pop(v) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS moving FROM t WHERE k = 1 AND n > 4 ORDER BY n",
        "SELECT stddev('a')",
        "CREATE MATERIALIZED VIEW x AS SELECT stddev(d) FROM t",
    ]);
    expect![[r#"
        > CREATE TOPIC t (k BIGINT NOT NULL, n BIGINT, v DECIMAL(18,2), d DOUBLE)
        CREATE TOPIC t at 1
        > CREATE MATERIALIZED VIEW kept AS SELECT k, stddev(v) AS s, stddev_pop(n) AS p, var_samp(v) AS v, var_pop(DISTINCT n) AS w, stddev_samp(v) FILTER (WHERE n > 2) AS f FROM t GROUP BY k
        CREATE MATERIALIZED VIEW kept at 2
        > INSERT INTO t VALUES (1, 2, 2, 2), (1, 4, 4, 4), (1, 4, 4, 4), (1, 4, 4, 4), (1, 5, 5, 5), (1, 5, 5, 5), (1, 7, 7, 7), (1, 9, 9, 9), (2, NULL, 0.01, 0)
        inserted | position
        9 | 11
        > SELECT * FROM kept ORDER BY k
        k | s | p | v | w | f
        1 | 2.138089935299 | 2.000000000000 | 4.571428571429 | 5.840000000000 | 1.902379462423
        2 | NULL | NULL | NULL | NULL | NULL
        > SELECT k, stddev(v) AS s, stddev_pop(n) AS p, var_samp(v) AS v, var_pop(DISTINCT n) AS w, stddev_samp(v) FILTER (WHERE n > 2) AS f FROM t GROUP BY k ORDER BY k
        k | s | p | v | w | f
        1 | 2.138089935299 | 2.000000000000 | 4.571428571429 | 5.840000000000 | 1.902379462423
        2 | NULL | NULL | NULL | NULL | NULL
        > SELECT stddev(d), round(stddev(v), 2), stddev(v) * 2 AS twice, stddev(1.5 * d) FROM t WHERE k = 1
        stddev(d) | round(stddev(v), 2) | twice | stddev(1.5 * d)
        2.138089935299395 | 2.14 | 4.276179870598 | 3.2071349029490928
        > SELECT n, stddev_pop(v) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS moving FROM t WHERE k = 1 AND n > 4 ORDER BY n
        n | moving
        5 | 0.000000000000
        5 | 0.000000000000
        7 | 1.000000000000
        9 | 1.000000000000
        > SELECT stddev('a')
        error: stddev takes one number
        > CREATE MATERIALIZED VIEW x AS SELECT stddev(d) FROM t
        error: stddev of DOUBLE cannot be kept up to date: CAST it to a DECIMAL
    "#]].assert_eq(&said);
}
