//! The records of a `.slt` file: statements and queries, each with its line and what is expected of it.

use std::iter::{Peekable, from_fn};

use anyhow::{Result, bail, ensure};

/// One record.
#[derive(Debug)]
pub(crate) struct Record {
    /// Where its first line is, from 1.
    pub(crate) line: usize,
    pub(crate) sql: String,
    pub(crate) what: What,
}

/// What kind of record it is.
#[derive(Debug)]
pub(crate) enum What {
    /// Something is done, whatever it answers.
    Statement { fails: bool },
    /// A query that is refused.
    Refused,
    /// A query, a letter a column, and the lines that are expected.
    Query { columns: String, sort: Sort, expected: Vec<String> },
}

/// How rows are put in order before they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    No,
    Rows,
    Values,
}

/// Reads a file.
pub(crate) fn parse(text: &str) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line)).peekable();
    while let Some((line, head)) = lines.next() {
        let words: Vec<&str> = head.split_whitespace().collect();
        let what = match words[..] {
            [] | ["include" | "subtest" | "halt" | "hash-threshold", ..] => continue,
            [word, ..] if word.starts_with('#') => continue,
            ["statement", kind, ..] => What::Statement { fails: kind == "error" },
            ["query", "error", ..] => What::Refused,
            ["query", columns, ref sort @ ..] => {
                let sort = match sort {
                    [] | ["nosort"] => Sort::No,
                    ["rowsort", ..] => Sort::Rows,
                    ["valuesort", ..] => Sort::Values,
                    other => bail!("line {line}: sorted by {other:?}"),
                };
                What::Query { columns: columns.to_owned(), sort, expected: Vec::new() }
            }
            _ => bail!("line {line}: what is `{head}`?"),
        };
        let mut sql = block(&mut lines);
        let what = match (what, sql.iter().position(|line| line.trim_end() == "----")) {
            (What::Query { columns, sort, .. }, Some(at)) => {
                let expected = sql.split_off(at).into_iter().skip(1);
                let expected = expected.map(|line| line.trim_end().to_owned()).collect();
                What::Query { columns, sort, expected }
            }
            (what, Some(at)) => {
                sql.truncate(at);
                what
            }
            (what, None) => what,
        };
        let sql = sql.join("\n");
        let sql = sql.trim().trim_end_matches(';').to_owned();
        ensure!(!sql.is_empty(), "line {line}: a record without SQL");
        records.push(Record { line, sql, what });
    }
    Ok(records)
}

/// The lines up to an empty one.
fn block<'a>(lines: &mut Peekable<impl Iterator<Item = (usize, &'a str)>>) -> Vec<String> {
    from_fn(|| lines.next_if(|(_, line)| !line.trim_end().is_empty()))
        .map(|(_, line)| line.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_records() {
        let text = "# a comment\n\nstatement ok\nCREATE TABLE t(a INT)\nAS VALUES (1);\n\nquery IT rowsort\nSELECT a, 'x'\nFROM t\n----\n1 x\n\n\
                    query error DataFusion error\nSELECT b FROM t\n\nquery I\nSELECT a FROM t WHERE false;\n----\n\nstatement error\nDROP TABLE u\n";
        let records = parse(text).unwrap();
        let lines: Vec<usize> = records.iter().map(|record| record.line).collect();
        assert_eq!(lines, [3, 7, 13, 16, 20]);
        assert_eq!(records[0].sql, "CREATE TABLE t(a INT)\nAS VALUES (1)");
        let What::Query { columns, sort, expected } = &records[1].what else { panic!("{records:?}") };
        assert_eq!((columns.as_str(), *sort, &expected[..]), ("IT", Sort::Rows, &["1 x".to_owned()][..]));
        assert!(matches!(records[2].what, What::Refused));
        assert!(matches!(&records[3].what, What::Query { expected, .. } if expected.is_empty()));
        assert!(matches!(records[4].what, What::Statement { fails: true }));
        assert!(parse("query I sorted\nSELECT 1\n").is_err());
        assert!(parse("surprise\n").is_err());
    }
}
