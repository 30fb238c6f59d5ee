//! `topic`: list, show, create, drop.

use std::io::{self, Write};

use clap::Subcommand;

use super::failure::Failure;
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
    match target {
        Target::Local(database) => {
            for topic in database.topics() {
                writeln!(
                    out,
                    "{}\t{} partitions\tsince position {}",
                    topic.name, topic.partitions, topic.created
                )?;
            }
        }
        Target::Remote(remote) => {
            for line in remote.get("/topics", &[], "application/json")? {
                writeln!(out, "{}", line?)?;
            }
        }
    }
    Ok(())
}

fn show(target: &Target, name: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match target {
        Target::Local(database) => {
            let found = database.store().topic(name);
            let topic = found.ok_or_else(|| Failure::new(format!("there is no topic {name}")))?;
            let definition = serde_json::to_string_pretty(&topic.definition);
            writeln!(out, "{}", definition.map_err(|error| Failure::new(error.to_string()))?)?;
        }
        Target::Remote(remote) => {
            for line in remote.get(&format!("/topics/{name}"), &[], "application/json")? {
                writeln!(out, "{}", line?)?;
            }
        }
    }
    Ok(())
}

fn execute(target: &Target, sql: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match target {
        Target::Local(database) => {
            let executed = database.execute(sql)?;
            writeln!(out, "{}  {}  position {}", executed.statement, executed.topic, executed.position)?;
        }
        Target::Remote(remote) => {
            let answer = remote.post("/sql", &[], &[], "text/plain", sql.as_bytes())?;
            writeln!(out, "{answer}")?;
        }
    }
    Ok(())
}
