//! `topic`: list, show, create, drop.

use std::io::{self, IsTerminal, Write};

use clap::Subcommand;
use recount_store::shown::{executed_json, topic_json};
use serde_json::Value;

use super::failure::Failure;
use super::remote::encoded;
use super::target::Target;

/// Arguments of `topic`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory or URL
    #[arg(value_name = "DB")]
    database: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the topics
    List,
    /// Show a topic's definition
    Show {
        /// Its name
        name: String,
    },
    /// Create a topic
    Create {
        /// Its name, or a whole statement: CREATE TOPIC …
        statement: String,
    },
    /// Run a statement: ALTER TOPIC …
    Alter {
        /// The statement
        statement: String,
    },
    /// Drop a topic: its events are hidden for good
    Drop {
        /// Its name
        name: String,
    },
}

/// Runs the action.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let create = matches!(arguments.action, Action::Create { .. });
    Target::with(&arguments.database, create, |target| match &arguments.action {
        Action::List => list(target),
        Action::Show { name } => show(target, name),
        Action::Create { statement } if statement.contains(char::is_whitespace) => execute(target, statement),
        Action::Create { statement } => execute(target, &format!("CREATE TOPIC {statement}")),
        Action::Alter { statement } => execute(target, statement),
        Action::Drop { name } => execute(target, &format!("DROP TOPIC {name}")),
    })
}

fn list(target: &Target) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for topic in topics(target)? {
        if out.is_terminal() {
            let name = topic.get("name").and_then(Value::as_str).unwrap_or_default();
            let number = |member| topic.get(member).and_then(Value::as_u64).unwrap_or_default();
            let (partitions, created) = (number("partitions"), number("created"));
            writeln!(out, "{name}  {partitions} partitions  since position {created}")?;
        } else {
            writeln!(out, "{topic}")?;
        }
    }
    Ok(())
}

fn topics(target: &Target) -> Result<Vec<Value>, Failure> {
    match target {
        Target::Local(database) => Ok(database.topics().iter().map(topic_json).collect()),
        Target::Remote(remote) => match remote.get_json("/topics")?.get_mut("topics").map(Value::take) {
            Some(Value::Array(topics)) => Ok(topics),
            _ => Err(Failure::new("the server's answer lists no topics")),
        },
    }
}

fn show(target: &Target, name: &str) -> Result<(), Failure> {
    let topic = match target {
        Target::Local(database) => {
            let found = database.store().topic(name);
            topic_json(&found.ok_or_else(|| Failure::new(format!("there is no topic {name}")))?)
        }
        Target::Remote(remote) => remote.get_json(&format!("/topics/{}", encoded(name.as_bytes())))?,
    };
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        writeln!(out, "{topic:#}")?;
    } else {
        writeln!(out, "{topic}")?;
    }
    Ok(())
}

/// Runs a statement; what it did, as JSON.
pub(super) fn executed(target: &Target, sql: &str) -> Result<Value, Failure> {
    match target {
        Target::Local(database) => Ok(executed_json(&database.execute(sql)?)),
        Target::Remote(remote) => Ok(remote.post("/sql", &[], &[], "text/plain", sql.as_bytes())?),
    }
}

fn execute(target: &Target, sql: &str) -> Result<(), Failure> {
    let executed = executed(target, sql)?;
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        let text = |member| executed.get(member).and_then(Value::as_str).unwrap_or_default();
        let position = executed.get("position").and_then(Value::as_u64).unwrap_or_default();
        let name = [text("topic"), text("entity")].concat();
        writeln!(out, "{}  {name}  position {position}", text("statement"))?;
    } else {
        writeln!(out, "{executed}")?;
    }
    Ok(())
}
