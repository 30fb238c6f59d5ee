//! `read`: events of a stream, a topic, or everything; `--follow` goes on.

use std::io::{self, IsTerminal, Write};

use recount::{
    Database, Delivery, Direction, Event, From, Position, QueryItem, ReadRequest, Revision, Scope,
    StreamName, SubscribeRequest, Tag, TopicName,
};
use recount_store::shown::event_json;
use recount_store::time::{format_rfc3339, parse_rfc3339};
use recount_types::{Time, name::KeyText};

use super::failure::Failure;
use super::remote::{Remote, encoded};
use super::target::Target;

/// Arguments of `read`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Arguments {
    /// Directory or URL
    #[arg(value_name = "DB")]
    database: String,
    /// A topic, or a stream as topic/key; nothing = everything
    scope: Option<String>,
    /// Begin at this position
    #[arg(long, group = "start")]
    from: Option<u64>,
    /// Begin after this position
    #[arg(long, group = "start")]
    after: Option<u64>,
    /// Begin at this revision of the stream
    #[arg(long, group = "start")]
    revision: Option<u64>,
    /// Begin at this append time, such as 2023-12-13T12:00:00Z
    #[arg(long, group = "start", value_parser = parse_time)]
    time: Option<Time>,
    /// Newest first
    #[arg(long)]
    backward: bool,
    /// At most so many events
    #[arg(long)]
    limit: Option<usize>,
    /// Only events of this type; may be repeated
    #[arg(long = "type")]
    types: Vec<String>,
    /// Only events with this tag; may be repeated: all of them
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// As of this position
    #[arg(long)]
    position: Option<u64>,
    /// With the system's topics
    #[arg(long)]
    system: bool,
    /// Go on when more is appended
    #[arg(long, conflicts_with_all = ["backward", "limit", "position", "revision", "time"])]
    follow: bool,
}

fn parse_time(text: &str) -> Result<Time, String> {
    parse_rfc3339(text).map_err(|error| error.to_string())
}

/// Reads and prints.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    Target::with(&arguments.database, false, |target| match target {
        Target::Local(database) if arguments.follow => follow(database, arguments),
        Target::Local(database) => read(database, arguments),
        Target::Remote(remote) => over_http(remote, arguments),
    })
}

pub(super) fn parse_scope(scope: Option<&str>, system: bool) -> Result<Scope, Failure> {
    let wrong = |error: recount_types::name::InvalidName| Failure::usage(error.to_string());
    match scope {
        None => Ok(Scope::All { system }),
        Some(stream) if stream.contains('/') => StreamName::parse(stream).map(Scope::Stream).map_err(wrong),
        Some(topic) => TopicName::parse(topic).map(Scope::Topic).map_err(wrong),
    }
}

fn filter(arguments: &Arguments) -> Result<Vec<QueryItem>, Failure> {
    if arguments.types.is_empty() && arguments.tags.is_empty() {
        return Ok(Vec::new());
    }
    let tags: Result<Vec<Tag>, _> = arguments.tags.iter().map(|tag| Tag::parse(tag)).collect();
    let tags = tags.map_err(|error| Failure::usage(error.to_string()))?;
    Ok(vec![QueryItem { types: arguments.types.clone(), tags }])
}

fn read(database: &Database, arguments: &Arguments) -> Result<(), Failure> {
    let from = match arguments {
        Arguments { from: Some(position), .. } => From::Position(Position(*position)),
        Arguments { after: Some(position), .. } => From::After(Position(*position)),
        Arguments { revision: Some(revision), .. } => From::Revision(Revision(*revision)),
        Arguments { time: Some(time), .. } => From::Time(*time),
        _ => From::Start,
    };
    let request = ReadRequest {
        scope: parse_scope(arguments.scope.as_deref(), arguments.system)?,
        from,
        direction: if arguments.backward { Direction::Backward } else { Direction::Forward },
        limit: arguments.limit,
        filter: filter(arguments)?,
        as_of: arguments.position.map_or(Position::MAX, Position),
    };
    let mut printer = Printer::new();
    for event in database.read_with(request)? {
        printer.print(&event?)?;
    }
    printer.flush()
}

fn follow(database: &Database, arguments: &Arguments) -> Result<(), Failure> {
    let after = arguments.after.or_else(|| arguments.from.map(|from| from.saturating_sub(1))).unwrap_or(0);
    let request = SubscribeRequest {
        scope: parse_scope(arguments.scope.as_deref(), arguments.system)?,
        after: Position(after),
        filter: filter(arguments)?,
    };
    let mut printer = Printer::new();
    for delivery in database.subscribe(request) {
        match delivery? {
            Delivery::Event(event) => printer.print(&event)?,
            Delivery::CaughtUp(_) => printer.flush()?,
        }
    }
    printer.flush()
}

/// Prints all events of a scope as a server has them.
pub(super) fn all_over_http(remote: &Remote, scope: Option<&str>) -> Result<(), Failure> {
    over_http(remote, &Arguments { scope: scope.map(str::to_owned), ..Arguments::default() })
}

fn over_http(remote: &Remote, arguments: &Arguments) -> Result<(), Failure> {
    let path = match parse_scope(arguments.scope.as_deref(), arguments.system)? {
        Scope::All { .. } => "/events".to_owned(),
        Scope::Topic(topic) => format!("/topics/{topic}/events"),
        Scope::Stream(stream) => format!("/streams/{}/{}", stream.topic, encoded(&stream.key)),
    };
    let mut query: Vec<(&str, String)> = Vec::new();
    let mut push = |name, value: Option<String>| query.extend(value.map(|value| (name, value)));
    push("from", arguments.from.map(|n| n.to_string()));
    push("after", arguments.after.map(|n| n.to_string()));
    push("revision", arguments.revision.map(|n| n.to_string()));
    push("time", arguments.time.map(format_rfc3339));
    push("direction", arguments.backward.then(|| "backward".to_owned()));
    push("position", arguments.position.map(|n| n.to_string()));
    push("system", arguments.system.then(|| "true".to_owned()));
    query.extend(arguments.types.iter().map(|name| ("type", name.clone())));
    query.extend(arguments.tags.iter().map(|tag| ("tag", tag.clone())));
    let mut out = io::stdout().lock();
    if arguments.follow {
        for line in remote.get(&path, &query, "text/event-stream")? {
            if let Some(data) = line?.strip_prefix("data:")
                && data.contains("\"topic\"")
            {
                writeln!(out, "{}", data.trim_start())?;
                out.flush()?;
            }
        }
        return Ok(());
    }
    // Page by page, each from where the one before ended.
    let mut remaining = arguments.limit;
    loop {
        let page = remaining.unwrap_or(PAGE).min(PAGE);
        let mut page_query = query.clone();
        page_query.push(("limit", page.to_string()));
        let mut last = None;
        let mut count = 0;
        for line in remote.get(&path, &page_query, "application/x-ndjson")? {
            let line = line?;
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            last = event.get("position").and_then(serde_json::Value::as_u64).or(last);
            count += 1;
            writeln!(out, "{line}")?;
        }
        remaining = remaining.map(|remaining| remaining.saturating_sub(count));
        let (Some(last), true) = (last, count == page && remaining != Some(0)) else { return Ok(()) };
        query.retain(|(name, _)| !["from", "after", "revision", "time"].contains(name));
        query.push(("after", last.to_string()));
    }
}

/// Events asked for at a time.
const PAGE: usize = 10_000;

/// Prints events: lines of JSON for a program, columns for a person.
pub(super) struct Printer {
    out: io::BufWriter<io::Stdout>,
    for_a_person: bool,
}

impl Printer {
    /// Prints to standard output.
    pub(super) fn new() -> Printer {
        let out = io::stdout();
        let for_a_person = out.is_terminal();
        Printer { out: io::BufWriter::with_capacity(64 << 10, out), for_a_person }
    }

    /// Prints to standard output, whoever reads it.
    pub(super) fn for_a_program() -> Printer {
        Printer { for_a_person: false, ..Printer::new() }
    }

    /// Prints one event.
    pub(super) fn print(&mut self, event: &Event) -> Result<(), Failure> {
        if !self.for_a_person {
            writeln!(self.out, "{}", event_json(event))?;
            return Ok(());
        }
        let stream = event.stream().map_or_else(|| event.topic.to_string(), |stream| stream.to_string());
        let kind = event.event_type.as_deref().unwrap_or("");
        let time = format_rfc3339(event.event_time);
        let payload = match std::str::from_utf8(&event.payload) {
            Ok(text) => text.to_owned(),
            Err(_) => KeyText(&event.payload).to_string(),
        };
        writeln!(self.out, "{:>8}  {stream}  {time}  {kind}  {payload}", event.position.0)?;
        Ok(())
    }

    /// Lets everything printed be seen.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}
