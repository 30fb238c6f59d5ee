//! Arithmetic on decimals.

use expect_test::expect;

use crate::support::Bench;

#[test]
fn decimals_are_exact() {
    let bench = Bench::bank();
    expect![[r#"
        > SELECT 0.1 + 0.2, 0.1 * 0.2, 1.00 - 3, 7.5 % 2, -7.5 % 2, 1.0 / 3, 2.0 / 3, -2.0 / 3
        0.1 + 0.2 | 0.1 * 0.2 | 1.00 - 3 | 7.5 % 2 | -7.5 % 2 | 1.0 / 3 | 2.0 / 3 | -2.0 / 3
        0.3 | 0.02 | -2.00 | 1.5 | -1.5 | 0.333333333333 | 0.666666666667 | -0.666666666667
        > SELECT round(0.125, 2), round(-0.125, 2), round(0.124, 2), round(1234.5), round(1250.0, -2), round(5, -1), round(1.5, 4)
        round(0.125, 2) | round(-0.125, 2) | round(0.124, 2) | round(1234.5) | round(1250.0, -2) | round(5, -1) | round(1.5, 4)
        0.13 | -0.13 | 0.12 | 1235 | 1300 | 10 | 1.5000
        > SELECT round(1.0 / 3, 2), round((2.0 / 3), 2), round(1 / 2), round(0.0000000000005 / 1, 12), round(CAST(1 AS DOUBLE) / 3, 2)
        round(1.0 / 3, 2) | round((2.0 / 3), 2) | round(1 / 2) | round(0.0000000000005 / 1, 12) | round(CAST(1 AS DOUBLE) / 3, 2)
        0.33 | 0.67 | 0 | 0.000000000001 | 0.33
        > SELECT round(100.00 * 0.035 * 31 / 365, 2) AS interest
        interest
        0.30
        > SELECT sum(amount), avg(amount), sum(accountid), sum(amount * amount), sum(CAST(amount AS DOUBLE)) FROM transactions
        sum(amount) | avg(amount) | sum(accountid) | sum(amount * amount) | sum(CAST(amount AS DOUBLE))
        87.25 | 29.083333333333 | 4 | 10452.5625 | 87.25
        > SELECT avg(x), round(avg(x), 2), avg(DISTINCT x), avg(x) FILTER (WHERE x > 5), avg(-x) FROM (VALUES (0.01), (0.01), (0.02), (0.01)) AS v (x)
        avg(x) | round(avg(x), 2) | avg(DISTINCT x) | avg(x) FILTER (WHERE x > 5) | avg(-x)
        0.012500000000 | 0.01 | 0.015000000000 | NULL | -0.012500000000
        > SELECT avg(n), round(avg(n)), avg(CAST(n AS DOUBLE)), avg(n) + 1 AS more FROM (VALUES (1), (2), (2)) AS v (n) HAVING avg(n) > 1 ORDER BY avg(n)
        avg(n) | round(avg(n)) | avg(CAST(n AS DOUBLE)) | more
        1.666666666667 | 2 | 1.6666666666666667 | 2.666666666667
        > SELECT count(n), count(CAST(n AS DOUBLE)), count(CAST(n AS TEXT)), count(DISTINCT CAST(n AS TEXT)) FROM (VALUES (1), (2), (2)) AS v (n)
        count(n) | count(CAST(n AS DOUBLE)) | count(CAST(n AS TEXT)) | count(DISTINCT CAST(n AS TEXT))
        3 | 3 | 3 | 2
        > SELECT x, avg(x) OVER (ORDER BY x ROWS UNBOUNDED PRECEDING) AS running FROM (VALUES (1.0), (1.0), (3.0)) AS v (x)
        x | running
        1.0 | 1.000000000000
        1.0 | 1.000000000000
        3.0 | 1.666666666667
        > SELECT avg(x) FROM (VALUES ('a')) AS v (x)
        error: SUM and AVG take numbers, not TEXT
        > SELECT round(avg(x), 3) FROM (VALUES (0.0044999999999996), (0.0045)) AS v (x)
        round(avg(x), 3)
        0.004
        > SELECT amount, sum(amount) OVER (ORDER BY _position) AS running FROM transactions
        amount | running
        100.00 | 100.00
        -20.00 | 80.00
        7.25 | 87.25
        > SELECT accountid, sum(amount) FROM transactions GROUP BY accountid HAVING sum(amount) > 50 ORDER BY sum(amount)
        accountid | sum(amount)
        1 | 80.00
        > SELECT sum(x) FROM (VALUES (99999999999999999999999999999999999999), (99999999999999999999999999999999999999)) AS v (x)
        sum(x)
        199999999999999999999999999999999999998
        > SELECT sum(x) FROM (VALUES (9223372036854775807), (9223372036854775807)) AS v (x)
        sum(x)
        18446744073709551614
        > SELECT amount FROM transactions WHERE amount * 2 = 14.5
        amount
        7.25
        > SELECT amount FROM transactions WHERE amount > 7.2 AND amount < 50
        amount
        7.25
        > SELECT coalesce(NULL, 1.5) + 1, NULL + 1.5, CASE WHEN true THEN 1.5 ELSE 2 END * 3
        coalesce(NULL, 1.5) + 1 | NULL + 1.5 | CASE WHEN true THEN 1.5 ELSE 2 END * 3
        2.5 | NULL | 4.5
    "#]].assert_eq(&bench.script(&[
        "SELECT 0.1 + 0.2, 0.1 * 0.2, 1.00 - 3, 7.5 % 2, -7.5 % 2, 1.0 / 3, 2.0 / 3, -2.0 / 3",
        "SELECT round(0.125, 2), round(-0.125, 2), round(0.124, 2), round(1234.5), round(1250.0, -2), round(5, -1), round(1.5, 4)",
        "SELECT round(1.0 / 3, 2), round((2.0 / 3), 2), round(1 / 2), round(0.0000000000005 / 1, 12), round(CAST(1 AS DOUBLE) / 3, 2)",
        "SELECT round(100.00 * 0.035 * 31 / 365, 2) AS interest",
        "SELECT sum(amount), avg(amount), sum(accountid), sum(amount * amount), sum(CAST(amount AS DOUBLE)) FROM transactions",
        "SELECT avg(x), round(avg(x), 2), avg(DISTINCT x), avg(x) FILTER (WHERE x > 5), avg(-x) FROM (VALUES (0.01), (0.01), (0.02), (0.01)) AS v (x)",
        "SELECT avg(n), round(avg(n)), avg(CAST(n AS DOUBLE)), avg(n) + 1 AS more FROM (VALUES (1), (2), (2)) AS v (n) HAVING avg(n) > 1 ORDER BY avg(n)",
        "SELECT count(n), count(CAST(n AS DOUBLE)), count(CAST(n AS TEXT)), count(DISTINCT CAST(n AS TEXT)) FROM (VALUES (1), (2), (2)) AS v (n)",
        "SELECT x, avg(x) OVER (ORDER BY x ROWS UNBOUNDED PRECEDING) AS running FROM (VALUES (1.0), (1.0), (3.0)) AS v (x)",
        "SELECT avg(x) FROM (VALUES ('a')) AS v (x)",
        "SELECT round(avg(x), 3) FROM (VALUES (0.0044999999999996), (0.0045)) AS v (x)",
        "SELECT amount, sum(amount) OVER (ORDER BY _position) AS running FROM transactions",
        "SELECT accountid, sum(amount) FROM transactions GROUP BY accountid HAVING sum(amount) > 50 ORDER BY sum(amount)",
        "SELECT sum(x) FROM (VALUES (99999999999999999999999999999999999999), (99999999999999999999999999999999999999)) AS v (x)",
        "SELECT sum(x) FROM (VALUES (9223372036854775807), (9223372036854775807)) AS v (x)",
        "SELECT amount FROM transactions WHERE amount * 2 = 14.5",
        "SELECT amount FROM transactions WHERE amount > 7.2 AND amount < 50",
        "SELECT coalesce(NULL, 1.5) + 1, NULL + 1.5, CASE WHEN true THEN 1.5 ELSE 2 END * 3",
    ]));
}

#[test]
fn decimals_never_become_doubles_and_never_wrap() {
    let bench = Bench::bank();
    expect![[r#"
        > SELECT amount * CAST(1 AS DOUBLE) FROM transactions
        error: transactions.amount * CAST(Int64(1) AS Float64): a DECIMAL never becomes a DOUBLE by itself, CAST one of them to the type of the other
        > SELECT amount FROM transactions WHERE amount > CAST(1 AS DOUBLE)
        error: transactions.amount > CAST(Int64(1) AS Float64): a DECIMAL never becomes a DOUBLE by itself, CAST one of them to the type of the other
        > SELECT amount / 0 FROM transactions
        error: division by zero
        > SELECT amount % (accountid - accountid) FROM transactions
        error: division by zero
        > SELECT x * x * x FROM (VALUES (99999999999999999999999999999999999999)) AS v (x)
        error: a decimal is too large: the result has more than 76 digits
        > SELECT round(amount, accountid) FROM transactions
        error: round on decimals wants a literal number of digits, as its type depends on it
        > SELECT round('a')
        error: round takes a number, not Utf8
        > SELECT round(1.5 / CAST(1 AS DOUBLE), 2)
        error: a DECIMAL never becomes a DOUBLE by itself, CAST one of them to the type of the other
    "#]].assert_eq(&bench.script(&[
        "SELECT amount * CAST(1 AS DOUBLE) FROM transactions",
        "SELECT amount FROM transactions WHERE amount > CAST(1 AS DOUBLE)",
        "SELECT amount / 0 FROM transactions",
        "SELECT amount % (accountid - accountid) FROM transactions",
        "SELECT x * x * x FROM (VALUES (99999999999999999999999999999999999999)) AS v (x)",
        "SELECT round(amount, accountid) FROM transactions",
        "SELECT round('a')",
        "SELECT round(1.5 / CAST(1 AS DOUBLE), 2)",
    ]));
}

#[test]
fn days_between() {
    let bench = Bench::bank();
    expect![[r#"
        > SELECT days(TIMESTAMPTZ '2023-12-31T23:59:59Z', TIMESTAMPTZ '2024-01-01T00:00:00Z'), days(DATE '2024-03-01', DATE '2024-02-28')
        days(TIMESTAMPTZ '2023-12-31T23:59:59Z', TIMESTAMPTZ '2024-01-01T00:00:00Z') | days(DATE '2024-03-01', DATE '2024-02-28')
        1 | -2
        > SELECT days(NULL, now()), days(TIMESTAMPTZ '1969-12-31T23:00:00Z', TIMESTAMPTZ '1970-01-01T01:00:00+01:00')
        days(NULL, now()) | days(TIMESTAMPTZ '1969-12-31T23:00:00Z', TIMESTAMPTZ '1970-01-01T01:00:00+01:00')
        NULL | 1
        > SELECT days(timestamp, _append_time) FROM transactions
        days(timestamp, _append_time)
        19
        19
        22
        > SELECT days('2024-01-01', now())
        error: days takes two times or dates: days(from, to)
        > SELECT days(now())
        error: days takes two times or dates: days(from, to)
    "#]].assert_eq(&bench.script(&[
        "SELECT days(TIMESTAMPTZ '2023-12-31T23:59:59Z', TIMESTAMPTZ '2024-01-01T00:00:00Z'), days(DATE '2024-03-01', DATE '2024-02-28')",
        "SELECT days(NULL, now()), days(TIMESTAMPTZ '1969-12-31T23:00:00Z', TIMESTAMPTZ '1970-01-01T01:00:00+01:00')",
        "SELECT days(timestamp, _append_time) FROM transactions",
        "SELECT days('2024-01-01', now())",
        "SELECT days(now())",
    ]));
}
