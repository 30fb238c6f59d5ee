//! Arithmetic on decimals.

use expect_test::expect;

use crate::support::Bench;

#[test]
fn decimals_are_exact() {
    let bench = Bench::bank();
    expect![[]].assert_eq(&bench.script(&[
        "SELECT 0.1 + 0.2, 0.1 * 0.2, 1.00 - 3, 7.5 % 2, -7.5 % 2, 1.0 / 3, 2.0 / 3, -2.0 / 3",
        "SELECT round(0.125, 2), round(-0.125, 2), round(0.124, 2), round(1234.5), round(1250.0, -2), round(5, -1), round(1.5, 4)",
        "SELECT round(1.0 / 3, 2), round((2.0 / 3), 2), round(1 / 2), round(0.0000000000005 / 1, 12), round(CAST(1 AS DOUBLE) / 3, 2)",
        "SELECT round(100.00 * 0.035 * 31 / 365, 2) AS interest",
        "SELECT sum(amount), avg(amount), sum(accountid), sum(amount * amount), sum(CAST(amount AS DOUBLE)) FROM transactions",
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
    expect![[]].assert_eq(&bench.script(&[
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
    expect![[]].assert_eq(&bench.script(&[
        "SELECT days(TIMESTAMPTZ '2023-12-31T23:59:59Z', TIMESTAMPTZ '2024-01-01T00:00:00Z'), days(DATE '2024-03-01', DATE '2024-02-28')",
        "SELECT days(NULL, now()), days(TIMESTAMPTZ '1969-12-31T23:00:00Z', TIMESTAMPTZ '1970-01-01T01:00:00+01:00')",
        "SELECT days(timestamp, _append_time) FROM transactions",
        "SELECT days('2024-01-01', now())",
        "SELECT days(now())",
    ]));
}
