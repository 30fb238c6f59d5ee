//! Rows that are expected beside rows that are found: equal in value, whatever they are written like.
//!
//! Of each row only the columns that are named are compared. `80`, `80.00` and `8e1` are one number, two texts of one
//! instant one TIMESTAMPTZ.

use recount_store::time::{format_rfc3339, parse_rfc3339};
use serde_json::{Map, Value};

/// Rows as they are found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Names and types of the columns.
    pub(super) columns: Vec<(String, String)>,
    pub(super) rows: Vec<Vec<Value>>,
}

/// Longer lists are not put beside each other in the best of all ways.
const ROWS_ALIGNED_MAX: usize = 1_000;

/// Compares rows; in their order, or in any. Returns nothing if they are equal, else the lines of a comparison: those of
/// both, `-` before what is expected alone, `+` before what is found alone. An error if a name is no column.
pub(super) fn differences(
    expected: &[Map<String, Value>],
    found: &Found,
    ordered: bool,
) -> Result<Vec<String>, String> {
    let columns = match expected.first() {
        Some(row) => named(row, found)?,
        None => (0..found.columns.len()).map(|at| (found.columns[at].0.clone(), at)).collect(),
    };
    let wanted: Vec<Shown> =
        expected.iter().map(|row| Shown::of(&columns, found, |name, _| row.get(name))).collect();
    let there: Vec<Shown> =
        found.rows.iter().map(|row| Shown::of(&columns, found, |_, at| row.get(at))).collect();
    let lines = if ordered { aligned(&wanted, &there) } else { matched(&wanted, &there) };
    Ok(if lines.iter().all(|(sign, _)| *sign == ' ') {
        Vec::new()
    } else {
        lines.into_iter().map(|(sign, row)| format!("{sign} {}", row.text)).collect()
    })
}

/// The columns that a row names, in their order: the name as it is written, and which column it is.
fn named(row: &Map<String, Value>, found: &Found) -> Result<Vec<(String, usize)>, String> {
    let mut columns = Vec::new();
    for name in row.keys() {
        let is = |wanted: &str| found.columns.iter().position(|(column, _)| column == wanted);
        let at = is(name).or_else(|| is(&name.to_ascii_lowercase())).ok_or_else(|| {
            let known: Vec<&str> = found.columns.iter().map(|(column, _)| column.as_str()).collect();
            format!("there is no column {name}: there are {}", known.join(", "))
        })?;
        columns.push((name.clone(), at));
    }
    columns.sort_by_key(|(_, at)| *at);
    Ok(columns)
}

/// A row as it is compared, and as it is printed.
#[derive(Debug)]
struct Shown {
    compared: Vec<String>,
    text: String,
}

impl Shown {
    fn of<'a>(
        columns: &[(String, usize)],
        found: &Found,
        value: impl Fn(&str, usize) -> Option<&'a Value>,
    ) -> Shown {
        let (mut compared, mut members) = (Vec::new(), Vec::new());
        for (name, at) in columns {
            let value = value(name, *at).unwrap_or(&Value::Null);
            let (column, column_type) = &found.columns[*at];
            compared.push(canonical(value, column_type));
            members.push(format!("{}:{value}", Value::from(column.as_str())));
        }
        Shown { compared, text: format!("{{{}}}", members.join(",")) }
    }
}

/// Rows in any order: each expected one is found once.
fn matched<'a>(expected: &'a [Shown], found: &'a [Shown]) -> Vec<(char, &'a Shown)> {
    let mut left: Vec<Option<&Shown>> = found.iter().map(Some).collect();
    let mut lines = Vec::new();
    for row in expected {
        let at = left.iter().position(|other| other.is_some_and(|other| other.compared == row.compared));
        lines.push((if at.is_some() { ' ' } else { '-' }, row));
        if let Some(at) = at {
            left[at] = None;
        }
    }
    lines.extend(left.into_iter().flatten().map(|row| ('+', row)));
    lines
}

/// Rows in their order: the longest sequence that both have stays as it is.
fn aligned<'a>(expected: &'a [Shown], found: &'a [Shown]) -> Vec<(char, &'a Shown)> {
    let same = |(a, b): (&Shown, &Shown)| a.compared == b.compared;
    let head = expected.iter().zip(found).take_while(|(a, b)| same((a, b))).count();
    let (wanted, there) = (&expected[head..], &found[head..]);
    let mut lines: Vec<(char, &Shown)> = expected[..head].iter().map(|row| (' ', row)).collect();
    if wanted.len().max(there.len()) > ROWS_ALIGNED_MAX {
        lines.extend(wanted.iter().map(|row| ('-', row)));
        lines.extend(there.iter().map(|row| ('+', row)));
        return lines;
    }
    // How long the sequence is from a row of each on.
    let width = there.len() + 1;
    let mut lengths = vec![0u32; (wanted.len() + 1) * width];
    for a in (0..wanted.len()).rev() {
        for b in (0..there.len()).rev() {
            lengths[a * width + b] = if same((&wanted[a], &there[b])) {
                lengths[(a + 1) * width + b + 1] + 1
            } else {
                lengths[(a + 1) * width + b].max(lengths[a * width + b + 1])
            };
        }
    }
    let (mut a, mut b) = (0, 0);
    while a < wanted.len() || b < there.len() {
        if a < wanted.len() && b < there.len() && same((&wanted[a], &there[b])) {
            lines.push((' ', &wanted[a]));
            (a, b) = (a + 1, b + 1);
        } else if b == there.len()
            || (a < wanted.len() && lengths[(a + 1) * width + b] >= lengths[a * width + b + 1])
        {
            lines.push(('-', &wanted[a]));
            a += 1;
        } else {
            lines.push(('+', &there[b]));
            b += 1;
        }
    }
    lines
}

/// One text for all ways to write a value of a column's type.
fn canonical(value: &Value, column_type: &str) -> String {
    match value {
        Value::Number(number) if column_type == "DOUBLE" => number
            .to_string()
            .parse::<f64>()
            .map_or(number.to_string(), |number| format!("{:?}", number + 0.0)),
        Value::Number(number) => number_text(&number.to_string()),
        Value::String(text) if column_type == "TIMESTAMPTZ" => {
            let time = parse_rfc3339(text).map(format_rfc3339);
            Value::from(time.unwrap_or_else(|_| text.clone())).to_string()
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| canonical(value, column_type)).collect();
            format!("[{}]", values.join(","))
        }
        Value::Object(members) => {
            let mut members: Vec<String> = members
                .iter()
                .map(|(name, value)| {
                    format!("{}:{}", Value::from(name.as_str()), canonical(value, column_type))
                })
                .collect();
            members.sort();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}

/// A number in JSON as its digits without zeros at the ends, and a power of ten.
fn number_text(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (digits, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let Ok(exponent) = exponent.parse::<i64>() else { return text.to_owned() };
    let all = format!("{whole}{part}");
    let short = all.trim_end_matches('0');
    let exponent =
        exponent.saturating_add((all.len() - short.len()) as i64).saturating_sub(part.len() as i64);
    match short.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => format!("{sign}{digits}e{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn found(rows: &str) -> Found {
        let column = |name: &str, column_type: &str| (name.to_owned(), column_type.to_owned());
        let columns =
            vec![column("id", "BIGINT"), column("balance", "DECIMAL(18,2)"), column("at", "TIMESTAMPTZ")];
        Found { columns, rows: serde_json::from_str(rows).unwrap() }
    }

    fn check(expected: &str, rows: &str, ordered: bool, expect: Expect) {
        let expected: Vec<Map<String, Value>> = serde_json::from_str(expected).unwrap();
        let said = match differences(&expected, &found(rows), ordered) {
            Ok(lines) => lines.join("\n"),
            Err(error) => error,
        };
        expect.assert_eq(&said);
    }

    #[test]
    fn numbers_and_instants_are_equal_in_value() {
        for same in ["80", "80.00", "80.0000", "8e1", "0.8E+2", "800e-1"] {
            assert_eq!(number_text(same), "8e1");
        }
        for (text, expected) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("-0.05", "-5e-2"),
            ("12345678901234567890.10", "123456789012345678901e-1"),
        ] {
            assert_eq!(number_text(text), expected);
        }
        let rows = r#"[[1, 80.00, "2023-12-13T12:00:00Z"]]"#;
        check(
            r#"[{"balance": 80, "at": "2023-12-13T13:00:00.0+01:00", "id": 1.0}]"#,
            rows,
            true,
            expect![[""]],
        );
        check(r#"[{"Balance": 80}]"#, rows, true, expect![[""]]);
        check(r#"[{}]"#, rows, true, expect![[""]]);
        check(
            r#"[{"balance": "80.00", "id": 2}]"#,
            rows,
            true,
            expect![[r#"
            - {"id":2,"balance":"80.00"}
            + {"id":1,"balance":80.00}"#]],
        );
        check(
            r#"[{"balence": 80}]"#,
            rows,
            true,
            expect!["there is no column balence: there are id, balance, at"],
        );
    }

    #[test]
    fn rows_in_their_order_or_in_any() {
        let rows = r#"[[1, 1, null], [2, 2, null], [3, 3, null]]"#;
        let (turned, other) =
            (r#"[{"id": 2}, {"id": 1}, {"id": 3}]"#, r#"[{"id": 1}, {"id": 1}, {"id": 3}]"#);
        check(turned, rows, false, expect![[""]]);
        check(
            turned,
            rows,
            true,
            expect![[r#"
            - {"id":2}
              {"id":1}
            + {"id":2}
              {"id":3}"#]],
        );
        check(
            other,
            rows,
            false,
            expect![[r#"
              {"id":1}
            - {"id":1}
              {"id":3}
            + {"id":2}"#]],
        );
        check(
            "[]",
            rows,
            false,
            expect![[r#"
            + {"id":1,"balance":1,"at":null}
            + {"id":2,"balance":2,"at":null}
            + {"id":3,"balance":3,"at":null}"#]],
        );
        check(r#"[{"id": 1}]"#, "[]", true, expect![[r#"- {"id":1}"#]]);
    }
}
