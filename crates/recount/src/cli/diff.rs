//! `diff`: two versions of an entity side by side, at one position: which keys differ, and at which step first.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};

use recount::{Format, Output, Stopped};
use recount_views::shown::entity_json;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::target::Target;
use super::why::{self, Asked};

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory or URL
    #[arg(value_name = "DB")]
    database: String,
    /// The entity
    entity: String,
    /// One version
    old: u32,
    /// The other version
    new: u32,
    /// Show at most so many keys
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

/// Compares them.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    Target::with(&arguments.database, false, |target| compare(target, arguments))
}

fn compare(target: &Target, arguments: &Arguments) -> Result<(), Failure> {
    let (old, new) = (columns(target, arguments, arguments.old)?, columns(target, arguments, arguments.new)?);
    if old.key != new.key {
        return Err(Failure::usage(format!(
            "version {} is by {}, version {} by {}: their rows cannot be compared",
            arguments.old,
            old.key.join(", "),
            arguments.new,
            new.key.join(", ")
        )));
    }
    let shared: Vec<String> = old.state.iter().filter(|name| new.state.contains(name)).cloned().collect();
    let mut differing = 0usize;
    let mut out = io::stdout().lock();
    let mut rows = Rows::begin(target, &statement(arguments, &old.key, &shared))?;
    while let Some(row) = rows.next()? {
        differing += 1;
        if differing <= arguments.limit {
            let key = only(&row, &old.key);
            let at = first_step(target, arguments, &key, &old.key, &shared)?;
            tell(&mut out, &key, state(&row, OLD, &shared), state(&row, NEW, &shared), at)?;
        }
    }
    eprintln!(
        "{differing} key{} in {}{}",
        if differing == 1 { " differs" } else { "s differ" },
        shared.join(", "),
        if differing > arguments.limit { ": more with --limit" } else { "" }
    );
    Ok(())
}

/// What stands before the names of the columns of either version in the answer.
const OLD: &str = "old.";
const NEW: &str = "new.";

/// The rows that differ, of both versions at one position.
fn statement(arguments: &Arguments, key: &[String], shared: &[String]) -> String {
    let first = key.first().map(|name| quoted(name)).unwrap_or_default();
    let mut columns = Vec::new();
    for name in key.iter().map(|name| quoted(name)) {
        columns.push(format!("coalesce(o.{name}, n.{name}) AS {name}"));
    }
    for (side, prefix) in [("o", OLD), ("n", NEW)] {
        columns.push(format!("{side}.{first} IS NOT NULL AS {}", quoted(prefix)));
        for name in shared {
            columns.push(format!("{side}.{} AS {}", quoted(name), quoted(&format!("{prefix}{name}"))));
        }
    }
    let mut differs = vec![format!("o.{first} IS NULL OR n.{first} IS NULL")];
    differs.extend(shared.iter().map(|name| format!("o.{0} IS DISTINCT FROM n.{0}", quoted(name))));
    let equal: Vec<String> = key.iter().map(|name| format!("o.{0} = n.{0}", quoted(name))).collect();
    let places: Vec<String> = (1..=key.len()).map(|place| place.to_string()).collect();
    format!(
        "SELECT {} FROM {entity} FOR VERSION {} AS o FULL JOIN {entity} FOR VERSION {} AS n ON {} WHERE {} ORDER BY {}",
        columns.join(", "),
        arguments.old,
        arguments.new,
        equal.join(" AND "),
        differs.join(" OR "),
        places.join(", "),
        entity = quoted(&arguments.entity),
    )
}

/// The columns of one version in a row of the answer; none if it has no such row.
fn state(row: &Map<String, Value>, prefix: &str, shared: &[String]) -> Option<Map<String, Value>> {
    let known = |name: &String| Some((name.clone(), row.get(&format!("{prefix}{name}"))?.clone()));
    (row.get(prefix) == Some(&Value::Bool(true))).then(|| shared.iter().filter_map(known).collect())
}

/// The names of the columns of a version.
struct Columns {
    key: Vec<String>,
    state: Vec<String>,
}

fn columns(target: &Target, arguments: &Arguments, version: u32) -> Result<Columns, Failure> {
    let name = arguments.entity.as_str();
    let entity = match target {
        Target::Local(database) => {
            let info = database.views().entity(name, Some(version))?;
            let status = database.views().status(name, Some(version))?;
            entity_json(&info, &status, database.head().0)
        }
        Target::Remote(remote) => {
            let known = remote.get_json("/entities")?;
            let is_it = |entity: &&Value| entity["name"] == name && entity["version"] == version;
            let found = known["entities"].as_array().and_then(|known| known.iter().find(is_it).cloned());
            found.ok_or_else(|| Failure::new(format!("there is no version {version} of an entity {name}")))?
        }
    };
    let names = |of_key: bool| {
        let columns = entity["columns"].as_array().cloned().unwrap_or_default();
        let named = columns.iter().filter(|column| column["key"] == of_key);
        named.filter_map(|column| column["name"].as_str().map(str::to_owned)).collect()
    };
    Ok(Columns { key: names(true), state: names(false) })
}

/// The rows of an answer.
struct Rows<'a> {
    pieces: Box<dyn Iterator<Item = Result<bytes::Bytes, Failure>> + 'a>,
    begun: Vec<u8>,
    ready: VecDeque<Map<String, Value>>,
}

impl<'a> Rows<'a> {
    fn begin(target: &'a Target, statement: &str) -> Result<Rows<'a>, Failure> {
        let pieces: Box<dyn Iterator<Item = Result<bytes::Bytes, Failure>>> = match target {
            Target::Local(database) => match database.sql(statement)? {
                Output::Rows(rows) => Box::new(rows.formatted(Format::JsonLines).map(|piece| Ok(piece?))),
                Output::Executed(_) => return Err(Failure::new("a query defined something")),
            },
            Target::Remote(remote) => {
                Box::new(remote.run_sql(statement, Stopped::Fail, Format::JsonLines.content_type())?.pieces)
            }
        };
        Ok(Rows { pieces, begun: Vec::new(), ready: VecDeque::new() })
    }

    fn next(&mut self) -> Result<Option<Map<String, Value>>, Failure> {
        while self.ready.is_empty() {
            let Some(piece) = self.pieces.next() else { return Ok(None) };
            self.begun.extend_from_slice(&piece?);
            while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.begun.drain(..=end).collect();
                let row = serde_json::from_slice(&line);
                self.ready
                    .push_back(row.map_err(|error| Failure::new(format!("a row is not JSON: {error}")))?);
            }
        }
        Ok(self.ready.pop_front())
    }
}

fn only(row: &Map<String, Value>, names: &[String]) -> Map<String, Value> {
    let known = |name: &String| Some((name.clone(), row.get(name)?.clone()));
    names.iter().filter_map(known).collect()
}

/// The first event after which the states differ.
fn first_step(
    target: &Target,
    arguments: &Arguments,
    key: &Map<String, Value>,
    names: &[String],
    shared: &[String],
) -> Result<Option<Value>, Failure> {
    let text = match names {
        [one] => match key.get(one) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => return Ok(None),
        },
        several => json!(several.iter().map(|name| key.get(name)).collect::<Vec<_>>()).to_string(),
    };
    let steps = |version: u32| {
        let asked = Asked { version: Some(version), ..Asked::default() };
        let answer = why::steps(target, &arguments.entity, &text, &asked)?;
        Ok::<_, Failure>(answer["steps"].as_array().cloned().unwrap_or_default())
    };
    let (old, new) = (steps(arguments.old)?, steps(arguments.new)?);
    let state = |step: &Value| step["after"].as_object().map(|after| only(after, shared));
    let differing =
        |(old, new): &(&Value, &Value)| old["position"] != new["position"] || state(old) != state(new);
    Ok(old.iter().zip(&new).find(differing).map(|(_, new)| new.clone()))
}

fn tell(
    out: &mut impl Write,
    key: &Map<String, Value>,
    old: Option<Map<String, Value>>,
    new: Option<Map<String, Value>>,
    step: Option<Value>,
) -> Result<(), Failure> {
    let at =
        step.as_ref().map(|step| json!({ "position": step["position"], "eventTime": step["eventTime"] }));
    if !io::stdout().is_terminal() {
        writeln!(out, "{}", json!({ "key": key, "old": old, "new": new, "firstDifference": at }))?;
        return Ok(());
    }
    let shown = |values: &Map<String, Value>| {
        values.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    let state = |values: &Option<Map<String, Value>>| values.as_ref().map_or("—".to_owned(), &shown);
    write!(out, "{}  {} → {}", shown(key), state(&old), state(&new))?;
    if let Some(at) = at {
        write!(out, "  since position {}, {}", at["position"], at["eventTime"].as_str().unwrap_or_default())?;
    }
    writeln!(out)?;
    Ok(())
}

/// A name as a statement has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
