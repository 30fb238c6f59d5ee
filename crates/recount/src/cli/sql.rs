//! `sql`: statements from the command line, a file, standard input, or typed at a prompt.
//!
//! Rows are a table for a person and JSON lines for a program, unless a format is asked for.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use recount::{Database, Format, Output, SessionSettings, Stopped};
use recount_store::shown::executed_json;
use serde_json::Value;

use super::build;
use super::failure::Failure;
use super::target::Target;

mod prompt;
mod script;
mod subscribe;
mod table;

pub(super) use script::end_of_statement;
use subscribe::Subscribe;

/// Arguments of `sql`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory or URL
    #[arg(value_name = "DB")]
    database: String,
    /// Run these statements
    #[arg(short, long, value_name = "SQL", conflicts_with = "file")]
    command: Option<String>,
    /// Run the statements of a file
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// How rows are written; a table for a person, JSON lines for a program
    #[arg(long)]
    format: Option<Shape>,
    /// Say how long each statement took
    #[arg(long)]
    timing: bool,
}

/// What a statement that declares an entity is called.
const CREATED: &str = "CREATE ENTITY";

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Columns for a person
    Table,
    /// One JSON object
    Json,
    /// A JSON object a row
    Jsonl,
    /// Comma-separated values with a line of names
    Csv,
    /// Arrow's IPC stream format
    Arrow,
}

/// Runs statements on a target.
struct Session<'a> {
    /// As the command line names it.
    database: &'a str,
    target: &'a Target,
    shape: Shape,
    timing: bool,
    /// What SET statements said so far.
    settings: SessionSettings,
}

/// Runs the statements.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let script = match (&arguments.command, &arguments.file) {
        (Some(command), _) => Some(command.clone()),
        (None, Some(file)) => {
            let text = fs::read_to_string(file);
            Some(text.map_err(|error| Failure::new(format!("{}: {error}", file.display())))?)
        }
        (None, None) if io::stdin().is_terminal() => None,
        (None, None) => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            Some(text)
        }
    };
    let plain = if io::stdout().is_terminal() { Shape::Table } else { Shape::Jsonl };
    let shape = arguments.format.unwrap_or(plain);
    Target::with(&arguments.database, true, |target| {
        let (database, settings) = (&arguments.database, SessionSettings::default());
        let mut session = Session { database, target, shape, timing: arguments.timing, settings };
        match &script {
            None => prompt::run(&mut session),
            Some(script) => {
                for statement in script::statements(script) {
                    let failed = |failure: Failure| failure.context(&format!("line {}", statement.line));
                    session.run(statement.text).map_err(failed)?;
                }
                Ok(())
            }
        }
    })
}

/// The answer to a statement as a table.
pub(super) fn table_of(database: &Database, statement: &str) -> Result<String, Failure> {
    let rows = match database.sql(statement)? {
        Output::Executed(executed) => return Ok(executed_json(&executed).to_string()),
        Output::Rows(rows) => rows,
    };
    let answer = gathered(rows.formatted(Format::Json).map(|piece| Ok(piece?)))?;
    let mut out = Vec::new();
    table::write(&mut out, &answer)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// An answer in JSON, from its pieces.
fn gathered(pieces: impl Iterator<Item = Result<bytes::Bytes, Failure>>) -> Result<Value, Failure> {
    let mut answer = Vec::new();
    for piece in pieces {
        answer.extend_from_slice(&piece?);
    }
    serde_json::from_slice(&answer).map_err(|error| Failure::new(format!("the answer is not JSON: {error}")))
}

/// Says what should be known about rows in whose format there is no place for it.
fn say(notices: &[String]) {
    for notice in notices {
        eprintln!("notice: {notice}");
    }
}

impl Session<'_> {
    /// Runs one statement and prints its answer. A SET holds from then on.
    fn run(&mut self, statement: &str) -> Result<(), Failure> {
        let began = Instant::now();
        let Some(statement) = self.settings.take_sets(statement)? else {
            self.is_set();
            return Ok(());
        };
        let statement = statement.as_ref();
        if let Some(subscribe) = Subscribe::parse(statement)? {
            return subscribe.follow(self);
        }
        let format = match self.shape {
            Shape::Table | Shape::Json => Format::Json,
            Shape::Jsonl => Format::JsonLines,
            Shape::Csv => Format::Csv,
            Shape::Arrow => Format::Arrow,
        };
        match self.target {
            Target::Local(database) => match database.sql_with(statement, &self.settings)? {
                Output::Executed(executed) => {
                    if let (CREATED, Some(version)) = (executed.statement.as_str(), executed.version) {
                        build::wait(database, executed.name.as_str(), version)?;
                    }
                    self.executed(&executed_json(&executed))?;
                }
                Output::Rows(rows) => {
                    let mut pieces = rows.formatted(format);
                    self.rows(pieces.by_ref().map(|piece| Ok(piece?)))?;
                    if format != Format::Json {
                        say(&pieces.notices());
                    }
                }
            },
            Target::Remote(remote) => {
                let answer = remote.run_sql(statement, self.settings.stopped, format.content_type())?;
                match answer.executed {
                    Some(executed) => self.executed(&executed)?,
                    None => {
                        self.rows(answer.pieces)?;
                        say(&answer.notices);
                    }
                }
            }
        }
        if self.timing {
            eprintln!("{:.1} ms", began.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(())
    }

    /// The answer to a query as a JSON object of columns and rows.
    fn answer(&self, query: &str) -> Result<Value, Failure> {
        match self.target {
            Target::Local(database) => match database.sql_with(query, &self.settings)? {
                Output::Executed(executed) => Ok(executed_json(&executed)),
                Output::Rows(rows) => gathered(rows.formatted(Format::Json).map(|piece| Ok(piece?))),
            },
            Target::Remote(remote) => {
                let format = Format::Json.content_type();
                gathered(remote.run_sql(query, self.settings.stopped, format)?.pieces)
            }
        }
    }

    /// Says to a person what is set.
    fn is_set(&self) {
        if self.shape == Shape::Table {
            let stopped = match self.settings.stopped {
                Stopped::Fail => "fail",
                Stopped::Skip => "skip",
            };
            println!("stopped is {stopped}");
        }
    }

    fn executed(&self, executed: &Value) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if self.shape != Shape::Table {
            writeln!(out, "{executed}")?;
            return Ok(());
        }
        let text = |member: &str| executed.get(member).and_then(Value::as_str).unwrap_or_default();
        let position = executed.get("position").and_then(Value::as_u64).unwrap_or_default();
        let name = [text("topic"), text("entity"), text("view")].concat();
        writeln!(out, "{}  {name}  position {position}", text("statement"))?;
        Ok(())
    }

    fn rows(&self, pieces: impl Iterator<Item = Result<bytes::Bytes, Failure>>) -> Result<(), Failure> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.shape == Shape::Table {
            table::write(&mut out, &gathered(pieces)?)?;
        } else {
            for piece in pieces {
                out.write_all(&piece?)?;
            }
        }
        Ok(out.flush()?)
    }
}
