//! `import`: a CSV or JSON lines file into a topic. Resumable and idempotent: each chunk is one append together
//! with an event of `_imports` that says how far it reaches (see `docs/decisions/0005-import-progress.md`).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use recount::{
    AppendError, AppendRequest, Condition, Database, Direction, EventWrite, Expected, NewEvent, ReadRequest,
    Revision, Scope, StreamName, TopicName,
};
use recount_env::block_on;
use recount_store::time::{parse_date, parse_rfc3339};
use recount_types::{Kind, Time};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::target::with_directory;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the database
    #[arg(value_name = "DB")]
    directory: String,
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

/// Rows of one append.
const CHUNK_ROWS: usize = 500;
/// Bytes of payloads of one append.
const CHUNK_BYTES: usize = 1 << 20;

/// Imports what is not imported yet.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    let topic = TopicName::parse(&arguments.topic).map_err(|error| Failure::usage(error.to_string()))?;
    let bytes = arguments.file.metadata().map_err(|error| Failure::from(error).context(&name))?.len();
    let source = source_of(&arguments.file, &topic).map_err(|failure| failure.context(&name))?;
    with_directory(&arguments.directory, false, |database| import(arguments, database, &topic, source, bytes))
}

fn import(
    arguments: &Arguments,
    database: &Database,
    topic: &TopicName,
    source: StreamName,
    bytes: u64,
) -> Result<(), Failure> {
    let name = arguments.file.display().to_string();
    let mut progress = Progress::read(database, source)?;
    let bar = bar(bytes);
    let skipped = progress.line;
    let mut rows = Rows::open(arguments, &name)?;
    let mut chunk = Chunk::default();
    let mut imported = 0;
    while let Some(row) = rows.next()? {
        if row.line <= skipped {
            continue;
        }
        if chunk.events.len() == CHUNK_ROWS || chunk.bytes + row.payload.len() > CHUNK_BYTES {
            imported += chunk.append(database, topic, &name, &mut progress)?;
        }
        bar.set_position(row.offset);
        chunk.push(arguments, topic, row, &name)?;
    }
    imported += chunk.append(database, topic, &name, &mut progress)?;
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

/// How far an import has come.
struct Progress {
    source: StreamName,
    line: u64,
    expected: Expected,
}

impl Progress {
    fn read(database: &Database, source: StreamName) -> Result<Progress, Failure> {
        let scope = Scope::Stream(source.clone());
        let request =
            ReadRequest { direction: Direction::Backward, limit: Some(1), ..ReadRequest::all(scope) };
        let Some(last) = database.read_with(request)?.next().transpose()? else {
            return Ok(Progress { source, line: 0, expected: Expected::NoStream });
        };
        let progress: Value = serde_json::from_slice(&last.payload).unwrap_or_default();
        let line = progress.get("line").and_then(Value::as_u64);
        let line = line.ok_or_else(|| {
            Failure::new(format!("the progress at position {} names no line", last.position))
        })?;
        let length = database.stream_length(&source)?;
        Ok(Progress { source, line, expected: Expected::Exact(Revision(length.saturating_sub(1))) })
    }

    fn advance(&mut self, line: u64) {
        self.line = line;
        self.expected = match self.expected {
            Expected::Exact(revision) => Expected::Exact(Revision(revision.0 + 1)),
            _ => Expected::Exact(Revision(0)),
        };
    }
}

/// Rows that become one append.
#[derive(Default)]
struct Chunk {
    events: Vec<EventWrite>,
    lines: Vec<u64>,
    bytes: usize,
}

impl Chunk {
    fn push(
        &mut self,
        arguments: &Arguments,
        topic: &TopicName,
        row: Row,
        name: &str,
    ) -> Result<(), Failure> {
        let column = |column: &String| match row.fields.get(column) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Null) | None => {
                Err(Failure::usage(format!("{name} line {}: there is no value in column {column}", row.line)))
            }
            Some(other) => Ok(other.to_string()),
        };
        let time = arguments.time.as_ref().map(column).transpose()?;
        let time =
            time.map(|text| parse_time(&text).map_err(|e| e.context(&format!("{name} line {}", row.line))));
        let event = NewEvent {
            id: arguments.id.as_ref().map(column).transpose()?,
            time: time.transpose()?,
            payload: row.payload.clone().into(),
            ..NewEvent::default()
        };
        let key = arguments.key.as_ref().map(column).transpose()?.map(|key| key.into_bytes().into());
        self.bytes += row.payload.len();
        self.lines.push(row.line);
        self.events.push(EventWrite { topic: topic.clone(), key, event });
        Ok(())
    }

    /// Appends the rows and how far they reach; returns how many were new.
    fn append(
        &mut self,
        database: &Database,
        topic: &TopicName,
        name: &str,
        progress: &mut Progress,
    ) -> Result<u64, Failure> {
        let Chunk { mut events, mut lines, .. } = std::mem::take(self);
        let Some(&last) = lines.last() else { return Ok(0) };
        loop {
            let rows = events.len();
            let payload = format!("{{\"line\":{last},\"rows\":{rows}}}");
            let event = NewEvent { payload: payload.into(), ..NewEvent::default() };
            let source = &progress.source;
            let mut all = events.clone();
            all.push(EventWrite { topic: source.topic.clone(), key: Some(source.key.clone()), event });
            let conditions = vec![Condition::Stream { stream: source.clone(), expected: progress.expected }];
            let request = AppendRequest { events: all, conditions, deadline: None };
            match block_on(database.store().append_system(request)) {
                Ok(_) => {
                    progress.advance(last);
                    return Ok(rows as u64);
                }
                // Rows that are there by their ids are left out; the others are imported.
                Err(AppendError::IdReused { .. }) => {
                    let before = events.len();
                    (events, lines) = without_known(database, topic, events, lines, name)?;
                    if events.len() == before {
                        return Err(Failure::new(format!(
                            "{name}: ids changed while importing: run it again"
                        )));
                    }
                }
                Err(AppendError::WrongRevision { .. }) => {
                    let what = format!("{name} is being imported by another process: let that one end");
                    return Err(Failure::Of { what, kind: Kind::Conflict });
                }
                Err(AppendError::BadEvent { index, what }) => {
                    let line = lines.get(index).copied().unwrap_or(last);
                    let what = format!(
                        "{name} line {line}: {what}. Nothing from line {} on was stored",
                        lines.first().copied().unwrap_or(line)
                    );
                    return Err(Failure::usage(what));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Leaves out the rows whose ids are in the topic with the same content.
fn without_known(
    database: &Database,
    topic: &TopicName,
    events: Vec<EventWrite>,
    lines: Vec<u64>,
    name: &str,
) -> Result<(Vec<EventWrite>, Vec<u64>), Failure> {
    let mut kept = (Vec::new(), Vec::new());
    for (event, line) in events.into_iter().zip(lines) {
        match block_on(database.store().is_known(&event)) {
            Ok(true) => {}
            Ok(false) => {
                kept.0.push(event);
                kept.1.push(line);
            }
            Err(error) => {
                return Err(Failure::from(error).context(&format!("{name} line {line} into {topic}")));
            }
        }
    }
    Ok(kept)
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

/// One row of the file.
struct Row {
    /// Its line in the file, from 1.
    line: u64,
    /// Where it ends, bytes.
    offset: u64,
    payload: Vec<u8>,
    fields: Map<String, Value>,
}

/// The rows of a file.
struct Rows {
    source: RowSource,
    count: u64,
    name: String,
}

enum RowSource {
    Csv(Box<csv::Reader<File>>, csv::StringRecord),
    Json { lines: BufReader<File>, line: u64, offset: u64, with_fields: bool },
}

impl Rows {
    fn open(arguments: &Arguments, name: &str) -> Result<Rows, Failure> {
        let file = File::open(&arguments.file).map_err(|error| Failure::from(error).context(name))?;
        let is_csv = arguments.file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let format = arguments.format.unwrap_or(if is_csv { Format::Csv } else { Format::Json });
        let source = match format {
            Format::Csv => {
                let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_reader(file);
                let headers =
                    reader.headers().map_err(|error| Failure::usage(format!("{name}: {error}")))?.clone();
                RowSource::Csv(Box::new(reader), headers)
            }
            Format::Json => {
                let with_fields =
                    arguments.key.is_some() || arguments.time.is_some() || arguments.id.is_some();
                RowSource::Json {
                    lines: BufReader::with_capacity(1 << 18, file),
                    line: 0,
                    offset: 0,
                    with_fields,
                }
            }
        };
        Ok(Rows { source, count: 0, name: name.to_owned() })
    }

    fn next(&mut self) -> Result<Option<Row>, Failure> {
        let row = match &mut self.source {
            RowSource::Csv(reader, headers) => {
                let mut record = csv::StringRecord::new();
                let more = reader.read_record(&mut record);
                if !more.map_err(|error| Failure::usage(format!("{}: {error}", self.name)))? {
                    return Ok(None);
                }
                let fields: Map<String, Value> =
                    headers.iter().zip(&record).map(|(name, text)| (name.to_owned(), field(text))).collect();
                let payload =
                    serde_json::to_vec(&fields).map_err(|error| Failure::usage(error.to_string()))?;
                let line = record.position().map_or(0, csv::Position::line);
                Row { line, offset: reader.position().byte(), payload, fields }
            }
            RowSource::Json { lines, line, offset, with_fields } => {
                let mut payload = Vec::new();
                loop {
                    payload.clear();
                    let read = lines.read_until(b'\n', &mut payload)?;
                    if read == 0 {
                        return Ok(None);
                    }
                    *line += 1;
                    *offset += read as u64;
                    if !payload.trim_ascii().is_empty() {
                        break;
                    }
                }
                let payload = payload.trim_ascii().to_vec();
                let fields = if *with_fields {
                    let wrong = |error| Failure::usage(format!("{} line {line}: {error}", self.name));
                    serde_json::from_slice(&payload).map_err(wrong)?
                } else {
                    Map::new()
                };
                Row { line: *line, offset: *offset, payload, fields }
            }
        };
        self.count += 1;
        Ok(Some(row))
    }
}

/// A CSV field as JSON: a number if it is written as JSON writes numbers, nothing if it is empty, else a string.
fn field(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    let is_number =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'e' | b'E' | b'+'));
    match serde_json::from_str::<serde_json::Number>(text) {
        Ok(number) if is_number => Value::Number(number),
        _ => Value::String(text.to_owned()),
    }
}
