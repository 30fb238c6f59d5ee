//! `inspect`: the files of a database in words; and salvage, its twin that prints events. Neither changes anything.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use clap::Subcommand;
use recount::{Event, OpenStoreError, Scope};
use recount_env::{OpenMode, block_on, real};
use recount_journal::directory::{Holder, Paths};
use recount_journal::inspect::{Found, Overview, overview, walk};
use recount_journal::{Frame, FrameKind};
use recount_store::group::{GroupBody, append_time};
use recount_store::salvage::Salvage;
use recount_store::shown::event_json;
use recount_store::time::format_rfc3339_micros;
use recount_types::Kind;

use super::failure::Failure;
use super::target::directory;

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the database
    #[arg(value_name = "DB")]
    directory: String,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// FORMAT, manifest, who holds it (the default)
    Format,
    /// The segments of the journal
    Segments,
    /// Every frame of the journal
    Frames,
    /// The runs of the index
    Runs,
}

/// Prints what is asked for; fails with 4 if there is damage.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let root = directory(&arguments.directory)?;
    let seen = block_on(overview(&real::env(), root)).map_err(OpenStoreError::from)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.what.unwrap_or(What::Format) {
        What::Format => format(&mut out, root, &seen)?,
        What::Segments => frames(&mut out, root, &seen, false)?,
        What::Frames => frames(&mut out, root, &seen, true)?,
        What::Runs => runs(&mut out, root)?,
    }
    Ok(out.flush()?)
}

fn format(out: &mut impl Write, root: &Path, seen: &Overview) -> Result<(), Failure> {
    let id: String = seen.format.database.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(out, "database {id}, format 1")?;
    writeln!(
        out,
        "manifest {}, epoch {}, {} segments",
        seen.manifest.number,
        seen.manifest.epoch,
        seen.manifest.segments.len()
    )?;
    match &seen.closed {
        Some(closed) => writeln!(out, "closed cleanly at lsn {}", closed.last_lsn)?,
        None => writeln!(out, "not closed cleanly, or open")?,
    }
    if let Some(holder) = block_on(Holder::read(&real::env(), root)) {
        let address = holder.address.map_or(String::new(), |address| format!(", to serve it at {address}"));
        writeln!(out, "last opened by process {}{address}", holder.pid)?;
    }
    Ok(())
}

fn frames(out: &mut impl Write, root: &Path, seen: &Overview, each: bool) -> Result<(), Failure> {
    let mut written = Ok(());
    let (mut damages, mut frames) = (0, 0u64);
    let walked = block_on(walk(&real::env(), root, seen, |found| {
        written = match found {
            Found::Segment(listed, length) => {
                let state = match length {
                    Some(_) if listed.planned => "listed ahead of its first frame",
                    Some(_) => "",
                    None => "MISSING",
                };
                writeln!(out, "segment {}  {} bytes  {state}", listed.name, listed.bytes)
            }
            Found::Frame(frame) => {
                frames += 1;
                if each { describe(out, &frame) } else { Ok(()) }
            }
            Found::Superseded(location) => {
                writeln!(out, "  {:>10}  a frame whose copy is in the next segment", location.offset)
            }
            Found::Damage(damage) => {
                damages += 1;
                writeln!(out, "  {:>10}  DAMAGE: {}", damage.offset, damage.what)
            }
        };
        written.is_ok()
    }));
    walked.map_err(OpenStoreError::from)?;
    written?;
    writeln!(out, "{frames} valid frames, {damages} damaged places")?;
    out.flush()?;
    if damages > 0 {
        return Err(Failure::Of { what: format!("{damages} damaged places"), kind: Kind::Corrupt });
    }
    Ok(())
}

fn describe(out: &mut impl Write, frame: &Frame) -> io::Result<()> {
    let header = &frame.header;
    write!(
        out,
        "  {:>10}  {:8}  lsn {}  {} bytes",
        frame.location.offset,
        header.kind.name(),
        header.lsn,
        header.frame_bytes()
    )?;
    if matches!(header.kind, FrameKind::Prologue | FrameKind::Seal) {
        return writeln!(out);
    }
    let first = header.first_position.0;
    if header.count > 0 {
        write!(out, "  positions {first} to {}", first + u64::from(header.count) - 1)?;
    }
    write!(out, "  {}", format_rfc3339_micros(append_time(header, 0)))?;
    match GroupBody::decode(&frame.body) {
        Ok(group) => {
            let directory = &group.directory;
            writeln!(
                out,
                "  {} appends, {} batches, {} transactions ended",
                directory.appends.len(),
                directory.entries.len(),
                directory.marks.len()
            )
        }
        Err(error) => writeln!(out, "  DAMAGE: {error}"),
    }
}

fn runs(out: &mut impl Write, root: &Path) -> Result<(), Failure> {
    let env = real::env();
    let index = Paths::new(root).index();
    let names = match block_on(env.files.list(&index)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    let mut count = 0;
    for name in names {
        let Some((from, to)) = name.strip_suffix(".run").and_then(|range| range.split_once('-')) else {
            continue;
        };
        let (Ok(from), Ok(to)) = (from.parse::<u64>(), to.parse::<u64>()) else { continue };
        let file = block_on(env.files.open(&index.join(&name), OpenMode::Read))?;
        let bytes = block_on(file.len())?;
        writeln!(out, "{name}  positions {} to {to}, {bytes} bytes", from + 1)?;
        count += 1;
    }
    writeln!(out, "{count} runs; delete the folder index to have it made again")?;
    Ok(())
}

/// Prints the events of all groups that can be read, in the order in which they lie; tells of damage on stderr.
pub(super) fn salvage(database: &str, scope: Option<&str>) -> Result<(), Failure> {
    let root = directory(database)?;
    let seen = block_on(overview(&real::env(), root)).map_err(OpenStoreError::from)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let mut damages = 0;
    let wanted = super::read::parse_scope(scope, false)?;
    let mut salvage = Salvage::default();
    let walked = block_on(walk(&real::env(), root, &seen, |found| {
        match found {
            Found::Frame(frame) => {
                let lsn = frame.header.lsn;
                match salvage.events(frame) {
                    Ok(events) => {
                        for event in events.iter().filter(|event| is_of(event, &wanted)) {
                            if written.is_ok() {
                                written = writeln!(out, "{}", event_json(event));
                            }
                        }
                    }
                    Err(error) => {
                        damages += 1;
                        eprintln!("recount: lsn {lsn}: {error}");
                    }
                }
            }
            Found::Damage(damage) => {
                damages += 1;
                eprintln!("recount: {}: offset {}: {}", damage.file.display(), damage.offset, damage.what);
            }
            Found::Segment(listed, None) => {
                damages += 1;
                eprintln!("recount: segment {} is missing", listed.name);
            }
            Found::Segment(..) | Found::Superseded(_) => {}
        }
        written.is_ok()
    }));
    walked.map_err(OpenStoreError::from)?;
    written?;
    out.flush()?;
    eprintln!("recount: {damages} damaged places were stepped over");
    Ok(())
}

fn is_of(event: &Event, scope: &Scope) -> bool {
    match scope {
        Scope::All { system } => *system || !event.topic.is_system(),
        Scope::Topic(topic) => event.topic == *topic,
        Scope::Stream(stream) => event.stream().as_ref() == Some(stream),
    }
}
