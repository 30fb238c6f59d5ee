//! One language: an expression has the same value in the rule of an entity and in a query, or is refused by both.
//! The two evaluators share no code.

use recount_views::Views;

use crate::support::Bench;

const EVENTS: [&str; 7] = [
    r#"{"k": 1, "amount": 100.25, "rate": 0.051234, "n": 7, "m": -3, "note": "Ab", "ok": true, "at": "2023-12-31T23:59:59.999999Z", "day": "2024-02-29", "x": 1.5}"#,
    r#"{"k": 2, "amount": -0.05, "rate": -0.000001, "n": 0, "m": 2, "note": "", "ok": false, "at": "1969-12-31T00:00:00Z", "day": "1900-03-01", "x": -0.0}"#,
    r#"{"k": 3, "amount": 9999999999999999.99, "rate": 999.999999, "n": 9223372036854775807, "m": 1, "note": "ÄÖ", "ok": null, "at": "2000-01-01T12:00:00Z", "day": "1970-01-01", "x": 1e300}"#,
    r#"{"k": 4, "amount": 0, "rate": 0, "n": -5, "m": null, "note": null, "ok": true, "at": null, "day": null, "x": null}"#,
    r#"{"k": 5, "amount": null, "rate": 0.5, "n": 3, "m": 3, "note": "ab", "ok": false, "at": "2024-03-31T01:00:00Z", "day": "2023-12-31", "x": 2}"#,
    r#"{"k": 6, "amount": 2.675, "rate": 1, "n": 1, "m": 1, "note": "z", "ok": true, "at": "2024-01-01T00:00:00Z", "day": "2024-01-01", "x": 0.1}"#,
    r#"{"k": 7, "amount": -2.675, "rate": 3, "n": 2, "m": 7, "note": "Zz", "ok": true, "at": "2024-12-30T00:00:00Z", "day": "2024-12-30", "x": 3}"#,
];

/// The type that the state keeps the value as, and the expression.
const EXPRESSIONS: &[(&str, &str)] = &[
    ("DECIMAL(38,3)", "amount + 1"),
    ("DECIMAL(38,6)", "amount - rate"),
    ("DECIMAL(38,9)", "amount * rate"),
    ("DECIMAL(38,3)", "-amount"),
    ("DECIMAL(38,3)", "amount + n"),
    ("DECIMAL(38,3)", "amount * n"),
    ("DECIMAL(38,3)", "amount % 7"),
    ("DECIMAL(38,3)", "amount % (n - 2)"),
    ("DECIMAL(38,12)", "amount / 3"),
    ("DECIMAL(38,12)", "rate / n"),
    ("DECIMAL(38,2)", "round(amount, 2)"),
    ("DECIMAL(38,0)", "round(amount)"),
    ("DECIMAL(38,2)", "round(amount / 3, 2)"),
    ("DECIMAL(38,2)", "round((amount / 3), 2)"),
    ("DECIMAL(38,2)", "round(amount / 3 + 0, 2)"),
    ("DECIMAL(38,2)", "round(amount * rate * days(day, at) / 365, 2)"),
    ("DECIMAL(38,3)", "amount + round(amount * coalesce(rate, 0) * coalesce(days(day, at), 0) / 365, 2)"),
    ("DECIMAL(38,3)", "abs(amount)"),
    ("DECIMAL(38,3)", "coalesce(amount, 0)"),
    ("DECIMAL(38,3)", "nullif(amount, 0)"),
    ("DECIMAL(38,3)", "CASE WHEN amount > 0 THEN amount ELSE 0 END"),
    ("DECIMAL(38,3)", "CASE n WHEN 7 THEN amount WHEN 0 THEN -amount END"),
    ("DECIMAL(38,6)", "greatest(amount, rate)"),
    ("DECIMAL(38,6)", "least(amount, rate, 1)"),
    ("BIGINT", "n + m"),
    ("BIGINT", "n - m"),
    ("BIGINT", "n * m"),
    ("BIGINT", "n / m"),
    ("BIGINT", "n % m"),
    ("BIGINT", "-m"),
    ("BIGINT", "n / (m - 2)"),
    ("BIGINT", "days(day, at)"),
    ("BIGINT", "days(at, day)"),
    ("BIGINT", "length(note)"),
    ("BIGINT", "abs(m)"),
    ("TEXT", "note || '-' || note"),
    ("TEXT", "upper(note)"),
    ("TEXT", "lower(note)"),
    ("TEXT", "CASE WHEN ok THEN note ELSE 'no' END"),
    ("BOOLEAN", "ok AND amount > 0"),
    ("BOOLEAN", "ok OR amount > 0"),
    ("BOOLEAN", "NOT ok"),
    ("BOOLEAN", "ok IS NULL"),
    ("BOOLEAN", "ok IS NOT TRUE"),
    ("BOOLEAN", "ok IS FALSE"),
    ("BOOLEAN", "amount = rate"),
    ("BOOLEAN", "amount <> 2.675"),
    ("BOOLEAN", "amount <= n"),
    ("BOOLEAN", "n BETWEEN m AND 5"),
    ("BOOLEAN", "n NOT BETWEEN m AND 5"),
    ("BOOLEAN", "n IN (1, 2, m)"),
    ("BOOLEAN", "n NOT IN (1, 2, m)"),
    ("BOOLEAN", "note < 'b'"),
    ("BOOLEAN", "note IN ('z', 'ab')"),
    ("BOOLEAN", "at >= '2024-01-01T00:00:00Z'"),
    ("BOOLEAN", "day < '2024-01-01'"),
    ("BOOLEAN", "x > 0.1"),
    ("BOOLEAN", "x = 0"),
    ("DOUBLE", "x + 1"),
    ("DOUBLE", "x * x"),
    ("DOUBLE", "x / 3"),
    ("DOUBLE", "-x"),
    ("DOUBLE", "CAST(amount AS DOUBLE) * x"),
    ("DATE", "CAST(at AS DATE)"),
    ("TIMESTAMPTZ", "date_trunc('day', at)"),
    ("TIMESTAMPTZ", "date_trunc('week', at)"),
    ("TIMESTAMPTZ", "date_trunc('month', at)"),
    ("TIMESTAMPTZ", "date_trunc('quarter', at)"),
    ("TIMESTAMPTZ", "date_trunc('year', at)"),
    ("TIMESTAMPTZ", "date_trunc('hour', at)"),
];

fn bench() -> (Bench, Views) {
    let (bench, views) = Bench::with_entities();
    views
        .execute(
            "CREATE TOPIC t (k BIGINT NOT NULL, amount DECIMAL(20,3), rate DECIMAL(9,6), n BIGINT, m BIGINT, note TEXT,
               ok BOOLEAN, at TIMESTAMPTZ, day DATE, x DOUBLE) KEY (k)",
        )
        .unwrap();
    for event in EVENTS {
        bench.append("t", event);
    }
    (bench, views)
}

/// What a query says of one row; an error is only that.
fn value(bench: &Bench, sql: &str) -> String {
    let answer = bench.sql(sql);
    let lines: Vec<&str> = answer.lines().collect();
    match lines.as_slice() {
        [error] if error.starts_with("error: ") => "error".to_owned(),
        [_, error] if error.starts_with("error: ") => "error".to_owned(),
        [_, value] => plain(value),
        other => panic!("{sql}: {other:?}"),
    }
}

/// The value without zeros behind the point, which a type may have more of.
fn plain(value: &str) -> String {
    let is_decimal = value.contains('.') && value.chars().all(|c| c.is_ascii_digit() || "-.".contains(c));
    let value = if is_decimal { value.trim_end_matches('0').trim_end_matches('.') } else { value };
    if value == "-0" { "0".to_owned() } else { value.to_owned() }
}

#[test]
fn an_expression_means_the_same_in_a_rule_and_in_a_query() {
    let (bench, views) = bench();
    let mut differing = Vec::new();
    for (column_type, expression) in EXPRESSIONS {
        let declared = views.execute(&format!(
            "CREATE ENTITY e FROM t STATE (s {column_type}) WHEN ANY THEN SET s = {expression}"
        ));
        if let Err(error) = declared {
            differing.push(format!("{expression}: refused by the rule: {error}"));
            continue;
        }
        for k in 1..=EVENTS.len() {
            let of_rule = value(&bench, &format!("SELECT s FROM e WHERE k = {k}"));
            let of_query = value(&bench, &format!("SELECT {expression} AS s FROM t WHERE k = {k}"));
            if of_rule != of_query {
                differing.push(format!(
                    "{expression} of event {k}: {of_rule} in the rule, {of_query} in the query"
                ));
            }
        }
        views.execute("DROP ENTITY e").unwrap();
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
