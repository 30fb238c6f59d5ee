//! `diff`: two versions of an entity side by side: which keys differ, and at which step first.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};

use recount::{Format, Output};
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
    let mut left = Rows::begin(target, arguments, arguments.old, &old.key)?;
    let mut right = Rows::begin(target, arguments, arguments.new, &old.key)?;
    let (mut differing, mut rows) = (0usize, 0u64);
    let mut out = io::stdout().lock();
    loop {
        let (one, other) = match (left.peek()?, right.peek()?) {
            (None, None) => break,
            (Some(_), None) => (left.take(), None),
            (None, Some(_)) => (None, right.take()),
            (Some(a), Some(b)) => match by_key(a, b, &old.key) {
                Ordering::Less => (left.take(), None),
                Ordering::Greater => (None, right.take()),
                Ordering::Equal => (left.take(), right.take()),
            },
        };
        rows += 1;
        let state = |row: &Option<Map<String, Value>>| row.as_ref().map(|row| only(row, &shared));
        if state(&one) == state(&other) {
            continue;
        }
        differing += 1;
        if differing <= arguments.limit {
            let either = one.as_ref().or(other.as_ref()).map(|row| only(row, &old.key)).unwrap_or_default();
            let at = first_step(target, arguments, &either, &old.key, &shared)?;
            tell(&mut out, &either, state(&one), state(&other), at)?;
        }
    }
    eprintln!(
        "{differing} of {rows} keys differ in {}{}",
        shared.join(", "),
        if differing > arguments.limit { ": more with --limit" } else { "" }
    );
    Ok(())
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

/// The rows of a version in the order of its key.
struct Rows<'a> {
    pieces: Box<dyn Iterator<Item = Result<bytes::Bytes, Failure>> + 'a>,
    begun: Vec<u8>,
    ready: VecDeque<Map<String, Value>>,
}

impl<'a> Rows<'a> {
    fn begin(
        target: &'a Target,
        arguments: &Arguments,
        version: u32,
        key: &[String],
    ) -> Result<Rows<'a>, Failure> {
        let names: Vec<String> = key.iter().map(|name| quoted(name)).collect();
        let sql = format!(
            "SELECT * FROM {} FOR VERSION {version} ORDER BY {}",
            quoted(&arguments.entity),
            names.join(", ")
        );
        let pieces: Box<dyn Iterator<Item = Result<bytes::Bytes, Failure>>> = match target {
            Target::Local(database) => match database.sql(&sql)? {
                Output::Rows(rows) => Box::new(rows.formatted(Format::JsonLines).map(|piece| Ok(piece?))),
                Output::Executed(_) => return Err(Failure::new("a query defined something")),
            },
            Target::Remote(remote) => {
                Box::new(remote.run_sql(&sql, Format::JsonLines.content_type())?.pieces)
            }
        };
        Ok(Rows { pieces, begun: Vec::new(), ready: VecDeque::new() })
    }

    /// The next row, without taking it.
    fn peek(&mut self) -> Result<Option<&Map<String, Value>>, Failure> {
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
        Ok(self.ready.front())
    }

    fn take(&mut self) -> Option<Map<String, Value>> {
        self.ready.pop_front()
    }
}

/// The order of two rows by their key.
fn by_key(a: &Map<String, Value>, b: &Map<String, Value>, key: &[String]) -> Ordering {
    for name in key {
        let order = match (a.get(name), b.get(name)) {
            (Some(Value::Number(a)), Some(Value::Number(b))) => unscaled(a).cmp(&unscaled(b)),
            (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
            (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
            _ => Ordering::Equal,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// The digits of an integer, or of a decimal, which all have one scale in one column.
fn unscaled(number: &serde_json::Number) -> i128 {
    number.to_string().replace('.', "").parse().unwrap_or_default()
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
