//! `import`: a CSV or JSON lines file into a topic. Resumable and idempotent: each chunk is one append together
//! with an event of `_imports` that says how far it reaches, unless ids of its rows are known (see
//! `docs/decisions/0005-import-progress.md`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use recount::{StreamName, TopicName};
use recount_store::time::{parse_date, parse_rfc3339};
use recount_types::Time;

use super::failure::Failure;
use super::target::Target;
use chunk::{Chunk, Progress};
use rows::Rows;

mod chunk;
mod destination;
mod rows;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory or URL
    #[arg(value_name = "DB")]
    database: String,
    /// The topic; it must exist
    topic: String,
    /// The file: CSV with a header line, or a JSON payload a line
    file: PathBuf,
    /// What the file is; by default its ending tells (.csv, else JSON lines)
    #[arg(long)]
    format: Option<Format>,
    /// Column with the stream's key; leave it out where the topic declares a KEY
    #[arg(long, value_name = "COLUMN")]
    key: Option<String>,
    /// Column with the time of the event: RFC 3339, or a date
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Column with the event's id; a row whose id is in the topic already is left out. Else the file's content
    /// and the line identify a row
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// CSV with a header line
    Csv,
    /// A JSON payload a line
    Json,
}

/// Imports what is not imported yet.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    let topic = TopicName::parse(&arguments.topic).map_err(|error| Failure::usage(error.to_string()))?;
    let bytes = arguments.file.metadata().map_err(|error| Failure::from(error).context(&name))?.len();
    let source = source_of(&arguments.file, &topic).map_err(|failure| failure.context(&name))?;
    Target::with(&arguments.database, false, |target| import(arguments, target, &topic, source, bytes))
}

fn import(
    arguments: &Arguments,
    target: &Target,
    topic: &TopicName,
    source: StreamName,
    bytes: u64,
) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    let mut progress = Progress::read(target, source)?;
    let bar = bar(bytes);
    let skipped = progress.line;
    let mut rows = Rows::open(arguments, &name)?;
    let mut chunk = Chunk::default();
    let mut imported = 0;
    while let Some(row) = rows.next()? {
        if row.line <= skipped {
            continue;
        }
        if chunk.is_full(&row) {
            imported += chunk.append(target, &name, &mut progress)?;
        }
        bar.set_position(row.offset);
        chunk.push(arguments, topic, row, &name)?;
    }
    imported += chunk.append(target, &name, &mut progress)?;
    bar.finish_and_clear();
    writeln!(io::stdout(), "{imported} rows imported, {} rows were there before", rows.count - imported)?;
    Ok(())
}

/// The stream of `_imports` that has the progress of this file into this topic.
fn source_of(file: &Path, topic: &TopicName) -> Result<StreamName, Failure> {
    let mut hasher = blake3::Hasher::new();
    let mut reader = File::open(file)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        };
    }
    let key = format!("{}/{topic}", hasher.finalize().to_hex());
    let imports = TopicName::parse("_imports").map_err(|error| Failure::usage(error.to_string()))?;
    Ok(StreamName { topic: imports, key: key.into_bytes().into() })
}

fn parse_time(text: &str) -> Result<Time, Failure> {
    if let Some(days) = parse_date(text.as_bytes()) {
        return Ok(Time(days * 86_400_000_000));
    }
    parse_rfc3339(text).map_err(|error| Failure::usage(error.to_string()))
}

fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
