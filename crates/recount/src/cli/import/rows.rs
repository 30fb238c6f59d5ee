//! The rows of a file: CSV, or JSON lines.

use std::fs::File;
use std::io::{self, BufReader, Read};

use serde_json::{Map, Value};

use super::{Arguments, Format};
use crate::cli::failure::Failure;
use crate::cli::lines::{LINE_BYTES_MAX, next_line, too_long};

/// One row of the file.
pub(super) struct Row {
    /// Its line in the file, from 1.
    pub(super) line: u64,
    /// Where it ends, bytes.
    pub(super) offset: u64,
    pub(super) payload: Vec<u8>,
    /// Its columns; none of a JSON row if no column is asked for.
    pub(super) fields: Map<String, Value>,
}

/// The rows of a file.
pub(super) struct Rows {
    source: RowSource,
    /// How many were read.
    pub(super) count: u64,
    name: String,
}

enum RowSource {
    Csv(Box<Csv>),
    Json { lines: BufReader<File>, line: u64, offset: u64, with_fields: bool },
}

/// Bytes that are read from a file at once.
const BUFFER_BYTES: usize = 1 << 18;

/// Reads no more of a file than a row may have: a quote that is never closed does not fill memory.
struct Bounded {
    file: File,
    left: usize,
}

impl Bounded {
    /// A row begins, perhaps in what was read before.
    fn begin_row(&mut self) {
        self.left = LINE_BYTES_MAX + BUFFER_BYTES;
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.left = self.left.checked_sub(read).ok_or_else(too_long)?;
        Ok(read)
    }
}

/// Reads CSV and numbers the lines.
struct Csv {
    reader: csv::Reader<Bounded>,
    headers: csv::StringRecord,
    /// The line before the next record, or one before it.
    line: u64,
    /// Lines that the reader is behind. It counts line feeds, and takes the one of CR LF for the next record's; CR alone
    /// it does not count.
    behind: u64,
}

impl Csv {
    fn new(reader: csv::Reader<Bounded>, headers: csv::StringRecord) -> Csv {
        let line = reader.position().line();
        let behind = u64::from(headers.position().is_some_and(|header| header.line() == line));
        Csv { reader, headers, line: line + behind - 1, behind }
    }

    /// The line on which a record begins. No two have the same, and it is the same whenever the file is read: progress
    /// is noted in lines.
    fn line_of(&mut self, record: &csv::StringRecord) -> u64 {
        let said = record.position().map_or(0, csv::Position::line) + self.behind;
        self.line = said.max(self.line + 1);
        self.line
    }
}

impl Rows {
    pub(super) fn open(arguments: &Arguments, name: &str) -> Result<Rows, Failure> {
        let file = File::open(&arguments.file).map_err(|error| Failure::from(error).context(name))?;
        let is_csv = arguments.file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let format = arguments.format.unwrap_or(if is_csv { Format::Csv } else { Format::Json });
        let source = match format {
            Format::Csv => {
                let mut bounded = Bounded { file, left: 0 };
                bounded.begin_row();
                let mut reader = csv::ReaderBuilder::new().buffer_capacity(BUFFER_BYTES).from_reader(bounded);
                let headers =
                    reader.headers().map_err(|error| Failure::usage(format!("{name}: {error}")))?.clone();
                RowSource::Csv(Box::new(Csv::new(reader, headers)))
            }
            Format::Json => {
                let with_fields =
                    arguments.key.is_some() || arguments.time.is_some() || arguments.id.is_some();
                RowSource::Json {
                    lines: BufReader::with_capacity(BUFFER_BYTES, file),
                    line: 0,
                    offset: 0,
                    with_fields,
                }
            }
        };
        Ok(Rows { source, count: 0, name: name.to_owned() })
    }

    /// The next row; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Failure> {
        let row = match &mut self.source {
            RowSource::Csv(csv) => {
                let Csv { reader, headers, line, .. } = &mut **csv;
                reader.get_mut().begin_row();
                let mut record = csv::StringRecord::new();
                let more = reader.read_record(&mut record);
                let wrong =
                    |error: csv::Error| Failure::usage(format!("{} after line {line}: {error}", self.name));
                if !more.map_err(wrong)? {
                    return Ok(None);
                }
                let fields: Map<String, Value> =
                    headers.iter().zip(&record).map(|(name, text)| (name.to_owned(), field(text))).collect();
                let payload =
                    serde_json::to_vec(&fields).map_err(|error| Failure::usage(error.to_string()))?;
                let offset = reader.position().byte();
                Row { line: csv.line_of(&record), offset, payload, fields }
            }
            RowSource::Json { lines, line, offset, with_fields } => {
                let mut payload = Vec::new();
                loop {
                    *line += 1;
                    let wrong =
                        |error: io::Error| Failure::usage(format!("{} line {line}: {error}", self.name));
                    let read = next_line(lines, &mut payload).map_err(wrong)?;
                    if read == 0 {
                        return Ok(None);
                    }
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
