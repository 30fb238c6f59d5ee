//! Statements typed at a prompt: with history, completion of words and names, and a few commands.

use std::borrow::Cow;
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Editor, Helper};

use super::Session;
use super::script::end_of_statement;
use crate::cli::failure::Failure;
use crate::cli::target::Target;

const HELP: &str = "A statement ends with a semicolon. Besides:
  \\d            list topics and entities        \\d NAME   show one
  \\timing       say how long statements take    \\q        quit
  SHOW TOPICS; SHOW ENTITIES; SHOW STOPPED; EXPLAIN SELECT …;
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
    "SHOW STOPPED",
    "SET stopped = 'skip'",
    "CREATE TOPIC",
    "CREATE ENTITY",
    "CREATE OR REPLACE ENTITY",
    "ALTER TOPIC",
    "ALTER ENTITY",
    "DROP TOPIC",
    "DROP ENTITY",
];

/// Reads and runs statements until the end of input or `\q`.
pub(super) fn run(session: &mut Session<'_>) -> Result<(), Failure> {
    let mut editor: Editor<Typing, _> = Editor::new().map_err(|error| Failure::new(error.to_string()))?;
    editor.set_helper(Some(Typing { names: names(session.target) }));
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
                editor.set_helper(Some(Typing { names: names(session.target) }));
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
        }
        ("\\d", Some(name)) => session.run(&format!("SELECT * FROM {name} LIMIT 0"))?,
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

/// The names of topics and entities.
fn names(target: &Target) -> Vec<String> {
    let Target::Local(database) = target else { return Vec::new() };
    let mut names: Vec<String> = database.topics().iter().map(|topic| topic.name.to_string()).collect();
    names.extend(database.views().entities().iter().map(|entity| entity.name.to_string()));
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
