//! A file, run: its tables become topics of a database of its own, rows come in several appends, and each query of the list is asked
//! twice: ad hoc, and as a view that was declared before the rows came, or in their midst.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::compare::{Column, Rows, Verdict, compare};
use super::plan::{Plan, Query, Step, lines};
use super::tables::{Source, Table};
use crate::bench::client::Client;
use crate::bench::server::{Recount, Server};
use crate::run;

/// Rows of a table come in so many appends, if there are as many.
const EPOCHS: usize = 3;
/// An append has no more rows than this.
const ROWS_MAX: usize = 5000;

/// What became of one query.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) line: usize,
    pub(crate) ad_hoc: Answer,
    pub(crate) view: Answer,
}

/// What became of one way to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Equal,
    /// The view was refused, by the name of what it cannot keep.
    Refused(String),
    /// Other rows, or none.
    Different(String),
}

/// Runs a file.
pub(crate) fn run(program: &Path, database: &Path, files: &Path, plan: &Plan) -> Result<Vec<Asked>> {
    if database.exists() {
        fs::remove_dir_all(database)?;
    }
    let path = database.display().to_string();
    run::output(Command::new(program).args(["sql", &path, "--command", "SELECT 1"]))?;
    let server = Recount::of(program.to_path_buf()).serve(&path)?;
    let client = Client::to(server.address)?;
    let mut trial = Trial {
        files,
        plan,
        server,
        client,
        tables: BTreeMap::new(),
        views: BTreeMap::new(),
        results: Vec::new(),
    };
    trial.declare(None, 0)?;
    trial.declare(None, 1)?;
    for (at, step) in plan.steps.iter().enumerate() {
        match step {
            Step::Create(table) => trial.create(at, table)?,
            Step::Insert { table, columns, rows } => {
                if let Some(table) = trial.tables.get(table).cloned()
                    && let Err(error) = trial.insert(&table, columns, rows, |_| Ok(()))
                {
                    eprintln!("INSERT INTO {}: {error:#}", table.name);
                }
            }
            Step::Drop(table) => {
                if trial.tables.remove(table).is_some() {
                    trial.sql(&format!("DROP TOPIC \"{table}\""))?;
                }
            }
            Step::Query(query) => trial.query(query)?,
        }
    }
    let results = std::mem::take(&mut trial.results);
    drop(trial);
    fs::remove_dir_all(database)?;
    Ok(results)
}

struct Trial<'a> {
    files: &'a Path,
    plan: &'a Plan,
    server: Server,
    client: Client,
    tables: BTreeMap<String, Table>,
    /// Whether there is one of the query at this line, or why not.
    views: BTreeMap<usize, std::result::Result<(), String>>,
    results: Vec<Asked>,
}

impl Trial<'_> {
    /// A statement; the inner error is its refusal.
    fn ask(&mut self, sql: &str) -> Result<std::result::Result<Value, String>> {
        match self.client.post("/sql", "text/plain", sql) {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) => {
                let text = format!("{error:#}");
                if !text.starts_with(['4', '5']) {
                    // What fails half-way ends the connection.
                    self.client = Client::to(self.server.address).context("the server is gone")?;
                    return Ok(Err(text));
                }
                let problem =
                    text.split_once(": ").and_then(|(_, json)| serde_json::from_str::<Value>(json).ok());
                let detail = problem.and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()));
                Ok(Err(detail.unwrap_or(text)))
            }
        }
    }

    /// A statement that has to succeed.
    fn sql(&mut self, sql: &str) -> Result<Value> {
        self.ask(sql)?.map_err(|error| anyhow::anyhow!("{sql}: {error}"))
    }

    /// Makes a topic and appends its rows. If it is not taken, what reads it will fail.
    fn create(&mut self, at: usize, table: &Table) -> Result<()> {
        let mut table = table.clone();
        let created = match table.columns.is_empty() {
            true => self.infer(&mut table),
            false => Ok(()),
        };
        if let Err(error) = created.and_then(|()| self.sql(&table.declaration()).map(drop)) {
            eprintln!("{error:#}");
            return Ok(());
        }
        self.tables.insert(table.name.clone(), table.clone());
        self.declare(Some(at), 0)?;
        let mut midst = false;
        let inserted = self.insert(&table, "", &table.rows, |trial| {
            midst = true;
            trial.declare(Some(at), 1)
        });
        if let Err(error) = inserted {
            eprintln!("rows of {}: {error:#}", table.name);
        }
        if !midst {
            self.declare(Some(at), 1)?;
        }
        Ok(())
    }

    /// Columns as the rows have them. A number with a point that stands in VALUES is not exact there.
    fn infer(&mut self, table: &mut Table) -> Result<()> {
        let (query, exact) = match &table.rows {
            Source::Values(rows) => (format!("VALUES {}", rows.join(", ")), false),
            Source::Query(query) => (query.clone(), true),
            Source::None | Source::Csv { .. } => (String::new(), true),
        };
        let answer = self.sql(&query)?;
        let rows = Rows::read(&answer).with_context(|| format!("{query}: no rows"))?;
        for column in rows.columns {
            let exact = exact || !column.type_name.starts_with("DECIMAL");
            let type_name = match column.type_name.as_str() {
                _ if !exact => "DOUBLE",
                "NULL" => "INT",
                "BIGINT UNSIGNED" => "BIGINT",
                other => other,
            };
            let type_name = type_name.to_owned();
            table.columns.push((format!("\"{}\"", column.name), "", type_name));
        }
        Ok(())
    }

    /// Appends rows in parts; `midst` is called behind the first.
    fn insert(
        &mut self,
        table: &Table,
        columns: &str,
        rows: &Source,
        mut midst: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let rows = match rows {
            Source::None => return Ok(()),
            Source::Query(query) => {
                let answer = self.sql(query)?;
                let answer = Rows::read(&answer).with_context(|| format!("{query}: no rows"))?;
                answer.rows.iter().map(|row| literals(row, &answer.columns)).collect()
            }
            Source::Values(rows) => rows.clone(),
            Source::Csv { location, header } => {
                let rows = lines(self.files, location)?;
                rows.iter().skip(usize::from(*header)).map(|line| line_literals(line, table)).collect()
            }
        };
        for (epoch, part) in rows.chunks(rows.len().div_ceil(EPOCHS).clamp(1, ROWS_MAX)).enumerate() {
            self.sql(&format!("INSERT INTO {} {columns} VALUES {}", table.written, part.join(",\n")))?;
            if epoch == 0 {
                midst(self)?;
            }
        }
        Ok(())
    }

    /// Declares the views that can be from a step on: every second one first, the others later.
    fn declare(&mut self, from: Option<usize>, half: usize) -> Result<()> {
        let plan = self.plan;
        for (at, query) in plan.queries().enumerate() {
            if query.from == from && at % 2 == half {
                let names: Vec<String> = (1..=query.columns.len()).map(|at| format!("c{at}")).collect();
                let view = format!(
                    "CREATE MATERIALIZED VIEW view_{} ({}) AS {}",
                    query.line,
                    names.join(", "),
                    query.sql
                );
                let taken = self.ask(&view)?.map(drop);
                self.views.insert(query.line, taken);
            }
        }
        Ok(())
    }

    fn query(&mut self, query: &Query) -> Result<()> {
        let ad_hoc = match self.ask(&query.sql)? {
            Ok(answer) => judged(query, &answer, query.ordered),
            Err(error) => Answer::Different(error),
        };
        let view = match self.views.get(&query.line).cloned() {
            Some(Ok(())) => {
                let answer = match self.ask(&format!("SELECT * FROM view_{}", query.line))? {
                    Ok(answer) => judged(query, &answer, false),
                    Err(error) => Answer::Different(error),
                };
                self.sql(&format!("DROP MATERIALIZED VIEW view_{}", query.line))?;
                answer
            }
            Some(Err(error)) if by_name(&error) => Answer::Refused(error),
            Some(Err(error)) => Answer::Different(error),
            None => Answer::Different("the tables are not there".to_owned()),
        };
        self.results.push(Asked { line: query.line, ad_hoc, view });
        Ok(())
    }
}

/// Whether it says what it is that a view cannot keep.
fn by_name(refusal: &str) -> bool {
    ["cannot be kept up to date", "which no view keeps", "a view reads topics"]
        .iter()
        .any(|words| refusal.contains(words))
}

fn judged(query: &Query, answer: &Value, ordered: bool) -> Answer {
    let Some(rows) = Rows::read(answer) else {
        return Answer::Different(format!("no rows: {answer}"));
    };
    let found = rows.lines();
    let shown = |rows: &[String]| rows.iter().take(8).cloned().collect::<Vec<_>>().join("\n      ");
    let lines: Vec<String> = found.iter().map(|row| row.join(" ")).collect();
    match compare(&found, &query.expected, &query.columns, query.sort) {
        Verdict::Equal => Answer::Equal,
        Verdict::Reordered if !ordered => Answer::Equal,
        verdict => Answer::Different(format!(
            "{}:\n      {}\n    expected:\n      {}",
            if verdict == Verdict::Reordered { "in another order" } else { "found" },
            shown(&lines),
            shown(&query.expected)
        )),
    }
}

/// A row of an answer as one of VALUES.
fn literals(row: &[Value], columns: &[Column]) -> String {
    let literal = |(value, column): (&Value, &Column)| match value {
        Value::Null => "NULL".to_owned(),
        Value::Number(number) if column.type_name == "DOUBLE" => format!("CAST('{number}' AS DOUBLE)"),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => format!("'{}'", other.to_string().replace('\'', "''")),
    };
    let cells: Vec<String> = row.iter().zip(columns).map(literal).collect();
    format!("({})", cells.join(", "))
}

/// A line of a CSV file as a row of VALUES. What is empty is NULL.
fn line_literals(line: &str, table: &Table) -> String {
    let literal = |(cell, (_, _, type_name)): (String, &(String, &str, String))| match type_name.as_str() {
        _ if cell.is_empty() => "NULL".to_owned(),
        "TEXT" | "DATE" => format!("'{}'", cell.replace('\'', "''")),
        "TIMESTAMP" | "TIMESTAMPTZ" => format!("'{}'", cell.trim_end_matches('Z')),
        "DOUBLE" => format!("CAST('{cell}' AS DOUBLE)"),
        _ => cell,
    };
    let cells: Vec<String> = cells(line).into_iter().zip(&table.columns).map(literal).collect();
    format!("({})", cells.join(", "))
}

/// What stands between the commas of a line; those in quotes are no commas.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().into_iter().for_each(|cell| cell.push(c)),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_are_text() {
        assert_eq!(cells("a,\"b, c\",,d"), ["a", "b, c", "", "d"]);
    }
}
