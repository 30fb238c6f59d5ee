//! `SUBSCRIBE [TO] view [UP TO POSITION n]`: the rows of a view and then their changes, as a server tells them.
//!
//! A program gets a line of JSON for each row, for each change, and for each position up to which that is all; a person a table that is drawn again
//! when it has changed.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

use recount::Format;
use serde_json::{Value, json};

use super::{Session, Shape, table};
use crate::cli::failure::Failure;
use crate::cli::remote::{Remote, encoded};
use crate::cli::target::Target;

/// A table on a terminal has so many rows, at most.
const ROWS_MAX: usize = 200;
/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";
/// What can be written.
const SHAPE: &str = "write SUBSCRIBE TO view, or SUBSCRIBE TO view UP TO POSITION n";

/// The statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Subscribe {
    view: String,
    /// It ends when all up to this position was told.
    until: Option<u64>,
}

impl Subscribe {
    /// Reads a statement; none if it is another one.
    pub(super) fn parse(statement: &str) -> Result<Option<Subscribe>, Failure> {
        let words = words(statement.trim().trim_end_matches(';'));
        let is = |at: usize, wanted: &str| matches!(words.get(at), Some(Word::Plain(word)) if word.eq_ignore_ascii_case(wanted));
        if !is(0, "SUBSCRIBE") {
            return Ok(None);
        }
        let at = if is(1, "TO") { 2 } else { 1 };
        let view = match words.get(at) {
            Some(Word::Plain(name)) => name.to_lowercase(),
            Some(Word::Quoted(name)) => name.clone(),
            Some(Word::Other('(')) => {
                return Err(Failure::usage(
                    "SUBSCRIBE follows a view: declare the query as one, CREATE MATERIALIZED VIEW name AS …, and follow that",
                ));
            }
            _ => return Err(Failure::usage(format!("SUBSCRIBE to what? Names are those of views: {SHAPE}"))),
        };
        let rest = &words[at + 1..];
        let until = match rest {
            [] => None,
            [_, _, _, Word::Plain(number)]
                if is(at + 1, "UP") && is(at + 2, "TO") && is(at + 3, "POSITION") =>
            {
                let number = number.parse();
                Some(number.map_err(|_| Failure::usage(format!("UP TO POSITION is of a number: {SHAPE}")))?)
            }
            _ if is(at + 1, "AS") => {
                return Err(Failure::usage(format!(
                    "SUBSCRIBE begins with the rows as they are, and not as of another moment: {SHAPE}"
                )));
            }
            _ => return Err(Failure::usage(format!("SUBSCRIBE has more words than it takes: {SHAPE}"))),
        };
        Ok(Some(Subscribe { view, until }))
    }

    /// Tells the rows and their changes until the reader or the server goes away, or all is told that is wanted.
    pub(super) fn follow(&self, session: &Session<'_>) -> Result<(), Failure> {
        let Target::Remote(remote) = session.target else {
            return Err(Failure::usage(
                "SUBSCRIBE tells what others append, and nobody else can while this process has the database open: run recount serve, and give its URL",
            ));
        };
        let mut out = io::BufWriter::new(io::stdout().lock());
        match session.shape {
            Shape::Jsonl => self.told(remote, &mut |told| {
                match told {
                    Told::Row(row) => writeln!(out, "{row}")?,
                    Told::UpTo(position) => {
                        writeln!(out, "{}", json!({ "position": position }))?;
                        out.flush()?;
                    }
                }
                Ok(())
            }),
            Shape::Table => {
                let query = format!("SELECT * FROM \"{}\" LIMIT 0", self.view.replace('"', "\"\""));
                let answer = remote.run_sql(&query, session.settings.stopped, Format::Json.content_type())?;
                let answer = super::gathered(answer.pieces)?;
                let mut live = Live::new(answer.get("columns").cloned().unwrap_or_default());
                self.told(remote, &mut |told| {
                    match told {
                        Told::Row(row) => live.change(&row),
                        Told::UpTo(position) => live.draw(&mut out, position)?,
                    }
                    Ok(())
                })
            }
            Shape::Json | Shape::Csv | Shape::Arrow => Err(Failure::usage(
                "SUBSCRIBE writes a table or lines of JSON: --format table or --format jsonl",
            )),
        }
    }

    /// Reads what the server tells, and gives it to `give`.
    fn told(
        &self,
        remote: &Remote,
        give: &mut dyn FnMut(Told) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let path = format!("/views/{}", encoded(self.view.as_bytes()));
        let (mut event, mut begun) = (String::new(), false);
        for line in remote.get(&path, &[], "text/event-stream")? {
            let line = line.map_err(|error| Failure::new(format!("the server went away: {error}")))?;
            if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut event);
            }
            if line.is_empty() {
                event.clear();
            }
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let data: Value = serde_json::from_str(data)
                .map_err(|error| Failure::new(format!("what the server tells is not JSON: {error}")))?;
            let position = data.get("position").and_then(Value::as_u64).unwrap_or(0);
            if let (false, Some(until)) = (begun, self.until)
                && position > until
            {
                return Err(Failure::new(format!(
                    "view {} is at position {position} already: ask for its rows, AS OF POSITION {until}",
                    self.view
                )));
            }
            begun = true;
            let is_beyond = self.until.is_some_and(|until| position > until);
            match event.as_str() {
                "ended" => {
                    let reason = data.get("reason").and_then(Value::as_str).unwrap_or_default();
                    return Err(Failure::new(format!("the rows of view {} end here: {reason}", self.view)));
                }
                "caught-up" => {
                    give(Told::UpTo(self.until.map_or(position, |until| until.min(position))))?;
                    if self.until.is_some_and(|until| position >= until) {
                        return Ok(());
                    }
                }
                // What comes up to the next caught-up may be beyond already.
                _ if is_beyond => {}
                _ => give(Told::Row(data))?,
            }
        }
        Err(Failure::new(
            "the server closed the connection: it stops, or a proxy between waits for too little time",
        ))
    }
}

/// What a server tells.
enum Told {
    /// A row, its weight, and where it came or went.
    Row(Value),
    /// That this was all up to a position.
    UpTo(u64),
}

/// A word of a statement.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// A name or a number.
    Plain(String),
    /// A name in double quotes, without them.
    Quoted(String),
    Other(char),
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        let in_name = |next: &char| next.is_alphanumeric() || *next == '_';
        words.push(match first {
            '"' => {
                let mut name = String::new();
                while let Some(next) = rest.next() {
                    if next == '"' && rest.next_if_eq(&'"').is_none() {
                        break;
                    }
                    name.push(next);
                }
                Word::Quoted(name)
            }
            first if in_name(&first) => {
                let mut name = String::from(first);
                while let Some(next) = rest.next_if(in_name) {
                    name.push(next);
                }
                Word::Plain(name)
            }
            first if first.is_whitespace() => continue,
            other => Word::Other(other),
        });
    }
    words
}

/// A table that changes.
struct Live {
    columns: Value,
    names: Vec<String>,
    rows: BTreeMap<Row, i64>,
    changed: bool,
}

/// The values of a row, in the order of its columns.
#[derive(PartialEq)]
struct Row(Vec<Value>);

impl Live {
    fn new(columns: Value) -> Live {
        let name = |column: &Value| column.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let names = columns.as_array().map(|columns| columns.iter().map(name).collect()).unwrap_or_default();
        Live { columns, names, rows: BTreeMap::new(), changed: true }
    }

    fn change(&mut self, told: &Value) {
        let row = told.get("row").unwrap_or(&Value::Null);
        let values = self.names.iter().map(|name| row.get(name).cloned().unwrap_or_default()).collect();
        let weight = told.get("weight").and_then(Value::as_i64).unwrap_or(0);
        let count = self.rows.entry(Row(values)).or_default();
        *count += weight;
        self.changed = true;
    }

    /// Writes the table if it has changed.
    fn draw(&mut self, out: &mut impl Write, position: u64) -> io::Result<()> {
        self.rows.retain(|_, count| *count != 0);
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let is_terminal = io::stdout().is_terminal();
        let all = self.rows.iter().flat_map(|(Row(row), count)| (0..*count).map(move |_| row));
        let most = if is_terminal { ROWS_MAX } else { usize::MAX };
        let rows: Vec<&Vec<Value>> = all.clone().take(most).collect();
        let more = all.skip(most).count();
        let mut notices = vec![format!("as of position {position}")];
        if more > 0 {
            notices.insert(0, format!("and {more} more"));
        }
        if is_terminal {
            out.write_all(CLEAR.as_bytes())?;
        }
        table::write(out, &json!({ "columns": self.columns, "rows": rows, "notices": notices }))?;
        if !is_terminal {
            writeln!(out)?;
        }
        out.flush()
    }
}

impl Eq for Row {}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Row) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Row {
    /// Numbers by their size, all else by its text; nulls first.
    fn cmp(&self, other: &Row) -> Ordering {
        let of = |one: &Value, other: &Value| {
            let numbers = one.as_f64().zip(other.as_f64()).map(|(one, other)| one.total_cmp(&other));
            let nulls = other.is_null().cmp(&one.is_null());
            let texts = || match (one.as_str(), other.as_str()) {
                (Some(one), Some(other)) => one.cmp(other),
                _ => one.to_string().cmp(&other.to_string()),
            };
            nulls.then(numbers.unwrap_or(Ordering::Equal)).then_with(texts)
        };
        let values = self.0.iter().zip(&other.0).map(|(one, other)| of(one, other));
        values.fold(Ordering::Equal, Ordering::then).then(self.0.len().cmp(&other.0.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(statement: &str) -> String {
        match Subscribe::parse(statement) {
            Ok(Some(Subscribe { view, until })) => format!("{view} {until:?}"),
            Ok(None) => "another statement".to_owned(),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn the_statement() {
        assert_eq!(parsed("subscribe to Balances;"), "balances None");
        assert_eq!(parsed("SUBSCRIBE \"A \"\"b\"\"\" up to position 12"), "A \"b\" Some(12)");
        assert_eq!(parsed("SELECT 1"), "another statement");
        assert_eq!(parsed(""), "another statement");
        for (statement, what) in [
            ("SUBSCRIBE", "to what?"),
            ("SUBSCRIBE TO (SELECT 1)", "CREATE MATERIALIZED VIEW"),
            ("SUBSCRIBE TO v AS OF POSITION 3", "as they are"),
            ("SUBSCRIBE TO v UP TO POSITION x", "of a number"),
            ("SUBSCRIBE TO v WITH (a)", "more words"),
        ] {
            assert!(parsed(statement).contains(what), "{}", parsed(statement));
        }
    }

    #[test]
    fn a_table_that_changes() {
        let mut live = Live::new(json!([{ "name": "n", "type": "INT" }, { "name": "t", "type": "TEXT" }]));
        let mut drawn = |changes: &[(i64, Value, &str)], position: u64| {
            for (weight, n, t) in changes {
                live.change(&json!({ "weight": weight, "row": { "n": n, "t": t } }));
            }
            let mut out = Vec::new();
            live.draw(&mut out, position).unwrap();
            String::from_utf8(out).unwrap()
        };
        let first = drawn(&[(1, json!(10), "a"), (2, json!(9), "b"), (1, Value::Null, "c")], 7);
        let rows: Vec<&str> = first.lines().skip(2).map(str::trim).collect();
        assert_eq!(rows, ["c", "9  b", "9  b", "10  a", "4 rows", "as of position 7", ""], "{first}");
        assert_eq!(drawn(&[], 8), "", "nothing changed");
        let then = drawn(&[(-1, json!(10), "a"), (-1, json!(9), "b")], 9);
        assert!(then.contains("2 rows") && !then.contains("10"), "{then}");
    }
}
