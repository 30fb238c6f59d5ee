//! Rows of an answer beside lines that are expected: values as those who publish the files write them. Their floating-point numbers are
//! rounded to 12 digits behind the point, and one is the same as another if they agree in 12 digits.

use serde_json::Value;

use super::records::Sort;

/// Rows of an answer.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Value>>,
}

/// A column of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) type_name: String,
}

impl Rows {
    /// What `POST /sql` answered.
    pub(crate) fn read(answer: &Value) -> Option<Rows> {
        let text = |column: &Value, name: &str| Some(column.get(name)?.as_str()?.to_owned());
        let column =
            |column: &Value| Some(Column { name: text(column, "name")?, type_name: text(column, "type")? });
        Some(Rows {
            columns: answer.get("columns")?.as_array()?.iter().map(column).collect::<Option<_>>()?,
            rows: answer
                .get("rows")?
                .as_array()?
                .iter()
                .map(|row| row.as_array().cloned())
                .collect::<Option<_>>()?,
        })
    }

    /// Each row as the values are written in such files.
    pub(crate) fn lines(&self) -> Vec<Vec<String>> {
        let line = |row: &Vec<Value>| {
            row.iter().zip(&self.columns).map(|(value, column)| shown(value, &column.type_name)).collect()
        };
        self.rows.iter().map(line).collect()
    }
}

/// A value as it is written in such files.
fn shown(value: &Value, type_name: &str) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => plain(&number.to_string()),
        Value::String(text) => match type_name {
            "DOUBLE" | "REAL" if text == "inf" => "Infinity".to_owned(),
            "DOUBLE" | "REAL" if text == "-inf" => "-Infinity".to_owned(),
            _ if type_name.starts_with("TIMESTAMP") => text.clone(),
            _ if text.is_empty() => "(empty)".to_owned(),
            _ => text.trim_end_matches('\n').replace('\0', "\\0"),
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(nested).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", nested(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// A value in a list: numbers stand as they are.
fn nested(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        other => shown(other, ""),
    }
}

/// A number without exponent, rounded to 12 digits behind the point, and without zeros there.
fn plain(number: &str) -> String {
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
    let point = whole.len() as i64 + exponent.parse::<i64>().unwrap_or(0);
    // One digit a place, from the highest to the twelfth behind the point.
    let at =
        |place: i64| usize::try_from(place).ok().and_then(|place| digits.get(place)).copied().unwrap_or(0);
    let first = point.min(0);
    let mut kept: Vec<u8> = (first..point + 12).map(at).collect();
    if at(point + 12) >= 5 {
        let mut place = kept.len();
        loop {
            if place == 0 {
                kept.insert(0, 1);
                break;
            }
            place -= 1;
            kept[place] += 1;
            if kept[place] < 10 {
                break;
            }
            kept[place] = 0;
        }
    }
    let split = kept.len().saturating_sub(12);
    let text = |digits: &[u8]| digits.iter().map(|digit| char::from(digit + b'0')).collect::<String>();
    let (whole, fraction) = (text(&kept[..split]), format!("{:0>12}", text(&kept[split..])));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative && (whole != "0" || !fraction.is_empty()) { "-" } else { "" };
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

/// How an answer compares to what is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Equal,
    /// The same rows, in another order.
    Reordered,
    Different,
}

/// Compares; `columns` has a letter a column, as the record says.
pub(crate) fn compare(found: &[Vec<String>], expected: &[String], columns: &str, sort: Sort) -> Verdict {
    let mut found: Vec<String> = match sort {
        Sort::Values => found.concat(),
        Sort::No | Sort::Rows => found.iter().map(|row| row.join(" ").trim_end().to_owned()).collect(),
    };
    let mut expected = expected.to_vec();
    if sort != Sort::No {
        found.sort();
        expected.sort();
    }
    if same_lines(&found, &expected, columns) {
        return Verdict::Equal;
    }
    found.sort();
    expected.sort();
    match same_lines(&found, &expected, columns) {
        true if sort == Sort::No => Verdict::Reordered,
        true => Verdict::Equal,
        false => Verdict::Different,
    }
}

fn same_lines(found: &[String], expected: &[String], columns: &str) -> bool {
    let numbers = columns.contains(['R', 'P', '?']);
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| found == expected || numbers && same_words(found, expected))
}

/// Whether two lines have the same words, numbers to 12 digits and times with or without zeros behind.
fn same_words(found: &str, expected: &str) -> bool {
    let words = |line: &str| line.split([' ', ',', '[', ']']).map(str::to_owned).collect::<Vec<_>>();
    let (found, expected) = (words(found), words(expected));
    found.len() == expected.len()
        && found.iter().zip(&expected).all(|(found, expected)| same_word(found, expected))
}

fn same_word(found: &str, expected: &str) -> bool {
    if found == expected {
        return true;
    }
    match (found.parse::<f64>(), expected.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-12 * a.abs().max(b.abs()) || (a - b).abs() < 1e-12,
        _ => time(found).is_some_and(|time_found| Some(time_found) == time(expected)),
    }
}

/// A time of a day without zeros behind its point.
fn time(word: &str) -> Option<&str> {
    let (_, fraction) = word.trim_end_matches('Z').rsplit_once(':')?;
    let word = word.trim_end_matches('Z');
    Some(if fraction.contains('.') { word.trim_end_matches('0').trim_end_matches('.') } else { word })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain() {
        for (number, expected) in [
            ("110.000", "110"),
            ("-0.0", "0"),
            ("1e-7", "0.0000001"),
            ("1.5e3", "1500"),
            ("1.0000000000011", "1.000000000001"),
            ("0.9999999999996", "1"),
            ("-99.9999999999999", "-100"),
            ("1e-13", "0"),
            ("6e-13", "0.000000000001"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
            ("1.7976931348623157e30", "1797693134862315700000000000000"),
            ("0.110", "0.11"),
        ] {
            assert_eq!(plain(number), expected, "{number}");
        }
    }

    #[test]
    fn values_are_written_as_in_the_files() {
        let shown = |json: &str, type_name: &str| shown(&serde_json::from_str(json).unwrap(), type_name);
        assert_eq!(shown("null", "TEXT"), "NULL");
        assert_eq!(shown("\"\"", "TEXT"), "(empty)");
        assert_eq!(shown("\"inf\"", "DOUBLE"), "Infinity");
        assert_eq!(shown("[1, null, \"a b\", [2.5]]", "list"), "[1, NULL, a b, [2.5]]");
        assert_eq!(shown("{\"a\": 1, \"b\": null}", "struct"), "{a: 1, b: NULL}");
    }

    #[test]
    fn rows_are_compared_as_the_record_says() {
        let rows = |rows: &[&[&str]]| {
            rows.iter()
                .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
                .collect::<Vec<Vec<String>>>()
        };
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let found = rows(&[&["2", "b"], &["1", "a"]]);
        assert_eq!(compare(&found, &lines(&["2 b", "1 a"]), "IT", Sort::No), Verdict::Equal);
        assert_eq!(compare(&found, &lines(&["1 a", "2 b"]), "IT", Sort::No), Verdict::Reordered);
        assert_eq!(compare(&found, &lines(&["1 a", "2 b"]), "IT", Sort::Rows), Verdict::Equal);
        assert_eq!(compare(&found, &lines(&["1", "2", "a", "b"]), "IT", Sort::Values), Verdict::Equal);
        assert_eq!(compare(&found, &lines(&["2 b"]), "IT", Sort::No), Verdict::Different);
        let near = |letter, found: &str, expected: &str| {
            compare(&rows(&[&[found]]), &lines(&[expected]), letter, Sort::No) == Verdict::Equal
        };
        assert!(near("R", "0.3000000000001", "0.3"));
        assert!(!near("R", "0.30000000001", "0.3"));
        assert!(!near("I", "1.0", "1"));
        assert!(near("P", "2020-01-01T00:00:00.500000Z", "2020-01-01T00:00:00.500"));
        assert!(!near("P", "2020-01-01T00:00:10", "2020-01-01T00:00:1"));
    }
}
