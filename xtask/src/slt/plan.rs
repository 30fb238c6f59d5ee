//! What there is to do for a file, in its order, found from its text alone: topics to create and to fill, and queries, those of the
//! list with the step behind which a view of them can be declared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::records::{Record, Sort, What, parse};
use super::rules::{self, RULES, Rule};
use super::tables::{self, Source, Table};
use super::tokens::{Token, tokens};

/// A file.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// How many queries each rule leaves out.
    pub(crate) left_out: [usize; RULES],
}

/// One step.
#[derive(Debug)]
pub(crate) enum Step {
    Create(Table),
    /// Rows for a table, with the columns that are named.
    Insert {
        table: String,
        columns: String,
        rows: Source,
    },
    Drop(String),
    Query(Query),
}

/// A query of the list.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) line: usize,
    pub(crate) sql: String,
    pub(crate) columns: String,
    pub(crate) sort: Sort,
    pub(crate) expected: Vec<String>,
    /// It says in which order its rows are.
    pub(crate) ordered: bool,
    /// A view of it can be declared right behind this step, which creates the last of the tables that it reads.
    pub(crate) from: Option<usize>,
}

impl Plan {
    /// Reads a file of `files/test_files`.
    pub(crate) fn read(files: &Path, name: &str) -> Result<Plan> {
        let path = files.join("test_files").join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Plan::of(files, &text).with_context(|| name.to_owned())
    }

    fn of(files: &Path, text: &str) -> Result<Plan> {
        let mut walk = Walk {
            files,
            steps: Vec::new(),
            left_out: [0; RULES],
            tables: BTreeMap::new(),
            created: BTreeMap::new(),
            foreign: Vec::new(),
            setting: false,
        };
        for record in parse(text)? {
            walk.step(record)?;
        }
        Ok(Plan { steps: walk.steps, left_out: walk.left_out })
    }

    /// The queries of the list.
    pub(crate) fn queries(&self) -> impl Iterator<Item = &Query> {
        self.steps.iter().filter_map(|step| match step {
            Step::Query(query) => Some(query),
            _ => None,
        })
    }

    /// How many queries there are, in the list or not.
    pub(crate) fn all(&self) -> usize {
        self.queries().count() + self.left_out.iter().sum::<usize>()
    }
}

struct Walk<'a> {
    files: &'a Path,
    steps: Vec<Step>,
    left_out: [usize; RULES],
    tables: BTreeMap<String, Table>,
    /// The step that created each.
    created: BTreeMap<String, usize>,
    /// Names of functions and views that the file itself makes.
    foreign: Vec<String>,
    setting: bool,
}

impl Walk<'_> {
    fn step(&mut self, record: Record) -> Result<()> {
        let tokens = tokens(&record.sql);
        match &record.what {
            What::Statement { fails: true } => {}
            What::Statement { fails: false } => self.statement(&record, &tokens)?,
            What::Refused | What::Query { .. } => {
                let rule = rules::left_out(&record, &tokens, &self.tables, &self.foreign, self.setting);
                if rule == Some(Rule::NoQuery) && !matches!(record.what, What::Refused) {
                    self.statement(&record, &tokens)?;
                }
                match rule {
                    Some(rule) => self.left_out[rule as usize - 1] += 1,
                    None => self.query(record),
                }
            }
        }
        Ok(())
    }

    fn query(&mut self, record: Record) {
        let tokens = tokens(&record.sql);
        let from = rules::read(&tokens, &self.tables).filter_map(|table| self.created.get(&table.name)).max();
        let from = from.copied();
        let ordered = ordered(&tokens);
        let What::Query { columns, sort, expected } = record.what else { return };
        let query = Query { line: record.line, columns, sort, expected, ordered, from, sql: record.sql };
        self.steps.push(Step::Query(query));
    }

    fn statement(&mut self, record: &Record, tokens: &[Token<'_>]) -> Result<()> {
        if let Some(setting) = rules::setting(tokens) {
            self.setting = setting;
        }
        if let Some(mut table) = tables::create(&record.sql, tokens) {
            if tokens.iter().any(|token| token.is("REPLACE")) && self.tables.contains_key(&table.name) {
                self.drop(&table.name);
            }
            if let Source::Query(query) = &table.rows {
                let of_query = super::tokens::tokens(query);
                table.impossible = table.impossible.or_else(|| {
                    rules::left_out(
                        record_of(query).as_ref()?,
                        &of_query,
                        &self.tables,
                        &self.foreign,
                        self.setting,
                    )
                });
            }
            if table.columns.is_empty() && matches!(table.rows, Source::None) {
                table.impossible = table.impossible.or(Some(Rule::Source));
            }
            if not_finite(tokens) || table.columns.is_empty() && rules::makes_other_types(tokens) {
                table.impossible = table.impossible.or(Some(Rule::Type));
            }
            self.narrow(&mut table, &record.sql)?;
            if table.impossible.is_none() {
                self.created.insert(table.name.clone(), self.steps.len());
                self.steps.push(Step::Create(table.clone()));
            }
            self.foreign.retain(|name| *name != table.name);
            self.tables.insert(table.name.clone(), table);
            return Ok(());
        }
        let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is(word));
        let name = |at: usize| tokens.get(at).and_then(Token::name);
        if is(0, "CREATE") {
            let view = tokens.iter().position(|token| token.is("VIEW") || token.is("FUNCTION"));
            self.foreign.extend(view.and_then(|at| name(at + 1)));
        } else if is(0, "DROP") && is(1, "TABLE") {
            let at = if is(2, "IF") { 4 } else { 2 };
            if let Some(table) = name(at) {
                self.drop(&table);
            }
        } else if is(0, "INSERT") && is(1, "INTO") {
            let table = name(2).context("INSERT without a name")?;
            let columns = is(3, "(").then(|| super::tokens::closing(tokens, 3)).flatten();
            let rows = columns.map_or(3, |end| end + 1);
            let text = columns.map_or("", |end| &record.sql[tokens[3].at..tokens[end].end()]);
            let rows = tables::source(&record.sql, &tokens[rows..]);
            if let Some(table) = self.tables.get_mut(&table).filter(|_| not_finite(tokens)) {
                table.impossible = table.impossible.or(Some(Rule::Type));
            } else if self.created.contains_key(&table) {
                self.steps.push(Step::Insert { table, columns: text.to_owned(), rows });
            }
        }
        Ok(())
    }

    fn drop(&mut self, table: &str) {
        self.tables.remove(table);
        if self.created.remove(table).is_some() {
            self.steps.push(Step::Drop(table.to_owned()));
        }
    }

    /// Columns of great integers without sign, whose values all fit a BIGINT, are one.
    fn narrow(&self, table: &mut Table, sql: &str) -> Result<()> {
        let text = match &table.rows {
            Source::Csv { location, .. } if table.impossible.is_none() => {
                lines(self.files, location)?.join("\n")
            }
            _ => sql.to_owned(),
        };
        let great = |word: &str| word.parse::<u128>().is_ok_and(|number| number > i64::MAX as u128);
        if text.split(|c: char| !c.is_ascii_alphanumeric()).any(great) {
            return Ok(());
        }
        for (name, _, type_name) in &mut table.columns {
            if *type_name == "DECIMAL(20,0)" {
                *type_name = "BIGINT".to_owned();
                table.other.remove(&name.trim_matches('"').to_ascii_lowercase());
            }
        }
        Ok(())
    }
}

/// Whether rows have numbers that are none, or have no end: an event, which is JSON, has no way to write them.
fn not_finite(tokens: &[Token<'_>]) -> bool {
    let texts = ["'nan'", "'inf'", "'-inf'", "'+inf'", "'infinity'", "'-infinity'"];
    tokens.iter().any(|token| texts.contains(&token.text.to_ascii_lowercase().as_str()))
}

/// Whether ORDER BY is outside of all parentheses.
fn ordered(tokens: &[Token<'_>]) -> bool {
    let mut depth = 0;
    tokens.windows(2).any(|two| {
        depth += i32::from(two[0].is("(")) - i32::from(two[0].is(")"));
        depth == 0 && two[0].is("ORDER") && two[1].is("BY")
    })
}

/// A query as if it were a record.
fn record_of(query: &str) -> Option<Record> {
    let what = What::Query { columns: String::new(), sort: Sort::No, expected: Vec::new() };
    Some(Record { line: 0, sql: query.to_owned(), what })
}

/// The lines of a file, or of the files in a directory; where these are is told from where those who publish them run.
pub(crate) fn lines(files: &Path, location: &str) -> Result<Vec<String>> {
    let inside = Path::new(location).components().filter(|part| matches!(part, Component::Normal(_)));
    let mut path: PathBuf = inside.collect();
    if let Ok(rest) = path.strip_prefix("datafusion") {
        path = rest.to_owned();
    }
    let path = files.join(path);
    let mut paths = vec![path.clone()];
    if path.is_dir() {
        paths = fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        paths.sort();
    }
    let read = |path: &PathBuf| fs::read_to_string(path).with_context(|| path.display().to_string());
    let texts = paths.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(texts
        .iter()
        .flat_map(|text| text.lines().map(str::to_owned))
        .filter(|line| !line.is_empty())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
statement ok
CREATE TABLE t(a INT, b FLOAT) AS VALUES (1, 1.5), (2, 2.5);

statement ok
CREATE TABLE u AS SELECT a FROM t;

query I
SELECT a FROM t JOIN u USING (a) ORDER BY a
----
1
2

query I
SELECT count(*) FROM t
----
2

query R
SELECT b FROM t
----
1.5
2.5

query TT
EXPLAIN SELECT a FROM t
----
plan

query error refused
SELECT x FROM t

query I
SELECT a FROM t LIMIT 1
----
1

query I
SELECT a FROM somewhere_else
----

statement ok
INSERT INTO t (a) VALUES (3)

statement ok
DROP TABLE t

statement ok
CREATE TABLE t(a STRUCT<x INT>)

query I
SELECT 1 FROM t
----

statement ok
SET datafusion.sql_parser.default_null_ordering = 'nulls_last'

query I
SELECT 1
----
1
";

    #[test]
    fn a_file_is_what_there_is_to_do() {
        let plan = Plan::of(Path::new("."), FILE).unwrap();
        let steps: Vec<String> = plan
            .steps
            .iter()
            .map(|step| match step {
                Step::Create(table) => format!("create {}", table.name),
                Step::Insert { table, columns, .. } => format!("insert {table} {columns}"),
                Step::Drop(table) => format!("drop {table}"),
                Step::Query(query) => format!("query {} from {:?} {}", query.line, query.from, query.ordered),
            })
            .collect();
        let expected = [
            "create t",
            "create u",
            "query 7 from Some(1) true",
            "query 13 from Some(0) false",
            "insert t (a)",
            "drop t",
        ];
        assert_eq!(steps, expected);
        // EXPLAIN; an error; a table from elsewhere; a FLOAT and a struct; LIMIT; a setting.
        assert_eq!(plan.left_out, [1, 1, 1, 2, 0, 1, 1]);
    }
}
