//! Tables that files create: each becomes a topic, its columns of the same type or of the next wider one that Recount has, and its
//! rows as they are inserted.

use std::collections::BTreeSet;

use super::rules::Rule;
use super::tokens::{Token, closing, parts};

/// A table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// As SQL writes it.
    pub(crate) written: String,
    /// Columns as SQL writes them, with their types here. Empty if they follow from the rows.
    pub(crate) columns: Vec<(String, &'static str, String)>,
    /// Names of columns whose values another type may change.
    pub(crate) other: BTreeSet<String>,
    /// Why there can be no such topic.
    pub(crate) impossible: Option<Rule>,
    pub(crate) rows: Source,
}

/// Where the rows of a table come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    None,
    /// A row each, in parentheses.
    Values(Vec<String>),
    Query(String),
    /// A file, and whether its first line has names.
    Csv {
        location: String,
        header: bool,
    },
}

/// What CREATE TABLE makes, if it is that.
pub(crate) fn create(sql: &str, tokens: &[Token<'_>]) -> Option<Table> {
    let mut at = 1;
    while ["OR", "REPLACE", "UNBOUNDED", "EXTERNAL", "TEMPORARY", "TEMP"]
        .iter()
        .any(|word| tokens.get(at).is_some_and(|t| t.is(word)))
    {
        at += 1;
    }
    let head = &tokens[1..at];
    let external = head.iter().any(|token| token.is("EXTERNAL"));
    let endless = head.iter().any(|token| token.is("UNBOUNDED"));
    if !tokens.first()?.is("CREATE") || !tokens.get(at)?.is("TABLE") {
        return None;
    }
    at += 1;
    if tokens.get(at)?.is("IF") {
        at += 3;
    }
    let name = *tokens.get(at)?;
    let mut table = Table {
        name: name.name()?,
        written: name.text.to_owned(),
        columns: Vec::new(),
        other: BTreeSet::new(),
        impossible: endless.then_some(Rule::Source),
        rows: Source::None,
    };
    at += 1;
    if tokens.get(at).is_some_and(|token| token.is("(")) {
        let end = closing(tokens, at)?;
        for part in parts(&tokens[at + 1..end]) {
            table.add_column(part);
        }
        at = end + 1;
    }
    if external {
        table.read_file(&tokens[at..]);
    } else if let Some(first) = tokens.get(at) {
        let first = if first.is("AS") { tokens.get(at + 1)? } else { first };
        let from = tokens.iter().position(|token| token.at == first.at)?;
        table.rows = source(sql, &tokens[from..]);
    }
    Some(table)
}

/// Rows of `VALUES …`, or a query.
pub(crate) fn source(sql: &str, tokens: &[Token<'_>]) -> Source {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return Source::None;
    };
    let text = |tokens: &[Token<'_>]| match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => sql[first.at..last.end()].to_owned(),
        _ => String::new(),
    };
    let rows = parts(&tokens[1..]);
    let is_row = |row: &&[Token<'_>]| row[0].is("(") && closing(row, 0) == Some(row.len() - 1);
    if first.is("VALUES") && rows.iter().all(is_row) {
        return Source::Values(rows.into_iter().map(text).collect());
    }
    Source::Query(sql[first.at..last.end()].to_owned())
}

impl Table {
    fn add_column(&mut self, part: &[Token<'_>]) {
        if ["PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT", "CHECK"].iter().any(|word| part[0].is(word)) {
            return;
        }
        let Some(name) = part[0].name() else { return };
        let is_end = |token: &Token<'_>| {
            ["NOT", "NULL", "PRIMARY", "UNIQUE", "DEFAULT", "CHECK", "REFERENCES"]
                .iter()
                .any(|word| token.is(word))
        };
        let end = part.iter().position(is_end).unwrap_or(part.len()).max(1);
        let words: Vec<String> = part[1..end].iter().map(|token| token.text.to_ascii_uppercase()).collect();
        let Some((type_name, other)) = of_recount(&words.concat()) else {
            self.impossible = self.impossible.or(Some(Rule::Type));
            return;
        };
        if other {
            self.other.insert(name.clone());
        }
        let not_null = part.windows(2).any(|two| two[0].is("NOT") && two[1].is("NULL"));
        if part[0].text.trim_start_matches('"').starts_with('_') {
            self.impossible = self.impossible.or(Some(Rule::Grammar));
        }
        self.columns.push((part[0].text.to_owned(), if not_null { " NOT NULL" } else { "" }, type_name));
    }

    fn read_file(&mut self, tokens: &[Token<'_>]) {
        let behind =
            |word: &str| tokens.iter().position(|token| token.is(word)).and_then(|at| tokens.get(at + 1));
        let header =
            tokens.windows(2).any(|two| two[0].text.contains("has_header") && two[1].text.contains("true"));
        let csv = behind("STORED").is_some() && tokens.iter().any(|token| token.is("CSV"));
        let partitioned = tokens.iter().any(|token| token.is("PARTITIONED"));
        match behind("LOCATION") {
            Some(location)
                if csv && !partitioned && !location.text.contains("scratch") && !self.columns.is_empty() =>
            {
                self.rows = Source::Csv { location: location.text.trim_matches('\'').to_owned(), header };
            }
            _ => self.impossible = self.impossible.or(Some(Rule::Source)),
        }
    }

    /// CREATE TOPIC.
    pub(crate) fn declaration(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|(name, null, type_name)| format!("{name} {type_name}{null}")).collect();
        format!("CREATE TOPIC {} ({})", self.written, columns.join(", "))
    }
}

/// The type of a topic's column that stands for this one, and whether a query may see the difference.
fn of_recount(type_name: &str) -> Option<(String, bool)> {
    let (name, size) = match type_name.find('(') {
        Some(at) => (&type_name[..at], &type_name[at..]),
        None => (type_name, ""),
    };
    let same = |name: &str| Some((name.to_owned(), false));
    match (name, size) {
        ("TINYINT" | "SMALLINT" | "INT2" | "TINYINTUNSIGNED", "") => same("SMALLINT"),
        ("INT" | "INTEGER" | "INT4" | "SMALLINTUNSIGNED", "") => same("INT"),
        ("BIGINT" | "INT8" | "INTUNSIGNED" | "INTEGERUNSIGNED", "") => same("BIGINT"),
        // Unless all values fit: see `Walk::narrow`.
        ("BIGINTUNSIGNED", "") => Some(("DECIMAL(20,0)".to_owned(), true)),
        ("FLOAT" | "REAL" | "FLOAT4", "") => Some(("DOUBLE".to_owned(), true)),
        ("DOUBLE" | "DOUBLEPRECISION" | "FLOAT8", "") => same("DOUBLE"),
        ("VARCHAR" | "TEXT" | "STRING" | "CHAR" | "CHARACTERVARYING", _) => same("TEXT"),
        ("BOOLEAN" | "BOOL", "") => same("BOOLEAN"),
        ("DATE", "") => same("DATE"),
        ("TIMESTAMP", _) => same("TIMESTAMP"),
        ("TIMESTAMPTZ" | "TIMESTAMPWITHTIMEZONE", "") => same("TIMESTAMPTZ"),
        ("DECIMAL" | "NUMERIC", "") => same("DECIMAL(38,10)"),
        ("DECIMAL" | "NUMERIC", size) => {
            let numbers: Vec<u32> =
                size.trim_matches(['(', ')']).split(',').map_while(|n| n.parse().ok()).collect();
            match numbers[..] {
                [precision] if precision <= 38 => same(&format!("DECIMAL({precision},0)")),
                [precision, scale] if precision <= 38 => same(&format!("DECIMAL({precision},{scale})")),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn table(sql: &str) -> Table {
        create(sql, &tokens(sql)).unwrap()
    }

    #[test]
    fn a_table_becomes_a_topic() {
        let t = table(
            "CREATE TABLE IF NOT EXISTS T(a INT UNSIGNED NOT NULL, \"B\" varchar(3) PRIMARY KEY, c DECIMAL(10, 2), PRIMARY KEY (a)) AS VALUES (1, 'x', 1.5), (2, 'y', NULL)",
        );
        assert_eq!(t.name, "t");
        assert_eq!(t.declaration(), "CREATE TOPIC T (a BIGINT NOT NULL, \"B\" TEXT, c DECIMAL(10,2))");
        assert!(matches!(&t.rows, Source::Values(rows) if rows == &["(1, 'x', 1.5)", "(2, 'y', NULL)"]));
        assert!(t.impossible.is_none() && t.other.is_empty());

        let t = table("create table t as select a, b from u");
        assert!(matches!(&t.rows, Source::Query(query) if query == "select a, b from u"));

        let t = table(
            "CREATE EXTERNAL TABLE t (a FLOAT, b INT,) STORED AS CSV LOCATION '../x.csv' OPTIONS ('format.has_header' 'true')",
        );
        assert!(matches!(&t.rows, Source::Csv { location, header: true } if location == "../x.csv"));
        assert!(t.other.contains("a"));
    }

    #[test]
    fn what_cannot_be_one_says_why() {
        assert_eq!(
            table("CREATE TABLE t(a STRUCT<x INT, y INT>) AS VALUES (NULL)").impossible,
            Some(Rule::Type)
        );
        let parquet = "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'a.parquet'";
        assert_eq!(table(parquet).impossible, Some(Rule::Source));
        let endless = "CREATE UNBOUNDED EXTERNAL TABLE t (a INT) STORED AS CSV LOCATION 'a.csv'";
        assert_eq!(table(endless).impossible, Some(Rule::Source));
    }
}
