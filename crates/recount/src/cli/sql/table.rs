//! Rows as a table for a person, numbers to the right.

use std::io::{self, Write};

use serde_json::Value;

/// A cell is cut after so many characters.
const CELL_CHARS_MAX: usize = 120;

/// Writes an answer in JSON as a table.
pub(super) fn write(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    let none = Vec::new();
    let list = |member: &str| answer.get(member).and_then(Value::as_array).unwrap_or(&none);
    let text = |value: &Value, member: &str| {
        value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let columns = list("columns");
    let names: Vec<String> = columns.iter().map(|column| text(column, "name")).collect();
    let right: Vec<bool> = columns.iter().map(|column| is_number(&text(column, "type"))).collect();
    let rows: Vec<Vec<String>> =
        list("rows").iter().map(|row| row.as_array().unwrap_or(&none).iter().map(cell).collect()).collect();
    let mut widths: Vec<usize> = names.iter().map(|name| name.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut line = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .zip(&right)
            .map(
                |((cell, width), right)| {
                    if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                },
            )
            .collect();
        writeln!(out, "{}", padded.join("  ").trim_end())
    };
    line(&names)?;
    line(&widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>())?;
    for row in &rows {
        line(row)?;
    }
    let count = rows.len();
    let notices = list("notices");
    let said = notices.iter().any(|notice| notice.as_str().is_some_and(|text| text.starts_with("0 rows")));
    if !said {
        writeln!(out, "{count} row{}", if count == 1 { "" } else { "s" })?;
    }
    for notice in notices {
        writeln!(out, "{}", notice.as_str().unwrap_or_default())?;
    }
    Ok(())
}

fn is_number(type_name: &str) -> bool {
    ["SMALLINT", "INT", "BIGINT", "DECIMAL", "DOUBLE"].iter().any(|number| type_name.starts_with(number))
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace('\n', "⏎"),
        other => other.to_string(),
    };
    if text.chars().count() <= CELL_CHARS_MAX {
        return text;
    }
    text.chars().take(CELL_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_table() {
        let answer = serde_json::json!({
            "columns": [{ "name": "id", "type": "BIGINT" }, { "name": "note", "type": "TEXT" }],
            "rows": [[1, "a"], [-20, null], [3, "x".repeat(200)]],
            "notices": ["careful"],
        });
        let mut out = Vec::new();
        write(&mut out, &answer).unwrap();
        let text =
            String::from_utf8(out).unwrap().replace(&"x".repeat(119), "xxx").replace(&"─".repeat(120), "───");
        expect![[r#"
             id  note
            ───  ───
              1  a
            -20
              3  xxx…
            3 rows
            careful
        "#]]
        .assert_eq(&text);
    }
}
