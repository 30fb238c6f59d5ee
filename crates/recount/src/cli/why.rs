//! `why`: how the row of an entity came to be.

use std::io::{self, IsTerminal, Write};

use recount::{Database, Moment, Position};
use recount_env::block_on;
use recount_store::time::{format_rfc3339, parse_rfc3339};
use recount_types::Time;
use recount_views::shown::steps_answer;
use serde_json::Value;

use super::failure::Failure;
use super::remote::encoded;
use super::target::Target;

/// Arguments of `why`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory or URL
    #[arg(value_name = "DB")]
    database: String,
    /// The row, as entity/key
    row: String,
    /// Of this version of the entity
    #[arg(long)]
    version: Option<u32>,
    /// As of this position
    #[arg(long, conflicts_with = "system_as_of")]
    position: Option<u64>,
    /// As recorded by this time, such as 2023-12-13T12:00:00Z
    #[arg(long, value_parser = time)]
    system_as_of: Option<Time>,
    /// As true at this time
    #[arg(long, value_parser = time)]
    valid_as_of: Option<Time>,
}

fn time(text: &str) -> Result<Time, String> {
    parse_rfc3339(text).map_err(|error| error.to_string())
}

/// Prints the steps.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Some((entity, key)) = arguments.row.split_once('/') else {
        return Err(Failure::usage(format!("{:?} is not a row: write it as entity/key", arguments.row)));
    };
    Target::with(&arguments.database, false, |target| {
        let asked = Asked {
            version: arguments.version,
            position: arguments.position,
            system_as_of: arguments.system_as_of,
            valid_as_of: arguments.valid_as_of,
        };
        print(&steps(target, entity, key, &asked)?)
    })
}

/// Which version, and as of when.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) version: Option<u32>,
    pub(super) position: Option<u64>,
    pub(super) system_as_of: Option<Time>,
    pub(super) valid_as_of: Option<Time>,
}

impl Asked {
    /// The moment in a database that is here.
    pub(super) fn moment(&self, database: &Database) -> Result<Moment, Failure> {
        let position = match self.system_as_of {
            Some(time) => Some(block_on(database.store().position_at(time))?),
            None => self.position.map(Position),
        };
        Ok(Moment { position, valid_until: self.valid_as_of })
    }
}

/// The steps of a key, as the answer in JSON that has them.
pub(super) fn steps(target: &Target, entity: &str, key: &str, asked: &Asked) -> Result<Value, Failure> {
    match target {
        Target::Local(database) => {
            let of = (entity, asked.version, key);
            let answer = steps_answer(database.views(), of, asked.moment(database)?, Position::ZERO)?;
            serde_json::from_str(&answer).map_err(|error| Failure::new(error.to_string()))
        }
        Target::Remote(remote) => {
            let mut query = vec![("steps", "true".to_owned())];
            query.extend(asked.version.map(|version| ("version", version.to_string())));
            query.extend(asked.position.map(|position| ("position", position.to_string())));
            query.extend(asked.system_as_of.map(|time| ("system_as_of", format_rfc3339(time))));
            query.extend(asked.valid_as_of.map(|time| ("valid_as_of", format_rfc3339(time))));
            let path = format!("/entities/{}/{}", encoded(entity.as_bytes()), encoded(key.as_bytes()));
            let lines: Result<Vec<String>, _> = remote.get(&path, &query, "application/json")?.collect();
            serde_json::from_str(&lines?.join("\n")).map_err(|error| Failure::new(error.to_string()))
        }
    }
}

fn print(answer: &Value) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let none = Vec::new();
    let steps = answer.get("steps").and_then(Value::as_array).unwrap_or(&none);
    if !out.is_terminal() {
        for step in steps {
            writeln!(out, "{step}")?;
        }
        return Ok(());
    }
    let text = |member: &str| answer.get(member).map_or(String::new(), plain);
    writeln!(
        out,
        "{}/{}  version {}  at position {}",
        text("entity"),
        text("key"),
        text("version"),
        text("position")
    )?;
    if steps.is_empty() {
        writeln!(out, "no event has this key")?;
    }
    for step in steps {
        for line in step_lines(step) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// A step in words: a line of it, and one of each row that was looked up.
pub(super) fn step_lines(step: &Value) -> Vec<String> {
    let text = |member: &str| step.get(member).map_or(String::new(), plain);
    let effect = match text("effect").as_str() {
        "set" => String::new(),
        effect => format!("  {effect} {}", text("reason")),
    };
    let mut lines = vec![format!(
        "{:>8}  {}  {} → {}  {}{effect}",
        text("position"),
        text("eventTime"),
        text("before"),
        text("after"),
        text("rule"),
    )];
    let none = Vec::new();
    for found in step.get("lookups").and_then(Value::as_array).unwrap_or(&none) {
        lines.push(format!("{:>8}  looked up {}", "", plain(found)));
    }
    lines
}

/// A value in words: an object as its members, nothing as a dash.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "—".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| format!("{name}={}", plain(value)))
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}
