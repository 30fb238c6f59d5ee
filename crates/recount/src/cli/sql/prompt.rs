//! Statements typed at a prompt: with history, completion of words and names, and a few commands.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Editor, Helper};
use serde_json::{Value, json};

use super::script::end_of_statement;
use super::{Session, table};
use crate::cli::failure::Failure;

const HELP: &str = "A statement ends with a semicolon. Besides:
  \\d            list topics, entities, views    \\d NAME   show one
  \\timing       say how long statements take    \\q        quit
  SHOW TOPICS; SHOW ENTITIES; SHOW VIEWS; SHOW STOPPED; EXPLAIN SELECT …;
  SUBSCRIBE TO view;      its rows and then their changes, from a server; Ctrl-C ends
  SET stopped = 'skip';   leave out keys of entities that stopped at an event, until SET stopped = 'fail';
As of another moment: FROM name FOR SYSTEM_TIME AS OF '…' | AS OF POSITION n | FOR VALID_TIME AS OF '…'";

/// Words that begin or join statements.
const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "JOIN",
    "FOR SYSTEM_TIME AS OF",
    "FOR VALID_TIME AS OF",
    "FOR SYSTEM_TIME ALL",
    "FOR VALID_TIME ALL",
    "FOR VERSION",
    "AS OF POSITION",
    "INSERT INTO",
    "VALUES",
    "EXPLAIN",
    "SHOW TOPICS",
    "SHOW ENTITIES",
    "SHOW VIEWS",
    "SHOW STOPPED",
    "SUBSCRIBE TO",
    "SET stopped = 'skip'",
    "CREATE TOPIC",
    "CREATE ENTITY",
    "CREATE OR REPLACE ENTITY",
    "CREATE MATERIALIZED VIEW",
    "ALTER TOPIC",
    "ALTER ENTITY",
    "DROP TOPIC",
    "DROP ENTITY",
    "DROP MATERIALIZED VIEW",
];

/// Reads and runs statements until the end of input or `\q`.
pub(super) fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let mut editor: Editor<Typing, _> = Editor::new().map_err(|error| Failure::new(error.to_string()))?;
    editor.set_helper(Some(Typing { names: names(session) }));
    let history = history();
    if let Some(file) = &history {
        // There is none the first time.
        let _ = editor.load_history(file);
    }
    println!("recount {}. \\? for help", env!("CARGO_PKG_VERSION"));
    loop {
        match editor.readline("> ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                let _ = editor.add_history_entry(line.trim());
                match command(session, line.trim()) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(failure) => eprintln!("{}", failure.of_database(session.database)),
                }
                let first = line.split_whitespace().next().unwrap_or_default().to_uppercase();
                if ["CREATE", "ALTER", "DROP"].contains(&first.as_str()) {
                    editor.set_helper(Some(Typing { names: names(session) }));
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(Failure::new(error.to_string())),
        }
    }
    if let Some(file) = &history {
        let _ = editor.save_history(file);
    }
    Ok(())
}

/// Runs what was typed; false to quit.
fn command(session: &mut Session<'_>, line: &str) -> Result<bool, Failure> {
    let mut words = line.trim_end_matches(';').split_whitespace();
    match (words.next().unwrap_or_default(), words.next()) {
        ("\\q" | "exit" | "quit", None) => return Ok(false),
        ("\\?" | "help", None) => println!("{HELP}"),
        ("\\d", None) => {
            session.run("SHOW TOPICS")?;
            session.run("SHOW ENTITIES")?;
            session.run("SHOW VIEWS")?;
        }
        ("\\d", Some(name)) => describe(session, name)?,
        ("\\timing", None) => {
            session.timing = !session.timing;
            println!("timing is {}", if session.timing { "on" } else { "off" });
        }
        (word, _) if word.starts_with('\\') => println!("there is no command {word}. \\? for help"),
        _ => {
            for statement in super::script::statements(line) {
                session.run(statement.text)?;
            }
        }
    }
    Ok(true)
}

/// Where what was typed is kept from one time to the next.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    let directory = state.join("recount");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("sql_history"))
}

/// Shows the columns of a topic, an entity or a view.
fn describe(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    let answer = session.answer(&format!("SELECT * FROM {name} LIMIT 0"))?;
    let columns = answer.get("columns").and_then(Value::as_array).cloned().unwrap_or_default();
    let rows: Vec<Value> = columns.iter().map(|column| json!([column["name"], column["type"]])).collect();
    let columns = json!([{"name": "column", "type": "TEXT"}, {"name": "type", "type": "TEXT"}]);
    table::write(&mut io::stdout().lock(), &json!({"columns": columns, "rows": rows}))?;
    Ok(())
}

/// The names of topics, entities and views.
fn names(session: &Session<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for query in ["SHOW TOPICS", "SHOW ENTITIES", "SHOW VIEWS"] {
        // Whoever cannot be asked now is not worth an error before anything is typed.
        let answer = session.answer(query).unwrap_or_default();
        let rows = answer.get("rows").and_then(Value::as_array).into_iter().flatten();
        names.extend(rows.filter_map(|row| row[0].as_str().map(str::to_owned)));
    }
    names.sort();
    names.dedup();
    names
}

/// Completes words and names, and waits for the semicolon.
struct Typing {
    names: Vec<String>,
}

impl Helper for Typing {}

impl Hinter for Typing {
    type Hint = String;
}

impl Highlighter for Typing {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        Cow::Borrowed(line)
    }
}

impl Validator for Typing {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let line = context.input().trim();
        let whole = line.is_empty()
            || line.starts_with('\\')
            || ["help", "quit", "exit"].contains(&line)
            || end_of_statement(line).is_some();
        Ok(if whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Typing {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..at).unwrap_or_default();
        let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |space| space + 1);
        let word = before[start..].to_lowercase();
        let names = self.names.iter().map(String::as_str);
        let known = WORDS.iter().copied().chain(names);
        let matching = known.filter(|known| !word.is_empty() && known.to_lowercase().starts_with(&word));
        Ok((start, matching.map(str::to_owned).collect()))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use rustyline::history::DefaultHistory;

    use super::*;

    #[test]
    fn words_and_names_are_completed() {
        let typing = Typing { names: vec!["accounts".to_owned(), "andere_änderung".to_owned()] };
        let history = DefaultHistory::new();
        let shown: String =
            ["", "sel", "SELECT * FROM a", "SELECT * FROM ACC", "x, andere_ä", "show ", "(fr", "nothing"]
                .iter()
                .map(|line| {
                    let (start, found) = typing.complete(line, line.len(), &Context::new(&history)).unwrap();
                    format!("{line}| from {start}: {}\n", found.join(", "))
                })
                .collect();
        expect![[r#"
            | from 0: 
            sel| from 0: SELECT
            SELECT * FROM a| from 14: AS OF POSITION, ALTER TOPIC, ALTER ENTITY, accounts, andere_änderung
            SELECT * FROM ACC| from 14: accounts
            x, andere_ä| from 3: andere_änderung
            show | from 5: 
            (fr| from 1: FROM
            nothing| from 0: 
        "#]]
        .assert_eq(&shown);
        // Only what is before the cursor counts.
        let (start, found) = typing.complete("sel 1", 3, &Context::new(&history)).unwrap();
        assert_eq!((start, found), (0, vec!["SELECT".to_owned()]));
    }
}
