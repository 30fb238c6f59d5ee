//! `verify`: reads everything. Every frame against its checksums, every event, and the index against them.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use recount::{Database, OpenStoreError, Position, ReadRequest, Scope, StreamName};
use recount_env::{block_on, real};
use recount_journal::inspect::{Found, overview, walk};
use recount_types::Kind;

use super::failure::Failure;
use super::target::{directory, with_directory};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the database
    #[arg(value_name = "DB")]
    directory: String,
}

/// Fails with 4 at the first damage.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let frames = frames(directory(&arguments.directory)?)?;
    with_directory(&arguments.directory, false, |database| events(database, frames))
}

fn events(database: &Database, frames: u64) -> Result<(), Failure> {
    let bar = ProgressBar::new(database.head().0);
    bar.set_style(style());
    let wrong = |what: String| Failure::Of { what, kind: Kind::Corrupt };
    let mut lengths: HashMap<StreamName, u64> = HashMap::new();
    let mut expected = Position(1);
    let mut events = 0u64;
    for event in database.read(Scope::All { system: true })? {
        let event = event?;
        // Events of dropped topics are hidden: positions may be left out, never repeated.
        if event.position < expected {
            return Err(wrong(format!("position {} follows {}", event.position, expected.0 - 1)));
        }
        expected = event.position.next();
        events += 1;
        if let Some(stream) = event.stream() {
            *lengths.entry(stream).or_default() += 1;
        }
        bar.set_position(event.position.0);
    }
    bar.finish_and_clear();
    let bar = ProgressBar::new(lengths.len() as u64);
    bar.set_style(style());
    for (stream, length) in &lengths {
        let indexed = database.stream_length(stream)?;
        let read = database.read_with(ReadRequest::all(Scope::Stream(stream.clone())))?.count() as u64;
        if indexed != *length || read != *length {
            return Err(wrong(format!(
                "the index says {indexed} events of {stream} and finds {read}, the journal has {length}: delete the folder index"
            )));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let streams = lengths.len();
    let head = database.head();
    writeln!(
        io::stdout(),
        "ok: {frames} frames, head {head}, {events} events, {streams} streams, index and journal agree"
    )?;
    Ok(())
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len}  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Every frame, before anything is opened.
fn frames(root: &Path) -> Result<u64, Failure> {
    let seen = block_on(overview(&real::env(), root)).map_err(OpenStoreError::from)?;
    let (mut frames, mut damage) = (0, None);
    let clean = seen.closed.is_some();
    let walked = block_on(walk(&real::env(), root, &seen, |found| {
        match found {
            Found::Frame(_) => frames += 1,
            Found::Segment(listed, None) => damage = Some(format!("segment {} is missing", listed.name)),
            // Of a database that was not closed, opening judges what is behind the last frame.
            Found::Damage(found) if clean => damage = Some(found.to_string()),
            Found::Damage(_) | Found::Segment(..) | Found::Superseded(_) => {}
        }
        damage.is_none()
    }));
    walked.map_err(OpenStoreError::from)?;
    match damage {
        Some(what) => Err(Failure::Of { what, kind: Kind::Corrupt }),
        None => Ok(frames),
    }
}
